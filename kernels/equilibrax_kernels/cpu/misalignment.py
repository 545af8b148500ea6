"""The misalignment of every committee of a table: solved where it has to be, and otherwise checked.

Committees are taken from large to small. If the weights found for C and one provider more leave that provider out, they
are optimal for C too, provided that

- they attain the same score on the outcomes of C's own equilibria, and
- the multipliers prove it there: those that are not zero lie on outcomes of C's equilibria.

The first condition alone is not enough: fewer outcomes may allow a smaller score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.chebyshev import (
    PATIENCE,
    Program,
    add_outcome,
    certify_program,
    new_program,
    place_in,
    solve_program,
    spread_multipliers,
)
from equilibrax_kernels.cpu.compiling import part
from equilibrax_kernels.cpu.vectors import LANES, fill, load_as_floats, store

_SAME = 1e-12  # scores that differ by less than this (unit scale) are the same


class Fits(NamedTuple):
    """Room for the fits of a table's C committees.

    Attributes:
        program: room for one program.
        utilities: `[K + 1, R]` float64, the user first.
        support: `[C, W]` outcomes of U with a multiplier, 64 to a word.
        top, bottom: `[C]` largest residual on L and smallest on U.
        unit: `[1]` range of the user's utilities, one if there is none.
    """

    program: Program
    utilities: np.ndarray
    support: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    unit: np.ndarray


def new_fits(providers, outcomes, committees, words):
    return Fits(
        new_program(providers, outcomes),
        np.empty((providers + 1, outcomes)),
        np.empty((committees, words), np.int64),
        np.empty(committees),
        np.empty(committees),
        np.empty(1),
    )


@part
def fit_committees(fits, attained, optimal, masks, order, index, simplex, limit, eps, weights, offset, gap, violation,
                   lower, upper):  # fmt: skip
    """Fit every committee of a table.

    Args:
        fits: from `new_fits`, with the utilities and the unit set.
        attained: `[C, W]` outcomes of U, 64 to a word; optimal: `[W]` those of L.
        masks: `[C]`; order: `[C]` their numbers, large committees first.
        index: `[2**K]` number of each committee, -1 for those that are not asked for.
        simplex, limit: see `chebyshev.fit_range`.
        eps, offset, gap, violation: `[C]`; weights: `[C, K]`; lower, upper: `[C, R]` or `[0, R]`: written.

    Returns:
        How many programs were solved.
    """
    program = fits.program
    providers = weights.shape[1]
    solved = 0
    for place in range(len(order)):
        c = order[place]
        mask = masks[c]
        heir = False
        for j in range(providers):
            parent = -1 if mask >> j & 1 else index[mask | 1 << j]
            if parent < 0 or weights[parent, j] != 0.0:
                continue
            heir = _inherit(fits, attained, c, parent, eps, weights, offset, gap, violation)
            if heir:
                if len(lower):
                    for r in range(lower.shape[1]):
                        lower[c, r], upper[c, r] = lower[parent, r], upper[parent, r]
                break
        if heir:
            continue
        solved += 1
        members = np.int64(0)
        for j in range(providers):
            program.member[members] = j
            members += mask >> j & 1
        rows = _add_outcomes(attained[c], optimal, program)
        solve_program(fits.utilities, program, members, rows, simplex, limit, PATIENCE)
        eps[c], offset[c], gap[c], violation[c] = certify_program(program, members, rows, simplex, weights[c])
        fits.top[c], fits.bottom[c] = offset[c] + eps[c], offset[c] - eps[c]
        for w in range(attained.shape[1]):
            fits.support[c, w] = 0
        for i in range(members + 2):
            above = place_in(program, i, members + 2, rows, True)
            if above >= 0 and program.multiplier[i] > 0.0:
                outcome = program.outcome[above]
                fits.support[c, outcome >> 6] |= 1 << (outcome & 63)
        if len(lower):
            spread_multipliers(program, members, rows, lower[c], upper[c])
    return solved


@part
def _add_outcomes(above, below, program):
    """List the outcomes of two sets of them `[W]`; returns how many there are."""
    rows = np.int64(0)
    for w in range(len(above)):
        upper, lower, outcome = above[w], below[w], w << 6
        while upper | lower:
            rows = add_outcome(program, rows, outcome, upper & 1, lower & 1)
            upper, lower = (upper >> 1) & 0x7FFFFFFFFFFFFFFF, (lower >> 1) & 0x7FFFFFFFFFFFFFFF
            outcome += 1
    return rows


@part
def _inherit(fits, attained, c, parent, eps, weights, offset, gap, violation):
    """Take over the fit of a committee with one member more, if it is proved optimal for committee c too."""
    same = _SAME * fits.unit[0]
    if gap[parent] > same or violation[parent] > same:
        return False
    for w in range(attained.shape[1]):
        if fits.support[parent, w] & ~attained[c, w]:
            return False
    bottom = fits.bottom[parent]
    for w in range(attained.shape[1]):
        more, outcome = attained[c, w] & ~attained[parent, w], w << 6
        while more:
            if more & 1:
                residual = fits.utilities[0, outcome]
                for j in range(weights.shape[1]):
                    residual -= weights[parent, j] * fits.utilities[j + 1, outcome]
                bottom = min(bottom, residual)
            more = (more >> 1) & 0x7FFFFFFFFFFFFFFF
            outcome += 1
    score = max(0.0, fits.top[parent] - bottom) / 2
    if score > eps[parent] + same:
        return False
    fits.top[c], fits.bottom[c] = fits.top[parent], bottom
    for w in range(attained.shape[1]):
        fits.support[c, w] = fits.support[parent, w]
    for j in range(weights.shape[1]):
        weights[c, j] = weights[parent, j]
    gap[c] = max(gap[parent] + (score - eps[parent]), 0.0)
    eps[c], violation[c] = score, violation[parent]
    offset[c] = (fits.top[parent] + bottom) / 2
    return True


@part
def set_utilities(fits, user, providers, available, resolution):
    """Take over a table's utilities `[R]` and `[K, R]`, in fixed point; returns the unit."""
    outcomes, low, high = len(user), np.int32(2**31 - 1), np.int32(-(2**31))
    for r in range(outcomes):
        low = min(low, user[r] if available[r] else low)
        high = max(high, user[r] if available[r] else high)
    fits.unit[0] = (np.int64(high) - low) / resolution if high > low else 1.0
    scale, whole, every = 1.0 / resolution, outcomes // LANES * LANES, providers.size // LANES * LANES
    for r in range(0, whole, LANES):
        store(fits.utilities, (0, r), load_as_floats(user, r) * fill(scale))
    for r in range(whole, outcomes):
        fits.utilities[0, r] = user[r] * scale
    for r in range(0, every, LANES):  # one row after the other, as they are in memory
        store(fits.utilities, (1, r), load_as_floats(providers, (0, r)) * fill(scale))
    for r in range(every, providers.size):
        fits.utilities[1 + r // outcomes, r % outcomes] = providers[r // outcomes, r % outcomes] * scale
    return fits.unit[0]


class Scores(NamedTuple):
    """Fits of B tables and C committees, as of `equilibrax_kernels.misalignment.Fit`.

    Attributes:
        eps, offset, gap, violation: `[B, C]`; weights: `[B, C, K]`.
        lower, upper: `[B, C, R]` multipliers, or `[0, C, R]` if they are not wanted.
        solved: `[B]` int32, how many programs were solved; the other scores were inherited.
        unit: `[B]` range of the user's utilities, one if there is none.
    """

    eps: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    gap: np.ndarray
    violation: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    solved: np.ndarray
    unit: np.ndarray


def new_scores(tables: int, committees: int, providers: int, outcomes: int, multipliers: bool) -> Scores:
    """Room for them.

    Example:
        >>> new_scores(2, 3, 2, 9, multipliers=False).weights.shape
        (2, 3, 2)
    """
    shape = (tables, committees)
    every = (tables if multipliers else 0, committees, outcomes)
    return Scores(
        eps=np.empty(shape),
        weights=np.empty((*shape, providers)),
        offset=np.empty(shape),
        gap=np.empty(shape),
        violation=np.empty(shape),
        lower=np.empty(every),
        upper=np.empty(every),
        solved=np.empty(tables, np.int32),
        unit=np.empty(tables),
    )


@part
def all_outcomes(available, optimal, attained):
    """Take every available outcome `[R]` for an optimal one `[W]`, attained `[C, W]` by every committee."""
    for w in range(len(optimal)):
        word = 0
        for bit in range(min(64, len(available) - 64 * w)):
            word |= np.int64(available[64 * w + bit]) << bit
        optimal[w] = word
    for c in range(len(attained)):
        for w in range(len(optimal)):
            attained[c, w] = optimal[w]


def from_large_to_small(masks: np.ndarray, providers: int) -> tuple[np.ndarray, np.ndarray]:
    """`(order [C], index [2**K])`: committees by falling size, and the number of each, -1 for missing ones."""
    order = np.argsort([-int(mask).bit_count() for mask in masks], kind="stable").astype(np.int64)
    index = np.full(1 << providers, -1, np.int64)
    index[masks] = np.arange(len(masks))
    return order, index
