"""Decision problems in files, commands, sweeps and figures: numbers are those of `solve`, wrong input gets one line."""

from __future__ import annotations

import hashlib

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from equilibrax.datasets import InformationSweepConfig, run_information_sweep

CSV = """\
# The office is paid for the radar, and likes umbrellas.
state,act,prior,utility,says:radar,says:knee,owner:radar,owner:knee,cost:radar,stake:office
rain,umbrella,1,1,wet,aches,office,Grandmother,0.1,1/4
rain,none,1,0,wet,aches,office,Grandmother,0.1,0
sun,umbrella,3,0.5,dry,well,office,Grandmother,0.1,1/4
sun,none,3,1,dry,well,office,Grandmother,0.1,0
fog,umbrella,1.5,0.25,dry,aches,office,Grandmother,0.1,1/4
fog,none,1.5,0.5,dry,aches,office,Grandmother,0.1,0
"""


@pytest.fixture
def weather(tmp_path):
    path = tmp_path / "weather.csv"
    path.write_text(CSV)
    return path


def test_a_file_is_read_exactly(weather):
    problem = eq.read_problems(weather)
    assert problem.prior.tolist() == [[2, 6, 3]]
    assert problem.utility[0].tolist() == [[10000, 0], [5000, 10000], [2500, 5000]]
    assert problem.items[0].tolist() == [[0, 1, 1], [0, 1, 0]]
    assert problem.costs.tolist() == [[1000, 0]]
    assert (problem.owners, problem.provider_names()) == ((0, 1), ("office", "Grandmother"))
    assert problem.stakes[0].tolist() == [[[2500, 0]] * 3, [[0, 0]] * 3]
    assert problem.names() == ["weather"]
    assert (problem.state_names(), problem.act_names()) == (("rain", "sun", "fog"), ("umbrella", "none"))


def test_several_problems_in_one_file_and_other_separators(tmp_path):
    path = tmp_path / "two.csv"
    rows = ["problem;state;act;utility;says:a"]
    for name, value in (("first", "0,5"), ("second", "0,25")):
        rows += [f"{name};x;l;{value};u", f"{name};x;r;0;u", f"{name};y;l;0;{'v' if name == 'first' else 'u'}"]
        rows += [f"{name};y;r;1;{'v' if name == 'first' else 'u'}"]
    path.write_text("\n".join(rows))
    problem = eq.read_problems(path, sep=";", decimal=",")
    assert problem.names() == ["first", "second"]
    assert problem.items.tolist() == [[[0, 1]], [[0, 0]]]
    assert problem.provider_names() == ("a",)
    assert eq.solve(problem, eq.InformationMarket()).utility.tolist() == [[0.5, 0.75], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("says:radar,says:knee", "radar,knee", r"line 2: column 5: expected says:NAME, cost:NAME, owner:NAME"),
        ("owner:knee", "owner:nose", r"line 2: column 8: expected an item among radar, knee, got 'owner:nose'"),
        ("stake:office", "stake:nobody", r"column 10: expected the owner of an item, office or Grandmother"),
        ("rain,none,1,0,wet", "rain,none,1,0,dry", r"line 4: column 'says:radar': expected 'wet' as on line 3"),
        ("rain,none,1,", "rain,none,2,", r"line 4: column 'prior': expected '1' as on line 3, got '2'"),
        ("rain,none,1,0,", "rain,none,1,x,", r"line 4: .*column 'utility': expected a decimal number"),
        ("fog,none,1.5,0.5,dry,aches,office,Grandmother,0.1,0\n", "", r"every state and act, got none for problem"),
        ("rain,none", "rain,umbrella", r"line 4: column 'act': expected every act once in a state"),
        ("Grandmother,0.1,1/4", "Grandmother,-1,1/4", r"column 'cost:radar': expected"),
        ("1,1,wet", "0,1,wet", r"column 'prior': expected"),
        ("aches,office,Grandmother,0.1,1/4\nrain", "aches,office,Grandmother,0.1,z\nrain", r"column 'stake:office'"),
    ],
)  # fmt: skip
def test_wrong_files_get_one_line(weather, capsys, old, new, message):
    assert old in CSV
    weather.write_text(CSV.replace(old, new, 1))
    with pytest.raises(eq.TableFileError, match=message):
        eq.read_problems(weather)
    assert main(["information", str(weather)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_command_prints_and_writes_what_solve_says(weather, tmp_path, capsys):
    out, figure = tmp_path / "rows.parquet", tmp_path / "depth.png"
    args = ["information", str(weather), "--depth", "2", "--out", str(out), "--figure", str(figure)]
    assert main(args) == 0
    result = eq.solve(eq.read_problems(weather), eq.InformationMarket(depth=2))
    rows = pq.read_table(out)
    assert rows["utility"].to_pylist() == result.utility[0].tolist()
    assert rows["revenue"].to_pylist() == result.revenue[0].tolist()
    assert rows["shown"].to_pylist() == result.shown[0].tolist()
    assert rows["family"].to_pylist() == ["weather"] * 3
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "to Grandmother" in capsys.readouterr().out
    assert main(["information", str(weather), "--buyer", "bayesian", "--rounds", "fixed_point"]) == 0
    assert "bayesian buyer" in capsys.readouterr().out
    for wrong, message in (
        (["--depth", "-1"], "depth: expected a whole number"),
        (["--rounds", "fixed_point"], "--rounds: expected 1 unless --buyer bayesian"),
        (["--mechanism", "naive"], "stakes: expected none in a naive market"),
        (["--tie-break", "incumbent"], "--tie-break: expected a flag of"),
    ):
        assert main(["information", str(weather), *wrong]) == 2
        assert message in capsys.readouterr().err


def test_sweeps_are_what_solve_says_and_the_same_again(tmp_path):
    config = InformationSweepConfig("costly", problems=20, states=4, items=2, shard_size=8, splits=(1.0, 0.0, 0.0))
    report = run_information_sweep(config, tmp_path / "one")
    assert (report.tables, report.rows, report.complete, report.statuses) == (20, 60, True, {"OK": 60})
    result = eq.solve(eq.random_problems("costly", 20, states=4, items=2), eq.InformationMarket())
    rows = eq.rows.read_depths(tmp_path / "one")
    assert rows["utility"].to_pylist() == result.utility.reshape(-1).tolist()
    assert rows["harmed"].to_pylist() == result.harmed.reshape(-1).tolist()
    args = ["sweep", "--items", "2", "--tables", "20", "--states", "4", "--family", "costly", "--shard-size", "8"]
    args += ["--splits", "1,0,0", "--out", str(tmp_path / "two")]
    assert main(args) == 0
    for file in sorted((tmp_path / "one").rglob("*.parquet")):
        again = tmp_path / "two" / file.relative_to(tmp_path / "one")
        assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest()
    card = (tmp_path / "two" / "README.md").read_text()
    assert "markets of information" in card
    assert "config_name: depths" in card
    assert main(["verify", str(tmp_path / "two")]) == 0
    assert main(["plot", str(tmp_path / "two"), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "depth.png").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--items", "20"], "items: expected at most 16, got 20, whose 1,048,576 sets need about 0.10 GiB"),
        (["--items", "0"], "items: expected a whole number of at least 1, got 0"),
        (["--items", "2", "--family", "noisy"], "family: expected one of 'uniform', 'guess'"),
        (["--items", "2", "--family", "partisan", "--mechanism", "naive"], "stakes: expected none in a naive market"),
        (["--items", "2", "--depth", "-2"], "depth: expected a whole number"),
        (["--items", "2", "--levels", "0"], "levels: expected a whole number of at least 1"),
    ],
)
def test_wrong_sweeps_get_one_line(tmp_path, capsys, flags, message):
    assert main(["sweep", *flags, "--out", str(tmp_path / "sweep")]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
    assert not (tmp_path / "sweep").exists()


def test_problems_are_in_rows_exactly():
    problems = eq.random_problems("partisan", 40, seed=1)
    rows = eq.rows.problem_rows(problems)
    again = eq.DecisionProblem.from_arrays(
        rows["prior"].to_pylist(),
        np.array(rows["utility"].to_pylist()).reshape(40, 8, 3),
        np.array(rows["items"].to_pylist()).reshape(40, 4, 8),
        owners=rows["owners"][0].as_py(),
        stakes=np.array(rows["stakes"].to_pylist()).reshape(40, 2, 8, 3),
        resolution=1,
    )
    for name in ("prior", "utility", "items", "costs", "stakes"):
        np.testing.assert_array_equal(getattr(again, name), getattr(problems, name))


def test_the_figure_shows_means_and_shares(tmp_path):
    import pyarrow as pa

    tables = [
        eq.rows.depth_rows(eq.solve(eq.random_problems(family, 40, levels=9), game))
        for family in ("uniform", "nested")
        for game in (eq.InformationMarket(), eq.InformationMarket(buyer="bayesian", rounds="fixed_point"))
    ]
    rows = pa.concat_tables(tables)
    figure = eq.figures.depth_figure(rows, tmp_path / "depth.png")
    panels = [panel for panel in figure.axes if panel.get_title()]
    assert [panel.get_title() for panel in panels] == [
        "uniform, face value", "uniform, bayesian, fixed point", "nested, face value", "nested, bayesian, fixed point",
    ]  # fmt: skip
    result = eq.solve(eq.random_problems("uniform", 40, levels=9), eq.InformationMarket())
    np.testing.assert_allclose(panels[0].lines[0].get_ydata(), result.utility.mean(axis=0))
    with pytest.raises(ValueError, match="rows: expected a column 'mechanism'"):
        eq.figures.depth_figure(rows.drop_columns(["mechanism"]))
    with pytest.raises(ValueError, match="rows: expected 1 to 12 kinds of markets, got 0"):
        eq.figures.depth_figure(rows.slice(0, 0))
