"""The folder of a sweep: shards that are done or not, a description that is never mixed up, restarts.

What is solved is a `Work`; what is said about folders in `equilibrax.datasets.sweep` holds for every one.
"""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equilibrax._core.files import locked, locks_work, make_folder, write_whole
from equilibrax.datasets._layout import (
    CLOSING,
    DESCRIPTION,
    PATIENCE,
    RECORDS,
    Layout,
    check_not_of_others,
    described,
    first_others,
    first_results,
    read_layout,
    read_record,
    remove_leftovers,
)
from equilibrax.datasets._os_errors import HOW, saying_how_to_go_on
from equilibrax.datasets._pipeline import Rows, Work, count_statuses, do_shard, do_shards
from equilibrax.datasets.finalize import close

MAX_SHARDS = 10**8  # eight digits, so that sorting by name sorts by shard

__all__ = ["MAX_SHARDS", "Rows", "SweepReport", "Work", "count_statuses", "do_shard", "open_folder", "run_work"]


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
        first_seconds: the part of it up to the end of the first shard's solving, so with nearly all compilation; 0 if
            other processes have solved.
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


def run_work(
    work: Work[Any],
    directory: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
    share: tuple[int, int] = (0, 1),
    do: Callable[..., Generator[dict[str, Any], None, None]] = do_shards,
    allow_versions: bool = False,
) -> SweepReport:
    """Do the shards that are missing of share i of n, those whose number is i modulo n, and close a complete folder.

    The other arguments are those of `run_sweep`; `do` is where they are done: `do_shards` here, or elsewhere.
    """
    started = time.perf_counter()
    made: set[str] = set()
    try:
        with ExitStack() as held:
            with locked(_made_folder(Path(directory)), PATIENCE):
                layout = _open(work, Path(directory), allow_versions, made)
                held.enter_context(locked(layout.folder / DESCRIPTION, PATIENCE, shared=True))
            return _run(work, layout, progress, should_stop, share, do, started)
    except ValueError:
        _leave_nothing(Path(directory), work, made)
        raise


def _run(
    work: Work[Any],
    layout: Layout,
    progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
    share: tuple[int, int],
    do: Callable[..., Generator[dict[str, Any], None, None]],
    started: float,
) -> SweepReport:
    directory = layout.folder
    mine = range(share[0], layout.shards, share[1])
    missing = [shard for shard in mine if read_record(layout, shard) is None]
    if missing and not os.access(layout.folder, os.W_OK | os.X_OK):
        raise PermissionError(
            errno.EACCES, f"directory: expected a folder to write to; {HOW[errno.EACCES]}", str(directory)
        )
    total = sum(len(layout.ids(shard)) for shard in mine)
    tally = _Tally(done=total - sum(len(layout.ids(shard)) for shard in missing))
    first: list[tuple[float, int]] = []

    def solved(shard: int) -> None:
        if not first:
            first.append((time.perf_counter() - started, len(layout.ids(shard))))

    if progress is not None:
        progress(tally.done, total)
    with closing(do(work, layout, missing, should_stop, solved)) as records:
        for record in records:
            tally.add(record, layout.unit)
            if progress is not None:
                progress(tally.done, total)
    first_seconds, first_tables = first[0] if first else (0.0, 0)
    if tally.shards:
        remove_leftovers(layout)  # of processes that were killed meanwhile
    with saying_how_to_go_on():
        closed = close(layout)
    return SweepReport(
        shards=len(mine),
        shards_before=len(mine) - len(missing),
        shards_done=tally.shards,
        tables=tally.tables,
        rows=tally.rows,
        statuses=tally.in_order(),
        retries=tally.retries,
        resolved=tally.resolved,
        seconds=time.perf_counter() - started,
        first_seconds=first_seconds,
        first_tables=first_tables,
        short=tally.short,
        closed=closed,
    )


def check_share(share: Any) -> None:
    """Refuse what is not (i, n), a process's share of the shards."""
    pair = isinstance(share, tuple) and len(share) == 2 and all(type(number) is int for number in share)
    if not pair or not 0 <= share[0] < share[1]:
        raise ValueError(f"worker: expected (i, n) with 0 <= i < n, got {share!r}")


def _leave_nothing(folder: Path, work: Work[Any], made: set[str]) -> None:
    """What cannot be solved is no sweep: what this process has made is removed, unless others have begun to use it."""
    description, records = folder / DESCRIPTION, folder / RECORDS
    if DESCRIPTION not in made or (records.is_dir() and any(records.iterdir())) or not locks_work(folder):
        return
    with suppress(OSError), locked(folder, PATIENCE) as had, locked(description) as alone:
        found = read_layout(folder) if had and alone else None
        if found is not None and found.description == work.description:  # not of more tables, by another process
            description.unlink(missing_ok=True)
            for name in (*found.kinds, RECORDS):
                if name in made:
                    with suppress(OSError):
                        (folder / name).rmdir()


class _Tally:
    """Counts of all shards of this call; `done` counts tables of earlier calls too."""

    def __init__(self, done: int):
        self.done = done
        self.shards = self.tables = self.rows = self.retries = self.resolved = self.short = 0
        self.statuses: Counter[str] = Counter()

    def add(self, record: dict[str, Any], unit: str) -> None:
        asked = record["ids"][1] - record["ids"][0]
        self.done += asked
        self.shards += 1
        self.tables += record[unit]
        self.rows += record["rows"]
        self.retries += record["retries"]
        self.resolved += record["resolved"]
        self.short += asked - record[unit]
        self.statuses.update(record["statuses"])

    def in_order(self) -> dict[str, int]:
        return dict(sorted(self.statuses.items(), key=lambda item: (-item[1], item[0])))


# --- opening the folder -------------------------------------------------------------------------------------


def open_folder(work: Work[Any], folder: Path, allow_versions: bool = False) -> Layout:
    """The folder, ready for shards: made, cleaned, and with the `sweep.json` of this work."""
    with locked(_made_folder(folder), PATIENCE):
        return _open(work, folder, allow_versions, set())


def _made_folder(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"directory: expected a folder, got the file {folder}")
    try:
        make_folder(folder)
    except OSError as error:
        raise OSError(error.errno, f"directory: cannot make it: {error.strerror}", str(folder)) from error
    return folder


def _open(work: Work[Any], folder: Path, allow_versions: bool, made: set[str]) -> Layout:
    """As `open_folder`, while its lock is held; what is made in it is added to `made`."""
    found, wanted = read_layout(folder), Layout(folder, work.description)
    if found is None:
        for name in first_results(folder):
            raise ValueError(
                f"directory: expected the folder of a sweep or one without results, got {folder}, which has {name} but "
                f"no {DESCRIPTION}; use another folder"
            )
        for name in first_others(folder, (*wanted.kinds, RECORDS)):
            raise ValueError(
                f"directory: expected the folder of a sweep, an empty one or none, got {folder}, which has {name} but "
                f"no {DESCRIPTION}; files of its own would be replaced: use another folder"
            )
        changed = True
    else:
        changed = check_same(found, wanted, allow_versions)
        wanted = Layout(folder, {**wanted.description, "made_with": found.made_with})
        check_not_of_others(found)
    remove_leftovers(wanted)
    if changed or not (folder / DESCRIPTION).exists():
        with saying_how_to_go_on():
            if changed:
                for name in CLOSING:  # true of fewer tables
                    (folder / name).unlink(missing_ok=True)
            if not (folder / DESCRIPTION).exists():
                made.add(DESCRIPTION)
            write_whole(folder / DESCRIPTION, described(wanted.description))
    layout = read_layout(folder) or wanted
    check_same(layout, wanted, allow_versions)  # another process, of another sweep, may have begun at the same time
    if os.access(folder, os.W_OK | os.X_OK):
        with saying_how_to_go_on():
            for name in (*layout.kinds, RECORDS):
                if make_folder(folder / name):
                    made.add(name)
    return layout


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with the options of its game, if it is one, beside the others."""
    game = config.get("game")
    options = {name: value for name, value in game.items() if name != "name"} if isinstance(game, dict) else {}
    return {**config, **options, "game": game["name"] if isinstance(game, dict) else game}


def check_same(found: Layout, wanted: Layout, allow_versions: bool = False) -> bool:
    """Raise unless `found` describes the same sweep, or one of fewer tables; whether it is of fewer."""
    before, now = (
        {**{k: v for k, v in d.items() if k not in ("config", "git_revision", "made_with")}, **_flat(d["config"])}
        for d in (found.description, wanted.description)
    )
    different = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    unit = wanted.unit
    more = different == [unit] and isinstance(before.get(unit), int) and before[unit] < now[unit]
    if different and not more:
        came = "; ".join(f"{name} is {before.get(name)!r} there, {now.get(name)!r} here" for name in different)
        raise ValueError(f"directory: {wanted.folder} holds another sweep: {came}. Use another folder")
    if not allow_versions and found.made_with != wanted.made_with:
        names = {**wanted.made_with, **found.made_with}
        pairs = [(name, found.made_with.get(name), wanted.made_with.get(name)) for name in names]
        came = "; ".join(f"{name} is {there!r} there, {here!r} here" for name, there, here in pairs if there != here)
        raise ValueError(
            f"directory: {wanted.folder} was made with others: {came}. Use those, another folder, or --allow-versions "
            "(allow_versions=True), which notes it in every shard's record: bytes may then differ"
        )
    return more
