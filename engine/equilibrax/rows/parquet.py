"""Rows as Parquet files: written whole, read back by file, by folder or by the shards of a sweep.

The same rows give the same bytes (for one version of equilibrax and of pyarrow).

Every page has its checksum, which other readers can verify too. These do not cover what a file says of its pages, nor
names of columns and numbers of rows; so its metadata hold, as `equilibrax_sha256`, the SHA-256 of the whole file
with zeros in its place. Readers here verify both: no flipped bit is read as data.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from equilibrax._core.column import schema
from equilibrax._core.columns import COLUMNS, declared
from equilibrax._core.files import whole_file
from equilibrax._core.version import __version__

NAMES_KEY = b"equilibrax_names"
"""The names of all that rows are about, as JSON, in the metadata of their schema."""

_ROWS_PER_GROUP = 2**17  # the shard of 4,096 tables of 5 providers is one group
_SUM_KEY = "equilibrax_sha256"  # in the metadata, which end the file
_SUM = re.compile(rb"(?<=" + _SUM_KEY[-10:].encode() + rb"..)[0-9a-f]{64}", re.DOTALL)  # two bytes say how long it is
_NO_SUM = b"0" * 64
_AT_ONCE = 2**20  # bytes


def write_parquet(table: pa.Table, path: str | os.PathLike[str]) -> None:
    """Write `table` to `path`, completely or not at all; a file that was there is replaced.

    The same rows give the same bytes. Of the schema's metadata the names of `labelled_rows` stay; all else is replaced
    by the version of equilibrax.

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
    view, digest = _summed(table)
    with whole_file(path) as file:
        for start in range(0, len(view), _AT_ONCE):
            _write(file, view[start : start + _AT_ONCE])
    return len(view), digest


def parquet_bytes(table: pa.Table) -> memoryview:
    """What `write_parquet` writes."""
    return _summed(table)[0]


def _summed(table: pa.Table) -> tuple[memoryview, str]:
    """A whole file, which holds its own sum, and the SHA-256 of all of it."""
    # Before what follows, so that files say the same of their columns whether they hold many rows or none.
    encoded = any(pa.types.is_dictionary(field.type) for field in table.schema)
    for position, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type) and any(len(c.dictionary) > table.num_rows for c in column.chunks):
            table = table.set_column(position, table.field(position).name, column.cast(column.type.value_type))
    kept = {key: value for key, value in (table.schema.metadata or {}).items() if key == NAMES_KEY}
    versioned = table.replace_schema_metadata({"equilibrax": __version__, **kept})
    content = pa.BufferOutputStream()  # of Arrow: nothing has to wait for the interpreter
    with pq.ParquetWriter(content, versioned.schema, store_schema=not encoded, **_options(table.schema)) as writer:
        if table.num_rows:  # else no row group: some readers stumble over empty ones
            writer.write_table(versioned, row_group_size=_ROWS_PER_GROUP)
        writer.add_key_value_metadata({"equilibrax": __version__} if encoded else {})
        writer.add_key_value_metadata({_SUM_KEY: _NO_SUM.decode()})
    view = memoryview(content.getvalue()).cast("B")
    where = _sum_of(view)
    assert where is not None
    digest = hashlib.sha256(view[: where[0]])  # so far the same with and without the sum
    own = digest.copy()
    own.update(view[where[0] :])
    view[where[0] : where[0] + len(_NO_SUM)] = own.hexdigest().encode()
    digest.update(view[where[0] :])
    return view, digest.hexdigest()


def _write(file: BinaryIO, part: memoryview) -> None:
    if (written := file.write(part)) != len(part):  # the digest would be of bytes that the file does not have
        raise OSError(errno.EIO, f"{written} of {len(part)} bytes were written")


def _options(schema: pa.Schema) -> dict[str, Any]:
    """How columns are written: measured, see docs/scaling.md.

    Text, and lists, which hold few different numbers each, have dictionaries, as Parquet calls them. Whole numbers of
    64 bits are written as differences. What these leave, and other whole numbers, LZ4 makes as small as zstd does, and
    faster. Results as they are need zstd. Their least and greatest values, and those of lists, tell a reader nothing:
    tables come in no order.
    """
    repetitive, whole, codecs, ordered = [], {}, {}, []
    for field in schema:
        name, kind = field.name, field.type
        while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
            name, kind = f"{name}.list.element", kind.value_type
        if name != field.name or pa.types.is_string(kind) or pa.types.is_dictionary(kind):
            repetitive.append(name)
        elif pa.types.is_int64(kind):
            whole[name] = "DELTA_BINARY_PACKED"
        single = name == field.name
        codecs[name] = "zstd" if single and pa.types.is_floating(kind) else "lz4"
        if single and not pa.types.is_floating(kind):
            ordered.append(name)
    return {
        "compression": codecs,
        "compression_level": {name: 1 for name, codec in codecs.items() if codec == "zstd"},
        "write_page_checksum": True,
        "write_statistics": ordered,
        "use_dictionary": repetitive,
        "column_encoding": whole,
        "write_batch_size": _ROWS_PER_GROUP,
    }


def _sum_of(content: memoryview) -> tuple[int, bytes] | None:
    """Where a file holds its own SHA-256, and that; None if it has none."""
    start = max(0, len(content) - 8 - int.from_bytes(content[-8:-4], "little"))
    found = list(_SUM.finditer(content, start)) or list(_SUM.finditer(content))  # not where it says that they begin
    return (found[-1].start(), found[-1].group()) if found else None


def _checked(content: bytes) -> pq.ParquetFile:
    """A file whose bytes are those that were written, if it says what these were.

    Raises:
        ValueError: if they are not.
    """
    found = _sum_of(memoryview(content))
    if found is not None:
        start, expected = found
        came = hashlib.sha256(content[:start])
        came.update(_NO_SUM)
        came.update(memoryview(content)[start + len(_NO_SUM) :])
        if came.hexdigest().encode() != expected:
            raise ValueError("expected the bytes that were written, got others: the file is damaged; make it again")
    parquet = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    if found is None and b"equilibrax" in (parquet.metadata.metadata or {}):  # its name is damaged
        raise ValueError("expected the checksum that every file of equilibrax has, got none; make it again")
    return parquet


def read_committees(path: str | os.PathLike[str], also: Sequence[str] = ()) -> pa.Table:
    """The rows of `committee_rows` from a Parquet file, a sweep, or all files `committees*.parquet` of a folder.

    Args:
        path: a file; the folder of a sweep, whose finished shards are read in order; or another folder, whose files are
            read in the order of their names.
        also: optional columns that are read where files have them.

    Returns:
        A table with the columns that all results have; other columns are not read.

    Raises:
        ValueError: naming the file and the column, if there is no such file, it is not a Parquet file, or a
            column is absent or of another type.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-1"), committees=[1, 31]))
        ...     write_parquet(rows, f"{folder}/committees.parquet")
        ...     read_committees(folder).equals(rows)
        True
    """
    return pa.concat_tables(iter_committees(path, also), promote_options="default")


def iter_committees(path: str | os.PathLike[str], also: Sequence[str] = ()) -> Iterator[pa.Table]:
    """As `read_committees`, file by file or shard by shard, for folders that are larger than memory.

    All rows of a table of a sweep come together, whatever its split: tables in the order of their ids.

    Args:
        path: a file or a folder, see `read_committees`.
        also: optional columns that are read where files have them.

    Raises:
        ValueError: as `read_committees`; at once if there is no file, else when the file's turn comes.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-1")))
        ...     for part in ("a", "b"):
        ...         write_parquet(rows, f"{folder}/committees-{part}.parquet")
        ...     sum(part.num_rows for part in iter_committees(folder))
        62
    """
    return iter_rows(path, "committees", also)


def read_users(path: str | os.PathLike[str], also: Sequence[str] = ()) -> pa.Table:
    """The rows of `user_rows` from a Parquet file, or from all files `users*.parquet` of a folder.

    Args:
        path: a file, or a folder, whose files are read in the order of their names.
        also: optional columns that are read where files have them.

    Returns:
        A table with the columns of `user_rows`; other columns are not read.

    Raises:
        ValueError: naming the file and the column, if there is no such file, it is not a Parquet file, or a
            column is absent or of another type.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = eq.rows.user_rows(eq.solve(eq.problems.theorem_4_1_market(), "personalized"))
        ...     eq.rows.write_parquet(rows, f"{folder}/users.parquet")
        ...     eq.rows.read_users(folder).equals(rows)
        True
    """
    return pa.concat_tables(iter_rows(path, "users", also), promote_options="default")


def read_depths(path: str | os.PathLike[str]) -> pa.Table:
    """The rows of `depth_rows` from a Parquet file, from all files `depths*.parquet` of a folder, or from a sweep.

    Args:
        path: a file, or a folder, whose files are read in the order of their names.

    Returns:
        A table with the columns of `depth_rows`; other columns are not read.

    Raises:
        ValueError: naming the file and the column, if there is no such file, it is not a Parquet file, or a
            column is absent or of another type.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> config = eq.datasets.InformationSweepConfig(problems=5, states=3, items=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = eq.datasets.run_information_sweep(config, folder)
        ...     rows = eq.rows.read_depths(folder)
        >>> rows["depth"].to_pylist()[:4]
        [0, 1, 2, 0]
    """
    return pa.concat_tables(iter_rows(path, "depths"))


def iter_rows(path: str | os.PathLike[str], kind: str, also: Sequence[str] = ()) -> Iterator[pa.Table]:
    """Rows, with the columns that all of their kind have, of a file, of a sweep's shards, or of files `kind*.parquet`.

    The first column is the one that shards are in the order of. Optional columns, `also`, are read where a file has
    them.

    Raises:
        ValueError: as `iter_committees`.
    """
    path, columns = Path(path), (schema(declared(kind)), schema(one for one in COLUMNS[kind] if one.name in also))
    if not path.exists():
        raise ValueError(f"path: expected a Parquet file or a folder, got {path}, which does not exist")
    if (path / kind).is_dir():
        return _iter_shards(path, kind, columns)
    files = sorted(path.glob(f"{kind}*.parquet")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"path: expected a folder with files {kind}*.parquet, got none in {path}")
    return (_read_file(file, columns) for file in files)


def _iter_shards(folder: Path, kind: str, columns: tuple[pa.Schema, pa.Schema]) -> Iterator[pa.Table]:
    """The shards that are done; all shards of a folder that came without `shards/`."""
    shards: dict[str, list[Path]] = {}
    for file in sorted((folder / kind).glob("*.parquet")):
        shards.setdefault(file.stem.rpartition("-")[2], []).append(file)
    if (folder / "shards").is_dir():
        shards = {shard: files for shard, files in shards.items() if (folder / "shards" / f"{shard}.json").exists()}
    if not shards:
        raise ValueError(f"path: expected a sweep with a finished shard, got none in {folder}")
    return (_read_shard(shards[shard], columns) for shard in sorted(shards))


def _read_shard(files: list[Path], columns: tuple[pa.Schema, pa.Schema]) -> pa.Table:
    """The splits of a shard, in the order that they were in before they were split."""
    rows = pa.concat_tables(_read_file(file, columns) for file in files)
    order = np.argsort(rows.column(0).to_numpy(), kind="stable")
    return rows.take(order).combine_chunks()


def _read_file(file: Path, columns: tuple[pa.Schema, pa.Schema]) -> pa.Table:
    """The columns that are needed, and those of the others that it has."""
    wanted, also = columns
    try:
        with _checked(file.read_bytes()) as parquet:
            names = parquet.schema_arrow.names
            for expected in wanted:
                if expected.name not in names:
                    raise ValueError(f"expected a column {expected.name!r}, got {names}")
            wanted = pa.schema([*wanted, *(one for one in also if one.name in names)])
            rows = parquet.read(columns=wanted.names).select(wanted.names)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{file}: expected a Parquet file, got: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: expected a Parquet file, got names that are no text") from error
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    except pa.ArrowNotImplementedError as error:
        raise ValueError(f"{file}: expected a Parquet file, got: {error}") from error
    except OSError as error:  # of pyarrow, without the file's name
        if error.errno is not None:
            raise
        raise ValueError(f"{file}: expected a Parquet file, got a damaged one: {error}") from error
    found = []
    for expected, column in zip(wanted, rows.columns):
        try:  # other writers have other strings: dictionaries, large ones
            found.append(column.cast(expected.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            came = f"{column.type}: {error}"
            raise ValueError(f"{file}: column {expected.name!r}: expected {expected.type}, got {came}") from error
    return pa.Table.from_arrays(found, schema=wanted)
