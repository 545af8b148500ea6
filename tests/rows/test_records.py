"""Rows of results and tables: names, types, nulls, exactness, and files that are whole or absent."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from equilibrax._core.column import schema
from equilibrax._core.columns import declared
from equilibrax._core.status import Status
from equilibrax.games import solve
from equilibrax.problems.random_tables import sample_tables
from equilibrax.rows import parquet as records
from equilibrax.rows.committees import committee_rows, table_rows
from equilibrax.rows.parquet import iter_committees, read_committees, write_parquet

COLUMNS = """
table_id int64, family string, seed int64, states int32, actions int32, num_providers int32, committee int32,
committee_size int32, optimum double, worst_utility double, best_utility double, equilibria int64,
dynamics_utility double, dynamics_steps int64, misalignment double, bound double, status string
"""
COMMITTEE_SCHEMA = schema(declared("committees"))
OF_RESULT = COMMITTEE_SCHEMA.names[COMMITTEE_SCHEMA.names.index("optimum") : -1]


@pytest.fixture(scope="module")
def tables():
    return sample_tables("noisy", 5, states=2, actions=2, providers=2, seed=7, start=2**33, noise=0.3)


@pytest.fixture(scope="module")
def result(tables):
    return solve(tables)


@pytest.fixture(scope="module")
def rows(result):
    return committee_rows(result)


def test_committee_rows_have_exactly_the_columns(rows):
    assert [f"{field.name} {field.type}" for field in rows.schema] == COLUMNS.replace("\n", " ").strip().split(", ")
    assert rows.schema == COMMITTEE_SCHEMA
    rows.validate(full=True)


def test_committee_rows_are_the_result_in_order(result, rows):
    assert rows.num_rows == 15
    assert sum(column.null_count for column in rows.columns) == 0
    assert rows["table_id"].to_pylist() == np.repeat(2**33 + np.arange(5), 3).tolist()
    assert rows["committee"].to_pylist() == [1, 2, 3] * 5
    assert rows["committee_size"].to_pylist() == [1, 1, 2] * 5
    for name, value in {
        "family": "noisy",
        "seed": 7,
        "states": 2,
        "actions": 2,
        "num_providers": 2,
        "status": "OK",
    }.items():
        assert set(rows[name].to_pylist()) == {value}
    for name in OF_RESULT:
        assert rows[name].to_numpy().tobytes() == np.ascontiguousarray(getattr(result, name)).tobytes(), name


def test_skipped_results_are_null(tables):
    rows = committee_rows(solve(tables, eq.Selection(dynamics=False, misalignment=False), committees=[3, 1]))
    assert rows.schema == COMMITTEE_SCHEMA
    skipped = {"dynamics_utility", "dynamics_steps", "misalignment", "bound"}
    assert {name for name in rows.column_names if rows[name].null_count} == skipped
    assert all(rows[name].null_count == rows.num_rows == 10 for name in skipped)
    assert rows["committee"].to_pylist() == [3, 1] * 5
    assert rows["committee_size"].to_pylist() == [2, 1] * 5


@pytest.mark.slow
def test_tables_that_were_not_solved_have_null_results_and_say_so():
    tables = sample_tables("uniform", 16, states=2, actions=2, providers=2, seed=0)
    result = solve(tables, eq.Selection(method="frontier", capacity=2, max_capacity=2), throw=False)
    lost = (result.status & int(Status.FRONTIER_OVERFLOW) != 0).reshape(-1)
    assert 0 < lost.sum() < len(lost), "expected some tables to overflow and some not"
    rows = committee_rows(result)
    rows.validate(full=True)
    assert (np.array(rows["status"].to_pylist()) == np.where(lost, "FRONTIER_OVERFLOW", "OK")).all()
    for name in rows.column_names:
        null = rows[name].combine_chunks().is_null().to_numpy(zero_copy_only=False)
        assert (null == (lost if name in OF_RESULT else False)).all(), name


def test_statuses_join_their_flags(result):
    status = np.zeros_like(result.status)
    status[1, 2] = int(Status.COUNT_SATURATED | Status.DYNAMICS_LIMIT)
    status[4, 0] = int(Status.MISALIGNMENT_UNCERTIFIED)
    named = committee_rows(replace(result, status=status))["status"].to_pylist()
    assert named[5] == "COUNT_SATURATED|DYNAMICS_LIMIT"
    assert named[12] == "MISALIGNMENT_UNCERTIFIED"
    assert named.count("OK") == 13


def test_nan_is_null(result):
    score = result.fit.misalignment.copy()
    score[0, 0] = np.nan
    rows = committee_rows(replace(result, fit=replace(result.fit, misalignment=score)))
    assert rows["misalignment"].null_count == rows["bound"].null_count == 1
    assert rows["misalignment"][0].as_py() is None


def test_tables_with_names_have_their_own():
    labels = eq.Labels(("x", "y"), ("a", "b"), ("p",), ("Züri", "Bern"))
    named = eq.from_integers(np.arange(8).reshape(2, 2, 2), np.ones((2, 1, 2, 2), int), labels=labels)
    assert committee_rows(solve(named, eq.Selection(misalignment=False, dynamics=False)))["family"].to_pylist() == [
        "Züri",
        "Bern",
    ]
    assert table_rows(named)["family"].to_pylist() == ["Züri", "Bern"]


@pytest.mark.parametrize("resolution", [1, 10_000, 2**31 - 1, 999_983])
def test_table_rows_read_back_to_the_same_integers(resolution, tmp_path):
    random = np.random.default_rng(resolution)
    most = min(2**31 - 1, 2**39)
    available = random.random((50, 3, 4)) < 0.7
    available[..., 1] = True
    given = eq.from_integers(
        random.integers(-most, most, (50, 3, 4), endpoint=True),
        random.integers(-most, most, (50, 2, 3, 4), endpoint=True),
        random.integers(1, 100, (50, 3)),
        available,
        resolution=resolution,
    )
    write_parquet(table_rows(given), tmp_path / "tables.parquet")
    rows = pq.read_table(tmp_path / "tables.parquet")
    assert rows.schema.equals(table_rows(given).schema)
    [states], [actions], [providers], [steps] = (
        set(rows[name].to_pylist()) for name in ("states", "actions", "num_providers", "resolution")
    )

    def array(name, *shape):
        values = rows[name].combine_chunks()
        assert isinstance(values, pa.FixedSizeListArray)
        return values.flatten().to_numpy(zero_copy_only=False).reshape(len(rows), *shape)

    again = eq.from_integers(
        np.rint(array("user", states, actions) * steps).astype(np.int64),
        np.rint(array("provider_utilities", providers, states, actions) * steps).astype(np.int64),
        array("prior", states),
        array("available", states, actions),
        resolution=steps,
    )
    for name in ("user", "providers", "prior", "available", "table_id_words", "resolution"):
        assert np.array_equal(getattr(again, name), getattr(given, name)), name
    assert (array("user", states, actions)[~available] == 0).all()


def test_table_rows_of_random_tables(tables):
    rows = table_rows(tables)
    assert [f"{field.name} {field.type}" for field in rows.schema] == [
        "table_id int64",
        "family string",
        "seed int64",
        "states int32",
        "actions int32",
        "num_providers int32",
        "resolution int32",
        "user fixed_size_list<item: double>[4]",
        "provider_utilities fixed_size_list<item: double>[8]",
        "prior fixed_size_list<item: int32>[2]",
        "available fixed_size_list<item: bool>[4]",
    ]
    assert rows["table_id"].to_pylist() == (2**33 + np.arange(5)).tolist()
    assert rows["provider_utilities"][3].as_py() == (np.asarray(tables.providers)[3].reshape(-1) / 10_000).tolist()


# --- files --------------------------------------------------------------------------------------------------


def test_equal_rows_make_equal_bytes(result, tmp_path):
    digests = set()
    for name in ("a", "b"):
        write_parquet(committee_rows(result), tmp_path / name)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    with_metadata = committee_rows(result).replace_schema_metadata({"pandas": "now"})
    write_parquet(with_metadata, tmp_path / "a")
    digests.add(hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest())
    assert len(digests) == 1
    assert pq.read_schema(tmp_path / "a").metadata[b"equilibrax"] == eq.__version__.encode()
    assert not os.stat(tmp_path / "a").st_mode & 0o111
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("error", [RuntimeError("interrupted"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(rows, tmp_path, monkeypatch, error):
    path = tmp_path / "committees.parquet"
    write_parquet(rows, path)
    before = path.read_bytes()

    def fail(file, data):
        file.write(b"half a fi")
        file.flush()
        assert len(os.listdir(tmp_path)) == 2
        raise error

    monkeypatch.setattr(records, "_write", fail)
    with pytest.raises(type(error)) as caught:
        write_parquet(rows, path)
    if isinstance(error, OSError):
        assert caught.value.errno == errno.ENOSPC
        assert str(caught.value) == f"[Errno {errno.ENOSPC}] cannot write: full: '{path}'"
    assert os.listdir(tmp_path) == ["committees.parquet"]
    assert path.read_bytes() == before


def test_a_folder_that_does_not_exist_is_named(rows, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write: .*nowhere/committees\.parquet"):
        write_parquet(rows, tmp_path / "nowhere" / "committees.parquet")


def test_a_full_disk_is_one_clear_message(rows):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError, match="No space left on device"), open("/dev/full", "wb", buffering=0) as full:
        pq.write_table(rows, full)  # what pyarrow makes of it; `whole_file` adds the path, see above


def test_a_short_write_is_not_summed_as_if_it_were_whole(tmp_path, rows, monkeypatch):
    class Short(io.BytesIO):
        def write(self, data):
            return super().write(bytes(data)[:-1])

    monkeypatch.setattr(records, "whole_file", lambda path: nullcontext(Short()))
    with pytest.raises(OSError, match="bytes were written"):
        write_parquet(rows, tmp_path / "a")


def test_files_are_read_in_order_and_one_at_a_time(rows, tmp_path):
    for part in ("00000001", "00000000", "00000010"):
        changed = rows.set_column(1, "family", pa.array([part] * len(rows)))
        write_parquet(changed, tmp_path / f"committees-{part}.parquet")
    (tmp_path / ".committees-00000002.parquet.0123456789abcdef.tmp").write_bytes(b"half")
    write_parquet(rows, tmp_path / "others.parquet")
    parts = [part["family"][0].as_py() for part in iter_committees(tmp_path)]
    assert parts == ["00000000", "00000001", "00000010"]
    everything = read_committees(tmp_path)
    assert everything.schema == COMMITTEE_SCHEMA
    assert everything.num_rows == 3 * len(rows)
    assert read_committees(tmp_path / "others.parquet").equals(rows)


def test_other_strings_orders_and_further_columns_are_read(rows, tmp_path):
    changed = rows.set_column(1, "family", rows["family"].dictionary_encode())
    changed = changed.set_column(16, "status", rows["status"].cast(pa.large_string()))
    changed = changed.append_column("note", pa.nulls(len(rows)))
    pq.write_table(changed.select(changed.column_names[::-1]), tmp_path / "a.parquet")
    assert read_committees(tmp_path / "a.parquet").equals(rows)


def test_what_cannot_be_read_is_named(rows, tmp_path):
    with pytest.raises(ValueError, match=r"path: .*nowhere, which does not exist"):
        read_committees(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"path: .*committees\*\.parquet, got none in"):
        iter_committees(tmp_path)
    file = tmp_path / "committees.parquet"
    file.write_bytes(b"no")
    with pytest.raises(ValueError, match=r"committees\.parquet: expected a Parquet file"):
        read_committees(tmp_path)
    write_parquet(rows.drop_columns("bound"), file)
    with pytest.raises(ValueError, match=r"committees\.parquet: expected a column 'bound'"):
        read_committees(file)
    write_parquet(rows.set_column(8, "optimum", pa.array(["high"] * len(rows))), file)
    with pytest.raises(ValueError, match=r"committees\.parquet: column 'optimum': expected double, got string"):
        read_committees(file)
