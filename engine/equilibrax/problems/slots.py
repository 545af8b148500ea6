"""From validated tables to the arrays that kernels take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
        utilities: `[B, K + 1, X, M]` int32, fixed point.
        prior: `[B, X]` int32.
        available: `[B, X, M]` bool.
        actions_of_slots: `[B, X, M]` the action in each slot, or None if slots are actions.
        value_bits: bits that hold any scheme's value for any player, sign included.
        resolution: fixed-point steps per unit of utility.
        actions: number of actions, A.
    """

    utilities: Any
    prior: Any
    available: Any
    actions_of_slots: np.ndarray | None
    value_bits: int
    resolution: int
    actions: int

    @property
    def providers(self) -> int:
        return self.utilities.shape[1] - 1

    @property
    def states(self) -> int:
        return self.utilities.shape[2]

    @property
    def slots(self) -> int:
        return self.utilities.shape[3]

    def rows(self, index: np.ndarray) -> Prepared:
        """The tables at `index`."""
        of_slots = None if self.actions_of_slots is None else self.actions_of_slots[index]
        return Prepared(
            np.asarray(self.utilities)[index],
            np.asarray(self.prior)[index],
            np.asarray(self.available)[index],
            of_slots,
            self.value_bits,
            self.resolution,
            self.actions,
        )


def prepare(tables: UtilityTables) -> Prepared:
    """Pack actions into slots and choose the size of integers."""
    if len(tables) == 0:
        raise ValueError("tables: expected at least one table, got an empty batch")
    user, providers, prior, available = (
        np.asarray(leaf) for leaf in (tables.user, tables.providers, tables.prior, tables.available)
    )
    # Flat, since copies of short rows take their time.
    utilities = np.concatenate([user.reshape(len(user), -1), providers.reshape(len(user), -1)], axis=1)
    utilities = utilities.reshape(len(user), -1, *user.shape[1:])
    of_slots = None
    if not available.all():
        slots = int(available.sum(axis=2).max())
        of_slots = np.argsort(~available, axis=2, kind="stable")[:, :, :slots]
        utilities = np.take_along_axis(utilities, of_slots[:, None], axis=3)
        available = np.take_along_axis(available, of_slots, axis=2)
    largest = max(int(utilities.max(initial=0)), -int(utilities.min(initial=0)))
    bound = largest * int(prior.max()) * tables.states
    if bound >= 2 ** (_VALUE_BITS[0] - 1) - 1:  # too rough
        of_states = np.abs(utilities).max(axis=3).astype(np.int64)  # [B, K + 1, X]
        bound = int((of_states * prior[:, None].astype(np.int64)).sum(axis=2).max())
    bits = next(bits for bits in _VALUE_BITS if bound < 2 ** (bits - 1) - 1)
    return Prepared(utilities, prior, available, of_slots, bits, tables.resolution, tables.actions)


def to_actions(slots: np.ndarray, actions_of_slots: np.ndarray | None) -> np.ndarray:
    """`[B, C, X]` int16 action numbers from slot numbers."""
    if actions_of_slots is not None:
        slots = np.take_along_axis(actions_of_slots[:, None], slots[..., None], axis=3)[..., 0]
    return slots.astype(np.int16, copy=False)
