"""Misalignment scores with certificates: batched on the device, and by HiGHS for whatever is left unproved.

A score is accepted when its certificate closes: the weights attain it exactly, and the multipliers prove that no
weights do better than `TOLERANCE` (times the range of the user's utilities; what the multipliers miss of a provider's
constraint is measured in the range of its own). Otherwise HiGHS solves the same linear
program on the host, and its answer goes through the same certificate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.fits.chebyshev import Fit, certified_fit, misalignment_lanes
from jax import lax
from jaxtyping import Bool, Float, Int

from equilibrax._core.linear_programs import LinearPrograms, UnsolvedProgram
from equilibrax.problems.slots import Prepared

TOLERANCE = 1e-9
"""Largest gap of a certified misalignment, on utilities of unit scale (the user's range in the table)."""

Rows = Literal["equilibrium", "table"]
Weights = Literal["nonnegative", "simplex"]

_LANE_BYTES = 1 << 20  # working set of the lanes that a CPU solves together: well inside its second-level cache


@dataclass(frozen=True)
class FitOptions:
    """Static options of the fit.

    Attributes:
        rows: "equilibrium" (Remark 5) or "table" (Definition 1).
        weights: "nonnegative" or "simplex".
        multipliers: whether to return the dual multipliers.
        iteration_limit: pivots before HiGHS takes over.
    """

    rows: Rows = "equilibrium"
    weights: Weights = "nonnegative"
    multipliers: bool = False
    iteration_limit: int = 400


@dataclass(frozen=True)
class CertifiedFit:
    """Misalignment scores of B tables and C committees, each with its certificate.

    Attributes:
        misalignment: `[B, C]` eps in utility units; NaN for tables that were not solved.
        weights: `[B, C, K]` weights that attain it; zero outside the committee.
        offset: `[B, C]` the constant c.
        gap: `[B, C]` eps minus the lower bound that the multipliers prove.
        certified: `[B, C]` whether the gap is within `TOLERANCE` times the user's range, and the violation of the dual
            constraint of every provider within `TOLERANCE` times its own.
        resolved: number of scores that were solved again by HiGHS.
        lower, upper: `[B, C, X, A]` multipliers on outcomes, or None if not asked for.
    """

    misalignment: Float[np.ndarray, "B C"]
    weights: Float[np.ndarray, "B C K"]
    offset: Float[np.ndarray, "B C"]
    gap: Float[np.ndarray, "B C"]
    certified: Bool[np.ndarray, "B C"]
    resolved: int
    lower: Float[np.ndarray, "B C X A"] | None = None
    upper: Float[np.ndarray, "B C X A"] | None = None


def fit_lanes(
    utilities: Int[Any, "P X M B"],
    above: Bool[Any, "C X M B"],
    below: Bool[Any, "X M B"],
    masks: Int[Any, " C"],
    resolution: int,
    options: FitOptions,
    platform: str,
) -> dict[str, Any]:
    """Inside `jit`: fit every (committee, table), as lanes. Arrays `[C, ..., B]`, named `fit_*`."""
    players, states, slots, tables = utilities.shape
    committees, rows = masks.shape[0], states * slots
    total = committees * tables

    def for_all(array):
        """`[..., B]` to the lanes of every committee, `[..., C * B]`."""
        spread = jnp.broadcast_to(array[..., None, :], (*array.shape[:-1], committees, tables))
        return spread.reshape(*array.shape[:-1], total)

    real = for_all(utilities.reshape(players, rows, tables).astype(jnp.float64) / resolution)
    lanes_above = jnp.moveaxis(above.reshape(committees, rows, tables), 0, 1).reshape(rows, total)
    lanes_below = for_all(below.reshape(rows, tables))
    member = (masks >> jnp.arange(players - 1, dtype=jnp.int32)[:, None]) & 1 == 1
    member = jnp.broadcast_to(member[..., None], (players - 1, committees, tables)).reshape(players - 1, total)

    lanes = total if platform != "cpu" else min(total, _cpu_lanes(players - 1, rows))
    pieces = -(-total // lanes)

    def cut(array):
        padded = jnp.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, pieces * lanes - total)], mode="edge")
        return jnp.moveaxis(padded.reshape(*array.shape[:-1], pieces, lanes), -2, 0)

    def solve(piece):
        fit = misalignment_lanes(*piece, simplex=options.weights == "simplex", iteration_limit=options.iteration_limit)
        results = {"misalignment": fit.eps, "weights": fit.weights, "offset": fit.offset}
        results |= {"gap": fit.gap, "violation": fit.violation}
        return results | ({"lower": fit.lower, "upper": fit.upper} if options.multipliers else {})

    fits = lax.map(solve, tuple(cut(a) for a in (real[0], real[1:], lanes_above, lanes_below, member)))

    def join(array):
        lanes_last = jnp.moveaxis(array, 0, -2).reshape(*array.shape[1:-1], pieces * lanes)[..., :total]
        return jnp.moveaxis(lanes_last.reshape(*array.shape[1:-1], committees, tables), -2, 0)

    return {f"fit_{name}": join(array) for name, array in fits.items()}


def _cpu_lanes(providers: int, rows: int) -> int:
    """Lanes whose problem and state fit the cache; a power of two."""
    size = 8 * (rows * (providers + 4) + 2 * (providers + 2) ** 2)
    return int(np.clip(1 << ((_LANE_BYTES // size).bit_length()), 64, 2048))


def certify(
    prepared: Prepared, raw: dict[str, np.ndarray], masks: np.ndarray, options: FitOptions, skip
) -> CertifiedFit:
    """Check certificates, solve again on the host what is not proved, and drop what was never solved.

    Args:
        raw: results of `fit_lanes`, writeable, with `above` `[B, C, X, M]` and `below` `[B, X, M]`, or what can be
            indexed like them; loops say `fit_unit`, the range of the user's utilities.
        skip: `[B]` tables that were not solved.
    """
    unit = raw["fit_unit"] if "fit_unit" in raw else _ranges(prepared)
    allowed = TOLERANCE * unit[:, None]

    def proved():
        return (raw["fit_gap"] <= allowed) & (raw["fit_violation"] <= TOLERANCE)

    certified, lost = proved(), np.asarray(skip)[:, None]
    again = np.argwhere(~certified & ~lost)
    if len(again):
        _solve_on_host(prepared, raw, masks, options, again, allowed)
        certified = proved()
    for name in ("misalignment", "weights", "offset", "gap") if lost.any() else ():
        raw[f"fit_{name}"][skip] = np.nan
    return CertifiedFit(
        misalignment=raw["fit_misalignment"],
        weights=raw["fit_weights"],
        offset=raw["fit_offset"],
        gap=raw["fit_gap"],
        certified=certified & ~lost,
        resolved=len(again),
        lower=_to_table(raw.get("fit_lower"), prepared, lost),
        upper=_to_table(raw.get("fit_upper"), prepared, lost),
    )


def _ranges(prepared: Prepared) -> np.ndarray:
    """`[B]` the range of the user's utilities, one if there is none."""
    user, available = (array.reshape(len(prepared), -1) for array in (prepared.of_user, prepared.available))
    every, least, most = available.all(), np.iinfo(np.int32).min, np.iinfo(np.int32).max
    high = (user if every else np.where(available, user, least)).max(axis=1) / prepared.resolution
    extent = high - (user if every else np.where(available, user, most)).min(axis=1) / prepared.resolution
    return np.where(extent > 0, extent, 1.0)


def _to_table(multipliers: np.ndarray | None, prepared: Prepared, lost: np.ndarray) -> np.ndarray | None:
    """Multipliers by action instead of by slot, NaN for tables that were not solved."""
    if multipliers is None:
        return None
    multipliers = np.where(lost[..., None], np.nan, multipliers)
    shaped = multipliers.reshape(*multipliers.shape[:2], prepared.states, prepared.slots)
    if prepared.actions_of_slots is None:
        return shaped
    by_action = np.zeros((*shaped.shape[:3], prepared.actions))
    index = np.broadcast_to(prepared.actions_of_slots[:, None], shaped.shape)
    np.put_along_axis(by_action, index, shaped, axis=3)
    return by_action


def _solve_on_host(prepared: Prepared, raw, masks, options: FitOptions, again, allowed: np.ndarray) -> None:
    """Solve the (table, committee) pairs `again` by HiGHS and replace what improves."""

    def missing(table, gap, violation):  # 1 is just certified
        return max(gap / allowed[table, 0], violation / TOLERANCE)

    simplex = options.weights == "simplex"
    for table, committee in again:
        utilities = np.asarray(prepared.utilities)[table].reshape(prepared.providers + 1, -1) / prepared.resolution
        above = raw["above"][table, committee].reshape(-1)
        below = raw["below"][table].reshape(-1)
        member = (masks[committee] >> np.arange(prepared.providers)) & 1 == 1
        try:
            weights, lower, upper = highs_fit(utilities[0], utilities[1:], above, below, member, simplex)
        except UnsolvedProgram:
            continue  # stays as the batched solver left it, and is not certified
        with jax.enable_x64(True):
            lane = [jnp.asarray(a)[..., None] for a in (utilities[0], utilities[1:], above, below, member)]
            duals = [jnp.asarray(a)[..., None] for a in (weights, lower, upper)]
            fit: Fit = jax.tree.map(lambda a: np.asarray(a)[..., 0], certified_fit(*lane, *duals, simplex=simplex))
        here = (table, committee)
        before = raw["fit_gap"][here], raw["fit_violation"][here]
        if missing(table, fit.gap, fit.violation) < missing(table, *before) or np.isnan(before[0]):
            raw["fit_misalignment"][here], raw["fit_weights"][here] = fit.eps, fit.weights
            raw["fit_offset"][here] = fit.offset
            raw["fit_gap"][here], raw["fit_violation"][here] = fit.gap, fit.violation
            if options.multipliers:
                raw["fit_lower"][here], raw["fit_upper"][here] = fit.lower, fit.upper


def highs_fit(user, providers, above, below, member, simplex: bool):
    """One fit by HiGHS: `(weights [K], lower [R], upper [R])`, not yet certified.

    Args:
        user: `[R]`; providers: `[K, R]`; above, below: `[R]` bool; member: `[K]` bool.

    Raises:
        UnsolvedProgram: if HiGHS has no solution.
    """
    shift = user[above | below].min()
    unit = float(np.ptp(user[above | below])) or 1.0
    k, above, below = len(providers), np.flatnonzero(above), np.flatnonzero(below)
    columns = np.concatenate([providers, np.ones((1, providers.shape[1]))]) / unit
    matrix = np.concatenate(
        [
            np.concatenate([columns[:, above], -np.ones((1, len(above)))]).T,
            np.concatenate([columns[:, below], np.ones((1, len(below)))]).T,
        ]
    )
    sides = (user - shift) / unit
    low = np.concatenate([np.full(len(above), -np.inf), sides[below], np.ones(1 if simplex else 0)])
    high = np.concatenate([sides[above], np.full(len(below), np.inf), np.ones(1 if simplex else 0)])
    if simplex:
        matrix = np.concatenate([matrix, [[1.0] * k + [0.0, 0.0]]])

    lowest = np.concatenate([np.zeros(k), [-np.inf, 0.0]])
    highest = np.concatenate([np.where(member, np.inf, 0.0), [np.inf, np.inf]])
    found = LinearPrograms(presolve=False).solve(np.eye(k + 2)[-1], matrix, low, high, lowest, highest)
    duals = np.abs(found.multipliers)
    lower, upper = np.zeros(len(user)), np.zeros(len(user))
    upper[above], lower[below] = duals[: len(above)], duals[len(above) : len(above) + len(below)]
    return found.values[:k], lower, upper
