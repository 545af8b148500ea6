"""Batches without end, in another order in every epoch, from shards that are read one after the other; resumable."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from equilibrax._core.checks import check_whole, positive_int

_KEPT = 2  # shards in memory


class ArrayStream:
    """Batches of tables, epoch after epoch; the last batch of an epoch may be smaller.

    What comes next depends on the seed and `state` alone, so a run that was interrupted goes on with the same batch:
    keep `state` with the parameters (it is a dictionary of whole numbers, for JSON), and give it to a new stream.

    Attributes:
        epoch: number of the epoch of the next batch, from 0.
        batch: number of the next batch in its epoch, from 0.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        read: Callable[[int], Any],
        size: int,
        seed: int | None = 0,
        state: dict[str, int] | None = None,
    ):
        """A stream.

        Args:
            sizes: how many tables the shards have.
            read: from the number of a shard to its tables, which can be indexed by positions.
            size: tables per batch.
            seed: of the orders; None: as they are.
            state: of another stream of the same size and seed.

        Raises:
            ValueError: naming the argument.
        """
        self.size = positive_int("size", size)
        self.seed = -1 if seed is None else check_whole("seed", seed, 0)
        self._sizes, self._read = np.asarray(sizes, np.int64), read
        self._shards: OrderedDict[int, Any] = OrderedDict()
        self._plan: tuple[tuple[int, int], np.ndarray] | None = None
        self.epoch = self.batch = 0
        if state is not None:
            self._resume(state)

    def __len__(self) -> int:
        """Batches per epoch."""
        return -(-int(self._sizes.sum()) // self.size)

    def __iter__(self) -> ArrayStream:
        return self

    def __next__(self) -> Any:
        """The next batch."""
        order = self._order(self.epoch)
        start = self.batch * self.size
        rows, parts, at = min(self.size, int(self._sizes.sum()) - start), [], 0
        ends = np.cumsum(self._sizes[order])
        while at < rows:
            place = int(np.searchsorted(ends, start + at, side="right"))
            shard, first = int(order[place]), int(ends[place] - self._sizes[order[place]])
            take = min(rows - at, int(ends[place]) - start - at)
            mine = self._within(self.epoch, shard)[start + at - first : start + at - first + take]
            parts.append(self._shard(shard)[mine])
            at += take
        self.batch += 1
        if self.batch == len(self):
            self.epoch, self.batch = self.epoch + 1, 0
        return parts[0] if len(parts) == 1 else _concatenated(parts)

    @property
    def state(self) -> dict[str, int]:
        """What a new stream needs to go on after the batches that were given."""
        return {"epoch": self.epoch, "batch": self.batch, "size": self.size, "seed": self.seed,
                "tables": int(self._sizes.sum())}  # fmt: skip

    def _resume(self, state: dict[str, int]) -> None:
        mine = self.state
        if not isinstance(state, Mapping):
            raise ValueError(f"state: expected that of such a stream, got {state!r}")
        for name in ("size", "seed", "tables"):
            if state.get(name) != mine[name]:
                raise ValueError(f"state: expected {name} {mine[name]}, as this stream has, got {state.get(name)!r}")
        self.epoch = check_whole("state", state.get("epoch"), 0, None)
        self.batch = check_whole("state", state.get("batch"), 0, len(self) - 1)

    def _order(self, epoch: int) -> np.ndarray:
        if self.seed < 0:
            return np.arange(len(self._sizes))
        return np.random.default_rng((self.seed, epoch)).permutation(len(self._sizes))

    def _within(self, epoch: int, shard: int) -> np.ndarray:
        """The order of a shard's tables in an epoch."""
        if self.seed < 0:
            return np.arange(self._sizes[shard])
        if self._plan is None or self._plan[0] != (epoch, shard):
            order = np.random.default_rng((self.seed, epoch, 1 + shard)).permutation(self._sizes[shard])
            self._plan = (epoch, shard), order
        return self._plan[1]

    def _shard(self, shard: int) -> Any:
        if shard not in self._shards:
            self._shards[shard] = self._read(shard)
            while len(self._shards) > _KEPT:
                self._shards.popitem(last=False)
        return self._shards[shard]


def _concatenated(parts: list[Any]) -> Any:
    from equilibrax.datasets.arrays import _joined

    return _joined(parts)
