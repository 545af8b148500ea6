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

Numbers are decimals or ratios such as 2/3, and are read exactly, not as floating point: 0.545 at resolution 10,000 is
exactly 5450, and where rounding is needed it happens once, half to even, from the digits in the file. Without a
resolution utilities of up to nine decimals are not rounded, if they fit.

Letters: B tables, K providers, X states, A actions.
"""

from __future__ import annotations

import os
import reprlib
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax._core.checks import positive_int
from equilibrax._core.files import write_whole
from equilibrax.io.files import (
    TableFileError,
    check_same,
    csv_bytes,
    decimal,
    exact,
    fitting,
    line_of,
    load_arrays,
    names_of,
    naming,
    npz_bytes,
    prior_weights,
    read_bytes,
    read_records,
    step_of,
    suffix_of,
    utilities,
)
from equilibrax.problems.tables import Labels, UtilityTables, from_arrays, from_integers

PAPER_TABLES: tuple[str, ...] = ("synthetic-1", "synthetic-2", "movielens")
"""Names of the tables of 2509.15090, Appendix D, for `load_paper_table`."""

_REQUIRED = ("state", "action", "user")
_RESERVED = (*_REQUIRED, "prior", "table")
_NUMERIC_ARRAYS = ("user", "providers", "prior", "available")
_NAME_ARRAYS = ("state_names", "action_names", "provider_names", "table_names")
_ARRAYS = (*_NUMERIC_ARRAYS, "resolution", *_NAME_ARRAYS)


def read_tables(path: str | os.PathLike[str], *, resolution: int | None = None) -> UtilityTables:
    """Utility tables from a `.csv` or `.npz` file.

    A CSV is as the module's documentation describes. An NPZ holds `user` `[X, A]` or `[B, X, A]` and
    `providers` `[K, X, A]` or `[B, K, X, A]`. It may hold `prior` `[X]` or `[B, X]`; `available` `[X, A]` or
    `[B, X, A]` bool; the strings `state_names` `[X]`, `action_names` `[A]`, `provider_names` `[K]` and
    `table_names` `[B]`; and a scalar integer `resolution`. With that, all numbers must be integers and are
    the fixed-point values themselves; without it they are utilities and weights, as for `from_arrays`.

    Args:
        path: the file; its suffix says the format.
        resolution: steps per unit of utility; None is the smallest power of ten of at least 10,000 that represents the
            utilities, as for `from_arrays`. An NPZ that holds a `resolution` keeps its own.

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
    if resolution is not None:
        resolution = positive_int("resolution", resolution)
    path = Path(path)
    parse = _from_csv if suffix_of(path) == ".csv" else _from_npz
    return parse(read_bytes(path), path, resolution)


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
    suffix = suffix_of(path)
    labels = _full_labels(tables, path.stem)
    with fitting(suffix, "tables"):
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
        check_same(path, again, expected, (*_NUMERIC_ARRAYS, "resolution", "labels"))
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
    utilities: list[Fraction]  # the user's, then the providers'


def _from_csv(data: bytes, path: Path, resolution: int | None) -> UtilityTables:
    providers, found = read_records(
        data, path, _REQUIRED, _RESERVED, lambda columns, _: [c for c in columns if c not in _RESERVED]
    )
    rows = [_row(cells, providers, path, line, resolution) for line, cells in found]
    return _assemble(rows, providers, path, resolution)


def _row(cells: dict[str, str], providers: tuple[str, ...], path: Path, line: int, resolution: int | None) -> _Row:
    where = line_of(path, line)
    for column in ("table", "state", "action"):
        if cells.get(column) == "":
            raise TableFileError(f"{where}: column {column!r}: expected a name, got an empty field")
    values = utilities(cells, ("user", *providers), where, resolution)
    prior, here = cells.get("prior", "1"), f"{where}: column 'prior'"
    if exact(prior, here) <= 0:
        raise TableFileError(f"{here}: expected a positive weight, got {reprlib.repr(prior)}")
    return _Row(line, cells.get("table", path.stem), cells["state"], cells["action"], prior, values)


def _assemble(rows: list[_Row], providers: tuple[str, ...], path: Path, resolution: int | None) -> UtilityTables:
    tables, states, actions = (
        {name: i for i, name in enumerate(dict.fromkeys(getattr(row, kind) for row in rows))}
        for kind in ("table", "state", "action")
    )
    lines = np.zeros((len(tables), len(states), len(actions)), np.int64)
    values = np.full((len(tables), 1 + len(providers), len(states), len(actions)), Fraction(0), object)
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
    with naming(path):
        return from_arrays(user, others, prior, lines > 0, resolution=resolution, labels=labels)


def _prior(rows: list[_Row], tables: list[str], states: list[str], path: Path) -> list[list[int]]:
    """`[B, X]` weights in lowest terms; every table must have every state, with one weight each."""
    first: dict[tuple[str, str], _Row] = {}
    opening: dict[str, _Row] = {}
    for row in rows:
        opening.setdefault(row.table, row)
        seen = first.setdefault((row.table, row.state), row)
        if row.prior != seen.prior and exact(row.prior, "") != exact(seen.prior, ""):
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
        weights.append(prior_weights([exact(first[table, state].prior, "") for state in states], where))
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
        decimals = [decimal(value, places) for value in values[b, :, x, a].tolist()]
        table = [labels.tables[b]] * named
        rows.append([*table, labels.states[x], labels.actions[a], str(prior[b, x]), *decimals])
    return csv_bytes(rows)


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


# --- NPZ ----------------------------------------------------------------------------------------------------


def _from_npz(data: bytes, path: Path, resolution: int | None) -> UtilityTables:
    arrays = load_arrays(data, path, _ARRAYS, lambda _: ("user", "providers"))
    given: dict[str, Any] = {key: arrays.get(key) for key in _NUMERIC_ARRAYS}
    with naming(path):
        if "resolution" in arrays:
            tables = from_integers(**given, resolution=step_of("resolution", arrays["resolution"]))
        else:
            tables = from_arrays(**given, resolution=resolution)
        if not any(key in arrays for key in _NAME_ARRAYS):
            return tables
        default = replace(_full_labels(tables, path.stem), tables=())
        names = [
            tuple(names_of(arrays, key, (size,), names))
            for key, size, names in (
                ("state_names", tables.states, default.states),
                ("action_names", tables.actions, default.actions),
                ("provider_names", tables.num_providers, default.providers),
                ("table_names", len(tables), ()),
            )
        ]
    return replace(tables, labels=Labels(*names))


def _to_npz(tables: UtilityTables) -> bytes:
    arrays: dict[str, Any] = {key: np.asarray(getattr(tables, key)) for key in _NUMERIC_ARRAYS}
    arrays["resolution"] = np.int64(tables.resolution)
    if tables.labels:
        labels = tables.labels
        names = (labels.states, labels.actions, labels.providers, labels.tables)
        arrays |= {key: np.array(value, np.str_) for key, value in zip(_NAME_ARRAYS, names) if value}
    return npz_bytes(arrays)


# --- both ---------------------------------------------------------------------------------------------------


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


def _write_whole(path: Path, data: bytes) -> None:
    """All of the file or nothing."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise TableFileError(f"{path}: expected a writable path; {error.strerror or error}") from error
