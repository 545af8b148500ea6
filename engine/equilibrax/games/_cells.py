"""Sets of states as cells, and all partitions into them, on the host: one game at a time.

A set of states is a number (bit x is state x).

Letters: P = K + 1 players (the user first), N = 2**X sets, S partitions, E equilibria.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from equilibrax._core.partitions import all_partitions
from equilibrax.games._options import Rationality
from equilibrax.problems.persuasion import PersuasionGame

MAX_STATES = 10
"""Most states whose partitions are listed on the host: 115,975."""


@dataclass(frozen=True)
class Cells:
    """What every set of states is worth as a cell in one game.

    Attributes:
        values: `[P, N]` of every set, float64: whole numbers for best response; minus infinity for sets without a
            common action.
        states: X.
    """

    values: Float[np.ndarray, "P N"]
    states: int

    @cached_property
    def labels(self) -> Int[np.ndarray, "S X"]:
        """All partitions whose cells have a common action, lexicographic in their tuples of cells.

        Raises:
            ValueError: if there are more than `MAX_STATES` states.
        """
        if self.states > MAX_STATES:
            raise ValueError(f"tables: expected at most {MAX_STATES} states to list partitions of, got {self.states}")
        every = all_partitions(self.states)
        return every[np.isfinite(self._worth(self.values[:1], every)[0])]

    @cached_property
    def worth(self) -> Float[np.ndarray, "P S"]:
        """What they are worth to every player."""
        return self._worth(self.values, self.labels)

    def of(self, labels: Int[np.ndarray, "E X"]) -> Float[np.ndarray, "P E"]:
        """What given partitions are worth to every player."""
        return self._worth(self.values, labels)

    def holds(self, cells: Bool[np.ndarray, " N"]) -> Bool[np.ndarray, " S"]:
        """The partitions all of whose cells are among these."""
        return ~(self._worth(np.where(cells, 0.0, 1.0)[None], self.labels)[0] > 0)

    def best_splits(self, provider: int) -> Float[np.ndarray, " N"]:
        """The most that a partition of every set is worth to a provider."""
        own, most = self.values[1 + provider], np.zeros(self.values.shape[1])
        sets = np.arange(len(own))
        for whole in range(1, len(own)):
            first = first_cells(whole, sets)
            most[whole] = (own[first] + most[whole ^ first]).max()
        return most

    def best_for(self, provider: int, tolerance: float) -> Bool[np.ndarray, " S"]:
        """A monopolist's partitions: in the order of their lowest states, every cell leaves it as much as any, up to
        the tolerance."""
        own, most = self.values[1 + provider], self.best_splits(provider)
        left = np.full(len(self.labels), len(own) - 1)
        best = np.ones(len(left), bool)
        for cells in self._cells(self.labels).T:
            best &= (cells == 0) | (own[cells] + most[left ^ cells] >= most[left] - tolerance)
            left = left ^ cells
        return best

    def _cells(self, labels: np.ndarray) -> Int[np.ndarray, "S X"]:
        bits = 1 << np.arange(self.states)
        return np.stack([((labels == cell) * bits).sum(axis=1) for cell in range(self.states)], axis=1)

    def _worth(self, values: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return values[:, self._cells(labels)].sum(axis=2)


def check_listed(rules: Int[np.ndarray, "E X"], limit: int) -> Int[np.ndarray, "E X"]:
    """The rules, or a refusal if there are more than may be listed."""
    if len(rules) > limit:
        raise ValueError(f"limit: expected at most {limit:,} equilibria, got {len(rules):,}; raise the limit")
    return rules


def first_cells(whole: int, sets: Int[np.ndarray, " N"]) -> Int[np.ndarray, " n"]:
    """The subsets of a set that contain its lowest state."""
    lowest = whole & -whole
    return sets[(sets & ~whole == 0) & (sets & lowest != 0)]


def cells_of_game(game: PersuasionGame, b: int, how: Rationality) -> Cells:
    """Game b of a batch, with the best response or one lambda; ties to the lowest action."""
    sets = np.arange(1 << game.states)
    inside = (sets[:, None] >> np.arange(game.states)) & 1  # [N, X]
    players = np.concatenate([np.asarray(game.user)[b][None], np.asarray(game.providers)[b]])
    sums = np.einsum("nx,pzxa->pnza", inside, players.astype(np.int64))
    allowed: Bool[np.ndarray, "N A"] = inside @ ~np.asarray(game.available)[b] == 0
    hers = np.where(allowed[:, None], sums[0], np.iinfo(np.int64).min)
    if how.quantal:
        weight = np.maximum(inside @ np.asarray(game.weights)[b].T, 1) * float(game.resolution)  # [N, Z]
        taken = (_odds(hers, allowed, weight, how.values[0]) * sums).sum(axis=(2, 3))
    else:
        best = hers.argmax(axis=2)
        taken = np.take_along_axis(sums, best[None, ..., None], axis=3)[..., 0].sum(axis=2)
    values = np.where(allowed.any(axis=1), taken.astype(np.float64), -np.inf)  # whole numbers below 2**53
    values[:, 0] = 0.0
    return Cells(values, game.states)


def _odds(hers: Num[np.ndarray, "N Z A"], allowed: np.ndarray, weight: np.ndarray, rationality: float) -> np.ndarray:
    """`[N, Z, A]` the probabilities of a quantal user's actions."""
    short = np.where(allowed[:, None], hers - hers.max(axis=2, keepdims=True), 0) / weight[..., None]
    with np.errstate(invalid="ignore", under="ignore"):
        odds = np.where(allowed[:, None], np.where(short == 0, 1.0, np.exp(rationality * short)), 0.0)
    mass = odds.sum(axis=2, keepdims=True)
    return odds / np.where(mass > 0, mass, 1.0)
