"""What was probably meant by a word that is none of those expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'solve'?`, or nothing if no known word is near.

    Example:
        >>> did_you_mean("slove", ["solve", "sweep"]), did_you_mean("x", ["solve"])
        ("; did you mean 'solve'?", '')
    """
    known = list(known)
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""
