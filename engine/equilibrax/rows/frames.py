"""Results as rows with names: in memory, in files of several formats, and selected by name wherever they have gone."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax._core.committees import committee_members
from equilibrax._core.files import MADE_HERE, write_whole
from equilibrax._core.suggestions import did_you_mean
from equilibrax._core.text import latex, markdown, plain
from equilibrax.games import InformationMarketResult, NashResult
from equilibrax.rows.committees import committee_rows
from equilibrax.rows.information import depth_rows
from equilibrax.rows.parquet import NAMES_KEY, parquet_bytes, write_parquet
from equilibrax.rows.profiles import profile_rows
from equilibrax.rows.users import user_rows

_SHEET_ROWS, _SHEET_TEXT = 2**20, 32_767  # what Excel holds, rows with the header, characters of a cell

_ROWS: dict[str, Callable[..., pa.Table]] = {"table_id": committee_rows, "market": user_rows}
"""What makes rows, by the first of their columns."""
_OTHERS: dict[type[Any], Callable[[Any], pa.Table]] = {
    NashResult: profile_rows,
    InformationMarketResult: depth_rows,
}
"""What makes rows of results that have no committees."""


def result_rows(result: Any, promises: Any = None) -> pa.Table:
    """A result's rows with columns of names, and all names in the metadata of the schema.

    Args:
        result: of any game.
        promises: bounds of a market, see `user_rows`.

    Returns:
        The rows of `committee_rows`, `user_rows`, `profile_rows` or `depth_rows`; the last two as they are.

    Raises:
        ValueError: if it is no result that has rows.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.result_rows(eq.solve(eq.load_paper_table("synthetic-1"), committees=[0b101]))
        >>> rows.select(["table_name", "committee_names"]).to_pylist()
        [{'table_name': 'synthetic-1', 'committee_names': 'AI 1+AI 3'}]
    """
    if type(result) in _OTHERS:
        return _OTHERS[type(result)](result)
    columns = getattr(result, "columns", None)
    if not columns or columns[0].name not in _ROWS:
        raise ValueError(f"result: expected the result of a game, got {type(result).__name__}")
    more = {} if promises is None else {"promises": promises}
    rows = _ROWS[columns[0].name](result, groups=("names",), **more)
    return rows.replace_schema_metadata({NAMES_KEY: json.dumps([_names(result.problem)], ensure_ascii=False)})


def _names(problem: Any) -> dict[str, Any]:
    labels = problem.labels
    found = {"batch": problem.unique_names(), "providers": problem.provider_names(), "states": problem.state_names()}
    return found | {kind: getattr(labels, kind) for kind in ("actions", "users") if hasattr(labels, kind)}


def names_in(rows: Any) -> list[dict[str, Any]]:
    """The names in the metadata of rows, or of the schema of a file: of every batch, by what they are of.

    Args:
        rows: an Arrow table or schema.

    Returns:
        A dictionary for each batch: batch (tables or markets), providers, states, perhaps actions and users; none if
        the rows have no names.

    Example:
        >>> import equilibrax as eq
        >>> eq.rows.names_in(eq.solve(eq.load_paper_table("synthetic-1")).to_arrow())[0]["actions"]
        ['A', 'B', 'C']
    """
    found = (getattr(rows, "schema", rows).metadata or {}).get(NAMES_KEY)
    return json.loads(found) if found else []


def join_rows(parts: Sequence[pa.Table]) -> pa.Table:
    """Rows one after the other, with the names of all."""
    joined = pa.concat_tables(parts).combine_chunks()
    names = [one for part in parts for one in names_in(part)]
    return joined.replace_schema_metadata({NAMES_KEY: json.dumps(names, ensure_ascii=False)} if names else None)


# --- selection --------------------------------------------------------------------------------------------------------


def select_rows(frame: Any, *, table: Any = None, committee: Any = None, user: Any = None) -> Any:
    """The rows of a frame that are about these, by name.

    Args:
        frame: of pandas, polars or pyarrow: rows of results with columns of names, perhaps read from a file.
        table: name of a table or market, or a list of names. None: all.
        committee: names of its providers in a tuple, or joined as in "Ann+Bob", or a bitmask; or a list of these.
        user: name of a user of a market, or a list of names.

    Returns:
        A frame of the same kind.

    Raises:
        ValueError: if there is no such column, or nothing of that name.

    Example:
        >>> import equilibrax as eq
        >>> frame = eq.solve(eq.load_paper_table("synthetic-2")).to_pandas()
        >>> eq.rows.select_rows(frame, committee=("AI 1", "AI 2")).worst_utility.round(4).tolist()
        [0.8733]
    """
    names = list(map(str, frame.column_names if isinstance(frame, pa.Table) else frame.columns))
    keep = np.ones(len(frame), bool)
    for argument, wanted, columns in (
        ("table", table, ("table_name", "market_name")),
        ("committee", committee, ("committee_names",)),
        ("user", user, ("user_name",)),
    ):
        if wanted is None:
            continue
        column = next((name for name in columns if name in names), None)
        if column is None:
            raise ValueError(f"{argument}: expected rows with a column {' or '.join(columns)}, got {', '.join(names)}")
        here = _values(frame, column)
        chosen = np.zeros(len(frame), bool)
        for one in wanted if isinstance(wanted, list) else [wanted]:
            mine = _committee(frame, here, one) if argument == "committee" else here == one
            if not mine.any():
                known = list(dict.fromkeys(here.tolist()))
                hint = did_you_mean(str(one), known)
                raise ValueError(f"{argument}: expected one of the {len(known):,} in the rows, got {one!r}{hint}")
            chosen |= mine
        keep &= chosen
    if isinstance(frame, pa.Table):
        return frame.filter(pa.array(keep))
    return frame.filter(keep) if hasattr(frame, "lazy") else frame[keep]


def _values(frame: Any, column: str) -> np.ndarray:
    found = frame[column]
    return np.array(found.to_pylist() if hasattr(found, "to_pylist") else found.to_list(), object)


def _committee(frame: Any, texts: np.ndarray, committee: Any) -> np.ndarray:
    """Which rows are of a committee, in whatever order its members are given."""
    if isinstance(committee, int | np.integer):
        return _values(frame, "committee") == committee
    wanted = {*(committee_members(committee) if isinstance(committee, str) else committee)}
    same = {text: {*committee_members(text)} == wanted for text in set(texts.tolist())}
    return np.array([same[text] for text in texts.tolist()], bool)


def as_pandas(rows: pa.Table) -> Any:
    """Rows as a pandas DataFrame: whole numbers stay whole where some are missing (as `Int64`), lists are arrays.

    Args:
        rows: an Arrow table.

    Raises:
        ImportError: without pandas.

    Example:
        >>> import pyarrow as pa
        >>> import equilibrax as eq
        >>> eq.rows.as_pandas(pa.table({"n": [2**60 + 1, None]})).n.tolist()
        [1152921504606846977, <NA>]
    """
    import pandas

    missing = {pa.int64(): pandas.Int64Dtype(), pa.int32(): pandas.Int32Dtype()}
    some = {field.name for field, column in zip(rows.schema, rows.columns) if column.null_count}
    frame = rows.select([n for n in rows.column_names if n not in some]).replace_schema_metadata(None).to_pandas()
    for name in rows.column_names:
        if name in some:
            column = rows.select([name]).replace_schema_metadata(None)
            frame[name] = column.to_pandas(types_mapper=missing.get)[name]
    return frame[rows.column_names]


# --- files ------------------------------------------------------------------------------------------------------------


def write_rows(rows: pa.Table, path: str | os.PathLike[str], *, format: str | None = None) -> None:
    """Write rows to a file, all of it or nothing; its suffix says the format.

    Args:
        rows: any rows.
        path: .parquet, .csv, .json, .xlsx (with openpyxl), .md or .tex.
        format: one of these without the dot, whatever the suffix.

    Raises:
        ValueError: on another format.
        ImportError: if the library for it is missing.
        OSError: if the file cannot be written.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> rows = eq.solve(eq.load_paper_table("synthetic-1"), committees=[1]).to_arrow()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "rows.csv")
        ...     eq.rows.write_rows(rows.select(["table_name", "worst_utility"]), path)
        ...     path.read_text().splitlines()
        ['table_name,worst_utility', 'synthetic-1,0.5606666666666666']
    """
    kind = format_of(path, format)
    if kind == "parquet":
        write_parquet(rows, path)
    else:
        write_whole(path, rows_as(rows, kind))


def format_of(path: str | os.PathLike[str], format: str | None = None, name: str = "path") -> str:
    """The format of a file, by its suffix unless it is given.

    Args:
        path: the file.
        format: or None.
        name: of the argument, for errors.

    Raises:
        ValueError: if it is none of `write_rows`.

    Example:
        >>> format_of("a.csv"), format_of("a.txt", "json")
        ('csv', 'json')
    """
    kind = Path(path).suffix.removeprefix(".").lower() if format is None else format
    if kind not in FORMATS:
        ends = ", ".join(f".{known}" for known in FORMATS)
        expected = (
            f"a file that ends in .parquet (or one of {ends})" if format is None else f"one of {', '.join(FORMATS)}"
        )
        raise ValueError(f"{name}: expected {expected}, got {str(path) if format is None else kind!r}")
    return kind


def rows_as(rows: pa.Table, format: str) -> bytes:
    """Rows in a format of `write_rows`, as bytes.

    Args:
        rows: any rows.
        format: parquet, csv, json, xlsx, md or tex.

    Raises:
        ValueError: on another format.
        ImportError: if the library for it is missing.

    Example:
        >>> import pyarrow as pa
        >>> rows_as(pa.table({"a": [1, None]}), "json")
        b'[{"a": 1},\\n {"a": null}]\\n'
    """
    return bytes(FORMATS[format_of("", format, "format")](rows))


def _csv(rows: pa.Table) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows.column_names)
    writer.writerows([_cell(value) for value in row.values()] for row in rows.to_pylist())
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def _json(rows: pa.Table) -> bytes:
    lines = [json.dumps(_strict(row), ensure_ascii=False, allow_nan=False) for row in rows.to_pylist()]
    return ("[" + ",\n ".join(lines) + "]\n").encode()


def _strict(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity; lambdas can be that."""
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _xlsx(rows: pa.Table) -> bytes:
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
    except ImportError:
        raise ImportError("xlsx: expected the library openpyxl, which is not installed: pip install openpyxl") from None
    if rows.num_rows >= _SHEET_ROWS:
        raise ValueError(f"rows: expected fewer than {_SHEET_ROWS:,} for .xlsx, got {rows.num_rows:,}; write .parquet")
    book = Workbook(write_only=True)
    book.properties.creator = "equilibrax"
    sheet = book.create_sheet("results")
    sheet.append(rows.column_names)
    for row in rows.to_pylist():
        cells = [WriteOnlyCell(sheet, _sheet_value(value)) for value in row.values()]
        for cell in cells:
            if isinstance(cell.value, str):
                cell.data_type = "s"  # text, also where it begins as formulas do
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _sheet_value(value: Any) -> Any:
    """What a spreadsheet can hold: infinity and whole numbers of more digits than it keeps are text, and text is one
    line without control characters, which would make the file unreadable.

    Raises:
        ValueError: on a text that would be cut.
    """
    value = _cell(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) > 10**15:
        return str(value)
    value = plain(value) if isinstance(value, str) else value
    if isinstance(value, str) and len(value) > _SHEET_TEXT:
        raise ValueError(
            f"rows: expected texts of at most {_SHEET_TEXT:,} characters for .xlsx, got {len(value):,}; write .parquet"
        )
    return value


def _md(rows: pa.Table) -> bytes:
    lines = [rows.column_names, ["---"] * rows.num_columns]
    lines += [[markdown(_said(value)) for value in row.values()] for row in rows.to_pylist()]
    return ("".join(f"| {' | '.join(line)} |\n" for line in lines) + f"\n{MADE_HERE}\n").encode()


def _tex(rows: pa.Table) -> bytes:
    aligned = "".join("l" if pa.types.is_string(field.type) else "r" for field in rows.schema)
    cells = [rows.column_names, *([_said(value) for value in row.values()] for row in rows.to_pylist())]
    head, *lines = [" & ".join(map(latex, line)) + r" \\" for line in cells]
    parts = [r"\begin{tabular}{" + aligned + "}", r"\toprule", head, r"\midrule", *lines, r"\bottomrule"]
    return "\n".join([*parts, r"\end{tabular}", f"% {MADE_HERE}", ""]).encode()


def _said(value: Any) -> str:
    return "" if value is None else str(_cell(value))


FORMATS: dict[str, Callable[[pa.Table], bytes | memoryview]] = {
    "parquet": parquet_bytes, "csv": _csv, "json": _json, "xlsx": _xlsx, "md": _md, "tex": _tex,
}  # fmt: skip
"""What writes rows, by format."""
