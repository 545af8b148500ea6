"""The figure of markets of information: the buyer's utility against depth, with the share of buyers who are harmed.

From rows of `depth_rows`. Rows of problems in which sellers' choices do not settle are left out at all depths, so every
point of a line is about the same problems; the footnote counts them. The same rows give the same bytes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

import equilibrax.figures._drawing as draw

DEPTH_FIGURES = ("depth.png",)
"""Names of the files that `plot_depths` writes."""

MAX_PANELS = 12
"""More kinds of markets than this are not shown."""

_NEEDED = ("problem", "family", "mechanism", "buyer", "rounds", "depth", "first_best", "utility", "harmed")
_BARS = {"color": draw.VERMILLION, "alpha": 0.45, "width": 0.6}


def depth_figure(rows: pa.Table, path: draw.Target = None) -> Figure:
    """The buyer's mean utility against the depth of the market, and the share of buyers whom it harms.

    A panel for each family of problems, mechanism and kind of buyer in the rows.

    Args:
        rows: from `depth_rows`, of one sweep or of several put together.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if a column is absent, no row can be shown, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.random_problems("uniform", 500), eq.InformationMarket())
        >>> figure = eq.figures.depth_figure(eq.rows.depth_rows(result), "depth.png")
    """
    for name in _NEEDED:
        if name not in rows.column_names:
            raise ValueError(f"rows: expected a column {name!r}, got only {', '.join(rows.column_names)}")
    columns = {name: np.array(rows[name].to_pylist()) for name in _NEEDED if name not in ("utility", "first_best")}
    numbers = {name: rows[name].to_numpy(zero_copy_only=False) for name in ("utility", "first_best")}
    kinds = [_kind(*one) for one in zip(*(columns[name] for name in ("family", "mechanism", "buyer", "rounds")))]
    titles = list(dict.fromkeys(kinds))
    if not titles or len(titles) > MAX_PANELS:
        raise ValueError(f"rows: expected 1 to {MAX_PANELS} kinds of markets, got {len(titles)}")
    of_kind = np.array([titles.index(kind) for kind in kinds])
    missing = np.isnan(numbers["utility"])
    unsettled = {(kind, one) for kind, one in zip(of_kind[missing].tolist(), columns["problem"][missing].tolist())}
    parts = (columns["problem"], columns["depth"], *numbers.values(), columns["harmed"])
    lines = [_lines(title, *(part[of_kind == number] for part in parts)) for number, title in enumerate(titles)]
    most = max(0.04, 3 * max(float(one.harmed.max()) for one in lines))
    with draw.page(path, len(titles), _said(len(unsettled)), panel_width=3.0) as (figure, panels):
        for panel, title, one in zip(panels, titles, lines):
            _panel(panel, title, one, most)
        draw.axis_labels(panels, "depth of the market", "utility")
        draw.legend(
            figure,
            [
                Line2D([], [], label="buyer's utility, mean", **draw.SUMMARY),
                Line2D([], [], label="first best", **draw.OPTIMUM),
                Patch(label="buyers harmed (right)", color=draw.VERMILLION, alpha=0.45, linewidth=0),
            ],
        )
    return figure


def plot_depths(rows: pa.Table, folder: str | os.PathLike[str]) -> list[Path]:
    """`depth.png` for any rows of markets of information.

    Args:
        rows: from `depth_rows`.
        folder: where to write it.

    Returns:
        The files that were written.

    Raises:
        ValueError: as `depth_figure`.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.random_problems("nested", 500), eq.InformationMarket(depth=2))
        >>> [path.name for path in eq.figures.plot_depths(eq.rows.depth_rows(result), ".")]
        ['depth.png']
    """
    path = Path(folder, DEPTH_FIGURES[0])
    depth_figure(rows, path)
    return draw.files_of(path)


class _Lines(NamedTuple):
    depths: np.ndarray
    utility: np.ndarray
    harmed: np.ndarray
    first_best: float


def _lines(title: str, problem, depth, utility, first_best, harmed) -> _Lines:
    """Means of one kind of market by depth, over the problems that settle."""
    keep = ~np.isin(problem, problem[np.isnan(utility)])
    if not keep.any():
        raise ValueError(f"rows: expected problems that settle among {title}, got none")
    depths = np.unique(depth[keep])
    means, shares = (np.array([values[keep & (depth == d)].mean() for d in depths]) for values in (utility, harmed))
    return _Lines(depths, means, shares, float(first_best[keep].mean()))


def _kind(family: str, mechanism: str, buyer: str, rounds: str) -> str:
    if mechanism == "naive":
        return f"{family}, naive"
    return f"{family}, {buyer.replace('_', ' ')}" + (", fixed point" if rounds != "1" else "")


def _panel(panel, title: str, lines: _Lines, most: float) -> None:
    """Draw one kind of market; `most` is the end of the axis of shares."""
    depths, means, best = lines.depths, lines.utility, lines.first_best
    panel.plot(depths, means, **draw.SUMMARY, zorder=4)
    panel.axhline(best, **draw.OPTIMUM)
    low, high = means.min(), max(best, means.max())
    room = (high - low) or abs(high) or 1.0
    panel.set(title=title, xlim=(depths[0] - 0.5, depths[-1] + 0.5), ylim=(low - 0.35 * room, high + 0.08 * room))
    panel.xaxis.set_major_locator(FixedLocator(depths[:: max(1, len(depths) // 9)].tolist()))
    right = panel.twinx()
    right.bar(depths, lines.harmed, zorder=1, **_BARS)
    right.set_ylim(0, most)
    right.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=int(most <= 0.04), symbol=" %"))
    right.spines["right"].set_visible(True)
    panel.set_zorder(right.get_zorder() + 1)
    panel.patch.set_visible(False)


def _said(lost: int) -> str:
    note = "Means over problems; payments apart. Harmed: decides worse than with no information."
    return note + (f" Left out: {lost:,} problems in which sellers' choices do not settle." if lost else "")
