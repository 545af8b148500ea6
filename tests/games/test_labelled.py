"""Results with their names: every game's can be selected, printed and handed on, and nothing is lost on the way."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from functools import cache

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.games import all_games
from equilibrax.problems import Batch

TABLES = eq.from_arrays(
    np.arange(24).reshape(2, 3, 4) % 7 / 10,
    {"Ann": np.arange(24).reshape(2, 3, 4) % 5 / 10, "B+": np.arange(24).reshape(2, 3, 4) % 11 / 10},
    labels=None,
    states=["low", "mid", "high"],
    actions=list("abcd"),
)
TABLES = eq.from_arrays(
    TABLES.user / 1e4,
    TABLES.providers / 1e4,
    labels=eq.Labels(TABLES.labels.states, TABLES.labels.actions, TABLES.labels.providers, ("rain", "snow")),
)
MARKETS = eq.random_markets(2, 2, 2, 2, 2, seed=3)
GAMES = [*all_games(eq.UtilityTables), *all_games(eq.Market)]


@cache
def solved(name, first=0, committees=(1, 3)):
    """Two committees, as many as there are providers: axes cannot be told by their lengths."""
    problem = MARKETS if name in all_games(eq.Market) else TABLES
    alone = all_games()[name]().committees_of(2) == 1
    return eq.solve(problem[first:], name, committees="all" if alone else list(committees), throw=False)


def same(one, other):
    """Whether all arrays of two results are the same."""
    assert type(one) is type(other)
    for f in fields(one):
        mine, others = getattr(one, f.name), getattr(other, f.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, others, err_msg=f.name)
        elif is_dataclass(mine) and not isinstance(mine, Batch) and f.name != "game":
            same(mine, others)


@pytest.mark.parametrize("name", GAMES)
def test_a_selection_is_what_solving_it_gives(name):
    result = solved(name)
    last, everybody = result.problem.unique_names()[-1], tuple(result.problem.provider_names())
    chosen = result.sel(table=last, committee=[everybody])
    same(chosen, solved(name, 1, (3,)))
    assert chosen.problem.unique_names() == [last]
    rows = result.to_arrow().to_pylist()
    mask = int(result.committees[-1])
    assert chosen.to_arrow().to_pylist() == [
        row for row in rows if row["committee"] == mask and last in (row.get("table_name"), row.get("market_name"))
    ]


@pytest.mark.parametrize("name", GAMES)
def test_every_result_says_what_it_is_in_a_line(name):
    result = solved(name)
    text = repr(result)
    assert "\n" not in text
    assert len(text) < 200
    assert name in text
    assert "committee" in text
    assert len(result) == 2
    page = result._repr_html_()
    lines = result.to_markdown().splitlines()
    assert page.count("<tr>") == len(lines) - 1 == result.to_latex().count(r"\\")
    assert {line.count("|") - line.count(r"\|") for line in lines} == {lines[0].count("|")}


@pytest.mark.parametrize("name", GAMES)
def test_arrays_have_dimensions_and_names(name):
    xarray = pytest.importorskip("xarray")
    result = solved(name)
    data = result.to_xarray()
    assert isinstance(data, xarray.Dataset)
    names = result.problem.provider_names()
    both = "+".join(f'"{n}"' if "+" in n else n for n in names)
    table = result.problem.unique_names()[1]
    chosen = data.sel({result._unit: table, "committee": both})
    np.testing.assert_array_equal(chosen.worst_utility.values, result.worst_utility[1, -1])
    assert data.worst_utility.dims[:2] == (result._unit, "committee")
    for f in fields(result):
        value = getattr(result, f.name)
        if isinstance(value, np.ndarray) and f.name != "committees":
            np.testing.assert_array_equal(data[f.name].values, value, err_msg=f.name)


def test_lambdas_are_a_dimension():
    result = eq.solve(TABLES, eq.Joint(response=eq.Quantal([1, math.inf])))
    data = result.to_xarray()
    assert data.worst_utility.dims == ("table", "rationality", "committee")
    assert data.worst_partition.dims == ("table", "rationality", "committee", "state")
    assert data.near_ties.dims == ("table", "rationality", "provider")
    part = result.sel(table="snow", committee=[2, 3])
    assert part.worst_utility.shape == (1, 2, 2)
    assert part.near_ties.shape == (1, 2, 2)
    assert part.to_pandas().rationality.tolist() == [1.0, 1.0, math.inf, math.inf]


def test_names_are_asked_for():
    result = solved("selection")
    same(result.sel(table=1), result.sel(table="snow"))
    same(result.sel(committee='Ann+"B+"'), result.sel(committee=("B+", "Ann")))
    same(eq.solve(TABLES, committees=[("Ann",), '"B+"+Ann']), result)
    for wrong, message in (
        ({"table": "snwo"}, "table: expected one of .*, got 'snwo'; did you mean 'snow'"),
        ({"table": 2}, "table: expected a position below 2, or a name, got 2"),
        ({"committee": "Anne"}, "committee: expected providers among Ann, B[+], got 'Anne'; did you mean 'Ann'"),
        ({"committee": "Ann+"}, "committee: expected names of providers joined by [+]"),
        ({"committee": 4}, "committee: expected one of those solved, got 4"),
    ):
        with pytest.raises(ValueError, match=message):
            result.sel(**wrong)


# --- round trips ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GAMES)
def test_no_name_and_no_bit_is_lost(name, tmp_path):
    """DataFrame, solve, Parquet, pandas, selection by name: the same as selecting from the result."""
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    result = solved(name)
    result.write(tmp_path / "rows.parquet")
    [names] = eq.rows.names_in(pq.read_schema(tmp_path / "rows.parquet"))
    assert names["providers"] == list(result.problem.provider_names())
    assert names["batch"] == result.problem.unique_names()
    table, committee = names["batch"][1], tuple(names["providers"])
    expected = result.sel(table=table, committee=committee).to_arrow()
    for frame in (pandas.read_parquet(tmp_path / "rows.parquet"), polars.read_parquet(tmp_path / "rows.parquet")):
        found = eq.rows.select_rows(frame, table=table, committee=committee[::-1])
        assert len(found) == expected.num_rows
        for column in expected.column_names:
            for mine, others in zip(found[column].to_list(), expected[column].to_pylist()):
                if others is None:
                    assert mine is None or mine != mine
                elif isinstance(others, list):
                    assert list(mine) == others
                else:
                    assert mine == others
    again = eq.rows.select_rows(pq.read_table(tmp_path / "rows.parquet"), table=table, committee=committee)
    assert again.equals(expected)


def test_rows_go_into_files_of_all_formats(tmp_path):
    openpyxl, pandas = pytest.importorskip("openpyxl"), pytest.importorskip("pandas")
    result = solved("obedient")
    rows = result.to_arrow()
    for suffix in eq.rows.FORMATS:
        result.write(tmp_path / f"rows.{suffix}")
    assert json.loads((tmp_path / "rows.json").read_text()) == rows.to_pylist()
    table = pandas.read_csv(tmp_path / "rows.csv")
    assert table.worst_utility.tolist() == rows["worst_utility"].to_pylist()
    assert table.committee_names.tolist() == ["Ann", 'Ann+"B+"'] * 2
    assert [json.loads(text) for text in table.worst_partition] == rows["worst_partition"].to_pylist()
    sheet = openpyxl.load_workbook(tmp_path / "rows.xlsx").active
    assert [cell.value for cell in sheet[1]] == rows.column_names
    assert sheet.max_row == 1 + rows.num_rows
    assert (tmp_path / "rows.md").read_text().count("|\n") == 2 + rows.num_rows
    assert (tmp_path / "rows.tex").read_text().count(r" \\") == 1 + rows.num_rows
    with pytest.raises(ValueError, match=r"path: expected a file that ends in .parquet \(or one of"):
        result.write(tmp_path / "rows.txt")


def test_frames_without_names_are_refused():
    rows = eq.rows.committee_rows(solved("selection"))
    with pytest.raises(ValueError, match="committee: expected rows with a column committee_names"):
        eq.rows.select_rows(rows, committee=("Ann",))
    named = solved("selection").to_arrow()
    with pytest.raises(ValueError, match="table: expected one of the 2 in the rows, got 'ran'; did you mean 'rain'"):
        eq.rows.select_rows(named, table="ran")
