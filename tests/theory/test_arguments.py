"""Every function of theory refuses what is no argument, naming it, and keeps its limits finite or exact."""

from __future__ import annotations

import math
import re
import warnings
from fractions import Fraction
from functools import cache

import equilibrax as eq
import numpy as np
import pytest

T = eq.theory
NAN, INF = math.nan, math.inf
TABLE = eq.from_integers([[5, 6], [5, 4]], [[[0, 1], [0, 1]]], resolution=10)
GAME = eq.PersuasionGame.from_tables(TABLE)


@cache
def joint(rationality=None):
    table = eq.sample_tables("hull", 1, states=3, actions=2, providers=3, seed=0)
    response = "best" if rationality is None else eq.Quantal(rationality)
    return eq.solve(table, eq.Joint(response=response, dynamics=False), committees=[7])


@cache
def selection():
    return eq.solve(eq.load_paper_table("synthetic-2"), eq.Selection(dynamics=False), committees=[31])


@cache
def talk():
    return T.converse(GAME, 1)


@cache
def anonymous():
    return eq.solve(eq.problems.theorem_4_1_market(), eq.Anonymous(dynamics=False))


# What each number of each function must be, and what is none.
NUMBERS = {
    "epsilon": [
        lambda v: T.theorem_1(joint(), epsilon=v),
        lambda v: T.theorem_2(joint(20), epsilon=v),
        lambda v: T.theorem_5(joint(20), rounds=10, epsilon=v),
        lambda v: T.corollary_3(joint(20), rounds=10, epsilon=v),
        lambda v: T.theorem_6(selection(), epsilon=v),
        lambda v: T.lemma_2([0.0, 1.0], [0.0, 1.0], 1.0, epsilon=v),
        lambda v: T.market_theorem_4_3(anonymous(), epsilon=v),
        lambda v: T.market_theorem_4_4(anonymous(), epsilon=v),
        lambda v: T.market_theorem_3_1(anonymous(), epsilon=v),
        lambda v: T.providers_needed(3, 3, v, 0.1),
        lambda v: T.proposition_3(eq.sample_tables("noisy", 30, states=2, actions=2, providers=2, seed=0), v, 0.1),
    ],
    "delta": [lambda v: T.theorem_2(joint(20), delta=v), lambda v: T.market_theorem_4_4(anonymous(), delta=v)],
    "epsilon_u": [
        lambda v: T.proposition_2(TABLE, [0, 0], 1.0, v),
        lambda v: T.corollary_1(TABLE, [0, 0], 1.0, v),
        lambda v: T.corollary_2(v, 1.0),
    ],
    "rationality": [
        lambda v: T.proposition_2(TABLE, [0, 0], v),
        lambda v: T.corollary_1(TABLE, [0, 0], v, 0.1),
        lambda v: T.corollary_2(0.1, v),
        lambda v: T.lemma_1([0.0, 1.0], v),
        lambda v: T.lemma_2([0.0, 1.0], [1.0, 0.0], v),
        lambda v: T.closeness(TABLE, [0, 0], v),
        lambda v: T.induced_actions(GAME, [0, 0], v),
        lambda v: T.conversation_utility(talk(), v),
        lambda v: eq.Quantal(v),
    ],
    "zeta": [
        lambda v: T.theorem_5(joint(20), rounds=10, zeta=v),
        lambda v: T.agreement_rounds(2, v, 0.1),
        lambda v: T.conversation_promises(talk(), v),
        lambda v: talk().agreeing(v),
    ],
    "failure": [
        lambda v: T.theorem_5(joint(20), rounds=10, failure=v),
        lambda v: T.corollary_3(joint(20), rounds=10, failure=v),
        lambda v: T.agreement_rounds(2, 0.1, v),
        lambda v: T.conversation_promises(talk(), 0.1, v),
        lambda v: T.providers_needed(3, 3, 0.1, v),
        lambda v: talk().rounds_to_agreement(0.1, v),
    ],
    "rounds": [lambda v: T.theorem_5(joint(20), rounds=v), lambda v: eq.bounds(joint(20), rounds=v)],
    "limit": [lambda v: T.corollary_2(0.1, 1.0, limit=v)],
    "tolerance": [lambda v: T.information_substitutes(GAME, tolerance=v)],
}


@pytest.mark.parametrize("wrong", [-0.5, NAN, True, "1", 1j, [[0.1, 0.2], [0.1]]])
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_checked(name, wrong):
    for call in NUMBERS[name]:
        with pytest.raises(ValueError, match=f"^{name}: expected") as refused:
            call(wrong)
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize("wrong", [10**400, -(10**400), 10**5000, Fraction(10**400, 3), [10**400]], ids=range(5))
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_beyond_floating_point_are_no_numbers(name, wrong):
    """Where infinity is one they were infinity, -10**400 too; of those that Python does not write no name was said."""
    for call in NUMBERS[name]:
        with pytest.raises(ValueError, match=f"^{name}: expected") as refused:
            call(wrong)
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize("wrong", [10**400, -(10**5000)], ids=range(2))
def test_whole_numbers_of_any_size_are_named(wrong):
    for call in (
        lambda: eq.sample_tables("uniform", wrong, states=1, actions=1, providers=1, seed=0),
        lambda: eq.sample_tables("uniform", 1, states=wrong, actions=1, providers=1, seed=0),
        lambda: eq.InformationMarket(depth=wrong),
        lambda: eq.load_paper_table("movielens", resolution=wrong),
    ):
        with pytest.raises(ValueError, match=r"expected |must be at most") as refused:
            call()
        assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: T.lemma_1([0.0, 1.0], 1.0, available=[False, False]), "available: expected an action that is"),
        (lambda: T.lemma_1([0.0, 1.0], 1.0, available=[1, 0]), "available: expected True or False"),
        (lambda: T.lemma_1([0.0, 1.0], 1.0, available=[True] * 3), "available: expected True or False or shape [2]"),
        (lambda: T.lemma_1([0.0, 1.0], 1.0, response=[0.1, 0.2, 0.7]), "response: expected a number or shape [2]"),
        (lambda: T.lemma_1([0.0, 1.0], 1.0, response=[-0.5, 1.5]), "response: expected numbers of at least 0"),
        (lambda: T.lemma_1([], 1.0), "beliefs: expected shape [..., A], got [0]"),
        (lambda: T.lemma_1(1.0, 1.0), "beliefs: expected shape [..., A], got []"),
        (lambda: T.lemma_1([[0.0, 1.0]] * 3, [1.0, 2.0]), "rationality: expected a number or shape [3]"),
        (lambda: T.lemma_2([0.0, 1.0], [0.0], 1.0), "second: expected as many actions as first, 2, got 1"),
        (lambda: T.lemma_2([[0.0]] * 2, [[0.0]] * 3, 1.0), "second: expected a number or shape [2]"),
        (lambda: T.theorem_5(joint(20), rounds=10, substitutes="yes"), "substitutes: expected True or False"),
        (lambda: T.theorem_5(joint(20), rounds=10, substitutes=[True] * 2), "substitutes: expected True or False or"),
        (lambda: T.theorem_2(joint(20), delta=[1, 2, 3]), "delta: expected a number or shape"),
        (lambda: T.proposition_2(TABLE, [0, 0], [1.0, 2.0]), "rationality: expected a number of at least 0"),
        (lambda: T.proposition_2(TABLE, [0, 0], 1.0, [0.1, 0.2]), "epsilon_u: expected a number or shape [1]"),
        (lambda: T.agreement_rounds(0, 0.1, 0.1), "actions: expected a whole number"),
        (lambda: T.agreement_rounds(2, 0.1, 2.0), "failure: expected a number above 0 and at most 1"),
        (lambda: T.market_alignment(3), "game: expected a PersuasionGame or UtilityTables, got int"),
        (lambda: T.estimation_error("x"), "game: expected a PersuasionGame or UtilityTables, got str"),
        (lambda: T.converse(TABLE, 1), "game: expected a PersuasionGame, got UtilityTables"),
        (lambda: T.conversation_utility(GAME), "conversation: expected what converse returns"),
        (lambda: T.conversation_promises(GAME, 0.1), "conversation: expected what converse returns"),
        (lambda: T.proposition_3(joint(), 0.1, 0.1), "tables: expected UtilityTables, got PartitionResult"),
        (lambda: T.market_promises(3), "result: expected what solving a Market returns, got int"),
        (lambda: T.common_garbling([[1.0, 2.0]], [[0]], message_limit=0), "message_limit: expected a whole number"),
        (lambda: eq.bounds(3), "result: expected one of a game over tables, got int"),
    ],
)
def test_what_is_no_argument_is_named(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        call()


def test_one_action_leaves_nothing_to_lose_at_any_rationality():
    """log 1 / 0 is no loss: whoever can do one thing does it."""
    table = eq.from_integers([[5], [7]], [[[1], [2]]], resolution=10)
    result = eq.solve(table, eq.Joint(response=eq.Quantal([0.0, 1.0, INF]), dynamics=False))
    found = eq.bounds(result, rounds=INF, failure=1e-9)
    for name in ("Lemma 1", "Theorem 5", "Corollary 3"):
        assert not np.isnan(found[name].bound).any()
        assert np.isfinite(found[name].bound).all(), name
        assert not found[name].refuted.any()
    assert (found["Lemma 1"].slack == 0).all()
    assert T.lemma_1([3.0], 0.0).bound == 0


@pytest.mark.parametrize("more", [1, 6])
def test_actions_that_nobody_can_take_do_not_count(more):
    """A table and the same with more columns that are not available are promised the same."""
    user, providers = np.array([[5, 6], [5, 4]]), np.array([[[0, 1], [0, 1]], [[1, 0], [3, 1]]])
    wide = [np.concatenate([a, np.zeros((*a.shape[:-1], more), int)], axis=-1) for a in (user, providers)]
    available = np.arange(2 + more) < 2
    small = eq.from_integers(user, providers, resolution=10)
    large = eq.from_integers(*wide, resolution=10, available=np.broadcast_to(available, (2, 2 + more)))
    how = eq.Quantal([0.0, 2.0, 50.0])
    played = {eq.Joint(response=how, dynamics=False): {"rounds": 1e12}, eq.Aligned(how): {}}
    first, second = (
        {game: eq.bounds(eq.solve(table, game), **options) for game, options in played.items()}
        for table in (small, large)
    )
    for game in first:
        for name in first[game]:
            np.testing.assert_allclose(first[game][name].bound, second[game][name].bound, rtol=1e-12, err_msg=name)
    lemma = T.lemma_1(np.zeros((3, 2 + more)), 2.0, available=available)
    np.testing.assert_array_equal(lemma.bound, np.full(3, math.log(2) / 2))


@pytest.mark.parametrize("bound", [T.theorem_5, T.corollary_3])
def test_exact_agreement_at_infinite_rationality_is_first_best(bound):
    """rounds and rationality infinite: zeta is 0, and only eps and failure are lost."""
    result = joint((0.0, 3.0, INF))
    found = bound(result, rounds=INF, failure=1e-12)
    assert not np.isnan(found.bound).any()
    assert found.holds_hypothesis.all()
    eps = np.asarray(found.numbers["eps"])
    assert found.bound[0, 2] == pytest.approx((result.optimum - 2 * eps)[0, 2], abs=1e-9)
    assert np.isneginf(found.bound[0, 0]).all()
    assert not found.refuted.any()
    assert np.isneginf(T.theorem_5(result, rounds=1).bound[0, 2]).all()


def test_numbers_beyond_floating_point():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert T.corollary_2(0.01, 10.0, limit=200.0).bound == INF
        assert T.corollary_2(0.0, 10.0, limit=200.0).bound == 0
        assert T.corollary_2(0.0, INF, limit=INF).bound == 0
    assert T.agreement_rounds(2, 1e-200, 0.5) > 10**400
    assert T.agreement_rounds(2, 0.1, 0.1) == 6000
    assert T.providers_needed(3, 3, 1e-200, 0.05) > 10**400
    assert T.providers_needed(3, 3, 0.1, 0.05) == 295


def test_a_negative_error_refutes_nothing():
    """Corollary 1 took epsilon_u = -1 as a hypothesis that holds, with a bound that fails."""
    table = eq.from_integers([[1, 1], [2, 1], [0, 1]], [[[0, 0]] * 3], prior=[98, 1, 1], resolution=2)
    for wrong in (-1, -1e-300, NAN, [-1]):
        with pytest.raises(ValueError, match="epsilon_u: expected numbers of at least 0"):
            T.corollary_1(table, [0, 0, 0], rationality=1e5, epsilon_u=wrong)
    assert not T.corollary_1(table, [0, 0, 0], rationality=1e5, epsilon_u=0).refuted.any()
