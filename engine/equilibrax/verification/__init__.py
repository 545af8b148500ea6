"""Verification of datasets: everything a dataset says, worked out again by other means.

`verify` shares no code with what made the dataset but the names and types of columns (`equilibrax._core.columns`): no
kernels, no solver and no JAX. Nothing is read before its size is checked against what `sweep.json` declares, and that
against what a sweep can be (`configuration`, `safely`, `parquet`). Tables are drawn again by threefry in NumPy
(`draws`). What is known of each game is in `rules`. Selection games of up to 100,000 schemes are solved by listing
every scheme, straight from the definitions, and best-response dynamics is replayed move by move (`enumeration`). For
larger ones the list of all schemes that some member accepts takes the place of all schemes, and where that is too long,
equilibria are looked for at random and greedily (`lists`). Games over partitions are solved by listing all partitions
(`partitions`), and all profiles of those that oblivious providers may post (`profiles`). Values are sums of int64.
Misalignment scores are linear programs for HiGHS (`programs`). Files, checksums, records and manifest are in `folder`,
card and metadata in `card`, the rows of a shard in `shards`, those of results in `results` and `partition_results`.

Letters, here and in the modules: B tables, K providers, X states, A actions, S schemes, C committees.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from equilibrax.verification.configuration import Configuration, NoDataset, read_configuration
from equilibrax.verification.folder import Manifest, check_extra, check_manifest, read_record
from equilibrax.verification.markets.configuration import MarketConfiguration
from equilibrax.verification.markets.shards import MarketShards
from equilibrax.verification.report import ALLOWABLE, CHECKS, WORDS, Failure, Verification
from equilibrax.verification.shards import Choice, ShardCheck

SHARDS: dict[type[Configuration], type[ShardCheck]] = {Configuration: ShardCheck, MarketConfiguration: MarketShards}
"""What checks the shards of each kind of dataset."""

__all__ = ["ALLOWABLE", "CHECKS", "Failure", "NoDataset", "Verification", "verify"]


def verify(
    directory: str | os.PathLike[str],
    *,
    sample: int | None = None,
    programs: int | None = None,
    seed: int | None = None,
    allow: Collection[str] = (),
    manifest_sha256: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Check a dataset: files, checksums, ids and splits of all of it; tables and results of all or of a sample.

    Every table that is checked is drawn again from its seed and solved again by other means than the solver's, so that
    a wrong number is found even if all checksums are right. A shard is in memory at a time, and `manifest.json`.

    What nothing was said about is in `Verification.not_checked`, with numbers. Unless it is of a kind that was allowed,
    the report `holds` and is not `complete`.

    Args:
        directory: the folder of a sweep that is complete.
        sample: how many tables to draw and solve again, chosen at random; None is all.
        programs: how many misalignment scores of those tables to solve again by HiGHS, about, chosen at random; None is
            all. The others are checked against what their worst equilibrium loses and what no weights attain.
        seed: of these choices; None is one that nobody can know before, `Verification.seed`.
        allow: names of `ALLOWABLE`, what may be left unchecked; `sample` and `programs` allow what they leave out.
        manifest_sha256: the SHA-256 of `manifest.json`, from whoever made the dataset. With it, nobody else can have
            changed anything.
        progress: called with the number of shards checked and of all shards.

    Returns:
        What was checked, how much, and every failure by file, row and column.

    Raises:
        NoDataset: a ValueError, if the folder has no description of a dataset of this format.
        ValueError: if `sample`, `programs` or `seed` is negative, or `allow` or `manifest_sha256` cannot be that.

    Example:
        >>> import tempfile
        >>> import equilibrax as eq
        >>> config = eq.SweepConfig(tables=20, states=2, actions=2, providers=2, shard_size=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = eq.run_sweep(config, folder)
        ...     sound = verify(folder)
        ...     _ = Path(folder, "committees", "test-00000001.parquet").write_bytes(b"something else")
        ...     broken = verify(folder)
        >>> sound.holds, sound.complete, sound.tables_checked, sound.checked["count"], broken.holds
        (True, True, 20, 60, False)
        >>> broken.failures[0].file
        'committees/test-00000001.parquet'
    """
    for name, value in (("sample", sample), ("programs", programs), ("seed", seed)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ValueError(f"{name}: expected a whole number of at least 0, got {value!r}")
    for name in allow:
        if name not in ALLOWABLE:
            raise ValueError(f"allow: expected some of {', '.join(ALLOWABLE)}, got {name!r}")
    if manifest_sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", manifest_sha256):
        raise ValueError(f"manifest_sha256: expected 64 hexadecimal digits, got {manifest_sha256[:80]!r}")
    folder = Path(directory)
    configuration = read_configuration(folder, tuple(SHARDS))
    chosen_by_caller = ["sample"] * (sample is not None or programs is not None)
    report = Verification(str(folder), seed=secrets.randbits(32) if seed is None else seed)
    report.allowed = frozenset({WORDS, *allow, *chosen_by_caller})
    report.passed("description")
    present = check_extra(report, configuration, folder)
    if manifest_sha256 is not None:
        check_manifest(report, folder, manifest_sha256)
    manifest = Manifest(report, configuration, folder)
    choice = _choice(report, configuration, present, sample, programs)
    shards = SHARDS[type(configuration)](report, configuration, folder, choice)
    for number, shard in enumerate(present):
        record = read_record(report, configuration, folder, shard)
        if record is not None:
            manifest.compare(shard, record)
        shards.check(shard, record)
        if progress is not None:
            progress(number + 1, configuration.shards)
    manifest.close()
    results = configuration.kinds[1]
    for column in configuration.columns(results) if report.tables_checked else ():
        if (results, column.name) not in report.looked_at:
            what = f"the column {column.name} of {results}, which nothing checks"
            report.leave_out("columns", what, report.rows)
    return report


def _choice(
    report: Verification, configuration: Configuration, present: list[int], sample: int | None, programs: int | None
) -> Choice:
    """Which tables and scores are worked out again, of those of the shards that are there."""
    generator = np.random.default_rng(report.seed)
    size = configuration["shard_size"]
    count = sum(min(size, configuration.count - shard * size) for shard in present)
    chosen = None
    if sample is not None and sample < count:
        chosen = np.sort(generator.choice(count, sample, replace=False, shuffle=False))
    tables = count if chosen is None else len(chosen)
    first = present[:1000]
    rows = tables * sum(configuration.rows_each(configuration.part(shard)) for shard in first) // max(1, len(first))
    return Choice(chosen, 1.0 if programs is None else programs / max(rows, 1), generator)
