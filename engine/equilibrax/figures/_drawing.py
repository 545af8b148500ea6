"""How the figures look: pages written whole or not at all, panels, markers, densities, legends.

`equilibrax.figures.paper` decides what is drawn. Nothing here uses pyplot, and Matplotlib's settings are changed
only while a page is open.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_hex
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    LogFormatter,
    MaxNLocator,
    ScalarFormatter,
    StrMethodFormatter,
)
from matplotlib.transforms import ScaledTranslation

from equilibrax._core.checks import check_choice
from equilibrax._core.files import whole_file
from equilibrax.figures._letters import (
    LETTER,
    OPTIONAL as OPTIONAL,
    Look,
    add_note as add_note,
    beside as beside,
    fitting as fitting,
    letters as letters,
    look,
    settle,
    short as short,
    show_as_text,
    width_of,
)
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
    "pdf.fonttype": 42,  # letters stay letters
    "svg.fonttype": "none",
    "svg.hashsalt": "equilibrax",  # the same figure, the same bytes
}
_SCALED = ("font.size", "axes.titlesize", "axes.linewidth", "xtick.major.width", "ytick.major.width", "legend.fontsize")
_SCALES = {"paper": 1.0, "talk": 1.5}
_settings = threading.RLock()
"""Matplotlib has one set of settings for all threads: who changes them restores them before another changes them."""
FORMATS = ("png", "svg", "pdf")
_MADE_BY: dict[str, dict[str, Any]] = {
    "png": {"Software": "equilibrax"},
    "svg": {"Date": None, "Creator": "equilibrax"},
    "pdf": {"CreationDate": None, "Creator": "equilibrax", "Producer": None},
}
Target = str | os.PathLike[str] | FigureBase | None
"""Where a figure goes: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into; None is a new Figure."""
_PANEL_HEIGHT, _LEAST_WIDTH = 2.3, 4.2  # inches
_CELLS = 48
_DENSITY = LinearSegmentedColormap.from_list("density", ["#D6E6F2", "#56B4E9", "#0072B2", "#00263F"])
_NEAR = np.array([0.065, 0.055])  # parts of a panel within which markers, and the numbers above them, hide each other
_SHAPES = ("o", "s", "^", "D", "v", "p", "P", "X", "<", "h", ">", "d", "8", (4, 1, 0), (5, 1, 0), (6, 1, 0))


@contextmanager
def printed(
    formats: str | Sequence[str] = (), *, width: float | None = None, style: Literal["paper", "talk"] = "paper"
) -> Iterator[None]:
    """Within it, figures are written in these formats, as wide as said, with letters for a page or for a screen.

    Args:
        formats: of "png", "svg" and "pdf", beside each other whatever the name of a file ends in; none: as it ends.
            PDF has its fonts within, SVG has text as text; both leave drawing to the reader's machine.
        width: in millimetres; None: as the number of panels suggests. Letters keep their size.
        style: "paper" has letters of 8 points, "talk" half as large again, and wider lines.

    Raises:
        ValueError: if a format or style is none of these, or the width is not from 40 to 1000 millimetres.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-2")))
        >>> with eq.figures.printed("pdf", width=85):
        ...     [path.name for path in eq.figures.plot_all(rows, ".")]
        ['figure5.pdf', 'figure6.pdf', 'figure7.pdf']
    """
    chosen = (formats,) if isinstance(formats, str) else tuple(formats)
    for one in chosen:
        check_choice("formats", one, FORMATS)
    check_choice("style", style, tuple(_SCALES))
    if width is not None and not 40 <= width <= 1000:
        raise ValueError(f"width: expected 40 to 1000 millimetres, got {width}")
    token = look.set(Look(chosen, None if width is None else width / 25.4, _SCALES[style]))
    try:
        yield
    finally:
        look.reset(token)


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """The files as which a figure of this name is written.

    Raises:
        ValueError: if the name ends in none of the formats.
    """
    path = Path(path)
    if path.suffix[1:] not in FORMATS:
        raise ValueError(f"path: expected a name that ends in .png, .svg or .pdf; got {path.name}")
    return [path.with_suffix(f".{one}") for one in look.get().formats or (path.suffix[1:],)]


@contextmanager
def page(
    to: Target,
    count: int,
    footnote: str,
    *,
    share: bool | str = False,
    panel_width: float = 2.7,
    height: float = _PANEL_HEIGHT,
    columns: int | None = None,
    names: Sequence[str] = (),
) -> Iterator[tuple[Any, list[Axes]]]:
    """A figure and its `count` panels, written on leaving if a file is named: all of it, or nothing if anything fails.

    Args:
        to: a file to write, a Figure or SubFigure to draw into, or None for a new Figure.
        count: number of panels.
        footnote: what the figure shows and leaves out.
        share: give all panels the same ranges; "y" only that of y.
        panel_width, height: of a panel, in inches.
        columns: panels beside each other; by default as their number suggests, and as many as a width has room for.
        names: at the left of the panels, for which the page is wider.

    Raises:
        ValueError: if the name ends in none of the formats.
    """
    asked = look.get()
    files = files_of(to) if isinstance(to, str | os.PathLike) else []
    left = max(map(len, names), default=0) * LETTER * letters(_STYLE["font.size"])
    columns = columns or fitting({4: 2, 7: 4, 8: 4}.get(count, min(count, 3 if count <= 9 else 4)), left)
    rows = ceil(count / columns)
    grown = asked.scale**0.5  # letters grow more than the figure
    width = asked.width or max(panel_width * columns, _LEAST_WIDTH) * grown + max(0.0, left - 0.8)
    scaled = {name: value * asked.scale for name, value in _STYLE.items() if name in _SCALED}
    with _settings, matplotlib.style.context(["default", _STYLE, scaled]):
        if isinstance(to, FigureBase):
            figure: Any = to
            if isinstance(to, Figure) and to.get_layout_engine() is None:
                to.set_layout_engine("constrained")
        else:
            figure = Figure(figsize=(width, (height * rows + 0.7) * grown), layout="constrained")
            FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, sharex=share is True, sharey=bool(share), squeeze=False).ravel()
        for unused in grid[count:]:
            unused.set_visible(False)
        add_note(figure, footnote)
        yield figure, list(grid[:count])
        show_as_text(figure)
        settle(figure, list(grid[:count]), columns, resize=figure is not to)
        for path in files:
            with whole_file(path) as file:
                figure.savefig(file, format=path.suffix[1:], metadata=_MADE_BY[path.suffix[1:]])


def set_ranges(panel: Axes, x: np.ndarray, y: np.ndarray, optimum: float) -> None:
    """Limits and ticks: x from 0, y around all points and the optimum, also where they are all equal."""
    right = float(x.max())
    right = right if right > TOLERANCE else 0.01
    low, high = min(float(y.min()), optimum), max(float(y.max()), optimum)
    if high - low <= TOLERANCE:
        spread = 0.02 * abs(optimum) or 0.02
        low, high = low - spread, high + spread / 4
    margin = 0.08 * (high - low)
    top = (0.03 + 0.07 * look.get().scale) * (high - low)  # numbers above markers have letters
    panel.set(xlim=(-0.05 * right, 1.06 * right), ylim=(low - margin, high + top))
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
        "markersize": 9.0 - 4.0 * step,
        "markerfacecolor": "none" if outlined else colour,
        "markeredgecolor": colour if outlined else "white",
        "markeredgewidth": 0.9 if outlined else 0.6,
        "zorder": 3 + 0.01 * size,
        "clip_on": False,
        "in_layout": False,
    }


def counts(panel: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """How many committees are at one place, written above it where it is more than one."""
    (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
    places = np.array([(x - left) / (right - left), (y - low) / (high - low)]).T / (_NEAR * look.get().scale)
    counted = np.zeros(len(places), bool)
    for one in np.lexsort((places[:, 0], -places[:, 1])):
        if not counted[one]:
            here = ~counted & (np.abs(places - places[one]).max(axis=1) < 1)
            counted |= here
            if here.sum() > 1:
                middle = float(x[here].mean()), float(y[here].max())
                style = {"ha": "center", "va": "bottom", "fontsize": letters(5.5), "color": "#333333", "zorder": 5}
                style["bbox"] = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.2}
                panel.annotate(str(here.sum()), middle, xytext=(0, letters(5)), textcoords="offset points", **style)


def size_entries(sizes: Sequence[int]) -> list[Artist]:
    """Legend entries of the committee sizes."""
    return [Line2D([], [], label=f"k = {size}", **marker(size, sizes[-1])) for size in sizes]


def density(panel: Axes, x: np.ndarray, y: np.ndarray) -> QuadMesh:
    """The number of points in every cell of the panel; cells without any stay blank."""
    return density_of(panel, counted(panel, x, y))


def counted(panel: Axes, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The numbers of points, which may be added up."""
    return np.histogram2d(x, y, bins=_CELLS, range=(panel.get_xlim(), panel.get_ylim()))[0]


def density_of(panel: Axes, counts: np.ndarray) -> QuadMesh:
    """As `density`, of points that were counted."""
    x_edges, y_edges = (np.linspace(*limits, _CELLS + 1) for limits in (panel.get_xlim(), panel.get_ylim()))
    counts = np.ma.masked_equal(counts.T, 0)
    return panel.pcolormesh(x_edges, y_edges, counts, vmax=float(counts.max()), cmap=_DENSITY, linewidth=0, zorder=1)


def colour_bar(figure: FigureBase, panels: list[Axes], meshes: list[QuadMesh], label: str) -> None:
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


def legend(figure: FigureBase, entries: Sequence[Artist]) -> None:
    """A legend over the panels, in as many columns as fit."""
    if entries:
        size = letters(_STYLE["legend.fontsize"])
        rows = ceil(len(entries) / _columns(width_of(figure), entries, size))
        place = {"loc": "outside upper center", "ncols": ceil(len(entries) / rows)}
        named_legend(figure, entries, width_of(figure), fontsize=size, **place)


def legend_below(panel: Axes, entries: Sequence[Artist], width: float) -> None:
    """A legend of one panel alone, under it: `width` inches, small letters, in as many columns as fit."""
    size = letters(6.5)
    width *= look.get().scale ** 0.5
    if (page_width := look.get().width) is not None:  # what is wider than a page leaves its panel no room
        width = min(width, 0.62 * page_width)
    rows = ceil(len(entries) / _columns(width, entries, size))
    down = ScaledTranslation(0, -letters(28) / 72, panel.figure.dpi_scale_trans)  # pyright: ignore
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "bbox_transform": panel.transAxes + down}
    small = {"fontsize": size, "handlelength": 1.6, "labelspacing": 0.25, "columnspacing": 1}
    named_legend(panel, entries, width, ncols=ceil(len(entries) / rows), **place, **small)


def _columns(width: float, entries: Sequence[Artist], size: float) -> int:
    widest = max(len(str(entry.get_label())) for entry in entries)
    return max(1, int(width / ((LETTER * widest + 0.06) * size)))


def named_legend(of: FigureBase | Axes, entries: Sequence[Artist], width: float | None = None, **options: Any) -> None:
    """A legend of all entries, whatever their labels are: Matplotlib hides those that begin with an underscore.

    Names are cut where they are wider than `width` inches, in letters of `fontsize`.
    """
    made = of.legend(entries, ["entry"] * len(entries), **options)
    names = [str(entry.get_label()) for entry in entries]
    if width is not None:
        names = short(names, int(width / (LETTER * options["fontsize"]) - 6))
    for text, name in zip(made.get_texts(), names):
        text.set_text(name)


class _Counts(LogFormatter):
    """Whole numbers where a logarithmic axis has room for them."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:,g}" if super().__call__(x, pos) else ""
