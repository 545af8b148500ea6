"""Efficiency of equilibria: against HiGHS, against rules compared one by one, what is proved, and what is refused."""

from __future__ import annotations

import math
import random
from typing import Any

import equilibrax as eq
import numpy as np
import oracles
import oracles_efficiency as oracle
import oracles_persuasion
import pytest
from equilibrax import PersuasionGame, Status
from equilibrax.games import dominating_scheme

AGENTS = ("committee", "everyone", "providers")
GAMES = {
    "selection": eq.Selection(),
    "lowest": eq.Selection(tie_break="lowest_index"),
    "obedient": eq.Obedient(),
    "joint": eq.Joint(),
    "quantal": eq.Joint(eq.Quantal((2.5, math.inf))),
    "obedient, quantal": eq.Obedient(response=eq.Quantal(1.0)),
    "oblivious": eq.Oblivious(),
}


def drawn(
    seed: int, count: int, signals: int = 1, states: int = 3, providers: int = 2
) -> list[oracles_persuasion.Game]:
    """Games with many ties and missing actions."""
    rng = random.Random(seed)
    sizes = (signals, states, 3, providers)
    return [oracles_persuasion.random_game(rng, *sizes, high=rng.choice((2, 4))) for _ in range(count)]


def batch(games: list[oracles_persuasion.Game]) -> PersuasionGame:
    arrays: Any = {n: np.array([getattr(g, n) for g in games], np.int64) for n in ("weights", "user", "providers")}
    available = np.array([g.available for g in games], bool)
    return PersuasionGame(**arrays, available=available, table_id=np.arange(len(games)), resolution=1)


def tables(games: list[oracles_persuasion.Game]) -> eq.UtilityTables:
    """The same contributions as utilities, with a uniform prior."""
    user, providers = (np.array([getattr(g, name) for g in games]) for name in ("user", "providers"))
    return eq.from_integers(user[:, 0], providers[:, :, 0], available=batch(games).available, resolution=1)


def payoffs_of(game: oracles_persuasion.Game) -> tuple[np.ndarray, np.ndarray]:
    """`[N, Z X, A]` and which exist."""
    every = np.array(game.players)
    available = np.broadcast_to(np.array(game.available, bool), every.shape[1:])
    return every.reshape(len(every), -1, game.actions), available.reshape(-1, game.actions)


def lottery_of(game: oracles_persuasion.Game, labels: np.ndarray, rationality: float | None) -> np.ndarray:
    """`[Z X, A]` what the user does after a partition."""
    cells = oracles_persuasion.from_labels(labels.tolist())
    cell = {x: c for c in cells for x in oracles_persuasion.states_of(c)}
    rows = [
        oracles_persuasion.response(game, cell[x], z, rationality)
        for z in range(game.signals)
        for x in range(game.states)
    ]
    return np.array(rows, float)


def agents_in(mask: int, providers: int, agents: str) -> np.ndarray:
    members = [j for j in range(providers) if mask >> j & 1 or agents == "everyone"]
    return np.array([1 + j for j in members] if agents == "providers" else [0, *(1 + j for j in members)])


def check(found, at: tuple, payoffs, available, lottery, unit: float, who: np.ndarray, others: list) -> None:
    """One outcome, in every respect. `others` are what rules of the same kind give to everybody."""
    ones = np.full(len(who), unit)
    own = (payoffs * lottery).sum(axis=(1, 2))
    gap, weights = oracle.gap(payoffs[who], available, own[who], ones), found.weights[at]
    least = oracle.least_weight(payoffs[who], available, lottery > 1e-12, ones)
    assert found.certified[at]
    assert found.values[at] == pytest.approx(own / unit)
    assert found.gap[at] == pytest.approx(gap, abs=1e-8)
    assert found.weakly_efficient[at] == (least is not None)
    assert found.efficient[at] == (least is not None and least > 1e-9)
    assert np.delete(weights, who) == pytest.approx(0)
    assert weights.sum() == pytest.approx(1)
    if found.efficient[at]:
        assert weights[who].min() == pytest.approx(least, abs=1e-9)
    slack = 0 if isinstance(others[0][0], int) else 1e-9 * unit
    some, every = oracle.dominated(own[who], [[one[i] for i in who] for one in others], slack)
    assert found.efficient_rules[at] == (not some)
    assert found.weakly_efficient_rules[at] == (not every)
    rule = found.dominating_rule[at].reshape(lottery.shape)
    assert np.isnan(rule).all() == found.efficient[at]
    if not found.efficient[at]:
        more = (payoffs * rule).sum(axis=(1, 2))[who] - own[who]
        assert more.min() / unit == pytest.approx(gap, abs=1e-8)
        assert more.max() > 1e-9
        assert (rule * ~available).sum() == 0


@pytest.mark.parametrize("name", GAMES)
def test_every_game_agrees_with_highs_and_with_rules_compared_one_by_one(name):
    """300 outcomes of committees of all sizes in all."""
    followed = isinstance(GAMES[name], eq.Selection)
    games = drawn(len(name), 4, 1, providers=3) if followed else drawn(len(name), 4, 2)
    problem = tables(games) if followed else batch(games)
    if followed:  # with a uniform prior
        games = [oracles_persuasion.Game([[1, 1, 1]], g.user, g.providers, g.available) for g in games]
    result = eq.solve(problem, GAMES[name])
    efficient = 0
    for agents, of in zip(AGENTS, ("worst", "best", "worst" if name == "oblivious" else "dynamics")):
        found = eq.efficiency(result, agents, of)
        for at in np.ndindex(found.gap.shape):
            game, mask = games[at[0]], int(result.committees[at[-1]])
            lam = result.rationalities[at[1] if len(at) == 3 else 0]
            payoffs, available = payoffs_of(game)
            rule = result.outcome(of).rule[at]
            if followed:
                lottery = (np.arange(3) == rule[:, None]).astype(float)
                others = oracle.scheme_values(payoffs, available)
            else:
                lottery = lottery_of(game, rule, lam)
                others = list(oracles_persuasion.values(game, lam).values())
            who = agents_in(mask, len(game.providers), agents)
            check(found, at, payoffs, available, lottery, game.unit, who, others)
            efficient += found.efficient[at]
    assert efficient > 0


@pytest.mark.parametrize("tie_break", ["incumbent", "lowest_index"])
def test_equilibria_of_several_are_weakly_efficient_among_schemes_and_what_dominates_them_is_one(tie_break):
    rng = random.Random(tie_break)
    for _ in range(12):
        table = oracles.random_table(rng, 2, 3, 3, high=3)
        values, names = oracles.values(table), oracles.schemes(table)
        for mask in (3, 5, 6, 7):
            team = [0, *(1 + j for j in oracles.members(table, mask))]
            found = set(oracles.equilibria(table, mask, tie_break))
            for scheme in found:
                own = oracles.value_of(table, scheme)
                for other, name in zip(values, names):
                    assert not all(other[i] > own[i] for i in team)
                    if all(other[i] >= own[i] for i in team):
                        assert name in found


def test_members_alone_may_all_prefer_another_scheme():
    """User (1, 3, 0), two providers (1, 0, 3) both: action 0 is an equilibrium, but both would rather have action 2."""
    table = eq.from_integers([[1, 3, 0]], [[[1, 0, 3]], [[1, 0, 3]]], resolution=1)
    result = eq.solve(table, committees=[3])
    with_user, alone = eq.efficiency(result, of="all"), eq.efficiency(result, "providers", "all")
    assert with_user.equilibria.tolist() == [[3]]
    assert with_user.weakly_efficient_rules.tolist() == with_user.efficient_rules.tolist() == [[1.0]]
    assert with_user.efficient.tolist() == with_user.weakly_efficient.tolist() == [[2 / 3]]
    assert with_user.largest_gap.tolist() == [[0.5]]
    assert alone.weakly_efficient_rules.tolist() == [[1 / 3]]


@pytest.mark.parametrize("seed", range(3))
def test_schemes_that_dominate_are_found_without_listing_all(seed):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        contributions = rng.integers(0, 4, (4, 3, 3))
        available = rng.random((4, 3)) < 0.8
        available[:, 0] = True
        values = oracle.scheme_values(np.moveaxis(contributions, 2, 0), available)
        own = values[rng.integers(len(values))]
        stable = [j for j in (1, 2) if not any(g[0] > own[0] and g[j] > own[j] for g in values)]
        expected = oracle.dominated(own, values)
        assert dominating_scheme(contributions, available, np.array(own), []) == expected
        if stable == [1, 2]:
            assert dominating_scheme(contributions, available, np.array(own), stable) == expected


@pytest.mark.parametrize("agents", [1, 2, 3, 5])
def test_weights_drop_no_scheme_that_dominates(agents):
    """Values of very different sizes, and targets on the frontier, just below it and far from it."""
    rng = np.random.default_rng(agents)
    found = set()
    for _ in range(40):
        contributions = rng.integers(-20, 20, (4, 3, agents)) * 10 ** rng.integers(0, 7, agents)
        available = rng.random((4, 3)) < 0.8
        available[:, 0] = True
        values = np.array(oracle.scheme_values(np.moveaxis(contributions, 2, 0), available))
        liked = values @ (rng.random(agents) / np.maximum(np.ptp(values, axis=0), 1))
        for place in (-1, -2, -8, 0):
            own = values[np.argsort(liked)[max(place, -len(liked))]]
            expected = oracle.dominated(own, values.tolist())
            assert dominating_scheme(contributions, available, own, []) == expected
            found.add(expected)
    assert found == ({(False, False), (True, True)} if agents == 1 else found | {(False, False), (True, True)})


def test_members_alone_are_compared_with_all_schemes():
    """9,765,625 schemes, and no user among the agents for whom lists are short: nothing is left out."""
    result = eq.solve(
        eq.sample_tables("hull", 1, states=10, actions=5, providers=7, seed=0), eq.Selection(dynamics=False)
    )
    found = eq.efficiency(result, agents="providers")
    assert found.rules_known.all()
    assert (found.efficient <= found.efficient_rules).all()
    assert (found.weakly_efficient <= found.weakly_efficient_rules).all()
    assert 0 < (found.efficient_rules & ~found.efficient).sum() < found.efficient_rules.sum() < found.known.sum()


def test_ten_states_ten_actions_five_providers():
    """1e10 schemes: what dominates an equilibrium is an equilibrium, so the frontier's list is enough."""
    tables = eq.sample_tables("uniform", 2, states=10, actions=10, providers=5, seed=3)
    result = eq.solve(tables, committees=[1, 3, 21, 31])
    shares = eq.efficiency(result, of="all")
    assert (shares.equilibria == result.equilibria).all()
    for of in ("worst", "best"):
        found = eq.efficiency(result, of=of)
        assert found.rules_known.all()
        assert found.weakly_efficient_rules.all()
        assert (found.efficient <= found.efficient_rules).all()
        assert ((found.gap >= shares.least_gap) & (found.gap <= shares.largest_gap)).all()


def test_known_games():
    """The user does not care between actions 0 and 2, the second provider about nothing, the first prefers action 2."""
    both = eq.from_integers([[2, 1, 2]], [[[0, 1, 2]], [[1, 1, 1]]], resolution=1)
    found = eq.efficiency(eq.solve(both, committees=[1, 2, 3]))
    assert found.efficient.tolist() == [[True, False, False]]
    assert found.weakly_efficient.tolist() == [[True, True, True]]
    assert found.values[0, 2].tolist() == [2.0, 0.0, 1.0]
    assert found.dominating_rule[0, 2, 0, 0].tolist() == [0.0, 0.0, 1.0]
    assert found.welfare_weights[0, 0, :2].tolist() == [0.5, 0.5]
    assert np.isnan(found.welfare_weights[0, 1:]).all()


def test_the_geometric_welfare_is_maximized():
    """No lottery over schemes gives a larger product of values, to the exponents found."""
    tables = eq.sample_tables("uniform", 20, states=2, actions=3, providers=2, seed=1)
    found = eq.efficiency(eq.solve(tables, committees=[3]))
    draw = np.random.default_rng(0)
    utilities = np.concatenate([np.asarray(tables.user)[:, None], np.asarray(tables.providers)], axis=1) / 10_000
    assert found.efficient.mean() > 0.9
    for b in np.flatnonzero(found.efficient[:, 0]):
        theta, own = found.welfare_weights[b, 0], found.values[b, 0]
        lotteries = draw.dirichlet([0.3] * 3, (2000, 2))
        values = np.einsum("pxa,nxa->np", utilities[b], lotteries) / 2
        assert theta.sum() == pytest.approx(1)
        assert (theta @ np.log(values).T).max() <= theta @ np.log(own) + 1e-12


def test_units_change_the_gap_and_the_weights_and_nothing_else():
    result = eq.solve(batch(drawn(1, 30)), "obedient")
    usual, in_units = eq.efficiency(result), eq.efficiency(result, units=[2.0, 4.0, 0.5])
    doubled = eq.efficiency(result, units=[2.0, 2.0, 2.0])
    for name in ("efficient", "weakly_efficient", "efficient_rules", "weakly_efficient_rules"):
        assert (getattr(usual, name) == getattr(in_units, name)).all()
    np.testing.assert_allclose(doubled.gap, usual.gap / 2, atol=1e-9)
    assert (in_units.gap[usual.gap > 1e-6] != usual.gap[usual.gap > 1e-6]).any()
    game = result.tables
    extent = eq.efficiency(result, units="range").units
    spread = [np.asarray(game.available)[:, None], np.asarray(game.user)]
    most = np.where(spread[0], spread[1], -(10**9)).max(axis=3).sum(axis=(1, 2))
    least = np.where(spread[0], spread[1], 10**9).min(axis=3).sum(axis=(1, 2))
    np.testing.assert_allclose(extent[:, 0], np.where(most > least, (most - least) / game.scale, 1.0))


@pytest.mark.parametrize("name", GAMES)
def test_listed_equilibria_are_those_that_are_counted(name):
    """Their number is the solver's, and the best of them is its best."""
    games = drawn(7, 6, providers=3)
    result = eq.solve(tables(games) if isinstance(GAMES[name], eq.Selection) else batch(games), GAMES[name])
    shares = eq.efficiency(result, of="all", rules=False)
    best = eq.efficiency(result, of="best", rules=False)
    np.testing.assert_allclose(best.values[..., 0], result.best_utility, atol=1e-8)
    if name == "oblivious":  # profiles are counted, and what is heard listed once
        assert (shares.equilibria <= result.equilibria).all()
    else:
        assert (shares.equilibria == result.equilibria).all()
    assert ((shares.efficient >= 0) & (shares.efficient <= 1)).all()
    assert (shares.efficient <= shares.weakly_efficient).all()
    assert np.isnan(shares.efficient_rules).sum() == (shares.efficient < 1).sum()


def test_aligned_is_efficient_for_the_user_and_what_is_not_solved_has_no_answer():
    games = batch(drawn(3, 10))
    aligned = eq.efficiency(eq.solve(games, "aligned"))
    assert aligned.efficient.all()
    table = eq.sample_tables("uniform", 3, states=6, actions=3, providers=3, seed=0)
    result = eq.solve(table, eq.Selection(method="frontier", capacity=4, max_capacity=4), throw=False)
    found = eq.efficiency(result)
    assert (found.status == int(Status.FRONTIER_OVERFLOW)).all()
    assert not found.known.any()
    assert not found.certified.any()
    assert np.isnan(found.weights).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agents": "all"}, "agents: expected"),
        ({"of": "first"}, "of: expected"),
        ({"units": [1.0]}, r"units: expected None, \"range\" or positive numbers of shape \[3\] or \[2, 3\]"),
        ({"units": [1.0, 1.0, 0.0]}, "units: expected"),
        ({"units": "large"}, "units: expected"),
        ({"of": "dynamics"}, "of: expected an outcome that the result names, got 'dynamics' without dynamics"),
        ({"of": "all", "limit": 1}, "limit: expected at most 1 "),
    ],
)
def test_what_is_refused(arguments, message):
    result = eq.solve(batch(drawn(0, 2)), eq.Joint(dynamics=False))
    with pytest.raises(ValueError, match=message):
        eq.efficiency(result, **arguments)


def test_results_without_an_outcome_are_refused():
    table = eq.sample_tables("uniform", 1, states=2, actions=2, providers=2, seed=0)
    with pytest.raises(ValueError, match="of: expected an outcome that the result names, got 'worst' in the oblivious"):
        eq.efficiency(eq.solve(table, eq.Oblivious("lotteries")))
    market = eq.solve(eq.separable_market([[[1, 0], [0, 1]]], [[[[1, 0], [0, 1]]]], weights=[[1]]), "personalized")
    with pytest.raises(ValueError, match="result: expected that of a game over tables, got MarketResult"):
        eq.efficiency(market)


def test_what_is_too_large_to_compare_says_so(monkeypatch):
    from equilibrax.games import _dominating_schemes
    from equilibrax.theory.welfare import rules

    games = batch(drawn(1, 30))
    result = eq.solve(games, "obedient")
    monkeypatch.setattr(rules, "MAX_STATES", 2)
    found = eq.efficiency(result)
    flagged = found.status & int(Status.RULES_NOT_COMPARED) != 0
    assert flagged.any()
    assert (flagged == ~found.efficient).all()
    assert not found.rules_known[flagged].any()
    monkeypatch.setattr(_dominating_schemes, "CAPACITY", 1)
    three, exist = np.array([[[3, 0], [0, 3], [1, 1]]] * 3), np.ones((3, 3), bool)
    assert dominating_scheme(three, exist, np.array([4, 4]), []) is None  # lotteries give 4.5 to both
    assert dominating_scheme(three, exist, np.array([2, 2]), []) == (True, True)  # found without a list
    monkeypatch.undo()
    assert dominating_scheme(three, exist, np.array([4, 4]), []) == (False, False)
