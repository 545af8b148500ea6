"""Options that several games have: who wins ties, how users respond, and how best-response dynamics goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np

from equilibrax._core.checks import check_choice, check_numbers, check_whole, shown

TieBreak = Literal["incumbent", "lowest_index"]
Order = Literal["round_robin", "random"]
Deviation = Literal["best", "minimal"]

TOLERANCE = 1e-9
"""Utilities under quantal response that are larger by no more are no better, by default."""


@dataclass(frozen=True)
class Quantal:
    """A user who responds at random: with probabilities proportional to `exp(rationality * expected utility)`.

    Attributes:
        rationality: lambda, at least 0; infinite: uniform over the best actions. Of a list, a result has R rows for a
            table, one for each, and arrays are `[B, R, C]`.
        tolerance: a utility is better than another if it is larger by more than this, pair by pair: nothing chains.

    Example:
        >>> Quantal([1, 10]).rationality, Quantal(3).rationality
        ((1.0, 10.0), 3.0)
    """

    rationality: float | Sequence[float]
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)
        values = check_numbers("rationality", self.rationality, 0, infinite=True)
        if values.ndim > 1 or not values.size:
            raise ValueError(
                f"rationality: expected numbers of at least 0, one or a list, got {shown(self.rationality)}"
            )
        object.__setattr__(self, "rationality", tuple(values.tolist()) if values.ndim else float(values))
        object.__setattr__(self, "tolerance", float(self.tolerance))


Response = Literal["best"] | Quantal


@dataclass(frozen=True)
class Dynamics:
    """How best-response dynamics goes on, and how long.

    Attributes:
        order: turns in "round_robin" from the lowest index (the turn passes on after a deviation too), or "random": the
            deviator is drawn uniformly among the providers that can deviate.
        deviation: "best", or "minimal": the smallest gain that is profitable (of several, the one that is best for the
            user, then the lexicographically first). After minimal deviations the selected
            provider may have a larger gain left that it never takes, so they can end outside the equilibria.
        seed: a whole number or a JAX random key, for random turns. Draws depend on it, the table's id and the committee
            alone.
        step_limit: where to stop with `Status.DYNAMICS_LIMIT`; in the selection games no dynamics is longer than K
            times the number of rules.
    """

    order: Order = "round_robin"
    deviation: Deviation = "best"
    seed: Any = None
    step_limit: int = 1_000_000

    def __post_init__(self) -> None:
        check_choice("order", self.order, get_args(Order))
        check_choice("deviation", self.deviation, get_args(Deviation))
        check_whole("step_limit", self.step_limit, 0)
        if self.order == "random" and self.seed is None:
            raise ValueError('seed: expected a JAX random key or an integer seed for order="random", got None')

    @classmethod
    def of(cls, given: Any) -> Dynamics | None:
        """The option `dynamics` of a game: True is the default, False is none."""
        if isinstance(given, bool):
            return cls() if given else None
        if not isinstance(given, cls):
            raise ValueError(f"dynamics: expected True, False or a Dynamics, got {given!r}")
        return given

    @classmethod
    def in_turn(cls, given: Any, game: str) -> Dynamics | None:
        """The same in games whose providers move to their best, in turn."""
        found = cls.of(given)
        if found is not None and (found.order, found.deviation) != ("round_robin", "best"):
            raise ValueError(f"dynamics: expected best deviations in turn in the {game} game, got {given!r}")
        return found


def check_tolerance(tolerance: Any) -> None:
    """Refuse what is no tolerance."""
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float | np.number) or not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance: expected a finite number of at least 0, got {tolerance!r}")


SelectionDynamics = bool | Dynamics | None
"""None is what the rules have by default: schemes do, lotteries do not."""

InTurn = bool | Annotated[Dynamics, "best deviations in turn, so the step limit counts"]

JointDynamics = InTurn | None
"""None is what the rules have by default: partitions do, lotteries do not."""

InformationRules = Literal["partitions", "lotteries"]
"""What providers may post of the states: cells of a partition, or messages that are drawn by lot."""


@dataclass(frozen=True)
class Rationality:
    """A response as solvers take it: exactly best, or quantally with one lambda or several.

    Attributes:
        values: `[R]` the lambdas; empty for the best response.
        grid: whether results have an axis of R.
        tolerance: 0 for the best response.
    """

    values: tuple[float, ...] = ()
    grid: bool = False
    tolerance: float = 0.0

    @classmethod
    def of(cls, response: Any) -> Rationality:
        """The option `response` of a game."""
        if isinstance(response, Quantal):
            given = response.rationality
            return cls(given if isinstance(given, tuple) else (given,), isinstance(given, tuple), response.tolerance)  # pyright: ignore[reportArgumentType]
        if response != "best":
            raise ValueError(f'response: expected "best" or a Quantal, got {response!r}')
        return cls()

    @property
    def quantal(self) -> bool:
        return bool(self.values)

    @property
    def each(self) -> tuple[Rationality, ...]:
        """One for every lambda, or the best response alone."""
        return tuple(Rationality((value,), False, self.tolerance) for value in self.values) or (self,)
