"""The oracle of lotteries in the selection game: from the definitions, in fractions, and by linear programs.

A rule f is a lottery over actions in every state. It is stable for provider j if no rule g is strictly better for both
her and the user; for a provider that wins ties, if none is strictly better for her and at least as good for the user.
Rules are the points of a polytope and values are linear in them, so f is stable iff for some t it maximizes
`(1 - t) v_0 + t v_j` over all rules: t in [0, 1], or in (0, 1] for a provider that wins ties.

`equilibria` takes the product over the members' breakpoints of t, in fractions, and shares nothing with the package.
`slack_of` asks HiGHS about one utility of the user at a time, and uses no breakpoints at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from oracles import Table, members, outcomes
from scipy.optimize import linprog

Face = tuple[frozenset[int], ...]
"""By state, the actions that may be drawn."""

Interval = tuple[int, int]


def faces(table: Table, j: int, wins_ties: bool) -> set[Face]:
    """The optimal actions of `(1 - t) u_0 + t u_j`, for every t that counts."""
    pairs = [(table.user[x][a], table.providers[j][x][a], x) for x, a in outcomes(table)]
    times = {Fraction(0), Fraction(1)}
    for u, v, x in pairs:
        for other_u, other_v, y in pairs:
            gain, loss = other_v - v, u - other_u
            if x == y and gain > 0 and loss > 0:
                times.add(Fraction(loss, loss + gain))
    ordered = sorted(times)
    between = [(low + high) / 2 for low, high in itertools.pairwise(ordered)]
    return {_face(table, j, t) for t in [*ordered, *between] if t > 0 or not wins_ties}


def _face(table: Table, j: int, t: Fraction) -> Face:
    found = []
    for x in range(table.states):
        there = [a for a in range(table.actions) if table.available[x][a]]
        value = {a: (1 - t) * table.user[x][a] + t * table.providers[j][x][a] for a in there}
        found.append(frozenset(a for a in there if value[a] == max(value.values())))
    return tuple(found)


def common_faces(table: Table, committee: int, tie_break: str = "incumbent") -> set[Face]:
    """What the members' faces have in common, for every choice of one face each; only where no state is left without.

    A committee of one provider is a monopolist: its own optima.
    """
    team = members(table, committee)
    if len(team) == 1:
        return {_face(table, team[0], Fraction(1))}
    found: set[Face] = {tuple(frozenset(range(table.actions)) for _ in range(table.states))}
    for j in team:
        mine = faces(table, j, tie_break == "lowest_index" and j == team[0])
        found = {tuple(map(frozenset.intersection, face, other)) for face in found for other in mine}
        found = {face for face in found if all(face)}
    return found


def range_of(table: Table, face: Face) -> Interval:
    """The user's smallest and largest value over the rules of a face."""
    low = high = 0
    for x, actions in enumerate(face):
        values = [table.prior[x] * table.user[x][a] for a in actions]
        low, high = low + min(values), high + max(values)
    return low, high


def equilibria(table: Table, committee: int, tie_break: str = "incumbent") -> tuple[list[Interval], set]:
    """All values of the user in equilibrium, as disjoint closed intervals from below, and the outcomes attained."""
    found = common_faces(table, committee, tie_break)
    merged: list[list[int]] = []
    for low, high in sorted(range_of(table, face) for face in found):
        if merged and low <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    attained = {(x, a) for face in found for x, actions in enumerate(face) for a in actions}
    return [(low, high) for low, high in merged], attained


def worst_scheme(table: Table, committee: int, tie_break: str = "incumbent") -> tuple[int, ...]:
    """The lexicographically first scheme among the worst equilibria."""
    found = common_faces(table, committee, tie_break)
    worst = min(range_of(table, face)[0] for face in found)
    schemes = []
    for face in found:
        if range_of(table, face)[0] == worst:
            least = [min(table.user[x][a] for a in actions) for x, actions in enumerate(face)]
            schemes.append(
                tuple(min(a for a in actions if table.user[x][a] == least[x]) for x, actions in enumerate(face))
            )
    return min(schemes)


# --- by linear programs -----------------------------------------------------------------------------------------------


class Scan:
    """Whether a committee of two or more has an equilibrium with a given value of the user, one after the other.

    Below the user's optimum, provider j is content with f iff `v_j(f) >= max {v_j(g): v_0(g) >= v_0(f)}`: a g that is
    strictly better for the user is as close as one likes to one that is as good, since her optimum can be mixed in.
    """

    def __init__(self, table: Table, committee: int) -> None:
        self.table, self.team = table, members(table, committee)
        where = outcomes(table)
        self.values = np.array(
            [[table.prior[x] * u[x][a] for x, a in where] for u in (table.user, *table.providers)], float
        )
        self.once = np.array([[float(y == x) for y, _ in where] for x in range(table.states)])
        self.most = {j: self.values[1 + j].max() - self.values[1 + j].min() or 1.0 for j in self.team}

    def slack(self, value: float) -> float:
        """The most that every member can have of a rule with this value, less the most that it could have: 0 or less.

        It is 0 iff there is an equilibrium there. In units of each member's range, per state.
        """
        own = {}
        for j in self.team:
            found = linprog(
                -self.values[1 + j], -self.values[:1], [-value], self.once, np.ones(len(self.once)), method="highs"
            )
            assert found.success, found.message
            own[j] = -found.fun
        size = self.values.shape[1]
        cost = np.append(np.zeros(size), -1.0)
        content = np.array([np.append(-self.values[1 + j], self.most[j]) for j in self.team])
        there = np.vstack([np.append(self.values[0], 0.0), np.column_stack([self.once, np.zeros(len(self.once))])])
        found = linprog(
            cost,
            content,
            [-own[j] for j in self.team],
            there,
            np.append(value, np.ones(len(self.once))),
            bounds=[(0, None)] * size + [(None, None)],
            method="highs",
        )
        assert found.success, found.message
        return float(-found.fun)


def lowest_value(table: Table) -> int:
    """The least that the user can get at all."""
    return range_of(table, tuple(frozenset(a for a, there in enumerate(row) if there) for row in table.available))[0]


def scan_points(intervals: list[Interval], lowest: int) -> Iterator[tuple[Fraction, bool]]:
    """Values to ask about, and whether an equilibrium is expected: ends, middles, and the middles of gaps."""
    for i, (low, high) in enumerate(intervals):
        yield from ((Fraction(low), True), (Fraction(low + high, 2), True), (Fraction(high), True))
        before = intervals[i - 1][1] if i else lowest
        if before < low:
            yield Fraction(before + low, 2), False
