"""What the theorems share: eps and its claims, outcomes of results, and arrays of the shape of a result."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from equilibrax._core.checks import check_numbers, fill_shape
from equilibrax.fits.chebyshev import Rows, Weights
from equilibrax.games import Game, PartitionResult, SelectionResult
from equilibrax.theory._induced_actions import as_game, user_utility
from equilibrax.theory._market_alignment import attained_outcomes, market_alignment, spreads
from equilibrax.theory._misalignment import misalignment

Result = SelectionResult | PartitionResult

ROUNDING = 1e-9
"""How far rounding, and the certificate of eps, may move a bound; times the largest spread of utilities above one."""


def expect_game(result: Any, game: type[Game[Any]], response: str) -> None:
    """Refuse a result that the theorem does not speak of."""
    came = getattr(result, "game", None)
    if not isinstance(came, game) or result.response != response:
        came = f"the {came.name} game with {result.response} response" if came else type(result).__name__
        raise ValueError(f"result: expected the {game.name} game with {response} response, got {came}")


# --- shapes -----------------------------------------------------------------------------------------------------------


def has_grid(result: Result) -> bool:
    """Whether arrays are `[B, R, C]`."""
    return result.status.ndim == 3


def grid(result: Result, values: np.ndarray) -> np.ndarray:
    """`[B, C]` (or `[B, 1]`) as it broadcasts to the shape of the result."""
    return values[:, None] if has_grid(result) else values


def by_lambda(result: Result, values: Any) -> np.ndarray:
    """A number, `[B]` or `[B, R]`, as it broadcasts to the shape of the result."""
    values = np.asarray(values)
    if values.ndim == 0:
        return values
    if has_grid(result) and values.ndim == 1:
        values = values[:, None]
    return values[..., None]


def single(result: Result) -> Bool[np.ndarray, " C"]:
    """Committees of one provider."""
    return result.committees & (result.committees - 1) == 0


def lambdas_of(result: PartitionResult) -> np.ndarray:
    """`[R, 1]`, or a number without a grid; 0 for the best response."""
    values = np.array([0.0 if r is None else r for r in result.rationalities])
    return values[:, None] if has_grid(result) else values[0]


def response_gap(result: PartitionResult) -> np.ndarray:
    """What a quantal user loses at most in a cell, log A / lambda (Lemma 1), A being the actions that are available.

    In the shape of the result; 0 for the best response, and for one action.
    """
    log = by_lambda(result, np.log(np.asarray(as_game(result.tables).available).sum(axis=2).max(axis=1)))
    if result.response == "best":
        return 0 * log
    lambdas = lambdas_of(result)
    gap = np.where(lambdas > 0, log / np.where(lambdas > 0, lambdas, 1), np.inf)
    return np.where(log == 0, 0.0, gap)


def tolerance_of(result: Result, times: Any = 1) -> np.ndarray:
    """Rounding, and what a quantal game's tolerance lets an equilibrium miss (`Game.allowance`), so many times."""
    game = as_game(result.tables)
    rounding = grid(result, ROUNDING * np.maximum(1.0, spreads(game).max(axis=1))[:, None])
    return rounding + times * result.tolerance * result.game.allowance(game.states)


def member_spread(result: PartitionResult) -> np.ndarray:
    """The largest spread of a member's utilities, at least 1, in the shape of the result."""
    member = (result.committees[:, None] >> np.arange(result.tables.num_providers)) & 1 == 1  # [C, K]
    widest = np.where(member, spreads(result.tables)[:, None, 1:], 1.0).max(axis=2)
    return grid(result, np.maximum(1.0, widest))


# --- outcomes ---------------------------------------------------------------------------------------------------------


def value_of(result: PartitionResult, labels: np.ndarray) -> np.ndarray:
    """The user's utility after a partition `[B, X]`, for the lambdas and in the shape of the result."""
    values = [user_utility(result.tables, labels, rationality) for rationality in result.rationalities]
    return by_lambda(result, np.stack(values, axis=1) if has_grid(result) else values[0])


def attained(result: PartitionResult, labels: np.ndarray) -> Bool[np.ndarray, "... C Z X A"]:
    """Outcomes after partitions `[..., C, X]`; after full revelation where there is none."""
    labels = np.where((np.asarray(labels) < 0).any(axis=-1, keepdims=True), np.arange(labels.shape[-1]), labels)
    if not has_grid(result):
        return attained_outcomes(result.tables, labels, result.rationalities[0])
    of = [attained_outcomes(result.tables, labels[:, r], how) for r, how in enumerate(result.rationalities)]
    return np.stack(of, axis=1)


def deviations(result: PartitionResult, labels: np.ndarray) -> np.ndarray:
    """`[B, C, X]` what is heard in the worst equilibrium after a deviation to the reference `[B, X]`."""
    worst = result.worst_partition.astype(np.int64)
    reference = np.broadcast_to(labels[:, None], worst.shape)
    return np.where(single(result)[:, None], reference, worst * result.tables.states + reference)


# --- conditions -------------------------------------------------------------------------------------------------------


def epsilon_of(
    result: PartitionResult, claim: Any, weights: Weights, upper: Any = None, lower: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """eps in the shape of the result, where it is no less than the true one, and how often tolerances count: the sum of
    the weights, at least 1; on some outcomes, or on all."""
    game, committees = result.tables, result.committees.tolist()

    def fit(above: Any, below: Any) -> Float[np.ndarray, "2 B C"]:  # weights attain it, so unproved is not too small
        found = market_alignment(game, committees, weights=weights, upper=above, lower=below, throw=False)
        return np.stack([found.misalignment, np.maximum(1.0, found.weights.sum(axis=2))])

    if upper is None:
        true, times = (grid(result, values) for values in fit(None, None))
    else:
        lower = np.broadcast_to(lower, upper.shape)
        if has_grid(result):
            true, times = np.stack([fit(upper[:, r], lower[:, r]) for r in range(upper.shape[1])], axis=2)
        else:
            true, times = fit(upper, lower)
    return *_claimed(result, claim, true), times


def epsilon_of_selection(
    result: SelectionResult, claim: Any, rows: Rows, weights: Weights
) -> tuple[np.ndarray, np.ndarray]:
    """The same for schemes; eps of Remark 5 is the one that came with the result, if it did."""
    committees = result.committees.tolist()
    if rows == "table":
        true = market_alignment(result.tables, committees, weights=weights, throw=False).misalignment
    elif weights == "nonnegative" and result.fit is not None:
        true = result.fit.misalignment
    else:
        game: Any = result.game
        true = misalignment(result.tables, committees, weights=weights, game=game, throw=False).misalignment
    return _claimed(result, claim, true)


def _claimed(result: Result, claim: Any, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if claim is None:
        return true, np.ones(true.shape, bool)
    eps = check_numbers("epsilon", claim, 0, infinite=True)
    eps = fill_shape("epsilon", grid(result, eps) if eps.ndim == 2 else eps, result.status.shape, "a number")
    return eps, eps >= true - tolerance_of(result)
