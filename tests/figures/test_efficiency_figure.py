"""The figure of efficiency gaps: a marker for each committee, by table or pooled."""

from __future__ import annotations

import equilibrax as eq
import numpy as np
import pytest
from equilibrax.cli import main
from equilibrax.rows import committee_rows


def rows_of(tables: int):
    drawn = eq.sample_tables("uniform", tables, states=2, actions=3, providers=3, seed=0)
    result = eq.solve(drawn)
    return committee_rows(result, ("efficiency",)), eq.efficiency(result, rules=False)


def expected_of(rows, found):
    return np.stack([rows["misalignment"].to_numpy(), found.gap.reshape(-1)], axis=1)


def test_every_committee_is_at_its_place():
    rows, found = rows_of(2)
    figure = eq.figures.efficiency_gap(rows)
    assert len(figure.axes) == 2
    lines = [line for panel in figure.axes for line in panel.lines]
    points = np.concatenate([np.stack([np.asarray(axis, float) for axis in line.get_data()], axis=1) for line in lines])
    assert sorted(map(tuple, points.tolist())) == sorted(map(tuple, expected_of(rows, found).tolist()))


def test_every_committee_of_many_tables_is_in_its_cell_and_parts_are_as_the_whole():
    rows, found = rows_of(9)
    figures = [eq.figures.efficiency_gap(given) for given in (rows, lambda: iter([rows.slice(0, 28), rows.slice(28)]))]
    size = rows["committee_size"].to_numpy()
    for figure in figures:
        for k, panel in zip((1, 2, 3), figure.axes):
            (mesh,) = panel.collections
            edges = mesh.get_coordinates()
            x, y = expected_of(rows, found)[size == k].T
            counted = np.histogram2d(y, x, bins=(edges[:, 0, 1], edges[0, :, 0]))[0]
            assert counted.sum() == (size == k).sum()
            assert (np.ma.filled(mesh.get_array(), 0).reshape(counted.shape) == counted).all()


def test_plot_draws_it_of_rows_that_have_it(tmp_path):
    rows, _ = rows_of(2)
    names = [path.name for path in eq.figures.plot_all(rows, tmp_path)]
    assert names == ["figure5.png", "figure6.png", "figure7.png", "efficiency.png"]
    eq.rows.write_parquet(rows, tmp_path / "committees.parquet")
    assert eq.rows.read_committees(tmp_path, ["efficiency_gap"])["efficiency_gap"].equals(rows["efficiency_gap"])
    assert "efficiency_gap" not in eq.rows.read_committees(tmp_path).column_names
    for name in names:
        (tmp_path / name).unlink()
    assert main(["plot", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.png")) == sorted(names)


def test_rows_without_the_columns_are_refused(tmp_path):
    rows, _ = rows_of(2)
    with pytest.raises(ValueError, match=r"rows: expected columns .*efficiency_gap"):
        eq.figures.efficiency_gap(rows.drop_columns(["efficiency_gap"]), tmp_path / "one.png")
