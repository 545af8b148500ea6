"""What every set of states is worth to every player when the user responds to it as one cell.

For a set S and the user's signal z, the user sees the sums `sum_{x in S} contribution_0[z, x, a]` of the actions that
are available in all of S, and every player p gets the sum over z of its own contributions at what she does:

- best response: the largest sum, ties to the lowest action;
- quantal response (2509.15090, Definition 11) with rationality r: probabilities proportional to
  `exp(r * sum / weight(z, S))`. With r infinite: uniform over the largest sums, exactly.

Sets are numbers: state x is bit `X - 1 - x` (see `subsets`). Lanes are games, in the last axis.

Letters: P = K + 1 players, the user first; Z signals, X states, A actions, N = 2**X sets, L lanes.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from equilibrax_kernels.partitions.subsets import never


def best_response_cells(
    contributions: Int[Array, "P Z X A L"], available: Bool[Array, "X A L"]
) -> tuple[Int[Array, "P N L"], Bool[Array, "N L"]]:
    """Values of all sets under best response, in the integers of `contributions`; and which sets have an action.

    Values of sets without a common action are `never(dtype)`. The empty set has value 0.
    """
    low = never(contributions.dtype)

    def one_signal(total, of_signal):
        def one_action(carry, of_action):
            utility, exists = of_action
            sums, here = subset_sums(utility), _subset_all(exists)
            better = here & (sums[0] > carry[0])
            return jnp.where(better, sums, carry), None

        first = jnp.full_like(total, low)
        chosen, _ = lax.scan(one_action, first, (of_signal, _by_action(available)))
        return total + jnp.where(chosen[0] == low, 0, chosen), None

    nothing = jnp.zeros((len(contributions), *_sets(available)), contributions.dtype)
    total, _ = lax.scan(one_signal, nothing, _by_signal_and_action(contributions))
    allowed = _allowed(available)
    return jnp.where(allowed, total, low), allowed


def quantal_cells(
    contributions: Int[Array, "P Z X A L"],
    weights: Int[Array, "Z X L"],
    available: Bool[Array, "X A L"],
    rationality: Float[Array, " L"],
    resolution: int,
) -> tuple[Float[Array, "P N L"], Bool[Array, "N L"]]:
    """Values of all sets under quantal response, float64; and which sets have an action.

    Args:
        contributions: integers; sums and comparisons of them are exact.
        weights: prior weights of (signal, state).
        available: actions by state.
        rationality: lambda of each lane, at least 0; may be infinite.
        resolution: fixed-point steps per unit of utility.

    Returns:
        Values in the unit of `contributions`; sets without a common action have minus infinity.
    """
    low = never(contributions.dtype)

    def one_signal(total, of_signal):
        utilities, weight = of_signal
        unit = jnp.maximum(subset_sums(weight), 1).astype(jnp.float64) * resolution

        def odds(difference):  # of an action whose sum is this much below another's
            return jnp.where(difference == 0, 1.0, jnp.exp(rationality * (difference / unit)))

        def one_action(carry, of_action):
            top, mass, values = carry
            utility, exists = of_action
            sums, here = subset_sums(utility), _subset_all(exists)
            new_top = jnp.where(here, jnp.maximum(top, sums[0]), top)
            kept = jnp.where(top == low, 0.0, odds(jnp.minimum(top - new_top, 0)))
            share = jnp.where(here, odds(jnp.where(here, sums[0] - new_top, 0)), 0.0)
            return (new_top, mass * kept + share, values * kept + share * sums), None

        shape = total.shape[1:]
        first = (jnp.full(shape, low, contributions.dtype), jnp.zeros(shape), jnp.zeros_like(total))
        (_, mass, values), _ = lax.scan(one_action, first, (utilities, _by_action(available)))
        return total + values / jnp.where(mass == 0, 1.0, mass), None

    nothing = jnp.zeros((len(contributions), *_sets(available)), jnp.float64)
    total, _ = lax.scan(one_signal, nothing, (_by_signal_and_action(contributions), weights))
    allowed = _allowed(available)
    return jnp.where(allowed, total, -jnp.inf), allowed


def subset_sums(terms: Array) -> Array:
    """`[..., X, L]` to `[..., N, L]`: the sum over the states of every set."""
    sums = jnp.zeros_like(terms[..., :1, :])
    for x in reversed(range(terms.shape[-2])):
        sums = jnp.concatenate([sums, sums + terms[..., x : x + 1, :]], axis=-2)
    return sums


def set_sizes(states: int) -> np.ndarray:
    """`[N]` int32, the number of states in every set."""
    return np.array([s.bit_count() for s in range(1 << states)], np.int32)


def _subset_all(holds: Bool[Array, "X L"]) -> Bool[Array, "N L"]:
    every = jnp.ones_like(holds[:1])
    for x in reversed(range(holds.shape[0])):
        every = jnp.concatenate([every, every & holds[x : x + 1]])
    return every


def _allowed(available: Bool[Array, "X A L"]) -> Bool[Array, "N L"]:
    def one_action(found, exists):
        return found | _subset_all(exists), None

    return lax.scan(one_action, jnp.zeros(_sets(available), bool), _by_action(available))[0]


def _sets(available: Array) -> tuple[int, int]:
    return 1 << available.shape[0], available.shape[2]


def _by_action(available: Array) -> Array:
    return jnp.moveaxis(available, 1, 0)


def _by_signal_and_action(contributions: Array) -> Array:
    return jnp.transpose(contributions, (1, 3, 0, 2, 4))
