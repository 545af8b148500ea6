"""Efficiency of outcomes: against HiGHS, where answers are known, and where they hang on the last digit."""

from __future__ import annotations

import equilibrax_kernels.fits.efficiency as kernel
import numpy as np
import oracles_efficiency as oracle
import pytest
from equilibrax.fits import _pareto_lanes, pareto_fits


def random_programs(seed: int, count: int, high: int, agents: int = 4, cells: int = 3, actions: int = 3):
    """Payoffs with many ties (small `high`) or few; half of the outcomes maximize a random sum."""
    draw = np.random.default_rng(seed)
    payoffs = draw.integers(0, high, (count, agents, cells, actions))
    available = draw.random((count, cells, actions)) < 0.85
    available[..., 0] = True
    weighted = np.einsum("ln,lnsa->lsa", draw.random((count, agents)), payoffs)
    weighted[1::2] = draw.random(weighted[1::2].shape)
    chosen = np.where(available, weighted, -1.0).argmax(axis=2)
    member = draw.random((count, agents)) < 0.8
    member[:, 0] = True
    return payoffs, available, chosen, member, draw.choice([0.5, 1.0, 2.0], (count, agents))


def check(found, payoffs, available, lottery, member, unit) -> None:
    """Every field of every outcome against HiGHS."""
    assert found.certified.all()
    for b in range(len(payoffs)):
        who, own = member[b], found.weights[b]
        mine, units = payoffs[b, who], unit[b, who]
        achieved = (mine * lottery[b]).sum(axis=(1, 2))
        assert found.gap[b] == pytest.approx(oracle.gap(mine, available[b], achieved, units), abs=1e-7)
        least = oracle.least_weight(mine, available[b], lottery[b] > 0, units)
        assert found.weakly_efficient[b] == (least is not None)
        assert found.efficient[b] == (least is not None and least > 1e-9)
        assert found.efficient[b] == (oracle.dominating_gain(mine, available[b], achieved) < 1e-7)
        assert (own >= 0).all()
        assert (own[~who] == 0).all()
        assert own.sum() == pytest.approx(1)
        if found.efficient[b]:
            assert own[who].min() == pytest.approx(least, abs=1e-9)
            assert np.isnan(found.lottery[b]).all()
            continue
        other = found.lottery[b]
        assert (other >= 0).all()
        assert (other[~available[b]] == 0).all()
        assert other.sum(axis=1) == pytest.approx(1)
        more = ((mine * other).sum(axis=(1, 2)) - achieved) / units
        assert more.min() == pytest.approx(found.gap[b], abs=1e-9)
        assert more.max() > 1e-9
        most = np.where(available[b], np.tensordot(own[who] / units, mine, axes=1), -np.inf).max(axis=1).sum()
        assert most - own[who] @ (achieved / units) == pytest.approx(found.gap[b], abs=1e-7)


@pytest.mark.parametrize("high", [3, 10, 1000])
@pytest.mark.parametrize("backend", ["cpu", "xla"])
def test_it_agrees_with_highs(high, backend):
    payoffs, available, chosen, member, unit = random_programs(high, 100, high)
    found = pareto_fits(payoffs, available, actions=chosen, member=member, unit=unit, backend=backend)
    assert 20 < found.efficient.sum() < 90
    check(found, payoffs, available, np.arange(3) == chosen[..., None], member, unit)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_highs_a_thousand_times(seed):
    payoffs, available, chosen, member, unit = random_programs(seed, 250, 2 + 3 * seed, 2 + seed, 1 + seed)
    found = pareto_fits(payoffs, available, actions=chosen, member=member, unit=unit)
    check(found, payoffs, available, np.arange(3) == chosen[..., None], member, unit)


def test_lotteries_are_efficient_only_if_all_that_they_hold_is():
    payoffs, available, chosen, member, unit = random_programs(5, 60, 3)
    lottery = 0.75 * (np.arange(3) == chosen[..., None]) + 0.25 * (np.arange(3) == 0)
    found = pareto_fits(payoffs, available, lottery=lottery, member=member, unit=unit)
    assert 0 < found.efficient.sum() < found.weakly_efficient.sum() < 60
    check(found, payoffs, available, lottery, member, unit)


def test_the_smallest_of_weights_is_told_from_none():
    """Weights of 1e-9 and less, where floating point alone sees 0: one action more or less, and they are gone."""
    large = 10**10
    payoffs = np.array([[0, 1, -1], [0, -large, large - 1]])  # 1 : large is too much, 1 : large - 1 too little
    games = np.stack([payoffs, payoffs])[:, :, None]
    games[1, 1, 0, 2] = large  # now just one ratio is left
    games = np.concatenate([games, games[1:]])
    games[2, 1, 0, 2] = large + 1  # and now none
    found = pareto_fits(games, np.ones((3, 1, 3), bool), actions=np.zeros((3, 1), int))
    assert found.efficient.tolist() == [True, True, False]
    assert found.weights[1, 1] * (large + 1) == pytest.approx(1, rel=1e-12)
    assert found.weakly_efficient.tolist() == [True, True, False]
    assert found.exact >= 2
    assert found.certified.all()


def test_many_agents_many_actions_and_one():
    draw = np.random.default_rng(0)
    payoffs = draw.integers(0, 100, (3, 17, 2, 50))
    found = pareto_fits(payoffs, np.ones((3, 2, 50), bool), actions=np.zeros((3, 2), int))
    for b in range(3):
        achieved = payoffs[b, :, :, 0].sum(axis=1)
        assert found.gap[b] == pytest.approx(oracle.gap(payoffs[b], np.ones((2, 50)), achieved, np.ones(17)), abs=1e-7)
    alone = pareto_fits(payoffs[:, :1], np.ones((3, 2, 50), bool), actions=payoffs[:, 0].argmax(axis=2))
    assert alone.efficient.all()
    assert (alone.weights == 1).all()


def test_what_is_not_certified_goes_to_highs(monkeypatch):
    """With one pivot the batched program ends early; the answers are the same, and counted."""
    payoffs, available, chosen, member, unit = random_programs(7, 80, 10)
    usual = pareto_fits(payoffs, available, actions=chosen, member=member, unit=unit)
    monkeypatch.setattr(_pareto_lanes, "_PIVOTS", 1)
    found = pareto_fits(payoffs, available, actions=chosen, member=member, unit=unit, backend="cpu")
    assert usual.resolved == 0
    assert found.resolved > 10
    assert found.certified.all()
    np.testing.assert_allclose(found.gap, usual.gap, atol=1e-9)
    assert (found.efficient == usual.efficient).all()
    assert (found.weakly_efficient == usual.weakly_efficient).all()


def test_loops_and_kernels_find_the_same():
    payoffs, available, chosen, member, unit = random_programs(3, 64, 50)
    one, other = (
        pareto_fits(payoffs, available, actions=chosen, member=member, unit=unit, backend=b) for b in ("cpu", "xla")
    )
    for name in ("efficient", "weakly_efficient", "gap", "weights", "lottery"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-9, err_msg=name)
    from equilibrax_kernels.cpu import efficiency as loops

    for name in ("ZERO", "PIVOT", "LARGEST", "PATIENCE", "EFFICIENT", "DOMINATED", "UNDECIDED"):
        assert getattr(kernel, name) == getattr(loops, name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": None}, "actions: expected them, or a lottery, got neither"),
        ({"lottery": np.ones((1, 1, 2)) / 2}, "actions: expected them, or a lottery, got both"),
        ({"actions": np.array([[1]])}, "actions: expected actions that exist"),
        ({"unit": 0.0}, "unit: expected positive numbers, got 0.0"),
        ({"payoffs": np.ones((1, 2, 1, 2))}, "payoffs: expected whole numbers"),
        ({"payoffs": np.full((1, 2, 1, 2), 2**51)}, "payoffs: expected whole numbers"),
    ],
)
def test_what_is_refused(change, message):
    arguments = {"payoffs": np.ones((1, 2, 1, 2), int), "available": np.array([[[True, False]]])}
    arguments |= {"actions": np.array([[0]])} | change
    with pytest.raises(ValueError, match=message):
        pareto_fits(arguments.pop("payoffs"), arguments.pop("available"), **arguments)
