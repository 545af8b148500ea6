"""Updates for games, as optax transformations that go with any of its optimizers.

Players who all follow their gradients circle around an equilibrium, or away from it. Looking a step ahead helps: with
the gradient at the next point (extra-gradient, Korpelevich 1976), or with what the last two gradients say of it
(optimistic, Popov 1980).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class OptimisticState(NamedTuple):
    """The last gradients, and whether there were any."""

    last: Any
    started: jax.Array


def optimistic() -> optax.GradientTransformation:
    """Twice the gradient less the last one, to be chained before an optimizer.

    Example:
        >>> update = optax.chain(optimistic(), optax.sgd(0.5))
        >>> state = update.init(jnp.zeros(1))
        >>> first, state = update.update(jnp.array([1.0]), state)
        >>> second, state = update.update(jnp.array([3.0]), state)
        >>> first.tolist(), second.tolist()
        ([-0.5], [-2.5])
    """

    def init(params):
        return OptimisticState(jax.tree.map(jnp.zeros_like, params), jnp.zeros((), bool))

    def update(updates, state, params=None):
        del params
        ahead = jax.tree.map(lambda g, last: jnp.where(state.started, 2 * g - last, g), updates, state.last)
        return ahead, OptimisticState(updates, jnp.ones((), bool))

    return optax.GradientTransformation(init, update)


class ExtraGradientState(NamedTuple):
    """The optimizer's state at the base point, the step away from it, and whether we are a step ahead."""

    inner: Any
    step: Any
    ahead: jax.Array


def extra_gradient(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """An optimizer that steps ahead, and then goes from where it was with the gradient found there.

    Every other update is one step of the game; the one before looks ahead.

    Example:
        >>> update = extra_gradient(optax.sgd(1.0))
        >>> state, x = update.init(jnp.zeros(1)), jnp.array([2.0])
        >>> step, state = update.update(x, state)  # of x**2 / 2, whose gradient is x
        >>> ahead = x + step
        >>> step, state = update.update(ahead + 0.5, state)
        >>> (ahead + step).tolist()
        [1.5]
    """

    def init(params):
        return ExtraGradientState(inner.init(params), jax.tree.map(jnp.zeros_like, params), jnp.zeros((), bool))

    def update(updates, state, params=None):
        base = params if params is None else jax.tree.map(lambda p, s: p - s, params, state.step)
        step, after = inner.update(updates, state.inner, base)
        # Ahead: the optimizer has not moved yet. Back: its step, from the base point.
        moved = jax.tree.map(lambda new, old: jnp.where(state.ahead, new, old), after, state.inner)
        result = jax.tree.map(lambda s, before: jnp.where(state.ahead, s - before, s), step, state.step)
        kept = jax.tree.map(lambda s: jnp.where(state.ahead, jnp.zeros_like(s), s), step)
        return result, ExtraGradientState(moved, kept, ~state.ahead)

    return optax.GradientTransformation(init, update)
