"""The best-provider selection game for a range of tables: all committees, dynamics and misalignment in one pass.

See `equilibrax_kernels.selection` for the game. Nothing is kept of a table but its answers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.committees import Alone, Cells, contribute, counted, monopolies, over_supersets, worst_entry
from equilibrax_kernels.cpu.compiling import loop, part
from equilibrax_kernels.cpu.dynamics import find_responses, run_dynamics
from equilibrax_kernels.cpu.few_schemes import Few, find_few, outcomes_of_few, place_of, worst_of_few
from equilibrax_kernels.cpu.frontier import GROW, OVERFLOW, list_schemes, scheme_of
from equilibrax_kernels.cpu.misalignment import Fits, all_outcomes, fit_committees, from_large_to_small, set_utilities
from equilibrax_kernels.cpu.threads import plain
from equilibrax_kernels.cpu.vectors import LANES, copy_four, fill, last_bit, store


class Tables(NamedTuple):
    """What a loop reads: utilities of the user `[B, X, A]` and the providers `[B, K, X, A]`, `[B, X]` prior,
    `[B, X, A]` available, `[B, 2]` keys and committees.

    `of_user` `[B, R]`, `of_providers` `[B, K, R]` and `available_outcomes` `[B, R]` are these once more; `order` and
    `index` are those of `misalignment.from_large_to_small`.
    """

    user: np.ndarray
    providers: np.ndarray
    prior: np.ndarray
    available: np.ndarray
    keys: np.ndarray
    masks: np.ndarray
    of_user: np.ndarray
    of_providers: np.ndarray
    available_outcomes: np.ndarray
    order: np.ndarray
    index: np.ndarray
    resolution: float


def new_tables(utilities, prior, available, keys, masks, resolution) -> Tables:
    """The arrays that loops take; utilities are `[B, P, X, A]`, or a pair of the user's and the providers'."""
    user, providers = utilities if isinstance(utilities, tuple) else (utilities[:, 0], utilities[:, 1:])
    user, providers, available = plain(user), plain(providers), plain(available)
    order, index = from_large_to_small(masks, providers.shape[1])
    outcomes = user.reshape(len(user), -1), providers.reshape(*providers.shape[:2], -1)
    rest = plain(keys), plain(masks), *outcomes, available.reshape(len(available), -1), order, index
    return Tables(user, providers, plain(prior), available, *rest, float(resolution))


class Rules(NamedTuple):
    """Options of the game and of its fits; see `select_tables`. `few`: by `few_schemes`."""

    ties: bool
    dynamics: bool
    minimal: bool
    random: bool
    step_limit: int
    fit: bool
    simplex: bool
    iteration_limit: int
    everywhere: bool
    few: bool = False


class Answers(NamedTuple):
    """What a loop writes; see `select_tables`."""

    optimum: np.ndarray
    worst: np.ndarray
    best: np.ndarray
    count: np.ndarray
    count_saturated: np.ndarray
    worst_scheme: np.ndarray
    dynamics: np.ndarray
    dynamics_scheme: np.ndarray
    dynamics_steps: np.ndarray
    dynamics_ended: np.ndarray
    attained: np.ndarray
    optimal: np.ndarray
    overflow: np.ndarray


class Work(NamedTuple):
    """Room for what does not depend on how many schemes there are.

    Attributes:
        few: for tables with few schemes, if such are asked for.
        contributions: `[X, A, [P]]` int64; attained: `[C, W]` int64; nowhere: `[0, R]` multipliers that are not wanted.
    """

    cells: Cells
    alone: Alone
    few: Few
    fits: Fits
    contributions: np.ndarray
    attained: np.ndarray
    nowhere: np.ndarray


@loop
def select_tables_range(start, stop, tables, rules, limits, first, answers, scores, work, before, after, block, room,
                  responses):  # fmt: skip
    """Solve tables from `start` on; returns `stop`, or the table for which the room was too small."""
    states = tables.user.shape[1]
    for b in range(start, stop):
        if rules.everywhere:
            all_outcomes(tables.available_outcomes[b], work.alone.outcomes[0], work.attained)
        elif rules.few:
            _answer_few(b, tables, work, answers)
        else:
            size = _list_table(b, tables, rules, work, before, after, block, room, first, limits, answers)
            if size == GROW:
                return b
            if size == OVERFLOW:
                continue
            listed = after if (states - first) % 2 == 0 else before
            _answer(b, tables, rules, listed, size, responses, work, room, first, answers)
        if rules.fit:
            fit_table(b, tables, rules, work, scores)
    return stop


@part
def _list_table(b, tables, rules, work, before, after, block, room, first, limits, answers):
    """List the schemes of table b."""
    contributions, alone, available = work.contributions, work.alone, tables.available[b]
    contribute(tables.user[b], tables.providers[b], tables.prior[b], contributions)
    monopolies(contributions, available, alone)
    answers.optimum[b] = alone.best[0]
    providers = tables.providers.shape[1]
    size = list_schemes(contributions, providers, available, before, after, block, room, first, limits, rules.minimal)
    answers.overflow[b] = size < 0
    return size


@part
def _answer(b, tables, rules, listed, size, responses, work, room, first, answers):
    """Every committee's equilibria and dynamics, and the outcomes that its equilibria attain."""
    cells, attained = work.cells, work.attained
    providers, states, words = len(responses.start), answers.worst_scheme.shape[2], attained.shape[1]
    masks = tables.masks
    if rules.ties or rules.dynamics:
        find_responses(listed, size, responses)
    for lowest in range(providers if rules.ties else 1):
        over_supersets(listed, size, providers, responses.tie_bits, lowest if rules.ties else -1, cells)
        for c in range(len(masks)):
            mask = masks[c]
            if rules.ties and mask & ((2 << lowest) - 1) != 1 << lowest:
                continue
            if mask & (mask - 1) == 0:
                _answer_alone(b, c, mask, work, answers)
            else:
                cell = mask >> (lowest + 1) if rules.ties else mask
                entry = worst_entry(cells, cell)
                answers.worst[b, c] = listed.values[entry, 0]
                # With two providers or more the user's optimum is always an equilibrium: nothing is better for her.
                answers.best[b, c] = answers.optimum[b]
                answers.count[b, c], saturated = counted(cells.exact[cell], cells.size[cell])
                if saturated:
                    answers.count_saturated[b, c] = True
                scheme_of(room, first, states, entry, answers.worst_scheme, b, c)
                for w in range(words):
                    attained[c, w] = cells.outcomes[cell, w]
    if rules.dynamics:
        key = tables.keys[b]
        for c in range(len(masks)):
            entry, steps, ended = run_dynamics(
                listed,
                size,
                responses,
                np.int64(masks[c]),
                key,
                rules.random,
                rules.ties,
                rules.minimal,
                rules.step_limit,
            )
            answers.dynamics[b, c] = listed.values[entry, 0]
            answers.dynamics_steps[b, c], answers.dynamics_ended[b, c] = steps, ended
            scheme_of(room, first, states, entry, answers.dynamics_scheme, b, c)
    _tell_outcomes(b, work, answers)


@part
def _answer_alone(b, c, mask, work, answers):
    """The optima of the one provider of a committee."""
    alone, p = work.alone, last_bit(mask) + 1
    answers.worst[b, c], answers.best[b, c] = alone.worst[p], alone.best[p]
    answers.count[b, c], saturated = counted(alone.exact[p], alone.size[p])
    if saturated:  # which is false otherwise, and memory that nobody writes costs nothing
        answers.count_saturated[b, c] = True
    for x in range(answers.worst_scheme.shape[2]):
        answers.worst_scheme[b, c, x] = alone.worst_scheme[x, p]
    for w in range(work.attained.shape[1]):
        work.attained[c, w] = alone.outcomes[p, w]


@part
def _answer_few(b, tables, work, answers):
    """Every committee's equilibria, without dynamics, of a table with few schemes."""
    alone, few = work.alone, work.few
    contribute(tables.user[b], tables.providers[b], tables.prior[b], work.contributions)
    monopolies(work.contributions, tables.available[b], alone)
    optimum = answers.optimum[b] = alone.best[0]
    answers.overflow[b] = False
    find_few(work.contributions, tables.available[b], tables.providers.shape[1], few)
    committees, states = answers.worst_scheme.shape[1:]
    for c in range(0, committees - LANES + 1, LANES):
        store(answers.best, (b, c), fill(optimum))
    for c in range(committees - committees % LANES, committees):
        answers.best[b, c] = optimum
    for c in range(committees):
        mask = tables.masks[c]
        if mask & (mask - 1) == 0:
            _answer_alone(b, c, mask, work, answers)
        else:
            entry, answers.worst[b, c], answers.count[b, c] = worst_of_few(few, mask)
            place = place_of(few, entry)
            if states <= 4 <= (committees - c) * states:  # what is too much is written again, by the next ones
                copy_four(answers.worst_scheme, (b, c, 0), few.actions, (place, 0))
            else:
                for x in range(states):
                    answers.worst_scheme[b, c, x] = few.actions[place, x]
            if work.attained.shape[1]:
                work.attained[c, 0] = outcomes_of_few(few, mask)
    _tell_outcomes(b, work, answers)


@part
def _tell_outcomes(b, work, answers):
    """Return what equilibria attain, if it is wanted."""
    if len(answers.attained):
        for w in range(work.attained.shape[1]):
            answers.optimal[b, w] = work.alone.outcomes[0, w]
            for c in range(len(work.attained)):
                answers.attained[b, c, w] = work.attained[c, w]


@part
def fit_table(b, tables, rules, work, scores):
    """Every committee's misalignment."""
    fits, lower, upper = work.fits, work.nowhere, work.nowhere
    if len(scores.lower):
        lower, upper = scores.lower[b], scores.upper[b]
    user, providers, available = tables.of_user[b], tables.of_providers[b], tables.available_outcomes[b]
    scores.unit[b] = set_utilities(fits, user, providers, available, tables.resolution)
    scores.solved[b] = fit_committees(
        fits, work.attained, work.alone.outcomes[0], tables.masks, tables.order, tables.index, rules.simplex,
        rules.iteration_limit, scores.eps[b], scores.weights[b], scores.offset[b], scores.gap[b],
        scores.violation[b], lower, upper,
    )  # fmt: skip
