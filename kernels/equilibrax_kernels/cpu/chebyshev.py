"""One Chebyshev program at a time: a revised simplex on the dual, with a basis of order members + 1.

The program and the letters are those of `equilibrax_kernels.misalignment`. Without the offset it is

    minimize z >= 0 over w >= 0    subject to    z + w.(u(l) - u(m)) >= u_0(l) - u_0(m)    for l in L and m in U

with `z = 2 eps`: a row for every pair, so its dual has a column for every pair, one row for z (the mass of a column is
at most one in all) and one for each member. Prices of the rows are (z, w), and the pair to enter is the one with the
largest residual `u_0 - w.u` on L and the smallest on U: it is found by two reductions, and nothing of size rows x
columns is ever written. The right-hand side is (1, 0, ..., 0), so the basic solution is the inverse's first column.

With `simplex` weights the dual has one column more, of the equation `sum w = 1`, which enters first and never leaves.

Outcomes of L and U are listed once, in the first R' places; all of these loops are over eight numbers at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import part
from equilibrax_kernels.cpu.vectors import LANES, fill, highest, if_greater, load, lowest, padded, store, where

OPTIMAL, ITERATION_LIMIT = 0, 1

_PIVOT = 1e-11  # what is closer to zero than this (unit scale) counts as zero
_TIE = 1e-12
PATIENCE = 24  # pivots that lower nothing before Bland's rule; the first ones never do, about one for each member
_LEFT, _FREE = 0, 1  # rows of `leaving`


class Program(NamedTuple):
    """Room for one program with up to K members on R outcomes; [n] is n rounded up to a multiple of eight.

    Attributes:
        member: `[K]` the providers that take part, in the first places.
        outcome: `[R]` the outcomes of L and U, in the first places.
        values: `[K + 1, [R]]` utilities on them in unit scale, the user first, then the members.
        sides: `[2, [R]]` zero on L and -inf elsewhere; zero on U and inf elsewhere.
        residual: `[[R]]` of the present prices.
        weighted: `[K]` rows of members whose price is not zero, in the first places.
        inverse: `[K + 1, [K + 1]]` transposed, of the basis: its rows are the program's, its columns basic columns.
        basis: `[[K + 1], 2]` places in `outcome`, of L and of U, of each basic pair; -1 and a row for that row's slack.
        leaving: `[2, [K + 1]]` the entering column in terms of the basis; one for basic columns that may leave, else 0.
        price, column, excess: `[K + 1]`.
        shift, spread: `[K + 1]` of the players' unit scales.
        multiplier: `[K + 1]` of each basic pair, zero for slacks.
    """

    member: np.ndarray
    outcome: np.ndarray
    values: np.ndarray
    sides: np.ndarray
    residual: np.ndarray
    weighted: np.ndarray
    inverse: np.ndarray
    basis: np.ndarray
    leaving: np.ndarray
    price: np.ndarray
    column: np.ndarray
    excess: np.ndarray
    shift: np.ndarray
    spread: np.ndarray
    multiplier: np.ndarray


def new_program(providers, outcomes):
    order = providers + 1
    width, rows = padded(order), padded(outcomes)
    return Program(
        np.empty(providers, np.int64),
        np.empty(rows, np.int64),
        np.empty((order, rows)),
        np.empty((2, rows)),
        np.empty(rows),
        np.empty(providers, np.int64),
        np.empty((order, width)),
        np.empty((order, 2), np.int64),
        np.empty((2, width)),
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
def spread_multipliers(program, members, lower, upper):
    """Multipliers of the basic pairs as `[R]` on the outcomes of L and of U."""
    for r in range(len(lower)):
        lower[r] = upper[r] = 0.0
    for i in range(members + 1):
        if program.multiplier[i] > 0.0:
            lower[program.outcome[program.basis[i, 0]]] += program.multiplier[i]
            upper[program.outcome[program.basis[i, 1]]] += program.multiplier[i]


@part
def solve_program(utilities, program, members, rows, simplex, limit, patience):
    """Pivot to the optimum; `(pivots, status)`. Members and outcomes are set in `program`.

    Args:
        utilities: `[K + 1, R]`, the user first.
        members, rows: how many members and outcomes there are; at least one outcome in U and one in L.
    """
    order = members + 1
    _to_unit_scale(utilities, program, members, rows, simplex)
    inverse, basis, price, column, leaving = (
        program.inverse, program.basis, program.price, program.column, program.leaving
    )  # fmt: skip
    values = program.values
    for i in range(order):
        for k in range(0, order, LANES):
            store(inverse, (i, k), fill(0.0))
        inverse[i, i] = 1.0
        basis[i, 0], basis[i, 1] = -1, i
        price[i] = 0.0
    for k in range(0, order, LANES):
        store(leaving, (_FREE, k), fill(1.0))
    if simplex:
        price[1] = 1.0
        leaving[_FREE, 1] = 0.0
        for i in range(2, order):
            inverse[1, i] = -1.0

    stalled = np.int64(0)
    for pivots in range(limit + 1):
        top, bottom, at_top, at_bottom = _residuals(program, members, rows)
        z = price[0]
        # The column to enter: a pair (its outcomes), or the slack of a row whose price is negative.
        slack = -1
        gain = top - bottom - z
        for i in range(order):
            if -price[i] > gain:
                gain, slack = -price[i], i
        if gain <= _PIVOT:
            return pivots, OPTIMAL
        if pivots == limit:
            break
        cautious = stalled > patience
        if cautious:  # Bland: the first column that gains at all, slacks before pairs
            slack = -1
            for i in range(order):
                if -price[i] > _PIVOT:
                    gain, slack = -price[i], i
                    break
            if slack < 0:
                at_top, at_bottom = _first_pair(program, rows, bottom + z + _PIVOT, z + _PIVOT)
                gain = program.residual[at_top] - program.residual[at_bottom] - z
        if slack < 0:
            column[0] = 1.0
            for k in range(1, order):
                column[k] = values[k, at_top] - values[k, at_bottom]
        for i in range(0, order, LANES):
            rate = load(inverse, (max(slack, 0), i))
            if slack < 0:
                for k in range(1, order):
                    rate = rate + fill(column[k]) * load(inverse, (k, i))
            store(leaving, (_LEFT, i), rate)
        leaves = _leaving(program, order, rows) if not cautious else _first_leaving(program, order, rows)
        if leaves < 0:
            break
        pivot = leaving[_LEFT, leaves]
        stalled = 0 if gain * max(inverse[0, leaves], 0.0) > 1e-13 * pivot else stalled + 1

        scale = 1.0 / pivot
        for k in range(order):
            share = inverse[k, leaves] * scale
            price[k] += gain * share
            for i in range(0, order, LANES):
                store(inverse, (k, i), load(inverse, (k, i)) - fill(share) * load(leaving, (_LEFT, i)))
            inverse[k, leaves] = share
        if slack < 0:
            basis[leaves, 0], basis[leaves, 1] = at_top, at_bottom
        else:
            basis[leaves, 0], basis[leaves, 1] = -1, slack
    return limit, ITERATION_LIMIT


@part
def _residuals(program, members, rows):
    """Write the residuals of the present prices; the largest on L, the smallest on U, and where they are."""
    values, sides, price = program.values, program.sides, program.price
    weighted = 0
    for i in range(1, members + 1):
        program.weighted[weighted] = i
        weighted += price[i] != 0.0
    top, bottom, top_at, bottom_at = fill(-np.inf), fill(np.inf), fill(0), fill(0)
    for r in range(0, rows, LANES):
        residual, here = load(values, (0, r)), fill(r)
        for k in range(weighted):
            i = program.weighted[k]
            residual = residual - fill(price[i]) * load(values, (i, r))
        store(program.residual, r, residual)
        below, above = residual + load(sides, (0, r)), residual + load(sides, (1, r))
        top_at, bottom_at = if_greater(below, top, here, top_at), if_greater(bottom, above, here, bottom_at)
        top, bottom = if_greater(below, top, below, top), if_greater(bottom, above, above, bottom)
    highest_below, lowest_above = highest(top), lowest(bottom)
    return highest_below, lowest_above, where(top, highest_below, top_at), where(bottom, lowest_above, bottom_at)


@part
def _first_pair(program, rows, least, apart):
    """The first outcome of L with a residual of at least so much, and of U with one that is so much lower, or more."""
    below = above = 0
    while below < rows - 1 and not (program.sides[0, below] == 0.0 and program.residual[below] >= least):
        below += 1
    most = program.residual[below] - apart
    while above < rows - 1 and not (program.sides[1, above] == 0.0 and program.residual[above] <= most):
        above += 1
    return below, above


@part
def _leaving(program, order, rows):
    """The basic column that the entering one drives out, the one with the largest pivot among ties; -1 for none."""
    inverse, leaving = program.inverse, program.leaving
    zero, tiny, never = fill(0.0), fill(_PIVOT), fill(np.inf)
    steps = never
    for i in range(0, order, LANES):
        rate, mass = load(leaving, (_LEFT, i)) * load(leaving, (_FREE, i)), load(inverse, (0, i))
        step = if_greater(rate, tiny, if_greater(mass, zero, mass, zero) / rate, never)
        steps = if_greater(steps, step, step, steps)
    step = lowest(steps)
    if step == np.inf:
        return -1
    best, best_at, step = zero, fill(-1), fill(step + _TIE)
    for i in range(0, order, LANES):
        rate, mass = load(leaving, (_LEFT, i)) * load(leaving, (_FREE, i)), load(inverse, (0, i))
        rate = if_greater(rate, tiny, if_greater(mass, step * rate, zero, rate), zero)
        best_at, best = if_greater(rate, best, fill(i), best_at), if_greater(rate, best, rate, best)
    return where(best, highest(best), best_at)


@part
def _first_leaving(program, order, rows):
    """The one with the lowest number among ties (Bland): slacks, then pairs."""
    rates, free, masses, basis = program.leaving[_LEFT], program.leaving[_FREE], program.inverse[0], program.basis
    step, leaves, lowest_number = np.inf, -1, 0
    for i in range(order):
        if rates[i] * free[i] > _PIVOT:
            step = min(step, max(masses[i], 0.0) / rates[i])
    for i in range(order):
        if rates[i] * free[i] > _PIVOT and max(masses[i], 0.0) <= (step + _TIE) * rates[i]:
            number = basis[i, 1] if basis[i, 0] < 0 else order + basis[i, 0] * rows + basis[i, 1]
            if leaves < 0 or number < lowest_number:
                leaves, lowest_number = i, number
    return leaves


@part
def _to_unit_scale(utilities, program, members, rows, simplex):
    """Shift and scale so that utilities on the rows lie in [0, 1]; on the simplex all by the user's scale."""
    last = (rows + LANES - 1) // LANES * LANES
    for r in range(rows, last):
        program.outcome[r] = program.outcome[0]
        program.sides[0, r], program.sides[1, r] = -np.inf, np.inf
    for i in range(members + 1):
        player = 0 if i == 0 else program.member[i - 1] + 1
        for r in range(last):
            program.values[i, r] = utilities[player, program.outcome[r]]
        low, high = fill(np.inf), fill(-np.inf)
        for r in range(0, last, LANES):
            value = load(program.values, (i, r))
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
    order, price, basis, multiplier = members + 1, program.price, program.basis, program.multiplier
    total = 0.0
    for i in range(1, order):
        price[i] = max(price[i], 0.0)
        total += price[i]
    if simplex:
        for i in range(1, order):
            price[i] /= total
    top, bottom, _, _ = _residuals(program, members, rows)
    eps, offset = max(0.0, top - bottom) / 2, (top + bottom) / 2

    mass = 0.0
    for i in range(order):
        # eps >= 0 is a constraint: where the fit is exact, zero multipliers already prove it optimal.
        proves = basis[i, 0] >= 0 and eps > _PIVOT
        multiplier[i] = max(program.inverse[0, i], 0.0) / 2 if proves else 0.0
        mass += multiplier[i]
    if mass > 0.5:
        for i in range(order):
            multiplier[i] *= 0.5 / mass
        mass = 0.5
    for k in range(order):
        program.excess[k] = 0.0
    for i in range(order):
        if multiplier[i] > 0.0:
            for k in range(order):
                difference = program.values[k, basis[i, 0]] - program.values[k, basis[i, 1]]
                program.excess[k] += multiplier[i] * difference
    proved, violation, most = program.excess[0], 0.0, -np.inf
    for k in range(1, order):
        excess = program.excess[k]
        most = max(most, excess)
        if not simplex and excess > 0.0:
            proved -= price[k] * excess
            violation = max(violation, excess)
    if simplex:
        proved -= most
    bound = max(0.0, proved / (2 * mass)) if mass > 0.0 else 0.0

    unit = program.spread[0]
    for j in range(len(weights)):
        weights[j] = 0.0
    shift = program.shift[0]
    for i in range(1, order):
        weight = price[i] * (unit / program.spread[i])
        weights[program.member[i - 1]] = weight
        shift -= weight * program.shift[i]
    return eps * unit, offset * unit + shift, (eps - bound) * unit, violation * unit
