"""Persuasion programs one after another, as `equilibrax_kernels.fits.persuasion` in loops; the letters are the same.

Side by side in lanes all programs take as many pivots as the slowest of them, and every pivot goes over the whole
tableau. Here each takes its own, and only where there is something: a constraint of obedience is about one plan, so
most of the tableau is zero and stays so.

Letters: R programs, Z signals, X states, A actions, S plans.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import loop, part
from equilibrax_kernels.cpu.threads import plain, run_over_tables

_RATE, _TIE, _CAUTION = 1e-11, 1e-12, 12  # as there

OPTIMAL, ITERATION_LIMIT, NO_START = 0, 1, 2


class Persuaded(NamedTuple):
    """Rules and what proves them, as of `equilibrax_kernels.fits.persuasion.PersuasionRule`, the batch first.

    Attributes:
        rule: `[R, X, S]` chances of plans.
        value, bound, violation: `[R]`.
        iterations: `[R]` int32 pivots.
        status: `[R]` int32; NO_START if telling everything does not keep the margin, and then there is no rule.
    """

    rule: np.ndarray
    value: np.ndarray
    bound: np.ndarray
    violation: np.ndarray
    iterations: np.ndarray
    status: np.ndarray


class _Room(NamedTuple):
    """Room for one program; M rows of the tableau, N columns."""

    exists: np.ndarray  # [X, S]
    worth: np.ndarray  # [X, S]
    gain: np.ndarray  # [X, S Z A]
    unit: np.ndarray  # [S Z A]
    told: np.ndarray  # [X]
    table: np.ndarray  # [M, N]
    right: np.ndarray  # [M]
    rows: np.ndarray  # [M] ids of basic variables: x S + s for pi(s|x), X S + r for the slack of obedience r
    columns: np.ndarray  # [N] ids of the others
    costs: np.ndarray  # [N]
    line: np.ndarray  # [N] the row that is exchanged
    filled: np.ndarray  # [N] where it is not zero
    prices: np.ndarray  # [S Z A]


def persuade_all(
    user: np.ndarray,
    own: np.ndarray,
    available: np.ndarray,
    plans: np.ndarray,
    allowed: np.ndarray,
    *,
    iteration_limit: int,
    margin: float = 0.0,
    threads: int = 1,
) -> Persuaded:
    """Solve R programs; what they mean is said at `equilibrax_kernels.fits.persuasion.persuasion_rule`.

    Of several optimal rules this is any.

    Args:
        user, own: `[R, Z, X, A]` contributions of the user, and of who recommends.
        available: `[R, X, A]` bool.
        plans: `[S, Z]` int32.
        allowed: `[R, S]` bool, plans that may be recommended, among them a best one for every state.
        iteration_limit: pivots before a program gives up (its rule is still obedient).
        margin: by how much what is recommended must be better than every lower action, in units of the most that it
            can be. What is certified has none.
        threads: how many to use. Results do not depend on it.

    Example:
        >>> import numpy as np
        >>> user, own = np.array([[[[0.3, 0.0], [0.0, 0.7]]]]), np.array([[[[0.3, 0.0], [0.7, 0.0]]]])
        >>> everywhere, plans = np.ones((1, 2, 2), bool), np.array([[0], [1]], np.int32)
        >>> found = persuade_all(user, own, everywhere, plans, np.ones((1, 2), bool), iteration_limit=99)
        >>> found.value.round(9).tolist(), found.bound.round(9).tolist()  # the prosecutor of Kamenica and Gentzkow
        ([0.6], [0.6])
    """
    number, places, states, actions = user.shape
    size = len(plans)
    found = Persuaded(
        rule=np.zeros((number, states, size)),
        value=np.zeros(number),
        bound=np.full(number, np.inf),
        violation=np.full(number, np.inf),
        iterations=np.zeros(number, np.int32),
        status=np.zeros(number, np.int32),
    )
    inputs = [plain(array) for array in (user, own, available, plans, allowed)]

    def solve_range(start: int, stop: int) -> None:
        lines, columns, obedience = states + size * places * (actions - 1), states * size, size * places * actions
        room = _Room(
            exists=np.empty((states, size), np.bool_),
            worth=np.empty((states, size)),
            gain=np.empty((states, obedience)),
            unit=np.empty(obedience),
            told=np.empty(states, np.int64),
            table=np.empty((lines, columns)),
            right=np.empty(lines),
            rows=np.empty(lines, np.int64),
            columns=np.empty(columns, np.int64),
            costs=np.empty(columns),
            line=np.empty(columns),
            filled=np.empty(columns, np.int64),
            prices=np.empty(obedience),
        )
        _solve_range(start, stop, *inputs, iteration_limit, margin, found, room)

    run_over_tables(solve_range, number, threads)
    return found


@loop
def _solve_range(start, stop, user, own, available, plans, allowed, limit, margin, found, room):
    for r in range(start, stop):
        _read(r, user, own, available, plans, allowed, margin, room)
        swing = _swing(room)
        lines, columns = _full_revelation(room, plans, user.shape[3], swing)
        if lines == 0:
            found.status[r] = NO_START
            continue
        found.iterations[r] = _climb(room, lines, columns, limit)
        found.status[r] = ITERATION_LIMIT if found.iterations[r] >= limit else OPTIMAL
        _rule_of(room, lines, found.rule[r])
        _prices_of(room, columns, swing)
        if margin != 0.0:
            _read(r, user, own, available, plans, allowed, 0.0, room)
        _certify(r, room, plans.shape[1] * user.shape[3], found)


@part
def _read(r, user, own, available, plans, allowed, margin, room):
    """What plans are worth, and what the user gains by obedience, in every state; and what is told: her best plan."""
    places, states, actions = user.shape[1:]
    size = plans.shape[0]
    for x in range(states):
        best, most = np.int64(0), -np.inf
        for s in range(size):
            there, worth, hers = allowed[r, s], 0.0, 0.0
            for z in range(places):
                a = plans[s, z]
                there = there and available[r, x, a]
                worth += own[r, z, x, a]
                hers += user[r, z, x, a]
            room.exists[x, s] = there
            room.worth[x, s] = worth if there else 0.0
            if there and hers > most:
                best, most = np.int64(s), hers
            for z in range(places):
                for a in range(actions):
                    gain = 0.0
                    if there and available[r, x, a] and a != plans[s, z]:
                        gain = user[r, z, x, plans[s, z]] - user[r, z, x, a]
                    room.gain[x, (s * places + z) * actions + a] = gain
        room.told[x] = best
    for i in range(size * places * actions):
        unit = 0.0
        for x in range(states):
            unit = max(unit, abs(room.gain[x, i]))
        room.unit[i] = unit
        s = i // (places * actions)
        if margin != 0.0 and unit > 0.0 and i % actions < plans[s, i // actions % places]:
            for x in range(states):
                if room.exists[x, s]:
                    room.gain[x, i] -= margin * unit


@part
def _swing(room):
    """How far its value can move in a state, at most; one if it cannot."""
    states, size = room.exists.shape
    swing = 0.0
    for x in range(states):
        least, most = np.inf, -np.inf
        for s in range(size):
            if room.exists[x, s]:
                least, most = min(least, room.worth[x, s]), max(most, room.worth[x, s])
        swing = max(swing, most - least)
    return swing if swing > 0.0 else 1.0


@part
def _full_revelation(room, plans, actions, swing):
    """The tableau of telling everything; how many rows and columns it has, no rows if it breaks a constraint."""
    states, size = room.exists.shape
    each = plans.shape[1] * actions
    columns = np.int64(0)
    for x in range(states):
        for s in range(size):
            if room.exists[x, s] and s != room.told[x]:
                room.columns[columns] = x * size + s
                room.costs[columns] = (room.worth[x, s] - room.worth[x, room.told[x]]) / swing
                columns += 1
    for x in range(states):
        room.rows[x], room.right[x] = x * size + room.told[x], 1.0
        for n in range(columns):
            room.table[x, n] = 1.0 if room.columns[n] // size == x else 0.0
    lines = np.int64(states)
    for i in range(size * each):
        if room.unit[i] == 0.0:
            continue
        s, right = i // each, 0.0
        for x in range(states):
            if room.told[x] == s:
                right += room.gain[x, i] / room.unit[i]
        if right < -_TIE:
            return np.int64(0), columns
        room.rows[lines], room.right[lines] = states * size + i, max(right, 0.0)
        for n in range(columns):
            x = room.columns[n] // size
            entry = room.gain[x, i] / room.unit[i]
            takes = entry if room.told[x] == s else 0.0
            room.table[lines, n] = takes - (entry if room.columns[n] % size == s else 0.0)
        lines += 1
    return lines, columns


@part
def _climb(room, lines, columns, limit):
    """Pivots until nothing improves; how many."""
    stalled, pivots = 0, 0
    while pivots < limit:
        cautious = stalled > _CAUTION
        column = np.int64(-1)
        for n in range(columns):
            if room.costs[n] <= _RATE:
                continue
            if column < 0 or (
                room.columns[n] < room.columns[column] if cautious else room.costs[n] > room.costs[column]
            ):
                column = n
        if column < 0:
            break
        step = np.inf
        for m in range(lines):
            if room.table[m, column] > _RATE:
                step = min(step, room.right[m] / room.table[m, column])
        row = np.int64(-1)
        for m in range(lines):
            rate = room.table[m, column]
            if rate <= _RATE or room.right[m] / rate > step + _TIE:
                continue
            if row < 0 or (room.rows[m] < room.rows[row] if cautious else rate > room.table[row, column]):
                row = m
        if row < 0:
            break
        stalled = 0 if step * room.costs[column] > 1e-13 else stalled + 1
        _exchange(room, lines, columns, row, column, step)
        pivots += 1
    return pivots


@part
def _exchange(room, lines, columns, row, column, step):
    """A pivot, over what is not zero."""
    pivot, filled = room.table[row, column], np.int64(0)
    for n in range(columns):
        entry = 1.0 / pivot if n == column else room.table[row, n] / pivot
        room.table[row, n] = entry
        if entry != 0.0:
            room.filled[filled], room.line[filled] = n, entry
            filled += 1
    for m in range(lines):
        factor = room.table[m, column]
        if m == row or factor == 0.0:
            continue
        room.table[m, column] = 0.0
        for i in range(filled):
            room.table[m, room.filled[i]] -= factor * room.line[i]
        room.right[m] = max(room.right[m] - step * factor, 0.0)
    factor = room.costs[column]
    room.costs[column] = 0.0
    for i in range(filled):
        room.costs[room.filled[i]] -= factor * room.line[i]
    room.right[row] = step
    room.rows[row], room.columns[column] = room.columns[column], room.rows[row]


@part
def _rule_of(room, lines, rule):
    """The chances, which sum to one."""
    states, size = rule.shape
    for m in range(lines):
        if room.rows[m] < states * size and room.right[m] > _TIE:
            rule[room.rows[m] // size, room.rows[m] % size] = room.right[m]
    for x in range(states):
        total = 0.0
        for s in range(size):
            total += rule[x, s]
        for s in range(size):
            rule[x, s] /= total


@part
def _prices_of(room, columns, swing):
    """Multipliers of obedience."""
    states, size = room.exists.shape
    for i in range(room.prices.size):
        room.prices[i] = 0.0
    for n in range(columns):
        i = room.columns[n] - states * size
        if i >= 0:
            room.prices[i] = max(-room.costs[n], 0.0) * swing / room.unit[i]


@part
def _certify(r, room, each, found):
    """What the rule is worth, and what the multipliers prove."""
    states, size = room.exists.shape
    value = bound = violation = 0.0
    for x in range(states):
        most = -np.inf
        for s in range(size):
            value += found.rule[r, x, s] * room.worth[x, s]
            if room.exists[x, s]:
                worth = room.worth[x, s]
                for i in range(s * each, (s + 1) * each):
                    worth += room.prices[i] * room.gain[x, i]
                most = max(most, worth)
        bound += most
    for i in range(size * each):
        total = 0.0
        for x in range(states):
            total += found.rule[r, x, i // each] * room.gain[x, i]
        violation = max(violation, -total)
    found.value[r], found.bound[r], found.violation[r] = value, bound, violation
