"""How much a function of the posterior can lie above its interpolation on a cell, when the user responds quantally.

A provider that commits to a rule splits the prior into posteriors of a user who also knows a signal q, and takes action
a with a chance proportional to `exp(rationality * U_q(a))`. What it has at a posterior `mu` is

    f(mu) = sum_q T_q(mu),   T_q = s_q phi_q(nu_q),   phi_q(nu) = sum_a rho_a(nu) h_a(nu),

with `s_q` the chance of q, `nu_q` the posterior given q as well, and the user's and the provider's expectations U and h
linear in it. A cell is the convex hull of n posteriors `v_i`. At `mu = sum_i t_i v_i` it holds that `nu = sum_i w_i
nu_i` with `w_i = t_i s_i / s`, so that

    T(mu) - sum_i t_i T(v_i) = s (phi(nu) - sum_i w_i phi(nu_i)).

Along a segment from nu in the direction d, with `'` for derivatives, which are constant for U and h,

    phi'' = rationality^2 Cov_rho((U' - E_rho U')^2, h) + 2 rationality Cov_rho(U', h'),

and a covariance is at most kappa times both ranges: kappa is 1/4, or the chance that the user does not take a given
action, if that is less. Taylor's theorem from nu to every `nu_i`, along `nu_i - nu = sum_j w_j (nu_i - nu_j)` whose
ranges are at most `1 - w_i` of the largest over pairs, leaves `sum_i w_i (1 - w_i)^2 <= (1 - 1/n)^2`:

    T(mu) - sum_i t_i T(v_i) <= s (1 - 1/n)^2 / 2 kappa (rationality^2 D_U^2 R_h + 2 rationality D_U D_h),

where R_h is the largest range of h over actions, and D_U, D_h are the largest over pairs of corners of the ranges of
differences. All of these, and the odds in kappa, are largest at corners. Where q is impossible at a corner, w is zero
there, and the corner does not count. What is simpler, and better in large cells: the user's response is no better for
the provider than the best action, which is a convex function of the posterior, so the largest difference at a corner
is a bound, too.

Letters: n corners, Q signals, X states, A actions.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Cell(NamedTuple):
    """A cell of posteriors.

    Attributes:
        value: `[n]` what the provider has at its corners.
        error: what it has inside lies no further above the interpolation.
        edge: `[2]` the corners between which the error is largest.
    """

    value: Float[Array, " n"]
    error: Float[Array, ""]
    edge: Int[Array, " 2"]


def quantal_cell(
    corners: Float[Array, "n X"],
    user: Float[Array, "Q X A"],
    provider: Float[Array, "Q X A"],
    chance: Float[Array, "Q X"],
    available: Bool[Array, "X A"],
    rationality: Float[Array, ""],
) -> Cell:
    """The provider's values at the corners of a cell, and by how much the interpolation may be too low inside.

    Args:
        corners: posteriors; all states that are possible at any of them have the same actions.
        user, provider: utility of an action in a state, times the chance of the signal there.
        chance: of the signal in each state, so it sums to 1 over signals.
        available: which actions exist in which state.
        rationality: lambda of the user's response, finite.
    """
    n = len(corners)
    there = (available | ~(corners > 0).any(axis=0)[:, None]).all(axis=0)
    seen = corners @ chance.T  # [n, Q]
    hers, own = (jnp.einsum("nx,qxa->nqa", corners, utility) for utility in (user, provider))
    live = seen > 0
    unit = jnp.where(live, seen, 1.0)[..., None]
    worth, gain = hers / unit, own / unit
    response = jax.nn.softmax(jnp.where(there, rationality * worth, -jnp.inf), axis=2)
    value = (response * jnp.where(there, own, 0.0)).sum(axis=2)  # [n, Q]

    def spread(values: Array) -> Array:
        return jnp.where(there, values, -jnp.inf).max(axis=-1) - jnp.where(there, values, jnp.inf).min(axis=-1)

    mean = jnp.where(live[..., None], worth, 0.0).sum(axis=0)
    top = jnp.where(there, mean, -jnp.inf).argmax(axis=1)  # of every signal, [Q]
    ahead = worth - jnp.take_along_axis(worth, top[None, :, None], axis=2)
    odds = jnp.exp(jnp.where(live[..., None], rationality * ahead, -jnp.inf).max(axis=0))  # [Q, A]
    others = there & (jnp.arange(there.shape[0]) != top[:, None])
    kappa = jnp.minimum(0.25, jnp.where(others, odds, 0.0).sum(axis=1))
    height = jnp.where(live, spread(gain), 0.0).max(axis=0)

    both = live[:, None] & live[None]
    moved = jnp.where(both, spread(worth[:, None] - worth[None]), 0.0)  # [n, n, Q]
    gained = jnp.where(both, spread(gain[:, None] - gain[None]), 0.0)
    scale = seen.max(axis=0) * kappa * (0.5 * (1 - 1 / n) ** 2)
    by_pair = scale * ((rationality * moved) ** 2 * height + 2 * rationality * moved * gained)
    largest = moved.max(axis=(0, 1)), gained.max(axis=(0, 1))
    smooth = scale * ((rationality * largest[0]) ** 2 * height + 2 * rationality * largest[0] * largest[1])
    smooth = jnp.where(jnp.isnan(smooth), jnp.inf, smooth)  # numbers beyond 64 bits
    simple = (jnp.where(there, own, -jnp.inf).max(axis=2) - value).max(axis=0)
    longest = by_pair.sum(axis=2).argmax()
    return Cell(
        value=value.sum(axis=1),
        error=jnp.maximum(jnp.minimum(smooth, simple), 0.0).sum(),
        edge=jnp.stack([longest // n, longest % n]).astype(jnp.int32),
    )
