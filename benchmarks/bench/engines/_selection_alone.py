"""What a personalized game comes down to: `solve` on the same users' games, given as tables.

Who wins an indifferent user is settled as in markets, where it is the lowest index by default.
"""

from __future__ import annotations

from functools import lru_cache

import equilibrax as eq

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.engines._equilibrax import answer_of, tables_of
from bench.workloads import Workload

FIRST = None


def prepare(workload: Workload, data: Data) -> Run:
    tables = tables_of(data)

    @lru_cache(maxsize=4)
    def first(count: int) -> eq.UtilityTables:
        return tables[:count]

    def run(count: int) -> Answer:
        return answer_of(
            eq.solve(first(count), eq.Selection(tie_break="lowest_index", misalignment=False), throw=False)
        )

    return run
