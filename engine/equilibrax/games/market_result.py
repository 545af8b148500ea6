"""What solving a market returns: one row per (market, committee, user)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from rich.console import Console
from rich.table import Table

from equilibrax._core.column import Column
from equilibrax._core.columns import declared
from equilibrax._core.committees import committee_index
from equilibrax._core.status import Status, status_names
from equilibrax.games.selection_result import _cell
from equilibrax.problems.market import Market


@dataclass(frozen=True)
class MarketResult:
    """Equilibria of a game between the providers of B markets, for C committees and all N users.

    Fields that end in `_value` are sums of prior weight times fixed-point utility: exact int64 for best response,
    float64 for quantal response. The properties that end in `_utility` are the same as expected utilities, NaN where
    there is no equilibrium or it was not found; values, choices and labels are -1 there.

    If `rationality` was a list of R values, arrays that begin `[B, C` here are `[B, R, C`; `each` takes them apart.

    Rules are written as a label for every state: of its cell (obedience; cells are counted in the order in which they
    appear) or the action to take (delegation).

    Attributes:
        game: "personalized" or "anonymous".
        rules: "obedience" or "delegation".
        response: "best" or "quantal".
        rationality: None for best response, else lambda or the tuple of lambdas.
        tolerance: quantal utilities that differ by no more are equal; 0 for best response.
        tie_break: who wins users who are indifferent: "lowest_index", or "incumbent".
        counted: what `equilibria` counts. "rules": the different rules that a user may end up with in an equilibrium of
            her own game (personalized, separable, all providers see the same). "profiles": the profiles of all members'
            rules that are equilibria, of her own game (personalized, separable) or of the market.
        committees: `[C]` int32 bitmasks; bit j is provider j.
        worst_value, best_value: `[B, C, N]` every user's smallest and largest value in equilibrium.
        equilibria: `[B, C, N]` int64; 0 where there is none (possible where profiles are counted); -1 where they were
            not looked for or not found.
        worst_rules: `[B, C, N, K, X]` what every provider posts to user n (to everybody in the anonymous game) in the
            lexicographically first of the equilibria that are worst for her; -1 for providers that are no members.
        worst_choice: `[B, C, N, N]` the provider that each user takes (last axis) in the equilibrium that is worst for
            user n; where users have games of their own, each in her own worst.
        dynamics_value: `[B, C, N]` users' values where best-response dynamics ends, or None.
        dynamics_rules: `[B, C, N, K, X]` what every provider posts to her there. Where `counted` is "rules", what all
            members may post to support it: the rule she ends up with.
        dynamics_choice: `[B, C, N]` the provider she takes there.
        dynamics_steps: `[B, C, N]` int64, number of moves in her own game or in the market.
        status: `[B, C]` int32, flags of `Status`; 0 is OK.
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

    game: str
    rules: str
    response: str
    rationality: float | tuple[float, ...] | None
    tolerance: float
    tie_break: str
    counted: str
    committees: Int[np.ndarray, " C"]
    worst_value: Num[np.ndarray, "B *R C N"]
    best_value: Num[np.ndarray, "B *R C N"]
    equilibria: Int[np.ndarray, "B *R C N"]
    worst_rules: Int[np.ndarray, "B *R C N K X"]
    worst_choice: Int[np.ndarray, "B *R C N N"]
    dynamics_value: Num[np.ndarray, "B *R C N"] | None
    dynamics_rules: Int[np.ndarray, "B *R C N K X"] | None
    dynamics_choice: Int[np.ndarray, "B *R C N"] | None
    dynamics_steps: Int[np.ndarray, "B *R C N"] | None
    status: Int[np.ndarray, "B *R C"]
    market: Market = field(repr=False)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows, see `equilibrax.rows`."""
        return declared("users")

    @property
    def scale(self) -> np.ndarray:
        """`[B]` int64, value per unit of a user's expected utility."""
        return self.market.scale

    @property
    def table_id(self) -> np.ndarray:
        """`[B]` int64, the markets' ids."""
        return np.asarray(self.market.market_id)

    @property
    def solved(self) -> Bool[np.ndarray, "B *R C N"]:
        """`[B, C, N]` bool, whether there is an equilibrium and it was found."""
        return self.equilibria > 0

    def _utility(self, values: np.ndarray, known: np.ndarray) -> Float[np.ndarray, "B *R C N"]:
        scale = self.scale.reshape(-1, *[1] * (self.status.ndim))
        return np.where(known, values / scale, np.nan)

    @property
    def optimum_utility(self) -> Float[np.ndarray, "B N"]:
        """`[B, N]` every user's first-best expected utility: the best action in every state."""
        return self.market.optimum_utility

    @property
    def worst_utility(self) -> Float[np.ndarray, "B *R C N"]:
        """`[B, C, N]` every user's smallest expected utility in any equilibrium."""
        return self._utility(self.worst_value, self.solved)

    @property
    def best_utility(self) -> Float[np.ndarray, "B *R C N"]:
        """`[B, C, N]` every user's largest expected utility in any equilibrium."""
        return self._utility(self.best_value, self.solved)

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
            row = {name: None if values is None else values[:, r] for name, values in arrays.items()}
            found.append(replace(self, rationality=rationality, **row))
        return tuple(found)

    @property
    def status_names(self) -> np.ndarray:
        """`[B, C]` statuses as text, `OK` or flags joined by `|`."""
        return status_names(self.status)

    def index(self, committee: int | Sequence[str]) -> int:
        """Position of a committee, given as a bitmask or by the names of its providers.

        Raises:
            ValueError: if a name is not a provider's, or that committee was not solved.
        """
        return committee_index(committee, self.committees, self.market.provider_names())

    def show(self, market: int = 0, *, width: int | None = None) -> None:
        """Print the results of one market of the batch, a line per committee, user and lambda.

        Args:
            market: position in the batch.
            width: characters per line; default is the terminal's.
        """
        caption = f"{self.game}, {self.rules}, {self.response} response, ties: {self.tie_break}"
        caption += f", tolerance {self.tolerance:g}" if self.response == "quantal" else ""
        shown = Table(title=self.market.names()[market], caption=f"{caption}; utilities are expectations")
        shown.add_column("committee", min_width=9)
        shown.add_column("user", min_width=4)
        each = [(one, one._columns()) for one in self.each]
        for heading in (["lambda"] if self.response == "quantal" else []) + list(each[0][1]):
            shown.add_column(heading, justify="right", no_wrap=True)
        shown.add_column("takes", min_width=5)
        shown.add_column("status", no_wrap=True)
        providers, statuses = self.market.provider_names(), [one.status_names[market] for one, _ in each]
        for c, mask in enumerate(self.committees.tolist()):
            for i, user in enumerate(self.market.user_names()):
                for r, (one, columns) in enumerate(each):
                    at = (market, c, i)
                    names = [self.market.committee_name(mask) if i == r == 0 else "", user if r == 0 else ""]
                    names += [f"{one.rationality:g}"] if self.response == "quantal" else []
                    cells = ["" if np.isnan(values[at]) else _cell(values[at]) for values in columns.values()]
                    takes = providers[int(one.worst_choice[(*at, i)])] if one.solved[at] else ""
                    shown.add_row(*names, *cells, takes, str(statuses[r][c]))
        Console(highlight=False, width=width).print(shown)

    def _columns(self) -> dict[str, np.ndarray]:
        """The numbers that `show` prints, `[B, C, N]`, of one lambda."""
        numbers = {
            "optimum": np.broadcast_to(self.optimum_utility[:, None], self.equilibria.shape),
            "worst": self.worst_utility,
            "best": self.best_utility,
            "equilibria": self.equilibria,
            "dynamics": self.dynamics_utility,
            "steps": self.dynamics_steps,
        }
        return {heading: values for heading, values in numbers.items() if values is not None}


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
