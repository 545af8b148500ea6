"""What the folder of a dataset says it holds, read anew from `sweep.json`.

The layout and the rules are those that `equilibrax.datasets.sweep` documents: which tables a shard has, which part of a mixture,
which split a table is in, which columns there are.

Letters: B tables.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

FORMAT = 3
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
    """`sweep.json`."""

    description: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        config = self.description["config"]
        game = config["game"]
        if name == "game":
            return game["name"]
        if name == "tie_break":
            return game.get(name, "incumbent")
        if name in ("dynamics", "misalignment"):
            return bool(game.get(name, False))
        if name == "rationality":
            return _lambdas(game.get("response", "best"))
        return config[name]

    @property
    def shards(self) -> int:
        return -(-self["tables"] // self["shard_size"])

    @property
    def selection(self) -> bool:
        """Whether rules are schemes, which the user follows."""
        return self["game"] == "selection"

    @property
    def fingerprint(self) -> str:
        """What shards must have been made with: everything but the number of tables and the git revision."""
        same = {name: value for name, value in self.description.items() if name != "git_revision"}
        same["config"] = {name: value for name, value in same["config"].items() if name != "tables"}
        return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()

    @property
    def splits(self) -> list[str]:
        """Those that are written."""
        return [name for name, share in zip(SPLITS, self["splits"], strict=True) if share > 0]

    def ids(self, shard: int) -> range:
        """The numbers of a shard's tables, or of its candidates if the sweep is stratified."""
        size = self["shard_size"]
        times = self["candidates"] if self["stratify"] else 1
        return range(shard * size * times, min((shard + 1) * size, self["tables"]) * times)

    def part(self, shard: int) -> Part:
        """What a shard's tables are."""
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

    def rows_each(self, part: Part) -> int:
        """Rows of results of each table."""
        committees = 1 if self["game"] == "aligned" else 2**part.providers - 1
        return committees * max(1, len(self["rationality"]))

    def split_of(self, table_id: np.ndarray) -> np.ndarray:
        """`[B]` positions in `splits`: splitmix64 of the seed, plus the id, splitmix64 again, against the shares."""
        hashes = _splitmix(_splitmix(np.array([self["seed"]], np.uint64)) + table_id.astype(np.uint64))
        total, limits = Fraction(0), []
        for share in self["splits"]:
            total += Fraction(repr(share))
            if share > 0:
                limits.append(int(total * 2**64))
        position = np.zeros(len(hashes), np.int64)
        for limit in limits[:-1]:
            position += hashes >= np.uint64(limit)
        return position

    def schema(self, kind: str) -> pa.Schema:
        """Names and types of the columns of `tables` or `committees`."""
        real = pa.float32() if self["float32"] else pa.float64()
        if kind == "tables":
            fields = {"table_id": pa.int64(), "family": pa.string(), "seed": pa.int64()}
            fields |= dict.fromkeys(("states", "actions", "num_providers", "resolution"), pa.int32())
            fields |= dict.fromkeys(("user", "providers"), pa.list_(real))
            return pa.schema({**fields, "prior": pa.list_(pa.int32()), "available": pa.list_(pa.bool_())})
        fields = {"table_id": pa.int64(), "family": pa.string(), "seed": pa.int64()}
        fields |= dict.fromkeys(("states", "actions", "providers", "committee", "committee_size"), pa.int32())
        fields |= dict.fromkeys(("optimum", "worst_utility", "best_utility"), real)
        fields |= {"equilibria": pa.int64(), "dynamics_utility": real, "dynamics_steps": pa.int64()}
        fields |= {"misalignment": real, "bound": real, "status": pa.string()}
        if not self.selection:
            fields |= {"game": pa.string(), "response": pa.string(), "rationality": pa.float64()}
            fields |= {"tolerance": pa.float64(), "worst_partition": pa.list_(pa.int8())}
        scheme = pa.list_(pa.int16())
        groups = self["columns"]
        if "schemes" in groups:
            fields |= dict.fromkeys(("worst_scheme", "best_scheme", "dynamics_scheme"), scheme)
        if "equilibria" in groups:
            fields |= {"equilibrium_schemes": pa.list_(scheme), "equilibrium_schemes_cap": pa.int32()}
        if "weights" in groups:
            fields |= {"misalignment_weights": pa.list_(real), "misalignment_offset": real}
        return pa.schema(fields)


def read_configuration(folder: Path) -> Configuration:
    """`sweep.json` of a folder.

    Raises:
        NoDataset: if there is none, or of another format, or of other work than tables.
    """
    file = folder / "sweep.json"
    if not folder.is_dir():
        raise NoDataset(f"directory: expected the folder of a dataset, got {folder}, which is no folder")
    try:
        found = json.loads(file.read_bytes())
        version = found["format"]
    except FileNotFoundError:
        raise NoDataset(f"directory: expected the folder of a dataset, got {folder}, which has no sweep.json") from None
    except (ValueError, KeyError, TypeError) as error:
        raise NoDataset(f"{file}: expected the description of a dataset, got something else ({error!r})") from error
    if version != FORMAT:
        raise NoDataset(f"{file}: expected format {FORMAT}, got {version!r}")
    configuration = Configuration(found)
    try:
        if found["layout"]["unit"] != "tables":
            raise NoDataset(f"{file}: expected a dataset of tables, got one of {found['layout']['unit']}")
        if not all(type(configuration[name]) is int and configuration[name] > 0 for name in ("tables", "shard_size")):
            raise TypeError("tables, shard_size: expected positive whole numbers")
        for shard in range(min(configuration.shards, 1000)):
            configuration.rows_each(configuration.part(shard))
        configuration.split_of(np.zeros(1, np.int64))
        configuration.schema("committees")
        configuration.ids(0)
        _check_usual(found["config"]["game"], file)
        needed = ("seed", "resolution", "tie_break", "dynamics", "misalignment", "equilibria_cap")
        for name in needed + (("bins", "bin_range") if configuration["stratify"] else ()):
            configuration[name]
    except (KeyError, TypeError, IndexError, AttributeError, ZeroDivisionError) as error:
        raise NoDataset(f"{file}: expected the description of a dataset, got something else ({error!r})") from error
    return configuration


def _lambdas(response: Any) -> list[Any]:
    if response == "best":
        return []
    given = response["rationality"]
    return given if isinstance(given, list) else [given]


def _check_usual(game: Mapping[str, Any], file: Path) -> None:
    """What is recomputed is dynamics by best deviations in turn, and the score with weights of any sum."""
    usual = {"order": "round_robin", "deviation": "best", "weights": "nonnegative"}
    for option in ("dynamics", "misalignment"):
        said = game.get(option)
        for name, value in (said if isinstance(said, dict) else {}).items():
            if value != usual.get(name, value):
                raise NoDataset(f"{file}: expected {option} with {name} {usual[name]!r}, got {value!r}")


def _splitmix(values: np.ndarray) -> np.ndarray:
    """One step of splitmix64 (Steele, Lea and Flood, 2014), modulo 2**64."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


@lru_cache(maxsize=8)
def _dealt(proportions: tuple[float, ...]) -> tuple[int, ...]:
    """The parts in turn, until all are even: always the one that is furthest behind its proportion, the first."""
    exact = [Fraction(repr(value)) for value in proportions]
    shares = [value / sum(exact) for value in exact]
    dealt, turns = [0] * len(shares), []
    for turn in range(1, math.lcm(*(share.denominator for share in shares)) + 1):
        behind = [share * turn - number for share, number in zip(shares, dealt)]
        turns.append(behind.index(max(behind)))
        dealt[turns[-1]] += 1
    return tuple(turns)
