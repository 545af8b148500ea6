"""The kernels on an accelerator: checked against the CPU backend, then timed. Needs jax, numpy, chex and optax alone.

    OUT=results python benchmarks/gpu.py            # everything; minutes
    OUT=results python benchmarks/gpu.py --tiny     # small sizes alone, and times of no meaning

Nothing has to be installed: the kernels are taken from `../kernels`. Every kernel is in some case, at small sizes and
with everything that may be asked of it; then a few are compared and timed at sizes that fill a GPU. Integers must be
the CPU backend's bit for bit, floating point (misalignment, least squares, rules, quantal values; of unit scale) within
1e-9; a difference is an error (exit status 1). Writes `$OUT/<device name>.json`, again after every row, so that what is
measured is not lost. A "table" of a curve is one fold of one permutation of the raters, of transcripts one draw.

All cases are first compiled and compared side by side, as many as there are processors. Times are taken after that, one
case at a time: of whole batches, all work done (`block_until_ready`), the median of several after a warm-up, without
compilation: `resident`, with tables on the device and results left there, and `through_host`, with tables from NumPy
arrays and results in NumPy arrays. Tables that overflow their room are counted, not solved again: that is the engine's
work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import time
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "kernels"))

try:
    import jaxtyping  # noqa: F401
except ImportError:  # annotations only: any name will do
    stand_in: Any = types.ModuleType("jaxtyping")
    stand_in.__getattr__ = lambda name: type(name, (), {"__class_getitem__": classmethod(lambda cls, item: cls)})
    sys.modules["jaxtyping"] = stand_in

import jax
import numpy as np
from gpu_information import (
    bazaar,
    conversation,
    hearing,
    joint,
    lotteries,
    market,
    obedience,
    persuasion,
    posteriors,
    substitutes,
    transcripts,
)
from gpu_normal_form import logit, pure
from gpu_tables import (
    FAMILIES,
    Case,
    alone,
    curve,
    drawn,
    efficiency,
    given_fit,
    least_squares,
    misalignment,
    ordering,
    priors,
    sampling,
    selection,
    sorting,
)

TOLERANCE = 1e-9
SECONDS = 1.5  # after which a case gets no further round


def small_cases(n: int) -> list[Case]:
    """Every kernel and every option of it, n tables each."""
    return [
        selection(3, 2, 3, n, capacity=0),
        selection(3, 3, 2, n, label="ties-outcomes", ties=True, outcomes=True, resolution=3, uneven=True),
        selection(3, 3, 3, n, label="dynamics", dynamics=True, uneven=True),
        selection(3, 3, 3, n, label="dynamics-ties", dynamics=True, ties=True, resolution=5),
        selection(3, 2, 3, n, label="dynamics-minimal", dynamics=True, minimal=True, ties=True, resolution=9),
        selection(3, 2, 3, n, label="dynamics-random", dynamics=True, random=True, uneven=True),
        selection(4, 3, 2, n, capacity=48),
        selection(6, 3, 2, n, label="ties-outcomes", capacity=96, ties=True, outcomes=True, resolution=4, uneven=True),
        selection(6, 3, 2, n, label="merged", capacity=64, hashed=True, outcomes=True, resolution=3, dynamics=True),
        selection(5, 3, 3, n, label="wide", capacity=96, hashed=True, uneven=True, resolution=10**9),
        selection(6, 3, 3, n, label="overflow", capacity=16),
        selection(64, 2, 2, n, label="countless", capacity=16, hashed=True, resolution=0),
        alone(3, 3, 3, n),
        sorting(100, 1, np.int32, n),
        sorting(96, 32, np.int64, n),
        ordering(40, 3, n),
        misalignment(3, 3, 3, n),
        misalignment(3, 3, 3, n, simplex=True),
        misalignment(4, 2, 3, n, some=True),
        misalignment(4, 2, 3, n, some=True, simplex=True),
        given_fit(3, 2, 3, n),
        efficiency(3, 3, 3, n),
        curve(5, 30, n),
        least_squares(6, 40, n),
        *(sampling(family, 2, 3, 3, n) for family in FAMILIES),
        priors(3, n),
        joint(2, 5, 3, 2, n),
        joint(1, 5, 3, 3, n, quantal=True),
        obedience(2, 4, 3, 2, n),
        obedience(1, 4, 2, 3, n, ties=True, minimal=True),
        obedience(2, 4, 3, 2, n, quantal=True),
        market(2, 3, 3, 3, n),
        market(2, 3, 2, 2, n, quantal=True),
        market(2, 2, 2, 2, n, general=True),
        market(2, 2, 2, 2, n, general=True, quantal=True),
        market(2, 2, 2, 3, n, delegation=True),
        market(2, 2, 2, 2, n, delegation=True, general=True),
        persuasion(1, 3, 3, 2, n),
        persuasion(2, 3, 2, 2, n),
        hearing(3, 3, 2, n),
        substitutes(2, 3, 2, n),
        conversation(2, 4, 2, 2, n),
        conversation(2, 4, 2, 2, n, grid=2),
        conversation(2, 4, 2, 2, n, simultaneous=True),
        transcripts(n),
        pure((3, 3), n),
        pure((2, 3, 2), n),
        logit((2, 3), n),
        lotteries(3, 2, 2, n),
        posteriors(3, 2, 2, n),
        bazaar(3, 2, 2, n),
        drawn(3, 2, 2, n),
        logit((2, 2, 2), n),
    ]


def large_cases() -> list[Case]:
    """What is timed: tables in the comparison, tables at once."""
    return [
        selection(6, 3, 6, 256, 1 << 16),
        selection(6, 3, 6, 256, 1 << 16, capacity=96),
        selection(6, 3, 6, 256, 1 << 15, label="dynamics", dynamics=True),
        selection(8, 4, 5, 128, 1 << 14, capacity=160),
        selection(20, 10, 5, 16, 1 << 11, capacity=1440),
        sorting(4096, 1, np.int32, 64, 1 << 13),
        sorting(1 << 16, 1, np.int64, 4, 256),
        misalignment(9, 3, 5, 2048, 1 << 17),
        misalignment(9, 3, 5, 2048, 1 << 17, simplex=True),
        misalignment(10, 10, 16, 512, 1 << 14),
        efficiency(6, 4, 5, 512, 1 << 15),
        curve(100, 1000, 32, 1 << 10),
        joint(1, 8, 5, 5, 64, 1 << 11),
        joint(1, 10, 5, 5, 16, 1 << 10),
        joint(1, 8, 5, 5, 64, 1 << 11, quantal=True),
        obedience(2, 6, 4, 5, 128, 1 << 14),
        obedience(2, 6, 4, 5, 128, 1 << 13, quantal=True),
        market(10, 3, 3, 4, 256, 1 << 13),
        persuasion(1, 6, 4, 4, 256, 1 << 13),
        substitutes(4, 6, 4, 256, 1 << 12),
        conversation(4, 8, 4, 3, 64, 1 << 12),
        transcripts(4096, 1 << 20),
        pure((3, 3), 4096, 1 << 20),
        pure((6, 6), 1024, 1 << 17),
        logit((3, 3), 256, 1 << 13),
        lotteries(3, 3, 3, 256, 1 << 13),
        posteriors(3, 3, 3, 256, 1 << 16),
        bazaar(8, 3, 4, 256, 1 << 13),
        drawn(3, 3, 5, 1024, 1 << 16),
        *(sampling(family, 3, 3, 5, 4096, 1 << 20) for family in ("uniform", "noisy", "near_hull", "zero_sum")),
    ]


def cases(tiny: bool) -> list[Case]:
    if tiny:  # some are timed too, to see that it works
        return [replace(case, batch=0 if i % 8 else case.check) for i, case in enumerate(small_cases(8))]
    return [*small_cases(256), *large_cases()]


def check(case: Case, device: Any) -> str | None:
    """What differs between the device and the CPU backend, or lacks its certificate, or None."""
    inputs = case.inputs(case.check)
    results = []
    for where in (jax.devices("cpu")[0], device):
        found = case.compiled(*(jax.device_put(array, where) for array in inputs))
        results.append(jax.tree_util.tree_leaves_with_path(jax.device_get(found)))
    differ = []
    for (path, right), (_, got) in zip(*results):
        name = jax.tree_util.keystr(path)
        if "pivots" in name:
            continue
        if "certified" in name and not right.all():  # the same on both, but wrong
            differ.append(f"{name}: {int((~right).sum())} of {right.size} entries are not")
        same, apart = right == got, ""
        if right.dtype.kind == "f":
            with np.errstate(invalid="ignore"):  # infinity minus infinity, which are the same
                apart = f", by {np.nanmax(np.abs(right - got)):.1e} at most"
                same |= np.abs(right - got) <= TOLERANCE
        if not same.all():
            differ.append(f"{name}: {int((~same).sum())} of {same.size} entries differ from the CPU's{apart}")
    return "; ".join(differ) or None


def prepare(case: Case, device: Any) -> tuple[dict[str, Any], Any]:
    """A row with the comparison, and the kernel compiled for the batch that is timed."""
    row: dict[str, Any] = {"case": case.name, "checked_tables": case.check}
    try:
        row["wrong"] = check(case, device)
        if not case.batch:
            return row, None
        place = jax.sharding.SingleDeviceSharding(device)
        shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=place) for a in case.inputs(case.batch)]
        started = time.perf_counter()
        compiled = case.compiled.lower(*shapes).compile()
        row["compile_seconds"] = time.perf_counter() - started
        return row, compiled
    except Exception as error:  # one case must not take the others' measurements with it
        row["wrong"] = f"{type(error).__name__}: {str(error)[:500]}"
        return row, None


def measure(case: Case, compiled: Any, device: Any, rounds: int) -> dict[str, Any]:
    """Tables per second, resident and through the host."""
    inputs = case.inputs(case.batch)
    resident = [jax.device_put(array, device) for array in inputs]
    found = jax.block_until_ready(compiled(*resident))
    named = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(found)}
    counters: dict[str, Any] = {}
    for name, leaf in named.items():
        if name.endswith(("overflow", "certified']")):
            counters[re.findall(r"\w+", name)[-1]] = f"{int(np.asarray(leaf).sum())} of {leaf.size}"
        elif "pivots" in name:
            counters |= {"most_pivots": int(leaf.max()), "mean_pivots": float(leaf.mean())}
    on_device = timed(lambda: jax.block_until_ready(compiled(*resident)), rounds)
    through = timed(lambda: jax.device_get(compiled(*(jax.device_put(array, device) for array in inputs))), rounds)
    return {
        "tables": case.batch,
        "resident": rates(case.batch, on_device),
        "through_host": rates(case.batch, through),
        "counters": counters,
    }


def timed(work: Callable[[], Any], rounds: int) -> list[float]:
    """Seconds of every round, after one that does not count."""
    times = [_seconds(work) for _ in range(2)][1:]
    while len(times) < rounds and sum(times) < SECONDS:
        times.append(_seconds(work))
    return times


def rates(tables: int, seconds: list[float]) -> dict[str, float]:
    per_second = tables / np.array(seconds)
    low, middle, high = np.quantile(per_second, (0.25, 0.5, 0.75)).tolist()
    spread = {"lower_quartile": low, "upper_quartile": high, "fastest": float(per_second.max())}
    return {"median": middle, **spread, "rounds": len(seconds)}


def copy_rate(device: Any, size: int) -> float:
    """Bytes per second of an array copied on the device, read and written."""
    source = jax.device_put(np.zeros(size // 4, np.float32), device)
    shift = jax.jit(lambda a: a + 1)
    jax.block_until_ready(shift(source))
    best = min(_seconds(partial(shift, source)) for _ in range(10))
    return 2 * source.nbytes / best


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="small sizes, one round")
    parser.add_argument("--case", nargs="+", default=[], help="only these")
    parser.add_argument("--rounds", type=int, default=7, help="at most so many of each kind")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    device, started = jax.devices()[0], time.perf_counter()
    print(f"{device.device_kind} ({device.platform}), jax {jax.__version__}", flush=True)
    wanted = [case for case in cases(options.tiny) if not options.case or case.name in options.case]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        prepared = []
        for row, compiled in pool.map(lambda case: prepare(case, device), wanted):
            print(f"{time.perf_counter() - started:4.0f} s {row['case']}: {row['wrong'] or 'equal'}", flush=True)
            prepared.append((row, compiled))

    rows = [row for row, _ in prepared]
    found = {
        "device": {"kind": device.device_kind, "platform": device.platform},
        "versions": {"jax": jax.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "tiny": options.tiny,
        "bytes_per_second": copy_rate(device, (1 << 20) if options.tiny else (1 << 30)),
        "rows": rows,
    }
    folder = Path(os.environ.get("OUT", "."))
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", device.device_kind.lower()).strip("-")
    path = folder / f"{name}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    for case, (row, compiled) in zip(wanted, prepared):
        if compiled is None:
            continue
        try:
            row |= measure(case, compiled, device, 1 if options.tiny else options.rounds)
        except Exception as error:  # out of memory, say: the other cases are still worth measuring
            row["wrong"] = f"{type(error).__name__}: {str(error)[:500]}"
        path.write_text(json.dumps(found, indent=1) + "\n")
        speeds = "".join(f", {row[n]['median']:,.0f} tables/s {n}" for n in ("resident", "through_host") if n in row)
        seconds = time.perf_counter() - started
        print(f"{seconds:4.0f} s {case.name}: {row['wrong'] or 'equal'}{speeds} {row.get('counters', '')}", flush=True)
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
