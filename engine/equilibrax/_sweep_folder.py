"""The folder of a sweep: shards that are done or not, a description that is never mixed up, restarts.

What is solved is a `Work`; what is said about folders in `equilibrax.sweep` holds for every one.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

import equilibrax
from equilibrax._batching import steady_shapes
from equilibrax._folder_layout import (
    CLOSING,
    DESCRIPTION,
    FORMAT_VERSION,
    RECORDS,
    Layout,
    first_results,
    read_layout,
    read_record,
)
from equilibrax._git import git_revision
from equilibrax._splits import split_of
from equilibrax.merging import close
from equilibrax.records import remove_abandoned, whole_file, write_summed
from equilibrax.status import status_names

MAX_SHARDS = 10**8  # eight digits, so that sorting by name sorts by shard

Solved = TypeVar("Solved")


@dataclass(frozen=True)
class SweepReport:
    """What one call of a sweep did. Everything but `shards` and `shards_before` is about this call alone.

    Attributes:
        shards: number of shards of the sweep, or of this process's share of it.
        shards_before: how many of them were done before.
        shards_done: how many this call did.
        tables: tables, or markets, solved.
        rows: (table, committee) rows written, or (market, committee, user) rows.
        statuses: rows by the name of their status, the most frequent first.
        retries: how often a table was solved again with more room.
        resolved: misalignment scores that were solved again by HiGHS.
        seconds: wall-clock time, compilation included.
        first_seconds: the part of it up to the end of the first shard's solving, so with nearly all compilation.
        first_tables: tables of that shard.
        short: tables that were asked for and not found, see `SweepConfig.stratify`.
        closed: whether all shards, of every process, are done, and manifest, card and metadata are written.
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
    short: int = 0
    closed: bool = False

    @property
    def complete(self) -> bool:
        """Whether every shard, of this process's share, is done."""
        return self.shards_before + self.shards_done == self.shards

    @property
    def tables_per_second(self) -> float:
        """Throughput after the first shard, which compiles; of everything if there was no other; 0 of nothing."""
        if self.tables > self.first_tables:
            return (self.tables - self.first_tables) / (self.seconds - self.first_seconds)
        return self.tables / self.seconds if self.tables else 0.0


@dataclass(frozen=True)
class Rows:
    """What is written about a shard.

    Attributes:
        inputs, results: its rows; every row of results has the id of a row of inputs.
        statuses: rows by status.
        retries, resolved: see `SweepReport`.
        more: what its record says besides.
    """

    inputs: pa.Table
    results: pa.Table
    statuses: Counter[int]
    retries: int = 0
    resolved: int = 0
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work(Generic[Solved]):
    """What a sweep solves.

    Attributes:
        unit: what is counted, and the name of the field of the configuration that counts it: "tables" or "markets".
        inputs, results: names of the folders of its files.
        config: the configuration as JSON, with `seed`, `shard_size` and `unit` in it, and perhaps `splits`, the shares
            of train, validation and test, and `licence`.
        version: of what is drawn.
        solve: the ids of a shard to whatever `rows` takes. Runs in the calling thread.
        rows: what is written of it. Runs in the writer's thread.
        key: the column of both inputs and results that holds the id.
    """

    unit: str
    inputs: str
    results: str
    config: dict[str, Any]
    version: Any
    solve: Callable[[range], Solved]
    rows: Callable[[Solved], Rows]
    key: str = "table_id"

    @property
    def description(self) -> dict[str, Any]:
        """What `sweep.json` holds."""
        layout = {"unit": self.unit, "inputs": self.inputs, "results": self.results, "key": self.key}
        described = {
            "format": FORMAT_VERSION,
            "equilibrax": equilibrax.__version__,
            "git_revision": git_revision(),
            "family_version": self.version,
            "layout": layout,
            "config": self.config,
        }
        return json.loads(json.dumps(described, allow_nan=False))


def run_work(
    work: Work[Any],
    directory: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
    share: tuple[int, int] = (0, 1),
) -> SweepReport:
    """Do the shards that are missing of share i of n, those whose number is i modulo n, and close a complete folder.

    The arguments are those of `run_sweep`.
    """
    started = time.perf_counter()
    layout = open_folder(work, Path(directory))
    mine = range(share[0], layout.shards, share[1])
    missing = [shard for shard in mine if read_record(layout, shard) is None]
    if missing and not os.access(layout.folder, os.W_OK | os.X_OK):
        raise PermissionError(
            errno.EACCES, f"directory: expected a folder to write to; {_HOW[errno.EACCES]}", str(directory)
        )
    total = sum(len(layout.ids(shard)) for shard in mine)
    tally = _Tally(done=total - sum(len(layout.ids(shard)) for shard in missing))
    first: tuple[float, int] = (0.0, 0)

    def finish(writing: Future[tuple[Rows, int]] | None) -> None:
        if writing is not None:
            with saying_how_to_go_on():
                tally.add(*writing.result())
            if progress is not None:
                progress(tally.done, total)

    if progress is not None:
        progress(tally.done, total)
    writing: Future[tuple[Rows, int]] | None = None
    with ThreadPoolExecutor(1, "equilibrax-writer") as writer:  # leaving waits for the shard that is being written
        for shard in missing:
            if should_stop is not None and should_stop():
                break
            solved = solve_shard(work, layout, shard)
            if not first[1]:
                first = (time.perf_counter() - started, len(layout.ids(shard)))
            finish(writing)
            writing = writer.submit(_write_shard, work, layout, shard, solved)
            del solved  # the writer's alone, to be freed when it is written
        finish(writing)
    with saying_how_to_go_on():
        closed = close(layout)
    return SweepReport(
        shards=len(mine),
        shards_before=len(mine) - len(missing),
        shards_done=tally.shards,
        tables=tally.tables,
        rows=tally.rows,
        statuses=tally.by_name(),
        retries=tally.retries,
        resolved=tally.resolved,
        seconds=time.perf_counter() - started,
        first_seconds=first[0],
        first_tables=first[1],
        short=tally.short,
        closed=closed,
    )


def do_shard(work: Work[Any], layout: Layout, shard: int) -> dict[str, Any]:
    """Solve and write one shard unless it is done, wherever the folder is shared; what its record says."""
    record = read_record(layout, shard)
    if record is None:
        with saying_how_to_go_on():
            _write_shard(work, layout, shard, solve_shard(work, layout, shard))
        record = json.loads(layout.record(shard).read_bytes())
    return record


def solve_shard(work: Work[Any], layout: Layout, shard: int) -> Any:
    """What is written of a shard, the same on any number of devices."""
    with steady_shapes():
        return work.solve(layout.ids(shard))


class _Tally:
    """Counts of all shards of this call; `done` counts tables of earlier calls too."""

    def __init__(self, done: int):
        self.done = done
        self.shards = self.tables = self.rows = self.retries = self.resolved = self.short = 0
        self.statuses: Counter[int] = Counter()

    def add(self, shard: Rows, asked: int) -> None:
        self.done += asked
        self.shards += 1
        self.tables += shard.inputs.num_rows
        self.rows += shard.results.num_rows
        self.retries += shard.retries
        self.resolved += shard.resolved
        self.short += asked - shard.inputs.num_rows
        self.statuses += shard.statuses

    def by_name(self) -> dict[str, int]:
        return _by_name(self.statuses)


def count_statuses(status: np.ndarray, times: int = 1) -> Counter[int]:
    """How often every status occurs, `times` rows each."""
    codes, counts = np.unique(status, return_counts=True)
    return Counter(dict(zip(codes.tolist(), (counts * times).tolist())))


def _by_name(statuses: Counter[int]) -> dict[str, int]:
    common = sorted(statuses.items(), key=lambda item: (-item[1], item[0]))
    names = status_names(np.array([status for status, _ in common], np.int32))
    return {name: count for name, (_, count) in zip(names.tolist(), common)}


# --- writing a shard ----------------------------------------------------------------------------------------


def _write_shard(work: Work[Any], layout: Layout, shard: int, solved: Any) -> tuple[Rows, int]:
    """Write all files of a shard, then its record; what was written, and how many tables were asked for."""
    rows, ids = work.rows(solved), layout.ids(shard)
    record = layout.record(shard)
    if record.exists() and read_record(layout, shard) is None:
        record.unlink(missing_ok=True)  # about fewer tables, or about files that are gone
    files: dict[str, Any] = {}
    for kind, table in ((work.inputs, rows.inputs), (work.results, rows.results)):
        split = split_of(table[work.key].to_numpy(), layout.seed, layout.shares)
        for position, name in enumerate(layout.files(shard, kind)):
            part = table.filter(pa.array(split == position)) if len(layout.splits) > 1 else table
            size, digest = write_summed(part, layout.folder / name)
            files[name] = {"rows": part.num_rows, "bytes": size, "sha256": digest}
    said = {
        "shard": shard,
        "configuration": layout.fingerprint,
        "ids": [ids.start, ids.stop],
        work.unit: rows.inputs.num_rows,
        "rows": rows.results.num_rows,
        "statuses": _by_name(rows.statuses),
        "retries": rows.retries,
        "resolved": rows.resolved,
        **rows.more,
        "files": files,
    }
    with whole_file(record) as out:
        out.write((json.dumps(said, indent=1, allow_nan=False) + "\n").encode())
    return rows, len(ids)


_AGAIN = "every shard that was done is whole; give the same command again to go on"
_HOW = {
    errno.ENOSPC: f"make room; {_AGAIN}",
    errno.EDQUOT: f"make room; {_AGAIN}",
    errno.EACCES: f"make it writable; {_AGAIN}",
    errno.EPERM: f"make it writable; {_AGAIN}",
    errno.EROFS: f"make it writable; {_AGAIN}",
}


@contextmanager
def saying_how_to_go_on() -> Iterator[None]:
    """Errors of the operating system, with what to do about them."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        how = _HOW.get(error.errno, _AGAIN)
        raise OSError(error.errno, f"{error.strerror}; {how}", error.filename) from error


# --- opening the folder -------------------------------------------------------------------------------------


def open_folder(work: Work[Any], folder: Path) -> Layout:
    """The folder, ready for shards: made, cleaned, and with the `sweep.json` of this work."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"directory: expected a folder, got the file {folder}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"directory: cannot make it: {error.strerror}", str(folder)) from error
    found, wanted = read_layout(folder), Layout(folder, work.description)
    if found is None:
        for name in first_results(folder):
            raise ValueError(
                f"directory: expected the folder of a sweep or one without results, got {folder}, which has {name} but "
                f"no {DESCRIPTION}; use another folder"
            )
        described = True
    else:
        described = _check_same(found, wanted)
    _remove_abandoned(folder, work)
    if described:
        with saying_how_to_go_on():
            for name in CLOSING:  # true of fewer tables
                (folder / name).unlink(missing_ok=True)
            with whole_file(folder / DESCRIPTION) as out:
                out.write((json.dumps(wanted.description, indent=2, allow_nan=False) + "\n").encode())
    layout = read_layout(folder) or wanted
    _check_same(layout, wanted)  # another process, of another sweep, may have begun at the same time
    if os.access(folder, os.W_OK | os.X_OK):
        with saying_how_to_go_on():
            for name in (work.inputs, work.results, RECORDS):
                (folder / name).mkdir(exist_ok=True)
    return layout


def _remove_abandoned(folder: Path, work: Work[Any]) -> None:
    """What killed processes have left: files under temporary names that nobody holds a lock on, whatever their age."""
    remove_abandoned(folder, "|".join(map(str, (DESCRIPTION, *CLOSING))).replace(".", r"\."))
    for name, pattern in (
        (work.inputs, r"[a-z]+-\d{8}\.parquet"),
        (work.results, r"[a-z]+-\d{8}\.parquet"),
        (RECORDS, r"\d{8}\.json"),
    ):
        if (folder / name).is_dir():
            remove_abandoned(folder / name, pattern)


def _check_same(found: Layout, wanted: Layout) -> bool:
    """Raise unless `found` describes the same sweep, or one of fewer tables; whether it is of fewer."""
    before, now = (
        {**{k: v for k, v in d.items() if k not in ("config", "git_revision")}, **d["config"]}
        for d in (found.description, wanted.description)
    )
    different = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    unit = wanted.unit
    if different == [unit] and isinstance(before.get(unit), int) and before[unit] < now[unit]:
        return True
    if different:
        came = "; ".join(f"{name} is {before.get(name)!r} there, {now.get(name)!r} here" for name in different)
        raise ValueError(f"directory: {wanted.folder} holds another sweep: {came}. Use another folder")
    return False
