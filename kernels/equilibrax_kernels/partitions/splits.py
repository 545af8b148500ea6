"""Best splits of every set of states: stable cells, best responses and recovered partitions.

`values` are worth-as-one-cell of every set (`cells`); a partition is worth the sum over its cells. For each provider,
`split[B]` is the best worth of B in two cells or more and `best[B] = max(values[B], split[B])`. A cell is stable for a
provider that does not gain by splitting it.

Sets are numbers in which state x is bit `X - 1 - x`. Ties between partitions go to the lexicographically smallest tuple
of cells, ordered by lowest state, each written as the bitmask in which state x is bit x: `key_of_sets`.

Letters: K providers, X states, N = 2**X sets, L lanes. A partition is `[X, L]`: the set that each state is in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax, tree
from jaxtyping import Array, Int, Num

from equilibrax_kernels.partitions.subsets import Algebra, Tree, all_states, never, partition_program

_LAST_KEY = np.int32(2**31 - 1)


def key_of_sets(states: int) -> np.ndarray:
    """`[N]` int32: the bits of every number below 2**states in reverse order. Its own inverse."""
    keys = np.zeros(1, np.int32)
    for _ in range(states):
        keys = np.concatenate([2 * keys, 2 * keys + 1])
    return keys


def best_splits(values: Num[Array, "N L"], states: int) -> tuple[Num[Array, "N L"], Num[Array, "N L"]]:
    """`(split, best)`: the best worth of every set in at least two cells, and in any number of cells."""
    low = never(values.dtype)
    algebra = Algebra(
        term=lambda f, g, _known, _target: f + g,
        fold=jnp.maximum,
        identity=low,
        finish=jnp.maximum,
        empty=low,  # so that the set itself, with nothing left, is not a split
    )
    split = partition_program(values, algebra, states)
    return split, jnp.maximum(split, values).at[0].set(0)


def first_cells(
    values: Num[Array, "N L"], best: Num[Array, "N L"], tolerance: Num[Array, " L"], states: int
) -> Int[Array, "N L"]:
    """The first cell, the one with the lowest state, of the best partition of every set.

    The smallest by `key_of_sets` of those with `values[S] + best[B - S] >= best[B] - tolerance`.
    """
    keys = jnp.broadcast_to(jnp.asarray(key_of_sets(states))[:, None], values.shape)
    algebra = Algebra(
        term=lambda f, _g, known, target: jnp.where(f[0] + known >= target, f[1], _LAST_KEY),
        fold=jnp.minimum,
        identity=_LAST_KEY,
        finish=lambda _h, _f: (),
        empty=(),
    )
    found = partition_program((values, keys), algebra, states, known=best, target=best - tolerance)
    return jnp.asarray(key_of_sets(states))[jnp.where(found == _LAST_KEY, 0, found)]


def supported(
    values: Num[Array, "N L"], stable: Array, count_type: Any, states: int, tolerance: Num[Array, " L"]
) -> tuple[Array, Array, Array, Int[Array, "X L"]]:
    """The partitions of all states into stable cells: worst, best, number, and the first worst one.

    Args:
        values: the user's.
        stable: `[N, L]` bool.
        count_type: integer type that holds the number of all partitions of X states.
        states: X.
        tolerance: values this close to the worst count as the worst, when ties are broken.
    """
    low = never(values.dtype)
    cells = (jnp.where(stable, values, -low), jnp.where(stable, values, low), stable.astype(count_type))
    algebra = Algebra(
        term=lambda f, g, _known, _target: (f[0] + g[0], f[1] + g[1], f[2] * g[2]),
        fold=_worst_best_number,
        identity=(-low, low, np.array(0, count_type)[()]),
        finish=lambda h, _f: h,
        empty=_nothing_left(values.dtype, count_type),
    )
    rest = _with_empty(partition_program(_without_first(cells), algebra, states - 1), algebra)
    total = all_states(cells, rest, algebra, states)
    partition = recover(cells[0], rest[0], total[0], lambda f, g, target: f + g <= target + tolerance, states)
    return *total, partition


def best_supported(
    values: Num[Array, "N L"],
    own: Num[Array, "N L"],
    best: Num[Array, "N L"],
    count_type: Any,
    states: int,
    tolerance: Num[Array, " L"],
    slack: Num[Array, " L"],
) -> tuple[Array, Array, Array, Int[Array, "X L"]]:
    """The partitions of all states that are best for one provider: the user's worst, best, number, first worst one.

    A partition is best if each cell is tight: taken in the order of their lowest states, a cell S of what is left, B,
    has `own[S] + best[B - S] >= best[B] - slack`. Without slack these are exactly the maximizers.

    Args:
        values: the user's.
        own: the provider's.
        best: `best_splits` of `own`.
        count_type: integer type that holds the number of all partitions of X states.
        states: X.
        tolerance: values of the user this close to the worst count as the worst, when ties are broken.
        slack: values of the provider this close to the best count as the best.
    """
    low = never(values.dtype)
    zero = np.array(0, count_type)[()]

    def term(f, g, known, target):
        tight = f[0] + known >= target
        worth = (jnp.where(tight, f[1] + g[0], -low), jnp.where(tight, f[1] + g[1], low))
        return *worth, jnp.where(tight, g[2], zero)

    algebra = Algebra(
        term=term,
        fold=_worst_best_number,
        identity=(-low, low, zero),
        finish=lambda h, _f: h,
        empty=_nothing_left(values.dtype, count_type),
    )
    cells, enough, known = (own, values), best - slack, _without_first(best)
    found = partition_program(_without_first(cells), algebra, states - 1, known=known, target=_without_first(enough))
    rest = _with_empty(found, algebra)
    total = all_states(cells, rest, algebra, states, known=known, target=enough[-1])

    def accept(f, g, target):
        return (f[0] + g[0] >= target[0] - slack) & (f[1] + g[1] <= target[1] + tolerance)

    partition = recover(cells, (known, rest[0]), (best[-1], total[0]), accept, states)
    return *total, partition


def recover(cells: Tree, rest: Tree, total: Tree, accept: Callable[[Tree, Tree, Tree], Array], states: int):
    """The first partition of all states each of whose cells is accepted, `[X, L]`: the set that each state is in.

    Args:
        cells: leaves `[N, L]`.
        rest: leaves `[N / 2, L]`, what is known of sets without the first state.
        total: leaves `[L]`, the same for the set of all states.
        accept: `accept(cell, rest after the cell, all that was left)`, elementwise.
        states: X.
    """
    lanes = jax_lanes(cells)
    assigned = jnp.zeros(lanes, jnp.int32)
    partition = jnp.zeros((states, lanes), jnp.int32)
    for x in range(states):
        n = states - 1 - x
        bit = 1 << n
        inner = jnp.arange(bit, dtype=jnp.int32)[:, None]  # cells without their lowest state, x
        keys = jnp.asarray(key_of_sets(n))
        later = ~assigned & (bit - 1)
        f = tree.map(lambda c, b=bit: c[b : 2 * b], cells)
        if x == 0:
            g, target = tree.map(lambda r, b=bit: jnp.flip(r[:b], 0), rest), total
        else:
            left = later ^ inner
            g = tree.map(lambda r, left=left: jnp.take_along_axis(r, left, 0), rest)
            target = tree.map(lambda r, b=bit, later=later: jnp.take_along_axis(r, (b | later)[None], 0)[0], rest)
        good = accept(f, g, target) & (inner & ~later == 0)
        key = jnp.where(good, keys[:, None], bit - 1).min(axis=0)
        cell = jnp.where(assigned & bit == 0, bit | keys[key], 0)
        assigned |= cell
        partition = jnp.where(_contains(cell, states), cell, partition)
    return partition


def refine(first: Int[Array, "N T"], coarse: Int[Array, "X L"], column: Int[Array, " L"]) -> Int[Array, "X L"]:
    """The best refinement of a partition: each of its cells divided as `first_cells` say.

    Args:
        first: `first_cells` of T games.
        coarse: partitions of L lanes.
        column: each lane's game.
    """
    states = coarse.shape[0]

    def one_state(x, carry):
        assigned, fine = carry
        free = (assigned >> (states - 1 - x)) & 1 == 0
        cell = jnp.where(free, first[coarse[x] & ~assigned, column], 0)
        return assigned | cell, jnp.where(_contains(cell, states), cell, fine)

    nothing = jnp.zeros(coarse.shape[1], jnp.int32)
    return lax.fori_loop(0, states, one_state, (nothing, jnp.zeros_like(coarse)))[1]


def worth(values: Num[Array, "N T"], partition: Int[Array, "X L"], column: Int[Array, " L"]) -> Num[Array, " L"]:
    """The sum over the cells of partitions, `[L]`."""
    states = partition.shape[0]
    leads = partition >> jnp.arange(states - 1, -1, -1, dtype=jnp.int32)[:, None] == 1  # the cell's lowest state
    return jnp.where(leads, values[partition, column], 0).sum(axis=0)


def jax_lanes(cells: Tree) -> int:
    """Number of lanes of a pytree of `[N, L]`."""
    return tree.leaves(cells)[0].shape[1]


def _contains(cell: Int[Array, " L"], states: int) -> Array:
    """`[X, L]` bool, whether each state is in the cell."""
    return (cell >> jnp.arange(states - 1, -1, -1, dtype=jnp.int32)[:, None]) & 1 == 1


def _worst_best_number(one, other):
    return jnp.minimum(one[0], other[0]), jnp.maximum(one[1], other[1]), one[2] + other[2]


def _nothing_left(kind, count_type):
    return np.array(0, kind)[()], np.array(0, kind)[()], np.array(1, count_type)[()]


def _without_first(sets: Tree) -> Tree:
    """The half of the sets that do not contain the first state."""
    return tree.map(lambda x: x[: x.shape[0] // 2], sets)


def _with_empty(rest: Tree, algebra: Algebra) -> Tree:
    return tree.map(lambda x, empty: x.at[0].set(empty), rest, algebra.empty)
