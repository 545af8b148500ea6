"""Running maxima along the last axis, in the form that each backend does well.

XLA's CPU backend turns `lax.cummax` into log-depth strided slices, about ten times slower than a plain loop whose body
is vectorized over the batch; GPUs and TPUs are the other way round.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int


def running_max(values: Int[Array, "... N"]) -> Int[Array, "... N"]:
    """Inclusive running maximum along the last axis."""
    return lax.platform_dependent(values, cpu=_loop_max, default=lambda v: lax.cummax(v, axis=v.ndim - 1))


def best_before(values: Int[Array, "K N"], starts: Bool[Array, " N"]) -> tuple[Int[Array, "K N"], Int[Array, "K N"]]:
    """Running maxima `(inclusive, before)`, where `before` is the maximum over all entries before the entry's own run.

    Args:
        values: `[K, N]`.
        starts: `[N]` whether a run of entries begins; the first does. Before the first run the maximum is the smallest
            integer.
    """
    return lax.platform_dependent(values, starts, cpu=_loop_best_before, default=_scan_best_before)


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


def _loop_best_before(values, starts):
    def step(carry, entry):
        best, before = carry
        value, start = entry
        before = jnp.where(start, best, before)
        best = jnp.maximum(best, value)
        return (best, before), (best, before)

    lowest = jnp.full(values.shape[0], jnp.iinfo(values.dtype).min, values.dtype)
    best, before = lax.scan(step, (lowest, lowest), (values.T, starts), unroll=16)[1]
    return best.T, before.T


def _scan_best_before(values, starts):
    lowest = jnp.iinfo(values.dtype).min
    best = lax.cummax(values, axis=1)
    shifted = jnp.concatenate([jnp.full_like(best[:, :1], lowest), best[:, :-1]], axis=1)
    # `best` never falls, so carrying its value at each start of a run forward is a running maximum again.
    return best, lax.cummax(jnp.where(starts, shifted, lowest), axis=1)
