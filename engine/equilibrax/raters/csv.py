"""Raters from CSV files, wide or long.

Wide, one row per item, one column per rater and per target:

    item,target,Ann,Bob
    lying,0.1,0.2,0.15
    helping,0.9,0.8,

Long, one row per rating; the targets are among the raters:

    item,rater,value
    lying,target,0.1
    lying,Ann,0.2

A number that is missing is an empty field, NA, N/A, NaN, null or None (any case); in a long file, also a row that is
not there. UTF-8, commas (or `sep`), quotes where needed; blank lines, lines before the header that start with `#`, and
space around a field are ignored. A Parquet file, or a CSV packed as `.csv.gz`, has the same columns.

Columns that look like row numbers (`Unnamed: 0`, `index`, `id`, no name) are refused unless `ignore` or `providers`
says what they are; so are an item that comes twice, and names of raters that differ only by case, blanks or Unicode
normalization. What was read is logged, a line at level INFO of the logger `equilibrax.io`.
"""

from __future__ import annotations

import logging
import os
import reprlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from equilibrax._core.checks import check_choice
from equilibrax.io.files import TableFileError, check_dense, line_of, naming, say
from equilibrax.io.names import Reading, check_alike, choose_providers, is_row_number, reading
from equilibrax.io.records import counted, skipped_text
from equilibrax.io.sheets import Sheet, check_scale, is_number, read_sheet
from equilibrax.raters.matrix import RaterMatrix, rater_matrix

RaterFormat = Literal["auto", "wide", "long"]

_LONG = ("item", "rater", "value")


def read_raters(
    path: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    format: RaterFormat = "auto",
    weight: str | None = None,
    group: str | None = None,
    ignore: Sequence[str] = (),
    scale: float | tuple[float, float] | None = None,
    target_scale: float | tuple[float, float] | None = None,
    providers: Sequence[str] | None = None,
    sep: str = ",",
    decimal: str = ".",
) -> RaterMatrix:
    """What raters and targets say of the same items, from a CSV or Parquet file as the module describes it.

    Args:
        path: the file. In a wide file the column `item`, or a first column without a name, has the items' names; every
            column that is not named here is a rater. A long file has the columns `item`, `rater` and `value`, and no
            others than `weight`, `group` and `ignore`.
        target: column (wide) or rater (long) to be matched, or several of them; None is `target`.
        format: "wide", "long", or "auto": long if the file has the columns `item`, `rater` and `value`.
        weight: column with the importance of each item, positive numbers; None is 1 for all.
        group: column with the group of each item, any text; items of one group are in the same fold. None makes every
            item a group of its own.
        ignore: columns that are no raters.
        scale: the range of the file's numbers, `(low, high)` or just `high` for `(0, high)`: it becomes 0..1, and a
            number outside it is an error. None leaves numbers as they are.
        target_scale: the same for targets; None is the same scale as for raters.
        providers: columns (wide) or raters (long) that are the raters, in this order; None for all that have no other
            meaning.
        sep: what is between fields of a CSV: a comma, ";", "|", or a tab, for which `tab` stands, too.
        decimal: what numbers have between whole and part, "." or ",".

    Returns:
        A `RaterMatrix`, items and raters in the file's order, targets in the order of `target`.

    Raises:
        TableFileError: a `ValueError` naming the file, the line and column, what was expected and what came: no such
            column, no number, a number outside the scale, a rating twice, a weight or group of an item that changes.
        ValueError: on an unknown `format`, or a scale that is none.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "survey.csv")
        ...     _ = path.write_text("item,me,Ann,Bob\\nlying,10,20,15\\nhelping,90,80,\\n")
        ...     raters = eq.read_raters(path, target="me", scale=100)
        >>> raters.rater_names, raters.ratings.tolist()
        (('Ann', 'Bob'), [[0.2, 0.15], [0.8, nan]])
    """
    how = reading(providers, ignore, sep, decimal)
    sheet = read_sheet(path, unnamed=True, sep=how.sep, decimal=decimal)
    return raters_of(sheet, how, target, format, weight, group, scale, target_scale)


def raters_of(
    sheet: Sheet, how: Reading, target, format: RaterFormat, weight: str | None, group: str | None, scale, target_scale
) -> RaterMatrix:
    """What a sheet says; the arguments are those of `read_raters`."""
    check_choice("format", format, get_args(RaterFormat))
    low_high = check_scale("scale", scale)
    wanted = check_scale("target_scale", target_scale) if target_scale is not None else low_high
    names = ("target",) if target is None else (target,) if isinstance(target, str) else tuple(target)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"target: expected one name or several different ones, got {target!r}")
    for option, columns in (("weight", [weight]), ("group", [group]), ("ignore", how.ignore)):
        for column in columns:
            if column is not None:
                _expect(column, sheet.columns, f"{option}: ", sheet)
    long = set(_LONG) <= set(sheet.columns) if format == "auto" else format == "long"
    read = _long if long else _wide
    with naming(sheet.path):
        matrix, left = read(sheet, names, weight, group, how, low_high, wanted)
    say_read(sheet, matrix, left)
    return matrix


def choose_raters(sheet: Sheet, apart: Sequence[str], how: Reading) -> tuple[list[str], list[str]]:
    """The raters among the columns of scores, and what is left out: row numbers too, unless they are named."""
    numbers = [name for name in sheet.columns if is_row_number(name) and name not in (*apart, *(how.providers or ()))]
    ignore = tuple(dict.fromkeys((*how.ignore, *numbers)))
    raters, left = choose_providers(
        sheet.columns, line_of(sheet.path, sheet.header), apart, replace(how, ignore=ignore)
    )
    return list(raters), left


def say_read(sheet: Sheet, matrix: RaterMatrix, left: Sequence[str]) -> None:
    """Log what was read of a sheet, and which columns were left out."""
    sizes = f"{counted(matrix.num_items, 'item')}, {counted(matrix.num_raters, 'rater')}"
    parts = [f"{sizes}: {', '.join(matrix.rater_names)}", f"target: {', '.join(matrix.target_names)}"]
    parts += [f"left out: {', '.join(map(repr, left))}"] * bool(left) + [skipped_text(sheet.skipped)]
    say(logging.INFO, f"{sheet.path}: " + "; ".join(filter(None, parts)))


def _wide(sheet: Sheet, targets, weight, group, how, scale, target_scale) -> tuple[RaterMatrix, list[str]]:
    item = "item" if "item" in sheet.columns else "" if sheet.columns[0] == "" else None
    for target in targets:
        _expect(target, sheet.columns, "target: ", sheet)
    where = line_of(sheet.path, sheet.header)
    apart = {name for name in (item, weight, group, *targets) if name is not None}
    raters, left = choose_providers(sheet.columns, where, apart, how)
    if not raters:
        raise TableFileError(f"{where}: expected a column of some rater, got only {reprlib.repr(sheet.columns)}")
    _no_names(sheet, item, raters[0])
    if item is not None:
        _each_once(sheet, item)
    matrix = rater_matrix(
        sheet.numbers(raters, scale),
        sheet.numbers(targets, target_scale),
        weights=None if weight is None else sheet.positive(weight),
        groups=None if group is None else _numbered(sheet.names(group)),
        items=None if item is None else sheet.texts(item),
        raters=raters,
        targets_names=targets,
    )
    return matrix, left


def _each_once(sheet: Sheet, item: str) -> None:
    """Refuse an item that comes twice: one of them would be in the training set of the other."""
    texts = sheet.texts(item)
    first: dict[str, int] = {}
    for i, text in enumerate(texts):
        if text and (before := first.setdefault(text, i)) != i:
            came = f"{reprlib.repr(text)} again after line {sheet.lines[before]}"
            raise TableFileError(f"{sheet.at(i, item)}: expected every item once, got {came}")
    check_alike(((text, sheet.at(i, item)) for i, text in enumerate(texts) if text), case=True)


def _no_names(sheet: Sheet, item: str | None, rater: str) -> None:
    """Refuse a first column that has names instead of numbers."""
    if item is not None or rater != sheet.columns[0]:
        return
    cased = rater.lower() == "item"
    if cased or not any(is_number(text.replace(sheet.decimal, ".")) for text in sheet.texts(rater)):
        expected = "'item' as the name of the column of names" + ("" if cased else ", or a column of numbers")
        raise TableFileError(f"{line_of(sheet.path, sheet.header)}: column 1: expected {expected}, got {rater!r}")


def _long(sheet: Sheet, targets, weight, group, how, scale, target_scale) -> tuple[RaterMatrix, list[str]]:
    for column in _LONG:
        _expect(column, sheet.columns, "", sheet)
    for column in sheet.columns:
        if column not in (*_LONG, weight, group, *how.ignore):
            where = f"{line_of(sheet.path, sheet.header)}: column {column!r}"
            raise TableFileError(f"{where}: expected item, rater, value and columns named as weight, group or ignore")
    items, raters = sheet.names("item"), sheet.names("rater")
    check_alike(((name, sheet.at(i, "item")) for i, name in enumerate(items)), case=True)
    check_alike((name, sheet.at(i, "rater")) for i, name in enumerate(raters))
    rows = {name: i for i, name in enumerate(dict.fromkeys(items))}
    columns = {name: k for k, name in enumerate(dict.fromkeys(raters))}
    for target in targets:
        _expect(target, list(columns), "column 'rater': target: ", sheet)
    others = [name for name in columns if name not in targets] if how.providers is None else list(how.providers)
    for name in others:
        _expect(name, list(columns), "column 'rater': providers: ", sheet)
    if not others:
        raise TableFileError(f"{sheet.path}: column 'rater': expected some rater, got only {', '.join(targets)}")
    plain = sheet.numbers(["value"])[:, 0]
    check_dense(sheet.path, (len(rows), len(columns)), 1, len(items))
    values = np.full((len(rows), len(columns)), np.nan)
    first: dict[tuple[str, str], int] = {}
    for i, (item, rater) in enumerate(zip(items, raters)):
        if (before := first.setdefault((item, rater), i)) != i:
            came = f"another of {rater!r} of {item!r} after line {sheet.lines[before]}"
            raise TableFileError(f"{sheet.at(i, 'value')}: expected one rating, got {came}")
        ends = target_scale if rater in targets else scale
        if ends is not None and not (np.isnan(plain[i]) or ends[0] <= plain[i] <= ends[1]):
            came = f"{plain[i]:g} of {rater!r}"
            raise TableFileError(f"{sheet.at(i, 'value')}: expected {ends[0]:g} to {ends[1]:g}, got {came}")
        low, high = ends or (0.0, 1.0)
        values[rows[item], columns[rater]] = (plain[i] - low) / (high - low)
    start: dict[str, int] = {}
    for i, item in enumerate(items):
        start.setdefault(item, i)
    opening = list(start.values())
    matrix = rater_matrix(
        values[:, [columns[name] for name in others]],
        values[:, [columns[name] for name in targets]],
        weights=None if weight is None else _constant(sheet, weight, items, sheet.positive(weight))[opening],
        groups=None if group is None else _numbered(_constant(sheet, group, items, sheet.names(group))[opening]),
        items=rows,
        raters=others,
        targets_names=targets,
    )
    return matrix, [*how.ignore, *(name for name in columns if name not in (*others, *targets))]


def _constant(sheet: Sheet, column: str, items: list[str], values: Any) -> np.ndarray:
    """The values of a column, after a check that rows of one item have the same."""
    first: dict[str, int] = {}
    for i, item in enumerate(items):
        before = first.setdefault(item, i)
        if values[i] != values[before]:
            expected = f"{values[before]} for item {item!r} as on line {sheet.lines[before]}"
            raise TableFileError(f"{sheet.at(i, column)}: expected {expected}, got {values[i]}")
    return np.asarray(values)


def _numbered(names: Sequence[str] | np.ndarray) -> np.ndarray:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(str(name), len(numbers)) for name in names], np.int64)


def _expect(name: str, names: Sequence[str], option: str, sheet: Sheet) -> None:
    if name not in names:
        where = line_of(sheet.path, sheet.header)
        raise TableFileError(f"{where}: {option}expected {name!r} among the file's names, got {reprlib.repr(names)}")
