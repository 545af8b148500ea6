"""Files of rows that are not repeated hold what Arrow holds of them, to readers that know nothing of us."""

from __future__ import annotations

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from equilibrax._core.column import Column
from equilibrax.rows import _pages
from equilibrax.rows.grid import Grid, Numbered, fractions
from equilibrax.rows.parquet import _by_arrow, _footer, write_summed

SHAPES = {"all": (40, 7), "tables": (40, 1), "committees": (1, 7), "one": (1, 1)}
TYPES = ("bool", "int8", "int16", "int32", "int64", "float32", "float64", "string")


def values(kind: str, shape: tuple[int, ...], different: int, generator: np.random.Generator) -> np.ndarray | Numbered:
    """Random values of a type, of which about so many are different."""
    numbers = generator.integers(0, different, shape)
    if kind == "string":
        return Numbered(numbers, [f"{'é' * (i % 3)}{i}" for i in range(different)])
    if kind == "bool":
        return numbers % 2 == 1
    if kind.startswith("float"):
        return numbers / np.float64(7)
    return (numbers % np.iinfo(kind).max).astype(kind)


def without(cell: np.ndarray, share: float, generator: np.random.Generator, axes: int) -> np.ndarray:
    """With missing values, as results have them."""
    cell = cell.copy()
    gone = generator.random(cell.shape[:axes]) < share
    cell[gone] = np.nan if cell.dtype.kind == "f" else -1
    return cell


@pytest.fixture(scope="module")
def grid() -> Grid:
    """Columns of all types, repeated in all ways, with few and many values, with and without missing ones."""
    generator, columns, cells = np.random.default_rng(0), [], {}

    def add(name: str, kind: str, cell, nullable: bool = False) -> None:
        columns.append(Column(name, kind, "", nullable=nullable))
        cells[name] = cell

    for kind in TYPES:
        for how, shape in SHAPES.items():
            for different in (2, 20, 300):
                add(f"{kind} {how} {different}", kind, values(kind, shape, different, generator))
    for kind in ("int32", "int64", "float64", "float32"):
        for how, shape in SHAPES.items():
            for share in (0.0, 0.3, 1.0):
                cell = without(values(kind, shape, 30, generator), share, generator, 2)  # pyright: ignore[reportArgumentType]
                add(f"{kind} {how} without {share:.0%}", kind, cell, nullable=True)
        add(f"no {kind}", kind, None, nullable=True)
        add(f"lists of {kind}", f"list of {kind}", values(kind, (40, 7, 2, 3), 50, generator))
        add(f"lists of one {kind}", f"list of {kind}", values(kind, (40, 7, 1), 5, generator))
        for share in (0.0, 0.3, 1.0):
            cell = without(values(kind, (40, 7, 3), 9, generator), share, generator, 2)  # pyright: ignore[reportArgumentType]
            add(f"lists of {kind} without {share:.0%}", f"list of {kind}", cell, nullable=True)
        add(f"no lists of {kind}", f"list of {kind}", None, nullable=True)
    add("lists of bool", "list of bool", values("bool", (40, 7, 5), 2, generator))
    add("fractions", "float64", fractions(generator.integers(-20, 20, (40, 7)), np.full(40, 30)))
    add("many fractions", "float64", fractions(generator.integers(0, 2**16, (40, 7)), np.full(40, 30)))
    add("fractions of several", "float64", fractions(generator.integers(0, 9, (40, 7)), np.arange(1, 41)))
    add("lists of fractions", "list of float64", fractions(generator.integers(0, 9, (40, 7, 6)), np.array(10_000)))
    add("zeros", "float64", np.where(generator.random((40, 7)) < 0.5, 0.0, -0.0))
    add("infinite", "float64", np.where(generator.random((40, 1)) < 0.5, np.inf, -np.inf))
    add("no numbers", "float64", np.full((40, 1), np.nan))
    add("large", "int64", generator.integers(-(2**63), 2**63 - 1, (40, 7)))
    return Grid(tuple(columns), (40, 7), cells)


@pytest.fixture(scope="module", params=[2**19, 50], ids=["one group", "groups of a few tables"])
def file(grid, request, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "rows.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pages, "_ROWS_PER_GROUP", request.param)
        write_summed(grid, path)
    return path


def bits(column: pa.ChunkedArray) -> list:
    """Values with the sign of zero."""
    return [str(value) for value in column.to_pylist()]


@pytest.fixture(scope="module")
def whole(grid) -> pa.Table:
    return grid.table()


def test_arrow_reads_the_same_rows(whole, file):
    found = pq.ParquetFile(file, page_checksum_verification=True).read().replace_schema_metadata()
    assert found.schema.equals(whole.schema)
    for name in found.column_names:
        assert bits(found[name]) == bits(whole[name]), name


def test_polars_reads_the_same_rows(whole, file):
    found = pytest.importorskip("polars").read_parquet(file).to_arrow()
    for name in found.column_names:
        assert bits(found[name]) == bits(whole[name]), name


def test_duckdb_reads_the_same_rows(whole, file):
    found = pytest.importorskip("duckdb").sql(f"select * from '{file}'").to_arrow_table()
    for name in found.column_names:
        assert bits(found[name]) == bits(whole[name]), name


def test_schema_and_statistics_are_those_of_arrow(grid, tmp_path):
    write_summed(grid, tmp_path / "rows.parquet")
    mine = pq.read_metadata(tmp_path / "rows.parquet")
    arrows = pq.read_metadata(pa.BufferReader(bytes(_by_arrow(grid.table(encoded=True)))))
    assert mine.schema.equals(arrows.schema)
    for place in range(mine.num_columns):
        one, other = mine.row_group(0).column(place), arrows.row_group(0).column(place)
        assert one.num_values == other.num_values
        assert one.is_stats_set == other.is_stats_set
        assert one.statistics is None or one.statistics.to_dict() == other.statistics.to_dict(), one.path_in_schema


def test_every_page_has_a_checksum(file):
    content, metadata = file.read_bytes(), pq.read_metadata(file)
    for place in range(metadata.num_columns):
        chunk = metadata.row_group(0).column(place)
        start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
        for last in (chunk.data_page_offset - 1, start + chunk.total_compressed_size - 1):
            if last > start:  # the last byte of its dictionary, and of its page of data
                damaged = bytearray(content)
                damaged[last] ^= 1
                with pytest.raises(OSError, match="checksum"):
                    pq.ParquetFile(pa.BufferReader(bytes(damaged)), page_checksum_verification=True).read_row_group(
                        0, columns=[chunk.path_in_schema]
                    )


def test_parts_are_slices_and_may_be_empty(grid, whole, tmp_path):
    for start, stop in ((0, 5), (5, 6), (17, 40), (40, 40), (0, 0)):
        write_summed(grid.part(start, stop), tmp_path / "part.parquet")
        found = pq.ParquetFile(tmp_path / "part.parquet", page_checksum_verification=True)
        assert found.num_row_groups == (stop > start)
        read = found.read()
        for name in whole.column_names:
            assert bits(read[name]) == bits(whole[name].slice(7 * start, 7 * (stop - start))), name


def test_numbers_of_all_widths():
    generator = np.random.default_rng(1)
    for words in (2, 255, 256, 257, 300, 1000, 5000, 2**14, 2**15 + 1, 2**16 - 1, 2**16):
        index = np.concatenate([np.arange(words), generator.integers(0, words, 3 * words)])
        grid = Grid(
            (Column("flat", "float64", ""), Column("lists", "list of float64", ""), Column("words", "string", "")),
            (len(index),),
            {
                "flat": Numbered(index, np.arange(words) / 7),
                "lists": Numbered(index[:, None], np.arange(words) / 7),
                "words": Numbered(index, [str(i) for i in range(words)]),
            },
        )
        content = b"".join(_pages.pages(grid, _footer(grid.columns)))
        found = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True).read()
        assert found.replace_schema_metadata().equals(grid.table()), words


def test_the_file_says_who_wrote_it_and_how_large_it_is(file):
    metadata = pq.read_metadata(file)
    assert metadata.created_by == f"equilibrax version {eq.__version__}"
    for i in range(metadata.num_row_groups):
        group = metadata.row_group(i)
        chunks = [group.column(place) for place in range(group.num_columns)]
        assert group.total_byte_size == sum(chunk.total_uncompressed_size for chunk in chunks)
