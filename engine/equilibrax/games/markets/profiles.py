"""The compiled solver of games between providers who post rules: all profiles, dynamics, and single profiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.markets.postings import followed_values, general_postings, learned_values, separable_postings
from equilibrax_kernels.markets.profiles import Profiles, profile_equilibria
from equilibrax_kernels.markets.replies import market_dynamics, replies
from jax import lax
from jax.sharding import Mesh

from equilibrax._core.batching import chunk_size, cores, over_batch, run_in_chunks
from equilibrax._core.checks import approximate
from equilibrax.games._options import Rationality
from equilibrax.games.markets.rules import RuleList, learned_cells
from equilibrax.games.responses import MAX_BYTES
from equilibrax.problems.market import Market


@dataclass(frozen=True)
class Program:
    """Everything that a compiled solver depends on besides the shapes of its inputs.

    Attributes:
        committees: bitmasks of those whose profiles are listed.
        quantal: whether users respond quantally.
        resolution: fixed-point steps per unit of utility.
        delegation: whether rules are maps to actions.
        separable: whether providers earn sums over users.
        listed: whether to list all profiles.
        dynamics: whether to run dynamics.
        checked: whether to check a profile that is given.
    """

    committees: tuple[int, ...]
    quantal: bool
    resolution: int
    delegation: bool
    separable: bool
    listed: bool
    dynamics: bool
    checked: bool = False


@dataclass(frozen=True)
class PostingGame:
    """Markets as games between providers with listed strategies.

    Attributes:
        market: B markets.
        rules: the rules.
        own: `[K, N, M]` int32, the rule that strategy m of provider k has for user n.
        exists: `[K, M]` bool.
        delegation: whether rules are maps to actions.
        how: how users respond, with a tolerance in units of utility.
    """

    market: Market
    rules: RuleList
    own: np.ndarray
    exists: np.ndarray
    delegation: bool
    how: Rationality


def solve_postings(
    game: PostingGame, masks: np.ndarray, *, listed: bool, dynamics: bool, step_limit: int, mesh: Mesh | None
) -> dict[str, np.ndarray]:
    """All profiles of C committees, as in `Profiles`, and dynamics, as in `Trajectory`, with the rows first.

    By loops if there is no mesh.
    """
    sizes = [int(mask).bit_count() for mask in masks]
    strategies = game.own.shape[2]
    item = 8
    per_row = _posting_bytes(game)
    if listed:
        amounts = max(sizes) if game.market.separable else 1
        profiles = strategies ** max(sizes)
        needed = profiles * (item * (amounts + 3) + 4)
        if needed > MAX_BYTES // 2 or profiles >= 2**31:
            raise ValueError(
                f"market: expected few enough profiles of rules to list in {MAX_BYTES / 2**31:.0f} GiB, got "
                f"{approximate(profiles)} ({strategies:,} of each of {max(sizes)} providers), which need about "
                f'{needed / 2**30:,.0f} GiB; choose smaller committees, or dynamics="only" to follow best responses'
            )
        per_row += needed
    if dynamics:
        per_row += strategies * len(masks) * item * 4
    if mesh is None:
        return _loops(game, masks, listed=listed, dynamics=dynamics, step_limit=step_limit)
    program = Program(
        committees=tuple(int(mask) for mask in masks) if listed else (),
        quantal=game.how.quantal,
        resolution=game.market.resolution,
        delegation=game.delegation,
        separable=game.market.separable,
        listed=listed,
        dynamics=dynamics,
    )
    batched = _inputs(game)
    chunk = chunk_size(len(game.market), per_row, mesh)
    with jax.enable_x64(True):
        shared = (_shared(game), jnp.asarray(step_limit, jnp.int32), jnp.asarray(masks, jnp.int32))
        return run_in_chunks(_compiled(program, mesh), batched, shared, chunk, mesh)


def _loops(game: PostingGame, masks: np.ndarray, **wanted: Any) -> dict[str, np.ndarray]:
    from equilibrax_kernels.cpu.market_games import market_games  # compiled when it is needed

    contributions, available, prior, tensor, *rest = _inputs(game)
    b, k, x = len(prior), game.market.num_providers, game.market.states
    rules = _sets(game) if not game.delegation else np.repeat(game.rules.rules[None], game.market.users, axis=0)
    return market_games(
        contributions,
        available,
        prior,
        None if game.market.separable else tensor.reshape(b, k, x, -1),
        *rest,
        own=game.own,
        exists=game.exists,
        rules=rules,
        masks=masks,
        quantal=game.how.quantal,
        resolution=game.market.resolution,
        delegation=game.delegation,
        **wanted,
        threads=cores(),
    )


def _sets(game: PostingGame) -> np.ndarray:
    """`[N, R, X]` the set that each state is in, as a user learns a rule."""
    cells, labels = learned_cells(game.market.provider_sees, game.market.user_sees)
    return np.take_along_axis(cells.swapaxes(1, 2), labels.astype(np.int64), axis=2)


def check_postings(game: PostingGame, profile: np.ndarray, mask: int, mesh) -> dict[str, np.ndarray]:
    """What each provider earns in a profile `[B, K]` of strategies and could earn by any other strategy."""
    program = Program(
        committees=(),
        quantal=game.how.quantal,
        resolution=game.market.resolution,
        delegation=game.delegation,
        separable=game.market.separable,
        listed=False,
        dynamics=False,
        checked=True,
    )
    per_row = _posting_bytes(game) + game.own.shape[2] * 32
    batched = (*_inputs(game), profile.astype(np.int32))
    chunk = chunk_size(len(game.market), per_row, mesh)
    with jax.enable_x64(True):
        shared = (_shared(game), jnp.zeros((), jnp.int32), jnp.full(1, mask, jnp.int32))
        return run_in_chunks(_compiled(program, mesh), batched, shared, chunk, mesh)


def reduced_weights(market: Market) -> tuple[np.ndarray, np.ndarray]:
    """`[B, K, N]` weights without a provider's common factor, and `[B, K]` the factor (1 for weights all zero)."""
    weights = np.asarray(market.weights)
    factor = np.maximum(np.gcd.reduce(weights, axis=2), 1)
    return weights // factor[..., None], factor


def _posting_bytes(game: PostingGame) -> int:
    market, (k, n, m) = game.market, game.own.shape
    r, x = game.rules.rules.shape
    if market.separable:
        size = 8 * (k * k * n * m + 2 * k * n * m + (k + 1) * n * r) + (8 * 2 * (k + 1) << x)
    else:
        cells = r**n
        size = 8 * (k * cells * 2 + 3 * k * n * m + n * r * x * market.actions) + (8 * 2 * (market.actions + 1) << x)
        size += 8 * k * x * r ** (n - 1) * market.actions
        if size > MAX_BYTES // 2 or cells >= 2**31:
            raise ValueError(
                f"market: expected few enough rules to tabulate what providers earn in {MAX_BYTES / 2**31:.0f} GiB, "
                f"got {approximate(cells)} combinations of rules of {n} users, which need about "
                f"{size / 2**30:,.0f} GiB; a general market must be small"
            )
    return size


def amounts(market: Market) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Contributions, tensor (or a dummy), the factor of weights, and what no sum of anybody's is above."""
    prior = np.asarray(market.prior)
    user = np.asarray(market.user).astype(np.int64)[:, None]
    b, k, n = np.asarray(market.weights).shape
    tensor = np.zeros((b, 1), np.int64)
    if market.components is None:
        contributions = user * prior[:, None, None, :, None]
        tensor = np.asarray(market.tensor) * prior.reshape(b, 1, -1, *[1] * n)
        factor = np.ones((b, k), np.int64)
        bound = int(np.abs(tensor).reshape(b, k, market.states, -1).max(axis=3).sum(axis=2).max())
    else:
        weights, factor = reduced_weights(market)
        parts = np.asarray(market.components) * weights[..., None, None]
        contributions = np.concatenate([user, parts], axis=1) * prior[:, None, None, :, None]
        bound = int(np.abs(contributions[:, 1:]).max(axis=4).sum(axis=(2, 3)).max())
    bound = max(bound, int(np.abs(contributions[:, 0]).max(axis=3).sum(axis=2).max()))
    return contributions, tensor, factor, bound


def exact_in_floats(market: Market) -> bool:
    """Whether all sums of anybody's are below 2**53; by a rough bound first, since nearly all are."""
    if market.separable:
        each = (np.asarray(array) for array in (market.user, market.components))
        largest = max(max(int(array.max(initial=0)), -int(array.min(initial=0))) for array in each)
        most = int(np.max(market.prior)) * max(1, int(np.max(market.weights)))
        if largest * most * market.states * market.users < 2**53:
            return True
    return amounts(market)[-1] < 2**53


def _inputs(game: PostingGame) -> tuple[np.ndarray, ...]:
    """Contributions, availability, prior, tensor (or a dummy), rationality and tolerances, rows first."""
    market, prior = game.market, np.asarray(game.market.prior)
    contributions, tensor, factor, bound = amounts(market)
    b, k = factor.shape
    kind = np.int32 if bound < 2**29 else np.int64
    if game.how.quantal:
        of_users = game.how.tolerance * market.scale
        of_providers = game.how.tolerance * market.provider_scale[:, None] / factor
        tensor = tensor.astype(np.float64)
    else:
        of_users, of_providers = np.zeros(b, kind), np.zeros((b, k), kind)
        tensor = tensor.astype(kind)
    rationality = np.full(b, game.how.values[0] if game.how.quantal else 0.0)
    available = np.asarray(market.available)
    return contributions.astype(kind), available, prior, tensor, rationality, of_users, of_providers


def _shared(game: PostingGame) -> tuple[jax.Array, ...]:
    """Own rules, which exist, and the rules: as maps, or as what users learn (cells, and every state's cell)."""
    lead = (jnp.asarray(game.own), jnp.asarray(game.exists))
    if game.delegation:
        return (*lead, jnp.asarray(game.rules.rules.astype(np.int32)))
    cells, _ = learned_cells(game.market.provider_sees, game.market.user_sees)
    lead = (*lead, jnp.asarray(cells))
    return lead if game.market.separable else (*lead, jnp.asarray(_sets(game)))


@lru_cache(maxsize=32)
def _compiled(program: Program, mesh):
    def games(batched, shared):
        (own, exists, *lists), step_limit, masks = shared
        game = _postings(program, batched[:7], own, exists, lists)
        results = {}
        if program.listed:
            results |= _by_size(program.committees, game)._asdict()
        if program.dynamics:
            found = market_dynamics(game, masks, step_limit)
            results |= {f"dynamics_{name}": value for name, value in found._asdict().items()}
        if program.checked:
            posted = batched[7][:, None]  # [K, 1, L]
            member = (masks >> jnp.arange(own.shape[0])[:, None]) & 1 == 1
            _, reply = lax.scan(
                lambda _, j: (None, replies(game, posted, member, j)), None, jnp.arange(own.shape[0], dtype=jnp.int32)
            )
            results |= {"now": reply.now[:, 0], "most": reply.most[:, 0], "first": reply.first[:, 0]}
        return results

    return over_batch(games, mesh)


def _postings(program: Program, batched, own, exists, lists):
    contributions, available, prior, tensor, rationality, of_users, of_providers = batched
    quantal = (prior, rationality, program.resolution) if program.quantal else None
    does = None
    if program.delegation:
        rules = lists[0]
        values, named = followed_values(contributions, available, rules)
        allowed = jnp.take_along_axis(named[None], own[..., None], axis=2, mode="promise_in_bounds").all(axis=1)
        here = exists[..., None] & allowed
        if not program.separable:
            does = (rules[:, :, None] == jnp.arange(contributions.shape[3])).astype(tensor.dtype)
            does = jnp.broadcast_to(does[None, ..., None], (contributions.shape[1], *does.shape, tensor.shape[-1]))
    else:
        sets = None if program.separable else lists[1]
        values, does = learned_values(contributions, available, lists[0], quantal, sets)
        here = jnp.broadcast_to(exists[..., None], (*exists.shape, contributions.shape[-1]))
    tolerances = (of_users, of_providers)
    if does is None:
        return separable_postings(values, own, here, tolerances)
    assert does is not None  # `learned_values` names actions where it is given the sets
    return general_postings(values[0], does, tensor, own, here, tolerances)


def _by_size(committees: tuple[int, ...], game) -> Profiles:
    """The equilibria of all committees: those of a size together, then in the order given."""
    groups: dict[int, list[int]] = {}
    for position, mask in enumerate(committees):
        groups.setdefault(mask.bit_count(), []).append(position)
    found = []
    for positions in groups.values():
        members = [[j for j in range(16) if committees[p] >> j & 1] for p in positions]
        found.append(profile_equilibria(game, jnp.array(members, jnp.int32)))
    order = np.argsort(np.concatenate(list(groups.values())))
    return jax.tree.map(lambda *parts: jnp.concatenate(parts)[order], *found)
