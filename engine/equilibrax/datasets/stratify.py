"""Tables by their misalignment: bins are filled evenly, by drawing candidates and rejecting those whose bin is full.

Table number n of a dataset must be in bin n modulo the number of bins, so every shard knows its own quotas. Its
candidates are the tables of ids that are its own: `candidates` ids for each of its tables. The first ones that fit are
taken, in the order of their ids. Scores are of the committee of all providers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from equilibrax.problems.tables import UtilityTables
from equilibrax.theory import misalignment


@dataclass(frozen=True)
class Bins:
    """Bins of equal width.

    Attributes:
        number: how many.
        low, high: the first begins at `low`, the last ends before `high`; candidates outside are rejected.
    """

    number: int
    low: float
    high: float

    def of(self, scores: np.ndarray) -> np.ndarray:
        """`[B]` the bins of scores, -1 of those outside and of NaN."""
        inside = (scores >= self.low) & (scores < self.high)
        width = (self.high - self.low) / self.number
        bins = np.floor((np.where(inside, scores, self.low) - self.low) / width).astype(np.int64)
        return np.where(inside, np.minimum(bins, self.number - 1), -1)


@dataclass(frozen=True)
class Found:
    """Tables that fill a shard's quotas.

    Attributes:
        tables: as many as a shard has; those after the first `count` only keep the shape.
        count: how many were found.
        record: what the shard's record says of it.
    """

    tables: UtilityTables
    count: int
    record: dict[str, Any]


def scores_of(tables: UtilityTables, game: Any) -> np.ndarray:
    """`[B]` misalignment of the committee of all providers, NaN where it was not found."""
    return misalignment(tables, [2**tables.num_providers - 1], game=game, throw=False).misalignment[:, 0]


def fill(
    bins: Bins,
    numbers: range,
    ids: range,
    size: int,
    draw: Callable[[range], UtilityTables],
    score: Callable[[UtilityTables], np.ndarray],
) -> Found:
    """Find the tables of a shard.

    Args:
        bins: the bins.
        numbers: the tables' numbers in the dataset.
        ids: candidates.
        size: how many are drawn at a time, and tables that are returned.
        draw: ids to candidates.
        score: candidates to scores, `[B]`.
    """
    wanted = np.bincount(np.array(numbers) % bins.number, minlength=bins.number)
    have = np.zeros_like(wanted)
    parts: list[UtilityTables] = []
    last = ids.start
    for start in range(ids.start, ids.stop, size):
        batch = range(start, min(start + size, ids.stop))
        candidates = draw(batch)
        where = bins.of(score(candidates))
        taken = np.zeros(len(batch), bool)
        for b in range(bins.number):
            fitting = np.flatnonzero(where == b)[: wanted[b] - have[b]]
            taken[fitting] = True
            have[b] += len(fitting)
        parts.append(_take(candidates, np.flatnonzero(taken)))
        full = bool((have == wanted).all())
        last = start + int(np.flatnonzero(taken)[-1]) + 1 if full else batch.stop
        if full:
            break
    else:
        full = False
    count = int(have.sum())
    tables = _join([*parts, _take(candidates, np.zeros(size - count, np.int64))])  # pyright: ignore[reportPossiblyUnboundVariable]
    record = {"status": "FILLED" if full else "GAVE_UP", "candidates": [ids.start, last]}
    record |= {"wanted": wanted.tolist(), "found": have.tolist()}
    return Found(tables, count, {"stratify": record})


def _take(tables: UtilityTables, which: np.ndarray) -> UtilityTables:
    names = ("user", "providers", "prior", "available", "table_id_words")
    return replace(tables, **{name: np.asarray(getattr(tables, name))[which] for name in names})


def _join(parts: list[UtilityTables]) -> UtilityTables:
    names = ("user", "providers", "prior", "available", "table_id_words")
    return replace(parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
