"""Games over partitions as rows, on the command line and in sweeps."""

from __future__ import annotations

import json
import math

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax._core.column import schema
from equilibrax._core.columns import declared
from equilibrax.cli import main

TABLE = """state,action,user,Ann,Bob
rain,umbrella,1,0.2,0.9
rain,none,0,0.8,0.1
sun,umbrella,0.3,0.2,1
sun,none,1,0.9,0
"""
SIZES = ["--states", "2", "--actions", "2", "--providers", "2", "--tables", "12", "--shard-size", "8"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "weather.csv"
    path.write_text(TABLE)
    return path


def test_rows_have_a_lambda_a_committee_and_a_partition(table, tmp_path):
    out = tmp_path / "rows.parquet"
    assert main(["solve", str(table), "--game", "joint", "--rationality", "0,inf", "--out", str(out)]) == 0
    rows = pq.read_table(out)
    assert rows.schema.remove_metadata() == schema(declared("committees", "partitions", "names"))
    assert rows["rationality"].to_pylist() == [0.0] * 3 + [math.inf] * 3
    assert rows["committee"].to_pylist() == [1, 2, 3] * 2
    assert set(rows["response"].to_pylist()) == {"quantal"}
    result = eq.solve(eq.read_tables(table), eq.Joint(response=eq.Quantal((0, math.inf))))
    assert rows["worst_utility"].to_pylist() == result.worst_utility.ravel().tolist()
    assert rows["worst_partition"].to_pylist() == result.worst_partition.reshape(6, 2).tolist()
    assert rows["misalignment"].null_count == 6
    assert eq.rows.read_committees(out).num_rows == 6  # the common columns, for readers of any game


def test_best_responses_have_no_lambda_and_print(table, capsys, tmp_path):
    assert main(["solve", str(table), "--game", "joint"]) == 0
    printed = capsys.readouterr().out
    assert "rain | sun" in printed
    assert "lambda" not in printed
    rows = eq.rows.committee_rows(eq.solve(eq.read_tables(table), "joint"))
    assert rows["rationality"].null_count == 3
    assert main(["solve", str(table), "--game", "chess"]) == 2
    assert "--game: expected one of selection, obedient, joint" in capsys.readouterr().err


def test_obedience_and_the_aligned_provider_on_the_command_line(table, capsys):
    assert main(["solve", str(table), "--game", "obedient", "--tie-break", "lowest_index"]) == 0
    assert "ties: lowest_index" in capsys.readouterr().out
    assert main(["solve", str(table), "--game", "aligned"]) == 0
    assert "1.000000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--game", "joint", "--rationality", "1,x"], "--rationality: expected numbers joined by commas"),
        (["--game", "joint", "--rationality=-1"], "rationality: expected numbers of at least 0"),
        (["--rationality", "1"], "--rationality: expected a flag of `equilibrax"),
        (["--game", "joint", "--obedience"], "--obedience: expected a flag of `equilibrax"),
        (["--game", "joint", "--tie-break", "lowest_index"], "--tie-break: expected a flag of `equilibrax"),
    ],
)
@pytest.mark.parametrize("command", ["solve", "sweep"])
def test_bad_input_is_one_line(table, tmp_path, capsys, command, args, message):
    where = [str(table)] if command == "solve" else ["--out", str(tmp_path / "sweep"), *SIZES]
    assert main([command, *where, *args]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


@pytest.mark.slow
def test_sweeps_of_other_games_are_whole_and_continue(tmp_path):
    args = ["sweep", "--out", str(tmp_path), *SIZES, "--no-dynamics", "--game", "joint", "--rationality", "3,inf"]
    assert main(args) == 0
    rows = eq.rows.read_committees(tmp_path)
    assert rows.num_rows == 12 * 2 * 3
    tables = eq.sample_tables("uniform", 12, states=2, actions=2, providers=2, seed=0)
    game = eq.Joint(eq.Quantal((3.0, math.inf)), dynamics=False)
    expected = [eq.solve(tables[part], game).worst_utility for part in (slice(8), slice(4, 12))]
    np.testing.assert_array_equal(rows["worst_utility"], np.concatenate([expected[0], expected[1][4:]]).ravel())
    before = {path.name: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert main(args) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*.*")} == before
    assert json.loads(before["sweep.json"])["config"]["game"]["response"]["rationality"] == [3.0, "inf"]
    assert main([*args[:-1], "3"]) == 2  # another sweep
    assert main([*args[:-4], "--game", "aligned"]) == 2


def test_an_aligned_sweep_has_one_row_per_table(tmp_path):
    assert main(["sweep", "--out", str(tmp_path), *SIZES, "--game", "aligned"]) == 0
    rows = eq.rows.read_committees(tmp_path)
    assert rows["worst_utility"].to_pylist() == rows["optimum"].to_pylist()
    assert rows.num_rows == 12


@pytest.mark.slow
def test_oblivious_providers_on_the_command_line_and_in_sweeps(table, tmp_path, capsys):
    assert main(["solve", str(table), "--game", "oblivious", "--rules", "lotteries"]) == 0
    assert "oblivious, lotteries, best response" in capsys.readouterr().out
    assert main(["sweep", "--out", str(tmp_path / "sweep"), *SIZES, "--game", "oblivious"]) == 0
    rows = eq.rows.read_committees(tmp_path / "sweep")
    tables = eq.sample_tables("uniform", 12, states=2, actions=2, providers=2, seed=0)
    assert rows["worst_utility"].to_pylist() == eq.solve(tables, "oblivious").worst_utility.ravel().tolist()


@pytest.mark.slow
def test_lotteries_that_a_search_finds_on_the_command_line_and_in_sweeps(table, tmp_path, capsys):
    search = ["--rules", "lotteries", "--search-starts", "2", "--search-steps", "40", "--search-rationality", "4,100"]
    few = ["solve", str(table), "--game", "joint", *search, "--committees", "Ann"]
    assert main([*few, "--out", str(tmp_path / "rows.parquet")]) == 0
    rows = pq.read_table(tmp_path / "rows.parquet")
    how = eq.GradientSearch(starts=2, steps=40, rationality=(4.0, 100.0))
    found = eq.solve(eq.read_tables(table), eq.Joint(rules="lotteries", search=how), committees=[("Ann",)])
    assert rows["regret_bound"].to_pylist() == found.regret_bound.ravel().tolist()
    assert main(["sweep", "--out", str(tmp_path / "sweep"), *SIZES, "--game", "joint", *search]) == 0
    first = pq.read_table(tmp_path / "sweep" / "committees" / "train-00000000.parquet").to_pydict()
    tables = eq.sample_tables("uniform", 8, states=2, actions=2, providers=2, seed=0)
    again = eq.solve(tables, eq.Joint(rules="lotteries", search=how)).to_arrow().to_pydict()
    place = {key: i for i, key in enumerate(zip(again["table_id"], again["committee"]))}
    for i, key in enumerate(zip(first["table_id"], first["committee"])):
        assert first["user_utility"][i] == pytest.approx(again["user_utility"][place[key]], abs=1e-4)
        assert first["certified"][i] == again["certified"][place[key]]
    assert set(first["worst_utility"]) == {None}


def test_flags_of_a_search_that_make_no_sense_are_refused_in_a_line(table, tmp_path, capsys):
    few = ["solve", str(table), "--game", "joint", "--rules", "lotteries", "--committees", "Ann"]
    for flags, said in (
        (["--search-rationality", "5"], "--search-rationality: expected 2 numbers joined by commas"),
        (["--search-starts", "0"], "--search-starts: expected a whole number"),
        (["--rules", "partitions", "--search-starts", "2"], "--search-starts: expected only beside --rules lotteries"),
        (["--rationality", "1,2"], "--rationality: expected a Quantal with one finite rationality"),
        (["--rationality", "inf"], "--rationality: expected a Quantal with one finite rationality"),
    ):
        assert main([*few, *flags]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    assert main([*few, "--step-limit", "3"]) == 2
    assert "--step-limit: expected none with --rules lotteries" in capsys.readouterr().err
    assert main([*few, "--search", "3"]) == 2
    said = capsys.readouterr().err
    assert "--search: expected a flag" in said
    assert "did you mean '--search'" not in said
