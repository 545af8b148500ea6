"""jaxnnls, an interior-point method for non-negative least squares in JAX: all prefixes of a fold at once.

It solves one size at a time, so raters that are not in a prefix have the identity for a Gram matrix, and weight zero.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)  # before it is imported, which chooses its tolerance by that

from bench.data import Data  # noqa: E402
from bench.engines import Run, _fits  # noqa: E402
from bench.workloads import Workload  # noqa: E402

jaxnnls: Any = import_module("jaxnnls")
FIRST = 64


def prepare(workload: Workload, data: Data) -> Run:
    within = np.tril(np.ones((workload.providers, workload.providers)))

    @jax.jit
    @jax.vmap
    def solve(gram: Any, moment: Any, present: Any) -> Any:
        both = present[:, None] * present
        return jaxnnls.solve_nnls(gram * both + np.eye(len(gram)) * (1 - present), moment * present)[0]

    def fit_prefixes(fold: _fits.Fold, order: np.ndarray) -> np.ndarray:
        # Sums over rows and not means, since its tolerance is absolute.
        gram, moment = fold.gram[np.ix_(order, order)], fold.moment[order]
        repeated = (np.broadcast_to(given, (len(order), *given.shape)) for given in (gram, moment))
        return np.asarray(solve(*repeated, within)) * within

    return _fits.loop(workload, data, fit_prefixes)
