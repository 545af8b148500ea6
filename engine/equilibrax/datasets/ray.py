"""Sweeps on a Ray cluster: shards as tasks that may fail, be killed and lose their machine.

The driver opens the folder, hands out the shards that are missing, a bounded number at a time, and closes the folder at
the end. A task solves its shards and writes their files itself, into the same folder, which every node must see under
the same path; only the shards' records travel back. Files are whole or absent and functions of the configuration, so a
task that dies anywhere is run again elsewhere and no byte differs, from those of one process either. Ray is optional:
`pip install ".[ray]"` in a clone of the repository.
"""

from __future__ import annotations

import math
import os
import re
import socket
import subprocess
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from equilibrax._core.batching import cores
from equilibrax.datasets._layout import Layout, read_layout, read_record
from equilibrax.datasets._os_errors import AGAIN
from equilibrax.datasets._pipeline import Work, do_shards
from equilibrax.datasets._provenance import made_with
from equilibrax.datasets._run import SweepReport, check_same, run_work
from equilibrax.datasets._table_shards import work_of
from equilibrax.datasets.config import SweepConfig, _check_whole
from equilibrax.datasets.sweep import validate

PATIENCE = 30.0
"""Seconds to wait for the answer of a cluster."""
OLDEST = (2, 52)
"""The first version of Ray whose clusters can ask for a token; so says the extra `[ray]`."""
_LOOK_EVERY = 5.0  # seconds between two looks at how large the cluster is
_PARTING = 5.0  # seconds that tasks have to end when the driver does


@dataclass(frozen=True)
class _Tasks:
    """What tasks need, and how many there may be; see `run_sweep_on_ray`."""

    cpus: int
    gpus: float
    shards: int
    in_flight: int | None
    retries: int
    allow_versions: bool


def run_sweep_on_ray(
    config: SweepConfig,
    directory: str | os.PathLike[str],
    *,
    address: str = "local",
    cpus_per_task: int = 1,
    gpus_per_task: float = 0.0,
    shards_per_task: int = 1,
    tasks_in_flight: int | None = None,
    max_retries: int = 3,
    patience: float = PATIENCE,
    allow_versions: bool = False,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> SweepReport:
    """`run_sweep` by the tasks of a Ray cluster: the same folder, the same bytes, restarts in either way.

    Every worker process compiles once and solves one task after the other. A task that dies with its process or its
    machine is given to another. An error in a task, a full disk say, ends the call; all shards that were done stay.

    Args:
        config: what to solve. A family of one's own must be registered in the workers, too.
        directory: the folder, which all machines of the cluster see under this path.
        address: "local" for the cores of this machine, "auto" for the cluster that runs on it (or that `RAY_ADDRESS`
            names), or HOST:PORT of a cluster that this machine is part of. A connection that is open is used as it is,
            and left open.
        cpus_per_task: cores that a task uses.
        gpus_per_task: accelerators that a task uses; a fraction shares one.
        shards_per_task: more of them keep an accelerator busy, because the next shard is drawn and the last one written
            while one is solved.
        tasks_in_flight: how many are handed out at a time, at most; default is twice what the cluster can run at once,
            also when it grows.
        max_retries: how often a task is given to another process after its own died; -1 is without end.
        patience: seconds to wait for the cluster to answer.
        allow_versions: as in `run_sweep`; workers may then differ from each other, too.
        progress: called with the number of tables done and the number of all tables, at the start and after each
            shard, in the calling thread.
        should_stop: asked before every task; if true, those in flight end and no others begin.

    Returns:
        Counts and times of this call, of all workers together.

    Raises:
        ValueError: as `run_sweep`; if Ray is not installed; if no machine is large enough for a task; if workers do not
            see the folder or have other versions of the packages that bytes depend on.
        ConnectionError: if no cluster answers at the address.
        OSError: as `run_sweep`, in whichever worker; or if a task died once more than `max_retries`.
        KeyboardInterrupt: on Ctrl-C; tasks in flight are cancelled.

    Example:
        A worker per core of this machine, and later on a cluster::

            config = SweepConfig(tables=1_000_000, columns=("schemes",))
            run_sweep_on_ray(config, "dataset")
            run_sweep_on_ray(config, "/shared/dataset", address="auto")
    """
    ray = _ray()
    for name, value, low in (
        ("cpus_per_task", cpus_per_task, 1),
        ("shards_per_task", shards_per_task, 1),
        ("tasks_in_flight", 1 if tasks_in_flight is None else tasks_in_flight, 1),
        ("max_retries", max_retries, -1),
    ):
        _check_whole(name, value, low)
    if isinstance(gpus_per_task, bool) or not isinstance(gpus_per_task, int | float) or not 0 <= gpus_per_task < 1e6:
        raise ValueError(f"gpus_per_task: expected a number of at least 0, got {gpus_per_task!r}")
    validate(config)
    if gpus_per_task and config.backend == "auto":
        config = replace(config, backend="xla")  # whatever this machine has
    work = work_of(config)
    config = replace(config, backend=work.config["backend"])  # one for all workers
    if config.stratify:
        config = replace(config, bin_range=tuple(work.config["bin_range"]))  # found once, not by every worker
    tasks = _Tasks(cpus_per_task, gpus_per_task, shards_per_task, tasks_in_flight, max_retries, allow_versions)
    with _connected(ray, address, patience):
        _check_room(ray, tasks)
        made = ray.get(_remote(ray, tasks, _made_with).remote(tasks.cpus))  # the driver may have no accelerator
        do = partial(_hand_out, ray, config, tasks)
        return run_work(
            replace(work, made_with=made), directory, progress, should_stop, do=do, allow_versions=allow_versions
        )


# --- the driver ---------------------------------------------------------------------------------------------


def _hand_out(
    ray: Any,
    config: SweepConfig,
    tasks: _Tasks,
    work: Work[Any],
    layout: Layout,
    shards: list[int],
    should_stop: Callable[[], bool] | None,
    solved: Callable[[int], None],
) -> Generator[dict[str, Any], None, None]:
    """`do_shards` by tasks: the records, in the order in which they are done."""
    task = _remote(ray, tasks, _do)
    waiting = deque(shards[i : i + tasks.shards] for i in range(0, len(shards), tasks.shards))
    given = (config, str(layout.folder.resolve()), tasks.cpus, tasks.allow_versions)
    running: dict[Any, list[int]] = {}
    limit, looked = 1, -math.inf
    try:
        while waiting or running:
            if time.monotonic() - looked > _LOOK_EVERY:
                limit, looked = tasks.in_flight or 2 * max(1, _slots(ray, tasks)), time.monotonic()
            while waiting and len(running) < limit:
                if should_stop is not None and should_stop():
                    waiting.clear()
                    break
                batch = waiting.popleft()
                running[task.remote(*given, batch)] = batch
            for reference in ray.wait(list(running), timeout=1.0)[0] if running else ():
                yield from _fetch(ray, reference, running.pop(reference))
    except BaseException:
        for reference in running:
            with suppress(Exception):
                ray.cancel(reference)
        if running:
            ray.wait(list(running), num_returns=len(running), timeout=_PARTING)
        raise


def _remote(ray: Any, tasks: _Tasks, function: Callable[..., Any]) -> Any:
    """A function as a task; no limit of calls, which is one where there are GPUs: a process compiles once and stays."""
    options = {"num_cpus": tasks.cpus, "num_gpus": tasks.gpus, "max_retries": tasks.retries}
    return ray.remote(**options, max_calls=0)(function)


def _fetch(ray: Any, reference: Any, shards: list[int]) -> list[dict[str, Any]]:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ValueError | OSError):
            raise error.cause from None  # ours, or the operating system's
        raise
    except ray.exceptions.RayError as error:
        what = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OSError(f"ray: a task died too often, of shards {shards[0]} to {shards[-1]}: {what}; {AGAIN}") from error


def _slots(ray: Any, tasks: _Tasks) -> int:
    """How many tasks the cluster can run at once, nearly: nodes may have room for less than all of theirs."""
    there = ray.cluster_resources()
    slots = there.get("CPU", 0) // tasks.cpus
    return int(min(slots, there.get("GPU", 0) // tasks.gpus) if tasks.gpus else slots)


def _check_room(ray: Any, tasks: _Tasks) -> None:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= tasks.cpus and node.get("GPU", 0) >= tasks.gpus for node in nodes):
        has = "; ".join(sorted({f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes})[:5])
        needs = f"{tasks.cpus} and {tasks.gpus:g}"
        raise ValueError(f"cpus_per_task, gpus_per_task: expected what some machine has ({has}), got {needs}")


# --- connections --------------------------------------------------------------------------------------------


def _ray() -> Any:
    try:
        import_module("ray.exceptions")
        ray = import_module("ray")
    except ImportError:
        raise ValueError('ray: expected the package Ray, got none; in a clone: pip install ".[ray]"') from None
    if tuple(map(int, re.findall(r"\d+", ray.__version__)[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ValueError(
            f"ray: expected Ray {oldest} or later, whose clusters can ask for a token, got {ray.__version__}"
        )
    return ray


@contextmanager
def _connected(ray: Any, address: str, patience: float) -> Iterator[None]:
    """A connection to a cluster, or to one that is started here and ends with it."""
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)  # an exec follows at once
            with _on_loopback():
                ray.init(address="local", num_cpus=cores(), include_dashboard=False, **quiet)
        _check_loopback(ray)
    else:
        _check_answers(address, patience)
        ray.init(address=address, **quiet)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _on_loopback() -> Iterator[None]:
    """A cluster that starts in the block listens on 127.0.0.1: whoever reaches it may run what they like.

    On Linux Ray takes another address of the machine, and then listens on all, whatever address it is given; this is
    the switch by which it does not on other systems.
    """
    constants: Any = import_module("ray._private.ray_constants")
    before = getattr(constants, "ENABLE_RAY_CLUSTER", None)  # what came of it is looked up afterwards
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


def _check_loopback(ray: Any) -> None:
    """End a cluster that was started and listens elsewhere: a version of Ray that has no such switch says nothing."""
    found = sorted({node["NodeManagerAddress"] for node in ray.nodes()})
    if found != ["127.0.0.1"]:
        ray.shutdown()
        raise ConnectionError(
            f"ray: expected a cluster that listens on 127.0.0.1 alone, got {', '.join(found) or 'none'}, and ended it; "
            f"use another version than {ray.__version__}, or start one with `ray start` and a token"
        )


def _check_answers(address: str, patience: float) -> None:
    """Connect in another process first: where nothing answers, Ray waits for minutes and then ends its process."""
    if "://" in address or (address != "auto" and not address.rpartition(":")[2].isdecimal()):
        raise ValueError(
            f"address: expected local, auto or HOST:PORT of a cluster that this machine is part of, got {address!r}"
        )
    failed = f"ray: no cluster answers at {address!r} within {patience:g} s"
    if address != "auto":
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), patience).close()
        except (OSError, OverflowError) as error:
            raise ConnectionError(f"{failed}: {error}") from error
    program = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR')"
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, address], capture_output=True, timeout=patience, text=True
        )
    except subprocess.TimeoutExpired:
        raise ConnectionError(f"{failed}; start one with `ray start`") from None
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConnectionError(f"ray: no cluster answers at {address!r}: {why}")


# --- in the workers -----------------------------------------------------------------------------------------


def _made_with(cpus: int) -> dict[str, Any]:
    os.environ["NPROC"] = str(cpus)  # before XLA counts cores for its threads; `cores` reads it, too
    return made_with()


def _do(config: SweepConfig, folder: str, cpus: int, allow_versions: bool, shards: list[int]) -> list[dict]:
    """A task: the records of these shards, which are solved and written here unless they are done."""
    os.environ["NPROC"] = str(cpus)  # before XLA counts cores for its threads; `cores` reads it, too
    here = socket.gethostname()
    work, layout = work_of(config), read_layout(Path(folder))
    if layout is None:
        raise ValueError(f"directory: expected a folder that all machines share, got {folder}, which {here} has not")
    try:
        check_same(layout, Layout(layout.folder, work.description), allow_versions)
    except ValueError as error:
        raise ValueError(f"ray: expected the same packages on every machine, got others on {here}: {error}") from None
    records = {shard: read_record(layout, shard) for shard in shards}
    missing = [shard for shard in shards if records[shard] is None]
    records |= {record["shard"]: record for record in do_shards(work, layout, missing)}
    return [record for record in records.values() if record is not None]
