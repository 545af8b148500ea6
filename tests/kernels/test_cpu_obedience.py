"""Selection with obedience as loops: against the oracle, and against the JAX kernels with all options."""

from __future__ import annotations

import math
import random
from functools import cache
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles_persuasion as oracle
import pytest
from equilibrax_kernels.cpu.obedience import obedient_games
from equilibrax_kernels.partitions.cells import best_response_cells, quantal_cells
from equilibrax_kernels.partitions.obedience import obedient_selection, partition_values
from equilibrax_kernels.partitions.tolerant import near_ties, tolerant_selection
from equilibrax_kernels.primitives.lanes import take

LAMBDAS = (None, 0.0, 2.5, math.inf)
SHAPES = {"alone": (1, 4, 3, 3, 40), "informed": (2, 3, 2, 2, 40)}  # signals, states, actions, providers, games


@cache
def games(shape: str) -> list[oracle.Game]:
    *sizes, count = SHAPES[shape]
    rng = random.Random(shape)
    return [oracle.random_game(rng, *sizes, high=rng.choice((1, 2, 5))) for _ in range(count)]


def arrays(of: list[oracle.Game], how: float | None, tolerance: float = 1e-9) -> list[np.ndarray]:
    """Contributions, weights, availability, rationality and tolerance, games first."""
    weights = np.array([game.weights for game in of], np.int64)
    return [
        np.array([game.players for game in of], np.int64),
        weights,
        np.array([game.available for game in of], bool),
        np.full(len(of), how or 0.0),
        tolerance * weights.sum(axis=(1, 2)) * (how is not None),
    ]


@cache
def cells_of(states: int) -> np.ndarray:
    """`[S, X]` the cells of all partitions, lexicographically; state x is bit X - 1 - x."""
    found = oracle.partitions(2**states - 1)
    sets = [[int(f"{cell:0{states}b}"[::-1], 2) for cell in partition] for partition in found]
    return np.array([row + [0] * (states - len(row)) for row in sets], np.int32)


def solved(of: list[oracle.Game], how: float | None, keys: np.ndarray | None = None, **options: Any) -> SimpleNamespace:
    given = arrays(of, how, options.pop("tolerance", 1e-9))
    players, states = given[0].shape[1], given[2].shape[1]
    masks, asked = np.arange(1, 1 << (players - 1)), {"ties": False, "minimal": False, "step_limit": 1000} | options
    asked |= {"quantal": how is not None, "resolution": 1, "dynamics": True, "threads": 2}
    return SimpleNamespace(**obedient_games(*given, cells_of(states), masks, keys, **asked))


@pytest.mark.parametrize("how", LAMBDAS)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_loop_agrees_with_the_oracle(shape, ties, how):
    """Equilibria among all profiles of partitions, or (three providers of four states) among those that all post."""
    equilibria = oracle.selection_by_profiles if shape == "informed" else oracle.selection_equilibria
    rule, found, skipped = "lowest_index" if ties else "incumbent", solved(games(shape), how, ties=ties), 0
    for b, game in enumerate(games(shape)):
        if oracle.ambiguous(game, how):
            skipped += 1
            continue
        listed, close = oracle.partitions(game.everything), 0 if how is None else 1e-8 * game.unit
        for c in range(found.worst.shape[1]):
            expected = oracle.summary(game, equilibria(game, c + 1, rule, how), how)
            path = oracle.selection_dynamics(game, c + 1, rule, how)
            assert found.count[b, c] == expected["count"]
            assert listed[found.worst_partition[b, c]] == expected["worst_partition"]
            assert abs(found.worst[b, c] - expected["worst"]) <= close
            assert abs(found.best[b, c] - expected["best"]) <= close
            assert listed[found.dynamics_partition[b, c]] == path.partition
            assert found.dynamics_steps[b, c] == path.steps
            assert abs(found.dynamics[b, c] - oracle.values(game, how)[path.partition][0]) <= close
            assert found.dynamics_ended[b, c]
    assert skipped <= 0.05 * len(games(shape))


OPTIONS = [
    (None, {"ties": True, "minimal": True}),
    (None, {"ties": True, "random": True, "step_limit": 1}),
    (3.0, {"ties": True}),
    (3.0, {"tolerance": 0.03, "random": True}),
    (1.0, {"tolerance": 0.1, "ties": True, "minimal": True, "step_limit": 20}),
]


@pytest.mark.parametrize(("how", "options"), OPTIONS)
def test_the_loop_agrees_with_the_jax_kernels(how, options):
    """Integers bit for bit, floating point to 1e-12 of the unit; five states and many ties."""
    rng = random.Random(5)
    of = [oracle.random_game(rng, 1, 5, 3, 3, high=rng.choice((1, 3, 50))) for _ in range(24)]
    asked = {"ties": False, "minimal": False, "random": False, "step_limit": 1000} | options
    keys = np.random.default_rng(2).integers(0, 2**32, (24, 2), np.uint32)
    keys = keys if asked.pop("random") else None
    found = solved(of, how, keys, **asked)
    with jax.enable_x64(True):
        expected = jax.jit(lambda: from_jax(of, how, keys, asked))()
    for name, array in expected.items():
        came, wanted = getattr(found, name), np.moveaxis(np.asarray(array), -1, 0)
        if how is not None and name in ("worst", "best", "dynamics"):
            np.testing.assert_allclose(came, wanted, rtol=0, atol=1e-12 * of[0].unit, err_msg=name)
        else:
            np.testing.assert_array_equal(came, wanted, err_msg=name)
    assert found.dynamics_steps.max() > 0


def from_jax(of: list[oracle.Game], how: float | None, keys: np.ndarray | None, asked: dict) -> dict[str, jax.Array]:
    tolerances = asked.pop("tolerance", 1e-9)
    given = (jnp.asarray(np.moveaxis(array, 0, -1)) for array in arrays(of, how, tolerances))
    contributions, weights, available, rationality, tolerance = given
    if how is None:
        values, allowed = best_response_cells(contributions, available)
    else:
        values, allowed = quantal_cells(contributions, weights, available, rationality, 1)
    worth, valid = partition_values(values, allowed, jnp.asarray(cells_of(available.shape[0]).T))
    masks, draws = jnp.arange(1, 8, dtype=jnp.int32), None if keys is None else jnp.asarray(keys.T)
    if how is None:
        exact = worth.astype(jnp.int64)
        found: Any = obedient_selection(exact, valid, masks, draws, value_bits=40, dynamics=True, **asked)
        first, end = found.worst_scheme[:, 0], found.dynamics_scheme[:, 0]
        steps, ended, worst = found.dynamics_steps, found.dynamics_ended, take(worth[0], first)
    else:
        found = tolerant_selection(worth, valid, tolerance, masks, draws, dynamics=True, **asked)
        first, (end, steps, ended), worst = found.worst_position, found.dynamics, found.worst
    none = found.count == 0
    return {
        "worst": jnp.where(none, jnp.nan, worst),
        "best": jnp.where(none, jnp.nan, found.best),
        "count": found.count,
        "worst_partition": first,
        "near_ties": near_ties(worth, valid, tolerance),
        "dynamics": take(worth[0], end),
        "dynamics_partition": end,
        "dynamics_steps": steps,
        "dynamics_ended": ended,
    }
