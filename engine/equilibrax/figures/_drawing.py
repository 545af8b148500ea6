"""How the figures look: pages written whole or not at all, panels, markers, densities, legends.

`equilibrax.figures.paper` decides what is drawn. Nothing here uses pyplot, and Matplotlib's settings are changed
only while a page is open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogFormatter,
    MaxNLocator,
    ScalarFormatter,
    StrMethodFormatter,
)

from equilibrax._core.files import whole_file
from equilibrax._core.text import plain
from equilibrax.figures._statistics import TOLERANCE

# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLUE, GREEN, VERMILLION, GREY = "#0072B2", "#009E73", "#D55E00", "#8C8C8C"

OPTIMUM = {"color": GREEN, "linestyle": ":", "linewidth": 1.6, "zorder": 1.5}
BOUND = {"color": VERMILLION, "linestyle": "--", "linewidth": 1.2, "zorder": 1.5}
SUMMARY = {"color": "black", "linewidth": 2, "marker": "o", "markersize": 3.5}
BROKEN = {
    "color": "#E00000",
    "linestyle": "",
    "marker": "x",
    "markersize": 9,
    "markeredgewidth": 2,
    "zorder": 9,
}

_STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.4,
    "savefig.dpi": 200,
    "text.parse_math": False,  # names are text, also those with dollars
}
_PANEL_HEIGHT, _LEAST_WIDTH = 2.3, 4.2  # inches
CELLS = 48
_DENSITY = LinearSegmentedColormap.from_list("density", ["#D6E6F2", "#56B4E9", "#0072B2", "#00263F"])
_SHAPES = ("o", "s", "^", "D", "v", "P", "X", "p", "<", "h", ">", "d", "8", (4, 1, 0), (5, 1, 0), (6, 1, 0))


@contextmanager
def page(
    path: str | os.PathLike[str],
    count: int,
    footnote: str,
    *,
    share: bool | str = False,
    panel_width: float = 2.7,
    height: float = _PANEL_HEIGHT,
    columns: int | None = None,
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure and its `count` panels, written to `path` on leaving: all of it, or nothing if anything fails.

    Args:
        path: the PNG file to write.
        count: number of panels.
        footnote: what the figure shows and leaves out.
        share: give all panels the same ranges; "y" only that of y.
        panel_width, height: of a panel, in inches.
        columns: panels beside each other; by default as their number suggests.

    Raises:
        ValueError: if `path` does not end in .png.
    """
    path = Path(path)
    if path.suffix != ".png":
        raise ValueError(f"path: expected a name that ends in .png; got {path.name}")
    columns = columns or {4: 2, 7: 4, 8: 4}.get(count, min(count, 3 if count <= 9 else 4))
    rows = ceil(count / columns)
    width, height = max(panel_width * columns, _LEAST_WIDTH), height * rows + 0.7
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, sharex=share is True, sharey=bool(share), squeeze=False).ravel()
        for unused in grid[count:]:
            unused.set_visible(False)
        # Of all text at the foot, constrained layout keeps only the figure's own x label clear of the panels.
        note = fill(footnote, int(width * 20))
        figure.supxlabel(note, x=0.01, horizontalalignment="left", fontsize=6.5, color="#444444")
        yield figure, list(grid[:count])
        _show_as_text(figure)
        with whole_file(path) as file:
            figure.savefig(file, format="png", metadata={"Software": None})


def set_ranges(panel: Axes, x: np.ndarray, y: np.ndarray, optimum: float) -> None:
    """Limits and ticks: x from 0, y around all points and the optimum, also where they are all equal."""
    right = float(x.max())
    right = right if right > TOLERANCE else 0.01
    low, high = min(float(y.min()), optimum), max(float(y.max()), optimum)
    if high - low <= TOLERANCE:
        spread = 0.02 * abs(optimum) or 0.02
        low, high = low - spread, high + spread / 4
    margin = 0.08 * (high - low)
    panel.set(xlim=(-0.05 * right, 1.06 * right), ylim=(low - margin, high + margin))
    for axis, intervals in ((panel.xaxis, 4), (panel.yaxis, 5)):
        axis.set_major_locator(MaxNLocator(intervals, steps=[1, 2, 2.5, 5, 10]))
    panel.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    # From 0 a few digits always do; a common power of ten at the end of the axis would cover its label.
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def set_size_axis(panel: Axes, largest: int) -> None:
    """An x axis of committee sizes from 1 to `largest`."""
    panel.set_xlim(0.6, largest + 0.4)
    panel.xaxis.set_major_locator(FixedLocator(range(1, largest + 1, ceil(largest / 9))))
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def limit_lines(panel: Axes, optimum: float, *, bound: bool) -> None:
    """The user's optimum and, with `bound`, optimum - 2 misalignment over the x axis's range."""
    panel.axhline(optimum, **OPTIMUM)
    if bound:
        right, limits = panel.get_xlim()[1], panel.get_ylim()
        panel.plot([0, right], [optimum, optimum - 2 * right], **BOUND)
        panel.set_ylim(limits)


def limit_entries(*, bound: bool) -> list[Artist]:
    """Legend entries of `limit_lines`."""
    lines = [("optimum", OPTIMUM), ("optimum − 2ε", BOUND)][: 1 + bound]
    return [Line2D([], [], label=label, **style) for label, style in lines]


def broken_entry(number: int) -> list[Artist]:
    """Legend entry of the crosses on rows below the bound, if there are any."""
    return [Line2D([], [], label=f"below bound ({number:,})", **BROKEN)] if number else []


def marker(size: int, largest: int, *, outlined: bool = False) -> dict[str, Any]:
    """The marker of a committee size: the larger, the darker and smaller, and each of its own shape.

    Larger committees are drawn later too, so points that coincide nest instead of hiding each other.
    """
    step = (size - 1) / max(largest - 1, 1)
    colour = to_hex(mpl.colormaps["viridis"](0.85 * (1 - step)))
    return {
        "linestyle": "",
        "marker": _SHAPES[(size - 1) % len(_SHAPES)],
        "markersize": 8.5 - 3.5 * step,
        "markerfacecolor": "none" if outlined else colour,
        "markeredgecolor": colour if outlined else "white",
        "markeredgewidth": 0.9 if outlined else 0.6,
        "zorder": 3 + 0.01 * size,
        "clip_on": False,
        "in_layout": False,
    }


def size_entries(sizes: Sequence[int]) -> list[Artist]:
    """Legend entries of the committee sizes."""
    return [Line2D([], [], label=f"k = {size}", **marker(size, sizes[-1])) for size in sizes]


def density(panel: Axes, x: np.ndarray, y: np.ndarray) -> QuadMesh:
    """The number of points in every cell of the panel; cells without any stay blank."""
    return density_of(panel, counted(panel, x, y))


def counted(panel: Axes, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The numbers of points, which may be added up."""
    return np.histogram2d(x, y, bins=CELLS, range=(panel.get_xlim(), panel.get_ylim()))[0]


def density_of(panel: Axes, counts: np.ndarray) -> QuadMesh:
    """As `density`, of points that were counted."""
    x_edges, y_edges = (np.linspace(*limits, CELLS + 1) for limits in (panel.get_xlim(), panel.get_ylim()))
    counts = np.ma.masked_equal(counts.T, 0)
    return panel.pcolormesh(x_edges, y_edges, counts, vmax=float(counts.max()), cmap=_DENSITY, linewidth=0, zorder=1)


def colour_bar(figure: Figure, panels: list[Axes], meshes: list[QuadMesh], label: str) -> None:
    """One logarithmic scale for all the densities of a figure; nothing if there are none."""
    if meshes:
        norm = LogNorm(1, max(2.0, *(float(mesh.get_clim()[1] or 0) for mesh in meshes)))
        for mesh in meshes:
            mesh.set_norm(norm)
        bar = figure.colorbar(meshes[0], ax=panels, label=label, aspect=30, format=_Counts())
        bar.ax.yaxis.set_minor_formatter(_Counts())


def axis_labels(panels: list[Axes], x: str, y: str) -> None:
    """Label the x axis of the lowest panel of every column and the y axis of the first panel of every row."""
    for number, panel in enumerate(panels):
        place = panel.get_subplotspec()
        if place is None or number + place.get_gridspec().ncols >= len(panels):
            panel.set_xlabel(x)
            panel.xaxis.set_tick_params(labelbottom=True)
        if place is None or place.is_first_col():
            panel.set_ylabel(y)


def legend(figure: Figure, entries: Sequence[Artist]) -> None:
    """A legend over the panels, in as many columns as fit."""
    if entries:
        widest = max(len(str(entry.get_label())) for entry in entries)
        columns = max(1, int(figure.get_figwidth() / (0.065 * widest + 0.5)))
        rows = ceil(len(entries) / columns)
        named_legend(figure, entries, loc="outside upper center", ncols=ceil(len(entries) / rows))


def named_legend(of: Figure | Axes, entries: Sequence[Artist], **options: Any) -> None:
    """A legend of all entries, whatever their labels are: Matplotlib hides those that begin with an underscore."""
    made = of.legend(entries, ["entry"] * len(entries), **options)
    for text, entry in zip(made.get_texts(), entries):
        text.set_text(str(entry.get_label()))


def _show_as_text(figure: Figure) -> None:
    """Control characters of names, as escapes; the ends of lines are ours."""
    for text in figure.findobj(Text):
        text.set_text("\n".join(map(plain, text.get_text().split("\n"))))  # pyright: ignore[reportAttributeAccessIssue]
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            if isinstance(names := axis.get_major_formatter(), FuncFormatter):  # as which Matplotlib keeps names
                axis.set_major_formatter(FuncFormatter(lambda x, at, names=names: plain(names(x, at))))


class _Counts(LogFormatter):
    """Whole numbers where a logarithmic axis has room for them."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:,g}" if super().__call__(x, pos) else ""
