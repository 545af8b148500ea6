"""Figures of markets: every user against her bound, more providers, new users. From rows, in both games side by side.

`bound_figure` and `providers_figure` take rows of `user_rows`, of one game or of both; `entry_figure` those of
`Entry.rows`. A few users have a line each; more are pooled. Rows without an equilibrium, or without a number that the
figure needs, are left out and counted in the footnote. The same rows give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, ScalarFormatter

import equilibrax.figures._drawing as draw
from equilibrax.figures.paper import MAX_MARKERS

MAX_LINES = 24
"""More users (of all markets) than this are pooled."""

_COLOURS = {"personalized": draw.BLUE, "anonymous": draw.VERMILLION}
_WORST = {"linestyle": "", "marker": "o", "markersize": 4.5, "markeredgewidth": 0, "zorder": 4}
_BEST = {**_WORST, "markersize": 6, "markerfacecolor": "white", "markeredgewidth": 1.2, "zorder": 3}
_TICK = {"linestyle": "", "marker": "|", "markersize": 8, "markeredgewidth": 1.6, "zorder": 5}
_BOUND = {**_TICK, "color": "black"}
_FURTHER = {"linestyle": "", "marker": "<", "markersize": 4.5, "markeredgewidth": 0, "color": "black"}
_BENCHMARK = {**_TICK, "color": draw.GREEN, "markersize": 12, "zorder": 2}
_POINTS = {"linestyle": "", "marker": "o", "markersize": 2.8, "markeredgewidth": 0, "alpha": 0.45, "zorder": 3}
_DARK = "#444444"
_MEAN = {"linewidth": 1.1, "linestyle": "--", "zorder": 1.8}
_MOST_POINTS = 200  # of a game, and of bounds, most of which are beside each other
_LONGEST = 36  # letters of a name beside a panel
_NEEDED = ("market", "family", "game", "user", "worst_utility", "best_utility", "benchmark", "bound", "committee_size")


@dataclass(frozen=True)
class _Rows:
    """Columns of result rows as arrays, and the games in them, each with its lambda where users are quantal."""

    columns: dict[str, np.ndarray]
    games: list[str]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def only(self, keep: np.ndarray) -> _Rows:
        return _Rows({name: values[keep] for name, values in self.columns.items()}, self.games)


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
    every = _read(rows, _NEEDED)
    every = every.only(every["committee_size"] == every["committee_size"].max())
    solved = np.isfinite(every["worst_utility"]) & np.isfinite(every["benchmark"])
    shown = _require(every.only(solved), "an equilibrium and a benchmark")
    note = _said(shown, every)
    people = _people(every)
    if len(people) <= MAX_LINES:
        return _bounds_by_user(shown, people, _names(every, people, users), note, path)
    else:
        return _bounds_pooled(shown, note, path)


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
    every = _read(rows, (*_NEEDED, "optimum"))
    shown = _require(every.only(np.isfinite(every["worst_utility"])), "an equilibrium")
    people = _people(every)
    few = len(people) <= 8
    note = _said(shown, every, "an equilibrium")
    if few:
        note += " Lines: means over the committees of a size; bars: from the worst committee to the best."
    else:
        note += " Numbers: the share of users and committees with less than the optimum."
    with draw.page(path, len(shown.games), note, share=True, panel_width=3.3) as (figure, panels):
        for game, panel in zip(shown.games, panels):
            mine = shown.only(shown["game"] == game)
            panel.set_title(game)
            (_sizes_by_user if few else _sizes_pooled)(panel, mine, people, _colour(game))
            draw.set_size_axis(panel, int(shown["committee_size"].max()))
            panel.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
            _say_if_empty(panel, mine)
        if not few:
            low = panels[0].get_ylim()[0]
            panels[0].set_ylim(low, -0.18 * low)  # percentages stand above the optimum
        relative = "worst utility in equilibrium" + ("\n(expected utility)" if few else "\n− optimum (utility units)")
        draw.axis_labels(panels, "providers in the committee, k", relative)
        draw.legend(figure, _size_entries(_names(every, people, users) if few else []))
    return figure


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
    every = _read(rows, needed)
    every = every.only(every["incumbent"].astype(bool))
    solved = np.isfinite(every["worst_before"]) & np.isfinite(every["worst_after"])
    shown = _require(every.only(solved), "an equilibrium before and after")
    people = _people(shown)
    markets, newcomers = (len(np.unique(shown[name])) for name in ("market", "newcomer"))
    note = f"{_count(markets, 'market')}, {_count(newcomers, 'newcomer')} to each, one at a time."
    note += _lost(shown, every, "an equilibrium before and after")
    if len(people) <= MAX_LINES:
        return _entry_by_user(shown, people, note, path, users)
    else:
        return _entry_pooled(shown, note, path)


MARKET_NAMES = ("market_name", "user_name")
"""Optional columns of rows with the names that figures show."""

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


# --- bounds -----------------------------------------------------------------------------------------------------------


def _bounds_by_user(shown: _Rows, people: list[tuple], names: list[str], note: str, path: draw.Target) -> Figure:
    value = np.concatenate([shown[name] for name in ("worst_utility", "best_utility", "benchmark")])
    margin = 0.08 * (value.max() - value.min()) or 0.02
    low, high = value.min() - margin, value.max() + margin
    height, names = 0.2 * len(people) + 0.6, draw.beside(names, _LONGEST)
    further = bool((shown["bound"] < low).any())
    with draw.page(path, len(shown.games), note, share="y", panel_width=3.2, height=height, names=names) as (
        figure,
        panels,
    ):
        for game, panel in zip(shown.games, panels):
            panel.set_xlim(low, high)
            colour = _colour(game)
            mine = shown.only(shown["game"] == game)
            for row, person in enumerate(people):
                found = np.flatnonzero(_is(mine, person))
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
            _utility_axis(panel)
            _name_rows(panel, names)
        draw.axis_labels(panels, "the user's expected utility", "")
        entries: list[Artist] = [
            Line2D([], [], label="worst equilibrium", color=_DARK, **_WORST),
            Line2D([], [], label="best equilibrium", markeredgecolor=_DARK, **_BEST),
            Line2D([], [], label="benchmark", **_BENCHMARK),
        ]
        if (shown["bound"] >= low).any():
            entries.append(Line2D([], [], label="bound", **_BOUND))
        if further:
            entries.append(Line2D([], [], label="bound, further left", **_FURTHER))
        draw.legend(figure, entries)
    return figure


def _bounds_pooled(shown: _Rows, note: str, path: draw.Target) -> Figure:
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
                panel.plot(bound[inside], gap[inside], color=_colour(game), **_POINTS)
            panel.plot(bound[mine & broken], gap[mine & broken], **draw.BROKEN)
            panel.set_title(f"{game}\n{_without(mine.sum(), has.sum(), inside.sum())}".strip())
            _utility_axis(panel)
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


# --- number of providers ----------------------------------------------------------------------------------------------


def _sizes_by_user(panel: Axes, mine: _Rows, people: list[tuple], colour: str) -> None:
    for i, person in enumerate(people):
        own = mine.only(_is(mine, person))
        sizes = np.unique(own["committee_size"])
        parts = [own["worst_utility"][own["committee_size"] == k] for k in sizes]
        at = sizes + 0.16 * (i - (len(people) - 1) / 2) / max(1, len(people) - 1) * min(len(people) - 1, 3)
        style = _person_style(i)
        panel.plot(at, [part.mean() for part in parts], linewidth=1.2, zorder=3, **style)
        panel.vlines(at, [p.min() for p in parts], [p.max() for p in parts], color=style["color"], linewidth=0.9)


def _sizes_pooled(panel: Axes, mine: _Rows, people: list[tuple], colour: str) -> None:
    gap = mine["worst_utility"] - mine["optimum"]
    sizes = np.unique(mine["committee_size"])
    panel.axhline(0, **draw.OPTIMUM)
    panel.plot(sizes, [gap[mine["committee_size"] == k].mean() for k in sizes], color=colour, **_MEAN)
    above = {"transform": panel.get_xaxis_transform(), "ha": "center", "va": "top", "color": _DARK}
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


# --- newcomers --------------------------------------------------------------------------------------------------------


def _entry_by_user(shown: _Rows, people: list[tuple], note: str, path: draw.Target, users: Sequence[str]) -> Figure:
    value = np.concatenate([shown["worst_before"], shown["worst_after"]])
    margin = 0.08 * (value.max() - value.min()) or 0.02
    low, high = value.min() - margin, value.max() + margin
    height, names = 0.34 * len(people) + 0.6, draw.beside(_names(shown, people, users), _LONGEST)
    note += " At the right: the share of newcomers after whom she has less."
    with draw.page(path, len(shown.games), note, share="y", panel_width=3.4, height=height, names=names) as (
        figure,
        panels,
    ):
        for game, panel in zip(shown.games, panels):
            panel.set_xlim(low, high)
            mine, colour = shown.only(shown["game"] == game), _colour(game)
            for row, person in enumerate(people):
                own = mine.only(_is(mine, person))
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
                    "color": _DARK,
                }
                panel.text(1.01, row, f"{100 * lose:.0f} %", **side)
            panel.set_title(game)
            _utility_axis(panel)
            _name_rows(panel, names)
            _say_if_empty(panel, mine)
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


def _entry_pooled(shown: _Rows, note: str, path: draw.Target) -> Figure:
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
                panel.plot(x[mine], y[mine], color=_colour(game), **_POINTS)
            change = y[mine] - x[mine]
            if mine.any():
                shares = [(change < -draw.TOLERANCE).mean(), (change > draw.TOLERANCE).mean()]
                panel.set_title(f"{game}\n{100 * shares[0]:.1f} % lose, {100 * shares[1]:.1f} % gain")
            else:
                panel.set_title(game)
                _say_if_empty(panel, shown.only(mine))
            _utility_axis(panel)
            panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        draw.axis_labels(panels, "worst utility before", "worst utility after\n(expected utility)")
        draw.legend(figure, [Line2D([], [], label="no change", color=draw.GREY, linewidth=1, linestyle="--")])
        draw.colour_bar(figure, panels, meshes, "incumbents per cell")

    return figure


# --- rows -------------------------------------------------------------------------------------------------------------


def _read(rows: pa.Table, columns: tuple[str, ...]) -> _Rows:
    absent = [name for name in columns if name not in rows.column_names]
    if absent:
        raise ValueError(f"rows: expected columns {', '.join(absent)}; got {', '.join(rows.column_names)}")
    columns += tuple(name for name in MARKET_NAMES if name in rows.column_names)
    found = {name: rows[name].to_numpy(zero_copy_only=False) for name in columns}
    for name in ("worst_utility", "best_utility", "benchmark", "bound", "worst_before", "worst_after"):
        if name in found:
            found[name] = np.asarray(found[name], np.float64)
    if "rationality" in rows.column_names:
        values = np.asarray(rows["rationality"].to_numpy(zero_copy_only=False), np.float64)
        names = {v: f", λ = {v:g}".replace("inf", "∞") for v in np.unique(values[~np.isnan(values)])}
        if names:
            found["game"] = np.array([g + names.get(v, "") for g, v in zip(found["game"], values)], object)
    return _Rows(found, list(dict.fromkeys(found["game"].tolist())))


def _require(shown: _Rows, what: str) -> _Rows:
    if not len(shown["user"]):
        raise ValueError(f"rows: expected rows with {what}, got none")
    return shown


def _say_if_empty(panel: Axes, mine: _Rows) -> None:
    """A game without rows keeps its panel, which says why it is empty."""
    if not len(mine["user"]):
        panel.text(0.5, 0.5, "no equilibrium", transform=panel.transAxes, ha="center", va="center", color=draw.GREY)


def _said(shown: _Rows, every: _Rows, what: str = "an equilibrium and a benchmark") -> str:
    """The footnote."""
    markets = len({(f, m) for f, m in zip(shown["family"].tolist(), shown["market"].tolist())})
    people = len(_people(shown))
    note = f"{_count(markets, 'market')}, {_count(people, 'user')}."
    sizes = np.unique(shown["committee_size"])
    note += f" All {sizes[0]} providers are in the market." if len(sizes) == 1 and sizes[0] > 1 else ""
    return note + _lost(shown, every, what)


def _lost(shown: _Rows, every: _Rows, what: str) -> str:
    """How many rows of which game are not shown, as they lack something."""
    lost = {game: int((every["game"] == game).sum() - (shown["game"] == game).sum()) for game in every.games}
    each = " and ".join(f"{number:,} of {game}" for game, number in lost.items() if number)
    return f" {_count(sum(lost.values()), 'row')} left out without {what}: {each}." if each else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _person(rows: _Rows) -> np.ndarray:
    """A user of a market, as one object for each row."""
    people = np.empty(len(rows["user"]), object)
    people[:] = list(zip(rows["family"].tolist(), rows["market"].tolist(), rows["user"].tolist()))
    return people


def _is(rows: _Rows, person: tuple) -> np.ndarray:
    family, market, user = person
    return (rows["family"] == family) & (rows["market"] == market) & (rows["user"] == user)


def _people(rows: _Rows) -> list[tuple]:
    return list(dict.fromkeys(_person(rows).tolist()))


def _names(rows: _Rows, people: list[tuple], users: Sequence[str]) -> list[str]:
    """Of users: as given, else as their rows have them; with the names of markets, if there are several."""
    ambiguous = len({person[1] for person in people if person[0] == people[0][0]}) > 1
    markets = [f"{family} {number}" if ambiguous else str(family) for family, number, _ in people]
    known = [f"user {i + 1}" for _, _, i in people]
    for column, names in (("market_name", markets), ("user_name", known)):
        own = dict(zip(_person(rows).tolist(), rows[column].tolist())) if column in rows.columns else {}
        names[:] = [own.get(person) or name for person, name in zip(people, names)]
    known = [str(users[person[2]]) if person[2] < len(users) else name for person, name in zip(people, known)]
    several = len({person[:2] for person in people}) > 1
    return [f"{market}, {user}" if several else user for market, user in zip(markets, known)]


def _colour(game: str) -> str:
    return _COLOURS.get(game.split(",")[0], draw.GREY)


def _utility_axis(panel: Axes) -> None:
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    panel.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def _name_rows(panel: Axes, names: list[str]) -> None:
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    for row in range(len(names)):
        panel.axhline(row, color="#EEEEEE", linewidth=0.6, zorder=0)
