"""Pure equilibria of games in normal form as rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax._core.columns import declared
from equilibrax.games import NashResult
from equilibrax.rows._building import build_rows, status_words


def profile_rows(result: NashResult) -> pa.Table:
    """One row per equilibrium, in the order of games, then of profiles; games without one have no row.

    What columns mean is in docs/normal_form.md.

    Args:
        result: of `eq.solve(games, eq.Nash())`.

    Returns:
        A table with a row per equilibrium.

    Raises:
        ValueError: if it is no such result.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.profile_rows(eq.solve(eq.tragedy_of_power(), eq.Nash()))
        >>> rows.select(["profile_names", "payoffs", "efficient", "efficiency_gap"]).to_pylist()
        [{'profile_names': 'no Build, Kill', 'payoffs': [1.0, 1.0], 'efficient': False, 'efficiency_gap': 1.0}]
    """
    if not isinstance(result, NashResult):
        raise ValueError(f"result: expected that of the nash game, got {type(result).__name__}")
    found, games = result.efficiency(), result.games
    own: dict[str, Any] = {
        "game_id": lambda found: result.table_id[found.game],
        "family": lambda found: (found.game, games.names()),
        "seed": lambda found: games.seed,
        "players": lambda found: games.num_players,
        "actions": lambda found: np.tile(games.num_actions, (len(found.game), 1)),
        "equilibria": lambda found: result.equilibria[found.game],
        "symmetric_equilibria": lambda found: result.symmetric_equilibria[found.game],
        "profile_names": lambda found: [", ".join(games.profile_names(profile)) for profile in found.profile],
        "efficiency_gap": lambda found: found.gap,
        "negishi_weights": lambda found: found.weights,
        "status": lambda found: status_words(result.status[found.game]),
    }
    return build_rows(declared("profiles"), (len(found.game),), (found,), own)
