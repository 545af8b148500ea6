"""Lotteries are verified by other means: all faces in fractions, and single utilities by HiGHS."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import equilibrax as eq
import numpy as np
import oracles
import oracles_lotteries
import pytest
from equilibrax.datasets.sweep import SweepConfig, run_sweep
from equilibrax.verification import verify
from equilibrax.verification.games import Games
from equilibrax.verification.lotteries import solve_lotteries
from equilibrax.verification.programs import Programs
from forging import change, read

RESULTS = "committees/train-00000000.parquet"
CONFIG = SweepConfig(
    tables=16,
    states=3,
    actions=3,
    providers=2,
    resolution=10,
    shard_size=16,
    splits=(1.0, 0.0, 0.0),
    columns=("schemes", "weights"),
    game=eq.Selection(rules="lotteries"),
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    run_sweep(CONFIG, folder)
    return folder


@pytest.fixture
def dataset(sound, tmp_path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "dataset"))


def found(folder: Path, **options) -> set[tuple[str, int | None, str | None]]:
    return {(one.check, one.row, one.column) for one in verify(folder, **options).failures}


def test_a_sound_dataset_passes(sound):
    report = verify(sound)
    assert report.holds, report.failures
    assert report.complete, report.not_checked
    assert report.checked["intervals"] >= 48
    assert report.proven == {"all faces": 48}


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        {"game": eq.Selection("lowest_index", rules="lotteries", misalignment=False), "columns": ("schemes",)},
        {"float32": True},
        {"states": 12, "actions": 4, "tables": 3},
    ],
    ids=["lowest index", "32 bits", "large"],
)
def test_others_pass(tmp_path, other):
    run_sweep(replace(CONFIG, **other), tmp_path)
    report = verify(tmp_path)
    assert report.holds, report.failures
    assert report.complete, report.not_checked


def place_of(folder: Path, wide: bool) -> tuple[int, list]:
    """A row of both providers whose first interval is wide, or not."""
    rows = read(folder, RESULTS)
    both = enumerate(zip(rows["committee"].to_pylist(), rows["intervals"].to_pylist()))
    return next((i, ends) for i, (mask, ends) in both if mask == 3 and (ends[0][0] < ends[0][1]) == wide)


def test_intervals_that_are_not_all_are_found(dataset):
    row, ends = place_of(dataset, True)
    for other in ([[ends[0][1], ends[0][1]], *ends[1:]], [[*ends[0]], [*ends[0]]], [], None, [[1.0]]):
        change(dataset, RESULTS, "intervals", row, other)
        assert {one[1:] for one in found(dataset)} in ({(row, "intervals")}, {(None, None)}), other
        change(dataset, RESULTS, "intervals", row, ends)


@pytest.mark.parametrize(
    ("column", "value", "check"),
    [
        ("worst_utility", 0.05, "worst"),
        ("best_utility", 0.05, "best"),
        ("equilibria", 2, None),
        ("worst_scheme", [0, 0, 0], "schemes"),
        ("status", "FRONTIER_OVERFLOW", "status"),
        ("dynamics_utility", 0.5, "nulls"),
    ],
)
def test_other_values_are_found(dataset, column, value, check):
    row, _ = place_of(dataset, True)
    change(dataset, RESULTS, column, row, value)
    here = found(dataset)
    assert here
    assert check is None or (check, row, column) in here


def games_of(tables: list[oracles.Table], ties: bool) -> Games:
    utilities = np.array([[table.user, *table.providers] for table in tables], np.int64)
    prior, available = (np.array([getattr(table, name) for table in tables]) for name in ("prior", "available"))
    return Games(utilities, prior.astype(np.int64), available, 1, ties)


@pytest.mark.parametrize("tie_break", ["incumbent", "lowest_index"])
def test_faces_agree_with_the_product_over_breakpoints(tie_break):
    rng = random.Random(6)
    tables = [oracles.random_table(rng, 3, 3, 3, 0, high) for high in (3, 9) for _ in range(12)]
    tables += [replace(table, user=[[v * 2**29 for v in row] for row in table.user]) for table in tables[:3]]
    answers = solve_lotteries(games_of(tables, tie_break == "lowest_index"))
    for i, table in enumerate(tables):
        for c, committee in enumerate(oracles.committees(table)):
            intervals, attained = oracles_lotteries.equilibria(table, committee, tie_break)
            assert [tuple(ends) for ends in answers.drawn.intervals[i][c].tolist()] == intervals
            assert set(map(tuple, np.argwhere(answers.outcomes[i, c]).tolist())) == attained
            assert tuple(answers.worst_scheme[i, c]) == oracles_lotteries.worst_scheme(table, committee, tie_break)
            common = oracles_lotteries.common_faces(table, committee, tie_break)
            for scheme in oracles.schemes(table):
                stable = any(all(a in actions for a, actions in zip(scheme, face)) for face in common)
                assert answers.drawn.accepts(i, committee, np.array(scheme)) == stable


def test_highs_says_the_same_as_the_other_scan():
    rng, solver = random.Random(2), Programs()
    for _ in range(10):
        table = oracles.random_table(rng, 2, 3, 2, 0, 9)
        games, scan = games_of([table], False), oracles_lotteries.Scan(table, 3)
        top = int(games.optimum()[0])
        for value in np.linspace(oracles_lotteries.lowest_value(table), top, 5, endpoint=False):
            slack = solver.slack(games.contributions[0], games.available[0], float(value))
            assert slack <= 1e-9
            assert (slack > -1e-9) == (scan.slack(float(value)) > -1e-9)
