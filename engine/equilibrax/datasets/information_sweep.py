"""Sweeps of random decision problems: the folder of `equilibrax.datasets.sweep`, with depths in place of committees.

| file | what it holds |
|---|---|
| `sweep.json` | the configuration, with the versions of the format, of equilibrax and of the random problems |
| `problems/train-00000007.parquet` | the problems of shard 7 in the split train, `problem_rows` |
| `depths/train-00000007.parquet` | their markets of information, `depth_rows` |

Everything that `equilibrax.datasets.sweep` says about shards, interruptions and bytes holds here too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from equilibrax._core.batching import batch_mesh
from equilibrax.datasets._pipeline import Rows, Work, count_statuses
from equilibrax.datasets._run import SweepReport, check_share, run_work
from equilibrax.datasets.config import _check_whole, check_drawn, drawn_last
from equilibrax.datasets.splits import DEFAULT_SHARES
from equilibrax.games import Backend, Game, InformationMarket, InformationMarketResult, game_named, solve
from equilibrax.problems import PROBLEMS_VERSION, DecisionProblem, random_problems
from equilibrax.rows.committees import as_stored
from equilibrax.rows.information import depth_rows, problem_rows


@dataclass(frozen=True)
class InformationSweepConfig:
    """What to solve. Together with the versions in `sweep.json` it determines every byte of a sweep.

    Attributes:
        family: Family of random problems; `equilibrax families problems` describes them.
        problems: Number of problems; their ids are 0 to this number - 1.
        states: Number of states.
        acts: Number of acts.
        items: Number of items of information, 1 to 16.
        levels: The largest utility; utilities are whole numbers.
        seed: Seed of the random problems.
        game: The market, with its options.
        shard_size: Problems per shard.
        splits: Shares of train, validation and test, which sum to 1.
        licence: Licence of the dataset, an SPDX name.
        backend: What solves: loops (cpu), kernels that XLA compiles (xla), or what fits the machine (auto). The one
            that was taken is in `sweep.json`.
    """

    family: str = "uniform"
    problems: int = 10_000
    states: int = 8
    acts: int = 3
    items: int = 4
    levels: int = 100
    seed: int = 0
    game: Game[Any] | str = InformationMarket()  # noqa: RUF009  (immutable)
    shard_size: int = 4096
    splits: tuple[float, float, float] = DEFAULT_SHARES
    licence: str = "CC0-1.0"
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "game", game_named(self.game, DecisionProblem))

    @property
    def plays(self) -> Game[Any]:
        """The market."""
        return game_named(self.game, DecisionProblem)

    @property
    def rows_per_problem(self) -> int:
        """Depths, 0 among them."""
        depth = getattr(self.plays, "depth", None)
        return 1 + (self.items if depth is None else depth)


def run_information_sweep(
    config: InformationSweepConfig,
    directory: str | os.PathLike[str],
    *,
    worker: tuple[int, int] = (0, 1),
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    allow_versions: bool = False,
) -> SweepReport:
    """Draw random decision problems, solve their markets of information and write them to a folder, or go on with it.

    As `run_sweep`; the report's `tables` are problems.

    Args:
        config: what to solve.
        directory: the folder, made if need be; an empty one, or one of this sweep.
        worker: i and n, 0 <= i < n: do only the shards whose number is i modulo n.
        progress: called with the number of problems done and of all problems, at the start and after each shard.
        should_stop: asked before every shard; if true, the call ends early, with a report that is not `complete`.
        allow_versions: as in `run_sweep`.

    Returns:
        Counts and times of this call.

    Raises:
        ValueError: on a bad configuration, a path that is no folder, or a folder of another sweep.
        OSError: of the fitting kind, with the path in it, if a file cannot be written.
        KeyboardInterrupt: on Ctrl-C, after the shard that is being written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> config = InformationSweepConfig(problems=5, states=3, items=2, shard_size=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = run_information_sweep(config, folder)
        ...     sorted(path.name for path in Path(folder, "depths").glob("train-*"))
        ['train-00000000.parquet', 'train-00000001.parquet']
        >>> report.tables, report.rows, report.complete
        (5, 15, True)
    """
    check_share(worker)
    validate_problems(config)
    return run_work(_work(config), directory, progress, should_stop, worker, allow_versions=allow_versions)


def validate_problems(config: InformationSweepConfig) -> None:
    """Check a configuration. The problems of the first shard are drawn.

    Raises:
        ValueError: naming the field, what was expected and what came.

    Example:
        >>> validate_problems(InformationSweepConfig(problems=0))
        Traceback (most recent call last):
        ...
        ValueError: problems: expected a whole number of at least 1, got 0
    """
    for name in ("problems", "states", "acts", "items", "levels", "shard_size"):
        _check_whole(name, getattr(config, name), 1)
    _check_whole("seed", config.seed, 0)
    check_drawn(config, "problems", config.rows_per_problem, "depths")
    config.plays.accept(_draw(config, range(min(config.shard_size, config.problems))))


def _work(config: InformationSweepConfig) -> Work[InformationMarketResult]:
    first = _draw(config, range(min(config.shard_size, config.problems)))
    config = replace(config, backend=config.plays.backend_for(first, config.backend, batch_mesh()))
    return Work(
        unit="problems",
        inputs="problems",
        results="depths",
        config={**asdict(config), "game": config.plays.described()},
        version=PROBLEMS_VERSION,
        draw=partial(_draw, config),
        solve=partial(_solve, config),
        rows=_rows,
        key="problem",
    )


def _draw(config: InformationSweepConfig, ids: range) -> DecisionProblem:
    sizes = {name: getattr(config, name) for name in ("states", "acts", "items", "levels", "seed")}
    return drawn_last(
        lambda count, start: random_problems(config.family, count, **sizes, start=start),
        ids,
        min(config.shard_size, config.problems),
    )


def _solve(config: InformationSweepConfig, problems: DecisionProblem) -> InformationMarketResult:
    return solve(problems, config.plays, backend=config.backend, throw=False)


def _rows(result: InformationMarketResult) -> Rows:
    return Rows(
        inputs=as_stored(problem_rows(result.problems), "problems"),
        results=depth_rows(result),
        statuses=count_statuses(result.status),
    )
