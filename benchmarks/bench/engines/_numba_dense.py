"""The strongest hand-written dense code we have: all schemes by outer sums, one sort of packed keys, one scan.

Compiled by numba for the number of providers, tables in parallel over all cores, no allocation per table.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.engines._numba_parts import numba, shared
from bench.workloads import Workload

FIRST = 64


def prepare(workload: Workload, data: Data) -> Run:
    contributions = data.contributions()
    threads, committees = numba.get_num_threads(), 2**workload.providers - 1
    solve = _solver(workload.providers, workload.kind == "dynamics")

    def run(count: int) -> Answer:
        answer = {name: np.empty((count, committees), np.int64) for name in ("worst", "count", "dynamics", "steps")}
        solve(contributions[:count], threads, *answer.values())
        return answer if workload.kind == "dynamics" else {name: answer[name] for name in ("worst", "count")}

    return run


@lru_cache(maxsize=8)
def _solver(providers: int, with_dynamics: bool) -> Any:
    scan, committees, respond, dynamics = shared(providers)
    players, cells = providers + 1, 1 << providers

    @numba.njit(inline="never")
    def enumerate_schemes(table, values, bits, keys):
        """Values of all schemes in lexicographic order, in place: state by state, from the last scheme backwards."""
        states, actions = table.shape[1:]
        for p in range(players):
            values[0, p] = 0
        size = 1
        for x in range(states):
            for f in range(size - 1, -1, -1):
                for a in range(actions - 1, -1, -1):
                    for p in range(players):
                        values[f * actions + a, p] = values[f, p] + table[p, x, a]
            size *= actions
        for f in range(size):
            keys[f] = (-np.int64(values[f, 0]) << bits) | f

    @numba.njit(parallel=True, nogil=True, cache=False)
    def solve(contributions, threads, out_worst, out_count, out_dynamics, out_steps):
        tables, _, states, actions = contributions.shape
        size = actions**states
        bits = 1
        while 1 << bits < size:
            bits += 1
        for thread in numba.prange(threads):
            values = np.empty((size, players), np.int32)
            keys = np.empty(size, np.int64)
            stable = np.empty(size, np.int32)
            before, best, start = np.empty(players, np.int64), np.empty(players, np.int64), np.empty(players, np.int64)
            worst, count = np.empty(cells, np.int64), np.empty(cells, np.int64)
            response = np.empty((size if with_dynamics else 1, providers), np.int32)
            for b in range(thread, tables, threads):
                enumerate_schemes(contributions[b], values, bits, keys)
                keys.sort()
                scan(keys, size, bits, values, before, best, stable, worst, count)
                committees(contributions[b], worst, count, out_worst[b], out_count[b])
                if with_dynamics:
                    respond(keys, size, bits, values, before, best, response, start)
                    dynamics(keys, bits, stable, response, start, out_dynamics[b], out_steps[b])

    return solve
