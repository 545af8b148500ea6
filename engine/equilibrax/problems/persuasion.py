"""What users know and what providers can tell them: games of information, as exact integers.

A persuasion game has one user, who privately observes a signal z (x_A in the paper), and K providers, who observe the
state x (x_B). Nobody observes y, on which utilities depend. Only two things matter for every game that is played with
partitions of the states: the weight of each pair (z, x), and what each action is worth to each player there,

    contribution_p[z, x, a] = sum_y P(z, x, y) u_p(a, y),

so that the value of taking action a in a set of states S after the signal z is `sum_{x in S} contribution_p[z, x, a]`
(2509.15090, Sections 2.1 and 2.2). Weights and utilities are integers (weight, and utility x resolution rounded once,
here), hence contributions are, and sums of them compare exactly.

Letters: B games, K providers, Z signals of the user, X states, Y hidden outcomes, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Int

from equilibrax._core.checks import availability, check_providers, same_for_all, with_batch
from equilibrax._core.fixed_point import Payoffs, TooLargeError, fixed_point, in_steps, listed, whole_weights
from equilibrax.problems._batch import Batch, pytree
from equilibrax.problems.tables import MAX_PROVIDERS, MAX_VALUE, Labels, UtilityTables, check_labels

Array = Any


@pytree
@dataclass(frozen=True)
class PersuasionGame(Batch):
    """A batch of B games of information of one shape, in fixed point. A pytree on the host; leaves start with axis B.

    Make one with `from_tables`, `from_weights` or `from_prior`, which validate; the constructor does not. Its 64-bit
    integers are leaves that `jax.device_put` and `jax.jit` refuse, rather than cut to 32 bits.

    Attributes:
        weights: `[B, Z, X]` int64, prior weight of (signal, state); the probability is `weights / weights.sum()`.
            Single pairs may have weight zero, but no state and no signal is impossible.
        user: `[B, Z, X, A]` int64, the user's contributions: weight times utility times `resolution`.
        providers: `[B, K, Z, X, A]` int64, the providers' contributions.
        available: `[B, X, A]` bool, which actions exist in which state. In a set of states the user can take the
            actions that exist in all of them.
        table_id: `[B]` int64.
        resolution: fixed-point steps per unit of utility.
        family: the family of random tables that the games come from, or "".
        seed: the seed it was drawn with.
        labels: names for people, or None.

    Example:
        >>> import equilibrax as eq
        >>> game = eq.PersuasionGame.from_weights([[1, 2]], user=[[[1, 0], [0, 1]]], providers=[[[[0, 1], [0, 1]]]])
        >>> game.user[0, 0].tolist(), game.optimum_utility.tolist()
        ([[10000, 0], [0, 20000]], [1.0])
    """

    weights: Int[Array, "B Z X"]
    user: Int[Array, "B Z X A"]
    providers: Int[Array, "B K Z X A"]
    available: Bool[Array, "B X A"]
    table_id: Int[Array, " B"]
    resolution: int = field(default=10_000, metadata={"static": True})
    family: str = field(default="", metadata={"static": True})
    seed: int = field(default=0, metadata={"static": True})
    labels: Labels | None = field(default=None, metadata={"static": True})

    _one: ClassVar[str] = "game"
    made_by: ClassVar[str] = (
        "eq.PersuasionGame.from_tables(tables) or eq.PersuasionGame.from_prior(prior, user, providers)"
    )
    _kinds: ClassVar[dict[str, Any]] = {
        "weights": np.int64,
        "user": np.int64,
        "providers": np.int64,
        "available": np.bool_,
        "table_id": np.int64,
    }

    def _sizes(self) -> dict[str, int]:
        return {"signals": self.signals, **super()._sizes()}

    def _along(self) -> list[tuple[str, Any]]:
        return [("signal", tuple(map(str, range(self.signals)))), *super()._along()]

    def _described(self) -> tuple[dict[str, np.ndarray], np.ndarray, Any, np.ndarray]:
        weights = np.asarray(self.weights)
        players = {"user": self.user} | {name: self.providers[:, j] for j, name in enumerate(self.provider_names())}
        there = np.asarray(self.available)[:, None] & (weights > 0)[..., None]
        return players, there, np.maximum(weights, 1)[..., None] * self.resolution, weights.sum(axis=1)

    @property
    def signals(self) -> int:
        """Number of signals of the user, Z; 1 when she knows nothing."""
        return self.user.shape[1]

    @property
    def total_weight(self) -> np.ndarray:
        """`[B]` int64, the sum of the weights."""
        return np.asarray(self.weights).sum(axis=(1, 2))

    @property
    def scale(self) -> np.ndarray:
        """`[B]` int64: an integer value divided by this is an expected utility."""
        return self.total_weight * self.resolution

    @property
    def optimum_value(self) -> np.ndarray:
        """`[B]` int64, first-best value: the best action for each (z, x) (2509.15090, Definition 2)."""
        len(self)  # refuses what JAX has damaged
        lowest = np.iinfo(np.int64).min
        best = np.where(np.asarray(self.available)[:, None], np.asarray(self.user), lowest).max(axis=3)
        return best.sum(axis=(1, 2))

    @property
    def optimum_utility(self) -> np.ndarray:
        """`[B]` float64, first-best expected utility, OPT (2509.15090, Definition 2)."""
        return self.optimum_value / self.scale

    @staticmethod
    def from_tables(tables: UtilityTables) -> PersuasionGame:
        """The games of utility tables, whose users know nothing (Z = 1). Nothing is rounded.

        Args:
            tables: B tables.

        Example:
            >>> import equilibrax as eq
            >>> tables = eq.from_integers([[3, 1], [0, 2]], [[[1, 5], [2, 2]]], prior=[1, 2])
            >>> eq.PersuasionGame.from_tables(tables).user.tolist()
            [[[[3, 1], [0, 4]]]]
        """
        len(tables)  # refuses what JAX has traced or damaged
        prior = np.asarray(tables.prior).astype(np.int64)
        return PersuasionGame(
            weights=prior[:, None],
            user=(np.asarray(tables.user) * prior[..., None])[:, None],
            providers=(np.asarray(tables.providers) * prior[:, None, :, None])[:, :, None],
            available=np.asarray(tables.available),
            table_id=tables.table_id,
            resolution=tables.resolution,
            family=tables.family,
            seed=tables.seed,
            labels=tables.labels,
        )

    @staticmethod
    def from_weights(
        weights: Any,
        user: Any,
        providers: Any,
        available: Any = None,
        *,
        resolution: int | None = None,
        labels: Labels | None = None,
    ) -> PersuasionGame:
        """Games from weights of (signal, state) and utilities that are expectations given both.

        Args:
            weights: `[Z, X]` or `[B, Z, X]` numbers of any scale, not negative. Whole numbers, decimals and ratios of
                small whole numbers are kept exactly, others are rounded to 1e-6 of their sum.
            user: `[Z, X, A]` or `[B, Z, X, A]`, the user's utility of each action given (z, x).
            providers: `[K, Z, X, A]` or `[B, K, Z, X, A]`, the providers', K from 1 to 16.
            available: `[X, A]` or `[B, X, A]` bool; None means that every action exists in every state. Utilities of
                unavailable actions are ignored and may be NaN.
            resolution: fixed-point steps per unit of utility; None is the smallest power of ten of at least 10,000 that
                represents the utilities, as for `from_arrays`.
            labels: names of states, actions, providers and games.

        Raises:
            ValueError: naming the argument, what was expected and what came.

        Example:
            >>> import equilibrax as eq
            >>> knows = eq.PersuasionGame.from_weights(
            ...     [[0.3, 0.1], [0.2, 0.4]], user=[[[1, 0], [0, 1]]] * 2, providers=[[[[0, 1], [0, 1]]] * 2]
            ... )
            >>> knows.signals, knows.weights.tolist()
            (2, [[[3, 1], [2, 4]]])
        """
        weights = with_batch("weights", weights, "[Z, X]")
        user, providers = with_batch("user", user, "[Z, X, A]"), with_batch("providers", providers, "[K, Z, X, A]")
        b = max(len(weights), len(user), len(providers))
        z, x, a = weights.shape[1], weights.shape[2], user.shape[3]
        k = check_providers("providers", providers.shape[1], MAX_PROVIDERS)
        mask = availability(available, b, x, a, "game", "in every state")
        counts = integer_weights("weights", weights, "[B, Z, X]")
        user, providers = (
            same_for_all(name, array, b, shape)
            for name, array, shape in (("user", user, (z, x, a)), ("providers", providers, (k, z, x, a)))
        )

        def build(steps: int) -> PersuasionGame:
            users = fixed_point("user", user, mask[:, None], steps)
            others = fixed_point("providers", providers, mask[:, None, None], steps)
            return _build(counts, users, others, mask, steps, labels)

        payoffs = [Payoffs(user, mask[:, None], 3), Payoffs(providers, mask[:, None, None], 3)]
        return in_steps(build, resolution, payoffs)

    @staticmethod
    def from_prior(
        prior: Any,
        user: Any,
        providers: Any,
        available: Any = None,
        *,
        resolution: int | None = None,
        labels: Labels | None = None,
    ) -> PersuasionGame:
        """Games from a full finite prior over (x_A, x_B, y) and utilities of (action, y), as in Section 2.1.

        Args:
            prior: `[Z, X, Y]` or `[B, Z, X, Y]` numbers of any scale, not negative; kept as `weights` of
                `from_weights` are. An outcome y may be impossible, a state or a signal may not.
            user: `[Y, A]` or `[B, Y, A]`, the user's utility of each action in each outcome.
            providers: `[K, Y, A]` or `[B, K, Y, A]`, the providers', K from 1 to 16.
            available: `[X, A]` or `[B, X, A]` bool; None means that every action exists in every state.
            resolution: fixed-point steps per unit of utility; None is the smallest power of ten of at least 10,000 that
                represents the utilities, as for `from_arrays`.
            labels: names of states, actions, providers and games.

        Raises:
            ValueError: naming the argument, what was expected and what came.

        Example:
            >>> import equilibrax as eq
            >>> trial = eq.PersuasionGame.from_prior(
            ...     [[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]]
            ... )  # y: guilty or innocent; actions: convict or acquit; the prosecutor sees y and wants convictions
            >>> trial.optimum_utility.tolist(), trial.weights.tolist()
            ([1.0], [[[3, 7]]])
        """
        prior = with_batch("prior", prior, "[Z, X, Y]")
        user, providers = with_batch("user", user, "[Y, A]"), with_batch("providers", providers, "[K, Y, A]")
        b = max(len(prior), len(user), len(providers))
        (x, y), a = prior.shape[2:], user.shape[2]
        k = check_providers("providers", providers.shape[1], MAX_PROVIDERS)
        mask = availability(available, b, x, a, "game", "in every state")
        everywhere = np.ones((b, 1, 1), bool)
        counts = integer_weights("prior", prior, "[B, Z, X, Y]")
        user, providers = (
            same_for_all(name, array, b, shape)
            for name, array, shape in (("user", user, (y, a)), ("providers", providers, (k, y, a)))
        )

        def build(steps: int) -> PersuasionGame:
            users = fixed_point("user", user, everywhere, steps)
            others = fixed_point("providers", providers, everywhere[:, None], steps)
            return _build(counts, users, others, mask, steps, labels)

        payoffs = [Payoffs(user, everywhere, 2), Payoffs(providers, everywhere[:, None], 2)]
        return in_steps(build, resolution, payoffs)


# --- the door ---------------------------------------------------------------------------------------------------------


def integer_weights(name: str, weights: np.ndarray, axes: str) -> np.ndarray:
    """Integer weights, in the same proportions, of a joint distribution over (z, x) or (z, x, y)."""
    real = weights.astype(np.float64)
    bad = ~(np.isfinite(real) & (real >= 0))
    if bad.any():
        where = np.argwhere(bad)[0].tolist()
        raise ValueError(
            f"{name}: expected finite weights that are not negative, got {weights[tuple(where)]} at {where}"
        )
    for axis, what in ((1, "signal x_A"), (2, "state x_B")):
        others = tuple(other for other in range(1, real.ndim) if other != axis)
        empty = real.sum(axis=others) <= 0
        if empty.any():
            game, index = np.argwhere(empty)[0].tolist()
            raise ValueError(
                f"{name}: expected every {what} to have a positive weight, got none for {index} in game {game}"
            )
    rows = [whole_weights(name, row) for row in listed(weights.reshape(len(weights), -1))]
    return np.array(rows, np.int64).reshape(weights.shape)


def _build(counts, user, providers, mask, resolution: int, labels: Labels | None) -> PersuasionGame:
    """Contributions and their limits, from integer weights over (z, x) or (z, x, y) and fixed-point utilities."""
    b, k, x, a = len(mask), providers.shape[1], *mask.shape[1:]
    if len(counts) not in (1, b) or len(user) != b:
        raise ValueError(f"weights: expected a batch of 1 or {b}, got {len(counts)}")
    counts = np.broadcast_to(counts, (b, *counts.shape[1:]))
    largest = max(int(np.abs(user).max()), int(np.abs(providers).max()))
    if largest * int(counts.sum(axis=tuple(range(1, counts.ndim))).max()) > MAX_VALUE:
        raise TooLargeError(
            f"weights, user, providers: total weight x |utility| x resolution must be at most 2**41, got "
            f"{counts.reshape(b, -1).sum(axis=1).max()} x {largest}; use a smaller resolution or smaller weights"
        )
    if counts.ndim == 4:
        weights = counts.sum(axis=3)
        user = np.einsum("bzxy,bya->bzxa", counts, user)
        providers = np.einsum("bzxy,bkya->bkzxa", counts, providers)
    else:
        weights = np.array(counts)
        user = user * counts[..., None]
        providers = providers * counts[:, None, ..., None]
    check_labels(labels, x, a, k)
    return PersuasionGame(
        weights=weights,
        user=np.where(mask[:, None], user, 0),
        providers=np.where(mask[:, None, None], providers, 0),
        available=mask,
        table_id=np.arange(b, dtype=np.int64),
        resolution=int(resolution),
        labels=labels,
    )
