"""Decision problems and markets of information as rows, as `equilibrax.rows.committees` does for tables.

| rows | one per | columns |
|---|---|---|
| `depth_rows` | (problem, depth) | the market, what is shown and paid, the buyer's utility, status |
| `problem_rows` | problem | the problem itself, exactly |

Letters: B problems, D the largest depth, W states, A acts, M items, J sellers.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from equilibrax._core.columns import declared
from equilibrax.games import InformationMarketResult
from equilibrax.problems.decision_problem import DecisionProblem
from equilibrax.rows._building import Extractors, along_batch, batch_names, build_rows, status_words

_OF_RESULT: Extractors = {
    "problem": lambda result: along_batch(result.table_id, 2),
    "family": lambda result: batch_names(result.problems, 2),
    "num_sellers": lambda result: result.problems.sellers,
    "mechanism": lambda result: result.game.mechanism,
    "buyer": lambda result: result.game.buyer,
    "rounds": lambda result: str(result.game.rounds),
    "first_best": lambda result: result.optimum,
    "choice_rounds": lambda result: along_batch(result.rounds, 2),
    "status": lambda result: status_words(result.status),
}
_OF_PROBLEM: Extractors = {
    "problem": lambda problem: problem.problem_id,
    "family": lambda problem: batch_names(problem, 1),
    "num_sellers": lambda problem: problem.sellers,
    "utility": lambda problem: np.asarray(problem.utility) / problem.resolution,
    "costs": lambda problem: np.asarray(problem.costs) / problem.resolution,
    "owners": lambda problem: np.array(problem.owners)[None],
    "stakes": lambda problem: None if problem.stakes is None else np.asarray(problem.stakes) / problem.resolution,
}


def depth_rows(result: InformationMarketResult) -> pa.Table:
    """One row per (problem, depth), in the order of problems, then of depths from 0.

    What columns mean is in docs/economics.md. Null where sellers' choices do not settle.

    Args:
        result: from `solve`; B problems and depths to D.

    Returns:
        A table of B x (D + 1) rows.

    Example:
        >>> import equilibrax as eq
        >>> umbrella = eq.DecisionProblem.from_arrays([3, 1], [[1, 0], [0, 0.5]], items=[["dry", "wet"]])
        >>> rows = depth_rows(eq.solve(umbrella, eq.InformationMarket()))
        >>> rows.select(["depth", "utility", "shown", "revenue"]).to_pylist()[1]
        {'depth': 1, 'utility': 0.875, 'shown': [0, 1], 'revenue': [0.125]}
    """
    return build_rows(declared("depths"), result.status.shape, (result, result.problems), _OF_RESULT)


def problem_rows(problem: DecisionProblem) -> pa.Table:
    """One row per problem: everything that defines it, exactly.

    What columns mean is in docs/economics.md. Numbers are multiples of `1 / resolution`.

    Args:
        problem: B problems.

    Returns:
        A table of B rows; the lists are of fixed size.

    Example:
        >>> import equilibrax as eq
        >>> umbrella = eq.DecisionProblem.from_arrays([3, 1], [[1, 0], [0, 0.5]], items=[["dry", "wet"]])
        >>> problem_rows(umbrella).select(["prior", "items", "stakes"]).to_pylist()
        [{'prior': [3, 1], 'items': [0, 1], 'stakes': None}]
    """
    return build_rows(declared("problems"), (len(problem),), (problem,), _OF_PROBLEM, fixed=True)
