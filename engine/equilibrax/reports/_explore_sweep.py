"""A dataset as a page: Figures 5 and 6 as densities to choose a part of, and the tables behind it, which open below.

Rows are counted here, by bins of what the figures show, so that the page's size does not depend on their number. Bin 0
is exactly zero; the others share the range up to the largest value. A group is what falls into the same bins of
misalignment, of the loss of the worst equilibrium and of what dynamics gain over it, for committees of one size.

Letters: N rows, G groups.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from equilibrax.reports._explore import MAX_PROVIDERS, Page, built_page
from equilibrax.rows.parquet import iter_committees, iter_rows

MAX_BYTES = 5_000_000
"""Largest page of a dataset."""

_BINS = (64, 48, 32, 24, 16, 8)
_MAX_GROUPS = 60_000
_TABLE_BYTES = 2_000_000  # of the tables that open in the page
_ZERO = 1e-9  # less counts as zero

_SHOWN = ("misalignment", "loss", "gain")


@dataclass
class _Groups:
    """Rows counted by key, each with the first of its rows.

    Attributes:
        keys: `[G]` sorted; count, table, committee: `[G]` how many rows, and the first one's table id and committee.
    """

    keys: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    count: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    table: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    committee: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, keys: np.ndarray, table: np.ndarray, committee: np.ndarray) -> None:
        """Count some more rows."""
        known = np.concatenate([self.keys, keys])
        weights = np.concatenate([self.count, np.ones(len(keys), np.int64)])
        self.keys, first, place = np.unique(known, return_index=True, return_inverse=True)
        self.count = np.bincount(place, weights, len(self.keys)).astype(np.int64)
        self.table = np.concatenate([self.table, table])[first]
        self.committee = np.concatenate([self.committee, committee])[first]


def explore_sweep(folder: str | os.PathLike[str]) -> Page:
    """A page of a dataset: Figures 5 and 6 of the paper (2509.15090) as densities, and the market page for its tables.

    A part of a figure is chosen with the pointer or in fields; the other figure and a list of tables behind it follow,
    and a table of the list opens as a market to play with. Committees' sizes are switched on and off.

    Args:
        folder: the folder of a sweep of the selection game, with misalignment and dynamics, whose finished shards are
            read. Rows of tables with more than 6 providers are left out, and so are rows without an answer.

    Returns:
        The page, of less than 5 MB whatever the number of rows.

    Raises:
        ValueError: if there is no such sweep, or no row that can be shown.

    Example:
        >>> import equilibrax as eq
        >>> sweep = eq.SweepConfig(family="uniform", tables=20, states=2, actions=2, providers=2, shard_size=20)
        >>> _ = eq.run_sweep(sweep, "my-sweep")
        >>> len(eq.reports.explore_sweep("my-sweep").html) < 5_000_000
        True
    """
    folder = Path(folder)
    tie_break = _tie_break(folder)
    tops, rows, left, tables = dict.fromkeys(_SHOWN, 0.0), 0, 0, 0
    for part, given in _parts(folder):
        rows, left = rows + len(part["committee"]), left + given - len(part["committee"])
        tables += len(np.unique(part["table_id"]))
        tops |= {name: float(part[name].max(initial=top)) for name, top in tops.items()}
    if not rows:
        raise ValueError(
            f"{folder}: expected solved rows with misalignment and dynamics, of at most {MAX_PROVIDERS} providers, "
            f"got {left:,} others"
        )
    tops = {name: top or 1.0 for name, top in tops.items()}
    bins, groups = _grouped(folder, tops)
    markets = _markets(folder, groups)
    place = {int(market.pop("id")): i for i, market in enumerate(markets)}
    keys, digits = groups.keys, []
    for base in (MAX_PROVIDERS + 1, bins, bins):
        keys, digit = np.divmod(keys, base)
        digits.append(digit.tolist())
    size, gain, loss = digits
    dataset = {
        "name": folder.resolve().name,
        "rows": rows,
        "tables": tables,
        "left": left,
        "game": tie_break,
        "bins": bins,
        "tops": {"e": tops["misalignment"], "l": tops["loss"], "g": tops["gain"]},
        "groups": {
            "e": keys.tolist(),
            "l": loss,
            "g": gain,
            "k": size,
            "n": groups.count.tolist(),
            "t": [place.get(table, -1) for table in groups.table.tolist()],
            "m": groups.committee.tolist(),
        },
    }
    return built_page({"markets": markets, "game": tie_break, "dataset": dataset}, MAX_BYTES)


def _tie_break(folder: Path) -> str:
    """The tie rule of the sweep's game."""
    try:
        game = json.loads((folder / "sweep.json").read_text("utf-8"))["config"]["game"]
        return game["tie_break"]
    except OSError as error:
        raise ValueError(f"{folder}: expected the folder of a sweep, got none: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{folder}: expected a sweep of the selection game, got another one") from error


def _parts(folder: Path) -> Iterator[tuple[dict[str, np.ndarray], int]]:
    """Columns of the rows that are shown, shard by shard, and how many rows the shard has."""
    for given in iter_committees(folder):
        rows = given.filter((pc.field("status") == "OK") & (pc.field("num_providers") <= MAX_PROVIDERS))
        optimum, worst, dynamics, eps = (
            rows[name].to_numpy() for name in ("optimum", "worst_utility", "dynamics_utility", "misalignment")
        )
        part = {
            "table_id": rows["table_id"].to_numpy(),
            "committee": rows["committee"].to_numpy().astype(np.int64),
            "committee_size": rows["committee_size"].to_numpy().astype(np.int64),
            "misalignment": eps,
            "loss": optimum - worst,
            "gain": dynamics - worst,
        }
        keep = np.isfinite(eps) & np.isfinite(part["loss"]) & np.isfinite(part["gain"])
        yield {name: column[keep] for name, column in part.items()}, given.num_rows


def _grouped(folder: Path, tops: dict[str, float]) -> tuple[int, _Groups]:
    """Groups, by as many bins as keep them few."""
    for bins in _BINS:
        groups = _Groups()
        for part, _ in _parts(folder):
            keys = np.zeros(len(part["committee"]), np.int64)
            for name in _SHOWN:
                share = np.floor(part[name] / tops[name] * (bins - 1)).astype(np.int64)
                keys = keys * bins + np.where(part[name] <= _ZERO, 0, 1 + np.clip(share, 0, bins - 2))
            groups.add(keys * (MAX_PROVIDERS + 1) + part["committee_size"], part["table_id"], part["committee"])
            if len(groups.keys) > _MAX_GROUPS:
                break
        else:
            return bins, groups
    raise ValueError(f"{folder}: expected few enough groups for a page, got more than {_MAX_GROUPS:,}")


def _markets(folder: Path, groups: _Groups) -> list[dict[str, Any]]:
    """Tables that open in the page: those behind the smallest groups first, as many as there is room for."""
    wanted = list(dict.fromkeys(groups.table[np.argsort(groups.count, kind="stable")].tolist()))
    found: list[dict[str, Any]] = []
    for rows in iter_rows(folder, "tables"):
        if not found:
            one = len(json.dumps(_market(rows.slice(0, 1).to_pylist()[0])))
            wanted = wanted[: max(1, _TABLE_BYTES // one)]
        found += [_market(row) for row in rows.filter(pc.field("table_id").isin(wanted)).to_pylist()]
    return found


def _market(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a table as the page takes it."""
    states, actions, resolution = row["states"], row["actions"], row["resolution"]
    there = row["available"] or [True] * (states * actions)

    def steps(utilities: list[float]) -> list[list[int | None]]:
        whole = [round(value * resolution) if a else None for value, a in zip(utilities, there)]
        return [whole[x * actions : (x + 1) * actions] for x in range(states)]

    own = row["provider_utilities"]
    return {
        "id": row["table_id"],
        "name": f"{row['family']} {row['table_id']}",
        "resolution": resolution,
        "states": [str(x) for x in range(states)],
        "actions": [str(a) for a in range(actions)],
        "providers": [f"provider {j + 1}" for j in range(row["num_providers"])],
        "prior": [str(weight) for weight in row["prior"]],
        "user": steps(row["user"]),
        "utilities": [steps(own[p : p + states * actions]) for p in range(0, len(own), states * actions)],
    }
