"""Figures for print: formats, widths and letters; where they go; and names from data in all of them."""

from __future__ import annotations

import re

import equilibrax as eq
import pytest
from matplotlib.figure import Figure


@pytest.fixture(scope="module")
def rows():
    tables = eq.from_arrays(
        [[[1.0, 0.0], [0.0, 1.0]]],
        [[[[1.0, 0.2], [0.1, 0.8]], [[0.4, 0.6], [0.9, 0.3]]]],
    )
    return eq.rows.committee_rows(eq.solve(tables))


def test_without_a_path_it_is_returned_and_with_a_figure_drawn_into_it(rows):
    made = eq.figures.misalignment(rows)
    assert isinstance(made, Figure)
    (panel,) = made.axes
    mine = Figure(figsize=(8, 4))
    left, right = mine.subfigures(1, 2)
    assert eq.figures.misalignment(rows, left) is left
    assert eq.figures.newcomers(rows, right) is right
    assert left.axes[0].get_title() == panel.get_title()
    assert len(mine.axes) == 2


def test_every_format_has_its_letters_and_the_same_bytes_twice(rows, tmp_path):
    for name in ("a", "b"):
        with eq.figures.printed(["png", "svg", "pdf"], width=85, style="talk"):
            eq.figures.misalignment(rows, tmp_path / f"{name}.png")
    for suffix in ("png", "svg", "pdf"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    drawn = (tmp_path / "a.svg").read_text()
    assert ">optimum<" in drawn  # text as text
    (points,) = re.findall(r'<svg [^>]*width="([\d.]+)pt"', drawn.replace("\n", " "))
    assert float(points) == pytest.approx(85 / 25.4 * 72)
    assert b"/FontFile2" in (tmp_path / "a.pdf").read_bytes()  # TrueType, within


def test_a_width_keeps_the_size_of_letters_and_a_style_does_not(rows):
    sizes = []
    for options in ({}, {"width": 200}, {"style": "talk"}):
        with eq.figures.printed(**options):
            figure = eq.figures.misalignment(rows)
        sizes.append(figure.axes[0].xaxis.label.get_fontsize())
    assert sizes == [8, 8, 12]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"formats": "gif"}, "formats: expected"),
        ({"width": 4}, "width: expected 40 to 1000 millimetres, got 4"),
        ({"style": "poster"}, "style: expected"),
    ],
)
def test_what_cannot_be_printed_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message), eq.figures.printed(**arguments):
        pass


def test_a_name_that_ends_in_no_format_is_refused(rows, tmp_path):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.png, \.svg or \.pdf; got a\.jpeg"):
        eq.figures.misalignment(rows, tmp_path / "a.jpeg")


def test_names_are_text_in_svg_too(tmp_path):
    tables = eq.load_paper_table("synthetic-2")
    found = eq.compare(tables, rationality=[10])
    eq.figures.comparison_figure(found, tmp_path / "a.svg")
    assert "λ = 10" in (tmp_path / "a.svg").read_text()


@pytest.mark.slow
def test_commands_take_formats_width_and_style_and_replace_only_their_own(tmp_path, capsys):
    from equilibrax.cli import main

    arguments = ["compare", "synthetic-2", "--rationality", "10", "--style", "talk", "--width", "120", "--figure"]
    for name in ("a.svg", "a.pdf"):
        for _ in range(2):  # its own may be replaced
            assert main([*arguments, str(tmp_path / name)]) == 0
    (tmp_path / "b.svg").write_text("<svg>mine</svg>")
    assert main([*arguments, str(tmp_path / "b.svg")]) == 2
    assert (tmp_path / "b.svg").read_text() == "<svg>mine</svg>"
    assert main([*arguments[:2], "--figure", str(tmp_path / "c.gif")]) == 2
    assert "--figure: expected a file that ends in .png, .svg or .pdf" in capsys.readouterr().err
    assert main(["solve", "synthetic-2", "--out", str(tmp_path / "committees.parquet")]) == 0
    assert main(["plot", str(tmp_path), "--format", "pdf", "svg", "--width", "4"]) == 2
    assert "--width: expected 40 to 1000 millimetres, got 4" in capsys.readouterr().err
    assert main(["plot", str(tmp_path), "--format", "pdf", "svg", "--width", "90"]) == 0
    assert {path.name for path in tmp_path.glob("figure*")} == {
        f"figure{n}.{s}" for n in (5, 6, 7) for s in ("pdf", "svg")
    }
