"""All bounds of the paper that apply to a result, in one call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from rich.table import Table

from equilibrax._core.text import show_table
from equilibrax.games import (
    Aligned,
    GameResult,
    Joint,
    Obedient,
    PartitionResult,
    Selection,
    SelectionResult,
    TableResult,
    bounds_for,
    register_bounds,
)
from equilibrax.theory._induced_actions import reference_labels
from equilibrax.theory._parts import Result, by_lambda, has_grid, response_gap, single, value_of
from equilibrax.theory.bound import Bound, make_bound
from equilibrax.theory.lemmas import corollary_2, proposition_2
from equilibrax.theory.theorems import corollary_3, theorem_1, theorem_2, theorem_5, theorem_6


@dataclass(frozen=True)
class BoundReport:
    """The bounds that apply to a result, each of the result's shape `[..., C]`.

    Attributes:
        found: the bounds by name, such as "Theorem 6" and "Theorem 6 (Remark 5)".
        result: what they are about.
    """

    found: dict[str, Bound]
    result: Result = field(repr=False)

    def __getitem__(self, name: str) -> Bound:
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    @property
    def refuted(self) -> np.ndarray:
        """`[..., C]` where a hypothesis holds and its bound does not: nowhere."""
        return np.any([bound.refuted for bound in self.found.values()], axis=0)

    def show(self, table: int = 0, *, width: int | None = None) -> None:
        """Print the bounds of one table of the batch.

        Args:
            table: position in the batch.
            width: characters per line; default is the terminal's.
        """
        show_table(lambda decimals: self._table(table, decimals), width)

    def _table(self, table: int, decimals: int) -> Table:
        result = self.result
        shown = Table(title=result.tables.names()[table], caption="nothing is promised where a hypothesis fails")
        grid = has_grid(result)
        for heading in ("committee", *(["lambda"] if grid else []), "result", "hypothesis", "measured", "is", "bound"):
            shown.add_column(heading, justify="right" if heading in ("lambda", "measured", "bound") else "left")
        shown.add_column("slack", justify="right")
        for c, mask in enumerate(result.committees.tolist()):
            for r in range(result.status.shape[1] if grid else 1):
                at = (table, r, c) if grid else (table, c)
                for name, bound in self.found.items():
                    cells = [f"{result.rationalities[r]:g}"] if grid else []
                    cells += [
                        name,
                        "holds" if bound.holds_hypothesis[at] else "fails",
                        f"{bound.measured[at]:.{decimals}f}",
                    ]
                    cells += [">=" if bound.sense == "at least" else "<=", f"{bound.bound[at]:.{decimals}f}"]
                    shown.add_row(result.tables.committee_name(mask), *cells, f"{bound.slack[at]:.{decimals}f}")
        return shown


def bounds(result: Result, *, reference: Any = None, rounds: float | None = None, failure: float = 0.1) -> BoundReport:
    """All bounds of 2509.15090 that apply to a result, with eps, delta and the other conditions computed.

    | result of | bounds |
    |---|---|
    | "selection", "obedient" | Theorem 6, with eps of Definition 1 and of Remark 5 |
    | "joint" | Theorem 1, with eps of Definition 1 and on the outcomes that its proof uses |
    | "joint", quantal | Theorem 2 and Lemma 1 |
    | the same, with a reference | also Proposition 2 and Corollary 2 |
    | the same, with rounds | also Theorem 5 and Corollary 3 |
    | "aligned" | Lemma 1: an aligned provider gives a quantal user at least OPT - log A / lambda |

    Args:
        result: from `solve`.
        reference: `[X]` or `[B, X]` labels of the reference partition C* of the joint game; None for full revelation.
        rounds: K of Theorem 5, the rounds of straightforward conversation.
        failure: delta_conv of Theorem 5.

    Returns:
        A `BoundReport`, by name.

    Raises:
        ValueError: if an option is out of range, or the reference is not full revelation and there are more than 6
            states.

    Example:
        >>> import equilibrax as eq
        >>> joint = eq.solve(eq.load_paper_table("synthetic-2"), "joint", committees=[0b11111])
        >>> eq.bounds(joint).show(width=100)  # doctest: +NORMALIZE_WHITESPACE
        <BLANKLINE>
        ...
        >>> bool(eq.bounds(joint).refuted.any())
        False
    """
    if not isinstance(result, TableResult):
        made = f"{TableResult.made_by} makes one; " if not isinstance(result, GameResult) else ""
        came = f"got {type(result).__name__}; {made}see `market_bounds` for markets"
        raise ValueError(f"result: expected one of a game over tables, {came}")
    found = bounds_for(result.game)
    if found is None:
        raise ValueError(f"result: expected a game with bounds, got the {result.game.name} game")
    return BoundReport(found(result, reference=reference, rounds=rounds, failure=failure), result)


@register_bounds(Selection)
def _of_selection(result: SelectionResult, **conversation: Any) -> dict[str, Bound]:
    remark = theorem_6(result, rows="equilibrium", weights="nonnegative")
    return {"Theorem 6": theorem_6(result), "Theorem 6 (Remark 5)": remark}


@register_bounds(Obedient)
def _of_obedient(result: PartitionResult, **conversation: Any) -> dict[str, Bound]:
    remark = theorem_6(result, rows="equilibrium", weights="simplex")
    return {"Theorem 6": theorem_6(result), "Theorem 6 (Remark 5)": remark}


@register_bounds(Aligned)
def _of_aligned(result: PartitionResult, **conversation: Any) -> dict[str, Bound]:
    return {"Lemma 1": _first_best_of_quantal(result, result.best_utility)}


@register_bounds(Joint)
def _of_joint(result: PartitionResult, *, reference: Any, rounds: float | None, failure: float) -> dict[str, Bound]:
    if result.response == "best":
        remark = theorem_1(result, reference=reference, rows="equilibrium")
        return {"Theorem 1": theorem_1(result, reference=reference), "Theorem 1 (Remark 5)": remark}
    full = value_of(result, reference_labels(result.tables, None))
    found = {"Theorem 2": theorem_2(result, reference=reference), "Lemma 1": _first_best_of_quantal(result, full)}
    if reference is not None:
        found |= _about_reference(result, reference)
    if rounds is not None:
        found["Theorem 5"] = theorem_5(result, rounds=rounds, failure=failure)
        found["Corollary 3"] = corollary_3(result, rounds=rounds, failure=failure)
    return found


def _first_best_of_quantal(result: PartitionResult, measured: np.ndarray) -> Bound:
    """Lemma 1 for one provider who reveals everything, or the best that one could: OPT - log A / lambda."""
    gap = response_gap(result)
    return make_bound(
        "Lemma 1",
        hypothesis="one provider reveals all that matters, the response is quantal",
        numbers={"OPT": result.optimum, "gap": gap},
        holds=np.ones(result.status.shape, bool),
        bound=result.optimum - gap,
        measured=measured,
        tolerance=result.tolerance + 1e-9,
    )


def _about_reference(result: PartitionResult, reference: Any) -> dict[str, Bound]:
    """Proposition 2 and Corollary 2 for all lambdas; for committees of one there is nobody else to deviate."""
    of = [proposition_2(result.tables, reference, how or 0.0) for how in result.rationalities]

    def together(bounds_of: list[Bound]) -> Bound:
        def spread(values: list[np.ndarray]) -> np.ndarray:
            stacked = np.stack([np.broadcast_to(v, len(result.tables)) for v in values], axis=1)
            wide = by_lambda(result, stacked if has_grid(result) else stacked[:, 0])
            return np.broadcast_to(wide, result.status.shape)

        names = ("holds_hypothesis", "bound", "measured", "tolerance")
        arrays = {name: spread([getattr(b, name) for b in bounds_of]) for name in names}
        arrays["holds_hypothesis"] = arrays["holds_hypothesis"] & ~single(result)
        numbers = {name: spread([np.asarray(b.numbers[name]) for b in bounds_of]) for name in bounds_of[0].numbers}
        return replace(bounds_of[0], numbers=numbers, **arrays)

    linear = [corollary_2(b.numbers["eps_u"], how or 0.0) for b, how in zip(of, result.rationalities)]
    return {"Proposition 2": together(of), "Corollary 2": together(linear)}
