"""Sweeps: however they are interrupted, they end with the same bytes, and they never touch what is done."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.datasets import _pipeline as _sweep_work, _run as _sweep_folder, _table_shards as _sweep_shards
from equilibrax.datasets.sweep import SweepConfig, run_sweep, validate
from equilibrax.games import solve
from equilibrax.problems.random_tables import register_family, sample_tables
from equilibrax.rows import parquet as records
from equilibrax.rows.committees import committee_rows
from equilibrax.rows.parquet import read_committees

SMALL = SweepConfig(tables=44, states=2, actions=2, providers=2, shard_size=16)
MANY = replace(SMALL, tables=800, shard_size=8)
CLOSING = ["README.md", "croissant.json", "manifest.json"]


def files_of(shard: int) -> list[str]:
    """The files of a shard, in the order of writing."""
    kinds, splits = ("tables", "committees"), ("train", "validation", "test")
    parquet = [f"{kind}/{split}-0000000{shard}.parquet" for kind in kinds for split in splits]
    return [*parquet, f"shards/0000000{shard}.json"]


FILES = [*files_of(0), *files_of(1), *files_of(2), "sweep.json"]


def files(folder) -> dict[str, Path]:
    return {str(path.relative_to(folder)): path for path in Path(folder).rglob("*") if path.is_file()}


def digests(folder) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files(folder).items()}


def times(folder) -> dict[str, tuple[int, int]]:
    return {name: (path.stat().st_mtime_ns, path.stat().st_ino) for name, path in files(folder).items()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """An uninterrupted sweep of SMALL: the folder, never written to again."""
    folder = tmp_path_factory.mktemp("reference")
    run_sweep(SMALL, folder)
    return folder


@pytest.fixture
def begun(reference, tmp_path):
    """A copy of it of which shard 1 is missing."""
    for name, path in files(reference).items():
        if "00000001" not in name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.slow
def test_a_sweep_is_the_tables_solved(reference):
    assert sorted(digests(reference)) == sorted([*FILES, *CLOSING])
    rows = read_committees(reference)
    assert rows["table_id"].to_pylist() == np.repeat(np.arange(44), 3).tolist()
    tables = sample_tables("uniform", 44, states=2, actions=2, providers=2, seed=0)
    alone = committee_rows(solve(tables))
    exact = [name for name in rows.column_names if name not in ("misalignment", "bound")]
    assert rows.select(exact).equals(alone.select(exact))
    for name in ("misalignment", "bound"):
        np.testing.assert_allclose(rows[name].to_numpy(), alone[name].to_numpy(), rtol=0, atol=1e-9)
    drawn = [row for split in files_of(2)[:3] for row in pq.read_table(reference / split).to_pylist()]
    assert sorted(row["table_id"] for row in drawn) == list(range(32, 44))
    users = np.asarray(tables.user).reshape(44, -1) / 10_000
    assert all(row["user"] == users[row["table_id"]].tolist() for row in drawn)


def test_the_report_counts(tmp_path):
    seen = []
    report = run_sweep(SMALL, tmp_path, progress=lambda *counts: seen.append(counts))
    assert seen == [(0, 44), (16, 44), (32, 44), (44, 44)]
    assert (report.shards, report.shards_before, report.shards_done, report.complete) == (3, 0, 3, True)
    assert (report.tables, report.rows, report.statuses) == (44, 132, {"OK": 132})
    assert (report.retries, report.first_tables) == (0, 16)
    assert report.resolved >= 0
    assert 0 < report.first_seconds < report.seconds
    assert report.tables_per_second == 28 / (report.seconds - report.first_seconds)


@pytest.mark.slow
def test_options_reach_the_solver(tmp_path, monkeypatch):
    def narrow(tables, game, **how):
        return solve(tables, replace(game, method="frontier", capacity=1), **how)

    monkeypatch.setattr(_sweep_shards, "solve", narrow)
    config = replace(SMALL, family="noisy", parameters=(("noise", 0.25),), tables=32, seed=9, resolution=100)
    game = eq.Selection(tie_break="lowest_index", dynamics=False, misalignment=False, max_capacity=2)
    report = run_sweep(replace(config, game=game, backend="xla"), tmp_path)
    assert set(report.statuses) == {"OK", "FRONTIER_OVERFLOW"}
    assert sum(report.statuses.values()) == report.rows == 96
    assert report.retries > 0
    assert report.resolved == 0
    rows = read_committees(tmp_path)
    assert rows["status"].to_pylist().count("OK") == report.statuses["OK"]
    assert rows["misalignment"].null_count == rows["dynamics_steps"].null_count == 96
    tables = sample_tables("noisy", 16, states=2, actions=2, providers=2, seed=9, resolution=100, noise=0.25)
    assert rows[:48].equals(committee_rows(narrow(tables, game, backend="xla", throw=False)))


def test_the_backend_is_recorded_and_stays(tmp_path):
    few = replace(SMALL, tables=16)
    for backend, recorded in (("auto", "cpu"), ("xla", "xla")):
        run_sweep(replace(few, backend=backend), tmp_path / backend)
        assert json.loads((tmp_path / backend / "sweep.json").read_text())["config"]["backend"] == recorded
    for backend, there, here in (("auto", "xla", "cpu"), ("xla", "auto", "xla")):
        with pytest.raises(ValueError, match=f"another sweep: backend is .* there, '{here}' here") as caught:
            run_sweep(replace(few, backend=backend), tmp_path / there)
        assert "\n" not in str(caught.value)
    lotteries = eq.Oblivious("lotteries")
    with pytest.raises(ValueError, match='backend: expected "auto" or "xla" in the oblivious game with lotteries'):
        run_sweep(replace(few, game=lotteries, backend="cpu"), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_is_done_is_not_touched(reference):
    before = times(reference)
    seen = []
    report = run_sweep(SMALL, reference, progress=lambda *counts: seen.append(counts))
    assert times(reference) == before
    assert seen == [(44, 44)]
    assert (report.shards_before, report.shards_done, report.complete) == (3, 0, True)
    assert (report.tables, report.rows, report.statuses, report.tables_per_second) == (0, 0, {}, 0.0)


def test_a_missing_shard_is_made_again_alone(reference, begun):
    before = times(begun)
    seen = []
    report = run_sweep(SMALL, begun, progress=lambda *counts: seen.append(counts))
    assert seen == [(28, 44), (44, 44)]
    assert (report.shards_before, report.tables) == (2, 16)
    assert digests(begun) == digests(reference)
    after = times(begun)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("moment", [0, 1, 3, 6, 7, 8, 13, 21, 22, 23, 24])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_interruption_at_any_write_leaves_only_whole_files(reference, tmp_path, monkeypatch, moment, call):
    calls, original = itertools.count(), getattr(os, call)

    def interrupt(*arguments):
        if call == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode):
            return original(*arguments)  # of the folder, when the file has its name
        if next(calls) == moment:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(SMALL, tmp_path)
    expected = digests(reference)
    done = digests(tmp_path)
    # The files of a shard are written side by side, all else one after the other; nothing comes after what has failed.
    ends = np.cumsum([1, *[6, 1] * 3, 1, 1, 1])
    assert ends[ends <= moment].max(initial=0) <= len(done) < ends[ends > moment][0]
    assert done.items() <= expected.items()
    for shard in range(3):
        assert f"shards/0000000{shard}.json" not in done or set(files_of(shard)) <= set(done)
    run_sweep(SMALL, tmp_path)
    assert digests(tmp_path) == expected


def test_ctrl_c_while_solving_finishes_the_shard_that_is_written(reference, tmp_path, monkeypatch):
    solved = []

    def interrupted(tables, game, **how):
        if len(solved) == 2:
            raise KeyboardInterrupt
        solved.append(tables)
        return solve(tables, game, **how)

    monkeypatch.setattr(_sweep_shards, "solve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(SMALL, tmp_path)
    done = digests(tmp_path)
    assert sorted(done) == sorted([*files_of(0), *files_of(1), "sweep.json"])
    assert done.items() <= digests(reference).items()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("equilibrax-writer")]


def test_should_stop_ends_between_shards(reference, tmp_path):
    answers = iter([False, True])
    report = run_sweep(SMALL, tmp_path, should_stop=lambda: next(answers))
    assert (report.shards_done, report.tables, report.complete) == (1, 16, False)
    assert sorted(digests(tmp_path)) == sorted([*files_of(0), "sweep.json"])
    assert not report.closed
    assert run_sweep(SMALL, tmp_path).complete
    assert digests(tmp_path) == digests(reference)


CHILD = """
import sys
from equilibrax.datasets.sweep import SweepConfig, run_sweep
def progress(done, total):
    print(done, flush=True)
run_sweep(SweepConfig(tables=800, states=2, actions=2, providers=2, shard_size=8), sys.argv[1], progress=progress)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_processes_leave_only_whole_files(tmp_path):
    """`EQUILIBRAX_KILLS=100` kills so many; a folder that is done is begun anew."""
    folder, whole = tmp_path / "killed", tmp_path / "whole"
    run_sweep(MANY, whole)
    expected = digests(whole)
    generator = random.Random(0)
    for _ in range(int(os.environ.get("EQUILIBRAX_KILLS", "3"))):
        if digests(folder).keys() >= expected.keys():
            shutil.rmtree(folder)
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for _ in range(2):  # what was done before, and the first shard of its own
            assert child.stdout.readline()
        threading.Event().wait(generator.uniform(0, 0.2))
        child.kill()
        child.stdout.close()
        assert child.wait() in (-signal.SIGKILL, 0)
        done = {name: digest for name, digest in digests(folder).items() if not name.endswith(".tmp")}
        assert 2 < len(done) <= len(expected)
        assert done.items() <= expected.items()
    run_sweep(MANY, folder)
    assert digests(folder) == expected


def test_two_at_a_time_do_no_harm(reference, tmp_path):
    errors, barrier = [], threading.Barrier(3)

    def work():
        barrier.wait()
        try:
            run_sweep(SMALL, tmp_path)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert digests(tmp_path) == digests(reference)


def test_leftovers_of_killed_runs_are_removed_and_other_files_kept(begun):
    for name in ("committees/.test-00000001.parquet", ".sweep.json", ".manifest.json", "shards/.00000001.json"):
        (begun / f"{name}.0123456789abcdef.tmp").write_bytes(b"half")
    (begun / "notes.txt").write_text("mine")
    (begun / ".notes.txt.0123456789abcdef.tmp").write_text("mine")
    run_sweep(SMALL, begun)
    assert sorted(digests(begun)) == sorted([*FILES, *CLOSING, "notes.txt", ".notes.txt.0123456789abcdef.tmp"])


def test_an_error_of_the_writer_is_raised(tmp_path, monkeypatch):
    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "_write", full)
    with pytest.raises(
        OSError, match=r"No space left on device; make room; .*same command.*train-00000000\.parquet"
    ) as e:
        run_sweep(SMALL, tmp_path)
    assert e.value.errno == 28
    assert list(files(tmp_path)) == ["sweep.json"]


def test_more_tables_continue_a_sweep(reference, tmp_path):
    run_sweep(replace(SMALL, tables=23), tmp_path)  # a shard, and a part of one
    before = times(tmp_path)
    report = run_sweep(SMALL, tmp_path)
    assert (report.shards_before, report.tables) == (1, 28)
    assert digests(tmp_path) == digests(reference)
    assert {name: times(tmp_path)[name] for name in files_of(0)} == {name: before[name] for name in files_of(0)}


def test_more_tables_survive_an_interruption(reference, tmp_path, monkeypatch):
    run_sweep(replace(SMALL, tables=23), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(_sweep_work, "_by_name", lambda counts: 1 / 0)  # the rows of the shard are written
        with pytest.raises(ZeroDivisionError):
            run_sweep(SMALL, tmp_path)
    run_sweep(SMALL, tmp_path)
    assert digests(tmp_path) == digests(reference)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed is 0 there, 1 here. Use another folder"),
        ({"tables": 43}, "tables is 44 there, 43 here"),
        ({"tables": 99, "shard_size": 8}, "tables is 44 there, 99 here; shard_size is 16 there, 8 here"),
        ({"family": "noisy", "parameters": (("noise", 0.25),)}, "family is 'uniform' there, 'noisy' here; parameters"),
        ({"game": eq.Selection(tie_break="lowest_index")}, "tie_break is 'incumbent' there, 'lowest_index' here"),
    ],
)
def test_another_sweep_is_refused(reference, changes, message):
    before = times(reference)
    with pytest.raises(ValueError, match=message) as caught:
        run_sweep(replace(SMALL, **changes), reference)
    assert str(reference) in str(caught.value)
    assert times(reference) == before


def test_another_version_is_refused(begun, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_sweep_work, "__version__", "99.0")
        with pytest.raises(ValueError, match=r"equilibrax is '.*' there, '99\.0' here"):
            run_sweep(SMALL, begun)
    description = json.loads((begun / "sweep.json").read_text())
    assert description["config"]["parameters"] == {}
    assert description["family_version"] == 1
    (begun / "sweep.json").write_text(json.dumps({**description, "format": 4, "equilibrax": "98.0"}))
    with pytest.raises(ValueError, match=r"sweep\.json: expected a format of at most 3, got 4; .* \(98\.0\)"):
        run_sweep(SMALL, begun)
    (begun / "sweep.json").write_text(json.dumps({**description, "format": 1}))
    with pytest.raises(ValueError, match=r"sweep\.json: expected format 3, got 1, .* sweep into a new folder"):
        run_sweep(SMALL, begun)


def test_another_version_of_ones_own_family_is_refused(tmp_path):
    def lists(key, states, actions, providers):
        import jax

        return jax.random.uniform(key, (states, actions)), jax.numpy.ones((providers, states, actions))

    register_family("of test_sweep", lists)
    config = replace(SMALL, family="of test_sweep", tables=16)
    run_sweep(config, tmp_path)
    register_family("of test_sweep", lists, version=2)
    with pytest.raises(ValueError, match="family_version is 1 there, 2 here"):
        run_sweep(config, tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 3}', '{"format": 3, "config": 3}'])
def test_a_sweep_json_of_something_else_is_named(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(ValueError, match=r"sweep\.json: expected the description of a sweep"):
        run_sweep(SMALL, tmp_path)
    assert (tmp_path / "sweep.json").read_text() == text


def test_results_without_a_description_are_refused(begun):
    (begun / "sweep.json").unlink()
    (begun / "manifest.json").unlink()
    before = times(begun)
    with pytest.raises(ValueError, match=r"has shards/00000000\.json but no sweep\.json"):
        run_sweep(SMALL, begun)
    assert times(begun) == before


def test_a_broken_record_is_named(begun):
    (begun / "shards/00000001.json").write_bytes(b"not written by us")
    with pytest.raises(ValueError, match=r"00000001\.json: expected the record of a shard.*remove it"):
        run_sweep(SMALL, begun)
    record = json.loads((begun / "shards/00000000.json").read_text())
    (begun / "shards/00000001.json").write_text(json.dumps({**record, "configuration": "of another"}))
    with pytest.raises(ValueError, match=r"00000001\.json: expected a shard of this sweep, got one of another; remove"):
        run_sweep(SMALL, begun)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"short")])
def test_a_shard_whose_files_are_not_there_is_made_again(reference, begun, damage):
    damage(begun / files_of(2)[3])
    assert run_sweep(SMALL, begun).shards_before == 1
    assert digests(begun) == digests(reference)


def test_paths_that_cannot_be_folders_are_named(tmp_path, reference, begun, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match=r"directory: expected a folder, got the file .*file"):
        run_sweep(SMALL, file)
    with pytest.raises(NotADirectoryError, match=r"directory: cannot make it: .*file/below"):
        run_sweep(SMALL, file / "below")
    monkeypatch.setattr(_sweep_folder.os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(PermissionError, match="directory: expected a folder to write to; make it writable"):
        run_sweep(SMALL, begun)
    assert run_sweep(SMALL, reference).complete


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tables": 0}, "tables: expected a whole number of at least 1, got 0"),
        ({"tables": 10.0}, r"tables: .*got 10\.0"),
        ({"states": True}, "states: .*got True"),
        ({"actions": -1}, "actions: .*got -1"),
        ({"providers": 17}, "providers: expected a whole number from 1 to 16, got 17"),
        ({"seed": -1}, "seed: .*got -1"),
        ({"seed": 2**63}, "seed: "),
        ({"resolution": 0}, "resolution: .*got 0"),
        ({"shard_size": 0}, "shard_size: .*got 0"),
        ({"providers": 12, "shard_size": 4096, "tables": 4096}, "shard_size: expected at most 1024 tables for 12"),
        ({"shard_size": 1, "tables": 10**9}, "shard_size: expected at least 10 for 1000000000 tables, got 1"),
        ({"family": "unheard"}, "family: expected one of uniform, .*, got 'unheard'"),
        ({"parameters": (("noise", 0.1),)}, "parameters: expected none for the family 'uniform', got 'noise'"),
        ({"parameters": (("states", 3),)}, "parameters: expected none for the family 'uniform', got 'states'"),
        ({"family": "noisy", "parameters": (("noise", 0.7),)}, "noise: "),
        ({"parameters": (("noise", float("nan")),)}, "parameters: expected a name and a finite number"),
        ({"parameters": (("noise", 0.1), ("noise", 0.2))}, "parameters: expected every name once, got 'noise' again"),
        ({"parameters": 3}, "parameters: expected pairs"),
    ],
)
def test_bad_configurations_are_refused_at_the_door(tmp_path, changes, message):
    config = replace(SMALL, **changes)
    with pytest.raises(ValueError, match=f"^{message}"):
        validate(config)
    with pytest.raises(ValueError, match=f"^{message}"):
        run_sweep(config, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("game", "message"),
    [
        (lambda: eq.Selection(max_capacity=0), "max_capacity: .*got 0"),
        (lambda: eq.Selection(dynamics=1), "dynamics: expected True, False or a Dynamics, got 1"),  # pyright: ignore[reportArgumentType]
        (lambda: eq.Selection(misalignment=None), "misalignment: expected True, False or .*, got None"),  # pyright: ignore[reportArgumentType]
        (lambda: eq.Selection(tie_break="coin"), "tie_break: expected one of 'incumbent', 'lowest_index', got 'coin'"),  # pyright: ignore[reportArgumentType]
        (lambda: "chess", "game: expected one of 'selection', 'obedient', 'joint', 'oblivious', 'aligned', or"),
        (
            lambda: eq.Personalized(),
            "game: expected one of 'selection', 'obedient', 'joint', 'oblivious', 'aligned', or",
        ),
    ],
)
def test_games_that_make_no_sense_are_refused_when_they_are_named(game, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        replace(SMALL, game=game())


@pytest.mark.parametrize(
    ("states", "actions"), [(70, 1), (1100, 1), pytest.param(1100, 2, marks=pytest.mark.slow)], ids=str
)
def test_equilibria_of_tables_of_many_states_are_listed(tmp_path, states, actions):
    """More states than an array has axes, and more than calls may be nested."""
    config = replace(
        SweepConfig(tables=1, resolution=1, providers=1, columns=("equilibria",), equilibria_cap=2),
        states=states, actions=actions, game=eq.Selection(misalignment=False),
    )  # fmt: skip
    assert run_sweep(config, tmp_path).closed
    rows = pq.ParquetFile(
        next(file for file in tmp_path.rglob("committees/*") if pq.read_metadata(file).num_rows)
    ).read()
    listed = rows["equilibrium_schemes"][0].as_py()
    assert [len(scheme) for scheme in listed] == [states] * (1 if actions == 1 else 2)
    assert listed == sorted(listed)
