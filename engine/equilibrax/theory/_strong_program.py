"""Strong alignment, exactly: fits of a provider's utility over all action profiles by a sum of users' utilities.

For provider j of utility p(a_1 .. a_N, x) and users of utilities u_i(a_i, x), Definition 2.14 of 2602.13451 asks for

    minimize eps               over lambda >= 0, c    with    |p - sum_i lambda_i u_i - c| <= eps  on all profiles,

and the promise of Theorem 4.3 to user i is best for the weights that

    minimize eps / lambda_i    over lambda >= 0, c    with    the same,

a linear-fractional program. With t = 1 / lambda_i (Charnes and Cooper 1962), it is the same fit with two utilities
exchanged: of u_i by t p and by m_k = lambda_k / lambda_i times the other u_k taken away. So there is one program,
`beta p - sum_i alpha_i u_i - c`, in which either beta or user i's alpha is 1 and all others are chosen.

If p is a sum over users too, so is the residual, and its worst profile in a state is found user by user, in N A steps.
We solve the program over a few profiles (HiGHS), add the profiles that are worst for its solution, and repeat until
none is worse. The multipliers over the profiles that were added bound eps from below for all profiles, the worst
profiles bound it from above. Few rows (profiles times states) and many fits go through the batched solver of
misalignment scores, and so does a p that is no sum.

Letters: L fits (lanes), N users, X states, A actions, R rows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.fits.chebyshev import Fit, certified_fit
from jaxtyping import Bool, Float

from equilibrax._core.compile_cache import jit
from equilibrax._core.linear_programs import UnsolvedProgram
from equilibrax.fits.chebyshev import TOLERANCE, highs_fit
from equilibrax.theory._market_alignment import fit_outcomes

_BATCHED_ROWS = 512
_BATCHED_FITS = 32
_DENSE_ROWS = 1 << 20
_NOISE = 1e-10  # weights that matter less than this (of the range of what is fitted) are rounding
_ROUNDS = 500
_MOST = 24  # profiles added per round and side


class Utilities(NamedTuple):
    """L providers' utilities and those of their users.

    Attributes:
        users: `[L, N, X, A]`; exists: `[L, N, X, A]`, which actions there are. A state without any does not count.
        parts: `[L, N, X, A]`, the provider's utility if it is a sum over users, else None.
        tensor: `[L, X, A, .., A]`, the provider's utility if it is not.
    """

    users: Float[np.ndarray, "L N X A"]
    exists: Bool[np.ndarray, "L N X A"]
    parts: Float[np.ndarray, "L N X A"] | None = None
    tensor: Float[np.ndarray, "L X *profiles"] | None = None


class StrongFits(NamedTuple):
    """L fits.

    Attributes:
        weights: `[L, N]` lambda; for a program of user i, lambda_k / lambda_i and, in her place, 1 / lambda_i.
        error: `[L]` eps, or eps / lambda_i, attained by the weights over all profiles.
        offset: `[L]` c, or c / lambda_i.
        gap: `[L]` the error minus a lower bound that is proved; infinite if nothing is.
        certified: `[L]` whether that is within 1e-9 of the range of p, or of u_i.
    """

    weights: Float[np.ndarray, "L N"]
    error: Float[np.ndarray, " L"]
    offset: Float[np.ndarray, " L"]
    gap: Float[np.ndarray, " L"]
    certified: Bool[np.ndarray, " L"]


def strong_fits(of: Utilities, *, user: int | None = None, start: Any = None) -> StrongFits:
    """The weights of least eps (`user` is None) or of least eps / lambda of a user, with certificates.

    Args:
        of: utilities of L providers.
        user: i, or None.
        start: `[L, N]` weights to start from, such as those of least squares.

    Raises:
        ValueError: if a provider's utility is no sum, and has more than 2^20 profiles times states.
    """
    lanes, users, states, actions = of.users.shape
    rows = states * actions**users
    if of.tensor is not None and rows > _DENSE_ROWS:
        raise ValueError(f"market: expected at most {_DENSE_ROWS} profiles times states, got {rows}")
    if of.tensor is not None or (rows <= _BATCHED_ROWS and lanes >= _BATCHED_FITS):
        weights, proved = _over_profiles(of, user)
    else:
        weights, proved = _by_worst_profiles(of, user, np.zeros((lanes, users)) if start is None else start)
    ranges = _sides(_range(of), list(_reach(of).T), user)
    matters = weights * np.abs(ranges[1:]).T > _NOISE * np.abs(ranges[0])[:, None]
    weights = np.where(matters & (ranges[0] != 0)[:, None], weights, 0.0)
    error, offset = attained_error(of, weights, user)
    gap = np.maximum(error - proved, 0.0)
    unit = np.abs(ranges[0])
    return StrongFits(weights, error, offset, gap, gap <= TOLERANCE * np.where(unit > 0, unit, 1.0))


def attained_error(of: Utilities, weights: np.ndarray, user: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """`(error, offset)` `[L]` of weights `[L, N]` over all profiles."""
    high, low = _extremes(of, *_coefficients(weights, user))
    return np.maximum(high - low, 0.0) / 2, (high + low) / 2


def _sides(provider: Any, users: list[Any], user: int | None) -> list[Any]:
    """What is fitted, and the N utilities that it is fitted by."""
    sides = [provider, *users]
    if user is not None:
        sides[0], sides[user + 1] = -sides[user + 1], -sides[0]
    return sides


def _coefficients(weights: np.ndarray, user: int | None) -> tuple[np.ndarray, np.ndarray]:
    """beta `[...]` and alpha `[..., N]` of the residual."""
    if user is None:
        return np.ones(weights.shape[:-1]), weights
    return weights[..., user], np.where(np.arange(weights.shape[-1]) == user, 1.0, weights)


def _extremes(of: Utilities, beta: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest and the smallest residual `[L]` over all profiles and states."""
    if of.parts is not None:
        top, bottom, _, _ = _worst_profiles(of.users, of.exists, of.parts, beta, alpha)
        return top.max(axis=1), bottom.min(axis=1)
    tensor = np.asarray(of.tensor)
    residual = tensor * beta.reshape(-1, *[1] * (tensor.ndim - 1))
    for i, own in enumerate(_spread(of.users)):
        residual -= (alpha[:, i, None, None] * own).reshape(residual.shape)
    exists, axes = _profiles(of.exists).reshape(residual.shape), tuple(range(1, residual.ndim))
    return np.where(exists, residual, -np.inf).max(axis=axes), np.where(exists, residual, np.inf).min(axis=axes)


def _worst_profiles(users, exists, parts, beta, alpha):
    """Largest and smallest residual of each state, `[..., X]`, and the profiles that have them, `[..., N, X]`."""
    residual = np.asarray(beta)[..., None, None, None] * parts - alpha[..., None, None] * users
    high, low = np.where(exists, residual, -np.inf), np.where(exists, residual, np.inf)
    return high.max(axis=-1).sum(axis=-2), low.min(axis=-1).sum(axis=-2), high.argmax(axis=-1), low.argmin(axis=-1)


def _range(of: Utilities) -> Float[np.ndarray, " L"]:
    """The range of the provider's utility."""
    lanes, users = of.users.shape[:2]
    high, low = _extremes(of, np.ones(lanes), np.zeros((lanes, users)))
    return high - low


def _reach(of: Utilities) -> Float[np.ndarray, "L N"]:
    """The range of every user's utility."""
    high = np.where(of.exists, of.users, -np.inf).max(axis=(2, 3))
    return high - np.where(of.exists, of.users, np.inf).min(axis=(2, 3))


# --- all profiles, batched --------------------------------------------------------------------------------------------


def _spread(values: np.ndarray) -> list[np.ndarray]:
    """Every user's `[L, X, A]` over profiles, `[L, X, A ** N]`."""
    lanes, users, states, actions = values.shape
    whole = (lanes, states, *[actions] * users)
    own = (values[:, i].reshape(lanes, states, *[actions if i == k else 1 for k in range(users)]) for i in range(users))
    return [np.broadcast_to(one, whole).reshape(lanes, states, -1) for one in own]


def _profiles(exists: np.ndarray) -> np.ndarray:
    """`[L, X, A ** N]` bool: profiles of actions that exist."""
    return np.all(_spread(exists), axis=0)


def _over_profiles(of: Utilities, user: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Weights and lower bounds by the batched solver, with a row for every profile and state."""
    lanes, users = of.users.shape[:2]
    provider = np.sum(_spread(of.parts), axis=0) if of.parts is not None else np.asarray(of.tensor)
    sides = _sides(provider.reshape(lanes, -1), [own.reshape(lanes, -1) for own in _spread(of.users)], user)
    exists = _profiles(of.exists).reshape(lanes, -1)
    everyone = np.ones((lanes, users), bool)
    fit, _, _ = fit_outcomes(np.stack(sides, axis=1), exists, np.arange(lanes), everyone)
    return np.array(fit.weights), _proved(fit)


def _proved(fit: Fit) -> np.ndarray:
    return np.where(np.asarray(fit.violation) <= TOLERANCE, np.asarray(fit.eps) - np.asarray(fit.gap), -np.inf)


# --- the worst profiles, one by one -----------------------------------------------------------------------------------


class _Master(NamedTuple):
    """Profiles of one provider: its utility and the users' there, the side on which they bound a fit, and the fit."""

    provider: np.ndarray  # [R]
    users: np.ndarray  # [N, R]
    above: np.ndarray  # [R]
    weights: np.ndarray  # [N]
    lower: np.ndarray  # [R]
    upper: np.ndarray  # [R]


def _by_worst_profiles(of: Utilities, user: int | None, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and lower bounds, by HiGHS."""
    unit = np.abs(_sides(_range(of), list(_reach(of).T), user)[0])
    enough = TOLERANCE * np.where(unit > 0, unit, 1.0)
    lanes = zip(of.users, of.exists, np.asarray(of.parts), start, enough.tolist())
    fit = _certificates([_solve(*lane, user) for lane in lanes], user)
    return np.asarray(fit.weights).T.copy(), _proved(fit)


def _solve(users, exists, parts, weights: np.ndarray, allowed: float, user: int | None) -> _Master:
    """Rounds of adding the worst profiles; the last program over them, with its solution."""
    n, everyone = len(users), np.arange(len(users))
    known: dict[tuple[bool, int, bytes], np.ndarray] = {}  # by side, state and profile: all utilities there
    constant, eps, lower, upper = 0.0, -np.inf, np.zeros(0), np.zeros(0)
    rows, above = np.zeros((1 + n, 0)), np.zeros(0, bool)
    for _ in range(_ROUNDS):
        top, bottom, highest, lowest = _worst_profiles(users, exists, parts, *_coefficients(weights, user))
        if not known:
            constant = (top.max() + bottom.min()) / 2
        before = len(known)
        for side, excess, profile in ((False, top - constant, highest), (True, constant - bottom, lowest)):
            order = np.argsort(-excess, kind="stable")[:_MOST]
            for x in order[excess[order] > eps + allowed / 4]:
                at = everyone, x, profile[:, x]
                known.setdefault((side, int(x), profile[:, x].tobytes()), np.array([parts[at].sum(), *users[at]]))
        if len(known) == before:
            break
        rows, above = np.stack(list(known.values()), axis=1), np.array([side for side, _, _ in known])
        sides = np.stack(_sides(rows[0], list(rows[1:]), user))
        try:
            found, lower, upper = highs_fit(sides[0], sides[1:], above, ~above, np.ones(n, bool), False)
        except UnsolvedProgram:  # nothing is proved by the multipliers of fewer rows
            lower = upper = np.zeros(len(above))
            break
        weights = np.maximum(found, 0.0)
        residual = sides[0] - weights @ sides[1:]
        high, low = residual[~above].max(), residual[above].min()
        constant, eps = (high + low) / 2, max(0.0, high - low) / 2
    return _Master(rows[0], rows[1:], above, weights, lower, upper)


def _certificates(masters: list[_Master], user: int | None) -> Fit:
    """Fits and what their multipliers prove, one lane per program."""
    size = 1 << max(4, max(len(master.provider) for master in masters).bit_length())

    def lanes(rows):
        return np.stack([np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, size - a.shape[-1])]) for a in rows], axis=-1)

    sides = _sides(lanes([m.provider for m in masters]), list(lanes([m.users for m in masters])), user)
    args = (
        sides[0],
        np.stack(sides[1:]),
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
    return jit(lambda *args: certified_fit(*args, simplex=False))
