"""Shards of a sweep: which tables are in them, their results, and the rows that are written."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from equilibrax._core.batching import batch_mesh, steady_shapes
from equilibrax.datasets._forms import forms_of_tables
from equilibrax.datasets._pipeline import Rows, Work, count_statuses
from equilibrax.datasets._text import text_rows
from equilibrax.datasets.config import SweepConfig, described
from equilibrax.datasets.splits import split_of
from equilibrax.datasets.stratify import Bins, fill, scores_of
from equilibrax.fits.chebyshev import TOLERANCE as CERTIFIED
from equilibrax.games import solve
from equilibrax.problems.random_tables import sample_tables
from equilibrax.problems.tables import UtilityTables
from equilibrax.rows.committees import as_stored, committee_rows, table_rows


@dataclass(frozen=True)
class Drawn:
    """Tables to solve, of which the first `count` are the shard's.

    Attributes:
        config: of its part.
        tables: B tables.
        count: how many are written.
        more: for its record.
        splits: `[count]` the positions of their splits.
    """

    config: SweepConfig
    tables: UtilityTables
    count: int
    more: dict[str, Any]
    splits: np.ndarray


@dataclass(frozen=True)
class Shard(Drawn):
    """Tables that were solved.

    Attributes:
        result: of them.
    """

    result: Any


def work_of(config: SweepConfig) -> Work[Shard]:
    """A checked configuration as work."""
    if config.stratify and config.bin_range is None:
        config = replace(config, bin_range=_usual_range(config))
    config = replace(config, backend=_backend(config))
    if config.text and "schemes" not in config.columns:  # so that every answer can be checked
        config = replace(config, columns=("schemes", *config.columns))
    plain_config, versions = described(config)
    return Work(
        unit="tables",
        inputs="tables",
        results="committees",
        config=plain_config,
        version=versions,
        draw=partial(_draw, config),
        solve=_solve,
        rows=_rows,
    )


def _backend(config: SweepConfig) -> Literal["xla", "cpu"]:
    """The one that all tables are solved by."""
    if config.backend == "xla":
        return config.backend
    game, mesh = config.plays, batch_mesh()
    firsts = (draw(part, range(part.batch)) for part in config.parts())
    chosen = {game.backend_for(game.accept(tables), config.backend, mesh) for tables in firsts}
    return "cpu" if chosen == {"cpu"} else "xla"


def draw(config: SweepConfig, ids: range) -> UtilityTables:
    """Tables of these ids, which are no more than `config.batch`."""
    tables = sample_tables(
        config.family,
        config.batch,
        states=config.states,
        actions=config.actions,
        providers=config.providers,
        seed=config.seed,
        start=ids.stop - config.batch,
        resolution=config.resolution,
        **dict(config.parameters),
    )
    return tables if len(ids) == config.batch else tables[config.batch - len(ids) :]


def _usual_range(config: SweepConfig) -> tuple[float, float]:
    """From 0 to what 95 of 100 of the first candidates stay below, rounded up to thousandths."""
    with steady_shapes():
        scores = _scores(config, draw(config, range(config.batch)))
    usual = float(np.nanquantile(scores, 0.95)) if np.isfinite(scores).any() else 0.0
    high = math.ceil(usual * 1000) / 1000
    if usual <= CERTIFIED:
        raise ValueError(
            f"stratify: expected a family with some misalignment, got {config.family!r}, of which 95 of 100 tables "
            "have none; give bin_range"
        )
    return 0.0, high


def _scores(config: SweepConfig, tables: UtilityTables) -> np.ndarray:
    return scores_of(tables, config.plays)


def _draw(config: SweepConfig, ids: range) -> Drawn:
    part = config.of_shard(ids.start // config.shard_size)
    more = {"family": part.family, "states": part.states, "actions": part.actions, "providers": part.providers}
    more = {"part": {**more, "parameters": dict(part.parameters)}} if config.mixture else {}
    if config.stratify:
        assert config.bin_range is not None
        own = range(ids.start * config.candidates, ids.stop * config.candidates)
        bins = Bins(config.bins, *config.bin_range)
        found = fill(bins, ids, own, part.batch, partial(draw, part), partial(_scores, part))
        tables, count, more = found.tables, found.count, more | found.record
    else:
        tables, count = draw(part, ids), len(ids)
    # Split by split, as they are written.
    form = part.split_by == "form"
    decisive = forms_of_tables(tables.select(np.arange(count))) if form else np.asarray(tables.table_id[:count])
    split = split_of(decisive, part.seed, part.splits)
    order = np.argsort(split, kind="stable")
    whole = np.concatenate([order, np.arange(count, len(tables))])
    return Drawn(part, tables.select(whole), count, more, split[order])


def _solve(drawn: Drawn) -> Shard:
    result = solve(drawn.tables, drawn.config.plays, backend=drawn.config.backend, throw=False)
    return Shard(drawn.config, drawn.tables, drawn.count, drawn.more, drawn.splits, result)


def _rows(shard: Shard) -> Rows:
    config, result = shard.config, shard.result
    results = committee_rows(result, config.columns, config.equilibria_cap, backend=config.backend, encoded=True)
    each = results.num_rows // len(shard.tables)
    return Rows(
        inputs=as_stored(_first(table_rows(shard.tables), shard.count), "tables", config.float32),
        results=as_stored(_first(results, shard.count * each), "committees", config.float32),
        text=text_rows(result, shard.count, config.seed) if config.text else None,
        splits=shard.splits,
        statuses=count_statuses(result.status[: shard.count]),
        retries=int(result.retries[: shard.count].sum()),
        resolved=result.resolved,
        more=shard.more,
    )


def _first(rows: pa.Table, count: int) -> pa.Table:
    return rows if count == rows.num_rows else rows.slice(0, count)
