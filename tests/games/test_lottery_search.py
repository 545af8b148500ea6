"""A search by gradients: what it finds is certified, and on games with known answers it finds them."""

from __future__ import annotations

from dataclasses import replace

import equilibrax as eq
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from equilibrax.games import GradientSearch, lottery_regret, search_lotteries
from equilibrax_kernels.lotteries.ascent import smooth_gradients, smooth_values
from equilibrax_kernels.lotteries.updates import extra_gradient, optimistic

TRIAL = eq.PersuasionGame.from_prior([[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]])
COURT = eq.PersuasionGame.from_prior(
    [[[2, 0], [0, 1]]], user=[[1, 2], [2, 1]], providers=[[[0, 2], [0, 1]], [[1, 0], [2, 0]]]
)
OPPOSED = eq.PersuasionGame.from_prior(
    [[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]], [[0, 1], [0, 1]]]
)
QUICK = GradientSearch(starts=2, steps=100)


# --- updates ----------------------------------------------------------------------------------------------------------


def distance_after(rule: optax.GradientTransformation, updates: int) -> float:
    """From the saddle of `x y`, where x climbs down and y climbs up; plain gradients spiral away from it."""
    point = jnp.array([1.0, 1.0])
    state = rule.init(point)
    for _ in range(updates):
        step, state = rule.update(jnp.array([point[1], -point[0]]), state, point)
        point = optax.apply_updates(point, step)
    return float(jnp.linalg.norm(point))


def test_looking_ahead_reaches_a_saddle_that_gradients_leave():
    assert distance_after(optax.sgd(0.2), 200) > 10
    assert distance_after(optax.chain(optimistic(), optax.sgd(0.2)), 200) < 0.1
    assert distance_after(extra_gradient(optax.sgd(0.2)), 400) < 0.1
    assert distance_after(extra_gradient(optax.chain(optax.clip(0.5), optax.sgd(0.2))), 800) < 0.1


def test_an_extra_gradient_moves_its_optimizer_once_for_two_updates():
    rule = extra_gradient(optax.adam(0.1))
    point = jnp.array([1.0])
    state = rule.init(point)
    for expected in (0, 1, 1, 2):
        step, state = rule.update(point, state, point)
        point = optax.apply_updates(point, step)
        assert int(state.inner[0].count) == expected


def test_everybody_climbs_a_hill_of_its_own():
    """The smooth values are those of the definition: a sum over states, signals, messages and actions."""
    rng = np.random.default_rng(0)
    logits, user = rng.normal(size=(2, 3, 2)), rng.random((2, 3, 2))
    providers, weights = rng.random((2, 2, 3, 2)), rng.dirichlet(np.ones(6)).reshape(2, 3)
    given = [jnp.asarray(values)[..., None] for values in (logits, user, providers, weights)]
    found = smooth_values(*given, jnp.array([3.0]))[:, 0]
    rules, expected = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True), np.zeros(2)
    for m in range(2):
        for n in range(2):
            chance = rules[0, :, m] * rules[1, :, n]
            for z in range(2):
                mean = chance @ user[z] / (chance @ weights[z])
                response = np.exp(3 * mean) / np.exp(3 * mean).sum()
                expected += np.einsum("x,kxa,a->k", chance, providers[:, z], response)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("senders", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_written_out_gradients_are_those_of_the_values(senders):
    """By automatic differentiation, each provider's along its own logits; two lanes with different users."""
    rng = np.random.default_rng(senders)
    logits = jnp.asarray(rng.normal(size=(senders, 3, 2, 2)))
    user, providers = jnp.asarray(rng.random((2, 3, 4, 2))), jnp.asarray(rng.random((senders, 2, 3, 4, 2)))
    given = user, providers, jnp.asarray(rng.dirichlet(np.ones(6), 2).T.reshape(2, 3, 2)), jnp.array([3.0, 8.0])
    found = jax.jit(smooth_gradients)(logits, *given)
    for j in range(senders):
        slope = jax.jit(jax.grad(lambda moved, j=j: smooth_values(moved, *given)[j].sum()))(logits)
        np.testing.assert_allclose(found[j], slope[j], rtol=1e-4, atol=1e-6)


# --- known answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["optimistic", "extra_gradient"])
def test_the_prosecutor_finds_his_optimum(update):
    found = search_lotteries(TRIAL, GradientSearch(starts=2, steps=100, update=update))
    assert found.epsilon_before[0] < 0.1
    assert found.epsilon[0] <= 1e-6
    assert found.within.all()
    assert found.found.value[0, 0] == pytest.approx(0.6, abs=1e-6)
    assert found.curve.shape == (1, 20, 1)
    assert found.curve[0, -1, 0] > found.curve[0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("game", [COURT, OPPOSED], ids=["Theorem 7's pair", "opposed"])
def test_two_senders_tell_the_truth(game):
    found = search_lotteries(game, QUICK)
    assert 1e-6 < found.epsilon_before[0] < 0.1, "the polish has something to do"
    assert found.within.all()
    assert found.found.user_value[0] == pytest.approx(game.optimum_utility[0], abs=1e-6)


@pytest.mark.slow
def test_two_hundred_persuasion_programs():
    """One sender: the certified program of `oblivious_rules`."""
    tables = eq.sample_tables("uniform", 200, seed=0, states=3, actions=3, providers=1)
    game = eq.PersuasionGame.from_tables(tables)
    found, alone = search_lotteries(game, QUICK), eq.games.oblivious_rules(game)
    assert found.within.all()
    assert 0.1 < (found.epsilon_before <= 1e-6).mean() < 0.6
    assert found.epsilon_before.max() < 0.3
    np.testing.assert_allclose(found.found.value, alone.value, atol=1e-6)


@pytest.mark.slow
def test_what_is_found_is_what_is_certified_and_nothing_depends_on_the_batch():
    """With private information. Who is searched beside whom does not matter, but for the last bits of a gradient."""
    rng = np.random.default_rng(1)
    game = eq.PersuasionGame.from_weights(
        rng.integers(1, 4, (6, 2, 2)), user=rng.random((6, 2, 2, 2)), providers=rng.random((6, 2, 2, 2, 2))
    )
    found = search_lotteries(game, QUICK)
    again = lottery_regret(game, found.rules)
    np.testing.assert_allclose(again.regret_bound, found.found.regret_bound, atol=1e-12)
    np.testing.assert_array_equal(found.epsilon, found.found.regret_bound.max(axis=1))
    assert (found.epsilon <= found.epsilon_before).all()
    np.testing.assert_allclose(found.rules.sum(axis=3), 1.0)
    alone = search_lotteries(game[3], QUICK)
    np.testing.assert_allclose(alone.curve[0], found.curve[3], atol=1e-3)
    other = search_lotteries(game, GradientSearch(starts=2, steps=100, seed=jax.random.key(7)))
    assert np.abs(other.curve - found.curve).max() > 1e-3


@pytest.mark.slow
def test_every_start_can_be_polished_and_different_outcomes_are_counted():
    tables = eq.sample_tables("uniform", 30, seed=1, states=3, actions=3, providers=2)
    game = eq.PersuasionGame.from_tables(tables)
    found = search_lotteries(game, GradientSearch(starts=4, steps=100, every=True))
    best = np.take_along_axis(found.reached_epsilon, found.start[:, None], axis=1)[:, 0]
    np.testing.assert_array_equal(best, found.epsilon)
    assert (found.reached_epsilon.min(axis=1) == best).all()
    number, worst = found.outcomes()
    assert number.max() > 1
    assert number.max() <= 4
    assert (number[found.within] >= 1).all()
    assert (number[~found.within] == 0).all()
    assert (worst[found.within] <= found.found.user_value[found.within]).all()
    one = int(number.argmax())
    within = found.reached_epsilon[one] <= 1e-6
    assert len(np.unique(found.reached[one][within].round(3), axis=0)) == number[one]
    few = search_lotteries(game, GradientSearch(starts=4, steps=100))
    assert np.isinf(few.reached_epsilon).any()


@pytest.mark.slow
def test_partitions_are_starts_beside_the_random_ones():
    """Telling everything is an equilibrium of two: from there nobody moves, whatever the random starts find."""
    tables = eq.sample_tables("senders", 8, seed=1, states=3, actions=3, providers=2)
    game = eq.PersuasionGame.from_tables(tables)
    truth = np.broadcast_to(np.eye(3), (8, 1, 2, 3, 3))
    found = search_lotteries(game, replace(QUICK, every=True), beside=truth)
    assert found.reached.shape == (8, 3, 3)
    assert (found.reached_epsilon[:, 2] <= 1e-6).all()
    np.testing.assert_allclose(found.reached[:, 2, 0], game.optimum_utility, atol=1e-12)
    with pytest.raises(ValueError, match=r"beside: expected rules of the shape \[8, 1, 2, 3, 3\], got \[8, 1, 2, 3, 2"):
        search_lotteries(game, QUICK, beside=truth[..., :2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 1}, "every: expected True or False, got 1"),
        ({"starts": 0}, "starts: expected"),
        ({"steps": 0}, "steps: expected"),
        ({"polish": -1}, "polish: expected"),
        ({"messages": 0}, "messages: expected"),
        ({"update": "newton"}, "update: expected"),
        ({"rationality": (10.0, 1.0)}, "rationality: expected two numbers above 0, rising"),
        ({"tolerance": 0.0}, "tolerance: expected a number above 0"),
    ],
)
def test_what_is_no_search_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GradientSearch(**options)


def test_programs_beyond_memory_are_refused_before_anything_is_searched():
    tables = eq.sample_tables("uniform", 1, seed=0, states=4, actions=4, providers=4)
    with pytest.raises(ValueError, match=r"rules: expected programs of at most 4,194,304 entries, got about 1e"):
        search_lotteries(eq.PersuasionGame.from_tables(tables))
