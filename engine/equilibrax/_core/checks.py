"""Checks of arguments: one message that names the argument, what was expected and what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
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


def check_number(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    infinite: bool = False,
) -> float:
    """A real number from `low` (above it, with `above`) to `high`; infinity only with `infinite`."""
    real = isinstance(value, Real | np.number) and not isinstance(value, bool | np.complexfloating)
    try:
        number = float(value) if real else math.nan
    except OverflowError:  # a whole number that is too large
        number = math.inf
    inside = (low < number if above else low <= number) and number <= high
    if not inside or (math.isinf(number) and not infinite):
        kind = "a number" if infinite or high < math.inf else "a finite number"
        reach = "" if low == -math.inf else f" above {low:g}" if above else f" of at least {low:g}"
        most = "" if high == math.inf else f" and at most {high:g}" if reach else f" of at most {high:g}"
        raise ValueError(f"{name}: expected {kind}{reach}{most}, got {shown(value)}")
    return number


def check_numbers(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    infinite: bool = False,
    shape: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Real numbers from `low` to `high` as float64; infinity only with `infinite`; broadcast to a shape, if any."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    fractions = array.dtype == object and all(isinstance(v, Real) and not isinstance(v, bool) for v in array.flat)
    array = array.astype(np.float64) if array.dtype.kind in "iuf" or fractions else np.asarray(math.nan)
    endless = bool(np.isinf(array).any()) and not infinite
    if endless or not ((low <= array) & (array <= high)).all():
        kind = "finite numbers" if endless or low == -math.inf else f"numbers of at least {low:g}"
        most = "" if high == math.inf else f" and at most {high:g}"
        raise ValueError(f"{name}: expected {kind}{most}, got {shown(value)}")
    return array if shape is None else fill_shape(name, array, shape, "a number")


def check_flags(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Booleans, broadcast to a shape."""
    array = np.asarray(value)
    if array.dtype != bool:
        raise ValueError(f"{name}: expected True or False, or booleans of shape {list(shape)}, got {shown(value)}")
    return fill_shape(name, array, shape, "True or False")


def fill_shape(name: str, array: np.ndarray, shape: tuple[int, ...], one: str) -> np.ndarray:
    """An array broadcast to a shape."""
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name}: expected {one} or shape {list(shape)}, got shape {list(array.shape)}") from None


def shown(value: Any) -> str:
    """A value as text, in full if it is short."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


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
