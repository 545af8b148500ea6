"""Committees of providers: bitmasks, all of them or a list, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Committees = Literal["all"] | Sequence[int | Sequence[str]]
"""All committees, or a list of them: bitmasks (bit j is provider j), or tuples of providers' names."""


def committee_masks(committees: Committees, providers: int, names: Sequence[str] = ()) -> np.ndarray:
    """`[C]` int32 bitmasks."""
    most = 2**providers - 1
    if isinstance(committees, str):
        if committees != "all":
            raise ValueError(f'committees: expected "all" or a list of bitmasks, got {committees!r}')
        return np.arange(1, most + 1, dtype=np.int32)
    if names and isinstance(committees, list | tuple):
        members = list(committees)
        if any(isinstance(one, tuple | list) for one in members):
            committees = [mask_of(one, names) if isinstance(one, tuple | list) else one for one in members]
    masks = np.asarray(committees)
    if masks.ndim != 1 or masks.size == 0 or masks.dtype.kind not in "iu":
        raise ValueError(f'committees: expected "all" or a non-empty list of bitmasks, got {committees!r}')
    if masks.min() < 1 or masks.max() > most:
        bad = int(masks[(masks < 1) | (masks > most)][0])
        raise ValueError(f"committees: expected bitmasks from 1 to {most} for {providers} providers, got {bad}")
    return masks.astype(np.int32)


def mask_of(members: Sequence[Any], names: Sequence[str], what: str = "providers") -> int:
    """The bitmask of the providers (or whatever they are) with these names."""
    mask = 0
    for name in members:
        if name not in names:
            argument = "committee" if what == "providers" else what
            raise ValueError(f"{argument}: expected {what} among {', '.join(names)}, got {name!r}")
        mask |= 1 << names.index(name)
    return mask


def committee_index(committee: int | Sequence[str], committees: np.ndarray, names: Sequence[str]) -> int:
    """Position in `committees` of a bitmask, or of the providers with these names."""
    mask = committee if isinstance(committee, int | np.integer) else mask_of(committee, names)
    found = np.flatnonzero(committees == mask)
    if not len(found):
        raise ValueError(f"committee: expected one of those solved, got {committee!r}")
    return int(found[0])
