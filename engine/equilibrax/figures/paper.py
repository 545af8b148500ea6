"""Figures 5, 6 and 7 of 2509.15090 from result rows: for three tables, as in the paper, or for millions.

Every function takes result rows, one per (table, committee), as a `pyarrow.Table` with the columns

    table_id, family, seed, providers, committee (bit j is provider j), committee_size, status,
    optimum, worst_utility, dynamics_utility, misalignment

and writes one PNG. Up to six tables have a panel each, as in the paper; more are pooled, with utilities
relative to each table's own optimum. More than 2,000 markers in a panel become a density. Rows whose status
is not "OK", or without a value that the figure needs, are left out and counted in the footnote.

The same rows give the same bytes. pyplot and the reader's Matplotlib settings are neither used nor changed.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

import equilibrax.figures._drawing as draw
from equilibrax.figures._parts import Pool, Rows, parts_of, whole
from equilibrax.figures._statistics import (
    CannotShow,
    ShownRows,
    below_bound,
    dynamics_above_worst,
    entry_paths,
    shown_rows,
    worst_along_one_path,
    worst_by_committee,
)
from equilibrax.figures.efficiency import EFFICIENCY_FIGURE, efficiency_gap

MAX_PANELS = 6
"""More tables than this are pooled."""

MAX_MARKERS = 2000
"""More committees than this in a panel are drawn as a density."""

_EPSILON = "misalignment ε (utility units)"
_UTILITY = "(expected utility)"
_GAP = "− optimum (utility units)"
_SIZE = " k is the number of providers in a committee."
_MEDIANS = " Markers are medians over the committees of a size."
_COUNTS = " Numbers: so many committees are at one place; markers of different k nest."

_log = logging.getLogger(__name__)


def misalignment(rows: Rows, path: draw.Target = None) -> Figure:
    """Misalignment against the user's minimum utility at equilibrium (2509.15090, Figure 5).

    Dashed orange is the guarantee, optimum - 2 misalignment (Theorem 6); dotted green is the user's optimum. Up
    to six tables have a panel each, in which the marker is the committee size. More are pooled, in one panel
    per committee size. A committee below the guarantee would be an error in the computation and is crossed in
    red.

    Args:
        rows: result rows; needs `optimum`, `worst_utility` and `misalignment`.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if a column is absent, no row can be shown, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-2")))
        >>> figure = eq.figures.misalignment(rows, "figure5.png")
    """
    columns = ("optimum", "worst_utility", "misalignment")
    pool = Pool(columns)
    for shown in parts_of(rows, columns):
        pool.add_points(shown, shown["misalignment"], shown["worst_utility"] - shown["optimum"], below_bound(shown))
    pool.check()
    if pool.tables > MAX_PANELS:
        return _figure5_pooled(rows, pool, path)
    else:
        return _figure5_by_table(shown_rows(whole(rows), columns), path)


def _figure5_by_table(shown: ShownRows, path: draw.Target) -> Figure:
    x, worst, broken = shown["misalignment"], shown["worst_utility"], below_bound(shown)
    dense, meshes = _dense(shown), []
    with draw.page(path, shown.num_tables, shown.footnote() + _SIZE + (_MEDIANS if dense else _COUNTS)) as (
        figure,
        panels,
    ):
        for table, panel in enumerate(panels):
            mine = shown.table == table
            optimum = shown["optimum"][mine][0]
            draw.set_ranges(panel, x[mine], worst[mine], optimum)
            draw.limit_lines(panel, optimum, bound=True)
            if dense:
                meshes.append(draw.density(panel, x[mine], worst[mine]))
            for size, at, low in _points(shown, mine, dense, x, worst):
                panel.plot(at, low, **draw.marker(size, shown.sizes[-1]))
            if not dense:
                draw.counts(panel, x[mine], worst[mine])
            panel.plot(x[mine & broken], worst[mine & broken], **draw.BROKEN)
            panel.set_title(shown.titles[table])
        draw.axis_labels(panels, _EPSILON, f"minimum utility at equilibrium\n{_UTILITY}")
        entries = draw.size_entries(shown.sizes) + draw.limit_entries(bound=True)
        draw.legend(figure, entries + draw.broken_entry(broken.sum()))
        draw.colour_bar(figure, panels, meshes, "committees per cell")
    return figure


def _figure5_pooled(rows: Rows, pool: Pool, path: draw.Target) -> Figure:
    sizes, (x, gap, size) = sorted(pool.sizes), np.concatenate(pool.broken, axis=1)
    note = pool.footnote() + _SIZE + " Panels have ranges of their own." * (len(sizes) > 1)
    with draw.page(path, len(sizes), note) as (figure, panels):
        for k, panel in zip(sizes, panels):
            draw.set_ranges(panel, *pool.range(k), 0.0)
            draw.limit_lines(panel, 0.0, bound=True)
        counts: list[Any] = [0] * len(sizes)
        for part in parts_of(rows, pool.columns):
            below = part["worst_utility"] - part["optimum"]
            for number, panel in enumerate(panels):
                mine = part.size == sizes[number]
                counts[number] += draw.counted(panel, part["misalignment"][mine], below[mine])
        meshes = [draw.density_of(panel, count) for panel, count in zip(panels, counts)]
        for k, panel in zip(sizes, panels):
            panel.plot(x[size == k], gap[size == k], **draw.BROKEN)
            panel.set_title(f"committee size k = {k}")
        draw.axis_labels(panels, _EPSILON, f"minimum utility at equilibrium\n{_GAP}")
        draw.legend(figure, draw.limit_entries(bound=True) + draw.broken_entry(len(x)))
        draw.colour_bar(figure, panels, meshes, "committees per cell")
    return figure


def dynamics(rows: Rows, path: draw.Target = None) -> Figure:
    """Misalignment against the user's utility where best-response dynamics end (2509.15090, Figure 6).

    Outlined markers are the minimum utility at any equilibrium, solid ones the utility that the dynamics
    reach, and a grey line joins the two. With more than six tables: the density of what the dynamics gain
    over the worst equilibrium, and the share of committees in which they gain anything, by committee size.

    Args:
        rows: result rows; needs `optimum`, `worst_utility`, `dynamics_utility` and `misalignment`.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.

    Raises:
        ValueError: if a column is absent, no row can be shown, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-2")))
        >>> figure = eq.figures.dynamics(rows, "figure6.png")
    """
    columns = ("optimum", "worst_utility", "dynamics_utility", "misalignment")
    pool, above = Pool(columns), Counter()
    for shown in parts_of(rows, columns):
        gain = shown["dynamics_utility"] - shown["worst_utility"]
        pool.add_points(shown, shown["misalignment"], gain, below_bound(shown))
        above.update(shown.size[dynamics_above_worst(shown)].tolist())
    pool.check()
    if pool.tables > MAX_PANELS:
        return _figure6_pooled(rows, pool, above, path)
    else:
        return _figure6_by_table(shown_rows(whole(rows), columns), path)


def _figure6_by_table(shown: ShownRows, path: draw.Target) -> Figure:
    x, worst, dynamics = (shown[name] for name in ("misalignment", "worst_utility", "dynamics_utility"))
    broken, largest = below_bound(shown), shown.sizes[-1]
    dense, meshes = _dense(shown), []
    with draw.page(path, shown.num_tables, shown.footnote() + _SIZE + (_MEDIANS if dense else _COUNTS)) as (
        figure,
        panels,
    ):
        for table, panel in enumerate(panels):
            mine = shown.table == table
            optimum = shown["optimum"][mine][0]
            draw.set_ranges(panel, x[mine], np.concatenate([worst[mine], dynamics[mine]]), optimum)
            draw.limit_lines(panel, optimum, bound=False)
            if dense:
                meshes.append(draw.density(panel, x[mine], dynamics[mine]))
            for size, at, low, high in _points(shown, mine, dense, x, worst, dynamics):
                apart = high > low
                panel.vlines(at[apart], low[apart], high[apart], color=draw.GREY, linewidth=0.8, zorder=2)
                panel.plot(at[apart], low[apart], **draw.marker(size, largest, outlined=True))
                panel.plot(at, high, **draw.marker(size, largest))
            if not dense:
                draw.counts(panel, x[mine], dynamics[mine])
            panel.plot(x[mine & broken], worst[mine & broken], **draw.BROKEN)
            panel.set_title(shown.titles[table])
        draw.axis_labels(panels, _EPSILON, f"utility at equilibrium\n{_UTILITY}")
        solid, outlined = ({**draw.marker(1, 1, outlined=o), "markersize": 6.5} for o in (False, True))
        entries: list[Artist] = [
            Line2D([], [], label="dynamics", **{**solid, "markerfacecolor": "#444444"}),
            Line2D([], [], label="minimum, if lower", **{**outlined, "markeredgecolor": "#444444"}),
        ]
        entries += draw.limit_entries(bound=False) + draw.broken_entry(broken.sum())
        draw.legend(figure, draw.size_entries(shown.sizes) + entries)
        draw.colour_bar(figure, panels, meshes, "committees per cell (dynamics)")
    return figure


def _figure6_pooled(rows: Rows, pool: Pool, above: Counter[int], path: draw.Target) -> Figure:
    sizes, (x, gain, _) = sorted(pool.sizes), np.concatenate(pool.broken, axis=1)
    shares = np.array([above[size] / pool.sizes[size] for size in sizes])
    note = f"{pool.footnote()} Left: the {above.total():,} in which the dynamics beat the minimum."
    with draw.page(path, 2, note, panel_width=3.4) as (figure, (left, right)):
        draw.set_ranges(left, *pool.range(), 0.0)
        counts: Any = 0
        for part in parts_of(rows, pool.columns) if above else ():
            better = dynamics_above_worst(part)
            gained = (part["dynamics_utility"] - part["worst_utility"])[better]
            counts += draw.counted(left, part["misalignment"][better], gained)
        meshes = [draw.density_of(left, counts)] if above else []
        if not meshes:
            left.text(0.5, 0.5, "none", transform=left.transAxes, ha="center", color=draw.GREY)
        left.plot(x, gain, **draw.BROKEN)
        left.set(xlabel=_EPSILON, ylabel="utility the dynamics reach\n− minimum utility (utility units)")
        bars = right.bar(sizes, shares, color=draw.BLUE, width=0.7)
        turned = len(shares) > 6
        labels = [f"{100 * share:{'.0f' if share >= 0.1 else '.2g'}} %" for share in shares]
        right.bar_label(bars, labels, padding=2, fontsize=draw.letters(6.5), rotation=90 if turned else 0)
        right.set(xlabel="committee size k", ylabel="share of committees in which\nthe dynamics beat the minimum")
        right.set_ylim(0, max((1.35 if turned else 1.15) * shares.max(), 0.01))
        right.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        draw.set_size_axis(right, sizes[-1])
        right.set_xlim(0.3, sizes[-1] + 0.7)
        draw.legend(figure, draw.broken_entry(len(x)))
        draw.colour_bar(figure, [left], meshes, "committees per cell")
    return figure


def newcomers(rows: Rows, path: draw.Target = None, *, paths: int = 30, seed: int = 0) -> Figure:
    """The user's minimum utility at equilibrium as random providers enter the market (2509.15090, Figure 7).

    Each line is a path that starts at a random provider and gains a random one at every step. Up to six
    tables have a panel each, with `paths` paths and the mean over all orders of entry, which is the mean over
    all committees of that size. With more: one path per table, and quantiles over the tables of minimum
    utility - optimum.

    Args:
        rows: result rows of every committee; needs `optimum` and `worst_utility`. A table of which some row
            has no result is left out whole.
        path: a file to write (.png, .svg, .pdf), a Figure or SubFigure to draw into, or None for a new Figure.
        paths: number of paths per table when tables have a panel each.
        seed: seed of the random orders; a table's paths depend on this and its id alone.

    Raises:
        ValueError: if a table lacks a committee (the message says which) or has one twice, a column is
            absent, no row can be shown, `paths` is not positive, or `path` ends in no format.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-2")))
        >>> figure = eq.figures.newcomers(rows, "figure7.png", paths=10)
    """
    if paths < 1:
        raise ValueError(f"paths: expected a positive number; got {paths}")
    columns = ("optimum", "worst_utility")
    pool, along, providers = Pool(columns), [], set[int]()
    for shown in parts_of(rows, columns, whole_tables=True):
        pool.add(shown)
        if len(shown):
            providers |= set(shown.providers.tolist())
            along.append(worst_along_one_path(shown, shown["worst_utility"] - shown["optimum"], seed))
    pool.check()
    if pool.tables > MAX_PANELS:
        return _figure7_pooled(pool, along, min(providers), path)
    else:
        return _figure7_by_table(shown_rows(whole(rows), columns, whole_tables=True), path, paths, seed)


def _figure7_by_table(shown: ShownRows, path: draw.Target, paths: int, seed: int) -> Figure:
    blocks = worst_by_committee(shown, shown["worst_utility"])
    worst = {table: row for tables, block in blocks for table, row in zip(tables.tolist(), block)}
    with draw.page(path, shown.num_tables, shown.footnote()) as (figure, panels):
        for table, panel in enumerate(panels):
            mine, sizes = shown.table == table, np.arange(1, shown.providers[table] + 1)
            markets = entry_paths(shown.table_id[[table]], len(sizes), paths, seed)[0]
            mean = [shown["worst_utility"][mine & (shown.size == size)].mean() for size in sizes]
            optimum, lines = shown["optimum"][mine][0], worst[table][markets]
            draw.set_ranges(panel, sizes, np.append(lines, mean), optimum)
            draw.limit_lines(panel, optimum, bound=False)
            panel.plot(sizes, lines.T, color=draw.BLUE, alpha=0.25, linewidth=1)
            panel.plot(sizes, mean, **draw.SUMMARY)
            panel.set_title(shown.titles[table])
            draw.set_size_axis(panel, len(sizes))
        draw.axis_labels(panels, "market size k", f"minimum utility at equilibrium\n{_UTILITY}")
        entries: list[Artist] = [
            Line2D([], [], color=draw.BLUE, alpha=0.5, label=f"random path ({paths})"),
            Line2D([], [], label="mean over all orders", **draw.SUMMARY),
        ]
        draw.legend(figure, entries + draw.limit_entries(bound=False))
    return figure


def _figure7_pooled(pool: Pool, along: list[np.ndarray], fewest: int, path: draw.Target) -> Figure:
    sizes = np.arange(1, max(gaps.shape[1] for gaps in along) + 1)
    # A size at a time, of the tables that have as many providers.
    columns = (np.concatenate([gaps[:, k - 1] for gaps in along if gaps.shape[1] >= k]) for k in sizes)
    quantiles = [np.nanquantile(column, [0.05, 0.25, 0.5, 0.75, 0.95], overwrite_input=True) for column in columns]
    low, lower, median, upper, high = np.array(quantiles).T
    note = f"{pool.footnote()} One random path per table."
    if fewest < len(sizes):
        note += f" Tables have {fewest} to {len(sizes)} providers, and their paths end there."
    with draw.page(path, 1, note) as (figure, (panel,)):
        draw.set_ranges(panel, sizes, np.append(low, high), 0.0)
        draw.limit_lines(panel, 0.0, bound=False)
        band = {"color": draw.BLUE, "linewidth": 0}
        outer = panel.fill_between(sizes, low, high, alpha=0.2, label="5 to 95 % of tables", **band)
        inner = panel.fill_between(sizes, lower, upper, alpha=0.4, label="25 to 75 % of tables", **band)
        (middle,) = panel.plot(sizes, median, label="median", **draw.SUMMARY)
        draw.set_size_axis(panel, len(sizes))
        draw.axis_labels([panel], "market size k", f"minimum utility at equilibrium\n{_GAP}")
        draw.legend(figure, [middle, inner, outer, *draw.limit_entries(bound=False)])
    return figure


PAPER_FIGURES = ("figure5.png", "figure6.png", "figure7.png")
"""What `plot_all` writes of any rows; of those with the columns of efficiency also `EFFICIENCY_FIGURE`."""


def plot_all(rows: Rows, directory: str | os.PathLike[str]) -> list[Path]:
    """Write figure5.png, figure6.png and figure7.png into `directory`, as far as the rows allow.

    A figure is skipped, with a warning in the log, if no row has all the values it needs (misalignment was
    not computed, say) or, for Figure 7, if some committees were not asked for. Rows with the columns of efficiency have
    efficiency.png too, see `efficiency_gap`.

    Args:
        rows: result rows, or a function that begins to read them part by part, as often as it is called; of many tables
            no more than a part is then in memory.
        directory: where to write; made if it does not exist.

    Returns:
        The files written.

    Raises:
        ValueError: if a column is absent or a table has a committee twice.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-2")))
        >>> [path.name for path in eq.figures.plot_all(rows, ".")]
        ['figure5.png', 'figure6.png', 'figure7.png']
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    figures: list[tuple[str, Callable[..., Figure]]] = list(zip(PAPER_FIGURES, (misalignment, dynamics, newcomers)))
    first = rows if isinstance(rows, pa.Table) else next(iter(rows()), None)
    if first is not None and "efficiency_gap" in first.column_names:
        figures.append((EFFICIENCY_FIGURE, efficiency_gap))
    for name, figure in figures:
        path = directory / name
        try:
            figure(rows, path)
        except CannotShow as reason:
            _log.warning("%s not drawn: %s", path.name, reason)
        else:
            written += draw.files_of(path)
    return written


def _dense(shown: ShownRows) -> bool:
    return int(np.bincount(shown.table).max()) > MAX_MARKERS


def _points(shown: ShownRows, mine: np.ndarray, medians: bool, *columns: np.ndarray) -> Iterator[tuple]:
    """For each committee size: the size, then its points in each column or, with `medians`, their median."""
    for size in shown.sizes:
        points = [column[mine & (shown.size == size)] for column in columns]
        if len(points[0]):
            yield size, *([np.median(p, keepdims=True) for p in points] if medians else points)
