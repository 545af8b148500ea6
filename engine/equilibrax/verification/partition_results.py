"""Rows of results of games over partitions against what is true of their tables.

Letters: X states, C committees, R lambdas (one for the best response); N = R C rows of a table, lambdas first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax.verification import arrays, rules
from equilibrax.verification.configuration import Configuration, Part
from equilibrax.verification.efficiency import Outcomes, compare_efficiency
from equilibrax.verification.games import Games
from equilibrax.verification.partitions import MOST_STATES, Partitions, labels_of, solve_partitions, taken
from equilibrax.verification.profiles import compare_profiles, not_compared
from equilibrax.verification.programs import Programs
from equilibrax.verification.report import Verification
from equilibrax.verification.results import unusual
from equilibrax.verification.searches import check_search

_NOISE = 1e-12  # of the largest value: what sums of floating-point numbers may differ by


def check_setting(report: Verification, configuration: Configuration, name: str, rows: pa.Table, part: Part) -> None:
    """The columns of all rows that say which game is played."""
    lambdas = np.array(configuration["rationality"] or [np.nan])
    count, number = rows.num_rows, np.arange(rows.num_rows)
    committees = len(configuration.game.committees(part.providers))
    for column, value in (
        ("game", configuration["game"]),
        ("response", "quantal" if configuration["rationality"] else "best"),
    ):
        got = np.array(rows[column].to_pylist(), object)
        report.compare("constants", name, column, number, value, got, got != value)
    expected = np.resize(np.repeat(lambdas, committees), count)
    stored, missing = arrays.numbers(rows, "rationality")
    wrong = (missing != np.isnan(expected)) | (~missing & (stored != expected))
    report.compare("constants", name, "rationality", number, expected, stored, wrong)
    stored, missing = arrays.numbers(rows, "tolerance")
    report.constant(name, "tolerance", number, configuration["tolerance"], stored, missing)


def check_partitions(
    report: Verification,
    configuration: Configuration,
    file: str,
    games: Games,
    results: pa.Table,
    rows: np.ndarray,
    picked: np.ndarray,
    solver: Programs,
) -> bool:
    """Check every column of one table's rows; whether they could be solved again.

    Args:
        report, configuration: where failures go, and what the dataset is.
        file: name of the file of results.
        games: one table.
        results: its N rows.
        rows: `[N]` their numbers in the file.
        picked: `[N]` which efficiency gaps to give to HiGHS.
        solver: HiGHS.
    """
    if configuration["search"] and games.available.all():
        return check_search(report, configuration, file, games, results, rows, picked, solver)
    if games.states > MOST_STATES:
        _check_status_by_count(report, configuration, file, games.states, results, rows)
        report.leave_out("large", "results of tables that are too large to solve again", len(rows))
        return False
    if not games.available.all() or unusual(configuration, "rules"):
        _check_status_by_count(report, configuration, file, games.states, results, rows)
        report.leave_out("games", "lotteries, and tables without some of the actions", len(rows))
        return False
    check = _Table(report, configuration, file, results, rows, games)
    lambdas = configuration["rationality"] or [None]
    size = len(rows) // len(lambdas)
    for i, rationality in enumerate(lambdas):
        among = np.arange(i * size, (i + 1) * size)
        check.of_lambda(rationality, among)
        if "efficiency" in configuration["columns"]:
            check.efficiency(rationality, among, picked[among], solver)
    return True


def _check_status_by_count(report, configuration: Configuration, file: str, states: int, results: pa.Table, rows):
    """Of rows that are not solved again: whether those that say so have too many profiles, by their own number."""
    if configuration.game.aware or not configuration["partitions"]:
        return
    flags, _ = arrays.statuses(results, configuration)
    truth = not_compared(arrays.numbers(results, "equilibria")[0], states)
    expected = np.where(truth, "PROFILES_NOT_COMPARED", "no PROFILES_NOT_COMPARED")
    names = results["status"].to_numpy()
    report.compare("status", file, "status", rows, expected, names, (flags & rules.PROFILES > 0) != truth)


class _Table:
    """One table; `among` are the places of some of its rows."""

    def __init__(self, report, configuration: Configuration, file: str, results: pa.Table, rows, games: Games):
        self.report, self.configuration, self.file, self.rows = report, configuration, file, rows
        self.flags, _ = arrays.statuses(results, configuration)
        self.results, self.scale = results, int(games.scale[0])
        self.game = configuration.game
        self.games = games
        if self.game.alone:
            self.games = replace(games, utilities=games.utilities[:, [0, 0]])

    def of_lambda(self, rationality: float | None, among: np.ndarray) -> None:
        """Check the rows of one lambda."""
        game, configuration = self.game, self.configuration
        dynamics = bool(configuration["dynamics"])
        limit = min(configuration["limit"], 2**30) if dynamics and not unusual(configuration, "dynamics") else None
        tolerance = 0.0 if rationality is None else configuration["tolerance"] * self.scale
        noise = 0.0 if rationality is None else _NOISE * max(1.0, float(np.abs(self.games.contributions).sum()))
        solved = [
            solve_partitions(self.games, rationality, slack, game.takes, limit)
            for slack in sorted({tolerance, tolerance + noise, tolerance - noise})
        ]
        truth = solved[len(solved) // 2]
        if any(not np.array_equal(*pair) for one in solved for pair in zip(_decided(one), _decided(truth))):
            self.report.leave_out("ties", "rows in which rounding decides what is better", len(among))
            return
        self._compare_number("optimum", "optimum", self.games.optimum() + np.zeros(len(among)), among, 0.0)
        near = noise + (0.0 if rationality is None else 1e-9 * self.scale)
        if game.aware:
            self._equilibria(truth, among, near, tolerance)
        else:
            self._unaware(truth, among)
        if dynamics and limit is None:
            what = "dynamics in another order or by other deviations"
            self.report.leave_out("games", what, len(among))
        else:
            self._dynamics(truth, among, near, dynamics)
        for name in ("misalignment", "bound"):
            self._nulls(name, among, np.zeros(len(among), bool))

    def efficiency(self, rationality: float | None, among: np.ndarray, picked: np.ndarray, solver: Programs) -> None:
        """Check the efficiency of what is played after the stored partitions; other checks have looked at those."""
        labels, missing, bad = arrays.lists(self.results, "worst_partition", self.games.states)
        lotteries = np.stack([taken(self.games, label, rationality) for label in labels[among]])
        bits = self.game.committees(self.games.providers)[:, None] >> np.arange(self.games.providers) & 1
        compare_efficiency(
            self.report,
            self.file,
            self.rows[among],
            self.results.take(pa.array(among)),
            Outcomes(
                contributions=self.games.contributions,
                available=self.games.available,
                scale=self.games.scale,
                values=np.einsum("pxa,cxa->cp", self.games.contributions[0], lotteries)[None],
                member=np.concatenate([np.ones((len(bits), 1), bool), bits == 1], axis=1),
                known=~(missing | bad)[among],
                picked=picked,
            ),
            ~missing[among],
            solver,
        )

    def _equilibria(self, truth: Partitions, among: np.ndarray, near: float, tolerance: float) -> None:
        there: Any = truth.equilibria.any(axis=1)
        self._status("NO_EQUILIBRIUM", rules.NONE, ~there, among)
        worst = np.where(truth.equilibria, truth.user, np.inf).min(axis=1)
        best = np.where(truth.equilibria, truth.user, -np.inf).max(axis=1)
        self._compare_number("worst", "worst_utility", worst, among, near, there)
        self._compare_number("best", "best_utility", best, among, near, there)
        self._compare_number("count", "equilibria", truth.equilibria.sum(axis=1), among, None)
        enough = truth.equilibria & (truth.user <= worst[:, None] + self.games.states * tolerance + near)
        first = (truth.equilibria & (truth.user <= worst[:, None])).argmax(axis=1)
        labels, here = self._labels(among, there)
        listed = labels_of(self.games.states)
        if near == 0:
            self._compare(
                "schemes", "worst_partition", listed[first], labels, (labels != listed[first]).any(axis=1), here, among
            )
        else:
            good = np.array([(listed[row] == label).all(axis=1).any() for row, label in zip(enough, labels)])
            self._compare(
                "schemes", "worst_partition", "an equilibrium as bad as the worst", labels, ~good, here, among
            )

    def _unaware(self, truth: Partitions, among: np.ndarray) -> None:
        """What all profiles of the providers' optima come to, or one of them where they are too many."""
        profiles = compare_profiles(self.games, truth)
        too_many = not_compared(profiles.count, self.games.states)
        self._status("PROFILES_NOT_COMPARED", rules.PROFILES, too_many, among)
        self._compare_number("worst", "worst_utility", truth.user[profiles.worst], among, 0.0)
        self._compare_number("best", "best_utility", truth.user[profiles.best], among, 0.0)
        self._compare_number("count", "equilibria", profiles.count, among, None)
        labels, here = self._labels(among, np.ones(len(among), bool))
        expected = labels_of(self.games.states)[profiles.worst]
        self._compare("schemes", "worst_partition", expected, labels, (labels != expected).any(axis=1), here, among)

    def _dynamics(self, truth: Partitions, among: np.ndarray, near: float, ran: bool) -> None:
        if truth.end is None or truth.steps is None or truth.stopped is None:
            for name in ("dynamics_utility", "dynamics_steps"):
                self._nulls(name, among, np.full(len(among), ran))
            return
        self._status("DYNAMICS_LIMIT", rules.LIMIT, truth.stopped, among)
        if self.game.statuses & rules.CYCLE:
            self._status("CYCLE", rules.CYCLE, truth.steps > self.games.states, among)
        sure = truth.steps <= self.games.states if self.game.statuses & rules.CYCLE else np.ones(len(among), bool)
        self.report.leave_out("ties", "dynamics that come back, within the tolerance", int((~sure).sum()))
        self._compare_number("dynamics", "dynamics_utility", truth.user[truth.end], among[sure], near, at=sure)
        self._compare_number("dynamics", "dynamics_steps", truth.steps, among[sure], None, at=sure)

    # --- comparing

    def _compare(self, check: str, name: str, expected, got, bad: np.ndarray, here: np.ndarray, among: np.ndarray):
        self.report.compare(check, self.file, name, self.rows[among], expected, got, bad, here)

    def _nulls(self, name: str, among: np.ndarray, there: np.ndarray) -> np.ndarray:
        missing = self.results[name].combine_chunks().is_null().to_numpy(zero_copy_only=False)[among]
        expected, got = np.where(there, "a value", "none"), np.where(missing, "none", "a value")
        self._compare("nulls", name, expected, got, missing == there, np.ones(len(among), bool), among)
        return there & ~missing

    def _compare_number(
        self,
        check: str,
        name: str,
        values: np.ndarray,
        among: np.ndarray,
        near: float | None,
        there: np.ndarray | None = None,
        at: np.ndarray | slice = slice(None),
    ) -> None:
        """A column against values: utilities up to `near`, or whole numbers where that is None."""
        values = values[at]
        there = np.ones(len(among), bool) if there is None else there
        here, stored = self._nulls(name, among, there), arrays.numbers(self.results, name)[0][among]
        if near is None:
            expected, bad = values, stored != values
        else:
            expected = np.where(there, values / self.scale, 0).astype(stored.dtype)
            bad = stored != expected
            if near:
                close = near / self.scale + 4 * np.finfo(stored.dtype).eps * np.abs(expected)
                bad = ~(np.abs(stored.astype(float) - expected) <= close)
        self._compare(check, name, expected, stored, bad, here, among)

    def _labels(self, among: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here = self._nulls("worst_partition", among, there)
        labels, _, bad = arrays.lists(self.results, "worst_partition", self.games.states)
        self._compare("schemes", "worst_partition", "a label for each state", labels[among], bad[among], here, among)
        return labels[among], here & ~bad[among]

    def _status(self, name: str, flag: int, truth: np.ndarray, among: np.ndarray) -> None:
        said = self.flags[among] & flag > 0
        names = self.results["status"].to_numpy()[among]
        expected = np.where(truth, name, f"no {name}")
        self._compare("status", "status", expected, names, said != truth, np.ones(len(among), bool), among)


def _decided(answers: Partitions) -> tuple[np.ndarray, ...]:
    """What does not depend on rounding unless something is as near to the tolerance as rounding is."""
    ends = () if answers.steps is None or answers.stopped is None else (answers.steps, answers.stopped)
    return (answers.equilibria, *ends)
