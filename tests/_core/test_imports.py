"""What a command does not load, and that it is there when it is needed."""

from __future__ import annotations

import subprocess
import sys


def _run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def test_commands_load_no_pandas_and_libraries_of_kernels_when_they_are_used():
    _run("""
import sys
from equilibrax._core.imports import start_quickly
start_quickly()
import numpy as np, pyarrow as pa
assert pa.array(np.arange(3)).to_pylist() == [0, 1, 2]
assert "pandas" not in sys.modules
try:
    import pandas
except ModuleNotFoundError:
    pass
else:
    raise AssertionError
import chex, optax
assert "jax" not in sys.modules
chex.assert_rank(np.zeros(2), 1)
assert optax.sgd(1.0).init({}) is not None and "jax" in sys.modules
""")


def test_numba_is_loaded_without_scipy_and_finds_blas_later():
    _run("""
import sys
from equilibrax._core.imports import start_quickly
start_quickly()
from equilibrax._core.loops import loops_available
assert loops_available()
import numba.np.arraymath
assert "scipy.linalg" not in sys.modules and not sys.modules["scipy.linalg.cython_blas"].__spec__
import numpy as np
assert numba.njit(lambda a: np.dot(a, a))(np.ones((2, 2))).tolist() == [[2.0, 2.0], [2.0, 2.0]]
assert sys.modules["scipy.linalg.cython_blas"].__spec__
""")


def test_figures_are_drawn_without_descriptions_of_what_can_be_set():
    _run("""
from equilibrax._core.imports import start_quickly
start_quickly()
import matplotlib.artist, matplotlib.figure, matplotlib.lines
assert matplotlib.artist.kwdoc(matplotlib.lines.Line2D) == ""
figure = matplotlib.figure.Figure()
assert figure.subplots().plot([1, 2], linewidth=3)[0].get_linewidth() == 3
""")


def test_a_thread_that_starts_while_another_loads_the_loops_sees_no_stand_in():
    """Without commands nothing stands in for another's modules, not for a moment."""
    _run("""
import sys, threading
from equilibrax._core.loops import loops_available
stand_ins, done = [], threading.Event()
def watch():
    while not done.is_set():
        module = sys.modules.get("scipy.linalg.cython_blas")
        if module is not None and module.__spec__ is None:
            stand_ins.append(module)
thread = threading.Thread(target=watch)
thread.start()
loops_available()
done.set()
thread.join()
assert not stand_ins
""")
