"""Straightforward conversation: everybody says what they expect, hears the others, and says it again.

In every round the user tells each provider the posterior mean of every action's utility (to her), and provider i
answers with his own (2509.15090, Definition 10 and Algorithm 1). Conversations are private and run in parallel: the
user's statements use what she heard from all providers, a provider's only what it sees and what she told it. Whatever
is said is common knowledge between the two and refines what both know.

Providers that see the same say the same, word for word, so one stands for all of them unless `observes` tells them
apart. Which cells a statement tells apart is decided by exact integers (see `equilibrax_kernels.conversation`), and
floating point enters only when posteriors are read as numbers.

Letters: B games, R rounds, K providers in conversation, Z signals, X states, A actions, P players (the user first).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.conversation.conversation import best_values, quantal_values, straightforward
from jaxtyping import Bool, Float, Int

from equilibrax._core.batching import batch_mesh, by_rows, chunk_size, over_batch, run_in_chunks
from equilibrax._core.checks import as_numbers, check_choice, check_number, check_numbers, check_whole
from equilibrax._core.compile_cache import jit
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import MAX_PROVIDERS

Order = Literal["in_turn", "simultaneous"]

MAX_CELLS = 4096
"""Largest Z x X. A statement is compared between all pairs of cells, which takes about (Z X)^2 (A + 1) steps."""

COMPARISON_TOLERANCE = 1e-12
"""Posteriors are quotients of exact integers rounded once, so they are compared with a threshold up to this much."""


@dataclass(frozen=True)
class Conversation:
    """What everybody knows and says in R rounds, in every cell (z, x) of B games.

    Cells in the same group look the same to a player. Means are `sum / (weight x resolution)` over the group; where a
    group has weight zero (it cannot happen) they are NaN.

    Attributes:
        game: the B games.
        rounds: R.
        grid: steps per unit of utility that statements are rounded to, or None if they are exact.
        order: "in_turn" or "simultaneous".
        user_group: `[B, R + 1, Z, X]` int32, the user's group after 0..R rounds, named by its first cell (z X + x).
        user_weight: `[B, R + 1, Z, X]` int64, its weight.
        user_sum: `[B, R + 1, Z, X, A]` int64, its contributions.
        provider_group: `[B, R, K, Z, X]` int32, a provider's group when it speaks in rounds 1..R.
        provider_weight: `[B, R, K, Z, X]` int64, its weight.
        provider_sum: `[B, R, K, Z, X, A]` int64, its contributions (to the user's utility).
        tolerance: how far above a threshold a difference of posteriors still counts as within it.
    """

    game: PersuasionGame
    rounds: int
    grid: int | None
    order: Order
    user_group: Int[np.ndarray, "B R1 Z X"]
    user_weight: Int[np.ndarray, "B R1 Z X"]
    user_sum: Int[np.ndarray, "B R1 Z X A"]
    provider_group: Int[np.ndarray, "B R K Z X"]
    provider_weight: Int[np.ndarray, "B R K Z X"]
    provider_sum: Int[np.ndarray, "B R K Z X A"]
    tolerance: float = COMPARISON_TOLERANCE

    @property
    def user_posterior(self) -> Float[np.ndarray, "B R1 Z X A"]:
        """`[B, R + 1, Z, X, A]` the user's means after 0..R rounds; in round r + 1 she states entry r."""
        return _means(self.user_sum, self.user_weight, self.game.resolution)

    @property
    def provider_posterior(self) -> Float[np.ndarray, "B R K Z X A"]:
        """`[B, R, K, Z, X, A]` the means that each provider states in rounds 1..R."""
        return _means(self.provider_sum, self.provider_weight, self.game.resolution)

    @property
    def disagreement(self) -> Float[np.ndarray, "B R K Z X"]:
        """`[B, R, K, Z, X]` largest difference, over actions, of what user and provider state in a round."""
        spoken = self.user_posterior[:, : self.rounds, None]
        return np.abs(spoken - self.provider_posterior).max(axis=5)

    @property
    def error(self) -> Float[np.ndarray, "B R1 Z X A"]:
        """`[B, R + 1, Z, X, A]` |mean given (z, x) - the user's mean|; zero in impossible cells."""
        weights = np.asarray(self.game.weights)
        truth = _means(np.asarray(self.game.user), weights, self.game.resolution)
        return np.where((weights > 0)[:, None, ..., None], np.abs(truth[:, None] - self.user_posterior), 0.0)

    @property
    def estimation_error(self) -> Float[np.ndarray, "B R1"]:
        """`[B, R + 1]` eps_u after 0..R rounds: the largest expected error of an action (proof of Theorem 5)."""
        share = np.asarray(self.game.weights) / self.game.total_weight[:, None, None]
        return np.einsum("brzxa,bzx->bra", self.error, share).max(axis=2)

    @property
    def uniform_error(self) -> Float[np.ndarray, "B R1"]:
        """`[B, R + 1]` largest error over actions and possible cells (eps_u as in Proposition 2)."""
        return self.error.max(axis=(2, 3, 4))

    @property
    def last_lesson(self) -> Int[np.ndarray, " B"]:
        """`[B]` the last round that taught the user anything, 0 if none did."""
        learned = (self.user_group[:, 1:] != self.user_group[:, :-1]) & (np.asarray(self.game.weights) > 0)[:, None]
        taught = learned.any(axis=(2, 3)) * np.arange(1, self.rounds + 1)
        return taught.max(axis=1, initial=0)

    def agreeing(self, zeta: float) -> Bool[np.ndarray, "B R Z X"]:
        """`[B, R, Z, X]` where the user and every provider are in zeta-agreement (Definition 15) in rounds 1..R."""
        with np.errstate(invalid="ignore"):
            close = self.disagreement <= check_number("zeta", zeta, 0) + self.tolerance
        return close.all(axis=2) | (np.asarray(self.game.weights) == 0)[:, None]

    def agreement(self, zeta: float) -> Float[np.ndarray, "B R"]:
        """`[B, R]` probability of zeta-agreement with all providers in rounds 1..R."""
        weights = np.asarray(self.game.weights)[:, None]
        return (self.agreeing(zeta) * weights).sum(axis=(2, 3)) / self.game.total_weight[:, None]

    def rounds_to_agreement(self, zeta: float, failure: float = 0.0) -> Int[np.ndarray, " B"]:
        """`[B]` the first round with zeta-agreement of probability at least 1 - failure; 0 if none of the R rounds.

        Agreement may be lost again: two players with nothing in common can start out with equal means.
        """
        enough = self.agreement(zeta) >= 1 - check_number("failure", failure, 0, 1) - self.tolerance
        return np.where(enough.any(axis=1), enough.argmax(axis=1) + 1 if self.rounds else 0, 0)


def converse(
    game: PersuasionGame,
    rounds: int,
    *,
    observes: Any = None,
    grid: int | None = None,
    order: Order = "in_turn",
    devices: Sequence[Any] | None = None,
) -> Conversation:
    """R rounds of straightforward conversation between the user and her providers (2509.15090, Definition 10).

    Args:
        game: B games in which every action is available in every state. Providers' utilities play no part: everybody
            speaks of the user's.
        rounds: R, at least 0.
        observes: `[K, X]` or `[B, K, X]` whole numbers, what each of K providers sees in every state (states with the
            same number look the same to it). None: all see the state, and one (K = 1) speaks for all.
        grid: None for exact statements. A whole number: statements are rounded to the nearest multiple of 1 / grid (up
            in the middle), so that the message space is finite; what is rounded away is not learned.
        order: "in_turn": the provider answers with what the user has just said in mind (Algorithm 1).
            "simultaneous": it answers with the rounds before in mind (Definition 10, to the letter).
        devices: JAX devices to spread the games over; default all local devices.

    Returns:
        A `Conversation`.

    Raises:
        ValueError: on an option out of range, unavailable actions, or more than 4096 cells (z, x).

    Example:
        >>> import equilibrax as eq
        >>> game = eq.PersuasionGame.from_weights(
        ...     [[2, 1], [1, 2]], user=[[[1, 0], [0, 0]], [[0, 0], [0, 1]]], providers=[[[[0, 0]] * 2] * 2]
        ... )
        >>> talk = eq.theory.converse(game, rounds=2)
        >>> talk.user_posterior[0, :, 0, 0].round(3).tolist()
        [[0.667, 0.0], [1.0, 0.0], [1.0, 0.0]]
        >>> talk.rounds_to_agreement(zeta=0.0).tolist()
        [2]
    """
    check_whole("rounds", rounds, 0)
    check_choice("order", order, get_args(Order))
    if not isinstance(game, PersuasionGame):
        raise ValueError(f"game: expected a PersuasionGame, got {type(game).__name__}")
    z, x, a = game.user.shape[1:]
    if not np.asarray(game.available).all():
        b, state, action = np.argwhere(~np.asarray(game.available))[0].tolist()
        raise ValueError(
            f"game: expected every action to be available in every state, got none of action {action} in state {state} "
            f"of game {b}"
        )
    if z * x > MAX_CELLS:
        raise ValueError(f"game: expected at most {MAX_CELLS} pairs of signal and state, got {z} x {x} = {z * x}")
    sees = _observations(observes, len(game), x)
    if grid is not None:
        check_whole("grid", grid, 1)
        if 4 * grid * max(int(game.scale.max()), int(np.abs(game.user).sum(axis=(1, 2)).max())) >= 2**63:
            raise ValueError(f"grid: expected a grid that 64-bit integers can hold, got {grid}; use a smaller one")

    mesh = batch_mesh(devices)
    program = _compiled(int(rounds), game.resolution, int(grid or 0), order == "simultaneous", mesh)
    row = z * x * (z * x + 16 * (a + 2) * (rounds + 1) * (1 + sees.shape[1]))
    with jax.enable_x64(True):
        batched = (np.asarray(game.weights), np.asarray(game.user), sees)
        talk = run_in_chunks(program, batched, jnp.zeros(0), chunk_size(len(game), row, mesh), mesh)

    def cells(array, lead):
        return array.reshape(*array.shape[:lead], z, x, *array.shape[lead + 1 :])

    parts: dict[str, Any] = {name: cells(part, 2 if name.startswith("user") else 3) for name, part in talk.items()}
    return Conversation(game=game, rounds=int(rounds), grid=grid, order=order, **parts)


def conversation_utility(conversation: Conversation, rationality: Any = None) -> Float[np.ndarray, "..."]:
    """Expected utilities when the user decides after 0..R rounds of conversation.

    Args:
        conversation: of B games.
        rationality: None: she takes the best action, the lowest among equals (Definition 4; decided and summed in
            integers). A number lambda >= 0 or a sequence of L of them: she responds with
            `softmax(lambda x posterior mean)` (Definition 11); infinity is uniform over the best actions.

    Returns:
        `[B, R + 1, P]` float64 in units of utility, the user first and then the game's providers; `[B, L, R + 1, P]`
        for a sequence.

    Raises:
        ValueError: if a rationality is negative, NaN, or no number.

    Example:
        >>> import equilibrax as eq
        >>> game = eq.PersuasionGame.from_weights(
        ...     [[2, 1], [1, 2]], user=[[[1, 0], [0, 0]], [[0, 0], [0, 1]]], providers=[[[[0, 0]] * 2] * 2]
        ... )
        >>> eq.theory.conversation_utility(eq.theory.converse(game, 1))[0, :, 0].round(3).tolist()
        [0.667, 0.667]
        >>> eq.theory.conversation_utility(eq.theory.converse(game, 1), [0, 10]).shape
        (1, 2, 2, 2)
    """
    game = expect_conversation(conversation).game
    b, after, z, x, a = conversation.user_sum.shape
    contributions = np.concatenate([np.asarray(game.user)[:, None], np.asarray(game.providers)], axis=1)
    contributions = contributions.reshape(b, -1, z * x, a)
    sums = conversation.user_sum.reshape(b, after, z * x, a)
    weight = conversation.user_weight.reshape(b, after, z * x)
    levels = np.zeros(1) if rationality is None else rationalities(rationality)
    scale = game.scale.reshape(b, *[1] * (2 if rationality is None or np.ndim(rationality) == 0 else 3))
    with jax.enable_x64(True):
        if rationality is None:
            return np.asarray(_best(sums, contributions)) / scale
        values = np.asarray(_quantal(game.resolution)(weight, sums, contributions, jnp.asarray(levels)))
    return (values[:, 0] if np.ndim(rationality) == 0 else values) / scale


def rationalities(rationality: Any) -> Float[np.ndarray, " L"]:
    """`[L]` float64 from a number or a sequence of numbers, each at least 0 (infinity allowed)."""
    levels = np.atleast_1d(check_numbers("rationality", rationality, 0, infinite=True))
    if levels.ndim != 1 or not levels.size:
        raise ValueError(f"rationality: expected numbers of at least 0 (inf allowed), got {rationality!r}")
    return levels


def expect_conversation(given: Any) -> Conversation:
    """Refuse what `converse` did not make."""
    if not isinstance(given, Conversation):
        raise ValueError(f"conversation: expected what converse returns, got {type(given).__name__}")
    return given


def _means(sums: np.ndarray, weight: np.ndarray, resolution: int) -> np.ndarray:
    possible = (weight > 0)[..., None]
    return np.where(possible, sums / np.where(possible, weight[..., None] * resolution, 1), np.nan)


def _observations(observes: Any, b: int, x: int) -> np.ndarray:
    """`[B, K, X]` int32."""
    if observes is None:
        return np.broadcast_to(np.arange(x, dtype=np.int32), (b, 1, x))
    labels = as_numbers("observes", observes)
    shaped = labels.ndim in (2, 3) and labels.shape[-1] == x and labels.shape[-2] <= MAX_PROVIDERS
    if labels.dtype.kind not in "iu" or not shaped or (labels.ndim == 3 and len(labels) != b):
        raise ValueError(
            f"observes: expected whole numbers of shape [K, {x}] or [{b}, K, {x}] with K from 1 to {MAX_PROVIDERS}, "
            f"got {list(labels.shape)} of {labels.dtype}"
        )
    distinct = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)
    return np.broadcast_to(distinct, (b, *labels.shape[-2:]))


@lru_cache(maxsize=32)
def _compiled(rounds: int, resolution: int, grid: int, simultaneous: bool, mesh):
    one = partial(straightforward, rounds=rounds, resolution=resolution, grid=grid, simultaneous=simultaneous)
    return over_batch(by_rows(lambda batched, _: jax.vmap(one)(*batched)._asdict()), mesh)


@jit
def _best(sums, contributions):
    return jax.vmap(jax.vmap(best_values, in_axes=(0, None)))(sums, contributions)


@lru_cache(maxsize=8)
def _quantal(resolution: int):
    one = partial(quantal_values, resolution=resolution)
    by_round = jax.vmap(one, in_axes=(0, 0, None, None))
    by_level = jax.vmap(by_round, in_axes=(None, None, None, 0))
    return jit(jax.vmap(by_level, in_axes=(0, 0, 0, None)))
