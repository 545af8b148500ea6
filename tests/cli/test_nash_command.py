"""`equilibrax nash`: what is in a file of Gambit's, on a page; bad files in one line."""

from __future__ import annotations

import warnings

import equilibrax as eq
import pytest
from equilibrax.cli import main


@pytest.fixture
def tragedy(tmp_path):
    path = tmp_path / "tragedy.nfg"
    eq.write_nfg(eq.tragedy_of_power(), path)
    return path


def test_it_says_what_is_played_and_what_is_lost(tragedy, capsys):
    assert main(["nash", str(tragedy), "--commitment", "--logit", "0,5"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    row = next(line for line in lines if line.startswith("│"))
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[:6] == ["no Build", "Kill", "no", "1.000000", "1.000000", "1.000000"]
    assert abs(sum(map(float, cells[6:])) - 1) < 1e-6
    assert "Best-response dynamics from (Build, Kill) ends after 1 move at (no Build, Kill)." in lines
    assert "Commitment of AI, then Humanity: (Build, no Kill), worth 2, 2." in lines
    assert (
        "Logit equilibrium at lambda 0: Humanity: Build 0.5000, no Build 0.5000; AI: Kill 0.5000, no Kill 0.5000."
        in lines
    )
    assert any(line.startswith("Logit equilibrium at lambda 5: Humanity: Build 0.1470") for line in lines)


def test_several_files_and_games_without_equilibrium(tragedy, tmp_path, capsys, monkeypatch):
    doing = []
    monkeypatch.setattr("equilibrax.cli.nash.doing", doing.append)
    pennies = eq.NormalForm.from_integers([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
    eq.write_nfg(pennies, tmp_path / "pennies.nfg")
    assert main(["nash", str(tragedy), str(tmp_path / "pennies.nfg")]) == 0
    said = capsys.readouterr().out
    assert "0 pure equilibria" in said
    assert "goes round in 4 moves from (1, 1)" in said
    assert doing == ["solving 1 of 2 games", "solving 2 of 2 games", "writing"]


def test_a_mark_of_unicode_is_no_name(tmp_path, capsys):
    (tmp_path / "game.nfg").write_text('\ufeffNFG 1 R "" { "A" "B" } { 2 2 } 3 3 0 5 5 0 1 1')
    assert main(["nash", str(tmp_path / "game.nfg")]) == 0


@pytest.mark.slow
def test_what_overflows_is_said_once(tragedy, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["nash", str(tragedy), "--logit", "1e308"]) == 1
    assert capsys.readouterr().err == "equilibrax: 1 games are not solved; their status says why\n"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("EFG 2 R", [], "game.nfg, line 1, column 1: expected NFG, got 'EFG'"),
        ('NFG 1 R "" { "A" } { 2 }\n1 x', [], "game.nfg, line 2, column 3: expected a payoff"),
        ('NFG 1 R "" { "A" } { 2 } 1 2', ["--logit", "x"], "--logit: expected numbers joined by commas"),
        ('NFG 1 R "" { "A" } { 2 } 1 2', ["--logit", "-1"], "logit: expected numbers of at least 0"),
        ('NFG 1 R "" { "A" "B" "C" "D" "E" "F" } { 1 1 1 1 1 1 } 1 1 1 1 1 1', ["--commitment"], "at most 5 players"),
    ],
)
def test_bad_input_is_one_line_and_status_2(text, options, message, tmp_path, capsys):
    (tmp_path / "game.nfg").write_text(text)
    assert main(["nash", str(tmp_path / "game.nfg"), *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("equilibrax: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_rows_go_into_files(tragedy, tmp_path, capsys):
    import pyarrow.parquet as pq

    out = tmp_path / "rows.parquet"
    meeting = eq.NormalForm.from_integers([[[2, 0], [0, 1]], [[2, 0], [0, 1]]])
    eq.write_nfg(meeting, tmp_path / "meeting.nfg")
    assert main(["nash", str(tragedy), str(tmp_path / "meeting.nfg"), "--out", str(out)]) == 0
    assert "3 rows written" in capsys.readouterr().err
    rows = pq.read_table(out)
    assert rows["profile"].to_pylist() == [[1, 0], [0, 0], [1, 1]]
    assert rows["efficient"].to_pylist() == [False, True, False]
    assert rows["symmetric_equilibria"].to_pylist() == [None, 2, 2]
    assert rows["efficiency_gap"].to_pylist() == [1.0, 0.0, 1.0]
    assert main(["nash", str(tragedy), "--out", "rows.txt"]) == 2
    assert capsys.readouterr().err.startswith("equilibrax: error: --out: expected")
