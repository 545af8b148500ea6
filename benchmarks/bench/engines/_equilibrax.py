"""equilibrax through its public API: from `UtilityTables` to NumPy results, on all devices of the process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import equilibrax as eq
import numpy as np

from bench.answers import Answer
from bench.commands import command, new_shapes
from bench.data import RESOLUTION, Data
from bench.engines import Run
from bench.engines._fits import SEED, raters_of
from bench.workloads import FOLDS, NEAR, RATIONALITY, USERS, Workload

FIRST = None

_SWEPT: dict[int, tempfile.TemporaryDirectory[str]] = {}
"""Sweeps that "plot-memory" draws, by their number of tables: those of "sweep-memory" in this process, if it ran."""


def prepare(workload: Workload, data: Data, backend: eq.games.Backend = "auto") -> Run:
    if workload.kind.startswith("command"):
        return command(workload)
    if workload.kind == "plot-memory":
        return plot(workload)
    if workload.kind in ("sweep", "sweep-memory"):
        return lambda count: sweep(workload, count, backend)
    if workload.kind == "new-shape":
        return new_shapes(workload, partial(eq.solve, backend=backend))
    if workload.kind.startswith("curve"):
        return curve(workload, data)
    if workload.kind == "personalized":
        return personalized(data, backend)
    tables = tables_of(data)

    @lru_cache(maxsize=4)
    def first(count: int) -> eq.UtilityTables:
        return tables[:count]

    def misalign(count: int) -> Answer:
        fit = eq.misalignment(first(count), [2**workload.providers - 1], rows="table", backend=backend, throw=False)
        return {
            "misalignment": fit.misalignment[:, 0],
            "_uncertified": np.int64((~fit.certified).sum()),
            "_resolved": np.int64(fit.resolved),
        }

    def select(count: int) -> Callable[[], Answer]:
        dynamics = workload.kind == "dynamics"
        game = eq.Selection(dynamics=dynamics, misalignment=workload.kind == "solve")
        return partial(answer_of, eq.solve(first(count), game, backend=backend, throw=False))

    def hear_all(count: int) -> Answer:
        found = eq.solve(first(count), eq.Joint(dynamics=False), backend=backend)
        return {"worst": found.worst_value, "count": found.equilibria}

    def hear_all_quantally(count: int) -> Answer:
        found = eq.solve(first(count), eq.Joint(eq.Quantal(RATIONALITY, NEAR), dynamics=False), backend=backend)
        undecided = (np.asarray(found.near_ties) > 0).any(axis=1)
        return {
            "worst": found.worst_utility,
            "count": found.equilibria,
            "undecided": undecided,
            "_undecided": np.int64(undecided.sum()),
        }

    runs = {"misalignment": misalign, "joint": hear_all, "joint-quantal": hear_all_quantally}
    return runs.get(workload.kind, select)


def curve(workload: Workload, data: Data) -> Run:
    """The cross-validated curve of one method over so many permutations."""
    raters, method = raters_of(data), workload.kind.removeprefix("curve-")

    def run(count: int) -> Answer:
        how = {"permutations": count, "folds": FOLDS, "methods": (method,), "seed": SEED}
        found = eq.alignment_curve(raters, **how)
        return {"mse": found.mse[0, 0].T, "_refined": np.int64(found.refined)}

    return run


def personalized(data: Data, backend: eq.games.Backend) -> Run:
    """Markets of `USERS` tables each; the rows of the answer are users' games."""
    markets = market_of(data)

    @lru_cache(maxsize=4)
    def first(count: int) -> eq.Market:
        return markets[: count // USERS]

    def run(count: int) -> Callable[[], Answer]:
        found = eq.solve(first(count), eq.Personalized(protocol="delegation"), backend=backend, throw=False)

        def answer() -> Answer:
            values = {
                "worst": found.worst_value,
                "count": found.equilibria,
                "dynamics": found.dynamics_value,
                "steps": found.dynamics_steps,
            }
            rows = {name: np.moveaxis(np.asarray(value), 2, 1) for name, value in values.items()}
            overflow = (found.status & int(eq.Status.FRONTIER_OVERFLOW)) != 0
            return {name: value.reshape(-1, value.shape[2]) for name, value in rows.items()} | {
                "_overflow": np.int64(overflow.any(axis=1).sum())
            }

        return answer

    return run


def market_of(data: Data) -> eq.Market:
    """Tables of `USERS` users at a time as markets; every provider cares as much for every user."""
    tables, players, states, actions = data.utilities.shape
    grouped = data.utilities.reshape(tables // USERS, USERS, players, states, actions) / RESOLUTION
    weights = np.full((len(grouped), players - 1, USERS), 1 / USERS)
    return eq.separable_market(
        grouped[:, :, 0], np.swapaxes(grouped[:, :, 1:], 1, 2), weights, data.prior[::USERS], resolution=RESOLUTION
    )


def tables_of(data: Data) -> eq.UtilityTables:
    """The engine's tables, with their arrays where kernels read them."""
    utilities = data.utilities
    return eq.from_integers(utilities[:, 0], utilities[:, 1:], data.prior, resolution=RESOLUTION)


def answer_of(result: eq.games.SelectionResult) -> Answer:
    """What other engines return too, and counts of what should be rare."""
    overflow = int(eq.Status.FRONTIER_OVERFLOW)
    answer: Answer = {
        "worst": result.worst_value,
        "count": result.equilibria,
        "_overflow": np.int64(((result.status & overflow) != 0).any(axis=1).sum()),
        "_retries": np.int64(result.retries.sum()),
    }
    if result.dynamics_value is not None and result.dynamics_steps is not None:
        answer |= {"dynamics": result.dynamics_value, "steps": result.dynamics_steps}
    if result.fit is not None:
        answer |= {"misalignment": result.fit.misalignment, "_resolved": np.int64(result.fit.resolved)}
    return answer


def sweep_config(workload: Workload, count: int, backend: eq.games.Backend = "auto") -> eq.SweepConfig:
    """A sweep with everything: dynamics, misalignment, all committees."""
    return eq.SweepConfig(
        backend=backend,
        family=workload.family,
        tables=count,
        states=workload.states,
        actions=workload.actions,
        providers=workload.providers,
    )


def sweep(workload: Workload, count: int, backend: eq.games.Backend = "auto") -> Callable[[], Answer]:
    """Draw, solve and write to disk. The answer is read back from there later, off the clock."""
    folder = tempfile.TemporaryDirectory(prefix="equilibrax-bench-")
    report = eq.run_sweep(sweep_config(workload, count, backend), folder.name)

    def answer() -> Answer:
        found: Answer = {"_retries": np.int64(report.retries), "_resolved": np.int64(report.resolved)}
        if workload.kind == "sweep":  # for memory, reading would spoil what is measured
            rows = next(eq.rows.iter_committees(folder.name))  # the first shard
            columns = {"worst_utility": "worst_utility", "count": "equilibria", "misalignment": "misalignment"}
            for name, column in columns.items():
                found[name] = rows[column].to_numpy().reshape(-1, 2**workload.providers - 1)
            folder.cleanup()
        else:
            _SWEPT[count] = folder
        return found

    return answer


def plot(workload: Workload) -> Run:
    """All figures of a sweep, in a process of its own."""
    if workload.tables not in _SWEPT:
        sweep(replace(workload, kind="sweep-memory"), workload.tables)()
    folder = _SWEPT.pop(workload.tables)

    def run(_: int) -> Callable[[], Answer]:
        parts = ["from equilibrax.cli import main", f"status = main(['plot', {folder.name!r}])"]
        parts += ["from bench.machine import peak_memory_mb", "print(status, peak_memory_mb())"]
        done = subprocess.run([sys.executable, "-c", "; ".join(parts)], check=True, capture_output=True, text=True)
        status, peak = done.stdout.split()[-2:]
        folder.cleanup()
        return lambda: {"status": np.array([int(status)]), "_peak_mb": np.int64(float(peak))}

    return run
