"""Non-negative fits as the target sees them: what is left to explain, whatever the columns have in common with it.

Column k is `a_k = beta_k y + p_k` with `p_k` perpendicular to the target y. Weights `w = t v` with `beta'v = 1` miss y
by `t P v - (1 - t) y`, so the best t makes the squared error

    1 / (1 / |y|^2 + 1 / |P v|^2),        1 - t = |P v|^2 / (|y|^2 + |P v|^2),

and the best v >= 0 is the one of least `q = |P v|^2`. No number here has the size of what all columns share with y,
be it a date in seconds: its square would drown the rest. On the simplex it is the same with beta = 1, the differences
`a_k - y` in place of P, and t = 1 (2509.15090, Section 6: NNLS and simplex).

As q grows with the square of v, the v of least q has the direction of the `w >= 0` that minimizes
`|P w|^2 + sigma (beta'w - 1)^2`, for any sigma > 0: with sigma of the size of q, no digits are lost (with
sigma = |y|^2, that is the first problem again).

Letters: I rows, K columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax.fits._active_set import solve_rows

Array = Any

_EXACT = 1e-6  # of |P v| relative to the best single column: residuals are relative to this where less is left
_LITTLE = 1e-3  # share of a column's square that is lost to rounding harmlessly
_KNOWN = 1e-15  # share of a column below which differences of numbers that are not whole are rounding


def apart(columns: np.ndarray, target: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`([K] beta, [I, K] parts)`, where `columns - beta * target` has no more of the target in rows with weight.

    Where little is left of a column, products with the target are subtracted with twice the digits: parts are right to
    their own last digits.

    Args:
        columns: `[I, K]`.
        target: `[I]`.
        weights: `[I]` of rows, zero for those that are only transformed along.
    """
    weighted = weights * target
    mass = float(weighted @ target)
    if mass == 0:
        return np.zeros(columns.shape[1]), columns
    beta = weighted @ columns / mass
    parts = columns - beta * target[:, None]
    if (weights @ parts**2 >= _LITTLE * (weights @ columns**2)).all():
        return beta, parts
    parts = _minus_product(columns, beta, target[:, None])
    for _ in range(2):
        share = weighted @ parts / mass
        parts, beta = _minus_product(parts, share, target[:, None]), beta + share
    return beta, parts


def whole(values: np.ndarray) -> np.ndarray:
    """`[..]` whether all values of a column (first axis) are whole numbers below 2^53, which differ exactly."""
    return ((np.abs(values) < 2.0**53) & (np.rint(values) == values)).all(axis=0)


def nothing(parts: np.ndarray, before: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """`[K]` whether only rounding errors are left of columns that were `before`; never where numbers are exact."""
    return ((parts**2).sum(axis=0) <= _KNOWN**2 * (before**2).sum(axis=0)) & ~exact


def penalty(grams: np.ndarray, betas: np.ndarray, members: np.ndarray) -> np.ndarray:
    """`[..]` sigma: q of the best single column, at least a ten-thousandth of what is usual; 1 if all that is zero."""
    best, ratio = _single(np.diagonal(grams, axis1=-2, axis2=-1), betas, members)
    usual = np.sort(ratio, axis=-1)
    place = np.maximum(np.isfinite(usual).sum(axis=-1, keepdims=True) // 4, 0)
    sigma = np.maximum(best, 1e-4 * np.take_along_axis(usual, place, axis=-1)[..., 0])
    return np.where((sigma > 0) & np.isfinite(sigma), sigma, 1.0)


def _single(squares: Array, betas: Array, members: Array, xp: Any = np) -> tuple[Any, Any]:
    """Least and `[.., K]` all `|p_k|^2 / beta_k^2`, of members with beta > 0; inf for others."""
    each = xp.where(
        betas > 0, squares / xp.where(betas > 0, betas, 1.0) ** 2, xp.inf
    )  # before it is spread over members
    ratio = xp.where(members, each, xp.inf)
    return ratio.min(axis=-1), ratio


def residual(applied: Array, squares: Array, betas: Array, v: Array, members: Array, xp: Any = np) -> tuple[Any, Any]:
    """`([..] residual, [..] q)` of weights v with `beta'v = 1`; zero is optimal.

    With h = P'P v and q = v'h, a member's direction from P v is `p_i / beta_i - P v`; its slope `h_i - q beta_i` is
    divided by `(|p_i| + |beta_i| |P v|) |P v|`, a cosine in the direction's own scale. The residual is the steepest
    slope downwards, either way for columns with weight. Where q is so small that the error is below 1e-7 of the best
    single column's, it is at most 1e-8: nothing is left to explain.

    Args:
        applied: `[.., K]` h.
        squares: `[.., K]` `|p_k|^2`.
        betas: `[.., K]`.
        v: `[.., K]`; zero if no member has beta > 0, and then optimal.
        members: `[.., K]` bool.
        xp: numpy or jax.numpy.
    """
    q = xp.maximum((v * applied).sum(axis=-1), 0.0)
    norms = xp.sqrt(squares)
    noise = 2e-16 * ((v * norms).sum(axis=-1)) ** 2
    length = xp.sqrt(q)[..., None]
    slope = (q[..., None] * betas - applied) / _or_one((norms + xp.abs(betas) * length) * length, xp)
    slope = xp.where(v > 0, xp.abs(slope), xp.maximum(slope, 0.0))
    steepest = xp.where(members, slope, 0.0).max(axis=-1)
    best, ratio = _single(squares, betas, members, xp)
    unit = xp.maximum(best, 1e-8 * xp.where(ratio > 0, ratio, xp.inf).min(axis=-1))
    left = (q + noise) / xp.where(xp.isfinite(unit), unit, 1.0) / _EXACT
    idle = ~(v > 0).any(axis=-1)
    return xp.where(idle, xp.where(xp.isfinite(best), 1.0, 0.0), xp.minimum(steepest, left)), q


def refine(
    parts: np.ndarray, betas: np.ndarray, members: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """`([K] v, its residual, q)` of one fit, by orthogonal factors of the rows themselves.

    Args:
        parts: `[I, K]` P.
        betas: `[K]`.
        members: `[K]` bool.
        start: `[K]` weights to start from.
    """
    rows: np.ndarray = parts[:, members]
    rows = np.asarray(np.linalg.qr(rows, mode="r")) if len(rows) > rows.shape[1] else rows
    own, v = betas[members], np.zeros(len(betas))
    squares = (rows**2).sum(axis=0)
    sigma = float(penalty(np.diag(squares), own, np.ones(len(own), bool)))
    system = np.concatenate([rows, np.sqrt(sigma) * own[None]])
    wanted = np.append(np.zeros(len(rows)), np.sqrt(sigma))
    found, _ = solve_rows(system, wanted, start[members])
    total = own @ found
    v[members] = found / total if total > 0 else 0.0
    height = float(np.sqrt(squares.max(initial=0.0)))
    scaled = rows / (height if height > 0 else 1.0)  # squares must neither vanish nor overflow
    applied = scaled.T @ (scaled @ v[members])
    worst, q = residual(applied, (scaled**2).sum(axis=0), own, v[members], np.ones(len(own), bool))
    return v, float(worst), float(q) * height**2


def _minus_product(values: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """`values - left * right`, rounded about once: Dekker's product and Knuth's sum."""
    product = left * right
    (a, b), (c, d) = _halves(left), _halves(right)
    rest = ((a * c - product) + a * d + b * c) + b * d
    difference = values - product
    back = difference - values
    return difference + (((values - (difference - back)) - (product + back)) - rest)


def _halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers of half the digits each, with sum `values`."""
    wide = 134217729.0 * values  # 2^27 + 1
    high = wide - (wide - values)
    return high, values - high


def _or_one(values: Array, xp: Any) -> Any:
    return xp.where(values > 0, values, 1.0)
