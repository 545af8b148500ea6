"""Lotteries over messages in the joint game, beside partitions: `python benchmarks/lottery_search.py`.

Searches random games of two senders, three states and three actions from random starts, polishes every start, and says
how many profiles are certified to be epsilon-equilibria, for which epsilon, before and after the polish; how many
different outcomes the starts of a game come to, and what the user has in the worst. Beside that, the worst equilibrium
in partitions, which is exact: how often a lottery gains a provider something there, where best replies lead from
there, and how often both providers are better off with lotteries that were found. What docs/lotteries.md says.
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

    games: int = 10_000
    """Random games."""
    family: str = "senders"
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
        search_lotteries(game[:64], GradientSearch(starts=self.starts))  # compiles
        numbers: dict[str, Any] = {"games": self.games, "family": self.family}
        for name, every in (("best", False), ("every", True)):
            started, worked = time.perf_counter(), time.process_time()
            found = search_lotteries(game, GradientSearch(starts=self.starts, every=every))
            numbers[name] = {"seconds": time.perf_counter() - started, "CPU seconds": time.process_time() - worked}
            numbers[name]["games per second"] = self.games / numbers[name]["seconds"]
        numbers |= regrets(found) | outcomes(game, found)
        joint = eq.solve(tables, eq.Joint(dynamics=False), committees=[0b11])
        posted = (joint.worst_partition[:, :, :, None] == np.arange(3)).repeat(2, axis=1).astype(float)
        numbers["partitions"] = beside_partitions(game, found, posted)
        print(json.dumps(numbers, indent=1))
        write_whole(self.out, json.dumps(numbers, indent=1) + "\n")
        return 0


def regrets(found: Any) -> dict[str, Any]:
    """Shares below each level."""
    return {
        "before": {f"{e:g}": _share(found.epsilon_before <= e) for e in LEVELS},
        "after": {f"{e:g}": _share(found.epsilon <= e) for e in LEVELS},
        "of all starts": {f"{e:g}": _share(found.reached_epsilon <= e) for e in LEVELS},
        "certified": _share(found.found.certified.all(axis=1)),
    }


def outcomes(game: Any, found: Any) -> dict[str, Any]:
    """What everybody has, and how many outcomes a game's starts come to."""
    number, worst = found.outcomes()
    within, best = found.within, game.optimum_utility
    return {
        "utilities": {
            "user": float(found.found.user_value[within].mean()),
            "providers": found.found.value[within].mean(axis=0).tolist(),
            "first-best of the user": float(best[within].mean()),
        },
        "games by number of outcomes": np.bincount(number).tolist(),
        "first-best": _share((best - found.found.user_value <= 1e-6)[within]),
        "loss": float((best - found.found.user_value)[within].mean()),
        "worst outcome is first-best": _share((best - worst <= 1e-6)[within]),
        "loss in the worst outcome": float((best - worst)[within].mean()),
    }


def beside_partitions(game: Any, found: Any, posted: np.ndarray) -> dict[str, Any]:
    """The worst equilibria in partitions `[B, K, X, X]`: whether lotteries gain something, and what that does."""
    before = lottery_regret(game, posted, throw=False)
    moved = before.epsilon > 1e-6
    replies = search_lotteries(game, GradientSearch(starts=1, steps=20, every=True, polish=8), beside=posted[:, None])
    after, settled = replies.reached[:, 1], replies.reached_epsilon[:, 1] <= 1e-6
    change = after[:, 0] - before.user_value
    number, worst = found.outcomes()
    own = found.reached[:, :, 1:] - before.value[:, None]
    within = found.reached_epsilon <= 1e-6
    both = within & (own >= -1e-9).all(axis=2) & (own > 1e-6).any(axis=2)
    pick = np.where(both, found.reached[:, :, 0], np.inf).argmin(axis=1)
    hers = found.reached[np.arange(len(pick)), pick, 0] - before.user_value
    some = both.any(axis=1)
    return {
        "utilities": {"user": float(before.user_value.mean()), "providers": before.value.mean(axis=0).tolist()},
        "loss": float((game.optimum_utility - before.user_value).mean()),
        "a lottery gains": _share(moved),
        "what it gains there": _mean(before.epsilon[moved]),
        "best replies from there settle": _share(settled[moved]),
        "she loses": _share((change < -1e-6)[moved & settled]),
        "she gains": _share((change > 1e-6)[moved & settled]),
        "change of her utility": _mean(change[moved & settled]),
        "change of the providers'": (after[:, 1:] - before.value)[moved & settled].mean(axis=0).tolist(),
        "better for providers": _share(some),
        "what they gain there": own[np.arange(len(pick)), pick][some].mean(axis=0).tolist() if some.any() else [],
        "change of her utility there, at worst": _mean(hers[some]),
        "share where she loses there": _share((hers < -1e-6)[some]),
        "her worst outcome is below": _share((worst < before.user_value - 1e-6)[number > 0]),
        "her worst outcome is above": _share((worst > before.user_value + 1e-6)[number > 0]),
    }


def _share(of: np.ndarray) -> float:
    return float(np.mean(of)) if np.size(of) else 0.0


def _mean(of: np.ndarray) -> float:
    return float(np.mean(of)) if np.size(of) else 0.0


if __name__ == "__main__":
    sys.exit(tyro.cli(Search).run())
