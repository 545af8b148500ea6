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


# --- efficiency -------------------------------------------------------------------------------------------------------


def test_efficiency_of_known_games():
    def found(*payoffs: list[list[int]]) -> eq.games.ProfileEfficiency:
        return eq.solve(eq.NormalForm.from_integers(payoffs), "nash").efficiency()

    dilemma = found([[3, 0], [5, 1]], [[3, 5], [0, 1]])
    assert (dilemma.efficient.tolist(), dilemma.efficient_profiles.tolist()) == ([False], [False])
    assert dilemma.gap.tolist() == [2.0]
    np.testing.assert_allclose(dilemma.lottery[0], [[1, 0], [0, 0]], atol=1e-9)
    meeting = found([[2, 0], [0, 1]], [[2, 0], [0, 1]])
    assert meeting.profile.tolist() == [[0, 0], [1, 1]]
    assert meeting.efficient.tolist() == [True, False]
    assert meeting.gap.tolist() == [0.0, 1.0]
    tragedy = eq.solve(eq.tragedy_of_power(), "nash").efficiency()
    assert (tragedy.weakly_efficient.tolist(), tragedy.gap.tolist()) == ([False], [1.0])
    # No profile is better for both than (2, 2), but half of (5, 0) and half of (0, 5) is.
    lots = found([[2, 0], [0, 5], [0, 0]], [[2, 0], [0, 0], [0, 5]])
    at = lots.profile.tolist().index([0, 0])
    assert (lots.efficient_profiles[at], lots.efficient[at]) == (True, False)
    assert abs(lots.gap[at] - 0.5) < 1e-9
    assert len(found([[1, 0], [0, 1]], [[0, 1], [1, 0]]).game) == 0


@pytest.mark.parametrize("backend", ["cpu", "xla"])
def test_weights_of_efficient_equilibria_make_one_agent_of_all(backend):
    games = random_games((2, 2, 2), 60, 6, seed=1)
    found = eq.solve(games, "nash").efficiency(backend=backend)
    assert 0.2 < found.efficient.mean() < 0.99
    for k, b in enumerate(found.game):
        payoffs = oracle.payoffs_of(games, b)
        profile = tuple(found.profile[k].tolist())
        dominated = [
            p
            for p in payoffs[0]
            if all(own[p] >= own[profile] for own in payoffs) and any(own[p] > own[profile] for own in payoffs)
        ]
        assert found.efficient_profiles[k] == (not dominated)
        total = {p: sum(w * float(own[p]) for w, own in zip(found.weights[k], payoffs)) for p in payoffs[0]}
        if found.efficient[k]:
            assert found.weights[k].min() > 0
            assert max(total.values()) <= total[profile] + 1e-9
            if all(own[profile] > 0 for own in payoffs):
                theta = found.welfare_weights[k]
                welfare = {
                    p: np.prod([float(max(own[p], 0)) ** t for t, own in zip(theta, payoffs)]) for p in payoffs[0]
                }
                assert max(welfare.values()) <= welfare[profile] + 1e-9
        else:
            assert np.isnan(found.welfare_weights[k]).all()
            better = [sum(found.lottery[k][p] * float(own[p]) for p in own) - float(own[profile]) for own in payoffs]
            assert min(better) >= found.gap[k] - 1e-9
            assert max(better) > 1e-9


# --- quantal response -------------------------------------------------------------------------------------------------


def test_the_branch_of_quantal_responses_is_one():
    """At lambda 0 everybody mixes evenly; strategies respond to each other; far out they are an equilibrium."""
    lambdas = (40.0, 0.0, 1.0, 400.0)
    mixed = eq.random_games("random", 12, (3, 2, 2), seed=5)
    branch = eq.solve(mixed, eq.Nash(logit=lambdas)).logit
    np.testing.assert_allclose(branch.strategy[:, 1], [[1 / 3] * 3 + [1 / 2] * 4] * 12)
    assert branch.reached.all()
    assert branch.residual.max() < 1e-9
    for b in range(len(mixed)):
        payoffs = oracle.payoffs_of(mixed, b)
        for r, rate in enumerate(lambdas):
            parts = [branch.of(i)[b, r] for i in range(3)]
            for i, own in enumerate(payoffs):
                value = np.zeros(len(parts[i]))
                for p, payoff in own.items():
                    value[p[i]] += float(payoff) * np.prod([parts[k][p[k]] for k in range(3) if k != i])
                response = np.exp(rate * (value - value.max()))
                np.testing.assert_allclose(parts[i], response / response.sum(), atol=1e-8)
                assert rate == 0 or value.max() - parts[i] @ value <= np.log(len(value)) / rate


def test_where_the_branch_turns_back_it_is_passed_first():
    """Before that, iterated responses for one lambda after the other find it."""
    games = eq.random_games("coordination", 16, (3, 3), seed=9)[15]
    tensor = [np.asarray(array) for array in games.to_arrays()]
    rates = np.arange(1, 41) / 10
    branch = eq.solve(games, eq.Nash(logit=[2.0, 4.0, 5.0])).logit
    assert branch.residual.max() < 1e-9
    first, second = np.full(3, 1 / 3), np.full(3, 1 / 3)
    for rate in rates:
        for _ in range(400):
            values = tensor[0] @ second, first @ tensor[1]
            new = [np.exp(rate * (v - v.max())) for v in values]
            first, second = ((1 - 0.5) * old + 0.5 * n / n.sum() for old, n in zip((first, second), new))
        for r, at in enumerate((2.0, 4.0)):
            if rate == at:
                np.testing.assert_allclose(branch.strategy[0, r], [*first, *second], atol=1e-6)
    # Beyond the fold of the branch, near 4.5, an iteration goes elsewhere: what comes there was checked by Gambit.
    np.testing.assert_allclose(branch.strategy[0, 2], [0.4038, 0.11763, 0.47857, 0.41481, 0.21145, 0.37373], atol=1e-5)


def test_a_branch_that_is_not_followed_says_so(monkeypatch):
    from equilibrax.games.nash import game

    game._compiled_branch.cache_clear()
    monkeypatch.setattr(game, "logit_branch", lambda *args, **kw: logit_branch(*args, **kw, step_limit=3))
    from equilibrax_kernels.normal_form.logit import logit_branch

    games = eq.random_games("random", 2, (2, 2), seed=77)
    found = eq.solve(games, eq.Nash(logit=[0.001, 50.0]), throw=False)
    assert found.logit.reached.tolist() == [[True, False]] * 2
    assert np.isnan(found.logit.strategy[:, 1]).all()
    assert not np.isnan(found.logit.strategy[:, 0]).any()
    assert all("BRANCH_LIMIT" in name for name in found.status_names)
    game._compiled_branch.cache_clear()
