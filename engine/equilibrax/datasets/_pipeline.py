"""What a sweep solves, and shards of it: drawn, solved and written one after the other, each while others are.

Nothing here knows of other processes. Files and records are whole or absent, so a shard may be done anywhere that sees
the folder, and twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Generic, TypeVar, cast

import numpy as np
import pyarrow as pa

from equilibrax._core.batching import steady_shapes
from equilibrax._core.files import write_whole
from equilibrax._core.status import status_names
from equilibrax._core.version import __version__, git_revision
from equilibrax.datasets._layout import FORMAT_VERSION, Layout, read_record
from equilibrax.datasets._os_errors import saying_how_to_go_on
from equilibrax.datasets._provenance import made_with
from equilibrax.datasets.splits import split_of
from equilibrax.rows.parquet import write_summed

Solved = TypeVar("Solved")

_FILES = 6
"""Files that are written side by side: those of a shard. Most of the time of a small one is waiting for the disk."""


@dataclass(frozen=True)
class Rows:
    """What is written about a shard.

    Attributes:
        inputs, results: its rows; every row of results has the id of a row of inputs.
        text: games in words with their questions, if the layout has them; with ids of rows of inputs too.
        statuses: rows by status.
        retries, resolved: see `SweepReport`.
        more: what its record says besides.
        splits: the positions of the splits of the rows of inputs; None: by their ids.
    """

    inputs: pa.Table
    results: pa.Table
    statuses: Counter[int]
    text: pa.Table | None = None
    retries: int = 0
    resolved: int = 0
    more: dict[str, Any] = field(default_factory=dict)
    splits: np.ndarray | None = None


@dataclass(frozen=True)
class Work(Generic[Solved]):
    """What a sweep solves.

    Attributes:
        unit: what is counted, and the name of the field of the configuration that counts it: "tables" or "markets".
        inputs, results: names of the folders of its files.
        config: the configuration as JSON, with `seed`, `shard_size` and `unit` in it, and perhaps `splits`, the shares
            of train, validation and test, and `licence`.
        version: of what is drawn.
        solve: what `draw` gives to whatever `rows` takes. Runs in the calling thread.
        rows: what is written of it. Runs in the writer's thread.
        key: the column of both inputs and results that holds the id.
        draw: the ids of a shard to whatever `solve` takes. Runs in a thread of its own, a shard ahead.
        made_with: packages and device of those that do it; None for this process's.
    """

    unit: str
    inputs: str
    results: str
    config: dict[str, Any]
    version: Any
    solve: Callable[[Any], Solved]
    rows: Callable[[Solved], Rows]
    key: str = "table_id"
    draw: Callable[[range], Any] = lambda ids: ids
    made_with: dict[str, Any] | None = None

    @property
    def description(self) -> dict[str, Any]:
        """What `sweep.json` holds."""
        layout = {"unit": self.unit, "inputs": self.inputs, "results": self.results, "key": self.key}
        described = {
            "format": FORMAT_VERSION,
            "equilibrax": __version__,
            "git_revision": git_revision(),
            "family_version": self.version,
            "made_with": made_with() if self.made_with is None else self.made_with,
            "layout": layout,
            "config": self.config,
        }
        return json.loads(json.dumps(described, allow_nan=False))


def do_shards(
    work: Work[Any],
    layout: Layout,
    shards: Sequence[int],
    should_stop: Callable[[], bool] | None = None,
    solved: Callable[[int], None] | None = None,
) -> Generator[dict[str, Any], None, None]:
    """Do these shards here, one after the other: the next is drawn and the last written while one is solved.

    Bytes are the same on any number of devices and cores. Three shards are in memory at most, of which the next is not
    solved. Leaving waits for the one that is being written.

    Args:
        work: what to solve.
        layout: of an open folder.
        shards: which, in order.
        should_stop: asked before each.
        solved: called with each once it is solved.

    Yields:
        The records, once they are written.

    Raises:
        OSError: with what to do about it, if a file cannot be written.
    """

    def draw(shard: int) -> Any:
        with steady_shapes():
            return work.draw(layout.ids(shard))

    writing: Future[dict[str, Any]] | None = None
    with (
        ThreadPoolExecutor(1, "equilibrax-drawer") as drawer,
        ThreadPoolExecutor(_FILES, "equilibrax-files") as files,
        ThreadPoolExecutor(1, "equilibrax-writer") as writer,
    ):
        drawing = None
        for position, shard in enumerate(shards):
            if should_stop is not None and should_stop():
                break
            drawn = draw(shard) if drawing is None else drawing.result()
            drawing = drawer.submit(draw, shards[position + 1]) if position + 1 < len(shards) else None
            with steady_shapes():
                solution = work.solve(drawn)
            if solved is not None:
                solved(shard)
            if writing is not None:
                yield writing.result()
            writing = writer.submit(_write_shard, work, layout, shard, solution, files)
            del drawn, solution  # the writer's alone, to be freed when it is written
        if writing is not None:
            yield writing.result()


def do_shard(work: Work[Any], layout: Layout, shard: int) -> dict[str, Any]:
    """Solve and write one shard unless it is done, wherever the folder is shared; what its record says."""
    record = read_record(layout, shard)
    if record is None:
        [record] = do_shards(work, layout, [shard])
    return record


def count_statuses(status: np.ndarray, times: int = 1) -> Counter[int]:
    """How often every status occurs, `times` rows each."""
    codes, counts = np.unique(status, return_counts=True)
    return Counter(dict(zip(codes.tolist(), (counts * times).tolist())))


def _by_name(statuses: Counter[int]) -> dict[str, int]:
    common = sorted(statuses.items(), key=lambda item: (-item[1], item[0]))
    names = status_names(np.array([status for status, _ in common], np.int32))
    return {name: count for name, (_, count) in zip(names.tolist(), common)}


# --- writing a shard ----------------------------------------------------------------------------------------


def _write_shard(
    work: Work[Any], layout: Layout, shard: int, solution: Any, writers: ThreadPoolExecutor
) -> dict[str, Any]:
    """Write all files of a shard, then its record, which is returned."""
    with saying_how_to_go_on():
        return _write(work, layout, shard, work.rows(solution), writers)


def _places(rows: Rows, key: str, layout: Layout) -> Callable[[np.ndarray], np.ndarray]:
    """From ids of tables to the positions of their splits."""
    if rows.splits is None:
        return lambda ids: split_of(ids, layout.seed, layout.shares)
    known, splits = rows.inputs[key].to_numpy(), rows.splits
    order = np.argsort(known, kind="stable")
    return lambda ids: splits[order[np.searchsorted(known, ids, sorter=order)]]


def _by_split(table: pa.Table, key: str, layout: Layout, place: Callable[[np.ndarray], np.ndarray]) -> list[pa.Table]:
    """The rows of every split, in their order; of the table itself, not copied, if they come split by split."""
    splits = len(layout.splits)
    if splits == 1:
        return [table]
    ids = table[key].to_numpy()
    first = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]])[: len(ids)])  # a table's rows are neighbours
    split = np.repeat(place(ids[first]), np.diff(first, append=len(ids)))
    if (split[1:] >= split[:-1]).all():
        ends = np.searchsorted(split, np.arange(splits + 1)).tolist()
        return [table.slice(start, stop - start) for start, stop in pairwise(ends)]
    return [table.filter(pa.array(split == position)) for position in range(splits)]


def _write(work: Work[Any], layout: Layout, shard: int, rows: Rows, writers: ThreadPoolExecutor) -> dict[str, Any]:
    ids = layout.ids(shard)
    record = layout.record(shard)
    if record.exists() and read_record(layout, shard) is None:
        record.unlink(missing_ok=True)  # about fewer tables, or about files that are gone
    parts: dict[str, pa.Table] = {}
    place = _places(rows, work.key, layout)
    tables = dict(zip(layout.kinds, (rows.inputs, rows.results, rows.text)))
    for kind in (work.results, work.inputs, *layout.kinds[2:]):
        parts |= zip(layout.files(shard, kind), _by_split(cast(pa.Table, tables[kind]), work.key, layout, place))
    writing = [writers.submit(write_summed, part, layout.folder / name) for name, part in parts.items()]
    wait(writing)  # for all of them, if one cannot be written
    sums = {name: future.result() for name, future in zip(parts, writing)}
    names = [name for kind in layout.kinds for name in layout.files(shard, kind)]
    files = {n: {"rows": parts[n].num_rows, "bytes": sums[n][0], "sha256": sums[n][1]} for n in names}
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
        **({} if made_with() == layout.made_with else {"made_with": made_with()}),
        "files": files,
    }
    text = json.dumps(said, indent=1, allow_nan=False) + "\n"
    write_whole(record, text)
    return json.loads(text)
