"""The principal branch of logit quantal-response equilibria of a game in normal form, by pseudo-arclength.

In a logit equilibrium with rationality lambda every player's mixed strategy is `softmax(lambda v_i)`, where `v_i` are
its actions' expected payoffs against the others (McKelvey and Palfrey 1995). The branch of equilibria that begins at
lambda = 0, where everybody mixes evenly (the centroid), is followed as a curve of (v, theta) with
`lambda = exp(theta) - 1`: a step along the tangent, then Newton's method orthogonal to it, so the curve may turn back
in lambda (Turocy 2005). Expected payoffs are followed, not strategies, because they stay of the size of payoffs where
probabilities vanish. Where the curve first passes each of the given lambdas is remembered, and made exact by Newton's
method for that lambda at the end.

Letters: N players, A_1..A_N their actions, S = A_1 + ... + A_N, P profiles, R lambdas.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_NEWTON = 4  # iterations of a step; a step that needs more is too long
_AT_LAMBDA = 12  # iterations at the end
_CLOSE = 1e-9  # the last correction of probabilities
_FIRST, _LONGEST, _SHORTEST = 0.02, 0.2, 1e-9  # lengths of steps
_STRAIGHT = 0.9  # cosine of the angle by which the curve may turn in a step
_ASIDE = 1e-3  # how far from the tangent a step may end, in probabilities: other branches can be near


class Branch(NamedTuple):
    """The branch at R lambdas.

    Attributes:
        strategy: `[R, S]` probabilities of all actions, player after player.
        residual: `[R]` the largest difference between a probability and the response to the others'.
        reached: `[R]` whether the branch was followed that far.
        steps: steps that it took.
    """

    strategy: Float[Array, "R S"]
    residual: Float[Array, " R"]
    reached: Bool[Array, " R"]
    steps: Int[Array, ""]


def logit_branch(
    payoffs: Float[Array, "N P"], lambdas: Float[Array, " R"], actions: Sequence[int], step_limit: int = 2000
) -> Branch:
    """The branch of one game.

    Args:
        payoffs: of one game, best scaled so that they are about 1 apart; lambda is per unit of them.
        lambdas: at least 0, from the smallest.
        actions: A_1..A_N.
        step_limit: steps after which it is stopped.

    Example:
        >>> dilemma = jnp.array([[3.0, 0, 5, 1], [3, 5, 0, 1]])
        >>> logit_branch(dilemma, jnp.array([0.0, 2.0]), (2, 2)).strategy.round(4).tolist()  # doctest: +SKIP
        [[0.5, 0.5, 0.5, 0.5], [0.1044, 0.8956, 0.1044, 0.8956]]
    """
    tensor = payoffs.reshape(len(actions), *actions)
    size = sum(actions)

    def mixed(point: Array) -> Array:
        return responses(point[:size], jnp.expm1(point[size]), actions)

    def missing(point: Array) -> Array:
        """`v` less the expected payoffs where everybody responds to it; zero on the curve."""
        return point[:size] - expected(tensor, mixed(point), actions)

    slopes = jax.jacfwd(missing)

    def solved(point: Array, along: Array, right: Array) -> Array:
        return solve_linear(jnp.concatenate([slopes(point), along[None]]), right)

    last = jnp.zeros(size + 1).at[size].set(1.0)
    goals = jnp.log1p(lambdas)

    def going(state):
        point, _, length, steps, _, passed = state
        return ~passed.all() & (steps < step_limit) & (length > _SHORTEST) & jnp.isfinite(point).all()

    def step(state):
        point, tangent, length, steps, kept, passed = state
        guess = point + length * tangent

        def newton(_, carried):
            there, _ = carried
            off = jnp.append(missing(there), tangent @ (there - guess))
            change = solved(there, tangent, -off)
            return there + change, change

        there, change = jax.lax.fori_loop(0, _NEWTON, newton, (guess, jnp.zeros_like(guess)))
        far = jnp.abs(mixed(there) - mixed(guess)).max()
        turned = solved(there, tangent, last)
        turned = turned / jnp.linalg.norm(turned)
        rate = jnp.exp(jnp.maximum(there[size], 0))
        good = (jnp.abs(change).max() * rate < _CLOSE) & (turned @ tangent > _STRAIGHT) & (far < _ASIDE)
        good &= jnp.isfinite(there).all()
        through = good & ~passed & (there[size] >= goals)
        share = jnp.clip((goals - point[size]) / jnp.maximum(there[size] - point[size], 1e-300), 0, 1)
        between = point[:size] + share[:, None] * (there - point)[:size]
        return (
            jnp.where(good, there, point),
            jnp.where(good, turned, tangent),
            length * jnp.where(good, jnp.where(far < 0.3 * _ASIDE, 1.5, 0.9), 0.4),
            steps + 1,
            jnp.where(through[:, None], between, kept),
            passed | through,
        )

    def bounded(state):
        point, tangent, length, *rest = step(state)
        return point, tangent, jnp.minimum(length, _LONGEST), *rest

    centroid = jnp.concatenate([jnp.full(count, 1.0 / count) for count in actions])
    begin = jnp.append(expected(tensor, centroid, actions), 0.0)
    tangent = solved(begin, last, last)
    tangent = tangent / jnp.linalg.norm(tangent)
    kept = jnp.broadcast_to(begin[:size], (len(lambdas), size))
    state = begin, tangent, jnp.asarray(_FIRST), jnp.int32(0), kept, goals <= 0
    _, _, _, steps, kept, passed = jax.lax.while_loop(going, bounded, state)

    def at(v: Array, goal: Array) -> tuple[Array, Array]:
        def newton(_, v):
            point = jnp.append(v, goal)
            return v - solve_linear(slopes(point)[:, :size], missing(point))

        v = jax.lax.fori_loop(0, _AT_LAMBDA, newton, v)
        strategy = responses(v, jnp.expm1(goal), actions)
        again = responses(expected(tensor, strategy, actions), jnp.expm1(goal), actions)
        return strategy, jnp.abs(again - strategy).max()

    strategy, residual = jax.vmap(at)(kept, goals)
    return Branch(strategy, residual, passed, steps)


def solve_linear(matrix: Float[Array, "S S"], right: Float[Array, " S"]) -> Float[Array, " S"]:
    """`matrix^-1 right` by elimination with pivots: no library is called, so it runs in lanes on every device.

    Example:
        >>> solve_linear(jnp.array([[0.0, 2.0], [1.0, 0.0]]), jnp.array([4.0, 3.0])).tolist()
        [3.0, 2.0]
    """
    size = len(right)
    rows = jnp.arange(size)

    def eliminate(k, table):
        column = jnp.where(rows >= k, jnp.abs(table[:, k]), -1.0)
        largest = jnp.argmax(column)
        pivot, here = table[largest], table[k]
        table = jnp.where((rows == largest)[:, None], here, table)
        table = table - jnp.where(rows == k, 0.0, table[:, k] / pivot[k])[:, None] * pivot
        return jnp.where((rows == k)[:, None], pivot, table)

    table = jax.lax.fori_loop(0, size, eliminate, jnp.concatenate([matrix, right[:, None]], axis=1))
    return table[:, size] / jnp.diagonal(table)


def responses(v: Float[Array, " S"], rate: Array, actions: Sequence[int]) -> Float[Array, " S"]:
    """Everybody's logit response to expected payoffs."""
    return jnp.concatenate([jax.nn.softmax(rate * part) for part in _parts(v, actions)])


def expected(tensor: Float[Array, "N *A"], strategy: Float[Array, " S"], actions: Sequence[int]) -> Float[Array, " S"]:
    """What every action is worth to its player while the others play mixed strategies."""
    mixed, found = _parts(strategy, actions), []
    for i in range(len(actions)):
        value = tensor[i]
        for k in reversed(range(len(actions))):  # axes behind k are gone already, but for i's
            if k != i:
                value = jnp.tensordot(value, mixed[k], axes=[[k], [0]])
        found.append(value)
    return jnp.concatenate(found)


def _parts(joined: Array, actions: Sequence[int]) -> list[Array]:
    starts = [sum(actions[:i]) for i in range(len(actions) + 1)]
    return [joined[start:stop] for start, stop in pairwise(starts)]
