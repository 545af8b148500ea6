"""Games in words with questions whose answers can be checked, for language models.

Letters: B tables, K providers, X states, A actions, C committees.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from equilibrax._core.checks import check_choice, check_whole, shown
from equilibrax._core.status import Status
from equilibrax._core.text import plain
from equilibrax.datasets.arrays import TableArrays
from equilibrax.games import Selection, SelectionResult, solve
from equilibrax.io.names import alike
from equilibrax.problems import UtilityTables, from_integers
from equilibrax.problems.tables import table_id_words

QuestionKind = Literal["worst_utility", "equilibria", "departure", "recommendation"]
"""What is asked: her worst utility with a committee, how many equilibria it has, whose departure from the whole
committee costs her most, and what the worst equilibrium of all providers recommends in a state."""

_RULES = """\
A scheme names an action for every state. Providers know the state and recommend what their scheme says; the user does
what is recommended. What a scheme is worth to somebody is the expected utility of following it. A scheme is an
equilibrium of a committee of two or more providers if no provider of the committee has another scheme that is strictly
better for itself and strictly better for the user{ties}. The equilibria of a committee of one provider are the schemes
that are best for that provider."""

_TIES = {
    "incumbent": "",
    "lowest_index": "; for the provider of the committee that is listed first, strictly better for itself and no worse "
    "for the user is enough",
}


@dataclass(frozen=True)
class Question:
    """A game in words, a question about it and the answer.

    Attributes:
        id: of the question: the table's id, and what is asked.
        table_id: the table's id.
        kind: what is asked, see `QuestionKind`.
        game: the game in words.
        question: what is asked, in words.
        answer: a number as a whole number, a decimal number or a fraction, exactly; or a name.
        accepted: all right answers; names that tie are right, each of them.
        choices: the names among which the answer is; none if it is a number.
    """

    id: str
    table_id: int
    kind: str
    game: str
    question: str
    answer: str
    accepted: tuple[str, ...]
    choices: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        """All that a model is to read."""
        how = "one of the names above" if self.choices else "a whole number, a fraction or an exact decimal number"
        return f"{self.game}\n\n{self.question}\n\nEnd with a line that says 'Answer:' and {how}."


@dataclass(frozen=True)
class Grade:
    """Whether an answer is right, and if not, why not. True where it is right."""

    right: bool
    why: str = ""

    def __bool__(self) -> bool:
        return self.right


def questions(
    problem: UtilityTables | SelectionResult | TableArrays,
    kinds: Sequence[QuestionKind] = get_args(QuestionKind),
    *,
    seed: int = 0,
) -> list[Question]:
    """Every table in words, with a question of each kind and its exact answer.

    Which committee or state is asked about depends on the seed and the table's id alone, and on which committees are
    solved: of tables all, or beyond four providers all providers, all but one, and each alone.

    Args:
        problem: tables, which are solved; a solved selection game with schemes; or arrays of `load_arrays`.
        kinds: of questions. Nobody can leave a committee of one, so with one provider there is no "departure";
            and equilibria that are too many to count are not asked for.
        seed: at least 0.

    Returns:
        The questions, table by table.

    Raises:
        ValueError: on another game, another kind, or a result without the committees that "departure" needs.
        SolveError: if some table is not solved.

    Example:
        >>> import equilibrax as eq
        >>> asked = eq.datasets.questions(eq.load_paper_table("synthetic-2"), ["departure"])
        >>> print(asked[0].question)
        Whose departure from the committee of all providers lowers the user's worst equilibrium utility the most? ...
        >>> asked[0].answer, bool(eq.datasets.grade(asked[0], "I think so.\\nAnswer: " + asked[0].answer))
        ('AI 1', True)
    """
    for kind in kinds:
        check_choice("kinds", kind, get_args(QuestionKind))
    seed = check_whole("seed", seed, 0)
    if isinstance(problem, TableArrays):
        return [q for tables in _tables_of(problem) for q in questions(tables, kinds, seed=seed)]
    if isinstance(problem, UtilityTables):
        game = Selection(dynamics=False, misalignment=False)
        return questions(solve(problem, game, committees=_few(problem.num_providers)), kinds, seed=seed)
    listed = isinstance(problem, SelectionResult) and "equilibria" in problem.game.groups
    if not isinstance(problem, SelectionResult) or not listed or problem.response != "best":
        raise ValueError(f"problem: expected tables, or a solved selection game with schemes, got {problem!r}")
    problem.check_solved()
    return [question for b in range(len(problem)) for question in asked_about(problem, b, kinds, seed)]


def asked_about(result: SelectionResult, table: int, kinds: Sequence[str], seed: int) -> Iterator[Question]:
    """The questions about one solved table."""
    one = _Table(result, table, seed)
    for kind in kinds:
        yield from one.asked(kind)


def write_questions(asked: Iterable[Question], path: str | os.PathLike[str]) -> None:
    """Write questions as JSON, one a line, which loaders of datasets read; `grade` takes the lines back.

    Args:
        asked: the questions.
        path: of the file.

    Raises:
        OSError: if it cannot be written.

    Example:
        >>> import json, pathlib, tempfile
        >>> import equilibrax as eq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "train.jsonl")
        ...     eq.datasets.write_questions(eq.datasets.questions(eq.load_paper_table("synthetic-1")), path)
        ...     lines = [json.loads(line) for line in path.read_text().splitlines()]
        >>> [line["kind"] for line in lines], bool(eq.datasets.grade(lines[0], lines[0]["answer"]))
        (['worst_utility', 'equilibria', 'departure', 'recommendation'], True)
    """
    lines = [json.dumps(asdict(one) | {"prompt": one.prompt}, ensure_ascii=False) + "\n" for one in asked]
    Path(path).write_text("".join(lines), encoding="utf-8")


# --- answers ----------------------------------------------------------------------------------------------------------

_DECIMAL = re.compile(r"[+-]?(\d{1,99}(\.\d{0,99})?|\.\d{1,99})([eE][+-]?\d{1,2})?")
_RATIO = re.compile(r"([+-]?\d{1,99})\s*/\s*(\d{1,99})")
_AROUND = " \t$*`\"'"
_BOXED = re.compile(r"[\s$*]*\\boxed\{(?:\\text\{)?([^{}]*)\}{1,2}[\s$*.]*")
# Within a line: what runs over line ends takes the square of as many empty lines.
_LAST = re.compile(r"^[^\w\n]*answer[^\w\n]*:(.*)$", re.IGNORECASE | re.MULTILINE)


def grade(game: Question | Mapping[str, Any], answer: object) -> Grade:
    """Whether an answer is right: numbers exactly, as whole numbers, fractions or decimals; names in any case.

    Of a text with lines that begin with "Answer:", what follows the last of them is the answer; it may stand in
    Markdown or in LaTeX's `\\boxed{}`.

    Args:
        game: the question, or its line of `write_questions` as a mapping.
        answer: a text, or a number; None, where nothing came, is wrong.

    Raises:
        ValueError: if the mapping is no question.

    Example:
        >>> import equilibrax as eq
        >>> asked = eq.datasets.questions(eq.from_integers([[1, 0]] * 3, [[[0, 1]] * 3]), ["worst_utility"])[0]
        >>> bool(eq.datasets.grade(asked, "0.0")), bool(eq.datasets.grade(asked, "Answer: 0/3"))
        (True, True)
        >>> eq.datasets.grade(asked, "1/3").why
        'expected 0, got 1/3'
    """
    if isinstance(game, Question):
        accepted, choices = game.accepted, game.choices
    elif isinstance(game, Mapping) and {"accepted", "choices"} <= game.keys():
        accepted, choices = _texts_of(game, "accepted"), _texts_of(game, "choices")
        if not accepted or (not choices and not _RATIO.fullmatch(accepted[0]) and not _DECIMAL.fullmatch(accepted[0])):
            raise ValueError(f"game: expected a number or names in accepted, got {shown(game['accepted'])}")
    else:
        raise ValueError(f"game: expected a question, or a mapping with accepted and choices, got {shown(game)}")
    if answer is None:
        return Grade(False, "expected an answer, got none")
    text = str(answer)
    said = _LAST.findall(text)
    came = (said[-1] if said else text).strip()
    boxed = _BOXED.fullmatch(came)
    came = boxed[1] if boxed else came
    return _graded_name(accepted, choices, came) if choices else _graded_number(Fraction(accepted[0]), came)


def _texts_of(game: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = game[name]
    if not isinstance(found, list | tuple) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"game: expected a list of texts as {name}, got {shown(found)}")
    return tuple(found)


def _graded_number(expected: Fraction, came: str) -> Grade:
    bare = came.strip(_AROUND).removesuffix(".").strip(_AROUND).replace("\N{MINUS SIGN}", "-")
    ratio = _RATIO.fullmatch(bare)
    if ratio and int(ratio[2]):
        given = Fraction(int(ratio[1]), int(ratio[2]))
    elif _DECIMAL.fullmatch(bare):
        given = Fraction(bare)
    else:
        return Grade(False, f"expected a whole number, a fraction or a decimal number, got {shown(came)}")
    if given == expected:
        return Grade(True)
    digits = len(bare.partition(".")[2])
    rounded = digits > 0 and abs(given - expected) <= Fraction(1, 2 * 10**digits)
    return Grade(False, f"expected {exact_text(expected)}{' exactly' * rounded}, got {bare}{', rounded' * rounded}")


def _graded_name(accepted: Sequence[str], choices: Sequence[str], came: str) -> Grade:
    named = [name for name in choices if name == came] or [name for name in choices if _bare(name) == _bare(came)]
    if len(named) != 1:
        return Grade(False, f"expected one of {', '.join(choices)}, got {shown(came)}")
    return Grade(True) if named[0] in accepted else Grade(False, f"expected {' or '.join(accepted)}, got {named[0]}")


def _bare(text: str) -> str:
    """A name without case, accents' spelling, what is not seen, and what writers put around it."""
    return alike(text.strip(_AROUND).removesuffix(".").strip(_AROUND))


# --- words ------------------------------------------------------------------------------------------------------------


_MOST_PLACES = 12  # of a decimal number; what needs more is a fraction


def exact_text(number: Fraction) -> str:
    """A whole number or a decimal one if that is exact, else a fraction.

    Example:
        >>> exact_text(Fraction(-7, 8)), exact_text(Fraction(2)), exact_text(Fraction(1, 3))
        ('-0.875', '2', '1/3')
    """
    rest, places = number.denominator, 0
    while rest % 10 == 0 or rest % 2 == 0 or rest % 5 == 0:
        rest, places = rest // (10 if rest % 10 == 0 else 2 if rest % 2 == 0 else 5), places + 1
    if rest > 1 or not 0 < places <= _MOST_PLACES:
        return str(number)
    digits = f"{abs(number.numerator) * 10**places // number.denominator:0{places + 1}d}"
    return f"{'-' * (number < 0)}{digits[:-places]}.{digits[-places:]}"


class _Table:
    """One solved table, and what is asked about it."""

    def __init__(self, result: SelectionResult, b: int, seed: int):
        tables = result.tables
        self.result, self.b, self.tables = result, b, tables
        self.id = int(result.table_id[b])
        self.draws = np.random.SeedSequence([seed, self.id]).generate_state(2).tolist()
        self.providers = [plain(name) for name in tables.provider_names()]
        self.states, self.actions = (
            [plain(name) for name in getattr(tables.labels, kind)] if tables.labels else
            [f"{kind[:-1]} {i + 1}" for i in range(getattr(tables, kind))]
            for kind in ("states", "actions")
        )  # fmt: skip
        self.game = self._game()

    def _game(self) -> str:
        tables, b = self.tables, self.b
        prior = [int(weight) for weight in np.asarray(tables.prior)[b]]
        players = [("user", np.asarray(tables.user)[b]), *zip(self.providers, np.asarray(tables.providers)[b])]
        rules = _RULES.format(ties=_TIES[self.result.tie_break]).replace("\n", " ")
        lines = [f"A user is advised by AI providers: {', '.join(self.providers)}.", rules, "", "Utilities:"]
        for x, state in enumerate(self.states):
            lines.append(f"In {state}, which has probability {exact_text(Fraction(prior[x], sum(prior)))}:")
            for a, action in enumerate(self.actions):
                if np.asarray(tables.available)[b, x, a]:
                    each = (f"{who} {exact_text(Fraction(int(u[x, a]), tables.resolution))}" for who, u in players)
                    lines.append(f"- {action}: {', '.join(each)}")
        return "\n".join(lines)

    def asked(self, kind: str) -> Iterator[Question]:
        """The question of a kind, if there is one."""
        masks = self.result.committees.tolist()
        mask = masks[self.draws[0] % len(masks)]
        members = [name for j, name in enumerate(self.providers) if mask >> j & 1]
        whom = f"the committee of {', '.join(members)}" if len(members) > 1 else f"{members[0]} alone"
        if kind == "worst_utility":
            worst = Fraction(self._of(self.result.worst_value, mask), int(self.result.scale[self.b]))
            yield self._question(
                kind, f"What is the user's expected utility in the equilibrium of {whom} that is worst for her?",
                [exact_text(worst)],
            )  # fmt: skip
        elif kind == "equilibria" and not self._of(self.result.status, mask) & Status.COUNT_SATURATED:
            yield self._question(
                kind, f"How many equilibria has {whom}?", [str(self._of(self.result.equilibria, mask))]
            )
        elif kind == "departure" and len(self.providers) > 1:
            yield self._departure()
        elif kind == "recommendation":
            yield self._recommendation()

    def _of(self, values: np.ndarray, mask: int) -> int:
        return int(values[self.b, self.result.index(mask)])

    def _departure(self) -> Question:
        everybody = 2 ** len(self.providers) - 1
        needed = [everybody, *(everybody & ~(1 << j) for j in range(len(self.providers)))]
        if not set(needed) <= set(self.result.committees.tolist()):
            raise ValueError('problem: expected results for all providers and for all but one, which "departure" needs')
        before, *after = (self._of(self.result.worst_value, mask) for mask in needed)
        least = min(after)
        nobody = next(
            word for word in ("none", "nobody", "no provider", "no one of them")
            if word not in [name.casefold() for name in self.providers]
        )  # fmt: skip
        hurts = [name for name, value in zip(self.providers, after) if value == least] if least < before else [nobody]
        text = (
            "Whose departure from the committee of all providers lowers the user's worst equilibrium utility the most? "
            f"If several lower it equally, name one of them; if no departure lowers it, answer '{nobody}'."
        )
        return self._question("departure", text, hurts, [*self.providers, nobody])

    def _recommendation(self) -> Question:
        everybody = 2 ** len(self.providers) - 1
        if everybody not in self.result.committees.tolist():
            raise ValueError('problem: expected results for all providers, which "recommendation" needs')
        x = self.draws[1] % len(self.states)
        scheme = self.result.worst_scheme[self.b, self.result.index(everybody)]
        text = (
            "Of the equilibria of the committee of all providers take the one that is worst for the user; of several, "
            "the first when schemes are compared state by state, in the order of the states and actions above. "
            f"Which action does it recommend in {self.states[x]}?"
        )
        there = np.asarray(self.tables.available)[self.b, x]
        return self._question(
            "recommendation", text, [self.actions[int(scheme[x])]], [a for a, has in zip(self.actions, there) if has]
        )

    def _question(self, kind: str, text: str, right: Sequence[str], choices: Sequence[str] = ()) -> Question:
        name = f"{self.id}-{kind}"
        return Question(name, self.id, kind, self.game, text, right[0], tuple(right), tuple(choices))


def _few(providers: int) -> list[int] | Literal["all"]:
    """The committees that are asked about."""
    if providers <= 4:
        return "all"
    most = 2**providers - 1
    return [most, *(most & ~(1 << j) for j in range(providers)), *(1 << j for j in range(providers))]


def _tables_of(arrays: TableArrays) -> Iterator[UtilityTables]:
    """Tables of one size each; what fills them up comes last in every order that relabelling makes."""
    arrays = arrays.to("numpy")
    sizes = np.stack([arrays.real_states.sum(axis=1), arrays.real_providers.sum(axis=1)], axis=1)
    for x, k in np.unique(sizes, axis=0).tolist():
        own = arrays[(sizes == (x, k)).all(axis=1)]
        used = own.available.any(axis=(0, 1))
        tables = from_integers(
            own.user[:, :x, used], own.providers[:, :k, :x, used], own.prior[:, :x], own.available[:, :x, used],
            resolution=own.resolution,
        )  # fmt: skip
        yield replace(tables, table_id_words=table_id_words(own.table_id))
