"""Whatever a figure shows: no letters on letters, no legend on data, nothing off the page, in both styles."""

from __future__ import annotations

import warnings

import equilibrax as eq
import pytest
from figure_cases import CASES, SLOW
from figure_laws import complaints
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

EACH = [
    pytest.param(name, style, marks=[pytest.mark.slow] if name in SLOW or style == "paper" else [])
    for name in CASES
    for style in ("paper", "talk")
]


NARROW = (
    *("misalignment, three tables", "misalignment, a density", "dynamics, pooled", "comparison, pooled"),
    *("bound, a line each", "bound, a density", "entry, a line each", "weak", "scores", "weights"),
)


@pytest.mark.parametrize(("name", "style"), EACH)
def test_nothing_that_is_written_lies_on_something_else(name, style):
    with eq.figures.printed(style=style):
        figure = CASES[name]()
    assert complaints(figure) == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "style"), [(85, "paper"), (85, "talk"), (180, "talk")])
@pytest.mark.parametrize("name", NARROW)
def test_a_column_of_a_journal_is_wide_enough(name, width, style):
    """Of 85 mm: panels are below each other then; what has no room is broken, thinned or left out, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with eq.figures.printed(width=width, style=style):
            figure = CASES[name]()
        assert complaints(figure) == []


def test_the_laws_see_what_is_wrong():
    """Letters on letters, on points and off the page; a legend on a panel, and one that says something twice."""
    figure = Figure()
    panel = figure.subplots()
    panel.plot([0.5], [0.5], marker="o", label="a")
    panel.text(0.5, 0.5, "on a point", ha="center", va="center", transform=panel.transAxes)
    panel.text(0.5, 0.51, "on letters", ha="center", va="center", transform=panel.transAxes)
    panel.text(0.99, 0.1, "beyond the end of the page", transform=panel.transAxes)
    panel.legend(handles=[Line2D([], [], label="twice"), Line2D([], [], label="twice")])
    found = "\n".join(complaints(figure))
    for what in ("'on a point' lies on 'on letters'", "leaves the page", "says something twice", "lies on a panel"):
        assert what in found
    assert "'on a point' hides 1 points" in found


def test_letters_that_are_turned_take_the_room_that_they_take():
    """The box around slanted letters is larger than they are: neighbours do not overlap."""
    figure = Figure()
    for place in (0.4, 0.44):
        figure.text(place, 0.5, "a name of many letters", rotation=60, rotation_mode="anchor")
    assert complaints(figure) == []
    figure.text(0.41, 0.5, "a name of many letters", rotation=60, rotation_mode="anchor")
    assert len(complaints(figure)) > 0
