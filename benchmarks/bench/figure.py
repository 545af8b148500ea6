"""Tables per second against schemes per table, for every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

_KINDS = {
    "selection": "Worst equilibrium and number of equilibria",
    "dynamics": "The same and best-response dynamics",
}


def draw_figure(measured: dict[str, Any], path: Path) -> None:
    """Write the log-log figure of a run, one panel for selection and one for dynamics; bars are quartiles."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    sizes = {w["name"]: w for w in measured["workloads"] if w["family"] == "uniform"}
    engines = list(dict.fromkeys(row["engine"] for row in measured["rows"]))
    for panel, (kind, title) in zip(panels, _KINDS.items()):
        for number, engine in enumerate(engines):
            points = [
                (sizes[row["workload"]]["schemes"], row["tables_per_second"])
                for row in measured["rows"]
                if row["engine"] == engine
                and row["tables_per_second"]
                and sizes.get(row["workload"], {}).get("kind") == kind
            ]
            if not points:
                continue
            points.sort(key=lambda point: point[0])
            x, y = [schemes for schemes, _ in points], [speed["median"] for _, speed in points]
            below = [speed["median"] - speed["lower_quartile"] for _, speed in points]
            above = [speed["upper_quartile"] - speed["median"] for _, speed in points]
            style = {"marker": "o", "ms": 4, "capsize": 2, "color": f"C{number % 10}"}
            panel.errorbar(x, y, yerr=[below, above], label=engine, lw=2 if engine == "equilibrax" else 1, **style)
        panel.set(xscale="log", yscale="log", xlabel="Signaling schemes per table", title=title)
        panel.grid(True, which="major", alpha=0.3)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize=8)
    panels[0].set_ylabel("Tables per second, all committees")
    figure.savefig(path, dpi=150)
