"""How numbers become integers: the resolution that represents them, and what is read alike at every door."""

from __future__ import annotations

import math
import warnings
from decimal import Decimal
from fractions import Fraction

import equilibrax as eq
import jax.numpy as jnp
import numpy as np
import pytest
from equilibrax._core.fixed_point import RoundingWarning, whole_weights

SMALL = """state,action,user,Ann,Bob
s1,a,0.00004,0.00001,0.00003
s1,b,0.00001,0.00004,0.00002
s2,a,0.00002,0.00003,0.00001
s2,b,0.00003,0.00001,0.00004
"""
SMALL_MARKET = """state,user,action,utility,Ann
s1,Carol,a,0.000001,0.2
s1,Carol,b,0.000003,0.1
s2,Carol,a,0.000002,0.1
s2,Carol,b,0,0.3
"""
NOISY_MARKET = """prior,state,user,action,utility,Ann,weight:Ann
0.30000000000000004,rain,Carol,umbrella,1,0.2,1/3
0.30000000000000004,rain,Carol,none,0,0.8,1/3
0.7,sun,Carol,umbrella,1/3,0.2,1/3
0.7,sun,Carol,none,1,0.9,1/3
"""
USER, PROVIDERS = np.eye(2), [np.eye(2)]


def written(tmp_path, text, read):
    path = tmp_path / "t.csv"
    path.write_text(text)
    return read(path)


# --- the resolution ---------------------------------------------------------------------------------------------------


def test_small_payoffs_of_a_file_are_not_merged(tmp_path):
    tables = written(tmp_path, SMALL, eq.read_tables)
    assert tables.resolution == 100_000
    assert tables.user.tolist() == [[[4, 1], [2, 3]]]
    assert tables.providers.tolist() == [[[[1, 4], [3, 1]], [[3, 2], [1, 4]]]]
    market = written(tmp_path, SMALL_MARKET, eq.read_market)
    assert market.resolution == 10**6
    assert market.user.tolist() == [[[[1, 3], [2, 0]]]]


@pytest.mark.parametrize("value", [0.545, 0.575, 1.015, -0.545, 2.675, 0.565, 0.625])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_halves_are_rounded_alike_at_every_door(tmp_path, value, kind):
    """0.545 x 100 is above a half in floating point: arrays had 55 where files have 54, half to even."""
    text = f"state,action,user,Ann\ns,a,{value},{value}\n"
    path = tmp_path / "t.csv"
    path.write_text(text)
    read = eq.read_tables(path, resolution=100).user.tolist()
    assert read == [[[round(Fraction(str(value)) * 100)]]]
    given = np.array([[value]], kind)
    assert eq.from_arrays(given, given[None], resolution=100).user.tolist() == read
    assert (
        eq.PersuasionGame.from_prior([[[1]]], given, given[None], resolution=100).user.reshape(1, 1, 1).tolist() == read
    )
    columns = {"state": ["s"], "action": ["a"], "user": np.array([value], kind), "Ann": [0]}
    assert eq.from_dataframe(columns, resolution=100).user.tolist() == read


def test_small_payoffs_in_arrays_are_not_merged():
    small = 1e-7 * np.array([[3, 1], [2, 4]])
    tables = eq.from_arrays(small, [small])
    game = eq.PersuasionGame.from_weights([[1, 1]], small[None], [small[None]])
    full = eq.PersuasionGame.from_prior([[[1, 0], [0, 1]]], small, [small])
    market = eq.separable_market([small], [[small]], [[1]])
    general = eq.general_market([small], [small])
    for batch in (tables, game, full, market, general):
        assert batch.resolution == 10**7
        np.testing.assert_array_equal(np.asarray(batch.user).reshape(-1)[-4:], [3, 1, 2, 4])


@pytest.mark.parametrize(
    ("payoffs", "resolution"),
    [
        ([0, 1, 2], 10_000),
        ([0.5, 0.25, 0.1], 10_000),
        ([0.1 + 0.2, 1 - 0.9, 0.7], 10_000),  # floating-point noise is no sixth decimal
        ([0.00005, 1.0, 0.0], 100_000),
        ([1e-9, 2e-9, 0.0], 10**9),
        (np.float32([0.1, 0.123456, 0.0]), 10**6),
        (jnp.array([0.1, 0.2, 0.3]), 10_000),
        ([Fraction(1, 8), Fraction(1, 10**6), 0], 10**6),
        ([Decimal("0.0000001"), Decimal("1.5"), 0], 10**7),
        ([300_000, 0.5, 0.25], None),  # refused: not even 10,000 steps fit
    ],
)
def test_the_smallest_power_of_ten_that_represents_payoffs(payoffs, resolution):
    if resolution is None:
        with pytest.raises(ValueError, match="must fit in 32 bits"):
            eq.from_arrays([payoffs], [[payoffs]])
        return
    tables = eq.from_arrays([payoffs], [[payoffs]])
    assert tables.resolution == resolution
    for given, steps in zip(np.asarray(payoffs).tolist(), np.asarray(tables.user)[0, 0].tolist(), strict=True):
        assert math.isclose(float(given), steps / resolution, rel_tol=1e-6, abs_tol=1e-15)


ROW = [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("arguments", "merged"),
    [
        ({"user": [[1 / 3, 1 / 3 + 1e-6, 0.0]], "providers": ROW}, 1),  # no power of ten represents 1/3
        ({"user": [[math.pi * 1e-5, math.e * 1e-5, 0.0]], "providers": ROW}, 2),  # all are 0
        ({"user": [[1 / 3, 2 / 3, 0.0]], "providers": ROW}, 0),
        ({"user": ROW[0], "providers": [[[Fraction(1, 3), Fraction(1, 3) + Fraction(1, 10**7), 0]]]}, 1),
        # 100,000 steps fit 32 bits, but not the sum over states
        (
            {
                "user": [[1000.00001, 1000.00002, 1000.0], [0.0] * 3],
                "providers": [ROW[0] * 2],
                "prior": [199_999, 1],
            },
            2,
        ),
    ],
)
def test_what_rounding_merges_is_counted(arguments, merged):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert eq.from_arrays(**arguments).resolution == 10_000
    assert [str(one.message).split()[1] for one in caught] == ([str(merged)] if merged else [])
    assert all(one.category is RoundingWarning and one.filename == __file__ for one in caught)
    eq.from_arrays(**arguments, resolution=10_000)  # who gives a resolution knows


@pytest.mark.parametrize("small", [1e-16, 1e-28, 1e-300])
@pytest.mark.parametrize("who", ["user", "provider"])
def test_what_rounding_merges_is_counted_beside_a_player_of_other_size(small, who):
    """What is noise beside 1 is all that somebody else has."""
    user, own = (small * np.eye(2), np.eye(2)) if who == "user" else (np.eye(2), small * np.eye(2))
    with pytest.warns(RoundingWarning, match="1 different payoffs became equal"):
        eq.from_arrays(user, [np.eye(2), own])


def test_unavailable_actions_neither_ask_for_a_resolution_nor_count():
    available = [[True, False, True]]
    tables = eq.from_arrays([[0.5, 1e-6, 1]], [[[0.25, math.nan, 1]]], available=available)
    assert tables.resolution == 10_000


# --- read alike -------------------------------------------------------------------------------------------------------

PRIORS = [
    ([0.30000000000000004, 0.7], ["0.30000000000000004", "0.7"], [3, 7]),
    ([1 / 3, 2 / 3], ["1/3", "2/3"], [1, 2]),
    ([Fraction(1, 3), Fraction(1, 6)], ["1/3", "1/6"], [2, 1]),
    ([0.1 + 0.2, 0.6000000000000001], ["0.30000000000000004", "0.6000000000000001"], [1, 2]),
    ([2147483647, 2147483646], ["2147483647", "2147483646"], [2147483647, 2147483646]),
    ([3 * 10**9, 2 * 10**9 + 1], ["3000000000", "2000000001"], [10**9, 666666667]),
    ([0.123456789, 1], ["0.123456789", "1"], [123456789, 10**9]),
    ([4e9, 2e9], ["4e9", "2e9"], [2, 1]),
    (np.float32([1 / 3, 2 / 3]), ["1/3", "2/3"], [1, 2]),
    (np.float16([1 / 3, 2 / 3]), ["1/3", "2/3"], [1, 2]),
    (np.array([1, 2], np.longdouble) / 3, ["1/3", "2/3"], [1, 2]),
    (np.float32([1 / 3, 1 / 6]), ["1/3", "1/6"], [2, 1]),
    (np.float32([0.3, 0.7]), ["0.3", "0.7"], [3, 7]),
    (np.float32([0.1234567, 1]), ["0.1234567", "1"], [1234567, 10**7]),
    (np.float32([16777216, 3]), ["16777216", "3"], [16777216, 3]),
]


@pytest.mark.parametrize(("numbers", "texts", "weights"), PRIORS)
def test_priors_are_read_alike_at_every_door(tmp_path, numbers, texts, weights):
    rows = [f"{text},{x},{a},1" for x, text in enumerate(texts) for a in "ab"]
    table = "\n".join(["prior,state,action,user,Ann", *[f"{row},1" for row in rows]])
    market = "\n".join(["prior,state,action,user,utility,Ann", *[f"{row},1,1" for row in rows]])
    ones = np.ones((2, 2))
    read = [
        written(tmp_path, table, lambda path: eq.read_tables(path, resolution=1)).prior,
        written(tmp_path, market, lambda path: eq.read_market(path, resolution=1)).prior,
        eq.from_arrays(ones, [ones], numbers, resolution=1).prior,
        eq.separable_market([ones], [[ones]], [[1]], numbers, resolution=1).prior,
        eq.general_market([ones], [ones], numbers, resolution=1).prior,
        eq.PersuasionGame.from_weights([numbers], [ones], [[ones]], resolution=1).weights[:, 0],
        eq.PersuasionGame.from_prior([np.diag(np.array(numbers))], ones, [ones], resolution=1).weights[:, 0],
    ]
    assert [np.asarray(prior).tolist() for prior in read] == [[weights]] * len(read)


@pytest.mark.parametrize("weights", [[2**31, 1], [3 * 10**9, 2 * 10**9 + 2, 1], [2**40 + 1, 2**40]])
def test_whole_weights_that_do_not_fit_are_refused(weights):
    for kept in (weights, [float(w) for w in weights], [Fraction(w) for w in weights]):
        with pytest.raises(ValueError, match=r"^prior: expected weights in ratios of whole numbers up to 2147483647"):
            eq.from_arrays(np.ones((len(weights), 1)), np.ones((1, len(weights), 1)), kept)


def test_large_whole_priors_have_the_equilibria_of_small_ones_in_the_same_order():
    """Payoffs are 0 and 1, so that only the order of the two weights matters; as 1 : 1 they would tie."""
    rng = np.random.default_rng(5)
    user, providers = rng.integers(0, 2, (40, 2, 2)), rng.integers(0, 2, (40, 2, 2, 2))
    counts = [
        eq.solve(eq.from_arrays(user, providers, prior, resolution=1)).equilibria
        for prior in ([2**31 - 1, 2**31 - 2], [3, 2], [1, 1])
    ]
    np.testing.assert_array_equal(counts[0], counts[1])
    assert (counts[0] != counts[2]).any()


def test_ratios_are_read_alike_at_every_door(tmp_path):
    market = written(tmp_path, NOISY_MARKET, eq.read_market)
    third = [[1, 0], [Fraction(1, 3), 1]]
    same = eq.separable_market(
        [third], [[[[0.2, 0.8], [0.2, 0.9]]]], [[Fraction(1, 3)]], [0.3, 0.7], weight_resolution=None
    )
    floats = eq.separable_market([[[1, 0], [1 / 3, 1]]], [[[[0.2, 0.8], [0.2, 0.9]]]], [[1 / 3]], [0.3, 0.7])
    for one in (market, same, floats):
        assert (one.resolution, one.weight_resolution, one.weights.tolist()) == (10_000, 3, [[[1]]])
        assert one.prior.tolist() == [[3, 7]]
        assert one.user.tolist() == [[[[10_000, 0], [3333, 10_000]]]]
        assert one.components.tolist() == [[[[[2000, 8000], [2000, 9000]]]]]
    text = "state,action,user,Ann\nrain,a,1,0.2\nrain,b,0,0.8\nsun,a,1/3,0.2\nsun,b,1,0.9\n"
    table = written(tmp_path, text, eq.read_tables)
    assert table.user.tolist() == [[[10_000, 0], [3333, 10_000]]]


def test_exact_numbers_are_rounded_once_half_to_even():
    halves = [Fraction(1, 2), Fraction(3, 2), Fraction(2**60 + 1, 2**61)]
    assert eq.from_arrays([halves], [[halves]], resolution=1).user.tolist() == [[[0, 2, 1]]]


@pytest.mark.parametrize("d", [1.00001, 1.0000001, Fraction(100_001, 100_000), 2, 5 / 3, math.sqrt(2)])
def test_the_ratio_of_theorem_4_1_stays_above_one(d):
    weights = eq.problems.theorem_4_1_market(d=d).weights[0]
    assert weights[0, 1] > weights[0, 0]
    assert abs(weights[0, 1] / weights[0, 0] - float(d)) < 1e-7


def test_a_ratio_that_would_become_one_is_refused():
    with pytest.raises(ValueError, match=r"^d: .* which rounds to 1"):
        eq.problems.theorem_4_1_market(d=1 + 2**-40)


# --- what comes in ----------------------------------------------------------------------------------------------------

MASK = np.ma.masked_array(np.eye(2), [[True, False], [False, False]])
BAD = {
    "masked": (MASK, "masked array"),
    "masked in a list": ([MASK[0], MASK[1]], "masked array"),
    "complex": (np.eye(2) * 1j, "complex128"),
    "dates": (np.array([[1, 2], [3, 4]], "M8[D]"), "datetime64"),
    "durations": (np.array([[1, 2], [3, 4]], "m8[s]"), "timedelta64"),
    "text": ([["1", "2"], ["3", "4"]], "<U1"),
    "things": ([[None, 2], [3, 4]], "got None at index"),
}
DOORS = {
    "tables, user": lambda a: eq.from_arrays(a, PROVIDERS),
    "tables, providers": lambda a: eq.from_arrays(USER, [a]),
    "integers, user": lambda a: eq.from_integers(a, [np.eye(2, dtype=int)]),
    "games, user": lambda a: eq.PersuasionGame.from_weights([[1, 1]], [a], [PROVIDERS]),
    "games, weights": lambda a: eq.PersuasionGame.from_weights(a, [USER, USER], [[USER, USER]]),
    "games, prior": lambda a: eq.PersuasionGame.from_prior([a], USER, PROVIDERS),
    "markets, user": lambda a: eq.separable_market([a], [PROVIDERS], [[1]]),
    "markets, components": lambda a: eq.separable_market([USER], [[a]], [[1]]),
    "markets, weights": lambda a: eq.separable_market([USER] * 2, [[USER] * 2] * 2, a),
    "markets, tensor": lambda a: eq.general_market([USER], [a]),
    "markets, joint": lambda a: (
        eq.problems.market_from_prior(np.reshape(a, (2, 1, 2)), [USER], [PROVIDERS], [[1]])
        if not np.ma.isMaskedArray(a) and not isinstance(a, list)
        else eq.problems.market_from_prior(a, [USER], [PROVIDERS], [[1]])
    ),
    "priors": lambda a: eq.from_arrays([USER, USER], [PROVIDERS] * 2, a),
    "availability": lambda a: eq.from_arrays(USER, PROVIDERS, available=a),
    "sights": lambda a: eq.separable_market([USER] * 2, [[USER] * 2], [[1, 1]], user_sees=a),
    "newcomers": lambda a: eq.problems.theorem_5_2_market()[0].add_user(a, [USER], Fraction(1, 2)),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("door", DOORS)
def test_arrays_that_would_lose_something_are_refused(door, bad):
    value, said = BAD[bad]
    with pytest.raises(ValueError, match=r"^[a-z_]+: expected ") as caught:
        DOORS[door](value)
    assert said in str(caught.value) or "object" in str(caught.value)


def test_a_mask_that_hides_nothing_is_no_mask():
    tables = eq.from_arrays(np.ma.masked_array(np.eye(2)), PROVIDERS)
    np.testing.assert_array_equal(tables.user[0], 10_000 * np.eye(2))


def test_weights_with_large_common_factors_are_small():
    assert whole_weights("w", [10**30, 2 * 10**30, 0]) == [1, 2, 0]
    assert whole_weights("w", [Fraction(1, 10**30), Fraction(3, 10**30)]) == [1, 3]
