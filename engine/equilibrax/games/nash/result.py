"""What solving games in normal form returns: which profiles are equilibria, and what was asked for besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from rich.table import Table

from equilibrax._core.checks import check_choice
from equilibrax.games._result import GameResult
from equilibrax.games.nash.efficiency import ProfileEfficiency, efficiency_of_profiles
from equilibrax.problems.normal_form import NormalForm

MOST_SHOWN = 100
"""Equilibria that `show` prints."""


@dataclass(frozen=True)
class LogitBranch:
    """The principal branch of logit quantal-response equilibria at R lambdas.

    Attributes:
        lambdas: `[R]` as they were given, in units of 1 / payoff.
        strategy: `[B, R, A_1 + ... + A_N]` probabilities of all actions, player after player; NaN where the branch was
            not followed that far.
        residual: `[B, R]` the largest difference between a probability and the response to the others' strategies.
        reached: `[B, R]` whether the branch was followed that far.
        actions: A_1..A_N.
    """

    lambdas: Float[np.ndarray, " R"]
    strategy: Float[np.ndarray, "B R S"]
    residual: Float[np.ndarray, "B R"]
    reached: Bool[np.ndarray, "B R"]
    actions: tuple[int, ...]

    def of(self, player: int) -> Float[np.ndarray, "B R A"]:
        """`[B, R, A_i]` the mixed strategies of one player.

        Args:
            player: its number, from 0.
        """
        start = sum(self.actions[:player])
        return self.strategy[:, :, start : start + self.actions[player]]


@dataclass(frozen=True, kw_only=True)
class NashResult(GameResult):
    """Pure equilibria of B games in normal form.

    Attributes:
        games: the games that were solved.
        equilibrium: `[B, A_1, ..., A_N]` bool, which profiles are equilibria.
        equilibria: `[B]` int64, how many there are.
        symmetric: `[B]` bool, which games stay the same if players are swapped with their actions.
        dynamics_profile: `[B, N]` int32, where best-response dynamics ended; in a cycle, the first profile that came
            back with the same turn; None if it was not run.
        dynamics_steps: `[B]` int64, moves until then.
        dynamics_cycle: `[B]` int64, moves of one round of the cycle, 0 where it ended at an equilibrium.
        committed: `[B, O, 2, N]` int32, what is played where players commit in each of `orders`: indifferent followers
            choose for those before them (0) or against them (1). None if it was not asked for.
        logit: the principal branch of logit equilibria, or None.
    """

    games: NormalForm = field(repr=False)
    equilibrium: Bool[np.ndarray, "B *A"] = field(repr=False)
    equilibria: Int[np.ndarray, " B"]
    symmetric: Bool[np.ndarray, " B"]
    dynamics_profile: Int[np.ndarray, "B N"] | None
    dynamics_steps: Int[np.ndarray, " B"] | None
    dynamics_cycle: Int[np.ndarray, " B"] | None
    committed: Int[np.ndarray, "B O 2 N"] | None
    logit: LogitBranch | None

    _unit = "game"

    @property
    def problem(self) -> NormalForm:
        """The games that were solved."""
        return self.games

    # --- equilibria

    def profiles(self, game: int = 0) -> list[tuple[int, ...]]:
        """The equilibria of one game in lexicographic order, each the number of every player's action.

        Args:
            game: position in the batch.
        """
        return [tuple(profile) for profile in np.argwhere(self.equilibrium[game]).tolist()]

    def profile_names(self, game: int = 0) -> list[tuple[str, ...]]:
        """The same by the names of the actions.

        Args:
            game: position in the batch.
        """
        return [self.games.profile_names(profile) for profile in self.profiles(game)]

    @property
    def symmetric_equilibria(self) -> Int[np.ndarray, " B"]:
        """`[B]` int64, in how many equilibria of a symmetric game all choose the same; -1 in games that are none."""
        counts = np.full(len(self.games), -1, np.int64)
        if self.symmetric.any():
            same = np.arange(self.games.num_actions[0])
            counts[self.symmetric] = self.equilibrium[self.symmetric][:, *[same] * self.games.num_players].sum(axis=1)
        return counts

    # --- payoffs

    def payoffs_of(self, profiles: np.ndarray) -> Float[np.ndarray, "B ... N"]:
        """`[B, ..., N]` what every player has in profiles `[B, ..., N]`, such as `dynamics_profile`.

        Args:
            profiles: everybody's actions, for every game.
        """
        profiles = np.asarray(profiles)
        number = np.zeros(profiles.shape[:-1], np.int64)
        for i, count in enumerate(self.games.num_actions):
            number = number * count + profiles[..., i]
        flat = number.reshape(len(number), 1, -1)
        found = np.take_along_axis(
            self.games.flat, np.broadcast_to(flat, (*profiles.shape[:1], profiles.shape[-1], flat.shape[2])), axis=2
        )
        return np.moveaxis(found, 1, 2).reshape(profiles.shape) / self.games.resolution

    @property
    def worst_utility(self) -> Float[np.ndarray, "B N"]:
        """`[B, N]` every player's smallest payoff in any equilibrium, NaN where there is none."""
        return -self._extreme(-1)

    @property
    def best_utility(self) -> Float[np.ndarray, "B N"]:
        """`[B, N]` every player's largest payoff in any equilibrium, NaN where there is none."""
        return self._extreme(1)

    def _extreme(self, sign: int) -> np.ndarray:
        low, where = np.iinfo(np.int64).min, self.equilibrium.reshape(len(self.games), 1, -1)
        found = (self.games.flat * sign).max(axis=2, where=where, initial=low)
        return np.where(found == low, np.nan, found / self.games.resolution)

    @property
    def optimum(self) -> Float[np.ndarray, "B N"]:
        """`[B, N]` every player's largest payoff in any profile."""
        return self.games.flat.max(axis=2) / self.games.resolution

    @property
    def dynamics_payoffs(self) -> Float[np.ndarray, "B N"] | None:
        """`[B, N]` what everybody has where best-response dynamics got to, or None if it was not run."""
        return None if self.dynamics_profile is None else self.payoffs_of(self.dynamics_profile)

    def efficiency(self, *, units: Any = None, backend: Literal["auto", "xla", "cpu"] = "auto") -> ProfileEfficiency:
        """Whether each equilibrium is efficient among profiles, and among lotteries over profiles that may correlate
        everybody's actions; with the Negishi weights of those that are, and what dominates the others.

        Args:
            units: `[N]` of payoff in which the gap counts, everybody's own; None: 1 for all.
            backend: as in `equilibrax.solve`.

        Returns:
            The answers for all equilibria of all games, game after game, in lexicographic order.

        Raises:
            ValueError: if units are not positive.

        Example:
            >>> import equilibrax as eq
            >>> found = eq.solve(eq.tragedy_of_power(), eq.Nash()).efficiency()
            >>> found.efficient.tolist(), found.gap.tolist(), found.lottery[0].tolist()
            ([False], [1.0], [[0.0, 1.0], [0.0, 0.0]])
        """
        return efficiency_of_profiles(self.games, self.equilibrium.reshape(len(self.games), -1), units, backend)

    # --- commitment

    @property
    def orders(self) -> list[tuple[int, ...]]:
        """The orders of players in `committed`, first leader first; none if it was not asked for."""
        return [] if self.committed is None else list(permutations(range(self.games.num_players)))

    @property
    def commitment_payoffs(self) -> Float[np.ndarray, "B O 2 N"] | None:
        """`[B, O, 2, N]` what everybody has in `committed`: the value of commitment in every order."""
        return None if self.committed is None else self.payoffs_of(self.committed)

    def committed_names(self, game: int, order: Sequence[int] | Sequence[str], ties: str = "for") -> tuple[str, ...]:
        """What is played where players commit in this order, by name, in the players' own order.

        Args:
            game: position in the batch.
            order: the players, first leader first, as numbers or names.
            ties: "for" those before, or "against" them.

        Raises:
            ValueError: if commitment was not asked for, or that is no order of the players.
        """
        check_choice("ties", ties, ("for", "against"))
        if self.committed is None:
            raise ValueError("order: expected a result of Nash(commitment=True), got one without it")
        names = self.games.player_names()
        numbers: tuple[Any, ...] = tuple(names.index(one) if one in names else one for one in order)
        if numbers not in self.orders:
            raise ValueError(f"order: expected all of {', '.join(names)} in some order, got {tuple(order)!r}")
        played = self.committed[game, self.orders.index(numbers), int(ties == "against")]
        return self.games.profile_names(played)

    # --- printing

    def _table(self, table: int, decimals: int) -> Table:
        """A line per equilibrium: who does what, what everybody has, whether it is efficient, and the weights."""
        one, names, count = self.games[table], self.games.player_names(), int(self.equilibria[table])
        first = np.flatnonzero(self.equilibrium[table])[:MOST_SHOWN]
        marked = np.zeros((1, one.num_profiles), bool)
        marked[0, first] = True
        found = efficiency_of_profiles(one, marked, None, "auto")
        said = [f"{count:,} pure equilibria", *([f"{count - MOST_SHOWN:,} not shown"] if count > MOST_SHOWN else [])]
        if self.symmetric[table]:
            said.append(f"{self.symmetric_equilibria[table]:,} of them symmetric")
        shown = Table(title=self.games.names()[table], caption="; ".join([*said, str(self.status_names[table])]))
        for name in names:
            shown.add_column(name)
        shown.add_column("efficient", min_width=9)
        for heading in (*(f"{name} has" for name in names), "gap", *(f"weight of {name}" for name in names)):
            shown.add_column(heading, justify="right", no_wrap=True)
        for k, number in enumerate(first):
            verdict = "yes" if found.efficient[k] else "weakly" if found.weakly_efficient[k] else "no"
            has, weighs = one.flat[0, :, number] / one.resolution, found.weights[k]
            numbers = [f"{value:.{decimals}f}" for value in (*has, found.gap[k], *weighs)]
            shown.add_row(*one.profile_names(found.profile[k]), verdict, *numbers)
        return shown
