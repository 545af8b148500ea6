"""The schemes that are stable for at least one provider, without listing the others: for tables of any size.

The first few states are listed in full, the others are added one at a time. A partial scheme is kept while, for at
least one provider, no other partial scheme is strictly better for both the user and that provider. Nothing is lost: if
partial g beats partial f strictly in both, every completion of f is beaten by the same completion of g. What is left
after the last state is exactly the set of schemes that are stable for some provider.

Partial schemes with equal values for every player have the same completions, so they are merged: the first in
lexicographic order stands for all, with their number and the union of their outcomes. A merge that is missed costs
capacity, never correctness.

Buffers have a fixed capacity. When a list does not fit, `overflow` is set and the answer must not be used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, UInt32

from equilibrax_kernels.primitives.counting import Count, as_count
from equilibrax_kernels.primitives.lanes import lane_numbers, outcome_bit, take, words_for
from equilibrax_kernels.primitives.running import running_count, unbeaten
from equilibrax_kernels.primitives.sorting import power_of_two, sort_lanes
from equilibrax_kernels.selection.dense import dense_schemes
from equilibrax_kernels.selection.ordering import index_bits
from equilibrax_kernels.selection.solve import SchemeList


class _Partial(NamedTuple):
    """Partial schemes over the states so far, in lexicographic order; the first `size` of N entries are in use."""

    values: Int[Array, "N P L"]
    size: Int[Array, " L"]
    count: Count
    merged: Bool[Array, ""]  # whether some entry of some lane stands for more than one partial scheme
    outcomes: UInt32[Array, "N W L"] | None
    choices: Int[Array, "S N L"]  # parent position * A + action, per stage
    overflow: Bool[Array, " L"]


def stage_capacities(capacity: int, states: int, actions: int, first: int = 1) -> tuple[int, ...]:
    """Room for partial schemes after `first` states and after each of the others.

    It grows to `capacity` the way the lists of random tables do: on uniform random tables about `K x**1.75` partial
    schemes are left after x states (times A / 9 for A below 10). Sizes are powers of two, so that few differ: every
    size is compiled.
    """
    sizes, most = [], actions ** (first - 1)
    for x in range(first, states + 1):
        most = min(most * actions, capacity)
        room = math.ceil(1.15 * capacity * (x / states) ** 1.75) + 15  # lists of few states vary more
        sizes.append(min(most, capacity, 1 << room.bit_length()))
    return (*sizes[:-1], min(most, capacity))


def states_at_once(states: int, actions: int, at_once: int) -> int:
    """How many states are listed in full before the first partial scheme is dropped: at least one."""
    first = 1
    while first < states and actions ** (first + 1) <= at_once:
        first += 1
    return first


def frontier_schemes(
    contributions: Int[Array, "P X A L"],
    available: Bool[Array, "X A L"],
    *,
    capacity: int,
    value_bits: int,
    with_outcomes: bool,
    hashed: bool = True,
    at_once: int = 128,
) -> SchemeList:
    """List the schemes that are stable for at least one provider.

    Args:
        contributions: `[K + 1, X, A, L]` `p(x) u_p(a, x)`, the user first.
        available: `[X, A, L]`.
        capacity: schemes that can be kept, N; fewer partial schemes on the way (`stage_capacities`).
        value_bits: bits of a value, sign included; with the bits of `capacity * A` at most 64.
        with_outcomes: whether to collect the outcomes of merged schemes.
        hashed: bring equal partial schemes side by side by a hash of their values, so that all of them are merged.
            Otherwise only those are that nothing with the same value for the user comes between; that takes narrower
            keys and a merge of lists already sorted instead of a sort, and is right for tables with few ties.
        at_once: partial schemes to list before the first is dropped, if it takes more than one state to get there.
    """
    chex.assert_shape(available, contributions.shape[1:])
    players, states, actions, lanes = contributions.shape
    first = states_at_once(states, actions, at_once)
    sizes = stage_capacities(capacity, states, actions, first)
    capacity, words = sizes[-1], words_for(states * actions)
    block = dense_schemes(contributions[:, :first], available[:first], with_outcomes=with_outcomes)
    partial = _Partial(
        values=jnp.zeros((1, players, lanes), contributions.dtype),
        size=jnp.ones(lanes, jnp.int32),
        count=as_count(jnp.ones((1, lanes), jnp.int64)),
        merged=jnp.zeros((), bool),
        outcomes=jnp.zeros((1, words, lanes), jnp.uint32) if with_outcomes else None,
        choices=jnp.zeros((1 + states - first, capacity, lanes), jnp.int32),
        overflow=jnp.zeros(lanes, bool),
    )

    def outcomes_of_block(choice):
        if block.outcomes is None:
            raise ValueError("outcomes were not listed")
        missing = words - block.outcomes.shape[1]
        return jnp.pad(take(block.outcomes, choice), ((0, 0), (0, missing), (0, 0)))

    values = jnp.concatenate([block.user[:, None], block.providers], axis=1)
    partial = _extend(partial, values, block.valid, outcomes_of_block, 0, sizes[0], value_bits, hashed)
    by_state = jnp.moveaxis(contributions, 0, 2)  # [X, A, P, L]

    def add_state(stage, partial, size):
        x = first - 1 + stage

        def outcomes_of(action):
            return outcome_bit(x * actions + action, words)

        return _extend(partial, by_state[x], available[x], outcomes_of, stage, size, value_bits, hashed)

    stage = 1
    while stage < len(sizes):
        # Stages of the same size share one loop body; the first of them changes the size of the list.
        other = next((y for y in range(stage + 1, len(sizes)) if sizes[y] != sizes[stage]), len(sizes))
        size = sizes[stage]
        partial = add_state(stage, partial, size)
        if other > stage + 1:
            partial = lax.fori_loop(stage + 1, other, lambda i, p, size=size: add_state(i, p, size), partial)
        stage = other

    def decode(position):
        def back(step, carry):
            position, scheme = carry
            stage = states - first - step
            choice = take(partial.choices[stage], position)
            return choice // actions, scheme.at[:, first - 1 + stage].set(choice % actions)

        scheme = jnp.zeros((position.shape[0], states, lanes), jnp.int32)
        position, scheme = lax.fori_loop(0, states - first, back, (position, scheme))
        return scheme.at[:, :first].set(block.decode(take(partial.choices[0], position)))

    return SchemeList(
        user=partial.values[:, 0],
        providers=partial.values[:, 1:],
        valid=jnp.arange(capacity, dtype=jnp.int32)[:, None] < partial.size,
        multiplicity=partial.count,
        outcomes=partial.outcomes,
        decode=decode,
        overflow=partial.overflow,
    )


def _extend(
    partial: _Partial,
    contribution: Int[Array, "A P L"],
    available: Bool[Array, "A L"],
    outcomes_of: Callable[[Int[Array, "M L"]], UInt32[Array, "M W L"]],
    stage,
    capacity: int,
    value_bits: int,
    hashed: bool,
) -> _Partial:
    """Extend every partial scheme by every action (or every scheme of a block) and keep what can still matter."""
    before, players, lanes = partial.values.shape
    actions = available.shape[0]
    total = before * actions
    used = jnp.arange(before, dtype=jnp.int32)[:, None] < partial.size
    values = (partial.values[:, None] + contribution).reshape(total, players, lanes)

    if hashed:
        valid = (used[:, None] & available).reshape(total, lanes)
        order, user, sorted_valid = _sorted_by_hash(values, valid, value_bits)
    else:
        order, user, sorted_valid = _merged(partial.values[:, 0], used, contribution[:, 0], available, value_bits)
    providers = take(values[:, 1:], order)
    first = jnp.zeros((1, lanes), bool)
    starts = jnp.concatenate([~first, user[1:] != user[:-1]])
    same = jnp.all(providers[1:] == providers[:-1], axis=1) & sorted_valid[1:]
    repeats = jnp.concatenate([first, same]) & ~starts
    # Entries that hold no scheme come last and are no threat to those before them.
    keep = (unbeaten(providers, starts) != 0) & sorted_valid & ~repeats

    # What is kept, as far as there is room, and back to lexicographic order.
    slot = running_count(keep)
    size = slot[-1]
    target = jnp.where(keep & (slot <= capacity), slot - 1, capacity)  # one slot more, for those that are not kept
    chosen = jnp.full((capacity + 1, lanes), total, jnp.int32)
    chosen = chosen.at[target, lane_numbers(order)].set(order, mode="promise_in_bounds")[:capacity]
    filled = jnp.arange(capacity, dtype=jnp.int32)[:, None] < size
    chosen = jnp.where(filled, sort_lanes(jnp.where(filled, chosen, total)), 0)

    merged = partial.merged | jnp.any(repeats)
    count, outcomes = _merge_equal(partial, merged, order, repeats, chosen, outcomes_of, actions)
    return _Partial(
        values=take(values, chosen),
        size=jnp.minimum(size, capacity),
        count=count,
        merged=merged,
        outcomes=outcomes,
        choices=lax.dynamic_update_slice(partial.choices, chosen[None], (stage, 0, 0)),
        overflow=partial.overflow | (size > capacity),
    )


def _merged(user, used, contribution, available, value_bits: int) -> tuple[Array, Array, Array]:
    """Candidates by the user's value, largest first, then in lexicographic order.

    Returns:
        `[M, L]` positions of the candidates (int32), the user's values, and which of them hold a scheme.

    Sorted parents stay sorted when an action is added to all of them, so A sorted runs are merged.
    """
    before, actions = user.shape[0], contribution.shape[0]
    rank_bits, position_bits = index_bits(before), index_bits(before * actions)
    dtype = jnp.int32 if value_bits + position_bits <= 32 else jnp.int64
    last = jnp.iinfo(dtype).max >> position_bits  # no value is as large

    _check_fits(value_bits, before * actions)
    index = jnp.arange(power_of_two(before), dtype=dtype)[:, None]
    last_parent = jnp.iinfo(dtype).max >> rank_bits
    parents = (jnp.where(used, -user.astype(dtype), last_parent) << rank_bits) | index[:before]
    padding = jnp.full((index.shape[0] - before, user.shape[1]), jnp.iinfo(dtype).max, dtype)
    parents = sort_lanes(jnp.concatenate([parents, padding]))
    value, rank = parents >> rank_bits, parents & ((1 << rank_bits) - 1)

    available, action = available[:, None], jnp.arange(actions, dtype=dtype)[:, None, None]
    lexicographic = jnp.where(available, rank, index) * actions + action  # [A, run, L]
    key = jnp.where(available & (value != last_parent), value - contribution[:, None].astype(dtype), last)
    key = jnp.where(index < before, (key << position_bits) | lexicographic, jnp.iinfo(dtype).max)
    keys = sort_lanes(key.reshape(-1, user.shape[1]), index.shape[0])[: before * actions]
    negated = keys >> position_bits
    return (keys & ((1 << position_bits) - 1)).astype(jnp.int32), -negated.astype(user.dtype), negated != last


def _sorted_by_hash(values, valid, value_bits: int) -> tuple[Array, Array, Array]:
    """The same, with equal values side by side: by a hash of the providers' values before lexicographic order."""
    total = values.shape[0]
    position_bits = index_bits(total)
    _check_fits(value_bits, total)
    hash_bits = min(32, 64 - value_bits - position_bits)
    last = jnp.iinfo(jnp.int64).max >> (hash_bits + position_bits)
    key = jnp.where(valid, -values[:, 0].astype(jnp.int64), last)
    if hash_bits:
        key = (key << hash_bits) | (_hash(values[:, 1:]) >> (32 - hash_bits)).astype(jnp.int64)
    key = sort_lanes((key << position_bits) | jnp.arange(total, dtype=jnp.int64)[:, None])
    negated = key >> (hash_bits + position_bits)
    return (key & ((1 << position_bits) - 1)).astype(jnp.int32), -negated.astype(values.dtype), negated != last


def _check_fits(value_bits: int, total: int) -> None:
    if value_bits + index_bits(total) > 64:
        raise ValueError(f"a value of {value_bits} bits and a position among {total} do not fit in 64 bits")


def _hash(values: Int[Array, "M K L"]) -> UInt32[Array, "M L"]:
    """32 well-mixed bits of each entry (multiply-xorshift, as in MurmurHash3's finalizer)."""
    mixed = jnp.zeros((values.shape[0], values.shape[2]), jnp.uint32)
    for j in range(values.shape[1]):
        mixed = (mixed ^ values[:, j].astype(jnp.uint32)) * jnp.uint32(0x85EBCA6B)
        mixed = (mixed ^ (mixed >> 13)) * jnp.uint32(0xC2B2AE35)
        mixed = mixed ^ (mixed >> 16)
    return mixed


def _merge_equal(
    partial: _Partial, merged, order, repeats, chosen, outcomes_of, actions: int
) -> tuple[Count, Array | None]:
    """Number and outcomes of each candidate chosen, with those of the equal candidates that follow it in `order`."""

    def outcomes(candidates):
        if partial.outcomes is None:
            return None
        return take(partial.outcomes, candidates // actions) | outcomes_of(candidates % actions)

    def with_equals():
        def add(carry, entry):
            follows, (count, words) = entry  # whether the next entry equals this one
            (exact, size), union = carry
            count = Count(count.exact + jnp.where(follows, exact, 0), count.size + jnp.where(follows, size, 0.0))
            words = None if words is None else words | jnp.where(follows, union, jnp.uint32(0))
            return (count, words), (count, words)

        follows = jnp.concatenate([repeats[1:], jnp.zeros((1, repeats.shape[1]), bool)])
        parent = order // actions
        count = Count(take(partial.count.exact, parent), take(partial.count.size, parent))
        entries = count, outcomes(order)
        nothing = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), entries)
        totals = lax.scan(add, nothing, (follows, entries), reverse=True)[1]
        position = jnp.broadcast_to(jnp.arange(order.shape[0], dtype=jnp.int32)[:, None], order.shape)
        place = jnp.zeros_like(order).at[order, lane_numbers(order)].set(position, unique_indices=True)
        return jax.tree.map(lambda leaf: take(leaf, take(place, chosen)), totals)

    def one_each():
        return as_count(jnp.ones(chosen.shape, jnp.int64)), outcomes(chosen)

    return lax.cond(merged, with_equals, one_each)
