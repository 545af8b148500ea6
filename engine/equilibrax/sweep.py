"""Sweeps: any number of random tables, solved shard by shard into a folder, with restarts that lose nothing.

A sweep is a folder:

| file | what it holds |
|---|---|
| `sweep.json` | the configuration, with the versions of the format, of equilibrax and of the family |
| `tables-00000007.parquet` | the tables of shard 7, `table_rows` |
| `committees-00000007.parquet` | their results, `committee_rows` |

Shard i holds the tables with ids from `i * shard_size` up to, not including, `min((i + 1) * shard_size, tables)`. It
is done when its committees are there, which are written last. A process may be killed at any time: files appear
complete or not at all, and the same command goes on where the folder stops. Every file is a function of the
configuration (and of the versions of equilibrax, pyarrow and JAX, and the kind of device), so however often a sweep
was interrupted, it ends with the same bytes; two processes that work on one folder only waste time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from equilibrax._sweep_folder import MAX_SHARDS, SweepReport, Work, Written, count_statuses, describe, run_work
from equilibrax.families import _check_known, _find, sample_tables
from equilibrax.partition_result import PartitionResult
from equilibrax.records import committee_rows, table_rows, write_parquet
from equilibrax.result import SelectionResult
from equilibrax.solver import MAX_CAPACITY, TOLERANCE, TieBreak, check_game, solve
from equilibrax.tables import MAX_PROVIDERS, UtilityTables

MAX_SHARD_ROWS = 2**22
"""Most rows, one per (table, committee), of a shard. Two shards are in memory at a time: about 3 GB at this limit."""


@dataclass(frozen=True)
class SweepConfig:
    """What to solve. Together with the versions in `sweep.json` it determines every byte of a sweep.

    Attributes:
        family: a family of random tables, see `families()`.
        tables: how many tables; the ids are 0 to `tables - 1`.
        states: X.
        actions: A.
        providers: K, 1 to 16; all `2**K - 1` committees are solved.
        seed: of the tables.
        parameters: the family's parameters as pairs (name, value); those left out have their defaults.
        tie_break: see `solve`.
        dynamics: whether to run best-response dynamics.
        misalignment: whether to compute misalignment scores and bounds.
        resolution: fixed-point steps per unit of utility.
        shard_size: tables per shard, at most `MAX_SHARD_ROWS` rows: the default up to 10 providers, 64 for 16.
        max_capacity: see `solve`; tables that need more get the status FRONTIER_OVERFLOW.
        game: see `solve`. Over partitions there is no misalignment, and the aligned game has no committees, tie rule
            and dynamics. Oblivious providers play partitions.
        obedience: see `solve`.
        rationality: the lambdas of quantal response; none is the best response.
        tolerance: see `solve`.
    """

    family: str = "uniform"
    tables: int = 10_000
    states: int = 3
    actions: int = 3
    providers: int = 5
    seed: int = 0
    parameters: tuple[tuple[str, float], ...] = ()
    tie_break: TieBreak = "incumbent"
    dynamics: bool = True
    misalignment: bool = True
    resolution: int = 10_000
    shard_size: int = 4096
    max_capacity: int = MAX_CAPACITY
    game: str = "selection"
    obedience: bool = False
    rationality: tuple[float, ...] = ()
    tolerance: float = TOLERANCE

    @property
    def response(self) -> Literal["best", "quantal"]:
        """How the user responds."""
        return "quantal" if self.rationality else "best"

    @property
    def rows_per_table(self) -> int:
        """Committees times lambdas."""
        return (1 if self.game == "aligned" else 2**self.providers - 1) * max(1, len(self.rationality))


def run_sweep(
    config: SweepConfig,
    directory: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> SweepReport:
    """Draw and solve random tables and write them to a folder, or go on with what an earlier call has begun.

    Shards that are done are not touched. While a shard is solved, the one before is written. Memory does not depend on
    the number of tables. Tables that cannot be solved stop nothing; their `status` says why, and the report counts
    them.

    The same folder may be continued with more `tables`; the last shard, if it was not full, is then solved again. Any
    other difference, in configuration or versions, is an error.

    Args:
        config: what to solve.
        directory: the folder, made if need be. Other files in it are left alone.
        progress: called with the number of tables done and the number of all tables, at the start and after each
            shard, in the calling thread.
        should_stop: asked before every shard; if true, the call ends early, with a report that is not `complete`.

    Returns:
        Counts and times of this call.

    Raises:
        ValueError: on a bad configuration, a path that is no folder, a folder of another sweep or of a newer format, or
            one that has results but no `sweep.json`.
        OSError: of the fitting kind, with the path in it, if a file cannot be written.
        KeyboardInterrupt: on Ctrl-C, after the shard that is being written.

    Example:
        >>> import tempfile
        >>> config = SweepConfig(tables=10, states=2, actions=2, providers=2, shard_size=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = run_sweep(config, folder)
        ...     again = run_sweep(config, folder)
        ...     sorted(path.name for path in Path(folder).glob("committees-*"))
        ['committees-00000000.parquet', 'committees-00000001.parquet']
        >>> report.rows, report.statuses, report.complete
        (30, {'OK': 30}, True)
        >>> again.shards_before, again.tables
        (2, 0)
    """
    validate(config)
    return run_work(_work(config), directory, progress, should_stop)


def validate(config: SweepConfig) -> None:
    """Check a configuration. The tables of the first shard are drawn, because only a family knows its parameters.

    Raises:
        ValueError: naming the field, what was expected and what came.

    Example:
        >>> validate(SweepConfig(tables=0))
        Traceback (most recent call last):
        ...
        ValueError: tables: expected a whole number of at least 1, got 0
    """
    for name in ("tables", "states", "actions", "resolution", "shard_size", "max_capacity"):
        _check_whole(name, getattr(config, name), 1)
    _check_whole("providers", config.providers, 1, MAX_PROVIDERS)
    _check_whole("seed", config.seed, 0)
    for name in ("dynamics", "misalignment"):
        if not isinstance(getattr(config, name), bool):
            raise ValueError(f"{name}: expected True or False, got {getattr(config, name)!r}")
    if config.tie_break not in get_args(TieBreak):
        choices = ", ".join(map(repr, get_args(TieBreak)))
        raise ValueError(f"tie_break: expected one of {choices}, got {config.tie_break!r}")
    _check_game(config)
    rows = config.rows_per_table
    if min(config.shard_size, config.tables) * rows > MAX_SHARD_ROWS:
        what = f"{rows} committees each" if not config.rationality else f"{rows} committees and lambdas each"
        raise ValueError(
            f"shard_size: expected at most {MAX_SHARD_ROWS // rows} tables for {config.providers} providers "
            f"({what}, {MAX_SHARD_ROWS} rows), got {config.shard_size}"
        )
    if -(-config.tables // config.shard_size) > MAX_SHARDS:
        least = -(-config.tables // MAX_SHARDS)
        raise ValueError(f"shard_size: expected at least {least} for {config.tables} tables, got {config.shard_size}")
    _check_parameters(config)
    _draw(config, range(min(config.shard_size, config.tables)))


def _check_game(config: SweepConfig) -> None:
    if not isinstance(config.obedience, bool):
        raise ValueError(f"obedience: expected True or False, got {config.obedience!r}")
    if not isinstance(config.rationality, tuple):
        raise ValueError(f"rationality: expected a tuple of numbers, got {config.rationality!r}")
    rationality = config.rationality or None
    check_game(config.game, config.response, rationality, config.tolerance, config.obedience)
    if config.game != "selection" and config.tie_break != "incumbent":
        raise ValueError(f"tie_break: expected nothing in the game {config.game}, got {config.tie_break!r}")


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
    _check_known(dict(pairs), _find(config.family))


# --- shards -------------------------------------------------------------------------------------------------


def _work(config: SweepConfig) -> Work[tuple[UtilityTables, SelectionResult | PartitionResult]]:
    described = {**asdict(config), "parameters": dict(sorted(config.parameters))}
    described["rationality"] = [str(float(r)) for r in config.rationality]  # JSON has no infinity
    for name in ("game", "obedience", "rationality", "tolerance"):  # as before there were other games than selection
        if getattr(config, name) == getattr(SweepConfig, name):
            del described[name]
    return Work(
        unit="tables",
        count=config.tables,
        shard_size=config.shard_size,
        rows_each=config.rows_per_table,
        inputs="tables",
        results="committees",
        description=describe(_find(config.family).version, described),
        solve=partial(_solve, config),
        write=_write,
    )


def _draw(config: SweepConfig, ids: range) -> UtilityTables:
    count = min(config.shard_size, config.tables)  # as many for a last, smaller shard: another count compiles anew
    tables = sample_tables(
        config.family,
        count,
        states=config.states,
        actions=config.actions,
        providers=config.providers,
        seed=config.seed,
        start=ids.stop - count,
        resolution=config.resolution,
        **dict(config.parameters),
    )
    return tables if len(ids) == count else tables[count - len(ids) :]


def _solve(config: SweepConfig, ids: range) -> tuple[UtilityTables, SelectionResult | PartitionResult]:
    tables = _draw(config, ids)
    options: dict[str, Any] = {"tie_break": config.tie_break, "throw": False}
    if config.game not in ("aligned", "oblivious"):
        options["dynamics"] = config.dynamics
    if config.game == "selection" and not config.obedience:
        options |= {"misalignment": config.misalignment, "max_capacity": config.max_capacity}
    else:
        options |= {"obedience": config.obedience, "response": config.response, "tolerance": config.tolerance}
        options["rationality"] = config.rationality or None
    return tables, solve(tables, game=config.game, **options)


def _write(
    tables_file: Path, committees_file: Path, solved: tuple[UtilityTables, SelectionResult | PartitionResult]
) -> Written:
    tables, result = solved
    write_parquet(table_rows(tables), tables_file)
    write_parquet(committee_rows(result), committees_file)
    return Written(
        tables=len(result.table_id),
        rows=result.status.size,
        statuses=count_statuses(result.status),
        retries=int(result.retries.sum()),
        resolved=result.fit.resolved if isinstance(result, SelectionResult) and result.fit is not None else 0,
    )
