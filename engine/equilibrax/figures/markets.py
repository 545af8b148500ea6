"""Figures of markets: every user against her bound, from rows, in both games side by side; and all figures of markets.

`bound_figure` takes rows of `user_rows`, of one game or of both. A few users have a line each; more are pooled. Rows
without an equilibrium, or without a number that the figure needs, are left out and counted in the footnote. The same
rows give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

import equilibrax.figures._drawing as draw
from equilibrax.figures._market_parts import (
    DARK,
    LONGEST,
    MARKET_NAMES as MARKET_NAMES,
    MAX_LINES,
    NEEDED,
    POINTS,
    Rows,
    colour_of,
    footnote,
    is_person,
    name_rows,
    names_of,
    people_of,
    read_rows,
    require,
    utility_axis,
)
from equilibrax.figures.market_providers import providers_figure

_WORST = {"linestyle": "", "marker": "o", "markersize": 4.5, "markeredgewidth": 0, "zorder": 4}
_BEST = {**_WORST, "markersize": 6, "markerfacecolor": "white", "markeredgewidth": 1.2, "zorder": 3}
_TICK = {"linestyle": "", "marker": "|", "markersize": 8, "markeredgewidth": 1.6, "zorder": 5}
_BOUND = {**_TICK, "color": "black"}
_FURTHER = {"linestyle": "", "marker": "<", "markersize": 4.5, "markeredgewidth": 0, "color": "black"}
_BENCHMARK = {**_TICK, "color": draw.GREEN, "markersize": 12, "zorder": 2}
_MOST_POINTS = 200  # of a game, and of bounds, most of which are beside each other


def bound_figure(rows: pa.Table, path: draw.Target = None, *, users: Sequence[str] = ()) -> Figure:
    """Every user's worst utility against her bound, a panel for each game.

    Of the largest committee in the rows. Up to 24 users have a line each, from the worst to the best equilibrium. More
    are points (or a density) of worst utility - benchmark over bound - benchmark: no point lies below the diagonal.

    Args:
        rows: from `user_rows` with promises; of one game, or of several put together.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.
        users: names of the users by their number, where each has a line; default: as `user_name` in the rows.

    Raises:
        ValueError: if a column is absent, no row can be shown, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> import pyarrow as pa
        >>> rows = pa.concat_tables([one.rows() for one in eq.studies.solve_games(eq.problems.theorem_4_1_market())])
        >>> figure = eq.figures.bound_figure(rows, "bound.png")
    """
    every = read_rows(rows, NEEDED)
    every = every.only(every["committee_size"] == every["committee_size"].max())
    solved = np.isfinite(every["worst_utility"]) & np.isfinite(every["benchmark"])
    shown = require(every.only(solved), "an equilibrium and a benchmark")
    note = footnote(shown, every)
    people = people_of(every)
    if len(people) <= MAX_LINES:
        return _bounds_by_user(shown, people, names_of(every, people, users), note, path)
    else:
        return _bounds_pooled(shown, note, path)


MARKET_FIGURES = ("bound.png", "providers.png")
"""What `plot_markets` may write."""


def plot_markets(rows: pa.Table, folder: str | os.PathLike[str], *, users: Sequence[str] = ()) -> list[Path]:
    """Draw `bound.png` and `providers.png` into a folder, those that the rows hold enough for.

    Args:
        rows: from `user_rows`.
        folder: an existing folder.
        users: names of the users by their number; default: as `user_name` in the rows.

    Returns:
        The files that were written.

    Raises:
        ValueError: if a column is absent, or no row has an equilibrium.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.user_rows(eq.solve(eq.problems.theorem_4_1_market(), "anonymous"))
        >>> [path.name for path in eq.figures.plot_markets(rows, ".")]
        ['providers.png']
    """
    written = [Path(folder, "providers.png")]
    providers_figure(rows, written[0], users=users)
    if rows["benchmark"].null_count < rows.num_rows:
        written.insert(0, Path(folder, "bound.png"))
        bound_figure(rows, written[0], users=users)
    return [file for path in written for file in draw.files_of(path)]


def _bounds_by_user(shown: Rows, people: list[tuple], names: list[str], note: str, path: draw.Target) -> Figure:
    value = np.concatenate([shown[name] for name in ("worst_utility", "best_utility", "benchmark")])
    margin = 0.08 * (value.max() - value.min()) or 0.02
    low, high = value.min() - margin, value.max() + margin
    height, names = 0.2 * len(people) + 0.6, draw.beside(names, LONGEST)
    further = bool((shown["bound"] < low).any())
    with draw.page(path, len(shown.games), note, share="y", panel_width=3.2, height=height, names=names) as (
        figure,
        panels,
    ):
        for game, panel in zip(shown.games, panels):
            panel.set_xlim(low, high)
            colour = colour_of(game)
            mine = shown.only(shown["game"] == game)
            for row, person in enumerate(people):
                found = np.flatnonzero(is_person(mine, person))
                if not len(found):
                    place = {"transform": panel.get_yaxis_transform(), "va": "center", "color": draw.GREY}
                    panel.text(0.02, row, "no equilibrium", fontsize=draw.letters(6.5), **place)
                for at in found:
                    worst, best, bound = (mine[name][at] for name in ("worst_utility", "best_utility", "bound"))
                    panel.plot([worst, best], [row, row], color=colour, linewidth=1.6, zorder=2.5)
                    panel.plot(mine["benchmark"][at], row, **_BENCHMARK)
                    face = colour if best - worst <= draw.TOLERANCE else "white"
                    panel.plot(best, row, **{**_BEST, "markeredgecolor": colour, "markerfacecolor": face})
                    panel.plot(worst, row, color=colour, **_WORST)
                    if np.isfinite(bound):
                        inside = (low + 0.3 * margin, _FURTHER) if bound < low else (bound, _BOUND)
                        panel.plot(inside[0], row, **inside[1])
            panel.set_title(game)
            utility_axis(panel)
            name_rows(panel, names)
        draw.axis_labels(panels, "the user's expected utility", "")
        entries: list[Artist] = [
            Line2D([], [], label="worst equilibrium", color=DARK, **_WORST),
            Line2D([], [], label="best equilibrium", markeredgecolor=DARK, **_BEST),
            Line2D([], [], label="benchmark", **_BENCHMARK),
        ]
        if (shown["bound"] >= low).any():
            entries.append(Line2D([], [], label="bound", **_BOUND))
        if further:
            entries.append(Line2D([], [], label="bound, further left", **_FURTHER))
        draw.legend(figure, entries)
    return figure


def _bounds_pooled(shown: Rows, note: str, path: draw.Target) -> Figure:
    gap = shown["worst_utility"] - shown["benchmark"]
    bound = shown["bound"] - shown["benchmark"]
    with np.errstate(invalid="ignore"):
        broken = gap < bound - draw.TOLERANCE
    dense = max(int((shown["game"] == game).sum()) for game in shown.games) > _MOST_POINTS
    bottom = float(gap.min()) if gap.min() < -draw.TOLERANCE else -0.01
    meshes = []
    note += " Each panel ends at the lowest twentieth of its bounds."
    with draw.page(path, len(shown.games), note, share="y", panel_width=3.2, height=2.8) as (figure, panels):
        for game, panel in zip(shown.games, panels):
            mine = shown["game"] == game
            has = mine & np.isfinite(bound)
            # Game by game: bounds of public rules are many times further down, and would all lie in a corner.
            left = min(float(np.quantile(bound[has], 0.05)) if has.any() else 0.0, bottom)
            right = max(0.0, float(bound[has].max(initial=0.0)))
            panel.set(xlim=(1.06 * left, right - 0.04 * left), ylim=(1.08 * bottom, max(gap.max(), 0) - 0.06 * bottom))
            inside = has & (bound >= left)
            panel.plot([1.06 * left, right], [1.06 * left, right], scalex=False, scaley=False, **draw.BOUND)
            panel.axhline(0, **draw.OPTIMUM)
            if dense and inside.any():
                meshes.append(draw.density(panel, bound[inside], gap[inside]))
            else:
                panel.plot(bound[inside], gap[inside], color=colour_of(game), **POINTS)
            panel.plot(bound[mine & broken], gap[mine & broken], **draw.BROKEN)
            panel.set_title(f"{game}\n{_without(mine.sum(), has.sum(), inside.sum())}".strip())
            utility_axis(panel)
            panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        draw.axis_labels(panels, "bound − benchmark", "worst equilibrium − benchmark\n(utility units)")
        entries = [
            Line2D([], [], label="bound", **draw.BOUND),
            Line2D([], [], label="benchmark", **draw.OPTIMUM),
        ]
        draw.legend(figure, entries + draw.broken_entry(int(broken.sum())))
        draw.colour_bar(figure, panels, meshes, "users per cell")
    return figure


def _without(users: int, bounds: int, inside: int) -> str:
    """Who is not in a panel of bounds."""
    if not users:
        return "no equilibrium"
    away = {"without bound": users - bounds, "further left": bounds - inside}
    return ", ".join(f"{100 * number / users:.2g} % {what}" for what, number in away.items() if number)
