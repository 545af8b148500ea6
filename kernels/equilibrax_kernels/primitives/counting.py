"""Counts of schemes, which can exceed 64 bits: exact up to 2**63 - 1, and marked where they do not fit."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

LIMIT = 2**63 - 1


class Count(NamedTuple):
    """Non-negative counts: exact integers as long as `size`, the same count in floating point, is below 2**63.

    Attributes:
        exact: int64, wraps around beyond 2**63 - 1.
        size: float64, within a relative 1e-12.
    """

    exact: Int[Array, "..."]
    size: Float[Array, "..."]


def as_count(exact: Int[Array, "..."]) -> Count:
    """Counts that are known to fit."""
    exact = exact.astype(jnp.int64)
    return Count(exact, exact.astype(jnp.float64))


def product_count(factors: Int[Array, "..."], axis: int) -> Count:
    """Product of counts along an axis."""
    return Count(jnp.prod(factors, axis=axis), jnp.prod(factors.astype(jnp.float64), axis=axis))


def saturated(count: Count) -> tuple[Int[Array, "..."], Bool[Array, "..."]]:
    """`(value, overflowed)`: the count, or 2**63 - 1 where it does not fit, and where that is.

    The margin makes the floating-point test safe: counts within 1e-9 of 2**63 are treated as too large.
    """
    overflowed = count.size > LIMIT * (1 - 1e-9)
    return jnp.where(overflowed, LIMIT, count.exact), overflowed
