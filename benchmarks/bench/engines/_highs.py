"""HiGHS through highspy, presolve off, one LP at a time with one solver object."""

from __future__ import annotations

import numpy as np
from equilibrax._core.linear_programs import LinearPrograms, UnsolvedProgram

from bench.data import Data
from bench.engines import Run
from bench.engines._lp import Programs, loop
from bench.workloads import Workload

FIRST = 16


def prepare(workload: Workload, data: Data) -> Run:
    solver = LinearPrograms(presolve=False, tolerance=1e-7)  # that of HiGHS
    return loop(data, lambda programs: solve_block(solver, programs))


def solve_block(solver: LinearPrograms, programs: Programs) -> np.ndarray:
    count, rows, variables = programs.matrix.shape
    cost, free = np.eye(variables)[-1], np.full(variables, np.inf)
    lowest, below = np.concatenate([np.zeros(variables - 2), [-np.inf, 0.0]]), np.full(rows, -np.inf)
    weights = np.empty((count, variables - 2))
    for n in range(count):
        try:
            found = solver.solve(cost, programs.matrix[n], below, programs.bound[n], lowest, free)
            weights[n] = found.values[:-2] if found.optimal else np.nan
        except UnsolvedProgram:
            weights[n] = np.nan
    return weights
