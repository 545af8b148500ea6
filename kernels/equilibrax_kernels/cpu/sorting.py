"""Sorting positions by what is at them, and ranks of values that count as equal when they are close."""

from __future__ import annotations

from equilibrax_kernels.cpu.compiling import part


@part
def sort_positions(keys, size, order, scratch):
    """Fill in `order` `[M]`: the positions of the first `size` keys, increasing; equal ones in order of position.

    `scratch` is of the same size, to work with.
    """
    width = 1
    for i in range(size):
        order[i] = i
    while width < size:
        for start in range(0, size, 2 * width):
            middle, end = min(start + width, size), min(start + 2 * width, size)
            i, k = start, middle
            for at in range(start, end):
                first = k == end or (i < middle and keys[order[i]] <= keys[order[k]])
                scratch[at] = order[i if first else k]
                i, k = (i + 1, k) if first else (i, k + 1)
        for i in range(size):
            order[i] = scratch[i]
        width *= 2


@part
def ranks(values, size, tolerance, order, scratch, rank, largest):
    """Fill in `rank` `[M]`, whole numbers in the order of the values, and `largest` `[M]`, the largest value of a rank.

    Neighbours in the order of the first `size` values that are no more than the tolerance apart share a rank.

    Returns:
        The highest rank.
    """
    sort_positions(values, size, order, scratch)
    number, before = 0, values[order[0]]
    for i in range(size):
        at = order[i]
        number += values[at] - before > tolerance
        before = values[at]
        rank[at], largest[number] = number, before
    return number
