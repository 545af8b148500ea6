"""`equilibrax compare`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import tyro
from rich.console import Console

from equilibrax.cli._folders import check_new
from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.flags.texts import parse_parameters, parse_rationality
from equilibrax.cli.games import FileFlags, LookFlags, columns_or_count, idle_reading
from equilibrax.cli.output import check_output, numbered_on, write_out
from equilibrax.cli.progress import doing, say_games
from equilibrax.games import TOLERANCE, Backend
from equilibrax.io.given import RESOLUTION, named_tables
from equilibrax.problems.random_tables import sample_tables
from equilibrax.problems.tables import UtilityTables
from equilibrax.studies.comparison import compare


@dataclass(frozen=True)
class Compare:
    """Compare the user's utility in every game, for your tables or random ones.

    One line per game, with all providers in the market: the user's worst and best utility in equilibrium, beside her
    optimum, what a provider that wants what she wants would give her, and what theory guarantees.

    monopolist: one provider alone, from the worst to the best. selection: she takes one provider. In both she follows
    what she is told, or checks it: providers then choose what to reveal, and she responds. joint: she hears all of
    them, and responds best or, with λ, quantally. oblivious: she hears all of them, each of which plays as if it were
    alone, with partitions of the states or with lotteries. aligned: a provider with her own utility.

    Tables are CSV or npz files as for `equilibrax solve`, or names of the paper's tables. With --family, random tables
    are drawn instead, and utilities are shown as distributions.

    Example: equilibrax compare movielens
    Example: equilibrax compare market.csv --figure games.png
    Example: equilibrax compare --family uniform --tables 1000 --figure uniform.png
    """

    tables_given: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="TABLE...")] = ()
    """CSV or npz files, folders or zip files of MovieLens, or names of the paper's tables: synthetic-1, synthetic-2,
    movielens."""
    family: Annotated[str, tyro.conf.arg(metavar="NAME")] = ""
    """Family of random tables, instead of TABLE; `equilibrax families tables` describes them."""
    tables: int = 1000
    """Number of random tables."""
    states: int = 3
    """Number of states of random tables."""
    actions: int = 3
    """Number of actions of random tables."""
    providers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NUMBER|COLUMN ...")] = ()
    """Number of providers of random tables, by default 5; or the columns of files that are the providers, in this
    order, by default all that have no other meaning."""
    seed: int = 0
    """Seed of the random tables."""
    parameter: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=NUMBER ...")] = ()
    """Parameters of the family, as NAME=NUMBER."""
    rationality: Annotated[str, tyro.conf.arg(metavar="NUMBER,...")] = "1,3,10,30,inf"
    """The lambdas of quantal users, joined by commas; inf is one, and an empty text means none."""
    tolerance: float = TOLERANCE
    """Utilities under quantal response that differ by no more are equal."""
    resolution: int | None = None
    """Fixed-point steps per unit of utility; utilities are rounded to this grid once. Default: the smallest power of
    ten from 10,000 that represents them; for raw ratings 1,000,000,000, which rounds by at most 5e-10."""
    reading: Annotated[FileFlags, tyro.conf.arg(name="")] = field(default_factory=FileFlags)
    """How files are read."""
    strict: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Refuse tables with actions that exist in only some states; otherwise a line on stderr names them."""
    backend: Backend = "auto"
    """Loops on the cores of this machine (cpu), kernels that XLA compiles (xla), or, for every game, what fits."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """File to write, a row per table and game: .parquet, .csv, .json, .xlsx, .md or .tex."""
    figure: Annotated[Path | None, tyro.conf.arg(metavar="FILE.{png,svg,pdf}")] = None
    """Figure to draw."""
    look: Annotated[LookFlags, tyro.conf.arg(name="")] = field(default_factory=LookFlags)
    """How figures look."""

    called: ClassVar[dict[str, str]] = {"count": "tables"}

    def idle(self) -> Idle:
        if self.family:
            yield ("reading", "strict"), "for files"
        else:
            yield ("tables", "states", "actions", "seed", "parameter"), "beside --family"
            yield from idle_reading(self.tables_given, "strict")
        if not self.rationality:
            yield ("tolerance",), "beside --rationality"
        if not self.figure:
            yield ("look",), "beside --figure"

    def run(self, console: Console) -> int:
        if self.out is not None:
            check_output(str(self.out), None)
        self.look.check(self.figure)
        check_new("--figure", [self.figure])
        if bool(self.tables_given) == bool(self.family):
            got = "both" if self.family else "neither"
            raise ValueError(f"TABLE: expected files or names of tables, or --family for random ones, got {got}")
        rationality = parse_rationality(self.rationality)
        columns, count = columns_or_count(self.providers, bool(self.family), 5)
        options = {**self.reading.options(), "providers": columns, "strict": self.strict}
        if self.family:
            batches = [self._drawn(count)]
        else:
            batches = [named_tables(table, self.resolution, **options) for table in self.tables_given]
        how = {"rationality": rationality, "tolerance": self.tolerance, "backend": self.backend}
        found = []
        for i, tables in enumerate(batches):
            which = f"{tables.names()[0]}, {i + 1} of {len(batches)}" if len(batches) > 1 else tables.names()[0]
            found.append(compare(tables, **how, progress=partial(say_games, which)))
        doing("writing")
        width = None if sys.stdout.isatty() else 120
        for one in found:
            if self.family:
                one.show(width=width)
            else:
                for table in range(len(one.table_id)):
                    one.show(table, width=width)
        if self.out is not None:
            rows = _merged([one.rows() for one in found])
            write_out(rows, str(self.out), None, console)
        if self.figure is not None:
            from equilibrax.figures.comparison import comparison_figure

            with self.look.printed():
                comparison_figure(found, self.figure)
            console.print(f"figure drawn to {self.figure}", markup=False)
        unsolved = sum(int((one.status != 0).sum()) for one in found)
        if unsolved:
            console.print(f"equilibrax: {unsolved} games are not solved; their column `status` says why", markup=False)
        return 1 if unsolved else 0

    def _drawn(self, providers: int) -> UtilityTables:
        resolution = RESOLUTION if self.resolution is None else self.resolution
        parameters: dict[str, Any] = dict(parse_parameters(self.parameter))
        parameters |= {"states": self.states, "actions": self.actions, "providers": providers}
        return sample_tables(self.family, self.tables, seed=self.seed, resolution=resolution, **parameters)


def _merged(parts: list[pa.Table]) -> pa.Table:
    return numbered_on(parts) if len(parts) > 1 else parts[0]
