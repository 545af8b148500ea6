"""Markets with many users: answers, weak and strong alignment, coverage, against enumeration of all action profiles."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product

import numpy as np
import pytest
from equilibrax.raters._simulate_answers import simulate_answers
from equilibrax.raters._strong_alignment import strong_alignment
from equilibrax.raters._weak_alignment import weak_alignment
from equilibrax.raters.answers import AnswerDistributions, Score, answer_distributions
from equilibrax.raters.coverage import (
    MAX_SUBSET_PROVIDERS,
    anonymous_slack,
    coverage_curve,
    subset_analysis,
    transfer_factors,
)
from equilibrax.raters.user_subsets import users_versus_error
from equilibrax.theory import Utilities, strong_fits
from oracles_answers import all_profiles, least_squares, scores_by_hand
from scipy.optimize import linprog

SCORES = ("linear", "log", "brier")
FOLDS = 3
NAN = float("nan")


@cache
def market() -> AnswerDistributions:
    """3 users, 4 models, 10 questions with 2 or 3 options, some of them not seen by somebody."""
    return simulate_answers(3, 4, 10, 3, seed=11, ragged=True, missing=0.15, noise=0.4)


@cache
def strong(score: Score = "linear"):
    return strong_alignment(market(), score=score, folds=FOLDS, fold_assignment="modulo")


@cache
def weak(score: Score = "linear"):
    return weak_alignment(market(), score=score, folds=FOLDS, fold_assignment="modulo")


def chebyshev(columns, target):
    one = np.ones((len(target), 1))
    bound = np.vstack([np.hstack([-columns, -one, -one]), np.hstack([columns, one, -one])])
    free = [(0, None)] * columns.shape[1] + [(None, None), (0, None)]
    cost = np.eye(columns.shape[1] + 2)[-1]
    return linprog(cost, bound, np.concatenate([-target, target]), bounds=free).fun


def held_out_error(columns, target, chance, question):
    """Weights on everything, and the RMSE over questions when question q is in fold q modulo FOLDS."""
    total = 0.0
    for f in range(FOLDS):
        out = question % FOLDS == f
        weights, constant = least_squares(columns[~out], target[~out], chance[~out])
        total += np.sum(chance[out] * (target[out] - columns[out] @ weights - constant) ** 2)
    return np.sqrt(total / chance.sum())


@pytest.mark.parametrize("score", SCORES)
def test_exact_moments_are_those_of_all_profiles(score):
    fit = strong(score)
    for j in range(market().num_models):
        columns, target, chance, question = all_profiles(market(), score, j)
        weights, constant = least_squares(columns, target, chance)
        error = target - columns @ weights - constant
        assert fit.weights[j] == pytest.approx(weights, abs=1e-9)
        assert fit.constants[j] == pytest.approx(constant, abs=1e-9)
        assert fit.fit_rmse[j] == pytest.approx(np.sqrt(np.average(error**2, weights=chance)), abs=1e-10)
        assert fit.constant_rmse[j] == pytest.approx(np.sqrt(np.cov(target, aweights=chance, ddof=0)), abs=1e-10)
        assert fit.rmse[j] == pytest.approx(held_out_error(columns, target, chance, question), abs=1e-9)
        assert fit.questions[j] == len(set(question.tolist()))
    assert fit.skipped == int((~market().seen.all(axis=0)).sum()) > 0
    assert fit.kkt_residual.max() < 1e-8


@pytest.mark.parametrize("score", SCORES)
def test_worst_case_is_over_all_profiles(score):
    fit = strong(score)
    assert fit.certified.all()
    assert np.abs(fit.gap).max() < 1e-9
    for j in range(market().num_models):
        columns, target, _, _ = all_profiles(market(), score, j)
        assert fit.worst_case[j] == pytest.approx(chebyshev(columns, target), abs=1e-8)
        # Proposition A.1: the same weights make the provider separable with F_ji = u_i and eps_P = eps.
        error = target - columns @ fit.worst_case_weights[j] - fit.worst_case_constants[j]
        assert np.abs(error).max() == pytest.approx(fit.worst_case[j], abs=1e-9)
        assert fit.fit_rmse[j] <= fit.worst_case[j]


def test_with_the_users_own_utilities_as_components_weak_alignment_is_exact():
    """Proposition A.1, the other half: eps_U = 0 for F_ji = u_i, here with n* = 1 provider of each kind."""
    answers = market()
    same = answer_distributions(answers.users, np.where(np.isnan(answers.users), 0, answers.users) + absent(answers))
    fit = weak_alignment(same, folds=FOLDS)
    assert fit.worst_case == pytest.approx(np.zeros(3), abs=1e-9)
    assert fit.fit_rmse == pytest.approx(np.zeros(3), abs=1e-7)


def absent(answers):
    """Something for models to say where a user said nothing."""
    uniform = answers.options / answers.num_options[:, None]
    return np.where(answers.seen[..., None], 0.0, uniform)


def test_weakly_aligned_and_not_strongly():
    """Proposition A.2 on its extreme points: eps_U is zero, and eps is 1/2 for both providers."""
    actions = np.array([0.0, 1.0])
    component = np.array([[actions, 0 * actions], [0 * actions, actions]])  # n F_j = 2 * a / 2 in the provider's state
    users = np.broadcast_to(actions / 4, (2, 2, 2))
    parts = np.stack([np.stack([own, own]) / 2 for own in component])  # the mean over both users
    found = strong_fits(Utilities(np.stack([users, users]), np.ones(parts.shape, bool), parts))
    assert found.error == pytest.approx([0.5, 0.5], abs=1e-12)
    assert found.certified.all()
    assert users[0] == pytest.approx(component.sum(axis=0) / 4)  # w = 1/2 each on F_j = component / 2


def test_sampled_profiles_agree_with_exact_moments():
    """Twenty times 1,000 profiles of each question: their mean is within 5 of its standard errors of the exact fit."""
    exact = strong()
    runs = [
        strong_alignment(market(), folds=FOLDS, fold_assignment="modulo", profiles=1000, seed=s, worst_case=False)
        for s in range(20)
    ]
    for name in ("weights", "constants", "rmse", "constant_rmse"):
        drawn = np.stack([getattr(run, name) for run in runs])
        error = drawn.std(axis=0, ddof=1) / np.sqrt(len(runs))
        assert (np.abs(drawn.mean(axis=0) - getattr(exact, name)) <= 5 * error + 2e-4).all(), name
        assert error.max() < 5e-3, name
    once = strong_alignment(market(), folds=FOLDS, fold_assignment="modulo", profiles=20_000, worst_case=False)
    assert once.weights == pytest.approx(exact.weights, abs=0.01)
    assert once.rmse == pytest.approx(exact.rmse, abs=2e-3)


@pytest.mark.parametrize("score", SCORES)
def test_weak_alignment_is_the_fit_over_rows(score):
    answers, fit = market(), weak(score)
    values = scores_by_hand(answers, score)
    for i in range(answers.num_users):
        question, option = np.nonzero(answers.options & answers.seen[i][:, None])
        columns, target = values[:, question, option].T, answers.users[i, question, option]
        ones = np.ones(len(target))
        weights, constant = least_squares(columns, target, ones)
        assert fit.weights[i] == pytest.approx(weights, abs=1e-9)
        assert fit.constants[i] == pytest.approx(constant, abs=1e-9)
        assert fit.rmse[i] == pytest.approx(held_out_error(columns, target, ones, question), abs=1e-9)
        assert fit.worst_case[i] == pytest.approx(chebyshev(columns, target), abs=1e-8)
        assert fit.constant_rmse[i] == pytest.approx(target.std())
        error = target - columns @ fit.worst_case_weights[i] - fit.worst_case_constants[i]
        assert np.abs(error).max() == pytest.approx(fit.worst_case[i], abs=1e-9)
    assert fit.certified.all()
    assert set(fit.status) == {"ok"}
    without = weak_alignment(answers, folds=FOLDS, intercept=False, worst_case=False)
    assert (without.constants == 0).all()
    assert np.isnan(without.worst_case).all()
    assert (without.fit_rmse >= weak().fit_rmse - 1e-12).all()


def test_names_do_not_matter():
    answers = market()
    other = answers.select(users=[2, 0, 1], models=[3, 1, 0, 2])
    users, models = weak_alignment(other, folds=FOLDS, fold_assignment="modulo"), strong_alignment(other, folds=FOLDS)
    assert users.weights == pytest.approx(weak().weights[[2, 0, 1]][:, [3, 1, 0, 2]], abs=1e-9)
    assert users.worst_case == pytest.approx(weak().worst_case[[2, 0, 1]], abs=1e-9)
    assert models.weights == pytest.approx(strong().weights[[3, 1, 0, 2]][:, [2, 0, 1]], abs=1e-9)
    assert models.worst_case == pytest.approx(strong().worst_case[[3, 1, 0, 2]], abs=1e-9)
    assert models.user_names == ("user 3", "user 1", "user 2")


def test_a_provider_twice_is_worth_as_much_as_once():
    twice = market().select(models=[0, 1, 2, 2])
    once = market().select(models=[0, 1, 2])
    users, before = (weak_alignment(a, folds=FOLDS) for a in (twice, once))
    for name in ("rmse", "fit_rmse", "worst_case"):
        assert getattr(users, name) == pytest.approx(getattr(before, name), abs=1e-8)
    models = strong_alignment(twice, folds=FOLDS, worst_case=False)
    assert models.weights[2].tolist() == models.weights[3].tolist()
    assert transfer_factors(models) == pytest.approx(transfer_factors(models, [0, 1, 2]))


def test_the_scale_of_transfer_factors():
    """Users and a provider who all answer alike: lambda is 1/n, not 1. The mean of users who differ is no such one."""
    answers = simulate_answers(3, 1, 12, 3, seed=5, noise=1.0)
    alike = answer_distributions(np.repeat(answers.users[:1], 3, axis=0), answers.users[:1])
    fit = strong_alignment(alike)
    assert fit.weights == pytest.approx(np.full((1, 3), 1 / 3))
    assert fit.worst_case == pytest.approx([0.0], abs=1e-9)
    assert fit.rmse == pytest.approx([0.0], abs=1e-7)
    assert transfer_factors(fit) == pytest.approx(np.full(3, 3.0))
    mean = strong_alignment(answer_distributions(answers.users, answers.users.mean(axis=0)[None]))
    assert mean.worst_case[0] > 0.05
    assert mean.rmse[0] > 0.02
    found = users_versus_error(alike, [1, 2, 3])
    assert found.transfer == pytest.approx(found.users)
    assert found.relative_transfer == pytest.approx(np.ones(7))


def least_slack(answers, user: int, model: int) -> float:
    """The least 2 eps / lambda of a model over all weights, by HiGHS over all questions and profiles of options."""
    users, own = answers.users, answers.scores("linear")[model]
    n, questions, options = users.shape
    rows, target = [], []
    for q in range(questions):
        for profile in product(range(options), repeat=n):
            others = [-users[i, q, a] for i, a in enumerate(profile) if i != user]
            rows.append([np.mean([own[q, a] for a in profile]), *others, 1.0])
            target.append(users[user, q, profile[user]])
    matrix, wanted = np.array(rows), np.array(target)
    both = np.concatenate([np.c_[matrix, -np.ones(len(rows))], np.c_[-matrix, -np.ones(len(rows))]])
    bounds = [(0, None)] * n + [(None, None), (0, None)]
    found = linprog([*[0.0] * (n + 1), 2.0], both, np.concatenate([wanted, -wanted]), bounds=bounds, method="highs")
    return np.inf if found.fun >= (1 - 1e-9) * np.ptp(wanted) else found.fun


def test_slack_of_the_anonymous_market():
    """The least over all weights, not that of the weights of least eps (2602.13451, Theorem 4.3)."""
    people = simulate_answers(2, 3, 8, 3, seed=2, noise=0.3)
    answers = answer_distributions(people.users, 0.7 * people.users.mean(axis=0) + 0.3 * people.models)
    fit = strong_alignment(answers, folds=2)
    expected = np.array([[least_slack(answers, user, model) for user in range(2)] for model in range(3)])
    assert np.isfinite(expected).any()
    for chosen in (None, [1, 2]):
        best = expected.min(axis=0) if chosen is None else expected[chosen].min(axis=0)
        assert anonymous_slack(fit, chosen) == pytest.approx(best, abs=1e-8)
        some = np.arange(3) if chosen is None else np.array(chosen)
        with np.errstate(divide="ignore"):
            usual = 2 * fit.worst_case[some].max() / fit.worst_case_weights[some].max(axis=0)
        kept = np.isfinite(anonymous_slack(fit, chosen))
        assert (anonymous_slack(fit, chosen) <= usual + 1e-9)[kept].all()
    with pytest.raises(ValueError, match="alignment: expected a StrongAlignment with worst_case=True"):
        anonymous_slack(strong_alignment(market(), folds=FOLDS, worst_case=False))


def test_a_user_of_one_answer_is_seen_by_the_worst_case_alone():
    sure = answer_distributions([np.eye(2)[[0, 1, 0, 1]]], [np.eye(2)[[0, 1, 0, 1]]])
    fit = strong_alignment(sure, folds=2)
    assert fit.weights.tolist() == [[0.0]]
    assert transfer_factors(fit).tolist() == [np.inf]
    assert fit.worst_case_weights == pytest.approx(np.ones((1, 1)))
    assert anonymous_slack(fit) == pytest.approx([0.0], abs=1e-9)


def test_users_and_questions_without_answers():
    users = np.full((3, 6, 2), NAN)
    users[0] = [[0.2, 0.8], [0.5, 0.5], [0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.1, 0.9]]
    users[1, 0] = [0.4, 0.6]
    models = np.array([users[0][:, ::-1], users[0]])
    models[0, 5] = NAN
    answers = answer_distributions(users, models)
    fit = weak_alignment(answers, folds=2, fold_assignment="modulo")
    assert fit.status == ("ok", "too few answers", "no answers")
    assert fit.questions.tolist() == [5, 1, 0]
    assert np.isfinite(fit.rmse).tolist() == [True, False, False]
    assert np.isfinite(fit.worst_case).tolist() == [True, True, False]
    assert np.isnan(fit.weights[2]).all()
    assert fit.users().column("rmse").null_count == 2
    with pytest.raises(ValueError, match="answers: expected a question that 'model 1' and all users answered"):
        strong_alignment(answers)
    with pytest.raises(ValueError, match="folds: expected at most the number of groups of items, 1"):
        strong_alignment(answers.select(users=[0, 1]))
    with pytest.raises(ValueError, match="folds: expected at most the number of groups of items, 5"):
        weak_alignment(answers, folds=7)
    # A uniform user gains nothing from any answer: her utility is constant, no weight helps, and nobody covers her.
    models[0, 5] = [0.5, 0.5]
    flat = strong_alignment(answer_distributions(np.stack([users[0], np.full((6, 2), 0.5)]), models), folds=2)
    assert (flat.weights[:, 1] == 0).all()
    assert transfer_factors(flat)[1] == np.inf


def test_all_subsets():
    draw = np.random.default_rng(4)
    weights = draw.random((6, 4)) * (draw.random((6, 4)) < 0.6)
    found = subset_analysis(weights)
    curve = coverage_curve(weights, subsets="all")
    for s, size in enumerate(range(1, 7)):
        sets = [list(t) for t in combinations(range(6), size)]
        each = np.array([transfer_factors(weights, t) for t in sets])
        worst = each.max(axis=1)
        finite = worst[np.isfinite(worst)]
        assert (found.best[s], found.worst[s], found.count[s]) == (worst.min(), worst.max(), len(sets))
        assert found.mean[s] == (pytest.approx(worst.mean()) if len(finite) == len(worst) else np.inf)
        assert found.covered[s] == len(finite) / len(worst) == curve.covered[s]
        assert transfer_factors(weights, np.flatnonzero(found.best_set[s])).max() == found.best[s]
        assert np.sort(curve.worst_user[s, : len(sets)]) == pytest.approx(np.sort(worst))
        assert np.sort(curve.mean_user[s, : len(sets)]) == pytest.approx(np.sort(each.mean(axis=1)))
        assert found.covered_mean[s] == (
            pytest.approx(finite.mean()) if len(finite) else pytest.approx(NAN, nan_ok=True)
        )
    assert found.rows().num_rows == 6
    assert curve.rows().num_rows == 36
    nobody = subset_analysis([[0.0, 1.0], [0.0, 1.0]])
    assert np.isinf(nobody.best).all()
    assert (nobody.covered == 0).all()
    assert nobody.rows()["covered_mean"].null_count == 2


def test_orders_of_providers():
    weights = np.random.default_rng(1).random((25, 3))
    curve = coverage_curve(weights, permutations=30, seed=2)
    assert (np.diff(curve.worst_user, axis=0) <= 0).all()
    assert (np.diff(curve.mean_user, axis=0) <= 0).all()
    assert curve.worst_user[-1] == pytest.approx(np.full(30, transfer_factors(weights).max()))
    assert (curve.worst_user == coverage_curve(weights, permutations=30, seed=2).worst_user).all()
    with pytest.raises(ValueError, match=f"alignment: expected up to {MAX_SUBSET_PROVIDERS} providers .* got 25"):
        subset_analysis(weights)


def test_users_versus_error_is_strong_alignment_of_each_set():
    answers = market()
    found = users_versus_error(answers, folds=FOLDS, fold_assignment="modulo")
    assert found.members == ((0, 1), (0, 2), (1, 2), (0, 1, 2))
    for s, some in enumerate(found.members):
        fit = strong_alignment(answers.select(users=some), folds=FOLDS, fold_assignment="modulo", worst_case=False)
        assert found.error[s] == pytest.approx(fit.rmse.mean())
        assert found.relative_error[s] == pytest.approx((fit.rmse / fit.constant_rmse).mean())
        assert found.transfer[s] == transfer_factors(fit).max()
    drawn = users_versus_error(answers, [2], subsets=2, folds=FOLDS)
    assert len(set(drawn.members)) == 2
    assert drawn.rows()["members"][0].as_py().count("user") == 2
    assert found.mean()["error"][1] == found.error[3]


def test_scores_and_rater_matrix():
    answers = market()
    for score in SCORES:
        values = answers.scores(score)
        assert values.min() >= 0
        assert values.max() <= 1
        assert values == pytest.approx(np.where(answers.options, scores_by_hand(answers, score), 0.0))
    sure = answer_distributions([[[1.0, 0.0]]], [[[1.0, 0.0]]])
    for score in SCORES:
        assert sure.scores(score)[0, 0].tolist() == [1.0, 0.0]
    matrix = answers.rater_matrix("brier", normalized=True)
    assert matrix.num_items == answers.options.sum()
    assert matrix.target_names == answers.user_names
    sums = np.bincount(matrix.groups, matrix.weights)
    assert sums == pytest.approx(np.ones(answers.num_questions))  # every question counts the same
    assert answers.rater_matrix(user="user 2").targets == pytest.approx(matrix.targets[:, [1]], nan_ok=True)
    assert np.isnan(matrix.targets).sum() == (answers.options * (~answers.seen)[..., None]).sum()


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ([[[0.2, 0.7]]], "users: expected shares with sum 1, got sum 0.9 from 'user 1' at 'question 1'"),
        ([[[1.2, -0.2]]], "users: expected shares of at least 0"),
        ([[[0.5, NAN]]], "users: expected numbers at all options of a question or NaN at all of them"),
        ([[[0.5, np.inf]]], "users: expected shares, got"),
        ([[[0.5, 0.2, 0.3]]], "models: expected 1 questions and 3 options"),
        ([[0.5, 0.5]], r"users: expected a non-empty array \[people, questions, options\]"),
    ],
)
def test_bad_answers_are_refused(users, message):
    with pytest.raises(ValueError, match=message):
        answer_distributions(users, [[[0.5, 0.5]]])


def test_bad_options_are_refused():
    answers = market()
    for call, message in (
        (lambda: weak_alignment(answers, score="squared"), "score: expected one of"),
        (lambda: strong_alignment(answers, profiles=0), "profiles: expected a whole number from 1"),
        (lambda: strong_alignment(answers, fold_assignment="random"), "fold_assignment: expected one of"),
        (lambda: transfer_factors([[-1.0]]), "alignment: expected a StrongAlignment or weights"),
        (lambda: transfer_factors([[1.0]], [1]), "providers: expected positions from 0 to 0"),
        (lambda: users_versus_error(answers, [4]), "sizes: expected a whole number from 1 to 3"),
        (lambda: answers.select(models=[]), "models: expected positions"),
        (lambda: answers.rater_matrix(user="nobody"), "user: expected a name or a position below 3"),
        (lambda: simulate_answers(noise=2.0), "noise: expected a number from 0 to 1"),
        (lambda: answer_distributions([[[1.0]]], [[[1.0]]], user_names=["a", "b"]), "user_names: expected 1 different"),
        (lambda: answer_distributions([[[1.0]]], [[[1.0]]], [[False]]), "options: expected an option for every"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_simulated_answers():
    one, two = (simulate_answers(4, 3, 30, 4, seed=9, uncovered=1) for _ in range(2))
    assert (one.users == two.users).all()
    assert (one.models == two.models).all()
    fit = weak_alignment(one, worst_case=False)
    assert (fit.weights[3] == 0).all()
    assert (fit.rmse[:3] < 0.5 * fit.constant_rmse[:3]).all()
    assert fit.rows().num_rows == 12
    assert fit.standard_error.shape == (4,)
    exact = weak_alignment(simulate_answers(2, 3, 10, 3, noise=0.0, seed=1), worst_case=False)
    assert exact.rmse.max() < 1e-7
    assert exact.weights.sum(axis=1) == pytest.approx(np.ones(2))
