"""`equilibrax reproduce`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from equilibrax._core.files import write_document
from equilibrax.cli._folders import check_new, check_ours
from equilibrax.cli.games import FigureFlags
from equilibrax.cli.output import numbered_on
from equilibrax.cli.progress import report_lines, table_progress
from equilibrax.datasets.sweep import SweepConfig, run_sweep
from equilibrax.figures.paper import PAPER_FIGURES, plot_all
from equilibrax.games import Backend, Selection, TieBreak, solve
from equilibrax.io.tables import PAPER_TABLES, load_paper_table
from equilibrax.reports.summary import Summary, markdown_table, summarize
from equilibrax.rows.committees import committee_rows
from equilibrax.rows.parquet import iter_committees, read_committees, write_parquet

_TABLES_IN_MEMORY = 2**15
"""The rows of more are read again for every figure."""


@dataclass(frozen=True)
class Reproduce:
    """Recompute Figures 5, 6 and 7 of Emergent Alignment via Competition, exactly, and for random tables.

    Solves the three utility tables of the paper's Appendix D for every committee of providers and writes the figures,
    the result rows (committees.parquet) and the numbers beside what the paper says of them (summary.md). Then does the
    same for random tables in which the user is close to the convex hull of the providers, under OUT/sweep; run again,
    it continues that sweep where it stopped.

    Example: equilibrax reproduce --out reproduction
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder to write to."""
    tables: int = 10_000
    """Random tables in the sweep; 0 skips it."""
    seed: int = 0
    """Seed of the random tables."""
    tie_break: TieBreak = "incumbent"
    """Who wins the user's ties: never the deviator (incumbent, as in Section 7 of the paper), or the lowest index (as
    in Definition 16)."""

    backend: Backend = "auto"
    """Loops on the cores of this machine (cpu), kernels that XLA compiles (xla), or what fits the machine."""
    look: Annotated[FigureFlags, tyro.conf.arg(name="")] = field(default_factory=FigureFlags)
    """How figures look."""

    def run(self, console: Console) -> int:
        with self.look.printed():
            return self._run(console)

    def _run(self, console: Console) -> int:
        if self.tables < 0:
            raise ValueError(f"--tables: expected 0 or more, got {self.tables}")
        check_ours("--out", self.out, "committees.parquet")
        folders = [self.out, *[self.out / "sweep"] * bool(self.tables)]
        figures = [file for folder in folders for file in self.look.files(folder, PAPER_FIGURES)]
        check_new("--out", [self.out / "committees.parquet", self.out / "summary.md", *figures], folders=True)
        self.out.mkdir(parents=True, exist_ok=True)
        console.print("Solving the three tables of Appendix D ...")
        game = Selection(tie_break=self.tie_break)
        parts = [committee_rows(solve(load_paper_table(name), game, backend=self.backend)) for name in PAPER_TABLES]
        rows = numbered_on(parts)
        write_parquet(rows, self.out / "committees.parquet")
        plot_all(rows, self.out)
        papers = [summarize(part, name) for part, name in zip(parts, PAPER_TABLES)]
        sweep = self._sweep(console) if self.tables else None
        text = _summary(papers, sweep, self.tie_break)
        write_document(self.out / "summary.md", text)
        console.print(f"Figures 5, 6, 7, committees.parquet and summary.md are in {self.out}", markup=False)
        return 0

    def _sweep(self, console: Console) -> Summary:
        config = SweepConfig(
            "near_hull", self.tables, seed=self.seed, game=Selection(self.tie_break), backend=self.backend
        )
        folder = self.out / "sweep"
        with table_progress(console, "near_hull 3x3x5", self.tables) as progress:
            report = run_sweep(config, folder, progress=progress)
        for line in report_lines(report):
            console.print(line, markup=False)
        few = self.tables <= _TABLES_IN_MEMORY
        rows = read_committees(folder) if few else partial(iter_committees, folder)
        plot_all(rows, folder)
        return summarize(rows, f"near_hull, seed {self.seed}")


_CLAIMS = """\
## What the paper says, and what these numbers say

- *"Alice's utility lies above our theoretically predicted bound"* (Section 7.2): it does for every committee of the
  three tables ({holds} of {committees}). *"in some cases even exactly matches this bound at non-zero misalignment
  values"*: {tight}.
- *"Alice's utility from best-response can be much higher than the minimum (see MovieLens where ≈ 25% of the committees
  get higher utility compared to the minimum)"*: {above} of {of} MovieLens committees ({percent:.1f} %) here. This share
  depends on conventions. These are: exact comparisons of the two-decimal utilities printed in the paper, ties as below,
  monopoly ties to the lowest action, providers in turn from the lowest index, best responses with ties in the user's
  favour. With floating-point sums, other tie rules, or ratings at full precision (with which no committee ends
  above its minimum) the share is another.
- *"going from interacting with one to two Bob's gives a significant increase"*: compare the mean loss at k = 1 and
  k = 2.

## Conventions

- An equilibrium of committee C is a signaling scheme f from which no provider j in C has a scheme that is strictly
  better both for the user and for j (Section 7.1; symmetric profiles suffice). A committee of one provider is a
  monopolist: its own optima only.
- {ties}
- All pure equilibria are counted, not sampled; utilities are exact integers (utility x 10,000) under a uniform prior.
- Misalignment is Remark 5's score: one weight vector w >= 0 and offset c per committee, an upper bound on outcomes that
  some equilibrium attains and a lower bound on outcomes of the user's optimal schemes; certified to 1e-9.
- In Figure 7 the paths are random orders of entry; the bold line averages over all orders.
"""

_TIES = {
    "incumbent": "The user's ties go against the deviator (`--tie-break incumbent`).",
    "lowest_index": "The user's ties go to the lowest index (`--tie-break lowest_index`, Definition 16), so for the\n"
    "  lowest-indexed provider of C a scheme that is as good for the user and better for the provider is enough.",
}


def _summary(papers: list[Summary], sweep: Summary | None, tie_break: str) -> str:
    movielens = papers[-1]
    tight = "; ".join(
        f"{s.bound_tight} committees of {s.name}, at ε = {', '.join(f'{eps:g}' for eps in s.tight_at)}"
        for s in papers
        if s.bound_tight
    )
    claims = _CLAIMS.format(
        holds=sum(s.bound_holds for s in papers),
        committees=sum(s.committees for s in papers),
        tight=tight or "no committee does",
        above=movielens.dynamics_above_worst,
        of=movielens.committees,
        percent=100 * movielens.dynamics_above_worst / movielens.committees,
        ties=_TIES[tie_break],
    )
    parts = ["# Emergent Alignment via Competition, Section 7, recomputed\n", markdown_table(papers), claims]
    if sweep is not None:
        parts += [
            "## The same for random tables\n",
            "Random tables of 3 states, 3 actions and 5 providers in which the user's utility is a convex combination\n"
            "of the providers' plus noise of up to 0.05 (family `near_hull`). Figures are in `sweep/`.\n",
            markdown_table([sweep]),
        ]
    return "\n".join(parts)
