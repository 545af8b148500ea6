"""Running maxima along a list, in the form that each backend does well.

XLA's CPU backend turns `lax.cummax` into log-depth strided slices, about ten times slower than a plain loop whose body
is vectorized over the batch; GPUs and TPUs are the other way round. On the CPU what a loop writes costs more than what
it computes, so there is one loop for bits and one for the maxima themselves.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int

_UNROLL = 4  # measured: 16 is up to three times slower, 1 about a third


def running_max(values: Int[Array, "K N"]) -> Int[Array, "K N"]:
    """Inclusive running maximum of each row."""
    return lax.platform_dependent(values, cpu=_loop_max, default=lambda v: lax.cummax(v, axis=1))


def running_sum(values: Int[Array, " N"]) -> Int[Array, " N"]:
    """Inclusive running sum of a vector."""
    return lax.platform_dependent(values, cpu=_loop_sum, default=lambda v: jnp.cumsum(v, dtype=v.dtype))


def best_before(values: Int[Array, "K N"], starts: Bool[Array, " N"]) -> tuple[Int[Array, "K N"], Int[Array, "K N"]]:
    """Running maxima `(inclusive, before)`, where `before` is the maximum over all entries before the entry's own run.

    Args:
        values: `[K, N]`.
        starts: `[N]` whether a run of entries begins; the first does. Before the first run the maximum is the smallest
            integer.
    """
    return lax.platform_dependent(values, starts, cpu=_loop_best_before, default=_scan_best_before)


def unbeaten(values: Int[Array, "K N"], starts: Bool[Array, " N"]) -> Int[Array, " N"]:
    """`[N]` int32, bit j is set iff no entry before the entry's own run has a larger value in row j."""
    return lax.platform_dependent(values, starts, cpu=_loop_unbeaten, default=_scan_unbeaten)


def _lowest(values):
    return jnp.full(values.shape[0], jnp.iinfo(values.dtype).min, values.dtype)


def _loop_max(values):
    def step(carry, value):
        carry = jnp.maximum(carry, value)
        return carry, carry

    return lax.scan(step, _lowest(values), values.T, unroll=_UNROLL)[1].T


def _loop_sum(values):
    def step(carry, value):
        carry = carry + value
        return carry, carry

    return lax.scan(step, jnp.zeros((), values.dtype), values, unroll=_UNROLL)[1]


def _loop_best_before(values, starts):
    def step(carry, entry):
        best, before = carry
        value, start = entry
        before = jnp.where(start, best, before)
        best = jnp.maximum(best, value)
        return (best, before), (best, before)

    best, before = lax.scan(step, (_lowest(values), _lowest(values)), (values.T, starts), unroll=_UNROLL)[1]
    return best.T, before.T


def _scan_best_before(values, starts):
    best = lax.cummax(values, axis=1)
    shifted = jnp.concatenate([_lowest(values)[:, None], best[:, :-1]], axis=1)
    # `best` never falls, so carrying its value at each start of a run forward is a running maximum again.
    return best, lax.cummax(jnp.where(starts, shifted, jnp.iinfo(values.dtype).min), axis=1)


def _bits(held: Bool[Array, "K ..."]) -> Int[Array, "..."]:
    weights = jnp.left_shift(1, jnp.arange(held.shape[0], dtype=jnp.int32))
    weights = weights.reshape(-1, *(1,) * (held.ndim - 1))
    return jnp.sum(jnp.where(held, weights, 0), axis=0, dtype=jnp.int32)


def _loop_unbeaten(values, starts):
    def step(carry, entry):
        best, before = carry
        value, start = entry
        before = jnp.where(start, best, before)
        return (jnp.maximum(best, value), before), _bits(value >= before)

    return lax.scan(step, (_lowest(values), _lowest(values)), (values.T, starts), unroll=_UNROLL)[1]


def _scan_unbeaten(values, starts):
    return _bits(values >= _scan_best_before(values, starts)[1])
