"""Parquet files of people, as texts, so that their numbers are read as those of a CSV are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from equilibrax.io.files import MAX_CELLS, TableFileError, unpacked_limit


def parquet_texts(data: bytes, path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the rows; what is missing is an empty text.

    Floating point numbers have the shortest decimals that are read as them, in their own precision. Checksums of pages
    are verified where the file has them.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        rows = max(file.metadata.num_rows, sum(group.num_rows for group in groups))
        if rows * file.metadata.num_columns > MAX_CELLS:
            raise TableFileError(
                f"{path}: expected at most {MAX_CELLS:,} cells, got {rows:,} rows of {file.metadata.num_columns:,}"
            )
        if sum(group.total_byte_size for group in groups) > (limit := unpacked_limit(len(data))):
            raise TableFileError(f"{path}: expected at most {limit:,} bytes when unpacked, got more")
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        for field in file.schema_arrow:
            if not _is_text(field.type) and not _is_number(field.type):
                raise TableFileError(f"{path}: column {field.name!r}: expected texts or numbers, got {field.type}")
        # As dictionaries, texts that come often are held once.
        options: dict[str, Any] = {"read_dictionary": texts, "page_checksum_verification": True}
        table = pq.ParquetFile(pa.BufferReader(data), **options).read()
        columns = [_texts(column) for column in table.columns]
        return list(table.column_names), [list(row) for row in zip(*columns)]
    except TableFileError:
        raise
    except Exception as error:  # a damaged file raises anything, from pyarrow or Python
        raise TableFileError(f"{path}: expected a Parquet file that can be read, got: {error}") from error


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_number(kind: Any) -> bool:
    return any(check(kind) for check in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))


def column_texts(column: Any, path: Path, name: str) -> list[str]:
    """The texts of a column of a frame: of numbers, of names of any kind; what is missing is an empty text."""
    kind = column.type
    if pa.types.is_dictionary(kind) and not _is_text(kind):
        return ["" if value is None else str(value).strip() for value in column.to_pylist()]
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise TableFileError(f"{path}: column {name!r}: expected texts or numbers, got {kind}")
    return [text.strip() for text in _texts(column)]


def _texts(column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_dictionary(column.type):
        found: list[str] = []
        for chunk in column.chunks:
            names = ["" if name is None else name for name in chunk.dictionary.to_pylist()]
            found += ["" if i is None else names[i] for i in chunk.indices.to_pylist()]
        return found
    own = column.type.to_pandas_dtype() if pa.types.is_floating(column.type) else lambda value: value
    return ["" if value is None else str(own(value)) for value in column.to_pylist()]
