"""The selection game over listed values that are compared up to a tolerance: `equilibrax_kernels.partitions.tolerant`
as loops, one game at a time.

Letters: P = K + 1 players, the user first; S listed alternatives, of which the first `size` are allowed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import called
from equilibrax_kernels.cpu.dynamics import next_deviator
from equilibrax_kernels.cpu.sorting import Sorting, sort_positions


class Stability(NamedTuple):
    """What is known of every alternative; bit j is provider j's.

    Attributes:
        stable: `[S]` it has none that is better for the user and for itself.
        tie_stable: `[S]` the same where one that is as good for the user will do.
        alone: `[S]` nothing is better for it.
        best: `[S + 1]` to work with: its largest value from a place in the user's order on.
        start: `[K]` what it plays alone.
    """

    stable: np.ndarray
    tie_stable: np.ndarray
    alone: np.ndarray
    best: np.ndarray
    start: np.ndarray


def new_stability(size: int, providers: int) -> Stability:
    """Room for so many alternatives."""
    bits = np.zeros((3, size), np.int64)
    return Stability(bits[0], bits[1], bits[2], np.zeros(size + 1), np.zeros(providers, np.int64))


@called
def find_stability(values, size, tolerance, sorting: Sorting, found: Stability):
    """Fill it in for values `[P, S]`."""
    user, best = sorting.values, found.best
    sort_positions(values[0], size, sorting)
    for i in range(size):
        found.stable[i] = found.tie_stable[i] = found.alone[i] = 0
    for j in range(len(values) - 1):
        own = values[j + 1]
        best[size] = -math.inf
        for r in range(size - 1, -1, -1):
            best[r] = max(best[r + 1], own[sorting.order[r]])
        better = as_good = 0
        for r in range(size):
            while better < size and user[better] <= user[r] + tolerance:
                better += 1
            while user[as_good] < user[r] - tolerance:
                as_good += 1
            i = sorting.order[r]
            found.stable[i] |= np.int64(not best[better] > own[i] + tolerance) << j
            found.tie_stable[i] |= np.int64(not best[as_good] > own[i] + tolerance) << j
        found.start[j] = -1
        for i in range(size):
            if own[i] >= best[0] - tolerance:
                found.alone[i] |= 1 << j
                if found.start[j] < 0:
                    found.start[j] = i


@called
def tolerant_equilibria(values, size, tolerance, found: Stability, mask, ties):
    """`(worst, best, count, first)` of a committee; NaN, 0 and -1 if there is none."""
    user, lowest = values[0], mask & -mask
    worst, best, count, first = math.inf, -math.inf, np.int64(0), np.int64(-1)
    for i in range(size):
        if _in_equilibrium(i, found, mask, lowest, ties):
            worst, best, count = min(worst, user[i]), max(best, user[i]), count + 1
    if count == 0:
        return math.nan, math.nan, count, first
    for i in range(size):
        if first < 0 and user[i] <= worst + tolerance and _in_equilibrium(i, found, mask, lowest, ties):
            first = np.int64(i)
    return worst, best, count, first


@called
def _in_equilibrium(i, found, mask, lowest, ties):
    bits = found.stable[i]
    if mask == lowest:
        bits = found.alone[i]
    elif ties:
        bits = (bits & ~lowest) | (found.tie_stable[i] & lowest)
    return bits & mask == mask


@called
def tolerant_dynamics(values, size, tolerance, found: Stability, mask, key, random, ties, minimal, step_limit):
    """`(alternative, steps, ended)` where best-response dynamics ends; see `dynamics.run_dynamics`."""
    user, providers = values[0], len(values) - 1
    top = -math.inf
    for j in range(providers):
        if mask >> j & 1:
            top = max(top, user[found.start[j]])
    selected = np.int64(-1)
    for j in range(providers):
        if selected < 0 and mask >> j & 1 and user[found.start[j]] >= top - tolerance:
            selected = np.int64(j)
    at = found.start[selected]
    steps = turn = np.int64(0)
    while True:
        unstable = ~found.stable[at]
        if ties:
            unstable |= ((1 << selected) - 1) & ~found.tie_stable[at]
        able = mask & unstable & ~(1 << selected)
        if able == 0 or steps >= step_limit:
            return at, steps, able == 0
        deviator = next_deviator(able, turn, random, key, mask, steps)
        wins_ties = ties and deviator < selected
        at = _respond(user, values[deviator + 1], size, tolerance, at, wins_ties, minimal)
        selected, turn = deviator, deviator + 1
        steps += 1


@called
def _respond(user, own, size, tolerance, at, wins_ties, minimal):
    """The best of what is better for the deviator and for the user, or the least; then the user's best, the first."""
    aim, top, first = math.inf if minimal else -math.inf, -math.inf, at
    for i in range(size):
        if _gains(i, user, own, tolerance, at, wins_ties):
            aim = min(aim, own[i]) if minimal else max(aim, own[i])
    for i in range(size):
        if _gains(i, user, own, tolerance, at, wins_ties) and _aimed(own[i], aim, tolerance, minimal):
            top = max(top, user[i])
    for i in range(size - 1, -1, -1):
        aimed = _gains(i, user, own, tolerance, at, wins_ties) and _aimed(own[i], aim, tolerance, minimal)
        if aimed and user[i] >= top - tolerance:
            first = np.int64(i)
    return first


@called
def _gains(i, user, own, tolerance, at, wins_ties):
    preferred = user[i] > user[at] + tolerance or (wins_ties and user[i] >= user[at] - tolerance)
    return preferred and own[i] > own[at] + tolerance


@called
def _aimed(value, aim, tolerance, minimal):
    return value <= aim + tolerance if minimal else value >= aim - tolerance
