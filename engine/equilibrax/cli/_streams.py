"""The streams that a command writes to: one that is closed, full or in ASCII gives one line, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress


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
