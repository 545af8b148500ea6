"""What was checked, how much of it, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from equilibrax.verification.safely import short

NAMED = 20
"""Failures of each check that are kept; the others are counted."""

CHECKS = {
    "description": "sweep.json says what the folder holds",
    "records": "every shard has its record, of this configuration, and its counts are true",
    "files": "every file is there and can be read, and there are no others in the folder",
    "checksums": "the SHA-256 and size of every file are those of its shard's record",
    "manifest": "manifest.json says the same as the records and adds up, and has the hashes of card and metadata",
    "card": "what readers act on in card and metadata: which files are which rows, and types",
    "schema": "columns and their types, and nothing else that readers act on; statistics are those of the data",
    "ids": "every table is there once, with a row for each committee, in order",
    "splits": "every table is in the split of its id",
    "constants": "columns that follow from the configuration",
    "tables": "utilities, priors and actions are those drawn again from the seed",
    "status": "statuses are known, possible and true",
    "nulls": "numbers are missing where the status says so, and nowhere else",
    "optimum": "the user's optimum",
    "worst": "no equilibrium is worse, and one is as bad",
    "best": "no equilibrium is better, and one is as good",
    "count": "number of equilibria",
    "intervals": "all utilities in equilibrium, of lotteries",
    "schemes": "stored schemes have the stored utility, and no provider gains by another",
    "equilibria": "the listed equilibria are equilibria, and none is left out",
    "dynamics": "best-response dynamics ends there, after as many moves",
    "misalignment": "scores allow what the worst equilibrium loses, and are not above that of no weights",
    "programs": "scores, equilibria in lotteries with single utilities, and what members gain by lotteries, by HiGHS",
    "weights": "misalignment weights attain the score",
    "benchmark": "what members can share with a user",
    "bound": "bounds are what their theorems promise (of tables: optimum - 2 misalignment), and hold",
    "robustness": "losses that a market survives are those of the scores of its committees",
    "efficiency": "weights prove the efficiency gap of the worst equilibrium, and a lottery attains it",
    "search": "profiles that a search found: what everybody has, and what is said of what members could gain",
    "text": "numbers in games in words are the tables', and answers follow from the results",
    "utility": "the buyer's utility in markets of information, and whether she is harmed",
    "shown": "what is shown and paid in them, and how often sellers chose again",
    "strata": "tables of a stratified sweep are in their bins",
}
"""Name of each check and what it makes sure of."""

ALLOWABLE = {
    "words": "the prose of card and metadata and of games in words, retries and resolved of the records",
    "sample": "tables and scores that --sample and --programs leave out",
    "families": "tables that cannot be drawn again",
    "games": "results of games of one's own, and options that are not worked out again",
    "columns": "columns that nothing checks",
    "large": "what is too large to be worked out again in full",
    "unsolved": "rows that say that they are not solved or certified",
    "candidates": "those that a stratified sweep did not take",
    "ties": "comparisons of numbers in floating point that rounding decides",
    "errors": "what ended in an error",
}
"""What may be left unchecked, by name; whatever is and was not allowed makes a report incomplete."""

WORDS = "words"
"""What is always allowed: nothing that a program reads depends on it. A hash of the manifest covers it."""


@dataclass(frozen=True)
class Failure:
    """Something that is not as it should be.

    Attributes:
        check: a name of `CHECKS`.
        file: relative to the folder.
        row: of the file, from 0; None if it is about the whole file.
        column: None if it is about whole rows.
        expected, got: in words.
    """

    check: str
    file: str
    row: int | None
    column: str | None
    expected: str
    got: str

    def __str__(self) -> str:
        where = self.file + (f", row {self.row}" if self.row is not None else "")
        where += f", {self.column}" if self.column else ""
        return f"{where}: expected {self.expected}, got {self.got}"


@dataclass
class Verification:
    """The report of `verify`.

    Attributes:
        directory: the folder.
        tables, rows: how many tables and rows of results there are, as their files say.
        tables_checked: how many of the tables were drawn and solved again.
        checked: how many things each check looked at.
        failed: how many failures each check found.
        failures: the first 20 of each check.
        proven: rows whose equilibria were all looked at, by method; and those that were only attacked.
        not_checked: what nothing was said about, and why.
        kinds: for each of those, its name in `ALLOWABLE`.
        allowed: the names that may be left unchecked.
        seed: of the choices of tables and scores.
        looked_at: pairs of a folder and a column that some check compared.
    """

    directory: str
    tables: int = 0
    rows: int = 0
    tables_checked: int = 0
    checked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHECKS, 0))
    failed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHECKS, 0))
    failures: list[Failure] = field(default_factory=list)
    proven: dict[str, int] = field(default_factory=dict)
    not_checked: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset({WORDS})
    seed: int = 0
    looked_at: set[tuple[str, str | None]] = field(default_factory=set, repr=False)

    @property
    def holds(self) -> bool:
        """Whether nothing failed."""
        return not any(self.failed.values())

    @property
    def complete(self) -> bool:
        """Whether everything was checked that was not allowed to be left out."""
        return set(self.kinds.values()) <= self.allowed

    def passed(self, check: str, number: int = 1) -> None:
        """Count things that were looked at."""
        self.checked[check] += number

    def fail(self, check: str, file: str, expected: Any, got: Any, row: int | None = None, column: str | None = None):
        """Note a failure; count what was looked at with `passed`."""
        self.failed[check] += 1
        if self.failed[check] <= NAMED:
            self.failures.append(Failure(check, short(file), row, column, short(str(expected)), short(str(got))))

    def compare(
        self,
        check: str,
        file: str,
        column: str | None,
        rows: np.ndarray,
        expected: str | np.ndarray | Callable[[int], object],
        got: np.ndarray,
        bad: np.ndarray,
        among: np.ndarray | None = None,
    ) -> None:
        """Note the failures of many rows at once.

        Args:
            check, file, column: see `Failure`.
            rows: `[N]` numbers of the rows in the file.
            expected: what to say of each: text, `[N, ...]` values, or a function of the position.
            got: `[N, ...]`.
            bad: `[N]` bool.
            among: `[N]` bool, which rows are looked at; None is all.
        """
        self.checked[check] += len(rows) if among is None else int(among.sum())
        self.looked_at.add((file.partition("/")[0], column))
        wrong = np.flatnonzero(bad if among is None else bad & among)
        for i in wrong[: max(0, NAMED - self.failed[check])].tolist():
            said = expected(i) if callable(expected) else expected if isinstance(expected, str) else expected[i]
            self.failures.append(Failure(check, file, int(rows[i]), column, _text(said), _text(got[i])))
        self.failed[check] += len(wrong)

    def constant(self, file: str, column: str, rows: np.ndarray, value: int, got: np.ndarray, missing: np.ndarray):
        """Note where a column is not `value` everywhere; see `compare`."""
        self.compare("constants", file, column, rows, str(value), got, missing | (got != value))

    def leave_out(self, kind: str, what: str, number: int) -> None:
        """Note that something was not checked; `kind` is a name in `ALLOWABLE`."""
        if number:
            self.not_checked[what] = self.not_checked.get(what, 0) + number
            self.kinds[what] = kind

    def to_json(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        checks = {
            name: {"what": what, "checked": self.checked[name], "failed": self.failed[name]}
            for name, what in CHECKS.items()
        }
        said = {name: getattr(self, name) for name in ("directory", "seed", "tables", "rows", "tables_checked")}
        said |= {
            "holds": self.holds,
            "complete": self.complete,
            "checks": checks,
            "proven": self.proven,
            "not_checked": self.not_checked,
        }
        return {**said, "failures": [asdict(failure) for failure in self.failures]}

    def summary(self) -> Table:
        """A line per check, for people."""
        shown = Table(title=f"{self.tables_checked:,} of {self.tables:,} tables, {self.rows:,} rows", title_style="")
        shown.add_column("check", no_wrap=True)
        shown.add_column("what holds")
        shown.add_column("looked at", justify="right", no_wrap=True)
        shown.add_column("failures", justify="right", no_wrap=True)
        for name, what in CHECKS.items():
            if self.checked[name] or self.failed[name]:
                shown.add_row(name, what, f"{self.checked[name]:,}", f"{self.failed[name]:,}")
        return shown

    def lines(self) -> list[str]:
        """What is wrong, the first 20 failures of all, and what was not checked."""
        total = sum(self.failed.values())
        lines = [f"{number:,} rows by {how}" for how, number in self.proven.items()]
        for what, number in self.not_checked.items():
            kind = self.kinds[what]
            allow = "" if kind in self.allowed else f"; --allow {kind}"
            lines.append(f"Not checked: {what} ({number:,}{allow})")
        lines += [f"FAILED {failure.check}: {failure}" for failure in self.failures[:NAMED]]
        if total > NAMED:
            lines.append(f"... {total:,} failures in all")
        lines.append(f"The seed of what was chosen is {self.seed}.")
        done = "Everything checked holds." if self.complete else "What was checked holds; not everything was."
        lines.append(f"{total:,} failures." if total else done)
        return lines


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return short(repr(value.item()) if isinstance(value, np.generic) else str(value))
