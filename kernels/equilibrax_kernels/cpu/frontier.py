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
from equilibrax_kernels.cpu.ordering import ALL_PAIRS, sort_runs

GROW, OVERFLOW = -1, -2
_NOTHING = -(2**62)  # less than every value


class Partial(NamedTuple):
    """Partial schemes over the states so far, in the user's order; room for N and one more.

    Attributes:
        values: `[N, P]`.
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
        values: `[m, P]`; bits: `[m]` providers for which nothing in the same states is known to beat it.
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
        best, user, before: `[K]` largest value so far, at which value of the user, and largest before that one.
        hashes: `[2**h]` stamped slots of entries in the present run of ties; stamp: `[1]`.
        parents, steps: `[X, N]` position of the parent in the list before, and of the extension in its block.
        opening: `[m, X]` actions of the first block.
    """

    keys: np.ndarray
    scratch: np.ndarray
    ends: np.ndarray
    slots: np.ndarray
    best: np.ndarray
    user: np.ndarray
    before: np.ndarray
    hashes: np.ndarray
    stamp: np.ndarray
    parents: np.ndarray
    steps: np.ndarray
    opening: np.ndarray


def new_room(capacity, players, states, actions, words, schemes):
    """`(before, after, block, room)` for lists of up to `capacity` entries of tables with so many `schemes`."""
    together = max(actions, ALL_PAIRS)
    most = max(min(capacity * actions, schemes), together)
    slots = 2
    while slots < 2 * capacity:
        slots *= 2
    return (
        _new_partial(capacity, players, words),
        _new_partial(capacity, players, words),
        Block(
            np.empty((together, players), np.int64),
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
            np.empty(players, np.int64),
            np.empty(players, np.int64),
            np.empty(players, np.int64),
            np.zeros(slots, np.int64),
            np.zeros(1, np.int64),
            np.empty((states, capacity), np.int32),
            np.empty((states, capacity), np.int32),
            np.empty((together, states), np.int64),
        ),
    )


def _new_partial(capacity, players, words):
    room = capacity + 1  # one more, for a scheme that may turn out to equal another one
    return Partial(
        np.empty((room, players), np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.float64),
        np.empty((room, words), np.int64),
    )


@part
def list_schemes(contributions, available, before, after, block, room, first, limits, keep_all):
    """List the stable schemes of a table, or all.

    Args:
        contributions: `[P, X, A]` int64 `p(x) u_p(a, x)`, the user first.
        available: `[X, A]` bool.
        before, after, block, room: from `new_room`.
        first: how many states to list in full before the first partial scheme is dropped.
        limits: `[X]` largest list after so many states.
        keep_all: drop nothing.

    Returns:
        N, the length of the list; `GROW` if the room is too small, `OVERFLOW` if the limits are. The list is in `after`
        if `states - first` is even, and otherwise in `before`.
    """
    players, states, _ = contributions.shape
    for p in range(players):
        before.values[0, p] = 0
    before.rank[0] = before.place[0] = 0
    before.bits[0] = (1 << (players - 1)) - 1
    before.exact[0], before.size[0] = 1, 1.0
    for w in range(before.outcomes.shape[1]):
        before.outcomes[0, w] = 0
    kept, x = np.int64(1), np.int64(0)
    for stage in range(1 + states - first):
        width = first if stage == 0 else 1
        extensions = _fill_block(contributions, available, block, x, width)
        if stage == 0:
            for u in range(extensions):
                for y in range(width):
                    room.opening[u, y] = block.actions[u, y]
        x += width
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
def _fill_block(contributions, available, block, x, width):
    """The schemes of states x, ..., x + width - 1; returns how many there are."""
    players, _, actions = contributions.shape
    words = block.outcomes.shape[1]
    for p in range(players):
        block.values[0, p] = 0
    block.bits[0] = (1 << (players - 1)) - 1
    for w in range(words):
        block.outcomes[0, w] = 0
    size = np.int64(1)
    for y in range(x, x + width):
        usable = _find_usable(contributions, available, block, y)
        for f in range(size - 1, -1, -1):  # in place, from the last one backwards
            for u in range(usable - 1, -1, -1):
                at, a = f * usable + u, block.usable[u]
                for p in range(players):
                    block.values[at, p] = block.values[f, p] + contributions[p, y, a]
                block.bits[at] = block.bits[f] & block.usable_bits[u]
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
def _find_usable(contributions, available, block, y):
    """The actions available in state y, and for which providers no other one is better for them and the user."""
    players, _, actions = contributions.shape
    usable = 0
    for a in range(actions):
        if available[y, a]:
            block.usable[usable] = a
            usable += 1
    for u in range(usable):
        a, bits = block.usable[u], (1 << (players - 1)) - 1
        for v in range(usable):
            other = block.usable[v]
            if contributions[0, y, other] > contributions[0, y, a]:
                for j in range(players - 1):
                    bits &= ~((contributions[j + 1, y, other] > contributions[j + 1, y, a]) << j)
        block.usable_bits[u] = bits
    return usable


@part
def _extend(before, size, block, extensions, after, room, stage, keep_all):
    """Extend every partial scheme by the whole block and keep what can still matter; how many, or GROW."""
    if size * extensions > len(room.keys):
        return GROW
    players = before.values.shape[1]
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

    for j in range(players - 1):
        room.best[j] = room.before[j] = room.user[j] = _NOTHING
    for candidate in range(size * extensions):
        room.slots[candidate] = -1
    kept = run = np.int64(0)
    last = _NOTHING
    for at in range(total):
        key = keys[at]
        user, rank, u = -(key >> shift), (key >> step_bits) & rank_mask, key & step_mask
        i = before.place[rank]
        bits = _unbeaten(before, i, block, u, user, room)
        if not (bits or keep_all):
            continue
        for p in range(players):
            after.values[kept, p] = before.values[i, p] + block.values[u, p]
        if user != last:
            last, run = user, kept
        elif not keep_all:
            same = _equal_before(after, kept, run, room)
            if same < kept:
                after.exact[same] += before.exact[i]
                after.size[same] += before.size[i]
                for w in range(words):
                    after.outcomes[same, w] |= before.outcomes[i, w] | block.outcomes[u, w]
                continue
        if kept == capacity:
            return GROW
        after.bits[kept] = bits
        after.exact[kept], after.size[kept] = before.exact[i], before.size[i]
        for w in range(words):
            after.outcomes[kept, w] = before.outcomes[i, w] | block.outcomes[u, w]
        room.slots[rank * extensions + u] = kept
        room.parents[stage, kept] = i
        room.steps[stage, kept] = block.actions[u, 0] if stage else u
        kept += 1

    ranks = 0
    for candidate in range(size * extensions):
        slot = room.slots[candidate]
        if slot >= 0:
            after.place[ranks], after.rank[slot] = slot, ranks
            ranks += 1
    return kept


@part
def _bits_for(size):
    bits = 0
    while 1 << bits < size:
        bits += 1
    return bits


@part
def _unbeaten(before, i, block, u, user, room):
    """Bit j: no candidate that the user strictly prefers is strictly better for provider j."""
    bits = left = before.bits[i] & block.bits[u]
    j = 0
    while left:
        if left & 1:
            value = before.values[i, j + 1] + block.values[u, j + 1]
            best = room.best[j]
            if value < (room.before[j] if room.user[j] == user else best):
                bits &= ~(1 << j)
            elif value > best:
                if room.user[j] != user:
                    room.user[j], room.before[j] = user, best
                room.best[j] = value
        left >>= 1
        j += 1
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
    players, mask = after.values.shape[1], len(room.hashes) - 1
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
