"""Pure Nash equilibria, symmetric games and pure commitment, for many games at once; the lanes are the last axis.

A profile is an equilibrium if no player's payoff is smaller than with another action of that player's. A game is
symmetric if every player has as many actions and swapping any two neighbours' roles and actions changes nothing: these
swaps generate all permutations of the players.

Pure commitment: the players choose one after the other in a given order, each seeing what was chosen before, so every
one commits to those that follow (Stackelberg, for two). Whoever is indifferent chooses what is best, or worst, for
those that chose before, the first of them first; what is still equal, by the lowest action. By backward induction.

Letters: L lanes (games), N players, A_1..A_N their actions, P profiles, O orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


def pure_equilibria(payoffs: Int[Array, "N P L"], actions: Sequence[int]) -> Bool[Array, "P L"]:
    """Which profiles are equilibria.

    Args:
        payoffs: integers; only comparisons of one player's payoffs matter.
        actions: A_1..A_N.

    Example:
        >>> dilemma = jnp.array([[3, 0, 5, 1], [3, 5, 0, 1]])[..., None]
        >>> pure_equilibria(dilemma, (2, 2))[:, 0].tolist()
        [False, False, False, True]
    """
    lanes = payoffs.shape[-1]
    stable = jnp.ones((*actions, lanes), bool)
    for i, own in enumerate(payoffs.reshape(-1, *actions, lanes)):
        stable &= own == own.max(axis=i, keepdims=True)
    return stable.reshape(-1, lanes)


def symmetric_games(payoffs: Int[Array, "N P L"], actions: Sequence[int]) -> Bool[Array, " L"]:
    """Which games are symmetric.

    Args:
        payoffs, actions: as in `pure_equilibria`.

    Example:
        >>> dilemma = jnp.array([[3, 0, 5, 1], [3, 5, 0, 1]])[..., None]
        >>> symmetric_games(dilemma, (2, 2)).tolist()
        [True]
    """
    players, lanes = payoffs.shape[0], payoffs.shape[-1]
    symmetric = jnp.ones(lanes, bool)
    if len(set(actions)) > 1:
        return ~symmetric
    table = payoffs.reshape(players, *actions, lanes)
    for i in range(players - 1):
        swapped = jnp.swapaxes(table, i + 1, i + 2)
        order = list(range(players))
        order[i], order[i + 1] = i + 1, i
        symmetric &= (swapped == table[jnp.array(order)]).reshape(-1, lanes).all(axis=0)
    return symmetric


def commitment(
    payoffs: Int[Array, "N P L"], actions: Sequence[int], orders: Sequence[Sequence[int]]
) -> Int[Array, "O 2 L"]:
    """The profile that is played for each order of players, ties for those before (0) and against them (1).

    Args:
        payoffs, actions: as in `pure_equilibria`.
        orders: permutations of the players, first leader first.

    Example:
        >>> battle = jnp.array([[2, 0, 0, 1], [1, 0, 0, 2]])[..., None]
        >>> commitment(battle, (2, 2), [(0, 1), (1, 0)])[..., 0].tolist()
        [[0, 0], [3, 3]]
    """
    return jnp.stack([jnp.stack([_played(payoffs, actions, order, sign) for sign in (1, -1)]) for order in orders])


def _played(payoffs: Array, actions: Sequence[int], order: Sequence[int], sign: int) -> Array:
    lanes = payoffs.shape[-1]
    axes = [*order, len(order)]
    numbers = jnp.broadcast_to(jnp.arange(prod(actions), dtype=jnp.int32)[:, None], payoffs.shape[1:])
    chosen = numbers.reshape(*actions, lanes).transpose(axes)  # the profile that is played after these actions
    worth = [own.reshape(*actions, lanes).transpose(axes) for own in payoffs]
    for k in reversed(range(len(order))):
        best = jnp.ones(chosen.shape, bool)
        for player, way in ((order[k], 1), *((before, sign) for before in order[:k])):
            value = worth[player] * way
            best &= value == jnp.where(best, value, jnp.iinfo(value.dtype).min).max(axis=k, keepdims=True)
        first = jnp.argmax(best, axis=k, keepdims=True)
        chosen = jnp.take_along_axis(chosen, first, axis=k).squeeze(k)
        worth = [jnp.take_along_axis(value, first, axis=k).squeeze(k) for value in worth]
    return chosen
