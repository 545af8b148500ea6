"""DAQP, a dual active-set solver in C, one program at a time.

LPs: `H=None` is its mode for linear programs. Fits of curves are quadratic programs on Gram matrices, each started from
the weights of the one before, which takes it 2 iterations instead of 40, and a third less time.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from bench.data import Data
from bench.engines import Run, _fits
from bench.engines._lp import Programs, loop
from bench.workloads import Workload

daqp: Any = import_module("daqp")
FIRST = 64
_NO_BOUND = 1e30
_EQUALITY = 5


def prepare(workload: Workload, data: Data) -> Run:
    if not workload.kind.startswith("curve"):
        return loop(data, solve_block)
    simplex = workload.kind == "curve-simplex"
    return _fits.loop(workload, data, lambda fold, order: fit_prefixes(fold, order, simplex))


def fit_prefixes(fold: _fits.Fold, order: np.ndarray, simplex: bool) -> np.ndarray:
    """`[K, K]`, as `_fits.loop` wants it: min `w'Gw / 2 - m'w` over w >= 0, on the simplex with the Gram of gaps."""
    size, rows = len(order), int(simplex)
    gram = (fold.gaps if simplex else fold.gram)[np.ix_(order, order)]
    cost = np.zeros(size) if simplex else -fold.moment[order]
    weights, found = np.zeros((size, size)), np.zeros(0)
    for k in range(1, size + 1):
        upper, lower, sense = np.full(k + rows, _NO_BOUND), np.zeros(k + rows), np.zeros(k + rows, np.int32)
        upper[k:] = lower[k:] = 1.0
        sense[k:] = _EQUALITY
        found, _, flag, _ = daqp.solve(
            np.ascontiguousarray(gram[:k, :k]),
            cost[:k],
            np.ones((rows, k)),
            upper,
            lower,
            sense,
            primal_start=np.append(found, 0.0),
        )
        weights[k - 1, :k] = found if flag == 1 else np.nan
    return weights


def solve_block(programs: Programs) -> np.ndarray:
    count, rows, variables = programs.matrix.shape
    # Bounds of the variables come first, then those of the rows.
    upper = np.concatenate([np.full((count, variables), _NO_BOUND), programs.bound], axis=1)
    lower = np.full(variables + rows, -_NO_BOUND)
    lower[: variables - 2] = lower[variables - 1] = 0.0
    cost = np.zeros(variables)
    cost[-1] = 1.0
    sense = np.zeros(variables + rows, np.int32)
    weights = np.empty((count, variables - 2))
    for n in range(count):
        found, _, flag, _ = daqp.solve(None, cost, programs.matrix[n], upper[n], lower, sense)
        weights[n] = found[:-2] if flag == 1 else np.nan
    return weights
