"""Rows from declarations: a value for every column, found by its name, repeated over the rows that share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, reduce
from math import prod
from operator import or_
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax._core.column import Column, schema
from equilibrax._core.committees import committee_text
from equilibrax._core.status import Status, status_names

Extractors = Mapping[str, Callable[[Any], Any]]
"""By the name of a column, how its values are had from a result."""

_ABSENT = object()


def build_rows(
    columns: Iterable[Column],
    shape: tuple[int, ...],
    sources: tuple[Any, ...],
    own: Extractors,
    *,
    fixed: bool = False,
    encoded: bool = False,
) -> pa.Table:
    """One row per cell of an array of this shape, in its order.

    A column's value is what its extractor makes of the first source, else the attribute of its name that the first
    source has that has one. It may be

    - None: all are missing;
    - an array that broadcasts to `shape`, for lists with further axes behind it;
    - for text, also a pair of such an array and the words that it numbers, or a list of the last axis, with None;
    - an Arrow array of all rows.

    Args:
        columns: the declarations.
        shape: of the rows.
        sources: where values are found, the result first.
        own: extractors.
        fixed: whether lists are of fixed size in the type, too.
        encoded: whether text stays numbers of words (Arrow's dictionaries), which are written faster.

    Raises:
        AttributeError: if nothing has a value for a column.
    """

    def value(name: str) -> Any:
        if name in own:
            return own[name](sources[0])
        for source in sources:
            found = getattr(source, name, _ABSENT)  # once: it may have to be computed
            if found is not _ABSENT:
                return found
        raise AttributeError(f"column {name!r}: expected an extractor or an attribute, got neither")

    columns = tuple(columns)
    arrays = [_array(column, value(column.name), shape, fixed, encoded) for column in columns]
    if fixed or encoded:
        return pa.table(dict(zip([column.name for column in columns], arrays)))
    return pa.Table.from_arrays(arrays, schema=schema(columns))


def status_words(status: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The text of statuses, for `build_rows`."""
    return status, _all_names()


@cache
def _all_names() -> list[str]:
    return status_names(np.arange(int(reduce(or_, Status)) + 1)).tolist()


def batch_names(named: Any, axes: int) -> tuple[np.ndarray, list[str]]:
    """Names of the games of a batch, for rows with so many axes."""
    names = named.names()
    words = {name: number for number, name in enumerate(dict.fromkeys(names))}
    index = [0] if len(words) == 1 else [words[name] for name in names]
    return along_batch(index, axes), list(words)


def unique_names(batch: Any, axes: int) -> tuple[np.ndarray, list[str]]:
    """The same, with ids where several have the same name."""
    return along_batch(np.arange(len(batch)), axes), batch.unique_names()


def committee_names(result: Any) -> tuple[np.ndarray, list[str]]:
    """Committees by the names of their providers."""
    names = result.problem.provider_names()
    return np.arange(len(result.committees)), [committee_text(mask, names) for mask in result.committees.tolist()]


def along_batch(values: Any, axes: int) -> np.ndarray:
    """`[B]` values that are the same along all axes but the first."""
    return np.asarray(values).reshape(-1, *[1] * (axes - 1))


def sizes(committees: np.ndarray) -> np.ndarray:
    """How many compete, of bitmasks."""
    return (np.asarray(committees)[..., None] >> np.arange(31) & 1).sum(axis=-1)


def _array(column: Column, value: Any, shape: tuple[int, ...], fixed: bool, encoded: bool) -> pa.Array:
    kind, total = column.arrow, prod(shape)
    if isinstance(value, pa.Array):
        return value
    if value is None:
        return pa.nulls(total, pa.list_(kind.value_type, 1) if fixed and column.depth else kind)
    if column.depth:
        value = np.asarray(value)
        return _lists(column, np.broadcast_to(value, (*shape, *value.shape[len(shape) :])), len(shape), fixed)
    if column.type == "string":
        text = _text(value, shape)
        return text if encoded else text.cast(pa.string())
    value = np.asarray(value)
    if value.size < total and value.dtype.kind == "i":  # else all that it is repeated over would be looked at
        value = pa.array(value.reshape(-1), kind).to_numpy().reshape(value.shape)
    flat = np.broadcast_to(value, shape).reshape(-1)
    missing = _missing(flat) if column.nullable else None
    return pa.array(flat, kind, mask=missing if missing is not None and missing.any() else None)


def _lists(column: Column, values: np.ndarray, axes: int, fixed: bool) -> pa.Array:
    size, total = prod(values.shape[axes:]), prod(values.shape[:axes])
    rows = values.reshape(total, size)
    flat = pa.array(rows.reshape(-1), column.arrow.value_type)
    if fixed:
        return pa.FixedSizeListArray.from_arrays(flat, size)
    offsets = pa.array(np.arange(total + 1, dtype=np.int32) * size)
    return pa.ListArray.from_arrays(offsets, flat, mask=pa.array(_missing(rows[:, 0])) if column.nullable else None)


def _text(value: Any, shape: tuple[int, ...]) -> pa.DictionaryArray:
    if isinstance(value, tuple | list):
        index, words = value if isinstance(value, tuple) else (np.arange(len(value)), value)
    else:
        words, index = np.unique(np.asarray(value, str), return_inverse=True)
        index, words = index.reshape(np.shape(value)), words.tolist()
    index = np.asarray(index, np.int32)
    if index.size and (first := int(index.flat[0])) == index.max() == index.min():  # a status, nearly always
        words, index = [words[first]], np.zeros(1, np.int32)
    else:
        used = np.bincount(index.reshape(-1), minlength=len(words)) > 0
        index = (np.cumsum(used, dtype=np.int32) - np.int32(1))[index]
        words = [word for word, needed in zip(words, used) if needed]
    flat = np.broadcast_to(index, shape).reshape(-1)
    return pa.DictionaryArray.from_arrays(pa.array(flat), pa.array(words, pa.string()))


def _missing(values: np.ndarray) -> np.ndarray:
    return np.isnan(values) if values.dtype.kind == "f" else values < 0
