"""`bench/c/frontier.c`: the selection game state by state. Rooms grow, for all tables, when one needs it."""

from __future__ import annotations

import ctypes

import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.engines._c import library, pointer
from bench.machine import cores
from bench.workloads import Workload

FIRST = 16


def prepare(workload: Workload, data: Data) -> Run:
    contributions, committees = data.contributions(), 2**workload.providers - 1
    solve = library("frontier", workload).solve
    room = 512

    def run(count: int) -> Answer:
        nonlocal room
        worst, number = np.empty((2, count, committees), np.int64)
        while True:
            rest = ctypes.c_long(count), cores(), ctypes.c_long(room), pointer(worst), pointer(number)
            needed = solve(pointer(contributions), *rest)
            if needed > 2**32:
                raise MemoryError("no room for partial schemes")
            if needed <= room:
                return {"worst": worst, "count": number}
            room = 1 << int(needed).bit_length()  # kept for later runs

    return run
