"""The guarantees that `compare` sets beside what the user gets. Further ones are added to `bounds_of`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.selection_result import SelectionResult
from equilibrax.theory.bound import Bound
from equilibrax.theory.theorems import theorem_1, theorem_2, theorem_6

Promise = tuple[str, Float[np.ndarray, " B"]]


def bounds_of(
    lines: Sequence[Any],
    lambdas: tuple[float, ...],
    followed: SelectionResult | None,
    checked: PartitionResult | None,
    joint: PartitionResult,
    quantal: PartitionResult | None,
) -> dict[Any, Promise]:
    """For the lines to which a theorem applies, its name and `[B]` what it promises of the worst utility.

    Market alignment is measured on the outcomes that matter (Remark 5) where the user responds best, with weights of
    any sum (Remark 2). A monopolist's line has the smallest of the providers' bounds.

    Args:
        lines: the lines of the comparison.
        lambdas: of `quantal`.
        followed, checked, joint, quantal: results, of which the last committee is that of all providers; `joint` and
            `followed` have every provider alone first. None where the game is not played.
    """
    k = joint.tables.num_providers
    promised: dict[tuple[str, str, float | None], Promise] = {}

    def add(game: str, user: str, found: Bound, at: Any = None, rationality: float | None = None) -> None:
        bound = np.where(found.holds_hypothesis, found.bound, np.nan)
        promised[game, user, rationality] = (found.name, bound[:, -1] if at is None else at(bound))

    def least(bound: np.ndarray) -> np.ndarray:
        return bound[:, :k].min(axis=1)

    if followed is not None:
        found = theorem_6(followed, rows="equilibrium", weights="nonnegative")
        add("selection", "follows", found)
        add("monopolist", "follows", found, least)
    found = theorem_1(joint, rows="equilibrium", weights="nonnegative")
    add("joint", "best response", found)
    add("monopolist", "best response", found, least)
    if checked is not None:
        add("selection", "best response", theorem_6(checked, rows="equilibrium", weights="nonnegative"))
    if quantal is not None:
        found = theorem_2(quantal)
        for r, rationality in enumerate(lambdas):
            add("joint", "quantal", found, lambda bound, r=r: bound[:, r, -1], rationality)
    keys = {line: (line.game, line.user, line.rationality) for line in lines}
    return {line: promised[key] for line, key in keys.items() if key in promised}
