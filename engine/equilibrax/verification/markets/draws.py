"""The random markets drawn again, in NumPy, from what `equilibrax.problems.random_markets` documents.

Letters: B markets, K providers, N users, X states, A actions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from equilibrax.verification.draws import keys_of, words_of

_PARTS = 16  # weights of markets with weak alignment are multiples of 1 / 16
_VERSION = 1


def known_markets(version: int) -> bool:
    """Whether `draw_markets` knows this version of the random markets."""
    return version == _VERSION


@dataclass(frozen=True)
class Markets:
    """B separable markets: all providers see the state, users nothing, and all actions exist; the prior is uniform.

    Attributes:
        user: `[B, N, X, A]` int64 in steps of 1 / resolution.
        components: `[B, K, N, X, A]` the same.
        weights: `[B, K, N]` int64 in steps of 1 / weight_resolution.
        resolution, weight_resolution: steps per unit.
    """

    user: np.ndarray
    components: np.ndarray
    weights: np.ndarray
    resolution: int
    weight_resolution: int

    def __len__(self) -> int:
        return len(self.user)


def draw_markets(
    ids: np.ndarray, alignment: str, sizes: tuple[int, int, int, int], error: float, seed: int, resolution: int
) -> Markets:
    """The markets with these ids.

    Args:
        ids: `[B]` int64.
        alignment: "weak", "strong" or "none".
        sizes: N, K, X and A.
        error: of the alignment.
        seed: of the markets.
        resolution: steps per unit of utility.
    """
    n, k, x, a = sizes
    b, total, noise = len(ids), 4 * n, round(error * resolution)
    size = 2 * k * n * x * a + 2 * n * x * a + 2 * k * n
    words = words_of(keys_of(f"market/{alignment}", _VERSION, ids, seed), (size,)).astype(np.uint64)
    used = 0

    def upto(shape: tuple[int, ...], most: Any) -> np.ndarray:
        nonlocal used
        here = words[:, used : used + math.prod(shape[1:])].reshape(shape)
        used += math.prod(shape[1:])
        return (here * (np.asarray(most, np.uint64) + np.uint64(1)) >> np.uint64(32)).astype(np.int64)

    def split(shape: tuple[int, ...], parts: int, whole: Any) -> np.ndarray:
        """`[*shape, parts]` that sum to `whole`: what lies between sorted cuts."""
        whole = np.broadcast_to(np.asarray(whole), shape)[..., None]
        cuts = np.sort(upto((*shape, parts - 1), whole), axis=-1)
        return np.diff(np.concatenate([np.zeros((*shape, 1), np.int64), cuts, whole], axis=-1), axis=-1)

    weights = split((b, k), n, total - n) + 1
    if alignment == "none":
        user, components = upto((b, n, x, a), resolution), upto((b, k, n, x, a), resolution)
    elif alignment == "weak":
        components = upto((b, k, n, x, a), (resolution - 2 * noise) // _PARTS)
        shares = split((b, n), k, _PARTS)  # [B, N, K]
        user = np.einsum("bnk,bknxa->bnxa", shares, components) + upto((b, n, x, a), 2 * noise)
        components = components * _PARTS
    else:
        user = noise + upto((b, n, x, a), resolution - 2 * noise)
        components = user[:, None] - noise + upto((b, k, n, x, a), 2 * noise)
        own = np.arange(n) % k == np.arange(k)[:, None]
        weights = split((b, k), n, total - own.sum(axis=1)) + own
    return Markets(user, components, weights, resolution, total)
