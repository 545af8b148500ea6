"""mpax, a primal-dual first-order method in JAX: a block of programs at once, each until it is within its tolerance."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

from bench.data import Data  # noqa: E402
from bench.engines import Run  # noqa: E402
from bench.engines._lp import Programs, loop  # noqa: E402
from bench.workloads import Workload  # noqa: E402

mpax: Any = import_module("mpax")
FIRST = 16
_TOLERANCE = 1e-11  # so that scores are within 1e-9


def prepare(workload: Workload, data: Data) -> Run:
    solver = mpax.r2HPDHG(eps_abs=_TOLERANCE, eps_rel=_TOLERANCE, iteration_limit=200_000)
    variables = workload.providers + 2
    cost, free = np.eye(variables)[-1], np.arange(variables) == variables - 2
    low, high = np.where(free, -np.inf, 0.0), np.full(variables, np.inf)
    none = np.zeros((0, variables))

    @jax.jit
    @jax.vmap
    def solve(matrix: Any, bound: Any) -> Any:
        program = mpax.create_lp(cost, none, none[:, 0], -matrix, -bound, low, high, use_sparse_matrix=False)
        return solver.optimize(program).primal_solution

    def solve_block(programs: Programs) -> np.ndarray:
        return np.asarray(solve(programs.matrix, programs.bound))[:, :-2]

    return loop(data, solve_block)
