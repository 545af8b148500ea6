"""Slow oracles for fits to raters: one fold, one order, one size at a time, on the rows, with other solvers."""

from __future__ import annotations

import highspy
import numpy as np
from scipy.optimize import nnls


def nonnegative(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights w >= 0 of least squared error, by scipy."""
    if columns.shape[1] == 0:
        return np.zeros(0)
    return nnls(columns, target, maxiter=100 * columns.shape[1] + 100)[0]


def simplex(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights on the simplex of least squared error, by an interior point method on the differences.

    Each step solves the KKT system of `w'Dw / 2 - mu sum log w` with `sum w = 1`; mu falls to 1e-16 of the scale.
    """
    gaps = columns - target[:, None]
    gram = gaps.T @ gaps
    scale = max(float(np.diag(gram).mean()), 1e-300)
    gram = gram / scale
    size = len(gram)
    w, z, level = np.full(size, 1.0 / size), np.ones(size), 0.0
    for _ in range(200):
        gradient = gram @ w - z - level
        complementarity = float(w @ z) / size
        if complementarity < 1e-15 and np.abs(gradient).max() < 1e-13:
            break
        mu = 0.1 * complementarity
        matrix = gram + np.diag(z / w)
        system = np.block([[matrix, -np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]])
        step = np.linalg.solve(system, np.append(-gradient - z + mu / w, 1.0 - w.sum()))
        dw, dlevel = step[:-1], step[-1]
        dz = (mu - z * dw) / w - z
        longest = 1.0
        for value, change in ((w, dw), (z, dz)):
            if (change < 0).any():
                longest = min(longest, 0.995 * float((-value[change < 0] / change[change < 0]).min()))
        w, z, level = w + longest * dw, z + longest * dz, level + longest * dlevel
    return w / w.sum()


def quadratic_program(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights on the simplex of least squared error by HiGHS, as a quadratic program."""
    gaps = columns - target[:, None]
    gram, size = gaps.T @ gaps, columns.shape[1]
    gram = gram / max(float(np.diag(gram).mean()), 1e-300)
    solver = highspy.Highs()
    assert solver.setOptionValue("output_flag", False) == highspy.HighsStatus.kOk
    assert solver.setOptionValue("threads", 1) == highspy.HighsStatus.kOk  # all HiGHS of a process share their threads
    model = highspy.HighsModel()
    model.lp_.num_col_, model.lp_.num_row_ = size, 1
    model.lp_.col_cost_ = model.lp_.col_lower_ = np.zeros(size)
    model.lp_.col_upper_ = np.full(size, highspy.kHighsInf)
    model.lp_.row_lower_ = model.lp_.row_upper_ = np.ones(1)
    model.lp_.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.lp_.a_matrix_.start_, model.lp_.a_matrix_.index_ = np.array([0, size]), np.arange(size)
    model.lp_.a_matrix_.value_ = np.ones(size)
    model.hessian_.dim_, model.hessian_.format_ = size, highspy.HessianFormat.kTriangular
    model.hessian_.start_ = np.append(0, np.cumsum(np.arange(size, 0, -1)))
    model.hessian_.index_ = np.concatenate([np.arange(k, size) for k in range(size)])
    model.hessian_.value_ = np.concatenate([gram[k:, k] for k in range(size)])
    assert solver.passModel(model) == highspy.HighsStatus.kOk
    assert solver.run() == highspy.HighsStatus.kOk
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    weights = np.maximum(solver.getSolution().col_value, 0)
    return weights / weights.sum()


def curve(ratings, target, weights, fold_of, order, size, intercept):
    """`{method: (mse, nonzero)}` of the first `size` raters of an order, fold by fold."""
    here = ~np.isnan(target)
    ratings, target, weights, fold_of = ratings[here][:, order[:size]], target[here], weights[here], fold_of[here]
    squared = (ratings - target[:, None]) ** 2 * weights[:, None]
    wrong, used = dict.fromkeys(("best_individual", "nnls", "simplex"), 0.0), {"nnls": [], "simplex": []}
    for fold in np.unique(fold_of):
        test = fold_of == fold
        chosen = squared[~test].sum(axis=0).argmin()
        wrong["best_individual"] += squared[test, chosen].sum()
        root = np.sqrt(weights[~test])
        for method, solver in (("nnls", nonnegative), ("simplex", simplex)):
            shift = np.average(ratings[~test], axis=0, weights=weights[~test]) if intercept else 0.0
            level = np.average(target[~test], weights=weights[~test]) if intercept else 0.0
            found = solver((ratings[~test] - shift) * root[:, None], (target[~test] - level) * root)
            missed = (ratings[test] - shift) @ found + level - target[test]
            wrong[method] += (weights[test] * missed**2).sum()
            used[method].append((found > 1e-6).sum())
    result = {name: (value / weights.sum(), float(np.mean(used.get(name, [1])))) for name, value in wrong.items()}
    average = (weights * (ratings.mean(axis=1) - target) ** 2).sum() / weights.sum()
    best = squared.sum(axis=0).min() / weights.sum()
    return result | {"average": (average, float(size)), "best_individual_hindsight": (best, 1.0)}
