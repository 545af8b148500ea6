"""The selection game over listed alternatives with values in floating point, compared up to a tolerance.

One value is better than another iff it is larger by more than the tolerance, pair by pair. So nothing chains: values
that are further apart than the tolerance are never equal, whatever lies between them. "As good" is then no equivalence,
and what the exact game decides by ties is decided here from the best value down:

- f is an equilibrium of a committee iff no member has a g that is better for the user and for itself; where ties go to
  the lowest index, the user's value of g need only not be worse by more than the tolerance for the lowest member.
- A monopolist plays whatever is within the tolerance of its best.
- Of several that are best up to the tolerance, the user's best up to it, and of these the first in the list.

That "as good" does not carry over has a price: where ties go to the lowest index, values that chain may leave a
committee without an equilibrium, and dynamics may come back; the first is a count of 0, the second ends at the limit.

Letters: P = K + 1 players, the user first; S alternatives (partitions), C committees, L games (lanes).
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt32

from equilibrax_kernels.primitives.lanes import take
from equilibrax_kernels.primitives.running import bits_of
from equilibrax_kernels.selection.dynamics import Dynamics, follow


class Tolerant(NamedTuple):
    """Answers, per committee of `masks`; positions are in the list.

    Attributes:
        worst, best: `[C, L]` the user's smallest and largest value in equilibrium; infinite if there is none.
        count: `[C, L]` int64, number of equilibria.
        worst_position: `[C, L]` int32, the first equilibrium that is worth `worst` to the user up to the tolerance.
        dynamics: where best-response dynamics ends, or None.
    """

    worst: Float[Array, "C L"]
    best: Float[Array, "C L"]
    count: Int[Array, "C L"]
    worst_position: Int[Array, "C L"]
    dynamics: Dynamics | None


class _Game(NamedTuple):
    user: Float[Array, "S L"]  # minus infinity where an alternative is not allowed
    own: Float[Array, "S K L"]
    valid: Bool[Array, "S L"]
    tolerance: Float[Array, " L"]


def tolerant_selection(
    values: Float[Array, "P S L"],
    valid: Bool[Array, "S L"],
    tolerance: Float[Array, " L"],
    masks: Int[Array, " C"],
    keys: UInt32[Array, "Q L"] | None,
    *,
    ties: bool,
    dynamics: bool,
    minimal: bool,
    step_limit: int,
) -> Tolerant:
    """Answer every committee.

    Args:
        values: of all alternatives for all players; valid: which are allowed, at least one per lane.
        tolerance: in the unit of values.
        masks: `[C]` int32 committees as bitmasks.
        keys, ties, dynamics, minimal, step_limit: as in `selection.solve_listed`.
    """
    chex.assert_shape(valid, values.shape[1:])
    chex.assert_shape(tolerance, values.shape[2:])
    user, own = (jnp.where(valid, part, -jnp.inf) for part in (values[0], values[1:]))
    game = _Game(user, jnp.moveaxis(own, 0, 1), valid, tolerance)
    stable, tie_stable = _stability(game)
    alone = bits_of(game.own >= game.own.max(axis=0) - tolerance)
    places = jnp.arange(valid.shape[0], dtype=jnp.int32)[:, None]

    def of_committee(mask):
        lowest = mask & -mask
        several = (stable & ~lowest) | (tie_stable & lowest) if ties else stable
        found = valid & (jnp.where(mask == lowest, alone, several) & mask == mask)
        worst, best = jnp.where(found, user, jnp.inf).min(axis=0), jnp.where(found, user, -jnp.inf).max(axis=0)
        first = jnp.where(found & (user <= worst + tolerance), places, valid.shape[0]).min(axis=0) % valid.shape[0]
        return worst, best, found.sum(axis=0, dtype=jnp.int64), first

    worst, best, count, first = lax.map(of_committee, masks)
    ends = None
    if dynamics:
        ends = _dynamics(game, stable, tie_stable, masks, keys, ties=ties, minimal=minimal, step_limit=step_limit)
    return Tolerant(worst, best, count, first, ends)


def near_ties(values: Array, valid: Bool[Array, "S L"], tolerance: Array) -> Int[Array, "P L"]:
    """For every player, how many allowed alternatives are no further than `tolerance` above the next lower one.

    These are the comparisons that ties, or the tolerance, decide; 0 for integers counts exact ties.
    """
    high = jnp.inf if jnp.issubdtype(values.dtype, jnp.inexact) else jnp.iinfo(values.dtype).max
    ordered = jnp.sort(jnp.where(valid, values, high), axis=1)
    within = jnp.arange(1, valid.shape[0])[:, None] < valid.sum(axis=0)
    close = jnp.where(within, ordered[:, 1:], 0) - jnp.where(within, ordered[:, :-1], 0) <= tolerance
    return (close & within).sum(axis=1, dtype=jnp.int32)


def _stability(game: _Game) -> tuple[Int[Array, "S L"], Int[Array, "S L"]]:
    """Bit j of an alternative: provider j has none that is better for the user and for itself; the same where one that
    is as good for the user will do."""
    order = jnp.argsort(-game.user, axis=0)
    falling = take(game.user, order)
    best = lax.cummax(take(game.own, order), axis=0)  # for a provider, of what is at least as good for the user

    def none_better(count):
        top = jnp.where(count[:, None] > 0, take(best, jnp.maximum(count - 1, 0)), -jnp.inf)
        return bits_of(~(top > game.own + game.tolerance))

    def how_many(threshold, side):  # have a value above (or of at least) the threshold
        count = jax.vmap(lambda a, v: jnp.searchsorted(a, v, side=side), in_axes=1, out_axes=1)
        return count(-falling, -threshold).astype(jnp.int32)

    better = how_many(game.user + game.tolerance, "left")
    as_good = how_many(game.user - game.tolerance, "right")
    return none_better(better), none_better(as_good)


def _dynamics(game: _Game, stable, tie_stable, masks, keys, *, ties: bool, minimal: bool, step_limit: int) -> Dynamics:
    size, k = game.own.shape[:2]
    members = jnp.arange(k, dtype=jnp.int32)
    places = jnp.arange(size, dtype=jnp.int32)[:, None]

    def first_of(chosen):
        return jnp.where(chosen, places, size).min(axis=0) % size

    start = jnp.stack(
        [first_of(game.valid & (own >= own.max(axis=0) - game.tolerance)) for own in game.own.swapaxes(0, 1)]
    )
    is_member = ((masks[:, None] >> members) & 1 == 1)[:, :, None]
    opening = jnp.where(is_member, take(game.user, start), -jnp.inf)  # [C, K, L]
    first = (opening >= opening.max(axis=1, keepdims=True) - game.tolerance) & is_member
    selected = jnp.where(first, members[:, None], k).min(axis=1)

    def can_deviate(position, selected):
        unstable = ~take(stable, position)
        if ties:
            unstable |= ((1 << selected) - 1) & ~take(tie_stable, position)
        return masks[:, None] & unstable & ~(1 << selected)

    def respond(position, deviator, wins_ties):
        def search(of_committee):
            position, deviator, wins_ties = of_committee  # [L] each
            mine = jnp.take_along_axis(game.own, deviator[None, None], axis=1, mode="promise_in_bounds")[:, 0]
            now, hers = take(mine, position[None]), take(game.user, position[None])
            preferred = (game.user > hers + game.tolerance) | (wins_ties & (game.user >= hers - game.tolerance))
            gains = game.valid & preferred & (mine > now + game.tolerance)
            if minimal:
                aim = gains & (mine <= jnp.where(gains, mine, jnp.inf).min(axis=0) + game.tolerance)
            else:
                aim = gains & (mine >= jnp.where(gains, mine, -jnp.inf).max(axis=0) - game.tolerance)
            return first_of(aim & (game.user >= jnp.where(aim, game.user, -jnp.inf).max(axis=0) - game.tolerance))

        return lax.map(search, (position, deviator, wins_ties))

    return follow(
        take(start, selected),
        selected,
        masks,
        keys,
        can_deviate,
        respond,
        providers=k,
        ties=ties,
        step_limit=step_limit,
    )
