"""The command line: what it writes, what it says of bad input, and its exit status."""

import subprocess
import sys
from dataclasses import replace

import equilibrax as eq
import numpy as np
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import COMMANDS, main
from equilibrax_kernels.cpu import compiling

TABLE = """state,action,user,Ann,Bob
rain,umbrella,1,0.2,0.9
rain,none,0,0.8,0.1
sun,umbrella,0.3,0.2,1
sun,none,1,0.9,0
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "weather.csv"
    path.write_text(TABLE)
    return path


@pytest.mark.slow
def test_solve_writes_the_rows_of_all_files_numbered_on(table, tmp_path):
    two = tmp_path / "two.csv"
    header, *lines = TABLE.splitlines()
    two.write_text("\n".join([f"table,{header}"] + [f"{name},{line}" for name in "pq" for line in lines]))
    out = tmp_path / "rows.parquet"
    assert main(["solve", str(table), str(two), "--out", str(out)]) == 0
    rows = pq.read_table(out)
    assert rows["table_id"].to_pylist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert rows["family"].to_pylist() == ["weather"] * 3 + ["p"] * 3 + ["q"] * 3
    assert rows["worst_utility"].to_pylist() == [0.5, 0.65, 1.0] * 3  # Ann alone, Bob alone, both
    assert rows.column_names[:8] == [
        "table_id", "family", "seed", "states", "actions", "num_providers", "committee", "committee_size",
    ]  # fmt: skip


def test_solve_prints_a_readable_table(table, capsys):
    assert main(["solve", str(table), "--no-misalignment", "--committees", "3"]) == 0
    printed = capsys.readouterr().out
    assert "Ann, Bob" in printed
    assert "misalignment" not in printed
    assert "1.000000" in printed


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["solve", "nowhere.csv"], "nowhere.csv"),
        (["solve"], "TABLE"),
        (["solve", "weather.csv", "--out", "rows.txt"], "--out: expected a file that ends in .parquet"),
        (["solve", "weather.csv", "--committees", "4"], "committees: expected bitmasks from 1 to 3"),
        (["solve", "weather.csv", "--resolution", "0"], "resolution: expected a positive whole number, got 0"),
        (["solve", "weather.csv", "--out", "missing/rows.parquet"], "missing"),
        (["sweep"], "--out: expected a folder"),
        (["sweep", "--out", "s", "--family", "odd"], "family: expected one of uniform"),
        (["sweep", "--out", "s", "--tables", "0"], "tables"),
        (["sweep", "--out", "s", "--providers", "17"], "providers"),
        (["sweep", "--out", "s", "--parameter", "noise"], "--parameter: expected NAME=NUMBER, got 'noise'"),
        (["sweep", "--out", "weather.csv"], "weather.csv"),
        (["plot", "."], "committees"),
        (["reproduce", "--out", "r", "--tables", "-1"], "--tables: expected 0 or more, got -1"),
        (["swep"], f"expected a command ({', '.join(COMMANDS)}), got 'swep'"),
    ],
)
def test_bad_input_gets_one_message_and_exit_status_2(table, args, message, monkeypatch, capsys):
    monkeypatch.chdir(table.parent)
    assert main(args) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert error.startswith("equilibrax: error: ")
    assert len(error.splitlines()) == 1, error
    assert [path.name for path in table.parent.iterdir()] == ["weather.csv"], "bad input must not leave files"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_manual_page(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    page = capsys.readouterr().out
    assert f"usage: equilibrax {name}" in page
    assert f"examples:\n  equilibrax {name}" in page


def test_overview_and_version(capsys):
    assert main(["--help"]) == 0
    page = capsys.readouterr().out
    assert all(word in page for word in (*COMMANDS, "exit status"))
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"equilibrax {eq.__version__}"


@pytest.mark.slow
def test_unsolved_tables_are_reported_and_exit_status_is_1(table, monkeypatch, capsys, tmp_path):
    """A dynamics that is cut short (a limit of zero deviations) is written down as such."""
    import equilibrax.cli.solve as command

    def still(tables, game, **how):
        return eq.solve(tables, replace(game, dynamics=eq.Dynamics(step_limit=0)), **how)

    monkeypatch.setattr(command, "solve", still)
    out = tmp_path / "rows.parquet"
    assert main(["solve", str(table), "--out", str(out)]) == 1
    assert "1 rows are not solved" in capsys.readouterr().err
    assert pq.read_table(out)["status"].to_pylist() == ["OK", "OK", "DYNAMICS_LIMIT"]


@pytest.mark.slow
def test_reproduce_makes_everything_and_continues(tmp_path, monkeypatch):
    out = tmp_path / "reproduction"
    assert main(["reproduce", "--out", str(out), "--tables", "100"]) == 0
    names = {"committees.parquet", "figure5.png", "figure6.png", "figure7.png", "summary.md", "sweep"}
    assert {path.name for path in out.iterdir()} == names
    rows = pq.read_table(out / "committees.parquet").to_pydict()
    assert len(rows["committee"]) == 31 + 31 + 63
    assert list(dict.fromkeys(rows["family"])) == list(eq.io.PAPER_TABLES)
    assert (np.array(rows["worst_utility"]) >= np.array(rows["bound"]) - 1e-9).all()
    text = (out / "summary.md").read_text()
    assert "125 of 125" in text
    assert "2 committees of synthetic-2, at ε = 0.07" in text
    assert "near_hull" in text
    written = {path: path.read_bytes() for path in (out / "sweep").rglob("*.parquet")}
    assert len(written) == 6
    assert main(["reproduce", "--out", str(out), "--tables", "100"]) == 0
    assert {path: path.read_bytes() for path in (out / "sweep").rglob("*.parquet")} == written


@pytest.mark.slow
def test_sweep_then_plot(tmp_path, capsys):
    folder = tmp_path / "sweep"
    sizes = ["--states", "2", "--actions", "2", "--providers", "2", "--tables", "50", "--shard-size", "20"]
    options = ["--family", "noisy", "--parameter", "noise=0.25"]
    assert main(["sweep", "--out", str(folder), *sizes, *options]) == 0
    assert "50 tables, 150 rows" in capsys.readouterr().err
    assert len(list(folder.glob("committees/*.parquet"))) == 9
    assert main(["sweep", "--out", str(folder), *sizes, *options]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert main(["sweep", "--out", str(folder), *sizes, "--family", "uniform"]) == 2
    assert main(["plot", str(folder), "--out", str(tmp_path / "figures")]) == 0
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"figure5.png", "figure6.png", "figure7.png"}


def test_the_installed_module_runs_without_a_traceback():
    done = subprocess.run([sys.executable, "-m", "equilibrax", "solve", "x.csv"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_backend_can_be_chosen(table, capsys):
    def lines(*flags: str) -> str:
        assert main(["solve", str(table), "--game", "joint", *flags]) == 0
        return capsys.readouterr().out

    assert lines("--backend", "cpu") == lines("--backend", "xla") == lines()
    assert main(["solve", str(table), "--game", "oblivious", "--rules", "lotteries", "--backend", "cpu"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert (
        said == 'equilibrax: error: --backend: expected "auto" or "xla" in the oblivious game with lotteries, got "cpu"'
    )


def test_loops_are_compiled_ahead(monkeypatch, capsys):
    assert main(["warmup"]) == 0
    said = capsys.readouterr().err
    assert all(name in said.split(":")[0] for name in eq.games.all_games())
    monkeypatch.setattr(compiling, "cache_folder", lambda: None)
    assert main(["warmup"]) == 2
    assert capsys.readouterr().err.startswith("equilibrax: error: EQUILIBRAX_CACHE_DIR: expected a folder to write to")
