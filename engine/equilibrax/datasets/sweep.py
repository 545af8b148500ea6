"""Sweeps: any number of random tables, solved shard by shard into a dataset, with restarts that lose nothing.

A sweep is a folder:

| file | what it holds |
|---|---|
| `sweep.json` | the configuration, with the versions of all that the bytes depend on, and the kind of device |
| `tables/train-00000007.parquet` | the tables of shard 7 in the split train, `table_rows` |
| `committees/train-00000007.parquet` | their results, `committee_rows` and optional columns |
| `shards/00000007.json` | that shard 7 is done: its files with their rows, sizes and SHA-256, counts by status |
| `manifest.json`, `README.md`, `croissant.json` | all of it, once all shards are done; see `datasets.finalize` |

Shard i holds the tables with ids from `i * shard_size` up to, not including, `min((i + 1) * shard_size, tables)`. Every
shard has a file for each split with a positive share, without rows if need be. It is done when its record in `shards/`
is there, which is written last, and fits. A process may be killed at any time: files appear complete or not at all, and
the same command goes on where the folder stops. What a killed process was writing has a temporary name and, as the
process is gone, no lock on it; that, not its age, is how the next one knows that it may be removed.

Every file is a function of the configuration (and of the versions and the kind of device in `sweep.json`), so however
often a sweep was interrupted and however many processes shared it, it ends with the same bytes; two processes that work
on the same shards only waste time.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from equilibrax.datasets._run import SweepReport, check_share, run_work
from equilibrax.datasets._table_shards import draw, work_of
from equilibrax.datasets.config import MAX_SHARD_ROWS, SweepConfig, _check_whole, check  # noqa: F401  (market sweeps)
from equilibrax.datasets.mixture import MixturePart, read_mixture

__all__ = ["MAX_SHARD_ROWS", "MixturePart", "SweepConfig", "SweepReport", "read_mixture", "run_sweep", "validate"]


def run_sweep(
    config: SweepConfig,
    directory: str | os.PathLike[str],
    *,
    worker: tuple[int, int] = (0, 1),
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    allow_versions: bool = False,
) -> SweepReport:
    """Draw and solve random tables and write them to a folder, or go on with what an earlier call has begun.

    Shards that are done are not touched. While a shard is solved, the one before is written. Memory does not depend on
    the number of tables. Tables that cannot be solved stop nothing; their `status` says why, and the report counts
    them.

    The same folder may be continued with more `tables`; the last shard, if it was not full, is then solved again. Any
    other difference, in configuration or versions, is an error.

    Args:
        config: what to solve.
        directory: the folder, made if need be; an empty one, or one of this sweep.
        worker: i and n, 0 <= i < n: be the i-th of n processes, and do only the shards whose number is i modulo n. So n
            processes, on any machines that share the folder, do all of them without knowing of each other. The one that
            finds all done writes manifest, card and metadata; `merge` does so too.
        progress: called with the number of tables done and the number of all tables, at the start and after each
            shard, in the calling thread. Of this process's shards.
        should_stop: asked before every shard; if true, the call ends early, with a report that is not `complete`.
        allow_versions: whether to go on with a folder that was made with other versions of JAX, pyarrow, numpy,
            numba or HiGHS, or on another kind of device; every shard that is then done says so in its record.

    Returns:
        Counts and times of this call.

    Raises:
        ValueError: on a bad configuration, a path that is no folder, a folder of another sweep, format or versions, or
            one that is not empty and has no `sweep.json`.
        OSError: of the fitting kind, with the path and what to do in it, if a file cannot be written.
        KeyboardInterrupt: on Ctrl-C, after the shard that is being written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> config = SweepConfig(tables=10, states=2, actions=2, providers=2, shard_size=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = run_sweep(config, folder)
        ...     again = run_sweep(config, folder)
        ...     sorted(path.name for path in Path(folder, "committees").glob("train-*"))
        ['train-00000000.parquet', 'train-00000001.parquet']
        >>> report.rows, report.statuses, report.complete
        (30, {'OK': 30}, True)
        >>> again.shards_before, again.tables
        (2, 0)
    """
    check_share(worker)
    validate(config)
    return run_work(work_of(config), directory, progress, should_stop, worker, allow_versions=allow_versions)


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
    check(config)
    game = config.plays
    for part in config.parts():
        problem = game.accept(draw(part, range(part.batch)))
        game.check_size(problem, game.masks(problem, "all"))
