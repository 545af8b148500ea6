"""What happens as users are added: error of strong alignment, and coverage of the worst user (2602.13451, Figure 2).

For every set of n users, all providers are fitted by those users alone. The provider's utility is then a mean over n
users, so its error shrinks and transfer factors grow with n for that reason alone: with users who all answer alike,
1 / lambda = n. `relative_error` (error by the standard deviation of u_j) and `relative_transfer` (1 / (n lambda*)) take
it out; the slack 2 eps / lambda*_i of Theorem 4.3 needs neither, being of both.

Letters: N users, K providers, n users of a set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from equilibrax._core.checks import check_whole, expect
from equilibrax.fits.folds import FoldAssignment, assign_folds
from equilibrax.raters._action_profiles import exact_moments, sampled_moments
from equilibrax.raters._fit_rows import FoldSpread, numbers
from equilibrax.raters._strong_alignment import common_folds, cross_validated
from equilibrax.raters.answers import LOG_FLOOR, AnswerDistributions, Score
from equilibrax.raters.coverage import transfer_factors


@dataclass(frozen=True)
class UsersVersusError:
    """Strong alignment with S sets of users.

    Attributes:
        users: `[S]` int64, how many users are in a set.
        members: S tuples of positions of users.
        error: `[S]` cross-validated RMSE of strong alignment, its mean over providers; NaN where a set has too few
            questions that all its users saw.
        relative_error: `[S]` the mean over providers of RMSE divided by the standard deviation of their utility.
        transfer: `[S]` the worst user's transfer factor 1 / lambda*_i with all providers; inf if somebody is uncovered.
        fold_transfer: `[F, S]` the same of fits without one fold.
        questions: `[S]` int64, questions that all users of the set saw.
        user_names: N names.
    """

    users: Int[np.ndarray, " S"]
    members: tuple[tuple[int, ...], ...]
    error: Float[np.ndarray, " S"]
    relative_error: Float[np.ndarray, " S"]
    transfer: Float[np.ndarray, " S"]
    fold_transfer: Float[np.ndarray, "F S"]
    questions: Int[np.ndarray, " S"]
    user_names: tuple[str, ...]

    @property
    def relative_transfer(self) -> Float[np.ndarray, " S"]:
        """`[S]` 1 / (n lambda*_i) of the worst user: 1 where all users and a provider agree."""
        return self.transfer / self.users

    def mean(self) -> dict[str, np.ndarray]:
        """Means over the sets of each size, by name of the column, "users" first; inf and NaN count in them."""
        sizes = np.unique(self.users)
        columns = {
            "error": self.error,
            "relative_error": self.relative_error,
            "transfer": self.transfer,
            "relative_transfer": self.relative_transfer,
        }
        return {"users": sizes} | {
            name: np.array([values[self.users == n].mean() for n in sizes]) for name, values in columns.items()
        }

    def spread(self) -> FoldSpread:
        """Means of `fold_transfer` over the sets of each size, as `mean` has them, by fold."""
        return FoldSpread(
            np.stack([self.fold_transfer[:, self.users == n].mean(axis=1) for n in np.unique(self.users)], 1)
        )

    def rows(self) -> pa.Table:
        """One row per set: users, members, error, relative_error, transfer, relative_transfer, of the worst user's
        transfer factor by cross-validation cross_validated, lowest, highest and standard_error, and questions.
        """
        return pa.table(
            {
                "users": self.users,
                "members": [", ".join(self.user_names[i] for i in one) for one in self.members],
                "error": numbers(self.error),
                "relative_error": numbers(self.relative_error),
                "transfer": numbers(self.transfer),
                "relative_transfer": numbers(self.relative_transfer),
                **FoldSpread(self.fold_transfer).columns(),
                "questions": self.questions,
            }
        )


def users_versus_error(
    answers: AnswerDistributions,
    sizes: Sequence[int] | None = None,
    *,
    subsets: Literal["all"] | int = "all",
    score: Score = "linear",
    score_floor: float = LOG_FLOOR,
    folds: int = 5,
    fold_assignment: FoldAssignment = "shuffled",
    profiles: int | None = None,
    seed: int = 0,
) -> UsersVersusError:
    """Number of users against fitting error and the worst user's transfer factor (2602.13451, Figure 2, bottom).

    Args:
        answers: N users and K models.
        sizes: numbers of users n; default 2, ..., N (1 if there is one user only).
        subsets: "all" sets of n users, or how many to draw (all if there are no more).
        score: the models' utility component v_j, "linear", "log" or "brier".
        score_floor: smallest probability that the log score tells apart.
        folds: number of folds of cross-validation over questions, at least 2.
        fold_assignment: "shuffled" or "modulo", as for `strong_alignment`.
        profiles: sampled for each question, as for `strong_alignment`; None for exact moments.
        seed: of the shuffle of questions, of the sets that are drawn and of profiles.

    Returns:
        A `UsersVersusError`.

    Raises:
        ValueError: on an unknown option, a size outside 1 to N, or more than 100,000 sets.
        SolveError: if a fit is not optimal to 1e-8.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=4, models=3, questions=30, options=3, seed=2)
        >>> found = eq.raters.users_versus_error(answers)
        >>> found.mean()["users"].tolist(), len(found.members)
        ([2, 3, 4], 11)
    """
    expect("answers", answers, AnswerDistributions)
    n = answers.num_users
    chosen = list(range(min(2, n), n + 1)) if sizes is None else list(sizes)
    for size in chosen:
        check_whole("sizes", size, 1, n)
    if subsets != "all":
        check_whole("subsets", subsets, 1)
    if profiles is not None:
        check_whole("profiles", profiles, 1)
    assign_folds(np.arange(answers.num_questions), folds, fold_assignment, seed)  # refuses bad options for all sets
    members = _sets(n, chosen, subsets, seed)
    error, relative, transfer = (np.full(len(members), np.nan) for _ in range(3))
    fold_transfer = np.full((folds, len(members)), np.nan)
    questions = np.zeros(len(members), np.int64)
    components = answers.scores(score, score_floor=score_floor)
    ready: dict[int, list[tuple[int, Any, np.ndarray]]] = {}
    for s, some in enumerate(members):
        part = answers.select(users=some)
        common: np.ndarray = np.asarray(part.seen.all(axis=0))
        questions[s] = common.sum()
        dealt = np.flatnonzero(common) % folds if fold_assignment == "modulo" else np.arange(questions[s]) % folds
        if len(np.unique(dealt)) < folds or not (common & part.modelled).any(axis=1).all():
            continue
        given = (part.users, components, part.seen, part.modelled)
        moments = exact_moments(*given) if profiles is None else sampled_moments(*given, profiles, seed)
        ready.setdefault(len(some), []).append((s, moments, common_folds(part, folds, fold_assignment, seed)))
    for same_size in ready.values():
        places, moments, fold = zip(*same_size)
        for s, fit in zip(places, cross_validated(moments, fold, folds)):
            spread = np.where(fit.constant_rmse > 0, fit.constant_rmse, 1.0)
            error[s], relative[s] = fit.rmse.mean(), (fit.rmse / spread).mean()
            transfer[s] = transfer_factors(fit.weights).max()
            fold_transfer[:, s] = [transfer_factors(np.nan_to_num(one)).max() for one in fit.fold_weights]
    return UsersVersusError(
        users=np.array([len(some) for some in members]),
        members=tuple(members),
        error=error,
        relative_error=relative,
        transfer=transfer,
        fold_transfer=fold_transfer,
        questions=questions,
        user_names=answers.user_names,
    )


def _sets(n: int, sizes: list[int], subsets: Literal["all"] | int, seed: int) -> list[tuple[int, ...]]:
    """Sets of users: all of a size in lexicographic order, or different random ones."""
    draw = np.random.default_rng(seed)
    wanted = [comb(n, size) if subsets == "all" else min(subsets, comb(n, size)) for size in sizes]
    if sum(wanted) > 100_000:
        raise ValueError(f"subsets: expected up to 100,000 sets of users, got {sum(wanted):,}; draw some of each size")
    members = []
    for size, number in zip(sizes, wanted):
        if number == comb(n, size):
            members += list(combinations(range(n), size))
            continue
        found: dict[tuple[int, ...], None] = {}
        while len(found) < number:
            found[tuple(sorted(draw.choice(n, size, replace=False).tolist()))] = None
        members += list(found)
    return members
