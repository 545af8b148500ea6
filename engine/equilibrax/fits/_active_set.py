"""Non-negative least squares one at a time, slowly and carefully, for the few that the batched solver leaves.

Lawson and Hanson's active set method, with a fresh rank-revealing factorization of the support in every step and one
step of iterative refinement, so that errors do not pile up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_TOLERANCE = 1e-13  # of gradients, for columns and largest moment of size one
_STEEPEST = 1e-11  # cosine between a column and what is left, for rows
_ROUNDING = 1e-15  # of what is left, for columns and target of size one


def solve_one(gram: np.ndarray, moment: np.ndarray, limit: int | None = None) -> tuple[np.ndarray, int]:
    """Weights that minimize `w'Gw - 2 m'w` over w >= 0, and the number of columns that entered.

    Args:
        gram: `[K, K]` positive semidefinite.
        moment: `[K]` in its column space.
        limit: columns that may enter before it gives up (default 10 K); the weights are feasible in any case.
    """
    scale = np.sqrt(np.maximum(np.diag(gram), 0.0))
    unit = np.where(scale > 0, scale, 1.0)
    gram, moment = gram / unit[:, None] / unit, moment / unit
    height = max(float(np.abs(moment[scale > 0]).max(initial=0.0)), np.finfo(float).tiny)
    moment = moment / height

    def excess(weights: np.ndarray) -> np.ndarray:
        return moment - gram @ weights - _TOLERANCE

    def on_support(support: np.ndarray) -> np.ndarray:
        return _twice(gram[np.ix_(support, support)], moment[support])

    weights, entered = _active_set(excess, on_support, np.zeros(len(moment)), scale == 0, limit)
    return weights * height / unit, entered


def solve_rows(columns: np.ndarray, target: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, int]:
    """The same on rows, whose orthogonal factors have twice the digits of their Gram matrix.

    Args:
        columns: `[I, K]`.
        target: `[I]`.
        start: `[K]` non-negative weights to start from.
    """
    scale = np.sqrt((columns**2).sum(axis=0))
    unit = np.where(scale > 0, scale, 1.0)
    columns, height = columns / unit, max(float(np.linalg.norm(target)), np.finfo(float).tiny)
    target = target / height

    def excess(weights: np.ndarray) -> np.ndarray:
        left = target - columns @ weights
        return columns.T @ left - _STEEPEST * np.linalg.norm(left) - _ROUNDING

    def on_support(support: np.ndarray) -> np.ndarray:
        return _twice(columns[:, support], target)

    weights, entered = _active_set(excess, on_support, start * unit / height, scale == 0, None)
    return weights * height / unit, entered


def _active_set(
    excess: Callable[[np.ndarray], np.ndarray],
    on_support: Callable[[np.ndarray], np.ndarray],
    weights: np.ndarray,
    never: np.ndarray,
    limit: int | None,
) -> tuple[np.ndarray, int]:
    """Weights, and how many columns entered.

    Args:
        excess: from weights to `[K]` by how much gradients are above what is tolerated.
        on_support: from `[K]` bool to the least squares solution on those columns.
        weights: `[K]` to start from.
        never: `[K]` bool columns that get no weight.
        limit: columns that may enter; None is 10 K.
    """
    size = len(weights)
    support, banned, entered = (weights > 0) & ~never, never, 0
    enters = -1
    while size:
        aim = _aim(on_support, support)
        if enters >= 0 and aim[enters] <= 0:  # it promised more than rounding errors can keep
            support[enters], banned = False, banned | (np.arange(size) == enters)
        else:
            while (aim[support] <= 0).any():
                blocking = np.flatnonzero(support & (aim <= 0))
                steps = weights[blocking] / (weights[blocking] - aim[blocking])
                weights = weights + steps.min() * (aim - weights)
                support[blocking[steps == steps.min()]] = False
                weights = np.where(support, weights, 0.0)
                aim = _aim(on_support, support)
            banned, weights = never, aim
        above = np.where(support | banned, -np.inf, excess(weights))
        enters = int(np.argmax(above))
        if above[enters] <= 0 or entered >= (10 * size if limit is None else limit):
            break
        entered += 1
        support[enters] = True
    return weights, entered


def _aim(on_support: Callable[[np.ndarray], np.ndarray], support: np.ndarray) -> np.ndarray:
    whole = np.zeros(len(support))
    if support.any():
        whole[support] = on_support(support)
    return whole


def _twice(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The least squares solution, with one step of refinement."""
    solution = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return solution + np.linalg.lstsq(matrix, right - matrix @ solution, rcond=None)[0]
