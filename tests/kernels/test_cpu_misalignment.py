"""The Chebyshev programs as compiled loops: against scipy and exact fractions, certificates recomputed."""

from __future__ import annotations

import itertools
import random

import numpy as np
import oracles
import pytest
from equilibrax_kernels.cpu.chebyshev import ITERATION_LIMIT, OPTIMAL
from equilibrax_kernels.cpu.programs import fit_programs
from equilibrax_kernels.cpu.selection import fit_tables, select_tables
from scipy.optimize import linprog

KINDS = ("uniform", "ties", "duplicates", "constant", "hull", "opposed", "whole table", "one row each", "scales")


def program(kind: str, rng, k: int, rows: int):
    """One program of a kind: `(user [R], providers [K, R], above [R], below [R], member [K])`."""
    user, providers = rng.random(rows), rng.random((k, rows))
    above, below, member = rng.random(rows) < 0.7, rng.random(rows) < 0.4, rng.random(k) < 0.7
    if kind == "ties":
        user, providers = rng.integers(0, 3, rows) / 2, rng.integers(0, 3, (k, rows)) / 2
    elif kind == "duplicates":
        again = rng.integers(0, max(1, rows // 4), rows)
        user, providers = user[again], providers[:, again][rng.integers(0, max(1, k // 3), k)]
    elif kind == "constant":
        providers[:] = rng.integers(-1, 2, (k, 1))
        user[: rows // 2] = user[0]
    elif kind == "hull":
        user, member = rng.dirichlet(np.ones(k)) @ providers + 5, np.ones(k, bool)
    elif kind == "opposed":
        providers = -user * rng.random((k, 1)) + rng.integers(0, 2, (k, 1))
    elif kind == "whole table":
        above[:] = below[:] = True
    elif kind == "one row each":
        above[:], below[:] = False, False
    elif kind == "scales":
        user, providers = user * 1e-3 - 7e-4, (providers - 0.5) * 1e4 * rng.random((k, 1))
    above[rng.integers(rows)] = below[rng.integers(rows)] = member[rng.integers(k)] = True
    return user, providers, above, below, member


def reference(user, providers, above, below, member, simplex: bool) -> float:
    """The least misalignment by HiGHS, in units of the user's range on the rows."""
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


def assert_proved(user, providers, above, below, member, fit, simplex: bool) -> None:
    """The certificate, recomputed: the weights attain eps, and the multipliers prove that nothing is less."""
    rows = above | below
    unit = np.ptp(user[rows]) or 1.0
    assert (fit.weights >= 0).all()
    assert not fit.weights[~member].any()
    assert not simplex or fit.weights.sum() == pytest.approx(1, abs=1e-12)
    combined = fit.weights @ providers + fit.offset
    rounding = 1e-12 * max(unit, (fit.weights[:, None] * np.abs(providers[:, rows])).max(), abs(fit.offset))
    assert (combined[above] <= user[above] + fit.eps + rounding).all()
    assert (combined[below] >= user[below] - fit.eps - rounding).all()
    assert (fit.lower >= 0).all()
    assert (fit.upper >= 0).all()
    assert not fit.lower[~below].any()
    assert not fit.upper[~above].any()
    mass = fit.lower.sum()
    assert fit.upper.sum() == pytest.approx(mass, abs=1e-12)
    assert mass <= 0.5 + 1e-12
    difference = fit.lower - fit.upper
    excess = (providers @ difference)[member]
    if simplex:
        proved = difference @ user - excess.max()
    else:
        assert (excess <= 1e-9 * np.array([np.ptp(p[rows]) or 1.0 for p in providers])[member]).all()
        proved = difference @ user - fit.weights[member] @ np.maximum(excess, 0)
    bound = max(0.0, proved / (2 * mass)) if mass > 0 else 0.0
    assert fit.eps - bound <= 1e-9 * unit
    assert fit.gap == pytest.approx(fit.eps - bound, abs=1e-9 * unit)


@pytest.mark.parametrize("simplex", [False, True], ids=["nonnegative", "simplex"])
@pytest.mark.parametrize(("k", "rows"), [(1, 6), (3, 9), (5, 48), (16, 200)])
def test_programs_are_solved_and_proved(k, rows, simplex):
    rng = np.random.default_rng(100 * k + simplex)
    # On the simplex providers cannot be brought to the user's scale, so nothing is promised for what is far from it.
    kinds = [kind for kind in KINDS if not (simplex and kind == "scales") for _ in range(3 if rows > 100 else 8)]
    programs = [program(kind, rng, k, rows) for kind in kinds]
    fits = fit_programs(*map(np.stack, zip(*programs)), simplex=simplex, iteration_limit=400)
    assert (fits.status == OPTIMAL).all()
    for i, one in enumerate(programs):
        mine = type(fits)(*(values[i] for values in fits))
        unit = np.ptp(one[0][one[2] | one[3]]) or 1.0
        assert mine.eps / unit == pytest.approx(reference(*one, simplex), rel=1e-9, abs=1e-9), kinds[i]
        assert_proved(*one, mine, simplex)
    assert fits.eps.max() > 0.1
    assert fits.iterations.max() > 1 or (simplex and k == 1)  # where there is nothing to choose


def test_a_program_that_is_stopped_says_so_and_its_fit_still_holds():
    rng = np.random.default_rng(5)
    programs = [program("uniform", rng, 3, 9) for _ in range(6)]
    fits = fit_programs(*map(np.stack, zip(*programs)), simplex=False, iteration_limit=1)
    assert (fits.iterations <= 1).all()
    assert ITERATION_LIMIT in fits.status.tolist()
    for i, (user, providers, above, below, _) in enumerate(programs):
        residual = user - fits.weights[i] @ providers
        assert fits.eps[i] == pytest.approx(max(0.0, residual[below].max() - residual[above].min()) / 2, abs=1e-12)
        exact = reference(*programs[i], False) * np.ptp(user[above | below])
        assert fits.eps[i] >= exact - 1e-12
        assert fits.gap[i] >= fits.eps[i] - exact - 1e-12 or fits.violation[i] > 1e-9


@pytest.mark.parametrize("simplex", [False, True], ids=["nonnegative", "simplex"])
def test_blands_rule_alone_finds_the_optimum(simplex):
    """The rule that takes over where pivots lower nothing, from the first pivot on."""
    rng = np.random.default_rng(6)
    programs = [
        program(kind, rng, 4, 20) for kind in ("uniform", "ties", "duplicates", "whole table") for _ in range(9)
    ]
    stacked = [*map(np.stack, zip(*programs))]
    fits = fit_programs(*stacked, simplex=simplex, iteration_limit=2000, patience=-1)
    expected = fit_programs(*stacked, simplex=simplex, iteration_limit=400)
    assert (fits.status == OPTIMAL).all()
    np.testing.assert_allclose(fits.eps, expected.eps, rtol=0, atol=1e-9)
    assert (fits.iterations != expected.iterations).any()


def test_large_programs_full_of_ties_are_proved():
    """Of what is met at the same time the largest pivot has to be taken: otherwise a few break down."""
    rng = np.random.default_rng(1704)
    utilities = rng.integers(0, 4, (600, 17, 100)) / 3
    above, below = rng.random((600, 100)) < 0.7, rng.random((600, 100)) < 0.4
    above[:, 0] = below[:, 1] = True
    user, providers = np.ascontiguousarray(utilities[:, 0]), np.ascontiguousarray(utilities[:, 1:])
    fits = fit_programs(user, providers, above, below, np.ones((600, 16), bool), simplex=False, iteration_limit=400)
    assert (fits.status == OPTIMAL).all()
    assert fits.gap.max() <= 1e-9
    assert fits.violation.max() <= 1e-9


# --- all committees of a table ----------------------------------------------------------------------------------------


def arrays_of(games):
    utilities = np.array([[game.user, *game.providers] for game in games], np.int32)
    prior, available = np.array([game.prior for game in games], np.int32), np.array([g.available for g in games])
    return utilities, prior, available


def scores(games, rows: str, weights: str, tie_break: str = "incumbent", **options):
    """Fits of all committees, by name."""
    utilities, prior, available = arrays_of(games)
    masks = np.arange(1, 2 ** (utilities.shape[1] - 1), dtype=np.int32)
    options |= {"simplex": weights == "simplex", "resolution": 1}
    if rows == "table":
        return fit_tables(utilities, available, masks, **options)
    options |= {"ties": tie_break == "lowest_index", "capacity": 64, "max_capacity": 1000, "fit": True}
    return select_tables(utilities, prior, available, np.zeros((len(games), 2), np.uint32), masks, **options)


@pytest.mark.parametrize(
    ("rows", "weights", "tie_break"),
    [
        ("equilibrium", "nonnegative", "incumbent"),
        ("equilibrium", "nonnegative", "lowest_index"),
        ("equilibrium", "simplex", "incumbent"),
        ("equilibrium", "simplex", "lowest_index"),
        ("table", "nonnegative", "incumbent"),
        ("table", "simplex", "incumbent"),
    ],
)
def test_scores_are_exact_and_proved(rows, weights, tie_break):
    """Small integers, so full of ties, with priors and missing actions; also where a score was inherited."""
    rng = random.Random(7)
    games = [oracles.random_table(rng, 3, 2, 3) for _ in range(25)]
    got = scores(games, rows, weights, tie_break, multipliers=True)
    assert np.abs(got["fit_gap"]).max() <= 1e-9
    assert got["fit_violation"].max() <= 1e-9
    for (i, game), committee in itertools.product(enumerate(games), range(1, 8)):
        c, team = committee - 1, oracles.members(game, committee)
        exact = float(oracles.misalignment_exact(game, committee, rows, weights, tie_break))
        assert got["fit_misalignment"][i, c] == pytest.approx(exact, rel=0, abs=1e-9), (game, committee)
        above = below = set(oracles.outcomes(game))
        if rows == "equilibrium":
            above = oracles.equilibrium_outcomes(game, committee, tie_break)
            below = oracles.optimal_outcomes(game)
        user, providers = np.array(game.user), np.array(game.providers)
        combined = np.tensordot(got["fit_weights"][i, c], providers, 1) + got["fit_offset"][i, c]
        assert all(combined[r] <= user[r] + exact + 1e-9 for r in above)
        assert all(combined[r] >= user[r] - exact - 1e-9 for r in below)
        assert set(np.flatnonzero(got["fit_weights"][i, c])) <= set(team)
        lower, upper = (got[f"fit_{name}"][i, c].reshape(3, 2) for name in ("lower", "upper"))
        assert set(map(tuple, np.argwhere(lower).tolist())) <= below
        assert set(map(tuple, np.argwhere(upper).tolist())) <= above
        excess = [((lower - upper) * providers[j]).sum() for j in team]
        assert weights == "simplex" or max(excess) <= 1e-9
        if exact > 0:
            proved = ((lower - upper) * user).sum() - (max(excess) if weights == "simplex" else 0)
            assert proved / (2 * lower.sum()) == pytest.approx(exact, rel=0, abs=1e-8)


def one_state(user, *providers):
    return oracles.Table([user], [[p] for p in providers], [1], [[True] * len(user)])


def test_a_new_lowest_member_can_raise_the_score():
    """Under Definition 16 a score of zero is not inherited by larger committees."""
    game = one_state((2, 1, 1), (1, 1, 1), (0, 1, 2), (2, 2, 1))
    got = scores([game], "equilibrium", "nonnegative", "lowest_index")["fit_misalignment"][0]
    assert got[6 - 1] == pytest.approx(0, abs=1e-12)
    assert got[7 - 1] == pytest.approx(0.5, abs=1e-12)


def test_weights_that_attain_the_score_are_not_enough_to_inherit_it():
    """Without provider 0, who has no weight, fewer outcomes are attained, on which other weights score less."""
    user, providers = ((0, 3), (0, 3)), (((2, 0), (2, 3)), ((2, 2), (2, 1)), ((0, 0), (0, 1)))
    game = oracles.Table(user, providers, (1, 1), [[True] * 2] * 2)
    rule = "lowest_index"
    got = scores([game], "equilibrium", "nonnegative", rule)
    assert got["fit_weights"][0, 7 - 1, 0] == 0
    assert got["fit_misalignment"][0, 7 - 1] == pytest.approx(1.5, abs=1e-12)
    assert got["fit_misalignment"][0, 6 - 1] == pytest.approx(0, abs=1e-12)
    assert oracles.misalignment_exact(game, 6, tie_break=rule) == 0


def test_most_committees_inherit_their_scores():
    """Otherwise the loop would be slow, and nothing else would tell."""
    rng = np.random.default_rng(9)
    utilities, available = rng.integers(0, 1000, (40, 6, 3, 3)).astype(np.int32), np.ones((40, 3, 3), bool)
    options = {"resolution": 1000, "ties": False, "capacity": 64, "max_capacity": 1000, "fit": True}
    masks = np.arange(1, 32, dtype=np.int32)
    got = select_tables(
        utilities, np.ones((40, 3), np.int32), available, np.zeros((40, 2), np.uint32), masks, **options
    )
    assert 8 < got["fit_solved"].mean() < 12  # of 31
