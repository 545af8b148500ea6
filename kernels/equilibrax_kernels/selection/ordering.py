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

import chex
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int

from equilibrax_kernels.primitives.lanes import take
from equilibrax_kernels.primitives.running import best_before, bits_of, running_min, unbeaten
from equilibrax_kernels.primitives.sorting import sort_lanes


class Ordered(NamedTuple):
    """N schemes sorted by the user's value; entries that hold no scheme come last.

    Attributes:
        user: `[N, L]` the user's values, non-increasing.
        providers: `[N, K, L]` the providers' values.
        rank: `[N, L]` int32, the position that the scheme had in the list given (lexicographic order of schemes).
        valid: `[N, L]` whether the entry holds a scheme.
        response: `[N, K, L]` int32, position of provider j's best response among schemes that the user strictly
            prefers, or None.
        stable: `[N, L]` int32, bit j is set iff provider j has no such scheme that she strictly prefers too.
        tie_response, tie_stable: the same with the user's ties won by the deviator, or None.
    """

    user: Int[Array, "N L"]
    providers: Int[Array, "N K L"]
    rank: Int[Array, "N L"]
    valid: Bool[Array, "N L"]
    response: Int[Array, "N K L"] | None
    stable: Int[Array, "N L"]
    tie_response: Int[Array, "N K L"] | None
    tie_stable: Int[Array, "N L"] | None


def index_bits(size: int) -> int:
    """Bits that hold every position of a list of `size` entries."""
    return max(1, (size - 1).bit_length())


def key_dtype(value_bits: int, size: int):
    """The narrowest integer type for a signed value of `value_bits` bits (sign included) packed with a position."""
    bits = value_bits + index_bits(size)
    if bits > 64:
        raise ValueError(f"a value of {value_bits} bits and a position among {size} do not fit in 64 bits")
    return jnp.int32 if bits <= 32 else jnp.int64


def order_schemes(
    user: Int[Array, "N L"],
    providers: Int[Array, "N K L"],
    valid: Bool[Array, "N L"],
    *,
    value_bits: int,
    ties: bool,
    responses: bool,
) -> Ordered:
    """Sort schemes by the user's value and find stability bits and best responses for every provider.

    Args:
        user: `[N, L]` values of the schemes for the user, |value| < 2**(value_bits - 1) - 1.
        providers: `[N, K, L]` values for the providers, bounded alike.
        valid: `[N, L]`, at least one per lane is true.
        value_bits: bits of a value, sign included.
        ties: whether a deviator who wins the user's ties matters (Definition 16).
        responses: whether best responses are wanted, not only stability.
    """
    chex.assert_shape([user, valid], (*providers.shape[:1], *providers.shape[2:]))
    size = user.shape[0]
    dtype, shift = key_dtype(value_bits, size), index_bits(size)
    low_bits = (1 << shift) - 1
    position = jnp.arange(size, dtype=dtype)[:, None]

    # One packed integer is sorted alone: several times faster than sorting with a payload.
    last = jnp.iinfo(dtype).max >> shift
    keys = sort_lanes((jnp.where(valid, -user.astype(dtype), last) << shift) | position)
    rank, valid = (keys & low_bits).astype(jnp.int32), (keys >> shift) != last
    user, providers = -(keys >> shift).astype(user.dtype), take(providers, rank)
    starts = jnp.concatenate([jnp.ones((1, user.shape[1]), bool), user[1:] != user[:-1]])
    if not (responses or ties):
        bits = jnp.where(valid, unbeaten(providers, starts), 0)
        return Ordered(user, providers, rank, valid, None, bits, None, None)

    nothing = jnp.iinfo(dtype).min
    # Larger v_j first, then the earlier position: better for the user, then lexicographically first.
    packed = (providers.astype(dtype) << shift) | (low_bits - position)[:, None]
    packed = jnp.where(valid[:, None], packed, nothing)
    best, strictly = best_before(packed, starts)

    def response(packed_best):
        return (low_bits - (packed_best & low_bits)).astype(jnp.int32) if responses else None

    def stable(packed_best):
        gains = (packed_best != nothing) & ((packed_best >> shift) > providers)
        return jnp.where(valid, bits_of(~gains), 0)

    at_least = None
    if ties:
        ends = jnp.concatenate([starts[1:], jnp.ones((1, user.shape[1]), bool)])
        # `best` at the end of the entry's own run: the running minimum from the other side, since it never falls.
        at_ends = jnp.where(ends[:, None], best, jnp.iinfo(dtype).max)
        at_least = lax.rev(running_min(lax.rev(at_ends, (0,))), (0,))
    return Ordered(
        user=user,
        providers=providers,
        rank=rank,
        valid=valid,
        response=response(strictly),
        stable=stable(strictly),
        tie_response=None if at_least is None else response(at_least),
        tie_stable=None if at_least is None else stable(at_least),
    )
