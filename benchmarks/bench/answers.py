"""When two engines' answers are the same: integers exactly, other numbers to 1e-9, over the common tables.

A quantal user's values are rounded, and whether a cell is stable depends on a difference of such values and a
tolerance. Tables with a cell that is worth within the tolerance of its best split are marked `undecided` by the
reference and left out of the comparison; everywhere else the counts have to be the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Answer = dict[str, Any]
"""Arrays `[B, ...]` by name. Names that begin with an underscore are scalars that count things: retries, overflows."""

TOLERANCE = 1e-9
"""Largest difference of misalignment scores and of quantal utilities, in units of utility, and of mean squared errors
of answers from 0 to 1."""

MOST_TABLES = 4096
"""Tables whose answers are written and compared."""


def first_rows(answer: Answer, most: int = MOST_TABLES) -> Answer:
    """An answer cut to the tables that are compared; counters as they are."""
    return {name: value if name.startswith("_") else value[:most] for name, value in answer.items()}


def difference(answer: Answer, reference: Answer) -> str | None:
    """What differs, in words, or None: compares the arrays that both have, over the tables that both have.

    Tables that the reference marks in `undecided` (`[B]` bool) are left out.

    Example:
        >>> one = {"worst": np.array([[3, 4], [5, 6]])}
        >>> difference(one, {"worst": np.array([[3, 4]])}) is None
        True
        >>> difference(one, {"worst": np.array([[3, 5]])})
        'worst differs in 1 of 2 places; the first is (0, 1): 4, expected 5'
    """
    names = [n for n in reference if n in answer and not n.startswith("_") and n != "undecided"]
    undecided = reference.get("undecided")
    if not names or (undecided is not None and undecided.all()):
        return "there is nothing to compare"
    for name in names:
        tables = min(len(answer[name]), len(reference[name]))
        mine, other = answer[name][:tables], reference[name][:tables]
        if mine.shape != other.shape:
            return f"{name} has shape {mine.shape}, expected {other.shape}"
        exact = mine.dtype.kind in "iub" and other.dtype.kind in "iub"
        same = mine == other if exact else np.abs(mine - other) <= TOLERANCE
        if undecided is not None:
            same[undecided[:tables]] = True
        if not same.all():
            where = tuple(int(i) for i in np.argwhere(~same)[0])
            return (
                f"{name} differs in {int((~same).sum())} of {same.size} places; the first is {where}: "
                f"{mine[where].item()}, expected {other[where].item()}"
            )
    uncertified = int(answer.get("_uncertified", np.int64(0)))
    return f"{uncertified} scores are not certified" if uncertified else None
