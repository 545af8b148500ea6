"""The joint game as loops: against the oracle, and against the JAX kernel, number for number."""

from __future__ import annotations

import math
import random
from functools import cache
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import oracles_persuasion as oracle
import pytest
from equilibrax_kernels.cpu.joint import joint_games
from equilibrax_kernels.partitions.cells import best_response_cells, quantal_cells
from equilibrax_kernels.partitions.joint import joint_game

TOLERANCE = 1e-9
SHAPES = {  # signals, states, actions, providers, number of games
    "alone": (1, 4, 3, 3, 60),
    "informed": (2, 3, 2, 2, 60),
    "large": (1, 5, 3, 2, 12),
    "single": (2, 1, 3, 5, 8),  # more providers than sets of states
}
LAMBDAS = (None, 0.0, 2.5, math.inf)


@cache
def games(shape: str) -> list[oracle.Game]:
    *sizes, count = SHAPES[shape]
    rng = random.Random(shape)
    return [oracle.random_game(rng, *sizes, high=rng.choice((1, 2, 5))) for _ in range(count)]


def arrays(of: list[oracle.Game], how: float | None) -> tuple[np.ndarray, ...]:
    """Contributions, weights, availability, rationality and tolerance, games first."""
    contributions = np.array([game.players for game in of], np.int64)
    weights = np.array([game.weights for game in of], np.int64)
    available = np.array([game.available for game in of], bool)
    tolerance = weights.sum(axis=(1, 2)) * TOLERANCE * (how is not None)
    return contributions, weights, available, np.full(len(of), how or 0.0), tolerance


def solved(of: list[oracle.Game], how: float | None, step_limit: int = 2**30, **options) -> SimpleNamespace:
    given = arrays(of, how)
    masks = np.arange(1, 1 << (given[0].shape[1] - 1))
    asked = {"quantal": how is not None, "resolution": 1, "dynamics": True, "step_limit": step_limit, "threads": 2}
    return SimpleNamespace(**joint_games(*given, masks, **asked | options))


def partition_of(sets: np.ndarray) -> oracle.Partition:
    """From the set that each state is in, state x as bit X - 1 - x."""
    return oracle.from_labels(sets)


@pytest.mark.parametrize("how", LAMBDAS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_loop_agrees_with_the_oracle(shape, how):
    equilibria = oracle.joint_by_profiles if shape in ("alone", "informed") else oracle.joint_symmetric
    found, skipped = solved(games(shape), how), 0
    for b, game in enumerate(games(shape)):
        if oracle.ambiguous(game, how):
            skipped += 1
            continue
        close = 0 if how is None else 1e-8 * game.unit
        assert found.near_ties[b].tolist() == oracle.near_ties(game, how)
        for c in range(found.worst.shape[1]):
            expected = oracle.summary(game, equilibria(game, c + 1, how), how)
            path = oracle.joint_dynamics(game, c + 1, how)
            assert found.count[b, c] == expected["count"]
            assert partition_of(found.worst_partition[b, c]) == expected["worst_partition"]
            assert abs(found.worst[b, c] - expected["worst"]) <= close
            assert abs(found.best[b, c] - expected["best"]) <= close
            assert partition_of(found.dynamics_partition[b, c]) == path.partition
            assert found.dynamics_steps[b, c] == path.steps
            assert abs(found.dynamics[b, c] - oracle.values(game, how)[path.partition][0]) <= close
            assert found.dynamics_ended[b, c]
    assert skipped <= 0.05 * len(games(shape))


@cache
def many(high: int) -> list[oracle.Game]:
    rng = random.Random(high)
    return [oracle.random_game(rng, 2, 7, 3, 3, high) for _ in range(24)]


@pytest.mark.slow
@pytest.mark.parametrize("how", [None, 3.0, math.inf])
@pytest.mark.parametrize("high", [1, 2, 100])
def test_the_loop_agrees_with_the_jax_kernel(high, how):
    """Integers bit for bit, floating point to 1e-12 of the unit: more states than the oracle can do, and many ties."""
    found, of = solved(many(high), how), many(high)
    with jax.enable_x64(True):
        lanes = (jnp.asarray(np.moveaxis(array, 0, -1)) for array in arrays(of, how))
        contributions, weights, available, rationality, tolerance = lanes
        if how is None:
            values, allowed = best_response_cells(contributions, available)
        else:
            values, allowed = quantal_cells(contributions, weights, available, rationality, 1)
        slack = tolerance.astype(values.dtype)
        solve = jax.jit(joint_game, static_argnums=3, static_argnames=("dynamics", "step_limit"))
        expected = solve(values, allowed, slack, tuple(range(1, 8)), dynamics=True, step_limit=2**30)
    for name, array in expected._asdict().items():
        came, wanted = getattr(found, name), np.moveaxis(np.asarray(array), -1, 0)
        if how is not None and name in ("worst", "best", "dynamics"):
            np.testing.assert_allclose(came, wanted, rtol=0, atol=1e-12 * of[0].unit, err_msg=name)
        else:
            np.testing.assert_array_equal(came, wanted, err_msg=name)


def test_dynamics_stops_at_the_limit_and_only_if_it_is_reached():
    found, stopped = solved(games("alone"), None), solved(games("alone"), None, step_limit=0)
    np.testing.assert_array_equal(stopped.dynamics_ended, found.dynamics_steps == 0)
    assert (found.dynamics_steps > 0).any()
    assert (stopped.dynamics_steps == 0).all()


def test_threads_and_dynamics_that_are_not_wanted_change_nothing():
    """The same bits; and there is nothing about dynamics where nobody asked."""
    found, alone = vars(solved(many(2), 3.0)), vars(solved(many(2), 3.0, dynamics=False, threads=1))
    assert found.keys() - alone.keys() == {name for name in found if name.startswith("dynamics")}
    for name, array in alone.items():
        assert array.tobytes() == found[name].tobytes(), name
