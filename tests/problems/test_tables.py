"""Tables at the door: what is kept, what is rounded, what is refused and how the refusal reads."""

from __future__ import annotations

import re

import equilibrax as eq
import jax
import numpy as np
import pytest
from equilibrax.problems.tables import MAX_VALUE

USER = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.25]]  # 3 states, 2 actions
PROVIDERS = [[[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]]
INT_USER = [[1, 0], [0, 1], [2, 3]]
INT_PROVIDERS = [[[1, 2], [3, 4], [5, 6]]]
LARGEST = 2**31 - 1


def batch(count: int = 5) -> eq.UtilityTables:
    rng = np.random.default_rng(0)
    return eq.from_integers(
        rng.integers(0, 9, (count, 3, 2)), rng.integers(0, 9, (count, 4, 3, 2)), rng.integers(1, 5, (count, 3))
    )


def same(one: eq.UtilityTables, other: eq.UtilityTables) -> bool:
    return jax.tree.structure(one) == jax.tree.structure(other) and all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other))
    )


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_one_table_is_a_batch_of_one():
    table = eq.from_arrays(USER, PROVIDERS)
    assert (len(table), table.num_providers, table.states, table.actions) == (1, 1, 3, 2)
    assert [leaf.dtype for leaf in (table.user, table.providers, table.prior)] == [np.int32] * 3
    assert table.available.dtype == bool
    assert table.available.all()
    assert table.user[0].tolist() == [[10000, 0], [0, 10000], [5000, 2500]]
    assert table.prior.tolist() == [[1, 1, 1]]
    assert table.table_id.tolist() == [0]
    assert table.scale.tolist() == [30000]
    assert table.schemes() == [8]


def test_decimals_are_kept_exactly():
    cents = np.arange(-200, 200).reshape(1, 20, 20)
    table = eq.from_arrays(cents / 100, cents[:, None] / 100, resolution=100)
    np.testing.assert_array_equal(table.user, cents)
    np.testing.assert_array_equal(table.providers[:, 0], cents)
    assert table.rounding_error == 0.005


@pytest.mark.parametrize(("utility", "steps"), [(0.123449, 1234), (0.123451, 1235), (-0.123451, -1235), (0.00004, 0)])
def test_utilities_are_rounded_once_to_the_nearest_step(utility, steps):
    table = eq.from_arrays([[utility, 1.0]], [[[1.0, utility]]], resolution=10_000)
    assert table.user[0, 0, 0] == table.providers[0, 0, 0, 1] == steps
    assert abs(steps / 10_000 - utility) <= table.rounding_error


def test_what_is_unavailable_may_be_anything():
    mask = [[True, True], [False, True], [True, False]]
    user = [[1.0, 2.0], [np.nan, 3.0], [4.0, 1e30]]
    table = eq.from_arrays(user, [user], available=mask, resolution=1)
    assert table.user[0].tolist() == table.providers[0, 0].tolist() == [[1, 2], [0, 3], [4, 0]]
    assert table.available[0].tolist() == mask
    assert table.schemes() == [2]
    other = eq.from_integers([[1, 2], [99, 3], [4, 99]], [[[1, 2], [-99, 3], [4, 99]]], available=mask)
    assert same(table, other)


@pytest.mark.parametrize(
    ("prior", "weights"),
    [
        (None, [1, 1, 1]),
        ([2, 4, 6], [1, 2, 3]),
        ([2.0, 4.0, 6.0], [1, 2, 3]),
        ([0.2, 0.3, 0.5], [2, 3, 5]),
        ([1 / 3, 1 / 3, 1 / 3], [1, 1, 1]),
        ([1 / 6, 1 / 3, 1 / 2], [1, 2, 3]),
        ([1 / 7, 2 / 7, 4 / 7], [1, 2, 4]),
        ([0.1, 0.2, 0.4], [1, 2, 4]),  # weights of any scale
        ([1e-3, 2e-3, 1e-3], [1, 2, 1]),
        ([1, 1_000_000, 7], [1, 1_000_000, 7]),
        ([0.125, 0.375, 0.5], [1, 3, 4]),
    ],
)
def test_priors_that_are_ratios_are_kept_exactly(prior, weights):
    assert eq.from_arrays(USER, PROVIDERS, prior).prior.tolist() == [weights]


def test_other_priors_are_rounded_to_a_millionth():
    prior = np.array([np.pi, np.e, np.sqrt(2)])
    weights = np.asarray(eq.from_arrays(USER, PROVIDERS, prior).prior)[0]
    assert np.abs(weights / weights.sum() - prior / prior.sum()).max() < 1.5e-6


def test_priors_and_masks_may_be_shared_or_given_per_table():
    user, providers = np.ones((2, 3, 2), int), np.ones((2, 1, 3, 2), int)
    each = eq.from_integers(user, providers, prior=[[1, 2, 3], [4, 4, 4]])
    assert each.prior.tolist() == [[1, 2, 3], [1, 1, 1]]
    assert each.scale.tolist() == [6, 3]
    mask = [[True, False]] * 3
    shared = eq.from_integers(user, providers, prior=[1, 2, 3], available=mask)
    assert shared.prior.tolist() == [[1, 2, 3]] * 2
    assert shared.available.tolist() == [mask] * 2
    shared.available[0] = True
    assert not shared.available[1].all()  # a copy, not a view of one mask


# --- batches ----------------------------------------------------------------------------------------------------------


def test_slices_keep_the_batch_axis_and_the_ids():
    tables = batch()
    assert tables[3].user.shape == (1, 3, 2)
    assert same(tables[3], tables[3:4])
    assert same(tables[-1], tables[4:])
    assert same(tables[np.int64(2)], tables[2])
    assert tables[1:4].table_id.tolist() == [1, 2, 3]
    assert tables[::-2].table_id.tolist() == [4, 2, 0]
    assert [t.table_id.tolist() for t in tables] == [[0], [1], [2], [3], [4]]
    assert len(list(tables)) == len(tables) == 5
    assert len(tables[:0]) == 0


@pytest.mark.parametrize("index", [5, -6])
def test_indices_past_the_end_are_refused(index):
    with pytest.raises(IndexError, match=rf"^table {index} of a batch of 5$"):
        batch()[index]


def test_concatenation_undoes_slicing():
    tables = batch()
    assert same(eq.concatenate([tables[:2], tables[2:3], tables[3:]]), tables)
    assert same(eq.concatenate(list(tables)), tables)


@pytest.mark.parametrize(
    "other",
    [
        eq.from_integers(INT_USER, [INT_USER] * 3),
        eq.from_integers(INT_USER, [INT_USER] * 4, resolution=2),
        eq.from_integers(INT_USER, [INT_USER] * 4, labels=eq.Labels(("a", "b", "c"), ("d", "e"), tuple("fghi"))),
    ],
    ids=["providers", "resolution", "labels"],
)
def test_unlike_batches_are_not_concatenated(other):
    with pytest.raises(ValueError, match=r"^batches: expected all alike, got .* at 0 and .* at 1$"):
        eq.concatenate([batch(), other])


def test_nothing_is_not_concatenated():
    with pytest.raises(ValueError, match=r"^batches: expected at least one batch of tables, got none$"):
        eq.concatenate([])


def test_tables_are_a_pytree():
    tables = batch()
    leaves, structure = jax.tree.flatten(tables)
    assert [leaf.shape[0] for leaf in leaves] == [5] * 5
    assert same(jax.tree.unflatten(structure, leaves), tables)
    doubled = jax.jit(lambda t: jax.tree.map(lambda leaf: leaf, t))(tables)
    assert same(jax.tree.map(np.asarray, doubled), tables)
    assert doubled.resolution == tables.resolution


def test_ids_have_64_bits():
    ids = np.array([0, 1, 2**32 - 1, 2**32, 2**63 - 1])
    words = eq.problems.tables.table_id_words(ids)
    assert words.dtype == np.uint32
    assert words.tolist() == [[0, 0], [0, 1], [0, 2**32 - 1], [1, 0], [2**31 - 1, 2**32 - 1]]
    table = batch()
    object.__setattr__(table, "table_id_words", words)
    assert table.table_id.tolist() == ids.tolist()


def test_names():
    labels = eq.Labels(("s", "t", "u"), ("go", "stay"), ("Bob",), ("monday",))
    table = eq.from_arrays(USER, PROVIDERS, labels=labels)
    assert table.names() == ["monday"]
    assert table.provider_names() == ("Bob",)
    assert table.action_names(np.array([1, 0, 1])) == ["stay", "go", "stay"]
    plain = eq.from_arrays(USER, PROVIDERS)
    assert plain.names() == ["table"]
    assert plain.provider_names() == ("provider 1",)
    assert plain.action_names(np.array([1, 0])) == ["1", "0"]


def test_numbers_of_schemes_are_exact():
    table = eq.from_integers(np.zeros((30, 10), int), np.zeros((1, 30, 10), int))
    assert table.schemes() == [10**30]


# --- what is refused --------------------------------------------------------------------------------------------------

BOTH = [  # (user, providers, other arguments, message), refused by from_arrays and by from_integers
    ([[1, 2], [3]], INT_PROVIDERS, {}, "user: expected a non-empty array of numbers, got rows of different lengths"),
    (INT_USER, [[[1, 2], [3]]], {}, "providers: expected a non-empty array of numbers, got rows of different lengths"),
    ([["a", "b"]], INT_PROVIDERS, {}, "user: expected a non-empty array of numbers, got shape (1, 2) of <U1"),
    ([], INT_PROVIDERS, {}, "user: expected a non-empty array of numbers, got shape (0,) of float64"),
    ([1, 2], INT_PROVIDERS, {}, "user: expected shape [X, A] or [B, X, A], got [2]"),
    (INT_USER, INT_USER, {}, "providers: expected shape [K, X, A] to go with user [3, 2], got [3, 2]"),
    ([INT_USER], INT_PROVIDERS, {}, "providers: expected shape [B, K, X, A] to go with user [1, 3, 2], got [1, 3, 2]"),
    (
        INT_USER,
        [[[1, 2], [3, 4]]],
        {},
        "providers: expected [B, K, X, A] = [1, 1, 3, 2] to match user [1, 3, 2], got [1, 1, 2, 2]",
    ),
    (
        [INT_USER] * 2,
        [INT_PROVIDERS] * 3,
        {},
        "providers: expected [B, K, X, A] = [2, 1, 3, 2] to match user [2, 3, 2], got [3, 1, 3, 2]",
    ),
    (INT_USER, [], {}, "providers: expected 1 to 16 providers, got 0"),
    (INT_USER, np.zeros((0, 3, 2), int), {}, "providers: expected 1 to 16 providers, got 0"),
    (INT_USER, [INT_USER] * 17, {}, "providers: expected 1 to 16 providers, got 17"),
    (INT_USER, INT_PROVIDERS, {"prior": [1, 2]}, "prior: expected shape [3] or [1, 3], got [2]"),
    (INT_USER, INT_PROVIDERS, {"prior": [[1, 1, 1]] * 2}, "prior: expected shape [3] or [1, 3], got [2, 3]"),
    (
        INT_USER,
        INT_PROVIDERS,
        {"prior": [1, 0, 2]},
        "prior: expected positive finite weights, got 0 in table 0, state 1",
    ),
    (
        [INT_USER] * 2,
        [INT_PROVIDERS] * 2,
        {"prior": [[1, 1, 1], [1, 1, -2]]},
        "prior: expected positive finite weights, got -2 in table 1, state 2",
    ),
    (
        INT_USER,
        INT_PROVIDERS,
        {"available": [[1, 1], [1, 1], [1, 0]]},
        "available: expected booleans of shape [3, 2] or [1, 3, 2], got [3, 2] of int64",
    ),
    (
        INT_USER,
        INT_PROVIDERS,
        {"available": [True, True]},
        "available: expected booleans of shape [3, 2] or [1, 3, 2], got [2] of bool",
    ),
    (
        INT_USER,
        INT_PROVIDERS,
        {"available": [[True, True], [True, False], [False, False]]},
        "available: expected an action in every state, got none in table 0, state 2",
    ),
    (INT_USER, INT_PROVIDERS, {"resolution": 0}, "resolution: expected a positive whole number, got 0"),
    (INT_USER, INT_PROVIDERS, {"resolution": 2.5}, "resolution: expected a positive whole number, got 2.5"),
    (INT_USER, INT_PROVIDERS, {"resolution": True}, "resolution: expected a positive whole number, got True"),
    (
        INT_USER,
        INT_PROVIDERS,
        {"labels": eq.Labels(("a",), ("b", "c"), ("d",))},
        "labels: expected 3 states, 2 actions and 1 providers, got (1, 2, 1)",
    ),
]


@pytest.mark.parametrize("make", [eq.from_arrays, eq.from_integers])
@pytest.mark.parametrize(("user", "providers", "others", "message"), BOTH, ids=[m[:40] for *_, m in BOTH])
def test_bad_arguments_are_refused(make, user, providers, others, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make(user, providers, **others)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["user", "providers"])
def test_utilities_that_are_not_finite_are_refused(name, bad):
    arrays = {"user": np.ones((2, 3, 2)), "providers": np.ones((2, 4, 3, 2))}
    index = (1, 2, 0) if name == "user" else (1, 3, 2, 0)
    arrays[name][index] = bad
    message = f"{name}: expected finite utilities, got {bad} at index {list(index)}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        eq.from_arrays(**arrays)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5, 0.0])
def test_priors_that_are_not_positive_and_finite_are_refused(bad):
    message = f"prior: expected positive finite weights, got {bad} in table 0, state 1"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        eq.from_arrays(USER, PROVIDERS, prior=[0.5, bad, 0.5])


def test_shares_that_would_round_to_zero_are_refused():
    message = "prior: a share of 1e-08 rounds to zero; expected shares of at least 1e-06"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        eq.from_arrays(USER, PROVIDERS, prior=[np.pi * 1e-8, np.pi * (0.5 - 1e-8), np.pi * 0.5])


@pytest.mark.parametrize("name", ["user", "providers"])
def test_utilities_beyond_32_bits_are_refused(name):
    arrays = {"user": np.array(USER), "providers": np.array(PROVIDERS)}
    arrays[name].flat[0] = 214_749  # x 10,000 is just above 2**31
    message = (
        f"{name}: utility x resolution must fit in 32 bits (at most {LARGEST}), got a utility of magnitude 214749 "
        "with resolution=10000; use a smaller resolution"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        eq.from_arrays(**arrays)
    arrays[name].flat[0] = 214_748
    eq.from_arrays(**arrays)


@pytest.mark.parametrize("name", ["user", "providers", "prior"])
def test_integers_are_taken_as_they_are_or_refused(name):
    arguments = {"user": np.array(INT_USER), "providers": np.array(INT_PROVIDERS), "prior": np.array([1, 2, 3])}
    with pytest.raises(ValueError, match=f"^{name}: expected integers, got dtype float64; use from_arrays"):
        eq.from_integers(**arguments | {name: arguments[name].astype(float)})
    large = arguments[name].copy()
    large.flat[0] = 2**31
    message = f"{name}: expected integers of at most 32 bits (|value| <= {LARGEST}), got {2**31}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        eq.from_integers(**arguments | {name: large})


@pytest.mark.parametrize("name", ["user", "providers"])
def test_sums_beyond_41_bits_are_refused(name):
    """The largest sum is let in; one more is refused."""
    weight, high = 2**10, 2**31 - 1
    user, providers = np.zeros((2, 2), int), np.zeros((2, 2, 2), int)
    (user if name == "user" else providers[1])[0, 0] = high
    (user if name == "user" else providers[1])[1, 0] = MAX_VALUE - weight * high
    assert eq.from_integers(user, providers, prior=[weight, 1]).scale.tolist() == [weight + 1]
    message = (
        "user, providers, prior: the sum over states of weight x |utility| x resolution must be at most 2**41, "
        f"got {MAX_VALUE + 1} in table 0; use a smaller resolution or smaller prior weights"
    )
    (user if name == "user" else providers[1])[1, 0] += 1
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        eq.from_integers(user, providers, prior=[weight, 1])
