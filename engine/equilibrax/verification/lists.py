"""Large games: exact without listing every scheme, one provider at a time.

If two partial schemes cover the same states and one is strictly better for both the user and provider j, so is every
completion of it: the other leads to nothing that j accepts. What is left, for one j alone, is usually short enough to
list; every equilibrium of a committee is on the list of each of its members, so the shortest one will do. Whether
another member accepts a scheme is read off its front: for every value of the user, the most that the member can have
at more than that.

Where even the lists of all members are too long, equilibria are looked for at random and greedily (`attack`), and
what is found can refute a result, not prove it.

Letters: K providers, X states, A actions, N entries of a list, C committees. One table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibrax.verification.games import LOWEST, Answers, Games

LONGEST = 2**16
"""Lists of more entries are given up."""

LONGEST_FRONT = 2**20
"""The same for fronts; one that takes more leaves the table unchecked."""


@dataclass(frozen=True)
class Listed:
    """Schemes that are equally good for everybody are one entry.

    Attributes:
        values: `[N, 1 + K]`.
        count: `[N]` Python integers, how many schemes.
        outcomes: `[N, W]` uint64, a bit for every state and action that they attain.
    """

    values: np.ndarray
    count: np.ndarray
    outcomes: np.ndarray

    def __getitem__(self, part: np.ndarray) -> Listed:
        return Listed(self.values[part], self.count[part], self.outcomes[part])


class TooLong(Exception):
    """A list or front outgrew its limit."""


def solve_table(games: Games, attacks: int, seed: int, limit: int | None = None) -> Answers:
    """The answers of one table of any number of schemes.

    Args:
        games: one table.
        attacks: how many schemes to try where lists are too long.
        seed: of these.
        limit: of the moves of dynamics; None is no dynamics.

    Raises:
        TooLong: if not even fronts fit.
    """
    contributions, available = games.contributions[0], games.available[0]
    tails = [fronts_of_tails(contributions[[0, 1 + j]], available) for j in range(games.providers)]
    fronts = [tail[0] for tail in tails]
    lists: dict[int, Listed] = {}
    for j in range(games.providers):
        try:
            listed = stable_list(contributions, available, j)
        except TooLong:
            continue
        lists[j] = listed[~beaten(fronts[j], listed.values[:, 0], listed.values[:, 1 + j], weakly=False)]
    tried = None
    masks = games.committees
    shape = (1, len(masks))
    outcomes = np.zeros((*shape, games.states * games.actions), bool)
    worst, best = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    count, proven = np.zeros(shape, object), np.zeros(shape, bool)
    for c, mask in enumerate(masks.tolist()):
        members = [j for j in range(games.providers) if mask >> j & 1]
        exact = [j for j in members if j in lists]
        if exact:
            among = lists[min(exact, key=lambda j: len(lists[j].count))]
        else:
            if tried is None:
                tried = attack(contributions, available, attacks, np.random.default_rng(seed))
            among = tried
        found = among[_stable(among.values, members, fronts, games.ties)]
        proven[0, c] = bool(exact)
        count[0, c] = sum(found.count.tolist())
        if len(found.count):
            worst[0, c], best[0, c] = found.values[:, 0].min(), found.values[:, 0].max()
            outcomes[0, c] = _of_bits(np.bitwise_or.reduce(found.outcomes, axis=0), outcomes.shape[2])
    ends = None if limit is None else [_replay(games, tails, mask, limit) for mask in masks.tolist()]
    schemes = np.array([[end[0] for end in ends]]) if ends else None
    return Answers(
        optimum=games.optimum(),
        worst=worst,
        best=best,
        count=count,
        outcomes=outcomes.reshape(*shape, games.states, games.actions),
        proven=proven,
        method="lists of what a provider accepts",
        dynamics=None if schemes is None else games.values_of(schemes)[0][..., 0],
        dynamics_scheme=schemes,
        dynamics_steps=np.array([[end[1] for end in ends]]) if ends else None,
        dynamics_stopped=np.array([[end[2] for end in ends]]) if ends else None,
    )


def _replay(games: Games, tails: list[list[np.ndarray]], mask: int, limit: int) -> tuple[np.ndarray, int, bool]:
    """Where dynamics of a committee ends, as in `enumeration`, with replies that are read off the fronts."""
    contributions, available = games.contributions[0], games.available[0]
    states = np.arange(games.states)

    def worth(scheme: np.ndarray) -> np.ndarray:
        return contributions[:, states, scheme].sum(axis=1)

    members = [j for j in range(games.providers) if mask >> j & 1]
    posted = {j: np.where(available, contributions[1 + j], LOWEST).argmax(axis=1) for j in members}
    taken = max(members, key=lambda j: (worth(posted[j])[0], -j))
    scheme, steps, passes, turn = posted[taken], 0, 0, 0
    now = worth(scheme)
    while passes < len(members):
        j = members[turn % len(members)]
        turn, passes = turn + 1, passes + 1
        points = tails[j][0]
        weak = games.ties and j < taken
        place = int(np.searchsorted(points[:, 0], now[0], side="left" if weak else "right"))
        if j == taken or place == len(points) or points[place, 1] <= now[1 + j]:
            continue
        if steps >= limit:
            return scheme, steps, True
        scheme = _first_with(contributions[[0, 1 + j]], available, tails[j], points[place])
        now, taken, steps, passes = worth(scheme), j, steps + 1, 0
    return scheme, steps, False


def _first_with(contributions: np.ndarray, available: np.ndarray, tails: list[np.ndarray], aim: np.ndarray):
    """`[X]` the lexicographically first scheme with values that are on the front: what is left of it is on the next."""
    scheme, left = [], aim
    for x in range(len(available)):
        points = tails[x + 1]
        for a in np.flatnonzero(available[x]).tolist():
            rest = left - contributions[:, x, a]
            place = int(np.searchsorted(points[:, 0], rest[0]))
            if place < len(points) and (points[place] == rest).all():
                scheme.append(a)
                left = rest
                break
    return np.array(scheme)


def acceptable(games: Games, values: np.ndarray) -> np.ndarray:
    """`[C, N]` whether schemes with values `[N, 1 + K]` are equilibria of each committee of one table.

    Raises:
        TooLong: if a front does not fit.
    """
    contributions, available = games.contributions[0], games.available[0]
    fronts = [front(contributions[[0, 1 + j]], available) for j in range(games.providers)]
    teams = [[j for j in range(games.providers) if mask >> j & 1] for mask in games.committees.tolist()]
    return np.array([_stable(values, members, fronts, games.ties) for members in teams])


def _stable(values: np.ndarray, members: list[int], fronts: list[np.ndarray], ties: bool) -> np.ndarray:
    """`[N]` which entries are equilibria of a committee."""
    if len(members) == 1:
        return values[:, 1 + members[0]] == fronts[members[0]][:, 1].max()
    stable = np.ones(len(values), bool)
    for j in members:
        stable &= ~beaten(fronts[j], values[:, 0], values[:, 1 + j], weakly=ties and j == members[0])
    return stable


def beaten(points: np.ndarray, user: np.ndarray, own: np.ndarray, weakly: bool) -> np.ndarray:
    """`[N]` whether a point of a front is better for both; with `weakly`, no worse for the user and better for her.

    Args:
        points: `[M, 2]` values of the user, rising, and of the provider, falling.
        user, own: `[N]` values to beat.
        weakly: see above.
    """
    place = np.searchsorted(points[:, 0], user, side="left" if weakly else "right")
    return np.append(points[:, 1], LOWEST)[place] > own


def front(contributions: np.ndarray, available: np.ndarray) -> np.ndarray:
    """`[M, 2]` the values (user, provider) that no scheme betters in one without losing in the other, user rising.

    Args:
        contributions: `[2, X, A]` of the user and the provider.
        available: `[X, A]` bool.
    """
    return fronts_of_tails(contributions, available)[0]


def fronts_of_tails(contributions: np.ndarray, available: np.ndarray) -> list[np.ndarray]:
    """The fronts of what is left of schemes from state 0 on, from state 1 on, and so on to nothing."""
    points = np.zeros((1, 2), np.int64)
    tails = [points]
    for x in reversed(range(available.shape[0])):
        points = (points[:, None] + contributions[:, x, available[x]].T).reshape(-1, 2)
        points = points[np.lexsort((-points[:, 1], -points[:, 0]))]
        best = np.maximum.accumulate(points[:, 1])
        points = points[np.concatenate([[True], points[1:, 1] > best[:-1]])]
        if len(points) > LONGEST_FRONT:
            raise TooLong
        points = points[::-1]
        tails.append(points)
    return tails[::-1]


def stable_list(contributions: np.ndarray, available: np.ndarray, provider: int) -> Listed:
    """All schemes for which no other is strictly better for both the user and the provider, and none missing.

    Raises:
        TooLong: if there are more than `LONGEST` entries on the way.
    """
    states, actions = available.shape
    listed = Listed(
        np.zeros((1, len(contributions)), np.int64),
        np.ones(1, object),
        np.zeros((1, 0), np.uint64),
    )
    for x in range(states):
        choices = np.flatnonzero(available[x])
        values = (listed.values[:, None] + contributions[:, x, choices].T).reshape(-1, len(contributions))
        points = values[np.lexsort((-values[:, 1 + provider], -values[:, 0]))][:, [0, 1 + provider]]
        best = np.maximum.accumulate(points[:, 1])
        points = points[np.concatenate([[True], points[1:, 1] > best[:-1]])][::-1]
        kept = np.flatnonzero(~beaten(points, values[:, 0], values[:, 1 + provider], weakly=False))
        parent, choice = np.divmod(kept, len(choices))
        words = -(-(x + 1) * actions // 64)  # as many as there are outcomes so far
        outcomes = np.pad(listed.outcomes, ((0, 0), (0, words - listed.outcomes.shape[1])))[parent]
        _add(outcomes, x * actions + choices[choice])
        listed = merged(Listed(values[kept], listed.count[parent], outcomes))
        if len(listed.count) > LONGEST:
            raise TooLong
    return listed


def merged(listed: Listed) -> Listed:
    """Entries with the same values become one."""
    order = np.lexsort(listed.values.T)
    ordered = listed[order]
    new = np.concatenate([[True], (ordered.values[1:] != ordered.values[:-1]).any(axis=1)])
    starts = np.flatnonzero(new)
    return Listed(
        ordered.values[starts],
        np.add.reduceat(ordered.count, starts),
        np.bitwise_or.reduceat(ordered.outcomes, starts, axis=0),
    )


def _add(bits: np.ndarray, places: np.ndarray) -> None:
    """Set a bit in every row: tables of a thousand states would otherwise spend their time on arrays of bool.

    Args:
        bits: `[N, W]` uint64, changed.
        places: `[N]` numbers of bits.
    """
    bits[np.arange(len(bits)), places // 64] |= np.uint64(1) << (places % 64).astype(np.uint64)


def _of_bits(bits: np.ndarray, number: int) -> np.ndarray:
    """`[number]` bool of bits `[W]`."""
    return (bits[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).reshape(-1)[:number] == 1


def attack(contributions: np.ndarray, available: np.ndarray, count: int, generator: np.random.Generator) -> Listed:
    """Schemes that may be equilibria: greedy ones, their neighbours, and random ones.

    The greedy ones are best, state by state, for positive combinations of players: what all members would agree on,
    and what one of them would choose under pressure from the user.

    Args:
        contributions: `[1 + K, X, A]`.
        available: `[X, A]` bool.
        count: about how many of each kind.
        generator: of random numbers.
    """
    players, (states, actions) = len(contributions), available.shape
    mixtures = generator.dirichlet(np.full(players, 0.3), max(1, count // (1 + states)))
    mixtures = np.concatenate([np.eye(players), mixtures])
    liking = np.where(available, np.tensordot(mixtures, contributions.astype(float), axes=1), -np.inf)
    greedy = liking.argmax(axis=2)
    drawn = np.where(available, generator.random((count, states, actions)), -1.0).argmax(axis=2)
    near = np.repeat(greedy, states, axis=0)
    rows = np.arange(len(near))
    near[rows, rows % states] = drawn[rows % len(drawn), rows % states]
    schemes = np.unique(np.concatenate([greedy, near, drawn]), axis=0)
    outcomes = np.zeros((len(schemes), -(-states * actions // 64)), np.uint64)
    for x in range(states):
        _add(outcomes, x * actions + schemes[:, x])
    values = contributions.transpose(1, 2, 0)[np.arange(states), schemes].sum(axis=1)
    return merged(Listed(values, np.ones(len(schemes), object), outcomes))
