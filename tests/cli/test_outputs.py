"""Nothing of the user's is ever replaced: every command that writes looks first at what is there."""

from __future__ import annotations

from pathlib import Path

import equilibrax as eq
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from equilibrax.cli import main
from equilibrax.datasets.sweep import SweepConfig, run_sweep

TABLE = "state,action,user,Ann,Bob\nx,a,1,0,1\nx,b,0,1,0\ny,a,0,1,0\ny,b,1,0,1\n"
MARKET = "state,user,action,utility,Ann\nx,u,a,1,0\nx,u,b,0,1\ny,u,a,0,1\ny,u,b,1,0\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "market.csv").write_text(MARKET)
    (tmp_path / "game.nfg").write_text('NFG 1 R "dilemma" { "Ann" "Bob" } { 2 2 }\n3 3 5 0 0 5 1 1\n')
    (tmp_path / "problem.csv").write_text("state,act,utility,says:radar\nx,a,1,wet\nx,b,0,wet\ny,a,0,dry\ny,b,1,dry\n")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("solve table.csv --out mine.parquet", "mine.parquet"),
        ("compare table.csv --rationality= --out mine.parquet", "mine.parquet"),
        ("compare table.csv --rationality= --figure mine.png", "mine.png"),
        ("market market.csv --out mine.parquet", "mine.parquet"),
        ("market market.csv --figure mine.png", "mine.png"),
        ("entry market.csv --newcomers 1 --out mine.parquet", "mine.parquet"),
        ("entry market.csv --newcomers 1 --figure mine.png", "mine.png"),
        ("data movielens-table nowhere --out mine.csv", "mine.csv"),
        ("verify nowhere --report mine.json", "mine.json"),
        ("explore table.csv --out mine.html", "mine.html"),
        ("solve table.csv --out mine.csv", "mine.csv"),
        ("nash game.nfg --out mine.csv", "mine.csv"),
        ("information problem.csv --out mine.csv", "mine.csv"),
    ],
)
def test_a_file_of_ones_own_is_not_replaced(here, capsys, command, file):
    (here / file).write_text("mine")
    assert main(command.split()) == 2
    assert "which would be replaced" in capsys.readouterr().err
    assert (here / file).read_text() == "mine"


@pytest.mark.parametrize(
    "command",
    [
        "compare table.csv --rationality= --figure missing/f.png",
        "market market.csv --figure missing/f.png",
        "information problem.csv --figure missing/f.png",
        "families tables --figure missing/f.png",
        "explore table.csv --out missing/p.html",
        "verify nowhere --report missing/r.json",
        "nash game.nfg --out missing/n.csv",
        "data movielens-table nowhere --out missing/t.csv",
    ],
)
def test_a_folder_that_is_missing_is_said_before_anything_is_done(here, capsys, command):
    assert main(command.split()) == 2
    said = capsys.readouterr()
    assert "whose folder is missing" in said.err
    assert said.out == ""


@pytest.mark.parametrize("suffix", ["csv", "json"])
@pytest.mark.parametrize("command", ["nash game.nfg", "information problem.csv"])
def test_rows_of_games_and_problems_are_known_as_ones_own(here, command, suffix):
    for _ in range(2):
        assert main([*command.split(), "--out", f"rows.{suffix}"]) == 0


def test_games_of_several_files_are_counted_on(here):
    """One without an equilibrium has no row, and is counted all the same."""
    (here / "pennies.nfg").write_text('NFG 1 R "pennies" { "Ann" "Bob" } { 2 2 }\n1 -1 -1 1 -1 1 1 -1\n')
    assert main(["nash", "game.nfg", "pennies.nfg", "game.nfg", "--out", "rows.parquet"]) == 0
    assert pq.read_table(here / "rows.parquet")["game_id"].to_pylist() == [0, 2]


@pytest.mark.parametrize("content", ["a parquet file of somebody else", "mine"])
def test_what_the_same_command_has_written_is_replaced(here, content):
    if content == "mine":
        assert main(["solve", "table.csv", "--out", "r.parquet"]) == 0
        assert main(["solve", "table.csv", "--out", "r.parquet"]) == 0
    else:
        pq.write_table(pa.table({"a": [1]}), here / "r.parquet")
        assert main(["solve", "table.csv", "--out", "r.parquet"]) == 2


@pytest.mark.parametrize("name", ["figure5.png", "figure6.png", "figure7.png"])
@pytest.mark.parametrize("out", [[], ["--out", "figures"]])
def test_figures_of_ones_own_are_not_replaced(here, capsys, name, out):
    """Neither in the folder of the data nor in another; nothing is drawn then."""
    assert main(["solve", "table.csv", "--out", "committees.parquet"]) == 0
    folder = here / "figures" if out else here
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("mine")
    assert main(["plot", "committees.parquet", *out]) == 2
    assert f"{name}', which would be replaced" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in folder.glob("*.png")} == {name: "mine"}


def test_a_plot_of_rows_that_show_nothing_is_no_success(here, capsys):
    """As of a search for lotteries, whose rows have no worst equilibrium."""
    assert main(["solve", "table.csv", "--out", "committees.parquet"]) == 0
    rows = pq.read_table("committees.parquet")
    place = rows.column_names.index("worst_utility")
    nothing = rows.set_column(place, "worst_utility", pa.nulls(rows.num_rows, pa.float64()))
    eq.rows.write_rows(nothing, "committees.parquet")
    assert main(["plot", "committees.parquet"]) == 1
    assert capsys.readouterr().err.count("not drawn") == 3


@pytest.mark.slow
def test_figures_that_equilibrax_drew_are_drawn_anew(here):
    assert main(["solve", "table.csv", "--out", "committees.parquet"]) == 0
    for _ in range(2):
        assert main(["plot", "committees.parquet"]) == 0
    assert (here / "figure5.png").exists()


@pytest.mark.parametrize("name", ["summary.md", "figure6.png", "sweep/figure7.png"])
def test_a_result_of_ours_does_not_give_away_the_rest_of_the_folder(here, capsys, name):
    """`solve --out project/committees.parquet` does not make everything in `project` ours."""
    assert main(["solve", "table.csv", "--out", "committees.parquet"]) == 0
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).write_text("mine")
    before = (here / "committees.parquet").read_bytes()
    assert main(["reproduce", "--out", ".", "--tables", "10"]) == 2
    assert "which would be replaced" in capsys.readouterr().err
    assert (here / name).read_text() == "mine"
    assert (here / "committees.parquet").read_bytes() == before


@pytest.mark.parametrize("name", ["summary.md", "error.png", "users.parquet"])
def test_nor_do_results_of_align(here, capsys, name):
    run = ["align", "--simulate", "independent", "--items", "30", "--raters", "3", "--permutations", "2"]
    eq.rows.write_parquet(pa.table({"a": [1]}), here / "out.parquet")
    out = here / "out"
    out.mkdir()
    (here / "out.parquet").rename(out / "curve.parquet")
    (out / name).write_text("mine")
    assert main([*run, "--out", str(out)]) == 2
    assert f"{name}', which would be replaced" in capsys.readouterr().err
    assert (out / name).read_text() == "mine"


@pytest.mark.slow
def test_figures_in_the_folder_of_a_dataset_do_not_fail_its_verification(here):
    run_sweep(SweepConfig(tables=8, states=2, actions=2, providers=2), here / "sweep")
    assert main(["plot", "sweep"]) == 0
    assert main(["verify", "sweep"]) == 0
    (here / "sweep" / "figure5.png").write_bytes(b"no picture")
    assert main(["verify", "sweep"]) == 1
    (here / "sweep" / "figure5.png").unlink()
    (here / "sweep" / "other.png").write_bytes((here / "sweep" / "figure6.png").read_bytes())
    assert main(["verify", "sweep"]) == 1


@pytest.mark.parametrize("committee", ["٣", "３"])
def test_only_digits_from_0_to_9_are_a_bitmask(tmp_path, capsys, committee):
    """Arabic and full-width digits are names, of which there is none."""
    (tmp_path / "t.csv").write_text("state,action,user,Ann,Bob\ns,a,1,0,1\n")
    assert main(["solve", str(tmp_path / "t.csv"), "--committees", committee]) == 2
    assert f"expected providers among Ann, Bob, got '{committee}'" in capsys.readouterr().err
