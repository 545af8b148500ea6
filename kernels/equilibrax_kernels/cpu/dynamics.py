"""Best-response dynamics of every committee; the game and its turns are described in `equilibrax_kernels.dynamics`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import part

_NOTHING = -(2**62)


class Responses(NamedTuple):
    """Best responses, which are the same for all entries with the same value for the user.

    Attributes:
        run: `[N]` how many larger values of the user there are in the list.
        best: `[N + 1, K]` entry with the largest v_j in the first runs (ties: the first), -1 in none.
        tie_bits: `[N]` bit j: nothing that is at least as good for the user is better for provider j.
        start: `[K]` the provider's monopoly scheme.
    """

    run: np.ndarray
    best: np.ndarray
    tie_bits: np.ndarray
    start: np.ndarray


def new_responses(capacity, providers):
    return Responses(
        np.empty(capacity, np.int64),
        np.empty((capacity + 1, providers), np.int32),
        np.empty(capacity, np.int64),
        np.empty(providers, np.int64),
    )


@part
def find_responses(listed, size, responses):
    """Fill in the responses to every entry of a list in the user's order."""
    providers = len(responses.start)
    for j in range(providers):
        responses.best[0, j] = -1
    run = -1
    for i in range(size):
        if i == 0 or listed.values[i, 0] != listed.values[i - 1, 0]:
            run += 1
            for j in range(providers):
                responses.best[run + 1, j] = responses.best[run, j]
        responses.run[i] = run
        for j in range(providers):
            best = responses.best[run + 1, j]
            if best < 0 or listed.values[i, j + 1] > listed.values[best, j + 1]:
                responses.best[run + 1, j] = i
    for i in range(size):
        bits = 0
        for j in range(providers):
            best = responses.best[responses.run[i] + 1, j]
            bits |= (listed.values[i, j + 1] >= listed.values[best, j + 1]) << j
        responses.tie_bits[i] = bits
    for j in range(providers):
        # The best of all, ties to the lexicographically first.
        start = responses.best[run + 1, j]
        for i in range(size):
            if listed.values[i, j + 1] == listed.values[start, j + 1] and listed.rank[i] < listed.rank[start]:
                start = i
        responses.start[j] = start


@part
def run_dynamics(listed, size, responses, mask, key, random, ties, minimal, step_limit):
    """`(entry, steps, ended)` where the dynamics of the committee `mask` ends.

    Args:
        key: `[2]` uint32 threefry key data, used where the order is `random`.
        ties: a provider with a lower index than the selected one wins the user's ties (Definition 16).
        minimal: deviate to the scheme with the smallest gain; the list then holds all schemes.
    """
    providers = len(responses.start)
    selected = -1
    entry = np.int64(0)
    for j in range(providers):
        start = responses.start[j]
        if mask >> j & 1 and (selected < 0 or listed.values[start, 0] > listed.values[entry, 0]):
            selected, entry = j, start
    steps = turn = np.int64(0)
    while True:
        unstable = ~listed.bits[entry]
        if ties:
            unstable |= ((1 << selected) - 1) & ~responses.tie_bits[entry]
        able = mask & unstable & ~(1 << selected)
        if able == 0 or steps >= step_limit:
            return entry, steps, able == 0
        deviator = next_deviator(able, turn, random, key, mask, steps)
        wins_ties = ties and deviator < selected
        if minimal:
            entry = _smallest_gain(listed, size, entry, deviator, wins_ties)
        else:
            entry = responses.best[responses.run[entry] + wins_ties, deviator]
        selected, turn = deviator, deviator + 1
        steps += 1


@part
def next_deviator(able, turn, random, key, mask, steps):
    """One of the providers that can deviate: at random, or the first from the turn upwards and around."""
    if random:
        return _at_random(able, key, mask, steps)
    from_turn = able >> turn << turn
    return _lowest(from_turn if from_turn else able)


@part
def _lowest(mask):
    j = 0
    while not mask >> j & 1:
        j += 1
    return j


@part
def _smallest_gain(listed, size, entry, deviator, wins_ties):
    """The profitable deviation with the smallest v_j; ties best for the user, then in lexicographic order."""
    mine, user = listed.values[entry, deviator + 1], listed.values[entry, 0]
    found, least = entry, 0
    for i in range(size):
        if listed.values[i, 0] < user or (listed.values[i, 0] == user and not wins_ties):
            break
        value = listed.values[i, deviator + 1]
        if value > mine and (found == entry or value < least):
            found, least = i, value
    return found


@part
def _at_random(able, key, mask, steps):
    """One of the providers that can deviate, by the random bits of `equilibrax_kernels.dynamics`."""
    first, second = _threefry(np.uint32(key[0]), np.uint32(key[1]), np.uint32(0), np.uint32(mask))
    first, second = _threefry(first, second, np.uint32(0), np.uint32(steps))
    first, second = _threefry(first, second, np.uint32(0), np.uint32(0))
    count = 0
    for j in range(32):
        count += able >> j & 1
    nth = (np.int64(first ^ second) * count) >> 32
    while nth:
        able &= able - 1
        nth -= 1
    return _lowest(able)


@part
def _threefry(key0, key1, x0, x1):
    """Threefry 2x32 with 20 rounds, the generator behind `jax.random` keys."""
    key2 = np.uint32(key0 ^ key1 ^ np.uint32(0x1BD11BDA))
    x0, x1 = np.uint32(x0 + key0), np.uint32(x1 + key1)
    rotations = ((13, 15, 26, 6), (17, 29, 16, 24))
    keys = (key0, key1, key2)
    for block in range(5):
        for rotation in rotations[block % 2]:
            x0 = np.uint32(x0 + x1)
            x1 = np.uint32((x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation)))
            x1 = np.uint32(x0 ^ x1)
        x0 = np.uint32(x0 + keys[(block + 1) % 3])
        x1 = np.uint32(x1 + keys[(block + 2) % 3] + np.uint32(block + 1))
    return x0, x1
