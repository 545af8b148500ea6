"""Datasets: splits, the same bytes by every route, mixtures and strata, merging, faults, and other people's readers."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from equilibrax._core import files
from equilibrax.cli import main
from equilibrax.datasets import _run as _sweep_folder, _table_shards as _sweep_shards, mixture as _mixture
from equilibrax.datasets.finalize import merge
from equilibrax.datasets.splits import split_of
from equilibrax.datasets.sweep import MixturePart, SweepConfig, read_mixture, run_sweep, validate
from equilibrax.rows import optional_columns as _columns, parquet as records

SIZES = {"states": 2, "actions": 2, "providers": 2}
FULL = SweepConfig(tables=44, **SIZES, shard_size=8, seed=3, columns=("schemes", "equilibria", "weights"))
CLOSING = {"README.md", "croissant.json", "manifest.json"}


def digests(folder) -> dict[str, str]:
    found = {str(path.relative_to(folder)): path for path in Path(folder).rglob("*") if path.is_file()}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def rows_of(folder, kind: str) -> list[dict]:
    parts = [pq.read_table(path) for path in sorted(Path(folder, kind).glob("*.parquet"))]
    return sorted(pa.concat_tables(parts).to_pylist(), key=lambda row: (row["table_id"], row.get("committee")))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Made by one process that nobody interrupted; never written to again."""
    folder = tmp_path_factory.mktemp("dataset")
    assert run_sweep(FULL, folder).closed
    return folder


@pytest.fixture
def copy(dataset, tmp_path):
    return Path(shutil.copytree(dataset, tmp_path / "copy"))


# --- splits -------------------------------------------------------------------------------------------------


def splitmix(value: int) -> int:
    z = (value + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def test_splitmix_is_splitmix():
    assert splitmix(1234567) == 6457827717110365317  # the first number of the published generator with that seed


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1])
def test_a_split_is_a_hash_of_seed_and_id(seed):
    ids = np.concatenate([np.arange(2000), 2**62 + np.arange(50), [2**63 - 1]])
    hashes = [splitmix((splitmix(seed) + int(i)) % 2**64) for i in ids]
    expected = [0 if h * 10 < 8 * 2**64 else 1 if h * 10 < 9 * 2**64 else 2 for h in hashes]
    assert split_of(ids, seed, (0.8, 0.1, 0.1)).tolist() == expected
    assert [round(n / len(ids), 1) for n in np.bincount(expected)] == [0.8, 0.1, 0.1]
    assert split_of(ids, seed, (0.0, 0.9, 0.1)).tolist() == [int(h * 10 >= 9 * 2**64) for h in hashes]
    assert not split_of(ids, seed, (1, 0.0, 0.0)).any()


@pytest.mark.slow
def test_every_file_holds_its_split_and_every_shard_every_file(dataset):
    seen = Counter()
    for kind in ("tables", "committees"):
        files = sorted(Path(dataset, kind).iterdir())
        assert len(files) == 18
        for file in files:
            ids = pq.read_table(file)["table_id"].to_numpy()
            splits = [("train", "validation", "test")[i] for i in split_of(ids, 3, (0.9, 0.05, 0.05))]
            assert set(splits) <= {file.name.partition("-")[0]}
            seen.update(ids.tolist())
    assert seen == {i: 4 for i in range(44)}
    schemas = [pq.read_schema(file) for file in Path(dataset, "committees").iterdir()]
    own = b"equilibrax_sha256"  # which every file has of itself
    metadata = [{key: value for key, value in schema.metadata.items() if key != own} for schema in schemas]
    assert all(schema.equals(schemas[0]) for schema in schemas)
    assert all(one == metadata[0] for one in metadata)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.3, 0.3), (1.5, -0.5, 0.0), (0.9, 0.05, "0.05"), 1.0])
def test_bad_shares_are_refused(shares):
    with pytest.raises(ValueError, match=r"^splits: expected"):
        validate(replace(FULL, splits=shares))


# --- columns ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("ties", "dense"), [("incumbent", 2**12), ("lowest_index", 2**12), ("lowest_index", 0)])
def test_schemes_are_those_that_are_listed(ties, dense, monkeypatch):
    """Of few actions and coarse utilities, so that ties and large sets of equilibria occur."""
    monkeypatch.setattr(_columns, "_DENSE_SCHEMES", dense)
    generator = np.random.default_rng(5)
    tables = eq.from_integers(
        generator.integers(0, 4, (12, 3, 2)), generator.integers(0, 4, (12, 3, 3, 2)), resolution=10
    )
    result = eq.solve(tables, eq.Selection(tie_break=ties, misalignment=False))
    columns = eq.rows.committee_rows(result, ("schemes", "equilibria"), 3)
    listed = columns["equilibrium_schemes"].to_pylist()
    best, worst = columns["best_scheme"].to_pylist(), columns["worst_scheme"].to_pylist()
    assert max(map(len, listed)) == 3
    for row, (b, c) in enumerate(np.ndindex(12, 7)):
        schemes = eq.games.equilibrium_schemes(tables[b], c + 1, tie_break=ties).tolist()
        assert len(schemes) == result.equilibria[b, c]
        assert listed[row] == schemes[:3]
        users = [sum(int(tables.user[b, x, a]) for x, a in enumerate(scheme)) for scheme in schemes]
        assert best[row] == schemes[users.index(max(users))]
        assert worst[row] == schemes[users.index(min(users))]


def test_weights_attain_the_misalignment(dataset):
    tables = {row["table_id"]: row for row in rows_of(dataset, "tables")}
    for row in rows_of(dataset, "committees"):
        table, weights = tables[row["table_id"]], np.array(row["misalignment_weights"])
        assert (weights >= 0).all()
        assert not weights[[not row["committee"] >> j & 1 for j in range(2)]].any()
        providers = np.array(table["provider_utilities"]).reshape(2, 2, 2)
        miss = np.tensordot(weights, providers, 1) + row["misalignment_offset"] - np.array(table["user"]).reshape(2, 2)
        for scheme in row["equilibrium_schemes"]:
            assert max(miss[x, a] for x, a in enumerate(scheme)) <= row["misalignment"] + 1e-9


def test_float32_stores_the_nearest(dataset, tmp_path):
    run_sweep(replace(FULL, float32=True, columns=("weights",)), tmp_path)
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "committees/train-00000000.parquet")}
    assert types["misalignment_weights"] == "list<element: float>"
    assert "worst_scheme" not in types
    exact = rows_of(dataset, "committees")
    for row, other in zip(rows_of(tmp_path, "committees"), exact):
        for name in ("optimum", "misalignment", "bound"):
            assert row[name] == np.float32(other[name])
    for row, other in zip(rows_of(tmp_path, "tables"), rows_of(dataset, "tables")):
        assert row["user"] == np.array(other["user"], np.float32).tolist()
        assert np.rint(np.array(row["user"]) * 10_000).tolist() == np.rint(np.array(other["user"]) * 10_000).tolist()
    read = eq.rows.read_committees(tmp_path)
    assert read["optimum"].to_pylist() == [row["optimum"] for row in rows_of(tmp_path, "committees")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": ("colours",)}, "columns: expected some of schemes, equilibria, weights"),
        (
            {"game": eq.Selection(misalignment=False)},
            "columns: expected of schemes, equilibria, efficiency, which",
        ),
        ({"game": "joint"}, "columns: expected of efficiency, which this game"),
        ({"columns": (), "game": "joint", "stratify": "misalignment"}, "stratify: expected a game whose misalignment"),
        ({"tables": 10**6, "shard_size": 2**20, "equilibria_cap": 10**4}, "equilibria_cap: expected"),
        ({"licence": "my own!"}, "licence: expected the SPDX name"),
        ({"stratify": "colour"}, "stratify: expected misalignment"),
        ({"bin_range": (0.2, 0.1)}, "bin_range: expected two numbers"),
        ({"mixture": (MixturePart("uniform"),)}, "states: expected nothing beside a mixture, got 2"),
    ],
)
def test_bad_options_are_refused(changes, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        validate(replace(FULL, **changes))


# --- routes -------------------------------------------------------------------------------------------------

CHILD = """
import sys
from equilibrax.datasets.sweep import SweepConfig, run_sweep
config = SweepConfig(
    tables=44, states=2, actions=2, providers=2, shard_size=8, seed=3, columns=("schemes", "equilibria", "weights")
)
run_sweep(config, sys.argv[1], worker=(int(sys.argv[2]), 4), progress=lambda *done: print(*done, flush=True))
"""


def start(folder, share: int) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, str(folder), str(share)]
    devices = {"JAX_NUM_CPU_DEVICES": str(1 + share)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **devices})


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_four_processes_one_of_them_killed_make_the_same_bytes(dataset, tmp_path):
    """Shares 0 to 2 at the same time, on one to three devices; 0 is killed after its first shard, and done again."""
    children = [start(tmp_path, share) for share in range(3)]
    for _ in range(2):
        assert children[0].stdout.readline()
    children[0].send_signal(signal.SIGKILL)
    for share, child in enumerate(children):
        child.communicate(timeout=100)
        assert child.returncode == (-signal.SIGKILL if share == 0 else 0)
    done = {name: digest for name, digest in digests(tmp_path).items() if not name.endswith(".tmp")}
    assert done.items() < digests(dataset).items()
    assert not CLOSING & set(done)
    report = run_sweep(FULL, tmp_path, worker=(3, 4))
    assert (report.shards, report.shards_done, report.complete, report.closed) == (1, 1, True, False)
    missing = merge(tmp_path).first_missing
    assert {0, 4} >= set(missing) >= {4}
    report = run_sweep(FULL, tmp_path, worker=(0, 4))
    assert (report.shards, report.closed) == (2, True)
    assert digests(tmp_path) == digests(dataset)


@pytest.mark.slow
def test_interrupted_twenty_times_at_random(dataset, tmp_path, monkeypatch):
    """At any call to the operating system that writes, by a Ctrl-C, a full disk or a death that cleans nothing up."""
    generator, expected = random.Random(1), digests(dataset)
    originals = {name: getattr(os, name) for name in ("fsync", "replace")}
    interrupted = completed = 0
    while interrupted < 20:
        left = [generator.randrange(40)]
        error = generator.choice([KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])

        def call(name, *arguments, left=left, error=error):
            left[0] -= 1
            if left[0] < 0:
                raise error
            return originals[name](*arguments)

        with monkeypatch.context() as patch:
            for name in originals:
                patch.setattr(files.os, name, partial(call, name))
            if interrupted % 3 == 0:
                patch.setattr(Path, "unlink", lambda path, missing_ok=False: None)
            with suppress(KeyboardInterrupt, OSError):
                run_sweep(FULL, tmp_path / str(completed), worker=(generator.choice([0, 1]), 2))
        interrupted += left[0] < 0
        done = {name: digest for name, digest in digests(tmp_path / str(completed)).items() if name[-4:] != ".tmp"}
        assert done.items() <= expected.items()
        if done == expected:  # then begin again
            completed += 1
    run_sweep(FULL, tmp_path / str(completed))
    for folder in tmp_path.iterdir():
        run_sweep(FULL, folder)  # removes what is left of the dead
        assert digests(folder) == expected


def test_single_shards_may_be_done_anywhere(dataset, tmp_path):
    work = _sweep_shards.work_of(FULL)
    layout = _sweep_folder.open_folder(work, tmp_path)
    for shard in (5, 0, 3, 3):
        record = _sweep_folder.do_shard(work, layout, shard)
        assert record == json.loads((dataset / f"shards/0000000{shard}.json").read_text())
    assert run_sweep(FULL, tmp_path).shards_before == 3
    assert digests(tmp_path) == digests(dataset)


def test_readers_see_only_finished_shards_in_the_order_of_tables(copy):
    whole = eq.rows.read_committees(copy)
    assert whole["table_id"].to_pylist() == np.repeat(np.arange(44), 3).tolist()
    assert whole["committee"].to_pylist() == [1, 2, 3] * 44
    assert [part.num_rows for part in eq.rows.iter_committees(copy)] == [24] * 5 + [12]
    (copy / "shards/00000002.json").unlink()
    assert set(eq.rows.read_committees(copy)["table_id"].to_pylist()) == set(range(44)) - set(range(16, 24))
    shutil.rmtree(copy / "shards")  # downloaded without them
    assert eq.rows.read_committees(copy).equals(whole)


def test_a_share_that_is_none_is_refused(tmp_path, capsys):
    for share in [(2, 2), (-1, 2), (0, 0), 3, (0.0, 2)]:
        with pytest.raises(ValueError, match=r"^worker: expected"):
            run_sweep(FULL, tmp_path, worker=share)  # type: ignore[arg-type]
    assert main(["sweep", "--out", str(tmp_path), "--worker", "2/2"]) == 2
    assert "--worker: expected I/N" in capsys.readouterr().err


# --- merging ------------------------------------------------------------------------------------------------


def test_the_manifest_lists_every_file_with_its_hash(dataset):
    manifest = json.loads((dataset / "manifest.json").read_text())
    listed = {name: file["sha256"] for shard in manifest["shards"] for name, file in shard["files"].items()}
    assert listed == {name: digest for name, digest in digests(dataset).items() if name.endswith(".parquet")}
    assert [shard["ids"] for shard in manifest["shards"]] == [[i, min(i + 8, 44)] for i in range(0, 44, 8)]
    assert manifest["config"]["columns"] == ["schemes", "equilibria", "weights"]
    totals = manifest["totals"]
    assert (totals["tables"], totals["rows"], totals["statuses"], totals["files"]) == (44, 132, {"OK": 132}, 36)
    assert totals["bytes"] == sum(path.stat().st_size for path in dataset.rglob("*.parquet"))
    assert sum(split["tables"] for split in totals["splits"].values()) == 44


def test_merge_names_what_is_missing(copy, capsys):
    closing = {name: (copy / name).read_bytes() for name in CLOSING}
    for name in [*CLOSING, "shards/00000001.json", "shards/00000004.json"]:
        (copy / name).unlink()
    report = merge(copy)
    assert (report.shards, report.missing, report.first_missing, report.complete) == (6, 2, (1, 4), False)
    assert main(["merge", str(copy)]) == 1
    assert "2 of 6 shards are missing: 1, 4." in capsys.readouterr().err
    assert not any((copy / name).exists() for name in CLOSING)
    run_sweep(FULL, copy, worker=(1, 3))
    assert main(["merge", str(copy), "--check"]) == 0
    assert {name: (copy / name).read_bytes() for name in CLOSING} == closing


@pytest.mark.parametrize(
    ("damage", "check", "message"),
    [
        (lambda path: path.unlink(), False, "expected a file, got none; sweep again"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), False, "expected .* bytes, got"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), True, "expected SHA-256 .* sweep again"),
    ],
)
def test_merge_names_what_is_damaged(copy, damage, check, message):
    damage(copy / "tables/test-00000003.parquet")
    report = merge(copy, check=check)
    assert (report.faulty, report.missing, report.complete) == (1, 0, False)
    assert len(report.faults) == 1
    with pytest.raises(ValueError, match=rf"tables/test-00000003\.parquet: {message}"):
        raise ValueError(report.faults[0])


@pytest.mark.parametrize("name", ["rows", "resolved", "shard", "tables", "statuses", "files", "sha256"])
def test_merge_names_a_record_that_is_none(copy, name):
    file = copy / "shards/00000003.json"
    record = json.loads(file.read_bytes())
    if name == "sha256":
        del record["files"]["tables/test-00000003.parquet"][name]
    else:
        record[name] = {"rows": "1", "files": [1]}.get(name)
    file.write_text(json.dumps(record))
    (fault,) = merge(copy, check=True).faults
    assert fault.startswith(f"{file}: expected the record of a shard, got something else")


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", '{"format": 1e400}', '{"format": {}}', "1" * 5000])
def test_a_description_that_is_none_is_one_line(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(ValueError, match=r"sweep\.json: expected the description of a sweep, got") as caught:
        merge(tmp_path)
    assert len(str(caught.value)) <= 600


def test_merge_names_a_shard_of_another_sweep(copy, tmp_path):
    other = tmp_path / "other"
    run_sweep(replace(FULL, seed=4), other)
    shutil.copy(other / "shards/00000002.json", copy / "shards/00000002.json")
    (fault,) = merge(copy).faults
    assert "00000002.json: expected a shard of this sweep, got one of another" in fault


def test_merge_refuses_what_is_no_sweep(tmp_path, capsys):
    assert main(["merge", str(tmp_path)]) == 2
    assert "has no sweep.json" in capsys.readouterr().err


def test_more_tables_open_a_closed_dataset_again(dataset, tmp_path):
    run_sweep(replace(FULL, tables=20), tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["totals"]["tables"] == 20
    assert not run_sweep(FULL, tmp_path, worker=(0, 2)).closed
    assert not any((tmp_path / name).exists() for name in CLOSING)
    assert run_sweep(FULL, tmp_path).closed
    assert digests(tmp_path) == digests(dataset)


# --- mixtures and strata ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_mixture_deals_shards_in_proportion(tmp_path):
    file = tmp_path / "mixture.toml"
    file.write_text("""
        [[part]]
        family = "noisy"
        parameters = {noise = 0.25}
        proportion = 0.75
        states = 2
        actions = 2
        providers = 2

        [[part]]
        family = "uniform"
        proportion = 0.25
        states = 2
        actions = 2
        providers = 3
    """)
    out = tmp_path / "out"
    args = ["sweep", "--tables", "32", "--shard-size", "4", "--out", str(out), "--mixture", str(file)]
    assert main(args) == 0
    before = digests(out)
    for name in ("shards/00000001.json", "shards/00000006.json"):
        (out / name).unlink()
    assert main(args) == 0
    assert digests(out) == before
    tables, rows = rows_of(out, "tables"), rows_of(out, "committees")
    assert Counter(row["family"] for row in tables) == {"noisy": 24, "uniform": 8}
    assert [row["table_id"] for row in tables] == list(range(32))
    for table_id in (0, 31, next(row["table_id"] for row in tables if row["family"] == "uniform")):
        row = tables[table_id]
        parameters = {"noise": 0.25} if row["family"] == "noisy" else {}
        sizes = {"states": 2, "actions": 2, "providers": row["num_providers"]}
        drawn = eq.sample_tables(row["family"], 1, **sizes, seed=0, start=table_id, **parameters)
        assert row["provider_utilities"] == (np.asarray(drawn.providers).ravel() / 10_000).tolist()
        assert sum(other["table_id"] == table_id for other in rows) == 2 ** row["num_providers"] - 1
    part = json.loads((out / "shards/00000000.json").read_text())["part"]
    assert part == {"family": "noisy", "states": 2, "actions": 2, "providers": 2, "parameters": {"noise": 0.25}}


def test_dealing_keeps_up_with_the_proportions():
    dealt = [_mixture.part_of(shard, (0.5, 0.3, 0.15, 0.05)) for shard in range(200)]
    for count in range(1, 201):
        for part, share in enumerate((0.5, 0.3, 0.15, 0.05)):
            assert abs(dealt[:count].count(part) - share * count) < 1.5
    assert [dealt.count(part) for part in range(4)] == [100, 60, 30, 10]
    assert [_mixture.part_of(10**8 + shard, (1, 1, 1)) for shard in range(3)] == [1, 2, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[part", "expected TOML"),
        ("[part]\nfamily = 'noisy'", r"expected tables \[\[part\]\] alone"),
        ("[[part]]\nstates = 2", "part 1: expected a family, got none"),
        ("[[part]]\nfamily = 'noisy'\ncolour = 1", "part 1: expected one of family, .*, got 'colour'"),
        ("[[part]]\nfamily = 'noisy'\nparameters = 1", "part 1: parameters: expected a table, got 1"),
    ],
)
def test_bad_mixture_files_are_named(tmp_path, text, message):
    file = tmp_path / "mixture.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=rf"^mixture: .*mixture\.toml: {message}"):
        read_mixture(file)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (MixturePart("unheard"), "family: expected one of"),
        (MixturePart("noisy", proportion=0), "proportion: expected a positive number, got 0"),
        (MixturePart("noisy", proportion=0.1234567), "proportion: expected ratios of whole numbers"),
        (MixturePart("noisy", providers=17), "providers: expected a whole number from 1 to 16, got 17"),
        (MixturePart("noisy", parameters=(("noise", 0.7),)), "noise: "),
    ],
)
def test_bad_parts_are_refused(part, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        validate(SweepConfig(tables=8, mixture=(MixturePart("uniform"), part)))


@pytest.mark.slow
def test_strata_are_even_and_can_be_drawn_again(tmp_path):
    config = replace(FULL, columns=(), stratify="misalignment", bins=4, bin_range=(0.0, 0.2), splits=(0.5, 0.5, 0))
    report = run_sweep(config, tmp_path / "one")
    assert (report.tables, report.short, report.closed) == (44, 0, True)
    rows = [row for row in rows_of(tmp_path / "one", "committees") if row["committee"] == 3]
    assert Counter(int(row["misalignment"] / 0.05) for row in rows) == {b: 11 for b in range(4)}
    for shard in range(6):
        record = json.loads((tmp_path / f"one/shards/0000000{shard}.json").read_text())
        start, stop = record["stratify"]["candidates"]
        assert record["stratify"]["status"] == "FILLED"
        assert start == shard * 800 < stop <= start + 800
    drawn = eq.sample_tables("uniform", 8, **SIZES, seed=3, start=rows_of(tmp_path / "one", "tables")[9]["table_id"])
    assert rows_of(tmp_path / "one", "tables")[9]["user"] == (np.asarray(drawn.user)[0].ravel() / 10_000).tolist()
    for share in (1, 0):
        run_sweep(config, tmp_path / "two", worker=(share, 2))
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_strata_that_cannot_be_filled_say_so(tmp_path, capsys):
    out = str(tmp_path / "out")
    sizes = ["--states", "2", "--actions", "2", "--providers", "2", "--tables", "16", "--shard-size", "8"]
    options = ["--stratify", "misalignment", "--bins", "2", "--range", "0,0.9", "--candidates", "3", "--seed", "3"]
    assert main(["sweep", "--out", out, *sizes, *options]) == 0
    assert "8 tables were not found: bins are not even" in capsys.readouterr().err
    record = json.loads(Path(out, "shards/00000001.json").read_text())
    found = {"status": "GAVE_UP", "candidates": [24, 48], "wanted": [4, 4], "found": [4, 0]}
    assert record["stratify"] == found
    assert (record["tables"], record["rows"]) == (4, 12)
    assert main(["merge", out, "--check"]) == 0


def test_a_range_is_found_for_bins(tmp_path):
    config = replace(FULL, columns=(), stratify="misalignment", bins=2)
    run_sweep(config, tmp_path)
    low, high = json.loads((tmp_path / "sweep.json").read_text())["config"]["bin_range"]
    assert low == 0 < high < 0.5
    with pytest.raises(ValueError, match=r"^stratify: expected a family with some misalignment, got 'hull'"):
        run_sweep(replace(config, family="hull"), tmp_path / "hull")


# --- faults -------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_up_loses_nothing(dataset, tmp_path, monkeypatch, capsys):
    """The disk is full in the middle of a file of the third shard; the message says how to go on."""
    room, write = [40_000], records._write

    def limited(file, data):
        room[0] -= len(data)
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(records, "_write", limited)
        with pytest.raises(
            OSError, match=r"No space left on device; make room; .*give the same command again"
        ) as caught:
            run_sweep(FULL, tmp_path)
    assert caught.value.errno == errno.ENOSPC
    done = digests(tmp_path)
    assert "shards/00000000.json" in done
    assert "shards/00000005.json" not in done
    assert done.items() <= digests(dataset).items()
    run_sweep(FULL, tmp_path)
    assert digests(tmp_path) == digests(dataset)


def test_a_folder_that_becomes_read_only_says_so(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(files, "_unique", refuse)
    with pytest.raises(OSError, match=r"Read-only file system; make it writable; .*same command again"):
        run_sweep(FULL, tmp_path)


def test_a_complete_dataset_may_be_read_only(dataset, monkeypatch):
    monkeypatch.setattr(_sweep_folder.os, "access", lambda path, mode: False)
    monkeypatch.setattr(files, "_unique", None)
    assert run_sweep(FULL, dataset).closed
    assert merge(dataset, check=True).complete


def test_ctrl_c_on_the_command_line(tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(_sweep_shards, "solve", interrupted)
    assert main(["sweep", "--out", str(tmp_path), "--tables", "8", "--states", "2", "--actions", "2"]) == 130
    assert "the same command continues" in capsys.readouterr().err


def test_clocks_may_jump(copy, dataset, monkeypatch):
    """What a killed process left may seem to be of tomorrow, what a living one writes to be of the last century."""
    left, held = (copy / f"tables/.test-0000000{shard}.parquet.0123456789abcdef.tmp" for shard in (1, 2))
    left.write_bytes(b"half")
    (copy / "shards/00000001.json").unlink()
    with open(held, "wb") as file:
        files._lock(file)
        for path in copy.rglob("*.*"):
            os.utime(path, (2**32, 2**32) if path == left else (0, 0))
        monkeypatch.setattr(time, "time", lambda: -1e9)
        run_sweep(FULL, copy)
        assert held.exists()
    assert not left.exists()
    held.unlink()
    assert digests(copy) == digests(dataset)


def test_merge_refuses_a_folder_of_a_newer_version(copy):
    description = json.loads((copy / "sweep.json").read_text())
    (copy / "sweep.json").write_text(json.dumps({**description, "format": 4, "equilibrax": "98.0"}))
    with pytest.raises(
        ValueError, match=r"format of at most 3, got 4; .*newer equilibrax \(98\.0\).* continue it with"
    ):
        merge(copy)


# --- other people's readers ---------------------------------------------------------------------------------

TYPES = {"table_id": "int64", "status": "string", "optimum": "float64", "committee": "int32"}


@pytest.mark.filterwarnings("ignore")
def test_load_dataset_reads_it(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(dataset), "committees", cache_dir=str(tmp_path))
    manifest = json.loads((dataset / "manifest.json").read_text())
    for split, part in loaded.items():
        assert part.num_rows == manifest["totals"]["splits"][split]["committees"]
        assert {name: part.features[name].dtype for name in TYPES} == TYPES
        assert part.features["worst_scheme"].feature.dtype == "int16"
        assert part.features["equilibrium_schemes"].feature.feature.dtype == "int16"
    assert sum(part.num_rows for part in loaded.values()) == 132
    stream = datasets.load_dataset(str(dataset), "tables", split="train", streaming=True)
    assert [row["table_id"] for row in stream] == sorted(row["table_id"] for row in stream)
    assert next(iter(stream))["user"] == rows_of(dataset, "tables")[0]["user"]


def test_polars_duckdb_and_pandas_read_it(dataset):
    expected = rows_of(dataset, "committees")
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(dataset / "committees/*.parquet").sort("table_id", "committee")
    assert frame.to_dicts() == expected
    assert frame.schema["equilibrium_schemes"] == polars.List(polars.List(polars.Int16))
    assert frame.schema["misalignment_weights"] == polars.List(polars.Float64)
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"select * from '{dataset}/committees/*.parquet' order by table_id, committee")
    assert dict(zip(found.columns, map(str, found.types)))["best_scheme"] == "SMALLINT[]"
    assert [dict(zip(found.columns, row)) for row in found.fetchall()] == expected
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(dataset / "tables")
    assert {name: str(frame[name].dtype) for name in ("table_id", "states")} == {"table_id": "int64", "states": "int32"}
    assert sorted(frame["table_id"]) == list(range(44))


@pytest.mark.filterwarnings("ignore")
def test_mlcroissant_validates_it(dataset):
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(dataset / "croissant.json"))
    assert not described.metadata.issues.errors
    rows = list(described.records("committees-train"))
    manifest = json.loads((dataset / "manifest.json").read_text())
    assert len(rows) == manifest["totals"]["splits"]["train"]["committees"]
    assert rows[0]["committees-train/equilibrium_schemes"] == rows_of(dataset, "committees")[0]["equilibrium_schemes"]


def test_metadata_say_what_conferences_ask_for(dataset):
    described = json.loads((dataset / "croissant.json").read_text())
    asked = ("dataLimitations", "dataBiases", "personalSensitiveInformation", "dataUseCases", "dataSocialImpact")
    assert all(len(described[f"rai:{name}"].split()) > 8 for name in asked)
    assert described["rai:hasSyntheticData"] is True
    assert FULL.family in described["rai:dataCollection"]
    assert "equilibrax" in described["prov:wasGeneratedBy"]["prov:label"]


def test_a_licence_of_ones_own(tmp_path):
    run_sweep(replace(FULL, tables=8, licence="CC-BY-4.0"), tmp_path)
    assert "license: cc-by-4.0" in (tmp_path / "README.md").read_text()
    assert json.loads((tmp_path / "croissant.json").read_text())["license"].endswith("/CC-BY-4.0")


def test_the_card_has_every_column_and_setting(dataset):
    card = (dataset / "README.md").read_text()
    for kind in ("tables", "committees"):
        for name in pq.read_schema(dataset / kind / "train-00000000.parquet").names:
            assert f"| `{name}` |" in card
    for line in ("license: cc0-1.0", "| `seed` | `3` |", "path: committees/train-*.parquet", "132 OK"):
        assert line in card
