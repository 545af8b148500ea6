"""Why a market may be aligned: many providers who each miss the user's utility by independent noise (Appendix A)."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from equilibrax._core.checks import check_number, check_whole, expect
from equilibrax.problems.tables import UtilityTables
from equilibrax.theory.bound import Bound, make_bound

_FEW_TABLES = 30  # fewer do not tell whether a family of providers is unbiased
_DEVIATIONS = 6.0  # standard errors that chance does not explain


def providers_needed(actions: int, outcomes: int, epsilon: float, failure: float) -> int:
    """How many noisy providers make a market eps-aligned with probability 1 - failure (2509.15090, Proposition 3).

    The smallest k > (ln(2 A Y) - ln(failure)) / (2 eps^2).

    Args:
        actions: A.
        outcomes: Y, the states of the world that utilities depend on.
        epsilon: eps, above 0, for utilities in [0, 1].
        failure: the probability with which the market may be less aligned, above 0 and at most 1.

    Raises:
        ValueError: if a number is out of range.

    Example:
        >>> import equilibrax as eq
        >>> eq.theory.providers_needed(actions=3, outcomes=3, epsilon=0.1, failure=0.05)
        295
    """
    check_whole("actions", actions, 1)
    check_whole("outcomes", outcomes, 1)
    epsilon, failure = (
        check_number(name, value, 0, 1, above=True) for name, value in (("epsilon", epsilon), ("failure", failure))
    )
    logs = math.log(2 * actions * outcomes) - math.log(failure)
    return math.floor(Fraction(logs) / (2 * Fraction(epsilon) ** 2)) + 1


def proposition_3(tables: UtilityTables, epsilon: float, failure: float) -> Bound:
    """How often the plain average of noisy providers is within eps of the user (2509.15090, Proposition 3).

    At least with probability 1 - failure, if providers are independent draws around the user's utility, all in [0, 1],
    and there are `providers_needed` of them. The tables are taken as draws from one family: the bound is on their
    share, and the tolerance what a share of so many draws misses with probability one in a million. Whether the
    providers are unbiased and independent is a property of the family; what is checked is that the tables do not
    contradict it: no provider's mean deviation, nor the mean product of two providers' deviations in a cell, is more
    than six standard errors from zero.

    Args:
        tables: at least 30 tables of a family.
        epsilon: eps, above 0.
        failure: above 0 and at most 1.

    Returns:
        A `Bound` on the share of the tables, a single number. Numbers: K, how many are needed, and the largest of the
        two statistics in standard errors.

    Raises:
        ValueError: if a number is out of range, or there are fewer than 30 tables.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.sample_tables("noisy", 500, states=2, actions=2, providers=9, seed=0)
        >>> share = eq.theory.proposition_3(tables, epsilon=0.4, failure=0.5)
        >>> bool(share.holds_hypothesis), float(share.bound), float(share.measured)
        (True, 0.5, 1.0)
    """
    expect("tables", tables, UtilityTables)
    count = len(tables)
    if count < _FEW_TABLES:
        raise ValueError(f"tables: expected at least {_FEW_TABLES} draws, got {count}")
    exists = np.asarray(tables.available)
    needed = providers_needed(int(exists.sum(axis=2).max()), tables.states, epsilon, failure)
    user = np.asarray(tables.user) / tables.resolution
    providers = np.asarray(tables.providers) / tables.resolution
    away = np.where(exists[:, None], providers - user[:, None], 0.0)  # [B, K, X, A]
    distance = np.abs(away.mean(axis=1)).max(axis=(1, 2))
    bias = _standard_errors(away.mean(axis=(2, 3)))
    pairs = (away.sum(axis=1) ** 2 - (away**2).sum(axis=1)).mean(axis=(1, 2))  # sum over i != j of products
    worst = max(float(bias.max()), float(_standard_errors(pairs)))
    inside = all(((u >= 0) & (u <= 1)).all() for u in (user, providers))
    return make_bound(
        "Proposition 3",
        hypothesis="more providers than needed, utilities in [0, 1], unbiased and independent as far as seen",
        numbers={"K": tables.num_providers, "needed": needed, "standard errors": worst},
        holds=tables.num_providers >= needed and inside and worst <= _DEVIATIONS,
        bound=1.0 - failure,
        measured=(distance <= epsilon).mean(),
        tolerance=math.sqrt(math.log(1e6) / (2 * count)),
    )


def _standard_errors(values: np.ndarray) -> np.ndarray:
    """The mean over draws (the first axis) in standard errors, without sign; 0 where nothing varies around 0."""
    mean, error = np.abs(values.mean(axis=0)), values.std(axis=0) / math.sqrt(len(values))
    return np.where(mean == 0, 0.0, mean / np.maximum(error, 1e-300))
