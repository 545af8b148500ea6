"""Markets and their results as rows, as `equilibrax.rows.committees` does for tables.

| rows | one per | columns |
|---|---|---|
| `user_rows` | (market, committee, user) | who it is about, the game, equilibria, benchmark, bound, dynamics, status |
| `market_rows` | market | the market itself, exactly |

Rows of several games can be put together; columns say which game a row is about.

Letters: B markets, N users, K providers, X states, A actions, C committees.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax._core.columns import declared
from equilibrax.problems.market import Market
from equilibrax.rows._building import Extractors, along_batch, batch_names, build_rows, sizes, status_words
from equilibrax.rows.committees import iter_rows
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
}


def _scaled(name: str, *steps: str) -> Callable[[Market], Any]:
    """An array of the market in units."""

    def value(market: Market) -> Any:
        values = getattr(market, name)
        return None if values is None else np.asarray(values) / prod(getattr(market, step) for step in steps)

    return value


def _sight(name: str) -> Callable[[Market], np.ndarray]:
    """Labels that all markets share."""

    def value(market: Market) -> np.ndarray:
        labels = np.array(getattr(market, name), np.int32)
        return np.broadcast_to(labels, (len(market), *labels.shape))

    return value


_OF_MARKET: Extractors = {
    "market": lambda market: market.market_id,
    "family": lambda market: batch_names(market, 1),
    "user": _scaled("user", "resolution"),
    "components": _scaled("components", "resolution"),
    "weights": _scaled("weights", "weight_resolution"),
    "tensor": _scaled("tensor", "resolution", "weight_resolution"),
    **{name: _sight(name) for name in ("provider_sees", "user_sees", "state_of")},
}


def user_rows(result: Any, promises: MarketPromises | None = None) -> pa.Table:
    """One row per (market, committee, user), in the order of markets, then of committees, then of users.

    `market` is the market's id, `committee` a bitmask (bit j is provider j), `user` her number from 0. Utilities are
    expected utilities. `equilibria` counts rules or profiles, see `MarketResult.counted`.

    Null where there is no number: utilities of a market that was not solved or has no equilibrium, dynamics if it was
    skipped, benchmark and bound without `promises`, a bound where no theorem applies.

    Args:
        result: from `solve`; B markets, C committees and N users.
        promises: from `market_promises` of the same result.

    Returns:
        A table of B x C x N rows with the result's columns.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.problems.theorem_4_1_market(), "personalized", committees=[0b11])
        >>> eq.rows.user_rows(result).select(["committee", "user", "worst_utility", "status"]).to_pylist()[1]
        {'committee': 3, 'user': 1, 'worst_utility': 0.5, 'status': 'OK'}
    """
    promised = {"benchmark": "benchmark", "bound": "bound", "bound_source": "source"}
    own = {name: partial(_promise, promises, attribute) for name, attribute in promised.items()}
    shape = np.shape(result.worst_utility)
    return build_rows(result.columns, shape, (result, result.market), {**_OF_RESULT, **own})


def _promise(promises: MarketPromises | None, attribute: str, result: Any) -> Any:
    return None if promises is None else getattr(promises, attribute)


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


def read_users(path: str | os.PathLike[str]) -> pa.Table:
    """The rows of `user_rows` from a Parquet file, or from all files `users*.parquet` of a folder.

    Args:
        path: a file, or a folder, whose files are read in the order of their names.

    Returns:
        A table with the columns of `user_rows`; other columns are not read.

    Raises:
        ValueError: naming the file and the column, if there is no such file, it is not a Parquet file, or a
            column is absent or of another type.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = eq.rows.user_rows(eq.solve(eq.problems.theorem_4_1_market(), "personalized"))
        ...     eq.rows.write_parquet(rows, f"{folder}/users.parquet")
        ...     eq.rows.read_users(folder).equals(rows)
        True
    """
    return pa.concat_tables(_parts(path))


def _parts(path: str | os.PathLike[str]) -> Iterator[pa.Table]:
    return iter_rows(path, "users")
