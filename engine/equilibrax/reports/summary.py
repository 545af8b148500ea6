"""What result rows say about the paper's claims, in numbers: per table, or pooled over many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from equilibrax._core.text import markdown
from equilibrax.theory import robustness

TOLERANCE = 1e-9
"""Utilities are exact; misalignment is certified to this, so comparisons with the bound allow for it."""


@dataclass(frozen=True)
class Summary:
    """Numbers about the committees of one table or of many.

    Attributes:
        name: the table's or family's name.
        tables, committees: how many were solved.
        unsolved: rows left out because their status is not OK.
        optimum: the user's optimum, averaged over tables.
        worst_with_all: worst utility with all providers, averaged over tables.
        bound_holds: committees whose worst utility is at least optimum - 2 eps (Theorem 6).
        bound_tight: committees that attain the bound at eps > 0; `tight_at` are the distinct eps of up to four.
        dynamics_above_worst: committees in which best-response dynamics ends above the worst equilibrium.
        correlation: Pearson correlation of eps with worst utility minus optimum, or NaN.
        loss_by_size: mean of optimum minus worst utility, per committee size 1, 2, ...
        aligned_after: share of tables whose market of all providers has a misalignment of at most 1e-6 after any 0, 1,
            ... providers leave; of tables all of whose committees are there, and have as many providers as most.
        missed_most: of one table, who leaves when the first k is too many, or the most that can: a bitmask; else 0.
    """

    name: str
    tables: int
    committees: int
    unsolved: int
    optimum: float
    worst_with_all: float
    bound_holds: int
    bound_tight: int
    tight_at: tuple[float, ...]
    dynamics_above_worst: int
    correlation: float
    loss_by_size: tuple[float, ...]
    aligned_after: tuple[float, ...] = ()
    missed_most: int = 0


def summarize(rows: pa.Table, name: str) -> Summary:
    """Summarize result rows that have all columns (dynamics and misalignment computed).

    Args:
        rows: one row per table and committee, as `committee_rows` makes them.
        name: what to call them.

    Raises:
        ValueError: if no row is solved.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-2")))
        >>> found = eq.reports.summarize(rows, "synthetic-2")
        >>> found.bound_holds, found.bound_tight, found.tight_at
        (31, 2, (0.07,))
    """
    ok = rows.filter(pc.field("status") == "OK")
    if ok.num_rows == 0:
        raise ValueError(f"{name}: expected at least one solved row, got {rows.num_rows} unsolved ones")
    columns = (
        "optimum",
        "worst_utility",
        "bound",
        "misalignment",
        "dynamics_utility",
        "committee_size",
        "num_providers",
    )
    optimum, worst, bound, eps, dynamics, size, providers = (ok[column].to_numpy() for column in columns)
    tight = (np.abs(worst - bound) <= TOLERANCE) & (eps > TOLERANCE)
    distinct = np.unique(eps[tight].round(9))
    varied = eps.std() > 0 and (worst - optimum).std() > 0
    ids, first = np.unique(ok["table_id"].to_numpy(), return_index=True)
    aligned_after, missed_most = _losses(ok)
    return Summary(
        name=name,
        tables=len(ids),
        committees=ok.num_rows,
        unsolved=rows.num_rows - ok.num_rows,
        optimum=float(optimum[first].mean()),
        worst_with_all=float(worst[size == providers].mean()) if (size == providers).any() else float("nan"),
        bound_holds=int((worst >= bound - TOLERANCE).sum()),
        bound_tight=int(tight.sum()),
        tight_at=tuple(distinct[:4].tolist()),
        dynamics_above_worst=int((dynamics > worst).sum()),
        correlation=float(np.corrcoef(eps, worst - optimum)[0, 1]) if varied else float("nan"),
        loss_by_size=tuple(float((optimum - worst)[size == k].mean()) for k in range(1, int(size.max()) + 1)),
        aligned_after=aligned_after,
        missed_most=missed_most,
    )


def _losses(ok: pa.Table) -> tuple[tuple[float, ...], int]:
    """`aligned_after` and `missed_most` of solved rows."""
    identity = np.stack([ok[name].to_numpy() for name in ("seed", "table_id", "num_providers")], axis=1)
    tables, place = np.unique(identity, axis=0, return_inverse=True)
    providers = int(np.bincount(tables[:, 2].astype(int)).argmax())
    scores = np.full((len(tables), 2**providers - 1), np.nan)
    mine = tables[place.reshape(-1), 2] == providers
    scores[place.reshape(-1)[mine], ok["committee"].to_numpy()[mine] - 1] = ok["misalignment"].to_numpy()[mine]
    scores = scores[np.isfinite(scores).all(axis=1)]
    if not len(scores):
        return (), 0
    found = robustness(scores)
    losses = found.losses[:, -1]
    shares = tuple(float((losses >= k).mean()) for k in range(providers))
    return shares, int(found.leaving[0, -1, min(losses[0] + 1, providers - 1)]) if len(scores) == 1 else 0


def markdown_table(summaries: list[Summary]) -> str:
    """Summaries side by side, as a Markdown table.

    Args:
        summaries: at least one, from `summarize`.

    Example:
        >>> import equilibrax as eq
        >>> rows = eq.rows.committee_rows(eq.solve(eq.load_paper_table("synthetic-1")))
        >>> print(eq.reports.markdown_table([eq.reports.summarize(rows, "synthetic-1")]).splitlines()[2])
        | tables | 1 |
    """

    def row(title: str, cells: list[str]) -> str:
        return f"| {title} | " + " | ".join(cells) + " |"

    def share(part: int, summary: Summary) -> str:
        return f"{part:,} of {summary.committees:,} ({100 * part / summary.committees:.3g} %)"

    lines = [
        row("", [markdown(s.name) for s in summaries]),
        "|---" * (len(summaries) + 1) + "|",
        row("tables", [f"{s.tables:,}" for s in summaries]),
        row("committees", [f"{s.committees:,}" for s in summaries]),
        row("user's optimum (mean over tables)", [f"{s.optimum:.6f}" for s in summaries]),
        row("worst utility with all providers (mean over tables)", [f"{s.worst_with_all:.6f}" for s in summaries]),
        row("worst utility at least optimum − 2ε", [share(s.bound_holds, s) for s in summaries]),
        row("attains optimum − 2ε at ε > 0", [_tight(s) for s in summaries]),
        row("dynamics ends above the worst equilibrium", [share(s.dynamics_above_worst, s) for s in summaries]),
        row("correlation of ε with worst utility − optimum", [f"{s.correlation:.2f}" for s in summaries]),
    ]
    if any(s.aligned_after for s in summaries):
        lines.append(row("aligned (ε ≤ 1e-6) after any 0, 1, … providers leave", [_aligned(s) for s in summaries]))
    for k in range(1, max(len(s.loss_by_size) for s in summaries) + 1):
        losses = [f"{s.loss_by_size[k - 1]:.6f}" if k <= len(s.loss_by_size) else "" for s in summaries]
        lines.append(row(f"mean loss to the optimum, k = {k}", losses))
    if any(s.unsolved for s in summaries):
        lines.append(row("rows left out (status not OK)", [f"{s.unsolved:,}" for s in summaries]))
    return "\n".join(lines) + "\n"


def _aligned(summary: Summary) -> str:
    said = ", ".join(f"{100 * share:.3g} %" for share in summary.aligned_after)
    missed = [str(j) for j in range(summary.missed_most.bit_length()) if summary.missed_most >> j & 1]
    return said + (f"; most is lost with {' and '.join(missed)}" if missed else "")


def _tight(summary: Summary) -> str:
    if not summary.bound_tight:
        return "0"
    if len(summary.tight_at) > 3:
        return f"{summary.bound_tight:,}"
    return f"{summary.bound_tight:,}, at ε = " + ", ".join(f"{eps:g}" for eps in summary.tight_at)
