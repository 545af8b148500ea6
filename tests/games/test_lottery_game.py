"""Lotteries in the joint game as an option: for every committee what a search finds, and nothing that is not known."""

from __future__ import annotations

from dataclasses import replace

import equilibrax as eq
import numpy as np
import optax
import pytest
from equilibrax.games import JointLotteries, lottery_regret, search_lotteries
from equilibrax.games.lotteries import joint_result

TRIAL = eq.PersuasionGame.from_prior([[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]])
COURT = eq.PersuasionGame.from_prior(
    [[[2, 0], [0, 1]]], user=[[1, 2], [2, 1]], providers=[[[0, 2], [0, 1]], [[1, 0], [2, 0]]]
)
QUICK = eq.GradientSearch(starts=2, steps=100)
GAME = eq.Joint(rules="lotteries", search=QUICK)


def test_the_prosecutor_has_what_he_can_have():
    """Kamenica and Gentzkow (2011): 0.6; the user learns nothing that she could use."""
    found = eq.solve(TRIAL, GAME)
    assert isinstance(found, JointLotteries)
    assert found.provider_utility[0, 0, 0] == pytest.approx(0.6, abs=1e-6)
    assert found.user_utility[0, 0] == pytest.approx(0.7, abs=1e-6)
    assert found.within.all()
    assert 0 <= found.regret[0, 0] <= found.regret_bound[0, 0] == found.epsilon[0, 0] <= QUICK.tolerance
    assert found.regret_before[0, 0] > QUICK.tolerance
    assert found.curve.shape == (1, 1, 20, 1)


@pytest.fixture(scope="module")
def court():
    return eq.solve(COURT, GAME)


def test_two_senders_tell_the_truth_and_each_alone_does_not(court):
    """Theorem 7's pair: 5/3 from either, 2 from both. Who is not in the market has nothing."""
    assert court.committees.tolist() == [1, 2, 3]
    np.testing.assert_allclose(court.user_utility[0], [5 / 3, 5 / 3, 2], atol=1e-6)
    assert court.within.all()
    assert court.optimum.tolist() == [[2.0] * 3]
    absent = [[False, True], [True, False], [False, False]]
    for values in (court.provider_utility, court.gain, court.gain_bound, court.rules[..., 0, 0], court.curve[:, :, -1]):
        np.testing.assert_array_equal(np.isnan(values[0]), absent)


def test_a_committee_is_what_searching_its_market_finds(court):
    own = search_lotteries(COURT, QUICK)
    np.testing.assert_array_equal(court.rules[:, 2], own.rules)
    again = lottery_regret(COURT, court.rules[:, 2])
    np.testing.assert_allclose(court.gain_bound[:, 2], again.regret_bound, atol=1e-12)
    np.testing.assert_allclose(court.provider_utility[:, 2], again.value, atol=1e-12)
    one = court.sel(committee=3)
    assert one.rules.shape == (1, 1, 2, 2, 2)
    np.testing.assert_array_equal(one.user_utility, court.user_utility[:, 2:])
    assert "joint, lotteries, best response, found by a search, tolerance 1e-06" in repr(one)


def test_no_more_is_called_an_equilibrium_than_is_within_the_tolerance(court):
    """The same profiles, if members gained a little more than the tolerance."""
    gains = np.where(np.isnan(court.gain_bound), np.nan, 2e-6)
    missed = replace(court, gain_bound=gains)
    assert not missed.within.any()
    assert np.isnan(missed.epsilon).all()
    assert (missed.regret_bound == 2e-6).all()
    assert missed.to_markdown().count("| none |") == 3
    loose = replace(missed, game=replace(GAME, search=replace(QUICK, tolerance=1e-5)))
    assert (loose.epsilon == 2e-6).all()
    unproved = replace(loose, certified=np.array([[True, False, True]]))
    assert np.isnan(unproved.epsilon).tolist() == [[False, True, False]]


def test_what_is_not_certified_says_so(monkeypatch):
    def uncertified(game, search, **how):
        found = search_lotteries(game, search, **how)
        return replace(found, found=replace(found.found, certified=np.zeros_like(found.found.certified)))

    monkeypatch.setattr(joint_result, "search_lotteries", uncertified)
    found = eq.solve(TRIAL, GAME, throw=False)
    assert found.status_names.tolist() == [["RULE_UNCERTIFIED"]]
    with pytest.raises(eq.SolveError, match="RULE_UNCERTIFIED"):
        eq.solve(TRIAL, GAME)


def test_rows_say_what_is_known_of_a_profile_and_nothing_of_equilibria(court):
    rows = court.to_arrow()
    missing = ["worst_utility", "best_utility", "equilibria", "dynamics_utility", "worst_partition", "misalignment"]
    assert all(rows[name].null_count == 3 for name in missing)
    assert rows["committee_names"].to_pylist() == ["provider 1", "provider 2", "provider 1+provider 2"]
    np.testing.assert_allclose(rows["user_utility"].to_pylist(), [5 / 3, 5 / 3, 2], atol=1e-6)
    assert rows["epsilon"].to_pylist() == court.epsilon.ravel().tolist()
    assert rows["certified"].to_pylist() == [True] * 3
    lotteries = np.array(rows["lotteries"].to_pylist()).reshape(3, 2, 2, 2)
    np.testing.assert_array_equal(lotteries.sum(axis=3), [[[1, 1], [0, 0]], [[0, 0], [1, 1]], [[1, 1], [1, 1]]])
    again = lottery_regret(COURT, lotteries[2:])
    np.testing.assert_allclose(rows["provider_utility"].to_pylist()[2], again.value[0], atol=1e-12)
    unsure = replace(court, certified=np.zeros((1, 3), bool))
    assert unsure.to_arrow()["epsilon"].null_count == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rules": "lotteries", "response": eq.Quantal([1, 2])}, "response: expected a Quantal with one finite rati"),
        ({"rules": "lotteries", "response": eq.Quantal(np.inf)}, "response: expected a Quantal with one finite rati"),
        ({"rules": "lotteries", "dynamics": True}, 'dynamics: expected none with rules="lotteries"'),
        ({"rules": "lotteries", "dynamics": eq.Dynamics(step_limit=3)}, 'dynamics: expected none with rules="lotter'),
        ({"rules": "lotteries", "search": 8}, 'search: expected a GradientSearch with rules="lotteries", got 8'),
        ({"search": QUICK}, 'search: expected none with rules="partitions", which are all compared, got GradientSe'),
        ({"rules": "mixed"}, "rules: expected one of 'partitions', 'lotteries', got 'mixed'"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        eq.Joint(**options)


def test_the_defaults_of_the_rules():
    assert eq.Joint().dynamics is True
    one, listed = (eq.Joint(rules="lotteries", response=eq.Quantal(how)) for how in (2, [2]))
    assert one == listed
    assert eq.Joint(rules="lotteries") == eq.Joint(rules="lotteries", dynamics=False, search=eq.GradientSearch())


def test_what_a_search_has_not_is_refused_in_a_line(tmp_path):
    tables = eq.sample_tables("uniform", 1, seed=0, states=4, actions=4, providers=4)
    with pytest.raises(
        ValueError, match=r"rules: expected programs of at most 4,194,304 entries, got 4,198,400 with 4\^4 plans"
    ):
        eq.solve(tables, eq.Joint(rules="lotteries"))
    with pytest.raises(ValueError, match='backend: expected "auto" or "xla" in the joint game with lotteries, got "c'):
        eq.solve(TRIAL, GAME, backend="cpu")
    with pytest.raises(
        ValueError, match=r"rules: expected programs of at most 4,194,304 entries, got 31,381,236,756 with 3"
    ):
        eq.run_sweep(eq.SweepConfig(game=eq.Joint(rules="lotteries"), tables=2), tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(ValueError, match="columns: expected of none, which this game and its options have"):
        eq.run_sweep(eq.SweepConfig(game=GAME, tables=2, providers=2, columns=("efficiency",)), tmp_path / "none")
    optax_of_ones_own = eq.Joint(rules="lotteries", search=eq.GradientSearch(optimizer=optax.sgd(0.1)))
    with pytest.raises(ValueError, match="game: expected options that can be written down, got Joint"):
        eq.run_sweep(eq.SweepConfig(game=optax_of_ones_own, tables=2, providers=2), tmp_path / "none")
    with pytest.raises(ValueError, match="of: expected partitions to list equilibria, got lotteries"):
        GAME.equilibrium_rules(TRIAL, 0, np.array([1]), GAME.how, 10)
