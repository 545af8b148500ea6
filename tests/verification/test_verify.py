"""Verification: sound datasets pass, and whatever is changed is found and named."""

from __future__ import annotations

import doctest
import json
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import equilibrax as eq
import numpy as np
import oracles
import pyarrow as pa
import pytest
from equilibrax.cli import main
from equilibrax.datasets import _table_shards as _sweep_shards
from equilibrax.datasets.sweep import MixturePart, SweepConfig, run_sweep
from equilibrax.verification import draws, verify
from equilibrax.verification.draws import draw_again, draw_prior
from equilibrax.verification.enumeration import enumerate_games
from equilibrax.verification.games import Games
from equilibrax.verification.lists import solve_table
from equilibrax.verification.programs import Programs
from forging import change, close_again, read, write

ALL = SweepConfig(
    tables=40,
    states=2,
    actions=3,
    providers=3,
    resolution=4,  # so that there are ties, and many equilibria
    shard_size=32,
    splits=(0.5, 0.25, 0.25),
    columns=("weights", "schemes", "equilibria"),
    equilibria_cap=3,
)
TRAIN = "committees/train-00000000.parquet"
TABLES = "tables/train-00000000.parquet"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A dataset with all columns, never written to."""
    folder = tmp_path_factory.mktemp("sound")
    assert run_sweep(ALL, folder).closed
    return folder


@pytest.fixture
def dataset(sound, tmp_path):
    """A copy of it to tamper with."""
    folder = tmp_path / "dataset"
    shutil.copytree(sound, folder)
    return folder


def failures(folder: Path, **options) -> set[tuple]:
    """Check, file, row and column of all failures."""
    report = verify(folder, **options)
    assert not report.holds
    return {(f.check, f.file, f.row, f.column) for f in report.failures}


# --- sound ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sound_dataset_passes_and_the_report_says_what_was_checked(sound, tmp_path, capsys):
    assert main(["verify", str(sound), "--report", str(tmp_path / "report.json")]) == 0
    said = json.loads((tmp_path / "report.json").read_text())
    assert said["holds"]
    assert (said["tables"], said["rows"], said["tables_checked"]) == (40, 280, 40)
    looked = {name: check["checked"] for name, check in said["checks"].items()}
    others = {"intervals", "benchmark", "robustness", "efficiency", "utility", "shown", "strata", "search", "text"}
    assert {name for name, number in looked.items() if not number} == others  # of other datasets
    assert looked["count"] == looked["programs"] == looked["bound"] == 280
    assert said["proven"] == {"all schemes": 280}
    assert "Everything checked holds." in capsys.readouterr().err


def test_a_sample_leaves_the_rest_out_and_says_so(sound):
    report = verify(sound, sample=10, programs=0, seed=3)
    assert report.holds
    assert (report.tables, report.tables_checked) == (40, 10)
    assert (report.checked["count"], report.checked["programs"], report.checked["checksums"]) == (70, 0, 12)
    assert report.not_checked["results of tables that were not in the sample"] == 210
    assert report.not_checked["misalignment scores by HiGHS"] == 70


@pytest.mark.slow
def test_lowest_index_without_optional_columns_and_unsolved_rows_pass(tmp_path, monkeypatch):
    def give_up_on_some(tables, game, **how):
        result = eq.solve(tables, game, **how)
        for array, value in ((result.status, eq.Status.FRONTIER_OVERFLOW), (result.equilibria, -1)):
            array[::3] = int(value)
        return result

    monkeypatch.setattr(_sweep_shards, "solve", give_up_on_some)
    game = eq.Selection("lowest_index", dynamics=False, misalignment=False, max_capacity=8)  # of nine schemes
    config = replace(ALL, game=game, columns=(), shard_size=40)
    assert run_sweep(config, tmp_path).statuses == {"OK": 182, "FRONTIER_OVERFLOW": 98}
    found = verify(tmp_path)
    assert found.holds, found.failures
    assert found.not_checked["rows that are not solved, and say so (FRONTIER_OVERFLOW)"] == 98
    assert not found.complete
    assert found.checked["count"] == 182
    change(
        tmp_path,
        TRAIN,
        "status",
        0,
        "OK" if read(tmp_path, TRAIN)["status"][0].as_py() != "OK" else "FRONTIER_OVERFLOW",
    )
    assert {("status", TRAIN, 0, "status"), ("nulls", TRAIN, 0, "worst_utility")} <= failures(tmp_path)


@pytest.mark.slow
def test_a_stratified_mixture_in_32_bits_passes(tmp_path):
    sizes = (2, 3, 3)  # and the batch of ALL, so that nothing is compiled anew
    parts = (
        MixturePart("noisy", 2, *sizes, (("noise", 0.4),)),
        MixturePart("systematic", 1, *sizes, (("bonus", 0.5),)),
    )
    config = replace(ALL, tables=90, mixture=parts, states=3, providers=5, resolution=4, float32=True)
    config = replace(config, stratify="misalignment", bins=2, bin_range=(0.0, 0.5))
    run_sweep(config, tmp_path)
    found = verify(tmp_path)
    assert found.holds, found.failures
    assert found.checked["strata"] == found.tables > 60
    record = tmp_path / "shards" / "00000001.json"
    said = json.loads(record.read_text())
    record.write_text(json.dumps({**said, "stratify": {**said["stratify"], "found": [1, 2]}}))
    assert ("strata", "shards/00000001.json", None, "stratify") in failures(tmp_path)
    change(tmp_path, TRAIN, "worst_utility", 2, float(np.nextafter(np.float32(0.5), np.float32(1))))
    assert ("worst", TRAIN, 2, "worst_utility") in failures(tmp_path)


def test_large_tables_pass_without_being_enumerated(dataset, monkeypatch):
    monkeypatch.setattr("equilibrax.verification.shards.MOST_SCHEMES", 0)
    found = verify(dataset)
    assert found.holds, found.failures
    assert found.proven == {"lists of what a provider accepts": 280}
    rows = read(dataset, TRAIN)
    listed = rows["equilibrium_schemes"].to_pylist()
    row = next(i for i, schemes in enumerate(listed) if len(schemes) > 1)
    change(dataset, TRAIN, "equilibrium_schemes", row, listed[row][::-1])
    change(dataset, TRAIN, "equilibria", row, rows["equilibria"][row].as_py() + 1)
    change(dataset, TRAIN, "dynamics_utility", row, 0.111)
    expected = {("equilibria", "equilibrium_schemes"), ("count", "equilibria"), ("dynamics", "dynamics_utility")}
    expected = {(check, TRAIN, row, column) for check, column in expected}
    assert expected | {("schemes", TRAIN, row, "dynamics_scheme")} == failures(dataset)


def test_where_nothing_is_proven_the_report_says_so(sound, monkeypatch):
    monkeypatch.setattr("equilibrax.verification.shards.MOST_SCHEMES", 0)
    monkeypatch.setattr("equilibrax.verification.lists.LONGEST", 0)
    found = verify(sound)
    assert found.holds, found.failures
    assert found.proven == {"attacks alone": 280}
    monkeypatch.setattr("equilibrax.verification.lists.LONGEST_FRONT", 0)
    found = verify(sound)
    assert found.holds
    assert found.not_checked["results of tables that are too large to solve again"] == 280


def test_what_is_not_solved_again_is_said_and_has_an_exit_status_of_its_own(tmp_path):
    config = replace(ALL, game=eq.Oblivious("lotteries"), columns=(), tables=8, shard_size=8)
    run_sweep(config, tmp_path)
    found = verify(tmp_path)
    assert found.holds, found.failures
    assert found.not_checked["lotteries, and tables without some of the actions"] == 56
    assert found.checked["tables"] == 32
    assert main(["verify", str(tmp_path)]) == 3
    assert main(["verify", str(tmp_path), "--allow", "games"]) == 0


# --- tampering --------------------------------------------------------------------------------------------------------


def test_a_flipped_bit_is_found(dataset):
    content = bytearray((dataset / TRAIN).read_bytes())
    content[len(content) // 3] ^= 1
    (dataset / TRAIN).write_bytes(content)
    assert ("checksums", TRAIN, None, None) in failures(dataset)


def test_a_truncated_file_is_found(dataset):
    (dataset / TABLES).write_bytes((dataset / TABLES).read_bytes()[:-100])
    assert {("checksums", TABLES, None, None), ("files", TABLES, None, None)} <= failures(dataset)


def test_a_changed_number_is_found_though_checksums_are_right(dataset):
    change(dataset, TRAIN, "optimum", 5, 0.123)
    report = verify(dataset)
    assert [str(failure) for failure in report.failures if failure.check == "optimum"] == [
        f"{TRAIN}, row 5, optimum: expected {read(dataset, TRAIN)['optimum'][6]}, got 0.123"
    ]
    assert not report.failed["checksums"]
    assert not report.failed["manifest"]


def test_a_changed_utility_is_found(dataset):
    utilities = read(dataset, TABLES)["provider_utilities"][3].as_py()
    utilities[7] = 0.25 if utilities[7] != 0.25 else 0.5
    change(dataset, TABLES, "provider_utilities", 3, utilities)
    assert failures(dataset) == {("tables", TABLES, 3, "provider_utilities")}


def test_a_scheme_that_is_no_equilibrium_is_found(dataset):
    """A scheme of the same utility for the user that some member betters."""
    rows = read(dataset, TRAIN)
    tables = read(dataset, TABLES)
    for row in range(rows.num_rows):
        user = np.array(tables["user"][row // 7].as_py()).reshape(2, 3)
        stored, equilibria = rows["worst_scheme"][row].as_py(), rows["equilibrium_schemes"][row].as_py()
        same = [[a, b] for a in range(3) for b in range(3) if user[0, a] + user[1, b] == user[[0, 1], stored].sum()]
        others = [scheme for scheme in same if scheme not in equilibria]
        if others and rows["equilibria"][row].as_py() == len(equilibria):
            break
    else:
        raise AssertionError("no such scheme in the dataset")
    change(dataset, TRAIN, "worst_scheme", row, others[0])
    report = verify(dataset)
    assert ("schemes", TRAIN, row, "worst_scheme", "an equilibrium", str(others[0])) in {
        (f.check, f.file, f.row, f.column, f.expected, f.got) for f in report.failures
    }


def test_a_better_equilibrium_as_the_worst_is_found(dataset):
    rows = read(dataset, TRAIN)
    worst, best = rows["worst_utility"].to_pylist(), rows["best_utility"].to_pylist()
    row = next(i for i in range(len(worst)) if worst[i] < best[i])
    change(dataset, TRAIN, "worst_utility", row, best[row])
    change(dataset, TRAIN, "worst_scheme", row, rows["best_scheme"][row].as_py())
    assert {("worst", TRAIN, row, "worst_utility"), ("schemes", TRAIN, row, "worst_scheme")} == failures(dataset)


def test_a_count_that_is_off_by_one_is_found(dataset):
    change(dataset, TRAIN, "equilibria", 10, read(dataset, TRAIN)["equilibria"][10].as_py() + 1)
    assert failures(dataset) == {("count", TRAIN, 10, "equilibria")}


def test_an_equilibrium_that_is_left_out_is_found(dataset):
    listed = read(dataset, TRAIN)["equilibrium_schemes"].to_pylist()
    row = next(i for i, schemes in enumerate(listed) if len(schemes) > 1)
    change(dataset, TRAIN, "equilibrium_schemes", row, listed[row][1:])
    assert failures(dataset) == {("equilibria", TRAIN, row, "equilibrium_schemes")}


def test_another_end_of_the_dynamics_is_found(dataset):
    change(dataset, TRAIN, "dynamics_steps", 4, read(dataset, TRAIN)["dynamics_steps"][4].as_py() + 1)
    assert failures(dataset) == {("dynamics", TRAIN, 4, "dynamics_steps")}


def test_a_lowered_misalignment_is_found_by_its_weights_and_by_highs(dataset):
    rows = read(dataset, TRAIN)
    scores, optimum = rows["misalignment"].to_pylist(), rows["optimum"].to_pylist()
    lost = [(o - w) / 2 for o, w in zip(optimum, rows["worst_utility"].to_pylist())]
    row = next(i for i, score in enumerate(scores) if score > lost[i] + 1e-3)
    score = scores[row] - 1e-4
    change(dataset, TRAIN, "misalignment", row, score)
    change(dataset, TRAIN, "bound", row, optimum[row] - 2 * score)
    found = failures(dataset)
    assert {("programs", TRAIN, row, "misalignment"), ("weights", TRAIN, row, "misalignment_weights")} <= found
    assert {check for check, *_ in found} == {"programs", "weights"}


def test_a_misalignment_that_the_worst_equilibrium_refutes_is_found_without_highs(dataset):
    rows = read(dataset, TRAIN)
    row = next(i for i in range(rows.num_rows) if rows["worst_utility"][i].as_py() < rows["optimum"][i].as_py() - 1e-3)
    change(dataset, TRAIN, "misalignment", row, 0.0)
    assert ("misalignment", TRAIN, row, "misalignment") in failures(dataset, programs=0)


def test_a_changed_bound_is_found(dataset):
    change(dataset, TRAIN, "bound", 9, read(dataset, TRAIN)["bound"][9].as_py() + 1e-6)
    assert failures(dataset) == {("bound", TRAIN, 9, "bound")}


def test_an_unknown_status_is_found(dataset):
    change(dataset, TRAIN, "status", 2, "FINE")
    assert failures(dataset) == {("status", TRAIN, 2, "status")}


def test_a_number_that_is_missing_is_found(dataset):
    change(dataset, TRAIN, "best_utility", 2, None)
    assert failures(dataset) == {("nulls", TRAIN, 2, "best_utility")}


def test_a_missing_shard_is_found(dataset):
    for file in [*dataset.glob("*/*-00000001.parquet"), dataset / "shards" / "00000001.json"]:
        file.unlink()
    found = failures(dataset)
    assert ("records", "shards/00000001.json", None, None) in found
    assert ("files", "tables/test-00000001.parquet", None, None) in found


def test_a_shard_of_another_configuration_is_found(dataset, tmp_path):
    run_sweep(replace(ALL, seed=1), tmp_path / "other")
    for file in (tmp_path / "other").glob("*/*00000001*"):
        shutil.copy(file, dataset / file.relative_to(tmp_path / "other"))
    report = verify(dataset)
    named = [f.got for f in report.failures if (f.check, f.file) == ("records", "shards/00000001.json")]
    assert any("a shard of another configuration" in got for got in named)
    close_again(dataset)
    record = dataset / "shards" / "00000001.json"
    there, other = json.loads((dataset / "shards" / "00000000.json").read_text()), json.loads(record.read_text())
    record.write_text(json.dumps({**other, "configuration": there["configuration"]}))
    assert {"constants", "tables", "splits"} <= {check for check, *_ in failures(dataset)}


def test_a_table_in_another_split_is_found(dataset):
    for kind, each in (("tables", 1), ("committees", 7)):
        train, test = (f"{kind}/{split}-00000000.parquet" for split in ("train", "test"))
        rows = read(dataset, train)
        moved = pa.concat_tables([read(dataset, test), rows.slice(rows.num_rows - each)])
        order = np.argsort(moved["table_id"].to_numpy(), kind="stable")
        write(dataset, test, moved.take(pa.array(order)))
        write(dataset, train, rows.slice(0, rows.num_rows - each))
        row = int(np.flatnonzero(order == len(order) - 1)[0])
    assert failures(dataset) == {("splits", "tables/test-00000000.parquet", row // 7, "table_id")}


def test_a_table_that_is_there_twice_is_found(dataset):
    for kind, each in (("tables", 1), ("committees", 7)):
        name = f"{kind}/train-00000000.parquet"
        rows = read(dataset, name)
        write(dataset, name, pa.concat_tables([rows.slice(0, each), rows.slice(0, rows.num_rows - each)]))
    found = failures(dataset)
    assert ("ids", TABLES, 1, "table_id") in found
    assert ("ids", "shards/00000000.json", None, "table_id") in found


def test_an_edited_manifest_is_found(dataset):
    text = (dataset / "manifest.json").read_text()
    (dataset / "manifest.json").write_text(text.replace('"rows": 280', '"rows": 281'))
    assert failures(dataset) == {("manifest", "manifest.json", None, "totals.rows")}


def test_another_type_and_a_file_too_many_are_found(dataset):
    rows = read(dataset, TRAIN)
    place = rows.column_names.index("equilibria")
    write(dataset, TRAIN, rows.set_column(place, "equilibria", rows["equilibria"].cast(pa.int32())))
    shutil.copy(dataset / TRAIN, dataset / "committees" / "train-00000009.parquet")
    found = failures(dataset)
    assert ("schema", TRAIN, None, "equilibria") in found
    assert ("files", "committees/train-00000009.parquet", None, None) in found


def test_the_exit_status_and_the_first_failures(dataset, tmp_path, capsys):
    rows = read(dataset, TRAIN)
    place = rows.column_names.index("equilibria")
    write(dataset, TRAIN, rows.set_column(place, "equilibria", pa.array([77] * rows.num_rows)))
    assert main(["verify", str(dataset), "--programs", "0"]) == 1
    said = capsys.readouterr().err
    assert said.count("FAILED count:") == 20
    assert f"... {rows.num_rows} failures in all" in said
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere", dataset / TRAIN):
        assert main(["verify", str(folder)]) == 2
    (dataset / "sweep.json").write_text('{"format": 4}')
    assert main(["verify", str(dataset)]) == 2
    assert "expected format 3, got 4" in capsys.readouterr().err


def test_tables_whose_family_cannot_be_drawn_again_are_solved_as_they_are_stored(sound, monkeypatch):
    monkeypatch.setattr("equilibrax.verification.shards.known_family", lambda family, version: False)
    report = verify(sound)
    assert report.holds, report.failures
    assert report.checked["tables"] == 0
    assert report.checked["count"] == 280
    assert report.not_checked["tables of the family uniform, which cannot be drawn again"] == 40


def test_bad_arguments_are_named(sound):
    for name in ("sample", "programs"):
        with pytest.raises(ValueError, match=f"{name}: expected a whole number of at least 0, got -1"):
            verify(sound, **{name: -1})  # pyright: ignore[reportArgumentType]


# --- the independent code ---------------------------------------------------------------------------------------------

EXACT = ("optimum", "worst", "best", "count", "outcomes")

ALONE = """
import sys, types
package = types.ModuleType("equilibrax")
package.__path__ = [sys.argv[1]]  # without what its __init__ imports
sys.modules["equilibrax"] = package
from equilibrax.verification import draws, verify
report = verify(sys.argv[2])
assert report.holds and report.checked["tables"] and report.checked["programs"]
foreign = [name for name in sys.modules if name.split(".")[0] in ("jax", "jaxlib", "equilibrax_kernels")]
ours = [name for name in sys.modules if name.startswith("equilibrax.")]
assert not foreign, foreign
declarations = ["equilibrax._core", "equilibrax._core.column", "equilibrax._core.columns"]
assert all(name in declarations or name.startswith("equilibrax.verification") for name in ours), ours
"""


def test_nothing_of_the_solver_takes_part(sound):
    source = str(Path(eq.__file__).parent)
    subprocess.run([sys.executable, "-c", ALONE, source, str(sound)], check=True, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("biased", {"correlation": 0.3}),
        ("systematic", {"bonus": 0.4}),
        ("near_hull", {"misalignment": 0.1}),
        ("zero_sum", {"spread": 0.31}),
        ("senders", {}),
    ],
)
def test_tables_are_drawn_again_to_the_bit(family, parameters):
    sizes = {"states": 3, "actions": 2, "providers": 4, "seed": 2**40 + 7, "resolution": 12_345}
    tables = eq.sample_tables(family, 5, start=2**33 - 2, **sizes, **parameters)
    user, providers = draw_again(family, tables.table_id, **sizes, parameters=parameters)
    np.testing.assert_array_equal(user, tables.user)
    np.testing.assert_array_equal(providers, tables.providers)
    prior = draw_prior(family, tables.table_id, states=sizes["states"], seed=sizes["seed"])
    np.testing.assert_array_equal(prior, tables.prior)
    assert doctest.testmod(draws).failed == 0


@pytest.mark.parametrize("tie_break", ["incumbent", "lowest_index"])
def test_enumeration_and_lists_agree_with_the_oracle(tie_break):
    drawn = random.Random(5)
    for sizes in ((2, 2, 3), (3, 2, 2), (2, 3, 3), (1, 3, 2)):
        tables = [oracles.random_table(drawn, *sizes) for _ in range(8)]
        games = games_of(tables, tie_break)
        found = enumerate_games(games, limit=10**6)
        assert found.schemes is not None
        assert found.equilibria is not None
        assert found.dynamics_scheme is not None
        assert found.dynamics_steps is not None
        for b, table in enumerate(tables):
            listed = solve_table(games[b : b + 1], attacks=10, seed=0, limit=10**6)
            assert listed.proven.all()
            for c, mask in enumerate(oracles.committees(table)):
                expected = oracles.equilibria(table, mask, tie_break)
                assert [tuple(f) for f in found.schemes[found.equilibria[b, c]].tolist()] == expected
                end, steps, _ = oracles.dynamics(table, mask, tie_break)
                assert (tuple(found.dynamics_scheme[b, c].tolist()), found.dynamics_steps[b, c]) == (end, steps)
            for name in (*EXACT, "dynamics_scheme", "dynamics_steps"):
                np.testing.assert_array_equal(getattr(listed, name)[0], getattr(found, name)[b], name)


def test_outcomes_of_tables_with_many_states():
    """What equilibria attain is kept in words of 64 bits: 70 states that leave no choice move it to later words."""
    drawn = random.Random(8)
    games = games_of([oracles.random_table(drawn, 3, 2, 2) for _ in range(8)], "incumbent")
    found, none = enumerate_games(games, limit=None), np.zeros((8, 3, 70, 2), np.int64)
    longer = replace(
        games,
        utilities=np.concatenate([none, games.utilities], axis=2),
        prior=np.concatenate([np.ones((8, 70), np.int64), games.prior], axis=1),
        available=np.concatenate([np.broadcast_to([True, False], (8, 70, 2)), games.available], axis=1),
    )
    for b in range(8):
        listed = solve_table(longer[b : b + 1], attacks=10, seed=0)
        np.testing.assert_array_equal(listed.count[0], found.count[b])
        np.testing.assert_array_equal(listed.outcomes[0, :, 70:], found.outcomes[b])
        assert listed.outcomes[0, :, :70, 0].all()
        assert not listed.outcomes[0, :, :70, 1].any()


def test_tables_that_nobody_solved_are_not_solved(tmp_path, monkeypatch):
    """Every row says so, and there is nothing that lists, which take long for 1,200 states, could be compared with."""
    monkeypatch.setattr("equilibrax.verification.shards.solve_table", None)
    run_sweep(
        SweepConfig(tables=2, states=40, actions=2, providers=2, splits=(1, 0, 0), game=eq.Selection(max_capacity=16)),
        tmp_path,
    )
    report = verify(tmp_path)
    assert report.holds
    assert report.tables_checked == 0
    assert report.not_checked["rows that are not solved, and say so (FRONTIER_OVERFLOW)"] == 6


def test_attacks_find_equilibria_and_nothing_else(monkeypatch):
    monkeypatch.setattr("equilibrax.verification.lists.LONGEST", 0)
    drawn = random.Random(6)
    games = games_of([oracles.random_table(drawn, 3, 3, 3, high=9) for _ in range(10)], "incumbent")
    found = enumerate_games(games, limit=None)
    exact = 0
    for b in range(10):
        attacked = solve_table(games[b : b + 1], attacks=30, seed=b)
        assert not attacked.proven.any()
        some = attacked.count[0] > 0
        assert some.all()
        assert (attacked.worst[0] >= found.worst[b]).all()
        assert (attacked.best[0] <= found.best[b]).all()
        assert not (attacked.outcomes[0] & ~found.outcomes[b]).any()
        exact += (attacked.worst[0] == found.worst[b]).sum()
    assert exact > 60


def test_highs_and_its_multipliers_enclose_the_exact_score():
    drawn, programs = random.Random(7), Programs()
    for _ in range(10):
        table = oracles.random_table(drawn, 3, 2, 2)
        games = games_of([table], "incumbent")
        found, utilities = enumerate_games(games, limit=None), games.utilities[0].reshape(3, -1).astype(float)
        for c, mask in enumerate(oracles.committees(table)):
            members = utilities[[1 + j for j in oracles.members(table, mask)]]
            sides = found.outcomes[0, c].reshape(-1), games.optimal_outcomes()[0].reshape(-1)
            least, most = programs.score(utilities[0], members, *sides)
            exact = float(oracles.misalignment_exact(table, mask))
            assert least - 1e-9 <= exact <= most + 1e-9
            assert most - least < 1e-9


def games_of(tables: list[oracles.Table], tie_break: str) -> Games:
    return Games(
        np.array([[table.user, *table.providers] for table in tables]),
        np.array([table.prior for table in tables]),
        np.array([table.available for table in tables]),
        1,
        tie_break == "lowest_index",
    )
