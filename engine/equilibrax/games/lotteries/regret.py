"""What a provider could gain by any other lottery over messages, when the user hears everybody.

Given what the others say, a deviating provider is a single sender, whose receiver has more private information: her own
signal and the others' messages. If she responds best, the most that it can have is a linear program
(`equilibrax.games.lotteries.programs`); if quantally, a concave envelope (`equilibrax.games.lotteries.quantal`). Either
comes with a rule that has it, and with a proof that no rule has more.

Letters: B games, K providers, Z signals, X states, A actions, M messages, Q = Z M^(K-1), S = A^Q plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from equilibrax._core.status import SolveError
from equilibrax.games._oblivious_rules import check_availability
from equilibrax.games._options import Response
from equilibrax.games.lotteries.profiles import chances_of, rationality_of, values_of
from equilibrax.games.lotteries.programs import check_plans, programs_of
from equilibrax.games.lotteries.quantal import ENVELOPE_STATES, check_senders, quantal_best
from equilibrax.problems.persuasion import PersuasionGame


@dataclass(frozen=True)
class LotteryRegret:
    """What every provider has, and what it could have by any other rule; see `lottery_regret`.

    Attributes:
        value: `[B, K]` expected utility of each provider; user_value: `[B]` the user's.
        regret_lower: `[B, K]` what a provider gains by `deviation` (by rules as near to it as one likes, if the user is
            indifferent there), 0 or more.
        regret_bound: `[B, K]` what no rule whatever gains more than, by the multipliers of the program or by the
            envelope; infinite where no bound is known.
        certified: `[B, K]` whether the two meet, to 1e-9 of the provider's range, and the user obeys to 1e-9 of hers;
            with a quantal user, whether they meet to 1e-7.
        deviation: `[B, K, X, S]` chances of recommending each plan; with a quantal user `[B, K, X, X]` of messages.
        plans: `[S, Q]` actions, by her signal, then by the others' messages, the lowest provider's first; None with a
            quantal user.
    """

    value: Float[np.ndarray, "B K"]
    user_value: Float[np.ndarray, " B"]
    regret_lower: Float[np.ndarray, "B K"]
    regret_bound: Float[np.ndarray, "B K"]
    certified: Bool[np.ndarray, "B K"]
    deviation: Float[np.ndarray, "B K X S"]
    plans: Int[np.ndarray, "S Q"] | None

    @property
    def regret(self) -> Float[np.ndarray, "B K"]:
        """`[B, K]` `regret_lower` where there is a bound beside it, NaN where nothing says how much more there is."""
        return np.where(np.isfinite(self.regret_bound), self.regret_lower, np.nan)

    @property
    def epsilon(self) -> Float[np.ndarray, " B"]:
        """`[B]` the profile is an epsilon-equilibrium for this number: the largest `regret_bound`."""
        return self.regret_bound.max(axis=1)


def lottery_regret(
    game: PersuasionGame,
    rules: Any,
    *,
    response: Response = "best",
    devices: Sequence[Any] | None = None,
    throw: bool = True,
) -> LotteryRegret:
    """The most that each provider could gain by any other rule, in the joint game with lotteries, and the proof.

    All providers commit to rules, the user hears a message from each, drawn independently given the state, and takes
    the lowest of her best actions (2509.15090, Definition 7, with randomized rules) or responds quantally (Definition
    12). A quantal user is told of at most three states that have the same actions, or there is no bound: then
    `regret_lower` is what gradients found.

    Args:
        game: B games with K providers. Two states must have the same available actions or none in common.
        rules: `[B, K, X, M]` chances: in state x, provider j says m.
        response: "best", or a `Quantal` with one finite rationality.
        devices: JAX devices to spread the programs over; default all local devices.
        throw: raise if a regret is not certified (otherwise `certified` says so).

    Returns:
        A `LotteryRegret`.

    Raises:
        ValueError: if `rules` has another shape or its rows are no chances, on another response, on states whose
            actions overlap in part, or programs that are too large, with their size.
        SolveError: with `throw`, if neither the batched solver nor HiGHS certified a regret, or no envelope did.

    Example:
        >>> import equilibrax as eq
        >>> trial = eq.PersuasionGame.from_prior(
        ...     [[[0.3, 0], [0, 0.7]]], user=[[1, 0], [0, 1]], providers=[[[1, 0], [1, 0]]]
        ... )  # guilty or innocent; convict or acquit
        >>> truth = [[[[1, 0], [0, 1]]]]  # the prosecutor tells the truth
        >>> found = eq.games.lottery_regret(trial, truth)
        >>> found.value.round(9).tolist(), found.regret.round(9).tolist(), found.regret_bound.round(9).tolist()
        ([[0.3]], [[0.3]], [[0.3]])
        >>> found = eq.games.lottery_regret(trial, truth, response=eq.Quantal(10))
        >>> found.value.round(6).tolist(), found.regret.round(6).tolist(), found.regret_bound.round(6).tolist()
        ([[0.300018]], [[0.143652]], [[0.143652]])
    """
    chances, rationality = chances_of(game, rules), rationality_of(response)
    b, k, x, messages = chances.shape
    check_programs(game, messages, rationality)
    value, user_value = values_of(game, chances, rationality)
    if rationality is None:
        programs = programs_of(game, chances)
        raw = programs.solve(devices)
        certified, plans = programs.certified(raw), programs.plans
    else:
        raw, plans = quantal_best(game, chances, rationality, devices), None
        certified = raw["certified"]
    if throw and not certified.all():
        at = int(np.flatnonzero(~certified)[0])
        unknown = f"; with a quantal user there are bounds for up to {ENVELOPE_STATES} states" if plans is None else ""
        raise SolveError(
            f"{int((~certified).sum())} of {certified.size} regrets are not certified; the first is of game "
            f"{int(game.table_id[at // k])}, provider {at % k}, with gap {raw['bound'][at] - raw['value'][at]:.3g} and "
            f"violation {raw['violation'][at]:.3g}{unknown}; throw=False returns the others"
        )
    shape = b, k
    return LotteryRegret(
        value=value,
        user_value=user_value,
        regret_lower=np.maximum(raw["value"].reshape(shape) - value, 0.0),
        regret_bound=np.maximum(raw["bound"].reshape(shape) - value, 0.0),
        certified=certified.reshape(shape),
        deviation=raw["rule"].reshape(*shape, x, -1),
        plans=plans,
    )


def check_programs(game: PersuasionGame, messages: int, rationality: float | None = None) -> None:
    """Refuse games whose programs are too large, or have no optimum.

    Raises:
        ValueError: with their size.
    """
    check_availability(game)
    if rationality is None:
        check_plans(game, messages)
    else:
        check_senders(game, messages)
