"""The most that a provider gains by any other lottery over messages, with its proof."""

from __future__ import annotations

import equilibrax as eq
import numpy as np
import oracles_persuasion
import pytest
from equilibrax.games import lottery_regret

# Guilty or innocent; convict or acquit. The prosecutor's optimum is 0.6 (Kamenica and Gentzkow 2011).
TRIAL = eq.PersuasionGame.from_prior([[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]])
# Theorem 7 of 2509.15090: guilty or innocent; acquit or convict.
COURT = eq.PersuasionGame.from_prior(
    [[[2, 0], [0, 1]]], user=[[1, 2], [2, 1]], providers=[[[0, 2], [0, 1]], [[1, 0], [2, 0]]]
)


def integer_games(count: int, signals: int, states: int, actions: int, providers: int, high: int) -> eq.PersuasionGame:
    rng = np.random.default_rng(5)
    shape = count, signals, states, actions
    user, others = rng.integers(0, high, shape), rng.integers(0, high, (count, providers, *shape[1:]))
    return eq.PersuasionGame.from_weights(rng.integers(1, 4, shape[:3]), user=user, providers=others, resolution=1)


def test_nobody_can_move_a_user_who_does_not_care():
    """She takes the lowest action whatever she hears; obedience out of indifference would promise 1."""
    one = eq.PersuasionGame.from_tables(eq.from_integers([[0, 0]], [[[1, 0]], [[0, 1]]], resolution=1))
    found = lottery_regret(one, np.ones((1, 2, 1, 1)))
    assert found.value.tolist() == [[1.0, 0.0]]
    assert found.regret.tolist() == found.regret_bound.tolist() == [[0.0, 0.0]]
    assert found.certified.all()


@pytest.mark.parametrize(
    ("rule", "value", "regret"),
    [
        ([[1, 0], [0, 1]], 0.3, 0.3),
        ([[1, 0], [1, 0]], 0.0, 0.6),
        ([[1, 0], [3 / 7, 4 / 7]], 0.6, 0.0),  # she convicts out of indifference: it is the lowest action
        ([[1, 0], [3 / 7 + 1e-6, 4 / 7 - 1e-6]], 0.0, 0.6),
    ],
)
def test_the_prosecutor(rule, value, regret):
    found = lottery_regret(TRIAL, [[rule]])
    assert found.value[0, 0] == pytest.approx(value, abs=1e-9)
    assert found.regret[0, 0] == pytest.approx(regret, abs=1e-9)
    assert found.regret_bound[0, 0] == pytest.approx(regret, abs=1e-9)
    assert found.epsilon[0] == found.regret_bound[0, 0]


def test_theorem_7s_pair_are_no_equilibrium():
    """Each plays as if it were alone; knowing of the other, either could do better, or both tell the truth."""
    alone = eq.games.oblivious_rules(COURT)
    found = lottery_regret(COURT, alone.rule)
    assert found.epsilon[0] > 0.1
    assert found.user_value[0] == pytest.approx(5 / 3)
    truth = np.broadcast_to(np.eye(2), (1, 2, 2, 2))
    assert lottery_regret(COURT, truth).epsilon[0] <= 1e-9


@pytest.mark.parametrize("signals", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_where_another_tells_everything_nobody_gains(signals):
    game = integer_games(20, signals, 2, 2, 2, 9)
    rng = np.random.default_rng(3)
    rules = rng.dirichlet([1.0, 1.0], (20, 2, 2))
    rules[:, 0] = np.eye(2)
    found = lottery_regret(game, rules)
    assert found.certified.all()
    assert found.regret_bound[:, 1].max() <= 1e-9


def test_one_sender_can_have_her_persuasion_program():
    """Of the oracle, in fractions; without ties, in which the user would have to be made to prefer what she obeys."""
    game = integer_games(12, 1, 3, 3, 1, 10**6)
    found = lottery_regret(game, np.ones((12, 1, 3, 1)))
    for b in range(12):
        arrays = {name: np.asarray(getattr(game, name))[b] for name in ("weights", "user", "providers", "available")}
        exact, _ = oracles_persuasion.persuasion(oracles_persuasion.Game(**arrays), 0)
        assert found.value[b, 0] + found.regret[b, 0] == pytest.approx(float(exact) / game.scale[b], rel=1e-9)


# --- brute force ------------------------------------------------------------------------------------------------------

GRID = 20


def best_on_a_grid(game: eq.PersuasionGame, b: int, j: int, others: np.ndarray) -> float:
    """The most that provider j has by rules with two messages whose chances are multiples of 1 / 20, in integers.

    Args:
        others: `[N, X]` whole numbers, what is heard from the others, all over the same total.
    """
    one, two = np.meshgrid(np.arange(GRID + 1), np.arange(GRID + 1), indexing="ij")
    first = np.stack([one.ravel(), two.ravel()], axis=1)  # [G, X]
    own = np.stack([first, GRID - first], axis=1)  # [G, M, X]
    heard = own[:, :, None] * others  # [G, M, N, X]
    user, provider = np.asarray(game.user)[b], np.asarray(game.providers)[b, j]  # [Z, X, A]
    action = np.einsum("gmnx,zxa->gmnza", heard, user).argmax(axis=4)  # the lowest of the best
    worth = np.einsum("gmnx,zxa->gmnza", heard, provider)
    return float(np.take_along_axis(worth, action[..., None], axis=4).sum(axis=(1, 2, 3, 4)).max())


@pytest.mark.slow
@pytest.mark.parametrize("high", [3, 50])
@pytest.mark.parametrize(("signals", "actions"), [(1, 3), (2, 2)])
def test_no_rule_on_a_fine_grid_gains_more(high, signals, actions):
    """With many ties, and with few."""
    count = 25
    game = integer_games(count, signals, 2, actions, 2, high)
    rng = np.random.default_rng(high)
    chances = rng.integers(0, 11, (count, 2, 2))
    whole = np.stack([chances, 10 - chances], axis=3)  # [B, K, X, M]
    found = lottery_regret(game, whole / 10)
    assert found.certified.all()
    for b in range(count):
        for j in range(2):
            most = best_on_a_grid(game, b, j, whole[b, 1 - j].T) / (GRID * 10 * game.scale[b])
            bound = found.value[b, j] + found.regret_bound[b, j]
            assert most <= bound + 1e-9
            assert bound - most < 0.35 * high, "within what a grid can miss"


@pytest.mark.slow
def test_partitions_that_are_equilibria_gain_nothing_by_partitions_but_may_by_lotteries():
    tables = eq.sample_tables("uniform", 40, seed=0, states=3, actions=3, providers=2)
    joint = eq.solve(tables, eq.Joint(dynamics=False), committees=[0b11])
    rules = (joint.worst_partition[:, :, :, None] == np.arange(3)).repeat(2, axis=1)
    found = lottery_regret(eq.PersuasionGame.from_tables(tables), rules)
    np.testing.assert_allclose(found.user_value, joint.worst_utility[:, 0], atol=1e-12)
    share = (found.epsilon > 1e-6).mean()
    assert 0 < share < 0.3


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (np.ones((1, 1, 2)), r"rules: expected chances of the shape \[1, 1, 2, 'messages'\], got \[1, 1, 2\]"),
        ([[[[0.5, 0.4], [1, 0]]]], "rules: expected chances of at least 0 that sum to 1"),
        ([[[[1.5, -0.5], [1, 0]]]], "rules: expected chances of at least 0 that sum to 1"),
        ([[[[np.nan, 1], [1, 0]]]], "rules: expected chances of at least 0 that sum to 1"),
    ],
)
def test_what_are_no_rules_is_refused(rules, message):
    with pytest.raises(ValueError, match=message):
        lottery_regret(TRIAL, rules)


def test_programs_beyond_memory_are_refused_with_their_size():
    game = integer_games(1, 2, 3, 3, 3, 9)
    with pytest.raises(ValueError, match=r"got about 1e19 with 3\^18 plans \(2 signals, 3 messages of each of 2 other"):
        lottery_regret(game, np.broadcast_to(np.eye(3), (1, 3, 3, 3)))
