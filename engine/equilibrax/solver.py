"""Solving games: one call for a batch of tables and all committees of providers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.dense import dense_schemes
from equilibrax_kernels.frontier import frontier_schemes
from equilibrax_kernels.selection import solve_listed

from equilibrax._batching import batch_mesh, chunk_size, over_batch, run_in_chunks
from equilibrax._prepare import Prepared, committee_masks, prepare, to_actions
from equilibrax.certified import FitOptions, certify, fit_lanes
from equilibrax.result import SelectionResult
from equilibrax.status import SolveError, Status, status_names
from equilibrax.tables import UtilityTables

TieBreak = Literal["incumbent", "lowest_index"]
Method = Literal["auto", "dense", "frontier"]
Order = Literal["round_robin", "random"]
Deviation = Literal["best", "minimal"]

DENSE_LIMIT = 1024
"""Tables with at most this many schemes are solved by listing them all; see `benchmarks/README.md` for the measurement."""

DENSE_MAXIMUM = 2**20
"""Largest number of schemes that can be listed at all (positions in a list take at most 20 bits)."""

MAX_CAPACITY = 2**16
"""Default limit on the candidate schemes kept per table before `FRONTIER_OVERFLOW`."""


@dataclass(frozen=True)
class _Program:
    """Everything that a compiled solver depends on besides the shapes of its inputs."""

    value_bits: int
    resolution: int
    ties: bool
    dynamics: bool
    minimal: bool
    random: bool
    step_limit: int
    capacity: int  # 0 lists all schemes
    fit: FitOptions | None


def solve(
    tables: UtilityTables,
    game: Literal["selection"] = "selection",
    *,
    committees: Literal["all"] | Sequence[int] = "all",
    tie_break: TieBreak = "incumbent",
    dynamics: bool = True,
    misalignment: bool = True,
    order: Order = "round_robin",
    deviation: Deviation = "best",
    key: Any = None,
    method: Method = "auto",
    capacity: int | None = None,
    max_capacity: int = MAX_CAPACITY,
    step_limit: int = 1_000_000,
    devices: Sequence[Any] | None = None,
    throw: bool = True,
) -> SelectionResult:
    """Exact equilibria of the best-provider selection game, for every table and every committee at once.

    Every provider posts a signaling scheme; the user takes the provider whose scheme is best for her; everybody is paid
    by that scheme (2509.15090, Definitions 16 and 17). In an equilibrium all may post the selected scheme f, and f is an
    equilibrium of committee C iff no provider j in C has a scheme g with `v_0(g) > v_0(f)` and `v_j(g) > v_j(f)`. A
    committee of one provider is a monopolist: its own optima only.

    Args:
        tables: B tables with K providers, X states and A actions.
        game: "selection".
        committees: "all" 2**K - 1 of them, or a list of bitmasks (bit j is provider j in column order).
        tie_break: who wins the user when a deviation leaves her indifferent. "incumbent" (Section 7): never the
            deviator. "lowest_index" (Definition 16): the lowest index, so for the lowest provider of C `v_0(g) >= v_0(f)`
            is enough.
        dynamics: whether to run best-response dynamics (Section 7.1): monopoly schemes first, then in turn every
            provider that is not selected moves to its best scheme among those strictly better for it and for the user
            (ties: best for the user, then lexicographically first).
        misalignment: whether to compute the misalignment score and the bound of Theorem 6 (see `misalignment`).
        order: turns in "round_robin" from the lowest index (the turn passes on after a deviation too), or "random": the
            deviator is drawn uniformly among the providers that can deviate.
        deviation: "best", or "minimal": the smallest gain that is profitable. After minimal deviations the selected
            provider may have a larger gain left that it never takes, so they can end outside the equilibria.
        key: a JAX random key or an integer seed, for `order="random"`. Draws depend on the key, the table's id and the
            committee alone.
        method: "dense" lists all schemes, "frontier" only those stable for some provider, "auto" chooses by size. The
            answers are the same.
        capacity: candidate schemes to make room for at first (frontier); tables that need more are solved again.
        max_capacity: where to give up with `Status.FRONTIER_OVERFLOW`.
        step_limit: where to stop a dynamics with `Status.DYNAMICS_LIMIT`; no dynamics is longer than K times the number
            of schemes.
        devices: JAX devices to spread the tables over; default all local devices.
        throw: raise if some table is not solved (otherwise its `status` says so).

    Returns:
        A `SelectionResult` with arrays `[B, C]`, committees in the order given (all: 1, 2, 3, ...).

    Raises:
        ValueError: on an unknown option, a mask outside 1..2**K - 1, or deviation="minimal" for tables with more
            than 2**20 schemes.
        SolveError: with `throw`, if a status other than OK or COUNT_SATURATED remains.

    Example:
        >>> import equilibrax as eq
        >>> result = eq.solve(eq.load_paper_table("synthetic-2"), committees=[0b00001, 0b11111])
        >>> result.worst_utility.round(4).tolist()
        [[0.3733, 0.92]]
        >>> result.equilibria.tolist()
        [[1, 1]]
    """
    _check_choice("game", game, ("selection",))
    _check_choice("tie_break", tie_break, get_args(TieBreak))
    _check_choice("order", order, get_args(Order))
    _check_choice("deviation", deviation, get_args(Deviation))
    _check_choice("method", method, get_args(Method))
    masks = committee_masks(committees, tables.num_providers)
    prepared = prepare(tables)
    dense = _choose_dense(prepared, method, dynamics and deviation == "minimal")
    program = _Program(
        value_bits=prepared.value_bits,
        resolution=prepared.resolution,
        ties=tie_break == "lowest_index",
        dynamics=dynamics,
        minimal=deviation == "minimal",
        random=order == "random",
        step_limit=step_limit,
        capacity=0 if dense else _first_capacity(prepared, capacity, max_capacity),
        fit=FitOptions() if misalignment else None,
    )
    keys = _table_keys(tables, key, order) if dynamics else np.zeros((len(tables), 2), np.uint32)
    raw, retries = _solve_growing(prepared, keys, masks, program, max_capacity, batch_mesh(devices))
    result = _assemble(tables, prepared, masks, raw, program, retries, tie_break)
    if throw:
        _raise_unsolved(result)
    return result


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")


def _choose_dense(prepared: Prepared, method: str, needs_all: bool) -> bool:
    schemes = prepared.slots**prepared.states
    if (method == "dense" or needs_all) and schemes > DENSE_MAXIMUM:
        why = 'deviation="minimal"' if needs_all else 'method="dense"'
        raise ValueError(f"{why}: expected tables of at most {DENSE_MAXIMUM:,} schemes, got {float(schemes):.3g}")
    return needs_all or (method == "dense" if method != "auto" else schemes <= DENSE_LIMIT)


def _first_capacity(prepared: Prepared, capacity: int | None, max_capacity: int) -> int:
    """Room for the schemes that random tables keep (measured: about X**2 K); a power of two."""
    if capacity is not None and capacity < 1:
        raise ValueError(f"capacity: expected a positive whole number, got {capacity!r}")
    if max_capacity < 1:
        raise ValueError(f"max_capacity: expected a positive whole number, got {max_capacity!r}")
    guess = capacity or max(32, min(prepared.states**2 * prepared.providers, 4096))
    return min(1 << (guess - 1).bit_length(), max_capacity)


def _table_keys(tables: UtilityTables, key: Any, order: str) -> np.ndarray:
    """`[B, 2]` raw key data: one random stream per table id."""
    if order != "random":
        return np.zeros((len(tables), 2), np.uint32)
    if key is None:
        raise ValueError('key: expected a JAX random key or an integer seed for order="random", got None')
    if isinstance(key, int | np.integer):
        key = jax.random.key(int(key), impl="threefry2x32")
    elif not jnp.issubdtype(getattr(key, "dtype", np.int32), jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(jnp.asarray(key, jnp.uint32), impl="threefry2x32")

    @jax.vmap
    def fold(words):
        return jax.random.key_data(jax.random.fold_in(jax.random.fold_in(key, words[0]), words[1]))

    return np.asarray(fold(jnp.asarray(tables.table_id_words)))


def _solve_growing(prepared: Prepared, keys, masks, program: _Program, max_capacity: int, mesh):
    """Solve all tables; those whose candidates did not fit again with four times the room, until they do."""
    raw = _solve_all(prepared, keys, masks, program, mesh)
    retries = np.zeros(len(keys), np.int32)
    capacity = program.capacity
    limit = min(max_capacity, DENSE_MAXIMUM // prepared.slots)
    while capacity and capacity < limit and raw["overflow"].any():
        capacity = min(4 * capacity, limit)
        again = np.flatnonzero(raw["overflow"])
        retries[again] += 1
        part = _solve_all(
            prepared.rows(again), keys[again], masks, replace(program, capacity=capacity), mesh
        )
        for name, values in part.items():
            raw[name][again] = values
    return raw, retries


def _solve_all(prepared: Prepared, keys, masks, program: _Program, mesh) -> dict[str, np.ndarray]:
    chunk = chunk_size(len(keys), _bytes_per_table(prepared, len(masks), program), mesh)
    batched = (prepared.utilities, prepared.prior, prepared.available, keys)
    with jax.enable_x64(True):
        results = run_in_chunks(_compiled(program, mesh), batched, jnp.asarray(masks), chunk, mesh)
    return {name: np.array(values) if not values.flags.writeable else values for name, values in results.items()}


def _bytes_per_table(prepared: Prepared, committees: int, program: _Program) -> int:
    """A rough size of what one table needs in flight, for choosing chunks."""
    outcomes = prepared.states * prepared.slots
    players = prepared.providers + 1
    if program.capacity:
        listed = program.capacity * (prepared.slots * (8 * players + 24) + outcomes * (program.fit is not None))
    else:
        listed = prepared.slots**prepared.states * (12 * players + 24 + outcomes * (program.fit is not None))
    per_committee = 64 + 4 * prepared.states + (outcomes * (8 * players + 2) if program.fit else 0)
    return listed + committees * per_committee + 2**prepared.providers * (24 + outcomes * (program.fit is not None))


@lru_cache(maxsize=128)
def _compiled(program: _Program, mesh):
    """The jitted solver of a program: tables over devices, one table per kernel call, misalignment over all lanes."""

    platform = mesh.devices.flat[0].platform

    def one_table(utilities, prior, available, key, masks):
        dtype = jnp.int32 if program.value_bits <= 32 else jnp.int64
        contributions = utilities.astype(dtype) * prior.astype(dtype)[:, None]
        with_outcomes = program.fit is not None
        if program.capacity:
            listed = frontier_schemes(
                contributions,
                available,
                capacity=program.capacity,
                value_bits=program.value_bits,
                with_outcomes=with_outcomes,
            )
        else:
            listed = dense_schemes(contributions, available, with_outcomes=with_outcomes)
        return solve_listed(
            listed,
            contributions,
            available,
            masks,
            jax.random.wrap_key_data(key, impl="threefry2x32") if program.random else None,
            value_bits=program.value_bits,
            ties=program.ties,
            dynamics=program.dynamics,
            minimal=program.minimal,
            step_limit=program.step_limit,
        )

    def rows(batched, masks):
        utilities, prior, available, keys = batched
        selection = jax.vmap(one_table, in_axes=(0, 0, 0, 0, None))(utilities, prior, available, keys, masks)
        results = {name: value for name, value in selection._asdict().items() if value is not None}
        optimal, attained = results.pop("optimal"), results.pop("attained", None)
        if program.fit is not None:
            fit = fit_lanes(utilities, attained, optimal, masks, program.resolution, program.fit, platform)
            results |= {"above": attained, "below": optimal} | fit
        return results

    return jax.jit(over_batch(rows, mesh))


def _assemble(tables, prepared: Prepared, masks, raw, program: _Program, retries, tie_break) -> SelectionResult:
    """Integers to a result: action numbers of the table, statuses, certified misalignment."""
    overflow = raw["overflow"][:, None]
    status = np.where(overflow, int(Status.FRONTIER_OVERFLOW), 0) + np.where(
        raw["count_saturated"] & ~overflow, int(Status.COUNT_SATURATED), 0
    )
    if program.dynamics:
        status = status + np.where(~raw["dynamics_ended"] & ~overflow, int(Status.DYNAMICS_LIMIT), 0)
    fit = None
    if program.fit is not None:
        fit = certify(prepared, raw, masks, program.fit, skip=overflow[:, 0])
        status = status + np.where(~fit.certified & ~overflow, int(Status.MISALIGNMENT_UNCERTIFIED), 0)

    def scheme(name):
        return to_actions(raw[name], prepared.actions_of_slots) if name in raw else None

    return SelectionResult(
        committees=masks,
        table_id=tables.table_id,
        scale=tables.scale,
        tie_break=tie_break,
        optimum_value=raw["optimum"].astype(np.int64),
        worst_value=raw["worst"].astype(np.int64),
        best_value=raw["best"].astype(np.int64),
        equilibria=raw["count"],
        worst_scheme=scheme("worst_scheme"),
        dynamics_value=raw["dynamics"].astype(np.int64) if program.dynamics else None,
        dynamics_scheme=scheme("dynamics_scheme"),
        dynamics_steps=raw["dynamics_steps"].astype(np.int64) if program.dynamics else None,
        fit=fit,
        status=status.astype(np.int32),
        retries=retries,
        tables=tables,
    )


def _raise_unsolved(result: SelectionResult) -> None:
    bad = result.status & ~int(Status.COUNT_SATURATED)
    if not bad.any():
        return
    table, committee = (int(i) for i in np.argwhere(bad)[0])
    name = str(status_names(bad[table, committee]))
    raise SolveError(
        f"{int((bad != 0).any(axis=1).sum())} of {len(bad)} tables are not solved; the first is table "
        f"{int(result.table_id[table])}, committee {int(result.committees[committee])}: {name}. "
        f"Status.{name.split('|')[0]} says what to do; throw=False returns the others."
    )
