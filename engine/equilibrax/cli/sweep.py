"""`equilibrax sweep`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro
from rich.console import Console

from equilibrax.cli.games import parse_rationality
from equilibrax.cli.progress import table_progress
from equilibrax.datasets.market_sweep import MarketSweepConfig, run_market_sweep
from equilibrax.datasets.splits import DEFAULT_SHARES
from equilibrax.datasets.sweep import SweepConfig, SweepReport, read_mixture, run_sweep
from equilibrax.games import TOLERANCE, Game, MarketRules, TieBreak
from equilibrax.problems import Alignment
from equilibrax.problems.random_tables import families
from equilibrax.studies.market_games import Games


@dataclass(frozen=True)
class Sweep:
    """Solve many random tables or markets, in bounded memory, and keep every result.

    Writes `committees/*.parquet` (a row per table and committee) and `tables/*.parquet` (the utilities) in shards, each
    of them whole or absent, and at the end a manifest and a dataset card: `datasets.load_dataset`, polars and duckdb
    read the folder as it is. The same command run again continues where it stopped and changes nothing that is done. A
    table depends on family, parameters, sizes, seed and its number alone, never on the shard or the machine, so several
    processes can share the work: give each `--shard i/N`.

    Families: uniform, noisy, biased, systematic, hull, near_hull, zero_sum; `--list-families` describes them.

    With --users, random markets are solved instead of tables: `users/*.parquet` (a row per market, committee, user and
    game) and `markets/*.parquet`. They have --alignment and --error in place of a family.

    Example: equilibrax sweep --family near_hull --tables 100000 --out my-sweep
    Example: equilibrax sweep --tables 1000000 --out big --shard 3/16
    Example: equilibrax sweep --tables 1000000 --out big --ray local
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
    shard: Annotated[str, tyro.conf.arg(metavar="I/N")] = "0/1"
    """Do only the shards whose number is I modulo N, I from 0. Processes with the other I, on any machine that shares
    the folder, do the others; none waits for another."""
    splits: Annotated[str, tyro.conf.arg(metavar="NUMBER,NUMBER,NUMBER")] = ",".join(map(str, DEFAULT_SHARES))
    """Shares of train, validation and test."""
    columns: Annotated[str, tyro.conf.arg(metavar="NAME,...")] = ""
    """Optional columns, joined by commas: schemes (worst, best, dynamics), equilibria (all of a committee), weights (of
    the misalignment)."""
    equilibria_cap: int = 100
    """With --columns equilibria: list at most so many per committee."""
    float32: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Store utilities and results in 32 bits."""
    mixture: Annotated[Path | None, tyro.conf.arg(metavar="FILE.toml")] = None
    """Families and sizes in proportions, as tables [[part]] with family, proportion, states, actions, providers and
    parameters, instead of the options of those names."""
    stratify: Literal["", "misalignment"] = ""
    """Fill bins of the misalignment of all providers together evenly, by rejection."""
    bins: int = 10
    """How many."""
    bin_range: Annotated[str, tyro.conf.arg(name="range", metavar="LOW,HIGH")] = ""
    """Where the first bin begins and the last ends; default is from 0 to what 95 of 100 tables stay below."""
    candidates: int = 100
    """Tables drawn per bin's place, at most, before a shard gives up and says so."""
    licence: str = "CC0-1.0"
    """Licence of the dataset, an SPDX name."""
    ray: Annotated[str, tyro.conf.arg(metavar="ADDRESS")] = ""
    """Solve by the workers of a Ray cluster, all of which see the folder: local for the cores of this machine, auto for
    the cluster that runs on it, or HOST:PORT of one that it is part of."""
    cpus_per_task: int = 1
    """With --ray: cores that a task uses."""
    gpus_per_task: float = 0.0
    """With --ray: accelerators that a task uses; a fraction shares one."""
    shards_per_task: int = 1
    """With --ray: more keep an accelerator busy while shards are drawn and written."""
    tasks_in_flight: int | None = None
    """With --ray: tasks handed out at a time, at most; default is twice what the cluster can run at once."""
    max_retries: int = 3
    """With --ray: how often a task is given to another process after its own, or its machine, died; -1 is forever."""
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
            splits=parse_numbers("--splits", self.splits, 3),  # pyright: ignore[reportArgumentType]
            columns=tuple(self.columns.split(",")) if self.columns else (),  # pyright: ignore[reportArgumentType]
            equilibria_cap=self.equilibria_cap,
            float32=self.float32,
            mixture=read_mixture(self.mixture) if self.mixture else (),
            stratify=self.stratify,
            bins=self.bins,
            bin_range=parse_numbers("--range", self.bin_range, 2) if self.bin_range else None,  # pyright: ignore[reportArgumentType]
            candidates=self.candidates,
            licence=self.licence,
        )
        shard = parse_shard(self.shard)
        if self.ray and self.shard != Sweep.shard:
            raise ValueError(f"--shard: expected nothing beside --ray, which shares all shards out, got {self.shard!r}")
        size = "mixture" if config.mixture else f"{family} {self.states}x{self.actions}x{providers}"
        with table_progress(console, size, self.tables) as progress:
            report = (
                self.on_ray(config, progress)
                if self.ray
                else run_sweep(config, self.out, shard=shard, progress=progress)
            )
        for line in report_lines(report):
            console.print(line, markup=False)
        return 0

    def on_ray(self, config: SweepConfig, progress: Callable[[int, int], None]) -> SweepReport:
        """The same, by a cluster."""
        from equilibrax.datasets.ray import run_sweep_on_ray

        assert self.out is not None
        return run_sweep_on_ray(
            config,
            self.out,
            address=self.ray,
            cpus_per_task=self.cpus_per_task,
            gpus_per_task=self.gpus_per_task,
            shards_per_task=self.shards_per_task,
            tasks_in_flight=self.tasks_in_flight,
            max_retries=self.max_retries,
            progress=progress,
        )

    def _markets(self, console: Console, out: Path) -> int:
        refuse(self, "with --users", "family", "tie_break", "parameter", "obedience")
        refuse(self, "with --users", "columns", "float32", "mixture", "stratify", "bin_range", "ray")
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
            splits=parse_numbers("--splits", self.splits, 3),  # pyright: ignore[reportArgumentType]
            licence=self.licence,
        )
        size = f"{config.users} users, {config.states}x{config.actions}x{config.providers}"
        with table_progress(console, f"{config.alignment} {size}", config.markets, "markets") as progress:
            report = run_market_sweep(config, out, shard=parse_shard(self.shard), progress=progress)
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
        return [f"All {report.shards} shards were done before; nothing to do.", *_whole(report)]
    how = "after the first shard, which compiles" if report.first_tables else "compilation included"
    lines = [
        f"{report.tables:,} {unit}, {report.rows:,} rows in {report.seconds:.1f} s "
        f"({report.tables_per_second:,.0f} {unit}/s {how})."
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
    if report.short:
        lines.append(
            f"{report.short:,} tables were not found: bins are not even, the shards' records say which; give more "
            "--candidates or a narrower --range"
        )
    return lines + _whole(report)


def _whole(report: SweepReport) -> list[str]:
    return [] if report.closed else ["Shards of other processes are not done; `equilibrax merge` says which."]


def parse_numbers(option: str, text: str, count: int) -> tuple[float, ...]:
    """`count` numbers joined by commas."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise ValueError(f"{option}: expected {count} numbers joined by commas, got {text!r}")
    return numbers


def parse_shard(text: str) -> tuple[int, int]:
    """`I/N`, a share of the shards."""
    first, separator, second = text.partition("/")
    if not separator or not first.isdecimal() or not second.isdecimal() or int(first) >= int(second):
        raise ValueError(f"--shard: expected I/N with I from 0 to N - 1, got {text!r}")
    return int(first), int(second)


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
