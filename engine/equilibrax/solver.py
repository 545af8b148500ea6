"""Solving games: one call for a batch of tables and all committees of providers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from equilibrax._batching import batch_mesh
from equilibrax._prepare import Prepared, check_choice, check_whole, committee_masks, prepare, to_actions
from equilibrax._selection import MAX_CAPACITY, Program, choose_dense, first_capacity, solve_growing
from equilibrax.certified import FitOptions, certify
from equilibrax.result import SelectionResult
from equilibrax.status import SolveError, Status, status_names
from equilibrax.tables import UtilityTables

TieBreak = Literal["incumbent", "lowest_index"]
Method = Literal["auto", "dense", "frontier"]
Order = Literal["round_robin", "random"]
Deviation = Literal["best", "minimal"]


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
    by that scheme (2509.15090, Definitions 16 and 17). In an equilibrium all may post the selected scheme f, and f is
    an equilibrium of committee C iff no provider j in C has a scheme g with `v_0(g) > v_0(f)` and `v_j(g) > v_j(f)`.
    A committee of one provider is a monopolist: its own optima only.

    Args:
        tables: B tables with K providers, X states and A actions.
        game: "selection".
        committees: "all" 2**K - 1 of them, or a list of bitmasks (bit j is provider j in column order).
        tie_break: who wins the user when a deviation leaves her indifferent. "incumbent" (Section 7): never the
            deviator. "lowest_index" (Definition 16): the lowest index, so for the lowest provider of C the weak
            `v_0(g) >= v_0(f)` is enough.
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
        [[0.8267, 0.92]]
        >>> result.equilibria.tolist()
        [[1, 1]]
    """
    check_choice("game", game, ("selection",))
    check_choice("tie_break", tie_break, get_args(TieBreak))
    check_choice("order", order, get_args(Order))
    check_choice("deviation", deviation, get_args(Deviation))
    check_choice("method", method, get_args(Method))
    check_whole("step_limit", step_limit, 0)
    check_whole("max_capacity", max_capacity, 1)
    if capacity is not None:
        check_whole("capacity", capacity, 1)
    masks = committee_masks(committees, tables.num_providers)
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
    keys = _table_keys(tables, key, order) if dynamics else np.zeros((len(tables), 2), np.uint32)
    raw, retries = solve_growing(prepared, keys, masks, program, max_capacity, batch_mesh(devices))
    result = _assemble(tables, prepared, masks, raw, program, retries, tie_break)
    if throw:
        _raise_unsolved(result)
    return result


def _table_keys(tables: UtilityTables, key: Any, order: str) -> np.ndarray:
    """`[B, 2]` raw key data: one random stream per table id."""
    if order != "random":
        return np.zeros((len(tables), 2), np.uint32)
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

    return np.asarray(fold(jnp.asarray(tables.table_id_words)))


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


def _raise_unsolved(result: SelectionResult) -> None:
    bad = result.status & ~int(Status.COUNT_SATURATED)
    if not bad.any():
        return
    table, committee = (int(i) for i in np.argwhere(bad)[0])
    name = str(status_names(bad[table, committee]).item())
    raise SolveError(
        f"{int((bad != 0).any(axis=1).sum())} of {len(bad)} tables are not solved; the first is table "
        f"{int(result.table_id[table])}, committee {int(result.committees[committee])}: {name}. "
        f"Status.{name.split('|')[0]} says what to do; throw=False returns the others."
    )
