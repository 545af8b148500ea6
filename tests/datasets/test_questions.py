"""Games in words: who reads nothing but the words can work the answers out, and answers are graded exactly."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from fractions import Fraction
from itertools import product

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.datasets import form_hashes, grade, questions, split_by_form, write_questions
from equilibrax.datasets.splits import split_of

LABELS = eq.Labels(("rain", "sun, at last"), ("stay", "go"), ("Ann", "Bob, Jr."))


def reader(question):
    """The answer to a question, from its words alone, by the definition that they give, scheme by scheme."""
    head, utilities = question.game.split("\n\nUtilities:\n")
    prior, cells = {}, {}
    for line in utilities.splitlines():
        if found := re.fullmatch(r"In (.*), which has probability (\S+):", line):
            state = found[1]
            prior[state], cells[state] = Fraction(found[2]), {}
        else:
            action, rest = line.removeprefix("- ").split(": ", 1)
            cells[state][action] = dict(part.rsplit(" ", 1) for part in re.split(r", (?=\S.* -?[\d./]+)", rest))
    names = [name for name in next(iter(next(iter(cells.values())).values())) if name != "user"]
    schemes = list(product(*(cells[state] for state in cells)))

    def worth(scheme, who):
        return sum(prior[s] * Fraction(cells[s][a][who]) for s, a in zip(cells, scheme))

    value = {(f, who): worth(f, who) for f in schemes for who in ("user", *names)}

    def equilibria(members):
        if len(members) == 1:
            best = max(value[f, members[0]] for f in schemes)
            return [f for f in schemes if value[f, members[0]] == best]

        def leaves(f, g, j):
            weak = "is listed first" in head and j == members[0]
            more = value[g, "user"] >= value[f, "user"] if weak else value[g, "user"] > value[f, "user"]
            return more and value[g, j] > value[f, j]

        return [f for f in schemes if not any(leaves(f, g, j) for g in schemes for j in members)]

    def worst(members):
        return min(value[f, "user"] for f in equilibria(members))

    members = [name for name in names if name in question.question]
    if question.kind == "worst_utility":
        return [worst(members)]
    if question.kind == "equilibria":
        return [len(equilibria(members))]
    if question.kind == "departure":
        after = {j: worst([k for k in names if k != j]) for j in names}
        least = min(after.values())
        return [j for j in names if after[j] == least] if least < worst(names) else ["none"]
    scheme = next(f for f in equilibria(names) if value[f, "user"] == worst(names))
    return [a for s, a in zip(cells, scheme) if question.question.endswith(f" in {s}?")]


@pytest.mark.parametrize("tie_break", ["incumbent", "lowest_index"])
def test_the_words_are_enough(tie_break):
    rng = np.random.default_rng(5)
    there = rng.random((40, 2, 3)) < 0.8
    there[..., 0] = True
    tables = eq.from_integers(
        rng.integers(0, 3, (40, 2, 3)), rng.integers(-2, 3, (40, 2, 2, 3)), rng.integers(1, 4, (40, 2)), there,
        resolution=8,
    )  # fmt: skip
    asked = questions(eq.solve(tables, eq.Selection(tie_break=tie_break, dynamics=False, misalignment=False)))
    assert len(asked) == 160
    for question in asked:
        right = reader(question)
        for answer in right:
            assert grade(question, answer), question
        assert len(question.accepted) == len(right)
        for choice in question.choices:
            assert bool(grade(question, choice)) == (choice in right)
    assert len({q.answer for q in asked if q.kind == "departure"}) == 3
    assert any("alone" in q.question for q in asked)


def test_numbers_are_graded_exactly_and_say_why_not():
    third = eq.from_integers([[1, 0], [0, 0], [0, 0]], [[[1, 0]] * 3])
    one = next(q for q in questions(third) if q.kind == "worst_utility")
    assert one.answer == "1/3"
    assert all(
        grade(one, answer) for answer in ("1/3", " 2/6. ", "**1/3**", "Answer: 1/2\nso\nAnswer: 3/9", Fraction(1, 3))
    )
    assert grade(one, "Answer: $\\boxed{2/6}$.")
    assert not grade(one, None)
    assert grade(one, "0.33").why == "expected 1/3 exactly, got 0.33, rounded"
    assert grade(one, 0.5).why == "expected 1/3, got 0.5"
    for answer in ("1/0", "a third", "", "9" * 200, "1e999999999", "nan"):
        assert "expected a whole number, a fraction or a decimal number" in grade(one, answer).why
    with pytest.raises(ValueError, match="game: expected a question"):
        grade({"answer": "1/3"}, "1/3")


def test_names_are_graded_and_written_lines_too(tmp_path):
    tables = eq.from_integers([[1, 0]] * 2, [[[1, 0]] * 2, [[0, 1]] * 2], labels=LABELS)
    asked = questions(tables, ["departure", "recommendation"])
    assert asked[0].answer == "Ann"
    assert grade(asked[0], "**Answer:** ann.")
    for answer in ("Bob, Jr.", "bob, jr", "`Bob, Jr.`"):
        assert grade(asked[0], answer).why == "expected Ann, got Bob, Jr."
    assert grade(asked[0], "Answer: \\boxed{\\text{Ann}}")
    nobody = next(q for q in questions(eq.from_integers([[1, 0]], [[[1, 0]]] * 2)) if q.kind == "departure")
    assert grade(nobody, "None")
    assert not grade(nobody, None)  # a model that did not answer has not said "none"
    assert grade(asked[0], "Carol").why == "expected one of Ann, Bob, Jr., none, got 'Carol'"
    write_questions(asked, tmp_path / "train.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [{**asdict(q), "prompt": q.prompt} for q in asked] == [
        {**line, "accepted": tuple(line["accepted"]), "choices": tuple(line["choices"])} for line in lines
    ]
    assert all(grade(line, line["answer"]) for line in lines)


def test_what_cannot_be_asked_is_refused():
    tables = eq.from_integers([[1, 0]] * 2, [[[1, 0]] * 2, [[0, 1]] * 2])
    with pytest.raises(ValueError, match=r'problem: expected results for all providers .* "departure"'):
        questions(eq.solve(tables, committees=[3]), ["departure"])
    with pytest.raises(ValueError, match="problem: expected tables, or a solved selection game"):
        questions(eq.solve(tables, "joint"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="kinds"):
        questions(tables, ["best"])  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixture")
    parts = tuple(eq.datasets.MixturePart("uniform", states=states, actions=2, providers=2) for states in (1, 2))
    eq.run_sweep(eq.SweepConfig(tables=128, shard_size=64, mixture=parts, resolution=2, splits=(1, 0, 0)), folder)
    return eq.datasets.load_arrays(folder, targets=("worst_utility",))


def test_questions_about_a_dataset_have_its_answers(arrays):
    asked = questions(arrays, ["worst_utility"])
    assert sorted(q.table_id for q in asked) == sorted(arrays.table_id.tolist())
    worst = dict(zip(arrays.table_id.tolist(), arrays.targets["worst_utility"].tolist()))
    for question in asked:
        names = re.findall(r"provider \d", question.question)
        mask = sum(1 << int(name[-1]) - 1 for name in names)
        assert float(Fraction(question.answer)) == worst[question.table_id][arrays.committees.tolist().index(mask)]


def test_no_relabelled_twin_leaks(arrays):
    """Few steps make few games, so many tables are twins; the sweep's own splits, by id, would part them."""
    hashes = form_hashes(arrays)
    assert (hashes == form_hashes(arrays.augment(3))).all()
    assert len(set(hashes.tolist())) < len(arrays)
    parts = split_by_form(arrays, (0.5, 0.25, 0.25), seed=1)
    assert sum(map(len, parts.values())) == len(arrays)
    assert min(map(len, parts.values())) > 0
    forms = {name: set(form_hashes(part).tolist()) for name, part in parts.items()}
    twins = {name: set(form_hashes(part.augment(9)).tolist()) for name, part in parts.items()}
    assert not forms["train"] & twins["test"]
    assert not forms["train"] & twins["validation"]
    other = split_of(arrays.table_id, 1, (0.5, 0.25, 0.25))
    assert set(hashes[other == 0].tolist()) & set(hashes[other == 2].tolist())


def test_forms_that_differ_have_other_hashes(arrays):
    changed = eq.datasets.TableArrays(**{**vars(arrays), "user": arrays.user + arrays.available})
    assert (form_hashes(changed) != form_hashes(arrays)).all()


LINE = {"accepted": ["1/3"], "choices": []}


@pytest.mark.parametrize(
    "answer", ["\n" * 200_000, "-" * 200_000, "answer" * 40_000, "answer\n:" * 40_000, "1" * 200_000], ids=range(5)
)
def test_long_answers_are_wrong_and_said_in_one_line(answer):
    """A model that repeats itself: 200,000 empty lines would have taken hours."""
    found = eq.datasets.grade(LINE, answer)
    assert not found
    assert len(found.why) < 400


@pytest.mark.parametrize(
    "line",
    [
        LINE | {"accepted": "1/3"},  # would be 1
        LINE | {"accepted": []},
        LINE | {"accepted": ["one"]},
        LINE | {"accepted": None},
        LINE | {"choices": "Ann"},
        LINE | {"accepted": [0.5]},
        {"accepted": ["1"]},
    ],
)
def test_lines_that_are_no_questions_are_refused(line):
    with pytest.raises(ValueError, match="game: expected"):
        eq.datasets.grade(line, "1")


@pytest.mark.parametrize(
    ("answer", "right"), [("Jose\u0301", True), ("**jos\u00e9\u200b**.", True), ("Jose", False), (None, False)]
)
def test_names_are_the_same_however_they_are_spelled(answer, right):
    """No answer was the name None."""
    asked = {"accepted": ["Jos\u00e9"], "choices": ["Jos\u00e9", "None"]}
    assert bool(eq.datasets.grade(asked, answer)) == right
    assert not eq.datasets.grade(asked | {"accepted": ["None"]}, None)
