"""The parser of `.nfg` files, token by token as Gambit's (16.7), with exact numbers and places in errors."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import lcm, prod
from pathlib import Path
from typing import NoReturn

import numpy as np

from equilibrax._core.checks import approximate
from equilibrax.io.files import TableFileError
from equilibrax.problems.normal_form import MAX_PAYOFF, MAX_PLAYERS, GameLabels, NormalForm

MAX_PROFILES = 2**20
"""Profiles of the largest game that is read or written."""

_BLANK = re.compile(r"[ \t\n\v\f\r]*")
_TOKEN = re.compile(
    r'(?P<mark>[{},])|(?P<text>")|(?P<number>\.[0-9]*|[-+0-9][0-9]*(?:\.[0-9]*(?:[eE][-+]?[0-9]*)?|/[0-9]*'
    r"|[eE][-+]?[0-9]*)?)"
)
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|(?<=-)\.[0-9]+)(?:[eE]-?[0-9]+)?|\.[0-9]+|-?[0-9]+/[0-9]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\+"|\\+[^"\\])*)"')
_BACKSLASHES = re.compile(r'\\+"?')
_SYMBOL = re.compile(r"[^ \t\n\v\f\r]+")
_NAME = re.compile(r"(?:[!-~]+(?: [!-~]+)*)?")
_LONGEST = 400  # digits of a number, and its largest exponent


class Parser:
    """One token after the other, as Gambit's lexer finds them."""

    def __init__(self, text: str, path: Path):
        self.text, self.path = text, path
        self.lines = [found.end() for found in re.finditer("\n", text)]
        self.kind, self.word, self.start, self.end = "", "", 0, 0

    def game(self) -> NormalForm:
        """The whole file."""
        self.next()
        self.expect("symbol", "NFG", "NFG")
        self.expect("number", "1", "1, the version")
        if self.kind != "symbol" or self.word not in ("R", "D"):
            self.fail("R or D")
        self.next()
        title = self.expect("text", None, "the title in quotes")
        players = self._players()
        actions = self._actions(len(players))
        comment = ""
        if self.kind == "text":
            comment = self.word
            self.next()
        shape = tuple(map(len, actions))
        labels = GameLabels(_apart(players), tuple(map(_apart, actions)), (title,), (comment,))
        if self.kind == "mark" and self.word == "{":
            return self._outcomes(shape, labels)
        payoffs = [self.number() for _ in range(prod(shape) * len(shape))]
        self.finish()
        return _made([payoffs[i :: len(shape)] for i in range(len(shape))], shape, labels)

    def _players(self) -> list[str]:
        self.expect("mark", "{", "{")
        players = []
        while self.kind == "text":
            players.append(self.name("a player"))
        if not 1 <= len(players) <= MAX_PLAYERS:
            self.fail(f"the names of 1 to {MAX_PLAYERS} players", str(len(players)))
        self.expect("mark", "}", "the name of a player in quotes, or }")
        return players

    def _actions(self, players: int) -> list[list[str]]:
        self.expect("mark", "{", "{")
        actions, named = [], self.kind == "mark" and self.word == "{"
        for _ in range(players):
            if named:
                self.expect("mark", "{", "{ and the names of a player's actions")
                names = []
                while self.kind == "text":
                    names.append(self.name("an action"))
                if not names:
                    self.fail("the name of an action in quotes")
                self.expect("mark", "}", "the name of an action in quotes, or }")
            else:
                names = [str(k + 1) for k in range(self.whole(1, MAX_PROFILES, "the number of a player's actions"))]
            actions.append(names)
            if prod(map(len, actions)) > MAX_PROFILES:
                self.fail(f"a game of at most {MAX_PROFILES:,} profiles", approximate(prod(map(len, actions))))
        self.expect("mark", "}", "}")
        return actions

    def _outcomes(self, shape: tuple[int, ...], labels: GameLabels) -> NormalForm:
        self.next()
        names, worth = [], []
        while self.kind == "mark" and self.word == "{":
            self.next()
            names.append(self.name("an outcome"))
            for _ in shape:
                worth.append(self.number())
                if self.kind == "mark" and self.word == ",":
                    self.next()
            self.expect("mark", "}", "} after the payoffs of all players")
        self.expect("mark", "}", "an outcome, or }")
        outcome = np.array([self.whole(0, len(names), "the number of an outcome") for _ in range(prod(shape))]) - 1
        self.finish()
        payoffs = [[*worth[i :: len(shape)], 0] for i in range(len(shape))]  # the last is the null outcome
        game = _made([[row[k] for k in outcome.tolist()] for row in payoffs], shape, labels)
        return game.with_outcomes(_turned(outcome, shape), _apart(names))

    # --- tokens

    def next(self) -> None:
        """Go on to the next token."""
        start = _BLANK.match(self.text, self.end).end()  # pyright: ignore[reportOptionalMemberAccess]
        self.start, found = start, _TOKEN.match(self.text, start)
        if start == len(self.text):
            self.kind, self.word, self.end = "end", "the end of the file", start
        elif found is None:
            symbol = _SYMBOL.match(self.text, start)
            self.kind, self.word, self.end = "symbol", symbol[0] if symbol else "", symbol.end() if symbol else start
        elif found["text"]:
            self._quoted()
        else:
            self.kind, self.word, self.end = found.lastgroup or "", found[0], found.end()

    def _quoted(self) -> None:
        """A text, up to the first quote that follows no backslash."""
        found = _QUOTED.match(self.text, self.start)
        if found is None:
            self.fail("a closing quote", "the end of the file")
        self.kind, self.word, self.end = "text", _BACKSLASHES.sub(_unescaped, found[1]), found.end()

    def expect(self, kind: str, word: str | None, expected: str) -> str:
        """A token of this kind, and this word of it; goes on to the next."""
        if self.kind != kind or word not in (None, self.word):
            self.fail(expected)
        found = self.word
        self.next()
        return found

    def name(self, of: str) -> str:
        """A name, if it is one that Gambit takes."""
        if self.kind == "text" and not _NAME.fullmatch(self.word):
            self.fail(f"a name of {of} in ASCII, without control characters and needless blanks")
        return self.expect("text", None, f"the name of {of} in quotes")

    def number(self) -> Fraction | int:
        """An exact number."""
        if self.kind != "number" or not _NUMBER.fullmatch(self.word):
            self.fail("a payoff, such as 3, -0.5, 1.5e-3 or 2/3")
        power = re.search(r"[eE](-?[0-9]+)$", self.word)
        if len(self.word) > _LONGEST or (power and abs(int(power[1])) > _LONGEST):
            self.fail(f"a number of at most {_LONGEST} digits")
        if "/" in self.word and not int(self.word.partition("/")[2]):
            self.fail("a fraction with a denominator")
        found = Fraction(self.word) if set(self.word) & set("./eE") else int(self.word)
        self.next()
        return found

    def whole(self, low: int, high: int, expected: str) -> int:
        """A whole number in a range."""
        digits = self.word.lstrip("0") or "0"
        if self.kind != "number" or not self.word.isdecimal() or len(digits) > 9 or not low <= int(digits) <= high:
            self.fail(f"{expected}, from {low} to {high}")
        self.next()
        return int(digits)

    def finish(self) -> None:
        """Nothing may follow."""
        if self.kind != "end":
            self.fail("the end of the file")

    def fail(self, expected: str, came: str | None = None) -> NoReturn:
        """Refuse the token."""
        line = bisect_right(self.lines, self.start)
        column = self.start - (self.lines[line - 1] if line else 0) + 1
        got = self.word if self.kind == "end" else repr(self.word[:60])
        raise TableFileError(f"{self.path}, line {line + 1}, column {column}: expected {expected}, got {came or got}")


def _unescaped(found: re.Match[str]) -> str:
    """What Gambit's lexer makes of k backslashes: 2k - 2 before a quote, else 2k - 1; so one is itself, or a quote."""
    count = found[0].count("\\")
    return "\\" * (2 * count - 2) + ('"' if found[0].endswith('"') else "\\")


def _apart(names: Sequence[str]) -> tuple[str, ...]:
    """Names that are empty or there twice, with the numbers that Gambit gives them."""
    counts, used, tried, found = Counter(names), set(names), Counter[str](), []
    for name in names:
        if name == "" or counts[name] > 1:
            given = name
            while name in used or name == given:
                tried[given] += 1
                name = f"{given}_{tried[given]}"
            used.add(name)
        found.append(name)
    return tuple(found)


def _turned(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Profiles with the first player's actions fastest, as an array with an axis for each player."""
    return values.reshape(shape[::-1]).transpose(*range(len(shape) - 1, -1, -1))


def _made(payoffs: list[list[Fraction | int]], shape: tuple[int, ...], labels: GameLabels) -> NormalForm:
    """A game from every player's payoffs, in the order of the file."""
    step = lcm(*{value.denominator for row in payoffs for value in row})
    if step * max(abs(value) for row in payoffs for value in row) > MAX_PAYOFF:
        raise ValueError(
            f"payoffs: expected numbers whose common denominator times the largest is below 2**50, got denominator "
            f"{approximate(step)}"
        )
    steps = [np.array([int(value * step) for value in row], np.int64) for row in payoffs]
    game = NormalForm.from_integers(np.stack([_turned(row, shape) for row in steps]), batched=False, resolution=step)
    return replace(game, labels=labels)
