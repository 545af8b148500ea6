"""Weak and strong market alignment against HiGHS on naive rows, and the markets that are known to have them."""

import random
from fractions import Fraction

import equilibrax as eq
import numpy as np
import oracles_market as oracle
import pytest
from equilibrax.theory import _strong_program as _strong_fit
from market_cases import as_market

SIZES = (2, 3, 3, 2)  # users, providers, states, actions


@pytest.fixture(scope="module")
def games():
    """Markets of all kinds with ties, zero weights and actions that do not exist."""
    rng = random.Random(0)
    kinds = ["none", "weak", "strong"]
    odd = [{"alignment": kinds[n % 3], "noise": n % 2, "ragged": n % 5 == 0} for n in range(48)]
    return [oracle.random_market(rng, *SIZES, **options) for options in odd]


@pytest.fixture(scope="module")
def regular(games):
    return [g for g in games if all(all(row) for row in g.available)]


def general_of(games, tensors=None):
    """The same games with tensors."""
    tensors = [oracle.as_tensor(g).tensor for g in games] if tensors is None else tensors
    priors = [g.prior for g in games]
    return eq.general_market(np.array([g.user for g in games]), np.array(tensors), priors, resolution=1)


@pytest.fixture(scope="module")
def weak(games):
    return eq.theory.weak_market_alignment(as_market(games))


@pytest.mark.slow
def test_weak_errors_are_the_smallest(games, weak):
    for b, game in enumerate(games):
        for c, committee in enumerate(weak.committees.tolist()):
            for i in range(game.users):
                right = oracle.weak_fit(game, i, committee)
                assert weak.error[b, c, i] == pytest.approx(right.error, abs=1e-8), (b, committee, i)
                caring = [game.weights[j][i] > 0 for j in oracle.members(committee)]
                assert weak.covered[b, c, i] == any(caring)
    assert weak.certified.all()
    assert not weak.provider_error.any()


def test_weights_attain_the_error_and_avoid_those_who_do_not_care(games, weak):
    lambdas = np.array([g.weights for g in games], float)
    assert (lambdas == 0).any()
    assert not weak.weights[np.broadcast_to((lambdas == 0)[:, None], weak.weights.shape)].any()
    member = (weak.committees[:, None] >> np.arange(3)) & 1 == 1
    assert not weak.weights[np.broadcast_to(~member[None, :, :, None], weak.weights.shape)].any()
    for c, mask in enumerate(weak.committees.tolist()):
        found = eq.theory.weak_market_alignment(as_market(games), [mask], weights=weak.weights[:, c])
        assert found.error[:, 0] == pytest.approx(weak.error[:, c], abs=1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(weak.weights > 0, weak.weights / weak.provider_weights[:, None], 0).sum(axis=2)
    assert weak.mu == pytest.approx(ratios)


@pytest.mark.parametrize("route", ["batched", "split"])
def test_strong_errors_are_the_smallest(games, route, monkeypatch):
    monkeypatch.setattr(_strong_fit, "_BATCHED_FITS", 1 if route == "batched" else 10**9)
    chosen = games if route == "batched" else games[::3]
    found = eq.theory.strong_market_alignment(as_market(chosen), [0b111, 0b010])
    for b, game in enumerate(chosen):
        for j in range(3):
            right = oracle.strong_fit(game, j)
            assert found.error[b, j] == pytest.approx(right.error, abs=1e-8), (b, j)
            weights = [Fraction(float(w)) for w in found.weights[b, j]]
            exact = oracle.strong_fit(game, j, weights)
            assert found.error[b, j] == pytest.approx(float(exact.error), abs=1e-12)
            assert found.offset[b, j] == pytest.approx(float(exact.offset), abs=1e-12)
    assert found.certified.all()
    assert (found.committee_error[:, 0] == found.error.max(axis=1)).all()
    assert (found.committee_error[:, 1] == found.error[:, 1]).all()
    assert (found.best_weight[:, 0] == found.weights.max(axis=1)).all()
    assert np.isinf(found.loss[~found.covered]).all()


def test_a_tensor_of_sums_is_as_aligned_as_the_sums(regular):
    """Strong alignment from whole profiles; weak alignment with given components, whose weights are found."""
    separable, general = as_market(regular), general_of(regular)
    one, other = eq.theory.strong_market_alignment(separable, [7]), eq.theory.strong_market_alignment(general, [7])
    assert one.error == pytest.approx(other.error, abs=1e-8)
    components = np.asarray(separable.components)
    weak = eq.theory.weak_market_alignment(general, components=components)
    assert weak.provider_error == pytest.approx(np.zeros((len(regular), 3)), abs=1e-8)
    fixed = eq.theory.weak_market_alignment(
        general, components=components, provider_weights=np.asarray(separable.weights)
    )
    assert fixed.provider_error == pytest.approx(np.zeros((len(regular), 3)), abs=1e-12)
    assert fixed.mu == pytest.approx(eq.theory.weak_market_alignment(separable).mu, abs=1e-8)


def test_a_tensor_that_is_no_sum_is_not_separable(regular):
    rng = random.Random(4)
    games = [oracle.random_market(rng, *SIZES, general=True) for _ in regular]
    general = general_of(games, [g.tensor for g in games])
    weak = eq.theory.weak_market_alignment(general, components=np.asarray(as_market(regular).components))
    strong = eq.theory.strong_market_alignment(general, [7])
    for b, game in enumerate(games[:6]):
        for j in range(3):
            assert weak.provider_error[b, j] >= oracle.separability_error(game, j) - 1e-8
            assert strong.error[b, j] == pytest.approx(oracle.strong_fit(game, j).error, abs=1e-8)
    assert weak.provider_error.max() > 0.1
    assert (weak.committee_error[:, -1] == weak.provider_error.max(axis=1)).all()
    assert (weak.loss >= 2 * weak.error).all()


def test_strong_alignment_implies_weak(regular):
    """Proposition A.1, whose proof makes eps the error of the providers (its statement has it as the users')."""
    market, general = as_market(regular), general_of(regular)
    strong = eq.theory.strong_market_alignment(market)
    user = np.asarray(market.user) / market.resolution
    same = np.broadcast_to(user[:, None], (len(market), 3, *user.shape[1:]))  # F_ji = u_i
    weak = eq.theory.weak_market_alignment(general, components=same, provider_weights=strong.weights)
    assert weak.provider_error == pytest.approx(strong.error, abs=1e-12)
    assert (weak.covered == strong.covered).all()
    assert weak.error[strong.covered] == pytest.approx(np.zeros(strong.covered.sum()), abs=1e-8)


@pytest.mark.parametrize("grid", [1, 3, 10])
def test_proposition_a_2(grid):
    market = eq.problems.proposition_a_2_market(grid)
    strong = eq.theory.strong_market_alignment(market, [3])
    assert strong.error == pytest.approx(np.full((1, 2), 0.5), abs=1e-9)
    stated = eq.theory.weak_market_alignment(market, [3], weights=np.full((2, 2), 0.5))
    assert stated.error == pytest.approx(np.zeros((1, 1, 2)), abs=1e-12)
    theirs = oracle.proposition_a_2(grid)
    assert (np.asarray(market.user)[0] == np.array(theirs.user)).all()
    assert (np.asarray(market.components)[0] == np.array(theirs.components)).all()


@pytest.mark.parametrize(("eps", "c", "d"), [("0.2", "0.5", 2), ("0.25", "0.5", Fraction(3, 2)), ("0.3", "1", 5)])
def test_theorem_4_1s_market_is_the_papers(eps, c, d):
    market = eq.problems.theorem_4_1_market(float(eps), float(c), d)
    theirs = oracle.theorem_4_1(Fraction(eps), Fraction(c), Fraction(d))
    assert market.states == theirs.worlds
    for name in ("user", "components"):
        ours = np.asarray(getattr(market, name))[0] / market.resolution
        assert (ours == np.array(getattr(theirs, name)) / theirs.resolution).all()
    assert (np.asarray(market.weights)[0] == np.array(theirs.weights)).all()
    assert market.weight_resolution == theirs.weight_resolution
    stated = eq.theory.weak_market_alignment(market, [3], weights=[[float(c), float(eps)], [float(eps), float(c)]])
    assert stated.error.max() < 1e-12
    assert stated.covered.all()


def test_theorem_5_2s_market_is_the_papers():
    market, newcomer = eq.problems.theorem_5_2_market()
    theirs = oracle.theorem_5_2()
    arguments = oracle.theorem_5_2_newcomer()
    augmented = oracle.add_user(theirs, **arguments)
    joined = newcomer.join(market)
    assert (np.asarray(joined.user)[0] == np.array(augmented.user)).all()
    assert (np.asarray(joined.components)[0] == np.array(augmented.components)).all()
    ours = np.asarray(joined.weights)[0] / joined.weight_resolution
    assert (ours == np.array(augmented.weights) / augmented.weight_resolution).all()
    assert eq.theory.strong_market_alignment(market, [1]).error.max() < 1e-12


def test_claimed_weights_must_be_on_providers_who_care():
    match = np.eye(2)
    market = eq.separable_market([match, match], [[match, match], [match, match]], [[1, 0], [1, 1]])
    fine = eq.theory.weak_market_alignment(market, [3, 1], weights=[[1, 0], [0, 1]])
    assert fine.covered[0].tolist() == [[True, True], [True, False]]
    wrong = eq.theory.weak_market_alignment(market, [3], weights=[[1, 0.5], [0, 0.5]])  # provider 1 ignores user 2
    assert wrong.covered[0].tolist() == [[True, False]]
    assert wrong.error.max() < 1e-12


@pytest.mark.parametrize("alignment", ["weak", "strong"])
def test_random_markets_are_as_aligned_as_they_promise(alignment):
    sizes = {"users": 2, "providers": 3, "states": 3, "actions": 2}
    markets = eq.random_markets(48, **sizes, alignment=alignment, error=0.04, seed=9)
    if alignment == "weak":
        error = eq.theory.weak_market_alignment(markets).error[:, -1]
    else:
        found = eq.theory.strong_market_alignment(markets, [7])
        error = found.error
    assert error.max() < 0.04 + 1e-9
    assert error.max() > 0.02
    for values in (markets.user, markets.components):
        assert np.asarray(values).min() >= 0
        assert np.asarray(values).max() <= markets.resolution
    assert (markets.weights.sum(axis=2) == markets.weight_resolution).all()
    again = eq.random_markets(3, **sizes, alignment=alignment, error=0.04, seed=9, start=20)
    for name in ("user", "components", "weights", "market_id"):
        assert (np.asarray(getattr(again, name)) == np.asarray(getattr(markets, name))[20:23]).all()
    exact = eq.random_markets(48, **sizes, alignment=alignment, seed=9)
    assert (
        eq.theory.weak_market_alignment(exact).error[:, -1] < 1e-9
    ).all()  # strong alignment with F = u is weak alignment


def test_random_markets_with_outcomes_depend_on_them_alone():
    sight = {"state_of": [0, 1, 0, 1], "user_sees": [[0, 0, 1, 1]] * 2}
    markets = eq.random_markets(5, 2, 2, 4, 2, alignment="none", seed=1, **sight)
    assert (np.asarray(markets.user)[:, :, :2] == np.asarray(markets.user)[:, :, 2:]).all()
    assert eq.theory.shared_utility(markets, [3]).utility.shape == (5, 1, 2)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("linear", [[0.5, 0.5], [1.0, 0.0]]),
        ("log", [[1 - np.log(0.5) / np.log(0.01)] * 2, [1.0, 0.0]]),
        ("brier", [[0.75, 0.75], [1.0, 0.0]]),
    ],
)
def test_answers_as_a_market(score, expected):
    market = eq.raters.answer_market([[[0.7, 0.3]], [[0.4, 0.6]]], [[[0.5, 0.5]], [[1, 0]]], score, score_floor=0.01)
    assert (np.asarray(market.user)[0, :, 0] / market.resolution).tolist() == [[0.7, 0.3], [0.4, 0.6]]
    for i in range(2):
        found = np.asarray(market.components)[0, :, i, 0] / market.resolution
        assert found == pytest.approx(np.array(expected), abs=1e-4)
    assert (np.asarray(market.weights) / market.weight_resolution == 0.5).all()


def test_answers_with_names_are_the_same_market_by_the_same_scores():
    answers = eq.raters.simulate_answers(2, 3, 4, 3, seed=1, ragged=True)
    market = eq.raters.answer_market(answers, score="brier", resolution=10**6)
    for i in range(2):
        np.testing.assert_allclose(
            np.asarray(market.components)[0, :, i] / market.resolution, answers.scores("brier"), atol=1e-6
        )
    assert (np.asarray(market.user)[0][:, ~answers.options] == 0).all()
    assert (market.labels.states, market.labels.users) == (answers.question_names, answers.user_names)
    assert market.labels.providers == answers.model_names
    same = eq.raters.simulate_answers(2, 3, 4, 3, seed=1)
    assert eq.raters.answer_market(same).labels.actions == (same.option_names[0],) * 2
    users = answers.users.copy()
    users[0, 2] = np.nan
    silent = eq.raters.answer_distributions(users, answers.models, answers.options)
    with pytest.raises(ValueError, match=r"got none of somebody to 'question 3' \(1 such of 4 questions\)"):
        eq.raters.answer_market(silent)
    with pytest.raises(ValueError, match="models: expected None"):
        eq.raters.answer_market(answers, answers.models)


def test_bad_input_is_refused():
    market = eq.problems.proposition_a_2_market(1)
    for call, message in [
        (lambda: eq.theory.weak_market_alignment(market, components=0), "components, provider_weights: expected none"),
        (
            lambda: eq.theory.weak_market_alignment(market, weights=[[1, 2]]),
            r"weights: .* of shape \[2, 2\] or \[1, 2, 2\]",
        ),
        (
            lambda: eq.theory.weak_market_alignment(market, weights=-np.eye(2)),
            "weights: expected finite numbers that are not",
        ),
        (lambda: eq.theory.strong_market_alignment(market, [4]), "committees: expected bitmasks from 1 to 3"),
        (lambda: eq.problems.theorem_4_1_market(eps=0.5, c=0.5), "eps, c: expected 0 < eps < c <= 1"),
        (lambda: eq.problems.theorem_4_1_market(d=1), "d: expected a finite number above 1"),
        (lambda: eq.problems.proposition_a_2_market(0), "grid: expected a whole number of at least 1"),
        (lambda: eq.raters.answer_market([[[0.5, 0.4]]], [[[1, 0]]]), "users: expected shares with sum 1, got sum 0.9"),
        (
            lambda: eq.raters.answer_market([[[0.5, 0.5]]], [[[1, 0, 0]]]),
            "models: expected 1 questions and 2 options as for users",
        ),
        (
            lambda: eq.raters.answer_market([[[1]]], [[[1]]], score_floor=0),
            "score_floor: expected a probability between 0 and 1",
        ),
        (lambda: eq.random_markets(1, 1, 1, 1, 1, error=0.7), "error: expected a number from 0 to 0.5"),
        (lambda: eq.random_markets(1, 1, 1, 1, 1, error=0.5), "resolution: expected at least 16 steps"),
        (lambda: eq.random_markets(1, 1, 1, 1, 1, seed=-1), "seed: expected a whole number from 0"),
        (lambda: eq.random_markets(0, 1, 1, 1, 1), "count: expected a whole number of at least 1"),
        (lambda: eq.random_markets(1, 1, 1, 2, 1, state_of=[0]), "state_of: expected 2 labels"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    general = eq.general_market([[[1, 0]]], [[[1, 0]]])
    with pytest.raises(ValueError, match=r"components: expected shape \[1, 1, 1, 2\]"):
        eq.theory.weak_market_alignment(general)
