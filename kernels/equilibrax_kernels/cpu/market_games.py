"""Answers of games between the providers of markets: all profiles, dynamics, and single profiles that are checked.

Letters: P players whose values are wanted, the users themselves first; K providers, N users, X states, A actions, R
rules, M strategies, C committees, B markets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from equilibrax_kernels.cpu.cells import cells_room
from equilibrax_kernels.cpu.compiling import loop, spliced
from equilibrax_kernels.cpu.deviations import market_dynamics, monopoly_strategies
from equilibrax_kernels.cpu.market import Markets, new_room, set_game
from equilibrax_kernels.cpu.profiles import earnings, first_best, new_space, profile_equilibria
from equilibrax_kernels.cpu.threads import plain, run_over_tables


class Answers(NamedTuple):
    """What a loop writes; see `market_games`. What is not wanted has no committees, or no providers."""

    count: np.ndarray
    worst: np.ndarray
    best: np.ndarray
    profile: np.ndarray
    choice: np.ndarray
    dynamics_profile: np.ndarray
    dynamics_choice: np.ndarray
    dynamics_value: np.ndarray
    dynamics_steps: np.ndarray
    dynamics_ended: np.ndarray
    dynamics_cycle: np.ndarray
    now: np.ndarray
    most: np.ndarray
    first: np.ndarray


@loop
def _market_range(start, stop, markets, answers, room, game, space, of_cells):
    """Solve markets `start` to `stop - 1`; called through `market_games`, which says what everything is."""
    for b in range(start, stop):
        set_game(b, markets, of_cells, room, game)
        _answer(b, markets, game, space, answers)


@spliced
def _answer(b, markets, game, space, answers):
    """Everything that is wanted to know about one game."""
    masks, wanted = markets.masks, answers.dynamics_steps.shape[1]
    if wanted:
        monopoly_strategies(game, space)
    for c in range(len(masks)):
        if answers.count.shape[1]:
            answers.count[b, c] = profile_equilibria(
                game, masks[c], space, answers.worst[b, c], answers.best[b, c], answers.profile[b, c],
                answers.choice[b, c],
            )  # fmt: skip
        if wanted:
            steps, ended, cycle = market_dynamics(
                game, masks[c], markets.step_limit, space, answers.dynamics_profile[b, c],
                answers.dynamics_choice[b, c], answers.dynamics_value[b, c],
            )  # fmt: skip
            answers.dynamics_steps[b, c], answers.dynamics_ended[b, c] = steps, ended
            answers.dynamics_cycle[b, c] = cycle
    for j in range(answers.now.shape[1]):
        posted = markets.posted[b]
        earnings(game, posted, masks[0], j, space.earned)
        most, first = first_best(space.earned, game.exists[j], game.tolerance[j])
        answers.now[b, j], answers.most[b, j], answers.first[b, j] = space.earned[posted[j]], most, first


def market_games(
    contributions: Any,
    available: Any,
    prior: Any,
    tensor: Any,
    rationality: Any,
    of_users: Any,
    of_providers: Any,
    own: Any,
    exists: Any,
    rules: Any,
    masks: Any,
    *,
    quantal: bool,
    resolution: int,
    delegation: bool,
    listed: bool,
    dynamics: bool,
    step_limit: int,
    posted: Any = None,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Solve B markets for C committees.

    Args:
        contributions: `[B, P, N, X, A]` integers, prior weight times utility: of user n herself and, if earnings are
            sums, what she earns every provider. Sums over users and states are below `cells.EXACT`.
        available: `[B, N, A]` bool.
        prior: `[B, X]` weights.
        tensor: `[B, K, X, A**N]`, prior weight times utility; None if earnings are sums.
        rationality: `[B]` lambdas of quantal users.
        of_users, of_providers: `[B]` and `[B, K]` tolerances; zeros under best response.
        own: `[K, N, M]`, the rule that strategy m of provider k has for user n.
        exists: `[K, M]` bool.
        rules: `[N, R, X]`: the action in every state, or the set that each state is in as user n learns it (state x is
            bit X - 1 - x).
        masks: `[C]` committees.
        quantal: whether users respond quantally.
        resolution: fixed-point steps per unit of utility.
        delegation: whether rules are maps to actions.
        listed: whether to list all profiles.
        dynamics: whether to run dynamics, of at most `step_limit` moves.
        posted: `[B, K]` strategies to check, when the first committee posts them, or None.
        threads: how many to use. Results do not depend on it.

    Returns:
        With the markets first, and values float64 (integers under best response). If `listed`, as in
        `equilibrax_kernels.profiles.Profiles`: `count` `[B, C]`, `worst` and `best` `[B, C, N]`, `profile`
        `[B, C, N, K]`, `choice` `[B, C, N, N]`. With `dynamics`, as in `deviations.Trajectory`: `dynamics_profile`
        `[B, C, K]`, `dynamics_choice` and `dynamics_value` `[B, C, N]`, `dynamics_steps`, `dynamics_ended` and
        `dynamics_cycle` `[B, C]`. With `posted`, as in `deviations.Replies`: `now`, `most`, `first` `[B, K]`.
    """
    own, masks = plain(np.asarray(own, np.int32)), plain(np.asarray(masks, np.int64))
    contributions = plain(np.asarray(contributions, np.int64))
    (b, _, n, x, actions), (k, _, strategies) = contributions.shape, own.shape
    checked, counted, moving = posted is not None, len(masks) * listed, len(masks) * dynamics
    markets = Markets(
        contributions=contributions,
        available=plain(np.asarray(available, np.bool_)),
        prior=plain(np.asarray(prior, np.int64)),
        tensor=np.zeros((b, k, x, 0)) if tensor is None else plain(np.asarray(tensor, np.float64)),
        rationality=plain(np.asarray(rationality, np.float64)),
        of_users=plain(np.asarray(of_users, np.float64)),
        of_providers=plain(np.asarray(of_providers, np.float64)),
        own=own,
        exists=plain(np.asarray(exists, np.bool_)),
        rules=plain(np.asarray(rules, np.int32)),
        masks=masks,
        posted=plain(np.asarray(posted, np.int64)) if checked else np.zeros((b, k), np.int64),
        quantal=quantal,
        resolution=resolution,
        delegation=delegation,
        step_limit=step_limit,
    )
    answers = Answers(
        count=np.empty((b, counted), np.int64),
        worst=np.zeros((b, counted, n)),
        best=np.zeros((b, counted, n)),
        profile=np.full((b, counted, n, k), -1, np.int32),
        choice=np.zeros((b, counted, n, n), np.int32),
        dynamics_profile=np.empty((b, moving, k), np.int32),
        dynamics_choice=np.empty((b, moving, n), np.int32),
        dynamics_value=np.empty((b, moving, n)),
        dynamics_steps=np.empty((b, moving), np.int32),
        dynamics_ended=np.empty((b, moving), np.bool_),
        dynamics_cycle=np.empty((b, moving), np.bool_),
        now=np.empty((b, k * checked)),
        most=np.empty((b, k * checked)),
        first=np.empty((b, k * checked), np.int32),
    )
    profiles = max(strategies ** int(mask).bit_count() for mask in masks) if listed else 0

    def solve_range(start: int, stop: int) -> None:
        room, game = new_room(markets)
        space, of_cells = new_space(k, strategies, profiles), cells_room(len(room.given), x, actions)
        _market_range(start, stop, markets, answers, room, game, space, of_cells)

    run_over_tables(solve_range, b, threads)
    return {name: array for name, array in answers._asdict().items() if array.shape[1]}
