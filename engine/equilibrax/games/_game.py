"""What a game is: options, what it is played over, how it is solved, and which result it gives.

A game is a frozen dataclass that derives from `Game` and says everything about itself in its own file. Whatever has a
`name` is registered: `solve`, sweeps, comparisons, commands and rows find it there and never ask which game it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args, get_type_hints

import numpy as np
from jax.sharding import Mesh

from equilibrax._core.checks import check_choice, expect
from equilibrax._core.committees import Committees, committee_masks
from equilibrax._core.loops import loops_available, need_loops
from equilibrax._core.status import Status
from equilibrax.games._options import Rationality
from equilibrax.games._result import GameResult
from equilibrax.problems.decision_problem import DecisionProblem
from equilibrax.problems.market import Market
from equilibrax.problems.normal_form import NormalForm
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables

Problem = UtilityTables | PersuasionGame | Market | NormalForm | DecisionProblem
Backend = Literal["auto", "xla", "cpu"]
R = TypeVar("R", bound=GameResult, covariant=True)

GAMES: dict[str, type[Game[Any]]] = {}
"""All games that have a name."""


@dataclass(frozen=True)
class GameLine:
    """One line of a comparison: a game, and how its user responds.

    Attributes:
        name: for people, such as `joint, λ = 10`.
        game: "monopolist", or the name of a game.
        user: "follows" recommendations, "best response", or "quantal".
        rationality: lambda of a quantal user, else None.
        rules: "deterministic", or "randomized" for providers that may draw lots.
        benchmark: whether it is what the other lines are measured by.
    """

    name: str
    game: str
    user: str = "best response"
    rationality: float | None = None
    rules: str = "deterministic"
    benchmark: bool = False


@dataclass(frozen=True)
class Compared:
    """What a game contributes to a comparison.

    Attributes:
        game: what is solved.
        everybody: the lines of the committee of all providers: one, or one for each lambda.
        alone: the line of every provider alone, if there is one.
        each: whether every provider alone is solved too.
        place: where its lines are; those of providers alone are before all others.
        may_fail: whether it is left out, with the reason, where it cannot be played; otherwise that is an error.
    """

    game: Game[Any]
    everybody: tuple[GameLine, ...]
    alone: GameLine | None = None
    each: bool = False
    place: int = 100
    may_fail: bool = False


class Game(Generic[R]):
    """Base of all games: frozen dataclasses whose fields are the options, with a docstring each.

    Attributes:
        name: in files, on the command line and in rows; a class without one is not registered.
        over: what it is played over: the first is what `solve` hands on, others are converted (`accept`).
        answers: statuses that are no failure of the solver.
        statuses: statuses that can come.
    """

    name: ClassVar[str] = ""
    over: ClassVar[tuple[type[Any], ...]] = (UtilityTables,)
    answers: ClassVar[Status] = Status.COUNT_SATURATED
    statuses: ClassVar[Status] = Status.OK

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" in vars(cls):
            GAMES[cls.name] = cls

    # --- what it accepts

    def accept(self, problem: Any) -> Any:
        """The problem as this game is played over it.

        Raises:
            ValueError: if it is played over something else.
        """
        if not isinstance(problem, self.over):
            where = f" in the {self.name} game"
            expect("tables", problem, *reversed(self.over), where=where, more=_other_games(problem))
        if len(problem) == 0:
            raise ValueError("tables: expected at least one table, got an empty batch")
        return problem

    def masks(self, problem: Any, committees: Committees) -> np.ndarray:
        """`[C]` int32, the committees of an accepted problem as bitmasks."""
        return committee_masks(committees, problem.num_providers, problem.provider_names())

    def check_size(self, problem: Any, masks: np.ndarray) -> None:
        """Refuse an accepted problem whose committees are too large, as far as sizes tell.

        Raises:
            ValueError: with their size.
        """

    def committees_of(self, providers: int) -> int:
        """How many committees of so many providers there are, all together."""
        return 2**providers - 1

    # --- how it is solved

    def solve(self, problem: Any, masks: np.ndarray, backend: Backend, mesh: Mesh) -> R:
        """Equilibria of an accepted problem for committees, by `backend_for` it."""
        if self.backend_for(problem, backend, mesh) == "cpu":
            return self.solve_cpu(problem, masks)
        return self.solve_xla(problem, masks, mesh)

    def backend_for(self, problem: Any, backend: Backend, mesh: Mesh) -> Literal["xla", "cpu"]:
        """Which of its solvers to take: on a CPU the loops, where there are some for such a problem.

        Raises:
            ValueError: if loops are asked for and there are none.
        """
        check_choice("backend", backend, get_args(Backend))
        if backend == "xla":
            return backend
        missing = self.without_loops(problem)
        if backend == "cpu":
            if missing:
                raise ValueError(f'backend: expected "auto" or "xla" {missing}, got "cpu"')
            need_loops()
            return backend
        on_cpu = mesh.devices.flat[0].platform == "cpu"
        return "cpu" if on_cpu and not missing and loops_available() else "xla"

    def without_loops(self, problem: Any) -> str:
        """Why such a problem has no compiled loops, as in "expected another backend ..."; nothing if it has."""
        return f"in the {self.name} game"

    def solve_xla(self, problem: Any, masks: np.ndarray, mesh: Mesh) -> R:
        """By kernels that XLA compiles, on the devices of the mesh."""
        raise NotImplementedError

    def solve_cpu(self, problem: Any, masks: np.ndarray) -> R:
        """By compiled loops on the host's cores."""
        raise NotImplementedError

    def equilibrium_rules(
        self, problem: Any, b: int, masks: np.ndarray, how: Rationality, limit: int
    ) -> list[np.ndarray]:
        """All equilibria of problem b of an accepted batch for committees, with the best response or one lambda.

        Returns:
            For every mask `[E, X]`, rules as in `Outcome`, in lexicographic order; of partitions, in the order of their
            tuples of cells.

        Raises:
            ValueError: if they cannot be listed, or a committee has more than `limit`.
        """
        raise ValueError(
            f'of: expected "worst", "best" or "dynamics" in the {self.name} game, whose equilibria are not listed'
        )

    # --- what others need to know of it

    @property
    def how(self) -> Rationality:
        """How users respond."""
        return Rationality.of(getattr(self, "response", "best"))

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of optional columns that rows of its results can have."""
        return ()

    def suited(self, problem: Any) -> Game[R]:
        """This game, without options that have nothing to do in such a problem."""
        return self

    def idle(self) -> Iterable[tuple[Sequence[str], str]]:
        """Options that have no effect beside the others, and beside what they would have one; for commands."""
        return ()

    def allowance(self, states: int) -> int:
        """How many tolerances of a quantal user an equilibrium over so many states may miss."""
        return 0

    @classmethod
    def compared(cls, lambdas: tuple[float, ...], tolerance: float) -> tuple[Compared, ...]:
        """What `compare` shows of it, with these lambdas of quantal users."""
        return (Compared(cls(), (GameLine(cls.name, cls.name),), may_fail=True),)

    def described(self) -> dict[str, Any]:
        """Name and options as JSON, as in `sweep.json`; `game_from` reads it."""
        return {"name": self.name, **_plain(self)}


def _other_games(problem: Any) -> str:
    """Which games are played over it, if any."""
    names = [repr(name) for name, game in GAMES.items() if isinstance(problem, game.over)]
    return f"; it is played in {', '.join(names)}" if names else ""


# --- as JSON ----------------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no infinity


def read_options(hint: Any, value: Any) -> Any:
    """A game, or one of its options, from what `Game.described` wrote."""
    kinds = [kind for kind in (get_args(hint) or (hint,)) if is_dataclass(kind)]
    if isinstance(value, dict):
        kind: Any = kinds[0]
        hints = get_type_hints(kind)
        return kind(**{name: read_options(hints[name], part) for name, part in value.items()})
    if isinstance(value, list):
        return tuple(read_options(float, part) for part in value)
    return float(value) if value in ("inf", "-inf") else value


# --- what theory knows of it ------------------------------------------------------------------------------------------


class _PerGame:
    """Functions of results, registered for games and for what derives from them."""

    def __init__(self) -> None:
        self.known: dict[type[Game[Any]], Callable[..., Any]] = {}

    def register(self, *games: type[Game[Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A decorator."""

        def entered(function: Callable[..., Any]) -> Callable[..., Any]:
            self.known |= dict.fromkeys(games, function)
            return function

        return entered

    def find(self, game: Game[Any]) -> Callable[..., Any] | None:
        """What was registered for a game."""
        return next((self.known[kind] for kind in type(game).__mro__ if kind in self.known), None)


BOUNDS, GUARANTEES = _PerGame(), _PerGame()

register_bounds, bounds_for = BOUNDS.register, BOUNDS.find
"""Which bounds theory has for results of a game: a function of the result (and options), to them by name."""

register_guarantee, guarantee_for = GUARANTEES.register, GUARANTEES.find
"""Which bound studies set beside a game's worst utility: a function of the result, to it or None."""
