"""How the loops of this package are compiled: without the interpreter's lock, and kept on disk."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """A loop that is called from Python, or allocates; compiled by numba when it is first called.

    Checks of types that are wrapped around the function (as tests do with every function of the kernels) are dropped:
    numba compiles the function itself.

    Example:
        >>> @compiled
        ... def double(number):
        ...     return 2 * number
        >>> double(21)
        42
    """
    return numba.njit(nogil=True, cache=True)(inspect.unwrap(function))


def part(function: Callable[..., Any]) -> Any:
    """A part of a loop, called from loops alone.

    It compiles several times as fast as a loop and its arrays are not counted as they come and go, so it must not
    allocate arrays nor return any, not even as broadcast or sliced assignments do inside.
    """
    return numba.njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)(
        inspect.unwrap(function)
    )
