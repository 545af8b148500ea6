"""Mixtures: datasets of several families and sizes in given proportions.

A shard is of one part, so that each part compiles once. Shards are dealt like cards: each goes to the part that is
furthest behind its proportion, so the first n shards of any dataset are dealt the same way, whatever comes after.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from equilibrax._core.checks import shown
from equilibrax._core.messages import shortened

MAX_BYTES = 2**20
"""Bytes of the largest file of a mixture."""

MAX_PROPORTION = 10**18
"""A larger number is none."""

MAX_CYCLE = 100_000
"""Proportions are ratios of whole numbers; these sum to at most so many."""


@dataclass(frozen=True)
class MixturePart:
    """A part of a mixture.

    Attributes:
        family: a family of random tables, see `families()`.
        proportion: of the shards; any positive numbers, only their ratios count.
        states: X.
        actions: A.
        providers: K, 1 to 16.
        parameters: the family's parameters as pairs (name, value).
    """

    family: str
    proportion: float = 1
    states: int = 3
    actions: int = 3
    providers: int = 5
    parameters: tuple[tuple[str, float], ...] = ()


def read_mixture(file: str | Path) -> tuple[MixturePart, ...]:
    """The parts of a TOML file: tables `[[part]]` with the fields of `MixturePart`, `parameters` as a table.

    Args:
        file: its path.

    Raises:
        ValueError: naming the file and what is wrong in it.
        OSError: if it cannot be read.

    Example:
        >>> _ = Path("mixture.toml").write_text('''
        ... [[part]]
        ... family = "uniform"
        ... proportion = 0.75
        ...
        ... [[part]]
        ... family = "noisy"
        ... proportion = 0.25
        ... parameters = {noise = 0.2}
        ... ''')
        >>> read_mixture("mixture.toml")[1].parameters
        (('noise', 0.2),)
    """
    try:
        return _parts(file)
    except ValueError as error:
        raise ValueError(shortened(f"mixture: {file}: {error}")) from error


def _parts(file: str | Path) -> tuple[MixturePart, ...]:
    if os.path.getsize(file) > MAX_BYTES:
        raise ValueError(f"expected at most {MAX_BYTES:,} bytes, got {os.path.getsize(file):,}")
    try:
        with open(file, "rb") as content:
            found = tomllib.load(content)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"expected TOML, got: {error}") from error
    except RecursionError:
        raise ValueError("expected TOML with few levels, got thousands") from None
    known = [field.name for field in fields(MixturePart)]
    if set(found) != {"part"} or not isinstance(found["part"], list) or not found["part"]:
        raise ValueError(f"expected tables [[part]] alone, got {shown(sorted(found))}")
    parts = []
    for number, part in enumerate(found["part"], 1):
        if not isinstance(part, dict):
            raise ValueError(f"part {number}: expected a table, got {shown(part)}")
        for name in part:
            if name not in known:
                raise ValueError(f"part {number}: expected one of {', '.join(known)}, got {name!r}")
        if not isinstance(part.get("family"), str):
            came = shown(part["family"]) if "family" in part else "none"
            raise ValueError(f"part {number}: expected a family, got {came}")
        parameters = part.get("parameters", {})
        if not isinstance(parameters, dict):
            raise ValueError(f"part {number}: parameters: expected a table, got {shown(parameters)}")
        parts.append(MixturePart(**{**part, "parameters": tuple(parameters.items())}))
    return tuple(parts)


def part_of(shard: int, proportions: Sequence[float]) -> int:
    """Which part a shard is of.

    Example:
        >>> [part_of(shard, (0.5, 0.25, 0.25)) for shard in range(8)]
        [0, 1, 2, 0, 0, 1, 2, 0]
    """
    cycle = _cycle(tuple(proportions))
    return cycle[shard % len(cycle)]


def check_proportions(proportions: Sequence[Any]) -> None:
    """Refuse what are no proportions.

    Raises:
        ValueError: naming `proportion`, what was expected and what came.
    """
    for value in proportions:
        if type(value) not in (int, float) or not 0 < value <= MAX_PROPORTION:
            raise ValueError(f"proportion: expected a positive number, got {shown(value)}")
    if sum(_whole(tuple(proportions))) > MAX_CYCLE:
        raise ValueError(
            f"proportion: expected ratios of whole numbers that sum to at most {MAX_CYCLE}, got "
            f"{shown(list(proportions))}; use fewer decimals"
        )


def _whole(proportions: tuple[float, ...]) -> list[int]:
    """The smallest whole numbers with these ratios."""
    exact = [Fraction(repr(value)) for value in proportions]
    common = math.lcm(*(value.denominator for value in exact))
    numbers = [int(value * common) for value in exact]
    return [number // math.gcd(*numbers) for number in numbers]


@lru_cache(maxsize=8)
def _cycle(proportions: tuple[float, ...]) -> tuple[int, ...]:
    """The parts in turn, until each has had as many turns as its whole number says."""
    weights = _whole(proportions)
    total, behind, turns = sum(weights), [0] * len(weights), []
    for _ in range(total):
        behind = [b + w for b, w in zip(behind, weights)]
        turn = behind.index(max(behind))
        behind[turn] -= total
        turns.append(turn)
    return tuple(turns)
