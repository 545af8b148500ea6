"""Files of OpinionQA and of models' answers to its questions; what they mean is in `equilibrax.raters.opinionqa`."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax.io.literals import parse_literal
from equilibrax.io.sheets import Sheet, read_bytes, read_sheet
from equilibrax.io.tables import TableFileError

REFUSED = "Refused"
"""The option, and the group, that is dropped."""

_TEXTS = ("MC_options", "question_text")


@dataclass(frozen=True)
class Questions:
    """Options of Q questions, in the order of `info.csv`; `refusals` are answers that count as none."""

    options: dict[str, tuple[str, ...]]
    refusals: dict[str, frozenset[str]]


def read_info(path: Path) -> Questions:
    """The options of each question, without refusals."""
    sheet = read_sheet(path, required=("key", "references", "option_ordinal"), unnamed=True)
    options: dict[str, tuple[str, ...]] = {}
    refusals: dict[str, frozenset[str]] = {}
    for i, key in enumerate(sheet.names("key")):
        if key in options:
            raise TableFileError(f"{sheet.at(i, 'key')}: expected every question once, got {key!r} again")
        texts = {}
        for column in ("references", "option_ordinal"):
            where = sheet.at(i, column)
            texts[column] = text = sheet.texts(column)[i]
            value = parse_literal(text, where, "a Python list such as ['Yes', 'No', 'Refused']")
            if not isinstance(value, list | tuple):
                raise TableFileError(f"{where}: expected a Python list, got {reprlib.repr(text)}")
            texts[column] = value
        references, ordinal = texts["references"], len(texts["option_ordinal"])
        where = sheet.at(i, "references")
        if not all(isinstance(text, str) for text in references) or len(set(references)) < len(references):
            raise TableFileError(f"{where}: expected different texts, got {reprlib.repr(references)}")
        if ordinal > len(references):
            where = sheet.at(i, "option_ordinal")
            raise TableFileError(f"{where}: expected at most {len(references)} numbers as in references, got {ordinal}")
        names = [_plain(text) for text in references]
        kept = tuple(text for text in names[:ordinal] if text != REFUSED)
        if not kept:
            raise TableFileError(f"{where}: expected an option that is no refusal, got {reprlib.repr(references)}")
        options[key], refusals[key] = kept, frozenset(names) - set(kept) | {REFUSED}
    return Questions(options, refusals)


def _plain(text: str) -> str:
    """A text without differences in white space."""
    return " ".join(text.split())


def _json(path: Path) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            again = next(name for name in names if names.count(name) > 1)
            raise TableFileError(f"{path}: expected every name once, got {again!r} twice in one object")
        return found

    data = read_bytes(path)
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=once)
    except json.JSONDecodeError as error:
        where = f"{path}, line {error.lineno}: column {error.colno}"
        raise TableFileError(f"{where}: expected well-formed JSON, got: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise TableFileError(f"{path}: expected UTF-8 text, got byte 0x{data[error.start]:02x}") from error
    except RecursionError:
        raise TableFileError(f"{path}: expected JSON with few levels, got thousands") from None


def group_counts(path: Path, known: Questions) -> dict[str, dict[str, np.ndarray]]:
    """For each group its counts of the options of each question that it answered."""
    content = _mapping(_json(path), str(path), "{question: {group: {option: count}}}")
    groups: dict[str, dict[str, np.ndarray]] = {}
    for question, entry in content.items():
        where = f"{path}: question {question!r}"
        if question not in known.options:
            raise TableFileError(f"{where}: expected a question of info.csv, got none of that name")
        for group, counts in _mapping(entry, where, "{group: {option: count}}").items():
            if group in _TEXTS or group == REFUSED:
                continue
            here = f"{where}, group {group!r}"
            values = _numbers(_mapping(counts, here, "{option: count}"), question, known, here)[0]
            own = groups.setdefault(group, {})
            if values.sum() > 0:
                own[question] = values
    return groups


def _numbers(given: Mapping, question: str, known: Questions, where: str) -> tuple[np.ndarray, float]:
    """Numbers of the options of a question in their order, 0 where there is none, and the sum over refusals."""
    options = known.options[question]
    values, refused = np.zeros(len(options)), 0.0
    seen: set[str] = set()
    for option, number in given.items():
        name = _plain(str(option))
        if name not in options and name not in known.refusals[question]:
            raise TableFileError(f"{where}: expected options among {reprlib.repr(options)}, got {option!r}")
        if name in seen:
            raise TableFileError(f"{where}: expected every option once, got {option!r} again")
        seen.add(name)
        number = _number(number, f"{where}, option {option!r}")
        if name in options:
            values[options.index(name)] = number
        else:
            refused += number
    return values, refused


def _number(number: Any, where: str) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e300:
        raise TableFileError(f"{where}: expected a number of at least 0, got {reprlib.repr(number)}")
    return float(number)


def _mapping(value: Any, where: str, expected: str) -> Mapping:
    if not isinstance(value, Mapping):
        raise TableFileError(f"{where}: expected {expected}, got {reprlib.repr(value)}")
    return value


def respondent_answers(sheet: Sheet, question: str, known: Questions) -> list[int]:
    """For each respondent the position of her answer; -1 where she refused or was not asked."""
    options, refusals, found = known.options[question], known.refusals[question], []
    place = {option: a for a, option in enumerate(options)} | dict.fromkeys(("", "nan", "NaN", *refusals), -1)
    for i, text in enumerate(sheet.texts(question)):
        answer = place.get(text)
        if answer is None and (answer := place.get(_plain(text))) is None:
            where = sheet.at(i, question)
            raise TableFileError(f"{where}: expected an option among {reprlib.repr(options)}, got {reprlib.repr(text)}")
        found.append(answer)
    return found


def counts_of_responses(path: Path, known: Questions, attribute: str) -> dict[str, dict[str, np.ndarray]]:
    sheet = read_sheet(path, required=(attribute,), unnamed=True)
    groups: dict[str, dict[str, np.ndarray]] = {}
    own = sheet.texts(attribute)
    for question in known.options:
        if question not in sheet.columns:
            continue
        for group, answer in zip(own, respondent_answers(sheet, question, known)):
            if group in ("", "nan", "NaN", REFUSED):
                continue
            counts = groups.setdefault(group, {})
            if answer >= 0:
                counts.setdefault(question, np.zeros(len(known.options[question])))[answer] += 1
    return groups


def group_order(path: Path, attribute: str) -> list[str]:
    """The groups of an attribute as `metadata.csv` has them; nothing if there is none."""
    if not path.exists():
        return []
    sheet = read_sheet(path, required=("key", "options"), unnamed=True)
    for i, key in enumerate(sheet.texts("key")):
        if key == attribute:
            value = parse_literal(sheet.texts("options")[i], sheet.at(i, "options"), "a Python list of groups")
            return [str(one) for one in value] if isinstance(value, list | tuple) else []
    return []


def model_answers(models: Any, known: Questions) -> dict[str, dict[str, np.ndarray]]:
    """For each model its distribution over the options of each question that it answered."""
    if isinstance(models, Mapping):
        given, place = models, "models"
    else:
        path = Path(models)
        place = str(path)
        if path.is_dir():
            files = sorted(path.glob("*.json"))
            if not files:
                raise TableFileError(f"{path}: expected a file MODEL.json for each model, got none")
            given = {file.stem: _json(file) for file in files}
        else:
            given = _mapping(_json(path), place, "{model: {question: {option: probability}}}")
    found: dict[str, dict[str, np.ndarray]] = {}
    for model, answers in given.items():
        where = f"{place}: model {model!r}"
        found[str(model)] = own = {}
        for question, answer in _mapping(answers, where, "{question: {option: probability}}").items():
            here = f"{where}, question {question!r}"
            if question not in known.options:
                raise TableFileError(f"{here}: expected a question of info.csv, got none of that name")
            own[question] = _distribution(answer, question, known, here)
    if not any(found.values()):
        raise TableFileError(f"{place}: expected answers of some model, got none")
    return found


def _distribution(answer: Any, question: str, known: Questions, where: str) -> np.ndarray:
    options = known.options[question]
    if isinstance(answer, Mapping):
        values, refused = _numbers(answer, question, known, where)
    else:
        given = answer.tolist() if isinstance(answer, np.ndarray) else answer
        if not isinstance(given, list | tuple) or len(given) != len(options):
            expected = f"{{option: probability}}, or a list of {len(options)} probabilities"
            raise TableFileError(f"{where}: expected {expected}, got {reprlib.repr(given)}")
        values, refused = np.array([_number(p, f"{where}, place {a + 1}") for a, p in enumerate(given)]), 0.0
    if not 0 < values.sum() <= values.sum() + refused <= 1 + 1e-6:
        total = values.sum() + refused
        raise TableFileError(f"{where}: expected probabilities with a sum above 0 and up to 1, got sum {total:g}")
    return values / values.sum()
