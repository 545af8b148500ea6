"""The scripts in `examples` run as they are written, and say what they promise."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("script", [path for path in EXAMPLES if path.stem.endswith("_to_latex")], ids=lambda p: p.stem)
def test_frames_become_pictures_and_latex(script, tmp_path, monkeypatch, capsys):
    """Whatever library the rows come from, in whatever order, the equilibria are the same."""
    for library in ("pandas", "polars", "xarray"):
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    assert len(script.read_text().splitlines()) <= 30
    runpy.run_path(str(script))
    printed = capsys.readouterr().out
    assert "tables           2 tables, 2 states, 2 actions, 2 providers" in printed
    assert "Rome & Ann, Bob & 0.9900 & 0.9900 & 0.9900 & 1 &" in printed
    assert "Oslo & Bob & 1.0000 & 0.4750 & 0.4750 & 1 &" in printed
    assert (tmp_path / "worst.png").read_bytes().startswith(b"\x89PNG")
    sys.modules["matplotlib.pyplot"].close("all")
