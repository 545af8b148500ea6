"""Results and tables as rows: Arrow tables in memory.

| rows | one per | columns |
|---|---|---|
| `committee_rows` | (table, committee) | who it is about, equilibria, dynamics, misalignment, status |
| `table_rows` | table | the game itself, exactly |

Columns are plain types, fixed-size lists included, so that any reader of Parquet can read them.

Letters: B tables, K providers, X states, A actions, C committees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from equilibrax._core.column import schema
from equilibrax._core.columns import COLUMNS, Group, declared
from equilibrax.games import Backend
from equilibrax.games.lotteries.joint_result import JointLotteries
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.selection_result import SelectionResult
from equilibrax.problems.tables import UtilityTables
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
from equilibrax.rows.optional_columns import all_equilibria, interval_lists
from equilibrax.theory import efficiency, robustness


def _if_any(name: str) -> Callable[[Any], Any]:
    """What a result has of this name; nothing if it has none."""
    return lambda result: getattr(result, name, None)


_OF_RESULT: Extractors = {
    "table_id": lambda result: along_batch(result.table_id, result.status.ndim),
    "family": lambda result: batch_names(result.tables, result.status.ndim),
    "committee": lambda result: result.committees,
    "committee_size": lambda result: sizes(result.committees),
    **{name: _if_any(name) for name in ("misalignment", "bound")},  # games over partitions have none
    **{name: _if_any(name) for name in ("worst_utility", "best_utility", "equilibria")},  # a search knows of none
    **{name: _if_any(name) for name in ("dynamics_utility", "dynamics_steps", "worst_partition")},
    "provider_utility": lambda result: np.nan_to_num(result.provider_utility),
    "game": lambda result: result.game.name,
    "rationality": lambda result: np.array([np.nan if r is None else r for r in result.rationalities])[:, None],
    "status": lambda result: status_words(result.status),
    "intervals": lambda result: interval_lists(result),
    "lotteries": lambda result: np.nan_to_num(result.rules).reshape(*result.status.shape, -1),
    "misalignment_weights": lambda result: result.fit.weights,
    "misalignment_offset": lambda result: result.fit.offset,
    "table_name": lambda result: unique_names(result.tables, result.status.ndim),
    "committee_names": committee_names,
}
_OF_TABLES: Extractors = {
    "family": lambda tables: batch_names(tables, 1),
    "user": lambda tables: np.asarray(tables.user) / tables.resolution,
    "provider_utilities": lambda tables: np.asarray(tables.providers) / tables.resolution,
}


class _Welfare:
    """Columns of the worst equilibria's efficiency, and of losses, worked out when the first is wanted."""

    def __init__(self, result: Any, backend: Backend) -> None:
        self.result = result
        self.backend: Backend = backend

    @cached_property
    def found(self) -> Any:
        return efficiency(self.result, rules=False, backend=self.backend)

    @property
    def efficient(self) -> pa.Array:
        return pa.array(self.found.efficient.reshape(-1), mask=~self.found.known.reshape(-1))

    @property
    def efficiency_gap(self) -> np.ndarray:
        return self.found.gap

    @property
    def losses_survived(self) -> np.ndarray:
        return robustness(self.result).losses

    @property
    def negishi_weights(self) -> np.ndarray:
        return self.found.weights


def committee_rows(
    result: SelectionResult | PartitionResult | JointLotteries,
    groups: Sequence[Group | Literal["names"]] = (),
    equilibria_cap: int = 100,
    *,
    backend: Backend = "auto",
    encoded: bool = False,
) -> pa.Table:
    """One row per (table, committee), in the order of tables, then of committees.

    Results of games over partitions have one per (table, lambda, committee) if there are several lambdas, no
    misalignment and bound, and further columns; of lotteries that a search found they say what is known of the profile,
    and nothing of equilibria. What columns mean is in `equilibrax._core.columns`, and in
    docs/datasets.md. `family` is the table's own name where it has one, else the family it was drawn from.

    Null where there is no number: dynamics or misalignment if they were skipped, the number and partition of
    randomized rules, and every result of a table that was not solved (its status has FRONTIER_OVERFLOW).

    Args:
        result: B tables and C committees.
        groups: optional columns, those of `result.game.groups`: "schemes" (worst, best and where dynamics ends),
            "equilibria" (all of them, of tables whose actions are all available), "weights" (that attain the
            misalignment), "efficiency" (of the worst equilibrium), "robustness" (of all committees' misalignment); and
            of all results, "names" (of tables and committees).
        equilibria_cap: of all equilibria, at most so many, the lexicographically first, are listed per row.
        backend: what works out efficiency; as in `solve`.
        encoded: whether text is in Arrow's dictionaries, for rows that are written at once.

    Returns:
        A table of B x C rows with the result's columns, and those of the groups.

    Raises:
        ValueError: if rows of this game have no such columns.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.from_arrays(user=[[1.0, 0.0], [0.0, 1.0]], providers=[[[0.3, 0.7], [0.1, 0.9]]])
        >>> rows = committee_rows(eq.solve(tables, eq.Selection(dynamics=False)))
        >>> rows.select(["family", "committee", "optimum", "worst_utility", "dynamics_steps"]).to_pylist()
        [{'family': 'table', 'committee': 1, 'optimum': 1.0, 'worst_utility': 0.5, 'dynamics_steps': None}]
    """
    have = (*result.game.groups, "names")
    if lacking := [group for group in groups if group not in have]:
        raise ValueError(f"groups: expected some of {', '.join(have)} for this game, got {lacking[0]}")
    always = result.columns
    columns = [column for column in COLUMNS["committees"] if column in always or column.group in groups]
    own: Extractors = {
        **_OF_RESULT,
        "equilibrium_schemes": lambda result: all_equilibria(result, equilibria_cap),
        "equilibrium_schemes_cap": lambda result: equilibria_cap,
    }
    sources = result, result.tables, _Welfare(result, backend)
    return build_rows(columns, result.status.shape, sources, own, encoded=encoded)


def table_rows(tables: UtilityTables) -> pa.Table:
    """One row per table: everything that defines the game, exactly.

    What columns mean is in docs/datasets.md. Utilities are multiples of `1 / resolution`: `round(utility * resolution)`
    is the integer that was solved for, without error.

    Args:
        tables: B tables.

    Returns:
        A table of B rows; the lists are of fixed size.

    Example:
        >>> import equilibrax as eq
        >>> rows = table_rows(eq.from_integers([[3, 1], [0, 2]], [[[1, 5], [2, 2]]], prior=[1, 2], resolution=10))
        >>> rows.select(["num_providers", "user", "prior"]).to_pylist()
        [{'num_providers': 1, 'user': [0.3, 0.1, 0.0, 0.2], 'prior': [1, 2]}]
    """
    return build_rows(declared("tables"), (len(tables),), (tables,), _OF_TABLES, fixed=True)


def as_stored(rows: pa.Table, kind: str, float32: bool = False) -> pa.Table:
    """The same rows with the types that datasets have: lists of any length, and 32-bit results on request.

    Text that is in dictionaries stays in them: files are the same.
    """
    columns = {column.name: column.stored(float32) for column in COLUMNS[kind]}
    stored = schema(columns[name] for name in rows.column_names)
    for position, field in enumerate(rows.schema):
        if pa.types.is_dictionary(field.type):
            stored = stored.set(position, field)
    return rows.cast(stored)
