"""What newcomers do to those who were in the market before, from rows of `Entry.rows`, in both games side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

import equilibrax.figures._drawing as draw
from equilibrax.figures._market_parts import (
    DARK,
    LONGEST,
    MAX_LINES,
    POINTS,
    Rows,
    colour_of,
    counted,
    is_person,
    left_out,
    name_rows,
    names_of,
    people_of,
    read_rows,
    require,
    say_if_empty,
    utility_axis,
)
from equilibrax.figures.paper import MAX_MARKERS


def entry_figure(rows: pa.Table, path: draw.Target = None, *, users: Sequence[str] = ()) -> Figure:
    """What newcomers do to the worst utility of those who were there, a panel for each game.

    Up to 24 incumbents have a line each: before, and the distribution over the newcomers after. More are points (or a
    density) of the utility after over the one before: who loses lies below the diagonal.

    Args:
        rows: from `Entry.rows`.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.
        users: names of the users by their number, where each has a line; default: as `user_name` in the rows.

    Raises:
        ValueError: if a column is absent, no row can be shown, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> market, _ = eq.problems.theorem_5_2_market()
        >>> entry = eq.studies.enter(market, eq.studies.random_newcomers(market, 20))
        >>> figure = eq.figures.entry_figure(entry.rows(), "entry.png")
    """
    needed = ("market", "family", "game", "user", "newcomer", "incumbent", "worst_before", "worst_after")
    every = read_rows(rows, needed)
    every = every.only(every["incumbent"].astype(bool))
    solved = np.isfinite(every["worst_before"]) & np.isfinite(every["worst_after"])
    shown = require(every.only(solved), "an equilibrium before and after")
    people = people_of(shown)
    markets, newcomers = (len(np.unique(shown[name])) for name in ("market", "newcomer"))
    note = f"{counted(markets, 'market')}, {counted(newcomers, 'newcomer')} to each, one at a time."
    note += left_out(shown, every, "an equilibrium before and after")
    if len(people) <= MAX_LINES:
        return _entry_by_user(shown, people, note, path, users)
    else:
        return _entry_pooled(shown, note, path)


def _entry_by_user(shown: Rows, people: list[tuple], note: str, path: draw.Target, users: Sequence[str]) -> Figure:
    value = np.concatenate([shown["worst_before"], shown["worst_after"]])
    margin = 0.08 * (value.max() - value.min()) or 0.02
    low, high = value.min() - margin, value.max() + margin
    height, names = 0.34 * len(people) + 0.6, draw.beside(names_of(shown, people, users), LONGEST)
    note += " At the right: the share of newcomers after whom she has less."
    with draw.page(path, len(shown.games), note, share="y", panel_width=3.4, height=height, names=names) as (
        figure,
        panels,
    ):
        for game, panel in zip(shown.games, panels):
            panel.set_xlim(low, high)
            mine, colour = shown.only(shown["game"] == game), colour_of(game)
            for row, person in enumerate(people):
                own = mine.only(is_person(mine, person))
                if not len(own["user"]):
                    continue
                before, after = own["worst_before"][0], own["worst_after"]
                least, lower, middle, upper, most = np.quantile(after, [0, 0.25, 0.5, 0.75, 1])
                panel.plot([least, most], [row, row], color=colour, linewidth=1.2, zorder=2, marker="|", markersize=6)
                panel.plot([lower, upper], [row, row], color=colour, linewidth=6, solid_capstyle="butt", zorder=2.5)
                panel.plot(middle, row, color="black", marker="o", markersize=3.2, zorder=4)
                panel.plot(before, row - 0.3, color=draw.GREEN, marker="v", markersize=5, markeredgewidth=0, zorder=5)
                lose = (after < before - draw.TOLERANCE).mean()
                side = {
                    "transform": panel.get_yaxis_transform(),
                    "va": "center",
                    "fontsize": draw.letters(6.5),
                    "color": DARK,
                }
                panel.text(1.01, row, f"{100 * lose:.0f} %", **side)
            panel.set_title(game)
            utility_axis(panel)
            name_rows(panel, names)
            say_if_empty(panel, mine)
        draw.axis_labels(panels, "the incumbent's worst utility in equilibrium", "")
        draw.legend(
            figure,
            [
                Line2D([], [], label="before", color=draw.GREEN, marker="v", markersize=5, linestyle=""),
                Line2D([], [], label="after, median", color="black", marker="o", markersize=3.2, linestyle=""),
                Line2D([], [], label="25 to 75 % of newcomers", color=draw.GREY, linewidth=6),
                Line2D([], [], label="all", color=draw.GREY, linewidth=1.2, marker="|", markersize=6),
            ],
        )
    return figure


def _entry_pooled(shown: Rows, note: str, path: draw.Target) -> Figure:
    x, y = shown["worst_before"], shown["worst_after"]
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    margin = 0.05 * (high - low) or 0.01
    low, high = low - margin, high + margin
    dense = max(int((shown["game"] == game).sum()) for game in shown.games) > MAX_MARKERS
    meshes = []
    with draw.page(path, len(shown.games), note, share=True, panel_width=3.0, height=3.0) as (figure, panels):
        for game, panel in zip(shown.games, panels):
            mine = shown["game"] == game
            panel.set(xlim=(low, high), ylim=(low, high))
            panel.plot([low, high], [low, high], color=draw.GREY, linewidth=1, linestyle="--", zorder=1.5)
            if dense and mine.any():
                meshes.append(draw.density(panel, x[mine], y[mine]))
            else:
                panel.plot(x[mine], y[mine], color=colour_of(game), **POINTS)
            change = y[mine] - x[mine]
            if mine.any():
                shares = [(change < -draw.TOLERANCE).mean(), (change > draw.TOLERANCE).mean()]
                panel.set_title(f"{game}\n{100 * shares[0]:.1f} % lose, {100 * shares[1]:.1f} % gain")
            else:
                panel.set_title(game)
                say_if_empty(panel, shown.only(mine))
            utility_axis(panel)
            panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        draw.axis_labels(panels, "worst utility before", "worst utility after\n(expected utility)")
        draw.legend(figure, [Line2D([], [], label="no change", color=draw.GREY, linewidth=1, linestyle="--")])
        draw.colour_bar(figure, panels, meshes, "incumbents per cell")

    return figure
