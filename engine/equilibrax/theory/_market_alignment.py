"""Market alignment of games: how well a mixture of the providers' utilities explains the user's (Definition 1).

The same linear program as the misalignment score of utility tables (`misalignment`), for games with a user who has
information of her own, and on any sets of outcomes. An outcome is (z, x, a): utilities are expectations given the
user's signal z and the state x. For utilities of a hidden y they average over y, so eps is at most that over (a, y),
and it is all that the proofs use, because games depend on y through these averages alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.fits.chebyshev import Fit, certified_fit, misalignment_lanes
from jaxtyping import Bool, Float

from equilibrax._core.checks import as_array, check_choice
from equilibrax._core.committees import committee_masks
from equilibrax._core.compile_cache import jit
from equilibrax._core.linear_programs import UnsolvedProgram
from equilibrax._core.status import SolveError
from equilibrax.fits.chebyshev import TOLERANCE, CertifiedFit, Weights, highs_fit
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables
from equilibrax.theory._induced_actions import as_game, responses

_LANES = 1024
_ITERATIONS = 400


def market_alignment(
    game: PersuasionGame | UtilityTables,
    committees: Literal["all"] | Sequence[int] = "all",
    *,
    weights: Weights = "simplex",
    upper: Any = None,
    lower: Any = None,
    throw: bool = True,
) -> CertifiedFit:
    """eps of approximate market alignment (2509.15090, Definition 1), for all committees, with a proof.

    The optimum over weights w >= 0 of the committee's members, a constant c and eps >= 0 of

        minimize eps   subject to   sum_j w_j u_j + c <= u_0 + eps   on outcomes in `upper`
                                    sum_j w_j u_j + c >= u_0 - eps   on outcomes in `lower`

    Args:
        game: B games.
        committees: "all" 2**K - 1, or a list of bitmasks (bit j is provider j in column order).
        weights: "simplex": they sum to one (Definition 1). "nonnegative": they need not, which is enough for
            Theorems 1 and 6 (Remark 2) and not for Theorems 2 and 5.
        upper: `[B, Z, X, A]` or `[B, C, Z, X, A]` bool, outcomes that bound the fit from above; None for all. Remark 5
            asks only for those attained in equilibrium.
        lower: the same from below. Remark 5 asks only for those attained under the reference rule.
        throw: raise if a score is not certified (otherwise `certified` says so).

    Returns:
        A `CertifiedFit` with `[B, C]` scores. Scores that the batched solver does not prove to 1e-9 (times the range of
        the user's utilities) are solved again by HiGHS; `resolved` counts them.

    Raises:
        ValueError: on an unknown option, a mask outside 1..2**K - 1, or outcomes of another shape or none at all.
        SolveError: with `throw`, if a score is not certified.

    Example:
        >>> import equilibrax as eq
        >>> judge = eq.from_integers(  # Theorem 7: the judge is the sum of the prosecutor and the defence
        ...     [[1, 2], [2, 1]], [[[0, 2], [0, 1]], [[1, 0], [2, 0]]], prior=[2, 1], resolution=1
        ... )
        >>> eq.theory.market_alignment(judge, [0b11]).misalignment.tolist()
        [[0.25]]
        >>> fit = eq.theory.market_alignment(judge, [0b11], weights="nonnegative")
        >>> fit.misalignment.round(9).tolist(), fit.weights.round(9).tolist()
        ([[0.0]], [[[1.0, 1.0]]])
    """
    check_choice("weights", weights, get_args(Weights))
    game = as_game(game)
    masks = committee_masks(committees, game.num_providers)
    shape = (len(game), len(masks), game.signals * game.states * game.actions)
    exists = ((np.asarray(game.weights) > 0)[..., None] & np.asarray(game.available)[:, None]).reshape(len(game), -1)
    above, below = (
        _outcomes(name, given, game, exists[:, None], shape).reshape(-1, shape[2])
        for name, given in (("upper", upper), ("lower", lower))
    )
    table = np.repeat(np.arange(len(game)), len(masks))
    member = np.tile((masks[:, None] >> np.arange(game.num_providers)) & 1 == 1, (len(game), 1))
    fit, certified, resolved = fit_outcomes(
        _conditional(game), exists, table, member, above=above, below=below, simplex=weights == "simplex"
    )

    def by_committee(values: Any) -> np.ndarray:
        return values.reshape(*shape[:2], *values.shape[1:])

    certified = by_committee(certified)
    if throw and not certified.all():
        b, c = np.argwhere(~certified)[0].tolist()
        raise SolveError(
            f"{int((~certified).sum())} of {certified.size} scores are not certified; the first is table "
            f"{int(game.table_id[b])}, committee {int(masks[c])}; throw=False returns the others"
        )
    return CertifiedFit(
        misalignment=by_committee(fit.eps),
        weights=by_committee(fit.weights),
        offset=by_committee(fit.offset),
        gap=by_committee(fit.gap),
        certified=certified,
        resolved=resolved,
    )


def attained_outcomes(
    game: PersuasionGame, labels: np.ndarray, rationality: float | None
) -> Bool[np.ndarray, "B ... Z X A"]:
    """The outcomes that have a chance after partitions with labels `[B, ..., X]`."""
    labels = np.asarray(labels)
    flat = labels.reshape(len(game), -1, game.states)
    possible = (np.asarray(game.weights) > 0)[..., None]
    found = [(responses(game, flat[:, i], rationality) > 0) & possible for i in range(flat.shape[1])]
    return np.stack(found, axis=1).reshape(*labels.shape[:-1], game.signals, game.states, game.actions)


def spreads(game: PersuasionGame) -> Float[np.ndarray, "B P"]:
    """The range of every player's utilities, the user first, over the outcomes of a game."""
    exists = (np.asarray(game.weights) > 0)[..., None] & np.asarray(game.available)[:, None]
    exists = exists.reshape(len(game), 1, -1)
    real = _conditional(game)
    return np.where(exists, real, -np.inf).max(axis=2) - np.where(exists, real, np.inf).min(axis=2)


def _conditional(game: PersuasionGame) -> Float[np.ndarray, "B P R"]:
    """Utilities given (z, x), in units of utility; anything finite where that is impossible."""
    players = np.concatenate([np.asarray(game.user)[:, None], np.asarray(game.providers)], axis=1)
    unit = np.maximum(np.asarray(game.weights), 1)[:, None, ..., None] * float(game.resolution)
    return (players / unit).reshape(len(game), game.num_providers + 1, -1)


def _outcomes(name: str, given: Any, game: PersuasionGame, exists: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`[B, C, R]` bool: the outcomes asked for that exist."""
    if given is None:
        return np.broadcast_to(exists, shape)
    chosen, last = as_array(name, given), (game.signals, game.states, game.actions)
    wide = (*shape[:2], *last)
    if chosen.dtype != bool or chosen.shape not in (wide, (shape[0], *last)):
        raise ValueError(
            f"{name}: expected booleans of shape {[shape[0], *last]} or {list(wide)}, got {list(chosen.shape)} of "
            f"{chosen.dtype}"
        )
    chosen = chosen.reshape(shape[0], -1, shape[2]) & exists
    if not chosen.any(axis=2).all():
        raise ValueError(f"{name}: expected an outcome for every game and committee, got none for some")
    return np.broadcast_to(chosen, shape)


def fit_outcomes(
    utilities: Float[np.ndarray, "G P R"],
    exists: Bool[np.ndarray, "G R"],
    table: np.ndarray,
    member: Bool[np.ndarray, "L K"],
    *,
    above: Any = None,
    below: Any = None,
    simplex: bool = False,
) -> tuple[Fit, Bool[np.ndarray, " L"], int]:
    """Chebyshev fits of L lanes, lane first; which are certified; and how many of them HiGHS had to solve.

    Args:
        utilities: `[G, 1 + K, R]`, in every game what is fitted and what by; exists: the outcomes that count in them.
        table: `[L]`, the game of every lane; member: who takes part.
        above, below: `[L, R]` bool, the outcomes that bound a fit from above and from below; None for all.
        simplex: whether the weights sum to one.
    """
    utilities = utilities * exists[:, None]
    above, below = (exists[table] if given is None else given for given in (above, below))
    enough = (TOLERANCE * extent(utilities[:, 0], exists, axis=1))[table]
    width = min(_LANES, 1 << max(0, len(table) - 1).bit_length())
    pieces = []
    with jax.enable_x64(True):
        for start in range(0, len(table), width):
            rows = np.minimum(np.arange(start, start + width), len(table) - 1)
            lanes = (utilities[table[rows], 0], utilities[table[rows], 1:], above[rows], below[rows], member[rows])
            found = _compiled(simplex)(*(np.moveaxis(lane, 0, -1) for lane in lanes))
            pieces.append(jax.tree.map(lambda leaf: np.moveaxis(np.asarray(leaf), -1, 0), found))
        fit: Fit = jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(table)].copy(), *pieces)
        again = np.flatnonzero(~certified_lanes(fit, enough))
        for lane in again:
            one = (utilities[table[lane], 0], utilities[table[lane], 1:], above[lane], below[lane], member[lane])
            try:
                duals = highs_fit(*one, simplex)
            except UnsolvedProgram:
                continue  # stays as the batched solver left it, and is not certified
            exact = certified_fit(*(jnp.asarray(a)[..., None] for a in (*one, *duals)), simplex=simplex)
            for leaf, new in zip(fit, exact):
                leaf[lane] = np.asarray(new)[..., 0]
    return fit, certified_lanes(fit, enough), len(again)


def certified_lanes(fit: Fit, enough: Any) -> Bool[np.ndarray, " L"]:
    """Whether the gap is small enough, and no provider's dual constraint is missed by 1e-9 of its own range."""
    return (np.asarray(fit.gap) <= enough) & (np.asarray(fit.violation) <= TOLERANCE)


def extent(values: np.ndarray, exists: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """The range of values where they exist; 1 where it is none."""
    high = np.where(exists, values, -np.inf).max(axis=axis)
    wide = high - np.where(exists, values, np.inf).min(axis=axis)
    return np.where(wide > 0, wide, 1.0)


@lru_cache(maxsize=2)
def _compiled(simplex: bool):
    def solve(*lanes):
        return misalignment_lanes(*lanes, simplex=simplex, iteration_limit=_ITERATIONS)

    return jit(solve)
