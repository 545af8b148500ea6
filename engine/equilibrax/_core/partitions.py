"""Partitions of states as labels `[..., X]`: states with the same label are in one cell.

In restricted-growth form the cells are numbered in the order in which they appear, so that equal partitions have equal
labels.

Letters: X states, S partitions, k players whose partitions are joined.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
from equilibrax_kernels.partitions.splits import key_of_sets
from jaxtyping import Bool, Int


def together(labels: np.ndarray) -> Bool[np.ndarray, "... X X"]:
    """Whether two states are in one cell."""
    return labels[..., :, None] == labels[..., None, :]


def restricted_growth(labels: Any) -> Int[np.ndarray, "... X"]:
    """The same partitions with labels 0, 1, .. by first appearance (int64). Labels may be anything that compares."""
    labels = np.asarray(labels)
    if labels.ndim > 1:
        return _numbered(together(labels))
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)  # fit for very many states
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def common_refinement(labels: Any) -> Int[np.ndarray, "... X"]:
    """`[..., X]` from `[..., k, X]`: states are together where all k have them together; in restricted-growth form."""
    return _numbered(np.asarray(together(np.asarray(labels)).all(axis=-3)))


def refines(fine: Any, coarse: Any) -> Bool[np.ndarray, "..."]:
    """Whether every cell of the one lies in a cell of the other; leading axes broadcast."""
    return np.asarray((~together(np.asarray(fine)) | together(np.asarray(coarse))).all(axis=(-1, -2)))


def _numbered(same_cell: np.ndarray) -> np.ndarray:
    lead = same_cell.argmax(axis=-1)  # the first state of every state's cell
    rank = np.cumsum(lead == np.arange(lead.shape[-1]), axis=-1) - 1
    return np.take_along_axis(rank, lead, axis=-1)


@cache
def all_partitions(states: int) -> np.ndarray:
    """`[S, X]` int8 labels of all partitions; lexicographic in their tuples of cells (bitmasks, by lowest state)."""
    if states == 0:
        return np.zeros((1, 0), np.int8)
    parts = []
    for inner in range(1 << (states - 1)):  # the states other than 0 in the cell of state 0
        others = np.array([x for x in range(1, states) if not inner >> (x - 1) & 1], np.int64)
        rest = all_partitions(len(others))
        labels = np.zeros((len(rest), states), np.int8)
        labels[:, others] = rest + 1
        parts.append(labels)
    return np.concatenate(parts)


def bell_number(states: int) -> int:
    """The number of partitions of a set (Bell's triangle)."""
    row = [1]
    for _ in range(states - 1):
        row = list(accumulate(row, initial=row[-1]))
    return row[-1]


def cells_of(labels: np.ndarray) -> np.ndarray:
    """`[X, S]` int32, the cells of partitions as the kernels' sets (state x is bit X - 1 - x); 0 fills up."""
    states = labels.shape[1]
    bits = key_of_sets(states)[1 << np.arange(states)]
    return np.stack([((labels == cell) * bits).sum(axis=1) for cell in range(states)]).astype(np.int32)
