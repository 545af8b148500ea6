"""Answer distributions of users and models: what people and providers say to the same questions.

Users are groups of people, providers are models, questions are the states (2602.13451, Section 6.1). With p_i(a | y)
the share of user i who answer a to question y, and q_j(a | y) what model j predicts,

    u_i(a, y) = p_i(a | y)                      the user's utility of the answer a
    v_j(a, y) = a score of q_j                  what model j gets from one user's answer a
    u_j(a_1 ... a_n, y) = (1/n) sum_i v_j(a_i, y)

with one of three scores (Appendix B): "linear", "log" and "brier", see `AnswerDistributions.scores`.

Letters: N users, K models, Q questions, A options.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from equilibrax._core.checks import as_array, as_ratings, check_choice, check_whole
from equilibrax.fits.folds import random_words
from equilibrax.raters.matrix import RaterMatrix, positive_weights, rater_matrix as make_rater_matrix

Score = Literal["linear", "log", "brier"]

LOG_FLOOR = 1e-3
"""Smallest probability that the log score tells apart: about one answer in a survey of a thousand people."""

_SUM_ERROR = 1e-6


@dataclass(frozen=True)
class AnswerDistributions:
    """What N users and K models answer to Q questions with up to A options each.

    Make one with `answer_distributions`, which validates; the constructor does not.

    Attributes:
        users: `[N, Q, A]` p_i(a | y), sums to one over the options of a question; NaN where the user did not see the
            question, 0 at options that do not exist.
        models: `[K, Q, A]` q_j(a | y), the same.
        options: `[Q, A]` which options exist.
        seen: `[N, Q]` whether the user answered the question.
        modelled: `[K, Q]` whether the model did.
        question_names: Q names.
        option_names: Q tuples of A names; "" at options that do not exist.
        user_names: N names.
        model_names: K names.
        user_weights: `[N]` how much each user counts in means over users, positive; all 1 unless a survey says more.
        weighed: by what respondents were weighed, in words; empty if they were not.
        notes: what was left out when files were read, in words.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.answer_distributions([[[0.5, 0.5], [1.0, 0.0]]], [[[0.9, 0.1], [0.5, 0.5]]])
        >>> answers.num_users, answers.num_models, answers.num_questions, answers.seen.tolist()
        (1, 1, 2, [[True, True]])
    """

    made_by: ClassVar[str] = "eq.raters.answer_distributions(users, models)"

    users: Float[np.ndarray, "N Q A"]
    models: Float[np.ndarray, "K Q A"]
    options: Bool[np.ndarray, "Q A"]
    seen: Bool[np.ndarray, "N Q"]
    modelled: Bool[np.ndarray, "K Q"]
    question_names: tuple[str, ...]
    option_names: tuple[tuple[str, ...], ...]
    user_names: tuple[str, ...]
    model_names: tuple[str, ...]
    user_weights: Float[np.ndarray, " N"]
    weighed: str = ""
    notes: tuple[str, ...] = ()

    @property
    def num_users(self) -> int:
        """Number of users, N."""
        return self.users.shape[0]

    @property
    def num_models(self) -> int:
        """Number of models, K."""
        return self.models.shape[0]

    @property
    def num_questions(self) -> int:
        """Number of questions, Q."""
        return self.options.shape[0]

    @property
    def num_options(self) -> np.ndarray:
        """`[Q]` how many options each question has."""
        return self.options.sum(axis=1)

    def select(
        self,
        users: Sequence[int] | np.ndarray | None = None,
        models: Sequence[int] | np.ndarray | None = None,
        questions: Sequence[int] | np.ndarray | None = None,
    ) -> AnswerDistributions:
        """Some users, models and questions, by position and in that order; None for all of them.

        Raises:
            ValueError: if a list is empty or holds something that is no position.
        """
        i = _positions("users", users, self.num_users)
        j = _positions("models", models, self.num_models)
        q = _positions("questions", questions, self.num_questions)
        return AnswerDistributions(
            users=self.users[np.ix_(i, q)],
            models=self.models[np.ix_(j, q)],
            options=self.options[q],
            seen=self.seen[np.ix_(i, q)],
            modelled=self.modelled[np.ix_(j, q)],
            question_names=tuple(self.question_names[k] for k in q),
            option_names=tuple(self.option_names[k] for k in q),
            user_names=tuple(self.user_names[k] for k in i),
            model_names=tuple(self.model_names[k] for k in j),
            user_weights=self.user_weights[i],
            weighed=self.weighed,
            notes=self.notes,
        )

    def sample_questions(self, count: int, seed: int = 0) -> AnswerDistributions:
        """Some questions, drawn at random without repetition, in their order; all of them if there are no more.

        Args:
            count: how many.
            seed: of the draw; the same seed draws the same questions.

        Raises:
            ValueError: on a count below 1 or a seed below 0.

        Example:
            >>> import equilibrax as eq
            >>> answers = eq.raters.simulate_answers(users=1, models=1, questions=9, options=2, seed=0)
            >>> answers.sample_questions(2, seed=1).question_names
            ('question 6', 'question 7')
        """
        check_whole("count", count, 1)
        check_whole("seed", seed, 0, 2**63 - 1)
        drawn = np.argsort(random_words(seed, 2, (self.num_questions,)), kind="stable")[:count]
        note = f"{self.num_questions - len(drawn):,} of {self.num_questions:,} questions were not drawn (seed {seed})"
        found = self.select(questions=np.sort(drawn))
        return replace(found, notes=(*self.notes, note)) if len(drawn) < self.num_questions else found

    def scores(self, score: Score = "linear", *, score_floor: float = LOG_FLOOR) -> Float[np.ndarray, "K Q A"]:
        """The models' utility components v_j(a, y) (2602.13451, Appendix B), each in [0, 1].

        "linear": `q`. "log": `1 - log(max(q, floor)) / log(floor)`, which is 1 at probability one and 0 at the floor or
        less, by the same map for all models and questions; the paper says only that it is normalized to [0, 1].
        "brier": `1/2 + q - |q|^2 / 2`, where `|q|^2` sums over the options of the question.

        Args:
            score: which of the three.
            score_floor: the smallest probability that the log score tells apart, in (0, 1). Once it is below all
                probabilities, a lower one only shrinks the score: transfer factors grow with its logarithm.

        Returns:
            `[K, Q, A]`; NaN where a model did not answer, 0 at options that do not exist.

        Raises:
            ValueError: on an unknown score, or a floor outside (0, 1).
        """
        check_choice("score", score, get_args(Score))
        if not 0 < score_floor < 1:
            raise ValueError(f"score_floor: expected a probability between 0 and 1, got {score_floor!r}")
        values = self.models
        if score == "log":
            values = 1 - np.log(np.maximum(values, score_floor)) / np.log(score_floor)
        elif score == "brier":
            values = 0.5 + values - 0.5 * (values**2).sum(axis=2, keepdims=True)
        return np.where(self.options, values, 0.0 * values)

    def rater_matrix(
        self,
        score: Score = "linear",
        user: int | str | None = None,
        *,
        normalized: bool = False,
        score_floor: float = LOG_FLOOR,
    ) -> RaterMatrix:
        """The models as raters and the users as targets: one row per (question, option), one group per question.

        Args:
            score: the models' utility component, see `scores`.
            user: position or name of the only target; None for all users.
            normalized: weights 1/m_q for a question with m_q options, so that every question counts the same: the same
                as vectors of answers divided by the root of m_q (2509.15090, Section 6). Otherwise all rows weigh 1.
            score_floor: of the log score, see `scores`.

        Returns:
            A `RaterMatrix`; NaN at questions that a user did not see or a model did not answer.

        Raises:
            ValueError: on an unknown score or user, or if no target has an answer.
        """
        question, option = np.nonzero(self.options)
        if user is None:
            chosen = list(range(self.num_users))
        elif isinstance(user, str) and user in self.user_names:
            chosen = [self.user_names.index(user)]
        elif isinstance(user, int | np.integer) and 0 <= user < self.num_users:
            chosen = [int(user)]
        else:
            raise ValueError(f"user: expected a name or a position below {self.num_users}, got {user!r}")
        return make_rater_matrix(
            self.scores(score, score_floor=score_floor)[:, question, option].T,
            self.users[chosen][:, question, option].T,
            weights=1.0 / self.num_options[question] if normalized else None,
            groups=question,
            items=[f"{self.question_names[q]}: {self.option_names[q][a]}" for q, a in zip(question, option)],
            raters=self.model_names,
            targets_names=[self.user_names[i] for i in chosen],
            target_weights=self.user_weights[chosen],
        )


def answer_distributions(
    users: Any,
    models: Any,
    options: Any = None,
    *,
    questions: Sequence[str] | None = None,
    option_names: Sequence[Sequence[str]] | None = None,
    user_names: Sequence[str] | None = None,
    model_names: Sequence[str] | None = None,
    user_weights: Any = None,
) -> AnswerDistributions:
    """Check answer distributions and give them names.

    Args:
        users: `[N, Q, A]` shares p_i(a | y): non-negative, with sum 1 (to 1e-6, then made exact) over the options of
            each question; NaN at all options of a question that a user did not see. What stands at options that do not
            exist must be 0 or NaN.
        models: `[K, Q, A]` probabilities q_j(a | y), the same.
        options: `[Q, A]` bool, which options exist; None: those where anybody has a number.
        questions: Q names; default `question 1`, ...
        option_names: for every question A names, or as many as it has options if these come first; default
            `option 1`, ...
        user_names: N names; default `user 1`, ...
        model_names: K names; default `model 1`, ...
        user_weights: `[N]` positive numbers, how much each user counts in means over users, such as a group's share of
            the people; default 1. Utilities of providers are sums over users that count alike, as in the paper.

    Returns:
        `AnswerDistributions`. Users and models without any answers are kept.

    Raises:
        ValueError: on shapes that do not fit, nobody or nothing to ask, a question without options, negative numbers,
            sums other than one, NaN at only some of a question's options, weights that are not positive, or names that
            are missing or not unique.

    Example:
        >>> import equilibrax as eq
        >>> nan = float("nan")
        >>> answers = eq.raters.answer_distributions(
        ...     users=[[[0.2, 0.8, nan], [nan, nan, nan]], [[0.5, 0.5, nan], [0.1, 0.2, 0.7]]],
        ...     models=[[[0.9, 0.1, nan], [0.3, 0.3, 0.4]]],
        ...     user_names=["rural", "urban"],
        ... )
        >>> answers.seen.tolist(), answers.num_options.tolist()
        ([[True, False], [True, True]], [2, 3])
        >>> answers.scores("brier").round(3)[0, 0].tolist()
        [0.99, 0.19, 0.0]
    """
    raters = {"users": _numbers("users", users), "models": _numbers("models", models)}
    shape = raters["users"].shape[1:]
    if raters["models"].shape[1:] != shape:
        raise ValueError(
            f"models: expected {shape[0]} questions and {shape[1]} options as for users, "
            f"got shape {list(raters['models'].shape)}"
        )
    exists = _options(options, raters, shape)
    people = {
        "users": _names("user_names", user_names, len(raters["users"]), "user"),
        "models": _names("model_names", model_names, len(raters["models"]), "model"),
    }
    asked = _names("questions", questions, shape[0], "question")
    values, answered = {}, {}
    for name, array in raters.items():
        values[name], answered[name] = _distributions(name, array, exists, people[name], asked)
    return AnswerDistributions(
        users=values["users"],
        models=values["models"],
        options=exists,
        seen=answered["users"],
        modelled=answered["models"],
        question_names=asked,
        option_names=_option_names(option_names, exists),
        user_names=people["users"],
        model_names=people["models"],
        user_weights=positive_weights("user_weights", user_weights, len(values["users"])),
    )


def _numbers(name: str, value: Any) -> np.ndarray:
    array = as_ratings(name, value)
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"{name}: expected a non-empty array [people, questions, options], got {list(array.shape)}")
    return array


def _options(options: Any, raters: dict[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    given = np.concatenate(list(raters.values()))
    exists = as_array("options", np.isfinite(given).any(axis=0) if options is None else options)
    if exists.dtype != bool or exists.shape != shape:
        raise ValueError(
            f"options: expected booleans of shape {list(shape)}, got {list(exists.shape)} of {exists.dtype}"
        )
    if not exists.any(axis=1).all():
        empty = int(np.flatnonzero(~exists.any(axis=1))[0])
        raise ValueError(f"options: expected an option for every question, got none for question {empty + 1}")
    return exists


def _distributions(name: str, array: np.ndarray, exists: np.ndarray, people, asked) -> tuple[np.ndarray, np.ndarray]:
    """Distributions that sum to one exactly, and who answered what."""

    def refuse(bad: np.ndarray, expected: str, got) -> None:
        if bad.any():
            i, q = (int(k) for k in np.argwhere(bad)[0][:2])
            raise ValueError(f"{name}: expected {expected}, got {got(i, q)} from {people[i]!r} at {asked[q]!r}")

    missing = np.isnan(array)
    answered: np.ndarray = np.asarray(~(missing & exists).any(axis=2))
    partly = ~answered & (~missing & exists).any(axis=2)
    refuse(partly, "numbers at all options of a question or NaN at all of them", lambda i, q: array[i, q].tolist())
    refuse(~np.isfinite(array) & ~missing, "shares", lambda i, q: array[i, q].tolist())
    refuse(array < 0, "shares of at least 0", lambda i, q: array[i, q].tolist())
    outside = np.where(missing, 0.0, array) * ~exists
    refuse(outside != 0, "0 or NaN at options that do not exist", lambda i, q: array[i, q].tolist())
    inside = np.where(exists, array, 0.0)
    total = inside.sum(axis=2)
    refuse(answered & (np.abs(total - 1) > _SUM_ERROR), "shares with sum 1", lambda i, q: f"sum {total[i, q]:.6g}")
    shares = inside / np.where(answered, total, 1.0)[..., None]
    return np.where(answered[..., None], shares, np.where(exists, np.nan, 0.0)), answered


def _names(name: str, given: Sequence[str] | None, count: int, kind: str) -> tuple[str, ...]:
    if given is None:
        return tuple(f"{kind} {k + 1}" for k in range(count))
    names = tuple(str(k) for k in given)
    if isinstance(given, str) or len(names) != count or len(set(names)) != count:
        raise ValueError(f"{name}: expected {count} different names, got {given!r}")
    return names


def _option_names(given: Sequence[Sequence[str]] | None, exists: np.ndarray) -> tuple[tuple[str, ...], ...]:
    questions, options = exists.shape
    if given is None:
        return tuple(tuple(f"option {a + 1}" if exists[q, a] else "" for a in range(options)) for q in range(questions))
    if len(given) != questions:
        raise ValueError(f"option_names: expected names for {questions} questions, got {len(given)}")
    named = []
    for q, names in enumerate(given):
        texts = [str(name) for name in names]
        first = not exists[q, len(texts) :].any()
        if isinstance(names, str) or len(texts) > options or not first:
            raise ValueError(
                f"option_names: expected up to {options} names that cover the {int(exists[q].sum())} options of "
                f"question {q + 1}, got {names!r}"
            )
        texts += [""] * (options - len(texts))
        named.append(tuple(text if exists[q, a] else "" for a, text in enumerate(texts)))
    return tuple(named)


def _positions(name: str, given: Any, size: int) -> np.ndarray:
    if given is None:
        return np.arange(size)
    chosen = as_array(name, given)
    if (
        chosen.ndim != 1
        or chosen.size == 0
        or chosen.dtype.kind not in "iu"
        or chosen.min() < 0
        or chosen.max() >= size
    ):
        raise ValueError(f"{name}: expected positions from 0 to {size - 1}, got {given!r}")
    return chosen
