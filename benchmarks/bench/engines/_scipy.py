"""scipy: linprog (HiGHS inside), one LP at a time; for curves `optimize.nnls`, one fit at a time on its rows."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from bench.data import Data
from bench.engines import Run, _fits
from bench.engines._lp import Programs, loop
from bench.workloads import Workload

optimize: Any = import_module("scipy.optimize")
FIRST = 16


def prepare(workload: Workload, data: Data) -> Run:
    return _fits.loop(workload, data, fit_prefixes) if workload.kind == "curve-nnls" else loop(data, solve_block)


def fit_prefixes(fold: _fits.Fold, order: np.ndarray) -> np.ndarray:
    """`[K, K]`, as `_fits.loop` wants it."""
    ratings, weights = np.asfortranarray(fold.ratings[:, order]), np.zeros((len(order), len(order)))
    for k in range(len(order)):
        weights[k, : k + 1] = optimize.nnls(ratings[:, : k + 1], fold.target)[0]
    return weights


def solve_block(programs: Programs) -> np.ndarray:
    count, _, variables = programs.matrix.shape
    bounds = [(0, None)] * (variables - 2) + [(None, None), (0, None)]
    cost = np.eye(variables)[-1]
    found = (optimize.linprog(cost, programs.matrix[n], programs.bound[n], bounds=bounds) for n in range(count))
    return np.array([result.x[:-2] if result.status == 0 else np.full(variables - 2, np.nan) for result in found])
