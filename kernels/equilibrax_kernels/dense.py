"""All signaling schemes of a table, by repeated outer sums: for tables with few schemes (A**X up to about 1e5)."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from equilibrax_kernels.counting import as_count
from equilibrax_kernels.selection import SchemeList


def dense_schemes(
    contributions: Int[Array, "P X A"], available: Bool[Array, "X A"], *, with_outcomes: bool
) -> SchemeList:
    """List all A**X schemes in lexicographic order, state 0 most significant.

    Args:
        contributions: `[K + 1, X, A]` `p(x) u_p(a, x)`, the user first.
        available: `[X, A]`; schemes that use an unavailable action are not valid.
        with_outcomes: whether to list each scheme's outcomes.
    """
    players, states, actions = contributions.shape
    # From the last state to the first, so that the long axis is the inner one, which vectorizes.
    values, valid = contributions[:, -1], available[-1]
    for x in range(states - 2, -1, -1):
        values = (contributions[:, x, :, None] + values[:, None, :]).reshape(players, -1)
        valid = (available[x, :, None] & valid).reshape(-1)

    def decode(position):
        place = actions ** jnp.arange(states - 1, -1, -1, dtype=jnp.int32)
        return (position[:, None] // place) % actions

    every = jnp.arange(valid.shape[0], dtype=jnp.int32)
    outcomes = None
    if with_outcomes:
        outcomes = decode(every)[:, :, None] == jnp.arange(actions, dtype=jnp.int32)
    return SchemeList(
        user=values[0],
        providers=values[1:],
        valid=valid,
        multiplicity=as_count(jnp.ones_like(every)),
        outcomes=outcomes,
        decode=decode,
        overflow=jnp.zeros((), bool),
    )
