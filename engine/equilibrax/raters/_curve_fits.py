"""Fits of a curve in batches: many sets of raters for many problems, solved, judged and, where need be, refined.

A lane is one problem (a target, a fold, a constraint) with either one order of the raters, and then all its prefixes,
or one set of raters.

Letters: B problems, L lanes, K raters, M sets of a lane, R rows of held-out factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.fits.nnls import nonnegative_lanes, prefix_lanes

from equilibrax._core.batching import by_rows, over_batch, run_in_chunks
from equilibrax.fits.scaling import TOLERANCE, kkt_residual, lanes_per_chunk, refine, unit_scale

NONZERO = 1e-6
"""Weights above this count as non-zero (2509.15090, Figure 2)."""

_WIDE = 64  # more columns than this are added in two pieces


@dataclass(frozen=True)
class Problems:
    """B problems in the units of the data.

    Attributes:
        grams: `[B, K, K]`, of differences where `simplex`.
        moments: `[B, K]`.
        simplex: `[B]` bool.
        held_out: `[B, R, K + 1]` factors of held-out rows, the last column is the target.
    """

    grams: np.ndarray
    moments: np.ndarray
    simplex: np.ndarray
    held_out: np.ndarray


@dataclass(frozen=True)
class Fits:
    """`[L, M]` each: squared error on held-out rows, weights above NONZERO, KKT residual; and how many were refined."""

    error: np.ndarray
    nonzero: np.ndarray
    residual: np.ndarray
    refined: int


def fit_all(problems: Problems, of_lane: np.ndarray, raters: np.ndarray, mesh) -> Fits:
    """Solve all lanes.

    Args:
        problems: B problems.
        of_lane: `[L]` the problem of every lane.
        raters: `[L, M]` int: the first m + 1 raters are the lane's set m; or `[L, K]` bool: its only set.
        mesh: the devices.
    """
    prefixes = raters.dtype != bool
    size = raters.shape[1]
    scaled, wanted, factors = unit_scale(problems.grams, problems.moments, np.ones(1, bool), problems.simplex)
    with jax.enable_x64(True):
        raw = run_in_chunks(
            _compiled(prefixes, mesh),
            (of_lane.astype(np.int32), raters.astype(np.int32) if prefixes else raters),
            tuple(
                jnp.asarray(array)
                for array in (
                    scaled,
                    wanted,
                    factors,
                    problems.grams,
                    problems.moments,
                    problems.simplex,
                    problems.held_out,
                )
            ),
            lanes_per_chunk(size, mesh),
            mesh,
        )
    error, nonzero, residual = (np.array(raw[name]) for name in ("error", "nonzero", "residual"))
    again = np.argwhere(~(residual <= TOLERANCE))
    for lane, place in again:
        b = of_lane[lane]
        members = np.zeros(problems.moments.shape[1], bool)
        members[raters[lane, : place + 1] if prefixes else raters[lane]] = True
        constraint = "simplex" if problems.simplex[b] else "nonnegative"
        weights, _ = refine(problems.grams[b], problems.moments[b], members, constraint)
        better = kkt_residual(problems.grams[b], problems.moments[b], weights, members, constraint)
        if not better >= residual[lane, place]:
            factor = problems.held_out[b]
            residual[lane, place] = better
            error[lane, place] = ((factor[:, :-1] @ weights - factor[:, -1]) ** 2).sum()
            nonzero[lane, place] = (weights > NONZERO).sum()
    return Fits(error, nonzero, residual, len(again))


def pieces(size: int) -> tuple[int, ...]:
    """Sizes at which the tableau grows."""
    return (size,) if size <= _WIDE else (-(-size // 2), size)


@lru_cache(maxsize=8)
def _compiled(prefixes: bool, mesh):
    def solve(batched, shared):
        of_lane, raters = batched
        scaled, wanted, factors, grams, moments, simplex, held_out = shared
        if prefixes:
            weights, members = _prefix_weights(of_lane, raters, scaled, wanted)
        else:
            found, _ = nonnegative_lanes(scaled[of_lane], wanted[of_lane], raters, step_limit=10 * raters.shape[1] + 20)
            weights, members = found[:, None], raters[:, None]
        weights = weights * factors[of_lane][:, None]
        total = weights.sum(axis=-1, keepdims=True)
        weights = jnp.where(simplex[of_lane][:, None, None], weights / jnp.where(total > 0, total, 1.0), weights)
        factor = held_out[of_lane]
        missed = jnp.einsum("lmk,lrk->lmr", weights, factor[:, :, :-1]) - factor[:, None, :, -1]
        return {
            "error": (missed**2).sum(axis=-1),
            "nonzero": (weights > NONZERO).sum(axis=-1).astype(jnp.int32),
            "residual": _residual(grams[of_lane], moments[of_lane], simplex[of_lane], weights, members),
        }

    return jax.jit(over_batch(by_rows(solve), mesh))


def _prefix_weights(of_lane, order, scaled, wanted):
    """`[L, M, K]` weights of the prefixes in unit scale, and who is a member, by rater."""
    lanes, size = order.shape
    everyone = scaled.shape[1]

    def gram_of(first, last):
        return scaled[of_lane[:, None, None], order[:, first:last, None], order[:, None, :last]]

    found, _ = prefix_lanes(gram_of, wanted[of_lane[:, None], order], pieces=pieces(size))
    here = jnp.arange(lanes)[:, None]
    place = jnp.full((lanes, everyone), size, jnp.int32).at[here, order].set(jnp.arange(size, dtype=jnp.int32))
    members = place[:, None] <= jnp.arange(size)[:, None]
    weights = jnp.take_along_axis(found, jnp.minimum(place, size - 1)[:, None], axis=2)
    return jnp.where(members, weights, 0.0), members


def _residual(grams, moments, simplex, weights, members):
    """`[L, M]`, as `LeastSquaresFit.kkt_residual` defines it."""
    squares = jnp.diagonal(grams, axis1=1, axis2=2)[:, None]
    applied = jnp.einsum("lmk,lkj->lmj", weights, grams)
    best = jnp.where(members, squares, jnp.inf).min(axis=-1)
    mean = jnp.where(members, squares, 0.0).sum(axis=-1) / jnp.maximum(members.sum(axis=-1), 1)
    apart = (weights * applied).sum(axis=-1, keepdims=True) - applied
    norms = jnp.sqrt(jnp.where(squares > 0, squares, 1.0))
    height = jnp.where(members, jnp.abs(moments[:, None]) / norms, 0.0).max(axis=-1)
    on_simplex = simplex[:, None]
    unit = jnp.where(on_simplex, jnp.maximum(best, 1e-8 * mean), height)
    gradient = jnp.where(on_simplex[:, None], apart, (moments[:, None] - applied) / norms)
    gradient = gradient / jnp.where(unit > 0, unit, 1.0)[:, :, None]
    worst = jnp.where(weights > 0, jnp.abs(gradient), jnp.maximum(gradient, 0.0))
    return jnp.where(members, worst, 0.0).max(axis=-1)
