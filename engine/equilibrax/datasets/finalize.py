"""Merging: checking that all shards of a dataset are there, and writing what describes it as a whole.

Processes that fill a folder together (`worker` of `run_sweep`) need no coordinator. `merge` reads what each shard says
of itself, checks that, and closes the folder: it writes `manifest.json`, which lists every file with its SHA-256, the
dataset card `README.md`, and the metadata `croissant.json`. They are functions of `sweep.json` and the shards alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from equilibrax._core.columns import columns_of
from equilibrax._core.files import locked, whole_file, write_whole
from equilibrax.datasets._card import dataset_card
from equilibrax.datasets._croissant import croissant
from equilibrax.datasets._layout import (
    CLOSING,
    DESCRIPTION,
    PATIENCE,
    Layout,
    check_not_of_others,
    described,
    find_faults,
    read_layout,
    read_record,
    recorded,
    remove_leftovers,
)

_NAMED = 20  # faults and shards that are named; the others are counted


@dataclass(frozen=True)
class MergeReport:
    """What a folder holds.

    Attributes:
        shards: how many there should be.
        missing: how many of them are not done.
        first_missing: the first of those, up to 20.
        faulty: how many shards are not as they say.
        faults: what is wrong with them, file by file, up to 20.
        checked: whether every byte was read.
    """

    shards: int
    missing: int
    first_missing: tuple[int, ...]
    faulty: int
    faults: tuple[str, ...]
    checked: bool

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and nothing wrong; only then is the folder closed."""
        return not self.missing and not self.faulty


def merge(
    directory: str | os.PathLike[str],
    *,
    check: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> MergeReport:
    """Check that every shard of a sweep is there and as it should be, and if so write what describes all of them.

    Args:
        directory: the folder of a sweep.
        check: whether to read every file and compare its SHA-256 with its shard's record; else only sizes are compared.
        progress: called with the number of shards looked at and of all shards.

    Returns:
        What is missing or wrong. The folder is closed if it is `complete`.

    Raises:
        ValueError: if it is no folder of a sweep, or of another format.
        OSError: of the fitting kind, with the path in it, if a file cannot be read or written.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> config = eq.SweepConfig(tables=20, states=2, actions=2, providers=2, shard_size=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = eq.run_sweep(config, folder, worker=(0, 2))
        ...     half = eq.datasets.merge(folder)
        ...     report = eq.run_sweep(config, folder, worker=(1, 2))
        ...     whole = eq.datasets.merge(folder, check=True)
        >>> half.first_missing, half.complete, whole.complete
        ((1,), False, True)
    """
    folder = Path(directory)
    while True:
        layout = read_layout(folder)
        if layout is None:
            raise ValueError(f"directory: expected the folder of a sweep, got {folder}, which has no sweep.json")
        report = _report(layout, check, progress)
        if not report.faulty or (read_layout(folder) or layout).description == layout.description:
            break  # else a sweep goes on with more tables meanwhile, and its shards are of those
    if not (folder / DESCRIPTION).exists() and (folder / CLOSING[0]).exists():  # it was lost, and is in the manifest
        write_whole(folder / DESCRIPTION, described(layout.description))
    remove_leftovers(layout)
    if report.complete:
        close(layout)
    return report


def _report(layout: Layout, check: bool, progress: Callable[[int, int], None] | None) -> MergeReport:
    faulty = 0
    faults: list[str] = []
    present = recorded(layout)  # what is declared may be any number
    there = set(present)
    for shard in present:
        found = find_faults(layout, shard, check)
        if found is None:
            there.remove(shard)
        else:
            faulty += bool(found)
            faults += found[: _NAMED - len(faults)]
        if progress is not None:
            progress(shard + 1, layout.shards)
    first = [shard for shard in range(min(layout.shards, len(there) + _NAMED)) if shard not in there][:_NAMED]
    return MergeReport(layout.shards, layout.shards - len(there), tuple(first), faulty, tuple(faults), check)


def close(layout: Layout) -> bool:
    """Write manifest, card and metadata of a complete folder; what is there and right is not touched.

    Another process may have gone on with more tables since `layout` was read: it is read again while the folder's lock
    is held, and once more after the manifest is written, for file systems without locks.

    Returns:
        False if a shard is not done, and nothing is written then.

    Raises:
        ValueError: if a file of one of these names is somebody else's.
    """
    with locked(layout.folder, PATIENCE):
        while True:
            layout = read_layout(layout.folder) or layout
            check_not_of_others(layout)
            if not _close(layout):
                return False
            if (read_layout(layout.folder) or layout).description == layout.description:
                return True


def _close(layout: Layout) -> bool:
    try:
        totals = _totals(layout)
        others = totals.pop("others")
        columns = {kind: columns_of(kind, _schema_of(layout, kind)) for kind in layout.kinds}
        _write(layout.folder / "croissant.json", lambda: iter([croissant(layout, columns, totals)]))
        _write(layout.folder / "README.md", lambda: iter([dataset_card(layout, columns, totals, others)]))
        files = {name: _summed(layout.folder / name) for name in (DESCRIPTION, "README.md", "croissant.json")}
        _write(layout.folder / "manifest.json", lambda: _manifest(layout, totals, files))
    except _Incomplete:
        return False
    return True


class _Incomplete(Exception):
    """A shard is not done, or no longer."""


def _records(layout: Layout) -> Iterator[dict[str, Any]]:
    for shard in range(layout.shards):
        record = read_record(layout, shard)
        if record is None:
            raise _Incomplete
        yield record


def _totals(layout: Layout) -> dict[str, Any]:
    """Sums over all shards; `others` is how many were made with other packages or devices, which only the card says."""
    sums: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    splits = {split: dict.fromkeys(layout.kinds, 0) for split in layout.splits}
    others = 0
    for record in _records(layout):
        sums.update({name: record[name] for name in (layout.unit, "rows", "retries", "resolved")})
        statuses.update(record["statuses"])
        others += "made_with" in record
        for name, file in record["files"].items():
            kind, _, rest = name.partition("/")
            splits[rest.partition("-")[0]][kind] += file["rows"]
            sums.update(files=1, bytes=file["bytes"])
    ordered = dict(sorted(statuses.items(), key=lambda item: (-item[1], item[0])))
    return {"shards": layout.shards, **sums, "statuses": ordered, "splits": splits, "others": others}


def _summed(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _manifest(layout: Layout, totals: dict[str, Any], files: dict[str, Any]) -> Iterator[str]:
    """Its text piece by piece, a line per shard, so that no number of shards fills the memory."""
    yield "{\n"
    for name, value in layout.description.items():
        yield f"{json.dumps(name)}: {json.dumps(value)},\n"
    yield f'"files": {json.dumps(files)},\n"totals": {json.dumps(totals)},\n"shards": [\n'
    for record in _records(layout):
        yield json.dumps(record) + ("\n" if record["shard"] == layout.shards - 1 else ",\n")
    yield "]\n}\n"


def _write(file: Path, pieces: Callable[[], Iterator[str]]) -> None:
    """Write a file unless it is there, the same."""
    try:
        with open(file, "rb") as content:
            same = all(content.read(len(data)) == data for data in map(str.encode, pieces()))
            if same and not content.read(1):
                return
    except FileNotFoundError:
        pass
    with whole_file(file) as out:
        for piece in pieces():
            out.write(piece.encode())


def _schema_of(layout: Layout, kind: str) -> pa.Schema:
    """Names and types of the columns of a folder's files."""
    return pq.read_schema(layout.folder / layout.files(0, kind)[0]).remove_metadata()
