"""Persuasion programs as loops: against the kernel, which is another simplex over the whole tableau, and HiGHS."""

from __future__ import annotations

import equilibrax as eq
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equilibrax.games import lottery_regret
from equilibrax.games._oblivious_rules import highs_rule
from equilibrax.games.lotteries import programs as solving
from equilibrax_kernels.fits.persuasion import persuasion_rule
from equilibrax_kernels.lotteries.loops import NO_START, persuade_all


def programs(rng: np.random.Generator, high: int, count: int = 24):
    """Two places, three states, three actions: whole numbers, full of ties if they are small; some states apart."""
    user, own = rng.integers(0, high, (2, count, 2, 3, 3)) / high
    available = np.ones((count, 3, 3), bool)
    available[: count // 4, 0, 1:] = available[: count // 4, 1:, 0] = False  # a state of its own
    plans = np.indices((3, 3), np.int32).reshape(2, -1).T
    return user, own, available, np.ascontiguousarray(plans), np.ones((count, 9), bool)


@pytest.mark.parametrize("high", [2, 5, 1000])
def test_loops_prove_what_the_kernel_proves(high):
    user, own, available, plans, allowed = programs(np.random.default_rng(high), high)
    found = persuade_all(user, own, available, plans, allowed, iteration_limit=1000, threads=2)
    with jax.enable_x64(True):
        told, limit = jnp.asarray(plans), jnp.int32(1000)
        one = jax.jit(jax.vmap(lambda *given: persuasion_rule(*given[:3], told, jnp.float64(1), limit, given[3])))
        expected = one(user, own, available, allowed)
    assert not found.status.any()
    np.testing.assert_allclose(found.value, expected.value, atol=1e-9)
    np.testing.assert_allclose(found.bound, found.value, atol=1e-9)
    assert found.violation.max() <= 1e-12
    np.testing.assert_allclose(found.rule.sum(axis=2), 1.0)
    chosen = available[:, :, plans].all(axis=3)
    assert not found.rule[~chosen].any()
    alone = persuade_all(user[3:4], own[3:4], available[3:4], plans, allowed[3:4], iteration_limit=1000)
    np.testing.assert_array_equal(alone.rule[0], found.rule[3])


def test_a_margin_makes_her_prefer_what_she_is_to_do():
    """By HiGHS as well; where telling everything leaves her indifferent there is no start, and that is said."""
    user, own, available, plans, allowed = programs(np.random.default_rng(1), 1000)
    found = persuade_all(user, own, available, plans, allowed, iteration_limit=1000, margin=1e-3)
    assert not found.status.any()
    free = persuade_all(user, own, available, plans, allowed, iteration_limit=1000)
    assert (found.value <= free.value + 1e-12).all()
    assert (found.value < free.value - 1e-6).any()
    for r in range(0, 24, 5):
        rule, _ = highs_rule(user[r], own[r], available[r], plans, margin=1e-3)
        worth = own[r][np.arange(2), :, plans].sum(axis=1).T
        assert found.value[r] == pytest.approx((rule * worth).sum(), abs=1e-8)
    tied, ones = np.zeros((1, 1, 2, 2)), np.ones((1, 2), bool)
    tied[0, 0, 0] = [1.0, 0.0]
    tied[0, 0, 1] = [0.0, 1e-9]
    both = np.array([[0], [1]], np.int32)
    told = persuade_all(tied, tied, np.ones((1, 2, 2), bool), both, ones, iteration_limit=9, margin=1e-3)
    assert told.status.tolist() == [NO_START]


def test_pivots_end_at_their_limit_with_a_rule_that_she_obeys():
    user, own, available, plans, allowed = programs(np.random.default_rng(2), 1000)
    found = persuade_all(user, own, available, plans, allowed, iteration_limit=1)
    assert found.status.any()
    assert found.violation.max() <= 1e-12
    assert (found.bound >= found.value - 1e-12).all()


@pytest.mark.slow
def test_regrets_without_loops_are_the_same(monkeypatch):
    tables = eq.sample_tables("senders", 12, states=3, actions=3, providers=2, seed=5, resolution=4)
    game = eq.PersuasionGame.from_tables(tables)
    rules = np.random.default_rng(0).dirichlet(np.ones(3), (12, 2, 3))
    rules[:6, :, :, 2] = 0.0  # a message that nobody hears
    rules /= rules.sum(axis=3, keepdims=True)
    by_loops = lottery_regret(game, rules)
    monkeypatch.setattr(solving, "loops_available", lambda: False)
    by_kernels = lottery_regret(game, rules)
    np.testing.assert_allclose(by_loops.regret, by_kernels.regret, atol=1e-9)
    np.testing.assert_allclose(by_loops.regret_bound, by_kernels.regret_bound, atol=1e-9)
