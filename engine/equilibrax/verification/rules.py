"""What is known of each game, in one place: whoever asks a question about a game finds the answer here.

A game that is not here is one of somebody else's: its files, tables and constant columns are checked, its results are
not, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

FLAGS = {
    "FRONTIER_OVERFLOW": 1,
    "COUNT_SATURATED": 2,
    "DYNAMICS_LIMIT": 4,
    "MISALIGNMENT_UNCERTIFIED": 8,
    "CYCLE": 16,
    "RULE_UNCERTIFIED": 32,
    "NO_EQUILIBRIUM": 64,
    "PROFILES_NOT_COMPARED": 128,
}
OVERFLOW, SATURATED, LIMIT, UNCERTIFIED, CYCLE, RULE, NONE, PROFILES = FLAGS.values()

USUAL = {"order": "round_robin", "deviation": "best", "weights": "nonnegative", "rules": "partitions"}
"""Options of games, of dynamics and of the misalignment that are worked out again; others are left out, and said so."""


@dataclass(frozen=True)
class Game:
    """What a game is, as far as its rows say.

    Attributes:
        known: whether its results are solved again.
        schemes: whether rules are schemes, which the user follows; else partitions of the states.
        alone: whether there is one committee, of the user herself.
        takes: whether the user takes one provider; else she hears all of them.
        aware: whether providers know of each other.
        statuses: the flags that rows can have at all.
        of: those of them that there can be only with an option.
    """

    known: bool = False
    schemes: bool = False
    alone: bool = False
    takes: bool = False
    aware: bool = True
    statuses: int = sum(FLAGS.values())
    of: Mapping[int, str] = ()  # pyright: ignore[reportAssignmentType]

    def committees(self, providers: int) -> np.ndarray:
        """Their bitmasks, in the order of the rows."""
        return np.arange(1, 2 if self.alone else 2**providers)


GAMES = {
    "selection": Game(
        known=True,
        schemes=True,
        takes=True,
        statuses=OVERFLOW | SATURATED | LIMIT | UNCERTIFIED,
        of={LIMIT: "dynamics", UNCERTIFIED: "misalignment", OVERFLOW: "schemes", SATURATED: "schemes"},
    ),
    "obedient": Game(known=True, takes=True, statuses=LIMIT | NONE, of={LIMIT: "dynamics", NONE: "rationality"}),
    "joint": Game(
        known=True, statuses=LIMIT | CYCLE | RULE, of={LIMIT: "dynamics", CYCLE: "dynamics", RULE: "lotteries"}
    ),
    "aligned": Game(known=True, alone=True, statuses=0),
    "oblivious": Game(
        known=True, aware=False, statuses=RULE | PROFILES, of={RULE: "lotteries", PROFILES: "partitions"}
    ),
}
"""By name."""


@dataclass(frozen=True)
class MarketGame:
    """What a game over markets is, as far as its rows say.

    Attributes:
        per_user: whether providers have a rule for every user.
        of_rules: the flags that rows can have, by what providers post.
    """

    per_user: bool
    of_rules: Mapping[str, int]


MARKET_GAMES = {
    "personalized": MarketGame(True, {"obedience": LIMIT | NONE, "delegation": OVERFLOW | SATURATED | LIMIT}),
    "anonymous": MarketGame(False, {"obedience": LIMIT | NONE | CYCLE}),
}
"""By name, where providers all see the state, as in all datasets of markets: users' own games are selection games."""
