"""Answer distributions as raters: a question's options are items, models are raters, users are targets."""

from __future__ import annotations

import numpy as np

from equilibrax.answers import AnswerDistributions, Score
from equilibrax.raters import RaterMatrix, rater_matrix


def answer_raters(answers: AnswerDistributions, score: Score = "linear", *, normalized: bool = True) -> RaterMatrix:
    """One item for each option of each question, in one group per question (2509.15090, Section 6.2).

    Args:
        answers: N users and K models.
        score: the models' utility component v_j, "linear", "log" or "brier".
        normalized: weigh each item by one over the number of options of its question, as the paper does (it divides
            the utility vectors by the root of that).

    Returns:
        A `RaterMatrix` whose targets are the users' shares p_i(a | y); NaN where somebody did not answer.

    Raises:
        ValueError: on an unknown score, or if no user answered anything.

    Example:
        >>> import equilibrax as eq
        >>> matrix = eq.answer_raters(eq.simulate_answers(users=2, models=3, questions=4, options=5, seed=1))
        >>> matrix.num_items, matrix.num_raters, matrix.target_names, float(matrix.weights[0])
        (20, 3, ('user 1', 'user 2'), 0.2)
    """
    question, option = np.nonzero(answers.options)
    names = zip(question.tolist(), option.tolist())
    return rater_matrix(
        answers.scores(score)[:, question, option].T,
        answers.users[:, question, option].T,
        weights=1.0 / answers.num_options[question] if normalized else None,
        groups=question,
        items=[f"{answers.question_names[q]}: {answers.option_names[q][a]}" for q, a in names],
        raters=answers.model_names,
        targets_names=answers.user_names,
    )
