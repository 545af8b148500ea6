"""Comparisons: their numbers are those of `solve`, and the command writes whole files or none."""

from __future__ import annotations

import math
from dataclasses import replace

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main

ROWS = ("rain,umbrella,1,0.2,0.9", "rain,none,0,0.8,0.1", "sun,umbrella,0.3,0.2,1", "sun,none,1,0.9,0")
LAMBDAS = (2.0, math.inf)
B = 8  # tables in every batch, so that every game is compiled once


@pytest.fixture(scope="module")
def tables():
    return eq.sample_tables("uniform", B, states=2, actions=2, providers=2, seed=3)


@pytest.fixture(scope="module")
def found(tables):
    return eq.compare(tables, rationality=LAMBDAS)


@pytest.fixture
def weather(tmp_path):
    path = tmp_path / "weather.csv"
    path.write_text(
        "\n".join(["table,state,action,user,Ann,Bob"] + [f"day {b},{row}" for b in range(B) for row in ROWS])
    )
    return path


@pytest.mark.slow
def test_every_line_is_what_solve_says(tables, found):
    """Worst and best of the committee of all; a monopolist's over the committees of one."""
    quantal = eq.Quantal(LAMBDAS)
    followed, joint = eq.solve(tables, eq.Selection(dynamics=False)), eq.solve(tables, eq.Joint(dynamics=False))
    by_lambda = eq.solve(tables, eq.Joint(quantal, dynamics=False), committees=[3])
    lotteries = eq.solve(tables, eq.Oblivious(rules="lotteries"))
    expected = {
        "selection, followed": followed,
        "selection, lotteries": eq.solve(tables, eq.Selection(rules="lotteries")),
        "selection, checked": eq.solve(tables, eq.Obedient(dynamics=False), committees=[3]),
        "joint": joint,
        "oblivious, partitions": eq.solve(tables, "oblivious"),
        "oblivious, lotteries": lotteries,
        "aligned": eq.solve(tables, "aligned"),
    }
    for name, result in expected.items():
        line = found.index(name)
        assert found.worst[:, line].tolist() == result.worst_utility[:, -1].tolist(), name
        assert found.best[:, line].tolist() == result.best_utility[:, -1].tolist(), name
        assert found.equilibria[:, line].tolist() == result.equilibria[:, -1].tolist(), name
    for name, result in (("followed", followed), ("checked", joint)):
        line = found.index(f"monopolist, {name}")
        assert found.worst[:, line].tolist() == result.worst_utility[:, :2].min(axis=1).tolist()
        assert found.best[:, line].tolist() == result.best_utility[:, :2].max(axis=1).tolist()
    aligned = eq.solve(tables, eq.Aligned(quantal))
    for r, name in enumerate(("joint, λ = 2", "joint, λ = ∞")):
        line = found.index(name)
        assert found.worst[:, line].tolist() == by_lambda.worst_utility[:, r, -1].tolist()
        assert found.aligned[:, line].tolist() == aligned.best_utility[:, r, 0].tolist()
    assert found.optimum.tolist() == followed.optimum[:, 0].tolist()
    assert found.left_out == ()
    assert (found.status == 0).all()


def test_bounds_hold_and_answers_are_differences(found):
    bounded = np.isfinite(found.bound)
    assert {line.name for line, there in zip(found.lines, bounded.any(axis=0)) if not there} == {
        "oblivious, partitions",
        "oblivious, lotteries",
        "aligned",
    }
    assert (found.worst - found.bound)[bounded].min() >= -1e-8
    answers = found.answers()
    worst = dict(zip((line.name for line in found.lines), found.worst.T))
    np.testing.assert_array_equal(answers["hearing everybody buys"], worst["joint"] - worst["selection, checked"])
    np.testing.assert_array_equal(answers["quantal response costs, λ = 2"], worst["joint"] - worst["joint, λ = 2"])
    assert (answers["competition buys (over the worst one)"] > 0).any()
    with pytest.raises(ValueError, match="name: expected one of monopolist, followed; "):
        found.index("chess")


def test_oblivious_providers_of_theorem_7():
    """Lotteries leave the user 5/3, partitions reveal enough for 2; and options that do not apply are refused."""
    court = eq.PersuasionGame.from_prior(
        [[[[2, 0], [0, 1]]]] * B, user=[[1, 2], [2, 1]], providers=[[[0, 2], [0, 1]], [[1, 0], [2, 0]]]
    )
    lotteries = eq.solve(court, eq.Oblivious(rules="lotteries"))
    assert lotteries.worst_utility[-1] == pytest.approx([5 / 3] * 3, abs=1e-12)
    assert lotteries.equilibria.tolist() == [[1, 1, 1]] * B
    assert eq.rows.committee_rows(lotteries)["worst_partition"].null_count == 3 * B
    partitions = eq.solve(court, "oblivious")
    assert partitions.worst_utility.tolist() == [[5 / 3, 2.0, 2.0]] * B
    assert partitions.worst_partition[0].tolist() == [[0, 0], [0, 1], [0, 1]]
    found = eq.compare(court, rationality=())
    assert found.worst[0, found.index("oblivious, lotteries")] == pytest.approx(5 / 3)
    assert not any(line.user in ("follows", "quantal") for line in found.lines)
    for options in ({"response": eq.Quantal(1)}, {"dynamics": True}, {"tie_break": "lowest_index"}):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{next(iter(options))}'"):
            eq.Oblivious(**options)
    with pytest.raises(ValueError, match="rules: expected one of 'partitions', 'lotteries', got 'mixed'"):
        eq.Oblivious(rules="mixed")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="unexpected keyword argument 'rules'"):
        eq.Aligned(rules="lotteries")  # pyright: ignore[reportCallIssue]


def test_oblivious_partitions_are_the_monopolists(tables):
    """The common refinement of what each posts alone, counted as profiles."""
    result, joint = eq.solve(tables, "oblivious"), eq.solve(tables, eq.Joint(dynamics=False))
    assert result.equilibria[:, 2].tolist() == (joint.equilibria[:, 0] * joint.equilibria[:, 1]).tolist()
    apart = joint.worst_partition[:, :2, 1].max(axis=1)  # of two states: told apart if anybody does
    assert result.worst_partition[:, 2].tolist() == [[0, int(a)] for a in apart]
    revealed = np.where(apart == 1, joint.optimum_value, result.worst_value[:, 0])
    assert result.worst_value[:, 2].tolist() == revealed.tolist()


def test_states_that_share_some_actions_are_explained():
    """Such tables have no lotteries, and a note names the cells that can be posted."""
    labels = eq.Labels(("rain", "sun"), ("umbrella", "hat"), ("Ann", "Bob"))
    some = [[True, True], [True, False]]
    shy = eq.from_arrays(np.tile(np.eye(2), (B, 1, 1)), np.ones((B, 2, 2, 2)), available=[some] * B, labels=labels)
    found = eq.compare(shy, rationality=LAMBDAS)
    assert [name for name, _ in found.left_out] == ["oblivious, lotteries"]
    assert "rain + sun" in found.notes()[-1]


def test_the_command_prints_and_writes(weather, tmp_path, capsys, monkeypatch):
    said = []
    monkeypatch.setattr("equilibrax.cli.progress.doing", said.append)
    out, figure = tmp_path / "rows.parquet", tmp_path / "games.png"
    options = ["--rationality", "2,inf", "--out", str(out), "--figure", str(figure)]
    assert main(["compare", str(weather), *options]) == 0
    games = [text for text in said if text.startswith("solving")]
    assert games == [f"solving {i + 1} of {len(games)} games over day 0" for i in range(len(games))]
    assert len(games) > 5
    printed = capsys.readouterr().out
    assert "day 7" in printed
    assert "hearing everybody buys" in printed
    rows = pq.read_table(out).to_pydict()
    found = eq.compare(eq.read_tables(weather), rationality=LAMBDAS)
    assert rows["line"] == [line.name for line in found.lines] * B
    assert rows["worst_utility"] == found.worst.ravel().tolist()
    assert rows["bound"][-1] is None
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert figure.read_bytes().rstrip().endswith(b"IEND\xaeB`\x82")
    assert {path.name for path in tmp_path.iterdir()} == {"weather.csv", "rows.parquet", "games.png"}


def test_a_family_is_shown_as_distributions(found, tmp_path, capsys):
    out, figure = tmp_path / "rows.parquet", tmp_path / "games.png"
    sizes = ["--states", "2", "--actions", "2", "--providers", "2", "--tables", str(B), "--seed", "3"]
    options = ["--rationality", "2,inf", "--out", str(out), "--figure", str(figure)]
    assert main(["compare", "--family", "uniform", *sizes, *options]) == 0
    assert "uniform: 8 tables" in capsys.readouterr().out
    rows = pq.read_table(out)
    assert rows["worst_utility"].to_pylist() == found.worst.ravel().tolist()
    assert rows["table_id"].to_pylist() == np.repeat(np.arange(B), len(found.lines)).tolist()
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "TABLE: expected files or names of tables, or --family for random ones, got neither"),
        (["weather.csv", "--family", "uniform"], "got both"),
        (["nowhere.csv"], "nowhere.csv"),
        (["weather.csv", "--rationality", "1,x"], "--rationality: expected numbers joined by commas"),
        (["weather.csv", "--rationality=-1"], "rationality: expected numbers of at least 0"),
        (["weather.csv", "--figure", "games.jpg"], "--figure: expected a file that ends in .png"),
        (["weather.csv", "--out", "rows.txt"], "--out: expected a file that ends in .parquet"),
        (["--family", "odd"], "family: expected one of uniform"),
        (["--family", "uniform", "--tables", "0"], "--tables: expected a whole number of at least 1"),
    ],
)
def test_bad_input_is_one_line(weather, monkeypatch, capsys, args, message):
    monkeypatch.chdir(weather.parent)
    assert main(["compare", *args]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1, error
    assert [path.name for path in weather.parent.iterdir()] == ["weather.csv"]


def test_a_few_tables_have_a_panel_each(found, tmp_path):
    """Also where a game was not solved, or there is nothing but the optimum."""
    few = {name: getattr(found, name)[:2].copy() for name in ("table_id", "optimum", "best", "equilibria", "aligned")}
    few |= {name: getattr(found, name)[:2].copy() for name in ("worst", "bound", "status")}
    few["worst"][0, 3] = np.nan
    few["worst"][1], few["best"][1] = few["optimum"][1], few["optimum"][1]
    shown = replace(found, tables=found.tables[:2], **few)
    eq.figures.comparison_figure([shown, shown], tmp_path / "games.png")
    assert (tmp_path / "games.png").stat().st_size > 20_000
    few["worst"][0] = np.nan
    with pytest.raises(ValueError, match="expected a game that was solved"):
        eq.figures.comparison_figure(replace(shown, worst=few["worst"]), tmp_path / "none.png")
    assert [path.name for path in tmp_path.iterdir()] == ["games.png"]


def test_figures_refuse_what_they_cannot_show(found, tmp_path):
    with pytest.raises(ValueError, match="comparisons: expected at least one"):
        eq.figures.comparison_figure([], tmp_path / "a.png")
    with pytest.raises(ValueError, match="or at most 6 tables in all, got 16"):
        eq.figures.comparison_figure([found, found], tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"ends in .*\.pdf"):
        eq.figures.comparison_figure(found, tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []
