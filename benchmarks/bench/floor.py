"""The least time a workload could take on this machine: what must be moved and computed, over measured rates.

Bytes per table: the utilities in (4 bytes each) and the results out (8 bytes each); over the rate at which large arrays
are copied, reads and writes both counted.

Integer operations per table, over the rate of 32-bit additions that all cores reach in cache (vectorized; so a floor of
100 % would take every operation below at full vector width, which sorting does not allow):

- all S schemes of K providers: `S (K + 1)` additions, `S log2 S` comparisons of a sort, `2 S K` comparisons and maxima
  of the scan, `S` for the cells;
- the frontier: the same with `M_x` candidates in place of S, summed over states x; `M_x` is A times the number of
  partial schemes that were kept before, measured on some of the tables;
- the less of the two, and `2 K 2**K` for the committees; dynamics: `M K` more for best responses, with the last M;
- the joint game: `3**X / 2` pairs of a cell and the rest of a set for every provider, and the same over X - 1 states
  for each of the three programs (worst, best, number) of every committee, one operation each. That is what dense
  programs do; one that skips unstable cells does less, and may come below this "floor";
- misalignment: every pivot of a simplex passes twice over the `R` outcomes in K + 1 multiply-adds, and at least
  K + 1 pivots;
- a bimatrix game: a comparison for the maximum and one for equality per payoff;
- a personalized game: selection and dynamics of the user's table;
- a permutation of a curve: in every fold the weights change at least as often as there are weights in the fit on all K
  raters, P, and with s of them not zero the gradients of K raters and the errors of R = min(I / 5, K + 1) rows (the
  triangular factor of the held-out ones) are sums of s products: `2 s (K + R)` for s = 1..P, in doubles, which count as
  one operation each. P is measured, on Gram matrices, which are free. Bytes: the answers of all raters once for all
  permutations, and three numbers (error, weights, optimality) per K out;
- a sweep: its selection, dynamics and misalignment (with all committees); figures of one: its rows;
- a command has none.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bench.data import Data, draw
from bench.machine import cores
from bench.workloads import FOLDS, Workload

_SAMPLE = 4  # tables on which the frontier is measured


def measure_rates(small: bool = False) -> dict[str, float]:
    """Copied bytes (read and written) and 32-bit integer additions per second, all cores together.

    Args:
        small: for a quick run: arrays too small to be exact.
    """
    threads = cores()
    size = (1 << 22) if small else (1 << 26)
    sources = [np.ones(size // threads, np.uint8) for _ in range(threads)]
    copies = [np.empty_like(source) for source in sources]
    terms = [np.ones(1 << 14, np.int32) for _ in range(threads)]
    sums = [np.zeros(1 << 14, np.int32) for _ in range(threads)]
    repeats = 16 if small else 2048

    def copy(thread: int) -> None:
        np.copyto(copies[thread], sources[thread])

    def add(thread: int) -> None:
        for _ in range(repeats):
            np.add(sums[thread], terms[thread], out=sums[thread])

    with ThreadPoolExecutor(threads) as pool:

        def fastest(work) -> float:
            times = []
            for _ in range(7):
                started = time.perf_counter()
                list(pool.map(work, range(threads)))
                times.append(time.perf_counter() - started)
            return min(times)

        moved = 2 * len(sources[0]) * threads / fastest(copy)
        added = repeats * len(terms[0]) * threads / fastest(add)
    return {"bytes_per_second": moved, "adds_per_second": added}


def per_table(workload: Workload, data: Data, rates: dict[str, float]) -> dict[str, float]:
    """`bytes`, `operations` and least `seconds` per table."""
    moved, computed = bytes_moved(workload), operations(workload, data)
    seconds = max(moved / rates["bytes_per_second"], computed / rates["adds_per_second"])
    return {"bytes": moved, "operations": computed, "seconds": seconds}


def bytes_moved(workload: Workload) -> float:
    """Utilities in, results out, per table."""
    cells = workload.states * workload.actions
    if workload.kind.startswith("command"):
        return 0.0
    if workload.kind == "bimatrix":
        return 4.0 * 2 * workload.actions**2 + workload.actions**2
    utilities = 4.0 * (workload.providers + 1) * cells
    if workload.kind.startswith("curve"):
        return utilities / workload.tables + 8.0 * 3 * workload.providers
    if workload.kind == "misalignment":
        return utilities + 8.0 * (workload.providers + 3)
    per_committee = {"selection": 2, "joint": 2, "joint-quantal": 2, "dynamics": 4, "personalized": 4}.get(
        workload.kind, 7
    )
    return utilities + 8.0 * per_committee * (2**workload.providers - 1)


def operations(workload: Workload, data: Data) -> float:
    """Integer operations per table."""
    k = workload.providers
    if workload.kind == "bimatrix":
        return 4.0 * workload.actions**2
    if workload.kind == "misalignment":
        return _fit_operations(workload)
    if workload.kind.startswith("curve"):
        return _curve_operations(workload, data)
    if workload.kind.startswith("joint"):
        return 0.5 * 3.0**workload.states * k + 3 * (2**k - 1) * 0.5 * 3.0 ** (workload.states - 1)
    if workload.kind.startswith("command"):
        return 0.0
    if len(data.prior) < _SAMPLE:
        data = draw(workload, 0, _SAMPLE)
    dense = listed(workload.schemes, k) if workload.schemes <= 2**20 else math.inf
    sizes = candidates(data.contributions(_SAMPLE))
    frontier = sum(listed(size, k) for size in sizes)
    least, last = (dense, workload.schemes) if dense <= frontier else (frontier, sizes[-1])
    total = least + 2.0 * k * 2**k
    if workload.kind not in ("selection", "solve"):
        total += last * k
    if workload.kind in ("sweep", "solve", "sweep-memory"):
        total += (2**k - 1) * _fit_operations(workload)
    return total


def _fit_operations(workload: Workload) -> float:
    return 2.0 * (workload.providers + 1) ** 2 * 2 * workload.states * workload.actions


def _curve_operations(workload: Workload, data: Data) -> float:
    from equilibrax.fits.scaling import refine  # here, for workers, which import the package of any revision

    from bench.engines._fits import folds_of, raters_of

    k, simplex = workload.providers, workload.kind == "curve-simplex"
    rows, total = min(workload.states // FOLDS, k + 1), 0.0
    for fold in folds_of(raters_of(data)):
        gram, moment = (fold.gaps, np.zeros(k)) if simplex else (fold.gram, fold.moment)
        weights, _ = refine(gram, moment, np.ones(k, bool), "simplex" if simplex else "nonnegative")
        positive = int((weights > 0).sum())
        total += (k + rows) * positive * (positive + 1)
    return total


def listed(schemes: float, providers: int) -> float:
    """Operations on a list of so many schemes: values, sort, scan, cells."""
    return schemes * ((providers + 1) + math.log2(max(schemes, 2)) + 2 * providers + 1)


def candidates(contributions: np.ndarray) -> list[float]:
    """Mean number of candidates at every state of the frontier, over `[B, K + 1, X, A]` tables."""
    return np.mean([_candidates(table) for table in contributions], axis=0).tolist()


def _candidates(table: np.ndarray) -> list[int]:
    players, states, _ = table.shape
    values, sizes = np.zeros((players, 1), np.int64), []
    for x in range(states):
        values = (values[:, :, None] + table[:, x, None, :]).reshape(players, -1)
        values = np.unique(values, axis=1)  # merged, and sorted by the user's value
        sizes.append(values.shape[1])
        user = values[0]
        # The largest v_j among strictly larger v_0: a running maximum from the end, read behind one's own run.
        above = np.maximum.accumulate(values[1:, ::-1], axis=1)[:, ::-1]
        behind = np.searchsorted(user, user, side="right")
        threat = np.concatenate([above, np.full((players - 1, 1), np.iinfo(np.int64).min)], axis=1)[:, behind]
        values = values[:, (values[1:] >= threat).any(axis=0)]
    return sizes
