"""The independent oracle: best-provider selection games solved straight from the definitions.

Slow and obvious on purpose: Python integers and fractions, every pair of schemes compared, nothing shared
with the package. The paper is arXiv 2509.15090: Definitions 16 and 17 (the game and its Nash equilibria),
Theorem 6 and Remark 5 (the guarantee and the misalignment it needs), Section 7 (symmetric equilibria,
best-response dynamics). Misalignment is an LP, solved by HiGHS and, exactly, by a simplex in fractions.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scipy.optimize import linprog

Scheme = tuple[int, ...]
Outcome = tuple[int, int]

# The package's data, wherever it is installed; none of its code.
DATA = Path(str(importlib.util.find_spec("equilibrax").origin)).parent / "data"
PAPER_SCALE = 10_000  # paper_table: integer utility = utility x PAPER_SCALE


@dataclass(frozen=True)
class Table:
    """A game in integers. Lists are accepted and stored as tuples, so that tables are hashable."""

    user: Sequence[Sequence[int]]  # [X][A]
    providers: Sequence[Sequence[Sequence[int]]]  # [K][X][A]
    prior: Sequence[int]  # [X], positive weights
    available: Sequence[Sequence[bool]]  # [X][A]

    def __post_init__(self) -> None:
        object.__setattr__(self, "user", tuple(tuple(row) for row in self.user))
        object.__setattr__(self, "providers", tuple(tuple(tuple(row) for row in u) for u in self.providers))
        object.__setattr__(self, "prior", tuple(self.prior))
        object.__setattr__(self, "available", tuple(tuple(bool(a) for a in row) for row in self.available))
        for u in (self.user, *self.providers, self.available):
            assert len(u) == self.states, "one row per state"
            assert all(len(row) == self.actions for row in u), "one column per action"
        assert all(weight > 0 for weight in self.prior), "prior weights are positive"
        assert all(any(row) for row in self.available), "each state needs an available action"

    @property
    def states(self) -> int:
        return len(self.prior)

    @property
    def actions(self) -> int:
        return len(self.user[0])

    @property
    def total(self) -> int:
        """Sum of the prior weights: expected utility = value / total."""
        return sum(self.prior)


def members(table: Table, committee: int) -> list[int]:
    """Providers of a committee, lowest index first; bit j of the mask is provider j."""
    assert 0 < committee < 2 ** len(table.providers), "a committee is a non-empty bitmask over the providers"
    return [j for j in range(len(table.providers)) if committee >> j & 1]


def committees(table: Table) -> range:
    """Every non-empty committee."""
    return range(1, 2 ** len(table.providers))


def outcomes(table: Table) -> list[Outcome]:
    """Every available (state, action)."""
    return [(x, a) for x in range(table.states) for a in range(table.actions) if table.available[x][a]]


@functools.cache
def schemes(table: Table) -> tuple[Scheme, ...]:
    """All schemes, state -> available action, lexicographically (state 0 leads, low action first)."""
    choices = [[a for a in range(table.actions) if table.available[x][a]] for x in range(table.states)]
    return tuple(itertools.product(*choices))


@functools.cache
def values(table: Table) -> tuple[tuple[int, ...], ...]:
    """Per scheme (v_0, v_1, ..., v_K), the user first: v_p(f) = sum_x prior(x) u_p(f(x), x)."""
    return tuple(
        tuple(sum(p * u[x][f[x]] for x, p in enumerate(table.prior)) for u in (table.user, *table.providers))
        for f in schemes(table)
    )


def value_of(table: Table, scheme: Scheme) -> tuple[int, ...]:
    """The value vector (user first) of one scheme."""
    return values(table)[schemes(table).index(scheme)]


# Equilibria


@functools.cache
def _content(table: Table, j: int, wins_ties: bool) -> tuple[bool, ...]:
    """Per scheme f: provider j has no g that she prefers to f and that the user would leave f for.

    The user leaves for v_0(g) > v_0(f); for v_0(g) >= v_0(f) when j wins ties.
    """
    pairs = [(v[0], v[1 + j]) for v in values(table)]
    if wins_ties:
        return tuple(not any(g0 >= f0 and gj > fj for g0, gj in pairs) for f0, fj in pairs)
    return tuple(not any(g0 > f0 and gj > fj for g0, gj in pairs) for f0, fj in pairs)


@functools.cache
def _equilibria(table: Table, committee: int, tie_break: str) -> tuple[Scheme, ...]:
    assert tie_break in ("incumbent", "lowest_index")
    team = members(table, committee)
    if len(team) == 1:
        own = [v[1 + team[0]] for v in values(table)]
        return tuple(f for f, v in zip(schemes(table), own) if v == max(own))
    content = [_content(table, j, tie_break == "lowest_index" and j == team[0]) for j in team]
    return tuple(f for i, f in enumerate(schemes(table)) if all(bits[i] for bits in content))


def equilibria(table: Table, committee: int, tie_break: str = "incumbent") -> list[Scheme]:
    """Schemes f such that "everybody posts f" is an equilibrium of the committee.

    "incumbent" (Section 7): no provider of C has g with v_0(g) > v_0(f) and v_j(g) > v_j(f).
    "lowest_index" (Definitions 16, 17): the same, but v_0(g) >= v_0(f) is enough for the lowest-indexed
    provider, who wins ties. One provider: the monopolist's optima.
    """
    return list(_equilibria(table, committee, tie_break))


def _user_picks(user_values: Sequence[int], ties: str, selected: int | None, deviator: int | None) -> int:
    """Position of the provider whom the user takes: the best for her, ties by the rule."""
    tied = [i for i, v in enumerate(user_values) if v == max(user_values)]
    if ties != "lowest_index":
        if ties == "against_deviator" and len(tied) > 1 and deviator in tied:
            tied.remove(deviator)
        if selected in tied:
            return selected
    return tied[0]


def nash_equilibria_by_profiles(table: Table, committee: int, ties: str = "lowest_index") -> set[Scheme]:
    """Schemes selected in some Nash equilibrium over *all* profiles (f_j) for j in C (Definitions 16 and 17).

    ties="lowest_index": Definition 16. The other two rules have a memory, so an equilibrium is a profile and
    the provider selected in it, one of the user's best. "against_deviator": who deviates loses ties, and
    otherwise the selected provider keeps them (Section 7: a deviation must be strictly better for Alice).
    "incumbent_keeps": the selected provider keeps ties even when it is she who deviates.
    Tiny games only: S ** |C| profiles.
    """
    assert ties in ("lowest_index", "against_deviator", "incumbent_keeps")
    team, vals = members(table, committee), values(table)
    found = set()
    for profile in itertools.product(range(len(vals)), repeat=len(team)):
        offers = [vals[s][0] for s in profile]
        if ties == "lowest_index":
            possible = [_user_picks(offers, ties, None, None)]
        else:
            possible = [i for i, v in enumerate(offers) if v == max(offers)]
        for selected in possible:
            if not any(_profitable(table, team, profile, selected, ties)):
                found.add(schemes(table)[profile[selected]])
    return found


def _profitable(table: Table, team: list[int], profile: tuple[int, ...], selected: int, ties: str) -> Iterator[bool]:
    """For each unilateral deviation: does the deviator gain?"""
    vals = values(table)
    for i, j in enumerate(team):
        for g in range(len(vals)):
            new = (*profile[:i], g, *profile[i + 1 :])
            pick = _user_picks([vals[s][0] for s in new], ties, selected, i if new != profile else None)
            yield vals[new[pick]][1 + j] > vals[profile[selected]][1 + j]


def solve(table: Table, committee: int, tie_break: str = "incumbent") -> dict:
    """Optimum, worst and best user value (integers), number of equilibria, first scheme that is worst."""
    found = _equilibria(table, committee, tie_break)
    user = {f: v[0] for f, v in zip(schemes(table), values(table))}
    worst = min(user[f] for f in found)
    return {
        "optimum": max(user.values()),
        "worst": worst,
        "best": max(user[f] for f in found),
        "count": len(found),
        "worst_scheme": next(f for f in found if user[f] == worst),
    }


# Dynamics


def monopoly_scheme(table: Table, j: int) -> Scheme:
    """Provider j's own optimum; in each state the lowest of the actions that are best for her."""
    own = table.providers[j]
    actions = [[a for a in range(table.actions) if table.available[x][a]] for x in range(table.states)]
    return tuple(max(actions[x], key=lambda a, x=x: (own[x][a], -a)) for x in range(table.states))


def dynamics(
    table: Table, committee: int, tie_break: str = "incumbent", deviation: str = "best"
) -> tuple[Scheme, int, int]:
    """Best-response dynamics (Section 7.1): (final scheme, number of deviations, provider selected last).

    Everybody posts her monopoly scheme and the user takes the best (ties: lowest index). Then turns go round
    the committee from its lowest index, deviation or not; the selected provider passes. Provider j deviates
    to g if v_0(g) > v_0(f) and v_j(g) > v_j(f), f the selected scheme ("lowest_index": v_0(g) >= v_0(f) is
    enough when j is below the selected provider). "best": the largest v_j; "minimal": the smallest; then the
    largest v_0, then the lexicographically first. With "minimal" the end need not be an equilibrium: the
    selected provider passes although a larger gain may be left to her.
    """
    assert tie_break in ("incumbent", "lowest_index")
    assert deviation in ("best", "minimal")
    team, vals, every = members(table, committee), values(table), schemes(table)
    posted = {j: every.index(monopoly_scheme(table, j)) for j in team}
    selected = max(team, key=lambda j: (vals[posted[j]][0], -j))
    current, steps, passes, turn = posted[selected], 0, 0, 0
    while passes < len(team):
        j = team[turn % len(team)]
        turn += 1
        passes += 1
        if j == selected:
            continue
        f0, fj = vals[current][0], vals[current][1 + j]
        enough = f0 if tie_break == "lowest_index" and j < selected else f0 + 1  # integers: > f0 is >= f0 + 1
        gains = [g for g, v in enumerate(vals) if v[0] >= enough and v[1 + j] > fj]
        if gains:
            sign = 1 if deviation == "best" else -1
            current = max(gains, key=lambda g, j=j: (sign * vals[g][1 + j], vals[g][0], -g))
            selected, steps, passes = j, steps + 1, 0
    return every[current], steps, selected


# Misalignment


def equilibrium_outcomes(table: Table, committee: int, tie_break: str = "incumbent") -> set[Outcome]:
    """(x, a) attained by some equilibrium of the committee."""
    return {(x, a) for f in _equilibria(table, committee, tie_break) for x, a in enumerate(f)}


def optimal_outcomes(table: Table) -> set[Outcome]:
    """(x, a) attained by some scheme that is best for the user."""
    best = max(v[0] for v in values(table))
    return {(x, a) for f, v in zip(schemes(table), values(table)) if v[0] == best for x, a in enumerate(f)}


def _misalignment_lp(
    table: Table, committee: int, rows: str, weights: str, tie_break: str
) -> tuple[list[int], list[list[int]], list[int]]:
    """The LP of Definition 1 / Remark 5 as: minimize cost.x subject to A x >= b, x >= 0, in integers.

    x = (w_j for j in C, c+, c-, eps) with c = c+ - c-. Upper rows (equilibrium outcomes):
    -w.u - c + eps >= -u_0. Lower rows (the user's optimal outcomes): w.u + c + eps >= u_0.
    """
    assert rows in ("equilibrium", "table")
    assert weights in ("nonnegative", "simplex")
    team = members(table, committee)
    upper = lower = outcomes(table)
    if rows == "equilibrium":
        upper = sorted(equilibrium_outcomes(table, committee, tie_break))
        lower = sorted(optimal_outcomes(table))
    a_rows, b = [], []
    for x, a in upper:
        a_rows.append([-table.providers[j][x][a] for j in team] + [-1, 1, 1])
        b.append(-table.user[x][a])
    for x, a in lower:
        a_rows.append([table.providers[j][x][a] for j in team] + [1, -1, 1])
        b.append(table.user[x][a])
    if weights == "simplex":
        a_rows += [[1] * len(team) + [0, 0, 0], [-1] * len(team) + [0, 0, 0]]
        b += [1, -1]
    return [0] * len(team) + [0, 0, 1], a_rows, b


def misalignment(
    table: Table,
    committee: int,
    rows: str = "equilibrium",
    weights: str = "nonnegative",
    tie_break: str = "incumbent",
) -> float:
    """Misalignment epsilon of Remark 5 in integer-utility units, by HiGHS at unit scale and tight tolerances.

    rows="equilibrium": upper rows on outcomes of C's equilibria, lower rows on the user's optimal outcomes;
    rows="table": both on every available outcome (Definition 1). weights="simplex": the weights sum to one.
    """
    cost, a_rows, b = _misalignment_lp(table, committee, rows, weights, tie_break)
    users = [table.user[x][a] for x, a in outcomes(table)]
    scale = (max(users) - min(users)) or 1
    n = len(cost) - 3
    # Utilities over scale, eps and c over scale, w as it is: every row but "sum w = 1" is divided by scale.
    simplex_rows = 2 if weights == "simplex" else 0
    data_rows = len(a_rows) - simplex_rows
    matrix = [[-v / scale for v in row[:n]] + [-v for v in row[n:]] for row in a_rows[:data_rows]]
    answer = linprog(
        cost,
        A_ub=matrix,
        b_ub=[-v / scale for v in b[:data_rows]],
        A_eq=[[1] * n + [0, 0, 0]] if simplex_rows else None,
        b_eq=[1] if simplex_rows else None,
        bounds=[(0, None)] * len(cost),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert answer.status == 0, answer.message
    return float(answer.fun) * scale


@dataclass(frozen=True)
class Certificate:
    """An exact optimum of: minimize cost.x s.t. A x >= b, x >= 0, with the dual solution y that proves it."""

    value: Fraction
    x: tuple[Fraction, ...]
    y: tuple[Fraction, ...]


def certify(cost: list[int], a_rows: list[list[int]], b: list[int], found: Certificate) -> None:
    """Weak duality, in fractions: feasible x and feasible y with equal objectives are both optimal."""
    x, y = found.x, found.y
    assert len(x) == len(cost)
    assert len(y) == len(b)
    assert all(v >= 0 for v in x), "primal signs"
    assert all(v >= 0 for v in y), "dual signs"
    assert all(sum(v * t for v, t in zip(row, x)) >= bound for row, bound in zip(a_rows, b)), "primal rows"
    for i, price in enumerate(cost):
        assert sum(row[i] * t for row, t in zip(a_rows, y)) <= price, "dual rows"
    assert sum(v * t for v, t in zip(cost, x)) == found.value, "primal objective"
    assert sum(v * t for v, t in zip(b, y)) == found.value, "dual objective"


def exact_minimum(cost: list[int], a_rows: list[list[int]], b: list[int]) -> Certificate:
    """Minimize cost.x s.t. A x >= b, x >= 0, for cost >= 0, exactly.

    Textbook tableau simplex with Bland's rule on the dual (maximize b.y s.t. A^T y <= cost, y >= 0), where
    y = 0 is feasible; the primal solution is the reduced costs of the dual slacks. Certified before returned.
    """
    n, m = len(cost), len(b)
    # Row i: A^T y + slack_i = cost_i; columns: y_0..y_{m-1}, slack_0..slack_{n-1}, right-hand side.
    tableau = [
        [Fraction(v) for v in [*(row[i] for row in a_rows), *(int(s == i) for s in range(n)), cost[i]]]
        for i in range(n)
    ]
    reduced = [Fraction(-v) for v in b] + [Fraction(0)] * (n + 1)
    basis = [m + i for i in range(n)]
    while True:
        entering = next((col for col in range(m + n) if reduced[col] < 0), None)
        if entering is None:
            break
        rising = [i for i in range(n) if tableau[i][entering] > 0]
        ratios = [(tableau[i][-1] / tableau[i][entering], basis[i], i) for i in rising]
        assert ratios, "the dual is unbounded: the primal has no feasible point"
        leave = min(ratios)[2]  # the smallest ratio, ties to the smallest variable: Bland
        pivot = tableau[leave][entering]
        tableau[leave] = [v / pivot for v in tableau[leave]]
        for i in range(n):
            if i != leave and tableau[i][entering]:
                factor = tableau[i][entering]
                tableau[i] = [v - factor * t if t else v for v, t in zip(tableau[i], tableau[leave])]
        factor = reduced[entering]
        reduced = [v - factor * t if t else v for v, t in zip(reduced, tableau[leave])]
        basis[leave] = entering
    y = [Fraction(0)] * (m + n)
    for i, column in enumerate(basis):
        y[column] = tableau[i][-1]
    found = Certificate(reduced[-1], tuple(reduced[m : m + n]), tuple(y[:m]))
    certify(cost, a_rows, b, found)
    return found


@functools.cache
def misalignment_exact(
    table: Table,
    committee: int,
    rows: str = "equilibrium",
    weights: str = "nonnegative",
    tie_break: str = "incumbent",
) -> Fraction:
    """The value of `misalignment` as an exact, certified rational number."""
    return exact_minimum(*_misalignment_lp(table, committee, rows, weights, tie_break)).value


# Tables


def random_table(rng: random.Random, states: int, actions: int, providers: int, low: int = 0, high: int = 3) -> Table:
    """Small integers, so full of ties; prior weights 1 to 3; some actions are unavailable, but never all."""

    def utilities() -> list[list[int]]:
        return [[rng.randint(low, high) for _ in range(actions)] for _ in range(states)]

    user = utilities()
    others = [utilities() for _ in range(providers)]
    prior = [rng.randint(1, 3) for _ in range(states)]
    available = [[rng.random() < 0.8 for _ in range(actions)] for _ in range(states)]
    for row in available:
        row[rng.randrange(actions)] = True
    return Table(user, others, prior, available)


@functools.cache
def paper_table(name: str) -> Table:
    """A table of Appendix D from the package's CSV (state, action, user, providers), times PAPER_SCALE.

    Uniform prior. Actions are the labels of the whole file in order of first appearance; what a state does
    not list is unavailable there.
    """
    with (DATA / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    columns = list(lines[0])
    assert columns[:3] == ["state", "action", "user"], columns
    state_labels = list(dict.fromkeys(line["state"] for line in lines))
    action_labels = list(dict.fromkeys(line["action"] for line in lines))
    empty = [[0] * len(action_labels) for _ in state_labels]
    players = {player: [list(row) for row in empty] for player in columns[2:]}
    available = [[False] * len(action_labels) for _ in state_labels]
    for line in lines:
        x, a = state_labels.index(line["state"]), action_labels.index(line["action"])
        assert not available[x][a], f"twice: {line['state']}, {line['action']}"
        available[x][a] = True
        for player, utility in players.items():
            exact = Fraction(line[player]) * PAPER_SCALE
            assert exact.denominator == 1, f"{line[player]} is not a multiple of 1/{PAPER_SCALE}"
            utility[x][a] = int(exact)
    user, *others = players.values()
    return Table(user, others, [1] * len(state_labels), available)
