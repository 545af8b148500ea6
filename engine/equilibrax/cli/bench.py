"""`equilibrax bench`."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console


@dataclass(frozen=True)
class Bench:
    """Say where the benchmark of solver throughput is.

    It compares equilibrax with its peers in one run on one machine, and lives beside the package: in a clone of the
    repository, install the extra `bench` and run `python benchmarks/throughput.py --help`.

    Example: equilibrax bench
    """

    def run(self, console: Console) -> int:
        print(
            "python benchmarks/throughput.py, in a clone of the repository; benchmarks/README.md says what it measures"
        )
        return 0
