"""The selection game over partitions, one game at a time: `equilibrax_kernels.obedience` as loops.

All partitions are listed with their values for everybody. Under best response, all that a selection game does with
values is to compare them, so they are replaced by their ranks. Then the list is one of schemes like any other, in the
user's order, and committees and dynamics are those of the selection game. Values of quantal users are compared up to a
tolerance, as in `tolerant`.

Letters: P = K + 1 players, the user first; Z signals, X states, A actions, N = 2**X sets, S partitions, C committees, B
games.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from equilibrax_kernels.cpu.cells import cells_room, game_cells, new_games
from equilibrax_kernels.cpu.committees import Cells, new_cells, over_supersets, worst_entry
from equilibrax_kernels.cpu.compiling import called, loop, spliced
from equilibrax_kernels.cpu.dynamics import Responses, find_responses, new_responses, run_dynamics
from equilibrax_kernels.cpu.frontier import Partial
from equilibrax_kernels.cpu.sorting import Sorting, new_sorting, ranks
from equilibrax_kernels.cpu.threads import plain, run_over_tables
from equilibrax_kernels.cpu.tolerant import (
    Stability,
    find_stability,
    new_stability,
    tolerant_dynamics,
    tolerant_equilibria,
)


class Answers(NamedTuple):
    """What a loop writes; see `obedient_games`."""

    worst: np.ndarray
    best: np.ndarray
    count: np.ndarray
    worst_partition: np.ndarray
    near_ties: np.ndarray
    dynamics: np.ndarray
    dynamics_partition: np.ndarray
    dynamics_steps: np.ndarray
    dynamics_ended: np.ndarray


class Rules(NamedTuple):
    """Options of the game; see `obedient_games`."""

    ties: bool
    minimal: bool
    random: bool
    step_limit: int


class Room(NamedTuple):
    """What is known of one game, and space to work with.

    Attributes:
        cells, allowed: `[P, N]` and `[N]`, `cells.game_cells`.
        values: `[P, S]` of the allowed partitions, and `position` `[S]` of each among all.
        sorting, rank, largest: see `sorting.ranks`; of the user's ranks, `of_user` `[S]` their largest values and
            `begin` `[S]` where they begin in her order.
        listed: the partitions in the user's order, as schemes: ranks for values, `rank` for the place in `values`.
        responses, stable: of `dynamics` and `committees`; tolerant: of quantal users.
    """

    cells: np.ndarray
    allowed: np.ndarray
    values: np.ndarray
    position: np.ndarray
    sorting: Sorting
    rank: np.ndarray
    largest: np.ndarray
    of_user: np.ndarray
    begin: np.ndarray
    listed: Partial
    responses: Responses
    stable: Cells
    tolerant: Stability


def new_room(players: int, states: int, size: int) -> Room:
    """Room for games with so many partitions."""
    return Room(
        np.zeros((players, 1 << states)),
        np.zeros(1 << states, np.bool_),
        np.zeros((players, size)),
        np.zeros(size, np.int64),
        new_sorting(size),
        np.zeros(size, np.int64),
        np.zeros(size),
        np.zeros(size),
        np.zeros(size, np.int64),
        Partial(
            np.zeros((size, players), np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.ones(size, np.int64),
            np.ones(size),
            np.zeros((size, 0), np.int64),
        ),
        new_responses(size, players - 1),
        new_cells(players - 1, 0),
        new_stability(size, players - 1),
    )


@loop
def _obedient_range(start, stop, games, partitions, keys, masks, rules, answers, room, of_cells):
    """Solve games `start` to `stop - 1`; called through `obedient_games`, which says what everything is."""
    for b in range(start, stop):
        game_cells(games, b, of_cells, room.cells, room.allowed)
        kept = _list_allowed(room, partitions)
        tolerance, near_ties = games.tolerance[b], answers.near_ties[b]
        if games.quantal:
            for p in range(len(near_ties)):
                near_ties[p] = kept - 1 - ranks(room.values[p], kept, tolerance, room.sorting, room.rank, room.largest)
            _answer_quantal(b, room, kept, tolerance, masks, keys, rules, answers)
        else:
            _order(room, kept, near_ties)
            _find_stable(room.listed, kept)
            _answer(b, room, kept, masks, keys, rules, answers)


@spliced
def _answer_quantal(b, room, kept, tolerance, masks, keys, rules, answers):
    """All committees of game b, of which `kept` partitions are listed."""
    values, found = room.values, room.tolerant
    find_stability(values, kept, tolerance, room.sorting, found)
    for c in range(len(masks)):
        worst, best, count, at = tolerant_equilibria(values, kept, tolerance, found, masks[c], rules.ties)
        answers.worst[b, c], answers.best[b, c], answers.count[b, c] = worst, best, count
        answers.worst_partition[b, c] = room.position[at] if count else 0
        if answers.dynamics.shape[1]:
            end, steps, ended = tolerant_dynamics(
                values, kept, tolerance, found, np.int64(masks[c]), keys[b], rules.random, rules.ties, rules.minimal,
                rules.step_limit,
            )  # fmt: skip
            answers.dynamics[b, c], answers.dynamics_partition[b, c] = values[0, end], room.position[end]
            answers.dynamics_steps[b, c], answers.dynamics_ended[b, c] = steps, ended


@spliced
def _answer(b, room, kept, masks, keys, rules, answers):
    """All committees of game b, of which `kept` partitions are listed."""
    listed, responses, stable = room.listed, room.responses, room.stable
    moving, providers = answers.dynamics.shape[1], len(room.values) - 1
    if rules.ties or moving:
        find_responses(listed, kept, responses)
    for lowest in range(providers if rules.ties else 1):
        over_supersets(listed, kept, providers, responses.tie_bits, lowest if rules.ties else -1, stable)
        for c in range(len(masks)):
            mask = masks[c]
            if rules.ties and mask & ((2 << lowest) - 1) != 1 << lowest:
                continue
            if mask & (mask - 1):
                cell = mask >> (lowest + 1) if rules.ties else mask
                # With two providers or more the user's optimum is always an equilibrium: nothing is better for her.
                entry, top, count = worst_entry(stable, cell), 0, stable.exact[cell]
            else:
                entry, top, count = _alone(listed, kept, mask)
            at = listed.rank[entry]
            answers.best[b, c], answers.count[b, c] = room.of_user[listed.values[top, 0]], count
            answers.worst[b, c], answers.worst_partition[b, c] = room.values[0, at], room.position[at]
    for c in range(moving):
        entry, steps, ended = run_dynamics(
            listed,
            kept,
            responses,
            np.int64(masks[c]),
            keys[b],
            rules.random,
            rules.ties,
            rules.minimal,
            rules.step_limit,
        )
        at = listed.rank[entry]
        answers.dynamics[b, c], answers.dynamics_partition[b, c] = room.values[0, at], room.position[at]
        answers.dynamics_steps[b, c], answers.dynamics_ended[b, c] = steps, ended


@called
def _list_allowed(room, partitions):
    """Values and positions of the partitions whose cells all have an action; returns how many there are."""
    values, kept = room.values, 0
    for s in range(len(partitions)):
        valid, x = True, 0
        for p in range(len(values)):
            values[p, kept] = 0
        while x < partitions.shape[1] and partitions[s, x]:
            cell = partitions[s, x]
            valid &= room.allowed[cell]
            for p in range(len(values)):
                values[p, kept] += room.cells[p, cell]
            x += 1
        room.position[kept] = s
        kept += valid
    return kept


@called
def _order(room, kept, near_ties):
    """List the partitions in the user's order, with ranks for values; `near_ties` `[P]` are those without their own."""
    values, listed, rank, sorting = room.values, room.listed, room.rank, room.sorting
    last, begin = ranks(values[0], kept, 0.0, sorting, rank, room.of_user), room.begin
    near_ties[0] = kept - 1 - last
    for r in range(last + 1):
        begin[r] = 0
    for s in range(kept):
        begin[rank[s]] += 1
    end = kept
    for r in range(last + 1):  # the last rank is the first in her order
        end -= begin[r]
        begin[r] = end
    for s in range(kept):
        i = begin[rank[s]]
        listed.rank[i], listed.values[i, 0] = s, rank[s]
        begin[rank[s]] += 1
    for p in range(1, len(values)):
        near_ties[p] = kept - 1 - ranks(values[p], kept, 0.0, sorting, rank, room.largest)
        for i in range(kept):
            listed.values[i, p] = rank[listed.rank[i]]


@called
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


@called
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


def obedient_games(
    contributions: Any,
    weights: Any,
    available: Any,
    rationality: Any,
    tolerance: Any,
    partitions: Any,
    masks: Any,
    keys: Any = None,
    *,
    quantal: bool,
    resolution: int,
    ties: bool,
    dynamics: bool,
    minimal: bool,
    step_limit: int,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Solve B games for C committees.

    Args:
        contributions, weights, available, rationality, tolerance, quantal, resolution: see `cells.Games`.
        partitions: `[S, X]`, all in lexicographic order: the cells of each, by lowest state, as sets (state x is bit
            X - 1 - x); 0 fills up.
        masks: `[C]` committees, as bitmasks of providers.
        keys: `[B, 2]` uint32 random key data, to draw deviators; None: in turn.
        ties: the lowest index wins the user's ties (Definition 16) instead of the incumbent.
        dynamics: whether to run best-response dynamics, of at most `step_limit` deviations.
        minimal: deviations with the smallest gain.
        threads: how many to use. Results do not depend on it.

    Returns:
        With the games first, and partitions as their positions: `worst` and `best` `[B, C]` float64 (integers under
        best response; NaN if there is no equilibrium), `count` int64, `worst_partition` int32, the first of the worst;
        `near_ties` `[B, P]` int64, as of `tolerant.near_ties`; and with `dynamics`, `dynamics` `[B, C]`,
        `dynamics_partition`, `dynamics_steps` and `dynamics_ended`.
    """
    count, players, _, states, actions = contributions.shape
    shape, played = (count, len(masks)), (count, len(masks) if dynamics else 0)
    answers = Answers(
        worst=np.empty(shape),
        best=np.empty(shape),
        count=np.empty(shape, np.int64),
        worst_partition=np.empty(shape, np.int32),
        near_ties=np.empty((count, players), np.int64),
        dynamics=np.empty(played),
        dynamics_partition=np.empty(played, np.int32),
        dynamics_steps=np.empty(played, np.int64),
        dynamics_ended=np.empty(played, np.bool_),
    )
    drawn = np.zeros((count, 2), np.uint32) if keys is None else np.asarray(keys, np.uint32)
    games = new_games(contributions, weights, available, rationality, tolerance, quantal, resolution)
    listed, rules = plain(np.asarray(partitions, np.int32)), Rules(ties, minimal, keys is not None, step_limit)
    drawn, committees = plain(drawn), plain(np.asarray(masks, np.int64))

    def solve_range(start: int, stop: int) -> None:
        rooms = new_room(players, states, len(listed)), cells_room(players, states, actions)
        _obedient_range(start, stop, games, listed, drawn, committees, rules, answers, *rooms)

    run_over_tables(solve_range, count, threads)
    return {name: array for name, array in answers._asdict().items() if dynamics or not name.startswith("dynamics")}
