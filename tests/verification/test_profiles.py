"""Results of oblivious providers: all profiles of their optimal partitions, and forgeries that only they refute."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path

import equilibrax as eq
import numpy as np
import oracles
import pytest
from equilibrax.cli import main
from equilibrax.datasets.sweep import SweepConfig, run_sweep
from equilibrax.verification import verify
from equilibrax.verification.games import Games
from equilibrax.verification.partitions import all_partitions, labels_of, solve_partitions
from equilibrax.verification.profiles import compare_profiles, not_compared
from forging import change, read

CONFIG = SweepConfig(
    game=eq.Oblivious(),
    tables=30,
    states=3,
    actions=2,
    providers=3,
    resolution=3,  # so that there are many optima
    shard_size=32,
    splits=(1.0, 0.0, 0.0),
)
RESULTS = "committees/train-00000000.parquet"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    run_sweep(CONFIG, folder)
    return folder


@pytest.fixture
def dataset(sound, tmp_path):
    return Path(shutil.copytree(sound, tmp_path / "dataset"))


def found(folder: Path) -> set[tuple]:
    return {(f.check, f.row, f.column) for f in verify(folder).failures}


def between(folder: Path) -> int:
    """A row whose worst and best differ."""
    rows = read(folder, RESULTS)
    differ = rows["worst_utility"].to_numpy() < rows["best_utility"].to_numpy()
    return int(np.flatnonzero(differ & (rows["committee_size"].to_numpy() > 1))[0])


def test_a_sound_dataset_verifies_with_exit_status_0(sound):
    report = verify(sound)
    assert report.holds, report.failures
    assert report.complete, report.not_checked
    assert main(["verify", str(sound)]) == 0


@pytest.mark.parametrize(("name", "other"), [("worst", "best"), ("best", "worst")])
def test_a_worst_or_best_of_some_profiles_only_is_found(dataset, name, other):
    row = between(dataset)
    value = read(dataset, RESULTS)[f"{other}_utility"][row].as_py()
    change(dataset, RESULTS, f"{name}_utility", row, value)
    assert found(dataset) == {(name, row, f"{name}_utility")}


def test_another_partition_as_the_worst_is_found(dataset):
    row = between(dataset)
    stored = read(dataset, RESULTS)["worst_partition"][row].as_py()
    for labels in labels_of(CONFIG.states).tolist():
        if labels != stored:
            change(dataset, RESULTS, "worst_partition", row, labels)
            assert found(dataset) == {("schemes", row, "worst_partition")}


def test_profiles_that_are_said_not_to_be_compared_are_found(dataset):
    """Nor can that excuse a wrong number."""
    row = between(dataset)
    value = read(dataset, RESULTS)["best_utility"][row].as_py()
    change(dataset, RESULTS, "status", row, "PROFILES_NOT_COMPARED")
    change(dataset, RESULTS, "worst_utility", row, value)
    assert found(dataset) == {("status", row, "status"), ("worst", row, "worst_utility")}


def test_the_status_of_lotteries_is_none_of_partitions(dataset):
    change(dataset, RESULTS, "status", 3, "RULE_UNCERTIFIED")
    assert found(dataset) == {("status", 3, "status")}


@pytest.mark.parametrize("large", [False, True], ids=["solved again", "by their number"])
def test_profiles_that_are_too_many_must_say_so(tmp_path, monkeypatch, large):
    monkeypatch.setattr("equilibrax.games.oblivious.MAX_PROFILES", 3)
    monkeypatch.setattr("equilibrax.verification.profiles.MOST_PROFILES", 3)
    run_sweep(replace(CONFIG, tables=10), tmp_path)
    if large:
        monkeypatch.setattr("equilibrax.verification.partition_results.MOST_STATES", 2)
    report = verify(tmp_path)
    assert report.holds, report.failures
    assert report.complete == (not large)
    said = read(tmp_path, RESULTS)["status"].to_pylist()
    assert set(said) == {"OK", "PROFILES_NOT_COMPARED"}
    for status, other in (("OK", "PROFILES_NOT_COMPARED"), ("PROFILES_NOT_COMPARED", "OK")):
        row = said.index(status)
        change(tmp_path, RESULTS, "status", row, other)
        assert found(tmp_path) == {("status", row, "status")}
        change(tmp_path, RESULTS, "status", row, status)


def test_lotteries_cannot_say_it(tmp_path):
    run_sweep(replace(CONFIG, game=eq.Oblivious("lotteries"), tables=4), tmp_path)
    assert found(tmp_path) == set()
    change(tmp_path, RESULTS, "status", 3, "PROFILES_NOT_COMPARED")
    assert found(tmp_path) == {("status", 3, "status")}


def test_which_numbers_are_too_many():
    count = np.array([1, 2, 4096, 4097])
    assert not_compared(count, 12).tolist() == [False, False, False, True]
    assert not_compared(count, 13).tolist() == [False, True, True, True]


def test_all_profiles_are_those_of_brute_force():
    """Optima by definition, profiles by itertools, what they say together by the tuples of the states' labels."""
    drawn, sizes = random.Random(3), Counter()
    for shape in ((3, 2, 3), (4, 2, 2), (3, 3, 3)):
        for _ in range(10):
            table = oracles.random_table(drawn, *shape, high=2)
            available = np.ones_like(np.array(table.available))
            games = Games(
                np.array([[table.user, *table.providers]]), np.array([table.prior]), available[None], 1, False
            )
            truth = solve_partitions(games, None, 0.0, False, None)
            profiles = compare_profiles(games, truth)
            listed, labels = all_partitions(games.states)[0], labels_of(games.states)
            values = np.array([[_worth(games, p, cells) for cells in listed] for p in range(games.providers + 1)])
            optima = [np.flatnonzero(own == own.max()) for own in values[1:]]
            places = {_pattern(row): place for place, row in enumerate(labels.tolist())}
            for c, mask in enumerate(games.committees.tolist()):
                own = [optima[j] for j in range(games.providers) if mask >> j & 1]
                heard = sorted({places[_pattern(zip(*labels[list(profile)]))] for profile in product(*own)})
                assert profiles.count[c] == prod(map(len, own))
                assert profiles.worst[c] == min(heard, key=lambda place: (values[0, place], place))
                assert values[0, profiles.best[c]] == values[0, heard].max()
                sizes[len(heard) > 1] += 1
    assert min(sizes.values()) > 20


def _worth(games: Games, player: int, cells: np.ndarray) -> int:
    total = 0
    for cell in cells.tolist():
        if cell:
            sums = games.contributions[0][:, [x for x in range(games.states) if cell >> x & 1]].sum(axis=1)
            total += int(sums[player, sums[0].argmax()])
    return total


def _pattern(marks) -> tuple[int, ...]:
    marks = list(marks)
    return tuple(marks.index(mark) for mark in marks)
