"""Summaries of rows that come part by part are those of all rows together."""

from __future__ import annotations

import dataclasses

import equilibrax as eq
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """40 tables of three providers and one of five, with a row that is not solved."""
    tables = eq.sample_tables("near_hull", 40, states=2, actions=2, providers=3, seed=1, start=7)
    parts = [eq.rows.committee_rows(eq.solve(given)) for given in (eq.load_paper_table("synthetic-2"), tables)]
    rows = pa.concat_tables(parts)
    status = np.where(np.arange(rows.num_rows) == 200, "FRONTIER_OVERFLOW", "OK")
    return rows.set_column(rows.column_names.index("status"), "status", pa.array(status))


def test_parts_are_summarized_as_the_whole(rows):
    whole = eq.reports.summarize(rows, "all")
    parts = [rows.slice(0, 31), rows.slice(31, 70), rows.slice(101)]  # the first is the table of five
    found = eq.reports.summarize(lambda: iter(parts), "all")
    assert whole.unsolved == 1
    assert whole.bound_tight > 0
    assert 0 < whole.aligned_after[1] < 1
    for name, value in dataclasses.asdict(whole).items():
        assert getattr(found, name) == (value if isinstance(value, str) else pytest.approx(value, abs=1e-12)), name


def test_numbers_are_those_of_numpy(rows):
    found, ok = eq.reports.summarize(rows, "all"), rows.filter(pc.field("status") == "OK")
    gap = ok["worst_utility"].to_numpy() - ok["optimum"].to_numpy()
    size, providers = (ok[name].to_numpy() for name in ("committee_size", "num_providers"))
    assert found.correlation == pytest.approx(np.corrcoef(ok["misalignment"].to_numpy(), gap)[0, 1])
    assert found.loss_by_size == pytest.approx([-gap[size == k].mean() for k in range(1, 6)])
    assert found.worst_with_all == pytest.approx(ok["worst_utility"].to_numpy()[size == providers].mean())


def test_parts_of_which_none_is_solved(rows):
    none = rows.filter(pc.field("status") != "OK")
    with pytest.raises(ValueError, match="all: expected at least one solved row, got 2 unsolved ones"):
        eq.reports.summarize(lambda: [none, none], "all")
