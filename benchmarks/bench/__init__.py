"""The benchmark: equilibrax beside what a user would otherwise write or pick, in one run on one machine.

| file | what it holds |
|---|---|
| `workloads` | what is solved: sizes, families, and which engines take part |
| `data` | the tables of a workload, drawn once and read by every engine |
| `engines` | one file per engine, all of the same small protocol |
| `worker` | the process that an engine lives in: JSON lines in, JSON lines out |
| `harness` | prepares, compares answers, and times engines in turn, round by round |
| `answers` | when two engines' answers are the same |
| `floor` | the least time the machine could take: bytes and integer operations over measured rates |
| `targets` | the ratios that we promise, and whether they hold |
| `report`, `figure`, `machine` | what comes out |

Nothing is timed before its answers have been compared.
"""

from bench.harness import BenchOptions, run_bench
from bench.report import markdown_report

__all__ = ["BenchOptions", "markdown_report", "run_bench"]
