"""What comes in batches: tables, persuasion games and markets are sliced, chosen, joined and named alike."""

from __future__ import annotations

import equilibrax as eq
import numpy as np
import pytest

RNG = np.random.default_rng(7)
TABLES = eq.from_integers(RNG.integers(0, 9, (5, 3, 2)), RNG.integers(0, 9, (5, 4, 3, 2)), RNG.integers(1, 9, (5, 3)))
GAMES = eq.PersuasionGame.from_weights(
    RNG.integers(1, 9, (5, 2, 3)), RNG.integers(0, 9, (5, 2, 3, 2)), RNG.integers(0, 9, (5, 4, 2, 3, 2))
)
MARKETS = eq.separable_market(
    RNG.integers(0, 9, (5, 2, 3, 2)), RNG.integers(0, 9, (5, 4, 2, 3, 2)), RNG.integers(1, 9, (5, 4, 2))
)
GENERAL = eq.general_market(RNG.integers(0, 9, (5, 2, 3, 2)), RNG.integers(0, 9, (5, 4, 3, 2, 2)))
PROBLEMS = eq.DecisionProblem.from_arrays(
    RNG.integers(1, 9, (5, 3)), RNG.integers(0, 9, (5, 3, 2)), RNG.integers(0, 2, (5, 4, 3)),
    stakes=RNG.integers(0, 9, (5, 4, 3, 2)),
)  # fmt: skip
BATCHES = [TABLES, GAMES, MARKETS, GENERAL, PROBLEMS]
NAMES = ["tables", "games", "separable", "general", "problems"]


def arrays(batch):
    return {name: np.asarray(value) for name, value in vars(batch).items() if hasattr(value, "shape")}


def same(one, other):
    assert type(one) is type(other)
    mine, theirs = arrays(one), arrays(other)
    assert mine.keys() == theirs.keys()
    return all(np.array_equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("batch", BATCHES, ids=NAMES)
def test_slices_selections_and_concatenations_agree(batch):
    assert len(batch) == len(list(batch)) == 5
    assert (batch.states, batch.actions, batch.num_providers) == (3, 2, 4)
    assert same(eq.concatenate(list(batch)), batch)
    assert same(eq.concatenate([batch[3:], batch[:3]]), batch.select([3, 4, 0, 1, 2]))
    assert same(batch.select([1, -1, 1]), eq.concatenate([batch[1], batch[4], batch[1]]))
    assert same(batch.select(np.arange(5) % 2 == 0), batch[::2])
    assert not same(batch[0], batch[1])
    np.testing.assert_array_equal(batch.select([4, 2]).scale, batch.scale[[4, 2]])
    assert batch[2].rounding_error == 0.5 / batch.resolution


@pytest.mark.parametrize("batch", BATCHES, ids=NAMES)
def test_positions_outside_are_refused(batch):
    for rows in ([5], [-6], [0.5], [[0]], [True], "ab"):
        with pytest.raises(
            ValueError, match=r"^rows: expected positions of 5 (tables|games|markets|problems), or 5 booleans"
        ):
            batch.select(rows)
    with pytest.raises(IndexError, match=r"^(table|game|market|problem) 5 of a batch of 5$"):
        batch[5]


def test_unlike_batches_are_not_joined():
    for one, other in ((TABLES, GAMES), (MARKETS, GENERAL), (TABLES, TABLES.user)):
        with pytest.raises(ValueError, match=r"^batches: expected "):
            eq.concatenate([one, other])
    blind = eq.separable_market(
        MARKETS.user, MARKETS.components, MARKETS.weights, provider_sees=[[0, 1, 1]] * 4, resolution=1
    )
    with pytest.raises(ValueError, match=r"^batches: expected all alike"):
        eq.concatenate([MARKETS, blind])


@pytest.mark.parametrize("batch", BATCHES, ids=NAMES)
def test_committees_have_names(batch):
    names = batch.provider_names()
    who = "seller" if batch is PROBLEMS else "provider"
    assert names == tuple(f"{who} {j}" for j in (1, 2, 3, 4))
    for mask in (1, 6, 15):
        members = [names[j] for j in range(4) if mask >> j & 1]
        assert batch.committee_name(mask) == ", ".join(members)
        assert batch.committee_mask(members[::-1]) == mask
    with pytest.raises(ValueError, match=rf"committee: expected providers among {who} 1, .*, got 'nobody'"):
        batch.committee_mask(["nobody"])
    assert batch.state_names() == ("0", "1", "2")


NORMAL_FORM = eq.NormalForm.from_integers(RNG.integers(0, 9, (5, 2, 2, 3)), batched=True)


@pytest.mark.parametrize("batch", [*BATCHES, NORMAL_FORM], ids=[*NAMES, "normal form"])
def test_a_notebook_shows_what_a_batch_holds_and_its_first_in_full(batch):
    page = batch._repr_html_()
    assert page.count("<table>") == page.count("</table>") == 2
    assert f"<td>5 {batch._one}s, " in page
    assert "the first of 5" in page
    assert batch.describe()[f"{batch._one}s"] in repr(batch)
    assert len(repr(batch)) < 120
    lines = page.split("<tbody>")[2].count("<tr>")
    assert lines == {"table": 6, "market": 12, "problem": 6}.get(batch._one, 12 if batch is GAMES else 6)


def test_a_notebook_shows_the_numbers_that_were_given():
    tables = eq.from_arrays([[[0.25, 1], [0, -0.5]]], [[[[3, 0], [0, 1e-4]]]], states=["rain", "sun"])
    cells = [
        part.split("</td>")[0].rpartition(">")[2] for part in tables._repr_html_().split("<tbody>")[2].split("<td")
    ]
    assert cells[1:] == [
        "rain",
        "0",
        "0.25",
        "3",
        "rain",
        "1",
        "1",
        "0",
        "sun",
        "0",
        "0",
        "0",
        "sun",
        "1",
        "-0.5",
        "0.0001",
    ]


def test_names_in_a_notebook_are_text_and_a_large_batch_is_short():
    bad = "<img src=x onerror=alert(1)>"
    labels = {"states": [bad, "b"], "actions": ["a\u202e", "b"], "provider_names": [f"{bad}&"]}
    page = eq.from_arrays([[1, 0], [0, 1]], [[[0, 1], [1, 0]]], **labels)._repr_html_()
    assert "<img" not in page
    assert "\u202e" not in page
    assert page.count("&lt;img") == 7
    large = eq.sample_tables("uniform", 20_001, states=5, actions=6, providers=2, seed=0)
    page = large._repr_html_()
    for said in ("20,001 tables", "the first 10,000 are described", "6 more lines"):
        assert said in page
    assert len(page) < 6_000
    assert "0 tables" in large[:0]._repr_html_()


def test_decision_problems_are_described():
    said = PROBLEMS.describe()
    assert said["problems"] == "5 problems, 3 states, 2 acts, 4 items, 4 sellers"
    assert list(said["ties"]) == ["utility", "seller 1", "seller 2", "seller 3", "seller 4"]
