"""Listing of equilibria: order, limits, and tables whose schemes cannot be enumerated."""

from __future__ import annotations

import random

import equilibrax as eq
import numpy as np
import oracles
import pytest

RULES = ("incumbent", "lowest_index")


@pytest.mark.parametrize("tie_break", RULES)
def test_lists_are_the_oracles(tables_of, tie_break):
    rng = random.Random(11)
    games = [oracles.random_table(rng, 3, 3, 3) for _ in range(60)]
    tables = tables_of(games)
    lengths = []
    for i, game in enumerate(games):
        for committee in oracles.committees(game):
            listed = eq.games.equilibrium_schemes(tables[i], committee, tie_break=tie_break)
            expected = oracles.equilibria(game, committee, tie_break)
            assert listed.dtype == np.int16
            assert list(map(tuple, listed.tolist())) == expected  # lexicographic, as the oracle lists them
            lengths.append(len(expected))
    assert max(lengths) > 5


@pytest.mark.parametrize("name", eq.io.PAPER_TABLES)
def test_paper_tables(name):
    table, game = eq.load_paper_table(name), oracles.paper_table(name)
    for committee in oracles.committees(game):
        listed = eq.games.equilibrium_schemes(table, committee)
        assert list(map(tuple, listed.tolist())) == oracles.equilibria(game, committee)


def test_a_needle_among_1e20_schemes():
    """Everybody wants the same, and nobody minds what happens in the last state."""
    rng = np.random.default_rng(0)
    user = np.array([rng.permutation(10) for _ in range(20)])
    user[-1] = 0
    table = eq.from_integers(user, np.stack([user * 2, user * 3 + 1]))
    best = user[:-1].argmax(axis=1)
    listed = eq.games.equilibrium_schemes(table, 0b11)
    np.testing.assert_array_equal(listed, [[*best, last] for last in range(10)])


def test_one_provider_plays_its_own_optima():
    table = eq.from_integers([[0, 1, 2], [5, 6, 7]], [[[4, 4, 1], [0, 9, 9]], [[1, 2, 3], [3, 2, 1]]])
    assert eq.games.equilibrium_schemes(table, 0b01).tolist() == [[0, 1], [0, 2], [1, 1], [1, 2]]
    assert eq.games.equilibrium_schemes(table, 0b10).tolist() == [[2, 0]]


def test_the_limit_is_a_number_of_schemes():
    table = eq.from_integers(np.zeros((3, 4), int), np.zeros((2, 3, 4), int))
    assert len(eq.games.equilibrium_schemes(table, 0b11, limit=64)) == 64
    with pytest.raises(ValueError, match=r"^limit: expected at most 63 equilibrium schemes, got 64; raise the limit$"):
        eq.games.equilibrium_schemes(table, 0b11, limit=63)


def test_a_table_with_too_many_equilibria_is_refused_at_once():
    table = eq.from_integers(np.zeros((20, 10), int), np.zeros((2, 20, 10), int))
    with pytest.raises(ValueError, match=r"^limit: expected at most 1,000,000 equilibrium schemes, got about 1e20"):
        eq.games.equilibrium_schemes(table, 0b11)


@pytest.mark.parametrize(
    ("tables", "committee", "options", "message"),
    [
        (2, 1, {}, r"^table: expected one table \(tables\[i\]\), got a batch of 2$"),
        (1, 4, {}, r"^committees: expected bitmasks from 1 to 3 for 2 providers, got 4$"),
        (1, 0, {}, r"^committees: expected bitmasks from 1 to 3 for 2 providers, got 0$"),
        (1, 1, {"tie_break": "none"}, r"^tie_break: expected one of 'incumbent', 'lowest_index', got 'none'$"),
    ],
)
def test_bad_arguments_are_refused(tables, committee, options, message):
    batch = eq.from_integers(np.zeros((tables, 1, 2), int), np.zeros((tables, 2, 1, 2), int))
    with pytest.raises(ValueError, match=message):
        eq.games.equilibrium_schemes(batch, committee, **options)
