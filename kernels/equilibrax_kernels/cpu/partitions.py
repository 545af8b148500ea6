"""Best splits of every set of states and partitions into listed cells, for one game: `partitions` as loops.

Two observations save nearly all of the `3**X` steps of a subset program:

- A cell that is not worth more than its best split can be left out of splits: one with its parts does as well. Sets
  come in the order of their numbers, so what a cell can be split into is known when it comes, and only cells that are
  worth strictly more are added to all their rests, by enumeration of submasks. Of random games that is one cell in 30.
- Partitions of all states use few of the sets that can be left after some cells: those that stable cells leave. They
  are visited from the set of all states downwards, each once.

Under best response all numbers are integers and exact. Otherwise best splits are sums in the same order as in the JAX
kernels, of the same terms less those that are no better: they can differ in their last bits, which tells two cells
apart only where a difference equals the tolerance to 15 digits.

Letters: N = 2**X sets; state x is bit `X - 1 - x`. Cells that matter are `listed` by their lowest state, and then by
the number in which state x is bit x; those whose highest bit is n are `listed[first[n]:first[n + 1]]`.
"""

from __future__ import annotations

import math

import numpy as np

from equilibrax_kernels.cpu.compiling import called


def all_sets(states: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All sets but the empty one, as `listed` int32 and `first` int64; and `[N]` int8, the highest bit of every set.

    Example:
        >>> all_sets(2)[0].tolist()
        [1, 2, 3]
    """
    parts, highest = [np.zeros(0, np.int32)], np.zeros(1 << states, np.int8)
    for n in range(states):
        cells, places = np.full(1 << n, 1 << n, np.int32), np.arange(1 << n, dtype=np.int32)
        for b in range(n):  # the nearest state is the lowest bit of the place
            cells |= (places >> b & 1) << (n - 1 - b)
        parts.append(cells)
        highest[1 << n : 2 << n] = n
    return np.concatenate(parts), (1 << np.arange(states + 1)) - 1, highest


@called
def best_splits(value, allowed, tolerance, provider, split, best, bits):
    """Fill in `split` and `best` `[N]`, the best worth of sets in two cells or more and in any number; add to `bits`.

    Args:
        value: `[N]` the worth of sets as one cell, to this provider.
        allowed: `[N]` which sets may be cells.
        tolerance: values that differ by no more than this are equal.
        provider: its bit is set in `bits` `[N]` for cells that are stable: not worth less than their best split.

    Returns:
        How many cells are worth the same whole as in their best split.
    """
    ties, top = 0, 1
    for s in range(len(value)):
        split[s] = -math.inf
    best[0] = 0
    for s in range(1, len(value)):
        top = s if s == 2 * top else top
        mine = value[s]
        apart = mine - split[s]  # infinite for sets of one state, which are always stable
        if allowed[s] and apart >= -tolerance:
            bits[s] |= 1 << provider
            ties += apart <= tolerance
        best[s] = mine if apart > 0 else split[s]
        if apart > 0:
            later = (top - 1) & ~s
            rest = later
            while rest:
                worth = mine + best[rest]
                if worth > split[s | rest]:
                    split[s | rest] = worth
                rest = (rest - 1) & later
    return ties


@called
def list_cells(listed, first, bits, wanted, chosen, begin):
    """List the cells that have all bits of `wanted`: from `listed` and `first` to `chosen` and `begin`."""
    size = 0
    for n in range(len(first) - 1):
        begin[n] = size
        for i in range(first[n], first[n + 1]):
            s = listed[i]
            chosen[size] = s
            size += bits[s] & wanted == wanted
    begin[len(first) - 1] = size


@called
def supported(listed, first, highest, user, own, best, tolerance, stamp, known, worst, most, count, inside, path):
    """The partitions of all states into listed cells that are tight: worst, best and number for what can be left.

    A cell S of what is left, B, is tight if `own[S] + best[B - S] >= best[B] - tolerance`: then it belongs to a best
    partition of B for the provider whose values these are. With zeros for both, all listed cells are.

    Args:
        listed, first: the cells, with all sets of one state among them.
        highest: `[N]` from `all_sets`.
        user: `[N]` the user's values of sets as one cell.
        own, best: `[N]`, the provider's, or zeros.
        tolerance: of the provider's values.
        stamp: a number that is new to `known`.
        known, worst, most, count: `[N]`, filled in: where `known` is the stamp, the smallest and the largest value of
            such partitions for the user, and their number. The last set is that of all states.
        inside: like `listed`, to work with: the tight cells of what is left at every state.
        path: `[3, X]` int64, to work with: what is left, and which of its cells `inside` come next and end.
    """
    known[0], worst[0], most[0], count[0] = stamp, 0, 0, 1
    depth, entering = 0, len(user) - 1
    while depth >= 0:
        if entering:
            n, enough = highest[entering], best[entering] - tolerance
            end = first[n]
            for i in range(first[n], first[n + 1]):
                s = listed[i]
                inside[end] = s
                end += (s & ~entering == 0) & (own[s] + best[entering ^ s] >= enough)
            path[0, depth], path[1, depth], path[2, depth] = entering, first[n], end
            worst[entering], most[entering], count[entering] = math.inf, -math.inf, 0
            entering = 0
        left, at, end = path[0, depth], path[1, depth], path[2, depth]
        low, high, number = worst[left], most[left], count[left]
        while at < end:
            s = inside[at]
            rest = left ^ s
            if known[rest] != stamp:
                entering = rest
                break
            low, high = min(low, user[s] + worst[rest]), max(high, user[s] + most[rest])
            number += count[rest]
            at += 1
        worst[left], most[left], count[left] = low, high, number
        if entering:
            path[1, depth] = at
            depth += 1
        else:
            known[left] = stamp
            depth -= 1


@called
def recover(listed, first, highest, user, own, best, tolerance, worst, partition):
    """Fill in `partition` `[X]`, the set that each state is in: the first of the worst that `supported` counts.

    "First" compares tuples of cells, ordered by their lowest states, as `listed` orders them. Values this close to the
    worst count as the worst.
    """
    left = len(user) - 1
    while left:
        n, enough, least = highest[left], best[left] - tolerance, worst[left] + tolerance
        for i in range(first[n], first[n + 1]):
            s = listed[i]
            rest = left ^ s
            if s & ~left == 0 and own[s] + best[rest] >= enough and user[s] + worst[rest] <= least:
                put(partition, s)
                left = rest
                break


@called
def refine(coarse, own, best, listed, first, highest, tolerance, firsts, fine):
    """The best refinement `fine` of a partition `coarse` `[X]` for a provider; of several the first.

    Args:
        coarse: the set that each state is in.
        own, best, listed, first, highest, tolerance: as in `supported`; `listed` are the provider's stable cells.
        firsts: `[N]` the first cell of the best partition of every set, 0 where nobody has looked for it yet.
        fine: `[X]`.
    """
    states, assigned = len(coarse), 0
    for x in range(states):
        if assigned >> (states - 1 - x) & 1:
            continue
        left = coarse[x] & ~assigned
        if firsts[left] == 0:
            n = highest[left]
            for i in range(first[n], first[n + 1]):
                s = listed[i]
                if s & ~left == 0 and own[s] + best[left ^ s] >= best[left] - tolerance:
                    firsts[left] = s
                    break
        put(fine, firsts[left])
        assigned |= firsts[left]


@called
def put(partition, cell):
    """Put the states of a cell into it."""
    states = len(partition)
    for x in range(states):
        if cell >> (states - 1 - x) & 1:
            partition[x] = cell


@called
def worth(values, partition):
    """The sum over the cells of a partition `[X]`."""
    total = values[0]  # of the empty set: zero
    for x in range(len(partition)):
        if partition[x] >> (len(partition) - 1 - x) == 1:  # its lowest state
            total += values[partition[x]]
    return total
