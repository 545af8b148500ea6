"""Compiled loops and XLA's kernels give the same answers: whole numbers bit for bit, scores within their proofs."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from typing import Any

import equilibrax as eq
import numpy as np
import pytest
from equilibrax._core import loops
from equilibrax._core.batching import batch_mesh
from equilibrax.fits.chebyshev import FitOptions


def tables(providers: int, count: int = 24, states: int = 3, high: int = 3) -> eq.UtilityTables:
    """Full of ties, with priors and missing actions."""
    rng = np.random.default_rng(providers)
    available = rng.random((count, states, 3)) < 0.8
    available[..., 0] = available[0] = True
    user, others = rng.integers(0, high, (count, states, 3)), rng.integers(0, high, (count, providers, states, 3))
    return eq.from_integers(user, others, prior=rng.integers(1, 4, (count, states)), available=available)


def both(problem: Any, game: Any) -> tuple[Any, Any]:
    """The results of both backends, which say the same."""
    loops, kernels = (eq.solve(problem, game, backend=backend, throw=False) for backend in ("cpu", "xla"))
    for one in fields(kernels):
        came, expected = getattr(loops, one.name), getattr(kernels, one.name)
        if isinstance(expected, np.ndarray) and one.name != "retries":
            assert came.dtype == expected.dtype, one.name
            assert came.shape == expected.shape, one.name
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(came, expected, rtol=1e-12, atol=1e-9, err_msg=one.name)
            else:
                np.testing.assert_array_equal(came, expected, err_msg=one.name)
    return loops, kernels


SELECTIONS = [
    (1, eq.Selection(misalignment=FitOptions(weights="simplex"))),
    (2, eq.Selection(tie_break="lowest_index", dynamics=eq.Dynamics(deviation="minimal"))),
    (3, eq.Selection(dynamics=eq.Dynamics(order="random", seed=3, step_limit=2), misalignment=False)),
    (4, eq.Selection(tie_break="lowest_index", method="frontier")),
]


@pytest.mark.parametrize(("providers", "game"), SELECTIONS, ids=["K=1", "K=2", "K=3", "K=4"])
def test_selection(providers, game):
    found, expected = both(tables(providers), game)
    assert not found.retries.any()
    if game.fit:
        assert found.fit.certified.all()
        np.testing.assert_allclose(found.misalignment, expected.misalignment, rtol=0, atol=3e-9)


def test_selection_without_room():
    """Which tables do not fit is compared with the kernels' where the loops are tested."""
    tight = eq.Selection(dynamics=False, method="frontier", capacity=1, max_capacity=4)
    found = eq.solve(tables(3, high=1000), tight, backend="cpu", throw=False)
    lost = found.status == int(eq.Status.FRONTIER_OVERFLOW)
    assert lost.any()
    assert not lost.all()
    np.testing.assert_array_equal(np.isnan(found.misalignment), lost)
    np.testing.assert_array_equal(found.equilibria == -1, lost)
    assert (found.optimum_value > 0).all()


def test_programs_that_are_not_proved_go_to_highs():
    """None is, without a pivot."""
    game = eq.Selection(dynamics=False, misalignment=FitOptions(iteration_limit=0, multipliers=True))
    few = tables(2, 4)
    found, usual = eq.solve(few, game, backend="cpu"), eq.solve(few, eq.Selection(), backend="cpu")
    assert found.resolved > 0
    assert found.fit is not None
    assert found.fit.certified.all()
    np.testing.assert_allclose(found.misalignment, usual.misalignment, rtol=0, atol=3e-9)


def test_auto_takes_the_loops_on_a_cpu_and_kernels_without_numba(monkeypatch, caplog):
    chosen = []
    for name in ("solve_cpu", "solve_xla"):
        monkeypatch.setattr(eq.Selection, name, lambda self, *rest, name=name: chosen.append(name))
    few = tables(2, 1)
    mesh = batch_mesh()
    eq.Selection().solve(few, np.ones(1, np.int32), "auto", mesh)
    loops.loops_available.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    for _ in range(2):
        eq.Selection().solve(few, np.ones(1, np.int32), "auto", mesh)
    with pytest.raises(ValueError, match="where numba cannot be imported"):
        eq.Selection().solve(few, np.ones(1, np.int32), "cpu", mesh)
    assert chosen == ["solve_cpu", "solve_xla", "solve_xla"]
    assert caplog.text.count("numba cannot be imported") == 1
    loops.loops_available.cache_clear()


def test_threads_change_no_bit(monkeypatch):
    results = []
    for threads in ("1", "3"):
        monkeypatch.setenv("NPROC", threads)
        monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8))
        results.append(eq.solve(tables(3, 50), backend="cpu"))
    one, other = results
    for name in ("worst_value", "dynamics_scheme", "equilibria"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("misalignment", "weights", "gap"):
        np.testing.assert_array_equal(getattr(one.fit, name), getattr(other.fit, name))


# --- games over partitions --------------------------------------------------------------------------------------------

PARTITIONS = [
    (1, eq.Joint()),
    (2, eq.Joint(response=eq.Quantal([0.0, 3.0, float("inf")]))),
    (3, eq.Joint(dynamics=eq.Dynamics(step_limit=1))),
    (4, eq.Joint(dynamics=False)),
    (2, eq.Aligned(response=eq.Quantal([1.0]))),
    (3, eq.Oblivious()),
    (1, eq.Obedient()),
    (2, eq.Obedient(tie_break="lowest_index", dynamics=eq.Dynamics(order="random", seed=1))),
    (3, eq.Obedient(dynamics=eq.Dynamics(deviation="minimal"))),
    (4, eq.Obedient(tie_break="lowest_index", response=eq.Quantal([2.0], 0.05), dynamics=eq.Dynamics(step_limit=9))),
    (2, eq.Obedient(response=eq.Quantal([0.0, float("inf")]), dynamics=eq.Dynamics(order="random", seed=1))),
]


@pytest.mark.parametrize(("providers", "game"), PARTITIONS, ids=[f"{g.name}-K={k}" for k, g in PARTITIONS])
def test_games_over_partitions(providers, game):
    both(tables(providers), game)


@pytest.mark.slow
def test_sums_beyond_floating_point_are_for_the_kernels():
    large = eq.PersuasionGame.from_tables(tables(1, 2))
    huge = replace(large, user=np.asarray(large.user, np.int64) * 2**51)
    expected = eq.solve(large, "joint", backend="xla")
    np.testing.assert_array_equal(eq.solve(huge, "joint").worst_value, expected.worst_value * 2**51)
    with pytest.raises(ValueError, match=r"in the joint game with sums of 2\*\*53 or more, got"):
        eq.solve(huge, "joint", backend="cpu")


# --- markets ----------------------------------------------------------------------------------------------------------

SEPARABLE = eq.random_markets(12, 2, 2, 3, 2, seed=1, resolution=16)
PRIVATE = eq.random_markets(12, 2, 2, 3, 2, seed=1, provider_sees=[[0, 1, 1], [0, 0, 1]], resolution=16)
DRAWN = np.random.default_rng(4)
GENERAL = eq.general_market(DRAWN.integers(0, 3, (12, 2, 3, 2)), DRAWN.integers(0, 3, (12, 2, 3, 2, 2)), resolution=1)
MARKETS = [
    (SEPARABLE, eq.Personalized()),
    (SEPARABLE, eq.Personalized(response=eq.Quantal([1.0, 9.0]))),
    (SEPARABLE, eq.Personalized("delegation", "incumbent")),
    (SEPARABLE, eq.Anonymous()),
    (SEPARABLE, eq.Anonymous(response=eq.Quantal([0.0, 9.0], 0.01))),
    (PRIVATE, eq.Personalized(response=eq.Quantal([2.0]))),
    (GENERAL, eq.Personalized(response=eq.Quantal([float("inf")]), dynamics=False)),
    (PRIVATE, eq.Personalized(dynamics=False)),
    (GENERAL, eq.Anonymous(dynamics=eq.Dynamics(step_limit=1))),
    (GENERAL, eq.Personalized("delegation", dynamics="only")),
]


@pytest.mark.parametrize(("market", "game"), MARKETS, ids=range(len(MARKETS)))
def test_markets(market, game):
    both(market, game)
    assert game.without_loops(market) == ""
