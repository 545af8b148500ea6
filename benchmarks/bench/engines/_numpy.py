"""NumPy, vectorized over tables: all schemes, one sort of packed keys, running maxima, bits, superset sums.

Tables go through in blocks that keep the arrays of schemes in the cache.
"""

from __future__ import annotations

import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.workloads import Workload

FIRST = 16
_BLOCK_CELLS = 1 << 16  # schemes in flight


def prepare(workload: Workload, data: Data) -> Run:
    if workload.kind == "bimatrix":
        return lambda count: pure_equilibria(data.utilities[:count])
    contributions = data.contributions()
    dynamics = workload.kind == "dynamics"
    block = max(1, _BLOCK_CELLS // int(workload.schemes))

    def run(count: int) -> Answer:
        parts = [
            solve_block(contributions[start : min(start + block, count)], dynamics) for start in range(0, count, block)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return run


def pure_equilibria(payoffs: np.ndarray) -> Answer:
    """`[B, 2, A, A]` payoffs, row player first: which pairs of actions are mutual best responses."""
    row, column = payoffs[:, 0], payoffs[:, 1]
    return {"pure": (row == row.max(axis=1, keepdims=True)) & (column == column.max(axis=2, keepdims=True))}


def solve_block(contributions: np.ndarray, dynamics: bool) -> Answer:
    """Worst equilibrium and number of equilibria of all committees of `[B, K + 1, X, A]` tables."""
    tables, players, states, _ = contributions.shape
    providers = players - 1
    values = contributions[:, :, 0]
    for x in range(1, states):
        values = (values[:, :, :, None] + contributions[:, :, x, None, :]).reshape(tables, players, -1)
    schemes = values.shape[2]
    bits = max(1, (schemes - 1).bit_length())
    keys = (-values[:, 0].astype(np.int64) << bits) | np.arange(schemes)
    keys.sort(axis=1)
    order = keys & ((1 << bits) - 1)
    user = -(keys >> bits)
    sorted_values = np.take_along_axis(values[:, 1:], order[:, None], axis=2).astype(np.int64)

    # The value, and in the low bits the position: earlier is better, so that the maximum is a best response.
    packed = (sorted_values << bits) | ((1 << bits) - 1 - np.arange(schemes))
    best = np.maximum.accumulate(packed, axis=2)
    nothing = np.iinfo(np.int64).min
    starts = np.ones((tables, schemes), bool)
    starts[:, 1:] = user[:, 1:] != user[:, :-1]
    before = np.full_like(best, nothing)
    before[:, :, 1:] = np.where(starts[:, None, 1:], best[:, :, :-1], nothing)
    before = np.maximum.accumulate(before, axis=2)
    gains = (before != nothing) & ((before >> bits) > sorted_values)
    stable = ((~gains) << np.arange(providers)[:, None]).sum(axis=1)

    cells = 1 << providers
    cell = (np.arange(tables)[:, None] * cells + stable).ravel()
    worst = np.full(tables * cells, np.iinfo(np.int64).max)
    worst[cell] = user.ravel()  # the last assignment to a cell is its worst: values fall along the order
    count = np.bincount(cell, minlength=tables * cells)
    worst, count = worst.reshape(tables, cells), count.reshape(tables, cells)
    for j in range(providers):  # every cell with its supersets
        without = np.flatnonzero((np.arange(cells) >> j) & 1 == 0)
        worst[:, without] = np.minimum(worst[:, without], worst[:, without | 1 << j])
        count[:, without] += count[:, without | 1 << j]
    own_worst, own_count = monopolies(contributions)
    worst[:, 1 << np.arange(providers)] = own_worst
    count[:, 1 << np.arange(providers)] = own_count
    answer: Answer = {"worst": worst[:, 1:], "count": count[:, 1:]}
    if dynamics:
        low = (1 << bits) - 1
        answer |= _dynamics(user, sorted_values, order, stable, low - (before & low))
    return answer


def monopolies(contributions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`[B, K]` the user's worst value over each provider's own optima, and how many optima there are."""
    user, providers = contributions[:, :1].astype(np.int64), contributions[:, 1:]
    optimal = providers == providers.max(axis=3, keepdims=True)
    worst = np.where(optimal, user, np.iinfo(np.int64).max).min(axis=3).sum(axis=2)
    return worst, optimal.sum(axis=3).prod(axis=2)


def _dynamics(user, values, order, stable, response) -> Answer:
    """Best-response dynamics of all committees of all tables together, one deviation at a time."""
    tables, providers, _ = values.shape
    masks = np.arange(1, 1 << providers)
    top = values == values.max(axis=2, keepdims=True)
    start = np.where(top, order[:, None], np.iinfo(np.int64).max).argmin(axis=2)  # lexicographically first
    opening = np.take_along_axis(user, start, axis=1)
    member = (masks[:, None] >> np.arange(providers)) & 1 == 1
    selected = np.where(member, opening[:, None], np.iinfo(np.int64).min).argmax(axis=2)
    position = np.take_along_axis(start, selected, axis=1)
    turn, steps = np.zeros_like(position), np.zeros_like(position)
    row = np.arange(tables)[:, None]
    while True:
        can = masks & ~stable[row, position] & ~(1 << selected)
        moving = can != 0
        if not moving.any():
            return {"dynamics": user[row, position], "steps": steps}
        ahead = can & -(1 << turn)
        chosen = np.where(ahead != 0, ahead, can)
        deviator = np.where(moving, np.bitwise_count((chosen & -chosen) - 1), 0)
        position = np.where(moving, response[row, deviator, position], position)
        selected = np.where(moving, deviator, selected)
        turn = np.where(moving, deviator + 1, turn)
        steps += moving
