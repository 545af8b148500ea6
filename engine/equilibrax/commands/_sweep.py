"""`equilibrax sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from equilibrax.commands._games import parse_rationality
from equilibrax.commands._progress import table_progress
from equilibrax.families import families
from equilibrax.solver import TOLERANCE, Game, TieBreak
from equilibrax.sweep import SweepConfig, SweepReport, run_sweep


@dataclass(frozen=True)
class Sweep:
    """Solve many random tables, in bounded memory, and keep every result.

    Writes `committees-*.parquet` (a row per table and committee) and `tables-*.parquet` (the utilities) in shards, each
    of them whole or absent. The same command run again continues where it stopped and changes nothing that is done. A
    table depends on family, parameters, sizes, seed and its number alone, never on the shard or the machine.

    Families: uniform, noisy, biased, systematic, hull, near_hull, zero_sum; `--list-families` describes them.

    Example: equilibrax sweep --family near_hull --tables 100000 --out my-sweep
    Example: equilibrax sweep --game joint --rationality 1,3,10,30,inf --out quantal
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write to."""
    family: str = "uniform"
    """Family of random tables."""
    tables: int = 10_000
    """Number of tables."""
    states: int = 3
    """Number of states."""
    actions: int = 3
    """Number of actions."""
    providers: int = 5
    """Number of providers; all 2**providers - 1 committees are solved."""
    seed: int = 0
    """Seed of the random tables."""
    parameter: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=NUMBER ...")] = ()
    """Parameters of the family, as NAME=NUMBER."""
    game: Game = "selection"
    """The user takes one provider (selection), hears all of them (joint), has one that wants what she wants (aligned),
    or hears all of them, each of which plays as if it were alone (oblivious)."""
    obedience: bool = False
    """In the selection game, whether the user checks what she is told: providers then choose what to reveal."""
    rationality: Annotated[str, tyro.conf.arg(metavar="NUMBER,...")] = ""
    """Quantal response with these lambdas, joined by commas; inf is one. Results have a row for each."""
    tolerance: float = TOLERANCE
    """Utilities under quantal response that differ by no more are equal."""
    tie_break: TieBreak = "incumbent"
    """Who wins the user's ties: never the deviator (incumbent, as in Section 7 of the paper), or the lowest index (as
    in Definition 16)."""
    dynamics: bool = True
    """Whether to run best-response dynamics."""
    misalignment: bool = True
    """Whether to compute misalignment and bound (selection game without obedience)."""
    resolution: int = 10_000
    """Fixed-point steps per unit of utility."""
    shard_size: int = 4096
    """Tables per shard."""
    list_families: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Describe the families and stop."""

    def run(self, console: Console) -> int:
        if self.list_families:
            for name, description in families().items():
                print(f"{name}: {description}")
            return 0
        if self.out is None:
            raise ValueError("--out: expected a folder to write to, got none")
        config = SweepConfig(
            family=self.family,
            tables=self.tables,
            states=self.states,
            actions=self.actions,
            providers=self.providers,
            seed=self.seed,
            parameters=parse_parameters(self.parameter),
            tie_break=self.tie_break,
            dynamics=self.dynamics,
            misalignment=self.misalignment,
            resolution=self.resolution,
            shard_size=self.shard_size,
            game=self.game,
            obedience=self.obedience,
            rationality=parse_rationality(self.rationality),
            tolerance=self.tolerance,
        )
        size = f"{self.states}x{self.actions}x{self.providers}"
        with table_progress(console, f"{self.family} {size}", self.tables) as progress:
            report = run_sweep(config, self.out, progress=progress)
        for line in report_lines(report):
            console.print(line, markup=False)
        return 0


def report_lines(report: SweepReport) -> list[str]:
    """What a sweep did, for people."""
    if not report.shards_done:
        return [f"All {report.shards} shards were done before; nothing to do."]
    lines = [
        f"{report.tables:,} tables, {report.rows:,} rows in {report.seconds:.1f} s "
        f"({report.tables_per_second:,.0f} tables/s after the first shard, which compiles)."
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
