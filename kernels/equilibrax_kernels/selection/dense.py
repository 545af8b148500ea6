"""All signaling schemes of a table, by repeated outer sums: for tables with few schemes (A**X up to about 1e5)."""

from __future__ import annotations

import chex
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from equilibrax_kernels.primitives.lanes import outcome_bit, words_for
from equilibrax_kernels.selection.solve import SchemeList


def dense_schemes(
    contributions: Int[Array, "P X A L"], available: Bool[Array, "X A L"], *, with_outcomes: bool
) -> SchemeList:
    """List all A**X schemes in lexicographic order, state 0 most significant.

    Args:
        contributions: `[K + 1, X, A, L]` `p(x) u_p(a, x)`, the user first.
        available: `[X, A, L]`; schemes that use an unavailable action are not valid.
        with_outcomes: whether to list each scheme's outcomes.
    """
    chex.assert_shape(available, contributions.shape[1:])
    players, states, actions, lanes = contributions.shape
    by_state = jnp.moveaxis(contributions, 0, 2)  # [X, A, P, L]
    values, valid = by_state[-1], available[-1]
    for x in range(states - 2, -1, -1):
        values = (by_state[x][:, None] + values).reshape(-1, players, lanes)
        valid = (available[x][:, None] & valid).reshape(-1, lanes)

    def action(x: int, position):
        return (position // actions ** (states - 1 - x)) % actions

    def decode(position):
        return jnp.stack([action(x, position) for x in range(states)], axis=1)

    outcomes = None
    if with_outcomes:
        every = jnp.arange(valid.shape[0], dtype=jnp.int32)[:, None]
        words = words_for(states * actions)
        outcomes = jnp.zeros((valid.shape[0], words, 1), jnp.uint32)
        for x in range(states):
            outcomes = outcomes | outcome_bit(x * actions + action(x, every), words)
        outcomes = jnp.broadcast_to(outcomes, (valid.shape[0], words, lanes))
    return SchemeList(
        user=values[:, 0],
        providers=values[:, 1:],
        valid=valid,
        multiplicity=None,
        outcomes=outcomes,
        decode=decode,
        overflow=jnp.zeros(lanes, bool),
    )
