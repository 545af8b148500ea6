"""What the theorems on markets share: the sets T, alignment and benchmarks given or computed, and claims about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import as_array, check_numbers
from equilibrax._core.committees import committee_masks
from equilibrax.problems.market import Market
from equilibrax.theory._parts import ROUNDING
from equilibrax.theory._shared_utility import SharedUtility, shared_utility
from equilibrax.theory.many_user_alignment import (
    StrongMarketAlignment,
    WeakMarketAlignment,
    strong_market_alignment,
    weak_market_alignment,
)

Aligned = int | Sequence[int] | None
_Given = TypeVar("_Given", WeakMarketAlignment, StrongMarketAlignment)


def market_of(result: Any) -> Market:
    """The markets of a result; refuses what is none."""
    market = getattr(result, "market", None)
    if not isinstance(market, Market):
        raise ValueError(f"result: expected what solving a Market returns, got {type(result).__name__}")
    return market


def aligned_sets(result: Any, aligned: Aligned) -> Int[np.ndarray, " C"]:
    """T for every committee of a result of the best response."""
    market_of(result)
    if result.response != "best":
        raise ValueError(f"result: expected the best response, got {result.response!r}")
    committees = np.asarray(result.committees)
    if aligned is None:
        return committees.astype(np.int32)
    masks = as_array("aligned", aligned)
    masks = np.full(len(committees), masks) if masks.ndim == 0 else masks
    if masks.dtype.kind not in "iu" or masks.shape != committees.shape:
        raise ValueError(f"aligned: expected a bitmask, or {len(committees)} of them, got {aligned!r}")
    return committee_masks(masks.tolist(), result.market.num_providers)


def inside(result: Any, masks: np.ndarray) -> Bool[np.ndarray, " C"]:
    """Whether T is within the committee that plays."""
    return masks & ~np.asarray(result.committees) == 0


def weak_or_computed(market: Market, masks: np.ndarray, given: WeakMarketAlignment | None) -> WeakMarketAlignment:
    """Weak alignment for these T."""
    if given is not None:
        return _checked(market, masks, given, WeakMarketAlignment)
    if not market.separable:
        raise ValueError(
            "alignment: expected one for a general market (`weak_market_alignment` with its components), got None"
        )
    return weak_market_alignment(market, masks.tolist(), throw=False)  # eps is attained, so never too small


def strong_or_computed(market: Market, masks: np.ndarray, given: StrongMarketAlignment | None) -> StrongMarketAlignment:
    """Strong alignment for these T."""
    if given is not None:
        return _checked(market, masks, given, StrongMarketAlignment)
    return strong_market_alignment(market, masks.tolist(), throw=False)


def _checked(market: Market, masks: np.ndarray, given: Any, kind: type[_Given]) -> _Given:
    if not isinstance(given, kind):
        raise ValueError(f"alignment: expected a {kind.__name__}, got {type(given).__name__}")
    if given.committees.tolist() != masks.tolist():
        raise ValueError(f"alignment: expected the sets {masks.tolist()}, got {given.committees.tolist()}")
    size, came = (len(market), market.num_providers, market.users), np.shape(given.weights)
    came = (came[0], *came[-2:])
    if came != size:
        raise ValueError(f"alignment: expected markets, providers and users {list(size)}, got {list(came)}")
    return given


def benchmark_of(result: Any, market: Market, masks: np.ndarray) -> SharedUtility:
    """Attained, so never too large."""
    return shared_utility(market, masks.tolist(), rules=getattr(result, "rules", "obedience"), throw=False)


def claimed_error(claimed: Any, true: np.ndarray, market: Market) -> tuple[np.ndarray, np.ndarray]:
    """eps, and where it is no less than the true one."""
    if claimed is None:
        return true, np.ones(true.shape, bool)
    eps = check_numbers("epsilon", claimed, 0, infinite=True, shape=true.shape)
    return eps, eps >= true - ROUNDING * spread(market).reshape(-1, *[1] * (true.ndim - 1))


def spread(market: Market) -> Float[np.ndarray, "B 1 1"]:
    """The largest utility of a user in size, at least 1."""
    return np.maximum(1.0, np.abs(np.asarray(market.user)).max(axis=(1, 2, 3)) / market.resolution)[:, None, None]


def strong_tolerance(market: Market, weight: Float[np.ndarray, "B C N"]) -> Float[np.ndarray, "B C N"]:
    """Rounding of eps counts 1 / lambda* times; `weight` is lambda*, infinite for users who are not covered."""
    with np.errstate(divide="ignore"):
        return spread(market) * (ROUNDING + 1e-14 / weight)


def depends_on_outcome(market: Market, masks: np.ndarray) -> Bool[np.ndarray, "B C"]:
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


def augments(market: Market, original: Market) -> Bool[np.ndarray, " B"]:
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
