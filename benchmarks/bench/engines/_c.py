"""Loops in C (`bench/c`), compiled on the spot for the sizes of a workload by whatever C compiler there is.

They are what somebody would write who needs one of these games solved fast, and once: simple, tables in parallel over
all cores, nothing allocated per table. `$CC` (default: cc) must know OpenMP.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.workloads import Workload

FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
_SOURCES = Path(__file__).parents[1] / "c"


def compiler() -> str:
    """The C compiler.

    Raises:
        ImportError: if there is none.
    """
    found = shutil.which(os.environ.get("CC", "cc"))
    if found is None:
        raise ImportError("a C compiler", name="a C compiler (cc)")
    return found


def library(name: str, workload: Workload, *define: str) -> Any:
    """The loops of one file, compiled for the providers, states and actions of a workload."""
    return _compiled(name, workload.providers, workload.states, workload.actions, define)


@cache
def _compiled(name: str, providers: int, states: int, actions: int, define: tuple[str, ...]) -> Any:
    sizes = [f"-DK={providers}", f"-DX={states}", f"-DA={actions}", *(f"-D{word}" for word in define)]
    with tempfile.TemporaryDirectory(prefix="equilibrax-bench-") as folder:
        made = f"{folder}/{name}.so"
        command = [compiler(), *FLAGS, *sizes, str(_SOURCES / f"{name}.c"), "-o", made, "-lm"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ImportError(f"the C compiler: {done.stderr.strip()[:300]}", name="a C compiler with OpenMP")
        loaded = ctypes.CDLL(made)  # stays when the file is gone
    loaded.solve.restype = ctypes.c_long
    return loaded


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """Of a contiguous array; keep the array."""
    if not array.flags.c_contiguous:
        raise ValueError("array: expected a contiguous one")
    return ctypes.c_void_p(array.ctypes.data)


compiler()
