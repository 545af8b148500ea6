"""One Chebyshev program at a time: a revised simplex on the dual, with a basis of order members + 1.

The program and the letters are those of `equilibrax_kernels.misalignment`. Without the offset it is

    minimize z >= 0 over w >= 0    subject to    z + w.(u(l) - u(m)) >= u_0(l) - u_0(m)    for l in L and m in U

with `z = 2 eps`: a row for every pair, so its dual has a column for every pair, one row for z (the mass of a column is
at most one in all) and one for each member. Prices of the rows are (z, w), and the pair to enter is the one with the
largest residual `u_0 - w.u` on L and the smallest on U: it is found by two reductions, and nothing of size rows x
columns is ever written. The right-hand side is (1, 0, ..., 0), so the basic solution is the inverse's first column.

With `simplex` weights the dual has one column more, of the equation `sum w = 1`, which enters first and never leaves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import part

OPTIMAL, ITERATION_LIMIT = 0, 1

_PIVOT = 1e-11  # what is closer to zero than this (unit scale) counts as zero
_TIE = 1e-12
PATIENCE = 6  # pivots that lower nothing before Bland's rule


class Program(NamedTuple):
    """Room for one program with up to K members on R outcomes.

    Attributes:
        member: `[K]` the providers that take part, in the first places.
        above, below: `[R]` the outcomes of U and of L, in the first places.
        upper, lower: `[K + 1, R]` utilities on them in unit scale, the user first, then the members.
        upper_residual, lower_residual: `[R]` of the present prices.
        inverse: `[K + 1, K + 1]` of the basis.
        basis: `[K + 1, 2]` places in `below` and `above` of each basic pair; -1 and a row for that row's slack.
        price, direction, excess: `[K + 1]`.
        shift, spread: `[K + 1]` of the players' unit scales.
        multiplier: `[K + 1]` of each basic pair, zero for slacks.
    """

    member: np.ndarray
    above: np.ndarray
    below: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    upper_residual: np.ndarray
    lower_residual: np.ndarray
    inverse: np.ndarray
    basis: np.ndarray
    price: np.ndarray
    direction: np.ndarray
    excess: np.ndarray
    shift: np.ndarray
    spread: np.ndarray
    multiplier: np.ndarray


def new_program(providers, outcomes):
    order = providers + 1
    return Program(
        np.empty(providers, np.int64),
        np.empty(outcomes, np.int64),
        np.empty(outcomes, np.int64),
        np.empty((order, outcomes)),
        np.empty((order, outcomes)),
        np.empty(outcomes),
        np.empty(outcomes),
        np.empty((order, order)),
        np.empty((order, 2), np.int64),
        np.empty(order),
        np.empty(order),
        np.empty(order),
        np.empty(order),
        np.empty(order),
        np.empty(order),
    )


@part
def spread_multipliers(program, members, lower, upper):
    """Multipliers of the basic pairs as `[R]` on the outcomes of L and of U."""
    for r in range(len(lower)):
        lower[r] = upper[r] = 0.0
    for i in range(members + 1):
        if program.multiplier[i] > 0.0:
            lower[program.below[program.basis[i, 0]]] += program.multiplier[i]
            upper[program.above[program.basis[i, 1]]] += program.multiplier[i]


@part
def solve_program(utilities, program, members, uppers, lowers, simplex, limit, patience):
    """Pivot to the optimum; `(pivots, status)`. Members and outcomes are set in `program`.

    Args:
        utilities: `[K + 1, R]`, the user first.
        members, uppers, lowers: how many of each there are; at least one outcome in U and one in L.
    """
    order = members + 1
    _to_unit_scale(utilities, program, members, uppers, lowers, simplex)
    inverse, basis, price, direction = program.inverse, program.basis, program.price, program.direction
    upper, lower, above, below = program.upper, program.lower, program.upper_residual, program.lower_residual
    for i in range(order):
        for k in range(order):
            inverse[i, k] = 0.0
        inverse[i, i] = 1.0
        basis[i, 0], basis[i, 1] = -1, i
        price[i] = 0.0
    pinned = -1
    if simplex:
        pinned = 1
        price[1] = 1.0
        for i in range(2, order):
            inverse[i, 1] = -1.0

    stalled = np.int64(0)
    for pivots in range(limit + 1):
        top, bottom = _residuals(upper, lower, price, above, below, members, uppers, lowers)
        z = price[0]
        # The column to enter: a pair (its outcomes), or the slack of a row whose price is negative.
        at_top = at_bottom = slack = -1
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
            if cautious:
                top = bottom + z + _PIVOT
            at_top = 0
            while at_top < lowers - 1 and below[at_top] < top:
                at_top += 1
            top = below[at_top]
            if cautious:
                bottom = top - z - _PIVOT
            at_bottom = 0
            while at_bottom < uppers - 1 and above[at_bottom] > bottom:
                at_bottom += 1
            gain = top - above[at_bottom] - z
        for i in range(order):
            rate = inverse[i, max(slack, 0)]
            if slack < 0:
                for k in range(1, order):
                    rate += inverse[i, k] * (lower[k, at_top] - upper[k, at_bottom])
            direction[i] = rate
        leaves, step = _leaving(inverse, direction, basis, order, pinned, uppers, cautious)
        if leaves < 0:
            break
        stalled = 0 if gain * step > 1e-13 else stalled + 1

        scale = 1.0 / direction[leaves]
        for k in range(order):
            inverse[leaves, k] *= scale
            price[k] += gain * inverse[leaves, k]
        for i in range(order):
            rate = direction[i]
            if i != leaves and rate != 0.0:
                for k in range(order):
                    inverse[i, k] -= rate * inverse[leaves, k]
        basis[leaves, 0], basis[leaves, 1] = at_top, at_bottom if slack < 0 else slack
    return limit, ITERATION_LIMIT


@part
def _leaving(inverse, direction, basis, order, pinned, uppers, cautious):
    """`(row, step)` of the basic column that the entering one drives out; row -1 if there is none."""
    step = np.inf
    for i in range(order):
        if direction[i] > _PIVOT and i != pinned:
            step = min(step, max(inverse[i, 0], 0.0) / direction[i])
    leaves, best = -1, 0.0
    for i in range(order):
        if direction[i] > _PIVOT and i != pinned and max(inverse[i, 0], 0.0) <= (step + _TIE) * direction[i]:
            score = direction[i]
            if cautious:  # the lowest number: slacks, then pairs
                score = -1.0 - (basis[i, 1] if basis[i, 0] < 0 else order + basis[i, 0] * uppers + basis[i, 1])
            if leaves < 0 or score > best:
                leaves, best = i, score
    return leaves, step


@part
def _to_unit_scale(utilities, program, members, uppers, lowers, simplex):
    """Shift and scale so that utilities on the rows lie in [0, 1]; on the simplex all by the user's scale."""
    for i in range(members + 1):
        player = 0 if i == 0 else program.member[i - 1] + 1
        values, upper, lower = utilities[player], program.upper[i], program.lower[i]
        low, high = np.inf, -np.inf
        for r in range(uppers):
            value = values[program.above[r]]
            upper[r] = value
            low, high = min(low, value), max(high, value)
        for r in range(lowers):
            value = values[program.below[r]]
            lower[r] = value
            low, high = min(low, value), max(high, value)
        spread = high - low if high > low else 1.0
        if simplex and i:
            spread = program.spread[0]
        program.shift[i], program.spread[i] = low, spread
        scale = 1.0 / spread
        for r in range(uppers):
            upper[r] = (upper[r] - low) * scale
        for r in range(lowers):
            lower[r] = (lower[r] - low) * scale


@part
def _residuals(upper, lower, price, above, below, members, uppers, lowers):
    """Write the residuals of the present prices; the largest on L and the smallest on U."""
    for r in range(uppers):
        above[r] = upper[0, r]
    for r in range(lowers):
        below[r] = lower[0, r]
    for i in range(1, members + 1):
        weight = price[i]
        if weight != 0.0:
            for r in range(uppers):
                above[r] -= weight * upper[i, r]
            for r in range(lowers):
                below[r] -= weight * lower[i, r]
    top, bottom = below[0], above[0]
    for r in range(1, lowers):
        top = max(top, below[r])
    for r in range(1, uppers):
        bottom = min(bottom, above[r])
    return top, bottom


@part
def certify_program(program, members, uppers, lowers, simplex, weights):
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
    top, bottom = _residuals(
        program.upper, program.lower, price, program.upper_residual, program.lower_residual, members, uppers, lowers
    )
    eps, offset = max(0.0, top - bottom) / 2, (top + bottom) / 2

    mass = 0.0
    for i in range(order):
        # eps >= 0 is a constraint: where the fit is exact, zero multipliers already prove it optimal.
        proves = basis[i, 0] >= 0 and eps > _PIVOT
        multiplier[i] = max(program.inverse[i, 0], 0.0) / 2 if proves else 0.0
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
                difference = program.lower[k, basis[i, 0]] - program.upper[k, basis[i, 1]]
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
