"""Every public door for arrays refuses what NumPy would convert without a word, in one line that names the argument."""

from __future__ import annotations

import datetime

import equilibrax as eq
import numpy as np
import pytest

TH = eq.theory
U = np.array([[1.0, 0.0], [0.0, 1.0]])
P = np.array([U[::-1], U])
ONES = [[1, 1], [1, 1]]
MARKET = eq.separable_market([U, U], [[U, U], [U, U]], ONES)
TABLES, GAME = eq.from_arrays(U, P), eq.PersuasionGame.from_prior([[[1, 0], [0, 1]]], U, P)
R = np.random.default_rng(0).random((12, 3))
PROBLEM = eq.DecisionProblem.from_arrays(None, U, [[0, 1]])
TOLD = np.ones((1, 2, 2, 2)) / 2
USERS = np.random.default_rng(0).dirichlet([1, 1, 1], size=(3, 6))
MODELS = np.random.default_rng(1).dirichlet([1, 1, 1], size=(2, 6))


def fit(**given):
    return eq.fits.nonnegative_least_squares(**{"gram": R.T @ R, "moment": R.T @ R[:, 0], **given})


def solved():
    return eq.solve(MARKET, "personalized")


DOORS = {
    "from_arrays.user": (U, lambda a: eq.from_arrays(a, P)),
    "from_arrays.providers": (P, lambda a: eq.from_arrays(U, a)),
    "from_arrays.prior": (np.array([1.0, 2.0]), lambda a: eq.from_arrays(U, P, a)),
    "from_integers.user": (U.astype(int), lambda a: eq.from_integers(a, P.astype(int), resolution=1)),
    "from_integers.prior": (
        np.array([1, 2]),
        lambda a: eq.from_integers(U.astype(int), P.astype(int), a, resolution=1),
    ),
    "available": (np.array([[True, True], [True, True]]), lambda a: eq.from_arrays(U, P, available=a)),
    "weights": (np.array([[1.0, 1.0]]), lambda a: eq.PersuasionGame.from_weights(a, U[None], P[:, None])),
    "fw.user": (U[None], lambda a: eq.PersuasionGame.from_weights([[1, 1]], a, P[:, None])),
    "from_prior": (np.array([[[1.0, 0], [0, 1]]]), lambda a: eq.PersuasionGame.from_prior(a, U, P)),
    "market.user": (np.array([U, U]), lambda a: eq.separable_market(a, [[U, U], [U, U]], ONES)),
    "market.components": (np.array([[U, U], [U, U]]), lambda a: eq.separable_market([U, U], a, ONES)),
    "market.weights": (np.ones((2, 2)), lambda a: eq.separable_market([U, U], [[U, U], [U, U]], a)),
    "market.sees": (
        np.array([[0, 1], [0, 1]]),
        lambda a: eq.separable_market([U, U], [[U, U], [U, U]], ONES, provider_sees=a),
    ),
    "market.state_of": (np.array([0, 1]), lambda a: eq.separable_market([U, U], [[U, U], [U, U]], ONES, state_of=a)),
    "general.tensor": (np.ones((1, 2, 2, 2)), lambda a: eq.general_market([U, U], a)),
    "committees": (np.array([1, 2]), lambda a: eq.solve(TABLES, committees=a)),
    "select": (np.array([0]), lambda a: TABLES.select(a)),
    "Quantal": (np.array([1.0, 2.0]), lambda a: eq.Quantal(a)),
    "random_markets.state_of": (np.array([0, 0, 1]), lambda a: eq.random_markets(1, 1, 1, 3, 2, state_of=a)),
    "rater_matrix.ratings": (R, lambda a: eq.raters.rater_matrix(a, R[:, 0])),
    "rater_matrix.target": (R[:, 0], lambda a: eq.raters.rater_matrix(R, a)),
    "rater_matrix.weights": (np.ones(12), lambda a: eq.raters.rater_matrix(R, R[:, 0], weights=a)),
    "rater_matrix.groups": (np.arange(12), lambda a: eq.raters.rater_matrix(R, R[:, 0], groups=a)),
    "answers.users": (USERS, lambda a: eq.raters.answer_distributions(a, MODELS)),
    "answers.models": (MODELS, lambda a: eq.raters.answer_distributions(USERS, a)),
    "answers.select": (np.array([0, 1]), lambda a: eq.raters.answer_distributions(USERS, MODELS).select(users=a)),
    "transfer.weights": (np.array([[0.5, 0.2]]), lambda a: eq.raters.transfer_factors(a)),
    "transfer.providers": (np.array([0]), lambda a: eq.raters.transfer_factors([[0.5, 0.2]], a)),
    "subset_analysis": (np.array([[0.5, 0.2], [0.1, 0.3]]), lambda a: eq.raters.subset_analysis(a)),
    "coverage_curve": (np.array([[0.5, 0.2], [0.1, 0.3]]), lambda a: eq.raters.coverage_curve(a)),
    "lsq.gram": (R.T @ R, lambda a: fit(gram=a)),
    "lsq.moment": (R.T @ R[:, 0], lambda a: fit(moment=a)),
    "lsq.square": (np.array(R[:, 0] @ R[:, 0]), lambda a: fit(square=a)),
    "lsq.members": (np.array([True, True, False]), lambda a: fit(members=a)),
    "garbling.utility": (U, lambda a: TH.common_garbling(a, [[0, 1]])),
    "garbling.prior": (np.ones(2), lambda a: TH.common_garbling(U, [[0, 1]], prior=a)),
    "garbling.providers": (np.array([[0, 1]]), lambda a: TH.common_garbling(U, a)),
    "garbling.outcome": (np.array([0, 1]), lambda a: TH.common_garbling(U, [[0, 1]], outcome=a)),
    "revealed": (np.array([0, 1]), lambda a: TH.revealed_utility(MARKET, a)),
    "alignment.upper": (np.ones((1, 1, 2, 2), bool), lambda a: TH.market_alignment(TABLES, upper=a)),
    "aligned": (np.array([1, 2, 3]), lambda a: TH.market_theorem_3_1(solved(), aligned=a)),
    "epsilon": (np.array(0.5), lambda a: TH.market_theorem_4_3(solved(), epsilon=a)),
    "regret": (np.array([[0, 0], [0, 0]]), lambda a: eq.games.market_regret(MARKET, a)),
    "compare.rationality": (np.array([1.0, 2.0]), lambda a: eq.compare(TABLES, rationality=a)),
    "decision.owners": (
        np.array([0, 1]),
        lambda a: eq.DecisionProblem.from_arrays(None, U, [[0, 1], [0, 0]], owners=a),
    ),
    "decision.costs": (np.array([0, 1]), lambda a: eq.DecisionProblem.from_arrays(None, U, [[0, 1], [0, 0]], costs=a)),
    "games.outcome": (
        np.array([[0, 1], [2, 3]]),
        lambda a: eq.NormalForm.from_integers([[[2, 2], [0, 1]], [[1, 1], [0, 0]]]).with_outcomes(a),
    ),
    "lotteries.rules": (TOLD, lambda a: eq.games.lottery_regret(GAME, a)),
    "search.beside": (
        TOLD[:, None],
        lambda a: eq.games.search_lotteries(GAME, eq.games.GradientSearch(starts=1, steps=20), beside=a),
    ),
    "efficiency.units": (np.ones(3), lambda a: eq.efficiency(eq.solve(TABLES), units=a)),
    "robustness.scores": (np.array([[0.1, 0.2, 0.0]]), lambda a: TH.robustness(a)),
    "information.sets": (np.array([1, 0]), lambda a: eq.value_of_information(PROBLEM, a)),
    "information.belief": (np.ones(1), lambda a: eq.value_of_information(PROBLEM).ex_ante(a)),
    "induced.partition": (np.array([0, 1]), lambda a: TH.induced_actions(GAME, a)),
}


def first(values):
    """True in the first place alone."""
    return np.arange(np.size(values)).reshape(np.shape(values)) == 0


BAD = {
    "masked": lambda v: np.ma.MaskedArray(v, mask=first(v)),
    "masked in list": lambda v: [np.ma.MaskedArray(row, mask=first(row)) for row in v],
    "complex": lambda v: v + 1j,
    "datetime": lambda v: np.full(v.shape, np.datetime64("2020-01-01")),
    "timedelta": lambda v: np.full(v.shape, np.timedelta64(1, "D")),
    "text": lambda v: v.astype(str),
    "bytes": lambda v: v.astype("S"),
    "none": lambda v: np.where(first(v), None, v),
    "complex object": lambda v: np.where(first(v), 1j, v.astype(object)),
    "dates": lambda v: np.where(first(v), datetime.date(2020, 1, 1), v.astype(object)),
    "structured": lambda v: np.zeros(v.shape, dtype=[("a", float), ("b", int)]),
    "ragged": lambda v: [[1, 2], [3]],
}

LABELS = ("random_markets.state_of", "garbling.providers", "garbling.outcome", "revealed")


@pytest.mark.parametrize("door", DOORS)
def test_no_door_takes_what_is_no_number(door):
    value, call = DOORS[door]
    call(value)
    for kind, spoil in BAD.items():
        try:
            spoiled = spoil(value)
        except (TypeError, ValueError):
            continue  # cannot be spoiled so
        if door == "rater_matrix.groups" and "masked" not in kind and kind != "ragged":
            continue  # groups may have any names
        if door in ("rater_matrix.ratings", "rater_matrix.target") and kind in ("masked", "none"):
            continue  # are missing ratings, see below
        if kind == "text" and door in LABELS:
            continue
        with pytest.raises(ValueError, match=r"^[a-z_0-9\[\]]+: expected ") as error:
            call(spoiled)
        assert len(str(error.value)) <= 600


def test_masked_ratings_are_missing_ones():
    mask = np.zeros(R.shape, bool)
    mask[3, 1] = True
    holes = np.where(mask, np.nan, R)
    for given in (np.ma.MaskedArray(R, mask), np.where(mask, None, R)):
        np.testing.assert_array_equal(eq.raters.rater_matrix(given, R[:, 0]).ratings, holes)
    with pytest.raises(ValueError, match="weights: expected positive"):
        eq.raters.rater_matrix(R, R[:, 0], weights=np.ma.MaskedArray(np.ones(12), np.arange(12) == 0))
