"""Commands of equilibrax in fresh processes, and what is first asked of it: from nothing to the answer.

The engine's process starts them, so they are of whatever equilibrax it imports. Cold: every run has empty caches (of
loops, of JAX); warm: those that a run before has filled. Whoever keeps no caches by default has none.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.answers import Answer
from bench.workloads import Workload

_FIRST = "import equilibrax as eq; eq.solve(eq.load_paper_table('synthetic-1')).worst_utility"
_MODULE = [sys.executable, "-m", "equilibrax"]
COMMANDS: dict[str, list[str]] = {
    "import": [sys.executable, "-c", "import equilibrax; equilibrax.solve"],
    "first-solve": [sys.executable, "-c", _FIRST],
    "solve-file": [*_MODULE, "solve", "{table}", "--out", "{out}/found.parquet"],
    "reproduce": [*_MODULE, "reproduce", "--tables", "10000", "--out", "{out}"],
    "compare": [*_MODULE, "compare", "movielens"],
    "align": [*_MODULE, "align", "--simulate", "independent", "--out", "{out}"],
    "warmup": [*_MODULE, "warmup"],
}
"""By the part of a workload's name between "command-" and "-cold" or "-warm"."""

_TABLE = "state,action,prior,user,a,b\n" + "".join(
    f"{x},{y},1,{int(x == y)},{(x + y) % 3},{(x * y) % 2}\n" for x in range(3) for y in range(3)
)


def command(workload: Workload) -> Callable[[int], Callable[[], Answer]]:
    """A run of the command that the workload names; its answer is its exit status."""
    name, _, state = workload.name.removeprefix("command-").rpartition("-")
    folder = tempfile.TemporaryDirectory(prefix="equilibrax-bench-")

    def once(caches: Path) -> int:
        with tempfile.TemporaryDirectory(dir=folder.name) as out:
            table = Path(folder.name, "table.csv")
            table.write_text(_TABLE)
            words = [word.format(table=table, out=out) for word in COMMANDS[name]]
            environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_COMPILATION", "JAX_NUM"))}
            environment |= {"EQUILIBRAX_CACHE_DIR": str(caches), "MPLCONFIGDIR": str(Path(folder.name, "mpl"))}
            done = subprocess.run(words, env=environment, capture_output=True)
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"exit status {done.returncode}: {' '.join(words)}")
        return done.returncode

    if state == "warm":
        once(Path(folder.name, "warm"))

    def run(_: int) -> Callable[[], Answer]:
        if state == "warm":
            status = once(Path(folder.name, "warm"))
        else:
            with tempfile.TemporaryDirectory(dir=folder.name) as caches:
                status = once(Path(caches))
        return lambda: {"status": np.array([status])}

    return run


def processor_seconds() -> float:
    """Of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


SHAPES = ((3, 3, 5), (4, 3, 4), (3, 4, 5), (5, 3, 4), (4, 4, 3), (2, 5, 5), (6, 3, 3), (3, 5, 4), (5, 4, 3), (4, 5, 4))
"""States, actions, providers that a warm process has not seen yet, one for each run."""


def new_shapes(workload: Workload, solve: Callable[[Any], Any]) -> Callable[[int], Answer]:
    """Every run solves tables of a shape that the process has not solved yet, having solved others."""
    shapes = iter(SHAPES)
    from equilibrax import sample_tables  # of the revision that the process imports

    solve(sample_tables(workload.family, 8, states=2, actions=2, providers=2, seed=0))

    def run(count: int) -> Answer:
        states, actions, providers = next(shapes)
        tables = sample_tables(workload.family, count, states=states, actions=actions, providers=providers, seed=0)
        return {"worst": solve(tables).worst_value[:, -1]}

    return run
