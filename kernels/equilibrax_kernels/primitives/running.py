"""Running maxima along lists, one list per lane, in the form that each backend does well.

XLA's CPU backend turns `lax.cummax` into log-depth strided slices, about ten times slower than a plain loop whose body
is vectorized over the lanes; GPUs and TPUs are the other way round. On the CPU what a loop writes costs more than what
it computes, so there is one loop for bits and one for the maxima themselves. Unrolling them makes them two to three
times slower: XLA then stacks what the rounds write.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int


def running_min(values: Int[Array, "N K L"]) -> Int[Array, "N K L"]:
    """Inclusive running minimum along the first axis."""

    def loop(values):
        def step(carry, value):
            carry = jnp.minimum(carry, value)
            return carry, carry

        highest = jnp.full(values.shape[1:], jnp.iinfo(values.dtype).max, values.dtype)
        return lax.scan(step, highest, values)[1]

    return lax.platform_dependent(values, cpu=loop, default=lambda v: lax.cummin(v, axis=0))


def running_count(flags: Bool[Array, "N L"]) -> Int[Array, "N L"]:
    """Inclusive number of true entries along the first axis, int32."""

    def loop(flags):
        def step(carry, flag):
            carry = carry + flag
            return carry, carry

        return lax.scan(step, jnp.zeros(flags.shape[1], jnp.int32), flags)[1]

    return lax.platform_dependent(flags, cpu=loop, default=lambda f: jnp.cumsum(f, axis=0, dtype=jnp.int32))


def best_before(
    values: Int[Array, "N K L"], starts: Bool[Array, "N L"]
) -> tuple[Int[Array, "N K L"], Int[Array, "N K L"]]:
    """Running maxima `(inclusive, before)`, where `before` is the maximum over all entries before the entry's own run.

    Args:
        values: `[N, K, L]`.
        starts: `[N, L]` whether a run of entries begins; the first does. Before the first run the maximum is the
            smallest integer.
    """
    return lax.platform_dependent(values, starts, cpu=_loop_best_before, default=_scan_best_before)


def unbeaten(values: Int[Array, "N K L"], starts: Bool[Array, "N L"]) -> Int[Array, "N L"]:
    """`[N, L]` int32, bit j is set iff no entry before the entry's own run has a larger value in column j."""
    return lax.platform_dependent(values, starts, cpu=_loop_unbeaten, default=_scan_unbeaten)


def bits_of(held: Bool[Array, "N K L"]) -> Int[Array, "N L"]:
    """`[N, L]` int32, bit j is set iff `held[:, j]`."""
    bits = jnp.zeros((held.shape[0], held.shape[2]), jnp.int32)
    for j in range(held.shape[1]):  # not a sum over j: reductions of a short axis do not vectorize
        bits = bits | jnp.where(held[:, j], jnp.int32(1 << j), jnp.int32(0))
    return bits


def _lowest(values):
    return jnp.full(values.shape[1:], jnp.iinfo(values.dtype).min, values.dtype)


def _loop_best_before(values, starts):
    def step(carry, entry):
        best, before = carry
        value, start = entry
        before = jnp.where(start, best, before)
        best = jnp.maximum(best, value)
        return (best, before), (best, before)

    return lax.scan(step, (_lowest(values), _lowest(values)), (values, starts))[1]


def _scan_best_before(values, starts):
    best = lax.cummax(values, axis=0)
    shifted = jnp.concatenate([_lowest(values)[None], best[:-1]])
    # `best` never falls, so carrying its value at each start of a run forward is a running maximum again.
    return best, lax.cummax(jnp.where(starts[:, None], shifted, jnp.iinfo(values.dtype).min), axis=0)


def _loop_unbeaten(values, starts):
    def step(carry, entry):
        best, before = carry
        value, start = entry
        before = jnp.where(start, best, before)
        return (jnp.maximum(best, value), before), bits_of((value >= before)[None])[0]

    return lax.scan(step, (_lowest(values), _lowest(values)), (values, starts))[1]


def _scan_unbeaten(values, starts):
    return bits_of(values >= _scan_best_before(values, starts)[1])
