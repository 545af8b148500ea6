"""Information markets as a game: the shares that are known, laws of theirs, sellers with stakes, wrong input."""

from __future__ import annotations

from fractions import Fraction

import equilibrax as eq
import numpy as np
import oracles_information as oracle
import pytest

DEEP = eq.InformationMarket()


def batch(problems: list[oracle.Problem]) -> eq.DecisionProblem:
    arrays = ([getattr(p, name) for p in problems] for name in ("prior", "utility", "items"))
    costs = [p.costs for p in problems] if problems[0].costs else None
    stakes = [p.stakes for p in problems] if problems[0].stakes else None
    owners = problems[0].owners or None
    return eq.DecisionProblem.from_arrays(*arrays, costs=costs, owners=owners, stakes=stakes, resolution=1)


@pytest.mark.parametrize("kind", [{}, {"costs": True}, {"costs": True, "owners": True, "most": 4}])
def test_a_naive_market_sells_lemons(kind):
    problems = [oracle.random_problem((i, "naive"), 5, 2, 3, **kind) for i in range(40)]
    found = eq.solve(batch(problems), eq.InformationMarket(mechanism="naive", depth=2))
    for b, problem in enumerate(problems):
        for d in range(3):
            expected = oracle.naive(problem, d)
            assert found.utility[b, d] == pytest.approx(float(expected.utility), abs=1e-12)
            assert found.shown[b, d].tolist() == [sum(1 << m for m in known) for known in expected.shown]
            prices = zip(found.price_value[b, d].tolist(), found.price_weight[b, d].tolist())
            assert [Fraction(value, weight) for value, weight in prices] == expected.price
            assert found.revenue[b, d].tolist() == pytest.approx([float(r) for r in expected.revenue], abs=1e-12)


def test_solve_says_what_the_oracle_says_with_fractions_of_a_resolution():
    problems = [oracle.random_problem((i, "solve"), 5, 2, 3, costs=True, owners=True, stakes=True) for i in range(10)]
    found = eq.solve(batch(problems), DEEP)
    for b, problem in enumerate(problems):
        reader = oracle.FaceValue(problem, oracle.face_value_choice(problem, 3))
        for d in range(4):
            expected = oracle.bazaar(reader, d)
            assert found.utility[b, d] == pytest.approx(float(expected.utility), abs=1e-12)
            assert found.price[b, d].tolist() == pytest.approx([float(p) for p in expected.price], abs=1e-12)
            assert found.revenue[b, d].tolist() == pytest.approx([float(r) for r in expected.revenue], abs=1e-12)
            assert found.harmed[b, d] == expected.harmed
        assert found.first_best[b] == pytest.approx(float(oracle.first_best(problem)), abs=1e-12)


def test_the_known_shares_are_reproduced():
    """300 random problems of 8 states, 3 acts and 4 items, computed before by other means; and 10,000 in seconds."""
    result = eq.solve(eq.random_problems("uniform", 10_000, seed=1), DEEP)
    shares = result.harmed.mean(axis=0)
    for d, known in ((1, 0.127), (2, 0.02), (3, 0.0)):
        assert abs(shares[d] - known) < 3 * np.sqrt(max(known, 0.001) / 300)
    for d, known in enumerate((58.9, 63.2, 70.0, 72.5, 72.7)):
        assert abs(result.utility[:, d].mean() - known) < 3 * result.utility[:, d].std() / np.sqrt(300)
    assert abs(result.reaches_first_best[:, 4].mean() - 0.997) < 0.01
    ties = eq.solve(eq.random_problems("uniform", 10_000, levels=5, seed=1), DEEP)
    assert abs(ties.reaches_first_best[:, 4].mean() - 0.969) < 3 * np.sqrt(0.969 * 0.031 / 300)


@pytest.mark.parametrize("family", ["uniform", "costly", "partisan"])
def test_what_holds_in_every_market(family):
    problems = eq.random_problems(family, 200, states=5, items=3, levels=9, seed=2)
    for game in (
        DEEP,
        eq.InformationMarket(buyer="bayesian"),
        eq.InformationMarket(buyer="bayesian", rounds="fixed_point"),
    ):
        result = eq.solve(problems, game)
        settled = result.solved
        assert (result.value <= result.first_best_value[:, None])[settled].all()
        assert (result.price[settled] >= 0).all()
        assert (result.shown[settled] < 2**3).all()
        if game.buyer == "bayesian":
            assert not result.harmed.any()  # what she takes for known is true
        deeper = eq.solve(problems, eq.InformationMarket("bazaar", 6, game.buyer, game.rounds))
        np.testing.assert_array_equal(deeper.value[:, :4], result.value)
        np.testing.assert_array_equal(deeper.value[:, 4:], np.repeat(result.value[:, 3:], 3, axis=1))
        nothing = result.shown[:, 0] == 0
        assert nothing.all()
        unsold = (result.shown == 0).all(axis=2)
        assert (result.payments[unsold & settled] == 0).all()


def test_depth_one_pays_the_ex_post_value():
    """Equation 2 is what the bazaar of depth 1 makes sellers maximize."""
    problems = eq.random_problems("uniform", 200, states=5, items=3, seed=5)
    value, result = eq.value_of_information(problems), eq.solve(problems, eq.InformationMarket(depth=1))
    np.testing.assert_allclose(result.price[:, 1], value.ex_post.max(axis=1), rtol=1e-12)


def test_nested_items_never_mislead():
    """Whoever knows one item knows all before it, so what she is shown cannot be debunked by a coarser one."""
    result = eq.solve(eq.random_problems("nested", 10_000, seed=6), DEEP)
    assert not result.harmed.any()
    assert result.reaches_first_best[:, 2:].all()


def test_one_item_never_misleads_and_two_tell_all_without_ties():
    """Proved in docs/economics.md; without ties because utilities are drawn from 10,001 levels."""
    one = eq.solve(eq.random_problems("uniform", 200, states=5, items=1, levels=3), DEEP)
    assert not one.harmed.any()
    assert one.reaches_first_best[:, 1].all()
    two = eq.solve(eq.random_problems("uniform", 10_000, items=2, levels=10_000), DEEP)
    assert two.harmed[:, 1].any()
    tied = np.zeros(10_000, bool)
    for worth, _ in two.problems.cells_knowing(range(4)):
        tied |= (np.diff(np.sort(worth, axis=2), axis=2) == 0).any(axis=(1, 2))
    assert tied.mean() < 0.05
    assert two.reaches_first_best[~tied, 2].all()


def test_the_smallest_examples_of_the_documents():
    items = [[0, 1, 0], [0, 1, 1]]
    gaslit = eq.DecisionProblem.from_arrays(None, [[0, 2], [0, 2], [3, 0]], items)
    np.testing.assert_allclose(eq.solve(gaslit, DEEP).utility, [[4 / 3, 1, 7 / 3]])
    silent = eq.DecisionProblem.from_arrays(None, [[0, 1], [0, 1], [1, 0]], items)
    result = eq.solve(silent, DEEP)
    assert not result.shown.any()
    np.testing.assert_allclose([*result.utility[0], *result.first_best], [2 / 3, 2 / 3, 2 / 3, 1])


def test_choices_that_go_round_in_a_circle_say_so():
    problems = eq.random_problems("uniform", 200, states=5, items=3, seed=7)
    result = eq.solve(problems, eq.InformationMarket(buyer="bayesian", rounds="fixed_point"))
    circle = result.status == int(eq.Status.CYCLE)
    assert (circle == ~result.solved).all()
    assert 0.3 < circle[:, 3].mean() < 1
    assert np.isnan(result.utility[circle]).all()
    assert (result.shown[circle] == -1).all()
    assert not np.isnan(result.utility[~circle]).any()
    result.show(int(circle[:, 3].argmax()))


def test_fixed_points_are_fixed_points():
    """A choice that the oracle repeats: where sellers settled, one more round of the oracle changes nothing."""
    problems = [oracle.random_problem((i, "fixed"), 4, 2, 2) for i in range(20)]
    result = eq.solve(batch(problems), eq.InformationMarket(buyer="bayesian", rounds="fixed_point"))
    settled = 0
    for b, problem in enumerate(problems):
        choice, found = oracle.fixed_points(problem, 2)
        assert result.solved[b].tolist() == found
        if found[2]:
            settled += 1
            assert oracle.next_choice(problem, choice) == choice
    assert settled


def test_sellers_with_a_stake_in_the_act_can_keep_her_ignorant():
    """One seller, who wants act 0 and knows better: paid alone it tells; with a stake above her gain it does not."""
    prior, utility, items = [1, 1], [[1, 0], [0, 1]], [[0, 1]]
    for stake, told in ((0, [0, 1]), (0.5, [0, 1]), (2, [0, 0])):
        problem = eq.DecisionProblem.from_arrays(prior, utility, items, stakes=[[[stake, 0]] * 2])
        assert eq.solve(problem, DEEP).shown[0, 1].tolist() == told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"depth": -1},
            r"^depth: expected a whole number of at least 0, got -1$|^depth: expected a whole number from 0",
        ),
        ({"depth": 1.5}, "^depth: expected a whole number"),
        ({"mechanism": "auction"}, "^mechanism: expected one of 'bazaar', 'naive', got 'auction'$"),
        ({"buyer": "wary"}, "^buyer: expected one of 'face_value', 'bayesian', got 'wary'$"),
        ({"rounds": 2}, "^rounds: expected one of 1, 'fixed_point', got 2$"),
        ({"rounds": "fixed_point"}, '^rounds: expected 1 unless buyer="bayesian" in a bazaar'),
    ],
)
def test_wrong_options_get_one_line(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        eq.InformationMarket(**options)
    assert "\n" not in str(caught.value)


def test_other_wrong_input_gets_one_line():
    problems = eq.random_problems("partisan", 2)
    for given, game, how, message in (
        (problems, eq.InformationMarket(mechanism="naive"), {}, "^stakes: expected none in a naive market"),
        (problems, DEEP, {"committees": [1]}, 'committees: expected "all" sellers in the information_market game'),
        (
            eq.random_problems("uniform", 1, states=1000, items=16),
            DEEP,
            {},
            "^problem: expected tables .* 4 GiB, got 16 items",
        ),
        (
            eq.sample_tables("uniform", 1, states=2, actions=2, providers=1, seed=0),
            DEEP,
            {},
            "a DecisionProblem in the",
        ),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            eq.solve(given, game, **how)
        assert "\n" not in str(caught.value)


def test_what_is_printed(capsys):
    umbrella = eq.DecisionProblem.from_arrays(
        [3, 1], [[1, 0], [0, 0.5]], [["dry", "wet"]],
        labels=eq.DecisionLabels(("sun", "rain"), ("leave", "take"), ("forecast",), ("radio",), ("umbrella",)),
    )  # fmt: skip
    eq.solve(umbrella, DEEP).show(width=100)
    shown = capsys.readouterr().out
    for text in ("umbrella", "to radio", "sun: nothing; rain: forecast", "0.875000", "bazaar, face value buyer"):
        assert text in shown
