"""Efficiency of equilibria: does the outcome maximize what some super-agent would, who cares for all of them?

Letters: B tables, R lambdas, C committees, K providers, N = 1 + K agents (the user first), Z signals, X states,
A actions, L outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, Unpack, get_args, overload

import numpy as np
from jaxtyping import Bool, Float, Int

from equilibrax._core.checks import check_choice, check_whole
from equilibrax._core.status import Status
from equilibrax.games import Backend, Of, Result, TableResult
from equilibrax.theory.welfare.agents import Agents
from equilibrax.theory.welfare.measure import Measure


@dataclass(frozen=True)
class Efficiency:
    """Whether outcomes are efficient, with weights or with what dominates them; arrays as the result's, `[B, C]` first
    (`[B, R, C]` with a list of lambdas).

    Attributes:
        efficient: no lottery over the actions in every (signal, state) is at least as good for all agents and better
            for one (strongly Pareto optimal).
        weakly_efficient: no lottery is better for all; the gap is 0.
        efficient_rules, weakly_efficient_rules: the same among the rules that providers can post. What is efficient
            among lotteries is among rules, not the other way round.
        gap: the most that some lottery gives every agent beyond what it has, in units; NaN without an outcome.
        weights: `[..., C, N]` Negishi weights, with sum 1: of agents' utilities in units, 0 for outsiders. If the
            outcome is efficient they are positive, and it maximizes their sum of utilities: it is what one super-agent
            would do. Of all such weights their least is the largest. Otherwise some are 0, or they prove the gap.
        welfare_weights: `[..., C, N]` exponents theta with sum 1 such that an efficient outcome maximizes the geometric
            welfare `prod_i value_i**theta_i`; NaN unless it is efficient and all agents' values are positive.
        dominating_rule: `[..., C, Z, X, A]` the probability of every action given signal and state in a lottery that
            dominates the outcome: it attains the gap, or if that is 0, has more for some agent. NaN if it is efficient.
        values: `[..., C, N]` agents' expected utilities from the outcome, outsiders' too.
        slack: the bound that the weights prove for the gap, minus the gap that the lottery attains.
        status: int32, flags of `Status`: those of the result that left it without an outcome, EFFICIENCY_UNCERTIFIED
            where the slack is too large, RULES_NOT_COMPARED where the answers among rules are missing (False).
        agents: `[C, N]` whose payoffs count.
        units: `[B, N]` of utility.
        exact: how many outcomes were decided on integers, because floating point left doubt.
        resolved: how many gaps HiGHS had to find.
    """

    efficient: Bool[np.ndarray, "..."]
    weakly_efficient: Bool[np.ndarray, "..."]
    efficient_rules: Bool[np.ndarray, "..."]
    weakly_efficient_rules: Bool[np.ndarray, "..."]
    gap: Float[np.ndarray, "..."]
    weights: Float[np.ndarray, "... N"]
    welfare_weights: Float[np.ndarray, "... N"]
    dominating_rule: Float[np.ndarray, "... Z X A"] = field(repr=False)
    values: Float[np.ndarray, "... N"]
    slack: Float[np.ndarray, "..."]
    status: Int[np.ndarray, "..."]
    agents: Bool[np.ndarray, "C N"]
    units: Float[np.ndarray, "B N"]
    exact: int
    resolved: int

    @property
    def known(self) -> Bool[np.ndarray, "..."]:
        """Where there is an outcome."""
        return ~np.isnan(self.gap)

    @property
    def rules_known(self) -> Bool[np.ndarray, "..."]:
        """Where rules were compared, or need not be."""
        return self.known & (self.status & int(Status.RULES_NOT_COMPARED) == 0)

    @property
    def certified(self) -> Bool[np.ndarray, "..."]:
        """Where the gap is proved."""
        return self.known & (self.status & int(Status.EFFICIENCY_UNCERTIFIED) == 0)


@dataclass(frozen=True)
class EfficiencyShares:
    """How many of a committee's equilibria are efficient; arrays as the result's, `[B, C]` first.

    Attributes:
        equilibria: how many there are.
        efficient, weakly_efficient, efficient_rules, weakly_efficient_rules: shares of them, as in `Efficiency`; NaN
            where there are none, or where rules were not compared.
        least_gap, largest_gap: of all of them.
        certified: whether all gaps are proved.
        exact, resolved: as in `Efficiency`.
    """

    equilibria: Int[np.ndarray, "..."]
    efficient: Float[np.ndarray, "..."]
    weakly_efficient: Float[np.ndarray, "..."]
    efficient_rules: Float[np.ndarray, "..."]
    weakly_efficient_rules: Float[np.ndarray, "..."]
    least_gap: Float[np.ndarray, "..."]
    largest_gap: Float[np.ndarray, "..."]
    certified: Bool[np.ndarray, "..."]
    exact: int
    resolved: int


class EfficiencyOptions(TypedDict, total=False):
    """What `efficiency` takes besides."""

    units: Any
    rules: bool
    backend: Backend
    devices: Sequence[Any] | None
    limit: int


@overload
def efficiency(
    result: Result, agents: Agents = ..., of: Of = ..., **options: Unpack[EfficiencyOptions]
) -> Efficiency: ...
@overload
def efficiency(
    result: Result, agents: Agents, of: Literal["all"], **options: Unpack[EfficiencyOptions]
) -> EfficiencyShares: ...
@overload
def efficiency(
    result: Result, agents: Agents = ..., *, of: Literal["all"], **options: Unpack[EfficiencyOptions]
) -> EfficiencyShares: ...
def efficiency(
    result: Result,
    agents: Agents = "committee",
    of: Of | Literal["all"] = "worst",
    *,
    units: Any = None,
    rules: bool = True,
    backend: Backend = "auto",
    devices: Sequence[Any] | None = None,
    limit: int = 10_000,
) -> Any:
    """Whether equilibria are efficient (Pareto optimal), for all committees, with Negishi weights or what dominates.

    Agents are aligned in this sense if together they do what one super-agent would do (Pallavi Sudhir and Tran-Thanh,
    "Economic models of alignment and extrapolated volition", Section 1). An outcome is measured by whatever all of them
    could attain with all information: lotteries over the available actions for every signal of the user and every
    state. By duality it is efficient iff there are weights `w > 0` under which no action in any state is better than
    what is done there (Negishi 1960). A quantal outcome is the lottery that it is.

    The answers yes and no are exact: proved in floating point with a margin beyond rounding, or else on integers. The
    gap is certified to 1e-9 of the smallest range of an agent's utility. It depends on the units of all agents; nothing
    else does but the weights, which are of utilities in these units.

    Args:
        result: of any game over tables that names an outcome.
        agents: whose payoffs count: the user and the committee's members ("committee"), the user and all providers, or
            the members alone ("providers").
        of: the user's "worst" equilibrium or her "best", where "dynamics" ends; or "all", the shares of all equilibria.
        units: None for the units of the utilities as they are, "range" for what each agent's expected utility can vary
            by, or numbers `[1 + K]` or `[B, 1 + K]`, the user's first.
        rules: whether to compare rules of the same kind too; schemes without limit for the committee's worst and best,
            partitions of up to 10 states.
        backend, devices: as in `solve`.
        limit: with "all", most equilibria of a committee.

    Returns:
        An `Efficiency`, or an `EfficiencyShares` for "all".

    Raises:
        ValueError: on an unknown option, a result that names no such outcome, more equilibria than `limit`.

    Example:
        >>> import equilibrax as eq
        >>> table = eq.from_integers([[2, 1, 2]], [[[0, 1, 2]], [[1, 1, 1]]], resolution=1)
        >>> found = eq.efficiency(eq.solve(table, committees=[0b01, 0b11]))
        >>> found.efficient.tolist(), found.weakly_efficient.tolist(), found.dominating_rule[0, 1].tolist()
        ([[True, False]], [[True, True]], [[[0.0, 0.0, 1.0]]])
    """
    check_choice("of", of, (*get_args(Of), "all"))
    if not isinstance(result, TableResult):
        has = hasattr(result, "efficiency")
        own = "; call its own efficiency()" if has else f"; {TableResult.made_by} makes one"
        raise ValueError(f"result: expected that of a game over tables, got {type(result).__name__}{own}")
    measure = Measure(result, agents, units, backend, devices)
    if of == "all":
        check_whole("limit", limit, 1)
        return _shares(measure, rules, limit)
    outcome = result.outcome(of)
    where = np.argwhere(measure.by_lambda(outcome.exists))
    if not len(where) and (result.status == 0).any():
        raise ValueError(f"of: expected an outcome that the result names, got {of!r} in the {result.game.name} game")
    chosen = measure.by_lambda(outcome.rule)[tuple(where.T)]
    # Where minimal deviations end, or dynamics that is stopped, need not be an equilibrium.
    found = measure.of(where, chosen, outcome.followed, of != "dynamics", rules)

    def spread(name: str, missing: Any) -> np.ndarray:
        values = found[name]
        whole = np.full((*measure.shape, *values.shape[1:]), missing, values.dtype)
        whole[tuple(where.T)] = values
        return measure.as_result(whole)

    status = result.status & ~int(result.game.answers | Status.MISALIGNMENT_UNCERTIFIED)
    status = status | np.where(spread("certified", True), 0, int(Status.EFFICIENCY_UNCERTIFIED))
    status = status | np.where(spread("compared", True), 0, int(Status.RULES_NOT_COMPARED))
    answers = ("efficient", "weakly_efficient", "efficient_rules", "weakly_efficient_rules")
    numbers = ("gap", "slack", "weights", "welfare_weights", "dominating_rule", "values")
    return Efficiency(
        **{name: spread(name, False) for name in answers},
        **{name: spread(name, np.nan) for name in numbers},
        status=status.astype(np.int32),
        agents=measure.agents,
        units=measure.units,
        exact=int(found["exact"].sum()),
        resolved=int(found["resolved"].sum()),
    )


def _shares(measure: Measure, rules: bool, limit: int) -> EfficiencyShares:
    result, cells, listed = measure.result, [], []
    for b, r in np.argwhere(measure.by_lambda(result.solved).any(axis=2)).tolist():
        each = result.game.equilibrium_rules(result.tables, b, result.committees, result.game.how.each[r], limit)
        for c, own in enumerate(each):
            cells.append(np.tile([b, r, c], (len(own), 1)))
            listed.append(np.asarray(own, np.int64))
    states = measure.game.states
    where = np.concatenate([np.zeros((0, 3), np.int64), *cells]).astype(np.int64)
    chosen = np.concatenate([np.zeros((0, states), np.int64), *listed])
    if not len(where):
        raise ValueError(f"of: expected equilibria, got none in the {result.game.name} game")
    found = measure.of(where, chosen, result.outcome("worst").followed, True, rules)
    cell = np.ravel_multi_index(tuple(where.T), measure.shape)
    size = int(np.prod(measure.shape))
    count = np.bincount(cell, minlength=size)

    def share(values: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            mean = np.bincount(cell, values.astype(float), size) / count
        return measure.as_result(mean.reshape(measure.shape))

    def extreme(sign: int) -> np.ndarray:
        most = np.full(size, -np.inf)
        np.maximum.at(most, cell, sign * found["gap"])
        return measure.as_result(np.where(count > 0, sign * most, np.nan).reshape(measure.shape))

    every = share(found["compared"]) == 1
    return EfficiencyShares(
        equilibria=measure.as_result(count.reshape(measure.shape)),
        efficient=share(found["efficient"]),
        weakly_efficient=share(found["weakly_efficient"]),
        efficient_rules=np.where(every, share(found["efficient_rules"]), np.nan),
        weakly_efficient_rules=np.where(every, share(found["weakly_efficient_rules"]), np.nan),
        least_gap=extreme(-1),
        largest_gap=extreme(1),
        certified=share(found["certified"]) == 1,
        exact=int(found["exact"].sum()),
        resolved=int(found["resolved"].sum()),
    )
