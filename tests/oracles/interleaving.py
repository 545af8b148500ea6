"""What two threads do at once, in an order that a test decides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Any


class Watched:
    """A lock; `wait_for_waiting` returns when one thread more waits for it, and raises if none does within a minute."""

    def __init__(self, lock: Any = None) -> None:
        self._lock = threading.Lock() if lock is None else lock
        self._waiting: SimpleQueue[None] = SimpleQueue()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._waiting.put(None)
            self._lock.acquire()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    def acquire(self, timeout: float = -1) -> bool:
        return self._lock.acquire(timeout=timeout)

    def wait_for_waiting(self) -> None:
        self._waiting.get(timeout=60)


class Meanwhile:
    """A thread that has begun to do something; `result` is what came of it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work, self._found, self._error = work, None, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._work()
        except BaseException as error:
            self._error = error

    def result(self) -> Any:
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._found
