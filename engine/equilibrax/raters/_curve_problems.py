"""From raters and folds to small matrices: all that fits and their held-out errors need, per target and fold.

Rows are scaled by the square roots of their weights, then reduced: training rows to Gram matrices, held-out rows to the
triangular factor of a QR decomposition, which has the same errors for all weights and no cancellation.

Letters: I items, K raters, F folds, N targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibrax.raters.matrix import RaterMatrix

SOLVED, NO_ANSWERS, ONE_FOLD = "solved", "no answers", "answers in one fold only"

_NOTHING = 1e-13  # a centred column is zero if its norm is below this, relative to what it was before


@dataclass(frozen=True)
class TargetProblem:
    """What the curves of one target are computed from; `status` is not SOLVED where there is nothing to compute.

    Attributes:
        status: SOLVED, NO_ANSWERS or ONE_FOLD.
        mass: sum of the weights of the rows that the target answered.
        alone: `[F, K]` squared error (weighted sum over the fold's rows) of every rater on its own.
        differences: `[R, K]` such that the error of the raters' average is the square of the columns' average.
        grams: `[F, 2, K, K]` of the training rows, of raters (for nnls) and of differences (for simplex).
        moments: `[F, 2, K]` with the target; zero for simplex.
        held_out: `[F, R, K + 1]` factor of the held-out rows; the last column is the target.
    """

    status: str
    mass: float
    alone: np.ndarray
    differences: np.ndarray
    grams: np.ndarray
    moments: np.ndarray
    held_out: np.ndarray


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
        moments=np.zeros((folds, 2, size)),
        held_out=np.zeros((folds, rows, size + 1)),
    )
    if problem.status != SOLVED:
        return problem
    both = np.concatenate([raters.ratings[answered], raters.targets[answered, target][:, None]], axis=1)
    root = np.sqrt(weights)[:, None]
    gaps = (both[:, :-1] - both[:, -1:]) * root
    factor = np.linalg.qr(gaps, mode="r") if len(gaps) > size else gaps
    for fold in range(folds):
        test = here == fold
        center = np.average(both[~test], axis=0, weights=weights[~test]) if intercept else 0.0
        before = np.abs(both[~test]) * root[~test]
        train = _clean((both[~test] - center) * root[~test], before)
        apart = _clean(train[:, :-1] - train[:, -1:], before[:, :-1] + before[:, -1:])
        problem.alone[fold] = (gaps[test] ** 2).sum(axis=0)
        problem.grams[fold] = train[:, :-1].T @ train[:, :-1], apart.T @ apart
        problem.moments[fold, 0] = train[:, :-1].T @ train[:, -1]
        held = (both[test] - center) * root[test]
        held = np.linalg.qr(held, mode="r") if len(held) > size + 1 else held
        problem.held_out[fold, : len(held)] = held
    return TargetProblem(**{**vars(problem), "differences": factor})


def _clean(columns: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The columns, exactly zero where only rounding errors are left of them."""
    gone = (columns**2).sum(axis=0) <= _NOTHING**2 * (before**2).sum(axis=0)
    return np.where(gone, 0.0, columns)
