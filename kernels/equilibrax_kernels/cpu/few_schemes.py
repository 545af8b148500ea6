"""The selection game of tables with at most 64 schemes: which of them are stable for a provider fits a word.

Schemes are sorted in the user's order, which is a matter of one comparison each for so few, and providers learn which
are stable for them in one pass. A committee's equilibria are the bits that its members' words have in common.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import part
from equilibrax_kernels.cpu.sorting import sort_all_pairs
from equilibrax_kernels.cpu.vectors import LANES, fill, if_greater, last_bit, load, ones, padded, store

MOST = 64
_PLACE_BITS = 6
_NOTHING = -(2**62)  # less than every value


class Few(NamedTuple):
    """Room for the schemes of a table, in lexicographic order.

    Attributes:
        values: `[64, [P]]`, P rounded up to a multiple of eight; the rest is zero.
        actions: `[64, X]` int16, X at least four; outcomes: `[64]`, a bit for each.
        keys, sorted: `[64]` minus the user's value, then the place from the end.
        usable: `[X, A]` the actions available in every state, and how many, `choices` `[X]`.
        words: `[[P]]` bit i: the i-th scheme in the user's order is stable for the player; sets: `[2**K]` for all of a
            set of providers.
        usual: `[1]` whether what does not depend on utilities is as in tables without unavailable actions.
    """

    values: np.ndarray
    actions: np.ndarray
    outcomes: np.ndarray
    keys: np.ndarray
    sorted: np.ndarray
    usable: np.ndarray
    choices: np.ndarray
    words: np.ndarray
    sets: np.ndarray
    usual: np.ndarray


def new_few(players, states, actions):
    return Few(
        np.zeros((MOST, padded(players)), np.int64),
        np.zeros((MOST, max(states, 4)), np.int16),
        np.zeros(MOST, np.int64),
        np.zeros(MOST, np.int64),
        np.zeros(MOST, np.int64),
        np.zeros((states, actions), np.int64),
        np.zeros(states, np.int64),
        np.zeros(padded(players), np.int64),
        np.zeros(1 << (players - 1), np.int64),
        np.zeros(1, np.bool_),
    )


@part
def find_few(contributions, available, providers, few):
    """List the schemes of a table and find out which are stable for every set of providers; returns how many there are.

    Args:
        contributions: `[X, A, [P]]` int64; available: `[X, A]`.
        providers: how many there are.
    """
    size = _list_few(contributions, available, few)
    for i in range(size):
        few.keys[i] = (-few.values[i, 0] << _PLACE_BITS) | (MOST - 1 - i)
    sort_all_pairs(few.keys, few.sorted, size)
    for p in range(0, contributions.shape[2], LANES):
        best = earlier = fill(_NOTHING)  # of all so far, and of those that the user strictly prefers
        words, last = fill(0), _NOTHING
        for i in range(size):
            user = few.sorted[i] >> _PLACE_BITS
            value = load(few.values, (place_of(few, i), p))
            earlier = best if user != last else earlier
            last = user
            words = words + if_greater(earlier, value, fill(0), fill(1 << i))
            best = if_greater(value, best, value, best)
        store(few.words, p, words)
    few.sets[0] = -1
    for j in range(providers):
        for rest in range(1 << j):
            few.sets[1 << j | rest] = few.sets[rest] & few.words[j + 1]
    return size


@part
def place_of(few, i):
    """Which scheme is the i-th in the user's order; among those with her value the first ones come last."""
    return MOST - 1 - (few.sorted[i] & (MOST - 1))


@part
def worst_of_few(few, mask):
    """`(i, value, count)`: of the equilibria of several providers the worst, the first of those, and how many."""
    i = last_bit(few.sets[mask])
    return i, -(few.sorted[i] >> _PLACE_BITS), ones(few.sets[mask])


@part
def outcomes_of_few(few, mask):
    """What the equilibria of several providers attain, as one word."""
    left, outcomes = few.sets[mask], 0
    while left:
        outcomes |= few.outcomes[place_of(few, last_bit(left & -left))]
        left &= left - 1
    return outcomes


@part
def _list_few(contributions, available, few):
    """The schemes of all states; returns how many there are."""
    states, actions, width = contributions.shape
    usual = True
    for x in range(states):
        for a in range(actions):
            usual &= available[x, a]
    if not (usual and few.usual[0]):  # otherwise they are those of the table before
        _list_actions(available, few)
    few.usual[0] = usual
    size = np.int64(1)
    for p in range(0, width, LANES):
        store(few.values, (0, p), fill(0))
        size = np.int64(1)
        for x in range(states):
            usable = few.choices[x]
            for i in range(size - 1, -1, -1):  # in place, from the last one backwards
                values = load(few.values, (i, p))
                for u in range(usable - 1, -1, -1):
                    store(few.values, (i * usable + u, p), values + load(contributions, (x, few.usable[x, u], p)))
            size *= usable
    return size


@part
def _list_actions(available, few):
    """Which actions there are in every state, and what each scheme does."""
    states, actions = available.shape
    few.outcomes[0], size = 0, 1
    for x in range(states):
        usable = 0
        for a in range(actions):
            few.usable[x, usable] = a
            usable += available[x, a]
        for i in range(size - 1, -1, -1):
            outcomes = few.outcomes[i]
            for u in range(usable - 1, -1, -1):
                for y in range(x):
                    few.actions[i * usable + u, y] = few.actions[i, y]
                few.actions[i * usable + u, x] = few.usable[x, u]
                few.outcomes[i * usable + u] = outcomes | 1 << (x * actions + few.usable[x, u])
        few.choices[x] = usable
        size *= usable
