"""The ratios and rates that we promise, within one run on one machine, and whether they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Target:
    """One promise.

    Attributes:
        workload: its name.
        peer: another engine; for memory, the workload that is compared with; for "rate" and "seconds", empty.
        bound: the ratio; for "rate", tables per second.
        kind: "faster": equilibrax's tables per second over the peer's, at least `bound`; "overhead": time over the
            peer's time, at most `bound`; "memory": peak memory over the other workload's, at most `bound`; "rate":
            equilibrax's tables per second, at least `bound`; "seconds": of a run of one, at most `bound`.
        device: "cpu" or "gpu": where it applies.
        note: what else must hold.
    """

    workload: str
    peer: str
    bound: float
    kind: Literal["faster", "overhead", "memory", "rate", "seconds"] = "faster"
    device: str = "cpu"
    note: str = ""


TARGETS: tuple[Target, ...] = (
    Target("sweep-3x3x5", "against", 5.0, note="moonshot 8x"),
    Target("sweep-3x3x5", "kernels_alone", 1.25, "overhead"),
    Target("solve-3x3x5", "against", 8.0),
    Target("selection-3x3x5", "c_dense", 1.0),
    Target("selection-3x3x5", "numba_dense", 1.0),
    Target("selection-6x3x6", "c_dense", 1.0),
    Target("selection-6x3x6", "numba_dense", 2.0),
    Target("selection-8x4x5", "c_dense", 50.0),
    Target("selection-10x10x5", "c_frontier", 1.0, note="dense peers cannot run it"),
    Target("selection-10x10x5", "against", 5.0),
    Target("selection-20x10x5", "c_frontier", 1.0, note="dense peers cannot run it"),
    Target("selection-20x10x5", "against", 5.0),
    Target("joint-12x5x5", "c_subsets", 1.0),
    Target("joint-12x5x5", "against", 6.0),
    Target("joint-quantal-12x5x5", "c_subsets", 1.0),
    Target("joint-quantal-12x5x5", "against", 6.0),
    Target("misalignment-5x54", "daqp", 8.0, note="all certified to 1e-9"),
    Target("misalignment-16x200", "daqp", 5.0, note="all certified to 1e-9"),
    Target("misalignment-5x54", "scipy", 500.0),
    Target("misalignment-16x200", "scipy", 150.0),
    Target("curve-nnls-100x1000", "scipy", 20.0),
    Target("curve-simplex-100x1000", "daqp", 20.0),
    Target("curve-nnls-100x1000", "daqp", 1.0),
    Target("personalized-10x6x3x5", "selection_alone", 0.8),
    Target("command-reproduce-cold", "against", 1.0, "overhead"),
    Target("command-reproduce-warm", "against", 0.25, "overhead"),
    Target("command-warmup-cold", "", 15.0, "seconds", note="of processor time"),
    Target("new-shape", "against", 20.0),
    Target("command-compare-warm", "against", 0.25, "overhead"),
    Target("command-align-warm", "against", 0.25, "overhead"),
    Target("sweep-memory-1e6", "sweep-memory-1e4", 1.1, "memory"),
    Target("plot-memory-1e6", "plot-memory-1e4", 1.5, "memory"),
    Target("selection-6x3x6", "c_dense", 100.0, device="gpu"),
    Target("misalignment-5x54", "c_simplex", 100.0, device="gpu"),
)


def evaluate(rows: list[dict[str, Any]], platform: str, *, timed: bool = True) -> list[dict[str, Any]]:
    """Every target with what was measured and whether it holds (None: not measured in this run).

    Args:
        rows: of `run_bench`.
        platform: of the JAX device: "cpu", "gpu" (or "cuda").
        timed: whether times mean anything; otherwise nothing is measured.
    """
    by_name = {(row["workload"], row["engine"]): row for row in rows}
    here = "cpu" if platform == "cpu" else "gpu"
    found = []
    for target in TARGETS:
        measured = _measured(target, by_name) if timed and target.device in (here, "any") else None
        holds = None
        if measured is not None:
            holds = measured >= target.bound if target.kind in ("faster", "rate") else measured <= target.bound
        found.append(
            {
                "workload": target.workload,
                "peer": target.peer,
                "kind": target.kind,
                "device": target.device,
                "target": target.bound,
                "measured": measured,
                "holds": holds,
                "note": target.note,
            }
        )
    return found


def _measured(target: Target, rows: dict[tuple[str, str], dict[str, Any]]) -> float | None:
    mine = rows.get((target.workload, "equilibrax"))
    if target.kind == "memory":
        other = rows.get((target.peer, "equilibrax"))
        if mine is None or other is None or not mine["peak_mb"] or not other["peak_mb"]:
            return None
        return mine["peak_mb"] / other["peak_mb"]
    if target.kind in ("rate", "seconds"):
        rate = mine["tables_per_second"]["median"] if mine and mine["tables_per_second"] else None
        return rate if rate is None or target.kind == "rate" else 1.0 / rate
    peer = rows.get((target.workload, target.peer))
    if mine is None or peer is None or mine["answer"] != "ok" or not peer["ratio"]:
        return None
    # `ratio` is the peer's speed over equilibrax's: the inverse is our speed over theirs, the same our time over it.
    return peer["ratio"] if target.kind == "overhead" else 1.0 / peer["ratio"]
