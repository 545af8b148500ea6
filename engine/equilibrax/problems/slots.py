"""From validated tables to the arrays that kernels take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from equilibrax.problems.tables import UtilityTables

_VALUE_BITS = (20, 26, 32, 43)
"""Sizes that values are declared with, so that tables of about the same size share one compiled kernel."""


@dataclass(frozen=True)
class Prepared:
    """Tables as kernels see them: the user is player 0, and actions are slots, available ones first in every state.

    A state with fewer actions than others then wastes no schemes, and slots keep the order of the actions, so
    lexicographic order is unchanged.

    Attributes:
        of_user, of_providers: `[B, X, M]` and `[B, K, X, M]` int32 utilities, fixed point.
        prior: `[B, X]` int32.
        available: `[B, X, M]` bool.
        actions_of_slots: `[B, X, M]` the action in each slot, or None if slots are actions.
        resolution: fixed-point steps per unit of utility.
        actions: number of actions, A.
    """

    of_user: np.ndarray
    of_providers: np.ndarray
    prior: np.ndarray
    available: np.ndarray
    actions_of_slots: np.ndarray | None
    resolution: int
    actions: int

    def __len__(self) -> int:
        return len(self.of_user)

    @property
    def providers(self) -> int:
        return self.of_providers.shape[1]

    @property
    def states(self) -> int:
        return self.of_user.shape[1]

    @property
    def slots(self) -> int:
        return self.of_user.shape[2]

    @cached_property
    def utilities(self) -> np.ndarray:
        """`[B, K + 1, X, M]` int32, of all players, the user first."""
        each = self.of_user.reshape(len(self), -1), self.of_providers.reshape(len(self), -1)
        together = np.concatenate(each, axis=1)  # flat, since copies of short rows take their time
        return together.reshape(len(self), -1, *self.of_user.shape[1:])

    @cached_property
    def value_bits(self) -> int:
        """Bits that hold any scheme's value for any player, sign included."""
        each = self.of_user, self.of_providers
        largest = max(max(int(part.max(initial=0)), -int(part.min(initial=0))) for part in each)
        bound = largest * int(self.prior.max()) * self.states
        if bound >= 2 ** (_VALUE_BITS[0] - 1) - 1:  # too rough
            of_states = np.abs(self.utilities).max(axis=3).astype(np.int64)  # [B, K + 1, X]
            bound = int((of_states * self.prior[:, None].astype(np.int64)).sum(axis=2).max())
        return next(bits for bits in _VALUE_BITS if bound < 2 ** (bits - 1) - 1)

    def rows(self, index: np.ndarray) -> Prepared:
        """The tables at `index`."""
        of_slots = None if self.actions_of_slots is None else self.actions_of_slots[index]
        return Prepared(
            self.of_user[index],
            self.of_providers[index],
            self.prior[index],
            self.available[index],
            of_slots,
            self.resolution,
            self.actions,
        )


def prepare(tables: UtilityTables) -> Prepared:
    """Pack actions into slots."""
    if len(tables) == 0:
        raise ValueError("tables: expected at least one table, got an empty batch")
    user, providers, prior, available = (
        np.asarray(leaf) for leaf in (tables.user, tables.providers, tables.prior, tables.available)
    )
    of_slots = None
    if not available.all():
        slots = int(available.sum(axis=2).max())
        of_slots = np.argsort(~available, axis=2, kind="stable")[:, :, :slots]
        user = np.take_along_axis(user, of_slots, axis=2)
        providers = np.take_along_axis(providers, of_slots[:, None], axis=3)
        available = np.take_along_axis(available, of_slots, axis=2)
    return Prepared(user, providers, prior, available, of_slots, tables.resolution, tables.actions)


def to_actions(slots: np.ndarray, actions_of_slots: np.ndarray | None) -> np.ndarray:
    """`[B, C, X]` int16 action numbers from slot numbers."""
    if actions_of_slots is not None:
        slots = np.take_along_axis(actions_of_slots[:, None], slots[..., None], axis=3)[..., 0]
    return slots.astype(np.int16, copy=False)
