"""From raters and folds to small matrices: all that fits and their held-out errors need, per target and fold.

Columns are taken apart as `equilibrax.fits.rays` does, by exact differences: for nnls into what the target has and the
rest, for simplex into differences from the target. Rows are scaled by the square roots of their weights, then reduced:
training rows to Gram matrices, held-out rows to the triangular factor of a QR decomposition, which has the same errors
for all weights and no cancellation.

Letters: I items, K raters, F folds, N targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from equilibrax.fits.rays import apart, nothing, whole
from equilibrax.raters.matrix import RaterMatrix

SOLVED, NO_ANSWERS, ONE_FOLD = "solved", "no answers", "answers in one fold only"


@dataclass(frozen=True)
class TargetProblem:
    """What the curves of one target are computed from; `status` is not SOLVED where there is nothing to compute.

    Attributes:
        status: SOLVED, NO_ANSWERS or ONE_FOLD.
        mass: sum of the weights of the rows that the target answered.
        alone: `[F, K]` squared error (weighted sum over the fold's rows) of every rater on its own.
        differences: `[R, K]` such that the error of the raters' average is the square of the columns' average.
        grams: `[F, 2, K, K]` of the training rows' parts, for nnls and for simplex.
        betas: `[F, 2, K]` what each rater has of the target; one for simplex.
        inverse: `[F, 2]` one over the square of the target's training rows; zero for simplex.
        held_out: `[F, 2, R, K + 1]` factor of the held-out rows' parts; the last column is the target.
    """

    status: str
    mass: float
    alone: np.ndarray
    differences: np.ndarray
    grams: np.ndarray
    betas: np.ndarray
    inverse: np.ndarray
    held_out: np.ndarray


class Rows(NamedTuple):
    """Rows of one target, fold and kind of fit, scaled by the roots of their weights.

    Attributes:
        train: `[I', K]` parts in training rows.
        betas: `[K]`.
        inverse: one over the square of the target's training rows, or zero.
        test: `[I'', K + 1]` parts in held-out rows, and the target.
    """

    train: np.ndarray
    betas: np.ndarray
    inverse: float
    test: np.ndarray


def target_problem(raters: RaterMatrix, target: int, fold_of: np.ndarray, folds: int, intercept: bool) -> TargetProblem:
    """Reduce the rows of one target."""
    answered = ~np.isnan(raters.targets[:, target])
    here, weights = fold_of[answered], raters.weights[answered]
    size = raters.num_raters
    rows = min(size + 1, int(np.bincount(fold_of, minlength=folds).max()))
    problem = TargetProblem(
        status=SOLVED if len(np.unique(here)) > 1 else ONE_FOLD if len(here) else NO_ANSWERS,
        mass=float(weights.sum()),
        alone=np.zeros((folds, size)),
        differences=np.zeros((0, size)),
        grams=np.zeros((folds, 2, size, size)),
        betas=np.zeros((folds, 2, size)),
        inverse=np.zeros((folds, 2)),
        held_out=np.zeros((folds, 2, rows, size + 1)),
    )
    if problem.status != SOLVED:
        return problem
    gaps = raters.ratings[answered] - raters.targets[answered, target][:, None]
    gaps = gaps * np.sqrt(weights)[:, None]
    factor = np.linalg.qr(gaps, mode="r") if len(gaps) > size else gaps
    for fold in range(folds):
        problem.alone[fold] = (gaps[here == fold] ** 2).sum(axis=0)
        for kind, part in enumerate(fold_rows(raters, target, fold_of, fold, intercept)):
            problem.grams[fold, kind] = part.train.T @ part.train
            problem.betas[fold, kind], problem.inverse[fold, kind] = part.betas, part.inverse
            held = np.linalg.qr(part.test, mode="r") if len(part.test) > size + 1 else part.test
            problem.held_out[fold, kind, : len(held)] = held
    return TargetProblem(**{**vars(problem), "differences": factor})


def fold_rows(raters: RaterMatrix, target: int, fold_of: np.ndarray, fold: int, intercept: bool) -> Iterator[Rows]:
    """The rows of one fold of a target, for nnls and for simplex."""
    answered = ~np.isnan(raters.targets[:, target])
    test, mass = fold_of[answered] == fold, raters.weights[answered]
    ratings, wanted = raters.ratings[answered], raters.targets[answered, target]
    exact, before, size = whole(ratings) & whole(wanted), np.abs(ratings), np.abs(wanted)
    columns, gaps = ratings, ratings - wanted[:, None]
    if intercept:
        columns, wanted, gaps = (_centered(values, test, mass) for values in (columns, wanted, gaps))
        columns = _known(columns, before, test, exact)
        wanted = _known(wanted, size, test, np.asarray(exact.all()))
    betas, parts = apart(columns, wanted, np.where(test, 0.0, mass))
    square = float((mass * wanted**2)[~test].sum())
    for values, own, share in (
        (_known(parts, before, test, exact), betas, 1.0 / square if square > 0 else 0.0),
        (_known(gaps, before + size[:, None], test, exact), np.ones(len(betas)), 0.0),
    ):
        rows = np.c_[values, wanted] * np.sqrt(mass)[:, None]
        yield Rows(rows[~test, :-1], own, share, rows[test])


def _centered(values: np.ndarray, test: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Without their mean over training rows; first without a row of them: differences are exact and means are not."""
    shifted = values - values[~test][0]
    return shifted - np.average(shifted[~test], axis=0, weights=mass[~test])


def _known(parts: np.ndarray, before: np.ndarray, test: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Columns without training rows that are rounding errors."""
    gone = nothing(parts[~test], before[~test], exact)
    return np.where(gone & ~(test[:, None] if parts.ndim > 1 else test), 0.0, parts)
