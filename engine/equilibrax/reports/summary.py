"""What result rows say about the paper's claims, in numbers: per table, or pooled over many."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
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


def summarize(rows: pa.Table | Callable[[], Iterable[pa.Table]], name: str) -> Summary:
    """Summarize result rows that have all columns (dynamics and misalignment computed).

    Args:
        rows: one row per table and committee, as `committee_rows` makes them; or a function that begins to read them
            part by part, all rows of a table in one part. No more than a part is then in memory.
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
    total, parts = 0, []
    for part in [rows] if isinstance(rows, pa.Table) else rows():
        total += part.num_rows
        ok = part.filter(pc.field("status") == "OK")
        if ok.num_rows:
            parts.append(_part(ok))
    if not parts:
        raise ValueError(f"{name}: expected at least one solved row, got {total} unsolved ones")
    committees, tables = sum(p.committees for p in parts), sum(p.tables for p in parts)
    sizes, losses = _added([p.sizes for p in parts]), _added([p.losses for p in parts])
    with_all = sum(p.with_all for p in parts)
    aligned_after, missed_most = _after_losses(parts)
    return Summary(
        name=name,
        tables=tables,
        committees=committees,
        unsolved=total - committees,
        optimum=math.fsum(p.optimum for p in parts) / tables,
        worst_with_all=math.fsum(p.worst_with_all for p in parts) / with_all if with_all else math.nan,
        bound_holds=sum(p.bound_holds for p in parts),
        bound_tight=sum(p.bound_tight for p in parts),
        tight_at=tuple(np.unique(np.concatenate([p.tight_at for p in parts]))[:4].tolist()),
        dynamics_above_worst=sum(p.dynamics_above_worst for p in parts),
        correlation=_correlation(parts),
        loss_by_size=tuple((losses / np.where(sizes, sizes, np.nan))[1:].tolist()),
        aligned_after=aligned_after,
        missed_most=missed_most,
    )


@dataclass(frozen=True)
class _Part:
    """Counts and sums over the solved rows of some tables.

    Attributes:
        optimum: sum over tables.
        with_all, worst_with_all: rows with all providers, and the sum of their worst utility.
        tight_at: the least four.
        means, products: of misalignment and of worst utility - optimum: `[2]`, and `[2, 2]` sums of products of
            differences from these.
        sizes, losses: rows, and the sum of optimum - worst utility, by committee size.
        kept: by number of providers: how many tables there are, how many whole ones survive 0, 1, .. losses, and who
            leaves first, of the last whole one.
    """

    tables: int
    committees: int
    optimum: float
    with_all: int
    worst_with_all: float
    bound_holds: int
    bound_tight: int
    tight_at: np.ndarray
    dynamics_above_worst: int
    means: np.ndarray
    products: np.ndarray
    sizes: np.ndarray
    losses: np.ndarray
    kept: dict[int, tuple[int, np.ndarray, int]]


_COLUMNS = ("optimum", "worst_utility", "bound", "misalignment", "dynamics_utility", "committee_size", "num_providers")


def _part(ok: pa.Table) -> _Part:
    optimum, worst, bound, eps, dynamics, size, providers = (ok[column].to_numpy() for column in _COLUMNS)
    tight = (np.abs(worst - bound) <= TOLERANCE) & (eps > TOLERANCE)
    ids, first = np.unique(ok["table_id"].to_numpy(), return_index=True)
    both = np.stack([eps, worst - optimum])
    means = both.mean(axis=1)
    apart = both - means[:, None]
    return _Part(
        tables=len(ids),
        committees=ok.num_rows,
        optimum=float(optimum[first].sum()),
        with_all=int((size == providers).sum()),
        worst_with_all=float(worst[size == providers].sum()),
        bound_holds=int((worst >= bound - TOLERANCE).sum()),
        bound_tight=int(tight.sum()),
        tight_at=np.unique(eps[tight].round(9))[:4],
        dynamics_above_worst=int((dynamics > worst).sum()),
        means=means,
        products=apart @ apart.T,
        sizes=np.bincount(size),
        losses=np.bincount(size, weights=optimum - worst),
        kept=_kept(ok),
    )


def _correlation(parts: list[_Part]) -> float:
    counts, means = np.array([p.committees for p in parts]), np.stack([p.means for p in parts])
    apart = means - counts @ means / counts.sum()
    products = sum(p.products for p in parts) + (apart.T * counts) @ apart
    spread = np.sqrt(np.diag(products))
    return float(products[0, 1] / spread.prod()) if (spread > 0).all() else math.nan


def _added(parts: list[np.ndarray]) -> np.ndarray:
    """The sum of arrays, the shorter ones as if zeros followed."""
    longest = max(map(len, parts))
    return np.sum([np.pad(part, (0, longest - len(part))) for part in parts], axis=0)


def _kept(ok: pa.Table) -> dict[int, tuple[int, np.ndarray, int]]:
    """`_Part.kept` of solved rows."""
    identity = np.stack([ok[name].to_numpy() for name in ("num_providers", "table_id", "seed")])
    order = np.lexsort(identity)  # in next to no time: rows are nearly in order
    begins = np.concatenate([[True], (np.diff(identity[:, order]) != 0).any(axis=0)])
    place, kept = np.empty(len(order), int), {}
    place[order] = np.cumsum(begins) - 1
    tables = identity[0, order[begins]]
    for providers, count in zip(*np.unique(tables, return_counts=True)):
        scores = np.full((len(tables), 2**providers - 1), np.nan)
        mine = tables[place] == providers
        scores[place[mine], ok["committee"].to_numpy()[mine] - 1] = ok["misalignment"].to_numpy()[mine]
        scores = scores[np.isfinite(scores).all(axis=1)]
        survived, leaving = np.zeros(providers, int), 0
        if len(scores):
            found = robustness(scores)
            losses = found.losses[:, -1]
            survived = (losses[:, None] >= np.arange(providers)).sum(axis=0)
            leaving = int(found.leaving[-1, -1, min(losses[-1] + 1, providers - 1)])
        kept[int(providers)] = int(count), np.append(survived, len(scores)), leaving
    return kept


def _after_losses(parts: list[_Part]) -> tuple[tuple[float, ...], int]:
    """`aligned_after` and `missed_most`."""
    tables: Counter[int] = Counter()
    for part in parts:
        tables.update({providers: count for providers, (count, _, _) in part.kept.items()})
    providers = min(tables, key=lambda k: (-tables[k], k))
    mine = [part.kept[providers] for part in parts if providers in part.kept]
    *survived, whole = np.sum([counts for _, counts, _ in mine], axis=0).tolist()
    if not whole:
        return (), 0
    return tuple(n / whole for n in survived), max(leaving for *_, leaving in mine) if whole == 1 else 0


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
