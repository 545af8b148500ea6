"""Flags that say how files are read, in every command that reads files of rows."""

from __future__ import annotations

import equilibrax as eq
import pytest
from equilibrax.cli import main

TABLE = """\
state;action;user;Unnamed: 0;Ann;Bob;note
x;a;1,5;0;0;1;0
x;b;0;1;1;0;0
y;a;0;2;1;0;0
y;b;1;3;0;1,25;0
"""
MARKET = """\
state;user;action;utility;id;Ann;Bob
x;u;a;1,5;0;0;1
x;u;b;0;1;1;0
y;u;a;0;2;1;0
y;u;b;1;3;0;1,25
"""
HOW = ["--sep", ";", "--decimal", ","]


@pytest.mark.parametrize("command", ["solve", "market"])
def test_digits_that_name_a_provider_are_no_bitmask_without_a_word(tmp_path, capsys, command):
    head = "state,action,user,1,2,3" if command == "solve" else "state,user,action,utility,1,2,3"
    rows = "x,a,1,0,0,1\nx,b,0,1,1,0\n" if command == "solve" else "x,u,a,1,0,0,1\nx,u,b,0,1,1,0\n"
    (tmp_path / "t.csv").write_text(f"{head}\n{rows}")
    args = [command, str(tmp_path / "t.csv"), "--format", "csv", "--committees"]
    assert main([*args, "3"]) == 2
    assert "for the provider 3, or the providers of the bitmask 3 by their names" in capsys.readouterr().err
    for given, mask in (('"3"', 4), ('"1"+"2"', 3), ("7", 7)):
        assert main([*args, given]) == 0
        rows = capsys.readouterr().out.splitlines()
        place = rows[0].split(",").index("committee")
        assert {row.split(",")[place] for row in rows[1:]} == {str(mask)}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "market.csv").write_text(MARKET)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    "which", [["--ignore", "Unnamed: 0", "note"], ["--providers", "Ann", "Bob"]], ids=["ignore", "providers"]
)
def test_compare_reads_files_as_solve_does(here, capsys, which):
    flags = ["--rationality", "", "--out"]
    assert main(["compare", "table.csv", *HOW, *which, *flags, "ours.parquet"]) == 0
    (here / "plain.csv").write_text("state,action,user,Ann,Bob\nx,a,1.5,0,1\nx,b,0,1,0\ny,a,0,1,0\ny,b,1,0,1.25\n")
    assert main(["compare", "plain.csv", *flags, "plain.parquet"]) == 0
    import pyarrow.parquet as pq

    one, other = (pq.read_table(here / name).drop(["family"]) for name in ("ours.parquet", "plain.parquet"))
    assert one.equals(other)


def test_compare_without_them_says_which_would_help(capsys):
    assert main(["compare", "table.csv", "--rationality", ""]) == 2
    assert "--sep" in capsys.readouterr().err
    assert main(["compare", "table.csv", *HOW, "--rationality", ""]) == 2
    assert "--ignore" in capsys.readouterr().err


def test_strict_refuses_partial_actions_in_compare(here, capsys):
    (here / "partial.csv").write_text("state,action,user,Ann\nx,a,1,0\nx,b,0,1\ny,a,1,0\n")
    assert main(["compare", "partial.csv", "--rationality", "", "--strict"]) == 2
    assert "expected all of a table's actions" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["compare", "entry"])
def test_the_number_of_random_providers_is_still_a_number(capsys, command):
    random = ["--family", "uniform", "--tables", "3", "--states", "2", "--actions", "2", "--rationality", ""]
    random = random if command == "compare" else ["--markets", "2", "--states", "2", "--actions", "2"]
    assert main([command, *random, "--providers", "2"]) == 0
    capsys.readouterr()
    assert main([command, *random, "--providers", "Ann"]) == 2
    assert "--providers: expected a number for random ones" in capsys.readouterr().err


@pytest.mark.slow
def test_entry_reads_files_as_market_does(capsys):
    once = ["--newcomers", "1", "--game", "anonymous"]
    assert main(["entry", "market.csv", *HOW, "--ignore", "id", *once]) == 0
    assert main(["entry", "market.csv", *HOW, "--providers", "Ann", *once]) == 0
    capsys.readouterr()
    assert main(["entry", "market.csv", *HOW, *once]) == 2
    assert "--ignore" in capsys.readouterr().err


def test_scores_of_ethics_and_movielens_are_read_so_too(here):
    data = here / "cm.csv"
    data.write_text("label,input,is_short,edited\n1,I lied.,True,False\n0,I helped.,True,False\n")
    (here / "scores.csv").write_text("id;A;B;remark\n0;10,5;20;7\n1;95;80,5;7\n")
    how = {"sep": ";", "decimal": ","}
    found = eq.raters.read_ethics(data, here / "scores.csv", ignore=["remark"], **how)
    assert (found.rater_names, found.ratings.tolist()) == (("A", "B"), [[0.105, 0.2], [0.95, 0.805]])
    assert eq.raters.read_ethics(data, here / "scores.csv", providers=["B"], **how).rater_names == ("B",)
    (here / "movies.csv").write_text("movieId,title,genres\n7,Heat (1995),Action\n8,Speed (1994),Action\n")
    (here / "ratings.csv").write_text("userId,movieId,rating\n1,7,4.5\n2,7,3\n2,8,2\n")
    (here / "mine.csv").write_text("movieId;A;B;remark\n8;50;10,5;7\n7;80;90;7\n")
    found = eq.raters.movielens_raters(here, here / "mine.csv", min_ratings=1, providers=["B"], **how)
    assert found.ratings.tolist() == [[4.5], [0.525]]
    with pytest.raises(ValueError, match="expected a file with providers, ignore, sep or decimal, got 'fans'"):
        eq.raters.movielens_raters(here, min_ratings=1, ignore=["A"])
