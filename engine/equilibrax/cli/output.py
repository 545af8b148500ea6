"""Where rows go: a file in one of several formats, or standard output; and committees as people write them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

import pyarrow as pa
from rich.console import Console

from equilibrax.cli._folders import check_new
from equilibrax.rows import FORMATS, format_of, join_rows, rows_as, write_rows

FORMAT_NAMES = "{" + ",".join(FORMATS) + "}"


def check_output(out: str, format: str | None) -> None:
    """Refuse what cannot be written before anything is computed.

    Raises:
        ValueError: naming the flag.
    """
    if out == "-" and format is None:
        return
    kind = format_of(out, format, "--out" if format is None else "--format")
    if kind == "xlsx" and find_spec("openpyxl") is None:
        flag = "--out" if format is None else "--format"
        raise ValueError(f"{flag}: expected the library openpyxl for .xlsx, which is not here; pip install openpyxl")
    if out == "-" and kind in ("parquet", "xlsx") and sys.stdout.isatty():
        raise ValueError(f"--format: expected a file or a pipe for {kind}, got a terminal; give --out FILE.{kind}")
    check_new("--out", [out])


def write_out(rows: pa.Table, out: str, format: str | None, console: Console) -> None:
    """Write rows where `check_output` has found it possible."""
    if out != "-":
        write_rows(rows, out, format=format)
        console.print(f"{rows.num_rows:,} rows written to {out}", markup=False)
    elif format is not None:
        content = bytes(rows_as(rows, format))
        if format in ("parquet", "xlsx"):
            sys.stdout.buffer.write(content)
        else:
            sys.stdout.write(content.decode())
        sys.stdout.flush()


def given_committees(texts: Sequence[str], names: Sequence[str]) -> list[int | str] | str:
    """Bitmasks where there are only digits 0 to 9, else names joined by plus signs; "all" if there are none.

    Raises:
        ValueError: on digits that are the name of a provider, too.
    """
    for text in texts:
        if _is_mask(text) and text in names:
            raise ValueError(
                f"--committees: expected '\"{text}\"', quotes and all, for the provider {text}, or the providers of "
                f"the bitmask {text} by their names, got {text}, which may be either"
            )
    return [int(text) if _is_mask(text) else text for text in texts] or "all"


def _is_mask(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def numbered_on(parts: Sequence[pa.Table]) -> pa.Table:
    """Result rows of several files as one table; their first column, of ids, is counted on from file to file."""
    numbered, first = [], 0
    for part in parts:
        ids = part.column(0).to_numpy()
        numbered.append(part.set_column(0, part.column_names[0], pa.array(ids + first)))
        first += int(ids.max(initial=0)) + 1
    return join_rows(numbered)
