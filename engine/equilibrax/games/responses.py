"""What the games over partitions share: sizes of integers, grids of rationality, limits of memory, labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equilibrax.games._game import Game
from equilibrax.games._options import Rationality
from equilibrax.games.partition_result import PartitionResult
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables

MAX_BYTES = 8 << 30
"""Most memory that one table may need; more states than fit are refused."""


class PartitionGame(Game[PartitionResult]):
    """Base of the games over partitions of the states."""

    over: ClassVar[tuple[type[Any], ...]] = (PersuasionGame, UtilityTables)

    def accept(self, problem: Any) -> PersuasionGame:
        """The problem as a game of information."""
        problem = super().accept(problem)
        return problem if isinstance(problem, PersuasionGame) else PersuasionGame.from_tables(problem)

    @property
    def groups(self) -> tuple[str, ...]:
        """Efficiency."""
        return ("efficiency",)

    def allowance(self, states: int) -> int:
        """That much in every cell."""
        return states

    def beyond_loops(self, problem: PersuasionGame) -> str:
        """Why its numbers are not for loops, which sum in floating point; nothing if sums are exact there."""
        return "" if largest_sum(problem) < 2**53 else f"in the {self.name} game with sums of 2**53 or more"


@dataclass(frozen=True)
class Rows:
    """Games as kernels take them, one row per (table, lambda).

    Attributes:
        contributions: `[B R, P, Z, X, A]`, the user first; int32 where every sum fits, else int64.
        weights: `[B R, Z, X]` int64.
        available: `[B R, X, A]` bool.
        rationality: `[B R]` float64; zeros for the best response.
        tolerance: `[B R]` in the unit of values.
    """

    contributions: np.ndarray
    weights: np.ndarray
    available: np.ndarray
    rationality: np.ndarray
    tolerance: np.ndarray

    def __len__(self) -> int:
        return len(self.weights)

    def leaves(self) -> tuple[np.ndarray, ...]:
        return self.contributions, self.weights, self.available, self.rationality, self.tolerance


def largest_sum(game: PersuasionGame) -> int:
    """No sum of anybody's contributions is larger in size."""
    everybody = (np.asarray(game.user)[:, None], np.asarray(game.providers))
    return max(int(np.abs(own).max(axis=4).sum(axis=(2, 3)).max(initial=0)) for own in everybody)


def rows_of(game: PersuasionGame, how: Rationality) -> Rows:
    """All (table, lambda), tables first."""
    contributions = np.concatenate([np.asarray(game.user)[:, None], np.asarray(game.providers)], axis=1)
    small = np.int32 if largest_sum(game) < 2**29 else np.int64  # two impossible values, -2**30 each, still add up
    times = max(1, len(how.values))
    slack = how.tolerance * game.scale if how.quantal else np.zeros(len(game), small)
    return Rows(
        contributions=np.repeat(contributions.astype(small), times, axis=0),
        weights=np.repeat(np.asarray(game.weights).astype(np.int64), times, axis=0),
        available=np.repeat(np.asarray(game.available), times, axis=0),
        rationality=np.tile(np.array(how.values or (0.0,)), len(game)),
        tolerance=np.repeat(slack, times),
    )


def partition_fields(
    game: PersuasionGame,
    masks: np.ndarray,
    raw: dict[str, np.ndarray],
    how: Rationality,
    status: np.ndarray,
    labels: Callable[[np.ndarray], np.ndarray],
) -> dict[str, Any]:
    """Fields of a `PartitionResult` from what a kernel found; `labels` reads the partitions."""

    def value(key: str) -> np.ndarray:
        return raw[key] if how.quantal else raw[key].astype(np.int64)

    fields = {
        "committees": masks,
        "optimum_value": game.optimum_value,
        "worst_value": value("worst"),
        "best_value": value("best"),
        "equilibria": raw["count"].astype(np.int64),
        "worst_partition": labels(raw["worst_partition"]),
        "near_ties": raw["near_ties"].astype(np.int64),
        "status": status,
        "retries": np.zeros(len(game), np.int32),
        "tables": game,
    }
    if "dynamics" in raw:
        fields |= {"dynamics_value": value("dynamics"), "dynamics_partition": labels(raw["dynamics_partition"])}
        fields |= {"dynamics_steps": raw["dynamics_steps"].astype(np.int64)}
    return fields


def check_memory(states: int, needed: int) -> None:
    """Refuse games whose subset tables do not fit."""
    if needed > MAX_BYTES:
        raise ValueError(
            f"tables: expected a number of states whose subsets fit in {MAX_BYTES / 2**30:.0f} GiB, got {states}, "
            f"which need about {needed / 2**30:,.0f} GiB"
        )


def labels_of(sets: np.ndarray) -> np.ndarray:
    """`[..., X]` int8, restricted-growth labels, from the set that each state is in (state x is bit X - 1 - x)."""
    states = sets.shape[-1]
    lead = states - 1 - np.floor(np.log2(np.maximum(sets, 1))).astype(np.int64)  # the lowest state of the cell
    rank = np.cumsum(lead == np.arange(states), axis=-1) - 1
    return np.take_along_axis(rank, lead, axis=-1).astype(np.int8)


def with_grid(values: np.ndarray, how: Rationality) -> np.ndarray:
    """`[B R, ...]` to `[B, R, ...]` if there is a grid."""
    return values.reshape(-1, len(how.values), *values.shape[1:]) if how.grid else values


def committee_tuple(masks: Sequence[int] | np.ndarray) -> tuple[int, ...]:
    """Static committees of a compiled program."""
    return tuple(int(mask) for mask in masks)
