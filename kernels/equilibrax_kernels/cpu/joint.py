"""The game in which the user hears everybody, one game at a time: `equilibrax_kernels.joint` as loops.

A partition is an equilibrium of several providers iff its cells are stable for all of them; a committee of one plays
any of its best partitions. Dynamics starts at monopoly partitions and makes best refinements.

All values are float64, and exact integers under best response: see `cells`.

Letters: P = K + 1 players, the user first; Z signals, X states, A actions, N = 2**X sets, C committees, B games.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.cells import best_response_cells, cells_room, quantal_cells
from equilibrax_kernels.cpu.compiling import compiled, part
from equilibrax_kernels.cpu.partitions import all_sets, best_splits, list_cells, recover, refine, supported, worth


class JointResults(NamedTuple):
    """Results of B games, as in the JAX kernel but with the games first; `joint_games` fills them in.

    Attributes:
        worst, best: `[B, C]` float64, the user's smallest and largest value in equilibrium.
        count: `[B, C]` int64, number of equilibrium partitions.
        worst_partition: `[B, C, X]` int32, the set that each state is in; the first of the worst.
        near_ties: `[B, K]` int64, cells worth the same whole as in their best split, up to the tolerance.
        dynamics: `[B, C]` float64, the user's value where dynamics ends.
        dynamics_partition: `[B, C, X]` int32.
        dynamics_steps: `[B, C]` int64, number of moves.
        dynamics_ended: `[B, C]` bool; False where the step limit stopped it.
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


def joint_results(games: int, providers: int, states: int, committees: int, *, dynamics: bool) -> JointResults:
    """Room for results; those of dynamics have no committees, and are not computed, if they are not wanted.

    Example:
        >>> joint_results(2, 3, 4, 7, dynamics=True).dynamics_partition.shape
        (2, 7, 4)
    """
    moving = committees if dynamics else 0
    return JointResults(
        worst=np.zeros((games, committees)),
        best=np.zeros((games, committees)),
        count=np.zeros((games, committees), np.int64),
        worst_partition=np.zeros((games, committees, states), np.int32),
        near_ties=np.zeros((games, providers), np.int64),
        dynamics=np.zeros((games, moving)),
        dynamics_partition=np.zeros((games, moving, states), np.int32),
        dynamics_steps=np.zeros((games, moving), np.int64),
        dynamics_ended=np.zeros((games, moving), np.bool_),
    )


@compiled
def joint_games(
    start,
    stop,
    contributions,
    weights,
    available,
    rationality,
    tolerance,
    quantal,
    resolution,
    masks,
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
        tolerance: `[B]` float64; values that differ by no more than this are equal; 0 under best response.
        quantal: whether the user responds quantally.
        resolution: fixed-point steps per unit of utility.
        masks: `[C]` int64 committees, as bitmasks of providers.
        step_limit: where to stop dynamics.
        worst to dynamics_ended: of `JointResults`.
    """
    _, players, _, states, actions = contributions.shape
    size, providers = 1 << states, players - 1
    sets, room = all_sets(states), cells_room(players, states, actions)
    values, allowed = np.zeros((players, size)), np.zeros(size, np.bool_)
    best_of, split, bits = np.zeros((providers, size)), np.zeros(size), np.zeros(size, np.int32)
    stable = np.zeros((providers, size), np.int32), np.zeros((providers, states + 1), np.int64)
    highest = sets[2]
    for b in range(start, stop):
        slack = tolerance[b]
        if quantal:
            lam = rationality[b]
            quantal_cells(contributions[b], weights[b], available[b], lam, resolution, room, values, allowed)
        else:
            best_response_cells(contributions[b], available[b], room, values, allowed)
        _stable_cells(values, allowed, slack, sets, split, best_of, bits, stable, near_ties[b])
        found = worst[b], best[b], count[b], worst_partition[b]
        _equilibria(values, best_of, bits, stable, highest, slack, masks, *found)
        if dynamics.shape[1]:
            ends = dynamics[b], dynamics_partition[b], dynamics_steps[b], dynamics_ended[b]
            _dynamics(values, best_of, stable, highest, slack, masks, step_limit, *ends)


@part
def _stable_cells(values, allowed, tolerance, sets, split, best, bits, stable, near_ties):
    """What each provider's best partitions are worth, and which cells are stable for whom.

    Args:
        split: `[N]`, to work with.
        best: `[K, N]`, filled in.
        bits: `[N]`, filled in: bit j is set iff the cell is stable for provider j.
        stable: `[K, N]` and `[K, X + 1]`, filled in: the stable cells of each provider, listed.
        near_ties: `[K]`, filled in.
    """
    listed, first, _ = sets
    for s in range(len(bits)):
        bits[s] = 0
    for j in range(len(best)):
        near_ties[j] = best_splits(values[j + 1], allowed, tolerance, j, split, best[j], bits)
    for j in range(len(best)):
        list_cells(listed, first, bits, 1 << j, stable[0][j], stable[1][j])


@compiled
def _equilibria(values, best, bits, stable, highest, tolerance, masks, worst, most, count, partition):
    """The equilibria of every committee, `[C]` and `[C, X]`: of several all partitions into common stable cells."""
    size, states = len(bits), partition.shape[1]
    user, nothing = values[0], np.zeros(size)
    common, begin = np.zeros(size, np.int32), np.zeros(states + 1, np.int64)
    known, counts, inside = np.full(size, -1), np.zeros(size, np.int64), np.zeros(size, np.int32)
    low, high, path = np.zeros(size), np.zeros(size), np.zeros((3, states + 1), np.int64)
    for c in range(len(masks)):
        j = 0
        while not masks[c] >> j & 1:
            j += 1
        own, top, cells, first = values[j + 1], best[j], stable[0][j], stable[1][j]
        if masks[c] != 1 << j:
            list_cells(cells, first, bits, masks[c], common, begin)
            own, top, cells, first = nothing, nothing, common, begin
        supported(cells, first, highest, user, own, top, tolerance, c, known, low, high, counts, inside, path)
        recover(cells, first, highest, user, own, top, tolerance, low, partition[c])
        worst[c], most[c], count[c] = low[size - 1], high[size - 1], counts[size - 1]


@compiled
def _dynamics(values, best, stable, highest, tolerance, masks, step_limit, ends, partition, steps, ended):
    """Where the dynamics of every committee ends, `[C]` and `[C, X]`: in turn, from the lowest provider."""
    states, providers = partition.shape[1], len(best)
    cells, begin = stable
    firsts = np.zeros(best.shape, np.int32)
    opening, posted = np.zeros((providers, states), np.int32), np.zeros((providers, states), np.int32)
    others, reach, nobody = np.zeros(states, np.int32), np.zeros(states, np.int32), np.int64(0)
    _hear(posted, nobody, others)
    for j in range(providers):
        refine(others, values[j + 1], best[j], cells[j], begin[j], highest, tolerance, firsts[j], opening[j])
    for c in range(len(masks)):
        heard = partition[c]
        for j in range(providers):
            _copy(opening[j], posted[j])
        turn, quiet, moves, open_ = 0, 0, 0, True
        _hear(posted, masks[c], heard)
        while quiet < providers and open_:
            if masks[c] >> turn & 1:
                own = values[turn + 1]
                _hear(posted, masks[c] & ~(1 << turn), others)
                refine(others, own, best[turn], cells[turn], begin[turn], highest, tolerance, firsts[turn], reach)
                if worth(own, reach) > worth(own, heard) + tolerance:
                    open_ = moves < step_limit
                    if open_:
                        _copy(reach, posted[turn])
                        _hear(posted, masks[c], heard)
                        moves, quiet = moves + 1, -1
            quiet, turn = quiet + 1, (turn + 1) % providers
        ends[c], steps[c], ended[c] = worth(values[0], heard), moves, open_


@part
def _hear(posted, mask, heard):
    """The common refinement of the partitions `[K, X]` that a committee posts; of nobody's, all states together."""
    for x in range(len(heard)):
        cell = (1 << len(heard)) - 1
        for j in range(len(posted)):
            if mask >> j & 1:
                cell &= posted[j, x]
        heard[x] = cell


@part
def _copy(source, target):
    for x in range(len(source)):
        target[x] = source[x]
