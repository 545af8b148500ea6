"""Verification of datasets: everything a dataset says, worked out again by other means.

`verify` shares no code with what made the dataset but the names and types of columns (`equilibrax._core.columns`): no
kernels, no solver and no JAX. Tables are drawn again by
threefry in NumPy (`draws`). Games of up to 100,000 schemes are solved by listing every scheme, straight from the
definitions, and best-response dynamics is replayed move by move (`enumeration`). For larger ones the list of all
schemes that some member accepts takes the place of all schemes, and where that is too long, equilibria are looked for
at random and greedily (`lists`). Values are sums of int64. Misalignment scores are linear programs for HiGHS
(`programs`). Files, checksums, records and manifest are in `folder`, the rows of a shard in `shards`, those of results
in `results`.

Letters, here and in the modules: B tables, K providers, X states, A actions, S schemes, C committees.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from equilibrax.verification.configuration import NoDataset, read_configuration
from equilibrax.verification.folder import Manifest, check_extra, read_record
from equilibrax.verification.report import CHECKS, Failure, Verification
from equilibrax.verification.results import CHECKED
from equilibrax.verification.shards import Choice, ShardCheck

__all__ = ["CHECKS", "Failure", "NoDataset", "Verification", "verify"]


def verify(
    directory: str | os.PathLike[str],
    *,
    sample: int | None = None,
    programs: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Check a dataset: files, checksums, ids and splits of all of it; tables and results of all or of a sample.

    Every table that is checked is drawn again from its seed and solved again by other means than the solver's, so that
    a wrong number is found even if all checksums are right. A shard is in memory at a time, and `manifest.json`.

    Statistics that are not checked: `retries` and `resolved` of the records, and the words of card and metadata.
    Results of games other than the selection game without obedience are not solved again, and tables of families of
    one's own are not drawn again. `Verification.not_checked` says so, with numbers; that is no failure.

    Args:
        directory: the folder of a sweep that is complete.
        sample: how many tables to draw and solve again, chosen at random; None is all.
        programs: how many misalignment scores of those tables to solve again by HiGHS, about, chosen at random; None is
            all. The others are checked against what their worst equilibrium loses and what no weights attain.
        seed: of these choices.
        progress: called with the number of shards checked and of all shards.

    Returns:
        What was checked, how much, and every failure by file, row and column.

    Raises:
        NoDataset: a ValueError, if the folder has no description of a dataset of this format.
        ValueError: if `sample` or `programs` is negative.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> config = eq.SweepConfig(tables=20, states=2, actions=2, providers=2, shard_size=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = eq.run_sweep(config, folder)
        ...     sound = verify(folder)
        ...     _ = Path(folder, "committees", "test-00000001.parquet").write_bytes(b"something else")
        ...     broken = verify(folder)
        >>> sound.holds, sound.tables_checked, sound.checked["count"], broken.holds
        (True, 20, 60, False)
        >>> broken.failures[0].file
        'committees/test-00000001.parquet'
    """
    for name, value in (("sample", sample), ("programs", programs)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ValueError(f"{name}: expected a whole number of at least 0, got {value!r}")
    folder = Path(directory)
    configuration = read_configuration(folder)
    report = Verification(str(folder))
    report.passed("description")
    check_extra(report, configuration, folder)
    manifest = Manifest(report, configuration, folder)
    generator = np.random.default_rng(seed)
    count = configuration["tables"]
    chosen = None
    if sample is not None and sample < count:
        chosen = np.sort(generator.choice(count, sample, replace=False, shuffle=False))
    tables = count if chosen is None else len(chosen)
    rows = tables * sum(configuration.rows_each(configuration.part(s)) for s in range(min(configuration.shards, 1000)))
    rows //= min(configuration.shards, 1000)
    choice = Choice(chosen, 1.0 if programs is None else programs / max(rows, 1), generator)
    shards = ShardCheck(report, configuration, folder, choice)
    for shard in range(configuration.shards):
        record = read_record(report, configuration, folder, shard)
        if record is not None:
            manifest.compare(shard, record)
        shards.check(shard, record)
        if progress is not None:
            progress(shard + 1, configuration.shards)
    manifest.close()
    for kind, number in (("tables", report.tables), ("committees", report.rows)):
        for column in configuration.columns(kind):
            if column.name not in CHECKED and (kind, column.name) not in report.looked_at:
                report.leave_out(f"the column {column.name} of {kind}, which nothing checks", number)
    return report
