"""Games in normal form, solved slowly and obviously, in fractions; shares no code with what it checks.

A game is a list of dictionaries: of every player, from profiles (tuples of actions) to payoffs.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations, product

import equilibrax as eq

Payoffs = list[dict[tuple[int, ...], Fraction]]


def payoffs_of(games: eq.NormalForm, b: int) -> Payoffs:
    """One game of a batch, by the definition of its fields."""
    shape = games.payoffs.shape[2:]
    profiles = list(product(*(range(count) for count in shape)))
    own = games.payoffs[b]
    return [{p: Fraction(int(own[(i, *p)]), games.resolution) for p in profiles} for i in range(len(shape))]


def deviations(payoffs: Payoffs, i: int, profile: tuple[int, ...]) -> list[tuple[int, ...]]:
    """All that player i can make of a profile."""
    others = {p: None for p in payoffs[i] if p[:i] == profile[:i] and p[i + 1 :] == profile[i + 1 :]}
    return sorted(others)


def pure_equilibria(payoffs: Payoffs) -> list[tuple[int, ...]]:
    """Profiles that nobody gains by leaving."""
    return [
        profile
        for profile in sorted(payoffs[0])
        if all(own[other] <= own[profile] for i, own in enumerate(payoffs) for other in deviations(payoffs, i, profile))
    ]


def is_symmetric(payoffs: Payoffs) -> bool:
    """Whether all permutations of the players, not only swaps of neighbours, change nothing."""
    n = len(payoffs)
    if len({len({p[i] for p in payoffs[0]}) for i in range(n)}) > 1:
        return False
    return all(
        payoffs[i][profile] == payoffs[order[i]][tuple(profile[order.index(k)] for k in range(n))]
        for order in permutations(range(n))
        for profile in payoffs[0]
        for i in range(n)
    )


def committed(payoffs: Payoffs, order: Sequence[int], sign: int) -> tuple[int, ...]:
    """What is played where players choose in this order, each seeing what was chosen before: a game tree."""
    counts = [len({p[i] for p in payoffs[0]}) for i in range(len(payoffs))]

    def play(chosen: dict[int, int]) -> tuple[int, ...]:
        if len(chosen) == len(order):
            return tuple(chosen[i] for i in range(len(order)))
        mover = order[len(chosen)]
        ends = [play({**chosen, mover: action}) for action in range(counts[mover])]
        before = list(order[: len(chosen)])
        worth = [(payoffs[mover][end], *(sign * payoffs[b][end] for b in before)) for end in ends]
        return ends[worth.index(max(worth))]

    return play({})


def dynamics(payoffs: Payoffs, start: tuple[int, ...]) -> tuple[tuple[int, ...], int, int]:
    """Best replies in turn: where it ends or comes back to, moves until then, moves of one round."""
    profile, turn, history, quiet, moves = start, 0, {}, 0, 0
    while quiet < len(payoffs):
        if (profile, turn) in history:
            return profile, moves, moves - history[profile, turn]
        history[profile, turn] = moves
        own = payoffs[turn]
        best = max(own[other] for other in deviations(payoffs, turn, profile))
        if own[profile] < best:
            profile = next(other for other in deviations(payoffs, turn, profile) if own[other] == best)
            moves, quiet = moves + 1, 0
        else:
            quiet += 1
        turn = (turn + 1) % len(payoffs)
    return profile, moves, 0
