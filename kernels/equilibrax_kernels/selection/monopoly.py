"""Committees of one provider: the monopolist plays any of its own optima and the user has no one else to go to.

Values separate over states, so a provider's optimal schemes are the products of its optimal actions, and the worst and
best of them for the user are found state by state.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from equilibrax_kernels.primitives.counting import Count, product_count


class Monopoly(NamedTuple):
    """The optimal schemes of each of K players, each alone.

    Attributes:
        optimal: `[K, X, A, L]` whether action a is optimal for the player in state x.
        worst, best: `[K, L]` the user's smallest and largest value over the player's optimal schemes.
        worst_scheme: `[K, X, L]` int32, the lexicographically first scheme that attains `worst`.
        count: how many optimal schemes there are, `[K, L]`.
    """

    optimal: Bool[Array, "K X A L"]
    worst: Int[Array, "K L"]
    best: Int[Array, "K L"]
    worst_scheme: Int[Array, "K X L"]
    count: Count


def monopoly(user: Int[Array, "X A L"], players: Int[Array, "K X A L"], available: Bool[Array, "X A L"]) -> Monopoly:
    """Optimal schemes of each player on its own and what they give the user.

    Args:
        user: `[X, A, L]` contributions `p(x) u_0(a, x)` to the user's value.
        players: `[K, X, A, L]` contributions to the players' values; the user herself may be one of them.
        available: `[X, A, L]`.
    """
    chex.assert_shape([user, available], players.shape[1:])
    low, high = jnp.iinfo(user.dtype).min, jnp.iinfo(user.dtype).max
    optimal = available & (players == jnp.max(jnp.where(available, players, low), axis=2, keepdims=True))
    at_worst = jnp.where(optimal, user, high)
    least = jnp.min(at_worst, axis=2, keepdims=True)
    # The first action that attains it: plain reductions over actions, which vectorize over the lanes.
    places = jnp.arange(user.shape[1], dtype=jnp.int32)[:, None]
    return Monopoly(
        optimal=optimal,
        worst=jnp.sum(least[:, :, 0], axis=1, dtype=user.dtype),
        best=jnp.sum(jnp.max(jnp.where(optimal, user, low), axis=2), axis=1, dtype=user.dtype),
        worst_scheme=jnp.min(jnp.where(at_worst == least, places, user.shape[1]), axis=2),
        count=product_count(jnp.sum(optimal, axis=2, dtype=jnp.int64), axis=1),
    )
