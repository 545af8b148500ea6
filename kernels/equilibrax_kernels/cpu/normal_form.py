"""Games in normal form, one after the other: what is computed is in `equilibrax_kernels.normal_form`.

Profiles are numbered with the last player's actions fastest, so player i's action k is `number // stride[i] % count[i]`
and changing it by one changes the number by `stride[i]`.

Letters: B games, N players, P profiles, O orders of players.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from equilibrax_kernels.cpu.compiling import called, loop
from equilibrax_kernels.cpu.threads import plain, run_over_tables


@called
def _stable(payoffs, count, stride, best, stable):
    """Marks the equilibria of a game; returns how many there are."""
    players, profiles = payoffs.shape
    for p in range(profiles):
        stable[p] = True
    for i in range(players):
        own, step, actions = payoffs[i], stride[i], count[i]
        block = step * actions
        for outer in range(0, profiles, block):
            for p in range(outer, outer + step):
                best[p] = own[p]
            for start in range(outer + step, outer + block, step):
                for k in range(step):
                    best[outer + k] = max(best[outer + k], own[start + k])
            for start in range(outer, outer + block, step):
                for k in range(step):
                    stable[start + k] &= own[start + k] == best[outer + k]
    found = 0
    for p in range(profiles):
        found += stable[p]
    return found


@called
def _is_symmetric(payoffs, count, stride):
    """Whether swapping any two neighbours changes nothing."""
    players, profiles = payoffs.shape
    for i in range(players - 1):
        if count[i] != count[i + 1]:
            return False
    for i in range(players - 1):
        for p in range(profiles):
            one, other = p // stride[i] % count[i], p // stride[i + 1] % count[i + 1]
            swapped = p + (other - one) * (stride[i] - stride[i + 1])
            for j in range(players):
                role = i + 1 if j == i else i if j == i + 1 else j
                if payoffs[j, p] != payoffs[role, swapped]:
                    return False
    return True


@called
def _committed(payoffs, count, stride, order, sign, chosen):
    """The profile that is played if the players commit in this order."""
    players, profiles = payoffs.shape
    for p in range(profiles):
        rest, number = p, np.int64(0)
        for k in range(players - 1, -1, -1):
            i = order[k]
            number += rest % count[i] * stride[i]
            rest //= count[i]
        chosen[p] = number
    size = profiles
    for k in range(players - 1, -1, -1):
        actions = count[order[k]]
        size //= actions
        for place in range(size):
            best = chosen[place * actions]
            for p in range(place * actions + 1, (place + 1) * actions):
                better = payoffs[order[k], chosen[p]] - payoffs[order[k], best]
                before = 0
                while better == 0 and before < k:
                    better = sign * (payoffs[order[before], chosen[p]] - payoffs[order[before], best])
                    before += 1
                if better > 0:
                    best = chosen[p]
            chosen[place] = best
    return chosen[0]


@called
def _follow(payoffs, count, stride, start, step_limit, seen, answer):
    """Best-response dynamics: profile, moves, moves of a cycle, whether it ended."""
    players, profiles = payoffs.shape
    for p in range(players * profiles):
        seen[p] = -1
    profile, turn, quiet, steps, cycle, ended = start, 0, 0, 0, 0, True
    while quiet < players:
        before = seen[turn * profiles + profile]
        if before >= 0:
            cycle = steps - before
            break
        seen[turn * profiles + profile] = steps
        own = payoffs[turn]
        step = stride[turn]
        lowest = profile - profile // step % count[turn] * step
        best = lowest
        for p in range(lowest, lowest + step * count[turn], step):
            if own[p] > own[best]:
                best = p
        if own[best] > own[profile]:
            if steps >= step_limit:
                ended = False
                break
            profile, quiet, steps = best, -1, steps + 1
        quiet, turn = quiet + 1, (turn + 1) % players
    answer[0], answer[1], answer[2], answer[3] = profile, steps, cycle, ended


@loop
def _games(
    first, last, payoffs, count, stride, orders, dynamics, start, step_limit, stable, found, symmetric, played, answer,
    best, chosen, seen,
):  # fmt: skip
    for b in range(first, last):
        found[b] = _stable(payoffs[b], count, stride, best, stable[b])
        symmetric[b] = _is_symmetric(payoffs[b], count, stride)
        for o in range(len(orders)):
            played[b, o, 0] = _committed(payoffs[b], count, stride, orders[o], np.int64(1), chosen)
            played[b, o, 1] = _committed(payoffs[b], count, stride, orders[o], np.int64(-1), chosen)
        if dynamics:
            _follow(payoffs[b], count, stride, start, step_limit, seen, answer[b])


def solve_games(
    payoffs: np.ndarray,
    actions: Sequence[int],
    orders: Sequence[Sequence[int]] = (),
    *,
    start: int | None = None,
    step_limit: int = 0,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Pure equilibria of B games, and what else is asked for.

    Args:
        payoffs: `[B, N, P]` int64, of at most 2**62 in size.
        actions: A_1..A_N.
        orders: permutations of the players, for commitment.
        start: the profile where best-response dynamics begins; None runs none.
        step_limit: moves after which it is stopped.
        threads: how many to use. Results do not depend on it.

    Returns:
        `stable` `[B, P]` bool, `count` `[B]` int64, `symmetric` `[B]` bool, `committed` `[B, O, 2]` int64 profiles
        with ties for and against those before, and with `start`, `profile`, `steps`, `cycle` `[B]` int64 and
        `ended` `[B]` bool of the dynamics.

    Example:
        >>> dilemma = np.array([[[3, 0, 5, 1], [3, 5, 0, 1]]])
        >>> found = solve_games(dilemma, (2, 2), [(0, 1)], start=0, step_limit=9)
        >>> found["stable"].tolist(), found["committed"].tolist(), found["profile"].tolist()
        ([[False, False, False, True]], [[[3, 3]]], [3])
    """
    games, players, profiles = payoffs.shape
    count = np.array(actions, np.int64)
    stride = np.array([prod(actions[i + 1 :]) for i in range(players)], np.int64)
    order = np.array(list(orders), np.int64).reshape(-1, players)
    played = start is not None
    stable, found, symmetric = np.empty((games, profiles), bool), np.empty(games, np.int64), np.empty(games, bool)
    committed = np.empty((games, len(order), 2), np.int64)
    answer = np.empty((games if played else 0, 4), np.int64)
    read = plain(payoffs)

    def solve_range(first: int, last: int) -> None:
        best, chosen = np.empty(profiles, np.int64), np.empty(profiles, np.int64)
        seen = np.empty(players * profiles if played else 0, np.int64)
        _games(
            first, last, read, count, stride, order, played, start or 0, step_limit, stable, found, symmetric,
            committed, answer, best, chosen, seen,
        )  # fmt: skip

    run_over_tables(solve_range, games, threads)
    result = {"stable": stable, "count": found, "symmetric": symmetric, "committed": committed}
    if played:
        profile, steps, cycle, ended = answer.T
        result |= {"profile": profile, "steps": steps, "cycle": cycle, "ended": ended == 1}
    return result
