"""The selection game with lotteries for many tables, dealt to threads; see `equilibrax_kernels.selection.lotteries`.

Here the faces of a provider are numbered along its frontier, and a sweep from the user's optimum down changes one
provider's face at a time, so that only the states in which that face differs, and the committees that the provider is
in, are looked at again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.committees import Alone, contribute, monopolies, new_alone, new_contributions
from equilibrax_kernels.cpu.compiling import called, loop, part
from equilibrax_kernels.cpu.misalignment import Fits, new_fits, new_scores
from equilibrax_kernels.cpu.selection_range import Rules, fit_table, new_tables
from equilibrax_kernels.cpu.threads import run_over_tables

_NEVER = 1 << 40  # the first face of an action that is in none


class Frontiers(NamedTuple):
    """The faces of every provider, from t -> 0 (number 0) to t = 1, by the ratio `t / (1 - t)`.

    Attributes:
        first, last: `[K, X, A]` the faces that an action is in are those from `first` to `last`.
        above, below: `[K, N]` numerator and denominator of the ratio of face n + 1.
        top: `[K, N]` the user's largest value in face n + 1.
        count: `[K]` how many faces there are besides number 0.
        ratios: `[4, X, A]` numerators and denominators of the first and the last ratio of an action.
    """

    first: np.ndarray
    last: np.ndarray
    above: np.ndarray
    below: np.ndarray
    top: np.ndarray
    count: np.ndarray
    ratios: np.ndarray


class Common(NamedTuple):
    """What the members' faces have in common, for each of C committees.

    Attributes:
        members: `[X, A]` the providers whose face has the action, as bits.
        least, most, action: `[C, X]` the user's smallest and largest contribution, and the first action with the
            smallest; new: `[C, X]` whether it changed since the committee's last equilibrium.
        low, high: `[C]` their sums; missing: `[C]` how many states have no common action.
        changed: `[X]` whether the face that was changed last differs in a state.
        next: `[K]` faces that were gone through.
    """

    members: np.ndarray
    least: np.ndarray
    most: np.ndarray
    action: np.ndarray
    new: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    changed: np.ndarray
    next: np.ndarray


class Answers(NamedTuple):
    """What a loop writes; see `select_lotteries`."""

    optimum: np.ndarray
    worst: np.ndarray
    best: np.ndarray
    unique: np.ndarray
    worst_scheme: np.ndarray
    intervals: np.ndarray
    interval_count: np.ndarray
    attained: np.ndarray
    optimal: np.ndarray


class Work(NamedTuple):
    """Room for one table."""

    frontiers: Frontiers
    common: Common
    alone: Alone
    fits: Fits
    contributions: np.ndarray
    attained: np.ndarray
    nowhere: np.ndarray


def select_lotteries(
    utilities: np.ndarray | tuple[np.ndarray, np.ndarray],
    prior: np.ndarray,
    available: np.ndarray,
    masks: np.ndarray,
    *,
    resolution: int,
    ties: bool,
    intervals: int,
    fit: bool = False,
    simplex: bool = False,
    iteration_limit: int = 400,
    multipliers: bool = False,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Solve B tables for C committees.

    Args:
        utilities, prior, available, masks, resolution, ties, fit, simplex, iteration_limit, multipliers, threads: as
            of `equilibrax_kernels.cpu.selection.select_tables`.
        intervals: room for so many intervals of each committee.

    Returns:
        By the names of `equilibrax_kernels.selection.lotteries.Lotteries` and with the tables first; `attained`
        `[B, C, W]` and `optimal` `[B, W]` 64 outcomes to a word, and with `fit` what begins with `fit_`, as of
        `select_tables`.

    Example:
        >>> user, providers = [[0, 1, 0]], [[[0, 0, 1]], [[1, 0, 0]]]
        >>> utilities, available = np.array([[user, *providers]], np.int32), np.ones((1, 1, 3), bool)
        >>> prior, masks = np.ones((1, 1), np.int32), np.array([1, 2, 3], np.int32)
        >>> options = {"resolution": 1, "ties": False, "intervals": 1}
        >>> select_lotteries(utilities, prior, available, masks, **options)["worst"].tolist()
        [[0, 0, 1]]
    """
    read = new_tables(utilities, prior, available, np.zeros((0, 2), np.uint32), masks, resolution)
    tables, providers, states, actions = read.providers.shape
    players, committees, words = providers + 1, len(masks), -(-states * actions // 64)
    shape = (tables, committees)
    answers = Answers(
        optimum=np.empty(tables, np.int64),
        worst=np.empty(shape, np.int64),
        best=np.empty(shape, np.int64),
        unique=np.empty(shape, bool),
        worst_scheme=np.zeros((*shape, states), np.int16 if actions <= 2**15 else np.int32),
        intervals=np.zeros((*shape, intervals, 2), np.int64),
        interval_count=np.empty(shape, np.int32),
        attained=np.empty((*shape, words), np.int64),
        optimal=np.empty((tables, words), np.int64),
    )
    scores = new_scores(tables if fit else 0, committees, providers, states * actions, multipliers)
    rules = Rules(ties, False, False, False, 0, fit, simplex, iteration_limit, False)

    def select_range(start: int, stop: int) -> None:
        work = Work(
            frontiers=_new_frontiers(providers, states, actions),
            common=_new_common(providers, committees, states, actions),
            alone=new_alone(players, states, words),
            fits=new_fits(providers, states * actions if fit else 0, committees, words),
            contributions=new_contributions(players, states, actions),
            attained=np.empty((committees, words), np.int64),
            nowhere=np.empty((0, states * actions)),
        )
        lotteries_range(start, stop, read, rules, answers, scores, work)

    run_over_tables(select_range, tables, threads)
    found = answers._asdict() | {f"fit_{name}": array for name, array in scores._asdict().items() if len(array)}
    if fit:
        found["fit_misalignment"] = found.pop("fit_eps")
    return found


def _new_frontiers(providers, states, actions):
    every, listed = (providers, states, actions), (providers, states * actions)
    return Frontiers(
        first=np.empty(every, np.int64),
        last=np.empty(every, np.int64),
        above=np.empty(listed, np.int64),
        below=np.empty(listed, np.int64),
        top=np.empty(listed, np.int64),
        count=np.empty(providers, np.int64),
        ratios=np.empty((4, states, actions), np.int64),
    )


def _new_common(providers, committees, states, actions):
    every = committees, states
    return Common(
        members=np.empty((states, actions), np.int64),
        least=np.empty(every, np.int64),
        most=np.empty(every, np.int64),
        action=np.empty(every, np.int64),
        new=np.empty(every, np.bool_),
        low=np.empty(committees, np.int64),
        high=np.empty(committees, np.int64),
        missing=np.empty(committees, np.int64),
        changed=np.empty(states, np.bool_),
        next=np.empty(providers, np.int64),
    )


@loop
def lotteries_range(start, stop, tables, rules, answers, scores, work):
    """Solve tables from `start` to `stop - 1`."""
    contributions, alone, attained = work.contributions, work.alone, work.attained
    providers, states = tables.providers.shape[1:3]
    for b in range(start, stop):
        contribute(tables.user[b], tables.providers[b], tables.prior[b], contributions)
        available = tables.available[b]
        monopolies(contributions, available, alone)
        answers.optimum[b] = alone.best[0]
        for j in range(providers):
            find_frontier(j, tables.user[b], tables.providers[b, j], contributions, available, work.frontiers)
        _begin(b, tables.masks, rules.ties, answers, work)
        _sweep(b, tables.masks, answers, work)
        for c in range(len(tables.masks)):
            mask = tables.masks[c]
            if mask & (mask - 1) == 0:
                _monopolist(b, c, mask, answers, work)
            number = 0
            for w in range(attained.shape[1]):
                left = attained[c, w]
                while left:
                    left &= left - 1
                    number += 1
                answers.attained[b, c, w] = attained[c, w]
            answers.unique[b, c] = number == states
        for w in range(attained.shape[1]):
            answers.optimal[b, w] = alone.outcomes[0, w]
        if rules.fit:
            fit_table(b, tables, rules, work, scores)


# --- the frontier of one provider -------------------------------------------------------------------------------------


@called
def less(above, below, other_above, other_below):
    """Whether `above / below < other_above / other_below`; x / 0 is infinite.

    Numbers are differences of 32-bit utilities, below 2**32, so products fit 64 bits without a sign.
    """
    return np.uint64(above) * np.uint64(other_below) < np.uint64(other_above) * np.uint64(below)


@called
def find_frontier(j, of_user, of_provider, contributions, available, frontiers):
    """The faces of provider j."""
    first, last, ratios = frontiers.first[j], frontiers.last[j], frontiers.ratios
    above, below, top = frontiers.above[j], frontiers.below[j], frontiers.top[j]
    states, actions = available.shape
    count = np.int64(0)
    for x in range(states):
        for a in range(actions):
            last[x, a] = -1
            if not available[x, a]:
                continue
            own, user = np.int64(of_provider[x, a]), np.int64(of_user[x, a])
            rise, fall, till, drop = np.int64(0), np.int64(1), np.int64(1), np.int64(0)
            beaten = False
            for other in range(actions):
                if not available[x, other]:
                    continue
                gain, loss = of_provider[x, other] - own, user - of_user[x, other]
                if gain > 0 and loss <= 0:
                    beaten = True
                    break
                if loss < 0 and less(rise, fall, -loss, -gain):
                    rise, fall = -loss, -gain
                elif gain > 0 and less(loss, gain, till, drop):
                    till, drop = loss, gain
            if beaten or less(till, drop, rise, fall):
                continue
            last[x, a] = 0
            ratios[0, x, a], ratios[1, x, a], ratios[2, x, a], ratios[3, x, a] = rise, fall, till, drop
            if rise > 0:
                place = _place(above, below, count, rise, fall)
                if place == count or less(rise, fall, above[place], below[place]):
                    for n in range(count, place, -1):
                        above[n], below[n] = above[n - 1], below[n - 1]
                    above[place], below[place] = rise, fall
                    count += 1
    frontiers.count[j] = count
    for x in range(states):
        for a in range(actions):
            if last[x, a] < 0:
                first[x, a] = _NEVER
                continue
            rise, fall, till, drop = ratios[0, x, a], ratios[1, x, a], ratios[2, x, a], ratios[3, x, a]
            first[x, a] = 0 if rise == 0 else 1 + _place(above, below, count, rise, fall)
            last[x, a] = count if drop == 0 else 1 + _place(above, below, count, till, drop)
    for n in range(count):
        top[n] = 0
        for x in range(states):
            highest = np.iinfo(np.int64).min
            for a in range(actions):
                if first[x, a] <= n + 1 <= last[x, a]:
                    highest = max(highest, contributions[x, a, 0])
            top[n] += highest


@called
def _place(above, below, count, rise, fall):
    """How many ratios are smaller."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if less(above[middle], below[middle], rise, fall):
            low = middle + 1
        else:
            high = middle
    return low


# --- all committees ---------------------------------------------------------------------------------------------------


@part
def _begin(b, masks, ties, answers, work):
    """At the user's optimum, which is an equilibrium of every committee of two or more."""
    common, frontiers, alone, attained = work.common, work.frontiers, work.alone, work.attained
    states, actions = common.members.shape
    providers = len(frontiers.count)
    for x in range(states):
        for a in range(actions):
            common.members[x, a] = 0
            for j in range(providers):
                common.members[x, a] |= np.int64(frontiers.first[j, x, a] == 0) << j
    for j in range(providers):
        common.next[j] = 0
    for c in range(len(masks)):
        mask = masks[c]
        lowest = 0
        while not mask >> lowest & 1:
            lowest += 1
        answers.worst[b, c] = answers.best[b, c] = answers.optimum[b]
        answers.interval_count[b, c] = 1
        answers.intervals[b, c, 0, 0] = answers.intervals[b, c, 0, 1] = answers.optimum[b]
        for w in range(attained.shape[1]):
            attained[c, w] = 0 if ties else alone.outcomes[0, w]
        common.low[c] = common.high[c] = common.missing[c] = 0
        for x in range(states):
            common.least[c, x] = common.most[c, x] = 0
            common.new[c, x] = True
            answers.worst_scheme[b, c, x] = -1
            for a in range(actions):
                outcome = x * actions + a
                if ties and frontiers.first[lowest, x, a] == 0:
                    attained[c, outcome >> 6] |= 1 << (outcome & 63)
                if answers.worst_scheme[b, c, x] < 0 and attained[c, outcome >> 6] >> (outcome & 63) & 1:
                    answers.worst_scheme[b, c, x] = a
            _look(c, x, mask, common, work.contributions, np.bool_(True))


@part
def _sweep(b, masks, answers, work):
    """Down the user's values, from face to face."""
    common, frontiers = work.common, work.frontiers
    states, actions = common.members.shape
    providers = len(frontiers.count)
    while True:
        j = -1
        for k in range(providers):
            if common.next[k] < frontiers.count[k] and (
                j < 0 or frontiers.top[k, common.next[k]] > frontiers.top[j, common.next[j]]
            ):
                j = k
        if j < 0:
            break
        common.next[j] += 1
        face, bit = common.next[j], np.int64(1) << j
        for x in range(states):
            common.changed[x] = False
            for a in range(actions):
                held = common.members[x, a] & bit != 0
                holds = frontiers.first[j, x, a] <= face <= frontiers.last[j, x, a]
                if held != holds:
                    common.members[x, a] ^= bit
                    common.changed[x] = True
        for c in range(len(masks)):
            mask = masks[c]
            if mask & bit == 0 or mask & (mask - 1) == 0:
                continue
            for x in range(states):
                if common.changed[x]:
                    _look(c, x, mask, common, work.contributions, np.bool_(False))
            if common.missing[c] == 0:
                _record(b, c, mask, answers, work)


@part
def _look(c, x, mask, common, contributions, fresh):
    """What the members of a committee have in common in one state."""
    actions = common.members.shape[1]
    if not fresh:
        if common.action[c, x] < 0:
            common.missing[c] -= 1
        common.low[c] -= common.least[c, x]
        common.high[c] -= common.most[c, x]
    least = most = np.int64(0)
    action = -1
    for a in range(actions):
        if common.members[x, a] & mask == mask:
            value = contributions[x, a, 0]
            if action < 0 or value < least:
                least = value
                if action < 0:
                    most = value
                action = a
            most = max(most, value)
    common.missing[c] += action < 0
    common.action[c, x], common.least[c, x], common.most[c, x] = action, least, most
    common.new[c, x] = True
    common.low[c] += least
    common.high[c] += most


@part
def _record(b, c, mask, answers, work):
    """Equilibria of a committee: all that draw from its common actions."""
    common, attained = work.common, work.attained
    states, actions = common.members.shape
    low, high, room = common.low[c], common.high[c], answers.intervals.shape[2]
    if high < answers.worst[b, c]:
        answers.interval_count[b, c] += 1
        if answers.interval_count[b, c] <= room:
            answers.intervals[b, c, answers.interval_count[b, c] - 1, 1] = high
    if low < answers.worst[b, c]:
        answers.worst[b, c] = low
        if answers.interval_count[b, c] <= room:
            answers.intervals[b, c, answers.interval_count[b, c] - 1, 0] = low
        for x in range(states):
            answers.worst_scheme[b, c, x] = common.action[c, x]
    for x in range(states):
        if not common.new[c, x]:
            continue
        common.new[c, x] = False
        for a in range(actions):
            if common.members[x, a] & mask == mask:
                outcome = x * actions + a
                attained[c, outcome >> 6] |= 1 << (outcome & 63)


@part
def _monopolist(b, c, mask, answers, work):
    """The provider's own optima."""
    alone, attained = work.alone, work.attained
    p = 1
    while mask >> p:
        p += 1
    answers.worst[b, c], answers.best[b, c] = alone.worst[p], alone.best[p]
    answers.interval_count[b, c] = 1
    answers.intervals[b, c, 0, 0], answers.intervals[b, c, 0, 1] = alone.worst[p], alone.best[p]
    for x in range(len(alone.worst_scheme)):
        answers.worst_scheme[b, c, x] = alone.worst_scheme[x, p]
    for w in range(attained.shape[1]):
        attained[c, w] = alone.outcomes[p, w]
