"""All equilibrium schemes of one committee, listed.

Solving counts equilibria without writing them down. This module writes them down, on the host, for one table at a time:
layer by layer, a partial scheme is known by its values for all players; values that are beaten for every provider are
dropped (see `equilibrax_kernels.frontier` for why that loses nothing); and schemes are read off the paths that end in a
stable value, in lexicographic order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import get_args

import numpy as np

from equilibrax._core.checks import approximate, check_choice
from equilibrax._core.committees import committee_masks
from equilibrax.games._options import TieBreak
from equilibrax.problems.tables import UtilityTables


def equilibrium_schemes(
    table: UtilityTables,
    committee: int,
    *,
    tie_break: TieBreak = "incumbent",
    limit: int = 1_000_000,
) -> np.ndarray:
    """All equilibrium schemes of a committee in the selection game (2509.15090, Section 7.1 and Definition 16).

    Args:
        table: a batch of one table (`tables[i]`).
        committee: bitmask; bit j is provider j in column order.
        tie_break: see `solve`.
        limit: largest number of schemes to list.

    Returns:
        `[E, X]` int16, the action in every state, in lexicographic order.

    Raises:
        ValueError: if `table` is not one table, the mask is out of range, or there are more than `limit` equilibria.

    Example:
        >>> import equilibrax as eq
        >>> table = eq.load_paper_table("synthetic-1")
        >>> schemes = eq.games.equilibrium_schemes(table, 0b00011)
        >>> [table.action_names(scheme) for scheme in schemes]
        [['B', 'B', 'C']]
    """
    check_choice("tie_break", tie_break, get_args(TieBreak))
    if len(table) != 1:
        raise ValueError(f"table: expected one table (tables[i]), got a batch of {len(table)}")
    total, schemes = _count_and_walk(table, committee, tie_break)
    if total > limit:
        raise ValueError(
            f"limit: expected at most {limit:,} equilibrium schemes, got {approximate(total)}; raise the limit"
        )
    return np.array(list(schemes), np.int16).reshape(-1, table.states)


def first_equilibria(table: UtilityTables, committee: int, tie_break: TieBreak, most: int) -> np.ndarray:
    """The first `most` of them: `[E, X]` int16, all if there are no more."""
    _, schemes = _count_and_walk(table, committee, tie_break)
    return np.array(list(islice(schemes, most)), np.int16).reshape(-1, table.states)


def _count_and_walk(table: UtilityTables, committee: int, tie_break: TieBreak) -> tuple[int, Iterator[list[int]]]:
    """How many equilibria there are, and each of them when it is asked for."""
    mask = int(committee_masks([committee], table.num_providers, table.provider_names())[0])
    utilities = np.concatenate([np.asarray(table.user), np.asarray(table.providers)[0]]).astype(np.int64)
    contributions = np.moveaxis(utilities * np.asarray(table.prior)[0].astype(np.int64)[:, None], 0, -1)  # [X, A, P]
    available = np.asarray(table.available)[0]

    members = [j for j in range(table.num_providers) if mask >> j & 1]
    if len(members) == 1:
        own = np.where(available, contributions[:, :, 1 + members[0]], np.iinfo(np.int64).min)
        available = available & (own == own.max(axis=1, keepdims=True))
    layers, edges = _layers(contributions, available, members if len(members) > 1 else [])
    values = layers[-1]
    accepted = np.ones(len(values), bool)
    if len(members) > 1:
        for j in members:
            threshold = thresholds(values[:, 0], values[:, 1 + j])
            if tie_break == "lowest_index" and j == members[0]:
                threshold = np.maximum(threshold, _best_among_equals(values[:, 0], values[:, 1 + j]))
            accepted &= values[:, 1 + j] >= threshold
    return _paths(edges, [1, *map(len, layers[:-1])], accepted)


def _layers(contributions: np.ndarray, available: np.ndarray, members: list[int]):
    """Distinct values per layer, `[N, K + 1]`, and per layer the edges `(parent, action, child)` between them.

    Values that are beaten for every member are dropped; with no members nothing is.
    """
    layer, layers, edges = np.zeros((1, contributions.shape[2]), np.int64), [], []
    for x in range(len(available)):
        actions = np.flatnonzero(available[x])
        candidates = (layer[:, None] + contributions[x, actions]).reshape(-1, layer.shape[1])
        layer, child = np.unique(candidates, axis=0, return_inverse=True)
        keep = np.ones(len(layer), bool)
        if members:
            keep = np.any([layer[:, 1 + j] >= thresholds(layer[:, 0], layer[:, 1 + j]) for j in members], axis=0)
        parent, action = np.divmod(np.arange(len(candidates)), len(actions))
        child, alive = child.reshape(-1), keep[child.reshape(-1)]
        renumbered = np.cumsum(keep) - 1
        edges.append((parent[alive], actions[action[alive]], renumbered[child[alive]]))
        layer = layer[keep]
        layers.append(layer)
    return layers, edges


def thresholds(user: np.ndarray, provider: np.ndarray) -> np.ndarray:
    """`[N]` the provider's largest value among entries that the user strictly prefers."""
    order = np.argsort(-user, kind="stable")
    best = np.maximum.accumulate(provider[order])
    first = np.searchsorted(-user[order], -user[order], side="left")
    threshold = np.empty_like(provider)
    threshold[order] = np.where(first > 0, best[first - 1], np.iinfo(np.int64).min)
    return threshold


def _best_among_equals(user: np.ndarray, provider: np.ndarray) -> np.ndarray:
    """`[N]` the provider's largest value among entries that the user values the same."""
    _, group = np.unique(user, return_inverse=True)
    best = np.full(group.max() + 1, np.iinfo(np.int64).min)
    np.maximum.at(best, group, provider)
    return best[group]


def _paths(edges, sizes: list[int], accepted: np.ndarray) -> tuple[int, Iterator[list[int]]]:
    """Number of the paths from the start to accepted values, and their schemes in lexicographic order."""
    counts, children = accepted.astype(object), []
    for (parent, action, child), size in zip(reversed(edges), reversed(sizes)):
        alive = counts[child] > 0
        parent, action, child = parent[alive], action[alive], child[alive]
        nodes: list[list[tuple[int, int]]] = [[] for _ in range(size)]
        before = np.zeros(size, object)
        for p, a, c in sorted(zip(parent.tolist(), action.tolist(), child.tolist())):
            nodes[p].append((a, c))
            before[p] += counts[c]
        children.append(nodes)
        counts = before
    children.reverse()

    def walk() -> Iterator[list[int]]:
        scheme: list[int] = []
        left = [iter(children[0][0])]  # of every state up to the present one, what is still to be tried
        while left:
            step = next(left[-1], None)
            if step is None:
                left.pop()
                scheme = scheme[:-1]
                continue
            action, child = step
            if len(left) == len(children):
                yield [*scheme, action]
            else:
                scheme.append(action)
                left.append(iter(children[len(left)][child]))

    return int(counts[0]), walk()
