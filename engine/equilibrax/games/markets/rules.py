"""The rules that providers of a market may post, listed, and what users learn from them.

A rule of provider j is a partition of the states that is coarser than what j sees (obedience), or a map from j's cells
to actions (delegation). Partitions are labels in the order in which they appear; lists are in lexicographic order, so
the first partition says nothing and the last one says most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from equilibrax._core.checks import approximate
from equilibrax._core.partitions import all_partitions, bell_number, cells_of
from equilibrax.games.obedient import MAX_STATES

MarketRules = Literal["obedience", "delegation"]

MAX_RULES = 2**20
"""Most rules that are listed: as many as partitions of 11 states."""


@dataclass(frozen=True)
class RuleList:
    """The R different rules of all providers, and which of them are whose.

    Attributes:
        rules: `[R, X]` int8, labels of cells or actions; in lexicographic order.
        own: `[K, M]` int32, the rules of each provider by their number, in order; the last one is repeated.
        exists: `[K, M]` bool, False where it is repeated.
    """

    rules: np.ndarray
    own: np.ndarray
    exists: np.ndarray

    @property
    def counts(self) -> list[int]:
        """How many rules each provider has."""
        return self.exists.sum(axis=1).tolist()


@lru_cache(maxsize=8)
def list_rules(provider_sees: tuple[tuple[int, ...], ...], actions: int | None) -> RuleList:
    """All rules, of partitions (`actions` None) or of maps from cells to so many actions.

    Raises:
        ValueError: if a provider has too many.
    """
    for j, row in enumerate(provider_sees):
        cells = max(row) + 1
        count = bell_number(cells) if actions is None else actions**cells
        if count > MAX_RULES or (actions is None and cells > MAX_STATES):
            raise ValueError(
                f"market: expected at most {MAX_RULES:,} rules of a provider, got {approximate(count)} of "
                f"provider {j}, who sees {cells} cells"
            )
    lists = {row: _rules_of(row, actions) for row in set(provider_sees)}
    rules, position = np.unique(np.concatenate(list(lists.values())), axis=0, return_inverse=True)
    parts = np.split(position.reshape(-1), np.cumsum([len(own) for own in lists.values()])[:-1])
    numbers = {row: np.sort(part) for row, part in zip(lists, parts)}
    most = max(len(part) for part in parts)
    own = np.stack([np.pad(numbers[row], (0, most - len(numbers[row])), mode="edge") for row in provider_sees])
    exists = np.stack([np.arange(most) < len(numbers[row]) for row in provider_sees])
    return RuleList(rules, own.astype(np.int32), exists)


def _rules_of(row: tuple[int, ...], actions: int | None) -> np.ndarray:
    """`[S, X]` int8, in any order."""
    cells = max(row) + 1
    if actions is None:
        coarse = all_partitions(cells)
    else:
        coarse = np.indices((actions,) * cells).reshape(cells, -1).T.astype(np.int8)
    return coarse[:, list(row)]


def refined(partitions: np.ndarray, own: tuple[int, ...]) -> np.ndarray:
    """`[R, X]` int8, the common refinement of partitions with one's own, in the order in which cells appear."""
    states = partitions.shape[1]
    pairs = partitions.astype(np.int64) * states + np.array(own)
    lead = (pairs[:, :, None] == pairs[:, None, :]).argmax(axis=2)  # the first state of every state's cell
    rank = np.cumsum(lead == np.arange(states), axis=1) - 1
    return np.take_along_axis(rank, lead, axis=1).astype(np.int8)


@lru_cache(maxsize=8)
def learned_cells(
    provider_sees: tuple[tuple[int, ...], ...], user_sees: tuple[tuple[int, ...], ...]
) -> tuple[np.ndarray, np.ndarray]:
    """What every user learns from every partition: cells `[N, X, R]` as `cells_of`; labels `[N, R, X]`."""
    partitions = list_rules(provider_sees, None).rules
    labels = np.stack([partitions if not any(own) else refined(partitions, own) for own in user_sees])
    return np.stack([cells_of(row) for row in labels]), labels


def rule_numbers(rules: np.ndarray, posted: np.ndarray) -> np.ndarray:
    """Numbers of posted rules `[..., X]` in the list `[R, X]`; -1 where one is not in it."""
    width = int(max(rules.max(), posted.max(initial=0))) + 1
    power = width ** np.arange(rules.shape[1], dtype=object)[::-1]
    table = {int(key): number for number, key in enumerate((rules.astype(object) * power).sum(axis=1))}
    keys = (posted.astype(object) * power).sum(axis=-1)
    found = [table.get(int(key), -1) for key in np.asarray(keys, dtype=object).reshape(-1)]
    return np.array(found, np.int64).reshape(posted.shape[:-1])
