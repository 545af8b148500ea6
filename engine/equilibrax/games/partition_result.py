"""What solving a game over partitions returns: one row per (table, committee), or (table, lambda, committee)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, Num
from rich.console import Console
from rich.table import Table

from equilibrax._core.committees import committee_index
from equilibrax._core.status import Status, status_names
from equilibrax.games.selection_result import _cell
from equilibrax.problems.persuasion import PersuasionGame


@dataclass(frozen=True)
class PartitionResult:
    """Equilibria of a game over partitions of the states, for B tables and C committees.

    Arrays are `[B, C]`, or `[B, R, C]` if `rationality` was a list of R values; "..." stands for either without C. A
    partition is written as labels of the states: state 0 has label 0, a new cell the smallest unused label.

    Fields that end in `_value` are sums of contributions: exact int64 for best response, float64 for quantal response.
    The properties that end in `_utility` are the same as expected utilities. Where a table was not solved
    (`Status.FRONTIER_OVERFLOW`) utilities are NaN; counts, steps and labels are -1.

    Attributes:
        game: "joint", "selection", "aligned" or "oblivious".
        response: "best" or "quantal".
        rationality: None for best response, else lambda or the tuple of lambdas.
        tolerance: a quantal value (in units of utility) is better than another if it is larger by more than this, pair
            by pair, so that nothing chains; 0 for best response.
        tie_break: the tie rule of the selection game, None in others.
        committees: `[C]` int32 bitmasks; bit j is provider j.
        table_id: `[B]` int64.
        scale: `[B]` int64, value per unit of expected utility.
        optimum_value: `[B]` int64, first-best: the user knows her signal and the state (2509.15090, Definition 2).
        worst_value, best_value: `[..., C]` the user's smallest and largest value in equilibrium.
        equilibria: `[..., C]` int64, number of equilibrium partitions; in the oblivious game, number of profiles of
            optimal partitions, and for randomized rules 1 or, if there are infinitely many, -1.
        worst_partition: `[..., C, X]` int8; of the worst, the one whose tuple of cells (bitmasks, ordered by lowest
            state) is lexicographically smallest. In the oblivious game, the common refinement of what the providers
            post; -1 for randomized rules.
        near_ties: int64, how many comparisons ties, or the tolerance, decide. In the joint and the aligned game
            `[..., K]`, for each provider the cells of two states or more that are worth the same to it as their best
            split, up to the tolerance. In the selection game `[..., K + 1]`, for each player, the user first, the
            partitions that are worth no more than the tolerance above the next lower one. None in the oblivious game.
        dynamics_value: `[..., C]` the user's value where best-response dynamics ends, or None.
        dynamics_partition: `[..., C, X]` int8, or None.
        dynamics_steps: `[..., C]` int64, number of moves, or None.
        status: `[..., C]` int32, flags of `Status`; 0 is OK.
        retries: `[B]` int32, how often the table was solved again with more room.
        tables: the games that were solved.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.load_paper_table("synthetic-2"), "joint")
        >>> result.worst_partition[0, result.index(31)].tolist(), float(result.worst_utility[0, -1].round(4))
        ([0, 1, 1], 0.8267)
    """

    game: str
    response: str
    rationality: float | tuple[float, ...] | None
    tolerance: float
    tie_break: str | None
    committees: Int[np.ndarray, " C"]
    table_id: Int[np.ndarray, " B"]
    scale: Int[np.ndarray, " B"]
    optimum_value: Int[np.ndarray, " B"]
    worst_value: Num[np.ndarray, "... C"]
    best_value: Num[np.ndarray, "... C"]
    equilibria: Int[np.ndarray, "... C"]
    worst_partition: Int[np.ndarray, "... C X"]
    near_ties: Int[np.ndarray, "... K"] | None
    dynamics_value: Num[np.ndarray, "... C"] | None
    dynamics_partition: Int[np.ndarray, "... C X"] | None
    dynamics_steps: Int[np.ndarray, "... C"] | None
    status: Int[np.ndarray, "... C"]
    retries: Int[np.ndarray, " B"]
    tables: PersuasionGame = field(repr=False)

    @property
    def solved(self) -> np.ndarray:
        """`[..., C]` bool, whether equilibria were found (the status has no FRONTIER_OVERFLOW)."""
        return self.status & int(Status.FRONTIER_OVERFLOW) == 0

    def _utility(self, values: np.ndarray) -> Float[np.ndarray, "... C"]:
        scale = self.scale.reshape(-1, *[1] * (self.status.ndim - 1))
        return np.where(self.solved, values / scale, np.nan)

    @property
    def optimum_utility(self) -> Float[np.ndarray, " B"]:
        """`[B]` first-best expected utility, OPT (2509.15090, Definition 2)."""
        return self.optimum_value / self.scale

    @property
    def optimum(self) -> Float[np.ndarray, "... C"]:
        """`[..., C]` first-best expected utility, the same for all committees of a table."""
        spread = self.optimum_value.reshape(-1, *[1] * (self.status.ndim - 1))
        return self._utility(np.broadcast_to(spread, self.status.shape))

    @property
    def worst_utility(self) -> Float[np.ndarray, "... C"]:
        """`[..., C]` the user's smallest expected utility in any equilibrium."""
        return self._utility(self.worst_value)

    @property
    def best_utility(self) -> Float[np.ndarray, "... C"]:
        """`[..., C]` the user's largest expected utility in any equilibrium."""
        return self._utility(self.best_value)

    @property
    def dynamics_utility(self) -> Float[np.ndarray, "... C"] | None:
        """`[..., C]` the user's expected utility where best-response dynamics ends, or None if it was skipped."""
        return None if self.dynamics_value is None else self._utility(self.dynamics_value)

    @property
    def status_names(self) -> np.ndarray:
        """`[..., C]` statuses as text, `OK` or flags joined by `|`."""
        return status_names(self.status)

    @property
    def rationalities(self) -> tuple[float | None, ...]:
        """The lambdas of the rows of a table: R of them, or one, which is None for best response."""
        return self.rationality if isinstance(self.rationality, tuple) else (self.rationality,)

    def index(self, committee: int | Sequence[str]) -> int:
        """Position of a committee, given as a bitmask or by the names of its providers.

        Raises:
            ValueError: if a name is not a provider's, or that committee was not solved.
        """
        return committee_index(committee, self.committees, self.tables.provider_names())

    def show(self, table: int = 0, *, width: int | None = None) -> None:
        """Print the results of one table of the batch, a line per committee (and lambda).

        Args:
            table: position in the batch.
            width: characters per line; default is the terminal's.
        """
        caption = f"{self.game}, {self.response} response" + (f", ties: {self.tie_break}" if self.tie_break else "")
        caption += f", tolerance {self.tolerance:g}" if self.response == "quantal" else ""
        shown = Table(title=self.tables.names()[table], caption=f"{caption}; utilities are expectations")
        shown.add_column("committee", min_width=9)
        numbers = {
            "optimum": self.optimum,
            "worst": self.worst_utility,
            "best": self.best_utility,
            "equilibria": self.equilibria,
            "dynamics": self.dynamics_utility,
            "steps": self.dynamics_steps,
        }
        given = {heading: values for heading, values in numbers.items() if values is not None}
        quantal = self.response == "quantal"
        for heading in (["lambda"] if quantal else []) + list(given):
            shown.add_column(heading, justify="right", no_wrap=True)
        shown.add_column("worst partition", min_width=9)
        shown.add_column("status", no_wrap=True)
        for c, mask in enumerate(self.committees.tolist()):
            for r, rationality in enumerate(self.rationalities):
                at = (table, r, c) if isinstance(self.rationality, tuple) else (table, c)
                cells = [f"{rationality:g}"] if quantal else []
                cells += [_cell(values[at]) if self.solved[at] else "" for values in given.values()]
                cells.append(self.partition_text(self.worst_partition[at]) if self.solved[at] else "")
                shown.add_row(self.tables.committee_name(mask), *cells, str(self.status_names[at]))
        Console(highlight=False, width=width).print(shown)

    def partition_text(self, labels: np.ndarray) -> str:
        """A partition (`[X]` labels) by the names of the states, such as `good bad | ugly`; empty if there is none."""
        names, labels = self.tables.state_names(), np.asarray(labels).tolist()
        if min(labels) < 0:
            return ""
        return " | ".join(
            " ".join(n for n, own in zip(names, labels) if own == label) for label in range(max(labels) + 1)
        )
