"""Checks of arguments: one message that names the argument, what was expected and what came."""

from __future__ import annotations

import math
import reprlib
import sys
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any, TypeVar

import numpy as np

from equilibrax._core.suggestions import did_you_mean

INT32_MAX = 2**31 - 1

ON_THE_HOST = "equilibrax works on the host: call it outside of jax.jit, vmap and grad"


T = TypeVar("T")


def expect(name: str, value: Any, *kinds: type[T], where: str = "", more: str = "") -> T:
    """The value, if it is of one of these classes; their `made_by` says what to call to have one.

    Args:
        name: of the argument.
        value: what came.
        kinds: classes; those that people make have `made_by`, calls in words.
        where, more: what else is said of what is expected, and of what came.

    Raises:
        ValueError: naming the argument, what was expected, what came, and what makes it.
    """
    if isinstance(value, kinds):
        return value
    expected = " or ".join(kind.__name__ for kind in kinds)
    article = "" if kinds[0].__name__.endswith("s") else "an " if kinds[0].__name__[0] in "AEIOU" else "a "
    made = {kind.__name__: by for kind in kinds if (by := getattr(kind, "made_by", ""))}
    how = [f"; {by} makes {'one' if len(made) == 1 else kind}" for kind, by in made.items()]
    raise ValueError(f"{name}: expected {article}{expected}{where}, got {type(value).__name__}{more}{''.join(how)}")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Refuse a value that is not one of the choices."""
    if value not in choices:
        hint = did_you_mean(value, map(str, choices)) if isinstance(value, str) else ""
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}{hint}")


def check_whole(name: str, value: Any, low: int, high: int | None = INT32_MAX) -> int:
    """The value as an int, if it is a whole number in a range."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        limits = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name}: expected a whole number {limits}, got {shown(value)}")
    return int(value)


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
    except OverflowError:  # beyond floating point is not infinity, and may be below zero
        number = math.nan
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
    array = as_array(name, value)
    fractions = array.dtype == object and all(isinstance(v, Real) and not isinstance(v, bool) for v in array.flat)
    try:
        array = array.astype(np.float64) if array.dtype.kind in "iuf" or fractions else np.asarray(math.nan)
    except OverflowError:  # a whole number that is too large
        array = np.asarray(math.nan)
    endless = bool(np.isinf(array).any()) and not infinite
    if endless or not ((low <= array) & (array <= high)).all():
        kind = "finite numbers" if endless or low == -math.inf else f"numbers of at least {low:g}"
        most = "" if high == math.inf else f" and at most {high:g}"
        raise ValueError(f"{name}: expected {kind}{most}, got {shown(value)}")
    return array if shape is None else fill_shape(name, array, shape, "a number")


def check_flags(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Booleans, broadcast to a shape."""
    array = as_array(name, value)
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
    try:
        text = repr(value)
    except ValueError:  # Python does not write whole numbers of more than 4,300 digits
        text = approximate(value) if isinstance(value, int) else type(value).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."


def approximate(number: int) -> str:
    """A whole number of any size, in full or to its power of ten."""
    if abs(number) < 10**15:
        return f"{number:,}"
    return f"about {'-' if number < 0 else ''}1e{math.floor(math.log10(abs(number)))}"


def positive_int(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name}: expected a positive whole number, got {shown(value)}")
    return int(value)


def as_numbers(name: str, value: Any, *, rationals: bool = False) -> np.ndarray:
    """A non-empty array of real numbers; with `rationals` perhaps of `Fraction` (dtype object), taken exactly.

    Refuses what NumPy would convert without a word: masks that are lost, imaginary parts, dates, text, traced arrays.
    """
    array = as_array(name, value)
    if rationals and array.dtype == object and array.shape and array.size:
        array = _rationals(name, array)
    elif array.dtype.kind not in "iufb" or array.size == 0:
        ragged = array.dtype == object and array.shape == () and value is not None
        what = "rows of different lengths" if ragged else f"shape {array.shape} of {array.dtype}"
        raise ValueError(f"{name}: expected a non-empty array of numbers, got {what}")
    return array


def as_floats(name: str, value: Any) -> np.ndarray:
    """An array of float64, perhaps empty; refuses what `as_numbers` does."""
    array = as_array(name, value)
    if array.size and array.dtype.kind not in "iufb":
        raise ValueError(f"{name}: expected numbers, got shape {array.shape} of {array.dtype}")
    return array.astype(np.float64)


def as_ratings(name: str, value: Any) -> np.ndarray:
    """An array of float64, NaN where something is missing: masked, or None; refuses what is no number."""
    if isinstance(value, np.ma.MaskedArray) and value.dtype.kind in "iufb":
        value = np.where(np.ma.getmaskarray(value), math.nan, value.data)
    array = as_array(name, value)
    if array.dtype == object and array.shape:
        kinds = (Real, Decimal, type(None))
        bad = next((one for one in array.flat if not isinstance(one, kinds) or isinstance(one, bool)), 0)
        if not isinstance(bad, kinds) or isinstance(bad, bool):
            raise ValueError(f"{name}: expected an array of numbers, got {reprlib.repr(bad)} in it")
        return np.array([math.nan if one is None else float(one) for one in array.flat]).reshape(array.shape)
    if array.size and array.dtype.kind not in "iufb":
        what = "rows of different lengths" if array.dtype == object else f"shape {array.shape} of {array.dtype}"
        raise ValueError(f"{name}: expected an array of numbers, got {what}")
    return array.astype(np.float64)


def as_classes(name: str, value: Any) -> np.ndarray:
    """Labels that are only compared with each other: whole numbers, booleans or text."""
    array = as_array(name, value)
    if array.dtype.kind not in "iubU":
        raise ValueError(f"{name}: expected labels, got shape {list(array.shape)} of {array.dtype}")
    return array


def as_array(name: str, value: Any) -> np.ndarray:
    """Whatever NumPy makes of it, but nothing that is masked or traced; `array(None)` of rows of different lengths."""
    _refuse_lossy(name, value)
    try:
        return np.asarray(value)
    except ValueError:
        return np.asarray(None)


def _refuse_lossy(name: str, value: Any) -> None:
    """Refuse traced arrays and masks, also within lists."""
    if isinstance(value, list | tuple):
        for part in value:
            _refuse_lossy(name, part)
    elif isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise ValueError(
                f"{name}: expected a number in every place, got a masked array; fill it (which actions "
                f"exist is said by `available`)"
            )
    else:
        refuse_traced(name, value)


def refuse_traced(name: str, value: Any) -> None:
    """Refuse an array inside of a program that JAX is tracing."""
    jax = sys.modules.get("jax")  # nothing is traced before it is imported
    if jax is not None and isinstance(value, jax.core.Tracer):
        raise ValueError(f"{name}: expected numbers, got a traced array; {ON_THE_HOST}")


def _rationals(name: str, array: np.ndarray) -> np.ndarray:
    """The same numbers as `Fraction`; what is not finite stays a float."""
    exact = np.empty(array.shape, object)
    for index, value in np.ndenumerate(array):
        if isinstance(value, float | np.floating):
            exact[index] = Fraction(str(value)) if math.isfinite(value) else float(value)
        elif isinstance(value, Rational | np.integer) and not isinstance(value, bool):
            exact[index] = Fraction(int(value)) if isinstance(value, np.integer) else Fraction(value)
        elif isinstance(value, Decimal) and value.is_finite():
            exact[index] = Fraction(value)
        else:
            raise ValueError(f"{name}: expected numbers, got {reprlib.repr(value)} at index {list(index)}")
    return exact


def with_batch(name: str, value: Any, shape: str) -> np.ndarray:
    """Numbers, perhaps rationals, with a batch axis, which `shape` (such as "[X, A]") lacks and the value may lack."""
    array = as_numbers(name, value, rationals=True)
    axes = shape.count(",") + 1
    if array.ndim not in (axes, axes + 1):
        raise ValueError(f"{name}: expected shape {shape} or [B, {shape[1:]}, got {list(array.shape)}")
    return array if array.ndim == axes + 1 else array[None]


def same_for_all(name: str, array: np.ndarray, batch: int, shape: Sequence[int]) -> np.ndarray:
    """`[B, *shape]`, from that, or from what holds for all of the batch."""
    if array.shape not in (tuple(shape), (1, *shape), (batch, *shape)):
        raise ValueError(f"{name}: expected shape {list(shape)} or {[batch, *shape]}, got {list(array.shape)}")
    return np.broadcast_to(array, (batch, *shape))


def finite(array: np.ndarray) -> np.ndarray:
    """Which numbers are finite; rationals are."""
    return np.isfinite(array.astype(np.float64))


def check_finite(name: str, array: np.ndarray, needed: Any = True) -> None:
    """Refuse utilities that are not finite where they are needed; `needed` broadcasts."""
    bad = ~finite(array) & needed
    if bad.any():
        where = np.argwhere(bad)[0].tolist()
        raise ValueError(f"{name}: expected finite utilities, got {array[tuple(where)]} at index {where}")


def availability(available: Any, batch: int, rows: int, actions: int, one: str, row: str) -> np.ndarray:
    """`[B, rows, A]` bool, a copy; None is all.

    Every row (such as a state) of every `one` (such as a table) has an action.
    """
    shape = (rows, actions)
    if available is None:
        return np.ones((batch, *shape), bool)
    mask = as_numbers("available", available)
    if mask.dtype != bool or mask.shape not in (shape, (1, *shape), (batch, *shape)):
        raise ValueError(
            f"available: expected booleans of shape {list(shape)} or {[batch, *shape]}, "
            f"got {list(mask.shape)} of {mask.dtype}"
        )
    mask = np.broadcast_to(mask, (batch, *shape)).copy()
    if not mask.any(axis=2).all():
        which, where = np.argwhere(~mask.any(axis=2))[0].tolist()
        raise ValueError(f"available: expected an action {row}, got none in {one} {which}, {row.split()[-1]} {where}")
    return mask


def check_providers(name: str, providers: int, most: int) -> int:
    """The number of providers, if it is at least one and not too many."""
    if not 1 <= providers <= most:
        raise ValueError(f"{name}: expected 1 to {most} providers, got {providers}")
    return providers


def as_labels(name: str, value: Any, shape: Sequence[int]) -> np.ndarray:
    """Whole labels of exactly this shape."""
    labels = as_array(name, value)
    if labels.dtype.kind not in "iu" or labels.shape != tuple(shape):
        raise ValueError(
            f"{name}: expected whole numbers of shape {list(shape)}, got {list(labels.shape)} of {labels.dtype}"
        )
    return labels
