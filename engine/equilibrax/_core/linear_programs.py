"""Linear programs by HiGHS: the one place that builds its models, runs it and reads what it found.

    minimize cost . v   such that   low <= matrix v <= high,   lowest <= v <= highest

Every status that HiGHS returns is looked at. What it calls an error raises, and so does a program that it did not
solve: an empty solution never goes on. Solutions are not certified here, callers do that, so one that HiGHS is in doubt
about is handed on as such.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from equilibrax._core.status import SolveError

if TYPE_CHECKING:
    import highspy

TOLERANCE = 1e-10
"""Primal and dual feasibility, the smallest that HiGHS takes. Callers scale their programs to about 1."""

THREADS = 1
"""HiGHS keeps one set of threads for all its solvers and refuses to run one that wants another number. Programs of one
process therefore all want the same; one thread, since the simplex method is serial and processes share the machine."""


class UnsolvedProgram(SolveError):
    """HiGHS takes a program for infeasible or unbounded, gave up, or refused its numbers."""


class Rows(NamedTuple):
    """A sparse matrix by rows: row r has `value[start[r] : start[r + 1]]` in the columns `index[start[r] : ...]`.

    Attributes:
        start: `[r + 1]` whole numbers.
        index, value: `[entries]`.
    """

    start: np.ndarray
    index: np.ndarray
    value: np.ndarray


class Solution(NamedTuple):
    """What HiGHS found.

    Attributes:
        values: `[n]` of the variables.
        multipliers: `[r]` of the rows, in the sign of HiGHS.
        optimal: whether HiGHS calls them optimal. If not, it was left in doubt by its own tolerances.
    """

    values: np.ndarray
    multipliers: np.ndarray
    optimal: bool


class LinearPrograms:
    """One HiGHS for one program after another; each starts from nothing.

    Example:
        >>> import numpy as np
        >>> programs = LinearPrograms()
        >>> shares = np.ones((1, 2))
        >>> found = programs.solve(np.array([3.0, 2.0]), shares, np.ones(1), np.ones(1), np.zeros(2), np.ones(2))
        >>> found.values.tolist(), found.multipliers.tolist()
        ([0.0, 1.0], [2.0])
    """

    def __init__(self, *, presolve: bool = True, tolerance: float = TOLERANCE) -> None:
        self._solver = quiet_solver()
        self._set("threads", THREADS)
        self._set("solver", "simplex")
        self._set("primal_feasibility_tolerance", tolerance)
        self._set("dual_feasibility_tolerance", tolerance)
        if not presolve:
            self._set("presolve", "off")

    def solve(
        self,
        cost: np.ndarray,
        matrix: np.ndarray | Rows,
        low: np.ndarray,
        high: np.ndarray,
        lowest: np.ndarray,
        highest: np.ndarray,
    ) -> Solution:
        """Solve one program.

        Args:
            cost: `[n]`, finite; matrix: `[r, n]` or its `Rows`, finite; low, high: `[r]` limits of the rows; lowest,
                highest: `[n]` limits of the variables; limits may be infinite. HiGHS takes entries of the matrix of at
                most 1e-9 for zero.

        Raises:
            UnsolvedProgram: if HiGHS refuses the numbers, or ends without a solution.
            SolveError: if HiGHS itself fails.
        """
        import highspy

        rows = matrix if isinstance(matrix, Rows) else _sparse(matrix)
        for name, numbers in (("cost", cost), ("matrix", rows.value)):  # HiGHS calls a solution with NaN optimal
            if not np.isfinite(numbers).all():
                raise UnsolvedProgram(f"HiGHS: expected finite numbers in a program, got {name} with NaN or infinity")
        problem = highspy.HighsLp()
        problem.num_col_, problem.num_row_ = len(cost), len(low)
        problem.col_cost_, problem.col_lower_, problem.col_upper_ = cost, lowest, highest
        problem.row_lower_, problem.row_upper_ = low, high
        problem.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        problem.a_matrix_.start_, problem.a_matrix_.index_, problem.a_matrix_.value_ = rows
        # A warning is no failure: it says that tiny entries were dropped, or that a limit was reached.
        check_status("passModel", self._solver.passModel(problem), UnsolvedProgram)
        self._run()
        status, solution = self._solver.getModelStatus(), self._solver.getSolution()
        optimal = status == highspy.HighsModelStatus.kOptimal
        values, multipliers = np.asarray(solution.col_value), np.asarray(solution.row_dual)
        whole = solution.value_valid and solution.dual_valid and np.isfinite(values).all()
        whole = whole and (len(values), len(multipliers)) == (len(cost), len(low))
        if not (optimal or status == highspy.HighsModelStatus.kUnknown) or not whole:
            raise UnsolvedProgram(
                f"HiGHS: getModelStatus returned {status.name} for a program of {len(low)} rows and {len(cost)} "
                f"variables, with {len(multipliers)} multipliers and {len(values)} values"
            )
        return Solution(values, multipliers, optimal)

    def _run(self) -> None:
        import highspy

        status = self._solver.run()
        if status == highspy.HighsStatus.kError:
            # Most likely code of the user's has run HiGHS with another number of threads. Zero takes those that exist.
            self._set("threads", 0)
            status = self._solver.run()
        check_status("run", status)

    def _set(self, option: str, value: Any) -> None:
        check_status(f"setOptionValue({option!r}, {value!r})", self._solver.setOptionValue(option, value))


def quiet_solver() -> highspy.Highs:
    """A HiGHS that prints nothing, not even the banner that it greets with when it is made."""
    solver = _quiet_class()()
    check_status("setOptionValue('output_flag', False)", solver.setOptionValue("output_flag", False))
    return solver


@lru_cache(maxsize=1)
def _quiet_class() -> type[highspy.Highs]:
    import highspy

    class Quiet(highspy.Highs):
        def __init__(self) -> None:
            # The constructor of `Highs` turns callbacks on, and that prints the banner before anybody could set an
            # option. None are used here, so only the constructor above it is called.
            super(highspy.Highs, self).__init__()

    return Quiet


def check_status(call: str, status: highspy.HighsStatus, failure: type[SolveError] = SolveError) -> None:
    """Raise `failure`, naming the call, if HiGHS returned an error from it."""
    import highspy

    if status == highspy.HighsStatus.kError:
        raise failure(f"HiGHS: {call} returned {status.name}")


def _sparse(matrix: np.ndarray) -> Rows:
    rows, columns = np.nonzero(matrix)
    return Rows(np.searchsorted(rows, np.arange(len(matrix) + 1)), columns, matrix[rows, columns])
