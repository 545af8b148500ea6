"""`equilibrax information`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro
from rich.console import Console

from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.games import FileFlags, LookFlags
from equilibrax.cli.market import check_outputs
from equilibrax.cli.output import FORMAT_NAMES, write_out
from equilibrax.games import Game, InformationMarket, solve
from equilibrax.io.decision_problems import read_problems
from equilibrax.problems.decision_problem import DecisionProblem
from equilibrax.rows.information import depth_rows


@dataclass(frozen=True)
class Information:
    """Solve markets of information for decision problems of your own, at every depth.

    A problem is a CSV file with one row per (state, act): columns `state`, `act`, `utility`, and `says:ITEM` for every
    item of information, what it says in this state. Optional: `prior`, `cost:ITEM`, what showing it costs its seller,
    `owner:ITEM`, who that is, `stake:SELLER`, what the act is worth to a seller, and `problem`, to keep several in one
    file. The same columns may be in a .csv.gz or .parquet file.

    Prints for every depth the buyer's expected utility (depth 0 is no information), what sellers are paid, and which
    items she knows in the end. A buyer who decides worse than with no information is harmed.

    Example: equilibrax information weather.csv
    Example: equilibrax information weather.csv --buyer bayesian --rounds fixed_point --out weather.parquet
    Example: equilibrax information weather.csv --mechanism naive
    """

    problem: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PROBLEM")]
    """A CSV or Parquet file."""
    game: str = InformationMarket.name
    """What is solved."""
    resolution: int | None = None
    """Fixed-point steps per unit of utility; default represents the numbers of the file."""
    reading: Annotated[FileFlags, tyro.conf.arg(name="")] = field(default_factory=FileFlags)
    """How files are read."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE")] = "-"
    """File to write, a row per problem and depth: .parquet, .csv, .json, .xlsx, .md or .tex; or - for none."""
    format: Annotated[str | None, tyro.conf.arg(metavar=FORMAT_NAMES)] = None
    """Write rows in this format, whatever FILE is called; with --out - to standard output, instead of tables."""
    figure: Annotated[Path | None, tyro.conf.arg(metavar="FILE.{png,svg,pdf}")] = None
    """Figure to draw: the buyer's utility against the depth of the market."""
    look: Annotated[LookFlags, tyro.conf.arg(name="")] = field(default_factory=LookFlags)
    """How figures look."""
    plays: tuple[Game[Any], ...] = ()
    """The market with its options."""

    over: ClassVar[type[Any]] = DecisionProblem

    def idle(self) -> Idle:
        return [] if self.figure else [(("look",), "beside --figure")]

    def run(self, console: Console) -> int:
        check_outputs(self.out, self.figure, self.format)
        self.look.check(self.figure)
        problems = read_problems(self.problem, resolution=self.resolution, **self.reading.options())
        result = solve(problems, self.plays[0], throw=False)
        for b in range(len(problems)) if self.out != "-" or self.format is None else ():
            result.show(b, width=None if sys.stdout.isatty() else 140)
        rows = depth_rows(result)
        write_out(rows, self.out, self.format, console)
        if self.figure is not None:
            from equilibrax.figures.information import depth_figure

            with self.look.printed():
                depth_figure(rows, self.figure)
            console.print(f"figure drawn to {self.figure}", markup=False)
        if result.failures:
            console.print(f"equilibrax: {result.failures} depths are not solved; `status` says why", markup=False)
        return 1 if result.failures else 0
