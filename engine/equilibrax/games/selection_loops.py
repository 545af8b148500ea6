"""The selection solver of CPUs: compiled loops, dealt to all cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from equilibrax._core.batching import cores
from equilibrax.games.selection_engine import Program, first_capacity
from equilibrax.problems.slots import Prepared


def solve_by_loops(
    prepared: Prepared, keys: np.ndarray, masks: np.ndarray, program: Program, max_capacity: int
) -> tuple[dict[str, Any], np.ndarray]:
    """As `selection_engine.solve_growing`; room grows within a table, so nothing is ever solved again."""
    from equilibrax_kernels.cpu.selection import select_tables  # compiled when it is needed

    fit = program.fit
    raw: dict[str, Any] = select_tables(
        prepared.utilities,
        prepared.prior,
        prepared.available,
        keys,
        masks,
        resolution=prepared.resolution,
        ties=program.ties,
        capacity=program.capacity or first_capacity(prepared, None, max_capacity),
        max_capacity=max_capacity if program.capacity else None,
        dynamics=program.dynamics,
        minimal=program.minimal,
        random=program.random,
        step_limit=program.step_limit,
        fit=fit is not None,
        simplex=fit is not None and fit.weights == "simplex",
        iteration_limit=fit.iteration_limit if fit else 0,
        multipliers=fit is not None and fit.multipliers,
        outcomes=fit is not None,
        threads=cores(),
    )
    if fit:
        raw["above"] = Packed(raw.pop("attained"), prepared.states, prepared.slots)
        raw["below"] = Packed(raw.pop("optimal"), prepared.states, prepared.slots)
    return raw, np.zeros(len(keys), np.int32)


@dataclass(frozen=True)
class Packed:
    """Sets of outcomes `[..., X, M]`, 64 to a word, unpacked where they are looked at.

    Attributes:
        words: `[..., W]` int64.
        states, slots: X and M.
    """

    words: np.ndarray
    states: int
    slots: int

    def __getitem__(self, at: Any) -> np.ndarray:
        from equilibrax_kernels.cpu.selection import unpack_outcomes

        return unpack_outcomes(self.words[at], self.states, self.slots)
