"""Results and tables as rows: Arrow tables in memory, Parquet files on disk.

| rows | one per | columns |
|---|---|---|
| `committee_rows` | (table, committee) | who it is about, equilibria, dynamics, misalignment, status |
| `table_rows` | table | the game itself, exactly |

Columns are plain types, fixed-size lists included, so that any reader of Parquet can read them.

A file appears under its name complete or not at all, and the same rows give the same bytes (for one version of
equilibrax and of pyarrow).

Letters: B tables, K providers, X states, A actions, C committees.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from equilibrax._core.status import Status, status_names
from equilibrax._core.version import __version__
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.selection_result import SelectionResult
from equilibrax.problems.tables import UtilityTables

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None

COMMITTEE_SCHEMA = pa.schema(
    [
        ("table_id", pa.int64()),
        ("family", pa.string()),
        ("seed", pa.int64()),
        ("states", pa.int32()),
        ("actions", pa.int32()),
        ("providers", pa.int32()),
        ("committee", pa.int32()),
        ("committee_size", pa.int32()),
        ("optimum", pa.float64()),
        ("worst_utility", pa.float64()),
        ("best_utility", pa.float64()),
        ("equilibria", pa.int64()),
        ("dynamics_utility", pa.float64()),
        ("dynamics_steps", pa.int64()),
        ("misalignment", pa.float64()),
        ("bound", pa.float64()),
        ("status", pa.string()),
    ]
)
"""Names and types of the columns of `committee_rows`, in order."""

PARTITION_SCHEMA = pa.schema(
    [
        *COMMITTEE_SCHEMA,
        ("game", pa.string()),
        ("response", pa.string()),
        ("rationality", pa.float64()),
        ("tolerance", pa.float64()),
        ("worst_partition", pa.list_(pa.int8())),
    ]
)
"""The same for games over partitions, which say more."""

_ROWS_PER_GROUP = 2**17  # the shard of 4,096 tables of 5 providers is one group
_UNIQUE = r"\.[0-9a-f]{16}\.tmp"  # after a dot and the file's name: a file that is being written

# --- rows ---------------------------------------------------------------------------------------------------


def committee_rows(result: SelectionResult | PartitionResult) -> pa.Table:
    """One row per (table, committee), in the order of tables, then of committees.

    Results of games over partitions have one per (table, lambda, committee) if there are several lambdas, no
    misalignment and bound, and further columns: `game`, `response`, `rationality` (null for best response), `tolerance`
    and `worst_partition`, labels of the states.

    `family` is the table's own name where it has one, else the family it was drawn from. `providers` is K;
    `committee` is a bitmask, bit j is provider j. Utilities are expected utilities, as in `SelectionResult`.

    Null where there is no number: dynamics or misalignment if they were skipped, the number and partition of
    randomized rules, and every result of a table that was not solved (its status has FRONTIER_OVERFLOW).

    Args:
        result: B tables and C committees.

    Returns:
        A table of B x C rows with the columns of `COMMITTEE_SCHEMA`, or of `PARTITION_SCHEMA`.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.from_arrays(user=[[1.0, 0.0], [0.0, 1.0]], providers=[[[0.3, 0.7], [0.1, 0.9]]])
        >>> rows = committee_rows(eq.solve(tables, eq.Selection(dynamics=False)))
        >>> rows.select(["family", "committee", "optimum", "worst_utility", "dynamics_steps"]).to_pylist()
        [{'family': 'table', 'committee': 1, 'optimum': 1.0, 'worst_utility': 0.5, 'dynamics_steps': None}]
    """
    tables, solved = result.tables, result.solved
    committees = solved[0].size  # rows of a table
    total = solved.size
    unsolved = None if solved.all() else ~solved.reshape(-1)
    members = (result.committees[:, None] >> np.arange(tables.num_providers)) & 1

    def of_table(values: np.ndarray) -> pa.Array:
        return pa.array(np.repeat(values, committees))

    def of_committee(values: np.ndarray) -> pa.Array:
        return pa.array(np.tile(values.astype(np.int32), total // len(values)))

    def same(value: float, kind: type) -> pa.Array:
        return pa.array(np.full(total, value, kind))

    def number(values: np.ndarray | None, kind: pa.DataType) -> pa.Array:
        if values is None:
            return pa.nulls(total, kind)
        missing = unsolved if values.dtype.kind == "f" else values.reshape(-1) < 0
        return pa.array(values.reshape(-1), kind, mask=missing, from_pandas=True)  # NaN is null

    columns = [
        of_table(result.table_id),
        _repeated(tables.names(), committees),
        same(tables.seed, np.int64),
        same(tables.states, np.int32),
        same(tables.actions, np.int32),
        same(tables.num_providers, np.int32),
        of_committee(result.committees),
        of_committee(members.sum(axis=1)),
        number(result.optimum, pa.float64()),
        number(result.worst_utility, pa.float64()),
        number(result.best_utility, pa.float64()),
        number(result.equilibria, pa.int64()),
        number(result.dynamics_utility, pa.float64()),
        number(result.dynamics_steps, pa.int64()),
    ]
    if isinstance(result, SelectionResult):
        columns += [number(result.misalignment, pa.float64()), number(result.bound, pa.float64())]
        return pa.Table.from_arrays([*columns, _statuses(result.status)], schema=COMMITTEE_SCHEMA)
    columns += [pa.nulls(total, pa.float64())] * 2 + [_statuses(result.status)]
    rationality = np.array([np.nan if r is None else r for r in result.rationalities])
    partitions = list(result.worst_partition.reshape(total, -1))
    columns += [
        pa.array([result.game.name] * total),
        pa.array([result.response] * total),
        pa.array(np.tile(np.repeat(rationality, len(result.committees)), len(solved)), from_pandas=True),
        same(result.tolerance, np.float64),
        pa.array(partitions, pa.list_(pa.int8()), mask=result.worst_partition[..., 0].reshape(-1) < 0),
    ]
    return pa.Table.from_arrays(columns, schema=PARTITION_SCHEMA)


def table_rows(tables: UtilityTables) -> pa.Table:
    """One row per table: everything that defines the game, exactly.

    | column | type | |
    |---|---|---|
    | `table_id`, `seed` | int64 | |
    | `family` | string | the table's own name, else its family |
    | `states`, `actions`, `num_providers` | int32 | X, A and K, the shape of the lists |
    | `resolution` | int32 | steps per unit of utility |
    | `user` | X A float64 | by state, then action |
    | `providers` | K X A float64 | by provider, then state, then action |
    | `prior` | X int32 | weights; the probability of x is `prior[x] / sum(prior)` |
    | `available` | X A bool | which actions exist; utilities of others are 0 |

    Utilities are multiples of `1 / resolution`: `round(utility * resolution)` is the integer that was solved
    for, without error.

    Args:
        tables: B tables.

    Returns:
        A table of B rows; the lists are of fixed size.

    Example:
        >>> import equilibrax as eq
        >>> rows = table_rows(eq.from_integers([[3, 1], [0, 2]], [[[1, 5], [2, 2]]], prior=[1, 2], resolution=10))
        >>> rows.select(["num_providers", "user", "prior"]).to_pylist()
        [{'num_providers': 1, 'user': [0.3, 0.1, 0.0, 0.2], 'prior': [1, 2]}]
    """
    count = len(tables)

    def same(value: int, kind: type) -> pa.Array:
        return pa.array(np.full(count, value, kind))

    def lists(values: np.ndarray) -> pa.Array:
        size = values[0].size if count else 1
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), size)

    columns = {
        "table_id": pa.array(tables.table_id),
        "family": pa.array(tables.names(), pa.string()),
        "seed": same(tables.seed, np.int64),
        "states": same(tables.states, np.int32),
        "actions": same(tables.actions, np.int32),
        "num_providers": same(tables.num_providers, np.int32),
        "resolution": same(tables.resolution, np.int32),
        "user": lists(np.asarray(tables.user) / tables.resolution),
        "providers": lists(np.asarray(tables.providers) / tables.resolution),
        "prior": lists(np.asarray(tables.prior)),
        "available": lists(np.asarray(tables.available)),
    }
    return pa.table(columns)


def _repeated(names: list[str], times: int) -> pa.Array:
    """Every name `times` times."""
    encoded = pa.array(names, pa.string()).dictionary_encode()
    indices = np.repeat(encoded.indices.to_numpy(zero_copy_only=False), times)
    return pa.DictionaryArray.from_arrays(pa.array(indices), encoded.dictionary).cast(pa.string())


def _statuses(status: np.ndarray) -> pa.Array:
    every = np.arange(int(reduce(or_, Status)) + 1)
    names = pa.array(status_names(every).tolist(), pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(status.reshape(-1)), names).cast(pa.string())


# --- files --------------------------------------------------------------------------------------------------


def write_parquet(table: pa.Table, path: str | os.PathLike[str]) -> None:
    """Write `table` to `path`, completely or not at all; a file that was there is replaced.

    The same rows give the same bytes. The schema's metadata is replaced by the version of equilibrax.

    Args:
        table: any rows.
        path: the file; its folder must exist.

    Raises:
        OSError: of the fitting kind, with the path in it, if the file cannot be written (no space, no
            permission, no such folder).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_parquet(pa.table({"a": [1, 2]}), f"{folder}/a.parquet")
        ...     pq.read_table(f"{folder}/a.parquet").to_pydict()
        {'a': [1, 2]}
    """
    write_summed(table, path)


def write_summed(table: pa.Table, path: str | os.PathLike[str]) -> tuple[int, str]:
    """As `write_parquet`; the number of bytes and their SHA-256."""
    versioned = table.replace_schema_metadata({"equilibrax": __version__})
    with whole_file(path) as file:
        summing = _Summing(file)
        options: dict[str, Any] = {"compression": "zstd", "compression_level": 1}
        options["use_dictionary"] = _repetitive(table.schema)
        if table.num_rows:
            pq.write_table(versioned, summing, row_group_size=_ROWS_PER_GROUP, **options)
        else:  # no row group: some readers stumble over empty ones
            pq.ParquetWriter(summing, versioned.schema, **options).close()
    return summing.size, summing.digest.hexdigest()


class _Summing(io.RawIOBase):
    """What is written to a file, with its SHA-256: what was meant, whatever the disk makes of it."""

    def __init__(self, file: BinaryIO):
        self.file, self.size, self.digest = file, 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)


def _repetitive(schema: pa.Schema) -> list[str]:
    """Columns worth a dictionary, as Parquet calls them: all but results (half the time, and smaller)."""
    names = []
    for field in schema:
        name, kind = field.name, field.type
        while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
            name, kind = f"{name}.list.element", kind.value_type
        if name != field.name or not pa.types.is_floating(kind):
            names.append(name)
    return names


def read_committees(path: str | os.PathLike[str]) -> pa.Table:
    """The rows of `committee_rows` from a Parquet file, a sweep, or all files `committees*.parquet` of a folder.

    Args:
        path: a file; the folder of a sweep, whose finished shards are read in order; or another folder, whose files are
            read in the order of their names.

    Returns:
        A table with the columns of `COMMITTEE_SCHEMA`; other columns are not read.

    Raises:
        ValueError: naming the file and the column, if there is no such file, it is not a Parquet file, or a
            column is absent or of another type.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = committee_rows(eq.solve(eq.load_paper_table("synthetic-1"), committees=[1, 31]))
        ...     write_parquet(rows, f"{folder}/committees.parquet")
        ...     read_committees(folder).equals(rows)
        True
    """
    return pa.concat_tables(iter_committees(path))


def iter_committees(path: str | os.PathLike[str]) -> Iterator[pa.Table]:
    """As `read_committees`, file by file or shard by shard, for folders that are larger than memory.

    All rows of a table of a sweep come together, whatever its split: tables in the order of their ids.

    Args:
        path: a file or a folder, see `read_committees`.

    Raises:
        ValueError: as `read_committees`; at once if there is no file, else when the file's turn comes.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = committee_rows(eq.solve(eq.load_paper_table("synthetic-1")))
        ...     for part in ("a", "b"):
        ...         write_parquet(rows, f"{folder}/committees-{part}.parquet")
        ...     sum(part.num_rows for part in iter_committees(folder))
        62
    """
    return iter_rows(path, "committees", COMMITTEE_SCHEMA)


def iter_rows(path: str | os.PathLike[str], kind: str, columns: pa.Schema) -> Iterator[pa.Table]:
    """The rows with these columns of a Parquet file, of a sweep's shards, or of the files `kind*.parquet` of a folder.

    The first column is the one that shards are in the order of.

    Raises:
        ValueError: as `iter_committees`.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"path: expected a Parquet file or a folder, got {path}, which does not exist")
    if (path / kind).is_dir():
        return _iter_shards(path, kind, columns)
    files = sorted(path.glob(f"{kind}*.parquet")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"path: expected a folder with files {kind}*.parquet, got none in {path}")
    return (_read_file(file, columns) for file in files)


def _iter_shards(folder: Path, kind: str, columns: pa.Schema) -> Iterator[pa.Table]:
    """The shards that are done; all shards of a folder that came without `shards/`."""
    shards: dict[str, list[Path]] = {}
    for file in sorted((folder / kind).glob("*.parquet")):
        shards.setdefault(file.stem.rpartition("-")[2], []).append(file)
    if (folder / "shards").is_dir():
        shards = {shard: files for shard, files in shards.items() if (folder / "shards" / f"{shard}.json").exists()}
    if not shards:
        raise ValueError(f"path: expected a sweep with a finished shard, got none in {folder}")
    return (_read_shard(shards[shard], columns) for shard in sorted(shards))


def _read_shard(files: list[Path], columns: pa.Schema) -> pa.Table:
    """The splits of a shard, in the order that they were in before they were split."""
    rows = pa.concat_tables(_read_file(file, columns) for file in files)
    order = np.argsort(rows.column(0).to_numpy(), kind="stable")
    return rows.take(order).combine_chunks()


def _read_file(file: Path, wanted: pa.Schema) -> pa.Table:
    try:
        with pq.ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
            for expected in wanted:
                if expected.name not in schema.names:
                    raise ValueError(f"{file}: expected a column {expected.name!r}, got {schema.names}")
            rows = parquet.read(columns=wanted.names).select(wanted.names)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{file}: expected a Parquet file, got: {error}") from error
    columns = []
    for expected, column in zip(wanted, rows.columns):
        try:  # other writers have other strings: dictionaries, large ones
            columns.append(column.cast(expected.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            came = f"{column.type}: {error}"
            raise ValueError(f"{file}: column {expected.name!r}: expected {expected.type}, got {came}") from error
    return pa.Table.from_arrays(columns, schema=wanted)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write that takes the name `path` when the block ends, and vanishes if it raises.

    Until then it is beside `path` under a unique name, and locked, so that `remove_abandoned` knows it is in
    use.

    Raises:
        OSError: of the fitting kind, with `path` in it.
    """
    path = Path(path)
    try:
        file, temporary = _unique(path)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno is None:
            raise OSError(f"cannot write {path}: {error}") from error
        raise OSError(error.errno, f"cannot write: {error.strerror}", str(path)) from error


def remove_abandoned(folder: str | os.PathLike[str], name: str) -> None:
    """Remove what killed processes have left of files whose names match the regular expression `name`.

    Files that a process is still writing, here or on another machine that shares the folder, are left alone.
    """
    pattern = re.compile(rf"\.(?:{name}){_UNIQUE}")
    for entry in os.scandir(folder):
        if pattern.fullmatch(entry.name):
            with suppress(OSError), open(entry.path, "rb") as file:  # gone, in use, or not ours to remove
                _lock(file)
                os.unlink(entry.path)


def _unique(path: Path) -> tuple[BinaryIO, Path]:
    """A new, locked file beside `path`."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        file = open(temporary, "xb")  # noqa: SIM115
        with suppress(OSError):  # a file system without locks
            _lock(file)
        if fcntl is None or os.fstat(file.fileno()).st_nlink:
            return file, temporary
        file.close()  # taken for abandoned before it was locked


def _lock(file: BinaryIO) -> None:
    """Lock `file` until it is closed; `BlockingIOError` if another process has."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
