"""Checks of arguments: one message that names the argument, what was expected and what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Refuse a value that is not one of the choices."""
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")


def check_whole(name: str, value: Any, low: int, high: int = 2**31 - 1) -> None:
    """Refuse a value that is not a whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, got {value!r}")


def approximate(number: int) -> str:
    """A whole number of any size, in full or to its power of ten."""
    return f"{number:,}" if number < 10**15 else f"about 1e{math.floor(math.log10(number))}"


def positive_int(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name}: expected a positive whole number, got {value!r}")
    return int(value)


def as_numbers(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = None
    if array is None or array.dtype.kind not in "iufb" or array.size == 0:
        what = "rows of different lengths" if array is None else f"shape {array.shape} of {array.dtype}"
        raise ValueError(f"{name}: expected a non-empty array of numbers, got {what}")
    return array
