"""The independent oracle of the all-providers games: everything straight from the definitions of arXiv 2509.15090.

Slow and obvious on purpose: all partitions, all profiles, integers and fractions; nothing shared with the package.
The setting: one round, the user sends nothing, rules are deterministic, so a provider's rule is a partition of the
states and what the user learns from several is their common refinement. A cell is a bitmask of states, a partition a
tuple of cells ordered by lowest state, "lexicographic" compares these tuples. An action can be chosen in a cell only
if it is available in every state of it; a partition is allowed if each of its cells has such an action.

`rationality=None` is the best response (ties: the lowest action), a number >= 0 or `math.inf` quantal response.
Values are sums of contributions, so a utility is `value / game.unit`. They are integers for the best response,
fractions for quantal response at 0 and infinity, floats between. Players only ever compare values of their own, so
values are turned into integer ranks once (`ranks`; apart by more than the tolerance means a different rank) and every
game is then played on integers.

Where the paper and this setting part, each with a small case in `test_oracles_persuasion.py`:

- *Randomized rules* (Definition 3) are left out of every game but the oblivious one, and that matters. Prosecutor
  (prior 0.3): 0.3 with partitions, 0.6 with lotteries. Theorem 7: oblivious partitions give the user 2, first-best,
  lotteries 5/3. Two providers who only want the innocent convicted: silence is an equilibrium of partitions, though
  each would leave it for a lottery.
- *Obedience is weak* in the persuasion LP: 0.6 needs a judge who convicts when indifferent, Theorem 7 one who acquits.
  The user's own utility does not depend on it.
- *Availability*: the one-sender problem over lotteries has no optimum in general, since sending a message once in a
  million times from a state where an action is missing takes that action away (user 1 > 0 in state 0 where both are
  available; the provider wants 0 there and 2, available only in state 1, in state 1). Here the alternatives to a
  recommendation are the actions available wherever it can be made, used or not, which makes the LP closed. Of
  MovieLens's states, Action, Sci-Fi and Thriller share a film, as do others: full revelation is not the only partition.
- *Theorem 7, "market alignment is satisfied exactly"*: with weights that sum to 2 (Remark 2). Definition 1 as written
  (sum 1, any offset) gives eps = 1/4.
- *Proposition 1* fails with ties if the reference rule is coarser than full revelation: states 0 and 1, user (1, 1)
  and (0, 1). Pooled she takes action 1, which is optimal in both states, yet who learns state 0 takes action 0 there.
  With full revelation as reference Definition 9 always holds here (the joint partition is full revelation).
- *Definition 13* writes the L1 norm and says total variation. *Corollary 1* adds rho for an event of probability rho;
  in the L1 norm it takes 2 rho. `closeness` is the L1 norm, total variation its half.
- *Theorem 2, proof*: the utility after a deviation to C* is set equal to U_A(C*), but the other providers are heard
  too, and a quantal user may lose by hearing more. Compare every deviation with C* alone instead (one provider posts
  what the others reveal, the rest C*: a profile of Definition 13): utilities are in [0, 1], so U_A(C*) - 2 eps -
  delta / 2 holds. Total variation is enough for Theorem 2, and right in Corollary 1 and Proposition 2.
- *Proposition 2, proof*: a refinement of a cell that is accurate to eps_u is accurate to 2 eps_u only, but two
  refinements are within 2 eps_u of each other, which is what is used. With unavailable actions it fails: all
  utilities 0, action 1 available in one of two states: eps_u = 0, yet the user randomizes only if told.
- *Definition 14* as displayed starts both sides with the same term, and then says that x_B tells nothing new, given
  x_A. The prose (and Frongillo et al.) has E[u | x_A in A, x_B] in the first term; that is "substitutes" here.
- *U_A(C*)* of a quantal user may exceed what full revelation gives her: see `aligned`.
- *Cycles*: best-response dynamics of the joint game cannot cycle. After the first move the mover's posting is the joint
  partition; for anyone else the others' refinement is then the joint partition itself, so every further move makes it
  strictly finer. At most X moves.
- *Postings without a common action*: may a provider post a partition that is not allowed, if the joint one is? It does
  not matter: the joint partition of an equilibrium is allowed and supported by the symmetric profile, from which the
  same partitions can be reached, because every refinement of an allowed partition is allowed.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import oracles
from scipy.optimize import linprog

Partition = tuple[int, ...]
Outcome = tuple[int, int, int]  # (signal, state, action)
Policy = tuple[int, ...]  # [Z], the action recommended to the user after each of her signals
Signal = dict[Policy, tuple[Fraction, ...]]  # pi(policy | state), [X]

TOLERANCE = 1e-9  # of quantal comparisons, in units of utility


def _integers(nested):
    """Nested lists or arrays of integers as nested tuples."""
    if hasattr(nested, "__len__"):
        return tuple(_integers(part) for part in nested)
    assert int(nested) == nested, "integers only"
    return int(nested)


@dataclass(frozen=True)
class Game:
    """Reduced weights and contributions (weight x fixed-point utility). Lists and arrays become tuples."""

    weights: Sequence[Sequence[int]]  # [Z][X]
    user: Sequence[Sequence[Sequence[int]]]  # [Z][X][A]
    providers: Sequence[Sequence[Sequence[Sequence[int]]]]  # [K][Z][X][A]
    available: Sequence[Sequence[bool]]  # [X][A]
    resolution: int = 1

    def __post_init__(self) -> None:
        for name in ("weights", "user", "providers", "available"):
            object.__setattr__(self, name, _integers(getattr(self, name)))
        assert len(self.available) == self.states
        assert all(any(row) for row in self.available), "each state needs an available action"
        assert all(any(row) for row in self.weights), "each signal has weight somewhere"
        assert all(any(column) for column in zip(*self.weights)), "each state has weight somewhere"
        for player in self.players:
            for weight, utility in zip(_flat(self.weights), (cell for row in player for cell in row), strict=True):
                assert weight >= 0
                assert len(utility) == self.actions
                assert weight or not any(utility), "no weight, no contribution"

    @property
    def players(self):
        """Contributions of the user and of every provider."""
        return (self.user, *self.providers)

    @property
    def signals(self) -> int:
        return len(self.weights)

    @property
    def states(self) -> int:
        return len(self.weights[0])

    @property
    def actions(self) -> int:
        return len(self.available[0])

    @property
    def everything(self) -> int:
        """The cell of all states."""
        return 2**self.states - 1

    @property
    def unit(self) -> int:
        """Expected utility = value / unit."""
        return sum(_flat(self.weights)) * self.resolution


def _flat(rows) -> list:
    return [entry for row in rows for entry in row]


def from_prior(prior, user, providers, resolution: int = 1) -> Game:
    """From integer weights P[Z][X][Y] and utilities of (y, a): contributions are sums over y."""

    def contributions(utility):
        actions = range(len(utility[0]))
        return [[[sum(p * u[a] for p, u in zip(cell, utility)) for a in actions] for cell in row] for row in prior]

    weights = [[sum(cell) for cell in row] for row in prior]
    available = [[True] * len(user[0])] * len(weights[0])
    return Game(weights, contributions(user), [contributions(u) for u in providers], available, resolution)


def random_game(rng: random.Random, signals: int, states: int, actions: int, providers: int, high: int) -> Game:
    """Utilities 0..high given (z, x), weights 0..3, so full of ties; actions are unavailable one time in five."""
    while True:
        weights = [[rng.choice((0, 1, 1, 2, 3)) for _ in range(states)] for _ in range(signals)]
        if all(any(row) for row in weights) and all(any(column) for column in zip(*weights)):
            break

    def contributions():
        return [[[w * rng.randint(0, high) for _ in range(actions)] for w in row] for row in weights]

    available = [[rng.random() < 0.8 for _ in range(actions)] for _ in range(states)]
    for row in available:
        row[rng.randrange(actions)] = True
    return Game(weights, contributions(), [contributions() for _ in range(providers)], available)


def everywhere_available(game: Game) -> Game:
    """The same game with every action available in every state."""
    return Game(game.weights, game.user, game.providers, [[True] * game.actions] * game.states, game.resolution)


def members(committee: int) -> list[int]:
    """Providers of a committee, lowest index first; bit j of the mask is provider j."""
    assert committee > 0
    return [j for j in range(committee.bit_length()) if committee >> j & 1]


# Cells and partitions


def states_of(cell: int) -> list[int]:
    return members(cell)


@functools.cache
def partitions(cell: int) -> tuple[Partition, ...]:
    """Every partition of a set of states, lexicographically."""
    if not cell:
        return ((),)
    lowest = cell & -cell
    rest = cell ^ lowest
    subsets = [s for s in range(rest + 1) if s & rest == s]
    return tuple(sorted((lowest | s, *others) for s in subsets for others in partitions(rest ^ s)))


@functools.cache
def join(*several: Partition) -> Partition:
    """What is learned from several partitions together: their common refinement."""
    first, *others = several
    for other in others:
        first = tuple(sorted((c & d for c in first for d in other if c & d), key=lambda cell: cell & -cell))
    return first


def labels(partition: Partition) -> list[int]:
    """[X], in restricted-growth form: the position of each state's cell."""
    every = range(sum(partition).bit_length())
    return [next(i for i, cell in enumerate(partition) if cell >> x & 1) for x in every]


def from_labels(numbers: Sequence[int]) -> Partition:
    """The partition of any label array."""
    cells: dict[int, int] = {}
    for x, number in enumerate(numbers):
        cells[int(number)] = cells.get(int(number), 0) | 1 << x
    return tuple(cells.values())


def full_revelation(game: Game) -> Partition:
    return tuple(1 << x for x in range(game.states))


def allowed_actions(game: Game, cell: int) -> list[int]:
    """Actions available in every state of the cell."""
    return [a for a in range(game.actions) if all(game.available[x][a] for x in states_of(cell))]


def allowed_partitions(game: Game) -> list[Partition]:
    """Partitions whose cells all have a common action, lexicographically."""
    return [p for p in partitions(game.everything) if all(allowed_actions(game, cell) for cell in p)]


# Responses and values


def response(game: Game, cell: int, z: int, rationality: float | None = None) -> list:
    """[A], probability of each action after signal z in a cell: Definition 4 or Definition 11."""
    actions = allowed_actions(game, cell)
    sums = {a: sum(game.user[z][x][a] for x in states_of(cell)) for a in actions}
    best = [a for a in actions if sums[a] == max(sums.values())]
    if rationality is None:
        chosen = {best[0]: 1}
    elif rationality == math.inf:
        chosen = {a: Fraction(1, len(best)) for a in best}
    elif rationality == 0:
        chosen = {a: Fraction(1, len(actions)) for a in actions}
    else:
        weight = sum(game.weights[z][x] for x in states_of(cell)) * game.resolution
        powers = {a: math.exp(rationality * ((sums[a] - sums[best[0]]) / weight)) if weight else 1.0 for a in actions}
        chosen = {a: powers[a] / math.fsum(powers.values()) for a in actions}
    return [chosen.get(a, 0) for a in range(game.actions)]


@functools.lru_cache(maxsize=4096)
def cell_values(game: Game, cell: int, rationality: float | None = None) -> tuple:
    """(val_0, ..., val_K) of a cell, the user first."""
    totals = [0] * len(game.players)
    for z in range(game.signals):
        for a, probability in enumerate(response(game, cell, z, rationality)):
            for p, u in enumerate(game.players):
                totals[p] += probability * sum(u[z][x][a] for x in states_of(cell))
    return tuple(totals)


@functools.lru_cache(maxsize=256)
def values(game: Game, rationality: float | None = None) -> dict[Partition, tuple]:
    """(v_0, ..., v_K) of every allowed partition, in lexicographic order."""
    return {
        partition: tuple(sum(of_player) for of_player in zip(*(cell_values(game, c, rationality) for c in partition)))
        for partition in allowed_partitions(game)
    }


@functools.lru_cache(maxsize=256)
def ranks(game: Game, rationality: float | None = None, tolerance: float = TOLERANCE) -> dict[Partition, tuple]:
    """`values` as integers that compare alike; for quantal response, alike up to the tolerance."""
    slack = 0 if rationality is None else tolerance * game.unit
    of = values(game, rationality)
    columns = [_ranked(column, slack) for column in zip(*of.values())]
    return dict(zip(of, zip(*columns)))


def _ranked(numbers: Sequence, slack: float) -> list[int]:
    """Ranks from 0; numbers in a row that are at most `slack` apart share one."""
    ordered = sorted(set(numbers))
    starts = [n for before, n in zip([None, *ordered], ordered) if before is None or n - before > slack]
    found = [sum(n >= start for start in starts) - 1 for n in numbers]
    for n, rank in zip(numbers, found):
        assert n - starts[rank] <= slack, "values near the tolerance: `ambiguous` would have said so"
    return found


def ambiguous(game: Game, rationality: float | None, tolerance: float = TOLERANCE) -> bool:
    """Do two partitions differ for someone by a tenth to ten times the tolerance? Then solvers may rightly disagree.

    For instance, gains within several cells may add up to more than it. Common once exp(-rationality * utility) is
    that small.
    """
    if rationality is None:
        return False
    low, high = (tolerance * game.unit * factor for factor in (0.1, 10))
    columns = zip(*values(game, rationality).values())
    return any(low < abs(v - w) < high for column in columns for v, w in itertools.combinations(column, 2))


def near_ties(game: Game, rationality: float | None = None, tolerance: float = TOLERANCE) -> list[int]:
    """[K], allowed cells of two states or more that are worth the same as the best way to split them."""
    slack = 0 if rationality is None else tolerance * game.unit
    counts = [0] * len(game.providers)
    for cell in range(1, game.everything + 1):
        if cell.bit_count() > 1 and allowed_actions(game, cell):
            for j in range(len(game.providers)):
                best = max(
                    sum(cell_values(game, part, rationality)[1 + j] for part in split)
                    for split in partitions(cell)
                    if len(split) > 1
                )
                counts[j] += abs(cell_values(game, cell, rationality)[1 + j] - best) <= slack
    return counts


# The joint game: Definitions 7 and 12


def _is_equilibrium(team: list[int], profile: Sequence[Partition], rank: dict, moves: Sequence[Partition]) -> bool:
    """No member gains by posting one of `moves` such that the joint partition is allowed."""
    outcome = rank[join(*profile)]
    for i, j in enumerate(team):
        others = [posted for k, posted in enumerate(profile) if k != i]
        for move in moves:
            deviation = rank.get(join(move, *others))
            if deviation is not None and deviation[1 + j] > outcome[1 + j]:
                return False
    return True


def joint_by_profiles(
    game: Game,
    committee: int,
    rationality: float | None = None,
    tolerance: float = TOLERANCE,
    postings: str = "joint",
) -> list[Partition]:
    """Joint partitions of all equilibria among *all* profiles of partitions; also of a committee of one.

    postings="joint": anything may be posted as long as the joint partition is allowed; "own": each posting must be
    allowed by itself. For X <= 4 and up to three members.
    """
    assert postings in ("joint", "own")
    team, rank = members(committee), ranks(game, rationality, tolerance)
    moves = partitions(game.everything) if postings == "joint" else list(rank)
    found = set()
    for profile in itertools.product(moves, repeat=len(team)):
        outcome = join(*profile)
        if outcome in rank and outcome not in found and _is_equilibrium(team, profile, rank, moves):
            found.add(outcome)
    return sorted(found)


def joint_symmetric(
    game: Game, committee: int, rationality: float | None = None, tolerance: float = TOLERANCE
) -> list[Partition]:
    """Partitions P such that "all post P" is an equilibrium: every deviation to every partition, any X."""
    team, rank = members(committee), ranks(game, rationality, tolerance)
    every = partitions(game.everything)
    return [p for p in rank if _is_equilibrium(team, [p] * len(team), rank, every)]


def summary(
    game: Game, found: Sequence[Partition], rationality: float | None = None, tolerance: float = TOLERANCE
) -> dict:
    """Worst and best user value (not divided by the unit), count, and the first partition that is worst."""
    rank, of = ranks(game, rationality, tolerance), values(game, rationality)
    user = [of[p][0] for p in found]
    worst_partition = min(found, key=lambda p: (rank[p][0], p))
    return {"worst": min(user), "best": max(user), "count": len(found), "worst_partition": worst_partition}


def monopoly_partition(game: Game, j: int, rationality: float | None = None, tolerance: float = TOLERANCE) -> Partition:
    """Provider j's own optimum, the lexicographically first."""
    rank = ranks(game, rationality, tolerance)
    return max(rank, key=lambda p: rank[p][1 + j])  # the first of the best


class Path(NamedTuple):
    """Where dynamics ended: the joint partition, the number of moves, whether a state was seen twice."""

    partition: Partition
    steps: int
    cycle: bool


def joint_dynamics(game: Game, committee: int, rationality: float | None = None, tolerance: float = TOLERANCE) -> Path:
    """Round-robin best responses from monopoly partitions.

    Provider j picks the best refinement of what the others reveal (ties: lexicographically first), posts it if it
    is strictly better for j than the present joint partition, and the turn passes on. A round without a move ends it;
    so does a state (postings, turn) that was there before.
    """
    team, rank = members(committee), ranks(game, rationality, tolerance)
    posted = {j: monopoly_partition(game, j, rationality, tolerance) for j in team}
    seen, steps, passes, turn = set(), 0, 0, 0
    while passes < len(team):
        current = join(*posted.values())
        state = (tuple(posted.values()), turn)
        if state in seen:
            return Path(current, steps, True)
        seen.add(state)
        j = team[turn]
        others = join((game.everything,), *(p for k, p in posted.items() if k != j))
        reply = max((p for p in rank if join(p, others) == p), key=lambda p, j=j: rank[p][1 + j])
        passes += 1
        if rank[reply][1 + j] > rank[current][1 + j]:
            posted[j] = reply
            steps, passes = steps + 1, 0
        turn = (turn + 1) % len(team)
    return Path(join(*posted.values()), steps, False)


# Selection with obedience: Definitions 16 and 17 over partitions


def _selection_table(game: Game, rationality: float | None, tolerance: float) -> tuple[list[Partition], oracles.Table]:
    """A rule matters by its values only: one state, an action per allowed partition, its ranks as utilities."""
    rank = ranks(game, rationality, tolerance)
    user, *others = zip(*rank.values())
    return list(rank), oracles.Table([user], [[row] for row in others], [1], [[True] * len(rank)])


def selection_equilibria(
    game: Game,
    committee: int,
    tie_break: str = "incumbent",
    rationality: float | None = None,
    tolerance: float = TOLERANCE,
) -> list[Partition]:
    """Partitions P such that "all post P" is an equilibrium; the user best responds within each cell."""
    of, table = _selection_table(game, rationality, tolerance)
    return [of[a] for (a,) in oracles.equilibria(table, committee, tie_break)]


def selection_by_profiles(
    game: Game,
    committee: int,
    tie_break: str = "incumbent",
    rationality: float | None = None,
    tolerance: float = TOLERANCE,
) -> list[Partition]:
    """Partitions selected in some equilibrium among *all* profiles of allowed partitions."""
    ties = {"incumbent": "against_deviator", "lowest_index": "lowest_index"}[tie_break]
    of, table = _selection_table(game, rationality, tolerance)
    return sorted(of[a] for (a,) in oracles.nash_equilibria_by_profiles(table, committee, ties))


class SelectionPath(NamedTuple):
    """Where dynamics ended: the selected partition, the number of moves, the provider selected."""

    partition: Partition
    steps: int
    selected: int


def selection_dynamics(
    game: Game,
    committee: int,
    tie_break: str = "incumbent",
    rationality: float | None = None,
    tolerance: float = TOLERANCE,
) -> SelectionPath:
    """`oracles.dynamics` over partitions; it never cycles.

    Monopoly partitions: lexicographically first. Moves: best for the mover, then for the user, then first.
    """
    of, table = _selection_table(game, rationality, tolerance)
    (action,), steps, selected = oracles.dynamics(table, committee, tie_break)
    return SelectionPath(of[action], steps, selected)


# One aligned provider, and first-best


def aligned(game: Game, rationality: float | None = None) -> tuple:
    """(U_A(C*), the first partition that attains it): Definition 8. Best response: full revelation attains it too."""
    of = values(game, rationality)
    best = max(v[0] for v in of.values())
    return best, next(p for p, v in of.items() if v[0] == best)


def first_best(game: Game) -> int:
    """OPT, Definition 2: she knows her signal and the state."""
    return sum(
        max(game.user[z][x][a] for a in allowed_actions(game, 1 << x))
        for z in range(game.signals)
        for x in range(game.states)
    )


# Oblivious providers: Appendix B


def oblivious_partition(
    game: Game, committee: int, rationality: float | None = None, tolerance: float = TOLERANCE
) -> Partition:
    """Everybody posts her monopoly partition, the user combines them."""
    return join(*(monopoly_partition(game, j, rationality, tolerance) for j in members(committee)))


def policies(game: Game) -> dict[Policy, int]:
    """Recommendations, one action per signal of the user, and the cell of states where they can be made."""
    found = {}
    for policy in itertools.product(range(game.actions), repeat=game.signals):
        cell = sum(1 << x for x in range(game.states) if all(game.available[x][a] for a in policy))
        if cell:
            found[policy] = cell
    return found


class PersuasionLP(NamedTuple):
    """Minimize cost.pi subject to rows.pi >= bounds and pi >= 0; the provider's value is offset - cost.pi."""

    variables: list[tuple[Policy, int]]  # (policy, state)
    cost: list[int]
    rows: list[list[int]]
    bounds: list[int]
    offset: int


def persuasion_lp(game: Game, j: int) -> PersuasionLP:
    """The one-sender problem over randomized rules (Definition 19, revelation principle), in integers.

    Rows: after policy m and signal z the user does not gain by an action available wherever m can be made; in each
    state probabilities sum to one. Costs are what the provider loses against her best policy of the state.
    """
    every = policies(game)
    variables = [(m, x) for m, cell in every.items() for x in states_of(cell)]
    payoff = {(m, x): sum(game.providers[j][z][x][a] for z, a in enumerate(m)) for m, x in variables}
    top = [max(payoff[m, x] for m, y in variables if y == x) for x in range(game.states)]
    rows, bounds = [], []
    for m, cell in every.items():
        for z, a in enumerate(m):
            u = game.user[z]
            for other in allowed_actions(game, cell):
                if other != a:
                    rows.append([(u[x][a] - u[x][other]) * (n == m) for n, x in variables])
                    bounds.append(0)
    for x in range(game.states):
        for sign in (1, -1):
            rows.append([sign * (y == x) for _, y in variables])
            bounds.append(sign)
    return PersuasionLP(variables, [top[x] - payoff[m, x] for m, x in variables], rows, bounds, sum(top))


def persuasion(game: Game, j: int) -> tuple[Fraction, Signal]:
    """Provider j's value over randomized rules and a rule that attains it, exact and certified by duality."""
    lp = persuasion_lp(game, j)
    found = oracles.exact_minimum(lp.cost, lp.rows, lp.bounds)
    chances = dict(zip(lp.variables, found.x))
    signal = {m: tuple(chances.get((m, x), Fraction(0)) for x in range(game.states)) for m in policies(game)}
    return lp.offset - found.value, {m: row for m, row in signal.items() if any(row)}


def persuasion_is_unique(game: Game, j: int) -> bool:
    """Is the optimal rule unique? If not, the user's utility depends on which one is played. By HiGHS, to 1e-7."""
    lp = persuasion_lp(game, j)
    best = float(lp.offset - persuasion(game, j)[0])
    matrix = [*([-v for v in row] for row in lp.rows), lp.cost]
    for i in range(len(lp.variables)):
        direction = [float(k == i) for k in range(len(lp.variables))]
        ends = [
            linprog([sign * v for v in direction], matrix, [*(-b for b in lp.bounds), best + 1e-10], method="highs")
            for sign in (1, -1)
        ]
        assert all(end.status == 0 for end in ends)
        if -ends[1].fun - ends[0].fun > 1e-7:
            return False
    return True


def combined_value(game: Game, signals: Sequence[Signal]) -> Fraction:
    """The user's value when she hears one recommendation of each, drawn independently given the state."""
    total = Fraction(0)
    every = policies(game)
    for heard in itertools.product(*signals):
        cell = functools.reduce(lambda c, m: c & every[m], heard, game.everything)
        chance = [math.prod(signal[m][x] for signal, m in zip(signals, heard)) for x in range(game.states)]
        if any(chance):
            for u in game.user:
                total += max(sum(p * u[x][a] for x, p in enumerate(chance)) for a in allowed_actions(game, cell))
    return total


def oblivious_randomized(game: Game, committee: int) -> Fraction:
    """The user's value when every member plays the rule of `persuasion`."""
    return combined_value(game, [persuasion(game, j)[1] for j in members(committee)])


# What the bounds need


def induced(game: Game, partition: Partition, rationality: float | None = None, prior=None) -> dict:
    """Definition 5, not divided by the total weight: weight of (y, a), y = (z, x) or, with `prior[Z][X][Y]`, y."""
    found: dict = {}
    for cell, z in itertools.product(partition, range(game.signals)):
        for a, probability in enumerate(response(game, cell, z, rationality)):
            for x in states_of(cell):
                hidden = {(z, x): game.weights[z][x]} if prior is None else dict(enumerate(prior[z][x]))
                for y, weight in hidden.items():
                    found[y, a] = found.get((y, a), 0) + weight * probability
    return found


def deviations_to(game: Game, reference: Partition, providers: int) -> set[tuple[Partition, Partition]]:
    """Over all profiles and pairs i < j: the joint partitions when i, and when j, deviates to the reference."""
    found = set()
    for profile in itertools.product(partitions(game.everything), repeat=providers):
        after = [join(reference, *profile[:i], *profile[i + 1 :]) for i in range(providers)]
        found.update(itertools.combinations(after, 2))
    return found


def closeness(
    game: Game, reference: Partition, providers: int, rationality: float | None = None, prior=None
) -> Fraction | float:
    """delta of Definition 13: the largest L1 distance over `deviations_to`. Zero is Definition 9."""
    of = {p: induced(game, p, rationality, prior) for pair in deviations_to(game, reference, providers) for p in pair}
    largest = max(sum(abs(of[p][k] - of[q][k]) for k in of[p]) for p, q in deviations_to(game, reference, providers))
    total = game.unit // game.resolution
    return largest / total if isinstance(largest, float) else Fraction(largest) / total


def estimation_error(game: Game, reference: Partition) -> Fraction:
    """eps_u of Proposition 2: |E[u(a) | z, cell] - E[u(a) | z, x]|, the largest over actions allowed in the cell."""
    largest = Fraction(0)
    for cell, z in itertools.product(reference, range(game.signals)):
        weight = sum(game.weights[z][x] for x in states_of(cell)) * game.resolution
        for a, x in itertools.product(allowed_actions(game, cell), states_of(cell)):
            if game.weights[z][x]:
                mean = Fraction(sum(game.user[z][y][a] for y in states_of(cell)), weight)
                true = Fraction(game.user[z][x][a], game.weights[z][x] * game.resolution)
                largest = max(largest, abs(mean - true))
    return largest


def substitutes_gap(game: Game, form: str = "prose") -> Fraction:
    """Definition 14: the largest left side minus right side over actions and events A, B; it holds iff <= 0.

    A difference of mean squared errors of nested information is the difference of E[E[u | .]^2], so the reduced game
    is enough. form="prose": what x_A adds to x_B, at most what it adds to B. form="literal": as displayed.
    """
    assert form in ("prose", "literal")
    gaps = []
    signal_events, state_events = range(1, 2**game.signals), range(1, game.everything + 1)
    for a, event_a, event_b in itertools.product(range(game.actions), signal_events, state_events):
        rows, columns = states_of(event_a), states_of(event_b)

        def square(groups, a=a):
            """Weight times E[E[u | group]^2] over groups of (z, x)."""
            total = Fraction(0)
            for group in groups:
                weight = sum(game.weights[z][x] for z, x in group)
                if weight:
                    total += Fraction(sum(game.user[z][x][a] for z, x in group) ** 2, weight)
            return total

        weight = sum(game.weights[z][x] for z in rows for x in columns)
        if weight:
            both = square([[(z, x)] for z in rows for x in columns])
            state = square([[(z, x) for z in rows] for x in columns])
            signal = square([[(z, x) for x in columns] for z in rows])
            neither = square([[(z, x) for z in rows for x in columns]])
            left = both - (state if form == "prose" else neither)
            gaps.append((left - (signal - neither)) / (weight * game.resolution**2))
    return max(gaps)


def outcomes(game: Game) -> set[Outcome]:
    """Every (z, x, a) with weight where a is available."""
    return {
        (z, x, a)
        for z, x in itertools.product(range(game.signals), range(game.states))
        for a in allowed_actions(game, 1 << x)
        if game.weights[z][x]
    }


def attained(game: Game, found: Sequence[Partition], rationality: float | None = None) -> set[Outcome]:
    """Outcomes that some of the partitions lead to."""
    return {(*y, a) for p in found for (y, a), weight in induced(game, p, rationality).items() if weight}


def alignment(
    game: Game,
    committee: int,
    upper: set[Outcome] | None = None,
    lower: set[Outcome] | None = None,
    weights: str = "simplex",
) -> float:
    """eps of Definition 1 over conditional utilities, in units of utility, by HiGHS.

    sum_j w_j u_j + c <= u_0 + eps on `upper`, >= u_0 - eps on `lower` (default: all outcomes); Remark 5 restricts
    them. weights="nonnegative" drops sum w = 1 (Remark 2).
    """
    assert weights in ("simplex", "nonnegative")
    return chebyshev(
        [_conditional(game, game.user, outcome) for outcome in sorted(outcomes(game))],
        [[_conditional(game, game.providers[j], o) for o in sorted(outcomes(game))] for j in members(committee)],
        [o in upper if upper is not None else True for o in sorted(outcomes(game))],
        [o in lower if lower is not None else True for o in sorted(outcomes(game))],
        weights,
    )


def _conditional(game: Game, player, outcome: Outcome) -> float:
    z, x, a = outcome
    return player[z][x][a] / (game.weights[z][x] * game.resolution)


def chebyshev(
    user: Sequence[float],
    providers: Sequence[Sequence[float]],
    upper: Sequence[bool] | None = None,
    lower: Sequence[bool] | None = None,
    weights: str = "simplex",
) -> float:
    """The same for utilities in a row, such as those of all (y, a): Definition 1 itself."""
    rows, bounds = [], []  # variables: w_j, c, eps
    for i, target in enumerate(user):
        mix = [u[i] for u in providers]
        if upper is None or upper[i]:
            rows.append([*mix, 1, -1])
            bounds.append(target)
        if lower is None or lower[i]:
            rows.append([*(-v for v in mix), -1, -1])
            bounds.append(-target)
    simplex = weights == "simplex"
    answer = linprog(
        [0.0] * len(providers) + [0, 1],
        rows,
        bounds,
        [[1] * len(providers) + [0, 0]] if simplex else None,
        [1] if simplex else None,
        [(0, None)] * len(providers) + [(None, None), (0, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert answer.status == 0, answer.message
    return float(answer.fun)


def refinements(partition: Partition) -> Iterator[Partition]:
    """Every refinement of a partition, itself included."""
    for parts in itertools.product(*(partitions(cell) for cell in partition)):
        yield tuple(sorted(itertools.chain(*parts), key=lambda cell: cell & -cell))
