"""The independent oracle of efficiency: linear programs by HiGHS, and rules compared one by one in integers.

Straight from the definitions (Pallavi Sudhir and Tran-Thanh, "Economic models of alignment", Section 1): agents'
payoffs from an outcome, and whatever lotteries over actions in every cell could give them instead. Nothing is shared
with the package.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import linprog


def gap(payoffs: np.ndarray, available: np.ndarray, achieved: np.ndarray, unit: np.ndarray) -> float:
    """The largest d such that some lottery gives every agent `achieved + d unit`.

    Args:
        payoffs: `[N, S, A]`; available: `[S, A]`; achieved, unit: `[N]`.
    """
    agents = len(payoffs)
    cell, action = np.nonzero(available)
    given = payoffs[:, cell, action]
    found = linprog(
        np.append(np.zeros(len(cell)), -1.0),
        A_ub=np.concatenate([-given, np.asarray(unit, float).reshape(agents, 1)], axis=1),
        b_ub=-np.asarray(achieved, float),
        A_eq=np.concatenate([np.eye(len(available))[:, cell], np.zeros((len(available), 1))], axis=1),
        b_eq=np.ones(len(available)),
        bounds=[(0, None)] * len(cell) + [(None, None)],
        method="highs",
    )
    assert found.success, found.message
    return -found.fun


def least_weight(payoffs: np.ndarray, available: np.ndarray, held: np.ndarray, unit: np.ndarray) -> float | None:
    """The largest t such that weights of payoffs in units, of sum 1 and at least t, make the held actions best in every
    cell; None if no weights that are not negative do.

    Args:
        held: `[S, A]`, the actions that the outcome takes.
    """
    agents, rows = len(payoffs), []
    scaled = payoffs / np.asarray(unit, float).reshape(agents, 1, 1)
    for s, a in zip(*np.nonzero(held)):
        rows += [scaled[:, s, b] - scaled[:, s, a] for b in np.flatnonzero(available[s])]
    better = np.concatenate([np.array(rows), np.zeros((len(rows), 1))], axis=1)
    least = np.concatenate([-np.eye(agents), np.ones((agents, 1))], axis=1)
    found = linprog(
        np.append(np.zeros(agents), -1.0),
        A_ub=np.concatenate([better, least]),
        b_ub=np.zeros(len(better) + agents),
        A_eq=np.append(np.ones(agents), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * agents + [(None, None)],
        method="highs",
    )
    return -found.fun if found.success else None


def dominating_gain(payoffs: np.ndarray, available: np.ndarray, achieved: np.ndarray) -> float:
    """The most that a lottery which is at least as good for every agent gives them more, summed; 0 iff efficient."""
    cell, action = np.nonzero(available)
    given = payoffs[:, cell, action]
    found = linprog(
        -given.sum(axis=0),
        A_ub=-given,
        b_ub=-np.asarray(achieved, float),
        A_eq=np.eye(len(available))[:, cell],
        b_eq=np.ones(len(available)),
        bounds=(0, None),
        method="highs",
    )
    assert found.success, found.message
    return -found.fun - float(np.sum(achieved))


def dominated(own: Sequence[int], others: Iterable[Sequence[int]], tolerance: float = 0) -> tuple[bool, bool]:
    """Whether one of the others is at least as good for every agent and better for one, and whether one is for all."""
    some = every = False
    for other in others:
        better = [o > v + tolerance for o, v in zip(other, own)]
        some |= any(better) and all(o >= v - tolerance for o, v in zip(other, own))
        every |= all(better)
    return some, every


def scheme_values(payoffs: np.ndarray, available: np.ndarray) -> list[tuple[int, ...]]:
    """What every choice of one action per cell gives the agents `[N, S, A]`, in integers."""
    choices = itertools.product(*(np.flatnonzero(row).tolist() for row in available))
    return [tuple(sum(int(p[s, a]) for s, a in enumerate(choice)) for p in payoffs) for choice in choices]


def aligned_after_losses(
    scores: dict[int, float], providers: int, tolerance: float
) -> tuple[int, list[tuple[float, list[int]]]]:
    """From scores of committees by bitmask: the largest k such that every committee of all but k providers has a score
    within the tolerance, and so has every larger one, -1 if all together do not; and of each k the largest score with
    the committees of those who leave.
    """
    everybody, worst = (1 << providers) - 1, []
    for k in range(providers):
        leaving = [sum(1 << j for j in some) for some in itertools.combinations(range(providers), k)]
        most = max(scores[everybody & ~gone] for gone in leaving)
        worst.append((most, [gone for gone in leaving if scores[everybody & ~gone] == most]))
    held = [most <= tolerance for most, _ in worst]
    return (held.index(False) if False in held else providers) - 1, worst
