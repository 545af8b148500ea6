"""Rows that come part by part, as the shards of a sweep do, and what figures of many tables need to know of them.

Nothing is kept of a part but sums, so that millions of tables need no more memory than thousands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from equilibrax.figures._statistics import ShownRows, footnote, nothing_shown, shown_rows

Rows = pa.Table | Callable[[], Iterable[pa.Table]]
"""Result rows, or a function that begins to read them, as often as it is called. A table is in one part alone."""


def parts_of(rows: Rows, columns: tuple[str, ...], whole_tables: bool = False) -> Iterator[ShownRows]:
    """What is shown of every part."""
    for part in [rows] if isinstance(rows, pa.Table) else rows():
        yield shown_rows(part, columns, whole_tables=whole_tables, or_none=True)


def whole(rows: Rows) -> pa.Table:
    """All rows together."""
    return rows if isinstance(rows, pa.Table) else pa.concat_tables(rows())


@dataclass
class Pool:
    """What is known of all parts.

    Attributes:
        tables, committees: how many are shown.
        sizes: committee sizes that occur, and how often.
        left_out: rows that are not shown, by reason.
        ranges: by size the largest misalignment, and the range of what is drawn against it.
        broken: misalignment, that and size of the rows that are marked, `[3, n]` of each part.
    """

    columns: tuple[str, ...]
    tables: int = 0
    committees: int = 0
    sizes: Counter[int] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    ranges: dict[int, np.ndarray] = field(default_factory=dict)
    broken: list[np.ndarray] = field(default_factory=list)

    def add(self, shown: ShownRows) -> None:
        """Count a part."""
        self.tables += shown.num_tables
        self.committees += len(shown)
        self.sizes.update(dict(zip(*(a.tolist() for a in np.unique(shown.size, return_counts=True)))))
        self.left_out.update(dict(shown.left_out))

    def add_points(self, shown: ShownRows, x: np.ndarray, y: np.ndarray, broken: np.ndarray) -> None:
        """Count a part of a figure of points."""
        self.add(shown)
        for size in shown.sizes:
            mine = shown.size == size
            found = np.array([x[mine].max(), -y[mine].min(), y[mine].max()])
            self.ranges[size] = np.maximum(self.ranges.get(size, found), found)
        self.broken.append(np.stack([x[broken], y[broken], shown.size[broken]]))

    def range(self, *sizes: int) -> tuple[np.ndarray, np.ndarray]:
        """As far out as any of these sizes, or of all: misalignment, and the ends of what is drawn against it."""
        right, low, high = np.max([self.ranges[size] for size in sizes or self.ranges], axis=0)
        return np.array([right]), np.array([-low, high])

    def footnote(self) -> str:
        """What is shown and what is not."""
        return footnote(self.tables, self.committees, _in_order(self.left_out))

    def check(self) -> None:
        """Refuse to show nothing.

        Raises:
            CannotShow: saying why everything is left out.
        """
        if not self.committees:
            raise nothing_shown(self.columns, _in_order(self.left_out))


def _in_order(left_out: Counter[str]) -> list[tuple[str, int]]:
    """Statuses by name, then missing values in the order in which they were found, then whole tables."""
    return sorted(left_out.items(), key=lambda item: _place(item[0]))


def _place(reason: str) -> tuple[int, str]:
    if reason == "of the same tables":
        return 2, ""
    return (1, "") if reason.startswith("without ") and reason != "without status" else (0, reason)
