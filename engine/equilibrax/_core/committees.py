"""Committees of providers: bitmasks, all of them or a list, and their names.

A committee is written as the names of its providers joined by plus signs: `Ann+Bob`. A name that has a plus sign, a
quote or blanks at its ends, or that looks like a number (of a bitmask), is in double quotes; a quote in it is doubled.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from equilibrax._core.checks import as_array
from equilibrax._core.suggestions import did_you_mean

Committees = Literal["all"] | Sequence[int | str | Sequence[str]]
"""All committees, or a list of them: bitmasks (bit j is provider j), tuples of providers' names, or `"Ann+Bob"`."""


def committee_masks(committees: Committees, providers: int, names: Sequence[str] = ()) -> np.ndarray:
    """`[C]` int32 bitmasks."""
    most = 2**providers - 1
    if isinstance(committees, str):
        if committees != "all":
            raise ValueError(f'committees: expected "all" or a list of bitmasks, got {committees!r}')
        return np.arange(1, most + 1, dtype=np.int32)
    if names and isinstance(committees, list | tuple) and any(_is_named(one) for one in committees):
        committees = [one if isinstance(one, int | np.integer) else mask_of(one, names) for one in committees]
    masks = as_array("committees", committees)
    if masks.ndim != 1 or masks.size == 0 or masks.dtype.kind not in "iu":
        raise ValueError(f'committees: expected "all" or a non-empty list of bitmasks, got {committees!r}')
    if masks.min() < 1 or masks.max() > most:
        bad = int(masks[(masks < 1) | (masks > most)][0])
        raise ValueError(f"committees: expected bitmasks from 1 to {most} for {providers} providers, got {bad}")
    return masks.astype(np.int32)


def _is_named(committee: Any) -> bool:
    return isinstance(committee, tuple | list | str)


def mask_of(members: str | Sequence[Any], names: Sequence[str], what: str = "providers") -> int:
    """The bitmask of the providers (or whatever they are) with these names, which may be joined by plus signs."""
    mask = 0
    for name in committee_members(members) if isinstance(members, str) else members:
        if name not in names:
            argument, hint = "committee" if what == "providers" else what, did_you_mean(str(name), names)
            raise ValueError(f"{argument}: expected {what} among {', '.join(names)}, got {name!r}{hint}")
        if list(names).count(name) > 1:
            raise ValueError(f"{what}: expected different names, got {name!r} for several; give bitmasks")
        mask |= 1 << list(names).index(name)
    return mask


def committee_text(committee: int, names: Sequence[str]) -> str:
    """The committee (bitmask) by the names of its providers.

    Example:
        >>> committee_text(0b101, ("Ann", "Bob", "C+"))
        'Ann+"C+"'
    """
    return "+".join(_quoted(name) for j, name in enumerate(names) if committee >> j & 1)


def _quoted(name: str) -> str:
    plain = name.strip() == name and not name.isdecimal() and not any(c in name for c in '+"\r\n')
    return name if plain and name else '"' + name.replace('"', '""') + '"'


def committee_members(text: str) -> tuple[str, ...]:
    """The names of the providers of a committee that is written as `committee_text` does.

    Raises:
        ValueError: if it is not.

    Example:
        >>> committee_members('Ann+"C+"')
        ('Ann', 'C+')
    """
    try:
        (members,) = csv.reader([text], delimiter="+", strict=True)
    except (csv.Error, ValueError):
        members = [""]
    if not all(members):
        raise ValueError(f"committee: expected names of providers joined by +, such as Ann+Bob, got {text!r}")
    return tuple(members)


def committee_index(committee: int | str | Sequence[str], committees: np.ndarray, names: Sequence[str]) -> int:
    """Position in `committees` of a bitmask, or of the providers with these names."""
    mask = committee if isinstance(committee, int | np.integer) else mask_of(committee, names)
    found = np.flatnonzero(committees == mask)
    if not len(found):
        raise ValueError(f"committee: expected one of those solved, got {committee!r}")
    return int(found[0])
