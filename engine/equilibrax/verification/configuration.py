"""What the folder of a dataset says it holds, read anew from `sweep.json`.

The layout and the rules are those that `equilibrax.datasets.sweep` documents: which tables a shard has, which part of a
mixture, which split a table is in. Names and types of columns are the engine's declarations, and all that is shared.

Letters: B tables.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np

from equilibrax._core.column import Column
from equilibrax._core.columns import Group, declared
from equilibrax.verification.rules import GAMES, Game
from equilibrax.verification.safely import read_json, short
from equilibrax.verification.training.forms import MOST_ORDERS, orders

FORMAT = 3
MOST_SHARDS, MOST_ROWS, MOST_TURNS = 10**8, 2**22, 100_000
"""Shards, rows of results of one, and shards until the parts of a mixture are even: what a sweep can have at most."""
MOST_CELLS = 2**22
"""Utilities of one table that are drawn again."""
_UNSAID = {"split_by": "id", "text": False}
"""Settings that are only written where they are others."""
SPLITS = ("train", "validation", "test")


class NoDataset(ValueError):
    """The folder is no dataset that this version can verify."""


@dataclass(frozen=True)
class Part:
    """What the tables of a shard are.

    Attributes:
        family, states, actions, providers, parameters: see `SweepConfig`.
        version: of the family.
    """

    family: str
    states: int
    actions: int
    providers: int
    parameters: Mapping[str, float]
    version: int


@dataclass(frozen=True)
class Configuration:
    """`sweep.json` of a dataset of tables.

    Attributes:
        unit: what is counted.
        kinds: the folders of its files, of what is solved and of results.
        key: the column of both that has the id.
    """

    unit: ClassVar[str] = "tables"
    kinds: ClassVar[tuple[str, str]] = ("tables", "committees")
    key: ClassVar[str] = "table_id"

    description: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        config = self.description["config"]
        game = config["game"]
        if name == "game":
            return game["name"]
        if name == "tie_break":
            return game.get(name, "incumbent")
        if name in ("dynamics", "misalignment"):
            return game.get(name, False) is not False
        if name in ("schemes", "partitions", "lotteries"):  # which of them providers may post
            return game.get("rules", "schemes" if self.game.schemes else "partitions") == name
        if name == "search":  # how lotteries were searched for, or None
            return game.get(name)
        if name == "rationality":
            return lambdas_of(game.get("response", "best"))
        if name == "tolerance":
            return 0.0 if game.get("response", "best") == "best" else float(game["response"]["tolerance"])
        if name == "limit":  # of the moves of dynamics
            return game["dynamics"].get("step_limit", 10**6) if isinstance(game.get("dynamics"), dict) else 10**6
        if name == "max_capacity":  # schemes that a table of any kind can have without being given up
            return game.get(name, 2**16)
        return config.get(name, _UNSAID[name]) if name in _UNSAID else config[name]

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of files: the kinds, and text if there is any."""
        return (*self.kinds, *(["text"] if self["text"] else []))

    @property
    def count(self) -> int:
        """How many tables there are."""
        return self[self.unit]

    @property
    def shards(self) -> int:
        return -(-self.count // self["shard_size"])

    @property
    def game(self) -> Game:
        """What is known of the game."""
        return GAMES.get(self["game"], Game())

    @property
    def fingerprint(self) -> str:
        """What shards must have been made with: everything but their number and the git revision."""
        same = {name: value for name, value in self.description.items() if name != "git_revision"}
        same["config"] = {name: value for name, value in same["config"].items() if name != self.unit}
        return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()

    @property
    def splits(self) -> list[str]:
        """Those that are written."""
        return [name for name, share in zip(SPLITS, self["splits"], strict=True) if share > 0]

    def ids(self, shard: int) -> range:
        """The numbers of a shard's tables, or of its candidates if the sweep is stratified."""
        size = self["shard_size"]
        times = self["candidates"] if self["stratify"] else 1
        return range(shard * size * times, min((shard + 1) * size, self.count) * times)

    def part(self, shard: int) -> Any:
        """What a shard's tables are, a `Part`."""
        versions = self.description["family_version"]
        if "mixture" not in self.description["config"]:
            return self._part(self.description["config"], versions)
        parts = self["mixture"]
        turns = _dealt(tuple(part["proportion"] for part in parts))
        which = turns[shard % len(turns)]
        return self._part(parts[which], versions[which])

    def _part(self, said: Mapping[str, Any], version: int) -> Part:
        states, actions, providers = (int(said[name]) for name in ("states", "actions", "providers"))
        return Part(said["family"], states, actions, providers, said["parameters"], version)

    def rows_each(self, part: Any) -> int:
        """Rows of results of each table."""
        return len(self.game.committees(part.providers)) * max(1, len(self["rationality"]))

    def letters(self, part: Any) -> dict[str, int]:
        """What the letters in the sizes of columns stand for."""
        found = {"K": part.providers, "1+K": 1 + part.providers, "X": part.states, "A": part.actions}
        return found | ({"M": self["search"]["messages"] or part.states} if self["search"] else {})

    def split_of(self, decisive: np.ndarray) -> np.ndarray:
        """`[B]` positions in `splits`: splitmix64 of the seed, plus the id or the hash of the form, splitmix64 again,
        against the shares."""
        hashes = _splitmix(_splitmix(np.array([self["seed"]], np.uint64)) + decisive.astype(np.uint64))
        total, limits = Fraction(0), []
        for share in self["splits"]:
            total += Fraction(repr(share))
            if share > 0:
                limits.append(int(total * 2**64))
        position = np.zeros(len(hashes), np.int64)
        for limit in limits[:-1]:
            position += hashes >= np.uint64(limit)
        return position

    def columns(self, kind: str) -> list[Column]:
        """The columns of inputs or results, in order."""
        groups = set(self["columns"]).intersection(get_args(Group)) | (set() if self.game.schemes else {"partitions"})
        groups |= {"search"} if self["search"] else set()
        groups |= {"lotteries"} if self.game.schemes and self["lotteries"] else set()
        return [column.stored(self["float32"]) for column in declared(kind, *groups)]

    def check_limits(self) -> None:
        """Refuse sizes that no sweep can have; what is checked later is bounded by them."""
        for name, low, high in (
            ("equilibria_cap", 1, 2**31 - 1),
            ("bins", 1, 2**20),
            ("candidates", 1, 2**50),
        ):
            check_whole(name, self[name], low, high)
        check_common(self)
        if self.ids(self.shards - 1).stop > 2**62:
            raise ValueError("candidates: more than can be numbered")
        for name, kind in (("float32", bool), ("stratify", str), ("text", bool)):
            if type(self[name]) is not kind:
                raise TypeError(f"{name}: {self[name]!r}")
        if self["search"] and self["search"]["messages"] is not None:
            check_whole("messages", self["search"]["messages"], 1, MOST_CELLS)
        if self["split_by"] not in ("id", "form"):
            raise ValueError(f"split_by: {short(self['split_by'])}")
        if self["text"] and not ("schemes" in self["columns"] and self.game.schemes and self["schemes"]):
            raise ValueError("text: no schemes")
        if self["stratify"]:
            low, high = map(float, self["bin_range"])
            if not low < high:
                raise ValueError(f"bin_range: {low} to {high}")
        parts = self.description["config"].get("mixture", [self.description["config"]])
        if not 0 < len(parts) <= 1000:
            raise ValueError(f"mixture: {len(parts)} parts")
        if "mixture" in self.description["config"]:
            proportions = [Fraction(repr(part["proportion"])) for part in parts]
            if min(proportions) <= 0 or len(str(parts)) > 2**16 or _cycle(proportions) > MOST_TURNS:
                raise ValueError(f"mixture: proportions that are not even after {MOST_TURNS:,} shards")
        for number in range(min(self.shards, MOST_TURNS)) if len(parts) > 1 else (0,):
            self.check_part(self.part(number))

    def check_part(self, part: Part) -> None:
        """Refuse a part of a size that no sweep can have."""
        for name, high in (("states", 2**16), ("actions", 2**16), ("providers", 16), ("version", 2**31)):
            check_whole(name, getattr(part, name), 1, high)
        if part.states * part.actions * part.providers > MOST_CELLS:
            raise ValueError(f"tables of more than {MOST_CELLS:,} utilities")
        if min(self["shard_size"], self.count) * self.rows_each(part) > MOST_ROWS:
            raise ValueError(f"shard_size: more than {MOST_ROWS:,} rows")
        if self["split_by"] == "form" and orders(part.states, part.actions) > MOST_ORDERS:
            raise ValueError(f"split_by: more than {MOST_ORDERS:,} orders of states and actions")
        if type(part.family) is not str or len(part.family) > 200:
            raise TypeError("family: no text")
        if any(type(value) not in (int, float) for value in part.parameters.values()):
            raise TypeError("parameters: no numbers")


def read_configuration(folder: Path, units: Sequence[type[Configuration]] = (Configuration,)) -> Configuration:
    """`sweep.json` of a folder.

    Args:
        folder: where it is.
        units: what datasets can be of.

    Raises:
        NoDataset: if there is none, or of another format, or of other work than these, or of more than can be.
    """
    file = folder / "sweep.json"
    if not folder.is_dir():
        raise NoDataset(f"directory: expected the folder of a dataset, got {folder}, which is no folder")
    try:
        found = read_json(file, 2**20)
        version = found["format"]
    except FileNotFoundError:
        raise NoDataset(f"directory: expected the folder of a dataset, got {folder}, which has no sweep.json") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoDataset(f"{file}: expected the description of a dataset, got {short(error)}") from None
    if version != FORMAT:
        raise NoDataset(f"{file}: expected format {FORMAT}, got {short(version)}")
    try:
        layout = found["layout"]
        known = {kind.unit: kind for kind in units}
        if layout["unit"] not in known:
            raise NoDataset(f"{file}: expected a dataset of {' or '.join(known)}, got one of {short(layout['unit'])}")
        configuration = known[layout["unit"]](found)
        named = {"inputs": configuration.kinds[0], "results": configuration.kinds[1], "key": configuration.key}
        if layout != {"unit": configuration.unit, **named}:
            raise ValueError(f"layout: {short(layout)}")
        configuration.check_limits()
        configuration.split_of(np.zeros(1, np.int64))
        configuration.columns(configuration.kinds[1])
        json.dumps(found)  # as fingerprints need it
    except NoDataset:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        raise NoDataset(f"{file}: expected the description of a dataset, got {short(error)}") from None
    return configuration


def check_common(configuration: Configuration) -> None:
    """What all sweeps have."""
    for name, low, high in (
        (configuration.unit, 1, 2**50),
        ("shard_size", 1, 2**22),
        ("seed", 0, 2**64 - 1),
        ("resolution", 1, 2**31 - 1),
    ):
        check_whole(name, configuration[name], low, high)
    if configuration.shards > MOST_SHARDS:
        raise ValueError(f"{configuration.unit}: {configuration.shards:,} shards, more than {MOST_SHARDS:,}")
    if type(configuration["licence"]) is not str:
        raise TypeError(f"licence: {configuration['licence']!r}")
    shares = [Fraction(repr(share)) for share in configuration["splits"]]
    if len(shares) != len(SPLITS) or min(shares) < 0 or abs(sum(shares) - 1) > Fraction(1, 10**6):
        raise ValueError("splits: no shares of train, validation and test")


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name}: {short(value, 50)}, not a whole number from {low} to {high}")


def lambdas_of(response: Any) -> list[Any]:
    if response == "best":
        return []
    given = response["rationality"]
    return [float(value) for value in (given if isinstance(given, list) else [given])]


def _splitmix(values: np.ndarray) -> np.ndarray:
    """One step of splitmix64 (Steele, Lea and Flood, 2014), modulo 2**64."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _cycle(proportions: Sequence[Fraction]) -> int:
    """After how many turns all parts are even."""
    total = sum(proportions, Fraction(0))
    return math.lcm(*((value / total).denominator for value in proportions))


@lru_cache(maxsize=8)
def _dealt(proportions: tuple[float, ...]) -> tuple[int, ...]:
    """The parts in turn, until all are even: always the one that is furthest behind its proportion, the first."""
    exact = [Fraction(repr(value)) for value in proportions]
    number = _cycle(exact)
    shares = [int(value / sum(exact) * number) for value in exact]
    behind, turns = [0] * len(shares), []
    for _ in range(number):
        behind = [left + share for left, share in zip(behind, shares)]
        turns.append(behind.index(max(behind)))
        behind[turns[-1]] -= number
    return tuple(turns)
