"""Kernels refuse arrays whose shapes do not belong together while they are traced, before they compute from them."""

from __future__ import annotations

import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import jaxtyping
import pytest
from equilibrax_kernels.conversation.substitutes import substitutes_slack
from equilibrax_kernels.fits.chebyshev import misalignment_lanes
from equilibrax_kernels.fits.nnls import nonnegative_lanes
from equilibrax_kernels.fits.persuasion import persuasion_rule
from equilibrax_kernels.partitions.joint import joint_game
from equilibrax_kernels.partitions.obedience import partition_values
from equilibrax_kernels.selection.dense import dense_schemes
from equilibrax_kernels.selection.frontier import frontier_schemes
from equilibrax_kernels.selection.monopoly import monopoly
from equilibrax_kernels.selection.ordering import order_schemes

INT, REAL, BOOL = jnp.int32, jnp.float64, jnp.bool_

# Each: a kernel with its options, sound shapes, and one that would broadcast to a wrong answer if nobody looked.
CASES = {
    "dense": (
        dense_schemes,
        {"with_outcomes": False},
        [((3, 2, 2, 4), INT), ((2, 2, 4), BOOL)],
        (1, ((2, 2, 1), BOOL)),
    ),
    "frontier": (
        frontier_schemes,
        {"capacity": 8, "value_bits": 20, "with_outcomes": False},
        [((3, 2, 2, 4), INT), ((2, 2, 4), BOOL)],
        (1, ((1, 2, 4), BOOL)),
    ),
    "ordering": (
        order_schemes,
        {"value_bits": 20, "ties": False, "responses": False},
        [((8, 4), INT), ((8, 2, 4), INT), ((8, 4), BOOL)],
        (2, ((8, 1), BOOL)),
    ),
    "monopoly": (monopoly, {}, [((2, 2, 4), INT), ((3, 2, 2, 4), INT), ((2, 2, 4), BOOL)], (0, ((2, 1, 4), INT))),
    "joint": (
        joint_game,
        {"committees": (1, 3), "dynamics": False, "step_limit": 1},
        [((3, 4, 5), INT), ((4, 5), BOOL), ((5,), INT)],
        (2, ((1,), INT)),
    ),
    "partitions": (partition_values, {}, [((3, 4, 5), INT), ((4, 5), BOOL), ((2, 2), INT)], (1, ((4, 1), BOOL))),
    "misalignment": (
        misalignment_lanes,
        {"simplex": False, "iteration_limit": 9},
        [((6, 4), REAL), ((2, 6, 4), REAL), ((6, 4), BOOL), ((6, 4), BOOL), ((2, 4), BOOL)],
        (3, ((6, 1), BOOL)),
    ),
    "nnls": (
        nonnegative_lanes,
        {"step_limit": 9},
        [((4, 3, 3), REAL), ((4, 3), REAL), ((4, 3), BOOL)],
        (2, ((1, 3), BOOL)),
    ),
    "persuasion": (
        persuasion_rule,
        {},
        [((1, 2, 2), REAL), ((1, 2, 2), REAL), ((2, 2), BOOL), ((2, 1), INT), ((), REAL), ((), INT)],
        (2, ((1, 2), BOOL)),
    ),
    "substitutes": (substitutes_slack, {}, [((2, 2), REAL), ((2, 2, 3), REAL)], (1, ((1, 2, 3), REAL))),
}


@pytest.mark.parametrize("name", CASES)
def test_shapes_that_do_not_belong_together_are_refused(name, monkeypatch):
    kernel, options, sound, (place, other) = CASES[name]

    def trace(shapes):
        with jax.enable_x64(True):
            jax.eval_shape(
                lambda *arrays: jax.tree.leaves(kernel(*arrays, **options))[:1],
                *(jax.ShapeDtypeStruct(*s) for s in shapes),
            )

    trace(sound)
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside of tests, where nobody checks types
    with pytest.raises(AssertionError, match="shape"):
        trace([*sound[:place], other, *sound[place + 1 :]])


def test_a_kernel_is_traced_once_for_batches_that_are_padded_alike():
    from equilibrax._core.batching import batch_mesh, over_batch, run_in_chunks

    kernel = chex.assert_max_traces(lambda batched, shared: {"twice": 2 * batched["x"] + shared}, n=1)
    mesh = batch_mesh()
    compiled = over_batch(kernel, mesh)
    for rows in (5, 8, 13):  # chunks of 8: one that is not full, one that is, two
        done = run_in_chunks(compiled, {"x": jnp.arange(rows)}, jnp.int32(1), 8, mesh)
        assert done["twice"].tolist() == [2 * i + 1 for i in range(rows)]


def test_a_second_batch_is_not_traced_again():
    """Other tables, another seed and another number of them that is padded to the same: what is compiled serves.

    In a process of its own, since compiled programs stay, and these stand no second shape.
    """
    code = """
import chex
import equilibrax as eq
from equilibrax._core import batching

once = batching.jit
batching.jit = lambda function: once(chex.assert_max_traces(function, n=1))
for game in ("selection", "obedient", "joint"):
    for tables, seed in ((5, 0), (8, 1), (7, 2)):
        batch = eq.sample_tables("uniform", tables, states=2, actions=3, providers=2, seed=seed)
        assert eq.solve(batch, game, backend="xla").status.shape[0] == tables
try:
    eq.solve(eq.sample_tables("uniform", 5, states=3, actions=3, providers=2, seed=0), "joint", backend="xla")
except AssertionError as error:
    assert "is traced > 1 times" in str(error)
else:
    raise SystemExit("traces are not counted")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
