"""The best-provider selection game of one table and committee as a game in normal form."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from equilibrax._core.checks import approximate, check_choice, check_whole
from equilibrax._core.committees import committee_masks, mask_of
from equilibrax.problems.normal_form import MAX_PAYOFF, GameLabels, NormalForm

if TYPE_CHECKING:
    from equilibrax.problems.tables import UtilityTables

MAX_PROFILES = 2**20
"""Profiles that a table is turned into, by default: every member has all schemes."""


def selection_form(
    table: UtilityTables, committee: int | Sequence[str], tie_break: str, user: bool, max_profiles: int
) -> NormalForm:
    """A batch of one table as `UtilityTables.to_normal_form` describes it."""
    check_choice("tie_break", tie_break, ("lowest_index", "incumbent"))
    if tie_break == "incumbent":
        raise ValueError(
            'tie_break: expected "lowest_index", got "incumbent", under which an indifferent user stays where she '
            "was: payoffs are no function of what the providers post"
        )
    check_whole("max_profiles", max_profiles, 1)
    names = table.provider_names()
    mask = mask_of(committee, names) if isinstance(committee, list | tuple) else committee
    mask = int(committee_masks([mask], table.num_providers)[0])
    members = [j for j in range(table.num_providers) if mask >> j & 1]
    count = table.schemes()[0]
    if count ** len(members) > max_profiles:
        raise ValueError(
            f"max_profiles: expected a table of at most {max_profiles:,} profiles for this committee, got "
            f"{approximate(count)} schemes of each of {len(members)} providers"
        )
    allowed = [np.flatnonzero(row) for row in np.asarray(table.available)[0]]
    schemes = np.array(list(product(*allowed)))  # [S, X], in lexicographic order
    states = np.arange(table.states)
    weighted = np.asarray(table.prior)[0].astype(np.int64)[:, None]
    everybody = [np.asarray(table.user)[0], *np.asarray(table.providers)[0]]
    values = np.array([(one * weighted)[states, schemes].sum(axis=1) for one in everybody])  # [1 + K, S]
    taken = _taken(values[0], len(members))
    players, shape = [1 + j for j in members], taken.shape
    if user:
        players, taken = [*players, 0], taken[..., None]
    if np.abs(values[players]).max() > MAX_PAYOFF:
        raise ValueError("tables: expected values below 2**50 in fixed point, got larger ones")
    posted = tuple(", ".join(table.action_names(scheme)) for scheme in schemes)
    actions = (posted,) * len(shape) + ((("take the best",),) if user else ())
    labels = GameLabels(
        tuple(names[j] for j in members) + (("the user",) if user else ()), actions, (table.names()[0],)
    )
    game = NormalForm.from_integers(
        np.stack([values[p][taken] for p in players]),
        batched=False,
        resolution=int(table.scale[0]),
        labels=labels,
    )
    return game.with_outcomes(taken, posted)


def _taken(values: np.ndarray, members: int) -> np.ndarray:
    """`[S, ..., S]` the scheme that the user takes in every profile: the best for her, of the lowest member."""
    numbers: Any = np.arange(len(values))
    best = numbers.reshape(-1, *[1] * (members - 1))
    for k in range(1, members):
        own = numbers.reshape([-1 if i == k else 1 for i in range(members)])
        best = np.where(values[own] > values[best], own, best)
    return best
