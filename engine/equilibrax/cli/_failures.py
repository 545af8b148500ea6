"""Errors that are nobody's bug, as a line that says what would help; and streams that are closed, full or in ASCII."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from equilibrax._core.messages import shortened

NO_MEMORY = (
    "out of memory; fewer tables at a time (--shard-size for sweeps), fewer providers, states or actions, fewer "
    "processes on this machine, or a machine with more memory would help; files already written are whole"
)

_SIGNS = (
    *("RESOURCE_EXHAUSTED", "bad_alloc", "Out of memory", "Cannot allocate memory", "can't start new thread"),
    "failed to map segment",
)

_ABORTED = b"equilibrax: error: a compiled library gave up, as they do when there is too little memory: "

_kept: list[object] = []  # the handler, for as long as the process lives


def say_when_aborted() -> None:
    """From now on a library that aborts this process, as on `std::bad_alloc` in a thread of its own, ends it with a
    line and exit status 2."""
    if os.name != "posix":
        return

    def say(number: int) -> None:
        os.write(2, _ABORTED + NO_MEMORY.encode() + b"\n")
        os._exit(2)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(say)
    with suppress(AttributeError, OSError):
        of_c = ctypes.CDLL(None).signal
        of_c.restype = ctypes.c_void_p  # `signal.signal` runs Python later, when the process is gone
        of_c(int(signal.SIGABRT), handler)
        _kept.append(handler)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, whoever raised it, says that there is not enough memory.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("std::bad_alloc"))
        (True, True)
        >>> is_out_of_memory(RuntimeError("something else"))
        False
    """
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError | ImportError | SystemError) and any(sign in str(error) for sign in _SIGNS)


class Lines(logging.Handler):
    """Keeps what is logged, as lines."""

    def __init__(self):
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"equilibrax: {shortened(record.getMessage())}")

    def warned(self, message: Warning | str, *place: object, **more: object) -> None:
        """Instead of `warnings.showwarning`, which shows the line of code."""
        line = f"equilibrax: {shortened(' '.join(str(message).split()))}"
        if line not in self.lines:
            self.lines.append(line)


def with_streams(main: Callable[[], int]) -> int:
    """Run a command in characters that its streams have, and see that what it wrote has arrived.

    Args:
        main: what to run; its exit status is returned if everything arrived.

    Returns:
        The exit status: 2 if stdout is closed from the start, or full, and 1 if its reader has gone away.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (for as long as the process lives)
    if sys.stdout is None:  # the next file that is opened would become it, and be written into
        return _said("stdout is closed, and results go there: redirect it, to /dev/null for instance", 2)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        return _lost("what read stdout has closed it; the rest is not shown", 1)
    except OSError as error:
        return _lost(f"error: stdout: {error}", 2)


def _lost(line: str, status: int) -> int:
    """After this nothing more is written to stdout, also not what Python still holds when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _said(line, status)


def _said(line: str, status: int) -> int:
    with suppress(OSError):
        print(f"equilibrax: {line}", file=sys.stderr, flush=True)
    return status
