"""Whether the loops for CPUs can be compiled here."""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module


@cache
def loops_available() -> bool:
    """Whether numba can be imported; if not, that is said once."""
    try:
        import_module("numba")
    except ImportError as error:
        logging.getLogger("equilibrax").warning(
            "numba cannot be imported (%s), so kernels that XLA compiles serve in place of loops, several times slower",
            error,
        )
        return False
    return True


def need_loops() -> None:
    """Refuse loops where numba cannot be imported."""
    if not loops_available():
        raise ValueError('backend: expected "auto" or "xla" where numba cannot be imported, got "cpu"')
