"""Where what was compiled is kept for the next process."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def caches() -> Path:
    """`EQUILIBRAX_CACHE_DIR`, or `equilibrax` in the system's folder for caches of this user; it need not exist.

    Raises:
        RuntimeError: where the user has no home.
    """
    said = os.environ.get("EQUILIBRAX_CACHE_DIR", "")
    if said:
        return Path(said)
    system = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(system) if system else Path.home() / _SYSTEM) / "equilibrax"


_SYSTEM = "Library/Caches" if sys.platform == "darwin" else ".cache"
