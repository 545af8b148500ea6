"""The anonymous game: one public partition of each provider for all users; and results of listed games."""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax._core.status import Status
from equilibrax.games._market_rules import list_rules
from equilibrax.games._profiles import PostingGame, solve_postings
from equilibrax.games.responses import Rationality
from equilibrax.problems.market import Market


def anonymous_game(market: Market, how: Rationality, tolerance: float) -> PostingGame:
    """A provider's strategy is a partition, the same for all users."""
    rules = list_rules(market.provider_sees, None)
    own = np.repeat(rules.own[:, None], market.users, axis=1)
    return PostingGame(market, rules, own, rules.exists, False, how, tolerance)


def solve_anonymous(
    market: Market,
    masks: np.ndarray,
    how: Rationality,
    tolerance: float,
    *,
    listed: bool,
    dynamics: bool,
    step_limit: int,
    mesh,
) -> dict[str, Any]:
    """Fields of a `MarketResult`."""
    game = anonymous_game(market, how, tolerance)
    raw = solve_postings(game, masks, listed=listed, dynamics=dynamics, step_limit=step_limit, mesh=mesh)
    return fields(game, raw, masks, listed, dynamics)


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
