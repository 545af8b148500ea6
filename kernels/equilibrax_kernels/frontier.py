"""The schemes that are stable for at least one provider, without listing the others: for tables of any size.

Schemes are built one state at a time. A partial scheme is kept while, for at least one provider, no other partial
scheme is strictly better for both the user and that provider. Nothing is lost: if partial g beats partial f strictly in
both, every completion of f is beaten by the same completion of g. What is left after the last state is exactly the set
of schemes that are stable for some provider.

Partial schemes with equal values for every player have the same completions, so they are merged: the first in
lexicographic order stands for all, with their number and the union of their outcomes. A merge that is missed costs
capacity, never correctness.

Buffers have a fixed capacity. When a list does not fit, `overflow` is set and the answer must not be used.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, UInt32

from equilibrax_kernels.counting import Count, as_count
from equilibrax_kernels.ordering import index_bits
from equilibrax_kernels.running import running_sum, unbeaten
from equilibrax_kernels.selection import SchemeList


class _Partial(NamedTuple):
    """Partial schemes over the states so far, in lexicographic order; the first `size` of N entries are in use."""

    values: Int[Array, "P N"]
    size: Int[Array, ""]
    count: Count
    outcomes: Bool[Array, "N XA"] | None
    choices: Int[Array, "X N"]  # parent position * A + action, per state
    overflow: Bool[Array, ""]


def stage_capacities(capacity: int, states: int, actions: int) -> tuple[int, ...]:
    """Room for partial schemes after each state, growing to `capacity` the way the lists of random tables do.

    On uniform random tables about `K x**1.75` partial schemes are left after x states (times A / 9 for A below 10).
    Sizes are powers of two, so that few differ: every size is compiled.
    """
    sizes, most = [], 1
    for x in range(1, states + 1):
        most = min(most * actions, capacity)
        sizes.append(min(most, capacity, 1 << (math.ceil(capacity * (x / states) ** 1.75) + 15).bit_length()))
    return (*sizes[:-1], min(most, capacity))


def frontier_schemes(
    contributions: Int[Array, "P X A"],
    available: Bool[Array, "X A"],
    *,
    capacity: int,
    value_bits: int,
    with_outcomes: bool,
) -> SchemeList:
    """List the schemes that are stable for at least one provider.

    Args:
        contributions: `[K + 1, X, A]` `p(x) u_p(a, x)`, the user first.
        available: `[X, A]`.
        capacity: schemes that can be kept, N; fewer partial schemes on the way (`stage_capacities`).
        value_bits: bits of a value, sign included; with the bits of `capacity * A` at most 64.
        with_outcomes: whether to collect the outcomes of merged schemes.
    """
    players, states, actions = contributions.shape
    sizes = stage_capacities(capacity, states, actions)
    capacity = sizes[-1]
    partial = _Partial(
        values=jnp.zeros((players, 1), contributions.dtype),
        size=jnp.ones((), jnp.int32),
        count=as_count(jnp.ones(1, jnp.int64)),
        outcomes=jnp.zeros((1, states * actions), bool) if with_outcomes else None,
        choices=jnp.zeros((states, capacity), jnp.int32),
        overflow=jnp.zeros((), bool),
    )

    def add_state(x, partial, size):
        return _add_state(partial, contributions[:, x], available[x], x, size, value_bits)

    x = 0
    while x < states:
        # Stages of the same size share one loop body; the first of them changes the size of the list.
        same = next((y for y in range(x + 1, states) if sizes[y] != sizes[x]), states)
        partial = add_state(x, partial, sizes[x])
        if same > x + 1:
            partial = lax.fori_loop(x + 1, same, lambda x, p, size=sizes[x]: add_state(x, p, size), partial)
        x = same

    def decode(position):
        def back(step, carry):
            position, scheme = carry
            x = states - 1 - step
            choice = partial.choices[x, position]
            return choice // actions, scheme.at[:, x].set(choice % actions)

        scheme = jnp.zeros((position.shape[0], states), jnp.int32)
        return lax.fori_loop(0, states, back, (position, scheme))[1]

    return SchemeList(
        user=partial.values[0],
        providers=partial.values[1:],
        valid=jnp.arange(capacity) < partial.size,
        multiplicity=partial.count,
        outcomes=None if partial.outcomes is None else partial.outcomes.reshape(capacity, states, actions),
        decode=decode,
        overflow=partial.overflow,
    )


def _add_state(partial: _Partial, contribution, available, x, capacity: int, value_bits: int) -> _Partial:
    """Extend every partial scheme by every action of state x and keep what can still matter, up to `capacity`."""
    before, actions = partial.values.shape[1], available.shape[0]
    total = before * actions
    values = (partial.values[:, :, None] + contribution[:, None, :]).reshape(-1, total)
    parents = jnp.arange(before, dtype=jnp.int32) < partial.size
    valid = (parents[:, None] & available).reshape(-1)

    order = _order(values, valid, value_bits)
    sorted_values, sorted_valid = values[:, order], valid[order]
    same = jnp.all(sorted_values[:, 1:] == sorted_values[:, :-1], axis=0) & sorted_valid[1:]
    repeats = jnp.concatenate([jnp.zeros(1, bool), same])
    keep = _undominated(sorted_values) & sorted_valid & ~repeats

    # Back to lexicographic order: where each candidate went, and which candidates fill the slots.
    place = jnp.zeros(total, jnp.int32).at[order].set(jnp.arange(total, dtype=jnp.int32))
    kept = keep[place]
    slot = running_sum(kept.astype(jnp.int32)) - 1
    size = slot[-1] + 1
    target = jnp.where(kept, slot, total)
    chosen = jnp.zeros(capacity, jnp.int32).at[target].set(jnp.arange(total, dtype=jnp.int32), mode="drop")

    count, outcomes = _merge(partial, order, repeats, place[chosen], x, actions)
    return _Partial(
        values=values[:, chosen],
        size=jnp.minimum(size, capacity),
        count=count,
        outcomes=outcomes,
        choices=lax.dynamic_update_slice(partial.choices, chosen[None], (x, 0)),
        overflow=partial.overflow | (size > capacity),
    )


def _order(values: Int[Array, "P M"], valid: Bool[Array, " M"], value_bits: int) -> Int[Array, " M"]:
    """Positions by the user's value, largest first; equal values side by side by hash, then in lexicographic order."""
    total = values.shape[1]
    position_bits = index_bits(total)
    hash_bits = min(32, 64 - value_bits - position_bits)
    if hash_bits < 0:
        raise ValueError(f"a value of {value_bits} bits and a position among {total} do not fit in 64 bits")
    key = jnp.where(valid, -values[0].astype(jnp.int64), jnp.iinfo(jnp.int64).max >> (hash_bits + position_bits))
    if hash_bits:
        key = (key << hash_bits) | (_hash(values[1:]) >> (32 - hash_bits)).astype(jnp.int64)
    key = (key << position_bits) | jnp.arange(total, dtype=jnp.int64)
    return (jnp.sort(key) & ((1 << position_bits) - 1)).astype(jnp.int32)


def _hash(values: Int[Array, "K M"]) -> UInt32[Array, " M"]:
    """32 well-mixed bits of each column (multiply-xorshift, as in MurmurHash3's finalizer)."""
    mixed = jnp.zeros(values.shape[1], jnp.uint32)
    for row in values:
        mixed = (mixed ^ row.astype(jnp.uint32)) * jnp.uint32(0x85EBCA6B)
        mixed = (mixed ^ (mixed >> 13)) * jnp.uint32(0xC2B2AE35)
        mixed = mixed ^ (mixed >> 16)
    return mixed


def _undominated(values: Int[Array, "P M"]) -> Bool[Array, " M"]:
    """Whether, for some provider, no entry is strictly better in both values. Entries are in the user's order.

    Entries that hold no scheme come last and are no threat to those before them.
    """
    starts = jnp.concatenate([jnp.ones(1, bool), values[0, 1:] != values[0, :-1]])
    return unbeaten(values[1:], starts) != 0


def _merge(partial: _Partial, order, repeats, at, x, actions: int) -> tuple[Count, Array | None]:
    """Number and outcomes of each kept candidate, with those of the equal candidates that follow it in `order`.

    Args:
        at: `[N]` positions in `order` of the candidates kept.
    """
    total = order.shape[0]

    def take(position):
        parent, action = order[position] // actions, order[position] % actions
        outcomes = None
        if partial.outcomes is not None:
            outcomes = partial.outcomes[parent] | (
                jnp.arange(partial.outcomes.shape[1]) == (x * actions + action)[:, None]
            )
        return partial.count.exact[parent], partial.count.size[parent], outcomes

    def follows(position):
        return (position < total) & repeats[jnp.minimum(position, total - 1)]

    def step(carry):
        position, more, exact, size, outcomes = carry
        e, s, o = take(jnp.minimum(position, total - 1))
        if outcomes is not None:
            outcomes = outcomes | (o & more[:, None])
        exact, size = exact + jnp.where(more, e, 0), size + jnp.where(more, s, 0.0)
        return position + 1, more & follows(position + 1), exact, size, outcomes

    carry = (at + 1, follows(at + 1), *take(at))
    *_, exact, size, outcomes = lax.while_loop(lambda c: jnp.any(c[1]), step, carry)
    return Count(exact, size), outcomes
