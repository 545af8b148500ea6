"""What all results share: utilities, which committees were solved, statuses, and how they are printed.

Letters: B tables or markets, R lambdas, C committees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int, Num
from rich.table import Table

from equilibrax._core.committees import committee_index
from equilibrax._core.status import SolveError, Status, status_names
from equilibrax._core.text import show_table
from equilibrax.games._labelled import Labelled, Summarized
from equilibrax.games._outcome import Of, Outcome, no_outcome

if TYPE_CHECKING:
    from equilibrax.games._game import Game
    from equilibrax.games._options import Rationality


@dataclass(frozen=True, kw_only=True)
class GameResult(Summarized):
    """What solving any game returns.

    Attributes:
        game: the game that was solved, with its options.
        status: `[B, ...]` int32, flags of `Status`; 0 is OK.
    """

    game: Game[Any]
    status: Int[np.ndarray, "..."]

    _unit = "table"
    made_by: ClassVar[str] = "eq.solve(what, game)"

    @property
    def problem(self) -> Any:
        """What was solved: tables, markets or games in normal form."""
        raise NotImplementedError

    @property
    def table_id(self) -> Int[np.ndarray, " B"]:
        """`[B]` int64, ids."""
        return np.asarray(self.problem.table_id)

    @property
    def solved(self) -> np.ndarray:
        """Which equilibria were found, in the shape of `status` (it has no FRONTIER_OVERFLOW)."""
        return self.status & int(Status.FRONTIER_OVERFLOW) == 0

    @property
    def status_names(self) -> np.ndarray:
        """Statuses as text, `OK` or flags joined by `|`, in the shape of `status`."""
        return status_names(self.status)

    @property
    def failures(self) -> int:
        """How many rows have a status that is no answer."""
        return int((self.status & ~int(self.game.answers) != 0).sum())

    def check_solved(self) -> None:
        """Refuse a result with a status that is no answer.

        Raises:
            SolveError: naming the first one.
        """
        bad = self.status & ~int(self.game.answers)
        if not bad.any():
            return
        where = tuple(np.argwhere(bad)[0].tolist())
        name = str(status_names(bad[where]).item())
        unsolved = int((bad != 0).reshape(len(bad), -1).any(axis=1).sum())
        raise SolveError(
            f"{unsolved} of {len(bad)} {self._unit}s are not solved; the first is {self._where(where)}: {name}. "
            f"Status.{name.split('|')[0]} says what to do; throw=False returns the others."
        )

    def _where(self, where: tuple[int, ...]) -> str:
        """A position in `status`, for people."""
        return f"{self._unit} {int(self.table_id[where[0]])}"

    def show(self, table: int = 0, *, width: int | None = None) -> None:
        """Print the results of one table (or market, or game) of the batch.

        Args:
            table: position in the batch.
            width: characters per line; default is the terminal's.
        """
        show_table(lambda decimals: self._table(table, decimals), width)

    def _table(self, table: int, decimals: int) -> Table:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class CommitteeResult(Labelled, GameResult):
    """What is found in a game, for every table (or market) and committee.

    Attributes:
        committees: `[C]` int32 bitmasks; bit j is provider j.
    """

    committees: Int[np.ndarray, " C"]

    # --- of the game

    @property
    def response(self) -> str:
        """How the user responds: "best" or "quantal"."""
        return "quantal" if self._rationality.quantal else "best"

    @property
    def rationality(self) -> float | tuple[float, ...] | None:
        """None for best response, else lambda or the tuple of lambdas."""
        how = self._rationality
        return how.values if how.grid else how.values[0] if how.values else None

    @property
    def rationalities(self) -> tuple[float | None, ...]:
        """The lambdas of the rows of a table: R of them, or one, which is None for best response."""
        return self._rationality.values or (None,)

    @property
    def tolerance(self) -> float:
        """A quantal utility is better if it is larger by more than this, pair by pair; 0 for best response."""
        return self._rationality.tolerance

    @property
    def tie_break(self) -> Any:
        """Who wins a user who is indifferent, in games that have such a rule, else None."""
        return getattr(self.game, "tie_break", None)

    @property
    def _rationality(self) -> Rationality:
        return self.game.how

    # --- numbers

    @property
    def scale(self) -> Int[np.ndarray, " B"]:
        """`[B]` int64, value per unit of expected utility."""
        return self.problem.scale

    def index(self, committee: int | str | Sequence[str]) -> int:
        """Position of a committee, given as a bitmask, by the names of its providers, or as in "Ann+Bob".

        Raises:
            ValueError: if a name is not a provider's, or that committee was not solved.
        """
        return committee_index(committee, self.committees, self.problem.provider_names())

    def _where(self, where: tuple[int, ...]) -> str:
        return f"{super()._where(where)}, committee {int(self.committees[where[-1]])}"

    # --- printing

    def _table(self, table: int, decimals: int) -> Table:
        numbers = {heading: values for heading, values in self._numbers().items() if values is not None}
        quantal, texts = self.response == "quantal", self._texts()
        shown = Table(title=self.problem.names()[table], caption=f"{self._caption()}; utilities are expectations")
        shown.add_column("committee", min_width=9)
        for heading in self._leading():
            shown.add_column(heading, min_width=4)
        for heading in (["lambda"] if quantal else []) + list(numbers):
            shown.add_column(heading, justify="right", no_wrap=True)
        for heading in texts:
            shown.add_column(heading, min_width=len(heading))
        shown.add_column("status", no_wrap=True)
        for names, at, of_status, rationality in self._lines(table):
            cells = [f"{rationality:g}"] if quantal else []
            cells += [_cell(values[at], bool(self.solved[at]), decimals) for values in numbers.values()]
            cells += [text(at) if self.solved[at] else "" for text in texts.values()]
            shown.add_row(*names, *cells, str(self.status_names[of_status]))
        return shown

    def _caption(self) -> str:
        said = [self.game.name, *([f"ties: {self.tie_break}"] if self.tie_break else [])]
        if hasattr(self.game, "response"):
            said.insert(1, f"{self.response} response")
        rules = getattr(self.game, "rules", None)
        if rules != getattr(type(self.game), "rules", None):  # providers may post more than usual
            said.insert(1, str(rules))
        if self.response == "quantal":
            said.append(f"tolerance {self.tolerance:g}")
        return ", ".join(said)

    def _leading(self) -> tuple[str, ...]:
        """Headings between the committee and the numbers."""
        return ()

    def _numbers(self) -> dict[str, np.ndarray | None]:
        """What is printed, by heading."""
        raise NotImplementedError

    def _texts(self) -> dict[str, Any]:
        """What is said besides: functions of a position in the arrays, by heading."""
        return {}

    def _lines(self, table: int) -> Any:
        """Of every line: names, position in the arrays, position in `status`, lambda."""
        for c, mask in enumerate(self.committees.tolist()):
            for r, rationality in enumerate(self.rationalities):
                at = (table, r, c) if self._rationality.grid else (table, c)
                yield [self.problem.committee_name(mask)], at, at, rationality

    @property
    def optimum(self) -> Float[np.ndarray, "..."]:
        """`[..., C]` the user's best attainable expected utility, OPT (2509.15090, Definition 2)."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Result(CommitteeResult):
    """Equilibria of a game, for every table (or market) and committee.

    Arrays are `[B, C]`, or `[B, R, C]` if users respond quantally with a list of R lambdas; "..." stands for either
    without C. Fields that end in `_value` are sums of contributions: exact int64 for best response, float64 for quantal
    response. The properties that end in `_utility` are the same as expected utilities, NaN where nothing was found.

    Attributes:
        game: the game that was solved, with its options.
        committees: `[C]` int32 bitmasks; bit j is provider j.
        worst_value, best_value: `[..., C]` the user's smallest and largest value in equilibrium.
        equilibria: `[..., C]` int64, number of equilibria.
        dynamics_value: `[..., C]` the user's value where best-response dynamics ends, or None.
        dynamics_steps: `[..., C]` int64, number of deviations, or None.
        status: `[..., C]` int32, flags of `Status`; 0 is OK.
    """

    worst_value: Num[np.ndarray, "..."]
    best_value: Num[np.ndarray, "..."]
    equilibria: Int[np.ndarray, "..."]
    dynamics_value: Num[np.ndarray, "..."] | None
    dynamics_steps: Int[np.ndarray, "..."] | None

    def outcome(self, of: Of) -> Outcome:
        """What is played in an equilibrium of every committee.

        Raises:
            ValueError: if the result does not name such an outcome.
        """
        raise no_outcome(of, f"in the {self.game.name} game")

    def _utility(self, values: np.ndarray, known: Any = None) -> np.ndarray:
        utilities = values / self.scale.reshape(-1, *[1] * (values.ndim - 1))
        known = self.solved if known is None else known
        return utilities if known.all() else np.where(known, utilities, np.nan)

    @property
    def worst_utility(self) -> Float[np.ndarray, "..."]:
        """`[..., C]` the user's smallest expected utility in any equilibrium."""
        return self._utility(self.worst_value)

    @property
    def best_utility(self) -> Float[np.ndarray, "..."]:
        """`[..., C]` the user's largest expected utility in any equilibrium."""
        return self._utility(self.best_value)

    @property
    def dynamics_utility(self) -> Float[np.ndarray, "..."] | None:
        """`[..., C]` the user's expected utility where best-response dynamics ends, or None if it was skipped."""
        return None if self.dynamics_value is None else self._utility(self.dynamics_value)

    def _numbers(self) -> dict[str, np.ndarray | None]:
        return {
            "optimum": self.optimum,
            "worst": self.worst_utility,
            "best": self.best_utility,
            "equilibria": self.equilibria,
            "dynamics": self.dynamics_utility,
            "steps": self.dynamics_steps,
        }


@dataclass(frozen=True, kw_only=True)
class TableResult(Result):
    """Equilibria of a game that is played over tables.

    Attributes:
        optimum_value: `[B]` int64, the user's best attainable value (2509.15090, Definition 2).
        retries: `[B]` int32, how often the table was solved again with more room.
        tables: what was solved.
    """

    optimum_value: Int[np.ndarray, " B"]
    retries: Int[np.ndarray, " B"]
    tables: Any = field(repr=False)

    @property
    def problem(self) -> Any:
        """The tables that were solved."""
        return self.tables

    @property
    def resolved(self) -> int:
        """How many numbers were solved again by HiGHS."""
        return 0

    @property
    def optimum_utility(self) -> Float[np.ndarray, " B"]:
        """`[B]` first-best expected utility, OPT (2509.15090, Definition 2)."""
        return self.optimum_value / self.scale

    @property
    def optimum(self) -> Float[np.ndarray, "..."]:
        """`[..., C]` first-best expected utility, the same for all committees of a table."""
        spread = self.optimum_value.reshape(-1, *[1] * (self.status.ndim - 1))
        return self._utility(np.broadcast_to(spread, self.status.shape))


def _cell(value: Any, solved: bool, decimals: int) -> str:
    """A number of a table: whole numbers as they are, others with so many decimals, nothing where there is none."""
    if isinstance(value, np.integer):
        return f"{value:,}" if solved or value >= 0 else ""
    return "" if np.isnan(value) else f"{value:.{decimals}f}"
