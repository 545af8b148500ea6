"""Forgeries that are true of all their checksums, and folders that want to stop whoever reads them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from equilibrax.datasets.sweep import SweepConfig, run_sweep
from equilibrax.verification import NoDataset, verify
from forging import change, close_again, read, write

SMALL = SweepConfig(tables=12, states=3, actions=2, providers=2, resolution=10, shard_size=8, splits=(1.0, 0.0, 0.0))
GAMES = {
    "selection": eq.Selection(),
    "lotteries": eq.Selection(rules="lotteries"),
    "joint": eq.Joint(),
    "joint, quantal": eq.Joint(response=eq.Quantal([1, np.inf])),
    "obedient": eq.Obedient("lowest_index"),
    "obedient, quantal": eq.Obedient(response=eq.Quantal([0, 5])),
    "aligned": eq.Aligned(response=eq.Quantal(3)),
    "oblivious": eq.Oblivious(),
    "joint, lotteries": eq.Joint(rules="lotteries", search=eq.GradientSearch(starts=2, steps=40)),
}
RESULTS, TABLES = "committees/train-00000000.parquet", "tables/train-00000000.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders that are never written to, by name."""
    folders = {}

    def make(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("sound")
            run_sweep(replace(SMALL, game=GAMES[name], columns=GAMES[name].groups), folders[name])
        return folders[name]

    return make


@pytest.fixture
def dataset(made, tmp_path):
    """A copy of the selection game's to tamper with."""
    return Path(shutil.copytree(made("selection"), tmp_path / "dataset"))


def check_of(folder: Path, **options) -> set[str]:
    """The checks that fail."""
    return {failure.check for failure in verify(folder, **options).failures}


# --- results ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("game", GAMES)
def test_every_column_of_every_game_is_solved_again(made, tmp_path, game):
    """Other values, and none, in every column of results: some of them at a time, each in a row of its own."""
    report = verify(made(game))
    assert report.holds, report.failures
    assert report.complete, report.not_checked
    rows = read(made(game), RESULTS)
    random, left, passed = np.random.default_rng(0), [], []
    for name in rows.column_names:
        for i in range(6):
            row = int(random.integers(rows.num_rows))
            left += [(row, name, other) for other in _others(rows[name], row)[i : i + 1]]
    keys = [one for one in left if one[1] in ("table_id", "committee")]  # of these, one at a time: they move rows
    left = [one for one in left if one not in keys]
    while left:
        some = dict([(one[0], one) for one in left][:15])  # of each check, 20 failures are named
        left = [one for one in left if one not in some.values()]
        passed += _unnoticed(made(game), tmp_path / "forged", list(some.values()))
    for one in keys:
        passed += _unnoticed(made(game), tmp_path / "forged", [one])
    # A list that is longer than any can be is a failure of the file, and ends its checks: the others are tried alone.
    passed = [one for one in passed if _unnoticed(made(game), tmp_path / "alone", [one], of_file=True)]
    assert passed == []


def _unnoticed(sound: Path, folder: Path, forgeries: list[tuple], *, of_file: bool = False) -> list[tuple]:
    shutil.copytree(sound, folder, dirs_exist_ok=True)
    for row, name, value in forgeries:
        change(folder, RESULTS, name, row, value, close=False)
    close_again(folder)
    report = verify(folder, programs=None)
    rows = {failure.row for failure in report.failures if failure.file == RESULTS}
    # That an outcome is dominated by less than rounding nobody can refute: it is said to be unchecked.
    told = [] if report.complete else [("efficient", False)]
    return [one for one in forgeries if one[0] not in rows and not (of_file and None in rows) and one[1:] not in told]


def _others(column: pa.ChunkedArray, row: int) -> list:
    value, kind = column[row].as_py(), column.type
    if isinstance(value, bool):
        wrong = [None, not value]
    elif value is None:
        wrong = [
            {pa.bool_(): True, pa.float64(): 0.5, pa.int64(): 1, pa.int32(): 1}.get(
                kind, [0] * 3 if pa.types.is_list(kind) else "OK"
            )
        ]
    elif isinstance(value, str):
        wrong = [None, "", "DYNAMICS_LIMIT", "FRONTIER_OVERFLOW", "CYCLE", "COUNT_SATURATED"]
    elif isinstance(value, list):
        other = [[0.05, 0.05]] if kind.value_type == pa.list_(pa.float64()) else [7] * len(value)
        wrong = [None, [], value + value, [[1, 1, 1]] if kind.value_type == pa.list_(pa.int16()) else other]
    else:
        wrong = [None, value + 1, -7, value + 1e-7] if isinstance(value, float) else [None, value + 1, -7]
    return [other for other in wrong if other != value]


@pytest.mark.parametrize("column", ["table_id", "seed"])
@pytest.mark.parametrize("file", [RESULTS, TABLES])
def test_a_zero_that_is_missing_is_found(dataset, file, column):
    """Missing numbers are zeros to NumPy, and here they were right."""
    change(dataset, file, column, 0, None)
    assert ("nulls", file, column, 0) in {(f.check, f.file, f.column, f.row) for f in verify(dataset).failures}


@pytest.mark.parametrize("column", ["misalignment", "bound", "misalignment_offset", "worst_utility", "optimum"])
def test_infinity_is_within_no_number_of_digits(dataset, column):
    change(dataset, RESULTS, column, 4, np.inf)
    assert (column, 4) in {(failure.column, failure.row) for failure in verify(dataset, programs=0).failures}


@pytest.mark.parametrize("programs", [None, 0])
def test_a_score_that_says_it_is_not_certified_is_checked_all_the_same(dataset, programs):
    rows = read(dataset, RESULTS)
    score, optimum, worst = (rows[name].to_pylist() for name in ("misalignment", "optimum", "worst_utility"))
    row = max(range(rows.num_rows), key=lambda i: optimum[i] - worst[i])
    change(dataset, RESULTS, "misalignment", row, score[row] + 0.01)
    change(dataset, RESULTS, "bound", row, optimum[row] - 2 * (score[row] + 0.01))
    change(dataset, RESULTS, "status", row, "MISALIGNMENT_UNCERTIFIED")
    assert check_of(dataset, programs=programs) >= {"weights", "programs"}


def test_a_family_or_version_that_nobody_knows_is_said(dataset):
    for file in (dataset / "sweep.json", dataset / "manifest.json"):
        said = json.loads(file.read_text())
        file.write_text(json.dumps({**said, "family_version": 7}))
    report = verify(dataset)
    assert report.kinds["tables of the family uniform, which cannot be drawn again"] == "families"
    assert not report.complete


def test_a_sample_is_of_rows_that_nobody_can_know(dataset, capsys):
    change(dataset, RESULTS, "equilibria", 0, 77)
    found = {verify(dataset, sample=4, programs=0).holds for _ in range(30)}
    assert found == {True, False}
    assert main(["verify", str(dataset), "--sample", "4", "--seed", "5"]) in (0, 1)
    assert "The seed of what was chosen is 5." in capsys.readouterr().err


@pytest.mark.slow
def test_a_limit_of_dynamics_and_large_tables_are_replayed(tmp_path, monkeypatch):
    game = eq.Selection(dynamics=eq.Dynamics(step_limit=1), misalignment=False)
    config = replace(SMALL, game=game, tables=40, shard_size=40, providers=3)
    assert run_sweep(config, tmp_path).statuses.keys() == {"OK", "DYNAMICS_LIMIT"}
    assert verify(tmp_path).complete
    monkeypatch.setattr("equilibrax.verification.shards.MOST_SCHEMES", 0)
    report = verify(tmp_path)
    assert report.holds, report.failures
    assert report.complete
    status = read(tmp_path, RESULTS)["status"].to_pylist()
    change(tmp_path, RESULTS, "status", status.index("DYNAMICS_LIMIT"), "OK")
    assert check_of(tmp_path) == {"status"}


# --- sound datasets on which arithmetic is hard -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes",
    [(1, 2, 2, 10_000), (3, 2, 2, 1), (1, 1, 1, 10), (70, 1, 2, 10), (4, 1, 3, 1)],
    ids=["one state", "utilities of 0 and 1", "nothing to choose", "70 states", "one action"],
)
def test_constant_utilities_and_other_ends_are_no_trouble(tmp_path, sizes):
    states, actions, providers, resolution = sizes
    columns = ("weights", "schemes")
    config = replace(SMALL, states=states, actions=actions, providers=providers, resolution=resolution, columns=columns)
    run_sweep(config, tmp_path)
    report = verify(tmp_path)
    assert report.holds, report.failures
    assert report.complete, report.not_checked


def test_no_row_ends_a_run(dataset, monkeypatch):
    def broken(*_args):
        raise RuntimeError("HiGHS: no answer")

    monkeypatch.setattr("equilibrax.verification.programs.Programs.score", broken)
    report = verify(dataset)
    assert report.holds
    assert report.not_checked["scores that HiGHS does not solve (RuntimeError('HiGHS: no answer'))"] == 36
    monkeypatch.setattr("equilibrax.verification.shards.check_results", lambda block: 1 // 0)
    report = verify(dataset)
    assert (report.holds, report.complete) == (True, False)


# --- files ------------------------------------------------------------------------------------------------------------


def _write(**options):
    def forge(folder: Path) -> None:
        pq.write_table(read(folder, RESULTS), folder / RESULTS, **options)

    return forge


def _told(**metadata):
    def forge(folder: Path) -> None:
        pq.write_table(read(folder, RESULTS).replace_schema_metadata(metadata), folder / RESULTS)

    return forge


def _false_statistics(folder: Path) -> None:
    """The pages of the rows with the footer of other rows: every filter on committee_size finds nothing."""
    rows, files = read(folder, RESULTS), []
    place = rows.column_names.index("committee_size")
    for size in (rows["committee_size"], pa.array([1] * rows.num_rows, pa.int32())):
        sink = pa.BufferOutputStream()
        plain = {"compression": "none", "use_dictionary": False}
        pq.write_table(rows.set_column(place, "committee_size", size), sink, **plain)
        content = sink.getvalue().to_pybytes()
        files.append((content, len(content) - 8 - int.from_bytes(content[-8:-4], "little")))
    (true, end), (false, start) = files
    (folder / RESULTS).write_bytes(true[:end] + false[start:])
    assert pq.read_metadata(folder / RESULTS).row_group(0).column(place).statistics.max == 1
    assert pq.read_table(folder / RESULTS, filters=[("committee_size", "=", 2)]).num_rows == 0


def _replaced(name: str, old: str, new: str):
    def forge(folder: Path) -> None:
        content = (folder / name).read_text()
        assert old in content
        (folder / name).write_text(content.replace(old, new))
        said = json.loads((folder / "manifest.json").read_text())
        content = (folder / name).read_bytes()
        said["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(said))

    return forge


def _added(name: str):
    def forge(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(folder / RESULTS, folder / name)

    return forge


def _column(name: str, kind: pa.DataType):
    def forge(folder: Path) -> None:
        rows = read(folder, RESULTS)
        place = rows.column_names.index(name)
        pq.write_table(rows.set_column(place, name, rows[name].cast(kind)), folder / RESULTS)

    return forge


FILES = {
    "statistics of other rows": _false_statistics,
    "an order of rows": _write(sorting_columns=[pq.SortingColumn(0, descending=True)]),
    "an index of pages": _write(write_page_index=True),
    "an index that pandas sets": _told(pandas='{"index_columns": ["committee"]}'),
    "features that datasets reads": _told(huggingface='{"info": {"features": {}}}'),
    "texts by number": _column("status", pa.dictionary(pa.int32(), pa.string())),
    "long texts": _column("status", pa.large_string()),
    "numbers as times": _column("table_id", pa.timestamp("ns")),
    "unsigned numbers": _column("committee", pa.uint32()),
    "decimal digits of another script": _added("committees/train-0000000\u0661.parquet"),
    "another suffix": _added("committees/train-00000000.parquet.parquet"),
    "another split": _added("committees/validation-00000000.parquet"),
    "a settings file of the hub": _added(".huggingface.yaml"),
    "a script of the hub": _added("dataset.py"),
    "old metadata of the hub": _added("dataset_infos.json"),
    "another folder": _added("data/train-00000000.parquet"),
    "other files in the card": _replaced("README.md", "path: committees/train-*", "path: tables/train-*"),
    "another type in the card": _replaced("README.md", "dtype: int64", "dtype: int8"),
    "another split in the card": _replaced("README.md", "split: train", "split: test"),
    "more in the card": _replaced("README.md", "\nconfigs:", "\nviewer: false\nconfigs:"),
    "no front matter": _replaced("README.md", "---\n", "----\n"),
    "other files in Croissant": _replaced("croissant.json", "committees/train-*", "tables/train-*"),
    "another column in Croissant": _replaced("croissant.json", '"column": "optimum"', '"column": "bound"'),
    "another vocabulary in Croissant": _replaced("croissant.json", "https://schema.org/", "https://schema.com/"),
    "more in Croissant": _replaced("croissant.json", '"license"', '"isLiveDataset": true, "license"'),
}


@pytest.mark.parametrize("forge", FILES.values(), ids=FILES)
def test_what_readers_would_act_on_is_found(dataset, forge):
    forge(dataset)
    close_again(dataset)
    found = check_of(dataset, sample=0)
    assert found
    assert found <= {"files", "schema", "card"}


def test_the_manifest_by_its_hash(dataset, tmp_path, capsys):
    digest = hashlib.sha256((dataset / "manifest.json").read_bytes()).hexdigest()
    (tmp_path / "known").write_text(f"{digest}  manifest.json\n")
    for known in (digest, str(tmp_path / "known")):
        assert main(["verify", str(dataset), "--sample", "0", "--manifest-sha256", known]) == 0
    assert main(["verify", str(dataset), "--manifest-sha256", "abc"]) == 2
    _replaced("README.md", "no person's data", "everybody's data")(dataset)  # prose: a program reads none of it
    assert check_of(dataset, sample=0) == set()
    assert check_of(dataset, sample=0, manifest_sha256=digest) == {"manifest"}
    with pytest.raises(ValueError, match="allow: expected some of words, sample"):
        verify(dataset, allow=["everything"])
    with pytest.raises(ValueError, match="manifest_sha256: expected 64 hexadecimal digits, got 'abc'"):
        verify(dataset, manifest_sha256="abc")


def test_card_and_metadata_are_in_the_manifest(dataset):
    (dataset / "README.md").write_text((dataset / "README.md").read_text() + "\n")
    assert check_of(dataset, sample=0) == {"manifest"}


# --- hostile folders --------------------------------------------------------------------------------------------------


def _configured(**changes):
    def forge(folder: Path) -> None:
        said = json.loads((folder / "sweep.json").read_text())
        said["config"] |= changes
        (folder / "sweep.json").write_text(json.dumps(said))

    return forge


def _made_of(name: str, make):
    def forge(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return forge


def _mixture(*proportions: float):
    part = {"family": "uniform", "states": 3, "actions": 2, "providers": 2, "parameters": {}}
    return _configured(mixture=[{**part, "proportion": proportion} for proportion in proportions])


def _sparse(file: Path) -> None:
    file.touch()
    os.truncate(file, 10**12)


def _bomb(column: str, value, count: int):
    """A few kilobytes that say the same so often that they do not fit into memory."""

    def forge(folder: Path) -> None:
        rows = read(folder, RESULTS)
        place = rows.column_names.index(column)
        values = pa.repeat(pa.scalar(value, rows.schema.field(column).type), count)
        table = pa.table({n: values if n == column else pa.nulls(count, rows[n].type) for n in rows.column_names})
        assert table.column_names.index(column) == place
        write(folder, RESULTS, table)

    return forge


def _names(file: Path) -> None:
    for i in range(20_000):
        (file.parent / f"train-{i:08}.jsonl").touch()


HOSTILE = {
    "10^15 tables": _configured(tables=10**15),
    "10^11 tables of full shards": _configured(tables=10**11, shard_size=2**20),
    "10^9 states": _configured(states=10**9),
    "a table of 10^8 utilities": _configured(states=10**4, actions=10**4),
    "60 providers": _configured(providers=60),
    "proportions of 14 decimals": _mixture(0.12345678901234, 0.33333333333333, 0.7),
    "proportions of 300 zeros": _mixture(1e-300, 1.0),
    "shares of 300 zeros": _configured(splits=[1e-300, 1.0, 0.0]),
    "a game of another kind": _configured(game=["joint"]),
    "a pipe": _made_of(RESULTS, os.mkfifo),
    "a pipe as description": _made_of("sweep.json", os.mkfifo),
    "a link to zeros": _made_of(TABLES, lambda file: file.symlink_to("/dev/zero")),
    "a link to zeros as card": _made_of("README.md", lambda file: file.symlink_to("/dev/zero")),
    "a link to zeros as record": _made_of("shards/00000000.json", lambda file: file.symlink_to("/dev/zero")),
    "a file of 10^12 bytes": _made_of(RESULTS, _sparse),
    "a manifest of 10^12 bytes": _made_of("manifest.json", _sparse),
    "deep JSON": _made_of("manifest.json", lambda file: file.write_text("[" * 10**5)),
    "deep JSON as description": _made_of("sweep.json", lambda file: file.write_text('{"format":' * 10**5)),
    "a number that is infinite": _made_of("sweep.json", lambda file: file.write_text('{"format": 1e400}')),
    "a number of 10^5 digits": _made_of("sweep.json", lambda file: file.write_text('{"format": %s}' % ("9" * 10**5))),
    "many rows": _bomb("optimum", 0.5, 2 * 10**6),
    "a long text": _bomb("family", "x" * 10**7, 36),
    "a long list": _bomb("misalignment_weights", [0.5] * 10**6, 10),
    "many names": _made_of(TABLES, _names),
}

BOUNDED = """
import resource, sys
from equilibrax.verification import NoDataset, verify
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for folder in sys.argv[1:]:
    try:
        report = verify(folder)
        said = [len(str(failure)) for failure in report.failures]
        print(not (report.holds and report.complete), max(said, default=0) <= 1000)
    except NoDataset as error:
        print(True, len(str(error)) < 600 + len(folder))
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
print(grown < 500, grown)
"""


@pytest.mark.slow
def test_hostile_folders_end_within_seconds_and_memory(made, tmp_path):
    folders = []
    for i, forge in enumerate(HOSTILE.values()):
        folders.append(Path(shutil.copytree(made("selection"), tmp_path / str(i))))
        forge(folders[-1])
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, *map(str, folders)], capture_output=True, text=True, timeout=60, check=True
    )
    lines = done.stdout.split("\n")
    bad = [name for name, line in zip(HOSTILE, lines) if line != "True True"]
    assert bad == []
    assert lines[len(folders)].startswith("True"), lines[len(folders)]


def test_descriptions_that_declare_too_much_are_refused(dataset):
    _configured(tables=10**15)(dataset)
    with pytest.raises(NoDataset, match="tables: 125,000,000,000,000 shards, more than 100,000,000"):
        verify(dataset)
    assert main(["verify", str(dataset)]) == 2
