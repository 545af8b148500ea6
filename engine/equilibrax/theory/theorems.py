"""The user's utility in every equilibrium: Theorems 1, 2, 5 and 6 and Corollary 3 of 2509.15090, as checked bounds.

All have the same proof. Let P be an equilibrium and let provider j deviate to a reference rule C*. No member of the
committee gains, so sum_j w_j v_j(P) >= sum_j w_j v_j(after j's deviation); with market alignment the left side is at
most v_0(P) - c + eps. What differs is how the right side is compared with what the user has from C* alone.

- One provider is heard (Theorem 6): after the deviation it is C*, whoever deviates.
- All are heard (Theorem 1, best response): what is heard is a refinement of C*, which is worth at least as much to the
  user; that it is the same for all j is the identical induced distribution condition.
- All are heard by a quantal user (Theorem 2): hearing more may cost her, so the paper's step "her utility after the
  deviation is U_A(C*)" is wrong. Compare with C* alone instead, itself a refinement of C*: every distribution is within
  delta of it in the L1 norm, so the expectation of a utility of spread one is within delta / 2. This gives
  U_A(C*) - 2 eps - delta / 2, which implies the theorem as it is stated.

Among partitions more is true: every equilibrium partition is also the outcome when all members post it, and then all
deviations to C* are heard alike. Definition 9 holds there by itself, and so does Theorem 1.

Results are `[B, C]`, or `[B, R, C]` for a grid of lambdas.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from equilibrax._core.checks import check_choice, check_flags, check_number, check_numbers, fill_shape
from equilibrax.fits.chebyshev import Rows, Weights
from equilibrax.games import Aligned, Joint, Obedient, Quantal, solve
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.selection_result import SelectionResult
from equilibrax.theory._induced_actions import (
    closeness,
    identical_induced_distribution,
    reference_labels,
    user_utility,
)
from equilibrax.theory._market_alignment import spreads
from equilibrax.theory._parts import (
    ROUNDING,
    attained,
    by_lambda,
    deviations,
    epsilon_of,
    epsilon_of_selection,
    expect_game,
    lambdas_of,
    member_spread,
    response_gap,
    single,
    tolerance_of,
    value_of,
)
from equilibrax.theory.agreement import information_substitutes
from equilibrax.theory.bound import Bound, make_bound


def theorem_1(
    result: PartitionResult,
    *,
    epsilon: Any = None,
    reference: Any = None,
    rows: Rows = "table",
    weights: Weights = "simplex",
) -> Bound:
    """In every equilibrium of the joint game the user has at least U_A(C*) - 2 eps (2509.15090, Theorem 1).

    Args:
        result: from the joint game with best response.
        epsilon: a claim about eps, broadcast to `[B, C]`, which the hypothesis then compares with the true one;
            None for the true one.
        reference: `[X]` or `[B, X]` labels of C*; None for full revelation, which is worth OPT. With another one of at
            most 6 states, the identical induced distribution condition is checked by enumeration.
        rows: where the fit of eps is measured. "table": on all outcomes (Definition 1). "equilibrium": on those of
            the worst equilibrium and those after a deviation to C* (in the sense of Remark 5).
        weights: "simplex", or "nonnegative": the theorem holds for any sum of the weights (Remark 2).

    Returns:
        A `Bound` on `worst_utility`. Numbers: eps, U_A(C*), and whether Definition 9 holds.

    Raises:
        ValueError: if the result is of another game, or an option is unknown or of the wrong shape.

    Example:
        >>> import equilibrax as eq
        >>> joint = eq.solve(eq.load_paper_table("synthetic-2"), "joint", committees=[0b11111])
        >>> found = eq.theory.theorem_1(joint)
        >>> found.holds_hypothesis.tolist(), found.bound.round(4).tolist(), found.measured.round(4).tolist()
        ([[True]], [[0.0833]], [[0.8267]])
    """
    expect_game(result, Joint, "best")
    check_choice("rows", rows, get_args(Rows))
    game, labels = result.tables, reference_labels(result.tables, reference)
    upper = lower = None
    if rows == "equilibrium":
        upper, lower = attained(result, result.worst_partition), attained(result, deviations(result, labels))
    eps, right, _ = epsilon_of(result, epsilon, weights, upper, lower)
    same = identical_induced_distribution(game, labels)[:, None] | single(result)
    aligned = user_utility(game, labels, None)[:, None]
    return make_bound(
        "Theorem 1",
        hypothesis="eps-market alignment, and the identical induced distribution condition for C*",
        numbers={"eps": eps, "U_A(C*)": aligned, "identical": same},
        holds=right & same,
        bound=aligned - 2 * eps,
        measured=result.worst_utility,
        tolerance=tolerance_of(result),
    )


def theorem_2(result: PartitionResult, *, epsilon: Any = None, delta: Any = None, reference: Any = None) -> Bound:
    """In every quantal response equilibrium the user has at least U_A(C*) - 2 eps - delta / 2 (2509.15090, Theorem 2).

    The paper has delta in place of delta / 2 and calls an L1 norm total variation; with either reading of delta its
    bound is no larger than this one, whose proof does without the step that fails (see the module). Utilities have a
    spread of at most one; where a member's is s > 1, delta counts s times.

    Args:
        result: from the joint game with quantal response.
        epsilon: a claim about eps, broadcast to `[B, C]`; None for the true one, of weights that sum to one.
        delta: a claim about delta in the L1 norm, broadcast to `[B]` or `[B, R]`; None to enumerate it (`closeness`).
        reference: `[X]` or `[B, X]` labels of C*; None for full revelation, whose delta is 0.

    Returns:
        A `Bound` on `worst_utility`. Numbers: eps, delta, U_A(C*).

    Raises:
        ValueError: if the result is of another game, an option has the wrong shape, or the reference is not full
            revelation and there are more than 6 states.

    Example:
        >>> import equilibrax as eq
        >>> table = eq.load_paper_table("synthetic-2")
        >>> joint = eq.solve(table, eq.Joint(response=eq.Quantal([1, 10])), committees=[0b11111])
        >>> found = eq.theory.theorem_2(joint)
        >>> found.bound.round(4).tolist(), found.measured.round(4).tolist()
        ([[[-0.2236], [0.0553]]], [[[0.6131], [0.7956]]])
    """
    expect_game(result, Joint, "quantal")
    game, labels = result.tables, reference_labels(result.tables, reference)
    eps, right, _ = epsilon_of(result, epsilon, "simplex")
    true = np.where(single(result), 0.0, by_lambda(result, closeness(game, labels, result.rationality)))
    claimed = true
    if delta is not None:
        given = by_lambda(result, check_numbers("delta", delta, 0, infinite=True))
        claimed = fill_shape("delta", given, true.shape, "a number")
    aligned = value_of(result, labels)
    return make_bound(
        "Theorem 2",
        hypothesis="eps-market alignment with weights that sum to one, and (delta, C*)-closeness in the L1 norm",
        numbers={"eps": eps, "delta": claimed, "U_A(C*)": aligned},
        holds=right & (claimed >= true - ROUNDING),
        bound=aligned - 2 * eps - member_spread(result) * claimed / 2,
        measured=result.worst_utility,
        tolerance=tolerance_of(result),
    )


def theorem_5(
    result: PartitionResult,
    *,
    rounds: float,
    failure: float = 0.1,
    zeta: float | None = None,
    epsilon: Any = None,
    substitutes: Any = None,
) -> Bound:
    """With information substitutes a quantal user has nearly first-best utility (2509.15090, Theorem 5).

    At least OPT - 2 eps - (2 (10 zeta^(1/3) + delta_conv) + exp(40 lambda zeta^(1/3)) - 1 + delta_conv) - log A /
    lambda, with zeta = sqrt(3 A / (K delta_conv)) after K rounds; A counts actions that are available. Where a member's
    utilities have a spread s > 1, the terms that come from closeness count s times.

    The theorem needs substitutes because its providers may only state beliefs. In the game over partitions they may
    reveal the state, which is worth OPT - log A / lambda without any condition, so there the bound holds anyway.

    Args:
        result: from the joint game with quantal response.
        rounds: K, rounds of straightforward conversation, at least 1; may be infinite.
        failure: delta_conv, between 0 and 1.
        zeta: a claim about the level of agreement; None for the one of K rounds (Theorem 3).
        epsilon: a claim about eps, broadcast to `[B, C]`; None for the true one, of weights that sum to one.
        substitutes: `[B]` bool, whether information is substitutes (Definition 14); None to check it, which takes
            2^(Z + X) steps.

    Returns:
        A `Bound` on `worst_utility`. Numbers: eps, zeta, delta_conv, and whether information is substitutes.

    Raises:
        ValueError: if the result is of another game, a number is out of range, or Z + X is too large for the check.

    Example:
        >>> import equilibrax as eq
        >>> table = eq.sample_tables("hull", 1, states=3, actions=2, providers=3, seed=0)
        >>> joint = eq.solve(table, eq.Joint(response=eq.Quantal(20)), committees=[0b111])
        >>> eq.theory.theorem_5(joint, rounds=1e36, failure=1e-3).bound.round(4).tolist()
        [[0.527]]
    """
    return _substitutes_bound("Theorem 5", result, rounds, failure, zeta, epsilon, substitutes)


def corollary_3(
    result: PartitionResult,
    *,
    rounds: float,
    failure: float = 0.1,
    zeta: float | None = None,
    epsilon: Any = None,
    substitutes: Any = None,
) -> Bound:
    """Theorem 5 for 10 lambda zeta^(1/3) <= 1/4, without the exponential (2509.15090, Corollary 3).

    At least OPT - 2 eps - (20 + 40 e lambda) zeta^(1/3) - 3 delta_conv - log A / lambda.

    Args:
        result: from the joint game with quantal response.
        rounds: K, rounds of straightforward conversation, at least 1; may be infinite.
        failure: delta_conv, between 0 and 1.
        zeta: a claim about the level of agreement; None for the one of K rounds (Theorem 3).
        epsilon: a claim about eps, broadcast to `[B, C]`; None for the true one, of weights that sum to one.
        substitutes: `[B]` bool, whether information is substitutes; None to check it.

    Returns:
        A `Bound` on `worst_utility`; see `theorem_5`.

    Raises:
        ValueError: if the result is of another game, a number is out of range, or Z + X is too large for the check.

    Example:
        >>> import equilibrax as eq
        >>> table = eq.sample_tables("hull", 1, states=3, actions=2, providers=3, seed=0)
        >>> joint = eq.solve(table, eq.Joint(response=eq.Quantal(20)), committees=[0b111])
        >>> eq.theory.corollary_3(joint, rounds=1e36, failure=1e-3).bound.round(4).tolist()
        [[0.5212]]
    """
    return _substitutes_bound("Corollary 3", result, rounds, failure, zeta, epsilon, substitutes)


def theorem_6(
    result: SelectionResult | PartitionResult,
    *,
    epsilon: Any = None,
    rows: Rows = "table",
    weights: Weights = "simplex",
) -> Bound:
    """In every equilibrium of the selection game the user has at least U_A(C*) - 2 eps (2509.15090, Theorem 6).

    There is no hypothesis besides market alignment. U_A(C*) is what an aligned provider gives her: her optimum, and
    for a quantal user the best of all partitions (the aligned game).

    Args:
        result: from the selection game or the obedient one.
        epsilon: a claim about eps, broadcast to `[B, C]` (`[B, R, C]`); None for the true one.
        rows: "table" (Definition 1), or "equilibrium" (Remark 5): outcomes of equilibria and of C* only. Over
            partitions, outcomes of the worst equilibrium, which is enough for its utility.
        weights: "simplex", or "nonnegative": the theorem holds for any sum of the weights (Remark 2).

    Returns:
        A `Bound` on `worst_utility`. Numbers: eps, U_A(C*).

    Raises:
        ValueError: if the result is of another game, or an option is unknown or of the wrong shape.

    Example:
        >>> import equilibrax as eq
        >>> selection = eq.solve(eq.load_paper_table("synthetic-2"), committees=[0b11000])
        >>> found = eq.theory.theorem_6(selection, rows="equilibrium", weights="nonnegative")  # attained
        >>> found.bound.round(4).tolist(), found.measured.round(4).tolist()
        ([[0.78]], [[0.78]])
    """
    check_choice("rows", rows, get_args(Rows))
    if isinstance(result, SelectionResult):
        aligned = result.optimum
        eps, right = epsilon_of_selection(result, epsilon, rows, weights)
        times = 1  # values are integers
    else:
        expect_game(result, Obedient, result.response)
        if result.response == "best":  # full revelation is best, and so is worth OPT
            aligned, rule = result.optimum, np.arange(result.tables.states)
        else:
            assert result.rationality is not None
            best = solve(result.tables, Aligned(response=Quantal(result.rationality, result.tolerance)))
            aligned, rule = best.best_utility, best.worst_partition
        upper = lower = None
        if rows == "equilibrium":
            rule = np.broadcast_to(rule, result.worst_partition.shape)
            upper, lower = attained(result, result.worst_partition), attained(result, rule)
        eps, right, times = epsilon_of(result, epsilon, weights, upper, lower)
    return make_bound(
        "Theorem 6",
        hypothesis="eps-market alignment" + (" on the outcomes of Remark 5" if rows == "equilibrium" else ""),
        numbers={"eps": eps, "U_A(C*)": aligned},
        holds=right,
        bound=aligned - 2 * eps,
        measured=result.worst_utility,
        tolerance=tolerance_of(result, times),
    )


def _substitutes_bound(
    name: str, result: PartitionResult, rounds: float, failure: float, zeta: float | None, epsilon: Any, given: Any
) -> Bound:
    """Theorem 5, or its form without the exponential."""
    expect_game(result, Joint, "quantal")
    check_number("rounds", rounds, 1, infinite=True)
    check_number("failure", failure, 0, 1, above=True)
    game = result.tables
    actions = np.asarray(game.available).any(axis=1).sum(axis=1)  # [B], those that a table has
    with np.errstate(over="ignore"):
        promised = by_lambda(result, np.sqrt(3 * actions / failure / rounds))
    level = promised if zeta is None else check_number("zeta", zeta, 0, above=True, infinite=True)
    eps, right, _ = epsilon_of(result, epsilon, "simplex")
    if given is not None:
        holds = check_flags("substitutes", given, (len(game),))
    else:  # a user who knows nothing has nothing to substitute
        holds = np.ones(len(game), bool) if game.signals == 1 else information_substitutes(game)
    wide = spreads(game)[:, 0] > 1 + ROUNDING
    lambdas, root, times = lambdas_of(result), np.cbrt(level), member_spread(result)
    with np.errstate(over="ignore", invalid="ignore"):
        product = np.where((lambdas == 0) | (root == 0), 0.0, lambdas * root)  # exact agreement at any rationality
        if name == "Theorem 5":
            error = 2 * (10 * root + failure) + times * (np.expm1(40 * product) + failure)
            small = np.bool_(True)
        else:
            error = 20 * root + times * 40 * np.e * product + (2 + times) * failure
            small = 10 * product <= 1 / 4
    hypothesis = "eps-market alignment with weights that sum to one, information substitutes, zeta of K rounds"
    return make_bound(
        name,
        hypothesis=hypothesis + ("" if name == "Theorem 5" else ", 10 lambda zeta^(1/3) <= 1/4"),
        numbers={"eps": eps, "zeta": level, "delta_conv": failure, "substitutes": by_lambda(result, holds)},
        holds=right & by_lambda(result, holds & ~wide) & (level >= promised * (1 - ROUNDING)) & small,
        bound=result.optimum - 2 * eps - error - response_gap(result),
        measured=result.worst_utility,
        tolerance=tolerance_of(result),
    )
