"""equilibrax as it was at another revision, through the public API that it had (before games were objects)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import equilibrax
import numpy as np

from bench.answers import Answer
from bench.commands import command, new_shapes
from bench.data import RESOLUTION, Data
from bench.engines import Run
from bench.workloads import NEAR, RATIONALITY, Workload

FIRST = None
eq: Any = equilibrax  # another one than type checkers see


def prepare(workload: Workload, data: Data) -> Run:
    if workload.kind.startswith("command"):
        return command(workload, keeps_caches=False)  # it kept none by default
    if hasattr(eq, "Selection"):
        raise ValueError("--against: expected a revision before games were objects, such as aca99d4")
    if workload.kind == "sweep":
        return lambda count: sweep(workload, count)
    if workload.kind == "new-shape":
        return new_shapes(workload, eq.solve)

    @lru_cache(maxsize=4)
    def first(count: int) -> Any:
        utilities = data.utilities[:count] / RESOLUTION
        return eq.from_arrays(utilities[:, 0], utilities[:, 1:], data.prior[:count], resolution=RESOLUTION)

    def select(count: int) -> Answer:
        found = eq.solve(first(count), dynamics=False, misalignment=workload.kind == "solve", throw=False)
        answer: Answer = {"worst": found.worst_value, "count": found.equilibria}
        return answer | ({"misalignment": found.misalignment} if workload.kind == "solve" else {})

    def hear_all(count: int) -> Answer:
        quantal = workload.kind == "joint-quantal"
        how = {"response": "quantal", "rationality": RATIONALITY, "tolerance": NEAR} if quantal else {}
        found = eq.solve(first(count), "joint", dynamics=False, **how)
        worst = found.worst_utility if quantal else found.worst_value
        return {"worst": np.asarray(worst), "count": np.asarray(found.equilibria)}

    return hear_all if workload.kind.startswith("joint") else select


def sweep(workload: Workload, count: int) -> Callable[[], Answer]:
    """As `_equilibrax.sweep`."""
    folder = tempfile.TemporaryDirectory(prefix="equilibrax-bench-")
    sizes = {"states": workload.states, "actions": workload.actions, "providers": workload.providers}
    eq.run_sweep(eq.SweepConfig(family=workload.family, tables=count, **sizes), folder.name)

    def answer() -> Answer:
        rows = next(eq.iter_committees(folder.name))
        folder.cleanup()
        columns = {"worst_utility": "worst_utility", "count": "equilibria", "misalignment": "misalignment"}
        shape = (-1, 2**workload.providers - 1)
        return {name: rows[column].to_numpy().reshape(shape) for name, column in columns.items()}

    return answer
