"""Errors that are nobody's bug, as a line that says what would help."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from contextlib import suppress

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
