"""Schemes in the user's order, and what each provider could still gain above each of them.

A list of N signaling schemes is given by its values for the user (v_0) and for the K providers (v_j). Sorted by v_0,
largest first and ties in the order of the list, everything about stability and best responses is a prefix maximum:

- provider j gains by deviating from f to a scheme that the user strictly prefers iff the largest v_j among schemes with
  strictly larger v_0 exceeds v_j(f) (2509.15090, Section 7.1, profitable deviations);
- where the provider also wins the user's ties (Definition 16, lowest index), "larger" is "at least as large".

Positions ride along in the low bits of the maximized integers, so the prefix maximum is the best response itself, with
ties broken in the user's favour and then by the order of the list.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int

from equilibrax_kernels.running import best_before, running_max, unbeaten


class Ordered(NamedTuple):
    """N schemes sorted by the user's value; entries that hold no scheme come last.

    Attributes:
        user: `[N]` the user's values, non-increasing.
        providers: `[K, N]` the providers' values.
        rank: `[N]` int32, the position that the scheme had in the list given (lexicographic order of schemes).
        valid: `[N]` whether the entry holds a scheme.
        response: `[K, N]` int32, position of provider j's best response among schemes that the user strictly prefers.
        stable: `[N]` int32, bit j is set iff provider j has no such scheme that she strictly prefers too.
        tie_response, tie_stable: the same with the user's ties won by the deviator, if asked for.
    """

    user: Int[Array, " N"]
    providers: Int[Array, "K N"]
    rank: Int[Array, " N"]
    valid: Bool[Array, " N"]
    response: Int[Array, "K N"]
    stable: Int[Array, " N"]
    tie_response: Int[Array, "K N"]
    tie_stable: Int[Array, " N"]


def index_bits(size: int) -> int:
    """Bits that hold every position of a list of `size` entries."""
    return max(1, (size - 1).bit_length())


def key_dtype(value_bits: int, size: int):
    """The narrowest integer type for a signed value of `value_bits` bits (sign included) packed with a position."""
    bits = value_bits + index_bits(size)
    if bits > 64:
        raise ValueError(f"a value of {value_bits} bits and a position among {size} do not fit in 64 bits")
    return jnp.int32 if bits <= 32 else jnp.int64


def user_order(user: Int[Array, " N"], valid: Bool[Array, " N"], value_bits: int) -> Int[Array, " N"]:
    """`[N]` int32: positions sorted by the user's value, largest first, then by position; invalid entries last.

    One packed integer key is sorted alone: several times faster than sorting with a payload.
    """
    size = user.shape[0]
    dtype, bits = key_dtype(value_bits, size), index_bits(size)
    lowest = jnp.iinfo(dtype).max >> bits
    descending = jnp.where(valid, -user.astype(dtype), lowest)
    packed = (descending << bits) | jnp.arange(size, dtype=dtype)
    return (jnp.sort(packed) & ((1 << bits) - 1)).astype(jnp.int32)


def order_schemes(
    user: Int[Array, " N"],
    providers: Int[Array, "K N"],
    valid: Bool[Array, " N"],
    *,
    value_bits: int,
    ties: bool,
    responses: bool,
) -> Ordered:
    """Sort schemes by the user's value and find stability bits and best responses for every provider.

    Args:
        user: `[N]` values of the schemes for the user, |value| < 2**(value_bits - 1) - 1.
        providers: `[K, N]` values for the providers, bounded alike.
        valid: `[N]`, at least one is true.
        value_bits: bits of a value, sign included.
        ties: whether a deviator who wins the user's ties matters (Definition 16).
        responses: whether best responses are wanted, not only stability; they are empty otherwise.
    """
    order = user_order(user, valid, value_bits)
    user, providers, valid = user[order], providers[:, order], valid[order]
    starts = jnp.concatenate([jnp.ones(1, bool), user[1:] != user[:-1]])
    if not (responses or ties):
        bits = jnp.where(valid, unbeaten(providers, starts), 0)
        none = jnp.zeros((providers.shape[0], 0), jnp.int32)
        return Ordered(user, providers, order, valid, none, bits, none, bits)

    size = user.shape[0]
    dtype, bits = key_dtype(value_bits, size), index_bits(size)
    low_bits = (1 << bits) - 1
    position = jnp.arange(size, dtype=dtype)
    nothing = jnp.iinfo(dtype).min
    # Larger v_j first, then the earlier position: better for the user, then lexicographically first.
    packed = (providers.astype(dtype) << bits) | (low_bits - position)
    packed = jnp.where(valid, packed, nothing)
    best, strictly = best_before(packed, starts)

    def response(packed_best):
        return (low_bits - (packed_best & low_bits)).astype(jnp.int32)

    def stable(packed_best):
        gains = (packed_best != nothing) & ((packed_best >> bits) > providers)
        weights = jnp.left_shift(1, jnp.arange(providers.shape[0], dtype=jnp.int32))
        return jnp.sum(jnp.where(gains, 0, weights[:, None]), axis=0, dtype=jnp.int32)

    at_least = strictly
    if ties:
        ends = jnp.concatenate([starts[1:], jnp.ones(1, bool)])
        # Likewise from the other side: the smallest value at an end of a run, here or later, is that of this run.
        ceiling = jnp.where(ends, best, jnp.iinfo(dtype).max)
        at_least = ~lax.rev(running_max(lax.rev(~ceiling, (1,))), (1,))

    return Ordered(
        user=user,
        providers=providers,
        rank=order,
        valid=valid,
        response=response(strictly),
        stable=jnp.where(valid, stable(strictly), 0),
        tie_response=response(at_least),
        tie_stable=jnp.where(valid, stable(at_least), 0),
    )
