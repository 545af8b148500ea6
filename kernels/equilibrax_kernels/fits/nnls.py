"""Non-negative least squares on Gram matrices, many at a time, one fit after another as columns are added.

A lane is a problem `min w'Gw - 2 m'w over w >= 0` in unit scale: columns have norm one (`G_kk = 1`; zero for a column
of zeros, which never gets weight) and the largest moment is one. A lane fits the first column, the first two, and so
on: the solution of one is where the next one starts.

The method is Lawson and Hanson's active set method on a tableau that is kept swept on the set S of columns with weight:

    [ -inv(G_SS)                 inv(G_SS) G_SN                  w_S = inv(G_SS) m_S       ]
    [  G_NS inv(G_SS)   G_NN - G_NS inv(G_SS) G_SN        gradient = m_N - G_NS w_S        ]

Its last column, the edge, says all there is to know: which weights would become negative, which columns would enter,
and, with the gradients of columns that are still to come, until where the present solution stays optimal. So a lane
goes from one change of S straight to the next, on its own clock, and every step of the loop is one pivot in every lane.

A pivot touches the whole tableau, so small prefixes use small tableaus: columns are added in pieces. Columns are many,
unlike providers in the other kernels, so here the lanes are the first axis: rows of the tableau fill vector registers.

Letters: K columns, L lanes, M sizes of prefixes. Needs `jax.enable_x64(True)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

_GRADIENT = 1e-11  # gradients below this (unit scale) do not make a column enter
_PIVOT = 1e-12  # squared norm of the part of a column outside the span of S, below which it counts as inside

# What a step does, by the size of the best score: nothing, go on to a larger prefix, let a column enter, let one leave.
_LATER, _ENTERS, _LEAVES = 0.0, 2.0, 4.0


class _Swept(NamedTuple):
    """A tableau and what is known at it."""

    tableau: Float[Array, "L K K"]  # without its edge
    diagonal: Float[Array, "L K"]
    edge: Float[Array, "L K"]
    weights: Float[Array, "L K"]  # feasible; the edge on S once all of that is positive
    inside: Bool[Array, "L K"]  # S


class _State(NamedTuple):
    at: _Swept
    banned: Bool[Array, "L K"]  # columns that entered and had to leave at once: rounding errors
    allowed: Int[Array, " L"]  # columns below this may have weight
    log: Float[Array, "T L K"]  # weights at the end of every step
    solved_at: Int[Array, "L M"]  # the step at which a prefix was found to be solved; -1 if it was not
    running: Bool[Array, " L"]
    pivots: Int[Array, " L"]
    step: Int[Array, ""]


def nonnegative_lanes(
    gram: Float[Array, "L K K"], moment: Float[Array, "L K"], member: Bool[Array, "L K"], *, step_limit: int
) -> tuple[Float[Array, "L K"], Int[Array, " L"]]:
    """Weights of one fit per lane, and its pivots.

    Args:
        gram: `[L, K, K]` in unit scale.
        moment: `[L, K]` in unit scale.
        member: `[L, K]` columns that may have weight.
        step_limit: pivots after which a lane returns the weights it has, which are feasible.

    Returns:
        `[L, K]` weights and `[L]` int32.
    """
    chex.assert_shape(gram, (*moment.shape, moment.shape[1]))
    chex.assert_equal_shape([moment, member])
    size = moment.shape[1]
    gram = jnp.where(member[:, None] & member[:, :, None], gram, 0.0)
    end = _pivot_until_done(_unswept(gram, jnp.where(member, moment, 0.0)), size, step_limit, log=False)
    return end.at.weights, end.pivots


def prefix_lanes(
    gram_of: Callable[[int, int], Float[Array, "L R C"]], moment: Float[Array, "L K"], *, pieces: Sequence[int]
) -> tuple[Float[Array, "L M K"], Int[Array, " L"]]:
    """Weights of the fits on the first 1, 2, .., K columns of every lane, and the pivots of all of them together.

    Args:
        gram_of: from `first, last` to `[L, last - first, last]`, rows `first..last - 1` of the Gram matrix of the first
            `last` columns in unit scale.
        moment: `[L, K]` in unit scale.
        pieces: increasing sizes, the last of which is K.

    Returns:
        `[L, M, K]` weights for M = K prefixes, and `[L]` int32. A prefix that was not solved within the limit of steps
        has the weights of the last one that was: its KKT residual shows it.
    """
    lanes, size = moment.shape
    pivots, found, first = jnp.zeros(lanes, jnp.int32), [], 0
    at = _unswept(jnp.zeros((lanes, 0, 0)), jnp.zeros((lanes, 0)))
    for last in pieces:
        before = at.weights
        at = _extended(at, gram_of(first, last), moment[:, first:last])
        end = _pivot_until_done(at, first, 6 * (last - first) + 2 * last, log=True)
        latest = lax.cummax(end.solved_at, axis=1)[:, 1:]  # a solution holds until the next one
        logged = end.log[jnp.maximum(latest, 0), jnp.arange(lanes)[:, None]]
        stale = jnp.pad(before, ((0, 0), (0, last - first)))[:, None]
        solved = jnp.where((latest >= 0)[:, :, None], logged, stale)
        found.append(jnp.pad(solved, ((0, 0), (0, 0), (0, size - last))))
        at, pivots, first = end.at, pivots + end.pivots, last
    return jnp.concatenate(found, axis=1), pivots


def _unswept(gram, moment) -> _Swept:
    nothing = jnp.zeros(moment.shape, bool)
    return _Swept(gram, jnp.diagonal(gram, axis1=1, axis2=2), moment, jnp.zeros_like(moment), nothing)


def _extended(at: _Swept, rows: Float[Array, "L R C"], moment: Float[Array, "L R"]) -> _Swept:
    """The tableau with new columns, as the pivots so far would have left it."""
    first = at.edge.shape[1]
    if first == 0:
        return _unswept(rows, moment)
    old, new = rows[:, :, :first], rows[:, :, first:]
    on_support = jnp.where(at.inside[:, None], old, 0.0)
    below = jnp.where(at.inside[:, None], 0.0, old) - jnp.matmul(on_support, at.tableau)
    corner = new - jnp.matmul(jnp.where(at.inside[:, None], below, 0.0), jnp.swapaxes(old, 1, 2))
    corner = (corner + jnp.swapaxes(corner, 1, 2)) / 2
    top = jnp.concatenate([at.tableau, jnp.swapaxes(below, 1, 2)], axis=2)
    edge = moment - jnp.matmul(on_support, at.edge[:, :, None])[:, :, 0]
    fresh = _unswept(corner, edge)
    return _Swept(
        tableau=jnp.concatenate([top, jnp.concatenate([below, corner], axis=2)], axis=1),
        **{
            name: jnp.concatenate([getattr(at, name), getattr(fresh, name)], axis=1)
            for name in ("diagonal", "edge", "weights", "inside")
        },
    )


def _pivot_until_done(at: _Swept, first: int, limit: int, *, log: bool) -> _State:
    """Solve the prefixes of `first` columns, and one more, until that of all columns."""
    lanes, last = at.edge.shape
    start = _State(
        at=at,
        banned=jnp.zeros((lanes, last), bool),
        allowed=jnp.full(lanes, first, jnp.int32),
        log=jnp.zeros((limit if log else 1, lanes, last)),
        solved_at=jnp.full((lanes, last - first + 1), -1, jnp.int32),
        running=jnp.ones(lanes, bool),
        pivots=jnp.zeros(lanes, jnp.int32),
        step=jnp.int32(0),
    )
    return lax.while_loop(lambda s: jnp.any(s.running) & (s.step < limit), lambda s: _step(s, first), start)


def _step(state: _State, first: int) -> _State:
    """One pivot in every lane that is not done."""
    at, last = state.at, state.at.edge.shape[1]
    column = jnp.arange(last, dtype=jnp.int32)

    # Weights that would not stay positive: go as far as possible, the first to reach zero leaves. Otherwise the edge is
    # optimal on S, and the steepest of the allowed columns enters. If there is none, the first of those to come that
    # would have weight enters: until there, the present weights are optimal.
    blocking = at.inside & (at.edge <= 0)
    reach = jnp.where(at.weights > 0, at.weights / jnp.where(blocking, at.weights - at.edge, 1.0), 0.0)
    rising = ~at.inside & ~state.banned & (at.edge > _GRADIENT) & (at.diagonal > _PIVOT)
    now = column < state.allowed[:, None]
    score = jnp.where(
        blocking,
        _LEAVES + 1.0 - reach,
        jnp.where(rising, jnp.where(now, _ENTERS + at.edge / (1.0 + at.edge), 1.0 - column / last), _LATER),
    )
    best, pivot = _best(score)
    leave, solved = best >= _LEAVES, state.running & (best < _ENTERS)
    going = state.running & (best > _LATER)
    pivot = jnp.where(going, pivot, last)  # of no column: nothing changes
    here = column == pivot[:, None]
    share = jnp.where(leave, _at(reach, pivot), 1.0)[:, None]
    weights = jnp.where(at.inside & ~(here & leave[:, None]), at.weights + share * (at.edge - at.weights), 0.0)
    weights = jnp.where(leave[:, None], weights, jnp.where(at.inside, at.edge, 0.0))

    failed = here & leave[:, None] & (at.weights <= 0)
    slots = first + jnp.arange(state.solved_at.shape[1], dtype=jnp.int32)
    done_here = solved[:, None] & (slots == state.allowed[:, None])
    return _State(
        at=_exchange(at, pivot, here)._replace(
            weights=jnp.where(state.running[:, None], weights, at.weights), inside=at.inside ^ here
        ),
        banned=jnp.where(solved[:, None], False, state.banned | failed),
        allowed=jnp.where(solved, jnp.minimum(pivot + 1, last), state.allowed),
        log=lax.dynamic_update_slice_in_dim(
            state.log, weights[None], jnp.minimum(state.step, state.log.shape[0] - 1), axis=0
        ),
        solved_at=jnp.where(done_here, state.step, state.solved_at),
        running=going,
        pivots=state.pivots + going,
        step=state.step + 1,
    )


def _best(score: Float[Array, "L K"]) -> tuple[Float[Array, " L"], Int[Array, " L"]]:
    """The largest non-negative score and its first place, in one reduction.

    Bits of non-negative floats are ordered as the floats are; the lowest ones are given up for the place.
    """
    size = score.shape[1]
    places = (1 << max(1, (size - 1).bit_length())) - 1
    bits = lax.bitcast_convert_type(score, jnp.int64)
    key = jnp.max((bits & ~places) | (places - jnp.arange(size, dtype=jnp.int64)), axis=1)
    return lax.bitcast_convert_type(key & ~places, jnp.float64), (places - (key & places)).astype(jnp.int32)


def _at(values, place):
    """`values[l, place[l]]`; the last one beyond the end."""
    place = jnp.minimum(place, values.shape[1] - 1)
    return jnp.take_along_axis(values, place[:, None], axis=1, mode="promise_in_bounds")[:, 0]


def _exchange(at: _Swept, pivot, here) -> _Swept:
    """Sweep column `pivot`, in or out of S: one formula for both, and for its own row and column.

    With d the pivot and v its row, the sweep is `T - v v' / d` but for the pivot's row and column, which become
    `v / |d|`, and the pivot, which becomes `-1 / d`. Zeroing them first and putting `-sign(d)` into v does that too.
    """
    last = here.shape[1]
    going = (pivot < last)[:, None]
    place = jnp.minimum(pivot, last - 1)
    row = jnp.take_along_axis(at.tableau, place[:, None, None], axis=1, mode="promise_in_bounds")[:, 0]
    d = jnp.where(going, _at(at.diagonal, pivot)[:, None], 1.0)
    row = jnp.where(going, jnp.where(here, -jnp.sign(d), row), 0.0)
    scaled, keep = row / d, jnp.where(here, 0.0, 1.0)
    edge = at.edge * keep - scaled * _at(at.edge, pivot)[:, None]
    edge = jnp.where(here, _at(at.edge, pivot)[:, None] / jnp.abs(d), edge)
    diagonal = at.diagonal * keep - scaled * row

    # A loop that runs once: it makes XLA compute the vectors before the matrix, and not again for each of its entries.
    # It passes the vectors on in another order, lest their products be thought invariant and be computed before it.
    def sweep(carry):
        again, tableau, keep, scaled, row = carry
        tableau = tableau * (keep[:, None] * keep[:, :, None]) - scaled[:, :, None] * row[:, None]
        return again - 1, tableau, row, keep, scaled

    once = jnp.any(going).astype(jnp.int32)
    tableau = lax.while_loop(lambda carry: carry[0] > 0, sweep, (once, at.tableau, keep, scaled, row))[1]
    return at._replace(tableau=tableau, diagonal=diagonal, edge=edge)
