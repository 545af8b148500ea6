"""Lotteries over messages by gradients: every provider climbs its own utility, the user responds quantally.

With `pi_j(m | x)` a softmax of logits and the user's response a softmax of her expected utilities, everybody's expected
utility is a smooth function. All providers climb at once, each along its own logits, while the user's rationality
rises. Nothing here says that what is found is an equilibrium.

Gradients are written out, and all lanes take every operation together: arrays of three by three fill no registers, and
what the providers' gradients have in common is computed once. The optimizer sees one lane at a time.

Letters: K providers, Z signals, X states, A actions, M messages, T = M^K tuples of messages, L lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float


class _Heard(NamedTuple):
    """What follows from everybody's rules.

    Attributes:
        rules: `[K, X, M, L]` chances of messages; chance: `[X, T, L]` of tuples.
        mean: `[T, Z, A, L]` the user's expected utilities.
        response: `[T, Z, A, L]` her chances of actions.
        heard: `[T, Z, L]` how likely she hears that.
    """

    rules: Array
    chance: Array
    mean: Array
    response: Array
    heard: Array


def smooth_values(
    logits: Float[Array, "K X M L"],
    user: Float[Array, "Z X A L"],
    providers: Float[Array, "K Z X A L"],
    weights: Float[Array, "Z X L"],
    rationality: Float[Array, " L"],
) -> Float[Array, "K L"]:
    """What every provider expects.

    Args:
        logits: of the chances of messages.
        user, providers: contributions; weights: chances of (signal, state).
        rationality: lambda of the user's quantal response.
    """
    heard = _heard(logits, user, weights, rationality)
    return jnp.stack([_sum(heard.response * _gain(heard, own), 2).sum(axis=(0, 1)) for own in providers])


def smooth_gradients(
    logits: Float[Array, "K X M L"],
    user: Float[Array, "Z X A L"],
    providers: Float[Array, "K Z X A L"],
    weights: Float[Array, "Z X L"],
    rationality: Float[Array, " L"],
) -> Float[Array, "K X M L"]:
    """How every provider's value rises with its own logits; arguments as of `smooth_values`."""
    heard = _heard(logits, user, weights, rationality)
    rules, response = heard.rules, heard.response
    x, m = rules.shape[1:3]
    at_state = jnp.moveaxis(user, 1, 0)[:, None]  # [X, 1, Z, A, L]
    rises = []
    for j, own in enumerate(providers):
        gain = _gain(heard, own)
        # How her response turns towards an action that this provider likes better than what she does on average.
        turn = response * (gain - _sum(response * gain, 2)[:, :, None]) * (rationality / heard.heard)[:, :, None]
        by_chance = response * jnp.moveaxis(own, 1, 0)[:, None] + turn * at_state
        less = _sum(turn * heard.mean, 2) * jnp.moveaxis(weights, 1, 0)[:, None]  # [X, T, Z, L]
        slope = _sum(_sum(by_chance, 3) - less, 2)  # [X, T, L]
        slope = slope.reshape(x, m**j, m, -1, slope.shape[-1])
        slope = slope * _tuples(rules[:j], slope)[:, :, None, None] * _tuples(rules[j + 1 :], slope)[:, None, None]
        own_slope = _sum(_sum(slope, 3), 1)  # [X, M, L]
        rises.append(rules[j] * (own_slope - _sum(rules[j] * own_slope, 1)[:, None]))
    return jnp.stack(rises)


def ascend(
    logits: Float[Array, "K X M L"],
    user: Float[Array, "Z X A L"],
    providers: Float[Array, "K Z X A L"],
    weights: Float[Array, "Z X L"],
    rationality: Float[Array, "P N L"],
    optimizer: optax.GradientTransformation,
) -> tuple[Float[Array, "K X M L"], Float[Array, "P K L"]]:
    """Where P times N updates lead, and what providers expect after every N.

    Args:
        logits: where to start.
        user, providers, weights: as of `smooth_values`.
        rationality: of the user at every update.
        optimizer: of one lane's logits; what it is given are gradients of what goes down, as always in optax.
    """
    update = jax.vmap(optimizer.update)

    def step(carry, level):
        logits, state = carry
        uphill = smooth_gradients(jnp.moveaxis(logits, 0, -1), user, providers, weights, level)
        updates, state = update(-jnp.moveaxis(uphill, -1, 0), state, logits)
        moved: Any = optax.apply_updates(logits, updates)
        return (moved, state), None

    def part(carry, levels):
        carry, _ = lax.scan(step, carry, levels)
        return carry, smooth_values(jnp.moveaxis(carry[0], 0, -1), user, providers, weights, levels[-1])

    rows = jnp.moveaxis(logits, -1, 0)
    start: Any = rows, jax.vmap(optimizer.init)(rows)
    (reached, _), curve = lax.scan(part, start, rationality)
    return jnp.moveaxis(reached, 0, -1), curve


def _heard(logits, user, weights, rationality) -> _Heard:
    rules = jax.nn.softmax(logits, axis=2)
    chance = _tuples(rules, logits[0, :, None])
    hers = _sum(chance[:, :, None, None] * jnp.moveaxis(user, 1, 0)[:, None], 0)
    heard = jnp.maximum(_sum(chance[:, :, None] * jnp.moveaxis(weights, 1, 0)[:, None], 0), 1e-30)
    mean = hers / heard[:, :, None]
    return _Heard(rules, chance, mean, jax.nn.softmax(rationality * mean, axis=2), heard)


def _tuples(rules: Sequence[Array] | Array, like: Array) -> Array:
    """`[X, N, L]` chances of all tuples of messages, the lowest provider's first; of none there is one, for sure."""
    states, lanes = like.shape[0], like.shape[-1]
    chance = jnp.ones((states, 1, lanes), like.dtype)
    for own in rules:
        chance = (chance[:, :, None] * own[:, None]).reshape(states, -1, lanes)
    return chance


def _gain(heard: _Heard, own: Array) -> Array:
    """`[T, Z, A, L]` what a provider has from every action."""
    return _sum(heard.chance[:, :, None, None] * jnp.moveaxis(own, 1, 0)[:, None], 0)


def _sum(terms: Array, axis: int) -> Array:
    """Over a short axis, term by term, which compilers join with what comes before and after."""
    return reduce(add, (lax.index_in_dim(terms, i, axis, keepdims=False) for i in range(terms.shape[axis])))
