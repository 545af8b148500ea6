"""Random games: one utility table from one key, in integer arithmetic alone.

Every kernel here is a pure function `(key, states, actions, providers, resolution, ...) -> (user,
providers)`, with `user` `[X, A]` int32 and `providers` `[K, X, A]` int32, in steps of `1 / resolution`. The
three sizes are static; `resolution` and what follows it are integers below 2**32 and may be traced. Random
32-bit words are the only input and 32-bit integer operations the only arithmetic, so a key gives the same
bits on CPU, GPU and TPU, under any fusion and with or without x64. (In floating point a fused multiply-add
may change the last bit, and the rounding to fixed point that follows turns that into another game.)

Write U(n) for a uniform integer in 0..n and S(h) for a uniform integer in -h..h. Both come from one 32-bit
word, so their probabilities are those of the uniform law up to 2**-32; S(h) and -S(h) have exactly the same
law, so noise has mean exactly zero. With R = `resolution` and room(u, m) = min(m, u, R - u), so that u +
S(room) stays in 0..R:

| kernel | user's u_0 | provider j's u_j |
|---|---|---|
| `uniform` | U(R) | U(R) |
| `noisy` | U(R) | u_0 + S(room(u_0, noise)), its own in every cell |
| `biased` | U(R) | u_0 + noise as above; with chance q the noise all share, else its own |
| `systematic` | U(R) | u_0, and `bonus` more for its favourite action |
| `hull` | floor of a weighted average of the u_j | U(R) |
| `near_hull` | the same + S(room(u_0, misalignment)) | U(R) |
| `zero_sum` | U(R) | u_0 + e_j - e_(j+1) with e = S(spread / 2), around a circle of providers |
| `senders` | U(R) | U(R), and states have weights 1 + U(99) (`random_prior`) |

The key may also be `HostKeys` of B tables: then NumPy does the same at once for all of them, and every result has the
tables as its last axis. Compiling one of these kernels takes longer than NumPy takes for thousands of tables.

Letters: K providers, X states, A actions. A cell is one (x, a).
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from equilibrax_kernels.host_keys import HostKeys

Key = jax.Array | HostKeys
Array = jax.Array | np.ndarray
Integer = int | np.integer | jax.Array  # a scalar below 2**32

HULL_WEIGHTS_SUM = 64
"""The sum of the weights of `hull`, which are positive integers: a power of two, above the most providers."""

PRIOR_WEIGHTS = 100
"""The largest weight of a state in `random_prior`."""

_HULL_SHIFT = 6  # log2(HULL_WEIGHTS_SUM)
_HULL_MASK = HULL_WEIGHTS_SUM - 1


def table_key(seed: jax.Array, stream: jax.Array, table_id: jax.Array) -> jax.Array:
    """The key of one table: `fold_in` of the stream's and the id's words, in turn, into the seed's key.

    Args:
        seed: `[2]` uint32, high and low half of a 64-bit seed.
        stream: `[2]` uint32, a hash of the family's name and the family's version.
        table_id: `[2]` uint32, high and low half of a 64-bit table id.

    Returns:
        A threefry2x32 key, whatever the default implementation is.

    Example:
        >>> import numpy as np
        >>> word = lambda *values: np.array(values, np.uint32)
        >>> key = table_key(word(0, 7), word(0, 1), word(0, 3))
        >>> other = table_key(word(0, 7), word(0, 1), word(1, 3))  # an id that differs above 32 bits
        >>> bool((jax.random.key_data(key) != jax.random.key_data(other)).any())
        True
    """
    key = jax.random.wrap_key_data(jnp.asarray(seed, jnp.uint32), impl="threefry2x32")
    for word in (stream[0], stream[1], table_id[0], table_id[1]):
        key = _fold_in(key, word)
    return key


def uniform(key: Key, states: int, actions: int, providers: int, resolution: Integer) -> tuple[Array, Array]:
    """User and providers independent: every utility uniform on 0..R.

    Args:
        key: the table's key, of `table_key`.
        states, actions, providers: X, A and K.
        resolution: R, from 1 to 2**31 - 1.

    Returns:
        `[X, A]` and `[K, X, A]` int32.

    Example:
        >>> user, providers = uniform(jax.random.key(0), 3, 2, 5, 10_000)
        >>> user.shape, providers.shape
        ((3, 2), (5, 3, 2))
    """
    utilities = _utility(_words(key, (1 + providers, states, actions)), resolution)
    return utilities[0], utilities[1:]


def noisy(
    key: Key, states: int, actions: int, providers: int, resolution: Integer, noise: Integer
) -> tuple[Array, Array]:
    """Each provider means well: u_j = u_0 + independent noise, `E[u_j | u_0] = u_0` and u_j in 0..R.

    The noise of a cell is uniform on -h..h with h = min(noise, u_0, R - u_0) (2509.15090, Appendix A).

    Args:
        key, states, actions, providers, resolution: as in `uniform`.
        noise: largest half-width h, in steps.

    Returns:
        `[X, A]` and `[K, X, A]` int32.

    Example:
        >>> user, providers = noisy(jax.random.key(0), 3, 2, 5, 10_000, 200)
        >>> bool(abs(providers - user).max() <= 200)
        True
    """
    words = _words(key, (1 + providers, states, actions))
    user = _utility(words[0], resolution)
    return user, user[None] + _symmetric(words[1:], _room(user, resolution, noise)[None])


def biased(
    key: Key,
    states: int,
    actions: int,
    providers: int,
    resolution: Integer,
    noise: Integer,
    share: Integer,
) -> tuple[Array, Array]:
    """As `noisy`, but the providers' mistakes are correlated: averaging more providers does not remove them.

    In a cell one noise z is common and each provider has its own e_j, all independent and alike; provider j
    makes the common mistake z with probability q, independently, else e_j. Given u_0, any two providers'
    noises then have covariance q**2 var(z), so their correlation is q**2 exactly, and each has mean zero
    (2509.15090, Appendix A, without its independence).

    Args:
        key, states, actions, providers, resolution: as in `uniform`.
        noise: largest half-width of the noise, in steps.
        share: q times 2**31, from 0 to 2**31.

    Returns:
        `[X, A]` and `[K, X, A]` int32.

    Example:
        >>> user, providers = biased(jax.random.key(0), 3, 2, 5, 10_000, 5_000, 2**31)
        >>> bool((providers == providers[:1]).all())  # q = 1: all make the same mistake
        True
    """
    words = _words(key, (2 + 2 * providers, states, actions))
    user = _utility(words[0], resolution)
    room = _room(user, resolution, noise)
    common = _symmetric(words[1], room)
    own = _symmetric(words[2 : 2 + providers], room[None])
    xp = _numpy_of(words)
    shared = (words[2 + providers :] >> 1) < xp.uint32(share)
    return user, user[None] + xp.where(shared, common[None], own)


def systematic(
    key: Key, states: int, actions: int, providers: int, resolution: Integer, bonus: Integer
) -> tuple[Array, Array]:
    """Each provider wants what the user wants, and its own favourite action: u_j = u_0 + bonus [a = a_j].

    a_j is uniform on the actions, independent over providers and the same in every state (2509.15090, Remark
    1, "Diverse objectives"). Nothing is clipped: u_j is in 0..R + bonus.

    Args:
        key, states, actions, providers, resolution: as in `uniform`.
        bonus: in steps; R + bonus is below 2**31.

    Returns:
        `[X, A]` and `[K, X, A]` int32.

    Example:
        >>> user, providers = systematic(jax.random.key(0), 3, 2, 5, 10_000, 3_000)
        >>> sorted(set((providers - user).flatten().tolist()))
        [0, 3000]
    """
    user = _utility(_words(_subkey(key, 0), (states, actions)), resolution)
    favourite = _below(_words(_subkey(key, 1), (providers,)), np.uint32(actions))
    xp = _numpy_of(favourite)
    likes = favourite[:, None] == _numbers(actions, favourite)[None]  # [K, A]
    return user, user[None] + xp.where(likes, xp.int32(bonus), xp.int32(0))[:, None]


def hull(key: Key, states: int, actions: int, providers: int, resolution: Integer) -> tuple[Array, Array]:
    """The user is a weighted average of the providers plus an offset, exactly: Definition 1 with epsilon = 0.

    With W = 64 and positive integer weights w_j that sum to W, `u_0 = (sum_j w_j u_j - r) / W` in every cell
    for one r in 0..W - 1 per table; the offset c = -r / W is less than one step. This needs `sum_j w_j u_j =
    r` modulo W: providers 1..K - 1 are uniform on 0..R; w_K is odd, hence invertible modulo W, which gives
    the last provider's remainder modulo W; among the integers of 0..R with that remainder it is uniform. As r
    is uniform, so is the remainder: the last provider is independent of the others within a cell and, up to a
    factor within 1 +- W / R, uniform on 0..R. With K = 1 the user is the provider.

    Args:
        key, states, actions, providers: as in `uniform`; at most 64 providers.
        resolution: R, from W - 1 to 2**31 - 1.

    Returns:
        `[X, A]` and `[K, X, A]` int32, all in 0..R.

    Example:
        >>> user, providers = hull(jax.random.key(0), 3, 2, 5, 10_000)
        >>> bool((providers.min(axis=0) <= user + 1).all() and (user <= providers.max(axis=0)).all())
        True
    """
    words = _words(_subkey(key, 0), (providers, states, actions))
    if providers == 1:
        utilities = _utility(words, resolution)
        return utilities[0], utilities
    mixing = _words(_subkey(key, 1), (providers,))
    weights = _hull_weights(mixing[:-1], providers)[:, None, None]
    others = _utility(words[:-1], resolution).astype(np.uint32)
    inverse = weights[-1] * (2 - weights[-1] * weights[-1])  # of an odd number, modulo 64
    missing = (mixing[-1] & _HULL_MASK) - _sum(weights[:-1] * others)  # wraps around, modulo 2**32
    remainder = (inverse * missing) & _HULL_MASK
    xp = _numpy_of(words)
    blocks = ((xp.uint32(resolution) - remainder) >> _HULL_SHIFT) + 1
    last = remainder + (_below(words[-1], blocks) << _HULL_SHIFT)
    utilities = xp.concatenate([others, last[None]])
    low = _sum(weights * (utilities & _HULL_MASK))
    high = _sum(weights * (utilities >> _HULL_SHIFT))  # apart, because the whole sum may exceed 32 bits
    user = high + (low >> _HULL_SHIFT)
    return user.astype(np.int32), utilities.astype(np.int32)


def near_hull(
    key: Key, states: int, actions: int, providers: int, resolution: Integer, misalignment: Integer
) -> tuple[Array, Array]:
    """As `hull`, and noise on the user: Definition 1 with an epsilon of at most `misalignment`.

    The noise of a cell is uniform on -h..h with h = min(misalignment, u_0, R - u_0).

    Args:
        key, states, actions, providers, resolution: as in `hull`.
        misalignment: largest half-width of the noise, in steps.

    Returns:
        `[X, A]` and `[K, X, A]` int32, all in 0..R.

    Example:
        >>> exact, providers = hull(jax.random.key(0), 3, 2, 5, 10_000)
        >>> user, same_providers = near_hull(jax.random.key(0), 3, 2, 5, 10_000, 500)
        >>> bool((providers == same_providers).all() and abs(user - exact).max() <= 500)
        True
    """
    user, utilities = hull(key, states, actions, providers, resolution)
    words = _words(_subkey(key, 2), (states, actions))
    return user + _symmetric(words, _room(user, resolution, misalignment)), utilities


def zero_sum(
    key: Key, states: int, actions: int, providers: int, resolution: Integer, spread: Integer
) -> tuple[Array, Array]:
    """Rivals whose interests cancel: the user is exactly the simple average of the providers.

    u_j = u_0 + e_j - e_(j+1), the e_j independent and uniform on -h..h with h = floor(spread / 2), and
    e_(K+1) = e_1: what provider j gains in a cell is taken from its neighbours, and the terms sum to zero
    over providers (2509.15090, Remark 1, "Competitive markets"). Nothing is clipped: u_j is in -2h..R + 2h.
    With K = 1 there are no terms. Terms of neighbours have correlation -1/2 (-1 if K = 2), others 0.

    Args:
        key, states, actions, providers, resolution: as in `uniform`.
        spread: largest size of a term, in steps; R + spread is below 2**31.

    Returns:
        `[X, A]` and `[K, X, A]` int32.

    Example:
        >>> user, providers = zero_sum(jax.random.key(0), 3, 2, 5, 10_000, 3_000)
        >>> bool((providers.sum(axis=0) == 5 * user).all())
        True
    """
    words = _words(key, (1 + providers, states, actions))
    user = _utility(words[0], resolution)
    xp = _numpy_of(words)
    own = _symmetric(words[1:], xp.int32(spread) >> 1)
    following = xp.concatenate([own[1:], own[:1]])
    return user, user[None] + own - following


def senders(key: Key, states: int, actions: int, providers: int, resolution: Integer) -> tuple[Array, Array]:
    """As `uniform`, beside the prior of `random_prior`: other words of the same key.

    Args:
        key, states, actions, providers, resolution: as in `uniform`.

    Returns:
        `[X, A]` and `[K, X, A]` int32.

    Example:
        >>> user, providers = senders(jax.random.key(0), 3, 2, 2, 10_000)
        >>> user.shape, providers.shape
        ((3, 2), (2, 3, 2))
    """
    return uniform(_subkey(key, 0), states, actions, providers, resolution)


def random_prior(key: Key, states: int) -> Array:
    """Weights of states, independent and uniform on 1..`PRIOR_WEIGHTS`: the prior is their shares.

    Args:
        key: the table's key.
        states: X.

    Returns:
        `[X]` int32.

    Example:
        >>> weights = random_prior(jax.random.key(0), 5)
        >>> bool((weights >= 1).all() and (weights <= 100).all())
        True
    """
    words = _words(_subkey(key, 1), (states,))
    return 1 + _below(words, np.uint32(PRIOR_WEIGHTS)).astype(np.int32)


# --- integers from random words -----------------------------------------------------------------------------


def _words(key: Key, shape: tuple[int, ...]) -> Array:
    """Random 32-bit words: `jax.random.bits` where keys are partitionable, bit for bit."""
    if isinstance(key, HostKeys):
        return key.words(shape)
    count = math.prod(shape)  # below 2**32
    left, right = _threefry(key, jnp.zeros(count, jnp.uint32), jnp.arange(count, dtype=jnp.uint32))
    return (left ^ right).reshape(shape)


def _subkey(key: Key, index: int) -> Key:
    return key.fold_in(index) if isinstance(key, HostKeys) else _fold_in(key, index)


def _fold_in(key: jax.Array, index: Integer) -> jax.Array:
    """`jax.random.fold_in`, bit for bit."""
    halves = _threefry(key, jnp.uint32(0), jnp.asarray(index).astype(jnp.uint32))
    return jax.random.wrap_key_data(jnp.stack(halves), impl="threefry2x32")


def _threefry(key: jax.Array, left: jax.Array, right: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32 with 20 rounds (Salmon et al., 2011) of pairs of words.

    Written out, because XLA makes one loop over vectors of it; of JAX's own, which on CPUs is a loop over rounds, it
    does not, and most of a table's time was that.
    """
    first, second = jax.random.key_data(key)
    added = first, second, first ^ second ^ jnp.uint32(0x1BD11BDA)
    left, right = left + first, right + second
    for group in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            left = left + right
            right = left ^ (right << turn | right >> (32 - turn))
        left = left + added[(group + 1) % 3]
        right = right + added[(group + 2) % 3] + jnp.uint32(group + 1)
    return left, right


def _numpy_of(words: Array) -> Any:
    """NumPy, or JAX's."""
    return np if isinstance(words, np.ndarray) else jnp


def _numbers(count: int, like: Array) -> Array:
    """0..count - 1, uint32, along an axis in the place of the first axis of `like`."""
    return np.arange(count, dtype=np.uint32).reshape(-1, *[1] * (like.ndim - 1))


def _high_product(left: Array, right: Array | np.uint32) -> Array:
    """The high 32 bits of a 32 x 32 bit product, from 16-bit halves; no intermediate exceeds 32 bits."""
    left_low, left_high = left & 0xFFFF, left >> 16
    right_low, right_high = right & 0xFFFF, right >> 16
    low, cross = left_low * right_low, left_high * right_low
    middle = (low >> 16) + (cross & 0xFFFF) + left_low * right_high  # at most 2**32 - 1
    return left_high * right_high + (cross >> 16) + (middle >> 16)


def _below(words: Array, count: Array | np.uint32) -> Array:
    """Uniform on 0..count - 1, uint32: `floor(word / 2**32 x count)`."""
    return _high_product(words, count)


def _utility(words: Array, resolution: Integer) -> Array:
    """Uniform on 0..resolution, int32."""
    return _below(words, _numpy_of(words).uint32(resolution) + 1).astype(np.int32)


def _symmetric(words: Array, half_width: Array | np.int32) -> Array:
    """Uniform on -half_width..half_width, int32, with exactly the law of its negative: a bit is a sign."""
    sign = words & 1
    size = _below(words - sign, 2 * half_width.astype(np.uint32) + 1).astype(np.int32) - half_width
    return _numpy_of(words).where(sign == 1, size, -size)


def _room(user: Array, resolution: Integer, most: Integer) -> Array:
    """min(most, u, R - u): the widest symmetric noise that keeps u + noise in 0..R."""
    xp = _numpy_of(user)
    return xp.minimum(xp.int32(most), xp.minimum(user, xp.int32(resolution) - user))


def _sum(terms: Array) -> Array:
    """Sum over providers, in 32 bits under any x64 setting."""
    return _numpy_of(terms).sum(terms, axis=0, dtype=np.uint32)


def _hull_weights(words: Array, providers: int) -> Array:
    """`[K]` uint32 from `[K - 1]` words: K positive weights that sum to 64, the last one odd.

    K - 1 of the 63 places between 64 units are cut, by Floyd's sampling without replacement; the lengths of
    the runs are uniform over all such weights. If the last is even, one of its units goes to the first.
    """
    xp, places = _numpy_of(words), HULL_WEIGHTS_SUM - 1
    place = _numbers(places, words)
    cut = xp.zeros((places, *words.shape[1:]), bool)
    for word, last in zip(words, range(places - providers + 1, places)):
        pick = _below(word, np.uint32(last + 1))
        taken = xp.any(cut & (place == pick), axis=0)
        cut = cut | (place == xp.where(taken, np.uint32(last), pick))
    first = xp.zeros((1, *words.shape[1:]), np.uint32)
    owner = xp.concatenate([first, xp.cumsum(cut, axis=0, dtype=np.uint32)])  # [64]
    provider = _numbers(providers, owner[None])
    weights = xp.sum(owner[None] == provider, axis=1, dtype=np.uint32)
    surplus = 1 - (weights[-1:] & 1)
    return xp.concatenate([weights[:1] + surplus, weights[1:-1], weights[-1:] - surplus])
