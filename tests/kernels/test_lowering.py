"""Every kernel lowers for GPUs and for TPUs, on a machine that has neither: the cases of `benchmarks/gpu.py`.

That is JAX's part of the way: programs without custom calls, which XLA's compilers then take. What they make of them on
a GPU `benchmarks/gpu.py` has seen (`benchmarks/README.md`); on a TPU nobody has.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from functools import cache
from pathlib import Path
from types import FunctionType

import equilibrax_kernels
import jax
import numpy as np
import pytest

NOT_FOR_TPUS = {"curve-nnls-5x30", "nnls-6x40", "transcripts"}
"""Cases that lower but do not compile for TPUs: they look at the bits of 64-bit floating-point numbers, and XLA, which
makes pairs of 32-bit numbers of them there, does not do that ("While rewriting computation to not contain X64 element
types, XLA encountered an HLO for which this rewriting is not implemented: bitcast-convert"; jax-ml/jax#21108). Least
squares packs a score and its place into one integer; `jax.random.uniform`, by which messages are drawn, fills
mantissas. On the CPU and on GPUs these are among the cheapest things to do."""


def script():
    path = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
    spec = importlib.util.spec_from_file_location("gpu", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = {case.name: case for case in script().small_cases(8)}  # lowering is quick, compiling would take minutes
_reached = set()


@cache
def traced(name):
    """The program of a case, not yet lowered. Notes which functions were called."""
    with jax.enable_x64(True):
        inputs = CASES[name].inputs(8)
        sys.setprofile(lambda frame, event, _: _reached.add(frame.f_code) if event == "call" else None)
        try:
            return CASES[name].compiled.trace(*inputs)
        finally:
            sys.setprofile(None)


def lowered(name, platform):
    with jax.enable_x64(True):
        return traced(name).lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("name", CASES)
def test_kernels_lower(name, platform):
    text = lowered(name, platform)
    assert "func.func public @main" in text
    assert "custom_call" not in text
    looks_at_bits = re.search(r"bitcast_convert .*f64", text) is not None
    assert looks_at_bits == (name in NOT_FOR_TPUS)


def test_platforms_get_programs_of_their_own():
    """On a CPU lists are sorted by a network, which lowering for another platform leaves out."""
    assert "stablehlo.sort" not in lowered("sorting-100-int32", "cpu")
    assert "stablehlo.sort" in lowered("sorting-100-int32", "cuda")


@pytest.mark.slow
def test_every_kernel_is_in_some_case():
    walked = pkgutil.walk_packages(equilibrax_kernels.__path__, "equilibrax_kernels.")
    no_kernels = ("cpu", "loops", "intervals", "host_keys", "caches")  # loops and NumPy are not for accelerators
    names = [module.name for module in walked if not set(module.name.split(".")) & set(no_kernels)]
    kernels = {}
    for name in names:
        for function in vars(importlib.import_module(name)).values():
            if isinstance(function, FunctionType) and function.__module__ == name:
                kernels[f"{name}.{function.__name__}"] = inspect.unwrap(function).__code__
    kernels = {name: code for name, code in kernels.items() if not name.rpartition(".")[2].startswith("_")}
    for name in CASES:
        traced(name)
    assert len(kernels) > 50
    assert {name for name, code in kernels.items() if code not in _reached} == set()


def test_what_no_certificate_covers_is_wrong_even_if_it_is_so_everywhere():
    gpu = script()
    case = gpu.Case("zeros", lambda a: {"certified": a > 0}, lambda count: (np.arange(count),), 4)
    assert gpu.check(case, jax.devices()[0]) == "['certified']: 1 of 4 entries are not"
