"""What the games over partitions share: sizes of integers, grids of rationality, limits of memory, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from equilibrax._core.checks import check_choice
from equilibrax.problems.persuasion import PersuasionGame

Response = Literal["best", "quantal"]

MAX_BYTES = 8 << 30
"""Most memory that one table may need; more states than fit are refused."""


@dataclass(frozen=True)
class Rationality:
    """How the user responds: exactly best, or quantally with one lambda or several.

    Attributes:
        response: "best" or "quantal".
        values: `[R]` float64, the lambdas; empty for the best response.
        grid: whether results have an axis of R.
    """

    response: Response
    values: tuple[float, ...]
    grid: bool

    @property
    def quantal(self) -> bool:
        return self.response == "quantal"

    @property
    def each(self) -> tuple[Rationality, ...]:
        """One for every lambda, or the best response alone."""
        return tuple(Rationality(self.response, (value,), False) for value in self.values) or (self,)

    @property
    def given(self) -> float | tuple[float, ...] | None:
        """As in results: None, a number, or the grid."""
        return self.values if self.grid else self.values[0] if self.values else None


def check_response(response: Any, rationality: Any, tolerance: Any) -> tuple[Rationality, float]:
    """Refuse what is no response; the tolerance is a number."""
    check_choice("response", response, get_args(Response))
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float | np.number) or not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance: expected a finite number of at least 0, got {tolerance!r}")
    if response == "best":
        if rationality is not None:
            raise ValueError(f'rationality: expected none with response="best", got {rationality!r}')
        return Rationality("best", (), False), 0.0
    if rationality is None:
        raise ValueError('rationality: expected a number or a list of numbers with response="quantal", got none')
    try:
        values = np.asarray(rationality, np.float64)
    except (TypeError, ValueError):
        values = np.full((1, 1), np.nan)
    if values.ndim > 1 or values.size == 0 or not (values >= 0).all():
        raise ValueError(f"rationality: expected numbers of at least 0 (or inf), got {rationality!r}")
    return Rationality("quantal", tuple(values.reshape(-1).tolist()), values.ndim == 1), float(tolerance)


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


def rows_of(game: PersuasionGame, how: Rationality, tolerance: float) -> Rows:
    """All (table, lambda), tables first."""
    contributions = np.concatenate([np.asarray(game.user)[:, None], np.asarray(game.providers)], axis=1)
    bound = int(np.abs(contributions).max(axis=4).sum(axis=(2, 3)).max())
    small = np.int32 if bound < 2**29 else np.int64  # two impossible values, -2**30 each, still add up
    times = max(1, len(how.values))
    slack = tolerance * game.scale if how.quantal else np.zeros(len(game), small)
    return Rows(
        contributions=np.repeat(contributions.astype(small), times, axis=0),
        weights=np.repeat(np.asarray(game.weights).astype(np.int64), times, axis=0),
        available=np.repeat(np.asarray(game.available), times, axis=0),
        rationality=np.tile(np.array(how.values or (0.0,)), len(game)),
        tolerance=np.repeat(slack, times),
    )


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
