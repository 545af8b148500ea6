"""`equilibrax market`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro
from rich.console import Console

from equilibrax.cli._folders import check_new
from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.games import LookFlags, ReadingFlags
from equilibrax.cli.output import FORMAT_NAMES, check_output, given_committees, numbered_on, write_out
from equilibrax.cli.progress import doing, say_games
from equilibrax.games import MarketGame
from equilibrax.io.markets import read_market
from equilibrax.problems.market import Market
from equilibrax.problems.paper_markets import proposition_a_2_market, theorem_4_1_market, theorem_5_2_market
from equilibrax.rows import join_rows
from equilibrax.studies.market_games import MarketOutcome, show_outcomes, solve_games

INSTANCES = ("theorem-4.1", "theorem-5.2", "proposition-a.2")
"""The markets of the paper, by name."""


@dataclass(frozen=True)
class MarketCommand:
    """Solve markets of many users, for every committee of providers.

    Personalized: every provider has a rule for each user. Anonymous: it has one public rule for all of them. A rule is
    a partition of what the provider sees; each user takes the provider that is best for her and responds, or, with
    --protocol delegation, does what it says. Prints every user's worst and best utility in equilibrium, the benchmark
    u(C*) of what all providers of the committee know, and the best bound of theory (arXiv 2602.13451).

    A market is a CSV file with one row per (state, user, action): columns `state`, `user`, `action`, `utility`, then
    one column per provider with what it has from this user's action. Optional: `weight:PROVIDER`, how much it cares for
    her; `prior`; `sees` and `sees:PROVIDER`, what is observed; `market`. Or the same in a .csv.gz or .parquet file, or
    an .npz file. Or a name of the paper's markets: theorem-4.1 (--eps --c --d), theorem-5.2 (before and after the
    newcomer), proposition-a.2 (--grid).

    Example: equilibrax market theorem-4.1 --eps 0.1 --c 0.4
    Example: equilibrax market clinic.csv --committees Ann+Bob
    Example: equilibrax market clinic.csv --game anonymous --out clinic.parquet
    Example: equilibrax market clinic.csv --figure clinic.png
    """

    market: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MARKET")] = ""
    """A CSV or npz file, or theorem-4.1, theorem-5.2 or proposition-a.2."""
    game: str = "both"
    """Which game to solve. The flags below are of the game that is chosen, or of both."""
    committees: Annotated[tuple[str, ...], tyro.conf.arg(metavar="COMMITTEE ...")] = ()
    """Committees by the names of their providers, such as Ann+Bob (a name with a plus sign, or of digits, is in
    double quotes), or as bitmasks (bit j is the j-th provider); none given means all of them."""
    bounds: bool = True
    """Whether to compute benchmarks and bounds."""
    eps: float = 0.2
    """theorem-4.1: what a user has who abstains, and at most without information."""
    c: float = 0.5
    """theorem-4.1: what a user has who matches the state, above eps."""
    d: float = 2.0
    """theorem-4.1: how much more a provider cares for the user who should abstain, above 1."""
    grid: int = 2
    """proposition-a.2: steps of the unit interval."""
    resolution: int | None = None
    """Fixed-point steps per unit of utility, in files."""
    reading: Annotated[ReadingFlags, tyro.conf.arg(name="")] = field(default_factory=ReadingFlags)
    """How files are read."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE")] = "-"
    """File to write, a row per market, committee, user and game: .parquet, .csv, .json, .xlsx, .md or .tex; or - for
    none."""
    format: Annotated[str | None, tyro.conf.arg(metavar=FORMAT_NAMES)] = None
    """Write rows in this format, whatever FILE is called; with --out - to standard output, instead of tables."""
    figure: Annotated[Path | None, tyro.conf.arg(metavar="FILE.{png,svg,pdf}")] = None
    """Figure to draw: every user against her bound in both games."""
    look: Annotated[LookFlags, tyro.conf.arg(name="")] = field(default_factory=LookFlags)
    """How figures look."""

    plays: tuple[MarketGame, ...] = ()
    """The games with their options."""

    over: ClassVar[type[Any]] = Market

    def idle(self) -> Idle:
        yield from idle_instances(self.market)
        if not self.figure:
            yield ("look",), "beside --figure"

    def run(self, console: Console) -> int:
        check_outputs(self.out, self.figure, self.format)
        self.look.check(self.figure)
        options: dict[str, Any] = {"promises": self.bounds}
        games = self.plays or self.game
        doing(f"reading {self.market}")
        markets, solved = self._markets(), []
        for market in markets:
            which = f"{market.names()[0]} with its bounds" if self.bounds else market.names()[0]
            options["committees"] = given_committees(self.committees, market.provider_names())
            solved.append(solve_games(market, games, throw=False, **options, progress=partial(say_games, which)))
        doing("writing")
        width = None if sys.stdout.isatty() else 140
        for outcomes in solved if self.out != "-" or self.format is None else ():
            for market in range(len(outcomes[0].result.market)):
                show_outcomes(outcomes, market, width=width)
        rows = numbered_on([join_rows([one.rows(names=True) for one in outcomes]) for outcomes in solved])
        write_out(rows, self.out, self.format, console)
        if self.figure is not None:
            from equilibrax.figures.markets import bound_figure

            with self.look.printed():
                bound_figure(rows, self.figure)
            console.print(f"figure drawn to {self.figure}", markup=False)
        return unsolved(console, [one for outcomes in solved for one in outcomes])

    def _markets(self) -> list[Market]:
        if self.market == "theorem-5.2" and not Path(self.market).exists():
            before, newcomer = theorem_5_2_market()
            return [before, replace(newcomer.join(before), family=f"{before.family} with newcomer")]
        return [
            named_market(self.market, self.eps, self.c, self.d, self.grid, self.resolution, **self.reading.options())
        ]


def idle_instances(name: str) -> Idle:
    """What is about another market than the one of this name: the paper's, or files."""
    of_paper = name if name in INSTANCES and not Path(name).exists() else ""
    if of_paper != INSTANCES[0]:
        yield ("eps", "c", "d"), f"for {INSTANCES[0]}"
    if of_paper != INSTANCES[2]:
        yield ("grid",), f"for {INSTANCES[2]}"
    if of_paper:
        yield ("resolution", "reading"), "for files"


def named_market(
    name: str, eps: float, c: float, d: float, grid: int, resolution: int | None, **options: Any
) -> Market:
    """A market of a file, or the paper's market of that name if there is no such file."""
    if not name:
        raise ValueError(f"MARKET: expected a CSV or npz file, or one of {', '.join(INSTANCES)}, got none")
    if name not in INSTANCES or Path(name).exists():
        return read_market(name, resolution=resolution, **options)
    if name == "theorem-4.1":
        return theorem_4_1_market(eps, c, d)
    return theorem_5_2_market()[0] if name == "theorem-5.2" else proposition_a_2_market(grid)


def check_outputs(out: str, figure: Path | None, format: str | None = None) -> None:
    """Refuse names of another kind before anything is computed."""
    check_output(out, format)
    check_new("--figure", [figure])


def unsolved(console: Console, outcomes: Sequence[MarketOutcome]) -> int:
    """The exit status: 1, with a line, if a market was not solved."""
    lost = sum(one.result.failures for one in outcomes)
    if lost:
        console.print(f"equilibrax: {lost} games are not solved; their column `status` says why", markup=False)
    return 1 if lost else 0
