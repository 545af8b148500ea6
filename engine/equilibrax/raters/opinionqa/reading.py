"""OpinionQA: what groups of people, single people and models answer to survey questions (Santurkar et al., 2023).

A folder of the data set holds one wave of the survey:

    info.csv            one row per question: `key`, `question` (text), and as Python literals `option_mapping`,
                        `references` (all options, the refusals last) and `option_ordinal` (a number for each option
                        that is no refusal)
    AGE_data.json, ...  {question: {"MC_options": [...], "question_text": "...", group: {option: count}}}
    responses.csv       one row per respondent, one column per question with the text of an option
    metadata.csv        optional: `key`, `options` (a literal), the groups of an attribute in their order

and the models' answers are in a file or folder of JSON of yours (see `read_opinionqa`).

Options are the `references` without refusals and others that have no number ("Not sure"), which `notes` names.
`MC_options` are not used: they were split at every comma, also at those inside options. A group that never gave an
answer has no entry for it: a count of 0. A group whose counts are all refusals, or that has no entry for a question,
has not seen it. People who refused to say which group they are in are no group.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax._core.checks import positive_int
from equilibrax.io.files import TableFileError, naming
from equilibrax.io.names import check_alike
from equilibrax.io.sheets import read_sheet
from equilibrax.raters.answers import AnswerDistributions, answer_distributions
from equilibrax.raters.opinionqa.files import (
    Questions,
    counts_of_responses,
    group_counts,
    group_order,
    read_info,
    respondent_answers,
    respondent_weights,
)
from equilibrax.raters.opinionqa.models import model_answers


def read_opinionqa(
    folder: str | os.PathLike[str],
    attribute: str,
    models: str | os.PathLike[str] | Mapping[str, Mapping[str, Any]],
    *,
    questions: Sequence[str] | None = None,
    weight: str | None = None,
    weigh_groups: bool = False,
) -> AnswerDistributions:
    """Groups of people as users and models as providers, on the questions of one wave (2602.13451, Section 6).

    Args:
        folder: the wave, such as `American_Trends_Panel_W29`.
        attribute: what makes the groups, such as "POLIDEOLOGY": counts are from `POLIDEOLOGY_data.json`, or, where
            there is none, every respondent of `responses.csv` counts once for the group in the column of that name.
        models: the models' answers: a JSON file `{model: {question: answers}}`, or a folder with a file
            `MODEL.json` of `{question: answers}` for each model, or such a mapping. `answers` is a list of
            probabilities in the order of `references` without refusals, or `{option: probability}`. Probabilities
            of refusals are dropped, and the others divided by their sum, which is positive and, with the refusals, at
            most 1 + 1e-6. Or files of the data set's repository as they are: `WAVE_default_model.csv` of its
            `distributions`, a folder of these, or a folder with a `scenario_state.json` in a folder for each run.
        questions: keys of questions; None takes those that some group and some model answered, in the order of
            `info.csv`. Whatever is wrong with other questions does not matter; `notes` names it.
        weight: column of `responses.csv`, such as "WEIGHT_W29", with the weight of each respondent; counts are then
            sums of weights. None: everybody counts once, and `ATTRIBUTE_data.json` is read if it is there.
        weigh_groups: whether groups count in means over users by their respondents in `responses.csv`, or the sums of
            their weights. By default they count alike, as in the paper.

    Returns:
        `AnswerDistributions`: NaN at questions that a group or a model did not answer, and in `notes` what was not
        read, such as options like "Not sure" that count as no answer. Groups are in the order of
        `metadata.csv`, or else of the file; models are in the order of the file, or of the names of files.

    Raises:
        TableFileError: a `ValueError` naming the file and the line and column, or the question and group, what was
            expected and what came.
        ValueError: on an unknown question, or if nobody answered any.

    Example:
        >>> import json, pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     info, data = pathlib.Path(folder, "info.csv"), pathlib.Path(folder, "SEX_data.json")
        ...     _ = info.write_text("key,references,option_ordinal\\nQ1,\\"['Yes', 'No', 'Refused']\\",\\"[1, 2]\\"\\n")
        ...     _ = data.write_text(json.dumps({"Q1": {"Male": {"Yes": 3, "No": 1}, "Female": {"No": 5}}}))
        ...     answers = eq.raters.read_opinionqa(folder, "SEX", {"model A": {"Q1": [0.5, 0.5]}})
        >>> answers.user_names, answers.option_names, answers.users.tolist()
        (('Male', 'Female'), (('Yes', 'No'),), [[[0.75, 0.25]], [[0.0, 1.0]]])
    """
    folder = Path(folder)
    if not isinstance(attribute, str) or not attribute:
        raise ValueError(f"attribute: expected a name such as 'POLIDEOLOGY', got {attribute!r}")
    known = read_info(folder / "info.csv")
    asked = _asked(questions, known)
    answered, notes = _of_models(models, known, questions)
    path = folder / f"{attribute}_data.json"
    masses, weighed = {}, ""
    if path.exists() and weight is None and not weigh_groups:
        groups, unknown = group_counts(path, known, asked)
        notes = (*notes, *_named(unknown, path.name))
    else:
        path = folder / "responses.csv"
        if not path.exists():
            there = ", ".join(sorted(p.name for p in folder.glob("*_data.json"))) or "none"
            plain = weight is None and not weigh_groups
            expected = f"{attribute}_data.json or responses.csv" if plain else "responses.csv for weights"
            raise TableFileError(f"{folder}: expected {expected} for attribute {attribute!r}, got {there}")
        groups, masses, found = counts_of_responses(path, known, attribute, asked, weight)
        weighed, notes = found.weighed, (*notes, *found.notes)
    check_alike((name, f"{path}, group {name!r}") for name in groups)
    order = group_order(folder / "metadata.csv", attribute)
    groups = {name: groups[name] for name in sorted(groups, key=lambda n: order.index(n) if n in order else len(order))}
    counted = {name: masses[name] or 1.0 for name in groups} if weigh_groups else dict.fromkeys(groups, 1.0)
    return _assemble(groups, answered, known, questions, path, notes, counted, weighed)


def read_opinionqa_respondents(
    folder: str | os.PathLike[str],
    models: str | os.PathLike[str] | Mapping[str, Mapping[str, Any]],
    *,
    count: int = 50,
    seed: int = 0,
    questions: Sequence[str] | None = None,
    weight: str | None = None,
) -> AnswerDistributions:
    """Single people as users, who give all weight to their own answer (2509.15090, Section 6.2).

    Args:
        folder: the wave, with `info.csv` and `responses.csv`.
        models: the models' answers, as for `read_opinionqa`.
        count: how many respondents, drawn at random among those who answered some of the questions, without
            repetition; all of them if there are no more.
        seed: seed of the draw; the same seed draws the same people.
        questions: keys of questions, as for `read_opinionqa`.
        weight: column of `responses.csv` with weights. People are then drawn in proportion to them, systematically:
            one with more than her `count`-th part of all weight is drawn more than once, and counts as often in means
            over users. Where all are taken, they count by their weights.

    Returns:
        `AnswerDistributions` whose users are `respondent 17` for the one on line 17 of `responses.csv`, in the order
        of the file; a user's distribution is 1 at her answer, and NaN at questions that she refused or was not asked.

    Raises:
        TableFileError: a `ValueError` naming the file, the line and column, what was expected and what came.
        ValueError: on an unknown question, a count or seed that is none, or if nobody answered anything.

    Example:
        >>> import pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     info, data = pathlib.Path(folder, "info.csv"), pathlib.Path(folder, "responses.csv")
        ...     _ = info.write_text("key,references,option_ordinal\\nQ1,\\"['Yes', 'No', 'Refused']\\",\\"[1, 2]\\"\\n")
        ...     _ = data.write_text("person,Q1\\n1,No\\n2,Refused\\n3,Yes\\n")
        ...     answers = eq.raters.read_opinionqa_respondents(folder, {"model A": {"Q1": {"Yes": 0.6, "No": 0.4}}})
        >>> answers.user_names, answers.users.tolist()
        (('respondent 2', 'respondent 4'), [[[0.0, 1.0]], [[1.0, 0.0]]])
    """
    count = positive_int("count", count)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed: expected a whole number from 0, got {seed!r}")
    folder = Path(folder)
    known, path = read_info(folder / "info.csv"), folder / "responses.csv"
    asked = _asked(questions, known)
    answered, notes = _of_models(models, known, questions)
    asked = [q for q in asked if questions is not None or any(q in own for own in answered.values())]
    sheet = read_sheet(path, unnamed=True)
    given = respondent_weights(sheet, weight)
    people: dict[str, dict[str, np.ndarray]] = {f"respondent {line}": {} for line in sheet.lines}
    for question in asked:
        if question in sheet.columns:
            answers = respondent_answers(sheet, question, known)
            one_hot = np.eye(len(known.options[question]))
            for name, answer in zip(people, answers):
                if answer >= 0:
                    people[name][question] = one_hot[answer]
    mass = dict(zip(people, given.weights.tolist()))
    names = [name for name, own in people.items() if own and mass[name] > 0]
    if not names:
        raise TableFileError(f"{path}: expected answers to some question of info.csv, got none")
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(names))
    if count >= len(names):
        counted = {name: mass[name] for name in names}
    elif weight is None:
        counted = {names[i]: 1.0 for i in sorted(order[:count].tolist())}
    else:  # steps of equal length over everybody's weight, in random order
        ends = np.cumsum([mass[names[i]] for i in order])
        steps = (np.arange(count) + generator.random()) * (ends[-1] / count)
        drawn = order[np.minimum(np.searchsorted(ends, steps, side="right"), len(names) - 1)]
        times = np.bincount(drawn, minlength=len(names)).tolist()
        counted = {name: float(often) for name, often in zip(names, times) if often}
    chosen = {name: people[name] for name in counted}
    return _assemble(chosen, answered, known, questions, path, (*notes, *given.notes), counted, given.weighed)


def _asked(questions: Sequence[str] | None, known: Questions) -> list[str]:
    """The questions to read: those that were asked for, or all that can be."""
    if questions is None:
        return list(known.options)
    keys = isinstance(questions, Collection) and not isinstance(questions, str) and len(questions) > 0
    if not keys or not all(isinstance(key, str) for key in questions) or len(set(questions)) < len(questions):
        raise ValueError(f"questions: expected one or several different keys, got {reprlib.repr(questions)}")
    for question in questions:
        if question in known.faults:
            raise TableFileError(known.faults[question])
        if question not in known.options:
            raise ValueError(f"questions: expected keys of info.csv, got {question!r}")
    return list(questions)


def _of_models(models: Any, known: Questions, questions: Sequence[str] | None):
    """The models' answers to the questions that are asked, and what they answered beside them."""
    answered, unknown = model_answers(models, known, questions)
    return answered, _named(unknown, "the models' answers")


def _named(unknown: Sequence[str], where: str) -> tuple[str, ...]:
    if not unknown:
        return ()
    shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else "")
    return (f"questions of {where} that info.csv does not have: {shown}",)


def _assemble(
    groups,
    answered,
    known: Questions,
    questions: Sequence[str] | None,
    path: Path,
    notes: tuple[str, ...],
    counted: Mapping[str, float],
    weighed: str,
) -> AnswerDistributions:
    asked = [
        question
        for question in _asked(questions, known)
        if questions is not None
        or (any(question in own for own in groups.values()) and any(question in own for own in answered.values()))
    ]
    if not groups or not asked:
        raise TableFileError(f"{path}: expected a question that some user and some model answered, got none")
    width = max(len(known.options[question]) for question in asked)
    arrays = []
    for people in (groups, answered):
        array = np.full((len(people), len(asked), width), np.nan)
        for i, own in enumerate(people.values()):
            for q, question in enumerate(asked):
                if question in own:
                    array[i, q, : len(own[question])] = own[question] / own[question].sum()
        arrays.append(array)
    with naming(path):
        found = answer_distributions(
            arrays[0],
            arrays[1],
            np.array([[a < len(known.options[question]) for a in range(width)] for question in asked]),
            questions=asked,
            option_names=[known.options[question] for question in asked],
            user_names=list(groups),
            model_names=list(answered),
            user_weights=[counted[name] for name in groups],
        )
    return replace(found, weighed=weighed, notes=(*notes, *known.left_out(asked)))
