"""Decision problems at the door: shapes, sellers and limits of what is given, checked once."""

from __future__ import annotations

from math import lcm
from typing import Any

import numpy as np

from equilibrax._core.checks import INT32_MAX, as_array, as_labels
from equilibrax._core.fixed_point import TooLargeError
from equilibrax._core.partitions import restricted_growth
from equilibrax.problems.tables import MAX_VALUE

MAX_ITEMS = 16
"""Markets and values of sets of items keep tables over all 2**M sets: 65,536 of 16 items."""


def whole_utilities(weights: np.ndarray, user: np.ndarray, providers: np.ndarray | None):
    """Utilities from contributions (weight times utility), times the least number that makes all of them whole."""
    scale, shared = 1, weights[..., None]
    for array, by in ((user, shared), (providers, shared[:, None])):
        if array is not None:
            parts = np.broadcast_to(by, array.shape) // np.gcd(array, by)
            scale = lcm(scale, *np.unique(parts).tolist())
    if scale > INT32_MAX:
        raise TooLargeError(f"tables: expected utilities given signal and state in 32 bits, got steps of 1/{scale}")
    held = None if providers is None else providers * scale // shared[:, None]
    return scale, user * scale // shared, held


def checked_arrays(
    prior: np.ndarray,
    utility: np.ndarray,
    items: np.ndarray,
    costs: np.ndarray,
    owners: Any,
    stakes: np.ndarray | None,
    *,
    resolution: int,
    labels: Any = None,
    sellers: int | None = None,
) -> dict[str, Any]:
    """Fields of a `DecisionProblem` from integers `[B, ...]` of fitting shapes, checked against the limits."""
    b, m, w = items.shape
    a = utility.shape[2]
    count_items(m)
    if (costs < 0).any():
        raise ValueError(f"costs: expected numbers of at least 0, got {costs.min() / resolution:g}")
    known = sellers if sellers is not None else len(labels.sellers) if labels else None
    if stakes is not None and known is None:
        known = stakes.shape[1]
    owned, sellers = _owners(owners, m, known)
    if stakes is not None and stakes.shape[1] != sellers:
        raise ValueError(f"stakes: expected those of {sellers} sellers, got {stakes.shape[1]}")
    if labels is not None:
        came = (len(labels.states), len(labels.acts), len(labels.items), len(labels.sellers))
        if came != (w, a, m, sellers):
            raise ValueError(f"labels: expected {w} states, {a} acts, {m} items and {sellers} sellers, got {came}")
    prior = prior // np.gcd.reduce(prior, axis=1)[:, None]
    largest = np.abs(utility).max(axis=(1, 2)) + costs.max(axis=1)
    if stakes is not None:
        largest = largest + np.abs(stakes).max(axis=(1, 2, 3))
    total = prior.sum(axis=1)
    sizes = largest.astype(object) * total.astype(object)
    if max(sizes) > MAX_VALUE or total.max() > INT32_MAX or largest.max() > INT32_MAX:
        which = int(np.argmax(sizes))
        raise TooLargeError(
            f"prior, utility, costs, stakes: the sum of weights must be below 2**31, and times the largest utility, "
            f"cost and stake in steps at most 2**41, got {total[which]} x {largest[which]} in problem {which}; use a "
            f"smaller resolution or smaller prior weights"
        )
    return {
        "prior": prior.astype(np.int64),
        "utility": utility.astype(np.int32),
        "items": restricted_growth(items).astype(np.int32),
        "costs": costs.astype(np.int64),
        "stakes": None if stakes is None else stakes.astype(np.int32),
        "problem_id": np.arange(b, dtype=np.int64),
        "owners": owned,
        "sellers": sellers,
        "resolution": int(resolution),
        "labels": labels,
    }


def item_labels(name: str, value: Any) -> np.ndarray:
    """`[B, M, W]` whole numbers, from labels that may be names."""
    try:
        rows = value if isinstance(value, np.ndarray) else [list(r) if isinstance(r, range) else r for r in value]
    except TypeError:  # not a sequence
        rows = None
    array = as_array(name, rows)
    if array.dtype == object:  # rows of different lengths, or no labels
        array = np.asarray(0)
    if array.dtype.kind == "U":
        array = np.unique(array, return_inverse=True)[1].reshape(array.shape)
    if array.ndim not in (2, 3) or 0 in array.shape:
        shape = "rows of different lengths" if array.ndim == 0 else list(array.shape)
        raise ValueError(f"{name}: expected labels of shape [M, W] or [B, M, W], got {shape}")
    array = as_labels(name, array, array.shape)
    return array if array.ndim == 3 else array[None]


def count_items(items: int) -> int:
    if items > MAX_ITEMS:
        sets = 2**items
        raise ValueError(
            f"items: expected at most {MAX_ITEMS}, got {items}, whose {sets:,} sets need about "
            f"{sets * 100 / 2**30:,.2f} GiB for each state of every problem"
        )
    return items


def _owners(owners: Any, items: int, sellers: int | None) -> tuple[tuple[int, ...], int]:
    """The owners, and how many sellers there are."""
    if owners is None and sellers not in (None, items):
        raise ValueError(f"owners: expected a seller for each of {items} items, got none, and {sellers} sellers")
    owned = as_labels("owners", np.arange(items) if owners is None else owners, (items,))
    most = items if sellers is None else sellers
    for m, owner in enumerate(owned.tolist()):
        if not 0 <= owner < most:
            raise ValueError(f"owners: expected sellers from 0 to {most - 1}, got {owner} for item {m}")
    return tuple(owned.tolist()), int(owned.max()) + 1 if sellers is None else sellers
