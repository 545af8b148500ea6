"""Equilibria of every committee at once, from one stability bit per scheme and provider.

Scheme f is an equilibrium of committee C iff it is stable for every provider in C (2509.15090, Section 7.1; the
symmetric profiles suffice), that is, iff its stability bits include C. Putting schemes into 2**K cells by their bits
and combining every cell with all its supersets (a zeta transform) answers all 2**K - 1 committees in O(N + K 2**K).
Committees of one provider are the monopolist's and are answered in `monopoly`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from equilibrax_kernels.counting import Count
from equilibrax_kernels.ordering import Ordered, index_bits, key_dtype


class CommitteeEquilibria(NamedTuple):
    """Per committee of `masks`, over schemes stable for all its providers.

    Attributes:
        worst: `[C]` the user's smallest value.
        worst_rank: `[C]` int32, rank (lexicographic position) of the first scheme that attains it.
        count: number of equilibrium schemes, `[C]`.
        attained: `[C, O]` whether some equilibrium attains the outcome, or None.
    """

    worst: Int[Array, " C"]
    worst_rank: Int[Array, " C"]
    count: Count
    attained: Bool[Array, "C O"] | None


def lowest_member(masks: Int[Array, " C"]) -> Int[Array, " C"]:
    """`[C]` the lowest set bit of each mask, as a mask."""
    return masks & -masks


def committee_equilibria(
    schemes: Ordered,
    multiplicity: Count,
    outcomes: Bool[Array, "N O"] | None,
    masks: Int[Array, " C"],
    *,
    value_bits: int,
    ties: bool,
) -> CommitteeEquilibria:
    """Worst equilibrium, number of equilibria and attained outcomes of each committee.

    Args:
        schemes: N schemes in the user's order.
        multiplicity: `[N]` how many signaling schemes each entry stands for, in the user's order.
        outcomes: `[N, O]` outcomes (state, action) that an entry's schemes attain, in the user's order, or None.
        masks: `[C]` int32 committees as bitmasks.
        value_bits: bits of a value, sign included.
        ties: Definition 16's tie rule: the lowest-indexed provider of the committee wins the user's ties.
    """
    k = schemes.providers.shape[0]
    if not ties:
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
    size = schemes.user.shape[0]
    dtype, bits = key_dtype(value_bits, size), index_bits(size)
    cell = jnp.where(schemes.valid, stable, 2**k)  # out of range: dropped

    key = (schemes.user.astype(dtype) << bits) | schemes.rank.astype(dtype)
    least = jnp.full(2**k, jnp.iinfo(dtype).max, dtype).at[cell].min(key, mode="drop")
    least = _zeta(least, k, jnp.minimum)[masks]
    exact = jnp.zeros(2**k, jnp.int64).at[cell].add(multiplicity.exact, mode="drop")
    rough = jnp.zeros(2**k, jnp.float64).at[cell].add(multiplicity.size, mode="drop")
    attained = None
    if outcomes is not None:
        attained = jnp.zeros((2**k, outcomes.shape[1]), bool).at[cell].max(outcomes, mode="drop")
        attained = _zeta(attained, k, jnp.logical_or)[masks]
    return CommitteeEquilibria(
        worst=(least >> bits).astype(schemes.user.dtype),
        worst_rank=(least & ((1 << bits) - 1)).astype(jnp.int32),
        count=Count(_zeta(exact, k, jnp.add)[masks], _zeta(rough, k, jnp.add)[masks]),
        attained=attained,
    )


def _zeta(cells: Array, k: int, combine) -> Array:
    """Combine every cell of `[2**k, ...]` with those of all supersets of its index."""
    shape = cells.shape
    for b in range(k):
        cells = cells.reshape((2 ** (k - 1 - b), 2, 2**b, *shape[1:]))
        without, with_bit = cells[:, 0], cells[:, 1]
        cells = jnp.stack([combine(without, with_bit), with_bit], axis=1)
    return cells.reshape(shape)
