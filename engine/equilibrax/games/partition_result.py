"""What solving a game over partitions returns: one row per (table, committee), or (table, lambda, committee)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int, Num

from equilibrax._core.column import Column
from equilibrax._core.columns import declared
from equilibrax.games._cells import cells_of_game
from equilibrax.games._outcome import Of, Outcome, no_outcome
from equilibrax.games._result import TableResult
from equilibrax.problems.persuasion import PersuasionGame


@dataclass(frozen=True, kw_only=True)
class PartitionResult(TableResult):
    """Equilibria of a game over partitions of the states; see `Result` for what all results have.

    A partition is written as labels of the states: state 0 has label 0, a new cell the smallest unused label. Where a
    table was not solved (`Status.FRONTIER_OVERFLOW`) utilities are NaN; counts, steps and labels are -1.

    Attributes:
        equilibria: `[..., C]` int64, number of equilibrium partitions; in the oblivious game, number of profiles of
            optimal partitions, and for lotteries 1 or, if there are infinitely many, -1.
        worst_partition: `[..., C, X]` int8; of the worst, the one whose tuple of cells (bitmasks, ordered by lowest
            state) is lexicographically smallest. In the oblivious game, of the common refinements of what the providers
            post; -1 for lotteries.
        near_ties: int64, how many comparisons ties, or the tolerance, decide. In the joint and the aligned game
            `[..., K]`, for each provider the cells of two states or more that are worth the same to it as their best
            split, up to the tolerance. In the obedient game `[..., K + 1]`, for each player, the user first, the
            partitions that are worth no more than the tolerance above the next lower one. None in the oblivious game.
        dynamics_partition: `[..., C, X]` int8, or None.
        tables: the games that were solved.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.load_paper_table("synthetic-2"), "joint")
        >>> result.worst_partition[0, result.index(31)].tolist(), float(result.worst_utility[0, -1].round(4))
        ([0, 1, 1], 0.8267)
    """

    worst_partition: Int[np.ndarray, "... C X"]
    near_ties: Int[np.ndarray, "... K"] | None = None
    dynamics_value: Num[np.ndarray, "... C"] | None = None
    dynamics_partition: Int[np.ndarray, "... C X"] | None = None
    dynamics_steps: Int[np.ndarray, "... C"] | None = None
    tables: PersuasionGame = field(repr=False)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows, see `equilibrax.rows`."""
        return declared("committees", "partitions")

    @property
    def best_partition(self) -> Int[np.ndarray, "... C X"]:
        """`[..., C, X]` int64, labels of the first of the user's best equilibria; all are listed and compared.

        Raises:
            ValueError: if the game has more states than can be listed.
        """
        grid, hows = self.status.ndim == 3, self.game.how.each
        found = np.full((len(self.tables), len(hows), len(self.committees), self.tables.states), -1, np.int64)
        for b in np.flatnonzero(self.solved.reshape(len(self.tables), -1).any(axis=1)).tolist():
            for r, how in enumerate(hows):
                worth = cells_of_game(self.tables, b, how)
                for c, rules in enumerate(self.game.equilibrium_rules(self.tables, b, self.committees, how, 1 << 20)):
                    if len(rules):
                        hers = worth.of(rules)[0]
                        most = hers.max() - how.tolerance * float(self.scale[b])
                        found[b, r, c] = rules[int((hers >= most).argmax())]
        return found if grid else found[:, 0]

    def outcome(self, of: Of) -> Outcome:
        """What she hears."""
        labels = {"worst": self.worst_partition, "dynamics": self.dynamics_partition}.get(of)
        if of == "best":
            labels = self.best_partition
        if labels is None:
            raise no_outcome(of, "without dynamics")
        return Outcome(labels.astype(np.int64), followed=False)

    def _texts(self) -> dict[str, Any]:
        return {"worst partition": lambda at: self.partition_text(self.worst_partition[at])}

    def partition_text(self, labels: np.ndarray) -> str:
        """A partition (`[X]` labels) by the names of the states, such as `good bad | ugly`; empty if there is none."""
        names, labels = self.tables.state_names(), np.asarray(labels).tolist()
        if min(labels) < 0:
            return ""
        return " | ".join(
            " ".join(n for n, own in zip(names, labels) if own == label) for label in range(max(labels) + 1)
        )
