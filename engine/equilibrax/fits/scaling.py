"""What least squares on Gram matrices shares with curves: units, the KKT residual, refinement, sizes of chunks."""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax._core.status import SolveError
from equilibrax.fits._active_set import solve_one

TOLERANCE = 1e-8
"""KKT residuals above this are refined, and what is still above it is reported."""

Array = Any

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


def not_converged(residual: np.ndarray) -> SolveError:
    """The error for fits above `TOLERANCE`."""
    bad = ~(residual <= TOLERANCE)
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
