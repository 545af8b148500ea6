"""Efficiency of worst equilibria: stored weights prove the gap from above, HiGHS from below.

With weights w >= 0 of sum 1 the sum over states of the most that `w . u` can be, minus `w . v` of the outcome, is at
least what any lottery gives everybody beyond it. If that is 0 and all weights are positive, the outcome is efficient.

Letters: B tables, P = 1 + K players, X states, A actions, C committees; N = B C rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax.verification import arrays
from equilibrax.verification.programs import Programs
from equilibrax.verification.report import Verification
from equilibrax.verification.results import Block, checks
from equilibrax.verification.safely import short

NAMES = "efficient", "efficiency_gap", "negishi_weights"

_TIGHT = 1e-8  # of a gap, on the largest range of an agent's utilities


@dataclass(frozen=True)
class Outcomes:
    """What rows say is the efficiency of.

    Attributes:
        contributions: `[B, P, X, A]` of tables, in values.
        available: `[B, X, A]`.
        scale: `[B]` values per unit of utility.
        values: `[B, C, P]` of the outcomes.
        member: `[C, P]` bool, whose utilities count.
        known: `[N]` which outcomes are known.
        picked: `[N]` which to give to HiGHS.
    """

    contributions: np.ndarray
    available: np.ndarray
    scale: np.ndarray
    values: np.ndarray
    member: np.ndarray
    known: np.ndarray
    picked: np.ndarray


@checks(*NAMES)
def _efficiency(block: Block, solved: np.ndarray, flags: np.ndarray) -> None:
    games, schemes = block.games, block.answers.worst_scheme
    if schemes is None and "schemes" in block.configuration["columns"]:
        stored = arrays.lists(block.results, "worst_scheme", games.states)[0]
        schemes = stored.reshape(*block.shape, -1)
    if schemes is None:
        shape = (*block.shape, games.states)
        values, known = games.values_of(np.zeros(shape, np.int64))[0], np.zeros(block.shape, bool)
    else:
        values, known = games.values_of(schemes)
    bits = games.committees[:, None] >> np.arange(games.providers) & 1
    compare_efficiency(
        block.report,
        block.file,
        block.rows,
        block.results,
        Outcomes(
            contributions=games.contributions,
            available=games.available,
            scale=games.scale,
            values=values,
            member=np.concatenate([np.ones((len(bits), 1), bool), bits == 1], axis=1),
            known=known.reshape(-1),
            picked=block.programs,
        ),
        solved,
        block.solver,
    )


def compare_efficiency(
    report: Verification,
    file: str,
    rows: np.ndarray,
    results: pa.Table,
    of: Outcomes,
    there: np.ndarray,
    solver: Programs,
) -> None:
    """Check the columns of N rows, of which those of `there` should have numbers."""

    def compare(column: str, expected: Any, got: Any, bad: np.ndarray, among: np.ndarray) -> None:
        report.compare("efficiency", file, column, rows, expected, got, bad, among)

    tables, committees, players = of.values.shape
    for name in NAMES:
        missing = results[name].combine_chunks().is_null().to_numpy(zero_copy_only=False)
        expected, got = np.where(there, "a value", "none"), np.where(missing, "none", "a value")
        report.compare("nulls", file, name, rows, expected, got, missing == there)
        there = there & ~missing
    gap, efficient = (arrays.numbers(results, name)[0] for name in ("efficiency_gap", "efficient"))
    weights, _, bad = arrays.lists(results, "negishi_weights", players)
    compare("negishi_weights", f"{players} numbers", weights, bad, there)
    there, eps = there & ~bad, float(np.finfo(gap.dtype).eps)
    gap, weights = gap.astype(float), weights.astype(float)
    member = np.tile(of.member, (tables, 1))
    off = np.abs(weights.sum(axis=1) - 1) > 1e-9 + 8 * eps
    wrong = off | (weights < 0).any(axis=1) | (np.where(member, 0, weights) != 0).any(axis=1)
    compare("negishi_weights", "weights of the user and the members, of sum 1", weights, wrong, there)
    told = efficient & ((np.where(member, weights, 1) <= 0).any(axis=1) | (gap != 0))
    compare("efficient", "positive weights and no gap where it is efficient", efficient, told, there & ~wrong)

    per = of.contributions / of.scale[:, None, None, None]
    exists = of.available[:, None]
    extent = np.where(exists, per, -np.inf).max(axis=3) - np.where(exists, per, np.inf).min(axis=3)
    slack = (_TIGHT + 8 * eps) * np.repeat(extent.sum(axis=2).max(axis=1), committees)
    shaped = weights.reshape(tables, committees, players)
    most = np.einsum("bcp,bpxa->bcxa", shaped, per)
    most = np.where(of.available[:, None], most, -np.inf).max(axis=3).sum(axis=2)
    proved = (most - (shaped * of.values / of.scale[:, None, None]).sum(axis=2)).reshape(-1)
    known = there & of.known & ~wrong
    report.leave_out("large", "efficiency of worst equilibria that are not known", int((there & ~of.known).sum()))
    said = np.array([f"what the weights prove, {value!r}" for value in proved.tolist()], object)
    compare("efficiency_gap", said, gap, ~(np.abs(proved - gap) <= slack), known)

    chosen = np.flatnonzero(known & of.picked)
    expected, bad = np.full(len(rows), "", object), np.zeros(len(rows), bool)
    for row in chosen.tolist():
        table, committee = divmod(row, committees)
        who = of.member[committee]
        given, own = per[table, who], of.values[table, committee, who] / of.scale[table]
        try:
            least, gains = solver.gains(given, of.available[table], own)
        except RuntimeError as error:
            report.leave_out("errors", f"gaps that HiGHS does not find ({short(error)})", 1)
            continue
        expected[row] = f"a gap of at least {least!r}, and {gains!r} for all together"
        bad[row] = gap[row] < least - slack[row] or (bool(efficient[row]) and gains > len(own) * slack[row])
        if not efficient[row] and gains <= 1e-12:
            report.leave_out("ties", "outcomes that are dominated by less than rounding, if at all", 1)
    among = np.zeros(len(rows), bool)
    among[chosen] = True
    compare("efficiency_gap", expected, gap, bad, among)
    report.leave_out("sample", "efficiency gaps by HiGHS", int(known.sum()) - len(chosen))
