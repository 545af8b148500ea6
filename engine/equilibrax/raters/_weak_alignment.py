"""Weak market alignment: how well mixtures of the providers explain each user (2602.13451, Definition 2.13).

For every user i, over the rows (question y, option a) that she answered,

    p_i(a | y)  ~  sum_j w[j, i] v_j(a, y) + c_i,        w >= 0,

in the mean (non-negative least squares, with errors on questions that the fit has not seen) and in the worst case,

    eps_U = min over w >= 0, c of max over (a, y) of |p_i(a | y) - sum_j w[j, i] v_j(a, y) - c_i|.

With u_j = (1/n) sum_i v_j(a_i, y) providers are exactly separable (F_ji = v_j, eps_P = 0), so eps_U is the whole error
of the definition, and the slack of the guarantee of a personalized market.

Letters: N users, K models, Q questions, A options, R = Q A rows, F folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import expect
from equilibrax._core.status import SolveError
from equilibrax.fits.folds import FoldAssignment, assign_folds, fit_centered
from equilibrax.raters._fit_rows import FitRows
from equilibrax.raters.answers import LOG_FLOOR, AnswerDistributions, Score
from equilibrax.theory import fit_outcomes

_FEW = "too few answers"
_NONE = "no answers"


@dataclass(frozen=True)
class WeakAlignment(FitRows):
    """Fits of N users by K providers.

    Attributes:
        weights: `[N, K]` w[j, i] by user, from least squares on all questions.
        constants: `[N]` c_i; 0 without intercept.
        rmse: `[N]` root mean squared error over all held-out rows.
        fold_rmse: `[N, F]` that of each fold; NaN where the user answered none of its questions.
        fit_rmse: `[N]` that of `weights` on the rows they were fitted to.
        constant_rmse: `[N]` that of the best constant alone: the standard deviation of the user's shares.
        worst_case: `[N]` eps_U of Definition 2.13, by linear programming; NaN if not asked for.
        worst_case_weights: `[N, K]` weights that attain it.
        worst_case_constants: `[N]` and the constant.
        gap: `[N]` eps_U minus the lower bound that dual multipliers prove.
        certified: `[N]` whether the gap is at most 1e-9 of the range of the user's shares, and the dual violation of
            every model of its own.
        kkt_residual: `[N]` of `weights` (`LeastSquaresFit`).
        questions: `[N]` int64, questions that the user and all models answered; no others are used.
        status: N texts: "ok"; "no answers" for a user without any, whose numbers are NaN; "too few answers" for one
            whose questions are all in one fold, who has no `rmse`.
        user_names: N names.
        model_names: K names.
        score: the score of the models.
        intercept: whether there is a constant.
    """

    weights: Float[np.ndarray, "N K"]
    constants: Float[np.ndarray, " N"]
    rmse: Float[np.ndarray, " N"]
    fold_rmse: Float[np.ndarray, "N F"]
    fit_rmse: Float[np.ndarray, " N"]
    constant_rmse: Float[np.ndarray, " N"]
    worst_case: Float[np.ndarray, " N"]
    worst_case_weights: Float[np.ndarray, "N K"]
    worst_case_constants: Float[np.ndarray, " N"]
    gap: Float[np.ndarray, " N"]
    certified: Bool[np.ndarray, " N"]
    kkt_residual: Float[np.ndarray, " N"]
    questions: Int[np.ndarray, " N"]
    status: tuple[str, ...]
    user_names: tuple[str, ...]
    model_names: tuple[str, ...]
    score: Score
    intercept: bool

    def rows(self) -> pa.Table:
        """One row per user and provider: target, provider, weight, worst_case_weight."""
        return self._weight_rows(("target", self.user_names), ("provider", self.model_names))

    def users(self) -> pa.Table:
        """One row per user: target, questions, rmse, standard_error, fit_rmse, constant_rmse, worst_case, status."""
        return pa.table(self._error_rows(("target", self.user_names)) | {"status": list(self.status)})


def weak_alignment(
    answers: AnswerDistributions,
    *,
    score: Score = "linear",
    score_floor: float = LOG_FLOOR,
    folds: int = 5,
    fold_assignment: FoldAssignment = "shuffled",
    seed: int = 0,
    intercept: bool = True,
    worst_case: bool = True,
    throw: bool = True,
) -> WeakAlignment:
    """How well non-negative mixtures of all models explain each user (2602.13451, Definition 2.13, Section 6.1).

    Args:
        answers: N users and K models. Questions that some model did not answer are left out, and for each user those
            that she did not see.
        score: the models' utility component v_j, "linear", "log" or "brier".
        score_floor: smallest probability that the log score tells apart.
        folds: number of folds of cross-validation over questions, at least 2.
        fold_assignment: "shuffled": questions shuffled by `seed` and dealt round. "modulo": question q in fold
            q modulo `folds`.
        seed: of the shuffle.
        intercept: whether the least-squares fits have a free constant c_i. The worst case always has one, as in the
            definition.
        worst_case: whether to solve for eps_U.
        throw: raise if eps_U of a user is not certified (otherwise `certified` says so).

    Returns:
        A `WeakAlignment`.

    Raises:
        ValueError: on an unknown option, more folds than questions that all models answered, or no such question.
        SolveError: with `throw`, if eps_U of a user is not certified.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=3, models=4, questions=40, options=3, seed=1)
        >>> fit = eq.raters.weak_alignment(answers)
        >>> bool((fit.rmse < fit.constant_rmse).all()), bool((fit.fit_rmse <= fit.worst_case).all())
        (True, True)
        >>> fit.rows().column_names
        ['target', 'provider', 'weight', 'worst_case_weight']
    """
    expect("answers", answers, AnswerDistributions)
    usable: np.ndarray = np.asarray(answers.modelled.all(axis=0))
    if not usable.any():
        raise ValueError("answers: expected a question that all models answered, got none")
    components = answers.scores(score, score_floor=score_floor)
    fold = np.full(answers.num_questions, -1)
    fold[usable] = assign_folds(np.flatnonzero(usable), folds, fold_assignment, seed)
    n = answers.num_users
    question, option = np.nonzero(answers.options & usable[:, None])
    columns = components[:, question, option].T  # [R, K]
    here = answers.seen[:, question]  # [N, R]
    targets = np.where(here, answers.users[:, question, option], 0.0)
    train = here[:, None] & (fold[question] != np.arange(-1, folds)[:, None])  # [N, 1 + F, R], first all of them
    weights, constants, residual = _least_squares(columns, targets, train, intercept)

    error = targets[:, None] - weights @ columns.T - constants[..., None]
    held_out = here[:, None] & ~train[:, 1:]
    impossible = held_out.any(axis=2) & ~train[:, 1:].any(axis=2)
    squares, count = (error[:, 1:] ** 2 * held_out).sum(axis=2), held_out.sum(axis=2)
    total = here.sum(axis=1)
    spread = rows_mean((targets - rows_mean(targets, here)[:, None]) ** 2, here)
    worst = _worst_case(columns, targets, here & worst_case)
    if worst_case:
        lost = (total > 0) & ~worst.certified
        if throw and lost.any():
            raise SolveError(
                f"eps_U of {int(lost.sum())} of {n} users is not certified; the first is "
                f"{answers.user_names[int(np.flatnonzero(lost)[0])]!r}; throw=False returns the others"
            )
    few = impossible.any(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rmse = np.where(few, np.nan, np.sqrt(squares.sum(axis=1) / total))
        fold_rmse = np.where(impossible, np.nan, np.sqrt(squares / count))
    missing = total == 0
    return WeakAlignment(
        weights=np.where(missing[:, None], np.nan, weights[:, 0]),
        constants=np.where(missing, np.nan, constants[:, 0]),
        rmse=rmse,
        fold_rmse=fold_rmse,
        fit_rmse=np.sqrt(rows_mean(error[:, 0] ** 2, here)),
        constant_rmse=np.sqrt(spread),
        worst_case=worst.error,
        worst_case_weights=worst.weights,
        worst_case_constants=worst.offset,
        gap=worst.gap,
        certified=worst.certified,
        kkt_residual=np.where(missing, np.nan, residual[:, 0]),
        questions=(answers.seen & usable).sum(axis=1),
        status=tuple(_NONE if none else _FEW if bad else "ok" for none, bad in zip(missing.tolist(), few.tolist())),
        user_names=answers.user_names,
        model_names=answers.model_names,
        score=score,
        intercept=intercept,
    )


def rows_mean(values: Float[np.ndarray, "N R"], here: Bool[np.ndarray, "N R"]) -> Float[np.ndarray, " N"]:
    """The mean over some rows; NaN where there are none."""
    count = here.sum(axis=1)
    return np.where(count > 0, (values * here).sum(axis=1) / np.maximum(count, 1), np.nan)


def _least_squares(columns: np.ndarray, targets: np.ndarray, train: np.ndarray, intercept: bool):
    """`weights [N, 1 + F, K]`, `constants [N, 1 + F]` and KKT residuals of fits to training rows."""
    shape, k = train.shape[:2], columns.shape[1]
    grams, moments, squares = np.zeros((*shape, k, k)), np.zeros((*shape, k)), np.zeros(shape)
    centers, middles = np.zeros((*shape, k)), np.zeros(shape)
    for i, f in np.ndindex(*shape):
        rows = train[i, f]
        if not rows.any():
            continue
        own, target = columns[rows], targets[i, rows]
        if intercept:
            centers[i, f], middles[i, f] = own.mean(axis=0), target.mean()
        own, target = own - centers[i, f], target - middles[i, f]
        grams[i, f], moments[i, f], squares[i, f] = own.T @ own, own.T @ target, target @ target
    weights, residual = fit_centered(grams, moments, squares)
    return weights, middles - (weights * centers).sum(axis=2), residual


class _WorstCase(NamedTuple):
    """Chebyshev fits of N users by K models; NaN for a user without rows."""

    error: Float[np.ndarray, " N"]
    weights: Float[np.ndarray, "N K"]
    offset: Float[np.ndarray, " N"]
    gap: Float[np.ndarray, " N"]
    certified: Bool[np.ndarray, " N"]


def _worst_case(columns: np.ndarray, targets: np.ndarray, here: np.ndarray) -> _WorstCase:
    """eps_U of every user over the rows that are `here`, one user per game of `fit_outcomes`."""
    n, k = len(targets), columns.shape[1]
    error, offset, gap = (np.full(n, np.nan) for _ in range(3))
    found = _WorstCase(error, np.full((n, k), np.nan), offset, gap, np.zeros(n, bool))
    asked = np.flatnonzero(here.any(axis=1))
    if len(asked):
        models = np.broadcast_to(columns.T, (len(asked), *columns.T.shape))
        utilities = np.concatenate([targets[asked, None], models], axis=1)
        everyone = np.ones((len(asked), k), bool)
        fit, certified, _ = fit_outcomes(utilities, here[asked], np.arange(len(asked)), everyone)
        for field, values in zip(found, (fit.eps, fit.weights, fit.offset, fit.gap, certified)):
            field[asked] = values
    return found
