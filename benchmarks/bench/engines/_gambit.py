"""Gambit's `enumpure_solve` through pygambit, one bimatrix game at a time. The games are made beforehand."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.workloads import Workload

pygambit: Any = import_module("pygambit")
FIRST = 4


def prepare(workload: Workload, data: Data) -> Run:
    games = [pygambit.Game.from_arrays(row, column) for row, column in data.utilities]

    def run(count: int) -> Answer:
        pure = np.zeros((count, workload.actions, workload.actions), bool)
        for n in range(count):
            for profile in pygambit.nash.enumpure_solve(games[n]).equilibria:
                actions = [
                    [profile[strategy] for strategy in player.strategies].index(1) for player in games[n].players
                ]
                pure[n][tuple(actions)] = True
        return {"pure": pure}

    return run
