"""Cases for `gpu.py`: kernels of games in which users learn something: partitions, rules, markets, conversations.

Values of the quantal response are divided by the largest possible value, so that 1e-9 is 1e-9 of that.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from equilibrax_kernels.conversation.conversation import best_values, quantal_values, straightforward
from equilibrax_kernels.conversation.substitutes import substitutes_slack
from equilibrax_kernels.conversation.transcripts import draw_rows, draw_transcripts, transcript_weights
from equilibrax_kernels.fits.persuasion import certified_rule, combined_value, persuasion_rule, refined_value
from equilibrax_kernels.information.market import information_market
from equilibrax_kernels.lotteries.ascent import ascend
from equilibrax_kernels.lotteries.envelope import quantal_cell
from equilibrax_kernels.lotteries.updates import extra_gradient, optimistic
from equilibrax_kernels.markets.postings import followed_values, general_postings, learned_values, separable_postings
from equilibrax_kernels.markets.profiles import profile_equilibria
from equilibrax_kernels.markets.replies import market_dynamics, replies
from equilibrax_kernels.partitions.cells import best_response_cells, quantal_cells
from equilibrax_kernels.partitions.joint import joint_game
from equilibrax_kernels.partitions.obedience import obedient_selection, partition_values
from equilibrax_kernels.partitions.tolerant import near_ties, tolerant_selection
from equilibrax_kernels.primitives.lanes import take
from gpu_tables import CERTIFIED, RESOLUTION, Case, lanes

TOLERANCE = 1e-9
RATIONALITY = (0.0, 0.5, 10.0, 200.0, np.inf)


def partitions(states: int) -> np.ndarray:
    """`[S, X]` labels of all partitions."""
    found = [[0]]
    for _ in range(states - 1):
        found = [[*labels, label] for labels in found for label in range(max(labels) + 2)]
    return np.array(found, np.int32)


def cells_of(labels: np.ndarray) -> np.ndarray:
    """`[X, S]` int32, the cells of partitions as sets (state x is bit X - 1 - x); 0 fills up."""
    states = labels.shape[1]
    bits = 1 << np.arange(states)[::-1]
    return np.stack([((labels == cell) * bits).sum(axis=1) for cell in range(states)]).astype(np.int32)


def informed_tables(
    count: int, signals: int, states: int, actions: int, providers: int, resolution: int = RESOLUTION
) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    """Randomness for more, `[B, P, Z, X, A]` int32 contributions, and `[B, Z, X]` int64 prior weights."""
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 5, (count, signals, states))
    utilities = rng.integers(0, resolution + 1, (count, providers + 1, signals, states, actions))
    return rng, (weights[:, None, ..., None] * utilities).astype(np.int32), weights


def in_units(found: Any, unit: Any) -> Any:
    """A pytree with its floating-point leaves `[..., L]` divided by the unit of each lane."""
    return jax.tree.map(lambda leaf: leaf / unit if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, found)


def _games_of_partitions(count: int, signals: int, states: int, actions: int, providers: int) -> tuple:
    rng, contributions, weights = informed_tables(count, signals, states, actions, providers)
    available = rng.random((count, states, actions)) < 0.8
    available[..., 0] = True  # or no set of states might have an action in common
    return contributions, weights, available, rng.choice(RATIONALITY, count)


def _cells(contributions, weights, available, rationality, *, quantal: bool):
    """Values of sets, which are allowed, the unit of values, and the tolerance; all `[..., L]`."""
    unit = lanes(weights).sum(axis=(0, 1)).astype(jnp.float64) * RESOLUTION
    if quantal:
        given = (lanes(contributions), lanes(weights), lanes(available), rationality)
        return *quantal_cells(*given, RESOLUTION), unit, TOLERANCE * unit
    values, allowed = best_response_cells(lanes(contributions), lanes(available))
    return values, allowed, unit, jnp.zeros(len(weights), values.dtype)


def joint(
    signals: int, states: int, actions: int, providers: int, check: int, batch: int = 0, *, quantal: bool = False
) -> Case:
    """All committees of the game in which the user hears everybody, and best-response dynamics."""

    def kernel(*tables):
        values, allowed, unit, tolerance = _cells(*tables, quantal=quantal)
        committees = tuple(range(1, 2**providers))
        found = joint_game(values, allowed, tolerance, committees, dynamics=True, step_limit=jnp.int32(10_000))
        return in_units(found, unit)

    name = f"joint-{'quantal-' * quantal}{signals}x{states}x{actions}x{providers}"
    sizes = signals, states, actions, providers
    return Case(name, kernel, lambda count: _games_of_partitions(count, *sizes), check, batch)


def obedience(
    signals: int,
    states: int,
    actions: int,
    providers: int,
    check: int,
    batch: int = 0,
    *,
    quantal: bool = False,
    ties: bool = False,
    minimal: bool = False,
) -> Case:
    """All committees of the selection game over partitions, and best-response dynamics."""
    cells = cells_of(partitions(states))
    masks = np.arange(1, 2**providers, dtype=np.int32)

    def kernel(*tables):
        values, allowed, unit, tolerance = _cells(*tables, quantal=quantal)
        worth, valid = partition_values(values, allowed, jnp.asarray(cells))
        options: dict[str, Any] = {"ties": ties, "dynamics": True, "minimal": minimal, "step_limit": 10_000}
        every = jnp.asarray(masks)
        if quantal:
            found = tolerant_selection(worth, valid, tolerance, every, None, **options)
            own = {"worst": found.worst, "best": found.best}
        else:
            found = obedient_selection(worth.astype(jnp.int64), valid, every, None, value_bits=43, **options)
            own = {"worst": take(worth[0], found.worst_scheme[:, 0]), "best": found.best}
        return in_units({"found": found, "tied": near_ties(worth, valid, tolerance), **own}, unit)

    name = f"obedience-{'quantal-' * quantal}{signals}x{states}x{actions}x{providers}{'-ties' * ties}"
    sizes = signals, states, actions, providers
    inputs = lambda count: _games_of_partitions(count, *sizes)  # noqa: E731
    return Case(name + "-minimal" * minimal, kernel, inputs, check, batch)


def market(
    users: int,
    states: int,
    actions: int,
    providers: int,
    check: int,
    batch: int = 0,
    *,
    quantal: bool = False,
    general: bool = False,
    delegation: bool = False,
) -> Case:
    """Providers who post rules to users: all profiles of two and of all providers, dynamics, replies to one profile."""
    maps = np.array(list(itertools.product(range(actions), repeat=states)), np.int32)
    rules = maps if delegation else partitions(states)
    cells = np.repeat(cells_of(partitions(states))[None], users, axis=0)
    sets = np.take_along_axis(cells.swapaxes(1, 2), np.repeat(partitions(states)[None], users, axis=0), axis=2)
    rng, strategies = np.random.default_rng(3), min(len(rules), 6)
    own = rng.integers(0, len(rules), (providers, users, strategies)).astype(np.int32)
    exists = np.arange(strategies) < strategies - np.arange(providers)[:, None] % 2
    pairs = np.array(list(itertools.combinations(range(providers), 2)), np.int32)
    everybody = np.arange(providers, dtype=np.int32)[None]
    masks = np.arange(1, 2**providers, dtype=np.int32)

    def posted(contributions, available, prior, tensor, rationality, tolerances):
        response = (prior, rationality, RESOLUTION) if quantal else None
        here, does = jnp.broadcast_to(exists[..., None], (*exists.shape, prior.shape[-1])), None
        if delegation:
            values, named = followed_values(contributions, available, jnp.asarray(rules))
            here = here & jnp.take_along_axis(named[None], own[..., None], axis=2).all(axis=1)
            does = (rules[:, :, None] == np.arange(actions)).astype(tensor.dtype)
            does = jnp.broadcast_to(does[None, ..., None], (users, *does.shape, prior.shape[-1]))
        else:
            wanted = jnp.asarray(sets) if general else None
            values, does = learned_values(contributions, available, jnp.asarray(cells), response, wanted)
        if general and does is not None:
            return general_postings(values[0], does, tensor, jnp.asarray(own), here, tolerances)
        return separable_postings(values, jnp.asarray(own), here, tolerances)

    def kernel(contributions, available, prior, tensor, rationality, profile):
        unit = prior.sum(axis=1).astype(jnp.float64) * RESOLUTION
        kind, slack = (jnp.float64, TOLERANCE * unit) if quantal else (jnp.int32, jnp.zeros(len(prior), jnp.int32))
        tolerances = (slack, jnp.broadcast_to(slack, (providers, len(slack))))
        inputs = (lanes(contributions), lanes(available), lanes(prior), lanes(tensor).astype(kind), rationality)
        game = posted(*inputs, tolerances)
        given, member = lanes(profile)[:, None], jnp.ones((providers, 1), bool)
        found = {
            "pairs": profile_equilibria(game, jnp.asarray(pairs)),
            "everybody": profile_equilibria(game, jnp.asarray(everybody)),
            "dynamics": market_dynamics(game, jnp.asarray(masks), jnp.int32(1000)),
            "replies": [replies(game, given, member, jnp.int32(j)) for j in range(providers)],
        }
        return in_units(found, unit)

    def inputs(count: int) -> tuple:
        rng = np.random.default_rng(0)
        prior = rng.integers(1, 5, (count, states))
        shape = (count, 1 if general else providers + 1, users, states, actions)
        contributions = prior[:, None, None, :, None] * rng.integers(0, RESOLUTION + 1, shape)
        available = rng.random((count, users, actions)) < 0.8
        available[..., 0] = True
        together = users if general else 0  # whose actions providers' earnings depend on together
        tensor = rng.integers(0, RESOLUTION + 1, (count, providers, states, *[actions] * together))
        tensor = tensor * prior.reshape(count, 1, states, *[1] * together)
        profile = rng.integers(0, strategies - 1, (count, providers), dtype=np.int32)
        rationality = rng.choice(RATIONALITY, count)
        return contributions.astype(np.int32), available, prior, tensor.astype(np.int32), rationality, profile

    kind = "-".join(["general" if general else "separable"] + ["delegation"] * delegation + ["quantal"] * quantal)
    return Case(f"market-{kind}-{users}x{states}x{actions}x{providers}", kernel, inputs, check, batch)


# --- one sender, and hearing several ----------------------------------------------------------------------------------


def persuasion(signals: int, states: int, actions: int, providers: int, check: int, batch: int = 0) -> Case:
    """The best obedient rule of every provider alone, by linear programming."""
    plans = np.array(list(itertools.product(range(actions), repeat=signals)), np.int32)

    def kernel(values):
        everything, limit = jnp.ones((states, actions), bool), jnp.int32(1000)
        by_provider = jax.vmap(persuasion_rule, in_axes=(None, 0, None, None, None, None))
        by_game = jax.vmap(by_provider, in_axes=(0, 0, None, None, None, None))
        found = by_game(values[:, 0], values[:, 1:], everything, jnp.asarray(plans), jnp.float64(1), limit)
        certified = (jnp.abs(found.bound - found.value) <= CERTIFIED) & (found.violation <= CERTIFIED)
        wanted = {name: getattr(found, name) for name in ("value", "user_value", "unique", "status")}
        return wanted | {"certified": certified, "pivots": found.iterations}

    def inputs(count: int) -> tuple:
        _, contributions, weights = informed_tables(count, signals, states, actions, providers)
        return (_expected(contributions, weights),)

    return Case(f"persuasion-{signals}x{states}x{actions}x{providers}", kernel, inputs, check, batch)


def _expected(contributions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Contributions to expected utility, of 0 to 1."""
    return contributions / (weights.sum(axis=(1, 2)) * float(RESOLUTION))[:, None, None, None, None]


def hearing(states: int, actions: int, providers: int, check: int) -> Case:
    """What given rules prove, what hearing all of them is worth, and what hearing partitions is worth."""
    plans = np.arange(actions, dtype=np.int32)[:, None]

    def kernel(contributions, values, rules, multipliers, labels):
        everything = jnp.ones((states, actions), bool)
        of_rule = jax.vmap(certified_rule, in_axes=(0, 0, None, None, 0, 0))
        missing = jnp.zeros((states, actions))
        return {
            "given": of_rule(values[:, 0], values[:, 1], everything, jnp.asarray(plans), rules[:, 0], multipliers),
            "combined": jax.vmap(combined_value, in_axes=(0, None, 0))(values[:, 0], missing, rules),
            "refined": jax.vmap(refined_value, in_axes=(0, None, 0, None))(
                contributions[:, 0], everything, labels, jnp.ones(providers, bool)
            ),
        }

    def inputs(count: int) -> tuple:
        rng, contributions, weights = informed_tables(count, 1, states, actions, providers)
        rules = rng.dirichlet(np.ones(actions), (count, providers, states))
        labels = partitions(states)[rng.integers(0, len(partitions(states)), (count, providers))]
        multipliers = rng.random((count, actions, 1, actions))
        return contributions, _expected(contributions, weights), rules, multipliers, labels

    return Case("hearing", kernel, inputs, check)


def substitutes(signals: int, states: int, actions: int, check: int, batch: int = 0) -> Case:
    """The smallest slack of Definition 14."""

    def kernel(contributions, weights):
        means = contributions[:, 0] / (weights[..., None] * RESOLUTION)
        return jax.vmap(substitutes_slack)(weights.astype(jnp.float64), means)

    def inputs(count: int) -> tuple:
        return informed_tables(count, signals, states, actions, 0)[1:]

    return Case(f"substitutes-{signals}x{states}x{actions}", kernel, inputs, check, batch)


# --- conversations ----------------------------------------------------------------------------------------------------


def conversation(
    signals: int,
    states: int,
    actions: int,
    providers: int,
    check: int,
    batch: int = 0,
    *,
    grid: int = 0,
    simultaneous: bool = False,
) -> Case:
    """Three rounds of straightforward conversation and what they are worth; utilities of 0 to 2 thirds, for ties."""

    def one(contributions, weights, observes, rationality):
        user = contributions[0].astype(jnp.int64)
        talk = straightforward(weights, user, observes, rounds=3, resolution=3, grid=grid, simultaneous=simultaneous)
        own = contributions.astype(jnp.int64).reshape(len(contributions), -1, actions)
        given = (talk.user_weight[-1], talk.user_sum[-1], own, rationality)
        quantal = quantal_values(*given, resolution=3) / (weights.sum() * 3)
        return {"talk": talk, "best": best_values(talk.user_sum[-1], own), "quantal": quantal}

    def inputs(count: int) -> tuple:
        rng, contributions, weights = informed_tables(count, signals, states, actions, providers, 2)
        observes = rng.integers(0, states, (count, providers, states), dtype=np.int32)
        return contributions, weights, observes, rng.choice(RATIONALITY, count)

    kind = "simultaneous" if simultaneous else "grid" if grid else "exact"
    name = f"conversation-{kind}-{signals}x{states}x{actions}x{providers}"
    return Case(name, jax.vmap(one), inputs, check, batch)


def transcripts(check: int, batch: int = 0) -> Case:
    """Two rounds with two providers: transcripts drawn, and how probable each is; a "table" is a draw."""
    z, x, k, m, n = 2, 3, 2, 2, 3
    rng = np.random.default_rng(0)
    asks = [rng.dirichlet(np.ones(m**k), (z, before**k)) for before in (1, m * n)]
    answers = [rng.dirichlet(np.ones(n), (k, x, before * m)) for before in (1, m * n)]

    def kernel(of_user, of_provider):
        user, providers = tuple(map(jnp.asarray, asks)), tuple(map(jnp.asarray, answers))
        drawn = draw_transcripts(jax.random.key(0), of_user, of_provider, user, providers)
        chances = transcript_weights(user, providers, (z, x))
        return {
            "drawn": drawn,
            "chances": chances,
            "again": draw_rows(jax.random.key(1), chances[of_user, of_provider]),
        }

    def inputs(count: int) -> tuple:
        rng = np.random.default_rng(1)
        return rng.integers(0, z, count, dtype=np.int32), rng.integers(0, x, count, dtype=np.int32)

    return Case("transcripts", kernel, inputs, check, batch)


def lotteries(states: int, actions: int, messages: int, check: int, batch: int = 0) -> Case:
    """Two providers who climb with lotteries over messages, looking ahead in both ways; a few steps of each."""

    def kernel(*rows):
        logits, user, providers, weights = (jnp.moveaxis(leaf, 0, -1) for leaf in rows)
        rules = {
            "optimistic": optax.chain(optimistic(), optax.sgd(0.1)),
            "extra_gradient": extra_gradient(optax.sgd(0.1)),
        }
        levels = jnp.full((2, 3, logits.shape[-1]), 2.0)
        climbed = {name: ascend(logits, user, providers, weights, levels, rule) for name, rule in rules.items()}
        found = {name: {"logits": at, "curve": curve} for name, (at, curve) in climbed.items()}
        return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), found)

    def inputs(count: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(0)
        weights = rng.dirichlet(np.ones(states), (count, 1))
        user, providers = rng.random((count, 1, states, actions)), rng.random((count, 2, 1, states, actions))
        return rng.standard_normal((count, 2, states, messages)), user, providers, weights

    return Case(f"lotteries-{states}x{actions}x{messages}", kernel, inputs, check, batch)


def posteriors(states: int, actions: int, knows: int, check: int, batch: int = 0) -> Case:
    """Cells of posteriors of a user who responds quantally, and how far they are from linear."""

    def one(corners, user, provider, chance, rationality):
        found = quantal_cell(corners, user, provider, chance, jnp.ones((states, actions), bool), rationality)
        return {"value": found.value, "error": found.error}

    def inputs(count: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(0)
        chance = rng.dirichlet(np.ones(knows), (count, states)).swapaxes(1, 2)
        user, provider = rng.random((2, count, knows, states, actions)) * chance[..., None]
        corners = rng.dirichlet(np.ones(states), (count, states))
        return corners, user, provider, chance, rng.choice([0.0, 2.0, 100.0], count)

    return Case(f"posteriors-{states}x{actions}x{knows}", jax.vmap(one), inputs, check, batch)


def bazaar(states: int, acts: int, items: int, check: int, batch: int = 0) -> Case:
    """Markets of information of all depths, for buyers at face value and for Bayesian ones."""

    def kernel(prior, utility, labels, costs):
        stakes = jnp.zeros((0, states, acts, len(prior)), jnp.int64)
        parts = [lanes(part).astype(jnp.int64) for part in (prior, utility, labels, costs)]
        how = {"owners": tuple(range(items)), "sellers": items, "depth": items}
        return {
            name: information_market(*parts, stakes, **how, bayesian=bayesian, most_rounds=0)._asdict()
            for name, bayesian in (("face_value", False), ("bayesian", True))
        }

    def inputs(count: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(0)
        return (
            rng.integers(1, 9, (count, states)),
            rng.integers(0, RESOLUTION + 1, (count, states, acts)),
            rng.integers(0, 2, (count, items, states)),
            rng.integers(0, 100, (count, items)),
        )

    return Case(f"bazaar-{states}x{acts}x{items}", kernel, inputs, check, batch)
