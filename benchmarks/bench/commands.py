"""Commands of equilibrax in fresh processes, and what is first asked of it: from nothing to the answer.

The engine's process starts them, so they are of whatever equilibrax it imports. Cold: every run has empty caches (of
loops, of JAX), and leaves them for warm ones; warm: those that a run of the same command before has filled. An engine
that keeps no caches by default has none, and nothing is run to fill them. Modules are compiled to bytecode and the list
of fonts is made before anything is timed, as an installer and any earlier figure would have done.
"""

from __future__ import annotations

import compileall
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
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


@cache
def _home() -> tempfile.TemporaryDirectory[str]:
    """A folder for what commands keep and write, as long as this process lives: caches, matplotlib's fonts, a table."""
    folder = tempfile.TemporaryDirectory(prefix="equilibrax-bench-")
    Path(folder.name, "table.csv").write_text(_TABLE)
    for package in ("equilibrax", "equilibrax_kernels"):
        for path in import_module(package).__path__:
            compileall.compile_dir(path, quiet=2)
    make = [sys.executable, "-c", "import matplotlib.font_manager"]
    subprocess.run(make, env=os.environ | {"MPLCONFIGDIR": f"{folder.name}/fonts"}, capture_output=True)
    return folder


def command(workload: Workload, keeps_caches: bool = True) -> Callable[[int], Callable[[], Answer]]:
    """A run of the command that the workload names; its answer is its exit status.

    Args:
        workload: its name is "command-", one of `COMMANDS`, and "-cold" or "-warm".
        keeps_caches: whether this equilibrax does so by default.
    """
    name, _, state = workload.name.removeprefix("command-").rpartition("-")
    home = Path(_home().name)
    caches = home / "caches"

    def once() -> int:
        if state == "cold":
            shutil.rmtree(caches, ignore_errors=True)
        caches.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as out:
            words = [word.format(table=home / "table.csv", out=out) for word in COMMANDS[name]]
            environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_COMPILATION", "JAX_NUM"))}
            environment |= {"EQUILIBRAX_CACHE_DIR": str(caches), "MPLCONFIGDIR": str(home / "fonts")}
            done = subprocess.run(words, env=environment, capture_output=True)
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"exit status {done.returncode}: {' '.join(words)}")
        return done.returncode

    if state == "warm" and keeps_caches:
        once()

    def run(_: int) -> Callable[[], Answer]:
        status = once()
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
