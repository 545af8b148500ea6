"""HiGHS in one place: programs with known answers, what it refuses, its threads and its banner."""

from __future__ import annotations

import subprocess
import sys

import highspy
import numpy as np
import pytest
from equilibrax import SolveError
from equilibrax._core.linear_programs import LinearPrograms, Rows, UnsolvedProgram, check_status
from equilibrax.verification.programs import Programs

ONE, TWO, NONE = np.ones(1), np.ones(2), np.zeros(2)
FREE = np.full(2, np.inf)


def least_of_sum(programs: LinearPrograms, matrix, low=1.0, high=np.inf, cost=(1.0, 2.0)):
    """min cost . v such that low <= matrix . v <= high, v >= 0."""
    return programs.solve(np.array(cost), matrix, low * ONE, high * ONE, NONE, FREE)


def test_one_solver_solves_one_program_after_another():
    programs = LinearPrograms()
    for factor in (1.0, 2.0, 4.0):
        found = least_of_sum(programs, np.array([[factor, 1.0]]))
        np.testing.assert_allclose(found.values, [1 / factor, 0], atol=1e-12)
        np.testing.assert_allclose(found.multipliers, [1 / factor], atol=1e-12)
        assert found.optimal


def test_sparse_rows_are_the_same_matrix():
    sparse = Rows(np.array([0, 1]), np.array([1]), np.array([4.0]))
    np.testing.assert_array_equal(least_of_sum(LinearPrograms(), sparse).values, [0, 0.25])
    np.testing.assert_array_equal(least_of_sum(LinearPrograms(), np.array([[0.0, 4.0]])).values, [0, 0.25])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"low": -2.0, "high": -1.0}, "kInfeasible"),
        ({"cost": (-1.0, 2.0)}, "kUnbounded"),
        ({"matrix": np.array([[1e16, 1.0]])}, "passModel returned kError"),
        ({"low": np.nan}, "passModel returned kError"),
        ({"matrix": np.array([[np.nan, 1.0]])}, "matrix with NaN"),  # which HiGHS would solve
        ({"cost": (np.inf, 1.0)}, "cost with NaN or infinity"),
    ],
)
def test_what_is_not_solved_raises(change, said):
    programs = LinearPrograms()
    with pytest.raises(UnsolvedProgram, match=said):
        least_of_sum(programs, **{"matrix": np.ones((1, 2))} | change)
    assert least_of_sum(programs, np.ones((1, 2))).values.tolist() == [1, 0]  # and the next program is solved


def test_an_error_names_the_call_and_the_status():
    with pytest.raises(SolveError, match=r"setOptionValue\('primal_feasibility_tolerance', -1\) returned kError"):
        LinearPrograms(tolerance=-1)
    check_status("run", highspy.HighsStatus.kWarning)


def test_the_independent_helper_raises_too():
    programs = Programs()
    user, both = np.array([0.0, 1.0]), np.ones(2, bool)
    with pytest.raises(RuntimeError, match="passModel returned kError"):
        programs.score(user, np.array([[0.0, 1e16]]), both, both)
    least, most = programs.score(user, np.array([[0.0, 2.0]]), both, both)
    assert (least, most) == pytest.approx((0, 0), abs=1e-9)
    least, most = programs.score(user, np.array([[2.0, 0.0]]), both, both)
    assert (least, most) == pytest.approx((0.5, 0.5))


def test_a_user_with_constant_utility_needs_no_program():
    every = np.ones(3, bool)
    assert Programs().score(np.full(3, 7.0), np.array([[0.0, 0.5, 1.0]]), every, every) == (0.0, 0.0)


OTHERS = """
import highspy
from equilibrax._core.linear_programs import LinearPrograms
from equilibrax.verification.programs import Programs
import numpy as np
other = highspy.Highs()
other.setOptionValue("output_flag", False)
other.setOptionValue("threads", {threads})
other.addVar(0, 1)
assert other.run() == highspy.HighsStatus.kOk
print("---", flush=True)
both = np.ones(2, bool)
assert Programs().score(np.arange(2.0), -np.ones((1, 2)), both, both) == (0.5, 0.5)
found = LinearPrograms().solve(np.ones(1), np.ones((1, 1)), np.ones(1), np.ones(1), np.zeros(1), np.ones(1))
assert found.values.tolist() == [1.0]
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_no_banner_and_no_quarrel_about_threads(threads):
    """Another HiGHS of the process has run with threads of its own."""
    ran = subprocess.run([sys.executable, "-c", OTHERS.format(threads=threads)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.partition("---")[2].strip() == ""
