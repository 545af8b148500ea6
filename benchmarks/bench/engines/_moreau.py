"""moreau, a batched conic solver in Rust: all programs of a block at once, by interior points, on all cores."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from bench.data import Data
from bench.engines import Run
from bench.engines._lp import Programs, loop
from bench.workloads import Workload

moreau: Any = import_module("moreau")
FIRST = 64
_TOLERANCE = 1e-11  # of its stopping rule, so that scores are within 1e-9


def prepare(workload: Workload, data: Data) -> Run:
    return loop(data, solve_block)


def solve_block(programs: Programs) -> np.ndarray:
    count, rows, variables = programs.matrix.shape
    # All variables but the last but one, the offset, are at least zero: rows of their own, below.
    signs = -np.delete(np.eye(variables), variables - 2, axis=0)
    below = np.broadcast_to(signs, (count, *signs.shape))
    matrix = np.concatenate([programs.matrix, below], axis=1)
    bound = np.concatenate([programs.bound, np.zeros((count, variables - 1))], axis=1)
    solver = _solver(variables, rows + variables - 1, count)
    solver.setup(np.empty((count, 0)), matrix.reshape(count, -1))
    cost = np.zeros((count, variables))
    cost[:, -1] = 1.0
    return np.asarray(solver.solve(cost, bound).x)[:, :-2]


@lru_cache(maxsize=8)
def _solver(variables: int, rows: int, count: int) -> Any:
    exact = {name: _TOLERANCE for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas")}
    how = moreau.IPMSettings(**exact)
    settings = moreau.Settings(device="cpu", solver="ipm", batch_size=count, ipm_settings=how)
    nothing, dense = np.zeros(variables + 1, np.int64), np.arange(rows + 1) * variables
    columns = np.tile(np.arange(variables), rows)
    return moreau.CompiledSolver(
        variables, rows, nothing, nothing[:0], dense, columns, moreau.Cones(num_nonneg_cones=rows), settings
    )
