"""Equilibria of every committee at once, and of providers alone; see `equilibrax_kernels.committees` and `monopoly`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import part
from equilibrax_kernels.cpu.vectors import (
    LANES,
    as_floats,
    fill,
    highest_over_lanes,
    if_greater,
    load,
    padded,
    store,
    sum_over_lanes,
)

_NOTHING = -(2**62)  # less than every value
_LIMIT = 2**63 - 1


class Cells(NamedTuple):
    """What the equilibria of each of 2**K sets of providers have in common.

    Attributes:
        worst: `[2**K]` `run << 32 | ~entry` of the worst entry: the last run of ties, in it the first; -1 for none.
        exact, size: `[2**K]` how many equilibria there are; see `equilibrax_kernels.counting`. These three have room
            for eight at least.
        outcomes: `[2**K, W]` what they attain, 64 to a word.
    """

    worst: np.ndarray
    exact: np.ndarray
    size: np.ndarray
    outcomes: np.ndarray


class Alone(NamedTuple):
    """Each player's optimal schemes, as in `equilibrax_kernels.monopoly`; here the user is player 0.

    Attributes:
        worst, best: `[[P]]`, P rounded up to a multiple of eight; exact, size: `[[P]]` the count.
        worst_scheme, top: `[X, [P]]` actions, and what they are worth to the player; outcomes: `[P, W]`.
    """

    worst: np.ndarray
    best: np.ndarray
    exact: np.ndarray
    size: np.ndarray
    worst_scheme: np.ndarray
    top: np.ndarray
    outcomes: np.ndarray


def new_cells(providers, words):
    cells, room = 1 << providers, padded(1 << providers)
    return Cells(
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.float64),
        np.empty((cells, words), np.int64),
    )


def new_alone(players, states, words):
    width = padded(players)
    return Alone(
        np.empty(width, np.int64),
        np.empty(width, np.int64),
        np.empty(width, np.int64),
        np.empty(width, np.float64),
        np.empty((states, width), np.int64),
        np.empty((states, width), np.int64),
        np.empty((players, words), np.int64),
    )


def new_contributions(players, states, actions):
    """Room for a table's contributions `[X, A, [P]]`: all players' next to each other, in vectors."""
    return np.zeros((states, actions, padded(players)), np.int64)


@part
def contribute(user, providers, prior, contributions):
    """Write `p(x) u_p(a, x)` of a table, with utilities of the user `[X, A]` and the providers `[K, X, A]`."""
    count, states, actions = providers.shape
    for x in range(states):
        weight = np.int64(prior[x])
        for a in range(actions):
            for start in range(0, count + 1, LANES):
                for lane in range(LANES):  # so many always: the rest is the last provider again
                    j = min(max(start + lane - 1, 0), count - 1)
                    contributions[x, a, start + lane] = weight * providers[j, x, a]
            contributions[x, a, 0] = weight * user[x, a]


@part
def monopolies(contributions, available, alone):
    """What each player alone would do, state by state; eight players at a time."""
    states, actions, width = contributions.shape
    none, one, never = fill(0), fill(1), fill(_NOTHING)
    for p in range(0, width, LANES):
        worst, best, exact, size = none, none, one, fill(1.0)
        for x in range(states):
            top, low, high, ties, scheme = never, none, none, none, none
            for a in range(actions):
                if not available[x, a]:
                    continue
                value, user, action = load(contributions, (x, a, p)), fill(contributions[x, a, 0]), fill(a)
                # As good as the best so far, or better than all of them.
                scheme = if_greater(
                    value, top, action, if_greater(top, value, scheme, if_greater(low, user, action, scheme))
                )
                low = if_greater(value, top, user, if_greater(top, value, low, if_greater(low, user, user, low)))
                high = if_greater(value, top, user, if_greater(top, value, high, if_greater(user, high, user, high)))
                ties = if_greater(value, top, one, if_greater(top, value, ties, ties + one))
                top = if_greater(value, top, value, top)
            worst, best, exact, size = worst + low, best + high, exact * ties, size * as_floats(ties)
            store(alone.worst_scheme, (x, p), scheme)
            store(alone.top, (x, p), top)
        store(alone.worst, p, worst)
        store(alone.best, p, best)
        store(alone.exact, p, exact)
        store(alone.size, p, size)
    players, words = alone.outcomes.shape
    if words:
        for p in range(players):
            for w in range(words):
                alone.outcomes[p, w] = 0
        for x in range(states):
            for a in range(actions):
                outcome = x * actions + a
                for p in range(players):
                    optimal = available[x, a] and contributions[x, a, p] == alone.top[x, p]
                    alone.outcomes[p, outcome >> 6] |= np.int64(optimal) << (outcome & 63)


@part
def over_supersets(listed, size, providers, tie_bits, lowest, cells):
    """Combine all entries that are stable for a set of providers, for every set.

    Args:
        providers: how many there are.
        lowest: under Definition 16, one result for the sets whose lowest provider this is: entries must be stable for
            it with the user's ties won (`tie_bits`), and sets are numbered by their bits above it. Otherwise -1.
    """
    first = lowest + 1
    sets = 1 << (providers - first)
    words = cells.outcomes.shape[1]
    for cell in range(0, sets, LANES):
        store(cells.worst, cell, fill(-1))
        store(cells.exact, cell, fill(0))
        store(cells.size, cell, fill(0.0))
    for cell in range(sets):
        for w in range(words):
            cells.outcomes[cell, w] = 0
    run, last = -1, 0
    for i in range(size):
        user = listed.values[i, 0]
        run += i == 0 or user != last
        last = user
        if first and not tie_bits[i] >> lowest & 1:
            continue
        cell = listed.bits[i] >> first
        cells.worst[cell] = max(cells.worst[cell], (run << 32) | (0xFFFFFFFF - i))
        cells.exact[cell] += listed.exact[i]
        cells.size[cell] += listed.size[i]
        for w in range(words):
            cells.outcomes[cell, w] |= listed.outcomes[i, w]
    for cell in range(0, sets, LANES):
        store(cells.worst, cell, highest_over_lanes(load(cells.worst, cell)))
        store(cells.exact, cell, sum_over_lanes(load(cells.exact, cell)))
        store(cells.size, cell, sum_over_lanes(load(cells.size, cell)))
    bit = LANES
    while bit < sets:
        for start in range(0, sets, 2 * bit):
            for cell in range(start, start + bit, LANES):
                mine, other = load(cells.worst, cell), load(cells.worst, cell + bit)
                store(cells.worst, cell, if_greater(other, mine, other, mine))
                store(cells.exact, cell, load(cells.exact, cell) + load(cells.exact, cell + bit))
                store(cells.size, cell, load(cells.size, cell) + load(cells.size, cell + bit))
        bit *= 2
    for j in range(providers - first if words else 0):
        for start in range(0, sets, 2 << j):
            for cell in range(start, start + (1 << j)):
                for w in range(words):
                    cells.outcomes[cell, w] |= cells.outcomes[cell + (1 << j), w]


@part
def worst_entry(cells, cell):
    """The entry with the user's smallest value in a cell, the lexicographically first of those."""
    return 0xFFFFFFFF - (cells.worst[cell] & 0xFFFFFFFF)


@part
def counted(exact, size):
    """`(count, saturated)`, as `equilibrax_kernels.counting.saturated`."""
    if size > _LIMIT * (1 - 1e-9):
        return _LIMIT, True
    return exact, False
