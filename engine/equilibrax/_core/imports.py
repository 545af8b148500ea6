"""What need not be loaded before an answer, though others ask for it."""

from __future__ import annotations

import gc
import os
import sys
import threading
from importlib import import_module
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

_LATER = ("chex", "optax", "scipy.linalg.cython_blas")
_taking = threading.Lock()
_ASKED = ("__path__", "__pyx_capi__")  # by imports of what is within, and by compiled code that calls it


def start_quickly() -> None:
    """For a process that is a command, before it loads anything.

    Arrow loads pandas, if it is there, to ask whether the first array that it sees is of it; no command has any. chex
    and optax are for kernels that XLA compiles and for searches, which load them when they run; numba only asks whether
    scipy has BLAS, which no loop of ours calls; matplotlib describes, for readers, what can be set of everything that
    it draws. And nothing that is loaded is garbage: Python would look through all of it dozens of times. Arrow's own
    allocator gives memory back to the system between files, which clears every page again.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    gc.set_threshold(100_000, *gc.get_threshold()[1:])
    sys.meta_path.insert(0, _NoPandas())
    sys.meta_path.insert(0, _NoDescriptions())
    for name in _LATER:
        sys.modules.setdefault(name, _Later(name))


class _Later(ModuleType):
    """Stands for a module until something of it is asked for. (Python's own lazy modules are loaded by `import`.)"""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _ASKED:  # of those that look through all modules
            raise AttributeError(name)
        with _taking:  # once: another thread may ask, too
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("commands do without pandas", name="pandas")


class _NoDescriptions(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname == "matplotlib.patches" and (artist := sys.modules.get("matplotlib.artist")):
            sys.meta_path.remove(self)
            artist.kwdoc = lambda _: ""  # pyright: ignore[reportAttributeAccessIssue]
