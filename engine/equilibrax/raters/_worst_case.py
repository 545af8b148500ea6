"""The worst action profile: strong alignment in the Chebyshev sense, exactly, over all A^n profiles of all questions.

For one provider the linear program is

    minimize eps   over lambda >= 0, c    with    |sum_i (v(a_i, y) / n - lambda_i p_i(a_i | y)) - c| <= eps

for all y and all a_1 ... a_n. The largest value of a sum of functions of one a_i each is the sum of the largest values,
so for given lambda the worst profile of a question is found user by user, in n A steps. This is the program with one
auxiliary variable per user, question and side, t_iy >= v(a, y) / n - lambda_i p_i(a | y) for all a, without the
auxiliaries: we solve it over a few profiles (HiGHS), add the profiles that are worst for its solution, and repeat until
none is worse. The dual multipliers over the profiles that were added bound eps from below for all profiles; the worst
profiles bound it from above; the difference is the gap that is reported.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.fits.chebyshev import certified_fit
from jaxtyping import Bool, Float

from equilibrax.fits.chebyshev import TOLERANCE, highs_fit

_ROUNDS = 500
_MOST = 24  # profiles added per round and side


class WorstProfiles(NamedTuple):
    """Per provider, the best worst-case fit.

    Attributes:
        eps: `[K]` attained by the weights over all profiles.
        weights: `[K, N]` lambda.
        constants: `[K]` c.
        gap: `[K]` eps minus a proved lower bound.
        certified: `[K]` whether gap and dual violation are at most 1e-9 of the range of the provider's utility.
        profiles: `[K]` int64, profiles that were needed.
    """

    eps: Float[np.ndarray, " K"]
    weights: Float[np.ndarray, "K N"]
    constants: Float[np.ndarray, " K"]
    gap: Float[np.ndarray, " K"]
    certified: Bool[np.ndarray, " K"]
    profiles: np.ndarray


class _Master(NamedTuple):
    """Profiles of one provider: their utilities, and on which side they bound the fit."""

    provider: np.ndarray  # [R]
    users: np.ndarray  # [N, R]
    above: np.ndarray  # [R]
    weights: np.ndarray  # [N]
    lower: np.ndarray  # [R]
    upper: np.ndarray  # [R]


def worst_profiles(
    users: Float[np.ndarray, "N Q A"],
    components: Float[np.ndarray, "K Q A"],
    options: Bool[np.ndarray, "Q A"],
    used: Bool[np.ndarray, "K Q"],
    start: Float[np.ndarray, "K N"],
) -> WorstProfiles:
    """eps of Definition 2.14 (2602.13451) for every provider, over its questions of `used` (at least one each).

    Args:
        users: `[N, Q, A]` utilities of the users; components: `[K, Q, A]` v_j, so that u_j is their mean over users.
        options: `[Q, A]` actions that exist.
        used: `[K, Q]`; start: `[K, N]` weights to start from, such as those of least squares.
    """
    masters, extents = [], np.zeros(len(components))
    for j, own in enumerate(used):
        here = (users[:, own], components[j, own] / len(users), options[own])
        top, bottom, _, _ = _extremes(*here, np.zeros(len(users)))
        extents[j] = (top.max() - bottom.min()) or 1.0
        masters.append(_solve(*here, start[j], TOLERANCE * extents[j]))
    fit = _certificates(masters)
    weights = np.asarray(fit.weights).T.copy()
    eps, constants = np.zeros(len(masters)), np.zeros(len(masters))
    for j, own in enumerate(used):
        top, bottom, _, _ = _extremes(users[:, own], components[j, own] / len(users), options[own], weights[j])
        eps[j] = max(0.0, top.max() - bottom.min()) / 2
        constants[j] = (top.max() + bottom.min()) / 2
    gap = eps - (np.asarray(fit.eps) - np.asarray(fit.gap))
    return WorstProfiles(
        eps=eps,
        weights=weights,
        constants=constants,
        gap=gap,
        certified=np.maximum(gap, np.asarray(fit.violation)) <= TOLERANCE * extents,
        profiles=np.array([len(master.provider) for master in masters]),
    )


def _extremes(users: np.ndarray, component: np.ndarray, options: np.ndarray, weights: np.ndarray):
    """Largest and smallest residual of each question, `[Q]`, and the profiles that have them, `[N, Q]`."""
    residual = component - weights[:, None, None] * users
    high, low = np.where(options, residual, -np.inf), np.where(options, residual, np.inf)
    return high.max(axis=2).sum(axis=0), low.min(axis=2).sum(axis=0), high.argmax(axis=2), low.argmin(axis=2)


def _solve(users: np.ndarray, component: np.ndarray, options: np.ndarray, weights: np.ndarray, allowed: float):
    """Rounds of adding the worst profiles; the last master problem with its solution."""
    n = len(users)
    member, everyone = np.ones(n, bool), np.arange(n)[:, None]
    provider, columns, above = np.zeros(0), np.zeros((n, 0)), np.zeros(0, bool)
    known: set[tuple[bool, int, bytes]] = set()
    constant, eps, lower, upper = 0.0, -np.inf, np.zeros(0), np.zeros(0)
    for _ in range(_ROUNDS):
        top, bottom, highest, lowest = _extremes(users, component, options, weights)
        if not known:
            constant = (top.max() + bottom.min()) / 2
        worse = False
        for side, excess, profile in ((False, top - constant, highest), (True, constant - bottom, lowest)):
            order = np.argsort(-excess, kind="stable")[:_MOST]
            for q in order[excess[order] > eps + allowed / 4]:
                key = (side, int(q), profile[:, q].tobytes())
                if key in known:
                    continue
                known.add(key)
                worse = True
                provider = np.append(provider, component[q, profile[:, q]].sum())
                columns = np.append(columns, users[everyone, q, profile[:, [q]]], axis=1)
                above = np.append(above, side)
        if not worse:
            break
        weights, lower, upper = highs_fit(provider, columns, above, ~above, member, False)
        weights = np.maximum(weights, 0.0)
        residual = provider - weights @ columns
        high, low = residual[~above].max(), residual[above].min()
        constant, eps = (high + low) / 2, max(0.0, high - low) / 2
    return _Master(provider, columns, above, weights, lower, upper)


def _certificates(masters: list[_Master]):
    """Fits and what their multipliers prove, one lane per provider."""
    size = 1 << max(4, max(len(master.provider) for master in masters).bit_length())

    def lanes(rows):
        return np.stack([np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, size - a.shape[-1])]) for a in rows], axis=-1)

    args = (
        lanes([m.provider for m in masters]),
        lanes([m.users for m in masters]),
        lanes([m.above for m in masters]),
        lanes([~m.above for m in masters]),
        np.ones((len(masters[0].weights), len(masters)), bool),
        np.stack([m.weights for m in masters], axis=-1),
        lanes([m.lower for m in masters]),
        lanes([m.upper for m in masters]),
    )
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, _compiled()(*(jnp.asarray(a) for a in args)))


@lru_cache(maxsize=1)
def _compiled():
    return jax.jit(lambda *args: certified_fit(*args, simplex=False))
