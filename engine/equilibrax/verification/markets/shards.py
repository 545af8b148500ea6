"""The rows of a shard of markets: drawn again, solved again, and what theory promises worked out again.

Letters: P plays (a game and a lambda), B markets, C committees, N users, K providers. Rows of results are in the order
of P, B, C, N.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax.verification import arrays, rules
from equilibrax.verification.configuration import Part
from equilibrax.verification.folder import file_name
from equilibrax.verification.markets.answers import MarketAnswers, noise_of, solve_market
from equilibrax.verification.markets.configuration import MarketConfiguration, Play
from equilibrax.verification.markets.draws import Markets, draw_markets, known_markets
from equilibrax.verification.markets.promises import MOST_OUTCOMES, Losses, outcomes_of
from equilibrax.verification.rules import MARKET_GAMES, MarketGame
from equilibrax.verification.shards import ShardCheck

_TIGHT = 1e-8  # of a bound, on the range of the user's utilities
_MOST = 2**63 - 1


class MarketShards(ShardCheck):
    """Checks one shard of markets after another."""

    configuration: MarketConfiguration

    @property
    def users(self) -> int:
        return self.configuration["users"]

    def _shape(self, part: Part, markets: int) -> tuple[int, int, int, int]:
        """P, B, C, N."""
        return len(self.configuration.plays), markets, 2**part.providers - 1, self.users

    def _aligned(self, shard: int, part: Part, split: str, tables: pa.Table, results: pa.Table) -> bool:
        name = file_name(self.configuration.kinds[1], split, shard)
        ids, _ = arrays.numbers(tables, self.configuration.key)
        shape = self._shape(part, len(ids))
        if results.num_rows != np.prod(shape):
            expected = f"{np.prod(shape)} rows, {self.configuration.rows_each(part)} for each of {len(ids)} markets"
            self.report.fail("ids", name, expected, results.num_rows)
            return False
        number, whole = np.arange(results.num_rows), True
        for column, truth in (
            (self.configuration.key, ids[:, None, None]),
            ("committee", np.arange(1, shape[2] + 1)[:, None]),
            ("user", np.arange(shape[3])),
        ):
            stored, missing = arrays.numbers(results, column)
            expected = np.broadcast_to(truth, shape).reshape(-1)
            wrong = missing | (stored != expected)
            self.report.compare("ids", name, column, number, expected, stored, wrong)
            whole &= not wrong.any()
        return whole

    def _check_constants(self, name: str, part: Part, rows: pa.Table) -> None:
        super()._check_constants(name, part, rows)
        self._constant(name, rows, "users", self.users)

    def _check_plays(self, name: str, part: Part, rows: pa.Table, markets: int) -> None:
        shape, number = self._shape(part, markets), np.arange(rows.num_rows)
        plays = self.configuration.plays
        for column, values in (
            ("game", [play.name for play in plays]),
            ("rules", [play.rules for play in plays]),
            ("response", [play.response for play in plays]),
            ("tie_break", [play.ties for play in plays]),
        ):
            expected = np.repeat(np.array(values, object), np.prod(shape[1:]))
            got = np.array(rows[column].to_pylist(), object)
            self.report.compare("constants", name, column, number, expected, got, got != expected)
        given = [np.nan if play.rationality is None else play.rationality for play in plays]
        expected = np.repeat(given, np.prod(shape[1:]))
        stored, missing = arrays.numbers(rows, "rationality")
        wrong = (missing != np.isnan(expected)) | (~missing & (stored != expected))
        self.report.compare("constants", name, "rationality", number, expected, stored, wrong)

    # --- markets

    def _draw_markets(self, part: Part, ids: np.ndarray) -> Markets:
        configuration = self.configuration
        sizes = self.users, part.providers, part.states, part.actions
        how = configuration["error"], configuration["seed"], configuration["resolution"]
        return draw_markets(ids, configuration["alignment"], sizes, *how)

    def _check_tables(self, shard: int, part: Part, split: str, rows: pa.Table, wanted: np.ndarray) -> None:
        name = file_name(self.configuration.kinds[0], split, shard)
        ids, _ = arrays.numbers(rows, self.configuration.key)
        self._check_constants(name, part, rows)
        if not known_markets(part.version):
            what = f"markets of version {part.version}, which cannot be drawn again"
            self.report.leave_out("families", what, len(ids))
            return
        chosen = np.flatnonzero(np.isin(ids, wanted))
        self.report.leave_out("sample", "markets that were not in the sample", len(ids) - len(chosen))
        drawn, some = self._draw_markets(part, ids[chosen]), rows.take(pa.array(chosen))
        b, n, x, a = drawn.user.shape
        k = part.providers
        everything, nothing = np.tile(np.arange(x), k), np.zeros(n * x, np.int64)
        for column, truth in (
            ("user", drawn.user / drawn.resolution),
            ("components", drawn.components / drawn.resolution),
            ("weights", drawn.weights / drawn.weight_resolution),
            ("prior", np.ones((b, x), np.int64)),
            ("available", np.ones((b, n * a), bool)),
            ("provider_sees", np.broadcast_to(everything, (b, k * x))),
            ("user_sees", np.broadcast_to(nothing, (b, n * x))),
            ("state_of", np.broadcast_to(np.arange(x), (b, x))),
        ):
            truth = truth.reshape(b, int(np.prod(truth.shape[1:])))
            stored, missing, bad = arrays.lists(some, column, truth.shape[1])
            wrong = missing | bad | (stored != truth).any(axis=1)
            self.report.compare("tables", name, column, chosen, truth, stored, wrong)
        there = ~some["tensor"].combine_chunks().is_null().to_numpy(zero_copy_only=False)
        got = np.where(there, "a value", "none")
        self.report.compare("nulls", name, "tensor", chosen, "none", got, there)
        for column, value in (("resolution", drawn.resolution), ("weight_resolution", drawn.weight_resolution)):
            self._constant(name, rows, column, value)

    # --- results

    def _check_results(self, shard, part: Part, split: str, tables: pa.Table, results: pa.Table, wanted) -> None:
        name = file_name(self.configuration.kinds[1], split, shard)
        ids, _ = arrays.numbers(tables, self.configuration.key)
        shape = self._shape(part, len(ids))
        self._check_plays(name, part, results, len(ids))
        chosen = np.flatnonzero(np.isin(ids, wanted))
        left = (len(ids) - len(chosen)) * self.configuration.rows_each(part)
        self.report.leave_out("sample", "results of markets that were not in the sample", left)
        if not known_markets(part.version):
            self.report.leave_out("families", "results of markets that cannot be drawn again", results.num_rows)
            return
        markets = self._draw_markets(part, ids[chosen])
        flags, unknown = arrays.flags_of(results)
        for p, play in enumerate(self.configuration.plays):
            of_play = np.arange(results.num_rows).reshape(shape)[p]
            game = MARKET_GAMES.get(play.name)
            if game is None:
                what = f"results of the game {play.name}: they are not solved again"
                self.report.leave_out("games", what, of_play.size)
                continue
            can = game.of_rules.get(play.rules, 0) & ~(rules.LIMIT | rules.CYCLE if play.limit is None else 0)
            here = of_play.reshape(-1)
            got = np.array(results["status"].to_pylist(), object)[here]
            bad = unknown[here] | (flags[here] & ~can != 0)
            self.report.compare("status", name, "status", here, "a status of this game", got, bad)
            for i, place in enumerate(chosen.tolist()):
                rows = of_play[place].reshape(-1)
                with self._on_error(f"results whose check ended in an error, in {name}", len(rows)):
                    answers = solve_market(markets, i, play, game.per_user, self.choice.generator)
                    some = results.take(pa.array(rows))
                    one = _Market(self, name, some, rows, flags[rows], markets, i, play, game, shape[2:])
                    one.check(answers)
        self.report.tables_checked += len(chosen)


@dataclass
class _Market:
    """One market and play, and its rows `[C N]`."""

    shards: MarketShards
    file: str
    results: pa.Table
    rows: np.ndarray
    flags: np.ndarray
    markets: Markets
    place: int
    play: Play
    game: MarketGame
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        self.report, self.configuration = self.shards.report, self.shards.configuration
        self.scale = self.markets.resolution * self.markets.user.shape[2]

    def check(self, answers: MarketAnswers) -> None:
        """Every column that says something about equilibria, dynamics or bounds."""
        report, play = self.report, self.play
        everywhere = np.ones(len(self.rows), bool)
        optimum = np.resize(self.markets.user[self.place].max(axis=2).sum(axis=1), len(self.rows)) / self.scale
        self._number("optimum", "optimum", optimum, everywhere, everywhere)
        listed = self.game.per_user or play.profiles
        known = answers.known.reshape(-1)
        unsolved = self.flags & rules.OVERFLOW > 0
        if unsolved.any():
            fits = self.markets.user.shape[3] ** min(self.markets.user.shape[2], 64) <= 2**16
            names = self.results["status"].to_numpy()
            report.compare("status", self.file, "status", self.rows, "no FRONTIER_OVERFLOW", names, unsolved & fits)
            what = "rows that are not solved, and say so (FRONTIER_OVERFLOW)"
            report.leave_out("unsolved", what, int(unsolved.sum()))
            known = known & ~unsolved
        if listed:
            self._equilibria(answers, known, unsolved)
            large = ~known & ~unsolved & ~answers.doubtful.reshape(-1)
            report.leave_out("large", "results of markets that are too large to solve again", int(large.sum()))
            doubtful = answers.doubtful.reshape(-1) & ~known & ~unsolved
            report.leave_out("ties", "rows in which rounding decides what is better", int(doubtful.sum()))
        else:
            for name in ("worst_utility", "best_utility", "equilibria"):
                self._nulls(name, ~everywhere)
        self._dynamics(answers, unsolved)
        self._promises(answers, optimum, known & listed)

    def _equilibria(self, answers: MarketAnswers, known: Any, unsolved: np.ndarray) -> None:
        count = answers.count.reshape(-1)
        some = np.array([number > 0 for number in count], bool)
        near = noise_of(self.markets, self.place, self.play)
        near += 0.0 if self.play.rationality is None else 1e-9 * self.scale
        for check, name, values in (
            ("worst", "worst_utility", answers.worst),
            ("best", "best_utility", answers.best),
        ):
            values = np.where(some, values.reshape(-1), 0) / self.scale
            self._number(check, name, values, some & ~unsolved, known, near / self.scale)
        most = np.array([min(number, _MOST) for number in count.tolist()], np.int64)
        self._number("count", "equilibria", most, ~unsolved, known)
        together = known.reshape(self.shape).all(axis=1)
        none = (~some).reshape(self.shape).any(axis=1)
        large = np.array([number > _MOST for number in count], bool).reshape(self.shape).any(axis=1)
        self._status("NO_EQUILIBRIUM", rules.NONE, none, together)
        self._status("COUNT_SATURATED", rules.SATURATED, large, together)
        if known.any():
            how = "all profiles and rules"
            self.report.proven[how] = self.report.proven.get(how, 0) + int(known.sum())

    def _dynamics(self, answers: MarketAnswers, unsolved: np.ndarray) -> None:
        everywhere = np.ones(len(self.rows), bool)
        if answers.end is None or answers.steps is None:
            for name in ("dynamics_utility", "dynamics_steps"):
                self._nulls(name, ~everywhere)
            return
        replayed = answers.replayed.reshape(-1) & ~unsolved
        together = replayed.reshape(self.shape).all(axis=1)
        cycles = np.repeat(answers.cycles, self.shape[1])
        near = (
            0.0 if self.play.rationality is None else noise_of(self.markets, self.place, self.play) / self.scale + 1e-9
        )
        end = answers.end.reshape(-1) / self.scale
        self._number("dynamics", "dynamics_utility", end, ~cycles & ~unsolved, replayed, near)
        self._number("dynamics", "dynamics_steps", answers.steps.reshape(-1), ~unsolved, replayed)
        self._status("DYNAMICS_LIMIT", rules.LIMIT, answers.stopped, together)
        self._status("CYCLE", rules.CYCLE, answers.cycles, together)
        self.report.leave_out("large", "dynamics of markets that are not replayed", int((~replayed).sum()))

    def _promises(self, answers: MarketAnswers, optimum: np.ndarray, known: Any) -> None:
        """Benchmark and bound: all providers see the state, so the benchmark is the optimum."""
        everywhere, report = np.ones(len(self.rows), bool), self.report
        promised = self.configuration["promises"]
        self._number("benchmark", "benchmark", optimum, everywhere & promised, everywhere)
        source = self.results["bound_source"].to_pylist()
        bound, missing = arrays.numbers(self.results, "bound")
        absent = np.array([not name for name in source])
        there = np.where(missing, "none", "a value")
        report.compare(
            "nulls", self.file, "bound_source", self.rows, there, np.array(source, object), absent != missing
        )
        if not promised or self.play.rationality is not None:
            self._nulls("bound", ~everywhere)
            return
        ranges = np.resize(np.ptp(self.markets.user[self.place], axis=(1, 2)) / self.markets.resolution, len(self.rows))
        slack = _TIGHT * np.where(ranges > 0, ranges, 1.0)
        worst, here = arrays.numbers(self.results, "worst_utility")
        here = known & ~here & ~missing
        report.compare("bound", self.file, "bound", self.rows, worst, bound, ~(bound <= worst + slack), here)
        if self.shards.choice.generator.random() >= self.shards.choice.programs:
            report.leave_out("sample", "bounds by HiGHS", len(self.rows))
            return
        if outcomes_of(self.markets) > MOST_OUTCOMES:
            report.leave_out("large", "bounds of markets with too many action profiles", len(self.rows))
            return
        self._bounds(optimum, bound, missing, source, slack, ranges)

    def _bounds(self, optimum, bound, missing, source, slack, ranges) -> None:
        try:
            losses = Losses(self.markets, self.place, self.shards.solver, per_user=self.game.per_user)
        except RuntimeError as error:
            self.report.leave_out("errors", f"bounds that HiGHS does not solve ({error})", len(self.rows))
            return
        c, n = self.shape
        member = np.arange(1, c + 1)[:, None] >> np.arange(self.markets.components.shape[1]) & 1 == 1
        strong = np.where(member[..., None, None], losses.by_utilities, np.inf).min(axis=1)  # [C, N, 2]
        weak = losses.by_components
        least = np.minimum(weak, strong)[..., 0].reshape(-1)
        most = np.minimum(weak, strong)[..., 1].reshape(-1)
        said = np.array([f"{o - m!r} to {o - p!r}" for o, m, p in zip(optimum, most.tolist(), least.tolist())], object)
        wrong = ~((bound >= optimum - most - slack) & (bound <= optimum - least + slack))
        # A bound of nothing but the range of her utility may be left out: whether it is one depends on the weights.
        vain = np.isinf(weak[..., 0].reshape(-1)) & (most >= ranges - slack)
        wrong = np.where(missing, ~vain, wrong)
        got = np.where(missing, np.nan, bound)
        self.report.compare("programs", self.file, "bound", self.rows, said, got, wrong)
        of = {"Theorem 3.1": weak[..., 1].reshape(-1), "Theorem 4.3": strong[..., 1].reshape(-1)}
        of |= {} if self.game.per_user else {"Theorem 4.4": of["Theorem 4.3"]}
        loss = np.array([of.get(name, np.full(c * n, np.inf))[i] for i, name in enumerate(source)])
        bad = ~missing & ~(loss <= most + slack)
        self.report.compare(
            "bound", self.file, "bound_source", self.rows, "a theorem that promises it", np.array(source, object), bad
        )

    # --- comparing

    def _nulls(self, name: str, there: np.ndarray, among: Any = None) -> np.ndarray:
        missing = self.results[name].combine_chunks().is_null().to_numpy(zero_copy_only=False)
        expected, got = np.where(there, "a value", "none"), np.where(missing, "none", "a value")
        among = np.ones(len(there), bool) if among is None else among
        self.report.compare("nulls", self.file, name, self.rows, expected, got, missing == there, among)
        return there & ~missing & among

    def _number(self, check: str, name: str, values: Any, there: np.ndarray, among: Any, near: float = 0.0):
        """A column against values, up to `near`, in the rows among which it is known."""
        stored, _ = arrays.numbers(self.results, name)
        here = self._nulls(name, there, among)
        bad = stored != values
        if near:
            bad = ~(np.abs(stored - values) <= near + 4 * np.finfo(float).eps * np.abs(values))
        self.report.compare(check, self.file, name, self.rows, values, stored, bad, here)

    def _status(self, name: str, flag: int, truth: Any, among: Any) -> None:
        """A flag of the statuses, which all users of a committee share."""
        truth, among = np.repeat(truth, self.shape[1]), np.repeat(among, self.shape[1])
        expected = np.where(truth, name, f"no {name}")
        names = self.results["status"].to_numpy()
        self.report.compare(
            "status", self.file, "status", self.rows, expected, names, (self.flags & flag > 0) != truth, among
        )
