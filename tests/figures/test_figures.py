"""Figures 5, 6 and 7: the numbers they show, and that they can be drawn whatever the rows hold."""

from __future__ import annotations

import os
import subprocess
import sys

import equilibrax.figures._drawing as _figure_drawing
import equilibrax.figures.paper as figures
import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pytest
from equilibrax.figures._statistics import (
    CannotShow,
    below_bound,
    by_size,
    dynamics_above_worst,
    entry_paths,
    shown_rows,
    worst_along_one_path,
    worst_by_committee,
)

SCHEMA = pa.schema(
    [("table_id", pa.int64()), ("family", pa.string()), ("seed", pa.int64())]
    + [(name, pa.int32()) for name in ("states", "actions", "num_providers", "committee", "committee_size")]
    + [(name, pa.float64()) for name in ("optimum", "worst_utility", "best_utility")]
    + [("equilibria", pa.int64()), ("dynamics_utility", pa.float64()), ("dynamics_steps", pa.int64())]
    + [("misalignment", pa.float64()), ("bound", pa.float64()), ("status", pa.string())]
)
FIGURES = (figures.misalignment, figures.dynamics, figures.newcomers)
ALL = ("optimum", "worst_utility", "dynamics_utility", "misalignment")


def make_rows(tables=2, providers=3, family="near_hull", seed=0, scale=1.0, shift=0.0, **overrides) -> pa.Table:
    """Plausible rows of every committee: the more providers, the smaller the gap; the bound holds."""
    ids, committee = np.divmod(np.arange(tables * (2**providers - 1)), 2**providers - 1)
    committee += 1
    size = np.bitwise_count(committee).astype(np.int32)
    random = np.random.default_rng(seed)
    gap = np.round(random.exponential(0.3, len(ids)) / size, 2) * scale
    optimum = (0.5 + 0.1 * ids) * scale + shift
    misalignment = gap / 2 * (1 + random.exponential(0.5, len(ids)))
    columns = {
        "table_id": ids,
        "family": [family] * len(ids),
        "seed": np.zeros(len(ids)),
        "states": np.full(len(ids), 3),
        "actions": np.full(len(ids), 3),
        "num_providers": np.full(len(ids), providers),
        "committee": committee,
        "committee_size": size,
        "optimum": optimum,
        "worst_utility": optimum - gap,
        "best_utility": optimum,
        "equilibria": np.ones(len(ids)),
        "dynamics_utility": optimum - gap * (random.random(len(ids)) < 0.5),
        "dynamics_steps": np.ones(len(ids)),
        "misalignment": misalignment,
        "bound": optimum - 2 * misalignment,
        "status": ["OK"] * len(ids),
    } | overrides
    return pa.table({name: pa.array(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names})


def change(rows: pa.Table, row: int, **values) -> pa.Table:
    """`rows` with some values of one row replaced."""
    for name, value in values.items():
        column = rows[name].to_pylist()
        column[row] = value
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(column, rows.schema.field(name).type))
    return rows


# --- statistics ---


def test_rows_without_result_are_left_out_and_counted():
    rows = change(make_rows(), 1, status="CAPACITY")
    rows = change(rows, 4, status="CAPACITY", misalignment=None)
    rows = change(rows, 9, misalignment=None)
    rows = change(rows, 11, misalignment=float("nan"))
    rows = change(rows, 12, status=None)
    shown = shown_rows(rows, ALL)
    assert len(shown) == 9
    assert shown.left_out == (("CAPACITY", 2), ("without status", 1), ("without misalignment", 2))
    assert shown.footnote() == (
        "2 tables, 9 committees. 5 rows left out: 2 CAPACITY, 1 without status, 2 without misalignment."
    )
    assert shown_rows(make_rows(1, 1), ALL).footnote() == "1 table, 1 committee."


def test_whole_tables_are_left_out_when_one_row_is():
    shown = shown_rows(change(make_rows(3), 8, status="CAPACITY"), ALL, whole_tables=True)
    assert shown.num_tables == 2
    assert shown.table_id.tolist() == [0, 2]
    assert shown.left_out == (("CAPACITY", 1), ("of the same tables", 6))


def test_order_of_rows_does_not_matter_but_for_the_order_of_tables():
    rows = make_rows(3)
    shuffled = pa.concat_tables([rows[:1], rows[1:].take(np.random.default_rng(0).permutation(len(rows) - 1))])
    one, other = shown_rows(rows, ALL), shown_rows(shuffled, ALL)
    order = [one.table_id.tolist().index(i) for i in other.table_id]
    assert np.array_equal(one["worst_utility"].reshape(3, 7)[order], other["worst_utility"].reshape(3, 7))
    assert np.array_equal(one.committee.reshape(3, 7)[0], other.committee.reshape(3, 7)[2])


def test_tables_are_told_apart_by_family_seed_and_id():
    a, b = make_rows(1, family="a"), make_rows(1, family="b")
    assert shown_rows(pa.concat_tables([b, a]), ALL).titles == ("b", "a")
    assert shown_rows(make_rows(2, family="a"), ALL).titles == ("a, table 0", "a, table 1")
    other_seed = make_rows(1, family="a").set_column(2, "seed", pa.array([5] * 7, pa.int64()))
    assert shown_rows(pa.concat_tables([a, other_seed]), ALL).titles == (
        "a, table 0, seed 0",
        "a, table 0, seed 5",
    )
    assert shown_rows(make_rows(1, family=""), ALL).titles == ("table 0",)


def test_below_bound_marks_violations_and_not_rounding():
    rows = make_rows(misalignment=np.zeros(14), worst_utility=make_rows()["optimum"].to_numpy())
    rows = change(rows, 3, worst_utility=0.5 - 1e-10)
    rows = change(rows, 5, worst_utility=0.5 - 1e-8)
    shown = shown_rows(rows, ALL)
    assert shown.committee[below_bound(shown)].tolist() == [6]


def test_statistics_by_size():
    rows = make_rows(1, 2, worst_utility=[0.1, 0.2, 0.4], dynamics_utility=[0.1, 0.3, 0.4])
    shown = shown_rows(rows, ALL)
    assert shown.sizes == [1, 2]
    np.testing.assert_allclose(by_size(shown, shown["worst_utility"]), [0.15, 0.4])
    np.testing.assert_allclose(by_size(shown, dynamics_above_worst(shown), np.mean), [0.5, 0])


@pytest.mark.parametrize("providers", [1, 2, 5, 16])
def test_paths_gain_one_provider_at_every_step(providers):
    paths = entry_paths(np.array([0, 7, -3, 2**62]), providers, 6, seed=3)
    assert paths.shape == (4, 6, providers)
    np.testing.assert_array_equal(np.bitwise_count(paths), np.broadcast_to(np.arange(1, providers + 1), paths.shape))
    assert np.all(paths[..., 1:] & paths[..., :-1] == paths[..., :-1])


def test_paths_depend_on_seed_table_and_path_alone():
    paths = entry_paths(np.arange(50), 6, 20, seed=1)
    np.testing.assert_array_equal(paths, entry_paths(np.arange(50), 6, 20, seed=1))
    np.testing.assert_array_equal(paths[[9, 2], :4], entry_paths(np.array([9, 2]), 6, 4, seed=1))
    assert not np.array_equal(paths, entry_paths(np.arange(50), 6, 20, seed=2))
    assert len(np.unique(paths[0], axis=0)) > 10


def test_paths_are_uniform_over_orders():
    paths = entry_paths(np.arange(6000), 3, 1, seed=0)[:, 0]
    _, counts = np.unique(paths, axis=0, return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 880
    assert counts.max() < 1120


def test_layout_by_committee_and_along_paths():
    rows = pa.concat_tables([make_rows(2, 3, family="a"), make_rows(3, 2, family="b")])
    shown = shown_rows(rows, ALL)
    blocks = {block.shape[1]: (tables, block) for tables, block in worst_by_committee(shown, shown.committee * 1.0)}
    assert sorted(blocks) == [4, 8]
    assert blocks[8][0].tolist() == [0, 1]
    np.testing.assert_array_equal(blocks[8][1][1, 1:], np.arange(1, 8))
    along = worst_along_one_path(shown, shown.size * 1.0, seed=0)
    np.testing.assert_array_equal(along[:2], [[1, 2, 3]] * 2)
    np.testing.assert_array_equal(along[2:], [[1, 2, np.nan]] * 3)


def test_mean_over_many_paths_is_the_mean_over_committees():
    rows = make_rows(1, 4)
    shown = shown_rows(rows, ALL)
    ((_, block),) = worst_by_committee(shown, shown["worst_utility"])
    sampled = block[0][entry_paths(shown.table_id, 4, 4000, seed=0)[0]].mean(axis=0)
    np.testing.assert_allclose(sampled, by_size(shown, shown["worst_utility"], np.mean), atol=0.01)


# --- errors at the door ---


def test_missing_and_repeated_committees_are_named(tmp_path):
    rows = make_rows(2)
    lacking = pa.concat_tables([rows[:4], rows[5:]])
    with pytest.raises(ValueError, match=r"near_hull, table 0 lacks committee 5 \(bits 0, 2\)"):
        figures.newcomers(lacking, tmp_path / "figure7.png")
    with pytest.raises(ValueError, match="and 1 more; so do 1 other tables"):
        figures.newcomers(rows.filter(pa.array(rows["committee_size"].to_numpy() == 3)), tmp_path / "figure7.png")
    with pytest.raises(ValueError, match="has twice committee 1"):
        figures.newcomers(pa.concat_tables([rows, rows[:1]]), tmp_path / "figure7.png")
    with pytest.raises(ValueError, match="from 1 to 7 for 3 providers"):
        figures.newcomers(change(rows, 2, committee=9), tmp_path / "figure7.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("figure", FIGURES)
def test_rows_that_cannot_be_shown(figure, tmp_path):
    path = tmp_path / "figure.png"
    with pytest.raises(CannotShow, match="no rows at all"):
        figure(make_rows()[:0], path)
    with pytest.raises(CannotShow, match="14 CAPACITY"):
        figure(make_rows(status=["CAPACITY"] * 14), path)
    with pytest.raises(ValueError, match="expected columns optimum"):
        figure(make_rows().drop_columns("optimum"), path)
    with pytest.raises(ValueError, match=r"path: expected a name that ends in .*\.pdf"):
        figure(make_rows(), tmp_path / "figure.jpeg")


def test_figure7_needs_a_path(tmp_path):
    with pytest.raises(ValueError, match="paths: expected a positive number; got 0"):
        figures.newcomers(make_rows(), tmp_path / "figure7.png", paths=0)


# --- drawing ---

EDGE_CASES = {
    "one provider": lambda: make_rows(1, 1),
    "many tables of one provider": lambda: make_rows(8, 1),
    "no misalignment": lambda: make_rows(misalignment=np.zeros(14)),
    "all equal": lambda: make_rows(
        7, **dict.fromkeys(("optimum", "worst_utility", "dynamics_utility", "misalignment"), np.zeros(49))
    ),
    "constant": lambda: make_rows(
        **{name: np.full(14, 0.85) for name in ("optimum", "worst_utility", "dynamics_utility")}
    ),
    "negative": lambda: make_rows(shift=-7.0),
    "small range": lambda: make_rows(scale=1e-5, shift=0.576667),
    "tiny": lambda: make_rows(scale=1e-7),
    "huge": lambda: make_rows(scale=1e6),
    "below bound": lambda: change(make_rows(), 3, misalignment=0.0, worst_utility=0.1),
    "below bound, many tables": lambda: change(make_rows(9), 3, misalignment=0.0, worst_utility=0.1),
    "eight providers, pooled": lambda: make_rows(7, 8),
    "mixed numbers of providers": lambda: pa.concat_tables([make_rows(4, 2, family="a"), make_rows(4, 4)]),
    "status": lambda: change(make_rows(3), 2, status="CAPACITY"),
    "dense": lambda: make_rows(1, 11),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", EDGE_CASES)
def test_edge_cases_are_drawn(case, tmp_path):
    """Warnings are errors here: a layout that does not fit its labels, an empty slice, an overflow."""
    written = figures.plot_all(EDGE_CASES[case](), tmp_path / "deep" / "er")
    assert [path.name for path in written] == ["figure5.png", "figure6.png", "figure7.png"]
    for path in written:
        assert path.read_bytes().startswith(b"\x89PNG")
    assert sorted(os.listdir(tmp_path / "deep" / "er")) == [path.name for path in written]


def test_one_committee_only(tmp_path, caplog):
    written = figures.plot_all(make_rows(1)[6:], tmp_path)
    assert [path.name for path in written] == ["figure5.png", "figure6.png"]
    assert "figure7.png not drawn" in caplog.text
    assert "lacks committee 1" in caplog.text


def test_figures_without_their_columns_are_skipped(tmp_path, caplog):
    written = figures.plot_all(make_rows(misalignment=[None] * 14), tmp_path)
    assert [path.name for path in written] == ["figure7.png"]
    assert "14 without misalignment" in caplog.text
    written = figures.plot_all(make_rows(dynamics_utility=[None] * 14), tmp_path / "other")
    assert [path.name for path in written] == ["figure5.png", "figure7.png"]


@pytest.mark.parametrize("tables", [2, 8])
@pytest.mark.parametrize("figure", FIGURES)
def test_same_rows_same_bytes(figure, tables, tmp_path):
    """Also under the reader's own settings, which stay as they are."""
    figure(make_rows(tables), tmp_path / "a.png")
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "pink", "figure.dpi": 37}):
        before = dict(mpl.rcParams)
        figure(make_rows(tables), tmp_path / "b.png")
        assert dict(mpl.rcParams) == before
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert b"Software\0equilibrax" in (tmp_path / "a.png").read_bytes()  # and no version of Matplotlib


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "figure5.png"
    path.write_bytes(b"old")

    def write_half(self, file, **options):
        file.write(b"half")
        file.flush()
        raise OSError("disk full")

    monkeypatch.setattr(_figure_drawing.Figure, "savefig", write_half)
    with pytest.raises(OSError, match="disk full"):
        figures.misalignment(make_rows(), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["figure5.png"]


@pytest.mark.slow
def test_markers_become_a_density_by_their_number(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(_figure_drawing, "colour_bar", lambda figure, panels, meshes, label: drawn.append(len(meshes)))
    figures.misalignment(make_rows(6, 3), tmp_path / "a.png")
    figures.misalignment(make_rows(2, 11), tmp_path / "b.png")
    figures.misalignment(make_rows(7, 3), tmp_path / "c.png")
    assert drawn == [0, 2, 3]


def test_pyplot_is_not_imported():
    code = "import sys, equilibrax.figures.paper; sys.exit('matplotlib.pyplot' in sys.modules)"
    path = os.pathsep.join(p for p in sys.path if p)
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}).returncode == 0
