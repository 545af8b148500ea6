"""Whether pure equilibria are efficient: the weights whose total utility they maximize, or what dominates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from equilibrax.fits import pareto_fits
from equilibrax.fits.pareto import ParetoFits
from equilibrax.problems.normal_form import NormalForm

_NUMBERS = 1 << 24  # of comparisons that are held at a time


@dataclass(frozen=True)
class ProfileEfficiency:
    """Efficiency of L profiles, for all players of their games (Pallavi Sudhir and Tran-Thanh, Section 1).

    Attributes:
        games: the games.
        game: `[L]` position of the game that a profile is of.
        profile: `[L, N]` everybody's action.
        efficient_profiles: `[L]` no other profile is at least as good for everybody and better for somebody.
        fits: the answers among lotteries over profiles, with their proofs.
    """

    games: NormalForm
    game: Int[np.ndarray, " L"]
    profile: Int[np.ndarray, "L N"]
    efficient_profiles: Bool[np.ndarray, " L"]
    fits: ParetoFits

    @property
    def efficient(self) -> Bool[np.ndarray, " L"]:
        """`[L]` no lottery over profiles is at least as good for everybody and better for somebody."""
        return self.fits.efficient

    @property
    def weakly_efficient(self) -> Bool[np.ndarray, " L"]:
        """`[L]` no lottery over profiles is better for everybody."""
        return self.fits.weakly_efficient

    @property
    def gap(self) -> Float[np.ndarray, " L"]:
        """`[L]` the most that a lottery gives everybody beyond the profile, in units of payoff (or those given)."""
        return self.fits.gap

    @property
    def weights(self) -> Float[np.ndarray, "L N"]:
        """`[L, N]` Negishi weights: positive, with sum 1, if the profile is efficient: it maximizes the weighted sum of
        payoffs; where it is weakly efficient some are 0, elsewhere they prove the gap."""
        return self.fits.weights

    @property
    def welfare_weights(self) -> Float[np.ndarray, "L N"]:
        """`[L, N]` of the geometric welfare `prod u_i**w_i` that the profile maximizes, with sum 1; NaN unless it is
        efficient and everybody's payoff positive."""
        number = np.ravel_multi_index(tuple(self.profile.T), self.games.num_actions)
        payoffs = self.games.flat[self.game, :, number] / self.games.resolution
        parts = self.weights * payoffs
        known = self.efficient & (payoffs > 0).all(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(known[:, None], parts / parts.sum(axis=1, keepdims=True), np.nan)

    @property
    def lottery(self) -> Float[np.ndarray, "L *A"]:
        """`[L, A_1, ..., A_N]` a lottery over profiles that dominates this one: it attains the gap or, if that is 0, is
        better for somebody; NaN where the profile is efficient."""
        return self.fits.lottery.reshape(len(self.game), *self.games.num_actions)


def efficiency_of_profiles(
    games: NormalForm, stable: np.ndarray, units: Any, backend: Literal["auto", "xla", "cpu"]
) -> ProfileEfficiency:
    """The efficiency of all profiles that are marked, `[B, P]`."""
    game, number = np.nonzero(stable)
    flat, players = games.flat, games.num_players
    unit = np.asarray(games.resolution if units is None else np.asarray(units, float) * games.resolution, float)
    if unit.shape not in ((), (players,)) or not (np.isfinite(unit) & (unit > 0)).all():
        raise ValueError(f"units: expected {players} positive numbers, one of each player, got {units!r}")
    if not len(game):
        nothing = np.zeros((0, players))
        lottery, none = np.zeros((0, 1, games.num_profiles)), np.zeros(0, bool)
        fits = ParetoFits(none, none, np.zeros(0), np.zeros(0), nothing, lottery, none, 0, 0)
    else:
        cells = flat[:, :, None, :]
        every = np.ones((len(flat), 1, games.num_profiles), bool)
        fits = pareto_fits(cells, every, actions=number[:, None], problem=game, unit=unit, backend=backend)
    profile = np.stack(np.unravel_index(number, games.num_actions), axis=1)
    return ProfileEfficiency(games, game, profile, ~_dominated(flat, game, number), fits)


def _dominated(flat: np.ndarray, game: np.ndarray, number: np.ndarray) -> np.ndarray:
    """`[L]` whether another profile is at least as good for everybody and better for somebody."""
    found = np.zeros(len(game), bool)
    step = max(1, _NUMBERS // (flat.shape[1] * flat.shape[2]))
    for start in range(0, len(game), step):
        here = slice(start, start + step)
        of = flat[game[here]]
        own = np.take_along_axis(of, number[here, None, None], axis=2)
        better = (of >= own).all(axis=1) & np.any(of > own, axis=1)
        found[here] = better.any(axis=1)
    return found
