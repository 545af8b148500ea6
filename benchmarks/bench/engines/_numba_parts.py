"""What both numba engines share, compiled for a fixed number of providers so that their inner loops unroll.

Tables go in parallel over all cores: thread t takes tables t, t + threads, ... and has its own buffers, so that
nothing is allocated per table. Sums fit 32 bits (`Data.contributions`); sort keys are `-v_0` and a position in 64.

Layouts: `values` `[N, K + 1]` of schemes, the user first; `keys` `[N]` sorted, so in the user's order, largest first.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

numba: Any = import_module("numba")
njit = numba.njit(nogil=True, cache=False, inline="never")

NEVER = -(2**31)  # below every value
MOST = 2**62


class Shared(NamedTuple):
    """Compiled functions for K providers.

    Attributes:
        scan: sorted keys to stability bits, worst and count per set of bits.
        committees: the same to worst and count per committee.
        respond: sorted keys to best responses.
        dynamics: best responses to where every committee ends.
    """

    scan: Any
    committees: Any
    respond: Any
    dynamics: Any


@lru_cache(maxsize=8)
def shared(providers: int) -> Shared:
    """The shared functions; compiled when first called."""
    cells = 1 << providers

    @njit
    def scan(keys, size, bits, values, before, best, stable, worst, count):
        """Stability of every scheme, in the user's order, and per cell (set of bits) the worst value and the number."""
        low = (1 << bits) - 1
        for j in range(providers):
            before[j] = best[j] = NEVER
        for cell in range(cells):
            worst[cell] = MOST
            count[cell] = 0
        last = MOST
        for i in range(size):
            key = keys[i]
            at, user = key & low, key >> bits
            if user != last:  # the best so far is now that of schemes that the user strictly prefers
                last = user
                for j in range(providers):
                    before[j] = best[j]
            cell = 0
            for j in range(providers):
                value = values[at, j + 1]
                cell |= (value >= before[j]) << j
                best[j] = max(best[j], value)
            stable[i] = cell
            worst[cell] = -user  # values fall along the order: the last one is the worst
            count[cell] += 1

    @njit
    def committees(contributions, worst, count, out_worst, out_count):
        """Every cell with its supersets; committees of one provider are the monopolist's own optima."""
        for j in range(providers):
            for cell in range(cells):
                if not cell >> j & 1:
                    worst[cell] = min(worst[cell], worst[cell | 1 << j])
                    count[cell] += count[cell | 1 << j]
        states, actions = contributions.shape[1:]
        for committee in range(1, cells):
            out_worst[committee - 1] = worst[committee]
            out_count[committee - 1] = count[committee]
        for j in range(providers):
            total, ways = 0, 1
            for x in range(states):
                top, least, number = NEVER, MOST, 0
                for a in range(actions):
                    value, user = contributions[j + 1, x, a], contributions[0, x, a]
                    if value > top:
                        top, least, number = value, user, 1
                    elif value == top:
                        least, number = min(least, user), number + 1
                total, ways = total + least, ways * number
            out_worst[(1 << j) - 1] = total
            out_count[(1 << j) - 1] = ways

    @njit
    def respond(keys, size, bits, values, before, best, response, start):
        """Positions, in the user's order: best responses `[N, K]`, and monopoly schemes `[K]`, first in the list."""
        low = (1 << bits) - 1
        for j in range(providers):
            before[j] = best[j] = -1
        last = MOST
        for i in range(size):
            at, user = keys[i] & low, keys[i] >> bits
            if user != last:
                last = user
                for j in range(providers):
                    before[j] = best[j]
            for j in range(providers):
                response[i, j] = before[j]
                if best[j] < 0 or values[at, j + 1] > values[keys[best[j]] & low, j + 1]:
                    best[j] = i
        for j in range(providers):
            top = values[keys[best[j]] & low, j + 1]
            start[j] = best[j]
            for i in range(best[j] + 1, size):
                at = keys[i] & low
                if values[at, j + 1] == top and at < keys[start[j]] & low:
                    start[j] = i

    @njit
    def dynamics(keys, bits, stable, response, start, out_value, out_steps):
        """Round robin from the lowest index; the turn passes on after a deviation too."""
        for committee in range(1, cells):
            selected, opening = -1, MOST
            for j in range(providers):
                if committee >> j & 1 and keys[start[j]] >> bits < opening:
                    selected, opening = j, keys[start[j]] >> bits
            position, turn, steps = start[selected], 0, 0
            while True:
                can = committee & ~stable[position] & ~(1 << selected)
                if can == 0:
                    break
                deviator = turn % providers
                while not can >> deviator & 1:
                    deviator = (deviator + 1) % providers
                position, selected = response[position, deviator], deviator
                turn, steps = deviator + 1, steps + 1
            out_value[committee - 1] = -(keys[position] >> bits)
            out_steps[committee - 1] = steps

    return Shared(scan, committees, respond, dynamics)
