"""`bench/c/simplex.c`: misalignment by a tableau on the dual, on all cores."""

from __future__ import annotations

import ctypes

import numpy as np

from bench.answers import Answer
from bench.data import RESOLUTION, Data
from bench.engines import Run
from bench.engines._c import library, pointer
from bench.machine import cores
from bench.workloads import Workload

FIRST = 64


def prepare(workload: Workload, data: Data) -> Run:
    utilities = np.ascontiguousarray(data.utilities, np.int32)
    solve = library("simplex", workload).solve

    def run(count: int) -> Answer:
        score = np.empty(count)
        inputs = pointer(utilities), ctypes.c_double(RESOLUTION), ctypes.c_long(count), cores()
        solve(*inputs, pointer(score))
        return {"misalignment": score}

    return run
