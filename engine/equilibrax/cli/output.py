"""Where rows go: a file in one of several formats, or standard output; and committees as people write them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from equilibrax._core.files import MADE_HERE
from equilibrax.rows import FORMATS, format_of, rows_as, write_rows

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
    if out != "-" and not Path(out).resolve().parent.is_dir():
        raise ValueError(f"--out: expected a folder that exists, got {out!r}, whose folder is missing")


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


def given_committees(texts: Sequence[str]) -> list[int | str] | str:
    """Bitmasks where there are only digits, else names joined by plus signs; "all" if there are none."""
    return [int(text) if text.isdecimal() else text for text in texts] or "all"


# --- progress ---------------------------------------------------------------------------------------------------------


class _Rate(ProgressColumn):
    def __init__(self, unit: str):
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self.unit}/s")


@contextmanager
def table_progress(
    console: Console, what: str, total: int, unit: str = "tables"
) -> Iterator[Callable[[int, int], None]]:
    """A callback `(tables done, tables in all)` that draws the bar while the context is open.

    Tables that were done before the first call count as done, not as speed.
    """
    done = TextColumn(f"{{task.completed:,.0f}}/{{task.total:,.0f}} {unit}")
    columns = (TextColumn(what, markup=False), BarColumn(), done, _Rate(unit))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task, started = progress.add_task(what, total=total), False

        def update(done: int, total: int) -> None:
            nonlocal started
            if started:
                progress.update(task, completed=done, total=total)
            else:
                progress.reset(task, completed=done, total=total)
            started = True

        yield update


# --- what may be replaced ---------------------------------------------------------------------------------------------

_MOST = 2**20  # bytes of a file that are looked at


def check_new(flag: str, files: Iterable[Path | str | None]) -> None:
    """Refuse to replace what equilibrax has not written, before anything is computed.

    Args:
        flag: that names the files, or their folder.
        files: that will be written; None and "-" are none.

    Raises:
        ValueError: naming the file.
    """
    for file in files:
        if file is None or str(file) == "-" or not os.path.lexists(file):
            continue
        if Path(file).is_dir():
            raise ValueError(f"{flag}: expected a file, got the folder {str(file)!r}")
        if Path(file).exists() and not _is_ours(Path(file)) and not _is_no_file(Path(file)):
            raise ValueError(
                f"{flag}: expected a new file, or one that equilibrax has written, got {str(file)!r}, which would be "
                "replaced; move it, or choose another place"
            )


def check_ours(flag: str, folder: Path, *patterns: str) -> None:
    """Refuse a folder of somebody else's, among whose files results would be lost.

    Args:
        flag: that names it.
        folder: where results go.
        patterns: files that the command writes there, of which one must be equilibrax's unless the folder is empty.

    Raises:
        ValueError: naming the folder.
    """
    check_folder(flag, folder)
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not any(_is_ours(file) for pattern in patterns for file in folder.glob(pattern)):
        raise ValueError(
            f"{flag}: expected an empty folder, a new one, or one with results of this command, got {str(folder)!r}, "
            "whose files might be replaced"
        )


def check_folder(flag: str, folder: Path) -> None:
    """Refuse a file where a folder is wanted."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{flag}: expected a folder, got the file {str(folder)!r}")


def _is_no_file(file: Path) -> bool:
    """Pipes and devices, such as /dev/stdout, are not replaced but written to, and say themselves if they cannot be."""
    return not file.is_file()


def _is_ours(file: Path) -> bool:
    """Whether a file has the mark of those that equilibrax writes."""
    try:
        if file.stat().st_size == 0:
            return True  # nothing is lost
        if file.suffix == ".parquet":
            return b"equilibrax" in (pq.read_schema(file).metadata or {})
        with open(file, "rb") as content:
            head = content.read(_MOST)
            content.seek(max(0, file.stat().st_size - 200))
            tail = content.read()
        if file.suffix == ".png":
            return b"Software\0equilibrax" in head
        if file.suffix == ".json":
            return {"tables_checked", "not_checked"} <= set(json.loads(head))
        return MADE_HERE.encode() in tail
    except (OSError, ValueError, TypeError, pa.ArrowException):
        return False
