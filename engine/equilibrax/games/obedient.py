"""The selection game in which the user checks what she is told: all partitions are listed and compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, ClassVar, get_args

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.partitions.cells import best_response_cells, quantal_cells
from equilibrax_kernels.partitions.obedience import obedient_selection, partition_values
from equilibrax_kernels.partitions.tolerant import near_ties, tolerant_selection
from equilibrax_kernels.primitives.lanes import take
from jax.sharding import Mesh

from equilibrax._core.batching import chunk_size, cores, over_batch, run_in_chunks
from equilibrax._core.checks import check_choice
from equilibrax._core.partitions import all_partitions, bell_number, cells_of
from equilibrax._core.status import Status
from equilibrax.games._cells import cells_of_game, check_listed
from equilibrax.games._game import Compared, GameLine
from equilibrax.games._options import Dynamics, Rationality, Response, TieBreak
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.responses import PartitionGame, Rows, partition_fields, rows_of, with_grid
from equilibrax.games.selection import table_keys
from equilibrax.problems.persuasion import PersuasionGame

MAX_STATES = 11
"""States whose 678,570 partitions can still be listed: positions in a list take at most 20 bits."""

_EXACT_BITS = 43  # holds any value, see `tables.MAX_VALUE`


@dataclass(frozen=True)
class Program:
    """Everything that a compiled solver depends on besides the shapes of its inputs."""

    quantal: bool
    resolution: int
    ties: bool
    dynamics: bool
    minimal: bool
    random: bool
    step_limit: int


@dataclass(frozen=True)
class Obedient(PartitionGame):
    """The user takes the provider that is best for her, and checks what it says (2509.15090, Section 5).

    A provider's rule is a partition of the states; she learns the cell, and responds. Everybody is paid by the rule
    that is taken. Otherwise as the selection game. To a quantal user and her providers one value is better than another
    if it is larger by more than the tolerance, pair by pair (`equilibrax_kernels.partitions.tolerant`).

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.load_paper_table("synthetic-2"), eq.Obedient(), committees=[0b00001, 0b11111])
        >>> result.worst_utility.round(4).tolist(), result.best_utility.round(4).tolist()
        ([[0.8267, 0.8267]], [[0.8267, 0.92]])
    """

    name: ClassVar[str] = "obedient"
    answers: ClassVar[Status] = PartitionGame.answers | Status.NO_EQUILIBRIUM
    statuses: ClassVar[Status] = Status.DYNAMICS_LIMIT | Status.NO_EQUILIBRIUM

    tie_break: TieBreak = "incumbent"
    """Who wins the user when a deviation leaves her indifferent: never the deviator (incumbent, Section 7), or the
    lowest index (Definition 16)."""
    response: Response = "best"
    """How the user acts in a cell: the best action, ties to the lowest, or quantally."""
    dynamics: bool | Dynamics = True
    """Whether to run best-response dynamics (Section 7.1)."""

    def __post_init__(self) -> None:
        check_choice("tie_break", self.tie_break, get_args(TieBreak))
        Rationality.of(self.response)
        Dynamics.of(self.dynamics)

    def allowance(self, states: int) -> int:
        """A deviation counts if it is better by more than the tolerance, so an equilibrium misses it once."""
        return 1

    def without_loops(self, problem: PersuasionGame) -> str:
        """Nothing, unless its numbers are too large."""
        return self.beyond_loops(problem)

    def solve_cpu(self, problem: PersuasionGame, masks: np.ndarray) -> PartitionResult:
        """The same."""
        return self.solve_xla(problem, masks, None)

    def solve_xla(self, problem: PersuasionGame, masks: np.ndarray, mesh: Mesh | None) -> PartitionResult:
        """Equilibria of C committees, for all lambdas."""
        return PartitionResult(game=self, **obedient_fields(problem, masks, self, mesh))

    def equilibrium_rules(
        self, problem: PersuasionGame, b: int, masks: np.ndarray, how: Rationality, limit: int
    ) -> list[np.ndarray]:
        """Partitions of game b, of at most 10 states."""
        cells, slack = cells_of_game(problem, b, how), how.tolerance * float(problem.scale[b])
        user, own, found = cells.worth[0], cells.worth[1:], []
        order = np.argsort(-user, kind="stable")
        tops = np.maximum.accumulate(own[:, order], axis=1)  # for a provider, of what is at least as good for the user
        for mask in masks.tolist():
            chosen = np.ones(len(user), bool)
            for j in (j for j in range(problem.num_providers) if mask >> j & 1):
                if mask == 1 << j:
                    chosen &= own[j] >= own[j].max() - slack
                    continue
                as_good = self.tie_break == "lowest_index" and mask & -mask == 1 << j
                count = (
                    np.searchsorted(-user[order], -(user - slack), side="right")
                    if as_good
                    else np.searchsorted(-user[order], -(user + slack), side="left")
                )
                top = np.where(count > 0, tops[j][np.maximum(count - 1, 0)], -np.inf)
                chosen &= own[j] >= top - slack
            found.append(check_listed(cells.labels[chosen], limit))
        return found

    @classmethod
    def compared(cls, lambdas: tuple[float, ...], tolerance: float) -> tuple[Compared, ...]:
        """A selection game, checked."""
        line = GameLine("selection, checked", "selection")
        return (Compared(cls(dynamics=False), (line,), each=True, place=21, may_fail=True),)


def obedient_fields(game: PersuasionGame, masks: np.ndarray, options: Obedient, mesh: Mesh | None) -> dict[str, Any]:
    """Fields of a `PartitionResult`: B games for C committees and all lambdas; by loops if there is no mesh."""
    how, turns = options.how, Dynamics.of(options.dynamics)
    if game.states > MAX_STATES:
        count = bell_number(game.states)
        size = count * (8 * (game.num_providers + 1) * 4) / 2**30
        raise ValueError(
            f"tables: expected at most {MAX_STATES} states in the obedient game, got {game.states}, "
            f"whose {count:,} partitions would need about {size:,.0f} GiB"
        )
    labels = all_partitions(game.states)
    rows = rows_of(game, how)
    program = Program(
        quantal=how.quantal,
        resolution=game.resolution,
        ties=options.tie_break == "lowest_index",
        dynamics=turns is not None,
        minimal=turns is not None and turns.deviation == "minimal",
        random=turns is not None and turns.order == "random",
        step_limit=turns.step_limit if turns else 0,
    )
    keys = np.repeat(table_keys(game.table_id, turns), max(1, len(how.values)), axis=0)
    given = rows, keys, labels, masks, program
    solved = _loops(*given) if mesh is None else _run(*given, mesh)
    raw = {name: with_grid(values, how) for name, values in solved.items()}
    status = np.where(raw["count"] > 0, 0, int(Status.NO_EQUILIBRIUM)).astype(np.int32)
    if turns:
        status |= np.where(raw["dynamics_ended"], 0, int(Status.DYNAMICS_LIMIT)).astype(np.int32)
    found = partition_fields(game, masks, raw, how, status, lambda positions: labels[positions])
    exists = found["equilibria"][..., None] > 0  # the tolerance may leave none where ties go to the lowest index
    return found | {"worst_partition": np.where(exists, found["worst_partition"], np.int8(-1))}


def _loops(rows: Rows, keys: np.ndarray, labels: np.ndarray, masks: np.ndarray, program: Program) -> dict[str, Any]:
    from equilibrax_kernels.cpu.obedience import obedient_games  # compiled when it is needed

    options: dict[str, Any] = {name: value for name, value in asdict(program).items() if name != "random"}
    options |= {"keys": keys if program.random else None, "threads": cores()}
    return obedient_games(*rows.leaves(), partitions=cells_of(labels).T, masks=masks, **options)


def _run(rows: Rows, keys, labels: np.ndarray, masks: np.ndarray, program: Program, mesh: Mesh) -> dict[str, Any]:
    players, states = rows.contributions.shape[1], rows.available.shape[1]
    chunk = chunk_size(len(rows), len(labels) * players * 24 + (1 << states) * players * 32, mesh)
    with jax.enable_x64(True):
        shared = (jnp.asarray(cells_of(labels)), jnp.asarray(masks))
        return run_in_chunks(_compiled(program, mesh), (rows.leaves(), keys), shared, chunk, mesh)


@lru_cache(maxsize=32)
def _compiled(program: Program, mesh):
    def tables(batched, shared):
        (contributions, weights, available, rationality, tolerance), keys = batched
        cells, masks = shared
        if program.quantal:
            values, allowed = quantal_cells(contributions, weights, available, rationality, program.resolution)
        else:
            values, allowed = best_response_cells(contributions, available)
        worth, valid = partition_values(values, allowed, cells)
        options: dict[str, Any] = {"ties": program.ties, "dynamics": program.dynamics}
        options |= {"minimal": program.minimal, "step_limit": program.step_limit}
        keys = keys if program.random else None
        if program.quantal:
            found = tolerant_selection(worth, valid, tolerance, masks, keys, **options)
            position, end = found.worst_position, found.dynamics
            solved = {name: jnp.where(found.count > 0, getattr(found, name), jnp.nan) for name in ("worst", "best")}
            end = None if end is None else (end.position, end.steps, end.ended)
        else:
            exact = worth.astype(jnp.int64)
            found = obedient_selection(exact, valid, masks, keys, value_bits=_EXACT_BITS, **options)
            position, solved = found.worst_scheme[:, 0], {"best": found.best}
            solved["worst"] = take(worth[0], position)
            end = None
            if program.dynamics:
                scheme: Any = found.dynamics_scheme
                end = scheme[:, 0], found.dynamics_steps, found.dynamics_ended
        results = solved | {"count": found.count, "worst_partition": position}
        results["near_ties"] = near_ties(worth, valid, tolerance)
        if end is not None:
            results |= {"dynamics": take(worth[0], end[0]), "dynamics_partition": end[0]}
            results |= {"dynamics_steps": end[1], "dynamics_ended": end[2]}
        return results

    return over_batch(tables, mesh)
