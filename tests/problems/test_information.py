"""Games of information: the constructors agree with each other and refuse what is no game."""

from __future__ import annotations

from fractions import Fraction

import equilibrax as eq
import jax
import numpy as np
import pytest
from equilibrax import PersuasionGame

RNG = np.random.default_rng(4)
USER, PROVIDERS = RNG.integers(0, 9, (2, 3, 4)) / 8, RNG.integers(0, 9, (2, 2, 3, 4)) / 8  # [Z, X, A], [K, Z, X, A]
WEIGHTS = [[1, 2, 0], [3, 1, 2]]


def test_tables_and_weights_make_the_same_game_when_the_user_knows_nothing():
    available = RNG.random((5, 3, 4)) < 0.7
    available[..., 1] = True
    prior, user, providers = RNG.integers(1, 5, (5, 3)), RNG.random((5, 3, 4)), RNG.random((5, 2, 3, 4))
    prior[:, 0] = 1  # no common factor
    from_tables = PersuasionGame.from_tables(eq.from_arrays(user, providers, prior, available, resolution=999))
    from_weights = PersuasionGame.from_weights(
        prior[:, None], user[:, None], providers[:, :, None], available, resolution=999
    )
    for one, other in zip(jax.tree.leaves(from_tables), jax.tree.leaves(from_weights), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not from_tables.user[~np.broadcast_to(available[:, None], from_tables.user.shape)].any()


def test_full_priors_are_sums_over_the_hidden_outcome():
    prior = RNG.integers(0, 4, (2, 3, 5))
    prior[0, 0, 0] = prior[1, 1, 1] = prior[0, 2, 4] = 1
    user, providers = RNG.integers(-5, 6, (5, 4)), RNG.integers(-5, 6, (2, 5, 4))
    game = PersuasionGame.from_prior(prior, user, providers, resolution=1)
    for z, x, a in np.ndindex(2, 3, 4):
        assert game.user[0, z, x, a] == sum(int(prior[z, x, y]) * int(user[y, a]) for y in range(5))
        for j in range(2):
            assert game.providers[0, j, z, x, a] == sum(int(prior[z, x, y]) * int(providers[j, y, a]) for y in range(5))
    np.testing.assert_array_equal(game.weights[0], prior.sum(axis=2))


def test_an_outcome_per_pair_makes_weights_and_priors_the_same_game():
    prior = np.zeros((2, 3, 6))
    for z, x in np.ndindex(2, 3):
        prior[z, x, 3 * z + x] = WEIGHTS[z][x]
    one = PersuasionGame.from_weights(WEIGHTS, USER, PROVIDERS)
    other = PersuasionGame.from_prior(prior, USER.reshape(6, 4), PROVIDERS.reshape(2, 6, 4))
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    best = sum(Fraction(int(WEIGHTS[z][x] * 8 * USER[z, x].max()), 8 * 9) for z, x in np.ndindex(2, 3))
    np.testing.assert_allclose(one.optimum_utility, [float(best)], rtol=1e-15)


def test_weights_keep_their_proportions_and_zeros():
    shares = np.array(WEIGHTS) / 9
    np.testing.assert_array_equal(PersuasionGame.from_weights(shares, USER, PROVIDERS).weights[0], WEIGHTS)
    np.testing.assert_array_equal(
        PersuasionGame.from_weights(np.array(WEIGHTS) * 7, USER, PROVIDERS).weights[0], WEIGHTS
    )
    odd = np.array([[np.pi, 0.0, 1.0], [1.0, 1.0, 1.0]])
    kept = PersuasionGame.from_weights(odd, USER, PROVIDERS).weights[0]
    assert kept[0, 1] == 0
    np.testing.assert_allclose(kept / kept.sum(), odd / odd.sum(), rtol=0, atol=1e-6)


def test_batches_slice_and_keep_ids():
    game = PersuasionGame.from_tables(eq.sample_tables("uniform", 5, states=3, actions=2, providers=2, seed=1, start=7))
    assert len(game) == 5
    assert game[2].table_id.tolist() == [9]
    assert [len(one) for one in game] == [1] * 5
    assert game[1:3].names() == ["uniform"] * 2
    with pytest.raises(IndexError):
        game[5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [[1, -2, 0], [3, 1, 2]]}, "weights: expected finite weights that are not negative, got -2"),
        ({"weights": [[1, float("nan"), 0], [3, 1, 2]]}, "weights: expected finite weights"),
        ({"weights": [[1, float("inf"), 0], [3, 1, 2]]}, "weights: expected finite weights"),
        ({"weights": [[1, 2, 0], [3, 1, 0]]}, "every state x_B to have a positive weight, got none for 2 in game 0"),
        ({"weights": [[0, 0, 0], [3, 1, 2]]}, "every signal x_A to have a positive weight, got none for 0 in game 0"),
        ({"weights": [1, 2, 3]}, r"weights: expected shape \[Z, X\] or \[B, Z, X\], got \[3\]"),
        ({"weights": [[1, 2], [3, 1]]}, "user: expected shape"),
        ({"weights": [[1, 1e-9, 1], [3, 1, 2.5]]}, "weights: a share of .* rounds to zero"),
        ({"user": np.where(USER > 0.9, np.nan, USER)}, "user: expected finite utilities, got nan"),
        ({"providers": PROVIDERS[:, :1]}, "providers: expected shape"),
        ({"providers": np.ones((17, 2, 3, 4))}, "providers: expected 1 to 16 providers, got 17"),
        ({"user": USER * 1e7}, "user: utility x resolution must fit in 32 bits"),
        ({"user": USER * 1e5, "weights": [[2**20, 1, 0], [1, 1, 1]]}, r"must be at most 2\*\*41"),
        ({"resolution": 0}, "resolution: expected a positive whole number, got 0"),
        (
            {"available": np.zeros((3, 4), bool)},
            "available: expected an action in every state, got none in game 0, state 0",
        ),
        ({"available": np.ones((2, 4), bool)}, "available: expected booleans of shape"),
        ({"labels": eq.Labels(("a",), ("b",), ("c",))}, "labels: expected 3 states, 4 actions and 2 providers"),
    ],
)
def test_what_is_no_game_is_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        PersuasionGame.from_weights(**({"weights": WEIGHTS, "user": USER, "providers": PROVIDERS} | change))
    assert "\n" not in str(caught.value)


def test_unavailable_utilities_may_be_anything():
    available = np.ones((3, 4), bool)
    available[1, 2] = False
    user = USER.copy()
    user[:, 1, 2] = np.nan
    game = PersuasionGame.from_weights(WEIGHTS, user, PROVIDERS, available)
    assert not game.user[0, :, 1, 2].any()
