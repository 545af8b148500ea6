"""`bench/c/dense.c`: the selection game by listing all schemes."""

from __future__ import annotations

import ctypes

import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.engines._c import library, pointer
from bench.machine import cores
from bench.workloads import Workload

FIRST = 64


def prepare(workload: Workload, data: Data) -> Run:
    contributions, committees = data.contributions(), 2**workload.providers - 1
    solve = library("dense", workload).solve

    def run(count: int) -> Answer:
        worst, number = np.empty((2, count, committees), np.int64)
        if solve(pointer(contributions), ctypes.c_long(count), cores(), pointer(worst), pointer(number)):
            raise MemoryError("no room for all schemes")
        return {"worst": worst, "count": number}

    return run
