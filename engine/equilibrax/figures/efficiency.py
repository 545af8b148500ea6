"""The efficiency gap against misalignment: two ways to miss alignment, and whether they go together."""

from __future__ import annotations

import pyarrow as pa
from matplotlib.figure import Figure

import equilibrax.figures._drawing as draw
from equilibrax.figures._statistics import shown_rows

_MOST = 6  # tables with a panel each


def efficiency_gap(rows: pa.Table, path: draw.Target = None) -> Figure:
    """Misalignment against the efficiency gap of the worst equilibrium, one marker for each committee.

    To the right are committees whose utilities do not mix into the user's; further up, those whose worst equilibrium
    wastes what all of them could have. On the axis below are the equilibria that are (weakly) efficient. Up to six
    tables have a panel each, in which the marker is the committee size; more are pooled, in a panel for each size.

    Args:
        rows: result rows with the columns of efficiency; needs `misalignment` and `efficiency_gap`.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if a column is absent, no row can be shown, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.load_paper_table("synthetic-2"))
        >>> figure = eq.figures.efficiency_gap(eq.rows.committee_rows(result, ("efficiency",)), "efficiency.png")
    """
    shown = shown_rows(rows, ("misalignment", "efficiency_gap"))
    x, gap, pooled = shown["misalignment"], shown["efficiency_gap"], shown.num_tables > _MOST
    wasted = int((gap > 0).sum())
    note = f"{shown.footnote()} {wasted:,} of {len(shown):,} worst equilibria have a gap."
    with draw.page(path, len(shown.sizes) if pooled else shown.num_tables, note, share=pooled) as (figure, panels):
        for number, panel in enumerate(panels):
            mine = shown.size == shown.sizes[number] if pooled else shown.table == number
            ours = slice(None) if pooled else mine
            draw.set_ranges(panel, x[ours], gap[ours], 0.0)
            for size in shown.sizes:
                some = mine & (shown.size == size)
                panel.plot(x[some], gap[some], **draw.marker(size, shown.sizes[-1]))
            panel.set_title(f"committee size k = {shown.sizes[number]}" if pooled else shown.titles[number])
        draw.axis_labels(panels, "misalignment ε", "efficiency gap of the\nworst equilibrium (utility)")
        draw.legend(figure, draw.size_entries(shown.sizes))
    return figure
