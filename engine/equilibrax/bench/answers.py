"""When two engines' answers are the same: integers exactly, misalignment scores to 1e-9, over the common tables."""

from __future__ import annotations

from typing import Any

import numpy as np

Answer = dict[str, Any]
"""Arrays `[B, ...]` by name. Names that begin with an underscore are scalars that count things: retries, overflows."""

TOLERANCE = 1e-9
"""Largest difference of misalignment scores, in units of utility."""

MOST_TABLES = 4096
"""Tables whose answers are written and compared."""


def first_rows(answer: Answer, most: int = MOST_TABLES) -> Answer:
    """An answer cut to the tables that are compared; counters as they are."""
    return {name: value if name.startswith("_") else value[:most] for name, value in answer.items()}


def difference(answer: Answer, reference: Answer) -> str | None:
    """What differs, in words, or None: compares the arrays that both have, over the tables that both have.

    Example:
        >>> one = {"worst": np.array([[3, 4], [5, 6]])}
        >>> difference(one, {"worst": np.array([[3, 4]])}) is None
        True
        >>> difference(one, {"worst": np.array([[3, 5]])})
        'worst differs in 1 of 2 places; the first is (0, 1): 4, expected 5'
    """
    names = [name for name in reference if name in answer and not name.startswith("_")]
    if not names:
        return "there is nothing to compare"
    for name in names:
        tables = min(len(answer[name]), len(reference[name]))
        mine, other = answer[name][:tables], reference[name][:tables]
        if mine.shape != other.shape:
            return f"{name} has shape {mine.shape}, expected {other.shape}"
        exact = mine.dtype.kind in "iub" and other.dtype.kind in "iub"
        same = mine == other if exact else np.abs(mine - other) <= TOLERANCE
        if not same.all():
            where = tuple(int(i) for i in np.argwhere(~same)[0])
            return (
                f"{name} differs in {int((~same).sum())} of {same.size} places; the first is {where}: "
                f"{mine[where].item()}, expected {other[where].item()}"
            )
    uncertified = int(answer.get("_uncertified", np.int64(0)))
    return f"{uncertified} scores are not certified" if uncertified else None
