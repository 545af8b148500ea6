"""The selection game with lotteries, from the definition: what every provider is content with, by fractions of t.

A rule is stable for a provider iff it draws, in every state, among the actions that maximize `(1 - t) u_0 + t u_j` for
some t in [0, 1], or in (0, 1] for the lowest member where it wins ties. Which actions these are is worked out at every
t where any two actions of a state are worth the same. Going down the user's values, one of these faces of each provider
is of rules with such a value; what those of the members have in common are equilibria. HiGHS is asked about single
values and knows no faces (`programs`).

Letters: B tables, K providers, X states, A actions, C committees, T fractions of a provider, Z values.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from equilibrax.verification.games import LOWEST, Answers, Games


@dataclass(frozen=True)
class Drawn:
    """What is true of lotteries, besides `Answers`.

    Attributes:
        faces: by table, then provider, `[T, X, A]` bool, the actions that may be drawn, by rising t > 0.
        optimal: `[B, X, A]` those at t = 0.
        ties: as in `Games`.
        intervals: by table, then committee, `[M, 2]` int64, the user's values in equilibrium, from below.
    """

    faces: list[list[np.ndarray]]
    optimal: np.ndarray
    ties: bool
    intervals: list[list[np.ndarray]]

    def accepts(self, table: int, mask: int, scheme: np.ndarray) -> bool:
        """Whether a scheme, whose actions exist, is an equilibrium of a committee."""
        own, states = self.faces[table], np.arange(len(scheme))
        members = [j for j in range(len(own)) if mask >> j & 1]
        if len(members) == 1:
            return bool(own[members[0]][-1][states, scheme].all())
        best = bool(self.optimal[table][states, scheme].all())
        return all(
            own[j][:, states, scheme].all(axis=1).any() or (best and not (self.ties and j == members[0]))
            for j in members
        )


def solve_lotteries(games: Games) -> Answers:
    """The answers of a block of tables. The number of equilibria is 1, or 2 for more."""
    committees, shape = games.committees, (len(games), len(games.committees))
    optimal = games.optimal_outcomes()
    outcomes = np.zeros((*shape, games.states, games.actions), bool)
    first = np.empty((*shape, games.states), np.int64)
    best_scheme = np.empty_like(first)
    faces, intervals = [], []
    for b in range(len(games)):
        own, user = [_faces(games, b, j) for j in range(games.providers)], games.contributions[b, 0]
        faces.append(own)
        found = _sweep(own, user, committees, games.available[b])
        intervals.append([])
        for c, mask in enumerate(committees.tolist()):
            members = [j for j in range(games.providers) if mask >> j & 1]
            if len(members) == 1:
                common = own[members[0]][-1][None]
            else:
                at_optimum = optimal[b]
                if games.ties:  # below the optimum, but as near to it as one likes
                    at_optimum = at_optimum & own[members[0]][0]
                common = np.concatenate([at_optimum[None], found[c]])
            ends = np.stack([_least(user, common).sum(axis=1), -_least(-user, common).sum(axis=1)], axis=1)
            intervals[b].append(_merged(ends))
            outcomes[b, c] = common.any(axis=0)
            first[b, c] = _first(user, common[ends[:, 0].argmin()])
            best_scheme[b, c] = _first(-user, common[ends[:, 1].argmax()])
    return Answers(
        optimum=games.optimum(),
        worst=np.array([[found[0, 0] for found in of_table] for of_table in intervals]).reshape(shape),
        best=np.array([[found[-1, 1] for found in of_table] for of_table in intervals]).reshape(shape),
        count=np.where(outcomes.sum(axis=(2, 3)) == games.states, 1, 2),
        outcomes=outcomes,
        proven=np.ones(shape, bool),
        method="all faces",
        worst_scheme=first,
        best_scheme=best_scheme,
        drawn=Drawn(faces, optimal, games.ties, intervals),
    )


def _faces(games: Games, b: int, j: int) -> np.ndarray:
    """`[T, X, A]` the best actions of provider j, from just above t = 0 to t = 1."""
    user, own = games.utilities[b, 0].astype(object), games.utilities[b, 1 + j].astype(object)
    there = games.available[b]
    ratios = {Fraction(0)}
    for x in range(games.states):
        actions = np.flatnonzero(there[x]).tolist()
        for a in actions:
            for other in actions:
                gain, loss = own[x, other] - own[x, a], user[x, a] - user[x, other]
                if gain > 0 and loss > 0:
                    ratios.add(Fraction(loss, gain))
    rising = sorted(ratios)
    rising[0] = rising[1] / 2 if len(rising) > 1 else Fraction(1)  # t / (1 - t), just above 0
    faces = np.empty((len(rising) + 1, games.states, games.actions), bool)
    largest = int(np.abs(games.utilities[b]).max(initial=1))
    for t, ratio in enumerate([*rising, None]):
        above, below = (1, 0) if ratio is None else (ratio.numerator, ratio.denominator)
        exact = np.int64 if (above + below) * largest < 2**62 else object
        value = below * user.astype(exact) + above * own.astype(exact)
        value = np.where(there, value, -(above + below) * largest - 1)
        faces[t] = value == value.max(axis=1, keepdims=True)
    return faces & there


def _sweep(faces: list[np.ndarray], user: np.ndarray, committees: np.ndarray, there: np.ndarray) -> list[np.ndarray]:
    """For every committee, `[Z, X, A]` what its members' faces of the same value have in common, where no state has
    nothing."""
    tops = [-_least(-user, face).sum(axis=1) for face in faces]  # falling
    values = np.unique(np.concatenate(tops))[::-1]
    members = np.zeros((len(values), *there.shape), np.int64)
    for j, (face, top) in enumerate(zip(faces, tops)):
        last = np.searchsorted(-top, -values, side="right") - 1
        members |= face[np.maximum(last, 0)].astype(np.int64) << j
    found = []
    for mask in committees.tolist():
        common = members & mask == mask
        found.append(common[common.any(axis=2).all(axis=1)])
    return found


def _least(user: np.ndarray, common: np.ndarray) -> np.ndarray:
    """`[N, X]` the smallest of what the user gets of some actions `[N, X, A]`."""
    return np.where(common, user, -LOWEST).min(axis=2)


def _first(user: np.ndarray, common: np.ndarray) -> np.ndarray:
    """`[X]` the first action of those with the smallest contribution."""
    return np.where(common, user, -LOWEST).argmin(axis=1)


def _merged(ends: np.ndarray) -> np.ndarray:
    """Disjoint intervals from below."""
    merged: list[list[int]] = []
    for low, high in sorted(ends.tolist()):
        if merged and low <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    return np.array(merged, np.int64)
