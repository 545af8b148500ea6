"""Real numbers as integers, once: utilities in steps of a resolution, weights in their proportions.

Numbers are floats, integers, or exact rationals (`Fraction`, in arrays of objects). A float is read as the number that
people write for it: 0.30000000000000004 is 0.3 with noise, 0.3333333333333333 is 1/3.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import NamedTuple, TypeVar

import numpy as np

from equilibrax._core.checks import INT32_MAX, check_finite, finite, positive_int

DEFAULT_RESOLUTION = 10_000
"""Steps per unit of utility where fewer decimals than five are given, or more than can be held."""

WEIGHT_STEPS = 1_000_000
"""Weights that are no ratios of small whole numbers are rounded to this share of their sum."""

_NOISE = 8 * np.finfo(np.float64).eps  # times the player's largest number: what arithmetic leaves of a decimal
_CLOSE = Fraction(1, 10**12)  # how near a ratio of small whole numbers is the ratio that is meant
_SMALL = 10_000  # the largest denominator of such a ratio

Built = TypeVar("Built")


class RoundingWarning(UserWarning):
    """Payoffs that differ became equal, because no resolution that can be held represents them."""


class TooLargeError(ValueError):
    """Fixed-point numbers do not fit the integers that games are solved with."""


# --- utilities --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Payoffs:
    """Utilities as they were given: the last `axes` axes are one player's; `needed` broadcasts."""

    values: np.ndarray
    needed: np.ndarray
    axes: int


def in_steps(
    build: Callable[[int], Built], resolution: int | None, payoffs: Sequence[Payoffs], most: int = INT32_MAX
) -> Built:
    """`build(resolution)`.

    None is the smallest power of ten of at least 10,000 that represents all payoffs, in numbers up to `most`, and that
    `build` takes; where there is none, 10,000, with a warning that counts the payoffs that became equal.
    """
    if resolution is not None:
        return build(positive_int("resolution", resolution))
    real = [_Player.of(p) for p in payoffs]
    steps = _representing(real, max(float(p.largest.max()) for p in real), most)
    if steps is not None and steps > DEFAULT_RESOLUTION:
        try:
            return build(steps)
        except TooLargeError:
            pass
    built = build(DEFAULT_RESOLUTION)
    if steps != DEFAULT_RESOLUTION:
        merged = sum(_merged(player) for player in real)
        if merged:
            warnings.warn(
                f"resolution: {merged:,} different payoffs became equal when rounded to 1/{DEFAULT_RESOLUTION:,}, and "
                f"no resolution that can be held represents them; scale them, or give a resolution",
                RoundingWarning,
                stacklevel=_callers() + 1,
            )
    return built


def _callers() -> int:
    """How many frames above the caller are the library's own, so that a warning names the line of its user."""
    frame, count = sys._getframe(1), 0
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "equilibrax":
        frame, count = frame.f_back, count + 1
    return count


class _Player(NamedTuple):
    """`values` `[P, N]`: float64, a row for each player, 0 where not needed; `needed` `[P, N]`; `largest` `[P, 1]`."""

    values: np.ndarray
    needed: np.ndarray
    largest: np.ndarray
    kind: np.dtype

    @classmethod
    def of(cls, payoffs: Payoffs) -> _Player:
        shape = np.broadcast_shapes(payoffs.values.shape, payoffs.needed.shape)
        rows = -1, int(np.prod(shape[len(shape) - payoffs.axes :]))
        needed = np.broadcast_to(payoffs.needed, shape).reshape(rows)
        given = np.broadcast_to(payoffs.values, shape).reshape(rows)
        values = np.where(needed & finite(given), given, 0).astype(np.float64)
        return cls(values, needed, np.abs(values).max(axis=1, keepdims=True), payoffs.values.dtype)


def _representing(players: Sequence[_Player], largest: float, most: int) -> int | None:
    """The smallest power of ten from 10,000 of which all numbers are multiples, in numbers up to `most`."""
    steps = DEFAULT_RESOLUTION
    while steps * largest <= most:
        if all(_multiples(player, steps) for player in players):
            return steps
        steps *= 10
        if steps > most:
            break
    return None


def _multiples(player: _Player, steps: int) -> bool:
    if player.kind.kind in "iub":
        return True
    few = max(1, 1000 // player.values.shape[1])
    for part in (slice(few), slice(None)):  # most that are none are found at once
        values = player.values[part]
        nearest = np.rint(values * steps) / steps
        near = np.abs(nearest - values) <= player.largest[part] * _NOISE
        if player.kind.kind == "f" and player.kind.itemsize < 8:  # the decimal is read as this number
            near |= nearest.astype(player.kind) == values.astype(player.kind)
        if not near.all():
            return False
    return True


def _merged(player: _Player) -> int:
    """How many payoffs of a player differ from her next smaller one, and are equal to it after rounding."""
    rows = np.sort(np.where(player.needed, player.values, np.inf), axis=1)
    with np.errstate(invalid="ignore"):
        apart = np.diff(rows, axis=1) > player.largest * _NOISE
        equal = np.diff(np.rint(rows * DEFAULT_RESOLUTION), axis=1) == 0
    return int((apart & equal).sum())


def fixed_point(
    name: str, utilities: np.ndarray, needed: np.ndarray, resolution: int, most: int = INT32_MAX
) -> np.ndarray:
    """int64, utility times resolution, in the shape of both broadcast; zero where it is not needed."""
    shape = np.broadcast_shapes(utilities.shape, needed.shape)
    given, needed = np.broadcast_to(utilities, shape), np.broadcast_to(needed, shape)
    real = given.astype(np.float64)
    check_finite(name, real, needed)
    real = np.where(needed, real, 0.0)
    scaled = np.rint(real * resolution)
    if np.abs(scaled).max() > most:
        raise TooLargeError(
            f"{name}: utility x resolution must fit in {most.bit_length() + 1} bits (at most {most}), got a utility of "
            f"magnitude {np.abs(real).max():g} with resolution={resolution}; use a smaller resolution"
        )
    if utilities.dtype == object:
        scaled[needed] = [round(value * resolution) for value in given[needed]]
    elif utilities.dtype.kind == "f":  # 0.545 times 100 is above a half in floating point, and exactly one as written
        noise = 8 * max(np.finfo(utilities.dtype).eps, np.finfo(np.float64).eps) * (1 + np.abs(scaled))
        doubtful = needed & (np.abs(np.abs(real * resolution - scaled) - 0.5) <= noise)
        if doubtful.any():
            scaled[doubtful] = [round(Fraction(str(value)) * resolution) for value in given[doubtful]]
    return scaled.astype(np.int64)


# --- weights ----------------------------------------------------------------------------------------------------------


def positive_weights(weights: np.ndarray) -> np.ndarray:
    """`[B, X]` positive integers, as `whole_weights`; refuses a prior that is not positive."""
    check_positive(weights)
    known: dict[tuple, list[int]] = {}
    rows = [tuple(row) for row in listed(weights)]
    for row in rows:
        if row not in known:
            known[row] = whole_weights("prior", row, "shares of")
    return np.array([known[row] for row in rows], np.int64)


def check_positive(weights: np.ndarray) -> None:
    """Refuse a prior `[B, X]` that is not positive and finite."""
    bad = ~(finite(weights) & (weights > 0))
    if bad.any():
        table, state = np.argwhere(bad)[0].tolist()
        raise ValueError(
            f"prior: expected positive finite weights, got {weights[table, state]} in table {table}, state {state}"
        )


def listed(array: np.ndarray) -> list:
    """As lists of Python's numbers; a short float is the decimal, or the ratio, that people write for it."""
    if array.dtype.kind != "f" or array.dtype.itemsize == 8:
        return array.tolist()
    if array.dtype.itemsize > 8:
        return array.astype(np.float64).tolist()
    flat = [_as_written_short(value) for value in array.ravel()]
    return np.array([*flat, None], object)[:-1].reshape(array.shape).tolist()


def _as_written_short(value: np.floating) -> float | Fraction:
    """0.3333 of float16 and 0.33333334 of float32 are 1/3."""
    digits, most = (3, 12) if value.itemsize < 4 else (6, 100)
    decimal = float(str(value))
    if not math.isfinite(decimal) or float(f"{decimal:.{digits}g}") == decimal:
        return decimal
    ratio = Fraction(decimal).limit_denominator(most)
    return ratio if ratio > 0 and abs(type(value)(float(ratio)) - value) <= np.spacing(value) else decimal


def whole_weights(name: str, row: Sequence[float | Fraction], expected: str = "zero or") -> list[int]:
    """Integers in the same proportions, without a common factor.

    They are exact where they fit 32 bits, and where the weights are, but for noise, ratios of small whole numbers;
    others are rounded to a millionth of their sum. Whole numbers are kept exactly or refused. Zeros stay zero; what is
    positive and would become zero is refused.
    """
    exact = [_as_written(weight) for weight in row]
    counts = _in_lowest_terms(exact)
    if max(counts) <= INT32_MAX:
        return counts
    if all(isinstance(w, int) or (w == int(w) and (w < 2**53 or not isinstance(w, float))) for w in row):
        raise ValueError(
            f"{name}: expected weights in ratios of whole numbers up to {INT32_MAX}, got {max(counts)} in lowest terms"
        )
    total = sum(exact)
    shares = [weight / total for weight in exact]
    near = [share.limit_denominator(_SMALL) for share in shares]
    simple = all(abs(share - close) <= _CLOSE for share, close in zip(shares, near)) and sum(near) == 1
    if simple and lcm(*(share.denominator for share in near)) <= WEIGHT_STEPS:
        counts = _in_lowest_terms(near)
    else:
        counts = [round(share * WEIGHT_STEPS) for share in shares]
    lost = [share for share, kept in zip(shares, counts) if share > 0 and kept == 0]
    if lost:
        raise ValueError(
            f"{name}: a share of {float(min(lost)):g} rounds to zero; expected {expected} at least {1 / WEIGHT_STEPS:g}"
        )
    return _in_lowest_terms([Fraction(count) for count in counts])


def common_step(weights: Sequence[float | Fraction]) -> int | None:
    """The fewest steps per unit that hold all weights: exactly, or but for noise as small ratios; None if too many."""
    exact = [_as_written(weight) for weight in weights]
    largest = max(*exact, 1)
    near = [weight.limit_denominator(_SMALL) for weight in exact]
    simple = all(abs(w - close) <= _CLOSE and (close > 0) == (w > 0) for w, close in zip(exact, near))
    for candidates in (exact, near) if simple else (exact,):
        step = lcm(*(weight.denominator for weight in candidates))
        if step * largest <= INT32_MAX:
            return step
    return None


def _as_written(weight: float | Fraction) -> Fraction:
    """A number exactly; of a float, the shortest decimal that is read as it."""
    return Fraction(str(weight)) if isinstance(weight, float) else Fraction(weight)


def _in_lowest_terms(weights: Sequence[Fraction]) -> list[int]:
    common = lcm(*(weight.denominator for weight in weights))
    counts = [int(weight * common) for weight in weights]
    divisor = gcd(*counts)
    return [count // divisor for count in counts]
