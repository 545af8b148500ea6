"""The game with one provider, whose utility is the user's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from jax.sharding import Mesh

from equilibrax._core.committees import Committees
from equilibrax.games._game import Compared, GameLine
from equilibrax.games._options import Rationality, Response
from equilibrax.games.joint import joint_equilibria, joint_fields
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.responses import PartitionGame
from equilibrax.problems.persuasion import PersuasionGame


@dataclass(frozen=True)
class Aligned(PartitionGame):
    """The user hears one provider, whose utility is her own (2509.15090, Definition 8): what alignment would give her.

    There is one committee, of the user herself.

    Example:
        >>> import equilibrax as eq
        >>> eq.solve(eq.load_paper_table("synthetic-2"), eq.Aligned()).best_utility.round(4).tolist()
        [[0.92]]
    """

    name: ClassVar[str] = "aligned"

    response: Response = "best"
    """How the user acts in a cell: the best action, ties to the lowest, or quantally."""

    def __post_init__(self) -> None:
        Rationality.of(self.response)

    def accept(self, problem: Any) -> PersuasionGame:
        """The same game with one provider, the user herself."""
        game = super().accept(problem)
        labels = None if game.labels is None else replace(game.labels, providers=("the user",))
        return replace(game, providers=np.asarray(game.user)[:, None], labels=labels)

    def masks(self, problem: Any, committees: Committees) -> np.ndarray:
        """The only committee."""
        if not (isinstance(committees, str) and committees == "all"):
            raise ValueError(
                f'committees: expected "all" in the aligned game, whose provider is the user, got {committees!r}'
            )
        return np.ones(1, np.int32)

    def committees_of(self, providers: int) -> int:
        """Of any number of providers there is one."""
        return 1

    def without_loops(self, problem: PersuasionGame) -> str:
        """Nothing, unless its numbers are too large."""
        return self.beyond_loops(problem)

    def solve_xla(self, problem: PersuasionGame, masks: np.ndarray, mesh: Mesh | None) -> PartitionResult:
        """A monopolist's optima, for all lambdas."""
        return PartitionResult(game=self, **joint_fields(problem, masks, self.how, None, mesh))

    def solve_cpu(self, problem: PersuasionGame, masks: np.ndarray) -> PartitionResult:
        """The same."""
        return self.solve_xla(problem, masks, None)

    def equilibrium_rules(
        self, problem: PersuasionGame, b: int, masks: np.ndarray, how: Rationality, limit: int
    ) -> list[np.ndarray]:
        """Partitions of game b, of at most 10 states."""
        return joint_equilibria(problem, b, masks, how, limit)

    @classmethod
    def compared(cls, lambdas: tuple[float, ...], tolerance: float) -> tuple[Compared, ...]:
        """With best response."""
        return (Compared(cls(), (GameLine(cls.name, cls.name, benchmark=True),), place=90),)
