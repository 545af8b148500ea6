"""Equilibria of every committee at once, from one stability bit per scheme and provider.

Scheme f is an equilibrium of committee C iff it is stable for every provider in C (2509.15090, Section 7.1; the
symmetric profiles suffice), that is, iff its stability bits include C. Putting schemes into 2**K cells by their bits
and combining every cell with all its supersets (a zeta transform) answers all 2**K - 1 committees in O(N + K 2**K).
Committees of one provider are the monopolist's and are answered in `monopoly`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, UInt32

from equilibrax_kernels.primitives.counting import Count, as_count
from equilibrax_kernels.primitives.lanes import lane_numbers
from equilibrax_kernels.selection.ordering import Ordered, index_bits, key_dtype


class CommitteeEquilibria(NamedTuple):
    """Per committee of `masks`, over schemes stable for all its providers.

    Attributes:
        worst: `[C, L]` the user's smallest value.
        worst_rank: `[C, L]` int32, rank (lexicographic position) of the first scheme that attains it.
        count: number of equilibrium schemes, `[C, L]`.
        attained: `[C, W, L]` the outcomes that some equilibrium attains, as bits, or None.
    """

    worst: Int[Array, "C L"]
    worst_rank: Int[Array, "C L"]
    count: Count
    attained: UInt32[Array, "C W L"] | None


def lowest_member(masks: Int[Array, " C"]) -> Int[Array, " C"]:
    """`[C]` the lowest set bit of each mask, as a mask."""
    return masks & -masks


def committee_equilibria(
    schemes: Ordered,
    multiplicity: Count | None,
    outcomes: UInt32[Array, "N W L"] | None,
    masks: Int[Array, " C"],
    *,
    value_bits: int,
    ties: bool,
) -> CommitteeEquilibria:
    """Worst equilibrium, number of equilibria and attained outcomes of each committee.

    Args:
        schemes: N schemes in the user's order.
        multiplicity: `[N, L]` how many signaling schemes each entry stands for, in the user's order; None: one each.
        outcomes: `[N, W, L]` bits of the outcomes that an entry's schemes attain, in the user's order, or None.
        masks: `[C]` int32 committees as bitmasks.
        value_bits: bits of a value, sign included.
        ties: Definition 16's tie rule: the lowest-indexed provider of the committee wins the user's ties.
    """
    k = schemes.providers.shape[1]
    if schemes.tie_stable is None or not ties:
        return _over_supersets(schemes, schemes.stable, multiplicity, outcomes, masks, k, value_bits)
    # The lowest provider's own bit must hold with ties as well; which bit that is depends on the committee.
    results = []
    for j in range(k):
        bit = 1 << j
        stable = (schemes.stable & ~bit) | (schemes.tie_stable & bit)
        results.append(_over_supersets(schemes, stable, multiplicity, outcomes, masks, k, value_bits))
    return _choose(results, lowest_member(masks))


def _choose(results: list[CommitteeEquilibria], lowest: Int[Array, " C"]) -> CommitteeEquilibria:
    """For every committee, the result of its lowest provider."""
    chosen = results[0]
    for j, other in enumerate(results[1:], start=1):
        mine = lowest == (1 << j)
        chosen = jax.tree.map(
            lambda old, new, mine=mine: jnp.where(mine.reshape(mine.shape + (1,) * (old.ndim - 1)), new, old),
            chosen,
            other,
        )
    return chosen


def _over_supersets(schemes, stable, multiplicity, outcomes, masks, k, value_bits) -> CommitteeEquilibria:
    size, lanes = schemes.user.shape
    dtype, bits = key_dtype(value_bits, size), index_bits(size)
    cell = jnp.where(schemes.valid, stable, 2**k)  # one cell more, for entries that hold no scheme
    lane = lane_numbers(cell)

    def gather_cells(start, dtype, combine: str, entries):
        cells = jnp.full((2**k + 1, lanes), start, dtype).at[cell, lane]
        return getattr(cells, combine)(entries, mode="promise_in_bounds")[:-1]

    key = (schemes.user.astype(dtype) << bits) | schemes.rank.astype(dtype)
    least = zeta(gather_cells(jnp.iinfo(dtype).max, dtype, "min", key), k, jnp.minimum)[masks]
    if multiplicity is None:
        count = as_count(zeta(gather_cells(0, jnp.int32, "add", jnp.int32(1)), k, jnp.add)[masks])
    else:
        exact = zeta(gather_cells(0, jnp.int64, "add", multiplicity.exact), k, jnp.add)[masks]
        count = Count(exact, zeta(gather_cells(0, jnp.float64, "add", multiplicity.size), k, jnp.add)[masks])
    return CommitteeEquilibria(
        worst=(least >> bits).astype(schemes.user.dtype),
        worst_rank=(least & ((1 << bits) - 1)).astype(jnp.int32),
        count=count,
        attained=None if outcomes is None else _attained(jnp.where(schemes.valid, stable, 0), outcomes, masks),
    )


def _attained(stable: Int[Array, "N L"], outcomes: UInt32[Array, "N W L"], masks) -> UInt32[Array, "C W L"]:
    """The union of the outcomes of every committee's equilibria."""

    def add(attained, entry):
        bits, words = entry
        equilibrium = (bits & masks[:, None]) == masks[:, None]
        return attained | jnp.where(equilibrium[:, None], words, jnp.uint32(0)), None

    nothing = jnp.zeros((masks.shape[0], *outcomes.shape[1:]), jnp.uint32)
    return lax.scan(add, nothing, (stable, outcomes))[0]


def zeta(cells: Array, k: int, combine: Callable[[Array, Array], Array]) -> Array:
    """Combine every cell of `[2**k, ...]` with those of all supersets of its index."""
    shape = cells.shape
    for b in range(k):
        cells = cells.reshape((2 ** (k - 1 - b), 2, 2**b, *shape[1:]))
        without, with_bit = cells[:, 0], cells[:, 1]
        cells = jnp.stack([combine(without, with_bit), with_bit], axis=1)
    return cells.reshape(shape)
