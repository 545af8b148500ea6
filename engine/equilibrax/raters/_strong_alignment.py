"""Strong market alignment: how well each provider is explained by the users together (2602.13451, Definition 2.14).

Provider j gets u_j(a_1 ... a_n, y) = (1/n) sum_i v_j(a_i, y) from the actions of all users, and

    u_j(a_1 ... a_n, y)  ~  sum_i lambda[j, i] p_i(a_i | y) + c_j,        lambda >= 0,

in the mean over a uniform question y and independent actions a_i ~ p_i(. | y), by least squares, and in the worst case
over all questions and all A^n profiles of actions. Means are exact sums, or over sampled profiles as in the paper.

The scale: if all n users and the provider answer alike, lambda[j, i] = 1/n and eps = 0, because u_j is a mean over
users. A transfer factor 1/lambda of n is therefore what full agreement gives, and grows with n by definition; the slack
2 eps / lambda of Theorem 4.3 has both. A provider that answers as the users do on average is not strongly aligned
when they differ: u_j then values the answer a_i by what the others say too. And a user who always gives one answer is
worth the same in every profile that is drawn (p_i(a_i | y) = 1), so the mean says nothing of her weight and it is zero;
the worst case, over all profiles, knows better.

Letters: N users, K providers, Q questions, A options, F folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import check_whole, expect
from equilibrax._core.status import SolveError
from equilibrax.fits.folds import FoldAssignment, assign_folds, fit_centered
from equilibrax.raters._action_profiles import ProfileMoments, exact_moments, sampled_moments
from equilibrax.raters._fit_rows import FitRows
from equilibrax.raters.answers import LOG_FLOOR, AnswerDistributions, Score
from equilibrax.theory import StrongFits, Utilities, strong_fits


@dataclass(frozen=True)
class StrongAlignment(FitRows):
    """Fits of K providers by N users.

    Attributes:
        weights: `[K, N]` lambda[j, i], from least squares on all questions.
        fold_weights: `[F, K, N]` those of fits to all questions but those of a fold; NaN where none are left.
        constants: `[K]` c_j.
        rmse: `[K]` root mean squared error over the questions of all folds, each held out once.
        fold_rmse: `[K, F]` that of each fold; NaN where none of its questions counts.
        fit_rmse: `[K]` that of `weights` on the questions they were fitted to.
        constant_rmse: `[K]` that of the best constant alone: the standard deviation of u_j. It shrinks with the number
            of users, as u_j is a mean of independent terms, and `rmse` with it.
        worst_case: `[K]` eps of Definition 2.14; NaN if not asked for.
        worst_case_weights: `[K, N]` weights that attain it.
        worst_case_constants: `[K]` and the constant.
        least_loss: `[K, N]` the least 2 eps / lambda[j, i] of provider j over all weights, what Theorem 4.3 lets user i
            lose; inf where it is no less than the range of her probabilities; NaN if not asked for.
        gap: `[K]` eps minus the lower bound that dual multipliers prove.
        certified: `[K]` whether the gap is at most 1e-9 of the range of u_j, and every user's dual violation of hers;
            for `least_loss` the same.
        kkt_residual: `[K]` of `weights` (`LeastSquaresFit`).
        questions: `[K]` int64, questions that the provider and all users answered; no others are used.
        skipped: questions that some user did not see, left out for all providers.
        profiles: how many were sampled for each question; None if the moments are exact.
        user_names: N names.
        model_names: K names.
        user_weights: `[N]` how much each user counts in means over users; in u_j all count alike.
        score: the score of the models.
    """

    weights: Float[np.ndarray, "K N"]
    fold_weights: Float[np.ndarray, "F K N"]
    constants: Float[np.ndarray, " K"]
    rmse: Float[np.ndarray, " K"]
    fold_rmse: Float[np.ndarray, "K F"]
    fit_rmse: Float[np.ndarray, " K"]
    constant_rmse: Float[np.ndarray, " K"]
    worst_case: Float[np.ndarray, " K"]
    worst_case_weights: Float[np.ndarray, "K N"]
    worst_case_constants: Float[np.ndarray, " K"]
    least_loss: Float[np.ndarray, "K N"]
    gap: Float[np.ndarray, " K"]
    certified: Bool[np.ndarray, " K"]
    kkt_residual: Float[np.ndarray, " K"]
    questions: Int[np.ndarray, " K"]
    skipped: int
    profiles: int | None
    user_names: tuple[str, ...]
    model_names: tuple[str, ...]
    user_weights: Float[np.ndarray, " N"]
    score: Score

    def rows(self) -> pa.Table:
        """One row per provider and user: provider, target, weight, worst_case_weight."""
        return self._weight_rows(("provider", self.model_names), ("target", self.user_names))

    def providers(self) -> pa.Table:
        """One row per provider: provider, questions, rmse, standard_error, fit_rmse, constant_rmse, worst_case."""
        return pa.table(self._error_rows(("provider", self.model_names)))


def strong_alignment(
    answers: AnswerDistributions,
    *,
    score: Score = "linear",
    score_floor: float = LOG_FLOOR,
    folds: int = 5,
    fold_assignment: FoldAssignment = "shuffled",
    profiles: int | None = None,
    seed: int = 0,
    worst_case: bool = True,
    throw: bool = True,
) -> StrongAlignment:
    """How well non-negative sums of all users' utilities explain each provider's (2602.13451, Definition 2.14).

    Args:
        answers: N users and K models. Only questions that all users saw count, and for each model those it answered.
        score: the models' utility component v_j, "linear", "log" or "brier".
        score_floor: smallest probability that the log score tells apart.
        folds: number of folds of cross-validation over questions, at least 2.
        fold_assignment: "shuffled": questions shuffled by `seed` and dealt round. "modulo": question q in fold
            q modulo `folds`.
        profiles: None for exact moments of the profiles of actions; or how many to sample for each question, as in the
            paper (Section 6.1). Errors are then over the sampled profiles too.
        seed: of the shuffle and the samples.
        worst_case: whether to solve for eps over all profiles, by linear programming.
        throw: raise if eps of a provider is not certified (otherwise `certified` says so).

    Returns:
        A `StrongAlignment`.

    Raises:
        ValueError: on an unknown option, more folds than questions that count, or none for some model.
        SolveError: with `throw`, if eps of a provider is not certified.

    Example:
        >>> import equilibrax as eq
        >>> alike = eq.raters.answer_distributions(  # both users and the model give the same answers
        ...     users=[[[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]] * 2, models=[[[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]]
        ... )
        >>> fit = eq.raters.strong_alignment(alike, folds=3)
        >>> fit.weights.round(9).tolist(), fit.worst_case.round(9).tolist()
        ([[0.5, 0.5]], [0.0])
    """
    expect("answers", answers, AnswerDistributions)
    components = answers.scores(score, score_floor=score_floor)
    if profiles is not None:
        check_whole("profiles", profiles, 1)
    given = (answers.users, components, answers.seen, answers.modelled)
    common: np.ndarray = np.asarray(answers.seen.all(axis=0))
    counts = (common & answers.modelled).sum(axis=1)
    if (counts == 0).any():
        name = answers.model_names[int(np.flatnonzero(counts == 0)[0])]
        raise ValueError(f"answers: expected a question that {name!r} and all users answered, got none")
    fold = common_folds(answers, folds, fold_assignment, seed)
    moments = exact_moments(*given) if profiles is None else sampled_moments(*given, profiles, seed)
    (fit,) = cross_validated([moments], [fold], folds)

    k, n = answers.num_models, answers.num_users
    nothing = np.full(k, np.nan)
    worst = StrongFits(np.full((k, n), np.nan), nothing, nothing, nothing, np.zeros(k, bool))
    loss = np.full((k, n), np.nan)
    if worst_case:
        shape = (k, *answers.users.shape)
        parts = np.broadcast_to(components[:, None] / n, shape)  # u_j is the mean over users
        exists = np.broadcast_to((answers.options & moments.used[..., None])[:, None], shape)
        of = Utilities(np.broadcast_to(answers.users, shape), exists, parts)
        worst = strong_fits(of, start=fit.weights)
        loss, proved = _least_losses(of)
        worst = worst._replace(certified=worst.certified & proved)
        if throw and not worst.certified.all():
            lost = np.flatnonzero(~worst.certified)
            raise SolveError(
                f"eps of {len(lost)} of {k} providers is not certified; the first is "
                f"{answers.model_names[int(lost[0])]!r}; throw=False returns the others"
            )
    return StrongAlignment(
        **fit._asdict(),
        worst_case=worst.error,
        worst_case_weights=worst.weights,
        worst_case_constants=worst.offset,
        least_loss=loss,
        gap=worst.gap,
        certified=worst.certified,
        questions=counts,
        skipped=int((~common).sum()),
        profiles=profiles,
        user_names=answers.user_names,
        model_names=answers.model_names,
        user_weights=answers.user_weights,
        score=score,
    )


def _least_losses(of: Utilities) -> tuple[np.ndarray, np.ndarray]:
    """`[K, N]` the least 2 eps / lambda over all weights, and `[K]` whether they are certified."""
    fits = [strong_fits(of, user=i) for i in range(of.users.shape[1])]
    loss = np.stack([2 * one.error for one in fits], axis=1)
    high = np.where(of.exists, of.users, -np.inf).max(axis=(2, 3))
    low = np.where(of.exists, of.users, np.inf).min(axis=(2, 3))
    promised = loss < (1 - 1e-9) * (high - low)  # weights without limit come as near to the range as one likes
    return np.where(promised, loss, np.inf), np.logical_and.reduce([one.certified for one in fits])


class MeanFit(NamedTuple):
    """Least squares of K providers by N users; attributes as for `StrongAlignment`, NaN where there is nothing."""

    weights: Float[np.ndarray, "K N"]
    fold_weights: Float[np.ndarray, "F K N"]
    constants: Float[np.ndarray, " K"]
    kkt_residual: Float[np.ndarray, " K"]
    rmse: Float[np.ndarray, " K"]
    fold_rmse: Float[np.ndarray, "K F"]
    fit_rmse: Float[np.ndarray, " K"]
    constant_rmse: Float[np.ndarray, " K"]


def cross_validated(several: Sequence[ProfileMoments], fold: Sequence[np.ndarray], folds: int) -> list[MeanFit]:
    """Fits on all questions and their errors on questions held out, for several sets of N users at once.

    Args:
        several: moments of profiles, one for each set of users.
        fold: for each of them `[Q]`, the fold of each question, -1 for none.
        folds: F, how many there are.
    """
    all_held_out = [one.used[:, None] & (own == np.arange(folds)[:, None]) for one, own in zip(several, fold)]
    all_train = [
        np.concatenate([one.used[:, None], one.used[:, None] & ~held_out], axis=1)
        for one, held_out in zip(several, all_held_out)
    ]
    gram, moment, square, user_center, provider_center = (
        np.stack(parts) for parts in zip(*(one.centered(train) for one, train in zip(several, all_train)))
    )
    weights, residual = fit_centered(gram, moment, square)
    constants = provider_center - (weights * user_center).sum(axis=-1)
    found = []
    for s, (one, held_out, train) in enumerate(zip(several, all_held_out, all_train)):
        error = one.squared_error(weights[s], constants[s])
        count = held_out.sum(axis=2)
        squares = (error[:, 1:] * held_out).sum(axis=2)
        untrained: np.ndarray = np.asarray(~train[:, 1:].any(axis=2))
        impossible = (count > 0) & untrained
        with np.errstate(invalid="ignore", divide="ignore"):
            fold_rmse = np.where(impossible, np.nan, np.sqrt(squares / count))
            rmse = np.where(impossible.any(axis=1), np.nan, np.sqrt(squares.sum(axis=1) / count.sum(axis=1)))
        found.append(
            MeanFit(
                weights=weights[s, :, 0],
                fold_weights=np.swapaxes(np.where(untrained[..., None], np.nan, weights[s, :, 1:]), 0, 1),
                constants=constants[s, :, 0],
                kkt_residual=residual[s, :, 0],
                rmse=rmse,
                fold_rmse=fold_rmse,
                fit_rmse=np.sqrt((error[:, 0] * one.used).sum(axis=1) / one.used.sum(axis=1)),
                constant_rmse=np.sqrt(square[s, :, 0]),
            )
        )
    return found


def common_folds(answers: AnswerDistributions, folds: int, assignment: FoldAssignment, seed: int) -> np.ndarray:
    """`[Q]` folds of the questions that all users saw, -1 for the others."""
    common = answers.seen.all(axis=0)
    fold = np.full(answers.num_questions, -1)
    fold[common] = assign_folds(np.flatnonzero(common), folds, assignment, seed)
    return fold
