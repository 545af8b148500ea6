"""`equilibrax align`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Annotated, Literal

import tyro
from rich.console import Console

from equilibrax._core.checks import check_whole
from equilibrax.cli._align_data import RESPONDENTS, Format, idle_data, read, simulated
from equilibrax.cli._folders import check_folder, check_new, check_ours
from equilibrax.cli.flags.idle import Idle
from equilibrax.cli.games import FigureFlags, LookFlags
from equilibrax.cli.progress import doing
from equilibrax.raters.answers import LOG_FLOOR, AnswerDistributions, Score
from equilibrax.raters.curve import FoldAssignment, Sets
from equilibrax.raters.matrix import Missing, RaterMatrix
from equilibrax.reports.alignment import (
    AlignmentStudy,
    FigureWarning,
    alignment_study,
    check_places,
    write_overview,
)

Simulation = Literal["independent", "correlated", "systematic", "personas", "answers"]

_NOISY = ("independent", "correlated", "systematic")


@dataclass(frozen=True)
class Align:
    """How closely mixtures of raters (providers) match a target (a user), and how that grows with their number.

    For K = 1, 2, ... raters, the cross-validated error of the best individual, the simple average, the best
    non-negative combination (NNLS) and the best convex one (simplex): Figures 1 to 4 of 2509.15090. For answer
    distributions of many users also weak and strong alignment, transfer factors and coverage: Figures 1 to 10 of
    2602.13451. Writes curve.parquet, figures and summary.md; several FILEs are panels, each in a folder of its own.

    FILE is a CSV with a row per item and a column per rater (wide), or with the columns item, rater, value (long); a
    folder or zip file of MovieLens; a folder of OpinionQA, a wave, with --models and --attribute; or the CSV of ETHICS
    commonsense, with --scores. Nothing is downloaded.

    Example: equilibrax align my-raters.csv --target me --out alignment

    Example: equilibrax align --simulate independent personas --out simulated

    Example: equilibrax align --simulate answers --users 5 --raters 9 --out market

    Example: equilibrax align W29 W82 --models models.json --attribute POLIDEOLOGY --out polls
    """

    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE...")] = ()
    """What raters and targets say; see above."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder to write to."""
    target: Annotated[tuple[str, ...], tyro.conf.arg(metavar="COLUMN ...")] = ()
    """Columns, or in a long file raters, that are the targets; default is target, or the label in ETHICS."""
    simulate: Annotated[tuple[Simulation, ...], tyro.conf.arg(metavar="FAMILY ...")] = ()
    """Instead of FILEs, simulated raters, a panel each: independent, correlated, systematic, personas; or answers of
    many users."""
    folds: int = 5
    """Folds of cross-validation over items (or groups of items, such as questions)."""
    fold_assignment: FoldAssignment = "shuffled"
    """Groups of items are shuffled and dealt round the folds, or group g is in fold g modulo their number."""
    permutations: int = 100
    """Random orders of the raters."""
    subsets: Sets | None = None
    """Random orders of the raters, or all subsets of every size; by default all for answers of at most 10 models."""
    intercept: bool = False
    """Whether NNLS and simplex of the curves may add a constant."""
    missing: Missing = "drop_items"
    """Where raters did not rate: drop the items, drop the raters, or put the rater's mean."""
    score: Score = "linear"
    """What a model gets for an answer, in answer distributions."""
    score_floor: float = LOG_FLOOR
    """Smallest probability that the log score tells apart, in answer distributions; it sets the score's scale."""
    profiles: int | None = None
    """Profiles of answers sampled for each question in strong alignment, as in the paper; default: all of them, by
    exact sums."""
    sample_questions: int | None = None
    """Questions drawn at random from those of answer distributions; default: all."""
    seed: int = 0
    """Seed of the simulation, the folds, the orders, and of questions and profiles that are drawn."""
    format: Format = "auto"
    """What the FILEs are; auto looks at them."""
    scale: float | None = None
    """The numbers of a CSV are from 0 to this, and become 0 to 1; default: as they are, or 100 for scores in files
    beside MovieLens or ETHICS."""
    weight: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = ""
    """Column of a CSV with the importance of each item; in OpinionQA, of responses.csv with the weight of each
    respondent, such as WEIGHT_W29."""
    weigh_groups: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """In means over users, groups of OpinionQA count by their respondents in responses.csv, or by the sums of their
    weights; default: groups count alike."""
    questions: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY ...")] = ()
    """The only questions of OpinionQA to read; default all that somebody answered."""
    group: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = ""
    """Column of a CSV with the group of each item; a group is never divided between folds."""
    ignore: Annotated[tuple[str, ...], tyro.conf.arg(metavar="COLUMN ...")] = ()
    """Columns of a CSV that are no raters."""
    providers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="COLUMN ...")] = ()
    """Columns of a CSV, or raters of a long one, that are the raters; default: all that have no other meaning."""
    sep: Annotated[str, tyro.conf.arg(metavar="{,;|tab}")] = ","
    """What is between the fields of a CSV."""
    decimal: Annotated[str, tyro.conf.arg(metavar="{.,}")] = "."
    """What numbers of a CSV have between whole and part: a point or a comma."""
    scores: Path | None = None
    """CSV of raters' scores, for ETHICS (needed) or MovieLens (default: fans of each genre)."""
    models: Path | None = None
    """JSON file, or folder of these, with the models' answers, for OpinionQA; or the distributions or runs of its
    repository."""
    attribute: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """What makes the groups of users in OpinionQA, such as POLIDEOLOGY, a panel each; or respondents, for single
    people."""
    respondents: int = 50
    """Single people drawn for `--attribute respondents`."""
    items: int | None = None
    """Simulated items (1000), or questions of answers (100)."""
    raters: int | None = None
    """Simulated raters (100), or models of answers (9)."""
    users: int = 5
    """Users of simulated answers."""
    options: int = 4
    """Options of each question of simulated answers."""
    noise: float = 0.2
    """Standard deviation of simulated raters' noise, or share of their own opinion in users' answers."""
    quantize: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Round simulated ratings to whole numbers from 0 to 100."""
    figure_format: Annotated[tuple[Literal["png", "svg", "pdf"], ...], tyro.conf.arg(metavar="{png,svg,pdf} ...")] = (
        "png",
    )
    """Formats of figures, beside each other."""
    look: Annotated[LookFlags, tyro.conf.arg(name="")] = field(default_factory=LookFlags)
    """How figures look."""

    def idle(self) -> Idle:
        return idle_data(self)

    def run(self, console: Console) -> int:
        if self.out is None:
            raise ValueError("--out: expected a folder to write to, got none")
        check_folder("--out", self.out)
        if bool(self.files) == bool(self.simulate):
            got = "both" if self.files else "neither"
            raise ValueError(f"FILE: expected files, or --simulate for simulated raters, got {got}")
        given: dict[str, RaterMatrix | AnswerDistributions] = {}
        for name, data in simulated(self) if self.simulate else read(self):
            if name in given:
                raise ValueError(
                    f"FILE: expected different names, as results are in folders of these, got {name!r} twice"
                )
            given[name] = self._drawn(name, data)
        look = FigureFlags(self.look.width, self.look.style, self.figure_format)
        files = check_places(given, self.out)
        drawn = [file.with_suffix(f".{one}") for file in files if file.suffix == ".png" for one in look.formats]
        files = [file for file in files if file.suffix != ".png"] + drawn
        check_ours("--out", self.out, "curve.parquet", "*/curve.parquet")
        check_new("--out", files, folders=True)
        studies: dict[str, AlignmentStudy] = {}
        said: list[str] = []
        with look.printed(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FigureWarning)
            try:
                for number, (name, data) in enumerate(given.items(), 1):
                    doing(f"fitting {name}" + (f", {number} of {len(given)}" if len(given) > 1 else ""))
                    start = perf_counter()
                    studies[name] = study = self._study(name, data)
                    seconds = perf_counter() - start
                    console.print(f"{name}: {_size(data, study)}, {seconds:.1f} s", markup=False)
                    for line in study.headlines():
                        console.print(f"  {line}", markup=False)
                    doing(f"writing tables and figures of {name}")
                    study.write(self.out if len(given) == 1 else self.out / name, name)
                    said += [f"{name}: left out: {note}" for note in study.notes]
                    said += [f"{name}: failed: {what}" for what in study.failed]
            finally:  # also if a later one fails: what was computed is there
                if studies and len(given) > 1:
                    doing("writing figures of all panels")
                    write_overview(studies, self.out)
        undrawn = [str(one.message) for one in caught if issubclass(one.category, FigureWarning)]
        for one in caught:
            if not issubclass(one.category, FigureWarning):
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        for line in said + undrawn:
            console.print(f"equilibrax: {line}", markup=False)
        console.print(f"results are in {self.out}; start with summary.md", markup=False)
        unsolved = [f"{target} ({name})" for name, study in studies.items() for target in study.unsolved]
        if unsolved:
            console.print(f"equilibrax: no numbers for {', '.join(unsolved)}; summary.md says why", markup=False)
        return 1 if unsolved or undrawn or any(study.failed for study in studies.values()) else 0

    def _study(self, name: str, data: RaterMatrix | AnswerDistributions) -> AlignmentStudy:
        people = not self.simulate and isinstance(data, AnswerDistributions) and name.endswith(RESPONDENTS)
        return alignment_study(
            data,
            permutations=self.permutations,
            subsets=self.subsets,
            folds=self.folds,
            fold_assignment=self.fold_assignment,
            intercept=self.intercept,
            missing=self.missing,
            score=self.score,
            score_floor=self.score_floor,
            profiles=self.profiles,
            market=not people,
            noise=name in _NOISY and bool(self.simulate),
            seed=self.seed,
        )

    def _drawn(self, name: str, data: RaterMatrix | AnswerDistributions) -> RaterMatrix | AnswerDistributions:
        """The questions that are asked for; an error if what is for answers of many users is asked of raters."""
        if isinstance(data, AnswerDistributions):
            count = self.sample_questions
            return (
                data if count is None else data.sample_questions(check_whole("sample_questions", count, 1), self.seed)
            )
        for flag, typed in (
            ("--profiles", self.profiles is not None),
            ("--sample-questions", self.sample_questions is not None),
            ("--score-floor", self.score_floor != LOG_FLOOR),
        ):
            if typed:
                raise ValueError(f"{flag}: expected answers of many users, as of OpinionQA, got raters ({name})")
        return data


def _size(data: RaterMatrix | AnswerDistributions, study: AlignmentStudy) -> str:
    if isinstance(data, RaterMatrix):
        return study.size
    return f"{data.num_questions:,} questions, {data.num_users} users, {data.num_models} models"
