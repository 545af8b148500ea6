"""What `equilibrax align` looks at: simulated raters and answers, or files of several formats, and their flags."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from equilibrax.cli.flags.idle import Idle
from equilibrax.raters import simulate_answers
from equilibrax.raters.answers import AnswerDistributions
from equilibrax.raters.csv import read_raters
from equilibrax.raters.ethics import read_ethics
from equilibrax.raters.matrix import RaterMatrix
from equilibrax.raters.movielens import movielens_raters
from equilibrax.raters.opinionqa.reading import read_opinionqa, read_opinionqa_respondents
from equilibrax.raters.simulate import simulate_raters

Format = Literal["auto", "wide", "long", "movielens", "opinionqa", "ethics"]
RESPONDENTS = "respondents"

_FOR: dict[str, tuple[set[str], str]] = {
    "target": ({"csv", "ethics"}, "for a CSV of ratings, or ETHICS"),
    "group": ({"csv"}, "for a CSV of ratings"),
    "weight": ({"csv", "opinionqa"}, "for a CSV of ratings, or OpinionQA"),
    "scores": ({"movielens", "ethics"}, "for MovieLens or ETHICS"),
    **dict.fromkeys(
        ("scale", "ignore", "providers", "sep", "decimal"), ({"csv", "scores", "ethics"}, "for a CSV of ratings")
    ),
    **dict.fromkeys(("models", "attribute", "weigh_groups", "questions"), ({"opinionqa"}, "for OpinionQA")),
    "respondents": ({RESPONDENTS}, "beside --attribute respondents"),
    "score": ({"answers", "opinionqa"}, "for answers of many users"),
    **dict.fromkeys(("items", "raters", "noise"), ({"simulated"}, "beside --simulate")),
    **dict.fromkeys(("users", "options"), ({"answers"}, "beside --simulate answers")),
    "quantize": ({"ratings"}, "beside --simulate of raters"),
    "format": ({"csv", "movielens", "opinionqa", "ethics"}, "with FILEs"),
}
"""What takes each flag."""


def idle_data(flags: Any) -> Idle:
    """Flags for other data than that."""
    there = {"simulated", "answers" if "answers" in flags.simulate else "ratings"} if flags.simulate else set()
    there |= {"ratings"} if {*flags.simulate} - {"answers"} else set()
    if not flags.simulate and not all(path.exists() for path in flags.files):
        return  # whoever reads them says so
    for path in () if flags.simulate else flags.files:
        kind = _format(flags, path)
        there |= {kind if kind in ("movielens", "opinionqa", "ethics") else "csv"}
    there |= {"scores"} if "movielens" in there and flags.scores is not None else set()
    there |= {RESPONDENTS} if RESPONDENTS in flags.attribute else set()
    for name, (takers, where) in _FOR.items() if there else ():
        if not takers & there:
            yield (name,), where


def simulated(flags: Any) -> Iterator[tuple[str, RaterMatrix | AnswerDistributions]]:
    """What is simulated, by the name of its family."""
    for kind in flags.simulate:
        if kind == "answers":
            yield (
                kind,
                simulate_answers(
                    flags.users,
                    9 if flags.raters is None else flags.raters,
                    100 if flags.items is None else flags.items,
                    flags.options,
                    seed=flags.seed,
                    noise=flags.noise,
                ),
            )
        else:
            items, raters = (default if n is None else n for n, default in ((flags.items, 1000), (flags.raters, 100)))
            yield (
                kind,
                simulate_raters(kind, items, raters, seed=flags.seed, noise=flags.noise, quantize=flags.quantize),
            )


def read(flags: Any) -> Iterator[tuple[str, RaterMatrix | AnswerDistributions]]:
    """What files hold, by their names; of OpinionQA by attribute too.

    Raises:
        ValueError: if a format needs another file, or more flags.
    """
    for path in flags.files:
        chosen = _format(flags, path)
        if chosen == "opinionqa":
            yield from _polls(flags, path)
        elif chosen == "movielens":
            source = "fans" if flags.scores is None else flags.scores
            scale = 100 if flags.scale is None else flags.scale
            yield path.stem, movielens_raters(path, source, scale=scale, **_reading(flags))
        elif chosen == "ethics":
            if flags.scores is None:
                raise ValueError("--scores: expected a CSV file with the raters' scores, for ETHICS, got none")
            scale = 100 if flags.scale is None else flags.scale
            yield (
                path.stem,
                read_ethics(path, flags.scores, target=flags.target or "label", scale=scale, **_reading(flags)),
            )
        else:
            yield (
                path.stem,
                read_raters(
                    path,
                    target=flags.target or None,
                    format=chosen,
                    weight=flags.weight or None,
                    group=flags.group or None,
                    scale=flags.scale,
                    **_reading(flags),
                ),
            )


def _reading(flags: Any) -> dict[str, Any]:
    names = {"providers": flags.providers or None, "ignore": flags.ignore}
    return {**names, "sep": flags.sep, "decimal": flags.decimal}


def _format(flags: Any, path: Path) -> Format:
    if flags.format != "auto":
        return flags.format
    if path.is_dir() and (path / "info.csv").exists():
        return "opinionqa"
    if path.is_dir() or path.suffix.lower() == ".zip":
        return "movielens"
    return "ethics" if flags.scores is not None else "auto"


def _polls(flags: Any, path: Path) -> Iterator[tuple[str, AnswerDistributions]]:
    if flags.models is None:
        raise ValueError("--models: expected a JSON file or folder of models' answers, for OpinionQA, got none")
    if not flags.attribute:
        raise ValueError("--attribute: expected what makes groups, such as POLIDEOLOGY, or respondents, got none")
    for attribute in flags.attribute:
        name = f"{path.resolve().name}, {attribute}"
        asked: dict[str, Any] = {"questions": flags.questions or None, "weight": flags.weight or None}
        if attribute == RESPONDENTS:
            count = flags.respondents
            yield name, read_opinionqa_respondents(path, flags.models, count=count, seed=flags.seed, **asked)
        else:
            yield name, read_opinionqa(path, attribute, flags.models, weigh_groups=flags.weigh_groups, **asked)
