"""The numbers of docs/scaling.md: they are those of the stored results, and what follows from them."""

from __future__ import annotations

import pytest
import scaling_document as document

ROUND = document.Rates(
    core=50_000,
    solving=100_000,
    writer=100_000,
    device=450_000,
    resident=1e6,
    table={"tables": 100, "committees": 350, "shards": 0.0},
    manifest=1000,
)


def cells(lines: list[str]) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {row[0]: row[1:] for row in rows}


def test_the_document_says_what_the_stored_results_say():
    text = document.DOCUMENT.read_text(encoding="utf-8")
    assert document.updated(text, document.blocks()) == text, "run python benchmarks/scaling_document.py"


def test_the_plan_follows_from_round_rates():
    blocks = document.model_lines(ROUND)
    cost, plan, time = (cells(blocks[name]) for name in ("cost", "plan", "time"))
    assert cost["50,000: a core that sweeps, r"] == ["3,600,000,000", "180,000,000", "60,000,000", "18,000,000"]
    # 10^9 tables in 7,630 shards of 131,072: 5.6 hours at 50,000 a second, 22.5 MB and 0.0027 files of each second
    assert time["50,000"] == ["5.6 h", "22 MB/s", "22 GB/s", "2,700", "2.6 s"]
    assert plan["shards per folder, in all"] == ["7,630, 7.63 million"]
    assert plan["bytes per table, shard, folder, in all"] == ["450, 59 MB, 450 GB, 450 TB"]
    assert plan["core hours, if cores do all of it"] == ["5,600"]
    assert plan["writers for an H200, g / w"] == ["5"]
    assert plan["r from which a GPU at p = 3 beats cores at p = 0.05 each"] == ["3,000,000, with 30 writers"]
    assert plan["`merge`, `merge --check` of a folder, on a core"] == ["2.4 s, 5.4 min"]


def test_a_device_is_as_fast_as_its_kernels_and_copies_one_after_the_other():
    def row(case: str, resident: float, through_host: float) -> dict:
        return {"case": case, "resident": {"median": resident}, "through_host": {"median": through_host}}

    gpu = {"rows": [row("dynamics-6x3x6-dense", 1e6, 2e5), row("misalignment-5x54", 26e6, 13e6)]}
    engines = [("equilibrax", 6e4), ("kernels_alone", 1.2e5)]
    speeds = [
        {"workload": "sweep-3x3x5", "engine": engine, "tables_per_second": {"median": rate}} for engine, rate in engines
    ]
    by_size = [{"processor_microseconds": 10.0, "bytes": {"tables": 1, "committees": 2}, "manifest_bytes": 3}]
    found = document.rates({"writer": {"by_size": by_size}}, {"machine": {"cores": 2}, "rows": speeds}, gpu)
    assert (found.core, found.solving, found.writer, found.bytes) == (3e4, 6e4, 1e5, 3)
    assert found.resident == pytest.approx(5e5)  # a microsecond for 26 programs, one for the game
    assert 1 / found.device == pytest.approx(2e-6 + 4e-6 * 3765 / 4300)


def test_numbers_and_times_are_rounded_for_people():
    assert [document.number(value) for value in (0.0123, 4.56, 78_900)] == ["0.012", "4.6", "79,000"]
    assert [document.span(value) for value in (90, 150, 9_000, 300_000)] == ["90 s", "2.5 min", "2.5 h", "3.5 days"]


def test_a_block_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="expected one block 'chess', found 0"):
        document.updated("<!-- go: begin -->\n<!-- end -->", {"chess": []})
