"""What the LP engines share: rows of the misalignment LP for many tables at once, in unit scale.

Variables are (w, c, eps) with w, eps >= 0. Every outcome r bounds the fit from above and from below:

    w.u(r) + c - eps <= u_0(r)        -w.u(r) - c - eps <= -u_0(r)

The user's utilities are shifted and scaled to [0, 1] per table, and the providers' by the same: DAQP's tolerances are
absolute. A score is taken from the weights that a solver found, `eps = max(0, max d - min d) / 2` with
`d = u_0 - w.u`, so it is attained exactly; that is cheap, and the same for all. Building and scaling are on the clock,
vectorized over blocks of tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bench.answers import Answer
from bench.data import RESOLUTION, Data
from bench.engines import Run

_BLOCK = 1024


class Programs(NamedTuple):
    """N linear programs: minimize the last variable subject to `matrix @ (w, c, eps) <= bound`.

    Attributes:
        matrix: `[N, 2 R, K + 2]`.
        bound: `[N, 2 R]`.
    """

    matrix: np.ndarray
    bound: np.ndarray


def loop(data: Data, solve_block: Callable[[Programs], np.ndarray]) -> Run:
    """A run that builds programs block by block, and takes scores from the weights `[N, K]` of `solve_block`."""
    tables, players = data.utilities.shape[:2]
    flat = data.utilities.reshape(tables, players, -1)

    def run(count: int) -> Answer:
        scores = []
        for start in range(0, count, _BLOCK):
            utilities = flat[start : min(start + _BLOCK, count)] / RESOLUTION
            low = utilities[:, 0].min(axis=1)[:, None, None]
            unit = np.ptp(utilities[:, 0], axis=1)[:, None, None]
            scaled = (utilities - low) / np.where(unit > 0, unit, 1.0)
            weights = np.maximum(solve_block(programs(scaled)), 0.0)
            residual = scaled[:, 0] - np.matmul(weights[:, None], scaled[:, 1:])[:, 0]
            scores.append(np.ptp(residual, axis=1) / 2 * unit[:, 0, 0])
        return {"misalignment": np.concatenate(scores)}

    return run


def programs(utilities: np.ndarray) -> Programs:
    """Programs of `[N, K + 1, R]` utilities."""
    count, players, rows = utilities.shape
    matrix = np.empty((count, 2 * rows, players + 1))
    matrix[:, :rows, : players - 1] = utilities[:, 1:].transpose(0, 2, 1)
    matrix[:, :rows, players - 1] = 1.0
    np.negative(matrix[:, :rows], out=matrix[:, rows:])
    matrix[:, :, players] = -1.0
    return Programs(matrix, np.concatenate([utilities[:, 0], -utilities[:, 0]], axis=1))
