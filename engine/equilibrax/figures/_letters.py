"""Letters of figures: how large they are, how many fit, and pages that make room for them.

`equilibrax.figures._drawing` has what is drawn; what is asked of all figures (`Look`) is kept here, since letters, and
what has to fit between them, follow from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import combinations, pairwise
from textwrap import fill, wrap
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter

from equilibrax._core.text import plain

LETTER = 0.0078
"""Inches that a letter is wide for each point of its size, about."""

_LEAST_COLUMN = 1.7  # inches of a panel with its labels, where a width is asked for
_MOST_LINES = 3  # of a title


@dataclass(frozen=True)
class Look:
    """What is asked of all figures: other formats than their names say, a width, and how large letters are."""

    formats: tuple[str, ...] = ()
    width: float | None = None  # inches
    scale: float = 1.0


_PLAIN = Look()
look: ContextVar[Look] = ContextVar("look", default=_PLAIN)


def letters(points: float) -> float:
    """A size of letters, larger where figures are for a screen."""
    return points * look.get().scale


def fitting(columns: int, left: float = 0.0) -> int:
    """So many columns of panels, or as many of them as the width that is asked for has room for."""
    asked = look.get()
    if asked.width is None:
        return columns
    return max(1, min(columns, int((asked.width - left) / (_LEAST_COLUMN * asked.scale**0.5))))


def beside(names: Sequence[str], longest: int) -> list[str]:
    """Names at the left of panels: of so many letters, or of as many as two fifths of the width have room for."""
    width = look.get().width
    return short(names, longest if width is None else min(longest, int(0.4 * width / (LETTER * letters(8)))))


def short(names: Sequence[str], longest: int) -> list[str]:
    """Names of so many letters; where two would then be the same, what stands at their ends is kept too."""
    longest = max(longest, 8)
    cut = [name if len(name) <= longest else name[: longest - 1] + "…" for name in names]
    if len(set(cut)) == len(set(names)):
        return cut
    half = longest // 2
    cut = [name if len(name) <= longest else f"{name[: half - 1]}…{name[-half:]}" for name in names]
    return cut if len(set(cut)) == len(set(names)) else list(names)


def add_note(figure: Any, text: str) -> None:
    """Add to what the foot says."""
    before = figure.get_supxlabel().replace("\n", " ")
    note = fill(f"{before} {text}".strip(), max(20, int(width_of(figure) * 18.5 / look.get().scale)))
    # Of all text at the foot, constrained layout keeps only the figure's own x label clear of the panels.
    style = {"horizontalalignment": "left", "fontsize": letters(6.5), "color": "#444444"}
    figure.supxlabel(note, x=0.01, **style)


def settle(figure: Any, panels: list[Axes], columns: int, *, resize: bool) -> None:
    """Break titles and labels that are wider than their panels, and make room for what takes more lines than one."""
    for panel in figure.axes:  # also what is drawn of it later is in letters of this size
        for axis in (panel.xaxis, panel.yaxis):
            for which in ("major", "minor"):
                if "labelsize" not in axis.get_tick_params(which):
                    axis.set_tick_params(which, labelsize=mpl.rcParams["font.size"])
    _thicken(figure, look.get().scale)
    if resize:  # before anything is laid out, which takes room for granted
        foot = [text for text in figure.findobj(Text) if text.get_text() and text.get_text() == figure.get_supxlabel()]
        taken = sum(map(_height, (*figure.legends, *foot))) - 0.4 * look.get().scale
        below = _by_row([_height(panel.get_legend()) for panel in panels], columns)
        figure.set_figheight(figure.get_figheight() + max(0.0, taken) + below)
    wide = [text for panel in panels for text in (panel.title, panel.xaxis.label) if text.get_text()]
    narrow = look.get().width is not None
    if narrow or any(text.get_window_extent().width > 0.7 * figure.bbox.width / columns for text in wide):
        figure.draw_without_rendering()
        more = [letters(9) / 60 * _broken(panel) for panel in panels]
        if resize:
            figure.set_figheight(figure.get_figheight() + _by_row(more, columns))
    if narrow:
        figure.draw_without_rendering()
        for panel in panels:
            _thin(panel)
            _leave_out(panel)


def _by_row(inches: Sequence[float], columns: int) -> float:
    """What the largest of every row of panels takes."""
    return sum(max(inches[start : start + columns]) for start in range(0, len(inches), columns))


def _thin(panel: Axes) -> None:
    """Of numbers below a panel that lie on each other, every second one, or third."""
    axis = panel.xaxis
    if axis.get_scale() != "linear" or isinstance(axis.get_major_formatter(), FuncFormatter | FixedFormatter):
        return
    low, high = sorted(panel.get_xlim())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high and tick.label1.get_text()]
    boxes = [tick.label1.get_window_extent() for tick in ticks]
    apart = 0.25 * letters(8) * panel.figure.dpi / 72  # pyright: ignore[reportAttributeAccessIssue]
    step = 1
    while step < len(ticks) and any(a.x1 + apart > b.x0 for a, b in pairwise(boxes[::step])):
        step += 1
    if step > 1:
        axis.set_major_locator(FixedLocator([tick.get_loc() for tick in ticks[::step]]))


OPTIONAL = "optional"
"""The mark (`gid`) of letters in a panel that are left out, all of them, where they have no room."""


def _leave_out(panel: Axes) -> None:
    marked = [text for text in panel.texts if text.get_gid() == OPTIONAL]
    names = [tick.label1 for tick in panel.yaxis.get_major_ticks() if tick.label1.get_text()]
    boxes = [text.get_window_extent() for text in marked]
    others = [text.get_window_extent() for text in names]
    if any(a.overlaps(b) for a, b in combinations(boxes, 2)) or any(a.overlaps(b) for a in boxes for b in others):
        for text in marked:
            text.set_visible(False)


def _thicken(figure: Any, scale: float) -> None:
    """Lines and markers as much larger as letters are."""
    legends = [*figure.legends, *(panel.get_legend() for panel in figure.axes if panel.get_legend() is not None)]
    for part in (*figure.axes, *legends) if scale != 1 else ():
        for line in part.get_lines():
            line.set(linewidth=scale * line.get_linewidth(), markersize=scale * line.get_markersize())
            line.set_markeredgewidth(scale * line.get_markeredgewidth())
    for panel in figure.axes if scale != 1 else ():
        for lines in panel.collections:
            lines.set_linewidth(scale * np.asarray(lines.get_linewidth()))


def _height(of: Any) -> float:
    """Inches that text or a legend takes; none for nothing."""
    return 0.0 if of is None else of.get_window_extent().height / of.figure.dpi


def _broken(panel: Axes) -> int:
    """Break the title and the labels of a panel where they are longer than it; how many lines higher that makes it."""
    more = 0
    aside_too = [panel.yaxis.label] if look.get().width is not None else []
    written = (panel.title, panel.xaxis.label, *aside_too)
    for text in written:
        around, aside = text.get_window_extent(), text is panel.yaxis.label
        before, wide = text.get_text(), around.height if aside else around.width
        room = 0.95 * (panel.bbox.height if aside else panel.bbox.width)
        if wide > room:
            fits = max(8, int(max(map(len, before.split("\n"))) * room / wide))
            lines = [before.replace("\n", " ")] if aside else before.split("\n")
            words = max(map(len, before.split()))  # a little longer than the panel, one is not broken
            parts = [line for part in lines for line in wrap(part, fits, break_long_words=words > 1.35 * fits)]
            if len(parts) > _MOST_LINES:
                parts[_MOST_LINES - 1 :] = short([" ".join(parts[_MOST_LINES - 1 :])], fits)
            text.set_text("\n".join(parts))
            more += 0 if aside else len(parts) - 1 - before.count("\n")
    return more


def width_of(figure: FigureBase) -> float:
    """Inches."""
    return figure.bbox.width / figure.dpi  # pyright: ignore[reportAttributeAccessIssue]


def show_as_text(figure: Any) -> None:
    """Control characters of names, as escapes; the ends of lines are ours."""
    for text in figure.findobj(Text):
        text.set_text("\n".join(map(plain, text.get_text().split("\n"))))  # pyright: ignore[reportAttributeAccessIssue]
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            if isinstance(names := axis.get_major_formatter(), FuncFormatter):  # as which Matplotlib keeps names
                axis.set_major_formatter(FuncFormatter(lambda x, at, names=names: plain(names(x, at))))
