"""Best-response dynamics in games in normal form: in turn, whoever has a better reply moves to the best.

The players have turns from the first to the last and again; a player whose action is no best reply moves to the lowest
of the best. It ends where N turns in a row change nothing, at an equilibrium, or where the same profile comes with the
same player's turn again: then it goes round for ever.

Letters: N players, A_1..A_N their actions, P profiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


class Replies(NamedTuple):
    """Where the dynamics of a game got to.

    Attributes:
        profile: where it ended, or the first profile that came back with the same turn, or where it was stopped.
        steps: moves until then.
        cycle: moves of one round of the cycle, 0 without one.
        ended: whether it ended or came back, and was not stopped.
    """

    profile: Int[Array, ""]
    steps: Int[Array, ""]
    cycle: Int[Array, ""]
    ended: Bool[Array, ""]


def replies(payoffs: Int[Array, "N P"], actions: Sequence[int], start: int, step_limit: int) -> Replies:
    """Best-response dynamics of one game.

    Args:
        payoffs: of one game.
        actions: A_1..A_N.
        start: the number of the profile where it begins.
        step_limit: moves after which it is stopped.

    Example:
        >>> pennies = jnp.array([[1, 0, 0, 1], [0, 1, 1, 0]])
        >>> found = replies(pennies, (2, 2), 0, 100)
        >>> int(found.cycle), int(found.steps), bool(found.ended)
        (4, 4, True)
    """
    players, profiles = len(actions), prod(actions)
    stride = [prod(actions[i + 1 :]) for i in range(players)]
    answer = []  # [P] for each player: the profile after its best reply
    for i, own in enumerate(payoffs.reshape(-1, *actions)):
        best = own == own.max(axis=i, keepdims=True)
        place = jnp.arange(actions[i]).reshape([-1 if k == i else 1 for k in range(players)])
        target = jnp.where(best, place, jnp.argmax(best, axis=i, keepdims=True))  # who is at a best reply stays
        answer.append(jnp.arange(profiles) + ((target - place) * stride[i]).reshape(-1))
    follow = jnp.stack(answer).astype(jnp.int32)  # [N, P]

    def going(state):
        _, _, quiet, _, _, cycle, stopped = state
        return (quiet < players) & (cycle == 0) & ~stopped

    def turn_of(state):
        profile, turn, quiet, steps, seen, _, _ = state
        before = seen[turn, profile]
        cycle = jnp.where(before >= 0, steps - before, 0)
        seen = seen.at[turn, profile].set(jnp.where(before >= 0, before, steps))
        then = follow[turn, profile]
        moves = (then != profile) & (cycle == 0)
        stopped = moves & (steps >= step_limit)
        moves &= ~stopped
        profile = jnp.where(moves, then, profile)
        return (
            profile,
            jnp.where(cycle == 0, (turn + 1) % players, turn),
            jnp.where(moves, 0, quiet + 1),
            steps + moves,
            seen,
            cycle,
            stopped,
        )

    zero = jnp.int32(0)
    seen = jnp.full((players, profiles), -1, jnp.int32)
    first = (jnp.int32(start), zero, zero, zero, seen, zero, jnp.bool_(False))
    profile, _, _, steps, _, cycle, stopped = jax.lax.while_loop(going, turn_of, first)
    return Replies(profile, steps, cycle, ~stopped)
