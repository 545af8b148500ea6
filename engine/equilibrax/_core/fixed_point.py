"""Real numbers as integers, once: utilities in steps of a resolution, weights in their proportions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm

import numpy as np

from equilibrax._core.checks import INT32_MAX, check_finite

WEIGHT_STEPS = 1_000_000
"""Weights that are no ratios of small whole numbers are rounded to this share of their sum."""


def fixed_point(name: str, utilities: np.ndarray, needed: np.ndarray, resolution: int) -> np.ndarray:
    """int64, utility times resolution, in the shape of both broadcast; zero where it is not needed."""
    real = np.broadcast_to(utilities.astype(np.float64), np.broadcast_shapes(utilities.shape, needed.shape))
    check_finite(name, real, needed)
    scaled = np.rint(np.where(needed, real, 0.0) * resolution)
    if np.abs(scaled).max() > INT32_MAX:
        largest = np.abs(real[np.broadcast_to(needed, real.shape)]).max()
        raise ValueError(
            f"{name}: utility x resolution must fit in 32 bits (at most {INT32_MAX}), got a utility of magnitude "
            f"{largest:g} with resolution={resolution}; use a smaller resolution"
        )
    return scaled.astype(np.int64)


def positive_weights(weights: np.ndarray) -> np.ndarray:
    """`[B, X]` positive integers, as `whole_weights`; refuses a prior that is not positive."""
    check_positive(weights)
    distinct, inverse = np.unique(weights, axis=0, return_inverse=True)
    rows = np.array([whole_weights("prior", row.tolist(), "shares of") for row in distinct], np.int64)
    return rows[inverse.reshape(-1)]


def check_positive(weights: np.ndarray) -> None:
    """Refuse a prior `[B, X]` that is not positive and finite."""
    bad = ~(np.isfinite(weights.astype(np.float64)) & (weights > 0))
    if bad.any():
        table, state = np.argwhere(bad)[0].tolist()
        raise ValueError(
            f"prior: expected positive finite weights, got {weights[table, state]} in table {table}, state {state}"
        )


def whole_weights(name: str, row: Sequence[float], expected: str = "zero or") -> list[int]:
    """Integers in the same proportions, without a common factor: exact where these are ratios of small whole numbers.

    Zeros stay zero; what is positive and would become zero is refused.
    """
    total = sum(row)
    shares = [Fraction(w / total).limit_denominator(10_000) for w in row]
    denominator = lcm(*(s.denominator for s in shares))
    exact = denominator <= WEIGHT_STEPS and all(abs(float(s) - w / total) <= 1e-12 for s, w in zip(shares, row))
    if all(float(w).is_integer() for w in row) and total <= INT32_MAX:
        whole = [int(w) for w in row]
    elif exact and sum(shares) == 1:
        whole = [int(s * denominator) for s in shares]
    else:
        whole = [round(w / total * WEIGHT_STEPS) for w in row]
    lost = [w / total for w, kept in zip(row, whole) if w > 0 and kept == 0]
    if lost:
        raise ValueError(
            f"{name}: a share of {min(lost):g} rounds to zero; expected {expected} at least {1 / WEIGHT_STEPS:g}"
        )
    common = gcd(*whole)
    return [w // common for w in whole]
