"""Random markets with weak, strong or no alignment up to a chosen error, reproducible to the bit.

A market is a function of the kind of alignment, the sizes, the error, the resolution, the seed and the market's 64-bit
id, and of nothing else: like the tables of `families` it is the same in any batch, shard and process and on any device.
All draws are integers.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any, Literal
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.random_tables import table_key

from equilibrax._core.checks import as_classes, check_choice, check_whole
from equilibrax._core.compile_cache import jit
from equilibrax.problems.market import Market, separable_market
from equilibrax.problems.tables import table_id_words

Alignment = Literal["weak", "strong", "none"]

MARKET_FAMILIES = {
    "weak": (
        "users = weighted averages of uniform components + noise of at most error; providers weigh components",
        "2602.13451, Definition 2.13",
    ),
    "strong": (
        "users uniform; providers = weighted averages of all users + noise of at most error, some for each user",
        "2602.13451, Definition 2.14",
    ),
    "none": ("users and components independent, all utilities uniform", "2602.13451, Section 2"),
}
"""Kinds of alignment: what is drawn, and the paper's definition."""

_PARTS = 16  # weights w of markets with weak alignment are multiples of 1 / 16
MARKETS_VERSION = 1  # another number draws other markets


def random_markets(
    count: int,
    users: int,
    providers: int,
    states: int,
    actions: int,
    *,
    alignment: Alignment = "weak",
    error: float = 0.0,
    seed: int = 0,
    start: int = 0,
    resolution: int = 10_000,
    provider_sees: Any = None,
    user_sees: Any = None,
    state_of: Any = None,
) -> Market:
    """Random markets whose alignment error is at most `error`; market `start + b` is the same in any batch.

    - "weak": components are uniform, user i's utility is `sum_j w_ji F_ji` with random weights that sum to one, plus
      noise of at most `error`, so eps_U <= error; every lambda_ji > 0, and eps_P = 0.
    - "strong": users' utilities are uniform, provider j's is `sum_i lambda_ji u_i` with random weights that sum to one,
      of which every user has one that is positive; plus noise of at most `error`, so eps <= error.
    - "none": all independent and uniform.

    Utilities are multiples of `1 / resolution` in [0, 1], lambdas sum to one for every provider, the prior is uniform.

    Args:
        count: B.
        users, providers, states, actions: N, K, X, A.
        alignment: "weak", "strong" or "none".
        error: 0 to 0.5, rounded to a multiple of `1 / resolution`.
        seed: 0 to 2**63 - 1.
        start: the first market's id.
        resolution: steps per unit of utility; at least 16 for "weak".
        provider_sees: `[K, X]` labels; None: all see the state.
        user_sees: `[N, X]` labels; None: users know nothing.
        state_of: `[X]` labels; utilities are drawn for every label. None: each state its own.

    Returns:
        B separable markets.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> markets = eq.random_markets(100, 2, 3, 4, 3, alignment="weak", error=0.05, seed=1)
        >>> float(eq.theory.weak_market_alignment(markets, [0b111]).error.max()) < 0.05 + 1e-9
        True
        >>> again = eq.random_markets(1, 2, 3, 4, 3, alignment="weak", error=0.05, seed=1, start=70)
        >>> bool((again.user == markets[70].user).all())
        True
    """
    check_choice("alignment", alignment, tuple(MARKET_FAMILIES))
    sizes = {"count": count, "users": users, "providers": providers, "states": states, "actions": actions}
    b, n, k, x, a = (whole(name, value) for name, value in sizes.items())
    resolution = whole("resolution", resolution)
    if isinstance(error, bool) or not isinstance(error, int | float | np.number) or not 0 <= error <= 0.5:
        raise ValueError(f"error: expected a number from 0 to 0.5, got {error!r}")
    noise = round(float(error) * resolution)
    if alignment == "weak" and resolution - 2 * noise < _PARTS:
        raise ValueError(f"resolution: expected at least {_PARTS} steps beside the error, got {resolution - 2 * noise}")
    seed, start = (check_whole(name, value, 0, 2**63 - 1 - b) for name, value in (("seed", seed), ("start", start)))
    labels = np.arange(x) if state_of is None else as_classes("state_of", state_of)
    of = np.unique(labels, return_inverse=True)[1].reshape(-1)
    if of.shape != (x,):
        raise ValueError(f"state_of: expected {x} labels, got {of.shape}")
    y = int(of.max()) + 1
    total = 4 * n  # of the integer weights lambda
    draw = MarketDraws(seed, start, b, f"market/{alignment}", 2 * k * n * y * a + 2 * n * y * a + 2 * k * n)
    lambdas = draw.split((b, k), n, total - n) + 1
    if alignment == "none":
        user, parts = draw.upto((b, n, y, a), resolution), draw.upto((b, k, n, y, a), resolution)
    elif alignment == "weak":
        parts = draw.upto((b, k, n, y, a), (resolution - 2 * noise) // _PARTS)
        shares = np.moveaxis(draw.split((b, n), k, _PARTS), 1, 2)  # [B, K, N]
        user = np.einsum("bkn,bknya->bnya", shares, parts) + draw.upto((b, n, y, a), 2 * noise)
        parts = parts * _PARTS
    else:
        user = noise + draw.upto((b, n, y, a), resolution - 2 * noise)
        parts = user[:, None] - noise + draw.upto((b, k, n, y, a), 2 * noise)
        own = np.arange(n) % k == np.arange(k)[:, None]  # user i can count on provider i mod k
        lambdas = draw.split((b, k), n, total - own.sum(axis=1)) + own
    market = separable_market(
        user[:, :, of] / resolution,
        parts[:, :, :, of] / resolution,
        lambdas / total,
        provider_sees=provider_sees,
        user_sees=user_sees,
        state_of=None if state_of is None else of,
        resolution=resolution,
        weight_resolution=total,
    )
    ids = np.arange(start, start + b, dtype=np.int64)
    return replace(market, market_id=ids, family=f"{alignment}-alignment", seed=int(seed))


class MarketDraws:
    """Uniform integers, by market: a function of the seed, the family and the market's id alone."""

    def __init__(self, seed: int, start: int, count: int, family: str, size: int, version: int = MARKETS_VERSION):
        words = table_id_words(np.arange(count, dtype=np.uint64) + np.uint64(start))
        key = np.array([seed >> 32, seed & 0xFFFFFFFF], np.uint32)
        stream = np.array([crc32(family.encode()), version], np.uint32)
        with jax.threefry_partitionable(True):
            self.words = np.asarray(_words(key, stream, words, size)).astype(np.uint64)
        self.used = 0

    def upto(self, shape: tuple[int, ...], most: Any) -> np.ndarray:
        """Integers from 0 to `most`, which broadcasts."""
        size = math.prod(shape[1:])
        here = self.words[:, self.used : self.used + size].reshape(shape)
        self.used += size
        return ((here * (np.asarray(most, np.uint64) + np.uint64(1))) >> np.uint64(32)).astype(np.int64)

    def split(self, shape: tuple[int, ...], parts: int, total: Any) -> np.ndarray:
        """`[*shape, parts]` integers that are not negative and sum to `total`, cut at uniform places."""
        total = np.broadcast_to(np.asarray(total), shape)
        cuts = np.sort(self.upto((*shape, parts - 1), total[..., None]), axis=-1)
        return np.diff(cuts, axis=-1, prepend=0, append=total[..., None])


@partial(jit, static_argnames="size")
def _words(seed, stream, ids, size: int):
    seed, stream = jnp.asarray(seed), jnp.asarray(stream)
    return jax.vmap(lambda one: jax.random.bits(table_key(seed, stream, one), (size,), jnp.uint32))(ids)


def whole(name: str, value: Any) -> int:
    """A whole number of at least 1, or a refusal."""
    return check_whole(name, value, 1, None)
