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

from equilibrax._core.checks import check_numbers, expect, shown
from equilibrax._core.committees import committee_masks
from equilibrax._core.status import SolveError
from equilibrax.fits.chebyshev import TOLERANCE
from equilibrax.problems.market import Market
from equilibrax.theory._market_alignment import extent, fit_outcomes
from equilibrax.theory._strong_program import StrongFits, Utilities, attained_error, strong_fits


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
        """2 eps / lambda*_i (Theorem 4.3) with these weights (see `least_loss` for the best ones); infinite for a user
        who is not covered."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.covered, 2 * self.committee_error[..., None] / self.best_weight, np.inf)


@dataclass(frozen=True)
class LeastLoss:
    """The least 2 eps / lambda_i over all weights of strong alignment, for B markets, K providers and N users.

    Attributes:
        loss: `[B, K, N]` 2 eps / lambda_i of Theorem 4.3 with provider j alone; at most the range of the user's
            utility, which weights approach that grow without limit and so promise nothing.
        factor: `[B, K, N]` 1 / lambda_ji of the weights that attain it.
        covered: `[B, K, N]` whether it is less than that range: whether something is promised.
        gap: `[B, K, N]` the loss minus a lower bound that is proved.
        certified: `[B, K, N]` whether that is within 2e-9 times the range of the user's utility.
    """

    loss: Float[np.ndarray, "B K N"]
    factor: Float[np.ndarray, "B K N"]
    covered: Bool[np.ndarray, "B K N"]
    gap: Float[np.ndarray, "B K N"]
    certified: Bool[np.ndarray, "B K N"]


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
    market = expect("market", market, Market)
    masks = committee_masks(committees, market.num_providers)
    b, k, _ = shape = len(market), market.num_providers, market.users
    if market.separable:
        if components is not None or provider_weights is not None:
            raise ValueError("components, provider_weights: expected none for a separable market, which has its own")
        parts = np.asarray(market.components) / market.resolution
        lambdas, none = np.asarray(market.weights) / market.weight_resolution, np.zeros((b, k))
        providers = StrongFits(lambdas, none, none, none, np.ones((b, k), bool))
    else:
        parts = _given("components", components, (*shape, market.states, market.actions))
        claim = None if provider_weights is None else _given("provider_weights", provider_weights, shape, 0.0)
        providers = _fit_providers(market, parts, claim)

    inside = _members(masks, k)[None, :, :, None]
    member = inside & (providers.weights > 0)[:, None]  # [B, C, K, N]
    if weights is None:
        error, chosen, offset, gap, certified = _fit_users(market, parts, member)
        covered = np.asarray(member.any(axis=2))
    else:
        chosen = np.where(inside, _given("weights", weights, shape, 0.0)[:, None], 0.0)
        error, offset = _error_of(market, parts, chosen)
        gap, certified = np.zeros(error.shape), np.ones(error.shape, bool)
        positive = chosen > 0
        covered = np.asarray((positive & member).any(axis=2) & ~(positive & ~member).any(axis=2))
    certified &= (providers.certified[:, None, :, None] | ~inside).all(axis=2)
    _refuse_unproved(certified, market, throw)
    return WeakMarketAlignment(
        error=error,
        weights=chosen,
        offset=offset,
        provider_error=providers.error,
        provider_weights=providers.weights,
        provider_offset=providers.offset,
        covered=covered,
        gap=gap,
        certified=certified,
        committees=masks,
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
    market = expect("market", market, Market)
    masks = committee_masks(committees, market.num_providers)
    shape = (len(market), market.num_providers, market.users)
    claim = None if weights is None else _given("weights", weights, shape, 0.0)
    fit = _fit_providers(market, _users_of_providers(market), claim)
    _refuse_unproved(fit.certified, market, throw)
    return StrongMarketAlignment(fit.error, fit.weights, fit.offset, fit.gap, fit.certified, masks)


def least_loss(market: Market, *, throw: bool = True) -> LeastLoss:
    """The least that Theorem 4.3 (2602.13451) lets user i lose when provider j is in T, over all weights.

    The theorem holds for any weights, not only for those of least eps. For provider j and user i the optimum over
    lambda >= 0 and c of the linear-fractional program

        minimize 2 eps / lambda_i   subject to   |sum_k lambda_k u_k(a_k, x) + c - u_j(a_1..a_N, x)| <= eps

    is a linear program in t = 1 / lambda_i, lambda t, c t and eps t (Charnes and Cooper 1962).

    Args:
        market: B markets.
        throw: raise if a loss is not certified (otherwise `certified` says so).

    Returns:
        A `LeastLoss`. The theorem's proof uses the error of one provider alone, so for a set T the least of its members
        counts, and no larger set does better.

    Raises:
        SolveError: with `throw`, if a loss is not certified.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.random_markets(1, 2, 1, 3, 3, alignment="weak", error=0.05, seed=0)
        >>> usual = eq.theory.strong_market_alignment(market, [1]).loss[0, 0]
        >>> bool((eq.theory.least_loss(market).loss[0, 0] <= usual).all())
        True
    """
    market = expect("market", market, Market)
    of = _utilities(market, _users_of_providers(market))
    fits = [strong_fits(of, user=i) for i in range(market.users)]
    shape = (len(market), market.num_providers)

    def stack(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([one.reshape(shape) for one in values], axis=2)

    loss, certified = stack([2 * fit.error for fit in fits]), stack([fit.certified for fit in fits])
    _refuse_unproved(certified, market, throw)
    trivial = extent(_users(market), _exists(market), axis=(2, 3))[:, None]
    return LeastLoss(
        loss=loss,
        factor=stack([fit.weights[:, i] for i, fit in enumerate(fits)]),
        covered=loss < (1 - TOLERANCE) * trivial,
        gap=stack([2 * fit.gap for fit in fits]),
        certified=certified,
    )


def _fit_users(market: Market, parts: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, ...]:
    """`error, weights, offset, gap, certified` of every (market, committee, user), by the providers of `member`."""
    b, c, k, n = member.shape
    user = _users(market)
    exists = _exists(market).reshape(b * n, -1)
    of_user = np.concatenate([user[:, :, None], np.moveaxis(parts, 1, 2)], axis=2)  # [B, N, 1 + K, X, A]
    lanes = np.broadcast_to(np.arange(b * n).reshape(b, 1, n), (b, c, n)).reshape(-1)
    members = np.moveaxis(member, 3, 2).reshape(-1, k)
    fit, certified, _ = fit_outcomes(of_user.reshape(b * n, k + 1, -1), exists, lanes, members)
    error, offset, gap, certified = (np.reshape(a, (b, c, n)) for a in (fit.eps, fit.offset, fit.gap, certified))
    return error, np.moveaxis(np.reshape(fit.weights, (b, c, n, k)), 3, 2), offset, gap, certified


def _error_of(market: Market, parts: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`error, offset` of weights `[B, C, K, N]` that were given."""
    residual = _users(market)[:, None] - np.einsum("bckn,bknxa->bcnxa", weights, parts)
    exists = _exists(market)[:, None]
    high = np.where(exists, residual, -np.inf).max(axis=(3, 4))
    low = np.where(exists, residual, np.inf).min(axis=(3, 4))
    return (high - low) / 2, (high + low) / 2


def _fit_providers(market: Market, terms: np.ndarray, claim: np.ndarray | None) -> StrongFits:
    """Every provider's utility by users' terms `[B, K, N, X, A]`: fields `[B, K, ...]`."""
    of = _utilities(market, terms)
    if claim is None:
        fit = strong_fits(of)
    else:
        weights = claim.reshape(-1, market.users)
        error, offset = attained_error(of, weights)
        fit = StrongFits(weights, error, offset, np.zeros(error.shape), np.ones(error.shape, bool))
    return StrongFits(*(a.reshape(len(market), market.num_providers, *a.shape[1:]) for a in fit))


def _utilities(market: Market, terms: np.ndarray) -> Utilities:
    """All providers of all markets, and users' terms for each, `[B, K, N, X, A]`."""
    scale = float(market.resolution * market.weight_resolution)
    lanes = (len(market) * market.num_providers, market.users, market.states, market.actions)
    parts = tensor = None
    if market.separable:
        parts = np.asarray(market.components, np.float64) * np.asarray(market.weights)[..., None, None] / scale
        parts = parts.reshape(lanes)
    else:
        tensor = np.asarray(market.tensor, np.float64) / scale
        tensor = tensor.reshape(lanes[0], *tensor.shape[2:])
    exists = np.broadcast_to(_exists(market)[:, None], terms.shape)
    return Utilities(terms.reshape(lanes), exists.reshape(lanes), parts, tensor)


def _users(market: Market) -> Float[np.ndarray, "B N X A"]:
    return np.asarray(market.user) / market.resolution


def _users_of_providers(market: Market) -> Float[np.ndarray, "B K N X A"]:
    user = _users(market)
    return np.broadcast_to(user[:, None], (len(market), market.num_providers, *user.shape[1:]))


def _exists(market: Market) -> Bool[np.ndarray, "B N X A"]:
    return np.broadcast_to(np.asarray(market.available)[:, :, None], market.user.shape)


def _given(name: str, value: Any, shape: tuple[int, ...], least: float = -np.inf) -> np.ndarray:
    """Numbers with or without the batch axis, not below `least`."""
    wanted = f"shape {list(shape[1:])} or {list(shape)}"
    if value is None:
        raise ValueError(f"{name}: expected {wanted}, got None")
    try:
        array = check_numbers(name, value, least)
    except ValueError:
        array = None
    if array is None or array.shape not in (shape, shape[1:]):
        kind = "finite numbers" if least == -np.inf else "finite numbers that are not negative"
        came = shown(value) if array is None else list(array.shape)
        raise ValueError(f"{name}: expected {kind} of {wanted}, got {came}")
    return np.broadcast_to(array, shape)


def _members(masks: np.ndarray, providers: int) -> Bool[np.ndarray, "C K"]:
    return (masks[:, None] >> np.arange(providers)) & 1 == 1


def _largest(errors: np.ndarray, masks: np.ndarray) -> Float[np.ndarray, "B C"]:
    return np.where(_members(masks, errors.shape[1]), errors[:, None], 0.0).max(axis=2)


def _refuse_unproved(certified: np.ndarray, market: Market, throw: bool) -> None:
    if throw and not certified.all():
        first = int(np.asarray(market.market_id)[np.argwhere(~certified)[0][0]])
        raise SolveError(
            f"{int((~certified).sum())} of {certified.size} errors are not certified; the first is of market {first}; "
            f"throw=False returns the others"
        )
