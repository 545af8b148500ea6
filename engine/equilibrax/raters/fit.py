"""Everything that 2602.13451, Section 6, asks of one market of many users: both alignments, coverage, more users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from equilibrax._core.checks import expect
from equilibrax.fits.folds import FoldAssignment
from equilibrax.raters._strong_alignment import StrongAlignment, strong_alignment
from equilibrax.raters._weak_alignment import WeakAlignment, weak_alignment
from equilibrax.raters._weak_curve import MAX_ALL_SETS, WeakCurve, weak_curve
from equilibrax.raters.answers import LOG_FLOOR, AnswerDistributions, Score
from equilibrax.raters.coverage import CoverageCurve, SubsetAnalysis, coverage_curve, subset_analysis
from equilibrax.raters.user_subsets import UsersVersusError, users_versus_error

SCORES: tuple[Score, ...] = ("linear", "log", "brier")

_SETS_OF_USERS = 200


@dataclass(frozen=True)
class ScoreFit:
    """One score: how weak alignment and coverage improve with the number of providers.

    Attributes:
        curve: error of weak alignment against K.
        strong: strong alignment with all providers.
        coverage: transfer factors against K.
    """

    curve: WeakCurve
    strong: StrongAlignment
    coverage: CoverageCurve


@dataclass(frozen=True)
class MarketFit:
    """How well a market of K providers covers N users.

    Attributes:
        score: the score of the models.
        weak: fits of every user by all providers, and eps_U.
        scores: a `ScoreFit` by score; always that of `score`, others as asked for.
        subsets: the worst user's transfer factor for all sets of providers.
        users: the same, and the error, for sets of users.
        score_floor: smallest probability that the log score tells apart.
    """

    score: Score
    weak: WeakAlignment
    scores: dict[Score, ScoreFit]
    subsets: SubsetAnalysis
    users: UsersVersusError
    score_floor: float

    @property
    def curve(self) -> WeakCurve:
        """Error of weak alignment against the number of providers."""
        return self.scores[self.score].curve

    @property
    def strong(self) -> StrongAlignment:
        """Strong alignment with all providers."""
        return self.scores[self.score].strong

    @property
    def coverage(self) -> CoverageCurve:
        """Transfer factors against the number of providers."""
        return self.scores[self.score].coverage


def market_fit(
    answers: AnswerDistributions,
    *,
    score: Score = "linear",
    scores: Sequence[Score] = SCORES,
    score_floor: float = LOG_FLOOR,
    folds: int = 5,
    fold_assignment: FoldAssignment = "shuffled",
    permutations: int = 100,
    profiles: int | None = None,
    seed: int = 0,
    worst_case: bool = True,
) -> MarketFit:
    """Weak and strong alignment of a market, coverage, and what more users do (2602.13451, Section 6 and Appendix B).

    Args:
        answers: N users and up to 20 models. Users without any answers must be left out (`answers.select`).
        score: the models' utility component v_j, "linear", "log" or "brier".
        scores: for which scores to draw the curves of Figure 4; `score` is always among them.
        score_floor: smallest probability that the log score tells apart, see `AnswerDistributions.scores`.
        folds: number of folds of cross-validation over questions, at least 2.
        fold_assignment: "shuffled" or "modulo".
        permutations: random orders of the providers, where there are more than 10 of them; otherwise all sets.
        profiles: of actions to sample for each question in strong alignment, as in the paper; None for exact moments.
        seed: of all random choices.
        worst_case: whether to solve for eps_U and eps, which are over all answers, by linear programming.

    Returns:
        A `MarketFit`.

    Raises:
        ValueError: on an unknown option, too many models, or too few questions that everybody answered.
        SolveError: if a fit is not optimal to 1e-8, or a worst case is not certified.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=2, models=3, questions=20, options=3, seed=1)
        >>> fit = eq.raters.market_fit(answers, scores=[])
        >>> fit.curve.rmse.shape, fit.subsets.best.shape, fit.users.users.tolist()
        ((2, 3, 3), (3,), [2])
    """
    expect("answers", answers, AnswerDistributions)
    rules: dict[str, Any] = {
        "score_floor": score_floor,
        "folds": folds,
        "fold_assignment": fold_assignment,
        "seed": seed,
    }
    everything = answers.num_models <= MAX_ALL_SETS
    found: dict[Score, ScoreFit] = {}
    for one in dict.fromkeys((score, *scores)):
        strong = strong_alignment(
            answers, score=one, profiles=profiles, worst_case=worst_case and one == score, **rules
        )
        found[one] = ScoreFit(
            curve=weak_curve(
                answers,
                score=one,
                subsets="all" if everything else "permutations",
                permutations=permutations,
                **rules,
            ),
            strong=strong,
            coverage=coverage_curve(strong, subsets="all"),
        )
    return MarketFit(
        score=score,
        weak=weak_alignment(answers, score=score, worst_case=worst_case, **rules),
        scores=found,
        subsets=subset_analysis(found[score].strong),
        users=users_versus_error(answers, subsets=_SETS_OF_USERS, score=score, profiles=profiles, **rules),
        score_floor=score_floor,
    )
