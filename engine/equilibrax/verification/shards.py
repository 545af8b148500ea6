"""The rows of a shard: its ids, splits and constant columns, its tables drawn again, its results solved again.

Letters: B tables, K providers, X states, A actions, C committees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax.verification import arrays, rules
from equilibrax.verification.configuration import Configuration, Part
from equilibrax.verification.draws import draw_again, draw_prior, known_family
from equilibrax.verification.enumeration import MOST_SCHEMES, block_size, enumerate_games
from equilibrax.verification.folder import file_name, read_rows, record_name
from equilibrax.verification.games import Answers, Games
from equilibrax.verification.lists import TooLong, solve_table
from equilibrax.verification.lotteries import solve_lotteries
from equilibrax.verification.partition_results import check_partitions, check_setting
from equilibrax.verification.programs import Programs
from equilibrax.verification.report import WORDS, Verification
from equilibrax.verification.results import Block, check_results
from equilibrax.verification.safely import short
from equilibrax.verification.training import forms
from equilibrax.verification.training.questions import TextCheck

ATTACKS = 2000
"""Schemes that are tried where equilibria can be neither enumerated nor listed."""

_CELLS = 2**22  # utilities in memory
_OF_ROWS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    pa.ArrowException,
)
"""What rows that nobody expected may end in."""


@dataclass
class Choice:
    """Which tables are drawn and solved again, and which scores by HiGHS.

    Attributes:
        tables: `[N]` numbers of tables in the order of shards and ids, rising; None is all.
        programs: how likely a score is solved again.
        generator: of random numbers.
        seen: how many tables there were in earlier shards.
    """

    tables: np.ndarray | None
    programs: float
    generator: np.random.Generator
    seen: int = 0

    def of_next(self, number: int) -> np.ndarray:
        """`[number]` bool, which tables of the next shard, in the order of their ids."""
        first, self.seen = self.seen, self.seen + number
        if self.tables is None:
            return np.ones(number, bool)
        start, stop = np.searchsorted(self.tables, [first, self.seen])
        chosen = np.zeros(number, bool)
        chosen[self.tables[start:stop] - first] = True
        return chosen


class ShardCheck:
    """Checks one shard after another."""

    def __init__(self, report: Verification, configuration: Configuration, folder: Path, choice: Choice):
        self.report, self.configuration, self.folder, self.choice = report, configuration, folder, choice
        self.solver = Programs()

    def check(self, shard: int, record: dict[str, Any] | None) -> None:
        """Check all files of a shard and what its record counts; whatever goes wrong is about this shard alone."""
        with self._on_error(f"shards whose check ended in an error, {record_name(shard)} for one", 1):
            self._check(shard, record)

    @contextmanager
    def _on_error(self, what: str, number: int) -> Iterator[None]:
        try:
            yield
        except _OF_ROWS as e:
            self.report.leave_out("errors", f"{what} ({short(e)})", number)

    def _check(self, shard: int, record: dict[str, Any] | None) -> None:
        part = self.configuration.part(shard)
        files = record["files"] if record else {}
        read: dict[str, dict[str, pa.Table | None]] = {}
        for split in self.configuration.splits:
            names = {kind: file_name(kind, split, shard) for kind in self.configuration.folders}
            read[split] = {
                kind: read_rows(self.report, self.configuration, self.folder, name, shard, files.get(name))
                for kind, name in names.items()
            }
        self._check_counts(shard, record, read)
        ids = self._check_ids(shard, record, read)
        chosen = self.choice.of_next(len(ids))
        wanted = np.unique(ids)[chosen[: len(np.unique(ids))]]
        for position, split in enumerate(self.configuration.splits):
            tables, results, *text = (read[split][kind] for kind in self.configuration.folders)
            if tables is not None:
                self.report.tables += tables.num_rows
                self._check_splits(shard, part, split, position, tables)
                self._check_tables(shard, part, split, tables, wanted)
            if results is not None:
                self.report.rows += results.num_rows
                self._check_constants(file_name(self.configuration.kinds[1], split, shard), part, results)
            if tables is not None and results is not None:
                if self._aligned(shard, part, split, tables, results):
                    self._check_results(shard, part, split, tables, results, wanted)
                    for rows in text:
                        self._check_text(shard, part, split, tables, results, rows, wanted)
                else:
                    self.report.leave_out(
                        "errors", "results whose rows are not those of the tables, in order", results.num_rows
                    )
        if record and self.configuration["stratify"]:
            self._check_strata(shard, part, record, read)

    def _check_counts(self, shard: int, record: dict[str, Any] | None, read) -> None:
        results = [kinds[self.configuration.kinds[1]] for kinds in read.values()]
        if record is None or any(rows is None for rows in results):
            return
        count = Counter(status for rows in results for status in rows["status"].to_pylist())
        self.report.passed("records")
        if dict(count) != record["statuses"]:
            self.report.fail("records", record_name(shard), dict(count), record["statuses"], column="statuses")

    # --- ids --------------------------------------------------------------------------------------------------------

    def _check_ids(self, shard: int, record: dict[str, Any] | None, read) -> np.ndarray:
        """`[N]` all ids of the shard's tables, sorted."""
        key, span, seen = self.configuration.key, self.configuration.ids(shard), []
        whole = True
        for split, kinds in read.items():
            rows, name = kinds[self.configuration.kinds[0]], file_name(self.configuration.kinds[0], split, shard)
            if rows is None:
                whole = False
                continue
            ids, missing = arrays.numbers(rows, key)
            number = np.arange(len(ids))
            said = f"an id from {span.start} to {span.stop - 1}"
            self.report.compare("ids", name, key, number, said, ids, (ids < span.start) | (ids >= span.stop))
            self.report.compare("ids", name, key, number, "an id", ids, missing)
            falling = np.zeros(len(ids), bool)
            falling[1:] = ids[1:] <= ids[:-1]
            self.report.compare("ids", name, key, number, "rising ids, each once", ids, falling)
            here = np.isin(ids, np.concatenate(seen)) if seen else np.zeros(len(ids), bool)
            self.report.compare("ids", name, key, number, "an id that no other split has", ids, here)
            seen.append(ids)
        ids = np.sort(np.concatenate(seen)) if seen else np.zeros(0, np.int64)
        if whole and not self.configuration["stratify"]:
            absent = np.setdiff1d(np.arange(span.start, span.stop), ids)
            if len(absent):
                some = ", ".join(map(str, absent[:5].tolist()))
                got = f"none with the ids {some}" + (f" and {len(absent) - 5} others" if len(absent) > 5 else "")
                self.report.fail("ids", record_name(shard), f"{len(span)} {self.configuration.unit}", got, column=key)
        return ids

    def _check_splits(self, shard: int, part: Any, split: str, position: int, rows: pa.Table) -> None:
        key, name = self.configuration.key, file_name(self.configuration.kinds[0], split, shard)
        ids, _ = arrays.numbers(rows, key)
        decisive = ids
        if self.configuration["split_by"] == "form" and len(ids):
            games = self._games(part, rows)
            if games is None:
                what = "splits of tables that are stored in 32 bits and cannot be drawn again"
                self.report.leave_out("families", what, len(ids))
                return
            decisive = forms.hashes(games)
        names, belongs = np.array(self.configuration.splits, object), self.configuration.split_of(decisive)
        got = np.full(len(ids), split, object)
        self.report.compare("splits", name, key, np.arange(len(ids)), names[belongs], got, belongs != position)

    def _check_text(self, shard, part: Part, split: str, tables: pa.Table, results: pa.Table, text, wanted) -> None:
        """Games in words, and the answers to questions about them."""
        if text is None:
            return
        name = file_name(self.configuration.folders[-1], split, shard)
        if not tables.num_rows:
            if text.num_rows:
                self.report.fail("text", name, "no text without tables", f"{text.num_rows} rows")
            return
        check = TextCheck(self.report, name, tables, results, text)
        self.report.leave_out(WORDS, "rules and wording of games in words", text.num_rows)
        if not check.check_ids():
            self.report.leave_out("errors", "text whose rows are not those of the tables, in order", text.num_rows)
            return
        chosen = np.flatnonzero(np.isin(arrays.numbers(tables, self.configuration.key)[0], wanted))
        self.report.leave_out("sample", "text of tables that were not in the sample", tables.num_rows - len(chosen))
        if not len(chosen):
            return
        games = self._games(part, tables.take(pa.array(chosen)))
        if games is None:
            what = "text of tables that are stored in 32 bits and cannot be drawn again"
            self.report.leave_out("families", what, len(chosen))
            return
        check.check_words(games, chosen)
        check.check_answers(games, chosen)

    def _aligned(self, shard: int, part: Part, split: str, tables: pa.Table, results: pa.Table) -> bool:
        """Whether the rows of every table are there, in order."""
        key = self.configuration.key
        name, each = file_name(self.configuration.kinds[1], split, shard), self.configuration.rows_each(part)
        ids, _ = arrays.numbers(tables, key)
        found, _ = arrays.numbers(results, key)
        column, repeating = self._within(part)
        place, _ = arrays.numbers(results, column)
        if len(found) != len(ids) * each:
            got = f"{len(found)}"
            self.report.fail(
                "ids", name, f"{len(ids) * each} rows, {each} for each of {len(ids)} {self.configuration.unit}", got
            )
            return False
        number = np.arange(len(found))
        repeated = np.repeat(ids, each)
        places = np.tile(repeating, len(found) // len(repeating))
        self.report.compare("ids", name, key, number, repeated, found, found != repeated)
        self.report.compare("ids", name, column, number, places, place, place != places)
        return bool((found == repeated).all() and (place == places).all())

    def _within(self, part: Any) -> tuple[str, np.ndarray]:
        """The column that tells the rows of one table apart, and its values in order, which may repeat."""
        return "committee", self.configuration.game.committees(part.providers)

    # --- tables -----------------------------------------------------------------------------------------------------

    def _check_tables(self, shard: int, part: Part, split: str, rows: pa.Table, wanted: np.ndarray) -> None:
        name = file_name(self.configuration.kinds[0], split, shard)
        ids, _ = arrays.numbers(rows, self.configuration.key)
        self._check_constants(name, part, rows)
        self._constant(name, rows, "resolution", self.configuration["resolution"])
        if not known_family(part.family, part.version):
            what = f"tables of the family {part.family}, which cannot be drawn again"
            self.report.leave_out("families", what, len(ids))
            return
        chosen = np.flatnonzero(np.isin(ids, wanted))
        self.report.leave_out("sample", "tables that were not in the sample", len(ids) - len(chosen))
        resolution, cells = self.configuration["resolution"], part.states * part.actions
        kind = np.float32 if self.configuration["float32"] else np.float64
        step = max(1, _CELLS // (cells * (1 + part.providers)))
        for start in range(0, len(chosen), step):
            mine = chosen[start : start + step]
            drawn, some = self._draw(part, ids[mine]), rows.take(pa.array(mine))
            for column, truth, width in (
                ("user", (drawn[:, 0] / resolution).astype(kind), cells),
                ("provider_utilities", (drawn[:, 1:] / resolution).astype(kind), part.providers * cells),
                ("prior", self._prior(part, ids[mine]), part.states),
                ("available", np.ones((len(mine), cells), bool), cells),
            ):
                stored, missing, bad = arrays.lists(some, column, width)
                truth = truth.reshape(len(mine), width)
                wrong = missing | bad | (stored != truth).any(axis=1)
                self.report.compare("tables", name, column, mine, truth, stored, wrong)

    def _check_constants(self, name: str, part: Part, rows: pa.Table) -> None:
        results = name.partition("/")[0] == self.configuration.kinds[1]
        family = np.array(rows["family"].to_pylist(), object)
        self.report.compare(
            "constants", name, "family", np.arange(len(family)), part.family, family, family != part.family
        )
        values = {"seed": self.configuration["seed"], "states": part.states, "actions": part.actions}
        alone = results and self.configuration.game.alone  # with herself
        for column, value in {**values, "num_providers": 1 if alone else part.providers}.items():
            self._constant(name, rows, column, value)
        if results:
            mask, _ = arrays.numbers(rows, "committee")
            size = (mask[:, None] >> np.arange(16) & 1).sum(axis=1)
            stored, missing = arrays.numbers(rows, "committee_size")
            wrong = missing | (stored != size)
            self.report.compare("constants", name, "committee_size", np.arange(len(size)), size, stored, wrong)
            if not self.configuration.game.schemes:
                check_setting(self.report, self.configuration, name, rows, part)

    def _constant(self, name: str, rows: pa.Table, column: str, value: int) -> None:
        self.report.constant(name, column, np.arange(rows.num_rows), value, *arrays.numbers(rows, column))

    def _draw(self, part: Part, ids: np.ndarray) -> np.ndarray:
        """`[B, 1 + K, X, A]` utilities drawn again."""
        user, providers = draw_again(
            part.family,
            ids,
            states=part.states,
            actions=part.actions,
            providers=part.providers,
            seed=self.configuration["seed"],
            resolution=self.configuration["resolution"],
            parameters=part.parameters,
        )
        return np.concatenate([user[:, None], providers], axis=1)

    def _prior(self, part: Part, ids: np.ndarray) -> np.ndarray:
        """`[B, X]` weights of their states."""
        return draw_prior(part.family, ids, states=part.states, seed=self.configuration["seed"])

    def _games(self, part: Part, rows: pa.Table) -> Games | None:
        """The games of some rows: drawn again if that can be done, else as they are stored, if that is exact."""
        resolution, shape = (
            self.configuration["resolution"],
            (rows.num_rows, 1 + part.providers, part.states, part.actions),
        )
        if known_family(part.family, part.version):
            ids = arrays.numbers(rows, self.configuration.key)[0]
            utilities, prior = self._draw(part, ids), self._prior(part, ids)
            available = np.ones((rows.num_rows, part.states, part.actions), bool)
        else:
            cells = part.states * part.actions
            stored = [
                arrays.lists(rows, column, width)[0].astype(np.float64)
                for column, width in (("user", cells), ("provider_utilities", part.providers * cells))
            ]
            steps = np.concatenate(stored, axis=1) * resolution
            if not np.abs(steps).max(initial=0) < (2**22 if self.configuration["float32"] else 2**51):
                return None
            utilities = np.rint(steps).astype(np.int64).reshape(shape)
            prior = arrays.lists(rows, "prior", part.states)[0].astype(np.int64)
            available = arrays.lists(rows, "available", cells)[0].reshape(utilities[:, 0].shape)
        return Games(utilities, prior, available, resolution, self.configuration["tie_break"] == "lowest_index")

    # --- results ----------------------------------------------------------------------------------------------------

    def _check_results(self, shard, part: Part, split: str, tables: pa.Table, results: pa.Table, wanted) -> None:
        name, each = file_name(self.configuration.kinds[1], split, shard), self.configuration.rows_each(part)
        game = self.configuration.game
        _, unknown = arrays.statuses(results, self.configuration)
        got = np.array(results["status"].to_pylist(), object)
        self.report.compare("status", name, "status", np.arange(len(got)), "a status of this game", got, unknown)
        if not game.known:
            what = f"results of the game {self.configuration['game']}: they are not solved again"
            self.report.leave_out("games", what, results.num_rows)
            return
        chosen = np.flatnonzero(np.isin(arrays.numbers(tables, self.configuration.key)[0], wanted))
        left = (tables.num_rows - len(chosen)) * each
        self.report.leave_out("sample", "results of tables that were not in the sample", left)
        cells = (1 + part.providers) * part.states * part.actions
        some = max(1, _CELLS // cells)
        for start in range(0, len(chosen), some):
            mine = chosen[start : start + some]
            games = self._games(part, tables.take(pa.array(mine)))
            if games is None:
                what = "results of tables that are stored in 32 bits and cannot be drawn again"
                self.report.leave_out("families", what, len(mine) * each)
            elif game.schemes:
                self._check_schemes(name, part, games, results, mine, each)
            else:
                self._check_partitions(name, games, results, mine, each)

    def _check_schemes(self, name: str, part: Part, games: Games, results: pa.Table, chosen: np.ndarray, each: int):
        small = part.actions ** min(part.states, 64) <= MOST_SCHEMES
        step = block_size(games) if small else 64 if self.configuration["lotteries"] else 1
        for start in range(0, len(chosen), step):
            mine = chosen[start : start + step]
            rows = (mine[:, None] * each + np.arange(each)).reshape(-1)
            with self._on_error(f"results whose check ended in an error, in {name}", len(rows)):
                stored = results.take(pa.array(rows))
                flags, _ = arrays.statuses(stored, self.configuration)
                said = small or (flags & rules.OVERFLOW == 0).any()  # else there is no number to compare with
                some = games[start : start + step]
                answers = self._solve(some, small) if said else Answers.none(some)
                if answers is None:
                    self.report.leave_out("large", "results of tables that are too large to solve again", len(rows))
                    continue
                self.report.tables_checked += len(mine) if said else 0
                check_results(
                    Block(
                        report=self.report,
                        configuration=self.configuration,
                        file=name,
                        games=some,
                        answers=answers,
                        results=stored,
                        rows=rows,
                        programs=self.choice.generator.random(len(rows)) < self.choice.programs,
                        solver=self.solver,
                    )
                )

    def _check_partitions(self, name: str, games: Games, results: pa.Table, chosen: np.ndarray, each: int) -> None:
        for i, table in enumerate(chosen.tolist()):
            rows = table * each + np.arange(each)
            with self._on_error(f"results whose check ended in an error, in {name}", each):
                picked = self.choice.generator.random(each) < self.choice.programs
                done = check_partitions(
                    self.report,
                    self.configuration,
                    name,
                    games[i : i + 1],
                    results.slice(table * each, each),
                    rows,
                    picked,
                    self.solver,
                )
                self.report.tables_checked += done

    def _solve(self, games: Games, small: bool) -> Answers | None:
        limit = self.configuration["limit"] if self.configuration["dynamics"] else None
        if self.configuration["lotteries"]:
            return solve_lotteries(games)
        if small:
            return enumerate_games(games, limit)
        try:
            return solve_table(games, ATTACKS, int(self.choice.generator.integers(2**32)), limit)
        except TooLong:
            return None

    def _check_strata(self, shard: int, part: Part, record: dict[str, Any], read) -> None:
        """Whether as many tables as the record says are in each bin, and as many as the shard's numbers want."""
        configuration, name, number = self.configuration, record_name(shard), self.configuration["bins"]
        results = [kinds[self.configuration.kinds[1]] for kinds in read.values()]
        if any(rows is None for rows in results):
            return
        everyone = 2**part.providers - 1
        scores = np.concatenate(
            [
                arrays.numbers(rows, "misalignment")[0][arrays.numbers(rows, "committee")[0] == everyone]
                for rows in results
            ]
        ).astype(np.float64)
        self.report.passed("strata", len(scores))
        low, high = configuration["bin_range"]
        place = (scores[np.isfinite(scores)] - low) / ((high - low) / number)
        near = int((np.abs(place - np.rint(place)) < 1e-6).sum())  # stored in 32 bits, these may be in either bin
        bins = np.bincount(np.floor(place[(place >= 0) & (place < number)]).astype(int), minlength=number)
        size = configuration["shard_size"]
        numbers = np.arange(shard * size, min((shard + 1) * size, configuration.count))
        wanted = np.bincount(numbers % number, minlength=number).tolist()
        said = record.get("stratify")
        try:
            found = np.array(said["found"], np.int64)  # pyright: ignore[reportOptionalSubscript]
            differs = np.abs(bins - found).sum() > 2 * near or found.sum() != len(scores)
            status = "FILLED" if found.tolist() == wanted else "GAVE_UP"
            wrong = differs or (said["wanted"], said["status"]) != (wanted, status)  # pyright: ignore[reportOptionalSubscript]
        except (KeyError, TypeError, ValueError):
            wrong, status = True, "FILLED" if bins.tolist() == wanted else "GAVE_UP"
        if wrong:
            expected = {"status": status, "wanted": wanted, "found": bins.tolist()}
            self.report.fail("strata", name, expected, said, column="stratify")
        rejected = len(configuration.ids(shard)) - len(scores)
        self.report.leave_out("candidates", "candidates of a stratified sweep that were not taken", rejected)
