"""How much lotteries protect the user: `python benchmarks/lotteries.py`, what docs/lotteries.md says.

Draws Figure 5 for schemes beside the one for lotteries (the paper's tables), solves random tables of every family with
both, and times the closed form against a scan of 400 utilities by linear programs. Takes about two minutes on 2 cores.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import equilibrax as eq
import numpy as np
import pyarrow as pa
import tyro
from equilibrax._core.files import write_whole
from equilibrax.io.tables import PAPER_TABLES
from equilibrax.rows.committees import committee_rows
from equilibrax.verification.programs import Programs
from rich.console import Console

SCHEMES, LOTTERIES = eq.Selection(dynamics=False), eq.Selection(rules="lotteries")
HEADINGS = {
    "higher": "committees where the worst is higher",
    "schemes": "what the worst loses, schemes",
    "lotteries": "lotteries",
    "first_best_schemes": "committees whose worst is first-best, schemes",
    "first_best_lotteries": "lotteries",
    "apart": "committees with several intervals",
    "misalignment_schemes": "misalignment, schemes",
    "misalignment_lotteries": "lotteries",
}


@dataclass(frozen=True)
class Lotteries:
    """Compare lotteries with schemes, and the closed form with linear programs."""

    figure: Annotated[Path, tyro.conf.arg(metavar="FILE.png")] = Path("lotteries.png")
    """Figure 5, twice."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.json")] = Path("lotteries.json")
    """Numbers."""
    tables: int = 10_000
    """Random tables of each family."""
    points: int = 400
    """Utilities that linear programs are asked about."""

    def run(self, console: Console) -> int:
        papers = [eq.load_paper_table(name) for name in PAPER_TABLES]
        parts = [_titled(game, tables, 3 * i + t) for i, game in enumerate((SCHEMES, LOTTERIES)) for t, tables in
                 enumerate(papers)]  # fmt: skip
        eq.figures.misalignment(pa.concat_tables(parts), self.figure)
        found: dict[str, Any] = {tables.names()[0]: protection(tables) for tables in papers}
        for family in eq.problems.families():
            drawn = eq.sample_tables(family, self.tables, seed=0, states=3, actions=3, providers=5)
            found[family] = protection(drawn)
        found["uniform, 10 x 10"] = protection(
            eq.sample_tables("uniform", self.tables // 10, seed=0, states=10, actions=10, providers=5)
        )
        print(markdown(found))
        times = {f"{x}x{a}x{k}": timed(x, a, k, self.points) for x, a, k in ((3, 3, 5), (6, 3, 6), (20, 10, 5))}
        for size, seconds in times.items():
            print(f"{size}: " + ", ".join(f"{name} {value:.3g}" for name, value in seconds.items()))
        write_whole(self.out, json.dumps({"protection": found, "times": times}, indent=1) + "\n")
        console.print(f"{self.figure} and {self.out} are written", markup=False)
        return 0


def _titled(game: eq.Selection, tables: eq.UtilityTables, number: int) -> pa.Table:
    rows = committee_rows(eq.solve(tables, game))
    rows = rows.select([name for name in rows.column_names if name != "intervals"])
    for name, values in (("table_id", number), ("family", f"{tables.names()[0]}, {game.rules}")):
        place = rows.column_names.index(name)
        rows = rows.set_column(place, rows.schema.field(name), pa.array([values] * rows.num_rows))
    return rows


def protection(tables: eq.UtilityTables) -> dict[str, float]:
    """Over all tables and committees of two or more."""
    schemes, lotteries = eq.solve(tables, SCHEMES), eq.solve(tables, LOTTERIES)
    several = schemes.committees & (schemes.committees - 1) != 0

    def mean(values: np.ndarray) -> float:
        return float(values[:, several].mean())

    lost = {
        "schemes": schemes.optimum - schemes.worst_utility,
        "lotteries": lotteries.optimum - lotteries.worst_utility,
    }
    found = {"higher": mean(lotteries.worst_value > schemes.worst_value)}
    found |= {name: mean(values) for name, values in lost.items()}
    for name, result in (("schemes", schemes), ("lotteries", lotteries)):
        found[f"first_best_{name}"] = mean(result.worst_value == result.optimum_value[:, None])
        found[f"misalignment_{name}"] = mean(result.misalignment)
    everybody = schemes.index(2**tables.num_providers - 1)
    found |= {f"{name}_all": float(values[:, everybody].mean()) for name, values in lost.items()}
    return found | {"apart": mean(lotteries.interval_count > 1)}


def markdown(found: dict[str, dict[str, float]]) -> str:
    """A line for each family."""
    lines = [f"| | {' | '.join(HEADINGS.values())} |", "|---" * (1 + len(HEADINGS)) + "|"]
    for name, numbers in found.items():
        shares = ("higher", "first_best_schemes", "first_best_lotteries", "apart")
        cells = [f"{100 * numbers[key]:.1f} %" if key in shares else f"{numbers[key]:.4f}" for key in HEADINGS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def timed(states: int, actions: int, providers: int, points: int) -> dict[str, float]:
    """Seconds of the closed form for a table and all committees, and of a scan for the committee of all."""
    tables = eq.sample_tables("uniform", 2000, seed=1, states=states, actions=actions, providers=providers)
    game = eq.Selection(rules="lotteries", misalignment=False)
    eq.solve(tables[:8], game, backend="cpu")
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        eq.solve(tables, game, backend="cpu")
        best = min(best, time.perf_counter() - start)
    values = np.concatenate([np.asarray(tables.user)[:1], np.asarray(tables.providers)[0]]).astype(np.int64)
    there, solver = np.asarray(tables.available)[0], Programs()
    low, high = values[0].min(axis=1).sum(), values[0].max(axis=1).sum()
    start = time.perf_counter()
    for value in np.linspace(low, high, points, endpoint=False):
        solver.slack(values, there, float(value))
    scan = time.perf_counter() - start
    closed = best / len(tables)
    return {"closed form, all committees": closed, "scan, one committee": scan, "ratio": scan / closed}


if __name__ == "__main__":
    sys.exit(tyro.cli(Lotteries).run(Console(stderr=True, highlight=False, soft_wrap=True)))
