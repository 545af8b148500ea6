"""Running maxima along the last axis, in the form that each backend does well.

XLA's CPU backend turns `lax.cummax` into log-depth strided slices, about ten times slower than a plain loop whose body
is vectorized over the batch; GPUs and TPUs are the other way round.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int


def running_max(values: Int[Array, "... N"]) -> Int[Array, "... N"]:
    """Inclusive running maximum along the last axis."""
    return lax.platform_dependent(values, cpu=_loop_max, default=lambda v: lax.cummax(v, axis=v.ndim - 1))


def running_sum(values: Int[Array, " N"]) -> Int[Array, " N"]:
    """Inclusive running sum of a vector."""
    return lax.platform_dependent(values, cpu=_loop_sum, default=lambda v: jnp.cumsum(v, dtype=v.dtype))


def _loop_max(values):
    def step(carry, value):
        carry = jnp.maximum(carry, value)
        return carry, carry

    along = jnp.moveaxis(values, -1, 0)
    start = jnp.full(along.shape[1:], jnp.iinfo(values.dtype).min, values.dtype)
    return jnp.moveaxis(lax.scan(step, start, along, unroll=16)[1], 0, -1)


def _loop_sum(values):
    def step(carry, value):
        carry = carry + value
        return carry, carry

    return lax.scan(step, jnp.zeros((), values.dtype), values, unroll=16)[1]
