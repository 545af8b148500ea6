"""The efficiency gap against misalignment: two ways to miss alignment, and whether they go together."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import equilibrax.figures._drawing as draw
from equilibrax.figures._parts import Pool, Rows, parts_of, whole
from equilibrax.figures._statistics import ShownRows, shown_rows

EFFICIENCY_FIGURE = "efficiency.png"
"""What `plot_all` calls it."""

_MOST = 6  # tables with a panel each
_COLUMNS = ("misalignment", "efficiency_gap")
_LABELS = ("misalignment ε (utility units)", "efficiency gap of the worst\nequilibrium (utility units)")


def efficiency_gap(rows: Rows, path: draw.Target = None) -> Figure:
    """Misalignment against the efficiency gap of the worst equilibrium of each committee.

    To the right are committees whose utilities do not mix into the user's; further up, those whose worst equilibrium
    wastes what all of them could have. On the axis below are the equilibria that are (weakly) efficient. Up to six
    tables have a panel each, in which the marker is the committee size; more are pooled, in one density per size.

    Args:
        rows: result rows with the columns of efficiency, or a function that begins to read them part by part; needs
            `misalignment` and `efficiency_gap`.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if a column is absent, no row can be shown, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.load_paper_table("synthetic-2"))
        >>> figure = eq.figures.efficiency_gap(eq.rows.committee_rows(result, ("efficiency",)), "efficiency.png")
    """
    pool, wasted = Pool(_COLUMNS), 0
    for shown in parts_of(rows, _COLUMNS):
        gap = shown["efficiency_gap"]
        pool.add_points(shown, shown["misalignment"], gap, np.zeros(len(gap), bool))
        wasted += int((gap > 0).sum())
    pool.check()
    note = f"{pool.footnote()} {wasted:,} of {pool.committees:,} worst equilibria have a gap."
    if pool.tables > _MOST:
        return _pooled(rows, pool, note, path)
    else:
        return _by_table(shown_rows(whole(rows), _COLUMNS), note, path)


def _by_table(shown: ShownRows, note: str, path: draw.Target) -> Figure:
    x, gap = (shown[name] for name in _COLUMNS)
    with draw.page(path, shown.num_tables, note) as (figure, panels):
        for table, panel in enumerate(panels):
            mine = shown.table == table
            draw.set_ranges(panel, x[mine], gap[mine], 0.0)
            for size in shown.sizes:
                some = mine & (shown.size == size)
                panel.plot(x[some], gap[some], **draw.marker(size, shown.sizes[-1]))
            draw.counts(panel, x[mine], gap[mine])
            panel.set_title(shown.titles[table])
        draw.axis_labels(panels, *_LABELS)
        draw.legend(figure, draw.size_entries(shown.sizes))
        draw.add_note(figure, "Numbers: so many committees are at one place.")
    return figure


def _pooled(rows: Rows, pool: Pool, note: str, path: draw.Target) -> Figure:
    sizes = sorted(pool.sizes)
    with draw.page(path, len(sizes), note + " Panels have ranges of their own." * (len(sizes) > 1)) as (figure, panels):
        for size, panel in zip(sizes, panels):
            draw.set_ranges(panel, *pool.range(size), 0.0)
            panel.set_title(f"committee size k = {size}")
        counts: list[Any] = [0] * len(sizes)
        for part in parts_of(rows, _COLUMNS):
            for number, panel in enumerate(panels):
                mine = part.size == sizes[number]
                counts[number] += draw.counted(panel, *(part[name][mine] for name in _COLUMNS))
        meshes = [draw.density_of(panel, count) for panel, count in zip(panels, counts)]
        draw.axis_labels(panels, *_LABELS)
        draw.colour_bar(figure, panels, meshes, "committees per cell")
    return figure
