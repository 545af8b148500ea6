"""Whether one profile of rules is an equilibrium: every provider's own deviations, without listing all profiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax._core.batching import batch_mesh
from equilibrax._core.checks import as_array, expect
from equilibrax.games._solve import game_named
from equilibrax.games.markets.game import MarketGame
from equilibrax.games.markets.personalized import games_of_users
from equilibrax.games.markets.profiles import PostingGame, check_postings, reduced_weights
from equilibrax.games.markets.result import MarketRegret
from equilibrax.games.markets.rules import refined, rule_numbers
from equilibrax.problems.market import Market


def market_regret(market: Market, profile: Any, game: str | MarketGame = "anonymous") -> MarketRegret:
    """What every provider could gain by posting something else than in a profile while the others keep to it.

    A profile is an equilibrium iff nobody can gain (2602.13451, Definitions 2.6 and 2.7). This looks at each provider's
    own rules only, so it also certifies profiles of markets that have too many of them to list, such as the end of a
    dynamics or the silence of Theorem 4.1. Users take the provider that is best for them, ties to the lowest index.

    Args:
        market: B markets.
        profile: `[K, X]` or `[B, K, X]` labels in the anonymous game; `[N, K, X]` or `[B, N, K, X]` in the personalized
            one: the cell of every state in the partition that is posted, or the action (protocol="delegation"). -1 in
            all states says that a provider is no member of the committee; the same in all markets.
        game: `Anonymous(...)` or `Personalized(...)`, with one lambda at most, or its name.

    Returns:
        Each provider's gain by a best deviation, exact for best response.

    Raises:
        ValueError: naming the argument, what was expected and what came; if a provider posts what it cannot see; or if
            it has more than 2**20 rules.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.separable_market([[[1, 0], [0, 1]]], [[[[1, 0], [1, 0]]]] * 2, weights=[[1], [1]])
        >>> eq.games.market_regret(market, [[0, 1], [0, 1]], "anonymous").equilibrium.tolist()  # all reveal the state
        [True]
        >>> eq.games.market_regret(market, [[0, 0], [0, 0]], "anonymous").utility.tolist()  # all are silent
        [[0.0, 0.0]]
    """
    market = expect("market", market, Market)
    chosen: Any = game_named(game, Market)
    how = chosen.how
    if how.grid:
        raise ValueError(f"rationality: expected one number for a profile, got {list(how.values)}")
    posted, member = _posted(market, profile, chosen.per_user)
    mask = int((member << np.arange(market.num_providers)).sum())
    mesh = batch_mesh()
    b, k = len(market), market.num_providers
    scale = market.provider_scale

    def checked(one: PostingGame, posted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gains `[b, K]` and best rules `[b, N, K, X]`."""
        numbers = _strategies(one, posted, member)
        raw = check_postings(one, numbers, mask, mesh)
        gain = np.where(member, raw["most"] - raw["now"], 0)
        better = raw["first"][:, None, :]  # [b, 1, K]
        own = one.own[np.arange(k), np.arange(one.own.shape[1])[:, None], better]
        return gain, np.where(member[:, None], one.rules.rules[own], np.int8(-1))

    if not (chosen.per_user and market.separable):
        gain, deviation = checked(chosen.postings(market, how), posted)
        factor = reduced_weights(market)[1] if market.separable else 1
        return MarketRegret(gain * factor, deviation if chosen.per_user else deviation[:, 0], how.tolerance, scale)
    value = np.zeros((b, k), np.float64 if how.quantal else np.int64)
    deviation = np.empty(posted.shape, np.int8)
    for users, one in games_of_users(market, chosen.delegation, how):
        gain, better = checked(one, posted[:, users].reshape(-1, 1, *posted.shape[2:]))
        weights = np.moveaxis(np.asarray(market.weights)[:, :, users], 2, 1)
        value += (gain.reshape(b, len(users), k) * weights).sum(axis=1)
        deviation[:, users] = better.reshape(b, len(users), *posted.shape[2:])
    return MarketRegret(value, deviation, how.tolerance, scale)


def _posted(market: Market, profile: Any, per_user: bool) -> tuple[np.ndarray, np.ndarray]:
    """`[B, N, K, X]` labels (the same for all users in the anonymous game) and `[K]` who is a member."""
    b, n, k, x = len(market), market.users, market.num_providers, market.states
    labels = as_array("profile", profile)
    shape = (n, k, x) if per_user else (k, x)
    if labels.dtype.kind not in "iu" or labels.shape not in (shape, (b, *shape)):
        raise ValueError(
            f"profile: expected whole numbers of shape {list(shape)} or {[b, *shape]}, "
            f"got {list(labels.shape)} of {labels.dtype}"
        )
    labels = np.broadcast_to(labels, (b, *shape))
    labels = labels if per_user else np.broadcast_to(labels[:, None], (b, n, k, x))
    out = labels < 0
    member = np.logical_not(np.any(out, axis=(0, 1, 3)))
    absent = np.all(out, axis=(0, 1, 3))
    if not member.any() or not (member | absent).all():
        raise ValueError("profile: expected labels of at least 0 in all states, or -1 in all states and markets")
    return labels, member


def _strategies(game: PostingGame, posted: np.ndarray, member: np.ndarray) -> np.ndarray:
    """`[b, K]` numbers of the strategies that are posted (`[b, N, K, X]`); 0 for those that are no members."""
    b, n, k, x = posted.shape
    labels = np.where(member[:, None], posted, 0)
    if not game.delegation:
        labels = refined(labels.reshape(-1, x), (0,) * x).reshape(labels.shape)
    numbers = rule_numbers(game.rules.rules, labels)  # [b, N, K]
    found = np.zeros((b, k), np.int64)
    for j in np.flatnonzero(member):
        match = np.ones((b, game.own.shape[2]), bool) & game.exists[j]
        for i in range(n):
            match &= game.own[j, i] == numbers[:, i, j, None]
        if not match.any(axis=1).all():
            bad = int(np.flatnonzero(~match.any(axis=1))[0])
            raise ValueError(
                f"profile: expected rules that provider {j} can post given what it sees, "
                f"got {posted[bad, :, j].tolist()}"
            )
        found[:, j] = match.argmax(axis=1)
    if game.delegation:
        available = np.asarray(game.market.available)
        for i in range(n):
            if not np.take_along_axis(available[:, i], labels[:, i][:, member].reshape(b, -1), axis=1).all():
                raise ValueError(f"profile: expected actions that user {i} has, got others")
    return found
