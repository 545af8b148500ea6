"""A search for equilibria in lotteries over messages where nothing exact is known, and how good what it finds is.

Gradients find candidates (`equilibrax_kernels.lotteries`): many starts, each with a random rule for every provider.
What becomes of them is put in order by what providers would gain by telling any partition of the states. Then one after
the other is polished: small chances are set to zero, and providers who could still gain move in turn to their best
replies: linear programs, or concave envelopes if the user responds quantally. Of all that was seen the profile with the
smallest certified regret is returned (`lottery_regret`); games where it is small enough are done.

Letters: B games, K providers, Z signals, X states, A actions, M messages, I starts, P points of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from equilibrax_kernels.lotteries.ascent import ascend
from equilibrax_kernels.lotteries.updates import extra_gradient, optimistic
from jaxtyping import Bool, Float, Int

from equilibrax._core.batching import batch_mesh, chunk_size, over_batch, run_in_chunks
from equilibrax._core.checks import as_floats, check_choice, check_numbers, check_whole
from equilibrax._core.partitions import all_partitions
from equilibrax.games._oblivious_rules import expected_contributions
from equilibrax.games._options import Dynamics, Response
from equilibrax.games.lotteries.profiles import chances_of, rationality_of, values_of
from equilibrax.games.lotteries.programs import programs_of
from equilibrax.games.lotteries.quantal import quantal_best
from equilibrax.games.lotteries.regret import LotteryRegret, check_programs, lottery_regret
from equilibrax.games.selection import table_keys
from equilibrax.problems.persuasion import PersuasionGame

Update = Literal["optimistic", "extra_gradient"]

POINTS = 20
"""Of a learning curve."""

SMALL = 0.05
"""Chances below this are set to zero by the polish."""

_FEW = 6  # states of which all partitions are looked at; of more, none and all
_MARGIN = 1e-8  # by how much best replies make the user prefer what she is to do
_USED = 1e-9


@dataclass(frozen=True)
class GradientSearch:
    """How to search for lotteries over messages.

    Attributes:
        messages: How many messages every provider has; by default as many as there are states.
        starts: Random starts for each game.
        steps: Updates, rounded up to a multiple of 20.
        update: How to look ahead: "optimistic" or "extra_gradient" (every other update is a step).
        optimizer: What optax makes of the gradients; None is Adam with a rate of 0.1.
        rationality: Of the user at first and in the end, rising by a constant factor, per range of her utility.
        polish: Rounds of best replies, after small chances were set to zero.
        tolerance: What is found with a smaller certified regret is good enough to stop.
        every: Polish every start, not only until one is good enough, so that different outcomes can be counted.
        seed: A whole number or a JAX random key; draws depend on it and the game's id alone.
    """

    messages: int | None = None
    starts: int = 8
    steps: int = 400
    update: Update = "optimistic"
    optimizer: optax.GradientTransformation | None = None
    rationality: tuple[float, float] = (5.0, 200.0)
    polish: int = 4
    tolerance: float = 1e-6
    every: bool = False
    seed: Any = 0

    def __post_init__(self) -> None:
        for name, least in (("starts", 1), ("steps", 1), ("polish", 0)):
            check_whole(name, getattr(self, name), least)
        if self.messages is not None:
            check_whole("messages", self.messages, 1)
        check_choice("update", self.update, get_args(Update))
        if not isinstance(self.every, bool):
            raise ValueError(f"every: expected True or False, got {self.every!r}")
        levels = check_numbers("rationality", self.rationality, 0)
        if levels.shape != (2,) or not 0 < levels[0] <= levels[1]:
            raise ValueError(f"rationality: expected two numbers above 0, rising, got {self.rationality!r}")
        if not self.tolerance > 0:
            raise ValueError(f"tolerance: expected a number above 0, got {self.tolerance!r}")

    @property
    def levels(self) -> Float[np.ndarray, "P N"]:
        """The user's rationality at every update."""
        number = POINTS * -(-self.steps // POINTS)
        return np.geomspace(*self.rationality, number).reshape(POINTS, -1)

    @property
    def transformation(self) -> optax.GradientTransformation:
        """The optimizer that looks ahead."""
        inner = self.optimizer or optax.adam(0.1)
        return extra_gradient(inner) if self.update == "extra_gradient" else optax.chain(optimistic(), inner)


@dataclass(frozen=True)
class LotterySearch:
    """What a search found: profiles, each with its regret. None is called an equilibrium.

    Attributes:
        rules: `[B, K, X, M]` chances of messages.
        found: `LotteryRegret` of these: everybody's utility, `regret`, `regret_bound`, `certified`, `epsilon`.
        epsilon_before: `[B]` the same number of the first start in order, as the gradients left it.
        start: `[B]` the start that it came from.
        reached: `[B, I, 1 + K]` what the user and providers have in the best profile that was seen of every start.
        reached_epsilon: `[B, I]` its certified regret; infinite where a start was not polished, or nothing certified.
        curve: `[B, P, K]` what providers expected while that start was climbed, of the user as rational as she was;
            NaN if it was not.
        search: how it was searched.
    """

    rules: Float[np.ndarray, "B K X M"]
    found: LotteryRegret
    epsilon_before: Float[np.ndarray, " B"]
    start: Int[np.ndarray, " B"]
    reached: Float[np.ndarray, "B I P"]
    reached_epsilon: Float[np.ndarray, "B I"]
    curve: Float[np.ndarray, "B P K"]
    search: GradientSearch = field(repr=False)

    @property
    def epsilon(self) -> Float[np.ndarray, " B"]:
        """`[B]` no provider gains more than this by any rule: an epsilon-equilibrium for that number."""
        return self.found.epsilon

    @property
    def within(self) -> Bool[np.ndarray, " B"]:
        """`[B]` whether that is certified, and no more than the tolerance of the search."""
        return self.found.certified.all(axis=1) & (self.epsilon <= self.search.tolerance)

    def outcomes(self, apart: float = 1e-4) -> tuple[Int[np.ndarray, " B"], Float[np.ndarray, " B"]]:
        """Different outcomes among the starts that came within the tolerance, if all were polished (`every`).

        Args:
            apart: outcomes are the same if everybody's utility is, to this much.

        Returns:
            `[B]` how many there are, and `[B]` what the user has in the worst of them, NaN where there is none.
        """
        within = self.reached_epsilon <= self.search.tolerance
        same = (np.abs(self.reached[:, :, None] - self.reached[:, None]) <= apart).all(axis=3)
        earlier = np.tril(np.ones(same.shape[1:], bool), -1) & within[:, None, :]
        worst = np.where(within, self.reached[:, :, 0], np.inf).min(axis=1)
        return (within & ~(same & earlier).any(axis=2)).sum(axis=1), np.where(within.any(axis=1), worst, np.nan)


def search_lotteries(
    game: PersuasionGame,
    search: GradientSearch = GradientSearch(),
    *,
    beside: Any = None,
    response: Response = "best",
    devices: Sequence[Any] | None = None,
) -> LotterySearch:
    """Search for lotteries over messages from which no provider gains by others, and certify what is found.

    The joint game (2509.15090, Definition 7) with randomized rules, all providers in the market; the user has private
    information if the game has several signals. While searching she responds quantally, more and more as she will in
    the end: best, or with her own rationality.

    Args:
        game: B games.
        search: how.
        beside: `[B, J, K, X, M]` rules to start from beside the random ones, whose starts come first: these are not
            climbed from, only polished. None: from random starts only.
        response: the user's, "best" or a `Quantal` with one finite rationality; regrets are against her.
        devices: JAX devices to spread games over; default all local devices.

    Returns:
        A `LotterySearch`, with I = starts + J.

    Raises:
        ValueError: on states whose actions overlap in part, rules of another shape, another response, or programs that
            are too large, with their size.

    Example:
        >>> import equilibrax as eq
        >>> trial = eq.PersuasionGame.from_prior(
        ...     [[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]]
        ... )  # guilty or innocent; convict or acquit
        >>> found = eq.games.search_lotteries(trial, eq.games.GradientSearch(starts=2, steps=100))
        >>> found.found.value.round(5).tolist(), found.within.tolist()
        ([[0.6]], [True])
    """
    messages, rationality = search.messages or game.states, rationality_of(response)
    check_programs(game, messages, rationality)
    reached, curves = _climbed(game, search, messages, rationality, devices)
    if beside is not None:
        given = as_floats("beside", beside)
        shape = (len(game), *given.shape[1:2], *reached.shape[2:])
        if given.shape != shape:
            raise ValueError(f"beside: expected rules of the shape {list(shape)}, got {list(given.shape)}")
        profiles = [chances_of(game, given[:, i]) for i in range(shape[1])]
        reached = np.concatenate([reached, *(one[:, None] for one in profiles)], axis=1)
        curves = np.concatenate([curves, np.full((*shape[:2], *curves.shape[2:]), np.nan)], axis=1)
    starts = reached.shape[1]
    gains = np.array([_gain_by_partitions(game, reached[:, i], rationality) for i in range(starts)])
    order, games = gains.argsort(axis=0, kind="stable"), np.arange(len(game))
    best = _Best(game, reached[games, order[0]], order[0].copy(), starts, response, devices)
    before = best.found.epsilon.copy()
    for start in order:
        again = games if search.every else np.flatnonzero(best.found.epsilon > search.tolerance)
        if len(again):
            _polish(best, again, reached[again, start[again]], start[again], search)
    curve = curves[games, best.start]
    return LotterySearch(best.rules, best.found, before, best.start, best.reached, best.epsilon, curve, search)


class _Best:
    """The best profile so far of every game, and the start that it came from."""

    def __init__(
        self,
        game: PersuasionGame,
        rules: np.ndarray,
        start: np.ndarray,
        starts: int,
        response: Response,
        devices: Sequence[Any] | None,
    ):
        self.game, self.rules, self.start, self.devices = game, rules, start, devices
        self.response: Response = response
        self.found = lottery_regret(game, rules, response=response, devices=devices, throw=False)
        self.reached = np.full((len(game), starts, 1 + game.num_providers), np.nan)
        self.epsilon = np.full((len(game), starts), np.inf)
        self._reach(np.arange(len(game)), start, self.found)

    def _reach(self, at: np.ndarray, start: np.ndarray, found: LotteryRegret) -> None:
        """Keep the best of every start."""
        better = found.certified.all(axis=1) & (found.epsilon < self.epsilon[at, start])
        place = at[better], start[better]
        self.epsilon[place] = found.epsilon[better]
        self.reached[place] = np.column_stack([found.user_value, found.value])[better]

    def offer(self, at: np.ndarray, rules: np.ndarray, start: np.ndarray) -> LotteryRegret:
        """Take other rules for the games at these places, where their regret is smaller; what it is."""
        games: Any = self.game  # takes positions, too
        other = lottery_regret(games[at], rules, response=self.response, devices=self.devices, throw=False)
        self._reach(at, start, other)
        better = other.epsilon < self.found.epsilon[at]
        self.rules[at[better]], self.start[at[better]] = rules[better], start[better]
        for one in fields(LotteryRegret):
            if one.name != "plans":  # which all have
                getattr(self.found, one.name)[at[better]] = getattr(other, one.name)[better]
        return other


def _polish(best: _Best, at: np.ndarray, rules: np.ndarray, start: np.ndarray, search: GradientSearch) -> None:
    """Set small chances of the games at these places to zero, and let providers reply until none gains."""
    left = np.where(rules < SMALL, 0.0, rules)
    rules = left / left.sum(axis=-1, keepdims=True)
    for i in range(search.polish + 1):
        gains = best.offer(at, rules, start).regret_bound > search.tolerance
        more = gains.any(axis=1)
        at, rules, start, gains = at[more], rules[more], start[more], gains[more]
        if i == search.polish or not len(at):
            return
        rules = _replied(best, at, rules, gains)


def _climbed(
    game: PersuasionGame, search: GradientSearch, messages: int, rationality: float | None, devices: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Rules `[B, I, K, X, M]` and curves `[B, I, P, K]`."""
    mesh = batch_mesh(devices)
    user, providers = expected_contributions(game)
    weights = np.asarray(game.weights) / game.total_weight[:, None, None]
    there = np.asarray(game.available)[:, None]
    worth = user / np.where(weights > 0, weights, 1.0)[..., None]
    used = there & (weights > 0)[..., None]
    span = np.where(used, worth, -np.inf).max(axis=(1, 2, 3)) - np.where(used, worth, np.inf).min(axis=(1, 2, 3))
    span = np.where(span > 0, span, 1.0)
    # What does not exist is as bad as anything gets, and then some.
    user = np.where(there, user, -2 * span[:, None, None, None] * weights[..., None])
    keys = table_keys(np.asarray(game.table_id), Dynamics(order="random", seed=search.seed))
    batched = user, providers, weights, 1 / span
    levels = jnp.asarray(search.levels, jnp.float32)
    most = jnp.float32(np.inf if rationality is None else rationality)
    size = 8 * search.starts * messages**game.num_providers * game.signals * game.actions * (game.num_providers + 4)
    shape = game.num_providers, game.states, messages
    compiled = _compiled(search.starts, shape, search.update, search.optimizer, mesh)
    floats: Any = tuple(np.asarray(leaf, np.float32) for leaf in batched)
    found = run_in_chunks(compiled, (*floats, keys), (levels, most), chunk_size(len(game), size, mesh), mesh)
    rules = found["rules"].astype(np.float64)
    return rules / rules.sum(axis=-1, keepdims=True), found["curve"]


@lru_cache(maxsize=8)
def _compiled(starts: int, shape: tuple[int, int, int], update: Update, optimizer: Any, mesh):
    rules = GradientSearch(update=update, optimizer=optimizer).transformation

    def one_game(key):
        """`[I, K, X, M]` random logits."""
        keys = jax.random.split(jax.random.wrap_key_data(key, impl="threefry2x32"), starts)
        return jax.vmap(lambda one: jax.random.normal(one, shape))(keys)

    def games(batched, shared):
        levels, most = shared
        *given, key = batched
        user, providers, weights, per_range = (jnp.repeat(values, starts, axis=-1) for values in given)
        logits = jnp.moveaxis(jax.vmap(one_game, in_axes=-1)(key).reshape(-1, *shape), 0, -1)
        rising = jnp.minimum(levels[..., None] * per_range, most)
        reached, curve = ascend(logits, user, providers, weights, rising, rules)
        found = {"rules": jax.nn.softmax(reached, axis=2), "curve": curve}
        return {name: jnp.moveaxis(v.reshape(*v.shape[:-1], -1, starts), -1, 0) for name, v in found.items()}

    return over_batch(games, mesh)


def _gain_by_partitions(game: PersuasionGame, rules: np.ndarray, rationality: float | None) -> Float[np.ndarray, " B"]:
    """The most that any provider gains by telling a partition of the states, as far as there are messages for it."""
    value, _ = values_of(game, rules, rationality)
    messages, most = rules.shape[3], np.zeros(len(game))
    whole = np.arange(game.states)
    for labels in all_partitions(game.states) if game.states <= _FEW else (0 * whole, whole):
        if labels.max() >= messages:
            continue
        for j in range(game.num_providers):
            other = rules.copy()
            other[:, j] = labels[:, None] == np.arange(messages)
            gain = np.full(len(game), np.inf)  # where the user may be left without an action
            found = values_of(game, other, rationality)[0][:, j]
            most = np.maximum(most, np.subtract(found, value[:, j], out=gain, where=np.isfinite(value[:, j])))
    return most


def _replied(best: _Best, at: np.ndarray, rules: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Every provider that gains, in turn, moves to its best reply, as far as its messages allow."""
    game, rationality = best.game, rationality_of(best.response)
    games: Any = game
    rules, part = rules.copy(), games[at]
    messages = rules.shape[3]
    for j in range(game.num_providers):
        mine = np.flatnonzero(gains[:, j])
        if not len(mine):
            continue
        if rationality is None:
            replies = programs_of(part[mine], rules[mine]).of(j, game.num_providers).replies(_MARGIN)
        else:
            replies = list(quantal_best(part[mine], rules[mine], rationality, best.devices, of=j)["rule"])
        for b, reply in zip(mine.tolist(), replies):
            plans = np.flatnonzero(reply.max(axis=0) > _USED)
            if 0 < len(plans) <= messages:  # whatever is found is certified, or not used
                new = np.zeros((game.states, messages))
                new[:, : len(plans)] = reply[:, plans]
                rules[b, j] = new / new.sum(axis=1, keepdims=True)
    return rules
