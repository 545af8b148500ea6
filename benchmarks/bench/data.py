"""The tables of a workload: drawn once by the harness, read by every engine, equal on every common prefix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from bench.workloads import Workload

RESOLUTION = 10_000
SCALE = 100
"""Answers of raters and of the user of a curve are whole numbers from 0 to this."""


@dataclass(frozen=True)
class Data:
    """B tables as plain integers, all actions available.

    A market is `USERS` tables one after the other. A curve is one table, whatever the number of permutations: what
    the user and K raters say of I items, which are its states.

    Attributes:
        utilities: `[B, K + 1, X, A]` int32, the user first; of bimatrix games `[B, 2, A, A]`, row player first; of
            curves `[1, K + 1, I, 1]`, from 0 to SCALE.
        prior: `[B, X]` int32.
    """

    utilities: Int[np.ndarray, "B P X A"]
    prior: Int[np.ndarray, "B X"]

    def contributions(self, count: int | None = None) -> np.ndarray:
        """`[B, K + 1, X, A]` int32, `p(x) u_p(a, x)`; checked to leave room for sums."""
        part = np.asarray(self.utilities[:count]).astype(np.int64) * self.prior[:count, None, :, None]
        if np.abs(part).max(axis=3).sum(axis=2).max() >= 2**30:
            raise ValueError("utilities: expected values of schemes below 2**30")
        return np.ascontiguousarray(part, np.int32)


def draw(workload: Workload, seed: int, count: int | None = None) -> Data:
    """The first `count` tables of a workload (default: all of them); of a curve, its one table."""
    count = workload.tables if count is None else count
    if workload.kind == "bimatrix":
        rng = np.random.default_rng(seed)
        size = (count, 2, workload.actions, workload.actions)
        # Few values, so that ties occur: equilibria in weakly best responses count.
        return Data(rng.integers(0, 20, size, dtype=np.int32), np.ones((count, 1), np.int32))
    from equilibrax import load_paper_table, sample_tables
    from equilibrax.problems.slots import prepare
    from equilibrax.raters import simulate_raters

    if workload.kind.startswith("curve"):
        raters = simulate_raters(workload.family, workload.states, workload.providers, seed=seed, quantize=True)
        answers = np.rint(SCALE * np.concatenate([raters.targets, raters.ratings], axis=1)).astype(np.int32)
        return Data(np.ascontiguousarray(answers.T)[None, :, :, None], np.ones((1, workload.states), np.int32))
    if workload.family == "movielens":
        prepared = prepare(load_paper_table("movielens"))
        if not np.asarray(prepared.available).all():
            raise ValueError("movielens: expected as many actions in every state")
        return Data(
            np.repeat(np.asarray(prepared.utilities), count, axis=0),
            np.repeat(np.asarray(prepared.prior), count, axis=0),
        )
    sizes = {"states": workload.states, "actions": workload.actions, "providers": workload.providers}
    tables = sample_tables(workload.family, count, **sizes, seed=seed, resolution=RESOLUTION)
    utilities = np.concatenate([np.asarray(tables.user)[:, None], np.asarray(tables.providers)], axis=1)
    return Data(utilities, np.asarray(tables.prior))


def save(data: Data, folder: Path) -> None:
    """Write what `load` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "utilities.npy", data.utilities)
    np.save(folder / "prior.npy", data.prior)


def load(folder: Path) -> Data:
    """Tables of `save`."""
    return Data(np.load(folder / "utilities.npy"), np.load(folder / "prior.npy"))
