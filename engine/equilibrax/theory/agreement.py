"""What the theory promises about straightforward conversation, beside what is measured.

- 2509.15090, Theorem 3 (Aaronson 2005): for every prior, zeta-agreement with probability at least 1 - failure within
  3 A / (zeta^2 failure) rounds. It promises a round, not all rounds after it, and speaks of exact statements.
- 2509.15090, Theorem 4 (Frongillo et al. 2021): if information is substitutes (Definition 14), zeta-agreement leaves
  the user at most 10 zeta^(1/3) away from what she would know if all features were pooled.

Both are stated for utilities in [0, 1]. They hold for other utilities in units of their spread, and since features and
statements only move conditional means, the spread of those, given (z, x), is enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import jax
import numpy as np
from equilibrax_kernels.conversation.substitutes import substitutes_slack
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import check_number, check_whole
from equilibrax._core.compile_cache import jit
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.theory._induced_actions import as_game
from equilibrax.theory.conversation import Conversation, expect_conversation

MAX_FEATURES = 18
"""Largest Z + X for the check of information substitutes, which looks at 2^(Z + X) rectangles."""

SUBSTITUTES_TOLERANCE = 1e-12
"""A rectangle breaks Definition 14 if its slack, for utilities of spread one, is below minus this much."""


@dataclass(frozen=True)
class ConversationPromises:
    """Theorems 3 and 4 for B conversations of R rounds, one zeta and one failure probability.

    Attributes:
        zeta: the level of agreement, in units of utility.
        failure: the probability with which agreement may be missing.
        rounds_promised: `[B]` float64, Theorem 3's number of rounds (rounded up; infinite if failure is 0).
        rounds_measured: `[B]` the first round with agreement, 0 if none of the R rounds.
        rounds_kept: `[B]` agreement within the rounds promised. False where R was too small to see it: see `rounds`.
        rounds: R.
        substitutes: `[B]` whether Theorem 4's hypothesis holds, or None if it was not checked.
        error_promised: `[B]` 10 zeta^(1/3), scaled to the spread of the utilities.
        error_measured: `[B]` the user's largest error after the round of agreement, over actions and the cells (z, x)
            in agreement; NaN without agreement.
        error_kept: `[B]` error measured within the promise; True without agreement, when nothing is promised.
    """

    zeta: float
    failure: float
    rounds_promised: Float[np.ndarray, " B"]
    rounds_measured: Int[np.ndarray, " B"]
    rounds_kept: Bool[np.ndarray, " B"]
    rounds: int
    substitutes: Bool[np.ndarray, " B"] | None
    error_promised: Float[np.ndarray, " B"]
    error_measured: Float[np.ndarray, " B"]
    error_kept: Bool[np.ndarray, " B"]


def conversation_promises(
    conversation: Conversation, zeta: float, failure: float = 0.1, *, check_substitutes: bool = True
) -> ConversationPromises:
    """Theorem 3's and Theorem 4's promises (2509.15090, Section 4.3) beside what a conversation does.

    Args:
        conversation: B conversations, of exact statements for the promise of Theorem 3 to apply.
        zeta: level of agreement, above 0, in units of utility (Definition 15).
        failure: delta_conv, from 0 (nothing is promised) to below 1.
        check_substitutes: whether to check Theorem 4's hypothesis, which takes 2^(Z + X) steps.

    Returns:
        A `ConversationPromises`. With several providers, agreement is agreement with all of them.

    Raises:
        ValueError: if `zeta` or `failure` is out of range, or the game too large for the check.

    Example:
        >>> import equilibrax as eq
        >>> game = eq.PersuasionGame.from_weights(
        ...     [[2, 1], [1, 2]], user=[[[1, 0], [0, 0]], [[0, 0], [0, 1]]], providers=[[[[0, 0]] * 2] * 2]
        ... )
        >>> kept = eq.theory.conversation_promises(eq.theory.converse(game, 3), zeta=0.1, failure=0.2)
        >>> kept.rounds_measured.tolist(), kept.rounds_promised.tolist(), kept.error_measured.tolist()
        ([2], [3000.0], [0.0])
    """
    zeta, failure = check_number("zeta", zeta, 0, above=True), check_number("failure", failure, 0)
    if failure >= 1:
        raise ValueError(f"failure: expected a probability from 0 to below 1, got {failure!r}")
    game = expect_conversation(conversation).game
    unit = _unit(game)
    share = zeta / unit
    with np.errstate(over="ignore", divide="ignore"):
        steps = 3 * game.actions / share / share / failure if failure else np.full(len(game), np.inf)
    promised = np.ceil(steps - 1e-9 * np.where(np.isfinite(steps), steps, 0))
    measured = conversation.rounds_to_agreement(zeta, failure)
    error_promised = unit * 10 * np.cbrt(share)

    error_measured = np.full(len(game), np.nan)
    agreeing = conversation.agreeing(zeta) & (np.asarray(game.weights) > 0)[:, None]
    errors = conversation.error.max(axis=4)
    for b in np.flatnonzero(measured):
        at = int(measured[b])
        error_measured[b] = errors[b, at][agreeing[b, at - 1]].max(initial=0.0)
    with np.errstate(invalid="ignore"):
        broken = error_measured > error_promised + conversation.tolerance
    return ConversationPromises(
        zeta=zeta,
        failure=failure,
        rounds_promised=promised,
        rounds_measured=measured,
        rounds_kept=(measured > 0) & (measured <= promised),
        rounds=conversation.rounds,
        substitutes=information_substitutes(game) if check_substitutes else None,
        error_promised=error_promised,
        error_measured=error_measured,
        error_kept=~broken,
    )


def information_substitutes(game: PersuasionGame, tolerance: float = SUBSTITUTES_TOLERANCE) -> Bool[np.ndarray, " B"]:
    """Whether information is substitutes for the user's utility (2509.15090, Definition 14), by enumeration.

    The condition checked is the one that the definition describes in words, V(x_A, x_B) - V(A, x_B) <= V(x_A, B) -
    V(A, B) on every rectangle A x B and for every action, with V(F) = E[E[u | F]^2]; the display in the paper lacks
    the x_B on one side (see `equilibrax_kernels.substitutes`).

    Args:
        game: B games with Z + X at most 18.
        tolerance: how far a rectangle may miss the condition, in squared units of the spread of the utilities.

    Returns:
        `[B]` bool.

    Raises:
        ValueError: if Z + X is more than 18.

    Example:
        >>> import equilibrax as eq
        >>> both_see_y = eq.PersuasionGame.from_prior(
        ...     [[[1, 0], [0, 0]], [[0, 0], [0, 1]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [0, 1]]]
        ... )
        >>> parity = eq.PersuasionGame.from_prior(
        ...     [[[1, 0], [0, 1]], [[0, 1], [1, 0]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [0, 1]]]
        ... )
        >>> eq.theory.information_substitutes(both_see_y).tolist(), eq.theory.information_substitutes(parity).tolist()
        ([True], [False])
    """
    game = as_game(game)
    check_number("tolerance", tolerance, 0)
    if game.signals + game.states > MAX_FEATURES:
        raise ValueError(
            f"game: expected Z + X of at most {MAX_FEATURES} (2^(Z + X) rectangles are checked), got {game.signals} + "
            f"{game.states}"
        )
    weights = np.asarray(game.weights)
    means = _cell_means(game) / _unit(game)[:, None, None, None]
    slack = []
    with jax.enable_x64(True):
        for w, mean in zip(weights, means):  # one game fills memory enough
            slack.append(np.asarray(_slack(w.astype(np.float64), mean)))
    return np.array(slack).reshape(len(game), -1).min(axis=1) >= -tolerance


_slack = jit(substitutes_slack)


def _cell_means(game: PersuasionGame) -> np.ndarray:
    """`[B, Z, X, A]` the user's utility given (z, x), 0 in impossible cells."""
    weight = np.asarray(game.weights)[..., None] * game.resolution
    return np.asarray(game.user) / np.where(weight > 0, weight, 1)


def _unit(game: PersuasionGame) -> np.ndarray:
    """`[B]` 1 for means in [0, 1], else the largest spread of an action's means (1 if all are equal)."""
    possible = (np.asarray(game.weights) > 0)[..., None]
    means = _cell_means(game)
    high = np.where(possible, means, -np.inf).max(axis=(1, 2))
    low = np.where(possible, means, np.inf).min(axis=(1, 2))
    spread = (high - low).max(axis=1)
    usual = (low >= 0).all(axis=1) & (high <= 1).all(axis=1)
    return np.where(usual | (spread == 0), 1.0, spread)


def agreement_rounds(actions: int, zeta: float, failure: float) -> int:
    """Rounds of straightforward conversation that Theorem 3 of 2509.15090 asks for: 3 A / (zeta^2 failure), rounded up.

    Args:
        actions: A.
        zeta: level of agreement, above 0, for utilities in [0, 1].
        failure: delta_conv, above 0 and at most 1.

    Raises:
        ValueError: if a number is out of range.

    Example:
        >>> import equilibrax as eq
        >>> eq.theory.agreement_rounds(actions=2, zeta=0.1, failure=0.1)
        6000
    """
    check_whole("actions", actions, 1)
    zeta, failure = check_number("zeta", zeta, 0, above=True), check_number("failure", failure, 0, 1, above=True)
    steps = 3 * int(actions) / (Fraction(zeta) ** 2 * Fraction(failure))
    return math.ceil(steps * (1 - Fraction(1, 10**9)))  # 0.1 in binary is a little more than it says
