"""Sorting values and their positions, ranks of values that count as equal when they are close, and sorted runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import called, part
from equilibrax_kernels.cpu.vectors import LANES, extract, fill, if_greater, load

ALL_PAIRS = 128  # up to so many keys, comparing all pairs is faster: it needs no branches and vectorizes
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


# --- keys in sorted runs ----------------------------------------------------------------------------------------------


@part
def sort_runs(keys, scratch, ends, runs):
    """Sort distinct keys that consist of sorted runs; returns whether they are in `scratch` then, and not in `keys`.

    Args:
        keys: `[M]` int64, and `scratch` of the same size, M a multiple of eight.
        ends: `[runs + 1]` where each run ends, from `ends[0] = 0` on; overwritten.
        runs: how many there are.
    """
    size = ends[runs]
    if runs > 2 and size <= ALL_PAIRS:
        sort_all_pairs(keys, scratch, size)
        return True
    source, target = keys, scratch
    swapped = False
    while runs > 1:
        merged = 0
        for run in range(0, runs - 1, 2):
            _merge_runs(source, target, ends[run], ends[run + 1], ends[run + 2])
            merged += 1
            ends[merged] = ends[run + 2]
        if runs % 2:
            for at in range(ends[merged], size):
                target[at] = source[at]
            merged += 1
            ends[merged] = size
        runs = merged
        source, target = target, source
        swapped = not swapped
    return swapped


@part
def sort_all_pairs(keys, target, size):
    """Sort so many distinct keys by how many are smaller. Arrays have room for the next multiple of eight."""
    for i in range(0, size, LANES):
        these, before = load(keys, i), fill(0)
        for k in range(size):
            before = before + if_greater(these, fill(keys[k]), fill(1), fill(0))
        for lane in range(min(LANES, size - i)):
            target[extract(before, lane)] = keys[i + lane]


@part
def _merge_runs(source, target, start, middle, end):
    i, k = start, middle
    for at in range(start, end):
        first = k == end or (i < middle and source[i] < source[k])
        target[at] = source[i if first else k]
        i += first
        k += not first
