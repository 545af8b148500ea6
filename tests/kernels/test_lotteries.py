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
from equilibrax_kernels.cpu.selection import unpack_outcomes
from equilibrax_kernels.lotteries.intervals import select_lotteries
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


@pytest.mark.parametrize("tie_break", RULES)
def test_utilities_of_32_bits_need_no_more_than_64(tie_break):
    """Products of differences reach (2**32 - 2)**2, and ratios differ in their last digit."""
    rng, most = random.Random(5), 2**31 - 1
    near = [-most, 1 - most, 2 - most, most - 2, most - 1, most]

    def draw(count: int) -> list[list[int]]:
        return [[rng.choice(near) for _ in range(3)] for _ in range(count)]

    games = [
        oracles.Table(draw(2), [draw(2), draw(2)], [1, rng.randint(1, 2)], [[True] * 3, [True] * 3]) for _ in range(40)
    ]
    compare(games, by_loops(games, tie_break == "lowest_index"), tie_break)
    compare(games[:12], by_kernels(games[:12], tie_break == "lowest_index"), tie_break)


@pytest.mark.parametrize("solve", [by_loops, lambda games, ties, intervals: by_kernels(games, ties, intervals)])
def test_intervals_that_find_no_room_are_counted(solve):
    """Those that do are the highest, so that a caller sees how much more to ask for."""
    games = games_of(9, (3, 4, 3), 20, 30)
    few, many = solve(games, False, 1), solve(games, False, 16)
    assert many["interval_count"].max() > 1
    np.testing.assert_array_equal(few["interval_count"], many["interval_count"])
    np.testing.assert_array_equal(few["intervals"][:, :, 0], many["intervals"][:, :, 0])
    np.testing.assert_array_equal(few["worst"], many["worst"])


@pytest.mark.slow
def test_a_thousand_tables_and_the_product_over_breakpoints():
    """Ties, priors, missing actions, one to four providers."""
    for seed, shape in enumerate([(3, 3, 1), (2, 3, 2), (3, 2, 3), (2, 3, 4), (3, 3, 3)]):
        for ties in (False, True):
            games = games_of(seed + 100 * ties, shape, 70) + games_of(seed + 10, shape, 30, 12)
            compare(games, by_loops(games, ties), RULES[ties])


@pytest.mark.slow
def test_two_hundred_tables_and_linear_programs():
    """No breakpoints: HiGHS finds equilibria at ends and inside of intervals, and none in the middle of gaps."""
    asked = 0
    for seed, shape in enumerate([(2, 3, 2), (3, 3, 2), (2, 4, 3), (1, 4, 3)]):
        games = games_of(seed + 50, shape, 50, 12)
        found = by_loops(games, False)
        everybody = 2 ** shape[2] - 1
        for i, game in enumerate(games):
            count = found["interval_count"][i, everybody - 1]
            intervals = [tuple(row) for row in found["intervals"][i, everybody - 1, :count][::-1].tolist()]
            lowest = oracles_lotteries.lowest_value(game)
            scan = oracles_lotteries.Scan(game, everybody)
            for value, expected in oracles_lotteries.scan_points(intervals, lowest):
                if value == found["optimum"][i]:
                    continue  # there nothing is better for her, and it is an equilibrium
                slack = scan.slack(float(value))
                assert slack <= 1e-9
                assert (slack >= -1e-9) == expected, (game, value, slack)
                asked += 1
    assert asked > 250


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
