"""How every loop of this package is compiled: without the interpreter's lock, and kept on disk."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """A loop, or a part of one, compiled by numba when it is first called.

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
