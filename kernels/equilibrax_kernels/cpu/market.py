"""From markets to games between providers who post strategies, and their answers: `equilibrax_kernels.market` as loops.

Two kinds of rules. Under obedience a rule is a partition; a user learns its common refinement with what she sees
herself, and responds to every cell of that, best or quantally. Under delegation a rule names an action in every state
and users do what it says. Earnings are sums over users, or expectations of a tensor over action profiles in which,
given the state, users act independently.

All values are float64, and exact integers under best response: see `cells`. Quantal users compare by rank.

Letters: P players whose values are wanted, the users themselves first; K providers, N users, X states, A actions, R
rules, M strategies, C committees, B markets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.cells import best_response_cells, cells_room, quantal_cells
from equilibrax_kernels.cpu.compiling import compiled, part
from equilibrax_kernels.cpu.deviations import market_dynamics, monopoly_strategies
from equilibrax_kernels.cpu.partitions import worth
from equilibrax_kernels.cpu.profiles import Postings, earnings, first_best, profile_equilibria
from equilibrax_kernels.cpu.sorting import ranks


class MarketResults(NamedTuple):
    """Results of B markets; `market_games` fills them in. What is not wanted has no committees, or no providers.

    Attributes:
        count: `[B, C]` int64, number of equilibrium profiles; where it is 0 the next four are meaningless.
        worst, best: `[B, C, N]` every user's smallest and largest value in equilibrium.
        profile: `[B, C, N, K]` int32, the strategies in the first of the equilibria that are worst for the user; -1 for
            providers that are not members.
        choice: `[B, C, N, N]` int32, for that equilibrium, the provider that each user takes.
        dynamics_profile: `[B, C, K]` int32, where dynamics ends.
        dynamics_choice: `[B, C, N]` int32.
        dynamics_value: `[B, C, N]`.
        dynamics_steps: `[B, C]` int32.
        dynamics_ended, dynamics_cycle: `[B, C]` bool.
        now, most: `[B, K]` what each provider earns in a given profile, and the most that it can earn.
        first: `[B, K]` int32, the first strategy by which it earns that.
    """

    count: np.ndarray
    worst: np.ndarray
    best: np.ndarray
    profile: np.ndarray
    choice: np.ndarray
    dynamics_profile: np.ndarray
    dynamics_choice: np.ndarray
    dynamics_value: np.ndarray
    dynamics_steps: np.ndarray
    dynamics_ended: np.ndarray
    dynamics_cycle: np.ndarray
    now: np.ndarray
    most: np.ndarray
    first: np.ndarray


def market_results(
    markets: int, users: int, providers: int, committees: int, *, listed: bool, dynamics: bool, checked: bool
) -> MarketResults:
    """Room for results of what is wanted.

    Example:
        >>> market_results(2, 3, 4, 15, listed=True, dynamics=False, checked=False).worst.shape
        (2, 15, 3)
    """
    b, n, k = markets, users, providers
    c, d, checks = committees * listed, committees * dynamics, k * checked
    return MarketResults(
        count=np.zeros((b, c), np.int64),
        worst=np.zeros((b, c, n)),
        best=np.zeros((b, c, n)),
        profile=np.zeros((b, c, n, k), np.int32),
        choice=np.zeros((b, c, n, n), np.int32),
        dynamics_profile=np.zeros((b, d, k), np.int32),
        dynamics_choice=np.zeros((b, d, n), np.int32),
        dynamics_value=np.zeros((b, d, n)),
        dynamics_steps=np.zeros((b, d), np.int32),
        dynamics_ended=np.zeros((b, d), np.bool_),
        dynamics_cycle=np.zeros((b, d), np.bool_),
        now=np.zeros((b, checks)),
        most=np.zeros((b, checks)),
        first=np.zeros((b, checks), np.int32),
    )


@compiled
def market_games(
    start,
    stop,
    contributions,
    available,
    prior,
    tensor,
    rationality,
    of_users,
    of_providers,
    quantal,
    resolution,
    delegation,
    own,
    exists,
    rules,
    masks,
    step_limit,
    posted,
    count,
    worst,
    best,
    profile,
    choice,
    dynamics_profile,
    dynamics_choice,
    dynamics_value,
    dynamics_steps,
    dynamics_ended,
    dynamics_cycle,
    now,
    most,
    first,
):
    """Solve markets `start` to `stop - 1` for all committees.

    Args:
        start, stop: which markets.
        contributions: `[B, P, N, X, A]` int64, prior weight times utility, with sums below `cells.EXACT`: of user n
            herself and, if earnings are sums, what she earns every provider.
        available: `[B, N, A]` bool.
        prior: `[B, X]` int64 weights.
        tensor: `[B, K, X, A**N]`, prior weight times utility, float64; no last axis (length 0) if earnings are sums.
        rationality: `[B]` float64, lambdas of quantal users.
        of_users, of_providers: `[B]` and `[B, K]` tolerances, float64; zeros under best response.
        quantal: whether users respond quantally.
        resolution: fixed-point steps per unit of utility.
        delegation: whether rules are maps to actions.
        own: `[K, N, M]` int32, the rule that strategy m of provider k has for user n.
        exists: `[K, M]` bool.
        rules: `[N, R, X]` int32: the action in every state, or the set that each state is in as user n learns it (state
            x is bit X - 1 - x).
        masks: `[C]` int64 committees.
        step_limit: most moves of dynamics.
        posted: `[B, K]` int64, a profile for which to fill in `now`, `most` and `first`, of the first committee.
        count to first: of `MarketResults`.
    """
    _, players, users, states, actions = contributions.shape
    providers, _, strategies = own.shape
    size, general = rules.shape[1], tensor.shape[3] > 0
    counters = actions if general else 0  # players who count how often each action is taken
    room = cells_room(players + counters, states, actions)
    given = np.zeros((players + counters, 1, states, actions), np.int64)
    values, does = np.zeros((players, users, size)), np.zeros((users, size if general else 0, states, actions))
    order, offers = np.zeros((providers, users, strategies)), np.zeros((providers, users, strategies))
    amounts = np.zeros((1 if general else providers, providers, users, strategies))
    tables = np.zeros((providers, size**users if general else 0))
    here, opening, earned = exists.copy(), np.zeros(providers, np.int64), np.zeros(strategies)
    for b in range(start, stop):
        if delegation:
            _follow(contributions[b], available[b], rules, own, exists, values, does, here)
        else:
            for n in range(users):
                _copy_user(contributions[b], n, given)
                everywhere = _everywhere(available[b, n], states)
                cells, allowed = np.zeros((players + counters, 1 << states)), np.zeros(1 << states, np.bool_)
                if not quantal:
                    best_response_cells(given, everywhere, room, cells, allowed)
                else:
                    weights = prior[b].reshape(1, states)
                    quantal_cells(given, weights, everywhere, rationality[b], resolution, room, cells, allowed)
                _learn(cells, rules, n, values, does)
        _post(values, own, quantal, of_users[b], order, offers, amounts)
        if general:
            _tabulate(tensor[b], does, tables)
        game = Postings(order, offers, amounts, tables, here, of_providers[b])
        if dynamics_steps.shape[1]:
            monopoly_strategies(game, opening, earned)
        for c in range(len(masks)):
            if count.shape[1]:
                found = worst[b, c], best[b, c], profile[b, c], choice[b, c]
                count[b, c] = profile_equilibria(game, masks[c], *found)
            if dynamics_steps.shape[1]:
                end = dynamics_profile[b, c], dynamics_choice[b, c], dynamics_value[b, c]
                steps, ended, cycle = market_dynamics(game, masks[c], step_limit, opening, *end)
                dynamics_steps[b, c], dynamics_ended[b, c], dynamics_cycle[b, c] = steps, ended, cycle
        for j in range(now.shape[1]):
            earnings(game, posted[b], masks[0], j, earned)
            most[b, j], first[b, j] = first_best(earned, here[j], of_providers[b, j])
            now[b, j] = earned[posted[b, j]]


@part
def _copy_user(contributions, n, given):
    """From `[P, N, X, A]` to `[P, 1, X, A]`, one user's; further players count how often each action is taken."""
    players, _, states, actions = contributions.shape
    for p in range(len(given)):
        for x in range(states):
            for a in range(actions):
                given[p, 0, x, a] = contributions[p, n, x, a] if p < players else a == p - players


@compiled
def _everywhere(available, states):
    """`[X, A]`: a user's actions are the same in every state."""
    found = np.zeros((states, len(available)), np.bool_)
    for x in range(states):
        for a in range(len(available)):
            found[x, a] = available[a]
    return found


@part
def _learn(cells, rules, n, values, does):
    """Values `[P, N, R]` of partitions for user n, and how probable her actions are, `[N, R, X, A]`, if wanted.

    Args:
        cells: `[P + A, N]` the values of sets; of the last players, how often each action is taken.
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
                does[n, r, x, a] = cells[players + a, s] / states  # of integers, 0 or 1


@part
def _follow(contributions, available, rules, own, exists, values, does, here):
    """The same of maps to actions, when users do what these say; and which strategies name available actions only."""
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
    for k in range(len(here)):
        for m in range(here.shape[1]):
            here[k, m] = exists[k, m]
            for n in range(users):
                for x in range(states):
                    here[k, m] &= available[n, rules[n, own[k, n, m], x]]


@compiled
def _post(values, own, quantal, tolerance, order, worth, amounts):
    """What strategies are worth to users, `[K, N, M]`, and to providers; if these look it up, digits of the cell."""
    providers, users, strategies = own.shape
    size = values.shape[2]
    rank, largest = np.zeros(size, np.int64), np.zeros(size)
    stride = size**users
    for n in range(users):
        stride //= size
        if quantal:
            ranks(values[0, n], tolerance, rank, largest)
        for k in range(providers):
            for m in range(strategies):
                r = own[k, n, m]
                worth[k, n, m] = values[0, n, r]
                order[k, n, m] = rank[r] if quantal else values[0, n, r]
                for q in range(len(amounts)):
                    amounts[q, k, n, m] = values[1 + q, n, r] if len(values) > 1 else r * stride


@compiled
def _tabulate(tensor, does, tables):
    """What every provider earns, `[K, R**N]`, for every rule of every user: expectations of `[K, X, A**N]`."""
    users, size, states, actions = does.shape
    for k in range(len(tensor)):
        for i in range(tables.shape[1]):
            tables[k, i] = 0
        for x in range(states):
            source, front, back = tensor[k, x].copy(), 1, tensor.shape[2]
            for n in range(users):
                back //= actions
                target = np.zeros(front * size * back)
                for f in range(front):
                    for r in range(size):
                        for a in range(actions):
                            share = does[n, r, x, a]
                            if share != 0:
                                for i in range(back):
                                    target[(f * size + r) * back + i] += share * source[(f * actions + a) * back + i]
                source, front = target, front * size
            for i in range(tables.shape[1]):
                tables[k, i] += source[i]
