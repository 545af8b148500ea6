"""Outcomes of a result, one after another, measured by what all could attain.

Letters: B tables, R lambdas, C committees, N agents, Z signals, X states, A actions, L outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from equilibrax.fits import pareto_fits
from equilibrax.games import Backend, TableResult
from equilibrax.theory._induced_actions import as_game, responses
from equilibrax.theory.welfare.agents import Agents, agents_of, units_of
from equilibrax.theory.welfare.rules import RuleComparison

_LANES = 1 << 14  # outcomes at a time


class Measure:
    """What outcomes of a result are measured by.

    Attributes:
        agents: `[C, N]` whose payoffs count.
        units: `[B, N]` of utility.
        shape: `(B, R, C)`.
    """

    def __init__(
        self, result: TableResult, agents: Agents, units: Any, backend: Backend, devices: Sequence[Any] | None
    ) -> None:
        self.result, self.game = result, as_game(result.tables)
        self.agents = agents_of(agents, result.committees, self.game.num_providers)
        self.payoffs = np.concatenate([np.asarray(self.game.user)[:, None], np.asarray(self.game.providers)], axis=1)
        self.units = units_of(units, self.game, self.payoffs)
        self.shape = (len(self.game), len(result.rationalities), len(result.committees))
        self._how: dict[str, Any] = {"backend": backend, "devices": devices}

    def by_lambda(self, array: np.ndarray) -> np.ndarray:
        """`[B, C, ...]` or `[B, R, C, ...]` with an axis of lambdas."""
        return array.reshape(*self.shape, *array.shape[self.result.status.ndim :])

    def as_result(self, array: np.ndarray) -> np.ndarray:
        """`[B, R, C, ...]` in the shape of the result."""
        return array.reshape(*self.result.status.shape, *array.shape[3:])

    def of(
        self, where: Int[np.ndarray, "L 3"], rules: Int[np.ndarray, "L X"], followed: bool, stable: bool, compare: bool
    ) -> dict[str, np.ndarray]:
        """Everything about L outcomes, by name, `[L, ...]`.

        Args:
            where: table, lambda and committee of each.
            rules: actions that are followed, or cells that are heard.
            stable: whether they are equilibria of the game.
            compare: whether to compare rules of the same kind.
        """
        parts = []
        for start in range(0, max(1, len(where)), _LANES):
            some = slice(start, start + _LANES)
            parts.append(self._lotteries(where[some], rules[some], followed))
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        found["efficient_rules"], found["weakly_efficient_rules"] = (
            found[name].copy() for name in ("efficient", "weakly_efficient")
        )
        found["compared"] = found["efficient"].copy()
        comparison = RuleComparison(self.result, self.game, followed, stable)
        for lane in np.flatnonzero(~found["efficient"]).tolist() if compare else ():
            b, r, c = where[lane].tolist()
            answer = comparison.dominated((b, r, c), rules[lane], self.agents[c])
            if answer is not None:
                found["compared"][lane] = True
                found["efficient_rules"][lane], found["weakly_efficient_rules"][lane] = (not one for one in answer)
        return found

    def _lotteries(self, where: np.ndarray, rules: np.ndarray, followed: bool) -> dict[str, np.ndarray]:
        b, r, c = where.T
        game, (agents, z, x, a) = self.game, self.payoffs.shape[1:]
        total = len(where)
        outcome = self._actions(b, r, rules, followed)
        outcome = outcome.reshape(total, z * x, outcome.shape[3])
        pure = outcome.shape[2] == 1
        payoffs = self.payoffs.reshape(len(game), agents, z * x, a)
        available = np.broadcast_to(np.asarray(game.available)[:, None], (len(game), z, x, a)).reshape(-1, z * x, a)
        fits = pareto_fits(
            payoffs,
            available,
            actions=outcome[..., 0] if pure else None,
            lottery=None if pure else outcome,
            problem=b,
            member=self.agents[c],
            unit=self.units * game.scale[:, None],
            **self._how,
        )
        if pure:
            given = np.take_along_axis(payoffs[b], outcome[:, None], axis=3)[..., 0].sum(axis=2)
        else:
            given = np.einsum("lnsa,lsa->ln", payoffs[b], outcome)
        values = given / game.scale[b, None]
        return {
            "efficient": fits.efficient,
            "weakly_efficient": fits.weakly_efficient,
            "gap": fits.gap,
            "slack": fits.slack,
            "weights": fits.weights,
            "welfare_weights": _exponents(fits.weights, values / self.units[b], self.agents[c], fits.efficient),
            "dominating_rule": fits.lottery.reshape(total, z, x, a),
            "values": values,
            "certified": fits.certified,
            "exact": fits.exact * (np.arange(total) == 0),
            "resolved": fits.resolved * (np.arange(total) == 0),
        }

    def _actions(self, b: np.ndarray, r: np.ndarray, rules: np.ndarray, followed: bool) -> np.ndarray:
        """`[L, Z, X, 1]` actions, or `[L, Z, X, A]` probabilities of them."""
        if followed:
            return np.broadcast_to(rules[:, None, :, None], (len(b), self.game.signals, rules.shape[1], 1))
        quantal = self.result.response == "quantal"
        taken = np.zeros((len(b), *np.asarray(self.game.user).shape[1:]))
        for number, rationality in enumerate(self.result.rationalities):
            lanes = np.flatnonzero(r == number)
            if len(lanes):
                taken[lanes] = responses(self.game[b[lanes]], rules[lanes], rationality)  # pyright: ignore[reportArgumentType]
        return taken if quantal else taken.argmax(axis=3)[..., None]


def _exponents(
    weights: Float[np.ndarray, "L N"], values: np.ndarray, agents: np.ndarray, efficient: np.ndarray
) -> Float[np.ndarray, "L N"]:
    """Of the geometric welfare that efficient outcomes maximize, NaN for others, and where a value is not positive."""
    shares = np.where(agents, weights * values, 0.0)
    has = efficient & np.where(agents, values > 0, True).all(axis=1)
    return np.where(has[:, None], shares / np.where(has, shares.sum(axis=1), 1.0)[:, None], np.nan)
