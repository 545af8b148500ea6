"""Utility tables: what every player thinks of every action in every state, as exact integers.

A table is a game between one user and K providers. There are X states with prior weights `p(x)`, A actions of
which some may be unavailable in some states, and a utility `u_p(a, x)` for the user (p = 0) and for each provider
(p = 1..K). The value of a signaling scheme f for player p is `v_p(f) = sum_x p(x) u_p(f(x), x)`
(2509.15090, Section 7.1).

Ties decide these games and floating point does not respect ties, so utilities are kept in fixed point: the integer
nearest to `utility x resolution`, rounded once, here. Everything downstream that decides an equilibrium compares sums
of these integers. The equilibria are exact for the rounded table; a table given to at most `log10(resolution)`
decimals is not changed by the rounding at all.

Letters: B tables, K providers, X states, A actions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Int, UInt32

from equilibrax._core.checks import as_numbers, positive_int

MAX_PROVIDERS = 16
"""Committees are bitmasks and all 2**K - 1 of them are solved at once; 16 providers make 65,535 committees."""

MAX_VALUE = 2**41
"""Largest |v_p(f)| in fixed point. A sort key holds a value and a 20-bit position in one 64-bit integer."""

_INT32_MAX = 2**31 - 1

Array = Any  # a NumPy or a JAX array; shapes are in the annotations of the fields


@dataclass(frozen=True)
class Labels:
    """Names for people: of states, actions, providers and, for files that hold several tables, tables.

    `tables[i]` is the name of the table whose `table_id` is i.
    """

    states: tuple[str, ...]
    actions: tuple[str, ...]
    providers: tuple[str, ...]
    tables: tuple[str, ...] = ()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class UtilityTables:
    """A batch of B games of the same shape, in fixed point. A JAX pytree; the leading axis of every leaf is B.

    Make one with `from_arrays`, `from_integers`, `read_tables`, `load_paper_table` or `sample_tables`, which validate;
    the constructor does not.

    Attributes:
        user: `[B, X, A]` int32, the user's utility times `resolution`. Zero where an action is unavailable.
        providers: `[B, K, X, A]` int32, the providers' utilities times `resolution`.
        prior: `[B, X]` int32, positive integer weights; the probability of x is `prior[x] / prior.sum()`.
        available: `[B, X, A]` bool, which actions exist in which state.
        table_id_words: `[B, 2]` uint32, high and low half of the 64-bit table id (read it as `table_id`). A table's
            id travels with it through slicing and batching; random choices about a table depend on its id alone.
        resolution: steps per unit of utility.
        family: the family of random tables this batch was drawn from, or "" for tables that were given.
        seed: the seed it was drawn with.
        labels: names for people, or None.
    """

    user: Int[Array, "B X A"]
    providers: Int[Array, "B K X A"]
    prior: Int[Array, "B X"]
    available: Bool[Array, "B X A"]
    table_id_words: UInt32[Array, "B 2"]
    resolution: int = field(default=10_000, metadata={"static": True})
    family: str = field(default="", metadata={"static": True})
    seed: int = field(default=0, metadata={"static": True})
    labels: Labels | None = field(default=None, metadata={"static": True})

    def __len__(self) -> int:
        return self.user.shape[0]

    def __getitem__(self, index: int | slice) -> UtilityTables:
        """Tables `index`, still batched: `tables[3]` is a batch of one."""
        if isinstance(index, int | np.integer):
            size = len(self)
            if not -size <= index < size:
                raise IndexError(f"table {index} of a batch of {size}")
            index = slice(int(index) % size, int(index) % size + 1)
        return jax.tree.map(lambda leaf: leaf[index], self)

    def __iter__(self) -> Iterator[UtilityTables]:
        return (self[i] for i in range(len(self)))

    @property
    def states(self) -> int:
        """Number of states, X."""
        return self.user.shape[1]

    @property
    def actions(self) -> int:
        """Number of actions, A, counting those that are available only in some states."""
        return self.user.shape[2]

    @property
    def num_providers(self) -> int:
        """Number of providers, K."""
        return self.providers.shape[1]

    @property
    def table_id(self) -> np.ndarray:
        """`[B]` int64, the tables' ids."""
        words = np.asarray(self.table_id_words).astype(np.uint64)
        return ((words[:, 0] << np.uint64(32)) | words[:, 1]).astype(np.int64)

    @property
    def scale(self) -> np.ndarray:
        """`[B]` int64: an integer value divided by this is an expected utility (`resolution` times the prior's sum)."""
        return np.asarray(self.prior).astype(np.int64).sum(axis=1) * self.resolution

    @property
    def rounding_error(self) -> float:
        """Largest possible difference between a given utility and the one used: half a fixed-point step."""
        return 0.5 / self.resolution

    def schemes(self) -> list[int]:
        """Number of signaling schemes of each table: the product over states of the available actions."""
        counts = np.asarray(self.available).sum(axis=2)
        return [int(np.prod(row.astype(object))) for row in counts]

    def names(self) -> list[str]:
        """One name per table: its own where it has one, else its family, else `table`."""
        own: tuple[str, ...] = self.labels.tables if self.labels else ()
        return [str(own[i]) if i < len(own) else self.family or "table" for i in self.table_id.tolist()]

    def provider_names(self) -> tuple[str, ...]:
        """The providers' names, `provider 1` and so on where none were given."""
        return self.labels.providers if self.labels else tuple(f"provider {j + 1}" for j in range(self.num_providers))

    def committee_name(self, committee: int) -> str:
        """The providers of a committee (bitmask) by name, joined by commas."""
        return ", ".join(name for j, name in enumerate(self.provider_names()) if committee >> j & 1)

    def action_names(self, scheme: np.ndarray) -> list[str]:
        """The names of the actions that `scheme` (`[X]`, action indices) recommends, state by state."""
        return [self.labels.actions[a] if self.labels else str(int(a)) for a in np.asarray(scheme)]


def from_arrays(
    user: Any,
    providers: Any,
    prior: Any = None,
    available: Any = None,
    *,
    resolution: int = 10_000,
    labels: Labels | None = None,
) -> UtilityTables:
    """Utility tables from real-valued arrays, rounded once to multiples of `1 / resolution`.

    Args:
        user: `[X, A]` or `[B, X, A]`, the user's utilities.
        providers: `[K, X, A]` or `[B, K, X, A]`, the providers' utilities, K from 1 to 16.
        prior: `[X]` or `[B, X]`, positive weights of any scale; None is uniform. Whole numbers and weights that are
            ratios of small whole numbers (0.2, 1/3) are kept exactly, others are rounded to 1e-6 of their sum.
        available: `[X, A]` or `[B, X, A]` bool; None means every action exists in every state. Utilities of
            unavailable actions are ignored and may be NaN.
        resolution: steps per unit of utility.
        labels: names of states, actions, providers and tables.

    Returns:
        A batch of B tables (of one table if the arrays have no batch axis).

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.from_arrays(user=[[1.0, 0.0], [0.0, 1.0]], providers=[[[0.3, 0.7], [0.1, 0.9]]])
        >>> len(tables), tables.states, tables.actions, tables.num_providers
        (1, 2, 2, 1)
        >>> tables.user[0].tolist()
        [[10000, 0], [0, 10000]]
    """
    resolution = positive_int("resolution", resolution)
    arrays, prior_array, mask, labels = _shapes(user, providers, prior, available, labels)
    rounded = []
    for name, array in zip(("user", "providers"), arrays):
        array = np.asarray(array, np.float64)
        here = mask if name == "user" else mask[:, None]
        bad = ~np.isfinite(array) & here
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"{name}: expected finite utilities, got {array[where]} at index {list(where)}")
        scaled = np.rint(np.where(here, array, 0.0) * resolution)
        if np.abs(scaled).max() > _INT32_MAX:
            raise ValueError(
                f"{name}: utility x resolution must fit in 32 bits (at most {_INT32_MAX}), got a utility of magnitude "
                f"{np.abs(array[np.broadcast_to(here, array.shape)]).max():g} with resolution={resolution}; "
                f"use a smaller resolution"
            )
        rounded.append(scaled.astype(np.int64))
    return _finish(rounded[0], rounded[1], _integer_prior(prior_array), mask, resolution, labels)


def from_integers(
    user: Any,
    providers: Any,
    prior: Any = None,
    available: Any = None,
    *,
    resolution: int = 1,
    labels: Labels | None = None,
) -> UtilityTables:
    """Utility tables from exact integers; nothing is rounded.

    Args:
        user: `[X, A]` or `[B, X, A]` integers; the utility is `user / resolution`.
        providers: `[K, X, A]` or `[B, K, X, A]` integers, K from 1 to 16.
        prior: `[X]` or `[B, X]` positive integer weights; None is uniform.
        available: `[X, A]` or `[B, X, A]` bool; None means every action exists in every state.
        resolution: steps per unit of utility.
        labels: names of states, actions, providers and tables.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.from_integers([[3, 1], [0, 2]], [[[1, 5], [2, 2]]], prior=[1, 2])
        >>> tables.scale.tolist()
        [3]
    """
    resolution = positive_int("resolution", resolution)
    arrays, prior_array, mask, labels = _shapes(user, providers, prior, available, labels)
    for name, array in zip(("user", "providers", "prior"), (*arrays, prior_array)):
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name}: expected integers, got dtype {array.dtype}; use from_arrays for real utilities")
        limit = int(max(array.max(), -int(array.min())))
        if limit > _INT32_MAX:
            raise ValueError(f"{name}: expected integers of at most 32 bits (|value| <= {_INT32_MAX}), got {limit}")
    _check_prior_positive(prior_array)
    user_int = np.where(mask, arrays[0], 0).astype(np.int64)
    providers_int = np.where(mask[:, None], arrays[1], 0).astype(np.int64)
    return _finish(user_int, providers_int, prior_array.astype(np.int64), mask, resolution, labels)


def concatenate(batches: list[UtilityTables]) -> UtilityTables:
    """One batch from several of the same shape, resolution and labels.

    Args:
        batches: at least one batch; all with the same X, A, K, `resolution`, `family`, `seed` and `labels`.

    Raises:
        ValueError: if the list is empty or the batches differ.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.sample_tables("uniform", 4, states=2, actions=2, providers=1, seed=0)
        >>> len(eq.concatenate([tables[:1], tables[1:]]))
        4
    """
    if not batches:
        raise ValueError("batches: expected at least one batch of tables, got none")
    first = batches[0]
    kind = (first.providers.shape[1:], first.resolution, first.family, first.seed, first.labels)
    for i, batch in enumerate(batches):
        other = (batch.providers.shape[1:], batch.resolution, batch.family, batch.seed, batch.labels)
        if other != kind:
            raise ValueError(f"batches: expected all alike, got {kind} at 0 and {other} at {i}")
    return jax.tree.map(lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves]), *batches)


def table_id_words(ids: np.ndarray) -> np.ndarray:
    """`[B, 2]` uint32, the high and low halves of 64-bit ids `[B]`."""
    ids = np.asarray(ids).astype(np.uint64)
    return np.stack([ids >> np.uint64(32), ids & np.uint64(0xFFFFFFFF)], axis=1).astype(np.uint32)


# --- the door ---------------------------------------------------------------------------------------------------------


def _shapes(user: Any, providers: Any, prior: Any, available: Any, labels: Labels | None):
    """Arrays with a batch axis, checked against each other: (user, providers), prior, available, labels."""
    user, providers = as_numbers("user", user), _as_numbers_k(providers)
    if user.ndim not in (2, 3):
        raise ValueError(f"user: expected shape [X, A] or [B, X, A], got {list(user.shape)}")
    if providers.ndim != user.ndim + 1:
        shape = "[K, X, A]" if user.ndim == 2 else "[B, K, X, A]"
        raise ValueError(
            f"providers: expected shape {shape} to go with user {list(user.shape)}, got {list(providers.shape)}"
        )
    if user.ndim == 2:
        user, providers = user[None], providers[None]
    b, x, a = user.shape
    k = providers.shape[1]
    if not 1 <= k <= MAX_PROVIDERS:
        raise ValueError(f"providers: expected 1 to {MAX_PROVIDERS} providers, got {k}")
    if providers.shape != (b, k, x, a):
        raise ValueError(
            f"providers: expected [B, K, X, A] = {[b, k, x, a]} to match user {[b, x, a]}, got {list(providers.shape)}"
        )
    if available is None:
        mask = np.ones((b, x, a), bool)
    else:
        mask = as_numbers("available", available)
        if mask.dtype != bool:
            raise ValueError(f"available: expected booleans, got dtype {mask.dtype}")
        if mask.shape not in ((x, a), (b, x, a)):
            raise ValueError(f"available: expected shape {[x, a]} or {[b, x, a]}, got {list(mask.shape)}")
        mask = np.broadcast_to(mask, (b, x, a)).copy()
        empty = ~mask.any(axis=2)
        if empty.any():
            table, state = (int(i) for i in np.argwhere(empty)[0])
            raise ValueError(
                f"available: expected at least one action in every state, got none in table {table}, state {state}"
            )
    if prior is None:
        weights = np.ones((b, x), np.int64)
    else:
        weights = as_numbers("prior", prior)
        if weights.shape not in ((x,), (b, x)):
            raise ValueError(f"prior: expected shape {[x]} or {[b, x]}, got {list(weights.shape)}")
        weights = np.broadcast_to(weights, (b, x))
    if labels is not None:
        came = (len(labels.states), len(labels.actions), len(labels.providers))
        if came != (x, a, k):
            raise ValueError(f"labels: expected {x} states, {a} actions and {k} providers, got {came}")
    return (user, providers), weights, mask, labels


def _as_numbers_k(providers: Any) -> np.ndarray:
    shape = np.shape(providers) if not isinstance(providers, list | tuple) else None
    if (shape is not None and 0 in shape[:-2]) or (isinstance(providers, list | tuple) and len(providers) == 0):
        raise ValueError(f"providers: expected 1 to {MAX_PROVIDERS} providers, got 0")
    return as_numbers("providers", providers)


def _check_prior_positive(weights: np.ndarray) -> None:
    bad = ~(np.isfinite(weights.astype(np.float64)) & (weights > 0))
    if bad.any():
        table, state = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"prior: expected positive finite weights, got {weights[table, state]} in table {table}, state {state}"
        )


def _integer_prior(weights: np.ndarray) -> np.ndarray:
    """Positive integer weights in the same proportions: exact where these are ratios of small whole numbers."""
    _check_prior_positive(weights)
    distinct, inverse = np.unique(weights, axis=0, return_inverse=True)
    rows = np.array([_integer_weights(row.tolist()) for row in distinct], np.int64)
    return rows[inverse.reshape(-1)]


def _integer_weights(row: list[float], steps: int = 1_000_000) -> list[int]:
    total = sum(row)
    shares = [Fraction(w / total).limit_denominator(10_000) for w in row]
    denominator = lcm(*(s.denominator for s in shares))
    exact = denominator <= steps and all(abs(float(s) - w / total) <= 1e-12 for s, w in zip(shares, row))
    if all(float(w).is_integer() for w in row) and total <= _INT32_MAX:
        whole = [int(w) for w in row]
    elif exact and sum(shares) == 1:
        whole = [int(s * denominator) for s in shares]
    else:
        whole = [round(w / total * steps) for w in row]
    if min(whole) < 1:
        raise ValueError(
            f"prior: a share of {min(row) / total:g} rounds to zero; expected shares of at least {1 / steps:g}"
        )
    common = gcd(*whole)
    return [w // common for w in whole]


def _finish(user, providers, prior, available, resolution: int, labels: Labels | None) -> UtilityTables:
    prior = prior // np.gcd.reduce(prior, axis=1)[:, None]
    largest = np.maximum(np.abs(user).max(axis=2), np.abs(providers).max(axis=(1, 3)))  # [B, X]
    values = (largest.astype(object) * prior.astype(object)).sum(axis=1)
    worst = max(values.tolist(), default=0)
    if worst > MAX_VALUE:
        table = values.tolist().index(worst)
        raise ValueError(
            f"user, providers, prior: the sum over states of weight x |utility| x resolution must be at most 2**41, "
            f"got {worst} in table {table}; use a smaller resolution or smaller prior weights"
        )
    return UtilityTables(
        user=user.astype(np.int32),
        providers=providers.astype(np.int32),
        prior=prior.astype(np.int32),
        available=available,
        table_id_words=table_id_words(np.arange(len(user))),
        resolution=resolution,
        labels=labels,
    )
