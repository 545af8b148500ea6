"""The games that `compare` solves, one after the other, as lines of one comparison.

Which lines there are, and where, the games say themselves (`Game.compared`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from equilibrax.games import Aligned, Backend, Compared, GameLine, Quantal, TableResult, all_games, solve
from equilibrax.problems.tables import UtilityTables
from equilibrax.theory import efficiency, guarantee

Progress = Callable[[int, int], None] | None


class Collector:
    """Solves game after game and collects their lines."""

    def __init__(
        self, tables, lambdas: tuple[float, ...], tolerance: float, backend: Backend, devices, progress: Progress
    ):
        self.progress, self.started = progress, 0
        self.tables, self.how = tables, {"backend": backend, "devices": devices, "throw": False}
        self.k = tables.num_providers
        games = [one for game in all_games(UtilityTables).values() for one in game.compared(lambdas, tolerance)]
        self.games = sorted((one for one in games if isinstance(tables, one.game.over)), key=lambda one: one.place)
        self.total = len(self.games) + 1 + bool(lambdas)
        self.aligned = self._solve(Aligned())
        self.quantal = self._solve(Aligned(Quantal(lambdas, tolerance))) if lambdas else None
        self.lambdas = lambdas
        self.alone: list[dict[str, Any]] = []
        self.everybody: list[dict[str, Any]] = []
        self.left_out: list[tuple[str, str]] = []

    def collect(self) -> dict[str, Any]:
        """Fields of a `Comparison`."""
        for one in self.games:
            try:
                result = self._solve(one.game, one.each)
            except ValueError as error:  # these tables are too large, or not made, for this game alone
                if not one.may_fail:
                    raise
                self.left_out += [(line.name, str(error)) for line in one.everybody]
                continue
            self._add(one, result)
        lines = self.alone + self.everybody
        columns = {name: [line[name] for line in lines] for name in lines[0]}
        names = ("worst", "best", "equilibria", "status", "bound", "aligned", "efficiency_gap")
        return {
            "lines": tuple(columns["line"]),
            "table_id": np.asarray(self.aligned.table_id),
            "optimum": self.aligned.optimum_utility,
            **{name: np.stack(columns[name], axis=1) for name in names},
            "bound_sources": tuple(columns["bound_source"]),
            "left_out": tuple(self.left_out),
            "tables": self.tables,
        }

    def _solve(self, game: Any, each: bool = False) -> TableResult:
        if self.progress is not None:
            self.progress(self.started, self.total)
        self.started += 1
        everybody = (1 << self.k) - 1
        committees = list(dict.fromkeys([*(1 << j for j in range(self.k)), everybody])) if each else [everybody]
        only = game.committees_of(self.k) == 1
        return solve(self.tables, game, committees="all" if only else committees, **self.how)

    def _add(self, one: Compared, result: TableResult) -> None:
        found = guarantee(result)
        name = found.name if found else ""
        bound = np.where(found.holds_hypothesis, found.bound, np.nan) if found else np.full(result.status.shape, np.nan)
        gap = self._gaps(result)
        if one.alone is not None:
            each = slice(self.k)
            count = result.equilibria[:, each].sum(axis=1)
            self.alone.append(
                {
                    "line": one.alone,
                    "worst": result.worst_utility[:, each].min(axis=1),
                    "best": result.best_utility[:, each].max(axis=1),
                    "equilibria": np.where((result.equilibria[:, each] < 0).any(axis=1) | (count < 0), -1, count),
                    "status": np.bitwise_or.reduce(result.status[:, each], axis=1),
                    "bound": bound[:, each].min(axis=1),
                    "bound_source": name,
                    "aligned": self._benchmark(one.alone),
                    "efficiency_gap": gap[:, each].max(axis=1),
                }
            )
        for r, line in enumerate(one.everybody):
            at = (slice(None), r, -1) if result.status.ndim == 3 else (slice(None), -1)
            values = {"worst": result.worst_utility, "best": result.best_utility, "equilibria": result.equilibria}
            values |= {"status": result.status, "bound": bound, "efficiency_gap": gap}
            said = {"line": line, "bound_source": name, "aligned": self._benchmark(line)}
            self.everybody.append(said | {key: array[at] for key, array in values.items()})

    def _gaps(self, result: TableResult) -> np.ndarray:
        """Of the worst equilibria, for the user and the members; NaN where the result does not name them."""
        try:
            return efficiency(result, rules=False, backend=self.how["backend"], devices=self.how["devices"]).gap
        except ValueError:  # what randomized rules come to, say
            return np.full(result.status.shape, np.nan)

    def _benchmark(self, line: GameLine) -> np.ndarray:
        """What an aligned provider would give her, responding as in that line."""
        if line.user == "follows":
            return self.aligned.optimum_utility  # it recommends what is best
        if line.rationality is not None and self.quantal is not None:
            return self.quantal.best_utility[:, self.lambdas.index(line.rationality), 0]
        return self.aligned.best_utility[:, 0]
