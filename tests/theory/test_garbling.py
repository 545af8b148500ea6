"""Shared benchmarks: against the oracle's program, closed forms, certificates, and what the definition leaves open."""

import random
from fractions import Fraction

import equilibrax as eq
import numpy as np
import oracles_market as oracle
import pytest
from equilibrax.theory._common_garbling import _bound, cells
from market_cases import as_market

BITS = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]


def signals(rng, user_signals):
    """Two outcomes, three providers with noisy observations of them, one user with or without one of her own."""

    def channel(outputs):
        cuts = [sorted(rng.randint(0, 6) for _ in range(outputs - 1)) for _ in range(2)]
        return [[high - low for low, high in zip([0, *row], [*row, 6])] for row in cuts]

    def table():
        return [[rng.randint(0, 3) for _ in range(3)] for _ in range(2)]

    channels = [channel(2), channel(2), channel(3)]
    components = [[table()] for _ in range(3)]
    return oracle.market_of_signals([rng.randint(1, 3) for _ in range(2)], channels, [table()], components, [[1]] * 3,
                                    [channel(2)] if user_signals else None)  # fmt: skip


@pytest.mark.parametrize("user_signals", [False, True])
def test_noisy_observations_agree_with_the_oracle(user_signals):
    rng = random.Random(6)
    strictly_between = 0
    for _ in range(25):
        game, state_of = signals(rng, user_signals)
        market = as_market([game], state_of)
        committees = [0b001, 0b011, 0b110, 0b111]
        found = eq.theory.shared_utility(market, committees)
        for c, committee in enumerate(committees):
            right = oracle.shared_utility(game, 0, committee, state_of)
            assert found.utility[0, c, 0] == pytest.approx(right, abs=1e-9)
            exact = oracle.shared_by_partitions(game, 0, committee, state_of)
            assert found.partitions[0, c, 0] == pytest.approx(float(exact), abs=1e-12)
            strictly_between += found.utility[0, c, 0] > found.partitions[0, c, 0] + 1e-6
        assert (found.public <= found.partitions + 1e-12).all()
        assert (found.partitions <= found.utility + 1e-12).all()
    assert strictly_between  # randomized maps matter in some


@pytest.mark.parametrize("knows", [False, True])
def test_partitions_of_the_state_need_no_program(knows):
    rng = random.Random(11)
    options = {"provider_information": "private", "user_information": knows, "ragged": True}
    for _ in range(15):
        game = oracle.random_market(rng, 2, 3, 4, 2, **options)
        found = eq.theory.shared_utility(as_market([game]))
        assert found.solved == 0
        for c, committee in enumerate(oracle.committees(game)):
            for i in range(2):
                right = oracle.shared_utility(game, i, committee)
                assert found.utility[0, c, i] == pytest.approx(right, abs=1e-9), (committee, i)
                assert found.partitions[0, c, i] == pytest.approx(right, abs=1e-9)


def test_all_who_see_the_same_share_everything():
    rng = random.Random(2)
    games = [oracle.random_market(rng, 2, 2, 4, 3, provider_information="same") for _ in range(1)]
    games += [
        oracle.replace(oracle.random_market(rng, 2, 2, 4, 3), provider_sees=games[0].provider_sees) for _ in range(9)
    ]
    found = eq.theory.shared_utility(as_market(games, state_of=[0, 1, 2, 3]), [0b11])
    full = eq.theory.revealed_utility(as_market(games), games[0].provider_sees[0])
    assert (found.utility[:, 0] == full).all()
    for b, game in enumerate(games):
        for i in range(2):
            assert full[b, i] == float(oracle.revelation_value(game, i, game.provider_sees[0]))


def test_independent_coordinates_share_their_intersection():
    """Section 2: the state is three independent bits; one sees the first two, the other the last two."""
    utility = np.random.default_rng(0).integers(0, 9, (8, 3)) / 8
    prior = [pa * pb * pc for pa, pb, pc in ([(1, 2)[a], (3, 1)[b], (2, 5)[c]] for a, b, c in BITS)]
    sees = [[2 * a + b for a, b, _ in BITS], [2 * b + c for _, b, c in BITS]]
    market = eq.separable_market([utility], [[utility]] * 2, [[1]] * 2, prior, provider_sees=sees, resolution=8)
    shared = eq.theory.shared_utility(market, [0b11])
    middle = eq.theory.revealed_utility(market, [b for _, b, _ in BITS])
    assert shared.public_rule.tolist() == [cells([b for _, b, _ in BITS]).tolist()]
    assert (shared.utility[:, 0] == middle).all()
    program = eq.theory.common_garbling(utility, sees, prior=prior)  # without the closed form
    assert program.utility == pytest.approx(middle[0, 0], abs=1e-9)
    assert program.gap < 1e-9


def test_a_certificate_is_what_it_says():
    game, state_of = signals(random.Random(8), True)
    worlds = np.array(game.user[0]) / game.resolution
    given = {"prior": game.prior, "outcome": state_of, "user_sees": game.user_sees[0]}
    found = eq.theory.common_garbling(worlds, game.provider_sees, **given)
    weights = np.array(game.prior) / sum(game.prior)
    both = cells(np.array(state_of) * 9 + np.array(game.user_sees[0]))
    laws = []
    for sees, f in zip(game.provider_sees, found.maps):
        assert f.sum(axis=1) == pytest.approx(np.ones(len(f)), abs=1e-12)
        assert f.min() >= 0
        law = np.zeros((both.max() + 1, f.shape[1]))
        for x, seen in enumerate(cells(sees)):
            law[both[x]] += weights[x] * f[seen]
        laws.append(law)
    assert np.abs(laws[0] - laws[1]).max() < 1e-12
    assert np.abs(laws[0] - laws[2]).max() < 1e-12
    advised = found.messages[:, cells(game.user_sees[0])].T  # [X, M]: doing what the message says is worth no more
    obeyed = sum(
        weights[x] * found.maps[0][cells(game.provider_sees[0])[x], z] * worlds[x, advised[x, z]]
        for x in range(len(worlds))
        for z in range(len(found.messages))
    )
    assert obeyed <= found.utility + 1e-12
    assert found.utility <= found.upper + 1e-12


def test_any_multipliers_prove_an_upper_bound():
    rng = np.random.default_rng(4)
    mass = [rng.dirichlet(np.ones(6)).reshape(2, 3)]
    mass.append(np.stack([mass[0].sum(axis=0) * share for share in (0.25, 0.75)]))  # a coin of its own
    utility = rng.random((3, 2))
    silent = (mass[0].sum(axis=0) @ utility).max()
    for _ in range(50):
        assert _bound(mass, utility, rng.normal(size=(1, 3, 2))) >= silent - 1e-12


def test_what_a_user_sees_is_coupled_too():
    """y is whether two coins agree; x_U is one, the first provider sees the other, the second a third one."""
    worlds = [(u, v, w) for u in (0, 1) for v in (0, 1) for w in (0, 1)]
    match = [[[float(a == (u ^ v)) for a in (0, 1)] for u, v, _ in worlds]]
    market = eq.separable_market(
        match,
        [match, match],
        [[1], [1]],
        provider_sees=[[v for _, v, _ in worlds], [w for *_, w in worlds]],
        user_sees=[[u for u, *_ in worlds]],
        state_of=[u ^ v for u, v, _ in worlds],
    )
    found = eq.theory.shared_utility(market)
    assert found.utility[0, :, 0].round(9).tolist() == [1.0, 0.5, 0.5]
    assert (
        eq.theory.shared_utility(market, rules="delegation").utility[0, 0, 0] == 0.5
    )  # what it says, whatever she knows


def test_benchmarks_fall_as_sets_grow_and_do_not_see_who_knows_more():
    rng = random.Random(3)
    for _ in range(5):
        game, state_of = signals(rng, False)
        found = eq.theory.shared_utility(as_market([game], state_of)).utility[0, :, 0]
        for one in range(1, 8):
            for other in range(1, 8):
                if one & other == one:
                    assert found[other - 1] <= found[one - 1] + 1e-9
        sees = [*game.provider_sees[:2], list(range(game.worlds))]
        omniscient = eq.theory.shared_utility(as_market([oracle.replace(game, provider_sees=sees)], state_of)).utility[
            0, :, 0
        ]
        assert omniscient[0b111 - 1] == pytest.approx(omniscient[0b011 - 1], abs=1e-12)


def test_a_batch_is_its_rows():
    rng = random.Random(1)
    game, state_of = signals(rng, False)
    same = [oracle.replace(game, prior=[rng.randint(1, 9) for _ in game.prior]) for _ in range(5)]
    together = eq.theory.shared_utility(as_market(same, state_of)).utility
    apart = [eq.theory.shared_utility(as_market([g], state_of)).utility[0] for g in same]
    assert (together == np.array(apart)).all()


def test_bad_input_is_refused():
    market = eq.problems.theorem_4_1_market()
    with pytest.raises(ValueError, match="committees: expected bitmasks from 1 to 3"):
        eq.theory.shared_utility(market, [4])
    with pytest.raises(ValueError, match="rules: expected"):
        eq.theory.shared_utility(market, rules="public")
    uneven = eq.separable_market([[[0, 1], [1, 0]]], [[[[0, 1], [1, 0]]]], [[1]], state_of=[0, 0])
    with pytest.raises(ValueError, match="state_of: expected utilities that depend on the outcome alone"):
        eq.theory.shared_utility(uneven)
    with pytest.raises(ValueError, match="2 actions to the power of 4 signals, 16; use a larger message_limit"):
        eq.theory.common_garbling(np.eye(4)[:, :2], [[0, 0, 1, 1], [0, 1, 0, 1]], user_sees=range(4), message_limit=15)
    with pytest.raises(ValueError, match="prior: expected 2 positive weights"):
        eq.theory.common_garbling(np.eye(2), [[0, 1]], prior=[1, 0])
    with pytest.raises(ValueError, match="outcome: expected utilities that depend on the label alone"):
        eq.theory.common_garbling(np.eye(2), [[0, 1]], outcome=[0, 0])
    with pytest.raises(ValueError, match="providers: expected labels of shape"):
        eq.theory.common_garbling(np.eye(2), [[0, 1, 2]])
    with pytest.raises(ValueError, match="utility: expected finite utilities"):
        eq.theory.common_garbling([[0, -np.inf], [0, 1]], [[0, 1]])


def test_an_action_that_does_not_exist_is_never_advised():
    match = [[Fraction(a == x) for a in range(3)] for x in range(3)]
    user = np.array([[float(v) for v in row] for row in match])
    user[:, 2] = -np.inf
    found = eq.theory.common_garbling(user, [[0, 1, 2], [0, 0, 1]])
    assert found.messages.max() == 1
    assert found.utility == pytest.approx(1 / 3, abs=1e-9)
