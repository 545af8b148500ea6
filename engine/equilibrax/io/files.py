"""What all formats share: errors, bytes within limits, archives, and what is said of a file that was read.

Limits: a file has at most 2 GiB. What is packed (`.gz`, `.zip`, `.npz`) may unpack to 64 MiB, or to 20 times its size
if that is more; sizes are compared before and while unpacking, and zip files are stored or deflated. A Parquet file has
at most 2^24 cells. Tables
have at most 2^24 cells, or 64 for each in the file if that is more. So a small file cannot fill the memory.
"""

from __future__ import annotations

import gzip
import io
import logging
import stat
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from equilibrax._core.messages import shortened

MAX_FILE = 2**31
"""Bytes of the largest file that is read."""

MIN_UNPACKED, MAX_GROWTH = 2**26, 20
"""Bytes that any packed file may unpack to; how many times its size a larger one may."""

MAX_CELLS, MAX_EMPTY = 2**24, 64
"""Cells of the largest Parquet file: equal numbers take a few bytes, however many. Cells that any table may have; how
many a larger one may have for each that is in the file."""

LOG = logging.getLogger("equilibrax.io")
"""INFO: what was read, a line per file. WARNING: what was read and may not have been meant."""


def say(level: int, text: str) -> None:
    """One short line of what was read."""
    LOG.log(level, "%s", shortened(text))


class TableFileError(ValueError):
    """A file of utility tables cannot be read or written; the message names file, place and cause."""

    def __init__(self, message: object):
        super().__init__(shortened(message))


def line_of(path: Path, line: int) -> str:
    """The place of a record, as errors name it: its first line, or in a Parquet file or a frame its row."""
    return f"{path}, {place_of(path, line)}" if line else str(path)


def place_of(path: Path, line: int) -> str:
    """The same without the file."""
    return f"{'row' if path.suffix.lower() in ('.parquet', '') else 'line'} {line}"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors that name an argument name the file too; errors that name a file already stay as they are."""
    try:
        yield
    except TableFileError:
        raise
    except ValueError as error:
        raise TableFileError(f"{path}: {error}") from error


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, or a clear refusal."""
    try:
        if path.is_dir():
            raise TableFileError(f"{path}: expected a file, got a folder")
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe may never end
            raise TableFileError(f"{path}: expected a readable file, got a pipe or device")
        if found.st_size > MAX_FILE:
            raise TableFileError(f"{path}: expected at most {MAX_FILE:,} bytes, got {found.st_size:,}")
        data = path.read_bytes()
    except OSError as error:
        raise TableFileError(f"{path}: expected a readable file, got: {error.strerror}") from error
    return _gunzipped(data, path) if data.startswith(b"\x1f\x8b") else data


def check_dense(path: Path, shape: tuple[int, ...], players: int, rows: int) -> None:
    """Refuse rows that name so many things that nearly all of the table would be empty."""
    cells = prod(shape) * players
    if cells > max(MAX_CELLS, MAX_EMPTY * rows * players):
        sizes = " x ".join(map(str, shape))
        raise TableFileError(f"{path}: expected a table that is filled, got {sizes} cells, and {rows} rows for them")


def suffix_of(path: Path, known: Sequence[str] = (".csv", ".npz")) -> str:
    """The suffix of a file, one of `known`, in lower case."""
    if path.is_dir():
        raise TableFileError(f"{path}: expected a file, got a directory")
    suffix = next((s for s in sorted(known, key=len, reverse=True) if path.name.lower().endswith(s)), None)
    if suffix is None:
        expected = f"{', '.join(known[:-1])} or {known[-1]}"
        raise TableFileError(f"{path}: expected a name that ends in {expected}, got {path.name!r}")
    return suffix


READABLE = (".csv", ".csv.gz", ".tsv", ".parquet", ".npz")
"""Suffixes of files of tables and markets."""


def stem_of(path: Path) -> str:
    """The name of a file without its suffix, and without `.csv` of `.csv.gz`."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


# --- packed -----------------------------------------------------------------------------------------------------------


def unpacked_limit(packed: int) -> int:
    """Bytes that a file of so many bytes may unpack to."""
    return max(MIN_UNPACKED, MAX_GROWTH * packed)


def _too_large(path: Path, limit: int) -> TableFileError:
    return TableFileError(f"{path}: expected at most {limit:,} bytes when unpacked, got more; unpack it yourself")


def _gunzipped(data: bytes, path: Path) -> bytes:
    limit = unpacked_limit(len(data))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(limit + 1)
    except Exception as error:  # from gzip, zlib or Python
        raise TableFileError(f"{path}: expected a gzip file that can be read, got: {error}") from error
    if len(found) > limit:
        raise _too_large(path, limit)
    return found


def unzipped(
    data: bytes, path: Path, choose: Callable[[list[str]], Iterable[str]], called: Callable[[str], str] = repr
) -> dict[str, bytes]:
    """Members of a zip file; of all names `choose` says which, `called` is how errors name them."""
    limit, place, found = unpacked_limit(len(data)), "", {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            wanted = [archive.getinfo(name) for name in choose(archive.namelist())]
            if sum(member.file_size for member in wanted) > limit:
                raise _too_large(path, limit)
            for member in wanted:
                place = f"{called(member.filename)}: "
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise TableFileError(f"{path}: {place}expected a stored or deflated member, got another kind")
                with archive.open(member) as file:  # deflated ones are never unpacked further than asked
                    found[member.filename] = file.read(limit + 1)
                limit -= len(found[member.filename])
                if limit < 0:
                    raise _too_large(path, unpacked_limit(len(data)))
    except TableFileError:
        raise
    except Exception as error:  # a damaged archive raises anything, from zipfile, zlib or Python
        raise TableFileError(f"{path}: {place}expected a zip file that can be read, got: {error}") from error
    return found


# --- CSV, written -----------------------------------------------------------------------------------------------------


def csv_bytes(rows: Iterable[Iterable[str]]) -> bytes:
    """Rows of texts as a CSV."""
    return "".join(",".join(map(_field, row)) + "\n" for row in rows).encode()


def decimal(value: int, places: int) -> str:
    """`value / 10**places`, exactly."""
    text = f"{Decimal(value).scaleb(-places):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _field(text: str) -> str:
    special = set(text) & set(',"\r\n#')  # a bare # at the start of a line would be a comment
    return '"' + text.replace('"', '""') + '"' if special else text


# --- NPZ --------------------------------------------------------------------------------------------------------------


def load_arrays(
    data: bytes, path: Path, known: Collection[str], wanted: Callable[[dict[str, Any]], Sequence[str]]
) -> dict[str, np.ndarray]:
    """The arrays of an archive; `known` are those that it may hold, `wanted` those that it must, given the others."""
    if not data.startswith(b"PK"):
        raise TableFileError(f"{path}: expected an .npz, a zip archive of arrays, got something else")

    def check(names: list[str]) -> list[str]:
        for key in map(_key, names):
            if key not in known:
                raise TableFileError(f"{path}: expected arrays among {', '.join(known)}, got {key!r}")
        return names

    arrays: dict[str, Any] = {}
    for name, content in unzipped(data, path, check, lambda name: f"array {_key(name)!r}").items():
        try:
            arrays[_key(name)] = _array(content)
        except Exception as error:  # from numpy or Python
            raise TableFileError(f"{path}: array {_key(name)!r}: expected a plain array, got: {error}") from error
    for key in wanted(arrays):
        if key not in arrays:
            raise TableFileError(f"{path}: expected an array {key!r}, got only {list(arrays)}")
    return arrays


def _key(name: str) -> str:
    return name.removesuffix(".npy")


def _array(content: bytes) -> np.ndarray:
    """An array whose header says how many bytes there are: NumPy makes room for what it says before it looks."""
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if header is None:
        raise ValueError(f"version {version} of the format")
    shape, _, kind = header(file)
    came = len(content) - file.tell()
    if not kind.hasobject and prod(shape) * max(kind.itemsize, 1) != came:
        raise ValueError(f"{came} bytes for shape {list(shape)} of {kind}")
    return npy.read_array(io.BytesIO(content), allow_pickle=False)


def step_of(name: str, value: np.ndarray) -> int:
    """A resolution in an archive."""
    if value.shape != () or value.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected a scalar integer, got shape {list(value.shape)} of {value.dtype}")
    return int(value)


def names_of(arrays: dict[str, np.ndarray], key: str, shape: tuple[int, ...], default: Any) -> Any:
    """Names in an archive, as nested lists; the default where it has none."""
    array = arrays.get(key)
    if array is not None and (array.shape != shape or array.dtype.kind != "U"):
        expected = f"{shape[0]} strings" if len(shape) == 1 else f"strings of shape {list(shape)}"
        raise ValueError(f"{key}: expected {expected}, got shape {list(array.shape)} of {array.dtype}")
    return default if array is None else array.tolist()


def npz_bytes(arrays: dict[str, Any]) -> bytes:
    """Arrays as an archive."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@contextmanager
def fitting(suffix: str, what: str) -> Iterator[None]:
    """Errors say that it is the format which cannot hold this."""
    try:
        yield
    except TableFileError as error:
        instead = "; write an .npz instead" if suffix == ".csv" else ""
        raise TableFileError(f"{error} (so a {suffix} cannot hold these {what}{instead})") from error


def check_same(path: Path, one: Any, other: Any, names: Iterable[str]) -> None:
    """Refuse what reads back differently in one of these attributes."""
    different = [name for name in names if not np.array_equal(getattr(one, name), getattr(other, name))]
    if different:
        raise TableFileError(f"{path}: {', '.join(different)} would read back differently")
