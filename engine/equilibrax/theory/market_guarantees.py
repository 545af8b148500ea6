"""What theory promises every user of a market, beside what she has: the benchmark and the best bound that applies.

Letters: B markets, C committees, N users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from equilibrax.theory._market_parts import market_of
from equilibrax.theory._shared_utility import shared_utility
from equilibrax.theory.market_theorems import market_bounds


@dataclass(frozen=True)
class MarketPromises:
    """Benchmarks and bounds of B markets, C committees and N users.

    Attributes:
        benchmark: `[B, C, N]` u_i(C*_S,T), T being the committee (2602.13451, Definition 2.12).
        bound: `[B, C, N]` the largest of the bounds whose hypotheses hold; NaN where nothing is promised.
        source: `[B, C, N]` the theorem that it is of, "" where nothing is promised.
        tolerance: `[B, C, N]` how far a utility may miss its bound by rounding; 0 where nothing is promised.
    """

    benchmark: Float[np.ndarray, "B C N"]
    bound: Float[np.ndarray, "B C N"]
    source: Num[np.ndarray, "B C N"]
    tolerance: Float[np.ndarray, "B C N"]


def market_promises(result: Any) -> MarketPromises:
    """The benchmark u_i(C*_S,T) and the best bound of 2602.13451 for every user, with T the committee that plays.

    Theorems 3.1 and 4.3 for the personalized game, 4.3 and 4.4 for the anonymous one; users who respond quantally have
    a benchmark, but no bound.

    Args:
        result: from `solve`.

    Raises:
        ValueError: if utilities vary within an outcome (`Market.state_of`), so that there is no benchmark.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.problems.theorem_4_1_market(eps=0.2, c=0.5)
        >>> result = eq.solve(market, "personalized", committees=[0b11])
        >>> promises = eq.theory.market_promises(result)
        >>> promises.benchmark.tolist(), promises.bound.round(9).tolist(), promises.source[0, 0, 0]
        ([[[0.5, 0.5]]], [[[0.5, 0.5]]], 'Theorem 3.1')
    """
    market = market_of(result)
    shared = shared_utility(market, list(map(int, result.committees)), rules=result.rules, throw=False)
    bound = np.full(shared.utility.shape, -np.inf)
    source, tolerance = np.full(bound.shape, "", object), np.zeros(bound.shape)
    if result.response == "best":
        for name, found in market_bounds(result).items():
            promised = np.where(found.holds_hypothesis, found.bound, -np.inf)
            better = promised > bound
            source, tolerance = np.where(better, name, source), np.where(better, found.tolerance, tolerance)
            bound = np.maximum(bound, promised)
    nothing = ~np.isfinite(bound)
    return MarketPromises(
        benchmark=shared.utility,
        bound=np.where(nothing, np.nan, bound),
        source=np.where(nothing, "", source),
        tolerance=np.where(nothing, 0.0, tolerance),
    )
