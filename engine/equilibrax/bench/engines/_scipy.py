"""scipy's linprog (HiGHS inside), one LP at a time."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from equilibrax.bench.data import Data
from equilibrax.bench.engines import Run
from equilibrax.bench.engines._lp import Programs, loop
from equilibrax.bench.workloads import Workload

optimize: Any = import_module("scipy.optimize")
FIRST = 16


def prepare(workload: Workload, data: Data) -> Run:
    return loop(data, solve_block)


def solve_block(programs: Programs) -> np.ndarray:
    count, _, variables = programs.matrix.shape
    bounds = [(0, None)] * (variables - 2) + [(None, None), (0, None)]
    cost = np.eye(variables)[-1]
    found = (optimize.linprog(cost, programs.matrix[n], programs.bound[n], bounds=bounds) for n in range(count))
    return np.array([result.x[:-2] if result.status == 0 else np.full(variables - 2, np.nan) for result in found])
