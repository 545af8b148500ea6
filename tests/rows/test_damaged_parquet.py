"""Damaged files are errors that name them, wherever the damage is; other writers' files are read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from equilibrax._core.column import schema
from equilibrax._core.columns import declared
from equilibrax.rows.parquet import read_committees, write_parquet


def rows_of(count: int) -> pa.Table:
    """Rows with the columns of committees, of any numbers."""
    generator = np.random.default_rng(0)
    columns = []
    for field in schema(declared("committees")):
        if pa.types.is_string(field.type):
            columns.append(pa.array(generator.choice(["OK", "uniform"], count), field.type))
        else:
            columns.append(pa.array(generator.integers(0, 100, count)).cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema(declared("committees")))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "committees.parquet"
    write_parquet(rows_of(40), path)
    return path


def test_a_flipped_bit_in_any_place_is_an_error_that_names_the_file(file, tmp_path):
    """Every byte of pages, their headers, names, numbers of rows, metadata and the checksums themselves."""
    content, damaged = file.read_bytes(), tmp_path / "committees.parquet"
    for place in range(0, len(content), 11):
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        damaged.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"committees\.parquet: "):
            read_committees(tmp_path)


@pytest.mark.parametrize("length", [0, 3, 11, 1000, -1])
def test_a_file_cut_short_or_followed_by_more_is_an_error_that_names_it(file, tmp_path, length):
    (tmp_path / "committees.parquet").write_bytes(file.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"committees\.parquet: "):
        read_committees(tmp_path)
    (tmp_path / "committees.parquet").write_bytes(file.read_bytes() + b"PAR1")
    with pytest.raises(ValueError, match=r"committees\.parquet: "):
        read_committees(tmp_path)


def test_two_pages_that_change_places_are_an_error(file, tmp_path):
    """Each has its own checksum, which is right wherever it is; that of the file is not."""
    content = bytearray(file.read_bytes())
    content[4:36], content[36:68] = content[36:68], content[4:36]
    (tmp_path / "committees.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"committees\.parquet: "):
        read_committees(tmp_path)


def test_readers_that_know_nothing_of_us_find_damaged_pages(file):
    content = bytearray(file.read_bytes())
    parquet = pq.ParquetFile(pa.BufferReader(bytes(content)), page_checksum_verification=True)
    assert parquet.read().equals(rows_of(40))
    chunk = parquet.metadata.row_group(0).column(8)  # the optimum: plain numbers
    content[chunk.data_page_offset + chunk.total_compressed_size - 5] ^= 1
    with pytest.raises(OSError, match="checksum"):
        pq.ParquetFile(pa.BufferReader(bytes(content)), page_checksum_verification=True).read()


def test_files_of_other_writers_have_no_checksum_and_are_read(tmp_path):
    pq.write_table(rows_of(5), tmp_path / "committees.parquet")
    assert read_committees(tmp_path).equals(rows_of(5))


def test_a_file_of_ours_without_its_checksum_is_refused(tmp_path):
    pq.write_table(rows_of(5).replace_schema_metadata({"equilibrax": "0.1.0"}), tmp_path / "committees.parquet")
    with pytest.raises(ValueError, match=r"committees\.parquet: expected the checksum"):
        read_committees(tmp_path)
