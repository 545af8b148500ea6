"""The figure of efficiency gaps: a marker for each committee, by table or pooled."""

from __future__ import annotations

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.rows import committee_rows


def rows_of(tables: int):
    drawn = eq.sample_tables("uniform", tables, states=2, actions=3, providers=3, seed=0)
    result = eq.solve(drawn)
    return committee_rows(result, ("efficiency",)), eq.efficiency(result, rules=False)


@pytest.mark.parametrize("tables", [2, 9])
def test_every_committee_is_at_its_place(tables):
    rows, found = rows_of(tables)
    figure = eq.figures.efficiency_gap(rows)
    panels = figure.axes
    assert len(panels) == (2 if tables == 2 else 3)
    points = np.concatenate(
        [
            np.stack([np.asarray(axis, float) for axis in line.get_data()], axis=1)
            for panel in panels
            for line in panel.lines
        ]
    )
    expected = np.stack([rows["misalignment"].to_numpy(), found.gap.reshape(-1)], axis=1)
    assert sorted(map(tuple, points.tolist())) == sorted(map(tuple, expected.tolist()))


def test_rows_without_the_columns_are_refused(tmp_path):
    rows, _ = rows_of(2)
    with pytest.raises(ValueError, match=r"rows: expected columns .*efficiency_gap"):
        eq.figures.efficiency_gap(rows.drop_columns(["efficiency_gap"]), tmp_path / "one.png")
