"""Markets at the door: what the constructors keep exactly, what they refuse, and a new user."""

from fractions import Fraction

import equilibrax as eq
import numpy as np
import pytest

USER = np.array([[[3, 0, 1], [0, 3, 1]], [[1, 0, 0], [2, 5, 0]]])  # [N, X, A]
COMPONENTS = np.array([[[[1, 0, 2], [0, 4, 0]], [[7, 1, 1], [0, 0, 1]]]] * 2)  # [K, N, X, A]
WEIGHTS = np.array([[1, 2], [3, 0]])


def market(**changes):
    given = {"user": USER, "components": COMPONENTS, "weights": WEIGHTS, "prior": [0.25, 0.75]}
    return eq.separable_market(**(given | {"resolution": 10, "weight_resolution": 4} | changes))


def test_everything_becomes_whole_numbers_of_steps():
    made = market(weights=WEIGHTS / 4)
    assert made.prior.tolist() == [[1, 3]]
    assert made.user.tolist() == [(USER * 10).tolist()]
    assert made.weights.tolist() == [WEIGHTS.tolist()]
    assert made.scale.tolist() == [40]
    assert made.provider_scale.tolist() == [160]
    np.testing.assert_allclose(made.optimum_utility, [[3, (1 + 15) / 4]])


def test_a_batch_has_markets_that_differ_and_selects_them():
    both = market(user=np.stack([USER, 2 * USER]), prior=[[1, 1], [1, 2]])
    assert both.components.shape == (2, 2, 2, 2, 3)
    for one, row in ((both[1], 1), (both.select([1]), 1), (both.select([True, False]), 0)):
        assert one.user.tolist() == [both.user[row].tolist()]
        assert one.prior.tolist() == [both.prior[row].tolist()]
        assert one.market_id.tolist() == [row]


def test_actions_that_a_user_lacks_may_be_anything():
    utilities = USER.astype(float)
    utilities[1, :, 2] = np.nan
    made = market(user=utilities, available=[[True] * 3, [True, True, False]])
    assert made.user[0, 1, :, 2].tolist() == [0, 0]
    assert made.components[0, :, 1, :, 2].tolist() == [[0, 0], [0, 0]]


def test_what_players_see_is_counted_in_order():
    made = market(provider_sees=[[5, 2], [1, 1]], user_sees=[[0, 0], [1, 0]], state_of=[9, 9])
    assert made.provider_sees == ((0, 1), (0, 0))
    assert made.user_sees == ((0, 0), (0, 1))
    assert made.state_of == (0, 0)
    assert not made.same_sight()
    assert made.same_sight(0b01)
    assert hash(made.provider_sees) == hash(((0, 1), (0, 0)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"user": USER[0, 0]}, r"user: expected shape \[N, X, A\]"),
        ({"components": COMPONENTS[:, :1]}, "components: expected shape"),
        ({"weights": -WEIGHTS}, "weights: expected finite weights of at least 0, got -1"),
        ({"weights": WEIGHTS[:, :1]}, r"weights: expected shape \[2, 2\]"),
        ({"prior": [1, 0]}, "prior: expected positive"),
        ({"prior": [1, 2, 3]}, r"prior: expected shape \[2\]"),
        ({"user": np.where(USER == 5, np.inf, USER)}, "user: expected finite utilities, got inf"),
        ({"available": [[True] * 3, [False] * 3]}, "available: expected an action for every user, got none .* user 1"),
        ({"available": np.ones((2, 3))}, "available: expected booleans"),
        ({"provider_sees": [[0, 1]]}, r"provider_sees: expected whole numbers of shape \[2, 2\]"),
        ({"user_sees": [[0.5, 1], [0, 0]]}, "user_sees: expected whole numbers"),
        ({"state_of": [0.5, 1]}, r"state_of: expected whole numbers of shape \[2\], got \[2\] of float64"),
        ({"resolution": 0}, "resolution: expected a positive whole number"),
        ({"weights": [[1, 0.1], [0, 1]]}, r"weights: 0.1 at \[0, 0, 1\] rounds to zero in steps of 1/4"),
        ({"labels": "names"}, "labels: expected a MarketLabels, got 'names'"),
        (
            {"labels": eq.problems.MarketLabels(("x", "y"), ("a", "b"), ("p", "p"), (("1", "2", "3"),) * 2)},
            "different names",
        ),
        ({"labels": eq.problems.MarketLabels(("x", "y"), ("a", "b"), ("p", "q"), ("123", "123"))}, "tuples of strings"),
        ({"weights": WEIGHTS * 1e9, "weight_resolution": 10}, "use a smaller weight_resolution"),
        ({"resolution": 10**8, "prior": [10**6, 10**6 + 1]}, r"at most 2\*\*41"),
        (
            {
                "components": COMPONENTS * 10**8,
                "weights": WEIGHTS * 5 * 10**8,
                "prior": [100, 301],
                "resolution": 1,
                "weight_resolution": 1,
            },
            r"at most 2\*\*61",
        ),
    ],
)
def test_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        market(**changes)


def test_a_general_market_has_an_axis_for_every_user():
    tensor = np.arange(2 * 2 * 3 * 3).reshape(2, 2, 3, 3)
    made = eq.general_market(USER, tensor, available=[[True] * 3, [True, True, False]], resolution=1)
    assert not made.separable
    assert made.tensor[0, :, :, :, :2].tolist() == tensor[..., :2].tolist()
    assert (made.tensor[..., 2] == 0).all()  # the second user has no such action
    with pytest.raises(ValueError, match=r"tensor: expected .* 2 axes of actions"):
        eq.general_market(USER, tensor[0, 0])


def test_a_joint_prior_unfolds_into_the_cells_of_positive_probability():
    joint = np.zeros((2, 2, 1, 2, 2))  # outcome, two users, two providers
    joint[0, 0, 0, 0, 0], joint[0, 1, 0, 0, 1], joint[1, 1, 0, 1, 1] = 0.5, 0.25, 0.25
    made = eq.problems.market_from_prior(joint, USER, COMPONENTS, WEIGHTS, resolution=1, weight_resolution=1)
    assert made.prior.tolist() == [[2, 1, 1]]
    assert made.state_of == (0, 0, 1)
    assert made.user_sees == ((0, 1, 1), (0, 0, 0))
    assert made.provider_sees == ((0, 0, 1), (0, 1, 1))
    assert made.user[0].tolist() == USER[:, [0, 0, 1]].tolist()
    with pytest.raises(ValueError, match="the same cells to be positive"):
        eq.problems.market_from_prior(np.stack([joint, np.roll(joint, 1, 0)]), USER, COMPONENTS, WEIGHTS)


def test_a_newcomer_takes_her_share_exactly():
    """(1 - beta) u + beta f as rational numbers, for every profile of actions, and labels go along."""
    utility = np.array([[1, 0, 0, 2], [0, 1, 0, 2]])  # one action more than the others have
    f = np.array([[[1, 2, 3, 4], [5, 6, 7, 8]], [[4, 3, 2, 1], [8, 7, 6, 5]]])
    beta = [Fraction(1, 3), Fraction(2, 7)]
    labels = eq.problems.MarketLabels(("x", "y"), ("a", "b"), ("p", "q"), (("1", "2", "3"),) * 2)
    old = market(resolution=1, labels=labels)
    new = old.add_user(utility, f, beta, name="c", sees=[0, 1])
    assert new.users == 3
    assert new.actions == 4
    assert new.available.tolist() == [[[True] * 3 + [False]] * 2 + [[True] * 4]]
    assert new.user_sees == ((0, 0), (0, 0), (0, 1))
    assert new.labels.users == ("a", "b", "c")
    assert new.user[0, 2].tolist() == utility.tolist()
    for j in range(2):
        for i in range(2):
            share = Fraction(int(new.weights[0, j, i]), new.weight_resolution)
            assert share == (1 - beta[j]) * Fraction(int(old.weights[0, j, i]), old.weight_resolution)
        assert Fraction(int(new.weights[0, j, 2]), new.weight_resolution) == beta[j]
        assert new.components[0, j, 2].tolist() == f[j].tolist()
    assert np.gcd.reduce([new.weight_resolution, *new.weights.ravel()]) == 1


def test_a_newcomer_joins_a_general_market():
    tensor = np.arange(18).reshape(1, 2, 3, 3)
    old = eq.general_market(USER, tensor, resolution=1)
    f = np.array([[[9, 0, 1], [0, 9, 1]]])
    new = old.add_user(USER[0], f, Fraction(1, 4))
    assert new.weight_resolution == 4
    assert new.tensor[0].tolist() == (3 * tensor[..., None] + f[:, :, None, None]).tolist()


@pytest.mark.parametrize("beta", [1, -0.1, 0.99999, 1e-9, "half", [0.5] * 3])
def test_refuses_a_newcomer_with(beta):
    with pytest.raises(ValueError, match="beta"):
        market().add_user(USER[0], COMPONENTS[:, 0], beta)


def test_a_decimal_share_does_not_depend_on_the_steps_of_the_weights():
    old = market(weights=WEIGHTS / 4)
    for beta in (0.3, Fraction(3, 10), np.float32(0.3)):
        new = old.add_user(USER[0], COMPONENTS[:, 0], beta)
        shares = np.asarray(new.weights)[0] / new.weight_resolution
        np.testing.assert_allclose(shares[:, 2], 0.3)
        np.testing.assert_allclose(shares[:, :2], 0.7 * WEIGHTS / 4)


def test_refuses_what_is_no_newcomer():
    old = market(labels=eq.problems.MarketLabels(("x", "y"), ("a", "b"), ("p", "q"), (("1", "2", "3"),) * 2))
    for changes, message in [
        ({"available": [True]}, r"available: expected booleans of shape \[3\] or \[1, 3\], got \[1\] of bool"),
        ({"sees": [0]}, r"sees: expected whole numbers of shape \[2\], got \[1\]"),
        ({"name": "a"}, "labels: expected different names of users"),
        ({"name": 5}, "labels: expected tuples of strings"),
        ({"actions": 5}, "labels: expected tuples of strings, got 5"),
        ({"actions": ["1", "2"]}, "labels: expected 3 names of actions of user 2, got 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            old.add_user(USER[0], COMPONENTS[:, 0], 0.5, **changes)


def test_refuses_rows_that_are_not_there():
    both = market(user=np.stack([USER, USER]))
    for rows in ([2], [0.5], [True], [[0]]):
        with pytest.raises(ValueError, match="rows: expected positions of 2 markets, or 2 booleans"):
            both.select(rows)
    assert len(both.select(np.zeros(0, int))) == 0


def test_refuses_what_is_no_market():
    tables = eq.from_integers([[3, 1], [0, 2]], [[[1, 5], [2, 2]]])
    for call in (
        lambda: eq.games.market_regret(tables, [[0, 0]]),
        lambda: eq.theory.shared_utility(tables),
        lambda: eq.theory.revealed_utility(tables, [0, 0]),
        lambda: eq.theory.weak_market_alignment(tables),
        lambda: eq.theory.strong_market_alignment(tables),
    ):
        with pytest.raises(ValueError, match="market: expected a Market, got UtilityTables"):
            call()
