"""equilibrax with the kernels that XLA compiles, where `equilibrax` takes the loops on a CPU."""

from __future__ import annotations

from bench.data import Data
from bench.engines import Run, _equilibrax
from bench.workloads import Workload

FIRST = None


def prepare(workload: Workload, data: Data) -> Run:
    return _equilibrax.prepare(workload, data, backend="xla")
