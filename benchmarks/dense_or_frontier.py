"""Where listing all schemes stops being cheaper than the frontier: `games.selection_engine.DENSE_LIMIT`, measured.

    python benchmarks/dense_or_frontier.py --out benchmarks/results

Solves random `uniform` tables with 3 actions, 5 providers and 3 to 8 states (27 to 6,561 schemes) by both methods, all
committees, in turn; prints seconds per table and writes `dense-or-frontier.json` and `dense-or-frontier.png`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any, Literal, get_args

import equilibrax as eq
import jax
import numpy as np
from bench import machine
from bench.figure import engine_style, logarithmic
from equilibrax.figures import _drawing
from equilibrax.games.selection_engine import DENSE_LIMIT

Method = Literal["dense", "frontier"]
ACTIONS, PROVIDERS = 3, 5


def measure(states: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Median seconds per table of both methods; answers are compared first."""
    count = 64
    tables = eq.sample_tables("uniform", 1 << 14, states=states, actions=ACTIONS, providers=PROVIDERS, seed=0)

    def once(method: Method, count: int) -> tuple[float, eq.games.SelectionResult]:
        part = tables[:count]
        started = time.perf_counter()
        result = eq.solve(part, eq.Selection(dynamics=False, misalignment=False, method=method))
        return time.perf_counter() - started, result

    dense, frontier = (once(method, count)[1] for method in get_args(Method))
    if not (
        np.array_equal(dense.worst_value, frontier.worst_value)
        and np.array_equal(dense.equilibria, frontier.equilibria)
    ):
        raise SystemExit(f"{ACTIONS**states} schemes: the methods differ")
    slower = max(once(method, count)[0] for method in get_args(Method))
    count = int(np.clip(1 << int(np.log2(max(1.0, seconds / slower)) + 6), 64, len(tables)))
    times: dict[str, list[float]] = {method: [] for method in get_args(Method)}
    for method in get_args(Method):
        once(method, count)
    for _ in range(rounds):
        for method in get_args(Method):
            times[method].append(once(method, count)[0] / count)
    return {"schemes": ACTIONS**states, "tables": count} | {name: float(np.median(t)) for name, t in times.items()}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Seconds per table against schemes, with the limit in use."""
    note = f"Random tables, {ACTIONS} actions, {PROVIDERS} providers, all committees; medians over rounds."
    with _drawing.page(path, 1, note, panel_width=5.0, height=3.4) as (figure, (panel,)):
        x, entries = [row["schemes"] for row in rows], []
        for number, method in enumerate(get_args(Method)):
            style = engine_style(number)
            entries += panel.plot(x, [1e6 * row[method] for row in rows], label=method, **style)
        entries.append(panel.axvline(DENSE_LIMIT, color="gray", ls="--", label=f"DENSE_LIMIT = {DENSE_LIMIT:,}"))
        logarithmic(panel)
        _drawing.axis_labels([panel], "signaling schemes per table", "microseconds per table")
        _drawing.legend(figure, entries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--states", type=int, nargs="+", default=[3, 4, 5, 6, 7, 8])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a run, about")
    options = parser.parse_args()
    if "XLA_FLAGS" not in os.environ and "JAX_NUM_CPU_DEVICES" not in os.environ:
        jax.config.update("jax_num_cpu_devices", machine.cores())
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for states in options.states:
        row = measure(states, options.rounds, options.seconds)
        rows.append(row)
        dense, frontier = 1e6 * row["dense"], 1e6 * row["frontier"]
        times = f"dense {dense:9.1f} us, frontier {frontier:9.1f} us per table, ratio {dense / frontier:.2f}"
        print(f"{row['schemes']:6,} schemes: {times} ({row['tables']} tables)", flush=True)
    found = {**machine.describe(), "dense_limit": DENSE_LIMIT, "rows": rows}
    (options.out / "dense-or-frontier.json").write_text(json.dumps(found, indent=1) + "\n")
    draw(rows, options.out / "dense-or-frontier.png")


if __name__ == "__main__":
    main()
