"""All profiles of partitions that are optimal for providers who are heard alone: what is the worst of them together?

A provider may have several optimal partitions. Which of them is worst for a user who hears it alone says little about
which are worst together, so the profiles are compared: up to `MAX_PROFILES` of them, for up to `MAX_STATES` states.
Values are exact integers. Only games in which some provider has a choice come here, one by one, on the host.

A set of states is a number (bit x is state x), a partition the tuple of its cells in the order of their lowest states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from equilibrax.games._cells import cells_of_game, first_cells
from equilibrax.games._options import Rationality
from equilibrax.problems.persuasion import PersuasionGame

MAX_PROFILES = 4096
"""Most profiles of optimal partitions of a committee that are compared."""

MAX_STATES = 12
"""Most states for which they are: optimal partitions are listed by a program over pairs of sets of states."""

Partition = tuple[int, ...]


class Extremes(NamedTuple):
    """The worst and the best of all profiles of optimal partitions, for the user of one game and C committees.

    Attributes:
        worst, best: `[C]` her values.
        partition: `[C, X]` int8 labels, of the worst common refinements the first by its tuple of cells.
    """

    worst: Int[np.ndarray, " C"]
    best: Int[np.ndarray, " C"]
    partition: Int[np.ndarray, "C X"]


def profile_extremes(game: PersuasionGame, b: int, masks: list[int]) -> Extremes:
    """Compare all profiles of game b for committees of no more than `MAX_PROFILES`."""
    values = cells_of_game(game, b, Rationality()).values
    heard, found = _heard(values, game.states), []
    for mask in masks:
        worth = {partition: sum(int(values[0, cell]) for cell in partition) for partition in heard(mask)}
        worst = min(worth.values())
        first = min(partition for partition, value in worth.items() if value == worst)
        found.append((worst, max(worth.values()), _labels(first, game.states)))
    worst, best, partition = zip(*found)
    return Extremes(np.array(worst), np.array(best), np.array(partition, np.int8))


def heard_partitions(game: PersuasionGame, b: int, mask: int) -> Int[np.ndarray, "E X"]:
    """What the user of game b may hear of a committee of no more than `MAX_PROFILES`, each once, as labels."""
    heard = _heard(cells_of_game(game, b, Rationality()).values, game.states)
    return np.array([_labels(partition, game.states) for partition in sorted(heard(mask))], np.int8)


def _heard(values: Float[np.ndarray, "P N"], states: int) -> Callable[[int], frozenset[Partition]]:
    """The common refinements of all profiles, by committee."""
    optima = [list(optimal_partitions(own, states)) for own in values[1:]]
    pooled = ((1 << states) - 1,)

    @cache
    def heard(mask: int) -> frozenset[Partition]:
        if not mask:
            return frozenset({pooled})
        lowest = mask & -mask
        own = optima[lowest.bit_length() - 1]
        return frozenset(_refinement(one, other) for one in heard(mask ^ lowest) for other in own)

    return heard


def optimal_partitions(own: Float[np.ndarray, " N"], states: int) -> Iterator[Partition]:
    """Every partition that is worth most, by what each set is worth as a cell (minus infinity: it is none)."""
    sets = np.arange(len(own))
    most = np.zeros(len(own))
    for whole in range(1, len(own)):
        cells = first_cells(whole, sets)
        most[whole] = (own[cells] + most[whole ^ cells]).max()

    def split(whole: int) -> Iterator[Partition]:
        if not whole:
            yield ()
            return
        cells = first_cells(whole, sets)
        for cell in cells[own[cells] + most[whole ^ cells] == most[whole]].tolist():
            for rest in split(whole ^ cell):
                yield (cell, *rest)

    yield from split(len(own) - 1)


def _refinement(one: Partition, other: Partition) -> Partition:
    return tuple(sorted((a & c for a in one for c in other if a & c), key=lambda cell: cell & -cell))


def _labels(partition: Partition, states: int) -> list[int]:
    return [next(i for i, cell in enumerate(partition) if cell >> x & 1) for x in range(states)]
