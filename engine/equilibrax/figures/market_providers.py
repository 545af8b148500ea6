"""The users' worst utility against the number of providers in the market, from rows of one game or of both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import ScalarFormatter

import equilibrax.figures._drawing as draw
from equilibrax.figures._market_parts import (
    DARK,
    NEEDED,
    Rows,
    colour_of,
    footnote,
    is_person,
    names_of,
    people_of,
    read_rows,
    require,
    say_if_empty,
)

_MEAN = {"linewidth": 1.1, "linestyle": "--", "zorder": 1.8}


def providers_figure(rows: pa.Table, path: draw.Target = None, *, users: Sequence[str] = ()) -> Figure:
    """The users' worst utility against the number of providers in the committee, a panel for each game.

    Up to 8 users have a line each, the mean over the committees of a size, with bars from the worst committee to the
    best one. More are pooled: quantiles of worst utility - optimum.

    Args:
        rows: from `user_rows`, with committees of several sizes; of one game, or of several put together.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.
        users: names of the users by their number, where each has a line; default: as `user_name` in the rows.

    Raises:
        ValueError: if a column is absent, no row can be shown, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.user_rows(eq.solve(eq.random_markets(50, 2, 3, 3, 3), "personalized"))
        >>> figure = eq.figures.providers_figure(rows, "providers.png")
    """
    every = read_rows(rows, (*NEEDED, "optimum"))
    shown = require(every.only(np.isfinite(every["worst_utility"])), "an equilibrium")
    people = people_of(every)
    few = len(people) <= 8
    note = footnote(shown, every, "an equilibrium")
    if few:
        note += " Lines: means over the committees of a size; bars: from the worst committee to the best."
    else:
        note += " Numbers: the share of users and committees with less than the optimum."
    with draw.page(path, len(shown.games), note, share=True, panel_width=3.3) as (figure, panels):
        for game, panel in zip(shown.games, panels):
            mine = shown.only(shown["game"] == game)
            panel.set_title(game)
            (_sizes_by_user if few else _sizes_pooled)(panel, mine, people, colour_of(game))
            draw.set_size_axis(panel, int(shown["committee_size"].max()))
            panel.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
            say_if_empty(panel, mine)
        if not few:
            low = panels[0].get_ylim()[0]
            panels[0].set_ylim(low, -0.18 * low)  # percentages stand above the optimum
        relative = "worst utility in equilibrium" + ("\n(expected utility)" if few else "\n− optimum (utility units)")
        draw.axis_labels(panels, "providers in the committee, k", relative)
        draw.legend(figure, _size_entries(names_of(every, people, users) if few else []))
    return figure


def _sizes_by_user(panel: Axes, mine: Rows, people: list[tuple], colour: str) -> None:
    for i, person in enumerate(people):
        own = mine.only(is_person(mine, person))
        sizes = np.unique(own["committee_size"])
        parts = [own["worst_utility"][own["committee_size"] == k] for k in sizes]
        at = sizes + 0.16 * (i - (len(people) - 1) / 2) / max(1, len(people) - 1) * min(len(people) - 1, 3)
        style = _person_style(i)
        panel.plot(at, [part.mean() for part in parts], linewidth=1.2, zorder=3, **style)
        panel.vlines(at, [p.min() for p in parts], [p.max() for p in parts], color=style["color"], linewidth=0.9)


def _sizes_pooled(panel: Axes, mine: Rows, people: list[tuple], colour: str) -> None:
    gap = mine["worst_utility"] - mine["optimum"]
    sizes = np.unique(mine["committee_size"])
    panel.axhline(0, **draw.OPTIMUM)
    panel.plot(sizes, [gap[mine["committee_size"] == k].mean() for k in sizes], color=colour, **_MEAN)
    above = {"transform": panel.get_xaxis_transform(), "ha": "center", "va": "top", "color": DARK}
    for k in sizes.tolist():
        own = gap[mine["committee_size"] == k]
        # Most have the optimum, and a box of all would be a line at it: boxes are of those who have less.
        less = own[own < -draw.TOLERANCE]
        panel.text(k, 0.99, f"{100 * len(less) / len(own):.3g} %", fontsize=draw.letters(6.5), **above)
        if len(less):
            low, lower, middle, upper, high = np.quantile(less, [0.05, 0.25, 0.5, 0.75, 0.95])
            panel.plot([k, k], [low, high], color=colour, linewidth=1.2, zorder=2)
            panel.plot([k, k], [lower, upper], color=colour, linewidth=6, solid_capstyle="butt", zorder=2.5)
            panel.plot(k, middle, color="black", marker="o", markersize=3.2, zorder=4)


def _size_entries(names: list[str]) -> list[Artist]:
    if names:
        return [Line2D([], [], label=name, **_person_style(i)) for i, name in enumerate(names)]
    return [
        Line2D([], [], label="median of those with less", color="black", marker="o", markersize=3.2, linestyle=""),
        Line2D([], [], label="25 to 75 % of them", color=draw.GREY, linewidth=6),
        Line2D([], [], label="5 to 95 % of them", color=draw.GREY, linewidth=1.2),
        Line2D([], [], label="mean of all", color=draw.GREY, **_MEAN),
        Line2D([], [], label="optimum", **draw.OPTIMUM),
    ]


def _person_style(i: int) -> dict:
    colours = (draw.BLUE, draw.VERMILLION, draw.GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000", draw.GREY)
    return {"color": colours[i % 8], "marker": "osD^vPX<"[i % 8], "markersize": 4.5}
