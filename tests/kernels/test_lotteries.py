"""Lotteries in the selection game: loops and kernels against the same oracles."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import oracles_lotteries
import pytest
from equilibrax_kernels.cpu.lotteries import select_lotteries
from equilibrax_kernels.cpu.selection import unpack_outcomes
from equilibrax_kernels.selection.lotteries import lottery_equilibria

RULES = ("incumbent", "lowest_index")
SHAPES = [(3, 3, 3), (2, 4, 3), (4, 2, 2), (1, 5, 4), (2, 3, 1)]  # states, actions, providers


def games_of(seed: int, shape, count: int = 12, high: int = 3) -> list[oracles.Table]:
    rng = random.Random(seed)
    return [oracles.random_table(rng, *shape, 0, high) for _ in range(count)]


def by_loops(games, ties: bool, intervals: int = 64) -> dict[str, Any]:
    states, actions, providers = games[0].states, games[0].actions, len(games[0].providers)
    utilities = np.array([[game.user, *game.providers] for game in games], np.int32)
    prior, available = np.array([game.prior for game in games], np.int32), np.array([g.available for g in games])
    masks = np.arange(1, 2**providers, dtype=np.int32)
    found = select_lotteries(utilities, prior, available, masks, resolution=1, ties=ties, intervals=intervals)
    return found | {name: unpack_outcomes(found[name], states, actions) for name in ("attained", "optimal")}


def compare(games, found, tie_break: str) -> None:
    """Everything that a kernel says, with the oracle that takes the product over breakpoints."""
    for i, game in enumerate(games):
        assert set(map(tuple, np.argwhere(found["optimal"][i]).tolist())) == oracles.optimal_outcomes(game)
        for c, committee in enumerate(oracles.committees(game)):
            intervals, attained = oracles_lotteries.equilibria(game, committee, tie_break)
            said = game, committee
            count = int(found["interval_count"][i, c])
            assert [tuple(row) for row in found["intervals"][i, c, :count][::-1].tolist()] == intervals, said
            assert (found["worst"][i, c], found["best"][i, c]) == (intervals[0][0], intervals[-1][1]), said
            assert set(map(tuple, np.argwhere(found["attained"][i, c]).tolist())) == attained, said
            assert found["unique"][i, c] == (len(attained) == game.states), said
            scheme = oracles_lotteries.worst_scheme(game, committee, tie_break)
            assert tuple(found["worst_scheme"][i, c].tolist()) == scheme, said


@pytest.mark.parametrize("tie_break", RULES)
@pytest.mark.parametrize("shape", SHAPES)
def test_loops_and_the_product_over_breakpoints(shape, tie_break):
    """Tables full of ties, with priors and missing actions."""
    games = games_of(1, shape, 8) + games_of(2, shape, 4, 9)
    compare(games, by_loops(games, tie_break == "lowest_index"), tie_break)


def by_kernels(games, ties: bool, intervals: int = 16) -> dict[str, Any]:
    providers = len(games[0].providers)
    utilities = np.array([[game.user, *game.providers] for game in games], np.int64)
    prior, available = np.array([game.prior for game in games]), np.array([g.available for g in games])
    masks = np.arange(1, 2**providers, dtype=np.int32)
    lanes = [np.moveaxis(a, 0, -1) for a in (utilities, utilities * prior[:, None, :, None], available)]
    with jax.enable_x64(True):
        solve = jax.jit(partial(lottery_equilibria, ties=ties, intervals=intervals))
        found = solve(*map(jnp.asarray, lanes), jnp.asarray(masks))
    return {name: np.moveaxis(np.asarray(array), -1, 0) for name, array in found._asdict().items()}


@pytest.mark.parametrize("tie_break", RULES)
@pytest.mark.parametrize("shape", SHAPES[:2])
def test_kernels_and_the_product_over_breakpoints(shape, tie_break):
    games = games_of(3, shape, 8) + games_of(4, shape, 4, 9)
    compare(games, by_kernels(games, tie_break == "lowest_index"), tie_break)
