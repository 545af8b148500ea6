"""A study of alignment: from raters or answers to curves, figures and a summary in a folder (`equilibrax align`)."""

from __future__ import annotations

import errno
import os
import reprlib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from equilibrax._core.checks import check_whole, expect
from equilibrax._core.files import write_document
from equilibrax._core.status import SolveError
from equilibrax.figures import files_of
from equilibrax.figures.coverage import subset_figure, weak_figure
from equilibrax.figures.curves import curve_figure, noise_figure, sparsity_figure
from equilibrax.figures.scores import score_figure, weights_figure
from equilibrax.figures.transfer import transfer_figure
from equilibrax.fits.scaling import TOLERANCE
from equilibrax.raters.answers import LOG_FLOOR, AnswerDistributions, Score
from equilibrax.raters.curve import AlignmentCurve, FoldAssignment, Sets, alignment_curve
from equilibrax.raters.fit import SCORES, MarketFit, market_fit
from equilibrax.raters.matrix import Missing, RaterMatrix
from equilibrax.reports._market_rows import by_score, transfer_rows, weight_rows
from equilibrax.reports._study_text import headlines, overview_text, size_text, study_text
from equilibrax.rows.parquet import write_parquet

MAX_PANELS = 12
"""More studies than this have no figures together; each has its own."""

_FEW_RATERS = 10  # of which all subsets are fewer than the fits of 100 permutations of a hundred raters
_MOST_PROVIDERS = 20  # of a market, whose sets are enumerated


_TABLES = ("curve", "weak", "users", "weights", "providers", "coverage", "transfer", "more_users", "subsets")
_FIGURES = ("error", "sparsity", "noise", "weak", "transfer", "subsets", "scores", "weights")


class FigureWarning(UserWarning):
    """A figure could not be drawn; everything else is written."""


@dataclass(frozen=True)
class AlignmentStudy:
    """How closely mixtures of raters match targets, and, for answer distributions, how a market covers its users.

    Attributes:
        raters: the matrix, before anything was dropped.
        fitted: the matrix that was fitted.
        curve: errors by number of raters.
        market: fits of a market with many users; None for plain raters.
        no_market: why there is none for answer distributions; empty otherwise.
        noise: whether to draw the simple average beside Proposition 3: raters are simulated, noisy and have one target.
        notes: what was left out when files were read, in words.
        weighed: by what respondents were weighed, in words; empty if they were not.
        failed: what could not be computed, in words; the rest was.
    """

    raters: RaterMatrix
    fitted: RaterMatrix
    curve: AlignmentCurve
    market: MarketFit | None = None
    no_market: str = ""
    noise: bool = False
    notes: tuple[str, ...] = ()
    weighed: str = ""
    failed: tuple[str, ...] = ()

    @property
    def unsolved(self) -> tuple[str, ...]:
        """Names of targets without numbers."""
        return tuple(n for n, status in zip(self.curve.target_names, self.curve.status) if status != "solved")

    @property
    def size(self) -> str:
        """Items and raters that were fitted, out of how many, in words."""
        return size_text(self.raters, self.fitted)

    def summary(self, title: str = "Alignment") -> str:
        """The numbers that matter, as Markdown.

        Args:
            title: the heading.
        """
        return study_text(self, title)

    def headlines(self) -> list[str]:
        """The two or three numbers to begin with, a line each: errors with all raters, and the worst user's factor."""
        return headlines(self)

    def write(self, folder: str | os.PathLike[str], title: str = "Alignment") -> list[Path]:
        """Write everything to a folder, each file whole or not at all: the numbers first, then the figures.

        `curve.parquet`, `error.png`, `sparsity.png`, `summary.md`; for noisy families also `noise.png`; for a market
        also `weak.png`, `transfer.png`, `subsets.png`, `scores.png` (with several scores), `weights.png`, and
        `weak.parquet`, `users.parquet`, `weights.parquet`, `providers.parquet`, `coverage.parquet`,
        `transfer.parquet`, `more_users.parquet`, `subsets.parquet`.

        Args:
            folder: made if it does not exist.
            title: heading of the summary.

        Returns:
            The files written. A figure that cannot be drawn is a `FigureWarning`, and the others are drawn.

        Raises:
            OSError: if a file cannot be written.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tables = {"curve": self.curve.rows()}
        if self.market is not None:
            tables |= {
                "weak": self.market.curve.rows(),
                "users": self.market.weak.users(),
                "weights": weight_rows(self.market),
                "providers": self.market.strong.providers(),
                "coverage": by_score(self.market, lambda one: one.coverage.rows()),
                "transfer": by_score(self.market, lambda one: transfer_rows(one.strong)),
                "more_users": self.market.users.rows(),
                "subsets": self.market.subsets.rows(),
            }
        for name, rows in tables.items():
            write_parquet(rows, folder / f"{name}.parquet")
        write_document(folder / "summary.md", self.summary(title))
        return [*(folder / f"{name}.parquet" for name in tables), *_draw({"": self}, folder), folder / "summary.md"]


def alignment_study(
    given: RaterMatrix | AnswerDistributions,
    *,
    permutations: int = 100,
    subsets: Sets | None = None,
    folds: int = 5,
    fold_assignment: FoldAssignment = "shuffled",
    intercept: bool = False,
    missing: Missing = "drop_items",
    score: Score = "linear",
    score_floor: float = LOG_FLOOR,
    profiles: int | None = None,
    market: bool = True,
    noise: bool = False,
    seed: int = 0,
) -> AlignmentStudy:
    """Everything that 2509.15090, Section 6, and 2602.13451, Section 6, ask of some raters or answers.

    Args:
        given: raters and targets, or answer distributions of users and models.
        permutations: number of random orders of the raters.
        subsets: "permutations" or "all" subsets of each size. None: permutations for raters, and all subsets for answer
            distributions of at most 10 models, as in the papers.
        folds: number of folds of cross-validation over items or questions.
        fold_assignment: "shuffled" or "modulo", see `alignment_curve`.
        intercept: whether NNLS and simplex of the curves may add a constant. (The market's NNLS always may.)
        missing: what to do about missing ratings of raters, see `RaterMatrix.complete`.
        score: of the models in answer distributions, "linear", "log" or "brier".
        score_floor: smallest probability that the log score tells apart.
        profiles: of actions to sample for each question in strong alignment; None for exact moments.
        market: whether to fit the market of answer distributions too.
        noise: whether figures include the simple average beside Proposition 3, for simulated raters.
        seed: of all random choices; the same seed gives the same bits.

    Returns:
        An `AlignmentStudy`.

    Raises:
        ValueError: on bad options, or fewer groups of items than folds. Fits that are not optimal to 1e-8, and a market
            that cannot be fitted, are no error: `failed` names them.

    Example:
        >>> import equilibrax as eq
        >>> raters = eq.raters.simulate_raters("independent", items=60, raters=4, seed=1)
        >>> study = eq.reports.alignment_study(raters, permutations=3)
        >>> study.curve.mse.shape, study.market
        ((1, 5, 4, 3), None)
    """
    expect("given", given, RaterMatrix, AnswerDistributions)
    answers = given if isinstance(given, AnswerDistributions) else None
    if profiles is not None:
        check_whole("profiles", profiles, 1)
    raters = (
        given if isinstance(given, RaterMatrix) else given.rater_matrix(score, normalized=True, score_floor=score_floor)
    )
    if subsets is None:
        subsets = "all" if answers is not None and raters.num_raters <= _FEW_RATERS else "permutations"
    fitted = raters.complete(missing)
    curve = alignment_curve(
        fitted,
        permutations=permutations,
        subsets=subsets,
        folds=folds,
        fold_assignment=fold_assignment,
        intercept=intercept,
        seed=seed,
        throw=False,
    )
    worst, failed = curve.kkt_residual, []
    if (lost := int((worst > TOLERANCE).sum())) > 0:
        failed.append(
            f"{lost:,} of {int(np.isfinite(worst).sum()):,} fits of nnls and simplex are not optimal to {TOLERANCE:g}; "
            f"the largest relative KKT residual is {np.nanmax(worst):.2g}"
        )
    fit, reason = None, ""
    if answers is not None and market:
        reason = _not_a_market(answers, folds)
        if not reason:
            rules: dict[str, Any] = {"folds": folds, "fold_assignment": fold_assignment, "seed": seed}
            rules |= {"score_floor": score_floor, "profiles": profiles}
            asking = answers.select(users=np.flatnonzero(answers.seen.any(axis=1)))
            try:
                fit = market_fit(asking, score=score, scores=SCORES, permutations=permutations, **rules)
            except (SolveError, ValueError) as error:  # the curve is there, and took as long
                reason = str(error).rstrip(".")
                failed.append(f"the market: {reason}")
    return AlignmentStudy(
        raters=raters,
        fitted=fitted,
        curve=curve,
        market=fit,
        no_market=reason,
        noise=noise,
        notes=() if answers is None else answers.notes,
        weighed="" if answers is None else answers.weighed,
        failed=tuple(failed),
    )


def write_studies(studies: Mapping[str, AlignmentStudy], folder: str | os.PathLike[str]) -> list[Path]:
    """Write several studies, each to a folder of its name, and figures of all of them together.

    Args:
        studies: by name; one alone is written to `folder` itself.
        folder: made if it does not exist.

    Returns:
        The files written.

    Raises:
        ValueError: if there is no study, or a name is no name of a folder, or that of another but for case.
        OSError: if a file cannot be written.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> raters = eq.raters.simulate_raters("independent", items=60, raters=4, seed=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     study = eq.reports.alignment_study(raters, permutations=3)
        ...     written = eq.reports.write_studies({"noisy": study}, folder)
        >>> [path.name for path in written]
        ['curve.parquet', 'error.png', 'sparsity.png', 'summary.md']
    """
    check_places(studies, folder)
    folder = Path(folder)
    if len(studies) == 1:
        ((name, study),) = studies.items()
        return study.write(folder, name)
    written = [path for name, study in studies.items() for path in study.write(folder / name, name)]
    return [*written, *write_overview(studies, folder)]


def write_overview(studies: Mapping[str, AlignmentStudy], folder: str | os.PathLike[str]) -> list[Path]:
    """What several studies have together: `summary.md`, and the figures of up to `MAX_PANELS` beside each other.

    Args:
        studies: by name, each written to a folder of its name.
        folder: where these folders are.

    Returns:
        The files written.

    Raises:
        OSError: if a file cannot be written.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> raters = eq.raters.simulate_raters("independent", items=60, raters=4, seed=1)
        >>> study = eq.reports.alignment_study(raters, permutations=3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in eq.reports.write_overview({"one": study, "two": study}, folder)]
        ['error.png', 'sparsity.png', 'summary.md']
    """
    folder = Path(folder)
    write_document(folder / "summary.md", overview_text(studies))
    figures = _draw(dict(studies), folder) if len(studies) <= MAX_PANELS else []
    return [*figures, folder / "summary.md"]


def check_places(names: Iterable[str], folder: str | os.PathLike[str]) -> list[Path]:
    """Refuse what would keep the results of studies from being written, before they are computed.

    Args:
        names: of the studies; one alone goes to `folder` itself, several to folders of their names.
        folder: where to.

    Returns:
        The files that may be written, and would be replaced.

    Raises:
        ValueError: if there is no study, or a name is no name of a folder, or that of another but for case.
        OSError: if a folder, or a file in it, could not be written.

    Example:
        >>> import equilibrax as eq
        >>> eq.reports.check_places(["a/b"], "results")
        Traceback (most recent call last):
        ValueError: studies: expected names of folders of up to 255 bytes, got 'a/b'
    """
    names, folder = list(names), Path(folder)
    if not names:
        raise ValueError("studies: expected at least one, got none")
    for name in names:
        if not name or name in (".", "..") or any(c in name for c in "/\\\0") or len(os.fsencode(name)) > 255:
            raise ValueError(f"studies: expected names of folders of up to 255 bytes, got {reprlib.repr(name)}")
    files = ["summary.md", *(f"{name}.png" for name in _FIGURES), *(f"{name}.parquet" for name in _TABLES)]
    taken = dict.fromkeys(files if len(names) > 1 else ())
    for name in names:
        if name.casefold() in taken:  # some file systems take both for one
            before = taken[name.casefold()] or "the files of all"
            raise ValueError(f"studies: expected names of folders that differ, got {name!r} beside {before!r}")
        taken[name.casefold()] = name
    places = [folder, *(folder / name for name in names if len(names) > 1)]
    for place in places:
        there = next(path for path in (place, *place.absolute().parents) if path.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "expected a folder to write to, got a file", str(there))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "expected a folder that can be written to", str(there))
        for name in files:
            if (place / name).is_dir():
                raise IsADirectoryError(
                    errno.EISDIR, "expected no folder where a file is to be written", str(place / name)
                )
    return [place / name for place in places for name in files]


def _draw(studies: Mapping[str, AlignmentStudy], folder: Path) -> list[Path]:
    """The figures of one or several studies, as far as they have what is drawn."""
    curves = {name: study.curve for name, study in studies.items() if len(study.unsolved) < study.raters.num_targets}
    noisy = {name or "simple average": study.raters for name, study in studies.items() if study.noise}
    markets = {name: study.market for name, study in studies.items() if study.market is not None}
    full = bool(markets) and all(len(market.scores) > 1 for market in markets.values())
    wanted: list[tuple[str, Any, Any]] = []
    wanted += (
        ("error", curve_figure, curves),
        ("sparsity", sparsity_figure, curves),
        ("noise", partial(noise_figure, left_out=[name for name, one in studies.items() if not one.noise]), noisy),
        ("weak", weak_figure, markets),
        ("transfer", transfer_figure, markets),
        ("subsets", subset_figure, markets),
        ("scores", score_figure, markets if full else {}),
        ("weights", weights_figure, markets),
    )
    written = []
    for name, figure, drawn in wanted:
        if not drawn:
            continue
        path = folder / f"{name}.png"
        try:
            figure(drawn, path)
            written += files_of(path)
        except Exception as error:  # whatever it is, the numbers are written, and other figures can be
            reason = " ".join(str(error).split()) or "no reason given"
            warnings.warn(f"{path}: not drawn: {type(error).__name__}: {reason[:300]}", FigureWarning, stacklevel=3)
    return written


def _not_a_market(answers: AnswerDistributions, folds: int) -> str:
    """Why no market can be fitted; empty if one can."""
    if answers.num_models > _MOST_PROVIDERS:
        return (
            f"it has {answers.num_models} models, of which not all sets can be listed; the limit is {_MOST_PROVIDERS}"
        )
    asking: np.ndarray = np.asarray(answers.seen.any(axis=1))
    common = answers.seen[asking].all(axis=0) & answers.modelled.all(axis=0)
    if (number := int(common.sum())) < folds:
        return f"{number} questions were answered by everybody; {folds} folds need as many"
    return ""
