"""The game in which the user hears everybody: all equilibria of all committees, and best-response dynamics.

What the user learns is the common refinement of the members' partitions (2509.15090, Definitions 7 and 12). A provider
that deviates from "all post P" can reach exactly the refinements of P, so P is an equilibrium of a committee of two or
more iff no member gains by splitting one of P's cells: iff all cells are stable for all members. Whether a cell is
stable is one bit for each provider, hence all committees share one table of bits, and the worst equilibrium, the best
one and their number are subset programs on it (`partitions.supported`). A committee of one is a monopolist
(`partitions.best_supported`).

Dynamics. All members post their monopoly partitions. In turn, a member whose best refinement of what the others
say together is strictly better for it than what all say together posts that. Since the new posting refines all others,
what all say together becomes it, and from then on every move is a refinement of the last: no more than X moves are
possible, and no state can come back.

Letters: P = K + 1 players, the user first; X states, N = 2**X sets, C committees, L games (lanes, in the last axis).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np
from jax import lax, tree
from jaxtyping import Array, Bool, Int, Num

from equilibrax_kernels.partitions.cells import set_sizes
from equilibrax_kernels.partitions.splits import best_splits, best_supported, first_cells, refine, supported, worth

LANES = 64
"""Lanes of a subset program that a CPU does at a time: more do not fit its cache, fewer waste its loops."""


class Joint(NamedTuple):
    """Results of L games and C committees; the dynamics are None if they were skipped.

    Attributes:
        worst, best: `[C, L]` the user's smallest and largest value in equilibrium.
        count: `[C, L]` number of equilibrium partitions.
        worst_partition: `[C, X, L]` the set that each state is in; the first of the worst.
        near_ties: `[K, L]` cells worth the same whole as in their best split, up to the tolerance.
        dynamics: `[C, L]` the user's value where dynamics ends.
        dynamics_partition: `[C, X, L]`.
        dynamics_steps: `[C, L]` number of moves.
        dynamics_ended: `[C, L]` bool; False where `step_limit` stopped it.
    """

    worst: Num[Array, "C L"]
    best: Num[Array, "C L"]
    count: Int[Array, "C L"]
    worst_partition: Int[Array, "C X L"]
    near_ties: Int[Array, "K L"]
    dynamics: Num[Array, "C L"] | None
    dynamics_partition: Int[Array, "C X L"] | None
    dynamics_steps: Int[Array, "C L"] | None
    dynamics_ended: Bool[Array, "C L"] | None


def joint_game(
    values: Num[Array, "P N L"],
    allowed: Bool[Array, "N L"],
    tolerance: Num[Array, " L"],
    committees: tuple[int, ...],
    *,
    dynamics: bool,
    step_limit: int | Int[Array, ""],
) -> Joint:
    """Solve L games for all committees.

    Args:
        values: of all sets as cells, the user first (`cells`).
        allowed: which sets may be cells.
        tolerance: values that differ by no more than this are equal; 0 for integers.
        committees: bitmasks of providers; static.
        dynamics: whether to run best-response dynamics.
        step_limit: where to stop them.
    """
    chex.assert_shape(allowed, values.shape[1:])
    chex.assert_shape(tolerance, values.shape[2:])
    lanes = values.shape[2]
    states = values.shape[1].bit_length() - 1
    count_type = np.int32 if states <= 15 else np.int64  # there are 1.4e9 partitions of 15 states
    user, own = values[0], values[1:]
    team = np.array(committees, np.int32)
    alone = [c for c, mask in enumerate(committees) if mask & (mask - 1) == 0]
    together = [c for c, mask in enumerate(committees) if mask & (mask - 1)]

    def spread(array, group):  # [..., L] to the lanes of a group
        return jnp.tile(array, (1,) * (array.ndim - 1) + (len(group),))

    def of_providers(providers, *arrays):  # [K, N, L] to [N, G * L]
        return [jnp.moveaxis(array[providers], 0, 1).reshape(array.shape[1], -1) for array in arrays]

    def splits(providers):
        (mine,) = of_providers(providers, own)
        return _by_item(best_splits(mine, states), providers)

    split, best = _in_groups(splits, np.arange(len(own), dtype=np.int32), lanes)
    larger = allowed & (set_sizes(states) >= 2)[:, None]
    apart = jnp.where(larger, own, 0) - jnp.where(larger, split, 0)
    near_ties = (larger & (jnp.abs(apart) <= tolerance)).sum(axis=1, dtype=jnp.int32)
    stable = (~larger | (apart >= -tolerance)) & allowed
    bit = jnp.int32(1) << jnp.arange(len(own), dtype=jnp.int32)
    bits = jnp.where(stable, bit[:, None, None], 0).sum(axis=0, dtype=jnp.int32)

    def for_several(masks):
        ok = (bits[:, None] & masks[:, None]) == masks[:, None]
        ok = ok.reshape(len(bits), -1)
        found = supported(spread(user, masks), ok, count_type, states, spread(tolerance, masks))
        return _by_item(found, masks)

    def for_one(providers):
        mine, top = of_providers(providers, own, best)
        slack = spread(tolerance, providers)
        found = best_supported(spread(user, providers), mine, top, count_type, states, slack, slack)
        return _by_item(found, providers)

    parts = []
    if alone:
        parts.append(_in_groups(for_one, _members(team[alone]), lanes))
    if together:
        parts.append(_in_groups(for_several, team[together], lanes))
    order = np.argsort(np.array(alone + together), kind="stable")
    worst, best_value, count, partition = tree.map(lambda *xs: jnp.concatenate(xs)[order], *parts)

    moved = None
    if dynamics:

        def firsts(providers):
            mine, top = of_providers(providers, own, best)
            return _by_item((first_cells(mine, top, spread(tolerance, providers), states),), providers)

        (first,) = _in_groups(firsts, np.arange(len(own), dtype=np.int32), lanes)
        moved = _dynamics(user, own, best, first, tolerance, team, step_limit)
    return Joint(worst, best_value, count, partition, near_ties, *(moved or (None,) * 4))


def _dynamics(user, own, best, first, tolerance, team, step_limit):
    """Round robin for all committees and games: user's value, partition, steps, ended; `[C, ..., L]`."""
    providers, sets, games = own.shape
    states = sets.bit_length() - 1
    lanes = len(team) * games
    column = jnp.tile(jnp.arange(games, dtype=jnp.int32), len(team))
    member = (jnp.repeat(jnp.asarray(team), games) >> jnp.arange(providers, dtype=jnp.int32)[:, None]) & 1 == 1
    slack = tolerance[column]
    pooled = jnp.full((states, lanes), sets - 1, jnp.int32)

    def heard(postings, without):
        who = member & (jnp.arange(providers) != without)[:, None]
        said = jnp.where(who[:, None], postings, sets - 1)
        return lax.reduce(said, np.int32(-1), lax.bitwise_and, (0,))

    def one_turn(state):
        postings, turn, quiet, steps, ended = state
        mine = own[turn]
        now, others = heard(postings, -1), heard(postings, turn)
        reach = refine(first[turn], others, column)
        gain = worth(mine, reach, column) > worth(mine, now, column) + slack
        wants = member[turn] & gain & ended
        moves = wants & (steps < step_limit)
        postings = postings.at[turn].set(jnp.where(moves, reach, postings[turn]))
        quiet = jnp.where(moves, 0, quiet + 1)
        ended &= ~(wants & ~moves)
        return postings, (turn + 1) % providers, quiet, steps + moves, ended

    start = jnp.stack([refine(first[j], pooled, column) for j in range(providers)])
    state = (start, jnp.int32(0), jnp.zeros(lanes, jnp.int32), jnp.zeros(lanes, jnp.int32), jnp.ones(lanes, bool))
    postings, _, _, steps, ended = lax.while_loop(lambda s: (s[4] & (s[2] < providers)).any(), one_turn, state)
    final = heard(postings, -1)

    def by_committee(array):  # [..., C * L] to [C, ..., L]
        return jnp.moveaxis(array.reshape(*array.shape[:-1], len(team), games), -2, 0)

    return tree.map(by_committee, (worth(user, final, column), final, steps, ended))


def _members(masks: np.ndarray) -> np.ndarray:
    """The provider of each committee of one."""
    return np.log2(masks).astype(np.int32)


def _in_groups(function: Callable, items: np.ndarray, lanes: int):
    """`function(items)`, leaves `[G, ...]`, for as many items at a time as fill `LANES`; leaves `[len(items), ...]`."""
    group = max(1, min(len(items), LANES // lanes))
    padded = np.resize(items, (-(-len(items) // group), group))  # repeats items at the end
    found = lax.map(function, jnp.asarray(padded))
    return tree.map(lambda x: x.reshape(-1, *x.shape[2:])[: len(items)], found)


def _by_item(found, items):
    """Leaves `[..., G * L]` to `[G, ..., L]`."""
    return tree.map(lambda x: jnp.moveaxis(x.reshape(*x.shape[:-1], len(items), -1), -2, 0), found)
