"""Utility tables from files and to files: CSV for people, NPZ for programs, and the tables of the paper.

A CSV file has a header and one row per state and action:

    state,action,prior,user,Provider one,Provider two
    S1,A,0.5,0.545,0.80,0.40
    S1,B,0.5,0.580,0.50,0.90
    S2,A,0.5,0.570,0.45,0.70

`state`, `action` and `user` are required. Every column that is not named here is a provider, 1 to 16 of them,
in column order. `prior` (optional) is the weight of the state, of any scale; without it the prior is uniform.
`table` (optional) names the row's table where a file holds several. States, actions and tables are numbered
in order of first appearance; an action that has no row in some state is unavailable there. UTF-8, commas,
quotes where needed. Blank lines, lines that start with `#`, and space around a field are ignored.

Numbers are read as decimals, not as floating point: 0.545 at resolution 10,000 is exactly 5450, and where
rounding is needed it happens once, half to even, from the digits in the file.

Letters: B tables, K providers, X states, A actions.
"""

from __future__ import annotations

import csv
import io
import os
import re
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from math import gcd, lcm
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax._core.checks import positive_int
from equilibrax._core.files import write_whole
from equilibrax.problems.tables import MAX_PROVIDERS, Labels, UtilityTables, from_arrays, from_integers

PAPER_TABLES: tuple[str, ...] = ("synthetic-1", "synthetic-2", "movielens")
"""Names of the tables of 2509.15090, Appendix D, for `load_paper_table`."""

_REQUIRED = ("state", "action", "user")
_RESERVED = (*_REQUIRED, "prior", "table")
_NUMERIC_ARRAYS = ("user", "providers", "prior", "available")
_NAME_ARRAYS = ("state_names", "action_names", "provider_names", "table_names")
_ARRAYS = (*_NUMERIC_ARRAYS, "resolution", *_NAME_ARRAYS)
_INT32_MAX = 2**31 - 1

# Three digits of exponent: 1e999999999 is a short text and a number that does not fit in memory.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


class TableFileError(ValueError):
    """A file of utility tables cannot be read or written; the message names file, place and cause."""


def read_tables(path: str | os.PathLike[str], *, resolution: int = 10_000) -> UtilityTables:
    """Utility tables from a `.csv` or `.npz` file.

    A CSV is as the module's documentation describes. An NPZ holds `user` `[X, A]` or `[B, X, A]` and
    `providers` `[K, X, A]` or `[B, K, X, A]`. It may hold `prior` `[X]` or `[B, X]`; `available` `[X, A]` or
    `[B, X, A]` bool; the strings `state_names` `[X]`, `action_names` `[A]`, `provider_names` `[K]` and
    `table_names` `[B]`; and a scalar integer `resolution`. With that, all numbers must be integers and are
    the fixed-point values themselves; without it they are utilities and weights, as for `from_arrays`.

    Args:
        path: the file; its suffix says the format.
        resolution: steps per unit of utility. An NPZ that holds a `resolution` keeps its own.

    Returns:
        The file's tables as one batch; `table_id` is the position in the file. Tables of a CSV carry labels,
        and a CSV without a `table` column holds one table, named after the file.

    Raises:
        TableFileError: a `ValueError` naming the file, the line and column or the array, what was expected
            and what came.
        ValueError: if `resolution` is not a positive whole number.

    Example:
        >>> import pathlib, tempfile
        >>> from equilibrax.io.tables import read_tables
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "visits.csv")
        ...     _ = path.write_text("state,action,user,Ann,Bob\\nS1,A,0.545,0.8,0.4\\nS1,B,0.58,0.5,0.9\\n")
        ...     tables = read_tables(path)
        >>> tables.user.tolist(), tables.labels.providers, tables.names()
        ([[[5450, 5800]]], ('Ann', 'Bob'), ['visits'])
    """
    resolution = positive_int("resolution", resolution)
    path = Path(path)
    if path.is_dir():
        raise TableFileError(f"{path}: expected a .csv or .npz file, got a directory")
    parse = _from_csv if _suffix(path) == ".csv" else _from_npz
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableFileError(f"{path}: expected a readable file, got: {error.strerror}") from error
    return parse(data, path, resolution)


def write_table(tables: UtilityTables, path: str | os.PathLike[str]) -> None:
    """Write tables to a `.csv` or `.npz` file that reads back to the same tables; inverse of `read_tables`.

    A CSV holds exact decimals, to be read back with `read_tables(path, resolution=tables.resolution)`. It
    holds the prior as integer weights, which read back in lowest terms, and numbers in place of missing
    names. An NPZ holds all of these as they are. Neither holds ids, family and seed: table i reads back with
    id i.

    The bytes are read back and compared before they are written; the file appears whole or not at all.

    Args:
        tables: a batch of B tables.
        path: the file, replaced if it exists; its suffix says the format.

    Raises:
        TableFileError: if the path cannot be written, or if the format cannot hold the tables exactly; for a
            CSV: the resolution is not a power of ten, names collide or are empty, or no order of
            the rows has the actions appear in their order.

    Example:
        >>> import pathlib, tempfile
        >>> from equilibrax.io.tables import load_paper_table, read_tables, write_table
        >>> tables = load_paper_table("movielens")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_table(tables, pathlib.Path(folder, "movielens.npz"))
        ...     again = read_tables(pathlib.Path(folder, "movielens.npz"))
        >>> bool((again.user == tables.user).all()), again.labels == tables.labels
        (True, True)
    """
    path = Path(path)
    suffix = _suffix(path)
    labels = _full_labels(tables, path.stem)
    try:
        if suffix == ".csv":
            prior = np.asarray(tables.prior)
            lowest = prior // np.gcd.reduce(prior, axis=1, keepdims=True)
            expected = replace(tables, prior=lowest, labels=labels)
            data = _to_csv(tables, labels, path)
            again = _from_csv(data, path, tables.resolution)
        else:
            named = tables.labels and replace(labels, tables=labels.tables if tables.labels.tables else ())
            expected = replace(tables, labels=named)
            data = _to_npz(expected)
            again = _from_npz(data, path, tables.resolution)
        different = _differences(again, expected)
        if different:
            raise TableFileError(f"{path}: {', '.join(different)} would read back differently")
    except TableFileError as error:
        instead = "; write an .npz instead" if suffix == ".csv" else ""
        raise TableFileError(f"{error} (so a {suffix} cannot hold these tables{instead})") from error
    _write_whole(path, data)


def load_paper_table(name: str, *, resolution: int = 10_000) -> UtilityTables:
    """One of the utility tables of the paper's strategic experiments (2509.15090, Appendix D, Tables 1 to 3).

    `synthetic-1` has K=5, X=3, A=3; `synthetic-2` has K=5, X=3, A=4; `movielens` has K=6, X=6 genres and A=10
    movies, 3 of them available in each genre. The user is the paper's Alice, the providers are its Bobs, and
    the prior is uniform.

    Args:
        name: one of `PAPER_TABLES`.
        resolution: steps per unit of utility; the tables have 2 or 3 decimals; 10,000 is exact.

    Returns:
        A batch of one table, with labels.

    Raises:
        ValueError: for an unknown name, listing the names; or if `resolution` is not a positive whole number.

    Example:
        >>> from equilibrax.io.tables import load_paper_table
        >>> tables = load_paper_table("synthetic-1")
        >>> tables.num_providers, tables.user[0, 0].tolist(), tables.labels.actions
        (5, [5450, 5800, 4700], ('A', 'B', 'C'))
    """
    if name not in PAPER_TABLES:
        raise ValueError(f"name: expected one of {', '.join(PAPER_TABLES)}, got {name!r}")
    resolution = positive_int("resolution", resolution)
    data = resources.files("equilibrax").joinpath("data", f"{name}.csv").read_bytes()
    return _from_csv(data, Path(f"{name}.csv"), resolution)


# --- CSV ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    line: int
    table: str
    state: str
    action: str
    prior: str  # the text of a positive number
    utilities: list[int]  # the user's, then the providers'


def _from_csv(data: bytes, path: Path, resolution: int) -> UtilityTables:
    records = _records(data, path)
    line, columns = next(records, (1, []))
    _check_header(columns, line_of(path, line))
    rows = [_row(fields, columns, path, number, resolution) for number, fields in records]
    if not rows:
        raise TableFileError(f"{line_of(path, line)}: expected rows after the header, got none")
    return _assemble(rows, tuple(c for c in columns if c not in _RESERVED), path, resolution)


def line_of(path: Path, line: int) -> str:
    return f"{path}, line {line}"


def _records(data: bytes, path: Path) -> Iterator[tuple[int, list[str]]]:
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


def _check_header(columns: list[str], where: str) -> None:
    if not columns:
        raise TableFileError(f"{where}: expected a header with {', '.join(_REQUIRED)}, got an empty file")
    for i, column in enumerate(columns):
        problem = None
        if not column:
            problem = "expected a name, got an empty one"
        elif column in columns[:i]:
            problem = f"expected every name once, got {column!r} again"
        elif column not in _RESERVED and column.lower() in _RESERVED:  # it would pass for a provider
            problem = f"expected {column.lower()!r} in lower case, got {column!r}"
        if problem:
            raise TableFileError(f"{where}: column {i + 1}: {problem}")
    for required in _REQUIRED:
        if required not in columns:
            raise TableFileError(f"{where}: expected a column {required!r}, got only {columns}")
    count = sum(column not in _RESERVED for column in columns)
    if not 1 <= count <= MAX_PROVIDERS:
        raise TableFileError(f"{where}: expected 1 to {MAX_PROVIDERS} provider columns, got {count}")


def _row(fields: list[str], columns: list[str], path: Path, line: int, resolution: int) -> _Row:
    where = line_of(path, line)
    if len(fields) != len(columns):
        raise TableFileError(f"{where}: expected {len(columns)} fields as in the header, got {len(fields)}")
    cells = dict(zip(columns, fields))
    for column in ("table", "state", "action"):
        if cells.get(column) == "":
            raise TableFileError(f"{where}: column {column!r}: expected a name, got an empty field")
    utilities = []
    for column in ("user", *(c for c in columns if c not in _RESERVED)):
        here = f"{where}: column {column!r}"
        utilities.append(round(_exact(cells[column], here) * resolution))
        if abs(utilities[-1]) > _INT32_MAX:
            came = f"{reprlib.repr(cells[column])} at resolution {resolution}"
            raise TableFileError(f"{here}: expected utility x resolution up to {_INT32_MAX}, got {came}")
    prior, here = cells.get("prior", "1"), f"{where}: column 'prior'"
    if _exact(prior, here) <= 0:
        raise TableFileError(f"{here}: expected a positive weight, got {reprlib.repr(prior)}")
    return _Row(line, cells.get("table", path.stem), cells["state"], cells["action"], prior, utilities)


def _exact(text: str, where: str) -> Fraction:
    if not _NUMBER.fullmatch(text):
        came = reprlib.repr(text)  # shortened
        raise TableFileError(f"{where}: expected a finite decimal number such as 0.25, got {came}")
    return Fraction(Decimal(text))


def _assemble(rows: list[_Row], providers: tuple[str, ...], path: Path, resolution: int) -> UtilityTables:
    tables, states, actions = (
        {name: i for i, name in enumerate(dict.fromkeys(getattr(row, kind) for row in rows))}
        for kind in ("table", "state", "action")
    )
    lines = np.zeros((len(tables), len(states), len(actions)), np.int64)
    values = np.zeros((len(tables), 1 + len(providers), len(states), len(actions)), np.int64)
    for row in rows:
        b, x, a = tables[row.table], states[row.state], actions[row.action]
        if lines[b, x, a]:
            where = f"{line_of(path, row.line)}: table {row.table!r}, state {row.state!r}"
            came = f"{row.action!r} again after line {lines[b, x, a]}"
            raise TableFileError(f"{where}: expected every action once, got {came}")
        lines[b, x, a] = row.line
        values[b, :, x, a] = row.utilities
    prior = _prior(rows, list(tables), list(states), path)
    labels = Labels(tuple(states), tuple(actions), providers, tuple(tables))
    user, others = values[:, 0], values[:, 1:]
    with _naming(path):
        return from_integers(user, others, prior, lines > 0, resolution=resolution, labels=labels)


def _prior(rows: list[_Row], tables: list[str], states: list[str], path: Path) -> list[list[int]]:
    """`[B, X]` weights in lowest terms; every table must have every state, with one weight each."""
    first: dict[tuple[str, str], _Row] = {}
    opening: dict[str, _Row] = {}
    for row in rows:
        opening.setdefault(row.table, row)
        seen = first.setdefault((row.table, row.state), row)
        if row.prior != seen.prior and Decimal(row.prior) != Decimal(seen.prior):
            expected = f"{seen.prior} for state {row.state!r} as on line {seen.line}"
            where = f"{line_of(path, row.line)}: column 'prior'"
            raise TableFileError(f"{where}: expected {expected}, got {row.prior}")
    weights = []
    for table in tables:
        where = f"{line_of(path, opening[table].line)}: table {table!r}"
        for state in states:
            if (table, state) not in first:
                expected = "a row for each state of the file in every table"
                raise TableFileError(f"{where}: expected {expected}, got none for state {state!r}")
        exact = [Fraction(Decimal(first[table, state].prior)) for state in states]
        common = lcm(*(weight.denominator for weight in exact))
        whole = [int(weight * common) for weight in exact]
        divisor = gcd(*whole)
        if max(whole) // divisor > _INT32_MAX:
            expected = f"weights in ratios of whole numbers up to {_INT32_MAX}"
            raise TableFileError(f"{where}: column 'prior': expected {expected}, got larger ratios")
        weights.append([weight // divisor for weight in whole])
    return weights


def _to_csv(tables: UtilityTables, labels: Labels, path: Path) -> bytes:
    places = len(str(tables.resolution)) - 1
    if tables.resolution != 10**places:
        raise TableFileError(f"{path}: expected a power of ten as resolution, got {tables.resolution}")
    named = labels.tables != (path.stem,)  # a single table with the file's name needs no column
    rows = [[*["table"] * named, "state", "action", "prior", "user", *labels.providers]]
    prior, available = np.asarray(tables.prior), np.asarray(tables.available)
    values = np.concatenate([np.asarray(tables.user)[:, None], np.asarray(tables.providers)], axis=1)
    for b, x, a in _in_order(np.argwhere(available).tolist()):
        decimals = [_decimal(value, places) for value in values[b, :, x, a].tolist()]
        table = [labels.tables[b]] * named
        rows.append([*table, labels.states[x], labels.actions[a], str(prior[b, x]), *decimals])
    return "".join(",".join(map(_field, row)) + "\n" for row in rows).encode()


def _in_order(cells: list[list[int]]) -> list[list[int]]:
    """`[b, x, a]` reordered, if that can be, so that each index first appears after all smaller ones."""
    ordered, seen = [], [0, 0, 0]  # how many tables, states and actions have appeared
    while cells:
        later = []
        for cell in cells:
            if all(i <= n for i, n in zip(cell, seen)):
                ordered.append(cell)
                seen = [max(n, i + 1) for i, n in zip(cell, seen)]
            else:
                later.append(cell)
        if len(later) == len(cells):  # no order will do
            return ordered + later
        cells = later
    return ordered


def _decimal(value: int, places: int) -> str:
    text = f"{Decimal(value).scaleb(-places):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _field(text: str) -> str:
    special = set(text) & set(',"\r\n#')  # a bare # at the start of a line would be a comment
    return '"' + text.replace('"', '""') + '"' if special else text


# --- NPZ ----------------------------------------------------------------------------------------------------


def _from_npz(data: bytes, path: Path, resolution: int) -> UtilityTables:
    arrays = _load_arrays(data, path)
    given: dict[str, Any] = {key: arrays.get(key) for key in _NUMERIC_ARRAYS}
    with _naming(path):
        if "resolution" in arrays:
            own = arrays["resolution"]
            if own.shape != () or own.dtype.kind not in "iu":
                came = f"shape {list(own.shape)} of {own.dtype}"
                raise ValueError(f"resolution: expected a scalar integer, got {came}")
            tables = from_integers(**given, resolution=int(own))
        else:
            tables = from_arrays(**given, resolution=resolution)
    if not any(key in arrays for key in _NAME_ARRAYS):
        return tables
    default = replace(_full_labels(tables, path.stem), tables=())
    sizes = (tables.states, tables.actions, tables.num_providers, len(tables))
    names = [default.states, default.actions, default.providers, default.tables]
    for i, (key, size) in enumerate(zip(_NAME_ARRAYS, sizes)):
        array = arrays.get(key)
        if array is None:
            continue
        if array.shape != (size,) or array.dtype.kind != "U":
            came = f"shape {list(array.shape)} of {array.dtype}"
            raise TableFileError(f"{path}: {key}: expected {size} strings, got {came}")
        names[i] = tuple(array.tolist())
    return replace(tables, labels=Labels(*names))


def _load_arrays(data: bytes, path: Path) -> dict[str, np.ndarray]:
    if not data.startswith(b"PK"):  # np.load would go on to try other formats
        raise TableFileError(f"{path}: expected an .npz, a zip archive of arrays, got something else")
    place, arrays = "archive", {}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            for key in archive.files:
                place = f"array {key!r}"
                arrays[key] = archive[key] if key in _ARRAYS else None
    except Exception as error:  # a damaged archive raises anything, from zipfile, zlib, numpy or Python
        raise TableFileError(f"{path}: {place}: expected plain arrays, got: {error}") from error
    for key in arrays:
        if key not in _ARRAYS:
            raise TableFileError(f"{path}: expected arrays among {', '.join(_ARRAYS)}, got {key!r}")
    for key in ("user", "providers"):
        if key not in arrays:
            raise TableFileError(f"{path}: expected an array {key!r}, got only {list(arrays)}")
    return arrays


def _to_npz(tables: UtilityTables) -> bytes:
    arrays: dict[str, Any] = {key: np.asarray(getattr(tables, key)) for key in _NUMERIC_ARRAYS}
    arrays["resolution"] = np.int64(tables.resolution)
    if tables.labels:
        labels = tables.labels
        names = (labels.states, labels.actions, labels.providers, labels.tables)
        arrays |= {key: np.array(value, np.str_) for key, value in zip(_NAME_ARRAYS, names) if value}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


# --- both ---------------------------------------------------------------------------------------------------


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of `from_arrays` and `from_integers`, which name the argument, name the file too."""
    try:
        yield
    except ValueError as error:
        raise TableFileError(f"{path}: {error}") from error


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".npz"):
        raise TableFileError(f"{path}: expected a name that ends in .csv or .npz, got {path.name!r}")
    return suffix


def _full_labels(tables: UtilityTables, stem: str) -> Labels:
    """The tables' labels without gaps; `tables` are the names of this batch, in its order."""
    states, actions = (tuple(map(str, range(n))) for n in (tables.states, tables.actions))
    labels = tables.labels or Labels(states, actions, tables.provider_names())
    ids = tables.table_id.tolist()
    if all(i < len(labels.tables) for i in ids):
        names = [labels.tables[i] for i in ids]
    else:
        names = [f"{name} {i}" for name, i in zip(tables.names(), ids)] if len(ids) > 1 else [stem]
    return replace(labels, tables=tuple(names))


def _differences(one: UtilityTables, other: UtilityTables) -> list[str]:
    arrays = [key for key in _NUMERIC_ARRAYS if not np.array_equal(getattr(one, key), getattr(other, key))]
    return arrays + [key for key in ("resolution", "labels") if getattr(one, key) != getattr(other, key)]


def _write_whole(path: Path, data: bytes) -> None:
    """All of the file or nothing."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise TableFileError(f"{path}: expected a writable path; {error.strerror or error}") from error
