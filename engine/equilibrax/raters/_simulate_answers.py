"""Simulated answer distributions: users that are noisy mixtures of models, and some whom no model covers."""

from __future__ import annotations

import numpy as np

from equilibrax._core.checks import check_whole
from equilibrax.raters.answers import AnswerDistributions, answer_distributions


def simulate_answers(
    users: int = 5,
    models: int = 9,
    questions: int = 100,
    options: int = 4,
    *,
    seed: int = 0,
    noise: float = 0.2,
    mixed: int = 2,
    uncovered: int = 0,
    concentration: float = 0.7,
    ragged: bool = False,
    missing: float = 0.0,
) -> AnswerDistributions:
    """Answers of simulated people and models, to try everything about many users without data.

    For each question every model draws an opinion from a symmetric Dirichlet distribution with parameter
    `concentration`. A user mixes the opinions of `mixed` random models with random weights, and of that a share
    `noise` is replaced by an opinion of her own, drawn like a model's. The last `uncovered` users are the opposite of
    the mean of all models (what models find likely they find unlikely), so that no non-negative weight helps.

    Args:
        users: N, at least 1.
        models: K, at least 1.
        questions: Q, at least 1.
        options: A, at least 2: options of a question, the largest number if `ragged`.
        seed: of all draws; the same seed gives the same answers.
        noise: share of a user's own opinion, from 0 to 1.
        mixed: models that a user mixes, from 1 to K (all if there are fewer).
        uncovered: how many users nobody covers, up to N.
        concentration: small for decided opinions, large for uniform ones; positive.
        ragged: whether questions have from 2 to A options.
        missing: chance that a user did not see a question, from 0 to below 1. Everybody sees the first two.

    Returns:
        `AnswerDistributions` with users "user 1", ..., the uncovered ones "uncovered 1", ...

    Raises:
        ValueError: on a number outside its range.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=3, models=2, questions=10, options=3, uncovered=1, seed=7)
        >>> answers.users.shape, answers.user_names[-1]
        ((3, 10, 3), 'uncovered 1')
    """
    for name, value, low in (("users", users, 1), ("models", models, 1), ("questions", questions, 1)):
        check_whole(name, value, low)
    check_whole("options", options, 2)
    check_whole("seed", seed, 0)
    check_whole("mixed", mixed, 1)
    check_whole("uncovered", uncovered, 0, users)
    for name, value, fine in (
        ("noise from 0 to 1", noise, 0 <= noise <= 1),
        ("concentration above 0", concentration, 0 < concentration < np.inf),
        ("missing from 0 to below 1", missing, 0 <= missing < 1),
    ):
        if not fine:
            raise ValueError(f"{name.split()[0]}: expected a number {name.split(maxsplit=1)[1]}, got {value!r}")
    draw = np.random.default_rng(seed)
    sizes = draw.integers(2, options + 1, questions) if ragged else np.full(questions, options)
    exists = np.arange(options) < sizes[:, None]

    def opinions(people: int) -> np.ndarray:
        shares = draw.gamma(concentration, size=(people, questions, options)) * exists + 1e-12 * exists
        return shares / shares.sum(axis=2, keepdims=True)

    said = opinions(models)
    weights = np.zeros((users, models))
    for row in weights:
        chosen = draw.permutation(models)[: min(mixed, models)]
        row[chosen] = draw.dirichlet(np.ones(len(chosen)))
    shares = (1 - noise) * np.einsum("nk,kqa->nqa", weights, said) + noise * opinions(users)
    opposite = np.where(exists, said.mean(axis=0).max(axis=1, keepdims=True) - said.mean(axis=0) + 1e-3, 0.0)
    shares[users - uncovered :] = opposite / opposite.sum(axis=1, keepdims=True)
    unseen = draw.random((users, questions)) < missing
    unseen[:, :2] = False
    return answer_distributions(
        np.where(unseen[..., None], np.nan, shares),
        said,
        exists,
        user_names=[f"user {i + 1}" for i in range(users - uncovered)]
        + [f"uncovered {i + 1}" for i in range(uncovered)],
    )
