"""Games over partitions of the states, by listing every partition, for one table.

A partition is worth the sum of what its cells are worth. In a cell the user takes the action that is best for her on
all of its states, the lowest of several, or draws one with probabilities proportional to `exp(lambda x expected
utility)` (2509.15090, Definitions 7, 11, 12 and Section 5). Values within a tolerance are equal; it is 0 for the best
response.

- Who hears all learns the common refinement: a partition is an equilibrium of two or more iff no member gains by
  splitting a cell. One provider alone plays what is best for it, cell after cell.
- Who takes one provider: a partition is an equilibrium iff no member has one that is better for both.

Letters: K providers, X states, A actions, C committees, N = 2**X sets of states (state x is bit x), S partitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from equilibrax.verification.enumeration import of_committee, replay, replies_of
from equilibrax.verification.games import Games

MOST_STATES = 9
"""Tables of more states, with more than 21,147 partitions, are not solved again."""


@dataclass(frozen=True)
class Partitions:
    """All answers of one table and one lambda.

    Attributes:
        user: `[S]` what partitions are worth to the user.
        equilibria: `[C, S]` bool, in lexicographic order of the tuples of cells.
        end, steps, stopped: `[C]` the partition where dynamics ends, the moves, whether the limit ended it; or None.
    """

    user: np.ndarray
    equilibria: np.ndarray
    end: np.ndarray | None = None
    steps: np.ndarray | None = None
    stopped: np.ndarray | None = None


@lru_cache(maxsize=4)
def all_partitions(states: int) -> tuple[np.ndarray, dict[tuple[int, ...], int]]:
    """`[S, X]` the cells of every partition by lowest state, 0 fills up; and the place of each tuple of cells."""

    def split(left: int):
        if not left:
            yield ()
            return
        lowest = left & -left
        rest, inner, cells = left ^ lowest, 0, []
        while True:
            cells.append(lowest | inner)
            inner = (inner - rest) & rest  # the next subset
            if not inner:
                break
        for cell in cells:
            for more in split(left ^ cell):
                yield (cell, *more)

    found = list(split((1 << states) - 1))
    padded = np.array([cells + (0,) * (states - len(cells)) for cells in found])
    return padded, {cells: place for place, cells in enumerate(found)}


def labels_of(states: int) -> np.ndarray:
    """`[S, X]` labels of the states: cells are numbered by their lowest state."""
    cells, _ = all_partitions(states)
    inside = cells[:, :, None] >> np.arange(states) & 1
    return inside.argmax(axis=1)


def cell_values(games: Games, rationality: float | None) -> np.ndarray:
    """`[1 + K, N]` what every set of states is worth as a cell: int64, or float64 with quantal response.

    Args:
        games: one table, all of whose actions exist.
        rationality: lambda; None is the best response.
    """
    contributions, weights = games.contributions[0], games.prior[0]
    member = np.arange(1 << games.states)[:, None] >> np.arange(games.states) & 1  # [N, X]
    sums = np.einsum("nx,pxa->pna", member, contributions)
    if rationality is None:
        return np.take_along_axis(sums, sums[:1].argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    below = sums[0] - sums[0].max(axis=1, keepdims=True)
    unit = np.maximum(member @ weights, 1) * float(games.resolution)
    with np.errstate(invalid="ignore"):
        odds = np.where(below == 0, 1.0, np.exp(rationality * (below / unit[:, None])))
    return (sums * odds).sum(axis=2) / odds.sum(axis=1)


def taken(games: Games, labels: np.ndarray, rationality: float | None) -> np.ndarray:
    """`[X, A]` what the user does in every state after a partition, as in `cell_values`."""
    together = (labels[:, None] == labels).astype(np.int64)
    sums, weight = together @ games.contributions[0, 0], together @ games.prior[0]
    below = sums - sums.max(axis=1, keepdims=True)
    if rationality is None:
        return (np.arange(sums.shape[1]) == below.argmax(axis=1)[:, None]).astype(float)
    with np.errstate(invalid="ignore"):
        odds = np.where(below == 0, 1.0, np.exp(rationality * (below / (weight * float(games.resolution))[:, None])))
    return odds / odds.sum(axis=1, keepdims=True)


def solve_partitions(
    games: Games, rationality: float | None, tolerance: float, takes: bool, limit: int | None
) -> Partitions:
    """All answers.

    Args:
        games: one table, all of whose actions exist.
        rationality: lambda; None is the best response.
        tolerance: in the unit of values.
        takes: whether the user takes one provider; else she hears all.
        limit: of the moves of dynamics; None is no dynamics.
    """
    cells = cell_values(games, rationality)
    listed, _ = all_partitions(games.states)
    values = cells[:, listed].sum(axis=2)  # the empty set is worth 0
    if not takes:
        return _hearing_all(games, cells, values, tolerance, limit)
    if rationality is None:
        replies = replies_of(values[None])
        accepts = ~replies.strict_gain, ~replies.weak_gain, replies.optimal
        found = [of_committee(mask, *accepts, games.ties)[0] for mask in games.committees.tolist()]
        ends = None if limit is None else replay(games.committees, values[None], replies, games.ties, limit)
        return Partitions(values[0], np.array(found), *(end[0] for end in ends or ()))
    return _taking_one(games, values, tolerance, limit)


# --- hearing all ------------------------------------------------------------------------------------------------------


def _hearing_all(games: Games, cells: np.ndarray, values: np.ndarray, tolerance: float, limit: int | None):
    listed, places = all_partitions(games.states)
    own = cells[1:]
    split, best = _best_splits(own, games.states)
    sizes = np.array([number.bit_count() for number in range(own.shape[1])])
    stable: Any = ((sizes < 2) | (own - split >= -tolerance))[:, listed].all(axis=2)  # [K, S]
    left = (1 << games.states) - 1 - (np.cumsum(listed, axis=1) - listed)  # what is left before each cell
    alone: Any = (own[:, listed] + best[:, left - listed] >= best[:, left] - tolerance).all(axis=2)
    found = [
        of_committee(mask, stable[None], stable[None], alone[None], False)[0] for mask in games.committees.tolist()
    ]
    answers = Partitions(values[0], np.array(found))
    if limit is None:
        return answers
    refining = _Refining(own, best, tolerance)
    ends = [_replay_hearing(games.states, refining, mask, limit) for mask in games.committees.tolist()]
    place = np.array([places[cells] for cells, _, _ in ends])
    return Partitions(answers.user, answers.equilibria, place, *(np.array([e[i] for e in ends]) for i in (1, 2)))


def _best_splits(own: np.ndarray, states: int) -> tuple[np.ndarray, np.ndarray]:
    """`[K, N]` twice: the most that a set is worth in two cells or more, and in any number of cells."""
    best = own.copy()
    split = np.full(own.shape, -np.inf) if own.dtype.kind == "f" else np.full(own.shape, np.iinfo(np.int64).min // 2)
    for whole in range(1, 1 << states):
        rest = whole ^ (whole & -whole)
        inner = np.array(_subsets(rest)[:-1], np.int64)  # what goes with the lowest state: not all
        if len(inner):
            split[:, whole] = (own[:, inner | (whole & -whole)] + best[:, rest ^ inner]).max(axis=1)
            best[:, whole] = np.maximum(own[:, whole], split[:, whole])
    return split, best


@lru_cache(maxsize=2**10)
def _subsets(whole: int) -> list[int]:
    """All subsets of a set, rising."""
    found, inner = [0], 0
    while inner != whole:
        inner = (inner - whole) & whole
        found.append(inner)
    return found


class _Refining:
    """The best refinement of a partition for each provider: each cell divided so, the first of several."""

    def __init__(self, own: np.ndarray, best: np.ndarray, tolerance: float):
        self.own, self.best, self.tolerance = own.tolist(), best.tolist(), tolerance
        self.first: dict[tuple[int, int], int] = {}

    def of(self, j: int, coarse: tuple[int, ...]) -> tuple[int, ...]:
        fine = []
        for cell in coarse:
            while cell:
                fine.append(self._first(j, cell))
                cell ^= fine[-1]
        return tuple(sorted(fine, key=lambda cell: cell & -cell))

    def _first(self, j: int, whole: int) -> int:
        """The smallest first cell of a partition of a set that is as good as its best."""
        if (j, whole) not in self.first:
            own, best, lowest = self.own[j], self.best[j], whole & -whole
            cells = (lowest | inner for inner in _subsets(whole ^ lowest))
            enough = best[whole] - self.tolerance
            self.first[j, whole] = next(c for c in cells if own[c] + (best[whole ^ c] if whole ^ c else 0) >= enough)
        return self.first[j, whole]

    def worth(self, j: int, partition: tuple[int, ...]) -> float:
        return sum(self.own[j][cell] for cell in partition)


def _replay_hearing(states: int, refining: _Refining, mask: int, limit: int) -> tuple[tuple[int, ...], int, bool]:
    """Monopoly partitions first; in turn a member refines what the others say, if that is better for it than now."""
    nothing = ((1 << states) - 1,)
    members = [j for j in range(mask.bit_length()) if mask >> j & 1]
    said = {j: refining.of(j, nothing) for j in members}

    def together(without: int | None) -> tuple[int, ...]:
        heard = nothing
        for j in members:
            if j != without:
                heard = tuple(part & cell for part in heard for cell in said[j] if part & cell)
        return tuple(sorted(heard, key=lambda cell: cell & -cell))

    steps, passes, turn, now = 0, 0, 0, together(None)
    while passes < len(members):
        j = members[turn % len(members)]
        turn, passes = turn + 1, passes + 1
        reach = refining.of(j, together(j))
        if refining.worth(j, reach) > refining.worth(j, now) + refining.tolerance:
            if steps >= limit:
                return now, steps, True
            said[j], steps, passes = reach, steps + 1, 0
            now = together(None)
            if steps > states:  # impossible without a tolerance; a status says so
                break
    return now, steps, False


# --- taking one, with a tolerance -------------------------------------------------------------------------------------


def _taking_one(games: Games, values: np.ndarray, tolerance: float, limit: int | None) -> Partitions:
    """Values are better than others if they are larger by more than the tolerance, pair by pair."""
    user, own = values[0], values[1:]
    order = np.argsort(-user, kind="stable")
    falling, most = -user[order], np.maximum.accumulate(own[:, order], axis=1)  # of all that is as good for the user

    def content(number: Any) -> Any:  # with what the first so many offer
        top = np.where(number > 0, most[:, np.maximum(number - 1, 0)], -np.inf)
        return np.logical_not(top > own + tolerance)

    stable = content(np.searchsorted(falling, -(user + tolerance), side="left"))
    tie_stable = content(np.searchsorted(falling, -(user - tolerance), side="right"))
    alone: Any = np.greater_equal(own, own.max(axis=1, keepdims=True) - tolerance)
    masks = games.committees.tolist()
    found = [of_committee(mask, stable[None], tie_stable[None], alone[None], games.ties)[0] for mask in masks]
    answers = Partitions(user, np.array(found))
    if limit is None:
        return answers
    ends = [_replay_taking(user, own, alone, mask, games.ties, tolerance, limit) for mask in masks]
    return Partitions(user, answers.equilibria, *(np.array(part) for part in zip(*ends)))


def _replay_taking(user, own, alone, mask: int, ties: bool, tolerance: float, limit: int) -> tuple[int, int, bool]:
    members = [j for j in range(len(own)) if mask >> j & 1]
    posted = {j: int(alone[j].argmax()) for j in members}
    most = max(user[place] for place in posted.values())
    taken = next(j for j in members if user[posted[j]] >= most - tolerance)
    now, steps, passes, turn = posted[taken], 0, 0, 0
    while passes < len(members):
        j = members[turn % len(members)]
        turn, passes = turn + 1, passes + 1
        preferred = user > user[now] + tolerance
        if ties and j < taken:
            preferred |= user >= user[now] - tolerance
        gains = preferred & (own[j] > own[j, now] + tolerance)
        if j == taken or not gains.any():
            continue
        if steps >= limit:
            return now, steps, True
        aim = gains & (own[j] >= own[j][gains].max() - tolerance)
        now = int((aim & (user >= user[aim].max() - tolerance)).argmax())
        taken, steps, passes = j, steps + 1, 0
        if steps > len(members) * len(user):  # comes back
            return now, steps, True
    return now, steps, False
