"""How the loops of this package are compiled: without the interpreter's lock, and kept on disk."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba

_njit: Any = numba.njit
_WITHOUT_ARRAYS_OF_ITS_OWN = {"_nrt": False, "error_model": "numpy", "no_cfunc_wrapper": True}


def compiled(function: Callable[..., Any]) -> Any:
    """A loop that is called from Python, compiled by numba when it is first called.

    Checks of types that are wrapped around the function (as tests do with every function of the kernels) are dropped:
    numba compiles the function itself.
    """
    return _njit(nogil=True, cache=True)(inspect.unwrap(function))


def loop(function: Callable[..., Any]) -> Any:
    """The same for a loop that is given all its room, and allocates no arrays.

    It compiles faster, and its arrays are not counted as they come and go. Broadcast and sliced assignments allocate.
    """
    return _njit(nogil=True, cache=True, **_WITHOUT_ARRAYS_OF_ITS_OWN)(inspect.unwrap(function))


def part(function: Callable[..., Any]) -> Any:
    """A part of a `loop`, in place of every call: most of what a call would cost is handing over many arrays.

    It allocates and returns no arrays either, and Python cannot call it.
    """
    return _njit(nogil=True, forceinline=True, no_cpython_wrapper=True, **_WITHOUT_ARRAYS_OF_ITS_OWN)(
        inspect.unwrap(function)
    )


def called(function: Callable[..., Any]) -> Any:
    """A part that is called, unless LLVM finds it small enough: a large loop of many such parts compiles faster."""
    return _njit(nogil=True, no_cpython_wrapper=True, **_WITHOUT_ARRAYS_OF_ITS_OWN)(inspect.unwrap(function))


def spliced(function: Callable[..., Any]) -> Any:
    """A part with one caller, which is compiled as if it were written there."""
    return _njit(nogil=True, inline="always", no_cpython_wrapper=True, **_WITHOUT_ARRAYS_OF_ITS_OWN)(
        inspect.unwrap(function)
    )
