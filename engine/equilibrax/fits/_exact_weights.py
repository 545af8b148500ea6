"""Weights that a system of integer rows allows, in whole numbers: for programs that floating point leaves in doubt.

    minimize cost . w   over   w_i >= lowest_i,   row . w >= 0 for every row

by a dual simplex with Bland's rule, in which the inverse of the basis is a matrix of integers over its determinant, so
every pivot divides without a remainder (Edmonds). Either there are weights, or a combination of rows shows that there
are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class ExactWeights(NamedTuple):
    """Attributes:
    weights: `[N]` integers, optimal up to a common factor; None if there are none.
    multipliers: by number of the row, positive integers with `sum_r multipliers[r] row_r <= 0` in every entry, and
        below 0 in one whose `lowest` is positive; None if there are weights.
    """

    weights: list[int] | None
    multipliers: dict[int, int] | None


def exact_weights(rows: np.ndarray, lowest: Sequence[int], cost: Sequence[int], hint: Sequence[int]) -> ExactWeights:
    """Solve one program.

    Args:
        rows: `[R, N]` integers.
        lowest: N whole numbers, not negative; cost: N positive ones.
        hint: a basis to begin with if it is one: numbers of constraints, i for `w_i >= lowest_i` and N + r for row r.

    Example:
        >>> exact_weights(np.array([[-1, 2], [3, -1]]), [1, 1], [1, 1], hint=[])
        ExactWeights(weights=[1, 1], multipliers=None)
        >>> exact_weights(np.array([[-1, 2], [1, -3]]), [1, 1], [1, 1], hint=[])
        ExactWeights(weights=None, multipliers={1: 1, 0: 1})
    """
    agents = len(lowest)
    matrix = np.concatenate([np.eye(agents, dtype=np.int64).astype(object), rows.astype(object)])
    sides: Any = np.array([*(int(one) for one in lowest), *[0] * len(rows)], object)
    costs: Any = np.array([int(one) for one in cost], object)
    start = _from_hint(matrix, costs, hint)
    basis, inverse, scale = start or (list(range(agents)), np.eye(agents, dtype=np.int64).astype(object), 1)
    while True:
        weights = inverse @ sides[basis]  # times scale
        violated = np.flatnonzero((matrix @ weights < sides * scale).astype(bool))
        if not len(violated):
            return ExactWeights([int(one) for one in weights], None)
        entering = int(violated[0])
        alpha = matrix[entering] @ inverse  # times scale
        open_ = [k for k in range(agents) if alpha[k] > 0]
        if not open_:
            of_rows = {basis[k] - agents: int(-alpha[k]) for k in range(agents) if basis[k] >= agents and alpha[k] < 0}
            return ExactWeights(None, of_rows | ({entering - agents: int(scale)} if entering >= agents else {}))
        duals = costs @ inverse
        leaves = open_[0]
        for k in open_[1:]:
            ahead = duals[k] * alpha[leaves] - duals[leaves] * alpha[k]
            if ahead < 0 or (ahead == 0 and basis[k] < basis[leaves]):
                leaves = k
        inverse, scale = _exchanged(inverse, scale, alpha, leaves)
        basis[leaves] = entering


def _exchanged(inverse: np.ndarray, scale: int, alpha: np.ndarray, leaves: int) -> tuple[np.ndarray, int]:
    """The inverse when the row with these coefficients takes a place in the basis, over its own positive scale."""
    pivot, column = alpha[leaves], inverse[:, leaves].copy()
    inverse = (inverse * pivot - np.outer(column, alpha)) // scale
    inverse[:, leaves] = column
    return (inverse, pivot) if pivot > 0 else (-inverse, -pivot)


def _from_hint(matrix: np.ndarray, costs: np.ndarray, hint: Sequence[int]) -> Any:
    """The basis of a hint, its inverse and scale, if it is a basis with multipliers that are not negative."""
    agents = len(costs)
    if len(set(hint)) != agents:
        return None
    basis, inverse, scale = list(range(agents)), np.eye(agents, dtype=np.int64).astype(object), 1
    free = [k for k in range(agents) if k not in hint]
    for entering in (one for one in hint if one >= agents):
        alpha = matrix[entering] @ inverse
        places = [k for k in free if alpha[k] != 0]
        if not places:
            return None
        inverse, scale = _exchanged(inverse, scale, alpha, places[0])
        basis[places[0]] = entering
        free.remove(places[0])
    return (basis, inverse, scale) if all(dual >= 0 for dual in costs @ inverse) else None
