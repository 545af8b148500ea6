"""Tables as CSV or Parquet: one row per state and action. `equilibrax.io.tables` has the format.

Letters: B tables, K providers, X states, A actions.
"""

from __future__ import annotations

import logging
import reprlib
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax.io.files import TableFileError, check_dense, csv_bytes, decimal, line_of, naming, place_of, say, stem_of
from equilibrax.io.names import Reading
from equilibrax.io.records import Texts, counted, exact, prior_weights, read_rows, utilities
from equilibrax.problems.tables import Labels, UtilityTables, from_arrays, table_id_words

_REQUIRED = ("state", "action", "user")
_TEXTS = ("table", "state", "action")
_RESERVED = (*_REQUIRED, "prior", "table")


@dataclass(frozen=True)
class _Row:
    line: int
    table: str
    state: str
    action: str
    prior: str  # the text of a positive number
    utilities: list[Fraction]  # the user's, then the providers'


def parse(
    data: bytes | Texts, path: Path, resolution: int | None, how: Reading | None = None, apart: bool = False
) -> list[UtilityTables]:
    """The tables as one batch, or `apart` by their states and actions; with `how`, what was read is logged."""
    found = read_rows(data, path, _REQUIRED, _RESERVED, how or Reading(), names=_TEXTS.__contains__)
    rows = [_row(cells, found.providers, path, line, resolution) for line, cells in found.rows]
    by_table: dict[str, list[_Row]] = {}
    for row in rows:
        by_table.setdefault(row.table, []).append(row)
    groups: dict[Any, list[_Row]] = {}
    for table in by_table.values():
        key = frozenset(row.state for row in table), frozenset(row.action for row in table)
        groups.setdefault(key if apart else None, []).extend(table)
    batches = [_assemble(own, found.providers, path, resolution) for own in groups.values()]
    if len(batches) > 1:
        place, names = {name: i for i, name in enumerate(by_table)}, tuple(by_table)
        for i, batch in enumerate(batches):
            ids = np.array([place[name] for name in batch.names()])
            labels = Labels(batch.state_names(), batch.labels.actions if batch.labels else (), found.providers, names)
            batches[i] = replace(batch, table_id_words=table_id_words(ids), labels=labels)
    if how is not None:
        several = f"{counted(len(by_table), 'table')}, " if len(by_table) > 1 else ""
        sizes = dict.fromkeys(
            f"{counted(batch.states, 'state')}, {counted(batch.actions, 'action')}" for batch in batches
        )
        say(logging.INFO, found.said(path, several + " or ".join(sizes)))
    return batches


def _row(cells: dict[str, str], providers: tuple[str, ...], path: Path, line: int, resolution: int | None) -> _Row:
    where = line_of(path, line)
    for column in ("table", "state", "action"):
        if cells.get(column) == "":
            raise TableFileError(f"{where}: column {column!r}: expected a name, got an empty field")
    values = utilities(cells, ("user", *providers), where, resolution)
    prior, here = cells.get("prior", "1"), f"{where}: column 'prior'"
    if exact(prior, here) <= 0:
        raise TableFileError(f"{here}: expected a positive weight, got {reprlib.repr(prior)}")
    return _Row(line, cells.get("table", stem_of(path)), cells["state"], cells["action"], prior, values)


def _assemble(rows: list[_Row], providers: tuple[str, ...], path: Path, resolution: int | None) -> UtilityTables:
    tables, states, actions = (
        {name: i for i, name in enumerate(dict.fromkeys(getattr(row, kind) for row in rows))}
        for kind in ("table", "state", "action")
    )
    check_dense(path, (len(tables), len(states), len(actions)), 1 + len(providers), len(rows))
    lines = np.zeros((len(tables), len(states), len(actions)), np.int64)
    values = np.full((len(tables), 1 + len(providers), len(states), len(actions)), Fraction(0), object)
    for row in rows:
        b, x, a = tables[row.table], states[row.state], actions[row.action]
        if lines[b, x, a]:
            where = f"{line_of(path, row.line)}: table {row.table!r}, state {row.state!r}"
            came = f"{row.action!r} again after {place_of(path, lines[b, x, a])}"
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
            expected = f"{seen.prior} for state {row.state!r} as on {place_of(path, seen.line)}"
            where = f"{line_of(path, row.line)}: column 'prior'"
            raise TableFileError(f"{where}: expected {expected}, got {row.prior}")
    weights = []
    for table in tables:
        where = f"{line_of(path, opening[table].line)}: table {table!r}"
        for state in states:
            if (table, state) not in first:
                expected = "a row for each state of the file in every table"
                hint = "read_table_groups reads tables of different sizes"
                raise TableFileError(f"{where}: expected {expected}, got none for state {state!r}; {hint}")
        weights.append(prior_weights([exact(first[table, state].prior, "") for state in states], where))
    return weights


def text(tables: UtilityTables, labels: Labels, path: Path) -> bytes:
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
