"""What besides the configuration and equilibrax itself the bytes of a sweep depend on: packages, device, backend."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("jax", "jaxlib", "numpy", "pyarrow", "numba", "highspy")
"""Packages that compute or write what is stored: HiGHS the weights that floating point left doubt about; numba is
optional."""


@lru_cache(maxsize=1)
def made_with() -> dict[str, Any]:
    """Versions of `PACKAGES`, None of one that is not installed; the kind of device and JAX's backend."""
    import jax

    return {
        **{name: _version(name) for name in PACKAGES},
        "device": jax.devices()[0].device_kind,
        "jax_backend": jax.default_backend(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
