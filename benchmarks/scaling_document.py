"""The tables of docs/scaling.md that are measured, or follow from what is: `python benchmarks/scaling_document.py`.

Reads three files of `benchmarks/results` and writes what is between the lines `<!-- NAME: begin -->` and `<!-- end -->`
of the document, so that its numbers are never worked out by hand:

| file | of | what is taken |
|---|---|---|
| dataset-scaling.json | `dataset_scaling.py` | the dataset, a second process, the writer, bytes |
| intel-xeon-2-cores.json | `throughput.py` | tables per second of a sweep |
| nvidia-h200.json | `gpu.py` | what kernels do on a GPU |

`--check` writes nothing and exits with 1 if the document says anything else.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parents[1] / "docs" / "scaling.md"

PRICES = (0.05, 1, 3, 10)  # per hour
CORE, DEVICE = 0.05, 3  # of these, what a core and a GPU are compared at
TABLES, FOLDERS, SHARD = 10**12, 1000, 131_072
KINDS, SPLITS = ("tables", "committees"), (0.9, 0.05, 0.05)
MERGED, READ = 0.31e-3, 1.4e9  # seconds per shard of `merge`, bytes per second of `merge --check`: docs/scaling.md
PROGRAMS = 2**5 - 1 - 5  # misalignment of committees of two or more of five providers
HOST_BYTES = 3765 / 4300  # of a result 3x3x5 with everything, over one 6x3x6 with dynamics


@dataclass(frozen=True)
class Rates:
    """What the model is made of.

    Attributes:
        core: tables per second of a core that sweeps, r; solving: if it only solved.
        writer: tables per second that a core writes, w.
        device: that an H200 would solve, g, by the rates of its kernels; resident: if nothing had to be copied back.
        table: bytes of a table, by folder; manifest: of a shard in a manifest.
    """

    core: float
    solving: float
    writer: float
    device: float
    resident: float
    table: dict[str, float]
    manifest: float

    @property
    def bytes(self) -> float:
        return sum(self.table.values())


def read(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / name).read_text())


def rates(scaling: dict[str, Any], bench: dict[str, Any], gpu: dict[str, Any]) -> Rates:
    """From the three files."""
    cores = bench["machine"]["cores"]
    speed = {
        row["engine"]: row["tables_per_second"]["median"] for row in bench["rows"] if row["workload"] == "sweep-3x3x5"
    }
    cases = {row["case"]: row for row in gpu["rows"]}
    played, fits = cases["dynamics-6x3x6-dense"], cases["misalignment-5x54"]
    kernels = PROGRAMS / fits["resident"]["median"] + 1 / played["resident"]["median"]
    copied = HOST_BYTES * (1 / played["through_host"]["median"] - 1 / played["resident"]["median"])
    written = scaling["writer"]["by_size"][-1]
    return Rates(
        core=speed["equilibrax"] / cores,
        solving=speed["kernels_alone"] / cores,
        writer=1e6 / written["processor_microseconds"],
        device=1 / (kernels + copied),
        resident=1 / kernels,
        table=written["bytes"],
        manifest=written["manifest_bytes"],
    )


def number(value: float, digits: int = 2) -> str:
    """With so many significant digits."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(0, places)}f}"


def span(seconds: float) -> str:
    """A time, for people."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds)} s"


def measured_lines(scaling: dict[str, Any]) -> dict[str, list[str]]:
    """What `dataset_scaling.py` has measured, by the name of the block."""
    blocks: dict[str, list[str]] = {}
    if made := scaling.get("dataset"):
        rows, sizes = made["rows"], made["bytes"]
        blocks["dataset"] = [
            "| what | measured |",
            "|---|---|",
            f"| tables, rows, shards, files | {made['tables']:,}, {rows:,}, {made['shards']:,}, {made['files']:,} |",
            f"| time | {made['seconds']:.1f} s, compilation included |",
            f"| tables per second, rows per second | {made['tables'] / made['seconds']:,.0f}, "
            f"{rows / made['seconds']:,.0f} |",
            f"| bytes per row of `committees` | {sizes['committees'] / rows:.1f} |",
            f"| bytes per table of `tables`, of `shards` | {sizes['tables'] / made['tables']:.1f}, "
            f"{sizes['shards'] / made['tables']:.2f} |",
            f"| bytes in all, per table | {sum(sizes.values()):,}, {sum(sizes.values()) / made['tables']:.0f} |",
            f"| peak memory after a tenth, at the end | {made['peak_mb_tenth']:,.0f} MB, {made['peak_mb']:,.0f} MB |",
            f"| `merge --check` | {made['check_seconds']:.1f} s |",
        ]
    if made := scaling.get("shards"):
        median = made["median"]
        blocks["processes"] = [
            "| what | tables per second | times |",
            "|---|---|---|",
            f"| one process bound to one core | {median['one']:,.0f} | 1 |",
            f"| two processes bound to one core each | {median['two']:,.0f} | {made['ratio']:.2f} |",
            f"| one process, both cores | {median['unbound']:,.0f} | {median['unbound'] / median['one']:.2f} |",
        ]
        if made := scaling.get("ray"):
            blocks["processes"] += [
                f"| Ray, a worker per core, start and compilation included | {made['rate']:,.0f} | |"
            ]
    if made := scaling.get("writer"):
        blocks["writer"] = [
            "| tables per shard | bound to one core, per second | all cores, per second | core's time, microseconds "
            "| bytes of `tables`, `committees`, records |",
            "|---|---|---|---|---|",
        ]
        for found in made["by_size"]:
            sizes = ", ".join(number(found["bytes"][kind], 3 if kind != "shards" else 1) for kind in found["bytes"])
            blocks["writer"] += [
                f"| {found['shard_size']:,} | {found['one']:,.0f} | {found['unbound']:,.0f} "
                f"| {found['processor_microseconds']:.1f} | {sizes} |"
            ]
    for name, part in (("dataset", "dataset"), ("processes", "shards"), ("writer", "writer")):
        if name in blocks and "revision" in scaling[part]:
            revision, load = scaling[part]["revision"], scaling[part]["load"]
            blocks[name] += ["", f"Revision {revision}; the machine's load was {load} before it began."]
    return blocks


def model_lines(rates: Rates) -> dict[str, list[str]]:
    """What follows, by the name of the block."""
    r, w, g = rates.core, rates.writer, rates.device
    what = {
        "a core that sweeps, r": r,
        "a core that only writes, w": w,
        "an H200 by its kernels, g": g,
        "the same if nothing were copied": rates.resident,
    }
    break_even = r * DEVICE / CORE
    folder = TABLES // FOLDERS
    shards = math.ceil(folder / SHARD)
    files = len(KINDS) * len(SPLITS)
    largest = [SHARD * rates.table[kind] * SPLITS[0] for kind in KINDS]
    cost = ["| tables per second | " + " | ".join(f"per dollar at p = {p}" for p in PRICES) + " |", "|---" * 5 + "|"]
    cost += [
        f"| {number(rate)}: {name} | " + " | ".join(number(3600 * rate / p) for p in PRICES) + " |"
        for name, rate in {**what, "a core that only solves, k": rates.solving}.items()
    ]
    plan = [
        "| what | how much |",
        "|---|---|",
        f"| rows | {number(31 * TABLES / 1e12)} x 10^12 |",
        f"| shards per folder, in all | {shards:,}, {number(shards * FOLDERS / 1e6, 3)} million |",
        f"| files per folder: Parquet, records; in all | {files * shards:,}, {shards:,}; "
        f"{number((files + 1) * shards * FOLDERS / 1e6)} million |",
        f"| the same with `--splits 1,0,0` | {len(KINDS) * shards:,}, {shards:,}; "
        f"{number((len(KINDS) + 1) * shards * FOLDERS / 1e6)} million |",
        f"| largest files of a shard: `committees/train`, `tables/train` | {number(largest[1] / 1e6)} MB, "
        f"{number(largest[0] / 1e6)} MB |",
        f"| bytes per table, shard, folder, in all | {rates.bytes:.0f}, {number(rates.bytes * SHARD / 1e6)} MB, "
        f"{number(rates.bytes * folder / 1e9, 3)} GB, {number(rates.bytes * TABLES / 1e12, 3)} TB |",
        f"| a manifest | {number(shards * rates.manifest / 1e6)} MB |",
        f"| `merge`, `merge --check` of a folder, on a core | {number(shards * MERGED)} s, "
        f"{span(rates.bytes * folder / READ)} |",
        f"| core hours, if cores do all of it | {number(TABLES / r / 3600)} |",
        f"| writers for an H200, g / w | {math.ceil(g / w)} |",
        f"| r from which a GPU at p = {DEVICE} beats cores at p = {CORE} each | {number(break_even)}, "
        f"with {math.ceil(break_even / w)} writers |",
    ]
    time = [
        "| tables per second of each | time | written by each | in all | files a second in all | lost with a process |",
        "|---" * 6 + "|",
    ]
    time += [
        f"| {number(rate)} | {span(folder / rate)} | {number(rates.bytes * rate / 1e6)} MB/s "
        f"| {number(rates.bytes * rate * FOLDERS / 1e9)} GB/s "
        f"| {number((files + 1) * shards * FOLDERS * rate / folder)} | {span(SHARD / rate)} |"
        for rate in what.values()
    ]
    return {"cost": cost, "plan": plan, "time": time}


def updated(text: str, blocks: dict[str, list[str]]) -> str:
    """A document with these lines in its blocks.

    Raises:
        ValueError: if there is no such block.
    """
    for name, lines in blocks.items():
        block = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- end -->)", re.DOTALL)
        text, found = block.subn(lambda match, new=lines: match[1] + "\n".join(new) + "\n" + match[2], text)
        if found != 1:
            raise ValueError(f"docs/scaling.md: expected one block {name!r}, found {found}")
    return text


def blocks() -> dict[str, list[str]]:
    """All of the document's, from the stored results."""
    scaling = read("dataset-scaling.json")
    return measured_lines(scaling) | model_lines(
        rates(scaling, read("intel-xeon-2-cores.json"), read("nvidia-h200.json"))
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the document differs")
    options = parser.parse_args()
    before = DOCUMENT.read_text(encoding="utf-8")
    after = updated(before, blocks())
    if options.check:
        return int(before != after)
    DOCUMENT.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
