"""Batches of any size through kernels of a fixed size, on all devices.

Work is cut into chunks that fit the cache of a CPU (or the memory of an accelerator), the last chunk is padded to a
power of two by repeating a row, and every chunk is split evenly over the devices. Rows never interact, so integers do
not depend on any of this, and a second batch compiles nothing new. The last bits of floating-point results depend on
how many rows a device works on, because XLA compiles other loops for other shapes; see `steady_shapes`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from equilibrax._core.checks import ON_THE_HOST
from equilibrax._core.compile_cache import jit, make_room

_CHUNK_BYTES = {"cpu": 8 << 20}
_ACCELERATOR_CHUNK_BYTES = 2 << 30
_MAX_CHUNK = {"cpu": 1 << 12}
_ACCELERATOR_MAX_CHUNK = 1 << 18
# Fewer lanes do not fill vector registers and amortize no loop's overhead, so the cache may be left for so many bytes.
_FEWEST_LANES, _FEWEST_LANES_BYTES = 64, 128 << 20

_STEADY_CHUNKS = {"cpu": 16}  # at least so many of a batch, for as many cores
_steady: ContextVar[bool] = ContextVar("steady", default=False)


@contextmanager
def steady_shapes() -> Iterator[None]:
    """Within it, no bit of a result depends on how many devices a CPU is divided into, or how many accelerators work.

    On a CPU, chunks of the same shape are solved by the same program, for one device, side by side in threads. The
    price is more and smaller chunks there, and accelerators that repeat a row where rows are too few for all of them.
    """
    token = _steady.set(True)
    try:
        yield
    finally:
        _steady.reset(token)


def batch_mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """The devices (default: all local ones) as a mesh with the single axis `batch`."""
    if isinstance(jax.device_put(0), Tracer):
        raise ValueError(f"expected concrete arrays, got a program that JAX is tracing; {ON_THE_HOST}")
    chosen = jax.local_devices() if devices is None else list(devices)
    if not all(isinstance(device, jax.Device) for device in chosen):
        raise ValueError(f"devices: expected JAX devices, such as jax.devices(), got {devices!r}")
    if _steady.get() and devices is None and chosen[0].platform == "cpu":
        chosen = chosen[:1]
    if not chosen:
        raise ValueError("devices: expected at least one JAX device, got none")
    return Mesh(np.array(chosen), ("batch",))


def chunk_size(rows: int, bytes_per_row: int, mesh: Mesh) -> int:
    """Rows per chunk: a power of two times the number of devices, no more than `rows` need, see `steady_shapes`."""
    platform = mesh.devices.flat[0].platform
    budget = _CHUNK_BYTES.get(platform, _ACCELERATOR_CHUNK_BYTES)
    limit = _MAX_CHUNK.get(platform, _ACCELERATOR_MAX_CHUNK)
    fewest = min(_FEWEST_LANES, _FEWEST_LANES_BYTES // max(1, bytes_per_row))
    per_device = max(1, fewest, min(limit, budget // max(1, bytes_per_row)))
    needed = -(-rows // (_STEADY_CHUNKS.get(platform, 1) if _steady.get() else mesh.size))
    per_device = min(1 << (per_device.bit_length() - 1), 1 << max(0, (needed - 1).bit_length()))
    return per_device * mesh.size


def over_batch(kernel: Callable, mesh: Mesh) -> Any:
    """A kernel over lanes, compiled as `function(batched, shared)`, every device working on lanes of its own.

    Args:
        kernel: from `batched` with the rows as last axis (lanes) and `shared` to a dictionary of arrays, lanes last.
        mesh: from `batch_mesh`.

    Returns:
        A function that takes `batched` with the rows first, and returns the kernel's results, lanes last.
    """
    most = 5  # axes of a result

    def grouped(batched, shared):
        results = kernel(jax.tree.map(lambda array: jnp.moveaxis(array, 0, -1), batched), shared)
        for name, result in results.items():
            if not 1 <= result.ndim <= most:
                raise ValueError(f"{name}: expected 1 to {most} axes, lanes last, got shape {result.shape}")
        return {axes: {n: r for n, r in results.items() if r.ndim == axes} for axes in range(1, most + 1)}

    specs = {axes: PartitionSpec(*[None] * (axes - 1), "batch") for axes in range(1, most + 1)}
    in_specs = (PartitionSpec("batch"), PartitionSpec())
    mapped = jax.shard_map(grouped, mesh=mesh, in_specs=in_specs, out_specs=specs, check_vma=False)
    return jit(lambda batched, shared: {n: r for group in mapped(batched, shared).values() for n, r in group.items()})


def by_rows(function: Callable) -> Callable:
    """A function that takes and returns arrays with the rows first, as a kernel over lanes for `over_batch`."""

    def kernel(batched: Any, shared: Any) -> dict[str, Any]:
        results = function(jax.tree.map(lambda array: jnp.moveaxis(array, -1, 0), batched), shared)
        return {name: jnp.moveaxis(result, 0, -1) for name, result in results.items()}

    return kernel


def run_in_chunks(
    compiled: Any, batched: Any, shared: Any, chunk: int, mesh: Mesh, *, threads: int | None = None
) -> dict[str, np.ndarray]:
    """Apply `compiled(batched, shared)` of `over_batch` chunk by chunk; results of all rows, rows first, writeable.

    While one chunk computes, the previous one is fetched. The arrays are views: in memory the rows are the last axis,
    as the kernels leave them.

    With several threads (default: `idle_cores`) chunks compute side by side: XLA keeps the small operations inside a
    loop on one core.
    """
    make_room()
    threads = idle_cores(mesh) if threads is None else threads
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

    def part(start: int) -> Any:
        return jax.device_put(jax.tree.map(lambda leaf: _padded(leaf[start : start + chunk], chunk), batched), sharding)

    def in_order() -> Iterator[tuple[dict[str, jax.Array], int, int]]:
        starts = range(0, rows, chunk)
        if threads == 1 or len(starts) == 1:
            for start in starts:
                yield compiled(part(start), shared), start, min(start + chunk, rows)
            return
        wide = bool(jax.config.read("jax_enable_x64"))  # every thread has its own
        compiled.lower(part(0), shared).compile()  # once, not in every thread

        def one_chunk(start: int) -> tuple[dict[str, jax.Array], int, int]:
            with jax.enable_x64(wide):
                return jax.block_until_ready(compiled(part(start), shared)), start, min(start + chunk, rows)

        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(one_chunk, starts)

    pending = None
    for current in in_order():
        if pending is not None:
            fetch(*pending)
        pending = current
    if pending is not None:
        fetch(*pending)
    return {name: np.moveaxis(array, -1, 0) for name, array in done.items()}


def _padded(rows: Any, size: int) -> Any:
    missing = size - rows.shape[0]
    if missing == 0:
        return rows
    rows = np.asarray(rows)
    return np.concatenate([rows, np.broadcast_to(rows[-1:], (missing, *rows.shape[1:]))])


def idle_cores(mesh: Mesh) -> int:
    """How many chunks may compute side by side on each device: all `cores` for a single CPU device, otherwise one."""
    return cores() if mesh.size == 1 and mesh.devices.flat[0].platform == "cpu" else 1


def cores() -> int:
    """How many this process may use: those that the system gives it, and no more than `NPROC` says, as XLA reads it."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = os.environ.get("NPROC", "")
    return min(given, int(said)) if said.isdecimal() and int(said) else given
