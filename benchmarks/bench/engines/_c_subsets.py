"""`bench/c/subsets.c`: the joint game by subset programs, for both kinds of users."""

from __future__ import annotations

import ctypes

import numpy as np

from bench.answers import Answer
from bench.data import RESOLUTION, Data
from bench.engines import Run
from bench.engines._c import library, pointer
from bench.machine import cores
from bench.workloads import NEAR, RATIONALITY, Workload

FIRST = None


def prepare(workload: Workload, data: Data) -> Run:
    contributions, prior = data.contributions(), np.ascontiguousarray(data.prior, np.int32)
    committees, quantal = 2**workload.providers - 1, workload.kind == "joint-quantal"
    kind = np.float64 if quantal else np.int32
    solve = library("subsets", workload, *(["QUANTAL"] if quantal else [])).solve
    unit = prior.sum(axis=1) * float(RESOLUTION)
    slack = np.ascontiguousarray(NEAR * unit if quantal else np.zeros(len(prior)), kind)
    sharpness = ctypes.c_double(RATIONALITY / RESOLUTION)

    def run(count: int) -> Answer:
        worst, number = np.empty((count, committees), kind), np.empty((count, committees), np.int64)
        inputs = pointer(contributions), pointer(prior), pointer(slack), sharpness
        if solve(*inputs, ctypes.c_long(count), cores(), pointer(worst), pointer(number)):
            raise MemoryError("no room for all sets")
        return {"worst": worst / unit[:count, None] if quantal else worst.astype(np.int64), "count": number}

    return run
