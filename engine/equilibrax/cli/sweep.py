"""`equilibrax sweep`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro
from rich.console import Console

from equilibrax._core.interrupts import unwinding
from equilibrax.cli._flags import built, flags_of
from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.flags.texts import parse_numbers, parse_parameters
from equilibrax.cli.progress import report_lines, table_progress
from equilibrax.datasets.information_sweep import InformationSweepConfig, run_information_sweep
from equilibrax.datasets.market_sweep import MarketSweepConfig, run_market_sweep
from equilibrax.datasets.splits import DEFAULT_SHARES
from equilibrax.datasets.sweep import MixturePart, SweepConfig, SweepReport, read_mixture, run_sweep
from equilibrax.games import Game, InformationMarket, MarketGame
from equilibrax.problems.decision_problem import DecisionProblem
from equilibrax.problems.market import Market
from equilibrax.problems.random_tables import families
from equilibrax.problems.tables import UtilityTables

_PARTING = 7.0  # seconds that a cluster has to end its tasks
_SPLITS = (Annotated[str, tyro.conf.arg(metavar="NUMBER,NUMBER,NUMBER")], ",".join(map(str, DEFAULT_SHARES)))
_NAMED: dict[str, Any] = {
    "splits": _SPLITS,
    "licence": (Annotated[str, tyro.conf.arg(metavar="SPDX-NAME")], SweepConfig.licence),
}
_FAMILY = Annotated[str, tyro.conf.arg(metavar="NAME")]
_OF_TABLES = flags_of(
    SweepConfig,
    {
        **_NAMED,
        "family": (_FAMILY, SweepConfig.family),
        "parameters": (Annotated[tuple[str, ...], tyro.conf.arg(name="parameter", metavar="NAME=NUMBER ...")], ()),
        "columns": (Annotated[str, tyro.conf.arg(metavar="NAME,...")], ""),
        "mixture": (Annotated[Path | None, tyro.conf.arg(metavar="FILE.toml")], None),
        "bin_range": (Annotated[str, tyro.conf.arg(name="range", metavar="LOW,HIGH")], ""),
        "float32": (Annotated[bool, tyro.conf.FlagCreatePairsOff], False),
        "text": (Annotated[bool, tyro.conf.FlagCreatePairsOff], False),
    },
    hidden=["game"],
)
_OF_MARKETS = flags_of(
    MarketSweepConfig,
    {"markets": (Annotated[int, tyro.conf.arg(name="tables")], MarketSweepConfig.markets), **_NAMED},
    hidden=["game"],
)
_OF_PROBLEMS = flags_of(
    InformationSweepConfig,
    {
        "problems": (Annotated[int, tyro.conf.arg(name="tables")], InformationSweepConfig.problems),
        "family": (_FAMILY, InformationSweepConfig.family),
        **_NAMED,
    },
    hidden=["game"],
)
_READ: dict[str, Callable[[Any], Any]] = {
    "parameters": parse_parameters,
    "splits": lambda text: parse_numbers("--splits", text, 3),
    "columns": lambda text: tuple(text.split(",")) if text else (),
    "mixture": lambda path: _mixture(path) if path else (),
    "bin_range": lambda text: parse_numbers("--range", text, 2) if text else None,
}


@dataclass(frozen=True)
class Sweep:
    """Solve many random tables or markets, in bounded memory, and keep every result.

    Writes `committees/*.parquet` (a row per table and committee), `tables/*.parquet` (the utilities) and, with --text,
    `text/*.parquet` (questions in words, with answers) in shards, each
    of them whole or absent, and at the end a manifest and a dataset card: `datasets.load_dataset`, polars and duckdb
    read the folder as it is. The same command run again continues where it stopped and changes nothing that is done. A
    table depends on family, parameters, sizes, seed and its number alone, never on the shard or the machine, so several
    processes can share the work: give each `--worker i/N`.

    Families: uniform, noisy, biased, systematic, hull, near_hull, zero_sum, senders; `--list-families` describes them,
    and `equilibrax families tables` says all about them.

    With --users, random markets are solved instead of tables: `users/*.parquet` (a row per market, committee, user and
    game) and `markets/*.parquet`; `equilibrax sweep --users 2 --help` shows their flags. With --items, random decision
    problems are, in markets of information: `depths/*.parquet` (a row per problem and depth) and `problems/*.parquet`;
    `equilibrax sweep --items 4 --help` shows theirs.

    Example: equilibrax sweep --family near_hull --tables 100000 --out my-sweep
    Example: equilibrax sweep --tables 1000000 --out big --worker 3/16
    Example: equilibrax sweep --resolution 4 --split-by form --text --out questions
    Example: equilibrax sweep --tables 1000000 --out big --ray local
    Example: equilibrax sweep --game joint --rationality 1,3,10,30,inf --out quantal
    Example: equilibrax sweep --users 3 --providers 2 --alignment strong --out markets
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write to."""
    game: str = "selection"
    """The user takes one provider and follows it (selection) or checks what it says (obedient), hears all of them
    (joint), hears all of them, each of which plays as if it were alone (oblivious), or has one that wants what she
    wants (aligned). Flags of options are of the game that is chosen."""
    worker: Annotated[str, tyro.conf.arg(metavar="I/N")] = "0/1"
    """Do only the shards whose number is I modulo N, I from 0. Processes with the other I, on any machine that shares
    the folder, do the others; none waits for another."""
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
    allow_versions: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on with a folder that was made with other versions of JAX, pyarrow, numpy, numba or HiGHS, or on another kind
    of device; every shard that is then done says so in its record."""
    list_families: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Describe the families and stop."""
    config: Annotated[_OF_TABLES, tyro.conf.arg(name="")] = _OF_TABLES()  # noqa: RUF009  # pyright: ignore[reportInvalidTypeForm]
    """What is solved."""
    plays: tuple[Game[Any], ...] = ()
    """The game with its options."""

    over: ClassVar[type[Any]] = UtilityTables
    called: ClassVar[dict[str, str]] = {"directory": "out"}  # as those call it that write there
    variant_flags: ClassVar[tuple[str, ...]] = ("--users", "--items")

    @classmethod
    def variant(cls, args: Sequence[str]) -> type[Any]:
        """Markets, if users are counted; decision problems, if items of information are."""
        counted = {text.partition("=")[0] for text in args}
        return MarketSweep if "--users" in counted else InformationSweep if "--items" in counted else cls

    def idle(self) -> Idle:
        if not self.ray:
            tasks = ("cpus_per_task", "gpus_per_task", "shards_per_task", "tasks_in_flight", "max_retries")
            yield tasks, "beside --ray"
        if not self.config.stratify:
            yield ("bins", "bin_range", "candidates"), "beside --stratify misalignment"
        if "equilibria" not in self.config.columns.split(","):
            yield ("equilibria_cap",), "beside --columns equilibria"
        if self.config.mixture:
            yield ("family", "states", "actions", "providers", "parameters"), "without --mixture, which has its own"

    def run(self, console: Console) -> int:
        if self.list_families:
            for name, description in families().items():
                print(f"{name}: {description}")
            return 0
        config = built(SweepConfig, self.config, _READ, game=self.plays[0])
        out, worker = folder_of(self.out), parse_worker(self.worker)
        if self.ray and self.worker != Sweep.worker:
            raise ValueError(
                f"--worker: expected nothing beside --ray, which shares all shards out, got {self.worker!r}"
            )
        size = f"{config.family} {config.states}x{config.actions}x{config.providers}"
        with table_progress(console, "mixture" if config.mixture else size, config.tables) as progress:
            report = (
                self.on_ray(config, out, progress)
                if self.ray
                else run_sweep(config, out, worker=worker, progress=progress, allow_versions=self.allow_versions)
            )
        for line in report_lines(report):
            console.print(line, markup=False)
        return 0

    def on_ray(self, config: SweepConfig, out: Path, progress: Callable[[int, int], None]) -> SweepReport:
        """The same, by a cluster."""
        from equilibrax.datasets.ray import run_sweep_on_ray

        with unwinding(_PARTING):
            return run_sweep_on_ray(
                config,
                out,
                address=self.ray,
                cpus_per_task=self.cpus_per_task,
                gpus_per_task=self.gpus_per_task,
                shards_per_task=self.shards_per_task,
                tasks_in_flight=self.tasks_in_flight,
                max_retries=self.max_retries,
                allow_versions=self.allow_versions,
                progress=progress,
            )


@dataclass(frozen=True)
class MarketSweep:
    """Solve many random markets of several users, in bounded memory, and keep every result.

    Writes `users/*.parquet` (a row per market, committee, user and game) and `markets/*.parquet`; otherwise as without
    --users.

    Example: equilibrax sweep --users 3 --providers 2 --alignment strong --out markets
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write to."""
    game: str = "both"
    """Every provider has a rule for each user (personalized), one for all of them (anonymous), or both games are
    solved. Flags of options are of the game that is chosen, or of both."""
    worker: Annotated[str, tyro.conf.arg(metavar="I/N")] = "0/1"
    """Do only the shards whose number is I modulo N, I from 0."""
    allow_versions: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on with a folder that was made with other versions or on another kind of device; records say so."""
    config: Annotated[_OF_MARKETS, tyro.conf.arg(name="")] = _OF_MARKETS()  # noqa: RUF009  # pyright: ignore[reportInvalidTypeForm]
    """What is solved."""
    plays: tuple[MarketGame, ...] = ()
    """The games with their options."""

    over: ClassVar[type[Any]] = Market
    called: ClassVar[dict[str, str]] = {"directory": "out"}  # as those call it that write there

    def idle(self) -> Idle:
        none = self.config.alignment == "none"
        return [(("error",), "beside --alignment weak or strong")] if none else []

    def run(self, console: Console) -> int:
        config = built(MarketSweepConfig, self.config, _READ, game=self.plays)
        out, size = folder_of(self.out), f"{config.users} users, {config.states}x{config.actions}x{config.providers}"
        with table_progress(console, f"{config.alignment} {size}", config.markets, "markets") as progress:
            report = run_market_sweep(
                config, out, worker=parse_worker(self.worker), progress=progress, allow_versions=self.allow_versions
            )
        for line in report_lines(report, "markets"):
            console.print(line, markup=False)
        return 0


@dataclass(frozen=True)
class InformationSweep:
    """Solve markets of information of many random decision problems, in bounded memory, and keep every result.

    Writes `depths/*.parquet` (a row per problem and depth) and `problems/*.parquet`; otherwise as without --items.

    Families: uniform, guess, nested, costly, partisan; `equilibrax families problems` describes them.

    Example: equilibrax sweep --items 4 --tables 10000 --out bazaars
    Example: equilibrax sweep --items 3 --family costly --buyer bayesian --out wary
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write to."""
    game: str = InformationMarket.name
    """What is solved."""
    worker: Annotated[str, tyro.conf.arg(metavar="I/N")] = "0/1"
    """Do only the shards whose number is I modulo N, I from 0."""
    allow_versions: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on with a folder that was made with other versions or on another kind of device; records say so."""
    config: Annotated[_OF_PROBLEMS, tyro.conf.arg(name="")] = _OF_PROBLEMS()  # noqa: RUF009  # pyright: ignore[reportInvalidTypeForm]
    """What is solved."""
    plays: tuple[Game[Any], ...] = ()
    """The market with its options."""

    over: ClassVar[type[Any]] = DecisionProblem
    called: ClassVar[dict[str, str]] = {"directory": "out"}  # as those call it that write there

    def run(self, console: Console) -> int:
        config = built(InformationSweepConfig, self.config, _READ, game=self.plays[0])
        out, size = folder_of(self.out), f"{config.family} {config.states}x{config.acts}x{config.items}"
        with table_progress(console, size, config.problems, "problems") as progress:
            report = run_information_sweep(
                config, out, worker=parse_worker(self.worker), progress=progress, allow_versions=self.allow_versions
            )
        for line in report_lines(report, "problems"):
            console.print(line, markup=False)
        return 0


def _mixture(path: Path) -> tuple[MixturePart, ...]:
    try:
        return read_mixture(path)
    except OSError as error:
        raise ValueError(f"--mixture: expected a readable file, got {path}: {error.strerror}") from None


def folder_of(out: Path | None) -> Path:
    """Where to write."""
    if out is None:
        raise ValueError("--out: expected a folder to write to, got none")
    return out


def parse_worker(text: str) -> tuple[int, int]:
    """`I/N`, a share of the shards."""
    first, separator, second = text.partition("/")
    if not separator or not first.isdecimal() or not second.isdecimal() or int(first) >= int(second):
        raise ValueError(f"--worker: expected I/N with I from 0 to N - 1, got {text!r}")
    return int(first), int(second)
