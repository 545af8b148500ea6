"""What solving markets of information returns: one row per (problem, depth)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int
from rich.table import Table

from equilibrax.games._result import GameResult
from equilibrax.problems.decision_problem import DecisionProblem

if TYPE_CHECKING:
    from equilibrax.games.information.market import InformationMarket


@dataclass(frozen=True, kw_only=True)
class InformationMarketResult(GameResult):
    """What comes of markets of all depths from 0, which shows nothing, to D, for B decision problems.

    Where a status says that sellers' choices do not settle, utilities and prices are NaN, `shown` is -1 and nobody is
    said to be harmed.

    Letters: B problems, D the largest depth, W states, J sellers.

    Attributes:
        game: the market that was solved, with its options.
        value: `[B, D + 1]` int64, weight times utility of the final act, summed over states: exact.
        first_best_value: `[B]` int64, the same with all items known.
        shown: `[B, D + 1, W]` int32, the items that the buyer knows at the end in every state, as a bitmask.
        price_value, price_weight: `[B, D + 1, W]` int64, the price of the first item that is shown, as an exact ratio
            in steps of the resolution; 0 and 1 where none is shown.
        revenue: `[B, D + 1, J]` float64, the sum of all prices that a seller is paid on the way, in expectation.
        rounds: `[B]` int64, how often sellers chose again for a Bayesian buyer.
        status: `[B, D + 1]` int32, flags of `Status`; 0 is OK.
        problems: what was solved.

    Example:
        >>> import equilibrax as eq
        >>> umbrella = eq.DecisionProblem.from_arrays([3, 1], [[1, 0], [0, 0.5]], items=[["dry", "wet"]])
        >>> result = eq.solve(umbrella, eq.InformationMarket())
        >>> result.utility.tolist(), result.first_best.tolist(), result.revenue.tolist()
        ([[0.75, 0.875]], [0.875], [[[0.0], [0.125]]])
        >>> result.shown.tolist(), result.price.tolist()
        ([[[0, 0], [0, 1]]], [[[0.0, 0.0], [0.0, 0.5]]])
    """

    game: InformationMarket
    value: Int[np.ndarray, "B D1"]
    first_best_value: Int[np.ndarray, " B"]
    shown: Int[np.ndarray, "B D1 W"]
    price_value: Int[np.ndarray, "B D1 W"]
    price_weight: Int[np.ndarray, "B D1 W"]
    revenue: Float[np.ndarray, "B D1 J"]
    rounds: Int[np.ndarray, " B"]
    status: Int[np.ndarray, "B D1"]
    problems: DecisionProblem = field(repr=False)

    _unit = "problem"

    @property
    def problem(self) -> DecisionProblem:
        """The problems that were solved."""
        return self.problems

    @property
    def table_id(self) -> np.ndarray:
        """`[B]` int64, the problems' ids."""
        return np.asarray(self.problems.problem_id)

    @property
    def scale(self) -> Int[np.ndarray, " B"]:
        """`[B]` int64, value per unit of expected utility."""
        return self.problems.scale

    @property
    def depth(self) -> Int[np.ndarray, " D1"]:
        """`[D + 1]` int64, the depths."""
        return np.arange(self.value.shape[1])

    @property
    def solved(self) -> Bool[np.ndarray, "B D1"]:
        """`[B, D + 1]` bool, whether sellers' choices settled."""
        return self.status == 0

    @property
    def utility(self) -> Float[np.ndarray, "B D1"]:
        """`[B, D + 1]` the buyer's expected utility of her final act, payments apart."""
        return np.where(self.solved, self.value / self.scale[:, None], np.nan)

    @property
    def first_best(self) -> Float[np.ndarray, " B"]:
        """`[B]` her expected utility if she knows all items."""
        return self.first_best_value / self.scale

    @property
    def optimum(self) -> Float[np.ndarray, "B D1"]:
        """`[B, D + 1]` the same in the shape of the result."""
        return np.broadcast_to(self.first_best[:, None], self.value.shape)

    @property
    def harmed(self) -> Bool[np.ndarray, "B D1"]:
        """`[B, D + 1]` bool, whether she decides worse than with no information at all, payments apart. Exact."""
        return self.solved & (self.value < self.value[:, :1])

    @property
    def reaches_first_best(self) -> Bool[np.ndarray, "B D1"]:
        """`[B, D + 1]` bool, whether she decides as well as with all items. Exact."""
        return self.solved & (self.value == self.first_best_value[:, None])

    @property
    def price(self) -> Float[np.ndarray, "B D1 W"]:
        """`[B, D + 1, W]` the price of the first item that is shown, before costs; 0 where none is."""
        steps = self.price_weight * self.problems.resolution
        return np.where(self.solved[..., None], self.price_value / steps, np.nan)

    @property
    def payments(self) -> Float[np.ndarray, "B D1"]:
        """`[B, D + 1]` all that the buyer pays, in expectation."""
        return self.revenue.sum(axis=2)

    # --- printing

    def _where(self, where: tuple[int, ...]) -> str:
        return f"{super()._where(where)}, depth {where[1]}"

    def _table(self, table: int, decimals: int) -> Table:
        names = self.problems.provider_names()
        shown = Table(
            title=self.problems.names()[table],
            caption=f"{self.game.mechanism}, {self.game.buyer.replace('_', ' ')} buyer; utilities are expectations, "
            f"first best {self.first_best[table]:.{decimals}f}",
        )
        for heading in ("depth", "utility", *(f"to {name}" for name in names)):
            shown.add_column(heading, justify="right", no_wrap=True)
        shown.add_column("what is shown", min_width=13)
        shown.add_column("status", no_wrap=True)
        for d in range(self.value.shape[1]):
            numbers = [self.utility[table, d], *self.revenue[table, d]]
            cells = ["" if np.isnan(number) else f"{number:.{decimals}f}" for number in numbers]
            harmed = " (harmed)" if self.harmed[table, d] else ""
            shown.add_row(str(d), *cells, self._said(table, d) + harmed, str(self.status_names[table, d]))
        return shown

    def _said(self, table: int, depth: int) -> str:
        """Which items are known at the end, by state: `rain: radar, nose; sun: nothing`."""
        states, items = self.problems.state_names(), self.problems.item_names()
        by_items: dict[int, list[str]] = {}
        for state, mask in zip(states, self.shown[table, depth].tolist()):
            by_items.setdefault(mask, []).append(state)
        if -1 in by_items:
            return ""
        said = []
        for mask, where in by_items.items():
            known = ", ".join(item for m, item in enumerate(items) if mask >> m & 1) or "nothing"
            said.append(known if len(by_items) == 1 else f"{', '.join(where)}: {known}")
        return "; ".join(said)
