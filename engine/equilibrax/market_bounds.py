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

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from equilibrax._bound_parts import ROUNDING
from equilibrax._prepare import check_choice, committee_masks
from equilibrax.bound import Bound, make_bound
from equilibrax.garbling import SharedUtility, shared_utility
from equilibrax.market import Market
from equilibrax.market_conditions import (
    StrongAlignment,
    WeakAlignment,
    strong_market_alignment,
    weak_market_alignment,
)

PAPER = "2602.13451"

Benchmark = Literal["garbling", "partitions"]
Aligned = int | Sequence[int] | None


def market_theorem_3_1(
    result: Any,
    *,
    aligned: Aligned = None,
    alignment: WeakAlignment | None = None,
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
        >>> market, newcomer = eq.theorem_5_2_market()
        >>> found = eq.market_theorem_3_1(eq.solve(newcomer.join(market), "personalized"))
        >>> print(found.text((0, 0, 0)))
        Theorem 3.1: 1.000000 >= 1.000000 (eps_U 0, eps_P 0, mu 4, u(C*) 1): holds
    """
    masks = _aligned(result, aligned)
    found = _weak(result.market, masks, alignment)
    return _weak_bound("Theorem 3.1", result, result.market, masks, found, epsilon, benchmark, np.bool_(True))


def market_theorem_5_1(
    result: Any,
    original: Market,
    *,
    aligned: Aligned = None,
    alignment: WeakAlignment | None = None,
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
        >>> market, newcomer = eq.theorem_5_2_market()
        >>> after = eq.solve(newcomer.join(market), "personalized")
        >>> eq.market_theorem_5_1(after, market).bound.tolist()
        [[[1.0]]]
    """
    masks = _aligned(result, aligned)
    market = result.market
    sizes = (len(market), market.num_providers, market.states)
    if (len(original), original.num_providers, original.states) != sizes or original.users >= market.users:
        raise ValueError(
            f"original: expected {sizes[0]} markets of {sizes[1]} providers, {sizes[2]} states and fewer than "
            f"{market.users} users, got {len(original)} of {original.num_providers}, {original.states} and "
            f"{original.users}"
        )
    found = _weak(original, masks, alignment)
    augmented = _augments(market, original)[:, None, None]
    return _weak_bound("Theorem 5.1", result, original, masks, found, epsilon, benchmark, augmented)


def market_theorem_4_3(
    result: Any, *, aligned: Aligned = None, alignment: StrongAlignment | None = None, epsilon: Any = None
) -> Bound:
    """If providers can reveal everything, user i has at least u_i(C*_S,T) - 2 eps / lambda*_i (Theorem 4.3).

    In every equilibrium of the anonymous game, and of the personalized one.

    Args:
        result: from `solve` of a market, with the best response.
        aligned: T, a bitmask, or one for each committee; None for the committee itself.
        alignment: strong alignment for these T (`strong_market_alignment`); None to compute it.
        epsilon: a claim about eps, broadcast to `[B, C]`, which the hypothesis then compares with the true one.

    Returns:
        A `Bound` on `worst_utility`. Numbers: eps, lambda*, u(C*).

    Raises:
        ValueError: if the response is not the best one, T is no bitmask, or the alignment is of other committees.

    Example:
        >>> import equilibrax as eq
        >>> market, newcomer = eq.theorem_5_2_market()
        >>> print(eq.market_theorem_4_3(eq.solve(market, "anonymous")).text((0, 0, 0)))
        Theorem 4.3: 1.000000 >= 1.000000 (eps 0, lambda* 0.5, u(C*) 1): holds
    """
    masks = _aligned(result, aligned)
    found = _strong(result.market, masks, alignment)
    eps, right = _claim(epsilon, found.committee_error, result.market)
    shared = _shared(result, result.market, masks)
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = np.where(found.covered, 2 * eps[..., None] / found.best_weight, np.inf)
    return make_bound(
        "Theorem 4.3",
        hypothesis="(T, eps)-strong market alignment of a T within the committee, which covers the user; rules may "
        "reveal everything",
        numbers={"eps": eps[..., None], "lambda*": found.best_weight, "u(C*)": shared.utility},
        holds=_inside(result, masks)[:, None] & right[..., None] & found.covered,
        bound=shared.utility - loss,
        measured=result.worst_utility,
        tolerance=_strong_tolerance(result.market, found),
        paper=PAPER,
    )


def market_theorem_4_4(
    result: Any,
    *,
    aligned: Aligned = None,
    alignment: StrongAlignment | None = None,
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
        >>> market, newcomer = eq.theorem_5_2_market()
        >>> found = eq.market_theorem_4_4(eq.solve(market, "anonymous"))
        >>> found.bound.tolist(), found.numbers["delta_i"].tolist()
        ([[[1.0]]], [[[0.0]]])
    """
    masks = _aligned(result, aligned)
    market = result.market
    found = _strong(market, masks, alignment)
    eps, right = _claim(epsilon, found.committee_error, market)
    shared = _shared(result, market, masks)
    alone = _shared(result, market, np.array([1 << j for j in range(market.num_providers)], np.int32)).utility
    true = (alone[:, None] - shared.utility[:, :, None]).max(axis=3)  # [B, C, K]
    member = (masks[:, None] >> np.arange(market.num_providers)) & 1 == 1
    claimed = true if delta is None else _broadcast("delta", delta, true.shape)
    enough = ((claimed >= true - ROUNDING) | ~member).all(axis=2)[..., None]
    others = found.weights.sum(axis=2, keepdims=True) - found.weights  # [B, K, N]
    usable = member[None, :, :, None] & (found.weights > 0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        each = (claimed[..., None] * others[:, None] + 2 * eps[..., None, None]) / found.weights[:, None]
    loss = np.where(usable, each, np.inf).min(axis=2)
    room = messages is None or messages >= market.users
    return make_bound(
        "Theorem 4.4",
        hypothesis="(T, eps)-strong market alignment of a T within the committee, which covers the user; Delta_R; as "
        "many messages as users",
        numbers={"eps": eps[..., None], "delta_i": loss, "u(C*)": shared.utility},
        holds=_inside(result, masks)[:, None] & right[..., None] & found.covered & enough & room,
        bound=shared.utility - loss,
        measured=result.worst_utility,
        tolerance=_strong_tolerance(market, found),
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
        >>> market, newcomer = eq.theorem_5_2_market()
        >>> list(eq.market_bounds(eq.solve(newcomer.join(market), "personalized"), original=market))
        ['Theorem 3.1', 'Theorem 5.1', 'Theorem 4.3']
    """
    found = {}
    if result.game == "personalized" and result.market.separable:
        found["Theorem 3.1"] = market_theorem_3_1(result, aligned=aligned)
        if original is not None:
            found["Theorem 5.1"] = market_theorem_5_1(result, original, aligned=aligned)
    strong = strong_market_alignment(result.market, _aligned(result, aligned).tolist(), throw=False)
    found["Theorem 4.3"] = market_theorem_4_3(result, aligned=aligned, alignment=strong)
    if result.game == "anonymous":
        found["Theorem 4.4"] = market_theorem_4_4(result, aligned=aligned, alignment=strong)
    return found


# --- parts ------------------------------------------------------------------------------------------------------------


def _weak_bound(name, result, market: Market, masks, found: WeakAlignment, epsilon, benchmark, extra) -> Bound:
    check_choice("benchmark", benchmark, get_args(Benchmark))
    shared = _shared(result, market, masks)
    # If utilities depended on more than the outcome, rules of one law with it could still differ for the providers.
    posted = np.where(_depends_on_outcome(market, masks)[:, :, None], shared.partitions, shared.public)
    aligned = shared.utility if benchmark == "garbling" else posted
    eps, right = _claim(epsilon, found.error, market)
    per_provider = np.broadcast_to(found.committee_error[..., None], eps.shape)
    with np.errstate(invalid="ignore"):
        loss = 2 * eps + np.where(per_provider > 0, 2 * per_provider * found.mu, 0.0)
    can = (aligned <= posted + ROUNDING) & (result.game == "personalized")
    return make_bound(
        name,
        hypothesis="personalized rules; (T, eps_U, eps_P)-weak market alignment of a T within the committee, which "
        "covers the user; all of T can post the shared rule",
        numbers={"eps_U": eps, "eps_P": per_provider, "mu": found.mu, "u(C*)": aligned},
        holds=_inside(result, masks)[:, None] & right & found.covered & can & extra,
        bound=aligned - loss,
        measured=np.asarray(result.worst_utility)[..., : market.users],
        tolerance=ROUNDING * _spread(market),
        paper=PAPER,
    )


def _aligned(result: Any, aligned: Aligned) -> Int[np.ndarray, " C"]:
    """T for every committee."""
    if result.response != "best":
        raise ValueError(f"result: expected the best response, got {result.response!r}")
    committees = np.asarray(result.committees)
    if aligned is None:
        return committees.astype(np.int32)
    masks = [aligned] * len(committees) if isinstance(aligned, int | np.integer) else list(aligned)
    if len(masks) != len(committees):
        raise ValueError(f"aligned: expected a bitmask, or {len(committees)} of them, got {len(masks)}")
    return committee_masks(masks, result.market.num_providers)


def _inside(result: Any, masks: np.ndarray) -> Bool[np.ndarray, " C"]:
    return masks & ~np.asarray(result.committees) == 0


def _weak(market: Market, masks: np.ndarray, given: WeakAlignment | None) -> WeakAlignment:
    if given is None:
        return weak_market_alignment(market, masks.tolist(), throw=False)  # eps is attained, so never too small
    return _checked(given, masks)


def _strong(market: Market, masks: np.ndarray, given: StrongAlignment | None) -> StrongAlignment:
    return strong_market_alignment(market, masks.tolist(), throw=False) if given is None else _checked(given, masks)


def _checked(given: Any, masks: np.ndarray) -> Any:
    if given.committees.tolist() != masks.tolist():
        raise ValueError(f"alignment: expected the sets {masks.tolist()}, got {given.committees.tolist()}")
    return given


def _shared(result: Any, market: Market, masks: np.ndarray) -> SharedUtility:
    """Attained, so never too large."""
    return shared_utility(market, masks.tolist(), rules=getattr(result, "rules", "obedience"), throw=False)


def _claim(claim: Any, true: np.ndarray, market: Market) -> tuple[np.ndarray, np.ndarray]:
    """eps, and where it is no less than the true one."""
    if claim is None:
        return true, np.ones(true.shape, bool)
    eps = _broadcast("epsilon", claim, true.shape)
    return eps, eps >= true - ROUNDING * _spread(market).reshape(-1, *[1] * (true.ndim - 1))


def _broadcast(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value, float)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name}: expected a number or shape {list(shape)}, got {list(array.shape)}") from None


def _spread(market: Market) -> Float[np.ndarray, "B 1 1"]:
    """The largest utility of a user in size, at least 1."""
    return np.maximum(1.0, np.abs(np.asarray(market.user)).max(axis=(1, 2, 3)) / market.resolution)[:, None, None]


def _strong_tolerance(market: Market, found: StrongAlignment) -> Float[np.ndarray, "B C N"]:
    """Rounding of eps counts 1 / lambda* times."""
    with np.errstate(divide="ignore"):
        factor = np.where(found.covered, 1 / found.best_weight, 0.0)
    return _spread(market) * (ROUNDING + 1e-14 * factor)


def _depends_on_outcome(market: Market, masks: np.ndarray) -> Bool[np.ndarray, "B C"]:
    """Whether the utilities of the providers in T depend on the outcome, and not on who observes what."""
    of = np.asarray(market.state_of)
    first = np.unique(of, return_index=True)[1][np.unique(of, return_inverse=True)[1].reshape(-1)]
    if market.components is not None:
        parts = np.asarray(market.components)
        same = (parts == parts[:, :, :, first]) | ~np.asarray(market.available)[:, None, :, None]
    else:
        parts = np.asarray(market.tensor)
        same = parts == parts[:, :, first]
    every = same.all(axis=tuple(range(2, same.ndim)))  # [B, K]
    member = (masks[:, None] >> np.arange(market.num_providers)) & 1 == 1
    return (every[:, None] | ~member).all(axis=2)


def _augments(market: Market, original: Market) -> Bool[np.ndarray, " B"]:
    """Whether the one market is the other with more users, whose utilities are mixed into the providers'."""
    n, a = original.users, original.actions
    static = market.provider_sees == original.provider_sees and market.state_of == original.state_of
    static &= market.user_sees[:n] == original.user_sees and market.resolution == original.resolution
    static &= market.separable == original.separable
    if not static:
        return np.zeros(len(market), bool)
    pairs = [(market.prior, original.prior), (np.asarray(market.user)[:, :n, :, :a], original.user)]
    pairs += [(np.asarray(market.available)[:, :n, :a], original.available)]
    same = np.ones(len(market), bool)
    for new, old in pairs:
        same &= (np.asarray(new) == np.asarray(old)).reshape(len(market), -1).all(axis=1)
    same &= ~np.asarray(market.available)[:, :n, a:].any(axis=(1, 2))
    if market.components is not None and original.components is not None:
        new, old = np.asarray(market.components)[:, :, :n, :, :a], np.asarray(original.components)
        same &= ((new == old) | (np.asarray(original.weights) == 0)[..., None, None]).all(axis=(1, 2, 3, 4))
        new, old = np.asarray(market.weights)[:, :, :n] / 1.0, np.asarray(original.weights) / 1.0
        return same & _proportional(new, old)
    own = np.asarray(original.tensor, np.float64)
    extra = market.users - n
    cut = (slice(None),) * 3 + (slice(a),) * n
    new = np.asarray(market.tensor, np.float64)[cut]
    reference = (slice(None),) * 3 + (slice(1),) * n
    old = (own - own[reference]).reshape(*own.shape, *[1] * extra)
    return same & _proportional(*np.broadcast_arrays(new - new[reference], old))


def _proportional(new: np.ndarray, old: np.ndarray) -> Bool[np.ndarray, " B"]:
    """Whether every provider's numbers are a positive multiple of the old ones (`[B, K, ...]`)."""
    new, old = (values.reshape(*values.shape[:2], -1) for values in (new, old))
    square = (old * old).sum(axis=2)
    ratio = (new * old).sum(axis=2) / np.where(square > 0, square, 1.0)
    close = np.abs(new - ratio[..., None] * old) <= 1e-12 * np.abs(new).max(axis=2, initial=0.0)[..., None]
    return (close.all(axis=2) & ((ratio > 0) | (square == 0))).all(axis=1)
