"""Alignment of a market: weak and strong market alignment with the smallest worst-case errors (2602.13451, Section 2).

**Weak** (Definition 2.13). Provider j's utility is `sum_i lambda_ji F_ji(a_i, y) + c_j` up to eps_P, and user i's is
`sum_{j in T} w_ji F_ji(a_i, y) + c_i` up to eps_U, with weights that are not negative. They need not sum to anything.
Only providers with lambda_ji > 0 may have a weight w_ji > 0: they are left out of the fit otherwise. A user is covered
if there is such a provider in T. The definition wants w_ji > 0 for one of them, which costs nothing: a weight may be as
small as one likes, so Theorem 3.1 holds for the weights of the fit even if they are all zero.

- A separable market has eps_P = 0 with its own weights and components.
- For a general one, components are given and lambda_j is fitted to the tensor over all profiles.

**Strong** (Definition 2.14). Provider j's utility is `sum_i lambda_ji u_i(a_i, y) + c_j` up to eps. This says something
about each provider alone, so a set T has the largest error of its members. For a separable market the largest and the
smallest residual over all profiles are sums over users of largest and smallest terms, which keeps the program small.

Worlds stand for y: worlds that differ in what people observe alone repeat the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from equilibrax._core.committees import committee_masks
from equilibrax._core.status import SolveError
from equilibrax.fits.chebyshev import TOLERANCE
from equilibrax.problems.market import Market, expect_market
from equilibrax.theory._market_alignment import fit_outcomes
from equilibrax.theory._strong_program import extremes, strong_fits


@dataclass(frozen=True)
class WeakMarketAlignment:
    """(T, eps_U, eps_P)-weak market alignment of B markets, for C committees T and N users.

    Attributes:
        error: `[B, C, N]` eps_U of every user.
        weights: `[B, C, K, N]` w_ji; zero outside T.
        offset: `[B, C, N]` c_i.
        provider_error: `[B, K]` eps_P of every provider.
        provider_weights: `[B, K, N]` lambda_ji.
        provider_offset: `[B, K]` c_j; zero in separable markets.
        covered: `[B, C, N]` whether T has a provider with lambda_ji > 0, and no other provider a weight w_ji > 0; for
            weights that were given, one of the former must have a weight too.
        gap: `[B, C, N]` eps_U minus the lower bound that is proved; 0 for weights that were given.
        certified: `[B, C, N]` whether that gap, and the one of every member's eps_P, is within 1e-9 times the range of
            the utilities that are fitted.
        committees: `[C]` bitmasks.
    """

    error: Float[np.ndarray, "B C N"]
    weights: Float[np.ndarray, "B C K N"]
    offset: Float[np.ndarray, "B C N"]
    provider_error: Float[np.ndarray, "B K"]
    provider_weights: Float[np.ndarray, "B K N"]
    provider_offset: Float[np.ndarray, "B K"]
    covered: Bool[np.ndarray, "B C N"]
    gap: Float[np.ndarray, "B C N"]
    certified: Bool[np.ndarray, "B C N"]
    committees: Int[np.ndarray, " C"]

    @property
    def committee_error(self) -> Float[np.ndarray, "B C"]:
        """eps_P of a committee: the largest of its members'."""
        return _largest(self.provider_error, self.committees)

    @property
    def mu(self) -> Float[np.ndarray, "B C N"]:
        """mu_i = sum of w_ji / lambda_ji over the providers with w_ji > 0 (Theorem 3.1)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(self.weights > 0, self.weights / self.provider_weights[:, None], 0.0)
        return ratios.sum(axis=2)

    @property
    def loss(self) -> Float[np.ndarray, "B C N"]:
        """2 eps_U + 2 eps_P mu_i, what a user may lose in the personalized game (Theorem 3.1)."""
        per_user = np.broadcast_to(self.committee_error[..., None], self.error.shape)
        with np.errstate(invalid="ignore"):
            return 2 * self.error + np.where(per_user > 0, 2 * per_user * self.mu, 0.0)


@dataclass(frozen=True)
class StrongMarketAlignment:
    """(T, eps)-strong market alignment of B markets, for C committees T and N users.

    Attributes:
        error: `[B, K]` eps of every provider, attained by the weights.
        weights: `[B, K, N]` lambda_ji.
        offset: `[B, K]` c_j.
        gap: `[B, K]` eps minus the lower bound that is proved; 0 for weights that were given.
        certified: `[B, K]` whether it is within 1e-9 times the range of the provider's utilities.
        committees: `[C]` bitmasks.
    """

    error: Float[np.ndarray, "B K"]
    weights: Float[np.ndarray, "B K N"]
    offset: Float[np.ndarray, "B K"]
    gap: Float[np.ndarray, "B K"]
    certified: Bool[np.ndarray, "B K"]
    committees: Int[np.ndarray, " C"]

    @property
    def committee_error(self) -> Float[np.ndarray, "B C"]:
        """eps of a committee: the largest of its members'."""
        return _largest(self.error, self.committees)

    @property
    def best_weight(self) -> Float[np.ndarray, "B C N"]:
        """lambda*_i, the largest weight that a member gives to user i (Theorem 4.3); 1 / lambda* is her transfer
        factor (Section 6)."""
        member = _members(self.committees, self.weights.shape[1])
        return np.where(member[..., None], self.weights[:, None], 0.0).max(axis=2)

    @property
    def covered(self) -> Bool[np.ndarray, "B C N"]:
        """Whether a member gives weight to the user."""
        return self.best_weight > 0

    @property
    def loss(self) -> Float[np.ndarray, "B C N"]:
        """2 eps / lambda*_i (Theorem 4.3); infinite for a user who is not covered."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.covered, 2 * self.committee_error[..., None] / self.best_weight, np.inf)


def weak_market_alignment(
    market: Market,
    committees: Literal["all"] | Sequence[int] = "all",
    *,
    components: Any = None,
    weights: Any = None,
    provider_weights: Any = None,
    throw: bool = True,
) -> WeakMarketAlignment:
    """The smallest eps_U and eps_P of weak market alignment (2602.13451, Definition 2.13), for all sets T.

    For user i and T the optimum over w >= 0, c and eps >= 0 of

        minimize eps   subject to   |sum_{j in T, lambda_ji > 0} w_j F_ji(a, x) + c - u_i(a, x)| <= eps   for all a, x

    and in a general market likewise of the providers' utilities by `sum_i lambda_i F_ji(a_i, x) + c`.

    Args:
        market: B markets.
        committees: "all" 2**K - 1, or a list of bitmasks: the sets T.
        components: `[K, N, X, A]` or `[B, K, N, X, A]`, F of a general market; a separable one has its own.
        weights: `[K, N]` or `[B, K, N]`, w to be taken as they are instead of the best ones; those outside T count as
            zero.
        provider_weights: `[K, N]` or `[B, K, N]`, lambda of a general market, instead of the best ones.
        throw: raise if an error is not certified (otherwise `certified` says so).

    Returns:
        A `WeakMarketAlignment`.

    Raises:
        ValueError: on a mask outside 1..2**K - 1, components or provider weights of a separable market, no components
            of a general one, or arrays of another shape or with negative weights.
        SolveError: with `throw`, if an error is not certified.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.problems.theorem_4_1_market(eps=0.2, c=0.5, d=2)
        >>> found = eq.theory.weak_market_alignment(market, [0b11, 0b01])
        >>> found.error.round(9).tolist()  # one provider alone explains one user less well than the other
        [[[0.0, 0.0], [0.1, 0.25]]]
        >>> found.weights[0, 0].round(9).tolist(), found.provider_error.tolist()
        ([[0.5, 0.2], [0.2, 0.5]], [[0.0, 0.0]])
    """
    market = expect_market("market", market)
    masks = committee_masks(committees, market.num_providers)
    if market.separable:
        if components is not None or provider_weights is not None:
            raise ValueError("components, provider_weights: expected none for a separable market, which has its own")
        parts = np.asarray(market.components) / market.resolution
        lambdas = np.asarray(market.weights) / market.weight_resolution
        provider_error, provider_offset = (np.zeros(lambdas.shape[:2]) for _ in range(2))
        proved = np.ones(lambdas.shape[:2], bool)
    else:
        b, k, n = len(market), market.num_providers, market.users
        parts = _given("components", components, (b, k, n, market.states, market.actions))
        claim = None if provider_weights is None else _given("provider_weights", provider_weights, (b, k, n), 0.0)
        given = np.moveaxis(parts, 1, 0)  # one set of users' terms for each provider
        lambdas, provider_error, provider_offset, _, proved = _fit_providers(market, given, claim)

    user = np.asarray(market.user) / market.resolution
    exists = np.broadcast_to(np.asarray(market.available)[:, :, None], user.shape)
    extent = _extent(user, exists)
    inside = _members(masks, market.num_providers)
    member = inside[None, :, :, None] & (lambdas > 0)[:, None]  # [B, C, K, N]
    if weights is None:
        error, chosen, offset, gap, certified = _fit_users(user, parts, exists, member, extent)
        covered = np.asarray(member.any(axis=2))
    else:
        chosen = _given("weights", weights, lambdas.shape, 0.0)[:, None]
        chosen = np.where(inside[None, :, :, None], chosen, 0.0)
        residual = user[:, None] - np.einsum("bckn,bknxa->bcnxa", chosen, parts)
        high = np.where(exists[:, None], residual, -np.inf).max(axis=(3, 4))
        low = np.where(exists[:, None], residual, np.inf).min(axis=(3, 4))
        error, offset = (high - low) / 2, (high + low) / 2
        gap, certified = np.zeros(error.shape), np.full(error.shape, True)
        positive = chosen > 0
        covered = np.asarray((positive & member).any(axis=2) & ~(positive & ~member).any(axis=2))
    known = np.asarray((proved[:, None] | ~inside).all(axis=2))
    certified = np.where(known[..., None], certified, False)
    _refuse_unproved(certified, market, throw)
    return WeakMarketAlignment(
        error, chosen, offset, provider_error, lambdas, provider_offset, covered, gap, certified, masks
    )


def strong_market_alignment(
    market: Market,
    committees: Literal["all"] | Sequence[int] = "all",
    *,
    weights: Any = None,
    throw: bool = True,
) -> StrongMarketAlignment:
    """The smallest eps of strong market alignment (2602.13451, Definition 2.14), for every provider and all sets T.

    For provider j the optimum over lambda >= 0, c and eps >= 0 of

        minimize eps   subject to   |sum_i lambda_i u_i(a_i, x) + c - u_j(a_1..a_N, x)| <= eps   for all profiles and x

    Args:
        market: B markets.
        committees: "all" 2**K - 1, or a list of bitmasks: the sets T.
        weights: `[K, N]` or `[B, K, N]`, lambda to be taken as they are instead of the best ones.
        throw: raise if an error is not certified (otherwise `certified` says so).

    Returns:
        A `StrongMarketAlignment`.

    Raises:
        ValueError: on a mask outside 1..2**K - 1, or weights of another shape or negative.
        SolveError: with `throw`, if an error is not certified.

    Example:
        >>> import equilibrax as eq
        >>> found = eq.theory.strong_market_alignment(eq.problems.proposition_a_2_market(grid=4), [0b11])
        >>> found.error.round(9).tolist()  # fails for every eps < 1/2
        [[0.5, 0.5]]
    """
    market = expect_market("market", market)
    masks = committee_masks(committees, market.num_providers)
    user = np.asarray(market.user) / market.resolution
    k = market.num_providers
    claim = None if weights is None else _given("weights", weights, (len(market), k, market.users), 0.0)
    lambdas, error, offset, gap, certified = _fit_providers(market, np.broadcast_to(user, (k, *user.shape)), claim)
    _refuse_unproved(certified, market, throw)
    return StrongMarketAlignment(error, lambdas, offset, gap, certified, masks)


def _fit_users(user, parts, exists, member, extent):
    """`error, weights, offset, gap, certified` of every (market, committee, user)."""
    b, c, k, n = member.shape
    rows = user.shape[2] * user.shape[3]
    outcomes = exists.reshape(b, n, rows)
    sides = np.concatenate([user.reshape(b, 1, n, rows), parts.reshape(b, k, n, rows)], axis=1) * outcomes[:, None]
    sides = np.moveaxis(sides, 2, 1).reshape(b * n, k + 1, rows)
    lane_user = np.broadcast_to(np.arange(b * n).reshape(b, 1, n), (b, c, n)).reshape(-1)
    of_lane = outcomes.reshape(b * n, rows)[lane_user]
    members = np.moveaxis(member, 3, 2).reshape(-1, k)
    enough = TOLERANCE * extent.reshape(-1)[lane_user]
    fit, _ = fit_outcomes(sides, lane_user, of_lane, of_lane, members, enough, False)
    certified = np.maximum(fit.gap, fit.violation) <= enough
    weights = np.moveaxis(np.asarray(fit.weights).reshape(b, c, n, k), 3, 2)
    error, offset, gap, certified = (np.asarray(a).reshape(b, c, n) for a in (fit.eps, fit.offset, fit.gap, certified))
    return error, weights, offset, gap, certified


def _fit_providers(market: Market, terms: np.ndarray, claim: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """`lambda [B, K, N], error, offset, gap, certified [B, K]` by users' terms `[K, B, N, X, A]`."""
    scale = float(market.resolution * market.weight_resolution)
    available = np.asarray(market.available)
    parts = tensor = None
    if market.separable:
        own = np.asarray(market.components, np.float64) * np.asarray(market.weights)[..., None, None]
        parts = np.moveaxis(own, 1, 0) / scale  # [K, B, N, X, A]
    else:
        tensor = np.moveaxis(np.asarray(market.tensor, np.float64), 1, 0) / scale
    shape = (len(market), market.num_providers)
    lambdas, gap, certified = np.empty((*shape, market.users)), np.zeros(shape), np.ones(shape, bool)
    error, offset = np.empty(shape), np.empty(shape)
    for j in range(market.num_providers):
        target = {"parts": None if parts is None else parts[j], "tensor": None if tensor is None else tensor[j]}
        if claim is None:
            lambdas[:, j], proved = strong_fits(terms[j], available, **target)
        else:
            lambdas[:, j], proved = claim[:, j], None
        high, low = extremes(terms[j], available, lambdas[:, j], **target)
        error[:, j], offset[:, j] = np.maximum(high - low, 0.0) / 2, (high + low) / 2
        if proved is not None:
            zero = np.zeros(market.users)
            top, bottom = extremes(terms[j], available, np.broadcast_to(zero, lambdas[:, j].shape), **target)
            extent = np.where(top > bottom, top - bottom, 1.0)
            gap[:, j] = np.maximum(error[:, j] - proved, 0.0)
            certified[:, j] = gap[:, j] <= TOLERANCE * extent
    return lambdas, error, offset, gap, certified


def _given(name: str, value: Any, shape: tuple[int, ...], least: float = -np.inf) -> np.ndarray:
    """Numbers with or without the batch axis, not below `least`."""
    if value is None:
        raise ValueError(f"{name}: expected shape {list(shape[1:])} or {list(shape)}, got None")
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected numbers, got {value!r}") from None
    if array.shape not in (shape, shape[1:]) or not np.isfinite(array).all() or array.min() < least:
        kind = "finite numbers" if least == -np.inf else "finite numbers that are not negative"
        raise ValueError(
            f"{name}: expected {kind} of shape {list(shape[1:])} or {list(shape)}, got {list(array.shape)}"
        )
    return np.broadcast_to(array, shape)


def _members(masks: np.ndarray, providers: int) -> Bool[np.ndarray, "C K"]:
    return (masks[:, None] >> np.arange(providers)) & 1 == 1


def _largest(errors: np.ndarray, masks: np.ndarray) -> Float[np.ndarray, "B C"]:
    return np.where(_members(masks, errors.shape[1]), errors[:, None], 0.0).max(axis=2)


def _extent(values: np.ndarray, exists: np.ndarray) -> np.ndarray:
    extent = np.where(exists, values, -np.inf).max(axis=(2, 3)) - np.where(exists, values, np.inf).min(axis=(2, 3))
    return np.where(extent > 0, extent, 1.0)


def _refuse_unproved(certified: np.ndarray, market: Market, throw: bool) -> None:
    if throw and not certified.all():
        first = int(np.asarray(market.market_id)[np.argwhere(~certified)[0][0]])
        raise SolveError(
            f"{int((~certified).sum())} of {certified.size} errors are not certified; the first is of market {first}; "
            f"throw=False returns the others"
        )
