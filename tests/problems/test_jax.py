"""What JAX does to batches: everything after it is right, or refused in one line."""

from __future__ import annotations

import math
from dataclasses import replace

import equilibrax as eq
import jax
import jax.numpy as jnp
import numpy as np
import pytest

GAME = eq.PersuasionGame.from_weights(
    [[math.pi, 1]],
    user=[[[1, 0], [0, 1]]],
    providers=[[[[0, 1], [0, 1]]], [[[1, 0], [1, 0]]]],
)
MARKET = eq.separable_market(
    [[[1, 0], [0, 1]]], [[[[0, 1], [0, 1]]], [[[1, 0], [1, 0]]]], [[1], [1]], [math.pi, 1], weight_resolution=2**20
)
GENERAL = eq.general_market([[[1, 0], [0, 1]]], [[[0, 1], [0, 1]], [[1, 0], [1, 0]]], [2**31 - 1, 1], resolution=1)
TABLES = eq.from_arrays([[1, 0], [0, 1]], [[[0, 1], [0, 1]], [[1, 0], [1, 0]]], [3, 1])
WIDE = {"game": GAME, "separable": MARKET, "general": GENERAL}
TRANSFORMS = {
    "device_put": jax.device_put,
    "jit": jax.jit(lambda batch: batch),
    "jit, inside": jax.jit(lambda batch: batch.user.sum()),
    "vmap": jax.vmap(lambda batch: batch),
    "asarray": lambda batch: jax.tree.map(jnp.asarray, batch),
    "add": lambda batch: jax.tree.map(lambda leaf: jnp.ones(leaf.shape) + leaf, batch),
    "scan": lambda batch: jax.lax.scan(lambda carry, row: (carry, row), 0, batch),
    "eval_shape": lambda batch: jax.eval_shape(lambda b: b, batch),
}


@pytest.mark.parametrize("batch", WIDE.values(), ids=WIDE)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_64_bit_integers_are_refused_not_cut(batch, transform):
    with pytest.raises(ValueError, match="64-bit integers, which JAX would cut to 32 bits") as caught:
        TRANSFORMS[transform](batch)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("batch", [*WIDE.values(), TABLES], ids=[*WIDE, "tables"])
def test_numpy_may_do_anything_that_keeps_the_numbers(batch):
    assert type(batch) is type(jax.tree.map(lambda leaf: leaf, batch))
    for twice in (
        jax.tree.map(lambda leaf: np.repeat(leaf, 2, axis=0), batch),
        jax.tree.map(lambda leaf: leaf[np.array([0, 0])], batch),
        jax.tree.map(lambda *leaves: np.concatenate(leaves), batch, batch),
    ):
        same = eq.concatenate([batch, batch])
        assert len(twice) == 2
        for one, other in zip(jax.tree.leaves(twice), jax.tree.leaves(same), strict=True):
            np.testing.assert_array_equal(one, other)
            assert np.asarray(one).dtype == np.asarray(other).dtype
    leaves, structure = jax.tree.flatten(batch)
    assert len(jax.tree.unflatten(structure, leaves)) == 1
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(batch)]
    assert ".user" in paths
    np.testing.assert_array_equal(jax.tree.leaves(batch)[1] * 2 + 1, np.asarray(jax.tree.leaves(batch)[1]) * 2 + 1)


@pytest.mark.parametrize("change", [np.float32, np.float64, np.int16, np.int8, bool])
@pytest.mark.parametrize("batch", [*WIDE.values(), TABLES], ids=[*WIDE, "tables"])
def test_numbers_that_were_cut_are_refused_at_the_next_door(batch, change):
    cut = jax.tree.map(lambda leaf: np.asarray(leaf).astype(change), batch)
    for use in (len, lambda b: b[0], lambda b: b.select([0]), list, eq.solve, lambda b: b.optimum_utility):
        if use is eq.solve and isinstance(batch, eq.Market):
            continue
        if not hasattr(batch, "optimum_utility") and use not in (len, eq.solve):
            continue
        with pytest.raises(ValueError, match=r"^(tables|games|markets): expected "):
            use(cut)


@pytest.mark.parametrize(
    ("batch", "name", "kind"),
    [
        (GAME, "user", np.int32),
        (MARKET, "weights", np.int32),
        (GENERAL, "tensor", np.int32),
        (TABLES, "prior", np.int16),
    ],
)
def test_one_array_that_was_cut_is_enough(batch, name, kind):
    with pytest.raises(ValueError, match=f"expected {name} of int"):
        len(replace(batch, **{name: np.asarray(getattr(batch, name)).astype(kind)}))


def test_the_game_that_was_cut_is_solved_as_it_is():
    """Of its low halves the worst equilibrium was worth 0."""
    assert eq.solve(GAME, "joint").worst_utility.tolist()[0][-1] == 1.0


def test_tables_survive_devices_and_programs():
    expected = eq.solve(TABLES, "joint")
    for moved in (jax.device_put(TABLES), jax.jit(lambda tables: tables)(TABLES), jax.tree.map(jnp.asarray, TABLES)):
        found = eq.solve(moved, "joint")
        np.testing.assert_array_equal(found.worst_utility, expected.worst_utility)
        assert found.status.tolist() == expected.status.tolist()


@pytest.mark.parametrize("game", ["selection", "joint"])
def test_solving_within_a_program_is_refused_in_one_line(game):
    for program in (
        lambda: jax.jit(lambda tables: eq.solve(tables, game).worst_utility)(TABLES),
        lambda: jax.vmap(lambda tables: eq.solve(tables, game).worst_utility)(TABLES),
        lambda: jax.jit(lambda user: eq.solve(eq.from_arrays(user, TABLES.providers[0]), game).worst_utility)(
            jnp.eye(2)
        ),
        lambda: jax.grad(lambda user: eq.solve(eq.from_arrays(user, TABLES.providers[0]), game).worst_utility.sum())(
            jnp.eye(2)
        ),
        lambda: jax.jit(lambda x: x + eq.solve(TABLES, game).worst_utility.sum())(1.0),
        lambda: jax.jit(lambda x: eq.from_arrays([[x, 1.0]], [[[1.0, 0.0]]]).user)(1.0),
        lambda: jax.vmap(lambda w: eq.PersuasionGame.from_weights([[w, 1]], np.eye(2)[None], [np.eye(2)[None]]).user)(
            jnp.ones(3)
        ),
    ):
        with pytest.raises(ValueError, match=r"call it outside of jax\.jit, vmap and grad") as caught:
            program()
        assert "\n" not in str(caught.value)
