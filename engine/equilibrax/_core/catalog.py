"""What a family of random problems says of itself, so that a catalog of all families is read off them."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Family:
    """A family of random problems: how to draw from it, what it is and where it is from.

    Attributes:
        kind: "tables", "markets", "games", "problems", "raters" or "answers".
        name: unique within a kind.
        definition: what is drawn, in a line.
        source: the paper and the place in it, or whose name for it this is.
        version: another version draws other problems.
        parameters: the family's own, with their defaults.
        call: the function that draws, as it is written after `eq.`.
        chosen: arguments of the example: the family, small sizes, the seed, and parameters whose defaults draw less.
        draw: the function itself.
        integers: the whole numbers that drawn problems consist of, as arrays.
    """

    kind: str
    name: str
    definition: str
    source: str
    version: int
    parameters: Mapping[str, Any]
    call: str
    chosen: Mapping[str, Any]
    draw: Callable[..., Any] = field(repr=False, compare=False)
    integers: Callable[[Any], Iterable[Any]] = field(repr=False, compare=False)

    @property
    def arguments(self) -> dict[str, Any]:
        """Of the example: what is chosen for it, and defaults for the rest of the parameters."""
        return {**self.chosen, **self.parameters, **self.chosen}

    @property
    def options(self) -> dict[str, Any]:
        """What every family of the kind takes beside sizes, seed and its own parameters, with the defaults."""
        return {
            name: parameter.default
            for name, parameter in inspect.signature(self.draw).parameters.items()
            if name not in self.arguments
            and parameter.default is not parameter.empty
            and parameter.kind != parameter.VAR_KEYWORD
        }

    @property
    def example(self) -> str:
        """Python that draws four small problems, with a seed.

        Example:
            >>> import equilibrax as eq
            >>> next(family for family in eq.catalog() if family.name == "noisy").example
            "eq.sample_tables(family='noisy', count=4, states=3, actions=3, providers=2, seed=0, noise=0.5)"
        """
        return f"eq.{self.call}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"

    @property
    def citation(self) -> str:
        """A line that says which problems these are: the same line means the same bits."""
        own = "".join(f", {name}={value!r}" for name, value in self.parameters.items())
        return f'Random {self.kind} "{self.name}" (version {self.version}{own}) of equilibrax, after {self.source}.'

    def digest(self) -> str:
        """SHA-256 of the whole numbers that the example draws: elsewhere the same, or the bits have changed.

        Example:
            >>> import equilibrax as eq
            >>> len(eq.catalog()[0].digest())
            64
        """
        found = hashlib.sha256()
        for array in self.integers(self.draw(**self.arguments)):
            numbers = np.asarray(array).astype("<i8")
            found.update(repr(numbers.shape).encode() + numbers.tobytes())
        return found.hexdigest()
