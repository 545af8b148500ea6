"""Subset dynamic programs over partitions, for many games (lanes) at once.

The value of a partition is a sum over its cells, so the best, worst or number of partitions of a set B obeys

    h(B) = fold over cells S of B that contain its lowest state of  term(f(S), g(B minus S)),

where g is what was found for smaller sets: (max, +), (min, +) or (+, *). All sets of X states take `3**X / 2` steps.

Layout. State x is bit `X - 1 - x` of a set, so the sets of the last n states are the numbers below `2**n`, and sets
whose lowest state is the next one are `2**n + T`. Each n is then one subset convolution of `f[2**n:2**(n + 1)]` with
`g[:2**n]`, and neither gathers nor an order by size are needed.

A convolution on the last r states is done at once, elementwise, on arrays expanded from 2 to 3 entries per state: pairs
(S, T minus S) have f's state absent, absent, present and g's absent, present, absent. Results for the pairs fold back
from 3 to 2. The states before the last r are loops over T and over S within T, in which the expanded products
accumulate. Everything is one row of memory per block, so a loop's body is one pass over contiguous numbers.

Letters: N = 2**X sets, L lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Tree = Any

_OF_CELL, _OF_REST, _OF_SET = (0, 0, 1), (0, 1, 0), (0, 1, 1)  # which half of f, g and h each expanded third shows

BLOCK_STATES = 3
"""States in a block, r: 27 expanded entries for 8 sets. A block of 64 lanes of 4 bytes is 7 KB."""


def never(dtype: Any):
    """A value below all others, for what is not allowed: two of them still fit into an integer type."""
    kind = jnp.dtype(dtype)
    return np.array(-jnp.inf if kind.kind == "f" else np.iinfo(kind).min // 2, kind)[()]


class Algebra(NamedTuple):
    """What to do with a cell and the rest of a set.

    Attributes:
        term: `term(f, g, known, target)`, elementwise over pytrees: what a cell with value f contributes when the rest
            has g. `known` is of the rest and `target` of the whole set; both are given beforehand.
        fold: combine two terms elementwise; associative and commutative, with `identity`.
        identity: typed scalars, one for each leaf of a term.
        finish: `finish(h, f)`: the g of a set from its folded terms and its own value as a single cell.
        empty: typed scalars, the g of the empty set.
    """

    term: Callable[[Tree, Tree, Tree, Tree], Tree]
    fold: Callable[[Tree, Tree], Tree]
    identity: Tree
    finish: Callable[[Tree, Tree], Tree]
    empty: Tree


def partition_program(cells: Tree, algebra: Algebra, states: int, *, known: Tree = None, target: Tree = None) -> Tree:
    """Fold over all ways to split off the cell of the lowest state, for every set of `states` states.

    Args:
        cells: leaves `[N, L]`, f of every set (N = 2**states; the entry of the empty set is not used).
        algebra: what to compute.
        states: number of states.
        known: leaves `[N, L]`, what is known of every set before, passed to `term` for the rest. (It is not part of g
            because writing g where it does not depend on h would make the compiler copy all of it for every set.)
        target: leaves `[N, L]`, passed to `term` for the whole set.

    Returns:
        Leaves `[N, L]`, h of every set; `identity` for the empty set.
    """
    lanes = jax.tree.leaves(cells)[0].shape[1]
    block = min(BLOCK_STATES, states)
    h, g = _first_sets(cells, algebra, block, known, target)
    if states <= block:
        return jax.tree.map(lambda x: x[: 1 << states], h)

    wide, size = 3**block * lanes, 1 << block
    blocks = 1 << (states - block)
    split = jax.tree.map(lambda x: x.reshape(blocks, size * lanes), cells)
    expanded = jax.tree.map(lambda x: _expand(x, _OF_CELL, block, lanes), split)
    half = max(blocks // 2, 1)  # sets with the first state are nobody's rest
    before = jax.tree.map(lambda x: _expand(x.reshape(blocks, size * lanes)[:half], _OF_REST, block, lanes), known)
    targets = jax.tree.map(lambda x: x.reshape(blocks, size * lanes), target)

    def room(first, columns, rows):  # an array of `rows`, the first one given
        return jnp.concatenate([first.reshape(1, columns), jnp.zeros((rows - 1, columns), first.dtype)])

    h = jax.tree.map(lambda x: room(x, size * lanes, blocks), h)
    g = jax.tree.map(lambda x: room(_expand(x.reshape(1, -1), _OF_REST, block, lanes), wide, half), g)

    def row(tree, i):
        return jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, i, keepdims=False), tree)

    def put(tree, values, i):
        return jax.tree.map(lambda x, v: lax.dynamic_update_index_in_dim(x, v, i, 0), tree, values)

    def one_set(start, within, carry):
        h, g = carry
        here = jax.tree.map(lambda x: _expand(x[None], _OF_SET, block, lanes)[0], row(targets, start + within))

        def one_cell(state):
            cell, total, _ = state
            rest = within & ~cell
            term = algebra.term(row(expanded, start + cell), row(g, rest), row(before, rest), here)
            return (cell - 1) & within, algebra.fold(total, term), cell > 0

        nothing = jax.tree.map(lambda e: jnp.full(wide, e), algebra.identity)
        total = lax.while_loop(lambda state: state[2], one_cell, (within, nothing, jnp.bool_(True)))[1]
        folded = _fold(total, algebra, block, lanes)
        rest = algebra.finish(folded, row(split, start + within))
        wider = jax.tree.map(lambda x: _expand(x[None], _OF_REST, block, lanes)[0], rest)
        keep = start < blocks // 2
        place = jnp.where(keep, start + within, 0)
        old = row(g, place)
        g = put(g, jax.tree.map(lambda new, was: jnp.where(keep, new, was), wider, old), place)
        return put(h, folded, start + within), g

    def one_state(level, carry):
        start = jnp.int32(1) << level
        return lax.fori_loop(0, start, lambda within, c: one_set(start, within, c), carry)

    h, _ = lax.fori_loop(0, states - block, one_state, (h, g))
    return jax.tree.map(lambda x: x.reshape(blocks * size, lanes), h)


def all_states(
    cells: Tree, rest: Tree, algebra: Algebra, states: int, *, known: Tree = None, target: Tree = None
) -> Tree:
    """Fold over the cells of the first state for the set of all states alone: `[L]` leaves.

    Args:
        cells: leaves `[N, L]`, f of every set.
        rest: leaves `[N / 2, L]`, g of every set without the first state.
        algebra: what to compute.
        states: number of states.
        known: leaves `[N / 2, L]` of sets without the first state, or None.
        target: leaves `[L]` of the set of all states, or None.
    """
    rest, known = jax.tree.map(lambda x: jnp.flip(x[: 1 << (states - 1)], 0), (rest, known))
    terms = algebra.term(_halves(cells)[1], rest, known, target)
    for _ in range(states - 1):
        terms = algebra.fold(*_halves(terms))
    return jax.tree.map(lambda x: x[0], terms)


def _halves(tree: Tree) -> tuple[Tree, Tree]:
    return jax.tree.map(lambda x: x[: len(x) // 2], tree), jax.tree.map(lambda x: x[len(x) // 2 :], tree)


def _first_sets(cells: Tree, algebra: Algebra, block: int, known: Tree, target: Tree) -> tuple[Tree, Tree]:
    """h and g of the sets of the last `block` states, `[2**block, L]`, state by state."""
    first = jax.tree.leaves(cells)[0]
    lanes = first.shape[1]
    h, g = (jax.tree.map(lambda e: jnp.full((1, lanes), e), tree) for tree in (algebra.identity, algebra.empty))
    for n in range(block):
        part = slice(1 << n, 2 << n)
        before = jax.tree.map(lambda x, n=n: x[: 1 << n], known)
        f, here = (jax.tree.map(lambda x, part=part: x[part], tree) for tree in (cells, target))
        terms = algebra.term(
            *(
                jax.tree.map(lambda x, p=pattern, n=n: _expand(x.reshape(1, -1), p, n, lanes)[0], tree)
                for tree, pattern in ((f, _OF_CELL), (g, _OF_REST), (before, _OF_REST), (here, _OF_SET))
            )
        )
        new = jax.tree.map(lambda x, n=n: x.reshape(1 << n, -1), _fold(terms, algebra, n, lanes))
        h = jax.tree.map(lambda x, y: jnp.concatenate([x, y]), h, new)
        g = jax.tree.map(lambda x, y: jnp.concatenate([x, y]), g, algebra.finish(new, f))
    return h, g


def _expand(rows, pattern: tuple[int, int, int], states: int, lanes: int):
    """`[R, 2**states * L]` to `[R, 3**states * L]`: each state's two halves to three, as `pattern` says."""
    count = rows.shape[0]
    for level in range(states):
        halves = rows.reshape(count * 3**level, 2, (1 << (states - 1 - level)) * lanes)
        rows = jnp.concatenate([halves[:, h : h + 1] for h in pattern], axis=1)
    return rows.reshape(count, 3**states * lanes)


def _fold(tree: Tree, algebra: Algebra, states: int, lanes: int) -> Tree:
    """`[3**states * L]` to `[2**states * L]`: each state's two ways to be present are folded."""
    for level in reversed(range(states)):
        thirds = jax.tree.map(lambda x, level=level: x.reshape(3**level, 3, -1), tree)
        present = algebra.fold(jax.tree.map(lambda x: x[:, 1:2], thirds), jax.tree.map(lambda x: x[:, 2:], thirds))
        tree = jax.tree.map(lambda x, y: jnp.concatenate([x[:, :1], y], axis=1), thirds, present)
    return jax.tree.map(lambda x: x.reshape((1 << states) * lanes), tree)
