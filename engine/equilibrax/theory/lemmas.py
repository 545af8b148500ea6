"""The steps on the way to the theorems: Lemmas 1 and 2, Proposition 2, Corollaries 1 and 2 of 2509.15090."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from equilibrax._core.checks import check_choice, check_flags, check_number, check_numbers
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables
from equilibrax.theory._induced_actions import (
    allowed_in_cells,
    as_game,
    closeness,
    estimation_error,
    estimation_errors,
    reference_labels,
)
from equilibrax.theory._parts import ROUNDING
from equilibrax.theory.bound import Bound, make_bound

Form = Literal["distance", "ratio"]
Event = Literal["heard", "features"]


def lemma_1(beliefs: Any, rationality: Any, response: Any = None, available: Any = None) -> Bound:
    """A quantal user loses at most log A / lambda of what she expects (2509.15090, Lemma 1).

    Args:
        beliefs: `[..., A]`, what she expects of each action.
        rationality: lambda, at least 0 (may be infinite), broadcast to `[...]`.
        response: `[..., A]` probabilities that are claimed to be her quantal response; None for the response itself.
        available: `[..., A]` bool, actions that she can take; log A counts these. None for all.

    Returns:
        A `Bound` `[...]`, "at most", on the largest belief minus the expected one.

    Raises:
        ValueError: if a belief is not finite, `rationality` negative, no action available, or shapes do not fit.

    Example:
        >>> import equilibrax as eq
        >>> gap = eq.theory.lemma_1([0.0, 1.0], rationality=2.0)
        >>> round(float(gap.measured), 4), round(float(gap.bound), 4)
        (0.1192, 0.3466)
    """
    beliefs, lambdas = _beliefs("beliefs", beliefs), _rationality(rationality)
    wide = (*_together("rationality", lambdas, beliefs), beliefs.shape[-1])
    exists = check_flags("available", True if available is None else available, beliefs.shape)
    if not exists.any(axis=-1).all():
        raise ValueError("available: expected an action that is available in every row, got none in some")
    true = _softmax(beliefs, lambdas, exists)
    chances = true if response is None else check_numbers("response", response, 0, 1, shape=wide)
    reach = 1.0 + np.abs(np.where(exists, beliefs, 0.0)).max(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(exists.sum(axis=-1))
        bound = np.where(log == 0, 0.0, log / lambdas)
    gap = chances * np.where(exists, np.where(exists, beliefs, -np.inf).max(axis=-1, keepdims=True) - beliefs, 0.0)
    return make_bound(
        "Lemma 1",
        hypothesis="the response is quantal with this lambda",
        numbers={"lambda": lambdas},
        holds=(np.abs(chances - true) <= ROUNDING).all(axis=-1),
        bound=bound,
        measured=gap.sum(axis=-1),
        tolerance=ROUNDING * reach,
        sense="at most",
    )


def lemma_2(first: Any, second: Any, rationality: Any, epsilon: Any = None, form: Form = "distance") -> Bound:
    """Beliefs that differ little lead to quantal responses that differ little (2509.15090, Lemma 2).

    Args:
        first: `[..., A]` beliefs.
        second: `[..., A]` other beliefs.
        rationality: lambda, at least 0 and finite, broadcast to `[...]`.
        epsilon: a claim about the largest difference of two beliefs; None for the true one.
        form: "distance": the L1 distance of the responses is at most exp(2 lambda eps) - 1. "ratio": no probability
            changes by more than the factor exp(2 lambda eps) (both sides are logarithms).

    Returns:
        A `Bound` `[...]`, "at most".

    Raises:
        ValueError: if a belief is not finite, or `rationality` is negative or infinite.

    Example:
        >>> import equilibrax as eq
        >>> moved = eq.theory.lemma_2([0.5, 0.5], [0.6, 0.5], rationality=1.0)
        >>> round(float(moved.measured), 4), round(float(moved.bound), 4)
        (0.05, 0.2214)
    """
    check_choice("form", form, get_args(Form))
    first, second = _beliefs("first", first), _beliefs("second", second)
    if first.shape[-1] != second.shape[-1]:
        raise ValueError(f"second: expected as many actions as first, {first.shape[-1]}, got {second.shape[-1]}")
    shape = (*_together("second", second[..., 0], first), first.shape[-1])
    first, second = np.broadcast_to(first, shape), np.broadcast_to(second, shape)
    lambdas = check_numbers("rationality", rationality, 0)
    wide = _together("rationality", lambdas, first)
    true = np.abs(first - second).max(axis=-1)
    eps = true if epsilon is None else check_numbers("epsilon", epsilon, 0, shape=wide)
    p, q = (_softmax(beliefs, lambdas, np.ones(beliefs.shape, bool)) for beliefs in (first, second))
    if form == "distance":
        with np.errstate(over="ignore"):
            bound, measured = np.expm1(2 * lambdas * eps), np.abs(p - q).sum(axis=-1)
    else:
        logs = [_log_softmax(beliefs, lambdas) for beliefs in (first, second)]
        bound, measured = 2 * lambdas * eps, np.abs(logs[0] - logs[1]).max(axis=-1)
    return make_bound(
        "Lemma 2",
        hypothesis="no belief differs by more than eps",
        numbers={"lambda": lambdas, "eps": eps},
        holds=true <= eps + 1e-15,
        bound=bound,
        measured=measured,
        tolerance=ROUNDING * (1 + np.abs(measured)),
        sense="at most",
    )


def proposition_2(
    game: PersuasionGame | UtilityTables, reference: Any, rationality: float, epsilon_u: Any = None
) -> Bound:
    """If C* leaves the user's estimates within eps_u, delta is at most exp(4 lambda eps_u) - 1 (2509.15090, Prop. 2).

    Needs every action of a cell's states to be available in all of them; else telling states apart changes what she can
    do, however well she estimates it.

    Args:
        game: B games of at most 6 states.
        reference: `[X]` or `[B, X]` labels of C*.
        rationality: lambda, at least 0.
        epsilon_u: a claim about the error of estimates, broadcast to `[B]`; None for the true one.

    Returns:
        A `Bound` `[B]`, "at most", on `closeness` (the L1 norm).

    Raises:
        ValueError: if `reference` is no partition that can be posted, a number is negative, NaN or infinite (only
            `rationality` may be), or there are more than 6 states.

    Example:
        >>> import equilibrax as eq
        >>> table = eq.from_integers([[5, 6], [5, 4]], [[[0, 1], [0, 1]]], resolution=10)
        >>> found = eq.theory.proposition_2(table, [0, 0], rationality=1.0)
        >>> found.measured.round(4).tolist(), found.bound.round(4).tolist()
        ([0.05], [0.4918])
    """
    game = as_game(game)
    labels, lam = reference_labels(game, reference), check_number("rationality", rationality, 0, infinite=True)
    true = estimation_error(game, labels)
    eps = true if epsilon_u is None else check_numbers("epsilon_u", epsilon_u, 0, shape=true.shape)
    return make_bound(
        "Proposition 2",
        hypothesis="estimates after C* are within eps_u of the truth, actions of a cell available in all its states",
        numbers={"lambda": lam, "eps_u": eps},
        holds=(true <= eps) & _same_actions(game, labels),
        bound=_spread_of_error(lam, eps),
        measured=closeness(game, labels, lam),
        tolerance=ROUNDING,
        sense="at most",
    )


def corollary_1(
    game: PersuasionGame | UtilityTables, reference: Any, rationality: float, epsilon_u: Any, event: Event = "heard"
) -> Bound:
    """Estimates within eps_u except with probability rho: delta <= exp(4 lambda eps_u) - 1 + 2 rho (Corollary 1).

    Two corrections to 2509.15090. In the L1 norm of Definition 13 the exception counts 2 rho (rho is right for total
    variation). And the event must be one that the user can tell from her signal and what C* says: an accurate state in
    a cell with inaccurate ones may be pooled with these alone once another provider speaks, however rare they are.

    Args:
        game: B games of at most 6 states.
        reference: `[X]` or `[B, X]` labels of C*.
        rationality: lambda, at least 0.
        epsilon_u: the error of estimates that is allowed outside the exception, broadcast to `[B]`.
        event: "heard": rho is the probability of a (signal, cell) with a larger error in some state of it.
            "features": of a (signal, state) with a larger error, as in the paper; the hypothesis then holds only where
            both are the same.

    Returns:
        A `Bound` `[B]`, "at most", on `closeness` (the L1 norm).

    Raises:
        ValueError: if `reference` is no partition that can be posted, `event` is unknown, a number is negative, NaN or
            infinite (only `rationality` may be), or there are more than 6 states.

    Example:
        >>> import equilibrax as eq
        >>> rare = eq.from_integers(  # action 0 is worth 1/2 but in two rare states; action 1 always is
        ...     [[1, 1], [2, 1], [0, 1]], [[[0, 0]] * 3], prior=[98, 1, 1], resolution=2
        ... )
        >>> found = eq.theory.corollary_1(rare, [0, 0, 0], rationality=1e5, epsilon_u=0, event="features")
        >>> found.bound.round(2).tolist(), found.measured.round(2).tolist(), found.holds_hypothesis.tolist()
        ([0.04], [1.96], [False])
    """
    check_choice("event", event, get_args(Event))
    game = as_game(game)
    labels, lam = reference_labels(game, reference), check_number("rationality", rationality, 0, infinite=True)
    eps = check_numbers("epsilon_u", epsilon_u, 0, shape=(len(game),))
    weights = np.asarray(game.weights)
    beyond = (estimation_errors(game, labels) > eps[:, None, None]) & (weights > 0)
    together = labels[:, :, None] == labels[:, None, :]
    heard = (beyond[:, :, None] & together[:, None]).any(axis=3)
    chances = [(weights * wrong).sum(axis=(1, 2)) / game.total_weight for wrong in (beyond, heard)]
    rho = chances[1] if event == "heard" else chances[0]
    return make_bound(
        "Corollary 1",
        hypothesis="estimates within eps_u unless she hears an event of probability rho, actions as in Proposition 2",
        numbers={"lambda": lam, "eps_u": eps, "rho": rho},
        holds=(rho == chances[1]) & _same_actions(game, labels),
        bound=_spread_of_error(lam, eps) + 2 * rho,
        measured=closeness(game, labels, lam),
        tolerance=ROUNDING,
        sense="at most",
    )


def corollary_2(epsilon_u: Any, rationality: Any, limit: float = 0.25) -> Bound:
    """While lambda eps_u <= c, exp(4 lambda eps_u) - 1 is at most 4 lambda eps_u exp(4 c) (2509.15090, Corollary 2).

    Args:
        epsilon_u: errors of estimates, at least 0.
        rationality: lambda, at least 0, may be infinite.
        limit: c; 1/4 gives 4 e lambda eps_u.

    Returns:
        A `Bound`, "at most", on Proposition 2's delta.

    Raises:
        ValueError: if `limit` is not above 0, or a number is negative.

    Example:
        >>> import equilibrax as eq
        >>> found = eq.theory.corollary_2(0.01, rationality=10.0)
        >>> round(float(found.measured), 4), round(float(found.bound), 4)
        (0.4918, 1.0873)
    """
    limit = check_number("limit", limit, 0, above=True, infinite=True)
    eps, lambdas = check_numbers("epsilon_u", epsilon_u, 0), _rationality(rationality)
    with np.errstate(over="ignore", invalid="ignore"):
        product = np.where(eps == 0, 0.0, eps * lambdas)
        measured = np.expm1(4 * product)
        bound = np.where(product == 0, 0.0, 4 * product * np.exp(4 * limit))
    return make_bound(
        "Corollary 2",
        hypothesis="lambda eps_u <= c",
        numbers={"lambda": lambdas, "eps_u": eps, "c": limit},
        holds=product <= limit,
        bound=bound,
        measured=measured,
        tolerance=ROUNDING,
        sense="at most",
    )


def _spread_of_error(rationality: float, eps: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(eps == 0, 0.0, np.expm1(4 * rationality * eps))


def _same_actions(game: PersuasionGame, labels: np.ndarray) -> np.ndarray:
    return (allowed_in_cells(game, labels) == np.asarray(game.available)).all(axis=(1, 2))


def _beliefs(name: str, values: Any) -> np.ndarray:
    array = check_numbers(name, values)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name}: expected shape [..., A], got {list(array.shape)}")
    return array


def _rationality(rationality: Any) -> np.ndarray:
    return check_numbers("rationality", rationality, 0, infinite=True)


def _together(name: str, values: np.ndarray, beliefs: np.ndarray) -> tuple[int, ...]:
    """The shape of a number for each belief."""
    try:
        return np.broadcast_shapes(values.shape, beliefs.shape[:-1])
    except ValueError:
        shape = list(beliefs.shape[:-1])
        raise ValueError(f"{name}: expected a number or shape {shape}, got shape {list(values.shape)}") from None


def _log_softmax(beliefs: np.ndarray, lambdas: np.ndarray) -> np.ndarray:
    below = lambdas[..., None] * (beliefs - beliefs.max(axis=-1, keepdims=True))
    return below - np.log(np.exp(below).sum(axis=-1, keepdims=True))


def _softmax(beliefs: np.ndarray, lambdas: np.ndarray, exists: np.ndarray) -> np.ndarray:
    below = np.where(exists, beliefs, -np.inf) - np.where(exists, beliefs, -np.inf).max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        odds = np.where(below == 0, 1.0, np.where(exists, np.exp(lambdas[..., None] * below), 0.0))
    return odds / odds.sum(axis=-1, keepdims=True)
