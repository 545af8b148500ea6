"""From markets to games between providers who post strategies: `equilibrax_kernels.market` as loops.

Two kinds of rules. Under obedience a rule is a partition; a user learns its common refinement with what she sees
herself, and responds to every cell of that, best or quantally. Under delegation a rule names an action in every state
and users do what it says. Earnings are sums over users, or expectations of a tensor over action profiles in which,
given the state, users act independently.

All values are float64, and exact integers under best response: see `cells`.

Letters: P players whose values are wanted, the users themselves first; K providers, N users, X states, A actions, R
rules, M strategies, B markets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.cells import best_response_cells, quantal_cells
from equilibrax_kernels.cpu.compiling import called, spliced
from equilibrax_kernels.cpu.partitions import worth
from equilibrax_kernels.cpu.profiles import Postings


class Markets(NamedTuple):
    """What a loop reads; see `market_games.market_games`."""

    contributions: np.ndarray
    available: np.ndarray
    prior: np.ndarray
    tensor: np.ndarray
    rationality: np.ndarray
    of_users: np.ndarray
    of_providers: np.ndarray
    own: np.ndarray
    exists: np.ndarray
    rules: np.ndarray
    masks: np.ndarray
    posted: np.ndarray
    quantal: bool
    resolution: int
    delegation: bool
    step_limit: int


class Room(NamedTuple):
    """What is known of one market, and space to work with.

    Attributes:
        given: `[P', 1, X, A]` one user's contributions; with a tensor, further players who count how often each action
            is taken.
        everywhere: `[X, A]` her actions, the same in all states.
        cells, allowed: `[P', 2**X]` and `[2**X]` values of sets for her, and which have an action.
        values: `[P, N, R]` values of rules.
        does: `[N, R, X, A]` how probable every action is, or without rules.
        partial: `[2, T]`, see `_tabulate`.
    """

    given: np.ndarray
    everywhere: np.ndarray
    cells: np.ndarray
    allowed: np.ndarray
    values: np.ndarray
    does: np.ndarray
    partial: np.ndarray


def new_room(markets: Markets) -> tuple[Room, Postings]:
    """Room for markets of one size, and for the game that each becomes."""
    _, players, users, states, actions = markets.contributions.shape
    providers, _, strategies = markets.own.shape
    size, general = markets.rules.shape[1], markets.tensor.shape[3] > 0
    with_counters = players + (actions if general else 0)
    room = Room(
        np.zeros((with_counters, 1, states, actions), np.int64),
        np.zeros((states, actions), np.bool_),
        np.zeros((with_counters, 1 << states)),
        np.zeros(1 << states, np.bool_),
        np.zeros((players, users, size)),
        np.zeros((users, size if general else 0, states, actions)),
        np.zeros((2, size ** (users - 1) * max(size, actions) * actions ** (users - 1) if general else 0)),
    )
    game = Postings(
        np.zeros((providers, users, strategies)),
        np.zeros((1 if general else providers, providers, users, strategies)),
        np.zeros((providers, size**users if general else 0)),
        np.zeros((providers, strategies), np.bool_),
        np.zeros(1),
        np.zeros(providers),
    )
    return room, game


@spliced
def set_game(b, markets, of_cells, room, game):
    """Market b as a game between providers who post strategies."""
    contributions, available, rules = markets.contributions[b], markets.available[b], markets.rules
    if markets.delegation:
        _follow(contributions, available, rules, room.values, room.does)
    else:
        for n in range(len(rules)):
            _copy_user(contributions, available, n, room)
            if markets.quantal:
                lam, weights = markets.rationality[b], markets.prior[b : b + 1]
                quantal_cells(
                    room.given, weights, room.everywhere, lam, markets.resolution, of_cells, room.cells, room.allowed
                )
            else:
                best_response_cells(room.given, room.everywhere, of_cells, room.cells, room.allowed)
            _learn(room.cells, rules, n, room.values, room.does)
    _post(markets.own, room, game)
    game.user_tolerance[0] = markets.of_users[b]
    for k in range(len(game.exists)):
        game.tolerance[k] = markets.of_providers[b, k]
        for m in range(game.exists.shape[1]):
            game.exists[k, m] = markets.exists[k, m]
    if markets.delegation:
        _drop_unavailable(available, rules, markets.own, game.exists)
    if markets.tensor.shape[3]:
        _tabulate(markets.tensor[b], room.does, room.partial, game.tables)


@called
def _copy_user(contributions, available, n, room):
    """One user's contributions and actions; further players count how often each action is taken."""
    players, _, states, actions = contributions.shape
    for x in range(states):
        for a in range(actions):
            room.everywhere[x, a] = available[n, a]
            for p in range(len(room.given)):
                room.given[p, 0, x, a] = contributions[p, n, x, a] if p < players else a == p - players


@called
def _learn(cells, rules, n, values, does):
    """Values `[P, N, R]` of partitions for user n, and how probable her actions are, `[N, R, X, A]`, if wanted.

    Args:
        cells: `[P + A, 2**X]` the values of sets; of the last players, how often each action is taken.
        rules: `[N, R, X]` the set that each state is in.
    """
    players, _, size = values.shape
    for r in range(size):
        for p in range(players):
            values[p, n, r] = worth(cells[p], rules[n, r])
    for r in range(does.shape[1]):
        for x in range(does.shape[2]):
            s, states = rules[n, r, x], 0
            for bit in range(does.shape[2]):
                states += s >> bit & 1
            for a in range(does.shape[3]):
                does[n, r, x, a] = cells[players + a, s] / states  # under best response 0 or 1


@called
def _follow(contributions, available, rules, values, does):
    """The same of maps to actions, when users do what these say."""
    players, users, states, _ = contributions.shape
    for n in range(users):
        for r in range(rules.shape[1]):
            for p in range(players):
                values[p, n, r] = 0
                for x in range(states):
                    values[p, n, r] += contributions[p, n, x, rules[n, r, x]]
        for r in range(does.shape[1]):
            for x in range(states):
                for a in range(does.shape[3]):
                    does[n, r, x, a] = rules[n, r, x] == a


@called
def _drop_unavailable(available, rules, own, exists):
    """There is no strategy that names an action which a user does not have."""
    providers, users, strategies = own.shape
    for k in range(providers):
        for m in range(strategies):
            for n in range(users):
                for x in range(rules.shape[2]):
                    exists[k, m] &= available[n, rules[n, own[k, n, m], x]]


@called
def _post(own, room, game):
    """What strategies are worth to users, `[K, N, M]`, and to providers; if these look it up, digits of the cell."""
    providers, users, strategies = own.shape
    values, size = room.values, room.values.shape[2]
    stride = 1
    for n in range(users - 1, -1, -1):
        for k in range(providers):
            for m in range(strategies):
                r = own[k, n, m]
                game.worth[k, n, m] = values[0, n, r]
                for q in range(len(game.amounts)):
                    game.amounts[q, k, n, m] = values[1 + q, n, r] if len(values) > 1 else r * stride
        stride *= size


@called
def _tabulate(tensor, does, partial, tables):
    """What every provider earns, `[K, R**N]`, for every rule of every user: expectations of `[K, X, A**N]`.

    One user after the other, an axis of actions becomes one of rules, from one row of `partial` to the other.
    """
    users, size, states, actions = does.shape
    for k in range(len(tensor)):
        for i in range(tables.shape[1]):
            tables[k, i] = 0
        for x in range(states):
            front, back = 1, tensor.shape[2]
            for i in range(back):
                partial[0, i] = tensor[k, x, i]
            for n in range(users):
                back //= actions
                source, target = partial[n % 2], partial[(n + 1) % 2]
                for i in range(front * size * back):
                    target[i] = 0
                for f in range(front):
                    for r in range(size):
                        for a in range(actions):
                            share = does[n, r, x, a]
                            if share != 0:
                                for i in range(back):
                                    target[(f * size + r) * back + i] += share * source[(f * actions + a) * back + i]
                front *= size
            for i in range(tables.shape[1]):
                tables[k, i] += partial[users % 2, i]
