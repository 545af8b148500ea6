"""Errors that are nobody's bug, as a line that says what would help."""

from __future__ import annotations

import errno

NO_MEMORY = (
    "out of memory; fewer tables at a time (--shard-size for sweeps), fewer providers, states or actions, fewer "
    "processes on this machine, or a machine with more memory would help; files already written are whole"
)

_SIGNS = ("RESOURCE_EXHAUSTED", "bad_alloc", "Out of memory", "Cannot allocate memory", "can't start new thread")


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
