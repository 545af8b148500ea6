"""Solver throughput beside peers: `python benchmarks/throughput.py`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from bench.figure import draw_figure
from bench.harness import BenchOptions, run_bench
from bench.report import exit_status, markdown_report, print_report
from equilibrax._core.files import write_whole
from rich.console import Console


@dataclass(frozen=True)
class Bench:
    """Measure equilibrax beside its peers, in one run on this machine.

    Every engine has a process of its own. Answers are compared before anything is timed; engines then run in turn,
    round by round. Writes bench.json to OUT after every workload, bench.png at the end, and prints tables per second,
    ratios, compile time, peak memory, how far everything is from the machine's floor, and which targets hold. Ctrl-C
    leaves what is measured by then (exit status 130). Engines whose package is missing are skipped and say so: install
    the extra `bench`.

    Takes under 15 minutes on 2 cores; `--quick`, which checks answers in tiny sizes, one to two. With `--against
    aca99d4` equilibrax as it was at that revision of this clone takes part.

    Exit status 1 if an answer is wrong or an engine fails; targets that are missed do not change it.

    Example: python benchmarks/throughput.py --out bench
    """

    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Tiny sizes and one round: for answers, not for times."""
    workload: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Workloads to run; default all."""
    engine: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Engines to run, besides the one that others are compared with; default all."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("bench")
    """Folder to write to."""
    rounds: int = 3
    """Runs of every engine."""
    seconds: float = 0.5
    """Length of a run."""
    seed: int = 0
    """Seed of the random tables."""
    against: Annotated[str, tyro.conf.arg(metavar="REVISION")] = ""
    """A git revision of equilibrax, in this clone, to compare with."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """Run nothing; print the tables of an earlier run in Markdown."""

    def run(self, console: Console) -> int:
        if self.report is not None:
            print(markdown_report(json.loads(self.report.read_text())))
            return 0
        if self.rounds < 1:
            raise ValueError(f"--rounds: expected at least 1, got {self.rounds}")
        if not self.seconds > 0:
            raise ValueError(f"--seconds: expected a positive number, got {self.seconds}")
        self.out.mkdir(parents=True, exist_ok=True)
        options = BenchOptions(
            workloads=self.workload,
            engines=self.engine,
            quick=self.quick,
            seed=self.seed,
            rounds=self.rounds,
            seconds=self.seconds,
            against=self.against,
        )
        measured: dict[str, Any] = {}

        def keep(found: dict[str, Any]) -> None:
            measured.update(found)
            write_whole(self.out / "bench.json", json.dumps(found, indent=1, allow_nan=False) + "\n")

        try:
            run_bench(options, lambda line: console.print(line, markup=False), keep)
        except KeyboardInterrupt:
            done = len(measured.get("workloads", ()))
            console.print(f"interrupted; workloads in {self.out / 'bench.json'}: {done}", markup=False)
            if not done:
                return 130
        draw_figure(measured, self.out / "bench.png")
        # In a file or a pipe nothing tells the width: wide enough for a row.
        print_report(measured, Console(highlight=False, width=None if sys.stdout.isatty() else 150))
        console.print(f"bench.json and bench.png are in {self.out}", markup=False)
        return exit_status(measured) if measured["whole"] else 130


if __name__ == "__main__":
    try:
        sys.exit(tyro.cli(Bench, prog="throughput.py").run(Console(stderr=True, highlight=False, soft_wrap=True)))
    except (ValueError, OSError) as error:
        sys.exit(f"throughput.py: {error}")
