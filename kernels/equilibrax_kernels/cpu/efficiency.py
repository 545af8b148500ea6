"""Efficiency programs one after another, as `equilibrax_kernels.fits.efficiency` in loops; the letters are the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import loop, part
from equilibrax_kernels.cpu.threads import plain, run_over_tables

EFFICIENT, DOMINATED, UNDECIDED = 0, 1, 2
ZERO, PIVOT, LARGEST, PATIENCE = 1e-10, 1e-9, 1e9, 12  # as there


class Weighed(NamedTuple):
    """As `equilibrax_kernels.fits.efficiency.Weighed`, the batch first."""

    status: np.ndarray
    weights: np.ndarray
    inner: np.ndarray
    basis: np.ndarray
    entering: np.ndarray
    gap_weights: np.ndarray
    move: np.ndarray
    stay: np.ndarray
    ended: np.ndarray
    pivots: np.ndarray


class _Room(NamedTuple):
    """Room for one program of order M, at most N + 1."""

    inverse: np.ndarray
    duals: np.ndarray
    point: np.ndarray
    basis: np.ndarray
    alpha: np.ndarray
    gradient: np.ndarray
    size: np.ndarray  # [S A] of the rows; 0 for those that do not count
    choice: np.ndarray  # [M, S]
    best: np.ndarray  # [S]


def weigh_programs(
    gains: np.ndarray,
    available: np.ndarray,
    held: np.ndarray,
    excess: np.ndarray,
    unit: np.ndarray,
    member: np.ndarray,
    limit: int,
    threads: int = 1,
) -> Weighed:
    """Solve B programs; arguments and results as in `equilibrax_kernels.fits.efficiency.weigh_lanes`, batch first.

    Example:
        >>> gains = np.array([[[[0.0, 1.0]], [[0.0, -0.5]]]])  # one cell, the second action is better for one of two
        >>> everywhere, held = np.ones((1, 1, 2), bool), np.array([[[True, False]]])
        >>> ones, member = np.ones((1, 2)), np.ones((1, 2), bool)
        >>> weigh_programs(gains, everywhere, held, 0 * ones, ones, member, 99).weights.tolist()
        [[1.0, 2.0]]
    """
    lanes, agents, cells, actions = gains.shape
    found = Weighed(
        status=np.empty(lanes, np.int32),
        weights=np.zeros((lanes, agents)),
        inner=np.zeros((lanes, agents)),
        basis=np.full((lanes, agents), -1, np.int32),
        entering=np.full(lanes, -1, np.int32),
        gap_weights=np.zeros((lanes, agents)),
        move=np.zeros((lanes, cells, actions)),
        stay=np.zeros(lanes),
        ended=np.zeros(lanes, np.bool_),
        pivots=np.zeros(lanes, np.int32),
    )
    inputs = [plain(array) for array in (gains, available, held, excess, unit, member)]

    def weigh_range(start: int, stop: int) -> None:
        order = agents + 1
        room = _Room(
            inverse=np.empty((order, order)),
            duals=np.empty(order),
            point=np.empty(order),
            basis=np.empty(order, np.int64),
            alpha=np.empty(order),
            gradient=np.empty(order),
            size=np.empty(cells * actions),
            choice=np.empty((order, cells), np.int64),
            best=np.empty(cells, np.int64),
        )
        _weigh_range(start, stop, *inputs, limit, found, room)

    run_over_tables(weigh_range, lanes, threads)
    return found


@loop
def _weigh_range(start, stop, gains, available, held, excess, unit, member, limit, found, room):
    for lane in range(start, stop):
        _weights(lane, gains, available, held, unit, member, limit, found, room)
        if found.status[lane] != EFFICIENT:
            _gap(lane, gains, available, excess, unit, member, limit, found, room)


@part
def _leaving(room, order, cautious):
    """The basic row with the smallest ratio (of those the largest coefficient, or Bland's); -1 if there is none."""
    least = np.inf
    for k in range(order):
        if room.basis[k] >= 0 and room.alpha[k] > PIVOT:
            least = min(least, max(room.duals[k], 0.0) / room.alpha[k])
    leaves = np.int64(-1)
    for k in range(order):
        if room.basis[k] < 0 or room.alpha[k] <= PIVOT or max(room.duals[k], 0.0) / room.alpha[k] > least + 1e-14:
            continue
        if leaves < 0:
            leaves = k
        elif cautious:
            if room.basis[k] < room.basis[leaves]:
                leaves = k
        elif room.alpha[k] > room.alpha[leaves]:
            leaves = k
    return leaves


@part
def _pivot(room, order, leaves, short):
    """Exchange the basic row for the one with the coefficients `alpha`, which is violated by `short`."""
    inverse, alpha, duals = room.inverse, room.alpha, room.duals
    share = duals[leaves] / alpha[leaves]
    for i in range(order):
        head = inverse[i, leaves] / alpha[leaves]
        for k in range(order):
            inverse[i, k] -= head * alpha[k]
        inverse[i, leaves] = head
        room.point[i] += short * head
    for k in range(order):
        duals[k] -= share * alpha[k]
    duals[leaves] = share


@part
def _coefficients(room, order):
    for k in range(order):
        total = 0.0
        for i in range(order):
            total += room.gradient[i] * room.inverse[i, k]
        room.alpha[k] = total


@part
def _weights(lane, gains, available, held, unit, member, limit, found, room):
    agents, cells, actions = gains.shape[1:]
    rows = cells * actions
    weights, basis, size = room.point, room.basis, room.size
    for i in range(agents):
        for k in range(agents):
            room.inverse[i, k] = 0.0
        room.inverse[i, i] = 1.0
        room.duals[i] = unit[lane, i] if member[lane, i] else 0.0
        weights[i] = 1.0 / unit[lane, i] if member[lane, i] else 0.0
        basis[i] = i if member[lane, i] else -1
    for s in range(cells):
        for a in range(actions):
            total = 0.0
            if available[lane, s, a]:
                for i in range(agents):
                    if member[lane, i]:
                        total += abs(gains[lane, i, s, a])
            size[s * actions + a] = total
    status, entering, pivots = UNDECIDED, np.int64(-1), np.int64(0)
    while True:
        scale = 0.0
        for i in range(agents):
            scale = max(scale, abs(weights[i]))
        cautious = pivots >= PATIENCE
        worst, entering, sign = ZERO, np.int64(-1), -1.0
        for i in range(agents):
            if member[lane, i]:
                short = (1.0 / unit[lane, i] - weights[i]) / scale
                if short > worst and not (cautious and entering >= 0):
                    worst, entering = short, np.int64(i)
        for s in range(cells):
            if cautious and entering >= 0:
                break
            for a in range(actions):
                row = s * actions + a
                if size[row] > 0.0:
                    value = 0.0
                    for i in range(agents):
                        if member[lane, i]:
                            value += weights[i] * gains[lane, i, s, a]
                    value /= size[row] * scale
                    if value > worst:
                        worst, entering, sign = value, agents + row, -1.0
                    elif held[lane, s, a] and -value > worst:
                        worst, entering, sign = -value, agents + rows + row, 1.0
                    if cautious and entering >= 0:
                        break
        if entering < 0:
            status = EFFICIENT
            break
        for i in range(agents):
            room.gradient[i] = 0.0
        if entering < agents:
            room.gradient[entering] = 1.0
        else:
            row = (entering - agents) % rows
            for i in range(agents):
                if member[lane, i]:
                    room.gradient[i] = sign * gains[lane, i, row // actions, row % actions] / size[row]
        _coefficients(room, agents)
        leaves = _leaving(room, agents, cautious)
        if leaves < 0:
            status = DOMINATED
            break
        if pivots >= limit or scale >= LARGEST:
            break
        _pivot(room, agents, leaves, worst * scale)
        basis[leaves] = entering
        pivots += 1
    found.status[lane], found.pivots[lane] = status, pivots
    found.entering[lane] = entering if status == DOMINATED else -1
    for i in range(agents):
        found.weights[lane, i], found.basis[lane, i] = weights[i], basis[i]
        found.inner[lane, i] = 0.0
        for k in range(agents):
            if basis[k] >= agents:
                found.inner[lane, i] += room.inverse[i, k]


@part
def _gap(lane, gains, available, excess, unit, member, limit, found, room):
    agents, cells, actions = gains.shape[1:]
    order = agents + 1
    leader, least = np.int64(-1), np.inf
    for i in range(agents):
        if member[lane, i]:
            alone = -excess[lane, i]
            for s in range(cells):
                top = -np.inf
                for a in range(actions):
                    if available[lane, s, a]:
                        top = max(top, gains[lane, i, s, a])
                alone += top
            if alone / unit[lane, i] < least:
                leader, least = np.int64(i), alone / unit[lane, i]
    for i in range(order):
        for k in range(order):
            room.inverse[i, k] = 0.0
        room.inverse[i, i] = 1.0
        room.duals[i] = 0.0
        room.point[i] = 0.0
    for i in range(agents):
        room.basis[i] = i if member[lane, i] and i != leader else -1
        if member[lane, i]:
            room.inverse[leader, i] = -unit[lane, i] / unit[lane, leader]
    room.inverse[leader, leader] = room.point[leader] = 1.0 / unit[lane, leader]
    room.basis[agents], room.duals[agents] = agents, 1.0
    for s in range(cells):
        room.choice[agents, s] = -1
    pivots, ended = np.int64(0), False
    while True:
        scale = 0.0
        for i in range(agents):
            scale = max(scale, abs(room.point[i]))
        bound, short = np.int64(-1), ZERO * scale
        for i in range(agents):
            if member[lane, i] and -room.point[i] > short:
                bound, short = np.int64(i), -room.point[i]
        for i in range(order):
            room.gradient[i] = 0.0
        if bound >= 0:
            room.gradient[bound] = 1.0
        else:
            most = 0.0
            for i in range(agents):
                if member[lane, i]:
                    room.gradient[i] = excess[lane, i]
                    most -= room.point[i] * excess[lane, i]
            for s in range(cells):
                top = -np.inf
                for a in range(actions):
                    if available[lane, s, a]:
                        value = 0.0
                        for i in range(agents):
                            if member[lane, i]:
                                value += room.point[i] * gains[lane, i, s, a]
                        if value > top:
                            top, room.best[s] = value, a
                most += top
                for i in range(agents):
                    if member[lane, i]:
                        room.gradient[i] -= gains[lane, i, s, room.best[s]]
            room.gradient[agents] = 1.0
            short = most - room.point[agents]
            if short <= 1e-2 * ZERO * scale:
                ended = True
                break
        if pivots >= limit:
            break
        _coefficients(room, order)
        leaves = _leaving(room, order, pivots >= PATIENCE + agents)
        if leaves < 0:
            break
        _pivot(room, order, leaves, short)
        room.basis[leaves] = bound if bound >= 0 else agents + 1
        if bound < 0:
            for s in range(cells):
                room.choice[leaves, s] = room.best[s]
        else:
            room.choice[leaves, 0] = 0
        pivots += 1
    found.pivots[lane] += pivots
    found.ended[lane] = ended
    for i in range(agents):
        found.gap_weights[lane, i] = room.point[i]
    total = 0.0
    for k in range(order):
        if room.basis[k] >= agents:
            total += max(room.duals[k], 0.0)
    for k in range(order):
        if room.basis[k] >= agents and total > 0.0:
            share = max(room.duals[k], 0.0) / total
            if room.choice[k, 0] < 0:
                found.stay[lane] += share
            else:
                for s in range(cells):
                    found.move[lane, s, room.choice[k, s]] += share
