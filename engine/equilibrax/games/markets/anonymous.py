"""The anonymous game: one public partition of each provider for all users; and results of listed games."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jax.sharding import Mesh

from equilibrax._core.status import Status
from equilibrax.games._options import Rationality, Response
from equilibrax.games.markets.game import MarketDynamics, MarketGame
from equilibrax.games.markets.profiles import PostingGame, solve_postings
from equilibrax.games.markets.rules import list_rules
from equilibrax.problems.market import Market


@dataclass(frozen=True)
class Anonymous(MarketGame):
    """Of many users, each takes the provider that is best for her; a provider posts one partition for all of them.

    2602.13451, Definition 2.3. All profiles of the members' partitions are compared.

    Example:
        >>> import equilibrax as eq
        >>> eq.solve(eq.problems.theorem_4_1_market(), eq.Anonymous(), committees=[0b11]).worst_utility.tolist()
        [[[0.2, 0.2]]]
    """

    name: ClassVar[str] = "anonymous"
    tie_break: ClassVar[str] = "lowest_index"

    response: Response = "best"
    """How users act in a cell: the best action, ties to the lowest, or quantally."""
    dynamics: MarketDynamics = True
    """Whether to run best-response dynamics: in turn a provider moves to the first of its best rules. Of a Dynamics,
    the step limit counts."""
    profiles: bool = True
    """Whether to list and compare all profiles; markets that are too large for it have dynamics only."""

    def fields(self, market: Market, masks: np.ndarray, how: Rationality, mesh: Mesh | None) -> dict[str, Any]:
        """All profiles, and dynamics."""
        return solved_fields(self, self.postings(market, how), masks, mesh)

    def postings(self, market: Market, how: Rationality) -> PostingGame:
        """A provider's strategy is a partition, the same for all users."""
        rules = list_rules(market.provider_sees, None)
        own = np.repeat(rules.own[:, None], market.users, axis=1)
        return PostingGame(market, rules, own, rules.exists, False, how)


def solved_fields(options: MarketGame, game: PostingGame, masks: np.ndarray, mesh: Mesh | None) -> dict[str, Any]:
    """Fields of a `MarketResult` of a listed game."""
    turns = options.turns
    limit = turns.step_limit if turns else 0
    raw = solve_postings(game, masks, listed=options.profiles, dynamics=turns is not None, step_limit=limit, mesh=mesh)
    return fields(game, raw, masks, options.profiles, turns is not None)


def fields(game: PostingGame, raw: dict[str, np.ndarray], masks: np.ndarray, listed: bool, dynamics: bool):
    """Fields of a `MarketResult` from profiles and trajectories."""
    market = game.market
    b, n, x, _ = market.user.shape
    c, k = len(masks), market.num_providers
    kind = np.float64 if game.how.quantal else np.int64
    status = np.zeros((b, c), np.int32)
    if listed:
        some = raw["count"] > 0
        status |= np.where(some, 0, int(Status.NO_EQUILIBRIUM)).astype(np.int32)
        found = {
            "worst_value": np.where(some[..., None], raw["worst"], -1).astype(kind),
            "best_value": np.where(some[..., None], raw["best"], -1).astype(kind),
            "equilibria": np.repeat(raw["count"].astype(np.int64)[..., None], n, axis=2),
            "worst_rules": np.where(some[..., None, None, None], _rules_at(game, raw["profile"]), np.int8(-1)),
            "worst_choice": np.where(some[..., None, None], raw["choice"], -1).astype(np.int32),
        }
    else:
        found = {
            "worst_value": np.full((b, c, n), -1, kind),
            "best_value": np.full((b, c, n), -1, kind),
            "equilibria": np.full((b, c, n), -1, np.int64),
            "worst_rules": np.broadcast_to(np.int8(-1), (b, c, n, k, x)),
            "worst_choice": np.broadcast_to(np.int32(-1), (b, c, n, n)),
        }
    if dynamics:
        cycle, ended = raw["dynamics_cycle"], raw["dynamics_ended"]
        status |= np.where(cycle, int(Status.CYCLE), 0).astype(np.int32)
        status |= np.where(cycle | ended, 0, int(Status.DYNAMICS_LIMIT)).astype(np.int32)
        everybody = np.broadcast_to(raw["dynamics_profile"][:, :, None], (b, c, n, k))
        found |= {
            "dynamics_value": raw["dynamics_value"].astype(kind),
            "dynamics_rules": _rules_at(game, everybody),
            "dynamics_choice": raw["dynamics_choice"].astype(np.int32),
            "dynamics_steps": np.repeat(raw["dynamics_steps"].astype(np.int64)[..., None], n, axis=2),
        }
    else:
        found |= dict.fromkeys(("dynamics_value", "dynamics_rules", "dynamics_choice", "dynamics_steps"))
    return found | {"status": status}


def _rules_at(game: PostingGame, profile: np.ndarray) -> np.ndarray:
    """`[B, C, N, K, X]` labels from strategies `[B, C, N, K]`; -1 for -1."""
    k, n, _ = game.own.shape
    numbers = game.own[np.arange(k), np.arange(n)[:, None], profile]
    return np.where((profile >= 0)[..., None], game.rules.rules[numbers], np.int8(-1))
