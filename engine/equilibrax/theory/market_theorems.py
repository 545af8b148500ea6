"""What users have in every equilibrium of a market: Theorems 3.1, 4.3, 4.4 and 5.1 of 2602.13451, as checked bounds.

All compare the worst equilibrium with the shared benchmark u_i(C*_S,T) of a set T of aligned providers, a subset of the
committee that plays. In the finite games a rule is a partition of the states, which matters in two places:

- Theorems 3.1 and 5.1 let every provider of T deviate to the shared rule. Where that needs randomized maps, the finite
  game lacks the deviation, the bound can fail, and nothing is promised; `benchmark="partitions"` compares with the best
  shared rule that partitions can implement, where the proof goes through.
- Theorems 4.3 and 4.4 let one provider reveal everything. That is a partition, it is user-dominant (Definition 4.2)
  for users who respond best, and it is worth at least any common garbling. So 4.3 always applies where 4.4 does.

A proof for user i needs coverage of user i alone, so hypotheses are per user. The proof of Theorem 4.3 only uses that
the deviation reaches user i and hurts nobody; so it holds in the personalized game as well.

Arrays are `[B, C, N]`. Users who respond quantally are not covered by the paper, and refused.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from equilibrax._core.checks import check_choice, check_numbers, check_whole, expect
from equilibrax.games import Anonymous, Personalized, bounds_for, register_bounds
from equilibrax.problems.market import Market
from equilibrax.theory._market_parts import (
    Aligned,
    aligned_sets,
    augments,
    benchmark_of,
    claimed_error,
    depends_on_outcome,
    inside,
    spread,
    strong_or_computed,
    strong_tolerance,
    weak_or_computed,
)
from equilibrax.theory._parts import ROUNDING
from equilibrax.theory.bound import Bound, make_bound
from equilibrax.theory.many_user_alignment import (
    StrongMarketAlignment,
    WeakMarketAlignment,
    least_loss,
    strong_market_alignment,
)

PAPER = "2602.13451"

_STRONG = (
    "(T, eps)-strong market alignment of a T within the committee, which covers the user; rules may reveal everything"
)

Benchmark = Literal["garbling", "partitions"]


def market_theorem_3_1(
    result: Any,
    *,
    aligned: Aligned = None,
    alignment: WeakMarketAlignment | None = None,
    epsilon: Any = None,
    benchmark: Benchmark = "garbling",
) -> Bound:
    """In every personalized equilibrium user i has at least u_i(C*_S,T) - 2 eps_U - 2 eps_P mu_i (Theorem 3.1).

    Args:
        result: from `solve` of a market, with the best response.
        aligned: T, a bitmask, or one for each committee; None for the committee itself.
        alignment: weak alignment for these T (`weak_market_alignment`); None to compute it, which a general market
            needs components for.
        epsilon: a claim about eps_U, broadcast to `[B, C, N]`, which the hypothesis then compares with the true one.
        benchmark: "garbling", the best shared rule; "partitions", the best one without randomization.

    Returns:
        A `Bound` on `worst_utility`. Numbers: eps_U, eps_P, mu, u(C*).

    Raises:
        ValueError: if the response is not the best one, an option is unknown, T is no bitmask, or the alignment is of
            other committees.

    Example:
        >>> import equilibrax as eq
        >>> market, newcomer = eq.problems.theorem_5_2_market()
        >>> found = eq.theory.market_theorem_3_1(eq.solve(newcomer.join(market), "personalized"))
        >>> print(found.text((0, 0, 0)))
        Theorem 3.1: 1.000000 >= 1.000000 (eps_U 0, eps_P 0, mu 4, u(C*) 1): holds
    """
    masks = aligned_sets(result, aligned)
    found = weak_or_computed(result.market, masks, alignment)
    return _weak_bound("Theorem 3.1", result, result.market, masks, found, epsilon, benchmark, np.bool_(True))


def market_theorem_5_1(
    result: Any,
    original: Market,
    *,
    aligned: Aligned = None,
    alignment: WeakMarketAlignment | None = None,
    epsilon: Any = None,
    benchmark: Benchmark = "garbling",
) -> Bound:
    """After a user has entered a personalized market, the others keep the bound that they had (Theorem 5.1).

    Args:
        result: from `solve` of the augmented market (`Market.add_user`), with the best response.
        original: the market before.
        aligned: T, a bitmask, or one for each committee; None for the committee itself.
        alignment: weak alignment of the original market for these T; None to compute it.
        epsilon: a claim about eps_U in the original market, broadcast to `[B, C, N]`.
        benchmark: as for `market_theorem_3_1`.

    Returns:
        A `Bound` on `worst_utility` of the N original users. Numbers: eps_U, eps_P, mu, u(C*).

    Raises:
        ValueError: as for `market_theorem_3_1`, or if the original market has another size or no fewer users.

    Example:
        >>> import equilibrax as eq
        >>> market, newcomer = eq.problems.theorem_5_2_market()
        >>> after = eq.solve(newcomer.join(market), "personalized")
        >>> eq.theory.market_theorem_5_1(after, market).bound.tolist()
        [[[1.0]]]
    """
    masks = aligned_sets(result, aligned)
    market, original = result.market, expect("original", original, Market)
    sizes = (len(market), market.num_providers, market.states)
    if (len(original), original.num_providers, original.states) != sizes or original.users >= market.users:
        raise ValueError(
            f"original: expected {sizes[0]} markets of {sizes[1]} providers, {sizes[2]} states and fewer than "
            f"{market.users} users, got {len(original)} of {original.num_providers}, {original.states} and "
            f"{original.users}"
        )
    found = weak_or_computed(original, masks, alignment)
    augmented = augments(market, original)[:, None, None]
    return _weak_bound("Theorem 5.1", result, original, masks, found, epsilon, benchmark, augmented)


def market_theorem_4_3(
    result: Any, *, aligned: Aligned = None, alignment: StrongMarketAlignment | None = None, epsilon: Any = None
) -> Bound:
    """If providers can reveal everything, user i has at least u_i(C*_S,T) - 2 eps / lambda*_i (Theorem 4.3).

    In every equilibrium of the anonymous game, and of the personalized one. It holds for any weights lambda, so the
    ones taken are those of least 2 eps / lambda_i (`least_loss`), for each user the best member of T.

    Args:
        result: from `solve` of a market, with the best response.
        aligned: T, a bitmask, or one for each committee; None for the committee itself.
        alignment: strong alignment for these T (`strong_market_alignment`), whose weights are then taken instead.
        epsilon: a claim about eps, broadcast to `[B, C]`, which the hypothesis then compares with the true one of those
            weights (computed, if they are not given).

    Returns:
        A `Bound` on `worst_utility`. Numbers: eps, lambda*, u(C*). Where no weights promise more than the user's
        smallest utility, eps and lambda* may be infinite; the hypothesis then holds if the weights of least eps cover
        her.

    Raises:
        ValueError: if the response is not the best one, T is no bitmask, or the alignment is of other committees.

    Example:
        >>> import equilibrax as eq
        >>> market, newcomer = eq.problems.theorem_5_2_market()
        >>> print(eq.theory.market_theorem_4_3(eq.solve(market, "anonymous")).text((0, 0, 0)))
        Theorem 4.3: 1.000000 >= 1.000000 (eps 0, lambda* 0.5, u(C*) 1): holds
    """
    masks = aligned_sets(result, aligned)
    found = strong_or_computed(result.market, masks, alignment)
    if alignment is None and epsilon is None:
        return _best_strong_bound(result, masks, found)
    eps, right = claimed_error(epsilon, found.committee_error, result.market)
    shared = benchmark_of(result, result.market, masks)
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = np.where(found.covered, 2 * eps[..., None] / found.best_weight, np.inf)
    return make_bound(
        "Theorem 4.3",
        hypothesis=_STRONG,
        numbers={"eps": eps[..., None], "lambda*": found.best_weight, "u(C*)": shared.utility},
        holds=inside(result, masks)[:, None] & right[..., None] & found.covered,
        bound=shared.utility - loss,
        measured=result.worst_utility,
        tolerance=strong_tolerance(result.market, np.where(found.covered, found.best_weight, np.inf)),
        paper=PAPER,
    )


def market_theorem_4_4(
    result: Any,
    *,
    aligned: Aligned = None,
    alignment: StrongMarketAlignment | None = None,
    epsilon: Any = None,
    delta: Any = None,
    messages: int | None = None,
) -> Bound:
    """If one round more is worth little, user i has at least u_i(C*_S,T,R-1) - delta_i (Theorem 4.4).

    delta_i is the least of `Delta_R(j) (sum of lambda_ji' of the other users) / lambda_ji + 2 eps / lambda_ji` over the
    providers j in T with lambda_ji > 0. Delta_R(j) is what any user gains at most from the best that j can do in R
    rounds over the best shared rule of R - 1. In the finite games one message may say everything, so for R of at least
    2 it is what some user loses if she hears the shared rule instead of all that j knows.

    Args:
        result: from `solve` of a market, with the best response.
        aligned: T, a bitmask, or one for each committee; None for the committee itself.
        alignment: strong alignment for these T (`strong_market_alignment`); None to compute it.
        epsilon: a claim about eps, broadcast to `[B, C]`.
        delta: a claim about Delta_R, broadcast to `[B, C, K]`, which the hypothesis then compares with the true one;
            None for the true one.
        messages: size of the message space, which must allow every user to name herself; None: as large as need be.

    Returns:
        A `Bound` on `worst_utility`. Numbers: eps, delta_i, u(C*).

    Raises:
        ValueError: as for `market_theorem_4_3`, or if a claim has the wrong shape.

    Example:
        >>> import equilibrax as eq
        >>> market, newcomer = eq.problems.theorem_5_2_market()
        >>> found = eq.theory.market_theorem_4_4(eq.solve(market, "anonymous"))
        >>> found.bound.tolist(), found.numbers["delta_i"].tolist()
        ([[[1.0]]], [[[0.0]]])
    """
    masks = aligned_sets(result, aligned)
    market = result.market
    found = strong_or_computed(market, masks, alignment)
    eps, right = claimed_error(epsilon, found.committee_error, market)
    shared = benchmark_of(result, market, masks)
    alone = benchmark_of(result, market, np.array([1 << j for j in range(market.num_providers)], np.int32)).utility
    true = (alone[:, None] - shared.utility[:, :, None]).max(axis=3)  # [B, C, K]
    member = (masks[:, None] >> np.arange(market.num_providers)) & 1 == 1
    claimed = true if delta is None else check_numbers("delta", delta, 0, infinite=True, shape=true.shape)
    enough = ((claimed >= true - ROUNDING) | ~member).all(axis=2)[..., None]
    others = found.weights.sum(axis=2, keepdims=True) - found.weights  # [B, K, N]
    usable = member[None, :, :, None] & (found.weights > 0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        each = (claimed[..., None] * others[:, None] + 2 * eps[..., None, None]) / found.weights[:, None]
    loss = np.where(usable, each, np.inf).min(axis=2)
    if messages is not None:
        check_whole("messages", messages, 1)
    room = messages is None or messages >= market.users
    return make_bound(
        "Theorem 4.4",
        hypothesis="(T, eps)-strong market alignment of a T within the committee, which covers the user; Delta_R; as "
        "many messages as users",
        numbers={"eps": eps[..., None], "delta_i": loss, "u(C*)": shared.utility},
        holds=inside(result, masks)[:, None] & right[..., None] & found.covered & enough & room,
        bound=shared.utility - loss,
        measured=result.worst_utility,
        tolerance=strong_tolerance(market, np.where(found.covered, found.best_weight, np.inf)),
        paper=PAPER,
    )


def market_bounds(result: Any, *, aligned: Aligned = None, original: Market | None = None) -> dict[str, Bound]:
    """The bounds of 2602.13451 that apply to a result, by name, with the best alignment and benchmark computed.

    Theorem 3.1 in a personalized separable market, 4.3, 4.4 in an anonymous one, 5.1 with the market before a user
    entered.

    Args:
        result: from `solve` of a market, with the best response.
        aligned: T, a bitmask, or one for each committee; None for the committee itself.
        original: the market before a user entered, for Theorem 5.1.

    Raises:
        ValueError: as for the theorems.

    Example:
        >>> import equilibrax as eq
        >>> market, newcomer = eq.problems.theorem_5_2_market()
        >>> list(eq.theory.market_bounds(eq.solve(newcomer.join(market), "personalized"), original=market))
        ['Theorem 3.1', 'Theorem 5.1', 'Theorem 4.3']
    """
    aligned_sets(result, aligned)
    found = bounds_for(result.game)
    return found(result, aligned=aligned, original=original) if found else {}


@register_bounds(Personalized)
def _personalized_bounds(result: Any, *, aligned: Aligned, original: Market | None) -> dict[str, Bound]:
    found = {}
    if result.market.separable:
        found["Theorem 3.1"] = market_theorem_3_1(result, aligned=aligned)
        if original is not None:
            found["Theorem 5.1"] = market_theorem_5_1(result, original, aligned=aligned)
    masks = aligned_sets(result, aligned)
    strong = strong_market_alignment(result.market, masks.tolist(), throw=False)
    return found | {"Theorem 4.3": _best_strong_bound(result, masks, strong)}


@register_bounds(Anonymous)
def _anonymous_bounds(result: Any, *, aligned: Aligned, original: Market | None) -> dict[str, Bound]:
    masks = aligned_sets(result, aligned)
    strong = strong_market_alignment(result.market, masks.tolist(), throw=False)
    general = market_theorem_4_4(result, aligned=aligned, alignment=strong)
    return {"Theorem 4.3": _best_strong_bound(result, masks, strong), "Theorem 4.4": general}


# --- parts ------------------------------------------------------------------------------------------------------------


def _best_strong_bound(result, masks, found: StrongMarketAlignment) -> Bound:
    """Theorem 4.3 with the weights of least 2 eps / lambda_i; the others say whether a user is covered at all."""
    least = least_loss(result.market, throw=False)  # attained, so never too small
    shared = benchmark_of(result, result.market, masks)
    member = ((masks[:, None] >> np.arange(result.market.num_providers)) & 1 == 1)[None, :, :, None]
    each = np.where(member, least.loss[:, None], np.inf)  # [B, C, K, N]
    best, loss = each.argmin(axis=2)[:, :, None], each.min(axis=2)
    factor = np.take_along_axis(np.broadcast_to(least.factor[:, None], each.shape), best, axis=2)[:, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = 1 / factor
        eps = np.where(factor > 0, loss / 2 * weight, np.inf)
    covered = found.covered | (least.covered[:, None] & member).any(axis=2)
    return make_bound(
        "Theorem 4.3",
        hypothesis=_STRONG,
        numbers={"eps": eps, "lambda*": weight, "u(C*)": shared.utility},
        holds=inside(result, masks)[:, None] & covered,
        bound=shared.utility - loss,
        measured=result.worst_utility,
        tolerance=strong_tolerance(result.market, weight),
        paper=PAPER,
    )


def _weak_bound(name, result, market: Market, masks, found: WeakMarketAlignment, epsilon, benchmark, extra) -> Bound:
    check_choice("benchmark", benchmark, get_args(Benchmark))
    shared = benchmark_of(result, market, masks)
    # If utilities depended on more than the outcome, rules of one law with it could still differ for the providers.
    posted = np.where(depends_on_outcome(market, masks)[:, :, None], shared.partitions, shared.public)
    aligned = shared.utility if benchmark == "garbling" else posted
    eps, right = claimed_error(epsilon, found.error, market)
    per_provider = np.broadcast_to(found.committee_error[..., None], eps.shape)
    with np.errstate(invalid="ignore"):
        loss = 2 * eps + np.where(per_provider > 0, 2 * per_provider * found.mu, 0.0)
    can = (aligned <= posted + ROUNDING) & result.game.per_user
    return make_bound(
        name,
        hypothesis="personalized rules; (T, eps_U, eps_P)-weak market alignment of a T within the committee, which "
        "covers the user; all of T can post the shared rule",
        numbers={"eps_U": eps, "eps_P": per_provider, "mu": found.mu, "u(C*)": aligned},
        holds=inside(result, masks)[:, None] & right & found.covered & can & extra,
        bound=aligned - loss,
        measured=np.asarray(result.worst_utility)[..., : market.users],
        tolerance=ROUNDING * spread(market),
        paper=PAPER,
    )
