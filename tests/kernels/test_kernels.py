"""Kernels on their own, against brute force in NumPy; the linear program against scipy, with its certificates."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from equilibrax_kernels.fits.chebyshev import ITERATION_LIMIT, OPTIMAL, certified_fit, misalignment_lanes
from equilibrax_kernels.primitives import running
from equilibrax_kernels.primitives.counting import LIMIT, Count, product_count, saturated
from equilibrax_kernels.primitives.lanes import outcome_bit, unpack_bits
from equilibrax_kernels.primitives.sorting import bitonic_sort, sort_lanes
from equilibrax_kernels.selection.committees import zeta
from equilibrax_kernels.selection.dense import dense_schemes
from equilibrax_kernels.selection.frontier import _check_fits, frontier_schemes
from equilibrax_kernels.selection.monopoly import monopoly
from equilibrax_kernels.selection.ordering import key_dtype, order_schemes
from scipy.optimize import linprog


@pytest.fixture(autouse=True)
def _wide_integers():
    with jax.enable_x64(True):
        yield


# --- the package ------------------------------------------------------------------------------------------------------


def test_kernels_need_neither_engine_nor_files():
    """In a fresh interpreter, every kernel imports without the engine and without what only the engine needs."""
    script = """
import importlib, pkgutil, sys
import equilibrax_kernels
for module in pkgutil.walk_packages(equilibrax_kernels.__path__, "equilibrax_kernels."):
    importlib.import_module(module.name)
unwanted = {"equilibrax", "pyarrow", "matplotlib", "highspy", "scipy.optimize", "pandas", "tyro", "rich"}
assert len(sys.modules) > 100, sys.modules
print(*sorted(unwanted & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_shapes_are_checked_in_tests():
    """The import hook of `conftest.py` is at work: annotations of the kernels are assertions."""
    with pytest.raises(jaxtyping.TypeCheckError, match="monopoly"):
        monopoly(jnp.zeros((2, 3, 1), jnp.int32), jnp.zeros((4, 3, 3, 1), jnp.int32), jnp.ones((2, 3, 1), bool))


def one_lane(*arrays):
    """Arrays of one table as a batch of one: the batch is the last axis."""
    return tuple(jnp.asarray(array)[..., None] for array in arrays)


def only_lane(results):
    """The results of a batch of one."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[..., 0], results)


# --- running sums, orders, counts -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 5, 33])
def test_running_maxima_and_counts(size):
    """In the form for CPUs and in the one for other backends."""
    rng = np.random.default_rng(size)
    values, starts = rng.integers(-9, 9, (size, 3, 2)).astype(np.int32), rng.random((size, 2)) < 0.4
    starts[0] = True
    np.testing.assert_array_equal(running.running_min(jnp.asarray(values)), np.minimum.accumulate(values, axis=0))
    np.testing.assert_array_equal(running.running_count(jnp.asarray(starts)), np.cumsum(starts, axis=0))

    first = np.maximum.accumulate(np.where(starts, np.arange(size)[:, None], 0), axis=0)  # of each entry's run
    highest = np.maximum.accumulate(values, axis=0)
    padded = np.concatenate([np.full((1, 3, 2), np.iinfo(np.int32).min), highest])
    before = np.take_along_axis(padded, first[:, None], axis=0)
    for form in (running.best_before, running._scan_best_before):
        got = form(jnp.asarray(values), jnp.asarray(starts))
        np.testing.assert_array_equal(got[0], highest)
        np.testing.assert_array_equal(got[1], before)
    bits = (np.array([1, 2, 4])[:, None] * (values >= before)).sum(axis=1)
    for form in (running.unbeaten, running._scan_unbeaten):
        np.testing.assert_array_equal(form(jnp.asarray(values), jnp.asarray(starts)), bits)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "run"), [(1, 1), (2, 1), (37, 1), (64, 8), (24, 8)])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_lanes_are_sorted(size, run, dtype):
    """From nothing, and from sorted runs; with ties and with the largest integer, which also pads."""
    rng = np.random.default_rng(size)
    keys = rng.integers(-5, 5, (size, 3)).astype(dtype)
    keys[rng.random((size, 3)) < 0.2] = np.iinfo(dtype).max
    keys = np.sort(keys.reshape(-1, run, 3), axis=1).reshape(size, 3)
    for sort in (sort_lanes, bitonic_sort):
        np.testing.assert_array_equal(sort(jnp.asarray(keys), run), np.sort(keys, axis=0))


def test_outcomes_are_packed_into_words():
    """A bit per outcome, also beyond the first word."""
    outcomes = np.array([[0, 31], [32, 63], [69, 5]], np.int32)
    expected = outcomes[:, None] == np.arange(70)[:, None]
    np.testing.assert_array_equal(unpack_bits(outcome_bit(jnp.asarray(outcomes), 3), 70), expected)


@pytest.mark.parametrize(
    ("value_bits", "size", "dtype"), [(20, 4096, "int32"), (20, 4097, "int64"), (43, 2**20, "int64")]
)
def test_keys_are_as_narrow_as_they_can_be(value_bits, size, dtype):
    assert key_dtype(value_bits, size) == np.dtype(dtype)


def test_keys_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="43 bits and a position among 4194304 do not fit in 64 bits"):
        key_dtype(43, 2**22)
    with pytest.raises(ValueError, match="43 bits and a position among 4194304 do not fit in 64 bits"):
        _check_fits(43, 2**22)


def best_response(user, mine, valid, at: int, ties: bool) -> int | None:
    """Position of the deviation from `at` with the largest value among those better for both, or None."""
    better = [
        g
        for g in range(len(user))
        if valid[g] and (user[g] > user[at] or (ties and user[g] == user[at])) and mine[g] > mine[at]
    ]
    return max(better, key=lambda g: (mine[g], user[g], -g), default=None)


@pytest.mark.slow
@pytest.mark.parametrize(("ties", "responses"), [(True, True), (False, True), (False, False), (True, False)])
@pytest.mark.parametrize(
    ("size", "high", "value_bits"), [(1, 3, 20), (24, 2, 20), (40, 2**19 - 2, 20), (40, 2**42 - 2, 43)]
)
def test_order_stability_and_responses(size, high, value_bits, ties, responses):
    """Ties, entries that hold no scheme, and values as large as the declared bits allow."""
    rng = np.random.default_rng(size)
    dtype = np.int32 if value_bits <= 32 else np.int64
    user, providers = rng.integers(-high, high + 1, size), rng.integers(-high, high + 1, (3, size))
    user[rng.random(size) < 0.3] = high
    valid = rng.random(size) < 0.8
    valid[size // 2] = True
    options = {"value_bits": value_bits, "ties": ties, "responses": responses}
    arguments = one_lane(user.astype(dtype), providers.T.astype(dtype), valid)
    got = only_lane(order_schemes(*arguments, **options))
    order = sorted(range(size), key=lambda f: (not valid[f], -user[f] if valid[f] else 0, f))
    np.testing.assert_array_equal(got.rank, order)
    np.testing.assert_array_equal(got.valid, valid[order])
    np.testing.assert_array_equal(got.user[got.valid], user[order][got.valid])
    np.testing.assert_array_equal(got.providers[got.valid], providers.T[order][got.valid])
    for position, f in enumerate(order[: valid.sum()]):
        for j, wins_ties in itertools.product(range(3), (False, True) if ties else (False,)):
            expected = best_response(user, providers[j], valid, f, wins_ties)
            stable = got.tie_stable if wins_ties else got.stable
            assert bool(stable[position] >> j & 1) == (expected is None)
            if responses and expected is not None:
                response = got.tie_response if wins_ties else got.response
                assert got.rank[response[position, j]] == expected
    assert not got.stable[~got.valid].any()


@pytest.mark.parametrize(("combine", "neutral"), [(np.minimum, 99), (np.add, 0), (np.logical_or, False)])
def test_every_committee_combines_its_supersets(combine, neutral):
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 9, (16, 3)) > 4 if combine is np.logical_or else rng.integers(0, 9, (16, 3))
    expected = np.full_like(cells, neutral)
    for mask, cell in itertools.product(range(16), range(16)):
        if mask & cell == mask:
            expected[mask] = combine(expected[mask], cells[cell])
    jax_combine = {np.minimum: jnp.minimum, np.add: jnp.add, np.logical_or: jnp.logical_or}[combine]
    np.testing.assert_array_equal(zeta(jnp.asarray(cells), 4, jax_combine), expected)


@pytest.mark.parametrize(
    ("factors", "value", "overflowed"),
    [
        ([10] * 15, 10**15, False),
        ([2] * 62, 2**62, False),
        ([2] * 63, LIMIT, True),  # 2**63 is one too many
        ([2] * 64, LIMIT, True),  # wraps around to 0
        ([3, 2**62], LIMIT, True),  # wraps around to a negative number
        ([10] * 400, LIMIT, True),  # too large for a float
    ],
)
def test_counts_are_exact_or_marked(factors, value, overflowed):
    counted, over = saturated(product_count(jnp.asarray(factors, jnp.int64), axis=0))
    assert (int(counted), bool(over)) == (value, overflowed)


def test_counts_near_the_limit():
    fits = 2**63 - 2**40
    counted, over = saturated(Count(jnp.asarray([fits, 5]), jnp.asarray([float(fits), 5.0 + 2**64])))
    assert counted.tolist() == [fits, LIMIT]
    assert over.tolist() == [False, True]


# --- lists of schemes -------------------------------------------------------------------------------------------------


def small_table(seed: int, high: int = 4, states: int = 3, actions: int = 3, providers: int = 2):
    """`(contributions [P, X, A], available [X, A])` with ties and with actions that are missing."""
    rng = np.random.default_rng(seed)
    available = rng.random((states, actions)) < 0.8
    available[np.arange(states), rng.integers(0, actions, states)] = True
    return rng.integers(-high, high, (providers + 1, states, actions)).astype(np.int32), available


def enumerated(contributions, available):
    """Schemes in lexicographic order and their values `[S, P]`."""
    schemes = list(itertools.product(*(np.flatnonzero(row).tolist() for row in available)))
    values = contributions[:, np.arange(available.shape[0]), np.array(schemes)].sum(axis=2).T
    return schemes, values


def undominated(values: np.ndarray) -> np.ndarray:
    """`[S]` whether for some provider nothing is strictly better for the user and for it."""
    better = values[None] > values[:, None]  # [f, g, P]
    return (~(better[:, :, :1] & better[:, :, 1:]).any(axis=1)).any(axis=1)


def test_dense_lists_every_scheme_in_lexicographic_order():
    contributions, available = small_table(3)
    listed = dense_schemes(*one_lane(contributions, available), with_outcomes=True)
    every = np.asarray(listed.decode(jnp.arange(27, dtype=jnp.int32)[:, None]))[..., 0]
    outcomes = unpack_bits(listed.outcomes, 9)[..., 0].reshape(27, 3, 3)
    listed = only_lane(listed._replace(decode=None))
    np.testing.assert_array_equal(every, list(itertools.product(range(3), repeat=3)))
    schemes, values = enumerated(contributions, available)
    valid = listed.valid
    assert list(map(tuple, every[valid].tolist())) == schemes
    np.testing.assert_array_equal(listed.user[valid], values[:, 0])
    np.testing.assert_array_equal(listed.providers[valid], values[:, 1:])
    np.testing.assert_array_equal(np.asarray(outcomes).argmax(axis=2), every)
    assert outcomes.sum() == 27 * 3


def largest_layer(contributions, available) -> int:
    """Room that the frontier needs: the most distinct values of undominated partial schemes after any state."""
    sizes = []
    for x in range(1, available.shape[0] + 1):
        _, values = enumerated(contributions[:, :x], available[:x])
        sizes.append(len(np.unique(values[undominated(values)], axis=0)))
    return max(sizes)


@pytest.mark.slow
@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("value_bits", [20, 58])  # with 58 no bits are left for a hash: equal values may stay apart
def test_frontier_lists_the_stable_schemes(value_bits, hashed):
    """Each entry's number and outcomes are those of all schemes with its values; the first one decodes."""

    def lanes(contributions, available, positions):
        options = {"capacity": 16, "value_bits": value_bits, "with_outcomes": True, "hashed": hashed}
        options["at_once"] = 1  # dropped after every state
        listed = frontier_schemes(contributions, available, **options)
        outcomes = unpack_bits(listed.outcomes, 9).reshape(-1, 3, 3, positions.shape[1])
        return listed._replace(decode=listed.decode(positions), outcomes=outcomes)

    positions = jnp.broadcast_to(jnp.arange(16, dtype=jnp.int32)[:, None], (16, 30))
    tables = [np.stack(arrays, axis=-1) for arrays in zip(*(small_table(seed, high=2) for seed in range(30)))]
    batch = jax.tree.map(np.asarray, jax.jit(lanes)(*tables, positions))
    complete = value_bits == 20 and hashed  # every pair of equal values is merged
    merged = 0
    for seed in range(30):
        contributions, available = small_table(seed, high=2)
        schemes, values = enumerated(contributions, available)
        keep = undominated(values)
        listed = jax.tree.map(lambda leaf, seed=seed: leaf[..., seed], batch)
        room = largest_layer(contributions, available)
        if complete:
            assert bool(listed.overflow) == (room > 16)  # not a slot more than needed
        if listed.overflow:
            continue
        found: dict[tuple, list] = {}
        for i in np.flatnonzero(listed.valid):
            first = tuple(listed.decode[i].tolist())
            key = (int(listed.user[i]), *listed.providers[i].tolist())
            assert key == tuple(values[schemes.index(first)].tolist())
            assert listed.multiplicity.size[i] == listed.multiplicity.exact[i]
            found.setdefault(key, []).append((first, int(listed.multiplicity.exact[i]), listed.outcomes[i]))
        assert set(found) == set(map(tuple, values[keep].tolist()))
        for key, entries in found.items():
            alike = [schemes[s] for s in np.flatnonzero((values == key).all(axis=1))]
            assert min(first for first, *_ in entries) == alike[0]
            assert sum(number for _, number, _ in entries) == len(alike)
            outcomes = np.zeros((3, 3), bool)
            for scheme in alike:
                outcomes[np.arange(3), scheme] = True
            np.testing.assert_array_equal(np.logical_or.reduce([o for *_, o in entries]), outcomes)
            if complete:
                assert len(entries) == 1
            merged += len(alike) > 1
        lexicographic = [tuple(s) for s in listed.decode[listed.valid].tolist()]
        assert lexicographic == sorted(lexicographic)
    assert merged > 20


def test_a_monopolist_plays_its_own_optima():
    for seed in range(20):
        contributions, available = small_table(seed, high=2)
        got = only_lane(monopoly(*one_lane(contributions[0], contributions[1:], available)))
        schemes, values = enumerated(contributions, available)
        for j in range(2):
            optimal = np.flatnonzero(values[:, 1 + j] == values[:, 1 + j].max())
            users = values[optimal, 0]
            assert (got.worst[j], got.best[j], got.count.exact[j]) == (users.min(), users.max(), len(optimal))
            assert tuple(got.worst_scheme[j].tolist()) == schemes[optimal[users.argmin()]]
            outcomes = {(x, schemes[s][x]) for s in optimal for x in range(3)}
            assert outcomes == set(map(tuple, np.argwhere(got.optimal[j]).tolist()))


# --- the linear program -----------------------------------------------------------------------------------------------


def reference(user, providers, above, below, member, simplex: bool) -> float:
    """The least misalignment by HiGHS, in units of the user's range on the rows; providers scaled where they may be."""
    rows = above | below
    unit = np.ptp(user[rows]) or 1.0
    scale = np.array([unit if simplex else np.ptp(p[rows]) or 1.0 for p in providers])
    user, providers = (user - user[rows].min()) / unit, providers / scale[:, None]
    providers = (providers - providers[:, rows].min(axis=1, keepdims=True)) * member[:, None]
    ones = np.ones((len(user), 1))
    upper, lower = np.hstack([providers.T, ones, -ones])[above], np.hstack([-providers.T, -ones, -ones])[below]
    answer = linprog(
        [0] * len(providers) + [0, 1],
        A_ub=np.vstack([upper, lower]),
        b_ub=np.concatenate([user[above], -user[below]]),
        A_eq=[[*member.astype(float), 0, 0]] if simplex else None,
        b_eq=[1] if simplex else None,
        bounds=[(0, None)] * len(providers) + [(None, None), (0, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert answer.status == 0, answer.message
    return answer.fun


def assert_certified(user, providers, above, below, member, fit, simplex: bool, tolerance: float = 1e-9) -> None:
    """One lane's certificate, recomputed: the weights attain eps, and the multipliers prove that nothing is less."""
    rows = above | below
    unit = np.ptp(user[rows]) or 1.0
    assert (fit.weights >= 0).all()
    assert not fit.weights[~member].any()
    if simplex:
        np.testing.assert_allclose(fit.weights.sum(), 1, rtol=0, atol=1e-12)
    combined = fit.weights @ providers + fit.offset
    rounding = 1e-12 * max(unit, (fit.weights[:, None] * np.abs(providers[:, rows])).max(), abs(fit.offset))
    assert (combined[above] <= user[above] + fit.eps + rounding).all()
    assert (combined[below] >= user[below] - fit.eps - rounding).all()

    assert (fit.lower >= 0).all()
    assert (fit.upper >= 0).all()
    assert not fit.lower[~below].any()
    assert not fit.upper[~above].any()
    mass = fit.lower.sum()
    np.testing.assert_allclose(fit.upper.sum(), mass, rtol=0, atol=1e-12)
    assert mass <= 0.5 + 1e-12
    difference = fit.lower - fit.upper
    excess = (providers @ difference)[member]
    if simplex:
        proved = difference @ user - excess.max()
    else:
        spread = np.array([np.ptp(p[rows]) or 1.0 for p in providers])[member]
        assert (excess <= tolerance * spread).all()
        proved = difference @ user - fit.weights[member] @ np.maximum(excess, 0)
    bound = max(0.0, proved / (2 * mass)) if mass > 0 else 0.0
    assert fit.eps - bound <= tolerance * unit
    np.testing.assert_allclose(fit.gap, fit.eps - bound, rtol=0, atol=tolerance * unit)


def lane(kind: str, rng, k: int, rows: int):
    """One linear program of a kind: `(user [R], providers [K, R], above [R], below [R], member [K])`."""
    user, providers = rng.random(rows), rng.random((k, rows))
    above, below = rng.random(rows) < 0.7, rng.random(rows) < 0.4
    member = rng.random(k) < 0.7
    if kind == "ties":
        user, providers = rng.integers(0, 3, rows) / 2, rng.integers(0, 3, (k, rows)) / 2
    elif kind == "duplicated rows":
        again = rng.integers(0, max(1, rows // 4), rows)
        user, providers = user[again], providers[:, again]
    elif kind == "duplicated providers":
        providers = providers[rng.integers(0, max(1, k // 3), k)]
    elif kind == "constant user":
        user[:] = 3.0
    elif kind == "constant providers":
        providers[:] = rng.integers(-1, 2, (k, 1))
    elif kind == "hull":
        user = rng.dirichlet(np.ones(k)) @ providers + 5
        member[:] = True
    elif kind == "opposed":
        providers = -user * rng.random((k, 1)) + rng.integers(0, 2, (k, 1))
    elif kind == "whole table":
        above[:] = below[:] = True
    elif kind == "one row each":
        above[:], below[:] = False, False
    elif kind == "one member":
        member[:] = False
    elif kind == "large and small":
        user, providers = user * 1e-3 - 7e-4, (providers - 0.5) * 1e4 * rng.random((k, 1))
    elif kind == "integers":
        user, providers = rng.integers(0, 10**6, rows) * 1.0, rng.integers(0, 10**6, (k, rows)) * 1.0
    above[rng.integers(rows)] = below[rng.integers(rows)] = member[rng.integers(k)] = True
    return user, providers, above, below, member


KINDS = (
    "uniform",
    "ties",
    "duplicated rows",
    "duplicated providers",
    "constant user",
    "constant providers",
    "hull",
    "opposed",
    "whole table",
    "one row each",
    "one member",
    "large and small",
    "integers",
)


@pytest.mark.slow
@pytest.mark.parametrize("simplex", [False, True], ids=["nonnegative", "simplex"])
@pytest.mark.parametrize(("k", "rows"), [(1, 6), (3, 9), (5, 48), (16, 200)])
def test_misalignment_is_the_optimum_and_proved(k, rows, simplex):
    """Every lane is of another kind: what happens in one must not touch the others."""
    rng = np.random.default_rng(100 * k + simplex)
    # On the simplex providers cannot be brought to the user's scale, so nothing is promised for what is far from it.
    kinds = [kind for kind in KINDS if not (simplex and kind == "large and small")]
    lanes = [lane(kind, rng, k, rows) for kind in kinds for _ in range(3 if rows > 100 else 6)]
    stacked = [np.stack(part, axis=-1) for part in zip(*lanes)]
    fit = misalignment_lanes(*map(jnp.asarray, stacked), simplex=simplex, iteration_limit=400)
    fit = jax.tree.map(np.asarray, fit)
    assert (fit.status == OPTIMAL).all()
    for i, one in enumerate(lanes):
        mine = jax.tree.map(lambda a, i=i: a[..., i], fit)
        unit = np.ptp(one[0][one[2] | one[3]]) or 1.0
        assert mine.eps / unit == pytest.approx(reference(*one, simplex), rel=1e-9, abs=1e-9), (i, kinds)
        assert_certified(*one, mine, simplex)
    assert fit.eps.max() > 0.1
    assert fit.iterations.max() > 1 or (simplex and k == 1)  # where there is nothing to choose


@pytest.mark.slow
def test_without_members_only_the_offset_is_fitted():
    user, providers = jnp.array([[0.0], [1.0], [4.0]]), jnp.ones((2, 3, 1))
    every, nobody = jnp.ones((3, 1), bool), jnp.zeros((2, 1), bool)
    fit = misalignment_lanes(user, providers, every, every, nobody, simplex=False, iteration_limit=10)
    assert (fit.eps[0], fit.offset[0], fit.gap[0]) == (2, 2, 0)


@pytest.mark.slow
def test_a_lane_that_is_stopped_says_so_and_its_fit_still_holds():
    rng = np.random.default_rng(5)
    lanes = [lane("uniform", rng, 3, 9) for _ in range(6)]
    stacked = [jnp.asarray(np.stack(part, axis=-1)) for part in zip(*lanes)]
    stopped = misalignment_lanes(*stacked, simplex=False, iteration_limit=1)
    assert (np.asarray(stopped.iterations) <= 1).all()
    assert ITERATION_LIMIT in stopped.status.tolist()
    for i, one in enumerate(lanes):
        user, providers, above, below, _ = one
        residual = user - np.asarray(stopped.weights)[:, i] @ providers
        attained = max(0.0, residual[below].max() - residual[above].min()) / 2
        assert math.isclose(stopped.eps[i], attained, abs_tol=1e-12)
        assert stopped.eps[i] >= reference(*one, False) * np.ptp(user[above | below]) - 1e-12


@pytest.mark.slow
def test_a_certificate_cannot_be_talked_into_a_proof():
    """Whatever weights and multipliers are offered, the gap is at least the distance to the optimum."""
    rng = np.random.default_rng(6)
    one = lane("uniform", rng, 3, 9)
    one[4][:] = [True, False, True]
    user, _, above, below, _ = one
    best = reference(*one, False) * np.ptp(user[above | below])
    offers = [(rng.normal(size=3), rng.normal(size=9), rng.normal(size=9)) for _ in range(50)]
    stacked = [jnp.asarray(np.repeat(part[..., None], 50, axis=-1)) for part in one]
    duals = [jnp.asarray(np.stack(part, axis=-1)) for part in zip(*offers)]
    fit = certified_fit(*stacked, *duals, simplex=False)
    assert (np.asarray(fit.weights) >= 0).all()
    assert not np.asarray(fit.weights)[~one[4]].any()
    proved = np.asarray(fit.violation) <= 1e-9
    assert (np.asarray(fit.eps) >= best - 1e-12).all()
    assert (np.asarray(fit.eps - fit.gap)[proved] <= best + 1e-9).all()
