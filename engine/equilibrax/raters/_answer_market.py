"""A market of answers (2602.13451, Section 6 and Appendix B)."""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax.problems.market import Market, MarketLabels, separable_market
from equilibrax.raters.answers import LOG_FLOOR, AnswerDistributions, Score, answer_distributions


def answer_market(
    users: Any,
    models: Any = None,
    score: Score = "linear",
    *,
    prior: Any = None,
    score_floor: float = LOG_FLOOR,
    resolution: int = 10_000,
    labels: MarketLabels | None = None,
) -> Market:
    """A market of answers: questions are states, answers are actions (2602.13451, Section 6 and Appendix B).

    User i's utility of answer a to question y is p_i(a | y), how often her group gives it. Provider j is paid
    v_j(a, y) / N for every user, where v_j is a score of q_j(a | y), what the model predicts: see
    `AnswerDistributions.scores`. An answer that a question does not have is worth nothing to anybody.

    Args:
        users: `AnswerDistributions` in which everybody answered all questions; or `[N, Q, A]` p, distributions over
            answers.
        models: `[K, Q, A]` q, likewise; None if `users` has the models too.
        score: "linear", "log" or "brier".
        prior: `[Q]` weights of the questions; None is uniform.
        score_floor: smallest probability of the log score, between 0 and 1.
        resolution: steps per unit of utility.
        labels: names of questions (states), groups (users), models (providers) and answers (actions); None takes those
            of `AnswerDistributions`, and the answers' if all questions have the same.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.raters.answer_market([[[0.75, 0.25]]], [[[0.5, 0.5]], [[1.0, 0.0]]], "brier")
        >>> (market.components[0, :, 0, 0] / market.resolution).tolist()
        [[0.75, 0.75], [1.0, 0.0]]
    """
    if isinstance(users, AnswerDistributions):
        if models is not None:
            raise ValueError("models: expected None, as the answers have models already, got others")
        answers, labels = users, _names(users) if labels is None else labels
    else:
        answers = answer_distributions(users, models)
    silent = ~(answers.seen.all(axis=0) & answers.modelled.all(axis=0))
    if silent.any():
        name = answers.question_names[int(np.flatnonzero(silent)[0])]
        raise ValueError(
            f"users: expected answers of everybody, got none of somebody to {name!r} ({int(silent.sum())} such of "
            f"{answers.num_questions} questions); choose others with select(questions=...)"
        )
    v = answers.scores(score, score_floor=score_floor)
    n, k = answers.num_users, answers.num_models
    components = np.broadcast_to(v[:, None], (k, n, *v.shape[1:]))
    weights = np.full((k, n), 1 / n)
    return separable_market(
        answers.users, components, weights, prior, resolution=resolution, weight_resolution=n, labels=labels
    )


def _names(answers: AnswerDistributions) -> MarketLabels:
    same = answers.option_names[0] if len(set(answers.option_names)) == 1 else None
    options = (
        same if same and len(set(same)) == len(same) else tuple(str(a + 1) for a in range(answers.options.shape[1]))
    )
    return MarketLabels(answers.question_names, answers.user_names, answers.model_names, (options,) * answers.num_users)
