"""Families of random tables: the same bits everywhere, the laws they promise, and clear errors."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from itertools import count as counter
from math import sqrt
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equilibrax.problems import random_tables
from equilibrax.problems.random_tables import _draw, families, register_family, sample_tables
from equilibrax_kernels import random_tables as kernels
from scipy.optimize import linprog

BUILT_IN = ("uniform", "noisy", "biased", "systematic", "hull", "near_hull", "zero_sum", "senders")
IN_UNIT = ("uniform", "noisy", "biased", "hull", "near_hull", "senders")
SIZES: dict[str, Any] = {"states": 3, "actions": 4, "providers": 5}
SEED = 2**40 + 7

# sha256 of user and providers (int32, little endian), ids 0..3 and 2**32 - 2..2**32 + 1, with this seed,
# these sizes and the default parameters. Whoever changes a hash raises the version of the family.
GOLDEN = {
    "uniform": "e02d17679921717363580e6787da9e1a5bfa208397a75bd0b7411e4fe381d128",
    "noisy": "7337cf051132798ceb7cc79dd9dc4cf98cba72b07f9c1cfdeb59b10330b37954",
    "biased": "f59661c7295d64d12a0fcd3800bf62907bee781b9dad68d9bbdd3c65237f0c36",
    "systematic": "cef7e2a70ac3600e7f46dd3cae6d033eeb7c14b3d8b4308da4561311673020c2",
    "hull": "fa688de7b4d65070ff322772ec15abd2d4ced3bd012504f9a44e1456c9147ddd",
    "near_hull": "7557855571eccd29ddcb04c71cc2d72e672f9f2beac290e49235a34c13f89025",
    "zero_sum": "e7ab02c8edd679e2f095c487c547cdcfef71e1ea415b88af68eb3d49985bb057",
    "senders": "4c0c8ab2b92aeef9a08d33beca40149194d7c061b2c89d7b9fe2b6c2bae3eb54",
}

_names = counter()


def draw(family: str, count: int = 4, **options: Any):
    return sample_tables(family, count, **{**SIZES, "seed": SEED, **options})


def arrays(family: str, count: int = 4, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """User `[B, X, A]` and providers `[B, K, X, A]`, int64."""
    tables = draw(family, count, **options)
    return np.asarray(tables.user, np.int64), np.asarray(tables.providers, np.int64)


def same(left, right) -> bool:
    return all(
        bool((np.asarray(a) == np.asarray(b)).all()) for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right))
    )


def registered(function, **options: Any) -> str:
    name = f"own {next(_names)}"
    register_family(name, function, **options)
    return name


@pytest.fixture
def compiled(monkeypatch) -> None:
    """Every table is drawn by a compiled program."""
    monkeypatch.setattr(random_tables, "_WORTH_COMPILING", 0)


# --- the same bits ------------------------------------------------------------------------------------------


def fingerprint(family: str) -> str:
    digest = hashlib.sha256()
    for start in (0, 2**32 - 2):
        tables = draw(family, start=start)
        for leaf in (tables.user, tables.providers):
            digest.update(np.asarray(leaf).astype("<i4").tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("family", BUILT_IN)
def test_golden_hashes(family):
    compiled_before = _draw._cache_size()
    assert fingerprint(family) == GOLDEN[family]
    assert _draw._cache_size() == compiled_before  # NumPy has drawn them


@pytest.mark.slow
@pytest.mark.parametrize("family", BUILT_IN)
def test_golden_hashes_of_compiled_programs(family, compiled):
    assert fingerprint(family) == GOLDEN[family]


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 2, 6)])
@pytest.mark.parametrize("family", ["systematic", pytest.param("hull", marks=pytest.mark.slow)])
def test_many_tables_are_compiled_for(family, sizes, monkeypatch):
    """The same bits before and after."""
    x, a, k = sizes
    monkeypatch.setattr(random_tables, "_WORTH_COMPILING", 7 * x * a * k)
    drawn = [draw(family, 7, states=x, actions=a, providers=k, start=2**32 - 3) for _ in range(2)]
    assert same(*drawn)


@pytest.mark.slow
@pytest.mark.parametrize("family", BUILT_IN)
def test_golden_hashes_under_other_settings(family, compiled):
    randomness = jax.threefry_partitionable(False), jax.default_prng_impl("rbg"), jax.debug_key_reuse(True)
    promotion = jax.enable_x64(True), jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict")
    with ExitStack() as stack:
        for setting in (*randomness, *promotion):
            stack.enter_context(setting)
        assert fingerprint(family) == GOLDEN[family]


@pytest.mark.slow
@pytest.mark.parametrize("family", BUILT_IN)
def test_a_table_is_the_same_in_any_batch(family):
    whole = draw(family, 12, start=2**32 - 6)
    for start, size in ((0, 4), (4, 4), (7, 4), (11, 1)):
        assert same(whole[start : start + size], draw(family, size, start=2**32 - 6 + start))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["biased", "near_hull"])
def test_a_table_is_the_same_without_jit(family, compiled):
    with jax.disable_jit():
        plain = draw(family, 2)
    assert same(plain, draw(family, 2))


@pytest.mark.parametrize("family", BUILT_IN)
@pytest.mark.parametrize(
    "other",
    [
        {"start": 1},
        {"start": 2**32},
        {"start": 2**62},
        {"seed": SEED + 1},
        {"seed": SEED + 2**32},
        {"seed": SEED + 2**62},
    ],
)
def test_ids_and_seeds_differ_in_every_bit(family, other):
    user, providers = arrays(family, 1)
    other_user, other_providers = arrays(family, 1, **other)
    assert (user != other_user).any()
    assert (providers != other_providers).any()


def test_families_do_not_share_streams():
    users = {arrays(family, 1)[0].tobytes() for family in BUILT_IN}
    assert len(users) == len(BUILT_IN)


def test_a_small_seed_is_the_key_of_jax():
    key = jax.random.key(7, impl="threefry2x32")
    for word in (3, 1, 2, 9):
        key = jax.random.fold_in(key, word)
    mine = kernels.table_key(*(jnp.array(words, jnp.uint32) for words in ([0, 7], [3, 1], [2, 9])))
    assert (jax.random.key_data(key) == jax.random.key_data(mine)).all()


def threefry(key: tuple[int, int], block: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32, 20 rounds, in Python integers (Salmon et al., 2011)."""
    mask = 2**32 - 1
    words = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x, y = (block[0] + words[0]) & mask, (block[1] + words[1]) & mask
    for group in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            x = (x + y) & mask
            y = ((y << turn | y >> (32 - turn)) & mask) ^ x
        x, y = (x + words[(group + 1) % 3]) & mask, (y + words[(group + 2) % 3] + group + 1) & mask
    return x, y


def test_uniform_from_scratch():
    """The documented recipe, with no JAX in it."""
    table_id, resolution = 2**33 + 5, 999
    key = (SEED >> 32, SEED & 0xFFFFFFFF)
    for word in (crc32(b"uniform"), 1, table_id >> 32, table_id & 0xFFFFFFFF):
        key = threefry(key, (0, word))
    blocks = [threefry(key, (0, i)) for i in range(6 * 3 * 4)]
    expected = np.array([((x ^ y) * (resolution + 1)) >> 32 for x, y in blocks]).reshape(6, 3, 4)
    user, providers = arrays("uniform", 1, start=table_id, resolution=resolution)
    assert (user[0] == expected[0]).all()
    assert (providers[0] == expected[1:]).all()


def test_high_product_is_exact():
    edges = [0, 1, 2, 0xFFFF, 0x10000, 0x10001, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]
    rng = np.random.default_rng(0)
    left, right = np.meshgrid(np.array(edges + rng.integers(0, 2**32, 200).tolist(), np.uint32), [0, *edges])
    came = kernels._high_product(jnp.asarray(left.astype(np.uint32)), jnp.asarray(right.astype(np.uint32)))
    assert np.asarray(came).tolist() == [[int(a) * int(b) >> 32 for a, b in zip(*rows)] for rows in zip(left, right)]


def test_symmetric_noise_is_odd_in_its_lowest_bit():
    words = jnp.asarray(np.random.default_rng(0).integers(0, 2**31, 10_000) * 2, jnp.uint32)
    for half_width in (0, 1, 7, 5_000, 2**30 - 1):
        there, back = (np.asarray(kernels._symmetric(w, jnp.int32(half_width))) for w in (words, words + 1))
        assert (there == -back).all()
        assert np.abs(there).max() <= half_width
        assert half_width == 0 or np.abs(there).max() >= min(half_width, 0.99 * half_width)


@pytest.mark.parametrize("family", BUILT_IN)
def test_other_seeds_starts_and_parameters_do_not_compile(family, compiled):
    names = {"noisy": "noise", "biased": "correlation", "near_hull": "misalignment", "systematic": "bonus"}
    draw(family)
    before = _draw._cache_size()
    assert before
    parameters = {names[family]: 0.1} if family in names else {}
    draw(family, seed=5, start=2**50, resolution=500, **parameters)
    assert _draw._cache_size() == before


# --- what comes back ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("family", BUILT_IN)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 2, 16)])
def test_shapes_and_metadata(family, sizes):
    x, a, k = sizes
    tables = draw(family, 2, states=x, actions=a, providers=k, start=2**35)
    assert tables.user.shape == tables.available.shape == (2, x, a)
    assert tables.providers.shape == (2, k, x, a)
    assert tables.prior.shape == (2, x)
    assert all(isinstance(leaf, jax.Array) for leaf in (tables.user, tables.providers, tables.prior, tables.available))
    assert tables.user.dtype == tables.providers.dtype == tables.prior.dtype == jnp.int32
    assert bool(tables.available.all())
    assert bool((tables.prior == 1).all() if family != "senders" else (tables.prior >= 1).all())
    assert tables.table_id.tolist() == [2**35, 2**35 + 1]
    assert (tables.family, tables.seed, tables.resolution) == (family, SEED, 10_000)


def test_weights_of_states_are_uniform_and_independent_of_utilities():
    tables = draw("senders", 4000, states=2, actions=1, providers=1)
    prior, user = np.asarray(tables.prior, np.int64), np.asarray(tables.user, np.int64)[:, 0, 0]
    counts = np.bincount(prior.ravel(), minlength=101)
    assert counts[0] == 0
    assert len(counts) == 101
    assert ((counts[1:] - 80) ** 2 / 80).sum() < 150  # chi-squared of 99 degrees: 0.1 % are above 149
    assert abs(np.corrcoef(prior.T)[0, 1]) < 0.06
    assert abs(np.corrcoef(prior[:, 0], user)[0, 1]) < 0.06


def test_heavy_states_and_fine_steps_together_are_refused():
    with pytest.raises(ValueError, match=r"at most 2\*\*41, got up to 30 x 2147483647 x 100; use a smaller"):
        draw("senders", states=30, resolution=2**31 - 1)


def test_last_table_id():
    assert draw("uniform", 2, start=2**63 - 2).table_id.tolist() == [2**63 - 2, 2**63 - 1]


@pytest.mark.slow
@pytest.mark.parametrize("family", IN_UNIT)
@pytest.mark.parametrize("resolution", [63, 100, 10_000, 2**31 - 1])
def test_utilities_are_in_range(family, resolution):
    for k in (2, 16):
        for values in arrays(family, 200, resolution=resolution, providers=k):
            assert values.min() >= 0
            assert values.max() <= resolution


@pytest.mark.parametrize("resolution", [1, 2, 100])
def test_all_levels_of_a_coarse_grid_appear(resolution):
    for values in arrays("uniform", 1000, resolution=resolution):
        assert sorted(np.unique(values)) == list(range(resolution + 1))


def test_the_list_of_families():
    assert set(BUILT_IN) <= set(families())
    assert families()["biased"].endswith("(noise=0.5, correlation=0.5)")
    assert all("\n" not in line for line in families().values())


# --- the laws -----------------------------------------------------------------------------------------------


def test_uniform_is_uniform_and_independent():
    user, providers = arrays("uniform", 20_000)
    all_tables = np.concatenate([user[:, None], providers], axis=1).reshape(20_000, -1)
    counts = np.bincount((all_tables * 10 // 10_001).ravel(), minlength=10)
    expected = all_tables.size / 10
    assert ((counts - expected) ** 2 / expected).sum() < 40  # chi-squared with 9 degrees of freedom
    correlations = np.corrcoef(all_tables.T) - np.eye(all_tables.shape[1])
    assert np.abs(correlations).max() < 5.5 / sqrt(20_000)


@pytest.mark.parametrize("family", ["noisy", "biased"])
@pytest.mark.parametrize("noise", [0.5, 0.1])
def test_noise_has_mean_zero_at_every_utility(family, noise):
    user, providers = arrays(family, 20_000, noise=noise)
    difference = providers - user[:, None]
    room = np.minimum(noise * 10_000, np.minimum(user, 10_000 - user))
    assert (np.abs(difference) <= room[:, None]).all()
    for low in range(0, 10_000, 2000):
        here = (user >= low) & (user < low + 2000)
        mean = difference.mean(axis=1)[here]  # over providers, so that the cells are independent
        assert abs(mean.mean()) < 5 * mean.std() / sqrt(mean.size)
    spread = (difference**2).mean() / (room * (room + 1) / 3).mean()  # the variance of a uniform law on -h..h
    assert spread == pytest.approx(1, abs=0.02)


def test_noise_of_noisy_is_independent():
    user, providers = arrays("noisy", 20_000)
    noise = (providers - user[:, None]).transpose(1, 0, 2, 3).reshape(5, -1)
    assert np.abs(np.corrcoef(noise) - np.eye(5)).max() < 5.5 / sqrt(noise.shape[1]) * 1.5


@pytest.mark.parametrize("correlation", [0, 0.25, 0.5, 0.9, 1])
def test_correlation_of_biased(correlation):
    user, providers = arrays("biased", 20_000, correlation=correlation)
    noise = (providers - user[:, None]).transpose(1, 0, 2, 3).reshape(5, -1)
    pairs = np.corrcoef(noise)[np.triu_indices(5, 1)]
    assert np.abs(pairs - correlation).max() < 0.015


def test_systematic():
    user, providers = arrays("systematic", 2000, bonus=0.25)
    extra = providers - user[:, None]
    assert set(np.unique(extra)) == {0, 2500}
    favourite = extra[:, :, 0].argmax(axis=2)
    assert (extra == 2500 * (np.arange(4) == favourite[..., None, None])).all()
    assert np.abs(np.bincount(favourite.ravel(), minlength=4) / favourite.size - 0.25).max() < 0.025


@pytest.mark.slow
def test_zero_sum():
    for k in (1, 2, 3, 16):
        user, providers = arrays("zero_sum", 500, providers=k, spread=0.2)
        assert (providers.sum(axis=1) == k * user).all()
        terms = providers - user[:, None]
        assert np.abs(terms).max() == 0 if k == 1 else 1800 < np.abs(terms).max() <= 2000


def misalignment(user: np.ndarray, providers: np.ndarray) -> float:
    """Definition 1 in steps: the least epsilon over weights that sum to 1 and offsets."""
    k, cells = len(providers), user.size
    columns = providers.reshape(k, cells).T / 10_000
    one = np.ones((cells, 1))
    result = linprog(
        c=[0] * k + [0, 1],
        A_ub=np.block([[columns, one, -one], [-columns, -one, -one]]),
        b_ub=np.concatenate([user.ravel(), -user.ravel()]) / 10_000,
        A_eq=[[1] * k + [0, 0]],
        b_eq=[1],
        bounds=[(0, None)] * k + [(None, None), (0, None)],
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert result.status == 0
    return result.fun


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 5, 16])
def test_hull_has_no_misalignment(k):
    for user, providers in zip(*arrays("hull", 10, providers=k, states=4)):
        assert misalignment(user, providers) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("bound", [0, 0.01, 0.2])
def test_near_hull_has_little_misalignment(bound):
    scores = [misalignment(*table) for table in zip(*arrays("near_hull", 10, states=4, misalignment=bound))]
    assert max(scores) < bound + 1e-9
    assert max(scores) >= bound / 3


def test_zero_sum_has_no_misalignment():
    for user, providers in zip(*arrays("zero_sum", 5)):
        assert misalignment(user, providers) < 1e-9


def test_hull_has_uniform_and_independent_providers():
    _, providers = arrays("hull", 20_000, providers=3)
    for j in range(3):
        counts = np.bincount((providers[:, j] * 10 // 10_001).ravel(), minlength=10)
        assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 40
    within = providers.reshape(20_000, 3, -1).transpose(1, 0, 2).reshape(3, -1)
    assert np.abs(np.corrcoef(within) - np.eye(3)).max() < 0.012
    remainders = np.bincount((providers[:, 2] % 64).ravel(), minlength=64)
    assert np.abs(remainders / remainders.mean() - 1).max() < 0.1


@pytest.mark.parametrize("k", [2, 3, 16])
def test_weights_of_hull(k):
    words = jnp.asarray(np.random.default_rng(k).integers(0, 2**32, (4000, k - 1)), jnp.uint32)
    weights = np.asarray(jax.vmap(lambda row: kernels._hull_weights(row, k))(words)).astype(int)
    assert (weights.sum(axis=1) == 64).all()
    assert weights.min() >= 1
    assert (weights[:, -1] % 2 == 1).all()
    assert np.abs(weights.mean(axis=0) - 64 / k).max() < 2.0


@pytest.mark.slow
def test_hull_at_the_largest_resolution():
    """Sums of weighted utilities exceed 32 bits; the user stays within the providers' range."""
    user, providers = arrays("hull", 500, resolution=2**31 - 1, providers=16)
    assert (user >= providers.min(axis=1) - 1).all()
    assert (user <= providers.max(axis=1)).all()


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("nosuch", {}, "family: expected one of uniform, noisy.*got 'nosuch'"),
        (3, {}, "family: expected one of"),
        ("uniform", {"count": 0}, "count: expected a whole number of at least 1, got 0"),
        ("uniform", {"count": 2.0}, "count: .* got 2.0"),
        ("uniform", {"states": 0}, "states: .* got 0"),
        ("uniform", {"actions": -1}, "actions: .* got -1"),
        ("uniform", {"actions": True}, "actions: .* got True"),
        ("uniform", {"providers": 0}, "providers: .*from 1 to 16, got 0"),
        ("uniform", {"providers": 17}, "providers: .*from 1 to 16, got 17"),
        ("uniform", {"seed": -1}, "seed: .* got -1"),
        ("uniform", {"seed": 2**63}, "seed: .* got 9223372036854775808"),
        ("uniform", {"seed": None}, "seed: .* got None"),
        ("uniform", {"start": -1}, "start: .* got -1"),
        ("uniform", {"start": 2**63 - 3}, r"start, count: .*at most 2\*\*63, got 9223372036854775805 \+ 4"),
        ("uniform", {"resolution": 0}, "resolution: .* got 0"),
        ("uniform", {"resolution": 2**31}, "resolution: .* got 2147483648"),
        ("uniform", {"states": 1025, "resolution": 2**31 - 1}, r"states, resolution: .*at most 2\*\*41"),
        ("uniform", {"noise": 0.1}, "parameters: expected none for the family 'uniform', got 'noise'"),
        (
            "biased",
            {"nois": 1},
            "parameters: expected one of noise, correlation for the family 'biased', got 'nois'",
        ),
        ("noisy", {"noise": -0.1}, "noise: expected a finite number from 0 to 0.5, got -0.1"),
        ("noisy", {"noise": 0.6}, "noise: .* got 0.6"),
        ("noisy", {"noise": float("nan")}, "noise: .* got nan"),
        ("noisy", {"noise": "0.1"}, "noise: .* got '0.1'"),
        ("noisy", {"noise": True}, "noise: .* got True"),
        ("biased", {"correlation": 1.1}, "correlation: expected a finite number from 0 to 1, got 1.1"),
        ("biased", {"correlation": -0.1}, "correlation: .* got -0.1"),
        ("near_hull", {"misalignment": 0.7}, "misalignment: .* got 0.7"),
        ("systematic", {"bonus": -1}, "bonus: expected a finite number of at least 0, got -1"),
        ("systematic", {"bonus": float("inf")}, "bonus: .* got inf"),
        ("systematic", {"bonus": 1e6}, "resolution, bonus: .*32 bits"),
        ("zero_sum", {"spread": 214748}, "resolution, spread: .*32 bits"),
        ("hull", {"resolution": 62}, "resolution: expected at least 63 for the family 'hull', got 62"),
    ],
)
def test_errors_at_the_door(family, options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        draw(family, **options)


# --- families of one's own ----------------------------------------------------------------------------------


def real(key, states, actions, providers, *, low=0.0):
    """Uniform utilities in float32."""
    utilities = jax.random.uniform(key, (1 + providers, states, actions), jnp.float32, minval=low)
    return utilities[0], utilities[1:]


@pytest.mark.slow
def test_own_family_of_floats():
    name = registered(real, defaults={"low": 0.0})
    assert families()[name] == "Uniform utilities in float32 (low=0.0)"
    tables = draw(name, 6, low=0.5, start=2**40)
    assert tables.providers.shape == (6, 5, 3, 4)
    assert all(isinstance(leaf, jax.Array) for leaf in (tables.user, tables.providers, tables.available))
    assert np.asarray(tables.user).min() >= 5000
    assert (tables.family, tables.seed, tables.table_id[0]) == (name, SEED, 2**40)
    assert same(tables[2:5], draw(name, 3, low=0.5, start=2**40 + 2))
    with jax.threefry_partitionable(False):
        assert same(tables, draw(name, 6, low=0.5, start=2**40))
    with pytest.raises(ValueError, match=r"parameters: expected one of low for the family 'own .*', got 'high'"):
        draw(name, high=1.0)


def test_own_family_rounds_once_to_the_nearest_step():
    name = registered(lambda key, x, a, k: (jnp.full((x, a), 0.123456), jnp.full((k, x, a), -0.5)))
    user, providers = arrays(name, 1, resolution=1000)
    assert set(np.unique(user)) == {123}
    assert set(np.unique(providers)) == {-500}


def test_own_family_of_integers_is_taken_as_it_is():
    def integers(key, states, actions, providers, resolution):
        return jnp.full((states, actions), resolution), jnp.full((providers, states, actions), -3, jnp.int8)

    user, providers = arrays(registered(integers), resolution=7)
    assert set(np.unique(user)) == {7}
    assert set(np.unique(providers)) == {-3}


@pytest.mark.slow
def test_own_family_compiles_once():
    traced = []

    def counted(key, states, actions, providers, *, low):
        traced.append(low)
        return real(key, states, actions, providers, low=low)

    name = registered(counted, defaults={"low": 0.0})
    for seed, start in ((0, 0), (1, 0), (2**40, 2**40)):
        draw(name, seed=seed, start=start)
    assert traced == [0.0]
    draw(name, low=0)
    assert [type(low) for low in traced] == [float, int]  # equal, and yet another constant


def test_a_new_version_draws_new_tables():
    name = registered(real)
    first = arrays(name)[0]
    with pytest.raises(
        ValueError, match=f"version: expected more than 1, the version of the registered '{name}', got 1"
    ):
        register_family(name, real)
    register_family(name, real, version=2)
    assert (arrays(name)[0] != first).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_bad_utility_names_family_and_table(bad):
    def sometimes(key, states, actions, providers):
        user, offered = real(key, states, actions, providers)
        return user, jnp.where(offered > 0.995, bad, offered)  # about one table in four

    name, start = f"sometimes {bad}", 2**33
    register_family(name, sometimes)
    with pytest.raises(
        ValueError, match=f"family '{name}': expected finite utilities, got {bad} in providers"
    ) as error:
        draw(name, 50, start=start)
    table = int(str(error.value).split()[-1])
    draw(name, table - start, start=start)  # those before are good
    with pytest.raises(ValueError, match=f"id {table}$"):
        draw(name, 1, start=table)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda key, x, a, k: jnp.zeros((x, a)), r"return \(user, providers\), got"),
        (lambda key, x, a, k: (1, 2, 3), r"return \(user, providers\), got 3 values"),
        (
            lambda key, x, a, k: (jnp.zeros((a, x)), jnp.zeros((k, x, a))),
            r"user of shape \[3, 4\].*got shape \[4, 3\]",
        ),
        (lambda key, x, a, k: (jnp.zeros((x, a)), jnp.zeros((x, a))), r"providers of shape \[5, 3, 4\]"),
        (
            lambda key, x, a, k: (jnp.zeros((x, a), bool), jnp.zeros((k, x, a))),
            "numbers or integers.*of bool",
        ),
        (
            lambda key, x, a, k: (jnp.full((x, a), 1e6), jnp.zeros((k, x, a))),
            "utility x resolution of at most 2147483647",
        ),
        (
            lambda key, x, a, k: (jnp.full((x, a), 2**32 - 1, jnp.uint32), jnp.zeros((k, x, a))),
            "got 4294967295 in user",
        ),
    ],
)
def test_own_family_with_a_bad_result(function, message):
    name = registered(function)
    with pytest.raises(ValueError, match=f"^family '{name}': expected .*{message}"):
        draw(name)


@pytest.mark.parametrize(
    ("name", "function", "options", "message"),
    [
        ("uniform", real, {}, "name: 'uniform' is a built-in family"),
        ("", real, {}, "name: expected"),
        ("two\nlines", real, {}, "name: expected"),
        (None, real, {}, "name: expected"),
        ("mine", "real", {}, "function: expected"),
        ("mine", real, {"version": 0}, "version: expected"),
        ("mine", real, {"version": 2**32}, "version: expected"),
        (
            "mine",
            real,
            {"defaults": {"seed": 1}},
            "defaults: expected names of the family's own parameters, got 'seed'",
        ),
        ("mine", real, {"defaults": {"a b": 1}}, "defaults: expected"),
        ("mine", real, {"defaults": {"low": [1]}}, r"low: expected a hashable value, a tuple say, got \[1\]"),
    ],
)
def test_errors_of_registration(name, function, options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        register_family(name, function, **options)
    assert "mine" not in families()


def test_a_parameter_must_be_hashable():
    name = registered(real, defaults={"low": 0.0})
    with pytest.raises(ValueError, match="low: expected a hashable value"):
        draw(name, low=[0.0])
