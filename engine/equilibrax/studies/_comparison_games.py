"""The games that `compare` solves, one after the other, as lines of one comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equilibrax.games import solve
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.selection_result import SelectionResult
from equilibrax.problems.tables import UtilityTables
from equilibrax.theory import bounds_of


@dataclass(frozen=True)
class GameLine:
    """One line of a comparison: a game, and how its user responds.

    Attributes:
        game: "monopolist", "selection", "joint", "oblivious" or "aligned".
        user: "follows" recommendations, "best response", or "quantal".
        rationality: lambda of a quantal user, else None.
        rules: "deterministic", or "randomized" for oblivious providers that may draw lots.
    """

    game: str
    user: str
    rationality: float | None = None
    rules: str = "deterministic"

    @property
    def name(self) -> str:
        """For people, such as `joint, λ = 10`."""
        if self.user == "quantal":
            return f"{self.game}, λ = {'∞' if self.rationality == np.inf else f'{self.rationality:g}'}"
        if self.game == "oblivious":
            return f"oblivious, {'partitions' if self.rules == 'deterministic' else 'lotteries'}"
        if self.game in ("joint", "aligned"):
            return self.game
        return f"{self.game}, {'followed' if self.user == 'follows' else 'checked'}"


class Collector:
    """Solves game after game and collects their lines."""

    def __init__(self, tables, lambdas: tuple[float, ...], tolerance: float, devices):
        self.tables, self.lambdas, self.devices = tables, lambdas, devices
        self.quantal = {"response": "quantal", "rationality": lambdas, "tolerance": tolerance}
        everybody = (1 << tables.num_providers) - 1
        self.committees = list(dict.fromkeys([*(1 << j for j in range(tables.num_providers)), everybody]))
        self.lines: list[tuple[GameLine, dict[str, np.ndarray]]] = []
        self.left_out: list[tuple[str, str]] = []

    def collect(self) -> dict[str, Any]:
        aligned = self._solve("aligned")
        quantal_aligned = self._solve("aligned", **self.quantal) if self.lambdas else None
        followed, quantal = None, None
        if isinstance(self.tables, UtilityTables):
            followed = self._solve("selection", dynamics=False)
            self._alone("follows", followed)
        joint = self._solve("joint", committees=self.committees, dynamics=False)
        self._alone("best response", joint)
        if followed is not None:
            self._everybody(GameLine("selection", "follows"), followed)
        line = GameLine("selection", "best response")
        checked = self._if_possible(line, lambda: self._solve("selection", obedience=True, dynamics=False))
        if checked is not None:
            self._everybody(line, checked)
        self._everybody(GameLine("joint", "best response"), joint)
        if self.lambdas:
            quantal = self._solve("joint", committees=self.committees[-1:], dynamics=False, **self.quantal)
            for r, number in enumerate(self.lambdas):
                self._everybody(GameLine("joint", "quantal", number), quantal, (slice(None), r))
        for rules in ("deterministic", "randomized"):
            line = GameLine("oblivious", "best response", None, rules)
            solved = self._if_possible(line, lambda rules=rules: self._solve("oblivious", rules=rules))
            if solved is not None:
                self._everybody(line, solved)
        self._everybody(GameLine("aligned", "best response"), aligned)
        return self._fields(aligned, quantal_aligned, followed, checked, joint, quantal)

    def _solve(self, game: str, *, committees: Sequence[int] | None = None, **options: Any) -> Any:
        if game != "aligned":
            options["committees"] = committees or (self.committees if game == "selection" else self.committees[-1:])
        return solve(self.tables, game, devices=self.devices, throw=False, **options)

    def _if_possible(self, line: GameLine, solved: Callable[[], Any]) -> Any:
        try:
            return solved()
        except ValueError as error:  # these tables are too large, or not made, for this game alone
            self.left_out.append((line.name, str(error)))
            return None

    def _alone(self, user: str, result: SelectionResult | PartitionResult) -> None:
        k = self.tables.num_providers
        count, status = result.equilibria[:, :k].sum(axis=1), np.bitwise_or.reduce(result.status[:, :k], axis=1)
        count = np.where((result.equilibria[:, :k] < 0).any(axis=1) | (count < 0), -1, count)
        worst, best = result.worst_utility[:, :k].min(axis=1), result.best_utility[:, :k].max(axis=1)
        numbers = {"worst": worst, "best": best, "equilibria": count, "status": status}
        self.lines.append((GameLine("monopolist", user), numbers))

    def _everybody(self, line: GameLine, result: SelectionResult | PartitionResult, at: tuple = ()) -> None:
        at = (*(at or (slice(None),)), -1)
        numbers = {"worst": result.worst_utility, "best": result.best_utility}
        numbers |= {"equilibria": result.equilibria, "status": result.status}
        self.lines.append((line, {name: values[at] for name, values in numbers.items()}))

    def _fields(self, aligned, quantal_aligned, followed, checked, joint, quantal) -> dict[str, Any]:
        lines = tuple(line for line, _ in self.lines)

        def column(name: str) -> np.ndarray:
            return np.stack([numbers[name] for _, numbers in self.lines], axis=1)

        def benchmark(line: GameLine) -> np.ndarray:
            if line.user == "follows":
                return aligned.optimum_utility  # an aligned provider recommends what is best
            if line.rationality is not None:
                return quantal_aligned.best_utility[:, self.lambdas.index(line.rationality), 0]
            return aligned.best_utility[:, 0]

        bounds = bounds_of(lines, self.lambdas, followed, checked, joint, quantal)
        nothing = np.full(len(aligned.table_id), np.nan)
        return {
            "lines": lines,
            "table_id": np.asarray(aligned.table_id),
            "optimum": aligned.optimum_utility,
            "worst": column("worst"),
            "best": column("best"),
            "equilibria": column("equilibria"),
            "aligned": np.stack([benchmark(line) for line in lines], axis=1),
            "bound": np.stack([bounds[line][1] if line in bounds else nothing for line in lines], axis=1),
            "bound_names": tuple(bounds[line][0] if line in bounds else "" for line in lines),
            "status": column("status"),
            "left_out": tuple(self.left_out),
            "tables": self.tables,
        }
