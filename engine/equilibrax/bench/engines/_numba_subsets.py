"""The joint game by hand: subset programs that push only the cells which can matter, tables in parallel.

Compiled by numba, nothing allocated per table. State x is bit x of a set. A set's best split is the maximum over cells
S with the lowest state of `value(S) + best(rest)`. Sets come in the order of their lowest state, last first, and then
by number, so that what S can be split into is known when S comes; and if S is not worth more than its best split, then
splits that use S are matched by splits that do not. So S is pushed into all its unions with later, disjoint sets, by
enumeration of submasks, only where it is strictly better. The cells that no member of a committee splits are listed
once, and every committee pushes its own: smallest value for the user and number of partitions, for sets without state
0; the set of all states takes one pass. A monopolist's optima are the sets that remain after cells which keep the best
value, marked downwards and then counted upwards.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from equilibrax.bench.answers import Answer
from equilibrax.bench.data import RESOLUTION, Data
from equilibrax.bench.engines import Run
from equilibrax.bench.workloads import NEAR, RATIONALITY, Workload

numba: Any = import_module("numba")

FIRST = None


def prepare(workload: Workload, data: Data) -> Run:
    contributions, prior = data.contributions(), np.ascontiguousarray(data.prior, np.int32)
    threads, committees = numba.get_num_threads(), 2**workload.providers - 1
    quantal = workload.kind == "joint-quantal"
    solve = _solver(workload.states, workload.providers, quantal)
    unit = prior.sum(axis=1) * float(RESOLUTION)
    slack = NEAR * unit if quantal else np.zeros(len(prior), np.int32)

    def run(count: int) -> Answer:
        worst = np.empty((count, committees), np.float64 if quantal else np.int64)
        number = np.empty((count, committees), np.int64)
        solve(contributions[:count], prior[:count], slack[:count], threads, worst, number)
        return {"worst": worst / unit[:count, None] if quantal else worst, "count": number}

    return run


@lru_cache(maxsize=8)
def _solver(states: int, providers: int, quantal: bool) -> Any:
    sets, players, masks = 1 << states, providers + 1, 1 << providers
    full = sets - 1
    kind = np.float64 if quantal else np.int32
    low = kind(-1e300) if quantal else kind(-(2**30))
    high = kind(-low)
    njit = numba.njit(nogil=True, cache=False, inline="never")

    @njit
    def best_response_cells(table, weight, sums, values):
        """Values `[P, N]` of every set as one cell."""
        actions = table.shape[2]
        for s in range(1, sets):
            x, before = _lowest(s), s & (s - 1)
            chosen, top = 0, low
            for a in range(actions):
                total = sums[before, a] + table[0, x, a]
                sums[s, a] = total
                if total > top:
                    chosen, top = a, total
            values[0, s] = top
            for p in range(1, players):
                total = kind(0)
                left = s
                while left:
                    total += table[p, _lowest(left), chosen]
                    left &= left - 1
                values[p, s] = total

    @njit
    def quantal_cells(table, weight, sums, values):
        actions = table.shape[2]
        for s in range(1, sets):
            x, before = _lowest(s), s & (s - 1)
            top = low
            mass = sums[before, actions] + weight[x]
            sums[s, actions] = mass
            for a in range(actions):
                sums[s, a] = sums[before, a] + table[0, x, a]
                top = max(top, sums[s, a])
            rate = RATIONALITY / (mass * RESOLUTION)
            odds = 0.0
            for a in range(actions):
                share = np.exp(rate * (sums[s, a] - top))
                sums[sets, a] = share
                odds += share
            for p in range(players):
                total = 0.0
                for a in range(actions):
                    at = (p + 1) * (actions + 1) + a
                    sums[s, at] = sums[before, at] + table[p, x, a]
                    total += sums[sets, a] * sums[s, at]
                values[p, s] = total / odds

    cells = quantal_cells if quantal else best_response_cells

    @njit
    def splits(value, split, best):
        """The best split of every set, and the best of it and the set as one cell, `[N]`."""
        for s in range(sets):
            split[s] = low
        best[0] = 0
        for x in range(states - 1, -1, -1):
            bit = 1 << x
            for s in range(bit, sets, 2 * bit):
                mine = value[s]
                best[s] = max(mine, split[s])
                if mine > split[s]:
                    later = (full ^ s) & -bit
                    rest = later
                    while rest:
                        split[s | rest] = max(split[s | rest], mine + best[rest])
                        rest = (rest - 1) & later

    @njit
    def list_stable(bits, listed, first):
        """Sets that two providers or more do not split, by lowest state; `first[x]` is where those of x begin."""
        size = 0
        for x in range(states):
            first[x] = size
            for s in range(1 << x, sets, 2 << x):
                if bits[s] & (bits[s] - 1):
                    listed[size] = s
                    size += 1
        first[states] = size

    @njit
    def supported(mask, user, bits, listed, first, worst, count):
        """Smallest value and number of partitions into cells that all of `mask` find stable."""
        for s in range(sets):
            worst[s], count[s] = high, 0
        worst[0], count[0] = 0, 1
        for x in range(states - 1, 0, -1):
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
    def alone(user, value, best, slack, worst, count):
        """The same of partitions that are best for one provider."""
        for s in range(1, sets):
            count[s] = -1
        count[full] = 0
        for s in range(full, 0, -1):  # which sets remain after cells that keep the best
            if count[s] == 0:
                bit = s & -s
                within = s ^ bit
                rest, enough = within, best[s] - slack
                while True:
                    if value[s ^ rest] + best[rest] >= enough:
                        count[rest] = 0
                    if rest == 0:
                        break
                    rest = (rest - 1) & within
        worst[0], count[0] = 0, 1
        for s in range(1, sets):
            if count[s] == 0:
                within = s & (s - 1)
                rest, enough = within, best[s] - slack
                least, number = high, 0
                while True:
                    if value[s ^ rest] + best[rest] >= enough:
                        least = min(least, user[s ^ rest] + worst[rest])
                        number += count[rest]
                    if rest == 0:
                        break
                    rest = (rest - 1) & within
                worst[s], count[s] = least, number
        return worst[full], count[full]

    @numba.njit(parallel=True, nogil=True, cache=False)
    def solve(contributions, prior, slack, threads, out_worst, out_count):
        tables, _, _, actions = contributions.shape
        for thread in numba.prange(threads):
            sums = np.zeros((sets + 1, (actions + 1) * (players + 1)), kind)
            values, best = np.zeros((players, sets), kind), np.zeros((providers, sets), kind)
            split, bits = np.empty(sets, kind), np.empty(sets, np.int32)
            listed, first = np.empty(sets, np.int32), np.empty(states + 1, np.int32)
            worst, count = np.empty(sets, kind), np.empty(sets, np.int64)
            for b in range(thread, tables, threads):
                near = kind(slack[b])
                cells(contributions[b], prior[b], sums, values)
                user = values[0]
                bits[:] = 0
                for j in range(providers):
                    value = values[j + 1]
                    splits(value, split, best[j])
                    for s in range(1, sets):
                        bits[s] |= (value[s] >= split[s] - near) << j
                list_stable(bits, listed, first)
                for mask in range(1, masks):
                    if mask & (mask - 1):
                        found = supported(mask, user, bits, listed, first, worst, count)
                    else:
                        j = _lowest(mask)
                        found = alone(user, values[j + 1], best[j], near, worst, count)
                    out_worst[b, mask - 1], out_count[b, mask - 1] = found

    return solve


@numba.njit(inline="always")
def _lowest(s):
    """The lowest state of a set."""
    x = 0
    while not s >> x & 1:
        x += 1
    return x
