"""Games in normal form: how they are made, cut and named; and families of random ones."""

from __future__ import annotations

import hashlib
import warnings
from fractions import Fraction

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.problems import GameLabels, RoundingWarning, game_families

DILEMMA = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]


def test_payoffs_are_kept_exactly():
    third = eq.NormalForm.from_arrays([[Fraction(1, 3), Fraction(2, 7), 0]])
    assert third.resolution == 21
    assert third.exact()[0].tolist() == [Fraction(1, 3), Fraction(2, 7), 0]
    assert eq.NormalForm.from_arrays([[0.1 + 0.2, 0.3]]).payoffs[0, 0].tolist() == [3000, 3000]
    assert eq.NormalForm.from_arrays(DILEMMA).resolution == 1
    fine = np.random.default_rng(0).random((2, 3, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RoundingWarning)
        exact = eq.NormalForm.from_arrays(fine)
    assert np.abs(np.array(exact.to_arrays()) - fine).max() < 1e-14
    assert eq.NormalForm.from_arrays(fine, resolution=10).resolution == 10


@pytest.mark.parametrize(
    ("payoffs", "message"),
    [
        ([[[1, 2], [3, "x"]]] * 2, "payoffs: expected"),
        ([[[1, 2], [3, float("nan")]]] * 2, "payoffs: expected finite"),
        (np.zeros((3, 4)), r"payoffs: expected shape \[N, A_1, ..., A_N\] or \[B, N"),
        (np.zeros((3, 2, 2, 2)), r"shape \[3, 2, 2, 2\] may be of one game or of 3"),
        ([[Fraction(1, 3**40), 1]], r"payoffs: expected a common denominator .* about 1e19"),
        ([[10**17, 0]], "payoffs: utility x resolution must fit in 51 bits"),
        ([[True, 1 + 2j]], "payoffs: expected"),
    ],
)
def test_what_is_no_game_is_refused_in_one_line(payoffs, message):
    with pytest.raises(ValueError, match=message) as caught:
        eq.NormalForm.from_arrays(payoffs)
    assert "\n" not in str(caught.value)


def test_integers_and_labels_are_checked():
    with pytest.raises(ValueError, match="use from_arrays for real payoffs"):
        eq.NormalForm.from_integers([[0.5, 1]])
    with pytest.raises(ValueError, match=r"at most 2\*\*50 - 1"):
        eq.NormalForm.from_integers([[2**60, 1]])
    with pytest.raises(ValueError, match="labels: expected 2 players with"):
        eq.NormalForm.from_integers(DILEMMA, labels=GameLabels(("A",), (("a", "b"),)))
    with pytest.raises(
        ValueError, match="outcome: expected equal payoffs wherever the outcome is the same, got game 0"
    ):
        eq.NormalForm.from_integers(DILEMMA).with_outcomes([[0, 0], [1, 2]])
    with pytest.raises(ValueError, match="outcome: expected equal payoffs"):
        eq.NormalForm.from_integers(DILEMMA).with_outcomes([[-1, 0], [1, 2]])
    for large in (4, 2**32, 2**63):  # cut to 32 bits, 2**32 were outcome 0
        with pytest.raises(ValueError, match="outcome: expected numbers from -1 to 3, got 1 to"):
            eq.NormalForm.from_integers(DILEMMA).with_outcomes(np.array([[large, 3], [1, 2]], np.uint64))


def test_a_batch_is_cut_joined_and_counted_like_tables():
    games = eq.random_games("random", 6, (2, 3), seed=1)
    assert len(games) == 6
    assert (games[1:3].payoffs == games.payoffs[1:3]).all()
    assert games.select([4, 0]).game_id.tolist() == [4, 0]
    joined = eq.concatenate([games[:2], games[2:]])
    assert (joined.payoffs == games.payoffs).all()
    assert [len(one) for one in games] == [1] * 6
    with pytest.raises(ValueError, match="all alike"):
        eq.concatenate([games, eq.random_games("random", 6, (3, 2), seed=1)])
    outcomes = eq.tragedy_of_power()
    assert eq.concatenate([outcomes, outcomes]).outcome.shape == (2, 2, 2)
    assert games.names() == ["random"] * 6
    assert eq.tragedy_of_power().names() == ["The tragedy of power"]


def test_other_programs_get_the_axes_that_they_expect():
    games = eq.random_games("random", 1, (2, 3, 4), seed=2)
    plain, turned = games.to_arrays(), games.to_arrays("own_first")
    assert [array.shape for array in plain] == [(2, 3, 4)] * 3
    assert [array.shape for array in turned] == [(2, 3, 4), (3, 4, 2), (4, 2, 3)]
    assert plain[1][1, 2, 3] == turned[1][2, 3, 1] == games.payoffs[0, 1, 1, 2, 3] / games.resolution
    assert eq.random_games("random", 3, (2, 2), seed=2).to_arrays()[0].shape == (3, 2, 2)


# --- random games -----------------------------------------------------------------------------------------------------

GOLDEN = {
    "random": "2e9f40cf95c192a9",
    "covariant": "97e711050f822dcf",
    "congestion": "bcec8fe8d073d43b",
    "symmetric": "80af7f5ce2565560",
}


@pytest.mark.parametrize("family", GOLDEN)
def test_a_random_game_has_the_same_bits_everywhere(family):
    games = eq.random_games(family, 5, (3, 3, 3), seed=7, start=2**40)
    assert hashlib.sha256(games.payoffs.tobytes()).hexdigest()[:16] == GOLDEN[family]
    again = eq.random_games(family, 2, (3, 3, 3), seed=7, start=2**40 + 3)
    np.testing.assert_array_equal(again.payoffs, games[3:].payoffs)
    assert again.game_id.tolist() == [2**40 + 3, 2**40 + 4]
    assert (eq.random_games(family, 5, (3, 3, 3), seed=8, start=2**40).payoffs != games.payoffs).any()


def test_families_are_what_their_names_say():
    def drawn(family: str, actions: tuple[int, ...] = (2, 2), **parameters: float) -> eq.NormalForm:
        return eq.random_games(family, 400, actions, seed=3, **parameters)

    def solved(games: eq.NormalForm) -> eq.games.NashResult:
        return eq.solve(games, "nash")

    assert not drawn("zero_sum").payoffs.sum(axis=1).any()
    assert (np.ptp(drawn("common_interest", (2, 3, 2)).payoffs, axis=1) == 0).all()
    assert solved(drawn("symmetric", (3, 3, 3))).symmetric.all()
    assert (solved(drawn("congestion", (4, 3, 2), facilities=4)).equilibria > 0).all()  # Rosenthal: a potential
    efforts = solved(drawn("minimum_effort", (4, 4, 4)))
    assert (efforts.symmetric_equilibria == 4).all()
    assert (efforts.equilibria == 4).all()
    meeting = solved(drawn("coordination", (3, 3)))
    assert meeting.equilibrium[:, [0, 1, 2], [0, 1, 2]].all()
    dilemma = solved(drawn("prisoners_dilemma"))
    assert (dilemma.equilibrium == np.array([[False, False], [False, True]])).all()
    assert (dilemma.worst_utility < dilemma.games.payoffs[:, :, 0, 0] / dilemma.games.resolution).all()
    assert (solved(drawn("chicken")).equilibrium == np.array([[False, True], [True, False]])).all()
    assert (solved(drawn("battle_of_the_sexes")).equilibrium == np.eye(2, dtype=bool)).all()
    for r in (-0.5, 0.0, 0.6, 1.0):
        payoffs = drawn("covariant", (3, 3, 2), r=r).payoffs.astype(float)
        flat = np.moveaxis(payoffs, 1, 0).reshape(3, -1)
        found = np.corrcoef(flat)
        assert abs(found[0, 1] - r) < 0.03
        assert abs(found[1, 2] - r) < 0.03
        assert abs(flat.std() / 10_000 - 1) < 0.03
    assert set(game_families()) > set(GOLDEN)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("rondom", 1), "family: expected one of 'random'"),
        (("random", 0), "count: expected a whole number"),
        (("random", 1, (2, 0)), "actions: expected a whole number"),
        (("random", 1, 3), "actions: expected the numbers of actions"),
        (("zero_sum", 1, (2, 2, 2)), "actions: expected two players for the family 'zero_sum'"),
        (("symmetric", 1, (2, 3)), "actions: expected equal actions"),
        (("chicken", 1, (3, 3)), "actions: expected two by two"),
    ],
)
def test_wrong_sizes_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        eq.random_games(*args)
    with pytest.raises(ValueError, match="parameters: expected one of r for the family 'covariant', got 'facilities'"):
        eq.random_games("covariant", 1, facilities=2)
    with pytest.raises(ValueError, match=r"r: expected a number of at least -0\.5 and at most 1"):
        eq.random_games("covariant", 1, (2, 2, 2), r=-0.6)


# --- tables as games --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("committee", "members"), [(0b11, 2), (0b101, 2), (0b100, 1), (0b111, 3)])
def test_equilibria_of_an_exported_table_are_those_of_the_selection_game(committee, members):
    rng = np.random.default_rng(committee)
    available = np.array([[True, True, False], [True, True, True]])
    tables = eq.from_integers(
        rng.integers(0, 4, (12, 2, 3)), rng.integers(0, 4, (12, 3, 2, 3)), prior=[[1, 2]] * 12, available=available
    )
    selection = eq.solve(tables, eq.Selection(tie_break="lowest_index"), committees=[committee])
    for b in range(len(tables)):
        game = tables.to_normal_form(b, committee, user=True)
        assert game.num_actions == (6,) * members + (1,)
        found = eq.solve(game, "nash")
        taken = sorted({int(game.outcome[0][profile]) for profile in found.profiles(0)})
        schemes = eq.games.equilibrium_schemes(tables[b], committee, tie_break="lowest_index")
        assert [game.outcome_names()[o] for o in taken] == [", ".join(tables.action_names(s)) for s in schemes]
        assert found.worst_utility[0, -1] == selection.worst_utility[b, 0]
        assert found.best_utility[0, -1] == selection.best_utility[b, 0]
        names = [tables.provider_names()[j] for j in range(3) if committee >> j & 1]
        assert list(game.player_names()) == [*names, "the user"]


def test_tables_that_are_no_normal_form_are_refused():
    tables = eq.load_paper_table("synthetic-1")
    with pytest.raises(ValueError, match="payoffs are no function of what the providers post"):
        tables.to_normal_form(0, 3, tie_break="incumbent")
    with pytest.raises(ValueError, match="max_profiles: expected a table of at most 1,048,576 profiles"):
        tables.to_normal_form(0, 0b11111)
    with pytest.raises(ValueError, match="committees: expected bitmasks from 1 to 31"):
        tables.to_normal_form(0, 32)
    with pytest.raises(IndexError, match="table 1 of a batch of 1"):
        tables.to_normal_form(1, 3)
    with pytest.raises(ValueError, match="committee: expected providers among"):
        tables.to_normal_form(0, ("nobody",))


def test_jax_refuses_what_it_would_cut():
    import jax

    games = eq.random_games("random", 2, seed=1)
    with pytest.raises(ValueError, match="64-bit integers, which JAX would cut to 32 bits"):
        jax.device_put(games)
    assert len(jax.tree.map(lambda leaf: np.repeat(leaf, 2, axis=0), eq.tragedy_of_power())) == 2
