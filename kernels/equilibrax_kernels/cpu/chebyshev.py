"""One Chebyshev program at a time: a dual simplex with a basis of order members + 2.

The program and the letters are those of `equilibrax_kernels.misalignment`. With `t - b = 2 eps`, and without the
offset, it is

    minimize t - b >= 0 over w >= 0    subject to    t + w.u(l) >= u_0(l) for l in L,    w.u(m) + b <= u_0(m) for m in U

so its dual has a column for every outcome of L and of U, and rows for t, b and each member, whose prices are (t, b, w).
At w = 0 the prices t and b are the largest residual `u_0 - w.u` on L and the smallest on U. From there prices move
along edges, on which t - b falls: a row with a negative multiplier may become slack, and whatever is met first takes
its place. It is found by one pass over the outcomes, and nothing of size rows x columns is ever written. Prices are
feasible all the time. Where there are no ties every pivot lowers t - b; where there are, Bland's rule ends what lowers
nothing.

With `simplex` weights the dual has one column more, of the equation `sum w = 1`, which is basic and never leaves.

Outcomes of L and U are listed once, in the first R' places; all of these loops are over eight numbers at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import part
from equilibrax_kernels.cpu.vectors import (
    LANES,
    fill,
    fused,
    gather,
    highest,
    if_greater,
    load,
    lowest,
    padded,
    store,
    where,
)

OPTIMAL, ITERATION_LIMIT = 0, 1

_PIVOT = 1e-11  # what is closer to zero than this (unit scale) counts as zero
_TIE = 1e-12
PATIENCE = 24  # pivots that lower nothing before Bland's rule
_LEFT, _FREE = 0, 1  # rows of `leaving`


class Program(NamedTuple):
    """Room for one program with up to K members on R outcomes; [n] is n rounded up to a multiple of eight.

    Attributes:
        member: `[K]` the providers that take part, in the first places.
        outcome: `[R]` the outcomes of L and U, in the first places.
        values: `[K + 1, [R]]` utilities on them in unit scale, the user first, then the members.
        sides: `[2, [R]]` zero on L and -inf elsewhere; zero on U and inf elsewhere.
        residual: `[[R]]` of the present prices; slope: `[[R]]` how fast they fall as prices move.
        weighted: `[K]` rows of members whose price moves, in the first places.
        inverse: `[K + 2, [K + 2]]` transposed, of the basis: its rows are the program's, its columns basic columns.
        basis: `[K + 2]` what is basic, see `place_in`: below `order` that row's slack, then places in `outcome`, of L
            and after those of U.
        leaving: `[2, [K + 2]]` the entering column in terms of the basis; one for basic columns that may leave, else 0.
        price, move: `[K + 2]`; how prices move.
        column, excess: `[K + 2]`.
        shift, spread: `[K + 1]` of the players' unit scales.
        multiplier: `[K + 2]` of each basic outcome, zero for slacks.
    """

    member: np.ndarray
    outcome: np.ndarray
    values: np.ndarray
    sides: np.ndarray
    residual: np.ndarray
    slope: np.ndarray
    weighted: np.ndarray
    inverse: np.ndarray
    basis: np.ndarray
    leaving: np.ndarray
    price: np.ndarray
    move: np.ndarray
    column: np.ndarray
    excess: np.ndarray
    shift: np.ndarray
    spread: np.ndarray
    multiplier: np.ndarray


def new_program(providers, outcomes):
    order = providers + 2
    width, rows = padded(order), padded(outcomes)
    return Program(
        np.empty(providers, np.int64),
        np.zeros(rows, np.int64),
        np.empty((providers + 1, rows)),
        np.empty((2, rows)),
        np.empty(rows),
        np.empty(rows),
        np.empty(order, np.int64),
        np.empty((order, width)),
        np.empty(order, np.int64),
        np.empty((2, width)),
        np.empty(order),
        np.empty(order),
        np.empty(order),
        np.empty(order),
        np.empty(order),
        np.empty(order),
        np.empty(order),
    )


@part
def add_outcome(program, rows, outcome, above, below):
    """Put an outcome in place `rows`, of U if `above`, of L if `below`; returns the next place, the same if neither."""
    program.outcome[rows] = outcome
    program.sides[0, rows] = 0.0 if below else -np.inf
    program.sides[1, rows] = 0.0 if above else np.inf
    return rows + (above or below)


@part
def place_in(program, i, order, rows, above):
    """The place of the i-th basic column in `outcome`, if it is of U, or of L if not `above`; otherwise negative."""
    last = -(-rows // LANES) * LANES
    place = program.basis[i] - order - (last if above else 0)
    return place if place < last else -1


@part
def spread_multipliers(program, members, rows, lower, upper):
    """Multipliers of the basic columns as `[R]` on the outcomes of L and of U."""
    for r in range(len(lower)):
        lower[r] = upper[r] = 0.0
    for i in range(members + 2):
        if program.multiplier[i] > 0.0:
            above = place_in(program, i, members + 2, rows, True)
            if above >= 0:
                upper[program.outcome[above]] += program.multiplier[i]
            else:
                lower[program.outcome[place_in(program, i, members + 2, rows, False)]] += program.multiplier[i]


@part
def solve_program(utilities, program, members, rows, simplex, limit, patience):
    """Pivot to the optimum; `(pivots, status)`. Members and outcomes are set in `program`.

    Args:
        utilities: `[K + 1, R]`, the user first.
        members, rows: how many members and outcomes there are; at least one outcome in U and one in L.
    """
    order = members + 2
    last = -(-rows // LANES) * LANES
    _to_unit_scale(utilities, program, members, rows, simplex)
    _start(program, members, rows, simplex)
    inverse, basis, price, move, leaving, values = (
        program.inverse, program.basis, program.price, program.move, program.leaving, program.values
    )  # fmt: skip
    stalled = np.int64(0)
    for pivots in range(limit + 1):
        cautious = stalled > patience
        leaves = _first_leaving(program, order) if cautious else _leaving(program, order)
        apart = price[0] - price[1]
        if leaves < 0 or apart <= _PIVOT:
            return pivots, OPTIMAL
        if pivots == limit:
            break
        # Prices move until something is met: t = b, a weight of zero, or an outcome whose residual is t or b.
        for k in range(order):
            move[k] = inverse[k, leaves]
        fall = move[1] - move[0]
        far, rate, enters = apart + _TIE, fall, np.int64(0)
        for k in range(2, order):
            if move[k] < -_PIVOT and (max(price[k], 0.0) + _TIE) * rate < far * -move[k]:
                far, rate, enters = max(price[k], 0.0) + _TIE, -move[k], k
        _slopes(program, move, members, rows)
        step, enters = _first_met(program, rows, far, rate, enters, order)
        if cautious and enters != 0:
            enters = _first_entering(program, order, rows, step, enters)
        stalled = 0 if step * fall > 1e-13 else stalled + 1
        for k in range(order):
            price[k] += step * move[k]
        for r in range(0, rows, LANES):
            residual = load(program.residual, r)
            store(program.residual, r, fused(fill(-step), load(program.slope, r), residual))
        if enters == 0:  # nothing is less than zero
            return pivots + 1, OPTIMAL

        above = enters >= order + last
        place = enters - order - (last if above else 0)
        for i in range(0, order, LANES):
            rates = load(inverse, (enters if enters < order else np.int64(above), i))
            if enters >= order:
                for k in range(2, order):
                    rates = fused(fill(values[k - 1, place]), load(inverse, (k, i)), rates)
            store(leaving, (_LEFT, i), fill(0.0) - rates if above else rates)
        pivot = leaving[_LEFT, leaves]
        if pivot > -_PIVOT:
            break
        scale = 1.0 / pivot
        for k in range(order):
            if move[k] != 0.0:
                share = move[k] * scale
                for i in range(0, order, LANES):
                    store(inverse, (k, i), fused(fill(-share), load(leaving, (_LEFT, i)), load(inverse, (k, i))))
                inverse[k, leaves] = share
        basis[leaves] = enters
        if enters < order:  # exactly, so that nothing is added up for it
            price[enters] = 0.0
            for i in range(0, order, LANES):
                store(inverse, (enters, i), fill(0.0))
            inverse[enters, leaves] = 1.0
    return limit, ITERATION_LIMIT


@part
def _start(program, members, rows, simplex):
    """The prices of no weights, or of the first member's: basic are the outcomes of t and b, and slacks."""
    inverse, basis, price, values = program.inverse, program.basis, program.price, program.values
    order, last = members + 2, -(-rows // LANES) * LANES
    for r in range(0, rows, LANES):
        residual = load(values, (0, r))
        store(program.residual, r, residual - load(values, (1, r)) if simplex else residual)
    top, bottom, at_top, at_bottom = _ends(program, rows)
    for k in range(order):
        for i in range(0, order, LANES):
            store(inverse, (k, i), fill(0.0))
        inverse[k, k] = 1.0
        basis[k], price[k] = k, 0.0
    for i in range(0, order, LANES):
        store(program.leaving, (_FREE, i), fill(1.0))
    price[0], price[1], inverse[1, 1] = top, bottom, -1.0
    basis[0], basis[1] = order + at_top, order + last + at_bottom
    for k in range(2, order):
        inverse[0, k], inverse[1, k] = -values[k - 1, at_top], -values[k - 1, at_bottom]
    if simplex:
        price[2], program.leaving[_FREE, 2] = 1.0, 0.0
        for k in range(3, order):
            inverse[0, k] -= inverse[0, 2]
            inverse[1, k] -= inverse[1, 2]
            inverse[2, k] = -1.0


@part
def _slopes(program, times, members, rows):
    """Write the sum of the members' utilities, each as many times as `times[2:]` says."""
    weighted = 0
    for i in range(1, members + 1):
        program.weighted[weighted] = i
        weighted += times[i + 1] != 0.0
    for r in range(0, rows, LANES):
        total = fill(0.0)
        for k in range(weighted):
            i = program.weighted[k]
            total = fused(fill(times[i + 1]), load(program.values, (i, r)), total)
        store(program.slope, r, total)


@part
def _first_met(program, rows, far, rate, enters, order):
    """`(step, enters)` of the first outcome whose residual is t or b, if it is before what is given `far / rate` away.

    Of those that are about as near the fastest one is taken, which is the largest pivot: all are `_TIE` further away
    than they are. Ratios are compared by products, and divided at the end.
    """
    price, move, never, tiny, none = program.price, program.move, fill(np.inf), fill(_PIVOT), fill(0.0)
    tie, given = fill(_TIE), max(far - _TIE, 0.0) / rate
    top, bottom, down, up = fill(price[0]), fill(price[1]), fill(-move[0]), fill(move[1])
    nowhere, last = fill(-2 * LANES - 4 * rows), -(-rows // LANES) * LANES
    to_top, by_top, at_top = fill(far), fill(rate), nowhere
    to_bottom, by_bottom, at_bottom = to_top, by_top, nowhere
    for r in range(0, rows, LANES):
        slope, residual, here = load(program.slope, r), load(program.residual, r), fill(r)
        by, to = down - slope, top - residual - load(program.sides, (0, r))
        to = if_greater(by, tiny, if_greater(to, none, to, none) + tie, never)
        better, least = to * by_top, to_top * by
        at_top, by_top = if_greater(least, better, here, at_top), if_greater(least, better, by, by_top)
        to_top = if_greater(least, better, to, to_top)
        by, to = slope + up, residual + load(program.sides, (1, r)) - bottom
        to = if_greater(by, tiny, if_greater(to, none, to, none) + tie, never)
        better, least = to * by_bottom, to_bottom * by
        at_bottom, by_bottom = if_greater(least, better, here, at_bottom), if_greater(least, better, by, by_bottom)
        to_bottom = if_greater(least, better, to, to_bottom)
    to_top, to_bottom, beyond = to_top / by_top, to_bottom / by_bottom, fill(last)
    at = if_greater(to_top, to_bottom, at_bottom + beyond, at_top)
    nearest = if_greater(to_top, to_bottom, to_bottom, to_top)
    place = where(nearest, lowest(nearest), at)
    if place < 0:
        return given, enters
    if place < last:
        return max(price[0] - program.residual[place], 0.0) / (-move[0] - program.slope[place]), order + place
    below = place - last
    return max(program.residual[below] - price[1], 0.0) / (program.slope[below] + move[1]), order + place


@part
def _ends(program, rows):
    """The largest residual on L and the smallest on U, and where they are."""
    top, bottom, top_at, bottom_at = fill(-np.inf), fill(np.inf), fill(0), fill(0)
    for r in range(0, rows, LANES):
        residual, here = load(program.residual, r), fill(r)
        below, above = residual + load(program.sides, (0, r)), residual + load(program.sides, (1, r))
        top_at, bottom_at = if_greater(below, top, here, top_at), if_greater(bottom, above, here, bottom_at)
        top, bottom = if_greater(below, top, below, top), if_greater(bottom, above, above, bottom)
    highest_below, lowest_above = highest(top), lowest(bottom)
    return highest_below, lowest_above, where(top, highest_below, top_at), where(bottom, lowest_above, bottom_at)


@part
def _leaving(program, order):
    """The basic column with a negative multiplier that is largest for its row (dual steepest edge), -1 for none."""
    best, best_at = fill(0.0), fill(-1)
    for i in range(0, order, LANES):
        first, second = load(program.inverse, (0, i)), load(program.inverse, (1, i))
        mass, length = (first - second) * load(program.leaving, (_FREE, i)), first * first
        for k in range(1, order):
            row = load(program.inverse, (k, i))
            length = fused(row, row, length)
        score = if_greater(fill(-_PIVOT), mass, mass * mass / length, fill(0.0))
        best_at, best = if_greater(score, best, fill(i), best_at), if_greater(score, best, score, best)
    return where(best, highest(best), best_at)


@part
def _first_leaving(program, order):
    """The one of those with the lowest number (Bland)."""
    leaves = -1
    for i in range(order):
        mass = (program.inverse[0, i] - program.inverse[1, i]) * program.leaving[_FREE, i]
        if mass < -_PIVOT and (leaves < 0 or program.basis[i] < program.basis[leaves]):
            leaves = i
    return leaves


@part
def _first_entering(program, order, rows, step, enters):
    """The lowest number of what is met at this step."""
    price, move, last = program.price, program.move, -(-rows // LANES) * LANES
    for k in range(2, order):
        if move[k] < -_PIVOT and price[k] <= (step + _TIE) * -move[k]:
            return np.int64(k)
    for r in range(rows):
        rate, far = -move[0] - program.slope[r], price[0] - program.residual[r] - program.sides[0, r]
        if rate > _PIVOT and far <= (step + _TIE) * rate:
            return order + r
    for r in range(rows):
        rate, far = program.slope[r] + move[1], program.residual[r] + program.sides[1, r] - price[1]
        if rate > _PIVOT and far <= (step + _TIE) * rate:
            return order + last + r
    return enters


@part
def _to_unit_scale(utilities, program, members, rows, simplex):
    """Shift and scale so that utilities on the rows lie in [0, 1]; on the simplex all by the user's scale."""
    last = (rows + LANES - 1) // LANES * LANES
    for r in range(rows, last):
        program.outcome[r] = program.outcome[0]
        program.sides[0, r], program.sides[1, r] = -np.inf, np.inf
    for i in range(members + 1):
        player = 0 if i == 0 else program.member[i - 1] + 1
        low, high = fill(np.inf), fill(-np.inf)
        for r in range(0, last, LANES):
            first = program.outcome[r]
            neighbours = program.outcome[r + LANES - 1] - first == LANES - 1
            value = load(utilities, (player, first)) if neighbours else gather(utilities, player, program.outcome, r)
            store(program.values, (i, r), value)
            low, high = if_greater(low, value, value, low), if_greater(value, high, value, high)
        shift, top = lowest(low), highest(high)
        spread = top - shift if top > shift else 1.0
        if simplex and i:
            spread = program.spread[0]
        program.shift[i], program.spread[i] = shift, spread
        for r in range(0, last, LANES):
            store(program.values, (i, r), (load(program.values, (i, r)) - fill(shift)) * fill(1.0 / spread))


@part
def certify_program(program, members, rows, simplex, weights):
    """`(eps, offset, gap, violation)` of the present prices and basis, whatever led to them; writes the weights.

    The proof is computed from the utilities alone, as `equilibrax_kernels.misalignment.certified_fit` does.
    """
    order, price, multiplier, inverse = members + 2, program.price, program.multiplier, program.inverse
    total = 0.0
    for i in range(2, order):
        price[i] = max(price[i], 0.0)
        total += price[i]
    if simplex:
        for i in range(2, order):
            price[i] /= total
    _slopes(program, price, members, rows)
    for r in range(0, rows, LANES):
        store(program.residual, r, load(program.values, (0, r)) - load(program.slope, r))
    top, bottom, _, _ = _ends(program, rows)
    eps, offset = max(0.0, top - bottom) / 2, (top + bottom) / 2

    mass_below = mass_above = 0.0
    for i in range(order):
        # eps >= 0 is a constraint: where the fit is exact, zero multipliers already prove it optimal.
        proves = program.basis[i] >= order and eps > _PIVOT
        multiplier[i] = max(inverse[0, i] - inverse[1, i], 0.0) if proves else 0.0
        above = place_in(program, i, order, rows, True) >= 0
        mass_above += multiplier[i] if above else 0.0
        mass_below += 0.0 if above else multiplier[i]
    mass = 0.5 if mass_above > 0.0 and mass_below > 0.0 else 0.0
    for k in range(order):
        program.excess[k] = 0.0
    for i in range(order):
        if multiplier[i] > 0.0:
            above = place_in(program, i, order, rows, True)
            place = above if above >= 0 else place_in(program, i, order, rows, False)
            multiplier[i] *= mass / (mass_above if above >= 0 else mass_below)
            times = -multiplier[i] if above >= 0 else multiplier[i]
            for k in range(members + 1):
                program.excess[k] += times * program.values[k, place]
    proved, violation, most = program.excess[0], 0.0, -np.inf
    for k in range(1, members + 1):
        excess = program.excess[k]
        most = max(most, excess)
        if not simplex and excess > 0.0:
            proved -= price[k + 1] * excess
            violation = max(violation, excess)
    if simplex:
        proved -= most
    bound = max(0.0, proved / (2 * mass)) if mass > 0.0 else 0.0

    unit = program.spread[0]
    for j in range(len(weights)):
        weights[j] = 0.0
    shift = program.shift[0]
    for i in range(1, members + 1):
        weight = price[i + 1] * (unit / program.spread[i])
        weights[program.member[i - 1]] = weight
        shift -= weight * program.shift[i]
    return eps * unit, offset * unit + shift, (eps - bound) * unit, violation * unit
