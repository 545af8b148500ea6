"""Games between the providers of a market, from options to a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from equilibrax._core.batching import batch_mesh
from equilibrax._core.checks import check_choice, check_whole
from equilibrax._core.committees import committee_masks
from equilibrax._core.status import SolveError, Status, status_names
from equilibrax.games._market_rules import MarketRules
from equilibrax.games.anonymous import solve_anonymous
from equilibrax.games.market_result import MarketResult
from equilibrax.games.personalized import is_selection, solve_personalized
from equilibrax.games.responses import Rationality, check_response
from equilibrax.problems.market import Market

MarketGame = Literal["personalized", "anonymous"]

ANSWERS = int(Status.COUNT_SATURATED | Status.NO_EQUILIBRIUM | Status.CYCLE)
"""Flags that are no failure of a solver."""


def solve_market(
    market: Market,
    game: str,
    *,
    committees: Literal["all"] | Sequence[int],
    response: Any,
    rationality: Any,
    tolerance: float,
    rules: MarketRules | None,
    tie_break: str | None,
    dynamics: bool | Literal["only"] | None,
    step_limit: int,
    devices: Sequence[Any] | None,
    throw: bool,
) -> MarketResult:
    """Solve B markets for C committees; options as in `solve`."""
    check_choice("game", game, get_args(MarketGame))
    how, slack = check_response(response, rationality, tolerance)
    rules = "obedience" if rules is None else rules
    check_choice("rules", rules, get_args(MarketRules))
    tie_break = "lowest_index" if tie_break is None else tie_break
    check_choice("tie_break", tie_break, ("incumbent", "lowest_index"))
    if not (dynamics is None or isinstance(dynamics, bool) or dynamics == "only"):
        raise ValueError(f'dynamics: expected True, False or "only", got {dynamics!r}')
    check_whole("step_limit", step_limit, 0)
    if len(market) == 0:
        raise ValueError("market: expected at least one market, got an empty batch")
    check_rules(game, rules, how)
    selection = game == "personalized" and is_selection(market)
    if not selection and tie_break != "lowest_index":
        raise ValueError(
            f'tie_break: expected "lowest_index" except in personalized separable markets whose providers see the '
            f"same, got {tie_break!r}"
        )
    if selection and dynamics == "only":
        raise ValueError('dynamics: expected True or False in a market of selection games, got "only"')
    masks = committee_masks(committees, market.num_providers)
    running = {"dynamics": dynamics is None or bool(dynamics), "step_limit": step_limit, "mesh": batch_mesh(devices)}
    running |= {"listed": dynamics != "only"}
    options = {"delegation": rules == "delegation", "tie_break": tie_break} if game == "personalized" else {}
    solved = [
        (solve_anonymous if game == "anonymous" else solve_personalized)(
            market, masks, one, slack, **options, **running
        )
        for one in how.each
    ]
    fields = _with_grid(solved) if how.grid else solved[0]
    result = MarketResult(
        game=game,
        rules=rules,
        response=how.response,
        rationality=how.given,
        tolerance=slack,
        tie_break=tie_break,
        counted="rules" if selection else "profiles",
        committees=masks,
        market=market,
        **fields,
    )
    if throw:
        _raise_unsolved(result)
    return result


def _with_grid(solved: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Fields `[B, R, ...]` from R times `[B, ...]`."""
    first = solved[0]
    return {name: None if first[name] is None else np.stack([one[name] for one in solved], axis=1) for name in first}


def check_market_response(response: Any, rationality: Any, tolerance: Any) -> tuple[Rationality, float]:
    """As `check_response`; one rationality, for a profile is of one game."""
    how, slack = check_response(response, rationality, tolerance)
    if how.grid:
        raise ValueError(f"rationality: expected one number for a profile, got {rationality!r}")
    return how, slack


def check_rules(game: str, rules: str, how: Rationality) -> None:
    """Refuse delegation where it has no meaning."""
    if rules == "delegation" and game == "anonymous":
        raise ValueError('rules: expected "obedience" in the anonymous game, whose users have actions of their own')
    if rules == "delegation" and how.quantal:
        raise ValueError('response: expected "best" with rules="delegation", got "quantal"')


def _raise_unsolved(result: MarketResult) -> None:
    bad = result.status & ~ANSWERS
    if not bad.any():
        return
    where = tuple(np.argwhere(bad)[0].tolist())
    market, committee = where[0], where[-1]
    name = str(status_names(bad[where]).item())
    unsolved = int((bad != 0).reshape(len(bad), -1).any(axis=1).sum())
    raise SolveError(
        f"{unsolved} of {len(bad)} markets are not solved; the first is market {int(result.table_id[market])}, "
        f"committee {int(result.committees[committee])}: {name}. "
        f"Status.{name.split('|')[0]} says what to do; throw=False returns the others."
    )
