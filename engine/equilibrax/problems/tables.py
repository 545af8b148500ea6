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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Int, UInt32

from equilibrax._core.checks import (
    INT32_MAX,
    as_numbers,
    availability,
    check_providers,
    positive_int,
    same_for_all,
)
from equilibrax._core.fixed_point import (
    Payoffs,
    RoundingWarning as RoundingWarning,
    TooLargeError,
    check_positive,
    fixed_point,
    in_steps,
    positive_weights,
)
from equilibrax.problems._alignment import aligned, nested_arrays
from equilibrax.problems._batch import Batch, pytree
from equilibrax.problems._labels import Labels as Labels
from equilibrax.problems._selection_form import MAX_PROFILES, selection_form
from equilibrax.problems.normal_form import NormalForm

MAX_PROVIDERS = 16
"""Committees are bitmasks and all 2**K - 1 of them are solved at once; 16 providers make 65,535 committees."""

MAX_VALUE = 2**41
"""Largest |v_p(f)| in fixed point. A sort key holds a value and a 20-bit position in one 64-bit integer."""

Array = Any  # a NumPy or a JAX array; shapes are in the annotations of the fields


@pytree
@dataclass(frozen=True)
class UtilityTables(Batch):
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

    _one: ClassVar[str] = "table"
    made_by: ClassVar[str] = "eq.from_arrays(user, providers), eq.from_dataframe(frame) or eq.read_tables(file)"
    _kinds: ClassVar[dict[str, Any]] = {
        "user": np.int32,
        "providers": np.int32,
        "prior": np.int32,
        "available": np.bool_,
        "table_id_words": np.uint32,
    }

    @property
    def table_id(self) -> np.ndarray:
        """`[B]` int64, the tables' ids."""
        words = np.asarray(self.table_id_words).astype(np.uint64)
        return ((words[:, 0] << np.uint64(32)) | words[:, 1]).astype(np.int64)

    def schemes(self) -> list[int]:
        """Number of signaling schemes of each table: the product over states of the available actions."""
        counts = np.asarray(self.available).sum(axis=2)
        return [int(np.prod(row.astype(object))) for row in counts]

    def action_names(self, scheme: np.ndarray) -> list[str]:
        """The names of the actions that `scheme` (`[X]`, action indices) recommends, state by state."""
        return [self.labels.actions[a] if self.labels else str(int(a)) for a in np.asarray(scheme)]

    def to_normal_form(
        self,
        table: int,
        committee: int | Sequence[str],
        *,
        tie_break: str = "lowest_index",
        user: bool = False,
        max_profiles: int = MAX_PROFILES,
    ) -> NormalForm:
        """The selection game of one table as a game in normal form between the members of a committee, for Gambit say.

        Every member posts a scheme; the user takes the one that is best for her, of the lowest member where several
        are; everybody has what it is worth (2509.15090, Definition 16). The scheme that is taken is the outcome.

        Args:
            table: position in the batch.
            committee: bitmask, or the names of the members.
            tie_break: "lowest_index". Under "incumbent" a user who is indifferent stays where she was, so payoffs are
                no function of the profile, and that is refused.
            user: whether she is a player too, the last, with one action: her payoffs are known then.
            max_profiles: how large the game may be: S schemes make S**|C| profiles.

        Returns:
            A batch of one game with outcomes and labels; its resolution is `scale`.

        Raises:
            ValueError: on a committee that is none, too many profiles, or "incumbent".

        Example:
            >>> import equilibrax as eq
            >>> tables = eq.load_paper_table("synthetic-1")
            >>> game = tables.to_normal_form(0, 0b00011)
            >>> game.num_actions, len(game.outcome_names())
            ((27, 27), 27)
            >>> found = eq.solve(game, eq.Nash())
            >>> {game.outcome_names()[game.outcome[0][profile]] for profile in found.profiles(0)}
            {'B, B, C'}
        """
        return selection_form(self[table], committee, tie_break, user, max_profiles)


def from_arrays(
    user: Any,
    providers: Any,
    prior: Any = None,
    available: Any = None,
    *,
    resolution: int | None = None,
    labels: Labels | None = None,
    states: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
    provider_names: Sequence[str] | None = None,
) -> UtilityTables:
    """Utility tables from arrays of numbers, rounded once to multiples of `1 / resolution`.

    Numbers may be `fractions.Fraction`, which are taken exactly. Floats are read as the decimals that people write for
    them: 0.1 + 0.2 is 0.3.

    What carries labels is aligned by these, never by position: pandas DataFrames with states as index and actions as
    columns, Series with states as index, xarray DataArrays with dims table, provider, state, action.

    Args:
        user: `[X, A]` or `[B, X, A]`, the user's utilities.
        providers: `[K, X, A]` or `[B, K, X, A]`, the providers' utilities, K from 1 to 16; or a dictionary from names
            to `[X, A]` or `[B, X, A]` each.
        prior: `[X]` or `[B, X]`, positive weights of any scale; None is uniform. Whole numbers, decimals
            and ratios of small whole numbers (0.2, 1/3) are kept exactly, others are rounded to 1e-6 of their sum.
        available: `[X, A]` or `[B, X, A]` bool; None means every action exists in every state. Utilities of
            unavailable actions are ignored and may be NaN.
        resolution: steps per unit of utility; None is the smallest power of ten of at least 10,000 that represents the
            utilities, where it fits, else 10,000 with a `RoundingWarning` if different utilities become equal.
        labels: names of states, actions, providers and tables.
        states: X names, instead of labels, in the order of the result; so are the next two.
        actions: A names.
        provider_names: K names.

    Returns:
        A batch of B tables (of one table if the arrays have no batch axis).

    Raises:
        ValueError: naming the argument, what was expected and what came; also if labels differ.

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.from_arrays(user=[[1.0, 0.0], [0.0, 1.0]], providers=[[[0.3, 0.7], [0.1, 0.9]]])
        >>> len(tables), tables.states, tables.actions, tables.num_providers
        (1, 2, 2, 1)
        >>> tables.user[0].tolist()
        [[10000, 0], [0, 10000]]
    """
    names = {"states": states, "actions": actions, "provider_names": provider_names}
    given = aligned(user, providers, prior, available, labels, names)
    (user, providers), weights, mask, labels = _shapes(*given)
    weights = positive_weights(weights)

    def build(steps: int) -> UtilityTables:
        users = fixed_point("user", user, mask, steps)
        others = fixed_point("providers", providers, mask[:, None], steps)
        return _finish(users, others, weights, mask, steps, labels)

    return in_steps(build, resolution, [Payoffs(user, mask, 2), Payoffs(providers, mask[:, None], 2)])


def from_dict(data: Mapping[str, Any], *, resolution: int | None = None) -> UtilityTables:
    """Utility tables from nested dictionaries, such as a JSON file holds.

    Args:
        data: `{"user": {state: {action: utility}}, "providers": {name: {state: {action: utility}}}}`, perhaps with
            `"prior": {state: weight}`; or a dictionary from names of tables to such dictionaries. An action that a
            state lacks is unavailable there; all players have the same.
        resolution: as for `from_arrays`.

    Raises:
        ValueError: naming the place, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> guess = {"rain": {"bus": 1, "walk": 0}, "sun": {"walk": 1, "bus": 0.3}}
        >>> tables = eq.from_dict({"user": guess, "providers": {"Ann": guess}, "prior": {"sun": 3, "rain": 1}})
        >>> tables.labels.actions, tables.prior.tolist(), tables.user.tolist()
        (('bus', 'walk'), [[1, 3]], [[[10000, 0], [3000, 10000]]])
    """
    return from_arrays(**nested_arrays(data), resolution=resolution)


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
        if limit > INT32_MAX:
            raise ValueError(f"{name}: expected integers of at most 32 bits (|value| <= {INT32_MAX}), got {limit}")
    check_positive(prior_array)
    user_int = np.where(mask, arrays[0], 0).astype(np.int64)
    providers_int = np.where(mask[:, None], arrays[1], 0).astype(np.int64)
    return _finish(user_int, providers_int, prior_array.astype(np.int64), mask, resolution, labels)


def table_id_words(ids: np.ndarray) -> np.ndarray:
    """`[B, 2]` uint32, the high and low halves of 64-bit ids `[B]`."""
    ids = np.asarray(ids).astype(np.uint64)
    return np.stack([ids >> np.uint64(32), ids & np.uint64(0xFFFFFFFF)], axis=1).astype(np.uint32)


# --- the door ---------------------------------------------------------------------------------------------------------


def _shapes(user: Any, providers: Any, prior: Any, available: Any, labels: Labels | None):
    """Arrays with a batch axis, checked against each other: (user, providers), prior, available, labels."""
    user, providers = as_numbers("user", user, rationals=True), _as_numbers_k(providers)
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
    k = check_providers("providers", providers.shape[1], MAX_PROVIDERS)
    if providers.shape != (b, k, x, a):
        raise ValueError(
            f"providers: expected [B, K, X, A] = {[b, k, x, a]} to match user {[b, x, a]}, got {list(providers.shape)}"
        )
    mask = availability(available, b, x, a, "table", "in every state")
    weights = np.ones((b, x), np.int64) if prior is None else as_numbers("prior", prior, rationals=True)
    weights = same_for_all("prior", weights, b, (x,))
    check_labels(labels, x, a, k)
    return (user, providers), weights, mask, labels


def check_labels(labels: Labels | None, states: int, actions: int, providers: int) -> None:
    """Refuse labels of other numbers of things."""
    if labels is not None:
        came = (len(labels.states), len(labels.actions), len(labels.providers))
        if came != (states, actions, providers):
            raise ValueError(
                f"labels: expected {states} states, {actions} actions and {providers} providers, got {came}"
            )


def _as_numbers_k(providers: Any) -> np.ndarray:
    shape = np.shape(providers) if not isinstance(providers, list | tuple) else None
    if (shape is not None and 0 in shape[:-2]) or (isinstance(providers, list | tuple) and len(providers) == 0):
        raise ValueError(f"providers: expected 1 to {MAX_PROVIDERS} providers, got 0")
    return as_numbers("providers", providers, rationals=True)


def _finish(user, providers, prior, available, resolution: int, labels: Labels | None) -> UtilityTables:
    prior = prior // np.gcd.reduce(prior, axis=1)[:, None]
    largest = np.maximum(np.abs(user).max(axis=2), np.abs(providers).max(axis=(1, 3)))  # [B, X]
    values = (largest.astype(object) * prior.astype(object)).sum(axis=1)
    worst = max(values.tolist(), default=0)
    if worst > MAX_VALUE:
        table = values.tolist().index(worst)
        raise TooLargeError(
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
