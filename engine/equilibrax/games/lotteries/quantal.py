"""The most that a provider could have against a user who responds quantally, and by which rule.

Of up to three states that have the same actions it is bounded by a concave envelope on a grid of posteriors
(`equilibrax.games.lotteries.envelope`). Of more, gradients climb from many starts: what they find can be had, and
nothing says how much more can.

Letters: R programs, B times K; Q things that the user may know besides, X states, A actions, M messages, I starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from equilibrax_kernels.lotteries.ascent import ascend
from jaxtyping import Float

from equilibrax._core.batching import batch_mesh, chunk_size, over_batch, run_in_chunks
from equilibrax._core.checks import approximate
from equilibrax.games.lotteries.envelope import GAP, Senders, envelopes
from equilibrax.games.lotteries.profiles import after_others, respond, swing
from equilibrax.problems.persuasion import PersuasionGame

ENVELOPE_STATES = 3
"""Of so many states that have the same actions there are bounds."""

MAX_ENTRIES = 2**20
"""Of a sender's contributions, Q X A."""

_AT_ONCE = 2**24  # entries of all senders together
_STARTS, _STEPS, _RATE = 32, 300, 0.1


def check_senders(game: PersuasionGame, messages: int) -> None:
    """Refuse games in which the user may know too much besides.

    Raises:
        ValueError: with their size.
    """
    others = game.num_providers - 1
    entries = game.signals * messages**others * game.states * game.actions
    if entries > MAX_ENTRIES:
        raise ValueError(
            f"rules: expected at most {MAX_ENTRIES:,} contributions for each provider, got {approximate(entries)} "
            f"({game.signals} signals, {messages} messages of each of {others} other providers, {game.states} states, "
            f"{game.actions} actions)"
        )


def quantal_best(
    game: PersuasionGame,
    chances: Float[np.ndarray, "B K X M"],
    rationality: float,
    devices: Sequence[Any] | None,
    of: int | None = None,
) -> dict[str, np.ndarray]:
    """The best rule that is known for every provider, given what the others say, and what no rule has more than.

    Args:
        game: B games.
        chances: of messages.
        rationality: lambda of the user's response, finite.
        devices: JAX devices.
        of: one provider; default all.

    Returns:
        `rule` `[R, X, X]`, `value`, `bound` (infinite where none is known), `certified` and `violation` `[R]` (none).
    """
    b, k, x, m = chances.shape
    size = (k if of is None else 1) * game.signals * m ** (k - 1) * x * x * game.actions
    games: Any = game  # takes positions, too
    step, parts = max(1, _AT_ONCE // size), []
    for start in range(0, b, step):
        part = slice(start, start + step)
        parts.append(_best(games[part], chances[part], rationality, devices, of))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _best(game: PersuasionGame, chances: np.ndarray, rationality: float, devices, of: int | None) -> dict[str, Any]:
    number = chances.shape[1] if of is None else 1
    senders = Senders(*after_others(game, chances, of), np.repeat(np.asarray(game.available), number, axis=0))
    own = chances.reshape(-1, *chances.shape[2:]) if of is None else chances[:, of]
    units = swing(senders.own, senders.available)
    few = senders.groups.sum(axis=2).max(axis=1) <= ENVELOPE_STATES
    r, x = len(senders), game.states
    rule, bound, closed = np.empty((r, x, x)), np.full(r, np.inf), np.zeros(r, bool)
    if few.any():
        found = envelopes(senders[few], rationality, units[few], devices)
        rule[few], bound[few], closed[few] = found.rule, found.bound, found.closed
    if not few.all():
        rule[~few] = _ascents(senders[~few], own[~few], rationality, devices)
    value = told_value(senders, rule, rationality)
    certified = closed & (np.abs(bound - value) <= GAP * units)
    return {"rule": rule, "value": value, "bound": bound, "certified": certified, "violation": np.zeros(r)}


def told_value(senders: Senders, rule: Float[np.ndarray, "R X M"], rationality: float) -> Float[np.ndarray, " R"]:
    """What senders have by rules that never tell states of different actions together."""
    user, own, chance = (
        np.einsum("rxm,rqx...->rmq...", rule, part) for part in (senders.user, senders.own, senders.chance)
    )
    missing = np.einsum("rxm,rxa->rma", rule, ~senders.available) > 0
    response = respond(np.where(missing[:, :, None], -np.inf, user), chance, rationality)
    return (response * own).sum(axis=(1, 2, 3))


def _ascents(senders: Senders, own: np.ndarray, rationality: float, devices) -> Float[np.ndarray, "R X X"]:
    """The best of what gradients reach: from the provider's own rule, from telling everything, and at random.

    Message m is said in states that have the actions of state m, so those of different actions are never told together.
    """
    mesh, x = batch_mesh(devices), own.shape[1]
    apart = ~senders.groups
    first = np.broadcast_to(4.0 * np.eye(x), (len(own), 1, x, x))
    drawn = np.random.default_rng(0).normal(size=(_STARTS - 1, x, x))  # the same for all, whatever is beside them
    logits = np.concatenate([first, np.broadcast_to(drawn, (len(own), *drawn.shape))], axis=1)
    if own.shape[2] <= x:
        logits[:, 1] = -20.0
        logits[:, 1, :, : own.shape[2]] = np.log(np.maximum(own, 1e-9))
    logits = np.where(apart[:, None], -1e9, logits)
    # What does not exist must not be chosen, at whatever rationality: it is far below all that does.
    level = max(rationality, 1e-6)
    worth = senders.user / np.where(senders.chance > 0, senders.chance, 1.0)[..., None]
    far = (np.abs(worth).max(axis=(1, 2, 3)) * 2 + 60 / level)[:, None, None, None]
    user = np.where(senders.available[:, None], senders.user, -far * senders.chance[..., None])
    batched: Any = tuple(np.asarray(part, np.float32) for part in (logits, user, senders.own, senders.chance))
    size = 8 * _STARTS * x * senders.user.shape[1] * senders.user.shape[3] * 4
    compiled = _compiled(mesh)
    found = run_in_chunks(compiled, batched, jnp.float32(level), chunk_size(len(own), size, mesh), mesh)
    rules = found["rules"].astype(np.float64)
    rules = np.where(apart[:, None], 0.0, rules)
    rules /= rules.sum(axis=3, keepdims=True)
    worths = np.stack([told_value(senders, rules[:, i], rationality) for i in range(_STARTS)], axis=1)
    return rules[np.arange(len(own)), worths.argmax(axis=1)]


@lru_cache(maxsize=8)
def _compiled(mesh):
    def climb(batched, level):
        logits, user, own, chance = batched  # lanes last
        starts = logits.shape[0]
        user, own, chance = (jnp.repeat(part, starts, axis=-1) for part in (user, own[None], chance))
        lanes = jnp.moveaxis(logits, 0, -1).reshape(*logits.shape[1:3], -1)
        levels = jnp.broadcast_to(level, (1, _STEPS, lanes.shape[-1]))
        reached, _ = ascend(lanes[None], user, own, chance, levels, optax.adam(_RATE))
        rules = jax.nn.softmax(reached[0], axis=1)
        return {"rules": jnp.moveaxis(rules.reshape(*rules.shape[:2], -1, starts), -1, 0)}

    return over_batch(climb, mesh)
