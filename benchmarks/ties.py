"""Random tables full of ties, on both backends against a loop in C that lists all schemes: `python benchmarks/ties.py`.

Utilities have few levels and priors few weights, so that most values of schemes occur many times. Of every table and
committee the worst equilibrium and the number of equilibria must be the same in C and on both backends, whole numbers
bit for bit; under the other tie rule (which the loop in C does not know), with misalignment and dynamics, both backends
must agree, scores to 1e-9. All of it again without dynamics under incumbents, where loops for CPUs go another way for
tables of at most 64 schemes, and what is not about dynamics must be as it was with them.

ties.json is written after every batch, with how many of the tables are done, so that an interrupted run leaves it too.
Ends with status 1 if anything is wrong, and with 130 if it was interrupted.
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
from equilibrax_kernels.cpu.few_schemes import MOST

SHAPES = (
    (3, 3, 5), (3, 3, 5), (4, 3, 4), (5, 2, 5), (2, 5, 5), (3, 4, 4),
    (3, 4, 5), (6, 2, 5), (2, 8, 3), (6, 3, 3), (1, 6, 6),
)  # fmt: skip
"""States, actions, providers. Four have 64 schemes, two have more."""

LEVELS = (2, 3, 4, 6, 11)
AT_ONCE = 1 << 14  # tables
SELECTED = ("worst_value", "best_value", "equilibria", "worst_scheme")
PLAYED = ("dynamics_value", "dynamics_steps")


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
        if self.tables < 1:
            raise ValueError(f"--tables: expected at least 1, got {self.tables}")
        started, done, wrong, batch = time.monotonic(), 0, [], 0
        counts = dict.fromkeys(("committees", "several", "scores", "at_most_64_schemes"), 0)
        place, rng = machine.describe(), np.random.default_rng(self.seed)
        at_once = min(AT_ONCE, -(-self.tables // (len(SHAPES) * len(LEVELS))))  # every shape with all levels, if few
        self.out.mkdir(parents=True, exist_ok=True)
        while done < self.tables:
            shape = SHAPES[batch % len(SHAPES)]
            levels = LEVELS[batch // len(SHAPES) % len(LEVELS)]
            data = _draw(rng, shape, levels, min(at_once, self.tables - done))
            for what in _differences(data, shape, counts):
                wrong.append(f"{'x'.join(map(str, shape))}, {levels} levels, from table {done}: {what}")
                print(wrong[-1], flush=True)
            done, batch = done + len(data.prior), batch + 1
            print(f"{done:,} tables, {len(wrong)} differences, {time.monotonic() - started:.0f} s", flush=True)
            found = place | {"asked": self.tables, "tables": done, "seed": self.seed, **counts, "wrong": wrong}
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
    wrong, before = [], {}
    for rule, dynamics in (("lowest_index", True), ("incumbent", True), ("incumbent", False)):
        game, how = eq.Selection(rule, dynamics=dynamics), rule if dynamics else f"{rule} without dynamics"
        found = {backend: eq.solve(tables, game, backend=backend, throw=False) for backend in ("cpu", "xla")}
        for backend, result in found.items() if rule == "incumbent" else ():
            for field, mine in (("worst", result.worst_value), ("count", result.equilibria)):
                if number := int((mine != expected[field]).sum()):
                    wrong.append(f"{how}: {backend}: {number} committees with another {field} than in C")
        pairs = {"the backends": (found["cpu"], found["xla"])}
        if not dynamics:
            pairs["the loops with and without dynamics"] = (before["cpu"], found["cpu"])
        for between, (one, other) in pairs.items():
            played = PLAYED if one.dynamics_value is not None and other.dynamics_value is not None else ()
            for field in SELECTED + played:
                if number := int((getattr(one, field) != getattr(other, field)).sum()):
                    wrong.append(f"{how}: {number} places where {field} of {between} differs")
            if off := int((~(np.abs(one.misalignment - other.misalignment) <= TOLERANCE)).sum()):
                wrong.append(f"{how}: {off} scores of {between} differ")
        for backend, result in found.items():
            if number := int((result.status != 0).sum()):
                wrong.append(f"{how}: {backend}: {number} not OK")
            counts["scores"] += result.misalignment.size
        before = found
        counts["committees"] += found["cpu"].equilibria.size
        counts["several"] += int((found["cpu"].equilibria > 1).sum())
    counts["at_most_64_schemes"] += count * (actions**states <= MOST)
    return wrong


if __name__ == "__main__":
    try:
        sys.exit(tyro.cli(Ties, prog="ties.py").run())
    except KeyboardInterrupt:
        print("interrupted; ties.json has what was done", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError) as error:
        sys.exit(f"ties.py: {error}")
