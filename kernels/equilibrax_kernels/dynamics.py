"""Best-response dynamics of the selection game, for all committees at once.

Every provider first posts its monopoly scheme and the user selects the best for her, ties to the lowest index. Then,
in turn, a provider that is not selected deviates to a scheme that is strictly better for the user and for itself than
the selected one, and is selected (2509.15090, Section 7.1). The turn passes on after a deviation too. Since best
responses were found for every scheme beforehand (`ordering`), one step is a look-up. The user's value rises at every
step (with ties won, the selected index falls), so the process ends; the selected provider is always at its best
response already.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int

from equilibrax_kernels.ordering import Ordered


class Dynamics(NamedTuple):
    """Where the dynamics of each committee ends.

    Attributes:
        position: `[C]` int32, position of the selected scheme in the user's order.
        steps: `[C]` int32, number of deviations.
        ended: `[C]` whether nobody could deviate any more before the step limit.
    """

    position: Int[Array, " C"]
    steps: Int[Array, " C"]
    ended: Bool[Array, " C"]


class _State(NamedTuple):
    position: Int[Array, " C"]
    selected: Int[Array, " C"]
    turn: Int[Array, " C"]
    steps: Int[Array, " C"]
    open: Int[Array, " C"]  # providers that can deviate, as a bitmask; 0 when the dynamics has ended


def best_response_dynamics(
    schemes: Ordered,
    masks: Int[Array, " C"],
    key: Array | None,
    *,
    ties: bool,
    minimal: bool,
    step_limit: int,
) -> Dynamics:
    """Run the dynamics of every committee to its end.

    Args:
        schemes: N schemes in the user's order. With `minimal`, all signaling schemes; otherwise at least those that
            are stable for some provider (best responses are).
        masks: `[C]` int32 committees as bitmasks.
        key: for each turn, draw the deviator uniformly among the providers that can deviate, from this key; None is
            round robin from the lowest index.
        ties: a provider with a lower index than the selected one wins the user's ties (Definition 16).
        minimal: deviate to the scheme with the smallest gain instead of the largest.
        step_limit: stop after this many deviations of a committee and say so.
    """
    k = schemes.providers.shape[0]
    members = jnp.arange(k, dtype=jnp.int32)
    start = _monopoly_positions(schemes)

    def can_deviate(position, selected):
        unstable = ~schemes.stable[position]
        if ties:
            unstable |= ((1 << selected) - 1) & ~schemes.tie_stable[position]
        return masks & unstable & ~(1 << selected)

    opening = jnp.where((masks[:, None] >> members) & 1 == 1, schemes.user[start], jnp.iinfo(schemes.user.dtype).min)
    selected = jnp.argmax(opening, axis=1).astype(jnp.int32)
    position = start[selected]
    zero = jnp.zeros_like(position)

    def step(state: _State) -> _State:
        deviator = _round_robin(state) if key is None else _at_random(key, masks, state)
        wins_ties = (deviator < state.selected) & ties
        if minimal:
            response = _smallest_gain(schemes, state.position, deviator, wins_ties)
        else:
            strict = schemes.response[deviator, state.position]
            response = jnp.where(wins_ties, schemes.tie_response[deviator, state.position], strict) if ties else strict
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


def _monopoly_positions(schemes: Ordered) -> Int[Array, " K"]:
    """Each provider's monopoly scheme: its best, ties in every state to the lowest action (lexicographically first)."""
    low = jnp.iinfo(schemes.providers.dtype).min
    values = jnp.where(schemes.valid, schemes.providers, low)
    first = jnp.where(values == values.max(axis=1, keepdims=True), schemes.rank, jnp.iinfo(jnp.int32).max)
    return jnp.argmin(first, axis=1).astype(jnp.int32)


def _lowest_bit_index(mask: Int[Array, " C"]) -> Int[Array, " C"]:
    return lax.population_count((mask & -mask) - 1)


def _round_robin(state: _State) -> Int[Array, " C"]:
    """The first provider that can deviate, from the turn upwards and around."""
    from_turn = state.open & ~((1 << state.turn) - 1)
    return _lowest_bit_index(jnp.where(from_turn != 0, from_turn, state.open))


def _at_random(key: Array, masks: Int[Array, " C"], state: _State) -> Int[Array, " C"]:
    def draw(mask, steps, open_):
        own = jax.random.fold_in(jax.random.fold_in(key, mask), steps)
        count = lax.population_count(open_)
        # Multiply-high: an integer below `count` from 32 random bits, the same on every backend.
        wide = jax.random.bits(own, dtype=jnp.uint32).astype(jnp.uint64) * count.astype(jnp.uint64)
        nth = (wide >> 32).astype(jnp.int32)
        return lax.fori_loop(0, nth, lambda _, left: left & (left - 1), open_)

    return _lowest_bit_index(jax.vmap(draw)(masks, state.steps, state.open))


def _smallest_gain(schemes: Ordered, position, deviator, wins_ties) -> Int[Array, " C"]:
    """The profitable deviation with the smallest v_j; ties best for the user, then in the order of the list."""

    def search(position, deviator, wins_ties):
        mine, threshold = schemes.providers[deviator], schemes.user[position]
        better_for_user = (schemes.user > threshold) | (wins_ties & (schemes.user == threshold))
        profitable = schemes.valid & better_for_user & (mine > mine[position])
        # The user's order already breaks ties: argmin takes the first.
        return jnp.argmin(jnp.where(profitable, mine, jnp.iinfo(mine.dtype).max)).astype(jnp.int32)

    return jax.vmap(search)(position, deviator, wins_ties)
