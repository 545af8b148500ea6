"""Lotteries in the selection game: tables to kernels or loops, and again with room for more intervals where needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.selection.lotteries import lottery_equilibria
from jax.sharding import Mesh

from equilibrax._core.batching import chunk_size, cores, over_batch, run_in_chunks
from equilibrax.fits.chebyshev import FitOptions, fit_lanes
from equilibrax.games.selection_engine import Packed
from equilibrax.problems.slots import Prepared

FEW = 4
"""Room for intervals of a committee at first."""


@dataclass(frozen=True)
class LotteryProgram:
    """Everything that a compiled solver depends on besides the shapes of its inputs."""

    value_bits: int
    resolution: int
    ties: bool
    intervals: int
    fit: FitOptions | None


def solve_lotteries(
    prepared: Prepared, masks: np.ndarray, ties: bool, fit: FitOptions | None, mesh: Mesh | None
) -> tuple[dict[str, Any], np.ndarray]:
    """All tables, for C committees.

    Args:
        ties: whether the lowest index wins ties.
        fit: how misalignment is computed, if it is.
        mesh: devices for the kernels; None is loops on all cores.

    Returns:
        The fields of `equilibrax_kernels.selection.lotteries.Lotteries` and of `fit_lanes` by name, `[B, ...]`, with
        `above` and `below`, the outcomes to fit; in place of `intervals` there is `ends`, `[N, 2]`, from below, for
        all tables and committees in order; and `[B]` int32, how often each table was solved again.
    """
    solver: Callable[..., dict[str, Any]] = partial(_by_kernels, mesh=mesh) if mesh is not None else _by_loops
    raw = solver(prepared, masks, LotteryProgram(prepared.value_bits, prepared.resolution, ties, FEW, fit))
    counts, room = raw["interval_count"], raw.pop("intervals")
    more = counts.max(axis=1) > FEW
    if more.any():
        most = 1 << (int(counts.max()) - 1).bit_length()
        larger = LotteryProgram(prepared.value_bits, prepared.resolution, ties, most, None)
        room = np.pad(room, [(0, 0), (0, 0), (0, most - FEW), (0, 0)])
        room[more] = solver(prepared.rows(np.flatnonzero(more)), masks, larger)["intervals"]
    inside = np.arange(room.shape[2]) < counts[..., None]
    raw["ends"] = room[:, :, ::-1][inside[:, :, ::-1]].astype(np.int64)
    return raw, more.astype(np.int32)


def _by_loops(prepared: Prepared, masks: np.ndarray, program: LotteryProgram) -> dict[str, Any]:
    from equilibrax_kernels.lotteries.intervals import select_lotteries  # compiled when it is needed

    fit = program.fit
    raw: dict[str, Any] = select_lotteries(
        (prepared.of_user, prepared.of_providers),
        prepared.prior,
        prepared.available,
        masks,
        resolution=prepared.resolution,
        ties=program.ties,
        intervals=program.intervals,
        fit=fit is not None,
        simplex=fit is not None and fit.weights == "simplex",
        iteration_limit=fit.iteration_limit if fit else 0,
        multipliers=fit is not None and fit.multipliers,
        threads=cores(),
    )
    raw["above"] = Packed(raw.pop("attained"), prepared.states, prepared.slots)
    raw["below"] = Packed(raw.pop("optimal"), prepared.states, prepared.slots)
    return raw


def _by_kernels(prepared: Prepared, masks: np.ndarray, program: LotteryProgram, mesh: Mesh) -> dict[str, Any]:
    outcomes, players = prepared.states * prepared.slots, prepared.providers + 1
    each = outcomes * (3 + (8 * players + 2) * (program.fit is not None)) + 64
    bytes_per_table = len(masks) * each + outcomes * players * 48
    chunk = chunk_size(len(prepared), bytes_per_table, mesh)
    batched = (prepared.utilities, prepared.prior, prepared.available)
    with jax.enable_x64(True):
        return run_in_chunks(_compiled(program, mesh), batched, jnp.asarray(masks), chunk, mesh)


@lru_cache(maxsize=64)
def _compiled(program: LotteryProgram, mesh: Mesh):
    platform = mesh.devices.flat[0].platform

    def solve_lanes(batched, masks):
        utilities, prior, available = batched
        dtype = jnp.int32 if program.value_bits <= 32 else jnp.int64
        contributions = utilities.astype(dtype) * prior.astype(dtype)[:, None]
        found = lottery_equilibria(
            utilities, contributions, available, masks, ties=program.ties, intervals=program.intervals
        )
        results = found._asdict()
        attained, optimal = results.pop("attained"), results.pop("optimal")
        if program.fit is not None:
            fit = fit_lanes(utilities, attained, optimal, masks, program.resolution, program.fit, platform)
            results |= {"above": attained, "below": optimal} | fit
        for name in ("optimum", "worst", "best", "intervals"):
            results[name] = results[name].astype(jnp.int64)
        return results

    return over_batch(solve_lanes, mesh)
