"""Which split a table is in: a function of the seed and the table's id alone, so that shards need not agree.

    hash = mix(mix(seed) + id)         modulo 2**64, ids and seeds as unsigned 64-bit integers

where `mix` is one step of splitmix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014):

    z = x + 0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB
    mix(x) = z ^ (z >> 31)

A table is in the first split whose cumulative share, times 2**64 and rounded down, exceeds the hash. Shares are the
decimal numbers that are written, not their nearest binary ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np

SPLITS = ("train", "validation", "test")
"""Names of the splits, in the order of their shares."""

DEFAULT_SHARES = (0.9, 0.05, 0.05)


def check_shares(shares: Any) -> None:
    """Refuse what are no shares of three splits.

    Raises:
        ValueError: naming `splits`, what was expected and what came.
    """
    numbers = isinstance(shares, tuple) and len(shares) == len(SPLITS)
    if not numbers or not all(type(s) in (int, float) and 0 <= s <= 1 for s in shares):
        raise ValueError(f"splits: expected three shares from 0 to 1 ({', '.join(SPLITS)}), got {shares!r}")
    total = sum(_exact(shares))
    if total != 1:
        raise ValueError(f"splits: expected shares that sum to 1, got {shares!r}, which sum to {float(total):g}")


def split_names(shares: Sequence[float]) -> list[str]:
    """The splits that are written: those with a positive share."""
    return [name for name, share in zip(SPLITS, shares) if share > 0]


def split_of(table_id: np.ndarray, seed: int, shares: Sequence[float]) -> np.ndarray:
    """`[B]` the positions of the tables' splits among `split_names(shares)`.

    Args:
        table_id: `[B]` int64.
        seed: of the sweep.
        shares: of `SPLITS`, as checked by `check_shares`.

    Example:
        >>> split_of(np.arange(10), 0, (0.5, 0.0, 0.5)).tolist()
        [1, 0, 1, 1, 0, 0, 1, 0, 1, 1]
    """
    positive = [share for share in _exact(shares) if share > 0]
    limits = [int(share * 2**64) for share in accumulate(positive)][:-1]
    hashes = _mix(_mix(np.array([seed], np.uint64)) + np.asarray(table_id).astype(np.uint64))
    return np.searchsorted(np.array(limits, np.uint64), hashes, side="right")


def _exact(shares: Sequence[float]) -> list[Fraction]:
    return [Fraction(repr(share)) for share in shares]


def _mix(values: np.ndarray) -> np.ndarray:
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
