"""Folders to write to: new ones, empty ones, or those that the same command has written."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def check_ours(flag: str, folder: Path, *patterns: str) -> None:
    """Refuse a folder in which files of somebody else might be replaced.

    Args:
        flag: that names it.
        folder: where results go.
        patterns: files that the command writes there, of which one must be equilibrax's unless the folder is empty.

    Raises:
        ValueError: naming the folder.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{flag}: expected a folder, got the file {str(folder)!r}")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not any(_is_ours(file) for pattern in patterns for file in folder.glob(pattern)):
        raise ValueError(
            f"{flag}: expected an empty folder, a new one, or one with results of this command, got {str(folder)!r}, "
            "whose files might be replaced"
        )


def _is_ours(file: Path) -> bool:
    try:
        return b"equilibrax" in (pq.read_schema(file).metadata or {})
    except (OSError, ValueError, pa.ArrowException):
        return False
