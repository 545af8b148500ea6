"""What every figure keeps to, whatever it shows: nothing that is written lies on something else.

Boxes of text are rectangles that may be turned; those that touch by less than a pixel do not overlap.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text


def complaints(figure: Figure) -> list[str]:
    """What is wrong with a figure, in words; nothing if it keeps all laws."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    panels = [panel for panel in figure.axes if panel.get_visible()]
    written = _written(figure, panels)
    boxes = [(text.get_text(), _box(text)) for text in written]
    found = [f"{one!r} lies on {other!r}" for (one, a), (other, b) in combinations(boxes, 2) if _overlap(a, b)]
    page = np.array([[0, 0], figure.bbox.size])
    found += [
        f"{text!r} leaves the page" for text, box in boxes if (box < page[0] - 1).any() or (box > page[1] + 1).any()
    ]
    legends: Any = [one for one in figure.findobj(Legend) if one.get_visible()]
    for legend in legends:
        labels = [text.get_text() for text in legend.get_texts()]
        if len(set(labels)) < len(labels):
            found.append(f"a legend says something twice: {labels}")
        area = legend.get_window_extent()
        found += [f"the legend {labels} lies on a panel" for panel in panels if _area(area, panel.bbox) > 1]
    for panel in panels:
        found += _panel(panel, [(text, box) for text, (_, box) in zip(written, boxes) if text.axes is panel])
    return found


def _panel(panel: Axes, written: list[tuple[Text, np.ndarray]]) -> list[str]:
    """Points beneath letters, names that cannot be told apart, and axes without numbers."""
    found = []
    lines = [line for line in panel.lines if line.get_visible() and line.get_marker() not in ("", "None", None)]
    points = [panel.transData.transform(np.column_stack(line.get_data())) for line in lines if _in_data(line)]
    for text, box in written:
        if text in panel.texts and not (isinstance(text, Annotation) and text.get_text().isdecimal()):
            hidden = sum(int(_inside(box, one).sum()) for one in points)
            found += [f"{text.get_text()!r} hides {hidden} points"] * (hidden > 0)
    for axis in (panel.xaxis, panel.yaxis):
        labels = [text.get_text() for tick in _drawn_ticks(axis) for text in (tick.label1, tick.label2)
                  if text.get_visible() and text.get_text()]  # fmt: skip
        if len(set(labels)) < len(labels):
            found.append(f"an axis says something twice: {labels}")
        if axis.get_scale() == "log" and len(labels) < 2 and axis.get_tick_params().get("labelleft", True):
            found.append(f"a logarithmic axis has the numbers {labels} alone")
    return found


def _written(figure: Figure, panels: list[Axes]) -> list[Text]:
    """All text that is drawn: of an axis, that of ticks within its range."""
    not_drawn = set()
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            drawn = _drawn_ticks(axis) if panel in panels and axis.get_visible() else []
            ticks = {*axis.get_major_ticks(), *axis.get_minor_ticks()} - set(drawn)
            not_drawn |= {text for tick in ticks for text in (tick.label1, tick.label2)}
    texts: Any = figure.findobj(Text)
    return [
        text
        for text in dict.fromkeys(texts)
        if text.get_visible() and text.get_text().strip() and text not in not_drawn
        and (text.axes is None or text.axes in panels)
    ]  # fmt: skip


def _drawn_ticks(axis: Any) -> list[Any]:
    """Those within the axis's range, up to rounding."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()) if tick.get_visible()]
    return [tick for tick in ticks if low - 1e-9 * abs(low) <= tick.get_loc() <= high + 1e-9 * abs(high)]


def _in_data(line: Line2D) -> bool:
    return line.get_transform() == line.axes.transData if line.axes is not None else False


def _box(text: Text) -> np.ndarray:
    """`[4, 2]` corners of the rectangle around letters, a pixel within it."""
    around, angle = text.get_window_extent(), text.get_rotation()
    middle = np.array([(around.x0 + around.x1) / 2, (around.y0 + around.y1) / 2])
    if angle % 90:
        text.set_rotation(0)
        around = text.get_window_extent()
        text.set_rotation(angle)
        angle = np.deg2rad(angle)
    else:
        angle = 0.0
    half = np.maximum(np.array([around.width, around.height]) / 2 - 1, 0.1)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return middle + corners @ turn


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two rectangles meet: no side of either has all of the other beyond it."""
    for one in (a, b):
        for way in (one[1] - one[0], one[3] - one[0]):
            if (a @ way).max() <= (b @ way).min() or (b @ way).max() <= (a @ way).min():
                return False
    return True


def _inside(box: np.ndarray, points: np.ndarray) -> np.ndarray:
    ways = np.array([box[1] - box[0], box[3] - box[0]])
    places = points @ ways.T
    corners = box @ ways.T
    return ((places > corners.min(axis=0)) & (places < corners.max(axis=0))).all(axis=1)


def _area(a: Any, b: Any) -> float:
    width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return width * height if width > 0 and height > 0 else 0.0
