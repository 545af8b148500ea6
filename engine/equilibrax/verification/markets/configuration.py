"""What the folder of a dataset of markets says it holds; see `equilibrax.verification.configuration`.

Letters: N users, K providers, X states, A actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from equilibrax._core.column import Column
from equilibrax._core.columns import declared
from equilibrax.verification.configuration import (
    MOST_CELLS,
    MOST_ROWS,
    Configuration,
    Part,
    check_common,
    check_whole,
    lambdas_of,
)
from equilibrax.verification.rules import USUAL, Game

ALIGNMENTS = ("weak", "strong", "none")
_MOST_PLAYS = 1000
_USUAL = {
    "stratify": "",
    "float32": False,
    "equilibria_cap": 1,
    "split_by": "id",
    "text": False,
    "search": None,
}  # what sweeps of markets do not choose


@dataclass(frozen=True)
class Play:
    """A game over markets, and one lambda.

    Attributes:
        name: of the game.
        rules: "obedience" or "delegation".
        ties: who wins users who are indifferent.
        rationality: lambda; None is the best response.
        tolerance: in units of utility; 0 for the best response.
        limit: of the moves of dynamics; None is no dynamics.
        profiles: whether all profiles are listed.
        usual: whether dynamics are those that are replayed.
    """

    name: str
    rules: str
    ties: str
    rationality: float | None
    tolerance: float
    limit: int | None
    profiles: bool
    usual: bool

    @property
    def response(self) -> str:
        return "best" if self.rationality is None else "quantal"


@dataclass(frozen=True)
class MarketConfiguration(Configuration):
    """`sweep.json` of a dataset of markets."""

    unit: ClassVar[str] = "markets"
    kinds: ClassVar[tuple[str, str]] = ("markets", "users")
    key: ClassVar[str] = "market"

    def __getitem__(self, name: str) -> Any:
        return _USUAL[name] if name in _USUAL else self.description["config"][name]

    @cached_property
    def plays(self) -> list[Play]:
        """The games with their lambdas, in the order of the rows."""
        return [play for game in self["game"] for play in _plays(game)]

    @property
    def game(self) -> Game:
        """As far as tables' checks ask; each game's own is in `MARKET_GAMES`."""
        return Game(known=True, schemes=True)

    def part(self, shard: int) -> Part:
        """What all shards' markets are; the version is that of the random markets."""
        states, actions, providers = (int(self[name]) for name in ("states", "actions", "providers"))
        return Part(
            f"{self['alignment']}-alignment", states, actions, providers, {}, self.description["family_version"]
        )

    def rows_each(self, part: Part) -> int:
        """Rows of results of each market."""
        return (2**part.providers - 1) * self["users"] * len(self.plays)

    def letters(self, part: Part) -> dict[str, int]:
        """Of a tensor over action profiles there is none: markets are separable."""
        return super().letters(part) | {"N": self["users"], "...": 1}

    def columns(self, kind: str) -> list[Column]:
        """The columns of `markets` or `users`, in order."""
        return list(declared(kind))

    def check_limits(self) -> None:
        """Refuse sizes that no sweep can have."""
        check_whole("users", self["users"], 1, MOST_ROWS)
        if not 0 < len(self["game"]) <= _MOST_PLAYS or len(self.plays) > _MOST_PLAYS:
            raise ValueError(f"game: not 1 to {_MOST_PLAYS:,} games and lambdas")
        check_common(self)
        if self["alignment"] not in ALIGNMENTS or type(self["promises"]) is not bool:
            raise ValueError(f"alignment or promises: {self['alignment']!r}, {self['promises']!r}")
        if type(self["error"]) not in (int, float) or not 0 <= self["error"] <= 0.5:
            raise ValueError(f"error: {self['error']!r}")
        part = self.part(0)
        self.check_part(part)
        if part.states * part.actions * part.providers * self["users"] > MOST_CELLS:
            raise ValueError(f"markets of more than {MOST_CELLS:,} utilities")


def _plays(game: Mapping[str, Any]) -> list[Play]:
    response = game.get("response", "best")
    dynamics = game.get("dynamics", True)
    options = dynamics if isinstance(dynamics, dict) else {}
    return [
        Play(
            name=str(game["name"]),
            rules=str(game.get("protocol", "obedience")),
            ties=str(game.get("tie_break", "lowest_index")),
            rationality=rationality,
            tolerance=0.0 if rationality is None else float(response["tolerance"]),
            limit=None if dynamics is False else int(options.get("step_limit", 10**6)),
            profiles=bool(game.get("profiles", True)),
            usual=all(options.get(name, USUAL[name]) == USUAL[name] for name in ("order", "deviation")),
        )
        for rationality in lambdas_of(response) or [None]
    ]
