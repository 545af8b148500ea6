"""Profiles of lotteries over messages: what is heard, and what everybody has.

Letters: B games, K providers, Z signals, X states, A actions, M messages, T = M^K tuples of messages.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from equilibrax._core.checks import as_floats
from equilibrax.games._oblivious_rules import expected_contributions
from equilibrax.games._options import Rationality
from equilibrax.problems.persuasion import PersuasionGame

INDIFFERENT = 1e-12
"""Actions that differ by no more than this, times the range of the user's contributions, are equal to her."""

_MOST_TUPLES = 2**16


def rationality_of(response: Any) -> float | None:
    """Lambda of a user who responds quantally, None if she responds best.

    Raises:
        ValueError: on other responses, several lambdas, or an infinite one. A list of one is that one.
    """
    how = Rationality.of(response)
    if len(how.values) > 1 or not np.isfinite(how.values).all():
        raise ValueError(
            f"response: expected a Quantal with one finite rationality for lotteries over messages, got {response!r}"
        )
    return next(iter(how.values), None)


def chances_of(game: PersuasionGame, rules: Any) -> Float[np.ndarray, "B K X M"]:
    """Rules as chances that sum to 1, or an error."""
    given = as_floats("rules", rules)
    shape = (len(game), game.num_providers, game.states)
    if given.ndim != 4 or given.shape[:3] != shape or given.shape[3] == 0:
        raise ValueError(f"rules: expected chances of the shape {[*shape, 'messages']}, got {list(given.shape)}")
    total = given.sum(axis=3, keepdims=True)
    if not (np.isfinite(given).all() and (given >= 0).all() and (np.abs(total - 1) <= 1e-6).all()):
        raise ValueError("rules: expected chances of at least 0 that sum to 1 in every state, got others")
    if given.shape[3] ** game.num_providers > _MOST_TUPLES:
        raise ValueError(
            f"rules: expected at most {_MOST_TUPLES:,} tuples of messages, got {given.shape[3]} messages from each of "
            f"{game.num_providers} providers"
        )
    return given / total


def heard(chances: Float[np.ndarray, "B J X M"]) -> Float[np.ndarray, "B N X"]:
    """The chances of all tuples of messages, the lowest provider's first; of none there is one, for sure."""
    found = np.ones((chances.shape[0], 1, chances.shape[2]))
    for j in range(chances.shape[1]):
        found = found[:, :, None] * np.moveaxis(chances[:, j], 1, 2)[:, None]
        found = found.reshape(len(found), -1, chances.shape[2])
    return found


def values_of(
    game: PersuasionGame, chances: Float[np.ndarray, "B K X M"], rationality: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What everybody has: `[B, K]` and the user's `[B]`.

    Args:
        game: B games.
        chances: of messages.
        rationality: lambda of the user's response; None: she takes the lowest of her best actions. Where she may hear
            what leaves her no action, the user has minus infinity; with a quantal user, everybody.
    """
    user, providers = expected_contributions(game)
    told = heard(chances)
    missing = np.einsum("btx,bxa->bta", told, ~np.asarray(game.available)) > 0
    worth = np.where(missing[:, :, None], -np.inf, np.einsum("btx,bzxa->btza", told, user))
    theirs = np.einsum("btx,bkzxa->bktza", told, providers)
    if rationality is not None:
        weights = np.asarray(game.weights) / game.total_weight[:, None, None]
        response = respond(worth, np.einsum("btx,bzx->btz", told, weights), rationality)
        lost = missing.all(axis=2).any(axis=1)
        hers = (response * np.where(response > 0, worth, 0.0)).sum(axis=(1, 2, 3))
        everybody = np.column_stack([hers, (response[:, None] * theirs).sum(axis=(2, 3, 4))])
        everybody = np.where(lost[:, None], -np.inf, everybody)
        return everybody[:, 1:], everybody[:, 0]
    most = worth.max(axis=3, keepdims=True)
    slack = INDIFFERENT * np.ptp(user.reshape(len(user), -1), axis=1)[:, None, None, None]
    action = (worth >= most - slack).argmax(axis=3)  # the lowest
    hers = np.take_along_axis(worth, action[..., None], axis=3)[..., 0].sum(axis=(1, 2))
    chosen = np.take_along_axis(theirs, action[:, None, :, :, None], axis=4)[..., 0]
    return chosen.sum(axis=(2, 3)), hers


def respond(worth: np.ndarray, seen: np.ndarray, rationality: float) -> np.ndarray:
    """Chances of actions, proportional to the exponential of lambda times what they are worth on average.

    Args:
        worth: `[..., A]` what actions add to the user's expected utility, minus infinity if they do not exist.
        seen: `[...]` the chance of hearing that.
    """
    mean = worth / np.where(seen > 0, seen, 1.0)[..., None]
    most = mean.max(axis=-1, keepdims=True)
    exponent = np.where(np.isfinite(mean), rationality * (mean - np.where(np.isfinite(most), most, 0.0)), -np.inf)
    odds = np.exp(exponent)
    return odds / np.maximum(odds.sum(axis=-1, keepdims=True), 1e-300)


def after_others(
    game: PersuasionGame, chances: Float[np.ndarray, "B K X M"], of: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What every provider faces, given what the others say: as a single sender, B times K of them.

    Args:
        game: B games.
        chances: of messages.
        of: one provider; default all.

    Returns:
        `[R, Q, X, A]` the user's contributions by what she knows besides, her signal and the others' messages, the
        lowest provider's first; the provider's own; and `[R, Q, X]` the chance of that.
    """
    x, a = game.states, game.actions
    user, providers = expected_contributions(game)
    weights = np.asarray(game.weights) / game.total_weight[:, None, None]
    senders = range(game.num_providers) if of is None else [of]
    others = np.stack([heard(np.delete(chances, j, axis=1)) for j in senders], axis=1)  # [B, K, N, X]
    told = np.einsum("bknx,bzxa->bkznxa", others, user)
    own = np.einsum("bknx,bkzxa->bkznxa", others, providers[:, senders])
    chance = np.einsum("bknx,bzx->bkznx", others, weights)
    r, q = told.shape[0] * told.shape[1], told.shape[2] * told.shape[3]
    return told.reshape(r, q, x, a), own.reshape(r, q, x, a), chance.reshape(r, q, x)


def swing(values: Float[np.ndarray, "R Q X A"], available: Bool[np.ndarray, "R X A"]) -> Float[np.ndarray, " R"]:
    """How far a value can move, one if it cannot."""
    there = available[:, None]
    spread = np.where(there, values, -np.inf).max(axis=3) - np.where(there, values, np.inf).min(axis=3)
    total = spread.sum(axis=(1, 2))
    return np.where(total > 0, total, 1.0)
