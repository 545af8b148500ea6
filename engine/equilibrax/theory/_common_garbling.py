"""The best common garbling of what several providers observe, as a linear program with a certificate.

A common garbling z of the providers' observations x_1..x_m (2602.13451, Definition 2.8) is something that every one of
them can produce, by a randomized map f_j of his own observation, with the same joint law with the state y:

    q(z | y) = sum_{x_j} P(x_j | y) f_j(z | x_j)    for every provider j, every y and z.

**The user's own information.** The definition couples z with y alone, and says that what a user gets from z is the same
whoever produces it. With a user who observes x_U that is only true if z has the same law given (y, x_U) for all
providers, which Definition 2.8 gives when x_U and the x_j are independent given y. Otherwise it can fail: let y be the
exclusive or of x_U and x_1, all fair coins, and let x_2 be a coin that has to do with nothing. Both x_1 and x_2 are
independent of y, so each is a common garbling as defined, but the first tells this user y and the second nothing. Here
y stands for (y, x_U) in the definition: it is the same where the independence holds, and everywhere it makes the
user's utility, and with it Theorems 3.1, 4.3 and 4.4, well defined.

**The program.** A message may as well be what the user does when she hears it: an action for each of her S signals. So
with weights p of worlds, W_j(x_j, y') the weight of the worlds of x_j and y' = (y, x_U), and u_z(y') the user's utility
of z there,

    maximize sum_{z, x_1, y'} W_1(x_1, y') f_1(z | x_1) u_z(y')
    subject to  sum_{x_1} W_1(x_1, y') f_1(z | x_1) = sum_{x_j} W_j(x_j, y') f_j(z | x_j)   for j > 1, all y', z,

rows of every f_j being distributions. Any multipliers mu_j(y', z) prove an upper bound: the sum over providers and
their observations of the largest reduced weight of a message. HiGHS solves it; the maps are then projected onto the
equations and mixed with the uniform ones (which are a common garbling) until no entry is negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from equilibrax._core.checks import as_classes, as_floats, check_whole
from equilibrax._core.linear_programs import LinearPrograms

MESSAGE_LIMIT = 1024
"""Most messages of the program: actions to the power of the number of the user's signals."""


@dataclass(frozen=True)
class Garbling:
    """A common garbling that is best for a user, with what proves it.

    Attributes:
        utility: what the user has from it, for the provider whose map gives her least.
        upper: no common garbling is worth more than this.
        residual: largest difference between the probabilities of (z, y, x_U) of two providers.
        messages: `[M, S]` the action that message z advises after each of the user's signals.
        maps: for each provider `[cells, M]`, the chances of the messages after each of his observations.
    """

    utility: float
    upper: float
    residual: float
    messages: Int[np.ndarray, "M S"]
    maps: tuple[Float[np.ndarray, "cells M"], ...]

    @property
    def gap(self) -> float:
        """What is left unproved."""
        return self.upper - self.utility

    @property
    def deterministic(self) -> bool:
        """Whether every provider's map is a function of what he observes."""
        return all(bool((np.minimum(f, 1 - f) <= 1e-9).all()) for f in self.maps)


def common_garbling(
    utility: Any,
    providers: Any,
    *,
    prior: Any = None,
    outcome: Any = None,
    user_sees: Any = None,
    message_limit: int = MESSAGE_LIMIT,
) -> Garbling:
    """The common garbling that is best for a user (2602.13451, Definitions 2.8 to 2.12, with y' = (y, x_U)).

    Args:
        utility: `[X, A]` the user's utility of each action in each world; an action that is not available is -inf in
            all worlds.
        providers: `[m, X]` labels, what each provider observes.
        prior: `[X]` positive weights of any scale; None is uniform.
        outcome: `[X]` labels: worlds with the same y. Utilities depend on y alone. None: every world is its own y.
        user_sees: `[X]` labels of x_U; None: nothing.
        message_limit: most messages, A to the power of the number of the user's signals.

    Returns:
        A `Garbling`; `utility` and `upper` are in the unit of `utility`.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> worlds = [(y, one, two) for y in (0, 1) for one in (0, 1) for two in (0, 1)]
        >>> chance = lambda y, x, right: right if x == y else 1 - right
        >>> best = eq.theory.common_garbling(  # two noisy observations of a coin; the better one can be made as noisy
        ...     utility=[[1 - y, y] for y, *_ in worlds],
        ...     providers=[[one for _, one, _ in worlds], [two for *_, two in worlds]],
        ...     prior=[chance(y, one, 0.9) * chance(y, two, 0.8) for y, one, two in worlds],
        ...     outcome=[y for y, *_ in worlds],
        ... )
        >>> round(best.utility, 9), best.gap < 1e-9, best.residual < 1e-12
        (0.8, True, True)
    """
    check_whole("message_limit", message_limit, 1)
    user = as_floats("utility", utility)
    if user.ndim != 2 or not user.size:
        raise ValueError(f"utility: expected shape [X, A], got {list(user.shape)}")
    worlds = len(user)
    weights = np.ones(worlds) if prior is None else as_floats("prior", prior)
    if weights.shape != (worlds,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(f"prior: expected {worlds} positive weights, got {prior!r}")
    sees = as_classes("providers", providers)
    if sees.ndim != 2 or sees.shape[1] != worlds or not len(sees):
        raise ValueError(f"providers: expected labels of shape [m, {worlds}], got {list(sees.shape)}")
    named = {"outcome": outcome, "user_sees": user_sees}
    default = {"outcome": np.arange(worlds), "user_sees": np.zeros(worlds, int)}
    labels = {name: default[name] if given is None else as_classes(name, given) for name, given in named.items()}
    for name, given in labels.items():
        if given.shape != (worlds,):
            raise ValueError(f"{name}: expected {worlds} labels, got shape {list(given.shape)}")
    possible = ~np.isneginf(user).all(axis=0)
    if not possible.any() or not np.isfinite(user[:, possible]).all():
        raise ValueError("utility: expected finite utilities, and -inf for all worlds of an action that does not exist")

    signal = cells(labels["user_sees"])
    state = cells(cells(labels["outcome"]) * worlds + signal)  # y'
    first = np.unique(state, return_index=True)[1]
    if not (user[first][state] == user)[:, possible].all():
        raise ValueError("outcome: expected utilities that depend on the label alone, got different ones within one")
    actions = np.flatnonzero(possible)
    count = len(actions) ** int(signal.max() + 1)
    if count > message_limit:
        raise ValueError(
            f"user_sees: expected at most {message_limit} messages, got {len(actions)} actions to the power of "
            f"{signal.max() + 1} signals, {count}; use a larger message_limit or fewer signals"
        )
    messages = np.array(list(product(actions, repeat=int(signal.max() + 1))))  # [M, S]
    shift, unit = float(user[:, possible].min()), float(np.ptp(user[:, possible])) or 1.0
    scaled = (np.where(possible, user, shift) - shift) / unit
    mass = [_mass(weights / weights.sum(), cells(row), state) for row in sees]
    of_message = scaled[first][np.arange(len(first))[:, None], messages.T[signal[first]]]  # [Y', M]
    found, upper = _solve(mass, of_message)
    value, residual = _value(found, mass, scaled[first][:, actions], signal[first])
    return Garbling(shift + unit * value, shift + unit * upper, residual, messages, tuple(found))


def cells(labels: Any) -> Int[np.ndarray, " X"]:
    """Labels 0, 1, .. by first appearance (restricted growth) of the same partition."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.reshape(-1)]


def _mass(weights: np.ndarray, seen: np.ndarray, state: np.ndarray) -> Float[np.ndarray, "cells Y"]:
    total = np.zeros((seen.max() + 1, state.max() + 1))
    np.add.at(total, (seen, state), weights)
    return total


def _solve(mass: list[np.ndarray], utility: np.ndarray) -> tuple[list[np.ndarray], float]:
    """Maps that are a common garbling up to rounding, and the bound that the multipliers prove."""
    states, messages = utility.shape
    starts = np.concatenate([[0], np.cumsum([len(m) * messages for m in mass])])
    balance = np.zeros(((len(mass) - 1) * states * messages, starts[-1]))
    for j in range(1, len(mass)):
        block = balance[(j - 1) * states * messages : j * states * messages]
        block[:, : starts[1]] = np.kron(mass[0].T, np.eye(messages))
        block[:, starts[j] : starts[j + 1]] = -np.kron(mass[j].T, np.eye(messages))
    total = np.kron(np.eye(sum(len(m) for m in mass)), np.ones((1, messages)))
    matrix = np.concatenate([balance, total])
    sides = np.concatenate([np.zeros(len(balance)), np.ones(len(total))])
    cost = np.zeros(starts[-1])
    cost[: starts[1]] = (mass[0] @ utility).ravel()

    values, duals, _ = LinearPrograms().solve(-cost, matrix, sides, sides, np.zeros(starts[-1]), np.ones(starts[-1]))
    values = _repair(values, matrix, sides, messages)
    maps = [values[starts[j] : starts[j + 1]].reshape(len(m), messages) for j, m in enumerate(mass)]
    multipliers = duals[: len(balance)].reshape(len(mass) - 1, states, messages)
    return maps, min(_bound(mass, utility, sign * multipliers) for sign in (1.0, -1.0))


def _bound(mass: Sequence[np.ndarray], utility: np.ndarray, multipliers: np.ndarray) -> float:
    """What multipliers `[m - 1, Y', M]` of the equations prove, whatever they are."""
    reduced = [mass[0] @ (utility - multipliers.sum(axis=0))]
    reduced += [own @ given for own, given in zip(mass[1:], multipliers)]
    return float(sum(r.max(axis=1).sum() for r in reduced))


def _repair(values: np.ndarray, matrix: np.ndarray, sides: np.ndarray, messages: int) -> np.ndarray:
    """The nearest point that meets the equations, mixed with the uniform maps until nothing is negative."""
    values = np.clip(values, 0.0, 1.0)
    missing = sides - matrix @ values
    if np.abs(missing).max() > 1e-16:
        values = values + np.linalg.lstsq(matrix, missing, rcond=None)[0]
    low = min(0.0, float(values.min()))
    share = -low / (1 / messages - low)
    return np.maximum((1 - share) * values + share / messages, 0.0)


def _value(maps: list[np.ndarray], mass: list[np.ndarray], utility: np.ndarray, signal: np.ndarray):
    """The user's utility when she answers each message as is best, and how far the providers' laws differ."""
    laws = np.stack([own.T @ f for own, f in zip(mass, maps)])  # [m, Y', M]
    total = np.zeros(len(laws))
    for s in range(signal.max() + 1):
        here = signal == s
        total += np.einsum("jym,ya->jma", laws[:, here], utility[here]).max(axis=2).sum(axis=1)
    return float(total.min()), float(np.abs(laws - laws[0]).max())
