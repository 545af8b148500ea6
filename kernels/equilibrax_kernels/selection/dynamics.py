"""Best-response dynamics of the selection game, for all committees at once.

Every provider first posts its monopoly scheme and the user selects the best for her, ties to the lowest index. Then,
in turn, a provider that is not selected deviates to a scheme that is strictly better for the user and for itself than
the selected one, and is selected (2509.15090, Section 7.1). The turn passes on after a deviation too. Since best
responses were found for every scheme beforehand (`ordering`), one step is a look-up. The user's value rises at every
step (with ties won, the selected index falls), so the process ends; the selected provider is always at its best
response already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, UInt32

from equilibrax_kernels.primitives.lanes import lane_numbers, take
from equilibrax_kernels.selection.ordering import Ordered


class Dynamics(NamedTuple):
    """Where the dynamics of each committee ends.

    Attributes:
        position: `[C, L]` int32, position of the selected scheme in the user's order.
        steps: `[C, L]` int32, number of deviations.
        ended: `[C, L]` whether nobody could deviate any more before the step limit.
    """

    position: Int[Array, "C L"]
    steps: Int[Array, "C L"]
    ended: Bool[Array, "C L"]


class _State(NamedTuple):
    position: Int[Array, "C L"]
    selected: Int[Array, "C L"]
    turn: Int[Array, "C L"]
    steps: Int[Array, "C L"]
    open: Int[Array, "C L"]  # providers that can deviate, as a bitmask; 0 when the dynamics has ended


def best_response_dynamics(
    schemes: Ordered,
    masks: Int[Array, " C"],
    keys: UInt32[Array, "Q L"] | None,
    *,
    ties: bool,
    minimal: bool,
    step_limit: int,
) -> Dynamics:
    """Run the dynamics of every committee to its end.

    Args:
        schemes: N schemes in the user's order, with responses unless `minimal`. With `minimal`, all signaling schemes;
            otherwise at least those that are stable for some provider (best responses are).
        masks: `[C]` int32 committees as bitmasks.
        keys: `[2, L]` data of threefry keys: for each turn, draw the deviator uniformly among the providers that can
            deviate; None is round robin from the lowest index.
        ties: a provider with a lower index than the selected one wins the user's ties (Definition 16).
        minimal: deviate to the scheme with the smallest gain instead of the largest.
        step_limit: stop after this many deviations of a committee and say so.
    """
    k = schemes.providers.shape[1]
    members = jnp.arange(k, dtype=jnp.int32)
    start = _monopoly_positions(schemes)

    def can_deviate(position, selected):
        unstable = ~take(schemes.stable, position)
        if ties:
            unstable |= ((1 << selected) - 1) & ~take(_wanted(schemes.tie_stable), position)
        return masks[:, None] & unstable & ~(1 << selected)

    def respond(position, deviator, wins_ties):
        if minimal:
            return _smallest_gain(schemes, position, deviator, wins_ties)
        place = (position, deviator, lane_numbers(position))
        strict = _wanted(schemes.response).at[place].get(mode="promise_in_bounds")
        if not ties:
            return strict
        return jnp.where(wins_ties, _wanted(schemes.tie_response).at[place].get(mode="promise_in_bounds"), strict)

    is_member = ((masks[:, None] >> members) & 1 == 1)[:, :, None]
    opening = jnp.where(is_member, take(schemes.user, start), jnp.iinfo(schemes.user.dtype).min)  # [C, K, L]
    first = opening == opening.max(axis=1, keepdims=True)
    selected = jnp.min(jnp.where(first & is_member, members[:, None], k), axis=1)
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


def follow(
    position: Int[Array, "C L"],
    selected: Int[Array, "C L"],
    masks: Int[Array, " C"],
    keys: UInt32[Array, "Q L"] | None,
    can_deviate: Callable[[Array, Array], Int[Array, "C L"]],
    respond: Callable[[Array, Array, Array], Int[Array, "C L"]],
    *,
    providers: int,
    ties: bool,
    step_limit: int,
) -> Dynamics:
    """Deviations until nobody can deviate.

    Args:
        position, selected: the scheme that the user takes at first, and from whom.
        masks, keys, ties, step_limit: as in `best_response_dynamics`.
        can_deviate: of a position and a provider selected, those who can, as a bitmask.
        respond: of a position, a deviator, and whether it wins the user's ties, the position it moves to.
        providers: K.
    """
    zero = jnp.zeros_like(position)

    def step(state: _State) -> _State:
        deviator = _round_robin(state) if keys is None else _at_random(keys, masks, state)
        # A committee that has ended has no deviator: any provider will do, nothing moves.
        deviator = jnp.minimum(deviator, providers - 1)
        response = respond(state.position, deviator, (deviator < state.selected) & ties)
        moves = (state.open != 0) & (state.steps < step_limit)
        position = jnp.where(moves, response, state.position)
        selected = jnp.where(moves, deviator, state.selected)
        return _State(
            position=position,
            selected=selected,
            turn=jnp.where(moves, deviator + 1, state.turn),
            steps=state.steps + moves,
            open=can_deviate(position, selected),
        )

    state = _State(position, selected, zero, zero, can_deviate(position, selected))
    state = lax.while_loop(lambda s: jnp.any((s.open != 0) & (s.steps < step_limit)), step, state)
    return Dynamics(state.position, state.steps, state.open == 0)


def _wanted(found: Array | None) -> Array:
    if found is None:
        raise ValueError("schemes: expected them ordered with responses and ties where these are played")
    return found


def _monopoly_positions(schemes: Ordered) -> Int[Array, "K L"]:
    """Each provider's monopoly scheme: its best, ties in every state to the lowest action (lexicographically first)."""
    size = schemes.rank.shape[0]
    low = jnp.iinfo(schemes.providers.dtype).min
    values = jnp.where(schemes.valid[:, None], schemes.providers, low)
    rank = jnp.where(values == values.max(axis=0), schemes.rank[:, None], size)
    places = jnp.arange(size, dtype=jnp.int32)[:, None, None]
    return jnp.min(jnp.where(rank == rank.min(axis=0), places, size), axis=0)


def _lowest_bit_index(mask: Int[Array, "C L"]) -> Int[Array, "C L"]:
    return lax.population_count((mask & -mask) - 1)


def _round_robin(state: _State) -> Int[Array, "C L"]:
    """The first provider that can deviate, from the turn upwards and around."""
    from_turn = state.open & ~((1 << state.turn) - 1)
    return _lowest_bit_index(jnp.where(from_turn != 0, from_turn, state.open))


def _at_random(keys: UInt32[Array, "Q L"], masks: Int[Array, " C"], state: _State) -> Int[Array, "C L"]:
    def draw(data, mask, steps, open_):
        key = jax.random.wrap_key_data(data, impl="threefry2x32")
        own = jax.random.fold_in(jax.random.fold_in(key, mask), steps)
        count = lax.population_count(open_)
        # Multiply-high: an integer below `count` from 32 random bits, the same on every backend.
        wide = jax.random.bits(own, dtype=jnp.uint32).astype(jnp.uint64) * count.astype(jnp.uint64)
        nth = (wide >> 32).astype(jnp.int32)
        return lax.fori_loop(0, nth, lambda _, left: left & (left - 1), open_)

    of_lanes = jax.vmap(draw, in_axes=(1, None, 0, 0))
    return _lowest_bit_index(jax.vmap(of_lanes, in_axes=(None, 0, 0, 0))(keys, masks, state.steps, state.open))


def _smallest_gain(schemes: Ordered, position, deviator, wins_ties) -> Int[Array, "C L"]:
    """The profitable deviation with the smallest v_j; ties best for the user, then in the order of the list."""
    size = schemes.rank.shape[0]
    places = jnp.arange(size, dtype=jnp.int32)[:, None]

    def search(of_committee):
        position, deviator, wins_ties = of_committee  # [L] each
        mine = jnp.take_along_axis(schemes.providers, deviator[None, None], axis=1, mode="promise_in_bounds")[:, 0]
        threshold = take(schemes.user, position[None])
        better_for_user = (schemes.user > threshold) | (wins_ties & (schemes.user == threshold))
        profitable = schemes.valid & better_for_user & (mine > take(mine, position[None]))
        gain = jnp.where(profitable, mine, jnp.iinfo(mine.dtype).max)
        # The user's order already breaks ties: the first one. Without a profitable deviation nothing moves.
        return jnp.min(jnp.where(profitable & (gain == gain.min(axis=0)), places, size), axis=0) % size

    return lax.map(search, (position, deviator, wins_ties))
