"""Names are text wherever they are shown: tables on the terminal, Markdown."""

from __future__ import annotations

import io

import pytest
from equilibrax._core.messages import shortened
from equilibrax._core.text import Screen, markdown, plain, show_table
from rich.table import Table

NAMES = ("llama [chat]", "[/INST]", "[bold]x[/bold]", ":warning: x", "[link=http://a.b]x[/link]", "a\\[b]")


def _shown(name: str, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    screen = Screen(file=stream, width=60, force_terminal=True, color_system=None)
    table = Table(title=name, caption=name)
    table.add_column(name)
    table.add_row(name)
    screen.print(table)
    screen.print(name)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", NAMES)
def test_a_screen_shows_markup_and_emoji_codes_as_they_are(name):
    assert _shown(name).count(name) == 5  # title, heading, cell, caption, line


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\x9b31mb", "a\rb", "a\x07b", "a\u202eb", "a\ud800b", "a\nb"])
def test_a_screen_never_passes_an_order_to_the_terminal(name):
    shown = _shown(name)
    assert name not in shown
    assert repr(name)[1:-1] in shown


def test_an_ascii_terminal_gets_escapes_and_boxes_of_ascii():
    shown = _shown("José 学 − ε", "ascii")
    assert "Jos\\xe9" in shown
    assert "\\u2212 \\u03b5" in shown


def test_joiners_of_scripts_and_other_spaces_stay():
    assert plain("می\u200cخواهم \u00a0é") == "می\u200cخواهم \u00a0é"


@pytest.mark.parametrize("name", ["_Ann_", "a|b", "**x**", "<b>x</b>", "$x$", "[a](http://b)", "`x`", "~~x~~", "&amp;"])
def test_markdown_escapes_what_it_would_read(name):
    assert plain(markdown(name)).replace("\\", "") == name
    assert all(markdown(name)[i - 1] == "\\" for i, c in enumerate(markdown(name)) if c in "|*<>$[]`~&")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_number_and_no_name_is_cut_however_narrow_the_terminal_is(width, capsys):
    def make(decimals: int) -> Table:
        table = Table(title="t", caption="c")
        table.add_column("committee", min_width=9)
        for heading in ("optimum", "worst", "best", "misalignment", "equilibria"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("status", no_wrap=True)
        table.add_row("Anthropic, [/INST]", *[f"{1.25:.{decimals}f}"] * 5, "MISALIGNMENT_UNCERTIFIED")
        return table

    show_table(make, width)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    assert "MISALIGNMENT_UNCERTIFIED" in shown
    assert "Anthropic," in shown
    assert "[/INST]" in shown
    assert shown.count("1.25") == 5
    assert shown.count("1.2500") == 5


def test_a_heading_of_several_words_is_not_cut(capsys):
    def make(decimals: int) -> Table:
        table = Table()
        table.add_column("committee", min_width=9)
        table.add_column("regret at most", justify="right")
        table.add_row("Ann", f"{0:.{decimals}f}")
        return table

    for width in range(16, 40):
        show_table(make, width)
        shown = capsys.readouterr().out
        assert max(map(len, shown.splitlines())) <= width
        assert "regret at most" in shown or ("│" not in shown and "regret at" in shown)
        assert all(line[-1:] == line[:1] or "━" in line for line in shown.splitlines() if line[:1] in "┃│")


@pytest.mark.parametrize("text", ["a\x1b[1mb", "line\nline", "x\ty" * 40, "é\u202e" * 3])
def test_a_message_says_everything_once(text):
    assert shortened(text) == plain(text)


def test_a_long_message_keeps_both_ends_in_its_length():
    said = shortened("\x1b" + "x" * 10_000 + "end")
    assert len(said) == 600
    assert said.startswith("\\x1bxx")
    assert said.endswith("xend")
