"""Datasets at size: time, rows per second, bytes per row and memory of a large one, and what a second process brings.

    python benchmarks/dataset_scaling.py                                # 1,000,000 tables; some five minutes, 2 cores
    python benchmarks/dataset_scaling.py --tables 40960 --share 16384   # minutes
    python benchmarks/dataset_scaling.py --part shards writer --rounds 5
    python benchmarks/scaling_document.py                               # puts what it found into docs/scaling.md

`dataset` makes a dataset of tables 3x3x5, all committees, with misalignment, in one process that uses every core,
checks it with `merge --check`, and follows the memory of the process.

`shards` compares one process that is bound to one core with two that are bound to one core each and fill one folder as
`--worker 0/2` and `--worker 1/2`. (A process that is not bound uses every core already; that is the third line, for
comparison.) Every process solves `--share` tables after it has compiled, and all of a round start together; tables per
second are all tables over the time until the last process is done. The ratio is the median over rounds.

`writer` writes twice `--share` tables: one shard is solved before the clock starts and written again and again, by a
process bound to one core and by one that uses every core. So it is the rate that no device, however fast it solves,
makes a process exceed.

`ray` does the same work by `run_sweep_on_ray` with a worker per core, from start to end, where Ray is installed.

Every folder must have the same SHA-256 for the same shards, or the exit status is 1. Writes a JSON file (`--out`), in
which parts that are not run stay as they were, and prints its tables of docs/scaling.md; `scaling_document.py` writes
them there.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "dataset-scaling.json"
SIZES: dict[str, Any] = {"states": 3, "actions": 3, "providers": 5}


# --- a process that sweeps ----------------------------------------------------------------------------------


def work(given: dict[str, Any]) -> None:
    """Compile, say so, wait for a line, sweep, print the report as JSON."""
    if given["cores"]:
        os.sched_setaffinity(0, given["cores"])
    from bench.machine import peak_memory_mb, reset_peak_memory
    from equilibrax.datasets._run import run_work
    from equilibrax.datasets._table_shards import work_of
    from equilibrax.datasets.sweep import SweepConfig, run_sweep

    size, folder = given["shard_size"], given["folder"]
    config = SweepConfig(**SIZES, tables=given["tables"], shard_size=size)
    run = partial(run_sweep, config, folder, worker=tuple(given["worker"]))
    if given.get("solved"):
        whole = work_of(config)
        solution = whole.solve(whole.draw(range(size)))
        only = replace(whole, draw=lambda ids: ids, solve=lambda ids: solution)
        run = partial(run_work, only, folder, should_stop=None)
    with tempfile.TemporaryDirectory() as other:
        if given["warm"]:
            run_sweep(SweepConfig(**SIZES, tables=size, shard_size=size), other)
    print("ready", flush=True)
    sys.stdin.readline()
    reset_peak_memory()
    before = time.process_time()
    peaks: list[tuple[int, float]] = []
    report = run(progress=lambda done, _: peaks.append((done, peak_memory_mb())))
    tenth = next(peak for done, peak in peaks if 10 * done >= given["tables"] // given["worker"][1])
    found = {"seconds": report.seconds, "rate": report.tables_per_second, "rows": report.rows, "tables": report.tables}
    statuses = {"statuses": report.statuses, "resolved": report.resolved, "closed": report.closed}
    found["processor_seconds"] = time.process_time() - before
    print(json.dumps({**found, **statuses, "peak_mb_tenth": tenth, "peak_mb": peaks[-1][1]}), flush=True)


class Process:
    """A process that does `work`."""

    def __init__(self, **given: Any):
        command = [sys.executable, __file__, "--work", json.dumps(given)]
        devices = {} if given["cores"] else {"JAX_NUM_CPU_DEVICES": str(os.cpu_count())}
        environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1", **devices}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a process ended with exit status {self.process.wait()}")
        return line

    def release(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def report(self) -> dict[str, Any]:
        found = json.loads(self.line())
        if status := self.process.wait():
            raise SystemExit(f"a process ended with exit status {status}")
        return found


def together(processes: list[Process]) -> tuple[float, list[dict[str, Any]]]:
    """Seconds from the moment that all have compiled until the last is done, and what they report."""
    for process in processes:
        assert process.line() == "ready\n"
    started = time.perf_counter()
    for process in processes:
        process.release()
    reports: list[dict[str, Any]] = [{}] * len(processes)

    def collect(index: int) -> None:
        reports[index] = processes[index].report()

    threads = [threading.Thread(target=collect, args=(index,)) for index in range(len(processes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not all(reports):
        raise SystemExit("a process failed")
    return time.perf_counter() - started, reports


# --- the parts ----------------------------------------------------------------------------------------------


def sums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by what the shards' records say."""
    records = [json.loads(file.read_bytes()) for file in sorted((folder / "shards").iterdir())]
    return {name: file["sha256"] for record in records for name, file in record["files"].items()}


def dataset(tables: int, shard_size: int, scratch: Path) -> dict[str, Any]:
    from equilibrax.datasets.finalize import merge

    folder = scratch / "dataset"
    seconds, [report] = together(
        [Process(folder=str(folder), tables=tables, shard_size=shard_size, worker=(0, 1), cores=None, warm=False)]
    )
    started = time.perf_counter()
    if not merge(folder, check=True).complete:
        raise SystemExit("the dataset is not whole")
    checked = time.perf_counter() - started
    manifest = json.loads((folder / "manifest.json").read_bytes())
    sizes = {kind: 0 for kind in ("tables", "committees", "shards")}
    for kind in sizes:
        sizes[kind] = sum(file.stat().st_size for file in (folder / kind).iterdir())
    shutil.rmtree(folder)
    return {
        "tables": tables,
        "shard_size": shard_size,
        "shards": len(manifest["shards"]),
        "files": manifest["totals"]["files"],
        "bytes": sizes,
        "check_seconds": checked,
        **report,
        "seconds": seconds,
    }


def shards(share: int, shard_size: int, rounds: int, scratch: Path) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise SystemExit("shards: expected two cores")
    rates: dict[str, list[float]] = {"one": [], "two": [], "unbound": []}
    same, made = True, {}
    for turn in range(rounds):
        for name in list(rates)[turn % 3 :] + list(rates)[: turn % 3]:
            folder = scratch / name
            common = {"folder": str(folder), "shard_size": shard_size, "warm": True}
            if name == "two":
                processes = [
                    Process(**common, tables=2 * share, worker=(i, 2), cores=[core]) for i, core in enumerate(cores)
                ]
            else:
                bound = cores[:1] if name == "one" else None
                processes = [Process(**common, tables=share, worker=(0, 1), cores=bound)]
            seconds, reports = together(processes)
            rates[name].append(sum(report["tables"] for report in reports) / seconds)
            made[name] = sums(folder)
            shutil.rmtree(folder)
        same &= made["one"] == made["unbound"] and made["one"].items() <= made["two"].items()
    ratios = [two / one for one, two in zip(rates["one"], rates["two"])]
    median = {name: statistics.median(values) for name, values in rates.items()}
    return {"share": share, "shard_size": shard_size, "rates": rates, "median": median, "ratios": ratios} | {
        "ratio": statistics.median(ratios),
        "same": same,
        "sums": made["two"],
    }


def writer(share: int, shard_sizes: list[int], rounds: int, scratch: Path) -> dict[str, Any]:
    """Tables per second that are written, by cores; of a core's time, least; bytes. For so many tables per shard."""
    first, folder = sorted(os.sched_getaffinity(0))[:1], scratch / "written"
    by_size = []
    for size in shard_sizes:
        tables = size * max(1, share // size)
        given = {"folder": str(folder), "shard_size": size, "tables": tables, "worker": (0, 1), "warm": False}
        rates: dict[str, list[float]] = {"one": [], "unbound": []}
        spent, sizes = [], {}
        for _ in range(rounds):
            for name, cores in (("one", first), ("unbound", None)):
                seconds, [report] = together([Process(**given, cores=cores, solved=True)])
                rates[name].append(tables / seconds)
                if cores:
                    spent.append(1e6 * report["processor_seconds"] / tables)
                kinds = {kind: folder / kind for kind in ("tables", "committees", "shards")}
                sizes = {kind: sum(file.stat().st_size for file in path.iterdir()) for kind, path in kinds.items()}
                manifest = (folder / "manifest.json").stat().st_size
                shutil.rmtree(folder)
        found = {"shard_size": size, "tables": tables, "rates": rates, "processor_microseconds": min(spent)}
        found |= {name: statistics.median(values) for name, values in rates.items()}
        found |= {"bytes": {kind: number / tables for kind, number in sizes.items()}}
        by_size.append(found | {"manifest_bytes": manifest * size / tables})
    return {"by_size": by_size}


def by_ray(share: int, shard_size: int, scratch: Path) -> dict[str, Any]:
    from equilibrax.datasets.ray import run_sweep_on_ray
    from equilibrax.datasets.sweep import SweepConfig

    os.environ["JAX_NUM_CPU_DEVICES"] = "1"
    started = time.perf_counter()
    report = run_sweep_on_ray(SweepConfig(**SIZES, tables=2 * share, shard_size=shard_size), scratch / "ray")
    seconds = time.perf_counter() - started
    made = sums(scratch / "ray")
    shutil.rmtree(scratch / "ray")
    return {"tables": report.tables, "seconds": seconds, "rate": report.tables / seconds, "sums": made}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ["dataset", "shards", "writer", "ray"]
    parser.add_argument("--part", nargs="+", choices=parts, default=parts)
    parser.add_argument("--tables", type=int, default=1_000_000, help="of the dataset")
    parser.add_argument("--share", type=int, default=65_536, help="tables per process of shards")
    parser.add_argument("--shard-size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to write datasets; default is the temporary folder")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(json.loads(options.work))
        return 0
    from bench import machine
    from scaling_document import measured_lines

    kept = json.loads(options.out.read_text()) if options.out.exists() else {}
    found: dict[str, Any] = machine.describe()
    measured = {"revision": found.pop("revision"), "load": found["machine"].pop("load")}  # of a part
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        if "dataset" in options.part:
            found["dataset"] = dataset(options.tables, options.shard_size, Path(scratch))
        if "shards" in options.part:
            found["shards"] = shards(options.share, options.shard_size, options.rounds, Path(scratch))
        if "writer" in options.part:
            sizes = [options.shard_size, 8 * options.shard_size]
            found["writer"] = writer(2 * options.share, sizes, options.rounds, Path(scratch))
        if "ray" in options.part and importlib.util.find_spec("ray"):
            found["ray"] = by_ray(options.share, options.shard_size, Path(scratch))
    for name in set(options.part) & set(found):
        found[name] |= measured
    made = [found[name].pop("sums") for name in ("shards", "ray") if name in found]
    same = found.get("shards", {}).get("same", True) and made[:1] == made[-1:]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(kept | found, indent=1) + "\n")
    print("\n".join(line for block in measured_lines(found).values() for line in block))
    if not same:
        print("the same shards have other bytes")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
