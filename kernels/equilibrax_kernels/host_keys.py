"""threefry2x32 in NumPy, for many keys at once: the words of `jax.random.bits`, without a compiler.

The keys of B tables are lanes: every array of words has them as its last axis. Words are those of keys under
`jax.threefry_partitionable(True)`: word i of a key is the exclusive or of both words into which it encrypts (0, i).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


class HostKeys(NamedTuple):
    """The keys of B lanes.

    Attributes:
        high, low: `[B]` uint32, their two words.

    Example:
        >>> import jax
        >>> keys = HostKeys(np.zeros(3, np.uint32), np.arange(3, dtype=np.uint32))
        >>> with jax.threefry_partitionable(True):
        ...     words = jax.random.bits(jax.random.key(2), (4, 5))
        >>> bool((keys.words((4, 5))[..., 2] == words).all())
        True
    """

    high: np.ndarray
    low: np.ndarray

    def fold_in(self, word: int | np.integer | np.ndarray) -> HostKeys:
        """The keys of `jax.random.fold_in`: one word for all, or `[B]`."""
        return HostKeys(*self._encrypted(np.zeros_like(self.low), np.broadcast_to(np.uint32(word), self.low.shape)))

    def words(self, shape: tuple[int, ...]) -> np.ndarray:
        """`[*shape, B]` uint32."""
        places = np.arange(math.prod(shape), dtype=np.uint32)[:, None]
        one, other = self._encrypted(np.zeros((len(places), len(self.low)), np.uint32), places)
        one ^= other
        return one.reshape(*shape, -1)

    def _encrypted(self, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keys = (self.high, self.low, self.high ^ self.low ^ _PARITY)
        one, other = one + keys[0], other + keys[1]
        room = np.empty_like(other)
        for group in range(5):
            for turn in _ROTATIONS[group % 2]:
                one += other
                np.right_shift(other, np.uint32(32 - turn), out=room)
                other <<= np.uint32(turn)
                other |= room
                other ^= one
            one += keys[(group + 1) % 3]
            other += keys[(group + 2) % 3] + np.uint32(group + 1)
        return one, other


def host_table_keys(seed: np.ndarray, stream: np.ndarray, table_ids: np.ndarray) -> HostKeys:
    """The keys of `random_tables.table_key` for many tables.

    Args:
        seed, stream: as there.
        table_ids: `[B, 2]` uint32.

    Returns:
        The keys of B lanes.

    Example:
        >>> word = lambda *values: np.array(values, np.uint32)
        >>> keys = host_table_keys(word(0, 7), word(0, 1), np.array([[0, 3], [1, 3]], np.uint32))
        >>> import jax
        >>> from equilibrax_kernels.random_tables import table_key
        >>> key = table_key(word(0, 7), word(0, 1), word(1, 3))
        >>> jax.random.key_data(key).tolist() == [int(keys.high[1]), int(keys.low[1])]
        True
    """
    lanes = len(table_ids)
    keys = HostKeys(np.full(lanes, seed[0]), np.full(lanes, seed[1]))
    for word in (stream[0], stream[1], table_ids[:, 0], table_ids[:, 1]):
        keys = keys.fold_in(word)
    return keys
