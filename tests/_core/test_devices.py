"""Results are the same bits on any number of devices and in any batch size."""

from __future__ import annotations

import os
import subprocess
import sys

import equilibrax as eq
import equilibrax._core.batching as batching
import jax
import jax.numpy as jnp
import numpy as np
import pytest

SCRIPT = """
import hashlib
import jax, numpy as np
import equilibrax as eq

rng = np.random.default_rng(0)
tables = eq.from_integers(
    rng.integers(0, 6, (64, 3, 3)), rng.integers(0, 6, (64, 2, 3, 3)), rng.integers(1, 4, (64, 3))
)
print(jax.device_count())
for size in (1, 7, 64):
    turns = eq.Dynamics(order="random", seed=3)
    result = eq.solve(tables[:size], eq.Selection("lowest_index", turns, misalignment=False))
    arrays = (
        result.optimum_value, result.worst_value, result.best_value, result.equilibria, result.worst_scheme,
        result.dynamics_value, result.dynamics_scheme, result.dynamics_steps, result.status, result.retries,
    )
    for rows in {1, 7, size}:
        if rows <= size:
            digest = hashlib.sha256()
            for array in arrays:
                digest.update(repr((array.dtype.str, array.shape[1:])).encode() + array[:rows].tobytes())
            print(size, rows, digest.hexdigest())
curve = eq.alignment_curve(eq.raters.simulate_raters("systematic", 200, 8, seed=0), permutations=7)
print("all", "curve", hashlib.sha256(curve.mse.tobytes() + curve.kkt_residual.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_results_are_the_same_bits_on_1_and_on_8_devices_in_any_batch():
    def start(devices: int):
        environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
        environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # half an entry of another process is a warning
        command = [sys.executable, "-W", "error", "-c", SCRIPT]
        return subprocess.Popen(command, env=environment | {"JAX_PLATFORMS": "cpu"}, stdout=subprocess.PIPE, text=True)

    running = [start(devices) for devices in (1, 8)]
    outputs = [process.communicate()[0].splitlines() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert [lines[0] for lines in outputs] == ["1", "8"]
    digests: dict[str, set[str]] = {}
    for line in outputs[0][1:] + outputs[1][1:]:
        _, rows, digest = line.split()
        digests.setdefault(rows, set()).add(digest)
    assert set(digests) == {"1", "7", "64", "curve"}
    assert all(len(found) == 1 for found in digests.values()), outputs
    assert len(set.union(*digests.values())) == 4


@pytest.mark.parametrize(
    ("rows", "bytes_per_row", "chunk"),
    [
        (1, 100, 1),
        (5, 100, 8),  # a power of two, so that batches of similar sizes share a compiled program
        (64, 100, 64),
        (10**9, 1, 4096),  # more rows than a chunk may have
        (10**4, 1 << 14, 512),  # as many as fit the budget
        (1000, 1 << 20, 64),  # not so few that vector registers are empty
        (1000, 1 << 24, 8),  # fewer, where even those would take too much
        (1000, 1 << 40, 1),  # at least one
    ],
)
def test_chunks(rows, bytes_per_row, chunk):
    mesh = batching.batch_mesh(jax.local_devices(backend="cpu")[:1])
    assert batching.chunk_size(rows, bytes_per_row, mesh) == chunk


@pytest.mark.parametrize("threads", [1, 2])
def test_chunks_are_padded_and_joined(threads):
    """Seven rows in chunks of four: every row arrives once and in order, and padding does not."""
    seen = []

    def double(part, shared):
        jax.debug.callback(lambda a: seen.append(a.tolist()), part["a"])
        return {"b": part["a"] * 2 + shared}

    mesh = batching.batch_mesh(jax.local_devices()[:1])
    kernel = jax.jit(batching.over_batch(double, mesh))
    done = batching.run_in_chunks(kernel, {"a": np.arange(7, dtype=np.int32)}, jnp.int32(1), 4, mesh, threads=threads)
    jax.effects_barrier()
    assert done["b"].tolist() == [1, 3, 5, 7, 9, 11, 13]
    assert sorted(seen) == [[0, 1, 2, 3], [4, 5, 6, 6]]


@pytest.mark.slow
def test_devices_are_chosen():
    table = eq.from_integers([[1, 2]], [[[2, 1]]])
    chosen = eq.solve(table, eq.Selection(misalignment=False, dynamics=False), devices=jax.local_devices()[:1])
    assert chosen.worst_value.tolist() == [[1]]


def test_what_is_no_device_is_refused():
    tables = eq.load_paper_table("synthetic-1")
    with pytest.raises(ValueError, match=r"^devices: expected JAX devices, such as jax.devices\(\), got 'cpu'"):
        eq.solve(tables, devices="cpu")  # pyright: ignore[reportArgumentType]
