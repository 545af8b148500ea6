"""All profiles of partitions that are optimal for providers who are heard alone: what is the worst of them together?

A provider may have several optimal partitions. Which of them is worst for a user who hears it alone says little about
which are worst together, so the profiles are compared: up to `MAX_PROFILES` of them, for up to `MAX_STATES` states.
Values are exact integers. Only games in which some provider has a choice come here, one by one, on the host.

A set of states is a number (bit x is state x), a partition the tuple of its cells in the order of their lowest states.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

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
    values = _values(game, b)
    optima = [list(optimal_partitions(own, game.states)) for own in values[1:]]
    pooled = ((1 << game.states) - 1,)

    @cache
    def heard(mask: int) -> frozenset[Partition]:
        if not mask:
            return frozenset({pooled})
        lowest = mask & -mask
        own = optima[lowest.bit_length() - 1]
        return frozenset(_refinement(one, other) for one in heard(mask ^ lowest) for other in own)

    found = []
    for mask in masks:
        worth = {partition: sum(int(values[0, cell]) for cell in partition) for partition in heard(mask)}
        worst = min(worth.values())
        first = min(partition for partition, value in worth.items() if value == worst)
        found.append((worst, max(worth.values()), _labels(first, game.states)))
    worst, best, partition = zip(*found)
    return Extremes(np.array(worst), np.array(best), np.array(partition, np.int8))


def optimal_partitions(own: Float[np.ndarray, " N"], states: int) -> Iterator[Partition]:
    """Every partition that is worth most, by what each set is worth as a cell (minus infinity: it is none)."""
    sets = np.arange(len(own))
    most = np.zeros(len(own))
    for whole in range(1, len(own)):
        cells = _cells_of(whole, sets)
        most[whole] = (own[cells] + most[whole ^ cells]).max()

    def split(whole: int) -> Iterator[Partition]:
        if not whole:
            yield ()
            return
        cells = _cells_of(whole, sets)
        for cell in cells[own[cells] + most[whole ^ cells] == most[whole]].tolist():
            for rest in split(whole ^ cell):
                yield (cell, *rest)

    yield from split(len(own) - 1)


def _cells_of(whole: int, sets: np.ndarray) -> np.ndarray:
    """The subsets of a set that contain its lowest state."""
    lowest = whole & -whole
    return sets[(sets & ~whole == 0) & (sets & lowest != 0)]


def _values(game: PersuasionGame, b: int) -> Float[np.ndarray, "P N"]:
    """What sets of states are worth as cells to every player, exactly; minus infinity where she cannot act."""
    sets = np.arange(1 << game.states)
    inside = (sets[:, None] >> np.arange(game.states)) & 1  # [N, X]
    players = np.concatenate([np.asarray(game.user)[b][None], np.asarray(game.providers)[b]])
    sums = np.einsum("nx,pzxa->pnza", inside, players.astype(np.int64))
    allowed: Bool[np.ndarray, "N A"] = inside @ ~np.asarray(game.available)[b] == 0
    best = np.where(allowed[:, None], sums[0], np.iinfo(np.int64).min).argmax(axis=2)  # [N, Z]
    taken = np.take_along_axis(sums, best[None, ..., None], axis=3)[..., 0].sum(axis=2)
    return np.where(allowed.any(axis=1), taken.astype(np.float64), -np.inf)  # whole numbers below 2**53


def _refinement(one: Partition, other: Partition) -> Partition:
    return tuple(sorted((a & c for a in one for c in other if a & c), key=lambda cell: cell & -cell))


def _labels(partition: Partition, states: int) -> list[int]:
    return [next(i for i, cell in enumerate(partition) if cell >> x & 1) for x in range(states)]
