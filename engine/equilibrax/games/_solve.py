"""One call for all games, each by its object, its name or its description."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

from equilibrax._core.batching import batch_mesh
from equilibrax._core.committees import Committees
from equilibrax._core.suggestions import did_you_mean
from equilibrax.games._game import GAMES, Backend, Game, Problem, read_options
from equilibrax.games._result import GameResult
from equilibrax.games.aligned import Aligned
from equilibrax.games.information.market import InformationMarket
from equilibrax.games.information.result import InformationMarketResult
from equilibrax.games.joint import Joint
from equilibrax.games.markets.anonymous import Anonymous
from equilibrax.games.markets.personalized import Personalized
from equilibrax.games.markets.result import MarketResult
from equilibrax.games.nash.game import Nash
from equilibrax.games.nash.result import NashResult
from equilibrax.games.obedient import Obedient
from equilibrax.games.oblivious import Oblivious
from equilibrax.games.partition_result import PartitionResult
from equilibrax.games.selection import Selection
from equilibrax.games.selection_result import SelectionResult
from equilibrax.io.given import as_problem
from equilibrax.problems.decision_problem import DecisionProblem
from equilibrax.problems.market import Market
from equilibrax.problems.normal_form import NormalForm
from equilibrax.problems.persuasion import PersuasionGame
from equilibrax.problems.tables import UtilityTables

R = TypeVar("R", bound=GameResult)

_IN_ORDER = (Selection, Obedient, Joint, Oblivious, Aligned, Personalized, Anonymous, Nash, InformationMarket)


class How(TypedDict, total=False):
    """What `solve` takes besides what is played."""

    committees: Committees
    backend: Backend
    devices: Sequence[Any] | None
    throw: bool


@overload
def solve(
    tables: UtilityTables, game: Selection | Literal["selection"] = ..., **how: Unpack[How]
) -> SelectionResult: ...
@overload
def solve(
    tables: UtilityTables | PersuasionGame,
    game: Literal["obedient", "joint", "oblivious", "aligned"],
    **how: Unpack[How],
) -> PartitionResult: ...
@overload
def solve(tables: Market, game: Literal["personalized", "anonymous"], **how: Unpack[How]) -> MarketResult: ...
@overload
def solve(tables: NormalForm, game: Literal["nash"], **how: Unpack[How]) -> NashResult: ...
@overload
def solve(
    tables: DecisionProblem, game: Literal["information_market"], **how: Unpack[How]
) -> InformationMarketResult: ...
@overload
def solve(tables: Problem, game: Game[R], **how: Unpack[How]) -> R: ...
@overload
def solve(tables: Problem, game: str, **how: Unpack[How]) -> GameResult: ...
@overload
def solve(tables: Any, game: Selection | Literal["selection"] = ..., **how: Unpack[How]) -> SelectionResult: ...
@overload
def solve(tables: Any, game: Game[R], **how: Unpack[How]) -> R: ...
@overload
def solve(tables: Any, game: str, **how: Unpack[How]) -> Any: ...
def solve(
    tables: Any,
    game: Game[Any] | str = Selection(),  # noqa: B008 (frozen)
    *,
    committees: Committees = "all",
    backend: Backend = "auto",
    devices: Sequence[Any] | None = None,
    throw: bool = True,
) -> Any:
    """Exact equilibria of a game between providers, for every table and every committee at once.

    | game | the user | a provider's rule | source (2509.15090) |
    |---|---|---|---|
    | `Selection()` | takes the provider that is best for her and does what it says | state to action | Section 7 |
    | `Obedient()` | takes the provider that is best for her and responds | partition | Section 5 |
    | `Joint()` | hears all and responds to what they say together | partition, or lottery | Definitions 7, 12 |
    | `Oblivious()` | hears all providers, none of whom knows of the others | partition, or lottery | Definition 19 |
    | `Aligned()` | hears one provider, whose utility is her own | partition | Definition 8 |
    | `Personalized()` | of many, each takes the provider best for her | one for each user | 2602.13451, Def. 2.2 |
    | `Anonymous()` | of many, each takes the provider best for her | one for all users | 2602.13451, Def. 2.3 |
    | `InformationMarket()` | looks at what sellers of information show her, pays and decides | which item to show | |

    And `Nash()`, over games in normal form, whose players are neither.

    Their options are theirs: who wins ties, how users respond, whether and how to run best-response dynamics.

    Args:
        tables: B tables with K providers, X states and A actions; or, in games over partitions, a `PersuasionGame`,
            whose users may have private information; or, in the next two games, a `Market`; or, for `Nash()`, a
            `NormalForm`; or, for `InformationMarket()`, a `DecisionProblem`. Or what these are read from: a data frame
            (see `from_dataframe`), a file, or the name of one of the paper's tables.
        game: the game, or its name ("joint") for its default options.
        committees: "all" 2**K - 1 of them, or a list of bitmasks (bit j is provider j in column order) and tuples of
            providers' names.
        backend: "xla" compiles kernels for all devices, "cpu" runs loops on the host's cores, "auto" chooses.
        devices: JAX devices for the kernels to spread the tables over; default all local devices.
        throw: raise if some table is not solved (otherwise its `status` says so).

    Returns:
        The game's result: arrays `[B, C]`, or `[B, R, C]` for a list of lambdas, committees in the order given (all: 1,
        2, 3, ...); for markets `[B, C, N]` or `[B, R, C, N]`; for markets of information `[B, D + 1]`, by depth.

    Raises:
        ValueError: on a game that is not played over such tables, a mask outside 1..2**K - 1, deviation="minimal" for
            tables with more than 2**20 schemes, or too many states or profiles for memory.
        SolveError: with `throw`, if a status remains that is no answer (`game.answers`).

    Example:
        >>> import equilibrax as eq
        >>> tables = eq.load_paper_table("synthetic-2")
        >>> result = eq.solve(tables, committees=[0b00001, 0b11111])
        >>> result.worst_utility.round(4).tolist()
        [[0.8267, 0.92]]
        >>> joint = eq.solve(tables, eq.Joint(response=eq.Quantal([0, 10])), committees=[0b00001, 0b11111])
        >>> joint.equilibria.tolist()
        [[[5, 5], [1, 4]]]
    """
    chosen = game_named(game)
    problem = chosen.accept(as_problem(tables))
    mesh = batch_mesh(devices)
    result = chosen.solve(problem, chosen.masks(problem, committees), backend, mesh)
    if throw:
        result.check_solved()
    return result


def all_games(over: type[Any] | None = None) -> dict[str, type[Game[Any]]]:
    """The registered games by name; only those over tables, or over markets.

    Args:
        over: `UtilityTables`, `Market` or `NormalForm`; None for all.

    Example:
        >>> import equilibrax as eq
        >>> list(eq.games.all_games(eq.Market))
        ['personalized', 'anonymous']
    """
    ordered = {game.name: game for game in _IN_ORDER} | GAMES
    return {name: game for name, game in ordered.items() if over is None or over in game.over}


def game_named(game: Any, over: type[Any] | None = None) -> Game[Any]:
    """The game itself, or the one of that name with default options.

    Raises:
        ValueError: if it is no game, or not played over these.
    """
    games = all_games(over)
    if isinstance(game, str) and game in games:
        return games[game]()
    if not isinstance(game, Game) or game.name not in games:
        hint = did_you_mean(game, games) if isinstance(game, str) else ""
        raise ValueError(f"game: expected one of {', '.join(map(repr, games))}, or such an object, got {game!r}{hint}")
    return game


def game_from(description: Any) -> Game[Any]:
    """The game that `Game.described` wrote.

    Raises:
        ValueError: if it is no such description.

    Example:
        >>> import equilibrax as eq
        >>> eq.games.game_from(eq.Joint(response=eq.Quantal([1, float("inf")])).described()).response
        Quantal(rationality=(1.0, inf), tolerance=1e-09)
    """
    try:
        options = dict(description)
        return read_options(all_games()[options.pop("name")], options)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"game: expected a game's name and options, got {description!r}") from error
