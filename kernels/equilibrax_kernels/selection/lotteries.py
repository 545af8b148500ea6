"""The best-provider selection game with lotteries for one table and many committees, exactly.

A rule is a lottery over actions in every state. It is stable for provider j iff no other is strictly better for both j
and the user, that is, iff it maximizes `(1 - t) v_0 + t v_j` for some t in [0, 1]. Values add up over states, so this
means that in every state it draws among the actions that maximize `(1 - t) u_0 + t u_j` there: a face. Faces change at
ratios `t / (1 - t)` of differences of utilities, and every action is in the faces of a range of ratios.

For a value z of the user below her optimum all rules of one value that are stable for j are in one face of j's, which
falls as z rises. So all faces that matter together are found going down the values at which some provider's face
changes; what the members' faces have in common is stable for all of them, and the user's values there are an interval.

Under Definition 16 the lowest member needs t > 0, which matters only at the optimum itself.

All integers are exact. Ratios are compared by cross-multiplying differences of 32-bit utilities, at most 2**32 - 2, so
products fit 64 bits without a sign. Run the kernel with `jax.enable_x64(True)`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, Int32, UInt64

from equilibrax_kernels.primitives.sorting import sort_lanes
from equilibrax_kernels.selection.committees import lowest_member
from equilibrax_kernels.selection.monopoly import monopoly


class Lotteries(NamedTuple):
    """Exact answers, per committee of `masks`. Values are fixed-point integers.

    Attributes:
        optimum: `[L]`, the user's best attainable value.
        worst, best: `[C, L]` the user's smallest and largest value in equilibrium.
        unique: `[C, L]` whether there is one equilibrium only, and so a scheme.
        worst_scheme: `[C, X, L]` int32, the lexicographically first scheme among the worst equilibria: there is one.
        intervals: `[C, M, 2, L]` the values of all equilibria, as disjoint closed intervals from above; 0 beyond.
        interval_count: `[C, L]` int32, how many there are; if there are more than M, only the first M are there.
        attained: `[C, X, A, L]` outcomes that some equilibrium attains.
        optimal: `[X, A, L]` outcomes of the user's optimal schemes.
    """

    optimum: Int[Array, " L"]
    worst: Int[Array, "C L"]
    best: Int[Array, "C L"]
    unique: Bool[Array, "C L"]
    worst_scheme: Int[Array, "C X L"]
    intervals: Int[Array, "C M 2 L"]
    interval_count: Int[Array, "C L"]
    attained: Bool[Array, "C X A L"]
    optimal: Bool[Array, "X A L"]


class Ranges(NamedTuple):
    """The faces that every action is in, for each of K providers.

    Attributes:
        first, last: `[K, X, A, L]` int32: an action is in the faces from `first` to `last`, none if `first` is larger.
            Faces are numbered by how many ratios at which an action joins are smaller; 0 is t -> 0.
        top: `[K, N, L]` the user's largest value in the face that outcome n = x A + a is the first to be in.
        joins: `[K, N, L]` whether there is such a face besides number 0.
    """

    first: Int32[Array, "K X A L"]
    last: Int32[Array, "K X A L"]
    top: Int[Array, "K N L"]
    joins: Bool[Array, "K N L"]


def lottery_equilibria(
    utilities: Int[Array, "P X A L"],
    contributions: Int[Array, "P X A L"],
    available: Bool[Array, "X A L"],
    masks: Int[Array, " C"],
    *,
    ties: bool,
    intervals: int,
) -> Lotteries:
    """Answer every committee.

    Args:
        utilities: `[K + 1, X, A, L]` fixed-point utilities of 32 bits, the user first.
        contributions: `p(x)` times these.
        available: `[X, A, L]`, in every state at least one action.
        masks: `[C]` int32 committees as bitmasks.
        ties: the lowest index wins the user's ties (Definition 16) instead of the incumbent (Section 7).
        intervals: M.
    """
    user, dtype = contributions[0], contributions.dtype
    providers, (states, actions, lanes) = contributions.shape[0] - 1, available.shape
    lowest, highest = jnp.iinfo(dtype).min, jnp.iinfo(dtype).max
    ranges = _ranges(utilities, user, available)
    alone = monopoly(user, contributions[1:], available)
    own = monopoly(user, contributions[:1], available)
    optimum, optimal = own.best[0], own.optimal[0]

    low_bit = lowest_member(masks)
    single = (masks == low_bit)[:, None]
    member = jnp.argmax((low_bit[:, None] >> jnp.arange(providers)) & 1, axis=1)
    at_optimum = jnp.broadcast_to(optimal, (masks.shape[0], *optimal.shape))
    if ties:  # t -> 0, for the lowest member
        at_optimum = ((ranges.first == 0) & (ranges.last >= 0))[member]
    places = jnp.arange(actions, dtype=jnp.int32)[:, None]

    def first_of(chosen: Bool[Array, "C X A L"]) -> Int[Array, "C X L"]:
        return jnp.min(jnp.where(chosen, places, actions), axis=2)

    many = (masks.shape[0], lanes)
    slots = jnp.arange(intervals, dtype=jnp.int32)[:, None]
    start = (
        jnp.broadcast_to(optimum, many),
        first_of(at_optimum),
        jnp.broadcast_to(jnp.where(slots == 0, optimum, 0), (masks.shape[0], intervals, lanes)),
        jnp.broadcast_to(jnp.where(slots == 0, optimum, 0), (masks.shape[0], intervals, lanes)),
        jnp.ones(many, jnp.int32),
        at_optimum,
    )
    falling = sort_lanes(jnp.where(ranges.joins, -ranges.top, highest).reshape(-1, lanes))
    first_at = ranges.first.reshape(providers, states * actions, lanes)

    def step(i, found):
        worst, scheme, lows, highs, count, attained = found
        here = -falling[i]
        face = jnp.max(jnp.where(ranges.joins & (ranges.top >= here), first_at, 0), axis=1)[:, None, None]
        held = (ranges.first <= face) & (face <= ranges.last)  # [K, X, A, L]
        common = jnp.ones((masks.shape[0], states, actions, lanes), bool)
        for j in range(providers):
            common &= held[j] | (masks >> j & 1 == 0)[:, None, None, None]
        least = jnp.min(jnp.where(common, user, highest), axis=2)
        most = jnp.max(jnp.where(common, user, lowest), axis=2)
        there = jnp.all(jnp.any(common, axis=2), axis=1) & (falling[i] != highest)
        low = jnp.sum(least, axis=1, dtype=dtype)
        high = jnp.sum(most, axis=1, dtype=dtype)
        apart, lower = there & (high < worst), there & (low < worst)
        count = count + apart
        at = slots == (count - 1)[:, None]
        return (
            jnp.where(lower, low, worst),
            jnp.where(lower[:, None], first_of(common & (user == least[:, :, None])), scheme),
            jnp.where(at & lower[:, None], low[:, None], lows),
            jnp.where(at & apart[:, None], high[:, None], highs),
            count,
            attained | (common & there[:, None, None]),
        )

    # As many steps as the table with the most faces needs.
    steps = jnp.max(jnp.sum(ranges.joins, axis=(0, 1), dtype=jnp.int32))
    worst, scheme, lows, highs, count, attained = lax.fori_loop(0, steps, step, start)
    worst = jnp.where(single, alone.worst[member], worst)
    best = jnp.where(single, alone.best[member], optimum)
    inside = slots < jnp.where(single, 1, count)[:, None]
    lows = jnp.where(single[:, None] & (slots == 0), worst[:, None], lows)
    highs = jnp.where(single[:, None] & (slots == 0), best[:, None], highs)
    attained = jnp.where(single[:, None, None], alone.optimal[member], attained)
    return Lotteries(
        optimum=optimum,
        worst=worst,
        best=best,
        unique=jnp.sum(attained, axis=(1, 2)) == states,
        worst_scheme=jnp.where(single[:, None], alone.worst_scheme[member], scheme),
        intervals=jnp.where(inside[:, :, None], jnp.stack([lows, highs], axis=2), 0),
        interval_count=jnp.where(single, 1, count),
        attained=attained,
        optimal=optimal,
    )


class _Ratio(NamedTuple):
    """Non-negative ratios; x / 0 is infinite."""

    above: UInt64[Array, "..."]
    below: UInt64[Array, "..."]

    def less(self, other: _Ratio) -> Bool[Array, "..."]:
        return self.above * other.below < other.above * self.below


def _ranges(utilities: Int[Array, "P X A L"], user: Int[Array, "X A L"], available: Bool[Array, "X A L"]) -> Ranges:
    """For every action the ratios from which and up to which it is a best one, as numbers of faces."""
    wide = utilities.astype(jnp.int64)
    (states, actions, lanes), providers = available.shape, utilities.shape[0] - 1
    shape = (providers, states, actions, lanes)

    def against(found, other):
        since, until, beaten = found
        gain = other[0][1:, :, None] - wide[1:]  # [K, X, A, L] what the provider gains by the other action
        loss = jnp.broadcast_to(wide[0] - other[0][0][:, None], shape)  # and what the user loses
        there = other[1][:, None]
        joins = _Ratio(jnp.abs(loss).astype(jnp.uint64), jnp.abs(gain).astype(jnp.uint64))
        later = there & (loss < 0) & (gain <= 0) & since.less(joins)
        earlier = there & (loss > 0) & (gain > 0) & joins.less(until)
        since = _Ratio(*(jnp.where(later, new, old) for new, old in zip(joins, since)))
        until = _Ratio(*(jnp.where(earlier, new, old) for new, old in zip(joins, until)))
        return (since, until, beaten | (there & (gain > 0) & (loss <= 0))), None

    zero, one = jnp.zeros(shape, jnp.uint64), jnp.ones(shape, jnp.uint64)
    start = _Ratio(zero, one), _Ratio(one, zero), jnp.zeros(shape, bool)
    others = jnp.moveaxis(wide, 2, 0), jnp.moveaxis(available, 1, 0)
    (since, until, beaten), _ = lax.scan(against, start, others)
    best = available & ~beaten & ~until.less(since)

    def flat(array):
        return array.reshape(providers, states * actions, lanes)

    since, until = (_Ratio(*map(flat, ratio)) for ratio in (since, until))
    best = flat(best)

    def count(found, entry):
        ratio, counts = _Ratio(*entry[0]), entry[1][:, None]
        ratio = _Ratio(ratio.above[:, None], ratio.below[:, None])
        first, last = found
        return (first + (counts & ratio.less(since)), last + (counts & ratio.less(until))), None

    none = jnp.zeros(best.shape, jnp.int32)
    entries = jax.tree.map(lambda array: jnp.moveaxis(array, 1, 0), (tuple(since), best))
    (first, last), _ = lax.scan(count, (none, none), entries)
    last = jnp.where(best, last, -1)
    lowest = jnp.iinfo(user.dtype).min

    def largest(_, face):
        held = (first <= face[:, None]) & (face[:, None] <= last)
        values = jnp.where(held.reshape(shape), user, lowest)
        return None, jnp.sum(jnp.max(values, axis=2), axis=1, dtype=user.dtype)

    _, top = lax.scan(largest, None, jnp.moveaxis(first, 1, 0))
    return Ranges(first.reshape(shape), last.reshape(shape), jnp.moveaxis(top, 0, 1), best & (since.above > 0))
