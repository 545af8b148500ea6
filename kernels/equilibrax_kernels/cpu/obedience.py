"""The selection game over partitions, one game at a time: `equilibrax_kernels.obedience` as loops.

All partitions are listed with their values for everybody. What a selection game does with values is to compare them,
so they are replaced by their ranks, in which neighbours no further apart than a tolerance are the same (0 under best
response). Then the list is one of schemes like any other, in the user's order, and committees and dynamics are those of
the selection game.

Letters: P = K + 1 players, the user first; Z signals, X states, A actions, N = 2**X sets, S partitions, C committees, B
games.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.cells import best_response_cells, cells_room, quantal_cells
from equilibrax_kernels.cpu.committees import new_cells, over_supersets, worst_entry
from equilibrax_kernels.cpu.compiling import compiled, part
from equilibrax_kernels.cpu.dynamics import find_responses, new_responses, run_dynamics
from equilibrax_kernels.cpu.frontier import Partial
from equilibrax_kernels.cpu.sorting import ranks, sorted_positions


class ObedientResults(NamedTuple):
    """Results of B games; `obedient_games` fills them in. Partitions are their positions in the list.

    Attributes:
        worst, best: `[B, C]` float64, the user's smallest and largest value in equilibrium: of those with the smallest
            rank that of the first partition, and of all with the largest rank the largest.
        count: `[B, C]` int64, number of equilibrium partitions.
        worst_partition: `[B, C]` int32, the first of the worst.
        near_ties: `[B, K]` int64, allowed partitions less the number of values that they have for the provider.
        dynamics: `[B, C]` float64, the user's value where dynamics ends.
        dynamics_partition: `[B, C]` int32.
        dynamics_steps: `[B, C]` int64.
        dynamics_ended: `[B, C]` bool.
    """

    worst: np.ndarray
    best: np.ndarray
    count: np.ndarray
    worst_partition: np.ndarray
    near_ties: np.ndarray
    dynamics: np.ndarray
    dynamics_partition: np.ndarray
    dynamics_steps: np.ndarray
    dynamics_ended: np.ndarray


def obedient_results(games: int, providers: int, committees: int, *, dynamics: bool) -> ObedientResults:
    """Room for results; those of dynamics have no committees, and are not computed, if they are not wanted.

    Example:
        >>> obedient_results(2, 3, 7, dynamics=False).dynamics.shape
        (2, 0)
    """
    all_of, moving = (games, committees), (games, committees if dynamics else 0)
    return ObedientResults(
        worst=np.zeros(all_of),
        best=np.zeros(all_of),
        count=np.zeros(all_of, np.int64),
        worst_partition=np.zeros(all_of, np.int32),
        near_ties=np.zeros((games, providers), np.int64),
        dynamics=np.zeros(moving),
        dynamics_partition=np.zeros(moving, np.int32),
        dynamics_steps=np.zeros(moving, np.int64),
        dynamics_ended=np.zeros(moving, np.bool_),
    )


@compiled
def obedient_games(
    start,
    stop,
    contributions,
    weights,
    available,
    rationality,
    tolerance,
    quantal,
    resolution,
    partitions,
    keys,
    masks,
    ties,
    minimal,
    random,
    step_limit,
    worst,
    best,
    count,
    worst_partition,
    near_ties,
    dynamics,
    dynamics_partition,
    dynamics_steps,
    dynamics_ended,
):
    """Solve games `start` to `stop - 1` for all committees.

    Args:
        start, stop: which games.
        contributions: `[B, P, Z, X, A]` int64, the user first; sums over states and signals are below `cells.EXACT`.
        weights: `[B, Z, X]` int64 prior weights (of quantal users).
        available: `[B, X, A]` bool.
        rationality: `[B]` float64, lambda of each game, at least 0; may be infinite.
        tolerance: `[B]` float64; neighbours in the order of values that are no further apart are equal.
        quantal: whether the user responds quantally.
        resolution: fixed-point steps per unit of utility.
        partitions: `[S, X]` int32, all in lexicographic order: the cells of each, by lowest state, as sets (state x is
            bit X - 1 - x); 0 fills up.
        keys: `[B, 2]` uint32 random key data, used where the order is `random`.
        masks: `[C]` int64 committees, as bitmasks of providers.
        ties: the lowest index wins the user's ties (Definition 16) instead of the incumbent.
        minimal: deviations with the smallest gain.
        random: draw deviators; otherwise in turn.
        step_limit: most deviations of a committee.
        worst to dynamics_ended: of `ObedientResults`.
    """
    _, players, _, states, actions = contributions.shape
    size, providers = len(partitions), players - 1
    room = cells_room(players, states, actions)
    cells, allowed = np.zeros((players, 1 << states)), np.zeros(1 << states, np.bool_)
    values, largest, position = np.zeros((players, size)), np.zeros(size), np.zeros(size, np.int64)
    listed = Partial(
        np.zeros((size, players), np.int64),
        np.zeros(size, np.int64),
        np.zeros(size, np.int64),
        np.zeros(size, np.int64),
        np.ones(size, np.int64),
        np.ones(size),
        np.zeros((size, 0), np.int64),
    )
    responses, stable = new_responses(size, providers), new_cells(providers, 0)
    for b in range(start, stop):
        if quantal:
            lam = rationality[b]
            quantal_cells(contributions[b], weights[b], available[b], lam, resolution, room, cells, allowed)
        else:
            best_response_cells(contributions[b], available[b], room, cells, allowed)
        kept = _list_allowed(cells, allowed, partitions, values, position)
        _order(values, kept, tolerance[b], listed, largest, near_ties[b])
        _find_stable(listed, kept)
        if ties or dynamics.shape[1]:
            find_responses(listed, kept, responses)
        for lowest in range(providers if ties else 1):
            over_supersets(listed, kept, responses.tie_bits, lowest if ties else -1, stable)
            for c in range(len(masks)):
                mask = masks[c]
                if ties and mask & ((2 << lowest) - 1) != 1 << lowest:
                    continue
                if mask & (mask - 1):
                    cell = mask >> (lowest + 1) if ties else mask
                    # With two providers or more the user's optimum is always an equilibrium: nothing is better for her.
                    entry, top, count[b, c] = worst_entry(stable, cell), 0, stable.exact[cell]
                else:
                    entry, top, count[b, c] = _alone(listed, kept, mask)
                best[b, c] = largest[listed.values[top, 0]]
                at = listed.rank[entry]
                worst[b, c], worst_partition[b, c] = values[0, at], position[at]
        for c in range(dynamics.shape[1]):
            entry, steps, ended = run_dynamics(
                listed, kept, responses, masks[c], keys[b], random, ties, minimal, step_limit
            )
            at = listed.rank[entry]
            dynamics[b, c], dynamics_partition[b, c] = values[0, at], position[at]
            dynamics_steps[b, c], dynamics_ended[b, c] = steps, ended


@part
def _list_allowed(cells, allowed, partitions, values, position):
    """Values `[P, S]` and positions `[S]` of the partitions whose cells all have an action; returns how many."""
    kept = 0
    for s in range(len(partitions)):
        valid, x = True, 0
        for p in range(len(values)):
            values[p, kept] = 0
        while x < partitions.shape[1] and partitions[s, x]:
            cell = partitions[s, x]
            valid &= allowed[cell]
            for p in range(len(values)):
                values[p, kept] += cells[p, cell]
            x += 1
        position[kept] = s
        kept += valid
    return kept


@compiled
def _order(values, kept, tolerance, listed, largest, near_ties):
    """Fill in the list in the user's order, ranks for values.

    Args:
        values: `[P, S]`, of which the first `kept` count.
        largest: `[S]`, filled in: the user's largest value of every rank.
        near_ties: `[K]`, filled in: how many partitions less how many ranks each provider has.
    """
    rank, of_user, others = np.zeros(kept, np.int64), np.zeros(kept), np.zeros(kept)
    ranks(values[0, :kept], tolerance, rank, largest)
    for s in range(kept):
        of_user[s] = -rank[s]
    order = sorted_positions(of_user)
    for i in range(kept):
        listed.rank[i], listed.values[i, 0] = order[i], rank[order[i]]
    for p in range(1, len(values)):
        ranks(values[p, :kept], tolerance, rank, others)
        last = 0
        for i in range(kept):
            listed.values[i, p] = rank[order[i]]
            last = max(last, rank[i])
        near_ties[p - 1] = kept - 1 - last


@part
def _find_stable(listed, size):
    """Bit j: nothing that the user strictly prefers is strictly better for provider j."""
    providers = listed.values.shape[1] - 1
    for i in range(size):
        listed.bits[i] = 0
    for j in range(providers):
        best = before = np.int64(-1)  # of all so far, and of those that the user strictly prefers
        for i in range(size):
            if i > 0 and listed.values[i, 0] != listed.values[i - 1, 0]:
                before = best
            value = listed.values[i, j + 1]
            listed.bits[i] |= (value >= before) << j
            best = max(best, value)


@part
def _alone(listed, size, mask):
    """The optimal partitions of a single provider: the first of the worst for the user, a best one, and how many."""
    j = 0
    while not mask >> j & 1:
        j += 1
    most = np.int64(-1)
    for i in range(size):
        most = max(most, listed.values[i, j + 1])
    worst = best = count = 0
    for i in range(size):
        if listed.values[i, j + 1] == most:
            best = best if count else i  # the list is in the user's order
            if count == 0 or listed.values[i, 0] < listed.values[worst, 0]:
                worst = i
            count += 1
    return worst, best, count
