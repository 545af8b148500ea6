"""The joint game by hand: subset programs that push only the cells which can matter, tables in parallel.

Compiled by numba, nothing allocated per table. State x is bit x of a set. A set's best split is the maximum over cells
S with the lowest state of `value(S) + best(rest)`. Sets come in the order of their lowest state, last first, and then
by number, so that what S can be split into is known when S comes; and if S is not worth more than its best split, then
splits that use S are matched by splits that do not. So S is pushed into all its unions with later, disjoint sets, by
enumeration of submasks, only where it is strictly better. The cells that some providers do not split are listed
once, and every committee pushes its own: smallest value for the user and number of partitions, for sets without state
0; the set of all states takes one pass. A monopolist pushes its stable cells where they keep the best value.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from bench.answers import Answer
from bench.data import RESOLUTION, Data
from bench.engines import Run
from bench.workloads import NEAR, RATIONALITY, Workload

numba: Any = import_module("numba")

FIRST = None


def prepare(workload: Workload, data: Data) -> Run:
    contributions, prior = data.contributions(), np.ascontiguousarray(data.prior, np.int32)
    threads, committees = numba.get_num_threads(), 2**workload.providers - 1
    quantal = workload.kind == "joint-quantal"
    solve = _solver(workload.providers, quantal)
    unit = prior.sum(axis=1) * float(RESOLUTION)
    slack = NEAR * unit if quantal else np.zeros(len(prior), np.int32)

    def run(count: int) -> Answer:
        worst = np.empty((count, committees), np.float64 if quantal else np.int64)
        number = np.empty((count, committees), np.int64)
        solve(contributions[:count], prior[:count], slack[:count], threads, worst, number)
        return {"worst": worst / unit[:count, None] if quantal else worst, "count": number}

    return run


@lru_cache(maxsize=8)
def _solver(providers: int, quantal: bool) -> Any:
    players, masks = providers + 1, 1 << providers
    kind = np.float64 if quantal else np.int32
    low = kind(-1e300) if quantal else kind(-(2**30))
    high = kind(-low)
    njit = numba.njit(nogil=True, cache=False, inline="never")

    @njit
    def best_response_cells(table, weight, sums, values):
        """Values `[P, N]` of every set as one cell."""
        actions = table.shape[2]
        for s in range(1, len(sums)):
            x, before = _lowest(s), s & (s - 1)
            chosen, top = 0, low
            for p in range(players):
                for a in range(actions):
                    sums[s, p, a] = sums[before, p, a] + table[p, x, a]
            for a in range(actions):
                if sums[s, 0, a] > top:
                    chosen, top = a, sums[s, 0, a]
            for p in range(players):
                values[p, s] = sums[s, p, chosen]

    @njit
    def quantal_cells(table, weight, sums, values):
        actions = table.shape[2]
        masses, odds = sums[:, players, 0], sums[0, players, 1:]
        for s in range(1, len(sums)):
            x, before = _lowest(s), s & (s - 1)
            masses[s] = masses[before] + weight[x]
            for p in range(players):
                for a in range(actions):
                    sums[s, p, a] = sums[before, p, a] + table[p, x, a]
            top, total, rate = low, 0.0, RATIONALITY / (masses[s] * RESOLUTION)
            for a in range(actions):
                top = max(top, sums[s, 0, a])
            for a in range(actions):
                odds[a] = np.exp(rate * (sums[s, 0, a] - top))
                total += odds[a]
            for p in range(players):
                mean = 0.0
                for a in range(actions):
                    mean += odds[a] * sums[s, p, a]
                values[p, s] = mean / total

    cells = quantal_cells if quantal else best_response_cells

    @njit
    def splits(states, value, split, best):
        """The best split of every set, and the best of it and the set as one cell, `[N]`."""
        full = len(value) - 1
        split[:] = low
        best[0] = 0
        for x in range(states - 1, -1, -1):
            bit = 1 << x
            for s in range(bit, full + 1, 2 * bit):
                mine = value[s]
                best[s] = max(mine, split[s])
                if mine > split[s]:
                    later = (full ^ s) & -bit
                    rest = later
                    while rest:
                        split[s | rest] = max(split[s | rest], mine + best[rest])
                        rest = (rest - 1) & later

    @njit
    def list_stable(bits, several, listed, first):
        """Sets that some provider, or several, find stable, by lowest state; `first[x]` is where those of x begin."""
        size = 0
        for x in range(len(first) - 1):
            first[x] = size
            for s in range(1 << x, len(bits), 2 << x):
                if bits[s] & (bits[s] - several):
                    listed[size] = s
                    size += 1
        first[-1] = size

    @njit
    def supported(mask, user, bits, listed, first, worst, count):
        """Smallest value and number of partitions into cells that all of `mask` find stable."""
        full = len(bits) - 1
        worst[:], count[:] = high, 0
        worst[0], count[0] = 0, 1
        for x in range(len(first) - 2, 0, -1):
            for i in range(first[x], first[x + 1]):
                s = listed[i]
                if bits[s] & mask == mask:
                    later, mine = (full ^ s) & -(1 << x), user[s]
                    rest = later
                    while True:
                        worst[s | rest] = min(worst[s | rest], mine + worst[rest])
                        count[s | rest] += count[rest]
                        if rest == 0:
                            break
                        rest = (rest - 1) & later
        least, number = high, 0
        for i in range(first[0], first[1]):
            s = listed[i]
            if bits[s] & mask == mask:
                least = min(least, user[s] + worst[full ^ s])
                number += count[full ^ s]
        return least, number

    @njit
    def alone(mask, user, value, best, slack, bits, listed, first, worst, count):
        """The same of partitions that are best for one provider: of what is left, a cell keeps the best value."""
        full = len(bits) - 1
        worst[:], count[:] = high, 0
        worst[0], count[0] = 0, 1
        for x in range(len(first) - 2, -1, -1):
            for i in range(first[x], first[x + 1]):
                s = listed[i]
                if bits[s] & mask:
                    later, mine, own = (full ^ s) & -(1 << x), user[s], value[s] + slack
                    rest = later
                    while x or rest == later:  # with the first state only the set of all states matters
                        if own + best[rest] >= best[s | rest]:
                            worst[s | rest] = min(worst[s | rest], mine + worst[rest])
                            count[s | rest] += count[rest]
                        if rest == 0:
                            break
                        rest = (rest - 1) & later
        return worst[full], count[full]

    @numba.njit(parallel=True, nogil=True, cache=False)
    def solve(contributions, prior, slack, threads, out_worst, out_count):
        tables, _, states, actions = contributions.shape
        sets = 1 << states
        for thread in numba.prange(threads):
            sums = np.zeros((sets, players + 1, actions + 1), kind)
            values, best = np.zeros((players, sets), kind), np.zeros((providers, sets), kind)
            split, bits = np.empty(sets, kind), np.empty(sets, np.int32)
            listed, first = np.empty((2, sets), np.int32), np.empty((2, states + 1), np.int32)
            worst, count = np.empty(sets, kind), np.empty(sets, np.int64)
            for b in range(thread, tables, threads):
                near = kind(slack[b])
                cells(contributions[b], prior[b], sums, values)
                user = values[0]
                bits[:] = 0
                for j in range(providers):
                    value = values[j + 1]
                    splits(states, value, split, best[j])
                    for s in range(1, sets):
                        bits[s] |= (value[s] >= split[s] - near) << j
                for several in range(2):
                    list_stable(bits, several, listed[several], first[several])
                for mask in range(1, masks):
                    if mask & (mask - 1):
                        found = supported(mask, user, bits, listed[1], first[1], worst, count)
                    else:
                        j = _lowest(mask)
                        own = values[j + 1]
                        found = alone(mask, user, own, best[j], near, bits, listed[0], first[0], worst, count)
                    out_worst[b, mask - 1], out_count[b, mask - 1] = found

    return solve


@numba.njit(inline="always")
def _lowest(s):
    """The lowest state of a set."""
    x = 0
    while not s >> x & 1:
        x += 1
    return x
