"""Files that are whole or absent, whatever happens to the process or the machine that writes them."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None

_UNIQUE = r"\.[0-9a-f]{16}\.tmp"  # after a dot and the file's name: a file that is being written


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write that takes the name `path` when the block ends, and vanishes if it raises.

    Until then it is beside `path` under a unique name (`file.name`), and locked, so that `remove_abandoned` knows it is
    in use. Its bytes are on the disk before it takes its name, and the name is on the disk when the block has ended.

    Raises:
        OSError: of the fitting kind, with `path` in it.
    """
    path = Path(path)
    try:
        file, temporary = _unique(path)
        try:
            with file:
                yield file
                file.flush()
                if os.fstat(file.fileno()).st_size != file.tell():
                    raise OSError(errno.EIO, "the file holds fewer bytes than were written")
                os.fsync(file.fileno())
                os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno is None:
            raise OSError(f"cannot write {path}: {error}") from error
        raise OSError(error.errno, f"cannot write: {error.strerror}", str(path)) from error


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file, all of it or nothing; text in UTF-8.

    Raises:
        OSError: as `whole_file`.
    """
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def remove_abandoned(folder: str | os.PathLike[str], name: str) -> None:
    """Remove what killed processes have left of files whose names match the regular expression `name`.

    Files that a process is still writing, here or on another machine that shares the folder, are left alone.
    """
    pattern = re.compile(rf"\.(?:{name}){_UNIQUE}")
    for entry in os.scandir(folder):
        if pattern.fullmatch(entry.name):
            with suppress(OSError), open(entry.path, "rb") as file:  # gone, in use, or not ours to remove
                _lock(file)
                os.unlink(entry.path)


def _unique(path: Path) -> tuple[BinaryIO, Path]:
    """A new, locked file beside `path`."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        file = open(temporary, "xb")  # noqa: SIM115
        with suppress(OSError):  # a file system without locks
            _lock(file)
        if fcntl is None or os.fstat(file.fileno()).st_nlink:
            return file, temporary
        file.close()  # taken for abandoned before it was locked


def _lock(file: BinaryIO) -> None:
    """Lock `file` until it is closed; `BlockingIOError` if another process has."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system can."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to but not listed
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that does not do so for folders
            raise
    finally:
        os.close(descriptor)
