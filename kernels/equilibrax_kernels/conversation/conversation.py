"""Straightforward conversation on label matrices: one finite prior, all pairs of private features at once.

The user sees z, provider i sees a function of x, and each states the posterior mean of every action's utility for the
user, round after round (2509.15090, Definition 10). Everything said is a function of the cell (z, x), so what a player
knows after some messages is a partition of the cells: a vector of labels that every message heard refines. Its own
messages tell a player nothing.

Posterior means are quotients of integers, and whether two of them are equal decides who can tell which cells apart.
So equality is exact: with N_a the integer utility of action a summed over a player's group of cells and W the group's
weight, two groups state the same means iff their vectors (N_1, ..., N_A, W) are the same after division by their
greatest common divisor.

Letters: Z signals of the user, X states, N = Z X cells, K providers, A actions, R rounds, P players, S the numbers
that make one statement. Needs `jax.enable_x64(True)`.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int


class Talk(NamedTuple):
    """What every player knows, round by round, in every cell; a group is named by the first of its cells.

    Attributes:
        user_group: `[R + 1, N]` the user's group after 0..R rounds.
        user_weight: `[R + 1, N]` its weight.
        user_sum: `[R + 1, N, A]` its summed contributions.
        provider_group: `[R, K, N]` the provider's group when it speaks in rounds 1..R.
        provider_weight: `[R, K, N]` its weight.
        provider_sum: `[R, K, N, A]` its summed contributions (of the user's utility).
    """

    user_group: Int[Array, "R1 N"]
    user_weight: Int[Array, "R1 N"]
    user_sum: Int[Array, "R1 N A"]
    provider_group: Int[Array, "R K N"]
    provider_weight: Int[Array, "R K N"]
    provider_sum: Int[Array, "R K N A"]


def straightforward(
    weights: Int[Array, "Z X"],
    user: Int[Array, "Z X A"],
    observes: Int[Array, "K X"],
    *,
    rounds: int,
    resolution: int,
    grid: int,
    simultaneous: bool,
) -> Talk:
    """R rounds of straightforward conversation between the user and K providers.

    In a round the user states her means to every provider, given all she has heard from all of them; provider i states
    its means given what it sees and what the user has said to it.

    Args:
        weights: `[Z, X]` integer prior weights, not negative.
        user: `[Z, X, A]` weight times fixed-point utility.
        observes: `[K, X]` what provider i sees in state x, as labels from 0 to X - 1.
        rounds: R, at least 0.
        resolution: fixed-point steps per unit of utility.
        grid: 0 for exact statements; otherwise each mean is rounded to the nearest multiple of 1 / grid, halves up.
        simultaneous: whether providers speak before they hear what the user says in the same round.
    """
    chex.assert_shape(user, (*weights.shape, None))
    chex.assert_shape(observes, (None, weights.shape[1]))
    z, x = weights.shape
    weight, sums = weights.reshape(-1), user.reshape(z * x, -1)
    state = partial(_statement, resolution=resolution, grid=grid)

    def know(group):
        own = jax.ops.segment_sum(weight, group, num_segments=z * x)[group]
        return own, jax.ops.segment_sum(sums, group, num_segments=z * x)[group]

    def speak(groups, _):
        mine, theirs = groups
        known = know(mine)
        told = jax.vmap(_refine, in_axes=(0, None))(theirs, state(*known))
        theirs = theirs if simultaneous else told
        answers = jax.vmap(know)(theirs)
        said = jnp.moveaxis(jax.vmap(state)(*answers), 0, 1).reshape(z * x, -1)
        return (_refine(mine, said), told), (mine, *known, theirs, *answers)

    cells = jnp.arange(z * x, dtype=jnp.int32).reshape(z, x)
    mine = jnp.broadcast_to(cells[:, :1], (z, x)).reshape(-1)
    seen = jnp.argmax(observes[:, :, None] == observes[:, None, :], axis=2).astype(jnp.int32)
    theirs = jnp.broadcast_to(seen[:, None], (len(observes), z, x)).reshape(len(observes), -1)
    (mine, _), spoken = lax.scan(speak, (mine, theirs), None, length=rounds)
    known = (jnp.concatenate([before, end[None]]) for before, end in zip(spoken[:3], (mine, *know(mine))))
    return Talk(*known, *spoken[3:])  # pyright: ignore[reportCallIssue]


def _statement(weight: Int[Array, " N"], sums: Int[Array, "N A"], *, resolution: int, grid: int) -> Int[Array, "N S"]:
    """Integers that are equal exactly where what is stated is equal."""
    if grid:
        unit = jnp.maximum(weight, 1)[:, None] * resolution
        whole, rest = jnp.floor_divide(sums, unit), jnp.remainder(sums, unit)
        return whole * grid + (2 * rest * grid + unit) // (2 * unit)
    vector = jnp.concatenate([sums, weight[:, None]], axis=1)
    divisor = lax.fori_loop(0, vector.shape[1], lambda i, g: jnp.gcd(g, vector[:, i]), jnp.zeros_like(weight))
    return vector // jnp.maximum(divisor, 1)[:, None]


def _refine(group: Int[Array, " N"], said: Int[Array, "N S"]) -> Int[Array, " N"]:
    """Split groups by what is said."""
    equal = (group[:, None] == group[None]) & (said[:, None] == said[None]).all(axis=2)
    return jnp.argmax(equal, axis=1).astype(jnp.int32)


def best_values(sums: Int[Array, "N A"], contributions: Int[Array, "P N A"]) -> Int[Array, " P"]:
    """Each player's value when the user takes the best action of her group, the lowest among equals. Exact.

    Args:
        sums: `[N, A]` the user's contributions summed over her group.
        contributions: `[P, N, A]` every player's contributions.
    """
    action = jnp.argmax(sums, axis=1)
    return jnp.take_along_axis(contributions, action[None, :, None], axis=2)[..., 0].sum(axis=1)


def quantal_values(
    weight: Int[Array, " N"],
    sums: Int[Array, "N A"],
    contributions: Int[Array, "P N A"],
    rationality: Float[Array, ""],
    *,
    resolution: int,
) -> Float[Array, " P"]:
    """Each player's value, in fixed-point steps times weight, when the user responds with softmax(rationality x mean).

    Args:
        weight: `[N]` the weight of the user's group.
        sums: `[N, A]` the user's contributions summed over her group.
        contributions: `[P, N, A]` every player's contributions.
        rationality: lambda >= 0; infinity is uniform over the exact maximizers.
        resolution: fixed-point steps per unit of utility.
    """
    behind = sums - sums.max(axis=1, keepdims=True)
    regret = behind / (jnp.maximum(weight, 1)[:, None] * float(resolution))
    exponent = jnp.where(jnp.isinf(rationality), 0.0, rationality) * regret
    odds = jnp.where(jnp.isinf(rationality), (behind == 0).astype(jnp.float64), jnp.exp(exponent))
    chance = odds / odds.sum(axis=1, keepdims=True)
    return (contributions * chance).sum(axis=(1, 2))
