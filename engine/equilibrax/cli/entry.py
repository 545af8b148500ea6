"""`equilibrax entry`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

import tyro
from rich.console import Console
from rich.table import Table

from equilibrax._core.checks import check_whole
from equilibrax._core.text import show_table
from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.games import FileFlags, LookFlags, columns_or_count
from equilibrax.cli.market import check_outputs, idle_instances, named_market, unsolved
from equilibrax.cli.output import write_out
from equilibrax.cli.progress import doing
from equilibrax.games import MarketGame
from equilibrax.problems import Alignment, random_markets
from equilibrax.problems.market import Market
from equilibrax.studies.entry import Entry, enter, random_newcomers
from equilibrax.studies.market_games import number_text


@dataclass(frozen=True)
class EntryCommand:
    """Let random newcomers enter a market, and show what becomes of those who were there.

    A newcomer enters alone. Her utilities, and what her actions are worth to every provider, are uniform; providers
    care for her with weight beta and for the others with 1 - beta (arXiv 2602.13451, Section 5). In the personalized
    game nobody loses what she was promised before (Theorem 5.1), in the anonymous one she may (Theorem 5.2).

    MARKET is a file or one of the paper's markets, as for `equilibrax market`. Without it, random markets are drawn.

    Example: equilibrax entry theorem-5.2

    Example: equilibrax entry clinic.csv --newcomers 1000 --beta 1/4 --figure entry.png

    Example: equilibrax entry --markets 500 --users 2 --alignment strong --out entry.parquet
    """

    market: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MARKET")] = ""
    """A CSV or npz file, or theorem-4.1, theorem-5.2 or proposition-a.2; nothing for random markets."""
    newcomers: int | None = None
    """Newcomers to each market, one at a time; default 200, or 1 for random markets."""
    beta: Annotated[str, tyro.conf.arg(metavar="NUMBER")] = "1/2"
    """How much of every provider's utility is about the newcomer, between 0 and 1; a ratio is taken as it is."""
    newcomer_actions: int | None = None
    """Actions of newcomers; default as many as the market has."""
    seed: int = 0
    """Seed of the newcomers, and of random markets."""
    game: str = "both"
    """Which game to solve. The flags below are of the game that is chosen, or of both."""
    markets: int = 200
    """Number of random markets."""
    users: int = 2
    """Number of users of random markets."""
    providers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NUMBER|COLUMN ...")] = ()
    """Number of providers of random markets, by default 2; or the columns of a file that are the providers, in this
    order, by default all that have no other meaning."""
    states: int = 3
    """Number of states of random markets."""
    actions: int = 3
    """Number of actions of random markets."""
    alignment: Alignment = "strong"
    """What is aligned in random markets: users with components (weak), providers with users (strong)."""
    error: float = 0.0
    """By how much random markets may be misaligned."""
    eps: float = 0.2
    """As for `equilibrax market theorem-4.1`."""
    c: float = 0.5
    """As for `equilibrax market theorem-4.1`."""
    d: float = 2.0
    """As for `equilibrax market theorem-4.1`."""
    grid: int = 2
    """As for `equilibrax market proposition-a.2`."""
    resolution: int = 10_000
    """Fixed-point steps per unit of utility, in files and random markets."""
    reading: Annotated[FileFlags, tyro.conf.arg(name="")] = field(default_factory=FileFlags)
    """How files are read."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE")] = "-"
    """File to write, a row per game, market, newcomer and user: .parquet, .csv, .json, .xlsx, .md or .tex; or - for
    none."""
    figure: Annotated[Path | None, tyro.conf.arg(metavar="FILE.{png,svg,pdf}")] = None
    """Figure to draw: the incumbents' worst utility before and after."""
    look: Annotated[LookFlags, tyro.conf.arg(name="")] = field(default_factory=LookFlags)
    """How figures look."""

    plays: tuple[MarketGame, ...] = ()
    """The games with their options."""

    over: ClassVar[type[Any]] = Market
    settles: ClassVar[tuple[str, ...]] = ("dynamics", "profiles")  # equilibria are compared, and nothing else

    def idle(self) -> Idle:
        if self.market:
            drawn = ("markets", "users", "states", "actions", "alignment", "error")
            yield drawn, "without MARKET, for random markets"
            yield from idle_instances(self.market)
        else:
            yield ("reading", "eps", "c", "d", "grid"), "with MARKET"
            if self.alignment == "none":
                yield ("error",), "beside --alignment weak or strong"
        if not self.figure:
            yield ("look",), "beside --figure"

    def run(self, console: Console) -> int:
        check_outputs(self.out, self.figure)
        self.look.check(self.figure)
        beta = _ratio(self.beta)
        market = self._market()
        count = (
            (200 if self.market else 1) if self.newcomers is None else check_whole("newcomers", self.newcomers, 1, None)
        )
        if self.newcomer_actions is not None:
            check_whole("newcomer_actions", self.newcomer_actions, 1, None)
        options: dict[str, Any] = {"beta": beta, "actions": self.newcomer_actions, "seed": self.seed}
        doing(f"letting {count:,} newcomers enter {len(market):,} market{'s' * (len(market) > 1)}")
        newcomers = random_newcomers(market, count, **options)
        entry = enter(market, newcomers, [replace(cast(Any, game), dynamics=False) for game in self.plays], throw=False)
        show_table(lambda decimals: _table(entry, decimals), None if sys.stdout.isatty() else 140)
        if self.out != "-" or self.figure is not None:
            rows = entry.rows()
            if self.out != "-":
                write_out(rows, self.out, None, console)
            if self.figure is not None:
                from equilibrax.figures.market_entry import entry_figure

                with self.look.printed():
                    entry_figure(rows, self.figure, users=market.user_names())
                console.print(f"figure drawn to {self.figure}", markup=False)
        return unsolved(console, [*entry.before, *entry.after])

    def _market(self) -> Market:
        columns, count = columns_or_count(self.providers, not self.market, 2)
        check_whole("markets", self.markets, 1, None)
        if self.market:
            how = {**self.reading.options(), "providers": columns}
            return named_market(self.market, self.eps, self.c, self.d, self.grid, self.resolution, **how)
        sizes = (self.markets, self.users, count, self.states, self.actions)
        options: dict[str, Any] = {"alignment": self.alignment, "error": self.error, "seed": self.seed}
        return random_markets(*sizes, resolution=self.resolution, **options)


def _ratio(text: str) -> Fraction:
    try:
        beta = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"--beta: expected a number such as 0.25 or 1/4, got {text!r}") from None
    if not 0 < beta < 1 or beta.denominator > 10_000:
        raise ValueError(f"--beta: expected a number between 0 and 1, of at most four decimals, got {text!r}")
    return beta


def _table(entry: Entry, decimals: int) -> Table:
    """What happened, in shares of the incumbents, a line for each game."""
    market, each = entry.market, entry.newcomers.each
    name = market.names()[0] if len(market) == 1 else f"{len(market):,} markets, {market.family}"
    what = f"{each:,} newcomer{'s' if each > 1 else ''}{' to each' if len(market) > 1 else ''}"
    caption = "worst utility in equilibrium, with all providers; below bound: less than was promised before"
    shown = Table(title=f"{name}: {what}, beta {entry.newcomers.beta}", caption=caption)
    shown.add_column("game")
    numbers = ("incumbents", "lose", "same", "gain", "mean change", "largest loss", "below bound", "no equilibrium")
    for heading in numbers:
        shown.add_column(heading, justify="right", no_wrap=True)
    for said in entry.summary():
        total = max(1, said["incumbents"])
        shares = [f"{100 * said[key] / total:.1f} %" for key in ("lose", "same", "gain")]
        sizes = [number_text(said[key], decimals) for key in ("mean_change", "largest_loss")]
        below = f"{said['below_bound']:,} of {said['bounded']:,}"
        shown.add_row(
            said["game"], f"{said['incumbents']:,}", *shares, *sizes, below, f"{said['without_equilibrium']:,}"
        )
    return shown
