"""Decision problems from files: CSV for people.

A CSV file has a header and one row per state and act:

    state,act,prior,utility,says:radar,says:knee,owner:radar,owner:knee,cost:radar
    rain,umbrella,1,1,wet,aches,office,Grandmother,0.1
    rain,none,1,0,wet,aches,office,Grandmother,0.1
    sun,umbrella,3,0.5,dry,aches,office,Grandmother,0.1
    sun,none,3,1,dry,aches,office,Grandmother,0.1

`state`, `act` and `utility` are required, and at least one item of information, a column `says:ITEM`: what the item
says in this state, any text. Optional columns:

| column | what it says | constant within | without it |
|---|---|---|---|
| `prior` | weight of the state, of any scale | problem, state | uniform |
| `cost:ITEM` | what showing the item costs its seller | problem | 0 |
| `owner:ITEM` | the name of its seller | file | the item's own |
| `stake:SELLER` | what this act is worth to the seller in this state | | 0, if others have some |
| `problem` | the problem's name, where a file holds several | | one problem, named after the file |

Every act has a row in every state of every problem. Names are numbered in order of first appearance. Numbers are
decimals or ratios such as 2/3, are read exactly, and are rounded once to the resolution. A Parquet file, or a CSV
packed as `.csv.gz`, has the same columns.

Letters: B problems, W states, A acts, M items, J sellers.
"""

from __future__ import annotations

import logging
import os
import reprlib
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from equilibrax.io.files import TableFileError, check_dense, line_of, naming, say, stem_of
from equilibrax.io.names import check_alike, reading
from equilibrax.io.records import counted, exact, pointed, prior_weights, utilities
from equilibrax.io.sheets import Sheet, read_sheet
from equilibrax.problems.decision_problem import DecisionLabels, DecisionProblem

_REQUIRED = ("state", "act", "utility")
_KINDS = ("says", "cost", "owner", "stake")


def read_problems(
    path: str | os.PathLike[str],
    *,
    resolution: int | None = None,
    ignore: Sequence[str] = (),
    sep: str = ",",
    decimal: str = ".",
) -> DecisionProblem:
    """Decision problems from a `.csv`, `.csv.gz` or `.parquet` file, in the format of this module's documentation.

    What was read is logged, a line at level INFO of the logger `equilibrax.io`.

    Args:
        path: the file.
        resolution: steps per unit of utility; None is the smallest power of ten of at least 10,000 that represents the
            numbers, as for `DecisionProblem.from_arrays`.
        ignore: columns that are left out.
        sep: what is between fields: a comma, ";", "|", or a tab.
        decimal: what numbers have between whole and part: "." or ",".

    Returns:
        All problems of the file as one batch, with names.

    Raises:
        TableFileError: a ValueError, naming file, line, column, what was expected and what came.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import equilibrax as eq
        >>> rows = ["state,act,utility,says:radar", "rain,umbrella,1,wet", "rain,none,0,wet"]
        >>> rows += ["sun,umbrella,0.5,dry", "sun,none,1,dry"]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "weather.csv")
        ...     _ = file.write_text("\\n".join(rows))
        ...     problem = eq.read_problems(file)
        >>> problem.item_names(), problem.utility.tolist(), eq.value_of_information(problem).experiment.tolist()
        (('radar',), [[[10000, 0], [5000, 10000]]], [[0.25]])
    """
    how = reading(None, ignore, sep, decimal)
    sheet = read_sheet(path, required=_REQUIRED, sep=how.sep, decimal=how.decimal)
    file = _File(sheet, how.ignore)
    problem = file.problem(resolution)
    several = f"{counted(len(problem), 'problem')}, " if len(problem) > 1 else ""
    sizes = f"{counted(problem.states, 'state')}, {counted(problem.acts, 'act')}"
    items = f"{counted(problem.num_items, 'item')}: {', '.join(problem.item_names())}"
    say(logging.INFO, f"{sheet.path}: {several}{sizes}, {items}; sellers: {', '.join(problem.provider_names())}")
    return problem


class _File:
    """Rows of a file, the columns that say something of items and sellers, and the order in which names appear."""

    def __init__(self, sheet: Sheet, ignore: Sequence[str]):
        for name in ignore:
            if name not in sheet.columns or name in _REQUIRED:
                known = reprlib.repr([column for column in sheet.columns if column not in _REQUIRED])
                raise TableFileError(f"{self._header(sheet)}: ignore: expected one of {known}, got {name!r}")
        sheet = self.sheet = sheet.without(ignore)
        self.about: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}  # name to column, by kind
        for place, column in enumerate(sheet.columns):
            kind, sign, name = (part.strip() for part in column.partition(":"))
            if column in (*_REQUIRED, "prior", "problem"):
                continue
            if not sign or kind not in _KINDS or not name:
                raise self._refused(place, column, f"{', '.join(f'{kind}:NAME' for kind in _KINDS)}, or ignore it")
            if name in self.about[kind]:
                raise self._refused(place, column, f"one column of this meaning, {self.about[kind][name]!r}")
            self.about[kind][name] = column
        for columns in self.about.values():
            check_alike((name, f"{self._header()}: column {column!r}") for name, column in columns.items())
        self.items = list(self.about["says"])
        if not self.items:
            raise TableFileError(f"{self._header()}: expected a column says:ITEM, got none")
        for kind in ("cost", "owner"):
            for name, column in self.about[kind].items():
                if name not in self.items:
                    raise self._refused(sheet.columns.index(column), column, f"an item among {', '.join(self.items)}")
        named = [column for column in ("state", "act", "problem") if column in sheet.columns]
        for column in (*named, *self.about["says"].values(), *self.about["owner"].values()):
            check_alike((text, sheet.at(i, column)) for i, text in enumerate(sheet.names(column)))
        one = [stem_of(sheet.path)] * len(sheet.rows)
        texts = {column: sheet.names(column) if column in named else one for column in ("problem", "state", "act")}
        self.names = {column: list(dict.fromkeys(own)) for column, own in texts.items()}
        self.place = [
            tuple(self.names[column].index(own[i]) for column, own in texts.items()) for i in range(len(sheet.rows))
        ]
        owners = {item: self._owner(item) for item in self.items}
        self.sellers = list(dict.fromkeys(owners.values()))
        self.owners = [self.sellers.index(owners[item]) for item in self.items]
        for name, column in self.about["stake"].items():
            if name not in self.sellers:
                expected = f"the owner of an item, {' or '.join(self.sellers)}"
                raise self._refused(sheet.columns.index(column), column, expected)

    def problem(self, resolution: int | None) -> DecisionProblem:
        sheet, (b, w, a) = self.sheet, (len(names) for names in self.names.values())
        stakes = list(self.about["stake"].values())
        check_dense(sheet.path, (b, w, a), 1 + len(stakes), len(sheet.rows))
        first = np.full((b, w, a), -1)
        values = np.full((b, w, a, 1 + len(stakes)), Fraction(0), object)
        for i, at in enumerate(self.place):
            if first[at] >= 0:
                came = f"{self.names['act'][at[2]]!r} again after line {sheet.lines[first[at]]}"
                raise TableFileError(f"{sheet.at(i, 'act')}: expected every act once in a state, got {came}")
            first[at] = i
            values[at] = utilities(
                self._numbers(i), ("utility", *stakes), line_of(sheet.path, sheet.lines[i]), resolution
            )
        if (first < 0).any():
            missing = np.argwhere(first < 0)[0].tolist()
            said = ", ".join(f"{kind} {self.names[kind][n]!r}" for kind, n in zip(self.names, missing))
            raise TableFileError(f"{sheet.path}: expected a row for every state and act, got none for {said}")
        told = [self._constant(column, (0, 1)) for column in self.about["says"].values()]
        items = [[[told[m][p, x] for x in range(w)] for m in range(len(told))] for p in range(b)]
        held = None
        if stakes:
            names = list(self.about["stake"])
            held = np.full((b, len(self.sellers), w, a), Fraction(0), object)
            held[:, [self.sellers.index(name) for name in names]] = np.moveaxis(values[..., 1:], 3, 1)
        labels = DecisionLabels(
            tuple(self.names["state"]), tuple(self.names["act"]), tuple(self.items), tuple(self.sellers),
            tuple(self.names["problem"]),
        )  # fmt: skip
        with naming(sheet.path):
            made = DecisionProblem.from_arrays(
                self._prior(b, w), values[..., 0], items, costs=self._costs(b), owners=self.owners, stakes=held,
                resolution=resolution, labels=labels,
            )  # fmt: skip
        return replace(made, problem_id=np.arange(b, dtype=np.int64))

    def _owner(self, item: str) -> str:
        """The seller of an item."""
        column = self.about["owner"].get(item)
        return item if column is None else next(iter(self._constant(column, ()).values()))

    def _costs(self, problems: int) -> list[list[Fraction]]:
        found = {item: self._constant(column, (0,), numeric=True) for item, column in self.about["cost"].items()}
        return [
            [exact(found[item][(p,)], "") if item in found else Fraction(0) for item in self.items]
            for p in range(problems)
        ]

    def _prior(self, problems: int, states: int) -> list[list[int]] | None:
        if "prior" not in self.sheet.columns:
            return None
        found = self._constant("prior", (0, 1), numeric=True)
        for (p, x), text in found.items():
            if exact(text, "") <= 0:
                came = f"{text} for state {self.names['state'][x]!r} of problem {self.names['problem'][p]!r}"
                raise TableFileError(f"{self.sheet.path}: column 'prior': expected positive weights, got {came}")
        weights = [[exact(found[p, x], "") for x in range(states)] for p in range(problems)]
        return [prior_weights(own, str(self.sheet.path)) for own in weights]

    def _constant(self, column: str, axes: tuple[int, ...], numeric: bool = False) -> dict[tuple[int, ...], str]:
        """The texts of a column that depends on these parts of a row's place alone: 0 problem, 1 state."""
        found: dict[tuple[int, ...], int] = {}
        texts = self.sheet.names(column)
        if numeric:
            texts = [self._number(text, i, column) for i, text in enumerate(texts)]
        for i, at in enumerate(self.place):
            before = found.setdefault(tuple(at[axis] for axis in axes), i)
            same = texts[i] == texts[before] or (numeric and exact(texts[i], "") == exact(texts[before], ""))
            if not same:
                expected = f"{texts[before]!r} as on line {self.sheet.lines[before]}"
                raise TableFileError(f"{self.sheet.at(i, column)}: expected {expected}, got {texts[i]!r}")
        return {key: texts[i] for key, i in found.items()}

    def _number(self, text: str, row: int, column: str) -> str:
        place = self.sheet.at(row, column)
        text = pointed(text, place) if self.sheet.decimal != "." else text
        exact(text, place)
        return text

    def _numbers(self, row: int) -> dict[str, str]:
        """The numbers of a row, with points."""
        kept = ("utility", *self.about["stake"].values())
        cells = dict(zip(self.sheet.columns, self.sheet.rows[row]))
        return {column: self._number(cells[column], row, column) for column in kept}

    def _header(self, sheet: Sheet | None = None) -> str:
        sheet = sheet or self.sheet
        return line_of(sheet.path, sheet.header)

    def _refused(self, place: int, column: str, expected: str) -> TableFileError:
        return TableFileError(f"{self._header()}: column {place + 1}: expected {expected}, got {column!r}")
