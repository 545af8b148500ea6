"""The selection game over partitions: every provider posts a partition, the user responds within each cell.

This is Section 5 of 2509.15090 as written, with obedience: the user takes the provider whose partition is best for her,
sees the cell and does what is best for her (or quantally). Nothing about a rule matters but its values, so the game is
a selection game with one state, in which each partition is an action; `selection.solve_listed` solves that.

Values in floating point are first replaced by their ranks, in which values that are no further apart than a tolerance
share a rank: from then on all comparisons are of integers again.

Letters: P = K + 1 players, the user first; X states, N = 2**X sets, S partitions, C committees, L games (lanes).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Num, UInt32

from equilibrax_kernels.primitives.sorting import sort_lanes
from equilibrax_kernels.selection.dense import dense_schemes
from equilibrax_kernels.selection.solve import Selection, solve_listed


def partition_values(
    values: Num[Array, "P N L"], allowed: Bool[Array, "N L"], partitions: Int[Array, "X S"]
) -> tuple[Num[Array, "P S L"], Bool[Array, "S L"]]:
    """Values of partitions, zero where one has a cell that is not allowed; and which have none.

    Args:
        values: of every set as a cell (`cells`).
        allowed: `[N, L]`.
        partitions: the cells of each, as sets, in any order; 0 (the empty set) fills up.
    """
    finite = jnp.where(allowed, values, 0)

    def one_cell(carry, cell):
        total, valid = carry
        return (total + finite[:, cell], valid & allowed[cell]), None

    (players, _, lanes), count = values.shape, partitions.shape[1]
    first = (jnp.zeros((players, count, lanes), values.dtype), jnp.ones((count, lanes), bool))
    (total, valid), _ = lax.scan(one_cell, first, partitions)
    return jnp.where(valid, total, 0), valid


def ranks(
    values: Float[Array, "P S L"], valid: Bool[Array, "S L"], tolerance: Float[Array, " L"]
) -> tuple[Int[Array, "P S L"], Float[Array, "P S L"]]:
    """`(rank, largest)`: for every player integers in the order of the values, and the largest value of every rank.

    Neighbours in the order of values that are no more than `tolerance` apart share a rank.
    """

    def one(values, valid, tolerance):
        keys = jnp.where(valid, values, jnp.inf)
        order = jnp.argsort(keys)
        ordered = keys[order]
        apart = ordered[1:] - ordered[:-1] > tolerance  # infinity minus infinity is not
        rank = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(apart, dtype=jnp.int32)])
        largest = jnp.full(ordered.shape, -jnp.inf).at[rank].max(ordered)
        return jnp.zeros_like(rank).at[order].set(rank), largest

    of_lanes = jax.vmap(one, in_axes=(1, 1, 0), out_axes=1)
    return jax.vmap(of_lanes, in_axes=(0, None, None))(values, valid, tolerance)


def distinct(values: Num[Array, "K S L"], valid: Bool[Array, "S L"]) -> Int[Array, "K L"]:
    """The number of different values of valid entries, for every provider."""
    providers, size, lanes = values.shape
    lowest = jnp.iinfo(values.dtype).min
    columns = jnp.moveaxis(jnp.where(valid, values, lowest), 0, 1).reshape(size, providers * lanes)
    ordered = sort_lanes(columns).reshape(size, providers, lanes)
    return (ordered[1:] != ordered[:-1]).sum(axis=0, dtype=jnp.int32) + valid.all(axis=0)


def obedient_selection(
    values: Int[Array, "P S L"],
    valid: Bool[Array, "S L"],
    masks: Int[Array, " C"],
    keys: UInt32[Array, "Q L"] | None,
    *,
    value_bits: int,
    ties: bool,
    dynamics: bool,
    minimal: bool,
    step_limit: int,
) -> tuple[Selection, Int[Array, "K L"]]:
    """The selection game over S partitions in lexicographic order, and each provider's ties.

    Args:
        values: of all partitions, or their ranks.
        valid: which are allowed.
        masks, keys, value_bits, ties, dynamics, minimal, step_limit: as in `selection.solve_listed`.

    Returns:
        The answers, in which a scheme `[C, 1, L]` is the position of a partition; and for each provider the number of
        allowed partitions less the number of values they have for it.
    """
    contributions, available = values[:, None], valid[None]
    listed = dense_schemes(contributions, available, with_outcomes=False)
    found = solve_listed(
        listed,
        contributions,
        available,
        masks,
        keys,
        value_bits=value_bits,
        ties=ties,
        dynamics=dynamics,
        minimal=minimal,
        step_limit=step_limit,
    )
    tied = valid.sum(axis=0, dtype=jnp.int32) - distinct(values[1:], valid)
    return found, tied
