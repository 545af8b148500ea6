"""Lotteries in the joint game: what a search found for every committee, and how far it is from an equilibrium."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from equilibrax._core.column import Column
from equilibrax._core.columns import declared
from equilibrax._core.status import Status
from equilibrax.games._result import CommitteeResult
from equilibrax.games.lotteries.profiles import rationality_of
from equilibrax.games.lotteries.regret import check_programs
from equilibrax.games.lotteries.search import GradientSearch, search_lotteries
from equilibrax.problems.persuasion import PersuasionGame

if TYPE_CHECKING:
    from equilibrax.games.joint import Joint


@dataclass(frozen=True, kw_only=True)
class JointLotteries(CommitteeResult):
    """Profiles of lotteries over messages, one for every game and committee, with what providers could gain by others.

    A search finds them, so they are some profiles and not the worst or the best ones. One is an epsilon-equilibrium if
    it is certified that no member gains more than epsilon by any rule whatever, and epsilon is no more than the
    tolerance of the search; `epsilon` names it then. Nothing else is called an equilibrium. Only members are in the
    market: of other providers there is nothing, NaN. Utilities and gains are expectations.

    Attributes:
        rules: `[B, C, K, X, M]` chances: in state x, provider j says m.
        user_utility: `[B, C]` the user's, who takes the lowest of her best actions, or responds quantally.
        provider_utility: `[B, C, K]` that of each member.
        gain: `[B, C, K]` what each member gains by a rule that is known; gain_bound: what it gains at most,
            infinite where nothing is proved.
        certified: `[B, C]` whether the two meet for all members.
        regret_before: `[B, C]` the largest bound of the first start, as the gradients left it.
        start: `[B, C]` which start the profile came from.
        curve: `[B, C, P, K]` what members expected while that start was climbed.
        status: `[B, C]` int32, RULE_UNCERTIFIED where it is not certified.
        tables: the games that were searched.

    Example:
        >>> import equilibrax as eq
        >>> trial = eq.PersuasionGame.from_prior(
        ...     [[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]]
        ... )  # guilty or innocent; convict or acquit
        >>> search = eq.GradientSearch(starts=2, steps=100)
        >>> found = eq.solve(trial, eq.Joint(rules="lotteries", search=search))
        >>> found.provider_utility.round(5).tolist(), found.user_utility.round(5).tolist()
        ([[[0.6]]], [[0.7]])
        >>> found.within.tolist(), bool(found.epsilon[0, 0] <= search.tolerance)
        ([[True]], True)
    """

    rules: Float[np.ndarray, "B C K X M"]
    user_utility: Float[np.ndarray, "B C"]
    provider_utility: Float[np.ndarray, "B C K"]
    gain: Float[np.ndarray, "B C K"]
    gain_bound: Float[np.ndarray, "B C K"]
    certified: Bool[np.ndarray, "B C"]
    regret_before: Float[np.ndarray, "B C"]
    start: Int[np.ndarray, "B C"]
    curve: Float[np.ndarray, "B C P K"]
    tables: PersuasionGame = field(repr=False)

    @property
    def problem(self) -> PersuasionGame:
        """The games that were searched."""
        return self.tables

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows, see `equilibrax.rows`; those about equilibria are null."""
        return declared("committees", "partitions", "search")

    @property
    def retries(self) -> Int[np.ndarray, " B"]:
        """`[B]` how often a game was solved again: never."""
        return np.zeros(len(self.tables), np.int32)

    @property
    def resolved(self) -> int:
        """How many numbers were solved again by HiGHS; of lotteries that is not counted."""
        return 0

    @property
    def search(self) -> GradientSearch:
        """How it was searched."""
        return self.game.search  # pyright: ignore[reportAttributeAccessIssue]

    @cached_property
    def regret_lower(self) -> Float[np.ndarray, "B C"]:
        """`[B, C]` the most that a member gains by a rule that is known."""
        return np.nanmax(self.gain, axis=2)

    @property
    def regret(self) -> Float[np.ndarray, "B C"]:
        """`[B, C]` the same where there is a bound beside it, NaN where nothing says how much more there is."""
        return np.where(np.isfinite(self.regret_bound), self.regret_lower, np.nan)

    @cached_property
    def regret_bound(self) -> Float[np.ndarray, "B C"]:
        """`[B, C]` what no rule whatever gains any member more than."""
        return np.nanmax(self.gain_bound, axis=2)

    @property
    def within(self) -> Bool[np.ndarray, "B C"]:
        """`[B, C]` whether that is certified, and no more than the tolerance of the search."""
        return self.certified & (self.regret_bound <= self.search.tolerance)

    @property
    def epsilon(self) -> Float[np.ndarray, "B C"]:
        """`[B, C]` the profile is an epsilon-equilibrium for this number; NaN where it is not called one."""
        return np.where(self.within, self.regret_bound, np.nan)

    @property
    def optimum(self) -> Float[np.ndarray, "B C"]:
        """`[B, C]` first-best expected utility, the same for all committees of a game."""
        return np.broadcast_to(self.tables.optimum_utility[:, None], self.status.shape)

    def _caption(self) -> str:
        return f"{super()._caption()}, found by a search, tolerance {self.search.tolerance:g}"

    def _numbers(self) -> dict[str, np.ndarray | None]:
        return {"optimum": self.optimum, "user": self.user_utility, "regret at most": self.regret_bound}

    def _texts(self) -> dict[str, Any]:
        return {"epsilon-equilibrium for": lambda at: f"{self.epsilon[at]:.3g}" if self.within[at] else "none"}


def searched(
    game: Joint, search: GradientSearch, problem: PersuasionGame, masks: np.ndarray, mesh: Mesh
) -> JointLotteries:
    """Search each of C committees as if nobody else were in the market.

    Raises:
        ValueError: before anything is searched, if the programs of a committee are too large, with their size.
    """
    members, parts = _markets(problem, masks)
    messages = search.messages or problem.states
    for part in parts:
        check_programs(part, messages, rationality_of(game.response))
    shape, k = (len(problem), len(masks)), problem.num_providers
    missing = {
        "rules": np.full((*shape, k, problem.states, messages), np.nan),
        **{name: np.full((*shape, k), np.nan) for name in ("provider_utility", "gain", "gain_bound")},
    }
    found = [search_lotteries(part, search, response=game.response, devices=list(mesh.devices.flat)) for part in parts]
    curve = np.full((*shape, found[0].curve.shape[1], k), np.nan)
    for c, (chosen, one) in enumerate(zip(members, found)):
        own = one.rules, one.found.value, one.found.regret_lower, one.found.regret_bound
        for whole, values in zip(missing.values(), own):
            whole[:, c, chosen] = values
        curve[:, c, :, chosen] = np.moveaxis(one.curve, 2, 0)
    certified = np.stack([one.found.certified.all(axis=1) for one in found], axis=1)
    return JointLotteries(
        game=game,
        committees=masks,
        **missing,
        user_utility=np.stack([one.found.user_value for one in found], axis=1),
        certified=certified,
        regret_before=np.stack([one.epsilon_before for one in found], axis=1),
        start=np.stack([one.start for one in found], axis=1),
        curve=curve,
        status=np.where(certified, 0, int(Status.RULE_UNCERTIFIED)).astype(np.int32),
        tables=problem,
    )


def check_markets(game: Joint, search: GradientSearch, problem: PersuasionGame, masks: np.ndarray) -> None:
    """Refuse committees whose programs are too large.

    Raises:
        ValueError: with their size.
    """
    for part in _markets(problem[:1], masks)[1]:
        check_programs(part, search.messages or problem.states, rationality_of(game.response))


def _markets(problem: PersuasionGame, masks: np.ndarray) -> tuple[list[np.ndarray], list[PersuasionGame]]:
    """The members of every committee, and the games of these alone."""
    members = [np.flatnonzero(int(mask) >> np.arange(problem.num_providers) & 1) for mask in masks]
    providers = np.asarray(problem.providers)
    return members, [replace(problem, providers=providers[:, chosen], labels=None) for chosen in members]
