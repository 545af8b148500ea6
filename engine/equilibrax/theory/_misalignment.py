"""The misalignment score on its own, with its options and its certificate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from equilibrax._core.batching import batch_mesh, chunk_size, cores, over_batch, run_in_chunks
from equilibrax._core.checks import check_choice, expect
from equilibrax._core.committees import Committees, committee_masks
from equilibrax._core.status import SolveError
from equilibrax.fits.chebyshev import CertifiedFit, FitOptions, Rows, Weights, certify, fit_lanes
from equilibrax.games import Backend, Selection
from equilibrax.io import as_problem
from equilibrax.problems.slots import Prepared, prepare
from equilibrax.problems.tables import UtilityTables

_USUAL = Selection()


def misalignment(
    tables: UtilityTables | Any,
    committees: Committees = "all",
    *,
    rows: Rows = "equilibrium",
    weights: Weights = "nonnegative",
    game: Selection = _USUAL,
    multipliers: bool = False,
    backend: Backend = "auto",
    devices: Sequence[Any] | None = None,
    throw: bool = True,
) -> CertifiedFit:
    """How far the user's utility is from a non-negative combination of the committee's utilities, with a proof.

    The score eps is the optimum of a linear program over weights w >= 0, a constant c and eps >= 0:

        minimize eps   subject to   sum_j w_j u_j(a, x) + c <= u_0(a, x) + eps   for outcomes (a, x) in U
                                    sum_j w_j u_j(a, x) + c >= u_0(a, x) - eps   for outcomes (a, x) in L

    In every equilibrium of the selection game the user gets at least her optimum minus 2 eps (2509.15090, Theorem 6).

    Args:
        tables: B tables with K providers; or what these are read from, as in `solve`.
        committees: "all" 2**K - 1, or a list of bitmasks (bit j is provider j in column order) or tuples of names.
        rows: "equilibrium" (Remark 5): U are the outcomes that some equilibrium of the committee attains, L those of
            the user's optimal schemes. "table" (Definition 1): both are all available outcomes.
        weights: "nonnegative", or "simplex": they sum to one (Definition 1).
        game: the selection game whose equilibria give the rows; its tie rule and limits count.
        multipliers: whether to return the dual multipliers, `[B, C, X, A]` each.
        backend: as in `solve`.
        devices: JAX devices to spread the tables over; default all local devices.
        throw: raise if a score is not certified (otherwise `certified` says so).

    Returns:
        A `CertifiedFit`: scores, weights that attain them, and gaps to the lower bounds that the multipliers prove.
        Scores that the batched solver did not prove to 1e-9 (times the range of the user's utilities) were solved again
        by HiGHS; `resolved` counts them.

    Raises:
        ValueError: on an unknown option or a mask outside 1..2**K - 1.
        SolveError: with `throw`, if a table was not solved or a score not certified.

    Example:
        >>> import equilibrax as eq
        >>> table = eq.load_paper_table("synthetic-2")
        >>> eq.misalignment(table, [0b11000]).misalignment.round(9).tolist()
        [[0.07]]
    """
    tables = expect("tables", as_problem(tables), UtilityTables)
    check_choice("rows", rows, get_args(Rows))
    check_choice("weights", weights, get_args(Weights))
    if not isinstance(game, Selection):
        raise ValueError(f"game: expected a Selection game, got {game!r}")
    masks = committee_masks(committees, tables.num_providers, tables.provider_names())
    prepared, mesh = prepare(tables), batch_mesh(devices)
    options = FitOptions(rows=rows, weights=weights, multipliers=multipliers)
    loops = game.backend_for(tables, backend, mesh) == "cpu"
    if rows == "table":
        raw = _fit_by_loops(prepared, masks, options) if loops else _fit_tables(prepared, masks, options, mesh)
        skip = np.zeros(len(tables), bool)
    else:
        raw, skip = game.outcomes_to_fit(prepared, masks, options, None if loops else mesh)
    fit = certify(prepared, raw, masks, options, skip)
    if throw and not fit.certified.all():
        table, committee = (int(i) for i in np.argwhere(~fit.certified)[0])
        why = "FRONTIER_OVERFLOW" if skip[table] else "MISALIGNMENT_UNCERTIFIED"
        raise SolveError(
            f"{int((~fit.certified).sum())} of {fit.certified.size} scores are not certified; the first is table "
            f"{int(tables.table_id[table])}, committee {int(masks[committee])}: {why}. Status.{why} says what to do; "
            f"throw=False returns the others."
        )
    return fit


def _fit_tables(prepared: Prepared, masks: np.ndarray, options: FitOptions, mesh) -> dict[str, np.ndarray]:
    outcomes = prepared.states * prepared.slots
    chunk = chunk_size(len(prepared), len(masks) * outcomes * 8 * (prepared.providers + 2), mesh)
    with jax.enable_x64(True):
        raw = run_in_chunks(
            _compiled(prepared.resolution, options, mesh),
            (prepared.utilities, prepared.available),
            jnp.asarray(masks),
            chunk,
            mesh,
        )
    return raw | _everywhere(prepared, masks)


def _fit_by_loops(prepared: Prepared, masks: np.ndarray, options: FitOptions) -> dict[str, np.ndarray]:
    from equilibrax_kernels.cpu.selection import fit_tables  # compiled when it is needed

    how = {"resolution": prepared.resolution, "simplex": options.weights == "simplex", "threads": cores()}
    how |= {"iteration_limit": options.iteration_limit, "multipliers": options.multipliers}
    raw = fit_tables((prepared.of_user, prepared.of_providers), prepared.available, masks, **how)
    return raw | _everywhere(prepared, masks)


def _everywhere(prepared: Prepared, masks: np.ndarray) -> dict[str, np.ndarray]:
    below = np.asarray(prepared.available)
    above = np.broadcast_to(below[:, None], (len(below), len(masks), *below.shape[1:]))
    return {"above": above, "below": below}


@lru_cache(maxsize=32)
def _compiled(resolution: int, options: FitOptions, mesh):
    platform = mesh.devices.flat[0].platform

    def fit_all(batched, masks):
        utilities, available = batched
        above = jnp.broadcast_to(available, (masks.shape[0], *available.shape))
        return fit_lanes(utilities, above, available, masks, resolution, options, platform)

    return over_batch(fit_all, mesh)
