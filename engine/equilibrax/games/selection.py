"""The best-provider selection game, from validated options to a result."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from equilibrax._core.status import Status
from equilibrax.fits.chebyshev import FitOptions, certify
from equilibrax.games.selection_engine import Program, choose_dense, first_capacity, solve_growing
from equilibrax.games.selection_result import SelectionResult
from equilibrax.problems.slots import Prepared, prepare, to_actions
from equilibrax.problems.tables import UtilityTables, table_id_words


def solve_selection(
    tables: UtilityTables,
    masks: np.ndarray,
    *,
    tie_break: str,
    dynamics: bool,
    misalignment: bool,
    order: str,
    deviation: str,
    key: Any,
    method: str,
    capacity: int | None,
    max_capacity: int,
    step_limit: int,
    mesh,
) -> SelectionResult:
    """Solve B tables for C committees; options as in `solve`, already checked."""
    prepared = prepare(tables)
    dense = choose_dense(prepared, method, dynamics and deviation == "minimal")
    program = Program(
        value_bits=prepared.value_bits,
        resolution=prepared.resolution,
        ties=tie_break == "lowest_index",
        dynamics=dynamics,
        minimal=deviation == "minimal",
        random=order == "random",
        step_limit=step_limit,
        capacity=0 if dense else first_capacity(prepared, capacity, max_capacity),
        hashed=False,
        fit=FitOptions() if misalignment else None,
    )
    keys = table_keys(tables.table_id, key, order if dynamics else "round_robin")
    raw, retries = solve_growing(prepared, keys, masks, program, max_capacity, mesh)
    return _assemble(tables, prepared, masks, raw, program, retries, tie_break)


def table_keys(table_id: np.ndarray, key: Any, order: str) -> np.ndarray:
    """`[B, 2]` raw key data: one random stream per table id."""
    if order != "random":
        return np.zeros((len(table_id), 2), np.uint32)
    if key is None:
        raise ValueError('key: expected a JAX random key or an integer seed for order="random", got None')
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        key = jax.random.key(int(key), impl="threefry2x32")
    elif not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
        raise ValueError(f"key: expected a JAX random key (jax.random.key) or an integer seed, got {key!r}")
    # One stream per table id, whatever generator the key is of.
    key = jax.random.wrap_key_data(jax.random.bits(key, (2,), jnp.uint32), impl="threefry2x32")

    @jax.vmap
    def fold(words):
        return jax.random.key_data(jax.random.fold_in(jax.random.fold_in(key, words[0]), words[1]))

    return np.asarray(fold(jnp.asarray(table_id_words(table_id))))


def _assemble(tables, prepared: Prepared, masks, raw, program: Program, retries, tie_break) -> SelectionResult:
    """Integers to a result: action numbers of the table, statuses, certified misalignment."""
    overflow = raw["overflow"]
    status = np.zeros((len(overflow), len(masks)), np.int32)
    status[overflow] = int(Status.FRONTIER_OVERFLOW)

    def mark(where: np.ndarray, flag: Status) -> None:
        if where.any():
            status[where & ~overflow[:, None]] |= int(flag)

    mark(raw["count_saturated"], Status.COUNT_SATURATED)
    if program.dynamics:
        mark(~raw["dynamics_ended"], Status.DYNAMICS_LIMIT)
    fit = None
    if program.fit is not None:
        fit = certify(prepared, raw, masks, program.fit, skip=overflow)
        mark(~fit.certified, Status.MISALIGNMENT_UNCERTIFIED)

    def without_unsolved(values: np.ndarray) -> np.ndarray:
        if overflow.any():
            values[overflow] = -1
        return values

    def number(name: str) -> np.ndarray:
        return without_unsolved(raw[name].astype(np.int64, copy=False))

    def scheme(name: str) -> np.ndarray:
        return without_unsolved(to_actions(raw[name], prepared.actions_of_slots))

    return SelectionResult(
        committees=masks,
        table_id=tables.table_id,
        scale=tables.scale,
        tie_break=tie_break,
        optimum_value=raw["optimum"],
        worst_value=number("worst"),
        best_value=number("best"),
        equilibria=number("count"),
        worst_scheme=scheme("worst_scheme"),
        dynamics_value=number("dynamics") if program.dynamics else None,
        dynamics_scheme=scheme("dynamics_scheme") if program.dynamics else None,
        dynamics_steps=number("dynamics_steps") if program.dynamics else None,
        fit=fit,
        status=status,
        retries=retries,
        tables=tables,
    )
