"""The best-provider selection game (2509.15090, Sections 5 and 7) for one table and many committees.

Every provider posts a signaling scheme, the user takes the provider whose scheme is best for her, and everybody is paid
by that scheme. A scheme f, posted by all, is an equilibrium of committee C iff no provider j in C has a scheme g with
`v_0(g) > v_0(f)` and `v_j(g) > v_j(f)`; with `ties` (Definition 16: ties go to the lowest index) the first inequality
is weak for the lowest-indexed provider of C. A committee of one provider is a monopolist and plays its own optima.

Two kernels list the schemes: `dense` all A**X of them, `frontier` only those that are stable for some provider. The
rest is shared and in this file, so the two agree by construction wherever the lists do.

All integers are exact. Counts are 64-bit: run the kernels with `jax.enable_x64(True)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from equilibrax_kernels.committees import committee_equilibria, lowest_member
from equilibrax_kernels.counting import Count, saturated
from equilibrax_kernels.dynamics import best_response_dynamics
from equilibrax_kernels.monopoly import monopoly
from equilibrax_kernels.ordering import order_schemes


class SchemeList(NamedTuple):
    """N entries in lexicographic order; an entry stands for all schemes that share its values for every player.

    Attributes:
        user: `[N]` values for the user.
        providers: `[K, N]` values for the providers.
        valid: `[N]` whether the entry holds a scheme; at least one does.
        multiplicity: `[N]` how many signaling schemes it stands for.
        outcomes: `[N, X, A]` outcomes that some scheme of the entry attains, or None.
        decode: from entry positions `[C]` to the lexicographically first scheme of each, `[C, X]` int32.
        overflow: scalar bool, whether the list is incomplete because it ran out of capacity.
    """

    user: Int[Array, " N"]
    providers: Int[Array, "K N"]
    valid: Bool[Array, " N"]
    multiplicity: Count
    outcomes: Bool[Array, "N X A"] | None
    decode: Callable[[Int[Array, " C"]], Int[Array, "C X"]]
    overflow: Bool[Array, ""]


class Selection(NamedTuple):
    """Exact answers for one table, per committee of `masks`. Values are fixed-point integers.

    Attributes:
        optimum: scalar, the user's best attainable value.
        worst, best: `[C]` the user's smallest and largest value in equilibrium.
        count: `[C]` int64, number of equilibrium schemes; 2**63 - 1 where `count_saturated`.
        count_saturated: `[C]` bool.
        worst_scheme: `[C, X]` int32, the lexicographically first equilibrium that attains `worst`.
        dynamics: `[C]` the user's value where best-response dynamics ends, or None.
        dynamics_scheme: `[C, X]` int32, or None.
        dynamics_steps: `[C]` int32, or None.
        dynamics_ended: `[C]` bool, or None.
        attained: `[C, X, A]` outcomes that some equilibrium attains, or None.
        optimal: `[X, A]` outcomes of the user's optimal schemes.
        overflow: scalar bool; if set, nothing else here is to be used.
    """

    optimum: Int[Array, ""]
    worst: Int[Array, " C"]
    best: Int[Array, " C"]
    count: Int[Array, " C"]
    count_saturated: Bool[Array, " C"]
    worst_scheme: Int[Array, "C X"]
    dynamics: Int[Array, " C"] | None
    dynamics_scheme: Int[Array, "C X"] | None
    dynamics_steps: Int[Array, " C"] | None
    dynamics_ended: Bool[Array, " C"] | None
    attained: Bool[Array, "C X A"] | None
    optimal: Bool[Array, "X A"]
    overflow: Bool[Array, ""]


def solve_listed(
    listed: SchemeList,
    contributions: Int[Array, "P X A"],
    available: Bool[Array, "X A"],
    masks: Int[Array, " C"],
    key: Array | None,
    *,
    value_bits: int,
    ties: bool,
    dynamics: bool,
    minimal: bool,
    step_limit: int,
) -> Selection:
    """Answer every committee from a list of schemes.

    Args:
        listed: all schemes, or at least all that are stable for some provider.
        contributions: `[K + 1, X, A]` `p(x) u_p(a, x)`, the user first.
        available: `[X, A]`.
        masks: `[C]` int32 committees as bitmasks.
        key: for dynamics in random order, or None for round robin.
        value_bits: bits of a value, sign included.
        ties: the lowest index wins the user's ties (Definition 16) instead of the incumbent (Section 7).
        dynamics: whether to run best-response dynamics.
        minimal: deviations with the smallest gain; needs a list of all schemes.
        step_limit: largest number of deviations per committee.
    """
    states, actions = available.shape
    schemes = order_schemes(
        listed.user,
        listed.providers,
        listed.valid,
        value_bits=value_bits,
        ties=ties,
        responses=dynamics and not minimal,
    )
    in_order = Count(listed.multiplicity.exact[schemes.rank], listed.multiplicity.size[schemes.rank])
    outcomes = None if listed.outcomes is None else listed.outcomes[schemes.rank].reshape(-1, states * actions)
    many = committee_equilibria(schemes, in_order, outcomes, masks, value_bits=value_bits, ties=ties)

    alone = monopoly(contributions[0], contributions[1:], available)
    own = monopoly(contributions[0], contributions[:1], available)
    lowest = lowest_member(masks)
    single = masks == lowest
    member = jnp.argmax((lowest[:, None] >> jnp.arange(contributions.shape[0] - 1)) & 1, axis=1)
    optimum = own.best[0]

    count, count_saturated = saturated(
        Count(
            jnp.where(single, alone.count.exact[member], many.count.exact),
            jnp.where(single, alone.count.size[member], many.count.size),
        )
    )
    attained = None
    if many.attained is not None:
        attained = jnp.where(single[:, None, None], alone.optimal[member], many.attained.reshape(-1, states, actions))
    ends = None
    if dynamics:
        ends = best_response_dynamics(schemes, masks, key, ties=ties, minimal=minimal, step_limit=step_limit)
    return Selection(
        optimum=optimum,
        worst=jnp.where(single, alone.worst[member], many.worst),
        # With two providers or more the user's optimum is always an equilibrium: nothing is better for her.
        best=jnp.where(single, alone.best[member], optimum),
        count=count,
        count_saturated=count_saturated,
        worst_scheme=jnp.where(single[:, None], alone.worst_scheme[member], listed.decode(many.worst_rank)),
        dynamics=None if ends is None else schemes.user[ends.position],
        dynamics_scheme=None if ends is None else listed.decode(schemes.rank[ends.position]),
        dynamics_steps=None if ends is None else ends.steps,
        dynamics_ended=None if ends is None else ends.ended,
        attained=attained,
        optimal=own.optimal[0],
        overflow=listed.overflow,
    )
