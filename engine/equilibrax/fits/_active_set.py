"""Non-negative least squares on one Gram matrix, slowly and carefully, for the few that the batched solver leaves.

Lawson and Hanson's active set method, with a fresh rank-revealing factorization of the support in every step and one
step of iterative refinement, so that errors do not pile up.
"""

from __future__ import annotations

import numpy as np

_TOLERANCE = 1e-13  # of gradients, for columns and largest moment of size one


def solve_one(gram: np.ndarray, moment: np.ndarray, limit: int | None = None) -> tuple[np.ndarray, int]:
    """Weights that minimize `w'Gw - 2 m'w` over w >= 0, and the number of columns that entered.

    Args:
        gram: `[K, K]` positive semidefinite.
        moment: `[K]` in its column space.
        limit: columns that may enter before it gives up (default 10 K); the weights are feasible in any case.
    """
    size = len(moment)
    scale = np.sqrt(np.maximum(np.diag(gram), 0.0))
    unit = np.where(scale > 0, scale, 1.0)
    gram, moment = gram / unit[:, None] / unit, moment / unit
    height = max(float(np.abs(moment[scale > 0]).max(initial=0.0)), np.finfo(float).tiny)
    moment = moment / height
    weights, support, banned = np.zeros(size), np.zeros(size, bool), scale == 0
    entered = 0
    while entered < (10 * size if limit is None else limit):
        gradient = np.where(support | banned, -np.inf, moment - gram @ weights)
        enters = int(np.argmax(gradient)) if size else 0
        if size == 0 or gradient[enters] <= _TOLERANCE:
            break
        entered += 1
        support[enters] = True
        aim = _on_support(gram, moment, support)
        if aim[enters] <= 0:  # it promised more than rounding errors can keep
            support[enters], banned[enters] = False, True
            continue
        while (aim[support] <= 0).any():
            blocking = np.flatnonzero(support & (aim <= 0))
            steps = weights[blocking] / (weights[blocking] - aim[blocking])
            weights = weights + steps.min() * (aim - weights)
            support[blocking[steps == steps.min()]] = False
            weights = np.where(support, weights, 0.0)
            aim = _on_support(gram, moment, support)
        banned = scale == 0
        weights = aim
    return weights * height / unit, entered


def _on_support(gram: np.ndarray, moment: np.ndarray, support: np.ndarray) -> np.ndarray:
    """The least squares solution on the support, zero elsewhere."""
    inside = gram[np.ix_(support, support)]
    solution = np.linalg.lstsq(inside, moment[support], rcond=None)[0]
    solution = solution + np.linalg.lstsq(inside, moment[support] - inside @ solution, rcond=None)[0]
    whole = np.zeros(len(moment))
    whole[support] = solution
    return whole
