"""Games in normal form: n players, what each may do, and what every combination is worth to each of them, exactly.

Player i has actions 0..A_i - 1; a profile a = (a_1, ..., a_n) is one action of each, and player i has the payoff
`u_i(a)`. Players may have different numbers of actions. As everywhere, payoffs are whole numbers of steps of
`1 / resolution`, so ties are ties; here the resolution is any whole number, so that games in thirds and sevenths are
kept exactly, too.

Letters: B games, N players, A_1..A_N their numbers of actions, P = A_1 x ... x A_N profiles.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import lcm, prod
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int

from equilibrax._core.checks import approximate, as_array, as_numbers, check_choice, check_finite, positive_int
from equilibrax._core.fixed_point import Payoffs, fixed_point, in_steps
from equilibrax.problems._batch import Batch, pytree

Array = Any

MAX_PAYOFF = 2**50 - 1
"""Largest payoff x resolution: floating-point numbers hold sums of a few, and certify efficiency."""

MAX_PLAYERS = 32
"""Arrays have an axis for each."""


@dataclass(frozen=True)
class GameLabels:
    """Names for people: of players, of each one's actions and, perhaps, of games and outcomes.

    `games[i]` is the name (the title) of the game whose `game_id` is i, `comments[i]` what else is said of it.
    `outcomes[o]` is the name of outcome o of a game whose profiles have outcomes.
    """

    players: tuple[str, ...]
    actions: tuple[tuple[str, ...], ...]
    games: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()


@pytree
@dataclass(frozen=True)
class NormalForm(Batch):
    """A batch of B games of the same shape, in exact numbers. A pytree on the host; leaves start with axis B.

    Make one with `NormalForm.from_arrays`, `NormalForm.from_integers`, `random_games` or `read_nfg`, which validate;
    the constructor does not.

    Attributes:
        payoffs: `[B, N, A_1, ..., A_N]` int64, payoffs times `resolution`.
        game_id: `[B]` int64; it travels with the game through slicing and batching.
        outcome: `[B, A_1, ..., A_N]` int32, which outcome each profile has, where several may have the same; -1 is
            the null outcome, in which everybody has 0. None where every profile is an outcome of its own.
        resolution: steps per unit of payoff.
        family: the family of random games this batch was drawn from, or "".
        seed: the seed it was drawn with.
        labels: names for people, or None.

    Example:
        >>> import equilibrax as eq
        >>> dilemma = eq.NormalForm.from_integers([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
        >>> len(dilemma), dilemma.num_players, dilemma.num_actions
        (1, 2, (2, 2))
        >>> eq.solve(dilemma, eq.Nash()).profiles(0)
        [(1, 1)]
    """

    payoffs: Int[Array, "B N *A"]
    game_id: Int[Array, " B"]
    outcome: Int[Array, "B *A"] | None = None
    resolution: int = field(default=1, metadata={"static": True})
    family: str = field(default="", metadata={"static": True})
    seed: int = field(default=0, metadata={"static": True})
    labels: GameLabels | None = field(default=None, metadata={"static": True})

    _one: ClassVar[str] = "game"
    _named: ClassVar[str] = "game"
    made_by: ClassVar[str] = "eq.NormalForm.from_arrays(payoffs) or eq.read_nfg(file)"
    _kinds: ClassVar[dict[str, Any]] = {"payoffs": np.int64, "game_id": np.int64, "outcome": np.int32}

    def _sizes(self) -> dict[str, int]:
        return {"players": self.num_players, "profiles": prod(self.num_actions)}

    def _described(self) -> tuple[dict[str, np.ndarray], np.ndarray, Any, np.ndarray | None]:
        """Ties are of a player's replies to what the others do."""
        own = {name: np.moveaxis(self.payoffs[:, i], i + 1, -1) for i, name in enumerate(self.player_names())}
        return own, np.ones(1, bool), self.resolution, None

    def _only(self) -> tuple[list[tuple[str, Any]], dict[str, np.ndarray], np.ndarray, Any]:
        """Axes are the players' actions, and a line is a profile with what everybody has."""
        names = self.player_names()
        has = {f"{name} has": self.payoffs[0, i] for i, name in enumerate(names)}
        return list(zip(names, self.action_names())), has, np.ones(1, bool), self.resolution

    # --- made from numbers

    @classmethod
    def from_arrays(
        cls,
        payoffs: Any,
        *,
        batched: bool | None = None,
        resolution: int | None = None,
        labels: GameLabels | None = None,
    ) -> NormalForm:
        """Games from arrays of numbers.

        Integers and `fractions.Fraction` are taken exactly. Floats are read as the decimals that people write for them:
        0.1 + 0.2 is 0.3.

        Args:
            payoffs: `[N, A_1, ..., A_N]` or `[B, N, A_1, ..., A_N]`, or a list of the N players' arrays.
            batched: whether the first axis is of games; None: as the shape says, which is refused where it can be read
                both ways, `[3, 2, 4, 4]` say.
            resolution: steps per unit of payoff, to which payoffs are rounded. None is a resolution that represents
                them: their common denominator, or for floats a power of ten, where it fits; else 10,000 with a
                `RoundingWarning` if different payoffs become equal.
            labels: names of players and actions.

        Returns:
            A batch of B games, of one if the array has no batch axis.

        Raises:
            ValueError: naming the argument, what was expected and what came.

        Example:
            >>> import equilibrax as eq
            >>> from fractions import Fraction
            >>> game = eq.NormalForm.from_arrays([[[Fraction(1, 3), 0], [0, 1]], [[Fraction(2, 7), 0], [0, 1]]])
            >>> game.resolution, game.payoffs[0, :, 0, 0].tolist()
            (21, [7, 6])
        """
        array = _with_games(as_numbers("payoffs", payoffs, rationals=True), batched)
        check_finite("payoffs", array)
        if resolution is None and array.dtype.kind in "iub":
            resolution = 1
        if resolution is None and array.dtype == object:
            resolution = lcm(*{value.denominator for value in array.flat})
            if resolution * max(abs(value) for value in array.flat) > MAX_PAYOFF:
                raise ValueError(
                    f"payoffs: expected a common denominator with payoff x denominator of at most 2**50 - 1, got "
                    f"denominator {approximate(resolution)}; give a resolution to round to"
                )
        everywhere = np.ones(array.shape, bool)

        def build(steps: int) -> NormalForm:
            return cls._made(fixed_point("payoffs", array, everywhere, steps, MAX_PAYOFF), steps, labels)

        return in_steps(build, resolution, [Payoffs(array, everywhere, array.ndim - 2)], MAX_PAYOFF)

    @classmethod
    def from_integers(
        cls, payoffs: Any, *, batched: bool | None = None, resolution: int = 1, labels: GameLabels | None = None
    ) -> NormalForm:
        """Games from exact integers; nothing is rounded.

        Args:
            payoffs: as in `from_arrays`, integers; the payoff is `payoffs / resolution`.
            batched: as in `from_arrays`.
            resolution: steps per unit of payoff.
            labels: names of players and actions.

        Raises:
            ValueError: naming the argument, what was expected and what came.

        Example:
            >>> import equilibrax as eq
            >>> eq.NormalForm.from_integers([[1, 2, 0]], resolution=10).exact(0)[0]
            array([Fraction(1, 10), Fraction(1, 5), Fraction(0, 1)], dtype=object)
        """
        resolution = positive_int("resolution", resolution)
        array = _with_games(as_numbers("payoffs", payoffs), batched)
        if array.dtype.kind not in "iu":
            raise ValueError(f"payoffs: expected integers, got dtype {array.dtype}; use from_arrays for real payoffs")
        limit = max(int(array.max()), -int(array.min()))
        if limit > MAX_PAYOFF:
            raise ValueError(f"payoffs: expected integers of at most 2**50 - 1 in size, got {limit}")
        return cls._made(array.astype(np.int64), resolution, labels)

    @classmethod
    def _made(cls, payoffs: np.ndarray, resolution: int, labels: GameLabels | None) -> NormalForm:
        game = cls(payoffs, np.arange(len(payoffs), dtype=np.int64), resolution=resolution, labels=labels)
        check_labels(labels, game.num_actions)
        return game

    def with_outcomes(self, outcome: Any, names: tuple[str, ...] = ()) -> NormalForm:
        """The same games with outcomes, which profiles share.

        Args:
            outcome: `[A_1, ..., A_N]` or `[B, A_1, ..., A_N]` whole numbers; -1 is the null outcome, of payoff 0. There
                are as many as names, and without names at most as many as profiles.
            names: of the outcomes; nothing names them by number.

        Raises:
            ValueError: if profiles with the same outcome have different payoffs, or there are fewer names.

        Example:
            >>> import equilibrax as eq
            >>> game = eq.NormalForm.from_integers([[[2, 2], [0, 1]], [[1, 1], [0, 0]]])
            >>> game.with_outcomes([[0, 0], [1, 2]], ("out", "war", "peace")).outcome_names()
            ('out', 'war', 'peace')
        """
        found = as_array("outcome", outcome)
        shape = self.num_actions
        if found.dtype.kind not in "iu" or found.shape not in (shape, (len(self), *shape)):
            raise ValueError(
                f"outcome: expected whole numbers of shape {list(shape)}, got {list(found.shape)} of {found.dtype}"
            )
        most = (len(names) or self.num_profiles) - 1
        if found.min() < -1 or found.max() > most:
            raise ValueError(f"outcome: expected numbers from -1 to {most}, got {found.min()} to {found.max()}")
        found = np.broadcast_to(found, (len(self), *shape)).astype(np.int32)
        flat, numbers = self.flat, found.reshape(len(self), -1)
        for b in range(len(self)):
            order = np.argsort(numbers[b], kind="stable")
            same = np.diff(numbers[b][order]) == 0
            parts = np.diff(flat[b][:, order], axis=1) != 0
            null = flat[b][:, numbers[b] == -1]
            if (parts & same).any() or null.any():
                raise ValueError(f"outcome: expected equal payoffs wherever the outcome is the same, got game {b}")
        base = self.labels or GameLabels(self.player_names(), self.action_names())
        return replace(self, outcome=found, labels=replace(base, outcomes=tuple(names)))

    # --- what it is

    @property
    def num_players(self) -> int:
        """Number of players, N."""
        return self.payoffs.shape[1]

    @property
    def num_actions(self) -> tuple[int, ...]:
        """Every player's number of actions, A_1..A_N."""
        return self.payoffs.shape[2:]

    @property
    def num_profiles(self) -> int:
        """Number of profiles, P."""
        return prod(self.num_actions)

    @property
    def flat(self) -> np.ndarray:
        """`[B, N, P]` int64, payoffs times `resolution`; the last player's actions vary fastest."""
        return np.asarray(self.payoffs).reshape(len(self), self.num_players, -1)

    @property
    def table_id(self) -> np.ndarray:
        """`[B]` int64, the games' ids."""
        return np.asarray(self.game_id)

    def player_names(self) -> tuple[str, ...]:
        """The players' names, `player 1` and so on where none were given."""
        return self.labels.players if self.labels else tuple(f"player {i + 1}" for i in range(self.num_players))

    def action_names(self) -> tuple[tuple[str, ...], ...]:
        """The names of every player's actions, numbers from 1 where none were given."""
        return self.labels.actions if self.labels else tuple(tuple(_numbered(count)) for count in self.num_actions)

    def outcome_names(self) -> tuple[str, ...]:
        """The names of outcomes, their numbers from 1 where none were given; nothing if there are none."""
        if self.outcome is None:
            return ()
        given = self.labels.outcomes if self.labels else ()
        return given or tuple(_numbered(int(np.asarray(self.outcome).max()) + 1))

    def profile_names(self, profile: Any) -> tuple[str, ...]:
        """The names of a profile's actions (`[N]` numbers), player by player."""
        return tuple(names[int(a)] for names, a in zip(self.action_names(), profile))

    # --- for other programs

    def exact(self, game: int = 0) -> list[np.ndarray]:
        """Every player's payoffs `[A_1, ..., A_N]` in one game, as `Fraction`.

        Args:
            game: position in the batch.
        """
        ratio = np.frompyfunc(lambda steps: Fraction(int(steps), self.resolution), 1, 1)
        return [np.asarray(ratio(array)) for array in np.asarray(self.payoffs)[game]]

    def to_arrays(self, order: str = "profiles") -> tuple[np.ndarray, ...]:
        """Every player's payoffs as float64: the closest to them, exact for integers.

        `nashpy.Game(*game.to_arrays())` for two players, `pyspiel.create_tensor_game` and `create_matrix_game` take
        axes in the order of players; `quantecon.game_theory.Player` takes its own action first, then those of the
        players after it, then of those before.

        Args:
            order: "profiles", axes 1..N for everybody, or "own_first", axes i, i + 1, ..., N, 1, ..., i - 1.

        Returns:
            N arrays, `[A_1, ..., A_N]` of a batch of one game, else `[B, A_1, ..., A_N]`; their axes in that order.

        Raises:
            ValueError: for another order.

        Example:
            >>> import equilibrax as eq
            >>> game = eq.NormalForm.from_integers([[[3, 0, 1], [5, 1, 1]], [[3, 5, 0], [0, 1, 2]]], resolution=2)
            >>> [array.shape for array in game.to_arrays("own_first")]
            [(2, 3), (3, 2)]
            >>> game.to_arrays()[0].tolist()
            [[1.5, 0.0, 0.5], [2.5, 0.5, 0.5]]
        """
        check_choice("order", order, ("profiles", "own_first"))
        real, single, n = np.asarray(self.payoffs) / self.resolution, len(self) == 1, self.num_players
        turned = []
        for i in range(n):
            axes = [1 + (i + k) % n for k in range(n)] if order == "own_first" else list(range(1, n + 1))
            own = real[:, i].transpose([0, *axes])
            turned.append(np.ascontiguousarray(own[0] if single else own))
        return tuple(turned)


def check_labels(labels: GameLabels | None, actions: tuple[int, ...]) -> None:
    """Refuse labels of other numbers of players and actions."""
    if labels is not None:
        came = len(labels.players), tuple(len(names) for names in labels.actions)
        if came != (len(actions), actions):
            raise ValueError(f"labels: expected {len(actions)} players with {list(actions)} actions, got {came}")


def _numbered(count: int) -> list[str]:
    return [str(k + 1) for k in range(count)]


def _with_games(array: np.ndarray, batched: bool | None) -> np.ndarray:
    """Payoffs with a batch axis."""
    one = array.ndim >= 2 and array.shape[0] == array.ndim - 1
    several = array.ndim >= 3 and array.shape[1] == array.ndim - 2
    if batched is None and one and several:
        raise ValueError(
            f"payoffs: shape {list(array.shape)} may be of one game or of {array.shape[0]}; expected batched=True or "
            f"batched=False beside it, got None"
        )
    shapes = {False: (one, "[N, A_1, ..., A_N]"), True: (several, "[B, N, A_1, ..., A_N]")}
    allowed = [shapes[kind] for kind in ((False, True) if batched is None else (batched,))]
    if not any(fits for fits, _ in allowed):
        expected = " or ".join(shape for _, shape in allowed)
        raise ValueError(f"payoffs: expected shape {expected}, got {list(array.shape)}")
    array = array[None] if one and not batched else array
    if array.shape[1] > MAX_PLAYERS:
        raise ValueError(f"payoffs: expected at most {MAX_PLAYERS} players, got {array.shape[1]}")
    return array
