"""Where commands write: to new files, or over files that equilibrax has written. Nobody else's are replaced."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from equilibrax._core.files import MADE_HERE

_MOST = 2**20  # bytes of a file that are looked at
_OF_FIGURES = {".png": b"Software\0equilibrax", ".svg": b">equilibrax<", ".pdf": b"(equilibrax)"}


def check_new(flag: str, files: Iterable[Path | str | None], *, folders: bool = False) -> None:
    """Refuse to replace what equilibrax has not written, before anything is computed.

    Args:
        flag: that names the files, or their folder.
        files: that will be written; None and "-" are none.
        folders: whether the command makes folders that are missing; otherwise they must be there.

    Raises:
        ValueError: naming the file.
    """
    for file in files:
        if file is None or str(file) == "-":
            continue
        if not folders and not Path(file).resolve().parent.is_dir():
            raise ValueError(f"{flag}: expected a folder that exists, got {str(file)!r}, whose folder is missing")
        if not os.path.lexists(file):
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
        if file.suffix in _OF_FIGURES:
            return _OF_FIGURES[file.suffix] in head
        if file.suffix == ".csv":
            return _of_results(head.decode("utf-8", "replace").split("\n", 1)[0].strip().split(","))
        if file.suffix == ".xlsx":
            with zipfile.ZipFile(file) as book:
                return b"<dc:creator>equilibrax<" in book.read("docProps/core.xml")
        if file.suffix == ".json" and head.startswith(b"["):
            return _of_results(list(json.JSONDecoder().raw_decode(head[1:].decode("utf-8", "replace"))[0]))
        if file.suffix == ".json":
            return {"tables_checked", "not_checked"} <= set(json.loads(head))
        return MADE_HERE.encode() in tail
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile, pa.ArrowException):
        return False


def _of_results(columns: list[str]) -> bool:
    """Whether these are the columns of rows of results, with nothing before or after them."""
    last = columns[-1] in ("committee_names", "user_name") or columns[-1].startswith("status")
    return columns[0] in ("table_id", "market", "problem", "game_id") and last
