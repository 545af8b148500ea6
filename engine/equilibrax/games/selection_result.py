"""What solving returns: integers inside, utilities outside, one row per (table, committee)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from rich.console import Console
from rich.table import Table

from equilibrax._core.column import Column
from equilibrax._core.columns import declared
from equilibrax._core.committees import committee_index
from equilibrax._core.status import Status, status_names
from equilibrax.fits.chebyshev import CertifiedFit
from equilibrax.problems.tables import UtilityTables


@dataclass(frozen=True)
class SelectionResult:
    """Equilibria of the selection game for B tables and C committees.

    Fields that end in `_value` are exact fixed-point integers; the properties `optimum`, `worst_utility`,
    `best_utility` and `dynamics_utility` are the same as expected utilities (float64). Where a table was not solved
    (`Status.FRONTIER_OVERFLOW`) utilities and misalignment are NaN; counts, steps, schemes and values are -1, except
    `optimum_value`, which is known.

    Attributes:
        committees: `[C]` int32 bitmasks; bit j is provider j in column order.
        table_id: `[B]` int64.
        scale: `[B]` int64, value per unit of expected utility.
        tie_break: the tie rule solved for.
        optimum_value: `[B]` int64, the user's best attainable value.
        worst_value, best_value: `[B, C]` int64, the user's smallest and largest value in equilibrium.
        equilibria: `[B, C]` int64, number of equilibrium schemes.
        worst_scheme: `[B, C, X]` int16, action per state; the lexicographically first worst equilibrium.
        dynamics_value: `[B, C]` int64, the user's value where best-response dynamics ends, or None.
        dynamics_scheme: `[B, C, X]` int16, or None.
        dynamics_steps: `[B, C]` int64, number of deviations, or None.
        fit: misalignment scores with certificates, or None.
        status: `[B, C]` int32, flags of `Status`; 0 is OK.
        retries: `[B]` int32, how often the table was solved again with more room.
        tables: the tables that were solved.
    """

    committees: Int[np.ndarray, " C"]
    table_id: Int[np.ndarray, " B"]
    scale: Int[np.ndarray, " B"]
    tie_break: str
    optimum_value: Int[np.ndarray, " B"]
    worst_value: Int[np.ndarray, "B C"]
    best_value: Int[np.ndarray, "B C"]
    equilibria: Int[np.ndarray, "B C"]
    worst_scheme: Int[np.ndarray, "B C X"]
    dynamics_value: Int[np.ndarray, "B C"] | None
    dynamics_scheme: Int[np.ndarray, "B C X"] | None
    dynamics_steps: Int[np.ndarray, "B C"] | None
    fit: CertifiedFit | None
    status: Int[np.ndarray, "B C"]
    retries: Int[np.ndarray, " B"]
    tables: UtilityTables = field(repr=False)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows, see `equilibrax.rows`."""
        return declared("committees")

    @property
    def solved(self) -> np.ndarray:
        """`[B, C]` bool, whether equilibria were found (the status has no FRONTIER_OVERFLOW)."""
        return self.status & int(Status.FRONTIER_OVERFLOW) == 0

    def _utility(self, values: np.ndarray) -> Float[np.ndarray, "B C"]:
        return np.where(self.solved, values / self.scale[:, None], np.nan)

    @property
    def optimum(self) -> Float[np.ndarray, "B C"]:
        """`[B, C]` the user's best attainable expected utility, OPT (the same for all committees of a table)."""
        return self._utility(np.broadcast_to(self.optimum_value[:, None], self.status.shape))

    @property
    def worst_utility(self) -> Float[np.ndarray, "B C"]:
        """`[B, C]` the user's smallest expected utility in any equilibrium."""
        return self._utility(self.worst_value)

    @property
    def best_utility(self) -> Float[np.ndarray, "B C"]:
        """`[B, C]` the user's largest expected utility in any equilibrium."""
        return self._utility(self.best_value)

    @property
    def dynamics_utility(self) -> Float[np.ndarray, "B C"] | None:
        """`[B, C]` the user's expected utility where best-response dynamics ends, or None if it was skipped."""
        return None if self.dynamics_value is None else self._utility(self.dynamics_value)

    @property
    def misalignment(self) -> Float[np.ndarray, "B C"] | None:
        """`[B, C]` misalignment score eps in utility units (2509.15090, Remark 5), or None if it was skipped."""
        return None if self.fit is None else self.fit.misalignment

    @property
    def bound(self) -> Float[np.ndarray, "B C"] | None:
        """`[B, C]` Theorem 6's guarantee `optimum - 2 eps` for the worst utility, or None without misalignment."""
        return None if self.fit is None else self.optimum - 2 * self.fit.misalignment

    @property
    def status_names(self) -> np.ndarray:
        """`[B, C]` statuses as text, `OK` or flags joined by `|`."""
        return status_names(self.status)

    def index(self, committee: int | Sequence[str]) -> int:
        """Column of a committee, given as a bitmask or by the names of its providers.

        Raises:
            ValueError: if a name is not a provider's, or that committee was not solved.
        """
        return committee_index(committee, self.committees, self.tables.provider_names())

    def show(self, table: int = 0, *, width: int | None = None) -> None:
        """Print the results of one table of the batch, a line per committee.

        Args:
            table: position in the batch.
            width: characters per line; default is the terminal's.
        """
        console = Console(highlight=False, width=width)
        names = self.tables.names()
        shown = Table(title=names[table], caption=f"ties: {self.tie_break}; utilities are expectations")
        shown.add_column("committee")
        numbers = {
            "optimum": self.optimum,
            "worst": self.worst_utility,
            "best": self.best_utility,
            "equilibria": self.equilibria,
            "dynamics": self.dynamics_utility,
            "steps": self.dynamics_steps,
            "misalignment": self.misalignment,
            "bound": self.bound,
        }
        given = {heading: values for heading, values in numbers.items() if values is not None}
        for heading in given:
            shown.add_column(heading, justify="right", no_wrap=True)
        shown.add_column("status")
        for c, mask in enumerate(self.committees.tolist()):
            cells = [_cell(values[table, c]) if self.solved[table, c] else "" for values in given.values()]
            shown.add_row(self.tables.committee_name(mask), *cells, str(self.status_names[table, c]))
        console.print(shown)


def _cell(value: np.generic) -> str:
    return f"{value:,}" if isinstance(value, np.integer) else f"{value:.6f}"
