"""How weak alignment improves with the number of providers (2602.13451, Figures 1, 4, 5, 6 and 7).

For every set T of providers and every user, the user's shares are fitted on the training questions by

    p_i(a | y) ~ sum_{j in T} w[j, i] v_j(a, y) + c_i,   w >= 0       "nnls", with a free constant
    the v_j with the smallest error on the training questions          "best_individual"
    the mean of v_j over T                                             "average"

and the error is that on the questions held out. The baselines have no constant: they are what one provider, or all of
them together, say.

Letters: N users, K providers, M methods, S sizes of T, T sets, F folds, R rows (a question's options).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from equilibrax._core.checks import check_choice, check_whole, expect
from equilibrax.fits.folds import FoldAssignment, assign_folds, fit_centered
from equilibrax.raters._fit_rows import fold_error, numbers
from equilibrax.raters._subsets import Orders, Subsets
from equilibrax.raters.answers import LOG_FLOOR, AnswerDistributions, Score

WEAK_METHODS = ("best_individual", "average", "nnls")
"""Methods of a `WeakCurve`, in order."""

MAX_ALL_SETS = 10
"""With more providers than this, all sets are too many to fit, and `weak_curve` wants random orders."""


@dataclass(frozen=True)
class WeakCurve:
    """Error of weak alignment against the number of providers.

    Attributes:
        sizes: `[S]` 1, ..., K.
        rmse: `[N, M, S]` root mean squared error over all held-out rows, its mean over sets of a size; NaN for a user
            without answers in two folds.
        fold_rmse: `[N, M, S, F]` that of each fold.
        count: `[S]` int64 sets of a size.
        user_names: N names.
        model_names: K names.
        user_weights: `[N]` how much each user counts in means over users.
        score: the score of the models.
        folds: number of folds.
    """

    sizes: Int[np.ndarray, " S"]
    rmse: Float[np.ndarray, "N M S"]
    fold_rmse: Float[np.ndarray, "N M S F"]
    count: Int[np.ndarray, " S"]
    user_names: tuple[str, ...]
    model_names: tuple[str, ...]
    user_weights: Float[np.ndarray, " N"]
    score: Score
    folds: int

    @property
    def answering(self) -> np.ndarray:
        """`[N]` bool: users with numbers."""
        return np.asarray(np.isfinite(self.rmse).all(axis=(1, 2)))

    def mean(self) -> Float[np.ndarray, "M S"]:
        """Mean over users of `rmse`, weighed by `user_weights`."""
        return np.average(self.rmse[self.answering], axis=0, weights=self.user_weights[self.answering])

    def standard_error(self) -> Float[np.ndarray, "M S"]:
        """Standard error over folds of the mean over users: standard deviation over folds by the root of F."""
        errors = self.fold_rmse[self.answering]
        mass = np.isfinite(errors) * self.user_weights[self.answering, None, None, None]
        total = mass.sum(axis=0)
        mean = np.full(total.shape, np.nan)
        np.divide((mass * np.where(mass > 0, errors, 0.0)).sum(axis=0), total, out=mean, where=total > 0)
        return fold_error(mean.reshape(-1, self.folds)).reshape(mean.shape[:2])

    def user_error(self) -> Float[np.ndarray, "N S"]:
        """The same for each user's "nnls"."""
        errors = self.fold_rmse[:, WEAK_METHODS.index("nnls")]
        return fold_error(errors.reshape(-1, self.folds)).reshape(errors.shape[:2])

    def rows(self) -> pa.Table:
        """One row per user, method and size: target, method, providers, rmse, sets."""
        n, m, s = self.rmse.shape
        return pa.table(
            {
                "target": np.repeat(np.array(self.user_names, object), m * s),
                "method": np.tile(np.repeat(np.array(WEAK_METHODS, object), s), n),
                "providers": np.tile(self.sizes, n * m),
                "rmse": numbers(self.rmse),
                "sets": np.tile(self.count, n * m),
            }
        )


def weak_curve(
    answers: AnswerDistributions,
    *,
    score: Score = "linear",
    score_floor: float = LOG_FLOOR,
    subsets: Literal["all", "permutations"] = "all",
    permutations: int = 100,
    folds: int = 5,
    fold_assignment: FoldAssignment = "shuffled",
    seed: int = 0,
) -> WeakCurve:
    """Cross-validated error of weak alignment for 1, ..., K providers (2602.13451, Section 6.2).

    Args:
        answers: N users and K models. Questions that some model did not answer are left out, and for each user those
            that she did not see.
        score: the models' utility component v_j, "linear", "log" or "brier".
        score_floor: smallest probability that the log score tells apart.
        subsets: "all": all sets of each size, for up to 10 models. "permutations": the first 1, ..., K of random
            orders.
        permutations: how many orders.
        folds: number of folds of cross-validation over questions, at least 2.
        fold_assignment: "shuffled" or "modulo", as for `weak_alignment`.
        seed: of the shuffle and the orders; the same seed gives the same numbers.

    Returns:
        A `WeakCurve`; at K providers its "nnls" is `weak_alignment`'s `rmse`.

    Raises:
        ValueError: on an unknown option, too many models for "all", more folds than questions, or no question that
            all models answered.
        SolveError: if a fit is not optimal to 1e-8.

    Example:
        >>> import equilibrax as eq
        >>> curve = eq.raters.weak_curve(eq.raters.simulate_answers(users=2, models=3, questions=20, options=3, seed=1))
        >>> curve.rmse.shape, bool(curve.mean()[2, -1] < curve.mean()[2, 0])
        ((2, 3, 3), True)
    """
    expect("answers", answers, AnswerDistributions)
    check_choice("subsets", subsets, ("all", "permutations"))
    k = answers.num_models
    if subsets == "all" and k > MAX_ALL_SETS:
        raise ValueError(f"subsets: expected at most {MAX_ALL_SETS} models for 'all', got {k}; use 'permutations'")
    usable: np.ndarray = np.asarray(answers.modelled.all(axis=0))
    if not usable.any():
        raise ValueError("answers: expected a question that all models answered, got none")
    sets, size = _sets(k, subsets, permutations, seed)
    fold = np.full(answers.num_questions, -1)
    fold[usable] = assign_folds(np.flatnonzero(usable), folds, fold_assignment, seed)
    question, option = np.nonzero(answers.options & usable[:, None])
    columns = answers.scores(score, score_floor=score_floor)[:, question, option].T
    squares = np.full((answers.num_users, len(WEAK_METHODS), len(sets), folds), np.nan)
    count = np.zeros((answers.num_users, folds))
    for i in range(answers.num_users):
        here = answers.seen[i, question]
        if here.any():
            shares = answers.users[i, question[here], option[here]]
            squares[i], count[i] = _held_out(columns[here], shares, fold[question[here]], sets, folds)
    sizes = np.arange(1, k + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rmse = np.sqrt(squares.sum(axis=3) / count.sum(axis=1)[:, None, None])
        fold_rmse = np.sqrt(squares / count[:, None, None])
    return WeakCurve(
        sizes=sizes,
        rmse=np.stack([rmse[:, :, size == s].mean(axis=2) for s in sizes], axis=2),
        fold_rmse=np.stack([fold_rmse[:, :, size == s].mean(axis=2) for s in sizes], axis=2),
        count=np.array([int((size == s).sum()) for s in sizes]),
        user_names=answers.user_names,
        model_names=answers.model_names,
        user_weights=answers.user_weights,
        score=score,
        folds=folds,
    )


def _sets(k: int, subsets: str, permutations: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`[T, K]` bool sets and their sizes."""
    sizes = np.arange(1, k + 1)
    if subsets == "all":
        sets = Subsets.list(k, sizes).lanes()
    else:
        check_whole("permutations", permutations, 1)
        sets = Orders.draw(k, permutations, sizes, seed).sets()
    return sets, sets.sum(axis=1)


def _held_out(columns: np.ndarray, shares: np.ndarray, fold: np.ndarray, sets: np.ndarray, folds: int):
    """`[M, T, F]` sums of squared errors on held-out rows, and `[F]` how many there are."""
    k = columns.shape[1]
    grams, moments, centers = np.zeros((folds, k, k)), np.zeros((folds, k)), np.zeros((folds, k))
    middle, total, single = np.zeros(folds), np.zeros(folds), np.zeros((folds, k))
    held = [fold == f for f in range(folds)]
    for f, out in enumerate(held):
        if out.all():  # nothing to train on: no error can be had
            return np.full((len(WEAK_METHODS), len(sets), folds), np.nan), np.zeros(folds)
        own, target = columns[~out], shares[~out]
        single[f] = ((own - target[:, None]) ** 2).sum(axis=0)
        centers[f], middle[f] = own.mean(axis=0), target.mean()
        own, target = own - centers[f], target - middle[f]
        grams[f], moments[f] = own.T @ own, own.T @ target
        total[f] = target @ target
    weights, _ = fit_centered(grams[:, None], moments[:, None], total[:, None], sets)  # [F, T, K]
    squares = np.zeros((len(WEAK_METHODS), len(sets), folds))
    mean = sets / sets.sum(axis=1, keepdims=True)
    for f, out in enumerate(held):
        best = np.eye(k)[np.where(sets, single[f], np.inf).argmin(axis=1)]
        for m, mixture in enumerate((best, mean, weights[f])):
            constant = middle[f] - mixture @ centers[f] if WEAK_METHODS[m] == "nnls" else 0.0
            error = shares[out, None] - columns[out] @ mixture.T - constant
            squares[m, :, f] = (error**2).sum(axis=0)
    return squares, np.array([out.sum() for out in held], float)
