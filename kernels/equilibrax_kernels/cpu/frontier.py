"""The schemes that are stable for at least one provider, state by state; or, by the same steps, all schemes.

The idea and its proof are in `equilibrax_kernels.frontier`. A loop can afford more:

- Lists are kept in the user's order (largest value first, then lexicographic), so extending one by an action leaves it
  sorted, and a sort is a merge of one run per action.
- A partial scheme carries the providers for which nothing beats it. What beats it beats all its completions, and an
  action that another one beats in its own state is never part of a stable scheme, so a candidate is compared only for
  the providers that both its parts still have, and most candidates are dropped before they are sorted.
- Equal candidates (all players' values) are neighbours up to ties with the user's value, and found there by a hash, so
  all of them are merged, whatever their number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import part
from equilibrax_kernels.cpu.sorting import ALL_PAIRS, sort_runs
from equilibrax_kernels.cpu.vectors import LANES, fill, if_greater, lanes_greater, load, padded, store

GROW, OVERFLOW = -1, -2
_NOTHING = -(2**62)  # less than every value


class Partial(NamedTuple):
    """Partial schemes over the states so far, in the user's order; room for N and one more.

    Attributes:
        values: `[N, [P]]`, P rounded up to a multiple of eight; the rest is zero.
        rank: `[N]` lexicographic rank of each; `place` is its inverse.
        bits: `[N]` bit j: nothing is strictly better for both the user and provider j.
        exact, size: `[N]` how many schemes each stands for, see `equilibrax_kernels.counting`.
        outcomes: `[N, W]` outcomes that they attain, 64 to a word; W may be 0.
    """

    values: np.ndarray
    rank: np.ndarray
    place: np.ndarray
    bits: np.ndarray
    exact: np.ndarray
    size: np.ndarray
    outcomes: np.ndarray


class Block(NamedTuple):
    """What a list is extended by, in lexicographic order: the schemes of one state or more, available ones alone.

    Attributes:
        values: `[m, [P]]`; bits: `[m]` providers for which nothing in the same states is known to beat it.
        outcomes: `[m, W]`.
        actions: `[m, X]` the actions, of the block's states.
        usable, usable_bits: `[m]` the actions available in the present state, and the same bits for each of them.
    """

    values: np.ndarray
    bits: np.ndarray
    outcomes: np.ndarray
    actions: np.ndarray
    usable: np.ndarray
    usable_bits: np.ndarray


class Room(NamedTuple):
    """What extending lists needs besides: M candidates, and where every entry came from.

    Attributes:
        keys, scratch: `[M]`; ends: `[m + 1]` ends of sorted runs; slots: `[M]` where candidates went.
        stable: `[M]` bit p: no candidate that the user strictly prefers is strictly better for player p.
        hashes: `[2**h]` stamped slots of entries in the present run of ties; stamp: `[1]`.
        parents, steps: `[X, N]` position of the parent in the list before, and of the extension in its block.
        opening: `[m, X]` actions of the first block.
    """

    keys: np.ndarray
    scratch: np.ndarray
    ends: np.ndarray
    slots: np.ndarray
    stable: np.ndarray
    hashes: np.ndarray
    stamp: np.ndarray
    parents: np.ndarray
    steps: np.ndarray
    opening: np.ndarray


def new_room(capacity, players, states, actions, words, schemes):
    """`(before, after, block, room)` for lists of up to `capacity` entries of tables with so many `schemes`."""
    together = max(actions, ALL_PAIRS)
    most = padded(max(min(capacity * actions, schemes), together))
    slots = 2
    while slots < 2 * capacity:
        slots *= 2
    return (
        _new_partial(capacity, players, words),
        _new_partial(capacity, players, words),
        Block(
            np.zeros((together, padded(players)), np.int64),
            np.empty(together, np.int64),
            np.empty((together, words), np.int64),
            np.empty((together, states), np.int64),
            np.empty(together, np.int64),
            np.empty(together, np.int64),
        ),
        Room(
            np.empty(most, np.int64),
            np.empty(most, np.int64),
            np.empty(together + 1, np.int64),
            np.empty(most, np.int32),
            np.empty(most, np.int64),
            np.zeros(slots, np.int64),
            np.zeros(1, np.int64),
            np.empty((states, capacity + 1), np.int32),
            np.empty((states, capacity + 1), np.int32),
            np.empty((together, states), np.int64),
        ),
    )


def _new_partial(capacity, players, words):
    room = capacity + 1  # one more, for a scheme that may turn out to equal another one
    return Partial(
        np.zeros((room, padded(players)), np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.float64),
        np.empty((room, words), np.int64),
    )


@part
def list_schemes(contributions, providers, available, before, after, block, room, first, limits, keep_all):
    """List the stable schemes of a table, or all.

    Args:
        contributions: `[X, A, [P]]` int64 `p(x) u_p(a, x)`, the user first.
        available: `[X, A]` bool.
        before, after, block, room: from `new_room`.
        first: how many states to list in full before the first partial scheme is dropped.
        limits: `[X]` largest list after so many states.
        keep_all: drop nothing.

    Returns:
        N, the length of the list; `GROW` if the room is too small, `OVERFLOW` if the limits are. The list is in `after`
        if `states - first` is even, and otherwise in `before`.
    """
    states, _, width = contributions.shape
    for p in range(0, width, LANES):
        store(before.values, (0, p), fill(0))
    before.rank[0] = before.place[0] = 0
    before.bits[0] = (1 << providers) - 1
    before.exact[0], before.size[0] = 1, 1.0
    for w in range(before.outcomes.shape[1]):
        before.outcomes[0, w] = 0
    kept, x = np.int64(1), np.int64(0)
    for stage in range(1 + states - first):
        together = first if stage == 0 else 1
        extensions = _fill_block(contributions, providers, available, block, x, together)
        if stage == 0:
            for u in range(extensions):
                for y in range(together):
                    room.opening[u, y] = block.actions[u, y]
        x += together
        kept = _extend(before, kept, block, extensions, after, room, stage, keep_all)
        before, after = after, before
        limit = limits[x - 1]
        if kept > limit or (kept == GROW and len(before.rank) > limit):
            return OVERFLOW
        if kept == GROW:
            return GROW
    return kept


@part
def scheme_of(room, first, states, entry, schemes, b, c):
    """Write `schemes[b, c]` `[X]`, the first scheme that an entry of the last list stands for."""
    for stage in range(states - first, 0, -1):
        schemes[b, c, first - 1 + stage] = room.steps[stage, entry]
        entry = room.parents[stage, entry]
    opening = room.steps[0, entry]
    for x in range(first):
        schemes[b, c, x] = room.opening[opening, x]


@part
def _fill_block(contributions, providers, available, block, x, together):
    """The schemes of so many states from x on; returns how many there are."""
    _, actions, width = contributions.shape
    words = block.outcomes.shape[1]
    for p in range(0, width, LANES):
        store(block.values, (0, p), fill(0))
    block.bits[0] = (1 << providers) - 1
    for w in range(words):
        block.outcomes[0, w] = 0
    size = np.int64(1)
    for y in range(x, x + together):
        usable = _find_usable(contributions, providers, available, block, y)
        for f in range(size - 1, -1, -1):  # in place, from the last one backwards
            bits = block.bits[f]
            for p in range(0, width, LANES):
                values = load(block.values, (f, p))
                for u in range(usable - 1, -1, -1):
                    store(block.values, (f * usable + u, p), values + load(contributions, (y, block.usable[u], p)))
            for u in range(usable - 1, -1, -1):
                at, a = f * usable + u, block.usable[u]
                block.bits[at] = bits & block.usable_bits[u]
                for z in range(y - x):
                    block.actions[at, z] = block.actions[f, z]
                block.actions[at, y - x] = a
                if words:
                    outcome = y * actions + a
                    for w in range(words):
                        block.outcomes[at, w] = block.outcomes[f, w]
                    block.outcomes[at, outcome >> 6] |= 1 << (outcome & 63)
        size *= usable
    return size


@part
def _find_usable(contributions, providers, available, block, y):
    """The actions available in state y, and for which providers no other one is better for them and the user."""
    _, actions, width = contributions.shape
    usable = 0
    for a in range(actions):
        block.usable[usable] = a
        usable += available[y, a]
    for u in range(usable):
        a, beaten = block.usable[u], 0
        for v in range(usable):
            other = block.usable[v]
            preferred = np.int64(contributions[y, other, 0] > contributions[y, a, 0])
            for p in range(0, width, LANES):
                better = lanes_greater(load(contributions, (y, other, p)), load(contributions, (y, a, p)))
                beaten |= (better * preferred) << p
        block.usable_bits[u] = ~(beaten >> 1) & ((1 << providers) - 1)
    return usable


@part
def _extend(before, size, block, extensions, after, room, stage, keep_all):
    """Extend every partial scheme by the whole block and keep what can still matter; how many, or GROW."""
    if size * extensions > len(room.keys):
        return GROW
    width = before.values.shape[1]
    words = before.outcomes.shape[1]
    capacity = len(after.rank) - 1
    rank_bits, step_bits = _bits_for(size), _bits_for(extensions)
    shift = rank_bits + step_bits
    rank_mask, step_mask = (1 << rank_bits) - 1, (1 << step_bits) - 1

    # One sorted run of candidates per extension: -v_0, then lexicographic order.
    total = runs = np.int64(0)
    room.ends[0] = 0
    for u in range(extensions):
        user, bits = block.values[u, 0], block.bits[u]
        for i in range(size):
            room.keys[total] = (-(before.values[i, 0] + user) << shift) | (before.rank[i] << step_bits) | u
            total += keep_all or (before.bits[i] & bits) != 0
        if total > room.ends[runs]:
            runs += 1
            room.ends[runs] = total
    keys = room.keys
    if sort_runs(room.keys, room.scratch, room.ends, runs):
        keys = room.scratch
    _find_stable(before, block, keys, total, shift, step_bits, rank_mask, step_mask, room)

    for candidate in range(size * extensions):
        room.slots[candidate] = -1
    kept = run = np.int64(0)
    last = _NOTHING
    for at in range(total):
        key = keys[at]
        user, rank, u = -(key >> shift), (key >> step_bits) & rank_mask, key & step_mask
        i = before.place[rank]
        bits = (room.stable[at] >> 1) & before.bits[i] & block.bits[u]
        keeps = bits != 0 or keep_all
        # Written in any case, and written over by the next one if it is not kept: there is nothing to guess.
        for p in range(0, width, LANES):
            store(after.values, (kept, p), load(before.values, (i, p)) + load(block.values, (u, p)))
        if user == last and keeps and not keep_all:
            same = _equal_before(after, kept, run, room)
            if same < kept:
                after.exact[same] += before.exact[i]
                after.size[same] += before.size[i]
                for w in range(words):
                    after.outcomes[same, w] |= before.outcomes[i, w] | block.outcomes[u, w]
                continue
        run = kept if keeps and user != last else run
        last = user if keeps else last
        if kept == capacity and keeps:
            return GROW
        after.bits[kept] = bits
        after.exact[kept], after.size[kept] = before.exact[i], before.size[i]
        for w in range(words):
            after.outcomes[kept, w] = before.outcomes[i, w] | block.outcomes[u, w]
        room.slots[rank * extensions + u] = kept if keeps else -1
        room.parents[stage, kept] = i
        room.steps[stage, kept] = block.actions[u, 0] if stage else u
        kept += keeps

    ranks = 0
    for candidate in range(size * extensions):
        slot = room.slots[candidate]
        after.place[ranks], after.rank[slot if slot >= 0 else capacity] = slot, ranks
        ranks += slot >= 0
    return kept


@part
def _find_stable(before, block, keys, total, shift, step_bits, rank_mask, step_mask, room):
    """Write which candidates, in the user's order, are stable for which players; eight players at a time."""
    for at in range(total):
        room.stable[at] = 0
    for p in range(0, before.values.shape[1], LANES):
        best = earlier = fill(_NOTHING)  # of all so far, and of those that the user strictly prefers
        last = _NOTHING
        for at in range(total):
            key = keys[at]
            user, i = key >> shift, before.place[(key >> step_bits) & rank_mask]
            value = load(before.values, (i, p)) + load(block.values, (key & step_mask, p))
            earlier = best if user != last else earlier
            last = user
            room.stable[at] |= (lanes_greater(earlier, value) ^ 0xFF) << p
            best = if_greater(value, best, value, best)


@part
def _bits_for(size):
    bits = 0
    while 1 << bits < size:
        bits += 1
    return bits


@part
def _equal_before(after, entry, run, room):
    """The entry from `run` on that has the values of `entry`, which is entered itself if there is none."""
    if entry == run + 1:  # the run of ties begins
        room.stamp[0] += 1
        _find(after, run, room)
    return _find(after, entry, room)


@part
def _find(after, entry, room):
    players, mask = after.values.shape[1], len(room.hashes) - 1  # zeros beyond the players do no harm
    mixed = 0
    for p in range(1, players):  # multiply-xorshift, as in MurmurHash3's finalizer
        mixed = (mixed ^ after.values[entry, p]) * 0x2127599BF4325C37
        mixed ^= mixed >> 29
    place = mixed & mask
    while room.hashes[place] >> 24 == room.stamp[0]:
        other = room.hashes[place] & 0xFFFFFF
        same = True
        for p in range(1, players):
            same &= after.values[other, p] == after.values[entry, p]
        if same:
            return other
        place = (place + 1) & mask
    room.hashes[place] = (room.stamp[0] << 24) | entry
    return entry
