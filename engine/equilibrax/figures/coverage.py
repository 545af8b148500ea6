"""Figures 1, 3, 5, 6, 7 and 9 of 2602.13451: how a market covers many users; Figures 2 and 8 are `transfer`.

Every function takes one `MarketFit`, or several by name (partitions of the users, panels of a survey) with a column
each, and writes one PNG, whole or not at all. Figures 5 to 9 are the same drawings for more partitions.

Transfer factors 1 / lambda*_i are infinite where no provider gives user i any weight. They are drawn at the line
marked with the sign of infinity, over the axis's numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

import equilibrax.figures._drawing as draw
from equilibrax.figures.curves import METHOD_COLOURS, band_entry, size_axis
from equilibrax.raters import MAX_ALL_SETS, WEAK_METHODS, WeakCurve
from equilibrax.raters.coverage import subset_analysis
from equilibrax.raters.fit import MarketFit

Fits = MarketFit | Mapping[str, MarketFit]

METHOD_LABELS = {"best_individual": "best single model", "average": "simple average", "nnls": "NNLS + intercept"}
SCORE_LABELS = {"linear": "linear", "log": "log", "brier": "Brier"}
RED = METHOD_COLOURS["simplex"]

_ACROSS, _SHADE = 3, 0.18  # columns of a page; shade of a band
_COLOURS = (draw.BLUE, "#E69F00", draw.GREEN, draw.VERMILLION, "#CC79A7", "#56B4E9", "#8B6F00", "#444444")
_SHAPES = ("o", "s", "^", "D", "v", "P", "X", "p")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DECADE_OF_INFINITY = 0.35  # of the axis's decades, between its largest number and infinity


def weak_figure(fits: Fits, path: draw.Target = None) -> Figure:
    """Error of weak alignment against the number of providers: by method, and by user (Figures 1, 5, 6 and 7).

    Above is the mean over users of the root mean squared error on held-out questions, for NNLS with an intercept and
    for the baselines; below is that of NNLS for each user. Shaded: one standard error over folds to either side.

    Args:
        fits: one market, or a mapping from titles to markets.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if there is no market, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=2, models=3, questions=20, options=3, seed=1)
        >>> fit = eq.raters.market_fit(answers, scores=[])
        >>> figure = eq.figures.weak_figure(fit, "weak.png")
    """
    named = named_fits(fits)
    models = max(len(fit.curve.model_names) for fit in named.values())
    sets = "all sets of K models" if models <= MAX_ALL_SETS else "sets of K models (random orders where there are many)"
    note = f"Root mean squared error on held-out questions, its mean over {sets}; above also over users."
    note += " Shaded: ±1 standard error over folds."
    with Pairs(path, named, note) as (figure, columns, _):
        for (name, fit), (above, below) in zip(named.items(), columns):
            draw_methods(above, fit.curve)
            above.set_title(name)
            _draw_users(below, fit.curve)
        label_pairs(columns, "number of models K", ("mean RMSE over users", "RMSE of NNLS, by user"))
        draw.legend(figure, [*method_entries(), band_entry("±1 s.e. over folds")])
    return figure


def subset_figure(fits: Fits, path: draw.Target = None) -> Figure:
    """The worst user's transfer factor against the size of the set of providers (Figures 3 and 9).

    Over all sets of a size: the best is green, the mean blue, the worst red. Where some set leaves a user uncovered the
    mean is infinite, and the mean over the sets that cover everybody is dotted. The axis is logarithmic.

    Args:
        fits: one market, or a mapping from titles to markets.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if there is no market, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> answers = eq.raters.simulate_answers(users=2, models=3, questions=20, options=3, seed=1)
        >>> fit = eq.raters.market_fit(answers, scores=[])
        >>> figure = eq.figures.subset_figure(fit, "subsets.png")
    """
    named = named_fits(fits)
    note = (
        "All sets T of models, and users that some model covers. ∞: a user to whom no model of the set (for the mean: "
    )
    note += "of some set) gives weight."
    colours = (draw.GREEN, draw.BLUE, RED)
    with draw.page(path, len(named), note, panel_width=3.1, height=2.8) as (figure, panels):
        for (name, fit), panel in zip(named.items(), panels):
            uncovered = fit.strong.weights.max(axis=0) == 0
            found = fit.subsets
            if uncovered.any() and not uncovered.all():
                found = subset_analysis(fit.strong.weights[:, ~uncovered])
            lines = [found.best, found.mean, found.worst]
            top = infinity_axis(panel, [*lines, found.covered_mean], bool(uncovered.any()))
            panel.plot(found.sizes, found.covered_mean, color=draw.BLUE, linestyle=":", linewidth=1.4, zorder=2)
            for place in (2, 1, 0):
                style = {"color": colours[place], "marker": "^ov"[place], "zorder": 5 - place}
                plot_factors(panel, found.sizes, lines[place], top, hollow=3.5 + 1.8 * place, **style)
            name_uncovered(panel, chosen(fit.strong.user_names, uncovered))
            size_axis(panel, found.sizes)
            panel.set_title(name)
        draw.axis_labels(panels, "size of the set |T|", "worst user's transfer factor 1/λ*")
        style: dict[str, Any] = {"linewidth": 1.8, "markersize": 3.5}
        entries: list[Artist] = [
            Line2D([], [], label=label, color=colour, marker=marker, **style)
            for label, colour, marker in zip(("best T", "mean T", "worst T"), colours, ("^", "o", "v"))
        ]
        entries.append(Line2D([], [], label="mean of covering T", color=draw.BLUE, linestyle=":"))
        draw.legend(figure, [*entries, infinity_entry()])
    return figure


def draw_methods(panel: Axes, curve: WeakCurve) -> None:
    """Mean error over users of each method, with its standard error."""
    mean, error = curve.mean(), curve.standard_error()
    for m, method in enumerate(WEAK_METHODS):
        band = np.nan_to_num(error[m])
        colour = METHOD_COLOURS[method]
        panel.fill_between(curve.sizes, mean[m] - band, mean[m] + band, color=colour, alpha=_SHADE, linewidth=0)
        panel.plot(curve.sizes, mean[m], color=colour, linewidth=1.8, marker="o", markersize=3)
    size_axis(panel, curve.sizes)
    panel.set_ylim(bottom=0)
    panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def method_entries() -> list[Artist]:
    """Legend entries of `draw_methods`."""
    style = {"linewidth": 1.8, "marker": "o", "markersize": 3}
    return [Line2D([], [], label=METHOD_LABELS[m], color=METHOD_COLOURS[m], **style) for m in reversed(WEAK_METHODS)]


def infinity_axis(panel: Axes, lines: Sequence[np.ndarray], always: bool = False) -> float | None:
    """A logarithmic axis around all finite numbers; where to draw infinite ones, if any or `always`, marked."""
    values = np.concatenate([np.asarray(line, float) for line in lines]) if lines else np.zeros(0)
    finite = values[np.isfinite(values) & (values > 0)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (1.0, 10.0)
    decades = max(np.log10(high / low), 0.5)
    panel.set_yscale("log")
    panel.yaxis.set_minor_locator(NullLocator())
    bottom = low / 10 ** (0.08 * decades)
    if not (always or np.isinf(values).any()):
        top = high * 10 ** (0.08 * decades)
        panel.yaxis.set_major_locator(FixedLocator(_log_ticks(bottom, top)))
        panel.yaxis.set_major_formatter(FuncFormatter(_factor_text))
        panel.set_ylim(bottom, top)
        return None
    infinity = high * 10 ** max(_DECADE_OF_INFINITY * decades, 0.25)
    panel.axhline(infinity, color=draw.GREY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    panel.yaxis.set_major_locator(FixedLocator([*(_log_ticks(bottom, high * 1.3) if len(finite) else []), infinity]))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: "∞" if y == infinity else _factor_text(y, 0)))
    panel.set_ylim(bottom, infinity * 10 ** (0.1 * decades))
    return infinity


def plot_factors(panel: Axes, at: np.ndarray, values: np.ndarray, infinity: float | None, **style: Any) -> None:
    """A line of transfer factors; what is infinite is a hollow marker, of size `hollow`, at the marked line."""
    endless = np.isinf(values)
    shown = np.where(endless, np.nan if infinity is None else infinity, values)
    large = style.pop("hollow", 4.5)
    style = {"linewidth": 1.8, "markersize": 3.5, "zorder": 3, **style}
    panel.plot(at, shown, **style)
    panel.plot(
        at[endless], shown[endless], **{**style, "markerfacecolor": "white", "linestyle": "", "markersize": large}
    )


def infinity_entry() -> Artist:
    """Legend entry of an infinite transfer factor."""
    hollow: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": "#444444", "linestyle": "", "marker": "o"}
    return Line2D([], [], label="∞: user not covered", markersize=5, **hollow)


def user_style(number: int, of: int) -> dict[str, Any]:
    """Colour and marker of a user; users are often in order (of age, say), but their names need not be."""
    if of <= len(_COLOURS):
        colour: Any = _COLOURS[number]
    else:
        colour = mpl.colormaps["viridis"](0.95 * number / (of - 1))
    return {"color": colour, "marker": _SHAPES[number % len(_SHAPES)], "markersize": 3}


def named_fits(fits: Fits) -> dict[str, MarketFit]:
    named = dict(fits) if isinstance(fits, Mapping) else {"": fits}
    if not named:
        raise ValueError("fits: expected at least one market, got none")
    return named


class Pairs:
    """A page of columns of two panels, at most three columns beside each other, then the next block below."""

    def __init__(self, path: draw.Target, named: Mapping[str, MarketFit], note: str):
        self.count = len(named)
        self.across = across(self.count)
        self.blocks = -(-self.count // self.across)
        panels = 2 * self.across * self.blocks
        self.page = draw.page(path, panels, note, panel_width=3.2, height=2.3, columns=self.across)

    def __enter__(self) -> tuple[Any, list[tuple[Axes, Axes]], list[Axes]]:
        figure, panels = self.page.__enter__()
        above = [2 * self.across * (n // self.across) + n % self.across for n in range(self.count)]
        used = {p for a in above for p in (a, a + self.across)}
        for number, panel in enumerate(panels):
            panel.set_visible(number in used)
        return figure, [(panels[a], panels[a + self.across]) for a in above], panels

    def __exit__(self, *error: Any) -> Any:
        return self.page.__exit__(*error)


def across(count: int) -> int:
    """How many of so many columns are beside each other."""
    return draw.fitting({4: 2}.get(count, min(count, _ACROSS)))


def label_pairs(columns: list[tuple[Axes, Axes]], x: str, y: tuple[str, str]) -> None:
    for number, pair in enumerate(columns):
        for panel, label in zip(pair, y):
            panel.set_xlabel(x)
            if number % across(len(columns)) == 0:
                panel.set_ylabel(label)


def _draw_users(panel: Axes, curve: WeakCurve) -> None:
    values, error = curve.rmse[:, WEAK_METHODS.index("nnls")], curve.user_error()
    shown, lines = np.flatnonzero(curve.answering), []
    for i in shown:
        style = user_style(int(i), len(curve.user_names))
        band = np.nan_to_num(error[i])
        shade = {"color": style["color"], "alpha": _SHADE / 2, "linewidth": 0}
        panel.fill_between(curve.sizes, values[i] - band, values[i] + band, **shade)
        lines += panel.plot(curve.sizes, values[i], linewidth=1.4, label=curve.user_names[i], **style)
    size_axis(panel, curve.sizes)
    panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    draw.legend_below(panel, lines, 3.0)


def chosen(names: Sequence[str], mask: np.ndarray) -> list[str]:
    return [name for name, yes in zip(names, mask.tolist()) if yes]


def name_uncovered(panel: Axes, names: list[str]) -> None:
    """Says who is infinite for every set, where the line of infinity is."""
    if names:
        text = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "") + ": no model at all"
        place: dict[str, Any] = {"xycoords": panel.get_yaxis_transform(), "textcoords": "offset points"}
        style: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": draw.letters(6), "color": "#444444"}
        panel.annotate(
            text, (0.99, panel.get_yticks()[-1]), xytext=(0, -4), **place, **style
        )  # lines fall to the right


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, or also twice and five times these where there are few of them."""
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), tuple(np.arange(1.0, 10.0))):
        ticks = [t for t in LogLocator(10, steps).tick_values(low, high) if low <= t <= high]
        if len(ticks) >= 3:
            most = int(6 / draw.letters(1))  # as letters have room for
            return ticks if len(ticks) <= most else ticks[:: -(-len(ticks) // most)]
    return ticks  # pyright: ignore[reportPossiblyUnboundVariable]


def _factor_text(value: float, _: float) -> str:
    if 1e-2 <= value < 1e4:
        return f"{value:,.6g}"
    exponent = f"{np.log10(value):.3g}"
    return "10" + exponent.translate(_RAISED) if "." not in exponent else f"{value:.3g}"
