"""The one door for text that others wrote: names in tables, figures, Markdown and lines on the terminal.

A name is text. It is never Rich markup, never an emoji code, never mathematics, never Markdown, and never an order to
the terminal. `Screen` is the console of all tables and lines; figures use `plain`, and Markdown uses `markdown`.
"""

from __future__ import annotations

import errno
import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_HARMLESS = "\u200c\u200d"  # joiners, which names in Persian or Hindi need
_MARKDOWN = re.compile(r"[\\`*\[\]<>|$~&]|(?<![^\W_])_|_(?![^\W_])")


def plain(text: object) -> str:
    r"""A text as one line that orders nothing: control characters, line ends and directions are shown as escapes.

    Example:
        >>> plain("a\x1b[1mb\nc")
        'a\\x1b[1mb\\nc'
        >>> plain("José [chat] :dog:")
        'José [chat] :dog:'
    """
    line = str(text)
    return line if line.isprintable() else "".join(repr(c)[1:-1] if _orders(c) else c for c in line)


def _orders(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and character not in _HARMLESS)


def markdown(text: object) -> str:
    r"""A text that Markdown shows as it is, in a cell of a table too.

    Example:
        >>> markdown("a|b *c* _d_ e_f $5")
        'a\\|b \\*c\\* \\_d\\_ e_f \\$5'
    """
    return _MARKDOWN.sub(lambda found: "\\" + found[0], plain(text))


_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"}
_LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}"} | {sign: f"\\{sign}" for sign in "&%$#_{}"}


def latex(text: object) -> str:
    r"""A text that LaTeX sets as it is.

    Example:
        >>> latex("R&D_1 {50 %}")
        'R\\&D\\_1 \\{50 \\%\\}'
    """
    return "".join(_LATEX.get(sign, sign) for sign in plain(text))


def html_table(
    lines: Iterable[Sequence[object]], *, head: Sequence[str] = (), caption: str = "", right: Sequence[bool] = ()
) -> str:
    """A table for notebooks, in which every name is text.

    Args:
        lines: of cells.
        head: a heading for every column; none: the first cell of each line is its heading.
        caption: above it, if there is one.
        right: which columns are numbers; default none.

    Example:
        >>> html_table([["a<b", 1]])
        '<table><tbody><tr><th>a&lt;b</th><td>1</td></tr></tbody></table>'
    """

    def cell(at: int, text: object) -> str:
        kind = "td" if head or at else "th"
        side = f' style="text-align:{"right" if right[at] else "left"}"' if right else ""
        return f"<{kind}{side}>{html.escape(plain(text))}</{kind}>"

    above = f"<caption>{html.escape(plain(caption))}</caption>" if caption else ""
    if head:
        above += f"<thead><tr>{''.join(f'<th>{html.escape(plain(name))}</th>' for name in head)}</tr></thead>"
    body = "".join(f"<tr>{''.join(cell(at, text) for at, text in enumerate(line))}</tr>" for line in lines)
    return f"<table>{above}<tbody>{body}</tbody></table>"


class Screen(Console):
    """A console to which every string is text, whatever is in it, in characters that its stream has.

    Example:
        >>> Screen(width=40).print("llama [chat] [/INST] :dog:")
        llama [chat] [/INST] :dog:
    """

    def __init__(self, **options: Any):
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **options})

    @property
    def encoding(self) -> str:
        """Of the stream that is written to now; Rich draws boxes in ASCII where it is no UTF."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    def on_broken_pipe(self) -> None:
        """Whoever prints is told that nobody reads; Rich would end the process."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads what is printed")

    def render_str(self, text: str, *, style: Any = "", justify: Any = None, overflow: Any = None, **_: Any) -> Text:
        """All strings of tables and lines come through here."""
        line = plain(text).encode(self.encoding, "backslashreplace").decode(self.encoding)
        return Text(line, style=style, justify=justify, overflow=overflow)


def show_table(make: Callable[[int], Table], width: int | None = None) -> None:
    """Print a table so that no name and no number is cut: with fewer digits, or as a block per line, if it is narrow.

    Args:
        make: the table with so many decimals.
        width: characters per line; default is the terminal's.
    """
    screen = Screen(width=width)
    for decimals in (6, 4):
        table = make(decimals)
        for column in table.columns:
            column.overflow, column.no_wrap = "fold", column.no_wrap or column.justify == "right"
            if column.no_wrap:  # Rich measures the words of these, but gives them whole lines
                column.min_width = max(cell_len(str(cell)) for cell in (column.header, *column.cells))
        if screen.measure(table, options=screen.options.update(width=10_000)).minimum <= screen.width:
            screen.print(table)
            return
    table = make(6)
    if table.title:
        screen.print(table.title, style="italic", justify="center")
    named = next((i for i, column in enumerate(table.columns) if column.justify == "right"), 1)
    for line in zip(*(list(column.cells) for column in table.columns)):
        pairs = [f"{column.header} {cell}" if cell != "" else "" for column, cell in zip(table.columns, line)]
        screen.print("   ".join(filter(None, pairs[:named])), overflow="fold")
        for row in _filled(filter(None, pairs[named:]), screen.width - 2):
            screen.print(f"  {row}", overflow="fold")
    if table.caption:
        screen.print(table.caption, style="dim italic")


def _filled(pairs: Iterable[str], width: int) -> list[str]:
    """Pairs of heading and number in lines of at most `width`; none is broken that fits."""
    lines: list[str] = []
    for pair in pairs:
        if lines and len(lines[-1]) + 3 + len(pair) <= width:
            lines[-1] += "   " + pair
        else:
            lines.append(pair)
    return lines
