"""Families of random games in normal form, with the names that the field has for them (GAMUT; Nudelman et al. 2004).

A game is a function of the family, the sizes, the resolution, the parameters, the seed and the game's 64-bit id, and of
nothing else: like random tables it is the same in any batch, shard and process and on any device. All draws are
integers. With R = `resolution` and U(n) uniform on 0..n, in steps:

| family | what it is | parameters |
|---|---|---|
| `random` | all payoffs independent, U(R) | |
| `covariant` | sums of four uniform numbers, of mean 0 and deviation 1; of any two players' correlation r | `r` |
| `zero_sum` | two players; u_1 uniform on -1..1, u_2 = -u_1 | |
| `common_interest` | everybody has the same, U(R) | |
| `symmetric` | u_i depends on i's action and on how many others choose which, U(R) | |
| `coordination` | positive where all choose the same, negative elsewhere, independent | |
| `minimum_effort` | b min(efforts) - c (own effort), with b > c > 0 drawn for each game | |
| `congestion` | actions are random sets of facilities, which pay less the more use them (Rosenthal) | `facilities` |
| `prisoners_dilemma` | 2 x 2, symmetric: temptation > reward > punishment > sucker's payoff | |
| `chicken` | the same with the sucker better off than the punished | |
| `battle_of_the_sexes` | 2 x 2: both want to meet, each somewhere else | |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from equilibrax._core.checks import INT32_MAX, check_choice, check_number, check_whole
from equilibrax.problems._random_markets import MarketDraws
from equilibrax.problems.normal_form import MAX_PLAYERS, NormalForm

GAMES_VERSION = 1  # another number draws other games
_FINE = 2**20  # steps of the share that is taken off for a correlation
MAX_FACILITIES = 16


@dataclass(frozen=True)
class _Sizes:
    """What is drawn: B games, everybody's number of actions, steps per unit, and the family's parameters."""

    count: int
    actions: tuple[int, ...]
    resolution: int
    parameters: Mapping[str, Any]

    @property
    def players(self) -> int:
        return len(self.actions)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.count, self.players, *self.actions)

    @property
    def payoffs(self) -> int:
        return prod(self.shape[1:])

    def own(self) -> np.ndarray:
        """`[N, A_1, ..., A_N]` every player's action in every profile."""
        return np.stack(np.meshgrid(*(np.arange(a) for a in self.actions), indexing="ij"))


@dataclass(frozen=True)
class _Family:
    """How many random words a game takes, and what is made of them."""

    words: Callable[[_Sizes], int]
    made: Callable[[MarketDraws, _Sizes], np.ndarray]
    what: str
    source: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    shape: str = "any"  # or "two players", "equal actions", "two by two"


def game_families() -> dict[str, str]:
    """The families that `random_games` knows: name to a one-line description, with parameters and their defaults.

    Example:
        >>> import equilibrax as eq
        >>> eq.problems.game_families()["covariant"]
        'any two players have payoffs of correlation r (r=0.0)'
    """
    shown = {
        name: ", ".join(f"{k}={v!r}" for k, v in family.parameters.items()) for name, family in GAME_FAMILIES.items()
    }
    return {name: family.what + (f" ({shown[name]})" if shown[name] else "") for name, family in GAME_FAMILIES.items()}


def random_games(
    family: str,
    count: int,
    actions: Sequence[int] | None = None,
    *,
    seed: int = 0,
    start: int = 0,
    resolution: int = 10_000,
    **parameters: Any,
) -> NormalForm:
    """Games `start` to `start + count - 1` of a family of random games in normal form.

    Args:
        family: a name from `eq.problems.game_families()`.
        count: B.
        actions: A_1..A_N, everybody's number of actions; None: (3, 3), or (2, 2) in families of such games.
        seed: 0 to 2**63 - 1.
        start: the first game's id.
        resolution: steps per unit of payoff, at least 4.
        **parameters: the family's own: `r`, the correlation of two players' payoffs, from -1 / (N - 1) to 1;
            `facilities`, 1 to 16.

    Returns:
        B games.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> import equilibrax as eq
        >>> games = eq.random_games("congestion", 1000, (3, 3, 3), seed=1)
        >>> bool((eq.solve(games, eq.Nash()).equilibria > 0).all())  # there is a potential
        True
        >>> again = eq.random_games("congestion", 1, (3, 3, 3), seed=1, start=700)
        >>> bool((again.payoffs == games[700].payoffs).all())
        True
    """
    check_choice("family", family, tuple(GAME_FAMILIES))
    chosen = GAME_FAMILIES[family]
    count = check_whole("count", count, 1)
    if actions is None:
        actions = (2, 2) if chosen.shape == "two by two" else (3, 3)
    given = list(actions) if isinstance(actions, list | tuple | np.ndarray) else []
    if not 1 <= len(given) <= MAX_PLAYERS:
        raise ValueError(f"actions: expected the numbers of actions of 1 to {MAX_PLAYERS} players, got {actions!r}")
    sizes = tuple(check_whole("actions", a, 1) for a in given)
    _check_shape(family, chosen.shape, sizes)
    seed, start = (check_whole(name, value, 0, 2**63 - 1 - count) for name, value in (("seed", seed), ("start", start)))
    resolution = check_whole("resolution", resolution, 4)
    for name in parameters:
        if name not in chosen.parameters:
            known = f"one of {', '.join(chosen.parameters)}" if chosen.parameters else "none"
            raise ValueError(f"parameters: expected {known} for the family {family!r}, got {name!r}")
    drawn = _Sizes(count, sizes, resolution, {**chosen.parameters, **parameters})
    if drawn.payoffs > INT32_MAX:
        raise ValueError(f"actions: expected at most {INT32_MAX} payoffs in a game, got {drawn.payoffs}")
    draw = MarketDraws(seed, start, count, f"game/{family}/{GAMES_VERSION}", chosen.words(drawn))
    games = NormalForm.from_integers(chosen.made(draw, drawn), batched=True, resolution=resolution)
    return replace(games, game_id=np.arange(start, start + count, dtype=np.int64), family=family, seed=seed)


def _check_shape(family: str, shape: str, actions: tuple[int, ...]) -> None:
    fits = {
        "any": True,
        "two players": len(actions) == 2,
        "equal actions": len(set(actions)) == 1,
        "two by two": actions == (2, 2),
    }
    if not fits[shape]:
        raise ValueError(f"actions: expected {shape} for the family {family!r}, got {list(actions)}")


# --- families ---------------------------------------------------------------------------------------------------------


def _independent(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    return draw.upto(sizes.shape, sizes.resolution)


def _covariant(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    """`e_i - s mean(e)` of independent e has correlation r if `s**2 - 2 s = r N / (1 - r)`."""
    n, steps = sizes.players, sizes.resolution
    r = check_number("r", sizes.parameters["r"], -1.0 / max(n - 1, 1), 1)
    own = np.stack([draw.upto(sizes.shape, steps) for _ in range(4)]).sum(axis=0) - 2 * steps
    if r == 1 or n == 1:
        r, own = 0.0, np.broadcast_to(own[:, :1], sizes.shape)
    change = max(r * n / (1 - r), -1.0)
    share = round((1 - math.sqrt(1 + change)) * _FINE)
    unit = max(1, round(n * _FINE * math.sqrt((1 + change / n) / 3)))
    whole = n * _FINE * own - share * own.sum(axis=1, keepdims=True)
    return (whole + unit // 2) // unit


def _zero_sum(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    first = draw.upto((sizes.count, *sizes.actions), 2 * sizes.resolution) - sizes.resolution
    return np.stack([first, -first], axis=1)


def _common(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    one = draw.upto((sizes.count, 1, *sizes.actions), sizes.resolution)
    return np.broadcast_to(one, sizes.shape)


def _symmetric(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    own, n = sizes.own(), sizes.players
    table = draw.upto((sizes.count, prod(sizes.actions)), sizes.resolution)
    found = []
    for i in range(n):
        others = np.sort(np.delete(own, i, axis=0), axis=0)  # who of them chooses what does not matter
        place = np.ravel_multi_index((own[i], *others), sizes.actions)
        found.append(table[:, place.reshape(-1)].reshape(sizes.count, *sizes.actions))
    return np.stack(found, axis=1)


def _coordination(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    own = sizes.own()
    size = 1 + draw.upto(sizes.shape, sizes.resolution - 1)
    return np.where((own == own[0]).all(axis=0), size, -size)


def _minimum_effort(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    own, axes = sizes.own(), [1] * (sizes.players + 1)
    half = max(1, sizes.resolution // (2 * max(sizes.actions)))
    cost = 1 + draw.upto((sizes.count, 1), half - 1)
    gain = cost + 1 + draw.upto((sizes.count, 1), half - 1)
    return gain.reshape(-1, *axes) * own.min(axis=0) - cost.reshape(-1, *axes) * own


def _facilities(sizes: _Sizes) -> int:
    return check_whole("facilities", sizes.parameters["facilities"], 1, MAX_FACILITIES)


def _congestion(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    n, used, own = sizes.players, _facilities(sizes), sizes.own()
    sets = 1 + draw.upto((sizes.count, n, max(sizes.actions)), 2**used - 2)
    pays = -np.sort(-draw.upto((sizes.count, used, n), sizes.resolution // used), axis=2)  # by the number of users
    chosen = np.stack([sets[:, i][:, own[i].reshape(-1)] for i in range(n)], axis=1)  # [B, N, P]
    total = np.zeros(chosen.shape, np.int64)
    for f in range(used):
        uses = chosen >> f & 1 == 1
        users = uses.sum(axis=1)
        each = np.take_along_axis(pays[:, f], np.maximum(users - 1, 0), axis=1)
        total += np.where(uses, each[:, None], 0)
    return total.reshape(sizes.shape)


def _apart(draw: MarketDraws, sizes: _Sizes, values: int) -> np.ndarray:
    """`[values, B]` different payoffs, the smallest first."""
    drawn = np.sort(draw.upto((sizes.count, values), sizes.resolution - values + 1), axis=1)
    return (drawn + np.arange(values)).T


def _two_by_two(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([np.stack(first, axis=1), np.stack(second, axis=1)], axis=1).reshape(-1, 2, 2, 2)


def _dilemma(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    sucker, punishment, reward, temptation = _apart(draw, sizes, 4)
    return _two_by_two([reward, sucker, temptation, punishment], [reward, temptation, sucker, punishment])


def _chicken(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    crash, swerved, both, won = _apart(draw, sizes, 4)
    return _two_by_two([both, swerved, won, crash], [both, won, swerved, crash])


def _battle(draw: MarketDraws, sizes: _Sizes) -> np.ndarray:
    apart, second, first = _apart(draw, sizes, 3)
    return _two_by_two([first, apart, apart, second], [second, apart, apart, first])


def _each(sizes: _Sizes) -> int:
    return sizes.payoffs


def _for_all(sizes: _Sizes) -> int:
    return prod(sizes.actions)


GAME_FAMILIES = {
    "random": _Family(_each, _independent, "all payoffs independent", "GAMUT's RandomGame (Nudelman et al., 2004)"),
    "covariant": _Family(
        lambda s: 4 * s.payoffs,
        _covariant,
        "any two players have payoffs of correlation r",
        "GAMUT's CovariantGame (Nudelman et al., 2004)",
        {"r": 0.0},
    ),
    "zero_sum": _Family(
        _for_all,
        _zero_sum,
        "two players, one has what the other loses",
        "GAMUT's RandomZeroSum (Nudelman et al., 2004)",
        shape="two players",
    ),
    "common_interest": _Family(
        _for_all, _common, "everybody has the same", "identical interests (Monderer and Shapley, 1996)"
    ),
    "symmetric": _Family(
        _for_all,
        _symmetric,
        "it matters what others choose, not who of them does",
        "symmetric games (Nash, 1951)",
        shape="equal actions",
    ),
    "coordination": _Family(
        _each,
        _coordination,
        "positive payoffs where all choose the same, negative elsewhere",
        "GAMUT's CoordinationGame (Nudelman et al., 2004)",
    ),
    "minimum_effort": _Family(
        lambda _: 2,
        _minimum_effort,
        "all have what the least effort yields, less their own",
        "GAMUT's MinimumEffortGame (Nudelman et al., 2004)",
    ),
    "congestion": _Family(
        lambda s: s.players * (max(s.actions) + _facilities(s)),
        _congestion,
        "actions are sets of facilities, which pay less the more use them",
        "GAMUT's CongestionGame (Nudelman et al., 2004)",
        {"facilities": 3},
    ),
    "prisoners_dilemma": _Family(
        lambda _: 4,
        _dilemma,
        "temptation > reward > punishment > sucker",
        "GAMUT's PrisonersDilemma (Nudelman et al., 2004)",
        shape="two by two",
    ),
    "chicken": _Family(
        lambda _: 4,
        _chicken,
        "who gives way loses, but less than if neither does",
        "GAMUT's Chicken (Nudelman et al., 2004)",
        shape="two by two",
    ),
    "battle_of_the_sexes": _Family(
        lambda _: 3,
        _battle,
        "both want to meet, each somewhere else",
        "GAMUT's BattleOfTheSexes (Nudelman et al., 2004)",
        shape="two by two",
    ),
}
