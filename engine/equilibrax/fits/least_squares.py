"""Non-negative and simplex-constrained least squares on Gram matrices, many at a time, each with its KKT residual.

With columns A (a rater each) and a target y, `|A w - y|^2 = w'Gw - 2 m'w + s` for the Gram matrix `G = A'A`, the moment
`m = A'y` and the square `s = y'y`: rows are no longer needed (2509.15090, Section 6: NNLS and simplex).

On the simplex (w >= 0, sum w = 1) the same is `w'Dw` with the Gram matrix of differences `D = (A - y 1')'(A - y 1')`.
Its minimizer is, up to scale, that of `w'Dw + sigma (sum w - 1)^2` over w >= 0 for any sigma > 0, as scaling w by t
scales `w'Dw` by t^2: one solver does both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import jax
import numpy as np
from equilibrax_kernels.fits.nnls import nonnegative_lanes
from jaxtyping import Bool, Float, Int

from equilibrax._core.batching import batch_mesh, by_rows, over_batch, run_in_chunks
from equilibrax._core.checks import as_array, as_floats, check_choice
from equilibrax.fits.scaling import (
    LOST,
    TOLERANCE,
    kkt_residual,
    lanes_per_chunk,
    not_converged,
    penalty,
    precision,
    refine,
    unit_scale,
)

Constraint = Literal["nonnegative", "simplex"]
Array = Any

_FEW = 1e-10  # a precision above this is worth the careful solver


@dataclass(frozen=True)
class LeastSquaresFit:
    """Weights, and how far each set of them is from optimal.

    Attributes:
        weights: `[.., K]` non-negative; zero for columns that are no members.
        kkt_residual: `[..]`, from the Gram matrix as it was given; zero is optimal. With g = m - G w, d_i the norm
            sqrt(G_ii) of a column, and tau = max_i |m_i| / d_i over members (the norm of the part of y along the best
            single column), "nonnegative" has the largest of `|g_i| / (d_i tau)` over columns with weight and of
            `g_i / (d_i tau)` over members without: it does not change with the scale of columns or of the target.
            "simplex" has h = D w and q = w'Dw, and the largest of `|h_i - q|` over columns with weight and of
            `q - h_i` over members without, divided by the least D_ii of a member (the squared error of the best single
            column; at least 1e-8 of the members' mean): it does not change with a common scale, and the squared error
            is above the least possible by no more than twice the residual times that unit.
        iterations: `[..]` int, changes of the set of columns with weight.
        refined: number of fits that were solved again on the host: above `TOLERANCE`, or with few digits left.
        precision: `[..]` how much Gram matrices can tell: what rounding of their entries may be, relative to what is
            decided by them, from 0 (everything) to 1 (nothing). For "nonnegative" that is what the fit explains
            beyond the best single column, for "simplex" the error of the best single column. Columns and a target
            that share an offset of r times their spread have about `1e-15 r^2`: fit their rows (`alignment_curve`).
    """

    weights: Float[Array, "*batch K"]
    kkt_residual: Float[Array, "*batch"]
    iterations: Int[Array, "*batch"]
    refined: int
    precision: Float[Array, "*batch"]

    @property
    def converged(self) -> Bool[Array, "*batch"]:
        """`[..]` bool: whether the KKT residual is at most `TOLERANCE`, and `precision` at most 1e-4."""
        return (self.kkt_residual <= TOLERANCE) & (self.precision <= LOST)


def nonnegative_least_squares(
    gram: Any,
    moment: Any = None,
    *,
    members: Any = None,
    constraint: Constraint = "nonnegative",
    square: Any = None,
    devices: Sequence[Any] | None = None,
    throw: bool = True,
) -> LeastSquaresFit:
    """Weights w >= 0 that minimize `w'Gw - 2 m'w`, on the simplex if wanted, for many Gram matrices at once.

    Gram matrices may be singular: any optimal weights are returned (duplicated columns share their weight in some way,
    zero columns get none with "nonnegative").

    Args:
        gram: `[.., K, K]` symmetric positive semidefinite, A'A; with "simplex" and no moment, the Gram matrix of
            differences (A - y 1')'(A - y 1'), which is more accurate where fits are close.
        moment: `[.., K]` A'y, in the column space of `gram`. Required with "nonnegative".
        members: `[.., K]` bool, columns that may have weight; None is all.
        constraint: "nonnegative" (w >= 0) or "simplex" (also sum w = 1).
        square: `[..]` y'y, required with "simplex" if there is a moment.
        devices: JAX devices to spread the fits over; default all local devices.
        throw: raise if a fit is not optimal to `TOLERANCE` (otherwise `converged` says so).

    Returns:
        A `LeastSquaresFit`. All arguments are broadcast against each other over the leading axes.

    Raises:
        ValueError: naming the argument, what was expected and what came.
        SolveError: with `throw`, if a KKT residual is above `TOLERANCE` even after refinement, or Gram matrices have
            lost the digits that decide.

    Example:
        >>> import numpy as np, equilibrax as eq
        >>> columns, target = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([1.0, 3.0, 4.0])
        >>> fit = eq.nonnegative_least_squares(columns.T @ columns, columns.T @ target)
        >>> fit.weights.round(6).tolist()
        [1.0, 3.0]
        >>> differences = columns - target[:, None]
        >>> eq.nonnegative_least_squares(differences.T @ differences, constraint="simplex").weights.round(6).tolist()
        [0.0, 1.0]
    """
    check_choice("constraint", constraint, get_args(Constraint))
    grams, moments, masks, batch = _checked(gram, moment, members, square, constraint)
    problem = grams, moments
    if constraint == "simplex":
        sigma = penalty(np.diagonal(grams, axis1=1, axis2=2), masks)[:, None]
        problem = grams + sigma[:, :, None], np.broadcast_to(sigma, moments.shape)
    scaled, wanted, factors = unit_scale(*problem, masks)
    mesh = batch_mesh(devices)
    with jax.enable_x64(True):
        raw = run_in_chunks(
            _compiled(mesh), (scaled, wanted, masks), None, lanes_per_chunk(masks.shape[1], mesh, len(masks)), mesh
        )
    weights = np.array(raw["weights"]) * factors
    if constraint == "simplex":
        total = weights.sum(axis=1, keepdims=True)
        weights = weights / np.where(total > 0, total, 1.0)
    residual = kkt_residual(grams, moments, weights, masks, constraint)
    # On the simplex, differences that are made from A'A have its rounding errors.
    sums = None if square is None or moment is None else np.broadcast_to(as_floats("square", square), batch).reshape(-1)
    told = precision(grams, moments, weights, masks, sums, constraint)
    again = np.flatnonzero(~((residual <= TOLERANCE) & (told <= _FEW)))
    for i in again:
        found, _ = refine(grams[i], moments[i], masks[i], constraint)
        better = kkt_residual(grams[i], moments[i], found, masks[i], constraint)
        if not better >= residual[i]:
            weights[i], residual[i] = found, better
    if len(again):
        told = precision(grams, moments, weights, masks, sums, constraint)
    fit = LeastSquaresFit(
        weights=weights.reshape(*batch, -1),
        kkt_residual=residual.reshape(batch),
        iterations=raw["pivots"].reshape(batch).astype(np.int64),
        refined=len(again),
        precision=told.reshape(batch),
    )
    if throw and not fit.converged.all():
        raise not_converged(residual, told)
    return fit


@lru_cache(maxsize=8)
def _compiled(mesh: Any):
    def solve(batched, _):
        gram, moment, member = batched
        weights, pivots = nonnegative_lanes(gram, moment, member, step_limit=10 * moment.shape[1] + 20)
        return {"weights": weights, "pivots": pivots}

    return over_batch(by_rows(solve), mesh)


def _checked(gram: Any, moment: Any, members: Any, square: Any, constraint: str):
    """`[B, K, K]`, `[B, K]`, `[B, K]` bool of the problem that is solved, and the leading axes."""
    grams = _finite("gram", gram)
    if grams.ndim < 2 or grams.shape[-1] != grams.shape[-2] or grams.shape[-1] == 0:
        raise ValueError(f"gram: expected shape [.., K, K] with K >= 1, got {grams.shape}")
    size = grams.shape[-1]
    scale = np.abs(grams).max(axis=(-2, -1), initial=0.0, keepdims=True)
    if (np.abs(grams - np.swapaxes(grams, -2, -1)) > 1e-9 * scale).any():
        raise ValueError("gram: expected symmetric matrices, got one that differs from its transpose")
    if (np.diagonal(grams, axis1=-2, axis2=-1) < 0).any():
        raise ValueError("gram: expected positive semidefinite matrices, got a negative diagonal")
    masks = np.ones(size, bool) if members is None else as_array("members", members)
    if masks.dtype != bool or masks.ndim < 1 or masks.shape[-1] != size:
        raise ValueError(f"members: expected bool of shape [.., {size}], got {masks.dtype} of shape {masks.shape}")
    if constraint == "simplex" and not masks.any(axis=-1).all():
        raise ValueError("members: expected at least one column on the simplex, got none")
    if moment is None:
        if constraint != "simplex":
            raise ValueError("moment: expected shape [.., K] with 'nonnegative', got None")
        moments = np.zeros(size)
    else:
        moments = _finite("moment", moment)
        if moments.ndim < 1 or moments.shape[-1] != size:
            raise ValueError(f"moment: expected shape [.., {size}], got {moments.shape}")
        if constraint == "simplex":
            if square is None:
                raise ValueError("square: expected y'y for a moment on the simplex, got None")
            both = moments[..., :, None] + moments[..., None, :]
            grams, moments = grams - both + _finite("square", square)[..., None, None], np.zeros(size)
    try:
        batch = np.broadcast_shapes(grams.shape[:-2], moments.shape[:-1], masks.shape[:-1])
    except ValueError:
        shapes = ", ".join(map(str, (grams.shape, moments.shape, masks.shape)))
        raise ValueError(f"gram, moment, members: expected leading axes that agree, got shapes {shapes}") from None
    count = math.prod(batch)
    return (
        np.ascontiguousarray(np.broadcast_to(grams, (*batch, size, size))).reshape(count, size, size),
        np.ascontiguousarray(np.broadcast_to(moments, (*batch, size))).reshape(count, size),
        np.ascontiguousarray(np.broadcast_to(masks, (*batch, size))).reshape(count, size),
        batch,
    )


def _finite(name: str, values: Any) -> np.ndarray:
    array = as_floats(name, values)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {array[~np.isfinite(array)].flat[0]}")
    return array
