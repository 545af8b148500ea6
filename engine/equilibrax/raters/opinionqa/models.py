"""Models' answers to the questions of OpinionQA: in files of one's own, or as the repository of the data set has them.

That repository (tatsu-lab/opinions_qa) has two kinds of files:

    runs/..model=NAME,..context=default../scenario_state.json   log-probabilities of the first token of each answer
    distributions/WAVE_default_model.csv                        what its notebook makes of them: columns `model_name`,
                                                                `qkey`, `D_M` (printed by NumPy) and `ordinal_refs`
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax.io.files import TableFileError
from equilibrax.io.literals import parse_literal
from equilibrax.io.names import check_alike
from equilibrax.io.sheets import read_sheet
from equilibrax.raters.opinionqa.files import Counts, Questions, mapping, number_of, option_numbers, plain, read_json

_STATE = "scenario_state.json"


def model_answers(models: Any, known: Questions, asked: Sequence[str] | None) -> tuple[dict[str, Counts], list[str]]:
    """For each model its distribution over the options of each question that it answered; and unknown questions.

    Args:
        models: files or a mapping, see `read_opinionqa`.
        known: the questions of `info.csv`.
        asked: the only ones to read; None for all.
    """
    found: dict[str, Counts] = {}
    unknown: dict[str, None] = {}
    where = "models"
    for where, model, question, answer in _answers(models, known):
        own = found.setdefault(model, {})
        here = f"{where}, question {question!r}"
        if question is None or (asked is not None and question not in asked):
            continue
        if question in known.faults:
            raise TableFileError(known.faults[question])
        if question not in known.options:
            unknown[question] = None
            continue
        distribution = _distribution(answer, question, known, here)
        if question in own and not np.allclose(own[question], distribution, rtol=0, atol=1e-9):
            raise TableFileError(f"{here}: expected one answer, got another one again (of another context?)")
        own.setdefault(question, distribution)
    check_alike((model, f"{where.partition(': model')[0]}, model {model!r}") for model in found)
    if not any(found.values()):
        if unknown:
            here = f"{where}, question {next(iter(unknown))!r}"
            raise TableFileError(f"{here}: expected a question of info.csv, got none of that name")
        place = "models" if isinstance(models, Mapping) else models
        raise TableFileError(f"{place}: expected answers of some model, got none")
    return found, list(unknown)


def _answers(models: Any, known: Questions) -> Iterator[tuple[str, str, str | None, Any]]:
    """Where it is, the model, the question and the answer, of every answer."""
    place = "models"
    if isinstance(models, Mapping):
        given: Mapping = models
    else:
        if not isinstance(models, str | os.PathLike):
            expected = "a file, a folder or {model: {question: {option: probability}}}"
            raise TableFileError(f"models: expected {expected}, got {reprlib.repr(models)}")
        path = Path(models)
        place = str(path)
        if path.suffix.lower() == ".csv":
            yield from _of_distributions(path, known)
            return
        if not path.is_dir():
            given = mapping(read_json(path), place, "{model: {question: {option: probability}}}")
        elif states := sorted(path.glob(f"*/{_STATE}")):
            for state in states:
                yield from _of_run(state, known)
            return
        elif tables := sorted(path.glob("*_model.csv")):
            for table in tables:
                yield from _of_distributions(table, known)
            return
        else:
            files = sorted(path.glob("*.json"))
            if not files:
                expected = f"a file MODEL.json for each model, *_model.csv or */{_STATE}"
                raise TableFileError(f"{path}: expected {expected}, got none")
            given = {file.stem: read_json(file) for file in files}
    for model, answers in given.items():
        where = f"{place}: model {model!r}"
        yield where, str(model), None, None  # also if it answers nothing
        for question, answer in mapping(answers, where, "{question: {option: probability}}").items():
            yield where, str(model), question, answer


def _of_distributions(path: Path, known: Questions) -> Iterator[tuple[str, str, str | None, Any]]:
    """Rows of a table of distributions."""
    sheet = read_sheet(path, required=("model_name", "qkey", "D_M"), unnamed=True)
    options = sheet.texts("ordinal_refs") if "ordinal_refs" in sheet.columns else None
    for i, (model, question, text) in enumerate(zip(*(sheet.texts(name) for name in ("model_name", "qkey", "D_M")))):
        where = sheet.at(i, "D_M")
        try:
            numbers = [float(part) for part in text.strip().strip("[]").replace(",", " ").split()]
        except ValueError:
            raise TableFileError(f"{where}: expected numbers in brackets, got {reprlib.repr(text)}") from None
        answer: Any = numbers
        if options is not None:
            names = parse_literal(options[i], sheet.at(i, "ordinal_refs"), "a Python list of options")
            if not isinstance(names, list | tuple) or len(names) != len(numbers):
                raise TableFileError(f"{where}: expected as many numbers as ordinal_refs, got {reprlib.repr(text)}")
            answer = dict(zip(names, numbers))
        yield f"{where}: model {model!r}", model, question, answer


def _of_run(path: Path, known: Questions) -> Iterator[tuple[str, str, str | None, Any]]:
    """Answers of one run: the probability of the letter that stands for each option, with or without a blank.

    Options whose letter is not among the tokens share what is left, each at most as much as the least of those there.
    """
    parts = dict(part.split("=", 1) for part in path.parent.name.replace(":", ",").split(",") if "=" in part)
    model = parts.get("model", path.parent.name)
    where = f"{path}: model {model!r}"
    by_text: dict[str, list[str]] = {}
    for key, text in known.texts.items():
        by_text.setdefault(text, []).append(key)
    content = mapping(read_json(path), str(path), "{request_states: [..]}")
    for state in content.get("request_states", ()):
        try:
            text, letters = plain(state["instance"]["input"]["text"]), state["output_mapping"]
            tokens = state["result"]["completions"][0]["tokens"][0]["top_logprobs"]
            logs = {str(token): float(value) for token, value in tokens.items()}
            names = {plain(str(name)): str(letter) for letter, name in letters.items()}
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            expected = "instance, output_mapping and result of every request"
            raise TableFileError(f"{where}: expected {expected}, got {reprlib.repr(state)}") from None
        text = plain(text.rsplit("Question:", 1)[-1])  # what comes before it describes a person
        keys = [k for k in by_text.get(text, ()) if set(known.options[k]) <= set(names)]
        if len(keys) != 1:
            yield where, model, text[:60], None
            continue
        chances = {token: float(np.exp(value)) for token, value in logs.items()}
        there = {n: [chances[t] for t in (letter, f" {letter}") if t in chances] for n, letter in names.items()}
        rest = max(0.0, 1 - sum(chances.values())) / max(1, sum(not found for found in there.values()))
        masses = {name: max(found, default=min(rest, *chances.values(), 1.0)) for name, found in there.items()}
        total = sum(masses.values())
        yield where, model, keys[0], {name: mass / total if total > 0 else 0.0 for name, mass in masses.items()}


def _distribution(answer: Any, question: str, known: Questions, where: str) -> np.ndarray:
    options = known.options[question]
    if isinstance(answer, Mapping):
        values, refused = option_numbers(answer, question, known, where)
    else:
        given = answer.tolist() if isinstance(answer, np.ndarray) else answer
        if not isinstance(given, list | tuple) or len(given) != len(options):
            expected = f"{{option: probability}}, or a list of {len(options)} probabilities"
            raise TableFileError(f"{where}: expected {expected}, got {reprlib.repr(given)}")
        values, refused = np.array([number_of(p, f"{where}, place {a + 1}") for a, p in enumerate(given)]), 0.0
    if not 0 < values.sum() <= values.sum() + refused <= 1 + 1e-6:
        total = values.sum() + refused
        raise TableFileError(f"{where}: expected probabilities with a sum above 0 and up to 1, got sum {total:g}")
    return values / values.sum()
