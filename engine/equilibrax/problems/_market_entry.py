"""A new user at the door: the augmented market of 2602.13451, Section 5, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from equilibrax._core.checks import as_numbers, availability, same_for_all, with_batch
from equilibrax._core.fixed_point import fixed_point
from equilibrax.problems._market_arrays import MAX_PROVIDER_VALUE, check_sums, labels_or_refuse, sight_of_one

if TYPE_CHECKING:
    from equilibrax.problems.market import Market

_GRID = 10_000  # of beta, if it is no fraction


def augmented(
    market: Market,
    utility: Any,
    components: Any,
    beta: Any,
    available: Any,
    sees: Any,
    name: str | None,
    actions: Sequence[str] | None,
) -> Market:
    """`market.add_user`."""
    b, n, x, a = market.user.shape
    k = market.num_providers
    utility = with_batch("utility", utility, "[X, A]")
    components = with_batch("components", components, "[K, X, A]")
    own = utility.shape[2]
    mask = None if available is None else as_numbers("available", available)
    if mask is not None:
        if mask.shape not in ((own,), (1, own), (b, own)) or mask.dtype != bool:
            raise ValueError(
                f"available: expected booleans of shape {[own]} or {[b, own]}, got {list(mask.shape)} of {mask.dtype}"
            )
        mask = np.atleast_2d(mask)[:, None]
    mask = availability(mask, b, 1, own, "market", "for every user")  # [B, 1, A']
    utility = fixed_point("utility", same_for_all("utility", utility, b, (x, own)), mask, market.resolution)
    components = same_for_all("components", components, b, (k, x, own))
    components = fixed_point("components", components, mask[:, None], market.resolution)
    wide = max(a, own)

    def joined(old: Any, new: np.ndarray, axis: int) -> np.ndarray:
        """Both along the axis of users, with as many actions as the one who has more."""
        old, new = _widened(np.asarray(old), wide), _widened(np.expand_dims(new, axis), wide)
        return np.concatenate([old, new.astype(old.dtype)], axis=axis)

    old_share, new_share, denominator = _shares(beta, b, k)
    made: dict[str, Any] = {
        "prior": np.asarray(market.prior),
        "user": joined(market.user, utility, 1),
        "available": joined(market.available, mask[:, 0], 1),
    }
    if market.separable:
        weights = np.asarray(market.weights).astype(object) * old_share[..., None]
        weights = np.concatenate([weights, (new_share * market.weight_resolution)[..., None]], axis=2)
        step, weights = _without_common_factor(denominator * market.weight_resolution, weights)
        made |= {"components": joined(market.components, components, 2), "weights": weights, "tensor": None}
    else:
        lead = (b, k, *[1] * (n + 2))
        old = _widened_profiles(np.asarray(market.tensor), n, wide).astype(object)[..., None] * old_share.reshape(lead)
        new = _widened(components, wide).reshape(b, k, x, *[1] * n, wide).astype(object)
        tensor = old + new * new_share.reshape(lead) * market.weight_resolution
        step, tensor = _without_common_factor(denominator * market.weight_resolution, tensor)
        made |= {"components": None, "weights": np.zeros((b, k, n + 1), np.int64), "tensor": tensor}
    check_sums(made, market.resolution, step)
    labels = market.labels
    if labels is not None:
        names = tuple(str(m) for m in range(own)) if actions is None else actions
        names = tuple(names) if isinstance(names, list) else names
        labels = replace(labels, users=(*labels.users, name or f"user {n + 1}"), actions=(*labels.actions, names))
        labels_or_refuse(labels, made["available"], x, k)
    return replace(
        market,
        **made,
        user_sees=(*market.user_sees, sight_of_one("sees", sees, x, [0] * x)),
        weight_resolution=step,
        labels=labels,
    )


def _shares(beta: Any, b: int, k: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Whole numbers `(1 - beta) q` and `beta q`, each `[B, K]` of Python integers, and the denominator q."""
    rows = np.array(beta, dtype=object)
    if rows.shape not in ((), (k,), (1, k), (b, k)):
        raise ValueError(f"beta: expected a number, or shape {[k]} or {[b, k]}, got {list(rows.shape)}")
    exact = [_fraction(value) for value in rows.reshape(-1).tolist()]
    denominator = lcm(*(value.denominator for value in exact))
    part = np.array([int(value * denominator) for value in exact], dtype=object).reshape(rows.shape)
    part = np.broadcast_to(part, (b, k))
    return denominator - part, part, denominator


def _fraction(value: Any) -> Fraction:
    if isinstance(value, np.generic):
        value = value.item()
    inside = isinstance(value, int | Fraction | float) and not isinstance(value, bool) and 0 <= value < 1
    if not inside:
        raise ValueError(f"beta: expected numbers of at least 0 and less than 1, got {value!r}")
    rounded = Fraction(value) if isinstance(value, int | Fraction) else Fraction(round(value * _GRID), _GRID)
    if rounded == 1 or (rounded == 0 and value > 0):
        raise ValueError(f"beta: {value!r} rounds to {rounded} in steps of 1/{_GRID}; use a Fraction")
    return rounded


def _without_common_factor(step: int, numbers: np.ndarray) -> tuple[int, np.ndarray]:
    """Both divided by what divides all of them; int64."""
    flat = numbers.reshape(-1).tolist()
    common = gcd(step, *flat)
    largest = max(step, *map(abs, flat)) // common
    if largest > MAX_PROVIDER_VALUE:
        raise ValueError(f"beta: expected weights of at most 2**61, got {largest}; use rounder numbers")
    return step // common, np.array([number // common for number in flat], np.int64).reshape(numbers.shape)


def _widened(array: np.ndarray, wide: int) -> np.ndarray:
    """Zeros (or False) behind the last axis, the actions."""
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, wide - array.shape[-1])])


def _widened_profiles(tensor: np.ndarray, users: int, wide: int) -> np.ndarray:
    return np.pad(tensor, [(0, 0)] * 3 + [(0, wide - tensor.shape[-1])] * users)
