"""The folder of a sweep: shards that are whole or absent, a description that is never mixed up, restarts.

What is solved is a `Work`; what is said about folders in `equilibrax.sweep` holds for every one.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import equilibrax
from equilibrax.records import remove_abandoned, whole_file
from equilibrax.status import status_names

FORMAT_VERSION = 1
"""Version of the folder's layout. A folder of a newer one is refused."""

MAX_SHARDS = 10**8  # eight digits, so that sorting by name sorts by shard

Solved = TypeVar("Solved")


@dataclass(frozen=True)
class SweepReport:
    """What one call of a sweep did. Everything but `shards` and `shards_before` is about this call alone.

    Attributes:
        shards: number of shards of the sweep.
        shards_before: how many were done before.
        shards_done: how many this call did.
        tables: tables, or markets, solved.
        rows: (table, committee) rows written, or (market, committee, user) rows.
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


@dataclass(frozen=True)
class Written:
    """Counts of a shard that is on disk."""

    tables: int
    rows: int
    statuses: Counter[int]
    retries: int = 0
    resolved: int = 0


@dataclass(frozen=True)
class Work(Generic[Solved]):
    """What a sweep solves.

    Attributes:
        unit: what is counted, and the name of the field of the configuration that counts it: "tables" or "markets".
        count: how many.
        shard_size: how many in a shard.
        rows_each: rows of results of each.
        inputs, results: the first words of the names of its files; those of results are written last.
        description: what `sweep.json` holds.
        solve: the ids of a shard to whatever `write` takes. Runs in the calling thread.
        write: writes the two files (inputs, results) of a shard. Runs in the writer's thread.
    """

    unit: str
    count: int
    shard_size: int
    rows_each: int
    inputs: str
    results: str
    description: dict[str, Any]
    solve: Callable[[range], Solved]
    write: Callable[[Path, Path, Solved], Written]

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.count // self.shard_size)

    def ids(self, shard: int) -> range:
        """Ids of a shard."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.count))


def run_work(
    work: Work[Any],
    directory: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
) -> SweepReport:
    """Do the shards that are missing; the arguments are those of `run_sweep`."""
    started = time.perf_counter()
    folder = _open(work, Path(directory))
    missing = [shard for shard in range(work.shards) if not _is_done(work, folder, shard)]
    if missing and not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"directory: expected a folder to write to, got {folder}")
    tally = _Tally(done=work.count - sum(len(work.ids(shard)) for shard in missing))
    first: tuple[float, int] = (0.0, 0)

    def finish(writing: Future[Written] | None) -> None:
        if writing is not None:
            tally.add(writing.result())
            if progress is not None:
                progress(tally.done, work.count)

    if progress is not None:
        progress(tally.done, work.count)
    writing: Future[Written] | None = None
    with ThreadPoolExecutor(1, "equilibrax-writer") as writer:  # leaving waits for the shard that is being written
        for shard in missing:
            if should_stop is not None and should_stop():
                break
            solved = work.solve(work.ids(shard))
            if not first[1]:
                first = (time.perf_counter() - started, len(work.ids(shard)))
            finish(writing)
            inputs, results = (_file(folder, kind, shard) for kind in (work.inputs, work.results))
            writing = writer.submit(work.write, inputs, results, solved)
            del solved  # the writer's alone, to be freed when it is written
        finish(writing)
    return SweepReport(
        shards=work.shards,
        shards_before=work.shards - len(missing),
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


class _Tally:
    """Counts of all shards of this call; `done` counts tables of earlier calls too."""

    def __init__(self, done: int):
        self.done = done
        self.shards = self.tables = self.rows = self.retries = self.resolved = 0
        self.statuses: Counter[int] = Counter()

    def add(self, shard: Written) -> None:
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


def count_statuses(status: np.ndarray, times: int = 1) -> Counter[int]:
    """How often every status occurs, `times` rows each."""
    codes, counts = np.unique(status, return_counts=True)
    return Counter(dict(zip(codes.tolist(), (counts * times).tolist())))


def _file(folder: Path, kind: str, shard: int) -> Path:
    return folder / f"{kind}-{shard:08}.parquet"


def _is_done(work: Work[Any], folder: Path, shard: int) -> bool:
    """Whether the shard's results are there, all of them: a sweep of fewer tables may have ended within it."""
    file = _file(folder, work.results, shard)
    try:
        rows = pq.read_metadata(file).num_rows
    except FileNotFoundError:
        return False
    except pa.ArrowInvalid as error:
        raise ValueError(f"{file}: expected a Parquet file, got: {error}; remove it to have it made again") from error
    return rows == len(work.ids(shard)) * work.rows_each


def _open(work: Work[Any], folder: Path) -> Path:
    """The folder, ready for shards: made, cleaned, and with the `sweep.json` of this work."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"directory: expected a folder, got the file {folder}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"directory: cannot make it: {error.strerror}", str(folder)) from error
    file = folder / "sweep.json"
    found = _read_description(file)
    if found is None:
        results = sorted(path.name for path in folder.glob(f"{work.results}*.parquet"))
        if results:
            raise ValueError(
                f"directory: expected the folder of a sweep or one without results, got {folder}, which has "
                f"{results[0]} but no sweep.json; use another folder"
            )
    else:
        _check_same(found, work.description, folder, work.unit)
    remove_abandoned(folder, rf"sweep\.json|(?:{work.inputs}|{work.results})-\d{{8}}\.parquet")
    if found != work.description:
        with whole_file(file) as out:
            out.write((json.dumps(work.description, indent=2, allow_nan=False) + "\n").encode())
    return folder


def describe(family_version: int, config: dict[str, Any]) -> dict[str, Any]:
    """What `sweep.json` holds."""
    return {
        "format": FORMAT_VERSION,
        "equilibrax": equilibrax.__version__,
        "family_version": family_version,
        "config": config,
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


def _check_same(found: dict[str, Any], wanted: dict[str, Any], folder: Path, unit: str) -> None:
    """Raise unless `found` describes the same sweep, or one of fewer `unit`."""
    before, now = ({**{k: v for k, v in d.items() if k != "config"}, **d["config"]} for d in (found, wanted))
    different = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    if different == [unit] and isinstance(before.get(unit), int) and before[unit] < now[unit]:
        return
    if different:
        came = "; ".join(f"{name} is {before.get(name)!r} there, {now.get(name)!r} here" for name in different)
        raise ValueError(f"directory: {folder} holds another sweep: {came}. Use another folder")
