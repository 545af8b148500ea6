"""Doors that take a batch say what makes one to whoever comes with something else."""

from __future__ import annotations

import inspect

import equilibrax as eq
import pytest

TABLES = "eq.from_arrays(user, providers), eq.from_dataframe(frame) or eq.read_tables(file) makes"
MARKET = "eq.separable_market(user, components, weights) or eq.read_market(file) makes one"
ANSWERS = "eq.raters.answer_distributions(users, models) makes one"
RESULT = "eq.solve(what, game) makes one"
T, S, R = eq.theory, eq.studies, eq.raters

DOORS = [
    (eq.solve, "tables", TABLES),
    (lambda it: eq.solve(it, "joint"), "tables", TABLES),
    (lambda it: eq.solve(it, "anonymous"), "tables", MARKET),
    (lambda it: eq.solve(it, "nash"), "tables", "eq.NormalForm.from_arrays(payoffs) or eq.read_nfg(file)"),
    (eq.compare, "tables", TABLES),
    (eq.misalignment, "tables", TABLES),
    (eq.explore, "tables", TABLES),
    (eq.bounds, "result", RESULT),
    (eq.efficiency, "result", RESULT),
    (eq.value_of_information, "problem", "eq.DecisionProblem.from_arrays(prior, utility, items)"),
    (eq.alignment_curve, "raters", "eq.raters.rater_matrix(ratings, targets) or eq.read_raters(file) makes one"),
    (lambda it: eq.write_table(it, "a.csv"), "tables", TABLES),
    (lambda it: eq.write_market(it, "a.csv"), "market", MARKET),
    (T.closeness, "game", TABLES),
    (T.least_loss, "market", MARKET),
    (lambda it: T.proposition_3(it, 0.1, 0.1), "tables", TABLES),
    (S.bazaar_beside_selection, "tables", TABLES),
    (S.solve_games, "market", MARKET),
    (lambda it: S.random_newcomers(it, 1), "market", MARKET),
    (R.market_fit, "answers", ANSWERS),
    (R.weak_alignment, "answers", ANSWERS),
    (R.strong_alignment, "answers", ANSWERS),
    (R.weak_curve, "answers", ANSWERS),
    (R.users_versus_error, "answers", ANSWERS),
    (eq.reports.alignment_study, "given", ANSWERS.removesuffix("one") + "AnswerDistributions"),
]


@pytest.mark.parametrize("given", [[1, 2], None, 3])
@pytest.mark.parametrize(("door", "name", "made"), DOORS, ids=[f"{i}-{name}" for i, (_, name, _) in enumerate(DOORS)])
def test_it_is_said_what_to_call(door, name, made, given):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, got {type(given).__name__}; ") as refused:
        door(given)
    assert made in str(refused.value)


def test_what_is_named_exists():
    kinds = [eq.UtilityTables, eq.PersuasionGame, eq.Market, eq.NormalForm, eq.DecisionProblem]
    for kind in (*kinds, R.AnswerDistributions, R.RaterMatrix, eq.games.GameResult):
        for call in kind.made_by.split(" or "):
            for one in call.split("), "):
                name, _, arguments = one.rstrip(")").removeprefix("eq.").partition("(")
                found = eq
                for part in name.split("."):
                    found = getattr(found, part)
                given = arguments.split(", ")
                assert len(given) <= len(inspect.signature(found).parameters), one
                if kind is not eq.games.GameResult and given != ["file"]:
                    assert given == list(inspect.signature(found).parameters)[: len(given)], one


def test_what_solve_reads_others_read_too(tmp_path):
    eq.write_table(eq.load_paper_table("synthetic-1"), tmp_path / "mine.csv")
    named = eq.misalignment("synthetic-1", [0b11]).misalignment
    assert (eq.misalignment(tmp_path / "mine.csv", [0b11]).misalignment == named).all()
    assert eq.explore(tmp_path / "mine.csv").html.count('"name":"synthetic-1"') == 1
    assert len(eq.compare("synthetic-1", rationality=[]).table_id) == 1
    with pytest.raises(ValueError, match=r"which is not there; did you mean synthetic-1\?|did you mean"):
        eq.explore("syntetic-1")
