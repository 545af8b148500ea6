"""Markets and their results as rows, as `equilibrax.rows.committees` does for tables.

| rows | one per | columns |
|---|---|---|
| `user_rows` | (market, committee, user) | who it is about, the game, equilibria, benchmark, bound, dynamics, status |
| `market_rows` | market | the market itself, exactly |

Rows of several games can be put together; columns say which game a row is about.

Letters: B markets, N users, K providers, X states, A actions, C committees.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from equilibrax._core.columns import COLUMNS, declared
from equilibrax.problems.market import Market
from equilibrax.rows._building import (
    Extractors,
    along_batch,
    batch_names,
    build_rows,
    committee_names,
    sizes,
    status_words,
    unique_names,
)
from equilibrax.theory.market_guarantees import MarketPromises

_OF_RESULT: Extractors = {
    "market": lambda result: along_batch(result.market.market_id, 3),
    "family": lambda result: batch_names(result.market, 3),
    "game": lambda result: result.game.name,
    "committee": lambda result: result.committees[:, None],
    "committee_size": lambda result: sizes(result.committees)[:, None],
    "user": lambda result: np.arange(result.market.users),
    "optimum": lambda result: result.market.optimum_utility[:, None],
    "status": lambda result: status_words(result.status[..., None]),
    "market_name": lambda result: unique_names(result.market, 3),
    "committee_names": lambda result: (committee_names(result)[0][:, None], committee_names(result)[1]),
    "user_name": lambda result: (np.arange(result.market.users), list(result.market.user_names())),
}


_OF_MARKET: Extractors = {
    "market": lambda market: market.market_id,
    "family": lambda market: batch_names(market, 1),
    "user": lambda market: _real(market.user, market.resolution),
    "components": lambda market: _real(market.components, market.resolution),
    "weights": lambda market: _real(market.weights, market.weight_resolution),
    "tensor": lambda market: _real(market.tensor, market.resolution * market.weight_resolution),
    "provider_sees": lambda market: np.array(market.provider_sees)[None],
    "user_sees": lambda market: np.array(market.user_sees)[None],
    "state_of": lambda market: np.array(market.state_of)[None],
}


def _real(values: Any, steps: int) -> Any:
    return None if values is None else np.asarray(values) / steps


def user_rows(result: Any, promises: MarketPromises | None = None, groups: Sequence[Literal["names"]] = ()) -> pa.Table:
    """One row per (market, committee, user), in the order of markets, then of committees, then of users.

    `market` is the market's id, `committee` a bitmask (bit j is provider j), `user` her number from 0. Utilities are
    expected utilities. `equilibria` counts rules or profiles, see `MarketResult.counted`.

    Null where there is no number: utilities of a market that was not solved or has no equilibrium, dynamics if it was
    skipped, benchmark and bound without `promises`, a bound where no theorem applies.

    Args:
        result: from `solve`; B markets, C committees and N users.
        promises: from `market_promises` of the same result.
        groups: optional columns: "names" (of markets, committees and users).

    Returns:
        A table of B x C x N rows with the result's columns, and those of the groups.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.problems.theorem_4_1_market(), "personalized", committees=[0b11])
        >>> eq.rows.user_rows(result).select(["committee", "user", "worst_utility", "status"]).to_pylist()[1]
        {'committee': 3, 'user': 1, 'worst_utility': 0.5, 'status': 'OK'}
    """
    promised = {"benchmark": "benchmark", "bound": "bound", "bound_source": "source"}
    promised = SimpleNamespace(**{name: getattr(promises, own, None) for name, own in promised.items()})
    columns = (*result.columns, *(column for column in COLUMNS["users"] if column.group in groups))
    return build_rows(columns, np.shape(result.worst_utility), (result, promised, result.market), _OF_RESULT)


def market_rows(market: Market) -> pa.Table:
    """One row per market: everything that defines it, exactly.

    What columns mean is in docs/markets.md.

    Args:
        market: B markets.

    Returns:
        A table of B rows; the lists are of fixed size.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.market_rows(eq.problems.theorem_5_2_market()[0])
        >>> rows.select(["users", "weights", "prior"]).to_pylist()
        [{'users': 1, 'weights': [0.5], 'prior': [1, 1]}]
    """
    return build_rows(declared("markets"), (len(market),), (market,), _OF_MARKET, fixed=True)
