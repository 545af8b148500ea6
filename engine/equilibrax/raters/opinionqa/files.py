"""Files of OpinionQA and of models' answers to its questions; what they mean is in `equilibrax.raters.opinionqa`."""

from __future__ import annotations

import json
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equilibrax.io.literals import parse_literal
from equilibrax.io.names import alike
from equilibrax.io.records import NUMBER
from equilibrax.io.sheets import Sheet, read_bytes, read_sheet
from equilibrax.io.tables import TableFileError

REFUSED = "Refused"
_NO_GROUP = ("", "nan", "NaN", REFUSED)
"""The option, and the group, that is dropped."""

Counts = dict[str, np.ndarray]
"""Numbers of the options, by question."""

_TEXTS = ("MC_options", "question_text")


@dataclass(frozen=True)
class Questions:
    """Questions of `info.csv`, in its order.

    Attributes:
        options: of every question that could be read, without those that count as no answer.
        refusals: the options that count as no answer.
        texts: the questions themselves; empty where there are none.
        faults: of every other question what is wrong with it.
    """

    options: dict[str, tuple[str, ...]]
    refusals: dict[str, frozenset[str]]
    texts: dict[str, str]
    faults: dict[str, str]

    def left_out(self, asked: Sequence[str]) -> tuple[str, ...]:
        """What reading the questions that were asked left out, in words."""
        notes = [f"question {key} could not be read ({fault})" for key, fault in self.faults.items()]
        dropped = Counter(option for key in asked for option in self.refusals[key] if option != REFUSED)
        if dropped:
            named = ", ".join(f"{option!r} ({count})" for option, count in sorted(dropped.items()))
            notes.append(f"options that count as no answer, and in how many questions: {named}")
        return tuple(notes)


def read_info(path: Path) -> Questions:
    """The options of each question, without refusals; a question that cannot be read is a fault, not an error."""
    sheet = read_sheet(path, required=("key", "references", "option_ordinal"), unnamed=True)
    texts = sheet.texts("question") if "question" in sheet.columns else [""] * len(sheet.lines)
    known = Questions({}, {}, {}, {})
    for i, key in enumerate(sheet.names("key")):
        try:
            kept, refusals = _options(sheet, i)
            if key in known.options and (kept, refusals) != (known.options[key], known.refusals[key]):
                raise TableFileError(f"{sheet.at(i, 'key')}: expected every question once, got {key!r} again")
        except TableFileError as error:
            known.faults.setdefault(key, str(error))
            continue
        known.options[key], known.refusals[key], known.texts[key] = kept, refusals, plain(texts[i])
    for key in known.faults:
        known.options.pop(key, None)
    if not known.options:
        raise TableFileError(next(iter(known.faults.values())))
    return known


def _options(sheet: Sheet, i: int) -> tuple[tuple[str, ...], frozenset[str]]:
    """The options of one question, and those that count as no answer."""
    lists = {}
    for column in ("references", "option_ordinal"):
        where, text = sheet.at(i, column), sheet.texts(column)[i]
        value = parse_literal(text, where, "a Python list such as ['Yes', 'No', 'Refused']")
        if not isinstance(value, list | tuple):
            raise TableFileError(f"{where}: expected a Python list, got {reprlib.repr(text)}")
        lists[column] = value
    references, ordinal = lists["references"], len(lists["option_ordinal"])
    where = sheet.at(i, "references")
    texts = all(isinstance(text, str) for text in references)
    if not texts or len(set(map(alike, references))) < len(references):
        raise TableFileError(f"{where}: expected different texts, got {reprlib.repr(references)}")
    if ordinal > len(references):
        where = sheet.at(i, "option_ordinal")
        raise TableFileError(f"{where}: expected at most {len(references)} numbers as in references, got {ordinal}")
    names = [plain(text) for text in references]
    kept = tuple(text for text in names[:ordinal] if text != REFUSED)
    if not kept:
        raise TableFileError(f"{where}: expected an option that is no refusal, got {reprlib.repr(references)}")
    return kept, frozenset(names) - set(kept) | {REFUSED}


def plain(text: str) -> str:
    """A text without differences in white space."""
    return " ".join(text.split())


def read_json(path: Path) -> Any:
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


def group_counts(path: Path, known: Questions, asked: Sequence[str]) -> tuple[dict[str, Counts], list[str]]:
    """For each group its counts of the options of each question that was asked; and questions that nobody knows."""
    content = mapping(read_json(path), str(path), "{question: {group: {option: count}}}")
    groups: dict[str, Counts] = {}
    for question, entry in content.items():
        where = f"{path}: question {question!r}"
        for group, counts in mapping(entry, where, "{group: {option: count}}").items():
            if group in _TEXTS or group == REFUSED:
                continue
            own = groups.setdefault(group, {})
            if question not in asked:
                continue
            here = f"{where}, group {group!r}"
            values = option_numbers(mapping(counts, here, "{option: count}"), question, known, here)[0]
            if values.sum() > 0:
                own[question] = values
    return groups, [key for key in content if key not in known.options and key not in known.faults]


def option_numbers(given: Mapping, question: str, known: Questions, where: str) -> tuple[np.ndarray, float]:
    """Numbers of the options of a question in their order, 0 where there is none, and the sum over refusals."""
    options = known.options[question]
    values, refused = np.zeros(len(options)), 0.0
    seen: set[str] = set()
    for option, number in given.items():
        name = plain(str(option))
        if name not in options and name not in known.refusals[question]:
            raise TableFileError(f"{where}: expected options among {reprlib.repr(options)}, got {option!r}")
        if name in seen:
            raise TableFileError(f"{where}: expected every option once, got {option!r} again")
        seen.add(name)
        number = number_of(number, f"{where}, option {option!r}")
        if name in options:
            values[options.index(name)] = number
        else:
            refused += number
    return values, refused


def number_of(number: Any, where: str) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e300:
        raise TableFileError(f"{where}: expected a number of at least 0, got {reprlib.repr(number)}")
    return float(number)


def mapping(value: Any, where: str, expected: str) -> Mapping:
    if not isinstance(value, Mapping):
        raise TableFileError(f"{where}: expected {expected}, got {reprlib.repr(value)}")
    return value


def respondent_answers(sheet: Sheet, question: str, known: Questions) -> list[int]:
    """For each respondent the position of her answer; -1 where she refused or was not asked."""
    options, refusals, found = known.options[question], known.refusals[question], []
    place = {option: a for a, option in enumerate(options)} | dict.fromkeys(("", "nan", "NaN", *refusals), -1)
    for i, text in enumerate(sheet.texts(question)):
        answer = place.get(text)
        if answer is None and (answer := place.get(plain(text))) is None:
            where = sheet.at(i, question)
            raise TableFileError(f"{where}: expected an option among {reprlib.repr(options)}, got {reprlib.repr(text)}")
        found.append(answer)
    return found


def counts_of_responses(
    path: Path, known: Questions, attribute: str, asked: Sequence[str], weight: str | None
) -> tuple[dict[str, Counts], dict[str, float], Weights]:
    """Sums of respondents, or of their weights, by group, question and option; by group; and the weights."""
    sheet = read_sheet(path, required=(attribute,), unnamed=True)
    groups: dict[str, Counts] = {}
    own = sheet.texts(attribute)
    member = np.array([group not in _NO_GROUP for group in own])
    found = respondent_weights(sheet, weight, member)
    if not member.all():
        note = f"{int((~member).sum()):,} of {len(own):,} respondents are in no group of {attribute}"
        found = found._replace(notes=(*found.notes, note))
    masses: dict[str, float] = {}
    for group, mass in zip(own, found.weights.tolist()):
        masses[group] = masses.get(group, 0.0) + mass
    for question in asked:
        if question not in sheet.columns:
            continue
        for group, answer, mass in zip(own, respondent_answers(sheet, question, known), found.weights.tolist()):
            if group in _NO_GROUP:
                continue
            counts = groups.setdefault(group, {})
            if answer >= 0 and mass > 0:
                counts.setdefault(question, np.zeros(len(known.options[question])))[answer] += mass
    return groups, masses, found


class Weights(NamedTuple):
    """`[I]` weights of respondents, zero for those without one; by what they are weighed, and who is not, in words."""

    weights: np.ndarray
    weighed: str = ""
    notes: tuple[str, ...] = ()


def respondent_weights(sheet: Sheet, weight: str | None, member: np.ndarray | None = None) -> Weights:
    """Weights by a column; all one for None. What is said of them is of those who are a `member`: None is all."""
    if weight is None:
        return Weights(np.ones(len(sheet.lines)))
    if weight not in sheet.columns:
        there = ", ".join(name for name in sheet.columns if name.startswith("WEIGHT")) or "none that begins with WEIGHT"
        raise TableFileError(f"{sheet.path}: expected a column {weight!r} with weights of respondents, got {there}")
    weights = np.zeros(len(sheet.lines))
    for i, text in enumerate(sheet.texts(weight)):
        if text not in ("", "nan", "NaN"):
            weights[i] = float(text) if NUMBER.fullmatch(text) else -1.0  # Python takes more, such as 1_000
            if not 0 <= weights[i] < 1e300:
                raise TableFileError(
                    f"{sheet.at(i, weight)}: expected a number of at least 0, got {reprlib.repr(text)}"
                )
    if not (weights > 0).any():
        raise TableFileError(f"{sheet.path}: expected a positive weight in column {weight!r}, got none")
    gone, counted = int((weights == 0).sum()), weights[weights > 0 if member is None else (weights > 0) & member]
    share = counted / counted.max(initial=0.0)  # the square of a tiny weight is no number
    equal = share.sum() ** 2 / (share**2).sum() if len(share) else 0.0  # Kish's effective size
    weighed = f"{weight} ({len(counted):,} respondents, as telling as {equal:,.1f} equal ones)"
    notes = (f"{gone:,} of {len(weights):,} respondents have no weight in {weight}",) if gone else ()
    return Weights(weights, weighed, notes)


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
