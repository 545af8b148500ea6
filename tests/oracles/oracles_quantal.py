"""The oracle of lotteries over messages when the user responds quantally: from the definition, one case at a time.

Provider j says m with chance `rules[j][x][m]` in state x. The user observes her signal and what everybody says, works
out what each action is worth to her on average, and takes it with a chance proportional to `exp(rationality * worth)`
(2509.15090, Definition 11). Everything is summed state by state, signal by signal, and nothing is shared with the
package.

What a provider can gain is looked for by brute force: all rules with two or three messages whose chances are multiples
of `1 / grid`. A message adds what it adds whatever else is said, so `message_value` of every row of chances is worked
out once, and rules are sums of these.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

Utilities = Sequence[Sequence[Sequence[float]]]
"""`[Z][X][A]` utility of an action, weighted by the chance of (signal, state)."""


def response(worth: Sequence[float], there: Sequence[bool], rationality: float) -> list[float]:
    """Chances of actions that are worth this to her."""
    most = max(u for u, exists in zip(worth, there) if exists)
    odds = [math.exp(rationality * (u - most)) if exists else 0.0 for u, exists in zip(worth, there)]
    return [o / sum(odds) for o in odds]


def message_value(
    chances: Sequence[float],
    chance: Sequence[Sequence[float]],
    user: Utilities,
    others: Sequence[Utilities],
    available: Sequence[Sequence[bool]],
    rationality: float,
) -> list[float]:
    """What hearing something adds to everybody's expected utility: the user's, then the others'.

    Args:
        chances: `[X]` of hearing it in each state.
        chance: `[Z][X]` of (signal, state).
        user, others: utilities times that chance.
        available: `[X][A]`.
    """
    total = [0.0] * (1 + len(others))
    states = [x for x, c in enumerate(chances) if c > 0]
    if not states:
        return total
    there = [all(available[x][a] for x in states) for a in range(len(available[0]))]
    if not any(there):
        return [-math.inf] * len(total)
    for z in range(len(chance)):
        seen = math.fsum(chances[x] * chance[z][x] for x in states)
        if seen == 0:
            continue
        sums = [
            [math.fsum(chances[x] * own[z][x][a] for x in states) for a in range(len(there))] for own in (user, *others)
        ]
        for a, p in enumerate(response([s / seen for s in sums[0]], there, rationality)):
            for i, own in enumerate(sums):
                total[i] += p * own[a]
    return total


def everybodys_value(
    rules: Sequence[Sequence[Sequence[float]]],
    chance: Sequence[Sequence[float]],
    user: Utilities,
    providers: Sequence[Utilities],
    available: Sequence[Sequence[bool]],
    rationality: float,
) -> list[float]:
    """Expected utilities of the user and of every provider, if provider j posts `rules[j]`, `[X][M]`."""
    total = [0.0] * (1 + len(providers))
    for said in itertools.product(*(range(len(rule[0])) for rule in rules)):
        heard = [math.prod(rule[x][m] for rule, m in zip(rules, said)) for x in range(len(available))]
        total = [t + v for t, v in zip(total, message_value(heard, chance, user, providers, available, rationality))]
    return total


def best_on_a_grid(
    j: int,
    rules: Sequence[Sequence[Sequence[float]]],
    chance: Sequence[Sequence[float]],
    user: Utilities,
    providers: Sequence[Utilities],
    available: Sequence[Sequence[bool]],
    rationality: float,
    grid: int,
    messages: int,
) -> float:
    """The most that provider j has by rules with so many messages, whose chances are multiples of `1 / grid`."""
    others = [rule for i, rule in enumerate(rules) if i != j]
    states = range(len(available))
    heard = [
        [math.prod(rule[x][m] for rule, m in zip(others, said)) for x in states]
        for said in itertools.product(*(range(len(rule[0])) for rule in others))
    ]
    worth = {
        row: sum(
            message_value(
                [n / grid * h[x] for x, n in enumerate(row)], chance, user, [providers[j]], available, rationality
            )[1]
            for h in heard
        )
        for row in itertools.product(range(grid + 1), repeat=len(states))
    }

    def most(left: tuple[int, ...], number: int) -> float:
        if number == 1:
            return worth[left]
        rows = itertools.product(*(range(n + 1) for n in left))
        return max(worth[row] + most(tuple(n - r for n, r in zip(left, row)), number - 1) for row in rows)

    return most((grid,) * len(states), messages)
