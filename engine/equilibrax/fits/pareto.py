"""Efficiency of outcomes, with proofs: batched programs, whole numbers where those leave doubt, HiGHS for what is left.

An outcome is efficient iff there are weights `w > 0` whose sum of payoffs it maximizes. What is reported is proved:

- *efficient* by such weights, with every row apart from rounding errors, or else on integers;
- *not even weakly efficient* by a lottery that gives every agent more than rounding errors;
- all others are decided on integers, from the last basis of the batched program;
- *the gap* by a lottery that attains it and weights that bound it, no further apart than a tolerance; if they are, by
  HiGHS, and its answer is proved in the same way.

Letters: G problems, L outcomes, N agents, S cells, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from equilibrax.fits._pareto_lanes import Lanes, fitted, solver_for

MAX_PAYOFF = 2**50
"""Payoffs are smaller in size, summed over the cells, so that floating point holds them without error."""

_NUMBERS = 1 << 22  # of payoffs that are held at a time


@dataclass(frozen=True)
class ParetoFits:
    """Of L outcomes, whether they are efficient, the proof, and what is lost.

    Attributes:
        efficient: `[L]` no lottery is at least as good for every agent and better for one.
        weakly_efficient: `[L]` no lottery is better for every agent.
        gap: `[L]` the most that a lottery gives every agent beyond the outcome, in its unit; 0 where it is
            weakly efficient.
        slack: `[L]` the bound that the weights prove for the gap, minus the gap that the lottery attains.
        weights: `[L, N]` of payoffs in units, with sum 1; 0 for those who take no part. Where the outcome is efficient
            they are positive, it maximizes the weighted sum, and of all such weights these have the largest least one;
            where it is weakly efficient some are 0; elsewhere they prove the gap.
        lottery: `[L, S, A]` one that dominates the outcome: it attains the gap, or if that is 0 it is better for some
            agent; NaN where the outcome is efficient.
        certified: `[L]` whether the gap is proved; the two answers always are.
        exact: how many outcomes were decided on integers.
        resolved: how many gaps were found by HiGHS.
    """

    efficient: Bool[np.ndarray, " L"]
    weakly_efficient: Bool[np.ndarray, " L"]
    gap: Float[np.ndarray, " L"]
    slack: Float[np.ndarray, " L"]
    weights: Float[np.ndarray, "L N"]
    lottery: Float[np.ndarray, "L S A"]
    certified: Bool[np.ndarray, " L"]
    exact: int
    resolved: int


def pareto_fits(
    payoffs: Num[np.ndarray, "G N S A"],
    available: Bool[np.ndarray, "G S A"],
    *,
    actions: Int[np.ndarray, "L S"] | None = None,
    lottery: Float[np.ndarray, "L S A"] | None = None,
    problem: Int[np.ndarray, " L"] | None = None,
    member: Bool[np.ndarray, "L N"] | None = None,
    unit: Any = 1.0,
    backend: Literal["auto", "xla", "cpu"] = "auto",
    devices: Sequence[Any] | None = None,
) -> ParetoFits:
    """Whether outcomes are efficient among all lotteries over actions in every cell (Pareto; Negishi 1960).

    An agent's payoff from an outcome is the sum over cells. In a table cells are the states, with payoffs times the
    prior's weights; a game in normal form has one cell, whose actions are the profiles, and lotteries are correlated.

    Args:
        payoffs: `[G, N, S, A]` whole numbers.
        available: `[G, S, A]` which actions exist, at least one in every cell.
        actions: `[L, S]` outcomes that take an action in every cell; or
        lottery: `[L, S, A]` probabilities, with sum 1 in every cell.
        problem: `[L]` whose outcome it is; default, that of the same number.
        member: `[L, N]` which agents count, at least one; default, all.
        unit: `[G, N]` or anything that broadcasts, positive: the agents' units, in whole numbers of payoffs.
        backend, devices: as in `equilibrax.solve`.

    Raises:
        ValueError: on payoffs that are no whole numbers or too large, an outcome that takes an action that does not
            exist, or a unit that is not positive.

    Example:
        >>> import numpy as np
        >>> both = np.array([[3, 0, 5, 1], [3, 5, 0, 1]])  # prisoners' dilemma: both silent, ..., both talk
        >>> games, every = both[None, :, None], np.ones((1, 1, 4), bool)
        >>> found = pareto_fits(games, every, actions=np.array([[0], [3]]), problem=np.array([0, 0]))
        >>> found.efficient.tolist(), found.gap.tolist(), found.weights[0].tolist(), found.lottery[1].tolist()
        ([True, False], [0.0, 2.0], [0.5, 0.5], [[1.0, 0.0, 0.0, 0.0]])
    """
    payoffs, available = np.asarray(payoffs), np.asarray(available)
    games, agents, cells, choices = payoffs.shape
    largest = np.where(available[:, None], np.abs(payoffs), 0).max(axis=3).sum(axis=2).max(initial=0)
    if payoffs.dtype.kind not in "iu" or largest >= MAX_PAYOFF:
        raise ValueError(f"payoffs: expected whole numbers, below 2**50 in sum, got {payoffs.dtype} up to {largest:,}")
    if (actions is None) == (lottery is None):
        raise ValueError("actions: expected them, or a lottery, got " + ("neither" if actions is None else "both"))
    outcomes = np.asarray(actions if lottery is None else lottery)
    problem = np.arange(len(outcomes)) if problem is None else np.asarray(problem)
    member = np.ones((len(outcomes), agents), bool) if member is None else np.asarray(member)
    unit = np.broadcast_to(np.asarray(unit, float), (games, agents))
    wrong = ~(np.isfinite(unit) & (unit > 0))
    if wrong.any():
        raise ValueError(f"unit: expected positive numbers, got {unit[wrong][0]}")
    solver = solver_for(backend, devices)
    lowest = np.iinfo(np.int64).min
    high, low = (np.where(available[:, None], sign * payoffs, lowest).max(axis=3).sum(axis=2) for sign in (1, -1))
    spread = np.where(high + low > 0, (high + low).astype(float), unit)
    step, pieces = max(1, _NUMBERS // (agents * cells * choices)), []
    for start in range(0, len(outcomes), step):
        here, of = slice(start, start + step), problem[start : start + step]
        if not _exist(available[of], outcomes[here]).all():
            raise ValueError("actions: expected actions that exist, got an outcome with another")
        pieces.append(
            fitted(Lanes.of(payoffs[of], available[of], outcomes[here], member[here], unit[of], spread[of]), solver)
        )
    if not pieces:
        no, none = np.zeros(0, bool), np.zeros(0)
        nothing = np.zeros((0, agents)), np.zeros((0, cells, choices))
        return ParetoFits(no, no, none, none, *nothing, certified=no, exact=0, resolved=0)
    joined: dict[str, Any] = {}
    for name in pieces[0]:
        parts = [piece[name] for piece in pieces]
        joined[name] = sum(parts) if name in ("exact", "resolved") else np.concatenate(parts)
    return ParetoFits(**joined)


def _exist(available: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Whether outcomes take only actions that exist."""
    if outcomes.ndim == 3:
        return available | (outcomes <= 0)
    inside = (outcomes >= 0) & (outcomes < available.shape[2])
    return inside & np.take_along_axis(available, np.where(inside, outcomes, 0)[..., None], axis=2)[..., 0]
