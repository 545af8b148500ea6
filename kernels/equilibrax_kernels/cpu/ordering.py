"""Sorting a list that consists of sorted runs."""

from __future__ import annotations

from equilibrax_kernels.cpu.compiling import part
from equilibrax_kernels.cpu.vectors import LANES, extract, fill, if_greater, load

ALL_PAIRS = 128  # up to so many keys, comparing all pairs is faster: it needs no branches and vectorizes


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
        for i in range(0, size, LANES):
            these, before = load(keys, i), fill(0)
            for k in range(size):
                before = before + if_greater(these, fill(keys[k]), fill(1), fill(0))
            for lane in range(min(LANES, size - i)):
                scratch[extract(before, lane)] = keys[i + lane]
        return True
    source, target = keys, scratch
    swapped = False
    while runs > 1:
        merged = 0
        for run in range(0, runs - 1, 2):
            _merge(source, target, ends[run], ends[run + 1], ends[run + 2])
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
def _merge(source, target, start, middle, end):
    i, k = start, middle
    for at in range(start, end):
        first = k == end or (i < middle and source[i] < source[k])
        target[at] = source[i if first else k]
        i += first
        k += not first
