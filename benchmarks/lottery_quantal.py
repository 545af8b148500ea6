"""Lotteries over messages to a user who responds quantally: `python benchmarks/lottery_quantal.py`.

Three states and three actions. What one sender makes of her, whose best rule is certified, by how rational she is; how
long certificates of random rules of two providers take; and how many profiles of two providers a search brings within
which epsilon.
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
class Quantal:
    """Certify, and search."""

    games: int = 200
    """Random games of one sender, and of two whose random rules are certified."""
    searched: int = 50
    """Random games of two senders that are searched."""
    rationality: tuple[float, ...] = (1.0, 10.0, 100.0)
    """Of the user."""
    family: str = "uniform"
    """Family of random tables."""
    seed: int = 0
    """Seed of the games."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("lottery-quantal.json")
    """Numbers."""

    def run(self) -> int:
        numbers: dict[str, Any] = {
            "one sender": {str(r): self.one_sender(r) for r in ("best", *map(eq.Quantal, self.rationality))},
            "random rules": {str(r): self.random_rules(eq.Quantal(r)) for r in self.rationality},
            "search": {str(r): self.search(eq.Quantal(r)) for r in self.rationality},
        }
        print(json.dumps(numbers, indent=1))
        write_whole(self.out, json.dumps(numbers, indent=1) + "\n")
        return 0

    def drawn(self, count: int, providers: int) -> eq.PersuasionGame:
        tables = eq.sample_tables(self.family, count, seed=self.seed, states=3, actions=3, providers=providers)
        return eq.PersuasionGame.from_tables(tables)

    def one_sender(self, response: Any) -> dict[str, float]:
        """Means of what silence, the truth and the sender's best rule are worth to both."""
        game = self.drawn(self.games, 1)
        silent = lottery_regret(game, np.ones((self.games, 1, 3, 1)), response=response, throw=False)
        truth = lottery_regret(game, np.broadcast_to(np.eye(3), (self.games, 1, 3, 3)), response=response, throw=False)
        best, plans = silent.deviation, silent.plans
        told = lottery_regret(game, best, response=response, throw=False)
        found = {
            "certified": float(silent.certified.mean()),
            "sender, silent": float(silent.value.mean()),
            "sender, truth": float(truth.value.mean()),
            "sender, best": float((silent.value + silent.regret_lower).mean()),
            "user, silent": float(silent.user_value.mean()),
            "user, truth": float(truth.user_value.mean()),
        }
        if plans is None:  # who responds best obeys out of indifference, which is not what the rule alone says
            found["user, best"] = float(told.user_value.mean())
        else:
            obeyed = np.einsum("bxs,bxs->b", best[:, 0], np.asarray(game.user)[:, 0][:, :, plans[:, 0]])
            found["user, best"] = float((obeyed / game.scale).mean())
        return found

    def random_rules(self, response: eq.Quantal) -> dict[str, float]:
        """How long a certificate takes, after one for what is compiled."""
        game, rng = self.drawn(self.games, 2), np.random.default_rng(self.seed)
        rules = rng.dirichlet(np.ones(3), (self.games, 2, 3))
        games: Any = game
        lottery_regret(games[:2], rules[:2], response=response, throw=False)
        started = time.perf_counter()
        found = lottery_regret(game, rules, response=response, throw=False)
        seconds = time.perf_counter() - started
        return {
            "ms each": 1e3 * seconds / found.certified.size,
            "certified": float(found.certified.mean()),
            "largest gap": float((found.regret_bound - found.regret_lower).max()),
            "regret": float(found.regret_lower.mean()),
        }

    def search(self, response: eq.Quantal) -> dict[str, Any]:
        """How many profiles are within which epsilon."""
        game = self.drawn(self.searched, 2)
        started = time.perf_counter()
        found = search_lotteries(game, GradientSearch(starts=4), response=response)
        seconds = time.perf_counter() - started
        lost = game.optimum_utility - found.found.user_value
        truth = np.broadcast_to(np.eye(3), (self.searched, 2, 3, 3))
        told = game.optimum_utility - lottery_regret(game, truth, response=response, throw=False).user_value
        return {
            "seconds": seconds,
            "before": {str(e): float((found.epsilon_before <= e).mean()) for e in LEVELS},
            "after": {str(e): float((found.epsilon <= e).mean()) for e in LEVELS},
            "certified": float(found.found.certified.all(axis=1).mean()),
            "within": float(found.within.mean()),
            "the user's loss, of those within": float(lost[found.within].mean()),
            "her loss if she knew the state, of those": float(told[found.within].mean()),
        }


if __name__ == "__main__":
    sys.exit(tyro.cli(Quantal).run())
