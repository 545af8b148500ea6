"""What tables are up to the numbers of their states, actions and providers, as a hash: splits by form go by it.

The form of a table is the smallest of its relabellings: whole numbers in the order prior, which actions are missing,
user, providers (each by state, then action), compared from the first. Its hash is the first 64 bits of the SHA-256 of
the shape, the prior in lowest terms, which actions there are, and all utilities, 64-bit little-endian each.

Letters: B tables, K providers, X states, A actions.
"""

from __future__ import annotations

import hashlib
from itertools import permutations
from math import factorial

import numpy as np

from equilibrax.verification.games import Games

MOST_ORDERS = 40_320
"""Orders of states and actions that are looked at."""

_BLOCK = 2**22  # whole numbers in memory


def orders(states: int, actions: int) -> int:
    """How many orders of states and actions there are, or a number beyond the limit."""
    return factorial(min(states, 12)) * factorial(min(actions, 12))


def hashes(games: Games) -> np.ndarray:
    """`[B]` int64, the hash of the form of each game, all of whose actions are used in some state."""
    b, _, x, a = games.utilities.shape
    step = max(1, _BLOCK // games.utilities[0].size)
    parts = [_smallest(games.utilities[i : i + step], games.prior[i : i + step], games.available[i : i + step])
             for i in range(0, b, step)]  # fmt: skip
    found = np.empty(b, np.int64)
    for n, row in enumerate(row for part in parts for row in part):
        prior, rest = row[:x] // np.gcd.reduce(row[:x]), row[x:]
        missing, utilities = rest[: x * a], rest[x * a :]
        shape = np.array([games.utilities.shape[1] - 1, x, a])
        content = np.concatenate([shape, prior, 1 - missing, utilities]).astype("<i8")
        found[n] = np.frombuffer(hashlib.sha256(content.tobytes()).digest()[:8], "<i8")[0]
    return found


def _smallest(utilities: np.ndarray, prior: np.ndarray, available: np.ndarray) -> np.ndarray:
    """`[B, L]` the smallest relabelling of each table, in one row."""
    b, players, x, a = utilities.shape
    utilities = np.where(available[:, None], utilities, 0)
    best = None
    for states in map(list, permutations(range(x))):
        by_state, there, weights = utilities[:, :, states], available[:, states], prior[:, states]
        for actions in map(list, permutations(range(a))):
            cells = by_state[..., actions].reshape(b, players, x * a)
            own = _sorted_rows(cells[:, 1:])
            row = np.concatenate(
                [weights, ~there[..., actions].reshape(b, -1), cells[:, 0], own.reshape(b, -1)], axis=1
            )
            if best is None:
                best = row
            else:
                differs = best != row
                first = differs.argmax(axis=1)
                line = np.arange(b)
                less = differs.any(axis=1) & (row[line, first] < best[line, first])
                best[less] = row[less]
    assert best is not None
    return best


def _sorted_rows(rows: np.ndarray) -> np.ndarray:
    """`[B, K, L]` with the K rows of each table sorted, compared from the first number."""
    b, k, length = rows.shape
    flat = rows.reshape(b * k, length)
    order = np.lexsort([*flat.T[::-1], np.repeat(np.arange(b), k)])
    return flat[order].reshape(b, k, length)
