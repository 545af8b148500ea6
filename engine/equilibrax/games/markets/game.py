"""What the games between the providers of a market share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from jax.sharding import Mesh

from equilibrax._core.status import Status
from equilibrax.games._game import Compared, Game
from equilibrax.games._options import Dynamics, InTurn, Rationality, Response
from equilibrax.games.markets.profiles import PostingGame, exact_in_floats
from equilibrax.games.markets.result import MarketResult
from equilibrax.problems.market import Market

MarketDynamics = InTurn | Literal["only"]
"""As everywhere; "only" is True with `profiles=False`."""


class MarketGame(Game[MarketResult]):
    """Base of the games over markets.

    If a market is separable and all providers see the same, the personalized game is a selection game for each user.
    Otherwise, and in the anonymous game, all profiles of the members' rules are compared, symmetric or not; there may
    be no equilibrium (`Status.NO_EQUILIBRIUM`), and where profiles are too many to list there are dynamics and
    `market_regret`.

    Attributes:
        protocol: what providers post: "obedience" (partitions of what they see; each user learns its refinement with
            what she sees herself, and responds) or "delegation" (maps to actions; users do what they are told).
        per_user: whether providers have a rule for every user.
    """

    over: ClassVar[tuple[type[Any], ...]] = (Market,)
    answers: ClassVar[Status] = Status.COUNT_SATURATED | Status.NO_EQUILIBRIUM | Status.CYCLE
    statuses: ClassVar[Status] = answers | Status.DYNAMICS_LIMIT | Status.FRONTIER_OVERFLOW
    per_user: ClassVar[bool] = False

    protocol: Any = "obedience"
    response: Response
    dynamics: MarketDynamics
    profiles: bool

    def __post_init__(self) -> None:
        Rationality.of(self.response)
        if self.dynamics == "only":
            object.__setattr__(self, "dynamics", True)
            object.__setattr__(self, "profiles", False)
        if not isinstance(self.dynamics, bool | Dynamics):
            raise ValueError(f'dynamics: expected True, False, "only" or a Dynamics, got {self.dynamics!r}')
        if not Dynamics.in_turn(self.dynamics, self.name) and not self.profiles:
            raise ValueError("dynamics: expected some where no profiles are listed, got False")

    def accept(self, problem: Any) -> Market:
        """The market."""
        return super().accept(problem)

    @property
    def turns(self) -> Dynamics | None:
        """How dynamics goes on, if it is followed."""
        return Dynamics.of(self.dynamics)

    def counts(self, market: Market) -> str:
        """What `equilibria` counts: "rules" or "profiles"."""
        return "profiles"

    def without_loops(self, problem: Market) -> str:
        """Nothing, unless numbers are too large."""
        return "" if exact_in_floats(problem) else f"in the {self.name} game with sums of 2**53 or more"

    def solve_cpu(self, problem: Market, masks: np.ndarray) -> MarketResult:
        """The same."""
        return self.solve_xla(problem, masks, None)

    def solve_xla(self, problem: Market, masks: np.ndarray, mesh: Mesh | None) -> MarketResult:
        """Equilibria of C committees, for one lambda after the other."""
        self.check(problem)
        solved = [self.fields(problem, masks, one, mesh) for one in self.how.each]
        fields = _with_grid(solved) if self.how.grid else solved[0]
        return MarketResult(game=self, counted=self.counts(problem), committees=masks, market=problem, **fields)

    def check(self, market: Market) -> None:
        """Refuse options that this market has no use for."""

    def fields(self, market: Market, masks: np.ndarray, how: Rationality, mesh: Mesh | None) -> dict[str, Any]:
        """Fields of a `MarketResult` for one lambda; by loops if there is no mesh."""
        raise NotImplementedError

    def postings(self, market: Market, how: Rationality) -> PostingGame:
        """Markets as games between providers with listed strategies, for one lambda."""
        raise NotImplementedError

    @classmethod
    def compared(cls, lambdas: tuple[float, ...], tolerance: float) -> tuple[Compared, ...]:
        """Nothing: comparisons are of tables."""
        return ()


def _with_grid(solved: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Fields `[B, R, ...]` from R times `[B, ...]`."""
    first = solved[0]
    return {name: None if first[name] is None else np.stack([one[name] for one in solved], axis=1) for name in first}
