"""Gambit's files of games in normal form: read, written, refused; and Gambit itself as referee, where it is there."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.io import TableFileError
from equilibrax.problems import GameLabels

HEAD = 'NFG 1 R "T" { "Ann" "Bob" } { 2 2 } '


def read(tmp_path: Path, text: str) -> eq.NormalForm:
    path = tmp_path / "game.nfg"
    path.write_text(text)
    return eq.read_nfg(path)


def test_the_first_players_actions_are_the_fastest(tmp_path):
    game = read(tmp_path, 'NFG 1 R "Selten" { "Ann" "Bob" } { 3 2 }\n\n1 1 0 2 0 2 1 1 0 3 2 0')
    assert game.payoffs[0, 0].tolist() == [[1, 1], [0, 0], [0, 2]]
    assert game.payoffs[0, 1].tolist() == [[1, 1], [2, 3], [2, 0]]
    assert (game.names(), game.action_names()) == (["Selten"], (("1", "2", "3"), ("1", "2")))
    three = read(tmp_path, 'NFG 1 D "" {"a""b""c"}{{"x""y"}{"z"}{"u""v"}}"said" ' + " ".join(map(str, range(12))))
    assert three.payoffs[0, 0, :, 0].tolist() == [[0, 6], [3, 9]]
    assert three.labels.comments == ("said",)


def test_numbers_are_exact(tmp_path):
    game = read(tmp_path, HEAD + "1/3 -0.5 1.5e-1 2 3. .25 -.5e1 1e2")
    assert game.exact()[0].T.reshape(-1).tolist() == [Fraction(1, 3), Fraction(3, 20), 3, -5]
    assert game.exact()[1].T.reshape(-1).tolist() == [Fraction(-1, 2), 2, Fraction(1, 4), 100]


def test_outcomes_are_kept(tmp_path):
    text = 'NFG 1 R "T" {"Ann" "Bob"} {{"a" "b"} {"c" "d"}} {{"x" 1, 1/2,} {"" 0 3} {"x" 2, 2}} 1 2 0 3'
    game = read(tmp_path, text)
    assert game.outcome_names() == ("x_1", "_1", "x_2")  # as Gambit names them
    assert game.outcome[0].tolist() == [[0, -1], [1, 2]]
    assert game.exact()[0].tolist() == [[1, 0], [0, 2]]
    eq.write_nfg(game, tmp_path / "again.nfg")
    again = eq.read_nfg(tmp_path / "again.nfg")
    assert again.labels == game.labels
    assert (again.outcome == game.outcome).all()


@pytest.mark.parametrize("version", ["payoff", "outcome"])
@pytest.mark.parametrize("shape", [(2, 3), (1,), (2, 1, 3), (2, 2, 2, 2)])
def test_what_is_written_is_read(version, shape, tmp_path):
    rng = np.random.default_rng([len(shape), *shape])
    for resolution in (1, 8, 21, 10_000):
        labels = GameLabels(
            tuple(f'p"{i} \\ n' for i in range(len(shape))),
            tuple(tuple(f"go {a},{{}}" for a in range(count)) for count in shape),
            ("a tïtle",),
            ("a\ncomment",),
        )
        payoffs = rng.integers(-30, 30, (len(shape), *shape))
        game = eq.NormalForm.from_integers(payoffs, batched=False, resolution=resolution, labels=labels)
        eq.write_nfg(game, tmp_path / "game.nfg", version=version)
        again = eq.read_nfg(tmp_path / "game.nfg")
        assert [a.tolist() for a in again.exact()] == [a.tolist() for a in game.exact()]
        assert (again.labels.players, again.labels.actions) == (labels.players, labels.actions)
        assert (again.labels.games, again.labels.comments) == (labels.games, labels.comments)
        assert (again.outcome is None) == (version == "payoff")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: expected NFG, got the end of the file"),
        ("EFG 2 R", "line 1, column 1: expected NFG, got 'EFG'"),
        ('NFG 2 R "T"', "line 1, column 5: expected 1, the version, got '2'"),
        ('NFG 1 Q "T"', "line 1, column 7: expected R or D, got 'Q'"),
        ("NFG 1 R { }", "line 1, column 9: expected the title in quotes, got '{'"),
        ('NFG 1 R "T" { "A', "line 1, column 15: expected a closing quote, got the end of the file"),
        ('NFG 1 R "T" { } { } 1', "expected the names of 1 to 32 players, got 0"),
        ('NFG 1 R "T" { "A" } { 0 } 1', "expected the number of a player's actions, from 1"),
        ('NFG 1 R "T" { "A" } { 2.0 } 1 2', "expected the number of a player's actions, from 1"),
        ('NFG 1 R "T" { "A" } { {} } 1', "line 1, column 24: expected the name of an action in quotes, got '}'"),
        ('NFG 1 R "T" { "A" "B" } { 999999 999999 } 1', "expected a game of at most 1,048,576 profiles, got 999,998,"),
        ('NFG 1 R "T" { "Jos\u00e9" } { 1 } 1', "line 1, column 15: expected a name of a player in ASCII"),
        ('NFG 1 R "T" { "J" } { { "a  b" } } 1', "line 1, column 25: expected a name of an action in ASCII"),
        (HEAD + "1 2 3 4 5 6 7", "line 1, column 50: expected a payoff, such as 3, -0.5, 1.5e-3 or 2/3, got the end"),
        (HEAD + "\n1 2 3 4\n5 6 7 8 9", "line 3, column 9: expected the end of the file, got '9'"),
        (HEAD + "1, 2 3 4 5 6 7 8", "expected a payoff, such as 3, -0.5, 1.5e-3 or 2/3, got ','"),
        (HEAD + "+1 2 3 4 5 6 7 8", r"got '\+1'"),
        (HEAD + "1e+1 2 3 4 5 6 7 8", r"got '1e\+1'"),
        (HEAD + "- 2 3 4 5 6 7 8", "got '-'"),
        (HEAD + "2 .5e1 3 4 5 6 7 8", "got 'e1'"),
        (HEAD + "1/0 2 3 4 5 6 7 8", "expected a fraction with a denominator, got '1/0'"),
        (HEAD + "1e999999999 2 3 4 5 6 7 8", "expected a number of at most 400 digits"),
        (HEAD + "1e300 1e-300 3 4 5 6 7 8", r"below 2\*\*50, got denominator about 1e300"),
        (HEAD + '{ { "x" 1 } } 1 1 1 1', "expected a payoff"),
        (HEAD + '{ { "x" 1 1 } } 1 1 2 1', "expected the number of an outcome, from 0 to 1, got '2'"),
    ],
)
def test_what_gambit_refuses_is_refused_with_its_place(text, message, tmp_path):
    with pytest.raises(TableFileError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "game.nfg" in str(caught.value)


def test_what_a_file_cannot_hold_is_not_written(tmp_path):
    path = tmp_path / "game.nfg"
    for labels in (
        GameLabels(("A",), (("a", "a"),)),
        GameLabels(("A",), (("a", ""),)),
        GameLabels(("A",), (("a\\\\b", "c"),)),
        GameLabels(("A\\",), (("a", "b"),)),
        GameLabels(("Jos\u00e9",), (("a", "b"),)),
        GameLabels(("A",), ((" a", "b"),)),
    ):
        with pytest.raises(TableFileError, match=r"game\.nfg"):
            eq.write_nfg(eq.NormalForm.from_integers([[1, 2]], labels=labels), path)
    with pytest.raises(TableFileError, match="expected one game in normal form, got 2 games"):
        eq.write_nfg(eq.random_games("random", 2), path)
    with pytest.raises(TableFileError, match="expected a writable path"):
        eq.write_nfg(eq.random_games("random", 1), tmp_path / "no" / "game.nfg")
    assert not list(tmp_path.glob("*.nfg"))


# --- Gambit as referee ------------------------------------------------------------------------------------------------


def _pure(gambit, game) -> set[tuple[int, ...]]:
    """Gambit's pure equilibria as numbers of actions."""
    found = set()
    for profile in gambit.nash.enumpure_solve(game).equilibria:
        played = [[float(profile[s]) for s in player.strategies] for player in game.players]
        found.add(tuple(chances.index(1.0) for chances in played))
    return found


@pytest.mark.slow
def test_gambit_finds_the_same_equilibria_in_random_and_exported_games(tmp_path):
    gambit = pytest.importorskip("pygambit", reason="the extra [gambit] is not installed")
    path, compared = tmp_path / "game.nfg", 0
    games = [
        eq.random_games(family, 25, actions, seed=3, resolution=20)
        for family, actions in [
            ("random", (3, 3)),
            ("random", (2, 3, 2)),
            ("covariant", (4, 4)),
            ("congestion", (3, 3, 2)),
            ("coordination", (3, 3)),
            ("symmetric", (3, 3)),
            ("zero_sum", (3, 4)),
            ("common_interest", (2, 2, 2, 2)),
        ]
    ]
    for batch in games:
        found = eq.solve(batch, "nash")
        for b in range(len(batch)):
            eq.write_nfg(batch[b], path, version=("payoff", "outcome")[b % 2])
            theirs = gambit.read_nfg(path)
            assert _pure(gambit, theirs) == set(found.profiles(b))
            compared += 1
    assert compared == 200


@pytest.mark.slow
def test_gambit_solves_exported_tables(tmp_path):
    """The schemes that the user takes in Gambit's equilibria are those of the selection game."""
    gambit = pytest.importorskip("pygambit", reason="the extra [gambit] is not installed")
    path, compared = tmp_path / "game.nfg", 0
    rng = np.random.default_rng(12)
    for states, actions, providers, committee in ((2, 2, 2, 0b11), (1, 3, 3, 0b111), (2, 2, 3, 0b101), (1, 4, 2, 0b10)):
        sizes = (50, states, actions)
        others = rng.integers(0, 5, (50, providers, states, actions))
        tables = eq.from_integers(rng.integers(0, 5, sizes), others, prior=[[1, 2][:states]] * 50)
        for b in range(50):
            game = tables.to_normal_form(b, committee)
            eq.write_nfg(game, path)
            theirs = {int(game.outcome[0][profile]) for profile in _pure(gambit, gambit.read_nfg(path))}
            ours = eq.games.equilibrium_schemes(tables[b], committee, tie_break="lowest_index")
            names = {game.outcome_names().index(", ".join(tables.action_names(scheme))) for scheme in ours}
            assert theirs == names
            compared += 1
    assert compared == 200


@pytest.mark.slow
def test_gambit_finds_the_same_branch_of_logit_equilibria():
    """Games whose branch bifurcates are left out: there Gambit leaves it for one of the two that cross it."""
    gambit = pytest.importorskip("pygambit", reason="the extra [gambit] is not installed")
    lambdas = [0.5, 2.0, 8.0, 30.0, 100.0]
    for family, actions in [("random", (3, 3)), ("coordination", (3, 3)), ("covariant", (2, 2, 2))]:
        batch = eq.random_games(family, 20, actions, seed=9)
        found = eq.solve(batch, eq.Nash(logit=lambdas)).logit
        for b in range(len(batch)):
            game = gambit.Game.from_arrays(*(np.array(array) for array in batch[b].to_arrays()))
            for r, point in enumerate(gambit.qre.logit_solve_lambda(game, lambdas)):
                theirs = [float(point.profile[s]) for player in game.players for s in player.strategies]
                np.testing.assert_allclose(found.strategy[b, r], theirs, atol=1e-6)
