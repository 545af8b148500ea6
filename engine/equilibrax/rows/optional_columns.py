"""Optional columns of the selection game: all equilibria, and intervals of lotteries.

Letters: B tables, K providers, X states, A actions, C committees, S schemes.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from equilibrax.games import LotteryResult, first_equilibria
from equilibrax.games.selection_result import SelectionResult

_DENSE_SCHEMES = 2**12
"""Up to here all schemes of many tables are looked at together; beyond, committees are listed one by one."""

_CELLS = 2**24  # of what is in memory at a time: about 16 MB per array


def interval_lists(result: LotteryResult) -> pa.Table:
    """`[B C]` lists of the intervals of the user's utilities in equilibrium."""
    ends = result.interval_utilities
    inner = np.arange(len(ends) + 1, dtype=np.int32) * 2
    outer = np.concatenate([[0], np.cumsum(result.interval_count)]).astype(np.int32)
    each = pa.ListArray.from_arrays(pa.array(inner), pa.array(ends.reshape(-1)))
    return pa.ListArray.from_arrays(pa.array(outer), each)


def all_equilibria(result: SelectionResult, cap: int) -> pa.Array:
    """`[B C]` lists of the first `cap` equilibria, null if unsolved; of tables whose actions are all available."""
    tables = result.tables
    number = tables.actions**tables.states
    if number <= _DENSE_SCHEMES:
        counts, schemes = _dense_equilibria(result, cap)
    else:
        found = [
            first_equilibria(tables[b], mask, result.tie_break, cap) if result.solved[b, c] else np.empty((0, 0))  # pyright: ignore[reportArgumentType]
            for b in range(len(tables))
            for c, mask in enumerate(result.committees.tolist())
        ]
        counts = np.array([len(schemes) for schemes in found])
        schemes = np.concatenate([s.reshape(-1, tables.states) for s in found])
    inner = np.arange(len(schemes) + 1, dtype=np.int32) * tables.states
    outer = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    each = pa.ListArray.from_arrays(pa.array(inner), pa.array(schemes.reshape(-1).astype(np.int16)))
    return pa.ListArray.from_arrays(pa.array(outer), each, mask=pa.array(~result.solved.reshape(-1)))


def _dense_equilibria(result: SelectionResult, cap: int) -> tuple[np.ndarray, np.ndarray]:
    """`[B C]` how many are listed, and all that are, `[N, X]`."""
    tables = result.tables
    x, k = tables.states, tables.num_providers
    places = np.arange(tables.actions**x)[:, None]  # in lexicographic order; of one action there may be many states
    schemes = (places // tables.actions ** np.arange(x - 1, -1, -1) % tables.actions).astype(np.int16)
    players = np.concatenate([np.asarray(tables.user)[:, None], np.asarray(tables.providers)], axis=1)
    weighted = players.astype(np.int64) * np.asarray(tables.prior)[:, None, :, None]
    step = max(1, _CELLS // (len(schemes) * max(k + 1, len(result.committees))))
    counts, listed = [], []
    for start in range(0, len(tables), step):
        part = weighted[start : start + step]
        values = np.sum([part[:, :, i, schemes[:, i]] for i in range(x)], axis=0)  # [b, K + 1, S]
        stable = _stable(values, result.committees, result.tie_break == "lowest_index")
        stable &= result.solved[start : start + step, :, None]
        stable &= np.cumsum(stable, axis=2, dtype=np.int32) <= cap
        counts.append(stable.sum(axis=2).reshape(-1))
        listed.append(schemes[np.nonzero(stable)[2]])
    return np.concatenate(counts), np.concatenate(listed)


def _stable(values: np.ndarray, committees: np.ndarray, ties: bool) -> np.ndarray:
    """`[b, C, S]` which schemes are equilibria (2509.15090, Section 7.1 and Definition 16)."""
    user, providers = values[:, 0], values[:, 1:]
    order = np.argsort(-user, axis=1, kind="stable")
    falling = np.take_along_axis(user, order, axis=1)
    place = np.arange(user.shape[1])
    new = np.concatenate([np.ones((len(user), 1), bool), falling[:, 1:] < falling[:, :-1]], axis=1)
    first = np.maximum.accumulate(np.where(new, place, 0), axis=1)  # of those that the user values the same
    last = np.flip(np.minimum.accumulate(np.flip(np.where(np.roll(new, -1, 1), place, place[-1]), 1), axis=1), 1)
    content, content_with_ties = [], []
    for j in range(providers.shape[1]):
        own = np.take_along_axis(providers[:, j], order, axis=1)
        best = np.maximum.accumulate(own, axis=1)
        before = np.where(first > 0, np.take_along_axis(best, np.maximum(first - 1, 0), axis=1), np.iinfo(np.int64).min)
        for kept, threshold in ((content, before), (content_with_ties, np.take_along_axis(best, last, axis=1))):
            answer = np.empty(own.shape, bool)
            np.put_along_axis(answer, order, own >= threshold, axis=1)
            kept.append(answer)
    stable = np.empty((len(user), len(committees), user.shape[1]), bool)
    for c, mask in enumerate(committees.tolist()):
        members = [j for j in range(providers.shape[1]) if mask >> j & 1]
        if len(members) == 1:
            own = providers[:, members[0]]
            stable[:, c] = own == own.max(axis=1, keepdims=True)
            continue
        accepted = [content[j] for j in members]
        if ties:
            accepted[0] = content_with_ties[members[0]]
        stable[:, c] = np.logical_and.reduce(accepted)
    return stable
