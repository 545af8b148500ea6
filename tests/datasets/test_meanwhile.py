"""What merge and loaders see of a folder in which a sweep goes on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from equilibrax.datasets import _layout, finalize, load_arrays, run_sweep
from equilibrax.datasets.finalize import merge
from equilibrax.datasets.sweep import SweepConfig

SMALL = SweepConfig(tables=10, states=2, actions=2, providers=2, shard_size=4, splits=(1, 0, 0))


@pytest.fixture
def folder(tmp_path):
    run_sweep(SMALL, tmp_path)
    return tmp_path


@pytest.mark.parametrize("check", [False, True])
def test_a_shard_whose_record_goes_while_it_is_looked_at_is_missing(folder, monkeypatch, check):
    read = _layout.read_record

    def gone(layout, shard):
        if shard == 1:
            layout.record(shard).unlink(missing_ok=True)
            return None
        return read(layout, shard)

    monkeypatch.setattr(_layout, "read_record", gone)
    report = merge(folder, check=check)
    assert (report.first_missing, report.missing, report.faults) == ((1,), 1, ())


def test_a_shard_that_is_made_again_while_its_bytes_are_read_has_no_faults(folder, monkeypatch):
    record, file, faults = (
        folder / "shards/00000001.json",
        folder / "committees/train-00000001.parquet",
        _layout._faults,
    )
    whole, said = file.read_bytes(), record.read_text()
    file.write_bytes(bytes(len(whole)))

    def looked_at(layout, shard, check):
        yield from list(faults(layout, shard, check))
        if shard == 1:
            file.write_bytes(whole)
            record.write_text(json.dumps(json.loads(said)))

    monkeypatch.setattr(_layout, "_faults", looked_at)
    assert merge(folder, check=True).complete


def test_a_folder_that_gets_more_tables_while_it_is_merged_is_looked_at_again(folder, monkeypatch):
    look, looks = finalize._report, []

    def slowly(*given):
        if not looks:
            run_sweep(replace(SMALL, tables=16), folder)
        looks.append(look(*given))
        return looks[-1]

    monkeypatch.setattr(finalize, "_report", slowly)
    assert merge(folder).complete
    assert [report.faulty for report in looks] == [1, 0]


def test_a_folder_that_vanishes_while_it_is_merged_is_not_begun_again(folder, monkeypatch):
    """What cannot be solved leaves no description; merge writes one again only where the manifest has it."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "sweep.json":
            path.unlink()
    look = finalize._report

    def removed(*given):
        (folder / "sweep.json").unlink()
        return look(*given)

    monkeypatch.setattr(finalize, "_report", removed)
    assert not merge(folder).complete
    assert not (folder / "sweep.json").exists()


def test_arrays_of_a_shard_that_is_made_again_while_they_are_read_are_refused(folder, monkeypatch):
    read, more = _layout.read_record, replace(SMALL, tables=12)

    def last(layout, shard):
        found = read(layout, shard)
        if shard == 2 and layout.count == 10:
            run_sweep(more, folder)
        return found

    monkeypatch.setattr("equilibrax.datasets.arrays.read_record", last)
    with pytest.raises(
        ValueError, match=r"expected 2 rows in tables/train-00000002\.parquet, .* got 4; a sweep goes on"
    ):
        load_arrays(folder)
    monkeypatch.undo()
    assert len(load_arrays(folder)) == 12
