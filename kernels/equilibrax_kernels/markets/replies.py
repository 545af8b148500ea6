"""What a provider earns by each of its strategies when the others keep theirs, and dynamics of best responses.

Checking one profile takes M strategies of each provider, not all M^k profiles, so it is possible where listing the
profiles (`profiles`) is not.

Dynamics. Every provider first posts its monopoly strategy, the best for itself if all users had to take it. Then, in
rounds from the lowest index, a member that can gain moves to its best strategy (of several the first). A round in which
nobody moves ends it. A round maps profiles to profiles, so coming back to the profile at the start of an earlier round
means that it goes on for ever; Brent's algorithm notices: the profile is kept at rounds 1, 2, 4, 8, ... and compared.

Letters: as in `profiles`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, Num

from equilibrax_kernels.markets.profiles import Postings, _looked_up, _low, taken_of


class Replies(NamedTuple):
    """What a provider can do about a profile.

    Attributes:
        now: `[C, L]` what it earns.
        most: `[C, L]` the most it can earn.
        first: `[C, L]` int32, the first strategy by which it earns that.
    """

    now: Num[Array, "C L"]
    most: Num[Array, "C L"]
    first: Int[Array, "C L"]


class Trajectory(NamedTuple):
    """Where the dynamics of C committees ends.

    Attributes:
        profile: `[C, K, L]` int32 strategies; -1 for providers that are not members.
        choice: `[C, N, L]` int32, the provider that each user takes.
        value: `[C, N, L]` what it is worth to her.
        steps: `[C, L]` int32, number of moves.
        ended: `[C, L]` bool, whether nobody can gain any more.
        cycle: `[C, L]` bool, whether it came back to a profile; the rest then describes that one.
    """

    profile: Int[Array, "C K L"]
    choice: Int[Array, "C N L"]
    value: Num[Array, "C N L"]
    steps: Int[Array, "C L"]
    ended: Bool[Array, "C L"]
    cycle: Bool[Array, "C L"]


def replies(game: Postings, profile: Int[Array, "K C L"], member: Bool[Array, "K C"], j: Int[Array, ""]) -> Replies:
    """What provider j can do when the other members keep to the profile; j need not be one itself.

    Args:
        game: what strategies are worth and earn.
        profile: strategies of all providers, also of those that are no members (any number in range).
        member: which providers belong to each committee.
        j: the provider.
    """
    providers, _, strategies, lanes = game.worth.shape
    committees = profile.shape[1]
    nobody = _low(game.worth.dtype)
    own_worth = lax.dynamic_index_in_dim(game.worth, j, 0, keepdims=False)
    if game.tables is None:
        amounts = lax.dynamic_slice_in_dim(game.amounts, j, 1, 0)[0]  # [K, N, M, L], what j earns
    else:
        amounts = game.amounts[0]
    own_amounts = lax.dynamic_index_in_dim(amounts, j, 0, keepdims=False)

    def exactly(of_user):
        """What j earns from a user, `[M, C, L]`: she takes j, or whom she would take without j."""
        worths, amount, mine, my_amount = of_user  # [K, M, L] twice, [M, L] twice

        def another(carry, of_provider):
            before, after, left = carry
            other, worth, amount, posted, belongs = of_provider
            worth = jnp.where(belongs[:, None], jnp.take_along_axis(worth, posted, axis=0), nobody)
            worth = jnp.where(other == j, nobody, worth)
            left = jnp.where(worth > jnp.maximum(before, after), jnp.take_along_axis(amount, posted, axis=0), left)
            before = jnp.where(other < j, jnp.maximum(before, worth), before)
            after = jnp.where(other > j, jnp.maximum(after, worth), after)
            return (before, after, left), None

        empty = jnp.full((committees, lanes), nobody)
        start = (empty, empty, jnp.zeros((committees, lanes), amounts.dtype))
        each = (jnp.arange(providers), worths, amount, profile, member)
        (before, after, left), _ = lax.scan(another, start, each)
        takes = (mine[:, None] > before) & (mine[:, None] >= after)
        return jnp.where(takes, my_amount[:, None], left)

    def within_tolerance(of_user):
        """The same where whom she takes of the others may depend on what j is worth to her."""
        worths, amount, mine, my_amount = of_user

        def another(carry, of_provider):
            has, earned = carry
            other, worth, amount, posted, belongs = of_provider
            worth = jnp.where(belongs[:, None], jnp.take_along_axis(worth, posted, axis=0), nobody)
            worth = jnp.where(other == j, mine[:, None], worth)
            found = jnp.where(other == j, my_amount[:, None], jnp.take_along_axis(amount, posted, axis=0))
            better = worth > has + game.user_tolerance
            return (jnp.where(better, worth, has), jnp.where(better, found, earned)), None

        shape = (strategies, committees, lanes)
        start = (jnp.full(shape, nobody), jnp.zeros(shape, amounts.dtype))
        return lax.scan(another, start, (jnp.arange(providers), worths, amount, profile, member))[0][1]

    def add(total, of_user):
        quantal = jnp.issubdtype(game.worth.dtype, jnp.floating)
        return total + (within_tolerance if quantal else exactly)(of_user), None

    by_user = (jnp.moveaxis(game.worth, 1, 0), jnp.moveaxis(amounts, 1, 0), own_worth, own_amounts)
    earned, _ = lax.scan(add, jnp.zeros((strategies, committees, lanes), amounts.dtype), by_user)
    if game.tables is not None:
        earned = _looked_up(lax.dynamic_index_in_dim(game.tables, j, 0, keepdims=False), earned)
    here = lax.dynamic_index_in_dim(game.exists, j, 0, keepdims=False)[:, None]
    tolerance = lax.dynamic_index_in_dim(game.tolerance, j, 0, keepdims=False)
    posted = lax.dynamic_index_in_dim(profile, j, 0, keepdims=False)
    earned = jnp.where(here, earned, _low(earned.dtype))
    most = earned.max(axis=0)
    first = jnp.argmax(here & (most - earned <= tolerance), axis=0).astype(jnp.int32)
    return Replies(jnp.take_along_axis(earned, posted[None], axis=0)[0], most, first)


class _State(NamedTuple):
    profile: Int[Array, "K C L"]
    steps: Int[Array, "C L"]
    open: Bool[Array, "C L"]
    cycle: Bool[Array, "C L"]
    ended: Bool[Array, "C L"]
    kept: Int[Array, "K C L"]
    rounds: Int[Array, ""]
    power: Int[Array, ""]


def market_dynamics(game: Postings, masks: Int[Array, " C"], step_limit: int | Int[Array, ""]) -> Trajectory:
    """Best-response dynamics of C committees (bitmasks), for at most `step_limit` moves each."""
    providers, _, _, lanes = game.worth.shape
    member = (masks >> jnp.arange(providers)[:, None]) & 1 == 1  # [K, C]
    shape = (providers, masks.shape[0], lanes)
    numbers = jnp.arange(providers)
    none = jnp.zeros_like(member)
    _, start = lax.scan(lambda _, j: (None, replies(game, jnp.zeros(shape, jnp.int32), none, j).first), None, numbers)

    def one_round(state: _State) -> _State:
        def turn(carry, j):
            profile, steps, wanted, refused = carry
            reply = replies(game, profile, member, j)
            tolerance = lax.dynamic_index_in_dim(game.tolerance, j, 0, keepdims=False)
            wants = member[j][:, None] & state.open & (reply.most - reply.now > tolerance)
            moves = wants & (steps < step_limit)
            profile = profile.at[j].set(jnp.where(moves, reply.first, profile[j]))
            return (profile, steps + moves, wanted | wants, refused | (wants & ~moves)), None

        nobody = jnp.zeros_like(state.open)
        (profile, steps, wanted, refused), _ = lax.scan(turn, (state.profile, state.steps, nobody, nobody), numbers)
        back = wanted & ~refused & (profile == state.kept).all(axis=0)
        keep = state.rounds + 1 == state.power
        return _State(
            profile=profile,
            steps=steps,
            open=wanted & ~refused & ~back,
            cycle=state.cycle | back,
            ended=state.ended | (state.open & ~wanted),
            kept=jnp.where(keep, profile, state.kept),
            rounds=state.rounds + 1,
            power=jnp.where(keep, 2 * state.power, state.power),
        )

    closed = jnp.zeros(shape[1:], bool)
    one = jnp.ones((), jnp.int32)
    state = _State(start, jnp.zeros(shape[1:], jnp.int32), ~closed, closed, closed, start, 0 * one, one)
    state = lax.while_loop(lambda state: state.open.any(), one_round, state)
    choice, value = _choices(game, state.profile, member)
    profile = jnp.where(member[..., None], state.profile, -1)
    return Trajectory(jnp.moveaxis(profile, 0, 1), choice, value, state.steps, state.ended, state.cycle)


def _choices(game: Postings, profile: Int[Array, "K C L"], member: Bool[Array, "K C"]):
    """`[C, N, L]` the provider that each user takes, and what it is worth to her."""
    worth = jnp.take_along_axis(game.worth, profile[:, None], axis=2)  # [K, N, C, L]
    choice = taken_of(jnp.where(member[:, None, :, None], worth, _low(worth.dtype)), game.user_tolerance)
    value = jnp.take_along_axis(worth, choice[None], axis=0)[0]
    return jnp.moveaxis(choice, 0, 1), jnp.moveaxis(value, 0, 1)
