"""Ctrl-C for a command: one line and exit status 130, at any moment.

An exception in the middle of whatever runs, as Python has it, comes late (compiled code runs for minutes), is swallowed
where nobody may raise (callbacks, destructors) and ends compiled code in places where it cannot end. Files are whole or
absent whatever happens, so a command ends at once instead. A thread waits for the signal, because the main one may be
in compiled code.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

INTERRUPTED = "equilibrax: interrupted; files already written are whole; the same command continues a sweep"

_patience = [0.0]
_raised = threading.Event()


def end_at_once() -> None:
    """From now on Ctrl-C ends this process. For the main thread; a process that ignores Ctrl-C goes on to do so."""
    if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        return
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(receiving,), name="equilibrax-interrupts", daemon=True).start()
    signal.signal(signal.SIGINT, _raise_if_patient)


def end_as_done() -> None:
    """From now on Ctrl-C changes nothing: the command is done, and Python's own end would die of it without a line."""
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def unwinding(seconds: float) -> Iterator[None]:
    """While the block runs, Ctrl-C is a `KeyboardInterrupt`, and ends the process if that takes longer than this.

    For what other processes must be told, those of a cluster.
    """
    before, _patience[0] = _patience[0], seconds
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # the process ends, and the thread that waits may not have asked yet
        raise
    except BaseException:
        _patience[0] = before
        raise
    _patience[0] = before


def _raise_if_patient(*_: object) -> None:
    if _patience[0] and not _raised.is_set():
        _raised.set()  # once: what other processes are told is not cut short by the signal that is sent again
        raise KeyboardInterrupt


def _wait(receiving: int) -> None:
    if hasattr(signal, "pthread_sigmask"):  # the main thread is to be woken, whatever it waits for
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    while signal.SIGINT not in os.read(receiving, 64):
        pass
    end = time.monotonic() + _patience[0]
    while time.monotonic() < end:
        if hasattr(signal, "pthread_kill") and not _raised.is_set():
            # A signal that comes just before a system call does not wake the main thread from it.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        threading.Event().wait(min(0.1, max(0.0, end - time.monotonic())))
    exit_interrupted()


def exit_interrupted() -> NoReturn:
    """End this process, after what it was writing is removed."""
    remove = getattr(sys.modules.get("equilibrax._core.files"), "remove_unfinished", None)
    if remove is not None:
        remove()
    with suppress(OSError):
        os.write(2, (("\n\x1b[?25h" if os.isatty(2) else "") + INTERRUPTED + "\n").encode())  # the cursor may be hidden
    os._exit(130)
