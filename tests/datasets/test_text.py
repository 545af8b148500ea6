"""Sweeps whose splits go by form, and that say their games in words: the same bytes by every route, and verified."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import equilibrax as eq
import pyarrow as pa
import pytest
from equilibrax.cli import main
from equilibrax.datasets import form_hashes, grade, load_arrays, questions
from forging import change, close_again, read, write

CONFIG = eq.SweepConfig(
    tables=96, states=2, actions=2, providers=2, resolution=1, shard_size=32, seed=4, splits=(0.5, 0.25, 0.25),
    split_by="form", text=True,
)  # fmt: skip
SPLITS = ("train", "validation", "test")
TEXT = "text/train-00000001.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    eq.run_sweep(CONFIG, folder)
    return folder


@pytest.fixture
def dataset(made, tmp_path):
    """A copy to tamper with."""
    return Path(shutil.copytree(made, tmp_path / "dataset"))


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_route_ends_with_the_same_bytes(made, tmp_path, capsys):
    """Two processes, one of which dies and goes on; and the command."""
    stopped = iter([False, True])
    eq.run_sweep(CONFIG, tmp_path / "shared", worker=(0, 2), should_stop=lambda: next(stopped))
    for worker in ((1, 2), (0, 2)):
        eq.run_sweep(CONFIG, tmp_path / "shared", worker=worker)
    assert content(tmp_path / "shared") == content(made)
    flags = (
        "--tables 96 --states 2 --actions 2 --providers 2 --resolution 1 --shard-size 32 --seed 4 --splits .5,.25,.25"
    )
    assert main(["sweep", *flags.split(), "--split-by", "form", "--text", "--out", str(tmp_path / "typed")]) == 0
    assert content(tmp_path / "typed") == content(made)


def test_no_relabelled_twin_leaks(made):
    parts = {split: load_arrays(made, split) for split in SPLITS}
    forms = {split: set(form_hashes(part).tolist()) for split, part in parts.items()}
    assert sum(map(len, parts.values())) == 96
    assert min(map(len, parts.values())) > 5
    assert len(set.union(*forms.values())) < 96  # there are twins
    assert (
        not forms["train"] & forms["validation"] | forms["train"] & forms["test"] | forms["test"] & forms["validation"]
    )
    for split, part in parts.items():  # the function says the same of each
        again = eq.datasets.split_by_form(part, CONFIG.splits, seed=CONFIG.seed)
        assert {name: len(own) for name, own in again.items() if len(own)} == {split: len(part)}


def test_a_split_without_a_word_about_it_is_by_id(tmp_path):
    """Nothing is written where nothing new was asked for, so folders of before can be gone on with."""
    eq.run_sweep(replace(CONFIG, tables=32, split_by="id", text=False), tmp_path)
    config = json.loads((tmp_path / "sweep.json").read_text())["config"]
    assert not {"split_by", "text"} & set(config)
    assert not (tmp_path / "text").exists()


def test_text_has_the_questions_about_its_split(made):
    for split in SPLITS:
        rows = [row for shard in range(3) for row in read(made, f"text/{split}-{shard:08}.parquet").to_pylist()]
        asked = {question.id: question for question in questions(load_arrays(made, split), seed=CONFIG.seed)}
        assert [row["id"] for row in rows if row["kind"] == "equilibria"] == sorted(
            (name for name in asked if name.endswith("equilibria")), key=lambda name: int(name.partition("-")[0])
        )
        for row in rows:
            question = asked[row["id"]]
            assert {**vars(question), "prompt": question.prompt} == {
                **row, "accepted": tuple(row["accepted"]), "choices": tuple(row["choices"])
            }  # fmt: skip
            assert grade(row, f"Answer: {row['answer']}")


def test_unsolved_tables_have_no_text(tmp_path):
    tight = replace(CONFIG, tables=16, game=eq.Selection(method="frontier", capacity=2, max_capacity=2, dynamics=False))
    eq.run_sweep(replace(tight, splits=(1.0, 0.0, 0.0)), tmp_path)
    rows = read(tmp_path, "committees/train-00000000.parquet")
    numbers = rows["table_id"].to_pylist()
    unsolved = {n for n, status in zip(numbers, rows["status"].to_pylist()) if status != "OK"}
    assert 0 < len(unsolved) < 16
    assert set(read(tmp_path, "text/train-00000000.parquet")["table_id"].to_pylist()) == set(numbers) - unsolved
    assert eq.verify(tmp_path).holds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split_by": "hash"}, "split_by: expected one of 'id', 'form', got 'hash'"),
        ({"states": 9}, r"states, actions: expected at most 40,320 orders of both, got 9! x 2!"),
        ({"text": 1}, "text: expected True or False, got 1"),
        ({"game": eq.Joint()}, "text: expected the selection game with schemes, got the joint game with partitions"),
        (
            {"game": eq.Selection(rules="lotteries")},
            "text: expected the selection game with schemes, got the selection game with lotteries",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_the_door(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        eq.run_sweep(replace(CONFIG, **changes), tmp_path / "new")
    assert not (tmp_path / "new").exists()


# --- verification -----------------------------------------------------------------------------------------------------


def test_all_of_it_is_verified(made):
    report = eq.verify(made)
    assert report.holds, report.failures
    assert report.complete, report.not_checked
    assert report.checked["text"] > 96 * 4
    assert report.checked["splits"] == 96


def test_a_split_without_tables_is_no_error(tmp_path):
    eq.run_sweep(replace(CONFIG, family="senders", tables=36, shard_size=32, splits=(0.9, 0.05, 0.05)), tmp_path)
    assert 0 in [read(tmp_path, f"tables/{split}-00000001.parquet").num_rows for split in SPLITS]
    report = eq.verify(tmp_path)
    assert report.holds, report.failures
    assert report.complete, report.not_checked


def first(folder, kind):
    rows = read(folder, TEXT).to_pylist()
    return next((n, row) for n, row in enumerate(rows) if row["kind"] == kind and (kind != "departure" or n > 4))


def number_in_words(folder):
    _, row = first(folder, "worst_utility")
    changed = re.sub(r"user (\S+),", lambda found: f"user {Fraction(found[1]) + 1},", row["game"], count=1)
    rows = read(folder, TEXT)
    for column in ("game", "prompt"):
        values = rows[column].to_pylist()
        values = [v.replace(row["game"], changed) for v in values]
        rows = rows.set_column(rows.column_names.index(column), column, [values])
    write(folder, TEXT, rows)


def answer_of(kind, **other):
    def forge(folder):
        n, row = first(folder, kind)
        for column, value in other.items():
            value = value(row) if callable(value) else value
            change(folder, TEXT, column, n, value, close=column == [*other][-1])

    return forge


def another_name(row):
    return next(name for name in row["choices"] if name not in row["accepted"])


def dropped(folder):
    write(folder, TEXT, read(folder, TEXT).slice(1))


def moved(folder):
    """A table, its results and its text in another split."""
    for kind, each in (("tables", 1), ("committees", 3), ("text", 4)):
        train, test = (f"{kind}/{split}-00000001.parquet" for split in ("train", "test"))
        rows, others = read(folder, train), read(folder, test)
        number = rows["table_id"][0].as_py()
        before = sum(value < number for value in others["table_id"].to_pylist())
        write(
            folder, test, pa.concat_tables([others.slice(0, before), rows.slice(0, each), others.slice(before)]), False
        )
        write(folder, train, rows.slice(each), False)
    close_again(folder)


@pytest.mark.parametrize(
    ("forge", "check"),
    [
        (number_in_words, "text"),
        (answer_of("worst_utility", answer="7", accepted=["7"]), "text"),
        (answer_of("equilibria", answer="99", accepted=["99"]), "text"),
        (answer_of("departure", answer=another_name, accepted=lambda row: [another_name(row)]), "text"),
        (answer_of("recommendation", answer=another_name, accepted=lambda row: [another_name(row)]), "text"),
        (answer_of("recommendation", choices=["action 1"]), "text"),
        (answer_of("equilibria", prompt="Answer: 1"), "text"),
        (answer_of("equilibria", id="0-equilibria"), "text"),
        (answer_of("equilibria", answer="9" * 1000), "files"),
        (dropped, "text"),
        (moved, "splits"),
    ],
)
def test_forgeries_are_named(dataset, forge, check):
    forge(dataset)
    report = eq.verify(dataset)
    assert {failure.check for failure in report.failures} == {check}, report.failures


@pytest.mark.parametrize("column", ["game", "question", "prompt", "answer", "accepted", "choices", "kind", "id"])
def test_a_text_that_is_missing_ends_no_run(dataset, column):
    change(dataset, TEXT, column, 2, None)
    report = eq.verify(dataset)
    assert ("nulls", column, 2) in {(failure.check, failure.column, failure.row) for failure in report.failures}


# --- other people's readers -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_other_libraries_read_the_text(made, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    rows = [row for shard in range(3) for row in read(made, f"text/train-{shard:08}.parquet").to_pylist()]
    loaded = datasets.load_dataset(str(made), "text", cache_dir=str(tmp_path))
    assert set(loaded) == set(SPLITS)
    assert loaded["train"].to_list() == rows
    assert grade(loaded["train"][0], loaded["train"][0]["answer"])
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(made / "croissant.json"))
    assert not described.metadata.issues.errors
    records = list(described.records("text-train"))
    assert len(records) == len(rows)
    assert records[0]["text-train/answer"] in (rows[0]["answer"], rows[0]["answer"].encode())
