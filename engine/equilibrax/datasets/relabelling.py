"""Tables under other numbers for their states, actions and providers: the same games, whose equilibria move along.

Letters: N tables, K providers, X states, A actions, C committees.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from equilibrax._core.checks import check_whole

MOST = 40_320
"""Relabellings of states and actions that are looked at for the smallest."""


@dataclass(frozen=True)
class Relabelling:
    """Permutations for every table: position i of the result is position `states[n, i]` of what was there.

    Attributes:
        states: `[N, X]`.
        actions: `[N, A]`.
        providers: `[N, K]`.
    """

    states: Int[np.ndarray, "N X"]
    actions: Int[np.ndarray, "N A"]
    providers: Int[np.ndarray, "N K"]

    @property
    def moves_providers(self) -> bool:
        """Whether some provider gets another number."""
        return bool((self.providers != np.arange(self.providers.shape[1])).any())


def moved(arrays: Any, how: Relabelling) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The arrays of relabelled tables by name, and `[N, C]` which of the old committees each new one was."""
    rows = np.arange(len(arrays))[:, None]
    user = _cells(np.asarray(arrays.user)[:, None], how)[:, 0]
    providers = _cells(np.asarray(arrays.providers)[rows, how.providers], how)
    found = {
        "user": user,
        "providers": providers,
        "prior": np.asarray(arrays.prior)[rows, how.states],
        "available": _cells(np.asarray(arrays.available)[:, None], how)[:, 0],
        "real_states": np.asarray(arrays.real_states)[rows, how.states],
        "real_providers": np.asarray(arrays.real_providers)[rows, how.providers],
    }
    return found, _committees(arrays.committees, how.providers)


def _cells(values: np.ndarray, how: Relabelling) -> np.ndarray:
    """`[N, P, X, A]` with states and actions moved."""
    by_state = np.take_along_axis(values, how.states[:, None, :, None], axis=2)
    return np.take_along_axis(by_state, how.actions[:, None, None, :], axis=3)


def _committees(masks: np.ndarray, providers: np.ndarray) -> np.ndarray:
    """`[N, C]` positions among `masks` of the committees of the same providers under their old numbers."""
    members = masks[:, None] >> np.arange(providers.shape[1]) & 1  # [C, K], of the new numbers
    old = (members[None] << providers[:, None, :]).sum(axis=2)
    order = np.argsort(masks, kind="stable")
    place = order[np.minimum(np.searchsorted(masks[order], old), len(masks) - 1)]
    if (masks[place] != old).any():
        raise ValueError("committees: expected all committees where providers move, got some of them")
    return place


def random_relabelling(arrays: Any, key: Any, states: bool, actions: bool, providers: bool) -> Relabelling:
    """Random permutations of what is real; each table's depend on the key and its id alone."""
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0:
        key = int(jax.random.bits(key, (), jnp.uint32)) + 2**31  # beside those of whole numbers
    else:
        check_whole("key", key, 0)
    real: tuple[np.ndarray, ...] = (
        np.asarray(arrays.real_states),
        np.asarray(np.asarray(arrays.available).any(axis=1)),
        np.asarray(arrays.real_providers),
    )
    ids = np.asarray(arrays.table_id).astype(np.uint64)
    found = []
    for axis, (mask, wanted) in enumerate(zip(real, (states, actions, providers))):
        size = mask.shape[1]
        if not wanted:
            found.append(np.broadcast_to(np.arange(size), mask.shape))
            continue
        own = _mix(_mix(ids) ^ _mix(np.uint64(3 * key + axis)))
        found.append(_among(_mix(own[:, None] + np.arange(size, dtype=np.uint64)), mask))
    return Relabelling(*found)


def _among(draws: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Permutations in the order of the draws of what the mask has; the rest stays where it is."""
    order = np.argsort(np.where(mask, draws, np.iinfo(np.uint64).max), axis=1, kind="stable")
    places = np.argsort(~mask, axis=1, kind="stable")  # positions of the real ones first, in order
    found = np.tile(np.arange(mask.shape[1]), (len(mask), 1))
    counts = mask.sum(axis=1, keepdims=True)
    here = np.arange(mask.shape[1]) < counts
    rows = np.broadcast_to(np.arange(len(mask))[:, None], mask.shape)
    found[rows[here], places[here]] = order[here]
    return found


def _mix(values: Any) -> Any:
    """Well mixed 64-bit numbers (splitmix64)."""
    with np.errstate(over="ignore"):
        z = np.asarray(values, np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def check_orders(states: int, actions: int) -> None:
    """Refuse sizes with more than `MOST` orders of states and actions.

    Raises:
        ValueError: naming both.
    """
    if states + actions > 20 or factorial(states) * factorial(actions) > MOST:
        raise ValueError(f"states, actions: expected at most {MOST:,} orders of both, got {states}! x {actions}!")


def canonical(arrays: Any) -> Relabelling:
    """The relabelling of every table after which it is the smallest: of all orders of its states and actions, with the
    providers sorted, the first in lexicographic order.

    Raises:
        ValueError: if there are more than `MOST` orders.
    """
    n, k, x, a = np.shape(arrays.providers)
    check_orders(x, a)
    best: np.ndarray | None = None
    chosen = [np.zeros((n, size), np.int64) for size in (x, a, k)]
    for states in permutations(range(x)):
        for actions in permutations(range(a)):
            how = Relabelling(
                np.broadcast_to(states, (n, x)), np.broadcast_to(actions, (n, a)), np.broadcast_to(range(k), (n, k))
            )
            cells, _ = moved(arrays, how)
            own = _ordered_bytes(np.concatenate([
                (~cells["real_providers"]).astype(np.int32)[..., None], cells["providers"].reshape(n, k, x * a)
            ], axis=2))  # fmt: skip
            order = np.argsort(own, axis=1, kind="stable")
            mine = [
                (~cells["real_states"]).astype(np.int32),
                cells["prior"],
                (~cells["available"]).astype(np.int32).reshape(n, -1),
                cells["user"].reshape(n, -1),
                np.take_along_axis(cells["providers"], order[..., None, None], axis=1).reshape(n, -1),
            ]
            keys = _ordered_bytes(np.concatenate(mine, axis=1))
            better = np.ones(n, bool) if best is None else keys < best
            best = keys if best is None else np.where(better, keys, best)
            for kept, new in zip(chosen, (how.states, how.actions, order)):
                kept[better] = new[better]
    return Relabelling(*chosen)


def _ordered_bytes(values: np.ndarray) -> np.ndarray:
    """Rows of int32 as byte strings in the same order."""
    shifted = (values.astype(np.int64) + 2**31).astype(">u4")
    return np.ascontiguousarray(shifted).view(f"S{4 * values.shape[-1]}")[..., 0]
