"""ETHICS, commonsense morality: scenarios with labels, joined with scores by providers (2509.15090, Section 6.1).

The data set's CSV has the columns `label,input,is_short,edited`; label 0 says that most people find what happens in the
scenario acceptable, 1 that they find it wrong. It has no ratings, so scores come from a file of yours: one column per
provider, 0 (wrong) to 100 (right), and one row per scenario.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from equilibrax.io.files import TableFileError, line_of, naming
from equilibrax.io.names import is_row_number, reading
from equilibrax.io.sheets import Sheet, check_scale, read_sheet
from equilibrax.raters.csv import choose_raters, say_read
from equilibrax.raters.matrix import RaterMatrix, rater_matrix

_KEYS = ("item", "input")
_WORDS = {"true": True, "false": False, "1": True, "0": False}


def read_ethics(
    path: str | os.PathLike[str],
    scores: str | os.PathLike[str],
    *,
    target: str | Sequence[str] = "label",
    scale: float | tuple[float, float] = 100,
    short: bool | None = None,
    providers: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    sep: str = ",",
    decimal: str = ".",
) -> RaterMatrix:
    """Scenarios of ETHICS commonsense with providers' scores of them.

    Args:
        path: the data set's CSV, such as `cm_train.csv`.
        scores: a CSV file of scores. With a column `item` (number of the scenario in `path`, from 0) or `input` (its
            text), rows may be some of the scenarios, in any order; without one, there is a row for each scenario, in
            the order of `path`. All other columns are raters or targets; an empty field is a missing score.
        target: "label", which is 1 where the label says acceptable and 0 where it says wrong; or columns of the score
            file: the paper has a language model with a plain prompt as the user.
        scale: range of the scores, as for `read_raters`: it becomes 0..1.
        short: True for short scenarios alone (`is_short`), False for long ones, None for both.
        providers, ignore, sep, decimal: how the score file is read, as in `read_raters`.

    Returns:
        A `RaterMatrix`, items in the order of the score file, named by their number in `path`.

    Raises:
        TableFileError: a `ValueError` naming the file, the line and column, what was expected and what came.
        ValueError: on a scale that is none.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     data, scores = pathlib.Path(folder, "cm.csv"), pathlib.Path(folder, "scores.csv")
        ...     _ = data.write_text("label,input,is_short,edited\\n1,I lied.,True,False\\n0,I helped.,True,False\\n")
        ...     _ = scores.write_text("model A,model B\\n10,20\\n95,80\\n")
        ...     matrix = eq.raters.read_ethics(data, scores)
        >>> matrix.ratings.tolist(), matrix.targets.tolist()
        ([[0.1, 0.2], [0.95, 0.8]], [[0.0], [1.0]])
    """
    ends, how = check_scale("scale", scale), reading(providers, ignore, sep, decimal)
    data = read_sheet(path, required=("label", "input", "is_short"))
    labels = np.array([_word(data, i, "label") for i in range(len(data.rows))])
    sheet = read_sheet(scores, unnamed=True, sep=how.sep, decimal=decimal)
    names = [target] if isinstance(target, str) else list(target)
    known = ["label", *(name for name in sheet.columns if name and name not in _KEYS)]
    for name in names:
        if name not in known:
            where = line_of(sheet.path, sheet.header)
            raise TableFileError(f"{where}: target: expected 'label' or a column of scores, got {name!r}")
    raters, left = choose_raters(sheet, (*_KEYS, "label", *names), how)
    if not raters:
        where = line_of(sheet.path, sheet.header)
        raise TableFileError(f"{where}: expected a column of some rater, got only {reprlib.repr(sheet.columns)}")
    items = _items(data, sheet, labels)
    acceptable = np.where(labels, 0.0, 1.0)[items]
    columns = [acceptable if name == "label" else sheet.numbers([name], ends)[:, 0] for name in names]
    ratings, targets = sheet.numbers(raters, ends), np.stack(columns, axis=1)
    if short is not None:
        keep = np.array([_word(data, i, "is_short") == short for i in items.tolist()])
        ratings, targets, items = ratings[keep], targets[keep], items[keep]
        if not len(items):
            raise TableFileError(f"{Path(path)}: expected some {'short' if short else 'long'} scenario, got none")
    with naming(sheet.path):
        named = [f"scenario {i}" for i in items.tolist()]
        matrix = rater_matrix(ratings, targets, items=named, raters=raters, targets_names=names)
    say_read(sheet, matrix, left)
    return matrix


def _items(data: Sheet, sheet: Sheet, labels: np.ndarray) -> np.ndarray:
    """For each row of the scores, which scenario it is of."""
    keys = [name for name in _KEYS if name in sheet.columns]
    if not keys:
        if len(sheet.rows) != len(data.rows):
            expected = f"{len(data.rows)} rows as in {data.path}, or a column item or input"
            raise TableFileError(f"{sheet.path}: expected {expected}, got {len(sheet.rows)} rows")
        for column in filter(is_row_number, sheet.columns):  # rows may have been shuffled after they were numbered
            _check_numbered(sheet, column, data)
        return np.arange(len(data.rows))
    key, found, before = keys[0], [], {}
    place: dict[str, list[int]] = {}
    inputs, given = data.texts("input"), sheet.texts(keys[-1])
    for i, text in enumerate(inputs if key == "input" else map(str, range(len(data.rows)))):
        place.setdefault(text, []).append(i)
    for row, text in enumerate(sheet.texts(key)):
        where = sheet.at(row, key)
        scenarios = place.get(text)
        if scenarios is None:
            what = (
                f"a number from 0 to {len(data.rows) - 1}"
                if key == "item"
                else f"the text of a scenario of {data.path}"
            )
            raise TableFileError(f"{where}: expected {what}, got {reprlib.repr(text)}")
        if len(set(labels[scenarios].tolist())) > 1:
            lines = " and ".join(str(data.lines[i]) for i in scenarios[:2])
            raise TableFileError(f"{where}: expected one label, got two, on lines {lines} of {data.path}; use item")
        if text in before:
            raise TableFileError(f"{where}: expected every scenario once, got one again after line {before[text]}")
        if len(keys) > 1 and inputs[scenarios[0]] != given[row]:
            raise TableFileError(f"{sheet.at(row, 'input')}: expected the text of scenario {text}, got that of another")
        before[text] = sheet.lines[row]
        found.append(scenarios[0])
    return np.array(found)


def _check_numbered(sheet: Sheet, column: str, data: Sheet) -> None:
    """Refuse rows that are not numbered in their order, from 0 or 1."""
    texts = sheet.texts(column)
    start = 1 if texts[0] == "1" else 0
    for row, text in enumerate(texts):
        if text != str(row + start):
            expected = f"{row + start}, as rows without a column item or input are those of {data.path.name} in order"
            hint = "call the column item if it numbers the scenarios"
            raise TableFileError(f"{sheet.at(row, column)}: expected {expected}, got {reprlib.repr(text)}; {hint}")


def _word(data: Sheet, row: int, column: str) -> bool:
    text = data.rows[row][data.columns.index(column)]
    if text.lower() not in _WORDS:
        expected = "0 or 1" if column == "label" else "True or False"
        raise TableFileError(f"{data.at(row, column)}: expected {expected}, got {reprlib.repr(text)}")
    return _WORDS[text.lower()]
