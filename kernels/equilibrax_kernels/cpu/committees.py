"""Equilibria of every committee at once, and of providers alone; see `equilibrax_kernels.committees` and `monopoly`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import part

_LIMIT = 2**63 - 1


class Cells(NamedTuple):
    """What the equilibria of each of 2**K sets of providers have in common.

    Attributes:
        worst: `[2**K]` `run << 32 | ~entry` of the worst entry: the last run of ties, in it the first; -1 for none.
        exact, size: `[2**K]` how many equilibria there are; see `equilibrax_kernels.counting`.
        outcomes: `[2**K, W]` what they attain, 64 to a word.
    """

    worst: np.ndarray
    exact: np.ndarray
    size: np.ndarray
    outcomes: np.ndarray


class Alone(NamedTuple):
    """Each player's optimal schemes, as in `equilibrax_kernels.monopoly`; here the user is player 0.

    Attributes:
        worst, best: `[P]`; exact, size: `[P]` the count; worst_scheme: `[P, X]`; outcomes: `[P, W]`.
    """

    worst: np.ndarray
    best: np.ndarray
    exact: np.ndarray
    size: np.ndarray
    worst_scheme: np.ndarray
    outcomes: np.ndarray


def new_cells(providers, words):
    cells = 1 << providers
    return Cells(
        np.empty(cells, np.int64),
        np.empty(cells, np.int64),
        np.empty(cells, np.float64),
        np.empty((cells, words), np.int64),
    )


def new_alone(players, states, words):
    return Alone(
        np.empty(players, np.int64),
        np.empty(players, np.int64),
        np.empty(players, np.int64),
        np.empty(players, np.float64),
        np.empty((players, states), np.int64),
        np.empty((players, words), np.int64),
    )


@part
def monopolies(contributions, available, alone):
    """What each player alone would do, state by state."""
    players, states, actions = contributions.shape
    words = alone.outcomes.shape[1]
    for p in range(players):
        alone.worst[p] = alone.best[p] = 0
        alone.exact[p], alone.size[p] = 1, 1.0
        for w in range(words):
            alone.outcomes[p, w] = 0
        for x in range(states):
            top = low = high = 0
            ties = 0
            for a in range(actions):
                if not available[x, a]:
                    continue
                value, user = contributions[p, x, a], contributions[0, x, a]
                if ties == 0 or value > top:
                    top, low, high, ties = value, user, user, 1
                    alone.worst_scheme[p, x] = a
                elif value == top:
                    ties += 1
                    high = max(high, user)
                    if user < low:
                        low = user
                        alone.worst_scheme[p, x] = a
            alone.worst[p] += low
            alone.best[p] += high
            alone.exact[p] *= ties
            alone.size[p] *= ties
            if words:
                for a in range(actions):
                    if available[x, a] and contributions[p, x, a] == top:
                        outcome = x * actions + a
                        alone.outcomes[p, outcome >> 6] |= 1 << (outcome & 63)


@part
def over_supersets(listed, size, tie_bits, lowest, cells):
    """Combine all entries that are stable for a set of providers, for every set.

    Args:
        lowest: under Definition 16, one result for the sets whose lowest provider this is: entries must be stable for
            it with the user's ties won (`tie_bits`), and sets are numbered by their bits above it. Otherwise -1.
    """
    first = lowest + 1
    providers = listed.values.shape[1] - 1 - first
    words = cells.outcomes.shape[1]
    for cell in range(1 << providers):
        cells.worst[cell] = -1
        cells.exact[cell] = 0
        cells.size[cell] = 0.0
        for w in range(words):
            cells.outcomes[cell, w] = 0
    run = 0
    for i in range(size):
        run += i > 0 and listed.values[i, 0] != listed.values[i - 1, 0]
        if first and not tie_bits[i] >> lowest & 1:
            continue
        cell = listed.bits[i] >> first
        cells.worst[cell] = max(cells.worst[cell], (run << 32) | (0xFFFFFFFF - i))
        cells.exact[cell] += listed.exact[i]
        cells.size[cell] += listed.size[i]
        for w in range(words):
            cells.outcomes[cell, w] |= listed.outcomes[i, w]
    for j in range(providers):
        bit = 1 << j
        for start in range(0, 1 << providers, 2 * bit):
            for cell in range(start, start + bit):
                cells.worst[cell] = max(cells.worst[cell], cells.worst[cell + bit])
                cells.exact[cell] += cells.exact[cell + bit]
                cells.size[cell] += cells.size[cell + bit]
                for w in range(words):
                    cells.outcomes[cell, w] |= cells.outcomes[cell + bit, w]


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
