"""Sorting many short lists of integers at once, one list per lane.

XLA's CPU backend sorts one list after another with a scalar comparison sort. A bitonic network does the same exchange
in all lanes, in vector registers, which is several times faster for lists of up to a few thousand; other backends have
good sorts of their own.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

_NETWORK_LIMIT = 1 << 15  # longer lists: the network's log(n)**2 passes cost more than a comparison sort
_STAGES_PER_PASS = 2  # measured: 1 moves more memory, 3 recomputes too much


def power_of_two(size: int) -> int:
    """The smallest power of two that is not below `size`."""
    return 1 << (size - 1).bit_length()


def sort_lanes(keys: Int[Array, "N L"], sorted_runs: int = 1) -> Int[Array, "N L"]:
    """Every lane in ascending order along the first axis.

    Args:
        keys: N entries per lane.
        sorted_runs: entries come in runs of this length, a power of two that divides N, each in ascending order.
    """
    size = keys.shape[0]
    if size == sorted_runs:
        return keys
    if size > _NETWORK_LIMIT:
        return jnp.sort(keys, axis=0)

    def network(keys):
        return bitonic_sort(keys, sorted_runs)

    return lax.platform_dependent(keys, cpu=network, default=lambda k: lax.sort(k, dimension=0))


def bitonic_sort(keys: Int[Array, "N L"], sorted_runs: int = 1) -> Int[Array, "N L"]:
    """The network itself, without the stages that sort the runs; lists are padded to a power of two."""
    size, lanes = keys.shape
    if sorted_runs > 1:  # runs go up and down in turn
        runs = keys.reshape(size // sorted_runs, sorted_runs, lanes)
        downwards = (np.arange(size // sorted_runs) % 2 == 1)[:, None, None]
        keys = jnp.where(downwards, runs[:, ::-1], runs).reshape(size, lanes)
    full = power_of_two(size)
    if full > size:
        keys = jnp.concatenate([keys, jnp.full((full - size, lanes), jnp.iinfo(keys.dtype).max, keys.dtype)])
    first_run = sorted_runs.bit_length()
    stages = [(1 << run, 1 << step) for run in range(first_run, full.bit_length()) for step in range(run - 1, -1, -1)]
    # XLA would fuse all stages into one loop and recompute each of them twice per later stage: exponentially many
    # operations. A loop of one round, whose number of rounds it cannot see, ends a fusion.
    once = jnp.where(keys[0, 0] == keys[0, 0] - 1, 2, 1).astype(jnp.int32)
    for first in range(0, len(stages), _STAGES_PER_PASS):
        now = stages[first : first + _STAGES_PER_PASS]

        def exchange(_, keys, now=now):
            for run, step in now:
                keys = _exchange(keys, run, step)
            return keys

        keys = lax.fori_loop(0, once, exchange, keys)
    return keys[:size]


def _exchange(keys: Int[Array, "N L"], run: int, step: int) -> Int[Array, "N L"]:
    """Order every entry and the one `step` away; blocks of `run` entries go up and down in turn."""
    size, lanes = keys.shape
    pairs = keys.reshape(size // (2 * step), 2, step, lanes)
    partners = pairs[:, ::-1]
    block = np.arange(size // (2 * step)) * 2 * step
    larger = (block & run != 0)[:, None] ^ np.array([False, True])  # does this half take the larger one?
    larger = jnp.asarray(larger[:, :, None, None])
    return jnp.where(larger, jnp.maximum(pairs, partners), jnp.minimum(pairs, partners)).reshape(size, lanes)
