"""A bound of the theory beside what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

SOURCE = "2509.15090"

Sense = Literal["at least", "at most"]


@dataclass(frozen=True)
class Bound:
    """What a result of the paper promises, whether it applies, and what is measured. Arrays have one shape.

    Attributes:
        name: such as "Theorem 1".
        source: the paper and the result in it.
        hypothesis: what was checked, in words.
        numbers: the numbers that went into it by name, such as eps and delta; arrays that broadcast to the bound's.
        holds_hypothesis: whether the hypothesis holds. Where it does not, nothing is promised.
        bound: what is promised.
        measured: what it is promised for; NaN where it was not solved.
        tolerance: how far `measured` may miss the bound by rounding, certificates and the tolerance of quantal games.
        sense: "at least" if `measured` is promised to be no less than `bound`, "at most" if no more.
    """

    name: str
    source: str
    hypothesis: str
    numbers: Mapping[str, Any]
    holds_hypothesis: Bool[np.ndarray, "..."]
    bound: Float[np.ndarray, "..."]
    measured: Float[np.ndarray, "..."]
    tolerance: Float[np.ndarray, "..."]
    sense: Sense = "at least"

    @property
    def slack(self) -> Float[np.ndarray, "..."]:
        """How much better the measured value is than the bound; negative if the bound fails."""
        with np.errstate(invalid="ignore"):  # infinite where the bound and the measured value are
            return self.measured - self.bound if self.sense == "at least" else self.bound - self.measured

    @property
    def kept(self) -> Bool[np.ndarray, "..."]:
        """Whether the bound holds up to the tolerance, whatever the hypothesis. True where nothing is measured."""
        return ~(self.slack < -self.tolerance)

    @property
    def refuted(self) -> Bool[np.ndarray, "..."]:
        """Where the hypothesis holds and the bound does not: nowhere, if theory and code are right."""
        return self.holds_hypothesis & ~self.kept

    def text(self, at: tuple[int, ...] = ()) -> str:
        """One line about the entry `at`."""
        relation = ">=" if self.sense == "at least" else "<="
        given = ", ".join(f"{name} {_pick(value, self.bound.shape, at):.4g}" for name, value in self.numbers.items())
        verdict = ("holds" if self.kept[at] else "FAILS") if self.holds_hypothesis[at] else "nothing promised"
        return (
            f"{self.name}: {float(self.measured[at]):.6f} {relation} {float(self.bound[at]):.6f} ({given}): {verdict}"
        )


def make_bound(
    name: str,
    *,
    hypothesis: str,
    numbers,
    holds,
    bound,
    measured,
    tolerance,
    sense: Sense = "at least",
    paper: str = SOURCE,
) -> Bound:
    """A `Bound` whose arrays are broadcast to one shape; the source is the paper's result of that name."""
    arrays = np.broadcast_arrays(np.asarray(holds, bool), *(np.asarray(a, float) for a in (bound, measured, tolerance)))
    return Bound(name, f"{paper}, {name}", hypothesis, dict(numbers), *arrays, sense=sense)


def _pick(value: Any, shape: tuple[int, ...], at: tuple[int, ...]) -> float:
    return float(np.broadcast_to(value, shape)[at])
