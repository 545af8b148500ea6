"""The compiled loops of the selection game: against the oracle, and bit for bit against the JAX kernels."""

from __future__ import annotations

import itertools
import random

import equilibrax as eq
import numpy as np
import oracles
import pytest
from equilibrax_kernels.cpu.selection import select_tables, unpack_outcomes
from equilibrax_kernels.cpu.threads import run_over_tables

RULES = ("incumbent", "lowest_index")
SHAPES = [(3, 3, 3), (2, 4, 3), (4, 2, 2), (1, 5, 3), (5, 2, 2)]  # states, actions, providers


def games_of(seed: int, shape, count: int = 12, high: int = 3) -> list[oracles.Table]:
    rng = random.Random(seed)
    return [oracles.random_table(rng, *shape, 0, high) for _ in range(count)]


def as_arrays(games):
    """Utilities `[B, P, X, A]`, prior and available, as the loops take them."""
    utilities = np.array([[game.user, *game.providers] for game in games], np.int32)
    prior, available = np.array([game.prior for game in games], np.int32), np.array([g.available for g in games])
    return utilities, prior, available, np.zeros((len(games), 2), np.uint32)


def select(games, **options):
    providers = len(games[0].providers)
    masks = options.pop("masks", np.arange(1, 2**providers, dtype=np.int32))
    defaults = {"resolution": 1, "ties": False, "capacity": 32, "max_capacity": 1000, "step_limit": 1000}
    return select_tables(*as_arrays(games), masks, **(defaults | options))


@pytest.mark.parametrize("tie_break", RULES)
@pytest.mark.parametrize("shape", SHAPES)
def test_equilibria_are_those_of_the_oracle(shape, tie_break):
    """Tables full of ties, with priors and missing actions; the first room is too small for any of them."""
    games = games_of(1, shape)
    got = select(games, ties=tie_break == "lowest_index", outcomes=True, capacity=1)
    attained, optimal = (unpack_outcomes(got[name], *shape[:2]) for name in ("attained", "optimal"))
    assert not got["overflow"].any()
    assert not got["count_saturated"].any()
    for i, game in enumerate(games):
        assert set(map(tuple, np.argwhere(optimal[i]).tolist())) == oracles.optimal_outcomes(game)
        for c, committee in enumerate(oracles.committees(game)):
            expected = oracles.solve(game, committee, tie_break)
            came = {name: int(got[name][i, c]) for name in ("worst", "best", "count")}
            came |= {"optimum": int(got["optimum"][i]), "worst_scheme": tuple(got["worst_scheme"][i, c].tolist())}
            assert came == expected, (game, committee)
            outcomes = set(map(tuple, np.argwhere(attained[i, c]).tolist()))
            assert outcomes == oracles.equilibrium_outcomes(game, committee, tie_break), (game, committee)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 8, 4), (6, 2, 7), (3, 3, 8), (2, 3, 9)])
def test_few_schemes_in_a_word_and_in_a_list_are_the_same(shape):
    """With dynamics any number of schemes is listed. Seven providers fill a vector with the user, eight need two."""
    games = games_of(3, shape, count=40)
    few, listed = (select(games, outcomes=True, capacity=1, dynamics=dynamics) for dynamics in (False, True))
    for name in few:
        assert np.array_equal(few[name], listed[name]), name
    assert (few["count"] > 1).any()


@pytest.mark.parametrize(("tie_break", "deviation"), [*itertools.product(RULES, ("best", "minimal"))])
def test_dynamics_are_those_of_the_oracle(tie_break, deviation):
    for shape, high in itertools.product(SHAPES[:3], (3, 20)):
        games = games_of(2, shape, high=high)
        options = {"ties": tie_break == "lowest_index", "dynamics": True, "minimal": deviation == "minimal"}
        got = select(games, **options)
        assert got["dynamics_ended"].all()
        for i, game in enumerate(games):
            for c, committee in enumerate(oracles.committees(game)):
                scheme, steps, _ = oracles.dynamics(game, committee, tie_break, deviation)
                assert tuple(got["dynamics_scheme"][i, c].tolist()) == scheme, (game, committee)
                assert got["dynamics_steps"][i, c] == steps
                assert got["dynamics"][i, c] == oracles.value_of(game, scheme)[0]


@pytest.mark.slow
@pytest.mark.parametrize("tie_break", RULES)
def test_every_answer_is_that_of_the_jax_kernels(tie_break):
    """Through `solve`, in random order, beyond what is listed in full, with many ties and with few."""
    rng = np.random.default_rng(3)
    user, providers = rng.integers(0, 40, (40, 6, 3)), rng.integers(0, 40, (40, 3, 6, 3))
    user[:20] //= 12
    providers[:20] //= 12
    prior = rng.integers(1, 4, (40, 6))
    prior[:, 0] = 1  # no common factor
    tables = eq.from_integers(user, providers, prior=prior)
    turns = eq.Dynamics(order="random", seed=5)
    game = eq.Selection(tie_break=tie_break, method="frontier", misalignment=False, dynamics=turns)
    expected = eq.solve(tables, game, backend="xla", throw=False)
    from equilibrax.games.selection import table_keys

    utilities = np.concatenate([user[:, None], providers], axis=1).astype(np.int32)
    keys = table_keys(tables.table_id, turns)
    options = {"ties": tie_break == "lowest_index", "dynamics": True, "random": True, "step_limit": 10_000}
    arrays = utilities, np.asarray(tables.prior), np.ones((40, 6, 3), bool), keys, expected.committees
    got = select_tables(*arrays, resolution=1, capacity=8, max_capacity=2**16, **options)
    for name, of_result in {
        "optimum": "optimum_value",
        "worst": "worst_value",
        "best": "best_value",
        "count": "equilibria",
        "worst_scheme": "worst_scheme",
        "dynamics": "dynamics_value",
        "dynamics_scheme": "dynamics_scheme",
        "dynamics_steps": "dynamics_steps",
    }.items():
        np.testing.assert_array_equal(got[name], getattr(expected, of_result), err_msg=name)
    assert (got["dynamics_steps"] > 1).any()


def test_steps_are_limited():
    games = games_of(4, (3, 3, 3), high=20)
    free, limited = (select(games, dynamics=True, step_limit=limit) for limit in (100, 1))
    assert (limited["dynamics_steps"] == np.minimum(free["dynamics_steps"], 1)).all()
    assert (limited["dynamics_ended"] == (free["dynamics_steps"] <= 1)).all()
    assert not limited["dynamics_ended"].all()


@pytest.mark.slow
@pytest.mark.parametrize("capacity", [64, 1000])
def test_what_does_not_fit_says_so(capacity):
    """As the JAX kernels do when they may not grow: tables with many stable schemes, and none of the others."""
    rng = np.random.default_rng(5)
    user, providers = rng.integers(0, 1000, (12, 8, 4)), rng.integers(0, 1000, (12, 3, 8, 4))
    user[6:], providers[6:] = user[6:] // 300, providers[6:] // 300
    tables = eq.from_integers(user, providers)
    game = eq.Selection(dynamics=False, misalignment=False, method="frontier", max_capacity=capacity)
    expected = eq.solve(tables, game, backend="xla", throw=False)
    utilities = np.concatenate([user[:, None], providers], axis=1).astype(np.int32)
    arrays = utilities, np.ones((12, 8), np.int32), np.ones((12, 8, 4), bool), np.zeros((12, 2), np.uint32)
    got = select_tables(*arrays, expected.committees, resolution=1, ties=False, capacity=4, max_capacity=capacity)
    assert (got["overflow"] == ~expected.solved.all(axis=1)).all()
    assert got["overflow"].any() == (capacity == 64)
    np.testing.assert_array_equal(got["optimum"], expected.optimum_value)
    fits = ~got["overflow"]
    np.testing.assert_array_equal(got["worst"][fits], expected.worst_value[fits])


def test_counts_beyond_64_bits_are_marked():
    """Everybody is indifferent: all 4**31 schemes are one entry, 4**32 are too many."""
    for states, saturated in ((31, False), (32, True)):
        utilities, prior = np.zeros((1, 3, states, 4), np.int32), np.ones((1, states), np.int32)
        arrays = utilities, prior, np.ones((1, states, 4), bool), np.zeros((1, 2), np.uint32)
        masks = np.array([1, 3], np.int32)
        got = select_tables(*arrays, masks, resolution=1, ties=False, capacity=1, max_capacity=1)
        assert got["count_saturated"].tolist() == [[saturated, saturated]]
        assert got["count"].tolist() == [[2**63 - 1 if saturated else 4**31] * 2]


def test_large_values_and_lists():
    """43 bits of a value; all schemes, and those that are stable, give the same answers."""
    rng = np.random.default_rng(6)
    utilities = rng.integers(-(2**30), 2**30, (3, 4, 5, 4)).astype(np.int32)
    arrays = utilities, rng.integers(1, 2**9, (3, 5)).astype(np.int32), rng.random((3, 5, 4)) < 0.9
    arrays[2][:, :, 0] = True
    masks = np.arange(1, 8, dtype=np.int32)
    few, every = (
        select_tables(*arrays, np.zeros((3, 2), np.uint32), masks, resolution=1, ties=True, capacity=1, **options)
        for options in ({"max_capacity": 1000}, {"max_capacity": None, "minimal": True})
    )
    for name in few:
        np.testing.assert_array_equal(few[name], every[name], err_msg=name)


def test_committees_of_ones_own():
    games = games_of(7, (3, 3, 3))
    masks = np.array([5, 4, 7, 2], np.int32)
    options = {"ties": True, "fit": True, "dynamics": True}
    every, some = select(games, **options), select(games, masks=masks, **options)
    for name, values in some.items():
        expected = every[name] if values.shape[:2] != (12, 4) else every[name][:, masks - 1]
        if name.startswith("fit_"):  # other committees may be solved and others inherit
            if name == "fit_misalignment":
                np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
        else:
            np.testing.assert_array_equal(values, expected, err_msg=name)


def test_threads_change_no_bit():
    """Nor do read-only and transposed arrays, which are copied."""
    games = games_of(8, (3, 3, 3), count=50, high=9)
    one = select(games, fit=True, dynamics=True, multipliers=True, outcomes=True)
    for threads in (2, 5):
        other = select(games, fit=True, dynamics=True, multipliers=True, outcomes=True, threads=threads)
        assert one.keys() == other.keys()
        for name, values in one.items():
            assert values.tobytes() == other[name].tobytes(), name
    utilities, prior, available, keys = as_arrays(games)
    utilities = np.asfortranarray(utilities)
    utilities.flags.writeable = False
    masks = np.arange(1, 8, dtype=np.int32)
    again = select_tables(
        utilities, prior, available, keys, masks, resolution=1, ties=False, capacity=32, max_capacity=99
    )
    np.testing.assert_array_equal(again["worst"], one["worst"])


def test_an_error_in_a_thread_is_raised():
    def fail(start, stop):
        raise ValueError(f"no answer for {start}")

    for threads in (1, 2):
        with pytest.raises(ValueError, match="no answer for 0"):
            run_over_tables(fail, 10, threads)
