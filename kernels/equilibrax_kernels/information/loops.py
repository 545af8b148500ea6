"""Information markets as loops: what `equilibrax_kernels.information.market` says, one problem at a time.

A set of states that the buyer cannot tell apart is named by its lowest state. Prices are fractions of integers,
compared by cross-multiplying into two words (`_larger`).

Letters: M items, N = 2**M sets of items, W states, A acts, J sellers, D the depth, B problems.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import called, loop
from equilibrax_kernels.cpu.threads import plain, run_over_tables


class Problems(NamedTuple):
    """What a loop reads; see `information_markets`."""

    prior: np.ndarray
    utility: np.ndarray
    items: np.ndarray
    costs: np.ndarray
    owners: np.ndarray
    stakes: np.ndarray


class Answers(NamedTuple):
    """What a loop writes; see `information_markets`."""

    value: np.ndarray
    shown: np.ndarray
    price: np.ndarray
    weight: np.ndarray
    revenue: np.ndarray
    converged: np.ndarray
    rounds: np.ndarray


class Room(NamedTuple):
    """What is known of one problem, and space to work with.

    Attributes:
        cell: `[N, W]` the lowest state that agrees with w on the items of the set.
        weight: `[N, W]` the weight of that cell; worth `[N, W, A]` of every act in it, weight times utility summed up;
            act `[N, W]` the best one.
        choice: `[D + 1, N, W]` the item that is shown in a market of this depth and context, -1 for none; after, before
            of the next round and of an earlier one.
        known: `[D + 1, N, W]` the items known at the end of it.
        told: `[D + 1, N, W]` the lowest state that a Bayesian buyer cannot tell from w at the end of it.
        sums: `[A]` of the states that she thinks possible; seen `[W]` which they are.
    """

    cell: np.ndarray
    weight: np.ndarray
    worth: np.ndarray
    act: np.ndarray
    choice: np.ndarray
    after: np.ndarray
    before: np.ndarray
    known: np.ndarray
    told: np.ndarray
    sums: np.ndarray


def new_room(items: int, states: int, acts: int, depth: int, bayesian: bool) -> Room:
    """Room for problems of these sizes."""
    sets = 1 << items
    levels = (depth + 1, sets, states)
    extra = levels if bayesian else (1, 1, 1)
    return Room(
        np.zeros((sets, states), np.int32),
        np.zeros((sets, states), np.int64),
        np.zeros((sets, states, acts), np.int64),
        np.zeros((sets, states), np.int64),
        np.zeros(levels, np.int8),
        np.zeros(extra, np.int8),
        np.zeros(extra, np.int8),
        np.zeros(levels, np.int32),
        np.zeros(extra, np.int32),
        np.zeros(acts, np.int64),
    )


@loop
def _information_range(start, stop, problems, bayesian, most_rounds, answers, room):
    """Solve problems `start` to `stop - 1`; called through `information_markets`, which says what everything is."""
    levels = len(room.choice)
    for b in range(start, stop):
        _list_cells(b, problems, room)
        for d in range(levels):
            _choose_at_face_value(b, d, problems, room)
        answers.rounds[b], settled = 0, levels
        if bayesian:
            _read(room)
            if most_rounds:
                answers.rounds[b], settled = _repeat(b, problems, most_rounds, room)
        for d in range(levels):
            answers.converged[b, d] = d < settled
            _answer(b, d, problems, bayesian, answers, room)


@called
def _list_cells(b, problems, room):
    """What every set of items tells, and the best act on that."""
    prior, utility, items = problems.prior[b], problems.utility[b], problems.items[b]
    acts = utility.shape[1]
    for s in range(len(room.cell)):
        lowest = 0
        while s >> lowest and not s >> lowest & 1:
            lowest += 1
        rest = s & (s - 1)
        for w in range(len(prior)):
            v = w
            if s:
                v = 0
                while room.cell[rest, v] != room.cell[rest, w] or items[lowest, v] != items[lowest, w]:
                    v += 1
            else:
                v = 0
            room.cell[s, w] = v
            if v == w:
                room.weight[s, w] = 0
                for a in range(acts):
                    room.worth[s, w, a] = 0
            room.weight[s, v] += prior[w]
            for a in range(acts):
                room.worth[s, v, a] += prior[w] * utility[w, a]
        for w in range(len(prior)):
            v = room.cell[s, w]
            room.weight[s, w] = room.weight[s, v]
            for a in range(acts):
                room.worth[s, w, a] = room.worth[s, v, a]
            room.act[s, w] = _best(room.worth[s, w])


@called
def _best(sums):
    """The best act, the lowest of those."""
    best = 0
    for a in range(1, len(sums)):
        if sums[a] > sums[best]:
            best = a
    return best


@called
def _larger(value, weight, other, other_weight):
    """Whether value / weight > other / other_weight: weights below 2**31, values below 2**62 in size, nothing lost."""
    low = np.int64(0xFFFFFFFF)
    here, there = (value & low) * other_weight, (other & low) * weight
    high, other_high = (value >> 32) * other_weight + (here >> 32), (other >> 32) * weight + (there >> 32)
    return high > other_high or (high == other_high and here & low > there & low)


@called
def _choose_at_face_value(b, d, problems, room):
    """Who shows what in markets of depth d, and what is known in the end; depth 0 shows nothing."""
    costs, owners, stakes = problems.costs[b], problems.owners, problems.stakes[b]
    sets, states = room.cell.shape
    for s in range(sets):
        for w in range(states):
            chosen, value, weight = -1, np.int64(0), np.int64(1)
            for m in range(len(costs) if d else 0):
                if s >> m & 1:
                    continue
                end = room.known[d - 1, s | 1 << m, w]
                act, without = room.act[end, w], room.act[end & ~(1 << m), w]
                here = room.weight[end, w]
                gain = room.worth[end, w, act] - room.worth[end, w, without] - costs[m] * here
                if len(stakes):
                    mine = stakes[owners[m], w]
                    gain += (mine[act] - mine[room.act[s, w]]) * here
                if _larger(gain, here, value, weight):
                    chosen, value, weight = m, gain, here
            room.choice[d, s, w] = chosen
            room.known[d, s, w] = s if chosen < 0 else room.known[d - 1, s | 1 << chosen, w]


# --- a Bayesian buyer -------------------------------------------------------------------------------------------------


@called
def _read(room):
    """What is known and told at the end of all markets, with this choice."""
    levels, sets, states = room.choice.shape
    for d in range(levels):
        for s in range(sets):
            for w in range(states):
                m = room.choice[d, s, w]
                room.known[d, s, w] = s if m < 0 else room.known[d - 1, s | 1 << m, w]
                v = 0
                while v < w:
                    alike = room.choice[d, s, v] == m
                    if alike and m < 0:
                        alike = room.cell[s, v] == room.cell[s, w]
                    elif alike:
                        alike = room.told[d - 1, s | 1 << m, v] == room.told[d - 1, s | 1 << m, w]
                    if alike:
                        break
                    v += 1
                room.told[d, s, w] = room.told[d, s, v] if v < w else w


@called
def _add(b, problems, room, d, s, w, told, item):
    """Sums over the states that look like w in `told` and where the choice is `item`; over all of them if none is left.

    Returns the weight.
    """
    prior, utility = problems.prior[b], problems.utility[b]
    for every in range(2):
        weight = np.int64(0)
        for a in range(len(room.sums)):
            room.sums[a] = 0
        for v in range(len(prior)):
            if told[v] == told[w] and (every or room.choice[d, s, v] == item):
                weight += prior[v]
                for a in range(len(room.sums)):
                    room.sums[a] += prior[v] * utility[v, a]
        if weight:
            break
    return weight


@called
def _choose_again(b, d, problems, room):
    """Into `after`: what sellers show a buyer who takes `choice` for theirs; the same everywhere?"""
    costs, owners, stakes = problems.costs[b], problems.owners, problems.stakes[b]
    sets, states = room.cell.shape
    same = True
    for s in range(sets):
        for w in range(states):
            chosen, value, weight = -1, np.int64(0), np.int64(1)
            silent = 0
            if len(stakes):
                _add(b, problems, room, d, s, w, room.cell[s], np.int64(-1))
                silent = _best(room.sums)
            for m in range(len(costs)):
                if s >> m & 1:
                    continue
                here = _add(b, problems, room, d, s, w, room.told[d - 1, s | 1 << m], np.int64(m))
                act = _best(room.sums)
                end = room.known[d - 1, s | 1 << m, w]
                without = room.act[end & ~(1 << m), w]
                gain = room.sums[act] - room.sums[without] - costs[m] * here
                if len(stakes):
                    mine = stakes[owners[m], w]
                    gain += (mine[act] - mine[silent]) * here
                if _larger(gain, here, value, weight):
                    chosen, value, weight = m, gain, here
            room.after[d, s, w] = chosen
            same &= room.choice[d, s, w] == chosen
    return same


@called
def _repeat(b, problems, most_rounds, room):
    """Choose again until nothing changes, or what was before comes back; how many rounds, and depths that settled."""
    levels, sets, states = room.choice.shape
    _copy(room.choice, room.before)
    power, rounds, settled = 1, 0, 0
    while rounds < most_rounds:
        rounds += 1
        settled, before = levels, True
        for d in range(1, levels):
            if not _choose_again(b, d, problems, room) and settled > d:
                settled = d
        if settled == levels:
            break
        for d in range(1, levels):
            for s in range(sets):
                for w in range(states):
                    room.choice[d, s, w] = room.after[d, s, w]
                    before &= room.before[d, s, w] == room.after[d, s, w]
        _read(room)
        if before:
            break
        if rounds == power:  # a cycle of any length is found (Brent)
            _copy(room.choice, room.before)
            power *= 2
    return rounds, settled


@called
def _copy(source, target):
    levels, sets, states = source.shape
    for d in range(levels):
        for s in range(sets):
            for w in range(states):
                target[d, s, w] = source[d, s, w]


# --- what comes of it -------------------------------------------------------------------------------------------------


@called
def _answer(b, d, problems, bayesian, answers, room):
    """Everything that is wanted to know about a market of depth d without context."""
    prior, utility, owners = problems.prior[b], problems.utility[b], problems.owners
    answers.value[b, d] = 0
    for j in range(answers.revenue.shape[2]):
        answers.revenue[b, d, j] = 0
    for w in range(len(prior)):
        end = room.known[d, 0, w]
        act = room.act[end, w]
        if bayesian:
            _add(b, problems, room, d, np.int64(0), w, room.told[d, 0], np.int64(room.choice[d, 0, w]))
            act = _best(room.sums)
        answers.value[b, d] += prior[w] * utility[w, act]
        answers.shown[b, d, w] = end
        answers.price[b, d, w], answers.weight[b, d, w] = 0, 1
        s, k = 0, d
        while room.choice[k, s, w] >= 0:
            m = room.choice[k, s, w]
            without = room.act[end & ~(1 << m), w]
            if bayesian:
                here = _add(b, problems, room, k, s, w, room.told[k, s], np.int64(m))
                paid = room.sums[_best(room.sums)] - room.sums[without]
            else:
                here, paid = room.weight[end, w], room.worth[end, w, act] - room.worth[end, w, without]
            if s == 0:
                answers.price[b, d, w], answers.weight[b, d, w] = paid, here
            answers.revenue[b, d, owners[m]] += prior[w] * (paid / here)
            s, k = s | 1 << m, k - 1


def information_markets(
    prior: Any,
    utility: Any,
    items: Any,
    costs: Any,
    owners: Any,
    stakes: Any,
    *,
    sellers: int,
    depth: int,
    bayesian: bool,
    most_rounds: int,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Solve bazaars of all depths from 0 to `depth` for B problems.

    Args:
        prior: `[B, W]` positive weights, whose sum is below 2**31.
        utility: `[B, W, A]` integers; weights times the largest utility, cost and stake together are below 2**60.
        items: `[B, M, W]` labels.
        costs: `[B, M]` integers in units of utility.
        owners: `[M]` numbers of sellers.
        stakes: `[B, J, W, A]` integers, or `[B, 0, W, A]` if no seller cares for acts.
        sellers: how many there are.
        depth: D, at most M.
        bayesian: whether the buyer learns from what is shown rather than another.
        most_rounds: 0 leaves sellers with the choice that they make for a buyer at face value; else they choose again
            until nothing changes, so many times at most.
        threads: how many to use. Results do not depend on it.

    Returns:
        With the problems first, then depths: `value` `[B, D + 1]` int64, weight times utility of the final act summed
        up; `shown` `[B, D + 1, W]` int32 bitmasks; `price` and `weight` `[B, D + 1, W]` int64, whose ratio is the price
        of the first item; `revenue` `[B, D + 1, J]` float64, weight times prices summed up; `converged` `[B, D + 1]`
        bool, False where choices do not settle; `rounds` `[B]` int64.

    Example:
        >>> found = information_markets(
        ...     [[1, 1]], [[[1, 0], [0, 1]]], [[[0, 1]]], [[0]], [0], np.zeros((1, 0, 2, 2), int),
        ...     sellers=1, depth=1, bayesian=False, most_rounds=0,
        ... )
        >>> found["value"].tolist(), found["shown"].tolist(), found["price"].tolist()
        ([[1, 2]], [[[0, 0], [0, 1]]], [[[0, 0], [0, 1]]])
    """
    problems = Problems(
        *(plain(np.asarray(array, np.int64)) for array in (prior, utility, items, costs, owners, stakes))
    )
    count, states, acts = problems.utility.shape
    shape = (count, depth + 1)
    answers = Answers(
        value=np.empty(shape, np.int64),
        shown=np.empty((*shape, states), np.int32),
        price=np.empty((*shape, states), np.int64),
        weight=np.empty((*shape, states), np.int64),
        revenue=np.empty((*shape, sellers)),
        converged=np.empty(shape, np.bool_),
        rounds=np.empty(count, np.int64),
    )

    def solve_range(start: int, stop: int) -> None:
        room = new_room(problems.items.shape[1], states, acts, depth, bayesian)
        _information_range(start, stop, problems, bayesian, most_rounds, answers, room)

    run_over_tables(solve_range, count, threads)
    return answers._asdict()
