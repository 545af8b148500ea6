"""Lotteries over messages in the joint game, by gradients: `python benchmarks/lottery_search.py`.

Searches random games of two providers, three states and three actions, and says how many profiles are certified to be
epsilon-equilibria, for which epsilon, before and after the polish; and how often a provider gains by a lottery where
the worst equilibrium in partitions is played.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import equilibrax as eq
import numpy as np
import tyro
from equilibrax._core.files import write_whole
from equilibrax.games import GradientSearch, lottery_regret, search_lotteries

LEVELS = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True)
class Search:
    """Search, certify, and compare with partitions."""

    games: int = 2000
    """Random games."""
    family: str = "uniform"
    """Family of random tables."""
    starts: int = 8
    """Random starts for each."""
    seed: int = 0
    """Seed of the games."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("lottery-search.json")
    """Numbers."""

    def run(self) -> int:
        tables = eq.sample_tables(self.family, self.games, seed=self.seed, states=3, actions=3, providers=2)
        game = eq.PersuasionGame.from_tables(tables)
        started = time.perf_counter()
        found = search_lotteries(game, GradientSearch(starts=self.starts))
        seconds = time.perf_counter() - started
        joint = eq.solve(tables, eq.Joint(dynamics=False), committees=[0b11])
        posted = (joint.worst_partition[:, :, :, None] == np.arange(3)).repeat(2, axis=1)
        deviations = lottery_regret(game, posted, throw=False)
        gains = deviations.epsilon > 1e-6
        lost, lost_partitions = (game.optimum_utility - u for u in (found.found.user_value, deviations.user_value))
        telling = found.within & (lost <= 1e-6)
        numbers: dict[str, Any] = {
            "games": self.games,
            "seconds": seconds,
            "before": {str(e): float((found.epsilon_before <= e).mean()) for e in LEVELS},
            "after": {str(e): float((found.epsilon <= e).mean()) for e in LEVELS},
            "certified": float(found.found.certified.all(axis=1).mean()),
            "first-best for the user, of those within 1e-6": float(telling.sum() / max(1, found.within.sum())),
            "the user's loss, of those within 1e-6": float(lost[found.within].mean()),
            "her loss in the worst equilibrium in partitions": float(lost_partitions.mean()),
            "worst equilibria in partitions where a lottery gains": float(gains.mean()),
            "what it gains there": float(deviations.epsilon[gains].mean()) if gains.any() else 0.0,
        }
        print(json.dumps(numbers, indent=1))
        write_whole(self.out, json.dumps(numbers, indent=1) + "\n")
        return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(Search).run())
