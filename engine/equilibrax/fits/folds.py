"""Folds of cross-validation over groups of items, and least squares with a free constant on training rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import check_choice, check_whole
from equilibrax.fits.least_squares import nonnegative_least_squares
from equilibrax.fits.scaling import TOLERANCE, not_converged

FoldAssignment = Literal["shuffled", "modulo"]

_NOISE = 1e-13  # a part of a column or a moment below this share of the whole is rounding


def assign_folds(groups: Int[np.ndarray, " I"], folds: int, assignment: FoldAssignment, seed: int) -> np.ndarray:
    """`[I]` the fold of every item; the same groups and seed give the same folds wherever they are needed.

    Args:
        groups: `[I]` whole numbers; items of one group are in the same fold.
        folds: how many, at least 2.
        assignment: "shuffled" deals the groups round in random order, "modulo" puts group g into fold g % folds.
        seed: of the order.

    Raises:
        ValueError: on an option that is none, or if some fold would be empty.
    """
    check_choice("fold_assignment", assignment, get_args(FoldAssignment))
    check_whole("folds", folds, 2)
    check_whole("seed", seed, 0, 2**63 - 1)
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) < folds:
        raise ValueError(f"folds: expected at most the number of groups of items, {len(names)}, got {folds}")
    if assignment == "modulo":
        fold_of = names % folds
        if len(np.unique(fold_of)) < folds:
            raise ValueError(
                f"folds: expected groups in every fold, but no group's number leaves some rest by {folds}; "
                f"try other folds or 'shuffled'"
            )
    else:
        fold_of = np.empty(len(names), np.int64)
        words = random_words(seed, 0, (len(names),))
        fold_of[np.argsort(words, kind="stable")] = np.arange(len(names)) % folds
    return fold_of[group_of]


def random_words(seed: int, purpose: int, shape: Sequence[int]) -> np.ndarray:
    """Random 64-bit words, the same on every machine and in every version; the first rows do not depend on the rest."""
    generator = np.random.PCG64(np.random.SeedSequence([seed, purpose]))
    return np.asarray(generator.random_raw(int(np.prod(shape)))).reshape(shape)


def fit_centered(
    gram: Float[np.ndarray, "*L K K"],
    moment: Float[np.ndarray, "*L K"],
    square: Float[np.ndarray, "*L"],
    members: Bool[np.ndarray, "*L K"] | bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """`(weights, kkt_residual)` of NNLS on second moments; columns and moments that are rounding errors count as zero.

    A column that is constant, or a target that is, has centered moments of rounding size: a fit to them would be noise.
    Centered columns that are almost the same are so in the data, and share their weight in some way.
    """
    size = np.diagonal(gram, axis1=-2, axis2=-1)
    largest = size.max(axis=-1, keepdims=True)
    known = size > _NOISE * largest
    bound = _NOISE * np.sqrt(np.maximum(size * square[..., None], 0.0))
    moment = np.where(known & (np.abs(moment) > bound), moment, 0.0)
    fit = nonnegative_least_squares(gram, moment, members=known & members, throw=False)
    if not (fit.kkt_residual <= TOLERANCE).all():
        raise not_converged(fit.kkt_residual)
    return fit.weights, fit.kkt_residual
