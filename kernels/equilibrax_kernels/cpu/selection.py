"""The best-provider selection game for a range of tables: all committees, dynamics and misalignment in one pass.

See `equilibrax_kernels.selection` for the game. Nothing is kept of a table but its answers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equilibrax_kernels.cpu.committees import (
    Alone,
    Cells,
    counted,
    monopolies,
    new_alone,
    new_cells,
    over_supersets,
    worst_entry,
)
from equilibrax_kernels.cpu.compiling import loop, part
from equilibrax_kernels.cpu.dynamics import find_responses, new_responses, run_dynamics
from equilibrax_kernels.cpu.frontier import GROW, OVERFLOW, list_schemes, new_room, scheme_of
from equilibrax_kernels.cpu.misalignment import (
    Fits,
    all_outcomes,
    fit_committees,
    from_large_to_small,
    new_fits,
    new_scores,
    set_utilities,
)
from equilibrax_kernels.cpu.ordering import ALL_PAIRS
from equilibrax_kernels.cpu.threads import plain, run_over_tables
from equilibrax_kernels.selection.frontier import stage_capacities, states_at_once


class Tables(NamedTuple):
    """What a loop reads: `[B, P, X, A]` utilities, `[B, X]` prior, `[B, X, A]` available, `[B, 2]` keys and committees.

    `order` and `index` are those of `misalignment.from_large_to_small`.
    """

    utilities: np.ndarray
    prior: np.ndarray
    available: np.ndarray
    keys: np.ndarray
    masks: np.ndarray
    order: np.ndarray
    index: np.ndarray
    resolution: float


class Rules(NamedTuple):
    """Options of the game and of its fits; see `select_tables`."""

    ties: bool
    dynamics: bool
    minimal: bool
    random: bool
    step_limit: int
    fit: bool
    simplex: bool
    iteration_limit: int
    everywhere: bool


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
        contributions: `[P, X, A]` int64; attained: `[C, W]` int64; nowhere: `[0, R]` multipliers that are not wanted.
    """

    cells: Cells
    alone: Alone
    fits: Fits
    contributions: np.ndarray
    attained: np.ndarray
    nowhere: np.ndarray


@loop
def _select_range(start, stop, tables, rules, limits, first, answers, scores, work, before, after, block, room,
                  responses):  # fmt: skip
    """Solve tables from `start` on; returns `stop`, or the table for which the room was too small."""
    states = tables.utilities.shape[2]
    for b in range(start, stop):
        if rules.everywhere:
            all_outcomes(tables.available[b], work.alone.outcomes[0], work.attained)
        else:
            size = _list_table(b, tables, rules, work, before, after, block, room, first, limits, answers)
            if size == GROW:
                return b
            if size == OVERFLOW:
                continue
            listed = after if (states - first) % 2 == 0 else before
            _answer(b, tables, rules, listed, size, responses, work, room, first, answers)
        if rules.fit:
            _fit(b, tables, rules, work, scores)
    return stop


@part
def _list_table(b, tables, rules, work, before, after, block, room, first, limits, answers):
    """List the schemes of table b."""
    contributions, alone = work.contributions, work.alone
    players, states, actions = contributions.shape
    for p in range(players):
        for x in range(states):
            for a in range(actions):
                contributions[p, x, a] = np.int64(tables.prior[b, x]) * tables.utilities[b, p, x, a]
    available = tables.available[b]
    monopolies(contributions, available, alone)
    answers.optimum[b] = alone.best[0]
    size = list_schemes(contributions, available, before, after, block, room, first, limits, rules.minimal)
    answers.overflow[b] = size < 0
    return size


@part
def _answer(b, tables, rules, listed, size, responses, work, room, first, answers):
    """Every committee's equilibria and dynamics, and the outcomes that its equilibria attain."""
    cells, alone, attained = work.cells, work.alone, work.attained
    providers, states, words = listed.values.shape[1] - 1, answers.worst_scheme.shape[2], attained.shape[1]
    masks = tables.masks
    if rules.ties or rules.dynamics:
        find_responses(listed, size, responses)
    for lowest in range(providers if rules.ties else 1):
        over_supersets(listed, size, responses.tie_bits, lowest if rules.ties else -1, cells)
        for c in range(len(masks)):
            mask = masks[c]
            if rules.ties and mask & ((2 << lowest) - 1) != 1 << lowest:
                continue
            if mask & (mask - 1):
                cell = mask >> (lowest + 1) if rules.ties else mask
                entry = worst_entry(cells, cell)
                answers.worst[b, c] = listed.values[entry, 0]
                # With two providers or more the user's optimum is always an equilibrium: nothing is better for her.
                answers.best[b, c] = answers.optimum[b]
                exact, number = cells.exact[cell], cells.size[cell]
                scheme_of(room, first, states, entry, answers.worst_scheme, b, c)
                for w in range(words):
                    attained[c, w] = cells.outcomes[cell, w]
            else:
                p = 1
                while mask >> p:
                    p += 1
                answers.worst[b, c], answers.best[b, c] = alone.worst[p], alone.best[p]
                exact, number = alone.exact[p], alone.size[p]
                for x in range(states):
                    answers.worst_scheme[b, c, x] = alone.worst_scheme[p, x]
                for w in range(words):
                    attained[c, w] = alone.outcomes[p, w]
            answers.count[b, c], answers.count_saturated[b, c] = counted(exact, number)
    if rules.dynamics:
        key = tables.keys[b]
        for c in range(len(masks)):
            entry, steps, ended = run_dynamics(
                listed, size, responses, masks[c], key, rules.random, rules.ties, rules.minimal, rules.step_limit
            )
            answers.dynamics[b, c] = listed.values[entry, 0]
            answers.dynamics_steps[b, c], answers.dynamics_ended[b, c] = steps, ended
            scheme_of(room, first, states, entry, answers.dynamics_scheme, b, c)
    if len(answers.attained):
        for w in range(words):
            answers.optimal[b, w] = alone.outcomes[0, w]
            for c in range(len(masks)):
                answers.attained[b, c, w] = attained[c, w]


@part
def _fit(b, tables, rules, work, scores):
    """Every committee's misalignment."""
    fits, lower, upper = work.fits, work.nowhere, work.nowhere
    if len(scores.lower):
        lower, upper = scores.lower[b], scores.upper[b]
    set_utilities(fits, tables.utilities[b], tables.available[b], tables.resolution)
    scores.solved[b] = fit_committees(
        fits, work.attained, work.alone.outcomes[0], tables.masks, tables.order, tables.index, rules.simplex,
        rules.iteration_limit, scores.eps[b], scores.weights[b], scores.offset[b], scores.gap[b],
        scores.violation[b], lower, upper,
    )  # fmt: skip


def select_tables(
    utilities: np.ndarray,
    prior: np.ndarray,
    available: np.ndarray,
    keys: np.ndarray,
    masks: np.ndarray,
    *,
    resolution: int,
    ties: bool,
    capacity: int,
    max_capacity: int | None,
    dynamics: bool = False,
    minimal: bool = False,
    random: bool = False,
    step_limit: int = 0,
    fit: bool = False,
    simplex: bool = False,
    iteration_limit: int = 400,
    multipliers: bool = False,
    everywhere: bool = False,
    outcomes: bool = False,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Solve B tables for C committees.

    Args:
        utilities: `[B, P, X, A]` int32 fixed-point utilities, the user first.
        prior: `[B, X]` int32 weights; available: `[B, X, A]` bool.
        keys: `[B, 2]` uint32 random key data, used where the order is `random`.
        masks: `[C]` int32 committees as bitmasks.
        resolution: fixed-point steps per unit of utility.
        ties: the lowest index wins the user's ties (Definition 16) instead of the incumbent.
        capacity: schemes to make room for at first. Rooms grow as tables need it.
        max_capacity: schemes kept per table before `overflow`, by the stages of `frontier.stage_capacities`; None for
            no limit.
        dynamics, minimal, random, step_limit: best-response dynamics, see `equilibrax_kernels.dynamics`. With `minimal`
            all schemes are listed, whatever `max_capacity` says.
        fit, simplex, iteration_limit, multipliers: misalignment scores, see `equilibrax_kernels.misalignment`.
        everywhere: fit all outcomes instead of those of equilibria, and find no equilibria; see `fit_tables`.
        outcomes: whether to return the outcomes that equilibria attain.
        threads: how many to use. Results do not depend on it.

    Returns:
        By the names of `equilibrax_kernels.selection.Selection` and with the tables first: `optimum`, `worst`, `best`,
        `count`, `count_saturated`, `worst_scheme`, `overflow` (where set, only `optimum` is to be used, and schemes are
        0); with `dynamics`, `dynamics`, `dynamics_scheme`, `dynamics_steps`, `dynamics_ended`; with `fit`,
        `fit_misalignment`, `fit_weights`, `fit_offset`, `fit_gap`, `fit_violation`, `fit_solved` `[B]` and with
        `multipliers` `fit_lower`, `fit_upper` `[B, C, R]`; with `outcomes`, `attained` `[B, C, W]` and `optimal`
        `[B, W]` int64, 64 outcomes to a word (see `unpack_outcomes`). Schemes are int16. With `everywhere`, only what
        begins with `fit_`.
    """
    tables, players, states, actions = utilities.shape
    providers, committees = players - 1, len(masks)
    schemes = min(actions**states, 2**62)
    first = states_at_once(states, actions, ALL_PAIRS)
    limits = np.full(states, 2**62)
    if minimal:
        capacity = schemes
    elif max_capacity is not None:
        limits[first - 1 :] = stage_capacities(max_capacity, states, actions, first)
    order, index = from_large_to_small(masks, providers)
    games = 0 if everywhere else tables
    shape = (games, committees)
    played, seen = shape if dynamics else (0, 0), tables if outcomes else 0
    words = -(-states * actions // 64)
    answers = Answers(
        optimum=np.empty(games, np.int64),
        worst=np.empty(shape, np.int64),
        best=np.empty(shape, np.int64),
        count=np.empty(shape, np.int64),
        count_saturated=np.zeros(shape, bool),
        worst_scheme=np.zeros((*shape, states), np.int16),
        dynamics=np.empty(played, np.int64),
        dynamics_scheme=np.zeros((*played, states), np.int16),
        dynamics_steps=np.empty(played, np.int32),
        dynamics_ended=np.zeros(played, bool),
        attained=np.empty((seen, committees, words), np.int64),
        optimal=np.empty((seen, words), np.int64),
        overflow=np.empty(games, bool),
    )
    scores = new_scores(tables if fit else 0, committees, providers, states * actions, multipliers)
    inputs = plain(utilities), plain(prior), plain(available), plain(keys), plain(masks)
    read = Tables(*inputs, order, index, float(resolution))
    rules = Rules(ties, dynamics, minimal, random, step_limit, fit, simplex, iteration_limit, everywhere)

    def select_range(start: int, stop: int) -> None:
        wanted = words if fit or outcomes else 0
        work = Work(
            cells=new_cells(providers, wanted),
            alone=new_alone(players, states, wanted),
            fits=new_fits(providers, states * actions if fit else 0, committees, wanted),
            contributions=np.empty((players, states, actions), np.int64),
            attained=np.empty((committees, wanted), np.int64),
            nowhere=np.empty((0, states * actions)),
        )
        room = max(1, min(capacity, schemes))
        while start < stop:
            rooms = *new_room(room, players, states, actions, wanted, schemes), new_responses(room, providers)
            start = _select_range(start, stop, read, rules, limits, first, answers, scores, work, *rooms)
            room = min(2 * room, int(limits[-1]))

    run_over_tables(select_range, tables, threads)
    found = answers._asdict() | {f"fit_{name}": array for name, array in scores._asdict().items()}
    found["fit_misalignment"] = found.pop("fit_eps")
    return {name: array for name, array in found.items() if len(array)}


def fit_tables(
    utilities: np.ndarray,
    available: np.ndarray,
    masks: np.ndarray,
    *,
    resolution: int,
    simplex: bool,
    iteration_limit: int = 400,
    multipliers: bool = False,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Fit all outcomes of B tables (Definition 1) for C committees.

    Args:
        utilities: `[B, P, X, A]` int32, fixed point, the user first; available: `[B, X, A]` bool.
        masks: `[C]` int32 committees as bitmasks.
        resolution: fixed-point steps per unit of utility.
        simplex: whether the weights sum to one.
        iteration_limit: pivots before a program gives up; its gap then says so.
        multipliers: whether to return them.
        threads: how many to use. Results do not depend on it.

    Returns:
        `fit_misalignment`, `fit_offset`, `fit_gap`, `fit_violation` `[B, C]`, `fit_weights` `[B, C, K]` and, with
        `multipliers`, `fit_lower` and `fit_upper` `[B, C, X A]`, as of `equilibrax_kernels.misalignment.Fit`.
    """
    tables, _, states, _ = utilities.shape
    prior, keys = np.ones((tables, states), np.int32), np.zeros((tables, 2), np.uint32)
    options = {"resolution": resolution, "ties": False, "capacity": 1, "max_capacity": None, "fit": True}
    options |= {"simplex": simplex, "iteration_limit": iteration_limit, "multipliers": multipliers, "threads": threads}
    return select_tables(utilities, prior, available, keys, masks, everywhere=True, **options)


def unpack_outcomes(words: np.ndarray, states: int, actions: int) -> np.ndarray:
    """Words of outcomes `[..., W]` as `[..., X, A]` bool.

    Example:
        >>> unpack_outcomes(np.array([0b1001]), 2, 2).tolist()
        [[True, False], [False, True]]
    """
    place = np.arange(states * actions)
    return ((words[..., place >> 6] >> (place & 63)) & 1 == 1).reshape(*words.shape[:-1], states, actions)
