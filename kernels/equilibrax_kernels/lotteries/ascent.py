"""Lotteries over messages by gradients: every provider climbs its own utility, the user responds quantally.

With `pi_j(m | x)` a softmax of logits and the user's response a softmax of her expected utilities, everybody's expected
utility is a smooth function. All providers climb at once, each along its own logits, while the user's rationality
rises. Nothing here says that what is found is an equilibrium.

Letters: K providers, Z signals, X states, A actions, M messages, T = M^K tuples of messages.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float


def smooth_values(
    logits: Float[Array, "K X M"],
    user: Float[Array, "Z X A"],
    providers: Float[Array, "K Z X A"],
    weights: Float[Array, "Z X"],
    rationality: Float[Array, ""],
) -> Float[Array, " K"]:
    """What every provider expects.

    Args:
        logits: of the chances of messages.
        user, providers: contributions; weights: chances of (signal, state).
        rationality: lambda of the user's quantal response.
    """
    chance = jnp.ones((1, logits.shape[1]))
    for own in jax.nn.softmax(logits, axis=2):
        chance = (chance[:, None] * own.T).reshape(-1, logits.shape[1])
    hers = jnp.einsum("tx,zxa->tza", chance, user)
    heard = jnp.einsum("tx,zx->tz", chance, weights)[..., None]
    # What is never heard has no gradient, but the square of what is nearly never heard must not be 0 in 32 bits.
    response = jax.nn.softmax(rationality * hers / jnp.maximum(heard, 1e-18), axis=2)
    return jnp.einsum("tza,tx,kzxa->k", response, chance, providers)


def ascend(
    logits: Float[Array, "K X M"],
    user: Float[Array, "Z X A"],
    providers: Float[Array, "K Z X A"],
    weights: Float[Array, "Z X"],
    rationality: Float[Array, "P N"],
    optimizer: optax.GradientTransformation,
) -> tuple[Float[Array, "K X M"], Float[Array, "P K"]]:
    """Where P times N updates lead, and what providers expect after every N.

    Args:
        logits: where to start.
        user, providers, weights: as of `smooth_values`.
        rationality: of the user at every update.
        optimizer: what it is given are gradients of what goes down, as always in optax.
    """

    def loss(logits, level):
        """Its gradient is everybody's own: the others' logits do not move."""

        def mine(j):
            others = lax.stop_gradient(logits)
            return smooth_values(others.at[j].set(logits[j]), user, providers, weights, level)[j]

        return -sum(mine(j) for j in range(len(logits)))

    def step(carry, level):
        logits, state = carry
        updates, state = optimizer.update(jax.grad(loss)(logits, level), state, logits)
        moved: Any = optax.apply_updates(logits, updates)
        return (moved, state), None

    def part(carry, levels):
        carry, _ = lax.scan(step, carry, levels)
        return carry, smooth_values(carry[0], user, providers, weights, levels[-1])

    start: Any = logits, optimizer.init(logits)
    (reached, _), curve = lax.scan(part, start, rationality)
    return reached, curve
