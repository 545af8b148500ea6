"""Information markets: bazaars of all depths, in every context, for a buyer at face value and for a Bayesian one.

What the buyer knows is a set S of items; `B_S(w)` are the states that agree with w on all of S, and `x*(S, w)` is the
best act on them, ties to the lowest. A market of depth d in the context S shows at most one item, and while the buyer
looks at it she consults a market of depth d - 1 in the context S + {m}. If R is what is known after that, the item's
price is `E[U(x*(R)) - U(x*(R - {m})) | B_R(w)]`: what it is worth in the light of all that she then knows
(Weiss et al.'s bazaar is depth 1). Sellers know the state; the item that is shown is the one whose owner gains most:
price, less the item's cost, and what the owner's stake in the final act gains over showing nothing; the lowest of
several, and none unless that is positive.

A Bayesian buyer takes a choice of sellers for known. She learns from what is shown, in this market and those that she
consults, rather than another item or none: of the states that agree on R she keeps those in which the same is shown.
Where no state is left, she takes the item at face value. In the round that follows sellers choose anew, for a buyer who
takes their last choice for known; a choice that stays is one that she is right about.

Everything is gathered from tables over (set of items, state), sums are of int64, and prices are fractions that are
compared by cross-multiplying into two words of 32 and more bits: exact for weights below 2**31 and values below 2**62.
Problems are lanes, in the last axis.

Letters: M items, N = 2**M sets of items, W states, A acts, J sellers, D the depth, L lanes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int


class InformationMarket(NamedTuple):
    """What comes of markets of all depths.

    Attributes:
        value: `[D + 1, L]` weight times utility of the final act, summed over states.
        shown: `[D + 1, W, L]` the items known at the end, as bits.
        price, weight: `[D + 1, W, L]` whose ratio is the price of the first item; 0 and 1 where none is shown.
        revenue: `[D + 1, J, L]` weight times all prices paid to a seller, summed over states.
        converged: `[D + 1, L]` False where choices do not settle.
        rounds: `[L]` how often sellers chose again.
    """

    value: Int[Array, "D1 L"]
    shown: Int[Array, "D1 W L"]
    price: Int[Array, "D1 W L"]
    weight: Int[Array, "D1 W L"]
    revenue: Float[Array, "D1 J L"]
    converged: Bool[Array, "D1 L"]
    rounds: Int[Array, " L"]


class _Known(NamedTuple):
    """What every set of items tells: `agree` `[N, W, W, L]`, and of the cell of w `worth` `[N, W, A, L]`, `weight` and
    `act` `[N, W, L]`."""

    agree: Array
    worth: Array
    weight: Array
    act: Array


class _Problem(NamedTuple):
    prior: Array
    utility: Array
    costs: Array
    stakes: Array | None  # of every item's owner, [M, W, A, L]
    known: _Known


def information_market(
    prior: Int[Array, "W L"],
    utility: Int[Array, "W A L"],
    items: Int[Array, "M W L"],
    costs: Int[Array, "M L"],
    stakes: Int[Array, "J W A L"],
    owners: tuple[int, ...],
    *,
    sellers: int,
    depth: int,
    bayesian: bool,
    most_rounds: int,
) -> InformationMarket:
    """Solve bazaars of all depths from 0 to `depth` for L problems.

    Args:
        prior: positive weights, int64 as all integers here, whose sum is below 2**31.
        utility: with the largest of utility, cost and stake, weights times these stay below 2**60.
        items: labels.
        costs: in units of utility.
        stakes: none (J = 0) if no seller cares for acts.
        owners: of the items, numbers of sellers; static.
        sellers: how many there are.
        depth: D, at most M; static.
        bayesian: whether the buyer learns from what is shown rather than another.
        most_rounds: 0 leaves sellers with the choice that they make for a buyer at face value; else they choose again
            until nothing changes, so many times at most.
    """
    owned = stakes[np.array(owners)] if len(stakes) else None
    problem = _Problem(prior, utility, costs, owned, _what_is_known(prior, utility, items))
    lanes = prior.shape[-1]
    choice = _face_value(problem, depth)
    rounds, settled = jnp.zeros(lanes, jnp.int64), jnp.full(lanes, depth + 1)
    if bayesian and most_rounds:
        choice, rounds, settled = _repeated(problem, choice, most_rounds)
    after, told = _reading(problem, choice, bayesian)
    found = [_outcome(problem, choice, after, told, d, owners, sellers) for d in range(depth + 1)]
    value, shown, price, weight, revenue = (jnp.stack(part) for part in zip(*found))
    converged = jnp.arange(depth + 1)[:, None] < settled
    return InformationMarket(value, shown, price, weight, revenue, converged, rounds)


def _what_is_known(prior: Array, utility: Array, items: Array) -> _Known:
    states, lanes = prior.shape
    same = items[:, :, None] == items[:, None, :]  # [M, W, W, L]
    agree = jnp.ones((1, states, states, lanes), bool)
    for of_item in same:
        agree = jnp.concatenate([agree, agree & of_item])
    worth, weight = _sums(agree, prior, utility)
    return _Known(agree, worth, weight, worth.argmax(axis=2))


def _sums(possible: Array, prior: Array, utility: Array) -> tuple[Array, Array]:
    """`[N, W, A, L]` weight times utility and `[N, W, L]` weight, over the states `possible` `[N, W, W, L]`."""
    worth: Any = 0
    weight: Any = 0
    for v in range(len(prior)):
        here = possible[:, :, v]
        weight = weight + jnp.where(here, prior[v], 0)
        worth = worth + jnp.where(here[:, :, None], prior[v] * utility[v], 0)
    return worth, weight


def _larger(value: Array, weight: Array, other: Array, other_weight: Array) -> Array:
    """Whether value / weight > other / other_weight."""
    low = np.int64(0xFFFFFFFF)
    here, there = (value & low) * other_weight, (other & low) * weight
    high, other_high = (value >> 32) * other_weight + (here >> 32), (other >> 32) * weight + (there >> 32)
    return (high > other_high) | ((high == other_high) & ((here & low) > (there & low)))


def _at(table: Array, sets: Array) -> Array:
    """`table[sets[n, w], w]` for `table` `[N, W, ..., L]` and `sets` `[N, W, L]`."""
    shape = (*sets.shape[:2], *(1,) * (table.ndim - 3), sets.shape[2])
    return jnp.take_along_axis(table, sets.reshape(shape), axis=0, mode="promise_in_bounds")


def _of_act(worth: Array, act: Array) -> Array:
    """`worth[..., act, L]` for `worth` `[N, W, A, L]` and `act` `[N, W, L]`."""
    return jnp.take_along_axis(worth, act[:, :, None], axis=2, mode="promise_in_bounds")[:, :, 0]


def _with(sets: int, item: int) -> np.ndarray:
    """`[N]` every set with an item added."""
    return np.arange(sets) | 1 << item


class _Gains:
    """The item of the largest gain so far, and the gain as a fraction; it has to be positive."""

    def __init__(self, like: Array):
        self.item = jnp.full(like.shape, -1, jnp.int8)
        self.value, self.weight = jnp.zeros_like(like), jnp.ones_like(like)

    def offer(self, item: int, value: Array, weight: Array) -> None:
        without = (np.arange(len(value)) >> item & 1 == 0)[:, None, None]
        better = without & _larger(value, weight, self.value, self.weight)
        self.item = jnp.where(better, jnp.int8(item), self.item)
        self.value, self.weight = jnp.where(better, value, self.value), jnp.where(better, weight, self.weight)


def _own(problem: _Problem, item: int, act: Array, silent: Array) -> Array:
    """`[N, W, L]` less the cost, and what the owner's stake in the act is above that in `silent`."""
    gain = jnp.broadcast_to(-problem.costs[item], act.shape)
    if problem.stakes is None:
        return gain
    mine = jnp.broadcast_to(problem.stakes[item], (len(act), *problem.stakes.shape[1:]))
    return gain + _of_act(mine, act) - _of_act(mine, silent)


def _next_known(choice: Array, known: Array) -> Array:
    """`[N, W, L]` known at the end of markets with this choice, if `known` is at the end of shallower ones."""
    sets = len(choice)
    here = jnp.broadcast_to(jnp.arange(sets)[:, None, None], choice.shape)
    with_item = jnp.where(choice < 0, here, here | jnp.left_shift(1, jnp.maximum(choice, 0).astype(here.dtype)))
    return jnp.where(choice < 0, here, _at(known, with_item))


def _no_market(problem: _Problem) -> Array:
    """`[N, W, L]` every set itself."""
    act = problem.known.act
    return jnp.broadcast_to(jnp.arange(len(act))[:, None, None], act.shape)


def _face_value(problem: _Problem, depth: int) -> Array:
    """`[D + 1, N, W, L]` int8: what is shown, -1 for nothing."""
    known, sets = problem.known, len(problem.known.act)
    ends = _no_market(problem)
    choices = [jnp.full(ends.shape, -1, jnp.int8)]
    for _ in range(depth):
        best = _Gains(known.weight)
        for m in range(len(problem.costs)):
            end = ends[_with(sets, m)]
            act, without = _at(known.act, end), _at(known.act, end & ~(1 << m))
            worth, weight = _at(known.worth, end), _at(known.weight, end)
            paid = _of_act(worth, act) - _of_act(worth, without)
            best.offer(m, paid + _own(problem, m, act, known.act) * weight, weight)
        choices.append(best.item)
        ends = _next_known(best.item, ends)
    return jnp.stack(choices)


# --- a Bayesian buyer -------------------------------------------------------------------------------------------------


def _reading(problem: _Problem, choice: Array, bayesian: bool) -> tuple[Array, Array | None]:
    """What is known `[D + 1, N, W, L]` and told `[D + 1, N, W, W, L]` (pairs of states) at the end of all markets."""
    ends = [_no_market(problem)]
    told = [problem.known.agree]
    for shown in choice[1:]:
        ends.append(_next_known(shown, ends[-1]))
        if bayesian:
            with_item = jnp.arange(len(shown))[:, None, None]
            with_item = with_item | jnp.left_shift(1, jnp.maximum(shown, 0).astype(with_item.dtype))
            inside = jnp.where((shown < 0)[:, :, None], problem.known.agree, _at(told[-1], with_item))
            told.append(inside & (shown[:, :, None] == shown[:, None]))
    return jnp.stack(ends), jnp.stack(told) if bayesian else None


def _kept(possible: Array, shown: Array, item: Array | int) -> Array:
    """The possible states in which `item` is shown, all if there is none."""
    kept = possible & (shown[:, None] == item)
    return jnp.where(kept.any(axis=2, keepdims=True), kept, possible)


def _chosen_again(problem: _Problem, choice: Array) -> Array:
    """What sellers show a buyer who takes `choice` for theirs."""
    sets = len(problem.known.act)
    ends, told = _reading(problem, choice, True)
    assert told is not None
    after = [choice[0]]
    for d in range(1, len(choice)):
        best = _Gains(problem.known.weight)
        silence = _sums(_kept(problem.known.agree, choice[d], -1), problem.prior, problem.utility)[0].argmax(axis=2)
        for m in range(len(problem.costs)):
            possible = _kept(told[d - 1][_with(sets, m)], choice[d], m)
            worth, weight = _sums(possible, problem.prior, problem.utility)
            act = worth.argmax(axis=2)
            without = _at(problem.known.act, ends[d - 1][_with(sets, m)] & ~(1 << m))
            paid = _of_act(worth, act) - _of_act(worth, without)
            best.offer(m, paid + _own(problem, m, act, silence) * weight, weight)
        after.append(best.item)
    return jnp.stack(after)


def _repeated(problem: _Problem, choice: Array, most_rounds: int) -> tuple[Array, Array, Array]:
    """Choose again until nothing changes, or an earlier choice comes back (Brent's search): choice, rounds, and how
    many depths have settled."""
    levels, lanes = len(choice), choice.shape[-1]

    def one_round(state):
        choice, before, power, rounds, settled, going = state
        after = _chosen_again(problem, choice)
        same = (after == choice).all(axis=(1, 2))  # [D + 1, L]
        rounds = rounds + going
        settled = jnp.where(going, jnp.cumprod(same, axis=0).sum(axis=0), settled)
        back = (after == before).all(axis=(0, 1, 2))
        mark = going & (rounds == power)
        before = jnp.where(mark, after, before)
        choice = jnp.where(going, after, choice)
        going = going & (settled < levels) & ~back & (rounds < most_rounds)
        return choice, before, jnp.where(mark, 2 * power, power), rounds, settled, going

    ones = jnp.ones(lanes, jnp.int64)
    start = choice, choice, ones, 0 * ones, 0 * ones, ones > 0
    choice, _, _, rounds, settled, _ = lax.while_loop(lambda state: state[5].any(), one_round, start)
    return choice, rounds, settled


# --- what comes of it -------------------------------------------------------------------------------------------------


def _outcome(problem: _Problem, choice, ends, told, depth: int, owners: tuple[int, ...], sellers: int):
    """Value, items shown, first price as a fraction, and revenue, of markets of one depth without context."""
    known, prior = problem.known, problem.prior
    end = ends[depth, :1]  # [1, W, L]
    here, nothing = jnp.zeros_like(end), jnp.zeros_like(prior)[None]
    act = _at(known.act, end)
    if told is not None:
        act = _sums(told[depth, :1], prior, problem.utility)[0].argmax(axis=2)
    value = (prior * _of_act(problem.utility[None], act)[0]).sum(axis=0)
    price, weight = nothing, nothing + 1
    revenue = jnp.zeros((sellers, prior.shape[-1]), jnp.float64)
    belongs = jnp.asarray(owners)
    shown = here == here
    for k in range(depth, 0, -1):
        item = _at(choice[k], here)
        shown = shown & (item >= 0)  # where nothing is shown it has ended
        bit = jnp.left_shift(1, jnp.maximum(item, 0).astype(end.dtype))
        without = _at(known.act, end & ~bit)
        if told is None:
            worth, of_cell, best = _at(known.worth, end), _at(known.weight, end), act
        else:
            worth, of_cell = _sums(_at(told[k], here), prior, problem.utility)
            best = worth.argmax(axis=2)
        paid = jnp.where(shown, _of_act(worth, best) - _of_act(worth, without), 0)
        if k == depth:
            price, weight = paid, jnp.where(shown, of_cell, 1)
        mine = (belongs[jnp.maximum(item[0], 0)] == jnp.arange(sellers)[:, None, None]) & shown[0]
        revenue = revenue + jnp.where(mine, prior * (paid[0] / of_cell[0]), 0.0).sum(axis=1)
        here = jnp.where(shown, here | bit, here)
    return value, end[0].astype(jnp.int32), price[0], weight[0], revenue
