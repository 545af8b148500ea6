"""The user's utility in every game on the same tables, beside her optimum and the bounds.

What does competition buy her, what does hearing everybody buy, what does she lose if her responses are only quantal,
and what would oblivious providers cost? Each game is a line; it has the user's worst and best utility in equilibrium
when all providers are in the market. A monopolist's line covers every provider alone: the worst utility is that of the
worst provider, the best that of the best one.

Letters: B tables, G lines, K providers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int
from rich.padding import Padding

from equilibrax._core.checks import check_numbers, expect
from equilibrax._core.columns import declared
from equilibrax._core.text import Screen, show_table
from equilibrax.games import TOLERANCE, Backend, GameLine, Quantal
from equilibrax.io import as_problem
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables
from equilibrax.rows import batch_names, build_rows, status_words
from equilibrax.studies import _comparison_text as text
from equilibrax.studies._comparison_games import Collector

RATIONALITY = (1.0, 3.0, 10.0, 30.0, float("inf"))
"""The lambdas of quantal users, by default."""


@dataclass(frozen=True)
class Comparison:
    """The user's utility in G games on each of B tables.

    Utilities are expectations, and NaN where a table was not solved. "aligned" is the benchmark of a line: what the
    same user would get from one provider that wants what she wants (2509.15090, Definition 8).

    Attributes:
        lines: the G games.
        table_id: `[B]` int64.
        optimum: `[B]` first-best, OPT (Definition 2).
        worst, best: `[B, G]` her smallest and largest utility in equilibrium.
        equilibria: `[B, G]` int64, how many there are; -1 where there is no such number.
        aligned: `[B, G]` what she would get from an aligned provider, responding as in that line.
        bound: `[B, G]` what theory guarantees of `worst`, NaN where no theorem applies.
        bound_sources: G names of these guarantees, "" where there is none.
        efficiency_gap: `[B, G]` the most that some lottery over actions gives the user and all providers beyond the
            worst equilibrium (`equilibrax.efficiency`); of a monopolist's line the largest; NaN where a result names no
            outcome.
        status: `[B, G]` int32, flags of `Status`.
        left_out: pairs (name of a line, why it is not here).
        tables: what was compared.
    """

    lines: tuple[GameLine, ...]
    table_id: Int[np.ndarray, " B"]
    optimum: Float[np.ndarray, " B"]
    worst: Float[np.ndarray, "B G"]
    best: Float[np.ndarray, "B G"]
    equilibria: Int[np.ndarray, "B G"]
    aligned: Float[np.ndarray, "B G"]
    bound: Float[np.ndarray, "B G"]
    bound_sources: tuple[str, ...]
    efficiency_gap: Float[np.ndarray, "B G"]
    status: Int[np.ndarray, "B G"]
    left_out: tuple[tuple[str, str], ...]
    tables: UtilityTables | PersuasionGame = field(repr=False)

    def index(self, name: str) -> int:
        """Position of a line, by its name.

        Raises:
            ValueError: if there is no such line.
        """
        names = [line.name for line in self.lines]
        if name not in names:
            raise ValueError(f"name: expected one of {'; '.join(names)}, got {name!r}")
        return names.index(name)

    def answers(self) -> dict[str, Float[np.ndarray, " B"]]:
        """Differences of worst utilities that answer one question each, for every table.

        Only questions whose lines are there are asked. What competition buys is
        measured from the worst equilibrium of the worst provider alone, and from the best of the best one. Costs are
        measured from the joint game with best response; a cost can be negative.
        """
        worst = {line.name: self.worst[:, g] for g, line in enumerate(self.lines)}
        least = {line.name: self.best[:, g] for g, line in enumerate(self.lines) if line.game == "monopolist"}
        quantal = [line.name for line in self.lines if line.user == "quantal"]
        asked = [
            (
                "competition buys (over the worst one)",
                "selection, followed",
                worst.get("monopolist, followed"),
            ),
            (
                "competition buys (over the best one)",
                "selection, followed",
                least.get("monopolist, followed"),
            ),
            ("lotteries instead of schemes buy", "selection, lotteries", worst.get("selection, followed")),
            ("checking what she is told buys", "selection, checked", worst.get("selection, followed")),
            ("hearing everybody buys", "joint", worst.get("selection, checked")),
        ]
        found = {name: worst[line] - than for name, line, than in asked if line in worst and than is not None}
        lost = [
            ("oblivious partitions cost", "oblivious, partitions"),
            ("oblivious lotteries cost", "oblivious, lotteries"),
        ]
        lost = [(f"quantal response costs, {name.removeprefix('joint, ')}", name) for name in quantal] + lost
        return found | {name: worst["joint"] - worst[line] for name, line in lost if line in worst}

    def notes(self) -> tuple[str, ...]:
        """What a reader has to know: lines that are left out and why, and cells that nobody can post."""
        said = [f"Left out: {name}: {why}." for name, why in self.left_out]
        available = np.asarray(self.tables.available)
        if available.all():
            return tuple(said)
        if (available != available[:1]).any():
            return (*said, _CELLS)
        states = np.array(_state_names(self.tables))
        pools = {tuple(states[shared]) for shared in available[0].T if shared.sum() > 1}
        largest = [pool for pool in pools if not any(set(pool) < set(other) for other in pools)]
        listed = "; ".join(" + ".join(pool) for pool in sorted(largest))
        return (*said, f"{_CELLS} Here the largest cells are: {listed or 'single states'}.")

    def rows(self) -> pa.Table:
        """One row per table and line, for Parquet files; null where there is no number."""
        own = {
            "table_id": lambda found: found.table_id[:, None],
            "family": lambda found: batch_names(found.tables, 2),
            "optimum": lambda found: found.optimum[:, None],
            "worst_utility": lambda found: found.worst,
            "best_utility": lambda found: found.best,
            "benchmark": lambda found: found.aligned,
            "bound_source": lambda found: [name or None for name in found.bound_sources],
            "status": lambda found: status_words(found.status),
            "line": lambda found: [line.name for line in found.lines],
            "game": lambda found: [line.game for line in found.lines],
            "user": lambda found: [line.user for line in found.lines],
            "rationality": lambda found: np.array([line.rationality for line in found.lines], float),
            "rules": lambda found: [line.rules for line in found.lines],
        }
        return build_rows(declared("comparison"), self.worst.shape, (self, self.tables), own)

    def show(self, table: int | None = None, *, width: int | None = None) -> None:
        """Print a table: of one of the tables, or of medians over all of them.

        Args:
            table: position in the batch; None means medians, unless there is one table only.
            width: characters per line; default is the terminal's.

        Raises:
            ValueError: if `table` is no position.
        """
        screen = Screen(width=width)
        if table is None and len(self.table_id) > 1:
            for part in (text.distributions, text.answers):
                show_table(lambda _, part=part: part(self), width)
        else:
            position = table or 0
            if not 0 <= position < len(self.table_id):
                raise ValueError(f"table: expected a position below {len(self.table_id)}, got {table}")
            show_table(lambda _: text.one_table(self, position), width)
            for name, values in self.answers().items():
                screen.print(f"  {name:<38} {text.signed(values[position])}")
        for note in self.notes():
            screen.print(Padding(note, (0, 2)))

    @property
    def gap(self) -> Float[np.ndarray, "B G"]:
        """`[B, G]` worst utility minus optimum; 0 where every equilibrium is first-best."""
        return self.worst - self.optimum[:, None]

    @property
    def at_optimum(self) -> Float[np.ndarray, " G"]:
        """`[G]` the share of tables, among those solved, whose worst equilibrium is first-best (to 1e-9)."""
        solved = np.isfinite(self.gap)
        reached = np.where(solved, self.gap, -np.inf) >= -TOLERANCE
        return reached.sum(axis=0) / np.maximum(solved.sum(axis=0), 1)


_CELLS = (
    "Actions differ by state. In a cell the user can take only actions that all its states have, and nobody can post a "
    "cell without one; where few states share actions, providers must reveal much whether they want to or not."
)


def compare(
    tables: UtilityTables | PersuasionGame | Any,
    *,
    rationality: Sequence[float] = RATIONALITY,
    tolerance: float = TOLERANCE,
    backend: Backend = "auto",
    devices: Sequence[Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """The user's utility in every game with all providers, beside her optimum, an aligned provider and the bounds.

    The games are those of `solve`: one provider alone, whom she follows or whose word she checks; selection among all,
    followed (Section 7) or checked (Section 5); joint, in which she hears everybody, with best or quantal response
    (Definitions 7 and 12); oblivious providers with partitions and with randomized rules (Appendix B); and an aligned
    provider (Definition 8).

    Args:
        tables: B tables, or what these are read from, as in `solve`; or a `PersuasionGame`, which has no games in which
            the user follows.
        rationality: the lambdas of quantal users, one line each; may be empty.
        tolerance: quantal utilities that differ by no more are equal.
        backend: as in `solve`; "cpu" leaves games out that have no loops.
        devices: JAX devices to spread the tables over; default all local devices.
        progress: called before every game with the number of games that are solved, and of all.

    Returns:
        A `Comparison`. Games that cannot be played on such tables (obedience with more than 11 states, randomized
        oblivious rules where states share some of their actions) are named in `left_out`.

    Raises:
        ValueError: on an empty batch, a lambda that is no number of at least 0, or too many states for memory.

    Example:
        >>> import equilibrax as eq
        >>> found = eq.compare(eq.load_paper_table("synthetic-2"), rationality=[10])
        >>> {line.name: round(float(w), 3) for line, w in zip(found.lines, found.worst[0])}["joint"]
        0.827
        >>> found.answers()["oblivious partitions cost"].round(3).tolist()
        [-0.093]
    """
    tables = expect("tables", as_problem(tables), UtilityTables, PersuasionGame)
    lambdas: tuple[float, ...] = ()
    if rationality is not None:
        lambdas = tuple(np.atleast_1d(check_numbers("rationality", rationality, 0, infinite=True)).tolist())
    if lambdas:
        Quantal(lambdas, tolerance)
    return Comparison(**Collector(tables, lambdas, tolerance, backend, devices, progress).collect())


def _state_names(tables: UtilityTables | PersuasionGame) -> tuple[str, ...]:
    return tables.labels.states if tables.labels else tuple(str(x) for x in range(tables.states))
