"""Oracles of markets of answers that know nothing of moments: all profiles of all questions, one row each."""

from itertools import combinations, product

import numpy as np
from scipy.optimize import nnls


def all_profiles(answers, score: str, provider: int, floor: float = 1e-3):
    """Rows of users' utilities, the provider's utility, the chance given the question, and the question."""
    n, rows = answers.num_users, []
    values = scores_by_hand(answers, score, floor)[provider]
    for q in range(answers.num_questions):
        if not (answers.seen[:, q].all() and answers.modelled[provider, q]):
            continue
        for profile in product(np.flatnonzero(answers.options[q]).tolist(), repeat=n):
            shares = [float(answers.users[i, q, a]) for i, a in enumerate(profile)]
            rows.append((shares, np.mean([values[q, a] for a in profile]), np.prod(shares), q))
    users, mine, chance, question = zip(*rows)
    return np.array(users), np.array(mine), np.array(chance), np.array(question)


def scores_by_hand(answers, score, floor=1e-3):
    """`[K, Q, A]` what models get, from their formulas."""
    q = answers.models
    if score == "log":
        return (np.log(np.maximum(q, floor)) - np.log(floor)) / -np.log(floor)
    return q if score == "linear" else 0.5 + q - 0.5 * np.sum(q**2, axis=2, keepdims=True)


def least_squares(columns, target, chance):
    """Weights, constant and squared errors of NNLS with a free constant, rows weighed by chance."""
    root, ones = np.sqrt(chance)[:, None], np.ones((len(target), 1))
    found, _ = nnls(np.hstack([columns, ones, -ones]) * root, target * root[:, 0])
    weights, constant = found[:-2], found[-2] - found[-1]
    return weights, constant


def transfer_by_fold(answers, score: str, folds: int, floor: float = 1e-3):
    """`[F, K, N]` weights of fits without the questions q whose number leaves f by the number of folds."""
    weights = np.zeros((folds, answers.num_models, answers.num_users))
    for j in range(answers.num_models):
        columns, target, chance, question = all_profiles(answers, score, j, floor)
        for f in range(folds):
            kept = question % folds != f
            weights[f, j], _ = least_squares(columns[kept], target[kept], chance[kept])
    return weights


def over_sets(weights, size: int):
    """For each set of providers the mean and the worst user's transfer factor, by a loop over sets and users."""
    mean, worst = [], []
    for some in combinations(range(len(weights)), size):
        best = [max(weights[j][i] for j in some) for i in range(weights.shape[1])]
        factors = [1 / one if one > 0 else float("inf") for one in best]
        mean.append(sum(factors) / len(factors))
        worst.append(max(factors))
    return np.array(mean), np.array(worst)
