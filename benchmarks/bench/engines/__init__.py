"""Engines: one file each, with one function.

    def prepare(workload: Workload, data: Data) -> Run

`Run` is a function of a number of tables that solves the first so many and returns their `Answer` in NumPy arrays,
all work done (or a function that fetches the answer, off the clock: a sweep's is on disk). What `prepare` does is not
timed: it puts data into the form that the engine takes. An engine that needs a package which is not installed raises
ImportError when its file is imported. `FIRST` is how many problems an engine is first tried with, which are tables or
the fits that make up a table (None: the workload says); `HOSTS` names the engines that run in another engine's process.

| engine | what it is |
|---|---|
| `equilibrax` | the public API, from `UtilityTables` to NumPy results: loops on a CPU, kernels on an accelerator |
| `equilibrax_xla` | the same by kernels that XLA compiles, on all devices |
| `against` | the public API of another revision of equilibrax, which its process imports |
| `kernels_alone` | `solve` on the tables of a sweep, without drawing or writing them; in equilibrax's process |
| `selection_alone` | `solve` on the games of a market's users as tables; in equilibrax's process |
| `numpy` | dense enumeration, vectorized over tables |
| `c_dense` | dense enumeration in C, tables in parallel over all cores |
| `c_frontier` | schemes state by state with pruning, in C, tables in parallel over all cores |
| `c_subsets` | the joint game by subset programs over stable cells, in C, tables in parallel over all cores |
| `c_simplex` | misalignment by a tableau in C, tables in parallel over all cores |
| `numba_dense` | dense enumeration by numba, tables in parallel over all cores |
| `python` | the paper's own procedure, one pair of schemes at a time |
| `highs`, `daqp`, `scipy` | LP solvers in a loop |
| `moreau` | a batch of LPs by an interior-point method |
| `mpax` | a batch of LPs by a primal-dual first-order method, in JAX |
| `daqp`, `scipy` | the fits of a curve in a loop: quadratic programs on Gram matrices, and `optimize.nnls` on rows |
| `jaxnnls` | the fits of a curve, all prefixes of a fold at once, by an interior-point method in JAX |
| `jax`, `quantecon`, `gambit` | pure equilibria of bimatrix games; `jax` is ours |
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

from bench.answers import Answer
from bench.data import Data
from bench.workloads import Workload

Run = Callable[[int], Answer | Callable[[], Answer]]


class Engine(Protocol):
    """What an engine's file holds."""

    FIRST: int | None

    def prepare(self, workload: Workload, data: Data) -> Run:
        """A function that solves the first so many tables."""
        ...


HOSTS = {"kernels_alone": "equilibrax", "selection_alone": "equilibrax"}
"""Engines that run in another engine's process."""


def load_engine(name: str) -> Engine:
    """The file of an engine.

    Raises:
        ImportError: if it, or a package it needs, is not there.
    """
    return cast(Engine, import_module(f"bench.engines._{name}"))
