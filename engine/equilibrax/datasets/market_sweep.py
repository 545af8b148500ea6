"""Sweeps of random markets: the folder of `equilibrax.datasets.sweep`, with users in place of tables.

| file | what it holds |
|---|---|
| `sweep.json` | the configuration, with the versions of the format, of equilibrax and of the random markets |
| `markets/train-00000007.parquet` | the markets of shard 7 in the split train, `market_rows` |
| `users/train-00000007.parquet` | their results, `user_rows`: every game and lambda, one after the other |

Everything that `equilibrax.datasets.sweep` says about shards, interruptions and bytes holds here too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from equilibrax._core.batching import batch_mesh
from equilibrax.datasets._pipeline import Rows, Work, count_statuses
from equilibrax.datasets._run import SweepReport, check_share, run_work
from equilibrax.datasets.config import _check_whole, check_drawn, drawn_last
from equilibrax.datasets.splits import DEFAULT_SHARES
from equilibrax.games import Backend, MarketGame
from equilibrax.problems import MARKETS_VERSION, Alignment, random_markets
from equilibrax.problems.market import Market
from equilibrax.problems.tables import MAX_PROVIDERS
from equilibrax.rows.committees import as_stored
from equilibrax.rows.users import market_rows
from equilibrax.studies.market_games import Games, MarketOutcome, market_games, solve_games


@dataclass(frozen=True)
class MarketSweepConfig:
    """What to solve. Together with the versions in `sweep.json` it determines every byte of a sweep.

    Attributes:
        markets: Number of markets; their ids are 0 to this number - 1.
        users: Number of users of each.
        states: Number of states.
        actions: Number of actions.
        providers: Number of providers, 1 to 16; all `2**providers - 1` committees are solved.
        alignment: What is aligned: users with the providers' components (weak), providers with the users (strong), or
            nothing (none).
        error: By how much markets may be misaligned, 0 to 0.5.
        seed: Seed of the random markets.
        game: The games over markets, with their options, as in `solve_games`.
        promises: Whether to compute benchmarks and bounds.
        resolution: Fixed-point steps per unit of utility.
        shard_size: Markets per shard.
        splits: Shares of train, validation and test, which sum to 1.
        licence: Licence of the dataset, an SPDX name.
        backend: What solves: loops (cpu), kernels that XLA compiles (xla), or what fits the machine (auto). The one
            that was taken is in `sweep.json`.
    """

    markets: int = 10_000
    users: int = 2
    states: int = 3
    actions: int = 3
    providers: int = 2
    alignment: Alignment = "weak"
    error: float = 0.0
    seed: int = 0
    game: Games = "both"
    promises: bool = True
    resolution: int = 10_000
    shard_size: int = 1024
    splits: tuple[float, float, float] = DEFAULT_SHARES
    licence: str = "CC0-1.0"
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "game", market_games(self.game))

    @property
    def plays(self) -> tuple[MarketGame, ...]:
        """The games."""
        return market_games(self.game)

    @property
    def rows_per_market(self) -> int:
        """Committees times users times games times lambdas."""
        lambdas = sum(max(1, len(game.how.values)) for game in self.plays)
        return (2**self.providers - 1) * self.users * lambdas


def run_market_sweep(
    config: MarketSweepConfig,
    directory: str | os.PathLike[str],
    *,
    worker: tuple[int, int] = (0, 1),
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    allow_versions: bool = False,
) -> SweepReport:
    """Draw and solve random markets and write them to a folder, or go on with what an earlier call has begun.

    As `run_sweep`; the report's `tables` are markets.

    Args:
        config: what to solve.
        directory: the folder, made if need be; an empty one, or one of this sweep.
        worker: i and n, 0 <= i < n: do only the shards whose number is i modulo n.
        progress: called with the number of markets done and of all markets, at the start and after each shard.
        should_stop: asked before every shard; if true, the call ends early, with a report that is not `complete`.
        allow_versions: as in `run_sweep`.

    Returns:
        Counts and times of this call.

    Raises:
        ValueError: on a bad configuration, markets that are too large for a game, a path that is no folder, or a folder
            of another sweep.
        OSError: of the fitting kind, with the path in it, if a file cannot be written.
        KeyboardInterrupt: on Ctrl-C, after the shard that is being written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> config = MarketSweepConfig(markets=5, states=2, actions=2, shard_size=4, promises=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = run_market_sweep(config, folder)
        ...     sorted(path.name for path in Path(folder, "users").glob("train-*"))
        ['train-00000000.parquet', 'train-00000001.parquet']
        >>> report.tables, report.rows, report.complete
        (5, 60, True)
    """
    check_share(worker)
    validate_markets(config)
    return run_work(_work(config), directory, progress, should_stop, worker, allow_versions=allow_versions)


def validate_markets(config: MarketSweepConfig) -> None:
    """Check a configuration. The markets of the first shard are drawn.

    Raises:
        ValueError: naming the field, what was expected and what came.

    Example:
        >>> validate_markets(MarketSweepConfig(users=0))
        Traceback (most recent call last):
        ...
        ValueError: users: expected a whole number of at least 1, got 0
    """
    for name in ("markets", "users", "states", "actions", "resolution", "shard_size"):
        _check_whole(name, getattr(config, name), 1)
    _check_whole("providers", config.providers, 1, MAX_PROVIDERS)
    _check_whole("seed", config.seed, 0)
    if not isinstance(config.promises, bool):
        raise ValueError(f"promises: expected True or False, got {config.promises!r}")
    check_drawn(config, "markets", config.rows_per_market, "rows")
    _draw(config, range(min(config.shard_size, config.markets)))


def _work(config: MarketSweepConfig) -> Work[tuple[Market, list[MarketOutcome]]]:
    config = replace(config, backend=_backend(config))
    described = {**asdict(config), "game": [game.described() for game in config.plays]}
    return Work(
        unit="markets",
        inputs="markets",
        results="users",
        config=described,
        version=MARKETS_VERSION,
        draw=partial(_draw, config),
        solve=partial(_solve, config),
        rows=_rows,
        key="market",
    )


def _backend(config: MarketSweepConfig) -> Literal["xla", "cpu"]:
    """The one that all games are solved by."""
    markets, mesh = _draw(config, range(min(config.shard_size, config.markets))), batch_mesh()
    chosen = {game.suited(markets).backend_for(markets, config.backend, mesh) for game in config.plays}
    return "cpu" if chosen == {"cpu"} else "xla"


def _draw(config: MarketSweepConfig, ids: range) -> Market:
    sizes = (config.users, config.providers, config.states, config.actions)
    how: Any = {name: getattr(config, name) for name in ("alignment", "error", "seed", "resolution")}
    return drawn_last(
        lambda count, start: random_markets(count, *sizes, start=start, **how),
        ids,
        min(config.shard_size, config.markets),
    )


def _solve(config: MarketSweepConfig, markets: Market) -> tuple[Market, list[MarketOutcome]]:
    return markets, solve_games(markets, config.plays, promises=config.promises, backend=config.backend, throw=False)


def _rows(solved: tuple[Market, list[MarketOutcome]]) -> Rows:
    markets, outcomes = solved
    rows = pa.concat_tables([one.rows() for one in outcomes]).combine_chunks()
    status = np.stack([one.result.status for one in outcomes])
    return Rows(
        inputs=as_stored(market_rows(markets), "markets"),
        results=rows,
        statuses=count_statuses(status, markets.users),
    )
