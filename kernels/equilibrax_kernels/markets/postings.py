"""From markets to games between providers who post strategies: what rules are worth to users and earn providers.

Two kinds of rules. Under obedience a rule is a partition; a user learns its common refinement with what she sees
herself, and responds to every cell of that, best or quantally (`cells`). Under delegation a rule names an action in
every state and users do what it says.

Earnings are sums over users (`separable_postings`), or expectations of a tensor over action profiles in which, given
the state, users act independently (`general_postings`).

Letters: as in `profiles`; also P players whose values are wanted, X states, A actions, R rules.
"""

from __future__ import annotations

import chex
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Num

from equilibrax_kernels.markets.profiles import Postings
from equilibrax_kernels.partitions.cells import best_response_cells, quantal_cells, set_sizes
from equilibrax_kernels.partitions.obedience import partition_values


def learned_values(
    contributions: Int[Array, "P N X A L"],
    available: Bool[Array, "N A L"],
    cells: Int[Array, "N X R"],
    quantal: tuple[Int[Array, "X L"], Float[Array, " L"], int] | None,
    sets: Int[Array, "N R X"] | None = None,
) -> tuple[Num[Array, "P N R L"], Num[Array, "N R X A L"] | None]:
    """Values of partitions to the players when users respond to what they learn, and what users do.

    Args:
        contributions: prior weight times utility, the users' own first, each of the action of user n.
        available: the actions of each user.
        cells: the cells that user n learns from a partition, as sets; 0 fills up.
        quantal: None for best response, else prior weights, rationality and resolution.
        sets: the cell, as a set, that a user finds herself in; None: what users do is not wanted.

    Returns:
        Values, and how probable each action is (0 or 1 for best response) or None.
    """
    chex.assert_shape(available, (contributions.shape[1], *contributions.shape[3:]))
    states, actions = contributions.shape[2:4]

    def one_user(of_user):
        contributions, available, cells, sets = of_user
        everywhere = jnp.broadcast_to(available, (states, *available.shape))
        if sets is not None:  # players who count how often each action is taken
            counters = jnp.eye(actions, dtype=contributions.dtype)[:, None, :, None]
            counters = jnp.broadcast_to(counters, (actions, *contributions.shape[1:]))
            contributions = jnp.concatenate([contributions, counters])
        if quantal is None:
            values, allowed = best_response_cells(contributions[:, None], everywhere)
        else:
            weights, rationality, resolution = quantal
            values, allowed = quantal_cells(contributions[:, None], weights[None], everywhere, rationality, resolution)
        wanted = values if sets is None else values[:-actions]
        worth, _ = partition_values(wanted, allowed, cells)
        if sets is None:
            return worth, None
        size = jnp.maximum(jnp.asarray(set_sizes(states)), 1)[:, None].astype(values.dtype)
        does = values[-actions:] // size if quantal is None else values[-actions:] / size
        return worth, jnp.moveaxis(does[:, sets], 0, 2)  # [R, X, A, L]

    each = (jnp.moveaxis(contributions, 1, 0), available, cells, sets)
    worth, does = lax.map(one_user, each)
    return jnp.moveaxis(worth, 0, 1), does


def followed_values(
    contributions: Int[Array, "P N X A L"], available: Bool[Array, "N A L"], rules: Int[Array, "R X"]
) -> tuple[Int[Array, "P N R L"], Bool[Array, "N R L"]]:
    """Values of maps from states to actions when users do what they say; and which name available actions only."""

    def one_state(carry, of_state):
        total, exists = carry
        utility, actions = of_state  # [P, N, A, L], [R]
        return (total + utility[:, :, actions], exists & available[:, actions]), None

    players, users, _, _, lanes = contributions.shape
    count = rules.shape[0]
    first = (
        jnp.zeros((players, users, count, lanes), contributions.dtype),
        jnp.ones((users, count, lanes), bool),
    )
    (total, exists), _ = lax.scan(one_state, first, (jnp.moveaxis(contributions, 2, 0), rules.T))
    return total, exists


def separable_postings(
    values: Num[Array, "P N R L"],
    own: Int[Array, "K N M"],
    exists: Bool[Array, "K M L"],
    tolerances: tuple[Num[Array, " L"], Num[Array, "K L"]],
) -> Postings:
    """A game whose providers earn sums over users.

    Args:
        values: of rules, to each user herself and, from her, to each provider.
        own: the rule that strategy m of provider k has for user n.
        exists: which strategies there are.
        tolerances: of users and of providers; zero for integers.
    """
    amounts = jnp.take_along_axis(values[1:, None], own[None, ..., None], axis=3, mode="promise_in_bounds")
    return Postings(_by_strategy(values[0], own), amounts, None, exists, *tolerances)


def general_postings(
    values: Num[Array, "N R L"],
    does: Num[Array, "N R X A L"],
    tensor: Num[Array, "K X *A L"],
    own: Int[Array, "K N M"],
    exists: Bool[Array, "K M L"],
    tolerances: tuple[Num[Array, " L"], Num[Array, "K L"]],
) -> Postings:
    """A game whose providers earn what a tensor says, weighted with the prior; otherwise as `separable_postings`.

    Args:
        values: of rules, to each user.
        does: how probable every action of each user is, given her rule and the state.
        tensor: prior weight times utility, with an axis of actions for each user.
        own, exists, tolerances: as in `separable_postings`.
    """
    users, count, states, actions, lanes = does.shape
    providers = tensor.shape[0]
    earned = tensor.reshape(providers, states, 1, -1, lanes)
    for user in range(users):
        earned = earned.reshape(providers, states, earned.shape[2], actions, -1, lanes)
        if user == users - 1:
            earned = jnp.einsum("rxal,kxfabl->kfrbl", does[user], earned)
        else:
            earned = jnp.einsum("rxal,kxfabl->kxfrbl", does[user], earned)
            earned = earned.reshape(providers, states, -1, earned.shape[4], lanes)
    strides = jnp.array([count ** (users - 1 - user) for user in range(users)], jnp.int32)
    digits = jnp.broadcast_to((own * strides[:, None])[None, ..., None], (1, *own.shape, lanes))
    return Postings(_by_strategy(values, own), digits, earned.reshape(providers, -1, lanes), exists, *tolerances)


def _by_strategy(values: Num[Array, "N R L"], own: Int[Array, "K N M"]) -> Num[Array, "K N M L"]:
    """What strategies are worth to users."""
    return jnp.take_along_axis(values[None], own[..., None], axis=2, mode="promise_in_bounds")
