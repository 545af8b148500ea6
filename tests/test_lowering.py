"""Every kernel lowers for GPUs and TPUs, on a machine that has neither; what they compute there, `benchmarks/gpu.py` sees."""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
import re
import sys
from functools import cache
from pathlib import Path

import equilibrax_kernels
import jax
import pytest


@cache
def script():
    path = Path(__file__).parents[1] / "benchmarks" / "gpu.py"
    spec = importlib.util.spec_from_file_location("gpu", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def traced(name):
    """A case with its program, not yet lowered."""
    case = next(case for case in script().small_cases(8) if case.name == name)
    with jax.enable_x64(True):
        return case.compiled.trace(*case.inputs(case.check))


NAMES = [case.name for case in script().small_cases(8)]


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("name", NAMES)
def test_kernels_lower(name, platform):
    with jax.enable_x64(True):
        text = traced(name).lower(lowering_platforms=(platform,)).as_text()
    print(platform, name, len(text), set(re.findall(r"custom_call[ @]+([\w.]+)", text)),
      set(re.findall(r"stablehlo.bitcast_convert.*", text)) )
