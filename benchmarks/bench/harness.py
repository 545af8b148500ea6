"""Prepare, compare answers, and only then time: engines in turn, round by round, each in a process of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import floor, machine, targets
from bench.answers import Answer, difference
from bench.data import draw, save
from bench.engines import HOSTS
from bench.process import WorkerFailed, WorkerProcess
from bench.workloads import AGAINST, ENGINES, Workload, choose

FORMAT_VERSION = 3
"""Version of the layout of `bench.json`."""

_HURRY = 0.7  # after this part of the time allowed, fewer rounds


@dataclass(frozen=True)
class BenchOptions:
    """What to run.

    Attributes:
        workloads: names; none means all that run by default.
        engines: names; none means all. The reference of a workload takes part in any case.
        quick: tiny sizes, one round: for answers, not for times.
        seed: of the tables.
        rounds: runs of every engine.
        seconds: length of a run, as far as the number of tables allows.
        allowed: seconds for everything; when most of them are gone, rounds are fewer.
        against: a git revision of equilibrax to compare with, in this clone; none if empty.
    """

    workloads: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    quick: bool = False
    seed: int = 0
    rounds: int = 3
    seconds: float = 0.5
    allowed: float = 840.0
    against: str = ""


def run_bench(
    options: BenchOptions,
    tell: Callable[[str], None] = lambda line: None,
    keep: Callable[[dict[str, Any]], None] = lambda measured: None,
) -> dict[str, Any]:
    """Run workloads and return everything measured, as `bench.json` holds it.

    Args:
        options: what to run.
        tell: called with a line of progress now and then.
        keep: called after every workload with everything measured so far; `whole` says whether that is all.

    Returns:
        A dictionary with `format`, `whole`, `seconds` since the start, `machine`, `device`, `versions`, `revision`,
        `options`, `rates`, `workloads` (each with the seconds that it took), `rows` (one per workload and engine) and
        `targets`.

    Raises:
        ValueError: on an unknown workload or engine.

    Example:
        >>> import bench
        >>> bench.run_bench(BenchOptions(workloads=("chess",)))
        Traceback (most recent call last):
        ...
        ValueError: --workload: expected some of selection-3x3x5, ...
    """
    workloads = choose(options.workloads)
    unknown = [name for name in options.engines if name not in ENGINES]
    if unknown:
        raise ValueError(f"--engine: expected some of {', '.join(ENGINES)}, got {unknown[0]!r}")
    if options.quick:
        workloads = [w.as_quick() for w in workloads if not w.in_fresh_processes or options.workloads]
    started = time.monotonic()
    place = machine.describe()
    rates = floor.measure_rates(small=options.quick)
    measured: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "whole": False,
        "seconds": 0.0,
        **place,
        "options": {
            "quick": options.quick,
            "seed": options.seed,
            "rounds": options.rounds,
            "seconds": options.seconds,
            "against": options.against,
        },
        "rates": rates,
        "workloads": [],
        "rows": [],
        "targets": [],
    }
    tell(f"Copy {rates['bytes_per_second'] / 1e9:.1f} GB/s, {rates['adds_per_second'] / 1e9:.1f} G integer additions/s")
    with tempfile.TemporaryDirectory(prefix="equilibrax-bench-") as folder, ExitStack() as held:
        other = machine.checked_out(options.against, Path(folder) / "against") if options.against else ()
        pool = held.enter_context(_Pool(other))
        for workload in workloads:
            begun = time.monotonic()
            hurry = begun - started > _HURRY * options.allowed
            rounds = 1 if options.quick else min(options.rounds, workload.rounds or options.rounds, 2 if hurry else 99)
            tell(f"{workload.name} ...")
            rows, least = _measure(workload, options, rounds, pool, Path(folder) / workload.name, rates)
            for row in rows:
                tell(f"  {row['engine']}: {row['answer']}{': ' + row['note'] if row['note'] else ''}")
            took = {"schemes": workload.schemes, "floor": least, "seconds": time.monotonic() - begun}
            measured["workloads"].append(workload.to_json() | took)
            measured["rows"] += rows
            measured["targets"] = targets.evaluate(
                measured["rows"], place["device"]["platform"], timed=not options.quick
            )
            measured["seconds"] = time.monotonic() - started
            measured["whole"] = len(measured["workloads"]) == len(workloads)
            keep(measured)
    return measured


class _Pool:
    """One process per engine, started when first needed, and again if it died.

    Args:
        other: where the other revision of equilibrax is; its engine takes part only if it is somewhere.
    """

    def __init__(self, other: tuple[str, ...] = ()) -> None:
        self.other = other
        self._workers: dict[str, WorkerProcess] = {}

    def of(self, engine: str, workload: Workload) -> WorkerProcess:
        name = HOSTS.get(engine, engine)
        if workload.in_fresh_processes:  # in a process that has seen nothing else; commands start their own from one
            name += " for commands" if workload.kind.startswith("command") else f" for {workload.tables} tables"
        if name not in self._workers or not self._workers[name].alive:
            patience = 1200.0 if workload.tables >= 10**6 or workload.in_fresh_processes else 240.0
            self._workers[name] = WorkerProcess(patience, self.other if engine == AGAINST else ())
        return self._workers[name]

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.__exit__()


def _measure(
    workload: Workload, options: BenchOptions, rounds: int, pool: _Pool, folder: Path, rates: dict[str, float]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """All rows of a workload, the reference first, and its floor per table."""
    reference = workload.engines[0]
    engines = [e for e in workload.engines if not options.engines or e in options.engines or e == reference]
    engines = [e for e in engines if e != AGAINST or pool.other]
    alone = workload.kind in ("sweep", "new-shape") or workload.in_fresh_processes  # draws its own
    data = draw(workload, options.seed, 1 if alone else None)
    save(data, folder)
    least = floor.per_table(workload, data, rates)
    rows = {engine: _prepare(engine, workload, options, pool, folder) for engine in engines}
    _compare(rows, reference, pool, workload, folder)

    timed = [engine for engine in engines if rows[engine]["answer"] == "ok"]
    for number in range(1 if workload.first_run_counts else 0, rounds):
        for engine in timed[number % len(timed) :] + timed[: number % len(timed)] if timed else []:
            _attempt(rows[engine], lambda e=engine: _once(e, rows[e], pool.of(e, workload)))
    for engine in timed:
        _attempt(rows[engine], lambda e=engine: _finish(e, rows[e], pool.of(e, workload)))
    for engine in engines:
        _summarize(rows[engine], rows[reference], least)
    if workload.kind == "plot-memory":
        for engine in engines:
            pool.of(engine, workload).close()
    return list(rows.values()), least


def _prepare(engine: str, workload: Workload, options: BenchOptions, pool: _Pool, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {
        "workload": workload.name,
        "engine": engine,
        "answer": "ok",
        "note": "",
        "tables": 0,
        "seconds": [],
        "compile_seconds": None,
        "peak_mb": None,
        "counters": {},
    }

    fewer = {"tables": workload.tables_against} if engine == AGAINST and workload.tables_against else {}

    def prepare() -> None:
        reply = pool.of(engine, workload).ask(
            "prepare",
            engine=engine,
            workload=workload.to_json() | fewer,
            data=str(folder),
            seconds=0.0 if options.quick else options.seconds,
        )
        if "skip" in reply:
            row.update(answer="skipped", note=reply["skip"])
            return
        row.update(tables=reply["tables"], compile_seconds=reply["compile_seconds"])
        if workload.first_run_counts:
            row["seconds"].append(reply["run_seconds"])

    _attempt(row, prepare)
    return row


def _compare(rows: dict[str, dict[str, Any]], reference: str, pool: _Pool, workload: Workload, folder: Path) -> None:
    """Fetch answers and mark the rows that differ from the reference."""
    expected: Answer | None = None
    for engine in sorted(rows, key=lambda name: name != reference):
        row = rows[engine]
        if row["answer"] != "ok":
            continue

        def fetch(row=row, engine=engine) -> Answer:
            path = folder / f"{engine}.npz"
            row["counters"] = pool.of(engine, workload).ask("answer", engine=engine, path=str(path))["counters"]
            with np.load(path) as found:
                return {name: found[name] for name in found.files}

        answer = _attempt(row, fetch)
        if answer is None or workload.kind == "sweep-memory":  # which answers nothing
            continue
        if expected is None and engine != reference:
            row["note"] = f"the reference {reference} did not answer; others are compared with this one"
        if expected is None:
            expected = dict(answer)
        what = difference(answer, expected)
        if what is not None:
            row.update(answer="WRONG", note=what)


def _once(engine: str, row: dict[str, Any], worker: WorkerProcess) -> None:
    row["seconds"].append(worker.ask("run", engine=engine)["seconds"])


def _finish(engine: str, row: dict[str, Any], worker: WorkerProcess) -> None:
    row["peak_mb"] = worker.ask("memory", engine=engine)["peak_mb"]
    if engine not in HOSTS:
        worker.ask("drop")


def _attempt(row: dict[str, Any], step: Callable[[], Any]) -> Any:
    """Do a step of a row; a failure is the row's."""
    if row["answer"] == "failed":
        return None
    try:
        return step()
    except WorkerFailed as error:
        row.update(answer="failed", note=str(error))


def _summarize(row: dict[str, Any], reference: dict[str, Any], least: dict[str, float]) -> None:
    """Tables per second with their spread, the ratio to the reference (round by round), and the part of the floor."""
    row |= {"tables_per_second": None, "ratio": None, "floor_reached": None}
    if row["answer"] != "ok" or not row["seconds"]:
        return
    rates = row["tables"] / np.array(row["seconds"])
    low, middle, high = np.quantile(rates, (0.25, 0.5, 0.75)).tolist()
    row["tables_per_second"] = {
        "median": middle,
        "lower_quartile": low,
        "upper_quartile": high,
        "slowest": float(rates.min()),
        "fastest": float(rates.max()),
    }
    if reference["answer"] == "ok" and len(reference["seconds"]) == len(row["seconds"]):
        row["ratio"] = float(np.median(rates / (reference["tables"] / np.array(reference["seconds"]))))
    row["floor_reached"] = least["seconds"] * middle
