"""Lotteries in the selection game, through the house: options, results, rows and what theory says."""

from __future__ import annotations

import random

import equilibrax as eq
import numpy as np
import oracles
import oracles_lotteries
import pytest
from equilibrax.games import LotteryResult
from equilibrax.games.lotteries import engine as lottery_engine
from equilibrax.rows import committee_rows

LOTTERIES = eq.Selection(rules="lotteries")


def drawn(count: int = 24, states: int = 3, providers: int = 3, high: int = 9) -> list[oracles.Table]:
    rng = random.Random(17)
    return [oracles.random_table(rng, states, 4, providers, 0, high) for _ in range(count)]


def test_one_state_where_lotteries_protect():
    """Either provider can mix a little of the user's best into what it likes, so only her best is left."""
    tables = eq.from_integers([[0, 1, 0]], [[[0, 0, 1]], [[1, 0, 0]]], resolution=1)
    schemes, lotteries = eq.solve(tables), eq.solve(tables, LOTTERIES)
    assert isinstance(lotteries, LotteryResult)
    assert schemes.worst_utility[0, 2] == 0
    assert lotteries.worst_utility[0, 2] == 1
    assert lotteries.equilibria[0].tolist() == [1, 1, 1]
    assert lotteries.intervals(0, 0b11) == [(1.0, 1.0)]
    assert lotteries.worst_rule[0, 2].tolist() == [[0.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("tie_break", "backend"), [("incumbent", "cpu"), ("lowest_index", "cpu"), ("incumbent", "xla")]
)
def test_results_are_those_of_the_oracle(tie_break, backend, tables_of, monkeypatch):
    """Actions may be missing; tables with more intervals than there is room for are solved again."""
    monkeypatch.setattr(lottery_engine, "FEW", 1)
    games = drawn()
    tables = tables_of(games, resolution=10)
    found = eq.solve(tables, eq.Selection(tie_break, rules="lotteries"), backend=backend)
    assert found.retries.any()
    assert not found.status.any()
    rows = committee_rows(found)
    for i, game in enumerate(games):
        for c, committee in enumerate(oracles.committees(game)):
            intervals, attained = oracles_lotteries.equilibria(game, committee, tie_break)
            unit = 10 * game.total
            expected = [(low / unit, high / unit) for low, high in intervals]
            assert found.intervals(i, committee) == expected
            assert rows["intervals"][i * len(found.committees) + c].as_py() == [list(pair) for pair in expected]
            scheme = oracles_lotteries.worst_scheme(game, committee, tie_break)
            assert tuple(found.worst_rule[i, c].argmax(axis=1).tolist()) == scheme
            assert found.worst_utility[i, c] == expected[0][0]
            assert found.best_utility[i, c] == expected[-1][1]
            monkeypatch.setattr(oracles, "equilibrium_outcomes", lambda *_, attained=attained: attained)
            eps = oracles.misalignment(game, committee, tie_break=tie_break) / 10
            assert found.misalignment[i, c] == pytest.approx(eps, abs=1e-8)
    np.testing.assert_array_equal(found.worst_rule.sum(axis=3), 1.0)


def higher_than_schemes(tables: eq.UtilityTables) -> int:
    """For how many committees the worst equilibrium is better; for none it is worse.

    Schemes are lotteries, so there are more deviations, and the worst equilibrium among lotteries is a scheme.
    """
    schemes, lotteries = (eq.solve(tables, game) for game in (eq.Selection(dynamics=False), LOTTERIES))
    assert (lotteries.worst_value >= schemes.worst_value).all()
    assert (lotteries.misalignment <= schemes.misalignment + 1e-8).all()
    assert (lotteries.worst_utility >= lotteries.bound - 1e-8).all()
    np.testing.assert_array_equal(lotteries.best_value, schemes.best_value)
    return int((lotteries.worst_value > schemes.worst_value).sum())


def test_the_worst_is_never_below_that_of_schemes():
    rng = np.random.default_rng(8)
    user, providers = rng.integers(0, 50, (400, 3, 4)), rng.integers(0, 50, (400, 4, 3, 4))
    assert higher_than_schemes(eq.from_integers(user, providers, prior=rng.integers(1, 4, (400, 3)))) > 100


@pytest.mark.slow
@pytest.mark.parametrize("family", eq.problems.families())
def test_nor_in_any_family(family):
    higher_than_schemes(eq.sample_tables(family, 100, seed=1, states=3, actions=3, providers=3))


@pytest.mark.slow
def test_twenty_states_and_ten_actions_on_both_backends():
    tables = eq.sample_tables("uniform", 12, seed=3, states=20, actions=10, providers=5)
    game = eq.Selection(rules="lotteries", misalignment=False)
    loops, kernels = (eq.solve(tables, game, backend=backend) for backend in ("cpu", "xla"))
    for name in ("worst_value", "interval_count", "interval_values", "worst_scheme", "equilibria"):
        np.testing.assert_array_equal(getattr(loops, name), getattr(kernels, name), err_msg=name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dynamics": True}, 'dynamics: expected none with rules="lotteries"'),
        ({"dynamics": eq.Dynamics(step_limit=3)}, 'dynamics: expected none with rules="lotteries"'),
        ({"method": "dense"}, "method: expected the default 'auto' with rules=\"lotteries\""),
        ({"capacity": 64}, 'capacity: expected the default None with rules="lotteries"'),
        ({"max_capacity": 64}, 'max_capacity: expected the default 65536 with rules="lotteries"'),
    ],
)
def test_options_of_schemes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        eq.Selection(rules="lotteries", **options)


def test_rules_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="rules: expected "):
        eq.Selection(rules="partitions")  # pyright: ignore[reportArgumentType]


def test_dynamics_are_what_the_rules_have():
    assert eq.Selection().dynamics is True
    assert LOTTERIES.dynamics is False
    assert eq.Selection(rules="lotteries", dynamics=False) == LOTTERIES
    assert eq.Selection(dynamics=True) == eq.Selection()


@pytest.mark.slow
def test_theory_takes_the_outcomes_of_lotteries():
    tables = eq.load_paper_table("movielens")
    found = eq.solve(tables, LOTTERIES)
    alone = eq.misalignment(tables, game=LOTTERIES)
    np.testing.assert_allclose(alone.misalignment, found.misalignment, rtol=0, atol=3e-9)
    assert not eq.theory.bounds(found).refuted.any()
    assert (found.misalignment < eq.solve(tables).misalignment - 1e-3).any()


def test_what_is_asked_of_schemes_is_refused_for_lotteries():
    """Their worst equilibria differ, so an answer would be one to another question."""
    result = eq.solve(eq.load_paper_table("synthetic-1"), eq.Selection(rules="lotteries"))
    with pytest.raises(ValueError, match="expected tables, or a solved selection game with schemes"):
        eq.datasets.questions(result)
    with pytest.raises(ValueError, match=r"groups: expected some of schemes, .*, got equilibria"):
        eq.rows.committee_rows(result, ["equilibria"])
