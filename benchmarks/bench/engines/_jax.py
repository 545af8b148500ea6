"""Pure equilibria of bimatrix games in JAX: ours, so that general solvers of games have something to stand beside.

equilibrax has no solver of bimatrix games; these two lines are what it would be.
"""

from __future__ import annotations

import jax
import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.workloads import Workload

FIRST = None


@jax.jit
def pure_equilibria(payoffs: jax.Array) -> jax.Array:
    """`[B, 2, A, A]` payoffs, row player first: which pairs of actions are mutual best responses."""
    row, column = payoffs[:, 0], payoffs[:, 1]
    return (row == row.max(axis=1, keepdims=True)) & (column == column.max(axis=2, keepdims=True))


def prepare(workload: Workload, data: Data) -> Run:
    def run(count: int) -> Answer:
        return {"pure": np.asarray(pure_equilibria(data.utilities[:count]))}

    return run
