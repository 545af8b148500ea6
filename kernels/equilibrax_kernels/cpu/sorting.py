"""Sorting positions by what is at them, and ranks of values that count as equal when they are close."""

from __future__ import annotations

import numpy as np

from equilibrax_kernels.cpu.compiling import compiled


@compiled
def sorted_positions(keys):
    """`[M]` int64: the positions of keys in increasing order, equal ones in the order of their positions."""
    size, width = len(keys), 1
    source, target = np.arange(size), np.arange(size)
    while width < size:
        for start in range(0, size, 2 * width):
            middle, end = min(start + width, size), min(start + 2 * width, size)
            i, k = start, middle
            for at in range(start, end):
                first = k == end or (i < middle and keys[source[i]] <= keys[source[k]])
                target[at] = source[i if first else k]
                i, k = (i + 1, k) if first else (i, k + 1)
        source, target = target, source
        width *= 2
    return source


@compiled
def ranks(values, tolerance, rank, largest):
    """Fill in `rank` `[M]`, whole numbers in the order of the values, and `largest` `[M]`, the largest value of a rank.

    Neighbours in the order of values that are no more than the tolerance apart share a rank.
    """
    order = sorted_positions(values)
    number, before = 0, values[order[0]]
    for at in order:
        number += values[at] - before > tolerance
        before = values[at]
        rank[at], largest[number] = number, before
