"""Folds of cross-validation over groups of items, and least squares with a free constant on training rows."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from equilibrax._prepare import check_choice, check_whole
from equilibrax.least_squares import nonnegative_least_squares

FoldAssignment = Literal["shuffled", "modulo"]

_NOISE = 1e-13  # a part of a column or a moment below this share of the whole is rounding


def assign_folds(groups: Int[np.ndarray, " I"], folds: int, assignment: FoldAssignment, seed: int) -> np.ndarray:
    """`[I]` the fold of each item: groups shuffled by `seed` and dealt round, or group g to fold g modulo `folds`."""
    check_choice("fold_assignment", assignment, get_args(FoldAssignment))
    check_whole("seed", seed, 0)
    check_whole("folds", folds, 2)
    distinct, place = np.unique(groups, return_inverse=True)
    if len(distinct) < folds:
        raise ValueError(f"folds: expected at most {len(distinct)}, the number of groups of items, got {folds}")
    if assignment == "modulo":
        return np.asarray(groups) % folds
    dealt = np.empty(len(distinct), np.int64)
    dealt[np.random.default_rng(seed).permutation(len(distinct))] = np.arange(len(distinct)) % folds
    return dealt[place]


def fit_centered(
    gram: Float[np.ndarray, "*L K K"], moment: Float[np.ndarray, "*L K"], square: Float[np.ndarray, "*L"]
) -> tuple[np.ndarray, np.ndarray]:
    """`(weights, kkt_residual)` of NNLS on second moments; columns and moments that are rounding errors count as zero.

    A column that is constant, or a target that is, has centered moments of rounding size: a fit to them would be noise.
    """
    size = np.diagonal(gram, axis1=-2, axis2=-1)
    largest = size.max(axis=-1, keepdims=True)
    members = size > _NOISE * largest
    bound = _NOISE * np.sqrt(np.maximum(size * square[..., None], 0.0))
    moment = np.where(members & (np.abs(moment) > bound), moment, 0.0)
    fit = nonnegative_least_squares(gram, moment, members=members)
    return fit.weights, fit.kkt_residual
