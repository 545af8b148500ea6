"""Decision problems drawn again and their markets of information solved again, in NumPy, from what is documented.

The market of one depth in one context is solved for all problems at once, and remembered; what a buyer knows in a state
is worked out from the items themselves each time. Choices and prices are compared as products of int64, so problems
whose products might exceed 2**62 are not solved (`solvable`).

Letters: B problems, W states, A acts, M items, J sellers, D the depth. A context is a set of items, as a bitmask.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from equilibrax.verification.draws import keys_of, words_of

VERSION = 1
FAMILIES = ("uniform", "guess", "nested", "costly", "partisan")
MOST_ROUNDS = 10_000
"""After how many rounds sellers are stopped who neither settle nor go round in a circle."""


@dataclass(frozen=True)
class Problems:
    """B problems in whole numbers: prior `[B, W]`, utility `[B, W, A]`, items `[B, M, W]`, costs `[B, M]`, owners
    `[M]`, stakes `[B, J, W, A]` or None."""

    prior: np.ndarray
    utility: np.ndarray
    items: np.ndarray
    costs: np.ndarray
    owners: np.ndarray
    stakes: np.ndarray | None
    sellers: int

    def __len__(self) -> int:
        return len(self.prior)

    def __getitem__(self, rows: np.ndarray) -> Problems:
        stakes = None if self.stakes is None else self.stakes[rows]
        parts = (self.prior[rows], self.utility[rows], self.items[rows], self.costs[rows])
        return replace(self, **dict(zip(("prior", "utility", "items", "costs"), parts)), stakes=stakes)

    @property
    def num_items(self) -> int:
        return self.items.shape[1]

    def agree(self, known: np.ndarray) -> np.ndarray:
        """`[B, W, W]` whether v agrees with w (second axis) on the items that are known in w, `[B, W]` bitmasks."""
        same = self.items[:, :, :, None] == self.items[:, :, None]
        unknown = (known[:, None] >> np.arange(self.num_items)[:, None] & 1) == 0
        return (same | unknown[..., None]).all(axis=1)

    def sums(self, possible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`[B, W, A]` weight times utility and `[B, W]` weight, over the states v that are possible in w."""
        weighted = possible * self.prior[:, None]
        return weighted @ self.utility, weighted.sum(axis=2)

    def best(self, possible: np.ndarray) -> np.ndarray:
        """`[B, W]` the best act, the lowest of those."""
        return self.sums(possible)[0].argmax(axis=2)


def draw_problems(
    family: str, ids: np.ndarray, *, states: int, acts: int, items: int, levels: int, seed: int
) -> Problems:
    """The problems with these ids, of a family of `FAMILIES`."""
    b, w, a, m = len(ids), states, acts, items
    words = words_of(keys_of(f"problem/{family}", VERSION, ids, seed), (w + w * a + m * w + m + 2 * a,))
    parts = np.split(words, np.cumsum([w, w * a, m * w, m]), axis=1)
    utility = below(parts[1], levels + 1).reshape(b, w, a)
    told = below(parts[2], 2).reshape(b, m, w)
    costs = below(parts[3], levels // 4 + 1) if family == "costly" else np.zeros((b, m), np.int64)
    if family == "guess":
        utility = np.where(np.arange(a) == utility.argmax(axis=2)[..., None], levels, 0)
    if family == "nested":
        told = np.stack([told[:, : i + 1].transpose(0, 2, 1) @ (1 << np.arange(i + 1)) for i in range(m)], axis=1)
    owners, stakes = np.arange(m), None
    if family == "partisan":
        tastes = below(parts[4], levels // 2 + 1).reshape(b, 2, 1, a)
        owners, stakes = np.arange(m) % 2, np.repeat(tastes, w, axis=2)
    return Problems(1 + below(parts[0], 4), utility, told, costs, owners, stakes, m if stakes is None else 2)


def below(words: np.ndarray, count: int) -> np.ndarray:
    """`floor(word / 2**32 x count)`: uniform on 0..count - 1."""
    return (words.astype(np.uint64) * np.uint64(count) >> np.uint64(32)).astype(np.int64)


def solvable(states: int, levels: int) -> bool:
    """Whether all products of such problems fit: weights up to 4 each, twice utility, stake and cost at most."""
    return (4 * states) ** 2 * levels * 4 < 2**62


# --- markets ----------------------------------------------------------------------------------------------------------


@dataclass
class Market:
    """The bazaars of B problems with one choice of sellers for every depth and context.

    Attributes:
        problems: B of them.
        bayesian: whether the buyer learns from what is shown rather than another.
        choice: by (depth, context), `[B, W]` the item that is shown, -1 for none.
        known, told: what is remembered, by (depth, context).
    """

    problems: Problems
    bayesian: bool
    choice: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    known: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    told: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    def ends(self, depth: int, context: int) -> np.ndarray:
        """`[B, W]` what is known at the end of a market."""
        if (depth, context) not in self.known:
            end = np.full(self.problems.prior.shape, context)
            for m in self._may(depth, context):
                end = np.where(self.choice[depth, context] == m, self.ends(depth - 1, context | 1 << m), end)
            self.known[depth, context] = end
        return self.known[depth, context]

    def thinks(self, depth: int, context: int) -> np.ndarray:
        """`[B, W, W]` which states the buyer thinks possible in w at the end of a market."""
        if not self.bayesian:
            return self.problems.agree(self.ends(depth, context))
        if (depth, context) not in self.told:
            found = self.problems.agree(np.full(self.problems.prior.shape, context))
            if depth:
                shown = self.choice[depth, context]
                for m in self._may(depth, context):
                    after = self.thinks(depth - 1, context | 1 << m)
                    found = np.where((shown == m)[..., None], after, found)
                found = found & (shown[:, None] == shown[..., None])
            self.told[depth, context] = found
        return self.told[depth, context]

    def _may(self, depth: int, context: int) -> list[int]:
        return [m for m in range(self.problems.num_items) if depth and not context >> m & 1]

    def _kept(self, possible: np.ndarray, depth: int, context: int, item: int) -> np.ndarray:
        """The states in which the item (or nothing, -1) is shown; all where there is none."""
        if not self.bayesian:
            return possible
        kept = possible & (self.choice[depth, context][:, None] == item)
        return np.where(kept.any(axis=2, keepdims=True), kept, possible)

    def priced(self, depth: int, context: int, item: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`[B, W]` the price of the item as a ratio, and the act that is taken if it is shown."""
        possible = self._kept(self.thinks(depth - 1, context | 1 << item), depth, context, item)
        worth, weight = self.problems.sums(possible)
        act = worth.argmax(axis=2)
        before = self.problems.best(self.problems.agree(self.ends(depth - 1, context | 1 << item) & ~(1 << item)))
        return _of(worth, act) - _of(worth, before), weight, act

    def chosen(self, depth: int, context: int) -> np.ndarray:
        """`[B, W]` what sellers choose to show this buyer."""
        problems = self.problems
        nothing = problems.agree(np.full(problems.prior.shape, context))
        silent = problems.best(self._kept(nothing, depth, context, -1))
        shown = np.full(problems.prior.shape, -1)
        most, of = np.zeros_like(problems.prior), np.ones_like(problems.prior)
        for m in self._may(depth, context):
            value, weight, act = self.priced(depth, context, m)
            value = value - problems.costs[:, m, None] * weight
            if problems.stakes is not None:
                mine = problems.stakes[:, problems.owners[m]]
                value = value + (_of(mine, act) - _of(mine, silent)) * weight
            better = value * of > most * weight
            shown, most, of = (np.where(better, *pair) for pair in ((m, shown), (value, most), (weight, of)))
        return shown


@dataclass(frozen=True)
class Found:
    """What is true of B problems and depths 0 to D: `value` `[B, D + 1]`, `shown`, `price` and `weight`
    `[B, D + 1, W]`, `revenue` `[B, D + 1, J]` times weight, `settled` `[B, D + 1]`, `rounds` and `first_best` `[B]`."""

    value: np.ndarray
    shown: np.ndarray
    price: np.ndarray
    weight: np.ndarray
    revenue: np.ndarray
    settled: np.ndarray
    rounds: np.ndarray
    first_best: np.ndarray


def solve_markets(problems: Problems, depth: int, *, naive: bool, bayesian: bool, again: bool) -> Found:
    """Markets of all depths; with `again` sellers choose again until their choice stays."""
    levels = min(depth, 1 if naive else problems.num_items)
    settled, rounds = np.ones((len(problems), levels + 1), bool), np.zeros(len(problems), np.int64)
    if naive:
        market = _naive(problems, levels)
    else:
        market = Market(problems, False)
        for key in _keys(problems, levels):
            market.choice[key] = market.chosen(*key)
        if bayesian:
            market = Market(problems, True, market.choice)
        if again:
            settled, rounds = _again(market, levels)
    parts = [_outcome(market, d, naive) for d in range(levels + 1)]
    parts += parts[-1:] * (depth - levels)
    value, shown, price, weight, revenue = (np.stack(part, axis=1) for part in zip(*parts))
    settled = np.concatenate([settled, np.repeat(settled[:, -1:], depth - levels, axis=1)], axis=1)
    everything = problems.best(problems.agree(np.full(problems.prior.shape, 2**problems.num_items - 1)))
    first_best = (problems.prior * _of(problems.utility, everything)).sum(axis=1)
    return Found(value, shown, price, weight, revenue, settled, rounds, first_best)


def _keys(problems: Problems, levels: int) -> list[tuple[int, int]]:
    return [(d, context) for d in range(1, levels + 1) for context in range(2**problems.num_items)]


def _naive(problems: Problems, levels: int) -> Market:
    """The cheapest item is shown in every state, if what it is worth on average is more than it costs."""
    lemon = problems.costs.argmin(axis=1)[:, None]
    known = np.broadcast_to(1 << lemon, problems.prior.shape)
    act = problems.best(problems.agree(known))
    before = problems.best(problems.agree(np.zeros_like(known)))
    gain = (problems.prior * (_of(problems.utility, act) - _of(problems.utility, before))).sum(axis=1)
    sold = gain > problems.costs.min(axis=1) * problems.prior.sum(axis=1)
    market = Market(problems, False)
    if levels:
        market.choice[1, 0] = np.where(sold[:, None], lemon, -1) + np.zeros_like(known)
    return market


def _outcome(market: Market, depth: int, naive: bool) -> tuple[np.ndarray, ...]:
    problems, prior = market.problems, market.problems.prior
    everyone = np.ones((*prior.shape, prior.shape[1]), bool)
    value = (prior * _of(problems.utility, problems.best(market.thinks(depth, 0)))).sum(axis=1)
    price, weight = np.zeros_like(prior), np.ones_like(prior)
    revenue = np.zeros((len(prior), problems.sellers))
    contexts = [np.zeros_like(prior)]
    for d in range(depth, 0, -1):
        context, after = contexts[-1], contexts[-1].copy()
        for at in np.unique(context).tolist():
            for m in market._may(d, at) if (d, at) in market.choice else ():
                here = (context == at) & (market.choice[d, at] == m)
                if len(contexts) > 1:
                    here &= contexts[-2] != context  # where nothing was shown it has ended
                if not here.any():
                    continue
                if naive:
                    act, before = market.priced(d, at, m)[2], problems.best(everyone)
                    paid = _of(problems.utility, act) - _of(problems.utility, before)
                    paid, of = ((prior * part).sum(axis=1, keepdims=True) + 0 * prior for part in (paid, 1 + 0 * paid))
                else:
                    paid, of, _ = market.priced(d, at, m)
                if d == depth:
                    price, weight = np.where(here, paid, price), np.where(here, of, weight)
                revenue[:, problems.owners[m]] += np.where(here, prior * (paid / of), 0).sum(axis=1)
                after[here] |= 1 << m
        contexts.append(after)
    return value, market.ends(depth, 0), price, weight, revenue


def _again(market: Market, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose again, each problem until its choice stays or was there before; the depths that settled, and rounds.

    That it was there before is noticed as Brent's search does: by comparing with the choice of round 0, 1, 2, 4, 8, ...
    """
    b = len(market.problems)
    settled, rounds = np.ones((b, levels + 1), bool), np.zeros(b, np.int64)
    going, mark, marked = np.arange(b), {key: choice.copy() for key, choice in market.choice.items()}, 1
    for number in range(1, MOST_ROUNDS + 1):
        now = Market(market.problems[going], True, {key: choice[going] for key, choice in market.choice.items()})
        new = {key: now.chosen(*key) for key in now.choice}
        rounds[going] = number
        same, back = np.ones((len(going), levels + 1), bool), np.ones(len(going), bool)
        for (d, context), choice in new.items():
            same[:, d] &= (choice == now.choice[d, context]).all(axis=1)
            back &= (choice == mark[d, context][going]).all(axis=1)
            market.choice[d, context][going] = choice
        settled[going] = np.logical_and.accumulate(same, axis=1)
        if number == marked:
            for key in mark:
                mark[key][going] = new[key]
            marked *= 2
        going = going[~settled[going, -1] & ~back]
        if not len(going):
            break
    return settled, rounds


def _of(values: np.ndarray, act: np.ndarray) -> np.ndarray:
    """`[B, W]` values `[B, W, A]` of an act."""
    return np.take_along_axis(values, act[..., None], axis=2)[..., 0]
