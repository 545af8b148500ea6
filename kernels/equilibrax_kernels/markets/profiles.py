"""All profiles of what providers post, when every user takes the provider that is best for her.

Every provider of a committee picks one of M strategies. A strategy is worth something to every user; each user takes
the provider whose strategy is worth most to her, ties to the lowest index, and may take another than her neighbour
takes (2602.13451, Definitions 2.5 to 2.7). Where worths are floating point she goes through the providers from the
lowest index, and changes to one that is better than the one she has by more than the tolerance: so what she takes is
never worse than the best by more than that, whatever lies between. What a provider earns is

- a sum over users of what the strategy that she takes earns it (separable utilities), or
- looked up in a table over what all users take together (general utilities).

Both are sums over users of amounts that belong to (provider taken, user, strategy): earnings, or digits of the number
of a cell of the table. So one loop over users makes a dense tensor over all M^k profiles by broadcasting, and a profile
is an equilibrium iff every member's earnings are the largest along its own axis: symmetric or not, all are found.

Letters: K providers, N users, M strategies, Q amounts, k members of a committee, C committees, T cells of a table, L
games (lanes, in the last axis).
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, Num

from equilibrax_kernels.primitives.lanes import take


class Postings(NamedTuple):
    """A game between providers who post strategies to users.

    Attributes:
        worth: `[K, N, M, L]` what a strategy is worth to a user who takes it.
        amounts: `[Q, K, N, M, L]` what the game adds up over users: with Q = K what each provider earns from the user
            who takes that strategy of that provider; with `tables` (Q = 1) digits of a cell's number.
        tables: `[K, T, L]` what each provider earns in every cell, or None.
        exists: `[K, M, L]` whether the provider has the strategy.
        user_tolerance: `[L]` a worth that is larger by no more is no better; zero for integers.
        tolerance: `[K, L]` gains that are no larger are none; zero for integers.
    """

    worth: Num[Array, "K N M L"]
    amounts: Num[Array, "Q K N M L"]
    tables: Num[Array, "K T L"] | None
    exists: Bool[Array, "K M L"]
    user_tolerance: Num[Array, " L"]
    tolerance: Num[Array, "K L"]


class Profiles(NamedTuple):
    """The equilibria of C committees; what depends on one is meaningless where `count` is 0.

    Attributes:
        count: `[C, L]` int64, number of equilibrium profiles.
        worst, best: `[C, N, L]` every user's smallest and largest value in equilibrium.
        profile: `[C, N, K, L]` int32, the strategies in the lexicographically first of the equilibria that are worst
            for the user; -1 for providers that are not members.
        choice: `[C, N, N, L]` int32, for that equilibrium, the provider that each user takes.
    """

    count: Int[Array, "C L"]
    worst: Num[Array, "C N L"]
    best: Num[Array, "C N L"]
    profile: Int[Array, "C N K L"]
    choice: Int[Array, "C N N L"]


def profile_equilibria(game: Postings, members: Int[Array, "C k"]) -> Profiles:
    """All equilibria of C committees of the same size.

    Args:
        game: what strategies are worth and earn.
        members: the providers of each committee, in increasing order.
    """
    return Profiles(*lax.map(lambda own: _one_committee(game, own), members))


def _one_committee(game: Postings, members: Int[Array, " k"]) -> Profiles:
    size, users, strategies, lanes = members.shape[0], *game.worth.shape[1:]
    worth, exists = game.worth[members], game.exists[members]
    amounts = game.amounts[:, members] if game.tables is not None else game.amounts[members][:, members]

    def along(values: Array, axis: int) -> Array:
        """`[M, L]` as a tensor over profiles that varies along one axis."""
        return values.reshape((1,) * axis + (strategies,) + (1,) * (size - 1 - axis) + (lanes,))

    def taken(worth: Array, values: Array) -> Array:
        """Of `values` `[k, M, L]`, those of the member that a user to whom they are worth `[k, M, L]` takes."""
        has, found = along(worth[0], 0), along(values[0], 0)
        for axis in range(1, size):
            new = along(worth[axis], axis)
            better = new > has + game.user_tolerance
            found, has = jnp.where(better, along(values[axis], axis), found), jnp.where(better, new, has)
        return found

    def add(sums, of_user):
        worth, amounts = of_user
        return tuple(total + taken(worth, amount) for total, amount in zip(sums, amounts)), None

    shape = (strategies,) * size + (lanes,)
    nothing = tuple(jnp.zeros(shape, amounts.dtype) for _ in range(amounts.shape[0]))
    sums, _ = lax.scan(add, nothing, (jnp.moveaxis(worth, 1, 0), jnp.moveaxis(amounts, 2, 0)))
    stable = jnp.ones(shape, bool)
    for axis in range(size):
        earned = sums[axis] if game.tables is None else _looked_up(game.tables[members[axis]], sums[0])
        here = along(exists[axis], axis)
        most = jnp.where(here, earned, _low(earned.dtype)).max(axis=axis, keepdims=True)
        stable &= here & (most - earned <= game.tolerance[members[axis]])

    everywhere = tuple(range(size))
    number = jnp.arange(strategies**size, dtype=jnp.int32).reshape((*shape[:-1], 1))

    def extremes(_, worth):
        value = taken(worth, worth)
        worst = jnp.where(stable, value, _high(value.dtype)).min(axis=everywhere)
        best = jnp.where(stable, value, _low(value.dtype)).max(axis=everywhere)
        first = jnp.where(stable & (value == worst), number, strategies**size).min(axis=everywhere)
        return None, (worst, best, first)

    _, (worst, best, first) = lax.scan(extremes, None, jnp.moveaxis(worth, 1, 0))
    at = [first // strategies ** (size - 1 - axis) % strategies for axis in range(size)]
    profile = jnp.full((users, game.worth.shape[0], lanes), -1, jnp.int32)
    for axis in range(size):
        profile = profile.at[:, members[axis]].set(at[axis])
    posted = jnp.stack([take(jnp.moveaxis(worth[axis], 1, 0), at[axis]) for axis in range(size)])  # [k, N, N', L]
    return Profiles(
        count=stable.sum(axis=everywhere, dtype=jnp.int64),
        worst=worst,
        best=best,
        profile=profile,
        choice=members[taken_of(posted, game.user_tolerance)],
    )


def taken_of(worth: Num[Array, "k ... L"], tolerance: Num[Array, " L"]) -> Int[Array, "... L"]:
    """The position of the provider that a user takes, of k that are worth this much to her."""
    has, position = worth[0], jnp.zeros(worth.shape[1:], jnp.int32)
    for j in range(1, worth.shape[0]):
        better = worth[j] > has + tolerance
        has, position = jnp.where(better, worth[j], has), jnp.where(better, j, position)
    return position


def _looked_up(table: Array, cells: Array) -> Array:
    """`table` `[T, L]` at the cells `[..., L]`."""
    flat = jnp.take_along_axis(table, cells.reshape(-1, cells.shape[-1]), axis=0, mode="promise_in_bounds")
    return flat.reshape(cells.shape)


def _low(dtype) -> Array:
    return jnp.array(-jnp.inf, dtype) if jnp.issubdtype(dtype, jnp.floating) else jnp.array(-_most(dtype), dtype)


def _high(dtype) -> Array:
    return jnp.array(jnp.inf, dtype) if jnp.issubdtype(dtype, jnp.floating) else jnp.array(_most(dtype), dtype)


def _most(dtype) -> int:
    return int(jnp.iinfo(dtype).max) // 2 - 1  # differences with any value still fit
