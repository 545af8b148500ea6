"""The most that a provider gains by any other lottery over messages when the user responds quantally."""

from __future__ import annotations

from typing import Any

import equilibrax as eq
import numpy as np
import oracles_quantal
import pytest
from equilibrax.games import JointLotteries, lottery_regret, search_lotteries
from equilibrax.games.lotteries import envelope, quantal

TRIAL = eq.PersuasionGame.from_prior([[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]])
TRUTH = [[[[1, 0], [0, 1]]]]
COURT = eq.PersuasionGame.from_prior(
    [[[2, 0], [0, 1]]], user=[[1, 2], [2, 1]], providers=[[[0, 2], [0, 1]], [[1, 0], [2, 0]]]
)


def drawn(
    count: int, signals: int, states: int, actions: int, providers: int, available: Any = None
) -> eq.PersuasionGame:
    """Utilities from 0 to 3; some pairs of a signal and a state are impossible."""
    rng = np.random.default_rng(5)
    shape = count, signals, states, actions
    weights = rng.integers(0, 4, shape[:3])
    weights[:, 0] += 1
    weights[:, :, 0] += 1
    user, others = rng.integers(0, 301, shape), rng.integers(0, 301, (count, providers, *shape[1:]))
    return eq.PersuasionGame.from_weights(
        weights, user=user / 100, providers=others / 100, available=available, resolution=100
    )


def as_oracle(game: eq.PersuasionGame, b: int) -> tuple[Any, Any, Any, Any]:
    """Chances, and expected utilities of the user and of providers, as lists; and what is available."""
    scale = float(game.scale[b])
    chance = np.asarray(game.weights)[b] / float(game.total_weight[b])
    user, providers = np.asarray(game.user)[b] / scale, np.asarray(game.providers)[b] / scale
    return chance.tolist(), user.tolist(), providers.tolist(), np.asarray(game.available)[b].tolist()


def check_against_a_grid(
    game: eq.PersuasionGame, rules: np.ndarray, found: Any, rationality: float, grid: int, messages: int = 2
) -> float:
    """No rule on the grid has more than the bound; what is said to be had can be had. How far the bound is away."""
    furthest = 0.0
    for b in range(len(game)):
        chance, user, providers, available = as_oracle(game, b)
        posted = rules[b].tolist()
        values = oracles_quantal.everybodys_value(posted, chance, user, providers, available, rationality)
        np.testing.assert_allclose([found.user_value[b], *found.value[b]], values, atol=1e-12)
        for j in range(game.num_providers):
            told = (posted, chance, user, providers, available, rationality)
            most = oracles_quantal.best_on_a_grid(j, *told, grid, messages) - values[1 + j]
            assert most <= found.regret_bound[b, j] + 1e-9
            furthest = max(furthest, found.regret_bound[b, j] - max(most, 0.0))
            other = [found.deviation[b, j].tolist() if i == j else rule for i, rule in enumerate(posted)]
            gained = oracles_quantal.everybodys_value(other, chance, user, providers, available, rationality)[1 + j]
            assert found.regret_lower[b, j] == pytest.approx(max(gained - values[1 + j], 0.0), abs=1e-10)
            assert found.regret_lower[b, j] <= found.regret_bound[b, j] + 1e-12
    return furthest


def posted(game: eq.PersuasionGame, messages: int, seed: int = 3) -> np.ndarray:
    """Random rules, of which some chances are zero."""
    rng = np.random.default_rng(seed)
    rules = rng.dirichlet(np.ones(messages), (len(game), game.num_providers, game.states))
    rules = np.where(rules < 0.15, 0.0, rules)
    return rules / rules.sum(axis=3, keepdims=True)


# --- brute force ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signals", "states", "actions", "rationality", "grid", "miss"),
    [(1, 2, 3, 2.0, 20, 0.002), (2, 2, 2, 20.0, 20, 0.15), (1, 3, 3, 10.0, 6, 0.2), (2, 3, 2, 1.0, 6, 0.05)],
)
def test_no_rule_on_a_fine_grid_gains_more(signals, states, actions, rationality, grid, miss):
    """A hundred games in all, two providers in each."""
    game = drawn(25, signals, states, actions, 2)
    rules = posted(game, 2)
    found = lottery_regret(game, rules, response=eq.Quantal(rationality))
    assert found.certified.all()
    assert (found.regret_bound > 1e-3).mean() > 0.2
    furthest = check_against_a_grid(game, rules, found, rationality, grid)
    assert furthest < miss, "within what a grid can miss"


def test_three_messages_and_private_information():
    game = drawn(4, 2, 2, 3, 2)
    rules = posted(game, 3)
    found = lottery_regret(game, rules, response=eq.Quantal(5))
    assert found.certified.all()
    assert check_against_a_grid(game, rules, found, 5.0, 10, 3) < 0.01


@pytest.mark.parametrize("rationality", [1, 10, 100])
def test_the_prosecutor(rationality):
    found = lottery_regret(TRIAL, TRUTH, response=eq.Quantal(rationality))
    assert found.plans is None
    assert found.certified.all()
    assert found.epsilon[0] == found.regret_bound[0, 0]
    assert check_against_a_grid(TRIAL, np.array(TRUTH), found, rationality, 100) < 1e-3


def test_the_more_rational_the_nearer_to_who_responds_best():
    best = lottery_regret(TRIAL, TRUTH)
    found = lottery_regret(TRIAL, TRUTH, response=eq.Quantal(1e5))
    assert best.regret_bound[0, 0] - 1e-3 < found.regret_lower[0, 0] <= best.regret_bound[0, 0]
    same = lottery_regret(TRIAL, TRUTH, response="best")
    assert same.regret_bound.tolist() == best.regret_bound.tolist()


@pytest.mark.parametrize("rationality", [1e9, 1e160, 1e300])
def test_what_rounding_may_do_to_odds_is_in_the_bound(rationality):
    """Beyond what 64 bits can tell apart the bound is one for whatever they make of it, and it is not certified."""
    found = lottery_regret(TRIAL, [[[[1, 0], [3 / 7, 4 / 7]]]], response=eq.Quantal(rationality), throw=False)
    assert not found.certified.any()
    assert found.regret_lower[0, 0] <= 0.6 <= found.value[0, 0] + found.regret_bound[0, 0]


def test_nobody_can_move_a_user_who_acts_at_random():
    game = drawn(5, 2, 3, 3, 2)
    found = lottery_regret(game, posted(game, 2), response=eq.Quantal(0))
    assert found.certified.all()
    assert found.regret_bound.max() <= 1e-12


def test_where_another_tells_everything_nobody_gains():
    game = drawn(5, 2, 3, 3, 2)
    rules = posted(game, 3)
    rules[:, 0] = np.eye(3)
    found = lottery_regret(game, rules, response=eq.Quantal(30))
    assert found.certified.all()
    assert found.regret_bound[:, 1].max() <= 1e-9


# --- what does not exist, and what is too much ------------------------------------------------------------------------


def test_states_of_different_actions_are_never_told_together():
    """Three states of which two share their actions; whoever tells them with the third leaves the user none."""
    there = [[True, True, False], [True, True, False], [False, False, True]]
    game = drawn(6, 1, 3, 3, 2, available=there)
    rules = np.zeros((6, 2, 3, 2))
    rules[:, :, :2] = [[0.7, 0.3], [1.0, 0.0]]
    rules[:, 0, 2, 1] = rules[:, 1, 2, 0] = 1.0  # neither separates the third; what they say together does, mostly
    apart = rules.copy()
    apart[:, 0, :2] = [1.0, 0.0]
    found = lottery_regret(game, apart, response=eq.Quantal(4))
    assert found.certified.all()
    assert check_against_a_grid(game, apart, found, 4.0, 6, 3) < 0.02
    mixed = lottery_regret(game, rules, response=eq.Quantal(4))
    assert (mixed.value == -np.inf).all()
    assert (mixed.regret_bound == np.inf).all()


def test_of_more_states_only_what_gradients_found_is_said():
    game = drawn(3, 1, 4, 2, 2)
    rules = posted(game, 2)
    with pytest.raises(eq.SolveError, match=r"6 of 6 regrets are not certified.* bounds for up to 3 states; thr"):
        lottery_regret(game, rules, response=eq.Quantal(5))
    found = lottery_regret(game, rules, response=eq.Quantal(5), throw=False)
    assert not found.certified.any()
    assert np.isnan(found.regret).all()
    assert (found.regret_bound == np.inf).all()
    assert found.regret_lower.max() > 0.01
    check_against_a_grid(game, rules, found, 5.0, 2)


@pytest.mark.parametrize("ragged", [False, True])
def test_gradients_find_nearly_what_the_envelope_bounds(ragged, monkeypatch):
    there = [[True, True, False], [True, True, False], [False, False, True]] if ragged else None
    game = drawn(4, 2, 3, 3, 2, available=there)
    rules = np.broadcast_to(np.eye(3), (4, 2, 3, 3)) if ragged else posted(game, 2)
    rules = np.stack([rules[:, 0], np.ones_like(rules[:, 1]) / rules.shape[3]], axis=1)
    proved = lottery_regret(game, rules, response=eq.Quantal(5))
    monkeypatch.setattr(quantal, "ENVELOPE_STATES", 0)
    found = lottery_regret(game, rules, response=eq.Quantal(5), throw=False)
    assert (found.regret_lower <= proved.regret_bound + 1e-12).all()
    assert (proved.regret_bound - found.regret_lower).max() < 5e-3
    assert proved.regret_bound.max() > 0.01


def test_with_too_few_cells_the_bound_is_a_bound_and_not_certified(monkeypatch):
    game = drawn(4, 1, 3, 3, 2)
    rules = posted(game, 2)
    proved = lottery_regret(game, rules, response=eq.Quantal(10))
    monkeypatch.setattr(envelope, "MOST_CELLS", 40)
    found = lottery_regret(game, rules, response=eq.Quantal(10), throw=False)
    assert not found.certified.all()
    assert (found.regret_bound >= proved.regret_lower).all()
    assert (found.regret_lower <= proved.regret_bound).all()
    assert np.isfinite(found.regret).all()


def test_a_game_does_not_depend_on_the_batch(monkeypatch):
    game = drawn(5, 2, 3, 2, 2)
    rules = posted(game, 2)
    found = lottery_regret(game, rules, response=eq.Quantal(8))
    monkeypatch.setattr(quantal, "_AT_ONCE", 1)
    alone = lottery_regret(game, rules, response=eq.Quantal(8))
    np.testing.assert_allclose(alone.regret_bound, found.regret_bound, atol=1e-9)
    np.testing.assert_allclose(alone.value, found.value, atol=1e-14)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (eq.Quantal([1, 2]), "response: expected a Quantal with one finite rationality"),
        (eq.Quantal(np.inf), "response: expected a Quantal with one finite rationality"),
        ("worst", 'response: expected "best" or a Quantal'),
    ],
)
def test_other_responses_are_refused(response, message):
    with pytest.raises(ValueError, match=message):
        lottery_regret(TRIAL, TRUTH, response=response)


def test_what_does_not_fit_is_refused_with_its_size():
    game = drawn(1, 40, 3, 9, 3)
    with pytest.raises(
        ValueError, match=r"rules: expected at most 1,048,576 contributions for each provider, got 1,105,920 \(40 sig"
    ):
        lottery_regret(game, np.full((1, 3, 3, 32), 1 / 32), response=eq.Quantal(1))


# --- the search -------------------------------------------------------------------------------------------------------

QUICK = eq.GradientSearch(starts=2, steps=100)


def test_the_joint_game_has_certified_lotteries_for_a_quantal_user():
    response = eq.Quantal(4)
    found = eq.solve(COURT, eq.Joint(rules="lotteries", response=response, search=QUICK), committees=[0b11])
    assert isinstance(found, JointLotteries)
    assert found.certified.all()
    assert found.within.all()
    np.testing.assert_array_equal(found.epsilon, found.regret_bound)
    np.testing.assert_array_equal(found.regret, found.regret_lower)
    again = lottery_regret(COURT, found.rules[:, 0], response=response)
    np.testing.assert_allclose(found.gain_bound[:, 0], again.regret_bound, atol=1e-9)
    np.testing.assert_allclose(found.provider_utility[:, 0], again.value, atol=1e-12)
    np.testing.assert_allclose(found.user_utility[:, 0], again.user_value, atol=1e-12)
    assert found.user_utility[0, 0] < found.optimum[0, 0] - 0.01
    np.testing.assert_array_equal(found.rules[:, 0], search_lotteries(COURT, QUICK, response=response).rules)


@pytest.mark.slow
def test_of_four_states_nothing_is_called_an_equilibrium():
    tables = eq.sample_tables("uniform", 2, seed=0, states=4, actions=2, providers=1)
    search = eq.GradientSearch(starts=1, steps=20, polish=1, messages=2)
    game = eq.Joint(rules="lotteries", response=eq.Quantal(4), search=search)
    with pytest.raises(eq.SolveError, match="RULE_UNCERTIFIED"):
        eq.solve(tables, game)
    found = eq.solve(tables, game, throw=False)
    assert isinstance(found, JointLotteries)
    assert not found.within.any()
    assert np.isnan(found.epsilon).all()
    assert np.isnan(found.regret).all()
    assert (found.regret_lower >= 0).all()
    assert found.to_markdown().count("| none |") == 2
