"""Efficiency among rules of the kind that providers post: schemes, or partitions that the user responds to.

What is efficient among lotteries is so among rules, since these are among those; only the rest is compared here.

Letters: B tables, R lambdas, C committees, N agents, X states.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibrax.games import Cells, cells_of_game, dominating_scheme
from equilibrax.problems.persuasion import PersuasionGame

MAX_STATES = 10
"""Most states whose partitions are compared."""


class RuleComparison:
    """Whether outcomes of one result are dominated by a rule of the same kind.

    Args:
        result: of a game that is played over tables.
        game: what it is measured in.
        followed: whether rules are actions that are followed, or cells that are heard.
        stable: whether every outcome is an equilibrium of its committee.
    """

    def __init__(self, result: Any, game: PersuasionGame, followed: bool, stable: bool) -> None:
        self.result, self.game, self.followed, self.stable = result, game, followed, stable
        self._cells: dict[tuple[int, int], Cells] = {}
        self._tables: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def dominated(self, at: tuple[int, int, int], rule: np.ndarray, agents: np.ndarray) -> tuple[bool, bool] | None:
        """Whether a rule is better for one agent and no worse for any, and whether one is better for all; None if there
        are too many to compare.

        Args:
            at: number of the table, the lambda and the committee.
            rule: `[X]`; agents: `[N]` bool.
        """
        b, r, c = at
        if self.followed:
            return self._by_schemes(b, int(self.result.committees[c]), rule, agents)
        if self.game.states > MAX_STATES:
            return None
        how = self.result.game.how.each[r]
        if (b, r) not in self._cells:
            if len(self._cells) > 64:
                self._cells.clear()
            self._cells[b, r] = cells_of_game(self.game, b, how)
        cells = self._cells[b, r]
        worth, own = cells.worth[agents], cells.of(rule[None])[agents]
        slack = how.tolerance * float(self.game.scale[b])
        better = worth > own + slack
        return bool((better.any(axis=0) & (worth >= own - slack).all(axis=0)).any()), bool(better.all(axis=0).any())

    def _by_schemes(self, b: int, mask: int, rule: np.ndarray, agents: np.ndarray) -> tuple[bool, bool] | None:
        if b not in self._tables:
            if len(self._tables) > 64:
                self._tables.clear()
            players = np.concatenate([np.asarray(self.game.user)[b][None], np.asarray(self.game.providers)[b]])
            self._tables[b] = np.moveaxis(players.sum(axis=1), 0, -1), np.asarray(self.game.available)[b]
        contributions, available = self._tables[b]
        who = np.flatnonzero(agents)
        taken = contributions[np.arange(len(rule)), rule][:, who].sum(axis=0)
        # A monopolist's optimum is no equilibrium against deviations of its own, and needs none: nothing gives it more.
        several = self.stable and agents[0] and mask & (mask - 1)
        members = [int(np.searchsorted(who, 1 + j)) for j in range(len(agents) - 1) if several and mask >> j & 1]
        return dominating_scheme(contributions[..., who], available, taken, members)
