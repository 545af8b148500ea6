"""Games in words: the numbers in them are those of the tables, and the answers follow from the results.

Words are read by what the questions are documented to say; rules and wording themselves are for people (and models),
and are not compared.

Letters: B tables, K providers, X states, A actions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from equilibrax.verification import arrays
from equilibrax.verification.games import Games
from equilibrax.verification.report import Verification

KINDS = ("worst_utility", "equilibria", "departure", "recommendation")
NOBODY = "none"
_ANSWERS = ("OK", "COUNT_SATURATED")
_STATE = re.compile(r"In state (\d+), which has probability (\S+):")
_NUMBER = r"-?\d+(?:\.\d+|/\d+)?"
_HOW = re.compile(r"End with a line that says 'Answer:' and [a-z ,]*\.")


def text_bytes(states: int, actions: int, players: int) -> dict[str, int]:
    """Most bytes of the texts of a row, by column."""
    game = 2000 + 20 * players + states * (80 + actions * (20 + 60 * players))
    asked = 500 + 20 * players
    return {"id": 64, "kind": 32, "answer": 64, "accepted": 64, "choices": 64, "game": game, "question": asked,
            "prompt": game + asked + 200}  # fmt: skip


class TextCheck:
    """Checks the text of one file.

    Args:
        report: to note failures in.
        name: of the file.
        tables, results: the rows of the same split of the shard, which fit together.
        text: what is checked.
    """

    def __init__(self, report: Verification, name: str, tables: pa.Table, results: pa.Table, text: pa.Table):
        self.report, self.name = report, name
        self.ids = tables["table_id"].to_pylist()
        self.players = int(tables["num_providers"][0].as_py()) if tables.num_rows else 0
        self.rows, self.results = text.to_pylist(), results
        self.asked = self._asked()

    def _asked(self) -> list[tuple[int, str]]:
        """Which questions there should be, in order: positions of tables and kinds."""
        status = np.array(self.results["status"].to_pylist(), object).reshape(len(self.ids), -1)
        kinds = [kind for kind in KINDS if kind != "departure" or self.players > 1]
        solved = np.isin(status, _ANSWERS).all(axis=1) if len(self.ids) else []
        return [(b, kind) for b in np.flatnonzero(solved).tolist() for kind in kinds]

    def check_ids(self) -> bool:
        """Whether every solved table has its questions, in order; those on numbers too large to count may be absent."""
        came = [(row["table_id"], row["kind"], row["id"]) for row in self.rows]
        given = {(number, kind) for number, kind, _ in came}
        countless = set(self._countless())
        wanted = [
            (self.ids[b], kind, f"{self.ids[b]}-{kind}")
            for b, kind in self.asked
            if kind != "equilibria" or b not in countless or (self.ids[b], kind) in given
        ]
        self.report.passed("text", len(wanted))
        if came != wanted:
            pairs = zip([*wanted, None], [*came, None])
            n, (expected, got) = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
            self.report.fail("text", self.name, f"question {expected}", got, row=n, column="id")
        return came == wanted

    def _countless(self) -> Iterator[int]:
        """Positions of tables some of whose equilibria are too many to count."""
        status = np.array(self.results["status"].to_pylist(), object).reshape(len(self.ids), -1)
        yield from np.flatnonzero((status == _ANSWERS[1]).any(axis=1)).tolist() if len(self.ids) else ()

    def check_words(self, games: Games, chosen: np.ndarray) -> None:
        """The numbers in the words of some tables, and how the columns hang together."""
        place = {self.ids[b]: n for n, b in enumerate(chosen.tolist())}
        rows = [(n, row) for n, row in enumerate(self.rows) if row["table_id"] in place]
        self.report.passed("text", len(rows))
        known: dict[int, str] = {}
        for n, row in rows:
            whole = f"{row['game']}\n\n{row['question']}\n\n"
            prompt = row["prompt"] or ""
            if not prompt.startswith(whole) or not _HOW.fullmatch(prompt[len(whole) :]):
                self.report.fail("text", self.name, "game, question and how to answer", prompt, row=n, column="prompt")
            b = place[row["table_id"]]
            if row["game"] != known.setdefault(b, row["game"]):
                self.report.fail("text", self.name, "the game of the other questions", row["game"], n, "game")
        first = {place[row["table_id"]]: n for n, row in reversed(rows)}
        for b, text in known.items():
            said, truth = _numbers(text, games.providers), _truth(games, b)
            if said != truth:
                where = next((key for key in {**truth, **said} if truth.get(key) != said.get(key)), "")
                expected, got = (f"{where}: {numbers.get(where)}" for numbers in (truth, said))
                self.report.fail("text", self.name, expected, got, row=first[b], column="game")

    def check_answers(self, games: Games, chosen: np.ndarray) -> None:
        """The answers about some tables, from their results, which are checked by themselves."""
        place = {self.ids[b]: (n, b) for n, b in enumerate(chosen.tolist())}
        each = self.results.num_rows // max(1, len(self.ids))
        worst, _ = arrays.numbers(self.results, "worst_utility")
        count, _ = arrays.numbers(self.results, "equilibria")
        schemes, _, _ = arrays.lists(self.results, "worst_scheme", games.states)
        close = 1e-6 if pa.types.is_float32(self.results.schema.field("worst_utility").type) else 1e-9
        for n, row in enumerate(self.rows):
            if row["table_id"] not in place:
                continue
            mine, b = place[row["table_id"]]
            own = slice(b * each, (b + 1) * each)
            there = [f"action {a + 1}" for a in range(games.actions)]
            self._check_answer(n, row, worst[own], count[own], schemes[own][-1], there, games.available[mine], close)

    def _check_answer(self, n: int, row: Mapping[str, Any], worst, count, scheme, actions, available, close) -> None:
        kind, question, answer = row["kind"], row["question"], row["answer"]
        names = [f"provider {j + 1}" for j in range(self.players)]
        wanted: list[str] | None = None
        choices: list[str] = []
        if kind in ("worst_utility", "equilibria"):
            mask = sum(1 << names.index(name) for name in set(re.findall(r"provider \d+", question)) & set(names))
            number = Fraction(answer) if re.fullmatch(_NUMBER, answer) else None
            if mask and kind == "equilibria" and number == int(count[mask - 1]):
                wanted = [answer]
            elif mask and kind == "worst_utility" and number is not None:
                wanted = (
                    [answer] if abs(float(number) - worst[mask - 1]) <= close * max(1, abs(worst[mask - 1])) else None
                )
            expected = (count if kind == "equilibria" else worst)[mask - 1] if mask else "a question about a committee"
        elif kind == "departure":
            everybody = len(worst)
            after = [worst[(everybody & ~(1 << j)) - 1] for j in range(self.players)]
            hurts = min(after) < worst[everybody - 1]
            wanted = [name for name, value in zip(names, after) if value == min(after)] if hurts else [NOBODY]
            expected, choices = " or ".join(wanted), [*names, NOBODY]
        else:
            found = re.search(r"in state (\d+)\?$", question)
            x = int(found[1]) - 1 if found else -1
            wanted = [actions[scheme[x]]] if 0 <= x < len(scheme) else None
            choices = [a for a, has in zip(actions, available[x]) if has]
            expected = " or ".join(wanted or ["a question about a state"])
        if row["accepted"] != wanted or answer not in (wanted or ()):
            self.report.fail("text", self.name, expected, f"{answer}, of {row['accepted']}", row=n, column="answer")
        if row["choices"] != choices:
            self.report.fail("text", self.name, choices, row["choices"], row=n, column="choices")


def _numbers(text: str, players: int) -> dict[str, Any]:
    """What a game's words say: by state, and by state and action."""
    who = ", ".join(f"provider {j + 1} ({_NUMBER})" for j in range(players))
    line = re.compile(rf"- action (\d+): user ({_NUMBER}), {who}")
    found, state = {}, ""
    for written in text.partition("\n\nUtilities:\n")[2].splitlines():
        if head := _STATE.fullmatch(written):
            state = f"state {head[1]}"
            found[state] = _fraction(head[2])
        elif cells := line.fullmatch(written):
            found[f"{state}, action {cells[1]}"] = tuple(map(_fraction, cells.groups()[1:]))
        else:
            found[written] = "a line that is read"
    return found


def _fraction(text: str) -> Fraction | None:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def _truth(games: Games, b: int) -> dict[str, Any]:
    prior, cells = games.prior[b].tolist(), games.utilities[b].tolist()
    found: dict[str, Any] = {}
    for x in range(games.states):
        found[f"state {x + 1}"] = Fraction(prior[x], sum(prior))
        for a in range(games.actions):
            if games.available[b, x, a]:
                own = tuple(Fraction(player[x][a], games.resolution) for player in cells)
                found[f"state {x + 1}, action {a + 1}"] = own
    return found
