"""Parquet files of rows that are not repeated: pages made of the values that differ, by numpy.

Arrow's writer looks at every row of every column, which takes three times as long as to compress what does not repeat.
Here a column is written (the format's names in brackets) as

- its different values, and for every row the number of one [RLE_DICTIONARY], where these are few or it is text: runs
  where it repeats, else 8 bits a number, or an even number of bits;
- else its values [PLAIN].

Every group of rows has one page of data of a column, and every page its CRC-32. All but a few bytes is compressed by
zstd. Whole numbers and text have their least and greatest value, lists and results do not. Names and types are what
Arrow makes of them: the footer is that of its empty file, with groups of rows put in.

The format: https://parquet.apache.org/docs/file-format/. Its structures are Thrift's, in the compact protocol.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa

from equilibrax._core.column import Column
from equilibrax.rows.grid import MOST_WORDS, Cell, Grid, Numbered, missing_in

_PHYSICAL = {"bool": (0, "?"), "int64": (2, "<i8"), "float32": (4, "<f4"), "float64": (5, "<f8"), "string": (6, "O")}
_INT32 = 1, "<i4"  # and all shorter ones
_PLAIN, _RLE, _DICTIONARY = 0, 3, 8  # encodings
_CODECS = {"": 0, "zstd": 6, "lz4_raw": 7}
_LEVELS = {_PLAIN: -1, _DICTIONARY: 1}  # of zstd: of plain results -1 leaves no more than 1, and is faster
_FEW, _SMALL = 2**6, 2**13  # bytes: less is not compressed, or by LZ4, which takes no room that has to be cleared
_ROWS_PER_GROUP = 2**19  # or less, with all rows of a table: dictionaries are shared by all of them
_NO_GROUPS = b"\x16\x00\x19\x0c"  # in the footer of a file without rows: field 3 is 0, and 4 a list of no structures


def pages(grid: Grid, footer: bytes) -> list[bytes]:
    """A whole file, in parts.

    Args:
        grid: rows, which are `plain`.
        footer: of a file with the same columns and without rows.
    """
    before, after = footer.split(_NO_GROUPS)
    parts, groups, at = [b"PAR1"], [], 4
    step = max(1, _ROWS_PER_GROUP // max(1, prod(grid.shape[1:])))
    for start in range(0, grid.shape[0] if grid.num_rows else 0, step):
        group = grid.part(start, min(start + step, grid.shape[0]))
        first, uncompressed, chunks = at, 0, []
        for column in grid.columns:
            written, size, said = _chunk(column, group.cells[column.name], group.shape, at)
            chunks.append(_struct((2, 6, _int(at)), (3, 12, said)))
            parts += written
            at += sum(map(len, written))
            uncompressed += size
        sizes = (2, 6, _int(uncompressed)), (3, 6, _int(group.num_rows)), (5, 6, _int(first)), (6, 6, _int(at - first))
        groups.append(_struct((1, 9, _list(12, chunks)), *sizes))
    end = before + b"\x16" + _int(grid.num_rows) + b"\x19" + _list(12, groups) + after
    return [*parts, end, len(end).to_bytes(4, "little"), b"PAR1"]


class _Content(NamedTuple):
    """A column's part of a group of rows, before it is compressed.

    Attributes:
        entries: values, and what is missing.
        missing: how many of them are, where there are no lists.
        words: the values of its dictionary, and how many; None if it has none.
        data: the page of data.
        extremes: the greatest and the least value, as statistics have them.
    """

    entries: int
    missing: int
    words: tuple[bytes, int] | None
    data: bytes
    extremes: list[tuple[int, int, bytes]]


def _content(column: Column, cell: Cell, shape: tuple[int, ...]) -> _Content:
    words = cell.words if isinstance(cell, Numbered) else None
    entries, levels, values, full = _levels(column, cell.index if isinstance(cell, Numbered) else cell, shape)
    kind, count = _PHYSICAL.get(column.element, _INT32)[1], prod(full)
    if isinstance(words, np.ndarray) and count < len(words):  # too few to share them
        values, words = words[values], None
    elif words is not None:
        used = np.bincount(values.reshape(-1), minlength=len(words)) > 0
        place = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
        values = (place if len(place) > MOST_WORDS else place.astype(np.uint16))[values]
        words = np.asarray(words, object if kind == "O" else None)[used]
    elif count and kind != "?" and (column.depth or values.size < count or "i" in kind):
        words, values = _numbered(values, min(MOST_WORDS, count // 2 + 1))
    different = values if words is None else words
    extremes = [] if column.depth or "f" in kind or not count else _extremes(different, kind)
    if words is None:
        plain = _plain(np.broadcast_to(values, full), kind)
        return _Content(entries, entries - count, None, levels + plain, extremes)
    numbers = _numbers(values, full, _width(len(words), column.depth))
    return _Content(entries, entries - count, (_plain(words, kind), len(words)), levels + numbers, extremes)


def _chunk(column: Column, cell: Cell, shape: tuple[int, ...], at: int) -> tuple[list[bytes], int, bytes]:
    """The pages of a column, which begin at byte `at`, their size uncompressed, and what the footer says of them."""
    entries, missing, words, data, extremes = _content(column, cell, shape)
    encoding = _PLAIN if words is None else _DICTIONARY
    said = (1, 5, _int(entries)), (2, 5, _int(encoding)), (3, 5, _int(_RLE)), (4, 5, _int(_RLE))
    pages: list[tuple[int, int, bytes, tuple[tuple[int, int, bytes], ...]]] = [(0, 5, data, said)]
    if words is not None:
        pages.insert(0, (2, 7, words[0], ((1, 5, _int(words[1])), (2, 5, _int(_PLAIN)))))
    size = sum(len(content) for _, _, content, _ in pages)
    name = "" if size < _FEW else "lz4_raw" if size < _SMALL else "zstd"
    codec = pa.Codec(name, _LEVELS[encoding] if name == "zstd" else None) if name else None
    written, uncompressed, start = [], 0, at
    for number, place, content, said in pages:
        stored = content if codec is None else codec.compress(content, asbytes=True)
        checksum = int.from_bytes(crc32(stored).to_bytes(4, "little"), "little", signed=True)
        sizes = (1, 5, _int(number)), (2, 5, _int(len(content))), (3, 5, _int(len(stored))), (4, 5, _int(checksum))
        header = _struct(*sizes, (place, 12, _struct(*said)))
        start = at + sum(map(len, written))  # in the end of the page of data
        uncompressed += len(header) + len(content)
        written += [header, stored]
    ordered = not column.depth and not column.element.startswith("float")
    meta = _struct(
        (1, 5, _int(_PHYSICAL.get(column.element, _INT32)[0])),
        (2, 9, _list(5, map(_int, sorted({_PLAIN, _RLE, encoding})))),
        (3, 9, _list(8, (as_bytes(part.encode()) for part in (column.name, *["list", "element"] * column.depth)))),
        (4, 5, _int(_CODECS[name])),
        (5, 6, _int(entries)),
        (6, 6, _int(uncompressed)),
        (7, 6, _int(sum(map(len, written)))),
        (9, 6, _int(start)),
        *([] if words is None else [(11, 6, _int(at))]),
        *([(12, 12, _struct((3, 6, _int(missing)), *extremes))] if ordered else []),
    )
    return written, uncompressed, meta


def _levels(column: Column, cell: Any, shape: tuple[int, ...]) -> tuple[int, bytes, np.ndarray, tuple[int, ...]]:
    """How many entries a page has (values, and what is missing), how they are told apart, and the values.

    With the shape that these broadcast to: of the rows if none is missing and there are no lists, else one axis.
    """
    rows = prod(shape)
    if cell is None:
        nothing = _sized(_run(rows, 0))
        return rows, nothing * (1 + column.depth), np.empty(0, _PHYSICAL.get(column.element, _INT32)[1]), (0,)
    leading = cell.reshape(*cell.shape[: len(shape)], -1)[..., 0] if column.depth else cell
    some = column.nullable and cell.size > 0 and bool(missing_in(leading.min()))  # NaN if one is
    present = ~np.broadcast_to(missing_in(leading), shape).reshape(-1) if some else np.empty(0, bool)
    if not column.depth:
        if not some:
            return rows, _sized(_run(rows, 1)), cell, shape
        values = np.broadcast_to(cell, shape).reshape(-1)[present]
        return rows, _sized(_packed(present, 1)), values, values.shape
    lists = np.broadcast_to(cell, (*shape, *cell.shape[len(shape) :])).reshape(rows, -1)
    lengths = np.where(present, lists.shape[1], 1) if some else np.full(rows, lists.shape[1])
    first = np.cumsum(lengths) - lengths
    inside, known = np.ones(lengths.sum(), np.uint8), np.full(lengths.sum(), 3, np.uint8)
    inside[first] = 0
    if some:
        known[first[~present]] = 0
        lists = lists[present]
    return len(known), _sized(_packed(inside, 1)) + _sized(_packed(known, 2)), lists.reshape(-1), (lists.size,)


# --- values -----------------------------------------------------------------------------------------------------------


def _numbered(values: np.ndarray, most: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Different values and the number of each; None and the values themselves if there are more than `most`."""
    if values.size == 1:
        return values.reshape(1), np.zeros_like(values, np.uint8)
    if values.dtype.kind == "i" and 2**8 <= most < values.size:
        least, greatest = int(values.min()), int(values.max())
        if greatest - least < 2**8:
            return np.arange(least, greatest + 1), (values - least).astype(np.uint8)  # some may not occur
    found = pa.array(values.reshape(-1)).dictionary_encode()
    if len(found.dictionary) > most:
        return None, values
    return found.dictionary.to_numpy(), found.indices.to_numpy().reshape(values.shape)


def _plain(values: np.ndarray, kind: str) -> bytes:
    if kind == "O":
        return b"".join(len(word).to_bytes(4, "little") + word for word in (text.encode() for text in values))
    if kind == "?":
        return np.packbits(values, bitorder="little").tobytes()
    return values.astype(kind, copy=False).tobytes()


def _extremes(values: np.ndarray, kind: str) -> list[tuple[int, int, bytes]]:
    """The greatest and the least, as statistics have them."""
    if kind == "O":
        texts = [text.encode() for text in values]
        greatest, least = max(texts), min(texts)
    else:
        greatest, least = (np.asarray(one, kind).tobytes() for one in (values.max(), values.min()))
    return [(5, 8, as_bytes(greatest)), (6, 8, as_bytes(least))]


def _width(words: int, depth: int) -> int:
    """Bits of a number of a word: whole bytes, in which compression finds what repeats; but lists are random."""
    bits = max(8, (words - 1).bit_length())
    return bits + bits % 2 if depth and bits <= 16 else -(-bits // 8) * 8


def _numbers(index: np.ndarray, shape: tuple[int, ...], width: int) -> bytes:
    """Which word every value is: the width of numbers in bits, then they."""
    index = index.astype(_unsigned(width), copy=False)
    if index.size == 1:
        numbers = _run(prod(shape), int(index.flat[0]))
    elif index.size == len(index) < prod(shape):  # the same along all axes but the first
        head = np.frombuffer(_varint(prod(shape[1:]) << 1), np.uint8)
        runs = np.empty((len(index), len(head) + -(-width // 8)), np.uint8)
        runs[:, : len(head)] = head
        runs[:, len(head) :] = index.reshape(-1, 1).astype("<u4").view(np.uint8)[:, : -(-width // 8)]
        numbers = runs.tobytes()
    else:
        numbers = _packed(np.broadcast_to(index, shape).reshape(-1), width)
    return bytes([width]) + numbers


def _packed(values: np.ndarray, width: int) -> bytes:
    """Numbers of 1 bit, of an even number up to 16, or of whole bytes; one run if all are the same."""
    if not len(values) or values.min() == values.max():
        return _run(len(values), int(values[0]) if len(values) else 0)
    padded = np.zeros(-(-len(values) // 8) * 8, _unsigned(width))
    padded[: len(values)] = values
    if width == 1:
        padded = np.packbits(padded, bitorder="little")
    elif width % 8:
        pairs = padded[::2] | padded[1::2].astype("<u4") << width
        fours = pairs[::2] | pairs[1::2].astype("<u8") << 2 * width
        padded = fours.view(np.uint8).reshape(-1, 8)[:, : width // 2]
    else:
        padded = padded.view(np.uint8).reshape(len(padded), -1)[:, : width // 8]
    return _varint(-(-len(values) // 8) << 1 | 1) + padded.tobytes()


def _unsigned(bits: int) -> str:
    """Numbers that have room for so many bits."""
    return "u1" if bits == 1 or bits == 8 else "<u2" if bits <= 16 else "<u4"


def _run(count: int, value: int) -> bytes:
    """So many times a number of at most 8 bits."""
    return _varint(count << 1) + bytes([value])


def _sized(levels: bytes) -> bytes:
    return len(levels).to_bytes(4, "little") + levels


# --- Thrift -----------------------------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    found = []
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


@lru_cache(4096)
def _int(value: int) -> bytes:
    return _varint(value << 1 ^ (value >> 63))


def as_bytes(value: bytes) -> bytes:
    """A text of Thrift."""
    return _varint(len(value)) + value


def _list(kind: int, items: Iterable[bytes]) -> bytes:
    items = list(items)
    size = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([15 << 4 | kind]) + _varint(len(items))
    return size + b"".join(items)


def _struct(*fields: tuple[int, int, bytes]) -> bytes:
    """Fields: their numbers, which rise by at most 15, kinds and values."""
    parts, last = [], 0
    for number, kind, value in fields:
        parts += [bytes([(number - last) << 4 | kind]), value]
        last = number
    return b"".join([*parts, b"\0"])
