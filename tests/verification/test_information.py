"""Datasets of decision problems: verified by other means, and forgeries in every column are found."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import equilibrax as eq
import numpy as np
import oracles_information as oracle
import pytest
from equilibrax.datasets import InformationSweepConfig, run_information_sweep
from equilibrax.verification import NoDataset, verify
from equilibrax.verification.information import Problems, draw_problems, solve_markets
from forging import change, close_again, read, write

SMALL = InformationSweepConfig(problems=24, states=4, acts=2, items=2, levels=9, shard_size=16, splits=(1.0, 0.0, 0.0))
MADE = {
    "costly": replace(SMALL, family="costly"),
    "circle": replace(SMALL, game=eq.InformationMarket(buyer="bayesian", rounds="fixed_point", depth=3)),
    "partisan": replace(SMALL, family="partisan", game=eq.InformationMarket(buyer="bayesian")),
    "naive": replace(SMALL, family="guess", game=eq.InformationMarket(mechanism="naive", depth=1)),
}
RESULTS, PROBLEMS = "depths/train-00000000.parquet", "problems/train-00000000.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders that are never written to, by name."""
    folders: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            run_information_sweep(MADE[name], folders[name])
        return folders[name]

    return make


@pytest.mark.parametrize("name", MADE)
def test_what_a_sweep_makes_holds(made, name):
    report = verify(made(name))
    assert report.holds, report.failures
    assert report.complete, report.not_checked
    assert report.tables_checked == 24
    assert report.checked["shown"] > 0
    sampled = verify(made(name), sample=5)
    assert sampled.holds
    assert sampled.tables_checked == 5


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "circle" else pytest.mark.slow) for name in MADE]
)
def test_every_column_is_worked_out_again(made, tmp_path, name):
    """Another value in every column, each in a row of its own."""
    for file, rows in ((RESULTS, read(made(name), RESULTS)), (PROBLEMS, read(made(name), PROBLEMS))):
        passed = []
        for i, column in enumerate(rows.column_names):
            folder = Path(shutil.copytree(made(name), tmp_path / f"{file[0]}{i}"))
            row = (5 * i + 1) % rows.num_rows
            change(folder, file, column, row, _other(rows[column][row].as_py(), rows[column].type))
            if not any(failure.file == file for failure in verify(folder).failures):
                passed.append(column)
        assert passed == []


def test_a_problem_or_depth_that_is_missing_is_no_zero(made, tmp_path):
    for file, column in ((RESULTS, "problem"), (RESULTS, "depth"), (RESULTS, "seed"), (PROBLEMS, "problem")):
        folder = Path(shutil.copytree(made("circle"), tmp_path / f"{file[0]}-{column}"))
        change(folder, file, column, 0, None)
        assert (file, column, 0) in {(f.file, f.column, f.row) for f in verify(folder, sample=0).failures}


def _other(value: Any, kind: Any) -> Any:
    if value is None:
        return 0.5 if str(kind) == "double" else [1.0] * 4
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return "CYCLE" if value == "OK" else "OK" if value == "CYCLE" else "other"
    if isinstance(value, list):
        return [*value[:-1], value[-1] + 1]
    return value + 1e-7 if isinstance(value, float) else value + 1


def test_a_forged_settings_file_is_refused(made, tmp_path):
    for change_to in ({"items": 17}, {"levels": 0}, {"problems": 2**60}, {"game": {"name": "information_market"}}):
        folder = Path(shutil.copytree(made("costly"), tmp_path / str(len(list(tmp_path.iterdir())))))
        said = json.loads((folder / "sweep.json").read_text())
        said["config"] |= change_to
        (folder / "sweep.json").write_text(json.dumps(said))
        with pytest.raises(NoDataset):
            verify(folder)


def test_a_problem_that_is_missing_is_missed(made, tmp_path):
    folder = Path(shutil.copytree(made("costly"), tmp_path / "short"))
    rows = read(folder, RESULTS)
    write(folder, RESULTS, rows.slice(3), close=False)
    close_again(folder)
    assert {failure.check for failure in verify(folder).failures} == {"ids"}


def test_the_verifier_draws_and_solves_what_the_engine_does():
    """Written twice from the same words: threefry in NumPy, and markets by memoized contexts."""
    for family in eq.problems.PROBLEM_FAMILIES:
        problems = eq.random_problems(family, 40, states=5, acts=3, items=3, levels=7, seed=3)
        drawn = draw_problems(family, np.arange(40), states=5, acts=3, items=3, levels=7, seed=3)
        weights = drawn.prior // np.gcd.reduce(drawn.prior, axis=1, keepdims=True)
        np.testing.assert_array_equal(weights, problems.prior)
        np.testing.assert_array_equal(drawn.utility, problems.utility)
        np.testing.assert_array_equal(drawn.costs, problems.costs)


def test_the_verifier_agrees_with_the_oracle():
    problems = [oracle.random_problem((i, "verifier"), 5, 2, 3, owners=True, costs=True, stakes=True) for i in range(8)]
    arrays = {name: np.array([getattr(p, name) for p in problems]) for name in ("prior", "utility", "items", "stakes")}
    costs = np.array([[int(c) for c in p.costs] for p in problems])
    given = Problems(**arrays, costs=costs, owners=np.array(problems[0].owners), sellers=2)
    found = solve_markets(given, 3, naive=False, bayesian=True, again=True)
    for b, problem in enumerate(problems):
        choice, settled = oracle.fixed_points(problem, 3)
        assert found.settled[b].tolist() == settled
        for d in (d for d in range(4) if settled[d]):
            expected = oracle.bazaar(oracle.Bayesian(problem, choice), d)
            assert found.value[b, d] == expected.utility * sum(problem.prior)
            assert found.shown[b, d].tolist() == [sum(1 << m for m in known) for known in expected.shown]
