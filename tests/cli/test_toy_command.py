"""A command of one's own is one class in one file: its manual page, its flags and its errors come with it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType

import pytest
from equilibrax import cli


@dataclass(frozen=True)
class Count:
    """Count the committees of a market.

    Example: equilibrax count --providers 3
    """

    providers: int = 2
    """Number of providers."""

    def run(self, console) -> int:
        if self.providers < 1:
            raise ValueError(f"--providers: expected at least 1, got {self.providers}")
        print(2**self.providers - 1)
        return 0


@pytest.fixture(autouse=True)
def _command(monkeypatch):
    module = ModuleType("equilibrax.cli.count")
    module.Count = Count  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "equilibrax.cli.count", module)
    monkeypatch.setitem(cli.COMMANDS, "count", ("Count", "Count the committees of a market."))


def test_it_runs_with_its_flags(capsys):
    assert cli.main(["count", "--providers", "3"]) == 0
    assert capsys.readouterr().out == "7\n"


def test_it_has_a_manual_page_and_is_listed(capsys):
    assert cli.main(["--help"]) == 0
    assert "count" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        cli.main(["count", "--help"])
    assert stopped.value.code == 0
    assert "Number of providers." in capsys.readouterr().out


def test_bad_input_is_one_line_and_status_2(capsys):
    assert cli.main(["count", "--providers", "0"]) == 2
    assert capsys.readouterr().err == "equilibrax: error: --providers: expected at least 1, got 0\n"
