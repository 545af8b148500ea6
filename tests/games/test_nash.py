"""Games in normal form against brute force in fractions, and what theory says of the families."""

from __future__ import annotations

from itertools import permutations

import equilibrax as eq
import numpy as np
import oracles_normal_form as oracle
import pytest

SHAPES = [(2, 2), (3, 2), (1, 4), (2, 2, 2), (3, 1, 2), (2, 3, 2)]
ALL = eq.Nash(commitment=True)


def random_games(shape: tuple[int, ...], count: int, levels: int, seed: int = 0) -> eq.NormalForm:
    """Games with as many ties as there are few levels; in thirds."""
    rng = np.random.default_rng([seed, levels, *shape])
    return eq.NormalForm.from_integers(rng.integers(0, levels, (count, len(shape), *shape)), batched=True, resolution=3)


def same(one: eq.games.NashResult, other: eq.games.NashResult) -> None:
    for name in ("equilibrium", "equilibria", "symmetric", "dynamics_profile", "dynamics_steps", "committed", "status"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


CASES = [(shape, "cpu") for shape in SHAPES] + [((3, 2), "xla"), ((2, 2, 2), "xla")]


@pytest.mark.parametrize(("shape", "backend"), CASES)
def test_everything_is_what_brute_force_finds(shape, backend):
    for levels in (2, 40):
        games = random_games(shape, 20, levels)
        found = eq.solve(games, ALL, backend=backend)
        assert found.orders == list(permutations(range(len(shape))))
        for b in range(len(games)):
            payoffs = oracle.payoffs_of(games, b)
            assert found.profiles(b) == oracle.pure_equilibria(payoffs)
            assert found.equilibria[b] == len(found.profiles(b))
            assert found.symmetric[b] == oracle.is_symmetric(payoffs)
            for o, order in enumerate(found.orders):
                for ties, sign in enumerate((1, -1)):
                    assert tuple(found.committed[b, o, ties]) == oracle.committed(payoffs, order, sign)
            profile, moves, cycle = oracle.dynamics(payoffs, (0,) * len(shape))
            assert tuple(found.dynamics_profile[b]) == profile
            assert (found.dynamics_steps[b], found.dynamics_cycle[b]) == (moves, cycle)
            assert bool(found.status[b] & int(eq.Status.CYCLE)) == (cycle > 0)


def test_payoffs_and_names_are_those_of_the_profiles():
    games = random_games((2, 3), 10, 5)
    found = eq.solve(games, ALL)
    for b in range(len(games)):
        payoffs = oracle.payoffs_of(games, b)
        worth = np.array([[float(own[p]) for own in payoffs] for p in found.profiles(b)]).reshape(-1, 2)
        if len(worth):
            np.testing.assert_allclose(found.worst_utility[b], worth.min(axis=0))
            np.testing.assert_allclose(found.best_utility[b], worth.max(axis=0))
        else:
            assert np.isnan(found.worst_utility[b]).all()
            assert found.status[b] & int(eq.Status.NO_EQUILIBRIUM)
        np.testing.assert_allclose(found.optimum[b], [float(max(own.values())) for own in payoffs])
        played = tuple(found.committed[b, 1, 0].tolist())
        np.testing.assert_allclose(found.commitment_payoffs[b, 1, 0], [float(own[played]) for own in payoffs])
        assert found.committed_names(b, (1, 0)) == tuple(str(a + 1) for a in played)


def test_symmetric_equilibria_are_told_apart():
    stag = [[4, 0], [3, 3]]
    chicken = [[3, 1], [4, 0]]
    pennies = [[1, 0], [0, 1]]
    games = [[stag, np.transpose(stag)], [chicken, np.transpose(chicken)], [pennies, 1 - np.array(pennies)]]
    found = eq.solve(eq.NormalForm.from_integers(np.array(games), batched=True), eq.Nash())
    assert found.symmetric.tolist() == [True, True, False]
    assert found.equilibria.tolist() == [2, 2, 0]
    assert found.symmetric_equilibria.tolist() == [2, 0, -1]


def test_a_dynamics_is_stopped_where_it_is_told_and_starts_where_it_is_told():
    pennies = eq.NormalForm.from_integers([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
    for backend in ("cpu", "xla"):
        found = eq.solve(pennies, eq.Nash(start=(1, 0)), backend=backend)
        assert found.dynamics_cycle.tolist() == [4]
        assert found.dynamics_profile.tolist() == [[1, 0]]
        short = eq.Nash(dynamics=eq.Dynamics(step_limit=3))
        stopped = eq.solve(pennies, short, backend=backend, throw=False)
        assert stopped.dynamics_steps.tolist() == [3]
        assert stopped.status_names.tolist() == ["DYNAMICS_LIMIT|NO_EQUILIBRIUM"]
        with pytest.raises(eq.SolveError, match=r"1 of 1 games are not solved; the first is game 0: DYNAMICS_LIMIT"):
            eq.solve(pennies, short, backend=backend)


def test_without_commitment_power_is_a_tragedy():
    """Example 2.1: not built, to nobody's good, unless the AI commits."""
    found = eq.solve(eq.tragedy_of_power(), ALL)
    assert found.profile_names(0) == [("no Build", "Kill")]
    assert found.games.outcome_names()[int(found.games.outcome[0, 1, 0])] == "no Build"
    payoffs = oracle.payoffs_of(found.games, 0)
    better = [p for p in payoffs[0] if all(own[p] > own[1, 0] for own in payoffs)]
    assert [found.games.profile_names(p) for p in better] == [("Build", "no Kill")]
    assert found.committed_names(0, ("AI", "Humanity")) == ("Build", "no Kill")
    assert found.committed_names(0, ("Humanity", "AI"), "against")[0] == "no Build"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": (0,)}, "start: expected an action of each player"),
        ({"start": (0, 2)}, "start: expected an action of each player"),
        ({"start": (-1, 0)}, "start: expected an action's number"),
        ({"logit": -1}, "logit: expected numbers of at least 0"),
        ({"logit": 1.0}, "logit: expected a list of lambdas"),
        ({"logit": [float("inf")]}, "logit: expected finite numbers"),
        ({"commitment": "yes"}, "commitment: expected True or False"),
        ({"dynamics": eq.Dynamics(order="random", seed=0)}, "dynamics: expected best deviations in turn"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        eq.solve(random_games((2, 2), 1, 5), eq.Nash(**options))


def test_orders_of_many_players_are_too_many():
    with pytest.raises(ValueError, match="commitment: expected at most 5 players, whose orders are listed, got 6"):
        eq.solve(random_games((1,) * 6, 1, 5), ALL)
    with pytest.raises(ValueError, match='committees: expected "all" in the nash game'):
        eq.solve(random_games((2, 2), 1, 5), "nash", committees=[1])
