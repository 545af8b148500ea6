"""`equilibrax merge`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from equilibrax.datasets.finalize import MergeReport, merge


@dataclass(frozen=True)
class Merge:
    """Check that every shard of a sweep is there, and write manifest.json, its card README.md and croissant.json.

    Says which shards are missing and which files are not as their shard's record says; then the exit status is 1 and
    nothing is written. `equilibrax sweep` makes what is missing.

    Example: equilibrax merge my-sweep --check
    """

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """The folder of a sweep."""
    check: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Read every file and compare its SHA-256; else only sizes are compared."""

    def run(self, console: Console) -> int:
        report = merge(self.directory, check=self.check)
        for line in merge_lines(report):
            console.print(line, markup=False)
        return 0 if report.complete else 1


def merge_lines(report: MergeReport) -> list[str]:
    """What was found, for people."""
    lines = []
    if report.missing:
        named = ", ".join(map(str, report.first_missing))
        more = " and others" if report.missing > len(report.first_missing) else ""
        lines.append(f"{report.missing:,} of {report.shards:,} shards are missing: {named}{more}.")
    if report.faulty:
        lines += [f"{report.faulty:,} of {report.shards:,} shards are not as they should be:", *report.faults]
    if report.complete:
        how = "every byte read" if report.checked else "sizes compared"
        lines.append(f"All {report.shards:,} shards are there ({how}); manifest, card and metadata are written.")
    return lines
