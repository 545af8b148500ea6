"""Sweeps: any number of random tables, solved shard by shard into a folder, with restarts that lose nothing.

A sweep is a folder:

| file | what it holds |
|---|---|
| `sweep.json` | the configuration, with the versions of the format, of equilibrax and of the family |
| `tables-00000007.parquet` | the tables of shard 7, `table_rows` |
| `committees-00000007.parquet` | their results, `committee_rows` |

Shard i holds the tables with ids from `i * shard_size` up to, not including, `min((i + 1) * shard_size, tables)`. It
is done when its committees are there, which are written last. A process may be killed at any time: files appear
complete or not at all, and the same command goes on where the folder stops. Every file is a function of the
configuration (and of the versions of equilibrax, pyarrow and JAX, and the kind of device), so however often a sweep
was interrupted, it ends with the same bytes; two processes that work on one folder only waste time.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import equilibrax
from equilibrax.families import _check_known, _find, sample_tables
from equilibrax.partition_result import PartitionResult
from equilibrax.records import committee_rows, remove_abandoned, table_rows, whole_file, write_parquet
from equilibrax.result import SelectionResult
from equilibrax.solver import MAX_CAPACITY, TOLERANCE, TieBreak, check_game, solve
from equilibrax.status import status_names
from equilibrax.tables import MAX_PROVIDERS, UtilityTables

FORMAT_VERSION = 1
"""Version of the folder's layout. A folder of a newer one is refused."""

MAX_SHARD_ROWS = 2**22
"""Most rows, one per (table, committee), of a shard. Two shards are in memory at a time: about 3 GB at this limit."""

_MAX_SHARDS = 10**8  # eight digits, so that sorting by name sorts by shard
_FILES = r"sweep\.json|(?:tables|committees)-\d{8}\.parquet"


@dataclass(frozen=True)
class SweepConfig:
    """What to solve. Together with the versions in `sweep.json` it determines every byte of a sweep.

    Attributes:
        family: a family of random tables, see `families()`.
        tables: how many tables; the ids are 0 to `tables - 1`.
        states: X.
        actions: A.
        providers: K, 1 to 16; all `2**K - 1` committees are solved.
        seed: of the tables.
        parameters: the family's parameters as pairs (name, value); those left out have their defaults.
        tie_break: see `solve`.
        dynamics: whether to run best-response dynamics.
        misalignment: whether to compute misalignment scores and bounds.
        resolution: fixed-point steps per unit of utility.
        shard_size: tables per shard, at most `MAX_SHARD_ROWS` rows: the default up to 10 providers, 64 for 16.
        max_capacity: see `solve`; tables that need more get the status FRONTIER_OVERFLOW.
        game: see `solve`. Over partitions there is no misalignment, and the aligned game has no committees, tie rule
            and dynamics. Oblivious providers play partitions.
        obedience: see `solve`.
        rationality: the lambdas of quantal response; none is the best response.
        tolerance: see `solve`.
    """

    family: str = "uniform"
    tables: int = 10_000
    states: int = 3
    actions: int = 3
    providers: int = 5
    seed: int = 0
    parameters: tuple[tuple[str, float], ...] = ()
    tie_break: TieBreak = "incumbent"
    dynamics: bool = True
    misalignment: bool = True
    resolution: int = 10_000
    shard_size: int = 4096
    max_capacity: int = MAX_CAPACITY
    game: str = "selection"
    obedience: bool = False
    rationality: tuple[float, ...] = ()
    tolerance: float = TOLERANCE

    @property
    def response(self) -> Literal["best", "quantal"]:
        """How the user responds."""
        return "quantal" if self.rationality else "best"

    @property
    def rows_per_table(self) -> int:
        """Committees times lambdas."""
        return (1 if self.game == "aligned" else 2**self.providers - 1) * max(1, len(self.rationality))


@dataclass(frozen=True)
class SweepReport:
    """What one call of `run_sweep` did. Everything but `shards` and `shards_before` is about this call alone.

    Attributes:
        shards: number of shards of the sweep.
        shards_before: how many were done before.
        shards_done: how many this call did.
        tables: tables solved.
        rows: (table, committee) rows written.
        statuses: rows by the name of their status, the most frequent first.
        retries: how often a table was solved again with more room.
        resolved: misalignment scores that were solved again by HiGHS.
        seconds: wall-clock time, compilation included.
        first_seconds: the part of it up to the end of the first shard's solving, so with nearly all compilation.
        first_tables: tables of that shard.
    """

    shards: int
    shards_before: int
    shards_done: int
    tables: int
    rows: int
    statuses: dict[str, int]
    retries: int
    resolved: int
    seconds: float
    first_seconds: float
    first_tables: int

    @property
    def complete(self) -> bool:
        """Whether every shard is done."""
        return self.shards_before + self.shards_done == self.shards

    @property
    def tables_per_second(self) -> float:
        """Throughput after the first shard, which compiles; of everything if there was no other; 0 of nothing."""
        if self.tables > self.first_tables:
            return (self.tables - self.first_tables) / (self.seconds - self.first_seconds)
        return self.tables / self.seconds if self.tables else 0.0


def run_sweep(
    config: SweepConfig,
    directory: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> SweepReport:
    """Draw and solve random tables and write them to a folder, or go on with what an earlier call has begun.

    Shards that are done are not touched. While a shard is solved, the one before is written. Memory does not depend on
    the number of tables. Tables that cannot be solved stop nothing; their `status` says why, and the report counts
    them.

    The same folder may be continued with more `tables`; the last shard, if it was not full, is then solved again. Any
    other difference, in configuration or versions, is an error.

    Args:
        config: what to solve.
        directory: the folder, made if need be. Other files in it are left alone.
        progress: called with the number of tables done and the number of all tables, at the start and after each
            shard, in the calling thread.
        should_stop: asked before every shard; if true, the call ends early, with a report that is not `complete`.

    Returns:
        Counts and times of this call.

    Raises:
        ValueError: on a bad configuration, a path that is no folder, a folder of another sweep or of a newer format, or
            one that has results but no `sweep.json`.
        OSError: of the fitting kind, with the path in it, if a file cannot be written.
        KeyboardInterrupt: on Ctrl-C, after the shard that is being written.

    Example:
        >>> import tempfile
        >>> config = SweepConfig(tables=10, states=2, actions=2, providers=2, shard_size=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = run_sweep(config, folder)
        ...     again = run_sweep(config, folder)
        ...     sorted(path.name for path in Path(folder).glob("committees-*"))
        ['committees-00000000.parquet', 'committees-00000001.parquet']
        >>> report.rows, report.statuses, report.complete
        (30, {'OK': 30}, True)
        >>> again.shards_before, again.tables
        (2, 0)
    """
    started = time.perf_counter()
    validate(config)
    folder = _open(config, Path(directory))
    shards = _shards(config)
    missing = [shard for shard in range(shards) if not _is_done(config, folder, shard)]
    if missing and not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"directory: expected a folder to write to, got {folder}")
    tally = _Tally(done=config.tables - sum(len(_ids(config, shard)) for shard in missing))
    first: tuple[float, int] = (0.0, 0)

    def finish(writing: Future[_Written] | None) -> None:
        if writing is not None:
            tally.add(writing.result())
            if progress is not None:
                progress(tally.done, config.tables)

    if progress is not None:
        progress(tally.done, config.tables)
    writing: Future[_Written] | None = None
    with ThreadPoolExecutor(1, "equilibrax-writer") as writer:  # leaving waits for the shard that is being written
        for shard in missing:
            if should_stop is not None and should_stop():
                break
            tables, result = _solve(config, shard)
            if not first[1]:
                first = (time.perf_counter() - started, len(result.table_id))
            finish(writing)
            writing = writer.submit(_write, folder, shard, tables, result)
            del tables, result  # the writer's alone, to be freed when it is written
        finish(writing)
    return SweepReport(
        shards=shards,
        shards_before=shards - len(missing),
        shards_done=tally.shards,
        tables=tally.tables,
        rows=tally.rows,
        statuses=tally.by_name(),
        retries=tally.retries,
        resolved=tally.resolved,
        seconds=time.perf_counter() - started,
        first_seconds=first[0],
        first_tables=first[1],
    )


def validate(config: SweepConfig) -> None:
    """Check a configuration. The tables of the first shard are drawn, because only a family knows its parameters.

    Raises:
        ValueError: naming the field, what was expected and what came.

    Example:
        >>> validate(SweepConfig(tables=0))
        Traceback (most recent call last):
        ...
        ValueError: tables: expected a whole number of at least 1, got 0
    """
    for name in ("tables", "states", "actions", "resolution", "shard_size", "max_capacity"):
        _check_whole(name, getattr(config, name), 1)
    _check_whole("providers", config.providers, 1, MAX_PROVIDERS)
    _check_whole("seed", config.seed, 0)
    for name in ("dynamics", "misalignment"):
        if not isinstance(getattr(config, name), bool):
            raise ValueError(f"{name}: expected True or False, got {getattr(config, name)!r}")
    if config.tie_break not in get_args(TieBreak):
        choices = ", ".join(map(repr, get_args(TieBreak)))
        raise ValueError(f"tie_break: expected one of {choices}, got {config.tie_break!r}")
    _check_game(config)
    rows = config.rows_per_table
    if min(config.shard_size, config.tables) * rows > MAX_SHARD_ROWS:
        what = f"{rows} committees each" if not config.rationality else f"{rows} committees and lambdas each"
        raise ValueError(
            f"shard_size: expected at most {MAX_SHARD_ROWS // rows} tables for {config.providers} providers "
            f"({what}, {MAX_SHARD_ROWS} rows), got {config.shard_size}"
        )
    if _shards(config) > _MAX_SHARDS:
        least = -(-config.tables // _MAX_SHARDS)
        raise ValueError(f"shard_size: expected at least {least} for {config.tables} tables, got {config.shard_size}")
    _check_parameters(config)
    _draw(config, 0)


def _check_game(config: SweepConfig) -> None:
    if not isinstance(config.obedience, bool):
        raise ValueError(f"obedience: expected True or False, got {config.obedience!r}")
    if not isinstance(config.rationality, tuple):
        raise ValueError(f"rationality: expected a tuple of numbers, got {config.rationality!r}")
    rationality = config.rationality or None
    check_game(config.game, config.response, rationality, config.tolerance, config.obedience)
    if config.game != "selection" and config.tie_break != "incumbent":
        raise ValueError(f"tie_break: expected nothing in the game {config.game}, got {config.tie_break!r}")


def _check_whole(name: str, value: Any, low: int, high: int | None = None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        limits = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name}: expected a whole number {limits}, got {value!r}")


def _check_parameters(config: SweepConfig) -> None:
    try:
        pairs = [(name, value) for name, value in config.parameters]
    except (TypeError, ValueError):
        raise ValueError(f"parameters: expected pairs (name, value), got {config.parameters!r}") from None
    for name, value in pairs:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not isinstance(name, str) or not real or not math.isfinite(value):
            raise ValueError(f"parameters: expected a name and a finite number, got {(name, value)!r}")
        if [other for other, _ in pairs].count(name) > 1:
            raise ValueError(f"parameters: expected every name once, got {name!r} again")
    _check_known(dict(pairs), _find(config.family))


# --- shards -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Written:
    """Counts of a shard that is on disk."""

    tables: int
    rows: int
    statuses: Counter[int]
    retries: int
    resolved: int


class _Tally:
    """Counts of all shards of this call; `done` counts tables of earlier calls too."""

    def __init__(self, done: int):
        self.done = done
        self.shards = self.tables = self.rows = self.retries = self.resolved = 0
        self.statuses: Counter[int] = Counter()

    def add(self, shard: _Written) -> None:
        self.done += shard.tables
        self.shards += 1
        self.tables += shard.tables
        self.rows += shard.rows
        self.retries += shard.retries
        self.resolved += shard.resolved
        self.statuses += shard.statuses

    def by_name(self) -> dict[str, int]:
        common = self.statuses.most_common()
        names = status_names(np.array([status for status, _ in common], np.int32))
        return {name: count for name, (_, count) in zip(names.tolist(), common)}


def _shards(config: SweepConfig) -> int:
    return -(-config.tables // config.shard_size)


def _ids(config: SweepConfig, shard: int) -> range:
    """Table ids of a shard."""
    return range(shard * config.shard_size, min((shard + 1) * config.shard_size, config.tables))


def _draw(config: SweepConfig, shard: int) -> UtilityTables:
    ids = _ids(config, shard)
    count = min(config.shard_size, config.tables)  # as many for a last, smaller shard: another count compiles anew
    tables = sample_tables(
        config.family,
        count,
        states=config.states,
        actions=config.actions,
        providers=config.providers,
        seed=config.seed,
        start=ids.stop - count,
        resolution=config.resolution,
        **dict(config.parameters),
    )
    return tables if len(ids) == count else tables[count - len(ids) :]


def _solve(config: SweepConfig, shard: int) -> tuple[UtilityTables, SelectionResult | PartitionResult]:
    tables = _draw(config, shard)
    options: dict[str, Any] = {"tie_break": config.tie_break, "throw": False}
    if config.game not in ("aligned", "oblivious"):
        options["dynamics"] = config.dynamics
    if config.game == "selection" and not config.obedience:
        options |= {"misalignment": config.misalignment, "max_capacity": config.max_capacity}
    else:
        options |= {"obedience": config.obedience, "response": config.response, "tolerance": config.tolerance}
        options["rationality"] = config.rationality or None
    return tables, solve(tables, game=config.game, **options)


def _write(folder: Path, shard: int, tables: UtilityTables, result: SelectionResult | PartitionResult) -> _Written:
    """Write a shard, its committees last. Runs in the writer's thread."""
    write_parquet(table_rows(tables), folder / f"tables-{shard:08}.parquet")
    write_parquet(committee_rows(result), _committees_file(folder, shard))
    codes, counts = np.unique(result.status, return_counts=True)
    return _Written(
        tables=len(result.table_id),
        rows=result.status.size,
        statuses=Counter(dict(zip(codes.tolist(), counts.tolist()))),
        retries=int(result.retries.sum()),
        resolved=result.fit.resolved if isinstance(result, SelectionResult) and result.fit is not None else 0,
    )


def _committees_file(folder: Path, shard: int) -> Path:
    return folder / f"committees-{shard:08}.parquet"


def _is_done(config: SweepConfig, folder: Path, shard: int) -> bool:
    """Whether the shard's committees are there, all of them: a sweep of fewer tables may have ended within it."""
    file = _committees_file(folder, shard)
    try:
        rows = pq.read_metadata(file).num_rows
    except FileNotFoundError:
        return False
    except pa.ArrowInvalid as error:
        raise ValueError(f"{file}: expected a Parquet file, got: {error}; remove it to have it made again") from error
    return rows == len(_ids(config, shard)) * config.rows_per_table


# --- the folder ---------------------------------------------------------------------------------------------


def _open(config: SweepConfig, folder: Path) -> Path:
    """The folder, ready for shards: made, cleaned, and with the `sweep.json` of this configuration."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"directory: expected a folder, got the file {folder}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"directory: cannot make it: {error.strerror}", str(folder)) from error
    file = folder / "sweep.json"
    description = _describe(config)
    found = _read_description(file)
    if found is None:
        results = sorted(path.name for path in folder.glob("committees*.parquet"))
        if results:
            raise ValueError(
                f"directory: expected the folder of a sweep or one without results, got {folder}, which has "
                f"{results[0]} but no sweep.json; use another folder"
            )
    else:
        _check_same(found, description, folder)
    remove_abandoned(folder, _FILES)
    if found != description:
        with whole_file(file) as out:
            out.write((json.dumps(description, indent=2, allow_nan=False) + "\n").encode())
    return folder


def _describe(config: SweepConfig) -> dict[str, Any]:
    """What `sweep.json` holds."""
    described = {**asdict(config), "parameters": dict(sorted(config.parameters))}
    described["rationality"] = [str(float(r)) for r in config.rationality]  # JSON has no infinity
    for name in ("game", "obedience", "rationality", "tolerance"):  # as before there were other games than selection
        if getattr(config, name) == getattr(SweepConfig, name):
            del described[name]
    return {
        "format": FORMAT_VERSION,
        "equilibrax": equilibrax.__version__,
        "family_version": _find(config.family).version,
        "config": described,
    }


def _read_description(file: Path) -> dict[str, Any] | None:
    """The contents of `sweep.json`, None if there is none."""
    try:
        found = json.loads(file.read_bytes())
        version = found["format"]
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise _Newer(
                f"{file}: expected a format of at most {FORMAT_VERSION}, got {version}; this folder was made by a "
                f"newer equilibrax ({found.get('equilibrax')}), this one is {equilibrax.__version__}"
            )
        if not isinstance(found["config"], dict):
            raise TypeError("config is not an object")
    except FileNotFoundError:
        return None
    except _Newer:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file}: expected the description of a sweep, got something else ({error}); use another folder"
        ) from error
    return found


class _Newer(ValueError):
    """A folder of a format of the future."""


def _check_same(found: dict[str, Any], wanted: dict[str, Any], folder: Path) -> None:
    """Raise unless `found` describes the same sweep, or one of fewer tables."""
    before, now = ({**{k: v for k, v in d.items() if k != "config"}, **d["config"]} for d in (found, wanted))
    different = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    if different == ["tables"] and isinstance(before.get("tables"), int) and before["tables"] < now["tables"]:
        return
    if different:
        came = "; ".join(f"{name} is {before.get(name)!r} there, {now.get(name)!r} here" for name in different)
        raise ValueError(f"directory: {folder} holds another sweep: {came}. Use another folder")
