"""The game in which the user hears everybody, and its compiled solver; with lotteries, a search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, get_args

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.partitions.cells import best_response_cells, quantal_cells
from equilibrax_kernels.partitions.joint import LANES, joint_game
from jax.sharding import Mesh

from equilibrax._core.batching import chunk_size, cores, over_batch, run_in_chunks
from equilibrax._core.checks import check_choice
from equilibrax._core.status import Status
from equilibrax.games._cells import cells_of_game, check_listed
from equilibrax.games._game import Compared, GameLine
from equilibrax.games._options import Dynamics, InformationRules, JointDynamics, Quantal, Rationality, Response
from equilibrax.games.lotteries.joint_result import check_markets, searched
from equilibrax.games.lotteries.profiles import rationality_of
from equilibrax.games.lotteries.search import GradientSearch
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.responses import (
    PartitionGame,
    Rows,
    check_memory,
    committee_tuple,
    labels_of,
    partition_fields,
    rows_of,
    with_grid,
)
from equilibrax.problems.persuasion import PersuasionGame

_LANE_BYTES = 16  # per set and table: with 64 tables of 12 states a chunk is full


@dataclass(frozen=True)
class Program:
    """Everything that a compiled solver depends on besides the shapes of its inputs."""

    committees: tuple[int, ...]
    quantal: bool
    resolution: int
    dynamics: bool


@dataclass(frozen=True)
class Joint(PartitionGame):
    """The user hears all providers and responds to what they say together (2509.15090, Definitions 7 and 12).

    She learns the common refinement of the partitions, and a partition that all post is an equilibrium iff no provider
    in the committee gains by refining it. A committee of one provider is a monopolist: its own optima only.

    With lotteries over messages nothing is known that finds all equilibria. Profiles are searched for, and what
    providers could still gain is certified, from a user who responds best or with one finite lambda: the result is a
    `JointLotteries`, and rows say that of equilibria nothing is known.

    Example:
        >>> import equilibrax as eq
        >>> quantal = eq.Joint(response=eq.Quantal([0, 10]), dynamics=False)
        >>> eq.solve(eq.load_paper_table("synthetic-2"), quantal, committees=[0b00001, 0b11111]).equilibria.tolist()
        [[[5, 5], [1, 4]]]
    """

    name: ClassVar[str] = "joint"
    statuses: ClassVar[Status] = Status.DYNAMICS_LIMIT | Status.CYCLE | Status.RULE_UNCERTIFIED

    response: Response = "best"
    """How the user acts in a cell: the best action, ties to the lowest, or quantally."""
    dynamics: JointDynamics = None
    """Whether to run best-response dynamics: monopoly rules first, then in turn a provider moves to the best refinement
    of what the others say if that is strictly better for it. Of a Dynamics, the step limit counts. Partitions have it
    by default; lotteries have none."""
    rules: InformationRules = "partitions"
    """What providers may post: partitions of the states, or lotteries over messages (see `docs/lotteries.md`)."""
    search: GradientSearch | None = None
    """How to search for lotteries; None is the default search."""

    def __post_init__(self) -> None:
        check_choice("rules", self.rules, get_args(InformationRules))
        if self.dynamics is None:
            object.__setattr__(self, "dynamics", self.rules == "partitions")
        Rationality.of(self.response)
        turns = Dynamics.in_turn(self.dynamics, self.name)
        if self.rules == "partitions":
            if self.search is not None:
                came = type(self.search).__name__
                raise ValueError(f'search: expected none with rules="partitions", which are all compared, got {came}')
            return
        rationality = rationality_of(self.response)
        if isinstance(self.response, Quantal):  # results have no axis of lambdas, so a list of one is that one
            object.__setattr__(self, "response", Quantal(rationality, self.response.tolerance))  # pyright: ignore[reportArgumentType]
        if turns:
            raise ValueError(
                f'dynamics: expected none with rules="lotteries", which are searched for, got {self.dynamics!r}'
            )
        if self.search is None:
            object.__setattr__(self, "search", GradientSearch())
        elif not isinstance(self.search, GradientSearch):
            raise ValueError(f'search: expected a GradientSearch with rules="lotteries", got {self.search!r}')

    @property
    def groups(self) -> tuple[str, ...]:
        """Efficiency, of partitions."""
        return super().groups if self.rules == "partitions" else ()

    def idle(self) -> Iterable[tuple[Sequence[str], str]]:
        """Partitions are all compared, and nothing is searched for."""
        return [(("search",), 'beside rules="lotteries"')] if self.rules == "partitions" else ()

    def check_size(self, problem: PersuasionGame, masks: np.ndarray) -> None:
        """With lotteries, every committee's programs must fit."""
        if self.search is not None:
            check_markets(self, self.search, problem, masks)

    def without_loops(self, problem: PersuasionGame) -> str:
        """Nothing for partitions, unless numbers are too large."""
        return f"in the {self.name} game with lotteries" if self.search else self.beyond_loops(problem)

    def solve_xla(self, problem: PersuasionGame, masks: np.ndarray, mesh: Mesh | None) -> Any:
        """Equilibria of C committees, for all lambdas, as a `PartitionResult`; of lotteries what a search finds."""
        if self.search is not None and mesh is not None:
            return searched(self, self.search, problem, masks, mesh)
        return PartitionResult(game=self, **joint_fields(problem, masks, self.how, Dynamics.of(self.dynamics), mesh))

    def solve_cpu(self, problem: PersuasionGame, masks: np.ndarray) -> PartitionResult:
        """The same."""
        return self.solve_xla(problem, masks, None)

    def equilibrium_rules(
        self, problem: PersuasionGame, b: int, masks: np.ndarray, how: Rationality, limit: int
    ) -> list[np.ndarray]:
        """Partitions of game b, of at most 10 states."""
        if self.rules != "partitions":
            raise ValueError(f"of: expected partitions to list equilibria, got {self.rules}, which are searched for")
        return joint_equilibria(problem, b, masks, how, limit)

    @classmethod
    def compared(cls, lambdas: tuple[float, ...], tolerance: float) -> tuple[Compared, ...]:
        """With best response and with every lambda."""
        alone = GameLine("monopolist, checked", "monopolist")
        best = Compared(cls(dynamics=False), (GameLine("joint", cls.name),), alone, each=True, place=30)
        if not lambdas:
            return (best,)
        names = {how: f"joint, λ = {how:g}".replace("inf", "∞") for how in lambdas}
        lines = tuple(GameLine(name, cls.name, "quantal", how) for how, name in names.items())
        return best, Compared(cls(Quantal(lambdas, tolerance), dynamics=False), lines, place=31)


def joint_equilibria(game: PersuasionGame, b: int, masks: np.ndarray, how: Rationality, limit: int) -> list[np.ndarray]:
    """Partitions into cells that no member of a committee gains by splitting; of one provider its own optima."""
    cells, slack = cells_of_game(game, b, how), how.tolerance * float(game.scale[b])
    found = []
    for mask in masks.tolist():
        members = [j for j in range(game.num_providers) if mask >> j & 1]
        if len(members) == 1:
            chosen = cells.best_for(members[0], slack)
        else:
            stable = [cells.values[1 + j] >= cells.best_splits(j) - slack for j in members]
            chosen = cells.holds(np.logical_and.reduce(stable))
        found.append(check_listed(cells.labels[chosen], limit))
    return found


def joint_fields(
    game: PersuasionGame, masks: np.ndarray, how: Rationality, dynamics: Dynamics | None, mesh: Mesh | None
) -> dict[str, Any]:
    """Fields of a `PartitionResult`: B games for C committees and all lambdas; by loops if there is no mesh."""
    rows = rows_of(game, how)
    check_memory(game.states, _needed(rows, len(masks)))
    program = Program(committee_tuple(masks), how.quantal, game.resolution, dynamics is not None)
    step_limit = min(dynamics.step_limit, 2**30) if dynamics else 0
    raw = _loops(rows, program, step_limit) if mesh is None else _run(rows, program, step_limit, mesh)
    raw = {key: with_grid(values, how) for key, values in raw.items()}
    status = np.zeros(raw["count"].shape, np.int32)
    if dynamics:
        status |= np.where(raw["dynamics_ended"], 0, int(Status.DYNAMICS_LIMIT)).astype(np.int32)
        status |= np.where(raw["dynamics_steps"] > game.states, int(Status.CYCLE), 0).astype(np.int32)
    return partition_fields(game, masks, raw, how, status, labels_of)


def _loops(rows: Rows, program: Program, step_limit: int) -> dict[str, np.ndarray]:
    from equilibrax_kernels.cpu.joint import joint_games  # compiled when it is needed

    options = {"quantal": program.quantal, "resolution": program.resolution, "dynamics": program.dynamics}
    return joint_games(*rows.leaves(), masks=program.committees, **options, step_limit=step_limit, threads=cores())


def _run(rows: Rows, program: Program, step_limit: int, mesh) -> dict[str, np.ndarray]:
    sets = 1 << rows.available.shape[1]
    accelerator = mesh.devices.flat[0].platform != "cpu"
    chunk = chunk_size(len(rows), sets * (_LANE_BYTES if not accelerator else 64 * _LANE_BYTES), mesh)
    with jax.enable_x64(True):
        return run_in_chunks(_compiled(program, mesh), rows.leaves(), jnp.int32(step_limit), chunk, mesh)


def _needed(rows: Rows, committees: int) -> int:
    """Roughly the bytes that one table takes: its values, and the expanded arrays of a group of committees."""
    players, states = rows.contributions.shape[1], rows.available.shape[1]
    group = min(committees, LANES)
    return (1 << states) * (8 * 8 * players + group * 24 * 4)


@lru_cache(maxsize=64)
def _compiled(program: Program, mesh):
    def tables(batched, step_limit):
        contributions, weights, available, rationality, tolerance = batched
        if program.quantal:
            values, allowed = quantal_cells(contributions, weights, available, rationality, program.resolution)
        else:
            values, allowed = best_response_cells(contributions, available)
        found = joint_game(
            values,
            allowed,
            tolerance,
            program.committees,
            dynamics=program.dynamics,
            step_limit=step_limit,
        )
        return {name: leaf for name, leaf in found._asdict().items() if leaf is not None}

    return over_batch(tables, mesh)
