"""Oblivious providers: each plays as if it were heard alone.

A provider's optimum alone, over all randomized rules, is the persuasion program of `equilibrax_kernels.persuasion`
(2509.15090, Definitions 18 and 19). `equilibrax.games._oblivious_utility` is what the user makes of several of them.

Often a provider has many optimal rules, and what the user can learn from several providers depends on which they play.
The rule returned is, of the provider's optimal ones, one that is best (`ties="best"`) or worst (`ties="worst"`) for a
user who hears that provider alone; `unique` says whether there was a choice at all.

A user with private information is covered, as in Definition 18: what a provider recommends is then a plan, an action
for each of her signals.

Letters: B games, K providers, Z signals, X states, A actions, S = A^Z plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels.fits.persuasion import certified_rule, persuasion_rule
from jaxtyping import Bool, Float, Int

from equilibrax._core.batching import batch_mesh, by_rows, chunk_size, over_batch, run_in_chunks
from equilibrax._core.checks import check_choice, check_whole
from equilibrax._core.compile_cache import jit
from equilibrax._core.linear_programs import LinearPrograms, Rows, UnsolvedProgram
from equilibrax._core.status import SolveError
from equilibrax.fits.chebyshev import TOLERANCE
from equilibrax.problems.persuasion import PersuasionGame

Ties = Literal["best", "worst"]

MAX_TABLEAU = 2**22
"""Largest number of entries of a simplex tableau, (X + S Z A) x (X S)."""


@dataclass(frozen=True)
class ObliviousRules:
    """The optimal rule of every provider alone, with certificates.

    Attributes:
        rule: `[B, K, X, S]` chance of recommending each plan in each state.
        plans: `[S, Z]` the plans: an action for each signal of the user. For Z = 1, plan s is action s.
        value: `[B, K]` the provider's expected utility when it is heard alone.
        user_alone: `[B, K]` the expected utility of a user who hears only that provider.
        unique: `[B, K]` whether the provider has no other optimal rule (reduced costs above 1e-9 of its range; never
            claimed for programs that HiGHS solved).
        ties: "best" or "worst", which of several optimal rules this is (for the user alone).
        bound: `[B, K]` what no rule can give the provider, by the multipliers of the dual.
        gap: `[B, K]` bound minus value.
        violation: `[B, K]` the most that the user could gain by disobeying, 0 up to rounding.
        certified: `[B, K]` whether gap and violation are within 1e-9 of the provider's and the user's range.
        resolved: `[B, K]` which programs HiGHS solved because the batched solver did not certify them. Of several
            optimal rules these are any.
    """

    rule: Float[np.ndarray, "B K X S"]
    plans: Int[np.ndarray, "S Z"]
    value: Float[np.ndarray, "B K"]
    user_alone: Float[np.ndarray, "B K"]
    unique: Bool[np.ndarray, "B K"]
    ties: Ties
    bound: Float[np.ndarray, "B K"]
    gap: Float[np.ndarray, "B K"]
    violation: Float[np.ndarray, "B K"]
    certified: Bool[np.ndarray, "B K"]
    resolved: Bool[np.ndarray, "B K"]


def oblivious_rules(
    game: PersuasionGame,
    *,
    ties: Ties = "best",
    iteration_limit: int = 2000,
    devices: Sequence[Any] | None = None,
    throw: bool = True,
) -> ObliviousRules:
    """Every provider's best rule when it is heard alone, over all randomized rules (2509.15090, Definition 19).

    The user does what is recommended if nothing is better for her, so ties are broken in the provider's favor
    (Kamenica and Gentzkow 2011).

    Args:
        game: B games. Two states must have the same available actions or none in common; otherwise a trace of another
            state would take actions away from the user, and an optimum need not exist.
        ties: of several optimal rules, "best" or "worst" for a user who hears the provider alone.
        iteration_limit: pivots before HiGHS takes over.
        devices: JAX devices to spread the games over; default all local devices.
        throw: raise if a rule is not certified (otherwise `certified` says so).

    Returns:
        An `ObliviousRules`.

    Raises:
        ValueError: on an unknown option, states whose actions overlap in part, or programs that are too large.
        SolveError: with `throw`, if neither solver certified a rule.

    Example:
        >>> import equilibrax as eq
        >>> trial = eq.PersuasionGame.from_prior(
        ...     [[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]]
        ... )  # guilty or innocent; convict or acquit
        >>> prosecutor = eq.games.oblivious_rules(trial)
        >>> prosecutor.value.round(9).tolist(), prosecutor.rule[0, 0].round(3).tolist()
        ([[0.6]], [[1.0, 0.0], [0.429, 0.571]])
    """
    check_choice("ties", ties, get_args(Ties))
    check_whole("iteration_limit", iteration_limit, 0)
    check_availability(game)
    plans = _plans(game)
    columns = game.states * len(plans)
    rows = game.states + len(plans) * game.signals * game.actions
    if rows * columns > MAX_TABLEAU:
        raise ValueError(
            f"game: expected a persuasion program of at most {MAX_TABLEAU:,} entries, got {rows:,} x {columns:,} "
            f"(plans: {game.actions} actions to the power of {game.signals} signals)"
        )
    mesh = batch_mesh(devices)
    user, providers = expected_contributions(game)
    with jax.enable_x64(True):
        batched = (user, providers, np.asarray(game.available))
        chunk = chunk_size(len(game), 24 * game.num_providers * rows * columns, mesh)
        shared = (jnp.asarray(plans), jnp.float64(1 if ties == "best" else -1), jnp.int32(iteration_limit))
        raw = run_in_chunks(_compiled_rules(mesh), batched, shared, chunk, mesh)

    def proved() -> np.ndarray:
        allowed = TOLERANCE * np.stack([_swing(providers, game), np.repeat(_swing(user, game), providers.shape[1], 1)])
        return (np.abs(raw["bound"] - raw["value"]) <= allowed[0]) & (raw["violation"] <= allowed[1])

    resolved = ~proved() | (raw["status"] != 0)
    for b, j in np.argwhere(resolved):
        _solve_on_host(game, user, providers, plans, raw, int(b), int(j))
    certified = proved()
    if throw and not certified.all():
        b, j = np.argwhere(~certified)[0].tolist()
        raise SolveError(
            f"{int((~certified).sum())} of {certified.size} rules are not certified; the first is of game "
            f"{int(game.table_id[b])}, provider {j}, with gap {raw['bound'][b, j] - raw['value'][b, j]:.3g} and "
            f"violation {raw['violation'][b, j]:.3g}; throw=False returns the others"
        )
    return ObliviousRules(
        rule=raw["rule"],
        plans=plans,
        value=raw["value"],
        user_alone=raw["user_value"],
        unique=raw["unique"],
        ties=ties,
        bound=raw["bound"],
        gap=raw["bound"] - raw["value"],
        violation=raw["violation"],
        certified=certified,
        resolved=resolved,
    )


def expected_contributions(game: PersuasionGame) -> tuple[np.ndarray, np.ndarray]:
    """Contributions as expected utilities: `[B, Z, X, A]` and `[B, K, Z, X, A]`."""
    scale = game.scale.reshape(-1, 1, 1, 1)
    return np.asarray(game.user) / scale, np.asarray(game.providers) / scale[:, None]


def _plans(game: PersuasionGame) -> np.ndarray:
    """`[S, Z]` int32, in lexicographic order."""
    if game.actions**game.signals > MAX_TABLEAU:
        raise ValueError(
            f"game: expected at most {MAX_TABLEAU:,} plans, got {game.actions} actions to the power of {game.signals} "
            f"signals"
        )
    return np.indices((game.actions,) * game.signals, np.int32).reshape(game.signals, -1).T


def _swing(contributions: np.ndarray, game: PersuasionGame) -> np.ndarray:
    """`[B, K]` (K = 1 for the user's): how far a value can move at all, one if it cannot."""
    available = np.asarray(game.available)[:, None, None]
    values = contributions.reshape(len(game), -1, game.signals, game.states, game.actions)
    high = np.where(available, values, -np.inf).max(axis=4)
    spread = (high - np.where(available, values, np.inf).min(axis=4)).sum(axis=(2, 3))
    return np.where(spread > 0, spread, 1.0)


def check_availability(game: PersuasionGame) -> None:
    """Refuse states that share some of their actions, but not all."""
    available = np.asarray(game.available)
    one, other = available[:, :, None], available[:, None]
    mixed = (one & other).any(axis=3) & (one != other).any(axis=3)
    if mixed.any():
        b, x, y = np.argwhere(mixed)[0].tolist()
        raise ValueError(
            f"game: expected any two states to have the same actions or none in common, got states {x} and {y} of game "
            f"{b}, which share some; randomized rules then have no optimum, partitions do"
        )


@lru_cache(maxsize=8)
def _compiled_rules(mesh):
    by_provider = jax.vmap(persuasion_rule, in_axes=(None, 0, None, None, None, None))
    by_game = jax.vmap(by_provider, in_axes=(0, 0, 0, None, None, None))
    return over_batch(by_rows(lambda batched, shared: by_game(*batched, *shared)._asdict()), mesh)


@jit
def certify_rule(user, provider, available, plans, rule, multipliers, allowed=None):
    """What a rule of HiGHS's is worth, and what its multipliers prove."""
    return certified_rule(user, provider, available, plans, rule, multipliers, allowed)


def _solve_on_host(game: PersuasionGame, user, providers, plans: np.ndarray, raw, b: int, j: int) -> None:
    """Solve one program by HiGHS and replace what improves."""
    available = np.asarray(game.available)[b]
    try:
        rule, multipliers = highs_rule(user[b], providers[b, j], available, plans)
    except UnsolvedProgram:
        return  # stays as the batched solver left it, and is not certified
    with jax.enable_x64(True):
        fit = jax.tree.map(np.asarray, certify_rule(user[b], providers[b, j], available, plans, rule, multipliers))
    before = max(abs(raw["bound"][b, j] - raw["value"][b, j]), raw["violation"][b, j])
    if not before <= max(abs(fit.bound - fit.value), fit.violation) or raw["status"][b, j]:
        for name, value in fit._asdict().items():
            raw[name][b, j] = value


def highs_rule(
    user: np.ndarray,
    provider: np.ndarray,
    available: np.ndarray,
    plans: np.ndarray,
    allowed: np.ndarray | bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """One persuasion program by HiGHS: the rule `[X, S]` and multipliers `[S, Z, A]`, not yet certified.

    Args:
        user, provider: `[Z, X, A]` contributions; available: `[X, A]`; plans: `[S, Z]`; allowed: `[S]`, which of them
            may be recommended.

    Raises:
        UnsolvedProgram: if HiGHS has no solution.
    """
    (z, x, a), s = user.shape, len(plans)
    exists = np.asarray(available[:, plans].all(axis=2)) & allowed
    signals = np.arange(z)
    worth = provider[signals, :, plans].sum(axis=1).T
    gain = np.moveaxis(user[signals, :, plans][..., None] - user[None], 2, 0)  # [X, S, Z, A]
    gain = np.where(exists[:, :, None, None] & available[:, None, None], gain, 0.0)
    scale = np.abs(gain).max(axis=0)
    unit = float(np.abs(worth).max()) or 1.0
    rows = np.argwhere(scale > 0)
    start = np.concatenate([np.arange(x) * s, x * s + np.arange(len(rows) + 1) * x])
    index = [np.arange(x * s)] + [np.arange(x) * s + r[0] for r in rows]
    entries = [np.ones(x * s)] + [gain[(slice(None), *r)] / scale[tuple(r)] for r in rows]

    found = LinearPrograms(presolve=False).solve(
        cost=-(worth / unit).ravel(),
        matrix=Rows(start, np.concatenate(index), np.concatenate(entries)),
        low=np.concatenate([np.ones(x), np.zeros(len(rows))]),
        high=np.concatenate([np.ones(x), np.full(len(rows), np.inf)]),
        lowest=np.zeros(x * s),
        highest=np.where(exists, 1.0, 0.0).ravel(),
    )
    multipliers = np.zeros((s, z, a))
    multipliers[tuple(rows.T)] = np.abs(found.multipliers[x:]) * unit / scale[tuple(rows.T)]
    return np.maximum(found.values, 0.0).reshape(x, s), multipliers
