"""Information substitutes (2509.15090, Definition 14), by going through all pairs of subsets of features.

For features A of the user and B of the providers, what the user's own feature teaches about an action's utility on the
rectangle A x B must be worth no more, in squared error, to somebody who knows the providers' feature than to somebody
who knows only the rectangle. Squared error falls by exactly what the squared posterior mean rises, so with
V(F) = E[E[u | F]^2] the condition on a rectangle is

    V(x_A, x_B) - V(A, x_B)  <=  V(x_A, B) - V(A, B).

(The display of Definition 14 has V(x_A, x_B) <= V(x_A, B) instead, which would say that the providers know nothing the
user does not. The sentence below it, and Frongillo et al. (2021), state the condition above.)

Letters: Z signals, X states, A actions, S = 2^Z and T = 2^X subsets of them. Needs `jax.enable_x64(True)`.
"""

from __future__ import annotations

import chex
import jax.numpy as jnp
from jaxtyping import Array, Float


def substitutes_slack(weights: Float[Array, "Z X"], mean: Float[Array, "Z X A"]) -> Float[Array, " A"]:
    """Smallest slack of the condition over all rectangles of positive weight, per action.

    Args:
        weights: `[Z, X]` prior weights, not negative.
        mean: `[Z, X, A]` expected utility given (z, x); anything finite where the weight is zero.

    Returns:
        `[A]` right side minus left side, conditional on the rectangle, in squared units of utility; the condition
        holds for an action iff this is not negative.
    """
    chex.assert_shape(mean, (*weights.shape, None))
    z, x = weights.shape
    subsets = (jnp.arange(2**z)[:, None] >> jnp.arange(z) & 1).astype(mean.dtype)  # [S, Z]
    others = (jnp.arange(2**x)[:, None] >> jnp.arange(x) & 1).astype(mean.dtype)  # [T, X]
    average = (mean * weights[..., None]).sum(axis=(0, 1)) / weights.sum()
    sums = (mean - average) * weights[..., None]  # centred: the condition does not change, cancellation is less

    def squared(total, weight):
        return jnp.where(weight[..., None] > 0, total**2 / jnp.where(weight > 0, weight, 1.0)[..., None], 0.0)

    by_x, w_x = jnp.einsum("sz,zxa->sxa", subsets, sums), subsets @ weights
    by_z, w_z = jnp.einsum("tx,zxa->zta", others, sums), weights @ others.T
    both, w_both = jnp.einsum("sz,zta->sta", subsets, by_z), subsets @ w_z
    know_all = jnp.einsum("sz,tx,zxa->sta", subsets, others, squared(sums, weights))
    know_x = jnp.einsum("tx,sxa->sta", others, squared(by_x, w_x))
    know_z = jnp.einsum("sz,zta->sta", subsets, squared(by_z, w_z))
    slack = (know_z - squared(both, w_both)) - (know_all - know_x)
    positive = w_both[..., None] > 0
    return jnp.min(jnp.where(positive, slack / jnp.where(positive, w_both[..., None], 1.0), jnp.inf), axis=(0, 1))
