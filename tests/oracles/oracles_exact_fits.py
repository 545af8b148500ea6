"""Exact oracle of fits to raters: rational arithmetic, every set of columns, no tolerance anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np


def least_squares(columns: np.ndarray, target: np.ndarray, constraint: str) -> tuple[Any, Any]:
    """Weights w >= 0 (on the simplex, if that is the constraint) of least squared error, and that error.

    Some optimal weights are on independent columns, where the equations of their set alone have one solution; so the
    best of all sets whose solution is non-negative is the optimum. For up to about eight columns.
    """
    exact, wanted = [[Fraction(float(x)) for x in row] for row in columns], [Fraction(float(y)) for y in target]
    size, simplex = columns.shape[1], constraint == "simplex"
    best = (None, None) if simplex else ([Fraction(0)] * size, sum(y * y for y in wanted))
    for count in range(1, size + 1):
        for chosen in itertools.combinations(range(size), count):
            gram: Any = [[sum(row[i] * row[j] for row in exact) for j in chosen] for i in chosen]
            right: Any = [sum(row[i] * y for row, y in zip(exact, wanted)) for i in chosen]
            if simplex:  # with a multiplier of the sum
                gram = [[*row, Fraction(1)] for row in gram] + [[Fraction(1)] * count + [Fraction(0)]]
                right.append(Fraction(1))
            found = _solve(gram, right)
            if found is None or min(found[:count]) < 0:
                continue
            weights = [Fraction(0)] * size
            for place, value in zip(chosen, found):
                weights[place] = value
            error = squared_error(exact, wanted, weights)
            if best[1] is None or error < best[1]:
                best = weights, error
    return best


def squared_error(columns: Sequence, target: Sequence, weights: Sequence[Fraction]) -> Fraction:
    """The error of weights on rows, exactly."""
    missed = (
        sum(w * Fraction(float(x)) if not isinstance(x, Fraction) else w * x for w, x in zip(weights, row))
        - (y if isinstance(y, Fraction) else Fraction(float(y)))
        for row, y in zip(columns, target)
    )
    return sum((gap * gap for gap in missed), Fraction(0))


def cross_validated(columns: np.ndarray, target: np.ndarray, fold_of: np.ndarray, constraint: str) -> float:
    """Mean squared error on held-out rows without intercept; rows have equal weight."""
    total = Fraction(0)
    for fold in np.unique(fold_of):
        test = fold_of == fold
        weights, _ = least_squares(columns[~test], target[~test], constraint)
        total += squared_error(columns[test].tolist(), target[test].tolist(), weights)
    return float(total / len(target))


def _solve(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction] | None:
    """Gauss and Jordan; None where the matrix is singular."""
    size, rows = len(right), [[*row, value] for row, value in zip(matrix, right)]
    for k in range(size):
        pivot = next((i for i in range(k, size) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i in range(size):
            if i != k and rows[i][k] != 0:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k])]
    return [row[-1] for row in rows]
