"""What least squares on Gram matrices shares with curves: units, the KKT residual, refinement, sizes of chunks."""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax._core.status import SolveError
from equilibrax.fits._active_set import solve_one

TOLERANCE = 1e-8
"""KKT residuals above this are refined, and what is still above it is reported."""

LOST = 1e-4
"""Fits of a precision above this have not enough digits to be called optimal."""

Array = Any

_ROUNDING = 4 * np.finfo(float).eps  # of an entry of a Gram matrix, relative to the norms of its columns

_CACHE_BYTES = {"cpu": 5 << 18}  # of tableaus that are pivoted together: with room to spare in a second-level cache
_ACCELERATOR_BYTES = 1 << 27
_FEWEST_LANES, _FEWEST_LANES_BYTES = 8, 1 << 24  # the cache may be left for so many lanes, up to so many bytes


def refine(gram: np.ndarray, moment: np.ndarray, members: np.ndarray, constraint: str) -> tuple[np.ndarray, int]:
    """Weights of one fit by the careful solver, and its iterations; shapes `[K, K]`, `[K]`, `[K]`."""
    inside = np.ix_(members, members)
    weights = np.zeros(len(moment))
    if constraint == "simplex":
        sigma = penalty(np.diag(gram), members)
        found, steps = solve_one(gram[inside] + sigma, np.full(members.sum(), sigma))
        weights[members] = found / found.sum()
    else:
        weights[members], steps = solve_one(gram[inside], moment[members])
    return weights, steps


def penalty(squares: Array, members: Array) -> Any:
    """`[..]` sigma: the squared error of the best single column, and something positive where that is zero."""
    best = np.where(members, squares, np.inf).min(axis=-1)
    mean = np.where(members, squares, 0.0).sum(axis=-1) / np.maximum(members.sum(axis=-1), 1)
    floor = np.where(mean > 0, 1e-10 * mean, 1.0)
    return np.maximum(best, floor)


def kkt_residual(gram: Array, moment: Array, weights: Array, members: Array, constraint: str) -> np.ndarray:
    """`[..]` as `LeastSquaresFit.kkt_residual` defines it, for `[.., K, K]`, `[.., K]`, `[.., K]`, `[.., K]`."""
    squares = np.diagonal(gram, axis1=-2, axis2=-1)
    applied = np.matmul(gram, weights[..., None])[..., 0]
    if constraint == "simplex":
        best = np.where(members, squares, np.inf).min(axis=-1)
        mean = np.where(members, squares, 0.0).sum(axis=-1) / np.maximum(members.sum(axis=-1), 1)
        unit = np.maximum(best, 1e-8 * mean)
        unit = np.where(unit > 0, unit, 1.0)[..., None]
        gradient = ((weights * applied).sum(axis=-1, keepdims=True) - applied) / unit
    else:
        norms = np.sqrt(np.maximum(squares, 0.0))
        norms = np.where(norms > 0, norms, 1.0)
        height = np.where(members, np.abs(moment) / norms, 0.0).max(axis=-1, initial=0.0, keepdims=True)
        gradient = (moment - applied) / norms / np.where(height > 0, height, 1.0)
    worst = np.where(weights > 0, np.abs(gradient), np.maximum(gradient, 0.0))
    return np.where(members, worst, 0.0).max(axis=-1, initial=0.0)


def precision(
    gram: Array, moment: Array, weights: Array, members: Array, square: Array | None, constraint: str
) -> np.ndarray:
    """`[B]` as `LeastSquaresFit.precision` defines it, for `[B, K, K]`, three of `[B, K]`, and `[B]` or None."""
    squares = np.maximum(np.diagonal(gram, axis1=-2, axis2=-1), 0.0)
    norms = np.sqrt(squares)
    noise = _ROUNDING * (weights * norms).sum(axis=-1) ** 2
    if constraint == "simplex":
        noise = noise if square is None else _ROUNDING * np.abs(square)
        best = np.where(members, squares, np.inf).min(axis=-1)
        return np.where(noise > best, float(square is not None), noise / np.where(best > 0, best, 1.0))
    norms = np.where(norms > 0, norms, 1.0)
    height = np.where(members, moment / norms, 0.0)
    first = height.argmax(axis=-1)[:, None]
    tau = np.take_along_axis(height, first, axis=-1)
    tau = np.where(tau > 0, tau, 1.0)
    explained = (weights * (2 * moment - np.matmul(gram, weights[..., None])[..., 0])).sum(axis=-1)
    gain = explained - np.maximum(height.max(axis=-1), 0.0) ** 2
    # Nothing beyond the best single column: is that decided for every other one? It is if it points elsewhere, if the
    # residual clearly points away from it, or if it is the same column to the last bit.
    row = np.take_along_axis(gram, first[:, :, None], axis=1)[:, 0]
    cosine = row / norms / np.take_along_axis(norms, first, axis=-1)
    same = (gram == row[:, None]).all(axis=-1) & (moment == np.take_along_axis(moment, first, axis=-1))
    decided = (1 - cosine**2 > 1e-6) | (height / tau - cosine < -16 * _ROUNDING) | same | ~members
    single = np.where(decided.all(axis=-1), _ROUNDING, 1.0)
    return np.where(noise == 0, 0.0, np.where(gain > noise, noise / np.where(gain > 0, gain, 1.0), single))


def not_converged(residual: np.ndarray, told: np.ndarray | None = None) -> SolveError:
    """The error for fits above `TOLERANCE`, or of a precision above `LOST`."""
    bad = ~(residual <= TOLERANCE)
    if told is not None and not bad.any():
        return SolveError(
            f"{int((told > LOST).sum())} of {told.size} Gram matrices have lost the digits that decide: their columns "
            f"share much more with each other than they differ by. Fit the rows themselves (alignment_curve), or take "
            f"what is shared out of them first; throw=False returns all fits with their precision."
        )
    return SolveError(
        f"{int(bad.sum())} of {residual.size} fits have a KKT residual above {TOLERANCE:g}, the largest "
        f"{float(np.nanmax(residual)):.3g}: columns are of very different sizes, or almost the same. Bring raters to "
        f"one scale, or leave out those that say almost the same as others; throw=False returns all fits with their "
        f"residuals."
    )


def unit_scale(grams: np.ndarray, moments: np.ndarray, members: np.ndarray):
    """The problems that the kernel solves: `[B, K, K]`, `[B, K]`, and `[B, K]` factors of its weights.

    Args:
        grams: `[B, K, K]`.
        moments: `[B, K]`.
        members: `[B, K]` bool, or anything that is broadcast to it: columns that may have weight.
    """
    norms = np.sqrt(np.maximum(np.diagonal(grams, axis1=1, axis2=2), 0.0))
    norms = np.where(norms > 0, norms, 1.0)
    scaled, wanted = grams / norms[:, :, None] / norms[:, None], moments / norms
    height = np.where(members, np.abs(wanted), 0.0).max(axis=1, keepdims=True)
    height = np.where(height > 0, height, 1.0)
    return scaled, wanted / height, height / norms


def lanes_per_chunk(size: int, mesh, lanes: int | None = None) -> int:
    """A power of two times the number of devices: tableaus of `size` columns that fit the cache.

    Args:
        size: K.
        mesh: the devices.
        lanes: how many there are, and no more than needed are taken. None where the last bits of results would depend
            on it: XLA picks one of several ways to add up a matrix product by the size of the whole batch.
    """
    platform = mesh.devices.flat[0].platform
    tableau = 8 * size * size
    fewest = max(2, min(_FEWEST_LANES, _FEWEST_LANES_BYTES // tableau))
    fitting = max(fewest, _CACHE_BYTES.get(platform, _ACCELERATOR_BYTES) // tableau)
    each = min(1 << (fitting.bit_length() - 1), 4096)
    if lanes is not None:
        each = min(each, 1 << max(0, (-(-lanes // mesh.size) - 1).bit_length()))
    return each * mesh.size
