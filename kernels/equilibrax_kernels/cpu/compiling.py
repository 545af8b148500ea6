"""How the loops of this package are compiled: without the interpreter's lock, and kept on disk.

They are kept in the user's cache folder (`EQUILIBRAX_CACHE_DIR`, or the system's), under a name that is a digest of all
sources of this package: numba by itself compares only the file of the loop that is called, not those of its parts. Of
other versions of the sources the latest few stay. Each loop is in a file of its own for each kind of arguments, whole
or absent, so that processes may write and remove them at the same time; what cannot be kept is compiled again.
"""

from __future__ import annotations

import gc
import hashlib
import inspect
import logging
import os
import pickle
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config as _config, event as events
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from equilibrax_kernels.caches import caches

_KEPT = 4  # versions of the sources whose loops stay in the cache folder

_logger = logging.getLogger("equilibrax.loops")
_njit: Any = numba.njit
_numba: Any = _config
_WITHOUT_ARRAYS_OF_ITS_OWN = {"_nrt": False, "error_model": "numpy", "no_cfunc_wrapper": True}


def compiled(function: Callable[..., Any]) -> Any:
    """A loop that is called from Python, compiled by numba when it is first called.

    Checks of types that are wrapped around the function (as tests do with every function of the kernels) are dropped:
    numba compiles the function itself.
    """
    return _kept(function)


def loop(function: Callable[..., Any]) -> Any:
    """The same for a loop that is given all its room, and allocates no arrays.

    It compiles faster, and its arrays are not counted as they come and go. Broadcast and sliced assignments allocate.
    """
    return _kept(function, **_WITHOUT_ARRAYS_OF_ITS_OWN)


def part(function: Callable[..., Any]) -> Any:
    """A part of a `loop`, in place of every call: most of what a call would cost is handing over many arrays.

    It allocates and returns no arrays either, and Python cannot call it.
    """
    return _part(function, forceinline=True)


def called(function: Callable[..., Any]) -> Any:
    """A part that is called, unless LLVM finds it small enough: a large loop of many such parts compiles faster."""
    return _part(function)


def spliced(function: Callable[..., Any]) -> Any:
    """A part with one caller, which is compiled as if it were written there."""
    return _part(function, inline="always")


# --- the cache --------------------------------------------------------------------------------------------------------


def _kept(function: Callable[..., Any], **options: Any) -> Any:
    function = inspect.unwrap(function)
    made = _njit(nogil=True, **options)(function)
    if cache_folder() is not None:
        made._cache = _Files(function)
    _kept_loops.add(made)
    return made


def _part(function: Callable[..., Any], **options: Any) -> Any:
    made = _njit(nogil=True, no_cpython_wrapper=True, **options, **_WITHOUT_ARRAYS_OF_ITS_OWN)(inspect.unwrap(function))
    _parts.add(made)
    return made


_kept_loops: set[Any] = set()
_parts: set[Any] = set()


@cache
def cache_folder() -> Path | None:
    """Where compiled loops of these sources are kept; None if nothing can be written there."""
    sources = hashlib.sha256(f"{numba.__version__} {sys.implementation.cache_tag}".encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        sources.update(path.read_bytes())
    try:
        folder = caches() / "loops" / sources.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # the latter where there is no home
        return None
    with suppress(OSError):  # another process tidies up, too
        os.utime(folder)
        for old in sorted(folder.parent.iterdir(), key=lambda other: other.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    return folder


class _Files(NullCache):
    """A loop's compiled code in files, as numba asks for it.

    Numba's own keeps an index per loop, which two processes can both replace, so that one kind of arguments gets the
    code of another; and it raises where a file cannot be read or written.
    """

    def __init__(self, function: Callable[..., Any]):
        self._code = function.__code__
        name = function.__qualname__.replace("<locals>", "")
        self._name = f"{function.__module__}.{name}-{self._code.co_firstlineno}"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        key = self._key(sig, target_context.codegen())
        try:
            found, kept = pickle.loads(self._file(key).read_bytes())
            return CompileResult._rebuild(target_context, *kept) if found == key else None
        except Exception:  # there is none, or half of one since a machine went down
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if data.lifted or data.library.has_dynamic_globals:  # code of this process alone
            return
        file = self._file(key := self._key(sig, data.codegen))
        temporary = file.with_name(f"{file.name}.{secrets.token_hex(8)}.tmp")
        with suppress(OSError):  # the disk is full, or another process has tidied the folder away
            try:
                temporary.write_bytes(dumps((key, data._reduce())))
                os.replace(temporary, file)
            finally:
                temporary.unlink(missing_ok=True)

    def _key(self, sig: Any, codegen: Any) -> Any:
        return sig, codegen.magic_tuple(), self._code.co_code

    def _file(self, key: Any) -> Path:
        folder = cache_folder()
        assert folder is not None
        return folder / f"{self._name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.loop"


class _Said(events.Listener):
    """Says once when loops are compiled, not found in the cache."""

    said = False

    def on_start(self, event: Any) -> None:
        if not _Said.said and event.data["dispatcher"] in _kept_loops:
            _Said.said = True
            _logger.info(
                "compiling loops for this machine, which takes seconds, once; `equilibrax warmup` does it ahead"
            )

    def on_end(self, event: Any) -> None:
        pass


class _Parts(events.Listener):
    """Parts are not compiled as far as machine code, and only tidied up: loops take them in, and optimize all.

    That is almost half of the time. Where numba is built otherwise, they are compiled as numba does it.
    """

    def __init__(self) -> None:
        self.levels: list[Any] = []
        self.collecting = False
        codegen = cpu_target.target_context.codegen()  # pyright: ignore[reportAttributeAccessIssue]
        add_module, set_env = codegen._add_module, codegen.set_env
        codegen._add_module = lambda module: None if self.in_part else add_module(module)
        codegen.set_env = lambda name, env: None if self.in_part else set_env(name, env)  # of machine code
        of_functions, of_modules = codegen._function_pass_manager, codegen._module_pass_manager
        tidy, nothing = passes.create_new_function_pass_manager(), passes.create_new_module_pass_manager()
        for add in (tidy.add_sroa_pass, tidy.add_instruction_combine_pass, tidy.add_simplify_cfg_pass):
            add()

        def passes_of_functions(**options: Any) -> tuple[Any, Any]:
            return (tidy, codegen._pass_builder(**options)) if self.in_part else of_functions(**options)

        def passes_of_modules(**options: Any) -> tuple[Any, Any]:
            if not self.in_part:
                return of_modules(**options)
            return nothing, codegen._pass_builder(**{name: options[name] for name in options if name != "cost"})

        codegen._function_pass_manager, codegen._module_pass_manager = passes_of_functions, passes_of_modules

    @property
    def in_part(self) -> bool:
        return bool(self.levels) and self.levels[-1] in _parts

    def on_start(self, event: Any) -> None:
        if not self.levels:
            self.collecting = gc.isenabled()
            gc.disable()  # there is nothing to be freed while millions of small objects come
        self.levels.append(event.data["dispatcher"])

    def on_end(self, event: Any) -> None:
        self.levels.pop()
        if not self.levels and self.collecting:
            gc.enable()


events.register("numba:compile", _Said())
with suppress(AttributeError, ImportError):
    from llvmlite.binding import newpassmanagers as passes
    from numba.core.registry import cpu_target

    events.register("numba:compile", _Parts())
