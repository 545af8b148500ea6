"""The game in which the user hears everybody, one game at a time: `equilibrax_kernels.joint` as loops.

A partition is an equilibrium of several providers iff its cells are stable for all of them; a committee of one plays
any of its best partitions. Dynamics starts at monopoly partitions and makes best refinements.

All values are float64, and exact integers under best response: see `cells`.

Letters: P = K + 1 players, the user first; Z signals, X states, A actions, N = 2**X sets, C committees, B games.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from equilibrax_kernels.cpu.cells import cells_room, game_cells, new_games
from equilibrax_kernels.cpu.compiling import called, loop
from equilibrax_kernels.cpu.partitions import all_sets, best_splits, list_cells, recover, refine, supported, worth
from equilibrax_kernels.cpu.threads import plain, run_over_tables


class Answers(NamedTuple):
    """What a loop writes; see `joint_games`."""

    worst: np.ndarray
    best: np.ndarray
    count: np.ndarray
    worst_partition: np.ndarray
    near_ties: np.ndarray
    dynamics: np.ndarray
    dynamics_partition: np.ndarray
    dynamics_steps: np.ndarray
    dynamics_ended: np.ndarray


class Room(NamedTuple):
    """What is known of one game, and space to work with.

    Attributes:
        listed, first, highest: `partitions.all_sets`.
        values, allowed: `[P, N]` and `[N]`, `cells.game_cells`.
        split, best, bits: `[N]`, `[K, N]`, `[N]`, `partitions.best_splits`.
        stable, begin: `[K + 1, N]` and `[K + 1, X + 1]`: the stable cells of each provider and those that several have
            in common, as `partitions.list_cells` lists them.
        nothing: `[N]` zeros.
        known, worst, most, count, inside, path: see `partitions.supported`.
        firsts: `[K, N]`, see `partitions.refine`.
        opening, posted: `[K, X]` partitions, and `others`, `reach` `[X]`.
    """

    listed: np.ndarray
    first: np.ndarray
    highest: np.ndarray
    values: np.ndarray
    allowed: np.ndarray
    split: np.ndarray
    best: np.ndarray
    bits: np.ndarray
    stable: np.ndarray
    begin: np.ndarray
    nothing: np.ndarray
    known: np.ndarray
    worst: np.ndarray
    most: np.ndarray
    count: np.ndarray
    inside: np.ndarray
    path: np.ndarray
    firsts: np.ndarray
    opening: np.ndarray
    posted: np.ndarray
    others: np.ndarray
    reach: np.ndarray


def new_room(players: int, states: int, sets: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Room:
    """Room for games of one size; `sets` are `all_sets`."""
    size, providers = 1 << states, players - 1
    return Room(
        *sets,
        np.zeros((players, size)),
        np.zeros(size, np.bool_),
        np.zeros(size),
        np.zeros((providers, size)),
        np.zeros(size, np.int32),
        np.zeros((players, size), np.int32),
        np.zeros((players, states + 1), np.int64),
        np.zeros(size),
        np.zeros(size, np.int64),
        np.zeros(size),
        np.zeros(size),
        np.zeros(size, np.int64),
        np.zeros(size, np.int32),
        np.zeros((3, states + 1), np.int64),
        np.zeros((providers, size), np.int32),
        np.zeros((providers, states), np.int32),
        np.zeros((providers, states), np.int32),
        np.zeros(states, np.int32),
        np.zeros(states, np.int32),
    )


@loop
def _joint_range(start, stop, games, masks, step_limit, answers, room, of_cells):
    """Solve games `start` to `stop - 1`; called through `joint_games`, which says what everything is."""
    for b in range(start, stop):
        game_cells(games, b, of_cells, room.values, room.allowed)
        _stable_cells(games.tolerance[b], room, answers.near_ties[b])
        for c in range(len(masks)):
            _equilibria(b, c, masks[c], games.tolerance[b], room, answers)
        if answers.dynamics.shape[1]:
            _dynamics(b, masks, games.tolerance[b], step_limit, room, answers)


@called
def _stable_cells(tolerance, room, near_ties):
    """What each provider's best partitions are worth, and which cells are stable for whom."""
    providers, size = room.best.shape
    for s in range(size):
        room.bits[s], room.known[s] = 0, -1
    for j in range(providers):
        value = room.values[j + 1]
        near_ties[j] = best_splits(value, room.allowed, tolerance, j, room.split, room.best[j], room.bits)
    for j in range(providers):
        list_cells(room.listed, room.first, room.bits, 1 << j, room.stable[j], room.begin[j])


@called
def _equilibria(b, c, mask, tolerance, room, answers):
    """The equilibria of a committee: of several all partitions into common stable cells."""
    user, highest, common = room.values[0], room.highest, len(room.best)
    j = 0
    while not mask >> j & 1:
        j += 1
    own, top, cells, first = room.values[j + 1], room.best[j], room.stable[j], room.begin[j]
    if mask != 1 << j:
        list_cells(cells, first, room.bits, mask, room.stable[common], room.begin[common])
        own, top, cells, first = room.nothing, room.nothing, room.stable[common], room.begin[common]
    supported(
        cells, first, highest, user, own, top, tolerance, c, room.known, room.worst, room.most, room.count,
        room.inside, room.path,
    )  # fmt: skip
    recover(cells, first, highest, user, own, top, tolerance, room.worst, answers.worst_partition[b, c])
    full = len(user) - 1
    answers.worst[b, c], answers.best[b, c] = room.worst[full], room.most[full]
    answers.count[b, c] = room.count[full]


@called
def _dynamics(b, masks, tolerance, step_limit, room, answers):
    """Where the dynamics of every committee ends: in turn, from the lowest provider."""
    values, posted, others, reach = room.values, room.posted, room.others, room.reach
    providers, size = room.best.shape
    nobody = np.int64(0)  # not a literal, for which everything would be compiled once more
    _hear(posted, nobody, others)
    for j in range(providers):
        for s in range(size):
            room.firsts[j, s] = 0
        _refine(j, tolerance, room, room.opening[j])
    for c in range(len(masks)):
        heard = answers.dynamics_partition[b, c]
        for j in range(providers):
            _copy(room.opening[j], posted[j])
        turn, quiet, moves, going = nobody, 0, 0, True
        _hear(posted, masks[c], heard)
        while quiet < providers and going:
            if masks[c] >> turn & 1:
                own = values[turn + 1]
                _hear(posted, masks[c] & ~(1 << turn), others)
                _refine(turn, tolerance, room, reach)
                if worth(own, reach) > worth(own, heard) + tolerance:
                    going = moves < step_limit
                    if going:
                        _copy(reach, posted[turn])
                        _hear(posted, masks[c], heard)
                        moves, quiet = moves + 1, -1
            quiet, turn = quiet + 1, (turn + 1) % providers
        answers.dynamics[b, c], answers.dynamics_steps[b, c] = worth(values[0], heard), moves
        answers.dynamics_ended[b, c] = going


@called
def _refine(j, tolerance, room, fine):
    """Provider j's best refinement of what the others say."""
    own, best, cells, first = room.values[j + 1], room.best[j], room.stable[j], room.begin[j]
    refine(room.others, own, best, cells, first, room.highest, tolerance, room.firsts[j], fine)


@called
def _hear(posted, mask, heard):
    """The common refinement of the partitions `[K, X]` that a committee posts; of nobody's, all states together."""
    for x in range(len(heard)):
        cell = (1 << len(heard)) - 1
        for j in range(len(posted)):
            if mask >> j & 1:
                cell &= posted[j, x]
        heard[x] = cell


@called
def _copy(source, target):
    for x in range(len(source)):
        target[x] = source[x]


def joint_games(
    contributions: Any,
    weights: Any,
    available: Any,
    rationality: Any,
    tolerance: Any,
    masks: Any,
    *,
    quantal: bool,
    resolution: int,
    dynamics: bool,
    step_limit: int,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Solve B games for C committees.

    Args:
        contributions, weights, available, rationality, tolerance, quantal, resolution: see `cells.Games`.
        masks: `[C]` committees, as bitmasks of providers.
        dynamics: whether to run best-response dynamics.
        step_limit: where to stop them.
        threads: how many to use. Results do not depend on it.

    Returns:
        As in `equilibrax_kernels.joint.Joint`, with the games first: `worst`, `best` `[B, C]` float64 (integers under
        best response), `count` int64, `worst_partition` `[B, C, X]` int32 sets, `near_ties` `[B, K]` int64; and with
        `dynamics`, `dynamics` `[B, C]`, `dynamics_partition`, `dynamics_steps`, `dynamics_ended`.
    """
    count, players, _, states, actions = contributions.shape
    shape, played = (count, len(masks)), (count, len(masks) if dynamics else 0)
    answers = Answers(
        worst=np.empty(shape),
        best=np.empty(shape),
        count=np.empty(shape, np.int64),
        worst_partition=np.empty((*shape, states), np.int32),
        near_ties=np.empty((count, players - 1), np.int64),
        dynamics=np.empty(played),
        dynamics_partition=np.empty((*played, states), np.int32),
        dynamics_steps=np.empty(played, np.int64),
        dynamics_ended=np.empty(played, np.bool_),
    )
    games = new_games(contributions, weights, available, rationality, tolerance, quantal, resolution)
    committees, sets = plain(np.asarray(masks, np.int64)), all_sets(states)

    def solve_range(start: int, stop: int) -> None:
        rooms = new_room(players, states, sets), cells_room(players, states, actions)
        _joint_range(start, stop, games, committees, step_limit, answers, *rooms)

    run_over_tables(solve_range, count, threads)
    return {name: array for name, array in answers._asdict().items() if dynamics or not name.startswith("dynamics")}
