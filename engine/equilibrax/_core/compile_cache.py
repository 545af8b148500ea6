"""The programs that equilibrax compiles: kept on disk for the next process, and in memory forgotten in time.

Each holds hundreds of memory mappings of the process.

XLA maps the code of every small kernel of a program by itself, and Linux lets a process have 65,530 mappings
(`vm.max_map_count`). Where they end, so does the process, with a segmentation fault inside the compiler: after about a
hundred solves of different shapes. Programs that are needed again are compiled again. Programs of the user, in the
same process, stay: only what `jit` of this module made is forgotten.
"""

from __future__ import annotations

import gc
import hashlib
import os
import platform
import tempfile
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import jax
from equilibrax_kernels.caches import caches

_EVERY = 16  # programs compiled between two looks at the mappings, which take about a millisecond

_MOST_KEPT = 2**28  # bytes on disk; those that were not used for longest go
_WORTH_KEEPING = 0.1  # seconds that a program takes to compile
_ENTRY, _USED = "-cache", "-atime"  # as JAX ends the names of its files: a program, and when it was last used

_since = 0  # programs compiled since the last look
_others = 0  # mappings that were left when ours were forgotten
_ours: WeakSet[Any] = WeakSet()
_adding = threading.Lock()  # a set that another thread adds to cannot be gone through


def jit(function: Callable, **options: Any) -> Any:
    """`jax.jit(function, **options)`, whose programs `make_room` may forget."""
    compiled = jax.jit(function, **options)
    with _adding:
        _ours.add(compiled)
    return compiled


def _note(event: str, duration_secs: float, **_: str | int) -> None:
    global _since
    _since += event == "/jax/core/compile/backend_compile_duration"


jax.monitoring.register_event_duration_secs_listener(_note)


def keep_programs() -> None:
    """Keep what XLA compiles for the next process, in a folder that never gets large, unless JAX was told where.

    It is one for each kind of machine, as programs are for it. Nothing is kept where nothing can be written, and what
    cannot be read is compiled again: neither is worth a word.
    """
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    told = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if told is not None or not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return
    try:
        folder = caches() / "xla" / _machine()
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        _mend(folder)
    except (OSError, RuntimeError):  # the latter where there is no home
        return
    jax.config.update("jax_compilation_cache_max_size", _MOST_KEPT)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _WORTH_KEEPING)
    jax.config.update("jax_compilation_cache_dir", str(folder))


def _mend(folder: Path) -> None:
    """Give entries the time of their use that a killed process did not write: without one, JAX writes no others."""
    names = set(os.listdir(folder))
    for name in names:
        if name.endswith(_ENTRY) and (used := name.removesuffix(_ENTRY) + _USED) not in names:
            with suppress(FileExistsError), open(folder / used, "xb") as file:
                file.write(bytes(8))


def _machine() -> str:
    """What XLA compiles for: instructions that the processor has."""
    said = platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        said += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def mappings() -> tuple[int, int]:
    """Memory mappings of this process, and how many it may have; zero and zero where the system does not say."""
    with suppress(OSError, ValueError), Path("/proc/self/maps").open("rb") as lines:
        return sum(1 for _ in lines), int(Path("/proc/sys/vm/max_map_count").read_text())
    return 0, 0


def make_room() -> None:
    """Forget the programs of equilibrax once they use half of the mappings that others leave to this process."""
    global _since, _others
    if _since < _EVERY:
        return
    _since = 0
    used, allowed = mappings()
    if 2 * (used - _others) > allowed - _others:
        with _adding:
            ours = list(_ours)
        for compiled in ours:
            compiled.clear_cache()
        gc.collect()
        _others = mappings()[0]
