"""Folds of cross-validation: one way to deal them, whoever needs them."""

from __future__ import annotations

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.fits.folds import assign_folds
from equilibrax.raters._strong_alignment import common_folds

FOLDS, SEED = 3, 5


def test_folds_are_balanced_keep_groups_together_and_never_change():
    groups = np.array([7, 7, 3, 3, 9, 5, 5, 0, 1])
    fold = assign_folds(groups, FOLDS, "shuffled", SEED)
    assert fold.tolist() == assign_folds(2 * groups, FOLDS, "shuffled", SEED).tolist()  # by order, not by number
    assert fold[0] == fold[1]
    assert sorted(fold[[0, 2, 4, 5, 7, 8]].tolist()) == [0, 0, 1, 1, 2, 2]
    assert assign_folds(groups, FOLDS, "modulo", SEED).tolist() == (groups % FOLDS).tolist()
    # Written down once: published numbers can be had again, whatever the version of NumPy.
    assert assign_folds(np.arange(9), FOLDS, "shuffled", 0).tolist() == [2, 2, 1, 0, 1, 2, 1, 0, 0]


def test_curves_weak_and_strong_alignment_have_the_same_folds():
    answers = eq.raters.simulate_answers(3, 4, 12, 3, seed=11, ragged=True)
    models = np.where(np.arange(12)[:, None] == 2, np.nan, answers.models)  # no model answered the third question
    answers = eq.raters.answer_distributions(answers.users, models, answers.options)
    options = {"folds": FOLDS, "seed": SEED}
    curve = eq.alignment_curve(
        answers.rater_matrix(), sizes=(4,), subsets="all", methods=("nnls",), intercept=True, **options
    )
    weak = eq.raters.weak_alignment(answers, worst_case=False, **options)
    np.testing.assert_allclose(weak.rmse, curve.rmse[:, 0, 0, 0], rtol=1e-9)
    asked = answers.select(questions=[q for q in range(12) if q != 2])
    row = np.nonzero(asked.options)[0]
    np.testing.assert_array_equal(common_folds(asked, FOLDS, "shuffled", SEED)[row], curve.fold_of)
    strong = [
        eq.raters.strong_alignment(asked, worst_case=False, folds=FOLDS, seed=seed).fold_rmse for seed in (SEED, 6)
    ]
    assert not np.allclose(*strong)


def test_sets_of_users_that_leave_a_fold_empty_have_no_error():
    answers = eq.raters.simulate_answers(2, 2, 9, 2, seed=3)
    users = answers.users.copy()
    users[1, 2::3] = np.nan  # she was never asked what makes up the last fold
    answers = eq.raters.answer_distributions(users, answers.models)
    found = eq.raters.users_versus_error(answers, sizes=(1,), folds=FOLDS, fold_assignment="modulo")
    assert np.isnan(found.error).tolist() == [False, True]
    with pytest.raises(ValueError, match="groups in every fold, but no group's number leaves some rest by 3; try"):
        eq.raters.strong_alignment(answers, folds=FOLDS, fold_assignment="modulo")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "folds: expected a whole number from 2"),
        ({"folds": 5}, "folds: expected at most the number of groups of items, 4, got 5"),
        ({"assignment": "random"}, "fold_assignment: expected one of"),
        ({"seed": -1}, "seed: expected a whole number from 0"),
        ({"seed": 0.5}, "seed: expected a whole number from 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        assign_folds(np.arange(4), **{"folds": 2, "assignment": "shuffled", "seed": 0} | options)
