"""Comparisons as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from equilibrax._core.status import status_names
from equilibrax.games import TOLERANCE

if TYPE_CHECKING:
    from equilibrax.studies.comparison import Comparison


def one_table(found: Comparison, b: int) -> Table:
    caption = f"optimum {found.optimum[b]:.6f}; worst and best over equilibria, for a monopolist over providers too"
    shown = Table(title=found.tables.names()[b], caption=caption)
    shown.add_column("game", no_wrap=True)
    for heading in ("worst", "best", "equilibria", "worst - optimum", "aligned", "bound"):
        shown.add_column(heading, justify="right")
    shown.add_column("theorem")
    for g, line in enumerate(found.lines):
        count = f"{found.equilibria[b, g]:,}" if found.equilibria[b, g] >= 0 else ""
        cells = [number(found.worst[b, g]), number(found.best[b, g]), count]
        cells += [signed(found.worst[b, g] - found.optimum[b]), number(found.aligned[b, g])]
        unsolved = str(status_names(found.status[b, g])) if found.status[b, g] else ""
        shown.add_row(line.name, *cells, number(found.bound[b, g]), unsolved or found.bound_sources[g])
    return shown


def distributions(found: Comparison) -> Table:
    title = f"{found.tables.family or 'tables'}: {len(found.table_id):,} tables"
    shown = Table(title=title, caption="worst utility in equilibrium - optimum; the last column: worst = optimum")
    shown.add_column("game", no_wrap=True)
    for heading in ("5 %", "25 %", "median", "75 %", "mean", "at optimum"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for g, line in enumerate(found.lines):
        gap = found.gap[:, g][np.isfinite(found.gap[:, g])]
        if len(gap):
            cells = [signed(value) for value in (*np.quantile(gap, [0.05, 0.25, 0.5, 0.75]), gap.mean())]
            shown.add_row(line.name, *cells, f"{100 * found.at_optimum[g]:.1f} %")
        else:
            shown.add_row(line.name, *[""] * 6)
    return shown


def answers(found: Comparison) -> Table:
    shown = Table(caption="differences of worst utilities, table by table")
    shown.add_column("question", no_wrap=True)
    for heading in ("5 %", "median", "mean", "95 %", "> 0", "< 0"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, values in found.answers().items():
        values = values[np.isfinite(values)]
        if len(values):
            low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
            cells = [signed(value) for value in (low, middle, values.mean(), high)]
            shares = [f"{100 * np.mean(sign * values > TOLERANCE):.0f} %" for sign in (1, -1)]
            shown.add_row(name, *cells, *shares)
    return shown


def number(value: float) -> str:
    """An expected utility, nothing for NaN."""
    return "" if np.isnan(value) else f"{value:.4f}"


def signed(value: float) -> str:
    """A difference of utilities, with its sign unless it is zero."""
    if np.isnan(value):
        return ""
    return f"{value:+.4f}" if abs(value) >= 5e-5 else "0" if abs(value) <= TOLERANCE else f"{value:+.0e}"
