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

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Int

from equilibrax._core.checks import as_numbers, positive_int
from equilibrax.problems.tables import MAX_PROVIDERS, MAX_VALUE, Labels, UtilityTables

_INT32_MAX = 2**31 - 1
_STEPS = 1_000_000  # weights that are no ratios of small whole numbers are rounded to this share of their sum

Array = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PersuasionGame:
    """A batch of B games of information of the same shape, in fixed point. A pytree; every leaf's first axis is B.

    Make one with `from_tables`, `from_weights` or `from_prior`, which validate; the constructor does not.

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

    def __len__(self) -> int:
        return self.user.shape[0]

    def __getitem__(self, index: int | slice) -> PersuasionGame:
        """Games `index`, still batched: `games[3]` is a batch of one."""
        if isinstance(index, int | np.integer):
            size = len(self)
            if not -size <= index < size:
                raise IndexError(f"game {index} of a batch of {size}")
            index = slice(int(index) % size, int(index) % size + 1)
        return jax.tree.map(lambda leaf: leaf[index], self)

    def __iter__(self) -> Iterator[PersuasionGame]:
        return (self[i] for i in range(len(self)))

    @property
    def signals(self) -> int:
        """Number of signals of the user, Z; 1 when she knows nothing."""
        return self.user.shape[1]

    @property
    def states(self) -> int:
        """Number of states, X."""
        return self.user.shape[2]

    @property
    def actions(self) -> int:
        """Number of actions, A."""
        return self.user.shape[3]

    @property
    def num_providers(self) -> int:
        """Number of providers, K."""
        return self.providers.shape[1]

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
        lowest = np.iinfo(np.int64).min
        best = np.where(np.asarray(self.available)[:, None], np.asarray(self.user), lowest).max(axis=3)
        return best.sum(axis=(1, 2))

    @property
    def optimum_utility(self) -> np.ndarray:
        """`[B]` float64, first-best expected utility, OPT (2509.15090, Definition 2)."""
        return self.optimum_value / self.scale

    @property
    def rounding_error(self) -> float:
        """Largest possible difference between a given utility and the one used: half a fixed-point step."""
        return 0.5 / self.resolution

    def names(self) -> list[str]:
        """One name per game: its own where it has one, else its family, else `table`."""
        own: tuple[str, ...] = self.labels.tables if self.labels else ()
        return [str(own[i]) if i < len(own) else self.family or "table" for i in self.table_id.tolist()]

    def provider_names(self) -> tuple[str, ...]:
        """The providers' names, `provider 1` and so on where none were given."""
        return self.labels.providers if self.labels else tuple(f"provider {j + 1}" for j in range(self.num_providers))

    def state_names(self) -> tuple[str, ...]:
        """The states' names, their numbers where none were given."""
        return self.labels.states if self.labels else tuple(str(x) for x in range(self.states))

    def committee_name(self, committee: int) -> str:
        """The providers of a committee (bitmask) by name, joined by commas."""
        return ", ".join(name for j, name in enumerate(self.provider_names()) if committee >> j & 1)

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
        resolution: int = 10_000,
        labels: Labels | None = None,
    ) -> PersuasionGame:
        """Games from weights of (signal, state) and utilities that are expectations given both.

        Args:
            weights: `[Z, X]` or `[B, Z, X]` numbers of any scale, not negative. Whole numbers and ratios of small whole
                numbers are kept exactly, others are rounded to 1e-6 of their sum.
            user: `[Z, X, A]` or `[B, Z, X, A]`, the user's utility of each action given (z, x).
            providers: `[K, Z, X, A]` or `[B, K, Z, X, A]`, the providers', K from 1 to 16.
            available: `[X, A]` or `[B, X, A]` bool; None means that every action exists in every state. Utilities of
                unavailable actions are ignored and may be NaN.
            resolution: fixed-point steps per unit of utility.
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
        weights = _with_batch("weights", weights, "[Z, X]")
        user, providers = _with_batch("user", user, "[Z, X, A]"), _with_batch("providers", providers, "[K, Z, X, A]")
        b = max(len(weights), len(user), len(providers))
        z, x, a = weights.shape[1], weights.shape[2], user.shape[3]
        mask = _availability(available, b, x, a)
        return _build(
            integer_weights("weights", weights, "[B, Z, X]"),
            _fixed("user", user, (z, x, a), b, mask[:, None], resolution),
            _fixed(
                "providers", providers, (_number_of_providers(providers), z, x, a), b, mask[:, None, None], resolution
            ),
            mask,
            resolution,
            labels,
        )

    @staticmethod
    def from_prior(
        prior: Any,
        user: Any,
        providers: Any,
        available: Any = None,
        *,
        resolution: int = 10_000,
        labels: Labels | None = None,
    ) -> PersuasionGame:
        """Games from a full finite prior over (x_A, x_B, y) and utilities of (action, y), as in Section 2.1.

        Args:
            prior: `[Z, X, Y]` or `[B, Z, X, Y]` numbers of any scale, not negative; kept as `weights` of
                `from_weights` are. An outcome y may be impossible, a state or a signal may not.
            user: `[Y, A]` or `[B, Y, A]`, the user's utility of each action in each outcome.
            providers: `[K, Y, A]` or `[B, K, Y, A]`, the providers', K from 1 to 16.
            available: `[X, A]` or `[B, X, A]` bool; None means that every action exists in every state.
            resolution: fixed-point steps per unit of utility.
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
        prior = _with_batch("prior", prior, "[Z, X, Y]")
        user, providers = _with_batch("user", user, "[Y, A]"), _with_batch("providers", providers, "[K, Y, A]")
        b = max(len(prior), len(user), len(providers))
        (x, y), a = prior.shape[2:], user.shape[2]
        mask = _availability(available, b, x, a)
        everywhere = np.ones((b, 1, 1), bool)
        return _build(
            integer_weights("prior", prior, "[B, Z, X, Y]"),
            _fixed("user", user, (y, a), b, everywhere, resolution),
            _fixed("providers", providers, (_number_of_providers(providers), y, a), b, everywhere[:, None], resolution),
            mask,
            resolution,
            labels,
        )


# --- the door ---------------------------------------------------------------------------------------------------------


def _with_batch(name: str, value: Any, shape: str) -> np.ndarray:
    """Numbers with a batch axis."""
    array = as_numbers(name, value)
    axes = shape.count(",") + 1
    if array.ndim not in (axes, axes + 1):
        raise ValueError(f"{name}: expected shape {shape} or [B, {shape[1:]}, got {list(array.shape)}")
    return array if array.ndim == axes + 1 else array[None]


def _number_of_providers(providers: np.ndarray) -> int:
    k = providers.shape[1]
    if not 1 <= k <= MAX_PROVIDERS:
        raise ValueError(f"providers: expected 1 to {MAX_PROVIDERS} providers, got {k}")
    return k


def _availability(available: Any, b: int, x: int, a: int) -> np.ndarray:
    if available is None:
        return np.ones((b, x, a), bool)
    mask = as_numbers("available", available)
    if mask.dtype != bool or mask.shape not in ((x, a), (b, x, a)):
        raise ValueError(
            f"available: expected booleans of shape {[x, a]} or {[b, x, a]}, got {list(mask.shape)} of {mask.dtype}"
        )
    mask = np.broadcast_to(mask, (b, x, a)).copy()
    if not mask.any(axis=2).all():
        game, state = np.argwhere(~mask.any(axis=2))[0].tolist()
        raise ValueError(f"available: expected an action in every state, got none in game {game}, state {state}")
    return mask


def _fixed(name: str, utilities: np.ndarray, shape: tuple[int, ...], b: int, mask: np.ndarray, resolution: int):
    """`[B, *shape]` int64, utility times resolution, zero where `mask` (broadcast) is False."""
    resolution = positive_int("resolution", resolution)
    if utilities.shape[1:] != shape or len(utilities) not in (1, b):
        raise ValueError(f"{name}: expected shape {list(shape)} or {[b, *shape]}, got {list(utilities.shape)}")
    utilities = utilities.astype(np.float64)
    spread = np.broadcast_to(mask, (b, *shape))
    needed = spread if len(utilities) == b else spread.any(axis=0, keepdims=True)
    bad = ~np.isfinite(utilities) & needed
    if bad.any():
        where = np.argwhere(bad)[0].tolist()
        raise ValueError(f"{name}: expected finite utilities, got {utilities[tuple(where)]} at index {where}")
    scaled = np.rint(np.where(needed, utilities, 0.0) * resolution)
    if np.abs(scaled).max() > _INT32_MAX:
        raise ValueError(
            f"{name}: utility x resolution must fit in 32 bits (at most {_INT32_MAX}), got {np.abs(scaled).max():g}; "
            f"use a smaller resolution"
        )
    return np.broadcast_to(scaled.astype(np.int64), (b, *shape))


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
    rows = [_whole(name, row.ravel().tolist()) for row in weights]
    return np.array(rows, np.int64).reshape(weights.shape)


def _whole(name: str, row: list[float]) -> list[int]:
    """As for the priors of `UtilityTables`, but zeros are allowed and stay zero."""
    total = sum(row)
    shares = [Fraction(w / total).limit_denominator(10_000) for w in row]
    denominator = lcm(*(s.denominator for s in shares))
    exact = denominator <= _STEPS and all(abs(float(s) - w / total) <= 1e-12 for s, w in zip(shares, row))
    if all(float(w).is_integer() for w in row) and total <= _INT32_MAX:
        whole = [int(w) for w in row]
    elif exact and sum(shares) == 1:
        whole = [int(s * denominator) for s in shares]
    else:
        whole = [round(w / total * _STEPS) for w in row]
    lost = [w / total for w, kept in zip(row, whole) if w > 0 and kept == 0]
    if lost:
        raise ValueError(f"{name}: a share of {lost[0]:g} rounds to zero; expected zero or at least {1 / _STEPS:g}")
    common = gcd(*whole)
    return [w // common for w in whole]


def _build(counts, user, providers, mask, resolution: int, labels: Labels | None) -> PersuasionGame:
    """Contributions and their limits, from integer weights over (z, x) or (z, x, y) and fixed-point utilities."""
    b, k, x, a = len(mask), providers.shape[1], *mask.shape[1:]
    if len(counts) not in (1, b) or len(user) != b:
        raise ValueError(f"weights: expected a batch of 1 or {b}, got {len(counts)}")
    counts = np.broadcast_to(counts, (b, *counts.shape[1:]))
    largest = max(int(np.abs(user).max()), int(np.abs(providers).max()))
    if largest * int(counts.sum(axis=tuple(range(1, counts.ndim))).max()) > MAX_VALUE:
        raise ValueError(
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
    if labels is not None:
        came = (len(labels.states), len(labels.actions), len(labels.providers))
        if came != (x, a, k):
            raise ValueError(f"labels: expected {x} states, {a} actions and {k} providers, got {came}")
    return PersuasionGame(
        weights=weights,
        user=np.where(mask[:, None], user, 0),
        providers=np.where(mask[:, None, None], providers, 0),
        available=mask,
        table_id=np.arange(b, dtype=np.int64),
        resolution=int(resolution),
        labels=labels,
    )
