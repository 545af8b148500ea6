"""Fits of a curve in batches: many sets of raters for many problems, solved, judged and, where need be, refined.

A lane is one problem (a target, a fold, a constraint) with either one order of the raters, and then all its prefixes,
or one set of raters.

Letters: B problems, L lanes, K raters, M sets of a lane, R rows of held-out factors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.fits.nnls import nonnegative_lanes, prefix_lanes

from equilibrax._core.batching import by_rows, over_batch, run_in_chunks
from equilibrax.fits.rays import penalty, refine, residual
from equilibrax.fits.scaling import TOLERANCE, lanes_per_chunk, unit_scale

NONZERO = 1e-6
"""Weights above this count as non-zero (2509.15090, Figure 2)."""

_WIDE = 64  # more columns than this are added in two pieces


@dataclass(frozen=True)
class Problems:
    """B problems in the units of the data, taken apart as in `equilibrax.fits.rays`.

    Attributes:
        grams: `[B, K, K]` of the parts P.
        betas: `[B, K]`.
        inverse: `[B]` one over the square of the target; zero on the simplex.
        held_out: `[B, R, K + 1]` factors of held-out rows, the last column is the target.
        parts_of: from a problem to its `[I, K]` parts, for fits that are solved again.
    """

    grams: np.ndarray
    betas: np.ndarray
    inverse: np.ndarray
    held_out: np.ndarray
    parts_of: Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Fits:
    """`[L, M]` each: squared errors on held-out and on training rows, weights above NONZERO, residual; and how many
    were refined. Training errors are 1 / (1 / |y|^2 + 1 / q).
    """

    error: np.ndarray
    trained: np.ndarray
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
    sigma = penalty(problems.grams, problems.betas, np.ones(1, bool))[:, None]
    wanted = sigma * problems.betas
    scaled, wanted, factors = unit_scale(
        problems.grams + wanted[:, :, None] * problems.betas[:, None], wanted, np.ones(1, bool)
    )
    given = (scaled, wanted, factors, problems.grams, problems.betas, problems.inverse, problems.held_out)
    with jax.enable_x64(True):
        raw = run_in_chunks(
            _compiled(prefixes, mesh),
            (of_lane.astype(np.int32), raters.astype(np.int32) if prefixes else raters),
            tuple(jnp.asarray(array) for array in given),
            lanes_per_chunk(size, mesh),
            mesh,
        )
    names = ("error", "trained", "nonzero", "residual")
    error, trained, nonzero, worst = (np.array(raw[name]) for name in names)
    again = np.argwhere(~(worst <= TOLERANCE))
    before, v = -1, np.zeros(0)
    for lane, place in again:
        b = of_lane[lane]
        members = np.zeros(problems.betas.shape[1], bool)
        members[raters[lane, : place + 1] if prefixes else raters[lane]] = True
        start = v if lane == before else np.zeros(len(members))  # that of fewer raters
        v, found, q = refine(problems.parts_of(int(b)), problems.betas[b], members, start)
        before = lane
        if not found >= worst[lane, place]:
            at = lane, place
            worst[at] = found
            error[at], trained[at], nonzero[at] = (
                values[0, 0]
                for values in _judged(
                    v[None, None], np.full((1, 1), q), problems.inverse[b, None, None], problems.held_out[b, None]
                )
            )
    return Fits(error, trained, nonzero, worst, len(again))


def pieces(size: int) -> tuple[int, ...]:
    """Sizes at which the tableau grows."""
    return (size,) if size <= _WIDE else (-(-size // 2), size)


@lru_cache(maxsize=8)
def _compiled(prefixes: bool, mesh):
    def solve(batched, shared):
        of_lane, raters = batched
        scaled, wanted, factors, grams, betas, inverse, held_out = shared
        if prefixes:
            weights, members = _prefix_weights(of_lane, raters, scaled, wanted)
        else:
            found, _ = nonnegative_lanes(scaled[of_lane], wanted[of_lane], raters, step_limit=10 * raters.shape[1] + 20)
            weights, members = found[:, None], raters[:, None]
        weights, betas = weights * factors[of_lane][:, None], betas[of_lane][:, None]
        total = (weights * betas).sum(axis=-1, keepdims=True)
        v = jnp.where(total > 0, weights / jnp.where(total > 0, total, 1.0), 0.0)
        squares = jnp.diagonal(grams, axis1=1, axis2=2)[of_lane][:, None]
        applied = jnp.einsum("lmk,lkj->lmj", v, grams[of_lane])
        worst, q = residual(applied, squares, betas, v, members, jnp)
        error, trained, nonzero = _judged(v, q, inverse[of_lane][:, None], held_out[of_lane], jnp)
        return {"error": error, "trained": trained, "nonzero": nonzero.astype(jnp.int32), "residual": worst}

    return over_batch(by_rows(solve), mesh)


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


def _judged(v, q, inverse, factor, xp=np):
    """`[L, M]` squared errors on held-out and on training rows, and weights above NONZERO.

    Args:
        v: `[L, M, K]` with `beta'v = 1`, or zero.
        q: `[L, M]`.
        inverse: `[L, 1]` one over the square of the target.
        factor: `[L, R, K + 1]` of held-out rows.
    """
    idle = ~(v > 0).any(axis=-1)
    less = xp.where(idle, 1.0, q * inverse / (1.0 + q * inverse))[..., None]  # 1 - t
    missed = (1.0 - less) * xp.einsum("lmk,lrk->lmr", v, factor[..., :-1]) - less * factor[:, None, :, -1]
    share = xp.where(inverse > 0, inverse, 1.0)
    trained = xp.where(idle, 1.0 / share, q / (1.0 + q * inverse))
    return (missed**2).sum(axis=-1), trained, ((1.0 - less) * v > NONZERO).sum(axis=-1)
