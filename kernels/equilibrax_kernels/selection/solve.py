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
from jaxtyping import Array, Bool, Int, UInt32

from equilibrax_kernels.primitives.counting import Count, saturated
from equilibrax_kernels.primitives.lanes import take, unpack_bits
from equilibrax_kernels.selection.committees import committee_equilibria, lowest_member
from equilibrax_kernels.selection.dynamics import best_response_dynamics
from equilibrax_kernels.selection.monopoly import monopoly
from equilibrax_kernels.selection.ordering import order_schemes


class SchemeList(NamedTuple):
    """N entries in lexicographic order; an entry stands for all schemes that share its values for every player.

    Attributes:
        user: `[N, L]` values for the user.
        providers: `[N, K, L]` values for the providers.
        valid: `[N, L]` whether the entry holds a scheme; at least one per lane does.
        multiplicity: `[N, L]` how many signaling schemes it stands for; None: one each.
        outcomes: `[N, W, L]` outcomes (`x * A + a`) that some scheme of the entry attains, as bits, or None.
        decode: from entry positions `[C, L]` to the lexicographically first scheme of each, `[C, X, L]` int32.
        overflow: `[L]` bool, whether the list is incomplete because it ran out of capacity.
    """

    user: Int[Array, "N L"]
    providers: Int[Array, "N K L"]
    valid: Bool[Array, "N L"]
    multiplicity: Count | None
    outcomes: UInt32[Array, "N W L"] | None
    decode: Callable[[Int[Array, "C L"]], Int[Array, "C X L"]]
    overflow: Bool[Array, " L"]


class Selection(NamedTuple):
    """Exact answers, per committee of `masks`. Values are fixed-point integers.

    Attributes:
        optimum: `[L]`, the user's best attainable value.
        worst, best: `[C, L]` the user's smallest and largest value in equilibrium.
        count: `[C, L]` int64, number of equilibrium schemes; 2**63 - 1 where `count_saturated`.
        count_saturated: `[C, L]` bool.
        worst_scheme: `[C, X, L]` int32, the lexicographically first equilibrium that attains `worst`.
        dynamics: `[C, L]` the user's value where best-response dynamics ends, or None.
        dynamics_scheme: `[C, X, L]` int32, or None.
        dynamics_steps: `[C, L]` int32, or None.
        dynamics_ended: `[C, L]` bool, or None.
        attained: `[C, X, A, L]` outcomes that some equilibrium attains, or None.
        optimal: `[X, A, L]` outcomes of the user's optimal schemes.
        overflow: `[L]` bool; where set, nothing else here is to be used.
    """

    optimum: Int[Array, " L"]
    worst: Int[Array, "C L"]
    best: Int[Array, "C L"]
    count: Int[Array, "C L"]
    count_saturated: Bool[Array, "C L"]
    worst_scheme: Int[Array, "C X L"]
    dynamics: Int[Array, "C L"] | None
    dynamics_scheme: Int[Array, "C X L"] | None
    dynamics_steps: Int[Array, "C L"] | None
    dynamics_ended: Bool[Array, "C L"] | None
    attained: Bool[Array, "C X A L"] | None
    optimal: Bool[Array, "X A L"]
    overflow: Bool[Array, " L"]


def solve_listed(
    listed: SchemeList,
    contributions: Int[Array, "P X A L"],
    available: Bool[Array, "X A L"],
    masks: Int[Array, " C"],
    keys: UInt32[Array, "Q L"] | None,
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
        contributions: `[K + 1, X, A, L]` `p(x) u_p(a, x)`, the user first.
        available: `[X, A, L]`.
        masks: `[C]` int32 committees as bitmasks.
        keys: `[2, L]` random key data for dynamics in random order, or None for round robin.
        value_bits: bits of a value, sign included.
        ties: the lowest index wins the user's ties (Definition 16) instead of the incumbent (Section 7).
        dynamics: whether to run best-response dynamics.
        minimal: deviations with the smallest gain; needs a list of all schemes.
        step_limit: largest number of deviations per committee.
    """
    states, actions, _ = available.shape
    schemes = order_schemes(
        listed.user,
        listed.providers,
        listed.valid,
        value_bits=value_bits,
        ties=ties,
        responses=dynamics and not minimal,
    )
    in_order = None
    if listed.multiplicity is not None:
        in_order = Count(take(listed.multiplicity.exact, schemes.rank), take(listed.multiplicity.size, schemes.rank))
    outcomes = None if listed.outcomes is None else take(listed.outcomes, schemes.rank)
    many = committee_equilibria(schemes, in_order, outcomes, masks, value_bits=value_bits, ties=ties)

    alone = monopoly(contributions[0], contributions[1:], available)
    own = monopoly(contributions[0], contributions[:1], available)
    lowest = lowest_member(masks)
    single = (masks == lowest)[:, None]
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
        of_many = unpack_bits(many.attained, states * actions).reshape(-1, *available.shape)
        attained = jnp.where(single[:, None, None], alone.optimal[member], of_many)
    ends = None
    if dynamics:
        ends = best_response_dynamics(schemes, masks, keys, ties=ties, minimal=minimal, step_limit=step_limit)
    return Selection(
        optimum=optimum,
        worst=jnp.where(single, alone.worst[member], many.worst),
        # With two providers or more the user's optimum is always an equilibrium: nothing is better for her.
        best=jnp.where(single, alone.best[member], optimum),
        count=count,
        count_saturated=count_saturated,
        worst_scheme=jnp.where(single[:, None], alone.worst_scheme[member], listed.decode(many.worst_rank)),
        dynamics=None if ends is None else take(schemes.user, ends.position),
        dynamics_scheme=None if ends is None else listed.decode(take(schemes.rank, ends.position)),
        dynamics_steps=None if ends is None else ends.steps,
        dynamics_ended=None if ends is None else ends.ended,
        attained=attained,
        optimal=own.optimal[0],
        overflow=listed.overflow,
    )
