"""Manual pages are true, fit a terminal of 80 columns and load nothing; what is typed wrong is said in a line."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
from equilibrax.cli import COMMANDS, main
from equilibrax.cli.manual import FOLDER, WIDTH, stored_page, wrapped
from equilibrax.cli.manual.rendering import all_pages
from equilibrax.cli.progress import doing, quiet, said_while_waiting
from equilibrax.games import all_games
from equilibrax.problems import UtilityTables

PAGES = {path.stem: path.read_text() for path in Path(FOLDER).glob("*.txt")}


def test_pages_say_what_the_flags_say():
    assert all_pages(COMMANDS) == PAGES, "run python .ci/manual.py"


@pytest.mark.parametrize("name", PAGES)
def test_no_line_is_cut_or_wrapped_twice(name):
    page = PAGES[name]
    assert page.startswith(f"usage: equilibrax {re.split('--|[.]', name)[0]}")
    blocks = re.split(r"\n\s*\n|\n(?= +--)|(?<=:)\n", page)
    for block in blocks:
        lines = block.splitlines()
        for line, following in pairwise(lines):
            same = len(line) - len(line.lstrip()) == len(following) - len(following.lstrip())
            if same and not line.lstrip().startswith(("equilibrax ", "--")) and not line.endswith("\\"):
                first = following.split()[0]
                whole = re.match("`equilibrax [^`]*`[;,.]?", following.strip())  # commands are not torn apart
                first = whole[0] if whole else first
                first = following.strip() if first == "Default:" else first  # which stays with what it is
                assert len(line) + 1 + len(first) > WIDTH, f"{line!r} ends early"
    assert max(map(len, page.splitlines())) <= WIDTH
    assert not re.search(r"\bNone\b|tyro|\(default: \)|Example:", page)


@pytest.mark.parametrize("name", PAGES)
def test_examples_are_commands_that_parse(name):
    """Nothing else is among them, and every flag and value is one that the command takes."""
    from equilibrax.cli._flags import parsed

    block = PAGES[name].partition("\nexamples:\n")[2].partition("\n\n")[0].replace("\\\n", " ")
    for example in block.splitlines():
        program, command, *args = shlex.split(example.partition(" > ")[0])
        assert (program, command) == ("equilibrax", re.split("--|[.]", name)[0])
        parsed(getattr(import_module(f"equilibrax.cli.{command}"), COMMANDS[command][0]), args, f"equilibrax {command}")
    assert block


def test_the_overview_fits(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= WIDTH
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", out, re.MULTILINE), f"{name} runs into what it does"


def test_a_page_has_the_options_of_the_game_that_is_named():
    page = stored_page("solve", ["--game", "joint"])
    assert page is not None
    assert "--rationality" in page
    assert "--tie-break" not in page
    assert "--committees" in page
    whole = stored_page("solve", [])
    assert whole is not None
    assert [name for name in all_games(UtilityTables) if f"options with --game {name}" in whole] == list(
        all_games(UtilityTables)
    )
    assert stored_page("solve", ["--game=chess"]) is None
    assert stored_page("sweep", ["--users", "2"]) == PAGES["sweep--users"]
    assert stored_page("data", ["movielens"]) == PAGES["data.movielens"]


def test_wrapping_cuts_between_words_only():
    assert wrapped("aa bb  cc\ndd", 2, 7) == ["  aa bb", "  cc dd"]
    assert wrapped("a" * 99, 0, 9) == ["a" * 99]


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["solve", "--help"], ["sweep", "--users", "2", "-h"]])
def test_help_loads_nothing(args):
    heavy = {"jax", "numpy", "tyro", "rich", "pyarrow", "asyncio"}
    code = f"""
import sys
import threading
import time
from equilibrax.cli import main
try:
    status = main({args!r})
except SystemExit as stop:
    status = stop.code
assert status == 0
print(*{heavy} & set(sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []
    assert "equilibrax" in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["slove"], r"got 'slove'; did you mean 'solve'\?"),
        (["solve", "x", "--resolutoin", "3"], r"--resolutoin: expected a flag .*; did you mean '--resolution'\?"),
        (["solve", "x", "--game", "jont"], r"--game: expected one of .*, got 'jont'; did you mean 'joint'\?"),
        (["solve", "x", "--backend", "cpux"], r"--backend: expected one of auto, .*'cpux'; did you mean 'cpu'\?"),
        (["solve", "x", "--resolution", "abc"], "--resolution: expected a whole number, got 'abc'"),
        (["solve", "x", "--out"], "--out: expected a value, got none"),
        (["verify"], "DIR: expected the folder of a sweep, got none"),
        (["data", "moviel"], r"expected one of movielens-table, movielens, got 'moviel'; did you mean 'movielens'\?"),
        (["solve", "synthetic-3"], r"got 'synthetic-3', which is not there; did you mean 'synthetic-[12]'\?"),
        (["solve", "synthetic-1", "--committees", "AI 1+AI6"], r"--committees: expected providers among AI 1, .*'AI6'"),
        (["solve", "synthetic-1", "--committees", "99"], "--committees: expected bitmasks from 1 to 31"),
        (["solve", "synthetic-1", "--format", "cvs"], "--format: expected one of parquet, csv"),
        (["solve", "synthetic-1", "--out", "no/b.csv"], "--out: expected a folder that exists"),
        (["sweep", "--out", "s", "--shard-size", "0"], "--shard-size: expected"),
    ],
)
def test_what_is_typed_wrong_is_said_with_the_flag(args, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(args) == 2
    error = capsys.readouterr().err
    assert re.match(rf"equilibrax: error: .*{message}", error.strip()), error
    assert error.strip().count("\n") == 0


def test_no_colour_where_none_is_wanted(monkeypatch):
    from equilibrax._core.text import Screen

    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen(force_terminal=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with screen.capture() as shown:
        screen.print("red", style="red")
    assert "\x1b[3" not in shown.get()
    screen.file.close()


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json", "xlsx", "md", "tex"])
def test_results_of_the_same_command_are_replaced_and_nothing_else(suffix, tmp_path, capsys):
    pytest.importorskip("openpyxl")
    out = tmp_path / f"rows.{suffix}"
    args = ["solve", "synthetic-1", "--committees", "1", "--no-misalignment", "--out", str(out)]
    assert main(args) == 0
    assert main(args) == 0
    out.write_text("my notes")
    assert main(args) == 2
    assert "which would be replaced" in capsys.readouterr().err
    assert out.read_text() == "my notes"


def test_rows_go_to_standard_output_in_any_format(capsys):
    assert main(["solve", "synthetic-1", "--committees", "AI 1+AI 2", "--no-misalignment", "--format", "csv"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.endswith("status,table_name,committee_names")
    assert len(lines) == 1
    assert lines[0].endswith("OK,synthetic-1,AI 1+AI 2")
    assert (
        main(["market", "theorem-4.1", "--committees", "3", "--no-bounds", "--game", "anonymous", "--format", "md"])
        == 0
    )
    assert "| provider 1+provider 2 | user 2 |" in capsys.readouterr().out


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def wait_for(stream: io.StringIO, text: str) -> None:
    """Wait until a thread has written it, on a busy machine too."""
    end = time.monotonic() + 100
    while text not in stream.getvalue() and time.monotonic() < end:
        time.sleep(0.02)


def test_a_terminal_says_what_takes_long_and_a_pipe_does_not():
    terminal, pipe = _Terminal(), io.StringIO()
    with said_while_waiting("equilibrax solve", terminal, patience=0.0):
        doing("solving 3 of 12 games")
        wait_for(terminal, "solving 3 of 12 games")
        with quiet():
            shown = terminal.getvalue()
            assert shown.endswith("\r\x1b[K")
            doing("solving 4 of 12 games")
            assert terminal.getvalue() == shown
        wait_for(terminal, "solving 4 of 12 games")
    assert terminal.getvalue().endswith("\r\x1b[K")
    with said_while_waiting("equilibrax solve", pipe, patience=0.0):
        assert "equilibrax-waiting" not in [thread.name for thread in threading.enumerate()]
    assert pipe.getvalue() == ""
    with said_while_waiting("equilibrax solve", terminal, patience=60):
        terminal.truncate(0)
    assert terminal.getvalue() == ""


def test_a_terminal_says_that_it_compiles():
    import jax

    terminal = _Terminal()
    with said_while_waiting("equilibrax solve", terminal, patience=0.0):
        jax.monitoring.record_event("/jax/compilation_cache/compile_requests_use_cache")
        wait_for(terminal, "compiling")
    jax.monitoring.record_event_duration_secs("/jax/core/compile/backend_compile_duration", 0.0)
    assert "equilibrax solve, compiling" in terminal.getvalue()
