"""The markets' oracle against hand-worked cases, the paper's instances, and itself done twice."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from fractions import Fraction

import oracles
import oracles_market as oracle
import pytest
from oracles_market import Market

HALF = Fraction(1, 2)


def utility(market: Market, value: int | None) -> Fraction:
    assert value is not None
    return Fraction(value, market.unit)


def test_rules_are_the_coarser_partitions_in_order():
    assert [len(oracle.growth_strings(n)) for n in range(1, 6)] == [1, 2, 5, 15, 52]
    market = Market([1] * 4, [[[0]] * 4], [[[[0]] * 4]], [[1]], provider_sees=[[7, 3, 7, 1]])
    rules = oracle.public_rules(market, 0)
    assert rules == [(0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 0), (0, 1, 0, 1), (0, 1, 0, 2)]
    everything = [oracle.canonical(s) for s in itertools.product(range(4), repeat=4)]
    assert rules == sorted({s for s in everything if oracle.meet([s, market.provider_sees[0]]) == s})
    two = replace(market, user=[[[0, 0, 0]] * 4], components=[[[[0, 0, 0]] * 4]], available=[[1, 0, 1]])
    assert len(oracle.delegation_rules(two, 0, 0)) == 2**3
    assert oracle.delegation_rules(two, 0, 0)[1] == (0, 0, 0, 2)


def test_the_user_adds_what_she_knows_and_ties_go_down():
    # Matching three worlds, action 3 is worth 1/2 of a match; she can tell world 2 from the others.
    of_user = [[2 * (a == x) + (a == 3) for a in range(4)] for x in range(3)]
    market = Market([1, 1, 1], [of_user], [[of_user]], [[1]], user_sees=[[0, 0, 1]])
    assert oracle.response(market, 0, (0, 0, 0)) == (0, 0, 2)
    assert oracle.response(replace(market, user_sees=[[0, 0, 0]]), 0, (0, 0, 0)) == (3, 3, 3)
    assert oracle.response(replace(market, available=[[0, 1, 0, 1]]), 0, (0, 0, 0)) == (1, 1, 3)


@pytest.mark.parametrize(
    ("eps", "c", "d"),
    [(Fraction(2, 5), 1, 2), (HALF, 1, Fraction(3, 2)), (Fraction(3, 10), Fraction(9, 10), Fraction(101, 100))],
)
def test_theorem_4_1(eps: Fraction, c: Fraction, d: Fraction):
    market = oracle.theorem_4_1(eps, Fraction(c), Fraction(d))
    silent = (0,) * market.worlds
    found = oracle.anonymous_equilibria(market, 3)
    assert (silent, silent) in [e.rules for e in found]
    for i in range(2):
        assert oracle.weak_fit(market, i, 3, [(c, eps), (eps, c)][i]).error == 0
        assert oracle.shared_utility(market, i, 3) == pytest.approx(float(c))
        assert utility(market, oracle.summary(found, i).worst) == eps
        assert utility(market, oracle.summary(found, i).best) == c
        alone = oracle.summary(oracle.personalized_equilibria_of_user(market, 3, i), i=0)
        assert utility(market, alone.worst) == c
    assert oracle.dynamics(market, 3).equilibrium.rules == (silent, silent)


def test_theorem_5_2():
    market = oracle.theorem_5_2()
    after = oracle.add_user(market, **oracle.theorem_5_2_newcomer())
    [before] = oracle.anonymous_equilibria(market, 1)
    [silent] = oracle.anonymous_equilibria(after, 1)
    assert oracle.strong_fit(market, 0, [HALF]).error == 0
    assert utility(market, before.values[0]) == 1
    assert [utility(after, value) for value in silent.values] == [Fraction(2, 3)] * 2
    for rule, expected in (((0, 0), Fraction(2, 3)), ((0, 1), Fraction(1, 4))):  # the displayed payoffs
        paid = oracle.payoff(after, 0, [oracle.response(after, i, rule) for i in range(2)])
        assert Fraction(paid, after.unit * after.weight_resolution) == expected
    assert oracle.strong_fit(oracle.as_tensor(market), 0, [HALF]).error == 0
    # Personalized, she keeps 1.
    assert utility(after, oracle.summary(oracle.personalized_equilibria(after, 1), 0).worst) == 1


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_proposition_a_2(steps: int):
    market = oracle.proposition_a_2(steps)
    assert [oracle.weak_fit(market, i, 3, [HALF, HALF]).error for i in range(2)] == [0, 0]
    # 1/2 is attained, by lambda = 0 and by lambda = 1, so the weights of a solution mean nothing.
    assert [oracle.strong_fit(market, j).error for j in range(2)] == pytest.approx([0.5, 0.5])
    assert [oracle.strong_fit(market, j, w).error for j in range(2) for w in ((0, 0), (1, 1))] == [HALF] * 4


def test_the_personalized_game_falls_apart_over_users():
    """Every profile of vectors, utilities separable and as a tensor, against one game per user."""
    rng = random.Random(1)
    for k, states, rules in [(2, 2, "obedience"), (2, 3, "obedience"), (3, 2, "obedience"), (2, 2, "delegation")] * 3:
        information = rng.choice(["all", "private"])
        market = oracle.random_market(
            rng, 2, k, states, 2, provider_information=information, user_information=True, ragged=True
        )
        committee = 2**k - 1
        joint = oracle.personalized_equilibria(market, committee, rules)
        assert joint == oracle.personalized_equilibria(oracle.as_tensor(market), committee, rules)
        each = [oracle.personalized_equilibria_of_user(market, committee, i, rules) for i in range(2)]
        expected = {
            (tuple(zip(e.rules, f.rules)), (*e.choices, *f.choices), (*e.values, *f.values))
            for e, f in itertools.product(*each)
        }
        assert {tuple(e) for e in joint} == expected
        assert len(joint) == len(expected) > 0
        for i in range(2):
            outcomes = oracle.equilibrium_rules(market, committee, i, rules)
            assert set(outcomes.values()) == {e.values[0] for e in each[i]}


def test_personalized_delegation_is_a_selection_game():
    """All see the worlds: the rules in use are the equilibria of that table, weight 0 meaning utility 0."""
    rng = random.Random(9)
    for k in (2, 3, 2, 3, 2):
        market = oracle.random_market(rng, 2, k, 3, 2, ragged=True)
        for i, committee in itertools.product(range(2), oracle.committees(market)):
            scaled = [[[w[i] * v for v in row] for row in f[i]] for w, f in zip(market.weights, market.components)]
            table = oracles.Table(market.user[i], scaled, market.prior, [market.available[i]] * 3)
            expected = oracles.equilibria(table, committee, "lowest_index")
            assert list(oracle.equilibrium_rules(market, committee, i, "delegation")) == sorted(expected)
    for _ in range(5):  # and of partitions: every rule in use is in use when everybody posts it
        market = oracle.random_market(rng, 1, 2, 4, 3, provider_information="same", user_information=True)
        found = oracle.personalized_equilibria_of_user(market, 3, 0)
        symmetric = [e.rules[0] for e in found if e.rules[0] == e.rules[1]]
        assert list(oracle.equilibrium_rules(market, 3, 0)) == symmetric


def test_anonymous_equilibria_are_what_the_definition_says():
    """Each profile against each deviation, one at a time; the tensor form of the same market agrees."""
    rng = random.Random(2)
    for k, states in [(1, 3), (2, 3), (3, 2), (2, 3), (3, 3)]:
        market = oracle.random_market(rng, 2, k, states, 3, user_information=states == 2)
        committee = 2**k - 1
        posted = [oracle.public_rules(market, j) for j in range(k)]

        def outcome(profile, market=market, k=k):
            values = [
                [oracle.user_value(market, i, oracle.response(market, i, rule)) for rule in profile] for i in range(2)
            ]
            picks = [values[i].index(max(values[i])) for i in range(2)]
            acts = [oracle.response(market, i, profile[picks[i]]) for i in range(2)]
            return picks, [oracle.payoff(market, j, acts) for j in range(k)]

        known = {profile: outcome(profile) for profile in itertools.product(*posted)}
        expected = {
            (profile, tuple(picks))
            for profile, (picks, pays) in known.items()
            if all(
                known[(*profile[:j], rule, *profile[j + 1 :])][1][j] <= pays[j] for j in range(k) for rule in posted[j]
            )
        }
        found = oracle.anonymous_equilibria(market, committee)
        assert {(e.rules, e.choices) for e in found} == expected
        assert found == oracle.anonymous_equilibria(oracle.as_tensor(market), committee)


# Three users, everybody sees the world, and no equilibrium: ties let a provider keep one user and lose another.
NOWHERE = Market(
    prior=[2, 1, 3, 1],
    user=[
        [[0, 1, 1], [2, 1, 2], [0, 0, 2], [2, 0, 1]],
        [[1, 2, 0], [0, 2, 1], [2, 0, 2], [2, 1, 0]],
        [[0, 1, 0], [0, 2, 2], [1, 2, 0], [0, 1, 2]],
    ],
    components=[
        [
            [[0, 1, 2], [2, 1, 0], [1, 0, 0], [2, 1, 0]],
            [[0, 0, 0], [1, 2, 1], [1, 1, 0], [0, 2, 0]],
            [[0, 0, 0], [1, 2, 0], [2, 1, 1], [1, 1, 2]],
        ],
        [
            [[0, 0, 2], [1, 2, 2], [1, 0, 0], [0, 2, 0]],
            [[0, 0, 2], [1, 0, 1], [0, 2, 2], [2, 1, 2]],
            [[2, 1, 1], [1, 2, 2], [2, 1, 0], [2, 1, 2]],
        ],
    ],
    weights=[[1, 2, 2], [0, 1, 2]],
)
# No ties; equilibria exist, yet best responses go round.
ROUND = Market(
    prior=[1, 3, 1],
    user=[[[200, 911], [105, 883], [794, 103]], [[575, 501], [37, 545], [996, 870]]],
    components=[
        [[[626, 318], [616, 928], [851, 873]], [[117, 408], [868, 453], [818, 377]]],
        [[[89, 701], [782, 46], [147, 335]], [[703, 42], [762, 930], [453, 981]]],
    ],
    weights=[[4, 3], [2, 5]],
)


def test_no_equilibrium_and_cycles():
    assert oracle.anonymous_equilibria(NOWHERE, 3) == []
    assert oracle.summary([], 0) == (0, None, None)
    assert oracle.dynamics(NOWHERE, 3).status == "cycle"
    assert all(oracle.personalized_equilibria_of_user(NOWHERE, 3, i) for i in range(3))
    assert oracle.anonymous_equilibria(ROUND, 3)
    assert oracle.dynamics(ROUND, 3).status == "cycle"


def test_dynamics_end_in_an_equilibrium():
    rng = random.Random(3)
    for n in range(30):
        market = oracle.random_market(rng, 2, 2 + n % 2, 3, 3, provider_information="private" if n % 3 else "all")
        for committee in oracle.committees(market):
            ended = oracle.dynamics(market, committee)
            if ended.status == "converged":
                assert ended.equilibrium in oracle.anonymous_equilibria(market, committee)
            if len(oracle.members(committee)) == 1:
                assert (ended.moves, ended.turns) == (0, 1)


# The benchmark


def test_the_example_of_section_2():
    """Independent coordinates of y, provider 1 sees the first two, provider 2 the last two: they share one."""
    rng = random.Random(4)
    worlds = list(itertools.product(range(2), repeat=3))
    chance = [(1, 2), (3, 1), (2, 3)]
    prior = [chance[0][w[0]] * chance[1][w[1]] * chance[2][w[2]] for w in worlds]
    of_user = [[rng.randint(0, 9) for _ in range(3)] for _ in worlds]
    market = Market(
        prior,
        [of_user],
        [[of_user]] * 2,
        [[1]] * 2,
        provider_sees=[[2 * w[0] + w[1] for w in worlds], [2 * w[1] + w[2] for w in worlds]],
    )
    middle = [w[1] for w in worlds]
    assert oracle.meet(market.provider_sees) == oracle.canonical(middle)
    assert oracle.shared_utility(market, 0, 3) == pytest.approx(float(oracle.revelation_value(market, 0, middle)))
    assert oracle.shared_by_partitions(market, 0, 3) == oracle.revelation_value(market, 0, middle)
    for j in range(2):
        alone = float(oracle.revelation_value(market, 0, market.provider_sees[j]))
        assert oracle.shared_utility(market, 0, 1 << j) == pytest.approx(alone)
    # Outer coordinates that are copies of each other are shared too: independence was needed.
    copies = [x for x, w in enumerate(worlds) if w[0] == w[2]]
    part = replace(
        market,
        prior=[prior[x] for x in copies],
        user=[[of_user[x] for x in copies]],
        components=[[[of_user[x] for x in copies]]] * 2,
        provider_sees=[[sees[x] for x in copies] for sees in market.provider_sees],
        user_sees=None,
    )
    full = oracle.revelation_value(part, 0, range(4))
    assert oracle.shared_utility(part, 0, 3) == pytest.approx(float(full))
    assert full > oracle.revelation_value(part, 0, [worlds[x][1] for x in copies])


MATCH = [[1, 0], [0, 1]]


def coin_market(*channels, user_channel=None, components=None):
    """Guess a coin; providers see it through channels."""
    components = [[MATCH]] * len(channels) if components is None else components
    users = None if user_channel is None else [user_channel]
    return oracle.market_of_signals([1, 1], channels, [MATCH], components, [[1]] * len(channels), users)


def test_common_garblings_of_noisy_coins():
    # Right 8 and 7 times in 10: provider 1 can be as wrong as provider 2, and partitions cannot.
    market, state_of = coin_market([[8, 2], [2, 8]], [[7, 3], [3, 7]])
    assert oracle.shared_utility(market, 0, 3, state_of) == pytest.approx(0.7)
    assert oracle.shared_by_partitions(market, 0, 3, state_of) == HALF
    # Sure of heads half the time, and sure of tails half the time. q_y = P(z = 1 | y): q_1 <= 1/2 + q_0 / 2 for
    # provider 1 and q_1 <= 2 q_0 for provider 2, so q = (1/3, 2/3). Each alone: 3/4.
    market, state_of = coin_market([[2, 0], [1, 1]], [[1, 1], [2, 0]])
    assert [oracle.shared_utility(market, 0, t, state_of) for t in (1, 2, 3)] == pytest.approx([0.75, 0.75, 2 / 3])
    assert oracle.shared_by_partitions(market, 0, 3, state_of) == HALF


def test_the_users_own_signal():
    """Independent given the state: the coupling with y is enough, and equal. If not: it means nothing."""
    for channel in ([[3, 1], [1, 3]], [[2, 1], [0, 3]]):
        market, state_of = coin_market([[4, 1], [2, 3]], [[3, 1], [1, 3]], user_channel=channel)
        assert oracle.independent_given_state(market, 0, 3, state_of)
        both = [oracle.shared_utility(market, 0, 3, state_of, couple) for couple in ("state", "state_and_signal")]
        assert both[0] == pytest.approx(both[1])
        alone = [oracle.revelation_value(market, 0, sees) for sees in market.provider_sees]
        silent = oracle.revelation_value(market, 0, [0] * market.worlds)
        assert silent - 1e-9 <= both[0] <= min(alone) + 1e-9
    # y and s are coins, provider 1 sees whether they agree, provider 2 a third coin. Given y both see a coin.
    worlds = list(itertools.product(range(2), repeat=3))
    market = Market(
        [1] * 8,
        [[MATCH[y] for y, _, _ in worlds]],
        [[[MATCH[y] for y, _, _ in worlds]]] * 2,
        [[1]] * 2,
        provider_sees=[[y ^ s for y, s, _ in worlds], [third for _, _, third in worlds]],
        user_sees=[[s for _, s, _ in worlds]],
    )
    state_of = [y for y, _, _ in worlds]
    assert [oracle.revelation_value(market, 0, sees) for sees in market.provider_sees] == [1, HALF]
    assert not oracle.independent_given_state(market, 0, 3, state_of)
    assert oracle.shared_utility(market, 0, 3, state_of) == pytest.approx(0.5)
    # And Theorem 3.1 would be false of the value 1: provider 1 hates a match, provider 2 likes it twice as much.
    hates = [[[1 - u for u in row] for row in market.user[0]]]
    likes = [[[2 * u for u in row] for row in market.user[0]]]
    market = replace(market, components=[hates, likes])
    assert oracle.weak_fit(market, 0, 3, [1, 1]).error == 0
    assert utility(market, oracle.summary(oracle.personalized_equilibria(market, 3), 0).worst) == HALF


def test_the_benchmark_where_it_is_known():
    """Each world its own state: what the meet reveals. All see the same: what they see. Else between the two bounds."""
    rng = random.Random(5)
    for n in range(20):
        information = ("private", "same")[n % 2]
        market = oracle.random_market(rng, 1, 2, 4, 3, provider_information=information, user_information=n % 3 == 0)
        common = oracle.revelation_value(market, 0, oracle.meet(market.provider_sees))
        assert oracle.shared_utility(market, 0, 3) == pytest.approx(float(common))
        assert oracle.shared_by_partitions(market, 0, 3) == common
        if n % 2:
            state_of = [0, 0, 1, 1]
            blurred = replace(market, user=[[market.user[0][2 * y] for y in state_of]])
            common = oracle.revelation_value(blurred, 0, blurred.provider_sees[0])
            assert oracle.shared_utility(blurred, 0, 3, state_of) == pytest.approx(float(common))
            assert oracle.shared_by_partitions(blurred, 0, 3, state_of) == common


# The theorems


def test_theorem_3_1_needs_the_randomized_rules_of_the_paper():
    """u = F_1 + F_2 - 21/5 (in fifths). Silence is an equilibrium of partitions, and 1/2 is less than 7/10."""
    first, second = [[[0, 16], [4, 0]]], [[[21, 0], [12, 21]]]
    market, state_of = oracle.market_of_signals(
        [1, 1], [[[8, 2], [2, 8]], [[7, 3], [3, 7]]], [[[5, 0], [0, 5]]], [first, second], [[1], [1]]
    )
    market = replace(market, resolution=5)
    assert oracle.weak_fit(market, 0, 3, [1, 1]).error == 0
    assert oracle.shared_utility(market, 0, 3, state_of) == pytest.approx(0.7)
    found = oracle.personalized_equilibria_of_user(market, 3, 0)
    assert utility(market, oracle.summary(found, 0).worst) == HALF
    assert oracle.shared_by_partitions(market, 0, 3, state_of) == HALF


def random_noisy_market(rng: random.Random) -> tuple[Market, oracle.Rule]:
    """Weakly aligned, binary signals of three states, so that garblings matter."""

    def channel():
        return [[w, 3 - w] for w in (rng.randint(0, 3) for _ in range(3))]

    components = [[[[rng.randint(0, 3) for _ in range(2)] for _ in range(3)]] for _ in range(2)]
    of_user = [[components[0][0][y][a] + components[1][0][y][a] for a in range(2)] for y in range(3)]
    shared = channel()
    channels = [shared, shared] if rng.random() < 0.3 else [channel(), channel()]
    return oracle.market_of_signals([1, 2, 1], channels, [of_user], components, [[1], [1]])


def test_bounds_of_the_personalized_game():
    """Theorem 3.1 for every set T of aligned providers, Theorem 5.1 after a newcomer."""
    rng = random.Random(6)
    tight = 0
    for n in range(18):
        market = oracle.random_market(
            rng,
            2,
            2 + n % 2,
            3,
            2,
            provider_information=("all", "same", "private")[n % 3],
            user_information=n % 2 == 0,
            alignment="weak",
            noise=n % 2,
        )
        newcomer = oracle.random_market(rng, 1, market.providers, 3, 2)
        after = oracle.add_user(
            market,
            newcomer.user[0],
            [of_j[0] for of_j in newcomer.components],
            [Fraction(rng.randint(1, 3), 4) for _ in range(market.providers)],
        )
        everybody = 2**market.providers - 1
        for i, game in itertools.product(range(2), (market, after)):
            worst = oracle.summary(oracle.personalized_equilibria_of_user(game, everybody, i), 0).worst
            for team in oracle.committees(market):
                benchmark = oracle.shared_utility(market, i, team)
                bound = oracle.theorem_3_1(benchmark, oracle.weak_fit(market, i, team).error, 0, 0)
                assert float(utility(market, worst)) >= bound - 1e-7
                tight += float(utility(market, worst)) < bound + 1e-7
    assert tight > 10
    for _ in range(40):
        market, state_of = random_noisy_market(rng)
        worst = oracle.summary(oracle.personalized_equilibria_of_user(market, 3, 0), 0).worst
        assert utility(market, worst) >= oracle.shared_by_partitions(market, 0, 3, state_of)


def test_bounds_of_the_anonymous_game():
    """Theorems 4.3 and 4.4 with the LP's eps, and 4.3 with each provider's own; broken without alignment."""
    rng = random.Random(7)
    held = broken = 0
    for n in range(24):
        market = oracle.random_market(
            rng,
            2,
            2,
            3,
            2,
            provider_information=("all", "same", "private")[n % 3],
            user_information=n % 2 == 0,
            alignment="strong" if n % 4 else "none",
            noise=n % 2,
        )
        found = oracle.anonymous_equilibria(market, 3)
        fits = [oracle.strong_fit(market, j) for j in range(2)]
        for i in range(2):
            benchmark = oracle.shared_utility(market, i, 3)
            worst = oracle.summary(found, i).worst
            if worst is None:
                continue
            broken += n % 4 == 0 and float(utility(market, worst)) < benchmark - 1e-7
            lambdas = [max(fit.weights[i], 0.0) for fit in fits]
            if max(lambdas) < 1e-6:
                continue
            eps = max(fit.error for fit in fits)
            bound = oracle.theorem_4_3(benchmark, eps, lambdas)
            own = benchmark - min(2 * fit.error / w for fit, w in zip(fits, lambdas) if w)
            assert bound - 1e-9 <= own <= float(utility(market, worst)) + 1e-7
            held += own > 0
            table = [[max(w, 0.0) for w in fit.weights] for fit in fits]
            for rounds in (1, 2):
                deltas = [oracle.delta_r(market, 3, j, rounds) for j in range(2)]
                assert min(deltas) >= -1e-9
                silent = float(oracle.revelation_value(market, i, [0] * market.worlds))
                last = silent if rounds == 1 else benchmark
                assert oracle.theorem_4_4(last, eps, table, deltas, i) <= bound + 1e-7
    assert held > 12
    assert broken > 0


def test_strong_alignment_is_weak_alignment():
    """Proposition A.1: with F = u the tensor's eps is the separability error, and the user's error is 0."""
    rng = random.Random(8)
    market = oracle.random_market(rng, 2, 2, 2, 3, alignment="strong")
    assert [oracle.strong_fit(market, j, market.weights[j]).error for j in range(2)] == [0, 0]
    for i in range(2):
        caring = [Fraction(row[i] > 0) for row in market.weights]
        assert oracle.weak_fit(market, i, 3, [w / sum(caring) for w in caring]).error == 0
    assert oracle.mu([HALF, 0, 1], [2, 0, Fraction(1, 3)]) == Fraction(13, 4)
    # 1 if both do the same: no sum of two functions is nearer than 1/2.
    same = Market([1], [[[0, 1]]] * 2, tensor=[[[[1, 0], [0, 1]]]])
    assert oracle.separability_error(same, 0) == pytest.approx(0.5)
    assert oracle.separability_error(oracle.as_tensor(market), 0) == pytest.approx(0, abs=1e-9)
