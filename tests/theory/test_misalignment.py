"""Misalignment scores and Theorem 6: against exact fractions, with certificates, and over sweeps of every family."""

from __future__ import annotations

import importlib
import itertools
import random
from functools import partial

import equilibrax as eq
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from equilibrax import Status
from equilibrax.fits import chebyshev as certified
from equilibrax.problems.random_tables import sample_tables
from equilibrax.verification.programs import _proved
from equilibrax_kernels.fits.chebyshev import certified_fit, misalignment_lanes

module = importlib.import_module("equilibrax.theory._misalignment")  # the package exports the function of the same name

RULES = ("incumbent", "lowest_index")
OPTIONS = list(itertools.product(("equilibrium", "table"), ("nonnegative", "simplex")))
FAMILIES = ("uniform", "noisy", "biased", "systematic", "hull", "near_hull", "zero_sum")


def random_games(seed: int, count: int, states: int, actions: int, providers: int) -> list[oracles.Table]:
    rng = random.Random(seed)
    return [oracles.random_table(rng, states, actions, providers) for _ in range(count)]


# --- against the oracle -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "weights"), OPTIONS[1:])
@pytest.mark.parametrize("name", eq.io.PAPER_TABLES)
def test_paper_tables_agree_with_the_oracle(name, rows, weights):
    """The option pair that is left out is the one that `solve` uses; see test_selection."""
    fit, game = eq.misalignment(eq.load_paper_table(name), rows=rows, weights=weights), oracles.paper_table(name)
    assert fit.certified.all()
    for c, committee in enumerate(oracles.committees(game)):
        expected = oracles.misalignment(game, committee, rows, weights) / oracles.PAPER_SCALE
        assert fit.misalignment[0, c] == pytest.approx(expected, rel=0, abs=1e-9), committee
    if name == "synthetic-1":
        for committee in (1, 9, 31):
            exact = oracles.misalignment_exact(game, committee, rows, weights) / oracles.PAPER_SCALE
            assert fit.misalignment[0, committee - 1] == pytest.approx(float(exact), rel=0, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "weights"), OPTIONS)
def test_small_tables_are_exact_and_proved(tables_of, rows, weights):
    """Scores against fractions, and the multipliers, on the actions of the table, as a proof of them."""
    games = random_games(7, 12, 3, 2, 3)
    tables = tables_of(games)
    for tie_break in RULES if rows == "equilibrium" else RULES[:1]:
        fit = eq.misalignment(tables, rows=rows, weights=weights, game=eq.Selection(tie_break), multipliers=True)
        assert fit.certified.all()
        assert fit.lower.shape == fit.upper.shape == (12, 7, 3, 2)
        for (i, game), committee in itertools.product(enumerate(games), range(1, 8)):
            c, team = committee - 1, oracles.members(game, committee)
            exact = float(oracles.misalignment_exact(game, committee, rows, weights, tie_break))
            assert fit.misalignment[i, c] == pytest.approx(exact, rel=0, abs=1e-9), (game, committee)

            above = below = set(oracles.outcomes(game))
            if rows == "equilibrium":
                above = oracles.equilibrium_outcomes(game, committee, tie_break)
                below = oracles.optimal_outcomes(game)
            user, providers = np.array(game.user), np.array(game.providers)
            combined = np.tensordot(fit.weights[i, c], providers, 1) + fit.offset[i, c]
            assert all(combined[r] <= user[r] + exact + 1e-9 for r in above)
            assert all(combined[r] >= user[r] - exact - 1e-9 for r in below)
            assert set(np.flatnonzero(fit.weights[i, c])) <= set(team)
            if weights == "simplex":
                assert fit.weights[i, c].sum() == pytest.approx(1)

            lower, upper = fit.lower[i, c], fit.upper[i, c]
            assert set(map(tuple, np.argwhere(lower).tolist())) <= below
            assert set(map(tuple, np.argwhere(upper).tolist())) <= above
            assert lower.sum() == pytest.approx(upper.sum())
            excess = [((lower - upper) * providers[j]).sum() for j in team]
            proved = ((lower - upper) * user).sum() - (max(excess) if weights == "simplex" else 0)
            assert weights == "simplex" or max(excess) <= 1e-9
            if exact > 0:
                assert proved / (2 * lower.sum()) == pytest.approx(exact, rel=0, abs=1e-8)


@pytest.mark.slow
def test_looser_programs_have_smaller_scores():
    """Equilibria attain some outcomes, the simplex holds some weights, and a provider more is a weight more."""
    tables = sample_tables("uniform", 100, states=3, actions=3, providers=3, seed=8)
    options = [OPTIONS[0], OPTIONS[2], OPTIONS[3]]
    attained, free, simplex = (eq.misalignment(tables, rows=r, weights=w).misalignment for r, w in options)
    assert (attained <= free + 1e-9).all()
    assert (free <= simplex + 1e-9).all()
    assert (attained < free - 0.01).any()
    assert (free < simplex - 0.01).any()
    for small, large in itertools.product(range(1, 8), repeat=2):
        if small & large == small:
            assert (simplex[:, large - 1] <= simplex[:, small - 1] + 1e-9).all()


# --- scales -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_scores_scale_with_the_user_and_not_with_providers():
    """Utilities of very different sizes, at a resolution of a million, are certified like any others."""
    rng = np.random.default_rng(10)
    user, providers = rng.integers(0, 1000, (4, 3, 3)), rng.integers(0, 1000, (4, 3, 3, 3))

    def scores(user_scale, provider_scale):
        tables = eq.from_arrays(user * user_scale, providers * provider_scale, resolution=1_000_000)
        fit = eq.misalignment(tables)
        assert fit.certified.all()
        assert (fit.gap <= 1e-9 * 1000 * user_scale).all()
        return fit.misalignment

    expected = scores(1.0, 1.0)
    assert expected.max() > 100
    np.testing.assert_allclose(scores(1e-3, 1.0), expected / 1000, rtol=0, atol=1e-9)
    np.testing.assert_allclose(scores(1.0, 1e-3), expected, rtol=0, atol=1e-6)


# --- certificates that do not close -----------------------------------------------------------------------------------


def test_highs_takes_over_where_the_batched_solver_stops(monkeypatch):
    tables = sample_tables("noisy", 6, states=3, actions=3, providers=3, seed=11)
    options = {"rows": "table", "weights": "simplex", "multipliers": True}
    expected = eq.misalignment(tables, **options)
    assert expected.resolved == 0
    monkeypatch.setattr(module, "FitOptions", partial(certified.FitOptions, iteration_limit=0))
    fit = eq.misalignment(tables, **options)
    assert 10 < fit.resolved <= fit.misalignment.size
    assert fit.certified.all()
    np.testing.assert_allclose(fit.misalignment, expected.misalignment, rtol=0, atol=1e-9)
    np.testing.assert_allclose(fit.lower.sum(axis=(2, 3)), fit.upper.sum(axis=(2, 3)), rtol=0, atol=1e-12)

    solved = eq.solve(tables, eq.Selection(dynamics=False, misalignment=certified.FitOptions(iteration_limit=0)))
    assert solved.fit.resolved > 0
    assert not solved.status.any()
    assert (solved.worst_utility >= solved.bound - 1e-9).all()
    expected = eq.misalignment(tables, [7]).misalignment
    np.testing.assert_allclose(solved.misalignment[:, 6:], expected, rtol=0, atol=1e-9)


def test_what_cannot_be_certified_says_so(monkeypatch):
    tables = sample_tables("noisy", 2, states=2, actions=2, providers=2, seed=12)
    game = eq.Selection(dynamics=False)
    expected = eq.solve(tables, game, committees=[3])
    monkeypatch.setattr(certified, "TOLERANCE", -1.0)  # no proof is good enough
    result = eq.solve(tables, game, committees=[3], throw=False)
    assert (result.status == int(Status.MISALIGNMENT_UNCERTIFIED)).all()
    assert (result.status_names == "MISALIGNMENT_UNCERTIFIED").all()
    assert result.fit.resolved == 2  # HiGHS has been asked
    np.testing.assert_array_equal(result.worst_value, expected.worst_value)
    np.testing.assert_allclose(result.misalignment, expected.misalignment, rtol=0, atol=1e-9)
    with pytest.raises(eq.SolveError, match=r"^2 of 2 tables .* committee 3: MISALIGNMENT_UNCERTIFIED\."):
        eq.solve(tables, game, committees=[3])
    fit = eq.misalignment(tables, [3], rows="table", throw=False)
    assert not fit.certified.any()
    with pytest.raises(eq.SolveError, match=r"^2 of 2 scores .* committee 3: MISALIGNMENT_UNCERTIFIED\."):
        eq.misalignment(tables, [3], rows="table")


@pytest.mark.slow
def test_a_table_that_does_not_fit_has_no_score():
    tables = sample_tables("uniform", 2, states=9, actions=3, providers=2, seed=13)  # too many schemes to list
    with pytest.raises(eq.SolveError, match="FRONTIER_OVERFLOW"):
        eq.misalignment(tables, [3], game=eq.Selection(max_capacity=2))
    fit = eq.misalignment(tables, [3], game=eq.Selection(max_capacity=2), throw=False)
    assert np.isnan(fit.misalignment).all()
    assert np.isnan(fit.gap).all()
    assert np.isnan(fit.weights).all()
    assert not fit.certified.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": "all"}, "^rows: expected one of 'equilibrium', 'table', got 'all'$"),
        ({"weights": "free"}, "^weights: expected one of 'nonnegative', 'simplex', got 'free'$"),
        ({"game": "selection"}, "^game: expected a Selection game, got 'selection'$"),
        ({"committees": [4]}, "^committees: expected bitmasks from 1 to 3 for 2 providers, got 4$"),
    ],
)
def test_unknown_options_are_refused(options, message):
    tables = sample_tables("uniform", 1, states=1, actions=2, providers=2, seed=0)
    with pytest.raises(ValueError, match=message):
        eq.misalignment(tables, **options)


# --- Theorem 6 --------------------------------------------------------------------------------------------------------


def violations(result: eq.games.SelectionResult) -> int:
    """Rows in which some equilibrium gives the user less than her optimum minus twice the misalignment."""
    return int((result.worst_utility < result.optimum - 2 * result.misalignment - 1e-9).sum())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bound_holds_on_10000_tables(family):
    """Definition 1 and Theorem 6 on each of 70,000 committees; `hull` and `near_hull` are what they promise."""
    tables = sample_tables(family, 10_000, states=3, actions=3, providers=3, seed=14)
    result = eq.solve(tables, eq.Selection(dynamics=False))
    assert result.fit.certified.all()
    assert violations(result) == 0
    np.testing.assert_array_equal(result.bound, result.optimum - 2 * result.misalignment)
    assert (result.worst_utility < result.optimum - 1e-3).sum() > 1000  # there is something to bound
    assert (result.worst_utility - result.bound).min() < 1e-9
    # The theorem with its sign the wrong way round is wrong.
    assert (result.worst_utility < result.optimum + 2 * result.misalignment - 1e-9).sum() > 1000

    everybody = result.index(0b111)
    whole = eq.misalignment(tables, [0b111], rows="table", weights="simplex").misalignment[:, 0]
    assert (result.worst_utility[:, everybody] >= result.optimum[:, everybody] - 2 * whole - 1e-9).all()
    assert (result.misalignment[:, everybody] <= whole + 1e-9).all()
    if family in ("hull", "zero_sum"):  # the user is a weighted average of the providers
        assert whole.max() < 1e-9
        np.testing.assert_array_equal(result.worst_value[:, everybody], result.optimum_value)
    elif family == "near_hull":
        assert 0.04 < whole.max() <= 0.05 + 1e-9
    else:
        assert whole.max() > 0.1


@pytest.mark.parametrize("family", ["uniform", "noisy", "systematic"])
def test_the_bound_is_tight_where_there_is_one_state(family):
    """With one state the user's loss is exactly twice the misalignment, so any smaller factor would be wrong."""
    tables = sample_tables(family, 10_000, states=1, actions=5, providers=3, seed=15)
    result = eq.solve(tables, eq.Selection(dynamics=False))
    assert violations(result) == 0
    np.testing.assert_allclose(result.worst_utility, result.bound, rtol=0, atol=1e-9)
    assert (result.misalignment > 0.01).sum() > 1000


def negated_providers(user, providers, above, below, member, **options):
    return misalignment_lanes(user, -providers, above, below, member, **options)


def exchanged_rows(user, providers, above, below, member, **options):
    return misalignment_lanes(user, providers, below, above, member, **options)


def optimal_rows_only(user, providers, above, below, member, **options):
    return misalignment_lanes(user, providers, below, below, member, **options)


@pytest.mark.parametrize("mistake", [negated_providers, exchanged_rows, optimal_rows_only])
def test_a_wrong_sign_in_the_program_would_break_the_bound(monkeypatch, mistake):
    """The sweep above is a test of the linear program: with a mistake in it, Theorem 6 fails on random tables."""
    tables = sample_tables("uniform", 10_000, states=3, actions=3, providers=3, seed=14)
    monkeypatch.setattr(certified, "misalignment_lanes", mistake)
    # Its own options, so that no compiled program is shared with other tests.
    limit = 401 + len(mistake.__name__)
    game = eq.Selection(dynamics=False, misalignment=certified.FitOptions(iteration_limit=limit))
    result = eq.solve(tables, game, backend="xla", throw=False)
    assert violations(result) > 100


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e6])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e3])
def test_a_dual_violation_counts_in_the_range_of_the_provider(size, unit):
    """Multipliers that miss a provider's constraint by all of its range prove nothing, however small that range is."""
    user, provider = unit * np.array([0.0, 1.0]), size * np.array([0.0, 1.0])
    everywhere, top, bottom = np.ones((2, 1), bool), np.array([[0.0], [0.5]]), np.array([[0.5], [0.0]])
    with jax.enable_x64(True):
        lanes = user[:, None], provider[None, :, None], everywhere, everywhere, np.ones((1, 1), bool)
        found = certified_fit(*map(jnp.asarray, (*lanes, np.zeros((1, 1)), top, bottom)), simplex=False)
        fit = jax.tree.map(np.asarray, found)
    assert fit.eps[0] - fit.gap[0] == pytest.approx(unit / 2)  # as far as the user is concerned, the proof is complete
    assert fit.violation[0] == pytest.approx(1.0)
    rows = np.arange(2)
    assert _proved(user, provider[None], rows, rows, np.concatenate([bottom[:, 0], top[:, 0]])) == 0
