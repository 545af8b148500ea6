"""Parquet files of strangers: nothing is decompressed before its size is known, nothing in the footer is believed.

The footer and the headers of pages are parsed here (Thrift's compact protocol), because Arrow believes them: a page may
say that it is 3 GB long, a chunk of a column that its data are in another file, statistics that all committees have one
member. Only what the writer of datasets writes may be there, and statistics must be those of the data.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from equilibrax._core.column import Column, schema

MOST_BYTES = 2**28
"""Most bytes of a file, and of its pages when they are decompressed. Files that need more are not checked."""

_TEXT = 256  # bytes of a string
_SLACK = 2**16  # bytes of a column beside its values
_FOOTER = 2**22

# What may be in the structures of the format, by the numbers of their fields.
_FILE = {1, 2, 3, 4, 5, 6, 7}
_ROW_GROUP = {1, 2, 3, 5, 6, 7}  # not 4, an order of rows
_CHUNK = {2, 3}  # not 1, another file; 4 to 7, indexes; 8 and 9, encryption
_META = {1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 16}  # not 8, words; 10, 14 and 15, indexes


class TooLarge(ValueError):
    """A file that is larger than what can be checked."""


class NoSchema(ValueError):
    """What a file says of its columns is not what they are; with the name of one of them, or None."""

    def __init__(self, column: str | None, what: str):
        super().__init__(what)
        self.column = column


def read_file(
    content: bytes,
    columns: Sequence[Column],
    rows: int,
    widths: Mapping[str, int],
    texts: Mapping[str, int] | None = None,
) -> pa.Table:
    """The rows of a file, after all that it says of itself was compared with what its columns are.

    Args:
        content: of the file.
        columns: that it should have.
        rows: that it should have.
        widths: how many values a list holds, at most; 1 where nothing is said.
        texts: how many bytes a text has, at most, in columns whose texts are all different; else it is 256.

    Raises:
        TooLarge: if that is more than `MOST_BYTES`.
        NoSchema: if columns, types, statistics or metadata are not those.
        ValueError: saying what is there that should not be.
        pyarrow.ArrowException, OSError: if it is no Parquet file.
    """
    texts = {} if texts is None else texts
    if sum(_room(column, rows, widths, texts) for column in columns) - _SLACK * len(columns) > MOST_BYTES:
        raise TooLarge(f"more than {MOST_BYTES:,} bytes")
    footer = _footer(content)
    _only("the file", footer, _FILE)
    groups = footer.get(4, [])
    if footer.get(3) != rows or sum(group.get(3, 0) for group in groups) != rows:
        raise ValueError(f"{footer.get(3)} rows, not {rows}")
    for group in groups:
        _only("a group of rows", group, _ROW_GROUP)
        if len(group.get(1, ())) != len(columns):
            raise NoSchema(None, f"{len(group.get(1, ()))} columns, not {len(columns)}")
        for column, chunk in zip(columns, group[1]):
            _only(column.name, chunk, _CHUNK)
            _only(column.name, chunk.get(3, {}), _META)
            _check_pages(content, column, chunk[3], group[3], widths, texts)
    encoded = [column.name for column in columns if column.type == "string"]
    with pq.ParquetFile(pa.BufferReader(content), read_dictionary=encoded, page_checksum_verification=True) as file:
        _check_schema(file, pq.read_schema(pa.BufferReader(content)), columns)
        parts = [_read_group(file, i, columns, texts) for i in range(file.num_row_groups)]
    table = pa.concat_tables(parts) if parts else schema(columns).empty_table()
    table.validate(full=True)
    return table


def _read_group(file: pq.ParquetFile, number: int, columns: Sequence[Column], texts: Mapping[str, int]) -> pa.Table:
    """A group of rows, compared with its statistics."""
    part, group = file.read_row_group(number).replace_schema_metadata(), file.metadata.row_group(number)
    for place, column in enumerate(columns):
        values = part.column(place).combine_chunks()
        if pa.types.is_dictionary(values.type):
            dictionary = values.dictionary if isinstance(values, pa.DictionaryArray) else values.chunk(0).dictionary
            _check_lengths(column.name, dictionary, texts.get(column.name, _TEXT))
            values = values.cast(pa.string())
            part = part.set_column(place, column.name, values)
        for _ in range(column.depth):
            values = values.flatten()
            if values.null_count:
                raise NoSchema(column.name, "lists with missing values")
        if pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py():  # pyright: ignore[reportAttributeAccessIssue]
            raise NoSchema(column.name, "what is no number, instead of a missing value")
        if column.depth and column.element == "string":
            _check_lengths(column.name, values, texts.get(column.name, _TEXT))
        _check_statistics(column.name, group.column(place), values)
    return part.cast(schema(columns))


def _check_lengths(name: str, values: Any, most: int) -> None:
    if len(values) and (pc.max(pc.binary_length(values)).as_py() or 0) > most:  # pyright: ignore[reportAttributeAccessIssue]
        raise ValueError(f"{name}: a text of more than {most} bytes")


def _check_statistics(name: str, chunk: Any, values: Any) -> None:
    said = chunk.statistics
    if said is None:
        return
    present = len(values) - values.null_count
    truth = pc.min_max(values).as_py()  # pyright: ignore[reportAttributeAccessIssue]
    if said.has_null_count and said.null_count != chunk.num_values - present:
        raise NoSchema(name, f"statistics of {said.null_count} missing values, not {chunk.num_values - present}")
    if said.distinct_count is not None:
        raise NoSchema(name, "a number of distinct values")
    if said.has_min_max and (said.min, said.max) != (truth["min"], truth["max"]):
        came = f"{said.min} to {said.max}, not {truth['min']} to {truth['max']}"
        raise NoSchema(name, f"statistics that contradict the data ({came[:200]})")


def _check_schema(file: pq.ParquetFile, found: pa.Schema, columns: Sequence[Column]) -> None:
    """The columns and their types, as Parquet says them too; and nothing that tells readers more."""
    wanted, sink = schema(columns), io.BytesIO()
    pq.write_table(wanted.empty_table(), sink)
    if found.names != wanted.names:
        raise NoSchema(None, f"columns {found.names}")
    for field in wanted:
        if found.field(field.name).type != field.type:
            raise NoSchema(field.name, f"{found.field(field.name).type}, not {field.type}")
    if not file.schema.equals(pq.ParquetFile(sink).schema):
        raise NoSchema(None, "other types in Parquet than in Arrow")
    said = set(file.metadata.metadata or {}) - {b"ARROW:schema", b"equilibrax", b"equilibrax_sha256"}
    said |= {key for field in found for key in field.metadata or {} if key != b"PARQUET:field_id"}
    if said:
        raise NoSchema(None, f"metadata that readers may act on: {str(sorted(said))[:200]}")


# --- sizes ------------------------------------------------------------------------------------------------------------


def _values(column: Column, rows: int, widths: Mapping[str, int]) -> int:
    return rows * max(1, widths.get(column.name, 1))


def _room(column: Column, rows: int, widths: Mapping[str, int], texts: Mapping[str, int]) -> int:
    """Most bytes of a column: its values with levels, or texts that are all different."""
    if column.name in texts:
        return _SLACK + _values(column, rows, widths) * (texts[column.name] + 10)
    size = 8 if column.type != "string" else 64
    return _SLACK + 2 * _values(column, rows, widths) * (size + 2)


def _check_pages(
    content: bytes, column: Column, meta: dict[int, Any], rows: int, widths: Mapping[str, int], texts: Mapping[str, int]
) -> None:
    """The headers of a chunk's pages: what they say they decompress to, and how many values they hold."""
    start, length = min(meta[key] for key in (9, 11) if key in meta), meta[7]
    if start < 4 or length < 0 or start + length > len(content):
        raise ValueError(f"{column.name}: data outside of the file")
    room, most, values, end = _room(column, rows, widths, texts), _values(column, rows, widths), 0, start + length
    if meta[5] > most:
        raise ValueError(f"{column.name}: {meta[5]:,} values, more than {most:,}")
    while start < end:
        header, start = _Thrift(content, start, end).read()
        room -= max(header[2], 0)
        if header[2] < 0 or header[3] < 0 or room < 0:
            raise ValueError(f"{column.name}: pages that are longer than their values can be")
        start += header[3]
        page = header.get(5) or header.get(8)
        values += page[1] if page else 0
        if header.get(7, {}).get(1, 0) > most or values > meta[5] or (page and page[1] < 0):
            raise ValueError(f"{column.name}: pages of more values than the column has")
    if start != end or values != meta[5]:
        raise ValueError(f"{column.name}: pages that do not fill their column")


def _only(what: str, found: Any, known: set[int]) -> None:
    if not isinstance(found, dict) or not set(found) <= known:
        raise ValueError(f"{what}: more than is written there (fields {sorted(set(found) - known)[:10]})")


def _footer(content: bytes) -> dict[int, Any]:
    if len(content) < 12 or content[:4] != b"PAR1" or content[-4:] != b"PAR1":
        raise ValueError("no Parquet file")
    (length,) = struct.unpack("<I", content[-8:-4])
    if length > min(_FOOTER, len(content) - 12):
        raise ValueError(f"a footer of {length:,} bytes")
    try:
        return _Thrift(content, len(content) - 8 - length, len(content) - 8).read()[0]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"a footer that cannot be read ({error!r})") from error


class _Thrift:
    """Structures of Thrift's compact protocol as dictionaries from numbers of fields to values."""

    def __init__(self, content: bytes, start: int, end: int):
        self.content, self.at, self.end = content, start, end

    def read(self) -> tuple[dict[int, Any], int]:
        """The structure that begins here, and where it ends."""
        return dict(self._fields(0)), self.at

    def _byte(self) -> int:
        if self.at >= self.end:
            raise ValueError("a structure that does not end")
        self.at += 1
        return self.content[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number that does not end")

    def _whole(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _fields(self, depth: int) -> Iterator[tuple[int, Any]]:
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._whole()
            yield number, (head & 15) == 1 if head & 15 in (1, 2) else self._value(head & 15, depth)

    def _value(self, kind: int, depth: int) -> Any:
        if depth > 16:
            raise ValueError("structures that are nested too deeply")
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._whole()
        if kind in (7, 8):
            length = 8 if kind == 7 else self._varint()
            if length > self.end - self.at:
                raise ValueError("a text that does not end")
            self.at += length
            return self.content[self.at - length : self.at]
        if kind in (9, 10):
            head = self._byte()
            size, inner = head >> 4, head & 15
            size = self._varint() if size == 15 else size
            if size > self.end - self.at:
                raise ValueError("a list that does not end")
            return [self._byte() == 1 if inner in (1, 2) else self._value(inner, depth + 1) for _ in range(size)]
        if kind == 12:
            return dict(self._fields(depth + 1))
        raise ValueError(f"a value of kind {kind}")
