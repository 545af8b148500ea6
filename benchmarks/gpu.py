"""The kernels on an accelerator: checked against the CPU backend, then timed. Needs jax, numpy, chex and optax alone.

    OUT=results python benchmarks/gpu.py            # everything
    OUT=results python benchmarks/gpu.py --tiny     # seconds; checks, and times of no meaning

Nothing has to be installed: the kernels are taken from `../kernels`. Integers must be the CPU backend's bit for bit,
misalignment scores and least squares within 1e-9; a difference is an error (exit status 1). Writes
`$OUT/<device name>.json`. A "table" of a curve is one fold of one permutation of the raters.

Times are of whole batches, all work done (`block_until_ready`), the median of several after a warm-up, compilation
apart: `resident`, with tables on the device and results left there, and `through_host`, with tables from NumPy arrays
and results in NumPy arrays. Tables that overflow their room are counted, not solved again: that is the engine's work.
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
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "kernels"))

try:
    import jaxtyping  # noqa: F401
except ImportError:  # annotations only: any name will do
    stand_in: Any = types.ModuleType("jaxtyping")
    stand_in.__getattr__ = lambda name: type(name, (), {"__class_getitem__": classmethod(lambda cls, item: cls)})
    sys.modules["jaxtyping"] = stand_in

import jax
import jax.numpy as jnp
import numpy as np
from equilibrax_kernels import random_tables as families
from equilibrax_kernels.fits.chebyshev import misalignment_lanes
from equilibrax_kernels.fits.nnls import prefix_lanes
from equilibrax_kernels.selection.dense import dense_schemes
from equilibrax_kernels.selection.frontier import frontier_schemes
from equilibrax_kernels.selection.solve import solve_listed

jax.config.update("jax_enable_x64", True)

RESOLUTION = 10_000
Arrays = dict[str, Any]


class Case:
    """A kernel over a batch.

    Args:
        name: of the case.
        kernel: from arrays `[B, ...]` to arrays by name; to be jitted.
        inputs: from B to NumPy arrays.
        batch: tables on an accelerator; check: tables in the comparison with the CPU.
    """

    def __init__(
        self, name: str, kernel: Callable[..., Arrays], inputs: Callable[[int], tuple], batch: int, check: int
    ):
        self.name, self.compiled, self.inputs, self.batch, self.check = name, jax.jit(kernel), inputs, batch, check


def uniform_tables(count: int, states: int, actions: int, providers: int) -> np.ndarray:
    """`[B, K + 1, X, A]` int32."""
    rng = np.random.default_rng(0)
    return rng.integers(0, RESOLUTION + 1, (count, providers + 1, states, actions), dtype=np.int32)


def selection(states: int, actions: int, providers: int, capacity: int, dynamics: bool, batch: int, check: int) -> Case:
    """Worst equilibria and their number for all committees; `capacity` 0 lists all schemes."""
    masks = np.arange(1, 2**providers, dtype=np.int32)
    value_bits = 20 if states * RESOLUTION < 2**19 - 1 else 26

    def kernel(tables):
        contributions = jnp.moveaxis(tables, 0, -1)  # lanes last
        available = jnp.ones((states, actions, tables.shape[0]), bool)
        if capacity:
            listed = frontier_schemes(
                contributions, available, capacity=capacity, value_bits=value_bits, with_outcomes=False, hashed=False
            )
        else:
            listed = dense_schemes(contributions, available, with_outcomes=False)
        found = solve_listed(
            listed,
            contributions,
            available,
            jnp.asarray(masks),
            None,
            value_bits=value_bits,
            ties=False,
            dynamics=dynamics,
            minimal=False,
            step_limit=1_000_000,
        )
        wanted = ("worst", "count", "worst_scheme", "dynamics", "dynamics_steps", "overflow")
        return {name: getattr(found, name) for name in wanted if getattr(found, name) is not None}

    method = f"frontier-{capacity}" if capacity else "dense"
    name = f"{'dynamics' if dynamics else 'selection'}-{states}x{actions}x{providers}-{method}"
    return Case(name, kernel, lambda count: (uniform_tables(count, states, actions, providers),), batch, check)


def misalignment(states: int, actions: int, providers: int, batch: int, check: int) -> Case:
    """The LP of the full committee with every outcome on both sides."""

    def kernel(utilities):
        count = utilities.shape[0]
        lanes = jnp.moveaxis(utilities.reshape(count, providers + 1, -1), 0, -1).astype(jnp.float64) / RESOLUTION
        every = jnp.ones(lanes.shape[1:], bool)
        member = jnp.ones((providers, count), bool)
        fit = misalignment_lanes(lanes[0], lanes[1:], every, every, member, simplex=False, iteration_limit=400)
        certified = (fit.gap <= 1e-9) & (fit.violation <= 1e-9)
        return {"misalignment": fit.eps, "certified": certified, "pivots": fit.iterations}

    name = f"misalignment-{providers}x{2 * states * actions}"
    return Case(name, kernel, lambda count: (uniform_tables(count, states, actions, providers),), batch, check)


def curve(raters: int, items: int, batch: int, check: int) -> Case:
    """Non-negative least squares on the first 1, 2, .., K raters of an order, in one of five folds."""
    pieces = (raters,) if raters <= 64 else (-(-raters // 2), raters)

    def kernel(order, fold, grams, moments):
        def gram_of(first, last):
            return grams[fold[:, None, None], order[:, first:last, None], order[:, None, :last]]

        moment = moments[fold[:, None], order]
        weights, pivots = prefix_lanes(gram_of, moment, pieces=pieces)
        applied = jnp.einsum("lmk,lkj->lmj", weights, gram_of(0, raters))
        gradient = moment[:, None] - applied
        slack = jnp.where(weights > 0, jnp.abs(gradient), gradient)
        member = jnp.arange(raters) <= jnp.arange(raters)[:, None]
        return {
            "error": (weights * (applied - 2 * moment[:, None])).sum(axis=-1),  # but for the target's square
            "certified": (jnp.where(member, slack, 0.0).max(axis=-1) <= 1e-8).all(axis=-1),
            "pivots": pivots,
        }

    def inputs(count: int) -> tuple:
        rng = np.random.default_rng(0)
        user, traits = rng.random((items, 1)), rng.standard_normal((items, 6))
        answers = user + 0.12 * traits @ rng.standard_normal((6, raters)) + 0.2 * rng.standard_normal((items, raters))
        both = np.rint(100 * np.clip(np.concatenate([answers, user], axis=1), 0, 1)) / 100
        both /= np.linalg.norm(both, axis=0)
        products = [both[rows].T @ both[rows] for rows in (np.arange(items) % 5 != f for f in range(5))]
        norms = [np.sqrt(np.diagonal(product)) for product in products]
        scaled = np.stack([product / norm / norm[:, None] for product, norm in zip(products, norms)])
        moments = scaled[:, :-1, -1] / scaled[:, :-1, -1].max(axis=1, keepdims=True)
        order = np.argsort(rng.random((count, raters)), axis=1).astype(np.int32)
        return order, np.arange(count, dtype=np.int32) % 5, scaled[:, :-1, :-1], moments

    return Case(f"curve-nnls-{raters}x{items}", kernel, inputs, batch, check)


def sampling(family: str, states: int, actions: int, providers: int, batch: int, check: int) -> Case:
    """Drawing tables of a family from their ids."""
    draw = getattr(families, family)
    words = np.array([0, 7], np.uint32)
    extra = {"near_hull": (500,), "noisy": (1000,), "zero_sum": (1000,)}.get(family, ())

    def kernel(ids):
        def one(table_id):
            key = families.table_key(jnp.asarray(words), jnp.asarray(words), table_id)
            user, others = draw(key, states, actions, providers, RESOLUTION, *extra)
            return {"user": user, "providers": others}

        return jax.vmap(one)(ids)

    def ids(count: int) -> tuple:
        return (np.stack([np.zeros(count, np.uint32), np.arange(count, dtype=np.uint32)], axis=1),)

    return Case(f"sampling-{family}", kernel, ids, batch, check)


def cases(tiny: bool) -> list[Case]:
    if tiny:
        return [
            selection(3, 2, 2, 0, True, 8, 8),
            selection(4, 2, 2, 16, False, 8, 8),
            misalignment(3, 2, 2, 8, 8),
            curve(5, 30, 8, 8),
            sampling("uniform", 2, 2, 2, 8, 8),
        ]
    return [
        selection(6, 3, 6, 0, False, 1 << 16, 256),
        selection(6, 3, 6, 96, False, 1 << 16, 256),
        selection(6, 3, 6, 0, True, 1 << 15, 256),
        selection(8, 4, 5, 160, False, 1 << 14, 128),
        selection(20, 10, 5, 1440, False, 1 << 11, 16),
        misalignment(9, 3, 5, 1 << 17, 2048),
        misalignment(10, 10, 16, 1 << 14, 512),
        curve(100, 1000, 1 << 10, 32),
        *(sampling(family, 3, 3, 5, 1 << 20, 4096) for family in ("uniform", "noisy", "near_hull", "zero_sum")),
    ]


def check(case: Case, device: Any) -> str | None:
    """What differs between the device and the CPU backend, or None."""
    inputs = case.inputs(case.check)
    results = []
    for where in (jax.devices("cpu")[0], device):
        with jax.default_device(where):
            found = case.compiled(*(jax.device_put(array, where) for array in inputs))
            results.append(jax.tree.map(np.asarray, found))
    expected, got = results
    for name, right in expected.items():
        if name == "pivots":  # ties of rounding may lead to the same optimum another way
            continue
        exact = right.dtype.kind in "iub"
        same = np.array_equal(right, got[name]) if exact else np.abs(right - got[name]).max() <= 1e-9
        if not same:
            wrong = (right != got[name]) if exact else np.abs(right - got[name]) > 1e-9
            return f"{name}: {int(wrong.sum())} of {wrong.size} entries differ from the CPU's"
    return None


def measure(case: Case, device: Any, rounds: int) -> dict[str, Any]:
    """Tables per second, resident and through the host; compilation apart."""
    inputs = case.inputs(case.batch)
    compiled = case.compiled
    resident = [jax.device_put(array, device) for array in inputs]
    started = time.perf_counter()
    found = jax.block_until_ready(compiled(*resident))
    first = time.perf_counter() - started

    def timed(work: Callable[[], Any]) -> list[float]:
        work()
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
        return times

    on_device = timed(lambda: jax.block_until_ready(compiled(*resident)))
    through = timed(lambda: jax.device_get(compiled(*(jax.device_put(array, device) for array in inputs))))
    counters = {name: int(np.asarray(found[name]).sum()) for name in ("overflow", "certified") if name in found}
    if "pivots" in found:
        counters |= {"most_pivots": int(found["pivots"].max()), "mean_pivots": float(found["pivots"].mean())}
    return {
        "tables": case.batch,
        "compile_seconds": max(0.0, first - float(np.median(on_device))),
        "resident": rates(case.batch, on_device),
        "through_host": rates(case.batch, through),
        "counters": counters,
    }


def rates(tables: int, seconds: list[float]) -> dict[str, float]:
    per_second = tables / np.array(seconds)
    low, middle, high = np.quantile(per_second, (0.25, 0.5, 0.75)).tolist()
    return {"median": middle, "lower_quartile": low, "upper_quartile": high, "fastest": float(per_second.max())}


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
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    device, failed, rows = jax.devices()[0], False, []
    print(f"{device.device_kind} ({device.platform}), jax {jax.__version__}", flush=True)
    for case in cases(options.tiny):
        if options.case and case.name not in options.case:
            continue
        row: dict[str, Any] = {"case": case.name}
        try:
            row["wrong"] = check(case, device)
            row |= measure(case, device, 1 if options.tiny else options.rounds)
        except Exception as error:  # one case must not take the others' measurements with it
            row["wrong"] = f"{type(error).__name__}: {str(error)[:500]}"
        failed |= row["wrong"] is not None
        rows.append(row)
        speeds = "".join(f", {row[n]['median']:,.0f} tables/s {n}" for n in ("resident", "through_host") if n in row)
        print(f"{case.name}: {row['wrong'] or 'equal to the CPU'}{speeds} {row.get('counters', '')}", flush=True)
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
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
