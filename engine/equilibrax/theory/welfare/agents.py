"""Whose payoffs count, and in which units.

Letters: B tables, K providers, C committees.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from equilibrax._core.checks import as_floats, check_choice
from equilibrax.problems.persuasion import PersuasionGame

Agents = Literal["committee", "everyone", "providers"]


def agents_of(agents: Agents, committees: np.ndarray, providers: int) -> Bool[np.ndarray, "C N"]:
    """`[C, 1 + K]` the user and the members, the user and all providers, or the members alone."""
    check_choice("agents", agents, get_args(Agents))
    member = (committees[:, None] >> np.arange(providers)) & 1 == 1
    if agents == "everyone":
        member = np.ones_like(member)
    return np.concatenate([np.full((len(committees), 1), agents != "providers"), member], axis=1)


def units_of(units: Any, game: PersuasionGame, payoffs: np.ndarray) -> Float[np.ndarray, "B N"]:
    """`[B, 1 + K]` units in utility.

    Args:
        units: None for 1, "range" for what each agent's expected utility can vary by (1 where it cannot), or `[1 + K]`
            or `[B, 1 + K]` positive numbers.
        payoffs: `[B, 1 + K, Z, X, A]`.
    """
    shape = len(game), game.num_providers + 1
    if units is None:
        return np.ones(shape)
    if isinstance(units, str):
        check_choice("units", units, ("range",))
        exists = np.asarray(game.available)[:, None, None]
        high = np.where(exists, payoffs, np.iinfo(np.int64).min).max(axis=4)
        low = np.where(exists, payoffs, np.iinfo(np.int64).max).min(axis=4)
        extent = (high - low).sum(axis=(2, 3)) / game.scale[:, None]
        return np.where(extent > 0, extent, 1.0)
    given = as_floats("units", units)
    if given.shape not in (shape, shape[1:]) or not (np.isfinite(given) & (given > 0)).all():
        shapes = f"{list(shape[1:])} or {list(shape)}"
        raise ValueError(f'units: expected None, "range" or positive numbers of shape {shapes}, got {units!r}')
    return np.broadcast_to(given, shape)
