"""What information is worth, against the definitions in fractions, and what must hold of it."""

from __future__ import annotations

from fractions import Fraction

import equilibrax as eq
import numpy as np
import oracles_information as oracle
import pytest

PROBLEMS = [oracle.random_problem((i, "value"), 6, 3, 3, most=9) for i in range(20)]


def batch(problems: list[oracle.Problem]) -> eq.DecisionProblem:
    arrays = ([getattr(p, name) for p in problems] for name in ("prior", "utility", "items"))
    return eq.DecisionProblem.from_arrays(*arrays, resolution=1)


def test_single_items_and_all_sets_are_what_the_definitions_say():
    found = eq.value_of_information(batch(PROBLEMS), "all")
    for b, problem in enumerate(PROBLEMS):
        for s, items in enumerate(oracle.item_sets(problem)):
            assert found.experiment[b, s] == pytest.approx(float(oracle.value_of_experiment(problem, items)), abs=1e-12)
            for w in problem.states:
                assert found.realized_value[b, s, w] == oracle.realized_value(problem, items, w)
                exact = Fraction(int(found.ex_post_value[b, s, w]), int(found.weight[b, s, w]))
                assert exact == oracle.ex_post_value(problem, items, w)
    single = eq.value_of_information(batch(PROBLEMS))
    for name in ("realized_value", "ex_post_value", "weight", "experiment_value"):
        np.testing.assert_array_equal(getattr(single, name), getattr(found, name)[:, [1, 2, 4]])


def test_a_belief_about_which_items_come_gives_the_ex_ante_value():
    found = eq.value_of_information(batch(PROBLEMS), [0, ("item 1",), ("item 3", "item 1"), 7])
    assert found.sets.tolist() == [0, 1, 5, 7]
    for b, problem in enumerate(PROBLEMS):
        sets = [frozenset(), frozenset({0}), frozenset({0, 2}), frozenset({0, 1, 2})]
        belief = {items: Fraction(weight, 10) for items, weight in zip(sets, (1, 2, 3, 4))}
        expected = float(oracle.ex_ante_value(problem, belief))
        assert found.ex_ante([1, 2, 3, 4])[b] == pytest.approx(expected, abs=1e-12)


def test_information_can_mislead_after_the_fact_and_never_before():
    """Equation 1 can be negative, equation 2 and its mean cannot; more items are worth no less; all are first best."""
    problems = eq.random_problems("uniform", 200, states=5, items=3, seed=3)
    found = eq.value_of_information(problems, "all")
    assert (found.realized_value < 0).mean() > 0.05
    assert (found.ex_post_value >= 0).all()
    for s in range(8):
        for more in range(8):
            if s & more == s:
                assert (found.experiment_value[:, s] <= found.experiment_value[:, more]).all()
    nothing = eq.solve(problems, eq.InformationMarket(depth=0)).value[:, 0]
    np.testing.assert_array_equal(nothing + found.experiment_value[:, 7], problems.first_best_value)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("some", r'^sets: expected "single", "all" or a list of sets of items, got \'some\'$'),
        ([8], r"^sets: expected bitmasks from 0 to 7 for 3 items, got \[8\]$"),
        ([], r"^sets: expected bitmasks"),
        ([("item 9",)], r"^items: expected items among item 1, item 2, item 3, got 'item 9'"),
    ],
)
def test_sets_that_are_none_are_refused(sets, message):
    with pytest.raises(ValueError, match=message):
        eq.value_of_information(batch(PROBLEMS[:1]), sets)


def test_other_wrong_input_is_refused():
    found = eq.value_of_information(batch(PROBLEMS[:2]))
    for belief in ([0, 0, 0], [1, -1, 1], [1, 2]):
        with pytest.raises(ValueError, match=r"^belief: expected "):
            found.ex_ante(belief)
    with pytest.raises(ValueError, match=r"^problem: expected a DecisionProblem, got int"):
        eq.value_of_information(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="need 7 GiB for 600 problems of 8 states"):
        eq.value_of_information(eq.random_problems("uniform", 600, items=16), "all")
