"""Dynamics of best responses between providers who post strategies, one game at a time: `deviations` as loops.

Every provider first posts its monopoly strategy, the best for itself if all users had to take it. Then, in rounds from
the lowest index, a member that can gain moves to its best strategy (of several the first). A round in which nobody
moves ends it. Coming back to the profile at the start of an earlier round means that it goes on for ever; Brent's
algorithm notices: the profile is kept at rounds 1, 2, 4, 8, ... and compared.

Letters: as in `profiles`.
"""

from __future__ import annotations

import numpy as np

from equilibrax_kernels.cpu.compiling import called
from equilibrax_kernels.cpu.profiles import earnings, first_best, taken_by


@called
def monopoly_strategies(game, space):
    """Fill in `space.opening` `[K]`: everybody's best strategy if all users had to take it, the first of several."""
    nobody = np.int64(0)  # not a literal, for which everything would be compiled once more
    for j in range(len(space.opening)):
        earnings(game, space.opening, nobody, j, space.earned)
        _, space.opening[j] = first_best(space.earned, game.exists[j], game.tolerance[j])


@called
def market_dynamics(game, mask, step_limit, space, profile, choice, value):
    """Best-response dynamics of a committee, for at most `step_limit` moves.

    Args:
        game: `profiles.Postings`.
        mask: the committee.
        step_limit: most moves.
        space: `profiles.Space`, with the opening of `monopoly_strategies`.
        profile: `[K]`, filled in: strategies where it ends; -1 for providers that are not members.
        choice, value: `[N]`, filled in: the provider that each user takes there, and what it is worth to her.

    Returns:
        `(steps, ended, cycle)`: number of moves, whether nobody can gain any more, and whether it came back to a
        profile; if neither, the limit stopped it.
    """
    providers, posted, kept, earned = len(space.opening), space.posted, space.kept, space.earned
    for j in range(providers):
        posted[j] = kept[j] = space.opening[j]
    steps, rounds, power, ended, cycle, refused = 0, 0, 1, False, False, False
    while not (ended or cycle or refused):
        ended = True
        for j in range(providers):
            if mask >> j & 1 and not refused:
                earnings(game, posted, mask, j, earned)
                most, first = first_best(earned, game.exists[j], game.tolerance[j])
                if most - earned[posted[j]] > game.tolerance[j]:
                    ended, refused = False, steps >= step_limit
                    if not refused:
                        posted[j] = first
                        steps += 1
        rounds += 1
        cycle = not ended and not refused
        for j in range(providers):
            cycle &= posted[j] == kept[j]
        if rounds == power:
            power *= 2
            for j in range(providers):
                kept[j] = posted[j]
    for n in range(len(choice)):
        choice[n] = taken_by(game, posted, mask, n)
        value[n] = game.worth[choice[n], n, posted[choice[n]]]
    for j in range(providers):
        profile[j] = posted[j] if mask >> j & 1 else -1
    return steps, ended, cycle
