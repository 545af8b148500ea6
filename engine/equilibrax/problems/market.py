"""Markets: many users, several providers, and what each of them sees (2602.13451, Section 2).

A market has N users, each with actions and a utility `u_i(a_i, x)` of her own, and K providers. A state x of the world
holds everything that matters and everything that anybody may observe; it has a prior weight. What a player observes is
a partition of the states, written as labels: states with the same label look the same. Providers' utilities are

- separable: `u_j(a_1..a_N, x) = sum_i lambda[j, i] F[j, i](a_i, x)` (Definition 2.13), weights times components;
- or general, for few users: a tensor over whole action profiles.

Constants `c_j` change no choice and are left out. Everything is in fixed point, rounded once, here: utilities are whole
numbers of `1 / resolution`, weights lambda of `1 / weight_resolution`. So all values are sums of integers and compare
exactly, also those that a provider adds up over users.

Letters: B markets, N users, K providers, X states, A actions (of the user who has most), Y outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Int

from equilibrax.problems._batch import Batch, pytree
from equilibrax.problems._market_arrays import (
    general_arrays,
    labels_or_refuse,
    separable_arrays,
    sight,
    sight_of_one,
    unfold_prior,
)
from equilibrax.problems._market_entry import augmented

Array = Any
Sight = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class MarketLabels:
    """Names for people: of states, users, providers, every user's actions and, in files of several, of markets.

    `actions[i]` are the names of user i's actions; `markets[m]` is the name of the market whose `market_id` is m.
    """

    states: tuple[str, ...]
    users: tuple[str, ...]
    providers: tuple[str, ...]
    actions: tuple[tuple[str, ...], ...]
    markets: tuple[str, ...] = ()


@pytree
@dataclass(frozen=True)
class Market(Batch):
    """A batch of B markets of the same shape, in fixed point. A pytree on the host; leaves start with axis B.

    Make one with `separable_market`, `general_market` or `market_from_prior`, which validate; the constructor does not.
    Its 64-bit integers are leaves that `jax.device_put` and `jax.jit` refuse, rather than cut to 32 bits.

    Attributes:
        prior: `[B, X]` int64, positive integer weights; the probability of x is `prior[x] / prior.sum()`.
        user: `[B, N, X, A]` int32, the users' utilities times `resolution`; zero where an action is unavailable.
        available: `[B, N, A]` bool, which actions each user has.
        components: `[B, K, N, X, A]` int32, F times `resolution`, or None in a general market.
        weights: `[B, K, N]` int64, lambda times `weight_resolution`, at least 0; all zero in a general market.
        tensor: `[B, K, X, A, ..., A]` int64 with N axes of actions, the providers' utilities times `resolution` times
            `weight_resolution`, or None in a separable market.
        market_id: `[B]` int64; it travels with the market through slicing and batching.
        provider_sees: K rows of X labels, what each provider observes; the same in all markets of a batch. Labels are
            counted in the order in which they appear.
        user_sees: N rows of X labels, what each user observes on her own.
        state_of: X labels, the outcome y on which utilities depend (used by benchmarks); by default each state its own.
        resolution: fixed-point steps per unit of utility.
        weight_resolution: fixed-point steps per unit of weight.
        family: where the markets come from, or "".
        seed: the seed they were drawn with.
        labels: names for people, or None.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.separable_market([[[1, 0], [0, 1]]] * 2, [[[[1, 0], [1, 0]]] * 2], weights=[[1, 0.5]])
        >>> market.users, market.states, market.actions, market.num_providers
        (2, 2, 2, 1)
        >>> market.weights.tolist(), market.separable
        ([[[10000, 5000]]], True)
    """

    prior: Int[Array, "B X"]
    user: Int[Array, "B N X A"]
    available: Bool[Array, "B N A"]
    components: Int[Array, "B K N X A"] | None
    weights: Int[Array, "B K N"]
    tensor: Int[Array, "B K X *A"] | None
    market_id: Int[Array, " B"]
    provider_sees: Sight = field(metadata={"static": True})
    user_sees: Sight = field(metadata={"static": True})
    state_of: tuple[int, ...] = field(metadata={"static": True})
    resolution: int = field(default=10_000, metadata={"static": True})
    weight_resolution: int = field(default=10_000, metadata={"static": True})
    family: str = field(default="", metadata={"static": True})
    seed: int = field(default=0, metadata={"static": True})
    labels: MarketLabels | None = field(default=None, metadata={"static": True})

    _one: ClassVar[str] = "market"
    _named: ClassVar[str] = "market"
    made_by: ClassVar[str] = "eq.separable_market(user, components, weights) or eq.read_market(file)"
    _kinds: ClassVar[dict[str, Any]] = {
        "prior": np.int64,
        "user": np.int32,
        "available": np.bool_,
        "components": np.int32,
        "weights": np.int64,
        "tensor": np.int64,
        "market_id": np.int64,
    }

    @property
    def users(self) -> int:
        """Number of users, N."""
        return self.user.shape[1]

    @property
    def num_providers(self) -> int:
        """Number of providers, K."""
        return self.weights.shape[1]

    @property
    def separable(self) -> bool:
        """Whether the providers' utilities are sums over users."""
        return self.components is not None

    @property
    def users_know_nothing(self) -> bool:
        """Whether no user observes anything on her own."""
        return not any(any(row) for row in self.user_sees)

    def same_sight(self, committee: int | None = None) -> bool:
        """Whether the providers of a committee (bitmask; None: all) observe the same."""
        members = [row for j, row in enumerate(self.provider_sees) if committee is None or committee >> j & 1]
        return len(set(members)) == 1

    @property
    def provider_scale(self) -> np.ndarray:
        """`[B]` int64: a provider's integer value divided by this is its expected utility."""
        return self.scale * self.weight_resolution

    @property
    def optimum_value(self) -> np.ndarray:
        """`[B, N]` int64, first-best values: the best action in every state."""
        len(self)  # refuses what JAX has damaged
        lowest = np.iinfo(np.int32).min
        best = np.where(np.asarray(self.available)[:, :, None], np.asarray(self.user), lowest).max(axis=3)
        return np.einsum("bx,bnx->bn", np.asarray(self.prior), best.astype(np.int64))

    @property
    def optimum_utility(self) -> np.ndarray:
        """`[B, N]` float64, first-best expected utilities."""
        return self.optimum_value / self.scale[:, None]

    def user_names(self) -> tuple[str, ...]:
        """The users' names, `user 1` and so on where none were given."""
        return self.labels.users if self.labels else tuple(f"user {i + 1}" for i in range(self.users))

    def _sizes(self) -> dict[str, int]:
        return {"users": self.users, **super()._sizes()}

    def _only(self) -> tuple[list[tuple[str, Any]], dict[str, np.ndarray], np.ndarray, Any]:
        along, players, there, steps = super()._only()
        return along, {"utility": players.pop("users"), **players}, there, steps

    def _along(self) -> list[tuple[str, Any]]:
        return [("user", self.user_names()), *super()._along()]

    def _described(self) -> tuple[dict[str, np.ndarray], np.ndarray, Any, np.ndarray]:
        there = np.asarray(self.available)[:, :, None]
        players = {"users": np.asarray(self.user)}
        if self.components is not None:
            players |= {name: np.asarray(self.components)[:, j] for j, name in enumerate(self.provider_names())}
        return players, there, self.resolution, np.asarray(self.prior)

    def add_user(
        self,
        utility: Any,
        components: Any,
        beta: Any,
        *,
        available: Any = None,
        sees: Any = None,
        name: str | None = None,
        actions: Sequence[str] | None = None,
    ) -> Market:
        """The augmented market: one user more, who is the last (2602.13451, Section 5).

        Provider j's utility becomes `(1 - beta_j) u_j + beta_j f_j`, where f_j depends on the newcomer's action and the
        state; the others' utilities stay. It is exact: the weights become whole numbers of a finer step,
        `weight_resolution` times the least common denominator of all beta, without the factors that all of them share.

        Args:
            utility: `[X, A']` or `[B, X, A']`, the newcomer's utility; A' may differ from A.
            components: `[K, X, A']` or `[B, K, X, A']`, f.
            beta: a number, or `[K]`, or `[B, K]` numbers in [0, 1); the paper has 0 < beta. A `Fraction` is taken as it
                is, a float is rounded to a multiple of 1e-4, but not to 0 or 1.
            available: `[A']` or `[B, A']` bool; None: all her actions exist.
            sees: `[X]` labels, what the newcomer observes on her own; None: nothing.
            name: her name, where the market has labels (default `user N + 1`).
            actions: A' names of her actions, where the market has labels (default their numbers).

        Returns:
            B markets with N + 1 users.

        Raises:
            ValueError: naming the argument, what was expected and what came; or if weights outgrow 64-bit integers.

        Example:
            >>> import equilibrax as eq
            >>> from fractions import Fraction
            >>> market = eq.separable_market([[[1, 0], [0, 1]]], [[[[1, 0], [0, 1]]]], weights=[[1]])
            >>> joined = market.add_user([[0, 1], [1, 0]], [[[0, 1], [0, 1]]], beta=Fraction(1, 3))
            >>> joined.weights.tolist(), joined.weight_resolution
            ([[[2, 1]]], 3)
        """
        return augmented(self, utility, components, beta, available, sees, name, actions)


def separable_market(
    user: Any,
    components: Any,
    weights: Any,
    prior: Any = None,
    *,
    available: Any = None,
    provider_sees: Any = None,
    user_sees: Any = None,
    state_of: Any = None,
    resolution: int | None = None,
    weight_resolution: int | None = None,
    labels: MarketLabels | None = None,
) -> Market:
    """Markets whose providers' utilities are sums over users, `sum_i weights[j, i] components[j, i](a_i, x)`.

    Args:
        user: `[N, X, A]` or `[B, N, X, A]`, the users' utilities, rounded once to multiples of `1 / resolution`.
            Utilities of unavailable actions are ignored and may be NaN.
        components: `[K, N, X, A]` or `[B, K, N, X, A]`, F, rounded likewise; K from 1 to 16.
        weights: `[K, N]` or `[B, K, N]`, lambda, at least 0, rounded to multiples of `1 / weight_resolution`; one that
            is positive may not round to 0, which would make the provider indifferent.
        prior: `[X]` or `[B, X]`, positive weights of any scale; None is uniform. Whole numbers, decimals and ratios
            of small whole numbers are kept exactly, others are rounded to 1e-6 of their sum.
        available: `[N, A]` or `[B, N, A]` bool; None: every user has every action.
        provider_sees: `[K, X]` labels, states that look the same to a provider have the same; None: all see the state.
        user_sees: `[N, X]` labels; None: no user knows anything.
        state_of: `[X]` labels, the outcome on which utilities depend; None: each state its own. See `garbling`.
        resolution: steps per unit of utility; None is the smallest power of ten of at least 10,000 that represents the
            utilities, as for `from_arrays`.
        weight_resolution: steps per unit of weight; None is 10,000, or the fewest that hold all weights exactly where
            10,000 do not (3 for 1/3 and 2/3).
        labels: names of states, users, providers, actions and markets.

    Raises:
        ValueError: naming the argument, what was expected and what came; or if sums outgrow 64-bit integers.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.separable_market(
        ...     user=[[[1, 0], [0, 1]], [[2, 0], [0, 1]]], components=[[[[1, 0], [1, 0]]] * 2], weights=[[1, 2]]
        ... )
        >>> market.optimum_utility.tolist()
        [[1.0, 1.5]]
    """
    made = separable_arrays(user, components, weights, prior, available, resolution, weight_resolution)
    return _market(made, provider_sees, user_sees, state_of, labels)


def general_market(
    user: Any,
    tensor: Any,
    prior: Any = None,
    *,
    available: Any = None,
    provider_sees: Any = None,
    user_sees: Any = None,
    state_of: Any = None,
    resolution: int | None = None,
    labels: MarketLabels | None = None,
) -> Market:
    """Markets whose providers' utilities are any functions of all users' actions; for few users.

    Args:
        user: `[N, X, A]` or `[B, N, X, A]`, as in `separable_market`.
        tensor: `[K, X, A, ..., A]` or `[B, K, X, A, ..., A]` with one axis of actions for each of the N users.
        prior: `[X]` or `[B, X]`, as in `separable_market`.
        available: `[N, A]` or `[B, N, A]` bool; None: every user has every action.
        provider_sees: `[K, X]` labels; None: all see the state.
        user_sees: `[N, X]` labels; None: no user knows anything.
        state_of: `[X]` labels; None: each state its own.
        resolution: steps per unit of utility; None is the smallest power of ten of at least 10,000 that represents the
            utilities, as for `from_arrays`.
        labels: names of states, users, providers, actions and markets.

    Raises:
        ValueError: naming the argument, what was expected and what came; or if sums outgrow 64-bit integers.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.general_market([[[1, 0], [0, 1]]] * 2, [[[[1, 0], [0, 1]]] * 2])  # both users should agree
        >>> market.tensor.shape, market.separable
        ((1, 1, 2, 2, 2), False)
    """
    made = general_arrays(user, tensor, prior, available, resolution)
    return _market(made, provider_sees, user_sees, state_of, labels)


def market_from_prior(
    joint: Any,
    user: Any,
    components: Any,
    weights: Any,
    *,
    available: Any = None,
    resolution: int | None = None,
    weight_resolution: int | None = None,
    labels: MarketLabels | None = None,
) -> Market:
    """Markets from a joint prior over the outcome and everybody's private information (2602.13451, Section 2).

    Every cell of positive probability becomes a state of the world; what a player sees is its own coordinate.

    Args:
        joint: `[Y, X_U1, .., X_UN, X_P1, .., X_PK]` or with a batch axis B first: numbers of any scale, not negative,
            positive in the same cells in all markets. Kept as integers as `prior` of `separable_market` is.
        user: `[N, Y, A]` or `[B, N, Y, A]`, the users' utilities of each action in each outcome.
        components: `[K, N, Y, A]` or `[B, K, N, Y, A]`, F.
        weights: `[K, N]` or `[B, K, N]`, lambda.
        available: `[N, A]` or `[B, N, A]` bool; None: every user has every action.
        resolution: steps per unit of utility; None is the smallest power of ten of at least 10,000 that represents the
            utilities, as for `from_arrays`.
        weight_resolution: steps per unit of weight; None is 10,000, or the fewest that hold all weights exactly where
            10,000 do not (3 for 1/3 and 2/3).
        labels: names of states (of the positive cells, in order), users, providers, actions and markets.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> joint = [[[3, 0]], [[0, 7]]]  # y: guilty or innocent; the user sees nothing, the provider sees y
        >>> market = eq.problems.market_from_prior(joint, [[[1, 0], [0, 1]]], [[[[1, 0], [1, 0]]]], weights=[[1]])
        >>> market.prior.tolist(), market.state_of, market.provider_sees, market.user_sees
        ([[3, 7]], (0, 1), ((0, 1),), ((0, 0),))
    """
    prior, cells, user, components = unfold_prior(joint, user, components)
    made = separable_arrays(user, components, weights, prior, available, resolution, weight_resolution)
    users = made["user"].shape[1]
    sees = cells[1 : 1 + users], cells[1 + users :]
    return _market(made, sees[1], sees[0], cells[0], labels)


def _market(made: dict, provider_sees, user_sees, state_of, labels) -> Market:
    b, n, x, _ = made["user"].shape
    k = made["weights"].shape[1]
    return Market(
        **made,
        market_id=np.arange(b, dtype=np.int64),
        provider_sees=sight("provider_sees", provider_sees, k, x, range(x)),
        user_sees=sight("user_sees", user_sees, n, x, [0] * x),
        state_of=sight_of_one("state_of", state_of, x, range(x)),
        labels=labels_or_refuse(labels, made["available"], x, k),
    )
