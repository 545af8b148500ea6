"""Ranges of tables, dealt to threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_PIECES = 8  # per thread, so that one with slow tables does not keep the others waiting
_MOST = 4096  # tables in a piece: few enough that a long run can be interrupted


def run_over_tables(loop: Callable[[int, int], None], tables: int, threads: int) -> None:
    """Call `loop(start, stop)` for ranges that together are all tables.

    Args:
        loop: answers tables `start` to `stop - 1`, in places of their own; it should release the interpreter's lock.
        tables: how many there are.
        threads: how many ranges may be worked on at the same time.

    Example:
        >>> numbers, doubled = np.arange(5), np.zeros(5, int)
        >>> def double(start, stop):
        ...     doubled[start:stop] = 2 * numbers[start:stop]
        >>> run_over_tables(double, 5, threads=2)
        >>> doubled
        array([0, 2, 4, 6, 8])
    """
    piece = min(_MOST, max(1, -(-tables // (_PIECES * threads)))) if threads > 1 else _MOST
    starts = range(0, tables, piece)
    # Every thread has a part of its own: where two write close to each other, fresh memory is cleared by both.
    part = -(-len(starts) // threads)
    starts = [starts[i] for first in range(part) for i in range(first, len(starts), part)]

    def work(start: int) -> None:
        loop(start, min(start + piece, tables))

    if threads == 1 or len(starts) < 2:
        for start in starts:
            work(start)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, starts):
            pass


def plain(array: np.ndarray) -> np.ndarray:
    """The array for loops that only read it: they are compiled for one kind of array each.

    It is copied if it is not contiguous. One that must not be written is seen as if it could be.
    """
    if not array.flags.c_contiguous:
        return np.array(array, order="C")
    return array if array.flags.writeable else np.asarray(_Seen(array))


class _Seen:
    """The memory of an array."""

    def __init__(self, array: np.ndarray):
        self._array = array
        self.__array_interface__ = array.__array_interface__ | {"data": (array.ctypes.data, False)}
