"""Alignment curves: against an oracle that does one fold at a time, their laws, and what is said of awkward data."""

from __future__ import annotations

import dataclasses
import importlib
import itertools

import equilibrax as eq
import numpy as np
import oracles_raters as oracles
import pytest
from equilibrax.fits import scaling
from equilibrax.raters import _curve_fits, rater_matrix
from equilibrax.raters.curve import METHODS, alignment_curve
from equilibrax.raters.simulate import RATER_FAMILIES, simulate_raters

ITEMS, RATERS = 40, 12


def awkward():
    """Several targets with missing answers, weights, groups of rows, duplicated and constant raters."""
    rng = np.random.default_rng(3)
    target = rng.random(ITEMS)
    ratings = np.clip(target[:, None] + rng.normal(0, 0.3, (ITEMS, RATERS)) + rng.normal(0, 0.2, RATERS), 0, 1)
    ratings[:, 4], ratings[:, 5], ratings[:, 6] = ratings[:, 1], 0.5, 0.0
    targets = np.stack([target, rng.random(ITEMS), target**2, np.full(ITEMS, np.nan), np.full(ITEMS, np.nan)], axis=1)
    targets[::7, 1], targets[0, 4] = np.nan, 0.3
    return rater_matrix(ratings, targets, weights=rng.uniform(0.5, 2, ITEMS), groups=np.arange(ITEMS) // 2)


@pytest.fixture(scope="module")
def curves():
    return {
        intercept: alignment_curve(awkward(), permutations=4, folds=4, intercept=intercept, seed=5)
        for intercept in (False, True)
    }


@pytest.mark.parametrize("intercept", [False, True])
def test_curves_agree_with_the_oracle(curves, intercept):
    curve, matrix = curves[intercept], awkward()
    assert curve.status == ("solved", "solved", "solved", "no answers", "answers in one fold only")
    assert np.isnan(curve.mse[3:]).all()
    assert np.isnan(curve.kkt_residual[3:]).all()
    assert (curve.kkt_residual[:3] <= 1e-8).all()
    for target, order, size in itertools.product(range(3), range(4), (1, 2, 5, 8, RATERS)):
        expected = oracles.curve(
            matrix.ratings,
            matrix.targets[:, target],
            matrix.weights,
            curve.fold_of,
            curve.orders[order],
            size,
            intercept,
        )
        for m, method in enumerate(METHODS):
            where = (target, m, size - 1, order)
            assert curve.mse[where] == pytest.approx(expected[method][0], rel=1e-7, abs=1e-9), (method, where)
            if method not in ("nnls", "simplex"):  # where duplicated raters share their weight in some way
                assert curve.nonzero[where] == expected[method][1], (method, where)


def test_means_and_bands(curves):
    curve = curves[False]
    values = curve.mse[:3]
    np.testing.assert_allclose(curve.mean(), values.mean(axis=(0, 3)))
    np.testing.assert_allclose(curve.mean("rmse"), np.sqrt(values).mean(axis=(0, 3)))
    np.testing.assert_allclose(curve.spread(), values.std(axis=3).mean(axis=0), atol=1e-15)
    np.testing.assert_allclose(curve.standard_error(), values.mean(axis=3).std(axis=0, ddof=1) / np.sqrt(3), atol=1e-15)
    rows = curve.rows()
    assert rows.column_names == ["target", "method", "providers", "permutation", "mse", "nonzero"]
    assert rows.num_rows == curve.mse.size
    np.testing.assert_array_equal(rows["mse"].to_numpy(), curve.mse.reshape(-1))
    assert rows["method"].to_pylist()[:49:48] == ["best_individual", "best_individual_hindsight"]


def test_the_same_seed_gives_the_same_bits_and_other_options_do_not_move_orders_or_folds(curves):
    again = alignment_curve(awkward(), permutations=4, folds=4, seed=5)
    for field in dataclasses.fields(again):
        one, two = getattr(curves[False], field.name), getattr(again, field.name)
        assert (
            np.array_equal(one, two, equal_nan=True)
            if isinstance(one, np.ndarray) and one.dtype.kind == "f"
            else (np.array_equal(one, two))
        ), field.name
    some = alignment_curve(
        awkward(), permutations=2, folds=4, seed=5, methods=("average", "best_individual"), sizes=(3, 7)
    )
    assert np.isnan(some.kkt_residual).all()
    np.testing.assert_array_equal(some.mse[:, 0], curves[False].mse[:, 2][:, [2, 6], :2])
    np.testing.assert_array_equal(some.mse[:, 1], curves[False].mse[:, 0][:, [2, 6], :2])
    fits = alignment_curve(awkward(), permutations=2, folds=4, seed=5, methods=("simplex", "nnls"), sizes=(3, 7))
    np.testing.assert_allclose(fits.mse, curves[False].mse[:, :2:-1][:, :, [2, 6], :2], rtol=1e-12)
    other = alignment_curve(awkward(), permutations=4, folds=4, seed=6, methods=("average",))
    assert not np.array_equal(other.orders, again.orders)
    assert not np.array_equal(other.fold_of, again.fold_of)


def test_the_scale_of_weights_and_of_ratings_does_not_matter(curves):
    plain, matrix = curves[False], awkward()
    for scale, unit in ((1e-28, 1.0), (1e12, 1.0), (1.0, 1e6), (1.0, 1e-6)):
        other = dataclasses.replace(
            matrix, weights=scale * matrix.weights, ratings=unit * matrix.ratings, targets=unit * matrix.targets
        )
        curve = alignment_curve(other, permutations=4, folds=4, seed=5)
        np.testing.assert_allclose(curve.mse[:3] / unit**2, plain.mse[:3], rtol=1e-9)


def test_more_permutations_add_to_those_that_were_there_bit_by_bit():
    matrix = simulate_raters("systematic", 200, 8, seed=0)
    one, many = (alignment_curve(matrix, permutations=count) for count in (1, 60))
    np.testing.assert_array_equal(one.mse, many.mse[..., :1])
    np.testing.assert_array_equal(one.kkt_residual, many.kkt_residual[..., :1])


def test_all_subsets_are_the_orders_that_begin_with_them():
    matrix = awkward().select(raters=(0, 1, 2, 3, 5), targets=[0])
    curve = alignment_curve(matrix, subsets="all", folds=4, fold_assignment="modulo")
    assert curve.count.tolist() == [5, 10, 10, 5, 1]
    np.testing.assert_array_equal(curve.fold_of, (np.arange(ITEMS) // 2) % 4)
    assert curve.rows().num_rows == 31 * len(METHODS)
    for s, p in itertools.product(range(5), range(10)):
        members = np.flatnonzero(curve.subsets[s, p])
        if p >= curve.count[s]:
            assert np.isnan(curve.mse[0, :, s, p]).all()
            continue
        expected = oracles.curve(
            matrix.ratings, matrix.targets[:, 0], matrix.weights, curve.fold_of, members, s + 1, False
        )
        for m, method in enumerate(METHODS):
            assert curve.mse[0, m, s, p] == pytest.approx(expected[method][0], rel=1e-7), (method, members)
            assert curve.nonzero[0, m, s, p] == expected[method][1], (method, members)


@pytest.mark.slow
def test_figure_1_on_simulated_raters():
    """At the paper's size: mixtures beat the best individual by more than half, and the average too; and are sparse."""
    curve = alignment_curve(
        simulate_raters("systematic", seed=0),
        permutations=16,
        methods=("best_individual", "average", "nnls", "simplex"),
    )
    assert curve.refined == 0
    assert curve.kkt_residual.max() < 1e-11
    best, average, nnls, simplex = curve.mean()
    assert (nnls[9:] < best[9:]).all()
    assert (nnls[9:] < average[9:]).all()
    assert (simplex[9:] < np.minimum(best, average)[9:]).all()
    assert max(nnls[-1], simplex[-1]) < 0.5 * best[-1]
    assert nnls[-1] < nnls[29] < nnls[9]
    assert 10 < curve.mean("nonzero")[2, -1] < 30


def test_the_average_can_lose_to_the_best_individual_and_noise_averages_out():
    options = {"permutations": 4, "methods": ("best_individual", "average"), "sizes": (1, 25, 100)}
    best, average = alignment_curve(simulate_raters("personas", seed=1), **options).mean()
    assert average[-1] > 1.1 * best[-1]
    _, average = alignment_curve(simulate_raters("independent", seed=1, noise=0.2), **options).mean()
    np.testing.assert_allclose(average, [0.04, 0.0016, 0.0004], rtol=0.15)
    _, average = alignment_curve(simulate_raters("correlated", seed=1, noise=0.2, correlation=0.5), **options).mean()
    assert average[-1] == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize("kind", RATER_FAMILIES)
def test_families_are_reproducible_and_quantized_if_wanted(kind):
    one, two = (simulate_raters(kind, 30, 7, seed=2, quantize=True) for _ in range(2))
    np.testing.assert_array_equal(one.ratings, two.ratings)
    both = np.concatenate([one.ratings, one.targets], axis=1)
    np.testing.assert_allclose(100 * both, np.rint(100 * both), atol=1e-12)
    assert both.min() >= 0
    assert both.max() <= 1
    assert not np.array_equal(one.ratings, simulate_raters(kind, 30, 7, seed=3, quantize=True).ratings)


def test_missing_ratings():
    matrix = awkward()
    ratings = matrix.ratings.copy()
    ratings[3, 2] = ratings[8, 2] = ratings[8, 5] = np.nan
    holes = rater_matrix(ratings, matrix.targets, weights=matrix.weights, groups=matrix.groups)
    items = holes.complete()
    assert items.dropped_items == ("item 4", "item 9")
    assert items.num_items == ITEMS - 2
    raters = holes.complete("drop_raters")
    assert raters.dropped_raters == ("rater 3", "rater 6")
    mean = holes.complete("mean")
    seen = ~np.isnan(ratings[:, 2])
    assert mean.ratings[3, 2] == pytest.approx(np.average(ratings[seen, 2], weights=matrix.weights[seen]))
    options = {"permutations": 1, "folds": 4, "methods": ("average",)}
    assert alignment_curve(holes, **options).dropped_items == ("item 4", "item 9")
    assert alignment_curve(holes, missing="drop_raters", **options).mse.shape[2] == RATERS - 2
    with pytest.raises(ValueError, match="some item that every rater rated"):
        rater_matrix([[np.nan, 1.0], [1.0, np.nan]], [0.0, 1.0]).complete()
    with pytest.raises(ValueError, match="some rater who rated every item"):
        rater_matrix([[np.nan, 1.0], [1.0, np.nan]], [0.0, 1.0]).complete("drop_raters")
    with pytest.raises(ValueError, match="got none of 'rater 1'"):
        rater_matrix([[np.nan, 1.0], [np.nan, 2.0]], [0.0, 1.0]).complete("mean")


def test_fits_that_stay_above_the_tolerance_are_said(monkeypatch):
    for module in (_curve_fits, scaling, importlib.import_module("equilibrax.raters.curve")):
        monkeypatch.setattr(module, "TOLERANCE", -1.0)
    matrix, options = (
        awkward().select(raters=range(5), targets=[0]),
        {"folds": 4, "subsets": "all", "methods": ("nnls",)},
    )
    with pytest.raises(eq.SolveError, match="fits have a KKT residual above"):
        alignment_curve(matrix, **options)
    curve = alignment_curve(matrix, throw=False, **options)
    assert curve.refined == 31 * 4
    monkeypatch.undo()
    plain = alignment_curve(matrix, **options)
    assert plain.refined == 0
    np.testing.assert_allclose(curve.mse, plain.mse, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 21}, "folds: expected at most the number of groups of items, 20, got 21"),
        ({"folds": 1}, "folds: expected a whole number from 2"),
        ({"sizes": (3, 2)}, "sizes: expected increasing"),
        ({"sizes": ()}, "sizes: expected whole numbers"),
        ({"sizes": (13,)}, "sizes: expected increasing whole numbers from 1 to 12"),
        ({"methods": ("nnls", "nnls")}, "methods: expected different names"),
        ({"methods": ("median",)}, "methods: expected one of"),
        ({"fold_assignment": "random"}, "fold_assignment: expected one of"),
        ({"subsets": "some"}, "subsets: expected one of"),
        ({"missing": "ignore"}, "missing: expected one of"),
        ({"permutations": 0}, "permutations: expected a whole number"),
        ({"seed": -1}, "seed: expected a whole number"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        alignment_curve(awkward(), **options)


def test_an_array_is_no_matrix():
    with pytest.raises(ValueError, match="raters: expected a RaterMatrix, as rater_matrix makes it, got ndarray"):
        alignment_curve(np.ones((20, 3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratings": [1.0, 2.0], "targets": [1.0, 2.0]}, "ratings: expected shape"),
        ({"ratings": np.zeros((0, 2)), "targets": np.zeros(0)}, "ratings: expected shape"),
        ({"ratings": [[np.inf], [1.0]], "targets": [1.0, 2.0]}, "ratings: expected finite numbers or NaN, got inf"),
        ({"ratings": [[1e200], [1.0]], "targets": [1.0, 2.0]}, r"numbers up to 1e\+100, got 1e\+200 at index \[0, 0\]"),
        ({"ratings": [["a"], ["b"]], "targets": [1.0, 2.0]}, "ratings: expected an array of numbers"),
        ({"ratings": [[1.0], [1.0]], "targets": [1.0]}, "targets: expected shape"),
        ({"ratings": [[1.0], [1.0]], "targets": [np.nan, None]}, "targets: expected at least one number"),
        ({"ratings": [[1.0], [1.0]], "targets": [1, 2], "weights": [1, 0]}, "weights: expected positive"),
        ({"ratings": [[1.0], [1.0]], "targets": [1, 2], "weights": [1]}, "weights: expected shape"),
        ({"ratings": [[1.0], [1.0]], "targets": [1, 2], "groups": [-1, 0]}, "groups: expected whole numbers from 0"),
        ({"ratings": [[1.0], [1.0]], "targets": [1, 2], "groups": [0]}, "groups: expected shape"),
        ({"ratings": [[1.0], [1.0]], "targets": [1, 2], "items": ["a"]}, "items: expected 2 names"),
        ({"ratings": [[1.0, 1.0]] * 2, "targets": [1, 2], "raters": ["a", "a"]}, "raters: expected different names"),
    ],
)
def test_bad_matrices(arguments, message):
    with pytest.raises(ValueError, match=message):
        rater_matrix(**arguments)


def test_groups_by_name_and_selection():
    matrix = rater_matrix(np.arange(6).reshape(3, 2), [[1, 2]] * 3, groups=["b", "a", "b"], targets_names=["x", "y"])
    assert matrix.groups.tolist() == [0, 1, 0]
    chosen = matrix.select(raters=[1, "rater 1"], targets=["y"])
    assert chosen.rater_names == ("rater 2", "rater 1")
    assert chosen.targets[:, 0].tolist() == [2, 2, 2]
    for wrong in (["nobody"], [7], []):
        with pytest.raises(ValueError, match="raters: expected"):
            matrix.select(raters=wrong)
    with pytest.raises(ValueError, match="no group's number leaves some rest"):
        alignment_curve(
            rater_matrix(np.ones((4, 1)), np.arange(4), groups=[0, 2, 4, 6]), folds=2, fold_assignment="modulo"
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "martian"}, "kind: expected one of"),
        ({"kind": "personas", "personas": 0}, "personas: expected a whole number"),
        ({"kind": "correlated", "correlation": 1.5}, "correlation: expected a number from 0 to 1"),
        ({"kind": "independent", "noise": -0.1}, "noise: expected a number"),
    ],
)
def test_bad_families(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_raters(**options, seed=0)
