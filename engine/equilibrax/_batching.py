"""Batches of any size through kernels of a fixed size, on all devices.

Work is cut into chunks that fit the cache of a CPU (or the memory of an accelerator), the last chunk is padded to a
power of two by repeating a row, and every chunk is split evenly over the devices. Rows never interact, so results do
not depend on any of this, and a second batch compiles nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_CHUNK_BYTES = {"cpu": 8 << 20}
_ACCELERATOR_CHUNK_BYTES = 2 << 30
_MAX_CHUNK = {"cpu": 1 << 12}
_ACCELERATOR_MAX_CHUNK = 1 << 18
_MIN_LANES = {"cpu": 64}  # fewer do not fill vector registers and amortize no loop's overhead, whatever the cache says


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
    per_device = max(_MIN_LANES.get(platform, 1), min(limit, budget // max(1, bytes_per_row)))
    needed = -(-rows // mesh.size)
    per_device = min(1 << (per_device.bit_length() - 1), 1 << max(0, (needed - 1).bit_length()))
    return per_device * mesh.size


def over_batch(kernel: Callable, mesh: Mesh) -> Callable:
    """A kernel over lanes as `function(batched, shared)`, every device working on lanes of its own.

    Args:
        kernel: from `batched` with the rows as last axis (lanes) and `shared` to a dictionary of arrays, lanes last.
        mesh: from `batch_mesh`.

    Returns:
        A function that takes `batched` with the rows first, and returns the kernel's results, lanes last.
    """
    most = 5  # axes of a result

    def grouped(batched, shared):
        results = kernel(jax.tree.map(lambda array: jnp.moveaxis(array, 0, -1), batched), shared)
        return {axes: {n: r for n, r in results.items() if r.ndim == axes} for axes in range(1, most + 1)}

    specs = {axes: PartitionSpec(*[None] * (axes - 1), "batch") for axes in range(1, most + 1)}
    in_specs = (PartitionSpec("batch"), PartitionSpec())
    mapped = jax.shard_map(grouped, mesh=mesh, in_specs=in_specs, out_specs=specs, check_vma=False)
    return lambda batched, shared: {n: r for group in mapped(batched, shared).values() for n, r in group.items()}


def run_in_chunks(compiled: Callable, batched: Any, shared: Any, chunk: int, mesh: Mesh) -> dict[str, np.ndarray]:
    """Apply `compiled(batched, shared)` of `over_batch` chunk by chunk; results of all rows, rows first, writeable.

    While one chunk computes, the previous one is fetched. The arrays are views: in memory the rows are the last axis,
    as the kernels leave them.
    """
    rows = jax.tree.leaves(batched)[0].shape[0]
    sharding = NamedSharding(mesh, PartitionSpec("batch"))
    done: dict[str, np.ndarray] = {}

    def fetch(results: dict[str, jax.Array], start: int, stop: int) -> None:
        for name, result in results.items():
            if name not in done:
                done[name] = np.empty((*result.shape[:-1], rows), result.dtype)
            for shard in result.addressable_shards:
                first = start + (shard.index[-1].start or 0)
                wanted = min(shard.data.shape[-1], stop - first)
                if wanted > 0:
                    done[name][..., first : first + wanted] = np.asarray(shard.data)[..., :wanted]

    pending = None
    for start in range(0, rows, chunk):
        stop = min(start + chunk, rows)
        part = jax.device_put(jax.tree.map(lambda leaf, a=start, b=stop: _padded(leaf[a:b], chunk), batched), sharding)
        current = (compiled(part, shared), start, stop)
        if pending is not None:
            fetch(*pending)
        pending = current
    if pending is not None:
        fetch(*pending)
    return {name: np.moveaxis(array, -1, 0) for name, array in done.items()}


def over_rows(function: Callable, mesh: Mesh) -> Callable:
    """`function(batched, shared)`, rows first, with every device working on rows of its own."""
    rows, everywhere = PartitionSpec("batch"), PartitionSpec()
    return jax.shard_map(function, mesh=mesh, in_specs=(rows, everywhere), out_specs=rows, check_vma=False)


def run_rows_in_chunks(compiled: Callable, batched: Any, shared: Any, chunk: int, mesh: Mesh) -> Any:
    """The same for `over_rows`, whose results may be any tree of arrays, rows first."""
    rows = jax.tree.leaves(batched)[0].shape[0]
    sharding = NamedSharding(mesh, PartitionSpec("batch"))
    pending, done = None, []

    def fetch(results: Any, wanted: int) -> Any:
        return jax.tree.map(lambda leaf: np.asarray(leaf)[:wanted], results)

    for start in range(0, rows, chunk):
        stop = min(start + chunk, rows)
        part = jax.device_put(jax.tree.map(lambda leaf, a=start, b=stop: _padded(leaf[a:b], chunk), batched), sharding)
        current = (compiled(part, shared), stop - start)
        if pending is not None:
            done.append(fetch(*pending))
        pending = current
    if pending is not None:
        done.append(fetch(*pending))
    return jax.tree.map(lambda *leaves: leaves[0] if len(leaves) == 1 else np.concatenate(leaves), *done)


def _padded(rows: Any, size: int) -> Any:
    missing = size - rows.shape[0]
    if missing == 0:
        return rows
    rows = np.asarray(rows)
    return np.concatenate([rows, np.broadcast_to(rows[-1:], (missing, *rows.shape[1:]))])
