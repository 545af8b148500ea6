"""What a sweep spends in its kernels: `solve` on the same tables, shard by shard, nothing drawn and nothing written."""

from __future__ import annotations

import equilibrax as eq
import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.engines._equilibrax import sweep_config
from bench.workloads import Workload

FIRST = None


def prepare(workload: Workload, data: Data) -> Run:
    config = sweep_config(workload, workload.tables)
    sizes = {"states": config.states, "actions": config.actions, "providers": config.providers}
    shard = min(config.shard_size, workload.tables)
    shards = [
        eq.sample_tables(config.family, shard, **sizes, seed=config.seed, start=start)
        for start in range(0, workload.tables, shard)
    ]

    def run(count: int) -> Answer:
        results = [eq.solve(tables, throw=False) for tables in shards[: -(-count // shard)]]
        first = results[0]
        assert first.misalignment is not None
        return {
            "worst_utility": first.worst_utility,
            "count": first.equilibria,
            "misalignment": first.misalignment,
            "_retries": np.int64(sum(result.retries.sum() for result in results)),
        }

    return run
