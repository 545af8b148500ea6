"""Flags from dataclasses: commands show those of the game that is chosen, and configurations show their fields.

`--game NAME` is read first; then the command's class gets the game's options as further flags, with the help that the
game's own file gives them. So a flag that does not apply is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, make_dataclass, replace
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, TypeVar, get_type_hints

import tyro

from equilibrax._core.suggestions import did_you_mean
from equilibrax.cli.flags.idle import Idle, refuse_idle
from equilibrax.cli.flags.names import flags_by_field, typed_flags
from equilibrax.cli.flags.texts import parse_numbers, parse_rationality
from equilibrax.cli.flags.usage import one_line
from equilibrax.fits.chebyshev import FitOptions
from equilibrax.games import (
    TOLERANCE,
    Dynamics,
    Game,
    GradientSearch,
    InTurn,
    JointDynamics,
    MarketDynamics,
    Quantal,
    Response,
    SelectionDynamics,
    all_games,
)
from equilibrax.problems.market import Market

C = TypeVar("C")

_HIDDEN = tyro.conf.Suppress[tyro.conf.Fixed[Any]]
"""Of a field that is no flag."""


# --- dataclasses as flags ---------------------------------------------------------------------------------------------


def flags_of(kind: type[Any], shown: Mapping[str, Any], hidden: Sequence[str] = ()) -> type[Any]:
    """A dataclass with a flag for every field, with the field's own help.

    Args:
        kind: the dataclass.
        shown: annotation and default of fields that are shown otherwise.
        hidden: fields that are no flags.
    """
    changed: list[Any] = [(name, annotation, field(default=default)) for name, (annotation, default) in shown.items()]
    changed += [(f.name, _HIDDEN, field(default=_default(f))) for f in fields(kind) if f.name in hidden]
    plain = {"__post_init__": lambda self: None, "__doc__": kind.__doc__}
    return make_dataclass(kind.__name__, changed, bases=(kind,), frozen=True, namespace=plain)


def built(
    kind: type[C],
    flags: Any,
    read: Mapping[str, Callable[[Any], Any]] = {},
    typed: Set[str] = frozenset(),
    **given: Any,
) -> C:
    """What the flags say.

    Args:
        kind: the class.
        flags: of `flags_of`, parsed.
        read: how to read fields that are shown otherwise.
        typed: the flags that were typed; what has its default may still have been.
        given: other fields.
    """
    values = {f.name: getattr(flags, f.name) for f in fields(kind) if f.name not in given}  # pyright: ignore[reportArgumentType]
    values = {name: value.value(typed) if hasattr(value, "value") else value for name, value in values.items()}
    return kind(**{name: read[name](value) if name in read else value for name, value in values.items()}, **given)


def _default(of: Any) -> Any:
    return of.default if of.default is not MISSING else of.default_factory()


# --- options that take several flags ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _ResponseFlags:
    rationality: Annotated[str, tyro.conf.arg(metavar="NUMBER,...")] = ""
    """Quantal response with these lambdas, joined by commas; inf is one. Results have a row for each."""
    tolerance: float = TOLERANCE
    """Utilities under quantal response that differ by no more are equal."""

    def value(self, typed: Set[str] = frozenset()) -> Any:
        return Quantal(parse_rationality(self.rationality), self.tolerance) if self.rationality else "best"

    def idle(self) -> Idle:
        return [] if self.rationality else [(["tolerance"], "beside --rationality")]


@dataclass(frozen=True)
class _TurnFlags:
    dynamics: bool = True
    """Whether to run best-response dynamics."""
    step_limit: int = Dynamics.step_limit
    """After how many moves to stop it."""
    usual: ClassVar[bool | None] = True

    def value(self, typed: Set[str] = frozenset()) -> Any:
        turns = Dynamics(**self.options(), step_limit=self.step_limit)
        usual = True if "--dynamics" in typed else self.usual
        return (usual if turns == Dynamics() else turns) if self.dynamics else False

    def idle(self) -> Idle:
        how = [f.name for f in fields(self) if f.name != "dynamics"]
        return [] if self.dynamics else [(how, "beside --dynamics")]

    def options(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class _DynamicsFlags(_TurnFlags):
    random_order: Annotated[int | None, tyro.conf.arg(metavar="SEED")] = None
    """Seed for drawing who deviates next in the dynamics; default is round robin."""
    deviation: Annotated[str, tyro.conf.arg(metavar="{best,minimal}")] = "best"
    """How providers deviate in the dynamics: to their best rule, or by the smallest gain that is profitable."""

    def options(self) -> dict[str, Any]:
        order = "round_robin" if self.random_order is None else "random"
        return {"order": order, "seed": self.random_order, "deviation": self.deviation}


@dataclass(frozen=True)
class _SelectionFlags(_DynamicsFlags):
    dynamics: bool = True
    """Whether to run best-response dynamics; with lotteries there is none."""
    usual: ClassVar[bool | None] = None  # what the rules have by default


@dataclass(frozen=True)
class _JointFlags(_TurnFlags):
    dynamics: bool = True
    """Whether to run best-response dynamics; with lotteries there is none."""
    usual: ClassVar[bool | None] = None


_SEARCH = {f.name: f.default for f in fields(GradientSearch) if f.name != "optimizer"}
_SEARCH_KINDS = {
    **get_type_hints(GradientSearch, localns={"optax": SimpleNamespace(GradientTransformation=object)}),  # not loaded
    "seed": int,
    "rationality": Annotated[str, tyro.conf.arg(metavar="LOW,HIGH")],
}
_SEARCH["rationality"] = ",".join(f"{level:g}" for level in GradientSearch.rationality)


class _SearchFlags(
    flags_of(
        GradientSearch,
        {
            name: (Annotated[_SEARCH_KINDS[name], tyro.conf.arg(name=f"search-{name}")], default)
            for name, default in _SEARCH.items()
        },
        ["optimizer"],
    )
):
    def value(self, typed: Set[str] = frozenset()) -> GradientSearch | None:
        given: Any = self
        levels = parse_numbers("--search-rationality", given.rationality, 2)
        search = built(GradientSearch, given, rationality=levels)
        return None if search == GradientSearch() else search


_FLAGS: dict[Any, Any] = {
    Response: (Annotated[_ResponseFlags, tyro.conf.arg(name="")], _ResponseFlags()),
    JointDynamics: (Annotated[_JointFlags, tyro.conf.arg(name="")], _JointFlags()),
    InTurn: (Annotated[_TurnFlags, tyro.conf.arg(name="")], _TurnFlags()),
    SelectionDynamics: (Annotated[_SelectionFlags, tyro.conf.arg(name="")], _SelectionFlags()),
    bool | Dynamics: (Annotated[_DynamicsFlags, tyro.conf.arg(name="")], _DynamicsFlags()),
    MarketDynamics: (Annotated[_TurnFlags, tyro.conf.arg(name="")], _TurnFlags()),
    bool | FitOptions: (bool, True),
    GradientSearch | None: (Annotated[_SearchFlags, tyro.conf.arg(name="")], _SearchFlags()),
}
"""Types of options, as other flags: the annotation and the default."""


# --- commands ---------------------------------------------------------------------------------------------------------


def parsed(command: type[C], args: Sequence[str], prog: str) -> C:
    """A command and its flags; of the game that `--game` names, if it has an attribute `over`: what games are over.

    Raises:
        ValueError: on an unknown game, a flag that is none, or a value that does not fit.
    """
    command = command.variant(args) if hasattr(command, "variant") else command  # pyright: ignore[reportAttributeAccessIssue]
    kinds = next(iter(games_of(command, args).values()), ())
    flags_of_fields = flags_by_field(composed(command, kinds))
    with one_line(args):
        found, unknown = tyro.cli(composed(command, kinds), prog=prog, args=list(args), return_unknown_args=True)
    if unknown:
        of = f"{prog} --game {found.game}" if kinds else prog  # pyright: ignore[reportAttributeAccessIssue]
        known = [f"--{f.name.replace('_', '-')}" for kind in (command, *kinds) for f in fields(kind)]  # pyright: ignore[reportArgumentType]
        given = unknown[0].partition("=")[0]
        hint = did_you_mean(given, [name for name in known if name != given]) if given.startswith("--") else ""
        raise ValueError(
            f"{unknown[0]}: expected a flag of `{of}`, which has none of that name; --help lists them{hint}"
        )
    refuse_idle(found, args, flags_of_fields)
    if not kinds:
        return found
    flags: Any = found.plays  # pyright: ignore[reportAttributeAccessIssue]
    names, typed = _common(command, kinds), typed_flags(args)
    return replace(found, plays=tuple(_game(kind, flags, names, typed) for kind in kinds))  # pyright: ignore[reportArgumentType]


def flags_with(command: type[Any], args: Sequence[str]) -> dict[str, list[str]]:
    """The flags of every field that a command has with these arguments, for messages; none if the game is unknown."""
    with suppress(ValueError):
        command = command.variant(args) if hasattr(command, "variant") else command
        return flags_by_field(composed(command, next(iter(games_of(command, args).values()), ())))
    return {}


def games_of(command: type[Any], args: Sequence[str] | None) -> dict[str, tuple[type[Game[Any]], ...]]:
    """The games whose options a command has with these arguments, by what `--game` is; without arguments all.

    Raises:
        ValueError: on an unknown game.
    """
    over = getattr(command, "over", None)
    if over is None:
        return {}
    games = all_games(over)
    known: dict[str, tuple[type[Game[Any]], ...]] = {"both": tuple(games.values())} if over is Market else {}
    known |= {name: (game,) for name, game in games.items()}
    if args is None:
        return known
    chosen = command.game
    for i, text in enumerate(args):
        name, separator, value = text.partition("=")
        if name == "--game":
            chosen = value if separator else args[i + 1] if i + 1 < len(args) else ""
    if chosen not in known:
        hint = did_you_mean(chosen, known)
        raise ValueError(f"--game: expected one of {', '.join(known)}, got {chosen!r}{hint}")
    return {chosen: known[chosen]}


def composed(command: type[Any], kinds: tuple[type[Game[Any]], ...]) -> type[Any]:
    """A command with the options that these games have as flags."""
    if not kinds:
        return command
    hints = get_type_hints(kinds[0], include_extras=True)
    names = _common(command, kinds)
    shown = {name: _FLAGS[hints[name]] for name in names if hints[name] in _FLAGS}
    flags = flags_of(kinds[0], shown, [f.name for f in fields(kinds[0]) if f.name not in names])  # pyright: ignore[reportArgumentType]
    games = "{" + ",".join([*(["both"] if command.over is Market else []), *all_games(command.over)]) + "}"
    changed: list[Any] = [
        ("game", Annotated[str, tyro.conf.arg(metavar=games)], field(default=command.game)),
        ("plays", Annotated[flags, tyro.conf.arg(name="")], field(default=flags())),
    ]
    return make_dataclass(
        command.__name__, changed, bases=(command,), frozen=True, namespace={"__doc__": command.__doc__}
    )


def _common(command: type[Any], kinds: Sequence[type[Any]]) -> list[str]:
    """Options that all of the games have, but those that the command settles itself."""
    names = [f.name for f in fields(kinds[0]) if all(f.name in {g.name for g in fields(kind)} for kind in kinds)]
    return [name for name in names if name not in getattr(command, "settles", ())]


def _game(kind: type[Any], flags: Any, names: Sequence[str], typed: Set[str]) -> Any:
    return built(kind, flags, typed=typed, **{f.name: _default(f) for f in fields(kind) if f.name not in names})
