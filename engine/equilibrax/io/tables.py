"""Utility tables from files and to files: CSV for people, NPZ for programs, and the tables of the paper.

A CSV file has a header and one row per state and action:

    state,action,prior,user,Provider one,Provider two
    S1,A,0.5,0.545,0.80,0.40
    S1,B,0.5,0.580,0.50,0.90
    S2,A,0.5,0.570,0.45,0.70

`state`, `action` and `user` are required. Every column that is not named here is a provider, 1 to 16 of them,
in column order. `prior` (optional) is the weight of the state, of any scale; without it the prior is uniform.
`table` (optional) names the row's table where a file holds several. States, actions and tables are numbered
in order of first appearance; an action that has no row in some state is unavailable there, which is said. UTF-8, commas
(or `sep`), quotes where needed. Blank lines, lines before the header that start with `#`, and space around a field are
ignored. A Parquet file, or a CSV packed as `.csv.gz`, has the same columns.

Columns that look like row numbers (`Unnamed: 0`, `index`, `id`, no name) are refused unless `ignore` or `providers`
says what they are, and so are names that differ only by case, blanks or Unicode normalization. What was read is logged:
a line at level INFO of the logger `equilibrax.io`, and at level WARNING where actions exist in only some states.

Numbers are decimals or ratios such as 2/3, and are read exactly, not as floating point: 0.545 at resolution 10,000 is
exactly 5450, and where rounding is needed it happens once, half to even, from the digits in the file. Without a
resolution utilities of up to nine decimals are not rounded, if they fit.

Letters: B tables, K providers, X states, A actions.
"""

from __future__ import annotations

import logging
import os
import reprlib
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax._core.checks import expect, positive_int
from equilibrax._core.files import write_whole
from equilibrax.io import _table_csv as csv_format
from equilibrax.io.files import (
    READABLE,
    TableFileError,
    check_same,
    fitting,
    load_arrays,
    names_of,
    naming,
    npz_bytes,
    read_bytes,
    say,
    step_of,
    suffix_of,
)
from equilibrax.io.names import Reading, check_different, reading, refuse_reading
from equilibrax.io.records import counted
from equilibrax.problems.tables import Labels, UtilityTables, from_arrays, from_integers

PAPER_TABLES: tuple[str, ...] = ("synthetic-1", "synthetic-2", "movielens")
"""Names of the tables of 2509.15090, Appendix D, for `load_paper_table`."""

_NUMERIC_ARRAYS = ("user", "providers", "prior", "available")
_NAME_ARRAYS = ("state_names", "action_names", "provider_names", "table_names")
_ARRAYS = (*_NUMERIC_ARRAYS, "resolution", *_NAME_ARRAYS)


def read_tables(
    path: str | os.PathLike[str],
    *,
    resolution: int | None = None,
    providers: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    sep: str = ",",
    decimal: str = ".",
    strict: bool = False,
) -> UtilityTables:
    """Utility tables from a `.csv`, `.csv.gz`, `.parquet` or `.npz` file.

    A CSV or Parquet file is as the module's documentation describes. An NPZ holds `user` `[X, A]` or `[B, X, A]` and
    `providers` `[K, X, A]` or `[B, K, X, A]`. It may hold `prior` `[X]` or `[B, X]`; `available` `[X, A]` or
    `[B, X, A]` bool; the strings `state_names` `[X]`, `action_names` `[A]`, `provider_names` `[K]` and
    `table_names` `[B]`; and a scalar integer `resolution`. With that, all numbers must be integers and are
    the fixed-point values themselves; without it they are utilities and weights, as for `from_arrays`.

    Args:
        path: the file; its suffix says the format.
        resolution: steps per unit of utility; None is the smallest power of ten of at least 10,000 that represents the
            utilities, as for `from_arrays`. An NPZ that holds a `resolution` keeps its own.
        providers: columns that are the providers, in this order; None for all columns without another meaning.
        ignore: columns that are left out.
        sep: what is between fields of a CSV: a comma, ";", "|", or a tab, for which `tab` stands, too.
        decimal: what numbers have between whole and part, "." or ",".
        strict: whether to refuse actions that exist in only some states of a table.

    Returns:
        The file's tables as one batch; `table_id` is the position in the file. Tables of a CSV carry labels,
        and a CSV without a `table` column holds one table, named after the file. Tables of different sizes are no
        batch: see `read_table_groups`.

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
    how = reading(providers, ignore, sep, decimal)
    return _read(Path(path), resolution, how, strict, apart=False)[0]


def read_table_groups(
    path: str | os.PathLike[str],
    *,
    resolution: int | None = None,
    providers: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    sep: str = ",",
    decimal: str = ".",
    strict: bool = False,
) -> list[UtilityTables]:
    """Utility tables of different sizes in one file, as batches of tables that have the same states and actions.

    Args:
        path: as for `read_tables`, and so are the others. Without a resolution each batch has its own.
        resolution: steps per unit of utility.
        providers: columns that are the providers.
        ignore: columns that are left out.
        sep: what is between fields of a CSV.
        decimal: what numbers have between whole and part.
        strict: whether to refuse actions that exist in only some states of a table.

    Returns:
        Batches in the order of their first tables; `table_id` is the position of a table in the file.

    Raises:
        TableFileError: as `read_tables`.
        ValueError: as `read_tables`.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> rows = "table,state,action,user,Ann", "big,S,A,1,0", "big,T,A,0,1", "small,S,A,1,1"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "tables.csv")
        ...     _ = path.write_text("\\n".join(rows))
        ...     groups = eq.read_table_groups(path)
        >>> [(batch.names(), batch.states, batch.table_id.tolist()) for batch in groups]
        [(['big'], 2, [0]), (['small'], 1, [1])]
    """
    return _read(Path(path), resolution, reading(providers, ignore, sep, decimal), strict, apart=True)


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
    expect("tables", tables, UtilityTables)
    path = Path(path)
    suffix = suffix_of(path)
    labels = _full_labels(tables, path.stem)
    with fitting(suffix, "tables"):
        if suffix == ".csv":
            prior = np.asarray(tables.prior)
            lowest = prior // np.gcd.reduce(prior, axis=1, keepdims=True)
            expected = replace(tables, prior=lowest, labels=labels)
            data = csv_format.text(tables, labels, path)
            again = csv_format.parse(data, path, tables.resolution)[0]
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
    return csv_format.parse(data, Path(f"{name}.csv"), resolution)[0]


def _read(path: Path, resolution: int | None, how: Reading, strict: bool, apart: bool) -> list[UtilityTables]:
    if resolution is not None:
        resolution = positive_int("resolution", resolution)
    if suffix_of(path, READABLE) == ".npz":
        refuse_reading(path, how)
        batches = [_from_npz(read_bytes(path), path, resolution)]
    else:
        batches = csv_format.parse(read_bytes(path), path, resolution, how, apart)
    partial = [text for batch in batches for text in _partial(batch)]
    if partial:
        some = "; ".join(partial[:3]) + (f"; and {len(partial) - 3} more" if len(partial) > 3 else "")
        about = f"{path}: {counted(len(partial), 'action')} in only some of the states: {some}"
        if strict:
            raise TableFileError(f"{about}; expected all of a table's actions in each of its states")
        say(logging.WARNING, f"{about}; taken as unavailable in the others (strict=True, or --strict, refuses this)")
    return batches


def _partial(tables: UtilityTables) -> list[str]:
    """Actions that exist in some states of a table and not in others."""
    available = np.asarray(tables.available)
    odd = available.any(axis=1) & ~available.all(axis=1)
    found, names = [], tables.names()
    several = len(tables) > 1 or (tables.labels and len(tables.labels.tables) > 1)
    for b, a in np.argwhere(odd).tolist():
        actions = tables.labels.actions if tables.labels else range(tables.actions)
        states = [name for name, there in zip(tables.state_names(), available[b, :, a]) if not there]
        of = f" of table {reprlib.repr(names[b])}" if several else ""
        found.append(f"{reprlib.repr(actions[a])}{of} not in {reprlib.repr(states)[1:-1]}")
    return found


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
        for key, own in zip(_NAME_ARRAYS[:3], names):
            check_different(f"{path}: {key}", own)
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
