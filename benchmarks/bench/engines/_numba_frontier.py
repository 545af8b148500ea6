"""The frontier by hand: partial schemes state by state, one sort and one scan per state, dominated ones dropped.

Compiled by numba for the number of providers, tables in parallel over all cores, no allocation per table. Equal partial
schemes are kept side by side, not merged: the count is then the number of entries. Rooms grow when a table needs it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.engines._compiled import numba, shared
from bench.workloads import Workload

FIRST = 16


def prepare(workload: Workload, data: Data) -> Run:
    contributions = data.contributions()
    threads, committees = numba.get_num_threads(), 2**workload.providers - 1
    solve = _solver(workload.providers, workload.kind == "dynamics")
    room = 512

    def run(count: int) -> Answer:
        nonlocal room
        answer = {name: np.empty((count, committees), np.int64) for name in ("worst", "count", "dynamics", "steps")}
        needed = np.zeros(threads, np.int64)
        while True:
            solve(contributions[:count], threads, room, needed, *answer.values())
            if needed.max() <= room:
                break
            room = int(1 << int(needed.max()).bit_length())  # kept for later runs
        return answer if workload.kind == "dynamics" else {name: answer[name] for name in ("worst", "count")}

    return run


@lru_cache(maxsize=8)
def _solver(providers: int, with_dynamics: bool) -> Any:
    scan, committees, respond, dynamics = shared(providers)
    players, cells = providers + 1, 1 << providers

    @numba.njit(inline="never")
    def extend(table, x, parents, kept, values, bits, keys):
        """Every partial scheme by every action of state x, in lexicographic order."""
        actions = table.shape[2]
        for f in range(kept):
            for a in range(actions):
                at = f * actions + a
                for p in range(players):
                    values[at, p] = parents[f, p] + table[p, x, a]
                keys[at] = (-np.int64(values[at, 0]) << bits) | at
        return kept * actions

    @numba.njit(inline="never")
    def keep(keys, size, bits, stable, alive, values, parents, room):
        """Those with a bit set, back in lexicographic order. Returns how many there are, which may be too many."""
        low = (1 << bits) - 1
        for i in range(size):
            alive[keys[i] & low] = stable[i] != 0
        kept = 0
        for at in range(size):
            if alive[at]:
                if kept < room:
                    for p in range(players):
                        parents[kept, p] = values[at, p]
                kept += 1
        return kept

    @numba.njit(parallel=True, nogil=True, cache=False)
    def solve(contributions, threads, room, needed, out_worst, out_count, out_dynamics, out_steps):
        tables, _, states, actions = contributions.shape
        most = room * actions
        bits = 1
        while 1 << bits < most:
            bits += 1
        for thread in numba.prange(threads):
            needed[thread] = 0
            parents = np.empty((room, players), np.int32)
            values = np.empty((most, players), np.int32)
            keys = np.empty(most, np.int64)
            stable, alive = np.empty(most, np.int32), np.empty(most, np.bool_)
            before, best, start = np.empty(players, np.int64), np.empty(players, np.int64), np.empty(players, np.int64)
            worst, count = np.empty(cells, np.int64), np.empty(cells, np.int64)
            response = np.empty((most if with_dynamics else 1, providers), np.int32)
            for b in range(thread, tables, threads):
                parents[0] = 0
                kept, size = 1, 1
                for x in range(states):
                    size = extend(contributions[b], x, parents, kept, values, bits, keys)
                    keys[:size].sort()
                    scan(keys, size, bits, values, before, best, stable, worst, count)
                    if x < states - 1:
                        kept = keep(keys, size, bits, stable, alive, values, parents, room)
                        needed[thread] = max(needed[thread], kept)
                        if kept > room:
                            break
                if needed[thread] > room:
                    break
                committees(contributions[b], worst, count, out_worst[b], out_count[b])
                if with_dynamics:
                    respond(keys, size, bits, values, before, best, response, start)
                    dynamics(keys, bits, stable, response, start, out_dynamics[b], out_steps[b])

    return solve
