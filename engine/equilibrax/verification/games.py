"""Games in plain integers, and the answers that results are compared with.

Letters: B tables, K providers, X states, A actions, S schemes, C committees, all 2**K - 1 of them. Player 0 is the
user, player 1 + j is provider j. A value is the sum over states of weight x utility x resolution: an exact int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

LOWEST = np.iinfo(np.int64).min // 2
"""Below every value, and far enough from the end of int64."""


@dataclass(frozen=True)
class Games:
    """B games of one shape.

    Attributes:
        utilities: `[B, 1 + K, X, A]` int64, in steps of 1 / resolution.
        prior: `[B, X]` int64 weights.
        available: `[B, X, A]` bool.
        resolution: steps per unit of utility.
        ties: whether the lowest-indexed provider wins ties (Definition 16), or nobody who deviates (Section 7).
    """

    utilities: np.ndarray
    prior: np.ndarray
    available: np.ndarray
    resolution: int
    ties: bool

    def __len__(self) -> int:
        return len(self.utilities)

    def __getitem__(self, part: slice) -> Games:
        return Games(self.utilities[part], self.prior[part], self.available[part], self.resolution, self.ties)

    @property
    def providers(self) -> int:
        return self.utilities.shape[1] - 1

    @property
    def states(self) -> int:
        return self.utilities.shape[2]

    @property
    def actions(self) -> int:
        return self.utilities.shape[3]

    @property
    def committees(self) -> np.ndarray:
        """`[C]` bitmasks 1, 2, 3, ..."""
        return np.arange(1, 1 << self.providers)

    @property
    def scale(self) -> np.ndarray:
        """`[B]` value per unit of expected utility."""
        return self.resolution * self.prior.sum(axis=1)

    @property
    def contributions(self) -> np.ndarray:
        """`[B, 1 + K, X, A]` what an action in a state adds to a value."""
        return self.utilities * self.prior[:, None, :, None]

    def values_of(self, schemes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values `[B, C, 1 + K]` of schemes `[B, C, X]`, and whether their actions exist `[B, C]`; 0 if they do not."""
        known = np.all((schemes >= 0) & (schemes < self.actions), axis=2)
        chosen = np.where(known[..., None], schemes, 0).astype(np.int64)
        tables, x = np.arange(len(self))[:, None, None], np.arange(self.states)
        known = known & np.all(self.available[tables, x, chosen], axis=2)
        values = self.contributions.transpose(0, 2, 3, 1)[tables, x, chosen].sum(axis=2)
        return np.where(known[..., None], values, 0), known

    def optimum(self) -> np.ndarray:
        """`[B]` the user's best attainable value: her best action in every state."""
        mine = np.where(self.available, self.contributions[:, 0], LOWEST)
        return mine.max(axis=2).sum(axis=1)

    def optimal_outcomes(self) -> np.ndarray:
        """`[B, X, A]` the outcomes of her optimal schemes."""
        mine = np.where(self.available, self.contributions[:, 0], LOWEST)
        return mine == mine.max(axis=2, keepdims=True)


@dataclass(frozen=True)
class Answers:
    """What is true of B games and all committees.

    Attributes:
        optimum: `[B]` value.
        worst, best: `[B, C]` values of the user in equilibrium.
        count: `[B, C]` number of equilibrium schemes, Python integers where they could be large.
        outcomes: `[B, C, X, A]` what some equilibrium attains.
        proven: `[B, C]` whether all equilibria were looked at. Else `worst`, `best`, `count` and `outcomes` are of the
            equilibria that attacks found, which are none where `count` is 0.
        method: how.
        worst_scheme, best_scheme: `[B, C, X]` the lexicographically first worst and best ones, if all were listed.
        equilibria: `[B, C, S]` bool, and `schemes` `[S, X]` in lexicographic order, if all schemes were listed.
        dynamics, dynamics_scheme, dynamics_steps, dynamics_stopped: `[B, C]`, `[B, C, X]`, `[B, C]` twice, where
            best-response dynamics ends, after how many moves, and whether that is because of the limit; if it ran.
        drawn: `lotteries.Drawn`, where providers may draw lots.
    """

    optimum: np.ndarray
    worst: np.ndarray
    best: np.ndarray
    count: np.ndarray
    outcomes: np.ndarray
    proven: np.ndarray
    method: str
    worst_scheme: np.ndarray | None = None
    best_scheme: np.ndarray | None = None
    equilibria: np.ndarray | None = None
    schemes: np.ndarray | None = None
    dynamics: np.ndarray | None = None
    dynamics_scheme: np.ndarray | None = None
    dynamics_steps: np.ndarray | None = None
    dynamics_stopped: np.ndarray | None = None
    drawn: Any = None

    @classmethod
    def none(cls, games: Games) -> Answers:
        """Of games that nobody solved."""
        shape = len(games), len(games.committees)
        return cls(
            optimum=games.optimum(),
            worst=np.zeros(shape, np.int64),
            best=np.zeros(shape, np.int64),
            count=np.zeros(shape, object),
            outcomes=np.zeros((*shape, games.states, games.actions), bool),
            proven=np.zeros(shape, bool),
            method="nothing",
        )
