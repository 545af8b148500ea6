"""Oblivious providers: all profiles of partitions, each of which is optimal for a provider that is heard alone.

The user learns what the partitions of a profile say together. A partition is written as `[X]` the lowest state of each
state's cell: two states are in one cell of a common refinement iff every member writes them alike.

Letters: K providers, X states, C committees, S partitions, R refinements.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from equilibrax.verification.games import Games
from equilibrax.verification.partitions import Partitions, all_partitions, labels_of

MOST_PROFILES = 4096
"""Of committees with more profiles, a dataset has one profile only, and a status that says so."""

MOST_COMPARED_STATES = 12
"""Of tables with more states too."""

_MOST = 2**63 - 1


@dataclass(frozen=True)
class Profiles:
    """The profiles of the committees of one table.

    Attributes:
        count: `[C]` int64, how many there are, at most 2**63 - 1.
        worst, best: `[C]` places in `all_partitions` of what is said together in the profiles that are worst and best
            for the user, the first in lexicographic order. Where not all profiles are compared, both are that of one
            profile: every provider's is the first of what is worst for a user who hears it alone.
    """

    count: np.ndarray
    worst: np.ndarray
    best: np.ndarray


def not_compared(count: np.ndarray, states: int) -> np.ndarray:
    """Which numbers of profiles are too many to compare them all; one profile has nothing to be compared with."""
    return (count > 1) & ((count > MOST_PROFILES) | (states > MOST_COMPARED_STATES))


def compare_profiles(games: Games, truth: Partitions) -> Profiles:
    """All profiles of all committees.

    Args:
        games: one table.
        truth: its answers; the equilibria of a committee of one are the optimal partitions of its member.
    """
    leads = _leads(labels_of(games.states))  # [S, X]
    optima = [np.flatnonzero(truth.equilibria[(1 << j) - 1]) for j in range(games.providers)]
    found, counts = [], []
    for mask in games.committees.tolist():
        own = [optima[j] for j in range(games.providers) if mask >> j & 1]
        counts.append(min(prod(map(len, own)), _MOST))
        if not_compared(np.array(counts[-1]), games.states):
            own = [places[truth.user[places].argmin()][None] for places in own]
        together = leads[own[0]]
        for places in own[1:]:
            together = _refinements(together, leads[places])
        heard = np.sort(_places(together))
        value = truth.user[heard]
        found.append((heard[value.argmin()], heard[value.argmax()]))
    worst, best = np.array(found).T
    return Profiles(np.array(counts, np.int64), worst, best)


def _leads(marks: np.ndarray) -> np.ndarray:
    """`[R, X]` the lowest state that has the same mark, of marks `[R, X]`."""
    return (marks[:, :, None] == marks[:, None, :]).argmax(axis=2)


def _refinements(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`[R, X]` the common refinements of every pair of partitions `[N, X]` and `[M, X]`, each once."""
    states = one.shape[1]
    pairs = one[:, None] * states + other[None]
    return np.unique(_leads(pairs.reshape(-1, states)), axis=0)


def _places(leads: np.ndarray) -> np.ndarray:
    """`[R]` the places of partitions `[R, X]` in `all_partitions`."""
    states = leads.shape[1]
    _, places = all_partitions(states)
    cells = ((leads[:, None, :] == np.arange(states)[:, None]) << np.arange(states)).sum(axis=2)  # 0 for no cell
    return np.array([places[tuple(cell for cell in row if cell)] for row in cells.tolist()])
