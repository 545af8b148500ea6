"""Tables per second against schemes per table, for every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equilibrax.figures._drawing as draw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

_KINDS = {
    "selection": "Worst equilibrium and number of equilibria",
    "dynamics": "The same and best-response dynamics",
}
_COLOURS = (draw.BLUE, draw.VERMILLION, draw.GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#8B6F00", draw.GREY)
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SHAPES = "osD^vPX<>p*h"


def draw_figure(measured: dict[str, Any], path: Path | None) -> Figure:
    """Write the log-log figure of a run, one panel for selection and one for dynamics; bars are quartiles."""
    sizes = {w["name"]: w for w in measured["workloads"] if w["family"] == "uniform"}
    engines: dict[str, Any] = {}
    note = "Median over rounds; bars: quartiles. All committees of every table."
    with draw.page(path, 2, note, share="y", panel_width=3.6, height=3.0) as (figure, panels):
        for panel, (kind, title) in zip(panels, _KINDS.items()):
            for engine in dict.fromkeys(row["engine"] for row in measured["rows"]):
                points = sorted(
                    (sizes[row["workload"]]["schemes"], *_quartiles(row["tables_per_second"]))
                    for row in measured["rows"]
                    if row["engine"] == engine
                    and row["tables_per_second"]
                    and sizes.get(row["workload"], {}).get("kind") == kind
                )
                if points:
                    style = engines.setdefault(engine, engine_style(len(engines), engine == "equilibrax"))
                    x, below, y, above = zip(*points)
                    panel.plot(x, y, **style)
                    panel.vlines(x, below, above, color=style["color"], linewidth=1, zorder=2)
            logarithmic(panel)
            panel.set_title(title)
        draw.axis_labels(panels, "signaling schemes per table", "tables per second")
        draw.legend(figure, [Line2D([], [], label=engine, **style) for engine, style in engines.items()])
    return figure


def engine_style(number: int, ours: bool = False) -> dict[str, Any]:
    """A line of an engine: each has a colour and a marker of its own."""
    colour, marker = _COLOURS[number % len(_COLOURS)], _SHAPES[number % len(_SHAPES)]
    return {"color": colour, "marker": marker, "markersize": 4, "linewidth": 2 if ours else 1.1, "zorder": 3}


def logarithmic(panel: Axes) -> None:
    """Both axes, with their powers of ten."""
    for axis, scale in ((panel.xaxis, panel.set_xscale), (panel.yaxis, panel.set_yscale)):
        scale("log")
        axis.set_major_locator(LogLocator(10))
        axis.set_major_formatter(_power)
        axis.set_minor_formatter(NullFormatter())
    panel.grid(True, which="major", alpha=0.3)


def _power(value: float, _: int) -> str:
    exponent = f"{np.log10(value):.0f}"
    return f"{value:,g}" if 1e-3 < value < 1e5 else "10" + exponent.translate(_RAISED)


def _quartiles(speed: dict[str, float]) -> tuple[float, float, float]:
    return speed["lower_quartile"], speed["median"], speed["upper_quartile"]
