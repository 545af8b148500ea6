"""Decision problems: what is kept, what is refused, and where they come from."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any

import equilibrax as eq
import numpy as np
import pytest

GIVEN: dict[str, Any] = {"prior": [1, 2], "utility": [[1, 0], [0, 1]], "items": [[0, 1]]}


def test_numbers_are_kept_exactly_and_shapes_are_spread():
    problem = eq.DecisionProblem.from_arrays(
        [0.25, 0.75], [[[1, 0], [0, 0.12345]]] * 3, [["b", "a"], ["a", "a"]], costs=[0, Fraction(1, 8)], owners=[1, 0]
    )
    assert len(problem) == 3
    assert problem.resolution == 100_000
    assert problem.prior.tolist() == [[1, 3]] * 3
    assert problem.utility[0].tolist() == [[100_000, 0], [0, 12_345]]
    assert problem.items[0].tolist() == [[0, 1], [0, 0]]
    assert problem.costs.tolist() == [[0, 12_500]] * 3
    assert (problem.owners, problem.sellers) == ((1, 0), 2)
    assert problem.provider_names() == ("seller 1", "seller 2")
    assert (problem.item_names(), problem.act_names()) == (("item 1", "item 2"), ("0", "1"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"items": [[0, 1]] * 20}, "items: expected at most 16, got 20, whose 1,048,576 sets need about 0.10 GiB"),
        ({"owners": [1]}, "owners: expected sellers from 0 to 0, got 1 for item 0"),
        ({"owners": [-1]}, "owners: expected sellers from 0 to 0, got -1 for item 0"),
        ({"owners": [0.5]}, "owners: expected whole numbers"),
        ({"costs": [-1]}, "costs: expected numbers of at least 0, got -1"),
        ({"costs": [1, 2]}, "costs: expected shape"),
        ({"items": [[0, 1, 2]]}, "items: expected shape"),
        ({"items": [0, 1]}, "items: expected labels of shape"),
        ({"items": [[0, 1], [0]]}, "items: expected labels of shape .* rows of different lengths"),
        ({"items": [[0.5, 1]]}, "items: expected whole numbers"),
        ({"items": np.ma.array([[0, 1]], mask=[[False, True]])}, "items: expected a number .*got a masked array"),
        ({"prior": [0, 1]}, "prior: expected positive finite weights"),
        ({"utility": [[1, np.nan], [0, 1]]}, "utility: expected finite utilities, got nan"),
        ({"stakes": [[1, 2]]}, "stakes: expected shape"),
        ({"stakes": [[[1, 2], [2, 3]]] * 2}, "owners: expected a seller for each of 1 items, got none, and 2 sellers"),
        ({"utility": [[1e9, 0], [0, 1]]}, "utility: utility x resolution must fit in 32 bits"),
        ({"prior": [2**30, 2**30 + 1]}, "the sum of weights must be below"),
        ({"labels": eq.DecisionLabels(("a",), ("b",), ("c",), ("d",))}, "labels: expected 2 states"),
    ],
)  # fmt: skip
def test_what_is_no_problem_gets_one_line(wrong, message):
    with pytest.raises(ValueError, match=message) as caught:
        eq.DecisionProblem.from_arrays(**(GIVEN | wrong))
    assert "\n" not in str(caught.value)


# --- from tables ------------------------------------------------------------------------------------------------------


def test_a_table_s_rules_are_items_and_its_providers_sellers():
    table = eq.load_paper_table("synthetic-2")
    rules = [[0, 0, 1], [0, 1, 1]]
    problem = eq.DecisionProblem.from_tables(table, rules, owners=[3, 0], stakes=True)
    assert (problem.sellers, problem.owners) == (5, (3, 0))
    np.testing.assert_array_equal(problem.utility, table.user)
    np.testing.assert_array_equal(problem.stakes, table.providers)
    np.testing.assert_array_equal(problem.prior, table.prior)
    assert problem.provider_names() == table.provider_names()
    assert problem.items.tolist() == [rules]
    one_each = eq.DecisionProblem.from_tables(table, [[0, 1, 2]] * 5)
    assert one_each.stakes is None
    assert one_each.item_names() == table.provider_names()


def test_a_game_of_information_has_a_problem_for_each_signal():
    rng = np.random.default_rng(1)
    game = eq.PersuasionGame.from_prior(
        rng.integers(1, 5, (2, 2, 3, 2)), rng.integers(0, 9, (2, 2, 3)), rng.integers(0, 9, (2, 2, 2, 3)), resolution=1
    )
    problem = eq.DecisionProblem.from_tables(game, [[0, 1, 2], [0, 0, 1]], stakes=True)
    assert (len(problem), problem.states, problem.sellers) == (4, 3, 2)
    weights = np.asarray(game.weights)
    for b in range(2):
        for z in range(2):
            one, shared = problem[2 * b + z], np.gcd.reduce(weights[b, z])
            assert one.prior[0].tolist() == (weights[b, z] // shared).tolist()
            exact = np.asarray(game.user)[b, z] / weights[b, z][:, None]
            np.testing.assert_allclose(one.utility[0] / one.resolution, exact, rtol=1e-12)
            held = np.asarray(game.providers)[b, :, z] / weights[b, z][:, None]
            np.testing.assert_allclose(one.stakes[0] / one.resolution, held, rtol=1e-12)
    mean = (problem.first_best.reshape(2, 2) * weights.sum(axis=2)).sum(axis=1) / weights.sum(axis=(1, 2))
    np.testing.assert_allclose(mean, game.optimum_utility, rtol=1e-12)


def test_other_tables_are_refused():
    table = eq.from_arrays([[1, 0], [0, 1]], [[[1, 0], [0, 1]]], available=[[True, True], [True, False]])
    game = eq.PersuasionGame.from_weights([[1, 0], [1, 1]], [[[1, 0]] * 2] * 2, [[[[1, 0]] * 2] * 2])
    for tables, rules, message in (
        (table, [[0, 1]], "every action in every state, got available 1 times without"),
        (game, [[0, 1]], "no impossible signal and state, got weights 1 times without"),
        (3, [[0, 1]], "expected UtilityTables or PersuasionGame, got int"),
        (eq.load_paper_table("synthetic-2"), [[0, 1, 2]], "rules: expected one for each of 5 providers, or owners"),
    ):
        with pytest.raises(ValueError, match=message):
            eq.DecisionProblem.from_tables(tables, rules)  # pyright: ignore[reportArgumentType]


# --- random families --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", eq.problems.PROBLEM_FAMILIES)
def test_problems_are_the_same_in_any_batch(family):
    many = eq.random_problems(family, 40, seed=2**40 + 3, start=2**33)
    part = eq.random_problems(family, 5, seed=2**40 + 3, start=2**33 + 20)
    for name in ("prior", "utility", "items", "costs", "problem_id"):
        np.testing.assert_array_equal(getattr(many[20:25], name), getattr(part, name))
    assert (many.family, many.seed, many.names()[0]) == (family, 2**40 + 3, family)
    assert not np.array_equal(many.utility, eq.random_problems(family, 40, seed=5).utility)
    with pytest.raises(ValueError, match="family: expected one of 'uniform'"):
        eq.random_problems("others", 1)
    with pytest.raises(ValueError, match="levels: expected a whole number of at least 1, got 0"):
        eq.random_problems(family, 1, levels=0)


def test_families_are_what_they_say():
    guess = np.asarray(eq.random_problems("guess", 40).utility)
    assert (np.sort(guess, axis=2) == [0, 0, 100]).all()
    assert 0.25 < guess[..., 1].mean() / 100 < 0.41
    nested = np.asarray(eq.random_problems("nested", 40).items)
    for m in range(3):
        finer, coarser = nested[:, m + 1], nested[:, m]
        together = finer[:, :, None] == finer[:, None]
        assert ((coarser[:, :, None] == coarser[:, None]) | ~together).all()
    costs = eq.random_problems("costly", 40).costs
    assert (costs.min(), costs.max()) == (0, 25)
    partisan = eq.random_problems("partisan", 40)
    assert partisan.owners == (0, 1, 0, 1)
    assert (partisan.stakes == partisan.stakes[:, :, :1]).all()


def test_a_seed_draws_these_problems():
    """Golden: another digest means that datasets cannot be drawn again."""
    digest = hashlib.sha256()
    for family in eq.problems.PROBLEM_FAMILIES:
        problems = eq.random_problems(family, 20, states=5, acts=3, items=3, seed=11)
        for name in ("prior", "utility", "items", "costs"):
            digest.update(np.asarray(getattr(problems, name)).astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == "4ec074df74fa7609"
