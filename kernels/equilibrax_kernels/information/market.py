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
    markets = _reading(problem, choice, bayesian)
    belongs = jnp.asarray(owners)
    value, shown, price, weight, revenue = lax.map(
        lambda d: _outcome(problem, choice, markets, d, belongs, sellers), jnp.arange(depth + 1)
    )
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
    weighted = prior[:, None] * utility
    worth = jnp.where(possible[:, :, :, None], weighted[:, None], 0).sum(axis=1)
    return worth, jnp.where(possible, prior[:, None], 0).sum(axis=1)


def _larger(value: Array, weight: Array, other: Array, other_weight: Array) -> Array:
    """Whether value / weight > other / other_weight."""
    low = np.int64(0xFFFFFFFF)
    here, there = (value & low) * other_weight, (other & low) * weight
    high, other_high = (value >> 32) * other_weight + (here >> 32), (other >> 32) * weight + (there >> 32)
    return (high > other_high) | ((high == other_high) & ((here & low) > (there & low)))


def _at(table: Array, sets: Array) -> Array:
    """`table[sets]` along the first axis, the sets of items; the others broadcast."""
    return jnp.take_along_axis(table, sets, axis=0, mode="promise_in_bounds")


def _of_act(worth: Array, act: Array) -> Array:
    """`worth[..., act, L]` for `worth` `[N, W, A, L]` and `act` `[N, W, L]`."""
    return jnp.take_along_axis(worth, act[:, :, None], axis=2, mode="promise_in_bounds")[:, :, 0]


class _Market(NamedTuple):
    """What is known at the end of a market in every context, and what a Bayesian buyer cannot tell apart then."""

    known: Array  # [N, W, L]
    told: Array  # [N, W, W, L]; nothing of a buyer at face value


def _most_gained(problem: _Problem, offer: Any) -> Array:
    """`[N, W, L]` int8: the item of the largest gain that is positive, the lowest of those; -1 for none.

    Args:
        problem: with M items.
        offer: from the number of an item to what is gained by showing it `[N, W, L]` and its weight, whose ratio it is.
    """
    like = problem.known.weight
    in_set = jnp.arange(len(like))[:, None, None]

    def one_item(best, item):
        chosen, value, weight = best
        gain, here = offer(item)
        better = (in_set >> item & 1 == 0) & _larger(gain, here, value, weight)
        return tuple(jnp.where(better, new, old) for new, old in ((item, chosen), (gain, value), (here, weight))), None

    start = jnp.full(like.shape, -1, jnp.int8), jnp.zeros_like(like), jnp.ones_like(like)
    return lax.scan(one_item, start, jnp.arange(len(problem.costs), dtype=jnp.int8))[0][0]


def _with(sets: int, item: Array) -> Array:
    """`[N]` every set with an item added."""
    return jnp.arange(sets) | jnp.left_shift(1, item.astype(jnp.int64))


def _own(problem: _Problem, item: Array, act: Array, silent: Array) -> Array:
    """`[N, W, L]` less the cost, and what the owner's stake in the act is above that in `silent`."""
    gain = jnp.broadcast_to(-problem.costs[item], act.shape)
    if problem.stakes is None:
        return gain
    mine = jnp.broadcast_to(problem.stakes[item], (len(act), *problem.stakes.shape[1:]))
    return gain + _of_act(mine, act) - _of_act(mine, silent)


def _no_market(problem: _Problem, bayesian: bool) -> _Market:
    act, agree = problem.known.act, problem.known.agree
    known = jnp.broadcast_to(jnp.arange(len(act))[:, None, None], act.shape)
    return _Market(known, agree if bayesian else agree[:, :0])


def _after(problem: _Problem, choice: Array, shallower: _Market) -> _Market:
    """The market with this choice `[N, W, L]`, in which the shallower one is consulted."""
    sets = jnp.broadcast_to(jnp.arange(len(choice))[:, None, None], choice.shape)
    silent, bit = choice < 0, jnp.left_shift(1, jnp.maximum(choice, 0).astype(jnp.int64))
    known = jnp.where(silent, sets, _at(shallower.known, sets | bit))
    told = shallower.told
    if told.shape[1]:
        inside = _at(told, (sets | bit)[:, None])
        same = choice[:, :, None] == choice[:, None]
        told = same & jnp.where(silent[:, None], problem.known.agree, inside)
    return _Market(known, told)


def _face_value(problem: _Problem, depth: int) -> Array:
    """`[D + 1, N, W, L]` int8: what is shown, -1 for nothing."""
    known, sets = problem.known, len(problem.known.act)

    def one_depth(market, _):
        def offer(item):
            end = market.known[_with(sets, item)]
            without = _at(known.act, end & ~jnp.left_shift(1, item.astype(jnp.int64)))
            act, weight = _at(known.act, end), _at(known.weight, end)
            worth = _at(known.worth, end[:, :, None])
            paid = _of_act(worth, act) - _of_act(worth, without)
            return paid + _own(problem, item, act, known.act) * weight, weight

        choice = _most_gained(problem, offer)
        return _after(problem, choice, market), choice

    nothing = jnp.full((1, *known.act.shape), -1, jnp.int8)
    _, choice = lax.scan(one_depth, _no_market(problem, False), length=depth)
    return jnp.concatenate([nothing, choice])


# --- a Bayesian buyer -------------------------------------------------------------------------------------------------


def _reading(problem: _Problem, choice: Array, bayesian: bool) -> _Market:
    """Markets of all depths with this choice `[D + 1, N, W, L]`: fields with an axis of depths."""

    def one_depth(market, shown):
        after = _after(problem, shown, market)
        return after, after

    first = _no_market(problem, bayesian)
    _, deeper = lax.scan(one_depth, first, choice[1:])
    return _Market(*(jnp.concatenate([one[None], more]) for one, more in zip(first, deeper)))


def _kept(possible: Array, shown: Array, item: Array | int) -> Array:
    """The possible states in which `item` is shown, all if there is none."""
    kept = possible & (shown[:, :, None] == item)
    return jnp.where(kept.any(axis=1, keepdims=True), kept, possible)


def _chosen_again(problem: _Problem, choice: Array) -> Array:
    """What sellers show a buyer who takes `choice` for theirs."""
    sets = len(problem.known.act)
    markets = _reading(problem, choice, True)

    def one_depth(given):
        shown, known, told = given
        silence = _sums(_kept(problem.known.agree, shown, -1), problem.prior, problem.utility)[0].argmax(axis=2)

        def offer(item):
            with_item = _with(sets, item)
            worth, weight = _sums(_kept(told[with_item], shown, item), problem.prior, problem.utility)
            act = worth.argmax(axis=2)
            without = _at(problem.known.act, known[with_item] & ~jnp.left_shift(1, item.astype(jnp.int64)))
            paid = _of_act(worth, act) - _of_act(worth, without)
            return paid + _own(problem, item, act, silence) * weight, weight

        return _most_gained(problem, offer)

    after = lax.map(one_depth, (choice[1:], markets.known[:-1], markets.told[:-1]))
    return jnp.concatenate([choice[:1], after])


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


def _outcome(problem: _Problem, choice: Array, markets: _Market, depth: Array, belongs: Array, sellers: int):
    """Value, items shown, first price as a fraction, and revenue, of markets of one depth without context."""
    known, prior, bayesian = problem.known, problem.prior, bool(markets.told.shape[2])
    end = markets.known[depth, :1]  # [1, W, L]
    act = _at(known.act, end)
    if bayesian:
        act = _sums(markets.told[depth, :1], prior, problem.utility)[0].argmax(axis=2)
    value = (prior * _of_act(problem.utility[None], act)[0]).sum(axis=0)

    def one_step(state, back):
        context, shown, first, revenue = state
        level = jnp.maximum(depth - back, 0)
        item = _at(choice[level], context)
        shown = shown & (item >= 0)  # where nothing is shown it has ended
        bit = jnp.left_shift(1, jnp.maximum(item, 0).astype(jnp.int64))
        without = _at(known.act, end & ~bit)
        if bayesian:
            worth, weight = _sums(_at(markets.told[level], context[:, None]), prior, problem.utility)
            best = worth.argmax(axis=2)
        else:
            worth, weight, best = _at(known.worth, end[:, :, None]), _at(known.weight, end), act
        paid = jnp.where(shown, _of_act(worth, best) - _of_act(worth, without), 0)
        now = paid, jnp.where(shown, weight, 1)
        first = tuple(jnp.where(back == 0, new, old) for new, old in zip(now, first))
        mine = (belongs[jnp.maximum(item[0], 0)] == jnp.arange(sellers)[:, None, None]) & shown[0]
        revenue = revenue + jnp.where(mine, prior * (paid[0] / weight[0]), 0.0).sum(axis=1)
        return (jnp.where(shown, context | bit, context), shown, first, revenue), None

    zero = jnp.zeros_like(end)
    start = zero, zero == 0, (zero, zero + 1), jnp.zeros((sellers, prior.shape[-1]), jnp.float64)
    (_, _, (price, weight), revenue), _ = lax.scan(one_step, start, jnp.arange(len(choice) - 1))
    return value, end[0].astype(jnp.int32), price[0], weight[0], revenue
