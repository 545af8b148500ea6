"""New users at the door of a market, and what becomes of those who were there (2602.13451, Section 5).

A newcomer has actions and utilities of her own, and every provider's utility becomes `(1 - beta) u_j + beta f_j`, where
f_j depends on what she does. The incumbents' utilities stay. In the personalized game they keep what they were promised
(Theorem 5.1); in the anonymous one they may lose it (Theorem 5.2).

Letters: B markets, M newcomers to each, N users, K providers, X states, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from equilibrax._core.checks import expect
from equilibrax._core.columns import declared
from equilibrax.games.markets.result import MarketResult
from equilibrax.problems import MarketDraws, whole
from equilibrax.problems.market import Market
from equilibrax.rows import batch_names, build_rows, status_words
from equilibrax.studies.market_games import Games, MarketOutcome, solve_games
from equilibrax.theory import guarantee, shared_utility

CHANGE = 1e-9
"""Utilities that differ by no more are the same."""


@dataclass(frozen=True)
class Newcomers:
    """M users who might enter each of B markets, one at a time.

    Attributes:
        utility: `[B * M, X, A]`, their utilities, those of the first market first.
        components: `[B * M, K, X, A]` f, what providers have from their actions.
        beta: how much of a provider's utility is about her, 0 < beta < 1.
        each: M.
    """

    utility: Float[np.ndarray, "BM X A"]
    components: Float[np.ndarray, "BM K X A"]
    beta: Fraction
    each: int


def random_newcomers(
    market: Market, count: int, *, beta: Fraction | float = Fraction(1, 2), actions: int | None = None, seed: int = 0
) -> Newcomers:
    """Newcomers whose utilities, and what they mean to the providers, are independent and uniform on [0, 1].

    A newcomer is a function of the seed, the sizes and her number `b * count + m` alone.

    Args:
        market: B markets.
        count: M, newcomers to each market.
        beta: above 0 and below 1; a float is taken as the ratio of small whole numbers (up to 10,000) next to it.
        actions: A, of the newcomers; None: as many as the market has.
        seed: 0 to 2**63 - 1.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> market, _ = eq.problems.theorem_5_2_market()
        >>> newcomers = eq.studies.random_newcomers(market, 100, beta=0.5, seed=1)
        >>> newcomers.utility.shape, newcomers.components.shape, newcomers.beta
        ((100, 2, 3), (100, 1, 2, 3), Fraction(1, 2))
    """
    expect("market", market, Market)
    count = whole("count", count)
    a = market.actions if actions is None else whole("actions", actions)
    if isinstance(beta, bool) or not isinstance(beta, int | float | Fraction) or not 0 < beta < 1:
        raise ValueError(f"beta: expected a number above 0 and below 1, got {beta!r}")
    ratio = beta if isinstance(beta, Fraction) else Fraction(beta).limit_denominator(10_000)
    if not 0 < ratio < 1:
        raise ValueError(f"beta: expected a number above 0 and below 1 by at least 1e-4, or a Fraction, got {beta!r}")
    total = len(market) * count
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise ValueError(f"seed: expected a whole number from 0 to 2**63 - 1, got {seed!r}")
    draw = MarketDraws(int(seed), 0, total, "newcomer", (1 + market.num_providers) * market.states * a)
    utility = draw.upto((total, market.states, a), market.resolution)
    components = draw.upto((total, market.num_providers, market.states, a), market.resolution)
    return Newcomers(utility / market.resolution, components / market.resolution, ratio, count)


@dataclass(frozen=True)
class Entry:
    """Markets before and after newcomers entered, with all providers.

    Attributes:
        market: B markets.
        augmented: B * M markets; market b with newcomer m is number `b * M + m`.
        newcomers: who entered.
        before, after: the equilibria, for every game.
        benchmark: `[B, N]` u_i(C*) of the incumbents, the same before and after.
        bounds: `[B, N]` for every game, what the incumbents were promised before: by Theorem 3.1 in the personalized
            game, which Theorem 5.1 says they keep; by Theorem 4.3 in the anonymous one. NaN where nothing was.
    """

    market: Market
    augmented: Market
    newcomers: Newcomers
    before: tuple[MarketOutcome, ...] = field(repr=False)
    after: tuple[MarketOutcome, ...] = field(repr=False)
    benchmark: Float[np.ndarray, "B N"] = field(repr=False)
    bounds: tuple[Float[np.ndarray, "B N"], ...] = field(repr=False)

    def rows(self) -> pa.Table:
        """One row per game, market, newcomer and user; the newcomer comes last, and has nothing before.

        What columns mean is in docs/markets.md. Null where there is no number, or no equilibrium.
        """
        return pa.concat_tables([self._game(g) for g in range(len(self.before))])

    def change(self, game: int = 0) -> Float[np.ndarray, "BM N"]:
        """`[B * M, N]` the incumbents' worst utility after minus before; NaN where one of them is missing."""
        before = np.repeat(self.before[game].result.worst_utility[:, 0], self.newcomers.each, axis=0)
        return self.after[game].result.worst_utility[:, 0, : self.market.users] - before

    def summary(self) -> list[dict[str, Any]]:
        """For every game: how many incumbents lose, stay and gain, their mean and largest loss, and who is below the
        bound that held before."""
        said = []
        for g, (before, after) in enumerate(zip(self.before, self.after)):
            change = self.change(g)
            known = np.isfinite(change)
            some = change[known]
            bound = np.repeat(self.bounds[g], self.newcomers.each, axis=0)
            worst = after.result.worst_utility[:, 0, : self.market.users]
            with np.errstate(invalid="ignore"):
                below = known & (worst < bound - CHANGE)
            said.append(
                {
                    "game": before.result.game.name,
                    "incumbents": int(known.sum()),
                    "lose": int((some < -CHANGE).sum()),
                    "same": int((np.abs(some) <= CHANGE).sum()),
                    "gain": int((some > CHANGE).sum()),
                    "mean_change": float(some.mean()) if some.size else float("nan"),
                    "largest_loss": float(max(0.0, -some.min())) if some.size else float("nan"),
                    "bounded": int((known & np.isfinite(bound)).sum()),
                    "below_bound": int(below.sum()),
                    "without_equilibrium": int((~known).sum()),
                }
            )
        return said

    def _game(self, g: int) -> pa.Table:
        before, after, each = self.before[g], self.after[g], self.newcomers.each
        total, n = len(self.augmented), self.market.users + 1

        def old(values: Any, missing: Any = np.nan) -> np.ndarray:
            """`[B, N]` repeated for every newcomer, with nothing for her."""
            repeated = np.repeat(np.asarray(values), each, axis=0)
            return np.concatenate([repeated, np.full((total, 1), missing, repeated.dtype)], axis=1)

        def repeated(values: np.ndarray, words: list[str]) -> tuple[np.ndarray, list[str]]:
            return np.repeat(values, each, axis=0), words

        own: dict[str, Any] = {
            "market": np.repeat(np.asarray(self.market.market_id), each)[:, None],
            "family": repeated(*batch_names(self.market, 2)),
            "newcomer": np.tile(np.arange(each), len(self.market))[:, None],
            "user": np.arange(n),
            "incumbent": np.arange(n) < n - 1,
            "game": before.result.game.name,
            "beta": float(self.newcomers.beta),
            "optimum": self.augmented.optimum_utility,
            "benchmark": old(self.benchmark),
            "bound": old(self.bounds[g]),
            "worst_before": old(before.result.worst_utility[:, 0]),
            "worst_after": after.result.worst_utility[:, 0],
            "best_before": old(before.result.best_utility[:, 0]),
            "best_after": after.result.best_utility[:, 0],
            "equilibria_before": old(before.result.equilibria[:, 0], -1),
            "equilibria_after": after.result.equilibria[:, 0],
            "status_before": repeated(*status_words(before.result.status[:, :1])),
            "status_after": status_words(after.result.status[:, :1]),
        }
        return build_rows(declared("entry"), (total, n), (SimpleNamespace(**own),), {})


def enter(
    market: Market,
    newcomers: Newcomers,
    game: Games = "both",
    *,
    devices: Sequence[Any] | None = None,
    throw: bool = True,
) -> Entry:
    """Let newcomers enter markets, one at a time, and solve the games before and after.

    Args:
        market: B markets.
        newcomers: M for each of them, from `random_newcomers`.
        game: as in `solve_games`; the committee is that of all providers.
        devices: as in `solve`.
        throw: as in `solve`.

    Returns:
        An `Entry`.

    Raises:
        ValueError: if the newcomers are not of these markets, or a market is too large for a game.

    Example:
        >>> import equilibrax as eq
        >>> market, paper = eq.problems.theorem_5_2_market()
        >>> newcomers = eq.studies.Newcomers(paper.utility[None], paper.components[None], paper.beta, 1)
        >>> for said in eq.studies.enter(market, newcomers).summary():
        ...     print(said["game"], said["lose"], round(said["largest_loss"], 4))
        personalized 0 0.0
        anonymous 1 0.3333
    """
    total = len(expect("market", market, Market)) * expect("newcomers", newcomers, Newcomers).each
    if len(newcomers.utility) != total:
        raise ValueError(
            f"newcomers: expected {newcomers.each} for each of {len(market)} markets, got {len(newcomers.utility)}"
        )
    everybody = [2**market.num_providers - 1]
    options: dict[str, Any] = {"committees": everybody, "promises": False, "devices": devices, "throw": throw}
    before = solve_games(market, game, **options)
    original = market.select(np.repeat(np.arange(len(market)), newcomers.each))
    augmented = original.add_user(newcomers.utility, newcomers.components, newcomers.beta)
    after = solve_games(augmented, game, **options)
    shared = shared_utility(market, everybody, rules=before[0].result.rules, throw=False)
    bounds = tuple(_promised(one.result) for one in before)
    return Entry(market, augmented, newcomers, tuple(before), tuple(after), shared.utility[:, 0], bounds)


def _promised(result: MarketResult) -> Float[np.ndarray, "B N"]:
    """What Section 5 starts from: the guarantee under weak alignment or, in the anonymous game, strong alignment."""
    bound = guarantee(result)
    if bound is None:
        return np.full(result.solved[:, 0].shape, np.nan)
    return np.where(bound.holds_hypothesis, bound.bound, np.nan)[:, 0]
