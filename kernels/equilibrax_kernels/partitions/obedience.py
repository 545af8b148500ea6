"""The selection game over partitions: every provider posts a partition, the user responds within each cell.

This is Section 5 of 2509.15090 as written, with obedience: the user takes the provider whose partition is best for her,
sees the cell and does what is best for her (or quantally). Nothing about a rule matters but its values, so the game is
a selection game with one state, in which each partition is an action; `selection.solve_listed` solves that.

That is for integers; values in floating point are compared up to a tolerance (`tolerant`).

Letters: P = K + 1 players, the user first; X states, N = 2**X sets, S partitions, C committees, L games (lanes).
"""

from __future__ import annotations

import chex
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, Num, UInt32

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
    chex.assert_shape(allowed, values.shape[1:])
    finite = jnp.where(allowed, values, 0)

    def one_cell(carry, cell):
        total, valid = carry
        return (total + finite[:, cell], valid & allowed[cell]), None

    (players, _, lanes), count = values.shape, partitions.shape[1]
    first = (jnp.zeros((players, count, lanes), values.dtype), jnp.ones((count, lanes), bool))
    (total, valid), _ = lax.scan(one_cell, first, partitions)
    return jnp.where(valid, total, 0), valid


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
) -> Selection:
    """The selection game over S partitions in lexicographic order; a scheme `[C, 1, L]` is the position of a partition.

    Args:
        values: of all partitions.
        valid: which are allowed.
        masks, keys, value_bits, ties, dynamics, minimal, step_limit: as in `selection.solve_listed`.
    """
    contributions, available = values[:, None], valid[None]
    listed = dense_schemes(contributions, available, with_outcomes=False)
    return solve_listed(
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
