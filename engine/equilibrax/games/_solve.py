"""Solving games: one call for a batch of tables and all committees of providers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args, overload

import numpy as np

from equilibrax._core.batching import batch_mesh
from equilibrax._core.checks import check_choice, check_whole
from equilibrax._core.committees import committee_masks
from equilibrax._core.status import SolveError, Status, status_names
from equilibrax.games._market_rules import MarketRules
from equilibrax.games.joint import solve_joint
from equilibrax.games.market import MarketGame, solve_market
from equilibrax.games.market_result import MarketResult
from equilibrax.games.obedient import solve_obedient
from equilibrax.games.oblivious import Rules, solve_oblivious
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.responses import Response, check_response
from equilibrax.games.selection import solve_selection
from equilibrax.games.selection_engine import MAX_CAPACITY
from equilibrax.games.selection_result import SelectionResult
from equilibrax.problems.market import Market
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables

Game = Literal["selection", "joint", "aligned", "oblivious"]
TieBreak = Literal["incumbent", "lowest_index"]
Method = Literal["auto", "dense", "frontier"]
Order = Literal["round_robin", "random"]
Deviation = Literal["best", "minimal"]

TOLERANCE = 1e-9
"""Utilities under quantal response that differ by no more are equal, by default."""


@overload
def solve(
    tables: UtilityTables, game: Literal["selection"] = ..., *, obedience: Literal[False] = ..., **options: Any
) -> SelectionResult: ...
@overload
def solve(
    tables: UtilityTables | PersuasionGame,
    game: Literal["selection"] = ...,
    *,
    obedience: Literal[True],
    **options: Any,
) -> PartitionResult: ...
@overload
def solve(
    tables: UtilityTables | PersuasionGame, game: Literal["joint", "aligned", "oblivious"], **options: Any
) -> PartitionResult: ...
@overload
def solve(tables: Market, game: Literal["personalized", "anonymous"], **options: Any) -> MarketResult: ...
@overload
def solve(
    tables: UtilityTables | PersuasionGame, game: str = ..., **options: Any
) -> SelectionResult | PartitionResult: ...
def solve(  # pyright: ignore[reportInconsistentOverload]  (the overloads leave other options open)
    tables: UtilityTables | PersuasionGame | Market,
    game: str = "selection",
    *,
    committees: Literal["all"] | Sequence[int] = "all",
    response: Response = "best",
    rationality: Any = None,
    tolerance: float = TOLERANCE,
    obedience: bool = False,
    rules: Rules | MarketRules | None = None,
    tie_break: TieBreak | None = None,
    dynamics: bool | Literal["only"] | None = None,
    misalignment: bool | None = None,
    order: Order = "round_robin",
    deviation: Deviation = "best",
    key: Any = None,
    method: Method = "auto",
    capacity: int | None = None,
    max_capacity: int = MAX_CAPACITY,
    step_limit: int = 1_000_000,
    devices: Sequence[Any] | None = None,
    throw: bool = True,
) -> SelectionResult | PartitionResult | MarketResult:
    """Exact equilibria of a game between providers, for every table and every committee at once.

    | game | the user | a provider's rule | source (2509.15090) |
    |---|---|---|---|
    | "selection" | takes the provider that is best for her and does what it recommends | state to action | Section 7 |
    | "selection", obedience=True | takes the provider that is best for her and responds | partition | Section 5 |
    | "joint" | hears all providers and responds to what they say together | partition | Definitions 7, 12 |
    | "aligned" | hears one provider, whose utility is her own | partition | Definition 8 |
    | "oblivious" | hears all providers, none of whom knows of the others | partition, or lottery | Definition 19 |
    | "personalized" | of many, each takes the provider best for her | one for each user | 2602.13451, Definition 2.2 |
    | "anonymous" | of many, each takes the provider best for her | one for all users | 2602.13451, Definition 2.3 |

    In the selection game everybody is paid by the rule that is taken; all may post the selected rule f, and f is an
    equilibrium of committee C iff no provider j in C has a rule g with `v_0(g) > v_0(f)` and `v_j(g) > v_j(f)`
    (Definitions 16 and 17). In the joint game the user learns the common refinement of the partitions, and a partition
    that all post is an equilibrium iff no provider in C gains by refining it. A committee of one provider is a
    monopolist: its own optima only. In the aligned game there is one committee, of the user herself. Oblivious
    providers play what each of them would alone, one profile for every committee, so the worst utility is the best. Of
    several optimal partitions or rules a provider plays one that is worst for a user who hears it alone.

    In a market there are many users. If it is separable and all providers see the same, the personalized game is a
    selection game for each user. Otherwise, and in the anonymous game, all profiles of the members' rules are compared,
    symmetric or not; there may be no equilibrium (`Status.NO_EQUILIBRIUM`), and where profiles are too many to list
    there are dynamics and `market_regret`.

    Args:
        tables: B tables with K providers, X states and A actions; or, in games over partitions, a `PersuasionGame`,
            whose users may have private information; or, in the last two games, a `Market`.
        game: "selection", "joint", "aligned" or "oblivious"; for markets "personalized" or "anonymous".
        committees: "all" 2**K - 1 of them, or a list of bitmasks (bit j is provider j in column order).
        response: in games over partitions, how the user acts in a cell. "best": the best action, ties to the lowest.
            "quantal": at random, with probabilities proportional to `exp(rationality * expected utility)`.
        rationality: lambda for quantal response, at least 0; infinite: uniform over the best actions. A list solves
            for each of its R numbers, and results are `[B, R, C]` (markets: `[B, R, C, N]`).
        tolerance: quantal utilities that differ by no more are equal. Best responses are compared exactly.
        obedience: in the selection game, whether the user checks what she is told: rules are partitions then.
        rules: in the oblivious game, "deterministic" (the default: partitions) or "randomized" (any rules; see
            `oblivious_rules`). In markets, "obedience" (the default: partitions; each user learns its refinement with
            what she sees herself, and responds) or, in the personalized game, "delegation" (from what the provider
            sees to actions; users do what they are told).
        tie_break: in the selection game, who wins the user when a deviation leaves her indifferent. "incumbent"
            (Section 7, the default): never the deviator. "lowest_index" (Definition 16): the lowest index, so for the
            lowest provider of C the weak `v_0(g) >= v_0(f)` is enough. In markets it is "lowest_index" (2602.13451,
            Definition 2.5); "incumbent" is possible where users' games are selection games.
        dynamics: whether to run best-response dynamics (Section 7.1), the default in the selection and joint games.
            Monopoly rules first, then in turn: a provider that is not selected moves to its best rule among those
            strictly better for it and for the user (ties: best for the user, then lexicographically first); in the
            joint game a provider moves to the best refinement of what the others say if that is strictly better for it.
            Where profiles are compared, a provider moves to the first of its best rules; "only" lists no profiles.
        misalignment: whether to compute the misalignment score and the bound of Theorem 6 (see `misalignment`), the
            default; in the selection game without obedience only.
        order: in the selection game, turns in "round_robin" from the lowest index (the turn passes on after a deviation
            too), or "random": the deviator is drawn uniformly among the providers that can deviate.
        deviation: in the selection game, "best", or "minimal": the smallest gain that is profitable. After minimal
            deviations the selected provider may have a larger gain left that it never takes, so they can end outside
            the equilibria.
        key: a JAX random key or an integer seed, for `order="random"`. Draws depend on the key, the table's id and the
            committee alone.
        method: in the selection game without obedience, "dense" lists all schemes, "frontier" only those stable for
            some provider, "auto" chooses by size. The answers are the same.
        capacity: candidate schemes to make room for at first (frontier); tables that need more are solved again.
        max_capacity: where to give up with `Status.FRONTIER_OVERFLOW`.
        step_limit: where to stop a dynamics with `Status.DYNAMICS_LIMIT`; no dynamics is longer than K times the number
            of schemes.
        devices: JAX devices to spread the tables over; default all local devices.
        throw: raise if some table is not solved (otherwise its `status` says so).

    Returns:
        Arrays `[B, C]` (or `[B, R, C]`), committees in the order given (all: 1, 2, 3, ...): a `SelectionResult` from
        the selection game without obedience, a `PartitionResult` from the others; for markets a `MarketResult`, whose
        arrays are `[B, C, N]` or `[B, R, C, N]`.

    Raises:
        ValueError: on an unknown option or one that does not apply to the game, a mask outside 1..2**K - 1,
            deviation="minimal" for tables with more than 2**20 schemes, or too many states or profiles for memory.
        SolveError: with `throw`, if a status other than OK or COUNT_SATURATED remains (in markets, also other than
            NO_EQUILIBRIUM and CYCLE, which are answers).

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.load_paper_table("synthetic-2")
        >>> result = eq.solve(tables, committees=[0b00001, 0b11111])
        >>> result.worst_utility.round(4).tolist()
        [[0.8267, 0.92]]
        >>> result.equilibria.tolist()
        [[1, 1]]
        >>> joint = eq.solve(tables, "joint", response="quantal", rationality=[0, 10], committees=[0b00001, 0b11111])
        >>> joint.equilibria.tolist()
        [[[5, 5], [1, 4]]]
    """
    if isinstance(tables, Market):
        check_choice("game", game, get_args(MarketGame))
        _refuse(game, obedience=obedience, misalignment=misalignment, order=(order, "round_robin"), key=key)
        _refuse(game, deviation=(deviation, "best"), method=(method, "auto"), capacity=capacity)
        _refuse(game, max_capacity=(max_capacity, MAX_CAPACITY))
        return solve_market(
            tables,
            game,
            committees=committees,
            response=response,
            rationality=rationality,
            tolerance=tolerance,
            rules=rules,  # pyright: ignore[reportArgumentType]  (checked there)
            tie_break=tie_break,
            dynamics=dynamics,
            step_limit=step_limit,
            devices=devices,
            throw=throw,
        )
    if game in get_args(MarketGame):
        raise ValueError(f"tables: expected a Market in the {game} game, got {type(tables).__name__}")
    tie_break = "incumbent" if tie_break is None else tie_break
    if dynamics == "only":
        raise ValueError('dynamics: expected True, False or None except in markets, got "only"')
    partitions = check_game(game, response, rationality, tolerance, obedience)
    how, slack = check_response(response, rationality, tolerance)
    check_choice("tie_break", tie_break, get_args(TieBreak))
    check_choice("order", order, get_args(Order))
    check_choice("deviation", deviation, get_args(Deviation))
    check_choice("method", method, get_args(Method))
    check_whole("step_limit", step_limit, 0)
    check_whole("max_capacity", max_capacity, 1)
    if capacity is not None:
        check_whole("capacity", capacity, 1)
    which = "selection, obedience=True" if game == "selection" else game
    if partitions:
        _refuse(which, misalignment=misalignment, method=(method, "auto"), capacity=capacity)
        _refuse(which, max_capacity=(max_capacity, MAX_CAPACITY))
    if game != "selection":
        _refuse(which, tie_break=(tie_break, "incumbent"), order=(order, "round_robin"))
        _refuse(which, deviation=(deviation, "best"), key=key)
    if game != "oblivious":
        _refuse(which, rules=rules)
    elif rules is not None:
        check_choice("rules", rules, get_args(Rules))
    if game in ("aligned", "oblivious"):
        _refuse(which, dynamics=dynamics)
    if len(tables) == 0:
        raise ValueError("tables: expected at least one table, got an empty batch")
    mesh = batch_mesh(devices)
    if game == "aligned":
        if not (isinstance(committees, str) and committees == "all"):
            raise ValueError(
                f'committees: expected "all" in the aligned game, whose provider is the user, got {committees!r}'
            )
        mine = _aligned(_as_game(tables))
        result = solve_joint(mine, np.ones(1, np.int32), how, slack, False, step_limit, mesh, name="aligned")
    else:
        masks = committee_masks(committees, tables.num_providers)
        dynamics = True if dynamics is None else bool(dynamics)
        selection = {"tie_break": tie_break, "dynamics": dynamics, "order": order, "deviation": deviation, "key": key}
        selection |= {"step_limit": step_limit, "mesh": mesh}
        if game == "joint":
            result = solve_joint(_as_game(tables), masks, how, slack, dynamics, step_limit, mesh)
        elif game == "oblivious":
            oblivious_rules: Any = rules or "deterministic"
            result = solve_oblivious(_as_game(tables), masks, oblivious_rules, devices, throw, mesh)
        elif obedience:
            result = solve_obedient(_as_game(tables), masks, how, slack, **selection)
        elif isinstance(tables, PersuasionGame):
            raise ValueError(
                "tables: expected UtilityTables in the selection game without obedience, got a PersuasionGame"
            )
        else:
            fit = misalignment is None or bool(misalignment)
            room = {"method": method, "capacity": capacity, "max_capacity": max_capacity}
            result = solve_selection(tables, masks, misalignment=fit, **room, **selection)
    if throw:
        _raise_unsolved(result)
    return result


def check_game(game: Any, response: Any, rationality: Any, tolerance: Any, obedience: bool) -> bool:
    """Refuse what is no game or no response in it; whether it is played over partitions."""
    check_choice("game", game, get_args(Game))
    check_response(response, rationality, tolerance)
    if game == "selection" and not obedience and response != "best":
        raise ValueError('response: expected "best" in the selection game without obedience, got "quantal"')
    if game == "oblivious" and response != "best":
        raise ValueError('response: expected "best" in the game oblivious, got "quantal"')
    if game != "selection":
        _refuse(game, obedience=obedience)
    return game != "selection" or obedience


def _as_game(tables: UtilityTables | PersuasionGame) -> PersuasionGame:
    return tables if isinstance(tables, PersuasionGame) else PersuasionGame.from_tables(tables)


def _aligned(game: PersuasionGame) -> PersuasionGame:
    """The same game with one provider, the user herself."""
    labels = None if game.labels is None else replace(game.labels, providers=("the user",))
    return replace(game, providers=np.asarray(game.user)[:, None], labels=labels)


def _refuse(game: str, **options: Any) -> None:
    """Refuse options that are given though they do not apply: a value other than None or False, or than the default."""
    for name, value in options.items():
        value, default = value if isinstance(value, tuple) else (value, None)
        if value != default and not (default is None and value is False):
            raise ValueError(f"{name}: expected nothing in the game {game}, where it does not apply, got {value!r}")


def _raise_unsolved(result: SelectionResult | PartitionResult) -> None:
    bad = result.status & ~int(Status.COUNT_SATURATED)
    if not bad.any():
        return
    where = tuple(np.argwhere(bad)[0].tolist())
    table, committee = where[0], where[-1]
    name = str(status_names(bad[where]).item())
    unsolved = int((bad != 0).reshape(len(bad), -1).any(axis=1).sum())
    raise SolveError(
        f"{unsolved} of {len(bad)} tables are not solved; the first is table "
        f"{int(result.table_id[table])}, committee {int(result.committees[committee])}: {name}. "
        f"Status.{name.split('|')[0]} says what to do; throw=False returns the others."
    )
