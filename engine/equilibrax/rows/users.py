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
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax._core.status import status_names
from equilibrax.problems.market import Market
from equilibrax.rows.committees import iter_rows
from equilibrax.theory.market_guarantees import MarketPromises

USER_SCHEMA = pa.schema(
    [
        ("market", pa.int64()),
        ("family", pa.string()),
        ("seed", pa.int64()),
        ("states", pa.int32()),
        ("actions", pa.int32()),
        ("providers", pa.int32()),
        ("users", pa.int32()),
        ("game", pa.string()),
        ("rules", pa.string()),
        ("response", pa.string()),
        ("rationality", pa.float64()),
        ("tie_break", pa.string()),
        ("committee", pa.int32()),
        ("committee_size", pa.int32()),
        ("user", pa.int32()),
        ("optimum", pa.float64()),
        ("worst_utility", pa.float64()),
        ("best_utility", pa.float64()),
        ("equilibria", pa.int64()),
        ("benchmark", pa.float64()),
        ("bound", pa.float64()),
        ("bound_source", pa.string()),
        ("dynamics_utility", pa.float64()),
        ("dynamics_steps", pa.int64()),
        ("status", pa.string()),
    ]
)
"""Names and types of the columns of `user_rows`, in order."""


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
        A table of B x C x N rows with the columns of `USER_SCHEMA`.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.problems.theorem_4_1_market(), "personalized", committees=[0b11])
        >>> eq.rows.user_rows(result).select(["committee", "user", "worst_utility", "status"]).to_pylist()[1]
        {'committee': 3, 'user': 1, 'worst_utility': 0.5, 'status': 'OK'}
    """
    market = result.market
    b, c, n = shape = np.asarray(result.worst_utility).shape
    total = b * c * n

    def spread(values: Any, axes: tuple[int, ...], kind: Any) -> pa.Array:
        """Values by some of (market, committee, user), repeated over the others."""
        array = np.asarray(values).astype(kind)
        place = [size if axis in axes else 1 for axis, size in enumerate(shape)]
        return pa.array(np.broadcast_to(array.reshape(place), shape).reshape(-1), from_pandas=True)

    def same(value: Any, kind: pa.DataType) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(total, np.int8)), pa.array([value], kind)).cast(kind)

    def number(values: Any) -> pa.Array:
        if values is None:
            return pa.nulls(total, pa.float64())
        return pa.array(np.asarray(values, np.float64).reshape(-1), pa.float64(), from_pandas=True)

    def count(values: Any) -> pa.Array:
        if values is None:
            return pa.nulls(total, pa.int64())
        array = np.asarray(values).astype(np.int64)
        flat = np.broadcast_to(array if array.ndim == 3 else array[..., None], shape).reshape(-1)
        return pa.array(flat, pa.int64(), mask=flat < 0)

    def words(values: np.ndarray, axes: tuple[int, ...]) -> pa.Array:
        found, inverse = np.unique(np.asarray(values, dtype=object).astype(str), return_inverse=True)
        place = [size if axis in axes else 1 for axis, size in enumerate(shape)]
        index = np.broadcast_to(inverse.reshape(place), shape).reshape(-1).astype(np.int32)
        return pa.DictionaryArray.from_arrays(pa.array(index), pa.array(found.tolist(), pa.string())).cast(pa.string())

    committees = np.asarray(result.committees)
    members = (committees[:, None] >> np.arange(market.num_providers)) & 1
    columns = [
        spread(market.market_id, (0,), np.int64),
        words(np.array(market.names(), object), (0,)),
        same(market.seed, pa.int64()),
        same(market.states, pa.int32()),
        same(market.actions, pa.int32()),
        same(market.num_providers, pa.int32()),
        same(market.users, pa.int32()),
        same(result.game.name, pa.string()),
        same(result.rules, pa.string()),
        same(result.response, pa.string()),
        same(result.rationality, pa.float64()),
        same(result.tie_break, pa.string()),
        spread(committees, (1,), np.int32),
        spread(members.sum(axis=1), (1,), np.int32),
        spread(np.arange(n), (2,), np.int32),
        spread(market.optimum_utility, (0, 2), np.float64),
        number(result.worst_utility),
        number(result.best_utility),
        count(result.equilibria),
        number(None if promises is None else promises.benchmark),
        number(None if promises is None else promises.bound),
        pa.nulls(total, pa.string()) if promises is None else words(promises.source, (0, 1, 2)),
        number(result.dynamics_utility),
        count(result.dynamics_steps),
        words(status_names(result.status), (0, 1)),
    ]
    return pa.Table.from_arrays(columns, schema=USER_SCHEMA)


def market_rows(market: Market) -> pa.Table:
    """One row per market: everything that defines it, exactly.

    | column | type | |
    |---|---|---|
    | `market`, `seed` | int64 | |
    | `family` | string | the market's own name, else its family |
    | `states`, `actions`, `users`, `providers` | int32 | X, A, N and K, the shape of the lists |
    | `resolution`, `weight_resolution` | int64 | steps per unit of utility, and of weight |
    | `user` | N X A float64 | users' utilities, by user, then state, then action |
    | `components` | K N X A float64 | F, by provider; null in a general market |
    | `weights` | K N float64 | lambda |
    | `tensor` | float64 | K X A .. A, providers' utilities in a general market, else null |
    | `prior` | X int64 | weights |
    | `available` | N A bool | which actions exist |
    | `provider_sees`, `user_sees`, `state_of` | K X, N X, X int32 | what is observed, and the outcome, as labels |

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
    count = len(market)

    def same(value: Any, kind: type) -> pa.Array:
        return pa.array(np.full(count, value, kind))

    def lists(values: Any) -> pa.Array:
        if values is None:
            return pa.nulls(count, pa.list_(pa.float64(), 1))
        array = np.ascontiguousarray(values)
        return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), array[0].size if count else 1)

    def sight(rows: Any) -> pa.Array:
        labels = np.array(rows, np.int32)
        return lists(np.broadcast_to(labels, (count, *labels.shape)))

    def real(values: Any, steps: int) -> Any:
        return None if values is None else np.asarray(values) / steps

    return pa.table(
        {
            "market": pa.array(np.asarray(market.market_id)),
            "family": pa.array(market.names(), pa.string()),
            "seed": same(market.seed, np.int64),
            "states": same(market.states, np.int32),
            "actions": same(market.actions, np.int32),
            "users": same(market.users, np.int32),
            "providers": same(market.num_providers, np.int32),
            "resolution": same(market.resolution, np.int64),
            "weight_resolution": same(market.weight_resolution, np.int64),
            "user": lists(real(market.user, market.resolution)),
            "components": lists(real(market.components, market.resolution)),
            "weights": lists(real(market.weights, market.weight_resolution)),
            "tensor": lists(real(market.tensor, market.resolution * market.weight_resolution)),
            "prior": lists(np.asarray(market.prior)),
            "available": lists(np.asarray(market.available)),
            "provider_sees": sight(market.provider_sees),
            "user_sees": sight(market.user_sees),
            "state_of": sight(market.state_of),
        }
    )


def read_users(path: str | os.PathLike[str]) -> pa.Table:
    """The rows of `user_rows` from a Parquet file, or from all files `users*.parquet` of a folder.

    Args:
        path: a file, or a folder, whose files are read in the order of their names.

    Returns:
        A table with the columns of `USER_SCHEMA`; other columns are not read.

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
    return iter_rows(path, "users", USER_SCHEMA)
