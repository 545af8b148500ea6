"""QuantEcon.py's `pure_nash_brute`, one bimatrix game at a time. The games are made beforehand."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from bench.answers import Answer
from bench.data import Data
from bench.engines import Run
from bench.workloads import Workload

game_theory: Any = import_module("quantecon.game_theory")
FIRST = 16


def prepare(workload: Workload, data: Data) -> Run:
    player = game_theory.Player
    games = [
        # A player's payoffs have its own action first.
        game_theory.NormalFormGame((player(row.astype(float)), player(column.T.astype(float))))
        for row, column in data.utilities
    ]

    def run(count: int) -> Answer:
        pure = np.zeros((count, workload.actions, workload.actions), bool)
        for n in range(count):
            for actions in game_theory.pure_nash_brute(games[n]):
                pure[n][actions] = True
        return {"pure": pure}

    return run
