"""What every set of states is worth as one cell, for one game: `equilibrax_kernels.cells` as loops.

Sets come in the order of their numbers, and the sums of a set are those of the set without its last state and that
state's row. So only the sums of the sets on the way to the present one are kept, one for each state, and all of them
stay in the first cache, however many sets there are.

State x is bit `X - 1 - x` of a set, as in the JAX kernels: the lowest state of a set is its highest bit.

Values are float64. Under best response they are integers below 2**53 in size, which float64 holds exactly, so sums and
comparisons are exact too, and what follows is compiled once for both responses.

Letters: P = K + 1 players, the user first; Z signals, X states, A actions, N = 2**X sets.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import called
from equilibrax_kernels.cpu.threads import plain

SHARPEST = 1e300
"""Infinite rationality: odds of any two utilities that differ are 0 all the same, but 0 times this is 0."""


EXACT = 2**53
"""Sums of contributions of this size or more are not exact here; they are for the JAX kernels, in integers."""


class Games(NamedTuple):
    """Games in which a user responds to cells; from `new_games`.

    Attributes:
        contributions: `[B, P, Z, X, A]` int64, the user first; sums over states and signals are below `EXACT`.
        weights: `[B, Z, X]` int64 prior weights, of quantal users.
        available: `[B, X, A]` bool.
        rationality: `[B]` float64, lambda of each game, at least 0; may be infinite.
        tolerance: `[B]` float64; values that differ by no more than this are equal; 0 under best response.
        quantal: whether the user responds quantally.
        resolution: fixed-point steps per unit of utility.
    """

    contributions: np.ndarray
    weights: np.ndarray
    available: np.ndarray
    rationality: np.ndarray
    tolerance: np.ndarray
    quantal: bool
    resolution: int


def new_games(
    contributions: Any, weights: Any, available: Any, rationality: Any, tolerance: Any, quantal: bool, resolution: int
) -> Games:
    """Games from arrays of any integers, floating-point numbers and layout; copies only what is of another kind."""
    return Games(
        plain(np.asarray(contributions, np.int64)),
        plain(np.asarray(weights, np.int64)),
        plain(np.asarray(available, np.bool_)),
        plain(np.asarray(rationality, np.float64)),
        plain(np.asarray(tolerance, np.float64)),
        quantal,
        resolution,
    )


class CellsRoom(NamedTuple):
    """What finding the values of all sets needs to work with.

    Attributes:
        rows, sums: `[X + 1, A (P + 1)]` what every state adds, and sums of the sets on the way; zeros of the empty set.
        last: `[N]` the position of every set's lowest bit, X for the empty set.
        weight, mean: `[X + 1]` and `[P]`, weights and means of quantal users.
    """

    rows: np.ndarray
    sums: np.ndarray
    last: np.ndarray
    weight: np.ndarray
    mean: np.ndarray


def cells_room(players: int, states: int, actions: int) -> CellsRoom:
    """Room for games of one size."""
    last, tables = np.full(1 << states, states, np.int8), np.zeros((2, states + 1, actions * (players + 1)))
    for n in range(states):
        last[1 << n :: 2 << n] = n
    return CellsRoom(tables[0], tables[1], last, np.zeros(states + 1, np.int64), np.zeros(players))


@called
def game_cells(games, b, room, values, allowed):
    """Fill in the values of all sets in game b, `[P, N]`, and which have an action, `[N]`."""
    contributions, available = games.contributions[b], games.available[b]
    if games.quantal:
        lam = games.rationality[b]
        quantal_cells(contributions, games.weights[b], available, lam, games.resolution, room, values, allowed)
    else:
        best_response_cells(contributions, available, room, values, allowed)


@called
def best_response_cells(contributions, available, room, values, allowed):
    """Fill in the values of all sets under best response (ties: the lowest action), and which have an action.

    Args:
        contributions: `[P, Z, X, A]` int64.
        available: `[X, A]` bool.
        room: from `cells_room`.
        values: `[P, N]`; minus infinity for sets without a common action, 0 for the empty set.
        allowed: `[N]` bool.
    """
    players, signals, states, actions = contributions.shape
    rows, sums, last, width = room.rows, room.sums, room.last, players + 1
    _start(values, allowed)
    for z in range(signals):
        _fill_rows(contributions, available, z, rows)
        for s in range(1, 1 << states):
            here = sums[last[s]]
            _add(sums[last[s & (s - 1)]], rows[last[s]], here)
            chosen, top = -1, -math.inf
            for a in range(actions):
                better = (here[a * width + players] == 0) & (here[a * width] > top)
                chosen, top = (a if better else chosen), (here[a * width] if better else top)
            allowed[s] = chosen >= 0
            for p in range(players):
                values[p, s] = values[p, s] + here[chosen * width + p] if chosen >= 0 else -math.inf


@called
def quantal_cells(contributions, weights, available, rationality, resolution, room, values, allowed):
    """Fill in the values of all sets under quantal response, and which have an action.

    Args:
        contributions: `[P, Z, X, A]` int64.
        weights: `[Z, X]` int64 prior weights.
        available: `[X, A]` bool.
        rationality: lambda, at least 0; may be infinite.
        resolution: fixed-point steps per unit of utility.
        room, values, allowed: as in `best_response_cells`.
    """
    players, signals, states, actions = contributions.shape
    rows, sums, last, weight, mean = room
    width, sharpness = players + 1, min(rationality, SHARPEST)
    _start(values, allowed)
    for z in range(signals):
        _fill_rows(contributions, available, z, rows)
        for s in range(1, 1 << states):
            n, before = last[s], last[s & (s - 1)]
            here = sums[n]
            _add(sums[before], rows[n], here)
            weight[n] = weight[before] + weights[z, states - 1 - n]
            unit = np.float64(max(weight[n], 1)) * resolution
            top = -math.inf
            for a in range(actions):
                better = (here[a * width + players] == 0) & (here[a * width] > top)
                top = here[a * width] if better else top
            mass = 0.0
            for p in range(players):
                mean[p] = 0
            for a in range(actions):
                if here[a * width + players] == 0:
                    share = math.exp(sharpness * ((here[a * width] - top) / unit))
                    mass += share
                    for p in range(players):
                        mean[p] += share * here[a * width + p]
            allowed[s] = mass > 0
            for p in range(players):
                values[p, s] = values[p, s] + mean[p] / mass if mass > 0 else -math.inf


@called
def _start(values, allowed):
    for s in range(len(allowed)):
        allowed[s] = True
        for p in range(len(values)):
            values[p, s] = 0


@called
def _fill_rows(contributions, available, z, rows):
    """For every state, by its bit, and action what players get; and 1 where the action is missing."""
    players, _, states, actions = contributions.shape
    for n in range(states):
        x = states - 1 - n
        for a in range(actions):
            for p in range(players):
                rows[n, a * (players + 1) + p] = contributions[p, z, x, a]
            rows[n, a * (players + 1) + players] = not available[x, a]


@called
def _add(before, row, sums):
    """The sums of a set, for every action those of the players and how many states miss it: of all but its last state,
    and that state's."""
    for i in range(len(sums)):
        sums[i] = before[i] + row[i]
