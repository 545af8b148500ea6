"""Rows before they are repeated: of every column the values that differ, in an array that broadcasts to all rows.

Of a sweep's columns most are the same for all rows, all tables or all committees. Arrow has a value for every row; what
is to be written needs none of that, see `equilibrax.rows._pages`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax._core.column import Column


@dataclass(frozen=True)
class Numbered:
    """Values by their numbers.

    Attributes:
        index: of integers from 0, with as many axes as the rows (and those of a list).
        words: what it numbers: text, or float64 numbers that are all different.
    """

    index: np.ndarray
    words: list[str] | np.ndarray


Cell = np.ndarray | Numbered | pa.Array | None
"""The values of a column: with as many axes as the rows (and those of a list), of length 1 where they are repeated, and
of the column's type; or an Arrow array of all rows; or None if all are missing."""

MOST_WORDS = 2**16
"""Most numbers that are numbered."""


def fractions(values: np.ndarray, scale: np.ndarray) -> np.ndarray | Numbered:
    """Whole numbers over those that they are multiples of: numbered where these are few, and the same for all tables.

    Args:
        values: `[B, ...]`.
        scale: `[B]` or one.
    """
    scale = np.asarray(scale)
    if values.dtype.kind == "i" and values.size and (scale == scale.flat[0]).all():
        least, most = min(0, int(values.min())), int(values.max())
        if most - least < MOST_WORDS:
            return Numbered(values - least if least else values, np.arange(least, most + 1) / scale.flat[0])
    return values / scale.reshape(-1, *[1] * (values.ndim - 1))


@dataclass(frozen=True)
class Grid:
    """Rows that are the cells of an array.

    Attributes:
        columns: the declarations, as they are stored.
        shape: of the rows; the first axis are tables, or whatever is split.
        cells: of every column, by its name.
    """

    columns: tuple[Column, ...]
    shape: tuple[int, ...]
    cells: dict[str, Cell]

    @property
    def num_rows(self) -> int:
        return prod(self.shape)

    @property
    def plain(self) -> bool:
        """Whether all columns are arrays of values, or of lists of numbers; the same for all results of a kind."""
        flat = all(one.depth == 0 or (one.depth == 1 and one.element != "string") for one in self.columns)
        return flat and not any(isinstance(cell, pa.Array) for cell in self.cells.values())

    def along_first(self, name: str) -> np.ndarray:
        """The values of a column that are the same along all axes but the first."""
        cell = self.cells[name]
        assert isinstance(cell, np.ndarray)
        return np.broadcast_to(cell[(slice(None), *[0] * (len(self.shape) - 1))], self.shape[:1])

    def part(self, start: int, stop: int) -> Grid:
        """The rows from `start` to `stop` of the first axis; nothing is copied."""
        each = prod(self.shape[1:])

        def of(cell: Any) -> Any:
            if isinstance(cell, Numbered):
                return Numbered(of(cell.index), cell.words)
            if isinstance(cell, np.ndarray):
                return cell if len(cell) == 1 < self.shape[0] else cell[start:stop]
            return None if cell is None else cell.slice(start * each, (stop - start) * each)

        shape = (stop - start, *self.shape[1:])
        return (
            self if shape == self.shape else replace(self, shape=shape, cells={k: of(v) for k, v in self.cells.items()})
        )

    def stored(self, float32: bool) -> Grid:
        """With the types that datasets have: 32-bit results on request."""
        return replace(self, columns=tuple(column.stored(float32) for column in self.columns)) if float32 else self

    def table(self, fixed: bool = False, encoded: bool = False) -> pa.Table:
        """In Arrow's memory.

        Args:
            fixed: whether lists are of fixed size in the type, too.
            encoded: whether text stays numbers of words (Arrow's dictionaries), which are written faster.
        """
        arrays = [self._array(column, fixed, encoded) for column in self.columns]
        return pa.table(dict(zip([column.name for column in self.columns], arrays)))

    def _array(self, column: Column, fixed: bool, encoded: bool) -> pa.Array:
        cell: Any = self.cells[column.name]
        kind, total = column.arrow, self.num_rows
        if isinstance(cell, pa.Array):
            return cell.cast(kind)
        if cell is None:
            return pa.nulls(total, pa.list_(kind.value_type, 1) if fixed and column.depth else kind)
        if isinstance(cell, Numbered) and isinstance(cell.words, np.ndarray):
            cell = cell.words[cell.index]
        elif isinstance(cell, Numbered):
            index = pa.array(np.broadcast_to(cell.index, self.shape).reshape(-1))
            text = pa.DictionaryArray.from_arrays(index, pa.array(cell.words, pa.string()))
            return text if encoded else text.cast(kind)
        if not column.depth:
            flat = np.broadcast_to(cell, self.shape).reshape(-1)
            missing = missing_in(flat) if column.nullable else None
            return pa.array(flat, mask=missing if missing is not None and missing.any() else None).cast(kind)
        inner = cell.shape[len(self.shape) :]
        size = prod(inner)
        rows = np.broadcast_to(cell, (*self.shape, *inner)).reshape(total, size)
        flat = pa.array(rows.reshape(-1)).cast(kind.value_type)
        if fixed:
            return pa.FixedSizeListArray.from_arrays(flat, size)
        offsets = pa.array(np.arange(total + 1, dtype=np.int32) * size)
        return pa.ListArray.from_arrays(
            offsets, flat, mask=pa.array(missing_in(rows[:, 0])) if column.nullable else None
        )


def missing_in(values: np.ndarray) -> np.ndarray:
    """Which values say that there is none."""
    return np.isnan(values) if values.dtype.kind == "f" else values < 0
