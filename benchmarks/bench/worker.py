"""The process that an engine lives in: `python -m bench.worker`. One JSON object per line, in and out.

| request | answer |
|---|---|
| `{"do": "prepare", "engine", "workload", "data", "seconds"}` | `{"tables", "compile_seconds", "run_seconds"}` |
| the same, if the engine's package is missing | `{"skip"}`, saying how to install it |
| `{"do": "run"}` | `{"seconds"}` of one run of the prepared engine |
| `{"do": "answer", "path"}` | `{"counters"}`; the arrays of the last run are at `path` (.npz) |
| `{"do": "memory", "engine"}` | `{"peak_mb"}` since `prepare` |
| `{"do": "drop"}` | `{}`; the engine's tables are freed |
| `{"do": "quit"}` | nothing |

An error is `{"error"}`, and the process stays. What libraries print goes to standard error.
"""

from __future__ import annotations

import gc
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.answers import Answer, first_rows
from bench.commands import processor_seconds
from bench.data import load
from bench.engines import Run, load_engine
from bench.machine import peak_memory_mb, reset_peak_memory
from bench.workloads import Workload, from_json

_MOST_GROWTH = 64  # tables are never multiplied by more than this at a time


class Task:
    """An engine, ready for a workload, and the number of tables that it solves per run."""

    def __init__(self, run: Run, clock: Callable[[], float] = time.perf_counter):
        self.run, self.clock = run, clock
        self.peak_mb: int | None = None
        self.tables = 0
        self.compile_seconds = 0.0
        self.answer: Answer = {}

    def once(self) -> float:
        """Seconds of one run; its answer is kept."""
        self.answer = {}
        gc.collect()
        started = self.clock()
        answer = self.run(self.tables)
        seconds = self.clock() - started
        self.answer = answer() if callable(answer) else answer
        self.peak_mb = self.answer.pop("_peak_mb", None)
        return seconds

    def settle(self, tables: int, expected: float = 0.0) -> float:
        """Run with another number of tables, and again if that took longer than expected: the difference is
        compilation."""
        self.tables = tables
        first = self.once()
        if first < 1.25 * expected:
            return first
        second = self.once()
        self.compile_seconds += max(0.0, first - second)
        return second


def calibrated(run: Run, workload: Workload, first: int | None, seconds: float) -> tuple[Task, float]:
    """A task with as many tables (a power of two times the first number) as take about so many seconds; 0: the first.

    Args:
        run: of an engine.
        workload: says the first number of tables, unless `first` does, and the largest.
        first: number of problems to begin with, of an engine that solves them one by one.
        seconds: per run.
    """
    task = Task(run, processor_seconds if workload.kind == "command-cpu" else time.perf_counter)
    if workload.first_run_counts:
        return task, task.settle(workload.tables, math.inf)
    if workload.kind == "sweep":  # what runs a minute is not run once more to tell its compilation apart
        spent = task.settle(workload.start, math.inf)
        task.tables = workload.tables
        return task, spent
    tables = min(max(1, first // workload.problems) if first else workload.start, workload.tables)
    spent = task.settle(tables)
    while seconds and spent < 0.7 * seconds and tables < workload.tables:
        growth = seconds / max(spent, 1e-6)
        more = min(tables << max(1, int(np.log2(min(growth, _MOST_GROWTH)) + 0.5)), workload.tables)
        spent, tables = task.settle(more, spent * more / tables), more
    return task, spent


class Worker:
    """Answers requests, one at a time."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request; engines that share the process are told apart by name."""
        handlers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "prepare": self.prepare,
            "run": lambda r: {"seconds": self.tasks[r["engine"]].once()},
            "answer": self.write_answer,
            "memory": self.memory,
            "drop": self.drop,
        }
        return handlers[request["do"]](request)

    def memory(self, request: dict[str, Any]) -> dict[str, Any]:
        task = self.tasks.get(request.get("engine", ""))
        elsewhere = task.peak_mb if task else None  # of a process of the engine's
        return {"peak_mb": round(peak_memory_mb() if elsewhere is None else float(elsewhere), 1)}

    def prepare(self, request: dict[str, Any]) -> dict[str, Any]:
        name, workload = request["engine"], from_json(request["workload"])
        try:
            engine = load_engine(name)
        except ImportError as error:
            # No part of the extra: on some systems Gambit takes a compiler and minutes to install.
            how = {"gambit": "pygambit", "moreau": "moreau"}.get(name, "'.[bench]' in a clone")
            how = "" if "compiler" in (error.name or "") else f": pip install {how}"
            return {"skip": f"{error.name or name} is not installed{how}"}
        reset_peak_memory()
        run = engine.prepare(workload, load(Path(request["data"])))
        task, seconds = calibrated(run, workload, engine.FIRST, request["seconds"])
        self.tasks[name] = task
        return {"tables": task.tables, "compile_seconds": task.compile_seconds, "run_seconds": seconds}

    def write_answer(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = first_rows(self.tasks[request["engine"]].answer)
        np.savez(request["path"], **answer)  # pyright: ignore[reportArgumentType]
        return {"counters": {name[1:]: int(value) for name, value in answer.items() if name.startswith("_")}}

    def drop(self, request: dict[str, Any]) -> dict[str, Any]:
        self.tasks.clear()
        gc.collect()
        return {}


def main() -> None:
    """Serve requests until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # nothing that a library prints gets between the answers
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "quit":
            break
        try:
            reply = worker.answer(request)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {str(error).strip() or 'no message'}"}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
