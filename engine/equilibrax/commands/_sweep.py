"""`equilibrax sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import tyro
from rich.console import Console

from equilibrax._market_rules import MarketRules
from equilibrax.commands._games import parse_rationality
from equilibrax.commands._progress import table_progress
from equilibrax.families import families
from equilibrax.market_outcomes import Games
from equilibrax.market_sweep import MarketSweepConfig, run_market_sweep
from equilibrax.random_markets import Alignment
from equilibrax.solver import TOLERANCE, Game, TieBreak
from equilibrax.sweep import SweepConfig, SweepReport, run_sweep


@dataclass(frozen=True)
class Sweep:
    """Solve many random tables or markets, in bounded memory, and keep every result.

    Writes `committees-*.parquet` (a row per table and committee) and `tables-*.parquet` (the utilities) in shards, each
    of them whole or absent. The same command run again continues where it stopped and changes nothing that is done. A
    table depends on family, parameters, sizes, seed and its number alone, never on the shard or the machine.

    Families: uniform, noisy, biased, systematic, hull, near_hull, zero_sum; `--list-families` describes them.

    With --users, random markets are solved instead of tables: `users-*.parquet` (a row per market, committee, user and
    game) and `markets-*.parquet`. They have --alignment and --error in place of a family.

    Example: equilibrax sweep --family near_hull --tables 100000 --out my-sweep
    Example: equilibrax sweep --game joint --rationality 1,3,10,30,inf --out quantal
    Example: equilibrax sweep --users 3 --providers 2 --alignment strong --out markets
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write to."""
    family: str | None = None
    """Family of random tables; default uniform."""
    tables: int = 10_000
    """Number of tables, or of markets."""
    users: int | None = None
    """Number of users: random markets instead of tables."""
    alignment: Alignment | None = None
    """What is aligned in random markets: users with the providers' components (weak, the default), providers with the
    users (strong), or nothing (none)."""
    error: float | None = None
    """By how much random markets may be misaligned, 0 to 0.5; default 0."""
    states: int = 3
    """Number of states."""
    actions: int = 3
    """Number of actions."""
    providers: int | None = None
    """Number of providers; all 2**providers - 1 committees are solved; default 5, in markets 2."""
    seed: int = 0
    """Seed of the random tables."""
    parameter: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=NUMBER ...")] = ()
    """Parameters of the family, as NAME=NUMBER."""
    game: Game | Games | None = None
    """The user takes one provider (selection, the default), hears all of them (joint), has one that wants what she
    wants (aligned), or hears all of them, each of which plays as if it were alone (oblivious). In markets:
    personalized, anonymous, or both (the default)."""
    rules: MarketRules | None = None
    """In markets: partitions (obedience, the default), or maps to actions (delegation, personalized game only)."""
    obedience: bool = False
    """In the selection game, whether the user checks what she is told: providers then choose what to reveal."""
    rationality: Annotated[str, tyro.conf.arg(metavar="NUMBER,...")] = ""
    """Quantal response with these lambdas, joined by commas; inf is one. Results have a row for each."""
    tolerance: float = TOLERANCE
    """Utilities under quantal response that differ by no more are equal."""
    tie_break: TieBreak | None = None
    """Who wins the user's ties: never the deviator (incumbent, the default, as in Section 7 of the paper), or the
    lowest index (as in Definition 16, and always in markets)."""
    dynamics: bool = True
    """Whether to run best-response dynamics."""
    misalignment: bool = True
    """Whether to compute misalignment and bound (selection game without obedience); in markets, benchmarks and
    bounds."""
    resolution: int = 10_000
    """Fixed-point steps per unit of utility."""
    shard_size: int | None = None
    """Tables per shard; default 4096, of markets 1024."""
    list_families: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Describe the families and stop."""

    def run(self, console: Console) -> int:
        if self.list_families:
            for name, description in families().items():
                print(f"{name}: {description}")
            return 0
        if self.out is None:
            raise ValueError("--out: expected a folder to write to, got none")
        if self.users is not None:
            return self._markets(console, self.out)
        refuse(self, "without --users", "alignment", "error", "rules")
        game: Any = self.game or "selection"
        if game in get_args(Games):
            raise ValueError(f"--game: expected {', '.join(get_args(Game))} without --users, got {game!r}")
        family, providers = self.family or "uniform", 5 if self.providers is None else self.providers
        config = SweepConfig(
            family=family,
            tables=self.tables,
            states=self.states,
            actions=self.actions,
            providers=providers,
            seed=self.seed,
            parameters=parse_parameters(self.parameter),
            tie_break=self.tie_break or "incumbent",
            dynamics=self.dynamics,
            misalignment=self.misalignment,
            resolution=self.resolution,
            shard_size=4096 if self.shard_size is None else self.shard_size,
            game=game,
            obedience=self.obedience,
            rationality=parse_rationality(self.rationality),
            tolerance=self.tolerance,
        )
        size = f"{self.states}x{self.actions}x{providers}"
        with table_progress(console, f"{family} {size}", self.tables) as progress:
            report = run_sweep(config, self.out, progress=progress)
        for line in report_lines(report):
            console.print(line, markup=False)
        return 0

    def _markets(self, console: Console, out: Path) -> int:
        refuse(self, "with --users", "family", "tie_break", "parameter", "obedience")
        game: Any = self.game or "both"
        if game not in get_args(Games):
            raise ValueError(f"--game: expected {', '.join(get_args(Games))} with --users, got {game!r}")
        config = MarketSweepConfig(
            markets=self.tables,
            users=self.users or 0,
            states=self.states,
            actions=self.actions,
            providers=2 if self.providers is None else self.providers,
            alignment=self.alignment or "weak",
            error=self.error or 0.0,
            seed=self.seed,
            game=game,
            rules=self.rules or "obedience",
            rationality=parse_rationality(self.rationality),
            tolerance=self.tolerance,
            dynamics=self.dynamics,
            promises=self.misalignment,
            resolution=self.resolution,
            shard_size=1024 if self.shard_size is None else self.shard_size,
        )
        size = f"{config.users} users, {config.states}x{config.actions}x{config.providers}"
        with table_progress(console, f"{config.alignment} {size}", config.markets, "markets") as progress:
            report = run_market_sweep(config, out, progress=progress)
        for line in report_lines(report, "markets"):
            console.print(line, markup=False)
        return 0


def refuse(command: Sweep, when: str, *names: str) -> None:
    """Refuse options that do not apply."""
    for name in names:
        if getattr(command, name):
            raise ValueError(f"--{name.replace('_', '-')}: expected nothing {when}, got {getattr(command, name)!r}")


def report_lines(report: SweepReport, unit: str = "tables") -> list[str]:
    """What a sweep did, for people."""
    if not report.shards_done:
        return [f"All {report.shards} shards were done before; nothing to do."]
    lines = [
        f"{report.tables:,} {unit}, {report.rows:,} rows in {report.seconds:.1f} s "
        f"({report.tables_per_second:,.0f} {unit}/s after the first shard, which compiles)."
    ]
    if report.shards_before:
        lines.append(f"{report.shards_before} of {report.shards} shards were done before and are unchanged.")
    if report.retries:
        lines.append(f"{report.retries:,} times a table was solved again with more room.")
    if report.resolved:
        lines.append(f"{report.resolved:,} misalignment scores were solved again by HiGHS.")
    unsolved = {name: count for name, count in report.statuses.items() if name != "OK"}
    if unsolved:
        lines.append("Rows whose status is not OK: " + ", ".join(f"{n:,} {name}" for name, n in unsolved.items()))
    return lines


def parse_parameters(given: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """`NAME=NUMBER` pairs."""
    parsed = []
    for text in given:
        name, separator, value = text.partition("=")
        try:
            parsed.append((name, float(value)))
        except ValueError:
            separator = ""
        if not separator or not name:
            raise ValueError(f"--parameter: expected NAME=NUMBER, got {text!r}")
    return tuple(parsed)
