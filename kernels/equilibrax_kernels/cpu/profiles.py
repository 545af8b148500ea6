"""Games between providers who post strategies, one game at a time: `equilibrax_kernels.profiles` as loops.

What a provider earns by each of its strategies when the others keep theirs is one loop over users (`earnings`). A
profile is an equilibrium iff every member earns as much as by any other strategy: for one member after the other, rows
of profiles that differ in its strategy alone are looked at, if an equilibrium can still be among them.

Letters: K providers, N users, M strategies, Q amounts, k members of a committee, C committees, T cells of a table.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.compiling import called


class Postings(NamedTuple):
    """A game between providers who post strategies to users, in floating point (or integers below 2**53).

    Attributes:
        worth: `[K, N, M]` what a strategy is worth to a user who takes it.
        amounts: `[Q, K, N, M]` what the game adds up over users: with Q = K what each provider earns from the user who
            takes that strategy of that provider; with `tables` (Q = 1) digits of a cell's number.
        tables: `[K, T]` what each provider earns in every cell; without cells if earnings are added up.
        exists: `[K, M]` whether the provider has the strategy.
        user_tolerance: `[1]` a worth that is larger by no more is no better; zero if they are integers.
        tolerance: `[K]` gains that are no larger are none; zero if they are integers.
    """

    worth: np.ndarray
    amounts: np.ndarray
    tables: np.ndarray
    exists: np.ndarray
    user_tolerance: np.ndarray
    tolerance: np.ndarray


class Space(NamedTuple):
    """What looking for equilibria needs to work with.

    Attributes:
        stable: `[M**k]` bool, of the largest committee.
        strides: `[K]` of members in a profile's number.
        posted, kept, opening: `[K]` strategies: those looked at, those kept to be compared, and monopolists'.
        earned: `[M]` what a provider earns by each of its strategies.
    """

    stable: np.ndarray
    strides: np.ndarray
    posted: np.ndarray
    kept: np.ndarray
    opening: np.ndarray
    earned: np.ndarray


def new_space(providers: int, strategies: int, profiles: int) -> Space:
    """Space for games with so many profiles in the largest committee."""
    return Space(
        np.zeros(profiles, np.bool_),
        np.zeros(providers, np.int64),
        np.zeros(providers, np.int64),
        np.zeros(providers, np.int64),
        np.zeros(providers, np.int64),
        np.zeros(strategies),
    )


@called
def earnings(game, profile, mask, j, earned):
    """Fill in what provider j earns by each strategy `[M]` when the others in `mask` keep to the profile `[K]`.

    Strategies that do not exist earn minus infinity; j need not be in the mask.
    """
    _, users, strategies = game.worth.shape
    for m in range(strategies):
        earned[m] = 0
    for n in range(users):
        if game.user_tolerance[0] > 0:
            _earn_within_tolerance(game, profile, mask, j, n, earned)
        else:
            _earn_exactly(game, profile, mask, j, n, earned)
    for m in range(strategies):
        if game.tables.shape[1]:
            earned[m] = game.tables[j, np.int64(earned[m])]
        if not game.exists[j, m]:
            earned[m] = -math.inf


@called
def _earn_exactly(game, profile, mask, j, n, earned):
    """Add what provider j earns from user n: she takes j, or whom she would take without j."""
    q, before, after, left = 0 if game.tables.shape[1] else j, -math.inf, -math.inf, -math.inf
    for other in range(len(profile)):
        if other != j and mask >> other & 1:
            worth = game.worth[other, n, profile[other]]
            if worth > max(before, after):
                left = game.amounts[q, other, n, profile[other]]
            before, after = (max(before, worth), after) if other < j else (before, max(after, worth))
    mine, my_amount = game.worth[j, n], game.amounts[q, j, n]
    for m in range(len(earned)):
        takes = (mine[m] > before) & (mine[m] >= after)
        earned[m] += my_amount[m] if takes else left


@called
def _earn_within_tolerance(game, profile, mask, j, n, earned):
    """The same where whom she takes of the others may depend on what j is worth to her."""
    q, tolerance = 0 if game.tables.shape[1] else j, game.user_tolerance[0]
    for m in range(len(earned)):
        has, amount = -math.inf, 0.0
        for other in range(len(profile)):
            if other == j or mask >> other & 1:
                strategy = m if other == j else profile[other]
                worth = game.worth[other, n, strategy]
                if worth > has + tolerance:
                    has, amount = worth, game.amounts[q, other, n, strategy]
        earned[m] += amount


@called
def first_best(earned, exists, tolerance):
    """The most that is earned, and the first strategy that earns it."""
    most = earned[0]
    for m in range(len(earned)):
        most = max(most, earned[m])
    for m in range(len(earned)):
        if exists[m] and most - earned[m] <= tolerance:
            return most, m
    return most, 0


@called
def taken_by(game, profile, mask, n):
    """The provider in `mask` that user n takes in a profile `[K]`: from the lowest index up, whoever is better."""
    has, found = -math.inf, 0
    for j in range(len(profile)):
        if mask >> j & 1 and game.worth[j, n, profile[j]] > has + game.user_tolerance[0]:
            has, found = game.worth[j, n, profile[j]], j
    return found


@called
def profile_equilibria(game, mask, space, worst, best, profile, choice):
    """All equilibria of a committee; returns their number, and without any the rest is meaningless.

    Args:
        game: `Postings`.
        mask: the committee.
        space: `Space`.
        worst, best: `[N]`, filled in: every user's smallest and largest value in equilibrium.
        profile: `[N, K]`, filled in: the strategies in the first of the equilibria that are worst for the user; -1 for
            providers that are not members.
        choice: `[N, N]`, filled in: for that equilibrium, the provider that each user takes.
    """
    providers, users, strategies = game.worth.shape
    total, stable, strides, posted = np.int64(1), space.stable, space.strides, space.posted
    for j in range(providers - 1, -1, -1):  # the lowest member is the most significant
        strides[j] = total if mask >> j & 1 else 0
        total *= strategies if mask >> j & 1 else 1
    for number in range(total):
        stable[number] = True
    for j in range(providers):
        if mask >> j & 1:
            _drop_unstable(game, mask, j, total, space)
    count = 0
    for number in range(total):
        if not stable[number]:
            continue
        _decode(number, strides, strategies, posted)
        for n in range(users):
            j = taken_by(game, posted, mask, n)
            value = game.worth[j, n, posted[j]]
            if count == 0 or value > best[n]:
                best[n] = value
            if count == 0 or value < worst[n]:
                worst[n] = value
                for other in range(providers):
                    profile[n, other] = posted[other] if mask >> other & 1 else -1
                for other in range(users):
                    choice[n, other] = taken_by(game, posted, mask, other)
        count += 1
    return count


@called
def _drop_unstable(game, mask, j, total, space):
    """Of the profiles that are still `stable`, drop those in which provider j can gain."""
    strategies, stride, stable, earned = len(space.earned), space.strides[j], space.stable, space.earned
    for row in range(total // strategies):
        first = row // stride * stride * strategies + row % stride
        candidates = False
        for m in range(strategies):
            candidates |= stable[first + m * stride]
        if not candidates:
            continue
        _decode(first, space.strides, strategies, space.posted)
        earnings(game, space.posted, mask, j, earned)
        most, _ = first_best(earned, game.exists[j], game.tolerance[j])
        for m in range(strategies):
            stable[first + m * stride] &= game.exists[j, m] & (most - earned[m] <= game.tolerance[j])


@called
def _decode(number, strides, strategies, posted):
    """The strategies of the members; 0 for the others."""
    for j in range(len(strides)):
        posted[j] = number // strides[j] % strategies if strides[j] else 0
