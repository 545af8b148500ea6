"""Tables of a market of many users, as a study writes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from equilibrax.raters import StrongAlignment, cross_validated_transfer, transfer_factors
from equilibrax.raters.fit import MarketFit, ScoreFit


def weight_rows(market: MarketFit) -> pa.Table:
    """Weights of both alignments: target, provider, weak_weight, strong_weight."""
    weak, strong = market.weak.weights, market.strong.weights
    n, k = weak.shape
    return pa.table(
        {
            "target": np.repeat(np.array(market.weak.user_names, object), k),
            "provider": np.tile(np.array(market.weak.model_names, object), n),
            "weak_weight": weak.reshape(-1),
            "strong_weight": strong.T.reshape(-1),
        }
    )


def by_score(market: MarketFit, rows: Callable[[ScoreFit], pa.Table]) -> pa.Table:
    """Tables of all scores under each other, with the score first."""
    tables = {score: rows(fit) for score, fit in market.scores.items()}
    return pa.concat_tables(
        [one.add_column(0, "score", pa.array([score] * one.num_rows)) for score, one in tables.items()]
    )


def transfer_rows(strong: StrongAlignment) -> pa.Table:
    """One row per user: target, and 1 / lambda* with all models: transfer (of fits to all questions) and over folds."""
    columns = cross_validated_transfer(strong).columns()
    return pa.table({"target": list(strong.user_names), "transfer": transfer_factors(strong), **columns})
