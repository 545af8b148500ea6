"""DAQP, a dual active-set solver in C, one LP at a time: `H=None` is its mode for linear programs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from equilibrax.bench.data import Data
from equilibrax.bench.engines import Run
from equilibrax.bench.engines._lp import Programs, loop
from equilibrax.bench.workloads import Workload

daqp: Any = import_module("daqp")
FIRST = 64
_NO_BOUND = 1e30


def prepare(workload: Workload, data: Data) -> Run:
    return loop(data, solve_block)


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
