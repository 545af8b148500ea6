"""Batches of any size through kernels of a fixed size, on all devices.

Work is cut into chunks that fit the cache of a CPU (or the memory of an accelerator), the last chunk is padded to a
power of two by repeating a row, and every chunk is split evenly over the devices. Rows never interact, so results do
not depend on any of this, and a second batch compiles nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_CHUNK_BYTES = {"cpu": 4 << 20}
_ACCELERATOR_CHUNK_BYTES = 2 << 30
_MAX_CHUNK = {"cpu": 1 << 12}
_ACCELERATOR_MAX_CHUNK = 1 << 18


def batch_mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """The devices (default: all local ones) as a mesh with the single axis `batch`."""
    chosen = jax.local_devices() if devices is None else list(devices)
    if not chosen:
        raise ValueError("devices: expected at least one JAX device, got none")
    return Mesh(np.array(chosen), ("batch",))


def chunk_size(rows: int, bytes_per_row: int, mesh: Mesh) -> int:
    """Rows per chunk: a power of two times the number of devices, no more than needed for `rows`."""
    platform = mesh.devices.flat[0].platform
    budget = _CHUNK_BYTES.get(platform, _ACCELERATOR_CHUNK_BYTES)
    limit = _MAX_CHUNK.get(platform, _ACCELERATOR_MAX_CHUNK)
    per_device = max(1, min(limit, budget // max(1, bytes_per_row)))
    needed = -(-rows // mesh.size)
    per_device = min(1 << (per_device.bit_length() - 1), 1 << max(0, (needed - 1).bit_length()))
    return per_device * mesh.size


def over_batch(function: Callable, mesh: Mesh) -> Callable:
    """`function(batched, shared)` with every device working on its own rows of `batched`, without communication."""
    rows, everywhere = PartitionSpec("batch"), PartitionSpec()
    return jax.shard_map(function, mesh=mesh, in_specs=(rows, everywhere), out_specs=rows, check_vma=False)


def run_in_chunks(compiled: Callable, batched: Any, shared: Any, chunk: int, mesh: Mesh) -> Any:
    """Apply `compiled(batched, shared)` chunk by chunk and return the results as NumPy arrays of all rows.

    While one chunk computes, the previous one is fetched.
    """
    rows = jax.tree.leaves(batched)[0].shape[0]
    sharding = NamedSharding(mesh, PartitionSpec("batch"))
    pending, done = None, []
    for start in range(0, rows, chunk):
        stop = min(start + chunk, rows)
        part = jax.tree.map(lambda leaf, a=start, b=stop: jax.device_put(_padded(leaf[a:b], chunk), sharding), batched)
        current = (compiled(part, shared), stop - start)
        if pending is not None:
            done.append(_fetch(*pending))
        pending = current
    if pending is not None:
        done.append(_fetch(*pending))
    return jax.tree.map(lambda *leaves: leaves[0] if len(leaves) == 1 else np.concatenate(leaves), *done)


def _padded(rows: Any, size: int) -> Any:
    missing = size - rows.shape[0]
    if missing == 0:
        return rows
    rows = np.asarray(rows)
    return np.concatenate([rows, np.broadcast_to(rows[-1:], (missing, *rows.shape[1:]))])


def _fetch(result: Any, rows: int) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:rows], result)
