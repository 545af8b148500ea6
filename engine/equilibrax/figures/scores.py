"""Figures 4 and 10 of 2602.13451: other scoring rules, and who covers whom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import equilibrax.figures._drawing as draw
from equilibrax.figures.coverage import (
    Fits,
    draw_methods,
    infinity_entry,
    method_entries,
    named_fits,
)
from equilibrax.figures.curves import band_entry
from equilibrax.figures.transfer import Line, OverSets, coverage_entries, covered_curve, covering_entry, draw_coverage
from equilibrax.raters.answers import Score

SCORE_LABELS: dict[Score, str] = {"linear": "linear score", "log": "log score", "brier": "Brier score"}
_OVER_SETS: tuple[OverSets, ...] = ("median", "mean")
_SCORE_COLOURS: dict[Score, str] = {"linear": "#222222", "log": "#CC79A7", "brier": "#56B4E9"}

_LONGEST = 26  # letters of a name beside a heat map
_CELL = 0.24  # inches
_MOST_NUMBERS = 14  # columns of a heat map with numbers in its cells


def score_figure(fits: Fits, path: draw.Target = None) -> Figure:
    """Weak alignment and coverage under other scores (2602.13451, Figure 4).

    One panel for each score but the market's own: error of weak alignment against the number of providers. Two more
    have the transfer factors of all scores by cross-validation, the mean over users solid and the worst user dashed:
    medians over sets of models, and means over them as `transfer_figure` has them.

    Args:
        fits: one market, or a mapping from titles to markets, with the same scores.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if there is no market, one has no other score, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=2, models=3, questions=20, options=3, seed=1)
        >>> figure = eq.figures.score_figure(eq.raters.market_fit(answers, scores=["log"]), "scores.png")
    """
    named = named_fits(fits)
    scores: dict[Score, None] = {score: None for fit in named.values() for score in fit.scores if score != fit.score}
    if not scores or any(set(fit.scores) != {fit.score, *scores} for fit in named.values()):
        raise ValueError("fits: expected markets with the same scores, and with another beside their own")
    across = len(scores) + len(_OVER_SETS)
    note = (
        "Errors: as in the figure of weak alignment. Transfer factors: over all sets of K models, of users that some "
    )
    note += "model covers; means over folds."
    floors = dict.fromkeys(f"{fit.score_floor:g}" for fit in named.values() if "log" in fit.scores)
    note += f" The log score tells probabilities apart down to {' or '.join(floors)}." if floors else ""
    beside = 2 if across == 4 else across
    columns = beside if draw.fitting(beside) == beside else 1
    with draw.page(path, across * len(named), note, panel_width=2.8, columns=columns) as (figure, panels):
        for row, (name, fit) in enumerate(named.items()):
            mine = panels[across * row : across * (row + 1)]
            for score, panel in zip(scores, mine):
                draw_methods(panel, fit.scores[score].curve)
                panel.set_title(_title(name, SCORE_LABELS[score]))
                panel.set_xlabel("number of models K")
                panel.set_ylabel("mean RMSE over users")
            covered = {_SCORE_COLOURS[s]: covered_curve(one)[0] for s, one in fit.scores.items()}
            for of, panel in zip(_OVER_SETS, mine[len(scores) :]):
                drawn: list[Line] = [(colour, curve, of) for colour, curve in covered.items() if curve is not None]
                draw_coverage(panel, drawn, len(fit.strong.model_names))
                panel.set_title(_title(name, f"coverage, {of} over sets"))
                panel.set_xlabel("number of models K")
                panel.set_ylabel("transfer factor 1/λ*")
            # Errors and transfer factors have colours of their own, and so has each kind of panel its legend.
            lines = [Line2D([], [], color=_SCORE_COLOURS[s], linewidth=1.8, label=SCORE_LABELS[s]) for s in fit.scores]
            for panel in mine[: len(scores)]:
                draw.legend_below(panel, [*method_entries(), band_entry("±1 s.e. over folds")], 2.6)
            for panel in mine[len(scores) :]:
                draw.legend_below(panel, [*lines, *coverage_entries(), covering_entry(), infinity_entry()], 2.6)
    return figure


def weights_figure(fits: Fits, path: draw.Target = None) -> Figure:
    """Heat maps of the learned weights, with names (2602.13451, Figure 10).

    On the left w[j, i] of weak alignment, a row for each user and a column for each model: which models explain a user.
    On the right lambda[j, i] of strong alignment, a row for each model and a column for each user: whom a model covers.
    Cells without any weight are blank.

    Args:
        fits: one market, or a mapping from titles to markets.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if there is no market, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=2, models=3, questions=20, options=3, seed=1)
        >>> fit = eq.raters.market_fit(answers, scores=[])
        >>> figure = eq.figures.weights_figure(fit, "weights.png")
    """
    named = named_fits(fits)
    largest = max(max(fit.strong.weights.shape) for fit in named.values())
    width = 1.8 + _CELL * 1.25 * largest
    note = (
        "Weights of fits to all questions. Left: w of weak alignment, which models explain a user. Right: λ of strong "
    )
    note += "alignment, whom a model covers. Blank: no weight; ·: below 0.005."
    height = 1.3 + _CELL * largest
    with draw.page(path, 2 * len(named), note, panel_width=width, height=height, columns=draw.fitting(2, 1.5)) as (
        figure,
        panels,
    ):
        for row, (name, fit) in enumerate(named.items()):
            users, models = fit.strong.user_names, fit.strong.model_names
            numbers = max(len(users), len(models)) <= _MOST_NUMBERS
            left, right = panels[2 * row : 2 * row + 2]
            for panel, values, names, label in (
                (left, fit.weak.weights, (users, models), "w (weak alignment)"),
                (right, fit.strong.weights, (models, users), "λ (strong alignment)"),
            ):
                _heat_map(panel, values, *names, label[0], numbers)
                panel.set_title(_title(name, label))
    return figure


def _heat_map(
    panel: Axes, values: np.ndarray, rows: Sequence[str], columns: Sequence[str], what: str, numbers: bool
) -> None:
    shown = np.ma.masked_where(~(values > 0), values)
    top = float(np.nanmax(values)) if (values > 0).any() else 1.0
    mesh = panel.pcolormesh(shown, cmap="YlGnBu", vmin=0, vmax=top, edgecolors="#E4E4E4", linewidth=0.4)
    panel.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    panel.tick_params(length=0, labelsize=draw.letters(6))
    panel.set_xticks(np.arange(len(columns)) + 0.5, draw.beside(columns, _LONGEST), rotation=60, ha="right")
    for text in panel.get_xticklabels():
        text.set_rotation_mode("anchor")
    panel.set_yticks(np.arange(len(rows)) + 0.5, draw.beside(rows, _LONGEST))
    for side in panel.spines.values():
        side.set_visible(False)
    if numbers:
        for (i, j), value in np.ndenumerate(values):
            if value > 0:
                colour = "white" if value > 0.55 * top else "#333333"
                text = f"{value:.2f}".lstrip("0") if value >= 0.005 else "·"
                look = {"ha": "center", "va": "center", "fontsize": draw.letters(5), "color": colour}
                panel.text(j + 0.5, i + 0.5, text, gid=draw.OPTIONAL, **look)
    bar = panel.figure.colorbar(mesh, ax=panel, aspect=25, pad=0.02, label=f"weight {what}")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    bar.ax.tick_params(labelsize=draw.letters(6), length=2)


def _title(name: str, what: str) -> str:
    return f"{what}\n{name}" if name else what
