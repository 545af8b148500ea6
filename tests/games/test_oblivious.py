"""Oblivious providers: programs against HiGHS by way of SciPy, sums over messages and partitions one by one."""

from __future__ import annotations

import importlib
import itertools
import math
from dataclasses import replace

import equilibrax as eq
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equilibrax import PersuasionGame
from equilibrax.games import _oblivious_rules as oblivious
from equilibrax_kernels.fits.persuasion import certified_rule, persuasion_rule
from scipy.optimize import linprog

COURT = PersuasionGame.from_prior(  # guilty or innocent; acquit or convict; prosecutor and defense
    [[[2, 0], [0, 1]]], user=[[1, 2], [2, 1]], providers=[[[0, 2], [0, 1]], [[1, 0], [2, 0]]]
)


def random_game(seed, b, z, x, a, k, kind) -> PersuasionGame:
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 5, (b, z, x))
    if z > 1:
        weights[:, 0, 1] = 0
    shapes = (b, z, x, a), (b, k, z, x, a)
    if kind == "smooth":
        user, providers = (rng.random(shape) for shape in shapes)
    else:
        user, providers = (rng.integers(0, 3, shape) for shape in shapes)
    available = None
    if kind == "menus":  # the first states and the others have no action in common
        available = np.zeros((x, a), bool)
        available[: x // 2, : a // 2] = available[x // 2 :, a // 2 :] = True
    if kind == "aligned":
        providers[:, 0] = user
        providers[:, -1] = 0
    return PersuasionGame.from_weights(weights, user, providers, available, resolution=1000)


def program(game, b, j):
    """The persuasion program of one provider as dense arrays over (x, plan), written from the definition."""
    scale = float(game.scale[b])
    user, provider, available = game.user[b] / scale, game.providers[b, j] / scale, game.available[b]
    plans = list(itertools.product(range(game.actions), repeat=game.signals))
    places = list(itertools.product(range(game.states), range(len(plans))))
    worth = np.array([sum(provider[z, x, a] for z, a in enumerate(plans[s])) for x, s in places])
    own = np.array([sum(user[z, x, a] for z, a in enumerate(plans[s])) for x, s in places])
    sums = np.array([[float(x == y) for x, _ in places] for y in range(game.states)])
    obey = []
    for s, plan in enumerate(plans):
        for z, other in itertools.product(range(game.signals), range(game.actions)):
            row = [
                user[z, x, plan[z]] - user[z, x, other] if t == s and available[x, other] else 0.0 for x, t in places
            ]
            obey.append(row)
    exists = [all(available[x, a] for a in plans[s]) for x, s in places]
    return worth, own, sums, np.array(obey), [(0.0, 1.0 if e else 0.0) for e in exists]


def best(objective, sums, obey, bounds, floor=None):
    """Largest value of an objective over obedient rules (with another objective at least `floor`)."""
    below = -obey if floor is None else np.concatenate([-obey, -floor[0][None]])
    right = np.zeros(len(below))
    if floor is not None:
        right[-1] = -floor[1]
    found = linprog(-objective, below, right, sums, np.ones(len(sums)), bounds, method="highs")
    assert found.status == 0, found.message
    return -found.fun


# --- examples of the papers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", ["best", "worst"])
def test_theorem_7(ties):
    """Prosecutor and defense attorney: the judge gets 5/3 where first-best is 2, by the rules of the proof."""
    rules = eq.games.oblivious_rules(COURT, ties=ties)
    assert rules.certified.all()
    assert rules.unique.all()
    assert rules.rule[0, 0] == pytest.approx(np.array([[0, 1], [0, 1]]), abs=1e-12)
    assert rules.rule[0, 1] == pytest.approx(np.array([[0.5, 0.5], [1, 0]]), abs=1e-12)
    assert rules.value[0] == pytest.approx([5 / 3, 1])
    assert eq.games.oblivious_utility(COURT, rules)[0] == pytest.approx([5 / 3] * 3, abs=1e-12)
    assert COURT.optimum_utility.tolist() == [2.0]


def test_prosecutor():
    """Kamenica and Gentzkow: with a prior of p < 1/2 the prosecutor convicts with probability 2 p."""
    priors = np.array([0.1, 0.3, 0.45])
    game = PersuasionGame.from_prior(
        [[[[p, 0], [0, 1 - p]]] for p in priors], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]]
    )
    rules = eq.games.oblivious_rules(game)
    assert rules.value[:, 0] == pytest.approx(2 * priors, abs=1e-12)
    assert rules.unique.all()
    convicted = np.einsum("bx,bx->b", rules.rule[:, 0, :, 0], np.stack([priors, 1 - priors], axis=1))
    assert convicted == pytest.approx(2 * priors, abs=1e-12)


# --- the program ------------------------------------------------------------------------------------------------------

SHAPES = [  # Z, X, A, kind
    (1, 3, 3, "smooth"),
    (1, 3, 3, "tied"),
    (1, 3, 3, "aligned"),
    (2, 3, 2, "tied"),
    (1, 4, 4, "menus"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("z", "x", "a", "kind"), SHAPES)
def test_against_scipy(z, x, a, kind):
    """Optimum, choice among optima, and whether there is a choice."""
    game = random_game(x * a, 10, z, x, a, 3, kind)
    gentle, harsh = eq.games.oblivious_rules(game), eq.games.oblivious_rules(game, ties="worst")
    alone = eq.games.oblivious_utility(game, gentle, [1, 2, 4])
    assert alone == pytest.approx(gentle.user_alone, abs=1e-9)  # she obeys, and it is best for her
    assert harsh.value == pytest.approx(gentle.value, abs=1e-9)
    assert not gentle.resolved.any()
    for b, j in itertools.product(range(len(game)), range(3)):
        worth, own, sums, obey, bounds = program(game, b, j)
        top = best(worth, sums, obey, bounds)
        assert gentle.value[b, j] == pytest.approx(top, abs=1e-8)
        assert gentle.bound[b, j] >= top - 1e-8
        for rules in (gentle, harsh):
            flat = rules.rule[b, j].ravel()
            assert worth @ flat == pytest.approx(rules.value[b, j], abs=1e-12)
            assert (obey @ flat >= -1e-9).all()
            assert sums @ flat == pytest.approx(np.ones(x), abs=1e-12)
        if b < 4:
            floor = (worth, top - 1e-9)
            assert gentle.user_alone[b, j] == pytest.approx(best(own, sums, obey, bounds, floor), abs=1e-6)
            assert harsh.user_alone[b, j] == pytest.approx(-best(-own, sums, obey, bounds, floor), abs=1e-6)
            rng = np.random.default_rng(b)
            ways = rng.normal(size=(3, len(worth)))
            spread = max(best(way, sums, obey, bounds, floor) + best(-way, sums, obey, bounds, floor) for way in ways)
            assert gentle.unique[b, j] == harsh.unique[b, j] == (spread < 1e-5)


@pytest.mark.parametrize("kind", ["smooth", "tied"])
def test_larger_programs_are_certified(kind):
    game = random_game(5, 40, 1, 7, 6, 2, kind)
    rules = eq.games.oblivious_rules(game)
    assert rules.certified.all()
    assert not rules.resolved.any()
    assert (np.abs(rules.gap) <= 1e-9).all()
    assert rules.unique.all() == (kind == "smooth")


def test_certificates_prove():
    """Any multipliers bound the optimum from above; a rule that is not obeyed shows it."""
    game = random_game(6, 10, 1, 3, 3, 3, "tied")
    rules = eq.games.oblivious_rules(game)
    rng, prove = np.random.default_rng(0), jax.jit(certified_rule)
    for b in range(8):
        user, provider = game.user[b] / game.scale[b], game.providers[b, 0] / game.scale[b]
        for size in (0.0, 0.5, 5.0):
            multipliers = size * rng.random((3, 1, 3))
            with jax.enable_x64(True):
                proof = prove(user, provider, game.available[b], rules.plans, rules.rule[b, 0], multipliers)
            assert float(proof.bound) >= rules.value[b, 0] - 1e-9
            assert float(proof.violation) <= 1e-12
    wrong = np.eye(2)[[0, 0]]  # always acquit, which the judge would not do
    with jax.enable_x64(True):
        proof = prove(
            COURT.user[0] / COURT.scale[0],
            COURT.user[0] * 0.0,
            COURT.available[0],
            np.arange(2)[:, None],
            wrong,
            0 * wrong[:, None],
        )
    assert float(proof.violation) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("z", "x", "a", "kind"), SHAPES[3:4])
def test_highs_takes_over(z, x, a, kind):
    game = random_game(x * a, 10, z, x, a, 3, kind)
    rules, host = eq.games.oblivious_rules(game), eq.games.oblivious_rules(game, iteration_limit=0)
    assert host.resolved.all()
    assert host.certified.all()
    assert not host.unique.any()
    assert host.value == pytest.approx(rules.value, abs=1e-9)


def test_uncertified_gentleraise(monkeypatch):
    monkeypatch.setattr(oblivious, "TOLERANCE", -1.0)
    with pytest.raises(eq.SolveError, match="2 of 2 rules are not certified"):
        eq.games.oblivious_rules(COURT)
    assert not eq.games.oblivious_rules(COURT, throw=False).certified.any()


def test_rows_do_not_leak():
    game = random_game(7, 10, 1, 3, 3, 3, "tied")
    rules = eq.games.oblivious_rules(game)
    for b in (0, 5):  # a batch of one
        assert (eq.games.oblivious_rules(game[b]).rule[0] == rules.rule[b]).all()


def test_rounding_before_the_program_makes_no_constraints():
    """Contributions computed in the same compiled program: what fusion leaves of x - x is no gain from disobeying."""
    game = random_game(0, 8, 2, 3, 2, 2, "smooth")
    plans = np.array(list(itertools.product(range(2), repeat=2)), np.int32)
    everything = np.ones((3, 2), bool)

    @jax.jit
    def rules(user, providers, scale):
        def of_provider(user, provider, scale):
            return persuasion_rule(
                user / scale,
                provider / scale,
                jnp.asarray(everything),
                jnp.asarray(plans),
                jnp.float64(1),
                jnp.int32(1000),
            )

        return jax.vmap(jax.vmap(of_provider, (None, 0, None)))(user, providers, scale)

    with jax.enable_x64(True):
        found = rules(game.user, game.providers, np.asarray(game.scale, np.float64))
        found = jax.tree.map(np.asarray, found)
    assert np.abs(found.bound - found.value).max() <= 1e-9
    assert found.violation.max() <= 1e-9
    np.testing.assert_allclose(found.value, eq.games.oblivious_rules(game).value, rtol=0, atol=1e-9)


# --- what the user puts together --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("z", "x", "a", "kind"), SHAPES)
def test_sum_over_messages(z, x, a, kind):
    """Every committee, by going through all tuples of recommendations."""
    game = random_game(20 + x * a, 10, z, x, a, 3, kind)
    rules = eq.games.oblivious_rules(game)
    utility = eq.games.oblivious_utility(game, rules)
    for b, mask in itertools.product(range(4), range(1, 8)):
        members = [j for j in range(3) if mask >> j & 1]
        expected = 0.0
        for heard in itertools.product(range(len(rules.plans)), repeat=len(members)):
            chance = [math.prod(rules.rule[b, j, y, s] for j, s in zip(members, heard)) for y in range(x)]
            possible = [c for c in range(a) if all(game.available[b, y, c] for y in range(x) if chance[y])]
            if any(chance):
                for signal in game.user[b]:
                    expected += max(sum(p * int(signal[y, c]) for y, p in enumerate(chance)) for c in possible)
        assert utility[b, mask - 1] == pytest.approx(expected / game.scale[b], abs=1e-12)
        for less in (mask & ~(1 << j) for j in members):
            assert less == 0 or utility[b, mask - 1] >= utility[b, less - 1] - 1e-12  # more information never hurts
    assert (utility <= game.optimum_utility[:, None] + 1e-12).all()


@pytest.mark.slow
@pytest.mark.parametrize(("z", "kind"), [(1, "tied"), (2, "tied"), (1, "menus")])
def test_partitions_by_brute_force(z, kind):
    """Pairs of partitions of four states; the same as rules that send the name of the cell for sure."""
    labels = [
        p for p in itertools.product(range(4), repeat=4) if all(p[i] <= max(p[:i], default=-1) + 1 for i in range(4))
    ]
    assert len(labels) == 15
    one = random_game(30 + z, 1, z, 4, 4, 2, kind)

    def allowed(partition):
        cells = ([y for y in range(4) if partition[y] == c] for c in set(partition))
        return all(one.available[0, cell].all(axis=0).any() for cell in cells)

    pairs = list(itertools.product([p for p in labels if allowed(p)], repeat=2))[::5]
    game = jax.tree.map(lambda leaf: np.repeat(leaf, len(pairs), axis=0), one)
    values = eq.games.oblivious_values(game, pairs)
    assert (eq.games.oblivious_utility(game, pairs, [3, 1]) == values[:, [2, 0]] / game.scale[:, None]).all()
    for i, pair in enumerate(pairs):
        for c, heard in enumerate(([pair[0]], [pair[1]], pair)):
            expected = 0
            for cell in set(zip(*heard)):
                inside = [y for y in range(4) if tuple(p[y] for p in heard) == cell]
                possible = one.available[0, inside].all(axis=0)
                expected += int(one.user[0][:, inside][..., possible].sum(axis=1).max(axis=1).sum())
            assert values[i, c] == expected

    rules = eq.games.oblivious_rules(one)
    named = replace(rules, rule=np.eye(4)[np.array(pairs)])
    assert eq.games.oblivious_utility(game, named) == pytest.approx(values / game.scale[:, None], abs=1e-12)
    alone = max(provider_value(one, 0, p) for p in labels if allowed(p))
    assert rules.value[0, 0] >= alone / one.scale[0] - 1e-9  # randomization never hurts a monopolist


def provider_value(game, j, partition):
    total = 0
    for cell in set(partition):
        inside = [y for y, label in enumerate(partition) if label == cell]
        possible = game.available[0, inside].all(axis=0)
        for z in range(game.signals):
            sums = np.where(possible, game.user[0, z, inside].sum(axis=0), -(2**60))
            total += int(game.providers[0, j, z, inside, sums.argmax()].sum())
    return total


# --- the door ---------------------------------------------------------------------------------------------------------

OVERLAP = PersuasionGame.from_tables(
    eq.from_integers(
        [[3, 1, 0], [0, 2, 1]], [[[1, 5, 0], [0, 2, 2]]], available=[[True, True, False], [False, True, True]]
    )
)


def wide(x, a, k=1, z=1):
    return PersuasionGame.from_weights(np.ones((z, x)), np.zeros((z, x, a)), np.zeros((k, z, x, a)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eq.games.oblivious_rules(OVERLAP), "the same actions or none in common, got states 0 and 1"),
        (lambda: eq.games.oblivious_rules(COURT, ties="first"), "ties: expected one of 'best', 'worst'"),
        (lambda: eq.games.oblivious_rules(COURT, iteration_limit=-1), "iteration_limit: expected a whole number"),
        (lambda: eq.games.oblivious_rules(wide(40, 60)), "game: expected a persuasion program of at most"),
        (lambda: eq.games.oblivious_rules(wide(2, 9, z=9)), "game: expected at most 4,194,304 plans"),
        (
            lambda: eq.games.oblivious_utility(COURT, [[[0, 1]]]),
            r"partitions: expected whole numbers of shape \[1, 2, 2\]",
        ),
        (lambda: eq.games.oblivious_utility(COURT, np.zeros((1, 2, 2))), "partitions: expected whole numbers of shape"),
        (lambda: eq.games.oblivious_utility(COURT, [[[0, 1]] * 2], [4]), "committees: expected bitmasks from 1 to 3"),
        (
            lambda: eq.games.oblivious_utility(wide(2, 2), eq.games.oblivious_rules(COURT)),
            "rules: expected those of 1 games",
        ),
        (
            lambda: eq.games.oblivious_utility(
                wide(11, 8, k=7), replace(eq.games.oblivious_rules(COURT), rule=np.full((1, 7, 11, 8), 1 / 8))
            ),
            "committees: expected at most 1,048,576 tuples of messages, got 8 messages from each of 7",
        ),
    ],
)
def test_errors_at_the_door(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_cells_without_an_action():
    available = [[True, False], [False, True]]
    game = PersuasionGame.from_weights([[1, 1]], [[[1, 0], [0, 1]]], [[[[1, 0], [0, 1]]]] * 2, available)
    assert eq.games.oblivious_values(game, [[[0, 1], [0, 1]]]).tolist() == [[20000] * 3]
    with pytest.raises(ValueError, match=r"partitions: expected an action .* got none for states \[0, 1\]"):
        eq.games.oblivious_values(game, [[[0, 0], [0, 1]]])


# --- the worst of all profiles of optimal partitions ------------------------------------------------------------------


def profiles_by_hand(game, b, mask):
    """The user's values after all profiles of optimal partitions, from the definition; and how many profiles."""
    players = [np.asarray(game.user)[b], *np.asarray(game.providers)[b]]

    def value(player, labels):
        total = 0
        for cell in set(labels):
            inside = [x for x in range(game.states) if labels[x] == cell]
            allowed = np.asarray(game.available)[b, inside].all(axis=0)
            if not allowed.any():
                return None
            for z in range(game.signals):
                sums = np.where(allowed, players[0][z, inside].sum(axis=0), -(10**15))
                total += int(players[player][z, inside].sum(axis=0)[sums.argmax()])
        return total

    every = [tuple(row) for row in itertools.product(range(game.states), repeat=game.states)]
    every = [row for row in every if all(v <= max(row[:x], default=-1) + 1 for x, v in enumerate(row))]
    optima = []
    for j in range(game.num_providers):
        if mask >> j & 1:
            worth = {row: value(1 + j, row) for row in every if value(1 + j, row) is not None}
            optima.append([row for row, v in worth.items() if v == max(worth.values())])
    profiles = list(itertools.product(*optima))
    return [value(0, list(zip(*profile))) for profile in profiles], len(profiles)


def test_worst_alone_is_not_worst_together():
    """Each of two providers has a partition that hides nothing more than the other does; together they hide more."""
    table = eq.from_integers(
        [[2, 0], [0, 2], [0, 1]], [[[1, 0], [0, 1], [1, 0]], [[1, 0], [0, 0], [1, 1]]], resolution=1
    )
    result = eq.solve(table, eq.Oblivious())
    assert result.equilibria[0, 2] == 4
    assert result.worst_value.tolist() == [[4, 3, 4]]
    assert result.best_value[0, 2] == 5
    assert not result.status.any()
    posted = result.worst_partition[0, 2]
    assert eq.games.oblivious_values(result.tables, [[posted, posted]]).tolist()[0][2] == 4


@pytest.mark.parametrize("z", [1, 2])
def test_profiles_of_optimal_partitions_by_brute_force(z):
    game = random_game(20 + z, 24, z, 4, 3, 2, "tied")
    result = eq.solve(game, eq.Oblivious())
    changed = 0
    for b, c in np.ndindex(24, 3):
        values, count = profiles_by_hand(game, b, int(result.committees[c]))
        assert result.equilibria[b, c] == count
        assert (result.worst_value[b, c], result.best_value[b, c]) == (min(values), max(values))
        heard = np.repeat(result.worst_partition[b, c][None], 2, axis=0)
        assert eq.games.oblivious_values(game[b : b + 1], heard[None])[0, 2] == min(values)
        changed += min(values) < max(values)
    assert changed > 5


@pytest.mark.parametrize(("name", "limit"), [("MAX_PROFILES", 1), ("MAX_STATES", 2)])
def test_profiles_that_are_not_compared_are_said_to_be(name, limit, monkeypatch):
    game = random_game(3, 12, 1, 3, 2, 2, "tied")
    whole = eq.solve(game, eq.Oblivious())
    monkeypatch.setattr(importlib.import_module("equilibrax.games.oblivious"), name, limit)
    found = eq.solve(game, eq.Oblivious())
    several = whole.equilibria > 1
    assert several.any()
    assert ((found.status == eq.Status.PROFILES_NOT_COMPARED) == several).all()
    assert (found.worst_value >= whole.worst_value).all()
    assert (found.worst_value == found.best_value).all()
    assert (found.worst_value[~several] == whole.worst_value[~several]).all()
