"""Fits of a provider's utility over whole action profiles by a sum of users' terms: weights, extremes, lower bounds.

With f(a_1..a_N, x) the provider's utility and t_i(a_i, x) the users' terms, the error of weights w is half the
distance between the largest and the smallest residual `f - sum_i w_i t_i` over all profiles and states. If f is a sum
over users too, both are sums over users of the extremes of every user's own residual `g_i = f_i - w_i t_i`:

    minimize eps   subject to   sum_i M_i(x) - c <= eps,   g_i(a, x) <= M_i(x)
                                sum_i m_i(x) - c >= -eps,  g_i(a, x) >= m_i(x)    for all i, a, x.

Its multipliers are measures alpha, beta of mass 1/2 on profiles and states, of which only every user's marginals
matter: whatever they are, if E_alpha[t_i] <= E_beta[t_i] for all i then `eps >= E_alpha[f] - E_beta[f]`.

Few rows (profiles times states) and many fits go through the batched solver of misalignment scores, others to HiGHS.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax._core.linear_programs import LinearPrograms
from equilibrax.fits.chebyshev import TOLERANCE
from equilibrax.theory._market_alignment import fit_outcomes

_BATCHED_ROWS = 512
_BATCHED_FITS = 32
_DENSE_ROWS = 1 << 20
_NOISE = 1e-10  # weights that matter less than this (of the provider's range) are rounding


def strong_fits(terms: Any, available: Any, *, parts: Any = None, tensor: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Best weights `[B, N]` for one provider, and a proved lower bound `[B]` of the error.

    Args:
        terms: `[B, N, X, A]` t; available: `[B, N, A]`.
        parts: `[B, N, X, A]`, the provider's utility if it is a sum over users.
        tensor: `[B, X, A, .., A]`, the provider's utility if it is not.
    """
    batch, users, states, actions = terms.shape
    rows = states * actions**users
    if tensor is not None and rows > _DENSE_ROWS:
        raise ValueError(f"market: expected at most {_DENSE_ROWS} profiles times states, got {rows}")
    if tensor is not None or (rows <= _BATCHED_ROWS and batch >= _BATCHED_FITS):
        weights, proved = _over_profiles(terms, available, parts, tensor)
    else:
        both = [_split(terms[b], parts[b], available[b]) for b in range(batch)]
        weights, proved = np.stack([w for w, _ in both]), np.array([p for _, p in both])
    high, low = extremes(terms, available, np.zeros((batch, users)), parts=parts, tensor=tensor)
    extent = (high - low)[:, None]
    matters = (weights * _ranges(terms, available) > _NOISE * extent) & (extent > 0)
    return np.where(matters, weights, 0.0), proved


def extremes(
    terms: Any, available: Any, weights: Any, *, parts: Any = None, tensor: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """The largest and the smallest residual `[B]` over all profiles and states, with weights `[B, N]`."""
    if tensor is None:
        residual = parts - weights[..., None, None] * terms
        exists = available[:, :, None]
        high = np.where(exists, residual, -np.inf).max(axis=3).sum(axis=1).max(axis=1)
        return high, np.where(exists, residual, np.inf).min(axis=3).sum(axis=1).min(axis=1)
    residual = np.array(tensor, np.float64)
    for i, own in enumerate(_spread(terms)):
        residual -= (weights[:, i, None, None] * own).reshape(tensor.shape)
    exists = _profiles(available)[:, None].reshape(len(terms), 1, *tensor.shape[2:])
    axes = tuple(range(1, tensor.ndim))
    return np.where(exists, residual, -np.inf).max(axis=axes), np.where(exists, residual, np.inf).min(axis=axes)


def _spread(values) -> list[np.ndarray]:
    """Every user's `[B, X, A]` over profiles, `[B, X, A ** N]`."""
    batch, users, states, actions = values.shape
    whole = (batch, states, *[actions] * users)
    spread = []
    for i in range(users):
        own = values[:, i].reshape(batch, states, *[actions if i == other else 1 for other in range(users)])
        spread.append(np.broadcast_to(own, whole).reshape(batch, states, -1))
    return spread


def _profiles(available) -> np.ndarray:
    """`[B, A ** N]` bool: profiles of actions that exist."""
    batch, users, actions = available.shape
    return np.all([s[:, 0] for s in _spread(available.reshape(batch, users, 1, actions))], axis=0)


def _ranges(terms, available) -> np.ndarray:
    exists = available[:, :, None]
    return np.where(exists, terms, -np.inf).max(axis=(2, 3)) - np.where(exists, terms, np.inf).min(axis=(2, 3))


def _over_profiles(terms: Any, available: Any, parts: Any, tensor: Any) -> tuple[np.ndarray, np.ndarray]:
    """By the batched solver, with a row for every profile and state."""
    batch, users, states, _ = terms.shape
    target = np.sum(_spread(parts), axis=0) if tensor is None else tensor.reshape(batch, states, -1)
    exists = np.broadcast_to(_profiles(available)[:, None], target.shape).reshape(batch, -1)
    sides = np.stack([target, *_spread(terms)], axis=1).reshape(batch, users + 1, -1) * exists[:, None]
    own = sides[:, 0]
    extent = np.where(exists, own, -np.inf).max(axis=1) - np.where(exists, own, np.inf).min(axis=1)
    enough = TOLERANCE * np.where(extent > 0, extent, 1.0)
    everyone = np.ones((batch, users), bool)
    fit, _ = fit_outcomes(sides, np.arange(batch), exists, exists, everyone, enough, False)
    weights, eps, gap = np.array(fit.weights), np.array(fit.eps), np.array(fit.gap)
    return weights, np.where(np.asarray(fit.violation) <= enough, eps - gap, -np.inf)


def _split(terms, parts, available) -> tuple[np.ndarray, float]:
    """By HiGHS, one fit, with largest and smallest residuals of every user as variables."""
    users, states, _ = terms.shape
    exists = np.broadcast_to(available[:, None], terms.shape)
    unit = float(sum(np.ptp(parts[i][exists[i]]) for i in range(users))) or 1.0
    scales = [float(np.ptp(terms[i][exists[i]])) or 1.0 for i in range(users)]
    shifts = [terms[i][exists[i]].min() for i in range(users)]
    t = np.stack([(terms[i] - shifts[i]) / scales[i] for i in range(users)])
    f = np.stack([(parts[i] - parts[i][exists[i]].min()) / unit for i in range(users)])
    where = np.argwhere(exists)  # i, x, a
    i, cell = where[:, 0], where[:, 0] * states + where[:, 1]
    n, m = len(where), users * states
    # columns: weights, c, eps, M, m; rows: g <= M, g >= m, sum M - c <= eps, sum m - c >= -eps
    matrix = np.zeros((2 * n + 2 * states, users + 2 + 2 * m))
    at, values = np.arange(n), t[exists]
    for block, first in ((0, users + 2), (n, users + 2 + m)):
        matrix[block + at, i] = values
        matrix[block + at, first + cell] = 1.0
    sums = np.tile(np.eye(states), users)
    matrix[2 * n :, users : users + 2] = np.repeat([[-1.0, -1.0], [-1.0, 1.0]], states, axis=0)
    matrix[2 * n : 2 * n + states, users + 2 : users + 2 + m] = sums
    matrix[2 * n + states :, users + 2 + m :] = sums
    free, none = np.inf, np.zeros(states)
    low = np.concatenate([f[exists], np.full(n, -free), none - free, none])
    high = np.concatenate([np.full(n, free), f[exists], none, none + free])
    lowest = np.concatenate([np.zeros(users), [-free, 0.0], np.full(2 * m, -free)])
    cost = np.eye(len(lowest))[users + 1]
    found, duals, _ = LinearPrograms().solve(cost, matrix, low, high, lowest, np.full(len(lowest), free))
    weights = np.maximum(found[:users], 0.0)

    measures = []
    for block, start in ((0, 2 * n), (n, 2 * n + states)):
        mass = np.abs(duals[start : start + states])
        if not mass.sum() > 0:
            return weights * unit / scales, 0.0  # an exact fit needs no proof
        own = np.zeros(terms.shape)
        own[exists] = np.abs(duals[block : block + n])
        total = own.sum(axis=2, keepdims=True)
        even = exists / exists.sum(axis=2, keepdims=True)
        own = np.where(total > 0, own / np.where(total > 0, total, 1.0), even)
        measures.append(own * (mass / mass.sum() / 2)[None, :, None])
    difference = measures[0] - measures[1]
    excess = np.maximum((difference * t).sum(axis=(1, 2)), 0.0)
    proved = float((difference * f).sum() - weights @ excess)
    if excess.max() > TOLERANCE:
        proved = -np.inf
    return weights * unit / scales, proved * unit
