"""Time of a whole alignment curve against loops over other solvers, extrapolated from a sample in the same run.

    python benchmarks/curve_speed.py [--items 1000] [--raters 100] [--permutations 100] [--sample 300] [--quantize]

One call fits permutations x 5 folds x K = 1..raters, NNLS and simplex. The loops fit a random sample of the same
problems: `scipy.optimize.nnls` on the training rows, and DAQP on Gram matrices that are given to it for nothing (its
time is that of the solver's call alone), both NNLS and simplex. Samples are stratified over K. Peers and curve take
turns, and the least time of each counts.
"""

from __future__ import annotations

import argparse
import time
from ctypes import c_int

import daqp
import numpy as np
from equilibrax.alignment_curve import alignment_curve
from equilibrax.simulated_raters import simulate_raters
from scipy.optimize import nnls


def daqp_call(gram, moment, simplex: bool):
    """`(seconds, weights)` of `min w'Gw / 2 - m'w` over w >= 0, on the simplex if wanted."""
    size = len(moment)
    upper, lower = np.full(size, 1e30), np.zeros(size)
    rows = np.ones((1, size)) if simplex else np.zeros((0, size))
    upper, lower = (np.append(bound, 1.0) if simplex else bound for bound in (upper, lower))
    sense = np.array([0] * size + [5] * simplex, c_int)
    gram, linear = np.ascontiguousarray(gram), -np.ascontiguousarray(moment)
    start = time.perf_counter()
    weights = daqp.solve(gram, linear, rows, upper, lower, sense)[0]
    return time.perf_counter() - start, weights


def sample(curve, matrix, count: int, rng):
    """Per fit, seconds of scipy's NNLS and of DAQP's NNLS and simplex, over a stratified sample of problems."""
    raters, target = matrix.ratings, matrix.targets[:, 0]
    seconds, worst = np.zeros(3), 0.0
    for i in range(count):
        size = 1 + int((i + rng.random()) / count * matrix.num_raters)
        order = curve.orders[rng.integers(len(curve.orders))][:size]
        train = curve.fold_of != rng.integers(curve.folds)
        columns, wanted = np.ascontiguousarray(raters[train][:, order]), target[train]
        gaps = columns - wanted[:, None]
        start = time.perf_counter()
        weights = nnls(columns, wanted)[0]
        seconds[0] += time.perf_counter() - start
        took, other = daqp_call(columns.T @ columns, columns.T @ wanted, False)
        seconds[1] += took
        seconds[2] += daqp_call(gaps.T @ gaps, np.zeros(size), True)[0]
        errors = [((columns @ w - wanted) ** 2).sum() for w in (weights, other)]
        worst = max(worst, abs(errors[0] - errors[1]))
    return seconds / count, worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("items", 1000), ("raters", 100), ("permutations", 100), ("sample", 300), ("repeat", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--quantize", action="store_true")
    parser.add_argument("--kind", default="systematic")
    given = parser.parse_args()
    matrix = simulate_raters(given.kind, given.items, given.raters, seed=0, quantize=given.quantize)
    options = {"permutations": given.permutations, "methods": ("nnls", "simplex")}
    start = time.perf_counter()
    curve = alignment_curve(matrix, **options)
    first, runs, peers = time.perf_counter() - start, [], []
    for repeat in range(given.repeat):
        start, cpu = time.perf_counter(), time.process_time()
        alignment_curve(matrix, **options)
        runs.append((time.perf_counter() - start, time.process_time() - cpu))
        each, worst = sample(curve, matrix, given.sample // given.repeat, np.random.default_rng(repeat))
        peers.append(each)
    fits = given.permutations * curve.folds * given.raters
    run, (scipy, daqp_nnls, daqp_simplex) = min(runs)[0], np.min(peers, axis=0) * fits
    print(f"{2 * fits:,} fits, refined {curve.refined}, largest KKT residual {np.nanmax(curve.kkt_residual):.1e}")
    print(f"curve: first call {first:.2f} s, then {run:.2f} s ({min(cpu for _, cpu in runs):.2f} s of processor)")
    print(
        f"scipy nnls {scipy:.1f} s, DAQP nnls {daqp_nnls:.1f} s, DAQP simplex {daqp_simplex:.1f} s (worst {worst:.0e})"
    )
    print(
        f"times faster: than scipy nnls + DAQP simplex {(scipy + daqp_simplex) / run:.0f}, "
        f"with compilation {(scipy + daqp_simplex) / first:.0f}; than DAQP for both "
        f"{(daqp_nnls + daqp_simplex) / run:.1f}, with compilation {(daqp_nnls + daqp_simplex) / first:.1f}"
    )


if __name__ == "__main__":
    main()
