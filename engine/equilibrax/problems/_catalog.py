"""Families of random tables, markets, games and decision problems, as each declares itself."""

from __future__ import annotations

from equilibrax._core.catalog import Family
from equilibrax.problems._random_games import GAME_FAMILIES, GAMES_VERSION, random_games
from equilibrax.problems._random_markets import MARKET_FAMILIES, MARKETS_VERSION, random_markets
from equilibrax.problems._random_problems import PROBLEM_FAMILIES, PROBLEMS_SOURCE, PROBLEMS_VERSION, random_problems
from equilibrax.problems.random_tables import families, find_family, sample_tables


def problem_catalog() -> list[Family]:
    """The families of this room: tables (with those that are registered in this process), markets, games, problems."""
    sizes = {"states": 3, "actions": 3, "providers": 2, "seed": 0}
    found = [
        Family(
            "tables", name, one.description, one.source, one.version, one.defaults, "sample_tables",
            {"family": name, "count": 4, **sizes}, sample_tables,
            lambda t: (t.user, t.providers, t.prior, t.available),
        )
        for name in families()
        for one in [find_family(name)]
    ]  # fmt: skip
    found += [
        Family(
            "markets", name, definition, source, MARKETS_VERSION, {"error": 0.0}, "random_markets",
            {"alignment": name, "count": 4, "users": 2, **sizes, "error": 0.05}, random_markets,
            lambda m: (m.prior, m.user, m.available, m.components, m.weights),
        )
        for name, (definition, source) in MARKET_FAMILIES.items()
    ]  # fmt: skip
    found += [
        Family(
            "games", name, one.what, one.source, GAMES_VERSION, one.parameters, "random_games",
            {"family": name, "count": 4, "seed": 0, **({"r": 0.5} if "r" in one.parameters else {})},
            random_games, lambda g: (g.payoffs,),
        )
        for name, one in GAME_FAMILIES.items()
    ]  # fmt: skip
    small = {"count": 4, "states": 4, "acts": 2, "items": 2, "seed": 0}
    found += [
        Family(
            "problems", name, definition, PROBLEMS_SOURCE, PROBLEMS_VERSION, {}, "random_problems",
            {"family": name, **small}, random_problems,
            lambda p: (p.prior, p.utility, p.items, p.costs, *(() if p.stakes is None else (p.stakes,))),
        )
        for name, definition in PROBLEM_FAMILIES.items()
    ]  # fmt: skip
    return found
