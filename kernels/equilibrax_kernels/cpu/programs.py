"""A batch of Chebyshev programs, each with outcomes and members of its own; see `chebyshev`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.chebyshev import (
    PATIENCE,
    add_outcome,
    certify_program,
    new_program,
    solve_program,
    spread_multipliers,
)
from equilibrax_kernels.cpu.compiling import loop, part
from equilibrax_kernels.cpu.threads import plain, run_over_tables


class Fit(NamedTuple):
    """Fits of B programs, as of `equilibrax_kernels.misalignment.Fit`, the batch first.

    Attributes:
        eps, offset, gap, violation: `[B]`; weights: `[B, K]`; lower, upper: `[B, R]`; iterations, status: `[B]` int32.
    """

    eps: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    gap: np.ndarray
    violation: np.ndarray
    iterations: np.ndarray
    status: np.ndarray


def fit_programs(
    user: np.ndarray,
    providers: np.ndarray,
    above: np.ndarray,
    below: np.ndarray,
    member: np.ndarray,
    *,
    simplex: bool,
    iteration_limit: int,
    patience: int = PATIENCE,
    threads: int = 1,
) -> Fit:
    """Fit B programs; arguments and results as in `equilibrax_kernels.misalignment.misalignment_lanes`, batch first.

    Args:
        user: `[B, R]` float64 utilities of the user; providers: `[B, K, R]` those of the providers.
        above, below: `[B, R]` bool outcomes of U and L, at least one each.
        member: `[B, K]` bool, providers that take part; at least one if `simplex`.
        simplex: whether the weights sum to one.
        iteration_limit: pivots before a program gives up with ITERATION_LIMIT (its fit is still feasible).
        patience: pivots in a row that lower nothing before Bland's rule chooses them.
        threads: how many to use. Results do not depend on it.

    Example:
        >>> user, providers = np.array([[0.0, 1.0, 4.0]]), np.array([[[0.0, 1.0, 1.0]]])
        >>> everywhere, member = np.ones((1, 3), bool), np.ones((1, 1), bool)
        >>> fit_programs(user, providers, everywhere, everywhere, member, simplex=False, iteration_limit=9).eps.tolist()
        [1.5]
    """
    programs, count, outcomes = providers.shape
    fits = Fit(
        eps=np.empty(programs),
        weights=np.empty((programs, count)),
        offset=np.empty(programs),
        lower=np.empty((programs, outcomes)),
        upper=np.empty((programs, outcomes)),
        gap=np.empty(programs),
        violation=np.empty(programs),
        iterations=np.empty(programs, np.int32),
        status=np.empty(programs, np.int32),
    )
    inputs = [plain(array) for array in (user, providers, above, below, member)]

    def fit_range(start: int, stop: int) -> None:
        program, utilities = new_program(count, outcomes), np.empty((count + 1, outcomes))
        _fit_range(start, stop, *inputs, simplex, iteration_limit, patience, fits, program, utilities)

    run_over_tables(fit_range, programs, threads)
    return fits


@loop
def _fit_range(start, stop, user, providers, above, below, member, simplex, limit, patience, fits, program, utilities):
    for b in range(start, stop):
        _fit(b, user, providers, above, below, member, simplex, limit, patience, fits, program, utilities)


@part
def _fit(b, user, providers, above, below, member, simplex, limit, patience, fits, program, utilities):
    members = rows = np.int64(0)
    for j in range(providers.shape[1]):
        program.member[members] = j
        members += member[b, j]
    for r in range(user.shape[1]):
        utilities[0, r] = user[b, r]
        for j in range(providers.shape[1]):
            utilities[j + 1, r] = providers[b, j, r]
        rows = add_outcome(program, rows, r, above[b, r], below[b, r])
    pivots, status = solve_program(utilities, program, members, rows, simplex, limit, patience)
    fits.iterations[b], fits.status[b] = pivots, status
    fits.eps[b], fits.offset[b], fits.gap[b], fits.violation[b] = certify_program(
        program, members, rows, simplex, fits.weights[b]
    )
    spread_multipliers(program, members, rows, fits.lower[b], fits.upper[b])
