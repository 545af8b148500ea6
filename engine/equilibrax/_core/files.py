"""Files that are whole or absent, whatever happens to the process or the machine that writes them."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None

_UNIQUE = r"\.[0-9a-f]{16}\.tmp"  # after a dot and the file's name: a file that is being written
_LOCAL = re.compile(r"\b(nolock|localflock|local_lock=(all|flock))\b")  # mounts whose locks other machines do not see

MADE_HERE = "<!-- made by equilibrax -->"
"""The last line of a document: whoever would replace it can see that it may be."""

_temporaries: set[str] = set()  # that this process is writing
_beginning = threading.Lock()  # held by who begins one; for ever by a process that ends at once


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
        finally:
            _temporaries.discard(str(temporary))
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


def write_document(path: str | os.PathLike[str], text: str) -> None:
    """Write a text for people, with the mark of those that may be replaced.

    Raises:
        OSError: as `whole_file`.
    """
    write_whole(path, f"{text.rstrip()}\n\n{MADE_HERE}\n")


def remove_unfinished() -> None:
    """Remove what this process is writing, for one that ends at once: nothing can be begun any more."""
    _beginning.acquire(timeout=1.0)  # longer than a file takes to be begun, unless its disk has gone
    for name in list(_temporaries):
        with suppress(OSError):
            os.unlink(name)


def remove_abandoned(folder: str | os.PathLike[str], name: str) -> None:
    """Remove what killed processes have left of files whose names match the regular expression `name`.

    Files that a process is still writing, here or on another machine that shares the folder, are left alone: a file is
    removed if nobody holds a lock on it and, where locks say nothing, if its name says that a process of this machine
    was writing it that is gone.
    """
    pattern, trusted = re.compile(rf"\.(?:{name}){_UNIQUE}"), None
    for entry in os.scandir(folder):
        if pattern.fullmatch(entry.name):
            with suppress(OSError), open(entry.path, "rb") as file:  # gone, in use, or not ours to remove
                _lock(file)
                trusted = locks_work(folder) if trusted is None else trusted
                if trusted or _writer_is_gone(entry.name):
                    os.unlink(entry.path)


def make_folder(folder: str | os.PathLike[str]) -> bool:
    """Make a folder and those above it, with their names on the disk; whether it was made here."""
    folder = Path(folder)
    if folder.is_dir():
        return False
    if folder.parent != folder and not folder.parent.exists():
        make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        if folder.is_dir():
            return False
        raise
    _sync_folder(folder.parent)
    return True


@contextmanager
def locked(path: str | os.PathLike[str], patience: float = 0.0, shared: bool = False) -> Iterator[bool]:
    """While the block runs, the lock of a file or folder: whether it was had within `patience` seconds.

    Locks are the operating system's: they end with their process. Where there are none it is never had.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _wait(descriptor, patience, shared)
    finally:
        os.close(descriptor)


def locks_work(folder: str | os.PathLike[str]) -> bool:
    """Whether a lock on a file in `folder` keeps others out, of this machine and of any that shares the folder."""
    probe = Path(folder, f".lock.{_token()}.tmp")
    try:
        with open(probe, "xb") as first, open(probe, "rb") as second:
            os.unlink(probe)
            _lock(first)
            try:
                _lock(second)
            except BlockingIOError:
                return not _LOCAL.search(_mount(folder))
            return False
    except OSError:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
        return False


def _wait(descriptor: int, patience: float, shared: bool) -> bool:
    if fcntl is None:
        return False
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        except OSError:
            return False


def _mount(folder: str | os.PathLike[str]) -> str:
    """The line of the system's table of mounts that is about `folder`'s, empty if there is no such table."""
    device = os.stat(folder).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
        return next((line for line in lines if line.split(" ", 3)[2] == wanted), "")
    return ""


@cache
def _here() -> str:
    """This machine, until it is started again, and the processes that see each other's numbers; six digits."""
    parts = [os.uname().nodename if hasattr(os, "uname") else ""]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:6]


def _token() -> str:
    """What makes a name unique: where, by which process, and chance."""
    return f"{_here()}{os.getpid() % 2**24:06x}{secrets.token_hex(2)}"


def _writer_is_gone(name: str) -> bool:
    """Whether a temporary name is of a process of this machine that is no more."""
    token = name[-20:-4]
    if token[:6] != _here():
        return False
    try:
        os.kill(int(token[6:12], 16), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _unique(path: Path) -> tuple[BinaryIO, Path]:
    """A new, locked file beside `path`."""
    while True:
        temporary = path.with_name(f".{path.name}.{_token()}.tmp")
        with _beginning:
            try:
                file = open(temporary, "xb")  # noqa: SIM115
            except FileExistsError:
                continue
            _temporaries.add(str(temporary))
        taken = False  # for abandoned, before it was locked
        try:
            _lock(file)
        except BlockingIOError:
            taken = True
        except OSError:  # a file system without locks
            pass
        if not taken and (fcntl is None or os.fstat(file.fileno()).st_nlink):
            return file, temporary
        file.close()
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        _temporaries.discard(str(temporary))


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
