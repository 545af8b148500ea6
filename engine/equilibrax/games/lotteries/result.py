"""What solving the selection game with lotteries returns: all utilities that the user can have in equilibrium."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from equilibrax._core.column import Column
from equilibrax._core.columns import declared
from equilibrax.games.selection_result import SelectionResult


@dataclass(frozen=True, kw_only=True)
class LotteryResult(SelectionResult):
    """Equilibria of the selection game with lotteries; see `SelectionResult` for what both have.

    What the user can have in equilibrium is a union of closed intervals, whose ends are values of schemes and so exact
    integers; an interval may be a single point. One of the worst equilibria is a scheme: `worst_scheme`.

    Attributes:
        equilibria: `[B, C]` int64, 1 where there is one equilibrium only; else -1, and they are as a rule uncountably
            many.
        interval_count: `[B, C]` int32, of how many disjoint intervals the union is.
        interval_values: `[N, 2]` int64, their ends, from below, for all tables and committees in order.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.from_integers([[0, 1, 0]], [[[0, 0, 1]], [[1, 0, 0]]], resolution=1)
        >>> lotteries = eq.solve(tables, eq.Selection(rules="lotteries"))
        >>> eq.solve(tables).worst_utility.tolist(), lotteries.worst_utility.tolist()
        ([[0.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])
        >>> lotteries.intervals(0, 0b11), lotteries.worst_rule[0, 2].tolist()
        ([(1.0, 1.0)], [[0.0, 1.0, 0.0]])
    """

    interval_count: Int[np.ndarray, "B C"]
    interval_values: Int[np.ndarray, "N 2"]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows, see `equilibrax.rows`."""
        return declared("committees", "lotteries")

    @cached_property
    def _first(self) -> Int[np.ndarray, " B_C"]:
        """Where the intervals of each table and committee begin, and where the last ones end."""
        return np.concatenate([[0], np.cumsum(self.interval_count)])

    @property
    def interval_utilities(self) -> Float[np.ndarray, "N 2"]:
        """`[N, 2]` the intervals as expected utilities."""
        return self.interval_values / np.repeat(self.scale, self.interval_count.sum(axis=1))[:, None]

    def intervals(self, table: int, committee: int | Sequence[str]) -> list[tuple[float, float]]:
        """The user's expected utilities in all equilibria, as disjoint closed intervals from below.

        Args:
            table: position in the batch.
            committee: bitmask, or the names of its providers.

        Raises:
            ValueError: if that committee was not solved, or there is no such table.
        """
        if not 0 <= table < len(self.status):
            raise ValueError(f"table: expected a position below {len(self.status)}, got {table}")
        return self._intervals_at((table, self.index(committee)))

    def _intervals_at(self, at: tuple[int, int]) -> list[tuple[float, float]]:
        place = at[0] * len(self.committees) + at[1]
        ends = self.interval_values[self._first[place] : self._first[place + 1]] / self.scale[at[0]]
        return [(low, high) for low, high in ends.tolist()]

    @property
    def worst_rule(self) -> Float[np.ndarray, "B C X A"]:
        """`[B, C, X, A]` probabilities of the actions in a worst equilibrium: 0 and 1, since it is a scheme."""
        return (self.worst_scheme[..., None] == np.arange(self.tables.actions)).astype(np.float64)

    def _numbers(self) -> dict[str, np.ndarray | None]:
        return super()._numbers() | {"equilibria": None}

    def _texts(self) -> dict[str, Any]:
        return {"utilities in equilibrium": self._text_at}

    def _text_at(self, at: tuple[int, int]) -> str:
        return ", ".join(f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in self._intervals_at(at))
