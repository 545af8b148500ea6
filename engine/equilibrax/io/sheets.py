"""CSV files of other people: every cell knows its file, line and column, so that an error can name them."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax.io.files import TableFileError, line_of, read_bytes
from equilibrax.io.records import NUMBER, comma_hint, need_rows, pointed, read_texts

MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none"))
"""What stands for a missing number, in any case."""


@dataclass(frozen=True)
class Sheet:
    """A CSV file: `rows[i][c]` is the text in row i, which begins on line `lines[i]`, and column `columns[c]`."""

    path: Path
    columns: list[str]
    rows: list[list[str]]
    lines: list[int]
    header: int  # line of the header
    skipped: int = 0  # lines of comments before it
    decimal: str = "."  # what numbers have between whole and part

    def at(self, row: int, column: str) -> str:
        """The place of a cell, as errors name it."""
        return f"{line_of(self.path, self.lines[row])}: column {column!r}"

    def without(self, columns: Sequence[str]) -> Sheet:
        """The same file without some columns."""
        if not columns:
            return self
        kept = [place for place, column in enumerate(self.columns) if column not in columns]
        rows = [[row[place] for place in kept] for row in self.rows]
        return replace(self, columns=[self.columns[place] for place in kept], rows=rows)

    def texts(self, column: str) -> list[str]:
        """The cells of a column."""
        place = self.columns.index(column)
        return [row[place] for row in self.rows]

    def names(self, column: str) -> list[str]:
        """The cells of a column, none of them empty."""
        texts = self.texts(column)
        for i, text in enumerate(texts):
            if not text:
                raise TableFileError(f"{self.at(i, column)}: expected a name, got an empty field")
        return texts

    def numbers(self, columns: Sequence[str], scale: tuple[float, float] | None = None) -> np.ndarray:
        """`[rows, columns]` float64, NaN where missing; with a scale, its range becomes 0..1."""
        values = np.empty((len(self.rows), len(columns)))
        for c, column in enumerate(columns):
            for i, text in enumerate(self.texts(column)):
                values[i, c] = self._number(text, i, column, scale)
        return values if scale is None else (values - scale[0]) / (scale[1] - scale[0])

    def _number(self, text: str, row: int, column: str, scale: tuple[float, float] | None) -> float:
        if text.lower() in MISSING:
            return nan
        if self.decimal != ".":
            text = pointed(text, self.at(row, column))
        if not NUMBER.fullmatch(text):
            expected = "expected a finite number such as 0.25, or an empty field"
            raise TableFileError(f"{self.at(row, column)}: {expected}, got {reprlib.repr(text)}{comma_hint(text)}")
        value = float(text)
        if abs(value) == float("inf"):
            raise TableFileError(f"{self.at(row, column)}: expected a number up to 1e308, got {reprlib.repr(text)}")
        if scale is not None and not scale[0] <= value <= scale[1]:
            came = reprlib.repr(text)[1:-1]
            raise TableFileError(f"{self.at(row, column)}: expected {scale[0]:g} to {scale[1]:g}, got {came}")
        return value

    def positive(self, column: str) -> np.ndarray:
        """`[rows]` positive numbers."""
        values = self.numbers([column])[:, 0]
        for i in np.flatnonzero(~(values > 0))[:1].tolist():
            came = reprlib.repr(self.texts(column)[i])
            raise TableFileError(f"{self.at(i, column)}: expected a positive number, got {came}")
        return values


def is_number(text: str) -> bool:
    """Whether a field has a number, or the lack of one."""
    return text.lower() in MISSING or NUMBER.fullmatch(text) is not None


def read_sheet(
    path: str | os.PathLike[str],
    *,
    required: Sequence[str] = (),
    unnamed: bool = False,
    data: bytes | None = None,
    sep: str = ",",
    decimal: str = ".",
) -> Sheet:
    """A CSV or Parquet file with a header; `unnamed` allows columns without a name, such as a row number."""
    path = Path(path)
    found = read_texts(read_bytes(path) if data is None else data, path, sep, required)
    for i, column in enumerate(found.columns):
        if not column and not unnamed:
            where = line_of(path, found.header)
            raise TableFileError(f"{where}: column {i + 1}: expected a name, got an empty one")
    need_rows(found, path)
    return Sheet(path, found.columns, found.rows, found.lines, found.header, found.skipped, decimal)


def check_scale(name: str, scale: Any) -> tuple[float, float] | None:
    """The range of the numbers in a file: None, its upper end, or both ends."""
    if scale is None:
        return None
    ends = (0.0, scale) if isinstance(scale, Real) and not isinstance(scale, bool) else scale
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError):
        low, high = nan, nan
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"{name}: expected a positive number or a pair (low, high), got {scale!r}")
    return low, high
