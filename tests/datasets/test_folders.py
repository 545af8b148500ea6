"""Folders of sweeps: what is somebody else's is never replaced, and processes do not spoil each other's."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest
from equilibrax._core import files
from equilibrax.cli import main
from equilibrax.datasets import _pipeline, _run, _table_shards, finalize
from equilibrax.datasets._layout import read_layout
from equilibrax.datasets._provenance import PACKAGES
from equilibrax.datasets.finalize import merge
from equilibrax.datasets.sweep import SweepConfig, run_sweep

SMALL = SweepConfig(tables=12, states=2, actions=2, providers=2, shard_size=8)
FLAGS = ["--tables", "12", "--states", "2", "--actions", "2", "--providers", "2", "--shard-size", "8"]


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run_sweep(SMALL, folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


# --- what is somebody else's --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["README.md", "manifest.json", "croissant.json", "thesis.tex", "tables/mine.csv", ".git/x"]
)
def test_a_sweep_into_a_folder_of_somebody_elses_is_refused(tmp_path, monkeypatch, capsys, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "--out", ".", *FLAGS]) == 2
    assert name.split("/")[0] in capsys.readouterr().err
    assert contents(tmp_path) == {name: b"mine"}


@pytest.mark.parametrize("name", ["README.md", "manifest.json", "croissant.json"])
@pytest.mark.parametrize("more", [False, True])
def test_a_file_of_ones_own_in_the_folder_of_a_sweep_is_not_replaced(copy, name, more):
    (copy / name).write_text("mine")
    with pytest.raises(ValueError, match=rf"{name}, which would be replaced; move it"):
        run_sweep(replace(SMALL, tables=20) if more else SMALL, copy)
    with pytest.raises(ValueError, match=rf"{name}, which would be replaced; move it"):
        merge(copy)
    assert (copy / name).read_text() == "mine"


@pytest.mark.parametrize("leftovers", [[], ["tables/.train-00000000.parquet.0123456789abcdef.tmp"], ["lost+found/x"]])
def test_an_empty_folder_and_what_a_dead_process_left_are_no_obstacle(tmp_path, leftovers):
    for name in leftovers:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert run_sweep(SMALL, tmp_path).closed


@pytest.mark.parametrize("command", ["align", "reproduce"])
@pytest.mark.parametrize("name", ["summary.md", "README.md", "data.csv"])
def test_results_are_not_written_among_somebody_elses_files(tmp_path, capsys, command, name):
    (tmp_path / name).write_text("mine")
    what = ["--simulate", "independent", "--items", "30", "--raters", "3"] if command == "align" else ["--tables", "0"]
    assert main([command, "--out", str(tmp_path), *what]) == 2
    assert "empty" in capsys.readouterr().err
    assert contents(tmp_path) == {name: b"mine"}


# --- two processes ------------------------------------------------------------------------------------------


def test_one_that_closes_late_does_not_bring_the_old_manifest_back(copy):
    late = read_layout(copy)
    assert late is not None
    run_sweep(replace(SMALL, tables=20), copy)
    before = contents(copy)
    assert finalize.close(late)
    assert contents(copy) == before


def test_nor_while_the_other_closes_and_locks_do_nothing(copy, monkeypatch):
    """The folder is extended and closed by another just before the manifest of the first takes its name."""
    monkeypatch.setattr(files.fcntl, "flock", lambda *arguments: None)
    (copy / "manifest.json").unlink()
    write, extended = finalize._write, []

    def meanwhile(file, pieces):
        if file.name == "manifest.json" and not extended:
            extended.append(list(pieces()))
            run_sweep(replace(SMALL, tables=20), copy)
            file.write_text("".join(extended[0]))
        else:
            write(file, pieces)

    monkeypatch.setattr(finalize, "_write", meanwhile)
    assert merge(copy).complete
    assert json.loads((copy / "manifest.json").read_text())["config"]["tables"] == 20
    monkeypatch.undo()
    assert merge(copy, check=True).complete


@pytest.mark.parametrize("own", ["process", "machine"])
def test_a_file_in_use_is_not_removed_where_locks_do_nothing(copy, monkeypatch, own):
    monkeypatch.setattr(files.fcntl, "flock", lambda *arguments: None)
    with files.whole_file(copy / "tables/train-00000000.parquet") as file:
        if own == "machine":
            monkeypatch.setattr(files, "_here", lambda: "abcdef")  # this one now is another than that which writes
        for _ in range(2):
            merge(copy)
            run_sweep(SMALL, copy)
        assert os.path.exists(file.name)
        file.write((copy / "tables/train-00000000.parquet").read_bytes())
    assert merge(copy, check=True).complete


def test_files_of_dead_processes_of_this_machine_are_removed_where_locks_do_nothing(copy, monkeypatch):
    monkeypatch.setattr(files.fcntl, "flock", lambda *arguments: None)
    names = [f".train-00000000.parquet.{where}3fffff0000.tmp" for where in (files._here(), "abcdef")]
    for name in names:
        (copy / "tables" / name).touch()
    merge(copy)
    assert [(copy / "tables" / name).exists() for name in names] == [False, True]


@pytest.mark.parametrize(
    "name", [".sweep.json", "tables/.test-00000001.parquet", "shards/.00000001.json", ".manifest.json"]
)
def test_merge_removes_what_the_dead_have_left(copy, name):
    (copy / f"{name}.0123456789abcdef.tmp").write_bytes(b"half")
    merge(copy)
    assert not list(copy.rglob("*.tmp"))


def failing(*arguments, **options):
    raise ValueError("cannot be solved")


def test_a_process_that_fails_early_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(_table_shards, "solve", failing)
    with pytest.raises(ValueError, match="cannot be solved"):
        run_sweep(SMALL, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("how", ["began first", "came later", "without locks"])
def test_a_process_that_fails_early_does_not_take_a_healthy_ones_folders(whole, tmp_path, monkeypatch, how):
    """The healthy one runs while the other fails, whoever made the folder."""
    solve = _table_shards.solve
    if how == "without locks":
        monkeypatch.setattr(files.fcntl, "flock", lambda *arguments: None)

    def fail_while_another_works(*arguments, **options):
        monkeypatch.setattr(_table_shards, "solve", solve_while_another_fails)
        run_sweep(SMALL, tmp_path)
        failing()

    def solve_while_another_fails(*arguments, **options):
        monkeypatch.setattr(_table_shards, "solve", failing)
        with pytest.raises(ValueError, match="cannot be solved"):
            run_sweep(SMALL, tmp_path)
        monkeypatch.setattr(_table_shards, "solve", solve)
        return solve(*arguments, **options)

    first = solve_while_another_fails if how == "began first" else fail_while_another_works
    monkeypatch.setattr(_table_shards, "solve", first)
    if how == "began first":
        run_sweep(SMALL, tmp_path)
    else:
        with pytest.raises(ValueError, match="cannot be solved"):
            run_sweep(SMALL, tmp_path)
    assert contents(tmp_path) == contents(whole)


def test_the_folder_is_kept_when_its_maker_fails_and_another_has_only_opened_it(tmp_path, monkeypatch):
    layouts = []

    def another_opens(*arguments, **options):
        held = files.locked(tmp_path / "sweep.json", shared=True)
        layouts.append((held, held.__enter__()))
        failing()

    monkeypatch.setattr(_table_shards, "solve", another_opens)
    with pytest.raises(ValueError, match="cannot be solved"):
        run_sweep(SMALL, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["committees", "shards", "sweep.json", "tables"]
    layouts[0][0].__exit__(None, None, None)


# --- sweep.json and versions --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["sweep", "merge"])
def test_a_lost_description_is_recovered_from_the_manifest(whole, copy, how):
    (copy / "sweep.json").unlink()
    run_sweep(SMALL, copy) if how == "sweep" else merge(copy)
    assert contents(copy) == contents(whole)


def test_a_manifest_that_was_changed_recovers_nothing(copy):
    (copy / "sweep.json").unlink()
    text = (copy / "manifest.json").read_text()
    (copy / "manifest.json").write_text(text.replace('"seed": 0', '"seed": 1', 1))
    with pytest.raises(ValueError, match=r"no sweep\.json"):
        merge(copy)


def test_sweep_json_manifest_and_card_name_what_the_bytes_depend_on(whole):
    for name in ("sweep.json", "manifest.json"):
        made_with = json.loads((whole / name).read_text())["made_with"]
        assert set(made_with) == {*PACKAGES, "device", "jax_backend"}
        assert made_with["jax"]
        assert made_with["device"]
    assert f"Made with jax {made_with['jax']}, " in (whole / "README.md").read_text()


@pytest.mark.parametrize("kind", [["--users", "2", "--actions", "2", "--providers", "2"], ["--items", "2"]])
def test_other_sweeps_are_no_more_continued_with_other_versions(tmp_path, monkeypatch, capsys, kind):
    sweep = ["sweep", "--out", str(tmp_path), *kind, "--states", "2", "--shard-size", "8", "--tables"]
    assert main([*sweep, "8"]) == 0
    here = {**_pipeline.made_with(), "highspy": "another"}
    monkeypatch.setattr(_pipeline, "made_with", lambda: here)
    before = contents(tmp_path)
    assert main([*sweep, "16"]) == 2
    assert "highspy is " in capsys.readouterr().err
    assert contents(tmp_path) == before
    assert main([*sweep, "16", "--allow-versions"]) == 0
    records = json.loads((tmp_path / "manifest.json").read_text())["shards"]
    assert [record.get("made_with", {}).get("highspy") for record in records] == [None, "another"]


@pytest.mark.parametrize("name", [*PACKAGES, "device", "jax_backend"])
def test_other_versions_are_refused_unless_allowed_and_then_noted(copy, monkeypatch, name):
    here = {**_pipeline.made_with(), name: "another"}
    for module in (_pipeline,):
        monkeypatch.setattr(module, "made_with", lambda: here)
    before = contents(copy)
    with pytest.raises(ValueError, match=rf"{name} is .* there, 'another' here\. .*--allow-versions"):
        run_sweep(replace(SMALL, tables=20), copy)
    assert contents(copy) == before
    assert run_sweep(replace(SMALL, tables=20), copy, allow_versions=True).closed
    records = json.loads((copy / "manifest.json").read_text())["shards"]
    assert [record.get("made_with", {}).get(name) for record in records] == [None, "another", "another"]
    assert "2 of 3 shards were made with others" in (copy / "README.md").read_text()
    assert merge(copy, check=True).complete


def test_the_flag_reaches_the_sweep(copy, monkeypatch, capsys):
    monkeypatch.setattr(_pipeline, "made_with", lambda: {"jax": "0.1"})
    (copy / "shards/00000001.json").unlink()
    assert main(["sweep", "--out", str(copy), *FLAGS]) == 2
    assert "--allow-versions" in capsys.readouterr().err
    assert main(["sweep", "--out", str(copy), *FLAGS, "--allow-versions"]) == 0


def test_the_lock_of_a_stopped_process_is_not_waited_for_without_end(copy, monkeypatch):
    monkeypatch.setattr(_run, "PATIENCE", 0.1)
    monkeypatch.setattr(finalize, "PATIENCE", 0.1)
    with files.locked(copy) as had:
        assert had
        assert run_sweep(SMALL, copy).closed


def test_merging_takes_as_long_as_what_is_there_not_as_what_is_declared(copy):
    """10^9 shards are declared, one is there."""
    description = json.loads((copy / "sweep.json").read_text())
    description["config"] |= {"tables": 10**9, "shard_size": 1}
    (copy / "sweep.json").write_text(json.dumps(description))
    report = merge(copy)
    assert (report.shards, report.complete) == (10**9, False)
    assert report.missing >= 10**9 - 10
    assert len(report.first_missing) == 20
