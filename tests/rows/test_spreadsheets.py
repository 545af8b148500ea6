"""Rows in spreadsheets: names come back as they were or visibly escaped, numbers with all digits, or not at all."""

from __future__ import annotations

import io

import equilibrax as eq
import pyarrow as pa
import pytest

openpyxl = pytest.importorskip("openpyxl")


def cells(**columns):
    """The first row of a sheet as a spreadsheet reads it."""
    book = openpyxl.load_workbook(io.BytesIO(eq.rows.rows_as(pa.table(columns), "xlsx")))
    return [(cell.value, cell.data_type) for cell in book.active[2]]


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@SUM(A1)", "'=a", "#N/A", "2026-01-01", "TRUE", "7"])
def test_names_are_text_and_stay_what_they_are(name):
    """A quote was put before what begins as a formula, so that the name read back was another."""
    assert cells(name=[name]) == [(name, "s")]


@pytest.mark.parametrize(("name", "shown"), [("a\x1b[1mb", r"a\x1b[1mb"), ("a\x00", r"a\x00"), ("a\nb", r"a\nb")])
def test_control_characters_are_shown(name, shown):
    """They were a traceback after everything was solved."""
    assert cells(name=[name]) == [(shown, "s")]


def test_whole_numbers_keep_their_digits():
    assert cells(small=[10**15], large=[2**62 + 1], infinite=[float("inf")]) == [
        (10**15, "n"), (str(2**62 + 1), "s"), ("inf", "s"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"name": ["x" * 40_000]}, "expected texts of at most 32,767 characters for .xlsx, got 40,000"),
        ({"n": pa.array(range(2**20))}, "expected fewer than 1,048,576 for .xlsx, got 1,048,576; write .parquet"),
    ],
)
def test_what_would_be_cut_is_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        cells(**columns)
