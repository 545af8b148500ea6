"""Before anything is imported: shapes of the kernels are checked at every call, and hypothesis repeats itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import jaxtyping

# Most of the time goes into compiling, and much of it into compiling the same again in another process: workers of one
# run, and the subprocesses that they start, share what they compile.
_CACHE = str(Path(tempfile.gettempdir()) / f"equilibrax-tests-{os.getpid()}")
_OURS = os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _CACHE) == _CACHE
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
# JAX writes them in place, and says so when it reads one that another process is writing, or was killed in.
_SAID = [f"ignore:Error {done} persistent compilation cache entry:UserWarning" for done in ("reading", "writing")]
os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), *_SAID)))

# Annotations of the kernels become assertions. Calls are traced once, so this costs nothing when the kernels run.
jaxtyping.install_import_hook(["equilibrax_kernels"], "beartype.beartype")

# The first call of a test compiles, so examples have no deadline. `--hypothesis-profile=explore` looks further.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=300)
hypothesis.settings.load_profile("repeatable")

import numpy as np  # noqa: E402
import pytest  # noqa: E402


@pytest.fixture(scope="session")
def tables_of():
    """From tables of the oracle to a batch of the engine's."""
    from equilibrax import from_integers

    def convert(games, resolution=1):
        arrays = {name: np.array([getattr(g, name) for g in games]) for name in ("user", "providers", "prior")}
        return from_integers(**arrays, available=np.array([g.available for g in games]), resolution=resolution)

    return convert


@pytest.fixture(autouse=True, scope="module")
def forget_programs():
    """Kernels compiled by tests themselves use up the process's memory mappings too; see `_core.compile_cache`."""
    yield
    import jax

    jax.clear_caches()


def pytest_sessionfinish():
    if _OURS:
        shutil.rmtree(_CACHE, ignore_errors=True)
