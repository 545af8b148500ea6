"""The compiled selection solvers: which kernels, how many tables at a time, and again with more room where needed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.selection.dense import dense_schemes
from equilibrax_kernels.selection.frontier import frontier_schemes
from equilibrax_kernels.selection.solve import solve_listed
from jax.sharding import Mesh

from equilibrax._core.batching import chunk_size, cores, over_batch, run_in_chunks
from equilibrax._core.checks import approximate
from equilibrax.fits.chebyshev import FitOptions, fit_lanes
from equilibrax.problems.slots import Prepared

DENSE_LIMIT = 512
"""Tables with at most this many schemes are solved by listing them all: measured, see `benchmarks/README.md`."""

DENSE_SMALL = 2**14, 2**23
"""Tables with more schemes still are, up to so many per table and so many in all tables together: what it takes longer
is less than what compiling the frontier takes longer."""

DENSE_MAXIMUM = 2**20
"""Largest number of schemes that can be listed at all (positions in a list take at most 20 bits)."""

MAX_CAPACITY = 2**16
"""Default limit on the candidate schemes kept per table before `FRONTIER_OVERFLOW`."""


@dataclass(frozen=True)
class Program:
    """Everything that a compiled solver depends on besides the shapes of its inputs."""

    resolution: int
    ties: bool
    dynamics: bool
    minimal: bool
    random: bool
    step_limit: int
    capacity: int  # 0 lists all schemes
    hashed: bool  # whether the frontier merges all equal partial schemes
    fit: FitOptions | None
    value_bits: int = 0  # of kernels; see `Prepared`


def choose_dense(prepared: Prepared, method: str, needs_all: bool) -> bool:
    schemes = prepared.slots**prepared.states
    if (method == "dense" or needs_all) and schemes > DENSE_MAXIMUM:
        why = 'deviation="minimal"' if needs_all else 'method="dense"'
        raise ValueError(f"{why}: expected tables of at most {DENSE_MAXIMUM:,} schemes, got {approximate(schemes)}")
    if method != "auto":
        return needs_all or method == "dense"
    per_table, together = DENSE_SMALL
    small = schemes <= per_table and schemes * len(prepared) <= together
    return needs_all or schemes <= DENSE_LIMIT or small


def first_capacity(prepared: Prepared, capacity: int | None, max_capacity: int) -> int:
    """Room for the schemes that about 999 of 1,000 uniform random tables keep (measured: see `stage_capacities`)."""
    if prepared.slots > DENSE_MAXIMUM:
        raise ValueError(
            f"tables: expected at most {DENSE_MAXIMUM:,} available actions in a state, got {prepared.slots:,}"
        )
    kept = prepared.providers * prepared.states**1.75 * min(prepared.slots / 9, 1.1)
    guess = capacity or min(32 * math.ceil((1.15 * kept + 8.5 * math.sqrt(kept)) / 32), 4096)
    return min(guess, max_capacity, DENSE_MAXIMUM // prepared.slots)


def solve_growing(
    prepared: Prepared, keys: np.ndarray, masks: np.ndarray, program: Program, max_capacity: int, mesh: Mesh
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Solve all tables; those whose candidates did not fit again with more room, until they do.

    The first time again they get twice the room, in case it was just too little. After that it is four times as much,
    and all equal partial schemes are merged: then the table has many ties.

    Args:
        keys: `[B, 2]` uint32 random key data per table (used by programs with `random`).
        masks: `[C]` int32 committees.
        max_capacity: where to leave `overflow` set.

    Returns:
        The fields of `equilibrax_kernels.selection.Selection` and of `fit_lanes` by name, `[B, ...]`; and `[B]` int32,
        how often each table was solved again.
    """
    program = replace(program, value_bits=prepared.value_bits)
    raw = _solve_all(prepared, keys, masks, program, mesh)
    retries = np.zeros(len(keys), np.int32)
    capacity, hashed = program.capacity, program.hashed
    limit = min(max_capacity, DENSE_MAXIMUM // prepared.slots)
    while capacity and raw["overflow"].any() and not (hashed and capacity >= limit):
        again = np.flatnonzero(raw["overflow"])
        hashed = bool(retries[again].any()) or capacity >= limit
        capacity = min((4 if hashed else 2) * capacity, limit)
        retries[again] += 1
        larger = replace(program, capacity=capacity, hashed=hashed)
        part = _solve_all(prepared.rows(again), keys[again], masks, larger, mesh)
        for name, values in part.items():
            raw[name][again] = values
    return raw, retries


def _solve_all(prepared: Prepared, keys, masks, program: Program, mesh) -> dict[str, np.ndarray]:
    chunk = chunk_size(len(keys), _bytes_per_table(prepared, len(masks), program), mesh)
    batched = (prepared.utilities, prepared.prior, prepared.available, keys)
    with jax.enable_x64(True):
        return run_in_chunks(_compiled(program, mesh), batched, jnp.asarray(masks), chunk, mesh)


def _bytes_per_table(prepared: Prepared, committees: int, program: Program) -> int:
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
def _compiled(program: Program, mesh):
    """The jitted solver of a program: tables over devices, one table per kernel call, misalignment over all lanes."""

    platform = mesh.devices.flat[0].platform

    def solve_lanes(batched, masks):
        utilities, prior, available, keys = batched
        slots = utilities.shape[2]
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
                hashed=program.hashed,
            )
        else:
            listed = dense_schemes(contributions, available, with_outcomes=with_outcomes)
        selection = solve_listed(
            listed,
            contributions,
            available,
            masks,
            keys if program.random else None,
            value_bits=program.value_bits,
            ties=program.ties,
            dynamics=program.dynamics,
            minimal=program.minimal,
            step_limit=program.step_limit,
        )
        results = {name: value for name, value in selection._asdict().items() if value is not None}
        optimal, attained = results.pop("optimal"), results.pop("attained", None)
        if program.fit is not None:
            fit = fit_lanes(utilities, attained, optimal, masks, program.resolution, program.fit, platform)
            results |= {"above": attained, "below": optimal} | fit
        for name in results:
            if name in ("optimum", "worst", "best", "dynamics"):
                results[name] = results[name].astype(jnp.int64)
            elif name in ("worst_scheme", "dynamics_scheme"):
                results[name] = results[name].astype(jnp.int16 if slots <= 2**15 else jnp.int32)
        return results

    return over_batch(solve_lanes, mesh)


# --- on CPUs ----------------------------------------------------------------------------------------------------------


def solve_by_loops(
    prepared: Prepared, keys: np.ndarray, masks: np.ndarray, program: Program, max_capacity: int
) -> tuple[dict[str, Any], np.ndarray]:
    """As `solve_growing`, by compiled loops on all cores; room grows within a table, so none is solved again."""
    from equilibrax_kernels.cpu.selection import select_tables  # compiled when it is needed

    fit = program.fit
    raw: dict[str, Any] = select_tables(
        (prepared.of_user, prepared.of_providers),
        prepared.prior,
        prepared.available,
        keys,
        masks,
        resolution=prepared.resolution,
        ties=program.ties,
        capacity=program.capacity or first_capacity(prepared, None, max_capacity),
        max_capacity=max_capacity if program.capacity else None,
        dynamics=program.dynamics,
        minimal=program.minimal,
        random=program.random,
        step_limit=program.step_limit,
        fit=fit is not None,
        simplex=fit is not None and fit.weights == "simplex",
        iteration_limit=fit.iteration_limit if fit else 0,
        multipliers=fit is not None and fit.multipliers,
        outcomes=fit is not None,
        threads=cores(),
    )
    if fit:
        raw["above"] = Packed(raw.pop("attained"), prepared.states, prepared.slots)
        raw["below"] = Packed(raw.pop("optimal"), prepared.states, prepared.slots)
    return raw, np.zeros(len(keys), np.int32)


@dataclass(frozen=True)
class Packed:
    """Sets of outcomes `[..., X, M]`, 64 to a word, unpacked where they are looked at.

    Attributes:
        words: `[..., W]` int64.
        states, slots: X and M.
    """

    words: np.ndarray
    states: int
    slots: int

    def __getitem__(self, at: Any) -> np.ndarray:
        from equilibrax_kernels.cpu.selection import unpack_outcomes

        return unpack_outcomes(self.words[at], self.states, self.slots)
