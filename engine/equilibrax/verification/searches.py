"""Profiles of lotteries over messages that a search found: what everybody has, and what a member could gain.

The user hears a message from every member, drawn given the state, and takes the lowest of her best actions, or responds
quantally. A member that deviates may say anything: every partition of the states is tried, and for some rows HiGHS is
asked for the best of all rules. A recommendation that she obeys out of indifference need not be followed, so two
programs are solved: one with it, which promises at least what can be had, and one in which she must prefer it a little,
which promises no more. With a quantal user it is the best split of the prior into posteriors on a grid, which promises
no more either.

Letters: K providers, X states, A actions, M messages, C committees, S plans; Q what else she hears.
"""

from __future__ import annotations

import itertools
from math import comb
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax.verification import arrays, rules
from equilibrax.verification.configuration import Configuration
from equilibrax.verification.games import Games
from equilibrax.verification.partitions import labels_of
from equilibrax.verification.programs import Programs
from equilibrax.verification.report import Verification
from equilibrax.verification.safely import short

_NEAR, _FAR = 1e-13, 1e-10  # of the range of her contributions: what is nearer is equal to her, what is farther is not
_SAME = 1e-8  # utilities and gains, in units of the largest contribution
_QUANTAL = 1e-6  # how near a regret and its bound are if she responds quantally, in the same units
_LITTLE = 1e-7  # by how much she must prefer what is recommended, of the most that she can
_MOST_STATES, _MOST_ENTRIES = 6, 2**20
_GRID, _MOST_POSTERIORS = 24, 5_000
_NONE = ("worst_utility", "best_utility", "equilibria", "dynamics_utility", "dynamics_steps", "worst_partition")


def check_search(
    report: Verification,
    configuration: Configuration,
    file: str,
    games: Games,
    results: pa.Table,
    rows: np.ndarray,
    picked: np.ndarray,
    solver: Programs,
) -> bool:
    """Check every column of one table's rows; arguments and result as of `partition_results.check_partitions`."""
    check = _Profiles(report, configuration, file, games, results, rows)
    for name in (*_NONE, "misalignment", "bound"):
        check.nulls(name, np.zeros(len(rows), bool))
    optimum, _ = arrays.numbers(results, "optimum")
    truth = np.full(len(rows), games.optimum()[0] / games.scale[0])
    check.compare("optimum", "optimum", truth, optimum, check.differ(optimum, truth))
    check.claims()
    there = check.profiles()
    check.deviations(there, picked, solver)
    return True


class _Profiles:
    def __init__(self, report, configuration: Configuration, file: str, games: Games, results: pa.Table, rows):
        self.report, self.configuration, self.file, self.rows, self.results = report, configuration, file, rows, results
        self.contributions = games.contributions[0] / games.scale[0]  # [1 + K, X, A]
        self.unit = float(np.abs(self.contributions).max()) or 1.0
        self.prior = games.prior[0] / games.prior[0].sum()
        self.rationality = (configuration["rationality"] or [None])[0]
        self.bits = games.committees[:, None] >> np.arange(games.providers) & 1 == 1  # [C, K]
        self.flags, _ = arrays.statuses(results, configuration)
        names = ("regret_lower", "regret_bound", "user_utility", "regret")
        read = [arrays.numbers(results, name)[0].astype(float) for name in names]
        self.regret, self.bound, self.hers, self.said = read
        self.slack = _SAME * self.unit + (1e-6 * self.unit if configuration["float32"] else 0.0)

    def compare(self, check: str, column: str, expected: Any, got: np.ndarray, bad: np.ndarray, among: Any = None):
        self.report.compare(check, self.file, column, self.rows, expected, got, bad, among)

    def differ(self, got: np.ndarray, truth: np.ndarray) -> np.ndarray:
        return ~(np.abs(got - truth) <= self.slack)

    def nulls(self, name: str, there: np.ndarray) -> None:
        missing = self.results[name].combine_chunks().is_null().to_numpy(zero_copy_only=False)
        got = np.where(missing, "none", "a value")
        self.compare("nulls", name, np.where(there, "a value", "none"), got, missing == there)

    def claims(self) -> None:
        """What rows say of themselves: which bounds are certified, and what is called an epsilon-equilibrium."""
        certified = arrays.numbers(self.results, "certified")[0].astype(bool)
        everywhere = np.ones(len(self.rows), bool)
        for name in ("user_utility", "provider_utility", "regret_lower", "regret_bound", "certified", "lotteries"):
            self.nulls(name, everywhere)
        bounded = self.bound < np.inf
        self.nulls("regret", bounded)
        self.compare("search", "regret", self.regret, self.said, self.said != self.regret, bounded)
        self.compare("search", "regret_lower", "from 0 to regret_bound", self.regret, ~(self.regret >= 0))
        apart = self.bound - self.regret
        self.compare("search", "regret_bound", "no less than regret", self.bound, ~(apart >= -self.slack))
        said = "regret and its bound that meet"
        near = self.slack + (0.0 if self.rationality is None else _QUANTAL * self.unit)
        self.compare("search", "certified", said, certified, ~(apart <= near), certified)
        uncertified = self.flags & rules.RULE > 0
        names = self.results["status"].to_numpy()
        self.compare("status", "status", "RULE_UNCERTIFIED iff it is not certified", names, uncertified == certified)
        called = certified & (self.bound <= self.configuration["search"]["tolerance"])
        self.nulls("epsilon", called)
        epsilon, missing = arrays.numbers(self.results, "epsilon")
        self.compare("search", "epsilon", self.bound, epsilon, epsilon != self.bound, called & ~missing)

    def profiles(self) -> np.ndarray:
        """Compare what everybody has; `[C]` which rows have rules at all.

        Where rounding decides what the user does, she has the same whatever it is, and providers have something
        between the least and the most that her best actions give them; deviations are then from the most.
        """
        count, states, _ = self.contributions.shape
        messages = self.configuration["search"]["messages"] or states
        flat, missing, bad = arrays.lists(self.results, "lotteries", (count - 1) * states * messages)
        lotteries = flat.reshape(-1, count - 1, states, messages)
        sums, inside = lotteries.sum(axis=3), self.bits[:, :, None]
        wrong = (lotteries < 0).any(axis=(1, 2, 3)) | (np.abs(sums - inside) > 1e-6).any(axis=(1, 2))
        said = "chances that sum to 1 in every state, 0 outside the committee"
        self.compare("search", "lotteries", said, flat, bad | missing | wrong)
        there = ~(bad | missing | wrong)
        self.rules = [lotteries[c][self.bits[c]] for c in range(len(self.rows))]
        stored, gone, odd = arrays.lists(self.results, "provider_utility", count - 1)
        least, most = np.zeros((2, len(self.rows), count))
        self.sure = there.copy()
        for c in np.flatnonzero(there).tolist():
            least[c], most[c], self.sure[c] = self._values(self.rules[c])
        inside = np.column_stack([np.ones(len(there), bool), self.bits])
        least, self.values = np.where(inside, least, 0.0), np.where(inside, most, 0.0)
        self.report.leave_out(
            "ties", "profiles in which rounding decides what the user does", int((there & ~self.sure).sum())
        )
        hers = self.values[:, 0]
        self.compare("search", "user_utility", hers, self.hers, self.differ(self.hers, hers), there)
        within = (stored >= least[:, 1:] - self.slack) & (stored <= self.values[:, 1:] + self.slack)
        off = ~within.all(axis=1) | gone | odd
        self.compare("search", "provider_utility", self.values[:, 1:], stored, off, there)
        return there

    def deviations(self, there: np.ndarray, picked: np.ndarray, solver: Programs) -> None:
        """No partition, and no rule that HiGHS finds, gains a member more than the bound; and some gains the regret."""
        gains = np.zeros(len(self.rows))
        small = self.contributions.shape[1] <= _MOST_STATES
        for c in np.flatnonzero(there & small).tolist():
            gains[c] = self._by_partitions(c)
        said = "no partition that gains a member more"
        self.compare("search", "regret_bound", said, self.bound, gains > self.bound + self.slack, there & small)
        self.report.leave_out("large", "partitions of many states as deviations", int((there & ~small).sum()))
        asked = np.flatnonzero(there & picked)
        low, high = np.zeros(len(self.rows)), np.full(len(self.rows), np.inf)
        among = np.zeros(len(self.rows), bool)
        for c in asked.tolist():
            try:
                found = self._by_programs(c, solver)
                among[c] = found is not None
                low[c], high[c] = found or (0.0, np.inf)
            except (RuntimeError, MemoryError) as error:
                self.report.leave_out("errors", f"regrets that HiGHS does not decide ({short(error)})", 1)
        self.report.leave_out("large", "regrets whose programs are too large", int(len(asked) - among.sum()))
        slack = self.slack + 10 * _LITTLE * self.unit
        said = "at least what the best rule gains"
        self.compare("programs", "regret_bound", said, self.bound, low > self.bound + slack, among)
        said = "no more than any rule gains"
        self.compare("programs", "regret_lower", said, self.regret, self.regret > high + slack, among & self.sure)
        wide = among & np.isfinite(high) & (high > low + slack) & (self.bound > low + slack)
        self.report.leave_out("ties", "regrets in which the user's ties decide, up to those", int(wide.sum()))
        self.report.leave_out("sample", "regrets by HiGHS", int(there.sum() - len(asked)))

    def _by_partitions(self, c: int) -> float:
        states, most = self.contributions.shape[1], 0.0
        for i, j in enumerate(np.flatnonzero(self.bits[c]).tolist()):
            for labels in labels_of(states):
                told = (labels[:, None] == np.arange(states)).astype(float)
                least, _, _ = self._values([*self.rules[c][:i], told, *self.rules[c][i + 1 :]])
                most = max(most, float(least[1 + j] - self.values[c, 1 + j]))
        return most

    def _by_programs(self, c: int, solver: Programs) -> tuple[float, float] | None:
        """The most that a member gains where the user must prefer a little what she is to do, and where she need not;
        none if programs are too large. Of a quantal user on the grid, and infinity."""
        if self.rationality is not None:
            return self._by_posteriors(c, self.rationality, solver)
        low, high = 0.0, 0.0
        for i, j in enumerate(np.flatnonzero(self.bits[c]).tolist()):
            heard = _heard(np.delete(self.rules[c], i, axis=0), self.contributions.shape[1])  # [Q, X]
            user, own = (heard[:, :, None] * self.contributions[player] for player in (0, 1 + j))
            places, states, actions = user.shape
            if places * np.log2(actions) > 30 or states**2 * places * actions * actions ** (2 * places) > _MOST_ENTRIES:
                return None
            now = self.values[c, 1 + j]
            low = max(low, solver.persuade(user, own, _LITTLE) - now)
            high = max(high, solver.persuade(user, own, 0.0) - now)
        return low, high

    def _by_posteriors(self, c: int, rationality: float, solver: Programs) -> tuple[float, float] | None:
        """The most that a member gains by a rule whose posteriors are on the grid; of more there is no program."""
        states, most = len(self.prior), 0.0
        if comb(_GRID + states - 1, _GRID) > _MOST_POSTERIORS:
            return None
        bars = np.array(list(itertools.combinations(range(_GRID + states - 1), states - 1)), int)
        ends = np.full((len(bars), 1), _GRID + states - 1)
        grid = (np.diff(np.hstack([ends * 0 - 1, bars.reshape(len(ends), -1), ends])) - 1) / _GRID
        for i, j in enumerate(np.flatnonzero(self.bits[c]).tolist()):
            heard = _heard(np.delete(self.rules[c], i, axis=0), states)  # [Q, X]
            worth = np.zeros(len(grid))
            for told in heard:
                chance = grid * told
                hers, own = (chance @ (self.contributions[p] / self.prior[:, None]) for p in (0, 1 + j))
                worth += (_respond(hers, chance.sum(axis=1), rationality) * own).sum(axis=1)
            most = max(most, solver.split(worth, grid, self.prior) - float(self.values[c, 1 + j]))
        return most, np.inf

    def _values(self, told: Any) -> tuple[np.ndarray, np.ndarray, bool]:
        """`[1 + K]` the least and the most that everybody has, and whether it is sure what the user does."""
        heard = _heard(told, self.contributions.shape[1])
        worth = heard @ self.contributions  # [1 + K, T, A]
        if self.rationality is not None:
            found = (worth * _respond(worth[0], heard @ self.prior, self.rationality)).sum(axis=(1, 2))
            return found, found, True
        below = worth[0].max(axis=1, keepdims=True) - worth[0]
        near, far = (below <= slack * np.ptp(self.contributions[0]) for slack in (_NEAR, _FAR))
        chosen = near.argmax(axis=1)
        if (chosen == far.argmax(axis=1)).all():
            found = np.take_along_axis(worth, chosen[None, :, None], axis=2)[..., 0].sum(axis=1)
            return found, found, True
        least = np.where(far, worth, np.inf).min(axis=2).sum(axis=1)
        return least, np.where(far, worth, -np.inf).max(axis=2).sum(axis=1), False


def _respond(worth: np.ndarray, seen: np.ndarray, rationality: float) -> np.ndarray:
    """`[T, A]` chances of actions that are worth this, times the chance of having heard that."""
    below = worth - worth.max(axis=1, keepdims=True)
    odds = np.exp(rationality * below / np.where(seen > 0, seen, 1.0)[:, None])
    return odds / odds.sum(axis=1, keepdims=True)


def _heard(told: Any, states: int) -> np.ndarray:
    """`[T, X]` chances of all tuples of messages."""
    found = np.ones((1, states))
    for own in told:
        found = (found[:, None] * own.T[None]).reshape(-1, states)
    return found
