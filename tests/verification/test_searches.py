"""Profiles of lotteries that a search found are checked by other means: values, partitions as deviations, HiGHS."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.datasets.sweep import SweepConfig, run_sweep
from equilibrax.verification import verify
from equilibrax.verification.programs import Programs
from forging import change, read

RESULTS = "committees/train-00000000.parquet"
CONFIG = SweepConfig(
    family="senders",
    tables=12,
    states=2,
    actions=3,
    providers=2,
    shard_size=12,
    splits=(1.0, 0.0, 0.0),
    game=eq.Joint(rules="lotteries", search=eq.GradientSearch(starts=2, steps=40)),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    run_sweep(CONFIG, folder)
    return folder


def test_a_sound_dataset_passes(sound):
    report = verify(sound, programs=10_000)
    assert report.holds, report.failures
    assert report.complete, report.not_checked
    assert report.checked["search"] > 36 * 6
    assert report.checked["programs"] == 2 * 36


def test_what_is_said_of_a_profile_is_not_believed(sound, tmp_path):
    """Of the committee of both, in the first game: every column in turn, and what of it is found."""
    row = read(sound, RESULTS)["committee"].to_pylist().index(3)
    before = {name: values[row] for name, values in read(sound, RESULTS).to_pydict().items()}
    told = np.eye(2)[[0, 0]].ravel().tolist() * 2  # nobody says anything
    for column, value in (
        ("user_utility", before["user_utility"] + 1e-3),
        ("provider_utility", before["provider_utility"][::-1]),
        ("regret", before["regret_bound"] + 0.01),
        ("regret", None),
        ("regret_lower", before["regret_bound"] + 0.01),
        ("regret_bound", -0.1),
        ("epsilon", 1e-9 if before["epsilon"] is None else None),
        ("certified", not before["certified"]),
        ("lotteries", told),
        ("lotteries", [0.5] * 8 if before["lotteries"] != [0.5] * 8 else told),
        ("lotteries", [2.0, -1.0] * 4),
        ("optimum", before["optimum"] + 0.1),
        ("worst_utility", 0.5),
        ("status", "RULE_UNCERTIFIED" if before["status"] == "OK" else "OK"),
    ):
        folder = Path(shutil.copytree(sound, tmp_path / "copy"))
        change(folder, RESULTS, column, row, value)
        found = {(one.row, one.column) for one in verify(folder).failures}
        assert any(where == row for where, _ in found), (column, value)
        shutil.rmtree(folder)


def test_where_rounding_decides_what_she_does_numbers_are_between_what_she_may_do(sound, tmp_path, monkeypatch):
    """All that is said of such profiles was taken for true."""
    monkeypatch.setattr("equilibrax.verification.searches._FAR", 0.2)
    report = verify(sound)
    assert report.holds, report.failures
    assert "profiles in which rounding decides what the user does" in report.not_checked
    row = read(sound, RESULTS)["committee"].to_pylist().index(3)
    before = {name: values[row] for name, values in read(sound, RESULTS).to_pydict().items()}
    for column, value in (
        ("user_utility", before["user_utility"] + 1e-3),
        ("provider_utility", [5.0, *before["provider_utility"][1:]]),
        ("provider_utility", [before["provider_utility"][0], -5.0]),
    ):
        folder = Path(shutil.copytree(sound, tmp_path / "copy"))
        change(folder, RESULTS, column, row, value)
        assert (row, column) in {(one.row, one.column) for one in verify(folder).failures}
        shutil.rmtree(folder)


def test_a_profile_from_which_a_member_gains_is_found_though_all_else_is_consistent(sound, tmp_path):
    """Nobody says anything, and that is called an equilibrium: utilities are true, the regret is not."""
    game = eq.PersuasionGame.from_tables(eq.sample_tables("senders", 12, states=2, actions=3, providers=2, seed=0))
    silent = np.zeros((12, 2, 2, 2))
    silent[..., 0] = 1.0
    regret = eq.games.lottery_regret(game, silent)
    rows = read(sound, RESULTS).to_pydict()
    gains = dict(zip(range(12), regret.epsilon.tolist()))
    row = next(i for i, (t, c) in enumerate(zip(rows["table_id"], rows["committee"])) if c == 3 and gains[t] > 1e-3)
    table = rows["table_id"][row]
    folder = Path(shutil.copytree(sound, tmp_path / "copy"))
    for column, value in (
        ("lotteries", silent[table].ravel().tolist()),
        ("user_utility", float(regret.user_value[table])),
        ("provider_utility", regret.value[table].tolist()),
        ("regret_lower", 0.0),
        ("regret", 0.0),
        ("regret_bound", 0.0),
        ("certified", True),
        ("epsilon", 0.0),
        ("status", "OK"),
    ):
        if rows[column][row] != value:
            change(folder, RESULTS, column, row, value)
    found = {(one.check, one.column) for one in verify(folder, programs=10_000).failures if one.row == row}
    assert found
    assert found <= {("search", "regret_bound"), ("programs", "regret_bound")}
    assert ("programs", "regret_bound") in found


def test_what_is_said_of_a_quantal_user_is_checked_with_a_grid_of_posteriors(tmp_path):
    game = eq.Joint(rules="lotteries", response=eq.Quantal(5), search=eq.GradientSearch(starts=2, steps=40))
    run_sweep(replace(CONFIG, tables=3, shard_size=3, game=game), tmp_path)
    report = verify(tmp_path, programs=10_000)
    assert report.holds, report.failures
    assert report.complete, report.not_checked
    assert report.checked["programs"] == 2 * 9
    drawn = eq.PersuasionGame.from_tables(eq.sample_tables("senders", 3, states=2, actions=3, providers=2, seed=0))
    silent = np.zeros((3, 2, 2, 2))
    silent[..., 0] = 1.0
    regret = eq.games.lottery_regret(drawn, silent, response=eq.Quantal(5))
    table = int(regret.epsilon.argmax())
    rows = read(tmp_path, RESULTS).to_pydict()
    row = next(i for i, (t, c) in enumerate(zip(rows["table_id"], rows["committee"])) if (t, c) == (table, 3))
    change(tmp_path, RESULTS, "user_utility", row, float(regret.user_value[table]))
    change(tmp_path, RESULTS, "provider_utility", row, regret.value[table].tolist())
    change(tmp_path, RESULTS, "lotteries", row, silent[table].ravel().tolist())
    found = {(one.check, one.column) for one in verify(tmp_path, programs=10_000).failures if one.row == row}
    assert found
    assert found <= {("search", "regret_bound"), ("programs", "regret_bound")}
    assert ("programs", "regret_bound") in found


def test_highs_has_what_a_sender_can_have_and_ties_are_not_for_him():
    """The prosecutor of Kamenica and Gentzkow; and a user who does not care, whom nobody can move."""
    user, own = np.array([[[0.3, 0], [0, 0.7]]]), np.array([[[0.3, 0], [0.7, 0]]])
    assert Programs().persuade(user, own, 0.0) == pytest.approx(0.6, abs=1e-9)
    assert Programs().persuade(user, own[..., ::-1], 1e-7) == pytest.approx(1.0, abs=1e-5)
    indifferent, wants = np.zeros((1, 1, 2)), np.array([[[0.0, 1.0]]])
    assert Programs().persuade(indifferent, wants, 0.0) == pytest.approx(1.0, abs=1e-9)
    assert Programs().persuade(indifferent, wants, 1e-7) == pytest.approx(0.0, abs=1e-9)
