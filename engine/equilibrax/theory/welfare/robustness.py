"""How many providers a market can lose and stay aligned, and which it would miss most.

Letters: B tables, K providers, C committees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from equilibrax._core.checks import as_array, check_number
from equilibrax.games import SelectionResult

ALIGNED = 1e-6
"""A market whose misalignment is no more than this is aligned, by default: scores are certified to 1e-9 of the range of
the user's utilities."""


@dataclass(frozen=True)
class Robustness:
    """What every committee of every table can lose; committees are those of bitmasks 1 to 2**K - 1, in order.

    Attributes:
        losses: `[B, C]` int64, the largest k such that the committee is aligned after any k of its members leave, and
            after any fewer; one always stays. -1 if it is not aligned with all of them, or was not solved.
        scores: `[B, C, K]` the largest misalignment after k = 0, 1, .. members leave; NaN where no more can leave.
        leaving: `[B, C, K]` int32 bitmasks, whose leaving makes it so large: of several the first that comes by taking
            the lowest member that may go; -1 where no more can leave.
        tolerance: what counts as aligned.

    Example:
        >>> import equilibrax as eq
        >>> found = eq.theory.robustness(eq.solve(eq.load_paper_table("synthetic-2")))
        >>> found.losses[0, -1].item(), found.scores[0, -1].round(3).tolist(), bin(found.leaving[0, -1, 3])
        (0, [0.0, 0.07, 0.07, 0.07, 0.41], '0b111')
    """

    losses: Int[np.ndarray, "B C"]
    scores: Float[np.ndarray, "B C K"]
    leaving: Int[np.ndarray, "B C K"]
    tolerance: float


def robustness(result: SelectionResult | Any, tolerance: float = ALIGNED) -> Robustness:
    """The largest k such that a market stays aligned after any k providers leave, for every committee at once.

    Scores need not fall as a committee grows (for one provider, or where ties go to the lowest index), so all
    committees of every smaller size are looked at.

    Args:
        result: of the selection game with misalignment, for all committees; or `[B, 2**K - 1]` scores of committees by
            bitmask, from wherever, NaN where there is none.
        tolerance: the largest misalignment that counts as aligned, in units of utility.

    Raises:
        ValueError: if committees are missing, there are no scores, or the tolerance is no number of at least 0.

    Example:
        >>> robustness(np.array([[0.2, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0]])).losses.tolist()
        [[-1, 0, 0, -1, 0, 0, 1]]
    """
    tolerance = check_number("tolerance", tolerance, 0)
    scores = _scores(result)
    tables, count = scores.shape
    providers = int(count + 1).bit_length() - 1
    masks = np.arange(count + 1)
    with_none = np.concatenate([np.full((tables, 1), np.nan), scores], axis=1)
    members = masks[:, None] >> np.arange(providers) & 1 == 1  # [2**K, K]
    worst = np.full((tables, count + 1, providers), np.nan)
    left = np.full((tables, count + 1, providers), -1, np.int64)
    worst[:, :, 0], left[:, 1:, 0] = with_none, masks[1:]
    for k in range(1, providers):
        some = np.flatnonzero(members.sum(axis=1) > k)
        best, kept = np.full((tables, len(some)), -np.inf), np.full((tables, len(some)), -1, np.int64)
        for j in range(providers):
            without = some & ~(1 << j)
            larger = members[some, j] & ~np.isnan(best) & ~(worst[:, without, k - 1] <= best)  # NaN stays
            best = np.where(larger, worst[:, without, k - 1], best)
            kept = np.where(larger, left[:, without, k - 1], kept)
        worst[:, some, k], left[:, some, k] = best, kept
    aligned = worst <= tolerance
    losses = np.cumprod(aligned, axis=2).sum(axis=2) - 1
    leaving = np.where(left >= 0, masks[:, None] & ~left, -1)
    return Robustness(losses[:, 1:], worst[:, 1:], leaving[:, 1:].astype(np.int32), tolerance)


def _scores(result: Any) -> Float[np.ndarray, "B C"]:
    if isinstance(result, SelectionResult):
        if result.misalignment is None:
            raise ValueError("result: expected a game whose misalignment is computed, got none")
        everyone = 2**result.tables.num_providers - 1
        if result.committees.tolist() != list(range(1, everyone + 1)):
            raise ValueError(f"result: expected all {everyone} committees, got {len(result.committees)}")
        return result.misalignment
    scores = as_array("result", result)
    if scores.ndim != 2 or scores.dtype.kind not in "fiu" or scores.shape[1] & (scores.shape[1] + 1):
        raise ValueError(
            "result: expected a result of the selection game, or [B, 2**K - 1] scores, got "
            f"{type(result).__name__} of shape {list(scores.shape)}"
        )
    return scores.astype(float)
