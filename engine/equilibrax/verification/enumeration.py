"""Small games solved by listing every scheme, straight from the definitions, many tables at a time.

A scheme f is an equilibrium of a committee if no member j has a scheme g with `v_0(g) > v_0(f)` and `v_j(g) > v_j(f)`
(2509.15090, Section 7); for the lowest member `v_0(g) >= v_0(f)` is enough where it wins ties (Definition 16). One
provider alone plays its own optima. Best-response dynamics is replayed move by move (Section 7.1).

Letters: B tables, K providers, X states, A actions, S = A**X schemes, C committees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibrax.verification.games import LOWEST, Answers, Games

MOST_SCHEMES = 100_000
"""Tables with more schemes than this are not enumerated."""

_CELLS = 2**21  # numbers of an array in memory


@dataclass(frozen=True)
class Replies:
    """Everything about single providers: `[B, K, S]` arrays, S in lexicographic order.

    Attributes:
        strict: the best scheme of the provider among those that the user strictly prefers to s; -1 if there is none.
        weak: the same among those that she likes at least as much.
        strict_gain, weak_gain: whether the provider gains by it.
        optimal: whether s is one of its own optima.
    """

    strict: np.ndarray
    weak: np.ndarray
    strict_gain: np.ndarray
    weak_gain: np.ndarray
    optimal: np.ndarray


def block_size(games: Games) -> int:
    """How many tables to enumerate at a time."""
    schemes = games.actions**games.states
    return max(1, _CELLS // (schemes * max(games.providers + 1, 2**games.providers - 1)))


def enumerate_games(games: Games, limit: int | None) -> Answers:
    """The answers of a block of tables, each with at most `MOST_SCHEMES` schemes.

    Args:
        games: B tables.
        limit: of the moves of dynamics; None is no dynamics.
    """
    schemes = all_schemes(games.states, games.actions)
    values, valid = _values(games, schemes)
    replies = replies_of(values)
    accepts, accepts_ties = valid[:, None] & ~replies.strict_gain, valid[:, None] & ~replies.weak_gain
    alone = valid[:, None] & replies.optimal
    shape = (len(games), len(games.committees))
    worst, best = np.empty(shape, np.int64), np.empty(shape, np.int64)
    count, first, last = (np.empty(shape, np.int64) for _ in range(3))
    outcomes = np.empty((*shape, games.states * games.actions), bool)
    attained = (schemes[:, :, None] == np.arange(games.actions)).reshape(len(schemes), -1).astype(np.float32)
    small = len(schemes) * len(games.committees) * len(games) <= 4 * _CELLS
    equilibria = np.empty((*shape, len(schemes)), bool) if small else None
    highest = np.iinfo(np.int64).max
    for c, mask in enumerate(games.committees.tolist()):
        stable = of_committee(mask, accepts, accepts_ties, alone, games.ties)
        user = np.where(stable, values[:, 0], highest)
        first[:, c] = user.argmin(axis=1)
        worst[:, c] = user.min(axis=1)
        user = np.where(stable, values[:, 0], LOWEST)
        last[:, c] = user.argmax(axis=1)
        best[:, c] = user.max(axis=1)
        count[:, c] = stable.sum(axis=1)
        outcomes[:, c] = stable.astype(np.float32) @ attained > 0
        if equilibria is not None:
            equilibria[:, c] = stable
    ends = None if limit is None else replay(games.committees, values, replies, games.ties, limit)
    tables = np.arange(len(games))[:, None]
    return Answers(
        optimum=games.optimum(),
        worst=worst,
        best=best,
        count=count,
        outcomes=outcomes.reshape(*shape, games.states, games.actions),
        proven=np.ones(shape, bool),
        method="all schemes",
        worst_scheme=schemes[first],
        best_scheme=schemes[last],
        equilibria=equilibria,
        schemes=schemes,
        dynamics=values[tables, 0, ends[0]] if ends else None,
        dynamics_scheme=schemes[ends[0]] if ends else None,
        dynamics_steps=ends[1] if ends else None,
        dynamics_stopped=ends[2] if ends else None,
    )


def all_schemes(states: int, actions: int) -> np.ndarray:
    """`[S, X]` in lexicographic order."""
    number, schemes = actions**states, np.zeros((actions**states, states), np.int64)
    if actions > 1:
        schemes[:] = np.arange(number)[:, None] // actions ** np.arange(states - 1, -1, -1) % actions
    return schemes


def of_committee(mask: int, accepts: np.ndarray, accepts_ties: np.ndarray, alone: np.ndarray, ties: bool) -> np.ndarray:
    """`[B, S]` the equilibria of a committee, from what every provider accepts, `[B, K, S]`."""
    members = [j for j in range(accepts.shape[1]) if mask >> j & 1]
    if len(members) == 1:
        return alone[:, members[0]]
    stable = (accepts_ties if ties else accepts)[:, members[0]].copy()
    for j in members[1:]:
        stable &= accepts[:, j]
    return stable


def _values(games: Games, schemes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values `[B, 1 + K, S]`, and `[B, S]` whether all actions of a scheme exist."""
    contributions = games.contributions
    values = np.zeros((*contributions.shape[:2], len(schemes)), np.int64)
    valid = np.ones((len(games), len(schemes)), bool)
    for x in range(games.states):
        values += contributions[:, :, x, schemes[:, x]]
        valid &= games.available[:, x, schemes[:, x]]
    return np.where(valid[:, None], values, LOWEST), valid


def replies_of(values: np.ndarray) -> Replies:
    """Schemes in the order of the user's preference; the best before a place is the best of those that she prefers."""
    user, number = values[:, 0], values.shape[2]
    order = np.argsort(-user, axis=1, kind="stable")
    falling = np.take_along_axis(user, order, axis=1)
    starts = np.ones(user.shape, bool)
    starts[:, 1:] = falling[:, 1:] != falling[:, :-1]
    place = np.broadcast_to(np.arange(number), user.shape)
    begin = np.maximum.accumulate(np.where(starts, place, 0), axis=1)  # of the schemes that she values the same
    ends = np.ones(user.shape, bool)
    ends[:, :-1] = starts[:, 1:]
    end = np.minimum.accumulate(np.where(ends, place, number - 1)[:, ::-1], axis=1)[:, ::-1]
    back = np.empty_like(order)
    np.put_along_axis(back, order, place, axis=1)
    begin, end = np.take_along_axis(begin, back, axis=1), np.take_along_axis(end, back, axis=1)

    shape = (len(values), values.shape[1] - 1, number)
    found = Replies(*(np.empty(shape, kind) for kind in (np.int32, np.int32, bool, bool, bool)))
    for j in range(shape[1]):
        own = values[:, 1 + j]
        liking = np.lexsort((-user, -own), axis=-1)  # best first; then the user's choice; then lexicographic
        rank = np.empty_like(liking)
        np.put_along_axis(rank, liking, place, axis=1)
        best = np.minimum.accumulate(np.take_along_axis(rank, order, axis=1), axis=1)
        for where, reply, gain in (
            (begin - 1, found.strict, found.strict_gain),
            (end, found.weak, found.weak_gain),
        ):
            answer = np.take_along_axis(liking, np.take_along_axis(best, np.maximum(where, 0), axis=1), axis=1)
            reply[:, j] = np.where(where >= 0, answer, -1)
            gain[:, j] = (where >= 0) & (np.take_along_axis(own, answer, axis=1) > own)
        found.optimal[:, j] = own == own.max(axis=1, keepdims=True)
    return found


def replay(
    masks: np.ndarray, values: np.ndarray, replies: Replies, ties: bool, limit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`[B, C]` the scheme taken where best-response dynamics ends, the number of moves, and whether the limit ended it.

    Members take turns from the lowest index; the one that is taken passes.

    Args:
        masks: `[C]` committees.
        values: `[B, 1 + K, S]`, `LOWEST` where a scheme does not exist.
        replies: of these.
        ties: as in `Games`.
        limit: of moves.
    """
    tables, count = len(values), values.shape[1] - 1
    member = masks[:, None] >> np.arange(count) & 1 == 1
    team = np.argsort(~member, axis=1, kind="stable")  # [C, K] the members first
    size = member.sum(axis=1)
    posted = values[:, 1:].argmax(axis=2)  # [B, K], the first of its own optima
    liked = np.take_along_axis(values[:, 0], posted, axis=1)
    taken = np.where(member, liked[:, None], LOWEST).argmax(axis=2)  # [B, C], the lowest index among equals
    current = np.take_along_axis(posted, taken.reshape(tables, -1), axis=1).reshape(-1)
    taken = taken.reshape(-1)
    stopped = np.zeros(len(current), bool)
    steps = np.zeros(len(current), np.int64)
    passes = np.zeros(len(current), np.int64)
    active = np.arange(len(current))
    turns = np.zeros(len(current), np.int64)
    while len(active):
        b, c = active // len(masks), active % len(masks)
        j, now = team[c, turns[active] % size[c]], current[active]
        weak = ties & (j < taken[active])
        reply = np.where(weak, replies.weak[b, j, now], replies.strict[b, j, now])
        gains = np.where(weak, replies.weak_gain[b, j, now], replies.strict_gain[b, j, now]) & (j != taken[active])
        stopped[active[gains & (steps[active] >= limit)]] = True
        gains &= ~stopped[active]
        movers = active[gains]
        current[movers], taken[movers] = reply[gains], j[gains]
        steps[movers] += 1
        turns[active] += 1
        passes[active] += 1
        passes[movers] = 0
        active = active[(passes[active] < size[c]) & ~stopped[active]]
    return current.reshape(tables, -1), steps.reshape(tables, -1), stopped.reshape(tables, -1)
