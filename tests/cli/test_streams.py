"""What commands print: names as they are, and one line where a stream is closed, full or in ASCII."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import equilibrax as eq
import pytest
from equilibrax.cli import main
from equilibrax.cli._failures import with_streams

TABLE = """\
state,action,user,llama [chat],[/INST],:dog: é
rain,umb,1,0.2,0.9,0
rain,none,0,0.8,0.1,1
sun,umb,0.3,0.2,1,0
sun,none,1,0.9,0,1
"""
MARKET = """\
state,user,action,utility,m [chat],[/INST],weight:m [chat]
rain,[/u],umbrella,1,0.2,0.9,1/3
rain,[/u],none,0,0.8,0.1,1/3
sun,[/u],umbrella,0.3,0.2,1,1/3
sun,[/u],none,1,0.9,0,1/3
"""


@pytest.fixture
def table(tmp_path):
    (tmp_path / "[b]t.csv").write_text(TABLE, encoding="utf-8")
    return str(tmp_path / "[b]t.csv")


def test_solve_shows_names_with_brackets_and_emoji_codes(table, capsys):
    assert main(["solve", table]) == 0
    said = capsys.readouterr()
    for name in ("llama [chat]", "[/INST]", ":dog: é", "[b]t"):
        assert name in said.out
        assert name in said.err  # what was read


def test_market_shows_names_of_users_and_providers(tmp_path, capsys):
    (tmp_path / "m.csv").write_text(MARKET)
    assert main(["market", str(tmp_path / "m.csv")]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("m [chat]", "[/INST]", "[/u]"))


@pytest.mark.slow
def test_comparisons_and_bounds_show_the_name_of_a_table(table, capsys):
    result = eq.solve(eq.read_tables(table))
    eq.theory.bounds(result).show(width=200)
    compared = eq.studies.compare(eq.read_tables(table), rationality=[1.0])
    compared.show(width=120)
    shown = capsys.readouterr().out
    assert shown.count("[b]t") == 2
    assert "llama [chat], [/INST]" in shown
    compared.show(width=60)
    narrow = capsys.readouterr().out
    assert "…" not in narrow
    assert all(f"worst {value:.4f}" in narrow for value in compared.worst[0])


@pytest.mark.parametrize("width", [50, 80])
def test_a_narrow_terminal_gets_every_number_and_status(table, width, capsys):
    result = eq.solve(eq.read_tables(table))
    capsys.readouterr()
    result.show(width=width)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    assert shown.count("status OK") == 7
    assert all(f"worst {value:.6f}" in shown for value in result.worst_utility[0])


@pytest.mark.filterwarnings("default")
def test_warnings_are_a_line_without_our_code(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("state,action,user,Ann\nx,a,0.3333333333333333,1e-9\nx,b,0.3333333344,0\n")
    assert main(["solve", str(tmp_path / "t.csv")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("equilibrax: ") for line in lines)
    assert "2 different payoffs became equal" in lines[0]


@pytest.mark.filterwarnings("default")
def test_raters_without_any_error_are_drawn_without_a_word_of_matplotlib(tmp_path, capsys):
    rows = "".join(f"q{i},1,1\n" for i in range(6))
    (tmp_path / "r.csv").write_text(f"item,target,Ann\n{rows}")
    assert main(["align", str(tmp_path / "r.csv"), "--out", str(tmp_path / "o"), "--permutations", "1"]) == 0
    said = capsys.readouterr().err
    assert "ylim" not in said
    assert "6 items, 1 rater, " in said


def test_errors_name_files_with_brackets(tmp_path, capsys):
    assert main(["solve", str(tmp_path / "[red]no[/red].csv")]) == 2
    assert "[red]no[/red].csv" in capsys.readouterr().err


def _stream(descriptor: int, encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(os.fdopen(descriptor, "wb", buffering=0), encoding=encoding)


def test_a_reader_that_goes_away_is_told_in_one_line(table, monkeypatch, capsys):
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(sys, "stdout", _stream(writer))
    assert with_streams(lambda: main(["solve", table])) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "equilibrax: what read stdout has closed it; the rest is not shown"
    assert len(lines) <= 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
@pytest.mark.parametrize("args", [["--help"], ["--version"]])
def test_a_full_stdout_is_said_in_one_line(args, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", _stream(os.open("/dev/full", os.O_WRONLY)))
    assert with_streams(lambda: main(args)) == 2
    assert capsys.readouterr().err.startswith("equilibrax: error: stdout: ")


def test_a_stdout_that_is_closed_from_the_start_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert with_streams(lambda: pytest.fail("nothing is computed")) == 2
    assert capsys.readouterr().err.startswith("equilibrax: stdout is closed")


def test_an_ascii_terminal_gets_escapes(table, monkeypatch, capsys):
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding="ascii"))
    assert with_streams(lambda: main(["solve", table]) or print("− ε") or 0) == 0
    shown = kept.getvalue().decode("ascii")
    assert "llama [chat]" in shown
    assert ":dog: \\xe9" in shown
    assert "\\u2212 \\u03b5" in shown


@pytest.mark.parametrize("platform", ["cuda", "abacus"])
def test_a_platform_that_the_machine_lacks_is_one_line(platform):
    if platform == "cuda" and os.path.exists("/dev/nvidia0"):
        pytest.skip("this machine has it")
    done = subprocess.run(
        [sys.executable, "-m", "equilibrax", "reproduce", "--out", os.devnull],
        env={**os.environ, "JAX_PLATFORMS": platform},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("equilibrax: error: JAX_PLATFORMS: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["sweep", "--tables", "[/b]"], "--tables"),
        (["sweep", "--tables"], "--tables"),
        (["solve", "t.csv", "--backend", "\x1b[31m"], "--backend"),
        (["merge"], "DIR"),
        (["data"], "movielens-table"),
        (["sweep", "--out", "s", "--states", "9" * 5000], "states"),
    ],
)
def test_flags_that_cannot_be_read_are_one_line(args, said, capsys):
    assert main(args) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert said in error
    assert len(error) <= 640
    assert "\x1b" not in error
