"""Python literals in other people's files: parsed, never evaluated."""

from __future__ import annotations

import ast
import reprlib
import threading
import warnings
from typing import Any

from equilibrax.io.files import TableFileError

LITERAL_LIMIT = 100_000
"""Characters of the longest literal that is parsed."""

_ignoring = threading.Lock()
"""Warnings are ignored in all threads: of two that overlap, the second would restore what the first has ignored."""


def parse_literal(text: str, where: str, expected: str) -> Any:
    """The value of a literal such as `['Yes', 'No']`: strings, numbers, lists, tuples, dicts, sets, True, False, None.

    Args:
        text: the literal, up to `LITERAL_LIMIT` characters.
        where: the place of the text, as errors name it.
        expected: what it should be, for the same.

    Raises:
        TableFileError: if it is too long or no literal; names, calls and the like are none, and nothing is evaluated.
    """
    if len(text) > LITERAL_LIMIT:
        raise TableFileError(f"{where}: expected {expected} of up to {LITERAL_LIMIT:,} characters, got {len(text):,}")
    try:
        with _ignoring, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of an unknown escape in a string
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        # RecursionError and MemoryError are Python's answer to thousands of nested brackets.
        raise TableFileError(f"{where}: expected {expected}, got {reprlib.repr(text)}") from None
