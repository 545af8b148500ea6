"""What a quantal user makes of posteriors: by how much it can be above its interpolation in a cell, and gradients."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import oracles_quantal
import pytest
from equilibrax_kernels.lotteries.ascent import smooth_gradients
from equilibrax_kernels.lotteries.envelope import quantal_cell

SIGNALS, STATES, ACTIONS, CELLS = 2, 3, 3, 150


@cache
def compiled():
    return jax.jit(jax.vmap(quantal_cell, in_axes=(0, 0, 0, 0, 0, 0)))


def cells(corners, user, provider, chance, rationality):
    there = np.ones((len(corners), STATES, user.shape[3]), bool)
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, compiled()(corners, user, provider, chance, there, rationality))


def drawn(size: float, corners: int, seed: int):
    """Random cells of about that size, random utilities; some signals are impossible in some states."""
    rng = np.random.default_rng(seed)
    middle = rng.dirichlet(np.ones(STATES), (CELLS, 1))
    at = (1 - size) * middle + size * rng.dirichlet(0.3 * np.ones(STATES), (CELLS, corners))
    chance = rng.dirichlet([0.3] * SIGNALS, (CELLS, STATES)).swapaxes(1, 2)
    chance = np.where(chance < 0.05, 0.0, chance)
    chance /= chance.sum(axis=1, keepdims=True)
    user, provider = rng.normal(size=(2, CELLS, SIGNALS, STATES, ACTIONS)) * chance[..., None]
    return at, user, provider, chance, rng.choice([0.0, 1.0, 10.0, 100.0], CELLS)


def worth(posterior, user, provider, chance, rationality) -> float:
    everything = [[True] * ACTIONS] * STATES
    others = [provider.tolist()]
    return oracles_quantal.message_value(
        posterior.tolist(), chance.tolist(), user.tolist(), others, everything, float(rationality)
    )[1]


@pytest.mark.parametrize("size", [1.0, 0.3, 0.05])
@pytest.mark.parametrize("corners", [2, 3])
def test_nothing_inside_a_cell_is_further_above_its_interpolation(size, corners):
    at, user, provider, chance, rationality = drawn(size, corners, 1)
    found = cells(at, user, provider, chance, rationality)
    rng = np.random.default_rng(2)
    above, near = np.zeros(CELLS), np.zeros(CELLS)
    for i in range(CELLS):
        told = user[i], provider[i], chance[i], rationality[i]
        ends = [worth(corner, *told) for corner in at[i]]
        np.testing.assert_allclose(found.value[i], ends, atol=1e-12)
        for share in [np.full(corners, 1 / corners), *rng.dirichlet(np.ones(corners), 8)]:
            above[i] = max(above[i], worth(share @ at[i], *told) - share @ ends)
        near[i] = found.error[i] - above[i]
    assert near.min() >= -1e-12
    assert (above > 1e-4).any(), "there is something to bound"
    assert (found.error[rationality == 0] <= 1e-15).all()
    assert (found.edge[found.error > 0, 0] != found.edge[found.error > 0, 1]).all()


def test_errors_fall_with_the_square_of_the_size_and_are_not_far_too_large():
    at, user, provider, chance, _ = drawn(0.02, 3, 3)
    rationality = np.full(CELLS, 3.0)
    coarse = cells(at, user, provider, chance, rationality).error
    middle = at.mean(axis=1, keepdims=True)
    fine = cells(middle + (at - middle) / 10, user, provider, chance, rationality).error
    assert np.median(coarse / fine) > 60
    ends = np.array([[worth(c, user[i], provider[i], chance[i], 3.0) for c in at[i]] for i in range(CELLS)])
    inside = np.array([worth(middle[i, 0], user[i], provider[i], chance[i], 3.0) for i in range(CELLS)])
    real = np.abs(inside - ends.mean(axis=1))
    assert np.median(coarse / np.maximum(real, 1e-300)) < 40


def test_an_impossible_signal_is_no_obstacle():
    """Where signal 0 proves state 0, what is heard with it is linear, and no error is left at the corner."""
    chance = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])
    user, provider = np.random.default_rng(0).normal(size=(2, 1, 2, 3, 3)) * chance[..., None]
    corners = np.eye(3)[None, [0, 1, 1]]
    found = cells(corners, user, provider, chance, np.array([50.0]))
    assert found.error[0] == 0
    assert found.value[0, 0] == pytest.approx(worth(corners[0, 0], user[0], provider[0], chance[0], 50.0))


def test_gradients_are_finite_where_something_is_nearly_never_heard():
    """Chances of 1e-22 have a square that is 0 in 32 bits."""
    logits = jnp.array([[[0.0, -50.0], [0.0, -50.0]]])[..., None]
    user = jnp.array([[[1.0, 0.5], [1.0, 0.5]]])[..., None]
    gradient = smooth_gradients(logits, user, user[None], jnp.full((1, 2, 1), 0.5), jnp.array([2.0]))
    assert np.isfinite(gradient).all()
