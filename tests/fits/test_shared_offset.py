"""Least squares on data that share much more than they differ by, against exact arithmetic."""

from __future__ import annotations

import equilibrax as eq
import numpy as np
import oracles_exact_fits as exact
import pytest
from equilibrax.fits.rays import apart, residual

METHODS = ("nnls", "simplex")

# A target and raters by item: what differs. The first two rows fit a mixture exactly in integers: 2 y = Ann + Bob.
SPREADS = np.array(
    [[9, 6, 12, 74], [24, 17, 31, 72], [80, 69, 91, 22], [58, 54, 62, 83], [9, 14, 4, 66], [43, 41, 45, 68],
     [48, 58, 38, 82], [16, 14, 18, 43], [73, 73, 73, 76], [11, 26, -4, 88], [39, 39, 39, 10], [52, 47, 57, 85]]
)  # fmt: skip


def _curve(values: np.ndarray, **options):
    matrix = eq.raters.rater_matrix(values[:, 1:], values[:, 0])
    return matrix, eq.alignment_curve(matrix, permutations=2, folds=3, methods=METHODS, **options)


def _members():
    rng = np.random.default_rng(4)
    noisy = SPREADS + rng.integers(-9, 9, SPREADS.shape)
    seconds = np.array([9, 24, 80, 58, 9, 43, 48, 16, 73, 11, 39, 52])
    return {
        "seconds since 1970": noisy + 1_700_000_000,
        "thousandths on 32768": 32768 + noisy / 1000,
        "ten-millionths on a half": 0.5 + noisy * 1e-7,
        "just below 2^53": noisy + 2**53 - 1000,
        "a trend that all share": noisy + 10**7 * np.arange(12)[:, None],
        "an offset and a trend": noisy + 10**12 + 10**6 * (seconds**2)[:, None],
        "one rater without the offset": noisy + 10**9 * np.array([1, 1, 1, 0]),
        "one rater of the other sign": (noisy + 10**9) * np.array([1, 1, 1, -1]),
        "offsets of several sizes": noisy + np.array([10**9, 10**9, 2 * 10**9, 10**6]),
        "nothing shared": noisy,
    }


@pytest.mark.parametrize("name", list(_members()))
def test_errors_are_those_of_exact_arithmetic(name):
    matrix, curve = _curve(_members()[name])
    assert (curve.kkt_residual <= 1e-8).all()
    for m, constraint in enumerate(("nonnegative", "simplex")):
        expected = exact.cross_validated(matrix.ratings, matrix.targets[:, 0], curve.fold_of, constraint)
        assert curve.mse[0, m, -1] == pytest.approx(expected, rel=1e-6), constraint


@pytest.mark.parametrize("offset", [0, 10**5, 1_700_000_000, 10**12, 2**53 - 200])
@pytest.mark.parametrize("intercept", [False, True])
def test_whole_numbers_that_a_mixture_matches_are_matched(offset, intercept):
    _, curve = _curve(SPREADS + offset, sizes=(3,), intercept=intercept)
    assert (curve.mse < 1e-9).all()
    assert curve.mse.shape == (1, 2, 1, 2)


def test_an_intercept_is_an_offset():
    plain, far = (_curve(SPREADS + 7 * (SPREADS % 5) + offset, intercept=True)[1] for offset in (0, 2**52))
    np.testing.assert_allclose(far.mse, plain.mse, rtol=1e-9)


def test_parts_have_nothing_of_the_target_and_beta_the_rest():
    rng = np.random.default_rng(0)
    target = 1e15 + rng.integers(0, 99, 20).astype(float)
    columns = np.array([1.0, -3.0, 1e-6, 0.0]) * target[:, None] + rng.integers(0, 99, (20, 4))
    beta, parts = apart(columns, target, np.ones(20))
    np.testing.assert_allclose(beta, [1, -3, 1e-6, 0], rtol=1e-9, atol=1e-12)
    norms = np.linalg.norm(parts, axis=0)
    assert (np.abs(target @ parts) <= 1e-13 * np.linalg.norm(target) * norms).all()
    assert (norms < 500).all()


def test_gram_matrices_say_what_they_can_tell():
    found = []
    for offset in (0, 10**3, 10**5, 10**7, 1_700_000_000):
        values = _members()["nothing shared"].astype(float) + offset
        gram, moment = values[:, 1:].T @ values[:, 1:], values[:, 1:].T @ values[:, 0]
        fit = eq.nonnegative_least_squares(gram, moment, throw=False)
        found.append((bool(fit.converged), float(fit.precision)))
        if fit.converged:
            _, expected = exact.least_squares(values[:, 1:], values[:, 0], "nonnegative")
            missed = ((values[:, 1:] @ fit.weights - values[:, 0]) ** 2).sum()
            assert missed == pytest.approx(float(expected), rel=3 * float(fit.precision) + 1e-9)
        else:
            with pytest.raises(eq.SolveError, match="Gram matrices have lost the digits that decide"):
                eq.nonnegative_least_squares(gram, moment)
    assert [ok for ok, _ in found] == [True, True, True, False, False]
    assert found[0][1] < 1e-13
    gram = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert eq.nonnegative_least_squares(gram, [1.0, 0.0]).converged  # one column is all, and that is decided
    values = _members()["seconds since 1970"].astype(float)
    sums = values[:, 1:].T @ values[:, 1:], values[:, 1:].T @ values[:, 0]
    fit = eq.nonnegative_least_squares(*sums, square=values[:, 0] @ values[:, 0], constraint="simplex", throw=False)
    assert not fit.converged


def test_a_certificate_fails_for_weights_that_are_not_optimal():
    target = SPREADS[:, 0] + 1.7e9
    columns = _members()["seconds since 1970"][:, 1:].astype(float)
    beta, parts = apart(columns, target, np.ones(len(target)))
    gram = parts.T @ parts
    for wrong in np.eye(3):
        v = wrong / (beta @ wrong)
        worst, _ = residual(gram @ v, np.diag(gram), beta, v, np.ones(3, bool))
        assert worst > 1e-2


@pytest.mark.parametrize("scale", [1e-98, 1.0, 1e97])
def test_numbers_of_any_size_are_fitted_alike(scale):
    usual, scaled = (_curve(one * (SPREADS + 7.0 * (SPREADS % 5)), sizes=(3,))[1] for one in (1.0, scale))
    np.testing.assert_allclose(scaled.mse / scale / scale, usual.mse, rtol=1e-9)


@pytest.mark.parametrize("part", [0, 1, slice(None)])
@pytest.mark.parametrize("scale", [1e-103, 1e-160, 1e-310])
def test_numbers_whose_squares_vanish_are_refused(scale, part):
    """They were fitted with an error of NaN or 0, and called solved."""
    values = SPREADS.astype(float)
    values[:, part] *= scale
    with pytest.raises(ValueError, match=r"^(ratings|targets): expected numbers of 1e-100 or more, or zeros, got "):
        _curve(values)
