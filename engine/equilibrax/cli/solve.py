"""`equilibrax solve`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
import tyro
from rich.console import Console

from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.games import ReadingFlags, idle_reading
from equilibrax.cli.output import FORMAT_NAMES, check_output, given_committees, numbered_on, write_out
from equilibrax.cli.progress import doing
from equilibrax.games import Backend, Game, solve
from equilibrax.io.given import named_groups
from equilibrax.problems.tables import UtilityTables
from equilibrax.rows import join_rows, result_rows


@dataclass(frozen=True)
class Solve:
    """Solve your own tables, for every committee of providers.

    A table is a CSV file with one row per (state, action): columns `state`, `action`, `user`, then one column per
    provider, whose header is the provider's name. Optional columns: `prior`, a weight of any scale that is constant
    within a state (default: uniform), and `table`, to keep several tables, of any sizes, in one file. The same columns
    may be in a .csv.gz or .parquet file. Or an .npz file with the arrays user [B, X, A] and providers [B, K, X, A],
    optionally prior [B, X] and available [B, X, A]. Or a folder or zip file with ratings.csv and movies.csv of
    MovieLens: the table of Appendix D of the paper, with all digits.

    The result has one row per table and committee: the user's optimum, her worst and best utility in equilibrium, the
    number of equilibria, where best-response dynamics ends, the misalignment score and the bound of Theorem 6. In the
    other games it has no misalignment and bound, but the partition of the states that the worst equilibrium reveals.
    Names of tables, committees and providers are in the file too.

    Example: equilibrax solve market.csv
    Example: equilibrax solve market.csv --committees Ann+Bob Ann+Carl
    Example: equilibrax solve market.csv --game joint --rationality 1,10,inf
    Example: equilibrax solve market.csv --format csv > rows.csv
    Example: equilibrax solve ml-latest-small.zip --out movielens.parquet
    """

    tables: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="TABLE...")]
    """CSV or npz files, folders or zip files of MovieLens, or names of the paper's tables: synthetic-1, synthetic-2,
    movielens."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE")] = "-"
    """File to write: .parquet, .csv, .json, .xlsx, .md or .tex; or - to print a readable table."""
    format: Annotated[str | None, tyro.conf.arg(metavar=FORMAT_NAMES)] = None
    """Write rows in this format, whatever FILE is called; with --out - to standard output."""
    game: str = "selection"
    """The user takes one provider and follows it (selection) or checks what it says (obedient), hears all of them
    (joint), hears all of them, each of which plays as if it were alone (oblivious), or has one that wants what she
    wants (aligned). The flags below are of the game that is chosen."""
    committees: Annotated[tuple[str, ...], tyro.conf.arg(metavar="COMMITTEE ...")] = ()
    """Committees by the names of their providers, such as Ann+Bob (a name with a plus sign, or of digits, is in
    double quotes), or as bitmasks (bit j is the j-th provider column); none given means all of them."""
    resolution: int | None = None
    """Fixed-point steps per unit of utility; utilities are rounded to this grid once. Default: the smallest
    power of ten from 10,000 that represents them; for raw ratings 1,000,000,000, which rounds by at most 5e-10."""
    reading: Annotated[ReadingFlags, tyro.conf.arg(name="")] = field(default_factory=ReadingFlags)
    """How files are read."""
    strict: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Refuse tables with actions that exist in only some states; otherwise a line on stderr names them."""
    backend: Backend = "auto"
    """Loops on the cores of this machine (cpu), kernels that XLA compiles (xla), or what fits the machine."""
    plays: tuple[Game[Any], ...] = ()
    """The game with its options."""

    over: ClassVar[type[Any]] = UtilityTables

    def idle(self) -> Idle:
        return idle_reading(self.tables, "strict")

    def run(self, console: Console) -> int:
        if not self.tables:
            raise ValueError("TABLE: expected at least one CSV or npz file, got none")
        check_output(self.out, self.format)
        options = {**self.reading.options(), "strict": self.strict}
        doing(f"reading {', '.join(map(str, self.tables))}")
        files = [named_groups(path, self.resolution, **options) for path in self.tables]
        results: list[list[Any]] = [[] for _ in files]
        for i, groups in enumerate(files):
            for tables in groups:
                doing(f"solving {self.tables[i]}, {len(tables):,} table{'s' * (len(tables) > 1)}")
                results[i].append(self._solve(tables))
        doing("writing")
        if self.out == "-" and self.format is None:
            width = None if sys.stdout.isatty() else 200
            for groups in results:
                places = [(i, one, t) for one in groups for t, i in enumerate(one.table_id.tolist())]
                for _, one, table in sorted(places, key=lambda place: place[0]):
                    one.show(table, width=width)
        else:
            merged = numbered_on([_in_order([result_rows(one) for one in groups]) for groups in results])
            write_out(merged, self.out, self.format, console)
        unsolved = sum(one.failures for groups in results for one in groups)
        if unsolved:
            console.print(f"equilibrax: {unsolved} rows are not solved; their column `status` says why", markup=False)
        return 1 if unsolved else 0

    def _solve(self, tables: UtilityTables) -> Any:
        game: Any = self.plays[0] if self.plays else self.game
        committees = given_committees(self.committees, tables.provider_names())
        return solve(tables, game, committees=committees, backend=self.backend, throw=False)


def _in_order(parts: list[pa.Table]) -> pa.Table:
    """Rows of tables of different sizes in the order of their file."""
    rows = join_rows(parts)
    return rows if len(parts) == 1 else rows.take(np.argsort(rows["table_id"].to_numpy(), kind="stable"))
