"""The best-provider selection game for many tables, dealt to threads; see `equilibrax_kernels.selection`."""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax_kernels.cpu.committees import new_alone, new_cells, new_contributions
from equilibrax_kernels.cpu.dynamics import new_responses
from equilibrax_kernels.cpu.few_schemes import MOST, new_few
from equilibrax_kernels.cpu.frontier import new_room
from equilibrax_kernels.cpu.misalignment import new_fits, new_scores
from equilibrax_kernels.cpu.selection_range import Answers, Rules, Work, new_tables, select_tables_range
from equilibrax_kernels.cpu.sorting import ALL_PAIRS
from equilibrax_kernels.cpu.threads import run_over_tables
from equilibrax_kernels.selection.frontier import stage_capacities, states_at_once


def select_tables(
    utilities: np.ndarray | tuple[np.ndarray, np.ndarray],
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
        utilities: `[B, P, X, A]` int32 fixed-point utilities, the user first; or a pair of the user's `[B, X, A]` and
            the providers' `[B, K, X, A]`, which are not copied.
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
        `fit_misalignment`, `fit_weights`, `fit_offset`, `fit_gap`, `fit_violation`, `fit_solved` and `fit_unit`
        (the range of the user's utilities) `[B]` and with
        `multipliers` `fit_lower`, `fit_upper` `[B, C, R]`; with `outcomes`, `attained` `[B, C, W]` and `optimal`
        `[B, W]` int64, 64 outcomes to a word (see `unpack_outcomes`). Schemes are int16. With `everywhere`, only what
        begins with `fit_`.

    Example:
        >>> user, providers = [[0, 1, 2]], [[[2, 0, 1]], [[1, 2, 0]]]
        >>> utilities, available = np.array([[user, *providers]], np.int32), np.ones((1, 1, 3), bool)
        >>> prior, keys, masks = np.ones((1, 1), np.int32), np.zeros((1, 2), np.uint32), np.array([1, 2, 3], np.int32)
        >>> options = {"resolution": 1, "ties": False, "capacity": 8, "max_capacity": 99, "fit": True}
        >>> found = select_tables(utilities, prior, available, keys, masks, **options)
        >>> found["worst"].tolist(), found["count"].tolist(), found["fit_misalignment"].tolist()
        ([[0, 1, 2]], [[1, 1, 1]], [[1.0, 0.5, 0.0]])
    """
    read = new_tables(utilities, prior, available, keys, masks, resolution)
    tables, providers, states, actions = read.providers.shape
    players, committees = providers + 1, len(masks)
    schemes = min(actions**states, 2**62)
    first = states_at_once(states, actions, ALL_PAIRS)
    limits = np.full(states, 2**62)
    if minimal:
        capacity = schemes
    elif max_capacity is not None:
        limits[first - 1 :] = stage_capacities(max_capacity, states, actions, first)
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
    few = schemes <= MOST and words == 1 and limits[-1] >= schemes and not (ties or dynamics or everywhere)
    rules = Rules(ties, dynamics, minimal, random, step_limit, fit, simplex, iteration_limit, everywhere, few)

    wanted = words if fit or outcomes else 0
    spare: list[tuple[int, Work, Any]] = []  # what threads have worked with

    def new_work() -> Work:
        return Work(
            cells=new_cells(providers, wanted),
            alone=new_alone(players, states, wanted),
            few=new_few(players, states, actions),
            fits=new_fits(providers, states * actions if fit else 0, committees, wanted),
            contributions=new_contributions(players, states, actions),
            attained=np.empty((committees, wanted), np.int64),
            nowhere=np.empty((0, states * actions)),
        )

    def new_rooms(room: int) -> Any:
        return *new_room(room, players, states, actions, wanted, schemes), new_responses(room, providers)

    def select_range(start: int, stop: int) -> None:
        least = max(1, min(capacity, schemes))
        room, work, rooms = spare.pop() if spare else (least, new_work(), new_rooms(least))
        while True:
            start = select_tables_range(start, stop, read, rules, limits, first, answers, scores, work, *rooms)
            if start == stop:
                break
            room = min(2 * room, int(limits[-1]))
            rooms = new_rooms(room)
        spare.append((room, work, rooms))

    run_over_tables(select_range, tables, threads)
    found = answers._asdict() | {f"fit_{name}": array for name, array in scores._asdict().items()}
    found["fit_misalignment"] = found.pop("fit_eps")
    return {name: array for name, array in found.items() if len(array)}


def fit_tables(
    utilities: np.ndarray | tuple[np.ndarray, np.ndarray],
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
        utilities: as of `select_tables`; available: `[B, X, A]` bool.
        masks: `[C]` int32 committees as bitmasks.
        resolution: fixed-point steps per unit of utility.
        simplex: whether the weights sum to one.
        iteration_limit: pivots before a program gives up; its gap then says so.
        multipliers: whether to return them.
        threads: how many to use. Results do not depend on it.

    Returns:
        `fit_misalignment`, `fit_offset`, `fit_gap`, `fit_violation` `[B, C]`, `fit_weights` `[B, C, K]`, `fit_solved`
        and `fit_unit` `[B]` and, with `multipliers`, `fit_lower` and `fit_upper` `[B, C, X A]`, as of `select_tables`.
    """
    tables, states, _ = available.shape
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
