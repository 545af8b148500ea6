"""The compiled solver of the selection game over partitions: all of them are listed and compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.partitions.cells import best_response_cells, quantal_cells
from equilibrax_kernels.partitions.obedience import obedient_selection, partition_values
from equilibrax_kernels.partitions.splits import key_of_sets
from equilibrax_kernels.partitions.tolerant import near_ties, tolerant_selection
from equilibrax_kernels.primitives.lanes import take

from equilibrax._core.batching import chunk_size, over_batch, run_in_chunks
from equilibrax._core.status import Status
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.responses import Rationality, rows_of, with_grid
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


def solve_obedient(
    game: PersuasionGame,
    masks: np.ndarray,
    how: Rationality,
    tolerance: float,
    *,
    tie_break: str,
    dynamics: bool,
    order: str,
    deviation: str,
    key: Any,
    step_limit: int,
    mesh,
) -> PartitionResult:
    """Solve B games for C committees and all lambdas; options as in `solve`, already checked."""
    if game.states > MAX_STATES:
        count = bell_number(game.states)
        size = count * (8 * (game.num_providers + 1) * 4) / 2**30
        raise ValueError(
            f"tables: expected at most {MAX_STATES} states for obedience=True, got {game.states}, "
            f"whose {count:,} partitions would need about {size:,.0f} GiB"
        )
    labels = all_partitions(game.states)
    rows = rows_of(game, how, tolerance)
    program = Program(
        quantal=how.quantal,
        resolution=game.resolution,
        ties=tie_break == "lowest_index",
        dynamics=dynamics,
        minimal=deviation == "minimal",
        random=order == "random",
        step_limit=step_limit,
    )
    keys = np.repeat(
        table_keys(game.table_id, key, order if dynamics else "round_robin"), max(1, len(how.values)), axis=0
    )
    bytes_per_row = len(labels) * (game.num_providers + 1) * 24 + (1 << game.states) * (game.num_providers + 1) * 32
    chunk = chunk_size(len(rows), bytes_per_row, mesh)
    with jax.enable_x64(True):
        shared = (jnp.asarray(cells_of(labels)), jnp.asarray(masks))
        raw = run_in_chunks(_compiled(program, mesh), (rows.leaves(), keys), shared, chunk, mesh)
    raw = {name: with_grid(values, how) for name, values in raw.items()}
    status = np.where(raw["count"] > 0, 0, int(Status.NO_EQUILIBRIUM)).astype(np.int32)
    if dynamics:
        status |= np.where(raw["dynamics_ended"], 0, int(Status.DYNAMICS_LIMIT)).astype(np.int32)

    def value(name: str) -> np.ndarray:
        return raw[name] if how.quantal else raw[name].astype(np.int64)

    return PartitionResult(
        game="selection",
        response=how.response,
        rationality=how.given,
        tolerance=tolerance,
        tie_break=tie_break,
        committees=masks,
        table_id=game.table_id,
        scale=game.scale,
        optimum_value=game.optimum_value,
        worst_value=value("worst"),
        best_value=value("best"),
        equilibria=raw["count"].astype(np.int64),
        worst_partition=np.where(raw["count"][..., None] > 0, labels[raw["worst_partition"]], np.int8(-1)),
        near_ties=raw["near_ties"].astype(np.int64),
        dynamics_value=value("dynamics") if dynamics else None,
        dynamics_partition=labels[raw["dynamics_partition"]] if dynamics else None,
        dynamics_steps=raw["dynamics_steps"].astype(np.int64) if dynamics else None,
        status=status,
        retries=np.zeros(len(game), np.int32),
        tables=game,
    )


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
        options = {"ties": program.ties, "dynamics": program.dynamics}
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
                end = found.dynamics_scheme[:, 0], found.dynamics_steps, found.dynamics_ended
        results = solved | {"count": found.count, "worst_partition": position}
        results["near_ties"] = near_ties(worth, valid, tolerance)
        if end is not None:
            results |= {"dynamics": take(worth[0], end[0]), "dynamics_partition": end[0]}
            results |= {"dynamics_steps": end[1], "dynamics_ended": end[2]}
        return results

    return jax.jit(over_batch(tables, mesh))


# --- all partitions ---------------------------------------------------------------------------------------------------


@cache
def all_partitions(states: int) -> np.ndarray:
    """`[S, X]` int8 labels of all partitions; lexicographic in their tuples of cells (bitmasks, by lowest state)."""
    if states == 0:
        return np.zeros((1, 0), np.int8)
    parts = []
    for inner in range(1 << (states - 1)):  # the states other than 0 in the cell of state 0
        others = np.array([x for x in range(1, states) if not inner >> (x - 1) & 1], np.int64)
        rest = all_partitions(len(others))
        labels = np.zeros((len(rest), states), np.int8)
        labels[:, others] = rest + 1
        parts.append(labels)
    return np.concatenate(parts)


def cells_of(labels: np.ndarray) -> np.ndarray:
    """`[X, S]` int32, the cells of partitions as the kernels' sets (state x is bit X - 1 - x); 0 fills up."""
    states = labels.shape[1]
    bits = key_of_sets(states)[1 << np.arange(states)]
    return np.stack([((labels == cell) * bits).sum(axis=1) for cell in range(states)]).astype(np.int32)


def bell_number(states: int) -> int:
    """The number of partitions."""
    row = [1]
    for _ in range(states - 1):
        following = [row[-1]]
        for number in row:
            following.append(following[-1] + number)
        row = following
    return row[-1]
