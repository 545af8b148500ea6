"""Names in figures are text: no mathematics, no hidden entry of a legend, no control character."""

from __future__ import annotations

from dataclasses import replace

import equilibrax as eq
import equilibrax.figures._drawing as draw
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

NAMES = ("m $5", "b $x^{_$", "$30,000-$50,000", "_Ann", "__", "a\\$b", "_$y$")


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were written, as they were when they were saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def kept(self, *args, **options):
        save(self, *args, **options)
        figures.append(self)

    monkeypatch.setattr(Figure, "savefig", kept)
    return figures


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]


@pytest.mark.parametrize("name", NAMES)
def test_titles_ticks_and_legends_show_a_name_as_it_is(name, drawn, tmp_path):
    with draw.page(tmp_path / "x.png", 1, "note") as (figure, (panel,)):
        (line,) = panel.plot([0, 1], [0, 1], label=name)
        panel.set_title(name)
        panel.set_yticks([0], [name])
        panel.text(0, 0, name)
        draw.legend(figure, [line, Line2D([], [], label="another")])
        draw.named_legend(panel, [line])
    assert _texts(drawn[0]).count(name) == 5
    assert not any(text.get_parse_math() for text in drawn[0].findobj(Text))  # pyright: ignore


def test_figures_show_control_characters_as_escapes(drawn, tmp_path):
    with draw.page(tmp_path / "x.png", 1, "note") as (_, (panel,)):
        panel.set_title("a\x1b[1m\nours")
        panel.set_yticks([0], ["b\u202ec"])
    assert {"a\\x1b[1m\nours", "b\\u202ec"} <= set(_texts(drawn[0]))


def test_a_name_takes_as_much_room_as_its_letters(tmp_path):
    """With mathematics the dollars and braces would vanish, and the text would be narrower than its letters."""
    with draw.page(tmp_path / "x.png", 1, "note") as (figure, (panel,)):
        FigureCanvasAgg(figure)
        widths = [panel.text(0, 0, text).get_window_extent().width for text in ("$x$", "\\$x$ ", "x")]
    assert widths[0] > 2 * widths[2]


@pytest.mark.parametrize("largest", [3, 40, 5_000, 2_000_000])
def test_counts_of_densities_are_whole_numbers_without_mathematics(largest, drawn, tmp_path):
    with draw.page(tmp_path / "x.png", 1, "note") as (figure, (panel,)):
        mesh = panel.pcolormesh(np.array([[1.0, largest]]))
        draw.colour_bar(figure, [panel], [mesh], "tables per cell")
    texts = _texts(drawn[0])
    assert not any("$" in text for text in texts)
    assert "1" in texts


def test_raters_with_underscores_have_their_places(drawn, tmp_path):
    users, models = ("_Ann", "$u$"), ("_Bob", "m $5", "$^{$")
    answers = eq.raters.simulate_answers(users=2, models=3, questions=20, options=3, seed=1)
    answers = replace(answers, user_names=users, model_names=models)
    fit = eq.raters.market_fit(answers, scores=[])
    eq.figures.weak_figure(fit, tmp_path / "u.png")
    shown = [text.get_text() for legend in drawn[-1].findobj(Legend) for text in legend.get_texts()]  # pyright: ignore
    assert set(users) <= set(shown)
    eq.figures.weights_figure({"_$a$": fit}, tmp_path / "w.png")
    assert {*users, *models} <= set(_texts(drawn[-1]))
