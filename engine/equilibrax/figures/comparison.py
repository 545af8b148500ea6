"""The figure of a comparison: the user's utility in every game, for a few tables or for thousands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter, ScalarFormatter

import equilibrax.figures._drawing as draw
from equilibrax.figures.paper import MAX_PANELS
from equilibrax.studies.comparison import Comparison

_ROW = 0.19  # inches
_COLOURS = {
    "monopolist": draw.GREY,
    "selection": draw.BLUE,
    "joint": "#CC79A7",
    "quantal": "#9A5C84",
    "oblivious": "#E69F00",
    "aligned": draw.GREEN,
}
_BEST = {
    "linestyle": "",
    "marker": "o",
    "markersize": 6,
    "markerfacecolor": "white",
    "markeredgewidth": 1.2,
    "zorder": 3,
}
_WORST = {"linestyle": "", "marker": "o", "markersize": 4.5, "markeredgewidth": 0, "zorder": 4}
_BOUND = {
    "linestyle": "",
    "marker": "|",
    "markersize": 8,
    "markeredgewidth": 1.6,
    "color": draw.VERMILLION,
    "zorder": 5,
}
_BELOW = {**_BOUND, "marker": "<", "markersize": 4, "markeredgewidth": 0}
_NOTE: dict[str, Any] = {"va": "center", "color": draw.GREY}


def comparison_figure(comparisons: Comparison | Sequence[Comparison], path: draw.Target = None) -> Figure:
    """The user's utility in every game, beside her optimum and the bounds.

    Up to six tables have a panel each, with a line per game from her worst to her best equilibrium. More are drawn as
    distributions of worst utility - optimum over the tables of one comparison, with the share of tables in which
    every equilibrium is first-best.

    Args:
        comparisons: one or several; tables of several may have different shapes.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if there is no comparison, there are several with more than six tables in all, no game of a table
            was solved, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> found = eq.compare(eq.load_paper_table("synthetic-2"), rationality=[10])
        >>> figure = eq.figures.comparison_figure(found, "games.png")
    """
    given = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    total = sum(len(one.table_id) for one in given)
    if total == 0:
        raise ValueError("comparisons: expected at least one, got none")
    if total > MAX_PANELS and len(given) > 1:
        raise ValueError(f"comparisons: expected one, or at most {MAX_PANELS} tables in all, got {total} tables")
    if any(not np.isfinite(row).any() for one in given for row in (one.worst if total <= MAX_PANELS else [one.worst])):
        raise ValueError("comparisons: expected a game that was solved, got a table without one")
    return (_by_table if total <= MAX_PANELS else _pooled)(given, path)


def _by_table(given: list[Comparison], path: draw.Target) -> Figure:
    lines = list(dict.fromkeys(line for one in given for line in one.lines))
    lines = [line for line in lines if not line.benchmark]  # the optimum's line, here
    at = {line: row for row, line in enumerate(lines)}
    tables = [(one, b) for one in given for b in range(len(one.table_id))]
    height = _ROW * len(lines) + 0.5
    note = (
        "Filled: worst equilibrium; outlined: best. A monopolist's are those of the worst and the best provider alone."
    )
    sources: dict[str, list[str]] = {}
    names = [line.name for line in lines]
    with draw.page(path, len(tables), note, share="y", height=height, names=names) as (figure, panels):
        for (one, b), panel in zip(tables, panels):
            shown = [g for g, line in enumerate(one.lines) if line in at and np.isfinite(one.worst[b, g])]
            worst, best, optimum = one.worst[b], one.best[b], one.optimum[b]
            low = min(optimum, worst[shown].min())
            margin = 0.06 * (max(optimum, best[shown].max()) - low) or 0.01
            panel.set_xlim(low - margin, max(optimum, best[shown].max()) + margin)
            panel.axvline(optimum, **draw.OPTIMUM)
            for g in shown:
                row, colour = at[one.lines[g]], _colour(one.lines[g])
                panel.plot([worst[g], best[g]], [row, row], color=colour, linewidth=1.6, zorder=2)
                face = colour if best[g] - worst[g] <= draw.TOLERANCE else "white"
                panel.plot(best[g], row, **{**_BEST, "markeredgecolor": colour, "markerfacecolor": face})
                panel.plot(worst[g], row, color=colour, **_WORST)
                if np.isfinite(one.bound[b, g]):
                    outside = one.bound[b, g] < low - margin
                    sources.setdefault(one.bound_sources[g], []).append(one.lines[g].name)
                    panel.plot(
                        low - 0.6 * margin if outside else one.bound[b, g], row, **(_BELOW if outside else _BOUND)
                    )
            for line, row in at.items():
                if line not in [one.lines[g] for g in shown]:
                    place: dict[str, Any] = {"transform": panel.get_yaxis_transform(), "fontsize": draw.letters(6.5)}
                    panel.text(0.02, row, "not played", **place, **_NOTE)
            panel.set_title(one.tables.names()[b])
            panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            panel.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))
            _name_rows(panel, names)
        draw.axis_labels(panels, "the user's expected utility", "")
        dark = {"color": "#444444"}
        draw.legend(
            figure,
            [
                Line2D([], [], label="worst equilibrium", **{**_WORST, **dark}),
                Line2D([], [], label="best equilibrium", markeredgecolor="#444444", **_BEST),
                Line2D([], [], label="optimum, as if aligned", **draw.OPTIMUM),
                Line2D([], [], label="bound", **_BOUND),
                Line2D([], [], label="bound, further left", **_BELOW),
            ],
        )
        each = (f"{name} of {' / '.join(dict.fromkeys(games))}" for name, games in sources.items())
        draw.add_note(figure, f"Bounds: {'; '.join(each)}." if sources else "")
    return figure


def _pooled(given: list[Comparison], path: draw.Target) -> Figure:
    (one,) = given
    solved = np.isfinite(one.gap)
    shown = [g for g, line in enumerate(one.lines) if not line.benchmark and solved[:, g].any()]
    note = f"{len(one.table_id):,} tables{f' of the family {one.tables.family}' if one.tables.family else ''}, "
    note += f"{one.tables.states} states, {one.tables.actions} actions, {one.tables.num_providers} providers."
    if lost := int((~solved[:, shown]).sum()):
        note += f" {lost:,} games left out that are not solved."
    height = _ROW * len(shown) + 0.6
    names = [one.lines[g].name for g in shown]
    with draw.page(path, 2, note, share="y", panel_width=3.6, height=height, names=names) as (figure, (left, right)):
        left.axvline(0, **draw.OPTIMUM)
        right.tick_params(axis="y", length=0)
        for row, g in enumerate(shown):
            colour = _colour(one.lines[g])
            low, lower, middle, upper, high = np.quantile(one.gap[solved[:, g], g], [0.05, 0.25, 0.5, 0.75, 0.95])
            left.plot([low, high], [row, row], color=colour, linewidth=1.2, zorder=2)
            left.plot([lower, upper], [row, row], color=colour, linewidth=5, solid_capstyle="butt", zorder=2.5)
            left.plot(middle, row, color="black", marker="o", markersize=3.2, zorder=3)
            if high - low <= draw.TOLERANCE:
                place = {
                    "textcoords": "offset points",
                    "ha": "right",
                    "va": "center",
                    "fontsize": draw.letters(6),
                    "color": draw.GREY,
                    "gid": draw.OPTIONAL,
                }
                left.annotate("the same in 90 % of tables", (middle, row), xytext=(-6, 0), **place)
        shares = one.at_optimum[shown]
        bars = right.barh(range(len(shown)), shares, color=[_colour(one.lines[g]) for g in shown], height=0.62)
        right.bar_label(bars, [f"{100 * share:.1f} %" for share in shares], padding=2, fontsize=draw.letters(6.5))
        right.set_xlim(0, 1.05 + 0.15 * draw.letters(1))
        right.set_xticks([0, 0.25, 0.5, 0.75, 1])
        right.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        _name_rows(left, names)
        left.set_xlabel("worst equilibrium − optimum (utility units)")
        right.set_xlabel("tables whose worst equilibrium is first-best")
        draw.legend(
            figure,
            [
                Line2D([], [], label="median", color="black", marker="o", markersize=3.2, linestyle=""),
                Line2D([], [], label="25 to 75 % of tables", color=draw.GREY, linewidth=5),
                Line2D([], [], label="5 to 95 %", color=draw.GREY, linewidth=1.2),
                Line2D([], [], label="optimum", **draw.OPTIMUM),
            ],
        )
    return figure


def _name_rows(panel: Axes, names: list[str]) -> None:
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    for row in range(len(names)):
        panel.axhline(row, color="#EEEEEE", linewidth=0.6, zorder=0)


def _colour(line) -> str:
    return _COLOURS.get("quantal" if line.user == "quantal" else line.game, draw.GREY)
