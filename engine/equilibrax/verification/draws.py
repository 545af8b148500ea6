"""The tables of the built-in families drawn again, in NumPy: neither JAX nor the kernels take part.

Written from what `problems.random_tables` documents. Random words are those of threefry2x32 with 20 rounds (Salmon,
Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3, 2011): word i of a key is the exclusive or of the
two halves of the block with counter i, and folding a word into a key encrypts (0, word) with it.

Letters: B tables, K providers, X states, A actions. Random words are uint32 and wrap around.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from zlib import crc32

import numpy as np

Drawn = tuple[np.ndarray, np.ndarray]
"""`[B, X, A]` and `[B, K, X, A]` int64, utilities of the user and of the providers in steps of 1 / resolution."""

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_UNITS = 64  # the weights of `hull` sum to it
_MOST_WEIGHT = 100  # of a state in `senders`
_VERSION = 1  # of every built-in family, so far


def known_family(family: str, version: int) -> bool:
    """Whether `draw_again` knows this version of a family."""
    return family in _FAMILIES and version == _VERSION


def draw_again(
    family: str,
    table_id: np.ndarray,
    *,
    states: int,
    actions: int,
    providers: int,
    seed: int,
    resolution: int,
    parameters: Mapping[str, float],
) -> Drawn:
    """The tables with these ids.

    Args:
        family: one that `known_family` knows.
        table_id: `[B]` int64.
        states, actions, providers: X, A and K.
        seed: of the tables.
        resolution: steps per unit of utility.
        parameters: of the family; what is left out has its default.

    Example:
        >>> ids = np.array([700])
        >>> sizes = dict(states=1, actions=2, providers=1, seed=0, resolution=10)
        >>> user, offered = draw_again("uniform", ids, **sizes, parameters={})
        >>> user.shape, offered.shape
        ((1, 1, 2), (1, 1, 1, 2))
    """
    key = keys_of(family, _VERSION, table_id, seed)
    return _FAMILIES[family](key, (states, actions), providers, resolution, dict(parameters))


def draw_prior(family: str, table_id: np.ndarray, *, states: int, seed: int) -> np.ndarray:
    """`[B, X]` weights of the states of tables with these ids, in a family that `known_family` knows.

    Example:
        >>> draw_prior("uniform", np.array([700]), states=3, seed=0)
        array([[1, 1, 1]])
    """
    if family != "senders":
        return np.ones((len(table_id), states), np.int64)
    key = keys_of(family, _VERSION, table_id, seed)
    return 1 + below(words_of(_fold(key, 1), (states,)), _MOST_WEIGHT)


def keys_of(stream: str, version: int, ids: np.ndarray, seed: int) -> np.ndarray:
    """`[B, 2]` uint32, the keys of `[B]` ids in a stream of random words of this name and version."""
    words = np.asarray(ids, np.int64).astype(np.uint64)
    key = np.broadcast_to(_halves(np.array([seed], np.uint64)), (len(words), 2))
    name = np.array([crc32(stream.encode()), version], np.uint32)
    for word in (name[0], name[1], *_halves(words).T):
        key = _fold(key, word)
    return key


# --- families ---------------------------------------------------------------------------------------------------------


def _uniform(key, cells, providers, resolution, parameters) -> Drawn:
    utilities = _utility(words_of(key, (1 + providers, *cells)), resolution)
    return utilities[:, 0], utilities[:, 1:]


def _noisy(key, cells, providers, resolution, parameters) -> Drawn:
    noise = round(parameters.get("noise", 0.5) * resolution)
    words = words_of(key, (1 + providers, *cells))
    user = _utility(words[:, 0], resolution)
    return user, user[:, None] + _symmetric(words[:, 1:], _room(user, resolution, noise)[:, None])


def _biased(key, cells, providers, resolution, parameters) -> Drawn:
    noise = round(parameters.get("noise", 0.5) * resolution)
    share = round(math.sqrt(parameters.get("correlation", 0.5)) * 2**31)
    words = words_of(key, (2 + 2 * providers, *cells))
    user = _utility(words[:, 0], resolution)
    room = _room(user, resolution, noise)
    common = _symmetric(words[:, 1], room)
    own = _symmetric(words[:, 2 : 2 + providers], room[:, None])
    shared = (words[:, 2 + providers :] >> np.uint32(1)).astype(np.int64) < share
    return user, user[:, None] + np.where(shared, common[:, None], own)


def _systematic(key, cells, providers, resolution, parameters) -> Drawn:
    bonus = round(parameters.get("bonus", 0.3) * resolution)
    user = _utility(words_of(_fold(key, 0), cells), resolution)
    favourite = below(words_of(_fold(key, 1), (providers,)), cells[1])
    likes = favourite[:, :, None] == np.arange(cells[1])
    return user, user[:, None] + bonus * likes[:, :, None, :].astype(np.int64)


def _hull(key, cells, providers, resolution, parameters) -> Drawn:
    words = words_of(_fold(key, 0), (providers, *cells))
    if providers == 1:
        utilities = _utility(words, resolution)
        return utilities[:, 0], utilities
    mixing = words_of(_fold(key, 1), (providers,))
    weights = _run_lengths(mixing[:, :-1], providers)[:, :, None, None]
    others = _utility(words[:, :-1], resolution)
    target = mixing[:, -1].astype(np.int64)[:, None, None] % _UNITS
    inverse = np.array([pow(w, -1, _UNITS) for w in weights[:, -1, 0, 0].tolist()], np.int64)[:, None, None]
    remainder = inverse * (target - (weights[:, :-1] * others).sum(axis=1)) % _UNITS
    choices = (resolution - remainder) // _UNITS + 1
    last = remainder + _UNITS * below(words[:, -1], choices)
    utilities = np.concatenate([others, last[:, None]], axis=1)
    return (weights * utilities).sum(axis=1) // _UNITS, utilities


def _near_hull(key, cells, providers, resolution, parameters) -> Drawn:
    noise = round(parameters.get("misalignment", 0.05) * resolution)
    user, utilities = _hull(key, cells, providers, resolution, {})
    words = words_of(_fold(key, 2), cells)
    return user + _symmetric(words, _room(user, resolution, noise)), utilities


def _zero_sum(key, cells, providers, resolution, parameters) -> Drawn:
    half = round(parameters.get("spread", 0.3) * resolution) // 2
    words = words_of(key, (1 + providers, *cells))
    user = _utility(words[:, 0], resolution)
    own = _symmetric(words[:, 1:], half)
    return user, user[:, None] + own - np.roll(own, -1, axis=1)


def _senders(key, cells, providers, resolution, parameters) -> Drawn:
    return _uniform(_fold(key, 0), cells, providers, resolution, parameters)


_FAMILIES: Mapping[str, Callable[..., Drawn]] = {
    "uniform": _uniform,
    "noisy": _noisy,
    "biased": _biased,
    "systematic": _systematic,
    "hull": _hull,
    "near_hull": _near_hull,
    "zero_sum": _zero_sum,
    "senders": _senders,
}


# --- integers from random words ---------------------------------------------------------------------------------------


def below(words: np.ndarray, count: np.ndarray | int) -> np.ndarray:
    """`floor(word / 2**32 x count)`: uniform on 0..count - 1. `count` is at most 2**32 - 1."""
    product = words.astype(np.uint64) * np.asarray(count).astype(np.uint64)
    return (product >> np.uint64(32)).astype(np.int64)


def _utility(words: np.ndarray, resolution: int) -> np.ndarray:
    return below(words, resolution + 1)


def _symmetric(words: np.ndarray, half_width: np.ndarray | int) -> np.ndarray:
    """Uniform on -half_width..half_width; the lowest bit is the sign."""
    sign = words & np.uint32(1)
    size = below(words - sign, 2 * np.asarray(half_width) + 1) - half_width
    return np.where(sign == 1, size, -size)


def _room(user: np.ndarray, resolution: int, most: int) -> np.ndarray:
    return np.minimum(most, np.minimum(user, resolution - user))


def _run_lengths(words: np.ndarray, providers: int) -> np.ndarray:
    """`[B, K]` positive weights that sum to 64, the last one odd, from `[B, K - 1]` words: Floyd's sampling of cuts."""
    rows = np.arange(len(words))
    cut = np.zeros((len(words), _UNITS - 1), bool)
    for i, last in enumerate(range(_UNITS - providers, _UNITS - 1)):
        pick = below(words[:, i], last + 1)
        cut[rows, np.where(cut[rows, pick], last, pick)] = True
    owner = np.concatenate([np.zeros((len(words), 1), np.int64), np.cumsum(cut, axis=1)], axis=1)
    weights = (owner[:, None] == np.arange(providers)[:, None]).sum(axis=2)
    even = 1 - weights[:, -1] % 2
    weights[:, 0] += even
    weights[:, -1] -= even
    return weights


# --- threefry ---------------------------------------------------------------------------------------------------------


def _halves(values: np.ndarray) -> np.ndarray:
    """`[B, 2]` uint32, high and low halves of `[B]` uint64."""
    return np.stack([values >> np.uint64(32), values & np.uint64(0xFFFFFFFF)], axis=1).astype(np.uint32)


def _fold(key: np.ndarray, word: np.ndarray | int) -> np.ndarray:
    """`[B, 2]` keys with a word, or `[B]` words, folded in."""
    word = np.broadcast_to(np.asarray(word, np.uint32), (len(key),))
    return np.stack(_threefry(key[:, 0], key[:, 1], np.zeros_like(word), word), axis=1)


def words_of(key: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`[B, *shape]` random words of `[B, 2]` keys."""
    counter = np.arange(math.prod(shape), dtype=np.uint64)
    high, low = _halves(counter).T
    left, right = _threefry(key[:, :1], key[:, 1:], high[None], low[None])
    return (left ^ right).reshape(len(key), *shape)


def _threefry(key0: np.ndarray, key1: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    keys = (key0, key1, key0 ^ key1 ^ _PARITY)
    left, right = left + keys[0], right + keys[1]
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            left = left + right
            right = ((right << np.uint32(rotation)) | (right >> np.uint32(32 - rotation))) ^ left
        left = left + keys[(block + 1) % 3]
        right = right + keys[(block + 2) % 3] + np.uint32(block + 1)
    return left, right
