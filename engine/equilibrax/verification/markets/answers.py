"""One market in one game, solved straight from the definitions of 2602.13451, Section 2.

In the personalized game of a separable market a user's game is a selection game of her own, between providers who each
want what they have from her (`equilibrax.verification.enumeration`, `partitions`). In the anonymous one every provider
posts one partition of the states to all; each user takes the one that is best for her, of several the lowest provider's
(quantally: going up, she changes to one that is better than hers by more than the tolerance), and a profile is an
equilibrium iff no member earns more by any other partition. All profiles are listed.

Letters: N users, K providers, X states, A actions, C committees, S partitions in the order of their labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from equilibrax.verification.enumeration import MOST_SCHEMES, enumerate_games
from equilibrax.verification.games import Games
from equilibrax.verification.lists import TooLong, solve_table
from equilibrax.verification.markets.configuration import Play
from equilibrax.verification.markets.draws import Markets
from equilibrax.verification.partitions import MOST_STATES, all_partitions, cell_values, labels_of, solve_partitions

MOST_PROFILES = 2**21
"""Committees with more profiles are not solved again."""

_NOISE = 1e-12  # of the largest value: what sums of floating-point numbers may differ by
_MOST = 2**63 - 1
_ATTACKS = 2000


@dataclass
class MarketAnswers:
    """What is true of one market: arrays `[C, N]`, but those that are about all users together `[C]`.

    Attributes:
        known: `[C, N]` whether everything here is so; what is not is too large, or a matter of rounding.
        doubtful: `[C, N]` whether rounding is why.
        count: number of equilibria, Python integers.
        worst, best: values of the users.
        end, steps: where dynamics ends, and after how many moves; None without.
        replayed: `[C, N]` whether these are so.
        stopped, cycles: `[C]` whether the limit ended it, and whether it goes on for ever.
    """

    known: np.ndarray
    doubtful: np.ndarray
    count: np.ndarray
    worst: np.ndarray
    best: np.ndarray
    end: np.ndarray | None
    steps: np.ndarray | None
    replayed: np.ndarray
    stopped: np.ndarray
    cycles: np.ndarray


def solve_market(markets: Markets, place: int, play: Play, per_user: bool, generator) -> MarketAnswers:
    """One of the markets."""
    if not per_user:
        return _anonymous(markets, place, play)
    games = _games_of_users(markets, place, play)
    found = [
        (_by_schemes if play.rules == "delegation" else _by_partitions)(games[i : i + 1], play, generator)
        for i in range(len(games))
    ]
    joined = {}
    for name in MarketAnswers.__dataclass_fields__:
        columns = [getattr(one, name) for one in found]
        joined[name] = None if columns[0] is None else np.stack(columns, axis=1)
    for name in ("stopped", "cycles"):
        joined[name] = joined[name].any(axis=1)
    return MarketAnswers(**joined)


def noise_of(markets: Markets, place: int, play: Play) -> float:
    """By how much values of users may differ because of rounding."""
    return 0.0 if play.rationality is None else _NOISE * max(1.0, float(np.abs(markets.user[place]).sum()))


# --- a game for each user ---------------------------------------------------------------------------------------------


def _games_of_users(markets: Markets, place: int, play: Play) -> Games:
    """The users' games, as N tables; a provider that gives a user no weight is indifferent."""
    user = markets.user[place]
    n, x, a = user.shape
    cares = markets.weights[place][..., None, None] > 0
    components = np.where(cares, markets.components[place], 0).swapaxes(0, 1)
    return Games(
        utilities=np.concatenate([user[:, None], components], axis=1),
        prior=np.ones((n, x), np.int64),
        available=np.ones((n, x, a), bool),
        resolution=markets.resolution,
        ties=play.ties == "lowest_index",
    )


def _by_schemes(game: Games, play: Play, generator) -> MarketAnswers:
    c = len(game.committees)
    if game.actions ** min(game.states, 64) <= MOST_SCHEMES:
        found = enumerate_games(game, play.limit)
    else:
        try:
            found = solve_table(game, _ATTACKS, int(generator.integers(2**32)), play.limit)
        except TooLong:
            return _nothing(c, play)
    known, stopped = found.proven[0], np.zeros(c, bool)
    replayed = known & (found.dynamics is not None) & play.usual
    if found.dynamics_stopped is not None:
        stopped = found.dynamics_stopped[0]
    end, steps = (None if values is None else values[0] for values in (found.dynamics, found.dynamics_steps))
    if play.limit is not None and end is None:
        end = steps = np.zeros(c, np.int64)
    none = np.zeros(c, bool)
    count = found.count[0].astype(object)
    return MarketAnswers(known, none, count, found.worst[0], found.best[0], end, steps, replayed, stopped, none)


def _by_partitions(game: Games, play: Play, generator) -> MarketAnswers:
    c = len(game.committees)
    if game.states > MOST_STATES:
        return _nothing(c, play)
    slack = play.tolerance * int(game.scale[0])
    noise = 0.0 if play.rationality is None else _NOISE * max(1.0, float(np.abs(game.contributions).sum()))
    found = [
        solve_partitions(game, play.rationality, tolerance, True, play.limit)
        for tolerance in sorted({slack - noise, slack, slack + noise})
    ]
    truth = found[len(found) // 2]
    same = np.ones(c, bool)
    for one in found:
        same &= (one.equilibria == truth.equilibria).all(axis=1)
        if truth.steps is not None:
            same &= (one.steps == truth.steps) & (one.stopped == truth.stopped)
    if np.issubdtype(truth.user.dtype, np.integer):
        least, most = np.iinfo(np.int64).min // 2, np.iinfo(np.int64).max
    else:
        least, most = -np.inf, np.inf
    none = np.zeros(c, bool)
    end, steps, stopped = None, None, none
    if truth.end is not None and truth.steps is not None and truth.stopped is not None:
        end, steps, stopped = truth.user[truth.end], truth.steps, truth.stopped
    return MarketAnswers(
        known=same,
        doubtful=~same,
        count=truth.equilibria.sum(axis=1).astype(object),
        worst=np.where(truth.equilibria, truth.user, most).min(axis=1),
        best=np.where(truth.equilibria, truth.user, least).max(axis=1),
        end=end,
        steps=steps,
        replayed=same & play.usual & (play.limit is not None),
        stopped=stopped,
        cycles=none,
    )


def _nothing(committees: int, play: Play) -> MarketAnswers:
    def zeros(kind: Any) -> np.ndarray:  # of its own: what is known is filled in
        return np.zeros(committees, kind)

    ends = (None, None) if play.limit is None else (zeros(np.int64), zeros(np.int64))
    flags = (zeros(bool), zeros(bool), zeros(bool))
    return MarketAnswers(zeros(bool), zeros(bool), zeros(object), zeros(np.int64), zeros(np.int64), *ends, *flags)


# --- one partition for all --------------------------------------------------------------------------------------------


class _Public:
    """What partitions are worth to users and earn providers.

    Attributes:
        worth: `[N, S]` to each user.
        earned: `[K, N, S]` by each provider, if the user hears it.
        slack: of users; and `gains`, `[K]`, of providers: no more than this is no better.
    """

    def __init__(self, markets: Markets, place: int, play: Play):
        user, x = markets.user[place], markets.user.shape[2]
        parts = markets.components[place] * markets.weights[place][..., None, None]
        listed, _ = all_partitions(x)
        order = np.lexsort(labels_in_order(labels_of(x)).T[::-1])
        values = []
        for i in range(len(user)):
            utilities = np.concatenate([user[i][None], parts[:, i]])[None]
            game = Games(
                utilities, np.ones((1, x), np.int64), np.ones((1, *user.shape[1:]), bool), markets.resolution, True
            )
            values.append(cell_values(game, play.rationality)[:, listed].sum(axis=2)[:, order])
        every = np.stack(values, axis=1)  # [1 + K, N, S]
        self.worth, self.earned = every[0], every[1:]
        unit = markets.resolution * x
        self.slack = play.tolerance * unit
        self.gains = play.tolerance * unit * markets.weight_resolution
        self.partitions = self.worth.shape[1]

    def taken(self, worths: list[np.ndarray]) -> np.ndarray:
        """Which of several offers a user takes: places in the list, of arrays that broadcast."""
        has, place = worths[0], np.zeros(np.broadcast_shapes(*(w.shape for w in worths)), np.int64)
        for m, worth in enumerate(worths[1:], 1):
            better = worth > has + self.slack
            has, place = np.where(better, worth, has), np.where(better, m, place)
        return place


def labels_in_order(labels: np.ndarray) -> np.ndarray:
    """`[S, X]` the same partitions with cells numbered in the order in which they appear."""
    leads = (labels[:, :, None] == labels[:, None, :]).argmax(axis=2)
    first = leads == np.arange(labels.shape[1])
    return np.take_along_axis(np.cumsum(first, axis=1) - 1, leads, axis=1)


def _anonymous(markets: Markets, place: int, play: Play) -> MarketAnswers:
    k, n, x = markets.components.shape[1:4]
    c = 2**k - 1
    answers = _nothing(c, play)
    for name in MarketAnswers.__dataclass_fields__:
        values = getattr(answers, name)
        if values is not None and name not in ("stopped", "cycles"):
            kind = float if name in ("worst", "best", "end") and play.rationality is not None else values.dtype
            setattr(answers, name, np.repeat(values[:, None], n, axis=1).astype(kind))
    if x > MOST_STATES:
        return answers
    public = _Public(markets, place, play)
    noise = 0.0
    if play.rationality is not None:
        noise = _NOISE * max(1.0, float(np.abs(public.earned).max(axis=2).sum()), float(np.abs(public.worth).sum()))
    for mask in range(1, c + 1):
        members = [j for j in range(k) if mask >> j & 1]
        row = mask - 1
        if play.profiles and public.partitions ** len(members) <= MOST_PROFILES:
            stable, value, sure = _profiles(public, members, noise)
            answers.count[row] = int(stable.sum())
            some = bool(stable.any())
            answers.worst[row] = [v[stable].min() if some else 0 for v in value]
            answers.best[row] = [v[stable].max() if some else 0 for v in value]
            answers.known[row], answers.doubtful[row] = sure, not sure
        if play.limit is not None and answers.end is not None and answers.steps is not None:
            end, steps, stopped, cycles, sure = _replay(public, members, play.limit, noise)
            answers.end[row], answers.steps[row], answers.replayed[row] = end, steps, sure and play.usual
            answers.doubtful[row] |= not sure
            answers.stopped[row], answers.cycles[row] = stopped, cycles
    return answers


def _profiles(public: _Public, members: list[int], noise: float) -> tuple[np.ndarray, list[np.ndarray], bool]:
    """Which profiles are equilibria, what they are worth to each user, and whether no comparison is close."""
    size, users = len(members), len(public.worth)
    shape = (public.partitions,) * size

    def along(values: np.ndarray, axis: int) -> np.ndarray:
        return values.reshape((1,) * axis + (-1,) + (1,) * (size - 1 - axis))

    pay = [np.zeros(shape, public.earned.dtype) for _ in members]
    value, close = [], False
    for i in range(users):
        worths = [along(public.worth[i], m) for m in range(size)]
        place = public.taken(worths)
        close |= noise > 0 and _close(worths, public.slack, noise)
        value.append(np.choose(place, [np.broadcast_to(w, shape) for w in worths]))
        for m, j in enumerate(members):
            earned = [np.broadcast_to(along(public.earned[j, i], axis), shape) for axis in range(size)]
            pay[m] += np.choose(place, earned)
    stable = np.ones(shape, bool)
    for m in range(size):
        short = pay[m].max(axis=m, keepdims=True) - pay[m]
        stable &= short <= public.gains
        close |= noise > 0 and bool((np.abs(short - public.gains) <= noise).any())
    return stable, value, not close


def _close(worths: list[np.ndarray], slack: float, noise: float) -> bool:
    """Whether some difference of two offers is as near to the tolerance as rounding is."""
    for m, worth in enumerate(worths):
        for other in worths[:m]:
            if (np.abs(np.abs(worth - other) - slack) <= noise).any():
                return True
    return False


def _replay(public: _Public, members: list[int], limit: int, noise: float):
    """Values of the users where dynamics ends, moves, whether the limit or a cycle ended it, and whether all is sure.

    From what each would post to users who must take it. In rounds from the lowest member, one that gains moves to its
    first best partition; a round without a move is the end. A profile is kept after rounds 1, 2, 4, 8, ... and coming
    back to it is a cycle.
    """
    users, sure = range(len(public.worth)), True

    def reply(earned: np.ndarray) -> tuple[float, int]:
        nonlocal sure
        short = earned.max() - earned
        sure &= noise == 0 or not (np.abs(short - public.gains) <= noise).any()
        return earned.max(), int((short <= public.gains).argmax())

    def earnings(j: int, posted: dict[int, int]) -> np.ndarray:
        """`[S]` what j earns by each partition while the others keep theirs."""
        nonlocal sure
        total = np.zeros(public.partitions, public.earned.dtype)
        for i in users:
            worths = [public.worth[i] if o == j else public.worth[i, posted[o]][None] for o in members]
            sure &= noise == 0 or not _close(worths, public.slack, noise)
            own = [public.earned[j, i] if o == j else public.earned[j, i, posted[o]][None] for o in members]
            total += np.choose(public.taken(worths), [np.broadcast_to(e, total.shape) for e in own])
        return total

    posted = {j: reply(public.earned[j].sum(axis=0))[1] for j in members}
    kept, rounds, power, steps, stopped, cycles = dict(posted), 0, 1, 0, False, False
    while True:
        moved = False
        for j in members:
            earned = earnings(j, posted)
            most, first = reply(earned)
            if most - earned[posted[j]] > public.gains:
                if steps >= limit:
                    stopped = True
                    continue
                posted[j], steps, moved = first, steps + 1, True
        cycles = moved and not stopped and posted == kept
        if stopped or cycles or not moved:
            break
        rounds += 1
        if rounds == power:
            kept, power = dict(posted), 2 * power
    end = []
    for i in users:
        worths = [public.worth[i, posted[o]][None] for o in members]
        end.append(worths[int(public.taken(worths)[0])][0])
    return np.array(end), steps, stopped, cycles, sure
