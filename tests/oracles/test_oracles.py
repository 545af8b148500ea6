"""The oracle against itself: definitions against profiles, exact against HiGHS, the numbers of the paper."""

import itertools
import random
from fractions import Fraction

import oracles
import pytest
from oracles import Table

RULES = ("incumbent", "lowest_index")
OPTIONS = list(itertools.product(("equilibrium", "table"), ("nonnegative", "simplex"), RULES))
PAPER = {"synthetic-1": (5, 27, 0.576667), "synthetic-2": (5, 64, 0.92), "movielens": (6, 729, 0.85)}


def one_state(user: list[int], *providers: list[int]) -> Table:
    """One state, so a scheme is an action."""
    return Table([user], [[u] for u in providers], [1], [[True] * len(user)])


def tiny_games() -> list[tuple[Table, int]]:
    """2 states x 2 actions, utilities 0 to 2, two or three providers; every committee of at least two."""
    rng = random.Random(20250915)
    tables = [oracles.random_table(rng, 2, 2, 2 + i % 2, 0, 2) for i in range(40)]
    # The smallest tie: the user does not care, everybody else prefers action 1.
    tables.append(one_state([1, 1], [0, 1], [0, 1]))
    return [(t, c) for t in tables for c in oracles.committees(t) if c.bit_count() > 1]


# Schemes, values, equilibria by hand


def test_schemes_are_lexicographic_and_available() -> None:
    table = Table([[1, 2], [3, 4], [5, 6]], [], [1, 2, 3], [[True, True], [False, True], [True, True]])
    assert oracles.schemes(table) == ((0, 1, 0), (0, 1, 1), (1, 1, 0), (1, 1, 1))
    assert oracles.values(table) == ((24,), (27,), (25,), (28,))


def test_one_state_by_hand() -> None:
    table = one_state([0, 1, 2], [2, 1, 0], [1, 2, 0])
    assert oracles.equilibria(table, 0b01) == [(0,)]
    assert oracles.equilibria(table, 0b10) == [(1,)]
    for rule in RULES:
        # From action 0 provider 1 moves to action 1; from action 1 nobody gains by action 2.
        assert oracles.equilibria(table, 0b11, rule) == [(1,), (2,)]
        expected = {"optimum": 2, "worst": 1, "best": 2, "count": 2, "worst_scheme": (1,)}
        assert oracles.solve(table, 0b11, rule) == expected
    assert oracles.dynamics(table, 0b01) == ((0,), 0, 0)
    assert oracles.dynamics(table, 0b11) == ((1,), 0, 1)


def test_tie_rules_by_hand() -> None:
    table = one_state([1, 1], [0, 1], [0, 1])
    assert oracles.equilibria(table, 0b11, "incumbent") == [(0,), (1,)]
    assert oracles.equilibria(table, 0b11, "lowest_index") == [(1,)]
    assert oracles.nash_equilibria_by_profiles(table, 0b11, "incumbent_keeps") == {(1,)}


def test_dynamics_by_hand() -> None:
    table = one_state([2, 1, 3, 4, 5], [0, 9, 2, 1, 0], [9, 0, 0, 1, 2])
    # Provider 0 posts 1 (worth 1 to the user), provider 1 posts 0 (worth 2) and is selected.
    assert oracles.dynamics(table, 0b11, "incumbent", "best") == ((4,), 2, 1)  # 0, then 2, then 4
    assert oracles.dynamics(table, 0b11, "incumbent", "minimal") == ((4,), 2, 1)  # 0, then 3, then 4


def test_minimal_deviations_can_stop_short() -> None:
    table = one_state([2, 1, 3, 4], [0, 9, 1, 2], [9, 0, 0, 0])
    assert oracles.dynamics(table, 0b11, "incumbent", "best") == ((3,), 1, 0)
    # Provider 0 takes the smaller gain, 2, is selected and passes, though 3 is better for both.
    assert oracles.dynamics(table, 0b11, "incumbent", "minimal") == ((2,), 1, 0)
    assert (2,) not in oracles.equilibria(table, 0b11)


def test_lowest_index_dynamics_takes_a_tie() -> None:
    table = one_state([0, 2, 2], [9, 0, 1], [0, 9, 1])
    # Provider 1 is selected with action 1; provider 0 wins the tie with action 2.
    assert oracles.dynamics(table, 0b11, "incumbent") == ((1,), 0, 1)
    assert oracles.dynamics(table, 0b11, "lowest_index") == ((2,), 1, 0)


# Profiles and symmetric profiles


def test_profile_equilibria_select_exactly_the_symmetric_ones() -> None:
    """Definitions 16 and 17 over all profiles select the same schemes as the symmetric test.

    "Only if": let f be selected from j. Providers below j have no better g with v_0(g) >= v_0(f), those above
    none with v_0(g) > v_0(f), and j none with v_0(g) > v_0(f) (>= if she is the lowest), for then she stays
    selected. That is at least what "all post f" asks. "If": the symmetric profile is a profile. Likewise when
    a deviator loses ties.
    """
    for table, committee in tiny_games():
        by_profiles = oracles.nash_equilibria_by_profiles(table, committee)
        assert by_profiles == set(oracles.equilibria(table, committee, "lowest_index"))
        by_profiles = oracles.nash_equilibria_by_profiles(table, committee, "against_deviator")
        assert by_profiles == set(oracles.equilibria(table, committee, "incumbent"))


def test_incumbent_is_not_the_rule_where_the_selected_provider_keeps_her_ties() -> None:
    """If the selected provider kept ties on her own deviation too, equilibria would be fewer, never more.

    Then f needs one provider, whoever is selected, with no better g at v_0(g) >= v_0(f).
    """
    differ = 0
    for table, committee in tiny_games():
        keeps = oracles.nash_equilibria_by_profiles(table, committee, "incumbent_keeps")
        strict = set(oracles.equilibria(table, committee, "incumbent"))
        lowest = set(oracles.equilibria(table, committee, "lowest_index"))
        assert lowest <= keeps <= strict
        differ += keeps != strict
    assert differ, "the games should tell the rules apart"


def test_one_provider_profiles() -> None:
    rng = random.Random(3)
    for _ in range(20):
        table = oracles.random_table(rng, 2, 2, 2)
        for ties, rule in (("lowest_index", "lowest_index"), ("against_deviator", "incumbent")):
            by_profiles = oracles.nash_equilibria_by_profiles(table, 0b10, ties)
            assert by_profiles == set(oracles.equilibria(table, 0b10, rule))


# Properties of equilibria and dynamics


def test_random_tables_solve_and_dynamics() -> None:
    rng = random.Random(11)
    stuck = 0
    for _ in range(60):
        table = oracles.random_table(rng, rng.randint(1, 3), rng.randint(1, 4), rng.randint(1, 4))
        for committee, rule in itertools.product(oracles.committees(table), RULES):
            found = oracles.equilibria(table, committee, rule)
            answer = oracles.solve(table, committee, rule)
            assert answer["count"] == len(found) > 0
            assert answer["worst"] <= answer["best"] <= answer["optimum"]
            assert answer["worst_scheme"] in found
            if committee.bit_count() > 1:
                assert answer["best"] == answer["optimum"], "the user's optimum is always supported"
                assert set(found) <= set(oracles.equilibria(table, committee, "incumbent"))
            scheme, steps, selected = oracles.dynamics(table, committee, rule)
            assert scheme in found
            assert committee >> selected & 1
            assert steps == 0 or committee.bit_count() > 1
            scheme, _, _ = oracles.dynamics(table, committee, rule, "minimal")
            stuck += scheme not in found
    assert stuck, "minimal deviations may stop outside the equilibria, with a selected provider who passes"


# Misalignment


@pytest.mark.slow
def test_exact_misalignment_agrees_with_highs() -> None:
    rng = random.Random(7)
    for _ in range(40):
        table = oracles.random_table(rng, rng.randint(1, 3), rng.randint(2, 4), rng.randint(1, 3))
        for committee, (rows, weights, rule) in itertools.product(oracles.committees(table), OPTIONS):
            exact = oracles.misalignment_exact(table, committee, rows, weights, rule)
            numeric = oracles.misalignment(table, committee, rows, weights, rule)
            assert numeric == pytest.approx(float(exact), abs=1e-9)
            answer = oracles.solve(table, committee, rule)
            assert answer["worst"] >= answer["optimum"] - 2 * exact * table.total, "Theorem 6"
            easiest = oracles.misalignment_exact(table, committee, "equilibrium", "nonnegative", rule)
            assert easiest <= exact, "more rows or fewer weights cannot help"


def test_misalignment_by_hand() -> None:
    # The provider wants the opposite: w = 0 and eps = half the user's range, or worse with w = 1.
    table = one_state([0, 4], [4, 0])
    assert oracles.misalignment_exact(table, 1) == 2
    assert oracles.misalignment_exact(table, 1, weights="simplex") == 4
    # Two thirds of her utility: w = 3/2 is exact; with w = 1 the gap of 2 is split in two on either side.
    table = one_state([0, 6], [0, 4])
    assert oracles.misalignment_exact(table, 1, "table") == 0
    assert oracles.misalignment_exact(table, 1, "table", "simplex") == 1
    # The provider has her own reason to choose the user's optimum: no equilibrium outcome but that one.
    assert oracles.misalignment_exact(table, 1, weights="simplex") == 0


def test_certificate_rejects_a_wrong_answer() -> None:
    cost, rows, b = [1, 1], [[1, 2]], [3]
    found = oracles.exact_minimum(cost, rows, b)
    assert found.value == Fraction(3, 2)
    wrong = oracles.Certificate(Fraction(3), (Fraction(3), Fraction(0)), found.y)
    with pytest.raises(AssertionError, match="dual objective"):
        oracles.certify(cost, rows, b, wrong)


# The paper's tables


@pytest.mark.parametrize("name", PAPER)
def test_paper_tables(name: str) -> None:
    providers, count, utility = PAPER[name]
    table = oracles.paper_table(name)
    unit = oracles.PAPER_SCALE * table.total
    assert len(table.providers) == providers
    assert len(oracles.schemes(table)) == count
    everybody = oracles.solve(table, 2**providers - 1)
    assert everybody["optimum"] / unit == pytest.approx(utility, abs=5e-7)
    assert everybody["worst"] == everybody["optimum"]
    for committee, rule in itertools.product(oracles.committees(table), RULES):
        answer = oracles.solve(table, committee, rule)
        eps = oracles.misalignment_exact(table, committee, tie_break=rule)
        assert answer["worst"] >= answer["optimum"] - 2 * eps * table.total, "Theorem 6"
        numeric = oracles.misalignment(table, committee, tie_break=rule)
        assert numeric / oracles.PAPER_SCALE == pytest.approx(float(eps) / oracles.PAPER_SCALE, abs=1e-9)
        scheme, _, _ = oracles.dynamics(table, committee, rule)
        assert scheme in oracles.equilibria(table, committee, rule)


@pytest.mark.parametrize(("name", "expected"), [("synthetic-1", 0), ("synthetic-2", 2), ("movielens", 0)])
def test_bound_is_tight_at_nonzero_misalignment(name: str, expected: int) -> None:
    table = oracles.paper_table(name)
    tight = {}
    for committee in oracles.committees(table):
        answer, eps = oracles.solve(table, committee), oracles.misalignment_exact(table, committee)
        if eps and answer["worst"] == answer["optimum"] - 2 * eps * table.total:
            tight[committee] = eps / oracles.PAPER_SCALE
    assert len(tight) == expected
    assert set(tight.values()) <= {Fraction(7, 100)}
    if name == "synthetic-2":
        assert set(tight) == {0b10000, 0b11000}  # AI 5 alone; AI 4 and AI 5
