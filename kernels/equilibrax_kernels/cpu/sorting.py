"""Sorting values and their positions, and ranks of values that count as equal when they are close."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import called

BLOCK = 16
"""So many values are sorted by counting how many are smaller, without branches; then such runs are merged."""


class Sorting(NamedTuple):
    """Room for sorting M values: the values and their positions `[M]` in increasing order, and as much to work with."""

    values: np.ndarray
    order: np.ndarray
    other_values: np.ndarray
    other_order: np.ndarray


def new_sorting(size: int) -> Sorting:
    """Room for so many values."""
    return Sorting(np.zeros(size), np.zeros(size, np.int64), np.zeros(size), np.zeros(size, np.int64))


@called
def sort_positions(values, size, sorting):
    """Sort the first `size` values into `sorting.values` and `sorting.order`; equal ones in the order of position."""
    for start in range(0, size, BLOCK):
        end = min(start + BLOCK, size)
        for i in range(start, end):
            value, before = values[i], start
            for k in range(start, i):
                before += values[k] <= value
            for k in range(i + 1, end):
                before += values[k] < value
            sorting.values[before], sorting.order[before] = value, i
    width = BLOCK
    while width < size:
        for start in range(0, size, 2 * width):
            _merge(sorting, start, min(start + width, size), min(start + 2 * width, size))
        for i in range(size):
            sorting.values[i], sorting.order[i] = sorting.other_values[i], sorting.other_order[i]
        width *= 2


@called
def _merge(sorting, start, middle, end):
    """Merge two sorted runs into the other arrays, the first run's values first where they are equal."""
    values, order, i, k, at = sorting.values, sorting.order, start, middle, start
    while i < middle and k < end:
        first = values[i] <= values[k]
        chosen = i if first else k
        sorting.other_values[at], sorting.other_order[at] = values[chosen], order[chosen]
        i, k, at = i + first, k + (not first), at + 1
    while at < end:
        chosen = i if i < middle else k
        sorting.other_values[at], sorting.other_order[at] = values[chosen], order[chosen]
        i, k, at = i + 1, k + 1, at + 1


@called
def ranks(values, size, tolerance, sorting, rank, largest):
    """Fill in `rank` `[M]`, whole numbers in the order of the values, and `largest` `[M]`, the largest value of a rank.

    Neighbours in the order of the first `size` values that are no more than the tolerance apart share a rank.

    Returns:
        The highest rank.
    """
    sort_positions(values, size, sorting)
    number, before = 0, sorting.values[0]
    for i in range(size):
        value = sorting.values[i]
        number += value - before > tolerance
        rank[sorting.order[i]], largest[number], before = number, value, value
    return number
