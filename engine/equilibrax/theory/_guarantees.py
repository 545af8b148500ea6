"""The guarantee that studies set beside what users get: for every game the bound that says most of its worst utility.

Market alignment is measured on the outcomes that matter (Remark 5) where the user responds best, with weights of any
sum (Remark 2).
"""

from __future__ import annotations

from typing import Any

from equilibrax.games import (
    Anonymous,
    Joint,
    MarketResult,
    Obedient,
    PartitionResult,
    Personalized,
    Selection,
    SelectionResult,
    guarantee_for,
    register_guarantee,
)
from equilibrax.theory.bound import Bound
from equilibrax.theory.market_theorems import market_theorem_3_1, market_theorem_4_3
from equilibrax.theory.theorems import theorem_1, theorem_2, theorem_6


def guarantee(result: Any) -> Bound | None:
    """What theory promises of the worst utility in a result, in the result's shape; None where no theorem applies.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.load_paper_table("synthetic-2"), committees=[0b11000])
        >>> eq.theory.guarantee(result).bound.round(4).tolist()
        [[0.78]]
    """
    found = guarantee_for(result.game)
    return None if found is None else found(result)


@register_guarantee(Selection, Obedient)
def _of_selection(result: SelectionResult | PartitionResult) -> Bound:
    return theorem_6(result, rows="equilibrium", weights="nonnegative")


@register_guarantee(Joint)
def _of_joint(result: PartitionResult) -> Bound:
    if result.response == "quantal":
        return theorem_2(result)
    return theorem_1(result, rows="equilibrium", weights="nonnegative")


@register_guarantee(Personalized)
def _of_personalized(result: MarketResult) -> Bound | None:
    return market_theorem_3_1(result) if result.response == "best" and result.market.separable else None


@register_guarantee(Anonymous)
def _of_anonymous(result: MarketResult) -> Bound | None:
    return market_theorem_4_3(result) if result.response == "best" else None
