"""The columns of efficiency: rows have them, verification works them out again, and forged ones are found."""

from __future__ import annotations

import equilibrax as eq
import forging
import numpy as np
import pytest
from equilibrax.rows import committee_rows

FILE = "committees/train-00000000.parquet"
GAMES = {
    "selection": "selection",
    "obedient": "obedient",
    "quantal": eq.Joint(eq.Quantal(3.0), dynamics=False),
    "oblivious": eq.Oblivious(),
}


@pytest.fixture(params=["selection", *(pytest.param(name, marks=pytest.mark.slow) for name in list(GAMES)[1:])])
def dataset(request, tmp_path):
    config = eq.SweepConfig(
        tables=12,
        states=3,
        actions=3,
        providers=2,
        shard_size=16,
        splits=(1.0, 0.0, 0.0),
        game=GAMES[request.param],
        columns=("efficiency",),
        resolution=4,
    )
    assert eq.run_sweep(config, tmp_path).closed
    return tmp_path


def test_true_columns_hold_and_forged_ones_do_not(dataset):
    found = eq.verify(dataset)
    assert found.holds, found.failures
    assert found.checked["efficiency"] >= 36
    assert not any("efficien" in what or "negishi" in what for what in found.not_checked if "rounding" not in what)
    rows = forging.read(dataset, FILE)
    gap, efficient = rows["efficiency_gap"].to_pylist(), rows["efficient"].to_pylist()
    at = int(np.argmax(gap)) if max(gap) > 0 else 0
    forgeries = [("efficiency_gap", gap[at] + 0.01), ("negishi_weights", [1.0, 1.0, 0.0])]
    if not efficient[at]:
        forgeries.append(("efficient", True))
    if gap[at] > 0.01:
        forgeries.append(("efficiency_gap", gap[at] / 2))
    for column, value in forgeries:
        kept = (dataset / FILE).read_bytes()
        forging.change(dataset, FILE, column, at, value)
        assert "efficiency" in {failure.check for failure in eq.verify(dataset).failures}, (column, value)
        (dataset / FILE).write_bytes(kept)
        forging.close_again(dataset)


def test_rows_have_what_efficiency_says():
    tables = eq.sample_tables("uniform", 5, states=3, actions=3, providers=3, seed=0)
    for result in (eq.solve(tables, "selection"), eq.solve(tables, "obedient")):
        found, rows = eq.efficiency(result), committee_rows(result, ("efficiency",))
        assert rows["efficient"].to_pylist() == found.efficient.reshape(-1).tolist()
        assert rows["efficiency_gap"].to_pylist() == found.gap.reshape(-1).tolist()
        np.testing.assert_array_equal(rows["negishi_weights"].to_pylist(), found.weights.reshape(-1, 4))


def test_unsolved_rows_have_none():
    tables = eq.sample_tables("uniform", 2, states=6, actions=3, providers=2, seed=0)
    result = eq.solve(tables, eq.Selection(method="frontier", capacity=4, max_capacity=4), throw=False)
    rows = committee_rows(result, ("efficiency",))
    for name in ("efficient", "efficiency_gap", "negishi_weights"):
        assert rows[name].null_count == 6


def test_lotteries_name_no_outcome(tmp_path):
    with pytest.raises(ValueError, match="columns: expected of none, which this game and its options have"):
        eq.run_sweep(eq.SweepConfig(game=eq.Oblivious("lotteries"), columns=("efficiency",)), tmp_path)
