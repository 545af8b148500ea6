"""Reading files of strangers: regular files alone, no more bytes than were asked for, JSON that means one thing."""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

MOST_VALUES = 3_000_000
"""Values of one JSON file: about 300 MB in memory."""

_FLAGS = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")  # no links; a pipe without a writer does not block


@contextmanager
def regular(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file, open for reading, and its size.

    Raises:
        OSError: if it is a link, a pipe, a device or a folder, or cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in _FLAGS))
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("no regular file")
        yield file, found.st_size


def read_bytes(path: Path, most: int) -> bytes:
    """All of a regular file of at most so many bytes.

    Raises:
        OSError: as `regular`.
        ValueError: if it is larger.
    """
    with regular(path) as (file, size):
        if size > most:
            raise ValueError(f"a file of {size:,} bytes, more than the {most:,} that it can need")
        return file.read(most)


def read_json(path: Path, most: int) -> Any:
    """JSON of at most so many bytes, in which every name is there once and every number is finite.

    Raises:
        OSError: as `regular`.
        ValueError: if it is not that.
    """
    content = read_bytes(path, most)
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values")
    try:
        return json.loads(content, object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("values that are nested too deeply") from None


def sha256_of(path: Path) -> str:
    """The SHA-256 of a regular file."""
    with regular(path) as (file, _):
        digest = hashlib.sha256()
        while part := file.read(2**20):
            digest.update(part)
        return digest.hexdigest()


def names_in(folder: Path, most: int) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name; no more than `most` entries are looked at.

    Raises:
        OSError: if it is no folder.
    """
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        raise NotADirectoryError("no folder")
    with os.scandir(folder) as entries:
        return sorted((entry for _, entry in zip(range(most), entries)), key=lambda entry: entry.name)


def short(value: Any, most: int = 200) -> str:
    """Text of a value, or of its first part."""
    text = value if isinstance(value, str) else repr(value)
    if isinstance(value, OSError | ValueError):
        text = getattr(value, "strerror", None) or str(value)
    return text if len(text) <= most else f"{text[:most]}..."


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name that is there twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {short(text, 20)}, which is not finite")
    return value
