"""The compiled solver of the game in which the user hears everybody."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.partitions.cells import best_response_cells, quantal_cells
from equilibrax_kernels.partitions.joint import LANES, joint_game

from equilibrax._core.batching import chunk_size, over_batch, run_in_chunks
from equilibrax._core.status import Status
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.responses import Rationality, Rows, check_memory, committee_tuple, labels_of, rows_of, with_grid
from equilibrax.problems.persuasion import PersuasionGame

_LANE_BYTES = 16  # per set and table: with 64 tables of 12 states a chunk is full


@dataclass(frozen=True)
class Program:
    """Everything that a compiled solver depends on besides the shapes of its inputs."""

    committees: tuple[int, ...]
    quantal: bool
    resolution: int
    dynamics: bool


def solve_joint(
    game: PersuasionGame,
    masks: np.ndarray,
    how: Rationality,
    tolerance: float,
    dynamics: bool,
    step_limit: int,
    mesh,
    name: str = "joint",
) -> PartitionResult:
    """Solve B games for C committees and all lambdas."""
    rows = rows_of(game, how, tolerance)
    check_memory(game.states, _needed(rows, len(masks)))
    program = Program(committee_tuple(masks), how.quantal, game.resolution, dynamics)
    raw = _run(rows, program, min(step_limit, 2**30), mesh)
    raw = {key: with_grid(values, how) for key, values in raw.items()}
    status = np.zeros(raw["count"].shape, np.int32)
    if dynamics:
        status |= np.where(raw["dynamics_ended"], 0, int(Status.DYNAMICS_LIMIT)).astype(np.int32)
        status |= np.where(raw["dynamics_steps"] > game.states, int(Status.CYCLE), 0).astype(np.int32)

    def value(key: str) -> np.ndarray:
        return raw[key] if how.quantal else raw[key].astype(np.int64)

    return PartitionResult(
        game=name,
        response=how.response,
        rationality=how.given,
        tolerance=tolerance,
        tie_break=None,
        committees=masks,
        table_id=game.table_id,
        scale=game.scale,
        optimum_value=game.optimum_value,
        worst_value=value("worst"),
        best_value=value("best"),
        equilibria=raw["count"].astype(np.int64),
        worst_partition=labels_of(raw["worst_partition"]),
        near_ties=raw["near_ties"].astype(np.int64),
        dynamics_value=value("dynamics") if dynamics else None,
        dynamics_partition=labels_of(raw["dynamics_partition"]) if dynamics else None,
        dynamics_steps=raw["dynamics_steps"].astype(np.int64) if dynamics else None,
        status=status,
        retries=np.zeros(len(game), np.int32),
        tables=game,
    )


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

    return jax.jit(over_batch(tables, mesh))
