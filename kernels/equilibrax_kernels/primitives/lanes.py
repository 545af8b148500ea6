"""Letters and helpers of kernels that solve many tables at once.

All kernels take their batch, the lanes, as the last axis: lists are short and providers few, so only the lanes are long
enough to fill vector registers on a CPU, and on a GPU neighbouring threads read neighbouring numbers.

Letters: L lanes (tables), N entries of a list, K providers, P = K + 1 players (the user first), X states, A actions,
C committees, W 32-bit words.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, UInt32


def take(values: Array, positions: Int[Array, "M L"]) -> Array:
    """`values[positions[m, l], ..., l]` for `values` `[N, ..., L]`: `[M, ..., L]`. Positions must be in range."""
    shape = (positions.shape[0], *(1,) * (values.ndim - 2), positions.shape[1])
    return jnp.take_along_axis(values, positions.reshape(shape), axis=0, mode="promise_in_bounds")


def lane_numbers(like: Array) -> Int[Array, " L"]:
    """`[L]` int32: the lanes of an array, numbered."""
    return jnp.arange(like.shape[-1], dtype=jnp.int32)


def words_for(outcomes: int) -> int:
    """32-bit words that hold a bit per outcome."""
    return -(-outcomes // 32)


def outcome_bit(outcome: Int[Array, "N L"], words: int) -> UInt32[Array, "N W L"]:
    """The set of a single outcome (`x * A + a`) as bits."""
    word = jnp.arange(words, dtype=jnp.int32)[:, None]
    bit = jnp.left_shift(jnp.uint32(1), (outcome & 31).astype(jnp.uint32))
    return jnp.where((outcome >> 5)[:, None] == word, bit[:, None], jnp.uint32(0))


def unpack_bits(words: UInt32[Array, "N W L"], outcomes: int) -> Bool[Array, "N O L"]:
    """Whether each outcome is in the set."""
    index = jnp.arange(outcomes, dtype=jnp.int32)
    shifts = (index & 31).astype(jnp.uint32)[:, None]
    return (words[:, index >> 5] >> shifts) & 1 == 1
