"""HiGHS through highspy, presolve off, one LP at a time with one solver object."""

from __future__ import annotations

import highspy
import numpy as np

from bench.data import Data
from bench.engines import Run
from bench.engines._lp import Programs, loop
from bench.workloads import Workload

FIRST = 16


def prepare(workload: Workload, data: Data) -> Run:
    solver = highspy.Highs()
    for option, value in (("output_flag", False), ("presolve", "off"), ("solver", "simplex"), ("threads", 1)):
        solver.setOptionValue(option, value)
    return loop(data, lambda programs: solve_block(solver, programs))


def solve_block(solver: highspy.Highs, programs: Programs) -> np.ndarray:
    count, rows, variables = programs.matrix.shape
    problem = highspy.HighsLp()
    problem.num_col_, problem.num_row_ = variables, rows
    problem.col_cost_ = np.eye(variables)[-1]
    problem.col_lower_ = np.concatenate([np.zeros(variables - 2), [-np.inf, 0.0]])
    problem.col_upper_ = np.full(variables, np.inf)
    problem.row_lower_ = np.full(rows, -np.inf)
    problem.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    problem.a_matrix_.start_ = np.arange(rows + 1) * variables
    problem.a_matrix_.index_ = np.tile(np.arange(variables), rows)
    weights = np.empty((count, variables - 2))
    for n in range(count):
        problem.row_upper_ = programs.bound[n]
        problem.a_matrix_.value_ = programs.matrix[n].ravel()
        solver.passModel(problem)
        solver.run()
        optimal = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
        weights[n] = np.asarray(solver.getSolution().col_value)[:-2] if optimal else np.nan
    return weights
