"""Conditions and bounds: against the oracle, on random tables, and with every hypothesis broken once."""

from __future__ import annotations

import importlib.util
import itertools
import math
import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import EllipsisType

import equilibrax as eq
import numpy as np
import oracles_persuasion as oracle
import pytest
from equilibrax import PersuasionGame
from equilibrax.theory import _market_alignment as alignment
from equilibrax.theory._induced_actions import all_partitions
from equilibrax.theory._market_alignment import attained_outcomes

LAMBDAS = (None, 0.0, 2.5, math.inf)
GRID = (0.0, 2.5, 6.0, 100.0, math.inf)
SHAPES = {"alone": (1, 3, 3, 3), "informed": (2, 3, 3, 3)}  # signals, states, actions, providers
SIZES = {"states": 3, "actions": 3, "providers": 3}
GAMES = 128  # batches that are solved have one shape, so each solver compiles once
SILENT, LOSES, PARITY = 24, 25, 26  # special games in the batch


@cache
def games(shape: str, count: int = 24) -> list[oracle.Game]:
    rng = random.Random(f"bounds {shape}")
    return [oracle.random_game(rng, *SHAPES[shape], high=rng.choice((1, 2, 5))) for _ in range(count)]


def batch(of: list[oracle.Game]) -> PersuasionGame:
    arrays = {name: np.array([getattr(g, name) for g in of], np.int64) for name in ("weights", "user", "providers")}
    available = np.array([g.available for g in of], bool)
    return PersuasionGame(**arrays, available=available, table_id=np.arange(len(of)), resolution=1)


def twice(user, providers, available=None) -> PersuasionGame:
    """One game of a user whose signal tells nothing."""
    user, providers = np.asarray(user, float), np.asarray(providers, float)
    everywhere = np.broadcast_to(providers[:, None], (3, 2, 3, 3))
    return PersuasionGame.from_weights(np.ones((2, 3)), np.stack([user] * 2), everywhere, available)


def silent() -> PersuasionGame:
    """The user must match the state; providers always want action 0, so silence is an equilibrium."""
    return twice(np.eye(3), [[[1, 0, 0]] * 3] * 3)


def loses() -> PersuasionGame:
    """Knowing more costs this quantal user; her providers agree with her, so revealing all is an equilibrium."""
    user = [[0.4, 0, 0], [1, 0, 0], [1, 0, 0]]
    return twice(user, [user] * 3, [[True, True, False]] * 3)


def parity() -> PersuasionGame:
    """The best action depends on whether signal and state agree: no substitutes."""
    user = np.array([[[1, 0, 0], [0, 1, 0], [0, 1, 0]], [[0, 1, 0], [1, 0, 0], [1, 0, 0]]])
    return PersuasionGame.from_weights(np.ones((2, 3)), user, [user] * 3)


@cache
def solvable() -> PersuasionGame:
    """The oracle's games, the special ones, and more of the oracle's."""
    given = batch(games("informed"))
    parts = [given, silent(), loses(), parity(), batch(games("informed", GAMES - 27))]
    rows = {}
    for name in ("weights", "user", "providers", "available"):
        unit = [10_000 if part.resolution == 1 and name in ("user", "providers") else 1 for part in parts]
        rows[name] = np.concatenate([np.asarray(getattr(part, name)) * u for part, u in zip(parts, unit)])
    rows["available"] = rows["available"].astype(bool)
    return PersuasionGame(**rows, table_id=np.arange(GAMES), resolution=10_000)


@cache
def solved(game: str, quantal: bool = False, **options) -> eq.games.PartitionResult:
    kind = {"joint": eq.Joint, "obedient": eq.Obedient}[game]
    how = {"response": eq.Quantal(GRID)} if quantal else {}
    return eq.solve(solvable(), kind(dynamics=False, **how, **options))


@cache
def tables() -> eq.UtilityTables:
    """256 tables; in the first, silence is best for the providers and worst for the user."""
    first = eq.from_arrays(np.eye(3), [[[1, 0, 0]] * 3] * 3)
    others = eq.sample_tables("uniform", 2 * GAMES, **SIZES, seed=1)
    return eq.concatenate([replace(first, family="uniform", seed=1), others])[: 2 * GAMES]


@cache
def references_of_all() -> np.ndarray:
    """The references of the oracle's games, and pooling where it is possible, else full revelation."""
    found = np.broadcast_to(np.arange(3), (GAMES, 3)).copy()
    found[:24] = references("informed")
    found[[SILENT, LOSES, PARITY]] = 0
    return found


@cache
def references(shape: str) -> np.ndarray:
    """A random partition that can be posted, for every game."""
    rng = random.Random("references")
    return np.array([oracle.labels(rng.choice(oracle.allowed_partitions(game))) for game in games(shape)])


# --- conditions, against the oracle -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_what_the_user_does_agrees_with_the_oracle(shape):
    for how in LAMBDAS:
        chances = eq.theory.induced_actions(batch(games(shape)), references(shape), how)
        for game, labels, chance in zip(games(shape), references(shape), chances):
            for (y, a), weight in oracle.induced(game, oracle.from_labels(labels), how).items():
                assert abs(game.weights[y[0]][y[1]] * chance[(*y, a)] - float(weight)) < 1e-9


@pytest.mark.parametrize("shape", SHAPES)
def test_closeness_agrees_with_all_profiles(shape):
    game, labels = batch(games(shape)), references(shape)
    found = eq.theory.closeness(game, labels, LAMBDAS[1:])
    same = eq.theory.identical_induced_distribution(game, labels)
    for i, one in enumerate(games(shape)):
        reference = oracle.from_labels(labels[i])
        assert same[i] == (oracle.closeness(one, reference, 2) == 0)
        for r, how in enumerate(LAMBDAS[1:]):
            assert abs(found[i, r] - float(oracle.closeness(one, reference, 2, how))) < 1e-9
    assert not same.all()
    assert eq.theory.identical_induced_distribution(game).all()
    assert not eq.theory.closeness(game, None, LAMBDAS[1:]).any()  # nothing refines full revelation


def test_a_third_provider_changes_nothing():
    for game, labels in zip(games("alone")[:4], references("alone")):
        reference = oracle.from_labels(labels)
        assert oracle.closeness(game, reference, 3, 2.5) == oracle.closeness(game, reference, 2, 2.5)


@pytest.mark.parametrize("shape", SHAPES)
def test_estimation_error_agrees_with_the_oracle(shape):
    found = eq.theory.estimation_error(batch(games(shape)), references(shape))
    for game, labels, error in zip(games(shape), references(shape), found):
        expected = oracle.estimation_error(game, oracle.from_labels(labels))
        assert abs(error - float(expected)) < 1e-12
        assert (error == 0) == (expected == 0)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["simplex", "nonnegative"])
def test_alignment_agrees_with_the_oracle(weights):
    game, labels = solvable(), references_of_all()
    rows = attained_outcomes(game, labels, None)
    everything = np.broadcast_to(np.arange(game.states), labels.shape)
    told = attained_outcomes(game, everything, None)
    whole = eq.theory.market_alignment(game, weights=weights)
    some = eq.theory.market_alignment(game, weights=weights, upper=rows, lower=told)
    assert whole.certified.all()
    assert some.certified.all()
    for i, one in enumerate(games("informed")):
        upper = oracle.attained(one, [oracle.from_labels(labels[i])])
        lower = oracle.attained(one, [oracle.full_revelation(one)])
        for c in (0, 2, 6):
            assert abs(whole.misalignment[i, c] - oracle.alignment(one, c + 1, weights=weights)) < 1e-7
            assert abs(some.misalignment[i, c] - oracle.alignment(one, c + 1, upper, lower, weights)) < 1e-7


@pytest.mark.slow
def test_highs_takes_over_where_the_batched_solver_gives_up(monkeypatch):
    monkeypatch.setattr(alignment, "_ITERATIONS", 1)
    alignment._compiled.cache_clear()
    try:
        found = eq.theory.market_alignment(batch(games("informed")[:2]), [7])
    finally:
        alignment._compiled.cache_clear()
    assert found.resolved > 0
    assert found.certified.all()
    for game, score in zip(games("informed"), found.misalignment):
        assert abs(score[0] - oracle.alignment(game, 7)) < 1e-7


def test_substitutes_agree_with_the_oracle():
    of = [*games("informed"), oracle.Game([[2, 1], [1, 2]], [[[2], [2]], [[0], [0]]], [[[[0], [0]]] * 2], [[1], [1]])]
    of += [oracle.from_prior([[[2, 0], [0, 1]], [[1, 0], [0, 2]]], [[1], [0]], [[[0], [0]]])]
    found = [bool(eq.theory.information_substitutes(batch([game]))[0]) for game in of]
    assert found == [oracle.substitutes_gap(game) <= 0 for game in of]
    assert set(found) == {True, False}


def test_all_partitions_are_all():
    assert [len(all_partitions(x)) for x in range(1, 7)] == [1, 2, 5, 15, 52, 203]
    assert {oracle.from_labels(p) for p in all_partitions(4)} == set(oracle.partitions(15))


# --- every bound holds ------------------------------------------------------------------------------------------------


@cache
def script():
    path = Path(__file__).parents[2] / "benchmarks" / "bounds_hold.py"
    spec = importlib.util.spec_from_file_location("bounds_hold", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("family", eq.problems.families())
def test_every_bound_holds_on_random_tables(family):
    run, drawn = script(), eq.sample_tables(family, 2 * GAMES, **SIZES, seed=7)
    found = [*run.of_schemes(drawn), *run.of_games(run.informed(drawn), GRID), *run.of_beliefs(drawn, GRID)]
    found += run.of_substitutes(run.informed(drawn, noisy=True), GRID)
    if family in ("noisy", "systematic"):
        found += run.of_family(family, 2 * GAMES)
    checked = set()
    for name, bound in found:
        assert not bound.refuted.any(), (name, bound.text(tuple(np.argwhere(bound.refuted)[0])))
        assert bound.bound.shape == bound.measured.shape == bound.holds_hypothesis.shape
        if bound.holds_hypothesis.any():
            checked.add(bound.name)
    results = {"Theorem 1", "Theorem 2", "Theorem 5", "Theorem 6", "Corollary 1", "Corollary 2", "Corollary 3"}
    results |= {"Lemma 1", "Lemma 2", "Proposition 2"} | ({"Proposition 3"} if family == "noisy" else set())
    assert checked == results


def test_bounds_hold_on_games_with_ties_and_missing_actions():
    labels = references_of_all()
    for result in (solved("joint"), solved("joint", True), solved("obedient")):
        report = eq.bounds(result, reference=labels if result.game.name == "joint" else None, rounds=1e34, failure=1e-9)
        assert not report.refuted.any()
    for rationality, epsilon_u in itertools.product(LAMBDAS[1:], (0.0, 0.5)):
        assert not eq.theory.corollary_1(solvable(), labels, rationality, epsilon_u).refuted.any()


def test_numbers_of_a_bound_are_the_oracles():
    labels = references_of_all()
    found = eq.theory.theorem_2(solved("joint", True), reference=labels)
    for i, game in enumerate(games("informed")):
        reference = oracle.from_labels(labels[i])
        alone = float(oracle.values(game, 2.5)[reference][0]) / game.unit
        delta = float(oracle.closeness(game, reference, 2, 2.5))
        widest = max(np.ptp([oracle._conditional(game, u, o) for o in oracle.outcomes(game)]) for u in game.providers)
        expected = alone - 2 * oracle.alignment(game, 7) - max(1.0, widest) * delta / 2
        assert abs(found.bound[i, 1, 6] - expected) < 1e-6


def test_reports_show_and_name_what_they_hold(capsys):
    report = eq.bounds(eq.solve(tables(), eq.Selection(dynamics=False)))
    report.show(width=120)
    assert "Theorem 6 (Remark 5)" in capsys.readouterr().out
    assert list(report) == ["Theorem 6", "Theorem 6 (Remark 5)"]
    assert len(report) == 2
    assert report["Theorem 6"].text((0, 0)).startswith("Theorem 6: ")
    eq.bounds(solved("joint", True)).show(width=120)
    assert "Lemma 1" in capsys.readouterr().out


# --- every hypothesis broken ------------------------------------------------------------------------------------------


def assert_broken(bound: eq.theory.Bound, at: int | EllipsisType = ...) -> None:
    """Somewhere the hypothesis fails and so does the bound; where it holds the bound does."""
    assert (~bound.holds_hypothesis & ~bound.kept)[at].any()
    assert not bound.refuted.any()


def test_theorem_1_needs_market_alignment():
    assert_broken(eq.theory.theorem_1(solved("joint"), epsilon=0), SILENT)


def test_theorem_2_needs_market_alignment():
    assert_broken(eq.theory.theorem_2(solved("joint", True), epsilon=0), SILENT)


def test_theorem_2_needs_closeness():
    found = eq.theory.theorem_2(solved("joint", True), delta=0, reference=references_of_all())
    assert_broken(found, LOSES)
    assert np.abs(found.numbers["eps"][LOSES]).max() < 1e-9  # so it is closeness that is broken


@pytest.mark.parametrize("theorem", [eq.theory.theorem_5, eq.theory.corollary_3])
def test_theorem_5_and_its_corollary_need_market_alignment(theorem):
    assert_broken(theorem(solved("joint", True), rounds=1e40, failure=1e-9, epsilon=0), SILENT)


def test_theorem_5_checks_substitutes_agreement_and_small_lambda():
    joint = solved("joint", True)
    found = eq.theory.theorem_5(joint, rounds=1e40)
    assert not found.holds_hypothesis[PARITY].any()
    assert found.holds_hypothesis[SILENT].all()
    assert eq.theory.theorem_5(joint, rounds=1e40, substitutes=True).holds_hypothesis[PARITY].all()
    assert not eq.theory.theorem_5(joint, rounds=100, zeta=1e-3).holds_hypothesis.any()
    small = eq.theory.corollary_3(joint, rounds=1e40).holds_hypothesis[SILENT].all(axis=1)
    assert small.tolist() == [True, True, True, True, False]


def test_theorem_6_needs_market_alignment():
    assert_broken(eq.theory.theorem_6(eq.solve(tables(), eq.Selection(dynamics=False)), epsilon=0), 0)
    assert_broken(eq.theory.theorem_6(solved("obedient"), epsilon=0), SILENT)


def test_lemma_1_needs_the_quantal_response():
    assert_broken(eq.theory.lemma_1([0.0, 1.0], rationality=10.0, response=[0.5, 0.5]))


def test_lemma_2_needs_beliefs_that_are_close():
    for form in ("distance", "ratio"):
        assert_broken(eq.theory.lemma_2([0.0, 1.0], [1.0, 0.0], rationality=1.0, epsilon=0.1, form=form))


def test_proposition_2_needs_all_actions():
    only_here = eq.from_arrays([[0, 0], [0, 0]], [[[0, 0], [0, 0]]], available=[[True, True], [True, False]])
    assert_broken(eq.theory.proposition_2(only_here, [0, 0], rationality=1.0))


def test_proposition_2_needs_accuracy():
    told = eq.from_arrays([[1, 0], [0, 1]], [[[1, 0], [0, 1]]])
    assert_broken(eq.theory.proposition_2(told, [0, 0], rationality=5.0, epsilon_u=0.0))


def test_corollary_1_needs_an_event_that_is_heard():
    rare = eq.from_integers([[1, 1], [2, 1], [0, 1]], [[[0, 0]] * 3], prior=[98, 1, 1], resolution=2)
    assert_broken(eq.theory.corollary_1(rare, [0, 0, 0], rationality=1e5, epsilon_u=0, event="features"))
    # Total variation does not save it: the distance is 0.98 there, and rho is 0.02.
    assert eq.theory.closeness(rare, [0, 0, 0], 1e5)[0] / 2 > 0.97


def test_corollary_1_counts_the_exception_twice():
    safe = eq.from_arrays([[1, 0, 0.6], [0, 1, 0.6]], [[[0, 0, 0]] * 2])  # who is told nothing plays it safe
    found = eq.theory.corollary_1(safe, [0, 0], rationality=math.inf, epsilon_u=0)  # never accurate, so rho is 1
    assert found.numbers["rho"].tolist() == [1]
    assert found.measured.tolist() == found.bound.tolist() == [2]


def test_corollary_2_needs_a_small_product():
    assert_broken(eq.theory.corollary_2([0.01, 0.1], rationality=10.0))


def test_proposition_3_needs_many_providers_without_bias():
    sizes = {"states": 2, "actions": 2, "providers": 16, "seed": 3}
    many = eq.sample_tables("noisy", 2 * GAMES, **sizes)
    few = replace(many, providers=many.providers[:, :1])
    assert_broken(eq.theory.proposition_3(few, epsilon=0.1, failure=0.1))
    bias = eq.sample_tables("systematic", 2 * GAMES, **sizes, bonus=0.9)
    found = eq.theory.proposition_3(bias, epsilon=0.4, failure=0.1)
    assert found.numbers["K"] >= found.numbers["needed"]
    assert_broken(found)


def test_definition_9_holds_by_itself_among_partitions():
    found = eq.theory.theorem_1(solved("joint"), reference=references_of_all())
    assert not found.holds_hypothesis.all()
    assert found.kept.all()


# --- the door ---------------------------------------------------------------------------------------------------------

REFUSED = [
    (lambda: eq.theory.theorem_2(solved("joint")), "result: expected the joint game .* quantal"),
    (lambda: eq.theory.theorem_1(solved("joint", True)), "result: expected the joint game with best"),
    (lambda: eq.theory.theorem_1(solved("joint"), reference=[0]), "reference: expected whole labels"),
    (lambda: eq.theory.theorem_1(solved("joint"), epsilon=[0, 0, 0]), "epsilon: expected a number or shape"),
    (lambda: eq.theory.theorem_1(solved("joint"), rows="some"), "rows: expected one of"),
    (
        lambda: eq.theory.closeness(eq.sample_tables("uniform", 1, **SIZES | {"states": 7}, seed=0), [0] * 7),
        "at most 6",
    ),
    (lambda: eq.theory.closeness(silent(), [0, 0, 0], -1.0), "rationality: expected"),
    (lambda: eq.theory.market_alignment(silent(), upper=np.zeros((1, 2, 3, 3), bool)), "upper: expected an outcome"),
    (lambda: eq.theory.market_alignment(silent(), lower=[1]), "lower: expected booleans"),
    (lambda: eq.theory.providers_needed(2, 2, 0.0, 0.1), "epsilon: expected a number above 0"),
    (lambda: eq.theory.proposition_3(tables()[:2], 0.1, 0.1), "tables: expected at least 30 draws"),
    (lambda: eq.theory.lemma_1([math.nan, 0], 1.0), "beliefs: expected finite"),
    (lambda: eq.theory.lemma_2([0, 1], [1, 0], math.inf), "rationality: expected finite"),
    (lambda: eq.theory.corollary_2(-0.1, 1.0), "epsilon_u: expected numbers of at least 0"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message[:30] for _, message in REFUSED])
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refused:
        call()
    assert "\n" not in str(refused.value)


def test_a_cell_without_a_common_action_is_refused():
    apart = eq.from_arrays([[0, 0], [0, 0]], [[[0, 0], [0, 0]]], available=[[True, False], [False, True]])
    with pytest.raises(ValueError, match="reference: expected cells with a common action"):
        eq.theory.closeness(apart, [0, 0])
