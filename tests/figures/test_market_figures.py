"""Figures of markets: games without an equilibrium keep their panels, missing bounds are counted, and names."""

from __future__ import annotations

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pytest
from equilibrax.cli import main
from figure_cases import entry_rows, market_rows
from matplotlib.text import Text

TABLE = """state,user,action,utility,Ann,Bob
rain,$Carol,go,1,0.2,0.9
rain,$Carol,stay,0,0.8,0.1
sun,$Carol,go,0.3,0.2,1
sun,$Carol,stay,1,0.9,0
rain,<Dave>,go,0,0.5,0.5
rain,<Dave>,stay,0.6,0.1,0.2
sun,<Dave>,go,1,0.5,0.5
sun,<Dave>,stay,0.6,0.4,0.2
"""


def without(rows: pa.Table, game: str, *columns: str) -> pa.Table:
    """Rows of a game lose some numbers."""
    gone = np.array(rows["game"].to_pylist()) == game
    for name in columns:
        values = np.where(gone, np.nan, rows[name].to_numpy())
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    return rows


@pytest.mark.parametrize("users", [2, 30])
@pytest.mark.parametrize("draw", ["bound_figure", "providers_figure", "entry_figure"])
def test_a_game_without_an_equilibrium_keeps_its_panel_and_the_foot_names_it(draw, users):
    if draw == "entry_figure":
        rows = without(entry_rows(1, users, 3), "anonymous", "worst_after")
        lost = 3 * users
    else:
        rows = without(market_rows(1, users, 2), "anonymous", "worst_utility", "best_utility")
        lost = users if draw == "bound_figure" else 3 * users
    figure = getattr(eq.figures, draw)(rows)
    left, right = figure.axes[:2]
    assert left.get_title().split("\n")[0] == "personalized"
    assert right.get_title().split("\n")[0] == "anonymous"
    shown = [text.get_text() for text in right.findobj(Text)]
    assert any("no equilibrium" in text for text in shown)
    assert f"{lost} rows left out" in figure.get_supxlabel().replace("\n", " ")
    assert f"{lost} of anonymous" in figure.get_supxlabel().replace("\n", " ")


def test_bounds_that_are_not_in_a_panel_are_counted_in_its_title():
    rows = market_rows(50, 2, 1)
    bound = rows["bound"].to_numpy().copy()
    bound[:10] = np.nan  # of 100 users
    bound[100:101] = -9.0
    rows = rows.set_column(rows.column_names.index("bound"), "bound", pa.array(bound))
    left, right = eq.figures.bound_figure(rows).axes
    assert "10 % without bound" in left.get_title()
    assert "% without bound" not in right.get_title()
    assert "% further left" in right.get_title()
    assert right.get_xlim()[0] > -9


def test_boxes_are_of_users_who_have_less_and_numbers_say_how_many():
    rows = market_rows(50, 2, 2)
    worst, optimum = rows["worst_utility"].to_numpy().copy(), rows["optimum"].to_numpy()
    size = rows["committee_size"].to_numpy()
    whole = (np.arange(len(worst)) % 4 != 0) & (size == 2)
    worst[whole] = optimum[whole]
    rows = rows.set_column(rows.column_names.index("worst_utility"), "worst_utility", pa.array(worst))
    panel = eq.figures.providers_figure(rows).axes[0]
    mine = np.array(rows["game"].to_pylist()) == "personalized"
    less = optimum[mine] - worst[mine] > 1e-9
    for k, text in zip((1, 2), panel.texts):
        assert text.get_text() == f"{100 * less[size[mine] == k].mean():.3g} %"
    (median,) = (line.get_ydata() for line in panel.lines if line.get_marker() == "o" and line.get_xdata()[0] == 2)
    assert median == pytest.approx(np.median((worst - optimum)[mine][less & (size[mine] == 2)]))


@pytest.mark.slow
def test_plot_has_the_names_of_the_market_that_was_solved(tmp_path, monkeypatch):
    (tmp_path / "mine.csv").write_text(TABLE)
    assert main(["market", str(tmp_path / "mine.csv"), "--out", str(tmp_path / "users.parquet")]) == 0
    drawn = {}
    for name in ("bound_figure", "providers_figure"):
        made = getattr(eq.figures, name)
        kept = lambda rows, path, made=made, name=name, **options: drawn.setdefault(name, made(rows, path, **options))  # noqa: E731
        monkeypatch.setattr(f"equilibrax.figures.markets.{name}", kept)
    for source in (tmp_path / "users.parquet", tmp_path):
        drawn.clear()
        assert main(["plot", str(source), "--out", str(tmp_path / "figures")]) == 0
        for figure in drawn.values():
            assert {"$Carol", "<Dave>"} <= {text.get_text() for text in figure.findobj(Text)}
