"""Datasets of decision problems: what `sweep.json` says, and the rows of a shard, drawn and solved again.

Letters: B problems, W states, A acts, M items, J sellers, D the depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from equilibrax._core.column import Column
from equilibrax._core.columns import declared
from equilibrax.verification import arrays
from equilibrax.verification.configuration import MOST_CELLS, MOST_ROWS, Configuration, check_common, check_whole
from equilibrax.verification.folder import file_name
from equilibrax.verification.information import FAMILIES, VERSION, Problems, draw_problems, solvable, solve_markets
from equilibrax.verification.rules import CYCLE, LIMIT, Game
from equilibrax.verification.shards import ShardCheck

_GAME = Game(known=True, statuses=CYCLE | LIMIT, of={CYCLE: "again", LIMIT: "again"})
_OPTIONS = {"mechanism": ("bazaar", "naive"), "buyer": ("face_value", "bayesian"), "rounds": (1, "fixed_point")}
_USUAL = {
    "stratify": "",
    "resolution": 1,
    "split_by": "id",
    "text": False,
}  # what tables have and decision problems have not
_CLOSE = 1e-12  # of prices and revenues, relative to the largest: sums in floating point
_BLOCK = 2**24  # cells in memory


@dataclass(frozen=True)
class ProblemPart:
    """What the problems of a shard are; of the settings of `InformationSweepConfig`."""

    family: str
    states: int
    acts: int
    items: int
    levels: int
    version: int

    @property
    def sellers(self) -> int:
        return 2 if self.family == "partisan" else self.items


@dataclass(frozen=True)
class ProblemConfiguration(Configuration):
    """`sweep.json` of a dataset of decision problems."""

    unit: ClassVar[str] = "problems"
    kinds: ClassVar[tuple[str, str]] = ("problems", "depths")
    key: ClassVar[str] = "problem"

    def __getitem__(self, name: str) -> Any:
        config: Mapping[str, Any] = self.description["config"]
        if name == "game":
            return config["game"]["name"]
        if name in _OPTIONS:
            return config["game"][name]
        if name == "depth":
            depth = config["game"]["depth"]
            return config["items"] if depth is None else depth
        if name == "again":
            return self["rounds"] != 1
        return _USUAL[name] if name in _USUAL else config[name]

    @property
    def game(self) -> Game:
        """What is known of the market."""
        return _GAME if self["game"] == "information_market" else Game()

    def part(self, shard: int) -> ProblemPart:
        """What a shard's problems are."""
        config, version = self.description["config"], self.description["family_version"]
        sizes = {name: int(config[name]) for name in ("states", "acts", "items", "levels")}
        return ProblemPart(family=config["family"], version=version, **sizes)

    def letters(self, part: ProblemPart) -> dict[str, int]:
        """The lengths of lists."""
        return {"W": part.states, "A": part.acts, "M": part.items, "J": part.sellers}

    def rows_each(self, part: ProblemPart) -> int:
        """Rows of results of each problem: depths, 0 among them."""
        return self["depth"] + 1

    def columns(self, kind: str) -> list[Column]:
        """The columns of `problems` or `depths`, in order."""
        return list(declared(kind))

    def check_limits(self) -> None:
        """Whether sizes are sizes that a sweep can have."""
        check_common(self)
        for name, high in {"states": 2**16, "acts": 2**16, "items": 16, "levels": 2**31 - 1}.items():
            check_whole(name, self[name], 1, high)
        check_whole("depth", self["depth"], 0, 2**22)
        part = self.part(0)
        check_whole("version", part.version, 1, 2**31)
        if type(self["family"]) is not str or len(self["family"]) > 200:
            raise TypeError("family: no text")
        for name, options in _OPTIONS.items():
            if self[name] not in options:
                raise ValueError(f"{name}: none of {options}")
        if part.states * part.acts * part.items > MOST_CELLS:
            raise ValueError(f"problems of more than {MOST_CELLS:,} numbers")
        if min(self["shard_size"], self.count) * self.rows_each(part) > MOST_ROWS:
            raise ValueError(f"shard_size: more than {MOST_ROWS:,} rows")


class ProblemCheck(ShardCheck):
    """Checks one shard of decision problems after another."""

    def _within(self, part: ProblemPart) -> tuple[str, np.ndarray]:
        return "depth", np.arange(self.configuration.rows_each(part))

    def _check_constants(self, name: str, part: ProblemPart, rows: pa.Table) -> None:
        number = np.arange(rows.num_rows)
        texts = {"family": part.family}
        if name.startswith("depths/"):
            texts |= {option: str(self.configuration[option]) for option in _OPTIONS}
        for column, text in texts.items():
            found = np.array(rows[column].to_pylist(), object)
            self.report.compare("constants", name, column, number, text, found, found != text)
        sizes = {"states": part.states, "acts": part.acts, "num_items": part.items, "num_sellers": part.sellers}
        for column, value in {"seed": self.configuration["seed"], **sizes}.items():
            self._constant(name, rows, column, value)

    def _check_tables(self, shard, part: ProblemPart, split: str, rows: pa.Table, wanted) -> None:
        name, key = file_name("problems", split, shard), self.configuration.key
        ids, _ = arrays.numbers(rows, key)
        self._check_constants(name, part, rows)
        self._constant(name, rows, "resolution", 1)
        if part.family not in FAMILIES or part.version != VERSION:
            what = f"problems of the family {part.family}, which cannot be drawn again"
            self.report.leave_out("families", what, len(ids))
            return
        chosen = np.flatnonzero(np.isin(ids, wanted))
        self.report.leave_out("sample", "problems that were not in the sample", len(ids) - len(chosen))
        drawn, some = self._drawn(part, ids[chosen]), rows.take(pa.array(chosen))
        labels = np.stack([_first_places(row) for row in drawn.items.reshape(-1, part.states)] or [np.zeros(0, int)])
        truths = {
            "prior": drawn.prior // np.gcd.reduce(drawn.prior, axis=1, keepdims=True),
            "utility": drawn.utility,
            "items": labels,
            "costs": drawn.costs,
            "owners": np.broadcast_to(drawn.owners, (len(chosen), part.items)),
            "stakes": drawn.stakes,
        }
        for column, truth in truths.items():
            width = self._width(part, column)
            stored, missing, bad = arrays.lists(some, column, width)
            if truth is None:
                self.report.compare("tables", name, column, chosen, "nothing", stored, ~missing)
                continue
            truth = truth.reshape(len(chosen), width)
            wrong = missing | bad | (stored != truth).any(axis=1)
            self.report.compare("tables", name, column, chosen, truth, stored, wrong)

    def _width(self, part: ProblemPart, column: str) -> int:
        letters = self.configuration.letters(part)
        declared_as = next(c for kind in self.configuration.kinds for c in declared(kind) if c.name == column)
        return int(np.prod([letters[letter] for letter in declared_as.size.split()]))

    def _drawn(self, part: ProblemPart, ids: np.ndarray) -> Problems:
        sizes = {name: getattr(part, name) for name in ("states", "acts", "items", "levels")}
        return draw_problems(part.family, ids, **sizes, seed=self.configuration["seed"])

    def _check_results(self, shard, part: ProblemPart, split: str, tables: pa.Table, results: pa.Table, wanted) -> None:
        name, each = file_name("depths", split, shard), self.configuration.rows_each(part)
        flags, unknown = arrays.statuses(results, self.configuration)
        number = np.arange(results.num_rows)
        got = np.array(results["status"].to_pylist(), object)
        self.report.compare("status", name, "status", number, "a status of this game", got, unknown)
        ids = arrays.numbers(tables, self.configuration.key)[0]
        if not self.configuration.game.known or part.family not in FAMILIES or part.version != VERSION:
            self.report.leave_out("games", "markets of information that cannot be solved again", results.num_rows)
            return
        if not solvable(part.states, part.levels):
            self.report.leave_out("large", "markets of information whose products exceed 64 bits", results.num_rows)
            return
        chosen = np.flatnonzero(np.isin(ids, wanted))
        self.report.leave_out("sample", "rows that were not in the sample", (len(ids) - len(chosen)) * each)
        step = max(1, _BLOCK // (part.states**2 * max(part.items, part.acts) * 2 ** min(part.items, 10)))
        for start in range(0, len(chosen), step):
            mine = chosen[start : start + step]
            rows = (mine[:, None] * each + np.arange(each)).reshape(-1)
            with self._on_error("markets of information whose check ended in an error", len(rows)):
                self._compare(part, name, self._drawn(part, ids[mine]), rows, results.take(pa.array(rows)), flags[rows])
                self.report.tables_checked += len(mine)
                how = "solving every market again"
                self.report.proven[how] = self.report.proven.get(how, 0) + len(rows)

    def _compare(self, part: ProblemPart, name: str, problems: Problems, rows, stored: pa.Table, flags) -> None:
        options = self.configuration
        found = solve_markets(
            problems,
            options["depth"],
            naive=options["mechanism"] == "naive",
            bayesian=options["buyer"] == "bayesian" and options["mechanism"] == "bazaar",
            again=options["again"],
        )
        each, settled = options.rows_each(part), found.settled.reshape(-1)
        total = problems.prior.sum(axis=1)
        limit = np.repeat(found.rounds >= 10_000, each)
        status = np.where(settled, 0, np.where(limit, LIMIT, CYCLE))
        self.report.compare("status", name, "status", rows, status, flags, status != flags)
        utility = (found.value / total[:, None]).reshape(-1)
        harmed = (found.value < found.value[:, :1]).reshape(-1) & settled
        numbers = {
            ("optimum", "first_best"): (np.repeat(found.first_best / total, each), None),
            ("utility", "utility"): (utility, settled),
            ("utility", "harmed"): (harmed, None),
            ("shown", "choice_rounds"): (np.repeat(found.rounds, each), None),
        }
        for (check, column), (truth, there) in numbers.items():
            got, missing = arrays.numbers(stored, column)
            self._nulls(name, column, rows, missing, there)
            self.report.compare(check, name, column, rows, truth, got, got != truth, there)
        lists = {
            "shown": found.shown,
            "price": found.price / found.weight,
            "revenue": found.revenue / total[:, None, None],
        }
        for column, truth in lists.items():
            truth = truth.reshape(len(rows), -1)
            got, missing, bad = arrays.lists(stored, column, truth.shape[1])
            self._nulls(name, column, rows, missing, settled)
            close = np.abs(got - truth) <= _CLOSE * max(1.0, float(np.abs(truth).max(initial=0)))
            self.report.compare("shown", name, column, rows, truth, got, bad | ~close.all(axis=1), settled)

    def _nulls(self, name: str, column: str, rows: np.ndarray, missing: np.ndarray, there: np.ndarray | None) -> None:
        wrong = missing if there is None else missing == there
        self.report.compare("nulls", name, column, rows, "null where the status says so", missing, wrong)


def _first_places(labels: np.ndarray) -> np.ndarray:
    """Labels counted in the order in which they appear."""
    seen: dict[int, int] = {}
    return np.array([seen.setdefault(label, len(seen)) for label in labels.tolist()])
