"""What is wrong with flags that were typed, in one line that begins with the flag."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress

from equilibrax._core.suggestions import did_you_mean

_BOX = re.compile(r"[╭╮╰╯│─┃━]+")
_END = re.compile(r"Argument helptext|For full helptext|Got errors|^usage:", re.MULTILINE)


@contextmanager
def one_line(args: Sequence[str]) -> Iterator[None]:
    """While the block runs, the parser's refusals are a `ValueError` with one line.

    Raises:
        ValueError: naming the flag, what was expected and what came.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            yield
    except SystemExit as stop:
        if stop.code in (0, None):
            print(said.getvalue(), end="")
            raise
        raise ValueError(_line(said.getvalue(), args)) from None


def _line(text: str, args: Sequence[str]) -> str:
    plain = " ".join(_END.split(_BOX.sub(" ", text))[0].split())
    if found := re.search(
        r"[Ii]nvalid choice '(.*?)' for argument '?(--[\w-]+|\S+?)'?\. Expected one of (\(.*?\))", plain
    ):
        came, flag, known = found.groups()
        with suppress(ValueError, SyntaxError):
            choices = [str(choice) for choice in ast.literal_eval(known)]
            return f"{flag}: expected one of {', '.join(choices)}, got {came!r}{did_you_mean(came, choices)}"
    if found := re.search(r"parsing (\S+?): no type matching (.*) could be instantiated from (\[.*?\])", plain):
        flag, kind, came = found.groups()
        kinds = {"INT": "a whole number", "FLOAT": "a number"}
        expected = kinds.get(kind.removeprefix("{None}|"), kind)
        return f"{flag}: expected {expected}, got {_typed(came)}"
    if found := re.search(
        r"parsing (\S+?): (.*?) could not be instantiated from (\[.*?\])|parsing (\S+?): (.*)", plain
    ):
        flag, problem = found[1] or found[4], found[2] or found[5]
        if number := re.search(
            r"invalid literal for int\(\).*?: '(.*?)'|could not convert string to float: '(.*?)'", problem
        ):
            whole = "a whole number" if number[1] is not None else "a number"
            return f"{flag}: expected {whole}, got {number[1] or number[2]!r}"
        return f"{flag}: {problem}"
    if found := re.search(r"Missing value for argument '?(--[\w-]+|\S+?)'?\.", plain):
        return f"{found[1]}: expected a value, got none"
    if found := re.search(r"Missing from [^:]+: (\S+) (.*?)\s*\(required\)", plain):
        return f"{found[1]}: expected {found[2][:1].lower()}{found[2][1:].removesuffix('.')}, got none"
    if found := re.search(r"Expected one of \{(.*?)\}", plain):
        known = [name.strip() for name in found[1].split(",")]
        came = next((text for text in args if not text.startswith("-")), None)
        got = "none" if came is None else f"{came!r}{did_you_mean(came, known)}"
        return f"expected one of {', '.join(known)}, got {got}"
    return plain or "expected flags that --help lists"


def _typed(came: str) -> str:
    with suppress(ValueError, SyntaxError):
        parts = ast.literal_eval(came)
        return " ".join(map(repr, parts))
    return came
