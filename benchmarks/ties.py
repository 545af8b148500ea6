"""Random tables full of ties, on both backends against a loop in C that lists all schemes: `python benchmarks/ties.py`.

Utilities have few levels and priors few weights, so that most values of schemes occur many times. Of every table and
committee the worst equilibrium and the number of equilibria must be the same in C and on both backends, whole numbers
bit for bit; under the other tie rule (which the loop in C does not know), with misalignment and dynamics, both backends
must agree, scores to 1e-9. Writes ties.json, and ends with status 1 if anything is wrong.
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
import tyro
from bench import machine
from bench.answers import TOLERANCE
from bench.data import Data
from bench.engines import load_engine
from bench.workloads import Workload
from equilibrax._core.files import write_whole

SHAPES = ((3, 3, 5), (3, 3, 5), (4, 3, 4), (5, 2, 5), (2, 5, 5), (3, 4, 4), (6, 3, 3), (1, 6, 6))
"""States, actions, providers."""

LEVELS = (2, 3, 4, 6, 11)
AT_ONCE = 1 << 14  # tables


@dataclass(frozen=True)
class Ties:
    """Compare both backends with a loop in C on tables full of ties.

    Example: python benchmarks/ties.py --tables 1000000 --out benchmarks/results
    """

    tables: int = 1_000_000
    """How many, over all shapes and numbers of levels."""
    seed: int = 0
    """Of the tables."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("bench")
    """Folder for ties.json."""

    def run(self) -> int:
        started, done, wrong, counts = time.monotonic(), 0, [], dict.fromkeys(("committees", "several", "scores"), 0)
        rng = np.random.default_rng(self.seed)
        while done < self.tables:
            shape = SHAPES[done // AT_ONCE % len(SHAPES)]
            levels = LEVELS[done // AT_ONCE % len(LEVELS)]
            data = _draw(rng, shape, levels, min(AT_ONCE, self.tables - done))
            for what in _differences(data, shape, counts):
                wrong.append(f"{'x'.join(map(str, shape))}, {levels} levels, from table {done}: {what}")
                print(wrong[-1], flush=True)
            done += len(data.prior)
            print(f"{done:,} tables, {len(wrong)} differences, {time.monotonic() - started:.0f} s", flush=True)
        found = machine.describe() | {"tables": done, "seed": self.seed, **counts, "wrong": wrong}
        self.out.mkdir(parents=True, exist_ok=True)
        write_whole(self.out / "ties.json", json.dumps(found, indent=1, allow_nan=False) + "\n")
        return int(bool(wrong))


def _draw(rng: np.random.Generator, shape: tuple[int, int, int], levels: int, count: int) -> Data:
    states, actions, providers = shape
    utilities = rng.integers(0, levels, (count, providers + 1, states, actions), dtype=np.int32)
    prior = rng.integers(1, 4, (count, states), dtype=np.int32)
    return Data(utilities, prior // np.gcd.reduce(prior, axis=1, keepdims=True))  # as tables keep it


def _differences(data: Data, shape: tuple[int, int, int], counts: dict[str, int]) -> list[str]:
    states, actions, providers = shape
    count = len(data.prior)
    workload = Workload("ties", "selection", states, actions, providers, (), count, count)
    expected: Any = load_engine("c_dense").prepare(workload, data)(count)
    tables = eq.from_integers(data.utilities[:, 0], data.utilities[:, 1:], data.prior, resolution=10)
    wrong = []
    for rule in ("incumbent", "lowest_index"):
        game = eq.Selection(rule)
        cpu, xla = (eq.solve(tables, game, backend=backend, throw=False) for backend in ("cpu", "xla"))
        exact = {"cpu": cpu, "xla": xla} if rule == "incumbent" else {}
        for name, found in exact.items():
            for field, mine in (("worst", found.worst_value), ("count", found.equilibria)):
                if number := int((mine != expected[field]).sum()):
                    wrong.append(f"{name}: {number} committees with another {field} than in C")
        for field in ("worst_value", "best_value", "equilibria", "worst_scheme", "dynamics_value", "dynamics_steps"):
            if number := int((getattr(cpu, field) != getattr(xla, field)).sum()):
                wrong.append(f"{rule}: {number} places where {field} of the backends differs")
        off = ~(np.abs(cpu.misalignment - xla.misalignment) <= TOLERANCE)
        if off.any() or cpu.status.any() or xla.status.any():
            wrong.append(f"{rule}: {int(off.sum())} scores differ, {int((cpu.status | xla.status != 0).sum())} not OK")
        counts["scores"] += 2 * off.size
        counts["committees"] += cpu.equilibria.size
        counts["several"] += int((cpu.equilibria > 1).sum())
    return wrong


if __name__ == "__main__":
    sys.exit(tyro.cli(Ties, prog="ties.py").run())
