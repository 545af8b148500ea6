"""Games between the providers of markets against brute force over all profiles, and laws that they obey."""

import itertools
import random
from dataclasses import replace

import equilibrax as eq
import numpy as np
import oracles_market as oracle
import pytest
import test_oracles_market as oracle_cases
from equilibrax._core.status import SolveError


def random_markets(count, users, providers, states, actions, **options):
    """Markets of the oracle that see alike, priors without a common factor; and the engine's batch of them."""
    rng = random.Random(repr((count, users, providers, states, actions, sorted(options.items()))))
    found = []
    while len(found) < count:
        new = oracle.random_market(rng, users, providers, states, actions, **options)
        if np.gcd.reduce(new.prior) == 1:
            found.append(
                replace(new, provider_sees=found[0].provider_sees, user_sees=found[0].user_sees) if found else new
            )
    return found, batch(found)


def batch(markets):
    first = markets[0]
    units = dict.fromkeys(("user", "components", "tensor"), first.resolution) | {"weights": first.weight_resolution}

    def all_of(name):
        return np.array([getattr(m, name) for m in markets]) / units.get(name, 1)

    given = {"prior": all_of("prior"), "available": all_of("available").astype(bool), "resolution": first.resolution}
    given |= {"provider_sees": first.provider_sees, "user_sees": first.user_sees}
    if first.tensor is not None:
        return eq.general_market(all_of("user"), all_of("tensor"), **given)
    parts = all_of("components"), all_of("weights")
    return eq.separable_market(all_of("user"), *parts, weight_resolution=first.weight_resolution, **given)


def agrees(result, row, committee, user, found, own):
    """One user's line of a result is what the oracle's list of equilibria says; `own` is her place in them."""
    c = result.index(committee)
    at, team = (row, c, user), oracle.members(committee)
    count, worst, best = oracle.summary(found, own)
    assert result.equilibria[at] == count
    assert bool(result.status[row, c] & eq.Status.NO_EQUILIBRIUM) == (count == 0)
    if count == 0:
        assert np.isnan(result.worst_utility[at])
        return
    assert (result.worst_value[at], result.best_value[at]) == (worst, best)
    first = next(e for e in found if e.values[own] == worst)
    posted = [tuple(result.worst_rules[at][j].tolist()) for j in team]
    vectors = len(first.choices) > 1 and not isinstance(first.rules[0][0], int)
    assert posted == [rule[user] if vectors else rule for rule in first.rules]
    if len(first.choices) > 1:
        assert tuple(result.worst_choice[at].tolist()) == first.choices
    else:
        assert result.worst_choice[at][user] == first.choices[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "committees", "states", "options", "dynamics"),
    [
        (64, [1, 2, 3], 3, {}, None),
        (80, [3, 5, 7], 3, {}, "with"),
        (64, [3], 4, {"provider_information": "private", "user_information": True, "ragged": True}, None),
        (64, [1, 2, 3], 3, {"general": True}, "only"),
    ],
)
def test_anonymous_games_are_what_brute_force_says(count, committees, states, options, dynamics):
    """Worst, best, counts, the first of the worst profiles and what users choose in it; where dynamics ends."""
    markets, solved = random_markets(count, 2, max(committees).bit_length(), states, 3, **options)
    if dynamics == "with":
        markets[0] = third_wheel(oracle_cases.ROUND)
        solved = batch(markets)
    result = eq.solve(solved, eq.Anonymous(dynamics=dynamics == "with"), committees=committees)
    moved = eq.solve(solved, eq.Anonymous(dynamics="only")) if dynamics == "only" else result
    asymmetric = apart = 0
    for row, market in enumerate(markets):
        for committee in committees:
            found = oracle.anonymous_equilibria(market, committee)
            for user in range(2):
                agrees(result, row, committee, user, found, user)
            asymmetric += any(len(set(e.rules)) > 1 for e in found)
            apart += any(len(set(e.choices)) > 1 for e in found)
            if dynamics:
                ends_where_the_oracle_does(moved, row, market, committee)
    assert asymmetric > 0
    assert apart > 0
    if dynamics == "with":  # equilibria exist, and best responses go round: its utilities are known, its end is not
        cycling = result.status[0, result.index(0b011)]
        assert cycling == eq.Status.CYCLE
        assert np.isnan(result.dynamics_utility[0, 0]).all()
        assert not np.isnan(result.worst_utility[0, 0]).any()


def third_wheel(market):
    """The same market with a provider more whom nobody earns anything, and an action more that nobody has."""
    wider = {name: np.pad(getattr(market, name), [(0, 0)] * depth + [(0, 1)]) for name, depth in PADDED}
    components, weights = np.pad(wider["components"], [(0, 1)] + [(0, 0)] * 3), [*market.weights, (0, 0)]
    seen = [range(market.worlds)] * 3
    return replace(market, **(wider | {"components": components, "weights": weights, "provider_sees": seen}))


PADDED = (("user", 2), ("components", 3), ("available", 1))


def test_a_market_without_equilibrium():
    """Not an error: no utility, a count of zero and a status."""
    result = eq.solve(batch([oracle_cases.NOWHERE]), eq.Anonymous(dynamics=False), committees=[0b11])
    assert result.status.tolist() == [[eq.Status.NO_EQUILIBRIUM]]
    assert result.status_names.tolist() == [["NO_EQUILIBRIUM"]]
    assert result.equilibria.tolist() == [[[0, 0, 0]]]
    assert not result.solved.any()
    for values in (result.worst_utility, result.best_utility):
        assert np.isnan(values).all()
    for values in (result.worst_value, result.best_value, result.worst_rules, result.worst_choice):
        assert (values == -1).all()
    for bound in eq.theory.market_bounds(result).values():
        assert not bound.refuted.any()


def ends_where_the_oracle_does(result, row, market, committee):
    c, end = result.index(committee), oracle.dynamics(market, committee)
    cycle = bool(result.status[row, c] & eq.Status.CYCLE)
    assert cycle == (end.status == "cycle")
    if cycle:
        return
    assert (result.dynamics_steps[row, c] == end.moves).all()
    assert tuple(result.dynamics_choice[row, c].tolist()) == end.equilibrium.choices
    assert tuple(result.dynamics_value[row, c].tolist()) == end.equilibrium.values
    posted = [tuple(result.dynamics_rules[row, c, 0, j].tolist()) for j in oracle.members(committee)]
    assert posted == list(end.equilibrium.rules)


PERSONALIZED = {"provider_information": "same", "user_information": True, "ragged": True}


@pytest.mark.slow
@pytest.mark.parametrize("rules", ["obedience", "delegation"])
@pytest.mark.parametrize("sight", ["same", "private"])
def test_personalized_games_of_separable_markets_are_what_brute_force_says(rules, sight):
    markets, solved = random_markets(16, 2, 2, 3, 2, **PERSONALIZED | {"provider_information": sight})
    result = eq.solve(solved, eq.Personalized(protocol=rules, dynamics=False))
    assert result.counted == ("rules" if sight == "same" else "profiles")
    for row, market in enumerate(markets):
        for committee in oracle.committees(market):
            for user in range(2):
                if sight == "private":
                    found = oracle.personalized_equilibria_of_user(market, committee, user, rules)
                    agrees(result, row, committee, user, found, 0)
                    continue
                values = oracle.equilibrium_rules(market, committee, user, rules)
                at = (row, result.index(committee), user)
                assert result.equilibria[at] == len(values)
                assert result.worst_value[at] == min(values.values())
                assert result.best_value[at] == max(values.values())
                posted = result.worst_rules[at][oracle.members(committee)[0]]
                assert values[tuple(posted.tolist())] == result.worst_value[at]


@pytest.mark.parametrize("rules", ["obedience", "delegation"])
def test_personalized_games_of_general_markets_are_what_brute_force_says(rules):
    markets, solved = random_markets(10, 2, 2, 2, 2, general=True, ragged=True)
    result = eq.solve(solved, eq.Personalized(protocol=rules, dynamics=False), committees=[0b11])
    for row, market in enumerate(markets):
        found = oracle.personalized_equilibria(market, 0b11, rules)
        for user in range(2):
            agrees(result, row, 0b11, user, found, user)


def test_a_separable_market_as_a_tensor_is_the_same_market():
    markets, solved = random_markets(64, 2, 2, 3, 3)
    both = solved, batch([oracle.as_tensor(m) for m in markets])
    one, other = (eq.solve(m, eq.Anonymous(dynamics=False)) for m in both)
    for name in ("worst_value", "best_value", "equilibria", "worst_rules", "worst_choice", "status"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_names_of_users_providers_and_states_do_not_matter():
    """Users in another order, states in another order, and utilities in other units; providers where nobody is tied."""
    _, solved = random_markets(64, 2, 2, 3, 3, ties=False)
    result = eq.solve(solved, eq.Anonymous(dynamics=False))
    users = result.market.user[:, ::-1], result.market.components[:, :, ::-1], result.market.weights[:, :, ::-1]
    states = np.array([2, 0, 1])
    user, components = users[0][:, :, states] * 3 + 5, users[1][:, :, :, states] * 2 + 7
    moved = eq.separable_market(user, components, users[2], solved.prior[:, states], resolution=1, weight_resolution=1)
    other = eq.solve(moved, eq.Anonymous(dynamics=False))
    np.testing.assert_array_equal(other.equilibria, result.equilibria)
    added = 5 * solved.prior.sum(axis=1)[:, None, None]
    np.testing.assert_array_equal(other.worst_value[:, :, ::-1], 3 * result.worst_value + added)
    np.testing.assert_array_equal(other.best_value[:, :, ::-1], 3 * result.best_value + added)
    swapped = eq.separable_market(
        solved.user,
        solved.components[:, ::-1],
        solved.weights[:, ::-1],
        solved.prior,
        resolution=1,
        weight_resolution=1,
    )
    other = eq.solve(
        swapped, eq.Anonymous(dynamics=False)
    )  # who wins a user who is offered the same twice depends on the order
    np.testing.assert_array_equal(other.worst_value[:, [1, 0]], result.worst_value[:, :2])


@pytest.mark.slow
def test_certificates_of_profiles():
    """No regret in the equilibria found and where dynamics ends; elsewhere the regret is a gain that exists."""
    markets, solved = random_markets(64, 2, 2, 3, 3)
    _, others = random_markets(16, 2, 2, 3, 2, **PERSONALIZED)  # both as in other tests: nothing new to compile
    for game, of_game in (("anonymous", solved), ("personalized", others)):
        result = eq.solve(of_game, {"anonymous": eq.Anonymous, "personalized": eq.Personalized}[game](dynamics=False))
        for c in range(1, 3):
            worst = result.worst_rules[:, c, 0] if game == "anonymous" else result.worst_rules[:, c]
            regret = eq.games.market_regret(of_game, worst, game)
            assert regret.equilibrium.all()
            assert (regret.value == 0).all()
    silent = np.zeros((2, 3), int)
    regret = eq.games.market_regret(solved, silent)
    for row, market in enumerate(markets):
        play = oracle.AnonymousGame(market, 0b11)
        for j in range(2):
            options = [(s, 0) if j == 0 else (0, s) for s in range(5)]
            earned = [play.payoffs(option)[j] for option in options]
            assert regret.value[row, j] == max(earned) - earned[0]
            assert tuple(regret.deviation[row, j].tolist()) == play.rules[j][earned.index(max(earned))]
    assert not regret.equilibrium.all()
    with pytest.raises(ValueError, match=r"profile: expected whole numbers of shape \[2, 3\]"):
        eq.games.market_regret(solved, silent[0])
    blind = replace(solved, provider_sees=((0, 0, 0), (0, 1, 2)))
    with pytest.raises(ValueError, match="that provider 0 can post"):
        eq.games.market_regret(blind, [[0, 1, 1], [0, 0, 0]])


def test_too_many_profiles_to_list():
    """Refused with their number; a profile can still be checked, and here silence is an equilibrium (Theorem 4.1)."""
    large = batch([oracle.theorem_4_1("1/9", "8/9", 2)])
    assert large.states == 9
    with pytest.raises(ValueError, match=r'447,195,609 \(21,147 of each of 2 providers\).*dynamics="only"'):
        eq.solve(large, "anonymous")
    assert eq.games.market_regret(large, np.zeros((2, 9), int)).equilibrium.all()


def test_quantal_users():
    """Without rationality nothing that is said matters; with much of it users respond best, where nothing is tied."""
    _, solved = random_markets(64, 2, 2, 3, 3, ties=False)
    several = eq.solve(solved, eq.Anonymous(eq.Quantal([0, 7.5, np.inf]), dynamics=False), committees=[0b11])
    none, some, sharp = several.each
    assert several.worst_utility.shape == (64, 3, 1, 2)
    assert [one.rationality for one in several.each] == [0, 7.5, np.inf]
    alone = eq.solve(solved, eq.Anonymous(eq.Quantal(7.5), dynamics=False), committees=[0b11])
    assert alone.each == (alone,)
    for name in ("worst_utility", "best_utility", "equilibria", "worst_rules", "worst_choice", "status", "solved"):
        np.testing.assert_array_equal(getattr(some, name), getattr(alone, name), err_msg=name)
        np.testing.assert_array_equal(getattr(several, name)[:, 1], getattr(alone, name), err_msg=name)
    with pytest.raises(ValueError, match="rationality: expected one number for a profile"):
        eq.games.market_regret(solved, np.zeros((2, 3), int), eq.Anonymous(eq.Quantal([1, 2])))
    assert (none.equilibria == 25).all()
    np.testing.assert_allclose(none.worst_utility, none.best_utility)
    best = eq.solve(solved, eq.Anonymous(dynamics=False))
    np.testing.assert_allclose(sharp.worst_utility, best.worst_utility[:, 2:])
    np.testing.assert_array_equal(sharp.equilibria, best.equilibria[:, 2:])


def test_a_result_is_shown_with_names(capsys):
    """A line for every committee, user and lambda; nothing where there is no number."""
    _, solved = random_markets(64, 2, 2, 3, 3)
    result = eq.solve(solved, eq.Anonymous(dynamics=False))
    empty = replace(result, equilibria=result.equilibria * 0, status=result.status + int(eq.Status.NO_EQUILIBRIUM))
    for one in (result, empty):
        one.show(3, width=120)
    first, second = capsys.readouterr().out.split("anonymous, obedience, best response, ties: lowest_index")[:2]
    assert f"{result.worst_utility[3, 2, 1]:.6f}" in first
    assert first.count("user 2") == 3
    for word in ("provider 1, provider 2", "optimum", "equilibria", "takes", "OK"):
        assert word in first
    assert second.count("NO_EQUILIBRIUM") == 6
    assert result.index(["provider 1", "provider 2"]) == 2
    quantal = eq.Anonymous(eq.Quantal([0, 7.5, np.inf]), dynamics=False)
    eq.solve(solved, quantal, committees=[0b11]).show(0, width=120)
    shown = capsys.readouterr().out
    assert all(shown.count(f" {number} ") >= 2 for number in ("7.5", "inf"))


def test_dynamics_stop_where_they_are_told_and_notice_cycles():
    _, solved = random_markets(64, 2, 2, 3, 3, general=True)
    result = eq.solve(solved, eq.Anonymous(dynamics="only"))
    assert (result.equilibria == -1).all()
    assert np.isnan(result.worst_utility).all()
    moving = result.dynamics_steps[:, 2, 0] > 1
    assert moving.any()
    stopped = eq.Anonymous(dynamics=eq.Dynamics(step_limit=1), profiles=False)
    few = eq.solve(solved, stopped, throw=False)
    limited = few.status[:, 2] & eq.Status.DYNAMICS_LIMIT > 0
    np.testing.assert_array_equal(limited, moving)
    with pytest.raises(SolveError, match="DYNAMICS_LIMIT"):
        eq.solve(solved, stopped)
    ended = result.status[:, 2] == 0
    assert eq.games.market_regret(solved, result.dynamics_rules[:, 2, 0]).equilibrium[ended].all()


@pytest.mark.parametrize(
    ("game", "options", "message"),
    [
        (lambda: "selection", {}, "tables: expected UtilityTables in the selection game, got Market"),
        (lambda: eq.Personalized(protocol="partition"), {}, "protocol: expected one of"),
        (lambda: eq.Personalized(dynamics="only"), {}, "profiles: expected True in a market of selection games"),
        (lambda: eq.Personalized(dynamics="never"), {}, "dynamics: expected True, False"),
        (lambda: eq.Anonymous(dynamics=False, profiles=False), {}, "dynamics: expected some where no profiles"),
        (lambda: eq.Personalized(response=eq.Quantal([1, -2])), {}, "rationality: expected numbers of at least 0"),
        (lambda: eq.Personalized("delegation", response=eq.Quantal(1)), {}, "response: expected"),
        (lambda: "anonymous", {"committees": [4]}, "committees: expected bitmasks from 1 to 3"),
    ],
)
def test_refuses(game, options, message):
    market = batch([oracle.random_market(random.Random(0), 2, 2, 2, 2)])
    with pytest.raises(ValueError, match=message):
        eq.solve(market, game(), **options)


@pytest.mark.parametrize("option", [{"protocol": "delegation"}, {"tie_break": "incumbent"}, {"misalignment": True}])
def test_options_that_do_not_apply_cannot_be_written(option):
    with pytest.raises(TypeError, match=next(iter(option))):
        eq.Anonymous(**option)


def test_a_tie_rule_of_selection_games_needs_them():
    _, private = random_markets(4, 2, 2, 3, 2, provider_information="private")
    with pytest.raises(ValueError, match='tie_break: expected "lowest_index" except'):
        eq.solve(private, eq.Personalized(tie_break="incumbent"))


def test_refuses_markets_and_tables_in_each_others_games():
    tables = eq.from_integers([[3, 1], [0, 2]], [[[1, 5], [2, 2]]])
    with pytest.raises(ValueError, match="tables: expected a Market in the anonymous game, got UtilityTables"):
        eq.solve(tables, "anonymous")
    with pytest.raises(ValueError, match="dynamics: expected True, False or a Dynamics"):
        eq.solve(tables, eq.Selection(dynamics="only"))  # pyright: ignore[reportArgumentType]


def test_quantal_worths_do_not_chain():
    """A user goes through the providers and changes for what is better by more than the tolerance; by enumeration."""
    rng = np.random.default_rng(11)
    sees, lam, tolerance = [(0, 1, 2), (0, 1, 2), (0, 1, 1)], 6.0, 0.02
    sizes = (30, 3, 2)  # markets, states, actions
    user = rng.integers(0, 40, (sizes[0], 1, *sizes[1:]))
    parts = rng.integers(0, 40, (sizes[0], 3, 1, *sizes[1:]))
    market = eq.separable_market(user / 40, parts / 40, [[1]] * 3, provider_sees=sees, resolution=40)
    rules = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2)]
    own = [[r for r in rules if len(set(zip(row, r))) == len(set(row))] for row in sees]
    how = eq.Quantal(lam, tolerance=tolerance)
    games = {"personalized": eq.Personalized(response=how), "anonymous": eq.Anonymous(response=how)}
    results = {name: eq.solve(market, game, throw=False) for name, game in games.items()}

    def value(utility, hers, rule):
        total = 0.0
        for cell in set(rule):
            inside = [x for x in range(3) if rule[x] == cell]
            odds = np.exp(lam * hers[inside].mean(axis=0))
            total += (utility[inside].sum(axis=0) * odds / odds.sum()).sum() / 3
        return total

    def taken(profile, worth):
        has = 0
        for j in range(1, 3):
            has = j if worth[profile[j]] > worth[profile[has]] + tolerance else has
        return has

    posted = list(itertools.product(*own))[::9]
    alone = games["anonymous"]
    one_by_one = [eq.games.market_regret(market, np.array(profile), alone).equilibrium for profile in posted]
    chained = 0
    for b in range(sizes[0]):
        hers, theirs = user[b, 0] / 40, parts[b, :, 0] / 40
        worth = {rule: value(hers, hers, rule) for rule in rules}
        earn = {rule: [value(of, hers, rule) for of in theirs] for rule in rules}
        ordered = sorted(worth.values())
        chained += ordered[-1] - ordered[0] > 2 * tolerance and min(np.diff(ordered)) < tolerance
        worst, stable = [], {}
        for profile in itertools.product(*own):
            now = earn[profile[taken(profile, worth)]]
            moves = [(j, (*profile[:j], rule, *profile[j + 1 :])) for j in range(3) for rule in own[j]]
            stable[profile] = all(earn[other[taken(other, worth)]][j] - now[j] <= tolerance for j, other in moves)
            if stable[profile]:
                worst.append(worth[profile[taken(profile, worth)]])
        assert [bool(found[b]) for found in one_by_one] == [stable[profile] for profile in posted]
        for game, result in results.items():
            at = (b, result.index(0b111))
            assert result.status[at] == (0 if worst else eq.Status.NO_EQUILIBRIUM), game
            if worst and game == "anonymous":
                assert result.equilibria[at].max() == len(worst)
            if worst:
                assert result.worst_utility[at][0] == pytest.approx(min(worst), abs=1e-9)
                assert result.best_utility[at][0] == pytest.approx(max(worst), abs=1e-9)
    assert chained > 10
