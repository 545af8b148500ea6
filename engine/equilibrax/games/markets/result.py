"""What solving a market returns: one row per (market, committee, user)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from equilibrax._core.column import Column
from equilibrax._core.columns import declared
from equilibrax._core.status import Status
from equilibrax.games._options import Quantal
from equilibrax.games._result import Result
from equilibrax.problems.market import Market


@dataclass(frozen=True, kw_only=True)
class MarketResult(Result):
    """Equilibria of a game between the providers of B markets, for C committees and all N users.

    Of what `Result` describes, arrays have a last axis of users: `[B, C, N]`, or `[B, R, C, N]` if users respond
    quantally with a list of R lambdas; `each` takes these apart. `status` has none. Utilities are NaN where there is no
    equilibrium or it was not found; values, choices and labels are -1 there.

    Rules are written as a label for every state: of its cell (obedience; cells are counted in the order in which they
    appear) or the action to take (delegation).

    Attributes:
        counted: what `equilibria` counts. "rules": the different rules that a user may end up with in an equilibrium of
            her own game (personalized, separable, all providers see the same). "profiles": the profiles of all members'
            rules that are equilibria, of her own game (personalized, separable) or of the market.
        equilibria: `[B, C, N]` int64; 0 where there is none (possible where profiles are counted); -1 where they were
            not looked for or not found.
        worst_rules: `[B, C, N, K, X]` what every provider posts to user n (to everybody in the anonymous game) in the
            lexicographically first of the equilibria that are worst for her; -1 for providers that are no members.
        worst_choice: `[B, C, N, N]` the provider that each user takes (last axis) in the equilibrium that is worst for
            user n; where users have games of their own, each in her own worst.
        dynamics_rules: `[B, C, N, K, X]` what every provider posts to her where best-response dynamics ends. Where
            `counted` is "rules", what all members may post to support it: the rule she ends up with.
        dynamics_choice: `[B, C, N]` the provider she takes there.
        market: the markets that were solved.

    Example:
        >>> import equilibrax as eq
        >>> guess, pass_ = [[1, 0, 0.6], [0, 1, 0.6]], [[0, 0, 1]] * 2
        >>> market = eq.separable_market([guess] * 2, [[guess, pass_]], weights=[[1, 2]])
        >>> eq.solve(market, "anonymous").worst_utility.tolist()
        [[[0.6, 0.6]]]
        >>> eq.solve(market, "personalized").worst_utility.tolist()
        [[[1.0, 0.6]]]
    """

    counted: str
    worst_rules: Int[np.ndarray, "B *R C N K X"]
    worst_choice: Int[np.ndarray, "B *R C N N"]
    dynamics_rules: Int[np.ndarray, "B *R C N K X"] | None
    dynamics_choice: Int[np.ndarray, "B *R C N"] | None
    market: Market = field(repr=False)

    _unit = "market"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows, see `equilibrax.rows`."""
        return declared("users")

    @property
    def problem(self) -> Market:
        """The markets that were solved."""
        return self.market

    @property
    def table_id(self) -> np.ndarray:
        """`[B]` int64, the markets' ids."""
        return np.asarray(self.market.market_id)

    @property
    def rules(self) -> Any:
        """What providers post: "obedience" (partitions) or "delegation" (maps to actions)."""
        return getattr(self.game, "protocol", "obedience")

    @property
    def solved(self) -> Bool[np.ndarray, "B *R C N"]:
        """`[B, C, N]` bool, whether there is an equilibrium and it was found."""
        return self.equilibria > 0

    @property
    def optimum_utility(self) -> Float[np.ndarray, "B N"]:
        """`[B, N]` every user's first-best expected utility: the best action in every state."""
        return self.market.optimum_utility

    @property
    def optimum(self) -> Float[np.ndarray, "B *R C N"]:
        """The same in the shape of the result."""
        users = self.optimum_utility
        return np.broadcast_to(users.reshape(len(users), *[1] * (self.status.ndim - 1), -1), self.equilibria.shape)

    @property
    def dynamics_utility(self) -> Float[np.ndarray, "B *R C N"] | None:
        """`[B, C, N]` expected utilities where dynamics ends (NaN where it does not), or None if it was skipped."""
        if self.dynamics_value is None:
            return None
        lost = int(Status.CYCLE | Status.FRONTIER_OVERFLOW)
        return self._utility(self.dynamics_value, (self.status & lost == 0)[..., None])

    @property
    def each(self) -> tuple[MarketResult, ...]:
        """The results for every lambda, with arrays `[B, C, ...]`; the result itself if it has no list of them."""
        if not isinstance(self.rationality, tuple):
            return (self,)
        parts = ("worst_", "best_", "dynamics_", "equilibria", "status")
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name.startswith(parts)}
        found = []
        for r, rationality in enumerate(self.rationality):
            row: dict[str, Any] = {name: None if v is None else v[:, r] for name, v in arrays.items()}
            game = replace(cast(Any, self.game), response=Quantal(rationality, self.tolerance))
            found.append(replace(self, game=game, **row))
        return tuple(found)

    # --- printing

    def _caption(self) -> str:
        name, *rest = super()._caption().split(", ")
        return ", ".join([name, self.rules, *rest])

    def _leading(self) -> tuple[str, ...]:
        return ("user",)

    def _texts(self) -> dict[str, Any]:
        names = self.market.provider_names()
        return {"takes": lambda at: names[int(self.worst_choice[(*at, at[-1])])]}

    def _lines(self, table: int) -> Any:
        for c, mask in enumerate(self.committees.tolist()):
            for i, user in enumerate(self.market.user_names()):
                for r, rationality in enumerate(self.rationalities):
                    at = (table, r, c, i) if self._rationality.grid else (table, c, i)
                    names = [self.market.committee_name(mask) if i == r == 0 else "", user if r == 0 else ""]
                    yield names, at, at[:-1], rationality


@dataclass(frozen=True)
class MarketRegret:
    """What providers could gain by deviating from one profile of rules, each alone.

    Attributes:
        value: `[B, K]` the gain in fixed point: exact int64, or float64 for quantal response; 0 for a provider that is
            at its best response and for those that are not members.
        deviation: `[B, K, X]` (anonymous) or `[B, N, K, X]` (personalized) best rules; of several the first.
        tolerance: gains in utility of no more than this are none; 0 for best response.
        scale: `[B]` value per unit of a provider's expected utility.

    Example:
        >>> import equilibrax as eq
        >>> market = eq.separable_market([[[1, 0], [0, 1]]], [[[[1, 0], [0, 1]]]], weights=[[1]])
        >>> regret = eq.games.market_regret(market, [[0, 0]], game="anonymous")
        >>> regret.utility.tolist(), regret.equilibrium.tolist(), regret.deviation.tolist()
        ([[0.5]], [False], [[[0, 1]]])
    """

    value: Num[np.ndarray, "B K"]
    deviation: Int[np.ndarray, "B *N K X"]
    tolerance: float
    scale: Int[np.ndarray, " B"]

    @property
    def utility(self) -> Float[np.ndarray, "B K"]:
        """`[B, K]` the gain in expected utility."""
        return self.value / self.scale[:, None]

    @property
    def equilibrium(self) -> Bool[np.ndarray, " B"]:
        """`[B]` whether nobody can gain."""
        return np.all(self.value <= self.tolerance * self.scale[:, None], axis=1)
