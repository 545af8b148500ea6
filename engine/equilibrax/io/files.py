"""What the formats of tables and markets share: CSV records, exact numbers, arrays in an archive, and their errors."""

from __future__ import annotations

import csv
import io
import re
import reprlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax._core.checks import INT32_MAX
from equilibrax._core.fixed_point import DEFAULT_RESOLUTION, whole_weights
from equilibrax.problems.tables import MAX_PROVIDERS

# Three digits of exponent: 1e999999999 is a short text and a number that does not fit in memory.
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_RATIO = re.compile(r"([+-]?[0-9]{1,18})/([0-9]{1,18})")


class TableFileError(ValueError):
    """A file of utility tables cannot be read or written; the message names file, place and cause."""


def line_of(path: Path, line: int) -> str:
    """The place of a record, as errors name it."""
    return f"{path}, line {line}"


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
    if path.is_dir():
        raise TableFileError(f"{path}: expected a file, got a folder")
    try:
        return path.read_bytes()
    except OSError as error:
        raise TableFileError(f"{path}: expected a readable file, got: {error.strerror}") from error


def suffix_of(path: Path) -> str:
    """`.csv` or `.npz`."""
    if path.is_dir():
        raise TableFileError(f"{path}: expected a .csv or .npz file, got a directory")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".npz"):
        raise TableFileError(f"{path}: expected a name that ends in .csv or .npz, got {path.name!r}")
    return suffix


# --- CSV, read --------------------------------------------------------------------------------------------------------


def records(data: bytes, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV, each with the number of its first line; without comments and blank lines."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = io.StringIO(data[: error.start].decode() + "?", newline="")
        where, byte = line_of(path, sum(1 for _ in before)), data[error.start]
        raise TableFileError(f"{where}: expected UTF-8 text, got byte 0x{byte:02x}") from error
    start = 0  # first line of the current record; 0 between records

    def lines() -> Iterator[str]:
        nonlocal start
        for number, line in enumerate(io.StringIO(text, newline=""), 1):
            if not start:  # a blank line or a # inside a quoted field belongs to the field
                if line.startswith("#") or not line.strip():
                    continue
                start = number
            yield line

    reader = csv.reader(lines(), strict=True, skipinitialspace=True)
    while True:
        start = 0
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TableFileError(f"{line_of(path, start)}: expected well-formed CSV, got: {error}") from error
        yield start, [field.strip() for field in fields]


def read_records(
    data: bytes,
    path: Path,
    required: Sequence[str],
    reserved: Collection[str],
    providers: Callable[[list[str], str], Sequence[str]],
) -> tuple[tuple[str, ...], list[tuple[int, dict[str, str]]]]:
    """The providers of a CSV (of its columns, at a place), and its rows: number of the first line, text by column."""
    found = records(data, path)
    line, columns = next(found, (1, []))
    where = line_of(path, line)
    _check_header(columns, where, required, reserved)
    names = tuple(providers(columns, where))
    if not 1 <= len(names) <= MAX_PROVIDERS:
        raise TableFileError(f"{where}: expected 1 to {MAX_PROVIDERS} provider columns, got {len(names)}")
    rows = []
    for number, fields in found:
        if len(fields) != len(columns):
            expected = f"expected {len(columns)} fields as in the header"
            raise TableFileError(f"{line_of(path, number)}: {expected}, got {len(fields)}")
        rows.append((number, dict(zip(columns, fields))))
    if not rows:
        raise TableFileError(f"{where}: expected rows after the header, got none")
    return names, rows


def _check_header(columns: list[str], where: str, required: Sequence[str], reserved: Collection[str]) -> None:
    if not columns:
        raise TableFileError(f"{where}: expected a header with {', '.join(required)}, got an empty file")
    for i, column in enumerate(columns):
        problem = None
        if not column:
            problem = "expected a name, got an empty one"
        elif column in columns[:i]:
            problem = f"expected every name once, got {column!r} again"
        elif column not in reserved and column.lower() in reserved:  # it would pass for a provider
            problem = f"expected {column.lower()!r} in lower case, got {column!r}"
        if problem:
            raise TableFileError(f"{where}: column {i + 1}: {problem}")
    for name in required:
        if name not in columns:
            raise TableFileError(f"{where}: expected a column {name!r}, got only {columns}")


def exact(text: str, where: str) -> Fraction:
    """A decimal such as 0.25, or a ratio of whole numbers such as 2/3, exactly."""
    ratio = _RATIO.fullmatch(text)
    if ratio and int(ratio[2]):
        return Fraction(int(ratio[1]), int(ratio[2]))
    if not NUMBER.fullmatch(text):
        came = reprlib.repr(text)  # shortened
        raise TableFileError(f"{where}: expected a decimal number such as 0.25 or a ratio such as 2/3, got {came}")
    return Fraction(Decimal(text))


def utilities(cells: dict[str, str], columns: Iterable[str], where: str, resolution: int | None) -> list[Fraction]:
    """The numbers of a row, exactly, if they can be held."""
    values = []
    steps = resolution or DEFAULT_RESOLUTION
    for column in columns:
        here = f"{where}: column {column!r}"
        values.append(exact(cells[column], here))
        if abs(round(values[-1] * steps)) > INT32_MAX:
            came = f"{reprlib.repr(cells[column])} at resolution {steps}"
            raise TableFileError(f"{here}: expected utility x resolution up to {INT32_MAX}, got {came}")
    return values


def prior_weights(weights: Sequence[Fraction], where: str) -> list[int]:
    """Whole weights of the states, as `whole_weights`."""
    try:
        return whole_weights("prior", weights, "shares of")
    except ValueError as error:
        expected = f"weights in ratios of whole numbers up to {INT32_MAX}"
        raise TableFileError(f"{where}: column 'prior': expected {expected}, got larger ratios ({error})") from error


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
    if not data.startswith(b"PK"):  # np.load would go on to try other formats
        raise TableFileError(f"{path}: expected an .npz, a zip archive of arrays, got something else")
    place, arrays = "archive", {}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            for key in archive.files:
                place = f"array {key!r}"
                arrays[key] = archive[key] if key in known else None
    except Exception as error:  # a damaged archive raises anything, from zipfile, zlib, numpy or Python
        raise TableFileError(f"{path}: {place}: expected plain arrays, got: {error}") from error
    for key in arrays:
        if key not in known:
            raise TableFileError(f"{path}: expected arrays among {', '.join(known)}, got {key!r}")
    for key in wanted(arrays):
        if key not in arrays:
            raise TableFileError(f"{path}: expected an array {key!r}, got only {list(arrays)}")
    return arrays


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
