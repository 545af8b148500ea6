"""Information markets and the value of information straight from their definitions, in fractions.

A decision problem is a prior over states, acts with utilities, and items: partitions of the states. Everything here is
written over sets of states, one problem at a time, and shares no code with the engine. Choices of sellers are
dictionaries from (depth, context, state) to an item or None.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

Items = frozenset[int]
Choice = dict[tuple[int, Items, int], int | None]
NOTHING: Items = frozenset()


@dataclass(frozen=True, eq=False)
class Problem:
    """prior[w], utility[w][a], items[m][w] labels, costs[m], owners[m] sellers, stakes[j][w][a]."""

    prior: list[int]
    utility: list[list[int]]
    items: list[list[int]]
    costs: list[Fraction] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    stakes: list[list[list[int]]] = field(default_factory=list)

    @property
    def states(self) -> range:
        return range(len(self.prior))

    @property
    def all_items(self) -> range:
        return range(len(self.items))

    def cost(self, item: int) -> Fraction:
        return Fraction(self.costs[item]) if self.costs else Fraction(0)

    def owner(self, item: int) -> int:
        return self.owners[item] if self.owners else item

    @property
    def sellers(self) -> int:
        return max(len(self.stakes), 1 + max((self.owner(m) for m in self.all_items), default=0))

    def stake(self, item: int, state: int, act: int) -> int:
        return self.stakes[self.owner(item)][state][act] if self.stakes else 0


States = tuple[int, ...]


@cache
def cell(problem: Problem, known: Items, state: int) -> States:
    """The states that agree with `state` on all known items."""
    return tuple(v for v in problem.states if all(problem.items[m][v] == problem.items[m][state] for m in known))


def expected(problem: Problem, states: States, worth: Callable[[int], Any]) -> Fraction:
    """The expectation of `worth(state)` given that the state is among these."""
    return Fraction(sum(problem.prior[v] * worth(v) for v in states), sum(problem.prior[v] for v in states))


@cache
def best(problem: Problem, states: States) -> int:
    """The act that is best given that the state is among these; ties to the lowest."""
    worth = [sum(problem.prior[v] * problem.utility[v][a] for v in states) for a in range(len(problem.utility[0]))]
    return worth.index(max(worth))


def act_on(problem: Problem, known: Items, state: int) -> int:
    """x*(S, w)."""
    return best(problem, cell(problem, known, state))


# --- the value of information -----------------------------------------------------------------------------------------


def realized_value(problem: Problem, known: Items, state: int) -> int:
    """Equation 1."""
    utility = problem.utility[state]
    return utility[act_on(problem, known, state)] - utility[act_on(problem, NOTHING, state)]


def ex_post_value(problem: Problem, known: Items, state: int) -> Fraction:
    """Equation 2: the expectation of equation 1 given what the items say in this state."""
    return expected(problem, cell(problem, known, state), lambda v: realized_value(problem, known, v))


def value_of_experiment(problem: Problem, known: Items) -> Fraction:
    """The mean of equation 2."""
    return expected(problem, tuple(problem.states), lambda v: ex_post_value(problem, known, v))


def ex_ante_value(problem: Problem, belief: dict[Items, Fraction]) -> Fraction:
    """Equations 3 and 4: the mean over a belief about which items come."""
    return sum((chance * value_of_experiment(problem, items) for items, chance in belief.items()), Fraction(0))


def item_sets(problem: Problem) -> list[Items]:
    """All sets of items, in the order of their bitmasks."""
    count = len(problem.items)
    return [frozenset(m for m in range(count) if mask >> m & 1) for mask in range(2**count)]


# --- the bazaar -------------------------------------------------------------------------------------------------------


def path(choice: Choice, depth: int, context: Items, state: int) -> tuple[int, ...]:
    """The items that are shown one after the other, in a market of this depth."""
    item = choice[depth, context, state] if depth else None
    return () if item is None else (item, *path(choice, depth - 1, context | {item}, state))


def known_after(choice: Choice, depth: int, context: Items, state: int) -> Items:
    return context | set(path(choice, depth, context, state))


@dataclass(frozen=True)
class FaceValue:
    """A buyer who learns what items say, and no more."""

    problem: Problem
    choice: Choice

    def told(self, depth: int, context: Items, state: int) -> States:
        """What she thinks possible after a market."""
        return cell(self.problem, known_after(self.choice, depth, context, state), state)

    def if_shown(self, depth: int, context: Items, state: int, item: int) -> States:
        """What she thinks possible when she is shown the item, and has consulted the shallower market about it."""
        return self.told(depth - 1, context | {item}, state)

    def if_silent(self, depth: int, context: Items, state: int) -> States:
        """What she thinks possible when nothing is shown."""
        return cell(self.problem, context, state)


@dataclass(frozen=True)
class Bayesian(FaceValue):
    """A buyer who knows the choice, and learns from what is shown and what is not."""

    def told(self, depth: int, context: Items, state: int) -> States:
        shown = path(self.choice, depth, context, state)
        after = super().told(depth, context, state)
        return tuple(v for v in after if path(self.choice, depth, context, v) == shown)

    def if_shown(self, depth: int, context: Items, state: int, item: int) -> States:
        after = self.told(depth - 1, context | {item}, state)
        return tuple(v for v in after if self.choice[depth, context, v] == item) or after

    def if_silent(self, depth: int, context: Items, state: int) -> States:
        before = cell(self.problem, context, state)
        return tuple(v for v in before if self.choice[depth, context, v] is None) or before


def price(buyer: FaceValue, depth: int, context: Items, state: int, item: int) -> Fraction:
    """What the item is worth in the light of all that she knows in the end."""
    problem = buyer.problem
    states = buyer.if_shown(depth, context, state, item)
    after = known_after(buyer.choice, depth - 1, context | {item}, state)
    acts = best(problem, states), act_on(problem, after - {item}, state)
    return expected(problem, states, lambda v: problem.utility[v][acts[0]] - problem.utility[v][acts[1]])


def gain(buyer: FaceValue, depth: int, context: Items, state: int, item: int) -> Fraction:
    """What the item's owner gains by showing it instead of nothing."""
    problem = buyer.problem
    shown = best(problem, buyer.if_shown(depth, context, state, item))
    silent = best(problem, buyer.if_silent(depth, context, state))
    cares = problem.stake(item, state, shown) - problem.stake(item, state, silent)
    return price(buyer, depth, context, state, item) - problem.cost(item) + cares


def choose(buyer: FaceValue, depth: int, context: Items, state: int) -> int | None:
    """The item of the largest gain, the lowest of those; none if no gain is positive."""
    others = [m for m in buyer.problem.all_items if m not in context]
    gains = {m: gain(buyer, depth, context, state, m) for m in others}
    return max(gains, key=lambda m: (gains[m], -m)) if any(value > 0 for value in gains.values()) else None


def face_value_choice(problem: Problem, depth: int) -> Choice:
    choice: Choice = {}
    for d in range(1, depth + 1):
        for context in item_sets(problem):
            for w in problem.states:
                choice[d, context, w] = choose(FaceValue(problem, choice), d, context, w)
    return choice


def next_choice(problem: Problem, choice: Choice) -> Choice:
    """What sellers choose for a Bayesian buyer who takes this to be their choice."""
    return {key: choose(Bayesian(problem, choice), *key) for key in choice}


def fixed_points(problem: Problem, depth: int, most: int = 1000) -> tuple[Choice, list[bool]]:
    """The choice that repeats itself, from the one for a face-value buyer; by depth, whether there is one."""
    choice, seen = face_value_choice(problem, depth), []
    found = [False] * (depth + 1)
    for _ in range(most):
        after = next_choice(problem, choice)
        found = [all(after[key] == choice[key] for key in choice if key[0] <= d) for d in range(depth + 1)]
        if all(found) or after in seen:
            return after, found
        seen.append(after)
        choice = after
    raise AssertionError("no end")


@dataclass(frozen=True)
class Outcome:
    """What a market of one depth does."""

    utility: Fraction
    shown: list[Items]
    price: list[Fraction]
    harmed: bool
    revenue: list[Fraction]


def bazaar(buyer: FaceValue, depth: int) -> Outcome:
    problem = buyer.problem
    silence = best(problem, tuple(problem.states))
    total = sum(problem.prior)
    utility, nothing, shown, first = Fraction(0), Fraction(0), [], []
    revenue = [Fraction(0)] * problem.sellers
    for w in problem.states:
        share = Fraction(problem.prior[w], total)
        items = path(buyer.choice, depth, NOTHING, w)
        shown.append(frozenset(items))
        prices = [price(buyer, depth - i, frozenset(items[:i]), w, m) for i, m in enumerate(items)]
        first.append(prices[0] if prices else Fraction(0))
        for m, paid in zip(items, prices):
            revenue[problem.owner(m)] += share * paid
        utility += share * problem.utility[w][best(problem, buyer.told(depth, NOTHING, w))]
        nothing += share * problem.utility[w][silence]
    return Outcome(utility, shown, first, utility < nothing, revenue)


def naive(problem: Problem, depth: int) -> Outcome:
    """The cheapest item comes, whatever the state, and the buyer knows that."""
    lemon = min(problem.all_items, key=lambda m: (problem.cost(m), m))
    worth = value_of_experiment(problem, frozenset({lemon}))
    sold = depth > 0 and worth > problem.cost(lemon)
    known: Items = frozenset({lemon}) if sold else NOTHING
    states = tuple(problem.states)
    utility = expected(problem, states, lambda v: problem.utility[v][act_on(problem, known, v)])
    nothing = expected(problem, states, lambda v: problem.utility[v][act_on(problem, NOTHING, v)])
    revenue = [Fraction(0)] * problem.sellers
    if sold:
        revenue[problem.owner(lemon)] = worth
    return Outcome(utility, [known for _ in states], [worth if sold else Fraction(0)] * len(states),
                   utility < nothing, revenue)  # fmt: skip


def first_best(problem: Problem) -> Fraction:
    """With all items."""
    return expected(
        problem, tuple(problem.states), lambda v: problem.utility[v][act_on(problem, frozenset(problem.all_items), v)]
    )


# --- random problems --------------------------------------------------------------------------------------------------


def random_problem(
    seed: Any, states: int = 8, acts: int = 3, items: int = 4, *, most: int = 100, costs: bool = False,
    owners: bool = False, stakes: bool = False, labels: int = 2,
) -> Problem:  # fmt: skip
    draw = random.Random(repr(seed))
    sellers = 2 if owners else items
    return Problem(
        prior=[draw.randint(1, 4) for _ in range(states)],
        utility=[[draw.randint(0, most) for _ in range(acts)] for _ in range(states)],
        items=[[draw.randrange(labels) for _ in range(states)] for _ in range(items)],
        costs=[Fraction(draw.randint(0, most // 4)) for _ in range(items)] if costs else [],
        owners=[m % 2 for m in range(items)] if owners else [],
        stakes=[[[draw.randint(0, most // 2) for _ in range(acts)] for _ in range(states)] for _ in range(sellers)]
        if stakes
        else [],
    )
