"""Least squares on Gram matrices: against scipy and an interior point method, on columns of every bad kind."""

from __future__ import annotations

import equilibrax as eq
import jax
import numpy as np
import oracles_raters as oracles
import pytest
from equilibrax.fits import _active_set, scaling
from equilibrax.fits.least_squares import nonnegative_least_squares

ROWS, SIZE = 30, 36


def bad_columns() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Columns and a target, more columns than rows."""
    rng = np.random.default_rng(0)
    target = rng.random(ROWS)
    plain = np.clip(target[:, None] + rng.normal(0, 0.3, (ROWS, SIZE)), 0, 1)
    low = rng.normal(size=(ROWS, 7)) @ rng.random((7, SIZE))
    holes = plain.copy()
    holes[:, ::3], holes[:, 1] = 0.0, 1.0
    return {
        "random": (plain, target),
        "duplicated": (plain[:, rng.integers(0, 9, SIZE)], target),
        "collinear": (plain[:, rng.integers(0, 9, SIZE)] + 1e-5 * rng.normal(size=plain.shape), target),
        "rank deficient": (low, target),
        "in the hull": (low, low @ rng.dirichlet(np.ones(SIZE))),
        "zero and constant": (holes, target),
        "of all sizes": (plain * 10.0 ** rng.uniform(-3, 3, SIZE), target),
        "correlated": (
            target[:, None] + 0.3 * rng.normal(size=(ROWS, 1)) + 0.003 * rng.normal(size=plain.shape),
            target,
        ),
        "whole numbers": (np.round(3 * plain), np.round(3 * target)),
        "opposed": (-plain, target),
        "with the target": (np.c_[plain[:, :-1], target], target),
    }


NAMES = list(bad_columns())


@pytest.fixture(scope="module")
def solved():
    """All of the above, with all columns and with some, in one batch per constraint."""
    columns, targets = (np.stack(parts) for parts in zip(*bad_columns().values()))
    members = np.ones((2, 1, SIZE), bool)
    members[1, 0, 1::2] = False
    gaps = columns - targets[:, :, None]
    return {
        "nonnegative": nonnegative_least_squares(
            np.einsum("bik,bij->bkj", columns, columns), np.einsum("bik,bi->bk", columns, targets), members=members
        ),
        "simplex": nonnegative_least_squares(
            np.einsum("bik,bij->bkj", gaps, gaps), members=members, constraint="simplex"
        ),
    }


@pytest.mark.parametrize("constraint", ["nonnegative", "simplex"])
def test_objectives_agree_with_other_solvers(solved, constraint):
    fit = solved[constraint]
    oracle = oracles.nonnegative if constraint == "nonnegative" else oracles.simplex
    assert fit.weights.shape == (2, len(NAMES), SIZE)
    assert (fit.weights >= 0).all()
    assert (fit.weights[1, :, 1::2] == 0).all()
    assert fit.converged.all()
    if constraint == "simplex":
        np.testing.assert_allclose(fit.weights.sum(axis=-1), 1, rtol=0, atol=1e-12)
    for b, (columns, target) in enumerate(bad_columns().values()):
        for m, chosen in enumerate((slice(None), slice(None, None, 2))):
            mine = ((columns @ fit.weights[m, b] - target) ** 2).sum()
            other = ((columns[:, chosen] @ oracle(columns[:, chosen], target) - target) ** 2).sum()
            assert mine == pytest.approx(other, rel=1e-7, abs=1e-7), NAMES[b]


@pytest.mark.slow
@pytest.mark.parametrize("intercept", [False, True])
def test_objectives_agree_for_every_number_of_raters_up_to_a_hundred(intercept):
    """Random, collinear, duplicated and rank-deficient columns, K = 1..100, more raters than items from K = 61 on."""
    rng, rows, size, kinds = np.random.default_rng(7), 60, 100, 4
    target = rng.random(rows)
    plain = np.clip(target[:, None] + rng.normal(0, 0.3, (rows, size)) + rng.normal(0, 0.2, size), 0, 1)
    columns = np.stack(
        [
            plain,
            plain[:, rng.integers(0, 20, size)] + 1e-5 * rng.normal(size=plain.shape),
            plain[:, rng.integers(0, 20, size)],
            rng.random((rows, 8)) @ rng.dirichlet(np.ones(8), size).T,
        ]
    )
    if intercept:  # a free constant is fitted by taking means out of columns and target
        columns, target = columns - columns.mean(axis=1, keepdims=True), target - target.mean()
    gaps = columns - target[:, None]
    members = np.arange(size) <= np.arange(size)[:, None, None]
    free = nonnegative_least_squares(columns.swapaxes(1, 2) @ columns, columns.swapaxes(1, 2) @ target, members=members)
    convex = nonnegative_least_squares(gaps.swapaxes(1, 2) @ gaps, members=members, constraint="simplex")
    assert free.weights.shape == (size, kinds, size)
    for k in range(size):
        for b in range(kinds):
            some = columns[b][:, : k + 1]

            def objective(weights, some=some):
                return ((some @ weights - target) ** 2).sum()

            for mine, other in (
                (free.weights, oracles.nonnegative(some, target)),
                (convex.weights, oracles.quadratic_program(some, target)),
            ):
                mine, other = objective(mine[k, b, : k + 1]), objective(other)
                assert mine == pytest.approx(other, abs=1e-7, rel=0), (k, b)
                assert mine <= other + 1e-10, (k, b)


def test_residual_does_not_depend_on_units_and_is_the_definition():
    rng = np.random.default_rng(1)
    columns, target = rng.random((20, 5)), rng.random(20)
    gram, moment, weights = columns.T @ columns, columns.T @ target, np.array([0.2, 0.0, 0.3, 0.0, 0.4])
    members = np.array([True, True, True, True, False])
    weights[4] = 0.0
    plain = scaling.kkt_residual(gram, moment, weights, members, "nonnegative")
    norms, g = np.linalg.norm(columns, axis=0), moment - gram @ weights
    tau = (moment / norms)[:4].max()
    assert plain == pytest.approx(max(*np.abs(g / norms / tau)[[0, 2]], *np.maximum(g / norms / tau, 0)[[1, 3]]))
    scale = np.array([1e3, 1e-4, 2.0, 5.0, 1.0])
    other = scaling.kkt_residual(
        gram * scale[:, None] * scale, 7.0 * moment * scale, 7.0 * weights / scale, members, "nonnegative"
    )
    assert other == pytest.approx(plain, rel=1e-9)
    gaps = columns - target[:, None]
    apart, weights = gaps.T @ gaps, weights / weights.sum()
    share = [scaling.kkt_residual(s * apart, 0 * moment, weights, members, "simplex") for s in (1.0, 1e6)]
    assert share[0] == pytest.approx(share[1], rel=1e-9)
    optimum = np.append(oracles.simplex(columns[:, :4], target), 0.0)
    excess = weights @ apart @ weights - optimum @ apart @ optimum
    assert 0 < excess <= 2 * share[0] * np.diag(apart)[:4].min()


def test_what_the_kernel_leaves_is_refined_and_what_remains_is_said(monkeypatch):
    columns, target = bad_columns()["random"]
    gram, moment = columns.T @ columns, columns.T @ target
    fit = nonnegative_least_squares(gram, moment)
    assert fit.refined == 0
    for module in ("least_squares", "scaling"):
        monkeypatch.setattr(f"equilibrax.fits.{module}.TOLERANCE", -1.0)
    again = nonnegative_least_squares(gram, moment, throw=False)
    assert again.refined == 1
    np.testing.assert_allclose(columns @ again.weights, columns @ fit.weights, atol=1e-9)
    with pytest.raises(eq.SolveError, match="1 of 1 fits have a KKT residual above"):
        nonnegative_least_squares(gram, moment)


def test_careful_solver_agrees_with_scipy():
    for name, (columns, target) in bad_columns().items():
        weights, _ = _active_set.solve_one(columns.T @ columns, columns.T @ target)
        other = oracles.nonnegative(columns, target)
        mine = ((columns @ weights - target) ** 2).sum()
        assert mine == pytest.approx(((columns @ other - target) ** 2).sum(), rel=1e-7, abs=1e-7), name


def test_moment_and_square_give_the_simplex_too_and_devices_do_not_matter():
    columns, target = bad_columns()["random"]
    gaps = columns - target[:, None]
    gram, moment, square = columns.T @ columns, columns.T @ target, target @ target
    one = nonnegative_least_squares(gaps.T @ gaps, constraint="simplex", devices=jax.local_devices()[:1])
    two = nonnegative_least_squares(gram, moment, square=square, constraint="simplex")
    np.testing.assert_allclose(columns @ one.weights, columns @ two.weights, atol=1e-8)
    nobody = nonnegative_least_squares(gram, moment, members=np.zeros(SIZE, bool))
    assert (nobody.weights == 0).all()
    assert nobody.kkt_residual == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"gram": np.eye(2)}), "moment: expected"),
        (({"gram": np.ones((2, 3)), "moment": np.ones(3)}), "gram: expected shape"),
        (({"gram": np.array([[1.0, 2.0], [0.0, 1.0]]), "moment": np.ones(2)}), "gram: expected symmetric"),
        (({"gram": -np.eye(2), "moment": np.ones(2)}), "gram: expected positive semidefinite"),
        (({"gram": np.eye(2) * np.nan, "moment": np.ones(2)}), "gram: expected finite"),
        (({"gram": np.eye(2), "moment": np.ones(3)}), "moment: expected shape"),
        (({"gram": np.eye(2), "moment": np.ones(2), "members": np.ones(2)}), "members: expected bool"),
        (({"gram": np.eye(2), "members": np.zeros(2, bool), "constraint": "simplex"}), "members: expected at least"),
        (({"gram": np.eye(2), "moment": np.ones(2), "constraint": "simplex"}), "square: expected"),
        (({"gram": np.eye(2), "moment": np.ones(2), "constraint": "convex"}), "constraint: expected one of"),
        (({"gram": np.ones((2, 1, 1)), "moment": np.ones((3, 1))}), "leading axes that agree"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        nonnegative_least_squares(**arguments)
