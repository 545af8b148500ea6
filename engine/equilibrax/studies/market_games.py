"""A market solved in several games at once, with benchmarks and bounds: what commands and sweeps share.

Letters: B markets, C committees, N users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table

from equilibrax._core.checks import check_choice, expect
from equilibrax._core.committees import Committees
from equilibrax._core.text import show_table
from equilibrax.games import Backend, MarketGame, MarketResult, all_games, game_named, solve
from equilibrax.problems.market import Market
from equilibrax.rows import result_rows, user_rows
from equilibrax.theory.market_guarantees import MarketPromises, market_promises

Games = str | MarketGame | Sequence[MarketGame]
"""A game, its name, several, or "both": all of them."""


@dataclass(frozen=True)
class MarketOutcome:
    """A result, and what theory promises.

    Attributes:
        result: the equilibria.
        promises: benchmarks and bounds, or None if they were skipped.
    """

    result: MarketResult
    promises: MarketPromises | None

    @property
    def name(self) -> str:
        """The game, and lambda if users respond quantally."""
        rationality = self.result.rationality
        return self.result.game.name + ("" if rationality is None else f", λ = {rationality:g}".replace("inf", "∞"))

    def rows(self, names: bool = False) -> pa.Table:
        """One row per market, committee and user, as `user_rows`; with `names` they have columns of names."""
        return result_rows(self.result, self.promises) if names else user_rows(self.result, self.promises)


def solve_games(
    market: Market,
    game: Games = "both",
    *,
    promises: bool = True,
    committees: Committees = "all",
    backend: Backend = "auto",
    devices: Sequence[Any] | None = None,
    throw: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[MarketOutcome]:
    """Solve markets in the personalized game, the anonymous one or both, and for every lambda.

    Args:
        market: B markets.
        game: `Personalized(...)`, `Anonymous(...)`, or a list; "both", or the name of one, with default options.
        promises: whether to compute benchmarks and bounds.
        committees: as in `solve`.
        backend: as in `solve`.
        devices: as in `solve`.
        throw: as in `solve`.
        progress: called before every game with the number of games that are solved, and of all.

    Returns:
        An outcome for every game and lambda, games first.

    Raises:
        ValueError: on an unknown game, or a market that is too large for one.

    Example:
        >>> import equilibrax as eq
        >>> outcomes = eq.studies.solve_games(eq.problems.theorem_4_1_market(), committees=[0b11])
        >>> [(one.name, one.result.worst_utility[0, 0].tolist()) for one in outcomes]
        [('personalized', [0.5, 0.5]), ('anonymous', [0.2, 0.2])]
    """
    expect("market", market, Market)
    found = []
    games = market_games(game)
    for number, one in enumerate(games):
        if progress is not None:
            progress(number, len(games))
        how: Any = {"committees": committees, "backend": backend, "devices": devices, "throw": throw}
        result = solve(market, one.suited(market) if len(games) > 1 else one, **how)
        found += [MarketOutcome(each, market_promises(each) if promises else None) for each in result.each]
    return found


def market_games(game: Games) -> tuple[MarketGame, ...]:
    """The games that are meant."""
    if isinstance(game, str):
        if game == "both":
            return tuple(kind() for kind in all_games(Market).values())  # pyright: ignore[reportReturnType]
        check_choice("game", game, ("both", *all_games(Market)))
    several = list(game) if isinstance(game, Sequence) and not isinstance(game, str) else [game]
    return tuple(game_named(one, Market) for one in several)  # pyright: ignore[reportReturnType]


def show_outcomes(outcomes: Sequence[MarketOutcome], market: int = 0, *, width: int | None = None) -> None:
    """Print one market of the batch, a line per committee, user and game.

    Args:
        outcomes: from `solve_games`.
        market: position in the batch.
        width: characters per line; default is the terminal's.

    Raises:
        IndexError: if there is no such market.

    Example:
        >>> import equilibrax as eq
        >>> outcomes = eq.studies.solve_games(
        ...     eq.problems.theorem_4_1_market(), eq.Personalized(dynamics=False), committees=[0b11]
        ... )
        >>> eq.studies.show_outcomes(outcomes, width=120)  # doctest: +NORMALIZE_WHITESPACE
        theorem-4.1
        ...
    """
    show_table(lambda decimals: _table(outcomes, market, decimals), width)


def _table(outcomes: Sequence[MarketOutcome], market: int, decimals: int) -> Table:
    first = outcomes[0].result
    batch, promised = first.market, outcomes[0].promises is not None
    optimum = batch.optimum_utility
    shown = Table(title=batch.names()[market], caption=_caption(first))
    shown.add_column("committee", min_width=9)
    for heading in ("user", "game"):
        shown.add_column(heading)
    headings = ["optimum", *["benchmark"] * promised, "worst", "best", *["bound"] * promised, "equilibria"]
    headings += ["dynamics"] * (first.dynamics_utility is not None)
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("status", no_wrap=True)
    for c, mask in enumerate(first.committees.tolist()):
        for i, user in enumerate(batch.user_names()):
            for one in outcomes:
                result, at = one.result, (market, c, i)
                line = [optimum[market, i], result.worst_utility[at], result.best_utility[at], result.equilibria[at]]
                if one.promises is not None:
                    line.insert(1, one.promises.benchmark[at])
                    line.insert(4, one.promises.bound[at])
                if result.dynamics_utility is not None:
                    line.append(result.dynamics_utility[at])
                opening, new = one is outcomes[0], i == 0 and one is outcomes[0]
                names = [batch.committee_name(mask) if new else "", user if opening else "", one.name]
                numbers = [number_text(number, decimals) for number in line]
                shown.add_row(*names, *numbers, str(result.status_names[market, c]))
        shown.add_section()
    return shown


def _caption(result: MarketResult) -> str:
    rules = {"obedience": "rules are partitions of the states", "delegation": "users do what the rules say"}
    said = f"{rules[result.rules]}, {result.response} response, ties: {result.tie_break}"
    if result.response == "quantal":
        said += f", tolerance {result.tolerance:g}"
    return f"{said}; utilities are expectations"


def number_text(value: Any, decimals: int = 6) -> str:
    """A number of a table: whole numbers as they are, others with so many decimals, nothing where there is none."""
    if isinstance(value, int | np.integer):
        return f"{value:,}" if value >= 0 else ""
    return "" if not np.isfinite(value) else f"{value:.{decimals}f}"
