"""The independent oracle of markets with many users: everything straight from the definitions of arXiv 2602.13451.

Slow and obvious on purpose: all rules, all profiles, every unilateral deviation, integers and fractions; nothing shared
with the package. A world x is one draw of everything (y and what everybody observes), what somebody observes is a
label per world. Rules are deterministic and the conversation is one message, so an "obedience" rule of provider j is a
partition of the worlds coarser than what j sees, written as a restricted-growth string [X], and rules are ordered as
these strings are. A "delegation" rule is an action per world, constant where j sees no difference, and the user does
what it says. Values are sums of weight x fixed-point utility: expected utility = value / unit.

The benchmark u_i(C*_{S,T}), Definitions 2.8 to 2.12. A common garbling z is coupled with y alone: q(z|y) has to be
sum_o P(o|y) f_j(z|o) for every j of T, and f_j may randomize.

- *The user knows nothing more*: the law of (z, y) is all that matters, so u_i(C_S) is the same from every provider. By
  revelation z is the action she takes. Obedience needs no constraint: whatever z is, her best response to it is again
  a common garbling, and it is the best of them.
- *The user observes s = x_i^U*: Definition 2.11 takes the law of (s, z, y) to be the same from every provider, which
  the coupling with y does not give. y and s are independent coins, provider 1 sees "y = s?", provider 2 a third coin,
  and z is what they see: a common garbling, worth 1 from provider 1 and 1/2 from provider 2. It is enough that s and
  o_j are independent given y, for every j of T (each pair: footnote 1); then P(z|y,s) = q(z|y). Without that, the
  garbling has to be coupled with (y, s), `couple="state_and_signal"`: q(z|y,s) = sum_o P(o|y,s) f_j(z|o). That is a
  common garbling in the sense of Definition 2.8 too, u_i(C_S) is well defined, every proof goes through, and with
  independence it is the paper's benchmark. z is then a policy, an action per signal of the user.
- *y has to decide every utility* (of the user and the components about her): the proof of Theorem 3.1 takes the law of
  (a, y) after a deviation to be the same for all deviators. `state_of` says which y a world belongs to; by default
  each world is its own y. Then z is a function of every o_j, that is, of the finest partition coarser than all of them
  (the meet), and the benchmark reveals that. Example of Section 2: the shared coordinates, and with y itself as world
  independence is needed for nothing but full support.
- *Everybody in T observes the same*: full revelation of it, whatever y is.

Where the paper and this setting part, each with a small case in `test_oracles_market.py`:

- *Randomized garblings*. Partitions cannot implement them, so Theorem 3.1 fails for games over partitions when the
  members of T observe different things and C* randomizes: y is a coin, o_1 is right 8 times in 10, o_2 7 times;
  the benchmark is 7/10, and u = F_1 + F_2 with a silent equilibrium that gives 1/2. `shared_by_partitions` is what
  partitions can implement, and with it the theorem holds. No difference if each world is its own y, or all
  members of T observe the same. Theorem 4.3 is safe: revealing all one sees is a partition, and better than C*.
- *Theorem 4.3* needs its eps for the provider with the largest weight on user i alone, and any provider will do:
  u_i >= u_i(C*) - min_j 2 eps_j / lambda_ji. lambda* is not a number of the market: the LP has many solutions.
- *Theorem 4.4* is never stronger than Theorem 4.3 here (Delta >= 0), since full revelation takes one message.
- *Existence*: the anonymous game over partitions may have no equilibrium, even if everybody sees everything (with ties;
  6 in 10,000 separable ones); no personalized separable game without one was found in 20,000.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from typing import Any, NamedTuple

from scipy.optimize import linprog

Rule = tuple[int, ...]  # [X], a label or (delegation) an action for every world


def _tuples(nested: Any) -> Any:
    """Nested lists or arrays as nested tuples of Python integers."""
    if hasattr(nested, "__len__"):
        return tuple(_tuples(part) for part in nested)
    assert int(nested) == nested, "integers only"
    return int(nested)


@dataclass(frozen=True)
class Market:
    """One market. Exactly one of (components and weights) and tensor; lists and arrays become tuples."""

    prior: Sequence[int]  # [X], positive weights
    user: Sequence[Any]  # [N][X][A], steps of 1 / resolution
    components: Any = None  # [K][N][X][A], F_ji, steps of 1 / resolution
    weights: Any = None  # [K][N], lambda_ji >= 0, steps of 1 / weight_resolution
    tensor: Any = None  # [K][X][A]..[A], N action axes, steps of 1 / (resolution weight_resolution)
    provider_sees: Any = None  # [K][X]; default: the world
    user_sees: Any = None  # [N][X]; default: nothing
    available: Any = None  # [N][A]; default: everything
    resolution: int = 1
    weight_resolution: int = 1

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        for name in ("prior", "user", "components", "weights", "tensor"):
            if getattr(self, name) is not None:
                set_field(self, name, _tuples(getattr(self, name)))
        assert (self.tensor is None) == (self.components is not None) == (self.weights is not None)
        defaults = {
            "provider_sees": [range(self.worlds)] * self.providers,
            "user_sees": [[0] * self.worlds] * self.users,
            "available": [[1] * self.actions] * self.users,
        }
        for name, default in defaults.items():
            given = getattr(self, name)
            set_field(self, name, _tuples(default if given is None else given))
        assert all(weight > 0 for weight in self.prior)
        assert all(len(u) == self.worlds and all(len(row) == self.actions for row in u) for u in self.user)
        assert len(self.provider_sees) == self.providers
        assert all(len(s) == self.worlds for s in self.provider_sees)
        assert len(self.user_sees) == self.users
        assert all(len(s) == self.worlds for s in self.user_sees)
        assert len(self.available) == self.users
        assert all(any(row) for row in self.available)
        if self.components is not None:
            assert all(len(of) == self.users for of in (*self.components, *self.weights))
            assert all(w >= 0 for row in self.weights for w in row)

    @property
    def worlds(self) -> int:
        return len(self.prior)

    @property
    def users(self) -> int:
        return len(self.user)

    @property
    def providers(self) -> int:
        return len(self.components if self.tensor is None else self.tensor)

    @property
    def actions(self) -> int:
        return len(self.user[0][0])

    @property
    def unit(self) -> int:
        """A user's expected utility = value / unit; a provider's is payoff / unit / weight_resolution."""
        return sum(self.prior) * self.resolution


def members(committee: int) -> list[int]:
    """Providers of a committee, lowest index first; bit j of the mask is provider j."""
    assert committee > 0
    return [j for j in range(committee.bit_length()) if committee >> j & 1]


def committees(market: Market) -> range:
    return range(1, 2**market.providers)


def provider_utility(market: Market, j: int, x: int, profile: Sequence[int]) -> int:
    """u_j(a_1..a_n, x) in steps of 1 / (resolution weight_resolution)."""
    if market.tensor is None:
        return sum(market.weights[j][i] * market.components[j][i][x][a] for i, a in enumerate(profile))
    entry = market.tensor[j][x]
    for a in profile:
        entry = entry[a]
    return entry


def as_tensor(market: Market) -> Market:
    """The same separable market as a general one; its payoffs are those of the separable one."""
    grid = range(market.actions)

    def nested(j: int, x: int, profile: tuple[int, ...]) -> Any:
        if len(profile) == market.users:
            return provider_utility(market, j, x, profile)
        return [nested(j, x, (*profile, a)) for a in grid]

    tensor = [[nested(j, x, ()) for x in range(market.worlds)] for j in range(market.providers)]
    return replace(market, components=None, weights=None, tensor=tensor)


# Rules and responses


def growth_strings(length: int) -> list[Rule]:
    """Every restricted-growth string, lexicographically: one per partition of `length` things."""
    found: list[Rule] = [()]
    for _ in range(length):
        found = [(*s, label) for s in found for label in range(len(set(s)) + 1)]
    return found


def canonical(labels: Sequence[int]) -> Rule:
    """The same partition in restricted-growth form."""
    seen: dict[int, int] = {}
    return tuple(seen.setdefault(label, len(seen)) for label in labels)


def meet(several: Sequence[Sequence[int]]) -> Rule:
    """The finest partition coarser than all: worlds linked by somebody who cannot tell them apart."""
    labels = list(range(len(several[0])))
    changed = True
    while changed:
        changed = False
        for sees, x, y in itertools.product(several, range(len(labels)), range(len(labels))):
            if sees[x] == sees[y] and labels[x] != labels[y]:
                labels[x] = labels[y] = min(labels[x], labels[y])
                changed = True
    return canonical(labels)


def public_rules(market: Market, j: int) -> list[Rule]:
    """Every partition of the worlds that j can announce, in lexicographic order."""
    cells = canonical(market.provider_sees[j])
    return [tuple(s[c] for c in cells) for s in growth_strings(max(cells) + 1)]


def delegation_rules(market: Market, j: int, i: int) -> list[Rule]:
    """Every action per cell of what j sees, out of user i's own actions, in lexicographic order."""
    cells = canonical(market.provider_sees[j])
    own = [a for a in range(market.actions) if market.available[i][a]]
    return [tuple(s[c] for c in cells) for s in itertools.product(own, repeat=max(cells) + 1)]


def response(market: Market, i: int, rule: Rule) -> Rule:
    """[X], user i's action in every world: Definition 2.5, ties to the lowest action."""
    chosen = []
    for x in range(market.worlds):
        like = [
            z for z in range(market.worlds) if (rule[z], market.user_sees[i][z]) == (rule[x], market.user_sees[i][x])
        ]
        sums = {
            a: sum(market.prior[z] * market.user[i][z][a] for z in like)
            for a in range(market.actions)
            if market.available[i][a]
        }
        chosen.append(min(a for a in sums if sums[a] == max(sums.values())))
    return tuple(chosen)


def rules_for(market: Market, j: int, i: int, rules: str) -> list[Rule]:
    assert rules in ("obedience", "delegation")
    return public_rules(market, j) if rules == "obedience" else delegation_rules(market, j, i)


def actions_under(market: Market, i: int, rule: Rule, rules: str) -> Rule:
    """What user i does in every world under a rule."""
    return response(market, i, rule) if rules == "obedience" else rule


def user_value(market: Market, i: int, acts: Rule) -> int:
    return sum(market.prior[x] * market.user[i][x][a] for x, a in enumerate(acts))


def payoff(market: Market, j: int, acts: Sequence[Rule]) -> int:
    """Provider j's payoff when user i does acts[i][x] in world x."""
    return sum(
        market.prior[x] * provider_utility(market, j, x, [of_user[x] for of_user in acts]) for x in range(market.worlds)
    )


def revelation_value(market: Market, i: int, labels: Sequence[int]) -> Fraction:
    """User i's utility when she is told the label of the world, besides what she sees."""
    return Fraction(user_value(market, i, response(market, i, tuple(labels))), market.unit)


# Games


class Equilibrium(NamedTuple):
    """rules[m]: of the m-th member (personalized: a vector, one per user); choices, values: per user."""

    rules: tuple[Any, ...]
    choices: tuple[int, ...]  # the provider's index in the market
    values: tuple[int, ...]


class Summary(NamedTuple):
    """Of one user; None where there is no equilibrium."""

    equilibria: int
    worst: int | None
    best: int | None


def summary(found: Sequence[Equilibrium], i: int) -> Summary:
    values = [e.values[i] for e in found]
    return Summary(len(found), min(values, default=None), max(values, default=None))


def _nash(strategies: Sequence[Sequence[Any]], pays: dict[tuple, tuple]) -> list[tuple]:
    """Profiles (of strategy numbers) from which nobody gains by any other strategy of hers."""
    found = []
    best: dict[tuple, Any] = {}  # of member m, given the others
    for profile, pay in pays.items():
        for m in range(len(strategies)):
            others = (m, *profile[:m], *profile[m + 1 :])
            best[others] = max(pay[m], best.get(others, pay[m]))
    for profile, pay in pays.items():
        if all(pay[m] == best[m, *profile[:m], *profile[m + 1 :]] for m in range(len(strategies))):
            found.append(profile)
    return found


def choose(team: Sequence[int], offers: Sequence[int]) -> int:
    """Position of the provider whom a user takes: the best for her, ties to the lowest index."""
    return min(m for m in range(len(team)) if offers[m] == max(offers))


class AnonymousGame:
    """Definition 2.3 for one committee: what users do, and everybody's payoffs, for any profile of public rules."""

    def __init__(self, market: Market, committee: int) -> None:
        self.market = market
        self.team = members(committee)
        self.rules = [public_rules(market, j) for j in self.team]
        every = sorted({rule for rules in self.rules for rule in rules})
        self.acts = {(i, rule): response(market, i, rule) for i in range(market.users) for rule in every}
        self.values = {(i, rule): user_value(market, i, acts) for (i, rule), acts in self.acts.items()}
        self._paid: dict[tuple, tuple] = {}

    def outcome(self, profile: Sequence[int]) -> tuple[tuple[int, ...], tuple[Rule, ...]]:
        """Per user the position of her provider, and that provider's rule."""
        posted = [rules[s] for rules, s in zip(self.rules, profile)]
        users = range(self.market.users)
        taken = tuple(choose(self.team, [self.values[i, rule] for rule in posted]) for i in users)
        return taken, tuple(posted[m] for m in taken)

    def payoffs(self, profile: Sequence[int]) -> tuple[int, ...]:
        """Per member. Depends on the rules in use only, so it is remembered by these."""
        _, used = self.outcome(profile)
        if used not in self._paid:
            acts = [self.acts[i, rule] for i, rule in enumerate(used)]
            self._paid[used] = tuple(payoff(self.market, j, acts) for j in self.team)
        return self._paid[used]

    def equilibrium(self, profile: Sequence[int]) -> Equilibrium:
        taken, used = self.outcome(profile)
        return Equilibrium(
            tuple(rules[s] for rules, s in zip(self.rules, profile)),
            tuple(self.team[m] for m in taken),
            tuple(self.values[i, rule] for i, rule in enumerate(used)),
        )


def anonymous_equilibria(market: Market, committee: int) -> list[Equilibrium]:
    """Definition 2.7 over all profiles of public rules, in lexicographic order."""
    game = AnonymousGame(market, committee)
    profiles = itertools.product(*(range(len(rules)) for rules in game.rules))
    return [game.equilibrium(p) for p in _nash(game.rules, {p: game.payoffs(p) for p in profiles})]


def personalized_equilibria_of_user(
    market: Market, committee: int, i: int, rules: str = "obedience"
) -> list[Equilibrium]:
    """The game about user i alone: what is left of Definition 2.6 if utilities are separable.

    A provider with weight 0 is indifferent. choices and values have one entry, user i's.
    """
    assert market.tensor is None, "separable utilities only"
    team = members(committee)
    posted = [rules_for(market, j, i, rules) for j in team]
    acts = {rule: actions_under(market, i, rule, rules) for of_j in posted for rule in of_j}
    values = {rule: user_value(market, i, a) for rule, a in acts.items()}

    def about(j: int, rule: Rule) -> int:
        of = market.components[j][i]
        return market.weights[j][i] * sum(market.prior[x] * of[x][a] for x, a in enumerate(acts[rule]))

    pay = {rule: tuple(about(j, rule) for j in team) for rule in acts}
    taken, paid = {}, {}
    for profile in itertools.product(*(range(len(of_j)) for of_j in posted)):
        offers = [of_j[s] for of_j, s in zip(posted, profile)]
        taken[profile] = choose(team, [values[rule] for rule in offers])
        paid[profile] = pay[offers[taken[profile]]]
    found = []
    for profile in _nash(posted, paid):
        offers = tuple(of_j[s] for of_j, s in zip(posted, profile))
        found.append(Equilibrium(offers, (team[taken[profile]],), (values[offers[taken[profile]]],)))
    return found


def personalized_equilibria(market: Market, committee: int, rules: str = "obedience") -> list[Equilibrium]:
    """Definition 2.6 as written: vectors of rules, every profile of them, every deviation to a vector. Tiny only."""
    team, users = members(committee), range(market.users)
    vectors = [list(itertools.product(*(rules_for(market, j, i, rules) for i in users))) for j in team]
    acts: dict[tuple[int, Rule], Rule] = {}
    for i, j in itertools.product(users, team):
        for rule in rules_for(market, j, i, rules):
            acts[i, rule] = actions_under(market, i, rule, rules)
    values = {(i, rule): user_value(market, i, a) for (i, rule), a in acts.items()}
    choices, used, paid, known = {}, {}, {}, {}
    for profile in itertools.product(*(range(len(of_j)) for of_j in vectors)):
        offers = [of_j[s] for of_j, s in zip(vectors, profile)]
        choices[profile] = tuple(choose(team, [values[i, vector[i]] for vector in offers]) for i in users)
        key = used[profile] = tuple(offers[choices[profile][i]][i] for i in users)
        if key not in known:
            known[key] = tuple(payoff(market, j, [acts[i, rule] for i, rule in enumerate(key)]) for j in team)
        paid[profile] = known[key]
    return [
        Equilibrium(
            tuple(of_j[s] for of_j, s in zip(vectors, profile)),
            tuple(team[m] for m in choices[profile]),
            tuple(values[i, rule] for i, rule in enumerate(used[profile])),
        )
        for profile in _nash(vectors, paid)
    ]


def equilibrium_rules(market: Market, committee: int, i: int, rules: str = "obedience") -> dict[Rule, int]:
    """The rules that user i uses in some personalized equilibrium, and her value; lexicographically.

    How many there are, their least and their greatest value is what a selection game reports. Two partitions to which
    she responds alike are two rules.
    """
    team = members(committee)
    found = {}
    for e in personalized_equilibria_of_user(market, committee, i, rules):
        found[e.rules[team.index(e.choices[0])]] = e.values[0]
    return dict(sorted(found.items()))


class Dynamics(NamedTuple):
    """status: "converged" or "cycle". `equilibrium`: where it ended, or the profile that came back."""

    status: str
    moves: int
    turns: int
    equilibrium: Equilibrium


def dynamics(market: Market, committee: int) -> Dynamics:
    """Best responses in the anonymous game, round robin from the lowest index, from monopoly rules.

    A provider moves if another rule is strictly better, to the best one (ties: the lowest), then the turn passes on.
    Ends when everybody in a row stays. A (profile, turn) met before is a cycle.
    """
    game = AnonymousGame(market, committee)
    start = []
    for m, j in enumerate(game.team):
        alone = AnonymousGame(market, 1 << j)
        pays = [alone.payoffs([s])[0] for s in range(len(game.rules[m]))]
        start.append(pays.index(max(pays)))
    profile, turn, idle, moves, turns = tuple(start), 0, 0, 0, 0
    met = set()
    while idle < len(game.team):
        if (profile, turn) in met:
            return Dynamics("cycle", moves, turns, game.equilibrium(profile))
        met.add((profile, turn))
        options = [(*profile[:turn], s, *profile[turn + 1 :]) for s in range(len(game.rules[turn]))]
        pays = [game.payoffs(option)[turn] for option in options]
        if max(pays) > game.payoffs(profile)[turn]:
            profile, idle, moves = options[pays.index(max(pays))], 0, moves + 1
        else:
            idle += 1
        turn, turns = (turn + 1) % len(game.team), turns + 1
    return Dynamics("converged", moves, turns, game.equilibrium(profile))


# The benchmark


def states(market: Market, state_of: Sequence[int] | None) -> Rule:
    return tuple(range(market.worlds)) if state_of is None else canonical(state_of)


def decides(market: Market, labels: Sequence[int], i: int) -> bool:
    """Is user i's utility a function of the label (as Definition 2.12 needs of y)?"""
    worlds = range(market.worlds)
    return all(market.user[i][x] == market.user[i][z] for x in worlds for z in worlds if labels[x] == labels[z])


def independent_given_state(market: Market, i: int, committee: int, state_of: Sequence[int] | None = None) -> bool:
    """Are what user i sees and what provider j sees independent given y, for each j of T?"""
    y, u = states(market, state_of), market.user_sees[i]
    for j in members(committee):
        o = market.provider_sees[j]
        mass: dict[tuple, int] = {}
        for x, p in enumerate(market.prior):
            for key in [("y", y[x]), ("u", y[x], u[x]), ("o", y[x], o[x]), ("all", y[x], u[x], o[x])]:
                mass[key] = mass.get(key, 0) + p
        for state, s, c in itertools.product(set(y), set(u), set(o)):
            both = mass.get(("all", state, s, c), 0)
            if both * mass["y", state] != mass.get(("u", state, s), 0) * mass.get(("o", state, c), 0):
                return False
    return True


def shared_utility(
    market: Market,
    i: int,
    committee: int,
    state_of: Sequence[int] | None = None,
    couple: str = "state_and_signal",
) -> float:
    """u_i(C*_{S,T}) for T = committee, by HiGHS; see the module's text.

    Variables: f_j(m | o) for every member j, policy m (an action per signal of the user) and cell o of what j sees,
    and q(m | g). g is (y, s), or y for `couple="state"`, which asks for independence.
    """
    assert couple in ("state_and_signal", "state")
    y, s = states(market, state_of), canonical(market.user_sees[i])
    assert decides(market, y, i), "the state has to decide the user's utility"
    if couple == "state":
        assert independent_given_state(market, i, committee, state_of)
    group = list(zip(y, s)) if couple == "state_and_signal" else [(label,) for label in y]
    groups = sorted(set(group))
    own = [a for a in range(market.actions) if market.available[i][a]]
    policies = list(itertools.product(own, repeat=max(s) + 1))
    names: list[tuple] = [("q", g, m) for g in groups for m in policies]
    for j in members(committee):
        names += [("f", j, o, m) for o in sorted(set(market.provider_sees[j])) for m in policies]
    number = {name: k for k, name in enumerate(names)}
    gain = [0.0] * len(names)
    for x, p in enumerate(market.prior):
        for m in policies:
            gain[number["q", group[x], m]] += p * market.user[i][x][m[s[x]]] / market.unit
    rows, right = [], []

    def equation(terms: list[tuple[tuple, float]], value: float) -> None:
        row = [0.0] * len(names)
        for name, coefficient in terms:
            row[number[name]] += coefficient
        rows.append(row)
        right.append(value)

    for j in members(committee):
        sees = market.provider_sees[j]
        for o in sorted(set(sees)):
            equation([(("f", j, o, m), 1.0) for m in policies], 1.0)
        for g, m in itertools.product(groups, policies):
            inside = [x for x in range(market.worlds) if group[x] == g]
            total = sum(market.prior[x] for x in inside)
            terms = [(("f", j, sees[x], m), -market.prior[x] / total) for x in inside]
            equation([(("q", g, m), 1.0), *terms], 0.0)
    answer = linprog([-v for v in gain], A_eq=rows, b_eq=right, bounds=(0, None), method="highs", options=_TIGHT)
    assert answer.status == 0, answer.message
    return -float(answer.fun)


_TIGHT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def shared_by_partitions(market: Market, i: int, committee: int, state_of: Sequence[int] | None = None) -> Fraction:
    """The best for user i that every member can implement by a partition with the same law of (z, y, s). Exact.

    A law is a set of cells, each as its weights over (y, s), so it does not matter what the messages are called.
    """
    y, s = states(market, state_of), market.user_sees[i]
    assert decides(market, y, i), "the state has to decide the user's utility"
    laws = []
    for j in members(committee):
        of_j = {}
        for rule in public_rules(market, j):
            cells = []
            for z in sorted(set(rule)):
                weights: dict[tuple[int, int], int] = {}
                for x, p in enumerate(market.prior):
                    if rule[x] == z:
                        weights[y[x], s[x]] = weights.get((y[x], s[x]), 0) + p
                cells.append(tuple(sorted(weights.items())))
            of_j[tuple(sorted(cells))] = revelation_value(market, i, rule)
        laws.append(of_j)
    return max(value for law, value in laws[0].items() if all(law in other for other in laws))


# Alignment


class Fit(NamedTuple):
    """The error, the weights (None where a weight is not allowed) and the offset."""

    error: Any
    weights: tuple[Any, ...]
    offset: Any


def _half_range(gaps: Sequence[Fraction]) -> tuple[Fraction, Fraction]:
    """The least eps, and the c with |gap - c| <= eps."""
    return (max(gaps) - min(gaps)) / 2, (max(gaps) + min(gaps)) / 2


def _chebyshev(target: Sequence[Fraction], basis: Sequence[Sequence[Fraction]], allowed: Sequence[bool]) -> Fit:
    """min eps: |target - sum_k w_k basis_k - c| <= eps everywhere, w >= 0, w_k = 0 where not allowed; by HiGHS."""
    rows, bounds = [], []  # variables: w_k, c, eps
    for r, value in enumerate(target):
        mix = [float(column[r]) for column in basis]
        rows += [[*mix, 1, -1], [*(-v for v in mix), -1, -1]]
        bounds += [float(value), -float(value)]
    limits = [(0, None if ok else 0) for ok in allowed] + [(None, None), (0, None)]
    cost = [0.0] * (len(basis) + 1) + [1.0]
    answer = linprog(cost, rows, bounds, bounds=limits, method="highs", options=_TIGHT)
    assert answer.status == 0, answer.message
    weights = tuple(float(w) if ok else None for w, ok in zip(answer.x, allowed))
    return Fit(float(answer.fun), weights, float(answer.x[-2]))


def outcomes(market: Market, i: int) -> list[tuple[int, int]]:
    """Every (world, own action) of user i."""
    return [(x, a) for x in range(market.worlds) for a in range(market.actions) if market.available[i][a]]


def action_profiles(market: Market) -> Iterator[tuple[int, ...]]:
    own = [[a for a in range(market.actions) if row[a]] for row in market.available]
    return itertools.product(*own)


def weak_fit(market: Market, i: int, committee: int, weights: Sequence[Fraction | int] | None = None) -> Fit:
    """eps_U of user i, Definition 2.13 (2): her utility from the components F_ji of T with lambda_ji > 0.

    With `weights` (one per member) only c is chosen, exactly.
    """
    team = members(committee)
    where = outcomes(market, i)
    target = [Fraction(market.user[i][x][a], market.resolution) for x, a in where]
    basis = [[Fraction(market.components[j][i][x][a], market.resolution) for x, a in where] for j in team]
    allowed = [market.weights[j][i] > 0 for j in team]
    if weights is None:
        return _chebyshev(target, basis, allowed)
    assert all(w >= 0 and (ok or not w) for w, ok in zip(weights, allowed)), "if w > 0 then lambda > 0"
    gaps = [t - sum(w * column[r] for w, column in zip(weights, basis)) for r, t in enumerate(target)]
    return Fit(_half_range(gaps)[0], tuple(weights), _half_range(gaps)[1])


def strong_fit(market: Market, j: int, weights: Sequence[Fraction | int] | None = None) -> Fit:
    """eps of provider j, Definition 2.14, over all action profiles and worlds. eps of T is the largest of its members.

    With `weights` (lambda_ji, one per user) only c is chosen, exactly. Coverage is for the caller to look at.
    """
    step = market.resolution * market.weight_resolution
    where = [(x, profile) for x in range(market.worlds) for profile in action_profiles(market)]
    target = [Fraction(provider_utility(market, j, x, profile), step) for x, profile in where]
    users = range(market.users)
    basis = [[Fraction(market.user[i][x][profile[i]], market.resolution) for x, profile in where] for i in users]
    if weights is None:
        return _chebyshev(target, basis, [True] * market.users)
    assert all(w >= 0 for w in weights)
    gaps = [t - sum(w * column[r] for w, column in zip(weights, basis)) for r, t in enumerate(target)]
    return Fit(_half_range(gaps)[0], tuple(weights), _half_range(gaps)[1])


def separability_error(market: Market, j: int) -> float:
    """The least eps_P of provider j with any components at all, Definition 2.13 (1); by HiGHS."""
    step = market.resolution * market.weight_resolution
    columns = [(i, x, a) for i in range(market.users) for x, a in outcomes(market, i)]
    rows, bounds = [], []
    for x in range(market.worlds):
        for profile in action_profiles(market):
            mix = [float(z == x and profile[i] == a) for i, z, a in columns]
            value = provider_utility(market, j, x, profile) / step
            rows += [[*mix, -1], [*(-v for v in mix), -1]]
            bounds += [value, -value]
    limits = [(None, None)] * len(columns) + [(0, None)]
    answer = linprog([0.0] * len(columns) + [1], rows, bounds, bounds=limits, method="highs", options=_TIGHT)
    assert answer.status == 0, answer.message
    return float(answer.fun)


def mu(weights: Sequence[Any], lambdas: Sequence[Any]) -> Any:
    """mu_i of Theorem 3.1: the sum of w_ji / lambda_ji over members j with w_ji > 0."""
    return sum(w / Fraction(of) for w, of in zip(weights, lambdas) if w)


def theorem_3_1(benchmark: Any, eps_user: Any, eps_provider: Any, mu_i: Any) -> Any:
    """Least utility of user i in a personalized equilibrium; Theorem 5.1: the same after a newcomer."""
    return benchmark - 2 * eps_user - 2 * eps_provider * mu_i


def theorem_4_3(benchmark: Any, eps: Any, lambdas: Sequence[Any]) -> Any:
    """Least utility of user i in an anonymous equilibrium; `lambdas`: lambda_ji over j in T."""
    assert max(lambdas) > 0, "coverage"
    return benchmark - 2 * eps / max(lambdas)


def theorem_4_4(benchmark: Any, eps: Any, lambdas: Sequence[Sequence[Any]], deltas: Sequence[Any], i: int) -> Any:
    """Theorem 4.4; benchmark: u_i(C*_{S,T,R-1}), lambdas[m][i] and deltas[m] = Delta_R(j) over the members of T."""
    options = []
    for row, delta in zip(lambdas, deltas):
        if row[i] > 0:
            options.append((delta * (sum(row) - row[i]) + 2 * eps) / row[i])
    return benchmark - min(options)


def delta_r(market: Market, committee: int, j: int, rounds: int, state_of: Sequence[int] | None = None) -> float:
    """Delta_R(j) where one message can carry everything: all j sees against R - 1 rounds of C* (none, if R = 1)."""
    assert rounds >= 1
    gains = []
    for i in range(market.users):
        silent = float(revelation_value(market, i, [0] * market.worlds))
        before = silent if rounds == 1 else shared_utility(market, i, committee, state_of)
        gains.append(float(revelation_value(market, i, market.provider_sees[j])) - before)
    return max(gains)


# Instances


def theorem_4_1(eps: Fraction, c: Fraction, d: Fraction) -> Market:
    """Actions 0..M-1 name the state, action M is "none of them". Smallest M > c / eps, so 1 state less would not do."""
    eps, c, d = Fraction(eps), Fraction(c), Fraction(d)
    assert 0 < eps < c <= 1 < d
    m = int(c / eps) + 1
    resolution = lcm(eps.denominator, c.denominator)
    match = [[resolution * (a == y) for a in range(m + 1)] for y in range(m)]
    none = [[resolution * (a == m) for a in range(m + 1)] for y in range(m)]
    of_user = [
        [int(c * resolution) * (a == y) + int(eps * resolution) * (a == m) for a in range(m + 1)] for y in range(m)
    ]
    low, high = d.denominator, d.numerator  # 1 / (D + 1) and D / (D + 1) in steps of 1 / (low + high)
    return Market(
        prior=[1] * m,
        user=[of_user] * 2,
        components=[[match, none], [none, match]],
        weights=[[low, high], [high, low]],
        resolution=resolution,
        weight_resolution=low + high,
    )


def theorem_5_2() -> Market:
    """One user, one provider, u_1 = u / 2. Action 2 is "neither"."""
    of_user = [[3, 0, 2], [0, 3, 2]]
    return Market([1, 1], [of_user], [[of_user]], [[1]], resolution=3, weight_resolution=2)


def theorem_5_2_newcomer() -> dict[str, Any]:
    """Arguments of `add_user` after the market: beta = 1/2, f = 1 if the newcomer takes "neither"."""
    return {
        "utility": [[3, 0, 2], [0, 3, 2]],
        "components": [[[0, 0, 3], [0, 0, 3]]],
        "betas": [Fraction(1, 2)],
    }


def proposition_a_2(steps: int) -> Market:
    """The grid of actions a / steps and states y = (t / steps, 1 - t / steps); u = a / 4, F_1 = a y_1 / 2."""
    grid = range(steps + 1)
    first = [[2 * a * t for a in grid] for t in grid]
    second = [[2 * a * (steps - t) for a in grid] for t in grid]
    of_user = [[a * steps for a in grid] for _ in grid]
    return Market(
        [1] * (steps + 1),
        [of_user] * 2,
        [[first] * 2, [second] * 2],
        [[1, 1], [1, 1]],
        resolution=4 * steps**2,
    )


def add_user(
    market: Market,
    utility: Sequence[Sequence[int]],
    components: Sequence[Any],
    betas: Sequence[Fraction],
    sees: Sequence[int] | None = None,
) -> Market:
    """Section 5: u_j becomes (1 - beta_j) u_j + beta_j f_j(a_new, x). Same number of actions, exact weights."""
    assert market.tensor is None
    assert len(utility[0]) == market.actions
    step = lcm(*(Fraction(beta).denominator for beta in betas))
    weights = []
    for row, beta in zip(market.weights, betas):
        share = int(Fraction(beta) * step)
        weights.append([*((step - share) * w for w in row), share * market.weight_resolution])
    return replace(
        market,
        user=[*market.user, utility],
        components=[[*of_j, f] for of_j, f in zip(market.components, components)],
        weights=weights,
        user_sees=[*market.user_sees, [0] * market.worlds if sees is None else sees],
        available=[*market.available, [1] * market.actions],
        weight_resolution=step * market.weight_resolution,
    )


def random_market(
    rng: random.Random,
    users: int,
    providers: int,
    states: int,
    actions: int,
    *,
    ties: bool = True,
    general: bool = False,
    provider_information: str = "all",
    user_information: bool = False,
    ragged: bool = False,
    alignment: str = "none",
    noise: int = 0,
) -> Market:
    """Small random integers; with ties utilities 0..2 and weights 0..2, without 0..1000 and 1..9.

    provider_information: "all" (the world), "same" (one random partition for all), "private" (a partition each).
    user_information: a random partition each. ragged: some actions are not everybody's.
    alignment="weak": u_i = sum_j w_ji F_ji with w in 0..2, w > 0 only where lambda > 0 and somewhere, plus up to noise.
    alignment="strong": F_ji = u_i plus up to noise, so u_j = sum_i lambda_ji u_i, and somebody cares about each user.
    """
    assert provider_information in ("all", "same", "private")
    assert alignment in ("none", "weak", "strong")
    high = 2 if ties else 1000

    def table(top: int) -> list[list[int]]:
        return [[rng.randint(0, top) for _ in range(actions)] for _ in range(states)]

    def partition() -> Rule:
        return canonical([rng.randrange(states) for _ in range(states)])

    weights = [[rng.randint(0, 2) if ties else rng.randint(1, 9) for _ in range(users)] for _ in range(providers)]
    if alignment != "none":
        for i in range(users):
            weights[rng.randrange(providers)][i] = rng.randint(1, 2)
    user = [table(high) for _ in range(users)]
    components = [[table(high) for _ in range(users)] for _ in range(providers)]
    if alignment == "weak":
        for i in range(users):
            caring = [j for j in range(providers) if weights[j][i]]
            mix = {j: rng.randint(0, 2) for j in caring}
            mix[rng.choice(caring)] = 1
            for x, a in itertools.product(range(states), range(actions)):
                user[i][x][a] = sum(w * components[j][i][x][a] for j, w in mix.items()) + rng.randint(0, noise)
    if alignment == "strong":
        for j, i, x, a in itertools.product(range(providers), range(users), range(states), range(actions)):
            components[j][i][x][a] = user[i][x][a] + rng.randint(0, noise)
    shared = partition()
    everything = range(states)
    available = [[int(not ragged or rng.random() < 0.7) for _ in range(actions)] for _ in range(users)]
    for row in available:
        row[rng.randrange(actions)] = 1
    market = Market(
        prior=[rng.randint(1, 3) for _ in range(states)],
        user=user,
        components=components,
        weights=weights,
        provider_sees=[
            {"all": everything, "same": shared, "private": partition()}[provider_information] for _ in range(providers)
        ],
        user_sees=[partition() if user_information else [0] * states for _ in range(users)],
        available=available,
    )
    if not general:
        return market

    def nested(depth: int) -> Any:
        return rng.randint(0, high) if depth == 0 else [nested(depth - 1) for _ in range(actions)]

    tensor = [[nested(users) for _ in range(states)] for _ in range(providers)]
    return replace(market, components=None, weights=None, tensor=tensor)


def market_of_signals(
    state_weights: Sequence[int],
    channels: Sequence[Sequence[Sequence[int]]],
    utilities: Sequence[Sequence[Sequence[int]]],
    components: Sequence[Any],
    weights: Sequence[Sequence[int]],
    user_channels: Sequence[Sequence[Sequence[int]]] | None = None,
) -> tuple[Market, Rule]:
    """Worlds (y, o_1..o_K, s_1..s_N), all signals independent given y: the market and `state_of`.

    channels[j][y][o] and user_channels[i][y][s]: weights with the same sum for every y; utilities and components by y.
    """
    observers = [*channels, *(user_channels or [])]
    worlds, prior = [], []
    for y, weight in enumerate(state_weights):
        for seen in itertools.product(*(range(len(channel[y])) for channel in observers)):
            for channel, o in zip(observers, seen):
                weight *= channel[y][o]
            if weight:
                worlds.append((y, *seen))
                prior.append(weight)
            weight = state_weights[y]
    k = len(channels)
    market = Market(
        prior=prior,
        user=[[of[w[0]] for w in worlds] for of in utilities],
        components=[[[of[w[0]] for w in worlds] for of in of_j] for of_j in components],
        weights=weights,
        provider_sees=[canonical([w[1 + j] for w in worlds]) for j in range(k)],
        user_sees=None if user_channels is None else [[w[1 + k + i] for w in worlds] for i in range(len(utilities))],
    )
    return market, canonical([w[0] for w in worlds])
