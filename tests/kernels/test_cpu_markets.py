"""Games between the providers of markets as loops: against the oracle, and against the JAX kernels."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles_market as oracle
import pytest
import test_oracles_market as oracle_cases
from equilibrax_kernels.cpu.market_games import market_games
from equilibrax_kernels.markets.postings import followed_values, general_postings, learned_values, separable_postings
from equilibrax_kernels.markets.profiles import profile_equilibria
from equilibrax_kernels.markets.replies import market_dynamics, replies

Arrays = dict[str, Any]


def random_markets(count: int, users: int, providers: int, states: int, actions: int, **options) -> list[oracle.Market]:
    """Markets that see alike."""
    rng = random.Random(repr((count, users, providers, states, actions, sorted(options.items()))))
    found: list[oracle.Market] = []
    for _ in range(count):
        new = oracle.random_market(rng, users, providers, states, actions, **options)
        same = found[0] if found else new
        found.append(replace(new, provider_sees=same.provider_sees, user_sees=same.user_sees))
    return found


def arrays(markets: list[oracle.Market], lam: float | None = None, rules: str = "obedience") -> Arrays:
    """What the loops take, markets first: strategies are rules, the same for all users."""
    first = markets[0]
    k, n, x, actions = first.providers, first.users, first.worlds, first.actions
    every = [oracle.public_rules(first, j) for j in range(k)]
    if rules == "delegation":
        cells = [oracle.canonical(sees) for sees in first.provider_sees]
        every = [
            [tuple(s[c] for c in own) for s in itertools.product(range(actions), repeat=max(own) + 1)] for own in cells
        ]
    listed = sorted({rule for of_provider in every for rule in of_provider})
    most = max(map(len, every))
    numbers = [[listed.index(rule) for rule in of_provider] for of_provider in every]
    own = np.array([row + row[-1:] * (most - len(row)) for row in numbers], np.int32)
    meaning = np.zeros((n, len(listed), x), np.int32)
    for user, (r, rule) in itertools.product(range(n), enumerate(listed)):
        seen = [(rule[w], first.user_sees[user][w]) for w in range(x)]
        sets = [sum(1 << (x - 1 - v) for v in range(x) if seen[v] == seen[w]) for w in range(x)]
        meaning[user, r] = rule if rules == "delegation" else sets
    prior = np.array([m.prior for m in markets], np.int64)
    contributions = np.array([m.user for m in markets], np.int64)[:, None] * prior[:, None, None, :, None]
    tensor = None
    if first.tensor is not None:
        tensor = (
            np.array([m.tensor for m in markets], np.int64).reshape(len(markets), k, x, -1) * prior[:, None, :, None]
        )
    else:
        weights = np.array([m.weights for m in markets])[..., None, None] * prior[:, None, None, :, None]
        contributions = np.concatenate([contributions, np.array([m.components for m in markets]) * weights], axis=1)
    slack = 1e-9 * prior.sum(axis=1) * (lam is not None)
    return {
        "contributions": contributions,
        "available": np.array([m.available for m in markets], bool),
        "prior": prior,
        "tensor": tensor,
        "rationality": np.full(len(markets), lam or 0.0),
        "of_users": slack,
        "of_providers": np.repeat(slack[:, None], k, axis=1),
        "quantal": lam is not None,
        "resolution": 1,
        "delegation": rules == "delegation",
        "own": np.ascontiguousarray(np.repeat(own[:, None], n, axis=1)),
        "exists": np.arange(most) < np.array([[len(of_provider)] for of_provider in every]),
        "rules": meaning,
        "labels": listed,
    }


def solved(given: Arrays, masks: list[int], step_limit: int = 1000, **wanted) -> SimpleNamespace:
    inputs = {name: value for name, value in given.items() if name != "labels"}
    asked = {"listed": False, "dynamics": False, "step_limit": step_limit, "threads": 2} | wanted
    return SimpleNamespace(**market_games(**inputs, masks=np.array(masks), **asked))


def agrees(results: SimpleNamespace, given: Arrays, row: int, c: int, team: list[int], found: list) -> None:
    """Count, extremes and first worst equilibria are those of the oracle's list."""
    assert results.count[row, c] == len(found)
    for user in range(results.worst.shape[2] if found else 0):
        expected = oracle.summary(found, user)
        assert (results.worst[row, c, user], results.best[row, c, user]) == (expected.worst, expected.best)
        first = next(e for e in found if e.values[user] == expected.worst)
        posted = results.profile[row, c, user]
        assert [given["labels"][given["own"][j, user, posted[j]]] for j in team] == list(first.rules)
        assert all(posted[j] == -1 for j in range(len(posted)) if j not in team)
        assert tuple(results.choice[row, c, user].tolist()) == first.choices


@pytest.mark.parametrize(
    ("count", "masks", "states", "options"),
    [
        (32, [1, 2, 3], 3, {}),
        (24, [3, 5, 7], 3, {"provider_information": "private"}),
        (12, [3], 4, {"provider_information": "private", "user_information": True, "ragged": True}),
        (32, [1, 2, 3], 3, {"general": True}),
    ],
)
def test_anonymous_games_agree_with_the_oracle(count, masks, states, options):
    markets = random_markets(count, 2, max(masks).bit_length(), states, 3, **options)
    given = arrays(markets)
    results = solved(given, masks, listed=True, dynamics=True)
    for (row, market), (c, mask) in itertools.product(enumerate(markets), enumerate(masks)):
        agrees(results, given, row, c, oracle.members(mask), oracle.anonymous_equilibria(market, mask))
        end = oracle.dynamics(market, mask)
        assert results.dynamics_cycle[row, c] == (end.status == "cycle")
        assert results.dynamics_ended[row, c] != (end.status == "cycle")
        if end.status != "cycle":
            assert results.dynamics_steps[row, c] == end.moves
            assert tuple(results.dynamics_choice[row, c].tolist()) == end.equilibrium.choices
            assert tuple(results.dynamics_value[row, c].tolist()) == end.equilibrium.values
            posted = results.dynamics_profile[row, c]
            rules = [given["labels"][given["own"][j, 0, posted[j]]] for j in oracle.members(mask)]
            assert rules == list(end.equilibrium.rules)


@pytest.mark.parametrize("rules", ["obedience", "delegation"])
def test_games_of_one_user_agree_with_the_oracle(rules):
    """Rules that name an action which she does not have are not posted."""
    markets = random_markets(12, 1, 2, 3, 2, provider_information="private", user_information=True, ragged=True)
    given = arrays(markets, rules=rules)
    results = solved(given, [1, 2, 3], listed=True)
    for (row, market), mask in itertools.product(enumerate(markets), (1, 2, 3)):
        found = oracle.personalized_equilibria_of_user(market, mask, 0, rules)
        agrees(results, given, row, mask - 1, oracle.members(mask), found)


def test_best_responses_that_go_round_are_noticed():
    given = arrays([oracle_cases.NOWHERE])
    results = solved(given, [3], listed=True, dynamics=True)
    assert results.count.tolist() == [[0]]
    assert results.dynamics_cycle.all()
    assert not results.dynamics_ended.any()
    market = random_markets(99, 2, 3, 3, 3, general=True)[13]  # goes round, but not through where the first round ended
    assert oracle.dynamics(market, 7).status == "cycle"
    assert solved(arrays([market]), [7], step_limit=100, dynamics=True).dynamics_cycle.all()
    stopped = solved(given, [3], step_limit=1, dynamics=True)
    assert stopped.dynamics_steps.tolist() == [[1]]
    assert not (stopped.dynamics_cycle | stopped.dynamics_ended).any()


CASES = [
    ("obedience", None, {"general": True, "ragged": True, "user_information": True}),
    ("delegation", None, {"general": True}),
    ("obedience", 7.5, {"ties": False}),
    ("obedience", np.inf, {"ties": False, "general": True, "user_information": True}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("rules", "lam", "options"), CASES)
def test_the_loop_agrees_with_the_jax_kernels(rules, lam, options):
    """Integers bit for bit; floating point to 1e-12, and what is chosen is the same where nothing is nearly tied."""
    given = arrays(random_markets(24, 2, 3, 3, 2, provider_information="private", **options), lam, rules)
    posted = np.random.default_rng(1).integers(0, given["exists"].sum(axis=1), (24, 3))
    results = solved(given, [7], 40, posted=posted, listed=True, dynamics=True)
    with jax.enable_x64(True):
        profiles, ends, reply = jax.jit(lambda: from_jax(given, posted))()
    expected = profiles._asdict() | {f"dynamics_{name}": array for name, array in ends._asdict().items()} | reply
    some = results.count[:, 0] > 0
    assert some.any()
    for name, array in expected.items():
        came, wanted = getattr(results, name), np.moveaxis(np.asarray(array), -1, 0)
        if name in ("worst", "best", "profile", "choice"):
            came, wanted = came[some], wanted[some]
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(came, wanted, rtol=1e-12, atol=1e-12, err_msg=name)
        else:
            np.testing.assert_array_equal(came, wanted, err_msg=name)


def from_jax(given: Arrays, posted: np.ndarray):
    """The same by the JAX kernels, lanes last: profiles and dynamics of all three providers, and a profile checked."""
    lanes = {
        name: jnp.asarray(np.moveaxis(given[name], 0, -1))
        for name in ("contributions", "available", "prior", "tensor", "of_users", "of_providers")
        if given[name] is not None
    }
    kind = jnp.float64 if given["quantal"] else jnp.int64
    lanes |= {name: lanes[name].astype(kind) for name in ("tensor", "of_users", "of_providers") if name in lanes}
    own, rules, general = jnp.asarray(given["own"]), given["rules"], given["tensor"] is not None
    users, _, states = rules.shape
    actions = lanes["contributions"].shape[3]
    shape = (*given["exists"].shape, len(posted))
    exists, does = jnp.broadcast_to(given["exists"][..., None], shape), None
    if given["delegation"]:
        acts = jnp.asarray(rules[0])
        values, _ = followed_values(lanes["contributions"], lanes["available"], acts)
        does = (acts[:, :, None] == jnp.arange(actions)).astype(lanes["tensor"].dtype)
        does = jnp.broadcast_to(does[None, ..., None], (users, *does.shape, len(posted)))
    else:
        leads = np.floor(np.log2(rules)) == np.arange(states - 1, -1, -1)  # the lowest state of its cell
        cells = jnp.asarray(np.where(leads, rules, 0).swapaxes(1, 2))
        quantal = (lanes["prior"], jnp.asarray(given["rationality"]), 1) if given["quantal"] else None
        sets = jnp.asarray(rules) if general else None
        values, does = learned_values(lanes["contributions"], lanes["available"], cells, quantal, sets)
    tolerances = (lanes["of_users"], lanes["of_providers"])
    if general:
        tensor = lanes["tensor"].reshape(3, states, *[actions] * users, -1)
        game = general_postings(values[0], does, tensor, own, exists, tolerances)
    else:
        game = separable_postings(values, own, exists, tolerances)
    member = jnp.ones((3, 1), bool)
    each = [replies(game, jnp.asarray(posted.T[:, None], jnp.int32), member, jnp.int32(j)) for j in range(3)]
    reply = {name: jnp.stack([getattr(one, name)[0] for one in each]) for name in ("now", "most", "first")}
    profiles = profile_equilibria(game, jnp.array([[0, 1, 2]], jnp.int32))
    return profiles, market_dynamics(game, jnp.array([7], jnp.int32), 40), reply
