"""Figures 2 and 8 of 2602.13451: transfer factors as providers and users are added.

Transfer factors are those of cross-validation: fits to all questions but those of one fold, of which lines are the mean
and bands go from the smallest to the largest. An infinite one (`equilibrax.figures.coverage`) makes the mean infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

import equilibrax.figures._drawing as draw
from equilibrax.figures.coverage import (
    RED,
    Fits,
    Pairs,
    chosen,
    infinity_axis,
    infinity_entry,
    label_pairs,
    name_uncovered,
    named_fits,
    plot_factors,
)
from equilibrax.figures.curves import size_axis
from equilibrax.raters import FoldSpread
from equilibrax.raters.coverage import CoverageCurve, coverage_curve
from equilibrax.raters.fit import MarketFit, ScoreFit

OverSets = Literal["median", "mean"]
"""What a line is, over the sets of one size."""

Line = tuple[str, CoverageCurve, OverSets]
"""A colour, a curve, and what to draw of it."""

User = Literal["mean", "worst"]

_OVER_SETS: tuple[OverSets, ...] = ("median", "mean")
_COLOURS: dict[OverSets, str] = {"median": draw.BLUE, "mean": "#E69F00"}
_USERS: tuple[User, ...] = ("worst", "mean")
_ERROR_DASHES = (0, (4, 1.2))
_DOTTED = (0, (1, 1.5))
_SHADE = 0.15


def transfer_figure(fits: Fits, path: draw.Target = None) -> Figure:
    """Transfer factors against the number of providers, and what more users do (Figures 2 and 8).

    Above are 1 / lambda*_i by cross-validation, on a logarithmic axis: mean over users solid, worst user dashed, both
    as the median over sets of K providers (blue) and as the mean over these sets (orange). The mean is infinite where
    one set leaves a user uncovered; dotted there is that over the sets which cover everybody. Below, against the number
    of users: the worst user's transfer factor (red, left axis) and the error of strong alignment (blue, right axis),
    means over sets of users. Bands go from the smallest to the largest of the folds, lines are their mean.

    Args:
        fits: one market, or a mapping from titles to markets.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if there is no market, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=2, models=3, questions=20, options=3, seed=1)
        >>> fit = eq.raters.market_fit(answers, scores=[])
        >>> figure = eq.figures.transfer_figure(fit, "transfer.png")
    """
    named = named_fits(fits)
    note = (
        "Fits to all questions but those of one fold: lines are their mean, bands go from the smallest to the largest. "
        "Above: over all sets of K models, of users that some model covers. Below: means over sets of n users, all "
        "models. ∞: a user to whom no model of the set (for means: of some set, in some fold) gives weight; dotted: "
        "the mean over sets where that is not so. Users who all agree with a model have 1/λ* = n."
    )
    with Pairs(path, named, note) as (figure, columns, _):
        for (name, fit), (above, below) in zip(named.items(), columns):
            curve, uncovered = covered_curve(fit.scores[fit.score])
            lines: list[Line] = [] if curve is None else [(_COLOURS[of], curve, of) for of in reversed(_OVER_SETS)]
            draw_coverage(above, lines, len(fit.strong.model_names), bool(uncovered), band=True)
            name_uncovered(above, uncovered)
            above.set_title(name)
            _draw_more_users(below, fit)
        label_pairs(columns, "number of models K", ("transfer factor 1/λ*", "worst user's 1/λ*"))
        for _, below in columns:
            below.set_xlabel("number of users n")
            below.yaxis.label.set_color(RED)
        style: dict[str, Any] = {"linewidth": 1.8, "markersize": 3.5}
        entries: list[Artist] = [
            *coverage_entries(),
            *(Patch(label=f"{of} over sets", color=colour) for of, colour in _COLOURS.items()),
            covering_entry(),
            infinity_entry(),
            Line2D([], [], label="worst user (left axis)", color=RED, marker="o", **style),
            Line2D([], [], label="error (right axis)", color=draw.BLUE, marker="s", linestyle=_ERROR_DASHES, **style),
        ]
        draw.legend(figure, entries)
    return figure


def covered_curve(fit: ScoreFit) -> tuple[CoverageCurve | None, list[str]]:
    """Coverage of the users that some model covers, None if there are none, and the names of the others."""
    uncovered = fit.strong.weights.max(axis=0) == 0
    names = chosen(fit.strong.user_names, uncovered)
    if not names:
        return fit.coverage, names
    users = np.flatnonzero(~uncovered)
    return (coverage_curve(fit.strong, subsets="all", users=users) if len(users) else None), names


def draw_coverage(panel: Axes, lines: Sequence[Line], models: int, always: bool = False, *, band=False) -> None:
    """The mean user's (solid) and the worst user's (dashed) transfer factor, by cross-validation.

    Args:
        panel: to draw into.
        lines: a colour, a curve, and what to draw of it. Means that are infinite have dots for covering sets.
        models: how many there are.
        always: whether the line of infinity is there even if nothing is infinite.
        band: whether to shade from the smallest to the largest fold.
    """
    drawn: list[tuple[str, User, OverSets, CoverageCurve, FoldSpread]] = [
        (colour, user, of, curve, curve.spread(of, user)) for colour, curve, of in lines for user in _USERS
    ]
    covering = [curve.spread("covered_mean", user).mean for _, user, of, curve, _ in drawn if of == "mean"]
    values = [
        side for *_, spread in drawn for side in (spread.mean, *((spread.lowest, spread.highest) if band else ()))
    ]
    top = infinity_axis(panel, [*values, *covering], always)
    for colour, user, of, curve, spread in drawn:
        worst = user == "worst"
        marker = "s" if worst else "o"
        if band:
            _shade(panel, curve.sizes, spread, colour)
        if of == "mean":
            covered = curve.spread("covered_mean", user).mean
            last = np.isinf(spread.mean) | np.isinf(np.roll(spread.mean, 1))  # and on to the first that is finite
            shown = np.where(last, covered, np.nan)
            panel.plot(curve.sizes, shown, color=colour, linestyle=_DOTTED, linewidth=1.4, marker=marker, markersize=2)
        style = {"linestyle": "--" if worst else "-", "marker": marker, "color": colour, "zorder": 3 if worst else 4}
        plot_factors(panel, curve.sizes, spread.mean, top, hollow=6.5 if worst else 4.5, **style)
    size_axis(panel, np.arange(1, 1 + models))


def coverage_entries() -> list[Artist]:
    """Legend entries of the users of `draw_coverage`."""
    style: dict[str, Any] = {"color": draw.GREY, "linewidth": 1.8, "markersize": 3.5}
    return [
        Line2D([], [], label="mean over users", marker="o", **style),
        Line2D([], [], label="worst user", linestyle=(0, (2, 1)), marker="s", **style),
    ]


def covering_entry() -> Artist:
    """Legend entry of means over the sets that cover everybody."""
    return Line2D([], [], label="mean, covering sets", color=draw.GREY, linestyle=_DOTTED)


def _shade(panel: Axes, at: np.ndarray, spread: FoldSpread, colour: str) -> None:
    """From the smallest to the largest fold, where that is finite."""
    some = np.isfinite(spread.highest)
    low, high = (np.where(some, side, np.nan) for side in (spread.lowest, spread.highest))
    panel.fill_between(at, low, high, where=some.tolist(), color=colour, alpha=_SHADE, linewidth=0, zorder=1)


def _draw_more_users(panel: Axes, fit: MarketFit) -> None:
    """Transfer factors on the left axis, dotted those of sets that are covered if some are not; errors on the right."""
    means, spread = fit.users.mean(), fit.users.spread()
    users, error = means["users"], means["error"]
    factors = [fit.users.fold_transfer[:, fit.users.users == n] for n in users]
    covered = np.array([one[np.isfinite(one)].mean() if np.isfinite(one).any() else np.nan for one in factors])
    top = infinity_axis(panel, [spread.mean, spread.lowest, spread.highest, covered])
    if np.isinf(spread.mean).any():
        panel.plot(users, covered, color=RED, linestyle=_DOTTED, linewidth=1.4)
    _shade(panel, users, spread, RED)
    plot_factors(panel, users, spread.mean, top, color=RED, marker="o")
    panel.tick_params(axis="y", colors=RED)
    right = panel.twinx()
    right.spines["right"].set_visible(True)
    right.plot(users, error, color=draw.BLUE, linestyle=_ERROR_DASHES, marker="s", linewidth=1.8, markersize=3.5)
    right.tick_params(axis="y", colors=draw.BLUE)
    right.set_ylabel("error of strong alignment", color=draw.BLUE)
    right.set_ylim(0, 1.15 * float(np.nanmax(error)) if np.isfinite(error).any() else 1.0)
    right.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    size_axis(panel, users)
