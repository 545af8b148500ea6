"""What results say of lotteries in the selection game: all utilities that the user can have in equilibrium.

Letters: C committees; N rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from equilibrax.verification import arrays
from equilibrax.verification.games import LOWEST
from equilibrax.verification.safely import short

if TYPE_CHECKING:
    from equilibrax.verification.results import Block

_SLACK = 1e-8  # of what members could have more; HiGHS takes a hundredth of it for zero


def check_intervals(block: Block, solved: np.ndarray) -> None:
    """Compare the intervals of solved rows with all faces, and some of them with what HiGHS says of single values."""
    name = "intervals"
    pairs, length, missing, bad = arrays.nested(block.results, name, 2)
    block.nulls(name, missing, solved)
    block.compare("intervals", name, "pairs of numbers", length, bad, solved & ~missing)
    true = [
        (ends / scale).astype(block.real).tolist()
        for of_table, scale in zip(block.answers.drawn.intervals, block.games.scale.tolist())
        for ends in of_table
    ]
    stored = np.split(pairs, np.cumsum(length)[:-1])
    said = np.array([str(ends.tolist()) for ends in stored], object)
    wrong = np.array([ends.tolist() != truth for ends, truth in zip(stored, true)])
    here = solved & ~missing & ~bad
    block.compare("intervals", name, lambda i: str(true[i]), said, wrong, here)
    _ask(block, here & ~wrong)


def _ask(block: Block, among: np.ndarray) -> None:
    """HiGHS finds an equilibrium in the middle of every interval, and none in the middle of a gap or below."""
    games, several = block.games, np.tile(_several(block.games.committees), len(block.games))
    rows = np.flatnonzero(among & several & block.programs)
    said, got, bad = [], [], np.zeros(len(rows), bool)
    for i, row in enumerate(rows.tolist()):
        table, committee = divmod(row, block.shape[1])
        mask, there = int(games.committees[committee]), games.available[table]
        values = games.contributions[table][[0, *(1 + j for j in range(games.providers) if mask >> j & 1)]]
        lowest = int(np.where(there, values[0], -LOWEST).min(axis=1).sum())
        said.append("")
        got.append("")
        for value, expected in _points(block.answers.drawn.intervals[table][committee].tolist(), lowest):
            try:
                slack = block.solver.slack(values, there, value)
            except RuntimeError as error:
                block.report.leave_out("errors", f"utilities that HiGHS does not decide ({short(error)})", 1)
                continue
            if (slack >= -_SLACK) != expected:
                what = "an equilibrium" if expected else "none"
                said[-1], bad[i] = f"{what} with the user's utility {value / games.scale[table]}", True
                got[-1] = f"members that miss {-slack:g} of their ranges"
    expected, found = np.array(said, object), np.array(got, object)
    block.report.compare("programs", block.file, "intervals", block.rows[rows], expected, found, bad)
    left = int((among & several).sum()) - len(rows)
    block.report.leave_out("sample", "utilities of lotteries by HiGHS", left)


def _several(committees: np.ndarray) -> np.ndarray:
    """`[C]` whether committees have two members or more."""
    return committees & (committees - 1) != 0


def _points(intervals: list[list[int]], lowest: int) -> Iterator[tuple[float, bool]]:
    """Values to ask about, and whether there is an equilibrium."""
    before = lowest
    for low, high in intervals:
        if before < low:
            yield (before + low) / 2, False
        if low < high:
            yield (low + high) / 2, True
        before = high
