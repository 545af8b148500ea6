"""Theorems 3.1, 4.3, 4.4 and 5.1: kept where their hypotheses hold, broken in markets where one is missing."""

import itertools
import random
from dataclasses import fields, replace
from fractions import Fraction
from types import SimpleNamespace

import equilibrax as eq
import numpy as np
import oracles_market as oracle
import pytest
from equilibrax.theory import _strong_program
from market_cases import as_market
from scipy.optimize import linprog

SIZES = {"users": 2, "providers": 3, "states": 3, "actions": 2}
STATED = [[0.5, 0.2], [0.2, 0.5]]  # w of Theorem 4.1's market
OF_THEOREM_4_1 = [(0.2, 0.5, 2.0), (0.25, 0.6, 1.5), (0.3, 0.8, 5.0), (0.4, 1.0, 1.01)]  # eps, c, D; three states each
MATCH = np.eye(2)


def play(market, game, committees="all", **options):
    kind = {"personalized": eq.Personalized, "anonymous": eq.Anonymous}[game]
    return eq.solve(market, kind(dynamics=False, **options), committees=committees)


@pytest.fixture(scope="module")
def theorem_4_1():
    """Committees {1}, {2} and both, in both games."""
    market = eq.problems.theorem_4_1_market(*OF_THEOREM_4_1[0])
    return {game: play(market, game) for game in ("personalized", "anonymous")}


@pytest.fixture(scope="module")
def theorem_5_2():
    market, newcomer = eq.problems.theorem_5_2_market()
    return market, newcomer.join(market)


def assert_kept(bound, share=1.0):
    assert not bound.refuted.any()
    assert bound.holds_hypothesis.mean() >= share
    assert np.isfinite(bound.bound[bound.holds_hypothesis]).all()


@pytest.fixture(scope="module")
def weakly_aligned():
    """By the error: markets and their alignment; as many as elsewhere, so nothing new is compiled to fit them."""
    markets = {e: eq.random_markets(48, **SIZES, alignment="weak", error=e, seed=3) for e in (0.0, 0.05)}
    return {error: (market, eq.theory.weak_market_alignment(market)) for error, market in markets.items()}


@pytest.mark.parametrize("error", [0.0, 0.05])
def test_theorem_3_1_on_random_markets(weakly_aligned, error):
    markets, alignment = weakly_aligned[error]
    result = play(markets, "personalized")
    found = eq.theory.market_theorem_3_1(result, alignment=alignment)
    assert_kept(found)
    if error == 0:
        assert np.abs(found.slack[:, -1]).max() < 1e-9  # with all providers the fit is exact, and so is the promise
        claimed = eq.theory.market_theorem_3_1(result, epsilon=0.0, alignment=alignment)
        alone = np.asarray(found.numbers["eps_U"]) > 1e-6
        assert alone.any()
        assert not claimed.holds_hypothesis[alone].any()
        assert not claimed.kept[alone].all()
        assert_kept(claimed, 1 / 7)


@pytest.mark.parametrize("error", [0.0, 0.05])
def test_theorems_4_3_and_4_4_on_random_markets(error):
    markets = eq.random_markets(48, **SIZES, alignment="strong", error=error, seed=4)
    result = play(markets, "anonymous")
    found = eq.theory.market_bounds(result)
    assert list(found) == ["Theorem 4.3", "Theorem 4.4"]
    for bound in found.values():
        assert_kept(bound, 0.9)
    assert (found["Theorem 4.4"].bound <= found["Theorem 4.3"].bound + 1e-9).all()
    solved = ~np.isnan(result.worst_utility)
    # Users whom the weights of least eps cover; others have promises too, with an eps that is not the least.
    covered = found["Theorem 4.4"].holds_hypothesis
    assert (found["Theorem 4.3"].holds_hypothesis >= covered).all()
    exact = found["Theorem 4.3"].slack[covered & solved]
    assert (np.abs(exact).max() < 1e-9) == (error == 0)


@pytest.fixture(scope="module")
def different_sight():
    """Strongly aligned providers of whom the first sees more than the second, one user with information of her own."""
    sight = {"provider_sees": [[0, 1, 2], [0, 1, 1]], "user_sees": [[0, 0, 0], [0, 1, 0]]}
    sizes = SIZES | {"providers": 2}
    markets = eq.random_markets(48, **sizes, alignment="strong", error=0.01, seed=8, **sight)
    return {game: play(markets, game) for game in ("personalized", "anonymous")}


def test_providers_who_see_different_things(different_sight):
    for result in different_sight.values():
        weak = eq.theory.weak_market_alignment(result.market, weights=np.full((2, 2), 0.5))
        found = eq.theory.market_theorem_3_1(result, alignment=weak)
        assert not found.refuted.any()
        assert found.holds_hypothesis.any() == isinstance(result.game, eq.Personalized)
        assert_kept(eq.theory.market_theorem_4_3(result), 0.9)
        assert_kept(eq.theory.market_theorem_4_4(result), 0.9)
        assert (eq.theory.shared_utility(result.market).utility < result.market.optimum_utility[:, None] - 0.01).any()


@pytest.mark.parametrize(("eps", "c", "d"), OF_THEOREM_4_1)
def test_theorem_4_1_for_several_eps_c_and_d(eps, c, d):
    """Silence is an anonymous equilibrium worth eps, and the worst; alone with providers everybody has c in all."""
    market = eq.problems.theorem_4_1_market(eps, c, d)
    silent = np.zeros((2, market.states), int)
    assert eq.games.market_regret(market, silent).value.tolist() == [[0, 0]]
    assert eq.theory.revealed_utility(market, silent[0])[0] == pytest.approx([eps, eps])
    anonymous, personalized = (play(market, game) for game in ("anonymous", "personalized"))
    assert anonymous.worst_utility[0, 2] == pytest.approx([eps, eps])
    assert (anonymous.worst_rules[0, 2] == silent).all()
    assert personalized.worst_utility[0, 2].min() >= c - 1e-12
    assert eq.theory.shared_utility(market, [0b11]).utility.tolist() == [[[c, c]]]
    generous = replace(market, weights=market.weights[:, :, ::-1])  # D becomes 1 / D, which the theorem excludes
    assert not eq.games.market_regret(generous, silent).equilibrium.any()
    assert play(generous, "anonymous").worst_utility[0, 2].min() > eps + 1e-6


def test_theorem_4_1(theorem_4_1):
    """No information at eps in the anonymous game, at least c for all in the personalized one."""
    results = theorem_4_1["personalized"], theorem_4_1["anonymous"]
    stated = eq.theory.weak_market_alignment(results[0].market, weights=STATED)
    personalized, anonymous = (eq.theory.market_theorem_3_1(result, alignment=stated) for result in results)
    assert_kept(personalized)
    assert personalized.measured[0, 2].tolist() == personalized.bound[0, 2].tolist() == [0.5, 0.5]
    assert anonymous.measured[0, 2].tolist() == [0.2, 0.2]
    assert not anonymous.holds_hypothesis.any()
    assert not anonymous.kept[0, 2].any()  # weak alignment is not enough without personalization
    strong = eq.theory.market_theorem_4_3(theorem_4_1["anonymous"])
    assert_kept(strong, 0.6)  # a provider alone does not care for one of them
    claimed = eq.theory.market_theorem_4_3(theorem_4_1["anonymous"], epsilon=0.0)
    assert not claimed.holds_hypothesis.any()
    assert not claimed.kept[0, 2].any()


def test_aligned_providers_must_play(theorem_4_1):
    result = theorem_4_1["personalized"]
    stated = eq.theory.weak_market_alignment(result.market, [3, 3, 3], weights=STATED)
    found = eq.theory.market_theorem_3_1(result, aligned=0b11, alignment=stated)
    assert found.holds_hypothesis[0].tolist() == [[False, False], [False, False], [True, True]]
    assert found.kept[0].tolist() == [[True, False], [False, True], [True, True]]  # each alone fails a user
    stated = eq.theory.weak_market_alignment(result.market, [1, 2, 1], weights=STATED)
    some = eq.theory.market_theorem_3_1(result, aligned=[1, 2, 1], alignment=stated)
    assert_kept(some)
    assert some.bound[0, 2].tolist() == some.bound[0, 0].tolist()


def test_a_user_nobody_cares_for_is_promised_nothing():
    market = eq.separable_market([MATCH, MATCH], [[MATCH, MATCH]] * 2, [[1, 0], [1, 0]])
    result = play(market, "personalized", committees=[0b11])
    claimed = eq.theory.weak_market_alignment(market, [0b11], weights=[[1, 1], [0, 0]])
    found = eq.theory.market_theorem_3_1(result, alignment=claimed)
    assert found.holds_hypothesis[0, 0].tolist() == [True, False]
    assert found.bound[0, 0].tolist() == [1.0, 1.0]
    assert found.kept[0, 0].tolist() == [True, False]
    strong = eq.theory.market_theorem_4_3(result)
    assert strong.holds_hypothesis[0, 0].tolist() == [True, False]


def test_partitions_cannot_share_what_takes_chance():
    """A coin, seen right 8 times in 10 by one provider and 7 times in 10 by the other, who can be made alike only by
    chance. Each is indifferent to revealing what it sees, though their components add up to the user's utility."""
    worlds = [(y, one, two) for y in (0, 1) for one in (0, 1) for two in (0, 1)]
    prior = [(8 if one == y else 2) * (7 if two == y else 3) for y, one, two in worlds]
    first, second = [[0, 3.2], [0.8, 0]], [[4.2, 0], [2.4, 4.2]]
    market = eq.separable_market(
        [[[first[y][a] + second[y][a] for a in (0, 1)] for y, *_ in worlds]],
        [[[first[y] for y, *_ in worlds]], [[second[y] for y, *_ in worlds]]],
        [[1], [1]],
        prior,
        provider_sees=[[one for _, one, _ in worlds], [two for *_, two in worlds]],
        state_of=[y for y, *_ in worlds],
        resolution=10,
    )
    result = play(market, "personalized", committees=[0b11])
    assert result.worst_utility[0, 0, 0] == pytest.approx(3.7)  # 3.2 and nothing but a guess
    stated = eq.theory.weak_market_alignment(market, [0b11], weights=[[1], [1]])
    assert stated.error.max() < 1e-9
    randomized = eq.theory.market_theorem_3_1(result, alignment=stated)
    assert randomized.bound[0, 0, 0] == pytest.approx(3.9)
    assert not randomized.holds_hypothesis.any()
    assert not randomized.kept.any()
    posted = eq.theory.market_theorem_3_1(result, alignment=stated, benchmark="partitions")
    assert_kept(posted)
    assert posted.bound[0, 0, 0] == pytest.approx(3.7)


def test_theorem_5_1_and_theorem_5_2(theorem_5_2):
    market, augmented = theorem_5_2
    before = play(market, "anonymous")
    assert before.worst_utility.tolist() == [[[1.0]]]
    assert_kept(eq.theory.market_theorem_4_3(before))
    after = play(augmented, "anonymous")
    assert after.worst_utility[0, 0] == pytest.approx([2 / 3, 2 / 3])
    stated = eq.theory.weak_market_alignment(market, weights=[[1]])
    broken = eq.theory.market_theorem_5_1(after, market, alignment=stated)
    assert not broken.holds_hypothesis.any()
    assert not broken.kept.any()
    personalized = eq.theory.market_theorem_5_1(play(augmented, "personalized"), market, alignment=stated)
    assert_kept(personalized)
    assert personalized.slack.tolist() == [[[0.0]]]


def test_a_market_that_is_not_augmented_is_promised_nothing(theorem_5_2):
    market, augmented = theorem_5_2
    result = play(augmented, "personalized")
    for change in (
        {"user": np.asarray(market.user)[:, :, ::-1]},
        {"components": np.asarray(market.components) + 1},
        {"provider_sees": ((0, 0),)},
        {"weights": np.asarray(market.weights) * 0},
    ):
        other = replace(market, **change)
        stated = eq.theory.weak_market_alignment(other, weights=[[1]])
        assert not eq.theory.market_theorem_5_1(result, other, alignment=stated).holds_hypothesis.any(), change
    with pytest.raises(ValueError, match="fewer than 2 users, got 1 of 1, 2 and 2"):
        eq.theory.market_theorem_5_1(result, augmented)


def test_newcomers_to_random_markets(weakly_aligned):
    """32 markets of three users are as many users as 48 of two: nothing new to compile."""
    rng = np.random.default_rng(1)
    markets, alignment = weakly_aligned[0.05]
    markets, alignment = markets[:32], first_markets(alignment, 32)
    betas = [Fraction(1, 3), Fraction(3, 4), Fraction(1, 2)]
    joined = markets.add_user(rng.random((32, 3, 2)), rng.random((32, 3, 3, 2)), betas)
    after = play(joined, "personalized")
    found = eq.theory.market_theorem_5_1(after, markets, alignment=alignment)
    assert found.bound.shape == (32, 7, 2)
    assert_kept(found)
    alone = eq.theory.market_theorem_3_1(
        replace(after, market=markets), alignment=alignment
    )  # what was promised before
    assert (found.bound == alone.bound).all()
    wider = replace(after, market=markets.add_user(rng.random((32, 3, 4)), rng.random((32, 3, 3, 4)), betas))
    assert eq.theory.market_theorem_5_1(
        wider, markets, alignment=alignment
    ).holds_hypothesis.all()  # more actions than others


def first_markets(alignment, count):
    """The alignment of the first markets of a batch."""
    names = [f.name for f in fields(alignment) if f.name != "committees"]
    return replace(alignment, **{name: getattr(alignment, name)[:count] for name in names})


def test_theorem_5_1_knows_an_augmented_general_market():
    tensor = np.random.default_rng(2).integers(0, 3, (4, 1, 2, 2, 2))
    market = eq.general_market(np.broadcast_to(MATCH, (4, 2, 2, 2)), tensor, resolution=2)
    joined = market.add_user(MATCH, [MATCH], Fraction(1, 4))
    fitted = eq.theory.weak_market_alignment(
        market, [1], components=np.broadcast_to(MATCH, (1, 2, 2, 2)), provider_weights=[[1, 1]], weights=[[1, 1]]
    )
    assert fitted.provider_error.max() > 0
    unsolved = SimpleNamespace(
        market=joined, committees=[1], game=eq.Personalized(), response="best", worst_utility=np.full((4, 1, 3), np.nan)
    )
    found = eq.theory.market_theorem_5_1(unsolved, market, alignment=fitted)
    assert found.holds_hypothesis.all()
    assert (found.bound == 1 - 2 * fitted.provider_error[..., None]).all()
    other = eq.general_market(np.broadcast_to(MATCH, (4, 2, 2, 2)), tensor[:, :, :, ::-1], resolution=2)
    assert not eq.theory.market_theorem_5_1(unsolved, other, alignment=fitted).holds_hypothesis.all()


def test_theorem_4_4_asks_for_delta_and_for_messages(different_sight):
    result = different_sight["anonymous"]
    true = eq.theory.market_theorem_4_4(result)
    assert_kept(eq.theory.market_theorem_4_4(result, delta=1.0), 0.9)
    small = eq.theory.market_theorem_4_4(result, delta=0.0)
    needed = np.asarray(true.numbers["delta_i"]) > np.asarray(small.numbers["delta_i"]) + 1e-6
    assert needed[:, 2].any()  # the first provider knows more than both
    assert not needed[:, :2].any()
    assert not small.holds_hypothesis[needed].any()
    assert not eq.theory.market_theorem_4_4(result, messages=1).holds_hypothesis.any()
    assert (eq.theory.market_theorem_4_4(result, messages=2).holds_hypothesis == true.holds_hypothesis).all()


def test_bounds_say_where_they_come_from(theorem_4_1):
    found = eq.theory.market_theorem_4_4(theorem_4_1["anonymous"])
    assert found.source == "2602.13451, Theorem 4.4"
    assert found.text((0, 2, 0)).startswith("Theorem 4.4: 0.200000 >= ")


def test_bad_input_is_refused(theorem_4_1):
    result = theorem_4_1["personalized"]
    stated = eq.theory.weak_market_alignment(result.market, weights=STATED)
    with pytest.raises(ValueError, match="result: expected the best response, got 'quantal'"):
        eq.theory.market_theorem_3_1(replace(result, game=eq.Personalized(response=eq.Quantal(1.0))))
    with pytest.raises(ValueError, match=r"aligned: expected a bitmask, or 3 of them, got \[1, 2\]"):
        eq.theory.market_theorem_4_3(result, aligned=[1, 2])
    with pytest.raises(ValueError, match="committees: expected bitmasks from 1 to 3"):
        eq.theory.market_theorem_4_3(result, aligned=4)
    with pytest.raises(ValueError, match=r"alignment: expected the sets \[1, 2, 3\], got \[3\]"):
        eq.theory.market_theorem_3_1(
            result, alignment=eq.theory.weak_market_alignment(result.market, [3], weights=np.eye(2))
        )
    with pytest.raises(ValueError, match="aligned: expected a bitmask, or 3 of them, got 'all'"):
        eq.theory.market_theorem_4_3(result, aligned="all")  # pyright: ignore[reportArgumentType]
    for wrong, message in [
        (eq.theory.weak_market_alignment(result.market, weights=STATED), "expected a StrongMarketAlignment, got Weak"),
        (
            eq.theory.strong_market_alignment(two_of(result.market)),
            r"expected markets, providers and users \[1, 2, 2\], got \[2",
        ),
    ]:
        with pytest.raises(ValueError, match=f"alignment: {message}"):
            eq.theory.market_theorem_4_3(result, alignment=wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="result: expected what solving a Market returns, got Market"):
        eq.theory.market_bounds(result.market)
    with pytest.raises(ValueError, match="original: expected a Market, got NoneType"):
        eq.theory.market_theorem_5_1(result, None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="messages: expected a whole number from 1"):
        eq.theory.market_theorem_4_4(result, messages=0)
    with pytest.raises(ValueError, match="delta: expected numbers of at least 0, got -1"):
        eq.theory.market_theorem_4_4(result, delta=-1)
    with pytest.raises(ValueError, match="epsilon: expected numbers of at least 0, got nan"):
        eq.theory.market_theorem_4_3(result, epsilon=np.nan)
    general = eq.general_market(np.broadcast_to(MATCH, (2, 2, 2)), np.ones((2, 2, 2, 2)))
    with pytest.raises(ValueError, match="alignment: expected one for a general market"):
        eq.theory.market_theorem_3_1(replace(result, market=general))
    with pytest.raises(ValueError, match=r"epsilon: expected a number or shape \[1, 3\]"):
        eq.theory.market_theorem_4_3(result, epsilon=np.zeros(5))
    with pytest.raises(ValueError, match="benchmark: expected"):
        eq.theory.market_theorem_3_1(result, alignment=stated, benchmark="public")  # pyright: ignore[reportArgumentType]


def two_of(market):
    """A batch of two of the same market."""
    return market.select([0, 0])


# The weights of Theorem 4.3 are chosen for the promise, not for eps.


def least_loss_by_rows(market, j, i):
    """min 2 eps / lambda_i by Charnes and Cooper, with SciPy and a row for every profile and state."""
    n, states, actions = market.users, market.states, market.actions
    user = np.asarray(market.user)[0] / market.resolution
    if market.separable:
        parts = np.asarray(market.components)[0, j] / market.resolution
        shares = np.asarray(market.weights)[0, j] / market.weight_resolution
    rows, limits = [], []
    for x in range(states):
        for profile in itertools.product(range(actions), repeat=n):
            if not all(market.available[0, k, a] for k, a in enumerate(profile)):
                continue
            if market.separable:
                own = sum(shares[k] * parts[k, x, a] for k, a in enumerate(profile))
            else:
                own = np.asarray(market.tensor)[(0, j, x, *profile)] / market.resolution / market.weight_resolution
            others = [user[k, x, a] if k != i else 0.0 for k, a in enumerate(profile)]
            hers = user[i, x, profile[i]]
            for sign in (1, -1):  # sign (hers + sum m_k u_k + c - t own) <= e
                rows.append([*(sign * np.array(others)), -sign * own, sign, -1])
                limits.append(-sign * hers)
    free = [(0, None)] * (n + 1) + [(None, None), (0, None)]
    return 2 * linprog([0] * (n + 2) + [1], rows, limits, bounds=free).fun


def odd_market(seed):
    """One market: as aligned as may be, with ties or with actions that do not exist, separable or general."""
    game = oracle.random_market(
        random.Random(seed), 2, 2, 3, 2, alignment=["none", "weak", "strong"][seed % 3], noise=1, ragged=seed % 2 == 1
    )
    return as_market([game])


@pytest.mark.parametrize("route", ["batched", "one by one"])
def test_least_losses_are_the_least(route, monkeypatch):
    monkeypatch.setattr(_strong_program, "_BATCHED_FITS", 1 if route == "batched" else 10**9)
    tensor = np.random.default_rng(5).integers(0, 5, (1, 2, 3, 2, 2))
    users = np.random.default_rng(6).integers(0, 5, (1, 2, 3, 2))
    markets = [odd_market(seed) for seed in range(6)] + [eq.general_market(users, tensor, resolution=4)]
    for number, market in enumerate(markets):
        found = eq.theory.least_loss(market)
        usual = eq.theory.strong_market_alignment(market, [1, 2]).loss[0]
        for j, i in np.ndindex(2, 2):
            right = least_loss_by_rows(market, j, i)
            assert found.loss[0, j, i] == pytest.approx(right, abs=1e-8), (number, j, i)
            assert found.loss[0, j, i] <= usual[j, i] + 1e-9
        assert found.certified.all()
        assert (found.gap <= 1e-8).all()


@pytest.mark.parametrize("alignment", ["strong", "weak", "none"])
def test_theorem_4_3_is_never_worse_than_with_the_weights_of_least_eps(alignment):
    """Bounds with any weights are promises, so those of `alignment=` may not exceed the best; on average they miss."""
    markets = eq.random_markets(48, **SIZES, alignment=alignment, error=0.05 * (alignment != "none"), seed=3)
    result = play(markets, "anonymous", committees=[0b111, 0b001])
    best = eq.theory.market_theorem_4_3(result)
    usual = eq.theory.market_theorem_4_3(result, alignment=eq.theory.strong_market_alignment(markets, [0b111, 0b001]))
    assert not best.refuted.any()
    assert (best.bound >= usual.bound - 1e-9).all()
    assert (best.holds_hypothesis | ~usual.holds_hypothesis).all()
    gained = (best.bound - usual.bound)[usual.holds_hypothesis]
    assert (gained > 1e-6).mean() > 0.5
    assert (eq.theory.market_bounds(result)["Theorem 4.3"].bound == best.bound).all()
    covered = best.holds_hypothesis & np.isfinite(best.numbers["eps"])
    eps, weight, shared = (np.asarray(best.numbers[name])[covered] for name in ("eps", "lambda*", "u(C*)"))
    assert shared - 2 * eps / weight == pytest.approx(best.bound[covered], abs=1e-9)


def test_weights_that_are_best_for_one_user_need_not_be_for_another():
    """Provider: her utility, a user's who sometimes differs, and a constant; each user's best factor is her own."""
    hers, his = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.6, 0.4]]
    market = eq.separable_market([hers, his], [[hers, hers]], [[1, 1]])
    found = eq.theory.least_loss(market)
    assert found.loss[0, 0].tolist() == pytest.approx([least_loss_by_rows(market, 0, i) for i in range(2)])
    usual = eq.theory.strong_market_alignment(market, [1])
    assert usual.loss[0, 0, 1] > found.loss[0, 0, 1] + 1e-3
