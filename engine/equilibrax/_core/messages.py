"""What is said to people: one line of bounded length, without control characters, whatever a file put into it."""

from __future__ import annotations

from equilibrax._core.text import plain

LONGEST_MESSAGE = 600
"""Characters of the longest message; of a longer one the middle is left out."""


def shortened(text: object, longest: int = LONGEST_MESSAGE) -> str:
    """A text as one printable line of at most `longest` characters.

    Example:
        >>> shortened("a\\x1b[1mb")
        'a\\\\x1b[1mb'
        >>> shortened("x" * 1000 + "end", 20)
        'xxxxxxxxx ... xxxend'
    """
    line = str(text)
    if len(line) > 3 * longest:  # of gigabytes only the ends are looked at
        line = line[: 2 * longest] + line[-longest:]
    line = plain(line)
    if len(line) <= longest:
        return line
    end = longest // 3
    return f"{line[: longest - end - 5]} ... {line[-end:]}"
