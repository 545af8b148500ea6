"""What a sweep solves, and whether that can be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeVar, get_args

from equilibrax._core.checks import check_choice
from equilibrax._core.columns import Group
from equilibrax.datasets._run import MAX_SHARDS
from equilibrax.datasets.mixture import MixturePart, check_proportions, part_of
from equilibrax.datasets.relabelling import check_orders
from equilibrax.datasets.splits import DEFAULT_SHARES, check_shares
from equilibrax.games import Backend, Game, Selection, game_named
from equilibrax.problems import Batch
from equilibrax.problems.random_tables import check_parameters, find_family
from equilibrax.problems.tables import MAX_PROVIDERS, UtilityTables

MAX_SHARD_ROWS = 2**22
"""Most rows, one per (table, committee), of a shard. Two shards are in memory at a time: about 3 GB at this limit."""

Drawn = TypeVar("Drawn", bound=Batch)

_OF_PART = ("family", "states", "actions", "providers", "parameters")


@dataclass(frozen=True)
class SweepConfig:
    """What to solve. Together with the versions in `sweep.json` it determines every byte of a sweep.

    Attributes:
        family: Family of random tables; `equilibrax families tables` describes them.
        tables: Number of tables; their ids are 0 to this number - 1.
        states: Number of states.
        actions: Number of actions.
        providers: Number of providers, 1 to 16; all `2**providers - 1` committees are solved.
        seed: Seed of the random tables.
        parameters: Parameters of the family, as pairs of name and number; those left out have their defaults.
        game: The game, with its options, or its name.
        resolution: Fixed-point steps per unit of utility.
        shard_size: Tables per shard, of at most 2**22 rows together: the default up to 10 providers, 64 for 16.
        splits: Shares of train, validation and test, which sum to 1. A table's split depends on the seed and its id, or
            its form, alone.
        split_by: Split tables by their id; or by their form, which is the same for tables that differ only in how
            states, actions and providers are numbered: then no relabelled twin leaks from train to test.
        text: Write the games in words too, with questions and exact answers, to train and test language models; for
            the selection game with schemes. Columns of schemes are then written as well.
        columns: Optional columns: efficiency (of the worst equilibrium); in the selection game also schemes (worst,
            best and where dynamics ends), equilibria (all of a committee), weights (that attain the misalignment),
            robustness (how many providers may leave).
        equilibria_cap: With the columns of equilibria: list at most so many per committee.
        float32: Store utilities and results in 32 bits.
        mixture: Several families and sizes in proportions, instead of the options of those names; a file of them has
            tables [[part]] with family, proportion, states, actions, providers and parameters.
        stratify: Fill bins of the misalignment of all providers together evenly, by rejection. Ids are then those of
            the candidates that were taken.
        bins: How many bins.
        bin_range: Where the first bin begins and the last ends; default is from 0 to what 95 of 100 candidates stay
            below.
        candidates: Tables drawn per bin's place, at most, before a shard gives up and says so.
        licence: Licence of the dataset, an SPDX name.
        backend: What solves: loops (cpu), kernels that XLA compiles (xla), or what fits the machine (auto). The one
            that was taken is in `sweep.json`; scores of the other may differ in their last bits.
    """

    family: str = "uniform"
    tables: int = 10_000
    states: int = 3
    actions: int = 3
    providers: int = 5
    seed: int = 0
    parameters: tuple[tuple[str, float], ...] = ()
    game: Game[Any] | str = Selection()  # noqa: RUF009  (immutable)
    resolution: int = 10_000
    shard_size: int = 4096
    splits: tuple[float, float, float] = DEFAULT_SHARES
    split_by: Literal["id", "form"] = "id"
    text: bool = False
    columns: tuple[Group, ...] = ()
    equilibria_cap: int = 100
    float32: bool = False
    mixture: tuple[MixturePart, ...] = ()
    stratify: Literal["", "misalignment"] = ""
    bins: int = 10
    bin_range: tuple[float, float] | None = None
    candidates: int = 100
    licence: str = "CC0-1.0"
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "game", game_named(self.game, UtilityTables))

    @property
    def plays(self) -> Game[Any]:
        """The game."""
        return game_named(self.game)

    @property
    def rows_per_table(self) -> int:
        """Committees times lambdas; of the largest part of a mixture."""
        providers = max((part.providers for part in self.mixture), default=self.providers)
        return self.plays.committees_of(providers) * max(1, len(self.plays.how.values))

    @property
    def batch(self) -> int:
        """How many tables are solved together; a last, smaller shard is solved with others, not to compile anew."""
        return min(self.shard_size, self.tables)

    def parts(self) -> Iterator[SweepConfig]:
        """The parts of a mixture, each by itself; without one, the whole."""
        if not self.mixture:
            yield self
        for part in self.mixture:
            yield replace(self, mixture=(), **{name: getattr(part, name) for name in _OF_PART})

    def of_shard(self, shard: int) -> SweepConfig:
        """The part that a shard is of."""
        if not self.mixture:
            return self
        return list(self.parts())[part_of(shard, [part.proportion for part in self.mixture])]


def described(config: SweepConfig) -> tuple[dict[str, Any], Any]:
    """The configuration as JSON, and the versions of its families."""
    plain = {**asdict(config), "parameters": dict(sorted(config.parameters))}
    plain["game"] = config.plays.described()
    if config.split_by == "id":
        del plain["split_by"]
    if not config.text:
        del plain["text"]
    if not config.mixture:
        del plain["mixture"]
        return plain, find_family(config.family).version
    for name in _OF_PART:
        del plain[name]
    plain["mixture"] = [{**asdict(part), "parameters": dict(sorted(part.parameters))} for part in config.mixture]
    return plain, [find_family(part.family).version for part in config.mixture]


def check(config: SweepConfig) -> None:
    """Refuse what can be told without drawing a table; see `validate`."""
    for name in ("tables", "resolution", "shard_size", "bins", "candidates", "equilibria_cap"):
        _check_whole(name, getattr(config, name), 1)
    _check_whole("seed", config.seed, 0)
    for name in ("float32", "text"):
        if not isinstance(getattr(config, name), bool):
            raise ValueError(f"{name}: expected True or False, got {getattr(config, name)!r}")
    _check_mixture(config)
    for part in config.parts():
        for name in ("states", "actions"):
            _check_whole(name, getattr(part, name), 1)
        _check_whole("providers", part.providers, 1, MAX_PROVIDERS)
    try:
        json.dumps(config.plays.described())
    except TypeError:
        raise ValueError(f"game: expected options that can be written down, got {config.game!r}") from None
    check_shares(config.splits)
    check_choice("split_by", config.split_by, ("id", "form"))
    for part in config.parts():
        if config.split_by == "form":
            check_orders(part.states, part.actions)
    if config.text and not {"schemes", "equilibria"} <= {*config.plays.groups}:
        rules = getattr(config.plays, "rules", "")
        game = f"{config.plays.name} game" + (f" with {rules}" if rules else "")
        raise ValueError(f"text: expected the selection game with schemes, got the {game}")
    _check_size(config)
    for part in config.parts():
        _check_parameters(part)
    _check_columns(config)
    _check_stratify(config)
    check_licence(config.licence)
    check_choice("backend", config.backend, get_args(Backend))


def check_drawn(config: Any, unit: str, rows: int, each: str) -> None:
    """Refuse what configurations of all that is drawn have in common: shards, splits, licence and backend.

    Args:
        config: with `shard_size`, `splits`, `licence`, `backend`, and the number of `unit`.
        unit: what is counted, such as "markets".
        rows: that one of them has.
        each: what these are, such as "depths".

    Raises:
        ValueError: naming the field.
    """
    check_shares(config.splits)
    check_licence(config.licence)
    check_choice("backend", config.backend, get_args(Backend))
    count, size = getattr(config, unit), config.shard_size
    if min(size, count) * rows > MAX_SHARD_ROWS:
        raise ValueError(
            f"shard_size: expected at most {MAX_SHARD_ROWS // rows} {unit} of {rows} {each} each "
            f"({MAX_SHARD_ROWS} rows), got {size}"
        )
    if -(-count // size) > MAX_SHARDS:
        raise ValueError(f"shard_size: expected at least {-(-count // MAX_SHARDS)} for {count} {unit}, got {size}")


def drawn_last(draw: Callable[[int, int], Drawn], ids: range, most: int) -> Drawn:
    """What has these ids: of a last, smaller shard the end of a whole one, as another count would be compiled anew.

    Args:
        draw: from a count and the first id to a batch.
        ids: of the shard.
        most: how many a whole shard has.
    """
    batch = draw(most, ids.stop - most)
    return batch if len(ids) == most else batch[most - len(ids) :]


def check_licence(licence: Any) -> None:
    """Refuse what does not look like a licence's SPDX name."""
    if not isinstance(licence, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", licence):
        raise ValueError(f"licence: expected the SPDX name of a licence, CC0-1.0 say, got {licence!r}")


def _check_mixture(config: SweepConfig) -> None:
    if not isinstance(config.mixture, tuple) or not all(isinstance(part, MixturePart) for part in config.mixture):
        raise ValueError(f"mixture: expected a tuple of MixturePart, got {config.mixture!r}")
    if config.mixture:
        for name in _OF_PART:
            if getattr(config, name) != getattr(SweepConfig, name):
                raise ValueError(f"{name}: expected nothing beside a mixture, got {getattr(config, name)!r}")
        check_proportions([part.proportion for part in config.mixture])


def _check_size(config: SweepConfig) -> None:
    rows = config.rows_per_table
    if config.batch * rows > MAX_SHARD_ROWS:
        what = f"{rows} committees and lambdas each" if config.plays.how.quantal else f"{rows} committees each"
        providers = max(part.providers for part in config.parts())
        raise ValueError(
            f"shard_size: expected at most {MAX_SHARD_ROWS // rows} tables for {providers} providers "
            f"({what}, {MAX_SHARD_ROWS} rows), got {config.shard_size}"
        )
    if -(-config.tables // config.shard_size) > MAX_SHARDS:
        least = -(-config.tables // MAX_SHARDS)
        raise ValueError(f"shard_size: expected at least {least} for {config.tables} tables, got {config.shard_size}")


def _check_columns(config: SweepConfig) -> None:
    columns = config.columns
    if not isinstance(columns, tuple) or len(set(columns)) < len(columns) or not set(columns) <= {*get_args(Group)}:
        raise ValueError(f"columns: expected some of {', '.join(get_args(Group))}, each once, got {columns!r}")
    if not set(columns) <= {*config.plays.groups}:
        known = ", ".join(config.plays.groups) or "none"
        raise ValueError(f"columns: expected of {known}, which this game and its options have, got {columns!r}")
    listed = config.batch * config.rows_per_table * config.equilibria_cap * max(part.states for part in config.parts())
    if "equilibria" in columns and listed >= 2**31:
        raise ValueError(
            "equilibria_cap: expected states x equilibria of a shard below 2**31, got "
            f"{config.equilibria_cap} for {config.batch} tables; use a smaller shard_size or cap"
        )


def _check_stratify(config: SweepConfig) -> None:
    if config.stratify not in ("", "misalignment"):
        raise ValueError(f"stratify: expected misalignment or nothing, got {config.stratify!r}")
    span = config.bin_range
    if span is not None:
        numbers = isinstance(span, tuple) and len(span) == 2 and all(type(end) in (int, float) for end in span)
        if not numbers or not all(map(math.isfinite, span)) or not 0 <= span[0] < span[1]:
            raise ValueError(f"bin_range: expected two numbers, 0 <= low < high, got {span!r}")
    if not config.stratify:
        return
    if "weights" not in config.plays.groups:
        raise ValueError("stratify: expected a game whose misalignment is computed, got none")
    if config.mixture and span is None:
        raise ValueError("bin_range: expected a range for the bins of a mixture, got none")
    if config.shard_size * -(-config.tables // config.shard_size) * config.candidates > 2**63:
        raise ValueError(f"candidates: expected fewer for {config.tables} tables, got {config.candidates}")


def _check_whole(name: str, value: Any, low: int, high: int | None = None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        limits = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name}: expected a whole number {limits}, got {value!r}")


def _check_parameters(config: SweepConfig) -> None:
    try:
        pairs = [(name, value) for name, value in config.parameters]
    except (TypeError, ValueError):
        raise ValueError(f"parameters: expected pairs (name, value), got {config.parameters!r}") from None
    for name, value in pairs:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not isinstance(name, str) or not real or not math.isfinite(value):
            raise ValueError(f"parameters: expected a name and a finite number, got {(name, value)!r}")
        if [other for other, _ in pairs].count(name) > 1:
            raise ValueError(f"parameters: expected every name once, got {name!r} again")
    check_parameters(dict(pairs), find_family(config.family))
